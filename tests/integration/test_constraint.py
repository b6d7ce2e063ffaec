"""A constraint that a handler's row breaks is the record's end, not the process's."""
import json
import uuid

import confluent_kafka

import belt
import rig

REFUSED = "f" * 64


def entry(tenant, event_id, document_hash):
    """A record of audit.trail as another producer might write it: key, value, headers."""
    headers = {
        "ce_specversion": "1.0", "ce_id": event_id, "ce_type": "audit.entry.recorded.v1",
        "ce_source": "/esteira/test", "ce_time": "2026-01-01T00:00:00.000Z",
        "ce_tenantid": tenant, "content-type": "application/json"}
    value = {"job_id": str(uuid.uuid4()), "action": "RECEIVED", "document_hash": document_hash,
             "occurred_at": "2026-01-01T00:00:00.000Z", "metadata": {}}
    return {"key": tenant, "value": json.dumps(value), "headers": headers, "partition": 0}


def test_a_constraint_buries_the_record():
    """Found in review: every class-23 answer was fatal, so one such record was a crash loop. Only the
    frame's own rows, which no constraint can refuse, still end the process."""
    with rig.temporary(("alfa",), ("audit",)) as plant:
        stack, tenant = plant.stack, plant.tenant_id("alfa")
        pid, (bad, good, last) = stack.pid("audit-1"), (str(uuid.uuid4()) for _ in range(3))
        producer = confluent_kafka.Producer(stack.kafka_client_conf())

        def send(event_id, document_hash):
            producer.produce("esteira.audit.trail", **entry(tenant, event_id, document_hash))
            assert producer.flush(20) == 0

        def logged(event_id):
            return plant.count(f"SELECT count(*) FROM audit.audit_logs WHERE event_id = '{event_id}'")
        stack.psql("ALTER TABLE audit.audit_logs ADD CONSTRAINT t CHECK "
                   f"(document_hash <> '{REFUSED}')")
        send(bad, REFUSED)
        send(good, "a" * 64)
        belt.wait_for("the one behind it", lambda: logged(good) == 1, 40)
        assert stack.psql("SELECT event_id, error_code, left(error_message, 5) FROM "
                          "audit.dead_letter").strip() == f"{bad}|bad-record|23514"
        assert stack.pid("audit-1") == pid

        stack.psql(f"ALTER TABLE audit.inbox ADD CONSTRAINT t CHECK (event_id <> '{last}')")
        send(last, "b" * 64)
        belt.wait_for("the end of the process", lambda: stack.pid("audit-1") is None, 40)
        stack.psql("ALTER TABLE audit.inbox DROP CONSTRAINT t")
        stack.start_one("audit-1")
        belt.wait_for("the entry", lambda: logged(last) == 1, 40)
        assert plant.count("SELECT count(*) FROM audit.dead_letter") == 1
