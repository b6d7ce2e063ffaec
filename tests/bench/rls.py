"""What row level security costs a list: the newest jobs of one of 100 tenants among 1,000,000 rows, as
the service asks under its tenant policy, against the same as the owner with the tenant in WHERE.

The two are asked in turns in one run; the plans are looked at, too: an index led by the tenant, whose
setting is read once and not once a row.
"""
import contextlib
import sys
import time

import machine
import psycopg2
from stack import Stack

TENANTS, ROWS, TURNS, LIMIT = 100, 1_000_000, 3000, 50
COLUMNS = "job_id, partner, status, document_hash, result_hash, size_bytes, created_at, expires_at"
LAST = "ORDER BY created_at DESC, job_id DESC LIMIT %s"


def fill(cur):
    """Jobs of all tenants, mixed as time mixes them."""
    cur.execute("INSERT INTO intake.jobs (tenant_id, job_id, document_hash, size_bytes, status, created_at, completed_at,"
                " expires_at) SELECT md5((n %% %s)::text)::uuid, gen_random_uuid(), md5(n::text), n, 'completed',"
                " now() - n * interval '1 second', now(), now() FROM generate_series(1, %s) n", (TENANTS, ROWS))
    cur.execute("VACUUM ANALYZE intake.jobs")


def prepare(cur, where):
    """As port/pg asks: a statement that is prepared once; and planned once, or the one with a parameter
    would be planned for each and look slower than it is."""
    cur.execute("SET plan_cache_mode = force_generic_plan")
    cur.execute(f"PREPARE list AS SELECT {COLUMNS} FROM intake.jobs {where} {LAST % LIMIT}")


def ask(cur, tenant, execute):
    """One list, in a transaction of its own: (milliseconds of the statement, rows)."""
    cur.execute("BEGIN")
    cur.execute("SELECT set_config('app.current_tenant', %s, true)", (tenant,))
    began = time.perf_counter()
    cur.execute(execute, (tenant,) if "%s" in execute else None)
    found = cur.fetchall()
    took = (time.perf_counter() - began) * 1000
    cur.execute("COMMIT")
    return took, found


def nodes(node):
    """All nodes of a plan."""
    yield node
    for inner in node.get("Plans", ()):
        yield from nodes(inner)


def check_plan(verdict, cur, tenant, execute):
    """Led by the tenant, setting read once."""
    plan = list(nodes(ask(cur, tenant, "EXPLAIN (ANALYZE, FORMAT JSON) " + execute)[1][0][0][0]["Plan"]))
    scans = [n for n in plan if "Index Name" in n]
    led = [n for n in scans if n["Index Name"] == "jobs_list_idx" and "tenant_id = " in n.get("Index Cond", "")]
    reads = [n["Actual Loops"] for n in plan if n.get("Parent Relationship") == "InitPlan"]
    verdict.line("index scans led by the tenant", len(led), least=1)
    verdict.line("times the tenant's setting was read", sum(reads), least=1, most=1)


def main():
    with Stack.only_postgres() as stack:
        verdict = machine.Verdict()
        with contextlib.closing(psycopg2.connect(stack.psql_url())) as plain, \
                contextlib.closing(psycopg2.connect(stack.psql_url("esteira_intake"))) as walled:
            plain.autocommit = walled.autocommit = True
            with plain.cursor() as owner, walled.cursor() as service:
                fill(owner)
                for setting in ("enable_seqscan", "jit"):  # as the service's role has them
                    owner.execute(f"SET {setting} = off")
                prepare(service, "")
                prepare(owner, "WHERE tenant_id = $1::uuid")
                measure(verdict, owner, service)
                verdict.exit()


def measure(verdict, owner, service):
    """In turns, so that both meet the same machine."""
    owner.execute("SELECT DISTINCT tenant_id FROM intake.jobs")
    tenants = [row[0] for row in owner.fetchall()]
    assert len(tenants) == TENANTS
    without, under = [], []
    for turn in range(TURNS):
        tenant = tenants[turn % TENANTS]
        bare, walled = ask(owner, tenant, "EXECUTE list(%s)"), ask(service, tenant, "EXECUTE list")
        assert bare[1] == walled[1] and len(bare[1]) == LIMIT
        without.append(bare[0])
        under.append(walled[0])
    without.sort()
    under.sort()
    for name, at in (("p50", TURNS // 2), ("p99", TURNS * 99 // 100)):
        verdict.line(f"{name} without row level security", without[at], unit="ms")
        verdict.line(f"{name} under it", under[at], unit="ms")
    verdict.line("p50 under it, against without", under[TURNS // 2] / without[TURNS // 2], most=1.5)
    check_plan(verdict, service, tenants[0], "EXECUTE list")


if __name__ == "__main__":
    sys.exit(main())
