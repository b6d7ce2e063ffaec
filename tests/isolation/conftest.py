"""What the isolation tests stand on: a migrated Postgres alone, and a whole suite with two tenants.

Modules of tests/integration (rig, belt) and of docker/local (stack, servers) can be imported.
"""
import contextlib
import os
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
for _folder in ("docker/local", "tests/integration"):
    sys.path.insert(0, os.path.join(ROOT, _folder))
# pylint: disable=wrong-import-position
import psycopg2  # noqa: E402

import rig  # noqa: E402
import rows  # noqa: E402
from stack import Stack  # noqa: E402


@pytest.fixture(scope="session", name="database")
def make_database():
    """A stack of which only Postgres runs, migrated; no tenant in it but those a test makes."""
    with Stack.only_postgres() as stack:
        yield stack


@pytest.fixture(scope="session", name="planted")
def make_planted(database):
    """The same with tenants rows.A and rows.B, and a row of each in every table."""
    with contextlib.closing(psycopg2.connect(database.psql_url())) as conn, conn.cursor() as cur:
        rows.plant(cur)
        conn.commit()
    return database


@pytest.fixture(scope="session", name="suite")
def make_suite():
    """All servers and services, tenants "alfa" and "beta" with a key each: a rig.Rig."""
    rig.make_samples()
    with rig.temporary(("alfa", "beta"), services=("audit", "ocr", "outreach", "intake")) as plant:
        yield plant
