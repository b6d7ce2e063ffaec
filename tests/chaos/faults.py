"""The faults: name -> function(world, rng), called while the load flows.

A fault does its harm and, as far as it is not healed by World.usual(), mends it. It raises Broken
where it sees itself that something is not as it must be. What it does by chance it takes from rng.
"""
import contextlib
import json
import os
import shutil
import signal
import subprocess
import threading

import psycopg2

import paths
from model import ANY, DEAD
from world import GROUP, GROUPS_TOOL, MEMBERS, PATIENCE, SERVICE, TOPIC, Broken

FAULTS, LATER = {}, {}
SMOKE = []  # what ./dev test runs


def fault(name, smoke=False, table=None):
    """Put the function into the table."""
    def enter(function):
        (FAULTS if table is None else table)[name] = function
        if smoke:
            SMOKE.append(name)
        return function
    return enter


# --- kill -9 at fail points ---

def alone(world, **env):
    """Member 1 has everything, and this environment."""
    world.stop()
    world.start(1, **env)


def killed_at(world, point, trigger=lambda: None, timeout_s=40):
    """Insist that the armed member dies there; it is started again unarmed."""
    deaths = world.deaths
    trigger()
    world.wait(f"a death at {point}", lambda: world.deaths > deaths, timeout_s)


def _simple_point(point, most, by_itself):
    def kill(world, rng):
        number = rng.randrange(1, most)
        world.note(f"member 1 dies at reach {number} of {point}")
        if by_itself:
            alone(world, ESTEIRA_FAILPOINT=f"{point}:{number}")
        else:
            world.stop(1)
            world.start(1, ESTEIRA_FAILPOINT=f"{point}:{number}", wait=False)
        killed_at(world, point)
        world.nap(1)
    return kill


for _point, _most, _by_itself in (("before_pg_commit", 40, False), ("after_pg_commit", 40, False),
                                  ("before_kafka_commit", 12, False), ("effect_sending", 4, False),
                                  ("relay_sent", 6, True)):
    fault(f"kill-{_point}", smoke=True)(_simple_point(_point, _most, _by_itself))


@fault("kill-in_revoke", smoke=True)
def kill_in_revoke(world, rng):
    """While partitions are given back."""
    world.stop(1)
    world.start(1, ESTEIRA_FAILPOINT="in_revoke:1")
    world.wait("partitions of member 1", lambda: world.owns(1))
    world.note("member 1 dies at reach 1 of in_revoke")
    killed_at(world, "in_revoke", lambda: world.start(3, wait=False))
    world.nap(rng.uniform(0, 2))


def _rewind_point(point):
    def kill(world, rng):
        world.stop()
        world.reset_offsets("--shift-by", str(-rng.randrange(20, 80)))
        before = len(world.replays())
        world.note(f"member 1 dies at reach 1 of {point}")
        world.start(1, ESTEIRA_FAILPOINT=f"{point}:1", wait=False)
        killed_at(world, point)
        world.wait("a replay", lambda: len(world.replays()) > before)
    return kill


for _point in ("in_replay_open", "after_replay_open"):
    fault(f"kill-{_point}", smoke=True)(_rewind_point(_point))


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


@fault("kill-in_redrive", smoke=True)
def kill_in_redrive(world, rng):
    """While a dead letter is handled again."""
    letter = mendable(world, rng)
    world.note("member 1 dies at reach 1 of in_redrive")
    alone(world, ESTEIRA_FAILPOINT="in_redrive:1")
    killed_at(world, "in_redrive", lambda: redrive(world, [letter]))
    redriven(world, [letter])


# --- members ---

@fault("kill", smoke=True)
def kill_members(world, rng):
    """One or all, at any moment."""
    world.nap(rng.uniform(0.5, 2))
    victims = rng.choice([[1], [2], [1, 2]])
    world.note(f"kill -9 of members {victims}")
    world.kill(*victims)
    world.nap(2)


def _zombie(seconds):
    def stop(world, rng):
        number = rng.randrange(1, MEMBERS + 1)
        world.note(f"SIGSTOP of member {number} for {seconds} s")
        world.signal(number, signal.SIGSTOP)
        world.nap(seconds)
        if world.pid(number) is None:
            raise Broken(f"member {number} ended while it was stopped")
        world.signal(number, signal.SIGCONT)
        world.nap(3)
    return stop


fault("zombie", smoke=True)(_zombie(22))  # longer than a session and a claim's lease
fault("zombie-60")(_zombie(60))


@fault("churn")
def churn(world, rng):
    """1 to 6 members, another number every 3 s."""
    for _ in range(10):
        wanted = rng.randrange(1, 7)
        world.note(f"{wanted} members")
        world.stop(*[n for n in list(world.wanted) if n > wanted])
        missing = [n for n in range(1, wanted + 1) if n not in world.wanted]
        if missing:
            world.start(*missing, wait=False)
        world.nap(3)


def clock_library(stack):
    """Built where the services can read it."""
    made = stack.path("clock.so")
    if not os.path.exists(made):
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", made,
                        os.path.join(paths.HERE, "clock.c"), "-ldl"], check=True)
        os.chmod(made, 0o755)
    return made


@fault("clock")
def clock(world, rng):
    """Member 1 lives an hour before or after everybody else."""
    shift = rng.choice([-3600, 3600])
    world.note(f"member 1's clock is {shift} s off")
    world.stop(1)
    world.start(1, LD_PRELOAD=clock_library(world.cluster), ESTEIRA_CHAOS_CLOCK_S=str(shift))
    world.nap(12)


# --- Kafka ---

@fault("leader", smoke=True)
def leader(world, rng):
    """Of the loud tenant's partition, or another."""
    parts = list(world.partitions())
    places = [made.part for made in world.load.model.inputs() if made.tenant == world.load.loud]
    world.bounce(world.leader(TOPIC, rng.choice([places[0], rng.choice(parts)])),
                 away_s=rng.uniform(1, 6))


@fault("coordinator")
def coordinator(world, rng):
    """Of the group."""
    world.bounce(world.coordinator(), away_s=rng.uniform(1, 6))


@fault("controller")
def controller(world, rng):
    """The active one."""
    world.bounce(world.controller(), away_s=rng.uniform(1, 6))


@fault("brokers")
def brokers(world, rng):
    """All at once."""
    world.bounce(*world.all_brokers(), away_s=rng.uniform(0, 4))


@fault("offsets-expired")
def offsets_expired(world, rng):
    """The group's commits are gone; the progress rows are not."""
    world.nap(rng.uniform(1, 3))
    world.stop()
    world.note("kafka-consumer-groups --delete")

    def delete():
        return "successful" in world.tool(GROUPS_TOOL, "--group", GROUP, "--delete").lower()
    world.wait("the group deleted", delete, 60, 1.0)
    before = world.replays()
    world.start(*range(1, MEMBERS + 1))
    world.nap(3)
    if world.replays() != before:
        raise Broken("expired offsets were taken for a rewind")


# --- Postgres ---

@fault("postgres-restart", smoke=True)
def postgres_restart(world, rng):
    """In order, and away for a while."""
    world.note(f"{world.cluster.primary} is stopped")
    world.cluster.stop_one(world.cluster.primary)
    world.nap(rng.uniform(0, 5))
    world.cluster.start_one(world.cluster.primary)


@fault("postgres-kill", smoke=True)
def postgres_kill(world, rng):
    """kill -9 of all its processes."""
    world.bounce(world.cluster.primary, away_s=rng.uniform(0, 3))


def _on_small_disk(world, name, place):
    """The server's log of changes moves to a disk with room for a few files more."""
    wal, user = world.cluster.path(f"{name}/pg_wal"), world.cluster.user
    size = int(subprocess.run(["du", "-sm", wal], check=True, capture_output=True).stdout.split()[0])
    os.mkdir(place)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size + 40}m,uid={user.pw_uid},"
                    f"gid={user.pw_gid},mode=700", "tmpfs", place], check=True)
    subprocess.run(["cp", "-a", f"{wal}/.", place], check=True)
    os.rename(wal, f"{wal}.was")
    os.symlink(place, wal)


def _on_large_disk(world, name, place):
    """And back."""
    wal = world.cluster.path(f"{name}/pg_wal")
    if os.path.islink(wal):
        os.unlink(wal)
        shutil.rmtree(f"{wal}.was")
        subprocess.run(["cp", "-a", place, wal], check=True)
    subprocess.run(["umount", place], check=True)
    os.rmdir(place)


def _fill(world, name, place):
    """Until the server cannot write any more."""
    with open(f"{place}/filler", "wb") as f, contextlib.suppress(OSError):
        while True:
            f.write(b"\0" * (1 << 20))
            f.flush()
    world.note(f"the disk of {name} is full")

    def refuses():
        try:
            world.rows("SELECT pg_switch_wal() FROM pg_logical_emit_message(true, 'chaos', 'x')")
        except psycopg2.Error:
            return True
        return False
    world.wait("a server that cannot write", refuses, 60)


# mounting a disk is root's
@fault("postgres-full", table=FAULTS if os.geteuid() == 0 else LATER)
def postgres_full(world, rng):
    """The disk of its write-ahead log is full for a while."""
    name, place = world.cluster.primary, world.cluster.path("small")
    world.cluster.stop_one(name)
    try:
        _on_small_disk(world, name, place)
        world.cluster.start_one(name)
        _fill(world, name, place)
        world.nap(rng.uniform(2, 8))
        os.unlink(f"{place}/filler")
        world.note("there is room again")
        world.cluster.start_one(name)
        world.nap(2)
    finally:
        world.cluster.stop_one(name)
        _on_large_disk(world, name, place)
        world.cluster.start_one(name)


@fault("failover")
def failover(world, rng):
    """To the synchronous standby: nothing that was committed is gone."""
    world.nap(rng.uniform(0, 2))
    world.note(f"{world.cluster.primary} is killed, {world.cluster.standby} promoted")
    world.cluster.fail_over()
    world.nap(3)
    world.cluster.rejoin()
    world.note(f"{world.cluster.standby} follows")


@fault("failover-async")
def failover_async(world, rng):
    """To a standby that never got the last seconds: inputs still in Kafka heal it."""
    cluster = world.cluster
    cluster.synchronous(False)
    world.nap(1)
    world.proxy.fault("replica", "blackhole")
    tail_s = rng.uniform(1, 4)
    world.note(f"{cluster.standby} hears nothing for {tail_s:.1f} s, then is promoted")
    world.nap(tail_s)
    before = world.number("SELECT count(*) FROM inbox")
    cluster.fail_over()
    world.proxy.heal("replica")
    world.note(f"lost: {before - world.number('SELECT count(*) FROM inbox')} inbox rows or more")
    world.nap(3)
    cluster.rejoin()


# --- the network ---

def _partition(links, kinds):
    def cut(world, rng):
        kind, seconds = rng.choice(kinds), rng.uniform(4, 14)
        value = {"latency": rng.randrange(50, 400), "cut": rng.randrange(0, 20000)}.get(kind, 0)
        names = world.all_brokers() if links == "kafka" else ["postgres"]
        world.note(f"{kind} {value or ''} of {', '.join(names)} for {seconds:.0f} s")
        for name in names:
            world.proxy.fault(name, kind, value)
        world.nap(seconds)
        world.proxy.heal()
        world.nap(1)
    return cut


_KINDS = ("blackhole", "reset", "half-open", "refuse", "cut", "latency")
fault("net-kafka")(_partition("kafka", _KINDS))
fault("net-postgres")(_partition("postgres", _KINDS))
for _link in ("kafka", "postgres"):
    for _kind in _KINDS:
        fault(f"net-{_link}-{_kind}", table=LATER)(_partition(_link, (_kind,)))


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
    good = [*head.items(), ("ce_id", "00000000-0000-4000-8000-%012x" % rng.getrandbits(48))]
    load.bad(quiet, bytes(rng.getrandbits(8) for _ in range(300)))
    load.bad(quiet, b'{"key":', [*good, ("ce_tenantid", quiet)])
    load.bad(quiet, b'{"key":"k0","n":1}', [*good, ("ce_tenantid", other)])
    load.bad(load.loud, b"x" * 990_000, [*good, ("ce_tenantid", load.loud)])
    load.bad(quiet, b"{}", [(f"h{i}", b"\xff") for i in range(200)])
    world.note("bad bytes, a cut payload, a foreign tenant, 1 MB, 200 headers, a SIGSEGV")
    made = load.entry(quiet, f"poison-{rng.random()}", "crash")
    behind = load.entry(quiet, made.key)
    made.end = DEAD
    world.wait("a dead letter of class crash", lambda: dead_of(world, made), 120)
    world.wait("what is behind it", lambda: world.number(
        "SELECT count(*) FROM entry WHERE event_id = %s", behind.event_id))


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
    rewind(world, rng)
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


# --- last, because they leave nothing as it was ---

@fault("topic-remade", table=LATER)
def topic_remade(world, rng):
    """Deleted and made again under the group's feet."""
    world.rest()
    world.note(f"{TOPIC} deleted and made again")
    parts = len(world.partitions())
    world.admin.delete_topics([TOPIC])[TOPIC].result(30)
    world.nap(rng.uniform(2, 4))
    world.cluster.topics()
    world.wait("the topic", lambda: len(world.partitions()) == parts)
    world.load.model.new_log()
    world.load.flow()
    world.nap(3)
