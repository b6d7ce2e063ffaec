"""An upgrade under load: the release before and this one side by side, a migration in between, one process after
the other replaced. Every request is answered as on any day, and everything that was accepted ends once."""
import collections
import contextlib
import json
import re
import threading
import urllib.parse

import pytest

import belt
import hooks
import partners
import release
import rig
from receiver import Receiver
from stack import Stack, programs_dir

SERVICES = ("audit", "ocr", "outreach", "intake")
TENANTS = [f"inquilino-{n}" for n in range(12)]  # so many that each of two processes has some of them
SCAN_EVERY, BATCH = 6, 5
MORE = 8  # documents accepted between one step and the next, records done by each process beside the other
STEP_S, END_S = 120, 240
FAST = {"ESTEIRA_DRAIN_MS": "20000"}


class Balancer:
    """Sends each request to the next intake."""

    def __init__(self):
        self.moved, self.urls, self.opening, self.turn = threading.Condition(), [], collections.Counter(), 0

    @contextlib.contextmanager
    def pick(self):
        """The next one, until the request is sent."""
        with self.moved:
            self.turn += 1
            url = self.urls[self.turn % len(self.urls)]
            self.opening[url] += 1
        try:
            yield url
        finally:
            with self.moved:
                self.opening[url] -= 1
                self.moved.notify_all()

    def add(self, url):
        """It takes part."""
        with self.moved:
            self.urls.append(url)

    def remove(self, url):
        """It gets no new request, and has taken those that were sent: what preStop's pause is for."""
        with self.moved:
            self.urls.remove(url)
            assert self.moved.wait_for(lambda: not self.opening[url], 30)
        for _ in range(2):  # connections are taken in their order
            assert belt.Client(url).call("GET", "/v1/health").status == 200


class Client(belt.Client):
    """A client of the balancer's."""

    def __init__(self, balancer, key):
        super().__init__("http://balancer", key)
        self.balancer = balancer

    def _open(self, method, path, body=None, headers=None):
        with self.balancer.pick() as url:
            conn = belt.connection(urllib.parse.urlsplit(url), self.timeout_s)
            conn.request(method, path, body=body, headers={"X-API-Key": self.key, **(headers or {})})
        return conn, conn.getresponse()


class Load:
    """What tenants and partners do all the time, and what they were promised."""

    def __init__(self, clients, partner, scan):
        self.clients, self.partner, self.scan = clients, partner, scan
        self.over, self.wrong = threading.Event(), []
        self.jobs, self.events, self.sent = [], [], []
        self.threads = [threading.Thread(target=self._run, args=(step, pause_s), daemon=True)
                        for step, pause_s in ((self._document, 0.2), (self._look, 0.2), (self._post, 0.3), (self._send, 0.1))]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join(60)

    def _run(self, step, pause_s):
        number = 0
        try:
            while not self.over.wait(pause_s):
                step(number)
                number += 1
        except BaseException as wrong:  # pylint: disable=broad-except
            self.wrong.append(wrong)
            raise

    def _tenant(self, number):
        return TENANTS[number % len(TENANTS)]

    def _document(self, number):
        tenant = self._tenant(number)
        data = self.scan + b"%% %d\n" % number if number % SCAN_EVERY == 0 else belt.tiny_pdf(f"Folha {number}")
        self.jobs.append((tenant, self.clients[tenant].send(data, key=f"upgrade-{number}")))

    def _look(self, _):
        for tenant, job_id in self.jobs[-3:]:
            self.clients[tenant].job(job_id)

    def _post(self, number):
        tenant = self._tenant(number)
        answer = hooks.post(self.clients[tenant], "/v1/events", [
            {"specversion": "1.0", "type": partners.CHARGE, "source": "/erp", "id": f"rest-{number}-{n}",
             "data": partners.DATA} for n in range(BATCH)], 202)
        assert answer.json()["accepted"] == BATCH, answer
        self.events += [item["id"] for item in answer.json()["items"]]

    def _send(self, number):
        tenant = self._tenant(number)
        self.partner.charge(f"kafka-{number}", tenant)
        self.partner.producer.poll(0)
        self.sent.append((f"kafka-{number}", tenant))

    def more(self):
        """Wait until so many more documents and events were accepted."""
        jobs, events = len(self.jobs) + MORE, len(self.events) + MORE
        belt.wait_for(lambda: f"{jobs} documents and {events} events, now {len(self.jobs)} and {len(self.events)}",
                      lambda: self.wrong or (len(self.jobs) >= jobs and len(self.events) >= events), STEP_S)
        assert not self.wrong, self.wrong


class Fleet:
    """The processes of both releases: name-1 is the old one's, name-2 the new one's."""

    def __init__(self, plant, balancer):
        self.plant, self.stack, self.balancer, self.programs = plant, plant.stack, balancer, {}

    def start(self, name, instance):
        """Ready, and asked for work."""
        service = self.plant.start(name, instance, **FAST)
        self.programs[f"{name}-{instance}"] = self.stack.bin_dir
        if name == "intake":
            self.balancer.add(service.url)

    def stop(self, name, instance):
        """In order, as it is asked to; its end is looked at."""
        full = f"{name}-{instance}"
        if name == "intake":
            self.balancer.remove(self.plant.services[full].url)
        self.stack.stop_one(full)
        child = self.stack._children[full]  # pylint: disable=protected-access
        assert child.returncode == 0, f"{full} ended with {child.returncode}"

    def done(self, full):
        """Records that a process has handled."""
        return sum(int(n) for n in re.findall(r'^esteira_records_total\{[^}]*outcome="done"[^}]*\} (\d+)',
                                              self.plant.metrics(full), re.M))

    def both_work(self, name):
        """Wait until the old and the new one have each handled records beside each other."""
        names = [f"{name}-1", f"{name}-2"]
        first = {full: self.done(full) for full in names}
        belt.wait_for(lambda: f"records done by {({full: self.done(full) for full in names})}, from {first}",
                      lambda: all(self.done(full) >= first[full] + MORE for full in names), STEP_S, 0.2)


def changes(stack):
    """Migrations that are deployed."""
    return int(stack.psql("SELECT count(*) FROM sqitch.changes"))


@contextlib.contextmanager
def old_plant(old):
    """The release before, as it was installed, with its tenants."""
    with Stack.temporary(bin_dir=old.bin_dir, deploy=False) as stack:
        plant = rig.Rig(stack)
        stack.deploy(old.migrations)
        stack.topics()
        stack.allow()
        for slug in TENANTS:
            stack.tenant(slug, slug.title(), "--test", "--deadline", str(rig.LONG_S))
            plant.keys[slug] = stack.key(slug)
        try:
            yield plant
        except BaseException:
            for title, lines in rig.last_words(stack):
                print(f"--- {title} ---\n{lines}")
            raise


def upgrade(fleet, load, new_bin_dir, is_older):
    """As docs/operate.md says, under load."""
    stack = fleet.stack
    load.more()
    before = changes(stack)
    stack.deploy()
    assert changes(stack) > before or not is_older, "there was no migration in between"
    load.more()
    stack.bin_dir = new_bin_dir
    for name in SERVICES:
        fleet.start(name, 2)
        load.more()
    for name in SERVICES:
        fleet.both_work(name)
    for name in SERVICES:
        fleet.stop(name, 1)
        load.more()


@pytest.fixture(scope="module", name="run")
def make_run(samples):  # pylint: disable=unused-argument
    """(plant, load, receiver, fleet) when the new release is alone and everything has been sent."""
    new_bin_dir = programs_dir()
    old = release.previous(new_bin_dir)
    with old_plant(old) as plant, Receiver() as receiver:
        balancer = Balancer()
        fleet = Fleet(plant, balancer)
        for name in SERVICES:
            fleet.start(name, 1)
        clients = {slug: Client(balancer, key) for slug, key in plant.keys.items()}
        for slug, client in clients.items():
            hooks.post(client, "/v1/webhooks", {"url": receiver.url(f"/{slug}"), "filters": ["document.completed"]}, 201)
        plant.events = partners.Tail(plant.stack, "intake.events")
        partner = partners.Partner(plant, "acme", *TENANTS).known(*TENANTS)
        with Load(clients, partner, belt.sample("receipt-3")) as load:
            upgrade(fleet, load, new_bin_dir, old.is_older)
        partner.flush()
        assert not load.wrong, load.wrong
        print(f"{len(load.jobs)} documents, {len(load.events)} events by REST, {len(load.sent)} by Kafka")
        yield plant, load, receiver, fleet


def test_the_old_were_old_and_the_new_are_new(run):
    """Or nothing was tested."""
    plant, _, _, fleet = run
    old, new = ({fleet.programs[f"{name}-{n}"] for name in SERVICES} for n in (1, 2))
    assert len(old) == len(new) == 1 and old != new and "/upgrade/" in old.pop()
    assert all(plant.stack.pid(f"{name}-1") is None and plant.stack.pid(f"{name}-2") for name in SERVICES)


def test_every_document_is_completed_once(run):
    _, load, *_ = run
    assert len({job_id for _, job_id in load.jobs}) == len(load.jobs)
    for tenant, job_id in load.jobs:
        belt.finish(load.clients[tenant], job_id, END_S)


def test_every_event_is_in_the_log_once(run):
    plant, load, *_ = run
    ids = {slug: plant.tenant_id(slug) for slug in TENANTS}
    wanted = {*load.events, *(partners.event_id(ids[tenant], "acme", sent) for sent, tenant in load.sent)}
    assert len(wanted) == len(load.events) + len(load.sent)
    belt.wait_for(lambda: f"every event, missing {len(wanted - set(plant.events.ids()))}",
                  lambda: wanted <= set(plant.events.ids()), END_S, 0.2)
    assert {name: n for name, n in collections.Counter(plant.events.ids()).items() if n > 1 and name in wanted} == {}


def test_every_webhook_is_called_once(run):
    _, load, receiver, _ = run

    def calls():
        with receiver.lock:
            return collections.Counter(call["body"]["data"]["job_id"] for call in receiver.calls)
    wanted = {job_id for _, job_id in load.jobs}
    belt.wait_for(lambda: f"a call for each, missing {len(wanted - set(calls()))}", lambda: wanted <= set(calls()), END_S, 0.2)
    assert calls() == collections.Counter(wanted)


def test_nothing_waits_and_nothing_is_dead(run):
    plant, *_ = run

    def rows():
        return json.loads(plant.stack.estctl("groups", "list", "--json"))
    quiet = ("lag", "due", "blocked", "overflow", "held", "dead")
    belt.wait_for(lambda: f"no lag: {rows()}", lambda: not any(row[name] for row in rows() for name in quiet), END_S, 0.5)
    for name in SERVICES:
        assert plant.count(f"SELECT count(*) FROM {name}.dead_letter") == 0
        belt.wait_for(f"an empty outbox of {name}", lambda n=name: plant.count(f"SELECT count(*) FROM {n}.outbox") == 0, 30)


# The library read a few records twice; it loses nothing. Releases made before decision 0037 told it as an error.
ONCE_AN_ERROR = '"event":"consumer.log_went_back"'


def test_nobody_had_an_error_to_tell(run):
    plant, *_, fleet = run
    for full in fleet.programs:
        with open(plant.stack.path(f"log/{full}.log"), encoding="utf-8") as f:
            told = [line for line in f if '"level":"error"' in line]
        if full.endswith("-1"):
            told = [line for line in told if ONCE_AN_ERROR not in line]
        assert told == [], full
