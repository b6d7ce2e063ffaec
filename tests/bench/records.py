"""Records for the reference service, and how fast it gets through them: what benches share.

Not a bench itself.
"""
import os
import sys
import time
import uuid

import machine
import belt

sys.path.insert(0, os.path.join(machine.ROOT, "tests/reference"))
# pylint: disable=wrong-import-position
import reference  # noqa: E402

TENANTS, KEYS = 20, 50


def fill(stack, records):
    """Put the records of a round into the log."""
    tenants = [str(uuid.uuid4()) for _ in range(TENANTS)]
    with reference.Sender(stack, **{"linger.ms": 50, "batch.size": 500000}) as sender:
        for n in range(records):
            sender.note(tenants[n % TENANTS], f"k{n // TENANTS % KEYS}", n // TENANTS // KEYS)


def drain(plant, records):
    """Records a second from a tenth of them on to the last one published."""
    handled = "SELECT count(*) FROM reference.inbox"
    rest = "SELECT count(*) FROM reference.outbox"
    belt.wait_for("a tenth", lambda: plant.count(handled) >= records / 10, 120, 0.01)
    began, before = time.monotonic(), plant.count(handled)
    belt.wait_for(lambda: f"all: {plant.count(handled)} handled, {plant.count(rest)} unpublished",
                  lambda: plant.count(handled) == records and plant.count(rest) == 0, 300, 0.1)
    return (records - before) / (time.monotonic() - began)
