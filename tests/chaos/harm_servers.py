"""Faults of the servers and of the network to them."""
import contextlib
import os
import shutil
import subprocess

import psycopg2

from table import FAULTS, LATER, fault
from world import GROUP, GROUPS_TOOL, MEMBERS, TOPIC, Broken


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
        except psycopg2.Error as wrong:
            world.note(f"it says: {str(wrong).splitlines()[0]}")
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
