"""A second tenant with every kind of valid key tries every route with every id of the first: it is told what it would
be told of an id that nobody has. The routes are those of openapi.yaml, which tests/integration/test_contract_http.py
holds against the compiled table; a new one has no row here and fails.
"""
import itertools
import json
import os
import re
import uuid

import belt
import hooks
import pytest
import victim as victims
import yaml

METHODS = ("get", "post", "put", "patch", "delete")
JOBS, LETTERS = ("done", "pending"), tuple(f"letter-{schema}" for schema in victims.LETTERS)
OWN = "own"  # an id of the second tenant's

# parameters of a path -> which of the first tenant's ids are tried; OWN: mixed with one of the second's
IDS = {
    "/v1/jobs/{id}": {"id": JOBS},
    "/v1/jobs/{id}/events": {"id": JOBS},
    "/v1/jobs/{id}/result": {"id": JOBS},
    "/v1/dead-letters/{id}": {"id": LETTERS},
    "/v1/dead-letters/{id}/redrive": {"id": LETTERS},
    "/v1/dead-letters/{id}/discard": {"id": LETTERS},
    "/v1/events/{id}": {"id": ("event",)},
    "/v1/keys/{id}": {"id": ("key",)},
    "/v1/keys/{id}/rotate": {"id": ("key",)},
    "/v1/webhooks/{id}": {"id": ("endpoint",)},
    "/v1/webhooks/{id}/rotate": {"id": ("endpoint",)},
    "/v1/webhooks/{id}/test": {"id": ("endpoint",)},
    "/v1/webhooks/{id}/resend": {"id": ("endpoint",)},
    "/v1/webhooks/{id}/deliveries": {"id": ("endpoint",)},
    "/v1/webhooks/{id}/deliveries/{delivery_id}": {"id": ("endpoint", OWN), "delivery_id": ("delivery", OWN)},
    "/v1/webhooks/{id}/deliveries/{delivery_id}/resend": {"id": ("endpoint", OWN), "delivery_id": ("delivery", OWN)},
}
# without an id in the path: query or body that names something of the first, and what is then right
LISTS = ("/v1/jobs", "/v1/webhooks", "/v1/dead-letters", "/v1/audit", "/v1/keys")
OTHERS = {("post", "/v1/extract"): "test_an_idempotency_key_is_its_tenants_own",
          ("post", "/v1/events"): "test_an_event_id_is_its_tenants_own",
          ("post", "/v1/webhooks"): "makes a new endpoint; names nothing that is there",
          ("post", "/v1/keys"): "likewise a key"}
OPEN = ("/v1/health", "/v1/health/integrations", "/v1/openapi.json", "/docs")
BODIES = {("patch", "/v1/webhooks/{id}"): {"ordered": True}, ("post", "/v1/webhooks/{id}/resend"): {"state": "failed"}}


def load_contract():
    """schemas/openapi.yaml."""
    with open(os.path.join(belt.ROOT, "schemas/openapi.yaml"), encoding="utf-8") as f:
        return yaml.safe_load(f)


CONTRACT = load_contract()
ROUTES = [(method, path) for path, item in CONTRACT["paths"].items() for method in METHODS if method in item]
WITH_IDS = [(method, path) for method, path in ROUTES if "{" in path]
SCOPES = sorted({CONTRACT["paths"][path][method]["x-scope"] for method, path in ROUTES
                 if "x-scope" in CONTRACT["paths"][path][method]})


@pytest.fixture(scope="module", name="victim")
def make_victim(suite):
    """The first tenant, full."""
    with victims.filled(suite) as victim:
        yield victim


@pytest.fixture(scope="module", name="beta")
def make_beta(suite, victim):
    """The second tenant with things of its own."""
    client = belt.Client(suite.client("beta").url, suite.stack.key("beta", ",".join(SCOPES)))
    client.own = {"id": hooks.make(client)["id"]}
    client.own["delivery_id"] = hooks.add_delivery(suite, client.own["id"], "beta", state="failed")
    client.victim = victim
    return client


def ask(client, method, path, params, body=None):
    """One request; answers what was said, without what differs from one request to the next."""
    target = re.sub(r"{(\w+)}", lambda name: params[name[1]], path)
    raw = None if body is None else json.dumps(body)
    return client.call(method.upper(), target, None, raw, {} if raw is None else victims.JSON)


def said(answer, params):
    """What of an answer a stranger could learn from: all but its time, its number and the ids he sent."""
    fields = sorted((name.lower(), value) for name, value in answer.headers
                    if name.lower() not in ("date", "x-request-id", "ratelimit", "ratelimit-policy"))
    text = answer.body.decode()
    for value in params.values():
        text = text.replace(value, "ID")
    return answer.status, fields, re.sub(r'"(instance|request_id)":\s*"[^"]*"', "", text)


def nobodys(word):
    """An id that nobody has, written like those of its kind."""
    return uuid.uuid4().hex[:8] if word == "key" else str(uuid.uuid4())


def test_every_route_has_a_case():
    known = ({route for route in ROUTES if route[1] in IDS or route[1] in OPEN} | set(OTHERS)
             | {("get", path) for path in LISTS})
    assert set(ROUTES) == known, set(ROUTES) ^ known
    assert set(IDS) == {path for _, path in WITH_IDS}
    for path, params in IDS.items():
        assert set(re.findall(r"{(\w+)}", path)) == set(params), path


@pytest.mark.parametrize("method,path", WITH_IDS, ids=[f"{method} {path}" for method, path in WITH_IDS])
def test_no_id_of_the_first_opens_anything(beta, method, path):
    body, own = BODIES.get((method, path)), beta.own
    ids = {name: [(word, beta.victim.ids.get(word)) for word in words] for name, words in IDS[path].items()}
    for choice in itertools.product(*ids.values()):
        if all(word == OWN for word, _ in choice):
            continue
        params = {name: own[name] if word == OWN else value for name, (word, value) in zip(ids, choice)}
        nobody = {name: own[name] if word == OWN else nobodys(word) for name, (word, _) in zip(ids, choice)}
        answer = ask(beta, method, path, params, body)
        assert answer.status == 404, (params, answer)
        assert said(answer, params) == said(ask(beta, method, path, nobody, body), nobody)
        assert not [text for text in beta.victim.leaked(answer) if text not in params.values()]


@pytest.mark.parametrize("scope", SCOPES)
def test_no_key_of_the_second_tells_an_id_that_is_there_from_one_that_is_not(suite, beta, scope):
    client = belt.Client(beta.url, suite.stack.key("beta", scope))
    for method, path in WITH_IDS:
        words = {name: next(word for word in words if word != OWN) for name, words in IDS[path].items()}
        params = {name: beta.victim.ids[word] for name, word in words.items()}
        nobody = {name: nobodys(word) for name, word in words.items()}
        answer = ask(client, method, path, params, BODIES.get((method, path)))
        needed = CONTRACT["paths"][path][method]["x-scope"]
        assert answer.status == (404 if needed == scope else 403), (path, answer)
        assert said(answer, params) == said(ask(client, method, path, nobody, BODIES.get((method, path))), nobody)


@pytest.mark.parametrize("path", LISTS + OPEN)
def test_no_list_shows_anything_of_the_first(beta, path):
    queries = ["", "?limit=200"]
    if path == "/v1/audit":
        queries = [f"?job_id={beta.victim.ids[job]}" for job in JOBS]
    for query in queries:
        answer = beta.call("GET", path + query, 200)
        assert not [text for text in beta.victim.leaked(answer) if text not in query]
        if path == "/v1/audit":
            assert answer.json() == {"entries": []}


def test_the_first_sees_all_of_it(beta):
    """The same questions with the right key: the ids are good and the texts would be found."""
    victim = beta.victim
    for method, path in WITH_IDS:
        if method != "get" or path.endswith("/events"):
            continue
        params = {name: victim.ids[words[0]] for name, words in IDS[path].items()}
        assert victim.client.call("GET", re.sub(r"{(\w+)}", lambda name, ids=params: ids[name[1]], path), 200)
    found = set()
    for path in (*LISTS[:3], f"/v1/audit?job_id={victim.ids['done']}", f"/v1/jobs/{victim.ids['done']}/result"):
        found |= set(victim.leaked(victim.client.call("GET", path, 200)))
    assert found >= {victim.ids["done"], victim.ids["pending"], victim.ids["endpoint"], victims.SECRET, victims.URL}


@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/dead-letters", "/v1/webhooks/{id}/deliveries"])
def test_a_cursor_is_its_tenants_own(suite, beta, path):
    victim = beta.victim
    hooks.add_delivery(suite, victim.ids["endpoint"], "alfa")
    mine, yours = (path.replace("{id}", ident) for ident in (beta.own["id"], victim.ids["endpoint"]))
    page = victim.client.get(f"{yours}?limit=1")
    beta.call("GET", f"{mine}?limit=1&cursor={page['next_cursor']}", 400).problem("bad-parameter")
    assert victim.client.get(f"{yours}?limit=1&cursor={page['next_cursor']}")


def test_a_stream_is_its_tenants_own(beta):
    """Neither from its beginning nor from an id in the middle of it."""
    victim = beta.victim
    last = victim.client.events(victim.ids["done"])[0].id
    for job in JOBS:
        for headers in ({}, {"Last-Event-ID": last}, {"Last-Event-ID": "0-0"}):
            answer = beta.call("GET", f"/v1/jobs/{victim.ids[job]}/events", 404, headers=headers)
            assert not [text for text in victim.leaked(answer) if text != victim.ids[job]]


@pytest.mark.parametrize("same", [True, False], ids=["the same document", "another document"])
def test_an_idempotency_key_is_its_tenants_own(beta, same):
    """Neither the first's job nor a word that the key is in use."""
    victim = beta.victim
    key, job = (victim.keys[0], "done") if same else (victim.keys[1], "pending")
    pdf = victim.done_pdf if same else belt.tiny_pdf("Outra folha")
    answer = beta.upload(pdf, key=key)
    assert not victim.leaked(answer)
    mine = beta.job(answer.json()["job_id"])
    assert mine["job_id"] not in victim.ids.values()
    beta.call("DELETE", f"/v1/jobs/{mine['job_id']}")
    if same:
        assert victim.client.upload(pdf, key=key).json()["job_id"] == victim.ids[job]
    else:
        victim.client.upload(pdf, 422, key=key).problem("idempotency-mismatch")


def test_an_event_id_is_its_tenants_own(beta):
    """The same event sent by another is another event."""
    victim = beta.victim
    answer = beta.call("POST", "/v1/events", 202, json.dumps(victim.event), victims.JSON)
    ident = answer.json()["items"][0]["id"]
    assert ident != victim.ids["event"] and not victim.leaked(answer)
    assert victim.client.get(f"/v1/events/{victim.ids['event']}")


def test_a_signed_path_opens_one_object(suite, beta):
    """What is in ocr.jobs, in the wrong hands: this object, this method, nothing beside it."""
    victim = beta.victim
    suite.stack.stop_one("ocr-1")
    mine = beta.send(belt.tiny_pdf("Folha da beta"))
    own, other = victim.paths(mine), victim.paths("pending")
    key = f"{victim.tenant}/{victim.ids['pending']}.enc"
    assert fetch(suite, "GET", own["get_path"]) == 200
    assert fetch(suite, "GET", other["get_path"]) == 200  # the altered ones fail for what was altered
    place, query = own["get_path"].split("?")
    bucket = place.split("/")[1]
    tried = {
        "another object": ("GET", f"/{bucket}/{key}?{query}"),
        "another object, by a detour": ("GET", f"{place}/../../{key}?{query}"),
        "the folder": ("GET", f"/{bucket}/{victim.tenant}/?{query}"),
        "the bucket": ("GET", f"/{bucket}?{query}"),
        "the bucket's list": ("GET", f"/{bucket}?list-type=2&prefix={victim.tenant}&{query}"),
        "another method": ("DELETE", f"{place}?{query}"),
        "written to": ("PUT", f"{place}?{query}"),
        "longer": ("GET", own["get_path"].replace("X-Amz-Expires=", "X-Amz-Expires=9")),
        "no signature": ("GET", f"/{bucket}/{key}"),
        "the other's deletion by the own signature": ("DELETE", f"/{bucket}/{key}?{own['delete_path'].split('?')[1]}"),
    }
    opened = {what: fetch(suite, *how) for what, how in tried.items()}
    suite.start("ocr")
    assert all(status in (400, 403) for status in opened.values()), opened


def fetch(suite, method, path):
    """The status that the storage answers to a request without any credential but what the path has."""
    client = belt.Client(suite.stack.s3_endpoint)
    conn, got = client._open(method, path)  # pylint: disable=protected-access
    got.read()
    conn.close()
    return got.status


def test_the_first_is_as_it_was(suite, victim, beta):
    """Every route that changes something, once more, between two looks at all of the first's rows."""
    before = victim.state()
    assert all(before.values()), before
    for method, path in WITH_IDS:
        if method == "get":
            continue
        params = {name: victim.ids[words[0]] for name, words in IDS[path].items()}
        assert ask(beta, method, path, params, BODIES.get((method, path))).status == 404
    assert victim.state() == before
    assert suite.count(f"SELECT count(*) FROM audit.operations WHERE tenant_id = '{victim.tenant}'"
                       f" AND actor LIKE 'uk_{beta.key[3:11]}%'") == 0


def test_nobody_says_in_a_header_who_he_is(suite, victim, beta):
    """Neither where he comes from nor for whom he acts: only the key and the socket tell."""
    headers = {name: value for names, value in (
        (("X-Forwarded-For", "X-Real-IP", "Forwarded", "True-Client-IP"), "203.0.113.77"),
        (("X-Tenant-Id", "X-Tenant", "X-User-Id", "ce-tenantid", "X-Forwarded-User"), victim.tenant)) for name in names}
    answer = beta.call("GET", "/v1/jobs", 200, headers=headers)
    assert not victim.leaked(answer)
    beta.call("GET", f"/v1/jobs/{victim.ids['done']}", 404, headers=headers)
    job = beta.upload(belt.tiny_pdf("De outro lugar"), headers=headers).json()["job_id"]
    assert suite.count(f"SELECT count(*) FROM intake.jobs WHERE job_id = '{job}' AND tenant_id <> '{victim.tenant}'") == 1
    kept = suite.stack.psql("SELECT DISTINCT host(ip) FROM intake.ip_addresses").split()
    assert kept == ["127.0.0.1"]


def test_refusals_are_in_the_log(suite, victim, beta):
    """Who was refused what, and for which tenant it was asked."""
    asked = {401: belt.Client(beta.url, beta.key[:-1] + ("A" if beta.key[-1] != "A" else "B")), 404: beta,
             403: belt.Client(beta.url, suite.stack.key("beta", "webhooks"))}
    path = suite.stack.path("log/intake-1.log")
    for status, client in asked.items():
        mark = f"pedido-{uuid.uuid4()}"
        client.call("GET", f"/v1/jobs/{victim.ids['done']}", status, headers={"X-Request-Id": mark})

        def line(mark=mark):
            with open(path, encoding="utf-8") as f:
                return [json.loads(text) for text in f if mark in text]
        logged = belt.wait_for(f"a line about {status}", line, 10)[0]
        assert (logged["status"], logged["route"]) == (status, "/v1/jobs/{id}")
        assert logged["tenant"] == ("" if status == 401 else "beta")
