"""What a process says about itself: /metrics against docs/metrics.md, and the figures against what happened."""
import json
import os
import re
import urllib.request
import uuid

import belt
import conveyor
import reference
from scrape import documented

ENTRY, CHARGE = "reference.entry.requested.v1", "reference.charge.requested.v1"
SPEC = re.compile(r"METRICS_(COUNTER|GAUGE|HISTOGRAM),\s*\"(\w+)\"")


def declared():
    """name -> type of every row the programs register."""
    found = {}
    for folder in ("libshared", "services"):
        for path, _, files in os.walk(os.path.join(belt.ROOT, folder)):
            for name in (name for name in files if name.endswith(".c")):
                with open(os.path.join(path, name), encoding="utf-8") as f:
                    found.update({n: kind.lower() for kind, n in SPEC.findall(f.read())})
    return found


make_plant = conveyor.fixture()


def test_every_metric_is_documented():
    assert {name: kind for name, (kind, *_) in documented().items()} == declared()


def test_figures(plant):
    tenant, charge = str(uuid.uuid4()), f"c-{uuid.uuid4()}"
    plant.provider.tell("500-after", key=charge)
    plant.provider.tell_lookups(500)
    with reference.Sender(plant.stack) as sender:
        twice = sender.entry(tenant, "k", 1)
        sender.entry(tenant, "k", 1, event_id=twice)
        sender.entry(tenant, "k", 2, "reject")
        sender.entry(tenant, "slow", 1, "slow:300")
        sender.charge(tenant, charge)

    def settled():
        seen = plant.scrape()
        return (seen.sum("esteira_records_total", type=ENTRY) == 4
                and seen.sum("esteira_effects", state="unknown") == 1
                and seen.sum("esteira_outbox_delay_seconds_count") >= 3
                and seen.sum("esteira_dead_letters_open") == 1)
    belt.wait_for("four entries and an effect nobody knows about", settled, 60)
    seen = plant.scrape()
    for outcome, count in (("done", 2), ("duplicate", 1), ("dead", 1)):
        assert seen.sum("esteira_records_total", type=ENTRY, outcome=outcome) == count, outcome
    assert seen.sum("esteira_dead_letters_total", **{"class": "schema"}) == 1
    assert seen.sum("esteira_dead_letters_open", **{"class": "schema"}) == 1
    assert 0 < seen.sum("esteira_dead_letter_oldest_seconds") < 90
    assert seen.sum("esteira_record_failures_total", **{"class": "schema"}) == 1
    # the broken one ran too; the slow one's own time, though others may have waited for it
    assert seen.sum("esteira_handler_seconds_count", type=ENTRY) == 3
    assert 0.3 <= seen.sum("esteira_handler_seconds_sum", type=ENTRY) < 0.6
    assert seen.sum("esteira_handler_seconds_bucket", type=ENTRY, le="0.25") == 2
    delays = seen.sum("esteira_outbox_delay_seconds_count")
    assert delays == seen.sum("esteira_outbox_published_total")
    assert 0 < seen.sum("esteira_outbox_delay_seconds_sum") < 60 * delays
    assert seen.sum("esteira_effects", state="sending") == 0
    assert seen.sum("esteira_consumer_rebalances_total") >= 1
    assert seen.sum("process_resident_memory_bytes") > 1e6


def test_what_is_shown_is_documented(plant):
    seen, known = plant.scrape(), documented()
    assert not list(seen.undocumented())
    missing = {name for name, (_, _, what) in known.items() if not what.startswith((
        "`intake`", "`ocr`", "`outreach`", "with traces", "with TLS"))}  # and this plant has neither
    missing -= {seen.family(name) for name, *_ in seen.samples}
    assert missing == {"esteira_dependency_outages_total"}  # nothing went away


def test_age_and_lag_grow_while_a_record_is_worked_on(plant):
    tenant = str(uuid.uuid4())
    with reference.Sender(plant.stack) as sender:
        sender.entry(tenant, "slow", 1, "slow:6000")
        for n in range(5):
            sender.entry(tenant, "slow", n + 2)
    belt.wait_for("an old record", lambda: plant.scrape().sum(
        "esteira_oldest_unhandled_seconds") > 1, 20)
    belt.wait_for("a watermark that stands", lambda: plant.scrape().sum(
        "esteira_consumer_watermark_still_seconds") > 1, 20)
    seen = plant.scrape()
    assert seen.sum("esteira_consumer_lag_records") >= 6
    assert seen.sum("esteira_consumer_runnable_lag_records") == \
        seen.sum("esteira_consumer_lag_records")
    belt.wait_for("nothing left", lambda: plant.scrape().sum(
        "esteira_oldest_unhandled_seconds") == 0, 30)
    belt.wait_for("no lag", lambda: plant.scrape().sum("esteira_consumer_lag_records") == 0, 30)
    belt.wait_for("a watermark at its end", lambda: plant.scrape().sum(
        "esteira_consumer_watermark_still_seconds") == 0, 10)


def test_health(plant):
    admin = plant.stack.service("reference", 1).admin
    with urllib.request.urlopen(admin + "/livez", timeout=10) as got:
        assert json.load(got) == {"status": "alive"}
    status, state = plant.readyz()
    assert status == 200
    assert {"partitions", "braked", "holds", "parked", "dependencies"} <= set(state)


def test_ways_to_our_servers(plant):
    seen = plant.scrape()
    for dependency in ("postgres", "kafka"):
        assert seen.sum("esteira_dependency_up", dependency=dependency) == 1
    trips = seen.sum("esteira_postgres_seconds_count")
    assert trips > 10 and 0 < seen.sum("esteira_postgres_seconds_sum") < trips
    assert seen.sum("esteira_pool_size", pool="workers") == 2
    assert seen.sum("esteira_pool_busy") <= 2
    assert seen.sum("esteira_outbox_events") == 0
    plant.stack.stop_one("postgres")
    belt.wait_for("Postgres to be away", lambda: plant.scrape().sum(
        "esteira_dependency_up", dependency="postgres") == 0, 30)
    plant.stack.start_one("postgres")
    belt.wait_for("Postgres to be back", lambda: plant.scrape().sum(
        "esteira_dependency_up", dependency="postgres") == 1, 60)
    seen = plant.scrape()
    assert seen.sum("esteira_dependency_outages_total", dependency="postgres", code="postgres-away") >= 1
