"""A whole run with planted personal data: uploaded, read, fetched, told by webhooks that work and that
fail, sent by a partner, refused, dead, parked, replayed - and then looked for in every place."""
import json
import os
import uuid

import confluent_kafka
import psycopg2
import pytest

import belt
import hooks
import leaks
from partners import CHARGE, DATA, Partner, Tail, binary
from receiver import Receiver
from stack import TOPIC_PREFIX

# what documents say
CONTENT = ("111.444.777-35", "11144477735", "zulmira.leitao@exemplo.com.br", "+55 11 98765-4321",
           "Zulmira Leitão Sigilosa", "Hemograma muito reservado")
# what a partner writes into its own topic beside what the type knows
PARTNER = ("529.982.247-25", "pagador.secreto@exemplo.com.br", "+55 21 99876-1234", "Anacleto Pagador Oculto")
# what a partner posts by REST
POSTED = ("935.411.347-80", "postado.secreto@exemplo.com.br")
FAST = {"ESTEIRA_OUTREACH_SCHEDULE": "300ms,600ms", "ESTEIRA_OUTREACH_TIMEOUT_MS": "2000"}


FILE_NAME = "laudo-sigiloso-da-zulmira.pdf"


def upload(client, text):
    """A page that says it, as a form, with the file's name; answers the job."""
    body, kind = belt.multipart(belt.tiny_pdf(text), filename=FILE_NAME)
    return client.call("POST", "/v1/extract", 202, body, {"Content-Type": kind}).json()["job_id"]


def fetch(client, text):
    """What it said is read and given to its owner."""
    job = upload(client, text)
    assert client.ended(job)["status"] == "completed"
    assert text in client.result(job).json()["pages"][0]["text"]


def produce(plant, topic, value, headers, key):
    producer = confluent_kafka.Producer(plant.stack.kafka_client_conf())
    producer.produce(TOPIC_PREFIX + topic, key=key, value=value, headers=headers)
    assert producer.flush(20) == 0


def die(plant):
    """A record of ours that nobody can read: a dead letter."""
    event = str(uuid.uuid4())
    headers = {"ce_specversion": "1.0", "ce_id": event, "ce_type": "ocr.document.failed.v1",
               "ce_source": "/ocr", "ce_tenantid": plant.ids["prova"], "ce_time": "2026-11-21T08:34:00.123Z",
               "content-type": "application/json"}
    produce(plant, "ocr.events", b'{"job_id":"none"}', headers, plant.ids["prova"])
    belt.wait_for("a dead letter", lambda: plant.count(
        f"SELECT count(*) FROM intake.dead_letter WHERE event_id = '{event}'"), 40)


def partner(plant):
    """Good events and bad ones, all with more of their payer than the type has."""
    acme = Partner(plant, "acme", "prova").known("prova")
    more = {"payer_cpf": PARTNER[0], "payer": {"mail": PARTNER[1], "phone": PARTNER[2], "name": PARTNER[3]}}
    acme.send(json.dumps({**DATA, **more}), binary("good", "prova"))
    acme.send(json.dumps({**DATA, **more, "amount_cents": "much"}), binary("bad", "prova"))
    acme.flush()
    plant.events.one("ce_id", acme.id_of("good", "prova"))
    acme.dlq.one("ce_id", "bad")


def post(client):
    """By REST: one that is taken, one that is refused."""
    event = {"specversion": "1.0", "id": "posted", "type": CHARGE, "data": {
        **DATA, "payer_cpf": POSTED[0], "mail": POSTED[1]}}
    kind = {"Content-Type": "application/cloudevents+json"}
    client.call("POST", "/v1/events", 202, json.dumps(event), kind)
    event["data"]["kind"] = POSTED[1]
    event["id"] = "refused"
    client.call("POST", "/v1/events", None, json.dumps(event), kind)


def replay(plant):
    """The last hour of jobs' ends again."""
    plant.stack.estctl("replay", "start", "--topic", TOPIC_PREFIX + "ocr.events", "--group",
                       TOPIC_PREFIX + "intake", "--from", "2020-01-01T00:00:00Z", "--to",
                       "2100-01-01T00:00:00Z")
    assert plant.count("SELECT count(*) FROM intake.replay") > 0
    belt.wait_for("its end", lambda: not plant.count(
        "SELECT count(*) FROM intake.replay WHERE state NOT IN ('done', 'aborted')"), 60, 0.2)


def run(plant, receiver):
    """Everything that can happen to a document and an event."""
    client = plant.client("prova")
    hooks.post(client, "/v1/webhooks", {"url": receiver.url("/good")}, 201)
    receiver.tell("/bad", 500)  # of one event alone: after more failures its brake would be on for a minute
    hooks.post(client, "/v1/webhooks", {"url": receiver.url("/bad"), "filters": ["document.failed"]}, 201)
    for text in CONTENT:
        fetch(client, text)
    fetch(plant.client("alfa"), CONTENT[0])
    client.ended(client.send(belt.sample("encrypted")))
    belt.wait_for("a webhook", lambda: receiver.got("/good"))
    belt.wait_for("a failed one", lambda: plant.count(
        "SELECT count(*) FROM outreach.deliveries WHERE state = 'failed'"), 120)
    partner(plant)
    post(client)
    die(plant)
    plant.stack.stop_one("ocr-1")
    belt.wait_for("ocr to be gone", lambda: plant.stack.pid("ocr-1") is None)
    plant.waiting = upload(client, CONTENT[0])  # its object stays in storage, its signed path on ocr.jobs
    replay(plant)


@pytest.fixture(scope="module", name="plant")
def make_plant(samples):  # pylint: disable=unused-argument
    with hooks.temporary() as plant, Receiver() as receiver:
        plant.events = Tail(plant.stack, "intake.events")
        plant.start("ocr")
        plant.start("outreach", **FAST)
        run(plant, receiver)
        plant.told = b"\n".join(call["raw"] + repr(call["headers"]).encode() for call in receiver.calls)
        yield plant


@pytest.fixture(scope="module", name="search")
def make_search(tmp_path_factory):
    """class -> Search."""
    texts = {"content": (*CONTENT, FILE_NAME), "partner": PARTNER, "personal": POSTED, "capability": ("X-Amz-Signature=",)}
    return {kind: leaks.Search(found, tmp_path_factory.mktemp(kind)) for kind, found in texts.items()}


def test_no_schema_has_a_field_without_a_place():
    found = leaks.schemas()
    assert len(found) > 15 and not leaks.misplaced(found)
    assert "capability" in {kind for schema in found.values() for _, kind in leaks.properties(schema)}


@pytest.mark.parametrize("kind", ("content", "personal", "secret", None))
def test_a_planted_field_without_a_place_is_named(kind):
    found = leaks.schemas()
    found["ocr.document.completed.v1.json"]["properties"]["planted"] = {"type": "string", "x-data-class": kind}
    assert leaks.misplaced(found) == [f"ocr.document.completed.v1.json:planted ({kind})"]


def test_a_capability_outside_of_the_jobs_is_named():
    found = leaks.schemas()
    found["ocr.document.completed.v1.json"]["properties"]["planted"] = {
        "type": "object", "properties": {"deep": {"x-data-class": "capability"}}}
    assert leaks.misplaced(found) == ["ocr.document.completed.v1.json:planted.deep (capability)"]


@pytest.mark.parametrize("text", CONTENT + PARTNER)
def test_the_search_finds_every_form(text, tmp_path):
    """In the middle of a file; base64 as the middle of something longer, at each of its places."""
    search = leaks.Search((text,), tmp_path)
    folder = tmp_path / "files"
    folder.mkdir()
    for number, form in enumerate(leaks.forms(text)):
        (folder / str(number)).write_bytes(b"\0\xff" + form + b"\0\n\xfe")
    import base64  # pylint: disable=import-outside-toplevel
    for shift in range(3):
        (folder / f"b{shift}").write_bytes(base64.b64encode(b"x" * shift + text.encode() + b"and more"))
    assert len(search.files(folder)) == len(list(folder.iterdir())) >= 9
    (folder / "other").write_bytes(text[:-3].encode() + b"---")
    assert str(folder / "other") not in search.files(folder)


PLANT_HERE = {
    "log": lambda plant, mark: open(plant.stack.path("log/planted.log"), "w", encoding="utf-8").write(mark),
    "var": lambda plant, mark: open(plant.stack.path("run/planted"), "w", encoding="utf-16").write(mark),
    "topic": lambda plant, mark: produce(plant, "audit.trail.esteira.audit.dlq", mark, {"x": "y"}, "k"),
    "header": lambda plant, mark: produce(plant, "ocr.events.esteira.intake.dlq", b"x", {"x": mark}, "k"),
    "redis": lambda plant, mark: plant.redis()("SET", "planted", mark),
    "storage": lambda plant, mark: plant.put_object("planted", mark.encode()),
}


def everywhere(plant, search):
    """Names of the places where any of the texts is."""
    found = {os.path.relpath(path, plant.stack.dir).split("/")[0] for path in search.files(plant.stack.dir)}
    found |= {f"topic {name}" for name, data in leaks.consumed(plant).items() if search.in_bytes(data)}
    if search.in_bytes(leaks.redis_bytes(plant)):
        found.add("redis")
    if search.in_bytes(leaks.dump(plant)):
        found.add("dump")
    found |= {f"object {key}" for key in plant.objects() if search.in_bytes(plant.get_object(key))}
    return found


def test_content_is_nowhere(plant, search):
    """Logs, segments, tables, write-ahead log, objects, temporary files; then as a reader sees it."""
    assert {"kafka", "postgres", "s3", "log", "run"} <= set(os.listdir(plant.stack.dir))
    assert [key for key in plant.objects() if plant.waiting in key]
    assert search["content"].leaks(plant.stack.dir, "content") == []
    assert everywhere(plant, search["content"]) == set()
    assert search["content"].in_bytes(plant.told) == []


def test_what_was_posted_is_nowhere(plant, search):
    assert everywhere(plant, search["personal"]) == set()


def test_what_a_partner_sent_is_in_its_own_topics_alone(plant, search):
    topics = {f"topic {TOPIC_PREFIX}partner.acme.{end}" for end in ("in", "dlq")}
    assert everywhere(plant, search["partner"]) == {"kafka", *topics}
    assert search["partner"].leaks(plant.stack.dir, "partner") == []


def test_signed_paths_are_on_the_jobs_alone(plant, search):
    found = everywhere(plant, search["capability"])
    assert f"topic {TOPIC_PREFIX}ocr.jobs" in found
    assert found <= {"kafka", "postgres", "dump", f"topic {TOPIC_PREFIX}ocr.jobs"}
    assert search["capability"].leaks(plant.stack.dir, "capability") == []


def test_no_key_of_the_api_is_kept(plant, tmp_path):
    keys = leaks.Search([key[12:] for key in plant.keys.values()], tmp_path)
    assert everywhere(plant, keys) == set()


def plant_in_database(plant, mark):
    with psycopg2.connect(plant.stack.psql_url()) as conn, conn.cursor() as cur:
        cur.execute("CREATE TABLE planted (text text)")
        cur.execute("INSERT INTO planted VALUES (%s)", (mark,))


def test_a_planted_marker_is_found_in_each_place(plant, tmp_path):
    """Last: proof that each of the searches above would have found it."""
    plants = {**PLANT_HERE, "database": plant_in_database}
    wanted = {"log": "log", "var": "run", "topic": f"topic {TOPIC_PREFIX}audit.trail.esteira.audit.dlq",
              "header": f"topic {TOPIC_PREFIX}ocr.events.esteira.intake.dlq", "redis": "redis",
              "storage": "object planted", "database": "dump"}
    assert set(plants) == set(wanted)
    for name, put in plants.items():
        mark = f"planted-{uuid.uuid4()}"
        put(plant, mark)
        search = leaks.Search((mark,), tmp_path)
        assert wanted[name] in everywhere(plant, search), name
