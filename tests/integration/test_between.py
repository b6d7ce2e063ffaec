"""A process or a connection that dies exactly between two steps: what the other side has already
done is neither lost nor done twice.

The services reach Postgres and the storage through a relay that stops at a chosen moment.
"""
import contextlib
import os
import socket
import threading
import time

import pytest

import belt
import rig

PAGE = belt.tiny_pdf("Uma folha entre dois passos")
STRAY = "01890a5d-ac96-774b-bcce-b302099a8057.enc"
ORPHAN_AGE_S = 30


class Relay:
    """TCP to a server. Armed with words, it stops before or after the first bytes that have them
    all: it calls `then` and, unless that raises, passes on what it held back."""

    def __init__(self, port):
        self.target, self.words, self.after, self.then = port, None, False, None
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def arm(self, words, then, after=False):
        """then(client): called once; after: when the server has answered."""
        self.words, self.then, self.after = words, then, after

    def _accept(self):
        while True:
            client, _ = self.listener.accept()
            server = socket.create_connection(("127.0.0.1", self.target))
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            seen = threading.Event()
            for ends in ((client, server, seen, True), (server, client, seen, False)):
                threading.Thread(target=self._pass, args=ends, daemon=True).start()

    def _fire(self, client):
        self.words, then = None, self.then
        then(client)

    def _pass(self, source, sink, seen, forth):
        past = b""
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 20):
                past = (past + data)[-(1 << 16):] if self.words else b""
                if forth and self.words and all(word in past for word in self.words):
                    past = b""
                    if self.after:
                        seen.set()
                    else:
                        self._fire(source)
                elif not forth and seen.is_set():
                    seen.clear()
                    self._fire(sink)
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@pytest.fixture(scope="module", name="split")
def make_split(samples):  # pylint: disable=unused-argument
    """(rig, relay to Postgres of intake's requests, relay to the storage)."""
    with rig.temporary(("alfa",), (), secure=False) as plant:  # what goes over the wires is read here
        database, storage = Relay(plant.stack.ports["postgres"]), Relay(plant.stack.ports["s3"])
        endpoint = {"ESTEIRA_S3_ENDPOINT": f"http://127.0.0.1:{storage.port}"}
        plant.start("audit")
        plant.start("ocr", **endpoint)
        plant.start("intake", ESTEIRA_INTAKE_ORPHAN_AGE_S=str(ORPHAN_AGE_S), **endpoint,
                    ESTEIRA_PG_URL=plant.stack.psql_url("esteira_intake").replace(
                        f":{plant.stack.ports['postgres']}/", f":{database.port}/"))
        yield plant, database, storage


def killer(plant, name, killed):
    """What kills a service and keeps what it said from the server."""
    def then(_):
        plant.stack.kill_one(name)
        killed.set()
        raise OSError("killed")
    return then


@pytest.mark.parametrize("after", [False, True])
def test_sweep_killed_at_its_deletion(split, after):
    """The audit has it, once, whether the object was gone when intake died or not."""
    plant, _, storage = split
    name = STRAY.replace("8057", "9057") if after else STRAY
    key = f"{plant.tenant_id('alfa')}/{name}"
    killed = threading.Event()
    storage.arm([b"DELETE ", name.encode()], killer(plant, "intake-1", killed), after)
    plant.put_object(key, b"x" * 100)
    then = time.time() - 2 * ORPHAN_AGE_S
    for folder, _, names in os.walk(plant.stack.path("s3")):
        for found in names:
            if found.endswith(name):
                os.utime(os.path.join(folder, found), (then, then))
    assert killed.wait(40)
    assert (key in plant.objects()) == (not after)
    plant.stack.start_one("intake-1")
    plant.no_objects(40)
    belt.wait_for("the entry", lambda: operations(plant, name) > 0)
    belt.finish(plant.client(), plant.client().send(PAGE))  # a second entry would be there by now
    assert operations(plant, name) == 1


def operations(plant, name):
    return plant.count(f"SELECT count(*) FROM audit.operations WHERE object = '{name}'")


def test_ocr_killed_before_its_deletion(split):
    """A finished job's object does not stay to its deadline, which is a day here."""
    plant, _, storage = split
    client, killed = plant.client(), threading.Event()
    storage.arm([b"DELETE "], killer(plant, "ocr-1", killed))
    job_id = client.send(PAGE)
    assert killed.wait(20)
    plant.stack.start_one("ocr-1")  # says what its outbox holds; the object is no longer its affair
    assert client.ended(job_id)["status"] == "completed"
    assert plant.objects()
    row = f"effect_key = 'purge:{job_id}'"
    assert plant.count(f"SELECT count(*) FROM intake.effect WHERE {row} AND state = 'intent' AND"
                       " due_at BETWEEN now() + interval '30 s' AND now() + interval '60 s'") == 1
    plant.stack.psql(f"UPDATE intake.effect SET due_at = now() WHERE {row}")
    assert client.trail(job_id, "PURGED") == belt.TRAIL[:4]
    plant.no_objects()


def test_commit_without_an_answer(split):
    """503, and the object stays: the commit may still be on its way, as it is here."""
    plant, database, _ = split
    client, key, late = plant.client(), belt.fresh_key(), threading.Event()
    before = plant.count("SELECT count(*) FROM intake.jobs")

    def cut(connection):
        connection.shutdown(socket.SHUT_RDWR)
        late.wait(4)  # Postgres ends a transaction that idles for 5 s
    database.arm([b"intake.document.received.v1", b"commit\0"], cut)
    client.upload(PAGE, 503, key=key)
    assert plant.count("SELECT count(*) FROM intake.jobs") == before
    late.set()
    belt.wait_for("the row", lambda: plant.count("SELECT count(*) FROM intake.jobs") > before)
    job_id = client.send(PAGE, key=key)
    belt.finish(client, job_id)
    assert plant.count("SELECT count(*) FROM intake.jobs") == before + 1
    plant.no_objects()
