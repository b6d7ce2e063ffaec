"""Spans of real services at a receiver that reads OTLP strictly: one document is one trace, and nothing waits for it."""
import json
import os
import re
import signal
import time
import urllib.request

import pytest

import belt
import hooks
import otlp
import proc
import rig
import secure
from receiver import Receiver
from scrape import Scrape

PARENT = "00f067aa0ba902b7"
BATCH_S = 5  # frame/spans.c: what waits for so long is sent
FLUSH_S = 3  # SPANS_FLUSH_MS
CPF, FILE_NAME, HOOK = "529.982.247-25", "laudo-sigiloso-da-zulmira.pdf", "/segredo-no-caminho"

# The whole way of the sample "mixed"; a page with a text layer has no child of its own, so it has no span. A number
# instead of what follows: so many of them, and nothing follows.
PAGES, RECOGNISED = 5, 3
AUDIT = {"audit: process esteira.audit.trail audit.entry.recorded.v1": {}}


def sends(service, topic, kind, below):
    """A send of one service and what comes of it."""
    return {f"{service}: send esteira.{topic} {kind}": below}


def handles(service, topic, kind, *below):
    """A record that is processed, and what that does."""
    return {f"{service}: process esteira.{topic} {kind}": {k: v for part in below for k, v in part.items()}}


def entry():
    """Of the audit trail, written by intake."""
    return sends("intake", "audit.trail", "audit.entry.recorded.v1", AUDIT)


def reports(kind, *below):
    """What ocr says of a document, and intake makes of it."""
    return sends("ocr", "ocr.events", kind, handles("intake", "ocr.events", kind, *below))


def told(kind, *below):
    """An event that outreach reads."""
    return sends("intake", "intake.events", kind, handles("outreach", "intake.events", kind, *below))


DELIVERY = "outreach.delivery.requested.v1"
WANTED = {"intake: POST /v1/extract": {
    **entry(),  # RECEIVED
    **sends("intake", "ocr.jobs", "intake.document.received.v1", handles(
        "ocr", "ocr.jobs", "intake.document.received.v1",
        {"ocr: GET": {}, "ocr: SET": {}, "ocr: read document": {"ocr: recognise page": RECOGNISED}},
        reports("ocr.document.started.v1", entry()),
        reports("ocr.document.completed.v1", entry(), told("intake.document.completed.v1", sends(
            "outreach", "outreach.commands", DELIVERY, handles(
                "outreach", "outreach.commands", DELIVERY, {"outreach: POST": {}})))),
        reports("ocr.document.deleted.v1", entry(), told("intake.document.purged.v1")))),
}}


def wanted(branches=None):
    """WANTED as otlp.tree answers."""
    found = []
    for label, below in (WANTED if branches is None else branches).items():
        found += [(label, [])] * below if isinstance(below, int) else [(label, wanted(below))]
    return sorted(found)


def size(branches):
    """How many spans that is."""
    return sum(1 + size(below) for _, below in branches)


@pytest.fixture(scope="module", name="plant")
def make_plant(samples):  # pylint: disable=unused-argument
    with otlp.Receiver() as receiver, Receiver() as hook:
        env = {"ESTEIRA_OTLP_ENDPOINT": receiver.origin + "/"}
        with rig.temporary((), ()) as plant:
            plant.traces, plant.hook, plant.env = receiver, hook, env
            plant.stack.tenant("prova", "Prova", "--test", "--deadline", str(rig.LONG_S), plan="unlimited")
            plant.keys["prova"] = plant.stack.key("prova")
            for name in ("audit", "ocr", "intake", "outreach"):
                plant.start(name, **env)
            hooks.make(plant.client("prova"), url=hook.url(HOOK), filters=["document.completed"])
            yield plant


@pytest.fixture(autouse=True)
def nothing_is_wrong(plant):
    """After every test: each request was right."""
    plant.traces.tell(200)
    yield
    assert not plant.traces.wrong


def parent_of(trace, sampled=True):
    """The header of a request that is part of this trace."""
    return {"traceparent": f"00-{trace}-{PARENT}-{'01' if sampled else '00'}"}


def fresh_trace():
    """An id nobody has used."""
    return os.urandom(16).hex()


def scrape(service):
    """Its figures now."""
    return Scrape(service.admin)


@pytest.fixture(scope="module", name="trace")
def make_trace(plant):
    """The spans of one document, once the webhook and the last audit entry are among them."""
    trace = fresh_trace()
    answer = plant.client("prova").call(
        "POST", "/v1/extract", 202, *form(belt.sample("mixed"), parent_of(trace)))
    job = answer.json()["job_id"]

    def there():
        return otlp.tree(plant.traces.of(trace), PARENT) == wanted()
    belt.wait_for(lambda: "the tree of spans:\n" + otlp.draw(wanted()) + "\ngot:\n"
                  + otlp.draw(otlp.tree(plant.traces.of(trace), PARENT)), there, 90, 0.2)
    spans = plant.traces.of(trace)
    assert len({span.id for span in spans}) == len(spans)
    return job, spans


def form(data, headers):
    """A document as a form with a name that nobody may see; body and headers of the call."""
    body, kind = belt.multipart(data, filename=FILE_NAME)
    return body, {"Content-Type": kind, **headers}


def only(spans, label):
    """The one span of that label."""
    found = [span for span in spans if repr(span) == label]
    assert len(found) == 1, label
    return found[0]


def test_one_document_is_one_trace(trace):
    """The tree itself is waited for; no span is outside of it."""
    _, spans = trace
    assert len(spans) == size(wanted())


def test_what_spans_say(plant, trace):
    job, spans = trace
    request = only(spans, "intake: POST /v1/extract")
    assert request.kind == otlp.SERVER and not request.failed
    assert request.attributes == {
        "http.request.method": "POST", "http.route": "/v1/extract", "http.response.status_code": 202,
        "url.scheme": plant.client("prova").where.scheme, "esteira.tenant.id": "prova"}
    sent = only(spans, "intake: send esteira.ocr.jobs intake.document.received.v1")
    handled = only(spans, "ocr: process esteira.ocr.jobs intake.document.received.v1")
    assert (sent.kind, handled.kind) == (otlp.PRODUCER, otlp.CONSUMER)
    assert sent.attributes["messaging.operation.type"] == "send" and sent.attributes["esteira.outbox.delay_ms"] >= 0
    for name in ("messaging.message.id", "messaging.destination.partition.id"):
        assert sent.attributes[name] == handled.attributes[name]
    assert handled.attributes["messaging.consumer.group.name"] == "esteira.ocr"
    assert handled.attributes["esteira.tenant.id"] == "prova" and handled.attributes["esteira.outcome"] == "done"
    assert handled.attributes["messaging.kafka.offset"] >= 0
    document, pages = only(spans, "ocr: read document"), [span for span in spans if span.name == "recognise page"]
    assert document.attributes == {"esteira.job.id": job, "esteira.document.pages": PAGES,
                                   "esteira.outcome": "completed"}
    truth = belt.truth("mixed")["pages"]
    assert {page.attributes["esteira.page.number"] for page in pages} == {
        number for number, page in enumerate(truth, 1) if page["source"] == "ocr"}
    assert handled.began <= document.began <= document.ended <= handled.ended
    for page in pages:
        assert page.kind == document.kind == otlp.INTERNAL
        assert 0 < page.attributes["esteira.page.confidence"] <= 100
        assert document.began <= page.began < page.ended <= document.ended
        assert page.ended - page.began > 10e6  # tens of milliseconds at least
    call = only(spans, "outreach: POST")
    assert call.kind == otlp.CLIENT
    assert call.attributes == {"http.request.method": "POST", "http.response.status_code": 204}
    for span in spans:
        assert span.resource["service.version"] and span.resource["service.instance.id"]
    assert "traceparent" not in plant.hook.got(HOOK)[0]["headers"]  # ours stays ours


def test_log_lines_of_a_span_name_it(plant, trace):
    _, spans = trace
    request = only(spans, "intake: POST /v1/extract")
    with open(plant.stack.path("log/intake-1.log"), encoding="utf-8") as f:
        lines = [json.loads(line) for line in f if '"http.request"' in line]
    (line,) = [line for line in lines if line["trace_id"] == request.trace]
    assert line["span_id"] == request.id


def test_nothing_of_a_document_is_in_a_span(plant):
    """A planted CPF, a file name, keys, addresses with signatures, the tenant's id, the path of a webhook."""
    trace, client = fresh_trace(), plant.client("prova")
    body, headers = form(belt.tiny_pdf(f"Paciente {CPF}"), parent_of(trace))
    job = client.call("POST", "/v1/extract", 202, body, headers).json()["job_id"]
    belt.finish(client, job)
    client.call("GET", f"/v1/jobs/{job}?cpf={CPF}", headers=parent_of(trace))
    client.call("GET", f"/v1/jobs/{CPF}", 404, headers=parent_of(trace))
    every = size(wanted()) - RECOGNISED + 2  # its page has a text layer; two more requests
    belt.wait_for("spans of all services", lambda: len(plant.traces.of(trace)) == every, 30, 0.1)
    seen = plant.traces.bodies()
    assert b"prova" in seen and job.encode() in seen  # what is looked for would be found
    for secret in (CPF, re.sub(r"\D", "", CPF), FILE_NAME, HOOK, plant.keys["prova"], plant.tenant_id("prova"),
                   "X-Amz", "Zulmira", "127.0.0.1", ".enc"):
        assert secret.encode() not in seen, secret


def test_the_flag_of_who_began_it_counts(plant):
    """Not sampled is not recorded, anywhere; the ratio is for what begins here alone."""
    client, silent, heard = plant.client("prova"), fresh_trace(), fresh_trace()
    job = client.send(belt.tiny_pdf("Calado"), headers=parent_of(silent, False))
    belt.finish(client, job)
    plant.start("intake", 2, **plant.env, ESTEIRA_OTLP_RATIO="0")
    other = plant.client("prova", 2)
    for _ in range(5):
        other.get(f"/v1/jobs/{job}")
    other.get(f"/v1/jobs/{job}", headers=parent_of(heard))
    plant.stack.stop_one("intake-2")  # and what waited is sent
    belt.wait_for("the one that was asked for", lambda: plant.traces.of(heard), 10, 0.1)
    gets = [span for span in plant.traces.spans if span.resource["service.instance.id"] == instance_of(plant, 2)
            and span.kind == otlp.SERVER]
    assert [span.trace for span in gets] == [heard]
    assert not plant.traces.of(silent)
    carried = {rig.header(message, "traceparent") for _, message in plant.records() if job.encode() in message.value()}
    assert {text[:35] + text[-3:] for text in carried if text and silent in text} == {f"00-{silent}-00"}


def instance_of(plant, number):
    """service.instance.id of an intake, as its log says."""
    with open(plant.stack.path(f"log/intake-{number}.log"), encoding="utf-8") as f:
        return next(found for line in f if (found := json.loads(line).get("instance")))


def extra(plant, number, **env):
    """One more intake, and a client that asks it for nothing that is there."""
    service = plant.start("intake", number, **{**plant.env, **env})
    return service, plant.client("prova", number)


def burst(client, count):
    """So many answered requests; the slowest one's seconds."""
    worst = 0.0
    with belt.Wire(client.url) as wire:
        for _ in range(count):
            began = time.monotonic()
            answer = wire.request("GET", "/v1/jobs/none", [f"X-API-Key: {client.key}"]).answer("GET", "/v1/jobs/none")
            assert answer.status == 404
            worst = max(worst, time.monotonic() - began)
    return worst


def test_a_receiver_that_is_away(plant):
    """Requests are answered as ever; what does not fit is dropped and counted."""
    service, client = extra(plant, 3, ESTEIRA_OTLP_ENDPOINT="http://127.0.0.1:9", ESTEIRA_OTLP_QUEUE_SPANS="512")
    assert burst(client, 1500) < 2
    belt.wait_for("drops", lambda: scrape(service).sum("esteira_spans_dropped_total", reason="full") >= 900, 10, 0.1)
    seen = scrape(service)
    assert seen.sum("esteira_spans_exported_total") == 0
    assert seen.sum("esteira_spans_waiting") <= 512
    assert gone_after(plant, "intake-3") < FLUSH_S + 2  # nobody is there to wait for


def gone_after(plant, name):
    """SIGTERM; the seconds until the process has ended by itself."""
    entry, began = plant.stack.state["procs"][name], time.monotonic()
    proc.send(entry["pid"], entry["start"], signal.SIGTERM)
    belt.wait_for(f"{name} to end", lambda: plant.stack.pid(name) is None, 30, 0.02)
    return time.monotonic() - began


def test_a_receiver_that_is_busy(plant):
    """503 is tried again after what it asked for, and nothing is lost or counted twice."""
    with otlp.Receiver() as own:
        own.tell("busy:2", 200)
        service, client = extra(plant, 4, ESTEIRA_OTLP_ENDPOINT=own.origin)
        burst(client, 20)
        belt.wait_for("a second try", lambda: len(own.requests) >= 2, 20, 0.05)
        belt.wait_for("all of it", lambda: scrape(service).sum("esteira_spans_exported_total") >= 20, 10, 0.1)
        assert [what for what, *_ in own.requests[:2]] == ["busy:2", 200]
        assert own.requests[0][2] == own.requests[1][2]
        own.tell("partial:3")
        burst(client, 10)
        belt.wait_for("what was refused",
                      lambda: scrape(service).sum("esteira_spans_dropped_total", reason="refused") == 3, 20, 0.1)
        own.tell(400)  # it will never take these
        burst(client, 10)
        belt.wait_for("a batch that is given up",
                      lambda: scrape(service).sum("esteira_spans_dropped_total", reason="refused") >= 13, 20, 0.1)
        assert not own.wrong
        plant.stack.stop_one("intake-4")


def test_a_receiver_that_hangs(plant):
    """Neither a request nor the end of the process waits for it."""
    with otlp.Receiver() as own:
        own.tell("hang")
        service, client = extra(plant, 5, ESTEIRA_OTLP_ENDPOINT=own.origin)
        burst(client, 600)
        belt.wait_for("a call that hangs", lambda: own.requests, 10, 0.05)
        assert burst(client, 100) < 2
        assert scrape(service).sum("esteira_spans_exported_total") == 0
        took = gone_after(plant, "intake-5")
        assert took < FLUSH_S + 4, took


def test_the_last_spans_are_sent_at_the_end(plant):
    """Also those that are no 5 s old; with the headers the receiver asks for, over TLS."""
    authority = secure.Authority(plant.stack.path("otlp-tls"))
    with otlp.Receiver(authority.issue("collector", ips=["127.0.0.1"])) as own:
        path = plant.stack.write(plant.stack.path("conf/otlp-headers"), "x-team=docs,authorization=Bearer s3cr3t\n", 0o600)
        service, client = extra(plant, 6, ESTEIRA_OTLP_ENDPOINT=own.origin, ESTEIRA_OTLP_CA_FILE=authority.ca_file,
                                ESTEIRA_OTLP_HEADERS_FILE=path)
        trace, began = fresh_trace(), time.monotonic()
        client.call("GET", "/v1/jobs/none", 404, headers=parent_of(trace))
        assert gone_after(plant, "intake-6") < BATCH_S
        assert time.monotonic() - began < BATCH_S
        assert [repr(span) for span in own.of(trace)] == ["intake: GET /v1/jobs/{id}"]
        _, headers, _ = own.requests[-1]
        assert (headers["authorization"], headers["x-team"]) == ("Bearer s3cr3t", "docs")
        assert service.admin and not own.wrong
        with open(plant.stack.path("log/intake-6.log"), encoding="utf-8") as f:
            assert "s3cr3t" not in f.read()


def test_failures_are_on_their_spans(plant):
    """An endpoint that answers 500, and a document that is none."""
    trace, client = fresh_trace(), plant.client("prova")
    plant.hook.tell(HOOK, 500, 204)
    job = client.send(belt.tiny_pdf("Entrega que falha uma vez"), headers=parent_of(trace))
    belt.finish(client, job)

    def calls():
        return [span for span in plant.traces.of(trace) if repr(span) == "outreach: POST"]
    belt.wait_for("a second call", lambda: len(calls()) == 2, 60, 0.2)
    first, second = sorted(calls(), key=lambda span: span.began)
    assert first.failed and first.attributes["error.type"] == "500" and not second.failed
    tries = [span for span in plant.traces.of(trace) if span.name == "process esteira.outreach.commands"]
    assert {span.attributes["esteira.outcome"] for span in tries} == {"retry", "done"}
    (failed,) = [span for span in tries if span.failed]
    assert failed.attributes["error.type"] == "undelivered"
    broken = fresh_trace()
    job = client.send(belt.sample("encrypted"), headers=parent_of(broken))
    client.ended(job)
    belt.wait_for("its span", lambda: [span for span in plant.traces.of(broken) if span.name == "read document"], 20, 0.1)
    (span,) = [span for span in plant.traces.of(broken) if span.name == "read document"]
    assert span.failed and span.attributes["error.type"] == client.job(job)["error_code"]


def test_without_an_endpoint_there_is_nothing(plant):
    service = plant.start("intake", 7)
    plant.client("prova", 7).call("GET", "/v1/jobs/none", 404)
    with urllib.request.urlopen(service.admin + "/metrics", timeout=10) as got:
        assert b"esteira_spans_" not in got.read()
    plant.stack.stop_one("intake-7")
