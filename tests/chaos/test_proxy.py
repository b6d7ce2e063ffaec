"""What the proxy does to a connection, seen from both ends of it."""
import contextlib
import socket
import threading
import time

import pytest

from proxy import Proxy


class Echo:
    """A server that answers what it is told, and remembers how its connections ended."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port, self.ends = self.listener.getsockname()[1], []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self._serve, args=self.listener.accept()[:1],
                                 daemon=True).start()

    def _serve(self, sock):
        with sock:
            try:
                while data := sock.recv(4096):
                    if data == b"reset me":
                        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                        return
                    sock.sendall(data)
                self.ends.append("fin")
            except OSError:
                self.ends.append("rst")


@pytest.fixture(name="echo", scope="module")
def make_echo():
    return Echo()


@pytest.fixture(name="way")
def make_way(echo):
    """(proxy, connect)"""
    with Proxy() as proxy:
        port = proxy.open("echo", 0, echo.port)

        def connect():
            sock = socket.create_connection(("127.0.0.1", port), 5)
            sock.settimeout(5)
            return sock
        yield proxy, connect


def ask(sock, text=b"hello"):
    sock.sendall(text)
    found = b""
    while len(found) < len(text):
        piece = sock.recv(4096)
        assert piece, "closed"
        found += piece
    return found


def silent(sock, seconds=0.2):
    sock.settimeout(seconds)
    try:
        return not sock.recv(1) and "closed"
    except socket.timeout:
        return True
    finally:
        sock.settimeout(5)


def test_passes(way):
    proxy, connect = way
    with connect() as sock:
        assert ask(sock, b"x" * 3000) == b"x" * 3000
        assert proxy.connections("echo") == 1
        sock.shutdown(socket.SHUT_WR)
        assert sock.recv(1) == b""


def test_a_reset_by_the_target_reaches_the_client(way):
    """It waited for ever, and a standby with it."""
    _, connect = way
    with connect() as sock:
        sock.sendall(b"reset me")
        with pytest.raises(ConnectionResetError):
            sock.recv(1)


def test_latency(way):
    proxy, connect = way
    with connect() as sock:
        proxy.fault("echo", "latency", 100)
        began = time.monotonic()
        ask(sock)
        assert 0.2 <= time.monotonic() - began < 2
        proxy.heal()
        began = time.monotonic()
        ask(sock)
        assert time.monotonic() - began < 0.15


def test_blackhole_goes_on_where_it_was(way):
    proxy, connect = way
    with connect() as old:
        ask(old)
        proxy.fault("echo", "blackhole")
        old.sendall(b"early")
        with connect() as new:
            new.sendall(b"later")
            assert silent(old) is True and silent(new) is True
            proxy.heal()
            assert (old.recv(5), new.recv(5)) == (b"early", b"later")


@pytest.mark.parametrize("kind", ("reset", "refuse"))
def test_those_that_are_there_get_a_reset(way, kind):
    proxy, connect = way
    with connect() as old:
        ask(old)
        proxy.fault("echo", kind)
        with pytest.raises(ConnectionResetError):
            old.recv(1)
    if kind == "refuse":
        with pytest.raises(ConnectionRefusedError):
            connect()
    else:
        with pytest.raises(ConnectionResetError), connect() as new:
            new.recv(1)
    proxy.heal()
    with connect() as sock:
        ask(sock)


def test_half_open(way, echo):
    proxy, connect = way
    with connect() as old:
        ask(old)
        del echo.ends[:]
        proxy.fault("echo", "half-open")
        assert silent(old) is True
        assert echo.ends == ["rst"]
        with connect() as new:
            new.sendall(b"x")
            assert silent(new) is True
            old.sendall(b"x")
            assert silent(old) is True
            proxy.heal()
            with pytest.raises(ConnectionResetError):
                old.recv(1)
    with connect() as sock:
        ask(sock)


def test_cut_in_the_middle(way):
    proxy, connect = way
    with connect() as sock:
        ask(sock)
        proxy.fault("echo", "cut", 7)
        ask(sock, b"four")
        sock.sendall(b"another four")
        found = b""
        with pytest.raises(ConnectionResetError):
            while True:
                piece = sock.recv(4096)
                assert piece
                found += piece
        assert len(found) <= 3  # an RST may overtake what was sent before it


def test_aim(way):
    proxy, connect = way
    other = Echo()
    with connect() as old:
        ask(old)
        proxy.aim("echo", other.port)
        with pytest.raises(ConnectionResetError):
            old.recv(1)
    with connect() as sock:
        ask(sock)
        sock.shutdown(socket.SHUT_WR)
        assert sock.recv(1) == b""
    assert other.ends == ["fin"]


def test_target_that_is_not_there(way):
    proxy, connect = way
    proxy.aim("echo", 1)
    with pytest.raises(ConnectionResetError), connect() as sock:
        sock.recv(1)
