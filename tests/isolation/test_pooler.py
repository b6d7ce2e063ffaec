"""Requests through PgBouncer in transaction mode: every transaction may get a session that another
tenant has just left. Two sessions serve eight threads and six tenants."""
import concurrent.futures
import contextlib
import random
import threading

import belt
import pooler
import psycopg2
import pytest
import rig

TENANTS = [f"tenant-{n}" for n in range(6)]
DOCUMENTS = 4  # of each tenant
WORKER_SESSIONS = 2


@pytest.fixture(scope="module", name="plant")
def make_plant():
    """Six tenants; intake's request pool goes through a PgBouncer of two sessions."""
    with rig.temporary(TENANTS, services=("audit", "ocr")) as plant:
        stack = plant.stack
        stack.servers = {**stack.servers, "pooler": pooler.SERVER}
        stack.start_one("pooler")
        plant.start("intake", ESTEIRA_PG_REQUEST_URL=pooler.url(stack))
        yield plant


def all_at_once(work, *lists):
    """work(item, ...) in a thread each; its first failure is raised."""
    with concurrent.futures.ThreadPoolExecutor(len(lists[0])) as pool:
        return list(pool.map(work, *lists))


def pages_of(client, job_id):
    """What was read of the document."""
    return " ".join(page["text"] for page in client.result(job_id, 200).json()["pages"])


def listed(client):
    """The ids of all its jobs, page by page."""
    found, path = [], "/v1/jobs?limit=3"
    while path:
        page = client.get(path)
        found += [job["job_id"] for job in page["items"]]
        path = page.get("next_cursor") and f"/v1/jobs?limit=3&cursor={page['next_cursor']}"
    return found


def upload(plant, slug):
    """Its documents, each with words of its own: {job id: words}."""
    client, found = plant.client(slug), {}
    for number in range(DOCUMENTS):
        words = f"{slug} document {number} {random.getrandbits(32):08x}"
        found[client.send(belt.tiny_pdf(words))] = words
    return found


@pytest.fixture(scope="module", name="jobs")
def make_jobs(plant):
    """{slug: {job id: words}} of all tenants, sent at once, ended."""
    found = dict(zip(TENANTS, all_at_once(lambda slug: upload(plant, slug), TENANTS)))
    for slug, mine in found.items():
        for job_id in mine:
            assert plant.client(slug).ended(job_id, 120)["status"] == "completed"
    return found


def look_round(plant, jobs, slug):
    """Everything of one's own is there, nothing of anybody else's: list, job, trail, result."""
    client, mine = plant.client(slug), jobs[slug]
    for _ in range(3):
        assert set(mine) <= set(listed(client))
        assert not {job for other in jobs if other != slug for job in jobs[other]} & set(listed(client))
        for job_id, words in mine.items():
            assert client.job(job_id)["job_id"] == job_id
            assert words in pages_of(client, job_id)
        for other in jobs:
            if other != slug:
                theirs = next(iter(jobs[other]))
                client.call("GET", f"/v1/jobs/{theirs}", 404)
                client.call("GET", f"/v1/jobs/{theirs}/result", 404)
                trail = client.call("GET", f"/v1/audit?job_id={theirs}")
                assert trail.status == 404 or trail.json()["entries"] == []


def test_many_tenants_share_two_sessions(plant, jobs):
    all_at_once(lambda slug: look_round(plant, jobs, slug), TENANTS)
    sessions = plant.count("SELECT count(*) FROM pg_stat_activity WHERE usename = 'esteira_intake'")
    assert sessions <= pooler.POOL + WORKER_SESSIONS, "requests do not go through PgBouncer"
    log = plant.stack.path("log/pooler.log")
    with open(log, encoding="utf-8") as f:
        text = f.read()
    assert "login attempt: db=esteira user=esteira_intake" in text
    assert "unsupported startup parameter" not in text and "prepared statement" not in text


@pytest.mark.usefixtures("jobs")
def test_sessions_of_the_pool_have_the_time_limits(plant):
    """As a service sets them on a connection of its own."""
    with contextlib.closing(psycopg2.connect(pooler.url(plant.stack))) as conn, conn.cursor() as cur:
        for name, wanted in (("lock_timeout", "5s"), ("idle_in_transaction_session_timeout", "5s"),
                             ("statement_timeout", "30s"), ("timezone", "UTC"), ("search_path", "intake"),
                             ("enable_seqscan", "off")):
            cur.execute(f"SHOW {name}")
            assert cur.fetchone() == (wanted,), name


def test_pgbouncer_refuses_what_a_direct_connection_says(plant):
    """Why the limits are the role's: as startup options they do not come through."""
    with pytest.raises(psycopg2.OperationalError, match="unsupported startup parameter"):
        psycopg2.connect(pooler.url(plant.stack), options="-c lock_timeout=5000")


def test_a_tenant_does_not_stay_with_a_session(plant, jobs):
    """Bare transactions of both kinds on more connections than sessions."""
    ids = {slug: plant.tenant_id(slug) for slug in TENANTS}

    def ask(slug):
        with contextlib.closing(psycopg2.connect(pooler.url(plant.stack))) as conn, conn.cursor() as cur:
            for _ in range(50):
                cur.execute("SELECT set_config('app.current_tenant', %s, true)", (ids[slug],))
                cur.execute("SELECT DISTINCT tenant_id FROM jobs")
                assert cur.fetchall() == [(ids[slug],)]
                conn.commit()
                cur.execute("SELECT count(*) FROM jobs")
                assert cur.fetchone() == (0,)
                conn.rollback()
    assert len(jobs) > pooler.POOL
    all_at_once(ask, TENANTS)


def test_pgbouncer_killed_comes_back(plant, jobs):
    """Meanwhile requests are answered 503, and nothing else; afterwards as before, by the same intake."""
    stack, pid = plant.stack, plant.stack.pid("intake-1")
    over, seen = threading.Event(), {slug: [] for slug in TENANTS}

    def knock(slug):
        client = plant.client(slug)
        mine = next(iter(jobs[slug]))
        while not over.wait(0.05):
            answer = client.call("GET", f"/v1/jobs/{mine}")
            seen[slug].append(answer.status)
            if answer.status == 200:
                assert answer.json()["job_id"] == mine
    with concurrent.futures.ThreadPoolExecutor(len(TENANTS)) as pool:
        running = [pool.submit(knock, slug) for slug in TENANTS]
        try:
            belt.wait_for("requests", lambda: all(200 in statuses for statuses in seen.values()))
            stack.kill_one("pooler")
            belt.wait_for("a request that found no database", lambda: any(503 in s for s in seen.values()))
            stack.start_one("pooler")
            before = {slug: len(statuses) for slug, statuses in seen.items()}
            belt.wait_for("everybody is served", lambda: all(200 in s[before[slug]:] for slug, s in seen.items()))
        finally:
            over.set()
        for done in running:
            done.result()
    assert set().union(*seen.values()) == {200, 503}
    assert stack.pid("intake-1") == pid
    all_at_once(lambda slug: look_round(plant, jobs, slug), TENANTS)
