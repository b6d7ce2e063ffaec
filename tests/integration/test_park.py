"""Parking on a real Postgres: order per key, what runs and what waits, and that the statements stay
index scans with and without statistics."""
from native.harness import database, run  # pylint: disable=unused-import


def test_park(database):  # pylint: disable=redefined-outer-name
    run(database, "park")
