"""Webhooks on their way out: intake, outreach and a receiver that behaves as it is told to."""
import contextlib
import datetime
import json
import time
import uuid

import psycopg2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

import belt
import conveyor
import hooks
import rig
from receiver import Receiver, signatures

DONE, FAILED = "intake.document.completed.v1", "intake.document.failed.v1"
FAST = {"ESTEIRA_OUTREACH_SCHEDULE": "300ms,600ms,900ms", "ESTEIRA_OUTREACH_TIMEOUT_MS": "2000"}
MANY = 200
DEAD_EACH, HANG_MS, HELD = 50, 60000, 48  # of 128 calls


class Out:
    """A plant with outreach and a receiver; prova is a tenant for tests, which may use http."""

    def __init__(self, plant, receiver, sender):
        self.plant, self.stack, self.receiver, self.sender = plant, plant.stack, receiver, sender
        self.client, self.tenant = plant.client("prova"), plant.ids["prova"]

    def endpoint(self, path, **more):
        """A new one; answers what was answered."""
        return hooks.post(self.client, "/v1/webhooks", {"url": self.receiver.url(path), **more}, 201).json()

    def document(self, kind=DONE, tenant=None, **how):
        """An event as intake writes it; answers its id."""
        payload = {"job_id": str(uuid.uuid4()), "document_hash": "ab" * 32, "pages_total": 3,
                   "occurred_at": "2026-11-21T08:34:00.123Z"}
        return self.sender.send(kind, payload, tenant or self.tenant, **how)

    def deliveries(self, endpoint):
        """Newest first."""
        return self.client.get(f"/v1/webhooks/{endpoint['id']}/deliveries")["items"]

    def states(self, endpoint):
        """Of all its deliveries, sorted."""
        return sorted(d["state"] for d in self.deliveries(endpoint))

    def settled(self, endpoint, *states, timeout_s=30):
        """Once its deliveries are in these states: the newest one, with its attempts."""
        belt.wait_for(lambda: f"{states}, now {self.states(endpoint)}",
                      lambda: self.states(endpoint) == sorted(states), timeout_s, 0.1)
        newest = self.deliveries(endpoint)[0]
        return self.client.get(f"/v1/webhooks/{endpoint['id']}/deliveries/{newest['delivery_id']}")


@pytest.fixture(scope="module", name="plant")
def make_plant():
    with hooks.temporary() as plant, Receiver() as receiver:
        plant.start("outreach", **FAST)
        with conveyor.reference.Sender(plant.stack) as sender:
            plant.out = Out(plant, receiver, sender)
            yield plant


@pytest.fixture(name="out")
def make_out(plant):
    hooks.clean(plant)
    return plant.out


def statuses(delivery):
    """Of its attempts, oldest first; None: no answer."""
    return [a.get("status") for a in sorted(delivery["attempt_list"], key=lambda a: a["number"])]


def test_what_an_endpoint_gets(out):
    endpoint = out.endpoint("/plain")
    event_id = out.document()
    delivery = out.settled(endpoint, "delivered")
    (call,) = out.receiver.got("/plain")
    assert call["body"]["type"] == "document.completed" and call["body"]["data"]["pages_total"] == 3
    assert set(call["body"]) == {"type", "timestamp", "tenant", "data"}
    assert call["headers"]["webhook-id"] == delivery["delivery_id"] and delivery["event_id"] == event_id
    assert abs(int(call["headers"]["webhook-timestamp"]) - call["at"]) < 5
    assert signatures(call, endpoint["secret"]) == 1
    assert statuses(delivery) == [204] and delivery["attempts"] == 1
    assert out.tenant not in call["raw"].decode()  # the slug is its name outside


def test_the_same_event_twice_is_one_delivery(out):
    endpoint = out.endpoint("/twice")
    event_id = out.document()
    out.document(event_id=event_id)
    last = out.document()
    belt.wait_for("both", lambda: len(out.receiver.got("/twice")) == 2)
    out.settled(endpoint, "delivered", "delivered")
    assert {d["event_id"] for d in out.deliveries(endpoint)} == {event_id, last}
    assert len(out.receiver.got("/twice")) == 2


def test_who_is_told_what(out):
    all_of_it = out.endpoint("/all")
    failures = out.endpoint("/failures", filters=["document.failed"])
    out.document(DONE)
    out.document(FAILED)
    out.document(DONE, out.plant.ids["alfa"])  # another tenant's
    out.settled(all_of_it, "delivered", "delivered")
    out.settled(failures, "delivered")
    assert [c["body"]["type"] for c in out.receiver.got("/failures")] == ["document.failed"]
    assert len(out.receiver.got("/all")) == 2


def test_again_with_the_same_id(out):
    endpoint = out.endpoint("/again")
    out.receiver.tell("/again", 500, 404, 204)
    out.document()
    delivery = out.settled(endpoint, "delivered")
    calls = out.receiver.got("/again")
    assert statuses(delivery) == [500, 404, 204] and len(calls) == 3
    assert {c["headers"]["webhook-id"] for c in calls} == {delivery["delivery_id"]}
    assert len({c["raw"] for c in calls}) == 1
    assert calls[1]["at"] - calls[0]["at"] > 0.29 and calls[2]["at"] - calls[1]["at"] > 0.59


def test_behind_the_last_pause_it_failed_and_can_be_sent_again(out):
    endpoint = out.endpoint("/never")
    out.receiver.tell("/never", 503)
    out.document()
    delivery = out.settled(endpoint, "failed")
    assert statuses(delivery) == [503] * 4
    out.receiver.tell("/never", 204)
    path = f"/v1/webhooks/{endpoint['id']}/deliveries/{delivery['delivery_id']}/resend"
    out.client.call("POST", path, 202)
    again = out.settled(endpoint, "delivered")
    assert statuses(again) == [503] * 4 + [204]
    assert len({c["headers"]["webhook-id"] for c in out.receiver.got("/never")}) == 1
    assert out.plant.count("SELECT count(*) FROM outreach.dead_letter") == 0


def test_a_filtered_set_is_sent_again(out):
    endpoint = out.endpoint("/set")
    for _ in range(3):
        out.document()
    out.settled(endpoint, "delivered", "delivered", "delivered")
    hooks.post(out.client, f"/v1/webhooks/{endpoint['id']}/resend", {"state": "delivered"}, 202)
    belt.wait_for("all again", lambda: len(out.receiver.got("/set")) == 6)
    assert len({c["headers"]["webhook-id"] for c in out.receiver.got("/set")}) == 3
    out.settled(endpoint, "delivered", "delivered", "delivered")


def test_five_failures_put_the_brake_on(out):
    """Of this endpoint alone, and nothing of it counts as an attempt."""
    endpoint, other = out.endpoint("/brake", filters=["document.failed"]), out.endpoint("/no-brake")
    out.receiver.tell("/brake", 500)
    for _ in range(4):
        out.document(FAILED)
    out.settled(other, *["delivered"] * 4)
    belt.wait_for("five calls", lambda: len(out.receiver.got("/brake")) >= 5)
    calls = len(out.receiver.got("/brake"))
    assert calls <= 8  # those that were under way
    out.document(FAILED)
    out.settled(other, *["delivered"] * 5)
    assert len(out.receiver.got("/brake")) == calls and out.states(endpoint) == ["pending"] * 5


def test_gone_disables(out):
    endpoint = out.endpoint("/gone")
    out.receiver.tell("/gone", 410)
    out.document()
    out.settled(endpoint, "failed")
    belt.wait_for("it disabled", lambda: out.client.get(
        f"/v1/webhooks/{endpoint['id']}").get("disabled_reason") == "gone")
    other = out.endpoint("/after-gone")
    out.document()
    out.settled(other, "delivered")
    assert len(out.receiver.got("/gone")) == 1


@pytest.mark.parametrize("what,status,error", (
    ("redirect", 302, None), ("hang", None, "no-answer"), ("slow", 200, None),
    ("busy:1", 503, None)))
def test_hostile_answers(out, what, status, error):
    path = f"/hostile-{what.partition(':')[0]}"
    endpoint = out.endpoint(path)
    out.receiver.tell(path, what, 204)
    out.document()
    delivery = out.settled(endpoint, "delivered")
    first = min(delivery["attempt_list"], key=lambda a: a["number"])
    assert (first.get("status"), first.get("error_code")) == (status, error)
    assert out.receiver.got("/elsewhere") == []
    assert len(out.receiver.got(path)) == (1 if what == "slow" else 2)
    if what.startswith("busy"):
        calls = out.receiver.got(path)
        assert calls[1]["at"] - calls[0]["at"] >= 1


def self_signed(folder):
    """A certificate of its own making, and its key in the same file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.timezone.utc)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(
        7).not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(
        now + datetime.timedelta(days=1)).sign(key, hashes.SHA256())
    path = folder / "both.pem"
    path.write_bytes(made.public_bytes(Encoding.PEM) + key.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return (path,)


def test_a_certificate_that_nobody_vouches_for(out, tmp_path):
    """Said as what it is, and nothing is sent."""
    with Receiver(self_signed(tmp_path)) as receiver:
        endpoint = hooks.post(out.client, "/v1/webhooks", {"url": receiver.url("/tls")}, 201).json()
        out.document()
        delivery = out.settled(endpoint, "failed")
        assert receiver.got("/tls") == []
    assert {a.get("error_code") for a in delivery["attempt_list"]} == {"tls-failed"}
    assert delivery["last_error"] == "tls-failed" and set(statuses(delivery)) == {None}


def test_a_connection_closed_without_an_answer(out):
    """A fresh one: on one that was used before it may have been closed for its age, and libcurl
    calls again by itself."""
    with Receiver() as receiver:
        endpoint = hooks.post(out.client, "/v1/webhooks", {"url": receiver.url("/cut")}, 201).json()
        receiver.tell("/cut", "cut", 204)
        out.document()
        delivery = out.settled(endpoint, "delivered")
    assert statuses(delivery) == [None, 204]
    assert max(a.get("error_code", "") for a in delivery["attempt_list"]) == "no-answer"


def test_a_dead_letter_is_told(out):
    """Of any service; here intake cannot read what ocr is supposed to have sent."""
    endpoint = out.endpoint("/dead-letter", filters=["deadletter.created"])
    event_id = out.sender.send("ocr.document.failed.v1", {"no": "job"}, out.tenant,
                               topic="esteira.ocr.events")
    out.settled(endpoint, "delivered")
    (call,) = out.receiver.got("/dead-letter")
    data = call["body"]["data"]
    assert call["body"]["type"] == "deadletter.created"
    assert (data["event_id"], data["event_type"], data["group"], data["error_code"]) == (
        event_id, "ocr.document.failed.v1", "esteira.intake", "bad-record")
    letter = out.client.get(f"/v1/dead-letters/{data['dead_letter_id']}")
    assert letter["error_code"] == "bad-record"


def test_a_dead_letter_about_webhooks_is_not(out):
    """It would end where it began, and be told again."""
    event_id = out.sender.send("outreach.test.requested.v1", {"endpoint_id": 7}, out.tenant,
                               topic="esteira.outreach.commands")
    belt.wait_for("the letter", lambda: out.plant.count(
        f"SELECT count(*) FROM outreach.dead_letter WHERE event_id = '{event_id}'") == 1)
    belt.wait_for("all published", lambda: out.plant.count("SELECT count(*) FROM outreach.outbox") == 0)
    told = [json.loads(m.value()) for _, m in out.plant.records(("outreach.commands",))
            if rig.header(m, "ce_type") == "suite.deadletter.created.v1"]
    assert event_id not in [each["event_id"] for each in told]


def test_an_endless_body_is_cut(out):
    endpoint = out.endpoint("/endless")
    out.receiver.tell("/endless", "endless")
    out.document()
    assert statuses(out.settled(endpoint, "delivered")) == [200]


@pytest.mark.parametrize("url,error", (
    ("http://10.0.0.1/", "refused-address"), ("http://169.254.169.254/latest/", "refused-address"),
    ("http://[fd00::1]/", "refused-address"), ("http://nobody.invalid/", "unresolved"),
    ("http://127.0.0.1:1/", "unreachable")))
def test_where_no_call_goes(out, url, error):
    endpoint = hooks.post(out.client, "/v1/webhooks", {"url": url}, 201).json()
    out.document()
    delivery = out.settled(endpoint, "failed")
    assert {a.get("error_code") for a in delivery["attempt_list"]} == {error}
    assert set(statuses(delivery)) == {None}


def test_two_secrets_for_a_day(out):
    endpoint = out.endpoint("/rotate")
    newer = out.client.call("POST", f"/v1/webhooks/{endpoint['id']}/rotate", 200).json()["secret"]
    out.document()
    out.settled(endpoint, "delivered")
    (call,) = out.receiver.got("/rotate")
    assert signatures(call, endpoint["secret"]) == signatures(call, newer) == 1
    assert len(call["headers"]["webhook-signature"].split()) == 2


def test_a_test_event(out):
    endpoint = out.endpoint("/test", filters=["document.failed"])
    out.client.call("POST", f"/v1/webhooks/{endpoint['id']}/test", 202)
    out.settled(endpoint, "delivered")
    (call,) = out.receiver.got("/test")
    assert call["body"]["type"] == "webhook.test"


def test_a_dead_endpoint_delays_nobody(out):
    """It hangs, and many events wait for it; another one's events go past."""
    dead, well = out.endpoint("/dead"), out.endpoint("/well")
    out.receiver.tell("/dead", "hang")
    for _ in range(MANY):
        out.document()
    out.sender.flush()
    sent = time.time()
    belt.wait_for(lambda: f"all: {len(out.receiver.got('/well'))}",
                  lambda: len(out.receiver.got("/well")) == MANY, 60, 0.05)
    assert out.receiver.got("/well")[-1]["at"] - sent < 10
    assert out.states(well).count("delivered") > 0
    # before the breaker opens, 8 calls of 2 s at a time; then a probe a minute
    assert len(out.receiver.got("/dead")) <= 24
    assert out.states(dead).count("delivered") == 0


def hanging_tenant(out, slug):
    """A tenant for tests with as many endpoints as it may have, all of which hang; answers its id and their paths."""
    out.stack.tenant(slug, slug, "--test")
    out.plant.keys[slug] = out.stack.key(slug)
    paths = [f"/{slug}-{n}" for n in range(DEAD_EACH)]
    for path in paths:
        hooks.make(out.plant.client(slug), url=out.receiver.url(path), filters=["document.failed"])
        out.receiver.tell(path, "hang")
    return out.plant.tenant_id(slug), paths


def unchanged(count, least, for_s=3):
    """Truthy once count() is at least so much and has been the same for a while."""
    seen = count()
    time.sleep(for_s)
    return seen if seen >= least and count() == seen else None


def test_dead_endpoints_delay_nobody(out):
    """However many hang, those of two tenants here: who answered before gets his events at once, and so does who
    is new. They share a host, too, as tenants of a provider do: they do not share its connections."""
    out.stack.stop_one("outreach-1")
    out.plant.start("outreach", **{**FAST, "ESTEIRA_OUTREACH_TIMEOUT_MS": str(HANG_MS)})
    well = out.endpoint("/alive", filters=["document.completed"])
    out.document()
    out.settled(well, "delivered")
    dead = dict(hanging_tenant(out, slug) for slug in ("perdida", "parada"))

    def hang():
        return sum(len(out.receiver.got(path)) for paths in dead.values() for path in paths)
    for _ in range(3):
        for tenant in dead:
            out.document(FAILED, tenant)
    out.sender.flush()
    held = belt.wait_for(lambda: f"the calls, now {hang()}", lambda: unchanged(hang, HELD), 30)
    for number in range(2, 7):
        out.document()
        out.sender.flush()
        belt.wait_for("the one that is alive", lambda n=number: len(out.receiver.got("/alive")) == n, 5)
    fresh = out.endpoint("/fresh", filters=["document.completed"])
    out.document()
    out.settled(fresh, "delivered", timeout_s=10)
    assert held <= HELD + 2  # the second tenant begins beside the first
    out.stack.kill_one("outreach-1")  # with all those calls
    out.plant.start("outreach", **FAST)


def test_in_order_where_that_is_wanted(out):
    endpoint = out.endpoint("/order", ordered=True)
    out.receiver.tell("/order", 500, 204)
    events = [out.document() for _ in range(5)]
    out.sender.flush()
    out.settled(endpoint, *["delivered"] * 5)
    by_id = {d["delivery_id"]: d["event_id"] for d in out.deliveries(endpoint)}
    came = [by_id[c["headers"]["webhook-id"]] for c in out.receiver.got("/order")]
    assert came == [events[0], *events]


def test_what_is_asked_waits_for_no_delivery(out):
    """Of an ordered endpoint that takes nothing: asking for a test or to send again is seen at once."""
    endpoint = out.endpoint("/order-asked", ordered=True)
    out.document()
    first = out.settled(endpoint, "delivered")
    out.receiver.tell("/order-asked", "busy:120")
    out.document()
    belt.wait_for("a call", lambda: len(out.receiver.got("/order-asked")) == 2)
    event_id = out.client.call("POST", f"/v1/webhooks/{endpoint['id']}/test", 202).json()["event_id"]
    newest = out.settled(endpoint, "delivered", "pending", "pending", timeout_s=10)
    assert (newest["event_id"], newest["event_type"], newest["attempts"]) == (event_id, "webhook.test", 0)
    out.client.call("POST", f"/v1/webhooks/{endpoint['id']}/deliveries/{first['delivery_id']}/resend", 202)
    out.settled(endpoint, *["pending"] * 3, timeout_s=10)
    assert len(out.receiver.got("/order-asked")) == 2


def test_killed_in_the_middle_of_a_call(out):
    """At least once, under one id; and each event ends once."""
    endpoint = out.endpoint("/kill")
    out.receiver.tell("/kill", "hang", 204)
    out.document()
    belt.wait_for("a call", lambda: out.receiver.got("/kill"))
    out.stack.kill_one("outreach-1")
    out.stack.start_one("outreach-1")
    out.settled(endpoint, "delivered", timeout_s=60)
    assert len({c["headers"]["webhook-id"] for c in out.receiver.got("/kill")}) == 1


def test_a_deleted_endpoint_gets_nothing_more(out):
    endpoint = out.endpoint("/deleted")
    out.receiver.tell("/deleted", 500)
    event_id = out.document()
    belt.wait_for("a call", lambda: out.receiver.got("/deleted"))
    out.client.call("DELETE", f"/v1/webhooks/{endpoint['id']}", 204)
    belt.wait_for("the end of it", lambda: out.stack.psql(
        f"SELECT state FROM outreach.deliveries WHERE event_id = '{event_id}'").strip() == "cancelled")
    count = len(out.receiver.got("/deleted"))
    other = out.endpoint("/after-deleted")
    out.document()
    out.settled(other, "delivered")
    assert len(out.receiver.got("/deleted")) == count


# A claim is committed as soon as nobody holds the lock: behind the look for the delivery, before what comes of it.
HOLD_CLAIM = """
CREATE FUNCTION outreach.hold() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    PERFORM pg_advisory_xact_lock_shared(77); RETURN NEW; END $$;
CREATE CONSTRAINT TRIGGER hold AFTER INSERT ON outreach.claim DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
EXECUTE FUNCTION outreach.hold()"""
LET_GO = "DROP TRIGGER hold ON outreach.claim; DROP FUNCTION outreach.hold()"


def test_a_command_older_than_its_delivery_cancels_nothing(out):
    """Behind a lost tail Kafka has the command of before, and the event that makes the delivery anew comes with a
    command of its own. Found by the restore drill: the old one took what was made meanwhile for ended."""
    endpoint, delivery = out.endpoint("/older"), str(uuid.uuid4())
    command = {"delivery_id": delivery, "endpoint_id": endpoint["id"], "round": 0}

    def send():
        out.sender.send("outreach.delivery.requested.v1", command, out.tenant, delivery,
                        topic="esteira.outreach.commands")
    out.stack.psql(HOLD_CLAIM)
    with contextlib.closing(psycopg2.connect(out.stack.psql_url())) as lock:
        lock.cursor().execute("SELECT pg_advisory_xact_lock(77)")
        send()
        belt.wait_for("a claim that waits", lambda: out.stack.psql(
            "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'advisory'"))
        hooks.rows(out.plant, "INSERT INTO outreach.deliveries (tenant_id, delivery_id, endpoint_id, event_id,"
                   " event_type, body) VALUES (%s, %s, %s, %s, 'document.completed', '{}')",
                   out.tenant, delivery, endpoint["id"], str(uuid.uuid4()))
    out.stack.psql(LET_GO)
    send()
    out.settled(endpoint, "delivered", timeout_s=20)
    assert len(out.receiver.got("/older")) == 1
