"""Every question of every board is answered by a real Prometheus that scraped services which had something to do:
documents, good and bad, webhooks, partners, records that nobody can read, a server that was away."""
import os
import sys
import time

import pytest

import belt
import conveyor
import hooks
import partners
from prometheus import Prometheus
from receiver import Receiver
from scrape import Scrape
from test_post_events import charge, post

sys.path.insert(0, os.path.join(belt.ROOT, "tests/deploy"))
# pylint: disable=wrong-import-position
import boards  # noqa: E402

SERVICES = ("intake", "ocr", "outreach", "audit")
FAST = {"ESTEIRA_OUTREACH_SCHEDULE": "300ms,600ms,900ms"}
INTERVAL = "5m"  # of Grafana's $__rate_interval: all of this test
# No answer is right here, and why.
SILENT = {
    ("overview", "Certificates end"): "the wires of this rig are plain",
    ("overview", "Spans"): "nobody takes traces in this rig",
    ("intake", "TLS connections"): "the port of this rig is plain",
}
# What nobody can read: (topic, type) of a record for each service.
POISON = (("ocr.events", "ocr.document.completed.v1"), ("ocr.jobs", "intake.document.received.v1"),
          ("outreach.commands", "outreach.test.requested.v1"), ("audit.trail", "audit.entry.recorded.v1"))


@pytest.fixture(scope="module", name="plant")
def make_plant(samples):  # pylint: disable=unused-argument
    """All services; prova is a tenant for tests, beta has a plan with limits."""
    with hooks.temporary() as plant, Receiver() as receiver:
        plant.stack.estctl("tenant", "plan", "beta", "--plan", "standard")
        plant.start("ocr")
        plant.start("outreach", **FAST)
        plant.receiver = receiver
        yield plant


@pytest.fixture(scope="module", name="eyes")
def make_eyes(plant):
    """Prometheus, looking at all of them."""
    targets = {f"esteira-{name}": [plant.services[f"{name}-1"].admin] for name in SERVICES}
    with Prometheus(plant.stack.path("prometheus"), targets, sorted(boards.RULES.glob("*.yaml"))) as eyes:
        yield eyes


def traffic(plant, sender, partner, mark):
    """A bit of everything; returns when it is through."""
    client = plant.client("prova")
    jobs = [client.send(belt.sample("contract")), client.send(belt.sample("encrypted"))]
    client.upload(b"not a document", 415)
    post(client, [charge(f"{mark}-1"), {"nonsense": 1}])
    partner.charge(f"{mark}-2", "prova")
    partner.send(b"{", partners.STRUCTURED)
    partner.flush()
    for topic, kind in POISON:
        sender.send(kind, {"job_id": 7, "endpoint_id": 7}, plant.ids["prova"], topic=f"esteira.{topic}")
    assert [client.ended(job)["status"] for job in jobs] == ["completed", "failed"]
    client.result(jobs[0])


def unanswered(eyes):
    """(board, panel, expression) of what has no answer and is not among SILENT."""
    for name, (_, panels) in boards.generator().BOARDS.items():
        for panel in panels:
            for query in panel.queries:
                if (name, panel.title) not in SILENT and not eyes.ask(
                        query.expr.replace("$__rate_interval", INTERVAL)):
                    yield name, panel.title, query.expr


def test_every_question_is_answered(plant, eyes):
    client = plant.client("prova")
    plant.receiver.tell("/hook", 500, 204)
    hooks.post(client, "/v1/webhooks", {"url": plant.receiver.url("/hook")}, 201)
    partner = partners.Partner(plant, "parceiro", "prova")
    with conveyor.reference.Sender(plant.stack) as sender:
        traffic(plant, sender, partner, "first")
        for service in SERVICES:  # a histogram that begins is no rate yet: what comes later is
            belt.wait_for(f"handled records of {service}", lambda job=service: eyes.ask(
                f'sum(esteira_handler_seconds_count{{job="esteira-{job}"}})'), 60, 0.5)
        belt.wait_for("a record of the partner", lambda: eyes.ask("esteira_partner_records_total"), 60, 0.5)
        belt.wait_for("a webhook", lambda: eyes.ask("esteira_webhook_seconds_count"), 60, 0.5)
        belt.wait_for("a request that was counted", lambda: plant.client("beta").get("/v1/webhooks") and eyes.ask(
            "esteira_rate_decisions_total"), 60, 1)
        plant.stack.stop_one("redis")
        belt.wait_for("an outage", lambda: eyes.ask("esteira_dependency_outages_total"), 60, 0.5)
        plant.stack.start_one("redis")
        belt.wait_for("Redis is back", lambda: 0 not in eyes.ask('esteira_dependency_up{dependency="redis"}'), 60, 0.5)
        traffic(plant, sender, partner, "second")
    left = []

    def none():
        left[:] = unanswered(eyes)
        return not left
    belt.wait_for(lambda: "answers to " + "\n".join(map(str, left)), none, 120, 1)


def test_late_results_and_the_jail_are_counted(plant, eyes):
    """A document that was read after its job had failed; and one that its reader could not open."""
    client, tenant = plant.client("prova"), plant.ids["prova"]
    job_id = client.send(belt.sample("encrypted"))
    assert client.ended(job_id)["status"] == "failed"
    payload = {"job_id": job_id, "result_hash": "ab" * 32, "result_bytes": 10, "pages_total": 1, "pages_text": 1,
               "pages_ocr": 0, "confidence_avg": 99.5, "processing_ms": 5,
               "result_expires_at": time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(time.time() + 600))}
    with conveyor.reference.Sender(plant.stack) as sender:
        sender.send("ocr.document.completed.v1", payload, tenant, topic="esteira.ocr.events")
    belt.wait_for("a late result", lambda: eyes.ask("esteira_results_late_total") == [1], 30, 0.5)
    belt.wait_for("a reader that failed", lambda: sum(eyes.ask(
        'esteira_jail_children_total{task="inventory", outcome="failed"}')) >= 1, 30, 0.5)
    assert sum(eyes.ask('esteira_jail_children_total{outcome="done"}')) >= 1
    assert eyes.ask('esteira_jail_children_total{outcome="forbidden"}') == []


def test_calls_of_the_storage_are_counted(plant, eyes):
    """A document is put, fetched, deleted and looked for; the bucket was asked about at start."""
    belt.finish(plant.client("prova"), plant.client("prova").send(belt.tiny_pdf("Uma página para o armazém.")))
    for job, operation, outcome in (("intake", "put", "ok"), ("intake", "bucket", "ok"), ("intake", "list", "ok"),
                                    ("ocr", "get", "ok"), ("ocr", "delete", "ok"), ("ocr", "head", "missing")):
        belt.wait_for(f"{operation} of {job}", lambda ask=f'sum(esteira_storage_seconds_count{{job="esteira-{job}", '
                      f'operation="{operation}", outcome="{outcome}"}}) > 0': eyes.ask(ask), 90, 0.5)


def test_what_may_be_silent_is_on_a_board():
    panels = {(name, panel.title) for name, (_, drawn) in boards.generator().BOARDS.items() for panel in drawn}
    assert set(SILENT) <= panels and len(SILENT) <= 3


def test_prometheus_takes_all_that_is_said(plant, eyes):
    targets = eyes.get("targets")["activeTargets"]
    assert sorted(target["labels"]["job"] for target in targets) == sorted(f"esteira-{name}" for name in SERVICES)
    assert {(target["health"], target["lastError"]) for target in targets} == {("up", "")}
    rules = [rule for group in eyes.get("rules")["groups"] for rule in group["rules"]]
    assert len(rules) == len(list(boards.alerts()))
    assert {(rule["health"], rule.get("lastError", "")) for rule in rules} == {("ok", "")}
    for name in SERVICES:
        assert not list(Scrape(plant.services[f"{name}-1"].admin).undocumented()), name


def test_alerts_see_what_is_wrong(plant, eyes):
    """The dead letters of this run are seen, and a service that ends."""
    assert sum(eyes.ask("sum by (job) (esteira_dead_letters_open)")) >= len(POISON)
    plant.stack.stop_one("audit-1")
    belt.wait_for("a service that is down", lambda: any(
        alert["labels"]["alertname"] == "EsteiraServiceDown" and alert["labels"]["job"] == "esteira-audit"
        for alert in eyes.get("alerts")["alerts"]), 30, 0.5)
    plant.stack.start_one("audit-1")
