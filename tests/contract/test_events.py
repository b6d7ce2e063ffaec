"""schemas/ and the services' codec tables say the same: every type, field, kind, ceiling, data class and
what is required, in both directions, for every service that reads or writes the type; and what the codecs
write is valid by the schema."""
import copy
import functools
import json
import os
import pathlib
import re
import subprocess

import jsonschema
import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCHEMAS = ROOT / "schemas"
BIN_DIR = os.environ.get("ESTEIRA_BIN_DIR") or ROOT / "build/dev/bin"
TESTS_DIR = pathlib.Path(os.environ.get("ESTEIRA_TESTS_DIR") or pathlib.Path(BIN_DIR).parent / "tests")
# frame: what any of them sends; partner: what intake lets partners send
SERVICES = ("intake", "ocr", "audit", "outreach", "frame", "partner")
FILES = {path.stem: path for folder in (SCHEMAS, SCHEMAS / "partner") for path in folder.glob("*.json")}
TYPES = sorted(FILES)
CLASSES = {"plain", "personal", "capability", "content"}
NAME = re.compile(r"^[a-z]+\.[a-z]+\.[a-z]+\.v[1-9][0-9]*$")
FORMATS = jsonschema.FormatChecker(formats=())


# the library checks date-time only with packages of others
@FORMATS.checks("date-time")
def is_time(value):
    return not isinstance(value, str) or re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", value) is not None


@FORMATS.checks("uuid")
def is_uuid(value):
    return not isinstance(value, str) or re.fullmatch(
        r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", value) is not None


@functools.cache
def schema(name):
    return json.loads(FILES[name].read_text(encoding="utf-8"))


def validate(name, payload):
    jsonschema.Draft202012Validator(schema(name), format_checker=FORMATS).validate(payload)


def program(service):
    return TESTS_DIR / f"contract-tables-{service}"


@functools.cache
def tables(service):
    done = subprocess.run([program(service)], capture_output=True, check=True)
    return json.loads(done.stdout)


def codec(service, name, sink, payload):
    """What the service's codec makes of a payload: (exit code, object or None)."""
    done = subprocess.run([program(service), name, sink], input=json.dumps(payload).encode(),
                          capture_output=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    return done.returncode, json.loads(done.stdout) if done.returncode == 0 else None


def users(name):
    return [service for service in SERVICES if name in tables(service)]


def from_property(name, prop, required):
    """A property of a schema in the words of a codec table."""
    kinds = {("string", None): "text", ("string", "uuid"): "id", ("string", "date-time"): "time",
             ("integer", None): "int", ("number", None): "real", ("boolean", None): "bool",
             ("object", None): "object", ("array", None): "list"}
    field = {"name": name, "kind": kinds[prop["type"], prop.get("format")],
             "class": prop["x-data-class"], "required": required,
             "max": prop.get("maxLength", prop.get("maxItems", 0))}
    inner = prop.get("items", prop if prop["type"] == "object" else None)
    if inner:
        field["fields"] = from_object(inner)
    return field


def from_object(node):
    assert node["additionalProperties"] is False
    assert set(node.get("required", ())) <= set(node["properties"])
    return sorted((from_property(n, p, n in node.get("required", ()))
                   for n, p in node["properties"].items()), key=lambda f: f["name"])


def in_order(fields):
    """A codec table's fields, sorted by name at every level."""
    return sorted(({**f, "fields": in_order(f["fields"])} if "fields" in f else f for f in fields),
                  key=lambda f: f["name"])


def channel_messages():
    """type -> topic, by the AsyncAPI document."""
    api = asyncapi()
    found = {}
    for channel in api["channels"].values():
        for message in channel["messages"].values():
            name = follow(api, message["$ref"])["name"]
            if name not in TYPES:
                continue  # dead letters and the forms of partners: test_asyncapi.py
            assert name not in found
            found[name] = channel["address"].removeprefix("esteira.")
    return found


@functools.cache
def asyncapi():
    return yaml.safe_load((SCHEMAS / "asyncapi.yaml").read_text(encoding="utf-8"))


def follow(node, ref):
    assert ref.startswith("#/")
    for part in ref[2:].split("/"):
        node = node[part]
    return node


def sink_of(name):
    return "jobs" if channel_messages()[name] == "ocr.jobs" else "topic"


@pytest.mark.parametrize("service", SERVICES)
def test_every_table_has_a_schema(service):
    assert set(tables(service)) <= set(TYPES)
    assert tables(service)


@pytest.mark.parametrize("name", TYPES)
def test_every_schema_has_a_table(name):
    assert users(name)


@pytest.mark.parametrize("name", TYPES)
def test_tables_say_what_the_schema_says(name):
    for service in users(name):
        assert in_order(tables(service)[name]) == from_object(schema(name)), service


@pytest.mark.parametrize("name", TYPES)
def test_the_schema_is_one(name):
    doc = schema(name)
    jsonschema.Draft202012Validator.check_schema(doc)
    assert NAME.match(name)
    assert doc["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert doc["$id"] == f"urn:esteira:schema:{name}"
    assert doc["examples"]


def all_properties(node):
    for name, prop in node.get("properties", {}).items():
        yield name, prop
        yield from all_properties(prop)
        yield from all_properties(prop.get("items", {}))


@pytest.mark.parametrize("name", TYPES)
def test_every_property_has_a_class_that_may_travel(name):
    allowed = {"plain", "capability"} if sink_of(name) == "jobs" else {"plain"}
    for field, prop in all_properties(schema(name)):
        assert prop["x-data-class"] in CLASSES, field
        assert prop["x-data-class"] in allowed, field
        assert prop["description"], field


def examples():
    return [(name, i) for name in TYPES for i in range(len(schema(name)["examples"]))]


@pytest.mark.parametrize("name,index", examples())
def test_what_the_codec_writes_is_valid(name, index):
    payload = schema(name)["examples"][index]
    validate(name, payload)
    for service in users(name):
        code, written = codec(service, name, sink_of(name), payload)
        assert code == 0
        validate(name, written)
        assert written == payload


def all_names(payload):
    for key, value in payload.items():
        yield key
        if isinstance(value, dict):
            yield from all_names(value)


@pytest.mark.parametrize("name", TYPES)
def test_examples_cover_every_property(name):
    """Those of all types with the same properties together: no job both fails and has a result."""
    same = [t for t in TYPES if schema(t)["properties"] == schema(name)["properties"]]
    seen = {n for t in same for example in schema(t)["examples"] for n in all_names(example)}
    assert seen == {n for n, _ in all_properties(schema(name))}


@pytest.mark.parametrize("name", TYPES)
def test_readers_refuse_what_the_schema_refuses(name):
    good = schema(name)["examples"][0]
    for field in schema(name)["required"]:
        bad = {k: v for k, v in good.items() if k != field}
        with pytest.raises(jsonschema.ValidationError):
            validate(name, bad)
        for service in users(name):
            assert codec(service, name, "jobs", bad)[0] == 1, (service, field)
            assert codec(service, name, "jobs", {**good, field: [1]})[0] == 1, (service, field)


@pytest.mark.parametrize("name", TYPES)
def test_a_text_over_its_ceiling_is_refused(name):
    good = schema(name)["examples"][0]
    for field, prop in schema(name)["properties"].items():
        if "maxLength" not in prop:
            continue
        for service in users(name):
            full, over = copy.copy(good), copy.copy(good)
            full[field], over[field] = "a" * prop["maxLength"], "a" * (prop["maxLength"] + 1)
            assert codec(service, name, "jobs", full)[0] == 0, (service, field)
            assert codec(service, name, "jobs", over)[0] == 1, (service, field)


@pytest.mark.parametrize("name", TYPES)
def test_readers_pass_over_what_a_newer_writer_adds(name):
    good = schema(name)["examples"][0]
    with pytest.raises(jsonschema.ValidationError):
        validate(name, {**good, "added_later": 1})
    for service in users(name):
        assert codec(service, name, sink_of(name), {**good, "added_later": 1}) == (0, good)


@pytest.mark.parametrize("name", [n for n in TYPES if sink_of(n) == "jobs"])
def test_capabilities_go_to_no_other_topic(name):
    for service in users(name):
        assert codec(service, name, "topic", schema(name)["examples"][0])[0] == 1


def test_asyncapi_has_every_type_once():
    assert sorted(channel_messages()) == TYPES
