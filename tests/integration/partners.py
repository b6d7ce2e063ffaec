"""A partner as it is outside: its topics, the three forms of an event, and what an event is called."""
import json
import time
import uuid

import confluent_kafka

import belt
import rig

from stack import TOPIC_PREFIX

CHARGE, PAYMENT = "partner.charge.requested.v1", "partner.payment.received.v1"
TAKEN_S = 30  # a new partner is known after 5 s, and its partitions have to be given out
DATA = {"charge_id": "c-1", "kind": "pix", "amount_cents": 12990, "due_date": "2026-12-10"}


def event_id(tenant_id, partner, sent_id, source=None):
    """As docs/partners.md tells an outsider to compute it."""
    space = uuid.uuid5(uuid.NAMESPACE_DNS, "esteira.events")
    return str(uuid.uuid5(space, "\x1f".join((tenant_id, partner, source or f"/partners/{partner}", sent_id))))


def binary(sent_id, subject="alfa", kind=CHARGE, **more):
    """Headers of a CloudEvent in binary mode; None leaves one out."""
    headers = {"ce_specversion": "1.0", "ce_id": sent_id, "ce_type": kind, "ce_subject": subject,
               "content-type": "application/json", **more}
    return {name: value for name, value in headers.items() if value is not None}


def structured(sent_id, subject="alfa", **more):
    """A CloudEvent as one JSON object."""
    return json.dumps({"specversion": "1.0", "id": sent_id, "type": CHARGE, "subject": subject,
                       "data": DATA, **more}).encode()


def custom(sent_id, tenant="alfa", **more):
    """The customer's envelope."""
    return json.dumps({"event_id": sent_id, "event_type": CHARGE, "timestamp": "2026-01-16T10:30:00Z",
                       "tenant_id": tenant, "payload": DATA, **more}).encode()


STRUCTURED = {"content-type": "application/cloudevents+json; charset=utf-8"}


class Tail:
    """Everything of a topic from its beginning on, as it comes."""

    def __init__(self, stack, topic):
        self.topic, self.messages = TOPIC_PREFIX + topic, []
        self.consumer = confluent_kafka.Consumer({
            **stack.kafka_client_conf(), "group.id": f"test-{uuid.uuid4()}",
            "enable.auto.commit": False, "log_level": 0})
        known = self.consumer.list_topics(self.topic, timeout=10).topics[self.topic]
        self.consumer.assign([confluent_kafka.TopicPartition(self.topic, number, 0)
                              for number in known.partitions])

    def read(self, timeout_s=0.2):
        """Take what there is."""
        while messages := self.consumer.consume(1000, timeout_s):
            self.messages += [m for m in messages if m.error() is None]
            timeout_s = 0.05
        return self

    def of(self, name, value):
        """The messages with that header."""
        wanted = (name, value.encode())
        return [m for m in self.read().messages if wanted in (m.headers() or [])]

    def ids(self):
        """ce_id of each that has one."""
        return [value.decode("utf-8", "replace") for m in self.read().messages
                for name, value in m.headers() or [] if name == "ce_id"]

    def one(self, name, value, timeout_s=TAKEN_S):
        """Wait for the message with that header; there is one only."""
        found = belt.wait_for(lambda: f"{name} {value} on {self.topic}: {self.ids()[-20:]}",
                              lambda: self.of(name, value), timeout_s, 0.1)
        assert len(found) == 1
        return found[0]


class Partner:
    """A partner with its topics, as the operator makes it and as itself."""

    def __init__(self, plant, slug, *tenants):
        self.plant, self.slug = plant, slug
        self.acls = plant.stack.estctl("partner", "add", slug, "--name", slug.title())
        for tenant in tenants:
            plant.stack.estctl("partner", "grant", slug, "--tenant", tenant)
        self.topic = f"{TOPIC_PREFIX}partner.{slug}.in"
        self.producer = confluent_kafka.Producer({
            **plant.stack.kafka_client_conf(f"partner-{slug}"), "message.max.bytes": 2000000,
            "linger.ms": 5, "log_level": 0})
        self.dlq = Tail(plant.stack, f"partner.{slug}.dlq")

    def send(self, value, headers=None, key=None, **more):
        """Into the queue."""
        while True:
            try:
                self.producer.produce(self.topic, value=value, key=key, headers=headers, **more)
                return
            except BufferError:
                self.producer.poll(0.1)

    def flush(self):
        """Until the broker has all of it."""
        assert self.producer.flush(60) == 0

    def charge(self, sent_id, subject="alfa"):
        """A good event."""
        self.send(json.dumps(DATA), binary(sent_id, subject))

    def known(self, *tenants):
        """Send until an event for each tenant comes through: a grant counts after five seconds."""
        for tenant in tenants:
            mark = f"known-{uuid.uuid4()}"

            def taken(name=mark, slug=tenant):
                self.charge(name, slug)
                self.flush()
                time.sleep(0.5)
                return self.plant.events.of("ce_id", self.id_of(name, slug))
            belt.wait_for(f"{self.slug} may act for {tenant}", taken, TAKEN_S)
        return self

    def id_of(self, sent_id, tenant="alfa"):
        """What its event will be called."""
        return event_id(self.plant.tenant_id(tenant), self.slug, sent_id)
