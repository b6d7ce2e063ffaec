"""Brakes: what fails for one tenant stops for him alone, and by itself goes on. A brake stays on for a
minute, so the two tests wait for theirs together."""
import pytest

import belt
import conveyor

FAILURES = 5  # in a row put a brake on
PAUSE_S = 60

make_plant = conveyor.fixture()


def put_on(plant, tenant):
    """The brake of a tenant's entries, by records nobody can handle."""
    dead = [plant.sender.entry(tenant, f"bad{n}", 1, "reject") for n in range(FAILURES)]
    plant.sender.flush()
    belt.wait_for("dead letters", lambda: all(map(plant.letter, dead)))


def reasons(plant, tenant):
    """Of what is parked: (reason, attempts)."""
    return {(reason, attempts) for reason, attempts, _ in plant.parked(tenant)}


@pytest.fixture(scope="module", name="away")
def make_away(plant):
    """A tenant whose provider is away, and another one; the provider comes back."""
    tenant, other = plant.fresh(tenants=2)
    charges = [f"{tenant}-{n}" for n in range(6)]
    plant.provider.down()
    for charge in charges:
        plant.sender.charge(tenant, charge)
    belt.wait_for("them parked", lambda: len(plant.parked(tenant)) == 6)
    assert reasons(plant, tenant) == {("breaker", "0")}
    plant.provider.up()
    plant.sender.charge(other, f"{other}-1")
    belt.wait_for("the other tenant", lambda: plant.charges(other) == [f"{other}-1"])
    return tenant, charges


@pytest.fixture(scope="module", name="failing")
def make_failing(plant):
    """A tenant with a brake on one route, three without one in the same partition."""
    mine, *others = plant.fresh(tenants=4)
    for tenant in others:
        plant.sender.entry(tenant, "a", 1)
    put_on(plant, mine)
    for n in range(20):
        plant.sender.entry(mine, f"good{n}", 1)
    belt.wait_for("them parked", lambda: len(plant.parked(mine)) == 20)
    assert reasons(plant, mine) == {("breaker", "0")}
    for tenant in others:
        plant.sender.entry(tenant, "a", 2)
    plant.sender.count(mine, "visits", 3)
    belt.wait_for("the others", lambda: all(plant.entries(t) == [1, 2] for t in others))
    belt.wait_for("the other route", lambda: plant.count(
        f"SELECT count(*) FROM reference.tally WHERE tenant_id = '{mine}'") == 1)
    return mine


@pytest.fixture(scope="module", name="standing")
def make_standing(plant):
    """A partition two of whose three tenants fail, with a record that is not read."""
    first, second, third = plant.fresh(tenants=3)
    plant.sender.entry(third, "a", 1)
    belt.wait_for("its entry", lambda: plant.entries(third) == [1])
    put_on(plant, first)
    assert plant.readyz()[1]["braked"] == 0
    put_on(plant, second)
    belt.wait_for(lambda: f"it to stand: {plant.readyz()}",
                  lambda: plant.readyz()[1]["braked"] == 1)
    plant.sender.entry(third, "a", 2)
    plant.sender.flush()
    return plant.partition, third


def test_a_tenant_that_fails_stops_alone_and_goes_on(plant, away, failing, standing):
    partition, third = standing
    status, ready = plant.readyz()
    assert status == 200 and ready["braked"] == 1
    elsewhere = plant.fresh()
    plant.sender.entry(elsewhere, "a", 1)
    belt.wait_for("other partitions", lambda: plant.entries(elsewhere) == [1])
    assert plant.entries(third) == [1]
    assert plant.commits()[partition] < plant.ends()[partition]
    belt.wait_for("the entries", lambda: len([k for k in plant.entries(failing)]) == 20,
                  PAUSE_S + 30, 0.5)
    tenant, charges = away
    belt.wait_for("the charges", lambda: plant.charges(tenant) == charges, PAUSE_S + 30, 0.5)
    assert [plant.charged(charge) for charge in charges] == 6 * [(1, 1)]
    assert plant.parked(tenant) == plant.parked(failing) == []


def test_a_partition_that_stood_goes_on(plant, standing):
    partition, third = standing
    belt.wait_for("its entry", lambda: plant.entries(third) == [1, 2], PAUSE_S + 10, 0.2)
    plant.no_lag()
    assert plant.commits()[partition] == plant.ends()[partition]
    assert plant.readyz()[1]["braked"] == 0
    assert plant.count("SELECT count(*) FROM reference.dead_letter WHERE error_code <>"
                       " 'bad-record'") == 0
