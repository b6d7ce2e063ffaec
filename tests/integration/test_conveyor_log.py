"""A log that does not go on where it ended: cut before it was read, or made anew under its name."""
import json
import subprocess
import tempfile

import confluent_kafka.admin

import belt
import conveyor
import conveyor_replay as after

TOPIC = conveyor.TOPIC

make_plant = conveyor.fixture()


def cuts(plant):
    """How often the running process saw one."""
    return plant.scrape().sum("esteira_consumer_cuts_total")


def delete_before(plant, offset):
    """As retention does it, but now."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as f:
        json.dump({"version": 1, "partitions": [
            {"topic": TOPIC, "partition": plant.partition, "offset": offset}]}, f)
        f.flush()
        subprocess.run(plant.stack.kafka_tool("DeleteRecordsCommand", "--offset-json-file", f.name), check=True, capture_output=True, timeout=120)


def send(plant, tenant, first, last):
    """Entries with these numbers, in the log."""
    for n in range(first, last):
        plant.sender.entry(tenant, "a", n)
    plant.sender.flush()


def cut(plant, tenant, handled, last, left):
    """So many are handled and the others wait; retention leaves the end of them; the service is back."""
    send(plant, tenant, 0, handled)
    belt.wait_for("the first", lambda: len(plant.entries(tenant)) == handled)
    plant.no_lag()
    plant.stop()
    send(plant, tenant, handled, last)
    delete_before(plant, plant.ends()[plant.partition] - left)
    plant.start()


def test_what_was_cut_is_counted_and_the_rest_is_handled(plant):
    tenant = plant.fresh()
    cut(plant, tenant, 20, 60, 15)
    belt.wait_for("the rest", lambda: plant.entries(tenant) == [*range(20), *range(45, 60)])
    belt.wait_for("a cut", lambda: cuts(plant) == 1)
    plant.no_lag()


def test_nothing_is_left_of_the_log(plant):
    """Nobody waits for records that are gone: the lag would call for workers for ever."""
    tenant = plant.fresh()
    cut(plant, tenant, 5, 30, 0)
    plant.no_lag()
    assert cuts(plant) == 1
    send(plant, tenant, 30, 32)
    belt.wait_for("what follows", lambda: plant.entries(tenant) == [0, 1, 2, 3, 4, 30, 31])


def test_a_topic_made_anew_begins_anew(plant):
    """Its offsets were those of records that were replayed, and of one that ended the process."""
    tenant = plant.fresh()
    for _ in range(10):
        plant.sender.count(tenant, "before", 1)
    plant.sender.flush()
    total = f"SELECT total FROM reference.tally WHERE tenant_id = '{tenant}' AND name ="
    belt.wait_for("the first", lambda: plant.row(f"{total} 'before'") == ("10",))
    plant.no_lag()
    plant.stop()
    plant.reset("--to-earliest", topic=f"{TOPIC}:{plant.partition}")
    plant.start()
    number, _ = after.done(plant, plant.partition)
    plant.stack.psql("INSERT INTO reference.attempt (grp, topic, part, off, count) VALUES"
                     f" ('{conveyor.GROUP}', '{TOPIC}', {plant.partition}, 1, 3)")
    plant.no_lag()
    admin = confluent_kafka.admin.AdminClient(plant.stack.kafka_client_conf())
    admin.delete_topics([TOPIC])[TOPIC].result(30)
    belt.wait_for("an end of the topic", lambda: TOPIC not in admin.list_topics(timeout=10).topics)
    plant.stack.topics()
    for _ in range(7):
        plant.sender.count(tenant, "after", 1)
    plant.sender.flush()
    belt.wait_for("the new ones", lambda: plant.row(f"{total} 'after'") == ("7",), 60)
    plant.no_lag()
    places = [confluent_kafka.TopicPartition(TOPIC, n) for n in range(conveyor.PARTITIONS)]
    belt.wait_for("a commit of every partition, also of those without a record: theirs went with the topic",
                  lambda: all(place.offset >= 0 for place in plant.admin.committed(places, 10)))
    assert plant.row(f"SELECT log_gone, state FROM reference.replay WHERE id = {number}") == (
        "t", "done")
    assert plant.count("SELECT count(*) FROM reference.attempt") == 0
    assert plant.count(f"SELECT count(*) FROM reference.inbox WHERE epoch <> 0 AND tenant_id ="
                       f" '{tenant}'") == 10
