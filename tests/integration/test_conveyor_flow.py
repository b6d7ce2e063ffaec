"""The conveyor under load and in trouble: one tenant floods a partition, processes are killed and
stopped. Nothing is lost, nothing is doubled, order holds."""
import json
import os
import signal
import time

import pytest

import belt
import conveyor
import reference
import rig

FLOOD, KEYS = 10000, 20
DELAY_MS = 2  # of an entry

make_plant = conveyor.fixture(ESTEIRA_REFERENCE_DELAY_MS=str(DELAY_MS))


def flood(plant, tenant, first, last):
    """Entries of all keys; n grows in each."""
    for n in range(first, last):
        plant.sender.entry(tenant, f"k{n % KEYS}", n)
    plant.sender.flush()


def parked(plant, tenant):
    """How many rows."""
    return plant.count(f"SELECT count(*) FROM reference.parked WHERE tenant_id = '{tenant}'")


def made(plant, tenant):
    """How many entries."""
    return plant.count(f"SELECT count(*) FROM reference.entry WHERE tenant_id = '{tenant}'")


def insist(plant, tenant, most):
    """All of them once, in order, and told once."""
    belt.wait_for(lambda: f"all: {made(plant, tenant)} of {most}",
                  lambda: made(plant, tenant) == most and parked(plant, tenant) == 0, 180, 0.2)
    assert plant.disorder() == 0
    assert plant.count("SELECT count(*) FROM (SELECT seq - lag(seq) OVER (PARTITION BY key"
                       f" ORDER BY n) d FROM reference.entry WHERE tenant_id = '{tenant}') x"
                       " WHERE d < 0") == 0

    def told():
        found = [m for _, m in plant.records(("intake.events",)) if m.key().decode() == tenant
                 and rig.header(m, "ce_type") == "reference.entry.made.v1"]
        by_id = {rig.header(m, "ce_id"): json.loads(m.value())["n"] for m in found}
        return sorted(by_id.values())
    belt.wait_for("the events", lambda: told() == list(range(most)), step_s=1)


def test_one_tenant_that_floods_a_partition(plant):
    loud, quiet = plant.fresh(tenants=2)
    flood(plant, loud, 0, FLOOD)
    began = time.monotonic()
    plant.sender.entry(quiet, "a", 1)
    belt.wait_for("the neighbour", lambda: plant.entries(quiet) == [1])
    waited_s, before = time.monotonic() - began, made(plant, loud)
    plant.no_lag()
    left = parked(plant, loud)
    assert left > FLOOD / 10, "the log was handled, not moved aside"
    assert plant.count("SELECT count(*) FROM reference.parked WHERE reason NOT IN ('overflow',"
                       f" 'blocked') AND tenant_id = '{loud}'") == 0
    flood(plant, loud, FLOOD, FLOOD + 100)  # behind what is parked
    insist(plant, loud, FLOOD + 100)
    all_s = time.monotonic() - began
    # first in, first out would make it wait for all of them, however fast the machine is
    print(f"the neighbour waited {waited_s:.1f} s of {all_s:.1f} s, for {before} records")
    assert before < FLOOD / 4 and waited_s < all_s / 2


def test_killed_in_the_middle_of_it(plant):
    loud, payer = plant.fresh(tenants=2)
    charges = [f"{payer}-{n}" for n in range(10)]
    for charge in charges[:2]:
        plant.provider.tell("slow", key=charge, delay_ms=1500)
    flood(plant, loud, 0, FLOOD // 2)
    for charge in charges:
        plant.sender.charge(payer, charge)
    belt.wait_for("overflow", lambda: parked(plant, loud) > 500)
    plant.kill()
    plant.start()
    belt.wait_for("rows that are handled", lambda: 0 < parked(plant, loud) < FLOOD // 2 and
                  made(plant, loud) > FLOOD // 5, 60)
    plant.kill()
    plant.start()
    insist(plant, loud, FLOOD // 2)
    belt.wait_for("the charges", lambda: plant.charges(payer) == sorted(charges), 60)
    assert [plant.charged(charge)[1] for charge in charges] == 10 * [1]
    plant.no_lag()
    assert plant.count("SELECT count(*) FROM reference.dead_letter") == 0


def test_killed_with_claims(plant):
    """A claim's lease ends by itself; whoever takes it over asks before it calls."""
    tenant = plant.fresh()
    charges = [f"{tenant}-{n}" for n in range(3)]
    plant.provider.tell("slow", key=charges[0], delay_ms=25000)
    plant.start(ESTEIRA_REFERENCE_TIMEOUT_MS="60000")
    for charge in charges:
        plant.sender.charge(tenant, charge, account="one")
    belt.wait_for("a call", lambda: plant.charged(charges[0]) == (1, 1))
    assert plant.count("SELECT count(*) FROM reference.claim"
                       f" WHERE tenant_id = '{tenant}'") == 1
    plant.kill()
    plant.start()
    belt.wait_for("the charges", lambda: plant.charges(tenant) == charges, 60)
    assert [plant.charged(charge) for charge in charges] == 3 * [(1, 1)]
    assert plant.count("SELECT count(*) FROM reference.claim") == 0


def test_who_lost_its_claim_writes_nothing_down(plant):
    """Its call ended badly, but another owner may already be through with the record."""
    tenant = plant.fresh()
    charge = f"{tenant}-lost"
    plant.provider.tell("slow", key=charge, delay_ms=6000)
    plant.start()
    plant.sender.charge(tenant, charge)
    belt.wait_for("a call", lambda: plant.charged(charge) == (1, 1))
    plant.stack.psql("UPDATE reference.claim SET owner = 'another', lease_until = now() + interval '9 s'"
                     f" WHERE tenant_id = '{tenant}'")
    belt.wait_for("the next try", lambda: plant.scrape().sum(
        "esteira_records_total", outcome="claimed") >= 1)
    state = f"SELECT state FROM reference.effect WHERE effect_key = '{charge}'"
    assert plant.row(state) == ("sending",)
    belt.wait_for("the charge", lambda: plant.charges(tenant) == [charge], 60)
    assert plant.charged(charge) == (1, 1) and plant.row(state) == ("confirmed",)


@pytest.mark.parametrize("moment", ("working", "parked"))
def test_owner_that_was_stopped_and_comes_back(plant, moment):
    """It still believes that the partition, its rows and its batch are its own."""
    tenant, most = plant.fresh(), 60
    for n in range(most):
        first = moment == "parked" and n < 3
        plant.sender.count(tenant, f"t{n % 3}", 1, conveyor.PARKED_ONCE if first else "slow:50")
    plant.sender.flush()

    def total():
        return plant.count("SELECT coalesce(sum(total), 0) FROM reference.tally"
                           f" WHERE tenant_id = '{tenant}'")
    if moment == "parked":
        belt.wait_for(lambda: f"rows: {parked(plant, tenant)}", lambda: parked(plant, tenant) == most)
    else:
        belt.wait_for("some", lambda: 0 < total() < most)
    pid = plant.stack.pid("reference-1")
    os.kill(pid, signal.SIGSTOP)
    try:
        plant.start(2)
        belt.wait_for(lambda: f"all: {total()}", lambda: total() == most, 90)
    finally:
        os.kill(pid, signal.SIGCONT)
    more = plant.sender.count(tenant, "more", 1)
    belt.wait_for("it to be handled", lambda: plant.count(
        f"SELECT count(*) FROM reference.inbox WHERE event_id = '{more}'") == 1)
    belt.wait_for("the other to be back", lambda: plant.members() == 2, 60)
    plant.stop(2)
    plant.no_lag()
    assert total() == most + 1 and parked(plant, tenant) == 0
    assert plant.count("SELECT count(*) FROM reference.inbox"
                       f" WHERE tenant_id = '{tenant}'") == most + 1


def test_no_lag_behind_a_transactional_producer(plant):
    """Its markers occupy offsets that no consumer is ever given."""
    tenant = plant.fresh()
    with reference.Sender(plant.stack, **{"transactional.id": f"tx-{tenant}"}) as sender:
        sender.producer.init_transactions(30)
        for first in range(0, 40, 10):
            sender.producer.begin_transaction()
            for n in range(first, first + 10):
                sender.entry(tenant, "a", n)
            sender.flush()  # an abort of what is not in the log yet is refused by the broker now and then
            if first == 20:
                sender.producer.abort_transaction(30)
                sender.wrong.clear()
            else:
                sender.producer.commit_transaction(30)
    kept = [*range(20), *range(30, 40)]
    belt.wait_for("the entries", lambda: plant.entries(tenant) == kept)
    plant.no_lag()
    assert plant.ends()[plant.partition] > len(kept)
    plant.kill()  # where markers are, another start goes on as well
    plant.start()
    plant.sender.entry(tenant, "a", 100)
    belt.wait_for("the next", lambda: plant.entries(tenant) == [*kept, 100])
    plant.no_lag()
    assert plant.count("SELECT count(*) FROM reference.replay") == 0
