"""An endpoint that webhooks are sent to: keeps what came, and behaves as it is told to, by path."""
import base64
import hashlib
import hmac
import json
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HANG_S = 120


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


class Receiver:
    """Answers 204 unless told otherwise: tell("/a", 500, 500, 204) for the next ones, the last one stays.

    Words instead of a status: "hang" (never answers), "slow" (a byte a second), "endless" (a body without
    an end), "cut" (closes in the middle), "redirect" (302 to /elsewhere), "busy:N" (503, Retry-After: N).
    tls: an ssl.SSLContext, then its URLs are https.
    """

    def __init__(self, tls=None):
        self.calls, self.plans, self.lock = [], {}, threading.Lock()
        self.ended = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            """One request."""
            protocol_version = "HTTP/1.1"

            def do_POST(self):  # pylint: disable=invalid-name
                """A webhook."""
                receiver.take(self)

            def log_message(self, *_):  # pylint: disable=arguments-differ
                """Nothing."""
        self.server = _Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        self.scheme = "https" if tls else "http"
        if tls:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.server.shutdown()
        self.server.server_close()

    def url(self, path):
        """What a tenant registers."""
        return f"{self.scheme}://127.0.0.1:{self.port}{path}"

    def tell(self, path, *plan):
        """How the next calls of this path are answered."""
        with self.lock:
            self.plans[path] = list(plan)

    def got(self, path):
        """Calls so far: dicts of at, headers, body, raw."""
        with self.lock:
            return [call for call in self.calls if call["path"] == path]

    def take(self, handler):
        """One call."""
        raw = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        with self.lock:
            plan = self.plans.get(handler.path, [204])
            what = plan.pop(0) if len(plan) > 1 else plan[0]
            self.calls.append({"path": handler.path, "at": time.time(), "raw": raw,
                               "headers": {k.lower(): v for k, v in handler.headers.items()},
                               "body": json.loads(raw)})
        try:
            self.answer(handler, what)
        except OSError:
            handler.close_connection = True

    def answer(self, handler, what):
        """As told."""
        word = str(what).partition(":")[0]
        if word == "hang":
            self.ended.wait(HANG_S)
            handler.close_connection = True
        elif word == "cut":
            handler.connection.shutdown(socket.SHUT_RDWR)
            handler.close_connection = True
        elif word in ("slow", "endless"):
            handler.send_response(200)
            handler.end_headers()
            handler.close_connection = True
            while not self.ended.is_set():
                handler.wfile.write(b"x" if word == "slow" else b"x" * 65536)
                if word == "slow":
                    time.sleep(1)
        else:
            handler.send_response({"redirect": 302, "busy": 503}.get(word) or what)
            if word == "redirect":
                handler.send_header("Location", "/elsewhere")
            if word == "busy":
                handler.send_header("Retry-After", str(what).partition(":")[2])
            if what != 204:
                handler.send_header("Content-Length", "0")
            handler.end_headers()


def signatures(call, secret):
    """How many of the call's signatures are by this secret."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    text = f"{call['headers']['webhook-id']}.{call['headers']['webhook-timestamp']}.".encode() + call["raw"]
    right = "v1," + base64.b64encode(hmac.new(key, text, hashlib.sha256).digest()).decode()
    return call["headers"]["webhook-signature"].split().count(right)
