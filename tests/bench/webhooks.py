#!/usr/bin/python3
"""Webhooks to many endpoints of which some hang: how long the others wait from the event to the call.

Each endpoint is a host of its own. The events are fed at a steady rate, as intake writes them; the receiver
(hooks_receiver.c) knows from a call's body when its event was sent. What is sent in the first seconds does not
count: the broker is Java and compiles as it goes. Postgres, Kafka, intake, the receiver and this program share
the machine. Needs $ESTEIRA_BIN_DIR (./dev bench webhooks sets it).
"""
import argparse
import collections
import contextlib
import datetime
import json
import os
import subprocess
import sys
import threading
import time
import uuid

import machine
import belt
import hooks
import rig
import scrape
from records import reference
from stack import TOPIC_PREFIX

TENANTS, EACH, KIND = 20, 10, "intake.document.completed.v1"
MB = 1e6
Call = collections.namedtuple("Call", "path sent_ms took_ms")


def options():
    """What the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="how long events are fed")
    parser.add_argument("--warm-up", type=int, default=15, help="how long before that, not counted")
    parser.add_argument("--rate", type=int, default=2000, help="deliveries a second, hanging ones among them")
    parser.add_argument("--hanging", type=int, default=20, help=f"of {TENANTS * EACH} endpoints")
    parser.add_argument("--one-host", action="store_true", help="all endpoints share a host and port")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="outreach's environment")
    return parser.parse_args()


class Receiver:
    """hooks_receiver, for as long as the with block."""

    def __init__(self, ports):
        built = os.path.dirname(os.path.abspath(os.environ["ESTEIRA_BIN_DIR"]))
        self.process = subprocess.Popen(  # pylint: disable=consider-using-with
            [os.path.join(built, "tests/hooks_receiver"), str(ports)], stdout=subprocess.PIPE, text=True)
        self.ports = [int(word) for word in self.process.stdout.readline().split()]
        self.pid = self.process.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def calls(self):
        """End it; what came."""
        self.process.terminate()
        lines = self.process.communicate(timeout=60)[0].splitlines()
        return [Call(path, int(sent), float(took)) for path, sent, took in (line.split() for line in lines)]


def cpu_seconds(pid):
    """Of a process and those it started, also those that ended."""
    with contextlib.suppress(OSError), open(f"/proc/{pid}/stat", encoding="utf-8") as f:
        mine = sum(int(word) for word in f.read().rsplit(")", 1)[1].split()[11:15]) / os.sysconf("SC_CLK_TCK")
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
            return mine + sum(cpu_seconds(child) for child in f.read().split())
    return 0


class Watch:
    """Memory of outreach, once a second, and the processor time that everybody took."""

    def __init__(self, plant, receiver):
        names = ("outreach-1", "postgres", "kafka", "intake-1")
        self.pids = {name: plant.stack.pid(name) for name in names}
        self.pids["receiver"] = receiver.pid
        self.rss, self.private, self.cpu, self.over = [], [], {}, threading.Event()
        self.thread = threading.Thread(target=self._look, daemon=True)

    def _look(self):
        while not self.over.wait(1):
            self.rss.append(machine.status_bytes(self.pids["outreach-1"], "VmRSS"))
            self.private.append(machine.private_bytes(self.pids["outreach-1"]))

    def __enter__(self):
        self.cpu = {name: -cpu_seconds(pid) for name, pid in self.pids.items()}
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()
        for name, pid in self.pids.items():
            self.cpu[name] += cpu_seconds(pid)


def settle(plant, receiver, args):
    """Tenants for tests and their endpoints; answers the tenants' ids."""
    ids = []
    for n in range(TENANTS):
        slug = f"tenant{n}"
        plant.stack.tenant(slug, slug, "--test")
        plant.keys[slug] = plant.stack.key(slug)
        ids.append(plant.tenant_id(slug))
        for k in range(EACH):
            place = k * TENANTS + n
            kind = "hang" if place < args.hanging else "well"
            port = receiver.ports[place % len(receiver.ports)]
            hooks.make(plant.client(slug), url=f"http://127.0.0.1:{port}/{kind}/{place}")
    return ids


def feed(sender, tenants, args):
    """Events at a steady rate, each to a tenant's endpoints; answers how many."""
    gap_s, count = EACH / args.rate, int(args.rate / EACH * (args.warm_up + args.seconds))
    began = time.monotonic()
    for n in range(count):
        time.sleep(max(0, began + n * gap_s - time.monotonic()))
        tenant, job = tenants[n % TENANTS], str(uuid.uuid4())
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
        headers = {"ce_specversion": "1.0", "ce_id": str(uuid.uuid4()), "ce_type": KIND, "ce_source": "/bench",
                   "ce_tenantid": tenant, "ce_partitionkey": job, "ce_time": now,
                   "ce_dataschema": f"urn:esteira:schema:{KIND}", "content-type": "application/json"}
        value = {"job_id": job, "document_hash": "ab" * 32, "pages_total": 3, "occurred_at": now}
        sender.producer.produce(TOPIC_PREFIX + "intake.events", json.dumps(value), tenant,
                                headers=list(headers.items()))
        sender.producer.poll(0)
    return count


def delivered(plant):
    """Calls that went well so far, by outreach's own count."""
    return scrape.Scrape(plant.services["outreach-1"].admin).sum(
        "esteira_webhook_attempts_total", outcome="delivered")


def part(values, share):
    """The value below which that share of the sorted ones is."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))] if values else float("nan")


def third(values, number):
    """The mean of the first (0) or last (2) third."""
    size = max(1, len(values) // 3)
    some = values[number * size:(number + 1) * size]
    return sum(some) / max(1, len(some))


def show_seconds(calls):
    """How it went: by the tenth of the time in which the event was sent."""
    first, last = min(c.sent_ms for c in calls), max(c.sent_ms for c in calls)
    step = (last - first) / 10 + 1
    print("sent after s        p50 ms    p99 ms    max ms")
    for n in range(10):
        some = [c.took_ms for c in calls if n <= (c.sent_ms - first) / step < n + 1]
        print(f"{n * step / 1000:12.0f}" + "".join(f"{part(some, share):10.0f}" for share in (0.5, 0.99, 1)))


def show_outcomes(plant, watch, seconds):
    """What outreach did, and what it cost."""
    seen = scrape.Scrape(plant.services["outreach-1"].admin)
    for name, labels, value in seen.samples:
        if name in ("esteira_webhook_attempts_total", "esteira_records_total") and value > 0:
            print(f"  {name} {' '.join(labels.values())}: {value:.0f}")
    print("  processors used: " + ", ".join(f"{n} {s / seconds:.2f}" for n, s in watch.cpu.items()))


def judge(verdict, calls, watch, args):
    """The lines with limits."""
    counts_ms = min(c.sent_ms for c in calls) + args.warm_up * 1000
    calls = [c for c in calls if c.sent_ms >= counts_ms]
    well = [c for c in calls if c.path.startswith("/well")]
    last_ms = max(c.sent_ms for c in well)
    in_time = sum(c.sent_ms + c.took_ms <= last_ms + 1000 for c in well)
    ended_ms = max(c.sent_ms + c.took_ms for c in well)
    took, rss = [c.took_ms for c in well], watch.rss[args.warm_up:]
    show_seconds(well)
    verdict.line("deliveries fed", args.rate, unit="/s")
    verdict.line("calls of endpoints that answer", len(well) / (ended_ms - counts_ms) * 1000, unit="/s")
    verdict.line("of them within a second of the last event", in_time / len(well), least=0.99)
    verdict.line("event sent to call received, p50", part(took, 0.5), unit="ms")
    verdict.line("event sent to call received, p99", part(took, 0.99), most=1000, unit="ms")
    verdict.line("calls of endpoints that hang", len(calls) - len(well))
    verdict.line("memory of outreach, first third", third(rss, 0) / MB, unit="MB")
    verdict.line("private memory, most", max(watch.private) / MB, unit="MB")
    verdict.line("memory, last third / first third", third(rss, 2) / third(rss, 0), most=1.1)


def main():
    args, verdict = options(), machine.Verdict()
    with rig.temporary((), ("intake",)) as plant, Receiver(1 if args.one_host else TENANTS * EACH) as receiver, \
            reference.Sender(plant.stack, log_level=0) as sender:
        tenants = settle(plant, receiver, args)
        plant.start("outreach", **dict(word.split("=", 1) for word in args.set))
        began = time.monotonic()
        with Watch(plant, receiver) as watch:
            fed = feed(sender, tenants, args)
            sender.flush()
            wanted = fed * (TENANTS * EACH - args.hanging) // TENANTS
            belt.wait_for(lambda: f"{wanted} delivered: {delivered(plant)}", lambda: delivered(plant) >= wanted,
                          300, 0.5)
        show_outcomes(plant, watch, time.monotonic() - began)
        calls = receiver.calls()
        verdict.line("calls for each delivery that arrives", sum(c.path.startswith("/well") for c in calls) / wanted,
                     least=1)
        judge(verdict, calls, watch, args)
    verdict.exit()


if __name__ == "__main__":
    sys.exit(main())
