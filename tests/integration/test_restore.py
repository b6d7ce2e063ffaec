"""The drill of docs/operate.md: every server of Postgres gone, a backup restored, Kafka's records handled again."""
import os
import sys

import belt

# a machine with much else to do takes longer; what must hold is the same
os.environ.setdefault("ESTEIRA_CHAOS_PATIENCE", "3")
sys.path.insert(0, os.path.join(belt.ROOT, "tests/chaos"))
# pylint: disable=wrong-import-position
import chaos  # noqa: E402

SEED = int(os.environ.get("ESTEIRA_SEED", "20260101"))


def test_every_invariant_holds_after_a_restore():
    trace, broken = chaos.run(SEED, ["restore"])
    assert broken is None, "\n".join([*trace.lines, broken])
