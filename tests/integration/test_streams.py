"""Event streams that stay open: for as long as their key is good, and so many of a tenant."""
import contextlib
import re
import time

import pytest

import belt
import rig
from statements import Statements

ENDS_S = 10  # as docs/api.md promises
LOOK_S = 5  # how long a key is known


@pytest.fixture(scope="module", name="farm")
def make_farm():
    """Two intakes and nobody who reads: a job stays pending, its stream open."""
    with rig.temporary(("alfa",), services=("audit", "intake")) as farm:
        farm.start("intake", 2)
        yield farm


class Watched:
    """A job and its open streams."""

    def __init__(self, farm, slug):
        self.farm, self.slug = farm, slug
        self.maker = belt.Client(farm.services["intake-1"].url, farm.tenant(slug))
        self.job_id = self.maker.send(belt.tiny_pdf("Uma folha que espera"))

    def client(self, key=None, instance=1):
        """With a key for status alone. What is silent for longer than a key may last is a failure."""
        key = key or self.farm.stack.key(self.slug, "status")
        return belt.Client(self.farm.services[f"intake-{instance}"].url, key, ENDS_S + 2)

    def end(self):
        """So that nothing of it is left open."""
        belt.wait_for("the end of the job",
                      lambda: self.maker.call("DELETE", f"/v1/jobs/{self.job_id}").status == 204)


@pytest.fixture(name="watched")
def make_watched(farm, request):
    watched = Watched(farm, re.sub("[^a-z]+", "-", request.node.name).strip("-"))
    yield watched
    if farm.stack.psql(f"SELECT state FROM intake.tenants WHERE slug = '{watched.slug}'").strip() == "active":
        watched.end()


def until_end(stream, of_job=False):
    """Seconds until the server ends it; without an end state, unless the job may have ended first."""
    began = time.monotonic()
    ends = [event for event in stream if event.event in belt.FINAL]
    assert of_job or not ends
    return time.monotonic() - began


def revoke(stack, slug, key):
    stack.estctl("key", "revoke", "--tenant", slug, key[3:11])


def rotate(stack, slug, key):
    stack.estctl("key", "rotate", "--tenant", slug, key[3:11], "--overlap", "0")


def expire(stack, _, key):
    stack.psql(f"UPDATE intake.api_keys SET expires_at = now() WHERE key_id = '{key[3:11]}'")


def suspend(stack, slug, _):
    stack.estctl("tenant", "suspend", slug)


def erase(stack, slug, _):
    stack.estctl("tenant", "erase", slug, "--yes", slug, "--who", "ana")


@pytest.mark.parametrize("how", [revoke, rotate, expire, suspend, erase])
def test_a_stream_ends_with_its_key(farm, watched, how):
    client = watched.client()
    with client.stream(watched.job_id) as stream:
        how(farm.stack, watched.slug, client.key)
        assert until_end(stream, how is erase) <= ENDS_S
    again = f"/v1/jobs/{watched.job_id}/events"
    belt.wait_for("a 401", lambda: client.call("GET", again).status == 401, ENDS_S if how is erase else 0)


def test_only_streams_of_that_key_end(farm, watched):
    going, ending = watched.client(), watched.client()
    with going.stream(watched.job_id) as other, ending.stream(watched.job_id) as stream:
        revoke(farm.stack, watched.slug, ending.key)
        assert until_end(stream) <= ENDS_S
        watched.end()
        assert [event.event for event in other] == ["failed"]


def test_what_watching_keys_costs(farm, watched):
    """A look-up per key and five seconds, however many streams; and none per stream."""
    some = [watched.client(), watched.client()]
    with contextlib.ExitStack() as stack:
        for turn in range(60):
            stack.enter_context(some[turn % 2].stream(watched.job_id))
        with Statements(farm.stack) as log:
            began = time.monotonic()
            belt.next_tick(1)
            seen = log.during(lambda: belt.wait_for(
                "three rounds", lambda: time.monotonic() >= began + 3 * LOOK_S, 4 * LOOK_S))
        lookups = sum(times for text, times in seen.items() if "key_lookup" in text)
        assert 2 <= lookups <= 2 * 4, seen


def test_a_tenant_has_its_share_and_no_more(farm, watched):
    """Of one process: another tenant still gets a stream there, and this one at another."""
    farm.start("intake", 1, ESTEIRA_HTTP_STREAMS_TENANT_MAX="6")
    here = belt.Client(farm.services["intake-1"].url, watched.maker.key, ENDS_S)
    other = Watched(farm, "vizinho")
    path = f"/v1/jobs/{watched.job_id}/events"
    with contextlib.ExitStack() as stack:
        some = [stack.enter_context(here.stream(watched.job_id)) for _ in range(6)]
        refused = here.call("GET", path, 429)
        refused.problem("too-many-streams")
        assert int(refused.header("Retry-After")) >= 1
        with other.client().stream(other.job_id), watched.client(instance=2).stream(watched.job_id):
            pass
        here.call("HEAD", path, 429)
        assert len(some) == 6
    belt.wait_for("room again", lambda: here.call("HEAD", path).status == 200)
    farm.start("intake", 1)
    watched.maker, other.maker = (belt.Client(farm.services["intake-1"].url, w.maker.key) for w in (watched, other))
    other.end()


def test_a_key_that_nobody_can_be_asked_about_ends(farm, watched):
    """Last. Postgres may have its end, so a stream does not outlive the promise."""
    client = watched.client()
    with client.stream(watched.job_id) as stream:
        farm.stack.stop_one("postgres")
        try:
            assert until_end(stream) <= ENDS_S
            with pytest.raises(AssertionError, match="503"), client.stream(watched.job_id):
                pass
        finally:
            farm.stack.start_one("postgres")
    belt.wait_for("an answer", lambda: client.call("GET", "/v1/jobs").status == 200, 30)
