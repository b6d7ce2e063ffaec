"""One layer of isolation is switched off, the attack that it would have stopped goes on, and another layer catches it.

Each row of ROWS is one attack of the second tenant on the first: what is off, and which layer then holds. A row passes
when nothing of the first came out and the layer was the one that is named; a layer that is named nowhere fails. The
table is printed, and docs/security.md has the same.
"""
import contextlib
import pathlib
import re
from typing import NamedTuple

import belt
import layers
import pytest
import victim as victims

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/security.md"
LAYERS = {
    "key": "whose key it is belongs to the hash of the key that was sent",
    "statement": "the tenant in every statement's WHERE",
    "row-level security": "the tenant policies of Postgres",
    "record": "key and header of a record name one tenant",
    "signed path": "`ocr` takes the path of the record's own tenant and job",
    "signature": "the storage checks what intake signed",
    "claim": "`ocr` works for jobs that are open for this tenant",
    "envelope": "a document or result opens with its own tenant's key and job alone",
    "cursor": "a list's cursor is signed for its tenant",
}


class Row(NamedTuple):
    """What is off, what is tried, and who catches it."""
    off: str
    attack: str
    caught: str
    run: object


class Scene:
    """The two tenants, and the ids that a switch turns into one another."""

    def __init__(self, plant, victim):
        self.plant, self.victim, self.beta = plant, victim, plant.client("beta")
        self.ids = {plant.tenant_id("beta"): victim.tenant}

    def reads(self):
        """What of the first tenant's the second one gets by asking for it."""
        ids, found = self.victim.ids, set()
        for path in ("/v1/jobs", f"/v1/jobs/{ids['done']}", f"/v1/jobs/{ids['pending']}", f"/v1/jobs/{ids['done']}/result",
                     "/v1/webhooks", f"/v1/webhooks/{ids['endpoint']}", f"/v1/webhooks/{ids['endpoint']}/deliveries",
                     f"/v1/webhooks/{ids['endpoint']}/deliveries/{ids['delivery']}", "/v1/dead-letters",
                     f"/v1/dead-letters/{ids['letter-ocr']}", f"/v1/audit?job_id={ids['done']}"):
            answer = self.beta.call("GET", path)
            if answer.status == 200:
                found |= {text for text in self.victim.leaked(answer) if text not in path or "?" not in path}
                found |= {path} if path.startswith("/v1/audit") and answer.json()["entries"] else set()
        return found

    def upload(self, text="Folha da beta"):
        """A document of the second tenant's; answers (job id, the moment before)."""
        since = layers.now(self.plant)
        return self.beta.send(belt.tiny_pdf(text)), since

    def forget(self, job):
        """It would stay open for a day."""
        self.beta.call("DELETE", f"/v1/jobs/{job}")

    def reports(self, outcome):
        """How many documents ocr has ended so."""
        found = re.findall(rf'esteira_ocr_documents_total{{outcome="{outcome}"}} (\d+)', self.plant.metrics("ocr-1"))
        return int(found[0]) if found else 0


# --- reading by REST ---

def read_with(*off):
    """Everything is asked for with these switches off in intake."""
    def run(scene):
        with layers.sabotaged(scene.plant, "intake", off, scene.ids):
            return scene.reads()
    return run


def caught_reading(*off):
    """Nothing came out; with both layers off it would have."""
    def run(scene):
        assert read_with(*off)(scene) == set()
        return True
    return run


def read_without_policies(scene):
    """The policies are open, the programs are as they should be."""
    with layers.no_rows_security(scene.plant):
        assert scene.reads() == set()
        leaked = read_with("sql_tenant")(scene)
    assert {victims.URL, scene.victim.ids["done"]} <= leaked, "with both layers off the attack must succeed"
    return True


def read_with_both_off(scene):
    """The counter-test: what each of the two layers holds back."""
    leaked = read_with("session_tenant", "sql_tenant")(scene)
    assert {victims.URL, scene.victim.ids["done"]} <= leaked
    assert victims.SECRET not in scene.beta.call("GET", f"/v1/jobs/{scene.victim.ids['done']}/result").body.decode()
    return read_with("session_tenant")(scene) == set()


def write_into(scene):
    """A row that names the other tenant is refused."""
    before = scene.victim.state()
    with layers.sabotaged(scene.plant, "intake", ["sql_tenant"], scene.ids):
        answer = scene.beta.upload(belt.tiny_pdf("Nada"), None)
        assert answer.status >= 500 and not scene.victim.leaked(answer), answer
    assert scene.victim.state() == before
    return True


# --- by records ---

def record_with(*off, code="tenant-mismatch", services=("ocr", "audit")):
    """An upload whose records name the other tenant is a dead letter everywhere."""
    def run(scene):
        before = scene.victim.state()
        with layers.sabotaged(scene.plant, "intake", off, scene.ids):
            job, since = scene.upload()
            for schema in services:
                assert code in layers.letter(scene.plant, schema, since)
        after = scene.victim.state()
        # a record that names the first tenant through and through is his dead letter, and he is told so
        assert all(after[what] == before[what] for what in ("intake.jobs", "intake.webhook_endpoints", "objects"))
        assert victims.SECRET not in str(scene.beta.job(job))
        scene.forget(job)
        return True
    return run


def forged_for_good(scene):
    """Key and header agree on the first tenant, and nobody looks at the path: there is no such job of his."""
    with layers.sabotaged(scene.plant, "ocr", ["path_check"]), \
            layers.sabotaged(scene.plant, "intake", ["record_key", "record_header"], scene.ids):
        gone = scene.reports("gone")
        job, _ = scene.upload()
        belt.wait_for("a job that ocr does not know", lambda: scene.reports("gone") > gone, 30)
    assert scene.beta.job(job)["status"] == "pending"
    assert scene.victim.client.call("GET", f"/v1/jobs/{job}").status == 404
    scene.forget(job)
    return True


# --- by documents ---

def with_ocr(off, outcome, open_policies=False):
    """An upload that ocr, sabotaged so, brings to this end, with nothing of the first in it."""
    def run(scene):
        scene.plant.stack.stop_one("ocr-1")
        job, since = scene.upload()
        swap = {**scene.ids, job: scene.victim.ids["pending"]}
        policies = layers.no_rows_security(scene.plant) if open_policies else contextlib.nullcontext()
        with policies, layers.sabotaged(scene.plant, "ocr", [off], swap):
            outcome(scene, job, since)
        return True
    return run


def is_gone(scene, job, _):
    """ocr found no such open job."""
    belt.wait_for("a job that ocr does not know", lambda: scene.reports("gone") > 0, 30)
    assert scene.beta.job(job)["status"] == "pending"
    scene.forget(job)


def is_letter(code):
    """The record is a dead letter of that code."""
    def check(scene, job, since):
        assert code in layers.letter(scene.plant, "ocr", since)
        assert scene.beta.job(job)["status"] == "pending"
        scene.forget(job)
    return check


def is_unreadable(scene, job, _):
    """The envelope did not open."""
    ended = scene.beta.ended(job)
    assert (ended["status"], ended["error_code"]) == ("failed", "internal"), ended


def copy_of_the_first(scene):
    """An object of the first tenant's that stays where it is: a copy of the one that waits."""
    sealed = scene.plant.get_object(f"{scene.victim.tenant}/{scene.victim.ids['pending']}.enc")
    key = f"{scene.victim.tenant}/{layers.stranger()}.enc"
    scene.plant.put_object(key, sealed)
    return key


def path_of_another(scene, *off_in_ocr):
    """intake signs the first tenant's object for the second one's job; answers (job, since, key)."""
    key = copy_of_the_first(scene)
    with layers.sabotaged(scene.plant, "ocr", off_in_ocr), \
            layers.sabotaged(scene.plant, "intake", ["signed_path"], text=key):
        job, since = scene.upload()
        if off_in_ocr:
            is_unreadable(scene, job, since)
        else:
            is_letter("tenant-mismatch")(scene, job, since)
    return key


def signed_for_another(scene):
    """It is neither read nor deleted."""
    return path_of_another(scene) in scene.plant.objects()


def signed_and_followed(scene):
    """Nobody looks at the path: it is fetched, and does not open."""
    path_of_another(scene, "path_check")
    return True


def other_prefix(scene):
    """The second tenant's document under the first one's prefix."""
    with layers.sabotaged(scene.plant, "intake", ["object_prefix"], scene.ids):
        job, since = scene.upload()
        is_letter("tenant-mismatch")(scene, job, since)
    return True


def other_result(scene):
    """The second tenant's own result, looked for where the first one's is."""
    job, _ = scene.upload()
    assert scene.beta.ended(job)["status"] == "completed"
    with scene.plant.redis() as redis:
        key = next(key for key in redis("KEYS", f"result:{scene.victim.tenant}:*")).decode()
    lost = scene.plant.stack.path("log/intake-1.log")
    with layers.sabotaged(scene.plant, "intake", ["result_key"], text=key):
        answer = scene.beta.result(job, 410)
        answer.problem("result-lost")
    assert not scene.victim.leaked(answer)
    assert "result.undecryptable" in pathlib.Path(lost).read_text(encoding="utf-8")
    return True


# --- by what is handed out ---

def victims_cursor(scene):
    """A cursor of the first tenant's, of a list that has a second page."""
    return scene.victim.client.get("/v1/jobs?limit=1")["next_cursor"]


def foreign_cursor(scene):
    """It is refused."""
    scene.beta.call("GET", f"/v1/jobs?cursor={victims_cursor(scene)}", 400).problem("bad-parameter")
    return True


def unchecked_cursor(scene):
    """It is followed, into the second tenant's own list."""
    cursor = victims_cursor(scene)
    with layers.sabotaged(scene.plant, "intake", ["cursor_check"]):
        answer = scene.beta.call("GET", f"/v1/jobs?cursor={cursor}", 200)
        assert not scene.victim.leaked(answer)
    return True


def mixed_cache(scene):
    """What is known of the first one's key is answered for the second one's."""
    with layers.sabotaged(scene.plant, "intake", ["key_cache"]):
        scene.victim.client.get("/v1/jobs")
        answer = scene.beta.call("GET", "/v1/jobs", 500)
        assert not scene.victim.leaked(answer)
    return True


def altered_path(scene):
    """The second tenant's signature on the first one's object, as if ocr.jobs could be read."""
    job, _ = scene.upload()
    query = scene.victim.paths(job)["get_path"].split("?")[1]
    place, good = scene.victim.paths("pending")["get_path"].split("?")
    client = belt.Client(scene.plant.stack.s3_endpoint)
    statuses = []
    for target in (f"{place}?{good}", f"{place}?{query}"):
        conn, got = client._open("GET", target)  # pylint: disable=protected-access
        statuses.append(got.status)
        conn.close()
    assert statuses == [200, 403], statuses
    scene.forget(job)
    return True


ROWS = (
    Row("the cache of keys answers another's", "a request", "key", mixed_cache),
    Row("the session's tenant is the other's", "every GET with the other's ids", "statement", read_with_both_off),
    Row("the tenant in every statement is the other's", "every GET with the other's ids", "row-level security",
        caught_reading("sql_tenant")),
    Row("the tenant in every statement is the other's", "an upload", "row-level security", write_into),
    Row("all tenant policies let everything through", "every GET with the other's ids", "statement",
        read_without_policies),
    Row("records have the other's key", "an upload", "record", record_with("record_key")),
    Row("records have the other's `ce_tenantid`", "an upload", "record", record_with("record_header")),
    Row("records have the other's key and `ce_tenantid`", "an upload", "signed path",
        record_with("record_key", "record_header", services=("ocr",))),
    Row("the same, and `ocr` does not look at the path", "an upload", "claim", forged_for_good),
    Row("documents are stored under the other's prefix", "an upload", "signed path", other_prefix),
    Row("intake signs the path of the other's object", "an upload", "signed path", signed_for_another),
    Row("the same, and `ocr` does not look at the path", "an upload", "envelope", signed_and_followed),
    Row("the document's half is that of the other's job", "an upload", "row-level security",
        with_ocr("document_half", is_gone)),
    Row("the same, and all tenant policies let everything through", "an upload", "envelope",
        with_ocr("document_half", is_unreadable, open_policies=True)),
    Row("the tenant key is the other's", "an upload", "row-level security",
        with_ocr("tenant_key", is_letter("secret-missing"))),
    Row("the same, and all tenant policies let everything through", "an upload", "envelope",
        with_ocr("tenant_key", is_unreadable, open_policies=True)),
    Row("a result is looked for under the other's key in Redis", "GET result", "envelope", other_result),
    Row("cursors are not checked", "the other's cursor", "statement", unchecked_cursor),
    Row("nothing", "the other's cursor", "cursor", foreign_cursor),
    Row("nothing", "a signed path with the other's object in it", "signature", altered_path),
)


def table():
    """As docs/security.md has it."""
    head = ["| switched off | attack | caught by |", "|---|---|---|"]
    return "\n".join(head + [f"| {row.off} | {row.attack} | {row.caught} |" for row in ROWS])


@pytest.fixture(scope="module", name="scene")
def make_scene(suite):
    """The first tenant is full."""
    with victims.filled(suite) as victim:
        yield Scene(suite, victim)


@pytest.mark.parametrize("row", ROWS, ids=[f"{number}: {row.caught}" for number, row in enumerate(ROWS, 1)])
def test_another_layer_catches_it(scene, row):
    assert row.run(scene) is True


def test_every_layer_catches_something():
    assert {row.caught for row in ROWS} == set(LAYERS)


def test_the_first_has_lost_nothing(scene):
    """After all attacks his waiting document is read like any other."""
    scene.victim.release()
    assert scene.victim.client.ended(scene.victim.ids["pending"])["status"] == "completed"


def test_the_page_says_the_same():
    print(table())
    assert table() in PAGE.read_text(encoding="utf-8")
