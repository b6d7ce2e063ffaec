"""Looking for what must not be there: texts in every form they could be stored in, class by class."""
import base64
import json
import os
import pathlib
import stat
import subprocess
import urllib.parse

import belt

SCHEMAS = pathlib.Path(belt.ROOT) / "schemas"

# Where a class of data may stand in the clear, as parts of paths below a stack's folder. A class that
# is not here may stand nowhere; schemas/README.md says the same in words.
PLACES = {
    "plain": ("",),
    "capability": ("kafka/esteira.ocr.jobs", "postgres/"),
    "partner": ("kafka/esteira.partner.",),
    "personal": (),
    "content": (),
}


def schemas():
    """name -> schema of every event type of the suite and of partners."""
    return {path.name: json.loads(path.read_text(encoding="utf-8"))
            for path in [*SCHEMAS.glob("*.json"), *SCHEMAS.glob("partner/*.json")]}


def properties(schema, where=""):
    """(path, class) of every property, at any depth."""
    for name, sub in (schema.get("properties") or {}).items():
        if "properties" not in sub and "items" not in sub:
            yield f"{where}{name}", sub.get("x-data-class")
        yield from properties(sub, f"{where}{name}.")
    if isinstance(schema.get("items"), dict):
        if "x-data-class" in schema["items"]:
            yield f"{where}[]", schema["items"]["x-data-class"]
        yield from properties(schema["items"], f"{where}[].")


def misplaced(found):
    """name:property of all that an event would carry to where its class may not be: an event is in the
    clear on its topic, in the outbox and in dead letters."""
    bad = []
    for name, schema in found.items():
        for path, kind in properties(schema):
            on_jobs = name == "intake.document.received.v1.json"
            if not PLACES.get(kind) or kind == "partner" or (kind == "capability" and not on_jobs):
                bad.append(f"{name}:{path} ({kind})")
    return bad


def forms(text):
    """A text as it could be written: encodings, escapes, and base64 at each of its three places."""
    raw = text.encode("utf-8")
    found = {raw, text.encode("utf-16-le"), text.encode("utf-16-be"), raw.hex().encode(),
             raw.hex().upper().encode(), urllib.parse.quote(text, safe="").encode(),
             urllib.parse.quote_plus(text, safe="").encode(), json.dumps(text)[1:-1].encode(),
             text.encode("latin-1", "replace")}
    for shift in range(3):
        coded = base64.b64encode(b"\0" * shift + raw)
        whole = coded[(0, 2, 3)[shift]:len(coded) - 4 if coded.endswith(b"=") else None]
        found |= {whole, whole.translate(bytes.maketrans(b"+/", b"-_"))}
    # without a zero at an end, which would match everywhere in files of zeros, and slowly
    return sorted({form.strip(b"\0") for form in found if len(form) >= 8 and b"\n" not in form})


def written(path):
    """What of a file is really there: Kafka's indexes are gigabytes of holes."""
    try:
        f = open(path, "rb", 0)  # pylint: disable=consider-using-with
    except FileNotFoundError:
        return b""
    with f:
        parts, end = [], os.fstat(f.fileno()).st_size
        at = 0
        while at < end:
            try:
                at = os.lseek(f.fileno(), at, os.SEEK_DATA)
            except OSError:  # ENXIO: only a hole is left
                break
            hole = os.lseek(f.fileno(), at, os.SEEK_HOLE)
            parts.append(os.pread(f.fileno(), hole - at, at))
            at = hole
        return b"\n".join(parts)


def all_files(folder):
    """(path, is it full of holes) of every regular file; what goes meanwhile is left out."""
    for at, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(at, name)
            try:
                now = os.lstat(path)
            except FileNotFoundError:
                continue
            if stat.S_ISREG(now.st_mode):
                yield path, now.st_blocks * 512 < now.st_size // 2


class Search:
    """Of the same texts in many folders."""

    def __init__(self, texts, folder):
        self.texts = sorted(texts)
        assert self.texts and all(len(text) >= 10 for text in self.texts), self.texts
        self.patterns = pathlib.Path(folder) / "patterns"
        self.patterns.write_bytes(b"\n".join({f for text in self.texts for f in forms(text)}) + b"\n")

    def files(self, *folders):
        """Those that contain any of them in any form."""
        found, whole = [], []
        for path, hollow in (each for folder in folders for each in all_files(folder)):
            if not hollow:
                whole.append(path)
            elif self.in_bytes(written(path)):
                found.append(path)
        assert len(whole) > 0
        done = subprocess.run(["xargs", "-0", "grep", "-slaF", "-f", self.patterns, "--"],
                              input="\0".join(whole).encode(), env={**os.environ, "LC_ALL": "C"},
                              capture_output=True, check=False)
        assert done.returncode in (0, 123) and not done.stderr, done
        return sorted(found + done.stdout.decode().split("\n")[:-1])

    def leaks(self, root, kind):
        """Files below root with them, but for the places of that class."""
        found = [os.path.relpath(path, root) for path in self.files(root)]
        return [path for path in found if not path.startswith(PLACES[kind])]

    def in_bytes(self, data):
        """Which of them stand in data."""
        return [text for text in self.texts if any(form in data for form in forms(text))]


def consumed(plant):
    """topic -> all bytes of all its records, keys and headers included; every topic of the broker."""
    import confluent_kafka  # pylint: disable=import-outside-toplevel
    consumer = confluent_kafka.Consumer({
        **plant.stack.kafka_client_conf(), "group.id": "leaks", "log_level": 0,
        "enable.auto.commit": False, "enable.partition.eof": True})
    topics = consumer.list_topics(timeout=20).topics
    places = [confluent_kafka.TopicPartition(name, number, 0)
              for name, topic in topics.items() for number in topic.partitions]
    consumer.assign(places)
    found, ends = {name: [] for name in topics}, len(places)
    while ends:
        message = consumer.poll(30)
        assert message is not None, f"{ends} partitions gave no end"
        if message.error() is not None:
            ends -= 1
            continue
        found[message.topic()] += [message.key() or b"", message.value() or b"", *(
            name.encode() + b":" + (value or b"") for name, value in message.headers() or [])]
    consumer.close()
    return {name: b"\n".join(parts) for name, parts in found.items()}


def redis_bytes(plant):
    """All keys with their values, whatever their type."""
    with plant.redis() as redis:
        keys = redis("KEYS", "*")
        return b"\n".join([part for key in keys for part in (key, redis("DUMP", key) or b"", flat(
            redis("XRANGE", key, "-", "+") if redis("TYPE", key) == b"stream" else
            redis("GET", key) if redis("TYPE", key) == b"string" else []))])


def flat(answer):
    """Every byte string in an answer of Redis."""
    if isinstance(answer, list):
        return b"\n".join(flat(item) for item in answer)
    return answer if isinstance(answer, bytes) else b""


def dump(plant):
    """A pg_dump, as text."""
    done = subprocess.run(["pg_dump", "--inserts", plant.stack.psql_url()], capture_output=True, check=True)
    assert b"INSERT INTO intake.jobs" in done.stdout
    return done.stdout
