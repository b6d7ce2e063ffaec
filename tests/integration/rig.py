"""The suite under test on real servers, and what a test may look at behind its back."""
import contextlib
import json
import os
import re
import subprocess
import sys
import urllib.request

import confluent_kafka

import belt

import s3  # belt.py put docker/local on the path
from proc import last_lines
from servers import BUCKET
from stack import TOPIC_PREFIX, Stack

GROUP_FAST = {"ESTEIRA_KAFKA_SESSION_MS": "6000"}  # a killed member is forgotten in 6 s, not 45
TOPICS = ("intake.events", "ocr.jobs", "ocr.events", "audit.trail")
QUIET = ("lag", "due", "blocked", "overflow", "held", "dead")  # of estctl groups list: each is 0 at rest
LONG_S = 86400  # so long that neither the deadline nor back-pressure matters


class Rig:
    """A stack with its services and its two tenants."""

    def __init__(self, stack):
        self.stack, self.keys, self.services = stack, {}, {}
        belt.trust(stack.s3_endpoint, stack.tls_context())

    def tenant(self, slug, deadline_s=LONG_S, plan="unlimited"):
        """A tenant with a key for all scopes; answers the key."""
        self.stack.tenant(slug, slug.title(), "--deadline", str(deadline_s), plan=plan)
        self.keys[slug] = self.stack.key(slug)
        return self.keys[slug]

    def start(self, name, instance=1, **env):
        """A service that is ready."""
        service = self.stack.start_service(name, instance, {**GROUP_FAST, **env})
        self.services[f"{name}-{instance}"] = service
        belt.trust(service.url, self.stack.tls_context())
        return service

    def client(self, slug="alfa", instance=1):
        """A client of that tenant at that intake."""
        return belt.Client(self.services[f"intake-{instance}"].url, self.keys[slug])

    def tenant_id(self, slug):
        """The internal id, which only the inside knows."""
        return self.stack.psql(f"SELECT tenant_id FROM intake.tenants WHERE slug = '{slug}'").strip()

    def count(self, sql):
        """The one number a query answers."""
        return int(self.stack.psql(sql).strip())

    def metrics(self, name):
        """/metrics of a service, as text."""
        with urllib.request.urlopen(self.services[name].admin + "/metrics", timeout=10) as got:
            return got.read().decode()

    def at_rest(self):
        """Wait until nothing waits in any group, and no letter is open."""
        def busy():
            groups = json.loads(self.stack.estctl("groups", "list", "--json"))
            return [row for row in groups if any(row[name] for name in QUIET)]
        belt.wait_for(lambda: f"rest: {busy()}", lambda: not busy(), 120, 0.5)

    def objects(self):
        """Every key in the bucket, without the folders that s3proxy shows after an aborted PUT."""
        return [key for key in self.stack.s3_list() if not key.endswith("/")]

    def no_objects(self, timeout_s=20.0):
        """Wait for the bucket to be empty."""
        left = []

        def look():
            left[:] = self.objects()
            return not left
        belt.wait_for(lambda: f"an empty bucket: {left}", look, timeout_s, 0.1)

    def put_object(self, key, data):
        """An object that no upload made."""
        self._s3("PUT", key, data)

    def get_object(self, key):
        """The bytes of an object."""
        return self._s3("GET", key)

    def remove_debris(self):
        """What s3proxy, killed, leaves of a PUT: half a file under a name of its own."""
        for key in self.objects():
            if re.search(r"\.enc-[0-9a-f-]{36}$", key):
                self._s3("DELETE", key)

    def _s3(self, method, key, body=b""):
        status, _, answer = s3.request(self.stack.s3_place, self.stack.s3_keys, method,
                                       f"/{BUCKET}/{key}", body=body)
        assert status in (200, 204), answer
        return answer

    def records(self, topics=TOPICS):
        """Every record of these topics so far, as (topic, confluent_kafka.Message)."""
        consumer = confluent_kafka.Consumer({
            **self.stack.kafka_client_conf(), "group.id": "test-reader",
            "enable.auto.commit": False, "enable.partition.eof": True, "log_level": 0})
        with contextlib.closing(consumer):
            places = []
            for topic in topics:
                known = consumer.list_topics(TOPIC_PREFIX + topic, timeout=10)
                for number in known.topics[TOPIC_PREFIX + topic].partitions:
                    places.append(confluent_kafka.TopicPartition(TOPIC_PREFIX + topic, number, 0))
            consumer.assign(places)
            found, open_ends = [], len(places)
            while open_ends:
                message = consumer.poll(30)
                assert message is not None, f"{open_ends} partitions gave no end"
                if message.error() is None:
                    found.append((message.topic().removeprefix(TOPIC_PREFIX), message))
                else:
                    eof = confluent_kafka.KafkaError._PARTITION_EOF  # pylint: disable=W0212
                    assert message.error().code() == eof, message.error()
                    open_ends -= 1
            return found

    def redis(self):
        """A connection to Redis."""
        return Redis(self.stack.redis_socket(10))


def tell_groups(stack, is_done, *args):
    """kafka-consumer-groups, as an operator types it; again while it refuses, because a member is still there.
    is_done: whether what it printed says so."""
    said = []

    def told():
        done = subprocess.run(stack.kafka_tool("consumer.group.ConsumerGroupCommand", *args), capture_output=True,
                              text=True, check=False, stdin=subprocess.DEVNULL, timeout=120)
        said[:] = [done.stdout + done.stderr]
        return done.returncode == 0 and is_done(done.stdout)
    belt.wait_for(lambda: f"the groups' offsets: {said}", told, 90, 1)


class Redis:
    """As much of RESP2 as the tests need; answers are bytes, int, None or lists of them."""

    def __init__(self, sock):
        self.sock = sock
        self.file = self.sock.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.sock.close()

    def __call__(self, *words):
        raw = [word if isinstance(word, bytes) else str(word).encode() for word in words]
        self.sock.sendall(b"*%d\r\n" % len(raw) + b"".join(
            b"$%d\r\n%s\r\n" % (len(word), word) for word in raw))
        return self._read()

    def _read(self):
        line = self.file.readline()[:-2]
        kind, rest = line[:1], line[1:]
        if kind == b"-":
            raise OSError(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"+":
            return rest
        if int(rest) < 0:
            return None
        if kind == b"*":
            return [self._read() for _ in range(int(rest))]
        return self.file.read(int(rest) + 2)[:-2]


def header(message, name):
    """A header of a Kafka record as text, or None."""
    found = [value.decode() for key, value in message.headers() or [] if key == name]
    return found[0] if found else None


def payloads(records, type_name):
    """The parsed values of all records of one event type."""
    return [json.loads(message.value()) for _, message in records
            if header(message, "ce_type") == type_name]


def make_samples():
    """Up to date in var/samples; at once when they are."""
    subprocess.run([sys.executable, os.path.join(belt.ROOT, "tests/samples/make.py"), belt.SAMPLES],
                   check=True, capture_output=True)


@contextlib.contextmanager
def temporary(tenants=("alfa",), services=("audit", "ocr", "intake"), ocr_env=None, intake_env=None, **more):
    """A rig of its own with these tenants (name or (name, deadline)) and services; more: of Stack."""
    env = {"ocr": ocr_env or {}, "intake": intake_env or {}}
    with Stack.temporary(**more) as stack:
        rig = Rig(stack)
        for tenant in tenants:
            rig.tenant(*((tenant,) if isinstance(tenant, str) else tenant))
        for name in services:
            rig.start(name, **env.get(name, {}))
        try:
            yield rig
        except BaseException:
            for title, lines in last_words(stack):
                print(f"--- {title} ---\n{lines}")
            raise


def last_words(stack):
    """(title, ends of the logs) of the services, and of servers that have ended."""
    for name in stack.state["procs"]:
        if name not in stack.servers:
            yield (f"log of {name} (pid {stack.pid(name)})",
                   last_lines(stack.path(f"log/{name}.log"), 60))
        elif stack.pid(name) is None:
            yield f"{name} has ended", last_lines(stack.path(f"log/{name}.log"))
