"""API keys: every wrong one gets the same answer for the same work; scopes open what they name."""
import collections
import uuid

import pytest

import belt
from statements import Statements

JOB = uuid.uuid4()
ROUTES = {
    ("POST", "/v1/extract"): "extract",
    ("GET", "/v1/jobs"): "status",
    ("GET", f"/v1/jobs/{JOB}"): "status",
    ("GET", f"/v1/jobs/{JOB}/events"): "status",
    ("GET", f"/v1/jobs/{JOB}/result"): "status",
    ("DELETE", f"/v1/jobs/{JOB}"): "extract",
    ("GET", f"/v1/audit?job_id={JOB}"): "audit",
    ("GET", f"/v1/dead-letters/{JOB}"): "operate",
}
GOOD_STATUS = {"POST": 202, "GET": 404, "DELETE": 404}
PAGE = belt.tiny_pdf("Uma folha com chave")
ROUNDS = 5


def ask(url, key, method, path):
    """A request that would be good with the right key."""
    body = PAGE if method == "POST" else None
    kind = {"Content-Type": belt.PDF} if body else {}
    return belt.Client(url, key).call(method, path, None, body, kind)


@pytest.fixture(scope="module", name="wrong")
def make_wrong(plant):
    """Every kind of wrong key."""
    stack = plant.stack
    revoked, expired = stack.key("beta"), stack.key("beta")
    for column, key in (("revoked_at", revoked), ("expires_at", expired)):
        stack.psql(f"UPDATE intake.api_keys SET {column} = now() - interval '1 s' "
                   f"WHERE key_id = '{key[3:11]}'")
    plant.tenant("suspensa")
    stack.psql("UPDATE intake.tenants SET state = 'suspended' WHERE slug = 'suspensa'")
    good = plant.keys["alfa"]
    return {
        "missing": None, "empty": "", "malformed": "x", "too long": "uk_" + "a" * 5000,
        "no key at all": "Bearer abc", "unknown": "uk_00000000_" + "A" * 43,
        "good id, wrong secret": good[:12] + "A" * 43, "upper case id": good.upper(),
        "one letter less": good[:-1], "one letter more": good + "A",
        "revoked": revoked, "expired": expired, "suspended": plant.keys["suspensa"],
    }


@pytest.mark.parametrize("route", ROUTES)
def test_wrong_keys_get_the_same_words(plant, wrong, route):
    url, answers = plant.client().url, collections.defaultdict(list)
    for what, key in wrong.items():
        answer = ask(url, key, *route)
        assert answer.status == 401, (what, answer)
        answer.problem("unauthenticated")
        fields = tuple((name, value) for name, value in answer.headers
                       if name.lower() not in ("date", "x-request-id"))
        answers[fields, answer.body].append(what)
    assert len(answers) == 1, answers


def looked_up(log, work):
    """-> what work() cost and which look-ups of keys are in it; None: the key was known."""
    seen = log.during(work)
    lookups = [text for text in seen if "key_lookup" in text]
    return (seen, lookups) if lookups else None


def test_wrong_keys_cost_the_same_queries(plant, wrong):
    """One code path: a key that does not exist is looked up like one that does, and kept for a second."""
    url = plant.client().url
    with Statements(plant.stack) as log:
        for route in (("GET", "/v1/jobs"), ("POST", "/v1/extract")):
            costs = {}
            for what, key in wrong.items():
                seen, lookups = belt.wait_for(f"{what} is looked up anew", lambda k=key, r=route: looked_up(
                    log, lambda: [ask(url, k, *r) for _ in range(ROUNDS)]))
                assert len(lookups) == 1 and seen[lookups[0]] <= ROUNDS, (what, seen)
                costs[what] = tuple(sorted((text, times) for text, times in seen.items()
                                           if times >= ROUNDS and text not in lookups))
            assert len(set(costs.values())) == 1, costs
        good = log.during(lambda k=plant.stack.key("alfa"): ask(url, k, "GET", "/v1/jobs"))
        assert [times for text, times in good.items() if "key_lookup" in text] == [1]


@pytest.mark.parametrize("scope", ["extract", "status", "audit", "operate", "webhooks"])
def test_a_scope_opens_its_routes_only(plant, scope):
    client = belt.Client(plant.client().url, plant.stack.key("beta", scope))
    for (method, path), needed in ROUTES.items():
        answer = ask(client.url, client.key, method, path)
        if needed != scope:
            assert answer.status == 403, (path, answer)
            answer.problem("forbidden")
        elif path.startswith(("/v1/audit", "/v1/jobs?")) or path == "/v1/jobs":
            assert answer.status == 200, (path, answer)
        else:
            assert answer.status == GOOD_STATUS[method], (path, answer)


def test_open_routes_need_no_key(plant):
    for path in ("/v1/health", "/v1/openapi.json", "/docs"):
        for key in (None, "nonsense"):
            belt.Client(plant.client().url, key).call("GET", path, 200)


ENDS_S = 10  # as docs/api.md promises


def refused(client):
    """Does it hear 401 by now?"""
    return client.call("GET", "/v1/jobs").status == 401


def test_revoked_key_ends(plant):
    key = plant.stack.key("beta")
    client = belt.Client(plant.client().url, key)
    client.get("/v1/jobs")
    plant.stack.estctl("key", "revoke", "--tenant", "beta", key[3:11])
    belt.wait_for("the end of a revoked key", lambda: refused(client), ENDS_S)


def test_suspended_tenant_comes_back(plant):
    client = belt.Client(plant.client().url, plant.tenant("pausada"))
    plant.stack.estctl("tenant", "suspend", "pausada")
    belt.wait_for("the end of a suspended tenant's key", lambda: refused(client), ENDS_S)
    plant.stack.estctl("tenant", "activate", "pausada")
    belt.wait_for("its return", lambda: not refused(client), ENDS_S)
