"""Replays on real servers: what the rows become when a group is moved or a side replay is asked for, what
is sent again and under which id, and what the private reader reads. The programs of the frame are called by
native-replay; estctl is the operator."""
import json
import re
import subprocess
import time
import uuid

import confluent_kafka
import pytest

import belt
from native.harness import TESTS_DIR
from stack import Stack, StepError

GROUP, TOPIC = "esteira.ocr", "esteira.ocr.jobs"
NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "esteira.events")


class Servers:
    """A stack without services, and what one would do."""

    def __init__(self, stack):
        self.stack, self.partition = stack, -1

    def native(self, *args):
        env = {**self.stack.base_env(),
               "ESTEIRA_TEST_PG_URL": self.stack.psql_url("esteira_frame_ocr")}
        done = subprocess.run([TESTS_DIR / "native-replay", *map(str, args)], env=env, text=True,
                              capture_output=True, check=False, timeout=120)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def ctl(self, *args):
        return self.stack.estctl("replay", *args)

    def sql(self, query):
        return self.stack.psql(query).strip()

    def fresh(self, progress=100, frontier=120):
        """A partition nobody has touched, with a group that has got so far."""
        self.partition += 1
        self.sql("INSERT INTO ocr.progress (grp, topic, part, cluster_id, next_offset, frontier)"
                 f" VALUES ('{GROUP}', '{TOPIC}', {self.partition}, 'cluster', {progress},"
                 f" {frontier})")
        return self.partition

    def move(self, kind, part, first, last, how="free"):
        """-> id, state, from, to, next"""
        row = self.native("open", kind, GROUP, TOPIC, part, first, last, how).split()
        return (int(row[0]), row[1], *map(int, row[2:]))

    def row(self, number, columns):
        return self.sql(f"SELECT {columns} FROM ocr.replay WHERE id = {number}")

    def progress(self, part):
        return self.sql(f"SELECT next_offset, frontier FROM ocr.progress WHERE part = {part}")

    def entries(self, number):
        """Actions and metadata told about a row, in order."""
        found = self.sql("SELECT convert_from(payload, 'utf8') FROM ocr.outbox ORDER BY seq")
        entries = [json.loads(line) for line in found.splitlines()]
        return [(e["action"], e["metadata"]) for e in entries
                if re.search(rf"epoch {number}$|ocr:( \d+)* {number}\b", e["object"])]


@pytest.fixture(scope="module", name="servers")
def make_servers():
    with Stack.temporary(secure=False) as stack:
        yield Servers(stack)


# --- moves of a group ---

def test_a_rewind_is_opened_once(servers):
    part = servers.fresh()
    number, state, *_ = servers.move("rewind", part, 50, 120)
    assert state == "open" and servers.progress(part) == "50|120"
    assert servers.entries(number) == [("replay.opened", {"count": 70})]
    servers.native("count", number, 3)
    servers.native("finish", number)
    servers.native("finish", number)
    counts = dict.fromkeys(("done", "same", "different", "gone", "failed", "held"), 3)
    assert servers.entries(number)[1:] == [("replay.done", {"count": 70, **counts})]
    assert servers.row(number, "state, closed_at IS NOT NULL") == "done|t"


def test_the_same_rewind_twice_is_two_epochs(servers):
    part = servers.fresh()
    first = servers.move("rewind", part, 50, 120)[0]
    servers.sql(f"UPDATE ocr.progress SET next_offset = 80 WHERE part = {part}")
    second, state, *_ = servers.move("rewind", part, 50, 120)
    assert second > first and state == "open"
    assert servers.row(first, "state") == "aborted" and servers.progress(part) == "50|120"


def test_a_held_rewind_waits_for_confirmation(servers):
    part = servers.fresh()
    number = servers.move("rewind", part, 5, 120, "hold")[0]
    assert servers.move("rewind", part, 5, 120, "hold")[:2] == (number, "held")
    assert servers.progress(part) == "100|120"
    servers.ctl("confirm", "--id", str(number), "--service", "ocr")
    assert servers.move("rewind", part, 5, 120, "hold")[:2] == (number, "open")
    assert servers.progress(part) == "5|120"
    assert [e[0] for e in servers.entries(number)] == ["replay.held", "replay.confirmed",
                                                       "replay.opened"]


def test_a_confirmed_skip_is_done(servers):
    part = servers.fresh()
    number = servers.move("skip", part, 100, 150, "hold")[0]
    # moved again before anybody decided: the same hold, of what would be skipped now
    assert servers.move("skip", part, 100, 160, "hold")[:4] == (number, "held", 100, 160)
    servers.ctl("confirm", "--id", str(number), "--service", "ocr")
    assert servers.move("skip", part, 100, 160, "hold")[:2] == (number, "done")
    assert servers.progress(part) == "160|120"


def test_a_refused_move_stays_refused_until_the_group_has_gone_on(servers):
    part = servers.fresh()
    number = servers.move("skip", part, 100, 150, "hold")[0]
    servers.ctl("refuse", "--id", str(number), "--service", "ocr")
    for _ in range(2):
        assert servers.move("skip", part, 100, 150, "hold")[:2] == (number, "refused")
    assert servers.progress(part) == "100|120"
    servers.sql(f"UPDATE ocr.progress SET updated_at = now() WHERE part = {part}")
    assert servers.move("skip", part, 100, 150, "hold")[0] > number


def test_the_last_move_counts(servers):
    part = servers.fresh()
    there = servers.move("rewind", part, 5, 120, "hold")[0]
    elsewhere = servers.move("rewind", part, 3, 120, "hold")[0]
    back, state, *_ = servers.move("rewind", part, 5, 120, "hold")
    assert state == "held" and len({there, elsewhere, back}) == 3
    assert servers.row(there, "state") == servers.row(elsewhere, "state") == "refused"


def test_a_note_says_who(servers):
    number = servers.move("rewind", servers.fresh(), 50, 120)[0]
    servers.ctl("annotate", "--id", str(number), "--service", "ocr", "--who", "Ana",
                "--reason", "a bad afternoon")
    assert servers.row(number, "who, reason") == "Ana|a bad afternoon"
    status = json.loads(servers.ctl("status", "--id", str(number), "--json"))
    assert [(s["who"], s["records"]) for s in status] == [("Ana", 70)]


def test_what_does_not_wait_cannot_be_confirmed(servers):
    number = servers.move("rewind", servers.fresh(), 50, 120)[0]
    for verb in ("confirm", "refuse", "pause", "resume", "abort"):
        with pytest.raises(StepError, match="not-found"):
            servers.ctl(verb, "--id", str(number), "--service", "ocr")
    assert servers.row(number, "state") == "open"


# --- what is sent again ---

def headers_of(packed):
    found, at = {}, 0
    while at < len(packed):
        size = int.from_bytes(packed[at:at + 2], "big")
        name, at = packed[at + 2:at + 2 + size].decode(), at + 2 + size
        size = int.from_bytes(packed[at:at + 4], "big")
        found[name], at = packed[at + 4:at + 4 + size].decode(), at + 4 + size
    return found


def test_what_differs_is_sent_with_a_new_id(servers):
    def sent():
        rows = servers.sql("DELETE FROM ocr.outbox RETURNING event_id, encode(headers, 'hex')")
        return [(uuid.UUID(i), headers_of(bytes.fromhex(h)))
                for i, h in (line.split("|") for line in rows.splitlines())]
    sent()
    first = [uuid.uuid5(NAMESPACE, str(i)) for i in (1, 2, 3)]
    hashes, *counts = servers.native("reconcile", 7, "unknown").split()
    assert counts == ["0", "3"]
    for was, (now, headers) in zip(first, sent()):
        assert now == uuid.uuid5(NAMESPACE, f"{was}\x1f7")
        assert headers["ce_id"] == str(now) and headers["ce_supersedes"] == str(was)
        assert headers["ce_type"] == "audit.operation.recorded.v1"
    assert servers.native("reconcile", 7, hashes).split()[1:] == ["3", "0"]
    assert sent() == []
    altered = hashes[:16] + "00" * 8 + hashes[32:]
    assert servers.native("reconcile", 8, altered).split()[1:] == ["2", "1"]
    assert [i for i, _ in sent()] == [uuid.uuid5(NAMESPACE, f"{first[1]}\x1f8")]


# --- side replays ---

def when(moment):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(moment))


def produce(servers, part, values, tenants):
    producer = confluent_kafka.Producer(servers.stack.kafka_client_conf())
    for i in values:
        producer.produce(TOPIC, key=tenants[i % len(tenants)], value=str(i), partition=part)
    assert producer.flush(30) == 0


@pytest.fixture(scope="module", name="tenants")
def make_tenants(servers):
    for slug in ("alfa", "beta"):
        servers.stack.tenant(slug, slug)
    found = servers.sql("SELECT tenant_id FROM intake.tenants ORDER BY slug")
    return found.split()


def side(servers, part, turns=1000):
    """(replay, offset, value) of what is read."""
    lines = servers.native("side", servers.stack.kafka_bootstrap, GROUP, TOPIC, part, turns)
    return [tuple(map(int, line.split())) for line in lines.splitlines()]


def start(servers, *args):
    """The part that began: there is one partition with records."""
    parts = json.loads(servers.ctl("start", "--topic", TOPIC, "--group", GROUP, "--json", *args))
    return [p for p in parts if "plan" in p]


def test_a_side_replay_reads_its_range(servers, tenants):
    part = servers.fresh(150, 150)
    produce(servers, part, range(100), tenants)
    belt.next_tick(1)
    half = when(time.time())  # seconds: everything before is earlier
    produce(servers, part, range(100, 200), tenants)
    ask = ("--topic", TOPIC, "--group", GROUP, "--from", half, "--to", when(time.time() + 60))
    planned = [p for p in json.loads(servers.ctl("plan", "--json", *ask)) if p["records"]]
    # what the group has not handled yet (offset 150 on) is not replayed beside it
    assert planned == [{"partition": part, "from_offset": 100, "to_offset": 150, "records": 50}]
    assert servers.sql("SELECT count(*) FROM ocr.replay WHERE kind = 'side'") == "0"
    plan, = [p["plan"] for p in start(servers, *ask[4:])]
    assert [r[1:] for r in side(servers, part)] == [(i, i) for i in range(100, 150)]
    status, = json.loads(servers.ctl("status", "--id", plan, "--json"))
    assert (status["state"], status["records"], status["read"]) == ("done", 50, 50)
    assert side(servers, part) == []


def test_a_side_replay_is_of_one_tenant(servers, tenants):
    part = servers.fresh(100, 100)
    produce(servers, part, range(100), tenants)
    before = servers.sql("SELECT count(*) FROM ocr.replay")
    start(servers, "--from", "0", "--to", "100", "--tenant", "beta")
    assert servers.sql("SELECT count(*) FROM ocr.replay") == str(int(before) + 2)  # the test before
    assert [r[1] for r in side(servers, part)] == list(range(1, 100, 2))


def test_a_side_replay_keeps_its_rate_and_can_be_paused(servers, tenants):
    part = servers.fresh(100, 100)
    produce(servers, part, range(100), tenants)
    plan = start(servers, "--from", "40", "--to", "100", "--rate", "90")[0]["plan"]  # of 3 partitions
    began = time.monotonic()
    assert len(side(servers, part, 100)) <= 30 * (time.monotonic() - began) + 3
    servers.ctl("pause", "--id", plan)
    assert side(servers, part, 20) == []
    servers.ctl("resume", "--id", plan)
    at = int(servers.sql(f"SELECT next_offset FROM ocr.replay WHERE plan_id = '{plan}'"
                         f" AND part = {part}"))
    assert at > 40
    assert side(servers, part)[0][1] == at  # where it was written down
    servers.ctl("abort", "--group", GROUP, "--topic", TOPIC)
    assert servers.sql("SELECT count(*) FROM ocr.replay WHERE kind = 'side' AND state IN"
                       " ('open', 'paused')") == "0"


@pytest.mark.parametrize("args,why", (
    (("--from", "2026-11-21T10:00:00", "--to", "5"), "bad-parameter"),  # whose zone?
    (("--from", "5", "--to", "5"), "bad-parameter"),
    (("--from", "0", "--to", "5", "--rate", "0"), "bad-parameter"),
    (("--from", "0", "--to", "5", "--service", "none"), "not-found"),
    (("--from", "0", "--to", "5", "--tenant", "nobody"), "not-found"),
    (("--from", "90000000", "--to", "90000001"), "not-found"),
))
def test_nonsense_is_refused(servers, tenants, args, why):  # pylint: disable=unused-argument
    with pytest.raises(StepError, match=why):
        start(servers, *args)


def test_a_topic_that_is_not_there_is_said(servers):
    with pytest.raises(StepError, match="not-found"):
        servers.ctl("plan", "--topic", "esteira.nothing", "--group", GROUP, "--from", "0", "--to", "5")


# --- with a service: the trail, replayed both ways ---

TRAIL = ("--group", "esteira.audit", "--topic", "esteira.audit.trail")
NOTES = 5


@pytest.fixture(scope="module", name="trail")
def make_trail(servers):
    """Some entries of audit's own, told by its relay and written by its consumer."""
    servers.stack.start_service("audit")
    servers.sql("INSERT INTO audit.replay (grp, topic, part, kind, from_offset, to_offset, state)"
                " VALUES ('esteira.audit', 'esteira.audit.trail', 0, 'rewind', 0, 0, 'done')")
    number = servers.sql("SELECT max(id) FROM audit.replay")
    for i in range(NOTES):
        servers.ctl("annotate", "--id", number, "--service", "audit", "--who", f"Ana {i}")
    belt.wait_for("entries", lambda: notes(servers) == NOTES, 60)
    return servers


def notes(servers):
    return int(servers.sql("SELECT count(*) FROM audit.operations"
                           " WHERE action = 'replay.annotated'"))


def state_of(servers, kind):
    """The newest replay of a kind: states, done, same."""
    found = json.loads(servers.ctl("status", *TRAIL, "--json"))
    return next(((s["state"], s["done"], s["same"]) for s in found if s["kind"] == kind
                 and s["records"]), None)


def test_a_side_replay_of_the_trail_changes_nothing(trail):
    belt.wait_for("progress", lambda: int(trail.sql(
        "SELECT coalesce(sum(next_offset), 0) FROM audit.progress")) >= NOTES, 60)
    trail.ctl("start", *TRAIL, "--from", "0", "--to", str(NOTES))
    belt.wait_for("the end", lambda: state_of(trail, "side") == ("done", NOTES, NOTES), 60)
    assert notes(trail) == NOTES
    belt.wait_for("the entry", lambda: trail.sql(
        "SELECT metadata ->> 'same' FROM audit.operations WHERE action = 'replay.done'"
        " AND object LIKE 'side of%'") == str(NOTES), 60)


def test_the_stock_tool_on_a_stopped_group_is_a_replay(trail):
    trail.stack.stop_one("audit-1")
    subprocess.run(trail.stack.kafka_tool("consumer.group.ConsumerGroupCommand", *TRAIL, "--reset-offsets",
                                          "--to-earliest", "--execute"), check=True, capture_output=True, timeout=120)
    trail.stack.start_one("audit-1")
    belt.wait_for("the end", lambda: (state_of(trail, "rewind") or ("",))[0] == "done", 60)
    state, done, same = state_of(trail, "rewind")
    assert state == "done" and done == same >= NOTES
    assert notes(trail) == NOTES
    belt.wait_for("the entry", lambda: trail.sql(
        "SELECT actor FROM audit.operations WHERE action = 'replay.done'"
        " AND object LIKE 'rewind of%'") == "unknown", 60)
