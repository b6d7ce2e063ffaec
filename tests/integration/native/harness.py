"""Check programs of the frame against a real, migrated Postgres: tests/integration/native/X_test.c is
built as native-X and run here with ESTEIRA_TEST_PG_URL (the login of service ocr),
ESTEIRA_TEST_PG_FRAME_URL (its frame role's) and ESTEIRA_TEST_PG_SUPER_URL (who sees and may all).

    from native.harness import run, database    # database: a fixture, pytest finds it by its name

    def test_park(database):
        run(database, "park")
"""
import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[3]
BIN_DIR = os.environ.get("ESTEIRA_BIN_DIR") or ROOT / "build/dev/bin"
TESTS_DIR = pathlib.Path(os.environ.get("ESTEIRA_TESTS_DIR") or pathlib.Path(BIN_DIR).parent / "tests")
sys.path.insert(0, str(ROOT / "docker/local"))
# pylint: disable=wrong-import-position
from stack import Stack  # noqa: E402


@pytest.fixture(scope="module", name="database")
def make_database():
    """A stack with nothing but a migrated Postgres."""
    with Stack.only_postgres() as stack:
        yield stack


database = make_database  # for who imports it


def run(stack, name, timeout_s=300, **env):
    """Run native-NAME, all cases or those of CK_RUN_CASE; its output is the failure's."""
    full = {**stack.base_env(), "CK_DEFAULT_TIMEOUT": "120",
            "ESTEIRA_TEST_PG_URL": stack.psql_url("esteira_ocr"),
            "ESTEIRA_TEST_PG_FRAME_URL": stack.psql_url("esteira_frame_ocr"),
            "ESTEIRA_TEST_PG_SUPER_URL": stack.psql_url(), "PGOPTIONS": "-c search_path=ocr", **env}
    done = subprocess.run([TESTS_DIR / f"native-{name}"], env=full, capture_output=True, text=True,
                          check=False, timeout=timeout_s, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
