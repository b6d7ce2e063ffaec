"""Faults of what is sent, of those who move and redrive it, and of the provider."""
import json
import threading

from model import ANY, DEAD
from table import fault
from world import MEMBERS, PATIENCE, SERVICE, Broken


# --- redrive ---

def redrive(world, letters, who="chaos"):
    """{letter: outcome} of one call."""
    with world.cursor("READ COMMITTED") as cursor:
        cursor.execute("SELECT letter::text, outcome FROM dead_letter_redrive(%s::uuid[], NULL, %s)",
                       (letters, who))
        return dict(cursor.fetchall())


def dead_of(world, made):
    """Id of the open dead letter of an input."""
    found = world.rows("SELECT id::text FROM dead_letter WHERE event_id = %s AND state = 'open'",
                       made.event_id)
    return found[0][0] if found else None


def mendable(world, rng):
    """Id of a dead letter that a redrive handles well: it is refused, and then its cause is gone."""
    made = world.load.entry(rng.choice(world.load.tenants), f"redrive-{rng.random()}", "reject")
    made.end = ANY
    letter = world.wait("a dead letter", lambda: dead_of(world, made))
    payload = json.dumps({"key": made.key, "n": made.n, "behave": "ok"}).encode()
    with world.cursor("READ COMMITTED") as cursor:
        cursor.execute("UPDATE dead_letter SET payload = %s WHERE id = %s", (payload, letter))
    return letter


def redriven(world, letters):
    """Wait for them to be handled."""
    world.wait("letters redriven", lambda: world.number(
        "SELECT count(*) FROM dead_letter WHERE id = ANY (%s::uuid[]) AND state = 'redriven'",
        letters) == len(letters))


# --- records ---

@fault("poison", smoke=True)
def poison(world, rng):
    """What is no event, and what kills who reads it."""
    load = world.load
    quiet = rng.choice(load.tenants[1:])
    other = load.tenants[1 + load.tenants.index(quiet) % (len(load.tenants) - 1)]
    head = {"ce_specversion": "1.0", "ce_type": "reference.entry.requested.v1",
            "ce_source": "/tests", "ce_time": "2026-01-01T00:00:00.000Z",
            "content-type": "application/json"}

    def of(tenant):
        return [*head.items(), ("ce_id", "00000000-0000-4000-8000-%012x" % rng.getrandbits(48)),
                ("ce_tenantid", tenant)]
    load.bad(quiet, bytes(rng.getrandbits(8) for _ in range(300)))
    load.bad(quiet, b'{"key":', of(quiet))
    load.bad(quiet, b'{"key":"k0","n":1}', of(other))
    load.bad(load.loud, b"x" * 990_000, of(load.loud))
    load.bad(quiet, b"{}", [(f"h{i}", b"\xff") for i in range(200)])
    world.note("bad bytes, a cut payload, a foreign tenant, 1 MB, 200 headers, a SIGSEGV")
    made = load.entry(quiet, f"poison-{rng.random()}", "crash")
    behind = load.entry(quiet, made.key)
    made.end = DEAD
    world.wait("a dead letter of class crash", lambda: dead_of(world, made), 120)
    world.wait("what is behind it", lambda: world.number(
        "SELECT count(*) FROM entry WHERE event_id = %s", behind.event_id))


@fault("loop")
def loop(world, rng):
    """A handler never ends: /livez says so, and whoever asks it restarts the process."""
    world.stop()
    world.start(1, **{name: "3000" for name in ("ESTEIRA_STEP_MAX_MS", "ESTEIRA_WORK_MAX_MS")})
    tenant, kind = rng.choice(world.load.tenants), rng.choice(("entry", "charge"))
    made = getattr(world.load, kind)(tenant, behave="loop")
    made.end = DEAD
    world.note(f"a {kind} that never ends")

    def dead():
        if world.pid(1) is not None and "stuck" in world.health(1, "/livez"):
            world.note("livez: stuck; kill -9 of member 1")
            world.kill(1)
        return dead_of(world, made)
    world.wait("a dead letter of class crash", dead, 180, 0.5)


@fault("duplicates")
def duplicates(world, rng):
    """A producer sends everything twice."""
    known = [m for m in world.load.model.inputs() if m.kind == "entry" and m.end == "done"]
    world.note("200 records once more")
    for made in rng.sample(known, min(200, len(known))):
        world.load.again(made)
    world.nap(1)


# --- operators ---

@fault("rewind", smoke=True)
def rewind(world, rng):
    """By the stock tool, in the middle of the load."""
    how = rng.choice([("--shift-by", str(-rng.randrange(1, 200))), ("--to-earliest",)])
    world.stop()
    before = len(world.replays())
    world.reset_offsets(*how)
    world.start(*range(1, MEMBERS + 1))
    world.wait("a replay", lambda: len(world.replays()) > before)


@fault("rewind-twice")
def rewind_twice(world, rng):
    """The second before the first is through, or right after."""
    last = max((number for number, _ in world.replays()), default=0)
    rewind(world, rng)
    # a group that has not moved since is where the second one would put it: there would be nothing to see
    world.wait("something handled again", lambda: world.number(
        "SELECT coalesce(sum(n_done + n_failed + n_held), 0) FROM replay WHERE id > %s", last))
    world.nap(rng.choice([0, 2]))
    rewind(world, rng)


@fault("rewind-unclean")
def rewind_unclean(world, rng):
    """Of a group that was killed."""
    world.kill(again=False)
    before = len(world.replays())
    world.reset_offsets("--shift-by", str(-rng.randrange(1, 100)))
    world.start(*range(1, MEMBERS + 1))
    world.wait("a replay", lambda: len(world.replays()) > before)


@fault("rewind-killed")
def rewind_killed(world, rng):
    """A process dies in the middle of the range."""
    rewind(world, rng)
    world.nap(rng.uniform(0, 1))
    world.kill(1, 2)
    world.nap(1)


def _decide(world, verb):
    """Every held move, once /readyz has named it."""
    held = world.wait("a held skip", lambda: [i for i, state in world.replays("skip")
                                              if state == "held"])
    world.wait("readyz to say so", lambda: any("held" in world.health(n) for n in world.wanted))
    world.nap(1)
    held = [i for i, state in world.replays("skip") if state == "held"]
    world.note(f"{verb} of {len(held)} held skips")
    for number in held:
        world.cluster.estctl("replay", verb, "--id", str(number), "--service", SERVICE)


def _skip(verb):
    def skip(world, rng):
        world.stop()
        world.nap(3 + rng.random())  # something to skip
        world.reset_offsets("--to-latest")
        world.start(*range(1, MEMBERS + 1))
        _decide(world, verb)
    return skip


fault("skip-refused")(_skip("refuse"))
fault("skip-confirmed")(_skip("confirm"))


@fault("redrive-twice")
def redrive_twice(world, rng):
    """Two clicks at once: one of them does it."""
    letters = [mendable(world, rng) for _ in range(3)]
    found, threads = [], []
    for _ in range(2):
        threads.append(threading.Thread(target=lambda: found.append(redrive(world, letters))))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30 * PATIENCE)
    world.note(f"two redrives of {len(letters)} letters at once")
    for letter in letters:
        outcomes = sorted(click.get(letter) for click in found)
        if outcomes != ["done", "not_open"]:
            raise Broken(f"letter {letter} redriven twice: {outcomes}")
    redriven(world, letters)


# --- the provider ---

@fault("provider")
def provider(world, rng):
    """Everything that a provider can do wrong, some calls of each."""
    for mode in rng.sample(["lost", "500", "500-after", "429", "slow", "drop", "late"], 4):
        world.note(f"provider: {mode}")
        world.provider.tell(mode, times=2, delay_ms=30000 if mode in ("lost", "slow") else 5000)
        world.nap(4)
    world.note("provider: down")
    world.provider.down()
    world.nap(4)
    world.provider.up()
