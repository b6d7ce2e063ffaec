"""The conveyor, one record and what waits behind it: tried again, parked, dead, redriven, twice."""
import json
import threading
import time
import uuid

import pytest

import belt
import conveyor
import rig

# Failures of one record (behave retry:K): each attempt tries 5 to 9 times in place, by the machine's
# speed, so DEAD_ONCE is dead after three attempts and well within three more. A record with others in
# its batch fails twice each time, with them and alone.
PARKED_FOR_GOOD, DEAD_ONCE = 100000, 28
PARKED_ONCE = conveyor.PARKED_ONCE
REDRIVEN = 8  # more than what puts a brake on

make_plant = conveyor.fixture()


def test_what_fails_is_parked_and_its_key_waits(plant):
    mine, other = plant.fresh(tenants=2)
    plant.sender.entry(mine, "a", 1, PARKED_ONCE)
    for n in range(2, 6):
        plant.sender.entry(mine, "a", n)
    for n in range(1, 4):
        plant.sender.entry(mine, "b", n)
        plant.sender.entry(other, "a", n)
    belt.wait_for("the others", lambda: plant.entries(mine, "b") == plant.entries(other) == [1, 2, 3])
    belt.wait_for(lambda: f"the key parked: {plant.parked(mine)}", lambda: plant.parked(mine) ==
                  [("retry", "1", "t")] + 4 * [("blocked", "0", "t")])
    assert plant.count("SELECT count(*) FROM reference.parked WHERE reason = 'retry' AND due_at"
                       " NOT BETWEEN created_at + interval '2 s' AND created_at + interval '3 s'"
                       f" AND tenant_id = '{mine}'") == 0
    assert plant.entries(mine, "a") == []
    belt.wait_for("the key", lambda: plant.entries(mine, "a") == [1, 2, 3, 4, 5])
    assert plant.parked(mine) == [] and plant.disorder() == 0


def test_trouble_of_less_than_two_seconds_is_sat_out(plant):
    tenant = plant.fresh()
    plant.sender.entry(tenant, "a", 1, "retry:3")
    plant.sender.entry(tenant, "a", 2)
    seen = []

    def done():
        seen.extend(plant.parked(tenant))
        return plant.entries(tenant) == [1, 2]
    belt.wait_for("both", done)
    assert seen == []


def test_attempts_come_to_an_end(plant):
    tenant, sent = plant.fresh(), time.time()
    dead = plant.sender.entry(tenant, "a", 1, f"retry:{PARKED_FOR_GOOD}")
    for n in (2, 3):
        plant.sender.entry(tenant, "a", n)
    belt.wait_for("a dead letter", lambda: plant.letter(dead))
    assert plant.letter(dead, "error_code, attempts, state, blocks, redrives, first_failed_at"
                        f" BETWEEN to_timestamp({sent}) AND to_timestamp({sent + 5})") == (
                            "attempts-exhausted", "3", "open", "f", "0", "t")
    belt.wait_for("its key", lambda: plant.entries(tenant) == [2, 3])
    assert plant.parked(tenant) == []

    def copies():
        return [m for _, m in plant.records(("intake.events.esteira.reference.dlq",))
                if rig.header(m, "ce_id") == dead]
    belt.wait_for("its copy", copies, step_s=0.5)
    copy, = copies()
    assert json.loads(copy.value())["n"] == 1 and copy.key().decode() == tenant
    assert (rig.header(copy, "x-error-code"), rig.header(copy, "x-attempts")) == (
        "attempts-exhausted", "3")


@pytest.mark.parametrize("what,more", (
    ("headers over 64 KiB", {"headers": {"x-blob": b"x" * 66000}}), ("the payload is over 256 KiB", {"value": b"x" * 300000})))
def test_what_is_too_large_is_somebodys_dead_letter(plant, what, more):
    """Found in review: it had neither tenant nor event, so nobody was told, and it could only be discarded."""
    tenant = plant.fresh()
    dead = plant.sender.entry(tenant, "a", 1, **more)
    plant.sender.entry(tenant, "a", 2)
    belt.wait_for("a dead letter", lambda: plant.letter(dead))
    assert plant.letter(dead, "tenant_id, ordering_key, error_code, error_message, attempts") == (
        tenant, "a", "record-too-large", what, "1")
    belt.wait_for("its key", lambda: plant.entries(tenant) == [2])

    def copies():
        return [m for _, m in plant.records((conveyor.DLQ.removeprefix("esteira."),)) if rig.header(m, "ce_id") == dead]
    belt.wait_for("its copy", copies, step_s=0.5)
    copy, = copies()
    left_out = {"headers over 64 KiB": "1"}.get(what)
    assert (rig.header(copy, "ce_tenantid"), rig.header(copy, "x-headers-left-out")) == (tenant, left_out)
    assert rig.header(copy, "x-blob") is None

    assert plant.decide("redrive", dead) == "done"  # which does not make it smaller
    belt.wait_for("its return", lambda: plant.letter(dead, "state, redrives, error_message") == ("open", "1", what))
    assert plant.entries(tenant) == [2] and plant.parked(tenant) == []


def test_a_type_of_somebody_else_is_passed_over_and_counted(plant):
    def passed():
        return plant.scrape().sum("esteira_consumer_passed_total", topic=conveyor.TOPIC, group=conveyor.GROUP)
    tenant, before = plant.fresh(), passed()
    for n in range(20):
        plant.sender.send("reference.entry.forgotten.v1", {"key": "a", "n": n}, tenant, "a")
    plant.sender.entry(tenant, "a", 1)
    belt.wait_for("what is ours", lambda: plant.entries(tenant) == [1])
    belt.wait_for("the others", lambda: passed() >= before + 20)  # and what the service itself writes there
    assert plant.parked(tenant) == [] and plant.count(
        f"SELECT count(*) FROM reference.dead_letter WHERE tenant_id = '{tenant}'") == 0


# --- a key that waits for a person ---

class Account:
    """Three charges of one account, the first of which dies; and one of another account."""

    def __init__(self, plant, behave):
        self.plant, self.tenant = plant, plant.fresh()
        self.name = f"account-{uuid.uuid4().hex[:8]}"
        self.names = [f"{self.name}-{i}" for i in (1, 2, 3)]
        self.dead = plant.sender.charge(self.tenant, self.names[0], behave=behave, account=self.name)
        for name in self.names[1:]:
            plant.sender.charge(self.tenant, name, account=self.name)
        plant.sender.charge(self.tenant, f"{self.name}-other")
        belt.wait_for("a dead letter", lambda: plant.letter(self.dead), 60)
        self.waits()

    def waits(self):
        """The stone and what is behind it; nobody was charged."""
        belt.wait_for(lambda: f"waiting: {self.plant.parked(self.tenant)}",
                      lambda: self.plant.parked(self.tenant) ==
                      [("hold", self.plant.letter(self.dead, "attempts")[0], "f"),
                       ("blocked", "0", "t"), ("blocked", "0", "t")])
        belt.wait_for("the other account", lambda: self.plant.charges(self.tenant) == [
            f"{self.name}-other"])
        assert [self.plant.charged(name) for name in self.names] == 3 * [(0, 0)]

    def order(self):
        """Event ids in the order in which they were handled last."""
        return self.plant.column(
            "SELECT event_id FROM reference.inbox WHERE tenant_id ="
            f" '{self.tenant}' ORDER BY handled_at")


def test_redrive_runs_what_died_and_then_what_waits(plant):
    account = Account(plant, f"retry:{DEAD_ONCE}")
    assert plant.letter(account.dead, "error_code, blocks") == ("attempts-exhausted", "t")
    outcomes = []
    clicks = [threading.Thread(target=lambda: outcomes.append(plant.decide("redrive", account.dead)))
              for _ in range(2)]
    for click in clicks:
        click.start()
    for click in clicks:
        click.join()
    assert sorted(outcomes) == ["done", "not_open"]
    belt.wait_for("the charges", lambda: plant.charges(account.tenant) == sorted(
        [*account.names, f"{account.name}-other"]), 60)
    assert [plant.charged(name) for name in account.names] == 3 * [(1, 1)]
    first = plant.column("SELECT effect_key FROM reference.effect WHERE state = 'confirmed' AND"
                         f" effect_key = ANY ('{{{','.join(account.names)}}}') ORDER BY updated_at")
    assert first == account.names
    assert plant.letter(account.dead, "state, redrives") == ("redriven", "0")
    assert plant.parked(account.tenant) == []
    assert plant.decide("redrive", account.dead) == "not_open"


def test_redrive_that_dies_again_is_the_same_letter(plant):
    account = Account(plant, "reject")
    for redrives in ("1", "2"):
        assert plant.decide("redrive", account.dead) == "done"
        belt.wait_for("the letter", lambda again=redrives: plant.letter(
            account.dead, "state, redrives, error_code") == ("open", again, "bad-record"))
        account.waits()
    assert plant.decide("discard", account.dead) == "done"
    belt.wait_for("what waited", lambda: plant.charges(account.tenant) == sorted(
        [*account.names[1:], f"{account.name}-other"]))
    assert plant.letter(account.dead, "state, payload IS NULL") == ("discarded", "t")
    assert [plant.charged(name) for name in account.names] == [(0, 0), (1, 1), (1, 1)]
    assert plant.parked(account.tenant) == []


def test_redrive_of_a_key_that_goes_on(plant):
    tenant = plant.fresh()
    dead = plant.sender.entry(tenant, "a", 1, "reject")
    plant.sender.entry(tenant, "a", 2)
    belt.wait_for("a dead letter", lambda: plant.letter(dead))
    assert plant.decide("redrive", dead) == "done"
    belt.wait_for("it to die again", lambda: plant.letter(dead, "state, redrives") == ("open", "1"))
    assert plant.entries(tenant) == [2] and plant.parked(tenant) == []


def test_redrives_that_fail_again_stop_nobody(plant):
    """Found by chaos: they put the brake on for the tenant, and each of its probes was one of them."""
    tenant, letters = plant.fresh(), []
    for n in range(1, 2 * REDRIVEN, 2):
        letters.append(plant.sender.entry(tenant, "a", n, "reject"))
        plant.sender.entry(tenant, "a", n + 1)
    belt.wait_for("the good ones", lambda: len(plant.entries(tenant)) == REDRIVEN)
    assert plant.count(
        "SELECT count(*) FROM reference.dead_letter_redrive(ARRAY(SELECT id FROM reference.dead_letter"
        f" WHERE tenant_id = '{tenant}'), NULL, 'test') WHERE outcome = 'done'") == REDRIVEN
    belt.wait_for("them to die again", lambda: all(
        plant.letter(letter, "state, redrives") == ("open", "1") for letter in letters))
    plant.sender.entry(tenant, "a", 2 * REDRIVEN + 1)
    belt.wait_for("what follows", lambda: len(plant.entries(tenant)) == REDRIVEN + 1, 15)


# --- twice ---

def test_an_event_that_comes_twice_is_handled_once(plant):
    tenant = plant.fresh()
    for behave in ("ok", PARKED_ONCE):
        name = f"tally-{behave}"
        event_id = plant.sender.count(tenant, name, 5, behave)
        plant.sender.count(tenant, name, 5, behave, event_id=event_id)
        if behave != "ok":
            belt.wait_for("both parked", lambda: [r for r, *_ in plant.parked(tenant)] == [
                "retry", "blocked"])
            plant.sender.count(tenant, name, 5, behave, event_id=event_id)
        plant.sender.count(tenant, name, 7)
        belt.wait_for("the total", lambda n=name: plant.row(
            f"SELECT total FROM reference.tally WHERE tenant_id = '{tenant}' AND name = '{n}'") == (
                "12",))
        belt.wait_for("nothing parked", lambda: plant.parked(tenant) == [])
    made = [m for _, m in plant.records(("intake.events",)) if m.key().decode() == tenant
            and rig.header(m, "ce_type") == "reference.count.made.v1"]
    assert len(made) == len({rig.header(m, "ce_id") for m in made}) == 4


def test_an_event_that_comes_twice_at_once_is_handled_once(plant):
    """Under two ordering keys, so that two workers have it: the second waits for the first, and finds it in the inbox."""
    tenant, pid = plant.fresh(), plant.stack.pid("reference-1")
    event_id = plant.sender.entry(tenant, "a", 1, "slow:1500")
    plant.sender.flush()
    belt.wait_for("its transaction", lambda: plant.count(
        "SELECT count(*) FROM pg_stat_activity WHERE usename = 'esteira_reference'"
        " AND state = 'idle in transaction'") > 0, 10)
    plant.sender.entry(tenant, "b", 1, "slow:1500", event_id=event_id)
    plant.no_lag()
    assert plant.entries(tenant, "a") == [1] and plant.entries(tenant, "b") == []
    assert plant.stack.pid("reference-1") == pid and plant.letter(event_id) is None


def test_an_event_id_of_another_tenant_is_no_duplicate(plant):
    """Found in review: what one tenant had sent made another's record vanish. It is given up, to be seen."""
    one, other = plant.fresh(tenants=2)
    event_id = plant.sender.entry(one, "a", 1)
    belt.wait_for("the first", lambda: plant.entries(one) == [1])
    plant.sender.entry(other, "a", 1, event_id=event_id)
    plant.sender.entry(other, "a", 2)
    belt.wait_for("what follows", lambda: plant.entries(other) == [2])
    assert plant.letter(event_id, f"error_code, tenant_id = '{other}'") == ("tenant-mismatch", "t")
    assert plant.decide("redrive", event_id) == "done"
    belt.wait_for("it to die again", lambda: plant.letter(event_id, "state, redrives") == ("open", "1"))
    assert plant.entries(one, "a") == [1] and plant.entries(other, "a") == [2]


def test_an_event_that_died_does_not_die_twice(plant):
    tenant = plant.fresh()
    dead = plant.sender.entry(tenant, "a", 1, "reject")
    plant.sender.entry(tenant, "a", 1, "reject", event_id=dead)
    plant.sender.entry(tenant, "a", 2)
    belt.wait_for("what follows", lambda: plant.entries(tenant) == [2])
    assert plant.count("SELECT count(*) FROM reference.dead_letter"
                       f" WHERE event_id = '{dead}'") == 1


# --- what kills the process ---

def test_a_parked_record_that_kills_the_process_is_found(plant):
    """Its offset is far below what is committed."""
    tenant = plant.fresh()
    first = plant.sender.entry(tenant, "a", 1, f"retry:{PARKED_FOR_GOOD}")
    poison = plant.sender.entry(tenant, "a", 2, "crash")
    for n in (3, 4):
        plant.sender.entry(tenant, "a", n)
    belt.wait_for("them parked", lambda: len(plant.parked(tenant)) == 4)
    plant.no_lag()
    deaths = plant.deaths_until("a dead letter", lambda: plant.letter(poison))
    assert plant.letter(poison) == ("crash",) and 3 <= deaths <= 4
    plant.stack.wait_ready("reference-1")
    belt.wait_for("the others", lambda: plant.entries(tenant) == [3, 4], 60)
    assert plant.letter(first) == ("attempts-exhausted",)
    assert plant.parked(tenant) == [] and plant.disorder() == 0


def test_a_record_that_is_tried_again_is_no_poison(plant):
    """What came to an end in this process did not end it, however often it comes."""
    tenant = plant.fresh()
    dead = plant.sender.entry(tenant, "a", 1, f"retry:{PARKED_FOR_GOOD}")
    belt.wait_for("it parked", lambda: plant.parked(tenant))
    plant.kill()
    plant.start()
    for redrives in range(2):
        belt.wait_for("a dead letter", lambda n=redrives: plant.letter(
            dead, "state, redrives, error_code") == ("open", str(n), "attempts-exhausted"), 60)
        belt.wait_for("no attempt kept", lambda: plant.count("SELECT count(*) FROM reference.attempt") == 0)
        assert plant.decide("redrive", dead) == "done"


def test_a_record_far_ahead_that_kills_the_process_is_found(plant):
    """Behind a slow one thousands of others may be done, and none of them is committed."""
    tenant, most = plant.fresh(), 3000
    plant.sender.charge(tenant, f"slow-{tenant}", behave="slow:45000")
    for first in range(0, most, 500):
        for n in range(first, first + 500):
            plant.sender.entry(tenant, f"k{n % 10}", n)
        plant.sender.flush()
        belt.wait_for("so many", lambda n=first: plant.count(
            f"SELECT count(*) FROM reference.entry WHERE tenant_id = '{tenant}'") == n + 500)
    poison = plant.sender.entry(tenant, "poison", most, "crash")
    deaths = plant.deaths_until("a dead letter", lambda: plant.letter(poison))
    assert plant.letter(poison) == ("crash",) and 3 <= deaths <= 4
    assert len(set(plant.entries(tenant))) == most and plant.disorder() == 0
    plant.no_lag(120)  # a slow one that is still worked on would hang in the next test


@pytest.mark.parametrize("kind", ("entry", "charge"))
def test_a_handler_that_never_ends_is_found(plant, kind):
    """/livez says so; what SIGTERM leaves unfinished is suspect, as after a kill."""
    tenant = plant.fresh()
    hasty = {"ESTEIRA_STEP_MAX_MS": "2000", "ESTEIRA_WORK_MAX_MS": "2000", "ESTEIRA_DRAIN_MS": "500"}
    plant.start(**hasty)
    poison = getattr(plant.sender, kind)(tenant, f"loop-{tenant}", 1, "loop")
    plant.sender.entry(tenant, "a", 1)
    restarts = 0

    def dead():
        nonlocal restarts
        if plant.stack.pid("reference-1") is not None and plant.livez() == 503:
            plant.stop()
            plant.start(**hasty)
            restarts += 1
        return plant.letter(poison)
    assert belt.wait_for("a dead letter", dead, 300, 0.2) == ("crash",)
    assert 3 <= restarts <= 4
    belt.wait_for(lambda: f"the other; now {plant.entries(tenant)}, {plant.readyz()}",
                  lambda: plant.entries(tenant) == [1], 60)
    assert plant.count("SELECT count(*) FROM reference.claim") == 0
    plant.start()


def test_a_handler_that_sleeps_in_its_transaction_is_no_outage(plant):
    """Postgres ends a session that is idle in a transaction for 5 s; it was repeated for ever."""
    tenant = plant.fresh()
    plant.sender.entry(tenant, "a", 1, "slow:6000")
    belt.wait_for(lambda: f"it parked: {plant.parked(tenant)}",
                  lambda: ("retry", "1", "t") in plant.parked(tenant), 60)
