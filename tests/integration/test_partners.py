"""Partners over Kafka: what outside producers write to their topics comes into the suite once, under the
right tenant, or back to them with the reason; whatever dies, is revoked or floods meanwhile."""
import json
import subprocess
import threading
import time
import uuid

import confluent_kafka
import confluent_kafka.admin
import pytest
import yaml

import belt
import rig
import scrape

from partners import (CHARGE, DATA, PAYMENT, STRUCTURED, TAKEN_S, Partner, Tail, binary, custom, event_id,
                      structured)
from proc import StepError
from stack import TOPIC_PREFIX

FLOOD = 60000


@pytest.fixture(scope="module", name="plant")
def make_plant():
    """Two tenants, one intake."""
    with rig.temporary(("alfa", "beta"), ("intake",)) as plant:
        plant.events = Tail(plant.stack, "intake.events")
        yield plant


@pytest.fixture(scope="module", name="acme")
def make_acme(plant):
    """A partner that may act for alfa alone and is known to intake."""
    return Partner(plant, "acme", "alfa").known("alfa")


def counted(plant, partner, outcome):
    """esteira_partner_records_total"""
    seen = scrape.Scrape(plant.services["intake-1"].admin)
    return seen.sum("esteira_partner_records_total", partner=partner, outcome=outcome)


# --- what comes in ---

def test_three_forms_arrive_once_under_their_tenant(plant, acme):
    acme.send(json.dumps({**DATA, "cpf": "11122233344"}), binary(
        "bin", ce_time="2026-01-16T07:30:00-03:00", ce_partitionkey="order-1",
        traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"))
    acme.send(structured("str", source="urn:acme:erp"), STRUCTURED)
    acme.send(custom("cus"))
    acme.flush()
    alfa = plant.tenant_id("alfa")
    for sent_id, source, key in (("bin", None, "order-1"), ("str", "urn:acme:erp", alfa),
                                 ("cus", None, alfa)):
        event = plant.events.one("ce_id", event_id(alfa, "acme", sent_id, source))
        assert event.key().decode() == alfa
        assert rig.header(event, "ce_tenantid") == alfa
        assert rig.header(event, "ce_tenantslug") == "alfa"
        assert rig.header(event, "ce_type") == CHARGE
        assert rig.header(event, "ce_source") == "/partners/acme"
        assert rig.header(event, "ce_partitionkey") == key
        assert json.loads(event.value()) == DATA, "what the schema does not know stays outside"
    event = plant.events.one("ce_id", acme.id_of("bin"))
    assert rig.header(event, "ce_time") == "2026-01-16T10:30:00.000Z"
    assert rig.header(event, "traceparent").split("-")[1] == "4bf92f3577b34da6a3ce929d0e0e4736"
    # one tenant, one partition, whoever sent it
    assert len({m.partition() for m in plant.events.messages if m.key().decode() == alfa}) == 1


def test_the_same_event_again_has_the_same_id(plant, acme):
    for form in (lambda: acme.send(json.dumps(DATA), binary("twice")),
                 lambda: acme.send(structured("twice"), STRUCTURED),
                 lambda: acme.send(custom("twice"))):
        form()
    acme.flush()
    wanted = acme.id_of("twice")
    belt.wait_for("the same id three times", lambda: plant.events.ids().count(wanted) == 3, TAKEN_S)


def test_a_payment(plant, acme):
    data = {"payment_id": "p-1", "amount_cents": 5, "paid_at": "2026-12-09T11:03:05-03:00", "method": "pix"}
    acme.send(json.dumps(data), binary("pay", kind=PAYMENT))
    acme.flush()
    event = plant.events.one("ce_id", acme.id_of("pay"))
    assert json.loads(event.value()) == {**data, "paid_at": "2026-12-09T14:03:05.000Z"}


def test_kcat_as_producer(plant, acme):
    headers = [part for name, value in binary("kcat").items() for part in ("-H", f"{name}={value}")]
    conf = [part for item in plant.stack.kafka_client_conf("partner-acme").items() for part in ("-X", "=".join(item))]
    subprocess.run(["kcat", "-P", *conf, "-t", acme.topic, *headers],
                   input=json.dumps(DATA).encode(), check=True, timeout=60)
    plant.events.one("ce_id", acme.id_of("kcat"))


def test_the_stock_java_client_as_producer(plant, acme):
    headers = ",".join(f"{name}:{value}" for name, value in binary("java").items())
    subprocess.run([plant.stack.kafka_cli, "org.apache.kafka.tools.ConsoleProducer",
                    "--bootstrap-server", plant.stack.kafka_bootstrap, "--topic", acme.topic,
                    *plant.stack.kafka_tool_args("--producer.config"), "--property", "parse.headers=true"],
                   input=f"{headers}\t{json.dumps(DATA)}\n".encode(), check=True, timeout=120,
                   capture_output=True)
    plant.events.one("ce_id", acme.id_of("java"))


# --- what does not ---

REFUSED = {
    "no such tenant": (json.dumps(DATA), binary("r", "gama"), "not-granted"),
    "tenant not theirs": (json.dumps(DATA), binary("r", "beta"), "not-granted"),
    "tenant's id, not its slug": (json.dumps(DATA), binary("r", str(uuid.uuid4())), "not-granted"),
    "no tenant": (json.dumps(DATA), binary("r", None), "bad-record"),
    "no id": (json.dumps(DATA), binary(None), "bad-record"),
    "a type of the suite's": (json.dumps(DATA), binary("r", kind="intake.document.completed.v1"), "unknown-type"),
    "a type nobody knows": (json.dumps(DATA), binary("r", kind="partner.charge.requested.v9"), "unknown-type"),
    "against the schema": (json.dumps({**DATA, "amount_cents": 0}), binary("r"), "bad-record"),
    "money as text": (json.dumps({**DATA, "amount_cents": "1"}), binary("r"), "bad-record"),
    "257 KiB": (json.dumps({**DATA, "pad": "x" * 257 * 1024}), binary("r"), "record-too-large"),
    "257 KiB, structured": (structured("r", data={**DATA, "pad": "x" * 257 * 1024}), STRUCTURED,
                            "record-too-large"),
    "900 KiB": (b"x" * 900 * 1024, binary("r"), "record-too-large"),
    "a key twice": (json.dumps(DATA)[:-1] + ', "kind": "pix"}', binary("r"), "bad-record"),
    "nested too deeply": (json.dumps({**DATA, "x": json.loads("[" * 20 + "]" * 20)}), binary("r"), "bad-record"),
    "not UTF-8": (json.dumps(DATA).encode().replace(b"c-1", b"\xff\xfe"), binary("r"), "bad-record"),
    "a header not UTF-8": (json.dumps(DATA), {**binary("r"), "ce_id": b"\xff"}, "bad-record"),
    "a time without zone": (json.dumps(DATA), binary("r", ce_time="2026-01-16T10:30:00"), "bad-record"),
    "no JSON": (b"hello", binary("r"), "bad-record"),
    "no form of the three": (json.dumps(DATA), None, "bad-record"),
    "nothing at all": (None, None, "bad-record"),
    "too many headers": (json.dumps(DATA), [*binary("r").items(), *((f"h{n}", "x") for n in range(40))],
                         "bad-record"),
    "headers over 64 KiB": (json.dumps(DATA), {**binary("r"), "blob": b"x" * 66000}, "record-too-large"),
    "base64": (structured("r", data_base64="e30="), STRUCTURED, "bad-record"),
}


def as_bytes(value):
    return value.encode() if isinstance(value, str) else value


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_refused_goes_back_with_the_reason(plant, acme, what):
    value, headers, code = REFUSED[what]
    mark, refused = f"key of {what}", counted(plant, "acme", "refused")
    acme.send(value, headers, key=mark)
    acme.flush()
    acme.charge(f"behind {what}")  # in another partition, perhaps; but behind
    acme.flush()
    found = belt.wait_for("a refusal", lambda: [m for m in acme.dlq.read().messages
                                                if m.key() == mark.encode()], TAKEN_S)
    assert len(found) == 1
    assert rig.header(found[0], "x-error-code") == code
    assert rig.header(found[0], "__connect.errors.exception.class.name") == code
    assert rig.header(found[0], "__connect.errors.exception.message")
    assert rig.header(found[0], "__connect.errors.topic") == acme.topic
    assert rig.header(found[0], "x-group") == f"{TOPIC_PREFIX}intake.partners"
    if len(value or "") < 768 * 1024:
        assert found[0].value() == as_bytes(value)
    else:
        assert (found[0].value() or b"", rig.header(found[0], "x-value-left-out")) == (b"", "1")
    sent = list(headers.items() if isinstance(headers, dict) else headers or [])
    sent = [(name, as_bytes(text)) for name, text in sent]
    if what != "headers over 64 KiB":
        assert found[0].headers()[:min(len(sent), 32)] == sent[:32]
    plant.events.one("ce_id", acme.id_of(f"behind {what}"))
    assert plant.events.of("ce_id", acme.id_of("r")) == []
    assert counted(plant, "acme", "refused") == refused + 1


def test_a_suspended_tenant_is_nobodys(plant, acme):
    plant.stack.estctl("partner", "grant", "acme", "--tenant", "beta")
    acme.known("beta")
    plant.stack.estctl("tenant", "suspend", "beta")
    time.sleep(10)
    acme.charge("suspended", "beta")
    acme.flush()
    assert rig.header(acme.dlq.one("ce_id", "suspended"), "x-error-code") == "not-granted"
    plant.stack.estctl("tenant", "activate", "beta")
    acme.known("beta")
    plant.stack.estctl("partner", "revoke", "acme", "--tenant", "beta")


# --- the operator ---

def test_estctl(plant, acme):
    estctl = plant.stack.estctl
    assert acme.acls.count("User:partner-acme ") == 3
    assert acme.acls.rstrip().endswith(" --resource-pattern-type prefixed --group partner.acme.")
    user = yaml.safe_load(estctl("partner", "add", "acme", "--name", "Again", "--strimzi", "main"))
    assert user["kind"] == "KafkaUser" and len(user["spec"]["authorization"]["acls"]) == 3
    listed = {row["slug"]: row for row in json.loads(estctl("partner", "list", "--json"))}
    assert "table" not in listed
    assert (listed["acme"]["name"], listed["acme"]["state"]) == ("Acme", "active")
    assert listed["acme"]["tenants"] == "alfa"
    for args in (("add", "self", "--name", "x"), ("add", "table", "--name", "a\nb"), ("add", "table", "--name", "\x1b[2J"),
                 ("add", "table", "--name", "x", "--strimzi", "a: b"), ("add", "table", "--name", "x", "--strimzi", "a\nb"), ("add", "Acme", "--name", "x"),
                 ("grant", "nobody", "--tenant", "alfa"), ("grant", "acme", "--tenant", "nobody"),
                 ("revoke", "nobody")):
        with pytest.raises(StepError):
            estctl("partner", *args)
    described = subprocess.run(
        plant.stack.kafka_tool("TopicCommand", "--describe", "--topic", f"{TOPIC_PREFIX}partner.acme.*"),
        check=True, capture_output=True, text=True, timeout=60).stdout
    assert "retention.ms=604800000" in described and "retention.ms=2592000000" in described
    assert described.count("PartitionCount: 12") == 2


def test_rights_need_brokers_that_ask_for_them(plant):
    if plant.stack.is_secured("kafka"):
        assert "missing" not in plant.stack.estctl("acl", "list")
    else:
        with pytest.raises(StepError, match="no authorizer"):
            plant.stack.estctl("acl", "list")


def test_keys_belong_to_granted_partners(plant, acme):
    estctl = plant.stack.estctl
    key = estctl("key", "create", "--tenant", "alfa", "--partner", acme.slug, "--scopes", "status").strip()
    estctl("key", "create", "--tenant", "alfa", "--partner", "self", "--scopes", "status")
    for partner, tenant in ((acme.slug, "beta"), ("nobody", "alfa"), ("", "alfa")):
        with pytest.raises(StepError):
            estctl("key", "create", "--tenant", tenant, "--partner", partner, "--scopes", "status")
    client = belt.Client(plant.services["intake-1"].url, key)
    client.call("GET", "/v1/jobs", 200)
    estctl("partner", "revoke", acme.slug, "--tenant", "alfa")
    belt.wait_for("the key's end", lambda: client.call("GET", "/v1/jobs").status == 401, 15, 0.2)
    with pytest.raises(StepError):
        estctl("key", "create", "--tenant", "alfa", "--partner", acme.slug, "--scopes", "status")
    estctl("partner", "grant", acme.slug, "--tenant", "alfa")
    client.call("GET", "/v1/jobs", 401)
    plant.client().call("GET", "/v1/jobs", 200)
    acme.known("alfa")


def test_a_revoked_grant_counts_within_ten_seconds(plant):
    partner = Partner(plant, "pair", "alfa", "beta").known("alfa", "beta")
    plant.stack.estctl("partner", "revoke", "pair", "--tenant", "beta")
    time.sleep(10)
    partner.charge("after", "beta")
    partner.charge("after", "alfa")
    partner.flush()
    assert rig.header(partner.dlq.one("ce_id", "after"), "x-error-code") == "not-granted"
    plant.events.one("ce_id", partner.id_of("after", "alfa"))
    assert plant.events.of("ce_id", partner.id_of("after", "beta")) == []


def is_denied(partner):
    """Does the broker refuse what it writes? Nothing of it is kept then."""
    said = []
    partner.send(json.dumps(DATA), binary("denied"), on_delivery=lambda error, _: said.append(error))
    partner.flush()
    return said[0] is not None and said[0].code() == confluent_kafka.KafkaError.TOPIC_AUTHORIZATION_FAILED


def test_a_revoked_partner_is_not_read_and_loses_nothing(plant):
    partner = Partner(plant, "gone", "alfa").known("alfa")
    refused = len(partner.dlq.read().messages)
    plant.stack.estctl("partner", "revoke", "gone")
    time.sleep(10)
    if plant.stack.is_secured("kafka"):
        assert is_denied(partner)
        partner.producer = confluent_kafka.Producer(plant.stack.kafka_client_conf())
    partner.charge("after")
    partner.flush()
    time.sleep(5)
    assert plant.events.of("ce_id", partner.id_of("after")) == []
    assert len(partner.dlq.read().messages) == refused
    listed = {row["slug"]: row for row in json.loads(plant.stack.estctl("partner", "list", "--json"))}
    assert listed["gone"]["state"] == "revoked" and "tenants" not in listed["gone"]
    assert "is revoked: it may act for alfa once it is added again" in plant.stack.estctl(
        "partner", "grant", "gone", "--tenant", "alfa", "--who", "maria")
    plant.stack.estctl("partner", "add", "gone", "--name", "Back", "--who", "maria")
    plant.events.one("ce_id", partner.id_of("after"))
    plant.stack.estctl("partner", "revoke", "gone", "--who", "maria")


def test_decisions_about_partners_are_in_the_audit(plant):
    """Those that changed something, once, with who decided; the last is behind all others."""
    estctl, trail, alfa = plant.stack.estctl, Tail(plant.stack, "audit.trail"), plant.tenant_id("alfa")
    for _ in range(2):
        estctl("partner", "add", "told", "--name", "Told", "--who", "maria")
        estctl("partner", "grant", "told", "--tenant", "alfa", "--who", "jo\u00e3o")
        estctl("partner", "revoke", "told", "--tenant", "alfa", "--who", "ana")
    estctl("partner", "revoke", "told", "--tenant", "alfa")
    estctl("partner", "revoke", "told")

    def told():
        found = [(json.loads(m.value()), rig.header(m, "ce_tenantid")) for m in trail.read().messages
                 if b"partner told" in (m.value() or b"")]
        return sorted((p["action"], p["actor"], p["object"], tenant) for p, tenant in found)
    belt.wait_for("the entries", lambda: len(told()) >= 6, TAKEN_S)
    host = [entry for entry in told() if "@" in entry[1]]
    assert [entry[::2] for entry in host] == [("partner.revoked", "partner told")]
    nil, pair = str(uuid.UUID(int=0)), "partner told for alfa"
    assert [entry for entry in told() if entry not in host] == sorted([
        ("partner.added", "maria", "partner told", nil),
        *[("partner.granted", "jo\u00e3o", pair, alfa)] * 2, *[("partner.revoked", "ana", pair, alfa)] * 2])


def test_an_unreadable_trace_refuses_nothing(plant, acme):
    for n, trace in enumerate((b"", b"\xff", b"garbage")):
        acme.send(json.dumps(DATA), {**binary(f"trace-{n}", ce_time="1970-01-01T00:00:00Z"), "traceparent": trace})
    acme.flush()
    for n in range(3):
        event = plant.events.one("ce_id", acme.id_of(f"trace-{n}"))
        assert rig.header(event, "ce_time") == "1970-01-01T00:00:00.000Z"
        assert "traceparent" not in dict(event.headers())


def test_the_lag_is_in_estctl_groups(plant):
    """Of a partner that never had anything read, too: intake is not there when it comes."""
    slow = Partner(plant, "slow", "alfa")
    topic = slow.topic

    def row():
        rows = json.loads(plant.stack.estctl("groups", "--service", "intake", "--json"))
        return [r for r in rows if r["group"] == f"{TOPIC_PREFIX}intake.partners" and r["topic"] == topic][0]
    assert row()["lag"] == 0
    plant.stack.stop_one("intake-1")
    for n in range(5):
        slow.charge(f"slow-{n}")
    slow.flush()
    assert row()["lag"] == 5
    plant.stack.start_one("intake-1")
    belt.wait_for("no lag", lambda: row()["lag"] == 0, TAKEN_S)
    plant.stack.estctl("partner", "revoke", "slow")


# --- others' trouble ---

def make_topic(stack, name):
    admin = confluent_kafka.admin.AdminClient(stack.kafka_client_conf())
    topic = confluent_kafka.admin.NewTopic(name, num_partitions=3, replication_factor=1)
    admin.create_topics([topic])[name].result(30)


def add_without_topics(plant, slug):
    """A partner of alfa as somebody makes it who has forgotten half of it; answers a producer that may write to it."""
    plant.stack.psql(f"INSERT INTO intake.partners (slug, name) VALUES ('{slug}', '');"
                     f"INSERT INTO intake.partner_tenants (tenant_id, partner) SELECT tenant_id, '{slug}'"
                     " FROM intake.tenants WHERE slug = 'alfa'")
    return confluent_kafka.Producer(plant.stack.kafka_client_conf())


def test_a_topic_that_is_missing_stops_nobody(plant, acme):
    producer = add_without_topics(plant, "bare")
    time.sleep(7)
    acme.charge("beside the missing")
    acme.flush()
    plant.events.one("ce_id", acme.id_of("beside the missing"))
    make_topic(plant.stack, f"{TOPIC_PREFIX}partner.bare.in")
    producer.produce(f"{TOPIC_PREFIX}partner.bare.in", json.dumps(DATA), headers=binary("late"))
    assert producer.flush(60) == 0
    plant.events.one("ce_id", event_id(plant.tenant_id("alfa"), "bare", "late"))
    plant.stack.estctl("partner", "revoke", "bare")


def test_a_missing_dlq_stops_its_partition_alone(plant, acme):
    """The library says after 30 s that there is no such topic."""
    topic = f"{TOPIC_PREFIX}partner.half.in"
    make_topic(plant.stack, topic)
    producer = add_without_topics(plant, "half")
    for n in range(50):
        producer.produce(topic, b"bad", partition=0, headers=binary(f"bad-{n}"))
    producer.produce(topic, json.dumps(DATA), partition=1, headers=binary("beside the bad"))
    assert producer.flush(60) == 0
    plant.events.one("ce_id", event_id(plant.tenant_id("alfa"), "half", "beside the bad"))
    acme.charge("beside the bad")
    acme.flush()
    plant.events.one("ce_id", acme.id_of("beside the bad"), 10)
    make_topic(plant.stack, f"{TOPIC_PREFIX}partner.half.dlq")
    dlq = Tail(plant.stack, "partner.half.dlq")
    wanted = {f"bad-{n}" for n in range(50)}
    belt.wait_for("every bad one", lambda: set(dlq.ids()) == wanted, 90, 0.5)
    plant.stack.estctl("partner", "revoke", "half")


def flooded(plant):
    """Records of the flood that are done."""
    return counted(plant, "flood", "accepted") + counted(plant, "flood", "refused")


def test_a_flood_delays_nobody_else(plant, acme):
    flood = Partner(plant, "flood", "beta").known("beta")
    bad = json.dumps({**DATA, "pad": "x" * 500, "amount_cents": 0})
    good = json.dumps({**DATA, "pad": "x" * 500})
    end = flooded(plant) + FLOOD
    for n in range(FLOOD):
        flood.send(bad if n % 10 == 0 else good, binary(f"flood-{n}", "beta"))
    delays = []
    while flooded(plant) < end:
        sent, began = f"beside {len(delays)}", time.monotonic()
        acme.charge(sent)
        acme.flush()
        plant.events.one("ce_id", acme.id_of(sent))
        delays.append(time.monotonic() - began)
        flood.producer.poll(0)
    flood.flush()
    print(f"\nbeside a flood: {len(delays)} events, slowest {max(delays):.2f} s")
    assert delays and max(delays) < 5
    assert plant.events.ids().count(flood.id_of("flood-1", "beta")) == 1


# --- our trouble ---

class Stream(threading.Thread):
    """A partner that sends on and on."""

    def __init__(self, partner, mark, count, rate):
        super().__init__(daemon=True)
        self.partner, self.names, self.rate = partner, [f"{mark}-{n}" for n in range(count)], rate
        self.start()

    def run(self):
        began = time.monotonic()
        for n, name in enumerate(self.names):
            self.partner.charge(name)
            if n % 100 == 99:
                self.partner.producer.poll(0)
                time.sleep(max(0.0, began + n / self.rate - time.monotonic()))

    def all_arrive(self, plant, timeout_s=120):
        """Wait for every event; answers how often each came."""
        self.join(timeout_s)
        self.partner.flush()
        alfa = plant.tenant_id("alfa")
        wanted = {event_id(alfa, self.partner.slug, name) for name in self.names}
        missing = set(wanted)

        def look():
            missing.difference_update(plant.events.ids())
            return not missing
        belt.wait_for(lambda: f"{len(missing)} of {len(wanted)} missing", look, timeout_s, 0.5)
        ids = [i for i in plant.events.ids() if i in wanted]
        return len(ids) - len(wanted)


def test_kill_9_in_mid_stream_loses_nothing(plant, acme):
    """What was under way came through and is not committed: it comes again, under the same id."""
    stream = Stream(acme, "kill", 40000, 1000)
    for _ in range(3):
        seen = len(plant.events.ids())
        # the dead one's partitions are free after its session of 6 s; then there is a backlog
        belt.wait_for("events", lambda s=seen: len(plant.events.read(0.01).messages) > s + 100, 40, 0)
        plant.stack.kill_one("intake-1")
        plant.stack.start_one("intake-1")
    again = stream.all_arrive(plant)
    print(f"\nkilled 3 times in 40,000 events: {again} came twice")
    assert again < 3 * 4096, "no more than what was under way"


def test_two_intakes_and_orderly_ends_send_nothing_twice(plant, acme):
    """A drain ends what is under way and commits it, before the partitions go to the other."""
    stream = Stream(acme, "drain", 12000, 1500)
    plant.start("intake", 2)
    time.sleep(3)
    plant.stack.stop_one("intake-1")
    time.sleep(2)
    plant.stack.start_one("intake-1")
    time.sleep(2)
    plant.stack.stop_one("intake-2")
    assert stream.all_arrive(plant) == 0


def test_kafka_away_and_back_loses_nothing(plant, acme):
    stream = Stream(acme, "away", 6000, 1500)
    time.sleep(1)
    plant.stack.kill_one("kafka")
    time.sleep(5)
    plant.stack.start_one("kafka")
    stream.all_arrive(plant)
    assert plant.stack.pid("intake-1"), "it waited"
