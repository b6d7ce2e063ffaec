"""kill -9 of each service in turn, at random moments, while documents stream in: none is lost, none
is done twice, and nothing of any is left.

ESTEIRA_DOCS and ESTEIRA_KILLS (60 and 12 by default; 2000 and 200 for the long version) say how
much, ESTEIRA_SEED at which moments.
"""
import collections
import http.client
import os
import queue
import random
import re
import signal
import threading
import time

import pytest

import belt
import rig

DOCS = int(os.environ.get("ESTEIRA_DOCS", "60"))
KILLS = int(os.environ.get("ESTEIRA_KILLS", "12"))
SEED = int(os.environ.get("ESTEIRA_SEED", "20260101"))
VICTIMS = ("intake-1", "ocr-1", "audit-1")
# every n-th document has a deadline of 60 s, is a scan, is a large one
BRIEF_EVERY, SCAN_EVERY, LARGE_EVERY, LARGE_BYTES = 4, 5, 3, 2_000_000
DEADLINES = {"firme": 86400, "breve": 60}
PARTNERS = 4
GAP_S = 2.0
GIVE_UP_S = 180
ORPHAN_AGE_S = 660
AWAY = (OSError, http.client.HTTPException)


class Document:
    """One document and what came of it."""

    def __init__(self, number, scan):
        self.mark = f"Documento {number:05} da esteira, folha avulsa"
        self.scan = number % SCAN_EVERY == SCAN_EVERY - 1
        self.data = scan + b"%% %d\n" % number if self.scan else belt.tiny_pdf(
            self.mark, LARGE_BYTES if number % LARGE_EVERY == 0 else 0)
        self.tenant = "breve" if number % BRIEF_EVERY == 0 else "firme"
        self.key, self.job_id, self.job, self.texts = f"kill-{number}", None, None, None


class Partner(threading.Thread):
    """Takes documents from the queue; repeats whatever a dead intake left unanswered."""

    def __init__(self, plant, todo, wrong):
        super().__init__(daemon=True)
        self.plant, self.todo, self.wrong = plant, todo, wrong

    def run(self):
        try:
            while (document := self.todo.get()) is not None:
                client = self.plant.client(document.tenant)
                document.job_id = self._until(lambda c=client, d=document: c.upload(
                    d.data, None, key=d.key), 202).json()["job_id"]
                document.job = self._ended(client, document.job_id)
                if document.job["status"] == "completed":
                    path = f"/v1/jobs/{document.job_id}/result"
                    answer = self._until(lambda c=client, p=path: c.call("GET", p), 200)
                    belt.check_result(document.job, answer)
                    document.texts = [page["text"] for page in answer.json()["pages"]]
        except BaseException as wrong:  # pylint: disable=broad-except
            self.wrong.append(wrong)
            raise

    def _ended(self, client, job_id):
        deadline = time.monotonic() + GIVE_UP_S
        while time.monotonic() < deadline:
            job = self._until(lambda: client.call("GET", f"/v1/jobs/{job_id}"), 200).json()
            if job["status"] in belt.FINAL:
                return job
            time.sleep(0.1)
        raise AssertionError(f"not ended: {job}")

    @staticmethod
    def _until(call, status):
        """Repeat while nobody answers, or 503."""
        def once():
            try:
                answer = call()
            except AWAY:
                return None
            assert answer.status in (status, 503), answer
            return answer if answer.status == status else None
        return belt.wait_for(f"a {status}", once, GIVE_UP_S, 0.1)


def kill(plant, name):
    """kill -9 one process; its children notice; the next one takes over."""
    plant.stack.kill_one(name)
    belt.wait_for(f"no process left of {name}", lambda: not plant.stack.leftovers(name), 10)
    plant.stack.start_one(name)


def keep_up(given, wrong):
    """Let documents end before the next kill. A consumer killed again and again within the session
    timeout of its group never gets a partition: Kafka waits for each dead member in turn.
    """
    most = max(PARTNERS, 2 * DOCS // KILLS)
    belt.wait_for(f"at most {most} documents under way", lambda: wrong or sum(
        document.job is None for document in given) <= most, GIVE_UP_S, 0.05)


@pytest.fixture(scope="module", name="run")
def make_run(samples):  # pylint: disable=unused-argument
    """The whole of it: (rig, documents) after the last document has ended."""
    rng, scan, wrong = random.Random(SEED), belt.sample("receipt-3"), []
    print(f"seed {SEED}: {DOCS} documents, {KILLS} kills")
    with rig.temporary(DEADLINES.items()) as plant:
        documents, todo = [Document(n, scan) for n in range(DOCS)], queue.Queue()
        partners = [Partner(plant, todo, wrong) for _ in range(PARTNERS)]
        for partner in partners:
            partner.start()
        for turn in range(KILLS):
            given = documents[:(turn + 1) * DOCS // KILLS]
            for document in given[turn * DOCS // KILLS:]:
                todo.put(document)
            threading.Event().wait(rng.uniform(0, GAP_S) ** 2 / GAP_S)  # soon rather than late
            assert not wrong, wrong
            kill(plant, VICTIMS[turn % len(VICTIMS)])
            keep_up(given, wrong)
        for _ in partners:
            todo.put(None)
        for partner in partners:
            partner.join(GIVE_UP_S)
        assert not wrong, wrong
        yield plant, documents


def test_none_lost(run):
    """Every 202 has come to the end it should come to, with its own text."""
    for document in run[1]:
        if document.tenant == "breve" and document.job["status"] == "failed":
            assert document.job["error_code"] == "expired", document.job
            continue
        assert document.job["status"] == "completed", document.job
        if document.scan:
            assert len(document.texts) == 1 and len(document.texts[0]) > 100
        else:
            assert [" ".join(text.split()) for text in document.texts] == [document.mark]
    expired = [document for document in run[1] if document.job["status"] == "failed"]
    print(f"{DOCS - len(expired)} completed, {len(expired)} expired at their deadline of a minute")
    assert len(expired) <= DOCS // BRIEF_EVERY // 2, f"{len(expired)} expired"


def test_none_doubled(run):
    """One job a document; each action once in its trail; one result in Redis; no dead letter."""
    plant, documents = run
    assert plant.count("SELECT count(*) FROM intake.jobs") == DOCS
    assert len({document.job_id for document in documents}) == DOCS
    for document in documents:
        # what a kill kept ocr from deleting is the purger's a minute after the end
        trail = plant.client(document.tenant).trail(document.job_id, "PURGED", 90)
        if document.job["status"] == "completed":
            trail = plant.client(document.tenant).trail(document.job_id, "DELIVERED")
            assert sorted(trail) == sorted(belt.TRAIL), trail
            assert [trail[0], trail[1], trail[2]] == belt.TRAIL[:3], trail
        else:
            counts = collections.Counter(trail)
            assert set(counts.values()) == {1} and "FAILED" in counts, trail
    with plant.redis() as redis:
        kept = collections.Counter(key.split(b":")[2].decode() for key in redis("KEYS", "result:*"))
    assert set(kept.values()) <= {1}, kept
    for schema in ("intake", "ocr", "audit"):
        assert plant.count(f"SELECT count(*) FROM {schema}.dead_letter") == 0, schema


def test_nothing_left(run):
    """After the deadline no object of a job is in storage, and no upload that died half-way."""
    plant, _ = run
    belt.wait_for("every purge confirmed", lambda: plant.count(
        "SELECT count(*) FROM intake.effect WHERE state <> 'confirmed'") == 0, 90, 0.2)
    assert plant.count("SELECT count(*) FROM intake.jobs WHERE key_half IS NOT NULL") == 0
    orphans = plant.objects()
    known = plant.stack.psql("SELECT job_id FROM intake.jobs").split()
    # an orphan has no row: its upload died before the commit. A row may have lost a race of two
    # deletions only until its purge is confirmed, which it is
    assert not [key for key in orphans if re.split("[/.]", key)[1] in known], orphans
    before = collections.Counter(swept(plant))  # a long run has been swept once a minute
    plant.stack.kill_one("intake-1")
    age(plant, orphans)
    plant.stack.start_one("intake-1")  # it sweeps when it starts, then once a minute
    plant.no_objects(90)
    names = {key.split("/")[1] for key in orphans}
    print(f"{sum(before.values())} orphans swept while it ran, {len(names)} left to be swept")
    belt.wait_for("the sweep in the audit", lambda: names <= set(swept(plant)))
    after = collections.Counter(swept(plant))
    assert set(after.values()) <= {1}, after
    assert set(after) - set(before) == names, (before, after, names)


def swept(plant):
    """The objects that the audit says were deleted because no job knew them."""
    return plant.stack.psql(
        "SELECT object FROM audit.operations WHERE action = 'orphan.deleted'").split()


def age(plant, keys):
    """Objects are files here: make them older than the purger's patience."""
    then = time.time() - ORPHAN_AGE_S
    for folder, _, names in os.walk(plant.stack.path("s3")):
        for name in names:
            if any(key.endswith(name) for key in keys):
                os.utime(os.path.join(folder, name), (then, then))


def test_orphan_is_swept(run):
    """An object no job knows, ten minutes old, is deleted and audited once."""
    plant, _ = run
    stray = f"{plant.tenant_id('firme')}/01890a5d-ac96-774b-bcce-b302099a8057.enc"
    plant.put_object(stray, b"x" * 100)
    plant.stack.kill_one("intake-1")
    age(plant, [stray])
    plant.stack.start_one("intake-1")
    plant.no_objects(90)
    belt.wait_for("one line of audit", lambda: plant.count(
        "SELECT count(*) FROM audit.operations WHERE object LIKE '%8057.enc'") == 1)


def results_of(plant, job_id):
    """The names under which Redis keeps results of a job."""
    with plant.redis() as redis:
        return redis("KEYS", f"result:*:{job_id}:*")


# A commit of a result waits here, after Redis has it and before anybody else knows of it.
HOLD_COMPLETED = """
CREATE FUNCTION ocr.hold() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(60); RETURN NEW; END $$;
CREATE TRIGGER hold BEFORE INSERT ON ocr.outbox FOR EACH ROW
WHEN (position('ocr.document.completed'::bytea IN NEW.headers) > 0) EXECUTE FUNCTION ocr.hold()"""
LET_GO = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep';
DROP TRIGGER hold ON ocr.outbox; DROP FUNCTION ocr.hold()"""


def test_killed_between_result_and_commit(run):
    """The one moment at which a result is stored and nobody knows of it: read again, it is the same."""
    plant, _ = run
    client, stack = plant.client("firme"), plant.stack
    stack.psql(HOLD_COMPLETED)
    job_id = client.send(belt.sample("receipt-3"))
    belt.wait_for("a commit that waits", lambda: stack.psql(
        "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'"))
    first = results_of(plant, job_id)
    assert client.job(job_id)["status"] in ("pending", "processing")
    stack.kill_one("ocr-1")
    stack.psql(LET_GO)
    assert first and "COMPLETED" not in client.trail(job_id, "PROCESSING")
    stack.start_one("ocr-1")
    belt.finish(client, job_id)
    assert results_of(plant, job_id) == first


def zygote_of(plant):
    """The jail's zygote: a child of one of ocr's threads."""
    tasks, found = f"/proc/{plant.stack.pid('ocr-1')}/task", []
    for thread in os.listdir(tasks):
        with open(f"{tasks}/{thread}/children", encoding="ascii") as f:
            found += f.read().split()
    assert len(found) <= 1, found
    return int(found[0]) if found else None


def test_jail_killed_while_reading(run):
    """The jail's death costs its documents a second try, and the worker nothing."""
    plant, _ = run
    client, worker, first = plant.client("firme"), plant.stack.pid("ocr-1"), zygote_of(plant)
    ids = [client.send(belt.sample("receipt-3")) for _ in range(3)]
    with client.stream(ids[0]) as events:
        next(events)  # it has begun
        os.kill(first, signal.SIGKILL)
    for job_id in ids:
        belt.finish(client, job_id)
    assert plant.stack.pid("ocr-1") == worker
    assert zygote_of(plant) not in (None, first)
    # and idle, with the next document in a new one
    os.kill(zygote_of(plant), signal.SIGKILL)
    belt.finish(client, client.send(belt.tiny_pdf("Depois da queda da cela")))
    assert plant.stack.pid("ocr-1") == worker
