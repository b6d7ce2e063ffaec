#!/usr/bin/python3
"""What the front costs POST /v1/events: a cached key, and a rate limit counted in Redis.

Events of 1 KB over 64 connections as in `bench ingest`, of a tenant without limits and of one with a limit that is never
reached, in turns in one run. A request without its key checked does not exist, so the key's part is taken from the work
itself: reading, hashing and finding one among 1,024, in a loop of its own, beside the processor time that intake spends on a request.
"""
import os
import resource
import statistics
import subprocess
import tempfile

import ingest
import machine
import rig

CONNECTIONS, REQUESTS, WARM_UPS, ROUNDS, TIMES = 64, 40_000, 1, 5, 2_000_000
PLANS = {"unlimited": "alfa", "limited": "beta"}  # and the tenant that has it


def cpu_s(pid):
    """Processor time of a process so far."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        user, system = f.read().rsplit(")", 1)[1].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def load_cpu_s():
    """Processor time of the generators so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def key_ns():
    """Nanoseconds of processor for a key that is cached."""
    program = os.path.join(os.path.dirname(os.environ["ESTEIRA_BIN_DIR"]), "tests/auth_front")
    return min(float(subprocess.run([program, str(TIMES)], check=True, capture_output=True).stdout) for _ in range(3))


def measure(plant, folder, verdict):
    """Rates with and without a limit, in turns."""
    plant.stack.estctl("plan", "set", "limited", "--extract", "30", "--status", "300", "--default", "1000000")
    rates, spent = {plan: [] for plan in PLANS}, {plan: [] for plan in PLANS}
    pids = [plant.stack.pid(name) for name in ("intake-1", "redis", "kafka")]
    keys = {plan: plant.tenant(slug, plan=plan) for plan, slug in PLANS.items()}
    for slug in PLANS.values():
        with open(os.path.join(folder, slug), "wb") as f:
            f.write(ingest.event().replace(b'"alfa"', f'"{slug}"'.encode()))
    for turn in range(-WARM_UPS, ROUNDS):
        for plan, slug in sorted(PLANS.items(), reverse=bool(turn % 2)):
            heads = ingest.heads(keys[plan], REQUESTS, f"{plan[0]}{turn}")
            before = [cpu_s(pid) for pid in pids] + [load_cpu_s()]
            figures = machine.load(plant.client().where.port, CONNECTIONS, os.path.join(folder, slug), heads)
            if turn >= 0:
                rates[plan].append(figures["rate"])
                after = [cpu_s(pid) for pid in pids] + [load_cpu_s()]
                spent[plan].append([1e6 * (b - a) / REQUESTS for a, b in zip(before, after)])
    free, limited = (statistics.median(rates[plan]) for plan in PLANS)
    counted = [line for line in plant.metrics("intake-1").splitlines()
               if line.startswith("esteira_rate_decisions_total")]
    print("\n".join(counted))
    cost = key_ns()
    verdict.line("a cached key", cost / 1000, unit="us")
    verdict.line("events a second, keys, no limit", free)
    verdict.line("events a second, keys and a limit", limited)
    ours = {plan: statistics.median(row[0] for row in spent[plan]) for plan in PLANS}
    whole = {plan: statistics.median(sum(row) for row in spent[plan]) for plan in PLANS}
    for plan in PLANS:
        verdict.line(f"processor of intake for one, {plan}", ours[plan], unit="us")
        verdict.line(f"that of intake, Redis, Kafka, load, {plan}", whole[plan], unit="us")
    verdict.line("part of a request that is its key", 100 * cost / 1000 / ours["unlimited"], most=5, unit="%")
    verdict.line("processor without a limit / with one", whole["unlimited"] / whole["limited"])
    verdict.line("rate with a limit / without", limited / free, least=0.8)
    pairs = [a / b for a, b in zip(rates["limited"], rates["unlimited"])]
    verdict.line("the same, lowest of the rounds", min(pairs))
    verdict.line("the same, highest of the rounds", max(pairs))


def main():
    verdict = machine.Verdict()
    with tempfile.TemporaryDirectory() as folder, rig.temporary((), services=("intake",)) as plant:
        measure(plant, folder, verdict)
    verdict.exit()


if __name__ == "__main__":
    main()
