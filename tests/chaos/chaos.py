#!/usr/bin/python3
"""Chaos: load from 20 tenants, one fault after the other, and after each what must be true is checked.

    ./dev chaos [--seed N] [--minutes M] [--rate N] [--list] [FAULT...]

Without FAULTs all of them, in an order that the seed decides, round after round until the minutes are
over (one round without --minutes). A run that fails prints its seed, the faults up to there, and the
invariant that does not hold, and leaves the logs of its servers in var/log/chaos-SEED.
"""
import argparse
import contextlib
import os
import random
import shutil
import subprocess
import sys
import time

import paths
import harm_members  # noqa: F401 pylint: disable=unused-import
import harm_servers  # noqa: F401 pylint: disable=unused-import
from check import Checker
from proc import StepError
from table import FAULTS, LATER, SMOKE
from world import Broken, made

CALM_S = 4


class Trace:
    """What was done, for whoever has to do it again."""

    def __init__(self, seed):
        self.seed, self.lines, self.results = seed, [], []

    def say(self, line):
        """Print it and keep it."""
        self.lines.append(line)
        print(line, flush=True)


def inflict(world, checker, name, rng, trace):
    """One fault: calm, harm, healing, rest, checks."""
    function = {**FAULTS, **LATER}[name]
    world.calm_flow(CALM_S)
    deaths, began = world.deaths, time.monotonic()
    world.note(f"FAULT {name}")
    function(world, rng)
    world.usual()
    harm_s = time.monotonic() - began
    world.load.flow()
    world.nap(1)
    rest_s = world.rest()
    checker.check()
    trace.results.append((name, harm_s, world.deaths - deaths, rest_s))
    world.note(f"{name}: {harm_s:.0f} s, {world.deaths - deaths} deaths, at rest after "
               f"{rest_s:.1f} s, {len(checker.inputs)} inputs right")


def order(names, rng, minutes):
    """Names for ever or once; what is asked for keeps its order."""
    while True:
        yield from names or rng.sample(list(FAULTS), len(FAULTS))
        if not minutes:
            return


def keep_logs(world, seed):
    """Of a run that failed, and what its tables hold."""
    place = os.path.join(paths.ROOT, f"var/log/chaos-{seed}")
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(world.cluster.path("log"), place)
    with contextlib.suppress(OSError), open(os.path.join(place, "tables.sql"), "wb") as f:
        subprocess.run(["pg_dump", "--data-only", "-n", "reference", world.cluster.psql_url()],
                       stdout=f, check=False)
    return place


def run(seed, names=(), minutes=0, rate=60):
    """-> (Trace, what is broken or None)"""
    trace, rng, world = Trace(seed), random.Random(seed), None
    trace.say(f"seed {seed}: {' '.join(names) or 'all faults'}")
    until = time.monotonic() + minutes * 60
    try:
        with made(seed, rate, trace.say) as world:
            checker = Checker(world)
            try:
                for name in order(names, rng, minutes):
                    inflict(world, checker, name, rng, trace)
                    if minutes and time.monotonic() > until:
                        break
            except BaseException:
                trace.say(f"logs: {keep_logs(world, seed)}")
                raise
            trace.waits = checker.wait_figures()
            trace.inputs = len(checker.inputs)
    except (Broken, StepError) as wrong:
        return trace, str(wrong)
    return trace, None


def report(trace, broken):
    """The end of what is printed; -> exit code"""
    print(f"\n{'fault':<24} {'seconds':>8} {'deaths':>7} {'rest s':>7}")
    for name, harm_s, deaths, rest_s in trace.results:
        print(f"{name:<24} {harm_s:>8.1f} {deaths:>7} {rest_s:>7.1f}")
    if broken is None:
        p50, p99, most = trace.waits or ("-", "-", "-")
        print(f"{trace.inputs} inputs; quiet tenants waited {p50} ms (p50), {p99} ms (p99), "
              f"{most} ms (most) in calm times")
        print(f"seed {trace.seed}: {len(trace.results)} faults, every invariant holds")
        return 0
    print(f"\nseed {trace.seed} FAILED\nfaults: "
          f"{' '.join(line.split('FAULT ')[1] for line in trace.lines if 'FAULT ' in line)}\n"
          f"broken: {broken}")
    return 1


def main():
    """See the top."""
    parser = argparse.ArgumentParser(prog="./dev chaos")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--minutes", type=float, default=0)
    parser.add_argument("--rate", type=int, default=60, help="records a second of all tenants")
    parser.add_argument("--list", action="store_true", help="the names of all faults")
    parser.add_argument("faults", nargs="*", metavar="FAULT",
                        help="or smoke: those that ./dev test runs")
    args = parser.parse_args()
    if args.list:
        print("\n".join([*FAULTS, *LATER]))
        return 0
    names = [n for name in args.faults for n in (SMOKE if name == "smoke" else [name])]
    unknown = sorted(set(names) - {*FAULTS, *LATER})
    if unknown:
        parser.error(f"no such fault: {' '.join(unknown)} (--list shows all)")
    return report(*run(args.seed, names, args.minutes, args.rate))


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    # all that was started has ended; a librdkafka client may wait for its dead brokers for ever
    os._exit(code)
