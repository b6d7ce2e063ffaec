"""A server by HTTP that stands where somebody else's would, for tests."""
import json
import ssl
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HANG_S = 120


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):  # pylint: disable=invalid-name
        """Any request."""
        self.server.stub.take(self)

    do_GET = do_POST

    def log_message(self, *_):  # pylint: disable=arguments-differ
        """Nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    stub = tls = None

    def finish_request(self, request, client_address):
        """Handshakes are on the connection's own thread."""
        if not self.tls:
            super().finish_request(request, client_address)
            return
        with self.tls.wrap_socket(request, server_side=True) as wrapped:
            super().finish_request(wrapped, client_address)

    def handle_error(self, request, client_address):
        """A client that went away is none of ours."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class Stub:
    """Runs on a free port from the start to the end of `with`. take(handler) of who inherits answers a request.

    pair: the paths of a certificate and its key, then .origin is https.
    """

    def __init__(self, pair=None):
        self.lock, self.ended = threading.Lock(), threading.Event()
        self.server = _Server(("127.0.0.1", 0), _Handler)
        self.server.stub, self.port = self, self.server.server_port
        self.origin = f"{'https' if pair else 'http'}://127.0.0.1:{self.port}"
        if pair:
            self.server.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.server.tls.load_cert_chain(*pair)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.server.shutdown()
        self.server.server_close()

    def hang(self, handler):
        """Never answer."""
        self.ended.wait(HANG_S)
        handler.close_connection = True

    @staticmethod
    def body(handler):
        """What was sent, as bytes."""
        return handler.rfile.read(int(handler.headers.get("Content-Length", 0)))

    @staticmethod
    def answer(handler, status, body, headers=()):
        """body: bytes, or what becomes JSON."""
        data = body if isinstance(body, bytes) else json.dumps(body, separators=(",", ":")).encode()
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(data)))
        for name, value in dict(headers).items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(data)
