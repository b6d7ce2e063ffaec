"""How the integration tests talk to the suite: as partners do, by HTTP alone.

Every answer that any client of this module sees is kept in RECORDED, and test_contract_http.py
holds all of them against schemas/openapi.yaml at the end of the run.
"""
import contextlib
import hashlib
import http.client
import json
import os
import select
import socket
import ssl
import sys
import time
import urllib.parse
import uuid
from typing import NamedTuple

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
SAMPLES = os.path.join(ROOT, "var/samples")
for _folder in ("docker/local", "tests/samples"):
    sys.path.insert(0, os.path.join(ROOT, _folder))

TRAIL = ["RECEIVED", "PROCESSING", "COMPLETED", "PURGED", "DELIVERED"]
FINAL = ("completed", "failed")
PDF = "application/pdf"


class Exchange(NamedTuple):
    """One answer, with what it answered. method is None when the request was no HTTP."""
    method: str
    target: str
    status: int
    headers: list
    body: bytes


RECORDED = []


class Answer(NamedTuple):
    """Status, header fields as received, body."""
    status: int
    headers: list
    body: bytes

    def header(self, name):
        """The only field of that name, or None."""
        found = [value for key, value in self.headers if key.lower() == name.lower()]
        assert len(found) <= 1, f"{name} came {len(found)} times"
        return found[0] if found else None

    def json(self):
        """The body as JSON."""
        return json.loads(self.body)

    def problem(self, code):
        """Insist on a problem+json with this code; answers it."""
        assert (self.header("Content-Type") or "").startswith("application/problem+json"), self
        body = self.json()
        assert (body["code"], body["status"]) == (code, self.status), self
        return body


class Event(NamedTuple):
    """A server-sent event; data is parsed JSON."""
    id: str
    event: str
    data: dict


def record(method, target, answer):
    """Keep an answer for the contract test."""
    RECORDED.append(Exchange(method, target, *answer))
    return answer


def wait_for(what, probe, timeout_s=30.0, step_s=0.02):
    """Until probe() answers something true, which is returned; what it is, for the message."""
    deadline = time.monotonic() + timeout_s
    while True:
        found = probe()
        if found:
            return found
        if time.monotonic() > deadline:
            shown = what() if callable(what) else what
            raise AssertionError(f"not within {timeout_s:.0f} s: {shown}")
        time.sleep(step_s)


def next_tick(seconds):
    """Until the clock of servers that count in units of so many seconds shows another time."""
    now = time.time() // seconds
    wait_for("another time", lambda: time.time() // seconds > now, step_s=seconds / 20)


def multipart(data, name="file", filename="document.pdf", mark="4f6c61-mundo"):
    """-> (body, content type) as curl -F file=@... sends it."""
    head = (f"--{mark}\r\nContent-Disposition: form-data; name=\"{name}\"; "
            f"filename=\"{filename}\"\r\nContent-Type: {PDF}\r\n\r\n")
    return (head.encode() + data + f"\r\n--{mark}--\r\n".encode(),
            f"multipart/form-data; boundary={mark}")


def tiny_pdf(text, size_bytes=0):
    """A digital page that says text (Latin-1), blown up to about size_bytes by a comment."""
    escaped = text.encode("latin-1")
    for char in b"\\()":
        escaped = escaped.replace(bytes([char]), b"\\" + bytes([char]))
    stream = b"BT /F1 14 Tf 60 700 Td (" + escaped + b") Tj ET"
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R"
        b"/Resources<</Font<</F1 5 0 R>>>>>>",
        b"<</Length %d>>stream\n%s\nendstream" % (len(stream), stream),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>"]
    out, places = b"%PDF-1.4\n", []
    if size_bytes:
        out += b"%" + b"x" * size_bytes + b"\n"
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    return out + (b"xref\n0 6\n0000000000 65535 f \n" + table
                  + b"trailer\n<</Size 6/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % len(out))


def sample(name):
    """The bytes of a sample PDF."""
    with open(os.path.join(SAMPLES, f"{name}.pdf"), "rb") as f:
        return f.read()


def truth(name):
    """What a sample's ground truth says."""
    with open(os.path.join(SAMPLES, f"{name}.truth.json"), encoding="utf-8") as f:
        return json.load(f)


TRUSTED = {}  # the SSL context to speak to a place under; none: it is not TLS


def trust(url, context):
    """From now on who asks at this URL does it under this context."""
    if url is not None:
        TRUSTED[urllib.parse.urlsplit(url).netloc] = context


def connection(where, timeout_s):
    """http.client's, to the place of a split URL."""
    if where.scheme == "https":
        return http.client.HTTPSConnection(where.hostname, where.port, timeout=timeout_s,
                                           context=TRUSTED[where.netloc])
    return http.client.HTTPConnection(where.hostname, where.port, timeout=timeout_s)


class Client:
    """One partner at one intake."""

    def __init__(self, url, key=None, timeout_s=60):
        self.url, self.key, self.timeout_s = url, key, timeout_s
        self.where = urllib.parse.urlsplit(url)

    def _open(self, method, path, body=None, headers=None):
        conn = connection(self.where, self.timeout_s)
        key = {"X-API-Key": self.key} if self.key is not None else {}
        conn.request(method, path, body=body, headers={**key, **(headers or {})})
        return conn, conn.getresponse()

    def call(self, method, path, want=None, body=None, headers=None):
        """A whole exchange on a connection of its own; want: insist on this status."""
        conn, got = self._open(method, path, body, headers)
        with contextlib.closing(conn):
            answer = record(method, path, Answer(got.status, got.getheaders(), got.read()))
        assert want in (None, answer.status), f"{method} {path}: {answer}"
        return answer

    def get(self, path, want=200, headers=None):
        """GET; answers the parsed body."""
        return self.call("GET", path, want, headers=headers).json()

    def upload(self, data, want=202, key=None, form=False, headers=None):
        """POST a document, raw or as a form; key: the Idempotency-Key."""
        body, kind = multipart(data) if form else (data, PDF)
        extra = {"Idempotency-Key": key} if key is not None else {}
        return self.call("POST", "/v1/extract", want, body,
                         {"Content-Type": kind, **extra, **(headers or {})})

    def send(self, data, **how):
        """upload; answers the id of the new job."""
        return self.upload(data, **how).json()["job_id"]

    def job(self, job_id):
        """The job object."""
        return self.get(f"/v1/jobs/{job_id}")

    def ended(self, job_id, timeout_s=60.0):
        """Wait for the end state; answers the job object."""
        last = {}

        def look():
            last.update(self.job(job_id))
            return last["status"] in FINAL
        wait_for(lambda: f"job ended: {last}", look, timeout_s, 0.05)
        return last

    def result(self, job_id, want=200):
        """The Answer of GET result."""
        return self.call("GET", f"/v1/jobs/{job_id}/result", want)

    def entries(self, job_id):
        """The audit trail as served."""
        return self.get(f"/v1/audit?job_id={job_id}")["entries"]

    def trail(self, job_id, until=None, timeout_s=30.0):
        """The actions of the audit trail, once `until` is among them."""
        found = []

        def look():
            found[:] = [entry["action"] for entry in self.entries(job_id)]
            return until is None or until in found
        wait_for(lambda: f"{until} in the trail {found}", look, timeout_s, 0.05)
        return found

    @contextlib.contextmanager
    def stream(self, job_id, last_id=None):
        """An open event stream: a generator of Event, which ends where the server ends it."""
        headers = {"Accept": "text/event-stream"}
        if last_id is not None:
            headers["Last-Event-ID"] = last_id
        path = f"/v1/jobs/{job_id}/events"
        conn, got = self._open("GET", path, headers=headers)
        with contextlib.closing(conn):
            if got.status != 200:
                answer = record("GET", path, Answer(got.status, got.getheaders(), got.read()))
                raise AssertionError(f"GET {path}: {answer}")
            yield parse_events(got, path)

    def events(self, job_id, last_id=None):
        """All events until the server ends the stream."""
        with self.stream(job_id, last_id) as stream:
            return list(stream)


def parse_events(lines, path=None):
    """Events of a byte line iterator; the answer is recorded when it has ended."""
    event_id, event, data, raw = None, "message", [], []
    for line in lines:
        raw.append(line)
        field, _, value = line.decode("utf-8").rstrip("\r\n").partition(":")
        value = value.removeprefix(" ")
        if field == "id":
            event_id = value
        elif field == "event":
            event = value
        elif field == "data":
            data.append(value)
        elif not field and not value and data:
            yield Event(event_id, event, json.loads("\n".join(data)))
            event, data = "message", []
    if path is not None:
        record("GET", path, Answer(lines.status, lines.getheaders(), b"".join(raw)))


class Wire:
    """A raw connection, for requests no HTTP library would send."""

    def __init__(self, url, timeout_s=20.0):
        where = urllib.parse.urlsplit(url)
        self.host = f"{where.hostname}:{where.port}"
        self.sock = socket.create_connection((where.hostname, where.port), timeout_s)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if where.scheme == "https":
            self.sock = TRUSTED[where.netloc].wrap_socket(self.sock, server_hostname=where.hostname)
        self.left = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def send(self, data):
        """All of it; a server that has closed already is fine."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.sock.sendall(data)
        return self

    def request(self, method, target, headers=(), body=b""):
        """Send a well-formed request with exactly these fields beside Host."""
        lines = [f"{method} {target} HTTP/1.1", f"Host: {self.host}", *headers, "", ""]
        return self.send("\r\n".join(lines).encode() + body)

    def half_close(self):
        """No more will be sent. Under TLS it is said so (close_notify), and the other side goes on."""
        if isinstance(self.sock, ssl.SSLSocket):
            patience = self.sock.gettimeout()
            self.sock.settimeout(0)  # it would wait for the other side's end
            with contextlib.suppress(ssl.SSLWantReadError):
                self.sock.unwrap()
            self.sock.settimeout(patience)
        else:
            self.sock.shutdown(socket.SHUT_WR)
        return self

    def reset(self):
        """Go away as a crashed client does."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.sock.close()

    def _more(self):
        try:
            part = self.sock.recv(65536)
        except (ConnectionResetError, ssl.SSLZeroReturnError):
            part = b""
        self.left += part
        return bool(part)

    def _until(self, mark):
        while mark not in self.left:
            assert self._more(), f"closed before {mark!r}: {self.left[:300]!r}"
        found, _, self.left = self.left.partition(mark)
        return found

    def _exactly(self, size):
        while len(self.left) < size:
            assert self._more(), f"closed {size - len(self.left)} bytes early"
        found, self.left = self.left[:size], self.left[size:]
        return found

    def answer(self, method, target):
        """The next answer, to this request (None, None: to none that names a route); 1xx ones are answers too."""
        head = self._until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        version, status, _ = (head[0] + " ").split(" ", 2)
        assert version == "HTTP/1.1", head[0]
        fields = [tuple(part.strip() for part in line.split(":", 1)) for line in head[1:]]
        answer, status = Answer(int(status), fields, b""), int(status)
        if status < 200:
            return answer
        body = b""
        if (answer.header("Transfer-Encoding") or "").lower() == "chunked":
            while size := int(self._until(b"\r\n"), 16):
                body += self._exactly(size)
                self._exactly(2)
            self._until(b"\r\n")
        elif method != "HEAD" and status != 204:
            body = self._exactly(int(answer.header("Content-Length")))
        return record(method, target, answer._replace(body=body))

    def nap(self, timeout_s=0.1):
        """Take what comes within this time."""
        if select.select([self.sock], [], [], timeout_s)[0]:
            self._more()
        return self

    def peek_more(self):
        """Wait for more of the answer in left; false when the server has closed."""
        return self._more()

    def peek(self):
        """Did the server send anything before it closed?"""
        return bool(self.left) or self._more()

    def closed(self):
        """Insist that the server closes without another byte."""
        while self._more():
            pass
        assert not self.left, f"after the answer: {self.left[:300]!r}"


def finish(client, job_id, timeout_s=60.0):
    """Completed, purged, fetched, trail and hashes right; -> (job, parsed result)."""
    job = client.ended(job_id, timeout_s)
    assert job["status"] == "completed", job
    client.trail(job_id, "PURGED")
    answer = client.result(job_id)
    check_result(job, answer)
    assert client.trail(job_id, "DELIVERED") == TRAIL
    return job, answer.json()


def check_result(job, answer):
    """The result's hash and its agreement with the job."""
    salt = bytes.fromhex(answer.header("Result-Salt"))
    assert len(salt) == 16
    assert job["result_hash"] == hashlib.sha256(salt + answer.body).hexdigest()
    body = answer.json()
    assert (body["job_id"], body["document_hash"]) == (job["job_id"], job["document_hash"])
    sources = [page["source"] for page in body["pages"]]
    assert [page["page"] for page in body["pages"]] == list(range(1, len(sources) + 1))
    assert (job["pages_total"], job["pages_text"], job["pages_ocr"]) == (
        len(sources), sources.count("text"), sources.count("ocr"))


def fresh_key():
    """An Idempotency-Key never used before."""
    return f"test-{uuid.uuid4()}"
