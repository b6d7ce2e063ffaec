"""schemas/partner/ and what intake does with partners' data say the same about values, too: what the schema
refuses is refused, what it takes is taken. (Fields, kinds and ceilings: test_events.py.)"""
import json
import subprocess

import jsonschema
import pytest

import test_events as events

TYPES = sorted(path.stem for path in (events.SCHEMAS / "partner").glob("*.json"))
FIELDS = [(name, field) for name in TYPES for field in events.schema(name)["properties"]]


def rewrite(name, data):
    """What goes into the suite, or None; data may be JSON text."""
    text = data if isinstance(data, bytes) else json.dumps(data).encode()
    done = subprocess.run([events.TESTS_DIR / "contract-partner-data", name], input=text,
                          capture_output=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    if done.returncode == 1:
        assert done.stderr.startswith(b"bad-record: "), done.stderr
        return None
    return json.loads(done.stdout)


def edges(prop):
    """Values at and beyond what the schema allows."""
    if "enum" in prop:
        yield from (*prop["enum"], "", prop["enum"][0] + " ", prop["enum"][0].upper(), " ".join(prop["enum"]))
    if prop["type"] == "integer":
        yield from (prop["minimum"], prop["minimum"] - 1, prop["maximum"], prop["maximum"] + 1,
                    -2**63, 2**63 - 1, 1.5, "1")
    if prop["type"] == "string" and "format" not in prop:
        yield from ("", 7, True)
    if "pattern" in prop:
        yield from ("2026-12-31", "2026-13-01", "2026-1-31", "26-12-31", "2026-12-31T", "2026-12-00",
                    "2026-12-32", "abcd-ef-gh", "2026/12/31", "2026-12-3")


def is_valid(name, data):
    try:
        events.validate(name, data)
    except jsonschema.ValidationError:
        return False
    return True


@pytest.mark.parametrize("name,field", FIELDS)
def test_values_are_judged_alike(name, field):
    prop, good = events.schema(name)["properties"][field], events.schema(name)["examples"][0]
    for value in edges(prop):
        data = {**good, field: value}
        assert (rewrite(name, data) is not None) == is_valid(name, data), (field, value)


@pytest.mark.parametrize("name", TYPES)
def test_examples_come_through_without_what_is_unknown(name):
    for example in events.schema(name)["examples"]:
        assert rewrite(name, {**example, "cpf": "123", "nested": {"a": [1]}}) == example


@pytest.mark.parametrize("name", TYPES)
def test_every_class_is_plain(name):
    """What partners send goes on to topics in clear."""
    assert {prop["x-data-class"] for prop in events.schema(name)["properties"].values()} == {"plain"}


@pytest.mark.parametrize("day", ["2026-02-29", "2026-02-30", "2026-04-31", "2100-02-29"])
def test_a_day_that_does_not_exist_is_refused(day):
    """More than a pattern can say."""
    name = "partner.charge.requested.v1"
    assert rewrite(name, {**events.schema(name)["examples"][0], "due_date": day}) is None


def test_a_key_twice_is_refused():
    name = "partner.charge.requested.v1"
    good = json.dumps(events.schema(name)["examples"][0])
    assert rewrite(name, (good[:-1] + ', "kind": "pix"}').encode()) is None
