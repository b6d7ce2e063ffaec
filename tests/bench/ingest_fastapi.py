"""The comparison of tests/bench/ingest.py: the same endpoint as one would write it with FastAPI and aiokafka.

It takes a CloudEvent, knows its API key from memory, checks the data against a model, derives the same id, and answers
202 when the broker has it (acks=all, idempotent). uvicorn with uvloop and httptools, one worker.
"""
import contextlib
import hashlib
import os
import uuid
from datetime import date
from typing import Annotated, Literal

from aiokafka import AIOKafkaProducer
from fastapi import FastAPI, Header, HTTPException
from pydantic import AwareDatetime, BaseModel, Field

NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "esteira.events")
TOPIC, TENANT = os.environ["INGEST_TOPIC"], os.environ["INGEST_TENANT"]
KEYS = {hashlib.sha256(os.environ["INGEST_KEY"].encode()).digest(): TENANT}
PRODUCER = []


class Charge(BaseModel):
    """partner.charge.requested.v1"""
    charge_id: Annotated[str, Field(min_length=1, max_length=64)]
    kind: Literal["boleto", "pix"]
    amount_cents: Annotated[int, Field(gt=0, strict=True)]
    due_date: date
    description: Annotated[str | None, Field(max_length=255)] = None


class Event(BaseModel):
    """A CloudEvent."""
    specversion: Literal["1.0"]
    type: Literal["partner.charge.requested.v1"]
    id: Annotated[str | None, Field(min_length=1, max_length=255)] = None
    source: Annotated[str, Field(max_length=255)] = "/partners/self"
    subject: str | None = None
    time: AwareDatetime | None = None
    data: Charge


@contextlib.asynccontextmanager
async def lifespan(_):
    """One producer for as long as the process lives."""
    producer = AIOKafkaProducer(bootstrap_servers=os.environ["INGEST_KAFKA"], acks="all",
                                enable_idempotence=True, linger_ms=1)
    await producer.start()
    PRODUCER.append(producer)
    yield
    await producer.stop()


app = FastAPI(lifespan=lifespan)


@app.post("/v1/events", status_code=202)
async def post_event(event: Event, x_api_key: Annotated[str, Header()],
                     idempotency_key: Annotated[str | None, Header()] = None):
    """One event."""
    tenant = KEYS.get(hashlib.sha256(x_api_key.encode()).digest())
    if tenant is None:
        raise HTTPException(401)
    sent = event.id or (f"{idempotency_key}/0" if idempotency_key else None)
    if sent is None:
        raise HTTPException(422)
    event_id = str(uuid.uuid5(NAMESPACE, "\x1f".join([tenant, "self", event.source, sent])))
    headers = [("ce_specversion", b"1.0"), ("ce_id", event_id.encode()), ("ce_type", event.type.encode()),
               ("ce_source", b"/partners/self"), ("ce_tenantid", tenant.encode()),
               ("content-type", b"application/json")]
    if event.time is not None:
        headers.append(("ce_time", event.time.isoformat().encode()))
    await PRODUCER[0].send_and_wait(TOPIC, event.data.model_dump_json(exclude_none=True).encode(),
                                    key=tenant.encode(), headers=headers)
    return {"accepted": 1, "refused": 0, "items": [{"index": 0, "id": event_id, "status": "accepted"}]}
