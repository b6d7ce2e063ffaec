"""POST /v1/events and GET /v1/events/{id}: what a partner sends is in the log once it says so, under an id he can
compute, once however often he sends it; what is wrong with it is said item by item.
"""
import json
import threading
import time
import uuid

import pytest

import belt
import rig
from scrape import Scrape
from statements import Statements

JSON = "application/json"
CHARGE = "partner.charge.requested.v1"
NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "esteira.events")
MIB = 1 << 20


@pytest.fixture(scope="module", name="quiet")
def make_quiet():
    """An intake of its own, whose servers may be stopped."""
    with rig.temporary(("alfa",), ("intake",)) as quiet:
        yield quiet


def charge(event_id=None, **more):
    """A CloudEvent as a partner writes it."""
    event = {"specversion": "1.0", "type": CHARGE, "source": "/erp",
             "data": {"charge_id": "c-1", "kind": "pix", "amount_cents": 1990, "due_date": "2026-12-01"}}
    return {**event, **({} if event_id is None else {"id": event_id}), **more}


def fresh():
    """An id nobody has used."""
    return f"e-{uuid.uuid4()}"


def suite_id(plant, event_id, slug="alfa", source="/erp"):
    """As docs/api.md says."""
    return str(uuid.uuid5(NAMESPACE, "\x1f".join([plant.tenant_id(slug), "self", source, event_id])))


def post(client, body, want=202, key=None, kind=JSON):
    """body: bytes, or what becomes JSON."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"Content-Type": kind, **({} if key is None else {"Idempotency-Key": key})}
    return client.call("POST", "/v1/events", want, data, headers)


def outcomes(answer):
    """The code of each event, None of an accepted one; in order."""
    items = answer.json()["items"]
    assert [item["index"] for item in items] == list(range(len(items)))
    assert [item["status"] == "accepted" for item in items] == ["code" not in item for item in items]
    assert answer.json()["accepted"] == sum("id" in item for item in items)
    return [item.get("code") for item in items]


def refused(client, body, **how):
    """The codes of a request of which nothing was taken."""
    answer = post(client, body, 422, **how)
    assert answer.header("Content-Type") == "application/problem+json"
    assert answer.json()["code"] == "events-refused"
    return outcomes(answer)


def records(plant, event_ids):
    """Those of the log with these ids, as they stand in it."""
    return [message for _, message in plant.records(("intake.events",))
            if rig.header(message, "ce_id") in event_ids]


# --- what is taken ---

@pytest.mark.parametrize("kind", [JSON, "application/cloudevents+json", JSON + "; charset=utf-8"])
def test_one(plant, kind):
    event_id = fresh()
    answer = post(plant.client(), charge(event_id), kind=kind)
    expected = suite_id(plant, event_id)
    assert answer.json() == {"accepted": 1, "refused": 0, "items": [
        {"index": 0, "id": expected, "status": "accepted"}]}
    (message,) = records(plant, {expected})
    assert rig.header(message, "ce_type") == CHARGE
    assert rig.header(message, "ce_tenantid") == plant.tenant_id("alfa") == message.key().decode()
    assert json.loads(message.value())["amount_cents"] == 1990


def test_envelope_without_cloudevents(plant):
    event_id = fresh()
    event = {"event_id": event_id, "event_type": CHARGE, "timestamp": "2026-11-21T09:00:00-03:00",
             "tenant_id": "alfa", "payload": charge()["data"]}
    post(plant.client(), event)
    (message,) = records(plant, {suite_id(plant, event_id, source="/partners/self")})
    assert rig.header(message, "ce_time") == "2026-11-21T12:00:00.000Z"


def test_batch_with_a_bad_one(plant):
    ids = [fresh() for _ in range(3)]
    batch = [charge(ids[0]), charge(ids[1], time="2026-11-21T12:00:00"), charge(ids[2])]
    answer = post(plant.client(), batch, kind="application/cloudevents-batch+json")
    assert outcomes(answer) == [None, "bad-record", None]
    assert len(records(plant, {suite_id(plant, n) for n in ids})) == 2


def test_a_thousand_and_one(plant):
    key = fresh()
    answer = post(plant.client(), [charge()] * 1000, key=key)
    assert outcomes(answer) == [None] * 1000
    ids = [item["id"] for item in answer.json()["items"]]
    assert ids[999] == suite_id(plant, f"{key}/999") and len(set(ids)) == 1000
    assert len(records(plant, set(ids))) == 1000
    assert post(plant.client(), [charge()] * 1000, key=f'"{key}"').json()["items"][5]["id"] == ids[5]
    post(plant.client(), [charge()] * 1001, 413, key=key).problem("body-too-large")


def test_extra_members_stay_outside(plant):
    event_id = fresh()
    post(plant.client(), charge(event_id, data={**charge()["data"], "cpf": "111.444.777-35"}))
    (message,) = records(plant, {suite_id(plant, event_id)})
    assert b"111.444" not in message.value()


def test_trace_goes_on(plant):
    event_id, trace = fresh(), "0af7651916cd43dd8448eb211c80319c"
    plant.client().call("POST", "/v1/events", 202, json.dumps(charge(event_id)), {
        "Content-Type": JSON, "traceparent": f"00-{trace}-b7ad6b7169203331-01"})
    (message,) = records(plant, {suite_id(plant, event_id)})
    assert trace in rig.header(message, "traceparent")


def test_chunked(plant):
    event_id = fresh()
    body = json.dumps(charge(event_id)).encode()
    with belt.Wire(plant.client().url) as wire:
        wire.request("POST", "/v1/events", [f"X-API-Key: {plant.keys['alfa']}", f"Content-Type: {JSON}",
                                            "Transfer-Encoding: chunked"])
        for byte in (body[:7], body[7:]):
            wire.send(b"%x\r\n%s\r\n" % (len(byte), byte))
        assert wire.send(b"0\r\n\r\n").answer("POST", "/v1/events").status == 202
    assert records(plant, {suite_id(plant, event_id)})


# --- what is not ---

def test_same_id_with_another_body(plant):
    """Taken, under the same id: the inboxes downstream let the first one through."""
    event_id = fresh()
    first = post(plant.client(), charge(event_id)).json()
    other = post(plant.client(), charge(event_id, data={**charge()["data"], "amount_cents": 7})).json()
    assert first == other
    found = records(plant, {suite_id(plant, event_id)})
    assert [json.loads(message.value())["amount_cents"] for message in found] == [1990, 7]


@pytest.mark.parametrize("what,event,code", [
    ("unknown type", charge("x", type="partner.nothing.happened.v1"), "unknown-type"),
    ("a type of the suite", charge("x", type="intake.document.received.v1"), "unknown-type"),
    ("no id", charge(), "bad-record"),
    ("empty id", charge(""), "bad-record"),
    ("subject of another tenant", charge("x", subject="beta"), "tenant-mismatch"),
    ("subject of nobody", charge("x", subject="nobody"), "tenant-mismatch"),
    ("time without zone", charge("x", time="2026-11-21T12:00:00"), "bad-record"),
    ("breaks its schema", charge("x", data={**charge()["data"], "amount_cents": "19.90"}), "bad-record"),
    ("not enough", charge("x", data={}), "bad-record"),
    ("no object", 7, "bad-record"),
    ("257 KiB", charge("x", data={**charge()["data"], "more": "x" * (257 << 10)}), "record-too-large"),
])
def test_refused(plant, what, event, code):
    assert refused(plant.client(), event) == [code], what


@pytest.mark.parametrize("what,body", [
    ("a key twice", json.dumps(charge("x"))[:-1].encode() + b',"id":"y"}'),
    ("a key twice in the data", json.dumps(charge("x")).replace('"kind"', '"charge_id":"c-2","kind"').encode()),
    ("deep", json.dumps(charge("x")).replace('"c-1"', "[" * 40 + "]" * 40).encode()),
    ("not UTF-8", json.dumps(charge("x")).encode().replace(b"c-1", b"c-\xff")),
    ("no JSON", b"charge=1"),
])
def test_refused_text(plant, what, body):
    assert refused(plant.client(), body) == ["bad-record"], what


@pytest.mark.parametrize("what,body,status,code", [
    ("empty array", b"[]", 400, "bad-request"),
    ("nothing", b"", 400, "bad-request"),
    ("an array that does not end", b"[{}", 400, "bad-request"),
    ("over 4 MiB", b"[" + b" " * (4 * MIB) + b"]", 413, "body-too-large"),
])
def test_refused_request(plant, what, body, status, code):
    assert post(plant.client(), body, status, key="k").problem(code), what


@pytest.mark.parametrize("headers,status,code", [
    ({"Content-Type": "text/plain"}, 415, "unsupported-media-type"),
    ({"Content-Type": "application/avro"}, 415, "unsupported-media-type"),
    ({}, 415, "unsupported-media-type"),
    ({"Content-Type": JSON, "Content-Encoding": "gzip"}, 415, "unsupported-media-type"),
    ({"Content-Type": JSON, "Idempotency-Key": "k" * 252}, 400, "bad-parameter"),
    ({"Content-Type": JSON, "Idempotency-Key": '"'}, 400, "bad-parameter"),
])
def test_refused_headers(plant, headers, status, code):
    plant.client().call("POST", "/v1/events", status, json.dumps(charge()), headers).problem(code)


def test_two_idempotency_keys(plant):
    """Which of them would the ids be made of?"""
    client, body = plant.client(), json.dumps(charge()).encode()
    with belt.Wire(client.url) as wire:
        wire.request("POST", "/v1/events", (
            f"X-API-Key: {client.key}", f"Content-Type: {JSON}", f"Content-Length: {len(body)}",
            "Idempotency-Key: first", "Idempotency-Key: second"), body)
        answer = wire.answer("POST", "/v1/events")
    assert answer.status == 400
    answer.problem("bad-parameter")


@pytest.mark.parametrize("body,said", [
    (b"null", "not an object"), (b"5", "not an object"), (b"[null]", "not an object"),
    (b"[" * 40 + b"]" * 40, "deep"), (b"{", "not well-formed"),
    (json.dumps({**charge("x"), "more": 10 ** 30}).encode(), "64 bits"),
    (json.dumps({**charge("x"), "more": "a\0b"}).encode(), "U+0000"),
    (json.dumps(charge("x"))[:-1].encode() + b',"id":"y"}', "a key twice")])
def test_refusals_say_what_is_wrong(plant, body, said):
    items = post(plant.client(), body, 422).json()["items"]
    assert len(items) == 1 and said in items[0]["detail"], items


# --- keys ---

def test_keys(plant):
    url, event = plant.client().url, charge("x")
    for key in (None, "nonsense", "uk_00000000_" + "A" * 43):
        for _ in range(2):  # asked, remembered
            post(belt.Client(url, key), event, 401).problem("unauthenticated")
            belt.Client(url, key).call("GET", f"/v1/events/{uuid.uuid4()}", 401)
    other = belt.Client(url, plant.stack.key("alfa", "status,extract"))
    for _ in range(2):
        post(other, event, 403).problem("forbidden")
        other.call("GET", f"/v1/events/{uuid.uuid4()}", 403).problem("forbidden")


def test_revoked_key_ends_within_5_s(plant):
    key = plant.stack.key("beta", "events")
    client = belt.Client(plant.client().url, key)
    post(client, charge(fresh()))
    plant.stack.estctl("key", "revoke", "--tenant", "beta", key[3:11])
    began = time.monotonic()
    belt.wait_for("a 401", lambda: post(client, charge(fresh()), None).status == 401, 6, 0.1)
    assert time.monotonic() - began < 5.5


def test_a_good_key_is_asked_once(plant):
    """No look-up per request, but one every 5 s; others ask now and then."""
    client = belt.Client(plant.client().url, plant.stack.key("alfa", "events"))
    post(client, charge(fresh()))
    began = time.monotonic()
    with Statements(plant.stack) as log:
        seen = log.during(lambda: [post(client, charge(fresh())) for _ in range(200)])
    took = time.monotonic() - began
    assert sum(times for text, times in seen.items() if "key_lookup" in text) < 20 + took


# --- what became of it ---

def test_state(plant):
    client, event_id = plant.client(), fresh()
    post(client, charge(event_id))
    found, tenant = suite_id(plant, event_id), plant.tenant_id("alfa")
    path = f"/v1/events/{found}"
    assert client.get(path) == {"id": found, "state": "accepted", "handled_by": []}
    plant.client("beta").call("GET", path, 404).problem("not-found")
    with plant.redis() as redis:
        assert 0 < redis("TTL", f"event:{tenant}:{found}") <= 900
    plant.stack.psql("INSERT INTO audit.inbox (grp, event_id, tenant_id) VALUES"
                     f" ('esteira.audit', '{found}', '{tenant}')")
    state = client.get(path)
    assert state["state"] == "handled" and [one["service"] for one in state["handled_by"]] == ["audit"]
    plant.client("beta").call("GET", path, 404)
    letter = str(uuid.uuid4())
    plant.stack.psql("INSERT INTO ocr.dead_letter (id, grp, topic, part, off, event_id, tenant_id, error_class)"
                     f" VALUES ('{letter}', 'esteira.ocr', 'esteira.intake.events', 0, 0, '{found}', '{tenant}',"
                     " 'schema')")
    try:
        state = client.get(path)
        assert (state["state"], state["dead_letter"]) == ("dead", letter)
        assert [one["service"] for one in state["handled_by"]] == ["audit"]
        plant.client("beta").call("GET", path, 404)
    finally:  # other tests count dead letters
        plant.stack.psql(f"DELETE FROM ocr.dead_letter WHERE id = '{letter}'")
    assert client.get(path)["state"] == "handled"


def test_unknown_events(plant):
    for name in (uuid.uuid4(), "nonsense", "%00"):
        assert plant.client().call("GET", f"/v1/events/{name}").status in (400, 404)
    problem = plant.client().call("GET", f"/v1/events/{uuid.uuid4()}", 404).problem("not-found")
    for said in ("does not mean that it is lost", "15 minutes", "Kafka", "DLQ", "again under its id is safe"):
        assert said in problem["detail"]


def test_state_of_another_tenants_id_is_his_alone(plant):
    """The same source and id of two tenants are two events."""
    event_id = fresh()
    mine, theirs = (post(plant.client(slug), charge(event_id)).json()["items"][0]["id"]
                    for slug in ("alfa", "beta"))
    assert mine != theirs
    plant.client("alfa").call("GET", f"/v1/events/{theirs}", 404)


def test_counted(plant):
    def seen(outcome):
        return Scrape(plant.services["intake-1"].admin).sum("esteira_http_events_total", outcome=outcome)
    before = seen("accepted"), seen("refused")
    post(plant.client(), [charge(fresh()), 7, charge(fresh())])
    assert (seen("accepted"), seen("refused")) == (before[0] + 2, before[1] + 1)


# --- when something is away ---

def test_redis_away(quiet):
    """The note is best effort: events are taken without it."""
    client, event_id = quiet.client(), fresh()
    quiet.stack.stop_one("redis")
    post(client, charge(event_id))
    client.call("GET", f"/v1/events/{suite_id(quiet, event_id)}", 503).problem("redis-away")
    quiet.stack.start_one("redis")
    belt.wait_for("Redis to be there", lambda: client.call(
        "GET", f"/v1/events/{uuid.uuid4()}").status == 404, 20, 0.1)


def test_postgres_away(quiet):
    """A key that was asked for in the last seconds is good without Postgres; another is not known."""
    client = quiet.client()
    other = belt.Client(client.url, quiet.stack.key("alfa", "events"))
    post(client, charge(fresh()))
    quiet.stack.stop_one("postgres")
    answer = post(other, charge(fresh()), 503)
    answer.problem("postgres-away")
    assert int(answer.header("Retry-After")) > 0
    quiet.stack.start_one("postgres")
    belt.wait_for("a 202", lambda: post(other, charge(fresh()), None).status == 202, 20, 0.1)


def test_kafka_away(quiet):
    """Within seconds a 503 that says when to come again; the repetition takes effect once."""
    client, key = quiet.client(), fresh()
    batch = [charge() for _ in range(20)]
    post(client, charge(fresh()))
    quiet.stack.stop_one("kafka")
    slow = []

    def one(n):
        began = time.monotonic()
        answer = post(client, batch if n == 0 else charge(fresh()), 503, key=key if n == 0 else None)
        answer.problem("kafka-away")
        assert int(answer.header("Retry-After")) > 0
        slow.append(time.monotonic() - began)
    threads = [threading.Thread(target=one, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    # the loop does not wait for it, and what is wrong is said all the same
    assert client.get("/v1/jobs")["items"] == []
    post(client, charge(fresh(), type="x.v1"), 422)
    for thread in threads:
        thread.join()
    assert len(slow) == 8 and max(slow) < 8, slow
    quiet.stack.start_one("kafka")
    belt.wait_for("a 202", lambda: post(client, batch, None, key=key).status == 202, 40, 0.2)
    found = records(quiet, {suite_id(quiet, f"{key}/{n}") for n in range(20)})
    assert len({rig.header(message, "ce_id") for message in found}) == 20


def test_kafka_killed_in_mid_stream(quiet):
    """What was answered 202 is in the log, whatever happened to the broker meanwhile."""
    client, accepted, stop = quiet.client(), [], threading.Event()

    def send():
        while not stop.is_set():
            answer = post(client, [charge(fresh()) for _ in range(5)], None)
            assert answer.status in (202, 503), answer
            if answer.status == 202:
                accepted.extend(item["id"] for item in answer.json()["items"])
    threads = [threading.Thread(target=send) for _ in range(6)]
    for thread in threads:
        thread.start()
    belt.wait_for("some events", lambda: len(accepted) > 50, 20)
    quiet.stack.kill_one("kafka")
    time.sleep(0.5)
    before = len(accepted)
    quiet.stack.start_one("kafka")
    belt.wait_for("more events", lambda: len(accepted) > before + 50, 60)
    stop.set()
    for thread in threads:
        thread.join()
    assert set(accepted) <= {rig.header(m, "ce_id") for m in records(quiet, set(accepted))}


def test_clients_that_go_away(quiet):
    """At every moment: before the key is known, in the body, behind it; Kafka there or not."""
    body = json.dumps(charge(fresh())).encode()

    def leave(key, sent):
        with belt.Wire(quiet.client().url) as wire:
            wire.request("POST", "/v1/events", [f"X-API-Key: {key}", f"Content-Type: {JSON}",
                                                f"Content-Length: {len(body)}"], body[:sent])
            wire.reset()
    for stop in (False, True):
        if stop:
            quiet.stack.stop_one("kafka")
        for n in range(20):
            leave(f"uk_{n:08x}_" + "A" * 43, n % 2 * len(body))
            leave(quiet.keys["alfa"], (0, 10, len(body))[n % 3])
    post(quiet.client(), charge(fresh()), 503)
    quiet.stack.start_one("kafka")
    belt.wait_for("a 202", lambda: post(quiet.client(), charge(fresh()), None).status == 202, 40, 0.2)


def test_stopping_answers_what_it_took(quiet):
    """SIGTERM in mid-stream: every request has an answer or no connection, and what was 202 is in the log."""
    client, accepted, broken = quiet.client(), [], []

    def send():
        while True:
            try:
                answer = post(client, charge(fresh()), None)
            except OSError:
                return
            except Exception as wrong:  # pylint: disable=broad-except
                broken.append(wrong)  # an answer that was begun and not ended
                return
            if answer.status == 202:
                accepted.append(answer.json()["items"][0]["id"])
    threads = [threading.Thread(target=send) for _ in range(6)]
    for thread in threads:
        thread.start()
    belt.wait_for("some events", lambda: len(accepted) > 50, 20)
    began = time.monotonic()
    quiet.stack.stop_one("intake-1")
    assert time.monotonic() - began < 20
    for thread in threads:
        thread.join()
    assert not broken
    assert set(accepted) <= {rig.header(m, "ce_id") for m in records(quiet, set(accepted))}
    quiet.stack.start_one("intake-1")
