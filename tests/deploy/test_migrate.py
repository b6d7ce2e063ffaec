"""The migrations Job's script, as the chart renders it, against a real Postgres."""
import glob
import os
import pathlib
import subprocess
import sys

import psycopg2
import pytest

import chart
import judge

sys.path.insert(0, str(judge.ROOT / "docker/local"))
from stack import Stack  # noqa: E402  pylint: disable=wrong-import-position

PASSWORD = """it's "a" \\planted $(id) `id` :'x'"""
PATH = "/usr/local/bin:/usr/bin:/bin"


@pytest.fixture(name="stack")
def make_stack():
    """A Postgres with an empty database."""
    with Stack.only_postgres(deploy=False) as stack:
        yield stack


def test_the_jobs_script_migrates_and_gives_passwords(stack, tmp_path):
    job = chart.objects("values-dev.yaml", {"migrations.rolePasswordsSecret": "esteira-roles"})[("Job", "migrate")]
    (container,) = chart.pod(job)["containers"]
    known = {psql["name"]: psql["value"] for psql in container["env"]}
    files = chart.files(chart.pod(job))[1]
    for path in files:
        place = tmp_path / pathlib.PurePath(path).relative_to("/etc/esteira")
        place.parent.mkdir(exist_ok=True)
        place.write_text(stack.secrets["roles"]["postgres"] if place.name == "pg-password" else PASSWORD)
    env = {**known, "PATH": PATH, "HOME": str(tmp_path), "PGHOST": "127.0.0.1", "PGPORT": str(stack.postgres_port),
           "ESTEIRA_CONF": str(tmp_path)}
    stack.psql("ALTER SYSTEM SET log_statement = 'all'")
    stack.psql("SELECT pg_reload_conf()")
    for _ in ("install", "upgrade"):
        done = subprocess.run([*container["command"], *container["args"]], cwd=judge.ROOT / "migrations", env=env,
                              capture_output=True, text=True, check=False, timeout=300, stdin=subprocess.DEVNULL)
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.count("has its password") == sum("/roles/" in path for path in files) == 9
        assert "planted" not in done.stdout + done.stderr
    for role in ("esteira_ocr", "esteira_frame_intake"):
        with psycopg2.connect(host="127.0.0.1", port=stack.postgres_port, dbname=known["PGDATABASE"], user=role,
                              password=PASSWORD) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT role_is_safe()")
            assert cursor.fetchone() == (True,)
        connection.close()
    logs = "".join(pathlib.Path(log).read_text(errors="replace") for log in glob.glob(os.path.join(stack.path("log"), "*")))
    assert "CREATE SCHEMA" in logs and "planted" not in logs


def test_a_migration_that_fails_ends_the_job(stack, tmp_path):
    job = chart.objects("values-dev.yaml")[("Job", "migrate")]
    (container,) = chart.pod(job)["containers"]
    (tmp_path / "pg-password").write_text("wrong")
    env = {**{entry["name"]: entry["value"] for entry in container["env"]}, "PATH": PATH, "HOME": str(tmp_path),
           "PGHOST": "127.0.0.1", "PGPORT": str(stack.postgres_port), "ESTEIRA_CONF": str(tmp_path)}
    done = subprocess.run([*container["command"], *container["args"]], cwd=judge.ROOT / "migrations", env=env,
                          capture_output=True, text=True, check=False, timeout=300, stdin=subprocess.DEVNULL)
    assert done.returncode != 0 and "wrong" not in done.stdout + done.stderr
