"""The route table of intake against the contract: the same routes, scopes and classes of rate limit."""
import json
import os
import pathlib
import re
import subprocess

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN_DIR = os.environ.get("ESTEIRA_BIN_DIR") or ROOT / "build/release/bin"
TESTS_DIR = pathlib.Path(os.environ.get("ESTEIRA_TESTS_DIR") or pathlib.Path(BIN_DIR).parent / "tests")
METHODS = ("get", "post", "put", "patch", "delete")


@pytest.fixture(scope="module", name="table")
def read_table():
    """(method, path) -> (scope, limit), both None of an open route."""
    told = subprocess.run([TESTS_DIR / "contract-routes"], check=True, capture_output=True, text=True).stdout
    rows = json.loads(told)
    table = {(row["method"], row["path"]): (row["scope"], row["limit"]) for row in rows}
    assert len(table) == len(rows) > 20
    return table


@pytest.fixture(scope="module", name="contract")
def read_contract():
    """(method, path) -> operation."""
    with open(ROOT / "schemas/openapi.yaml", encoding="utf-8") as f:
        paths = yaml.safe_load(f)["paths"]
    return {(method.upper(), path): item[method] for path, item in paths.items() for method in METHODS
            if method in item}


def test_same_routes(table, contract):
    assert set(table) == set(contract)


def test_same_scopes_and_limits(table, contract):
    told = {route: (operation.get("x-scope"), operation.get("x-limit")) for route, operation in contract.items()}
    assert told == table


def test_every_route_is_gated_or_open(table, contract):
    """There is no route with half a gate, and an open one says so in the contract."""
    for route, (scope, limit) in table.items():
        assert (scope is None) == (limit is None), route
        assert scope in ("extract", "status", "events", "webhooks", "audit", "operate", "admin", None), route
        assert limit in ("extract", "status", "default", "keys", None), route
        assert (scope is None) == (contract[route].get("security") == []), route
        assert (limit is None) == ("429" not in contract[route]["responses"]), route


def test_every_503_is_in_the_contract():
    """A server that is away may be met on any route."""
    with open(ROOT / "schemas/openapi.yaml", encoding="utf-8") as f:
        unavailable = yaml.safe_load(f)["components"]["responses"]["Unavailable"]
    _, own = unavailable["content"]["application/problem+json"]["schema"]["allOf"]
    table = (ROOT / "docs/errors.md").read_text(encoding="utf-8")
    assert sorted(own["properties"]["code"]["enum"]) == sorted(re.findall(r"^\| `([\w-]+)` \| 503 \|", table, re.M))
