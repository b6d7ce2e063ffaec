"""Dead letters: what an operator and a tenant see of them, and that a decision takes effect once, for
the right tenant, and is told.

Letters of schema ocr stay where they are, because no ocr runs here; those of audit go all the way."""
import concurrent.futures
import json
import re
import struct
import uuid

import confluent_kafka
import psycopg2
import pytest

import belt
import rig
from stack import StepError

SECRET = "conteudo-que-ninguem-le"
SCHEMAS = ("intake", "ocr", "audit", "outreach")
TRAIL = "esteira.audit.trail"
NOBODY = uuid.uuid4()


@pytest.fixture(scope="module", name="plant")
def make_plant():
    """Two tenants, intake and audit."""
    with rig.temporary(("alfa", "beta"), ("audit", "intake")) as plant:
        plant.ids = {slug: plant.tenant_id(slug) for slug in plant.keys}
        yield plant


def pack(headers):
    """Headers as a bytea column has them."""
    return b"".join(struct.pack(">H", len(name)) + name.encode() + struct.pack(">I", len(value.encode()))
                    + value.encode() for name, value in headers.items())


def envelope(tenant, event_id, **more):
    """Headers of an audit entry."""
    return {"ce_specversion": "1.0", "ce_id": event_id, "ce_type": "audit.entry.recorded.v1",
            "ce_source": "/esteira/test", "ce_time": "2026-11-21T12:00:00Z", "ce_tenantid": tenant,
            "content-type": "application/json", **more}


def entry(job_id):
    """The payload of a good one."""
    return json.dumps({"job_id": str(job_id), "action": "RECEIVED", "document_hash": "ab" * 32,
                       "occurred_at": "2026-11-21T12:00:00.000Z", "metadata": {}})


class Letters:
    """Rows as the frame writes them."""

    def __init__(self, plant):
        self.plant, self.offset = plant, 10 ** 9

    def add(self, slug="alfa", schema="ocr", payload=SECRET, part=0, **columns):
        """An open letter; answers its id."""
        self.offset += 1
        tenant = slug and self.plant.ids[slug]
        letter, event, order = (str(uuid.uuid4()) for _ in range(3))
        headers = pack(envelope(tenant or "", event, ce_partitionkey=order,
                                **{"x-partner-note": SECRET, "x\x1b[2J": "a"}))
        row = {"id": letter, "grp": f"esteira.{schema}", "topic": TRAIL if schema == "audit" else
               f"esteira.{schema}.jobs", "part": part, "off": self.offset, "event_id": event if slug else None,
               "tenant_id": tenant, "ordering_key": order, "error_class": "record",
               "error_code": "superseded", "error_message": "why it died", "attempts": 3,
               "handler_version": "9.9.9", "headers": headers, "key": (tenant or "k").encode(),
               "payload": payload.encode(), **columns}
        with psycopg2.connect(self.plant.stack.psql_url()) as conn, conn.cursor() as cur:
            cur.execute(f"INSERT INTO {schema}.dead_letter ({', '.join(row)})"
                        f" VALUES ({', '.join(['%s'] * len(row))})", list(row.values()))
        return letter

    def field(self, letter, column="state", schema="ocr"):
        """A column of a letter, as text."""
        return self.plant.stack.psql(
            f"SELECT {column} FROM {schema}.dead_letter WHERE id = '{letter}'").strip()

    def parked(self, letter, schema="ocr"):
        """How many rows it has in the parked lane."""
        return self.plant.count(f"SELECT count(*) FROM {schema}.parked WHERE dead_letter_id = '{letter}'")

    def told(self, letter, action, schema):
        """The actors of the audit entries that wait in an outbox."""
        return self.plant.stack.psql(
            "SELECT convert_from(payload, 'UTF8')::json->>'actor' FROM " + schema + ".outbox WHERE"
            f" convert_from(payload, 'UTF8')::json->>'object' LIKE '%{letter}%' AND"
            f" convert_from(payload, 'UTF8')::json->>'action' = 'dead_letter.{action}'").split()

    def operations(self, letter, count=1):
        """(action, actor, tenant) of the audit entries about it, when there are as many."""
        sql = ("SELECT action || '|' || actor || '|' || tenant_id FROM audit.operations"
               f" WHERE object LIKE '%{letter}%' ORDER BY occurred_at")

        def look():
            return len(self.plant.stack.psql(sql).split()) >= count
        belt.wait_for(f"{count} audit entries of {letter}", look, 20)
        return [tuple(line.split("|")) for line in self.plant.stack.psql(sql).split()]


@pytest.fixture(name="letters")
def make_letters(plant):
    """A clean table for each test."""
    yield Letters(plant)
    for schema in SCHEMAS:
        plant.stack.psql(f"DELETE FROM {schema}.parked; DELETE FROM {schema}.dead_letter")


def dlq(plant, *args):
    """estctl dlq ... --json."""
    return json.loads(plant.stack.estctl("dlq", *args, "--json"))


def ids(rows):
    """Of a list."""
    return [row["id"] for row in rows]


def produce_bad(plant, slug="alfa"):
    """A record whose envelope is good and whose payload is not; answers its letter."""
    event = str(uuid.uuid4())
    producer = confluent_kafka.Producer(plant.stack.kafka_client_conf())
    producer.produce(TRAIL, key=plant.ids[slug], value=json.dumps({"action": SECRET}),
                     headers=envelope(plant.ids[slug], event))
    producer.flush(20)
    find = f"SELECT id FROM audit.dead_letter WHERE event_id = '{event}' AND state = 'open'"
    return belt.wait_for("a dead letter", lambda: plant.stack.psql(find).strip(), 30)


# --- REST ---

def test_a_tenant_sees_his_own(plant, letters):
    mine = {schema: letters.add("alfa", schema) for schema in SCHEMAS}
    letters.add("beta", "ocr")
    letters.add(None, "ocr")
    client = plant.client("alfa")
    found = client.get("/v1/dead-letters")["items"]
    assert ids(found) == [mine[schema] for schema in reversed(SCHEMAS)]
    assert [row["service"] for row in found] == list(reversed(SCHEMAS))
    one = client.get(f"/v1/dead-letters/{mine['ocr']}")
    assert one == found[-1 - SCHEMAS.index("ocr")]
    assert (one["error_class"], one["error_code"], one["state"]) == ("record", "superseded", "open")
    raw = json.dumps(found)
    assert SECRET not in raw and plant.ids["alfa"] not in raw
    assert client.get("/v1/dead-letters?class=schema")["items"] == []
    assert len(client.get("/v1/dead-letters?state=open&class=record")["items"]) == len(SCHEMAS)
    assert client.get("/v1/dead-letters?state=discarded")["items"] == []


def test_no_order_of_its_own_shows_no_key(plant, letters):
    letter = letters.add(ordering_key=plant.ids["alfa"])
    assert "ordering_key" not in plant.client().get(f"/v1/dead-letters/{letter}")


def test_pages(plant, letters):
    wanted = [letters.add("alfa", SCHEMAS[n % len(SCHEMAS)]) for n in range(7)]
    letters.add("beta", "audit")
    client, found = plant.client(), []
    page = client.get("/v1/dead-letters?limit=3&state=open&class=record")
    found += ids(page["items"])
    while "next_cursor" in page:
        cursor = page["next_cursor"]
        answer = client.call("GET", f"/v1/dead-letters?limit=3&state=open&class=record&cursor={cursor}", 200)
        page = answer.json()
        assert ("next_cursor" in page) == (answer.header("Link") is not None)
        found += ids(page["items"])
    assert found == list(reversed(wanted))
    plant.client("beta").call("GET", f"/v1/dead-letters?cursor={cursor}", 400).problem("bad-parameter")


@pytest.mark.parametrize("query", ("limit=0", "limit=201", "limit=x", "state=dead", "state=", "class=none",
                                   "class=x", "cursor=x"))
def test_bad_parameters(plant, query):
    plant.client().call("GET", f"/v1/dead-letters?{query}", 400).problem("bad-parameter")


def test_another_tenant_is_told_nothing_and_changes_nothing(plant, letters):
    others = [letters.add("beta", schema) for schema in SCHEMAS] + [letters.add(None, "ocr")]
    client = plant.client("alfa")
    assert client.get("/v1/dead-letters")["items"] == []
    for letter in (*others, NOBODY, "x"):
        client.call("GET", f"/v1/dead-letters/{letter}", 404).problem("not-found")
        for verb in ("redrive", "discard"):
            client.call("POST", f"/v1/dead-letters/{letter}/{verb}", 404).problem("not-found")
    for schema in SCHEMAS:
        assert plant.count(f"SELECT count(*) FROM {schema}.dead_letter WHERE state <> 'open'") == 0
        assert plant.count(f"SELECT count(*) FROM {schema}.parked") == 0


def test_scope_is_operate(plant, letters):
    letter = letters.add()
    url = plant.client().url
    less = plant.stack.key("alfa", "extract,status,audit")
    for method, path in (("GET", "/v1/dead-letters"), ("GET", f"/v1/dead-letters/{letter}"),
                         ("POST", f"/v1/dead-letters/{letter}/redrive"),
                         ("POST", f"/v1/dead-letters/{letter}/discard")):
        belt.Client(url, None).call(method, path, 401).problem("unauthenticated")
        belt.Client(url, less).call(method, path, 403).problem("forbidden")
    assert letters.field(letter) == "open"


def test_a_tenant_redrives_once(plant, letters):
    letter = letters.add()
    client = plant.client()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        got = sorted(answer.status for answer in pool.map(
            lambda _: client.call("POST", f"/v1/dead-letters/{letter}/redrive"), range(8)))
    assert got == [202] + [409] * 7
    client.call("POST", f"/v1/dead-letters/{letter}/redrive", 409).problem("not-open")
    client.call("POST", f"/v1/dead-letters/{letter}/discard", 409).problem("not-open")
    assert letters.field(letter) == "redriving"
    assert letters.parked(letter) == 1
    actor = f"uk_{plant.keys['alfa'][3:11]}"
    assert letters.field(letter, "decided_by") == actor
    assert letters.operations(letter) == [("dead_letter.redriven", actor, plant.ids["alfa"])]


def test_a_tenant_decides_about_every_service(plant, letters):
    client = plant.client()
    for schema in SCHEMAS:
        kept, gone = (letters.add("alfa", schema, part=99) for _ in range(2))
        if schema in ("ocr", "outreach"):  # the others run and would take it at once
            client.call("POST", f"/v1/dead-letters/{kept}/redrive", 202)
            assert letters.field(kept, schema=schema) == "redriving" and letters.parked(kept, schema) == 1
        client.call("POST", f"/v1/dead-letters/{gone}/discard", 204)
        assert letters.field(gone, schema=schema) == "discarded"


def test_a_tenant_discards_once(plant, letters):
    letter = letters.add()
    client = plant.client()
    assert client.call("POST", f"/v1/dead-letters/{letter}/discard", 204).body == b""
    client.call("POST", f"/v1/dead-letters/{letter}/discard", 409).problem("not-open")
    client.call("POST", f"/v1/dead-letters/{letter}/redrive", 409).problem("not-open")
    assert letters.field(letter, "state || coalesce(payload, headers, key)::text IS NULL") == "t"
    assert letters.operations(letter)[0][0] == "dead_letter.discarded"


# --- estctl ---

def test_list_and_filters(plant, letters):
    first, second = letters.add("alfa", "intake"), letters.add("beta", "ocr", error_class="schema",
                                                                error_code="bad-record")
    third, done = letters.add(None, "audit"), letters.add("alfa", "ocr", state="redriven")
    assert ids(dlq(plant, "list")) == [third, second, first]
    for args, wanted in ((("--service", "ocr"), [second]), (("--tenant", "alfa"), [first]),
                         (("--topic", TRAIL), [third]), (("--class", "schema"), [second]),
                         (("--code", "superseded"), [third, first]), (("--id", first), [first]),
                         (("--limit", "2"), [third, second]), (("--state", "redriven"), [done]),
                         (("--state", "any"), [done, third, second, first]),
                         (("--from", "2026-01-01T00:00:00Z"), [third, second, first]),
                         (("--to", "2026-01-01T00:00:00Z"), []),
                         (("--service", "ocr", "--tenant", "alfa"), [])):
        assert ids(dlq(plant, "list", *args)) == wanted, args
    table = plant.stack.estctl("dlq", "list").splitlines()
    assert table[0].split()[:4] == ["id", "service", "tenant", "topic"] and len(table) == 4


@pytest.mark.parametrize("args", (
    ("list", "--limit", "0"), ("list", "--limit", "10001"), ("list", "--id", "x"), ("list", "--from", "today"),
    ("list", "--service", "nobody"), ("list", "--state", "dead"), ("list", "--class", "schemas"),
    ("list", "--code", "supersede"), ("list", "--tenant", "nobody"), ("show", "x"),
    ("show", str(NOBODY)), ("redrive",), ("discard",), ("redrive", "--limit", "3"),
    ("redrive", "--service", "ocr", "--rate", "0"), ("redrive", "--service", "ocr", "--who", "")))
def test_wrong_usage(plant, letters, args):
    letters.add()
    with pytest.raises(StepError):
        plant.stack.estctl("dlq", *args)
    assert plant.count("SELECT count(*) FROM ocr.dead_letter WHERE state <> 'open'") == 0


def test_show_says_where_and_why_and_not_what(plant, letters):
    letter = letters.add()
    one = dlq(plant, "show", letter)
    assert (one["id"], one["service"], one["tenant"], one["message"]) == (letter, "ocr", "alfa", "why it died")
    assert one["payload_bytes"] == len(SECRET) and len(one["payload_sha256"]) == 64
    headers = {header["name"]: header for header in one["headers"]}
    assert headers["ce_type"]["value"] == "audit.entry.recorded.v1"
    assert headers["x-partner-note"] == {"name": "x-partner-note", "size_bytes": len(SECRET)}
    text = plant.stack.estctl("dlq", "show", letter)
    assert "why it died" in text and "x-partner-note" in text
    for shown in (text, json.dumps(one)):
        assert SECRET not in shown and "\x1b" not in shown and "\\u001b" not in shown
    dlq(plant, "discard", "--id", letter)
    one = dlq(plant, "show", letter)
    assert "payload_bytes" not in one and one["headers"] == [] and one["state"] == "discarded"


def test_stats(plant, letters):
    for _ in range(3):
        letters.add()
    letters.add("beta", "audit", error_class="schema", error_code="bad-record")
    found = dlq(plant, "stats")
    assert [(row["service"], row["class"], row["code"], row["state"], row["count"]) for row in found] == [
        ("audit", "schema", "bad-record", "open", 1), ("ocr", "record", "superseded", "open", 3)]
    assert dlq(plant, "stats", "--tenant", "beta")[0]["count"] == 1
    assert dlq(plant, "stats", "--state", "redriven") == []


def test_dry_run_changes_nothing(plant, letters):
    first, second = letters.add(), letters.add()
    for verb in ("redrive", "discard"):
        assert ids(dlq(plant, verb, "--service", "ocr", "--dry-run")) == [first, second]
    assert {letters.field(letter) for letter in (first, second)} == {"open"}
    assert plant.count("SELECT count(*) FROM ocr.parked") == 0
    assert letters.told(first, "redriven", "ocr") == []


def test_redrive_twice_is_once(plant, letters):
    wanted = [letters.add() for _ in range(5)]
    nobody = letters.add(None)
    assert dlq(plant, "redrive", "--service", "ocr", "--who", "maria@acme") == {
        "done": 5, "not_open": 0, "refused": 0}
    assert dlq(plant, "redrive", "--service", "ocr") == {"done": 0, "not_open": 0, "refused": 0}
    assert dlq(plant, "redrive", "--id", nobody) == {"done": 0, "not_open": 0, "refused": 1}
    for letter in wanted:
        assert letters.parked(letter) == 1 and letters.field(letter) == "redriving"
        assert letters.told(letter, "redriven", "ocr") == ["maria@acme"]
    assert letters.field(nobody) == "open" and letters.parked(nobody) == 0
    assert dlq(plant, "discard", "--id", nobody) == {"done": 1, "not_open": 0, "refused": 0}


def test_what_cannot_be_redriven_starves_nobody(plant, letters):
    """They are the oldest, and a limit would never get past them."""
    nobodies = [letters.add(None) for _ in range(3)]
    wanted = letters.add()
    assert dlq(plant, "redrive", "--service", "ocr", "--limit", "1")["done"] == 1
    assert letters.field(wanted) == "redriving"
    assert {letters.field(letter) for letter in nobodies} == {"open"}


@pytest.mark.parametrize("verb", ("redrive", "discard"))
@pytest.mark.parametrize("which", (str(uuid.UUID(int=0)), str(uuid.UUID(int=1))))
def test_an_id_of_nobody_is_no_filter(plant, letters, verb, which):
    """Found in review: the nil id meant any, and a discard of it was one of everything."""
    letter = letters.add()
    with pytest.raises(StepError, match="no UUID|no open dead letter"):
        dlq(plant, verb, "--id", which)
    assert letters.field(letter) == "open"


def test_redrive_of_one_tenant_oldest_first_and_limited(plant, letters):
    wanted = [letters.add() for _ in range(3)]
    other = letters.add("beta")
    assert dlq(plant, "redrive", "--tenant", "alfa", "--limit", "2", "--rate", "1000")["done"] == 2
    assert [letters.field(letter) for letter in (*wanted, other)] == ["redriving", "redriving", "open", "open"]


def test_of_two_who_decide_at_once_one_does(plant, letters):
    letter = letters.add()
    url = plant.stack.psql_url("esteira_frame_ocr")
    ask = "SELECT outcome FROM dead_letter_%s(ARRAY[%%s]::uuid[], NULL, 'x')"
    with psycopg2.connect(url) as one, psycopg2.connect(url) as two, one.cursor() as first, \
            two.cursor() as second, concurrent.futures.ThreadPoolExecutor(1) as pool:
        first.execute(ask % "redrive", (letter,))
        waiting = pool.submit(second.execute, ask % "discard", (letter,))
        assert first.fetchall() == [("done",)] and not waiting.done()
        one.commit()
        waiting.result(10)
        assert second.fetchall() == [("not_open",)]
    assert letters.field(letter) == "redriving" and letters.parked(letter) == 1


# --- all the way ---

def test_what_nobody_can_read_comes_back(plant, letters):
    """The same version fails again: the same letter is open again, and counts."""
    letter = produce_bad(plant)
    assert letters.field(letter, "error_class", "audit") == "schema"
    for redrives, verb in enumerate(("estctl", "REST"), 1):
        if verb == "estctl":
            assert dlq(plant, "redrive", "--id", letter)["done"] == 1
        else:
            plant.client().call("POST", f"/v1/dead-letters/{letter}/redrive", 202)
        belt.wait_for(f"open again after {verb}", lambda n=redrives: letters.field(
            letter, "state || redrives", "audit") == f"open{n}", 30)
        assert letters.parked(letter, "audit") == 0
    assert plant.count("SELECT count(*) FROM audit.dead_letter") == 1
    assert [operation[0] for operation in letters.operations(letter, 2)] == ["dead_letter.redriven"] * 2


def test_what_can_be_handled_now_is(plant, letters):
    """As after a mended server: handled once, in the trail, and the letter is redriven."""
    job = uuid.uuid4()
    letter = letters.add("alfa", "audit", entry(job), part=3)
    plant.client().call("POST", f"/v1/dead-letters/{letter}/redrive", 202)
    belt.wait_for("redriven", lambda: letters.field(letter, schema="audit") == "redriven", 30)
    assert plant.count(f"SELECT count(*) FROM audit.audit_logs WHERE job_id = '{job}'") == 1
    assert letters.parked(letter, "audit") == 0
    plant.client().call("POST", f"/v1/dead-letters/{letter}/redrive", 409).problem("not-open")


def test_decided_letters_are_forgotten_after_30_days(plant, letters):
    """A service looks when it starts."""
    ages = {state: [letters.add(schema="audit", state=state) for _ in range(2)]
            for state in ("open", "redriving", "redriven", "discarded")}
    for old, _ in ages.values():
        plant.stack.psql("UPDATE audit.dead_letter SET created_at = now() - interval '31 days',"
                         f" updated_at = now() - interval '31 days' WHERE id = '{old}'")
    late = letters.add(schema="audit", state="discarded")  # decided lately
    plant.stack.psql(f"UPDATE audit.dead_letter SET created_at = now() - interval '31 days' WHERE id = '{late}'")
    plant.stack.stop_one("audit-1")
    plant.stack.start_one("audit-1")
    gone = [ages["redriven"][0], ages["discarded"][0]]
    belt.wait_for("both gone", lambda: not any(letters.field(letter, schema="audit") for letter in gone), 20)
    kept = [letter for pair in ages.values() for letter in (*pair, late) if letter not in gone]
    assert all(letters.field(letter, schema="audit") for letter in kept)


def test_the_migrations_role_is_enough(plant, letters):
    """What ESTEIRA_PG_OWNER_URL is documented to need."""
    first, second = letters.add(), letters.add()
    env = {"ESTEIRA_PG_OWNER_URL": plant.stack.psql_url("esteira_migrator")}
    for args in (("list",), ("show", first), ("stats",), ("redrive", "--id", first), ("discard", "--id", second)):
        plant.stack.estctl("dlq", *args, env=env)
    assert (letters.field(first), letters.field(second)) == ("redriving", "discarded")
    assert len(letters.told(second, "discarded", "ocr")) == 1


def test_who_is_not_let_in_learns_why(plant):
    url = plant.stack.psql_url("esteira_migrator")
    wrong = re.sub(":[^:@]+@", ":nopassword@", url)
    with pytest.raises(StepError, match="password authentication failed for user .esteira_migrator"):
        plant.stack.estctl("dlq", "list", env={"ESTEIRA_PG_OWNER_URL": wrong})
    nobody = re.sub(r"@127.0.0.1:\d+", "@127.0.0.1:1", url)
    with pytest.raises(StepError, match="port 1 failed: Connection refused"):
        plant.stack.estctl("dlq", "list", env={"ESTEIRA_PG_OWNER_URL": nobody})


def test_postgres_away(plant, letters):
    letter = letters.add()
    client = plant.client()
    plant.stack.stop_one("postgres")
    try:
        for method, path in (("GET", "/v1/dead-letters"), ("GET", f"/v1/dead-letters/{letter}"),
                             ("POST", f"/v1/dead-letters/{letter}/redrive"),
                             ("POST", f"/v1/dead-letters/{letter}/discard")):
            client.call(method, path, 503).problem("postgres-away")
    finally:
        plant.stack.start_one("postgres")
    assert letters.field(letter) == "open"
