"""A tenant from one state to another: what is refused, what waits, what goes on and in which order."""
import uuid

import pytest

import belt
import conveyor
import hooks
from proc import StepError  # belt.py put docker/local on the path
from receiver import Receiver

SEEN_S = 10  # within which every process acts on a new state


@pytest.fixture(scope="module", name="plant")
def make_plant():
    """The whole suite, and the reference service beside it."""
    with conveyor.running(tenants=("alfa", "beta"), services=("audit", "ocr", "intake")) as plant:
        base = plant.base
        plant.stack.tenant("prova", "Prova", "--test")
        base.keys["prova"] = plant.stack.key("prova")
        base.start("outreach", ESTEIRA_OUTREACH_SCHEDULE="300ms,600ms")
        plant.ids = {slug: base.tenant_id(slug) for slug in base.keys}
        yield plant


@pytest.fixture(name="halted")
def make_halted(plant):
    """A tenant whom the reference service knows to be suspended."""
    slug = f"t-{uuid.uuid4().hex[:8]}"
    plant.stack.tenant(slug, slug)
    plant.ids[slug] = plant.base.tenant_id(slug)
    suspend(plant, slug)
    return slug


def suspend(plant, slug, who="maria"):
    """And until every process knows it."""
    plant.stack.estctl("tenant", "suspend", slug, "--who", who)
    belt.wait_for("known", lambda probe=Probe(plant, plant.ids[slug]): probe.waits(), SEEN_S)


def activate(plant, slug):
    """Nobody has to know it yet."""
    plant.stack.estctl("tenant", "activate", slug, "--who", "maria")


class Probe:
    """Entries of a key of their own until one of them waits."""

    def __init__(self, plant, tenant):
        self.plant, self.tenant, self.key, self.n = plant, tenant, f"probe-{uuid.uuid4().hex[:8]}", 0

    def waits(self):
        """Send one more; does one wait?"""
        self.n += 1
        self.plant.sender.entry(self.tenant, self.key, self.n)
        belt.wait_for("its end", lambda: self.n == len(self.plant.entries(self.tenant, self.key)) +
                      self.count())
        return self.count() > 0

    def count(self):
        """How many wait."""
        return self.plant.count("SELECT count(*) FROM reference.parked WHERE tenant_id ="
                                f" '{self.tenant}' AND ordering_key = '{self.key}'")


def parked(plant, slug, schema="reference"):
    """{reason: count} without the probes."""
    lines = plant.stack.psql(f"SELECT reason, count(*) FROM {schema}.parked WHERE tenant_id ="
                             f" '{plant.ids[slug]}' AND ordering_key NOT LIKE 'probe-%' GROUP BY 1")
    return {line.split("|")[0]: int(line.split("|")[1]) for line in lines.splitlines()}


def test_records_of_a_suspended_tenant_wait_in_order(plant, halted):
    mine, other = plant.ids[halted], plant.ids["alfa"]
    for n in range(1, 41):
        plant.sender.entry(mine, f"k{n % 4}", n)
        plant.sender.entry(other, f"k{n % 4}", n)
    belt.wait_for("the neighbour", lambda: len(plant.entries(other)) == 40)
    belt.wait_for(lambda: f"all wait: {parked(plant, halted)}",
                  lambda: parked(plant, halted) == {"suspended": 40})
    assert plant.count(f"SELECT sum(attempts) FROM reference.parked WHERE tenant_id = '{mine}'") == 0
    plant.no_lag()  # they hold nobody up
    assert plant.scrape().sum("esteira_records_total", outcome="suspended") >= 40
    belt.wait_for("the metric", lambda: plant.scrape().sum(
        "esteira_parked_records", state="suspended") >= 40)
    assert plant.readyz()[1]["parked"]["suspended"] >= 40
    assert plant.entries(mine, "k1") == []
    activate(plant, halted)
    for n in range(41, 45):  # behind them, while some process may not know it yet
        plant.sender.entry(mine, f"k{n % 4}", n)
    belt.wait_for("all of them", lambda: sum(len(plant.entries(mine, f"k{n}")) for n in range(4)) == 44, SEEN_S)
    for rest in range(4):
        assert plant.entries(mine, f"k{rest}") == [n for n in range(1, 45) if n % 4 == rest]
    assert plant.disorder() == 0 and parked(plant, halted) == {}


def test_what_waited_for_another_try_waits_on(plant):
    def waits():
        found = parked(plant, slug)
        return found in ({"suspended": 1, "blocked": 1}, {"suspended": 2})

    for _ in range(10):  # the next try, after 2 s, may come before the suspension
        slug = f"t-{uuid.uuid4().hex[:8]}"
        plant.stack.tenant(slug, slug)
        plant.ids[slug] = tenant = plant.base.tenant_id(slug)
        plant.sender.entry(tenant, "a", 1, conveyor.PARKED_ONCE)
        plant.sender.entry(tenant, "a", 2)
        belt.wait_for("its try", lambda: parked(plant, slug) or plant.entries(tenant, "a"))
        suspend(plant, slug)
        belt.wait_for(lambda: f"both: {parked(plant, slug)}",
                      lambda: waits() or plant.entries(tenant, "a") == [1, 2], 20)
        if waits():
            break
    assert waits()
    activate(plant, slug)
    belt.wait_for("both", lambda: plant.entries(tenant, "a") == [1, 2], 20)


def test_nobody_was_there_when_it_was_activated(plant, halted):
    tenant = plant.ids[halted]
    for n in range(1, 6):
        plant.sender.entry(tenant, "a", n)
    belt.wait_for("they wait", lambda: parked(plant, halted) == {"suspended": 5})
    plant.stop()
    activate(plant, halted)
    plant.start()
    belt.wait_for("all", lambda: plant.entries(tenant, "a") == [1, 2, 3, 4, 5], 30)


def test_a_process_knows_before_it_begins(plant, halted):
    plant.stop()
    for n in range(1, 101):
        plant.sender.entry(plant.ids[halted], f"k{n % 10}", n)
    plant.start()
    belt.wait_for("they wait", lambda: parked(plant, halted) == {"suspended": 100}, 30)
    activate(plant, halted)
    belt.wait_for("all", lambda: sum(len(plant.entries(plant.ids[halted], f"k{n}")) for n in range(10)) == 100, 30)
    assert plant.disorder() == 0


def test_keys_are_refused_within_ten_seconds_and_documents_wait(plant):
    base, alfa = plant.base, plant.base.client("alfa")
    plant.stack.stop_one("ocr-1")
    jobs = [alfa.send(belt.tiny_pdf(f"espera {n}")) for n in range(3)]
    plant.stack.estctl("tenant", "suspend", "alfa", "--who", "maria")
    belt.wait_for("401", lambda: alfa.call("GET", "/v1/jobs").status == 401, SEEN_S)
    alfa.upload(belt.tiny_pdf("nada"), want=401)
    assert base.client("beta").call("GET", "/v1/jobs").status == 200
    base.start("ocr")
    belt.wait_for(lambda: f"jobs wait: {parked(plant, 'alfa', 'ocr')}",
                  lambda: parked(plant, "alfa", "ocr") == {"suspended": 3}, 30)
    beta = base.client("beta")
    assert beta.ended(beta.send(belt.tiny_pdf("passa")))["status"] == "completed"
    activate(plant, "alfa")
    belt.wait_for("200", lambda: alfa.call("GET", "/v1/jobs").status == 200, SEEN_S)
    for job in jobs:
        assert alfa.ended(job)["status"] == "completed"
        assert alfa.trail(job, "PURGED").count("COMPLETED") == 1


def test_webhooks_of_a_suspended_tenant_are_not_called(plant):
    client = plant.base.client("prova")
    with Receiver() as receiver:
        hooks.post(client, "/v1/webhooks", {"url": receiver.url("/w")}, 201)
        suspend(plant, "prova")
        belt.wait_for("401", lambda: client.call("GET", "/v1/jobs").status == 401, SEEN_S)
        for _ in range(5):
            plant.sender.send("intake.document.completed.v1",
                              {"job_id": str(uuid.uuid4()), "document_hash": "ab" * 32,
                               "occurred_at": "2026-11-21T08:34:00.123Z"}, plant.ids["prova"])
        belt.wait_for(lambda: f"they wait: {parked(plant, 'prova', 'outreach')}",
                      lambda: sum(parked(plant, "prova", "outreach").values()) == 5, 20)
        assert receiver.got("/w") == []
        activate(plant, "prova")
        belt.wait_for("the calls", lambda: len(receiver.got("/w")) == 5, 20)
        belt.wait_for("their rows", lambda: plant.stack.psql(
            "SELECT state, count(*) FROM outreach.deliveries GROUP BY 1") == "delivered|5\n")
        assert len({call["headers"]["webhook-id"] for call in receiver.got("/w")}) == 5


def test_each_change_is_in_the_audit_and_the_trail_goes_on(plant, halted):
    def entries():
        return [line.split("|") for line in plant.stack.psql(
            "SELECT action, actor, object, reason FROM audit.operations WHERE tenant_id ="
            f" '{plant.ids[halted]}' ORDER BY occurred_at").splitlines()]
    wanted = ["tenant.suspended", "maria", f"tenant {halted}", "estctl tenant suspend"]
    belt.wait_for("the entry, of a tenant that is suspended", lambda: entries() == [wanted])
    plant.stack.estctl("tenant", "suspend", halted)  # was before: nothing to tell
    activate(plant, halted)
    belt.wait_for(lambda: f"both: {entries()}", lambda: entries() == [wanted, [
        "tenant.activated", "maria", f"tenant {halted}", "estctl tenant activate"]])


def test_show(plant, halted):
    plant.sender.entry(plant.ids[halted], "a", 1)
    belt.wait_for("it waits", lambda: parked(plant, halted) == {"suspended": 1})
    shown = plant.stack.estctl("tenant", "show", halted)
    assert "suspended" in shown and halted in shown
    with pytest.raises(StepError, match="there is no tenant nobody"):
        plant.stack.estctl("tenant", "show", "nobody")
    activate(plant, halted)


@pytest.mark.parametrize("state", ["erasing", "erased"])
def test_records_of_an_erased_tenant_are_dropped(plant, state):
    tenant = str(uuid.uuid4())
    plant.stack.psql("INSERT INTO intake.tenants (tenant_id, slug, name, state) VALUES"
                     f" ('{tenant}', 't-{tenant[:8]}', 'n', '{state}')")
    probe = plant.scrape().sum("esteira_records_total", outcome="erased")
    belt.wait_for("known", lambda: dropped_one(plant, tenant, probe), SEEN_S)
    before = plant.scrape().sum("esteira_records_total", outcome="erased")
    for n in range(1, 6):
        plant.sender.entry(tenant, "a", n)
    plant.sender.entry(tenant, "b", 1, "reject")
    plant.sender.entry(tenant, "c", 1, "retry:100")
    belt.wait_for("all are dropped", lambda: plant.scrape().sum(
        "esteira_records_total", outcome="erased") >= before + 7)
    assert plant.entries(tenant, "a") == [] and plant.parked(tenant) == []
    assert plant.count(f"SELECT count(*) FROM reference.dead_letter WHERE tenant_id = '{tenant}'") == 0
    plant.no_lag()


def dropped_one(plant, tenant, before):
    """Send one; was one of these dropped?"""
    plant.sender.entry(tenant, f"probe-{uuid.uuid4().hex[:8]}", 1)
    return plant.scrape().sum("esteira_records_total", outcome="erased") > before
