"""docs/topics.md of schemas/asyncapi.yaml and the JSON Schemas that it names. What the file says is held
against the programs by tests/contract/test_asyncapi.py; here it is only laid out."""
import json
import pathlib

import yaml

ROOT = pathlib.Path(__file__).resolve().parent.parent
SCHEMAS = ROOT / "schemas"
DAY_MS = 86400000
BACKSLASH = "\\"
KINDS = {"date-time": "time", "uuid": "uuid", "uri-reference": "URI reference"}


class Api:
    """asyncapi.yaml with its references followed where they are asked for."""

    def __init__(self):
        self.doc = yaml.safe_load((SCHEMAS / "asyncapi.yaml").read_text(encoding="utf-8"))

    def at(self, node):
        """The node, or what its reference leads to."""
        while "$ref" in node:
            ref = node["$ref"]
            if ref.startswith("#/"):
                node = self.doc
                for part in ref[2:].split("/"):
                    node = node[part]
            else:
                node = json.loads((SCHEMAS / ref).read_text(encoding="utf-8"))
        return node

    def channels(self):
        """Those with events or partners' records, and those with dead letters."""
        every = self.doc["channels"].values()
        return ([c for c in every if "deadLetter" not in c["messages"]],
                [c for c in every if "deadLetter" in c["messages"]])

    def operations(self, channel, action):
        """The operations of a channel that do this."""
        return [o for o in self.doc["operations"].values()
                if o["action"] == action and self.at(o["channel"]) is channel]

    def messages(self, node):
        """The messages of a channel, or those that an operation lists, else its channel's."""
        found = node.get("messages") or self.at(node["channel"])["messages"]
        return [self.at(self.at(m)) for m in (found.values() if isinstance(found, dict) else found)]


def cell(text):
    """Text in a cell of a table."""
    return text.replace("|", "\\|").replace("<", "&lt;")


def who(operations):
    """The names of those who do it, each once."""
    return ", ".join(dict.fromkeys(tag["name"] for o in operations for tag in o["tags"])) or "nobody of the suite"


def readers(operations):
    """Who reads, and in which group."""
    groups = [o["bindings"]["kafka"]["groupId"] for o in operations]
    return ", ".join(f"{who([o])} (group `{g['const']}`)" if "const" in g else
                     f"{who([o])} (groups beginning with `{g['pattern'].lstrip('^').replace(BACKSLASH, '')}`)"
                     for o, g in zip(operations, groups)) or "nobody of the suite"


def kind(schema):
    """The type of a field with its limits, in a few words."""
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return " or ".join(f"`{value}`" for value in schema["enum"])
    words = KINDS.get(schema.get("format"), schema.get("type", "object"))
    if "maxLength" in schema:
        least = f"{schema['minLength']} to" if "minLength" in schema else "at most"
        words += f", {least} {schema['maxLength']} bytes"
    if "minimum" in schema:
        words += f" from {schema['minimum']}"
    if "maximum" in schema:
        words += f" to {schema['maximum']}"
    return words


def rows(api, schema, prefix=""):
    """(name, schema, required) of each property, those inside objects and lists too."""
    for name, found in schema.get("properties", {}).items():
        prop = api.at(found)
        yield prefix + name, prop, name in schema.get("required", ())
        inner = prop.get("items", prop)
        yield from rows(api, inner, f"{prefix}{name}{'[]' if inner is not prop else ''}.")


def fields(api, schema):
    """The table of a payload's fields."""
    found = list(rows(api, schema))
    if not found:
        return []
    classes = any("x-data-class" in prop for _, prop, _ in found)
    lines = ["", "| field | type | required |" + (" class |" if classes else "") + " |",
             "|---|---|---|" + ("---|" if classes else "") + "---|"]
    for name, prop, required in found:
        kept = f" {prop['x-data-class']} |" if classes else ""
        lines.append(f"| `{name}` | {kind(prop)} | {'yes' if required else ''} |{kept}"
                     f" {cell(prop.get('description', ''))} |")
    return lines


def headers(api, schema):
    """The table of a record's headers."""
    lines = ["", "| header | type | always | |", "|---|---|---|---|"]
    return lines + [f"| `{name}` | {kind(prop)} | {'yes' if required else ''} | {cell(prop.get('description', ''))} |"
                    for name, prop, required in rows(api, schema)]


def settings(api, channel):
    """What estctl makes the topic with."""
    kafka = api.at(channel["bindings"])["kafka"]
    config = kafka["topicConfiguration"]
    return f"{kafka['partitions']} partitions, kept for {config['retention.ms'] // DAY_MS} days"


def common_settings(api):
    """What is so of every topic."""
    kafka = api.at(api.channels()[0][0]["bindings"])["kafka"]
    config = kafka["topicConfiguration"]
    values = {**{k: v for k, v in config.items() if k != "retention.ms"}, "cleanup.policy": "delete"}
    return f"{kafka['replicas']} replicas, " + ", ".join(f"`{name}={value}`" for name, value in values.items())


def anchor(text):
    """What a heading is called in a link."""
    return "".join(c for c in text.lower().replace(" ", "-") if c.isalnum() or c in "-_")


def message_part(api, channel, message):
    """One message: what it is, who sends and reads it where that is not everybody of the topic, its fields."""
    payload = api.at(message["payload"])
    lines = ["", f"### {message['name']}", "", f"{message.get('title', payload.get('title', ''))}."]
    if "properties" in payload and "description" in payload:
        lines[-1] += f" {payload['description']}"
    for verb, action in (("Sent", "send"), ("Read", "receive")):
        every = api.operations(channel, action)
        mine = [o for o in every if message in api.messages(o)]
        if mine != every:
            lines[-1] += f" {verb} by {who(mine)}."
    own = message.get("headers", {})
    if own.get("required"):
        lines += headers(api, own)
    lines += fields(api, payload)
    if "oneOf" in payload:
        lines += ["", f"Value: {payload['description'][0].lower()}{payload['description'][1:]}"]
    return lines


def topic_part(api, channel):
    """One topic with its messages."""
    spread = channel.get("x-partitions-per-tenant")
    order = channel["x-ordering-key"] + (f"; a tenant has up to {spread} partitions" if (spread or 1) > 1 else "")
    lines = ["", f"## {channel['address']}", "", channel["description"].strip(), "", "| | |", "|---|---|",
             f"| written by | {who(api.operations(channel, 'send'))} |",
             f"| read by | {readers(api.operations(channel, 'receive'))} |",
             f"| ordered by | {order} |", f"| made with | {settings(api, channel)} |"]
    for message in api.messages(channel):
        lines += message_part(api, channel, message)
    return lines


def dead_letter_part(api, channels):
    """The DLQ topics, which differ in their names only."""
    letter = api.messages(channels[0])[0]
    lines = ["", "## Dead letters", "", f"{letter['title']}. {letter['description'].strip()}", "",
             "| topic | written by | read by | made with |", "|---|---|---|---|"]
    lines += [f"| `{c['address']}` | {who(api.operations(c, 'send'))} | {readers(api.operations(c, 'receive'))} |"
              f" {settings(api, c)} |" for c in channels]
    return lines + headers(api, letter["headers"])


def topics_page(note):
    """docs/topics.md"""
    api = Api()
    topics, dlqs = api.channels()
    trait = api.doc["components"]["messageTraits"]["cloudEvent"]
    lines = [note, "# Topics", "", api.doc["info"]["description"].strip(), "",
             "The source is [asyncapi.yaml](../schemas/asyncapi.yaml); how a schema may change and what the data",
             "classes are, is in [schemas/README.md](../schemas/README.md).", "",
             "| topic | written by | read by |", "|---|---|---|"]
    lines += [f"| [{c['address']}](#{anchor(c['address'])}) | {who(api.operations(c, 'send'))} |"
              f" {who(api.operations(c, 'receive'))} |" for c in topics]
    lines += ["| [dead letters](#dead-letters) of each | who could not handle them | |", "",
              f"Every topic: {common_settings(api)}. `estctl topics create` and `estctl partner add` make them.",
              "", "## Headers", "", "Of every event of the suite; the key is the tenant's id."]
    lines += headers(api, trait["headers"])
    for channel in topics:
        lines += topic_part(api, channel)
    lines += dead_letter_part(api, dlqs)
    return "\n".join(lines) + "\n"
