"""A receiver of traces: OTLP over HTTP in JSON, read as strictly as proto3 and OTLP write it down.

What is wrong with a request is kept in .wrong, which every test asks for at its end. The messages are those of
opentelemetry/proto/trace/v1 and common/v1, version 1.11; what is not among them is an unknown member.
"""
import json
import os
import re
import time

import belt
from stub import Stub

ROW = re.compile(r'^X\((\w+), "([^"]+)", (TEXT|INT), "(semconv|own)", "([^"]*)"\)$', re.M)
INTERNAL, SERVER, CLIENT, PRODUCER, CONSUMER = range(1, 6)


def names():
    """name -> (type, whose, what) of the one table of names."""
    with open(os.path.join(belt.ROOT, "libshared/model/otlp_names.def"), encoding="utf-8") as f:
        rows = ROW.findall(f.read())
    assert len({name for _, name, *_ in rows}) == len(rows) > 20
    return {name: rest for _, name, *rest in rows}


# --- the mapping: member -> what its value has to be ---

def text(value):
    """A string."""
    return isinstance(value, str)


def number(value):
    """A 32-bit unsigned integer, or an enum: a JSON number."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 32


def int64(value):
    """A 64-bit integer: a decimal string."""
    return isinstance(value, str) and re.fullmatch(r"-?(0|[1-9]\d*)", value) and -1 << 63 <= int(value) < 1 << 63


def time64(value):
    """A fixed64 that is a time of these years."""
    return int64(value) and abs(int(value) / 1e9 - time.time()) < 3600


def hex_id(digits):
    """An id in lower-case hex, not all zero."""
    return lambda value: text(value) and re.fullmatch(f"[0-9a-f]{{{digits}}}", value) and set(value) != {"0"}


def enum(most):
    """A number of an enum, never its name."""
    return lambda value: number(value) and value <= most


ANY_VALUE = {"stringValue": text, "boolValue": lambda value: isinstance(value, bool), "intValue": int64,
             "doubleValue": lambda value: isinstance(value, (int, float)), "bytesValue": text}
KEY_VALUE = {"key": text, "value": ANY_VALUE}
RESOURCE = {"attributes": [KEY_VALUE], "droppedAttributesCount": number}
SCOPE = {"name": text, "version": text, "attributes": [KEY_VALUE], "droppedAttributesCount": number}
STATUS = {"message": text, "code": enum(2)}
EVENT = {"timeUnixNano": time64, "name": text, "attributes": [KEY_VALUE], "droppedAttributesCount": number}
LINK = {"traceId": hex_id(32), "spanId": hex_id(16), "traceState": text, "attributes": [KEY_VALUE],
        "droppedAttributesCount": number, "flags": number}
SPAN = {"traceId": hex_id(32), "spanId": hex_id(16), "traceState": text, "parentSpanId": hex_id(16), "flags": number,
        "name": text, "kind": enum(5), "startTimeUnixNano": time64, "endTimeUnixNano": time64,
        "attributes": [KEY_VALUE], "droppedAttributesCount": number, "events": [EVENT], "droppedEventsCount": number,
        "links": [LINK], "droppedLinksCount": number, "status": STATUS}
REQUEST = {"resourceSpans": [{"resource": RESOURCE, "schemaUrl": text, "scopeSpans": [
    {"scope": SCOPE, "spans": [SPAN], "schemaUrl": text}]}]}
NEEDED = {"traceId", "spanId", "name", "kind", "startTimeUnixNano", "endTimeUnixNano"}


def check(shape, value, place="$"):
    """Where value is not of this shape."""
    if callable(shape):
        return [] if shape(value) else [f"{place}: {value!r} is no {shape.__name__}"]
    if isinstance(shape, list):
        if not isinstance(value, list):
            return [f"{place} is no list"]
        return [fault for n, item in enumerate(value) for fault in check(shape[0], item, f"{place}[{n}]")]
    if not isinstance(value, dict):
        return [f"{place} is no object"]
    faults = [f"{place}.{name} is unknown" for name in value if name not in shape]
    if shape is ANY_VALUE and len(value) != 1:
        faults.append(f"{place} has {len(value)} values")
    if shape is SPAN:
        faults += [f"{place}.{name} is missing" for name in NEEDED - set(value)]
        if not faults and int(value["endTimeUnixNano"]) < int(value["startTimeUnixNano"]):
            faults.append(f"{place} ends before it begins")
    return faults + [fault for name in value if name in shape
                     for fault in check(shape[name], value[name], f"{place}.{name}")]


def attributes(message):
    """key -> value of a list of KeyValue; int64 as int."""
    found = {}
    for item in message.get("attributes", []):
        (kind, value), = item["value"].items()
        assert item["key"] not in found, f"{item['key']} twice"
        found[item["key"]] = int(value) if kind == "intValue" else value
    return found


def check_names(message, known, place):
    """Only names of the table, and of its type."""
    kinds = {"TEXT": "stringValue", "INT": "intValue"}
    for item in message.get("attributes", []):
        name = item["key"]
        if name not in known:
            yield f"{place}: {name} is not in the table of names"
        elif kinds[known[name][0]] not in item["value"]:
            yield f"{place}: {name} is of another type than in the table"


class Span:
    """One span, with its resource's attributes beside its own."""

    def __init__(self, raw, resource):
        self.raw, self.resource, self.attributes = raw, attributes(resource), attributes(raw)
        self.id, self.trace, self.parent = raw["spanId"], raw["traceId"], raw.get("parentSpanId", "")
        self.name, self.kind = raw["name"], raw["kind"]
        self.began, self.ended = int(raw["startTimeUnixNano"]), int(raw["endTimeUnixNano"])
        self.failed = raw.get("status", {}).get("code") == 2
        self.service = self.resource["service.name"].removeprefix("esteira-")

    def __repr__(self):
        return f"{self.service}: {self.name} {self.attributes.get('cloudevents.event_type', '')}".strip()


class Receiver(Stub):
    """Answers 200 unless told otherwise: tell(503, 200) for the next ones, the last one stays.

    Words instead of a status: "hang" (never answers), "busy:N" (503, Retry-After: N), "partial:N" (refuses N spans).
    """

    def __init__(self, pair=None):
        self.requests, self.spans, self.wrong = [], [], []
        self.plan, self.known = [200], names()
        super().__init__(pair)

    def tell(self, *plan):
        """How the next requests are answered."""
        with self.lock:
            self.plan = list(plan)

    def take(self, handler):
        """One request."""
        raw = self.body(handler)
        with self.lock:
            what = self.plan.pop(0) if len(self.plan) > 1 else self.plan[0]
            self.requests.append((what, dict(handler.headers.items()), raw))
            if handler.path != "/v1/traces" or handler.headers.get("Content-Type") != "application/json":
                self.wrong.append(f"{handler.path} {handler.headers.get('Content-Type')}")
            self.read(raw, what == 200 or str(what).startswith("partial"))
        if what == "hang":
            self.hang(handler)
            return
        word, _, more = str(what).partition(":")
        self.answer(handler, {"busy": 503, "partial": 200}.get(word) or what,
                    {"partialSuccess": {"rejectedSpans": more}} if word == "partial" else {},
                    {"Retry-After": more} if word == "busy" else {})

    def read(self, raw, keep):
        """Judges a request, keeps its spans."""
        try:
            body = json.loads(raw)
        except ValueError as e:
            self.wrong.append(f"no JSON: {e}")
            return
        self.wrong += check(REQUEST, body)
        for of_resource in body["resourceSpans"]:
            self.wrong += check_names(of_resource["resource"], self.known, "resource")
            for of_scope in of_resource["scopeSpans"]:
                if not of_scope["spans"]:
                    self.wrong.append("a request without spans")
                for span in of_scope["spans"]:
                    self.wrong += check_names(span, self.known, span.get("name"))
                    if keep and not self.wrong:
                        self.spans.append(Span(span, of_resource["resource"]))

    def of(self, trace):
        """The spans of a trace so far."""
        with self.lock:
            return [span for span in self.spans if span.trace == trace]

    def bodies(self):
        """All that ever came, as bytes."""
        with self.lock:
            return b"\n".join(raw for *_, raw in self.requests)


def tree(spans, root):
    """What follows from a span id, as sorted (label, tree) pairs."""
    return sorted((repr(span), tree(spans, span.id)) for span in spans if span.parent == root)


def draw(branches, indent=""):
    """The tree as lines."""
    return "".join(f"{indent}{label}\n{draw(below, indent + '  ')}" for label, below in branches)
