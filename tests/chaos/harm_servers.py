"""Faults of the servers and of the network to them."""
import contextlib
import os
import shutil
import subprocess

import psycopg2

from table import FAULTS, LATER, fault
from world import GROUP, GROUPS_TOOL, MEMBERS, TOPIC, Broken


ROOM_MB = 40


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


def _delete_group(world):
    def delete():
        return "successful" in world.tool(GROUPS_TOOL, "--group", GROUP, "--delete").lower()
    world.note("kafka-consumer-groups --delete")
    world.wait("the group deleted", delete, 60, 1.0)


@fault("offsets-expired")
def offsets_expired(world, rng):
    """The group's commits are gone; the progress rows are not."""
    world.nap(rng.uniform(1, 3))
    world.stop()
    _delete_group(world)
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


@contextlib.contextmanager
def _small_disk(world, name, directory):
    """A server whose directory is on a disk with little room; -> filled(), which leaves none."""
    user, place = world.cluster.user, world.cluster.path("small")
    world.cluster.stop_one(name)
    size = int(subprocess.run(["du", "-sm", directory], check=True, capture_output=True)
               .stdout.split()[0])
    os.mkdir(place)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size + 2 * ROOM_MB}m,uid={user.pw_uid},"
                    f"gid={user.pw_gid},mode=700", "tmpfs", place], check=True)
    try:
        with open(f"{place}/filler", "wb") as f:  # what is there again in the end
            f.write(bytes(ROOM_MB << 20))
        subprocess.run(["cp", "-a", f"{directory}/.", place], check=True)
        os.rename(directory, f"{directory}.was")
        os.symlink(place, directory)
        world.cluster.start_one(name)
        yield lambda: _fill(world, name, place)
    finally:
        world.cluster.stop_one(name)
        if os.path.islink(directory):
            os.unlink(directory)
            shutil.rmtree(f"{directory}.was")
            _unlink(f"{place}/filler")
            subprocess.run(["cp", "-a", place, directory], check=True)
        subprocess.run(["umount", place], check=True)
        os.rmdir(place)
        world.cluster.start_one(name)


@contextlib.contextmanager
def _fill(world, name, place):
    """No room on the server's disk, as long as this lasts."""
    with contextlib.suppress(OSError), open(f"{place}/filler", "ab", buffering=0) as f:
        while True:
            f.write(bytes(1 << 16))
    world.note(f"the disk of {name} is full")
    yield
    _unlink(f"{place}/filler")
    world.note("there is room again")


def _unlink(path):
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


# mounting a disk is root's
_ROOTS = FAULTS if os.geteuid() == 0 else LATER


@fault("postgres-full", table=_ROOTS)
def postgres_full(world, rng):
    """The disk of its write-ahead log is full for a while."""
    def refuses():
        try:
            world.rows("SELECT pg_switch_wal() FROM pg_logical_emit_message(true, 'chaos', 'x')")
        except psycopg2.Error as wrong:
            world.note(f"it says: {str(wrong).splitlines()[0]}")
            return True
        return False
    name = world.cluster.primary
    with _small_disk(world, name, world.cluster.path(f"{name}/pg_wal")) as filled:
        with filled():
            world.wait("a server that cannot write", refuses, 60)
            world.nap(rng.uniform(2, 8))
        world.cluster.start_one(name)
        world.nap(2)


@fault("broker-full", table=_ROOTS)
def broker_full(world, rng):
    """The disk of a broker is full for a while: it gives up, and the other two go on."""
    name = rng.choice(world.all_brokers())
    with _small_disk(world, name, world.cluster.path(name)) as filled:
        with filled():
            world.wait(f"an end of {name}", lambda: world.cluster.pid(name) is None, 60)
            world.note(f"{name} has given up")
            world.nap(rng.uniform(2, 8))
        world.cluster.start_one(name)
        world.nap(2)


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
    world.lossy = True
    world.note(f"lost: {before - world.number('SELECT count(*) FROM inbox')} inbox rows or more")
    world.nap(3)
    cluster.rejoin()


@fault("restore")
def restore(world, rng):
    """Both servers and their disks are gone; the drill of docs/operate.md, from a backup made under load."""
    cluster = world.cluster
    world.nap(rng.uniform(0, 2))
    cluster.operate("backup.sh")
    world.note("migrations/backup.sh")
    world.nap(rng.uniform(4, 8))
    before = world.number("SELECT count(*) FROM inbox")
    world.note("every server of Postgres is killed, and its data deleted")
    cluster.lose_postgres()
    world.lossy = True
    world.stop()
    cluster.operate("restore.sh")
    world.note("migrations/restore.sh")
    lost = before - world.number("SELECT count(*) FROM inbox")
    world.note(f"lost: {lost} inbox rows or more")
    if lost <= 0:
        raise Broken("nothing was handled between the backup and the end: there was nothing to heal")
    _delete_group(world)
    cluster.rejoin()
    world.start(*range(1, MEMBERS + 1))
    world.nap(2)


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


# --- the log itself ---

@fault("topic-remade")
def topic_remade(world, rng):
    """Deleted and made again under the group's feet."""
    world.rest()
    world.log.begin_again()
    world.note(f"{TOPIC} deleted and made again")
    parts = len(world.partitions())
    world.admin.delete_topics([TOPIC])[TOPIC].result(30)
    world.nap(rng.uniform(2, 4))
    world.cluster.topics()
    world.wait("the topic", lambda: len(world.partitions()) == parts)
    # a log that has grown past our place cannot be told from the old one (docs/decisions/0017)
    world.wait("an end of the old places", lambda: not world.number(
        "SELECT count(*) FROM progress WHERE topic = %s AND next_offset > 0", TOPIC))
    world.load.model.new_log()
    world.load.flow()
    world.nap(3)
