#!/usr/bin/python3
"""Handling again what was handled, beside handling it live: the same records, the same service.

The group is stopped and moved back to the beginning with Kafka's own tool, as an operator does.
Every record runs through its handler again; nothing is written twice and nothing is sent twice.
"""
import statistics
import sys
import time

import machine
import belt
import rig
from records import drain, fill, reference

ROUNDS = 3


def move_back(stack):
    """kafka-consumer-groups --reset-offsets --to-earliest, once the group is empty."""
    rig.tell_groups(stack, lambda text: "Error" not in text, "--group", reference.GROUP, "--topic", reference.TOPIC,
                    "--reset-offsets", "--to-earliest", "--execute")


def again(plant, records):
    """Records a second of the replay, from a tenth of them on."""
    counted = "SELECT coalesce(sum(n_done), 0) FROM reference.replay"
    before = plant.count(counted)
    reference.start(plant.stack, 1, ESTEIRA_REPLAY_MAX_RECORDS="10000000")
    try:
        belt.wait_for("a tenth", lambda: plant.count(counted) - before >= records / 10, 120, 0.01)
        began, first = time.monotonic(), plant.count(counted)
        belt.wait_for(lambda: f"all again: {plant.count(counted) - before}",
                      lambda: plant.count(counted) - before >= records, 300, 0.1)
        return (records + before - first) / (time.monotonic() - began)
    finally:
        plant.stack.stop_one("reference-1")


def main():
    records = int(sys.argv[1]) if len(sys.argv) > 1 else 60000
    verdict, found = machine.Verdict(), []
    for _ in range(ROUNDS):
        with rig.temporary((), ()) as plant:
            reference.prepare(plant.stack)
            fill(plant.stack, records)
            reference.start(plant.stack, 1)
            try:
                live = drain(plant, records)
            finally:
                plant.stack.stop_one("reference-1")
            rows = plant.count("SELECT count(*) FROM reference.note")
            move_back(plant.stack)
            found.append((live, again(plant, records)))
            if plant.count("SELECT count(*) FROM reference.note") != rows:
                sys.exit("replay: the replay made rows")
            if plant.count("SELECT coalesce(sum(n_different), 0) FROM reference.replay"):
                sys.exit("replay: outputs differed")
            print(f"round: live {found[-1][0]:.0f}/s, again {found[-1][1]:.0f}/s", flush=True)
    verdict.line("live", statistics.median(f[0] for f in found), unit="/s")
    verdict.line("again", statistics.median(f[1] for f in found), unit="/s")
    verdict.line("again against live", statistics.median(f[1] / f[0] for f in found), least=0.8)
    verdict.exit()


if __name__ == "__main__":
    main()
