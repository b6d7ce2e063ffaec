"""The main job on real servers: every sample ends as its ground truth says, once, and without a trace."""
import concurrent.futures
import hashlib
import json
import os
import uuid

import jsonschema
import pytest
import yaml

import accuracy
import belt
import make
import rig

PLEASE_END_S = 120  # all samples share two cores
TEXT_CER, SCAN_CER = 0.01, 0.05
REFUSED = ("renamed.png",)
GOOD = [name for name, (kind, *_) in make.SAMPLES.items() if kind is make.good]
BAD = [name for name in make.SAMPLES if name not in GOOD and name not in REFUSED]


@pytest.fixture(scope="module", name="jobs")
def upload_samples(plant):
    """Every sample on its way at once: {name: job id}."""
    client = plant.client()
    # bomb-cpu first: it burns its allowance while the others are read
    names = sorted(set(make.SAMPLES) - set(REFUSED), key=lambda name: name != "bomb-cpu")
    return {name: client.send(belt.sample(name), form=number % 2 == 0)
            for number, name in enumerate(names)}


def actions_of(plant, job_id):
    return plant.stack.psql("SELECT action FROM audit.audit_logs "
                            f"WHERE job_id = '{job_id}' ORDER BY occurred_at").split()


@pytest.mark.parametrize("name", GOOD)
def test_good_sample(plant, jobs, name):
    client, truth = plant.client(), belt.truth(name)
    job = client.ended(jobs[name], PLEASE_END_S)
    assert job["document_hash"] == hashlib.sha256(belt.sample(name)).hexdigest()
    assert job["size_bytes"] == len(belt.sample(name))
    job, result = belt.finish(client, jobs[name])
    pages = result["pages"]
    assert [page["source"] for page in pages] == [page["source"] for page in truth["pages"]]
    rates = [accuracy.cer(right["text"], page["text"]) for right, page in zip(truth["pages"], pages)]
    limits = [TEXT_CER if page["source"] == "text" else SCAN_CER for page in pages]
    assert all(rate <= limit for rate, limit in zip(rates, limits)), rates
    assert sorted(actions_of(plant, jobs[name])) == sorted(belt.TRAIL)
    assert 0 <= job["processing_ms"] and 0 < job["confidence_avg"] <= 100
    assert job["started_at"] <= job["completed_at"] <= job["result_expires_at"]


@pytest.mark.parametrize("name", BAD)
def test_bad_sample(plant, jobs, name):
    client, truth = plant.client(), belt.truth(name)
    job = client.ended(jobs[name], PLEASE_END_S)
    assert (job["status"], job["error_code"]) == ("failed", truth["error_code"])
    assert client.trail(jobs[name], "PURGED") == ["RECEIVED", "PROCESSING", "FAILED", "PURGED"]
    client.result(jobs[name], 410).problem("job-failed")
    assert client.events(jobs[name])[-1].event == "failed"


def test_failed_once(plant, jobs):
    """A document that can only fail is not tried again: one started, one failed event each."""
    records = plant.records(("ocr.events",))
    for name in BAD:
        for kind in ("started", "failed"):
            ids = [rig.header(message, "ce_id") for _, message in records
                   if rig.header(message, "ce_type") == f"ocr.document.{kind}.v1"
                   and json.loads(message.value())["job_id"] == jobs[name]]
            assert len(ids) == 1, (name, kind, ids)


def test_renamed_png_is_refused(plant):
    client = plant.client()
    for form in (False, True):
        client.upload(belt.sample("renamed.png"), 415, form=form).problem("not-a-pdf")


def test_nothing_left_in_storage(plant, jobs):
    for job_id in jobs.values():
        plant.client().trail(job_id, "PURGED")
    plant.no_objects()
    assert plant.count("SELECT count(*) FROM intake.jobs WHERE key_half IS NOT NULL") == 0


def test_page_progress(plant):
    """Each page comes once on the stream, then the end state with the job in it."""
    client = plant.client()
    job_id = client.send(belt.sample("mixed"))
    events = client.events(job_id)
    assert [event.event for event in events[:1]] == ["started"]
    pages = [event.data for event in events if event.event == "page"]
    assert sorted(page["page"] for page in pages) == [1, 2, 3, 4, 5]
    assert {page["pages"] for page in pages} == {5}
    assert {page["source"] for page in pages} == {"text", "ocr"}
    assert events[-1].event == "completed"
    assert events[-1].data == client.job(job_id)
    assert len({event.id for event in events}) == len(events)


def test_resume_without_loss(plant):
    """Cut after every event and gone on with at the other intake: nothing lost, nothing twice."""
    clients = [plant.client(instance=1), plant.client(instance=2)]
    job_id = clients[0].send(belt.sample("contract-scan"))
    seen, last_id, turn = [], None, 0
    while not seen or seen[-1].event not in belt.FINAL:
        with clients[turn % 2].stream(job_id, last_id) as stream:
            seen.append(next(stream))
        last_id, turn = seen[-1].id, turn + 1
    whole = clients[turn % 2].events(job_id)
    assert [(event.id, event.event) for event in seen] == [
        (event.id, event.event) for event in whole]
    assert sorted(event.data["page"] for event in seen if event.event == "page") == [1, 2, 3]


def test_unknown_last_event_id_starts_over(plant, jobs):
    client = plant.client()
    whole = client.events(jobs["forty"])
    for wrong in ("x", "1-2-3", "99999999999999999999999-0", ""):
        assert client.events(jobs["forty"], wrong) == whole, wrong


def test_many_watchers_of_many_jobs(plant):
    """One XREAD serves all streams of a process."""
    client, other = plant.client(), plant.client(instance=2)
    ids = [client.send(belt.tiny_pdf(f"Documento de acompanhamento {n}")) for n in range(6)]
    with concurrent.futures.ThreadPoolExecutor(24) as pool:
        watched = [pool.submit(who.events, job_id) for job_id in ids
                   for who in (client, other, client, other)]
        for future in watched:
            assert future.result(60)[-1].event == "completed"


def test_result_is_gone_after_delete(plant):
    client, key = plant.client(), belt.fresh_key()
    job_id = client.send(belt.sample("one-page"), key=key)
    job, _ = belt.finish(client, job_id)
    assert "result_deleted_at" not in job
    for _ in range(2):
        assert client.call("DELETE", f"/v1/jobs/{job_id}", 204).body == b""
    client.result(job_id, 410).problem("result-deleted")
    job = client.job(job_id)
    assert job["status"] == "completed" and job["completed_at"] < job["result_deleted_at"]
    again = client.upload(belt.sample("one-page"), key=key).json()
    assert (again["job_id"], again["status"]) == (job_id, "completed")
    belt.wait_for("PURGED of the result", lambda: client.trail(job_id) == belt.TRAIL + ["PURGED"])
    last = client.entries(job_id)[-1]
    assert last["metadata"]["what"] == "result"
    with plant.redis() as redis:
        assert redis("KEYS", f"*{job_id}*") == []
    assert client.events(job_id)[-1].event == "completed"


def test_cancel_unfinished(plant):
    """An unfinished job ends cancelled; what ocr says later changes nothing."""
    client = plant.client()
    job_id = client.send(belt.sample("dense-1"))
    client.call("DELETE", f"/v1/jobs/{job_id}", 204)
    job = client.job(job_id)
    assert (job["status"], job["error_code"]) == ("failed", "cancelled")
    client.result(job_id, 410).problem("job-failed")
    trail = client.trail(job_id, "PURGED")
    assert [action for action in trail if action != "PROCESSING"] == ["RECEIVED", "FAILED", "PURGED"]
    client.call("DELETE", f"/v1/jobs/{job_id}", 204)
    plant.no_objects()
    assert client.events(job_id)[-1].event == "failed"
    assert plant.client().job(job_id) == job


def test_list_by_pages(plant, jobs):
    client = plant.client()
    client.ended(jobs["one-page"])
    every, path = [], "/v1/jobs?limit=5"
    while path:
        answer = client.call("GET", path, 200)
        page = answer.json()
        assert 0 < len(page["items"]) <= 5
        every += page["items"]
        link = answer.header("Link")
        assert (link is None) == (page.get("next_cursor") is None)
        path = link and link[link.index("<") + 1:link.index(">")]
        assert link is None or 'rel="next"' in link
    ids = [job["job_id"] for job in every]
    assert len(ids) == len(set(ids)) and set(jobs.values()) <= set(ids)
    order = [(job["created_at"], job["job_id"]) for job in every]
    assert order == sorted(order, reverse=True)
    failed = client.get("/v1/jobs?status=failed&limit=200")["items"]
    assert {job["status"] for job in failed} == {"failed"}
    assert {job["job_id"] for job in failed} == {
        job["job_id"] for job in client.get("/v1/jobs?limit=200")["items"]
        if job["status"] == "failed"}


def test_a_cursor_is_of_its_list_and_filters(plant):
    """Elsewhere it would only look as if it meant something."""
    client = belt.Client(plant.client().url, plant.stack.key("alfa", "extract,status,audit,operate,admin"))
    lists = ("/v1/jobs?", "/v1/jobs?status=completed&", "/v1/dead-letters?", "/v1/keys?")
    while "next_cursor" not in client.get("/v1/jobs?status=completed&limit=1"):
        belt.finish(client, client.send(belt.tiny_pdf("Mais uma folha")))
    plant.stack.key("alfa")
    for own in lists:
        cursor = client.get(own + "limit=1").get("next_cursor")
        for asked in lists if cursor else ():
            answer = client.call("GET", f"{asked}limit=3&cursor={cursor}", 200 if asked == own else 400)
            if asked != own:
                answer.problem("bad-parameter")


def test_list_refuses_bad_parameters(plant):
    client, other = plant.client(), plant.client("beta")
    for query in ("limit=0", "limit=201", "limit=-1", "limit=x", "limit=", "status=done",
                  "status=", "cursor=x", "cursor=AAAAAAAAAAAAAAAAAAAAAAAA"):
        client.call("GET", f"/v1/jobs?{query}", 400).problem("bad-parameter")
    for data in (belt.tiny_pdf("Primeiro de dois documentos"), belt.tiny_pdf("Segundo de dois")):
        client.ended(client.send(data))
    cursor = client.get("/v1/jobs?limit=1")["next_cursor"]
    other.call("GET", f"/v1/jobs?cursor={cursor}", 400).problem("bad-parameter")
    for place in (0, len(cursor) // 2, len(cursor) - 2):
        altered = cursor[:place] + ("A" if cursor[place] != "A" else "B") + cursor[place + 1:]
        client.call("GET", f"/v1/jobs?cursor={altered}", 400).problem("bad-parameter")


def test_neighbour_sees_nothing(plant, jobs):
    """Another tenant's job, an unknown one and no id at all get the same words."""
    client, other = plant.client(), plant.client("beta")
    theirs = jobs["contract"]
    client.ended(theirs)
    answers = set()
    for job_id in (theirs, str(uuid.uuid4()), "x", theirs.upper() + "0"):
        for method, tail in (("GET", ""), ("GET", "/events"), ("GET", "/result"), ("DELETE", "")):
            answer = other.call(method, f"/v1/jobs/{job_id}{tail}", 404)
            answer.problem("not-found")
            answers.add(answer.body)
    assert len(answers) == 1, answers
    assert other.entries(theirs) == []
    assert theirs not in other.call("GET", "/v1/jobs", 200).body.decode()
    assert client.job(theirs)["status"] == "completed"


def test_audit_needs_a_job(plant):
    client = plant.client()
    for query in ("", "?job_id=", "?job_id=x"):
        client.call("GET", f"/v1/audit{query}", 400).problem("bad-parameter")


def test_audit_says_what_happened(plant, jobs):
    client, name = plant.client(), "mixed"
    client.trail(jobs[name], "DELIVERED")
    entries = client.entries(jobs[name])
    assert [entry["action"] for entry in entries] == belt.TRAIL
    digest = hashlib.sha256(belt.sample(name)).hexdigest()
    assert {entry["document_hash"] for entry in entries} == {digest}
    notes = {entry["action"]: entry["metadata"] for entry in entries}
    assert notes["RECEIVED"]["size_bytes"] == len(belt.sample(name))
    assert (notes["COMPLETED"]["pages_text"], notes["COMPLETED"]["pages_ocr"]) == (2, 3)
    assert notes["PURGED"]["deletion_confirmed"] == 1
    assert notes["DELIVERED"]["delivered_to"] == hashlib.sha256(client.key.encode()).hexdigest()
    times = [entry["occurred_at"] for entry in entries]
    assert times == sorted(times)


def test_delivered_once_per_key(plant):
    client = plant.client()
    second = belt.Client(client.url, plant.stack.key("alfa"))
    job_id = client.send(belt.sample("receipt-1"))
    belt.finish(client, job_id)
    body = client.result(job_id).body
    assert second.result(job_id).body == body
    belt.wait_for("a second DELIVERED",
                  lambda: client.trail(job_id) == belt.TRAIL + ["DELIVERED"])


def test_same_key_same_document_is_the_same_job(plant):
    client, key, data = plant.client(), belt.fresh_key(), belt.tiny_pdf("A mesma nota, duas vezes")
    first = client.send(data, key=key)
    assert client.send(data, key=key, form=True) == first
    assert client.send(data, key=f'"{key}"') == first
    client.ended(first)
    again = client.upload(data, key=key).json()
    assert (again["job_id"], again["status"]) == (first, "completed")
    client.upload(belt.tiny_pdf("Uma nota diferente"), 422, key=key).problem("idempotency-mismatch")
    assert plant.client("beta").send(data, key=key) != first
    assert client.send(data) != first
    plant.no_objects()


def test_eight_at_once_make_one_job(plant):
    key, data = belt.fresh_key(), belt.tiny_pdf("Oito de uma vez, uma tarefa", 200_000)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        sent = [pool.submit(plant.client(instance=1 + n % 2).send, data, key=key) for n in range(8)]
        ids = {future.result(60) for future in sent}
    assert len(ids) == 1
    belt.finish(plant.client(), ids.pop())
    digest = hashlib.sha256(data).hexdigest()
    assert plant.count(f"SELECT count(*) FROM intake.jobs WHERE document_hash = '{digest}'") == 1
    plant.no_objects()


def test_idempotency_key_is_checked(plant):
    client, data = plant.client(), belt.tiny_pdf("Chave de repetição")
    for wrong in ("", '""', "x" * 256, '"open', "caf\u00e9"):
        client.upload(data, 400, key=wrong.encode("latin-1")).problem("bad-parameter")
    client.send(data, key="x" * 255)


def test_ended_events_are_announced(plant, jobs):
    """One completed or failed and one purged event each, all of them within their schemas."""
    records = plant.records()
    for kind, names in (("completed", GOOD), ("failed", BAD), ("purged", GOOD + BAD)):
        events = rig.payloads(records, f"intake.document.{kind}.v1")
        for name in names:
            mine = [event for event in events if event["job_id"] == jobs[name]]
            assert len(mine) == 1, (kind, name)
            if kind == "failed":
                assert mine[0]["error_code"] == belt.truth(name)["error_code"]
    tenant = plant.tenant_id("alfa")
    for _, message in records:
        name = rig.header(message, "ce_type")
        if name.startswith("partner."):
            continue  # theirs, of other tests
        with open(os.path.join(belt.ROOT, f"schemas/{name}.json"), encoding="utf-8") as f:
            jsonschema.Draft202012Validator(json.load(f)).validate(json.loads(message.value()))
        assert rig.header(message, "ce_specversion") == "1.0"
        assert uuid.UUID(rig.header(message, "ce_id"))
        # what the purger does at a deadline, and an operator at a keyboard, is in nobody's trace
        assert rig.header(message, "traceparent") or b"PURGED" in message.value() or (
            name.startswith("intake.document.purged")) or (
            rig.header(message, "ce_source") == "/esteira/ctl"), name
    mine = [message for _, message in records if jobs["mixed"].encode() in message.value()]
    assert {message.key().decode() for message in mine} == {tenant}
    assert len(traces_of(records, jobs["mixed"])) == 1


def traces_of(records, job_id):
    """The trace ids of a job's records; its delivery is another request's."""
    return {rig.header(message, "traceparent").split("-")[1] for _, message in records
            if job_id.encode() in message.value() and b"DELIVERED" not in message.value()}


def test_trace_is_taken_over(plant):
    client, trace = plant.client(), "4bf92f3577b34da6a3ce929d0e0e4736"
    job_id = client.send(belt.tiny_pdf("Rastro de ponta a ponta"),
                         headers={"traceparent": f"00-{trace}-00f067aa0ba902b7-01"})
    belt.finish(client, job_id)
    assert traces_of(plant.records(), job_id) == {trace}


def test_health(plant):
    client = belt.Client(plant.client().url)
    belt.wait_for("all of it up", lambda: client.get("/v1/health")["status"] == "ok", 30)
    health = client.get("/v1/health")
    assert set(health["checks"]) == {"postgres", "kafka", "redis", "storage", "ocr", "keys"}
    assert health["checks"].pop("keys")["status"] in ("up", "unknown")  # a file: unknown until the first use
    assert {check["status"] for check in health["checks"].values()} == {"up"}, health


def test_openapi_is_the_file(plant):
    with open(os.path.join(belt.ROOT, "schemas/openapi.yaml"), encoding="utf-8") as f:
        assert belt.Client(plant.client().url).get("/v1/openapi.json") == yaml.safe_load(f)
    page = belt.Client(plant.client().url).call("GET", "/docs", 200)
    assert page.header("Content-Type").startswith("text/html")
    assert b"<script" not in page.body and b"/v1/extract" in page.body
