"""Each server away in turn: a clear answer, nothing half-done, and all well when it is back."""
import contextlib
import http.client
import json
import signal
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest

import belt
import rig
import proc  # belt.py put docker/local on the path

STILL_S = 20
PAGE = belt.tiny_pdf("Uma folha para os dias ruins")


@pytest.fixture(scope="module", name="ill")
def make_ill(samples):  # pylint: disable=unused-argument
    """A rig of its own, to be maltreated."""
    with rig.temporary(("alfa",), ("audit", "ocr", "intake")) as ill:
        yield ill


def jobs_of(ill):
    return ill.count("SELECT count(*) FROM intake.jobs")


def settled(ill):
    """No dead letter, nothing waiting, nothing in storage."""
    ill.no_objects(40)
    for schema in ("intake", "ocr", "audit"):
        assert ill.count(f"SELECT count(*) FROM {schema}.dead_letter") == 0
        belt.wait_for(f"an empty outbox of {schema}", lambda s=schema: ill.count(
            f"SELECT count(*) FROM {s}.outbox") == 0)


def away(client, code, key):
    """The 503 a partner gets, with a time to come again."""
    answer = client.upload(PAGE, 503, key=key)
    answer.problem(code)
    assert 0 < int(answer.header("Retry-After")) <= 300


def test_postgres_away(ill):
    client, key, before = ill.client(), belt.fresh_key(), jobs_of(ill)
    kept = client.send(PAGE)
    belt.finish(client, kept)
    ill.stack.stop_one("postgres")
    for _ in range(3):
        away(client, "postgres-away", key)
    for path in ("/v1/jobs", f"/v1/jobs/{kept}", f"/v1/jobs/{kept}/result",
                 f"/v1/jobs/{kept}/events", f"/v1/audit?job_id={kept}"):
        answer = client.call("GET", path, 503)
        answer.problem("postgres-away")
        assert answer.header("Retry-After")
    client.call("DELETE", f"/v1/jobs/{kept}", 503).problem("postgres-away")
    assert ill.objects() == []
    belt.wait_for("health to say so", lambda: client.get("/v1/health")["checks"]["postgres"][
        "status"] == "down", 20, 0.2)
    ill.stack.start_one("postgres")
    made = belt.wait_for("a 202", lambda: accepted(client, key), 20, 0.1)
    assert client.send(PAGE, key=key) == made
    assert jobs_of(ill) == before + 2
    belt.finish(client, made)
    belt.wait_for("health to say so", lambda: client.get("/v1/health")["status"] == "ok", 20, 0.2)
    settled(ill)


def accepted(client, key, page=PAGE):
    """The job's id, None while the suite is still recovering."""
    answer = client.upload(page, None, key=key)
    assert answer.status in (202, 503), answer
    return answer.json()["job_id"] if answer.status == 202 else None


def test_postgres_killed_while_reading(ill):
    """A crash of the database in the middle of OCR costs time and nothing else."""
    client = ill.client()
    job_id = client.send(belt.sample("receipt-2"))
    belt.wait_for("processing", lambda: client.job(job_id)["status"] != "pending")
    ill.stack.kill_one("postgres")
    ill.stack.start_one("postgres")
    belt.wait_for("an answer", lambda: client.call("GET", f"/v1/jobs/{job_id}").status == 200, 20)
    belt.finish(client, job_id)
    settled(ill)


@pytest.mark.parametrize("how", ["stop_one", "kill_one"])
def test_no_request_fails_after_postgres_was_away(ill, how):
    """Found in review: each request thread found its idle connection dead by failing one request."""
    client = ill.client()

    def ask(_):
        return client.call("GET", "/v1/jobs?limit=1").status
    with ThreadPoolExecutor(16) as many:  # every request thread has a connection
        assert set(many.map(ask, range(96))) == {200}
    getattr(ill.stack, how)("postgres")
    ill.stack.start_one("postgres")
    assert [ask(n) for n in range(32)] == [200] * 32
    belt.finish(client, client.send(PAGE))


@contextlib.contextmanager
def frozen(ill, name):
    """All its processes stopped: its machine acknowledges what comes, and nobody answers."""
    entry = ill.stack.state["procs"][name]
    pids = [(entry["pid"], entry["start"]), *proc.family(entry["pid"], entry["start"])]
    for pid, start in pids:
        proc.send(pid, start, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid, start in pids:
            proc.send(pid, start, signal.SIGCONT)


def test_postgres_that_stands_still(ill):
    """Found by a stranger: requests hung for as long as it stood, and health said up."""
    client, key, before = ill.client(), belt.fresh_key(), jobs_of(ill)
    kept = client.send(PAGE)
    belt.finish(client, kept)
    pids = {name: ill.stack.pid(name) for name in ill.services}
    with frozen(ill, "postgres"):
        began = time.monotonic()
        with ThreadPoolExecutor(3) as many:
            answers = [many.submit(client.upload, PAGE, 503, key=key),
                       *(many.submit(client.call, "GET", path, 503) for path in ("/v1/jobs", f"/v1/jobs/{kept}"))]
            for answer in answers:
                answer.result().problem("postgres-away")
                assert answer.result().header("Retry-After")
        assert time.monotonic() - began < STILL_S
        belt.wait_for("health to say so", lambda: client.get("/v1/health")["checks"]["postgres"][
            "status"] == "down", STILL_S, 0.2)
        for name in ill.services:  # the workers' statements may take longer
            belt.wait_for(f"{name} to say so", lambda n=name: dependency(ill, n, "postgres").get(
                "status") == "down", 3 * STILL_S, 0.5)
    made = belt.wait_for("a 202", lambda: accepted(client, key), 20, 0.1)
    assert jobs_of(ill) == before + 2
    belt.finish(client, made)
    assert {name: ill.stack.pid(name) for name in ill.services} == pids
    settled(ill)


def dependency(ill, name, part):
    """What /readyz of a service says about a server; the answer may well be a 503."""
    try:
        with urllib.request.urlopen(ill.services[name].admin + "/readyz", timeout=10) as got:
            body = got.read()
    except urllib.error.HTTPError as refused:
        body = refused.read()
    return json.loads(body)["dependencies"]["parts"].get(part, {})


def test_health_misses_an_idle_kafka(ill):
    """Found in review: with nothing to publish nobody noticed that the broker was away."""
    client = ill.client()
    settled(ill)

    def seen(status):
        said = [client.get("/v1/health")["checks"]["kafka"],
                *(dependency(ill, name, "kafka") for name in ("intake-1", "ocr-1", "audit-1"))]
        return said if {part.get("status") for part in said} == {status} else None
    up = belt.wait_for("Kafka to be up", lambda: seen("up"), 20, 0.2)
    assert all(0 < part["latency_ms"] < 2000 for part in up), up
    ill.stack.stop_one("kafka")
    down = belt.wait_for("Kafka to be down", lambda: seen("down"), 20, 0.2)
    assert client.get("/v1/health")["status"] == "degraded"
    assert [part.get("error") for part in down[1:]] == ["kafka-away"] * 3
    ill.stack.start_one("kafka")
    belt.wait_for("Kafka to be up", lambda: seen("up"), 20, 0.2)
    belt.finish(client, client.send(PAGE))


def test_storage_away(ill):
    client, key, before = ill.client(), belt.fresh_key(), jobs_of(ill)
    ill.stack.stop_one("s3")
    for form in (False, True):
        answer = client.upload(PAGE, 503, key=key, form=form)
        answer.problem("storage-away")
        assert int(answer.header("Retry-After")) > 0
    assert jobs_of(ill) == before
    assert client.get("/v1/jobs?limit=1")["items"]
    ill.stack.start_one("s3")
    made = belt.wait_for("a 202", lambda: accepted(client, key), 20, 0.1)
    assert client.send(PAGE, key=key) == made
    assert jobs_of(ill) == before + 1
    belt.finish(client, made)
    settled(ill)


def test_storage_killed_while_a_document_streams(ill):
    """The upload in hand is answered 503, and no job made."""
    client, before = ill.client(), jobs_of(ill)
    data = belt.tiny_pdf("Cortado pelo outro lado", 8_000_000)
    with belt.Wire(client.url) as wire:
        wire.request("POST", "/v1/extract", [
            f"X-API-Key: {client.key}", "Content-Type: application/pdf",
            f"Content-Length: {len(data)}"], data[:4_000_000])
        ill.stack.kill_one("s3")
        wire.send(data[4_000_000:])
        answer = wire.answer("POST", "/v1/extract")
        assert answer.status == 503
        answer.problem("storage-away")
    ill.stack.start_one("s3")
    ill.remove_debris()
    assert jobs_of(ill) == before
    settled(ill)


def test_storage_away_between(ill):
    """ocr waits for a document it cannot fetch; that is no failure of the document."""
    client = ill.client()
    ill.stack.stop_one("ocr-1")
    job_id = client.send(PAGE)
    ill.stack.stop_one("s3")
    ill.stack.start_one("ocr-1")
    belt.wait_for("processing", lambda: client.job(job_id)["status"] == "processing", 30)
    ill.stack.start_one("s3")
    belt.finish(client, job_id)
    settled(ill)


def test_redis_away_while_reading(ill):
    """No place for the result: the step is done again when there is one."""
    client = ill.client()
    job_id = client.send(belt.sample("receipt-2"))
    belt.wait_for("processing", lambda: client.job(job_id)["status"] != "pending")
    with client.stream(job_id) as stream:
        ill.stack.stop_one("redis")
        late = client.send(PAGE)  # Redis is no part of taking a document
        assert client.job(late)["status"] in ("pending", "processing")
        belt.wait_for("health to say so", lambda: client.get("/v1/health")["checks"]["redis"][
            "status"] == "down", 20, 0.2)
        assert client.get("/v1/health")["checks"]["ocr"]["status"] == "unknown"
        ill.stack.start_one("redis")
        # a stream that lived through it ends with the true state; rows are read again each second
        ends = [event for event in stream if event.event in belt.FINAL]
    assert [event.event for event in ends] == ["completed"]
    belt.finish(client, job_id)
    belt.finish(client, late)
    settled(ill)


def test_kafka_killed_while_documents_stream(ill):
    """The broker dies and comes back: every document is taken meanwhile and read once after."""
    client = ill.client()
    ids = [client.send(belt.tiny_pdf(f"Antes da queda {n}")) for n in range(4)]
    ill.stack.kill_one("kafka")
    ids += [client.send(belt.tiny_pdf(f"Durante a queda {n}")) for n in range(4)]
    assert client.call("DELETE", f"/v1/jobs/{ids[-1]}", 204)
    ill.stack.start_one("kafka")
    for job_id in ids[:-1]:
        belt.finish(client, job_id)
    assert client.trail(ids[-1], "PURGED") == ["RECEIVED", "FAILED", "PURGED"]
    settled(ill)


def test_every_outage_was_a_line(ill):
    """Of all that was away up to here: when it went, that it came back, and not a line a request."""
    belt.wait_for("health", lambda: ill.client().get("/v1/health")["status"] == "ok", 20, 0.2)
    with open(ill.stack.path("log/intake-1.log"), encoding="utf-8") as f:
        said = [entry for entry in map(json.loads, f) if entry["event"] in ("dependency.down", "dependency.up")]
    assert {"postgres", "redis", "storage"} <= {entry["dependency"] for entry in said}, said
    for name in {entry["dependency"] for entry in said}:
        events = [entry["event"] for entry in said if entry["dependency"] == name]
        assert events == ["dependency.down", "dependency.up"] * (len(events) // 2), events
        assert len(events) <= 20


def test_result_without_redis(ill):
    """Away: 503. Back without its memory: 410 result-lost, the job stays completed."""
    client = ill.client()
    job_id = client.send(PAGE)
    belt.finish(client, job_id)
    ill.stack.stop_one("redis")
    answer = client.result(job_id, 503)
    answer.problem("redis-away")
    assert answer.header("Retry-After")
    ill.stack.start_one("redis")
    belt.wait_for("Redis again", lambda: client.result(job_id, None).status != 503, 20)
    client.result(job_id, 410).problem("result-lost")
    assert client.job(job_id)["status"] == "completed"
    assert client.events(job_id)[-1].event == "completed"


def test_result_expires(ill):
    """Fifteen minutes, told by the row: moved back here, nobody waits for them."""
    client = ill.client()
    job_id = client.send(PAGE)
    belt.finish(client, job_id)
    with ill.redis() as redis:
        lives = [redis("TTL", key) for key in redis("KEYS", f"*{job_id}*")]
    assert len(lives) == 2 and all(850 < life <= 900 for life in lives), lives
    ill.stack.psql("UPDATE intake.jobs SET result_expires_at = now() - interval '1 s' "
                   f"WHERE job_id = '{job_id}'")
    client.result(job_id, 410).problem("result-expired")


def test_not_ready(ill):
    """With no ocr a job waits, and says so."""
    client = ill.client()
    ill.stack.stop_one("ocr-1")
    job_id = client.send(PAGE)
    client.result(job_id, 404).problem("result-not-ready")
    ill.stack.start_one("ocr-1")
    belt.finish(client, job_id)


def test_overdue_job_expires(ill):
    """Nobody reads it: at its deadline it ends failed, audited and deleted."""
    ill.tenant("breve", 60)
    client = ill.client("breve")
    ill.stack.stop_one("ocr-1")
    job_id = client.send(PAGE)
    ill.stack.psql("UPDATE intake.jobs SET expires_at = now(); "
                   "UPDATE intake.effect SET due_at = now() WHERE state <> 'confirmed'")
    job = client.ended(job_id, 20)
    assert (job["status"], job["error_code"]) == ("failed", "expired")
    assert client.trail(job_id, "PURGED") == ["RECEIVED", "FAILED", "PURGED"]
    ill.stack.start_one("ocr-1")
    events = rig.payloads(ill.records(("intake.events",)), "intake.document.expired.v1")
    assert [event["job_id"] for event in events] == [job_id]
    settled(ill)
    assert client.trail(job_id) == ["RECEIVED", "FAILED", "PURGED"]


def wait_behind(ill, count, age):
    """Pending jobs that nobody will ever read."""
    ill.stack.psql(
        "INSERT INTO intake.jobs (tenant_id, job_id, document_hash, size_bytes, created_at,"
        f" expires_at) SELECT tenant_id, gen_random_uuid(), 'x', 1, now() - interval '{age}',"
        f" now() + interval '1 hour' FROM intake.tenants, generate_series(1, {count})"
        " WHERE slug = 'breve'")


def test_a_job_that_others_have_passed_closes_no_door(ill):
    """Found in review: one job that never started was taken for a queue, for everybody."""
    client = ill.client()
    belt.finish(client, client.send(PAGE))
    wait_behind(ill, 1, "1 hour")
    for _ in range(3):
        belt.next_tick(1)  # the rows are read once a second
    belt.finish(client, client.send(PAGE))
    ill.stack.psql("DELETE FROM intake.jobs WHERE document_hash = 'x'")


def test_overload_is_refused(ill):
    """More than half a deadline of work ahead: come again later."""
    client = ill.client("breve")
    wait_behind(ill, 20000, "1 second")
    answer = belt.wait_for("a 503", lambda: refused(client), 10, 0.1)
    answer.problem("overloaded")
    assert 1 <= int(answer.header("Retry-After")) <= 300
    ill.stack.psql("DELETE FROM intake.jobs WHERE document_hash = 'x'")
    made = belt.wait_for("a 202", lambda: accepted(client, None), 10, 0.1)
    belt.finish(client, made)


def refused(client):
    """The answer if it is a 503."""
    answer = client.upload(PAGE, None)
    return answer if answer.status == 503 else None


@pytest.mark.parametrize("name", ["audit-1", "ocr-1", "intake-1"])
def test_orderly_restart(ill, name):
    """SIGTERM finishes what is held or leaves it untouched for the next."""
    client = ill.client()
    ids = [client.send(belt.sample("receipt-3")) for _ in range(2)]
    ids += [client.send(belt.tiny_pdf(f"Antes da parada {n}")) for n in range(6)]
    ill.stack.stop_one(name)
    assert ill.stack.leftovers(name) == []
    ill.stack.start_one(name)
    ids.append(client.send(PAGE))
    for job_id in ids:
        belt.finish(client, job_id)
    settled(ill)


def test_drain_ends_streams(ill):
    """An intake that goes ends its open streams, so that clients come back to another."""
    client = ill.client()
    ill.stack.stop_one("ocr-1")
    job_id = client.send(PAGE)
    with client.stream(job_id) as stream:
        ill.stack.stop_one("intake-1")
        assert list(stream) == []
    with pytest.raises((OSError, http.client.HTTPException)):
        client.job(job_id)
    ill.stack.start_one("intake-1")
    ill.stack.start_one("ocr-1")
    belt.finish(client, job_id)
