"""A broker with an authorizer: what each principal may do is what the table says, and no more.

The matrix is made of the table (estctl acl declared) and of the topics and groups there are, so a new
topic is in it by being there. That the table is right is shown by the services at work under it, here
and in every test that runs with ESTEIRA_TEST_SECURE=1, and by tests/contract/test_acl.py.
"""
import json
import urllib.request

import belt
import confluent_kafka.admin
import kafka_wire
import pytest
from stack import SERVICES, TOPIC_PREFIX, StepError

PARTNERS = ("acme", "zeta")
IMPLIED = {"DESCRIBE": {"DESCRIBE", "READ", "WRITE", "DELETE", "ALTER"}}


@pytest.fixture(scope="module", name="plant")
def make_plant(secure):
    """Two partners, one of them revoked again, and all services at work under their own names."""
    for slug in PARTNERS:
        secure.stack.estctl("partner", "add", slug, "--name", slug.title())
    secure.stack.estctl("partner", "revoke", "zeta")
    return secure


def admin_of(stack):
    """A connection to the broker of somebody who may do everything."""
    return kafka_wire.Asker(stack.ports["kafka"], stack.tls_context("admin"))


def declared(stack):
    """The bindings of services and of the partner that is active."""
    return json.loads(stack.estctl("acl", "declared", "--partner", "acme", "--json"))


def is_declared(rows, principal, resource, name, operation):
    """As the broker reads bindings: by name or beginning, and who may read may look."""
    def fits(row):
        same = row["name"] == name if row["pattern"] == "LITERAL" else name.startswith(row["name"])
        return (same and row["resource"] == resource and row["principal"] == f"User:{principal}"
                and row["operation"] in IMPLIED.get(operation, {operation}))
    return any(map(fits, rows))


def topics_of(stack):
    """Every topic of the broker, its own among them, and one that is not there."""
    admin = confluent_kafka.admin.AdminClient(stack.kafka_client_conf())
    return [*admin.list_topics(timeout=20).topics, f"{TOPIC_PREFIX}made.tomorrow"]


def groups():
    """The groups of services and partners, and others beside them."""
    return [*(TOPIC_PREFIX + service for service in SERVICES), f"{TOPIC_PREFIX}intake.partners",
            *(f"partner.{slug}.{name}" for slug in PARTNERS for name in ("", "reader")), "partner.acme",
            "partner.acme2.reader", "test-reader"]


PRINCIPALS = [*(f"esteira-{service}" for service in SERVICES), *(f"partner-{slug}" for slug in PARTNERS), "nobody"]


@pytest.mark.parametrize("principal", PRINCIPALS)
def test_each_may_do_what_is_declared_and_nothing_else(plant, principal):
    stack, wrong = plant.stack, []
    rows, topics = declared(stack), topics_of(stack)
    assert {row["topic"] for row in json.loads(stack.estctl("topics", "check", "--json"))} < set(topics)
    assert {f"{TOPIC_PREFIX}partner.{slug}.{end}" for slug in PARTNERS for end in ("in", "dlq")} < set(topics)
    with kafka_wire.Asker(stack.ports["kafka"], stack.tls_context(principal)) as asker:
        for resource, names, operations in (("TOPIC", topics, kafka_wire.TOPIC_OPERATIONS),
                                            ("GROUP", groups(), kafka_wire.GROUP_OPERATIONS)):
            for name in names:
                for operation in operations:
                    want = is_declared(rows, principal, resource, name, operation)
                    if asker.may(resource, name, operation) != want:
                        wrong.append(f"{operation} {resource} {name} must {'' if want else 'not '}be allowed")
    assert not wrong


def test_the_admin_may_do_all_so_a_denial_is_no_accident(plant):
    stack = plant.stack
    with admin_of(stack) as asker:
        for topic in topics_of(stack):
            assert all(asker.may("TOPIC", topic, operation) for operation in kafka_wire.TOPIC_OPERATIONS), topic
        assert all(asker.may("GROUP", f"{TOPIC_PREFIX}ocr", operation) for operation in kafka_wire.GROUP_OPERATIONS)


def test_without_a_certificate_nobody_gets_in(plant):
    bare = plant.stack.tls_context()
    with pytest.raises((OSError, AssertionError)):
        with kafka_wire.Asker(plant.stack.ports["kafka"], bare) as asker:
            asker.may("TOPIC", f"{TOPIC_PREFIX}ocr.jobs", "DESCRIBE")


def test_the_services_do_their_work_under_these_rights(plant):
    client = plant.client("alfa")
    job, _ = belt.finish(client, client.send(belt.sample("receipt-1")))
    assert job["status"] == "completed"


def test_apply_takes_away_what_is_too_much_and_tells_what_is_foreign(plant):
    stack = plant.stack
    with admin_of(stack) as admin:
        for principal, topic in (("esteira-audit", f"{TOPIC_PREFIX}ocr.jobs"), ("somebody", f"{TOPIC_PREFIX}ocr.jobs"),
                                 ("somebody", "elsewhere")):
            assert admin.ask(kafka_wire.create_acl(principal, topic)) == 0

    def states(*command):
        found = json.loads(stack.estctl("acl", *command, "--json"))
        return {(row["principal"], row["name"]): row["state"] for row in found if row["state"] != "exists"}
    much, other = ("User:esteira-audit", f"{TOPIC_PREFIX}ocr.jobs"), ("User:somebody", f"{TOPIC_PREFIX}ocr.jobs")
    assert states("list") == {much: "extra", other: "foreign"}
    assert states("apply", "--dry-run") == {much: "extra", other: "foreign"}
    assert states("apply") == {much: "removed", other: "foreign"}
    assert states("list") == {other: "foreign"}


def health(plant, service):
    """What a service says of Kafka."""
    with urllib.request.urlopen(plant.services[f"{service}-1"].admin + "/readyz", timeout=10) as got:
        return json.load(got)["dependencies"]["parts"]["kafka"]


def log_of(plant, service, event):
    """The lines of one event in a service's log."""
    with open(plant.stack.path(f"log/{service}-1.log"), encoding="utf-8") as f:
        return [line for line in map(json.loads, f) if line["event"] == event]


def test_a_denied_reader_says_so_lives_on_and_goes_on(plant):
    """audit may not read its topic for a while; what is written meanwhile is handled when it may again."""
    topic, client = f"{TOPIC_PREFIX}audit.trail", plant.client("alfa")
    pid, logged = plant.stack.pid("audit-1"), len(log_of(plant, "audit", "kafka.denied"))
    with admin_of(plant.stack) as admin:
        assert admin.ask(kafka_wire.delete_acls("esteira-audit", topic)) == 0
    job = client.send(belt.sample("receipt-2"))  # somebody must write: a fetch that waits is not asked again
    client.ended(job)
    belt.wait_for("the denial in health", lambda: health(plant, "audit").get("error") == "kafka-denied", 60)
    lines = [line for line in log_of(plant, "audit", "kafka.denied")[logged:] if line["operation"] == "read"]
    assert [line["name"] for line in lines] == [topic]
    assert plant.stack.pid("audit-1") == pid
    plant.stack.allow()
    belt.wait_for("no denial in health", lambda: health(plant, "audit")["status"] == "up", 60)
    client.trail(job, "PURGED", 60)
    assert plant.stack.pid("audit-1") == pid
    assert plant.count("SELECT count(*) FROM audit.dead_letter") == 0


def test_a_denied_writer_says_so_keeps_its_events_and_sends_them(plant):
    """ocr may write nothing for a while: its handle is refused whole, its outbox waits."""
    client, pid = plant.client("alfa"), plant.stack.pid("ocr-1")
    names = [row["name"] for row in declared(plant.stack)
             if row["principal"] == "User:esteira-ocr" and row["operation"] == "WRITE"]
    with admin_of(plant.stack) as admin:
        for name in names:
            assert admin.ask(kafka_wire.delete_acls("esteira-ocr", name)) == 0
    job = client.send(belt.sample("receipt-3"))
    belt.wait_for("the denial in health", lambda: health(plant, "ocr").get("error") == "kafka-denied", 60)
    assert client.job(job)["status"] in ("pending", "processing")
    plant.stack.allow()
    assert client.ended(job)["status"] == "completed"
    belt.wait_for("no denial in health", lambda: health(plant, "ocr")["status"] == "up", 60)
    assert plant.stack.pid("ocr-1") == pid


def test_who_may_not_decide_is_told_so(plant):
    stack = plant.stack
    for command in (("list",), ("apply",)):
        with pytest.raises(StepError, match="kafka-denied"):
            stack.estctl("acl", *command, env=stack.kafka_env("esteira-audit"))
