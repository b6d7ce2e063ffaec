"""Replays by the stock tool on a stopped group, and moves that wait for a person."""
import json
import time

import pytest

import belt
import conveyor
import conveyor_replay as after
import rig

MAX_RECORDS = 30

make_plant = conveyor.fixture(ESTEIRA_REPLAY_MAX_RECORDS=str(MAX_RECORDS))


# --- the stock tool ---

@pytest.mark.parametrize("how", ("--to-datetime", "--to-offset"))
def test_a_rewind_repeats_no_effect(plant, how):
    tenant = plant.fresh()
    first = plant.ends()[plant.partition]
    belt.next_tick(0.001)  # the log's clock has milliseconds
    moment = time.strftime("%Y-%m-%dT%H:%M:%S.", time.gmtime()) + \
        f"{time.time_ns() // 1000000 % 1000:03d}"
    after.some_of_each(plant, tenant)
    before, events = after.state_of(plant, tenant), after.told(plant, tenant)
    plant.stop()
    plant.reset(how, moment if how == "--to-datetime" else str(first),
                topic=f"{conveyor.TOPIC}:{plant.partition}")
    assert plant.commits()[plant.partition] == first
    plant.start()
    number, counts = after.done(plant, plant.partition)
    assert counts == [14, 14, 0, 0, 0, 0]
    assert plant.count(f"SELECT count(*) FROM reference.inbox WHERE epoch = {number}") == 14
    assert after.state_of(plant, tenant) == before and after.told(plant, tenant) == events
    belt.wait_for("the trail", lambda: [a for a, _ in after.operations(plant, number)] == [
        "replay.opened", "replay.done"], step_s=0.5)
    metadata = after.operations(plant, number)[1][1]
    assert (metadata["done"], metadata["same"], metadata["different"]) == (14, 14, 0)
    plant.no_lag()
    plant.kill()
    plant.start()
    plant.sender.entry(tenant, "after", 1)
    belt.wait_for("what follows", lambda: plant.entries(tenant, "after") == [1])
    assert after.newest(plant, "id, state") == (number, "done")  # our commits are ours again


def test_a_rewind_makes_no_second_letter(plant):
    """Found in review: each replay of a range with poison in it doubled its open letters."""
    tenant = plant.fresh()
    first = plant.ends()[plant.partition]
    dead = plant.sender.entry(tenant, "a", 1, "reject")
    plant.sender.producer.produce(conveyor.TOPIC, b"no event", tenant)
    plant.sender.entry(tenant, "a", 2)
    belt.wait_for("what follows", lambda: plant.entries(tenant) == [2])
    plant.no_lag()
    plant.stop()
    plant.reset("--to-offset", str(first), topic=f"{conveyor.TOPIC}:{plant.partition}")
    plant.start()
    _, counts = after.done(plant, plant.partition)
    assert counts == [1, 1, 0, 0, 0, 2]
    assert plant.count("SELECT count(*) FROM reference.dead_letter"
                       f" WHERE part = {plant.partition} AND off >= {first}") == 2
    assert plant.letter(dead, "state, redrives, epoch") == ("open", "0", "0")


def test_what_a_rewind_makes_otherwise_supersedes(plant):
    """What was sent before is not known any more, so it may have been something else."""
    tenant = plant.fresh()
    first = plant.ends()[plant.partition]
    plant.sender.entry(tenant, "a", 1)
    plant.sender.entry(tenant, "a", 2)
    belt.wait_for("both told", lambda: len(after.told(plant, tenant)) == 2, step_s=0.5)
    before = after.told(plant, tenant)
    plant.no_lag()
    plant.stop()
    plant.stack.psql("UPDATE reference.inbox SET outputs = NULL WHERE event_id ="
                     f" (SELECT event_id FROM reference.entry WHERE tenant_id = '{tenant}' AND n = 2)")
    plant.reset("--to-offset", str(first), topic=f"{conveyor.TOPIC}:{plant.partition}")
    plant.start()
    assert after.done(plant, plant.partition)[1] == [2, 1, 1, 0, 0, 0]
    belt.wait_for("a correction", lambda: len(after.told(plant, tenant)) == 3, step_s=0.5)
    fresh = [m for _, m in plant.records(("intake.events",)) if m.key().decode() == tenant
             and rig.header(m, "ce_supersedes")]
    assert [json.loads(m.value())["n"] for m in fresh] == [2]
    assert rig.header(fresh[0], "ce_supersedes") in before
    assert plant.entries(tenant) == [1, 2]


def test_a_rewind_killed_in_the_middle_goes_on(plant):
    tenant = plant.fresh()
    first = plant.ends()[plant.partition]
    after.some_of_each(plant, tenant)
    before = after.state_of(plant, tenant)
    plant.stop()
    plant.reset("--to-offset", str(first), topic=f"{conveyor.TOPIC}:{plant.partition}")
    plant.start(wait=False, ESTEIRA_FAILPOINT="after_pg_commit:2")
    belt.wait_for("its end", lambda: plant.stack.pid("reference-1") is None, 60)
    plant.start()
    _, counts = after.done(plant, plant.partition)
    assert counts == [14, 14, 0, 0, 0, 0]
    assert after.state_of(plant, tenant) == before


def test_a_rewind_is_done_when_what_it_parked_is(plant):
    """Its watermark is through long before."""
    tenant = plant.fresh()
    first = plant.ends()[plant.partition]
    plant.sender.entry(tenant, "a", 1, conveyor.PARKED_ONCE)
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
        states.add(after.newest(plant, f"state || (SELECT count(*) FROM reference.parked WHERE tenant_id"
                          f" = '{tenant}')", plant.partition)[0])
        return plant.parked(tenant) == []
    belt.wait_for("nothing parked", empty)
    assert after.done(plant, plant.partition)[1] == [2, 2, 0, 0, 0, 0]
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
        self.missed = plant.ends()[self.part]
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
        number = after.newest(self.plant, "id, state", self.part)
        self.plant.kill()
        self.plant.start()
        self.waits(1)
        assert after.newest(self.plant, "id, state", self.part) == number

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
    number, counts = after.done(plant, held.part)
    assert counts == [40, 40, 0, 0, 0, 0]
    belt.wait_for("the trail", lambda: [a for a, _ in after.operations(plant, number)] == [
        "replay.held", "replay.opened", "replay.done"], step_s=0.5)


def test_a_large_rewind_that_is_refused_changes_nothing(plant):
    held = Held(plant)
    held.move("--to-offset", str(held.first))
    held.decide("refused")
    held.ends_with(range(45))
    assert after.newest(plant, "state, " + after.COUNTS, held.part) == ("refused", *6 * ["0"])
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
    assert after.newest(plant, "kind, state", held.part) == (
        "skip", "done" if decision == "open" else "refused")


def test_what_was_skipped_is_no_correction_when_it_is_read_at_last(plant):
    """Found by chaos, seed 13: its events superseded some that never were."""
    held = Held(plant)
    counted = plant.sender.count(held.mine, "visits", 3)  # of a route that otherwise only compares
    plant.sender.flush()
    held.move("--to-latest")
    held.decide("open")
    held.ends_with(range(40))
    for counts in ([7, 1, 0, 0, 0, 0], [7, 7, 0, 0, 0, 0]):
        before = after.newest(plant, "id", held.part)
        plant.stop()
        plant.reset("--to-offset", str(held.missed), topic=f"{conveyor.TOPIC}:{held.part}")
        plant.start()
        belt.wait_for("a replay", lambda: after.newest(plant, "id", held.part) != before)
        assert after.done(plant, held.part)[1] == counts
        belt.wait_for("all told", lambda: len(after.told(plant, held.mine)) == 47, step_s=0.5)
        plant.no_lag()
        assert plant.row(f"SELECT total FROM reference.tally WHERE tenant_id = '{held.mine}'") == ("3",)
    plant.sender.count(held.mine, "visits", 3, event_id=counted)  # its producer was not sure
    plant.sender.entry(held.mine, "a", 100)
    belt.wait_for("what follows", lambda: plant.entries(held.mine)[-1] == 100)
    assert plant.row(f"SELECT total FROM reference.tally WHERE tenant_id = '{held.mine}'") == ("3",)
    assert plant.entries(held.mine) == [*range(40), 99, *range(40, 45), 100]
    assert not [m for _, m in plant.records(("intake.events",))
                if m.key().decode() == held.mine and rig.header(m, "ce_supersedes")]


def test_a_rewind_waits_behind_a_letter_that_blocks_its_key(plant):
    """Found by chaos, seed 13: its replay stays open until somebody decides, and then comes to its end."""
    tenant = plant.fresh()
    first = plant.ends()[plant.partition]
    dead = plant.sender.charge(tenant, f"{tenant}-dead", behave="reject", account="closed")
    plant.sender.charge(tenant, f"{tenant}-behind", account="closed")
    plant.sender.charge(tenant, f"{tenant}-other", account="open")
    belt.wait_for("them waiting", lambda: [r for r, *_ in plant.parked(tenant)] == ["hold", "blocked"])
    plant.no_lag()
    plant.stop()
    plant.reset("--to-offset", str(first), topic=f"{conveyor.TOPIC}:{plant.partition}")
    plant.start()
    belt.wait_for("the rewind waiting", lambda: [r for r, *_ in plant.parked(tenant)] == ["hold"] + 3 * ["blocked"])
    plant.no_lag()
    assert after.newest(plant, "state", plant.partition) == ("open",)
    assert plant.charges(tenant) == [f"{tenant}-other"]
    assert plant.decide("discard", dead) == "done"
    belt.wait_for("its second letter: handled once more, it fails once more", lambda: plant.count(
        f"SELECT count(*) FROM reference.dead_letter WHERE event_id = '{dead}' AND state = 'open'") == 1)
    assert plant.column(
        "SELECT outcome FROM reference.dead_letter_discard(ARRAY(SELECT id FROM reference.dead_letter WHERE"
        f" event_id = '{dead}' AND state = 'open'), NULL, 'test')") == ["done"]
    _, counts = after.done(plant, plant.partition)
    assert counts == [2, 2, 0, 0, 1, 0]
    assert plant.charges(tenant) == [f"{tenant}-behind", f"{tenant}-other"] and plant.parked(tenant) == []
    assert [plant.charged(f"{tenant}-{name}") for name in ("dead", "behind", "other")] == [(0, 0), (1, 1), (1, 1)]
