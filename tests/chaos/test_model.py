"""The load of a chaos run when its own producer breaks: nothing of what was sent is forgotten or counted twice."""
import pytest
from confluent_kafka import KafkaException

import model
from model import Load


class Message:
    """What a delivery report says."""

    def __init__(self, offset):
        self.place = offset

    def partition(self):
        """Always the same."""
        return 0

    def offset(self):
        """Its place."""
        return self.place

    def timestamp(self):
        """Nobody looks."""
        return (1, 0)


class Producer:
    """Takes `good` records, keeps the next ones to itself and is broken."""
    log, good = [], 0

    def __init__(self):
        self.kept = []

    def produce(self, _topic, _value, _tenant, headers=None, on_delivery=None):
        """One record."""
        name = dict(headers or [])["ce_id"]
        if Producer.good == 0:
            self.kept.append(on_delivery)
            raise KafkaException("fatal")
        Producer.good -= 1
        Producer.log.append(name)
        on_delivery(None, Message(len(Producer.log)))

    def purge(self):
        """What it kept is reported as lost."""
        for report in self.kept:
            report("purged", None)

    def flush(self, _seconds):
        """Nothing more."""

    poll = flush


class Sender(model.Sender):
    """On that producer."""

    def __init__(self, _stack, **_):  # pylint: disable=super-init-not-called
        self.producer = Producer()
        Producer.good = 3


@pytest.fixture(name="load")
def make_load(monkeypatch):
    monkeypatch.setattr(model, "Sender", Sender)
    Producer.log = []
    load = Load(None, 1, 20)
    yield load
    load.close()


def test_a_broken_producer_is_replaced(load):
    made = [load.entry(load.loud, "k0") for _ in range(10)]
    assert Producer.log == [one.event_id for one in made]
    assert (load.model.sent, load.model.taken, load.model.lost, load.model.pending) == (10, 10, 0, 0)
    assert [one.offset for one in load.model.inputs()] == list(range(1, 11))
    assert not load.on_their_way
