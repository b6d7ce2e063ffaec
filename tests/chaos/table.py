"""Where faults are entered: name -> function(world, rng), called while the load flows.

A fault does its harm and, as far as it is not healed by World.usual(), mends it. It raises Broken
where it sees itself that something is not as it must be. What it does by chance it takes from rng.
"""
FAULTS, LATER = {}, {}  # LATER: by name only
SMOKE = []  # what ./dev test runs


def fault(name, smoke=False, table=None):
    """Put the function into the table."""
    def enter(function):
        (FAULTS if table is None else table)[name] = function
        if smoke:
            SMOKE.append(name)
        return function
    return enter
