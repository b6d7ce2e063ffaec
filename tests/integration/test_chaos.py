"""The short half of ./dev chaos, with a fixed seed: a kill at each fail point, a zombie, a leader and a
Postgres that go away, poison, a rewind; after each every invariant is checked."""
import os
import sys

import belt

# a machine with much else to do takes longer; what must hold is the same
os.environ.setdefault("ESTEIRA_CHAOS_PATIENCE", "3")
sys.path.insert(0, os.path.join(belt.ROOT, "tests/chaos"))
# pylint: disable=wrong-import-position
import chaos  # noqa: E402
from table import SMOKE  # noqa: E402

SEED = int(os.environ.get("ESTEIRA_SEED", "20260101"))


def test_every_invariant_holds():
    trace, broken = chaos.run(SEED, SMOKE)
    assert broken is None, "\n".join([*trace.lines, broken])
    assert [name for name, *_ in trace.results] == SMOKE
