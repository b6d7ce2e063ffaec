"""Every answer that any test got, held against schemas/openapi.yaml: its route, its status, its header
fields and its body; and the other way round, every documented pair of route and status was got by
somebody or stands in NOT_PROVOKED with the reason.
"""
import collections
import json
import os
import re

import jsonschema
import pytest
import yaml

import belt

# Judged by its own fields only, not by a route: the request named none.
OTHER = "x-other-responses"
WHOLE_RUN = ("test_auth", "test_belt", "test_dark", "test_dead_letters", "test_http", "test_keys",
             "test_outage", "test_post_events", "test_rates", "test_webhooks", "test_webhooks_deliveries")

# (status, or status and route): why no test can see it.
NOT_PROVOKED = {
    "500": "a bug of ours, or no memory left",
    "400": "a malformed head is answered before the route is known; see the other 400s",
    "408": "a head too slow likewise; a slow body only where one is read, which is seen",
    "414": "a line too long has no route", "431": "neither has a head too large",
    "413 /v1": "a body where none is expected: seen on /v1/jobs, the same code for all",
    "503 /v1/health": "only as overloaded, by more connections than a test should hold",
    "503 /v1/openapi.json": "likewise", "503 /docs": "likewise",
}


@pytest.fixture(scope="module", name="contract")
def load_contract():
    """schemas/openapi.yaml."""
    with open(os.path.join(belt.ROOT, "schemas/openapi.yaml"), encoding="utf-8") as f:
        return yaml.load(f, Loader=TextTimes)


class TextTimes(yaml.SafeLoader):
    """Times stay the texts they are in JSON."""


TextTimes.yaml_implicit_resolvers = {
    first: [(tag, regexp) for tag, regexp in pairs if tag != "tag:yaml.org,2002:timestamp"]
    for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()}


def resolve(contract, node):
    """A response or header, behind its $ref."""
    while "$ref" in node:
        found = contract
        for part in node["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        node = found
    return node


def check_value(contract, schema, value):
    """Draft 2020-12, with the contract's components in reach of every $ref."""
    jsonschema.Draft202012Validator(
        {**schema, "components": contract["components"]},
        format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER).validate(value)


def route_of(contract, target):
    """The documented path that a target belongs to, or None."""
    path = target.split("?")[0]
    for template in contract["paths"]:
        if re.fullmatch(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(template)), path):
            return template
    return None


def documented(contract, exchange):
    """-> (route, response) that the contract has for this exchange; response None if it has none."""
    status = str(exchange.status)
    route = exchange.target and route_of(contract, exchange.target)
    method = exchange.method or ""  # "get" is another method than "GET"
    method = {"HEAD": "get"}.get(method, method.lower() if method.isupper() else "")
    operation = contract["paths"][route].get(method) if route else None
    if operation is not None:
        return route, operation["responses"].get(status)
    return OTHER, contract[OTHER].get(status)


def check_headers(contract, response, exchange):
    fields = {name.lower(): value for name, value in exchange.headers}
    for name, header in response.get("headers", {}).items():
        header, value = resolve(contract, header), fields.get(name.lower())
        if value is None:
            assert not header.get("required"), f"no {name}"
            continue
        kind = header["schema"].get("type")
        check_value(contract, header["schema"], int(value) if kind == "integer" else value)


def check_body(contract, response, exchange):
    if exchange.method == "HEAD" or exchange.status == 204:
        assert exchange.body == b""
        return
    kind = dict((name.lower(), value) for name, value in exchange.headers)["content-type"]
    kind = kind.split(";")[0].strip()
    schema = response["content"][kind]["schema"]
    if kind.endswith("json"):
        check_value(contract, schema, json.loads(exchange.body))
    else:
        exchange.body.decode("utf-8")


def problems(contract, exchanges):
    """What is wrong with any of them, each kind once."""
    found = collections.Counter()
    for exchange in exchanges:
        where = f"{exchange.method} {route_of(contract, exchange.target or '')} {exchange.status}"
        _, response = documented(contract, exchange)
        if response is None:
            found[f"{where}: not in the contract"] += 1
            continue
        response = resolve(contract, response)
        try:
            check_headers(contract, response, exchange)
            check_body(contract, response, exchange)
        except (AssertionError, KeyError, ValueError, jsonschema.ValidationError) as wrong:
            text = getattr(wrong, "message", None) or repr(wrong)
            found[f"{where}: {text[:300]}"] += 1
    return found


def seen_events(exchanges):
    """(event, data) of all recorded event streams."""
    for exchange in exchanges:
        if (exchange.target or "").endswith("/events") and exchange.status == 200:
            for event in belt.parse_events(exchange.body.splitlines(keepends=True)):
                yield event.event, event.data


def test_contract_is_valid(contract):
    """Every $ref leads somewhere, every schema is one, every example fits its own."""
    def walk(node):
        if isinstance(node, dict):
            if isinstance(node.get("$ref"), str):
                resolve(contract, node)
            if "schema" in node:
                jsonschema.Draft202012Validator.check_schema(node["schema"])
                if "example" in node and "text/event-stream" not in str(node):
                    check_value(contract, node["schema"], node["example"])
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)
    walk(contract)
    assert contract["openapi"].startswith("3.1")


def test_scopes_are_documented(contract):
    """Every route but the open ones names its scope."""
    for path, item in contract["paths"].items():
        for method in {"get", "post", "delete", "put", "patch"} & set(item):
            needs_key = item[method].get("security") != []
            assert needs_key == ("x-scope" in item[method]), (method, path)


def test_the_judge_sees():
    """Proof that it would: altered answers are found wrong."""
    contract = {
        "components": {"schemas": {"A": {"type": "object", "required": ["a"],
                                         "additionalProperties": False,
                                         "properties": {"a": {"type": "integer"}}}}},
        "paths": {"/v1/a/{id}": {"get": {"responses": {"200": {
            "headers": {"X-A": {"required": True, "schema": {"pattern": "^a$"}}},
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/A"}}}}}}}},
        OTHER: {}}
    fields = [("X-A", "a"), ("Content-Type", "application/json")]
    good = belt.Exchange("GET", "/v1/a/1?b=2", 200, fields, b'{"a":1}')
    assert not problems(contract, [good])
    for wrong in (good._replace(status=201), good._replace(method="PUT"), good._replace(method="get"),
                  good._replace(target="/v1/a/1/2"), good._replace(headers=fields[1:]),
                  good._replace(headers=[("X-A", "b"), fields[1]]), good._replace(body=b"{}"),
                  good._replace(body=b'{"a":1,"b":1}'), good._replace(body=b"x"),
                  good._replace(headers=[fields[0], ("Content-Type", "text/html")])):
        assert problems(contract, [wrong]), wrong


def test_every_answer(contract, plant):
    """At least those of this line, all of the run's when it is the whole run."""
    client = plant.client()
    belt.finish(client, client.send(belt.tiny_pdf("Uma folha para o contrato")))
    client.call("GET", "/v1/jobs", 413, b"body", {"Content-Length": "4"})
    found = problems(contract, belt.RECORDED)
    assert not found, "\n".join(f"{times} x {what}" for what, times in found.items())


def test_event_streams(contract, plant):
    """What is in a stream has schemas too."""
    client = plant.client()
    client.events(client.send(belt.sample("mixed")))
    schemas, names = contract["components"]["schemas"], collections.Counter()
    for name, data in seen_events(belt.RECORDED):
        names[name] += 1
        if name == "started":
            assert data == {}
        else:
            check_value(contract, schemas["PageProgress" if name == "page" else "Job"], data)
    assert set(names) <= {"started", "page", *belt.FINAL} and names["page"] >= 5


def reason(route, status):
    """Why nobody provoked it, if that is known."""
    return NOT_PROVOKED.get(f"{status} {route}") or NOT_PROVOKED.get(status) or (
        NOT_PROVOKED.get(f"{status} /v1"))


def test_every_documented_answer_was_got(contract, request):
    """Only in the run of all files: one alone cannot see everything."""
    files = {item.module.__name__ for item in request.session.items}
    seen = set()
    for exchange in belt.RECORDED:
        route, _ = documented(contract, exchange)
        seen.add((exchange.method if route != OTHER else None, route, str(exchange.status)))
    missing = []
    for route, item in contract["paths"].items():
        for method in {"get", "post", "delete"} & set(item):
            for status in item[method]["responses"]:
                if (method.upper(), route, status) not in seen and not reason(route, status):
                    missing.append(f"{method.upper()} {route} {status}")
    missing += [f"other {status}" for status in contract[OTHER]
                if (None, OTHER, status) not in seen]
    if set(WHOLE_RUN) <= files:
        assert not missing, "\n".join(sorted(missing))
