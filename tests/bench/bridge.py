#!/usr/bin/python3
"""Partners' records through the bridge: read, judged, mapped, on intake.events with acks=all, committed.

The records wait in the log when intake starts; the clock runs from a tenth of them to the last. The conveyor
(records.py) takes its turns in the same run; the bridge must make half of it.
"""
import json
import statistics
import sys
import time

import machine
import belt
import rig
import scrape
from partners import DATA, Partner, Tail, binary
from records import drain, fill, reference

ROUNDS = 3


def figure(plant, name, **labels):
    """A metric of intake; 0 while it does not answer."""
    try:
        return scrape.Scrape(plant.services["intake-1"].admin).sum(name, **labels)
    except OSError:
        return 0


def conveyor(plant, records):
    """Records a second through the reference service, intake not running."""
    fill(plant.stack, records)
    reference.start(plant.stack, 1)
    try:
        return drain(plant, records)
    finally:
        plant.stack.stop_one("reference-1")
        plant.stack.psql("TRUNCATE reference.inbox, reference.note")


def bridge(plant, partner, records, mark):
    """(records a second, microseconds of processor a record)"""
    for n in range(records):
        partner.send(json.dumps({**DATA, "description": "x" * 200}), binary(f"{mark}-{n}"), key=str(n))
    partner.flush()
    plant.stack.start_one("intake-1")

    def done():
        return figure(plant, "esteira_partner_records_total", outcome="accepted")
    belt.wait_for("a tenth", lambda: done() >= records / 10, 120, 0.01)
    began, before, cpu = time.monotonic(), done(), figure(plant, "process_cpu_seconds_total")
    belt.wait_for("all", lambda: done() >= records, 300, 0.02)
    took, count = time.monotonic() - began, done() - before
    used = (figure(plant, "process_cpu_seconds_total") - cpu) / count * 1e6
    plant.stack.stop_one("intake-1")
    return count / took, used


def main():
    records = int(sys.argv[1]) if len(sys.argv) > 1 else 100000
    verdict = machine.Verdict()
    with rig.temporary(("alfa",), ("intake",)) as plant:
        reference.prepare(plant.stack)
        plant.events = Tail(plant.stack, "intake.events")
        partner = Partner(plant, "acme", "alfa").known("alfa")
        plant.stack.stop_one("intake-1")
        found = []
        for number in range(ROUNDS):
            found.append((*bridge(plant, partner, records, f"round-{number}"), conveyor(plant, records)))
            print("round: {:.0f}/s, {:.1f} us of processor each; conveyor {:.0f}/s".format(*found[-1]), flush=True)
    verdict.line("partners' records through the bridge", statistics.median(f[0] for f in found), unit="/s")
    verdict.line("processor time of each", statistics.median(f[1] for f in found), unit="us")
    verdict.line("records through the conveyor", statistics.median(f[2] for f in found), unit="/s")
    verdict.line("bridge against conveyor", statistics.median(f[0] / f[2] for f in found), least=0.5)
    verdict.exit()


if __name__ == "__main__":
    main()
