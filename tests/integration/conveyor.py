"""The reference service on a belt of its own: what the tests of the conveyor ask and do."""
import contextlib
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid

import confluent_kafka
import confluent_kafka.admin
import pytest

import belt
import rig
from scrape import Scrape

sys.path.insert(0, os.path.join(belt.ROOT, "tests/reference"))
# pylint: disable=wrong-import-position
import provider as stub  # noqa: E402
import reference  # noqa: E402

TOPIC, GROUP, DLQ = reference.TOPIC, reference.GROUP, reference.DLQ
PARTITIONS = 12
TIMEOUT_MS = 2000
# Longer than it is tried in place (2 s) and than the first pause (2 s), shorter than all three
# attempts can be on the fastest machine.
PARKED_ONCE = "ill:6000"


def murmur2(data):
    """As Kafka's own partitioner has it."""
    length, mask = len(data), 0xffffffff
    h = (0x9747b28c ^ length) & mask
    for i in range(0, length & ~3, 4):
        k = int.from_bytes(data[i:i + 4], "little") * 0x5bd1e995 & mask
        k = (k ^ k >> 24) * 0x5bd1e995 & mask
        h = (h * 0x5bd1e995 & mask) ^ k
    rest = data[length & ~3:]
    if rest:
        h = (h ^ int.from_bytes(rest, "little")) * 0x5bd1e995 & mask
    h = (h ^ h >> 13) * 0x5bd1e995 & mask
    return h ^ h >> 15


def tenant_in(partition):
    """A tenant whose records come into this partition."""
    while True:
        found = str(uuid.uuid4())
        if (murmur2(found.encode()) & 0x7fffffff) % PARTITIONS == partition:
            return found


class Plant:
    """One stack with the service, its provider, and a way in."""

    def __init__(self, base, provider, sender, env):
        self.base, self.env = base, env
        self.stack, self.records, self.count = base.stack, base.records, base.count
        self.provider, self.sender = provider, sender
        self.partition = -1
        self.admin = confluent_kafka.Consumer({
            **self.stack.kafka_client_conf(), "group.id": GROUP,
            "enable.auto.commit": False, "log_level": 0})

    # the service

    def start(self, instance=1, wait=True, **env):
        """An instance with the plant's env and this; restarted when it runs with another one."""
        return reference.start(self.stack, instance, wait, **{
            "ESTEIRA_REFERENCE_PROVIDER_URL": self.provider.url,
            "ESTEIRA_REFERENCE_TIMEOUT_MS": str(TIMEOUT_MS), **self.env, **env})

    def stop(self, instance=1):
        """In order; the group has no such member any more."""
        self.stack.stop_one(f"reference-{instance}")

    def kill(self, instance=1):
        """kill -9."""
        self.stack.kill_one(f"reference-{instance}")

    def livez(self, instance=1):
        """Status."""
        return self._ask(instance, "/livez")[0]

    def readyz(self, instance=1):
        """(status, answer)"""
        return self._ask(instance, "/readyz")

    def scrape(self, instance=1):
        """Its /metrics."""
        return Scrape(self.stack.service("reference", instance).admin)

    def _ask(self, instance, path):
        url = self.stack.service("reference", instance).admin + path
        try:
            with urllib.request.urlopen(url, timeout=10) as got:
                return got.status, json.load(got)
        except urllib.error.HTTPError as wrong:
            return wrong.code, json.load(wrong)

    def deaths_until(self, what, true, timeout_s=120):
        """Start it whenever it has died, as Kubernetes would; -> how often it had."""
        deaths, deadline = 0, time.monotonic() + timeout_s
        while not true():
            assert time.monotonic() < deadline, f"{deaths} deaths, not yet: {what}"
            if self.stack.pid("reference-1") is None:
                deaths += 1
                self.start(wait=False)
            time.sleep(0.05)
        return deaths

    # what is there

    def fresh(self, *, tenants=1):
        """Tenants of one partition, another one at every call."""
        self.partition = (self.partition + 1) % PARTITIONS
        found = [tenant_in(self.partition) for _ in range(tenants)]
        return found[0] if tenants == 1 else found

    def row(self, sql):
        """The columns of the one row, as texts; None when there is none."""
        lines = self.stack.psql(sql).splitlines()
        assert len(lines) <= 1, lines
        return tuple(lines[0].split("|")) if lines else None

    def column(self, sql):
        """The one column of all rows."""
        return self.stack.psql(sql).split()

    def entries(self, tenant, key=None):
        """The numbers of a tenant's (key's) entries, in the order in which they were made."""
        more = f" AND key = '{key}'" if key else ""
        return [int(n) for n in self.column(
            f"SELECT n FROM reference.entry WHERE tenant_id = '{tenant}'{more} ORDER BY seq")]

    def disorder(self):
        """Rows that came after a later one of their key."""
        return self.count("SELECT count(*) FROM reference.disorder")

    def parked(self, tenant):
        """(reason, attempts, due) of what is parked of a tenant, in order; due: with a time."""
        lines = self.stack.psql(
            "SELECT reason, attempts, due_at < 'infinity' FROM reference.parked"
            f" WHERE tenant_id = '{tenant}' ORDER BY ordering_key, off, id").splitlines()
        return [tuple(line.split("|")) for line in lines]

    def letter(self, event_id, columns="error_code"):
        """Columns of the dead letter of an event, or None."""
        return self.row(
            f"SELECT {columns} FROM reference.dead_letter WHERE event_id = '{event_id}'")

    def decide(self, verb, event_id, tenant="NULL"):
        """What an operator's click does; -> outcome."""
        return self.row(
            f"SELECT outcome FROM reference.dead_letter_{verb}(ARRAY(SELECT id FROM"
            f" reference.dead_letter WHERE event_id = '{event_id}'), {tenant}, 'test')")[0]

    def charged(self, charge):
        """(calls, effects) at the provider."""
        counts = self.provider.counts().get(charge, {"calls": 0, "effects": 0})
        return counts["calls"], counts["effects"]

    def charges(self, tenant):
        """The tenant's settled charges."""
        return sorted(self.column(
            f"SELECT charge FROM reference.charge WHERE tenant_id = '{tenant}'"))

    # the log

    def ends(self):
        """{partition: the offset after its last record}"""
        return {n: self.admin.get_watermark_offsets(
            confluent_kafka.TopicPartition(TOPIC, n), 10)[1] for n in range(PARTITIONS)}

    def commits(self):
        """{partition: what the group has committed}"""
        places = [confluent_kafka.TopicPartition(TOPIC, n) for n in range(PARTITIONS)]
        return {p.partition: max(p.offset, 0) for p in self.admin.committed(places, 10)}

    def lag(self):
        """Records that the group has not committed."""
        done = self.commits()
        return sum(end - done[n] for n, end in self.ends().items())

    def no_lag(self, timeout_s=60):
        """Wait for it."""
        belt.wait_for(lambda: f"no lag: {self.lag()}", lambda: self.lag() == 0, timeout_s, 0.1)

    def members(self):
        """How many the group has."""
        found = confluent_kafka.admin.AdminClient(
            self.stack.kafka_client_conf()).list_groups(GROUP, 10)
        return len(found[0].members) if found else 0

    def reset(self, *how, topic=TOPIC, group=GROUP):
        """kafka-consumer-groups --reset-offsets --execute, on a stopped group."""
        done = subprocess.run(
            self.stack.kafka_tool("consumer.group.ConsumerGroupCommand", "--group", group, "--topic", topic,
                                  "--reset-offsets", *how, "--execute"),
            capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0 and "Error" not in done.stdout, done.stdout + done.stderr


@contextlib.contextmanager
def running(kind=Plant, tenants=(), services=(), **env):
    """A plant with the reference service ready."""
    with rig.temporary(tenants, services) as base, stub.Provider() as provider:
        reference.prepare(base.stack)
        with reference.Sender(base.stack) as sender:
            plant = kind(base, provider, sender, env)
            plant.start()
            yield plant
            plant.admin.close()


def fixture(kind=Plant, **env):
    """The module's plant."""
    @pytest.fixture(scope="module", name="plant")
    def make_plant():
        with running(kind, **env) as plant:
            yield plant
    return make_plant
