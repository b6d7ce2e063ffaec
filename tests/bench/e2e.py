#!/usr/bin/python3
"""From POST to completed: one text-layer PDF at a time, two of each service running.

The clock runs from the first byte of the upload to the completed event on the job's stream, which
the other intake serves.
"""
import statistics
import sys
import time

import machine
import belt
import rig

WARM_UP, DOCUMENTS = 20, 300
BUDGET_S = 40


def one(plant, keep, turn, data):
    """Milliseconds of one document."""
    wire, key = keep[turn % 2], plant.keys["alfa"]
    began = time.perf_counter()
    wire.request("POST", "/v1/extract", [
        f"X-API-Key: {key}", "Content-Type: application/pdf", f"Content-Length: {len(data)}"], data)
    answer = wire.answer("POST", "/v1/extract")
    if answer.status != 202:
        sys.exit(f"e2e: {answer}")
    with belt.Wire(plant.client(instance=2 - turn % 2).url) as stream:
        stream.request("GET", answer.json()["links"]["events"], [f"X-API-Key: {key}"])
        while b"event: completed" not in stream.left and b"event: failed" not in stream.left:
            size = len(stream.left)
            stream.peek_more()
            if len(stream.left) == size:
                sys.exit(f"e2e: the stream ended: {stream.left!r}")
        took = (time.perf_counter() - began) * 1000
        if b"event: failed" in stream.left:
            sys.exit(f"e2e: {stream.left!r}")
    return took


def main():
    verdict = machine.Verdict()
    rig.make_samples()
    data = belt.sample("one-page")
    with rig.temporary() as plant:
        for name in ("audit", "ocr", "intake"):
            plant.start(name, 2)
        keep = [belt.Wire(plant.client(instance=instance).url) for instance in (1, 2)]
        for turn in range(WARM_UP):
            one(plant, keep, turn, data)
        took, until = [], time.monotonic() + BUDGET_S
        while len(took) < DOCUMENTS and time.monotonic() < until:
            took.append(one(plant, keep, len(took), data))
        took.sort()
        verdict.line("documents", len(took))
        verdict.line("p50, POST to completed", statistics.median(took), most=60, unit="ms")
        verdict.line("p99", took[len(took) * 99 // 100], most=250, unit="ms")
        verdict.line("longest", took[-1], unit="ms")
    verdict.exit()


if __name__ == "__main__":
    main()
