"""Side replays beside live traffic; redrives inside of a replay; a replay of what was deleted."""
import contextlib
import time

import belt
import conveyor
import conveyor_replay as after
import rig

make_plant = conveyor.fixture()


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
    after.some_of_each(plant, mine)
    after.some_of_each(plant, other)
    # held: a dead letter, the charge that waits behind it, but not what was handled
    dead = plant.sender.charge(mine, f"{mine}-dead", behave="reject", account="closed")
    plant.sender.charge(mine, f"{mine}-behind", account="closed")
    belt.wait_for("them waiting", lambda: [r for r, *_ in plant.parked(mine)] == [
        "hold", "blocked"])
    plant.no_lag()
    before, events = after.state_of(plant, mine), after.told(plant, mine)
    number = ask(plant, first, plant.ends()[plant.partition], mine, rate=1)
    for n in range(100, 200):
        plant.sender.entry(other, "live", n)
        plant.sender.flush()
    belt.wait_for("live traffic", lambda: len(plant.entries(other, "live")) == 100, 14, 0.05)
    assert after.newest(plant, "state", plant.partition) == ("open",)  # nobody waited for it
    assert after.done(plant, plant.partition) == (number, [14, 14, 0, 0, 0, 2])
    assert plant.entries(other, "live") == list(range(100, 200))
    assert after.state_of(plant, mine) == before and after.told(plant, mine) == events
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
        return int(after.newest(plant, "n_done", plant.partition)[0])

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
    assert after.newest(plant, "state, n_same = n_done", plant.partition) == ("aborted", "t")


def test_side_replays_of_a_long_life(plant):
    """Those that ended leave room for others, without a restart."""
    tenant, most = plant.fresh(), 1024
    first = plant.ends()[plant.partition]
    plant.sender.entry(tenant, "a", 1)
    belt.wait_for("its entry", lambda: plant.entries(tenant) == [1])
    plant.no_lag()
    plant.stack.psql(
        "INSERT INTO reference.replay (grp, topic, part, kind, from_offset, to_offset, state, plan_id)"
        f" SELECT '{conveyor.GROUP}', '{conveyor.TOPIC}', {plant.partition}, 'side', 0, 0, 'open',"
        f" gen_random_uuid() FROM generate_series(1, {most})")
    belt.wait_for("all of them", lambda: plant.count(
        "SELECT count(*) FROM reference.replay WHERE state = 'done' AND to_offset = 0") == most, 120)
    number = ask(plant, first, first + 1)
    assert after.done(plant, plant.partition) == (number, [1, 1, 0, 0, 0, 0])


def test_a_claim_of_the_side_replay_itself_is_not_held(plant):
    """The process dies while it works on a record of the replay: it is handled by the next one."""
    tenant = plant.fresh()
    first = plant.ends()[plant.partition]
    plant.sender.charge(tenant, f"{tenant}-1", behave="slow:3000")
    belt.wait_for("the charge", lambda: plant.charges(tenant) == [f"{tenant}-1"])
    plant.no_lag()
    # an effect nobody knows the end of is asked for again, slowly
    plant.stack.psql("UPDATE reference.effect SET state = 'unknown'"
                     f" WHERE effect_key = '{tenant}-1'")
    number = ask(plant, first, first + 1)
    belt.wait_for("a claim", lambda: plant.count(
        f"SELECT count(*) FROM reference.claim WHERE epoch = {number}") == 1)
    plant.kill()
    plant.start()
    assert after.done(plant, plant.partition) == (number, [1, 1, 0, 0, 0, 0])
    assert plant.charged(f"{tenant}-1") == (1, 1)


def test_a_redrive_of_a_verified_record_closes_its_letter(plant):
    """It died in the replay; what verifying it takes back is not the letter's end."""
    tenant = plant.fresh()
    first = plant.ends()[plant.partition]
    event_id = plant.sender.count(tenant, "visits", 5, "retry:30")
    belt.wait_for("a dead letter", lambda: plant.letter(event_id), 60)
    assert plant.decide("redrive", event_id) == "done"
    belt.wait_for("its redrive", lambda: plant.letter(event_id, "state") == ("redriven",), 60)
    plant.no_lag()
    plant.stop()
    plant.reset("--to-offset", str(first), topic=f"{conveyor.TOPIC}:{plant.partition}")
    plant.start()  # it knows of no failures: it fails as often again
    letters = f"SELECT string_agg(state, ' ' ORDER BY epoch) FROM reference.dead_letter" \
        f" WHERE event_id = '{event_id}'"
    belt.wait_for("another letter", lambda: plant.row(letters) == ("redriven open",), 60)
    assert plant.count("SELECT count(*) FROM reference.dead_letter_redrive(ARRAY(SELECT id FROM"
                       f" reference.dead_letter WHERE event_id = '{event_id}' AND state = 'open'),"
                       " NULL, 'test')") == 1
    belt.wait_for("its end", lambda: plant.row(letters) == ("redriven redriven",), 60)
    assert plant.count(f"SELECT total FROM reference.tally WHERE tenant_id = '{tenant}'") == 5


def test_a_replay_of_ocr_jobs_changes_nothing():
    """The documents are deleted by design: counted as gone, and nobody is told anything."""
    topic, group = "esteira.ocr.jobs", "esteira.ocr"
    with rig.temporary() as base:
        client = base.client()
        job = client.send(belt.tiny_pdf("Replayed"))
        assert client.ended(job)["status"] == "completed"
        client.trail(job, until="PURGED")
        plant = conveyor.Plant(base, None, None, {})
        with contextlib.closing(plant.admin):
            before, trail = client.job(job), client.trail(job)
            events = len(base.records(("ocr.events", "intake.events")))
            base.stack.stop_one("ocr-1")
            plant.reset("--to-earliest", topic=topic, group=group)
            base.stack.start_one("ocr-1")
            belt.wait_for("the end", lambda: plant.row(
                f"SELECT sum(n_gone), {', '.join(f'sum({c})' for c in ('n_done', 'n_failed'))},"
                " bool_and(state = 'done') FROM ocr.replay") == ("1", "0", "0", "t"), 60)
            assert client.job(job) == before and client.trail(job) == trail
            assert len(base.records(("ocr.events", "intake.events"))) == events
            assert base.count("SELECT count(*) FROM ocr.dead_letter") == 0
            assert base.count("SELECT count(*) FROM ocr.parked") == 0
