"""Two tenants in every table: what each login may see and do is exactly what rights.py declares, and
a tenant that a transaction named is forgotten with it."""
import contextlib
import os
import re

import catalogue
import psycopg2
import pytest
import rows
from belt import ROOT
from rows import A, B


@pytest.fixture(name="cur")
def make_cur(planted):
    """A superuser's cursor in a transaction that changes nothing."""
    with contextlib.closing(psycopg2.connect(planted.psql_url())) as conn, conn.cursor() as cur:
        yield cur
        conn.rollback()


@pytest.fixture(name="intake")
def make_intake(planted):
    """A connection of intake's login that has begun nothing."""
    with contextlib.closing(psycopg2.connect(planted.psql_url("esteira_intake"))) as conn:
        conn.autocommit = True
        yield conn


def test_every_login_on_every_relation(planted, cur):
    with contextlib.closing(rows.Logins(planted)) as logins:
        assert rows.violations(cur, logins) == []
        tried = logins.statements
    print(f"{tried} statements of {len(rows.login_roles(cur))} logins")
    assert tried > 3000


def test_the_catalogue_is_as_declared(cur):
    assert catalogue.violations(cur) == []


def seen(cur):
    """Whose jobs are there?"""
    cur.execute("SELECT tenant_id FROM jobs ORDER BY 1")
    return [row[0] for row in cur.fetchall()]


def name(cur, tenant):
    """As port/pg names the tenant of a transaction."""
    cur.execute("SELECT set_config('app.current_tenant', %s::uuid::text, true)", (tenant,))


def test_next_transaction_of_the_connection_has_no_tenant(intake):
    with intake.cursor() as cur:
        assert seen(cur) == []
        for tenant in (A, B, A):
            cur.execute("BEGIN")
            name(cur, tenant)
            assert seen(cur) == [tenant]
            cur.execute("COMMIT")
            assert seen(cur) == []
            cur.execute("BEGIN")
            assert seen(cur) == []
            cur.execute("ROLLBACK")


@pytest.mark.parametrize("end", ["ROLLBACK", "COMMIT"])
def test_a_failed_transaction_leaves_no_tenant(intake, end):
    with intake.cursor() as cur:
        cur.execute("BEGIN")
        name(cur, A)
        with pytest.raises(psycopg2.errors.DivisionByZero):
            cur.execute("SELECT 1 / 0")
        cur.execute(end)
        assert seen(cur) == []
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            cur.execute("INSERT INTO idempotency (tenant_id, route, key, document_hash, job_id)"
                        " VALUES (%s, 'extract', 'left', '', gen_random_uuid())", (A,))


def test_a_savepoint_takes_its_tenant_along(intake):
    with intake.cursor() as cur:
        cur.execute("BEGIN")
        name(cur, A)
        cur.execute("SAVEPOINT here")
        name(cur, B)
        assert seen(cur) == [B]
        cur.execute("ROLLBACK TO here")
        assert seen(cur) == [A]
        cur.execute("SAVEPOINT there")
        name(cur, B)
        cur.execute("RELEASE there")
        assert seen(cur) == [B]
        cur.execute("ROLLBACK")
        assert seen(cur) == []


@pytest.mark.parametrize("tenant", ["", "no-uuid", A[:-1], f"{A}' OR '1", "' OR true --"])
def test_a_tenant_that_is_none_sees_nothing(intake, tenant):
    with intake.cursor() as cur:
        cur.execute("BEGIN")
        cur.execute("SELECT set_config('app.current_tenant', %s, true)", (tenant,))
        if tenant:
            with pytest.raises(psycopg2.errors.InvalidTextRepresentation):
                seen(cur)
        else:
            assert seen(cur) == []
        cur.execute("ROLLBACK")


def test_programs_name_a_tenant_for_one_transaction_only():
    """set_config(..., true), in port/pg alone: nothing that stays with a session."""
    found = []
    for folder, _, files in [*os.walk(os.path.join(ROOT, "libshared")), *os.walk(os.path.join(ROOT, "services"))]:
        for file in files:
            with open(os.path.join(folder, file), encoding="utf-8") as f:
                text = f.read()
            found += [(file, call) for call in re.findall(r"set_config\([^;]*?(?:true|false)\)", text)]
            assert not re.search(r'"SET (?!LOCAL)', text), file
    assert all(call.endswith("true)") for _, call in found)
    assert [(file, call) for file, call in found if "app." in call] == [
        ("pg.c", "set_config('app.current_tenant', $1::uuid::text, true)")]
