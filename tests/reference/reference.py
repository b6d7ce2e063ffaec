"""The reference service in a stack: its schema, its start, and records for it.

    reference.prepare(stack)                      # once per stack
    service = reference.start(stack, 1, ESTEIRA_REFERENCE_PROVIDER_URL=provider.url)
    with reference.Sender(stack) as sender:
        sender.entry(tenant, "key", 1)
"""
import json
import os
import secrets
import subprocess
import sys
import time
import uuid

import confluent_kafka
import confluent_kafka.admin

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(HERE)), "docker/local"))
# pylint: disable=wrong-import-position
from proc import StepError  # noqa: E402
from servers import DATABASE  # noqa: E402
from wires import KAFKA_ADMIN  # noqa: E402

TOPIC = "esteira.intake.events"
GROUP = "esteira.reference"
DLQ = f"{TOPIC}.{GROUP}.dlq"
NEXT = "esteira-reference-next"
ROLES = ("esteira_reference", "esteira_frame_reference")
GROUP_FAST = {"ESTEIRA_KAFKA_SESSION_MS": "6000"}  # a killed member is forgotten in 6 s, not 45


def prepare(stack):
    """Schema, roles with passwords, and the DLQ, in a stack that is deployed."""
    passwords = stack.secrets["roles"]
    env = {**os.environ, "PGPASSWORD": passwords["postgres"]}
    done = subprocess.run(
        ["psql", "-qX", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p",
         str(stack.ports["postgres"]), "-U", "postgres", "-d", DATABASE, "-f",
         os.path.join(HERE, "deploy.sql")], env=env, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise StepError("reference", done.stderr.strip(), "the migration templates changed")
    for role in ROLES:
        passwords[role] = secrets.token_urlsafe(18)
        stack.psql(f"ALTER ROLE {role} PASSWORD '{passwords[role]}'")
    admin = confluent_kafka.admin.AdminClient(stack.kafka_client_conf())
    parts = len(admin.list_topics(TOPIC, timeout=10).topics[TOPIC].partitions)
    made = admin.create_topics([confluent_kafka.admin.NewTopic(DLQ, parts, stack.replicas)])
    made[DLQ].result(20)


def start(stack, instance=1, wait=True, program="esteira-reference", **env):
    """A running reference service; nobody of the suite, so no ACL is declared for it."""
    return stack.start_service(
        "reference", instance, {**stack.kafka_env(KAFKA_ADMIN), **GROUP_FAST, **env}, wait, program)


class Sender:
    """Writes records as the suite's own producers would."""

    def __init__(self, stack, **conf):
        self.producer = confluent_kafka.Producer({
            **stack.kafka_client_conf(), "partitioner": "murmur2_random",
            "enable.idempotence": True, "linger.ms": 5, **conf})
        self.wrong = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.flush()

    def flush(self):
        """Until the broker has everything."""
        assert self.producer.flush(120) == 0, "records that Kafka did not take"
        assert not self.wrong, self.wrong

    def _delivered(self, error, _):
        if error is not None:
            self.wrong.append(error)

    def send(self, kind, payload, tenant, ordering_key=None, **how):
        """One record; how: topic, event_id, value (bytes instead of payload), headers (further ones), on_delivery.
        -> its event id."""
        event_id = how.get("event_id") or str(uuid.uuid4())
        headers = {
            "ce_specversion": "1.0", "ce_id": event_id, "ce_type": kind, "ce_source": "/tests",
            "ce_tenantid": tenant, "ce_partitionkey": ordering_key or tenant,
            "ce_time": time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime()),
            "ce_dataschema": f"urn:esteira:schema:{kind}", "content-type": "application/json",
            **how.get("headers", {})}
        value = how.get("value") or json.dumps(payload).encode()
        while True:
            try:
                self.producer.produce(how.get("topic", TOPIC), value, tenant, headers=list(headers.items()),
                                      on_delivery=how.get("on_delivery", self._delivered))
                self.producer.poll(0)
                return event_id
            except BufferError:
                self.producer.poll(0.1)

    def entry(self, tenant, key, n, behave="ok", **how):
        """reference.entry.requested.v1"""
        return self.send("reference.entry.requested.v1", {"key": key, "n": n, "behave": behave},
                         tenant, key, **how)

    def note(self, tenant, key, n, **how):
        """reference.note.requested.v1"""
        return self.send("reference.note.requested.v1", {"key": key, "n": n}, tenant, key, **how)

    def charge(self, tenant, charge, amount_cents=100, behave="ok", **how):
        """reference.charge.requested.v1; how: account too, else the charge is its own."""
        account = how.pop("account", charge)
        return self.send("reference.charge.requested.v1",
                         {"charge": charge, "account": account, "amount_cents": amount_cents,
                          "behave": behave}, tenant, account, **how)

    def count(self, tenant, name, n, behave="ok", **how):
        """reference.count.requested.v1"""
        return self.send("reference.count.requested.v1", {"name": name, "n": n, "behave": behave},
                         tenant, name, **how)
