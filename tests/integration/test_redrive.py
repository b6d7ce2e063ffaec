"""Redrives without a person, on a real Postgres: what goes back by itself and what waits."""
from native.harness import database, run  # pylint: disable=unused-import


def test_redrive(database):  # pylint: disable=redefined-outer-name
    run(database, "redrive")
