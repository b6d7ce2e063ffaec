"""A chaos run's world: servers behind the proxy, members of the group, the load, and who mends.

Members are instances of the reference service. One that dies is started again, as Kubernetes would;
what a fault does on purpose it says by note(), and every line of that is part of the fault trace.
"""
import contextlib
import http.client
import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import confluent_kafka
import confluent_kafka.admin
import psycopg2

import paths
from proxy import Proxy
from model import Load

sys.path.insert(0, paths.REFERENCE)
# pylint: disable=wrong-import-position
import reference  # noqa: E402
from cluster import NODES, Cluster  # noqa: E402
from provider import Provider  # noqa: E402
from reference import DLQ, GROUP, NEXT, TOPIC  # noqa: E402, F401

MEMBERS = 2
SERVICE = "reference"
PROVIDER_TIMEOUT_MS = 3000
SESSION_S = 6
# everything here waits longer on a machine with much else to do
PATIENCE = float(os.environ.get("ESTEIRA_CHAOS_PATIENCE", "1"))
QUIET_S = 120
AWAY = (psycopg2.OperationalError, confluent_kafka.KafkaException, http.client.HTTPException, OSError)
GROUPS_TOOL = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand"
QUORUM_TOOL = "org.apache.kafka.tools.MetadataQuorumCommand"


class Broken(Exception):
    """An invariant that does not hold."""


class World:
    """Everything a fault may touch. One thread."""

    def __init__(self, cluster, proxy, provider, seed, rate, say=print):
        self.cluster, self.proxy, self.provider, self.say = cluster, proxy, provider, say
        self.load = Load(cluster, seed, rate)
        self.wanted, self.deaths, self.calm = {}, 0, []
        self.lossy = False  # Postgres has lost what it had committed
        self.log = None     # what the checker reads; a fault may have to let it read in time
        self.began = time.monotonic()
        self.admin = confluent_kafka.admin.AdminClient(
            {"bootstrap.servers": cluster.kafka_bootstrap, "log_level": 0})
        self.asker = self.new_asker()

    def note(self, text):
        """A line of the trace."""
        self.say(f"[{time.monotonic() - self.began:7.1f} s]   {text}")

    # waiting

    def tick(self):
        """Who should run and does not is started again; delivery reports are taken."""
        self.load.poll()
        for number, env in list(self.wanted.items()):
            full = f"{SERVICE}-{number}"
            if self.cluster.pid(full) is None:
                self.deaths += 1
                self.note(f"{full} is dead{self._reason(full)}; started again")
                env.pop("ESTEIRA_FAILPOINT", None)
                self._start(number, wait=False)

    def _reason(self, full):
        """Of a process that ended by itself, what it said last."""
        with open(self.cluster.path(f"log/{full}.log"), "rb") as f:
            f.seek(max(0, f.seek(0, os.SEEK_END) - 4096))
            last = re.search(rb'"level":"error"(?!.*"event":"record\.).*"error":"([^"]*)"[^\n]*\n?$',
                             f.read())
        return f" ({last.group(1).decode()})" if last else ""

    def nap(self, seconds):
        """Let time pass."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.tick()
            time.sleep(0.05)

    def wait(self, what, probe, timeout_s=60.0, step_s=0.1):
        """Until probe() answers something true, which is returned."""
        until = time.monotonic() + timeout_s * PATIENCE
        while True:
            self.tick()
            with contextlib.suppress(*AWAY):
                found = probe()
                if found:
                    return found
            if time.monotonic() > until:
                shown = what() if callable(what) else what
                raise Broken(f"not within {timeout_s * PATIENCE:.0f} s: {shown}")
            time.sleep(step_s)

    # members

    def pid(self, number):
        """Of a member, or None."""
        return self.cluster.pid(f"{SERVICE}-{number}")

    def _start(self, number, wait):
        env = {"ESTEIRA_REFERENCE_PROVIDER_URL": self.provider.url, "ESTEIRA_DRAIN_MS": "10000",
               "ESTEIRA_LOG_LEVEL": "debug",
               "ESTEIRA_REFERENCE_TIMEOUT_MS": str(PROVIDER_TIMEOUT_MS),
               **self.wanted[number]}
        reference.start(self.cluster, number, wait, **env)

    def start(self, *numbers, wait=True, **env):
        """These members run, with this environment beside the usual one (program=: another one)."""
        for number in numbers:
            self.wanted[number] = dict(env)
            self._start(number, wait=False)
        for number in numbers if wait else ():
            self.cluster.wait_ready(f"{SERVICE}-{number}", 60 * PATIENCE)

    def stop(self, numbers=None):
        """All or these, in order, so that they leave the group at once."""
        asked = list(self.wanted) if numbers is None else numbers
        running = [n for n in asked if self.wanted.pop(n, None) is not None]
        with ThreadPoolExecutor(6) as pool:
            list(pool.map(lambda n: self.cluster.stop_one(f"{SERVICE}-{n}"), running))

    def kill(self, *numbers, again=True):
        """kill -9; again: they come back by themselves."""
        for number in numbers or list(self.wanted):
            if not again:
                del self.wanted[number]
            self.cluster.kill_one(f"{SERVICE}-{number}")

    def signal(self, number, signum):
        """To the process."""
        os.kill(self.pid(number), signum)

    def usual(self):
        """As it is between faults: all links whole, the provider well, MEMBERS members unarmed."""
        self.proxy.heal()
        self.provider.tell("ok")
        self.provider.tell_lookups(None)
        self.stop([n for n, env in self.wanted.items() if n > MEMBERS or env])
        missing = [n for n in range(1, MEMBERS + 1) if n not in self.wanted]
        if missing:
            self.start(*missing, wait=False)

    # servers

    @contextlib.contextmanager
    def cursor(self, isolation="REPEATABLE READ"):
        """Of the primary, past the proxy: what it reads is one snapshot, unless said otherwise."""
        c = self.cluster
        db = psycopg2.connect(host="127.0.0.1", port=c.postgres_port, dbname="esteira",
                              user="postgres", password=c.secrets["roles"]["postgres"],
                              options="-c search_path=reference")
        try:
            db.set_session(isolation_level=isolation)
            with db, db.cursor() as cursor:
                yield cursor
        finally:
            db.close()

    def rows(self, sql, *args):
        """All rows of a query."""
        with self.cursor() as cursor:
            cursor.execute(sql, args or None)
            return cursor.fetchall()

    def number(self, sql, *args):
        """The one number a query answers."""
        return self.rows(sql, *args)[0][0]

    def new_asker(self):
        """A client that only asks."""
        return confluent_kafka.Consumer(
            {"bootstrap.servers": self.cluster.kafka_bootstrap, "group.id": GROUP, "log_level": 0,
             "enable.auto.commit": False})

    def partitions(self, topic=TOPIC):
        """Of the topic; what the asker knows of their leaders is today's after this."""
        return range(len(self.asker.list_topics(topic, timeout=10).topics[topic].partitions))

    def committed(self):
        """{partition: what the group has committed, None without}"""
        places = [confluent_kafka.TopicPartition(TOPIC, p) for p in self.partitions()]
        found = self.asker.committed(places, timeout=10)
        return {p.partition: p.offset if p.offset >= 0 else None for p in found}

    def ends(self, topic=TOPIC):
        """{partition: end of the log}"""
        return {p: self.asker.get_watermark_offsets(confluent_kafka.TopicPartition(topic, p), 10)[1]
                for p in self.partitions(topic)}

    def leader(self, topic, part):
        """Name of the server that leads a partition."""
        found = self.wait(f"a leader of {topic}[{part}]", lambda: max(
            0, self.admin.list_topics(topic, timeout=10).topics[topic].partitions[part].leader))
        return f"kafka-{found}"

    def coordinator(self):
        """Name of the server that coordinates the group."""
        number = 0
        for char in GROUP:
            number = (31 * number + ord(char)) & 0xFFFFFFFF
        known = self.admin.list_topics("__consumer_offsets", timeout=10)
        count = len(known.topics["__consumer_offsets"].partitions)
        return self.leader("__consumer_offsets", (number & 0x7FFFFFFF) % count)

    def controller(self):
        """Name of the server that is the active controller."""
        said = self.tool(QUORUM_TOOL, "describe", "--status")
        return "kafka-" + re.search(r"LeaderId:\s+(\d+)", said).group(1)

    def bounce(self, *names, away_s=0.0):
        """kill -9 of servers and back."""
        self.note(f"kill -9 {' '.join(names)}")
        for name in names:
            self.cluster.kill_one(name)
        self.nap(away_s)
        with ThreadPoolExecutor(len(names)) as pool:
            list(pool.map(self.cluster.start_one, names))
        self.note(f"{' '.join(names)} back")

    def all_brokers(self):
        """Their names."""
        return [f"kafka-{node}" for node in NODES]

    def tool(self, name, *args):
        """A stock tool of Kafka; -> what it said."""
        done = subprocess.run([self.cluster.kafka_cli, name, "--bootstrap-server",
                               self.cluster.kafka_bootstrap, *args], capture_output=True, text=True,
                              check=False, timeout=120, stdin=subprocess.DEVNULL)
        if done.returncode != 0:
            raise OSError(f"{name}: {done.stderr or done.stdout}")
        return done.stdout

    def reset_offsets(self, *how):
        """kafka-consumer-groups --reset-offsets, tried again while the group is not empty."""
        said = ""

        def attempt():
            nonlocal said
            try:
                said = self.tool(GROUPS_TOOL, "--group", GROUP, "--topic", TOPIC, "--reset-offsets",
                                 "--execute", *how)
            except OSError as wrong:
                said = str(wrong)
            return re.search(rf"{re.escape(TOPIC)}\s+0\s+\d+", said)
        self.note(f"kafka-consumer-groups --reset-offsets {' '.join(how)}")
        self.wait(lambda: f"offsets reset: {said[:500]}", attempt, 60, 1.0)

    def replays(self, kind="rewind"):
        """[(id, state)] of moves so far."""
        return self.rows("SELECT id, state FROM replay WHERE kind = %s ORDER BY id", kind)

    def _admin(self, number, path):
        conn = http.client.HTTPConnection(
            "127.0.0.1", self.cluster.ports[f"{SERVICE}-{number}.admin"], timeout=2)
        with contextlib.closing(conn):
            conn.request("GET", path)
            return conn.getresponse().read().decode()

    def health(self, number, path="/readyz"):
        """What it says."""
        return self._admin(number, path)

    def owns(self, number):
        """How many partitions a member has."""
        said = re.search(r"^esteira_consumer_partitions(?:{.*})? (\d+)", self._admin(number, "/metrics"),
                         re.M)
        return int(said.group(1)) if said else 0

    # rest

    def unrest(self):
        """What still moves, in words; empty when nothing does."""
        found = []
        if self.load.model.pending:
            found.append(f"{self.load.model.pending} records under way to Kafka")
        with self.cursor() as c:
            # what waits behind a letter that blocks its key waits for a person, and so does its replay
            c.execute("WITH stone AS (SELECT part, topic, tenant_id, ordering_key, min(off) AS off FROM parked "
                      "WHERE reason = 'hold' GROUP BY part, topic, tenant_id, ordering_key), "
                      "waits AS (SELECT p.epoch, EXISTS (SELECT FROM stone h WHERE h.part = p.part AND "
                      "h.topic = p.topic AND h.tenant_id = p.tenant_id AND h.ordering_key = p.ordering_key "
                      "AND h.off <= p.off) AS behind FROM parked p WHERE reason <> 'hold') "
                      "SELECT 'outbox', count(*) FROM outbox UNION ALL "
                      "SELECT 'parked', count(*) FROM waits WHERE NOT behind UNION ALL "
                      "SELECT 'redriving', count(*) FROM dead_letter WHERE state = 'redriving' "
                      "UNION ALL SELECT 'claim', count(*) FROM claim UNION ALL "
                      "SELECT 'replay ' || state, count(*) FROM replay WHERE kind <> 'side' AND "
                      "(state = 'held' OR state = 'open' AND NOT coalesce((SELECT bool_and(behind) "
                      "FROM waits WHERE epoch = replay.id), false)) GROUP BY state")
            found += [f"{count} rows of {what}" for what, count in c.fetchall() if count]
        committed, ends = self.committed(), self.ends()
        lag = {p: end - (committed[p] or 0) for p, end in ends.items() if end != (committed[p] or 0)}
        if lag:
            found.append(f"lag {lag}")
        return found

    def rest(self):
        """No more load, and everything that was sent ends. -> seconds it took."""
        self.load.stop()
        began, last = time.monotonic(), []

        def quiet():
            try:
                last[:] = self.unrest()
            except AWAY as wrong:
                last[:] = [f"cannot be asked: {wrong}"]
                # one that lost its coordinator in a fault may never find it again (librdkafka 2.0)
                self.asker.close()
                self.asker = self.new_asker()
            return not last
        self.wait(lambda: f"rest: {'; '.join(last)}", quiet, QUIET_S, 0.3)
        return time.monotonic() - began

    def calm_flow(self, seconds):
        """Load without any fault; what is sent in the first half of it is a measure of waiting."""
        self.load.flow()
        first = time.time()
        self.nap(seconds)
        self.calm.append((first * 1000, (first + seconds / 2) * 1000))

    def close(self):
        """The load's thread and its connections."""
        self.load.close()
        self.asker.close()
        for number in self.wanted:
            with contextlib.suppress(OSError, TypeError):
                self.signal(number, signal.SIGCONT)


@contextlib.contextmanager
def made(seed, rate, say=print):
    """A world with its members running."""
    with Proxy() as proxy, Provider() as provider, Cluster.temporary(proxy=proxy) as cluster:
        reference.prepare(cluster)
        world = World(cluster, proxy, provider, seed, rate, say)
        try:
            world.start(*range(1, MEMBERS + 1))
            world.load.entry(world.load.loud)
            world.rest()  # they have their partitions
            yield world
        finally:
            world.close()
