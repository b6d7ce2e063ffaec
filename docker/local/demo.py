#!/usr/bin/python3
"""The demonstration of ./dev demo: send the sample PDFs in, watch, and show what comes back.

Talks to the suite as a partner would, by REST alone, with what var/dev.env says. Exits 0 only
when every document came back with its text, its hashes are right, its pages were read from where
the sample's ground truth says, and its audit trail is complete.
"""
import contextlib
import hashlib
import http.client
import json
import os
import shlex
import ssl
import sys
import threading
import time
import urllib.parse
import uuid

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SAMPLES = ("contract", "contract-scan", "mixed", "receipt-1", "receipt-2", "receipt-3")
TRAIL = ["RECEIVED", "PROCESSING", "COMPLETED", "PURGED", "DELIVERED"]
DEADLINE_S = 120
PRINT = threading.Lock()


class Wrong(Exception):
    """Something the demonstration promises is not true."""


def read_env(path):
    """KEY=value lines as a shell would read them."""
    with open(path, encoding="utf-8") as f:
        return dict(word.split("=", 1) for word in shlex.split(f.read(), comments=True))


class Api:
    """One connection to the REST interface, as one partner."""

    def __init__(self, url, key, ca_file=None):
        self.where, self.key = urllib.parse.urlsplit(url), key
        self.tls = ssl.create_default_context(cafile=ca_file) if ca_file else None

    def open(self, method, path, body=None, headers=None):
        """Send a request; -> (connection, response) for the caller to read and close."""
        place = (self.where.hostname, self.where.port)
        conn = (http.client.HTTPSConnection(*place, timeout=60, context=self.tls) if self.tls
                else http.client.HTTPConnection(*place, timeout=60))
        conn.request(method, path, body=body, headers={"X-API-Key": self.key, **(headers or {})})
        return conn, conn.getresponse()

    def call(self, method, path, want, body=None, headers=None):
        """Send a request, insist on a status; -> (headers, body)."""
        conn, answer = self.open(method, path, body, headers)
        data = answer.read()
        conn.close()
        if answer.status != want:
            raise Wrong(f"{method} {path} answers {answer.status}, not {want}: {data[:300]!r}")
        return answer.headers, data

    def get(self, path):
        """A JSON document."""
        return json.loads(self.call("GET", path, 200)[1])

    def upload(self, name, data):
        """POST a file as multipart/form-data, as curl -F file=@name does."""
        mark = uuid.uuid4().hex
        body = (f"--{mark}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n"
                "Content-Type: application/pdf\r\n\r\n").encode() + data + \
            f"\r\n--{mark}--\r\n".encode()
        headers = {"Content-Type": f"multipart/form-data; boundary={mark}",
                   "Idempotency-Key": f"demo-{uuid.uuid4()}"}
        return json.loads(self.call("POST", "/v1/extract", 202, body, headers)[1])

    def events(self, path):
        """(event, data) of a server-sent event stream, until its end."""
        conn, answer = self.open("GET", path, headers={"Accept": "text/event-stream"})
        with contextlib.closing(conn):
            if answer.status != 200:
                raise Wrong(f"GET {path} answers {answer.status}: {answer.read()[:300]!r}")
            event, data = "message", []
            for raw in answer:
                field, _, value = raw.decode("utf-8").rstrip("\r\n").partition(":")
                value = value.removeprefix(" ")
                if field == "event":
                    event = value
                elif field == "data":
                    data.append(value)
                elif not field and not value and data:  # the blank line that ends an event
                    yield event, json.loads("\n".join(data))
                    event, data = "message", []


def show(name, text):
    """One whole line of progress."""
    with PRINT:
        print(f"  {name:<14} {text}", flush=True)


def follow(api, name, links):
    """Print progress until the end state; -> that event's name."""
    for event, data in api.events(links["events"]):
        if event == "page":
            how = "text layer" if data["source"] == "text" else f"OCR, {data['confidence']:.1f} %"
            show(name, f"page {data['page']} of {data['pages']}: {how}, {data['ms']} ms")
        elif event in ("completed", "failed"):
            show(name, event)
            return event
        else:
            show(name, event)
    raise Wrong("the event stream ended without an end state")


def trail_until(api, job_id, last):
    """The actions of a job's audit trail, in order of time, once the last one is there."""
    deadline = time.monotonic() + 30
    while True:
        entries = api.get(f"/v1/audit?job_id={job_id}")["entries"]
        entries.sort(key=lambda e: (e["occurred_at"], TRAIL.index(e["action"])
                                    if e["action"] in TRAIL else len(TRAIL)))
        actions = [e["action"] for e in entries]
        if last in actions:
            return actions
        if time.monotonic() > deadline:
            raise Wrong(f"no {last} in the audit trail after 30 s, only {actions}")
        time.sleep(0.1)


def truth_of(name):
    """What the sample's ground truth says about the source of each page; None without one."""
    try:
        with open(os.path.join(ROOT, f"var/samples/{name}.truth.json"), encoding="utf-8") as f:
            return [page["source"] for page in json.load(f)["pages"]]
    except FileNotFoundError:
        return None


def check(name, data, job, headers, body, trail):
    """Everything the summary is going to claim."""
    result = json.loads(body)
    sources = [page["source"] for page in result["pages"]]
    salt = bytes.fromhex(headers["Result-Salt"])
    claims = (
        ("status is completed", job["status"] == "completed"),
        ("document hash", job["document_hash"] == hashlib.sha256(data).hexdigest()),
        ("result hash", job["result_hash"] == hashlib.sha256(salt + body).hexdigest()),
        ("number of pages", job["pages_total"] == len(sources) > 0),
        ("pages by source", (job["pages_text"], job["pages_ocr"])
         == (sources.count("text"), sources.count("ocr"))),
        ("sources as in the ground truth", truth_of(name) in (None, sources)),
        ("text on every page", all(page["text"].strip() for page in result["pages"])),
        ("audit trail", trail == TRAIL),
    )
    wrong = [claim for claim, holds in claims if not holds]
    if wrong:
        raise Wrong(f"not true: {', '.join(wrong)} (job {job}, sources {sources}, trail {trail})")
    return result


def pages(numbers):
    """'1, 3' or 'none'."""
    return ", ".join(map(str, numbers)) or "none"


def summary(name, job, result, trail):
    """What came back of one document."""
    by = {s: [p["page"] for p in result["pages"] if p["source"] == s] for s in ("text", "ocr")}
    confidence = job["confidence_avg"]
    text = "\n".join(page["text"] for page in result["pages"])
    lines = [line.strip() for line in text.splitlines() if line.strip()][:4]
    return "\n".join([
        f"{name}.pdf: {job['pages_total']} pages in {job['processing_ms']} ms",
        f"  text layer: {pages(by['text'])}; OCR: {pages(by['ocr'])}"
        + (f"; mean confidence {confidence:.1f} %" if confidence is not None else ""),
        *(f"  | {line[:92]}" for line in lines), f"  audit: {' -> '.join(trail)}"])


def run_one(api, name, results):
    """One document from upload to the delivered text."""
    try:
        with open(os.path.join(ROOT, f"var/samples/{name}.pdf"), "rb") as f:
            data = f.read()
        accepted = api.upload(f"{name}.pdf", data)
        job_id, links = accepted["job_id"], accepted["links"]
        show(name, f"202, {len(data) // 1024} KiB, job {job_id}")
        if follow(api, name, links) != "completed":
            raise Wrong(f"the job failed: {api.get(links['self'])}")
        trail_until(api, job_id, "PURGED")
        headers, body = api.call("GET", links["result"], 200)
        trail = trail_until(api, job_id, "DELIVERED")
        job = api.get(links["self"])
        results[name] = summary(name, job, check(name, data, job, headers, body, trail), trail)
    except (Wrong, OSError, KeyError, ValueError, http.client.HTTPException) as e:
        results[name] = e if isinstance(e, Wrong) else Wrong(f"{type(e).__name__}: {e}")


HINT = """
Go on by hand (the stack keeps running; ./dev down ends it):
  . var/dev.env
  curl -sS -H "X-API-Key: $ESTEIRA_API_KEY" -F file=@var/samples/contract.pdf $ESTEIRA_URL/v1/extract
  curl -sSN -H "X-API-Key: $ESTEIRA_API_KEY" $ESTEIRA_URL/v1/jobs/JOB_ID/events
  curl -sSi -H "X-API-Key: $ESTEIRA_API_KEY" $ESTEIRA_URL/v1/jobs/JOB_ID/result
  curl -sS -H "X-API-Key: $ESTEIRA_API_KEY" "$ESTEIRA_URL/v1/audit?job_id=JOB_ID"
  curl -sS $ESTEIRA_URL/v1/openapi.json"""


def main():
    """All samples at once; exit 1 if anything promised is not true of one."""
    began = time.monotonic()
    env = read_env(os.path.join(ROOT, "var/dev.env"))
    api, results = Api(env["ESTEIRA_URL"], env["ESTEIRA_API_KEY"],
                       env.get("ESTEIRA_CA_FILE")), {}
    threads = [threading.Thread(target=run_one, args=(api, name, results), daemon=True)
               for name in SAMPLES]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, began + DEADLINE_S - time.monotonic()))
    bad = 0
    for name in SAMPLES:
        outcome = results.get(name, Wrong(f"not done after {DEADLINE_S} s"))
        bad += isinstance(outcome, Wrong)
        print(f"\n{name}.pdf: FAILED: {outcome}" if isinstance(outcome, Wrong) else f"\n{outcome}")
    print(HINT.replace("curl ", 'curl --cacert "$ESTEIRA_CA_FILE" ') if "ESTEIRA_CA_FILE" in env else HINT)
    seconds = time.monotonic() - began
    if bad:
        print(f"\ndemo: {bad} of {len(SAMPLES)} documents failed ({seconds:.1f} s);"
              " ./dev logs intake, ./dev logs ocr", file=sys.stderr)
        return 1
    print(f"\ndemo: {len(SAMPLES)} documents in {seconds:.1f} s, every claim above was checked")
    return 0


if __name__ == "__main__":
    sys.exit(main())
