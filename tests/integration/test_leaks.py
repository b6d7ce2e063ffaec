"""Nothing of a document stays: what the samples contain is searched for in every topic, in the
database, in Redis, in the storage, and in every file and log of the stack.
"""
import json
import os
import subprocess

import pytest

import belt
import make

FILE_NAME = "laudo-sigiloso-da-zulmira.pdf"
LINE_LETTERS = 24  # shorter lines could stand somewhere by chance


def spellings(text):
    """How a text could be stored."""
    escaped = text.encode("ascii", "backslashreplace").replace(b"\\x", b"\\u00")
    return {text.encode("utf-8"), text.encode("latin-1", "replace"), escaped}


@pytest.fixture(scope="module", name="secrets")
def make_secrets(samples):  # pylint: disable=unused-argument
    """Everything that must be nowhere: planted data, lines of pages, a file name."""
    texts = set(json_of("planted.json")) | {FILE_NAME, make.PASSWORD}
    for name, (kind, *_) in make.SAMPLES.items():
        if kind is make.good:
            for page in belt.truth(name)["pages"]:
                texts |= {line.strip() for line in page["text"].splitlines()
                          if len(line.strip()) >= LINE_LETTERS}
    # what the tests write onto their own little pages
    texts |= {"Oito de uma vez, uma tarefa", "Rastro de ponta a ponta", "Interrompido no meio"}
    found = set().union(*(spellings(text) for text in texts))
    assert len(found) > 500 and not [text for text in found if len(text) < 10 or b"\n" in text]
    return sorted(found)


def json_of(name):
    """A JSON file of the samples."""
    with open(os.path.join(belt.SAMPLES, name), encoding="utf-8") as f:
        return json.load(f)


@pytest.fixture(scope="module", name="search")
def make_search(secrets, tmp_path_factory):
    """A function from folders to the files in them that contain any secret."""
    patterns = tmp_path_factory.mktemp("leaks") / "patterns"
    patterns.write_bytes(b"\n".join(secrets) + b"\n")

    def search(*folders):
        done = subprocess.run(["grep", "-rlaF", "-f", patterns, "--", *folders],
                              env={**os.environ, "LC_ALL": "C"}, capture_output=True, text=True,
                              check=False)
        assert done.returncode in (0, 1) and not done.stderr, done.stderr
        return done.stdout.split("\n")[:-1]
    return search


@pytest.fixture(scope="module", name="handled")
def make_handled(plant):
    """Documents in every state: read and fetched, read and not fetched, waiting in storage."""
    client = plant.client()
    read = [client.send(belt.sample(name)) for name in ("contract", "contract-scan", "receipt-2")]
    for job_id in read:
        belt.finish(client, job_id)
    client.ended(client.send(belt.sample("one-page")))
    client.ended(client.send(belt.sample("encrypted")))
    plant.stack.stop_one("ocr-1")
    body, kind = belt.multipart(belt.sample("contract"), filename=FILE_NAME)
    waiting = client.call("POST", "/v1/extract", 202, body, {"Content-Type": kind}).json()["job_id"]
    assert [key for key in plant.objects() if waiting in key]
    yield waiting
    plant.stack.start_one("ocr-1")
    belt.finish(client, waiting)


def test_the_search_finds(search, secrets, tmp_path):
    """Proof that it would: each kind of secret, in the middle of a binary file."""
    for number in (0, len(secrets) // 2, len(secrets) - 1):
        path = tmp_path / str(number)
        path.write_bytes(b"\0\xff" + secrets[number] + b"\0\n\xfe")
        assert search(path) == [str(path)]
    assert search(os.path.join(belt.SAMPLES, "contract.truth.json"))


def test_topics(plant, handled, search, tmp_path):  # pylint: disable=unused-argument
    records = plant.records()
    assert len(records) > 40
    for number, (_, message) in enumerate(records):
        parts = [message.key() or b"", message.value() or b""]
        parts += [name.encode() + b":" + (value or b"") for name, value in message.headers() or []]
        (tmp_path / str(number)).write_bytes(b"\n".join(parts))
    assert search(tmp_path) == []


def test_signed_paths_are_in_ocr_jobs_only(plant, handled):  # pylint: disable=unused-argument
    """A path that opens an object is a capability: in ocr.jobs, and neither in a log nor elsewhere."""
    for topic, message in plant.records():
        assert (b"X-Amz-Signature" in message.value()) == (topic == "ocr.jobs"), message.value()
    logs = plant.stack.path("log")
    for name in os.listdir(logs):
        if name.startswith(("intake", "ocr", "audit")):
            with open(os.path.join(logs, name), "rb") as f:
                text = f.read()
            assert b"X-Amz-Signature" not in text and b"uk_" not in text, name


def test_database(plant, handled, search, tmp_path):  # pylint: disable=unused-argument
    path = tmp_path / "dump.sql"
    with open(path, "wb") as out:
        subprocess.run(["pg_dump", plant.stack.psql_url()], stdout=out, check=True)
    assert b"COPY intake.jobs" in path.read_bytes()
    assert search(path) == []


def test_no_key_half_outlives_its_document(plant, handled):
    assert plant.stack.psql("SELECT job_id FROM intake.jobs WHERE key_half IS NOT NULL"
                            ).split() == [handled]


def flat(answer):
    """Every byte string in an answer of Redis."""
    if isinstance(answer, list):
        return b"\n".join(flat(item) for item in answer)
    return answer if isinstance(answer, bytes) else b""


def test_redis(plant, handled, search, tmp_path):  # pylint: disable=unused-argument
    kinds = {b"string": ("GET",), b"stream": ("XRANGE", "-", "+")}
    with plant.redis() as redis:
        keys = redis("KEYS", "*")
        results = [key for key in keys if key.startswith(b"result:")]
        assert len(results) >= 4
        for number, key in enumerate(keys):
            name, *rest = kinds[redis("TYPE", key)]
            (tmp_path / str(number)).write_bytes(key + b"\n" + flat(redis(name, key, *rest)))
            assert 0 < redis("TTL", key) <= 900, key
        for key in results:
            assert redis("GET", key).startswith(b"ESTS"), key
    assert search(tmp_path) == []


def test_storage(plant, handled):
    (key,) = [key for key in plant.objects() if handled in key]
    body = plant.get_object(key)
    assert body.startswith(b"ESTS") and b"%PDF" not in body


def test_every_file_of_the_stack(plant, handled, search):  # pylint: disable=unused-argument
    """Logs, segments of topics, tables and write-ahead log, objects, temporary files."""
    folder = plant.stack.dir
    assert {"kafka", "postgres", "s3", "log", "run"} <= set(os.listdir(folder))
    assert search(folder) == []


def test_nothing_in_temporary_folders(plant, handled, search):  # pylint: disable=unused-argument
    """No process of the services has a file open that is not its own."""
    for name in plant.services:
        pids = [plant.stack.pid(name), *plant.stack.leftovers(name)]
        for pid in filter(None, pids):
            if os.geteuid() != 0:  # of a process that is not dumpable only root sees this
                assert os.stat(f"/proc/{pid}/fd").st_uid == 0
                continue
            for fd in os.scandir(f"/proc/{pid}/fd"):
                try:
                    target = os.readlink(fd.path)
                except FileNotFoundError:
                    continue
                assert target.startswith((
                    "/dev/", "/memfd:", "/proc", "anon_inode:", "pipe:", "socket:",
                    plant.stack.path("log"))), (name, target)
