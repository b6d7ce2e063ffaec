#!/usr/bin/python3
"""POST /v1/events against the same endpoint in FastAPI and aiokafka, in turns in one run.

Events of 1 KB over 64 keep-alive connections, each answered when the broker has it (acks=all); broker, generator and
Redis run beside. Rate, latency, private memory of both, and the ratio. FastAPI's packages are pinned in
ingest_requirements.txt and go to var/bench/fastapi.
"""
import contextlib
import hashlib
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import urllib.request

import machine
import belt  # machine.py put the folders on the path
import rig
from stack import TOPIC_PREFIX

HERE = os.path.dirname(os.path.abspath(__file__))
CONNECTIONS, OURS, THEIRS, WARM_UPS, ROUNDS = 64, 60_000, 10_000, 1, 3
EVENT_BYTES = 1024
MB = 1e6


def packages():
    """The folder with FastAPI and what it needs, installed once per list."""
    listed, folder = os.path.join(HERE, "ingest_requirements.txt"), os.path.join(machine.ROOT, "var/bench/fastapi")
    with open(listed, "rb") as f:
        stamp = hashlib.sha256(f.read() + sys.version.encode()).hexdigest()
    with contextlib.suppress(FileNotFoundError), open(os.path.join(folder, ".stamp"), encoding="ascii") as f:
        if f.read() == stamp:
            return folder
    shutil.rmtree(folder, ignore_errors=True)
    done = subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--only-binary",
                           ":all:", "--target", folder, "--root-user-action", "ignore",
                           "--disable-pip-version-check", "--requirement", listed], check=False)
    if done.returncode != 0:
        sys.exit("ingest: FastAPI could not be installed; pip is the Debian package python3-pip")
    with open(os.path.join(folder, ".stamp"), "w", encoding="ascii") as f:
        f.write(stamp)
    return folder


def event():
    """1 KB, all of it read; the id comes with the request's key."""
    made = {"specversion": "1.0", "type": "partner.charge.requested.v1", "source": "/erp/" + "s" * 200,
            "subject": "alfa", "time": "2026-11-21T12:00:00.000Z", "datacontenttype": "application/json",
            "data": {"charge_id": "c" * 64, "kind": "pix", "amount_cents": 199000, "due_date": "2026-12-01",
                     "description": "d" * 255}}
    made["dataschema"] = "urn:" + "x" * (EVENT_BYTES - len(json.dumps(made)) - len(', "dataschema": "urn:"'))
    assert len(json.dumps(made)) == EVENT_BYTES
    return json.dumps(made).encode()


def heads(key, count, mark):
    """Heads of requests, each with a key of its own for idempotency."""
    return [f"POST /v1/events HTTP/1.1\r\nHost: a\r\nX-API-Key: {key}\r\nContent-Type: application/json\r\n"
            f"Idempotency-Key: {mark}-{n}\r\nContent-Length: {EVENT_BYTES}\r\n\r\n" for n in range(count)]


@contextlib.contextmanager
def fastapi(plant):
    """The comparison program; -> (pid, port)."""
    stack = plant.stack
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    env = {**os.environ, "PYTHONPATH": f"{packages()}:{HERE}", "INGEST_TOPIC": TOPIC_PREFIX + "intake.events",
           "INGEST_KAFKA": stack.kafka_bootstrap, "INGEST_KEY": plant.keys["alfa"],
           "INGEST_TENANT": plant.tenant_id("alfa")}
    with subprocess.Popen([sys.executable, "-m", "uvicorn", "ingest_fastapi:app", "--host", "127.0.0.1", "--port",
                           str(port), "--loop", "uvloop", "--http", "httptools", "--no-access-log",
                           "--log-level", "warning"], env=env) as process:
        def is_up():
            if process.poll() is not None:
                sys.exit("ingest: FastAPI ended as it began")
            with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/docs"):
                return True
        try:
            belt.wait_for("FastAPI", is_up, 60, 0.1)
            yield process.pid, port
        finally:
            process.terminate()


def measure(plant, body, verdict):
    port, pid = plant.client().where.port, plant.stack.pid("intake-1")
    ours, theirs = [], []
    verdict.line("private memory of intake, idle", machine.private_bytes(pid) / MB, unit="MB")
    with fastapi(plant) as (their_pid, their_port), machine.Peak(pid) as peak, machine.Peak(their_pid) as their_peak:
        for turn in range(-WARM_UPS, ROUNDS):  # the broker is Java: it compiles as it goes
            for into, where, count, mark in ((theirs, their_port, THEIRS, "f"), (ours, port, OURS, "e")):
                figures = machine.load(where, CONNECTIONS, body, heads(plant.keys["alfa"], count, f"{mark}{turn}"))
                if turn >= 0:
                    into.append(figures)

    def middle(runs, name):
        return statistics.median(run[name] for run in runs)
    print(f"{'':<20}{'per second':>12}{'p50 ms':>10}{'p99 ms':>10}{'max ms':>10}{'MB':>8}")
    for what, runs, most in (("FastAPI, aiokafka", theirs, their_peak), ("POST /v1/events", ours, peak)):
        print(f"{what:<20}" + f"{middle(runs, 'rate'):>12.0f}" + "".join(
            f"{middle(runs, name):>10.1f}" for name in ("p50_ms", "p99_ms", "max_ms")) + f"{most.bytes / MB:>8.1f}")
    verdict.line("events a second", middle(ours, "rate"), least=12000)
    verdict.line("p99", middle(ours, "p99_ms"), most=15, unit="ms")
    verdict.line("ratio of rates, ours / FastAPI", middle(ours, "rate") / middle(theirs, "rate"), least=5)


def main():
    verdict = machine.Verdict()
    with tempfile.TemporaryDirectory() as folder, rig.temporary(services=("intake",)) as plant:
        path = os.path.join(folder, "event")
        with open(path, "wb") as f:
            f.write(event())
        measure(plant, path, verdict)
    verdict.exit()


if __name__ == "__main__":
    main()
