"""The public port as hostile, broken and slow clients see it."""
import contextlib
import os
import subprocess
import time
import uuid

import pytest

import belt
import rig
import slow
from belt import Wire

HOST = b"Host: a\r\n"
POST = b"POST /v1/extract HTTP/1.1\r\n" + HOST + b"Content-Type: application/pdf\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n"
SMALL = belt.tiny_pdf("Uma folha para o teste da porta")
LIMIT_BYTES = 52428800

MALFORMED = {
    "length and chunked": CHUNKED + b"Content-Length: 4\r\n\r\n0\r\n\r\n",
    "chunked and length": POST + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": POST + b"Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde",
    "the same length twice": POST + b"Content-Length: 4\r\nContent-Length: 4\r\n\r\nabcd",
    "length 4x": POST + b"Content-Length: 4x\r\n\r\nabcd",
    "length +4": POST + b"Content-Length: +4\r\n\r\nabcd",
    "length -4": POST + b"Content-Length: -4\r\n\r\nabcd",
    "bare LF": b"GET /v1/health HTTP/1.1\nHost: a\n\n",
    "bare LF after a field": b"GET /v1/health HTTP/1.1\r\nHost: a\n\r\n",
    "obs-fold": b"GET /v1/health HTTP/1.1\r\n" + HOST + b"X: a\r\n b\r\n\r\n",
    "space before the colon": b"GET /v1/health HTTP/1.1\r\nHost : a\r\n\r\n",
    "no Host": b"GET /v1/health HTTP/1.1\r\n\r\n",
    "two Hosts": b"GET /v1/health HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
    "NUL in a value": b"GET /v1/health HTTP/1.1\r\nHost: a\0b\r\n\r\n",
    "NUL in the path": b"GET /v1/he\0alth HTTP/1.1\r\n" + HOST + b"\r\n",
    "HTTP/0.9": b"GET /v1/health\r\n",
    "unknown coding": POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "two Hosts in HTTP/1.0": b"GET /v1/health HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n",
    "a method that is no token": b"G@T /v1/health HTTP/1.1\r\n" + HOST + b"\r\n",
    "dot segments": b"GET /v1/../health HTTP/1.1\r\n" + HOST + b"\r\n",
    "escaped slash": b"GET /v1%2fhealth HTTP/1.1\r\n" + HOST + b"\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
}


@pytest.fixture(name="url")
def first_intake(plant):
    """Address of the first intake."""
    return plant.services["intake-1"].url


def upload_head(plant, length, *more):
    """Fields of a good raw upload."""
    return [f"X-API-Key: {plant.keys['alfa']}", "Content-Type: application/pdf",
            f"Content-Length: {length}", *more]


def jobs_of(plant):
    """How many jobs there are, of anybody."""
    return plant.count("SELECT count(*) FROM intake.jobs")


@pytest.mark.parametrize("what", MALFORMED)
def test_malformed(url, what):
    with Wire(url) as wire:
        answer = wire.send(MALFORMED[what]).answer(None, None)
        assert answer.status == 400
        answer.problem("bad-request")
        assert answer.header("Connection") == "close"
        wire.closed()


@pytest.mark.parametrize("target,fields,status,code", [
    ("/" + "x" * 9000, (), 414, "uri-too-long"),
    ("/v1/health", ("X: " + "x" * 17000,), 431, "headers-too-large"),
    ("/v1/nowhere", ("X: " + "x" * 17000,), 431, "headers-too-large"),
    ("/v1/health", ("X: x",) * 65, 431, "headers-too-large"),
])
def test_head_limits(url, target, fields, status, code):
    with Wire(url) as wire:
        answer = wire.request("GET", target, fields).answer("GET", target)
        assert answer.status == status
        answer.problem(code)
        wire.closed()


def test_no_length(plant, url):
    for fields in ([], ["Transfer-Encoding: chunked"]):
        with Wire(url) as wire:
            head = [field for field in upload_head(plant, 0) if "Length" not in field]
            wire.request("POST", "/v1/extract", head + fields,
                         b"4\r\n%PDF\r\n0\r\n\r\n" if fields else b"")
            answer = wire.answer("POST", "/v1/extract")
            assert answer.status == 411
            answer.problem("length-required")


def test_too_large(plant, url):
    """By Content-Length at once; by what is in the form while it streams."""
    before = jobs_of(plant)
    with Wire(url) as wire:
        wire.request("POST", "/v1/extract", upload_head(plant, LIMIT_BYTES + 1), b"%PDF-1.4\n")
        answer = wire.answer("POST", "/v1/extract")
        assert answer.status == 413
        answer.problem("document-too-large")
    data = b"%PDF-1.4\n" + bytes(LIMIT_BYTES - 8)
    plant.client().upload(data, 413, form=True).problem("document-too-large")
    plant.no_objects()
    assert jobs_of(plant) == before


def test_largest_document_is_taken(plant):
    data = belt.tiny_pdf("O maior documento permitido", LIMIT_BYTES - 2000)
    data += b"%" * (LIMIT_BYTES - len(data))
    client = plant.client()
    job, _ = belt.finish(client, client.send(data, form=True))
    assert job["size_bytes"] == LIMIT_BYTES


def test_wrong_media(plant):
    client = plant.client()
    for kind in ("text/plain", "application/json", "multipart/mixed; boundary=x", ""):
        client.upload(SMALL, 415, headers={"Content-Type": kind}).problem("unsupported-media-type")
    for data in (b"PK\x03\x04" + bytes(2000), bytes(1100) + b"%PDF-1.4\n", b"%PD"):
        client.upload(data, 415).problem("not-a-pdf")
        client.upload(data, 415, form=True).problem("not-a-pdf")
    client.upload(b"", 400).problem("empty-document")
    client.upload(b"", 400, form=True).problem("empty-document")


BODIES = {
    "no file": belt.multipart(SMALL, name="other"),
    "unterminated": (belt.multipart(SMALL)[0][:-6], belt.multipart(SMALL)[1]),
    "wrong boundary": (belt.multipart(SMALL)[0], "multipart/form-data; boundary=another"),
    "no boundary": (belt.multipart(SMALL)[0], "multipart/form-data"),
    "two files": (belt.multipart(SMALL)[0].replace(b"--\r\n", b"\r\n")
                  + belt.multipart(SMALL)[0], belt.multipart(SMALL)[1]),
    "nothing": (b"", "multipart/form-data; boundary=x"),
}


@pytest.mark.parametrize("what", BODIES)
def test_bad_multipart(plant, what):
    body, kind = BODIES[what]
    before = jobs_of(plant)
    answer = plant.client().call("POST", "/v1/extract", 400, body, {"Content-Type": kind})
    assert answer.json()["code"] in ("bad-multipart", "empty-document")
    assert answer.json()["code"] == "bad-multipart" or what == "nothing"
    plant.no_objects()
    assert jobs_of(plant) == before


ALLOWED = {
    "/v1/extract": {"POST"}, "/v1/jobs": {"GET", "HEAD"}, "/v1/audit": {"GET", "HEAD"},
    f"/v1/jobs/{uuid.uuid4()}": {"GET", "HEAD", "DELETE"},
    f"/v1/jobs/{uuid.uuid4()}/events": {"GET", "HEAD"},
    f"/v1/jobs/{uuid.uuid4()}/result": {"GET", "HEAD"},
    "/v1/health": {"GET", "HEAD"}, "/v1/openapi.json": {"GET", "HEAD"}, "/docs": {"GET", "HEAD"},
}


@pytest.mark.parametrize("path", ALLOWED)
def test_wrong_method(plant, path):
    # the last ones HTTP does not know, or not in this case; llhttp refuses them by itself
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "FOO", "get", "DESCRIBE",
                   "PRI", "CONNECT"} - ALLOWED[path]:
        answer = plant.client().call(method, path, 405)
        answer.problem("method-not-allowed")
        assert set(answer.header("Allow").split(", ")) == ALLOWED[path]


def test_http_1_0_needs_no_host(url):
    """RFC 9112 section 3.2 asks for it in HTTP/1.1 only."""
    with Wire(url) as wire:
        wire.send(b"GET /v1/openapi.json HTTP/1.0\r\n\r\n")
        answer = wire.answer("GET", "/v1/openapi.json")
        assert answer.status == 200 and answer.header("Connection") == "close"
        wire.closed()


def test_content_encoding(plant, url):
    """What is stored is the body as it came, so it must be the document."""
    before = jobs_of(plant)
    for fields in (["gzip"], ["x"], ["identity, gzip"], ["identity", "gzip"], [""]):
        with Wire(url) as wire:
            wire.request("POST", "/v1/extract", upload_head(
                plant, len(SMALL), *(f"Content-Encoding: {value}" for value in fields)), SMALL)
            answer = wire.answer("POST", "/v1/extract")
            assert answer.status == 415, (fields, answer)
            assert "Content-Encoding" in answer.problem("unsupported-media-type")["detail"]
    assert jobs_of(plant) == before
    client = plant.client()
    belt.finish(client, client.send(SMALL, headers={"Content-Encoding": "Identity"}))


def test_two_keys_are_none(plant, url):
    """Also two that are the same: who sits between us may have taken the other one."""
    good, bodies = f"X-API-Key: {plant.keys['alfa']}", set()
    for keys in ([], [good, good], [good, "x-api-key: y"], ["X-API-Key: y", good], [good, "X-API-Key:"]):
        for method, target in (("GET", "/v1/jobs"), ("POST", "/v1/extract")):
            with Wire(url) as wire:
                body = [] if method == "GET" else upload_head(plant, len(SMALL))[1:]
                wire.request(method, target, keys + body, SMALL if body else b"")
                answer = wire.answer(method, target)
                assert answer.status == 401, (keys, answer)
                answer.problem("unauthenticated")
                bodies.add(answer.body)
    assert len(bodies) == 1


def test_unknown_route(plant):
    client = plant.client()
    for path in ("/", "/v1", "/v1/", "/v2/jobs", "/v1/jobs/", "/v1/extract/", "/v1/jobs/a/b/c",
                 "/metrics", "/livez", "/readyz", "/docs/"):
        client.call("GET", path, 404).problem("not-found")


def test_head(plant):
    for path in ("/v1/health", "/v1/openapi.json", "/docs"):
        with Wire(plant.services["intake-1"].url) as wire:
            answer = wire.request("HEAD", path, ["Connection: close"]).answer("HEAD", path)
            assert answer.status == 200 and int(answer.header("Content-Length")) > 0
            wire.closed()


def test_every_answer_is_marked(plant):
    """No sniffing, no storing, and an id that the log has as well."""
    answer = plant.client().call("GET", "/v1/jobs", 200, headers={"X-Request-Id": "meu-pedido-1"})
    assert answer.header("X-Request-Id") == "meu-pedido-1"
    assert answer.header("X-Content-Type-Options") == "nosniff"
    assert answer.header("Cache-Control") == "no-store"
    assert answer.header("Server") is None
    other = plant.client().call("GET", "/v1/jobs", 200).header("X-Request-Id")
    assert other and other != plant.client().call("GET", "/v1/jobs", 200).header("X-Request-Id")


def test_curl_does_not_wait_for_continue(plant, tmp_path):
    """curl announces a large body by Expect: 100-continue and waits 1 s when nobody answers."""
    path = tmp_path / "large.pdf"
    path.write_bytes(belt.tiny_pdf("Enviado por curl", 2_000_000))
    done = subprocess.run(
        ["curl", "-sS", "-o", os.devnull, "-w", "%{http_code} %{time_total}", "-F", f"file=@{path}",
         "-H", "Expect: 100-continue", "-H", f"X-API-Key: {plant.keys['alfa']}",
         *(["--cacert", plant.stack.authority.ca_file] if plant.stack.is_secured("http") else []),
         plant.client().url + "/v1/extract"], capture_output=True, text=True, check=True)
    status, seconds = done.stdout.split()
    assert status == "202" and float(seconds) < 0.5, done.stdout


def test_expect_continue(plant, url):
    """100 only when the body is wanted; else the final answer in its place."""
    with Wire(url) as wire:
        wire.request("POST", "/v1/extract", upload_head(plant, len(SMALL), "Expect: 100-continue"))
        assert wire.answer("POST", "/v1/extract").status == 100
        assert wire.send(SMALL).answer("POST", "/v1/extract").status == 202
    with Wire(url) as wire:
        head = ["X-API-Key: uk_00000000_" + "a" * 43, *upload_head(plant, 10)[1:]]
        wire.request("POST", "/v1/extract", head + ["Expect: 100-continue"])
        assert wire.answer("POST", "/v1/extract").status == 401


def test_pipelining(plant, url):
    """Answers come in order, also behind an upload."""
    with Wire(url) as wire:
        wire.request("GET", "/v1/openapi.json")
        wire.request("POST", "/v1/extract", upload_head(plant, len(SMALL)), SMALL)
        wire.request("GET", "/v1/nowhere")
        wire.request("GET", "/v1/health", ["Connection: close"])
        targets = (("GET", "/v1/openapi.json", 200), ("POST", "/v1/extract", 202),
                   ("GET", "/v1/nowhere", 404), ("GET", "/v1/health", 200))
        for method, target, status in targets:
            assert wire.answer(method, target).status == status
        wire.closed()


def test_keep_alive(plant, url):
    key = [f"X-API-Key: {plant.keys['alfa']}"]
    with Wire(url) as wire:
        for turn in range(50):
            target = f"/v1/jobs?limit={turn % 5 + 1}"
            assert wire.request("GET", target, key).answer("GET", target).status == 200
            if turn % 10 == 0:
                wire.request("POST", "/v1/extract", upload_head(plant, len(SMALL)), SMALL)
                assert wire.answer("POST", "/v1/extract").status == 202


def test_half_close(plant, url):
    """A client that has said all it has to say still gets its answer."""
    with Wire(url) as wire:
        wire.request("POST", "/v1/extract", upload_head(plant, len(SMALL)), SMALL).half_close()
        answer = wire.answer("POST", "/v1/extract")
        assert answer.status == 202
        wire.closed()
    assert plant.client().ended(answer.json()["job_id"])["status"] == "completed"


def test_slow_writer(plant, url):
    """Byte by byte in the head, piece by piece in the body: slow is not wrong."""
    head = "\r\n".join(["POST /v1/extract HTTP/1.1", "Host: a", *upload_head(plant, len(SMALL)),
                        "", ""]).encode()
    with Wire(url) as wire:
        for at in range(len(head)):
            wire.send(head[at:at + 1])
        for at in range(0, len(SMALL), 7):
            wire.send(SMALL[at:at + 7])
        assert wire.answer("POST", "/v1/extract").status == 202


def test_slow_reader(plant, url):
    """Somebody who does not read his answers does not hold up anybody else."""
    with Wire(url) as wire:
        for _ in range(200):
            wire.request("GET", "/v1/openapi.json")
        began = time.monotonic()
        assert plant.client().call("GET", "/v1/jobs", 200)
        assert time.monotonic() - began < 2
        for _ in range(200):
            assert wire.answer("GET", "/v1/openapi.json").status == 200


@pytest.mark.parametrize("form", [False, True])
def test_gone_in_the_middle(plant, url, form):
    """Half a document, then a reset, a close, or an end of the sending side: as if never sent."""
    before = jobs_of(plant)
    data = belt.tiny_pdf("Interrompido no meio", 3_000_000)
    body, kind = belt.multipart(data) if form else (data, belt.PDF)
    head = [f"X-API-Key: {plant.keys['alfa']}", f"Content-Type: {kind}",
            f"Content-Length: {len(body)}"]
    for leave in ("reset", "close", "half_close"):
        with Wire(url) as wire:
            wire.request("POST", "/v1/extract", head, body[:1_500_000])
            if leave == "reset":
                wire.reset()
            elif leave == "half_close":
                wire.half_close()
                while wire.peek() and not wire.left:
                    pass
    belt.wait_for("no upload under way", lambda: "esteira_uploads_running 0" in
                  plant.metrics("intake-1"))
    plant.no_objects()
    assert jobs_of(plant) == before


def test_too_slow(plant):
    """Begun when the servers came up (slow.py): 408 and closed, for head and body alike."""
    for name in ("header", "unknown"):
        answer, seconds = plant.slow.outcome(name)
        answer.problem("request-timeout")
        assert answer.status == 408 and 9 < seconds < 14
    answer, seconds = plant.slow.outcome("nothing")
    assert answer is None and 9 < seconds < 70, (answer, seconds)
    answer, seconds = plant.slow.outcome("body")
    answer.problem("request-timeout")
    assert answer.status == 408 and slow.BODY_IDLE_S - 0.2 < seconds < slow.BODY_IDLE_S + 5


def test_storage_gives_up_on_a_slow_client(plant):
    """Storage servers drop a PUT that stands still, sooner than we: still the client's 408, and 503 to
    one that goes on."""
    before = jobs_of(plant)
    head = ("POST /v1/extract HTTP/1.1", "Host: a", *upload_head(plant, 100000), "", "%PDF-1.4", "")
    with slow.Impatient(plant.stack, 1.0) as storage:
        service = plant.start("intake", 3, ESTEIRA_S3_ENDPOINT=storage.url,
                              ESTEIRA_HTTP_BODY_IDLE_MS="6000")
        try:
            with Wire(service.url) as silent, Wire(service.url) as late:
                dropped = storage.dropped
                for wire in (silent, late):
                    wire.send("\r\n".join(head).encode())
                belt.wait_for("both PUTs to be dropped", lambda: storage.dropped >= dropped + 2)
                late.send(bytes(70000))  # some libcurls look at an answer only when they send
                belt.wait_for("an answer", lambda: late.send(b"%").nap().left)
                answer = late.answer("POST", "/v1/extract")
                assert answer.status == 503 and answer.json()["code"].startswith("storage-")
                answer = silent.answer("POST", "/v1/extract")
                assert answer.status == 408
                answer.problem("request-timeout")
                silent.closed()
        finally:
            plant.stack.stop_one("intake-3")
            del plant.services["intake-3"]
    plant.no_objects()
    assert jobs_of(plant) == before


WRONG = {
    "secret": ({"ESTEIRA_S3_SECRET_KEY": "another"}, "the storage refuses the keys"),
    "bucket": ({"ESTEIRA_S3_BUCKET": "another-bucket"}, "the bucket does not exist"),
}


@contextlib.contextmanager
def fifth_wheel(plant, path, **env):
    """An intake beside the others, as -> (process, function that answers its log)."""
    env = {**plant.stack.service_env("intake", 1), **rig.GROUP_FAST, **env,
           "ESTEIRA_SERVICE_INSTANCE": "intake-wrong", "ESTEIRA_HTTP_LISTEN": "127.0.0.1:0",
           "ESTEIRA_ADMIN_LISTEN": "127.0.0.1:0"}
    with path.open("wb") as log, subprocess.Popen(
            [os.path.join(plant.stack.bin_dir, "esteira-intake")], env=env, stdout=log,
            stderr=log, stdin=subprocess.DEVNULL) as process:
        try:
            yield process, path.read_text
        finally:
            process.terminate()


@pytest.mark.parametrize("what", WRONG)
def test_refused_by_the_storage(plant, tmp_path, what):
    """A mistake that waiting does not mend: no start, and what to do."""
    wrong, told = WRONG[what]
    with fifth_wheel(plant, tmp_path / "log", **wrong) as (process, log):
        assert process.wait(20) == 1, log()
        assert "service.failed" in log() and told in log() and "storage-refused" in log(), log()


def test_storage_away_at_start_is_waited_for(plant, tmp_path):
    """Nobody answers: a dependency that will come."""
    nobody = "http://127.0.0.1:1"
    with fifth_wheel(plant, tmp_path / "log", ESTEIRA_S3_ENDPOINT=nobody) as (process, log):
        belt.wait_for(log, lambda: log().count("purge.failed") >= 2)
        assert "storage-away" in log() and process.poll() is None, log()
        process.terminate()
        assert process.wait(20) == 0, log()
