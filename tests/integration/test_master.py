"""The master key: a file or a key service, one after the other, away, and changed while everything runs."""
import json
import os
import signal
import subprocess
import threading
import time
import urllib.request

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

import belt
import keyservice
import rig
from hooks import rows
from keyservice import KeyService
from proc import StepError
from secure import Authority

PAGE = belt.tiny_pdf("Uma folha para a chave mestra")
SERVICES = ("ocr", "intake")
MANY = 400


class Masters:
    """The stack with its key service, and the settings of each way to keep the master key."""

    def __init__(self, plant, service, authority):
        self.plant, self.service, self.stack = plant, service, plant.stack
        self.file = self.stack.seal_master
        self.token = self.stack.write(self.stack.path("conf/token"), service.token, 0o600)
        self.by_service = {
            "ESTEIRA_SEAL_MASTER_FILE": "", "ESTEIRA_SEAL_TRANSIT_URL": service.origin,
            "ESTEIRA_SEAL_TRANSIT_TOKEN_FILE": self.token,
            "ESTEIRA_SEAL_TRANSIT_CA_FILE": authority.ca_file}

    def fresh_file(self, name):
        """Another master key."""
        return self.stack.write(self.stack.path(f"conf/{name}"), os.urandom(32), 0o600)

    def run(self, env):
        """The services with these settings; a tenant's key is remembered for a second."""
        for name in SERVICES:
            self.plant.start(name, ESTEIRA_SEAL_CACHE_S="1", **env)

    def rewrap(self, env, *more):
        """What the command says."""
        return self.stack.estctl("seal", "rewrap", "--who", "ana@example.com", *more, env=env)

    def read_one(self):
        """A document there and back."""
        client = self.plant.client()
        belt.finish(client, client.send(PAGE))


@pytest.fixture(scope="module", name="masters")
def make_masters(samples):  # pylint: disable=unused-argument
    """A rig of its own whose master key is a file, and a key service beside it."""
    with rig.temporary(("alfa",)) as plant:
        authority = Authority(plant.stack.path("tls"))
        with KeyService(authority.issue("keys", ips=["127.0.0.1"])) as service:
            yield Masters(plant, service, authority)


@pytest.fixture(autouse=True)
def well(masters):
    """After each test the key service is well."""
    yield
    masters.service.mood = "well"


def ready(plant, name):
    """(status, parts) of /readyz."""
    with urllib.request.urlopen(plant.services[name].admin + "/readyz", timeout=10) as got:
        return got.status, json.load(got)["dependencies"]["parts"]


def wrappings(masters):
    """The first byte of every wrapped key."""
    return [bytes(wrapped)[0] for wrapped, in rows(
        masters.plant, "SELECT wrapped FROM intake.tenant_keys WHERE destroyed_at IS NULL")]


def wrap(master, tenant, version, key):
    """docs/format.md."""
    context = f"esteira/1|tenant-key|{tenant}|{version}".encode()
    nonce = os.urandom(12)
    return b"\x01" + nonce + AESGCM(HKDF(hashes.SHA256(), 32, None, context).derive(master)).encrypt(nonce, key, context)


def opens(master, tenant, version, blob):
    """The key, read without our code."""
    context = f"esteira/1|tenant-key|{tenant}|{version}".encode()
    return AESGCM(HKDF(hashes.SHA256(), 32, None, context).derive(master)).decrypt(blob[1:13], blob[13:], context)


# --- what no process starts with ---

@pytest.mark.parametrize("env, said", [
    ({"ESTEIRA_SEAL_MASTER_FILE": ""}, "one must be set"),
    ({"ESTEIRA_SEAL_TRANSIT_URL": "https://127.0.0.1:1"}, "only one of them"),
    ({"ESTEIRA_SEAL_MASTER_FILE": "", "ESTEIRA_SEAL_TRANSIT_URL": "https://127.0.0.1:1"}, "TOKEN_FILE: must be set"),
    ({"ESTEIRA_SEAL_MASTER_FILE": "", "ESTEIRA_SEAL_TRANSIT_URL": "http://127.0.0.1:1",
      "ESTEIRA_SEAL_TRANSIT_TOKEN_FILE": "TOKEN"}, "not https"),
    ({"ESTEIRA_SEAL_MASTER_FILE": "", "ESTEIRA_SEAL_TRANSIT_URL": "https://127.0.0.1:1",
      "ESTEIRA_SEAL_TRANSIT_TOKEN_FILE": "/nonexistent"}, "bad-config"),
    ({"ESTEIRA_SEAL_MASTER_FILE": "WIDE"}, "mode is not 0600"),
    ({"ESTEIRA_SEAL_MASTER_FILE": "SHORT"}, "not exactly 32 bytes"),
    ({"ESTEIRA_SEAL_MASTER_OLD_FILE": "WIDE"}, "mode is not 0600"),
    ({"ESTEIRA_SEAL_MASTER_OLD_FILE": "/nonexistent"}, "secret-missing"),
])
def test_refused_at_start(masters, env, said):
    stack = masters.stack
    places = {"TOKEN": masters.token, "WIDE": stack.write(stack.path("conf/wide"), os.urandom(32), 0o640),
              "SHORT": stack.write(stack.path("conf/short"), os.urandom(31), 0o600)}
    full = {**stack.service_env("ocr", 1), "ESTEIRA_ADMIN_LISTEN": "127.0.0.1:0",
            **{name: places.get(value, value) for name, value in env.items()}}
    done = subprocess.run([os.path.join(stack.bin_dir, "esteira-ocr")], env=full, capture_output=True, text=True,
                          timeout=60, check=False)
    assert done.returncode in (1, 2) and said in done.stdout + done.stderr, done
    with pytest.raises(StepError, match=said):
        stack.estctl("tenant", "create", "never", "--name", "Never",
                     env={name: places.get(value, value) for name, value in env.items()})


# --- from one to the other ---

def test_from_a_file_to_another_to_the_service_to_its_next_key(masters):
    """As docs/keys.md says, with documents in between; each is read whatever wraps its tenant's key."""
    plant, new = masters.plant, masters.fresh_file("seal.second")
    masters.run({})
    masters.read_one()
    second = {"ESTEIRA_SEAL_MASTER_FILE": new, "ESTEIRA_SEAL_MASTER_OLD_FILE": masters.file}
    masters.run(second)
    masters.read_one()
    assert "1 would be wrapped anew" in masters.rewrap(second, "--dry-run")
    assert "1 wrapped anew, 0 were so before" in masters.rewrap(second)
    assert "0 wrapped anew, 1 were so before" in masters.rewrap(second)
    masters.run({"ESTEIRA_SEAL_MASTER_FILE": new})
    masters.read_one()
    third = {**masters.by_service, "ESTEIRA_SEAL_MASTER_OLD_FILE": new}
    masters.run(third)
    masters.read_one()
    assert "1 wrapped anew" in masters.rewrap(third)
    assert wrappings(masters) == [2]
    masters.run(masters.by_service)
    masters.read_one()
    masters.service.rotate()
    masters.read_one()
    assert "1 wrapped anew" in masters.rewrap(masters.by_service)
    assert "0 wrapped anew" in masters.rewrap(masters.by_service)
    masters.service.keys[0] = os.urandom(32)  # what it was before opens nothing
    masters.read_one()
    plant.stack.estctl("tenant", "rotate-key", "alfa", "--who", "ana@example.com", env=masters.by_service)
    masters.read_one()
    found = rows(plant, "SELECT (metadata->>'count')::int, actor FROM audit.operations WHERE action = 'seal.rewrapped'")
    assert found == [(1, "ana@example.com")] * 3
    assert ready(plant, "intake-1")[1]["keys"]["status"] == "up"


def test_a_file_that_is_replaced_needs_no_restart(masters):
    """The same path holds another key: what it wraps opens."""
    plant, stack = masters.plant, masters.stack
    path = masters.fresh_file("seal.same")
    old = {"ESTEIRA_SEAL_MASTER_FILE": path, "ESTEIRA_SEAL_MASTER_OLD_FILE": ""}
    rows(plant, "UPDATE intake.tenant_keys SET wrapped = %s, destroyed_at = NULL WHERE version = 1",
         wrap(open(path, "rb").read(), plant.tenant_id("alfa"), 1, os.urandom(32)))
    rows(plant, "DELETE FROM intake.tenant_keys WHERE version > 1")
    masters.run(old)
    masters.read_one()
    fresh = os.urandom(32)
    stack.write(path, fresh, 0o600)
    rows(plant, "UPDATE intake.tenant_keys SET wrapped = %s",
         wrap(fresh, plant.tenant_id("alfa"), 1, os.urandom(32)))
    masters.read_one()
    stack.write(path, open(masters.file, "rb").read(), 0o600)
    rows(plant, "UPDATE intake.tenant_keys SET wrapped = %s",
         wrap(open(masters.file, "rb").read(), plant.tenant_id("alfa"), 1, os.urandom(32)))
    masters.read_one()


def test_a_wrong_key_is_found_before_the_first_partner(masters):
    """intake ends at its start; ocr says why it waits, and goes on by itself once the file is right."""
    plant, stack = masters.plant, masters.stack
    masters.run({})
    client = plant.client()
    stack.stop_one("ocr-1")
    job_id = client.send(PAGE)
    wrong = {"ESTEIRA_SEAL_MASTER_FILE": masters.fresh_file("seal.wrong"), "ESTEIRA_SEAL_CACHE_S": "1"}
    plant.start("ocr", **wrong)
    belt.wait_for("ocr to name it", lambda: ready(plant, "ocr-1")[1].get("keys", {}).get("error") == "keys-refused")
    full = {**stack.service_env("intake", 1), "ESTEIRA_ADMIN_LISTEN": "127.0.0.1:0", "ESTEIRA_HTTP_LISTEN": "127.0.0.1:0",
            **wrong}
    done = subprocess.run([os.path.join(stack.bin_dir, "esteira-intake")], env=full, capture_output=True, text=True,
                          timeout=60, check=False)
    assert done.returncode in (1, 2) and "opens the key of no tenant" in done.stdout + done.stderr, done
    assert client.job(job_id)["status"] in ("pending", "processing")
    with open(masters.file, "rb") as right:
        stack.write(wrong["ESTEIRA_SEAL_MASTER_FILE"], right.read(), 0o600)
    belt.finish(client, job_id)
    assert ready(plant, "ocr-1")[1]["keys"]["status"] == "up"
    assert plant.count("SELECT count(*) FROM ocr.dead_letter") == 0


# --- away ---

@pytest.fixture(scope="module", name="remote")
def make_remote(masters):
    """The key service alone is in force."""
    third = {**masters.by_service, "ESTEIRA_SEAL_MASTER_OLD_FILE": masters.file}
    masters.rewrap(third)
    masters.run(masters.by_service)
    masters.read_one()
    return masters


WHY = {"forbidden": "keys-refused", "no-key": "keys-refused", "no-mount": "keys-refused"}


def waiting(masters, code):
    """An upload is refused with a time to come again, and health says why."""
    def look():
        answer = masters.plant.client().upload(PAGE, None)
        return answer if answer.status == 503 else None
    answer = belt.wait_for("a 503", look)
    answer.problem(code)
    assert 0 < int(answer.header("Retry-After")) <= 300
    status, parts = ready(masters.plant, "intake-1")
    assert (status, parts["keys"]["status"], parts["keys"]["error"]) == (200, "down", code), parts


@pytest.mark.parametrize("mood", [*keyservice.MOODS, *keyservice.NONSENSE, "slow"])
def test_away(remote, mood):
    """Whatever it answers instead: no attempt and no dead letter; all goes on when it is well."""
    plant, client = remote.plant, remote.plant.client()
    plant.stack.stop_one("ocr-1")
    job_id = client.send(PAGE)
    remote.service.mood = mood
    plant.start("ocr", ESTEIRA_SEAL_CACHE_S="1", **remote.by_service)
    code = WHY.get(mood, "keys-away")
    belt.wait_for("ocr to name it", lambda: ready(plant, "ocr-1")[1].get("keys", {}).get("error") == code)
    waiting(remote, code)
    assert client.job(job_id)["status"] in ("pending", "processing")
    remote.service.mood = "well"
    belt.finish(client, job_id)
    remote.read_one()
    belt.wait_for("health", lambda: ready(plant, "ocr-1")[1]["keys"]["status"] == "up")
    assert plant.count("SELECT count(*) FROM ocr.dead_letter") == 0
    assert plant.count("SELECT count(*) FROM ocr.parked") == 0


def test_health_comes_back_without_traffic(remote):
    """Nobody asks for a key, and /readyz is right nevertheless."""
    remote.service.mood = "sealed"
    waiting(remote, "keys-away")
    remote.service.mood = "well"
    belt.wait_for("health", lambda: ready(remote.plant, "intake-1")[1]["keys"]["status"] == "up")


def test_a_renewed_token_is_read(remote):
    """The service refuses the old one; the file has the new one: no request fails for it."""
    remote.service.token = "token-2"
    waiting(remote, "keys-refused")
    remote.stack.write(remote.token, "token-2\n", 0o600)
    remote.read_one()
    remote.stack.write(remote.token, "token-3", 0o600)
    remote.service.token = "token-3"
    remote.read_one()


def test_a_certificate_of_somebody_else(remote):
    """Another authority's: nothing is sent to it."""
    stranger = Authority(remote.stack.path("tls-stranger"))
    env = {**remote.by_service, "ESTEIRA_SEAL_TRANSIT_CA_FILE": stranger.ca_file}
    before = len(remote.service.calls)
    with pytest.raises(StepError, match="keys-away"):
        remote.rewrap(env)
    assert len(remote.service.calls) == before


def test_a_key_that_is_not_derived(remote):
    """Any tenant's wrapping would open for any other: refused."""
    remote.service.derived = False
    try:
        with pytest.raises(StepError, match="not derived"):
            remote.rewrap(remote.by_service)
    finally:
        remote.service.derived = True


def test_a_stampede_asks_once(remote):
    """Many uploads at once with a key that nobody has used yet: one question."""
    plant, service = remote.plant, remote.service
    plant.start("intake", ESTEIRA_SEAL_CACHE_S="300", **remote.by_service)
    plant.stack.estctl("tenant", "rotate-key", "alfa", "--who", "ana@example.com", env=remote.by_service)
    before, answers = service.count("decrypt"), []
    threads = [threading.Thread(target=lambda: answers.append(plant.client().upload(PAGE, None).status))
               for _ in range(12)]
    plant.stack.stop_one("ocr-1")
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert answers == [202] * 12
    assert service.count("decrypt") == before + 1
    plant.start("ocr", ESTEIRA_SEAL_CACHE_S="1", **remote.by_service)


# --- many ---

@pytest.fixture(name="crowd")
def make_crowd(masters):
    """Many tenants whose keys the first file wrapped; -> {(tenant, version): key}."""
    plant, keys = masters.plant, {}
    with open(masters.file, "rb") as f:
        master = f.read()
    rows(plant, "INSERT INTO intake.tenants (tenant_id, slug, name) SELECT gen_random_uuid(), 'many-' || n, 'Many'"
         f" FROM generate_series(1, {MANY}) n")
    for tenant, in rows(plant, "SELECT tenant_id::text FROM intake.tenants WHERE slug LIKE 'many-%%'"):
        keys[tenant, 1] = os.urandom(32)
    sql = "".join(f"INSERT INTO intake.tenant_keys (tenant_id, version, wrapped) VALUES ('{tenant}', 1,"
                  f" '\\x{wrap(master, tenant, 1, key).hex()}');\n" for (tenant, _), key in keys.items())
    plant.stack.psql(sql)
    yield keys
    plant.stack.psql("DELETE FROM intake.tenant_keys WHERE tenant_id IN"
                     " (SELECT tenant_id FROM intake.tenants WHERE slug LIKE 'many-%')")
    plant.stack.psql("DELETE FROM intake.tenants WHERE slug LIKE 'many-%'")


def start_rewrap(masters, env, *more):
    """The command, under way."""
    stack = masters.stack
    full = {**stack.base_env(), "ESTEIRA_PG_OWNER_URL": stack.psql_url(), "ESTEIRA_KAFKA_BROKERS": stack.kafka_bootstrap,
            **stack.topic_space, "ESTEIRA_TOPICS_REPLICAS": str(stack.replicas), **env}
    return subprocess.Popen([os.path.join(stack.bin_dir, "estctl"), "seal", "rewrap", "--who", "bia@example.com", *more],
                            env=full, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def open_by(masters, path, keys):
    """Of these keys, those that the file opens; each must be the right one."""
    with open(path, "rb") as f:
        master = f.read()
    found = set()
    for tenant, version, wrapped in rows(masters.plant, "SELECT tenant_id::text, version, wrapped FROM"
                                         " intake.tenant_keys WHERE tenant_id IN (SELECT tenant_id FROM intake.tenants"
                                         " WHERE slug LIKE 'many-%%')"):
        try:
            assert opens(master, tenant, version, bytes(wrapped)) == keys[tenant, version]
            found.add(tenant)
        except Exception as e:  # pylint: disable=broad-exception-caught
            if isinstance(e, AssertionError):
                raise
    return found


def audited(masters):
    """Keys that the entries of this actor say were wrapped anew."""
    return masters.plant.count("SELECT coalesce(sum((metadata->>'count')::int), 0) FROM audit.operations WHERE action = 'seal.rewrapped'"
                               " AND actor = 'bia@example.com'")


def test_killed_in_the_middle_and_two_at_once(masters, crowd):
    """kill -9, begun anew twice at once: each key is wrapped once, opens, and is counted once."""
    new, before = masters.fresh_file("seal.many"), audited(masters)
    env = {"ESTEIRA_SEAL_MASTER_FILE": new, "ESTEIRA_SEAL_MASTER_OLD_FILE": masters.file}
    rows(masters.plant, "UPDATE intake.tenant_keys SET destroyed_at = now(), wrapped = NULL WHERE tenant_id = %s",
         masters.plant.tenant_id("alfa"))
    running = start_rewrap(masters, env, "--rate", "100")
    belt.wait_for("some to be done", lambda: 0 < len(open_by(masters, new, crowd)) < MANY, 30, 0.1)
    running.send_signal(signal.SIGKILL)
    running.communicate()
    done = open_by(masters, new, crowd)
    assert 0 < len(done) < MANY
    assert len(done) + len(open_by(masters, masters.file, crowd)) == MANY
    both = [start_rewrap(masters, env, "--rate", "400") for _ in range(2)]
    for process in both:
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        assert f"{MANY} keys" in out, out
    assert len(open_by(masters, new, crowd)) == MANY
    belt.wait_for("its audit", lambda: audited(masters) - before == MANY)
    assert f"{MANY} keys: 0 wrapped anew, {MANY} were so before" in masters.rewrap(env)


def test_a_key_that_no_master_opens_is_left_and_said(masters, crowd):
    new, lost = masters.fresh_file("seal.last"), sorted(crowd)[7]
    env = {"ESTEIRA_SEAL_MASTER_FILE": new, "ESTEIRA_SEAL_MASTER_OLD_FILE": masters.file}
    blob = wrap(os.urandom(32), *lost, os.urandom(32))
    rows(masters.plant, "UPDATE intake.tenant_keys SET wrapped = %s WHERE tenant_id = %s", blob, lost[0])
    with pytest.raises(StepError, match="does not open"):
        masters.rewrap(env)
    (kept,), = rows(masters.plant, "SELECT wrapped FROM intake.tenant_keys WHERE tenant_id = %s", lost[0])
    assert bytes(kept) == blob
    assert len(open_by(masters, new, crowd)) == MANY - 1


def test_keeps_to_its_rate(masters, crowd):
    began = time.monotonic()
    masters.rewrap({"ESTEIRA_SEAL_MASTER_FILE": masters.file}, "--dry-run", "--rate", str(MANY // 2))
    assert time.monotonic() - began >= 1.9, len(crowd)
