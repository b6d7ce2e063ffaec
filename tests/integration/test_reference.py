"""The reference service: routes of both kinds, and an effect outside that happens once whatever dies."""
import json
import uuid

import pytest

import belt
import conveyor
import rig

SLOW_MS = 25000  # longer than the test waits before it kills
REFUSED = "refused:2026-11"


class Plant(conveyor.Plant):
    """What these tests ask of charges."""

    def effect(self, charge):
        """State of the ledger's row."""
        found = self.row(f"SELECT state FROM reference.effect WHERE effect_key = '{charge}'")
        return found and found[0]

    def charge(self, charge):
        """(state, reference) of the settled charge."""
        return self.row(f"SELECT state, provider_ref FROM reference.charge WHERE charge = '{charge}'")

    def emitted(self, kind, **having):
        """Payloads of this type with these members."""
        found = rig.payloads(self.records(("intake.events",)), kind)
        return [event for event in found if having.items() <= event.items()]

    def confirmed(self, charge, timeout_s=60, calls=1):
        """Wait for it; insist that it happened once and is written down everywhere."""
        belt.wait_for(lambda: f"{charge} settled, is {self.effect(charge)}",
                      lambda: self.charge(charge) is not None, timeout_s)
        ref = self.provider.reference(charge)
        assert self.charge(charge) == ("confirmed", ref)
        assert self.effect(charge) == "confirmed"
        counts = self.provider.counts()[charge]
        assert (counts["effects"], counts["calls"]) == (1, calls), counts
        belt.wait_for("the event", lambda: self.emitted("reference.charge.settled.v1",
                                                        charge=charge), step_s=0.5)
        assert self.emitted("reference.charge.settled.v1", charge=charge) == [
            {"charge": charge, "state": "confirmed", "reference": ref}]


make_plant = conveyor.fixture(Plant)


@pytest.fixture(name="tenant")
def make_tenant():
    return str(uuid.uuid4())


@pytest.fixture(name="charge")
def make_charge():
    return f"invoice-{uuid.uuid4().hex[:8]}:2026-11"


def test_provider_that_cannot_be_connected_to(plant, tenant):
    """Surely nothing happened: back to intent, and no attempt. How it ends is the last test here."""
    plant.provider.down()
    try:
        plant.sender.charge(tenant, REFUSED)
        belt.wait_for("a brake", lambda: plant.row(
            "SELECT reason, attempts, error_code FROM reference.parked "
            f"WHERE tenant_id = '{tenant}'") == ("breaker", "0", "provider-away"))
        assert plant.effect(REFUSED) == "intent"
    finally:
        plant.provider.up()
    assert REFUSED not in plant.provider.counts()


def test_entries_in_order_of_their_key(plant, tenant):
    keys, most = [f"k{i}" for i in range(5)], 40
    other = str(uuid.uuid4())
    for n in range(1, most + 1):
        for key in keys:
            plant.sender.entry(tenant, key, n)
            plant.sender.entry(other, key, n)
    both = f"('{tenant}', '{other}')"
    belt.wait_for("all rows", lambda: plant.count(
        f"SELECT count(*) FROM reference.entry WHERE tenant_id IN {both}") == 10 * most)
    assert plant.count(f"SELECT count(*) FROM reference.disorder WHERE tenant_id IN {both}") == 0
    assert plant.count(
        "SELECT count(*) FROM (SELECT seq - lag(seq) OVER (PARTITION BY tenant_id, key ORDER BY n) d"
        f" FROM reference.entry WHERE tenant_id IN {both}) x WHERE d < 0") == 0
    def mine():
        found = {}
        for _, message in plant.records(("intake.events",)):
            if rig.header(message, "ce_type") == "reference.entry.made.v1" and \
                    message.key().decode() in (tenant, other):
                made = json.loads(message.value())
                found.setdefault((message.key(), made["key"]), []).append(made["n"])
        return found
    belt.wait_for("the events", lambda: sum(map(len, mine().values())) == 10 * most, step_s=0.5)
    assert set(map(tuple, mine().values())) == {tuple(range(1, most + 1))}


def test_disorder_is_noticed(plant, tenant):
    """Else the test above would prove nothing."""
    for n in (1, 5, 3, 6):
        plant.sender.entry(tenant, "k", n)
    belt.wait_for("all rows", lambda: plant.count(
        f"SELECT count(*) FROM reference.entry WHERE tenant_id = '{tenant}'") == 4)
    assert plant.row("SELECT key, n, after_n FROM reference.disorder "
                     f"WHERE tenant_id = '{tenant}'") == ("k", "3", "5")


def test_faults_of_a_transaction(plant, tenant):
    again = plant.sender.entry(tenant, "again", 1, "retry:2")
    rejected = plant.sender.entry(tenant, "rejected", 1, "reject")
    unreadable = plant.sender.entry(tenant, "unreadable", 1, "retry:x")
    twice = plant.sender.entry(tenant, "twice", 1)
    plant.sender.entry(tenant, "twice", 1, event_id=twice)
    belt.wait_for("both rows", lambda: plant.count(
        f"SELECT count(*) FROM reference.entry WHERE tenant_id = '{tenant}'") == 2)
    belt.wait_for("dead letters", lambda: plant.letter(rejected) and plant.letter(unreadable))
    assert (plant.letter(again), plant.letter(rejected)) == (None, ("bad-record",))


def test_count(plant, tenant):
    event_id = plant.sender.count(tenant, "visits", 3)
    plant.sender.count(tenant, "visits", 4)
    plant.sender.count(tenant, "visits", 3, event_id=event_id)  # a duplicate
    plant.sender.count(tenant, "end", 1)
    belt.wait_for("the end", lambda: plant.row(
        f"SELECT 1 FROM reference.tally WHERE tenant_id = '{tenant}' AND name = 'end'"))
    belt.wait_for("the total", lambda: plant.row(
        "SELECT total FROM reference.tally "
        f"WHERE tenant_id = '{tenant}' AND name = 'visits'") == ("7",))


def test_charge_happens_once(plant, tenant, charge):
    plant.sender.charge(tenant, charge)
    plant.confirmed(charge)
    plant.sender.charge(tenant, charge)  # another event, the same charge: nothing to do
    belt.wait_for("a second answer", lambda: len(plant.emitted(
        "reference.charge.settled.v1", charge=charge)) == 2, step_s=0.5)
    assert plant.provider.counts()[charge] == {"calls": 1, "effects": 1, "lookups": 0}


def test_refused_charge(plant, tenant, charge):
    plant.provider.tell("refuse", key=charge)
    plant.sender.charge(tenant, charge)
    belt.wait_for("a row", lambda: plant.charge(charge))
    assert (plant.charge(charge), plant.effect(charge)) == (("failed", ""), "failed")
    assert plant.provider.counts()[charge]["calls"] == 1


def test_key_of_another_request_is_a_conflict(plant, tenant, charge):
    plant.sender.charge(tenant, charge, 100)
    plant.confirmed(charge)
    other = plant.sender.charge(tenant, charge, 200)
    belt.wait_for("a dead letter", lambda: plant.letter(other) == ("effect-conflict",))
    assert plant.provider.counts()[charge]["calls"] == 1


def test_same_key_of_another_tenant_is_another_charge(plant, tenant, charge):
    neighbour = str(uuid.uuid4())
    plant.sender.charge(tenant, charge, 100)
    plant.sender.charge(neighbour, charge, 200)
    belt.wait_for("both", lambda: plant.count(
        f"SELECT count(*) FROM reference.charge WHERE charge = '{charge}'") == 2)


@pytest.mark.parametrize("mode", ("lost", "500-after"))
def test_effect_without_an_answer_is_asked_for(plant, tenant, charge, mode):
    """It happened, and we were not told: the ledger says unknown, and nothing is repeated."""
    plant.provider.tell(mode, key=charge, delay_ms=SLOW_MS)
    plant.sender.charge(tenant, charge)
    plant.confirmed(charge)
    assert plant.provider.counts()[charge]["lookups"] >= 1


@pytest.mark.parametrize("mode", ("drop", "500"))
def test_effect_that_did_not_happen_is_tried_again(plant, tenant, charge, mode):
    plant.provider.tell(mode, key=charge, times=1)
    plant.sender.charge(tenant, charge)
    plant.confirmed(charge, calls=2)
    assert plant.provider.counts()[charge]["lookups"] == 1


def test_effect_nobody_can_tell_about_stays_unknown(plant, tenant, charge):
    """It ends as a dead letter that keeps its account waiting, never as a second call."""
    plant.provider.tell("500-after", key=charge)
    plant.provider.tell_lookups(500)
    try:
        event_id = plant.sender.charge(tenant, charge)
        behind = plant.sender.charge(tenant, charge + "-next", account=charge)
        belt.wait_for("a dead letter", lambda: plant.letter(event_id) == ("effect-unknown",), 60)
    finally:
        plant.provider.tell_lookups(None)
    assert plant.effect(charge) == "unknown"
    assert plant.provider.counts()[charge]["calls"] == 1
    assert plant.charge(charge) is None
    belt.wait_for("what waits behind it", lambda: plant.row(
        f"SELECT reason FROM reference.parked WHERE event_id = '{behind}'") == ("blocked",))
    assert charge + "-next" not in plant.provider.counts()


def test_killed_between_sending_and_the_answer(plant, tenant, charge):
    plant.start(ESTEIRA_REFERENCE_TIMEOUT_MS=str(2 * SLOW_MS))
    plant.provider.tell("slow", key=charge, delay_ms=SLOW_MS)
    plant.sender.charge(tenant, charge)
    belt.wait_for("the effect", lambda: plant.provider.counts().get(charge, {}).get("effects") == 1)
    assert plant.effect(charge) == "sending"
    plant.kill()
    plant.start()
    plant.confirmed(charge)
    assert plant.provider.counts()[charge]["lookups"] == 1


def test_crash_after_the_answer(plant, tenant, charge):
    """The process ends by itself, with the answer in its hands."""
    pid = plant.stack.pid("reference-1")
    plant.sender.charge(tenant, charge, behave="crash-after")
    belt.wait_for("the end of the process", lambda: plant.stack.pid("reference-1") != pid)
    assert plant.effect(charge) == "sending"
    plant.start()
    plant.confirmed(charge)


def test_record_that_kills_the_process(plant, tenant):
    """Found by the attempt journal, and given up; its neighbours in the batch are handled."""
    for n in range(1, 4):
        plant.sender.entry(tenant, "before", n)
    poison = plant.sender.entry(tenant, "poison", 1, "crash")
    for n in range(1, 4):
        plant.sender.entry(tenant, "behind", n)
    deaths = plant.deaths_until("a dead letter", lambda: plant.letter(poison))
    plant.stack.wait_ready("reference-1")
    assert plant.letter(poison) == ("crash",)
    assert 3 <= deaths <= 4  # the first batch is written down by nobody
    belt.wait_for("its neighbours", lambda: plant.count(
        f"SELECT count(*) FROM reference.entry WHERE tenant_id = '{tenant}'") == 6)
    assert plant.count(f"SELECT count(*) FROM reference.disorder WHERE tenant_id = '{tenant}'") == 0


def test_refused_connection_ends_well(plant):
    """What the first test here left: done once the brake let it go."""
    plant.confirmed(REFUSED, timeout_s=90)
    assert plant.provider.counts()[REFUSED]["lookups"] == 0


def test_a_row_that_is_older_than_a_failover_proves_nothing(plant, tenant, charge):
    """It says that the provider was asked and knew of nothing; the call that came next is among what was lost.
    From here on every event is in doubt: the last test."""
    plant.stop()
    plant.provider.take(charge)
    plant.stack.psql("INSERT INTO reference.effect (tenant_id, kind, effect_key, state, attempts) "
                     f"VALUES ('{tenant}', 'charge', '{charge}', 'intent', 1)")
    plant.stack.psql("UPDATE reference.fence SET timeline = 0")  # as after a restore: no server has it
    plant.start()
    plant.sender.charge(tenant, charge)
    plant.confirmed(charge, calls=0)
    plant.provider.take(charge + "-ahead")  # and nothing of it is left in the ledger
    plant.sender.charge(tenant, charge + "-ahead", headers={"ce_time": "2099-12-31T00:00:00.000Z"})
    plant.confirmed(charge + "-ahead", calls=0)
    plant.sender.charge(tenant, charge + "-new")
    plant.confirmed(charge + "-new")
    assert plant.provider.counts()[charge + "-new"]["lookups"] >= 1
