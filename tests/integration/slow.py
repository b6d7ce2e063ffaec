"""Clients that are too slow: begun when the servers are up, so that nobody waits for them."""
import threading
import time

import belt


class Clients:
    """Each request of REQUESTS on a thread of its own; outcome() waits for its answer."""

    REQUESTS = {
        "header": ("GET", b"GET /v1/health HTTP/1.1\r\nHost: a\r\nX-Slow: y"),
        "unknown": ("GET", b"GET /v1/nowhere HTTP/1.1\r\nHost: a\r\nX-Slow: y"),
        "nothing": (None, b""),
        "body": ("POST", b"POST /v1/extract HTTP/1.1\r\nHost: a\r\nContent-Type: application/pdf\r\n"
                 b"X-API-Key: %s\r\nContent-Length: 100000\r\n\r\n%%PDF-1.4\n"),
    }

    def __init__(self, url, key):
        self.outcomes, self.threads = {}, {}
        for name, (method, head) in self.REQUESTS.items():
            data = head % key.encode() if b"%s" in head else head
            thread = threading.Thread(target=self._run, args=(name, url, method, data), daemon=True)
            self.threads[name] = thread
            thread.start()

    def _run(self, name, url, method, data):
        began = time.monotonic()
        with belt.Wire(url, 60) as wire:
            wire.send(data)
            try:
                target = data.split()[1].decode() if data else None
                answer = wire.answer(method, target) if data or wire.peek() else None
                wire.closed()
            except (AssertionError, OSError) as wrong:
                answer = wrong
        self.outcomes[name] = (answer, time.monotonic() - began)

    def outcome(self, name, timeout_s=60):
        """-> (Answer, None when closed without one, or what went wrong; seconds)."""
        self.threads[name].join(timeout_s)
        return self.outcomes[name]
