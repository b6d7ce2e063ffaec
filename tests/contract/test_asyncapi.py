"""schemas/asyncapi.yaml is valid by the AsyncAPI 3.0.0 schema and says what the programs do: every topic with
its settings as estctl makes them, who reads it in which group, what is sent on it, and under which headers."""
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
OFFICIAL = json.loads((ROOT / "tests/contract/asyncapi-3.0.0.json").read_text(encoding="utf-8"))
API_TEXT = (SCHEMAS / "asyncapi.yaml").read_text(encoding="utf-8")
API = yaml.safe_load(API_TEXT)
SERVICES = ("intake", "ocr", "audit", "outreach")
OUTSIDE = "the partner"
FORMS = ("partnerBinary", "partnerStructured", "partnerEnvelope")
CHANNELS, OPERATIONS, MESSAGES = API["channels"], API["operations"], API["components"]["messages"]
FILES = {path.stem: path for folder in ("", "partner") for path in (SCHEMAS / folder).glob("*.json")}
OF_PARTNERS = {path.stem for path in (SCHEMAS / "partner").glob("*.json")}


# --- the document as a whole: references and traits ---

@functools.cache
def schema_file(path):
    return json.loads((SCHEMAS / path).read_text(encoding="utf-8"))


def follow(ref):
    """What a reference leads to; KeyError or FileNotFoundError when nowhere."""
    if not ref.startswith("#/"):
        return schema_file(ref)
    node = API
    for part in ref[2:].split("/"):
        node = node[part.replace("~1", "/").replace("~0", "~")]
    return node


def inline(node):
    """The node with every reference replaced by what it leads to."""
    if isinstance(node, list):
        return [inline(item) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return inline(follow(node["$ref"]))
    return {key: inline(value) for key, value in node.items()}


def refs(node):
    """Every reference below the node, as it is written."""
    if isinstance(node, list):
        for item in node:
            yield from refs(item)
    elif isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"]
        for item in node.values():
            yield from refs(item)


def deep_refs(node):
    """Likewise, and below what they lead to."""
    for ref in refs(node):
        yield ref
        if ref.startswith("#/"):
            yield from deep_refs(follow(ref))


def merge(under, over):
    """JSON merge patch; what a message says itself wins over its traits."""
    if not isinstance(under, dict) or not isinstance(over, dict):
        return over
    return {key: merge(under.get(key), over[key]) if key in over else under[key]
            for key in {**under, **over}}


@functools.cache
def message(name):
    """A message without references, its traits merged in."""
    whole = inline(MESSAGES[name])
    for trait in whole.pop("traits", ()):
        whole = merge(trait, whole)
    return whole


# --- what the programs say ---

def run(*command):
    env = {"PATH": os.environ["PATH"], "ESTEIRA_KAFKA_BROKERS": "none:1"}
    return subprocess.run(command, check=True, capture_output=True, text=True, env=env, timeout=60).stdout


@functools.cache
def programs():
    return json.loads(run(TESTS_DIR / "contract-topics"))


@functools.cache
def acls():
    """What estctl partner add lets a partner do, of a partner called {slug}."""
    return run(TESTS_DIR / "contract-topics", "0slug0").replace("0slug0", "{slug}")


@functools.cache
def types_of(service):
    """The types a service has field tables for, and those that all have."""
    return {name for program in (service, "frame", *(["partner"] if service == "intake" else []))
            for name in json.loads(run(TESTS_DIR / f"contract-tables-{program}"))}


@functools.cache
def symbols(service):
    """C names of the types a service knows -> types."""
    pattern = re.compile(r'^const struct codec_type (\w+) = \{\s*"([^"]+)"', re.M)
    return {name: kind for folder in (f"services/{service}", "libshared/frame")
            for path in (ROOT / folder).rglob("*.c")
            for name, kind in pattern.findall(path.read_text(encoding="utf-8"))}


def routed(service):
    """The types a service has a handler for."""
    text = run("gcc", "-E", "-P", "-I", ROOT / "libshared", "-I", ROOT / f"services/{service}",
               ROOT / f"services/{service}/main.c")
    return {symbols(service)[name] for name in re.findall(r"\.type = &(\w+)", text)}


def names_of(operation):
    """The messages of an operation; all of its channel when it lists none."""
    if "messages" not in operation:
        return set(follow(operation["channel"]["$ref"])["messages"])
    return {ref["$ref"].rpartition("/")[2] for ref in operation["messages"]}


def types_in(action, service):
    """The event types a service sends or receives by the document."""
    return {MESSAGES[name]["name"] for operation in OPERATIONS.values() for name in names_of(operation)
            if operation["action"] == action and {"name": service} in operation["tags"]} & set(FILES)


def address_of(operation):
    return follow(operation["channel"]["$ref"])["address"]


def group_of(operation):
    return operation["bindings"]["kafka"]["groupId"]


def is_dlq(address):
    return address.endswith(".dlq")


# --- valid ---

class Resolver:
    """References inside the official schema; the library's own stumbles over a property called $id there."""

    push_scope = pop_scope = staticmethod(lambda *_: None)

    @staticmethod
    def resolve(ref):
        assert ref.startswith("#/"), ref
        return "", functools.reduce(lambda node, part: node[part], ref[2:].split("/"), OFFICIAL)


def errors(document):
    found = jsonschema.Draft7Validator(OFFICIAL, resolver=Resolver()).iter_errors(document)
    return [f"{'/'.join(map(str, e.absolute_path))}: {e.message[:200]}" for e in found]


def repeated(node):
    """Keys of YAML that are there twice, of which the library would take the last."""
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from repeated(item)
    elif isinstance(node, yaml.MappingNode):
        keys = [key.value for key, _ in node.value]
        yield from {key for key in keys if keys.count(key) > 1}
        for _, value in node.value:
            yield from repeated(value)


def test_no_key_is_there_twice():
    assert not list(repeated(yaml.compose(API_TEXT)))
    assert list(repeated(yaml.compose("a: [{b: 1, b: 2}]"))) == ["b"]


def test_valid_as_it_is_written():
    assert not errors(API)


def test_valid_with_every_reference_followed():
    whole = inline({key: value for key, value in API.items() if key != "operations"})
    assert not errors({**whole, "operations": API["operations"]})
    merged = {name: message(name) for name in MESSAGES}
    assert not errors({**API, "components": {**API["components"], "messages": merged}})


def broken(change):
    document = copy.deepcopy(API)
    change(document)
    return document


@pytest.mark.parametrize("change", [
    lambda d: d.pop("info"),
    lambda d: d.update(asyncapi="2.6.0"),
    lambda d: d["channels"]["ocrJobs"].update(adress="x"),
    lambda d: d["operations"]["ocrReceivesOcrJobs"].update(action="read"),
    lambda d: d["operations"]["ocrReceivesOcrJobs"].pop("channel"),
    lambda d: d["components"]["messages"]["deadLetter"].update(nmae="x"),
    lambda d: d["components"]["messages"]["deadLetter"].update(payload={"type": "text"}),
    lambda d: d["components"]["channelBindings"]["topic"]["kafka"].update(partitions=0),
    lambda d: d["components"]["channelBindings"]["topic"]["kafka"]["topicConfiguration"].update(
        {"cleanup.policy": "delete"}),
], ids=range(9))
def test_the_official_schema_finds_what_is_wrong(change):
    assert errors(broken(change))


def test_every_reference_leads_somewhere():
    for ref in refs(API):
        follow(ref)
    for path in FILES.values():
        assert not list(refs(json.loads(path.read_text(encoding="utf-8"))))


def test_operations_refer_to_their_channels_messages():
    """The schema cannot say it: a list of messages holds some of the channel's own."""
    for name, operation in OPERATIONS.items():
        assert re.fullmatch(r"#/channels/\w+", operation["channel"]["$ref"]), name
        for ref in refs(operation.get("messages", [])):
            assert ref.startswith(operation["channel"]["$ref"] + "/messages/"), name


def test_parameters_are_those_of_the_address():
    for name, channel in CHANNELS.items():
        assert set(re.findall(r"\{(\w+)\}", channel["address"])) == set(channel.get("parameters", ())), name


def test_nothing_is_left_over():
    used = set(deep_refs([CHANNELS, OPERATIONS]))
    for kind, parts in API["components"].items():
        for name in parts:
            assert f"#/components/{kind}/{name}" in used, name
    for action in ("send", "receive"):
        for name, channel in CHANNELS.items():
            if action == "receive" and is_dlq(channel["address"]):
                continue
            done = [names_of(o) for o in OPERATIONS.values()
                    if o["action"] == action and o["channel"]["$ref"] == f"#/channels/{name}"]
            left = set(channel["messages"]) - set().union(*done)
            assert done and (action == "receive" or not left), (name, action, left)


# --- topics ---

def partner_topics():
    return set(re.findall(r"--topic (\S+)", acls()))


def test_every_topic_is_there_and_no_other():
    wanted = {row["topic"] for row in programs()["plan"]} | partner_topics()
    addresses = [channel["address"] for channel in CHANNELS.values()]
    assert sorted(addresses) == sorted(wanted)
    assert len(partner_topics()) == 2


@pytest.mark.parametrize("name", CHANNELS)
def test_a_topic_is_as_estctl_makes_it(name):
    address = CHANNELS[name]["address"]
    partitions = {row["topic"]: row["partitions"] for row in programs()["plan"]}
    common = programs()["plan"][0]["partitions"]
    settings = dict(programs()["settings_dlq" if is_dlq(address) else "settings"])
    kafka = inline(CHANNELS[name]["bindings"])["kafka"]
    assert kafka["partitions"] == partitions.get(address, common)
    assert kafka["replicas"] == settings.pop("replicas")
    written = {key: ",".join(value) if isinstance(value, list) else str(value)
               for key, value in kafka["topicConfiguration"].items()}
    assert written == settings


def test_a_dead_letters_topic_has_nothing_else():
    for name, channel in CHANNELS.items():
        assert is_dlq(channel["address"]) == ("deadLetter" in channel["messages"]), name
        assert is_dlq(channel["address"]) == ("x-ordering-key" not in channel), name
        assert len(channel["messages"]) == 1 or not is_dlq(channel["address"]), name


def test_a_tenant_spreads_as_it_is_written():
    written = {c["address"]: c["x-partitions-per-tenant"] for c in CHANNELS.values()
               if "x-partitions-per-tenant" in c}
    assert written == {topic: row["spread"] for topic, row in programs()["topics"].items()}


# --- who does it ---

def test_readers_are_the_programs():
    receives = [o for o in OPERATIONS.values() if o["action"] == "receive"]
    written = {(address_of(o), tag["name"], group_of(o).get("const")) for o in receives for tag in o["tags"]
               if tag["name"] != OUTSIDE}
    bridge = (ROOT / "services/intake/partner/bridge.c").read_text(encoding="utf-8")
    own = re.search(r'bridge->group, "%s([\w.]+)", conf->space->prefix', bridge).group(1)
    wanted = {(topic, service, group) for topic, row in programs()["topics"].items()
              for service, group in row["readers"].items()}
    assert written == wanted | {("esteira.partner.{slug}.in", "intake", f"esteira.{own}")}


def test_whoever_reads_a_topic_writes_its_dead_letters():
    readers = {(address_of(o), tag["name"]) for o in OPERATIONS.values() if o["action"] == "receive"
               for tag in o["tags"] if tag["name"] != OUTSIDE}
    writers = {(address_of(o), tag["name"]) for o in OPERATIONS.values()
               if o["action"] == "send" and is_dlq(address_of(o)) for tag in o["tags"]}
    assert writers == {(re.sub(r"\.in$", ".dlq", topic) if "{slug}" in topic else f"{topic}.esteira.{service}.dlq",
                        service) for topic, service in readers}


def test_a_partner_does_what_it_is_allowed():
    done = {(o["action"], address_of(o)) for o in OPERATIONS.values() if {"name": OUTSIDE} in o["tags"]}
    lines = acls().splitlines()
    allowed = {({"Write": "send", "Read": "receive"}[verb], topic) for line in lines
               for verb, topic in re.findall(r"--operation (Write|Read) .*--topic (\S+)", line)}
    assert done == allowed
    prefix = re.search(r"prefixed --group (\S+)", acls()).group(1)
    assert group_of(OPERATIONS["partnerReceivesPartnerDlq"])["pattern"] == "^" + prefix.replace(".", r"\.")


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_receives_what_it_has_handlers_for(service):
    assert types_in("receive", service) == routed(service)


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_sends_and_receives_what_it_has_tables_for(service):
    assert types_in("send", service) | types_in("receive", service) == types_of(service)


def test_tags_are_services():
    tags = {tag["name"] for operation in OPERATIONS.values() for tag in operation["tags"]}
    assert tags == {*SERVICES, OUTSIDE}


# --- messages ---

def test_a_schema_is_used_where_it_belongs():
    used = {name: set() for name in FILES}
    for name in MESSAGES:
        for ref in set(deep_refs(MESSAGES[name])):
            if not ref.startswith("#/"):
                assert (SCHEMAS / ref).resolve() == FILES[pathlib.Path(ref).stem].resolve()
                used[pathlib.Path(ref).stem].add(name)
    for kind, names in used.items():
        own = {name for name in names if MESSAGES[name]["name"] == kind}
        assert len(own) == 1, kind
        assert list(refs(MESSAGES[min(own)]["payload"])) == [f"./{FILES[kind].relative_to(SCHEMAS)}"]
        assert names == own | (set(FORMS) if kind in OF_PARTNERS else set()), kind
    assert {name for name in MESSAGES if MESSAGES[name]["name"] not in FILES} == {*FORMS, "deadLetter"}


def test_an_event_is_on_one_topic():
    where = [name for channel in CHANNELS.values() for name in channel["messages"]]
    for name in MESSAGES:
        assert name == "deadLetter" or where.count(name) == 1, name
    for channel in CHANNELS.values():
        for name, ref in channel["messages"].items():
            assert ref == {"$ref": f"#/components/messages/{name}"}


@pytest.mark.parametrize("name", [name for name in MESSAGES if MESSAGES[name]["name"] in FILES])
def test_an_events_headers_are_what_is_written(name):
    """envelope_write() writes what the trait has, but for ce_supersedes, which a replay adds."""
    kind, headers = MESSAGES[name]["name"], message(name)["headers"]
    written = {**programs()["event"], "ce_type": kind, "ce_dataschema": f"urn:esteira:schema:{kind}"}
    assert set(headers["properties"]) - set(written) == {"ce_supersedes"}
    assert set(written) <= set(headers["properties"])
    check = jsonschema.Draft7Validator(headers)
    check.validate(written)
    assert not check.is_valid({**written, "ce_type": "another.document.received.v1"})
    for missing in headers["required"]:
        assert not check.is_valid({key: value for key, value in written.items() if key != missing})


def test_a_dead_letters_headers_are_what_is_written():
    headers = message("deadLetter")["headers"]
    assert set(programs()["dead_letter"]) == set(headers["properties"]) == set(headers["required"])
    jsonschema.Draft7Validator(headers).validate(programs()["dead_letter"])


@pytest.mark.parametrize("name", MESSAGES)
def test_examples_are_valid_as_asyncapi_reads_them(name):
    """A payload is a schema of draft 07 there: what is newer would be passed over in silence."""
    whole = message(name)
    jsonschema.Draft7Validator.check_schema(whole["payload"])
    for payload in whole["payload"].get("examples", ()):
        jsonschema.Draft7Validator(whole["payload"]).validate(payload)
    for example in whole.get("examples", ()):
        jsonschema.Draft7Validator(whole["payload"]).validate(example["payload"])
        jsonschema.Draft7Validator(whole.get("headers", {})).validate(example.get("headers", {}))
    assert whole["payload"].get("examples") or whole.get("examples") or name == "deadLetter"


@pytest.mark.parametrize("name", FORMS)
def test_what_partners_have_to_write_is_required(name):
    whole, optional = message(name), {"timestamp"}
    for part in {"headers", "payload"} & set(whole):
        check, example = jsonschema.Draft7Validator(whole[part]), whole["examples"][0].get(part, {})
        for key in example:
            assert check.is_valid({k: v for k, v in example.items() if k != key}) == (key in optional), key


def test_a_partner_may_send_each_of_its_types():
    assert {pathlib.Path(ref).stem for ref in refs(API["components"]["schemas"]["partnerData"])} == OF_PARTNERS
    for kind in OF_PARTNERS:
        assert re.match(API["components"]["schemas"]["partnerType"]["pattern"], kind)
