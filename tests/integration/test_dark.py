"""Kafka away for two minutes: uploads are taken from the outbox, then no more. The outage begins
first of all tests and is looked at last (conftest.py), so that nobody waits for it.
"""
import threading
import time

import pytest

import belt
import rig

AWAY_S = 120
SLACK_S = 15


@pytest.fixture(scope="session", name="dark")
def make_dark(samples):  # pylint: disable=unused-argument
    """An intake whose broker is gone."""
    with rig.temporary(services=("intake",)) as dark:
        dark.began = time.monotonic()
        dark.stack.stop_one("kafka")
        yield dark


class Watcher(threading.Thread):
    """Reads a job's event stream, raw, until told to stop."""

    def __init__(self, client, job_id):
        super().__init__(daemon=True)
        self.wire, self.text = belt.Wire(client.url, 300), b""
        self.wire.request("GET", f"/v1/jobs/{job_id}/events", [f"X-API-Key: {client.key}"])
        self.start()

    def run(self):
        while self.wire.peek():
            self.text += self.wire.left
            self.wire.left = b""


def test_uploads_are_taken_without_kafka(dark):
    client = dark.client()
    assert client.get("/v1/health")["checks"]["postgres"]["status"] == "up"
    dark.job_id = client.send(belt.tiny_pdf("Recebido sem o barramento"))
    assert client.job(dark.job_id)["status"] == "pending"
    assert len(dark.objects()) == 1
    dark.watcher = Watcher(client, dark.job_id)


def test_two_minutes_without_kafka(dark):
    """At first 202, from two minutes on 503; when it is back, all is well."""
    client, page = dark.client(), belt.tiny_pdf("Mais uma folha")

    def refused():
        answer = client.upload(page, None)
        assert answer.status in (202, 503), answer
        return answer if answer.status == 503 else None
    answer = belt.wait_for("a 503", refused, AWAY_S + SLACK_S, 1)
    assert time.monotonic() - dark.began > AWAY_S - 5
    answer.problem("kafka-away")
    assert int(answer.header("Retry-After")) > 0
    health = client.get("/v1/health")
    assert (health["status"], health["checks"]["kafka"]["status"]) == ("degraded", "down"), health
    assert client.job(dark.job_id)["status"] == "pending"
    pings = dark.watcher.text.count(b"\n:")
    assert pings >= (AWAY_S - 10) // 15, dark.watcher.text[-500:]


def test_all_of_it_comes_after(dark):
    """What was taken meanwhile is read when Kafka, and with it ocr and audit, are there."""
    client = dark.client()
    dark.stack.start_one("kafka")
    dark.start("audit")
    dark.start("ocr")
    belt.finish(client, dark.job_id)
    belt.wait_for("the stream's end", lambda: b"event: completed" in dark.watcher.text)
    belt.wait_for("uploads again", lambda: client.upload(
        belt.tiny_pdf("De volta"), None).status == 202, 30, 0.2)
    belt.wait_for("nothing pending", lambda: dark.count(
        "SELECT count(*) FROM intake.jobs WHERE status IN ('pending', 'processing')") == 0, 60, 0.1)
    dark.no_objects()
