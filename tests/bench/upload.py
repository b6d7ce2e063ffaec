#!/usr/bin/python3
"""Uploads through intake against bare PUTs to the same S3 server, in turns in one run.

100 KB PDFs over 16 connections: rate, latency, private memory of intake; then 20 documents of 50 MB
at once. No ocr runs: what is measured is the way in, up to the 202 behind the commit.
"""
import datetime
import hashlib
import hmac
import os
import shutil
import statistics
import tempfile
import uuid

import machine
import belt
import rig
from servers import BUCKET

SMALL_BYTES, LARGE_BYTES = 100_000, 50_000_000
CONNECTIONS, REQUESTS, WARM_UPS, ROUNDS, LARGE_AT_ONCE = 16, 1500, 2, 3, 20
MB = 1e6


def sign(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def put_heads(stack, count, size_bytes):
    """Heads of bare PUTs, each to a key of its own, signed without their payload."""
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    access, secret = stack.s3_keys
    host = f"127.0.0.1:{stack.ports['s3']}"
    scope = f"{now[:8]}/us-east-1/s3/aws4_request"
    key = ("AWS4" + secret).encode()
    for part in scope.split("/"):
        key = sign(key, part)
    names, what = "host;x-amz-content-sha256;x-amz-date", "UNSIGNED-PAYLOAD"
    for _ in range(count):
        path = f"/{BUCKET}/bare/{uuid.uuid4()}.enc"
        canonical = "\n".join(["PUT", path, "", f"host:{host}", f"x-amz-content-sha256:{what}",
                               f"x-amz-date:{now}", "", names, what])
        text = "\n".join(["AWS4-HMAC-SHA256", now, scope,
                          hashlib.sha256(canonical.encode()).hexdigest()])
        yield (f"PUT {path} HTTP/1.1\r\nHost: {host}\r\nx-amz-content-sha256: {what}\r\n"
               f"x-amz-date: {now}\r\nContent-Length: {size_bytes}\r\n"
               f"Authorization: AWS4-HMAC-SHA256 Credential={access}/{scope}, "
               f"SignedHeaders={names}, Signature={sign(key, text).hex()}\r\n\r\n")


def post_heads(key, count, size_bytes):
    """Heads of uploads."""
    return [f"POST /v1/extract HTTP/1.1\r\nHost: a\r\nX-API-Key: {key}\r\n"
            f"Content-Type: application/pdf\r\nContent-Length: {size_bytes}\r\n\r\n"] * count


def empty_bucket(stack):
    """Objects are files; gone by hand, so that the disk does not fill."""
    folder = os.path.join(stack.path("s3"), BUCKET)
    for name in os.listdir(folder):
        shutil.rmtree(os.path.join(folder, name), ignore_errors=True)


def document(folder, size_bytes):
    """A PDF of exactly this size, as a file."""
    data = belt.tiny_pdf("Uma folha para medir", size_bytes - 2000)
    path = os.path.join(folder, str(size_bytes))
    with open(path, "wb") as f:
        f.write(data + b"%" * (size_bytes - len(data)))
    return path


def small(plant, body, verdict):
    stack, port = plant.stack, plant.client().where.port
    bare, ours = [], []
    with machine.Peak(stack.pid("intake-1")) as peak:
        for turn in range(-WARM_UPS, ROUNDS):  # two servers are Java: they compile as they go
            for into, where, heads in (
                    (bare, stack.ports["s3"], put_heads(stack, REQUESTS, SMALL_BYTES)),
                    (ours, port, post_heads(plant.keys["alfa"], REQUESTS, SMALL_BYTES))):
                figures = machine.load(where, CONNECTIONS, body, heads)
                if turn >= 0:
                    into.append(figures)
                empty_bucket(stack)

    def middle(runs, name):
        return statistics.median(run[name] for run in runs)
    print(f"{'':<16}{'per second':>12}{'p50 ms':>10}{'p99 ms':>10}{'max ms':>10}")
    for what, runs in (("bare PUT", bare), ("POST /v1/extract", ours)):
        print(f"{what:<16}" + f"{middle(runs, 'rate'):>12.0f}" + "".join(
            f"{middle(runs, name):>10.1f}" for name in ("p50_ms", "p99_ms", "max_ms")))
    verdict.line("ratio of rates, upload / bare PUT",
                 middle(ours, "rate") / middle(bare, "rate"), least=0.6)
    verdict.line("ratio of p99, upload / bare PUT",
                 middle(ours, "p99_ms") / middle(bare, "p99_ms"), most=3)
    verdict.line("private memory of intake, 16 small uploads", peak.bytes / MB, most=32, unit="MB")


def large(plant, body, verdict):
    with machine.Peak(plant.stack.pid("intake-1")) as peak:
        figures = machine.load(plant.client().where.port, LARGE_AT_ONCE, body,
                               post_heads(plant.keys["alfa"], LARGE_AT_ONCE, LARGE_BYTES))
    verdict.line(f"{LARGE_AT_ONCE} uploads of 50 MB at once, all together",
                 figures["seconds"], unit="s")
    verdict.line("private memory of intake meanwhile", peak.bytes / MB, most=32, unit="MB")
    empty_bucket(plant.stack)


def main():
    verdict = machine.Verdict()
    with tempfile.TemporaryDirectory() as folder, rig.temporary(
            services=("intake",), intake_env={"ESTEIRA_INTAKE_PENDING_MAX": "0"}) as plant:
        verdict.line("private memory of intake, idle",
                     machine.private_bytes(plant.stack.pid("intake-1")) / MB, unit="MB")
        small(plant, document(folder, SMALL_BYTES), verdict)
        large(plant, document(folder, LARGE_BYTES), verdict)
    verdict.exit()


if __name__ == "__main__":
    main()
