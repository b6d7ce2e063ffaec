"""A role that could get around row level security is no role of a service: it refuses to start."""
import contextlib
import os
import subprocess

import psycopg2
import pytest
from stack import LOGIN_ROLES, SERVICES

# What makes a role unsafe, and how it is taken back.
UNSAFE = {
    "superuser": ("ALTER ROLE {role} SUPERUSER", "ALTER ROLE {role} NOSUPERUSER"),
    "bypass": ("ALTER ROLE {role} BYPASSRLS", "ALTER ROLE {role} NOBYPASSRLS"),
    "makes roles": ("ALTER ROLE {role} CREATEROLE", "ALTER ROLE {role} NOCREATEROLE"),
    "replication": ("ALTER ROLE {role} REPLICATION", "ALTER ROLE {role} NOREPLICATION"),
    "member of the owner": ("GRANT esteira_owner TO {role}", "REVOKE esteira_owner FROM {role}"),
    "member of the backup": ("GRANT esteira_backup TO {role}", "REVOKE esteira_backup FROM {role}"),
    "member of a stock role": ("GRANT pg_read_all_data TO {role}", "REVOKE pg_read_all_data FROM {role}"),
    "owner of a table": ("CREATE TABLE {schema}.mine (); ALTER TABLE {schema}.mine OWNER TO {role}",
                         "DROP TABLE {schema}.mine"),
}
NOBODY = "127.0.0.1:1"


def start(stack, service, **more):
    """Start a real service that finds Postgres and nothing else; (exit code, what it logged)."""
    env = {
        **stack.base_env(), "ESTEIRA_KAFKA_BROKERS": NOBODY, "ESTEIRA_REDIS_URL": f"redis://{NOBODY}/0",
        "ESTEIRA_PG_URL": stack.psql_url(f"esteira_{service}"),
        "ESTEIRA_PG_FRAME_URL": stack.psql_url(f"esteira_frame_{service}"),
        "ESTEIRA_S3_ENDPOINT": f"http://{NOBODY}", "ESTEIRA_S3_BUCKET": "none",
        "ESTEIRA_S3_ACCESS_KEY": "none", "ESTEIRA_S3_SECRET_KEY": "none",
        "ESTEIRA_SEAL_MASTER_FILE": stack.seal_master, "ESTEIRA_ADMIN_LISTEN": "127.0.0.1:0",
        "ESTEIRA_HTTP_LISTEN": "127.0.0.1:0", "ESTEIRA_OCR_JAIL": "require", **more}
    done = subprocess.run([os.path.join(stack.bin_dir, f"esteira-{service}")], env=env, timeout=60,
                          capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    return done.returncode, done.stdout + done.stderr


@contextlib.contextmanager
def unsafe(stack, role, what):
    """While that is so."""
    make, undo = (text.format(role=role, schema=role.rpartition("_")[2]) for text in UNSAFE[what])
    stack.psql(make)
    try:
        yield
    finally:
        stack.psql(undo)


@pytest.mark.parametrize("what", UNSAFE)
@pytest.mark.parametrize("role", ["esteira_intake", "esteira_frame_audit"])
def test_refuses_to_start(database, role, what):
    with unsafe(database, role, what):
        code, log = start(database, role.rpartition("_")[2])
    assert code == 1
    assert '"unsafe-role"' in log, log


@pytest.mark.parametrize("service", SERVICES)
def test_no_service_starts_as_superuser(database, service):
    """Not even as one whose names resolve as the service's do."""
    database.psql(f"ALTER ROLE postgres SET search_path = {service}")
    try:
        names = ["ESTEIRA_PG_URL", "ESTEIRA_PG_FRAME_URL"]
        for name in names + (["ESTEIRA_PG_REQUEST_URL"] if service == "intake" else []):
            code, log = start(database, service, **{name: database.psql_url()})
            assert code == 1
            assert '"unsafe-role"' in log, log
    finally:
        database.psql("ALTER ROLE postgres RESET search_path")


@pytest.mark.parametrize("role", [r for r in LOGIN_ROLES if r not in ("esteira_migrator", "esteira_backup")])
def test_becomes_nobody_else(database, role):
    """SET ROLE, session authorization, making roles, or switching row security off: refused."""
    others = database.psql("SELECT rolname FROM pg_roles WHERE rolname <> %s" % f"'{role}'").split()
    assert "postgres" in others and "esteira_owner" in others and "pg_read_all_data" in others
    with contextlib.closing(psycopg2.connect(database.psql_url(role))) as conn:
        conn.autocommit = True
        with conn.cursor() as cur:
            for statement in [*(f'SET ROLE "{other}"' for other in others),
                              *(f'SET SESSION AUTHORIZATION "{other}"' for other in others),
                              f"ALTER ROLE {role} BYPASSRLS", "CREATE ROLE another SUPERUSER",
                              "SET session_replication_role = replica", "CREATE SCHEMA mine",
                              "CREATE TABLE public.mine ()"]:
                with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                    cur.execute(statement)
            cur.execute("SELECT rolsuper OR rolbypassrls OR rolcreaterole, EXISTS (SELECT FROM pg_class"
                        " WHERE relowner = r.oid) FROM pg_roles r WHERE rolname = current_user")
            assert cur.fetchone() == (False, False)
