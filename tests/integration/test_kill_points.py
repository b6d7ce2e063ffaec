"""kill -9 of each of the product's services at each of its fail points (libshared/base/failpoint.h): a document, its
trail and its webhook come to what they would have come to had nobody died. tests/chaos does the same to a group that it
knows by heart, under load; here the groups are those that partners have.
"""
import collections
import http.client
import re

import pytest

import belt
import hooks
import rig
from receiver import Receiver

SERVICES = ("audit", "ocr", "outreach", "intake")
TELL = ("ocr", "outreach", "intake")  # audit tells nobody anything
WORK = ("ocr", "outreach")  # has routes of the kind that takes long
BACK = 6  # records of each partition that a rewind goes back by
PURGED_S = 90  # what a death keeps ocr from deleting is the purger's a minute after the end
AWAY = (OSError, http.client.HTTPException)


class Plant:
    """The rig, and what its tenant's endpoint was called with."""

    def __init__(self, plant, receiver):
        self.rig, self.stack, self.receiver = plant, plant.stack, receiver
        self.client, self.documents = plant.client("alfa"), 0

    def begin(self, instance=1, names=SERVICES, wait=False, **env):
        """Start these, with this and nothing else in their environment."""
        for name in names:
            self.stack.start_service(name, instance, {**rig.GROUP_FAST, **env}, wait=False)
        if wait:
            self.ready(instance, names)

    def ready(self, instance=1, names=SERVICES):
        """Wait for them."""
        for name in names:
            self.stack.wait_ready(f"{name}-{instance}")

    def end(self, instance=1):
        """Ask all of them to end."""
        for name in SERVICES:
            if self.stack.pid(f"{name}-{instance}"):
                self.stack.stop_one(f"{name}-{instance}")

    def die(self, names, each=lambda: True):
        """Until each of these that are armed has died, and each() has answered something true, which is returned.
        Who died is started again at once and is ready at the end."""
        alive, got = set(names), []

        def look():
            for name in list(alive):
                if self.stack.pid(f"{name}-1") is None:
                    alive.remove(name)
                    self.begin(names=[name])
            if not got and (answer := each()):
                got.append(answer)
            return got and not alive
        belt.wait_for(lambda: f"deaths of {alive}, {got}", look, 90, 0.1)
        self.ready()
        return got[0]

    def upload(self):
        """The id of the next document's job, None while intake is away; asked again it is the same document."""
        try:
            answer = self.client.upload(belt.tiny_pdf(f"Folha {self.documents}"), None, key=f"point-{self.documents}")
        except AWAY:
            return None
        assert answer.status in (202, 503), answer
        return answer.json()["job_id"] if answer.status == 202 else None

    def document(self):
        """Begin another one; -> upload(), for die()."""
        self.documents += 1
        return self.upload

    def calls(self, job_id):
        """Ids of the webhooks that told of a job."""
        with self.receiver.lock:
            return [call["headers"]["webhook-id"] for call in self.receiver.calls
                    if call["body"]["data"]["job_id"] == job_id]

    def at_rest(self):
        """Wait until nothing waits anywhere and no replay is open."""
        self.rig.at_rest()
        belt.wait_for("the end of all replays", lambda: self.rows("replay WHERE state NOT IN ('done', 'aborted')") == 0, 60)

    def rows(self, what, names=SERVICES):
        """Rows of a table of the frame, over the schemas of services."""
        return sum(self.rig.count(f"SELECT count(*) FROM {name}.{what}") for name in names)

    def ended_well(self, job_id):
        """Its job, trail, result and webhook are those of one document that was read once."""
        job = self.client.ended(job_id)
        assert job["status"] == "completed", job
        self.client.trail(job_id, "PURGED", PURGED_S)
        belt.check_result(job, self.client.result(job_id))
        assert sorted(self.client.trail(job_id, "DELIVERED")) == sorted(belt.TRAIL)
        belt.wait_for("its webhook", lambda: self.calls(job_id), 60)
        self.at_rest()
        assert len(set(self.calls(job_id))) == 1
        assert self.rig.count("SELECT count(*) FROM outreach.deliveries WHERE state = 'delivered' AND body"
                              f" LIKE '%{job_id}%'") == 1
        assert sorted(self.client.trail(job_id)) == sorted(belt.TRAIL)

    def state(self):
        """What nothing may change that happens again."""
        return {what: self.stack.psql(sql) for what, sql in {
            "jobs": "SELECT job_id, status, result_hash, purged_at FROM intake.jobs ORDER BY 1",
            "trail": "SELECT tenant_id, job_id, action, count(*) FROM audit.audit_logs GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
            "deliveries": "SELECT delivery_id, state FROM outreach.deliveries ORDER BY 1",
            "called": f"SELECT {len(self.receiver.calls)}"}.items()}


@pytest.fixture(scope="module", name="plant")
def make_plant():
    """All services and a tenant with an endpoint."""
    with rig.temporary((), ()) as plant, Receiver() as receiver:
        plant.stack.tenant("alfa", "Alfa", "--test", "--deadline", str(rig.LONG_S))
        plant.keys["alfa"] = plant.stack.key("alfa")
        for name in SERVICES:
            plant.start(name)
        hooks.post(plant.client("alfa"), "/v1/webhooks", {"url": receiver.url("/all"), "filters": ["document.completed"]}, 201)
        yield Plant(plant, receiver)


@pytest.mark.parametrize("point, names", [
    ("before_pg_commit", SERVICES), ("after_pg_commit", SERVICES), ("before_kafka_commit", SERVICES),
    ("relay_sent", TELL), ("effect_sending", WORK)])
def test_killed_on_the_way(plant, point, names):
    plant.end()
    plant.begin(ESTEIRA_FAILPOINT=f"{point}:1")
    plant.ended_well(plant.die(names, plant.document()))


def test_killed_while_partitions_are_given_back(plant):
    plant.end()
    plant.begin(wait=True, ESTEIRA_FAILPOINT="in_revoke:1")
    job_id = belt.wait_for("a document", plant.document())
    plant.begin(2)
    plant.die(SERVICES)
    plant.ready(2)
    plant.end(2)
    plant.ended_well(job_id)


def rewind(plant):
    """The stock tool, on groups whose members have left."""
    rig.tell_groups(plant.stack, lambda text: all(f"esteira.{name}" in text for name in SERVICES), "--reset-offsets",
                    "--all-groups", "--all-topics", "--shift-by", f"-{BACK}", "--execute")


@pytest.mark.parametrize("point", ["in_replay_open", "after_replay_open"])
def test_killed_while_a_replay_begins(plant, point):
    job_id = belt.wait_for("a document", plant.document())
    plant.ended_well(job_id)
    before, replays = plant.state(), {name: plant.rows("replay", [name]) for name in SERVICES}
    plant.end()
    rewind(plant)
    plant.begin(ESTEIRA_FAILPOINT=f"{point}:1")
    plant.die(SERVICES)
    plant.ended_well(job_id)
    assert plant.state() == before
    assert [name for name in SERVICES if plant.rows("replay", [name]) == replays[name]] == []


# What each of them writes down of a document; refused, it is a dead letter.
WRITES = {"audit": "INSERT ON audit.audit_logs FOR EACH ROW",
          "ocr": "INSERT ON ocr.outbox FOR EACH ROW WHEN (position('ocr.document.completed'::bytea IN NEW.headers) > 0)",
          "outreach": "INSERT ON outreach.deliveries FOR EACH ROW", "intake": "UPDATE ON intake.jobs FOR EACH ROW"}


@pytest.mark.parametrize("name", SERVICES)
def test_killed_while_a_letter_is_redriven(plant, name):
    """Somebody broke a table, mended it, and sends the letters back."""
    plant.stack.psql(f"""
        CREATE FUNCTION {name}.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '22023'; END $$;
        CREATE TRIGGER refuse BEFORE {WRITES[name]} EXECUTE FUNCTION {name}.refuse()""")
    job_id = belt.wait_for("a document", plant.document())
    belt.wait_for("a letter", lambda: plant.rows("dead_letter WHERE state = 'open'", [name]), 60)
    plant.stack.psql(f"DROP FUNCTION {name}.refuse() CASCADE")
    plant.stack.stop_one(f"{name}-1")
    plant.begin(names=[name], wait=True, ESTEIRA_FAILPOINT="in_redrive:1")
    plant.stack.estctl("dlq", "redrive", "--service", name)
    plant.die([name])
    belt.wait_for("no letter", lambda: plant.rows("dead_letter WHERE state <> 'redriven'", [name]) == 0, 60)
    plant.ended_well(job_id)


def test_nothing_is_left_over(plant):
    """After all of it: each event that was told twice is the same twice, nobody is owed anything."""
    told = collections.defaultdict(set)
    for topic, record in plant.rig.records():
        fields = dict(record.headers())
        told[topic, fields["ce_id"]].add((fields["ce_type"], record.value()))
    assert [event for event, values in told.items() if len(values) > 1] == []
    for name in TELL:
        assert plant.rows("outbox", [name]) == 0, name
    assert plant.rig.count("SELECT count(*) FROM intake.jobs") == plant.documents
    jobs = set(plant.stack.psql("SELECT job_id FROM intake.jobs").split())
    kept = [key for key in plant.rig.objects() if re.split("[/.]", key)[1] in jobs]  # the others are swept in ten minutes
    assert kept == [], f"objects of documents that ended, of {len(jobs)}"
