"""What a tenant sees of its deliveries over REST, what outreach is told and what it says, and how endpoints do."""
import json
import time
import uuid

import confluent_kafka
import pytest

import belt
import hooks
import rig
from hooks import actor, add_delivery, commands, make, operations, patch, post, rows, without


@pytest.fixture(scope="module", name="plant")
def make_plant():
    """See hooks.py."""
    with hooks.temporary() as plant:
        yield plant


@pytest.fixture(autouse=True)
def clean(plant):
    """After each test."""
    yield
    hooks.clean(plant)


# --- deliveries ---

def test_deliveries_are_paged(plant):
    client = plant.client()
    endpoint, other = make(client)["id"], make(client)["id"]
    states = ("pending", "delivered", "failed", "cancelled")
    made = [(add_delivery(plant, endpoint, age=f"{9 - n} minutes", state=states[n % 4]), states[n % 4])
            for n in range(9)]
    add_delivery(plant, other)
    add_delivery(plant, endpoint, "beta")
    for state in (None, *states):
        wanted = [delivery for delivery, was in reversed(made) if state in (None, was)]
        page, found = f"/v1/webhooks/{endpoint}/deliveries?limit=2" + (f"&state={state}" if state else ""), []
        while page:
            answer = client.call("GET", page, 200)
            assert ("next_cursor" in answer.json()) == (answer.header("Link") is not None)
            found += [row["delivery_id"] for row in answer.json()["items"]]
            page = answer.header("Link") and answer.header("Link")[1:].split(">")[0]
        assert found == wanted
    path = f"/v1/webhooks/{endpoint}/deliveries"
    cursor = client.get(path + "?limit=1")["next_cursor"]
    foreign = make(plant.client("beta"))["id"]
    plant.client("beta").call("GET", f"/v1/webhooks/{foreign}/deliveries?cursor={cursor}", 400).problem("bad-parameter")
    client.call("GET", f"/v1/webhooks/{other}/deliveries?cursor={cursor}", 400).problem("bad-parameter")
    for query in ("limit=0", "limit=201", "limit=x", "state=gone", "state=", "cursor=x", f"state=failed&cursor={cursor}"):
        client.call("GET", f"{path}?{query}", 400).problem("bad-parameter")


def test_a_delivery_and_its_attempts(plant):
    client = plant.client()
    endpoint = make(client)["id"]
    fresh = add_delivery(plant, endpoint)
    path = f"/v1/webhooks/{endpoint}/deliveries"
    one = client.get(f"{path}/{fresh}")
    assert (one["state"], one["attempts"], one["attempt_list"]) == ("pending", 0, [])
    assert not {"last_status", "last_error", "delivered_at", "body", "round"} & set(one)
    tried = add_delivery(plant, endpoint, attempts=((None, "timeout"), (503, None), (204, None)), state="delivered",
                         last_status=204, delivered_at="2026-11-21T12:00:00.123456Z")
    one = client.get(f"{path}/{tried}")
    assert (one["last_status"], one["delivered_at"]) == (204, "2026-11-21T12:00:00.123Z")
    assert [without(row, "at") for row in one["attempt_list"]] == [
        {"number": 3, "status": 204, "took_ms": 7}, {"number": 2, "status": 503, "took_ms": 7},
        {"number": 1, "error_code": "timeout", "took_ms": 7}]
    listed = client.get(path)["items"]
    assert without(one, "attempt_list") in listed and len(listed) == 2
    many = add_delivery(plant, endpoint, attempts=((500, None),) * 205, state="failed", last_status=500)
    numbers = [row["number"] for row in client.get(f"{path}/{many}")["attempt_list"]]
    assert numbers == list(range(205, 5, -1))


# --- what outreach is told ---

def test_a_test_event_is_asked_for(plant):
    client = plant.client()
    endpoint = make(client)["id"]
    ids = [client.call("POST", f"/v1/webhooks/{endpoint}/test", 202).json()["event_id"] for _ in range(2)]
    told = commands(plant, endpoint, 2)
    assert {rig.header(message, "ce_id") for _, _, message in told} == set(ids) and len(set(ids)) == 2
    for kind, payload, message in told:
        assert (kind, payload) == ("outreach.test.requested.v1", {"endpoint_id": endpoint})
        assert message.key().decode() == rig.header(message, "ce_tenantid") == plant.ids["alfa"]
        assert rig.header(message, "ce_partitionkey") == endpoint
        assert rig.header(message, "ce_tenantslug") == "alfa"


def test_sent_again(plant):
    client = plant.client()
    endpoint = make(client)["id"]
    path = f"/v1/webhooks/{endpoint}"
    ended = [add_delivery(plant, endpoint, state=state) for state in ("failed", "delivered", "cancelled")]
    for delivery in ended:
        assert client.call("POST", f"{path}/deliveries/{delivery}/resend", 202).json() == {
            "id": delivery, "state": "resending"}
    waits = add_delivery(plant, endpoint)
    client.call("POST", f"{path}/deliveries/{waits}/resend", 409).problem("not-ended")
    told = commands(plant, endpoint, 3)
    assert [each[:2] for each in told] == [("outreach.resend.requested.v1", {
        "endpoint_id": endpoint, "delivery_id": delivery}) for delivery in ended]
    for delivery in ended:
        assert operations(plant, delivery) == [("webhook.resent", actor(plant), plant.ids["alfa"])]


def test_a_set_is_sent_again(plant):
    client = plant.client()
    endpoint = make(client)["id"]
    path = f"/v1/webhooks/{endpoint}/resend"
    wanted = [{"state": "failed"}, {"state": "cancelled", "from": "2026-11-20T00:00:00.000Z"},
              {"from": "2026-11-20T00:00:00.000Z", "to": "2026-11-21T00:00:00.500Z"}]
    for body in wanted:
        assert post(client, path, body, 202).json() == {"id": endpoint, "state": "resending"}
    assert post(client, path, {"to": "2026-11-20T00:00:00-03:00", "state": None}, 202)
    told = [without(each[1], "endpoint_id") for each in commands(plant, endpoint, 4)]
    assert told == [*wanted, {"to": "2026-11-20T03:00:00.000Z"}]
    for body, code in (("", "bad-request"), ("[]", "bad-request"), ("{}", "bad-parameter"),
                       ('{"state":null,"from":null}', "bad-parameter"),
                       ('{"state":"delivered","limit":1}', "bad-parameter"), ('{"state":"pending"}', "bad-parameter"),
                       ('{"state":"x"}', "bad-parameter"), ('{"state":1}', "bad-request"),
                       ('{"from":"yesterday"}', "bad-request"), ('{"from":"2026-11-20T00:00:00"}', "bad-request"),
                       ('{"from":"2026-11-20T00:00:00Z","to":"2026-11-20T00:00:00Z"}', "bad-parameter"),
                       ('{"to":"2026-11-20T00:00:00Z","to":null}', "bad-request")):
        post(client, path, body, 400).problem(code)
    assert "limit" in post(client, path, {"state": "failed", "limit": 1}, 400).json()["detail"]
    assert len(commands(plant, endpoint, 4)) == 4
    assert len(operations(plant, f"deliveries of webhook {endpoint}", 4)) == 4


def test_nothing_is_asked_of_a_disabled_one(plant):
    client = plant.client()
    endpoint = make(client)["id"]
    delivery = add_delivery(plant, endpoint, state="failed")
    patch(client, endpoint, {"state": "disabled"})
    path = f"/v1/webhooks/{endpoint}"
    client.call("POST", path + "/test", 409).problem("endpoint-disabled")
    post(client, path + "/resend", {"state": "failed"}, 409).problem("endpoint-disabled")
    client.call("POST", f"{path}/deliveries/{delivery}/resend", 409).problem("endpoint-disabled")
    client.call("POST", path + "/rotate", 200)
    assert client.get(path + "/deliveries")["items"]
    patch(client, endpoint, {"state": "active"})
    client.call("POST", path + "/test", 202)


# --- what outreach says ---

def say_gone(plant, endpoint, at_s, slug="alfa"):
    """outreach.endpoint.disabled.v1; answers when it was handled."""
    event = str(uuid.uuid4())
    when = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at_s)) + f".{int(at_s * 1000) % 1000:03d}Z"
    producer = confluent_kafka.Producer(plant.stack.kafka_client_conf())
    producer.produce("esteira.outreach.events", key=plant.ids[slug], value=json.dumps(
        {"endpoint_id": endpoint, "reason": "gone", "occurred_at": when}), headers={
            "ce_specversion": "1.0", "ce_id": event, "ce_type": "outreach.endpoint.disabled.v1",
            "ce_source": "/esteira/outreach", "ce_time": when, "ce_tenantid": plant.ids[slug],
            "ce_partitionkey": endpoint, "content-type": "application/json"})
    producer.flush(20)
    belt.wait_for("it was handled", lambda: plant.count(
        f"SELECT count(*) FROM intake.inbox WHERE event_id = '{event}'") == 1, 30)


def test_one_that_is_gone_is_disabled(plant):
    client = plant.client()
    endpoint = make(client)["id"]
    path = f"/v1/webhooks/{endpoint}"
    say_gone(plant, endpoint, time.time() - 60)
    assert client.get(path)["state"] == "active"  # it was made later
    say_gone(plant, endpoint, time.time() + 1, "beta")
    assert client.get(path)["state"] == "active"  # nobody else's say
    for _ in range(2):
        say_gone(plant, endpoint, time.time() + 1)
        shown = client.get(path)
        assert (shown["state"], shown["disabled_reason"]) == ("disabled", "gone")
    assert patch(client, endpoint, {"description": "x"})["disabled_reason"] == "gone"
    assert patch(client, endpoint, {"state": "active"})["state"] == "active"
    say_gone(plant, endpoint, time.time() - 60)
    assert client.get(path)["state"] == "active"
    told = [row for row in operations(plant, endpoint, 4) if row[0] == "webhook.disabled"]
    assert told == [("webhook.disabled", "esteira-outreach", plant.ids["alfa"])]
    say_gone(plant, str(uuid.uuid4()), time.time())
    assert plant.count("SELECT count(*) FROM intake.dead_letter") == 0


# --- health ---

def test_health(plant):
    client = plant.client()
    assert client.get("/v1/health/integrations") == {"overall": "ok", "webhooks": []}
    quiet, busy = make(client)["id"], make(client, url="https://Hooks.Example.com:8443/path?secret=1")["id"]
    add_delivery(plant, busy, age="2 minutes")
    add_delivery(plant, busy, age="1 minute", attempts=((None, "timeout"),))
    add_delivery(plant, busy, age="3 days", attempts=((500, None),), state="failed")
    add_delivery(plant, busy, age="4 minutes", attempts=((301, None), (500, None), (200, None)), state="delivered",
                 delivered_at="2026-01-01T00:00:00Z")
    done = add_delivery(plant, busy, attempts=((204, None),), state="delivered")
    rows(plant, "UPDATE outreach.deliveries SET delivered_at = now() WHERE delivery_id = %s", done)
    add_delivery(plant, busy, "beta", age="1 hour")
    said = client.get("/v1/health/integrations")
    assert said["overall"] == "ok"
    first, second = said["webhooks"]
    assert first == {"id": quiet, "url_host": "hooks.example.com", "state": "active", "pending": 0,
                     "delivered_24h": 0, "failed_attempts_24h": 0}
    assert 120 <= second.pop("oldest_pending_seconds") < 180
    assert second.pop("last_delivered_at") > "2026-11" and second.pop("last_failed_at") > "2026-11"
    assert second == {"id": busy, "url_host": "hooks.example.com", "state": "active", "pending": 2,
                      "delivered_24h": 1, "failed_attempts_24h": 3}
    late = add_delivery(plant, busy, age="6 minutes")
    assert client.get("/v1/health/integrations")["overall"] == "degraded"
    rows(plant, "UPDATE outreach.deliveries SET state = 'cancelled' WHERE delivery_id = %s", late)
    assert client.get("/v1/health/integrations")["overall"] == "ok"
    patch(client, quiet, {"state": "disabled"})
    assert client.get("/v1/health/integrations")["overall"] == "ok"
    rows(plant, "UPDATE intake.webhook_endpoints SET disabled_reason = 'gone' WHERE endpoint_id = %s", quiet)
    assert client.get("/v1/health/integrations")["overall"] == "degraded"


def test_health_stays_cheap(plant):
    """With a month of deliveries it still reads only what it counts."""
    client = plant.client()
    endpoint = make(client)["id"]
    rows(plant, "INSERT INTO outreach.deliveries (tenant_id, delivery_id, endpoint_id, event_id, event_type, body,"
         " state, attempts, last_status, created_at, updated_at, delivered_at) SELECT %s, gen_random_uuid(), %s,"
         " gen_random_uuid(), 'document.completed', '{}', 'delivered', 1, 200, now() - n * interval '30 s',"
         " now() - n * interval '30 s', now() - n * interval '30 s' FROM generate_series(1, 80000) n",
         plant.ids["alfa"], endpoint)
    rows(plant, "INSERT INTO outreach.attempts (tenant_id, delivery_id, number, at, status, took_ms)"
         " SELECT tenant_id, delivery_id, 1, created_at, 200, 5 FROM outreach.deliveries")
    rows(plant, "ANALYZE outreach.deliveries")
    rows(plant, "ANALYZE outreach.attempts")
    client.get("/v1/health/integrations")
    took = []
    for _ in range(5):
        begun = time.monotonic()
        assert client.get("/v1/health/integrations")["webhooks"][0]["delivered_24h"] == 2879
        took.append(time.monotonic() - begun)
    assert min(took) < 0.1, took
