"""Webhook endpoints and their secrets as their tenant sees them over REST, and who may not."""
import base64
import concurrent.futures
import json

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

import belt
import hooks
from hooks import (
    JSON, NIL, NOBODY, SECRET, URL, actor, add_delivery, all_routes, ask, make, operations, patch, post,
    rows, without)


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


# --- endpoints ---

def test_made_shown_listed(plant):
    client = plant.client()
    answer = post(client, "/v1/webhooks", {"url": URL}, 201)
    made = answer.json()
    assert answer.header("Location") == f"/v1/webhooks/{made['id']}"
    assert answer.header("Cache-Control") == "no-store"
    assert len(base64.b64decode(made["secret"].removeprefix(SECRET))) == 32
    assert without(made, "id", "secret", "created_at", "updated_at") == {
        "url": URL, "filters": [], "ordered": False, "state": "active"}
    full = make(client, filters=["document.failed", "document.completed", "document.failed"], ordered=True,
                description="Contabilidade é aqui")
    assert sorted(full["filters"]) == ["document.completed", "document.failed"]
    assert (full["ordered"], full["description"]) == (True, "Contabilidade é aqui")
    assert full["secret"] != made["secret"]
    listed = client.get("/v1/webhooks")
    assert listed == {"items": [without(made, "secret"), without(full, "secret")]}
    for row in listed["items"]:
        assert client.get(f"/v1/webhooks/{row['id']}") == row
    assert SECRET not in json.dumps(listed)
    for row in (made, full):
        assert operations(plant, row["id"]) == [("webhook.created", actor(plant), plant.ids["alfa"])]
    assert plant.client("beta").get("/v1/webhooks") == {"items": []}


def test_the_secret_is_wrapped_as_documented(plant):
    """docs/format.md, without our code: the tenant's key opens the row, and no other endpoint's row."""
    client = plant.client()
    made, other = make(client), make(client)
    with open(plant.stack.seal_master, "rb") as f:
        master = f.read()

    def unwrap(outer, context, blob):
        inner = HKDF(hashes.SHA256(), 32, None, context.encode()).derive(outer)
        return AESGCM(inner).decrypt(bytes(blob[:12]), bytes(blob[12:]), context.encode())
    tenant = plant.ids["alfa"]
    (version, wrapped), = rows(plant, "SELECT version, wrapped FROM intake.tenant_keys WHERE tenant_id = %s", tenant)
    key = unwrap(master, f"esteira/1|tenant-key|{tenant}|{version}", bytes(wrapped)[1:])
    (secret, key_version), = rows(plant, "SELECT secret, key_version FROM intake.webhook_endpoints"
                                  " WHERE endpoint_id = %s", made["id"])
    assert (len(secret), key_version) == (60, version)
    found = unwrap(key, f"esteira/1|webhook|{tenant}|{made['id']}", secret)
    assert SECRET + base64.b64encode(found).decode() == made["secret"]
    with pytest.raises(Exception):
        unwrap(key, f"esteira/1|webhook|{tenant}|{other['id']}", secret)


def test_changed(plant):
    client = plant.client()
    made = without(make(client, filters=["document.failed"], description="um"), "secret")
    endpoint = made["id"]
    for body, shown in (({"ordered": True}, {"ordered": True}),
                        ({"filters": []}, {"filters": []}),
                        ({"filters": ["deadletter.created"], "url": URL + "/2"},
                         {"filters": ["deadletter.created"], "url": URL + "/2"}),
                        ({"description": "dois"}, {"description": "dois"}),
                        ({"ordered": None, "url": None, "filters": None, "description": None}, {}),
                        ({}, {}),
                        ({"state": "disabled"}, {"state": "disabled", "disabled_reason": "by-hand"}),
                        ({"state": "disabled"}, {})):
        before, made = made, patch(client, endpoint, body)
        assert without(made, "updated_at") == without({**before, **shown}, "updated_at"), body
        assert made["updated_at"] >= before["updated_at"]
    made = patch(client, endpoint, {"state": "active", "description": ""})
    assert "disabled_reason" not in made and "description" not in made
    assert client.get(f"/v1/webhooks/{endpoint}") == made
    assert [row[:2] for row in operations(plant, endpoint, 10)] == [("webhook.created", actor(plant))] + [
        ("webhook.changed", actor(plant))] * 9


def test_made_disabled(plant):
    """Obeyed, not ignored."""
    client = plant.client()
    made = make(client, state="disabled")
    assert (made["state"], made["disabled_reason"]) == ("disabled", "by-hand")
    client.call("POST", f"/v1/webhooks/{made['id']}/test", 409).problem("endpoint-disabled")
    assert "disabled_reason" not in patch(client, made["id"], {"state": "active"})
    assert make(client, state="active")["state"] == "active"


def test_an_unknown_member_is_refused(plant):
    """It is a slip that would be taken for something else: "filter" for every event."""
    client = plant.client()
    endpoint = make(client)["id"]
    for method, path in (("POST", "/v1/webhooks"), ("PATCH", f"/v1/webhooks/{endpoint}"),
                         ("POST", f"/v1/webhooks/{endpoint}/resend")):
        said = post(client, path, {"state": "active", "url": URL, "filter": ["document.failed"]}, 400, method)
        assert said.problem("bad-parameter")["detail"] in ("filter is unknown here", "url is unknown here")
    assert len(client.get("/v1/webhooks")["items"]) == 1


def test_an_empty_object_is_as_no_body(plant):
    client = plant.client()
    endpoint = make(client)["id"]
    path = f"/v1/webhooks/{endpoint}"
    delivery = add_delivery(plant, endpoint, state="failed")
    asked = (("POST", path + "/rotate", 200), ("POST", path + "/test", 202),
             ("POST", f"{path}/deliveries/{delivery}/resend", 202), ("DELETE", path, 204))
    for method, where, _ in asked:
        for body in ('{"a":1}', "[]", "null", "x", "{", "}", "{}{}"):
            client.call(method, where, 400, body, JSON).problem("bad-parameter")
        client.call(method, where, 413, "{" + " " * 1024 + "}", JSON).problem("body-too-large")
    assert "old_secret_until" not in client.get(path)
    for method, where, status in asked:
        client.call(method, where, status, "\r\n{ \t} ", JSON)
    for method, where, status in asked[:2]:
        client.call(method, where.replace(endpoint, make(client)["id"]), status, "{}", {})


def test_deleted_once(plant):
    client = plant.client()
    endpoint, kept = make(client)["id"], make(client)["id"]
    assert client.call("DELETE", f"/v1/webhooks/{endpoint}", 204).body == b""
    client.call("DELETE", f"/v1/webhooks/{endpoint}", 404).problem("not-found")
    client.call("GET", f"/v1/webhooks/{endpoint}", 404).problem("not-found")
    assert [row["id"] for row in client.get("/v1/webhooks")["items"]] == [kept]
    assert [row[0] for row in operations(plant, endpoint, 2)] == ["webhook.created", "webhook.deleted"]


def test_rotated(plant):
    client = plant.client()
    made = make(client)
    path = f"/v1/webhooks/{made['id']}"
    secrets, wrapped = [made["secret"]], []
    for _ in range(2):
        wrapped.append(rows(plant, "SELECT secret FROM intake.webhook_endpoints")[0][0].tobytes())
        answer = client.call("POST", path + "/rotate", 200)
        assert answer.header("Cache-Control") == "no-store"
        secrets.append(answer.json()["secret"])
        old, hours = rows(plant, "SELECT old_secret, extract(epoch FROM old_until - now()) / 3600"
                          " FROM intake.webhook_endpoints")[0]
        assert old.tobytes() == wrapped[-1] and 23.9 < hours < 24
        assert "secret" not in client.get(path) and client.get(path)["old_secret_until"]
    assert len(set(secrets)) == 3
    rows(plant, "UPDATE intake.webhook_endpoints SET old_until = now()")
    assert "old_secret_until" not in client.get(path)
    assert [row[0] for row in operations(plant, made["id"], 3)] == ["webhook.created"] + ["webhook.rotated"] * 2


def test_fifty_are_enough(plant):
    """Also when they come at once."""
    client = plant.client()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        got = list(pool.map(lambda _: post(client, "/v1/webhooks", {"url": URL}).status, range(56)))
    assert sorted(got) == [201] * 50 + [409] * 6
    post(client, "/v1/webhooks", {"url": URL}, 409).problem("too-many")
    listed = client.get("/v1/webhooks")["items"]
    assert len(listed) == 50
    make(plant.client("beta"))
    client.call("DELETE", f"/v1/webhooks/{listed[7]['id']}", 204)
    make(client)


def test_without_a_tenant_key(plant):
    """Nothing to wrap a secret with: said so, nothing made."""
    client = plant.client("beta")
    endpoint = make(client)["id"]
    rows(plant, "UPDATE intake.tenant_keys SET destroyed_at = now() WHERE tenant_id = %s", plant.ids["beta"])
    try:
        post(client, "/v1/webhooks", {"url": URL}, 503).problem("secret-missing")
        client.call("POST", f"/v1/webhooks/{endpoint}/rotate", 503).problem("secret-missing")
    finally:
        rows(plant, "UPDATE intake.tenant_keys SET destroyed_at = NULL WHERE tenant_id = %s", plant.ids["beta"])
    assert "old_secret_until" not in client.get("/v1/webhooks")["items"][0]


# --- bad input ---

BAD_URLS = (
    "http://hooks.example.com/", "HTTPS://hooks.example.com/", "ftp://hooks.example.com/", "//hooks.example.com/",
    "hooks.example.com", "", "https://", "https://u:p@hooks.example.com/", "https://u@hooks.example.com/",
    "https://hooks.example.com@127.0.0.1/", "https://hooks.example.com/#top", "https://hooks.example.com:22/",
    "https://hooks.example.com:0443/", "https://hooks.example.com:/", "https://localhost/", "https://intranet/",
    "https://hooks.example.com./", "https://-a.example.com/", "https://a_b.example.com/", "https://ação.example/",
    "https://127.1/", "https://0177.0.0.1/", "https://0x7f.0.0.1/", "https://2130706433/", "https://0x7f000001/",
    "https://127.0.0.1.1/", "https://256.1.1.1/", "https://[::1/", "https://::1/", "https://[::1%25lo]/",
    "https://[127.0.0.1]/", "https://hooks.example.com/a b", "https://hooks.example.com/\\a",
    "https://127.0.0.1/", "https://10.0.0.1:8443/a", "https://169.254.169.254/latest/", "https://[::1]/",
    "https://[fd00::1]/", "https://hooks.example.com/%zz", "https://hooks.example.com\\@127.0.0.1/",
    "https://hooks.example.com/" + "a" * 2048)


@pytest.mark.parametrize("url", BAD_URLS)
def test_bad_urls(plant, url):
    client = plant.client()
    answer = post(client, "/v1/webhooks", {"url": url}, 400)
    assert answer.json()["code"] == ("bad-request" if len(url) > 2048 else "bad-parameter")
    assert len(url) < 9 or url not in answer.json().get("detail", "")
    assert client.get("/v1/webhooks")["items"] == []


def test_a_bad_url_changes_nothing(plant):
    client = plant.client()
    made = make(client)
    for url in ("http://hooks.example.com/", "", "x", "https://10.0.0.1/"):
        patch(client, made["id"], {"url": url, "ordered": True}, 400)
    assert client.get(f"/v1/webhooks/{made['id']}") == without(made, "secret")


def test_a_test_tenant_may_have_http(plant):
    client = plant.client("prova")
    for url in ("http://hooks.example.com/", "http://localhost:8099/x", "https://hooks.example.com:1234/"):
        made = make(client, url=url)
        assert patch(client, made["id"], {"url": url + "2"})["url"] == url + "2"
    post(client, "/v1/webhooks", {"url": "http://u:p@localhost/"}, 400).problem("bad-parameter")


BAD_BODIES = {
    "": "bad-request", "[]": "bad-request", "{": "bad-request", "null": "bad-request", "{}": "bad-parameter",
    '{"url":1}': "bad-request", '{"url":null}': "bad-parameter",
    '{"url":"%s","url":"%s"}' % (URL, URL): "bad-request",
    '{"url":"%s","filters":["document.completed"],"filters":[]}' % URL: "bad-request",
    '{"url":"%s","filters":["document.opened"]}' % URL: "bad-parameter",
    '{"url":"%s","filters":["webhook.test"]}' % URL: "bad-parameter",
    '{"url":"%s","filters":"document.completed"}' % URL: "bad-parameter",
    '{"url":"%s","filters":[null]}' % URL: "bad-parameter",
    '{"url":"%s","filters":[%s]}' % (URL, ",".join(['"document.failed"'] * 33)): "bad-parameter",
    '{"url":"%s","ordered":1}' % URL: "bad-request", '{"url":"%s","description":7}' % URL: "bad-request",
    '{"url":"%s","description":"%s"}' % (URL, "é" * 128): "bad-request",
    '{"url":"%s","description":"\\u0000"}' % URL: "bad-request",
    '{"url":"%s","state":"off"}' % URL: "bad-parameter", '{"url":"%s","filter":[]}' % URL: "bad-parameter",
    '{"url":"%s","a":%s1%s}' % (URL, "[" * 20, "]" * 20): "bad-request",
}


@pytest.mark.parametrize("body", BAD_BODIES)
def test_bad_bodies(plant, body):
    client = plant.client()
    post(client, "/v1/webhooks", body, 400).problem(BAD_BODIES[body])
    post(client, "/v1/webhooks", b'{"url":"\xff"}', 400).problem("bad-request")
    assert client.get("/v1/webhooks")["items"] == []


def test_bodies_of_the_wrong_size_and_kind(plant):
    client = plant.client()
    path = f"/v1/webhooks/{make(client)['id']}"
    good = json.dumps({"url": URL, "description": "a"})
    for method, where in (("POST", "/v1/webhooks"), ("PATCH", path), ("POST", path + "/resend")):
        post(client, where, good[:-1] + " " * (17 * 1024) + "}", 413, method).problem("body-too-large")
        for headers in ({}, {"Content-Type": "text/plain"}, {"Content-Type": "application/x-www-form-urlencoded"},
                        {**JSON, "Content-Encoding": "gzip"}):
            post(client, where, good, 415, method, headers).problem("unsupported-media-type")
    post(client, "/v1/webhooks", good[:-1] + " " * (16 * 1024 - len(good)) + "}", 201)
    post(client, "/v1/webhooks", good, 201, headers={"Content-Type": "Application/JSON; charset=utf-8"})
    client.call("PUT", path, 405).problem("method-not-allowed")


# --- who may ---

def test_scopes(plant):
    url = plant.client().url
    made = make(plant.client())
    delivery = add_delivery(plant, made["id"], state="failed")
    less = {"webhooks": plant.stack.key("alfa", "extract,status,events,audit,operate"),
            "status": plant.stack.key("alfa", "extract,events,webhooks,audit,operate")}
    for method, path, scope, body in all_routes(made["id"], delivery):
        ask(belt.Client(url, None), method, path, body, 401).problem("unauthenticated")
        ask(belt.Client(url, less[scope]), method, path, body, 403).problem("forbidden")
    assert plant.client().get("/v1/webhooks")["items"] == [without(made, "secret")]


def test_another_tenant_learns_and_changes_nothing(plant):
    mine, client = make(plant.client("alfa")), plant.client("beta")
    delivery = add_delivery(plant, mine["id"], state="failed")
    own = make(client)["id"]
    own_delivery = add_delivery(plant, own, "beta", state="failed")
    pairs = [(mine["id"], delivery), (NOBODY, delivery), (NIL, delivery), ("x", delivery), (own, delivery),
             (own, NOBODY), (own, NIL), (own, "x"), (mine["id"], own_delivery), (NOBODY, own_delivery)]
    said = {}
    for endpoint, which in pairs:
        for method, path, _, body in all_routes(endpoint, which):
            part = path.replace(str(which), "D").replace(str(endpoint), "E")
            if "E" not in part or (endpoint == own and "D" not in part):
                continue
            problem = ask(client, method, path, body, 404).problem("not-found")
            said.setdefault((method, part, endpoint == own), []).append(problem)
    for where, problems in said.items():
        assert all(problem == problems[0] for problem in problems), where
    assert plant.client("alfa").get("/v1/webhooks")["items"] == [without(mine, "secret")]
    assert rows(plant, "SELECT count(*) FROM intake.outbox WHERE topic = %s", "esteira.outreach.commands")[0][0] == 0
    assert client.get(f"/v1/webhooks/{own}/deliveries")["items"][0]["delivery_id"] == own_delivery
    assert len(client.get("/v1/webhooks")["items"]) == 1
    assert [row["id"] for row in client.get("/v1/health/integrations")["webhooks"]] == [own]


# --- Postgres away, last ---

def test_postgres_away(plant):
    client = plant.client()
    made = make(client)
    delivery = add_delivery(plant, made["id"], state="failed")
    plant.stack.stop_one("postgres")
    try:
        for method, path, _, body in all_routes(made["id"], delivery):
            ask(client, method, path, body, 503).problem("postgres-away")
    finally:
        plant.stack.start_one("postgres")
    assert belt.wait_for("an answer", lambda: client.call("GET", "/v1/webhooks").status == 200, 20)
    assert client.get("/v1/webhooks")["items"] == [without(made, "secret")]
