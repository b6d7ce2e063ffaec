"""Backfill, backup and restore with the roles that are for it, by the very lines of docs/database.md."""
import os
import re
import subprocess

import belt
import catalogue
import pytest
import rig
import rows
from servers import DATABASE

SERVICES = ("audit", "ocr", "outreach", "intake")


def drill(title):
    """The shell lines under that heading."""
    with open(os.path.join(belt.ROOT, "docs/database.md"), encoding="utf-8") as f:
        found = re.findall(rf"^### {title}$.*?^```sh\n(.*?)^```$", f.read(), re.DOTALL | re.MULTILINE)
    assert len(found) == 1, title
    return found[0]


def shell(stack, lines, **more):
    """Run them as an operator would, in a directory of the stack's; (exit code, output)."""
    folder = stack.path("drill")
    os.makedirs(folder, exist_ok=True)
    done = subprocess.run(["bash", "-e", "-u", "-o", "pipefail", "-c", lines], cwd=folder, check=False,
                          env={**stack.operator_env(), "PGDATABASE": DATABASE, "ESTEIRA": belt.ROOT, **more},
                          capture_output=True, text=True, stdin=subprocess.DEVNULL)
    return done.returncode, done.stdout + done.stderr


def counts(stack):
    """Rows of every table of the suite and of sqitch."""
    with rows.superuser(stack) as cur:
        cur.execute("SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
                    " WHERE c.relkind = 'r' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'")
        found = {}
        for name in [row[0] for row in cur.fetchall()]:
            cur.execute(f"SELECT count(*) FROM {name}")
            found[name] = cur.fetchone()[0]
        return found


# --- backfill ---

@pytest.fixture(name="some_jobs")
def make_some_jobs(planted):
    """A job of each of three tenants that wants the backfill."""
    planted.psql("UPDATE intake.jobs SET partner = 'own'")
    yield planted
    planted.psql("UPDATE intake.jobs SET partner = 'self'")


def to_do(stack):
    return int(stack.psql("SELECT count(*) FROM intake.jobs WHERE partner = 'own'"))


def test_backfill_changes_every_row(some_jobs):
    assert to_do(some_jobs) == 3
    code, said = shell(some_jobs, drill("Backfill"))
    assert code == 0, said
    assert to_do(some_jobs) == 0


def test_backfill_of_nothing_is_an_error(planted):
    assert to_do(planted) == 0
    code, said = shell(planted, drill("Backfill"))
    assert code != 0 and "division by zero" in said


@pytest.mark.parametrize("role", ["esteira_intake", "esteira_operator", "esteira_backup"])
def test_backfill_by_another_role_changes_nothing(some_jobs, role):
    code, said = shell(some_jobs, drill("Backfill"), BACKFILL_ROLE=role)
    assert code != 0 and re.search("permission denied|division by zero", said), said
    assert to_do(some_jobs) == 3


def test_backfill_by_the_owner_says_nothing_and_changes_nothing(some_jobs):
    """Why the number of rows is asserted: no error tells it."""
    with rows.superuser(some_jobs) as cur:
        cur.execute("SET LOCAL ROLE esteira_owner")
        cur.execute("UPDATE intake.jobs SET partner = 'self' WHERE partner = 'own'")
        assert cur.rowcount == 0
        cur.execute("SELECT count(*) FROM intake.jobs")
        assert cur.fetchone() == (0,)
    assert to_do(some_jobs) == 3


# --- backup and restore ---

@pytest.fixture(scope="module", name="plant")
def make_plant():
    """A suite of its own that has worked for two tenants and is idle."""
    with rig.temporary(("alfa", "beta"), services=SERVICES) as plant:
        plant.done = {slug: plant.client(slug).send(belt.tiny_pdf(f"before the drill, {slug}"))
                      for slug in ("alfa", "beta")}
        for slug, job_id in plant.done.items():
            belt.finish(plant.client(slug), job_id)
            plant.client(slug).trail(job_id, "DELIVERED")
        for name in SERVICES:
            plant.stack.stop_one(f"{name}-1")
        yield plant


@pytest.fixture(scope="module", name="backup")
def make_backup(plant):
    """Rows that there were; the backup is in the drill's directory."""
    before = counts(plant.stack)
    assert before["intake.jobs"] == 2 and before["audit.audit_logs"] >= 10
    code, said = shell(plant.stack, drill("Backup"))
    assert code == 0, said
    for name in ("roles.sql", "esteira.dump"):
        assert os.stat(plant.stack.path(f"drill/{name}")).st_mode & 0o077 == 0
    return before


def test_backup_holds_every_row(plant, backup):
    """Counted in the dump itself, table by table."""
    code, text = shell(plant.stack, "pg_restore -f - --data-only esteira.dump")
    assert code == 0
    found = {name: rows_text.count("\n") for name, rows_text in
             re.findall(r"^COPY ([^ ]+) \(.*?\) FROM stdin;\n(.*?)^\\\.$", text, re.DOTALL | re.MULTILINE)}
    assert found == backup


@pytest.mark.parametrize("role", ["esteira_intake", "esteira_frame_intake", "esteira_operator"])
def test_backup_by_a_service_fails_or_is_incomplete(plant, backup, role):
    code, said = shell(plant.stack, f"pg_dump -U {role} -f none.sql esteira")
    assert code != 0 and "permission denied" in said
    code, said = shell(plant.stack, f"pg_dump -U {role} --data-only -t intake.idempotency -t intake.jobs -f none.sql esteira")
    assert code != 0 and re.search("permission denied|would be affected by row-level security", said)
    assert backup["intake.jobs"] == 2


def test_backup_with_row_security_says_nothing_and_is_empty(plant, backup):
    """Why --enable-row-security is no way out."""
    code, said = shell(plant.stack, "pg_dump -U esteira_intake --enable-row-security --data-only -t intake.jobs esteira")
    assert code == 0 and "COPY intake.jobs" in said
    assert not any(job_id in said for job_id in plant.done.values())
    code, said = shell(plant.stack, "pg_dump -U esteira_backup --data-only -t intake.jobs esteira")
    assert all(job_id in said for job_id in plant.done.values())
    assert backup["intake.jobs"] == 2


@pytest.fixture(scope="module", name="restored")
def make_restored(plant, backup):
    """The stack on another cluster at the same address, restored; what there was before."""
    stack = plant.stack
    stack.stop_one("postgres")
    os.rename(stack.path("postgres"), stack.path("postgres.lost"))
    stack.start_one("postgres")  # initdb: the old one's directory is gone
    stack.psql(f"DROP DATABASE {DATABASE}", database="postgres")
    assert stack.psql("SELECT rolname FROM pg_roles WHERE rolname LIKE 'esteira%'", database="postgres") == ""
    code, said = shell(stack, drill("Restore"))
    assert code == 0, said
    return backup


def test_restored_has_every_row_and_every_policy(plant, restored):
    assert counts(plant.stack) == restored
    with rows.superuser(plant.stack) as cur:
        assert catalogue.violations(cur) == []
        rows.plant(cur)
        assert rows.violations(cur, rows.Pretender(cur)) == []


def test_restored_it_works(plant, restored):
    """What was done is known, a new job runs, nothing is done twice."""
    for name in SERVICES:
        plant.stack.start_one(f"{name}-1")
    for slug, job_id in plant.done.items():
        client = plant.client(slug)
        assert client.job(job_id)["status"] == "completed"
        assert sorted(client.trail(job_id)) == sorted(belt.TRAIL)
        belt.finish(client, client.send(belt.tiny_pdf(f"after the drill, {slug}")))
    assert plant.count("SELECT count(*) FROM intake.jobs WHERE status = 'completed'") == restored["intake.jobs"] + 2
