"""Parking on a real Postgres: order per key, what runs and what waits, and that the statements stay
index scans without statistics and with them."""
import pytest

from native.harness import database, run  # pylint: disable=unused-import


@pytest.mark.parametrize("name", ["park", "park_load"])
def test_park(database, name):  # pylint: disable=redefined-outer-name
    run(database, name)
