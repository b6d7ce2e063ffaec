"""The route table of intake, from the program that prints it, and a request for each of its rows."""
import json
import os
import subprocess
import uuid
from typing import NamedTuple

import belt

BIN_DIR = os.environ.get("ESTEIRA_BIN_DIR") or os.path.join(belt.ROOT, "build/release/bin")
TESTS_DIR = os.environ.get("ESTEIRA_TESTS_DIR") or os.path.join(os.path.dirname(BIN_DIR), "tests")
BODIES = {"/v1/extract": (belt.PDF, belt.tiny_pdf("Uma folha")), "/v1/events": ("application/json", b"{}")}


class Route(NamedTuple):
    """A row: scope and limit are None of an open one."""
    method: str
    path: str
    scope: str
    limit: str

    def ask(self, client, item=None):
        """A request that comes as far as the route itself; about nothing there is."""
        item = item or (uuid.uuid4().hex[:8] if self.path.startswith("/v1/keys/") else str(uuid.uuid4()))
        path = self.path.replace("{id}", item).replace("{delivery_id}", item)
        if self.path == "/v1/audit":
            path += f"?job_id={item}"
        kind, body = BODIES.get(self.path, ("application/json", b"{}" if self.method in ("POST", "PATCH") else None))
        if self.path.startswith("/v1/dead-letters/"):
            body = None
        return client.call(self.method, path, None, body, {"Content-Type": kind} if body else {})


def table():
    """Every row."""
    told = subprocess.run([os.path.join(TESTS_DIR, "contract-routes")], check=True, capture_output=True, text=True)
    return [Route(**row) for row in json.loads(told.stdout)]


def gated():
    """Those that want a key."""
    return [route for route in table() if route.scope]
