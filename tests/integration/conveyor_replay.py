"""What the tests of replays ask: what handlers wrote, what was told, how a replay stands."""
import belt
import conveyor
import rig

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
