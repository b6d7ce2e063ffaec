"""Faults of the members: they die at fail points and at any moment, stand still, come and go."""
import os
import signal
import subprocess

import paths
from harm_records import mendable, redrive, redriven
from table import fault
from world import MEMBERS, NEXT, Broken


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
            world.stop([1])
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
    world.stop([1])
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
        world.stop([n for n in world.wanted if n > wanted])
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
    world.stop([1])
    world.start(1, LD_PRELOAD=clock_library(world.cluster), ESTEIRA_CHAOS_CLOCK_S=str(shift))
    world.nap(12)


@fault("versions")
def versions(world, rng):
    """This release and the next one own the partitions by turns."""
    before = world.replays()
    for number in (1, 2, 1, 2):
        later = world.wanted[number].get("program") is None
        world.note(f"member {number} is of {'the next' if later else 'this'} version")
        world.stop([number])
        world.start(number, **({"program": NEXT} if later else {}))
        world.nap(rng.uniform(1, 4))
        if rng.random() < 0.5:
            world.kill(number)
    if world.replays() != before:
        raise Broken("a change of versions was taken for a rewind")
