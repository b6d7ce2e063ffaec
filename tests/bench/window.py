#!/usr/bin/python3
"""Private memory of a consumer whose windows are full, and how fast it goes on when its handler does.

60 partitions with 2,000 records of 1 KB each wait in the log, of so many tenants that no window
overflows; the handler takes a second. Then the same log once more with a handler that takes no time:
a client that rests behind a full queue shows there. Then all of it again, as an operator replays it,
with what the service has answered into the same topic in between: small records that are passed over.
"""
import os
import sys
import time
import uuid

import confluent_kafka

import machine
import belt
import rig
from stack import Stack

sys.path.insert(0, os.path.join(machine.ROOT, "tests/reference"))
# pylint: disable=wrong-import-position
import reference  # noqa: E402
import replay  # noqa: E402

PARTITIONS, RECORDS, BYTES, TENANTS = 60, 2000, 1024, 20
MB = 1e6
MOST_MB, LEAST_RATE = 40, 4000  # the rate: far above what a client that rests for 1 s at a time gets
SETTLE_S, GIVE_UP_S, DRAIN_S = 10, 90, 300
SPACE = {"ESTEIRA_TOPICS_PARTITIONS": str(PARTITIONS)}
KIND = "reference.entry.requested.v1"


def fill(stack):
    """The log: in each partition all tenants' records, turn by turn."""
    wrong = []
    producer = confluent_kafka.Producer({
        **stack.kafka_client_conf(), "linger.ms": 50, "batch.size": 500000,
        "queue.buffering.max.kbytes": 65536})
    tenants = [str(uuid.uuid4()) for _ in range(TENANTS)]
    for n in range(RECORDS):
        for part in range(PARTITIONS):
            tenant = tenants[n % TENANTS]
            key = f"{part}-{n % TENANTS}"
            value = f'{{"key":"{key}","n":{n // TENANTS + 1},"behave":"ok"}}'.ljust(BYTES)
            headers = {"ce_specversion": "1.0", "ce_id": str(uuid.uuid4()), "ce_type": KIND,
                       "ce_source": "/bench", "ce_tenantid": tenant, "ce_partitionkey": key,
                       "ce_time": "2026-01-01T00:00:00.000Z",
                       "ce_dataschema": f"urn:esteira:schema:{KIND}",
                       "content-type": "application/json"}
            while True:
                try:
                    producer.produce(reference.TOPIC, value, tenant, part,
                                     headers=list(headers.items()),
                                     on_delivery=lambda error, _: error and wrong.append(error))
                    break
                except BufferError:
                    producer.poll(0.1)
        producer.poll(0)
    assert producer.flush(120) == 0 and not wrong, wrong[:1]


def gauge(service, name):
    """A figure of the service's."""
    for line in rig.urllib.request.urlopen(service.admin + "/metrics", timeout=10):
        if line.decode().startswith(name + " "):
            return float(line.split()[1])
    return 0.0


def full_windows(stack, verdict):
    """Memory while nothing moves any more."""
    service = reference.start(stack, 1, **SPACE, ESTEIRA_REFERENCE_DELAY_MS="1000")
    idle = machine.private_bytes(service.pid)
    with machine.Peak(service.pid) as peak:
        until, held, since = time.monotonic() + GIVE_UP_S, 0, time.monotonic()
        while time.monotonic() < until and time.monotonic() - since < SETTLE_S:
            now = gauge(service, "esteira_window_bytes")
            if now > held * 1.02:
                held, since = now, time.monotonic()
            time.sleep(0.5)
    verdict.line("as it starts, private", idle / MB, unit="MB")
    verdict.line("records in its windows", held / MB, unit="MB")
    verdict.line("most while they fill, private", peak.bytes / MB, most=MOST_MB, unit="MB")
    verdict.line("when they are full, private", machine.private_bytes(service.pid) / MB,
                 most=MOST_MB, unit="MB")
    stack.stop_one("reference-1")


def drained(stack, count, verdict):
    """Records a second once the handler takes no time, and memory meanwhile."""
    handled, total = "SELECT count(*) FROM reference.inbox", PARTITIONS * RECORDS
    before = count(handled)
    service = reference.start(stack, 1, **SPACE)
    with machine.Peak(service.pid) as peak:
        belt.wait_for("a tenth", lambda: count(handled) > before + total / 10, 120, 0.05)
        began, first = time.monotonic(), count(handled)
        belt.wait_for("nine tenths", lambda: count(handled) >= total * 9 / 10, DRAIN_S, 0.1)
        rate = (count(handled) - first) / (time.monotonic() - began)
        belt.wait_for("the rest", lambda: count(handled) == total, DRAIN_S, 0.1)
    verdict.line("most while they are handled, private", peak.bytes / MB, most=MOST_MB, unit="MB")
    verdict.line("handled", rate, least=LEAST_RATE, unit="/s")
    stack.stop_one("reference-1")


def replayed(stack, count, verdict):
    """Memory while all is handled again."""
    replay.move_back(stack)
    service = reference.start(stack, 1, **SPACE, ESTEIRA_REPLAY_MAX_RECORDS="10000000")
    with machine.Peak(service.pid) as peak:
        belt.wait_for("all of it again", lambda: count("SELECT coalesce(sum(n_done), 0) FROM reference.replay")
                      >= PARTITIONS * RECORDS, DRAIN_S, 0.2)
    verdict.line("most while they are handled again, private", peak.bytes / MB, most=MOST_MB, unit="MB")


def main():
    verdict = machine.Verdict()
    with Stack.temporary(deploy=False) as stack:
        stack.deploy()
        stack.estctl("topics", "create", env=SPACE)
        reference.prepare(stack)
        fill(stack)
        full_windows(stack, verdict)
        for stage in (drained, replayed):
            stage(stack, rig.Rig(stack).count, verdict)
    verdict.exit()


if __name__ == "__main__":
    main()
