"""An endpoint that webhooks are sent to: keeps what came, and behaves as it is told to, by path."""
import base64
import hashlib
import hmac
import json
import socket
import time

from stub import Stub


class Receiver(Stub):
    """Answers 204 unless told otherwise: tell("/a", 500, 500, 204) for the next ones, the last one stays.

    Words instead of a status: "hang" (never answers), "slow" (a byte a second), "endless" (a body without
    an end), "cut" (closes in the middle), "redirect" (302 to /elsewhere), "busy:N" (503, Retry-After: N).
    """

    def __init__(self, pair=None):
        self.calls, self.plans = [], {}
        super().__init__(pair)

    def url(self, path):
        """What a tenant registers."""
        return f"{self.origin}{path}"

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
        raw = self.body(handler)
        with self.lock:
            plan = self.plans.get(handler.path, [204])
            what = plan.pop(0) if len(plan) > 1 else plan[0]
            self.calls.append({"path": handler.path, "at": time.time(), "raw": raw,
                               "headers": {k.lower(): v for k, v in handler.headers.items()},
                               "body": json.loads(raw)})
        self.behave(handler, what)

    def behave(self, handler, what):
        """As told."""
        word = str(what).partition(":")[0]
        if word == "hang":
            self.hang(handler)
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
