"""estctl groups and estctl topics check on real servers: what an operator sees of the groups and topics."""
import contextlib
import json
import time
import uuid

import confluent_kafka
import confluent_kafka.admin as kafka_admin
import pytest

import belt
from stack import Stack, StepError

GROUP, TOPIC = "esteira.ocr", "esteira.ocr.jobs"
PART, RECORDS, COMMITTED = 3, 7, 2
TENANT = uuid.UUID(int=7)
NOTHING = {"due": 0, "blocked": 0, "overflow": 0, "held": 0, "dead": 0, "epoch": 0}


@pytest.fixture(scope="module", name="stack")
def make_stack():
    def answers():
        with contextlib.suppress(StepError):
            return stack.estctl("groups")
    with Stack.temporary() as stack:
        # a new broker makes its topic of offsets at the first question, and takes its time
        belt.wait_for("a coordinator", answers, 60)
        yield stack


def groups(stack, *args):
    return json.loads(stack.estctl("groups", "list", "--json", *args))


def of(stack, topic, *args):
    """The one line of a topic."""
    found = [row for row in groups(stack, *args) if row["topic"] == topic]
    assert len(found) == 1, found
    return found[0]


def partition(stack, number):
    rows = groups(stack, "--service", "ocr", "--partitions")
    assert [row["partition"] for row in rows] == list(range(12))
    return rows[number]


def consumer(stack, group):
    return contextlib.closing(confluent_kafka.Consumer({
        **stack.kafka_client_conf(), "group.id": group, "log_level": 0,
        "enable.auto.commit": False, "auto.offset.reset": "earliest", "session.timeout.ms": 6000}))


def test_a_new_installation(stack):
    """Groups nobody has joined yet, of every topic that is declared to be read."""
    rows = groups(stack)
    assert {(row["group"], row["topic"]) for row in rows} == {
        ("esteira.intake", "esteira.ocr.events"), ("esteira.intake", "esteira.outreach.events"),
        (GROUP, TOPIC), ("esteira.audit", "esteira.audit.trail"),
        ("esteira.outreach", "esteira.intake.events"),
        ("esteira.outreach", "esteira.outreach.commands")}
    assert all(row["lag"] == row["members"] == 0 and "oldest_s" not in row for row in rows)
    assert all(NOTHING.items() <= row.items() and "holds" not in row for row in rows)
    assert stack.estctl("groups", "--json") == stack.estctl("groups", "list", "--json")
    assert "esteira.ocr.jobs" in stack.estctl("groups", "--service", "ocr")
    with pytest.raises(StepError, match="there is no service nobody"):
        groups(stack, "--service", "nobody")


def test_lag_and_age(stack):
    producer = confluent_kafka.Producer(stack.kafka_client_conf())
    for n in range(RECORDS):
        producer.produce(TOPIC, f"record {n}", str(TENANT), PART)
    assert producer.flush(30) == 0
    row = of(stack, TOPIC)
    assert row["lag"] == RECORDS and row["oldest_s"] < 60  # nothing committed: all of the log
    belt.wait_for("the records to be two seconds old",
                  lambda: of(stack, TOPIC)["oldest_s"] >= 2, step_s=0.5)
    with consumer(stack, GROUP) as reader:
        reader.commit(offsets=[confluent_kafka.TopicPartition(TOPIC, PART, COMMITTED)],
                      asynchronous=False)
    row = of(stack, TOPIC)
    assert (row["lag"], row["members"], row["state"]) == (RECORDS - COMMITTED, 0, "Empty")
    assert 2 <= row["oldest_s"] < 60
    seen = partition(stack, PART)
    assert (seen["committed"], seen["end"], seen["lag"]) == (COMMITTED, RECORDS, RECORDS - COMMITTED)
    assert seen["oldest_s"] >= row["oldest_s"]
    other = partition(stack, 0)
    assert "committed" not in other and other["lag"] == 0 and "oldest_s" not in other


def park(stack, offset, reason, due):
    stack.psql("INSERT INTO ocr.parked (grp, topic, part, off, event_id, tenant_id, ordering_key,"
               f" due_at, reason) VALUES ('{GROUP}', '{TOPIC}', {PART}, {offset}, '{uuid.uuid4()}',"
               f" '{TENANT}', 'k', {due}, '{reason}')")


def test_what_waits(stack):
    for offset, reason, due in (
            (1, "retry", "now() + interval '1 day'"), (2, "blocked", "now()"), (3, "blocked", "now()"),
            (4, "overflow", "now()"), (5, "hold", "'infinity'"), (6, "redrive", "now()")):
        park(stack, offset, reason, due)
    for state in ("open", "open", "open", "redriven", "discarded"):
        stack.psql("INSERT INTO ocr.dead_letter (id, grp, topic, part, off, error_class, state)"
                   f" VALUES ('{uuid.uuid4()}', '{GROUP}', '{TOPIC}', {PART}, 1, 'record', '{state}')")
    wanted = {**NOTHING, "due": 2, "blocked": 2, "overflow": 1, "held": 1, "dead": 3}
    for row in (of(stack, TOPIC), partition(stack, PART)):
        assert wanted.items() <= row.items(), row
    assert NOTHING.items() <= partition(stack, 0).items()


def replay(stack, kind, state, first, last, part=PART, **more):
    columns = {"grp": f"'{GROUP}'", "topic": f"'{TOPIC}'", "part": part, "from_offset": first,
               "to_offset": last, "kind": f"'{kind}'", "state": f"'{state}'", **more}
    return int(stack.psql(f"INSERT INTO ocr.replay ({', '.join(columns)}) VALUES"
                          f" ({', '.join(map(str, columns.values()))}) RETURNING id").split()[0])


def test_epoch_is_of_the_position(stack):
    around = replay(stack, "rewind", "done", 0, 6)
    assert partition(stack, PART)["epoch"] == around
    inner = replay(stack, "rewind", "open", COMMITTED, 4)
    replay(stack, "rewind", "open", 0, COMMITTED)  # before
    replay(stack, "side", "open", 0, 6, tenant_id=f"'{TENANT}'")  # of one tenant
    replay(stack, "rewind", "refused", 0, 6)  # never opened
    assert partition(stack, PART)["epoch"] == inner
    assert of(stack, TOPIC)["epoch"] == inner


def test_holds_are_named(stack):
    for part in (4, 5):
        replay(stack, "rewind", "held", 10, 60, part, created_at=f"'2026-11-0{part}T00:00Z'")
    replay(stack, "skip", "held", 1, 4, 6, created_at="'2026-11-06T00:00Z'")
    assert of(stack, TOPIC)["holds"] == (
        "rewind of 2 partitions, 100 records, since 2026-11-04T00:00:00.000Z; "
        "skip of 1 partitions, 3 records, since 2026-11-06T00:00:00.000Z")
    assert partition(stack, 5)["hold"] == "rewind of 10 to 60, since 2026-11-05T00:00:00.000Z"
    assert "hold" not in partition(stack, 7)


def test_members(stack):
    with consumer(stack, "esteira.audit") as member:
        member.subscribe(["esteira.audit.trail"])

        def joined():
            member.poll(0.1)
            row = of(stack, "esteira.audit.trail", "--service", "audit")
            return (row["members"], row["state"]) == (1, "Stable")
        belt.wait_for("a member", joined, 30)


def set_topic(stack, topic, name, value):
    admin = kafka_admin.AdminClient(stack.kafka_client_conf())
    resource = kafka_admin.ConfigResource(kafka_admin.RESOURCE_TOPIC, topic, set_config={name: value})
    admin.alter_configs([resource])[resource].result(20)  # the others become the broker's


def test_topics_are_compared_with_their_settings(stack):
    rows = json.loads(stack.estctl("topics", "check", "--json"))
    assert {row["state"] for row in rows} == {"exists"} and {row["replicas"] for row in rows} == {1}
    dlq = f"{TOPIC}.{GROUP}.dlq"
    set_topic(stack, dlq, "retention.ms", "3600000")
    for verb in ("check", "create"):  # which does not mend what it did not make
        with pytest.raises(StepError) as failed:
            stack.estctl("topics", verb)
        assert "exit 1" in str(failed.value)
        for said in (dlq, "retention.ms is 3600000, declared 2592000000",
                     "max.message.bytes is 1048588, declared 1048576"):
            assert said in str(failed.value)
    with pytest.raises(StepError, match="1 replicas where 3 are configured"):
        stack.estctl("topics", "check", env={"ESTEIRA_TOPICS_REPLICAS": "3"})
