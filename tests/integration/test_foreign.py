"""Records that no producer of ours writes must not stop what is behind them."""
import confluent_kafka

import belt
import rig

TOPIC = "esteira.ocr.events"


def test_foreign_records_too_large_to_bury():
    """Found in review: a value of nearly 1 MB made a dead letter that no topic takes, and so stopped the
    relay for everybody, as did a key of that size; more than 64 KiB of headers could never be buried
    and froze the partition."""
    with rig.temporary(("alfa",), ("audit", "ocr", "intake")) as plant:
        producer = confluent_kafka.Producer({**plant.stack.kafka_client_conf(),
                                             "message.max.bytes": 4000000})
        producer.produce(TOPIC, value=b"b" * 1048000, partition=0)
        producer.produce(TOPIC, value=b"x", headers={"h": b"a" * 66000}, partition=1)
        producer.produce(TOPIC, value=b"x", key=b"k" * 1048000, partition=2)
        producer.produce(TOPIC, value=b"v" * 786432, key=b"k" * 261000, partition=3)
        producer.flush(20)
        belt.wait_for("all buried", lambda: plant.count(
            "SELECT count(*) FROM intake.dead_letter") == 4, 40)
        assert plant.count("SELECT count(*) FROM intake.dead_letter WHERE part = 1 AND"
                           " error_message = 'headers over 64 KiB'") == 1
        belt.wait_for("an empty outbox", lambda: plant.count(
            "SELECT count(*) FROM intake.outbox") == 0, 40)
        client = plant.client()
        belt.finish(client, client.send(belt.tiny_pdf("Uma folha atrás das outras")))
