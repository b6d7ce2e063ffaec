"""What principals may do on Kafka (estctl acl declared) is what schemas/asyncapi.yaml says they do."""
import json
import os
import pathlib
import subprocess

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("ESTEIRA_BIN_DIR", ROOT / "build/release/bin"))
SLUG = "acme"
VERBS = {"send": "WRITE", "receive": "READ"}
WHO = {"the partner": f"User:partner-{SLUG}"}


@pytest.fixture(scope="module", name="rows")
def make_rows():
    """The table of the programs, with a partner's."""
    out = subprocess.run([BIN / "estctl", "acl", "declared", "--partner", SLUG, "--json"], check=True, text=True,
                         capture_output=True, env={"ESTEIRA_KAFKA_BROKERS": "127.0.0.1:1"}, timeout=20).stdout
    return json.loads(out)


def operations():
    """(action, topic, who, group) of every operation; of partners, those of one."""
    doc = yaml.safe_load((ROOT / "schemas/asyncapi.yaml").read_text(encoding="utf-8"))
    for operation in doc["operations"].values():
        channel = doc["channels"][operation["channel"]["$ref"].rsplit("/", 1)[1]]
        topic = channel["address"].replace("{slug}", SLUG)
        group = operation.get("bindings", {}).get("kafka", {}).get("groupId", {})
        for tag in operation["tags"]:
            yield operation["action"], topic, WHO.get(tag["name"], f"User:esteira-{tag['name']}"), group


def allowed(rows, who, resource, operation):
    """The names and beginnings of names."""
    return {(row["pattern"], row["name"]) for row in rows
            if (row["principal"], row["resource"], row["operation"]) == (who, resource, operation)}


def is_in(names, name):
    """By name or by beginning."""
    return ("LITERAL", name) in names or any(p == "PREFIXED" and name.startswith(n) for p, n in names)


def test_whoever_does_it_may(rows):
    for action, topic, who, group in operations():
        assert is_in(allowed(rows, who, "TOPIC", VERBS[action]), topic), (who, action, topic)
        assert is_in(allowed(rows, who, "TOPIC", "DESCRIBE"), topic), (who, action, topic)
        if "const" in group:
            assert is_in(allowed(rows, who, "GROUP", "READ"), group["const"]), (who, group)


def test_whoever_may_does_it(rows):
    done = {(who, VERBS[action], topic) for action, topic, who, _ in operations()}
    reading = {(who, topic) for who, _, topic in done}
    for row in rows:
        if row["resource"] != "TOPIC":
            continue
        fits = [topic for who, topic in reading if who == row["principal"] and is_in(
            {(row["pattern"], row["name"])}, topic)]
        if row["operation"] == "DESCRIBE":
            assert fits, row
        else:
            assert any((row["principal"], row["operation"], topic) in done for topic in fits), row


def test_nobody_may_more_than_read_write_and_look(rows):
    assert {row["operation"] for row in rows} == {"READ", "WRITE", "DESCRIBE"}
    assert {(row["permission"], row["host"]) for row in rows} == {("ALLOW", "*")}
    assert {row["resource"] for row in rows} == {"TOPIC", "GROUP"}
