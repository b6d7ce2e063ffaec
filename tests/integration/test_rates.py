"""Rate limits over three replicas: exact, honest about when to come again, and there without Redis."""
import json
import re
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import belt
import rig
import routes

WINDOW_S, COUNTS_S = 60, 10
REPLICAS = (1, 2, 3)
PATIENT = {"ESTEIRA_RATE_REDIS_MS": "20000"}  # a busy machine is no slow Redis


@pytest.fixture(scope="module", name="farm")
def make_farm():
    """Three intakes on one Redis."""
    with rig.temporary(("alfa",), services=("audit",)) as farm:
        for instance in REPLICAS:
            farm.start("intake", instance, ESTEIRA_INTAKE_PENDING_MAX="3", **PATIENT)
        yield farm


def tenant(farm, slug, extract=0, status=0, default=0):
    """A tenant with a plan of its own; -> a client of each replica, with one key."""
    farm.stack.estctl("plan", "set", slug, "--extract", str(extract), "--status", str(status),
                      "--default", str(default))
    farm.tenant(slug, plan=slug)
    return clients(farm, farm.stack.key(slug, "extract,status,events,webhooks,audit,operate,admin"))


def clients(farm, key):
    return [belt.Client(farm.services[f"intake-{i}"].url, key) for i in REPLICAS]


def spread(some, count, ask):
    """count requests at once over these clients; -> their answers."""
    with ThreadPoolExecutor(12) as pool:
        return list(pool.map(lambda n: ask(some[n % len(some)]), range(count)))


def jobs(client):
    return client.call("GET", "/v1/jobs?limit=1")


def webhooks(client):
    return client.call("GET", "/v1/webhooks")


def decisions(farm, instance, by):
    """How many of them an instance made so."""
    found = re.findall(rf'^esteira_rate_decisions_total{{by="{by}",outcome="\w+"}} (\d+)',
                       farm.metrics(f"intake-{instance}"), re.M)
    return sum(map(int, found))


def fields(answer):
    """-> (q, r, t) of the RateLimit fields."""
    policy = re.fullmatch(r'"(\w+)";q=(\d+);w=60', answer.header("RateLimit-Policy"))
    limit = re.fullmatch(r'"(\w+)";r=(\d+);t=(\d+)', answer.header("RateLimit"))
    assert policy[1] == limit[1]
    return int(policy[2]), int(limit[2]), int(limit[3])


def split(answers, passed=200):
    """-> (how many passed, how many were refused); each refusal is a whole one."""
    good = [a for a in answers if a.status == passed]
    refused = [a for a in answers if a.status == 429]
    assert len(good) + len(refused) == len(answers), {a.status for a in answers}
    for answer in refused:
        answer.problem("rate-limited")
        _, left, reset = fields(answer)
        assert left == 0 and 1 <= int(answer.header("Retry-After")) <= WINDOW_S + 1 and reset <= WINDOW_S + 1
    return len(good), len(refused)


def pressure(farm):
    """What the replica that was asked says of itself."""
    return int(re.search(r"^esteira_back_pressure (\d)$", farm.metrics("intake-1"), re.M)[1])


def test_back_pressure_is_honest(farm):
    """A 503 of POST /v1/extract: when its cause is gone, its Retry-After is long enough."""
    client = tenant(farm, "cheia")[0]
    sent, page = [], belt.tiny_pdf("Uma folha a mais")

    def full():
        answer = client.upload(page, None)
        if answer.status == 202:
            sent.append(answer.json()["job_id"])
        return answer if answer.status == 503 else None
    for _ in range(3):  # each time on another side of the second in which pressure is read
        refused = belt.wait_for("a 503", full)
        told = time.monotonic()
        refused.problem("overloaded")
        assert pressure(farm) == 1
        for job_id in sent:
            client.call("DELETE", f"/v1/jobs/{job_id}", 204)
        sent.clear()
        ready = told + int(refused.header("Retry-After"))
        belt.wait_for("the time it named", lambda r=ready: time.monotonic() >= r, 300)
        sent.append(client.upload(page, 202).json()["job_id"])
    for job_id in sent:
        client.call("DELETE", f"/v1/jobs/{job_id}", 204)
    belt.wait_for("no pressure", lambda: pressure(farm) == 0)


@pytest.mark.parametrize("limit", [1, 7, 60])
def test_exactly_the_limit_passes(farm, limit):
    """Of twice as many, at once, over three replicas."""
    some = tenant(farm, f"exato-{limit}", status=limit)
    before = {i: decisions(farm, i, "local") for i in REPLICAS}
    answers = spread(some, 2 * limit, jobs)
    assert split(answers) == (limit, limit)
    assert sorted(fields(a)[1] for a in answers if a.status == 200) == list(range(limit))
    assert {i: decisions(farm, i, "local") for i in REPLICAS} == before


def test_of_whom_is_counted_what(farm):
    """extract and status of a key, the rest of the tenant; each by itself."""
    some = tenant(farm, "quem", extract=2, status=3, default=4)
    more = clients(farm, farm.stack.key("quem", "extract,status,webhooks,audit"))
    for group in (some, more):
        assert split(spread(group, 6, jobs)) == (3, 3)
        assert split(spread(group, 4, lambda c: c.call("GET", "/v1/health/integrations"))) == (0, 4)
    uploads = spread(some, 4, lambda c: c.call("POST", "/v1/extract", None, b"no pdf", {"Content-Type": belt.PDF}))
    assert split(uploads, 415) == (2, 2)
    assert split(spread(more, 1, lambda c: c.call("POST", "/v1/extract", None, b"x", {"Content-Type": belt.PDF})),
                 415) == (1, 0)
    assert split(spread([*some, *more], 8, webhooks)) == (4, 4)


def test_no_other_key_keeps_its_owner_from_ending_it(farm):
    """A stolen key for little uses up what is the tenant's, and what it may not ask for does not count."""
    owner = tenant(farm, "dona", default=4)
    stolen = clients(farm, farm.stack.key("dona", "webhooks"))
    assert split(spread(stolen, 9, webhooks)) == (4, 5)
    assert {a.status for a in spread(stolen, 9, lambda c: c.call("GET", "/v1/keys"))} == {403}
    assert webhooks(owner[0]).status == 429
    boss = clients(farm, farm.stack.key("dona", "admin"))
    assert split(spread(boss, 9, lambda c: c.call("GET", "/v1/keys"))) == (4, 5)
    ended = owner[1].call("DELETE", f"/v1/keys/{stolen[0].key[3:11]}", 200)
    assert ended.header("RateLimit-Policy") == '"keys";q=4;w=60'
    assert split(spread(owner, 6, lambda c: c.call("GET", "/v1/keys"))) == (3, 3)


def test_a_rotation_is_no_fresh_minute(farm):
    some = tenant(farm, "roda", extract=1, status=4, default=3)
    assert split(spread(some, 6, jobs)) == (4, 2)
    for turn in range(3):
        made = some[turn].call("POST", f"/v1/keys/{some[0].key[3:11]}/rotate", 201, b"{}",
                               {"Content-Type": "application/json"})
        some = clients(farm, made.json()["key"])
        assert split(spread(some, 6, jobs)) == (0, 6)
    assert some[0].call("GET", "/v1/keys").status == 429
    assert split(spread(clients(farm, farm.stack.key("roda", "status")), 6, jobs)) == (4, 2)


def test_another_plan_counts(farm):
    some = tenant(farm, "cresce", status=2)
    assert split(spread(some, 4, jobs)) == (2, 2)
    farm.stack.estctl("tenant", "plan", "cresce", "--plan", "unlimited")
    belt.wait_for("the plan", lambda: all(a.status == 200 for a in spread(some, 6, jobs)), COUNTS_S)
    assert jobs(some[0]).header("RateLimit") is None
    farm.stack.estctl("tenant", "plan", "cresce", "--plan", "cresce")
    belt.wait_for("the plan before", lambda: jobs(some[0]).status == 429, COUNTS_S)
    listed = {row["name"]: row for row in json.loads(farm.stack.estctl("plan", "list", "--json"))}
    assert listed["standard"] == {"name": "standard", "extract_per_min": 30, "status_per_min": 300,
                                  "default_per_min": 100, "tenants": 0}
    assert listed["cresce"]["tenants"] == 1
    for wrong in (("tenant", "create", "nova", "--name", "Nova", "--plan", "none"),
                  ("tenant", "plan", "cresce", "--plan", "none"), ("tenant", "plan", "none", "--plan", "standard"),
                  ("plan", "set", "x1", "--extract", "1", "--status", "1", "--default", "1000001")):
        with pytest.raises(Exception, match="exit [12]"):
            farm.stack.estctl(*wrong)
    sql = "SELECT object FROM audit.operations WHERE action = 'tenant.plan'"
    belt.wait_for("the entry", lambda: "tenant cresce: plan unlimited" in farm.stack.psql(sql))


def test_every_route_is_limited(farm):
    """Made from the route table: with a limit of one the second request is refused, wherever it goes."""
    client = tenant(farm, "todas", 1, 1, 1)[0]
    for route in routes.table():
        if route.limit is None:
            assert route.ask(client).header("RateLimit") is None
            continue
        first, second = route.ask(client), route.ask(client)
        assert first.status not in (401, 403, 500), (route, first)
        assert second.status == 429, (route, second)
        assert (fields(second)[:2], fields(first)[:2]) == ((1, 0), (1, 0))


def test_an_upload_is_refused_before_its_body(farm):
    client = tenant(farm, "pesada", extract=1)[0]
    client.call("POST", "/v1/extract", 415, b"no pdf", {"Content-Type": belt.PDF})
    with belt.Wire(client.url) as wire:
        fields = (f"X-API-Key: {client.key}", f"Content-Type: {belt.PDF}", "Content-Length: 40000000",
                  "Expect: 100-continue")
        assert wire.request("POST", "/v1/extract", fields).answer("POST", "/v1/extract").status == 429


def test_events_are_refused_whole(farm):
    client = tenant(farm, "falante", default=2)[0]
    answers = [client.call("POST", "/v1/events", None, b"[]" + b" " * 3000000, {"Content-Type": "application/json"})
               for _ in range(4)]
    assert [a.status == 429 for a in answers] == [False, False, True, True], answers


def test_a_stream_counts_once(farm):
    some = tenant(farm, "ouvinte", status=2)
    job_id = some[0].send(belt.tiny_pdf("Uma folha que espera"))
    conn, got = some[0]._open("GET", f"/v1/jobs/{job_id}/events")  # pylint: disable=protected-access
    try:
        assert got.status == 200 and got.getheader("RateLimit").startswith('"status";r=1;t=')
        assert split(spread(some, 3, jobs)) == (1, 2)
    finally:
        conn.close()
    belt.wait_for("the end of the job", lambda: some[0].call("DELETE", f"/v1/jobs/{job_id}").status == 204)


def test_retry_after_is_honest(farm):
    """Before it nothing passes, after it something does."""
    some = tenant(farm, "paciente", status=2)
    assert split(spread(some, 2, jobs)) == (2, 0)
    asked = time.monotonic()
    refused = jobs(some[1])
    told = time.monotonic()
    wait_s = int(refused.header("Retry-After"))
    assert WINDOW_S - 10 <= wait_s <= WINDOW_S
    seen = 0
    while time.monotonic() < told + wait_s:
        answer = jobs(some[seen % 3])
        if time.monotonic() < asked + wait_s - 1:
            assert answer.status == 429, "it passed before its time"
            assert int(answer.header("Retry-After")) <= wait_s
            seen += 1
        elif answer.status == 200:
            break
        time.sleep(0.5)  # the time that was asked for
    else:
        assert jobs(some[0]).status == 200
    assert seen > 10


def test_a_flushed_script_is_sent_again(farm):
    some = tenant(farm, "script", status=4)
    with farm.redis() as redis:
        redis("SCRIPT", "FLUSH")
    before = decisions(farm, 1, "local")
    assert split(spread(some[:1], 8, jobs)) == (4, 4)
    assert decisions(farm, 1, "local") == before


def test_what_stands_in_redis_is_looked_at(farm):
    """A key of another kind there is no open door and no crash."""
    some = tenant(farm, "estranha", default=3)
    with farm.redis() as redis:
        redis("SET", f"rate:default:{farm.tenant_id('estranha')}:", "x", "EX", 60)
        assert split(spread(some[:1], 6, webhooks)) == (3, 3)
        redis("DEL", f"rate:default:{farm.tenant_id('estranha')}:")


def test_what_is_kept_is_bounded(farm):
    some = tenant(farm, "curta", default=5)
    spread(some, 40, webhooks)
    with farm.redis() as redis:
        name = f"rate:default:{farm.tenant_id('curta')}:"
        assert redis("LLEN", name) == 5
        assert 0 < redis("PTTL", name) <= WINDOW_S * 1000


def test_a_slow_redis_is_not_waited_for(farm):
    some = tenant(farm, "lenta", status=3)
    farm.start("intake", 3, ESTEIRA_RATE_REDIS_MS="100")
    client = clients(farm, some[0].key)[2]
    with farm.redis() as redis:
        redis("CLIENT", "PAUSE", 15000, "ALL")
        began = time.monotonic()
        assert split([jobs(client) for _ in range(6)]) == (3, 3)
        assert time.monotonic() - began < 10
        assert decisions(farm, 3, "local") >= 6


def test_without_redis_each_process_limits(farm):
    """No open door: what passed before still counts, and of the rest the limit passes, no more."""
    some, used = tenant(farm, "sozinha", status=10), tenant(farm, "gasta", status=5)
    farm.start("intake", 3, ESTEIRA_INTAKE_PENDING_MAX="3", **PATIENT)
    some, used = clients(farm, some[0].key), clients(farm, used[0].key)
    assert split(spread(used[:1], 10, jobs)) == (5, 5)
    farm.stack.kill_one("redis")
    try:
        assert split(spread(used[:1], 10, jobs)) == (0, 10)
        for client in some:
            assert split(spread([client], 20, jobs)) == (10, 10)
        assert all(decisions(farm, i, "local") >= 20 for i in REPLICAS)
    finally:
        farm.stack.start_one("redis")
    wait_for_redis(farm, "outra")
    assert split(spread(used[:1], 10, jobs)) == (0, 10)
    for client in some:  # what passed without it still counts: no second minute
        assert split(spread([client], 20, jobs)) == (0, 20)
    fresh = tenant(farm, "recente", status=4)
    assert split(spread(fresh, 9, jobs)) == (4, 5)


def test_a_minute_that_was_begun_without_redis_is_ended_with_it(farm):
    """Of many at once no more pass than were left, and none is counted twice."""
    some = tenant(farm, "dividida", status=10)
    assert split(spread(some[:1], 4, jobs)) == (4, 0)
    farm.stack.kill_one("redis")
    try:
        assert split(spread(some[:1], 3, jobs)) == (3, 0)
    finally:
        farm.stack.start_one("redis")
    wait_for_redis(farm, "outra-vez")
    assert split(spread(some[:1], 12, jobs)) == (3, 9)  # Redis has forgotten the four, the process has not
    assert split(spread(some[1:2], 12, jobs)) == (7, 5)


def wait_for_redis(farm, slug):
    """Until each replica counts there again: asked by a tenant whose own limit is never met, for then nobody asks Redis."""
    some = tenant(farm, slug, status=10_000)

    def counted_there(instance):
        before = decisions(farm, instance, "redis")
        jobs(some[instance - 1])
        return decisions(farm, instance, "redis") > before
    for instance in REPLICAS:
        belt.wait_for("Redis to count again", lambda i=instance: counted_there(i))
