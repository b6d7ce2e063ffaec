"""Replays with a service: the stock tool on a stopped group, moves that wait for a person, and side
replays beside live traffic."""
import json
import time

import pytest

import belt
import conveyor
import rig

MAX_RECORDS = 30

make_plant = conveyor.fixture(ESTEIRA_REPLAY_MAX_RECORDS=str(MAX_RECORDS))

COUNTS = "n_done, n_same, n_different, n_gone, n_failed, n_held"


def state_of(plant, tenant):
    """All that handlers have written of a tenant, and what the provider was asked."""
    rows = [plant.stack.psql(f"SELECT * FROM reference.{table} WHERE tenant_id = '{tenant}'"
                             " ORDER BY 1, 2, 3") for table in
            ("entry", "charge", "tally", "disorder")]
    return rows, {key: value for key, value in plant.provider.counts().items()
                  if key.startswith(tenant)}


def told(plant, tenant):
    """Ids of everything that was emitted for a tenant."""
    return sorted(rig.header(m, "ce_id") for _, m in plant.records(("intake.events",))
                  if m.key().decode() == tenant and rig.header(m, "ce_source") != "/tests")


def some_of_each(plant, tenant):
    """14 records of every kind, handled and told."""
    for n in range(8):
        plant.sender.entry(tenant, f"k{n % 2}", n)
    for n in range(3):
        plant.sender.charge(tenant, f"{tenant}-{n}")
        plant.sender.count(tenant, "visits", n + 1)
    plant.sender.flush()
    belt.wait_for("them handled", lambda: plant.count(
        f"SELECT count(*) FROM reference.inbox WHERE tenant_id = '{tenant}'") == 14)
    belt.wait_for("them told", lambda: len(told(plant, tenant)) == 14, step_s=0.5)
    plant.no_lag()


def newest(plant, columns, partition=None):
    """Columns of the newest replay (of a partition)."""
    where = "" if partition is None else f" WHERE part = {partition}"
    return plant.row(f"SELECT {columns} FROM reference.replay{where} ORDER BY id DESC LIMIT 1")


def done(plant, partition):
    """The newest replay of a partition once it is done: id and counts."""
    belt.wait_for(lambda: f"the end: {newest(plant, 'state, ' + COUNTS, partition)}",
                  lambda: (newest(plant, "state", partition) or ("",))[0] == "done", 60)
    number, *counts = newest(plant, "id, " + COUNTS, partition)
    return number, list(map(int, counts))


def operations(plant, number):
    """[(action, metadata)] of the audit entries about a replay of the service."""
    found = rig.payloads(plant.records(("audit.trail",)), "audit.operation.recorded.v1")
    return [(e["action"], e.get("metadata")) for e in found
            if f"{conveyor.GROUP} " in e["object"] and e["object"].endswith(f"epoch {number}")]


# --- the stock tool ---

@pytest.mark.parametrize("how", ("--to-datetime", "--to-offset"))
def test_a_rewind_repeats_no_effect(plant, how):
    tenant = plant.fresh()
    first = plant.ends()[plant.partition]
    time.sleep(0.01)  # the log's clock has milliseconds
    moment = time.strftime("%Y-%m-%dT%H:%M:%S.", time.gmtime()) + \
        f"{time.time_ns() // 1000000 % 1000:03d}"
    some_of_each(plant, tenant)
    before, events = state_of(plant, tenant), told(plant, tenant)
    plant.stop()
    plant.reset(how, moment if how == "--to-datetime" else str(first),
                topic=f"{conveyor.TOPIC}:{plant.partition}")
    assert plant.commits()[plant.partition] == first
    plant.start()
    number, counts = done(plant, plant.partition)
    assert counts == [14, 14, 0, 0, 0, 0]
    assert plant.count(f"SELECT count(*) FROM reference.inbox WHERE epoch = {number}") == 14
    assert state_of(plant, tenant) == before and told(plant, tenant) == events
    belt.wait_for("the trail", lambda: [a for a, _ in operations(plant, number)] == [
        "replay.opened", "replay.done"], step_s=0.5)
    metadata = operations(plant, number)[1][1]
    assert (metadata["done"], metadata["same"], metadata["different"]) == (14, 14, 0)
    plant.no_lag()
    plant.kill()
    plant.start()
    plant.sender.entry(tenant, "after", 1)
    belt.wait_for("what follows", lambda: plant.entries(tenant, "after") == [1])
    assert newest(plant, "id, state") == (number, "done")  # our commits are ours again


def test_a_rewind_killed_in_the_middle_goes_on(plant):
    tenant = plant.fresh()
    first = plant.ends()[plant.partition]
    some_of_each(plant, tenant)
    before = state_of(plant, tenant)
    plant.stop()
    plant.reset("--to-offset", str(first), topic=f"{conveyor.TOPIC}:{plant.partition}")
    plant.start(wait=False, ESTEIRA_FAILPOINT="after_pg_commit:2")
    belt.wait_for("its end", lambda: plant.stack.pid("reference-1") is None, 60)
    plant.start()
    _, counts = done(plant, plant.partition)
    assert counts == [14, 14, 0, 0, 0, 0]
    assert state_of(plant, tenant) == before


def test_a_rewind_is_done_when_what_it_parked_is(plant):
    """Its watermark is through long before."""
    tenant = plant.fresh()
    first = plant.ends()[plant.partition]
    plant.sender.entry(tenant, "a", 1, "retry:12")
    plant.sender.entry(tenant, "b", 1)
    belt.wait_for("both", lambda: sorted(plant.entries(tenant)) == [1, 1])
    plant.no_lag()
    plant.stop()
    plant.reset("--to-offset", str(first), topic=f"{conveyor.TOPIC}:{plant.partition}")
    plant.start()
    belt.wait_for("it parked", lambda: plant.parked(tenant))
    plant.no_lag()
    states = set()

    def empty():
        states.add(newest(plant, f"state || (SELECT count(*) FROM reference.parked WHERE tenant_id"
                          f" = '{tenant}')", plant.partition)[0])
        return plant.parked(tenant) == []
    belt.wait_for("nothing parked", empty)
    assert done(plant, plant.partition)[1] == [2, 2, 0, 0, 0, 0]
    assert "done1" not in states and "open1" in states


class Held:
    """A partition with 40 records, whose group is moved while 5 more come; and another one."""

    def __init__(self, plant):
        self.plant = plant
        self.other = plant.fresh()
        self.mine = plant.fresh()
        self.part = plant.partition
        self.first = plant.ends()[self.part]
        for n in range(40):
            plant.sender.entry(self.mine, "a", n)
        plant.sender.flush()
        belt.wait_for("them", lambda: plant.entries(self.mine) == list(range(40)))
        plant.no_lag()
        plant.stop()
        for n in range(40, 45):
            plant.sender.entry(self.mine, "a", n)
        plant.sender.flush()

    def move(self, *how):
        """The group is moved, the service started: the partition waits."""
        self.plant.reset(*how, topic=f"{conveyor.TOPIC}:{self.part}")
        self.plant.start()
        self.waits(0)

    def waits(self, n):
        """It is named, nothing of it is handled, and the others go on."""
        plant = self.plant
        status, ready = 0, {}

        def named():
            nonlocal status, ready
            status, ready = plant.readyz()
            return f'"partition": {self.part}' in json.dumps(ready)
        belt.wait_for(lambda: f"it named: {ready}", named)
        assert status == 200, ready
        committed = plant.commits()[self.part]
        plant.sender.entry(self.other, "a", n)
        belt.wait_for("the other partition", lambda: n in plant.entries(self.other))
        assert plant.entries(self.mine) == list(range(40))
        assert plant.commits()[self.part] == committed

    def killed(self):
        """It still waits."""
        number = newest(self.plant, "id, state", self.part)
        self.plant.kill()
        self.plant.start()
        self.waits(1)
        assert newest(self.plant, "id, state", self.part) == number

    def decide(self, state):
        """As estctl replay confirm and refuse do."""
        closed = "now()" if state == "refused" else "NULL"
        self.plant.stack.psql(f"UPDATE reference.replay SET state = '{state}', closed_at = {closed},"
                              f" updated_at = now() WHERE state = 'held' AND part = {self.part}")

    def ends_with(self, numbers):
        """It goes on; so does what comes now."""
        self.plant.sender.entry(self.mine, "a", 99)
        belt.wait_for("it to go on", lambda: self.plant.entries(self.mine) == [*numbers, 99], 60)
        self.plant.no_lag()
        status, ready = self.plant.readyz()
        assert status == 200 and '"replay"' not in json.dumps(ready)
        assert self.plant.disorder() == 0


def test_a_large_rewind_waits_until_it_is_confirmed(plant):
    held = Held(plant)
    held.move("--to-offset", str(held.first))
    held.killed()
    held.decide("open")
    held.ends_with(range(45))
    number, counts = done(plant, held.part)
    assert counts == [40, 40, 0, 0, 0, 0]
    belt.wait_for("the trail", lambda: [a for a, _ in operations(plant, number)] == [
        "replay.held", "replay.opened", "replay.done"], step_s=0.5)


def test_a_large_rewind_that_is_refused_changes_nothing(plant):
    held = Held(plant)
    held.move("--to-offset", str(held.first))
    held.decide("refused")
    held.ends_with(range(45))
    assert newest(plant, "state, " + COUNTS, held.part) == ("refused", *6 * ["0"])
    assert plant.count("SELECT count(*) FROM reference.inbox WHERE epoch > 0"
                       f" AND tenant_id = '{held.mine}'") == 0


@pytest.mark.parametrize("decision", ("open", "refused"))
def test_a_skip_waits_for_a_decision(plant, decision):
    held = Held(plant)
    held.move("--to-latest")
    if decision == "open":
        held.killed()
    held.decide(decision)
    held.ends_with(range(40) if decision == "open" else range(45))
    assert newest(plant, "kind, state", held.part) == (
        "skip", "done" if decision == "open" else "refused")


# --- side replays ---

def ask(plant, first, last, tenant=None, rate=None):
    """As estctl replay start does; -> id."""
    def text(value):
        return "NULL" if value is None else f"'{value}'"
    return plant.row(
        "INSERT INTO reference.replay (grp, topic, part, kind, from_offset, to_offset, tenant_id,"
        f" rate, state, plan_id, who) VALUES ('{conveyor.GROUP}', '{conveyor.TOPIC}',"
        f" {plant.partition}, 'side', {first}, {last}, {text(tenant)}, {rate or 'NULL'}, 'open',"
        " gen_random_uuid(), 'test') RETURNING id")[0]


def test_a_side_replay_of_a_tenant_beside_live_traffic(plant):
    mine, other = plant.fresh(tenants=2)
    first = plant.ends()[plant.partition]
    some_of_each(plant, mine)
    some_of_each(plant, other)
    # held: a dead letter, the charge that waits behind it, but not what was handled
    dead = plant.sender.charge(mine, f"{mine}-dead", behave="reject", account="closed")
    plant.sender.charge(mine, f"{mine}-behind", account="closed")
    belt.wait_for("them waiting", lambda: [r for r, *_ in plant.parked(mine)] == [
        "hold", "blocked"])
    plant.no_lag()
    before, events = state_of(plant, mine), told(plant, mine)
    last, most_lag = plant.ends()[plant.partition], 0
    number = ask(plant, first, last, mine, rate=20)
    for n in range(100, 200):
        plant.sender.entry(other, "live", n)
        plant.sender.flush()
        most_lag = max(most_lag, plant.lag())
    assert most_lag < 20
    assert done(plant, plant.partition) == (number, [14, 14, 0, 0, 0, 2])
    assert plant.entries(other, "live") == list(range(100, 200))
    assert state_of(plant, mine) == before and told(plant, mine) == events
    assert plant.count(f"SELECT count(*) FROM reference.inbox WHERE epoch = {number}"
                       f" AND tenant_id = '{other}'") == 0
    assert plant.decide("discard", dead) == "done"
    belt.wait_for("what waited", lambda: f"{mine}-behind" in plant.charges(mine))
    assert plant.disorder() == 0


def test_a_side_replay_can_be_paused_and_ended(plant):
    tenant = plant.fresh()
    first = plant.ends()[plant.partition]
    for n in range(300):
        plant.sender.entry(tenant, "a", n)
    plant.sender.flush()
    belt.wait_for("them", lambda: len(plant.entries(tenant)) == 300)
    plant.no_lag()
    number = ask(plant, first, plant.ends()[plant.partition], rate=20)

    def so_far():
        return int(newest(plant, "n_done", plant.partition)[0])

    def tell(state):
        plant.stack.psql(f"UPDATE reference.replay SET state = '{state}' WHERE id = {number}")

    def stands_still():
        at = so_far()
        time.sleep(2.5)  # it looks once a second, and reads 20
        return so_far() == at
    belt.wait_for("some", lambda: so_far() > 10)
    tell("paused")
    belt.wait_for("a pause", stands_still)
    assert so_far() < 300
    at = so_far()
    tell("open")
    belt.wait_for("more", lambda: so_far() > at + 10)
    plant.kill()
    plant.start()
    at = so_far()
    belt.wait_for("more after a crash", lambda: so_far() > at + 10, 60)
    tell("aborted")
    belt.wait_for("an end", stands_still)
    assert at < so_far() < 300
    assert plant.count(f"SELECT count(*) FROM reference.inbox WHERE epoch = {number}") == so_far()
    assert newest(plant, "state, n_same = n_done", plant.partition) == ("aborted", "t")
