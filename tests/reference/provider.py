#!/usr/bin/python3
"""A provider of charges that can be told to misbehave, and knows what was done to it.

It does not honour the Idempotency-Key: each call that takes effect is counted, so that a second one
shows. In a test:

    with Provider() as provider:
        provider.tell("lost", key="c-1")       # takes effect, then never answers
        ... ESTEIRA_REFERENCE_PROVIDER_URL=provider.url ...
        assert provider.counts()["c-1"]["effects"] == 1

As a program: provider.py [port]; POST /control {"mode", "key", "times", "delay_ms"}.
"""
import contextlib
import hashlib
import json
import socket
import socketserver
import sys
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler

MODES = {
    "ok": "takes effect, answers",
    "slow": "takes effect, answers after delay_ms",
    "late": "takes effect after delay_ms, answers",
    "lost": "takes effect, never answers: the connection stays for delay_ms",
    "drop": "no effect, the connection is closed",
    "500": "no effect",
    "500-after": "takes effect, then 500",
    "429": "no effect, Retry-After: 1",
    "refuse": "402: never takes effect",
}


class _Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        """A caller that is gone is what callers here do."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class Provider:
    """The server and its memory. All methods may be called from any thread."""

    def __init__(self, port=0):
        self.lock, self.port, self.server = threading.Lock(), port, None
        self.calls, self.effects, self.lookups, self.failed = {}, {}, {}, set()
        self.rules, self.lookup_status, self.stopping = {}, None, threading.Event()
        self.open = set()

    def __enter__(self):
        self.up()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.down()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def up(self):
        """Listen, on the same port as before."""
        provider = self

        class Handler(_Handler):
            """Bound to this provider."""
            owner = provider
        self.server = _Server(("127.0.0.1", self.port), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def down(self):
        """Connections are cut, and refused from now on; what is known stays known."""
        if self.server is not None:
            self.server.shutdown()
            self.server.server_close()
            self.server = None
            with self.lock:
                for connection in self.open:
                    with contextlib.suppress(OSError):
                        connection.shutdown(socket.SHUT_RDWR)

    def tell(self, mode, key=None, times=None, delay_ms=0):
        """How the next calls (of a key, or of all without a rule of their own) go; times: then ok."""
        if mode not in MODES:
            raise ValueError(f"no such mode: {mode}")
        with self.lock:
            self.rules[key] = [mode, times, delay_ms / 1000]

    def tell_lookups(self, status=None):
        """Answer every question with this status; None: truthfully."""
        self.lookup_status = status

    def counts(self):
        """{key: {"calls", "effects", "lookups"}}"""
        with self.lock:
            keys = set(self.calls) | set(self.lookups)
            return {key: {"calls": self.calls.get(key, 0), "effects": self.effects.get(key, 0),
                          "lookups": self.lookups.get(key, 0)} for key in keys}

    @staticmethod
    def reference(key):
        """What this provider calls the charge."""
        return "ref-" + hashlib.sha256(key.encode()).hexdigest()[:12]

    # what the handler asks

    def rule(self, key):
        """(mode, delay in seconds) of a call that comes in; counts it."""
        with self.lock:
            self.calls[key] = self.calls.get(key, 0) + 1
            found = self.rules.get(key) or self.rules.get(None)
            if found is None or found[1] == 0:
                return "ok", 0
            if found[1] is not None:
                found[1] -= 1
            return found[0], found[2]

    def take(self, key):
        """The effect."""
        with self.lock:
            self.effects[key] = self.effects.get(key, 0) + 1

    def look(self, key):
        """(status, answer) of a question."""
        with self.lock:
            self.lookups[key] = self.lookups.get(key, 0) + 1
            if self.lookup_status:
                return self.lookup_status, {}
            if key in self.failed:
                return 200, {"state": "failed"}
            if key in self.effects:
                return 200, {"state": "confirmed", "reference": self.reference(key)}
            return 404, {}

    def answer(self, key):
        """Do what the rule says; -> (status, answer), or None to close without one."""
        mode, delay_s = self.rule(key)
        if mode == "late":
            self.stopping.wait(delay_s)
        if mode in ("ok", "slow", "late", "lost", "500-after"):
            self.take(key)
        if mode in ("slow", "lost"):
            self.stopping.wait(delay_s)
        if mode in ("lost", "drop"):
            return None
        if mode in ("500", "500-after"):
            return 500, {}
        if mode == "429":
            return 429, {}
        if mode == "refuse":
            with self.lock:
                self.failed.add(key)
            return 402, {"state": "failed"}
        return 201, {"state": "confirmed", "reference": self.reference(key)}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    owner = None

    def setup(self):
        super().setup()
        with self.owner.lock:
            self.owner.open.add(self.connection)

    def finish(self):
        with self.owner.lock:
            self.owner.open.discard(self.connection)
        with contextlib.suppress(OSError):
            super().finish()

    def log_message(self, *_):  # pylint: disable=arguments-differ
        """Nothing on stderr."""

    def _reply(self, status, answer):
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if status == 429:
            self.send_header("Retry-After", "1")
        self.end_headers()
        self.wfile.write(body)

    def _body(self):
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def do_POST(self):  # pylint: disable=invalid-name
        """A charge, or a word to the provider itself."""
        body = self._body()
        if self.path == "/control":
            self.owner.tell(**json.loads(body))
            return self._reply(200, {})
        if self.path != "/charges" or not self.headers.get("Idempotency-Key"):
            return self._reply(404, {})
        try:
            answer = self.owner.answer(self.headers["Idempotency-Key"])
            if answer is not None:
                return self._reply(*answer)
        except OSError:
            pass  # who asked has gone
        self.close_connection = True
        return None

    def do_GET(self):  # pylint: disable=invalid-name
        """A question about a key, or about everything."""
        where = urllib.parse.urlsplit(self.path)
        if where.path == "/counts":
            return self._reply(200, self.owner.counts())
        if where.path == "/lookup":
            key = urllib.parse.parse_qs(where.query).get("key", [""])[0]
            return self._reply(*self.owner.look(key))
        return self._reply(404, {})


def main():
    """Serve until killed."""
    with Provider(int(sys.argv[1]) if len(sys.argv) > 1 else 0) as provider:
        print(provider.url, flush=True)
        while True:
            time.sleep(3600)


if __name__ == "__main__":
    main()
