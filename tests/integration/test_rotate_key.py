"""A tenant's key has versions: rotated while documents come in, destroyed when nothing needs the old ones."""
import base64
import concurrent.futures
import threading

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

import belt
import hooks
import rig
from hooks import rows
from proc import StepError

PAGE = belt.tiny_pdf("Uma folha para a troca de chaves")


@pytest.fixture(scope="module", name="plant")
def make_plant(samples):  # pylint: disable=unused-argument
    """Two tenants and all that touches their keys."""
    with rig.temporary(("alfa", "beta")) as plant:
        plant.ids = {slug: plant.tenant_id(slug) for slug in plant.keys}
        yield plant


def rotate(plant, slug, *more):
    """What the command says."""
    return plant.stack.estctl("tenant", "rotate-key", slug, "--who", "ana@example.com", *more)


def versions(plant, slug):
    """(version, is it there) of the tenant's keys."""
    return rows(plant, "SELECT version, wrapped IS NOT NULL FROM intake.tenant_keys WHERE tenant_id = %s"
                " ORDER BY version", plant.ids[slug])


def newest(plant, slug):
    """The version that seals."""
    return max(version for version, there in versions(plant, slug) if there)


def key_version(plant, job_id):
    """That a job was sealed under."""
    (version,), = rows(plant, "SELECT key_version FROM intake.jobs WHERE job_id = %s", job_id)
    return version


def told(plant, action, count):
    """(object, count) of the audit entries of that action, when there are as many."""
    def look():
        found = rows(plant, "SELECT object, (metadata->>'count')::int FROM audit.operations WHERE action = %s AND actor = 'ana@example.com'"
                     " ORDER BY occurred_at", action)
        return found if len(found) >= count else None
    return belt.wait_for(f"{count} entries {action}", look)


def unwrap(outer, context, blob):
    """docs/format.md."""
    inner = HKDF(hashes.SHA256(), 32, None, context.encode()).derive(outer)
    return AESGCM(inner).decrypt(bytes(blob[:12]), bytes(blob[12:]), context.encode())


def secret_of(plant, slug, endpoint):
    """(version, the secret in clear) as the row has it, read without our code."""
    with open(plant.stack.seal_master, "rb") as f:
        master = f.read()
    (secret, version, wrapped), = rows(
        plant, "SELECT e.secret, e.key_version, k.wrapped FROM intake.webhook_endpoints e JOIN intake.tenant_keys k"
        " ON k.tenant_id = e.tenant_id AND k.version = e.key_version WHERE endpoint_id = %s", endpoint)
    tenant = plant.ids[slug]
    key = unwrap(master, f"esteira/1|tenant-key|{tenant}|{version}", bytes(wrapped)[1:])
    return version, hooks.SECRET + base64.b64encode(
        unwrap(key, f"esteira/1|webhook|{tenant}|{endpoint}", secret)).decode()


def test_under_load_nothing_fails(plant):
    """Documents come in all the time, the key is rotated three times, and every one is read."""
    before, ended, jobs = newest(plant, "alfa"), threading.Event(), []

    def partner(number):
        client, page = plant.client(), belt.tiny_pdf(f"Folha do parceiro {number}")
        while not ended.is_set():
            jobs.append(client.send(page))
            client.ended(jobs[-1])
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        running = [pool.submit(partner, number) for number in range(3)]
        for turn in range(1, 4):
            sealed = len(jobs)
            belt.wait_for("documents under way", lambda n=sealed: len(jobs) >= n + 6, 60)
            said = rotate(plant, "alfa")
            assert f"key {before + turn} is active" in said, said
            belt.wait_for("a document under the new key", lambda t=turn: any(
                key_version(plant, job) == before + t for job in list(jobs)[-6:]), 10)
        ended.set()
        for future in running:
            future.result(60)
    client = plant.client()
    for job_id in jobs:
        belt.finish(client, job_id)
    assert {key_version(plant, job) for job in jobs} == set(range(before, before + 4))
    assert versions(plant, "alfa") == [(n, True) for n in range(1, before + 4)]
    for schema in ("intake", "ocr", "audit"):
        assert plant.count(f"SELECT count(*) FROM {schema}.dead_letter") == 0
    assert told(plant, "tenant.key_rotated", 3)[-1][0] == f"key {before + 3} of tenant alfa"


def test_secrets_of_webhooks_move_to_the_new_key(plant):
    client = plant.client("beta")
    made, turned = hooks.make(client), hooks.make(client)
    again = client.call("POST", f"/v1/webhooks/{turned['id']}/rotate", 200).json()
    assert secret_of(plant, "beta", made["id"]) == (newest(plant, "beta"), made["secret"])
    said = rotate(plant, "beta")
    assert "3 webhook secrets sealed anew" in said, said
    for endpoint, secret in ((made["id"], made["secret"]), (turned["id"], again["secret"])):
        assert secret_of(plant, "beta", endpoint) == (newest(plant, "beta"), secret)
    (old_version,), = rows(plant, "SELECT old_key_version FROM intake.webhook_endpoints WHERE endpoint_id = %s",
                           turned["id"])
    assert old_version == newest(plant, "beta")
    rotate(plant, "beta", "--destroy-old")
    assert [there for _, there in versions(plant, "beta")] == [False, True]
    hooks.clean(plant)


def refused(plant, slug):
    """Why the old keys stay."""
    with pytest.raises(StepError) as caught:
        rotate(plant, slug, "--destroy-old")
    assert "key-needed" in str(caught.value), caught.value
    return str(caught.value)


def test_what_needs_a_key_keeps_it(plant):
    """An unfinished job, then its result; then nothing."""
    plant.tenant("gama")
    plant.ids["gama"] = plant.tenant_id("gama")
    client = plant.client("gama")
    plant.stack.stop_one("ocr-1")
    job_id = client.send(PAGE)
    rotate(plant, "gama")
    assert "key 1 is needed by 1 unfinished jobs" in refused(plant, "gama")
    plant.start("ocr")
    belt.finish(client, job_id)
    assert "key 1 is needed by 1 results that can be fetched" in refused(plant, "gama")
    assert versions(plant, "gama") == [(1, True), (2, True)]
    client.call("DELETE", f"/v1/jobs/{job_id}", None)
    belt.wait_for("the result's end", lambda: client.result(job_id, None).status == 410)
    assert "destroyed: 1" in rotate(plant, "gama", "--destroy-old")
    assert versions(plant, "gama") == [(1, False), (2, True)]
    belt.wait_for("what is told of it", lambda: ("key 1 of tenant gama", 1) in told(plant, "tenant.key_destroyed", 1))
    assert rotate(plant, "gama", "--destroy-old") == ""
    belt.finish(client, client.send(PAGE))


def test_an_upload_across_the_end_of_its_key(plant):
    """It began under a key that is destroyed before it ends: no job that nobody could read; the next try goes well."""
    plant.tenant("delta")
    plant.ids["delta"] = plant.tenant_id("delta")
    client = plant.client("delta")
    with belt.Wire(client.url) as wire:
        wire.send(b"POST /v1/extract HTTP/1.1\r\nHost: esteira\r\nContent-Type: application/pdf\r\n"
                  + f"X-API-Key: {client.key}\r\nContent-Length: {len(PAGE)}\r\n\r\n".encode() + PAGE[:40])
        running = "esteira_uploads_running 1"
        belt.wait_for("the upload to be taken", lambda: running in plant.metrics("intake-1"))
        rotate(plant, "delta")
        rotate(plant, "delta", "--destroy-old")
        wire.send(PAGE[40:])
        answer = wire.answer("POST", "/v1/extract")
    assert answer.status == 503, answer
    answer.problem("try-again")
    assert plant.count(f"SELECT count(*) FROM intake.jobs WHERE tenant_id = '{plant.ids['delta']}'") == 0
    belt.finish(client, client.send(PAGE))


def test_of_an_erased_tenant_nothing_is_left(plant):
    """Its keys go by the one function that intake may call, and only then; nobody rotates them."""
    plant.tenant("omega")
    plant.ids["omega"] = plant.tenant_id("omega")
    destroy = f"SELECT intake.destroy_tenant_keys('{plant.ids['omega']}')"
    assert plant.stack.psql(destroy, "esteira_intake").strip() == "0"
    assert versions(plant, "omega") == [(1, True)]
    rows(plant, "UPDATE intake.tenants SET state = 'erasing' WHERE slug = 'omega'")
    with pytest.raises(StepError, match="bad-transition"):
        rotate(plant, "omega")
    assert plant.stack.psql(destroy, "esteira_intake").strip() == "1"
    assert plant.stack.psql(destroy, "esteira_intake").strip() == "0"
    assert versions(plant, "omega") == [(1, False)]
    assert all(there for _, there in versions(plant, "alfa"))


def test_who_is_unknown(plant):
    with pytest.raises(StepError, match="not-found"):
        rotate(plant, "nobody")
