"""Clients that are too slow: begun when the servers are up, so that nobody waits for them."""
import contextlib
import select
import socket
import ssl
import threading
import time

import belt

BODY_IDLE_S = 5  # of the intake they are clients of, see conftest.py


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


def take(source):
    """What is there of a socket that select found ready; under TLS it may be no data of ours (SSLWantReadError)."""
    source.settimeout(0)
    try:
        return source.recv(65536)
    finally:
        source.settimeout(None)


class Impatient:
    """A way to a storage server that gives up as S3 does: a request that stands still for idle_s is
    answered 400 RequestTimeout, and the connection closed."""

    ANSWER = (b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    def __init__(self, stack, idle_s):
        self.stack, self.idle_s, self.dropped = stack, idle_s, 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.tls = None
        if stack.is_secured("s3"):
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(*stack.server_pair("impatient"))
        self.url = f"{'https' if self.tls else 'http'}://127.0.0.1:{self.listener.getsockname()[1]}"

    def __enter__(self):
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)  # wakes accept
        self.listener.close()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _ends(self, client):
        """(to the client, to the storage), both under TLS where the storage is."""
        server = socket.create_connection(("127.0.0.1", self.stack.ports["s3"]))
        if self.tls is None:
            return client, server
        return (self.tls.wrap_socket(client, server_side=True),
                self.stack.tls_context().wrap_socket(server, server_hostname="127.0.0.1"))

    def _serve(self, client):
        asked = False
        client, server = self._ends(client)
        with client, server, contextlib.suppress(OSError):
            while True:
                ready, _, _ = select.select([client, server], [], [], self.idle_s)
                for source in ready:
                    try:
                        data = take(source)
                    except ssl.SSLWantReadError:
                        continue
                    if not data:
                        return
                    (server if source is client else client).sendall(data)
                    asked = source is client
                if not ready and asked:
                    client.sendall(self.ANSWER)
                    self.dropped += 1
                    return
