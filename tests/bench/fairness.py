#!/usr/bin/python3
"""How long others wait while one tenant sends 50,000 records at once to a handler of 5 ms.

A neighbour in the same partition, and one in another, send a record every 150 ms; each is timed from
being sent to its row. Before that both are timed without the flood.
"""
import collections
import os
import sys
import threading
import time
import uuid

import psycopg2

import machine
import belt
import rig

sys.path.insert(0, os.path.join(machine.ROOT, "tests/reference"))
# pylint: disable=wrong-import-position
import reference  # noqa: E402

FLOOD, DELAY_MS = 50000, 5
WARM_UP, QUIET_PROBES, FLOOD_S, PAUSE_S, GIVE_UP_S = 10, 100, 45, 0.15, 400
PARTITIONS = 12  # of a local stack
MURMUR_SEED, MASK = 0x9747B28C, 0xFFFFFFFF


def murmur2(data):
    """Kafka's hash of a key (org.apache.kafka.common.utils.Utils.murmur2)."""
    m, h = 0x5BD1E995, MURMUR_SEED ^ len(data)
    for at in range(0, len(data) - len(data) % 4, 4):
        k = int.from_bytes(data[at:at + 4], "little") * m & MASK
        k = (k ^ (k >> 24)) * m & MASK
        h = (h * m & MASK) ^ k
    rest = data[len(data) - len(data) % 4:]
    if rest:
        h = (h ^ int.from_bytes(rest, "little")) * m & MASK
    h = (h ^ (h >> 13)) * m & MASK
    return h ^ (h >> 15)


def partition_of(tenant):
    """As murmur2_random places a keyed record."""
    return (murmur2(tenant.encode()) & 0x7FFFFFFF) % PARTITIONS


def tenant_in(partition, wanted):
    """A tenant whose records go to that partition, or to another."""
    while True:
        tenant = str(uuid.uuid4())
        if (partition_of(tenant) == partition) == wanted:
            return tenant


class Prober(threading.Thread):
    """Sends a record of a tenant every PAUSE_S, whatever became of those before it, and notes how long each took.
    One that waited for its answer before it sent the next would hardly see a stop: Gil Tene's coordinated omission."""

    def __init__(self, stack, tenant):
        super().__init__(daemon=True)
        self.stack, self.tenant, self.key = stack, tenant, f"probe-{uuid.uuid4().hex[:8]}"
        self.waiting, self.done, self.took, self.due = collections.deque(), 0, [], time.monotonic()
        self.warm, self.over, self.wrong = threading.Event(), threading.Event(), None

    def run(self):
        try:
            rows = psycopg2.connect(self.stack.psql_url())
            rows.autocommit = True
            with reference.Sender(self.stack, **{"linger.ms": 0}) as sender, rows.cursor() as cursor:
                belt.wait_for(lambda: f"rows of {len(self.waiting)} probes",
                              lambda: self._turn(sender, cursor), GIVE_UP_S, 0.002)
        except Exception as e:  # pylint: disable=broad-except
            self.wrong = e
        self.warm.set()

    def _turn(self, sender, cursor):
        """-> whether it is over and nothing waits."""
        if not self.over.is_set() and time.monotonic() >= self.due:
            self.waiting.append(time.monotonic())
            sender.entry(self.tenant, self.key, self.done + len(self.waiting))
            sender.flush()
            self.due += PAUSE_S
        self._look(cursor)
        return self.over.is_set() and not self.waiting

    def _look(self, cursor):
        """Rows of a key are made in order."""
        cursor.execute("SELECT coalesce(max(n), 0) FROM reference.entry WHERE tenant_id = %s AND key = %s",
                       (self.tenant, self.key))
        for _ in range(cursor.fetchone()[0] - self.done):
            self.took.append(time.monotonic() - self.waiting.popleft())
            self.done += 1
        if self.done >= WARM_UP and not self.warm.is_set():
            self.took.clear()
            self.warm.set()

    def end(self):
        """-> seconds of each, sorted"""
        self.over.set()
        self.join()
        if self.wrong:
            raise self.wrong
        return sorted(self.took)


def p99(took):
    """Of sorted figures."""
    return took[min(len(took) - 1, len(took) * 99 // 100)]


def flood(stack, tenant):
    """50,000 records of 500 keys."""
    with reference.Sender(stack, **{"linger.ms": 50}) as sender:
        for n in range(FLOOD):
            sender.entry(tenant, f"k{n % 500}", n // 500)


def measure(stack, tenants, wait):
    """-> sorted seconds of each tenant's probes while wait() runs."""
    probers = [Prober(stack, tenant) for tenant in tenants]
    for prober in probers:
        prober.start()
    for prober in probers:
        if not prober.warm.wait(60):
            sys.exit("fairness: the first probes have no rows after 60 s")
    wait(probers)
    return [prober.end() for prober in probers]


def main():
    verdict = machine.Verdict()
    with rig.temporary((), ()) as plant:
        reference.prepare(plant.stack)
        hot = str(uuid.uuid4())
        same = tenant_in(partition_of(hot), True)
        other = tenant_in(partition_of(hot), False)
        reference.start(plant.stack, 1, ESTEIRA_REFERENCE_DELAY_MS=str(DELAY_MS))
        quiet = measure(plant.stack, (same, other), lambda probers: belt.wait_for(
            "quiet probes", lambda: all(len(p.took) >= QUIET_PROBES or p.wrong for p in probers),
            120))
        loud = measure(plant.stack, (same, other), lambda _: (
            flood(plant.stack, hot), time.sleep(FLOOD_S)))
        left = FLOOD - plant.count(
            f"SELECT count(*) FROM reference.entry WHERE tenant_id = '{hot}'")
    verdict.line("records of the hot tenant still to do", left, least=1)
    verdict.line("same partition, unloaded p99", p99(quiet[0]) * 1000, unit="ms")
    verdict.line("same partition, p99 under the flood", p99(loud[0]), most=3, unit="s")
    verdict.line("other partition, unloaded p99", p99(quiet[1]) * 1000, unit="ms")
    verdict.line("other partition, p99 under the flood", p99(loud[1]) * 1000, unit="ms")
    verdict.line("other partition, against unloaded", p99(loud[1]) / p99(quiet[1]), most=2)
    verdict.line("first in, first out would have waited", FLOOD * DELAY_MS / 1000, unit="s")
    verdict.exit()


if __name__ == "__main__":
    main()
