"""A tenant is erased: nothing of it is left but the trail, its neighbour loses nothing, and whoever dies goes on."""
import hashlib
import subprocess
import uuid

import psycopg2
import pytest

import belt
import conveyor
import hooks
import rig
from proc import StepError  # belt.py put docker/local on the path
from receiver import Receiver

GOES, STAYS = "vai", "fica"
MARKS = {GOES: "marcaquevai", STAYS: "marcaquefica"}
SCHEMAS = ("audit", "intake", "ocr", "outreach")
ERASED_S = 90

# What stays of a tenant, by table: the trail, the proof, the tombstone, and what ends by itself.
KEPT = {"audit.audit_logs", "audit.operations", "intake.tenants",
        *(f"{schema}.{table}" for schema in SCHEMAS for table in ("erasures", "inbox", "replay"))}
# Published within milliseconds, and waited for.
PASSING = {f"{schema}.outbox" for schema in SCHEMAS}

# A row of every other table that knows tenants: %(t)s the tenant, %(m)s his mark. A new table needs a line.
FRAME = {
    "claim": "(grp, event_id, tenant_id, owner, lease_until) VALUES ('g', gen_random_uuid(), %(t)s, %(m)s,"
             " now() - interval '1 minute')",
    "dead_letter": "(id, grp, topic, part, off, tenant_id, error_class, error_message, payload, updated_at) VALUES"
                   " (gen_random_uuid(), 'g', 't', 0, 0, %(t)s, 'data', %(m)s, %(m)s::bytea, now())",
    "effect": "(tenant_id, kind, effect_key, state) VALUES (%(t)s, 'test', %(m)s, 'confirmed')",
    "parked": "(grp, topic, part, off, event_id, tenant_id, ordering_key, due_at, reason, payload) VALUES"
              " ('g', 't', 0, 0, gen_random_uuid(), %(t)s, %(m)s, 'infinity', 'hold', %(m)s::bytea)",
}
PLANT = {
    **{f"{schema}.{table}": row for schema in SCHEMAS for table, row in FRAME.items()},
    "intake.api_keys": "(tenant_id, key_id, key_hash, scopes, partner) VALUES (%(t)s, '0123abcd', sha256(%(m)s::bytea),"
                       " '{status}', %(m)s)",
    "intake.deliveries": "(tenant_id, job_id, api_key_hash) VALUES (%(t)s, gen_random_uuid(), %(m)s)",
    "intake.idempotency": "(tenant_id, route, key, document_hash, job_id) VALUES (%(t)s, 'r', %(m)s, '',"
                          " gen_random_uuid())",
    "intake.ip_addresses": "(tenant_id, event_id, ip) VALUES (%(t)s, gen_random_uuid(), '192.0.2.1')",
    "intake.jobs": "(tenant_id, job_id, status, document_hash, size_bytes, expires_at, purged_at, error_code) VALUES"
                   " (%(t)s, gen_random_uuid(), 'failed', '', 1, now(), now(), %(m)s)",
    "intake.partner_tenants": "(tenant_id, partner) VALUES (%(t)s, 'beide')",
    "intake.tenant_keys": "(tenant_id, version, destroyed_at) VALUES (%(t)s, 99, now())",
    "intake.webhook_endpoints": "(tenant_id, endpoint_id, url, description, key_version, secret, state,"
                                " disabled_reason) VALUES (%(t)s, gen_random_uuid(), 'https://' || %(m)s, %(m)s, 1,"
                                " decode(repeat('00', 60), 'hex'), 'disabled', 'by-hand')",
    "outreach.deliveries": "(tenant_id, delivery_id, endpoint_id, event_id, event_type, body, state) VALUES (%(t)s,"
                           " '00000000-0000-4000-8000-000000000001', gen_random_uuid(), gen_random_uuid(), 'x', %(m)s,"
                           " 'failed')",
    "outreach.attempts": "(tenant_id, delivery_id, number, took_ms, error_code) VALUES (%(t)s,"
                         " '00000000-0000-4000-8000-000000000001', 1, 1, %(m)s)",
}
BULK = 2500  # more than two batches


@pytest.fixture(scope="module", name="plant")
def make_plant():
    """Two intakes, everything else once, two tenants with the same past, of whom one is erased."""
    with rig.temporary((), ("audit", "ocr", "intake")) as plant, Receiver() as receiver, \
            conveyor.reference.Sender(plant.stack) as sender:
        plant.receiver, plant.sender = receiver, sender
        plant.start("outreach", ESTEIRA_OUTREACH_SCHEDULE="1h")
        plant.stack.estctl("partner", "add", "beide", "--name", "Beide")
        plant.ids, plant.jobs, plant.wrapped = {}, {}, {}
        for slug in (GOES, STAYS):
            live(plant, slug)
        yield plant


def live(plant, slug):
    """What a tenant leaves everywhere."""
    mark, estctl = MARKS[slug], plant.stack.estctl
    estctl("tenant", "create", slug, "--name", f"Nome {mark}", "--test", "--deadline", "86400")
    plant.ids[slug] = plant.tenant_id(slug)
    plant.keys[slug] = plant.stack.key(slug)
    estctl("partner", "add", f"p-{slug}", "--name", f"Parceira {mark}")  # its slug stays in the trail
    estctl("partner", "grant", f"p-{slug}", "--tenant", slug)
    client = plant.client(slug)
    plant.receiver.tell(f"/{mark}/falha", 500)
    for path in ("ok", "falha"):
        hooks.post(client, "/v1/webhooks", {"url": plant.receiver.url(f"/{mark}/{path}"), "description": mark}, 201)
    done = client.send(belt.tiny_pdf(f"texto {mark}"), key=f"chave-{mark}", form=True)
    assert client.ended(done)["status"] == "completed"
    client.result(done)
    client.trail(done, "DELIVERED")
    plant.jobs[slug] = done
    plant.wrapped[slug] = plant.stack.psql("SELECT encode(wrapped, 'hex') FROM intake.tenant_keys WHERE"
                                           f" tenant_id = '{plant.ids[slug]}'").strip()
    for table, row in PLANT.items():
        execute(plant, f"INSERT INTO {table} {row}", t=plant.ids[slug], m=mark)
    belt.wait_for("a delivery that waits and two that are over", lambda: plant.stack.psql(
        f"SELECT state, count(*) FROM outreach.deliveries WHERE tenant_id = '{plant.ids[slug]}' AND event_type <> 'x'"
        " AND attempts > 0 GROUP BY 1 ORDER BY 1") == "delivered|2\npending|2\n", 30)


def execute(plant, sql, **values):
    """As the superuser; what it answers."""
    with psycopg2.connect(plant.stack.psql_url()) as conn, conn.cursor() as cur:
        cur.execute(sql, values)
        return cur.fetchall() if cur.description else None


def tables(plant):
    """Every table of the suite that knows tenants, from the catalogue."""
    return {row[0] for row in execute(plant, """
        SELECT c.relnamespace::regnamespace || '.' || c.relname FROM pg_class c
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
        WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition
            AND c.relnamespace::regnamespace::text IN ('audit', 'intake', 'ocr', 'outreach')""")}


def rows(plant, slug):
    """{table: rows of the tenant}"""
    return {table: execute(plant, f"SELECT count(*) FROM {table} WHERE tenant_id = %(t)s", t=plant.ids[slug])[0][0]
            for table in sorted(tables(plant))}


def redis_keys(plant, slug):
    """Of the tenant, whatever they are for."""
    with plant.redis() as redis:
        return [key for key in redis("KEYS", "*") if plant.ids[slug].encode() in key]


def dump(plant):
    """Everything in the database, as a backup has it."""
    return subprocess.run(["pg_dump", plant.stack.psql_url()], capture_output=True, check=True).stdout


def state(plant, slug):
    """Of the tenant."""
    return plant.stack.psql(f"SELECT state FROM intake.tenants WHERE slug = '{slug}'").strip()


def operations(plant, slug):
    """{action: [(actor, reason, count)]} of the tenant's own life."""
    found = {}
    for action, *rest in execute(plant, "SELECT action, actor, reason, (metadata->>'count')::bigint FROM"
                                 " audit.operations WHERE tenant_id = %(t)s AND action LIKE 'tenant.%%' ORDER BY"
                                 " occurred_at", t=plant.ids[slug]):
        found.setdefault(action, []).append(tuple(rest))
    return found


def test_every_table_that_knows_tenants_is_planted_or_declared(plant):
    assert tables(plant) == set(PLANT) | KEPT | PASSING


def test_erase_asks_twice_and_counts_first(plant):
    estctl, before = plant.stack.estctl, rows(plant, GOES)
    for args in ((), ("--yes", STAYS, "--who", "dpo"), ("--yes", GOES)):
        with pytest.raises(StepError, match="exit 2"):
            estctl("tenant", "erase", GOES, *args)
    counted = {line.split()[0]: line.split()[1:] for line in
               estctl("tenant", "erase", GOES, "--dry-run").splitlines()[1:]}
    assert counted["intake.jobs"] == ["goes", str(before["intake.jobs"])]
    assert counted["audit.audit_logs"] == ["stays", str(before["audit.audit_logs"])]
    assert {table for table, (fate, _) in counted.items() if fate == "stays"} <= KEPT
    assert state(plant, GOES) == "active" and rows(plant, GOES) == before


@pytest.fixture(scope="module", name="erased")
def make_erased(plant):
    """Erased, while two intakes and the outreach that began it were killed in the middle of it."""
    stack, goes, client = plant.stack, plant.ids[GOES], plant.client(GOES)
    stack.stop_one("ocr-1")
    pending = client.send(belt.tiny_pdf(f"pendente {MARKS[GOES]}"))
    execute(plant, "INSERT INTO intake.idempotency (tenant_id, route, key, document_hash, job_id)"
            " SELECT %(t)s, 'r', 'bulk-' || n, '', gen_random_uuid() FROM generate_series(1, %(n)s) n", t=goes, n=BULK)
    for name in ("intake-1", "outreach-1"):
        stack.stop_one(name)
    plant.start("intake", 1, ESTEIRA_FAILPOINT="erase_batch:4")
    plant.start("intake", 2, ESTEIRA_FAILPOINT="erase_batch:4")
    plant.start("outreach", ESTEIRA_OUTREACH_SCHEDULE="1h", ESTEIRA_FAILPOINT="erase_batch:2")
    assert [key for key in plant.objects() if key.startswith(goes)] and redis_keys(plant, GOES)
    seen = {"trail": rows(plant, GOES)["audit.audit_logs"], "neighbour": rows(plant, STAYS),
            "dump": dump(plant), "pending": pending}
    stack.estctl("tenant", "erase", GOES, "--yes", GOES, "--who", "dpo")
    stack.estctl("tenant", "erase", GOES, "--yes", GOES, "--who", "dpo")  # it is under way
    belt.wait_for("401", lambda: plant.client(GOES).call("GET", "/v1/jobs").status == 401, 10)
    belt.wait_for("the keys, first of all", lambda: stack.psql(
        f"SELECT count(wrapped) FROM intake.tenant_keys WHERE tenant_id = '{goes}'") == "0\n", 20)
    plant.start("ocr")
    for name in ("intake-1", "intake-2", "outreach-1"):
        belt.wait_for(f"{name} dies in the middle", lambda name=name: stack.pid(name) is None, ERASED_S)
    assert state(plant, GOES) == "erasing"
    for name, number in (("intake", 1), ("intake", 2), ("outreach", 1)):
        plant.start(name, number)
    belt.wait_for(lambda: f"erased: {stack.estctl('tenant', 'show', GOES, '--erasure')}",
                  lambda: state(plant, GOES) == "erased", ERASED_S, 0.2)
    belt.wait_for("its entry", lambda: "tenant.erased" in operations(plant, GOES), 20)
    return seen


def test_no_row_is_left_but_those_declared(plant, erased):
    left = {table: count for table, count in rows(plant, GOES).items() if count > 0}
    assert set(left) <= KEPT, left
    assert left["audit.audit_logs"] >= erased["trail"] and left["intake.tenants"] == 1
    assert plant.stack.psql(f"SELECT name FROM intake.tenants WHERE slug = '{GOES}'") == f"{GOES}\n"
    assert plant.stack.psql("SELECT slug FROM intake.partners ORDER BY 1").split() == ["beide", f"p-{STAYS}"]


def test_the_neighbour_lost_nothing(plant, erased):
    now = rows(plant, STAYS)
    assert {t: n for t, n in now.items() if t not in KEPT} == \
        {t: n for t, n in erased["neighbour"].items() if t not in KEPT}
    client = plant.client(STAYS)
    assert client.job(plant.jobs[STAYS])["status"] == "completed"
    assert MARKS[STAYS] in client.result(plant.jobs[STAYS]).body.decode()
    assert client.ended(client.send(belt.tiny_pdf("depois")))["status"] == "completed"


def test_nothing_in_the_bucket_and_in_redis(plant, erased):  # pylint: disable=unused-argument
    assert [key for key in plant.objects() if key.startswith(plant.ids[GOES])] == []
    assert redis_keys(plant, GOES) == []


def test_no_mark_in_a_backup(plant, erased):
    for text in (erased["dump"], dump(plant)):
        for form in (MARKS[STAYS].encode(), MARKS[STAYS].encode().hex().encode(), plant.wrapped[STAYS].encode()):
            assert form in text  # it is found where it is
    for form in (MARKS[GOES].encode(), MARKS[GOES].encode().hex().encode(), plant.wrapped[GOES].encode()):
        assert form in erased["dump"]
        lines = [line for line in dump(plant).splitlines() if form in line]
        assert lines == []  # the wrapped key too: nothing that was sealed opens any more


def test_the_trail_says_how_it_ended(plant, erased):
    wanted = operations(plant, GOES)
    assert [row[0] for row in wanted["tenant.erasing"]] == ["dpo"] and len(wanted["tenant.erased"]) == 1
    lines = [f"{schema} {plant.stack.psql(f'SELECT counts FROM {schema}.erasures').strip()}" for schema in SCHEMAS]
    (actor, reason, count), = wanted["tenant.erased"]
    assert actor == "esteira-intake" and hashlib.sha256("\n".join(lines).encode()).hexdigest() in reason
    assert count == sum(int(row[0]) for schema in SCHEMAS for row in execute(
        plant, f"SELECT value FROM {schema}.erasures, jsonb_each_text(counts)"))
    counts = execute(plant, "SELECT counts FROM intake.erasures")[0][0]
    assert counts["idempotency"] == BULK + 2 and counts["dead_letter"] >= 1 and counts["partner_tenants"] == 3
    trail = [row[0] for row in execute(plant, "SELECT action FROM audit.audit_logs WHERE job_id = %(j)s ORDER BY"
                                       " occurred_at, action", j=erased["pending"])]
    assert trail == ["RECEIVED", "FAILED", "PURGED"]
    assert execute(plant, "SELECT metadata->>'error_code' FROM audit.audit_logs WHERE job_id = %(j)s AND"
                   " action = 'FAILED'", j=erased["pending"]) == [("cancelled",)]
    told = [m for _, m in plant.records(("intake.events",)) if rig.header(m, "ce_type") == "intake.tenant.erased.v1"]
    assert len({rig.header(m, "ce_id") for m in told}) == 1 and told[0].key().decode() == plant.ids[GOES]


def test_what_comes_late_is_dropped(plant, erased):  # pylint: disable=unused-argument
    before = plant.stack.psql("SELECT count(*) FROM outreach.deliveries")
    for kind, topic, value in (
            ("intake.document.completed.v1", "esteira.intake.events", None),
            ("outreach.delivery.requested.v1", "esteira.outreach.commands", b"garbage"),
            ("ocr.document.completed.v1", "esteira.ocr.events", b"{}"),
            ("intake.document.received.v1", "esteira.ocr.jobs", b"{}")):
        payload = {"job_id": str(uuid.uuid4()), "document_hash": "ab" * 32, "occurred_at": "2026-11-21T08:34:00.123Z"}
        plant.sender.send(kind, payload, plant.ids[GOES], topic=topic, value=value)
    belt.wait_for("all are dropped", lambda: all(
        'outcome="erased"' in plant.metrics(name) for name in ("outreach-1", "ocr-1")) and (
            'outcome="erased"' in plant.metrics("intake-1") + plant.metrics("intake-2")))
    belt.wait_for("both of outreach's", lambda: sum(
        int(line.split()[-1]) for line in plant.metrics("outreach-1").splitlines()
        if line.startswith("esteira_records_total") and 'outcome="erased"' in line) >= 2)
    left = rows(plant, GOES)
    assert {table for table, count in left.items() if count > 0} <= KEPT, left
    assert plant.stack.psql("SELECT count(*) FROM outreach.deliveries") == before


def test_erased_is_for_ever(plant, erased):  # pylint: disable=unused-argument
    estctl, before = plant.stack.estctl, execute(plant, "SELECT * FROM intake.erasures")
    estctl("tenant", "erase", GOES, "--yes", GOES, "--who", "dpo")  # was before
    for args in (("tenant", "activate", GOES), ("tenant", "suspend", GOES)):
        with pytest.raises(StepError, match="is erased and cannot become"):
            estctl(*args)
    for args in (("tenant", "create", GOES, "--name", "N"), ("key", "create", "--tenant", GOES, "--scopes", "status"),
                 ("partner", "grant", "beide", "--tenant", GOES)):
        with pytest.raises(StepError, match="its slug is not given again"):
            estctl(*args)
    assert execute(plant, "SELECT * FROM intake.erasures") == before and len(operations(plant, GOES)["tenant.erased"]) == 1
    assert state(plant, GOES) == "erased"
