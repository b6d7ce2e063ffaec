"""The migrations on a private Postgres: deploy, verify, revert, deploy; the pgTAP sweep; and proof
that the sweep sees: each mutation of a scratch copy must turn it red.
"""
import os
import re
import shutil
import subprocess
import sys
import uuid

import psycopg2
import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "docker/local"))
# pylint: disable=wrong-import-position
from servers import DATABASE  # noqa: E402
from stack import LOGIN_ROLES, Stack  # noqa: E402

PGTAP = sorted(f for f in os.listdir(os.path.join(HERE, "pgtap")) if f.endswith(".sql"))
SERVICES = ("intake", "ocr", "audit")
A, B = str(uuid.uuid4()), str(uuid.uuid4())


@pytest.fixture(scope="module", name="stack")
def make_stack():
    """A Postgres of its own, migrated; no other server."""
    with Stack.only_postgres() as stack:
        yield stack


def environment(stack, database=DATABASE):
    """For sqitch and pg_prove as the superuser."""
    return {**stack.base_env(), "PGHOST": "127.0.0.1", "PGPORT": str(stack.ports["postgres"]),
            "PGUSER": "postgres", "PGPASSWORD": stack.secrets["roles"]["postgres"],
            "PGDATABASE": database, "SQITCH_FULLNAME": "Esteira",
            "SQITCH_EMAIL": "dev@esteira.invalid"}


def sqitch(stack, *args):
    """Run sqitch; answers its output, fails with it."""
    target = f"db:pg://postgres@127.0.0.1:{stack.ports['postgres']}/{DATABASE}"
    done = subprocess.run(["sqitch", *args, target], cwd=os.path.join(ROOT, "migrations"),
                          env=environment(stack), capture_output=True, text=True, check=False,
                          stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def pg_prove(stack, files, database=DATABASE):
    """Run pgTAP files; -> (passed, output)."""
    assert shutil.which("pg_prove"), "libtap-parser-sourcehandler-pgtap-perl is not installed"
    done = subprocess.run(["pg_prove", "--failures", *files], cwd=os.path.join(HERE, "pgtap"),
                          env=environment(stack, database), capture_output=True, text=True,
                          check=False, stdin=subprocess.DEVNULL)
    return done.returncode == 0, done.stdout + done.stderr


def connect(stack, role, database=DATABASE):
    """A connection as that role, by its own login."""
    url = stack.psql_url(role).rsplit("/", 1)[0] + f"/{database}"
    return psycopg2.connect(url)


def schema_dump(stack):
    """What there is, without the tokens that newer pg_dumps make up for each run."""
    done = subprocess.run(["pg_dump", "--schema-only", "--exclude-schema=sqitch"],
                          env=environment(stack), capture_output=True, text=True, check=True)
    return re.sub(r"^\\(un)?restrict .*$", "", done.stdout, flags=re.MULTILINE)


def test_every_change_has_revert_and_verify():
    with open(os.path.join(ROOT, "migrations/sqitch.plan"), encoding="utf-8") as f:
        changes = [line.split()[0] for line in f if line.strip() and line[0] not in "%#@"]
    for folder in ("deploy", "revert", "verify"):
        base = os.path.join(ROOT, "migrations", folder)
        found = [os.path.relpath(os.path.join(at, name), base)[:-len(".sql")]
                 for at, _, names in os.walk(base) for name in names]
        assert sorted(found) == sorted(changes)


def test_revert_leaves_nothing_and_deploy_makes_the_same(stack):
    before = schema_dump(stack)
    sqitch(stack, "verify")
    sqitch(stack, "revert", "-y")
    assert stack.psql("SELECT rolname FROM pg_roles WHERE rolname LIKE 'esteira%'") == ""
    assert stack.psql("SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname NOT IN"
                      " ('information_schema', 'public', 'sqitch')") == ""
    assert stack.psql("SELECT * FROM pg_default_acl") == ""
    sqitch(stack, "deploy", "--verify")
    sqitch(stack, "verify")
    roles = stack.secrets["roles"]
    stack.psql("".join(f"ALTER ROLE {r} PASSWORD '{roles[r]}';\n" for r in LOGIN_ROLES))
    assert schema_dump(stack) == before


@pytest.mark.parametrize("name", PGTAP)
def test_pgtap(stack, name):
    passed, output = pg_prove(stack, [name])
    assert passed, output


# What somebody might forget or add, the file that must go red, and words of the test that says so.
MUTATIONS = {
    "service policy dropped": (
        "DROP POLICY esteira_intake ON intake.jobs", "catalogue.sql", "has a permissive policy there"),
    "tenant policy dropped": (
        "DROP POLICY esteira_ocr_tenant ON intake.tenant_keys", "catalogue.sql",
        "restrictive tenant policy"),
    "tenant policy weakened": (
        "ALTER POLICY esteira_intake_tenant ON intake.jobs USING (true)", "catalogue.sql",
        "restrictive tenant policy"),
    "tenant policy for reads only": (
        "DROP POLICY esteira_intake_tenant ON intake.jobs; CREATE POLICY esteira_intake_tenant ON"
        " intake.jobs AS RESTRICTIVE FOR SELECT TO esteira_intake USING (tenant_id = (SELECT"
        " NULLIF(current_setting('app.current_tenant', true), '')::uuid))", "catalogue.sql",
        "restrictive tenant policy"),
    "tenant policy dropped, felt": (
        "DROP POLICY esteira_intake_tenant ON intake.deliveries", "tenants.sql",
        "A finds nothing of B"),
    "not forced": (
        "ALTER TABLE audit.audit_logs NO FORCE ROW LEVEL SECURITY", "catalogue.sql", "forced"),
    "not enabled on a week of the inbox": (
        "DO $$ BEGIN EXECUTE 'ALTER TABLE ' || (SELECT min(inhrelid)::regclass FROM pg_inherits"
        " WHERE inhparent = 'ocr.inbox'::regclass) || ' DISABLE ROW LEVEL SECURITY'; END $$",
        "catalogue.sql", "forced"),
    "policy to everybody": (
        "CREATE POLICY all_see ON intake.jobs FOR SELECT USING (true)", "catalogue.sql",
        "TO PUBLIC"),
    "another role across tenants": (
        "CREATE POLICY peek ON intake.api_keys FOR SELECT TO esteira_frame_intake USING (true)",
        "catalogue.sql", "across tenants"),
    "new table without protection": (
        "CREATE TABLE intake.webhooks (tenant_id uuid, id uuid, PRIMARY KEY (tenant_id, id));"
        " ALTER TABLE intake.webhooks OWNER TO esteira_owner", "catalogue.sql", "forced"),
    "new table without a fixture": (
        "CREATE TABLE intake.webhooks (tenant_id uuid, id uuid, PRIMARY KEY (tenant_id, id))",
        "tenants.sql", "has a row of A and one of B"),
    "new table without tenant_id": (
        "CREATE TABLE ocr.pages (id uuid PRIMARY KEY)", "catalogue.sql", "has tenant_id"),
    "index of all tenants": (
        "CREATE INDEX jobs_hash_idx ON intake.jobs (document_hash)", "catalogue.sql",
        "leads with tenant_id"),
    "view with its owner's rights": (
        "ALTER VIEW intake.v1_open_jobs SET (security_invoker = false)", "catalogue.sql",
        "caller's rights"),
    "loose search_path": (
        "ALTER FUNCTION intake.key_lookup(bytea) RESET search_path", "catalogue.sql",
        "pins search_path"),
    "function of a superuser": (
        "ALTER FUNCTION intake.key_lookup(bytea) OWNER TO postgres", "catalogue.sql",
        "NOLOGIN owner"),
    "function for everybody": (
        "GRANT EXECUTE ON FUNCTION intake.key_lookup(bytea) TO PUBLIC", "catalogue.sql",
        "PUBLIC may call nothing"),
    "truncate": (
        "GRANT TRUNCATE ON intake.outbox TO esteira_frame_intake", "catalogue.sql", "TRUNCATE"),
    "grant across schemas": (
        "GRANT SELECT (document_hash) ON intake.jobs TO esteira_ocr", "grants.sql",
        "exactly the columns"),
    "grant in the own schema": (
        "GRANT UPDATE ON audit.operations TO esteira_audit", "grants.sql", "own tables"),
    "frame table of another": (
        "GRANT SELECT ON ocr.inbox TO esteira_intake", "grants.sql", "frame tables"),
    "payload for the operator": (
        "GRANT SELECT ON intake.parked TO esteira_operator", "grants.sql", "the operator reads"),
    "redrive for any tenant": (
        "GRANT EXECUTE ON FUNCTION ocr.dead_letter_redrive(uuid[], uuid, text) TO esteira_intake",
        "dead_letter.sql", "esteira_intake may not call ocr.dead_letter_redrive"),
    "dead letters of all tenants": (
        "DROP POLICY esteira_intake_tenant ON ocr.dead_letter", "dead_letter.sql", "shows intake one"),
    "dead letters' view of all tenants": (
        "CREATE OR REPLACE VIEW intake.v1_dead_letters WITH (security_invoker = true) AS SELECT"
        " tenant_id, id, topic, event_id, ordering_key, error_class, error_code, error_message,"
        " attempts, redrives, blocks, state, first_failed_at, created_at, updated_at"
        " FROM intake.dead_letter", "dead_letter.sql", "intake: the view shows"),
    "a dead letter's payload": (
        "GRANT SELECT (payload) ON ocr.dead_letter TO esteira_intake", "dead_letter.sql",
        "cannot read payload"),
    "handled events of all tenants": (
        "DROP POLICY esteira_intake_tenant ON ocr.inbox", "handled.sql", "shows intake one"),
    "handled events' view of all tenants": (
        "CREATE OR REPLACE VIEW intake.v1_handled WITH (security_invoker = true) AS SELECT tenant_id,"
        " event_id, grp, handled_at FROM intake.inbox", "handled.sql", "intake: the view shows"),
    "rows deleted of a tenant in use": (
        "DROP POLICY esteira_intake_erasing ON intake.jobs", "tenants.sql",
        "deletes from intake.jobs of a tenant who is active"),
    "a right to delete without that policy": (
        "GRANT DELETE ON audit.audit_logs TO esteira_audit", "tenants.sql",
        "deletes from audit.audit_logs of a tenant who is active"),
    "trail without its trigger": (
        "ALTER TABLE audit.audit_logs DISABLE TRIGGER insert_only", "audit.sql", "audit.audit_logs"),
    "trigger of ordinary sessions only": (
        "ALTER TABLE audit.audit_logs ENABLE TRIGGER insert_only", "audit.sql", "replica"),
}


@pytest.mark.parametrize("what", MUTATIONS)
def test_mutation_turns_the_sweep_red(stack, what):
    change, name, words = MUTATIONS[what]
    stack.psql("DROP DATABASE IF EXISTS scratch", database="postgres")
    stack.psql(f"CREATE DATABASE scratch TEMPLATE {DATABASE}", database="postgres")
    # privileges on a database itself are not copied from its template
    stack.psql("REVOKE ALL ON DATABASE scratch FROM PUBLIC", database="postgres")
    stack.psql(change, database="scratch")
    passed, output = pg_prove(stack, [name], database="scratch")
    assert not passed, f"{name} did not notice"
    assert words in output, output  # only failed tests are named


def test_template_copy_alone_stays_green(stack):
    """What the mutations are measured against."""
    stack.psql("DROP DATABASE IF EXISTS scratch", database="postgres")
    stack.psql(f"CREATE DATABASE scratch TEMPLATE {DATABASE}", database="postgres")
    stack.psql("REVOKE ALL ON DATABASE scratch FROM PUBLIC", database="postgres")
    passed, output = pg_prove(stack, PGTAP, database="scratch")
    assert passed, output


def test_role_is_safe(stack):
    for service in SERVICES:
        for role in (f"esteira_{service}", f"esteira_frame_{service}"):
            with connect(stack, role) as conn, conn.cursor() as cur:
                cur.execute("SELECT role_is_safe()")
                assert cur.fetchone() == (True,), role
    assert stack.psql("SELECT intake.role_is_safe()") == "f\n"
    unsafe = ("ALTER ROLE esteira_ocr BYPASSRLS", "ALTER ROLE esteira_ocr NOBYPASSRLS"), \
        ("ALTER ROLE esteira_ocr CREATEROLE", "ALTER ROLE esteira_ocr NOCREATEROLE"), \
        ("GRANT esteira_owner TO esteira_ocr", "REVOKE esteira_owner FROM esteira_ocr"), \
        ("GRANT esteira_backup TO esteira_ocr", "REVOKE esteira_backup FROM esteira_ocr"), \
        ("GRANT pg_write_all_data TO esteira_ocr", "REVOKE pg_write_all_data FROM esteira_ocr"), \
        ("CREATE TABLE ocr.mine (); ALTER TABLE ocr.mine OWNER TO esteira_ocr", "DROP TABLE ocr.mine")
    for change, back in unsafe:
        stack.psql(change)
        try:
            with connect(stack, "esteira_ocr") as conn, conn.cursor() as cur:
                cur.execute("SELECT role_is_safe()")
                assert cur.fetchone() == (False,), change
        finally:
            stack.psql(back)


@pytest.fixture(name="two_tenants")
def make_two_tenants(stack):
    """A job of each of two tenants; gone afterwards."""
    for tenant, slug in ((A, "a-one"), (B, "b-two")):
        stack.psql(f"INSERT INTO intake.tenants (tenant_id, slug, name) VALUES ('{tenant}', '{slug}', '');"
                   "INSERT INTO intake.jobs (tenant_id, job_id, document_hash, size_bytes, expires_at)"
                   f" VALUES ('{tenant}', gen_random_uuid(), '', 1, now())")
    yield
    stack.psql("DELETE FROM intake.jobs; DELETE FROM intake.tenants")


@pytest.mark.usefixtures("two_tenants")
def test_tenant_of_a_past_transaction_is_forgotten(stack):
    """After a transaction that set it the setting is '', not absent: still no row and no error."""
    conn = connect(stack, "esteira_intake")
    with conn.cursor() as cur:
        cur.execute("SELECT current_setting('app.current_tenant', true)")
        assert cur.fetchone() == (None,)
        cur.execute("SELECT tenant_id FROM jobs")
        assert cur.fetchall() == []
        conn.commit()
        for tenant in (A, B):
            cur.execute("SELECT set_config('app.current_tenant', %s, true)", (tenant,))
            cur.execute("SELECT tenant_id FROM jobs")
            assert cur.fetchall() == [(tenant,)]
            conn.commit()
            cur.execute("SELECT current_setting('app.current_tenant', true)")
            assert cur.fetchone() == ("",)
            cur.execute("SELECT tenant_id FROM jobs")
            assert cur.fetchall() == []
            conn.commit()
    conn.close()


@pytest.mark.usefixtures("two_tenants")
def test_who_may_see_all_tenants(stack):
    for role, rows in (("esteira_frame_intake", 2), ("esteira_backup", 2), ("esteira_migrator", 2)):
        with connect(stack, role) as conn, conn.cursor() as cur:
            cur.execute("SELECT count(*) FROM intake.jobs")
            assert cur.fetchone() == (rows,), role
    # a backfill of the owner, under FORCE, would silently change nothing
    assert stack.psql("BEGIN; SET LOCAL ROLE esteira_owner; SELECT count(*) FROM intake.jobs") == "0\n"
    with connect(stack, "esteira_migrator") as conn, conn.cursor() as cur:
        cur.execute("UPDATE intake.jobs SET partner = partner")
        assert cur.rowcount == 2
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            cur.execute("TRUNCATE intake.jobs")


def test_inbox_maintain_of_two_processes_at_once(stack):
    """The second waits for the first and then finds the work done."""
    first, second = connect(stack, "esteira_ocr"), connect(stack, "esteira_frame_ocr")
    stack.psql("DO $$ BEGIN EXECUTE 'DROP TABLE ocr.' || (SELECT max(c.relname) FROM pg_inherits i"
               " JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'ocr.inbox'::regclass);"
               " END $$")
    with first.cursor() as one, second.cursor() as two:
        one.execute("SELECT inbox_maintain()")
        # a writer of the inbox is not held up by the new partition
        two.execute("SET lock_timeout = '1s'")
        two.execute("INSERT INTO inbox (grp, event_id, tenant_id)"
                    " VALUES ('t', gen_random_uuid(), gen_random_uuid())")
        first.commit()
        two.execute("SELECT inbox_maintain()")
        second.commit()
    first.close()
    second.close()
    assert stack.psql("SELECT count(*) FROM pg_inherits"
                      " WHERE inhparent = 'ocr.inbox'::regclass") == "3\n"
