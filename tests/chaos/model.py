"""What was sent, and so what must be true: the load of a chaos run and its memory.

Nothing counts as an input before Kafka has acknowledged it; then it has a place in the log, and the
checks (check.py) ask for exactly one final outcome of it.
"""
import collections
import contextlib
import random
import sys
import threading
import time
import uuid
from dataclasses import dataclass

from confluent_kafka import KafkaException

import paths

sys.path.insert(0, paths.REFERENCE)
# pylint: disable=wrong-import-position
from reference import TOPIC, Sender  # noqa: E402

NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "esteira.events")
OUTPUT = {"entry": "reference.entry.made.v1", "charge": "reference.charge.settled.v1",
          "count": "reference.count.made.v1"}
TENANTS, KEYS, ACCOUNTS, LOUD_SHARE = 20, 4, 3, 0.8
DELIVERY_S = 180
# of 1000 records; what each should end as is in ENDS
MIX = (("entry", "ok", 740), ("entry", "retry:1", 20), ("entry", "reject", 10),
       ("charge", "ok", 120), ("count", "ok", 110))
DONE, DEAD, ANY = "done", "dead", "any"
ENDS = {"ok": DONE, "reject": DEAD}  # others: ANY, because a kill makes a process forget


@dataclass
class Input:  # pylint: disable=too-many-instance-attributes
    """One record that Kafka has taken."""
    kind: str          # entry, charge, count; bad: no event of ours
    tenant: str
    key: str           # of the entry, name of the count, business key of the charge
    n: int
    behave: str
    event_id: str
    end: str           # DONE, DEAD or ANY
    part: int = -1
    offset: int = -1
    taken_ms: int = 0  # the log's time
    account: str = ""
    old: bool = False  # its log is gone, and another one is in its place

    @property
    def output_id(self):
        """Id of the event that handling it emits."""
        return str(uuid.uuid5(NAMESPACE, f"{self.event_id}\x1f{OUTPUT[self.kind]}"))


class Model:
    """All inputs, by their place."""

    def __init__(self):
        self.lock = threading.Lock()
        self.by_place, self.old = {}, []
        self.sent = self.lost = self.taken = 0

    def took(self, made, message):
        """Kafka has it."""
        with self.lock:
            made.part, made.offset = message.partition(), message.offset()
            made.taken_ms = message.timestamp()[1]
            self.by_place[made.part, made.offset] = made
            self.taken += 1

    def inputs(self):
        """A copy of all."""
        with self.lock:
            return [*self.old, *self.by_place.values()]

    @property
    def pending(self):
        """Sent, and neither taken nor refused yet."""
        with self.lock:
            return self.sent - self.lost - self.taken

    def new_log(self):
        """The topic was made anew: what was taken has no place any more."""
        with self.lock:
            for made in self.by_place.values():
                made.old = True
            self.old += self.by_place.values()
            self.by_place = {}


class Load:
    """Sends for all tenants from a thread of its own, the first of them LOUD_SHARE of it."""

    def __init__(self, stack, seed, per_second):
        self.rng, self.per_second = random.Random(seed), per_second
        self.model = Model()
        self.tenants = [str(uuid.UUID(int=self.rng.getrandbits(128), version=4))
                        for _ in range(TENANTS)]
        self.numbers = collections.Counter()
        self.stack, self.sender = stack, None
        self.on_their_way, self.broken = {}, False  # {number: how it is sent}, in order
        self._renew()
        self.mutex, self.flowing, self.over = threading.RLock(), threading.Event(), False
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    @property
    def loud(self):
        """The tenant who sends most."""
        return self.tenants[0]

    def close(self):
        """No more of it."""
        self.over = True
        self.flowing.set()
        self.thread.join(10)

    def flow(self):
        """Send, until stop()."""
        self.flowing.set()

    def stop(self):
        """No new records; what was sent may still be on its way."""
        self.flowing.clear()

    def poll(self):
        """Take delivery reports."""
        with self.mutex, self._whole():
            self.sender.producer.poll(0)

    @contextlib.contextmanager
    def _whole(self):
        """An idempotent producer that lost its place in a log is at its end: another one sends what is on its way.
        What the first one had sent after all comes twice then, with one event id, as any producer may send it."""
        try:
            yield
        except KafkaException:
            self.broken = True
            self.sender.producer.purge()
            with contextlib.suppress(KafkaException):
                self.sender.producer.flush(10)
            self._renew()

    def _renew(self):
        self.broken = False
        self.sender = Sender(self.stack, **{"message.timeout.ms": DELIVERY_S * 1000, "acks": "all", "log_level": 0})
        for send in list(self.on_their_way.values()):
            send()

    def _run(self):
        while not self.over:
            if not self.flowing.wait(0.1):
                continue
            with self.mutex:
                for _ in range(max(1, self.per_second // 20)):
                    self._send_any()
            time.sleep(0.05)

    def _send_any(self):
        loud = self.rng.random() < LOUD_SHARE
        tenant = self.loud if loud else self.rng.choice(self.tenants[1:])
        kind, behave, _ = self.rng.choices(MIX, [share for *_, share in MIX])[0]
        getattr(self, kind)(tenant, behave=behave)

    def _send(self, made, send):
        """Kafka takes it, or says why not; send(on_delivery) calls the sender there is."""
        with self.model.lock:
            self.model.sent += 1
            number = self.model.sent

        def delivered(error, message):
            if error is not None and self.broken:
                return
            del self.on_their_way[number]
            if error is None:
                self.model.took(made, message)
            else:
                self.model.lost += 1
        with self.mutex, self._whole():
            self.on_their_way[number] = lambda: send(delivered)
            send(delivered)
        return made

    def _next(self, tenant, key):
        self.numbers[tenant, key] += 1
        return self.numbers[tenant, key]

    def entry(self, tenant, key=None, behave="ok"):
        """An entry, the next of its key."""
        with self.mutex:
            key = key or f"k{self.rng.randrange(KEYS)}"
            made = Input("entry", tenant, key, self._next(tenant, key), behave, self._id(),
                         ENDS.get(behave, ANY))
            return self._send(made, lambda delivered: self.sender.entry(
                tenant, key, made.n, behave, event_id=made.event_id, on_delivery=delivered))

    def charge(self, tenant, behave="ok"):
        """A charge nobody asked for before."""
        with self.mutex:
            account = f"a{self.rng.randrange(ACCOUNTS)}"
            made = Input("charge", tenant, f"{tenant[:8]}-{self._next(tenant, 'charge')}", 100,
                         behave, self._id(), ENDS.get(behave, ANY), account=account)
            return self._send(made, lambda delivered: self.sender.charge(
                tenant, made.key, made.n, behave, account=account, event_id=made.event_id, on_delivery=delivered))

    def count(self, tenant, behave="ok"):
        """Something to add to a total."""
        with self.mutex:
            made = Input("count", tenant, f"c{self.rng.randrange(KEYS)}", self.rng.randrange(1, 9),
                         behave, self._id(), ENDS.get(behave, ANY))
            return self._send(made, lambda delivered: self.sender.count(
                tenant, made.key, made.n, behave, event_id=made.event_id, on_delivery=delivered))

    def bad(self, tenant, value=b"", headers=None):
        """A record that no reader of the suite can take for an event."""
        made = Input("bad", tenant, "", 0, "bad", "", DEAD)
        return self._send(made, lambda delivered: self.sender.producer.produce(
            TOPIC, value, tenant, headers=headers, on_delivery=delivered))

    def again(self, made):
        """The same record once more, as a producer that was not sure sends it."""
        copy = Input(**{**made.__dict__, "part": -1, "offset": -1})
        return self._send(copy, lambda delivered: self.sender.entry(
            copy.tenant, copy.key, copy.n, copy.behave, event_id=copy.event_id, on_delivery=delivered))

    def _id(self):
        return str(uuid.UUID(int=self.rng.getrandbits(128), version=4))
