#!/usr/bin/python3
"""What traces cost POST /v1/events: none, one in a hundred and all of them recorded, in turns in one run.

Three intakes on the same servers, events of 1 KB over 64 connections as in `bench ingest`. On a shared machine the rate
says little; the processor time that intake spends on a request, with making, encoding and sending its span, says it.
"""
import os
import statistics
import tempfile

import auth
import ingest
import machine
import rig
from scrape import Scrape
from stub import Stub

REQUESTS, WARM_UPS, ROUNDS = 40_000, 1, 5
RATIOS = {"off": None, "0.01": "0.01", "1": "1"}


class Sink(Stub):
    """Takes everything and looks at nothing."""

    def take(self, handler):
        """A batch."""
        self.body(handler)
        self.answer(handler, 200, b"{}")


def measure(plant, body, receiver, verdict):
    """Rates and processor time, in turns."""
    services = {}
    for number, (name, ratio) in enumerate(RATIOS.items(), 1):
        env = {} if ratio is None else {"ESTEIRA_OTLP_ENDPOINT": receiver.origin, "ESTEIRA_OTLP_RATIO": ratio}
        services[name] = plant.start("intake", number, **env)
    rates, spent = {name: [] for name in RATIOS}, {name: [] for name in RATIOS}
    for turn in range(-WARM_UPS, ROUNDS):
        for name in sorted(RATIOS, reverse=bool(turn % 2)):
            number = list(RATIOS).index(name) + 1
            heads = ingest.heads(plant.keys["alfa"], REQUESTS, f"{name}-{turn}")
            before = auth.cpu_s(services[name].pid)
            figures = machine.load(plant.client("alfa", number).where.port, ingest.CONNECTIONS, body, heads)
            if turn >= 0:
                rates[name].append(figures["rate"])
                spent[name].append(1e6 * (auth.cpu_s(services[name].pid) - before) / REQUESTS)
    for name in RATIOS:
        verdict.line(f"events a second, traces {name}", statistics.median(rates[name]))
        verdict.line(f"processor of intake for one, traces {name}", statistics.median(spent[name]), unit="us")
    for name in ("0.01", "1"):
        verdict.line(f"rate, traces {name} / off", statistics.median(
            a / b for a, b in zip(rates[name], rates["off"])), least=0.95 if name == "0.01" else 0.8)
        verdict.line(f"processor, traces {name} / off", statistics.median(
            a / b for a, b in zip(spent[name], spent["off"])))
    seen = Scrape(services["1"].admin)
    lost, sent = (seen.sum(f"esteira_spans_{what}_total") for what in ("dropped", "exported"))
    verdict.line("spans dropped, traces 1", 100 * lost / max(lost + sent, 1), unit="%")


def main():
    verdict = machine.Verdict()
    with tempfile.TemporaryDirectory() as folder, Sink() as receiver, rig.temporary(services=()) as plant:
        path = os.path.join(folder, "event")
        with open(path, "wb") as f:
            f.write(ingest.event())
        measure(plant, path, receiver, verdict)
    print(f"load {os.getloadavg()[0]:.0f} at the end")
    verdict.exit()


if __name__ == "__main__":
    main()
