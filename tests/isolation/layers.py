"""Switching layers off: in the programs by their switches (libshared/base/sabotage.h), in Postgres by opening its
tenant policies."""
import contextlib
import uuid

import belt
import psycopg2

RESTRICTIVE = """SELECT schemaname, tablename, policyname, qual, with_check FROM pg_policies
WHERE permissive = 'RESTRICTIVE' AND policyname LIKE '%\\_tenant'"""


@contextlib.contextmanager
def no_rows_security(plant):
    """Every tenant policy lets every row through."""
    with psycopg2.connect(plant.stack.psql_url()) as conn, conn.cursor() as cur:
        cur.execute(RESTRICTIVE)
        policies = cur.fetchall()
    assert len(policies) > 10
    _alter(plant, [(*policy[:3], "true", "true" if policy[4] else None) for policy in policies])
    try:
        yield
    finally:
        _alter(plant, policies)


def _alter(plant, policies):
    with contextlib.closing(psycopg2.connect(plant.stack.psql_url())) as conn, conn.cursor() as cur:
        conn.autocommit = True  # one lock at a time: the programs are at work on the same tables, in their own order
        for schema, table, name, using, check in policies:
            cur.execute(f'ALTER POLICY "{name}" ON "{schema}"."{table}"' + (f" USING ({using})" if using else "")
                        + (f" WITH CHECK ({check})" if check else ""))


def env(off, ids=None, text=None):
    """The environment of a service with these switches off."""
    pairs = ",".join(f"{source}={target}" for source, target in (ids or {}).items())
    return {"ESTEIRA_SABOTAGE": ",".join(off), "ESTEIRA_SABOTAGE_IDS": pairs, "ESTEIRA_SABOTAGE_TEXT": text}


@contextlib.contextmanager
def sabotaged(plant, service, off, ids=None, text=None):
    """This service runs with these switches off, and as it should afterwards."""
    if off:
        plant.start(service, **env(off, ids, text))
    try:
        yield
    finally:
        plant.start(service)


def letter(plant, schema, since):
    """The error codes of the dead letters that a service has written since; waits for one."""
    def look():
        return plant.stack.psql(f"SELECT error_code FROM {schema}.dead_letter WHERE created_at > '{since}'").split()
    return sorted(set(belt.wait_for(f"a dead letter of {schema}", look, 30)))


def now(plant):
    """Postgres's clock."""
    return plant.stack.psql("SELECT clock_timestamp()").strip()


def stranger():
    """An id of nobody."""
    return str(uuid.uuid4())
