"""What must be true at rest, whatever happened before: each function names what is broken.

A snapshot of the database, the log's outputs, and the provider's memory are held against the model.
"""
import collections
import contextlib
import json
import os
import re
import statistics

import confluent_kafka

from model import DEAD, DONE, OUTPUT
from world import DLQ, PATIENCE, SERVICE, TOPIC, Broken

GROUP_MAX_KB, DESCRIPTORS_MAX = 400 << 10, 256
GROWTH, GROWTH_KB, GROWTH_DESCRIPTORS = 1.5, 64 << 10, 40
QUIET_WAIT_S = 20 * PATIENCE
SHOWN = 8
TABLES = {
    "inbox": "SELECT event_id::text, epoch, count(*), max(length(coalesce(outputs, ''))) FROM inbox"
             " GROUP BY 1, 2",
    "dead": "SELECT event_id::text, epoch, part, off, state, error_class, error_code FROM dead_letter",
    "parked": "SELECT event_id::text, epoch, reason FROM parked",
    "replay": "SELECT id, part, from_offset, to_offset, kind, state, log_gone FROM replay",
    "entry": "SELECT tenant_id::text, key, n, event_id::text FROM entry ORDER BY seq",
    "disorder": "SELECT event_id::text, key, n, after_n FROM disorder",
    "charge": "SELECT tenant_id::text, charge, state, provider_ref, event_id::text FROM charge",
    "tally": "SELECT tenant_id::text, name, total FROM tally",
    "effect": "SELECT effect_key, state FROM effect",
    "progress": "SELECT part, next_offset FROM progress",
}


def insist(broken, what):
    """broken: examples of it."""
    broken = list(broken)
    if broken:
        more = f" and {len(broken) - SHOWN} more" if len(broken) > SHOWN else ""
        raise Broken(f"{what}: " + "; ".join(map(str, broken[:SHOWN])) + more)


def descriptors(pid):
    """What they are, counted; a TCP connection by where it goes."""
    found = collections.Counter()
    inodes = {}
    with open("/proc/net/tcp", encoding="ascii") as f:
        for line in f.readlines()[1:]:
            fields = line.split()
            inodes[fields[9]] = int(fields[2].split(":")[1], 16)
    for entry in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(OSError):
            kind = os.readlink(f"/proc/{pid}/fd/{entry}")
            inode = re.search(r"\d+", kind)
            port = inode and inodes.get(inode.group())
            found[f"port {port}" if port else re.sub(r"\d+", "N", kind)] += 1
    return dict(found)


class Log:
    """Every output and dead letter that was ever in its topic, read on from the last check's end."""

    def __init__(self, world):
        self.world, self.outputs, self.letters, self.next = world, {}, set(), {}
        self.reader = confluent_kafka.Consumer({
            "bootstrap.servers": world.cluster.kafka_bootstrap, "group.id": "chaos-reader",
            "enable.auto.commit": False, "enable.partition.eof": True, "log_level": 0})

    def read(self):
        """To its end."""
        left = {}
        for topic in (TOPIC, DLQ):
            for part, end in self.world.ends(topic).items():
                if self.next.get((topic, part), 0) < end:
                    left[topic, part] = self.next.get((topic, part), 0)
        if not left:
            return
        self.reader.assign([confluent_kafka.TopicPartition(*place, at) for place, at in left.items()])
        while left:
            message = self.reader.poll(60)
            if message is None:
                raise Broken(f"the log does not end: {sorted(left)}")
            place = (message.topic(), message.partition())
            if message.error() is None:
                self._take(message)
                self.next[place] = message.offset() + 1
            elif message.error().code() == confluent_kafka.KafkaError._PARTITION_EOF:
                left.pop(place, None)
        self.reader.unassign()

    def _take(self, message):
        headers = {name: value.decode("utf-8", "replace") for name, value in
                   message.headers() or []}
        if message.topic() == DLQ:
            self.letters.add((int(headers.get("__connect.errors.partition", -1)),
                              int(headers.get("__connect.errors.offset", -1))))
            return
        if headers.get("ce_type") not in OUTPUT.values():
            return
        made = (headers["ce_type"], message.key().decode(), headers.get("ce_tenantid"),
                message.value(), headers.get("ce_supersedes"))
        self.outputs.setdefault(headers["ce_id"], []).append((made, message.timestamp()[1]))

    def begin_again(self):
        """Read what there is; the topic is to be made anew."""
        self.read()
        self.next = {place: at for place, at in self.next.items() if place[0] == DLQ}


class Checker:
    """Remembers what it saw, for what must not grow."""

    def __init__(self, world):
        self.world, self.log, self.first = world, Log(world), {}
        world.log = self.log
        self.rows, self.inputs, self.ends = {}, {}, {}
        self.waits_ms = []

    def check(self):
        """Raise Broken with the first invariant that does not hold; world is at rest."""
        self._look()
        for step in (self.commits, self.outcomes, self.letters, self.replays, self.entries, self.order,
                     self.totals, self.charges, self.outputs, self.waits, self.growth):
            step()

    def _look(self):
        with self.world.cursor() as cursor:
            for name, sql in TABLES.items():
                cursor.execute(sql)
                self.rows[name] = cursor.fetchall()
        self.inputs = {made.event_id: made for made in self.world.load.model.inputs()
                       if made.kind != "bad"}
        self.log.read()

    # --- once ---

    def commits(self):
        """The commit is never ahead of Postgres."""
        progress = dict(self.rows["progress"])
        insist((f"partition {p}: committed {k}, progress {progress.get(p)}"
                for p, k in self.world.committed().items()
                if k is not None and k > 0 and k > progress.get(p, 0)),
               "Kafka's commit is ahead of Postgres")

    def outcomes(self):
        """Exactly one final outcome per (event, epoch), and the one it should have."""
        insist((f"event {event} epoch {epoch}: {count} rows"
                for event, epoch, count, _ in self.rows["inbox"] if count > 1),
               "handled twice, by the inbox")
        handled, silent = collections.defaultdict(set), set()
        for event, epoch, _, outputs in self.rows["inbox"]:
            handled[event].add(epoch)
            if epoch > 0 and not outputs:
                silent.add((event, epoch))
        letters, places = collections.defaultdict(list), collections.Counter()
        undecided = set()
        for event, epoch, part, off, state, _, code in self.rows["dead"]:
            letters[event, epoch].append((state, code))
            places[part, off] += 1
            if state in ("open", "redriving"):
                undecided.add(event)
        waiting = collections.defaultdict(set)
        for event, epoch, reason in self.rows["parked"]:
            if reason != "hold":
                waiting[event].add(epoch)
        insist((f"event {event} epoch {epoch}: {found}" for (event, epoch), found in letters.items()
                if event is not None and len(found) > 1), "two dead letters of one record")
        insist((f"event {event}: {sorted(waiting[event] & handled[event])}" for event in waiting
                if waiting[event] & handled[event]), "both parked and handled")
        self.ends = {}
        for event in self.inputs:
            dead = {epoch for epoch in handled[event]
                    if any(state != "redriven" for state, _ in letters.get((event, epoch), ()))}
            if event in undecided:  # in a replay it was held: its letter stays the only one
                dead |= {epoch for epoch in handled[event] if (event, epoch) in silent}
            self.ends[event] = {"done": handled[event] - dead, "dead": dead,
                                "parked": waiting[event]}
        self._judge_ends(letters)
        insist((f"{made.part}/{made.offset}" for made in self.world.load.model.inputs()
                if made.kind == "bad" and not places[made.part, made.offset]),
               "a record that is no event has no dead letter")

    def letters(self):
        """Each has its record on the dead-letter topic, and no record is there without one."""
        places = {(part, off) for _, _, part, off, *_ in self.rows["dead"]}
        insist((f"{part}/{off}" for part, off in places - self.log.letters),
               "a dead letter that is not on its topic")
        if not self.world.lossy:
            insist((f"{part}/{off}" for part, off in self.log.letters - places),
                   "a record on the dead-letter topic without a dead letter")

    def _judge_ends(self, letters):
        skipped = self.skipped()
        insist((f"{made}" for event, made in self.inputs.items()
                if not any(self.ends[event].values()) and event not in skipped),
               "an accepted input has no outcome")
        insist((f"{made}: {[letters[event, e] for e in self.ends[event]['dead']]}"
                for event, made in self.inputs.items()
                if made.end == DONE and self.ends[event]["dead"]),
               "a good input is a dead letter")
        insist((f"{made}" for event, made in self.inputs.items()
                if made.end == DEAD and self.ends[event]["done"]), "a bad input was done")

    def skipped(self, how_many=all):
        """Events with all (any) of their records in a range that an operator jumped over."""
        ranges = [row for row in self.rows["replay"] if row[4] == "skip" and row[5] == "done"]
        found = collections.defaultdict(list)
        for made in self.world.load.model.inputs():
            found[made.event_id].append(
                any(part == made.part and first <= made.offset < last and gone == made.old
                    for _, part, first, last, _, _, gone in ranges))
        return {event for event, records in found.items() if how_many(records)}

    def replays(self):
        """What a rewind contains was handled in its epoch."""
        ranges = sorted(row for row in self.rows["replay"] if row[4] == "rewind"
                        and row[5] == "done" and not row[6])
        missing = []
        for made in self.inputs.values():
            epochs = [i for i, part, first, last, *_ in ranges
                      if not made.old and part == made.part and first <= made.offset < last]
            ends = self.ends[made.event_id]
            if epochs and not ends["parked"] and epochs[-1] not in ends["done"] | ends["dead"] \
                    and not ends["dead"]:
                missing.append(f"{made}: epochs {ends}, replays {epochs}")
        insist(missing, "a replayed record was not handled again")

    # --- effects ---

    def done(self, kind):
        """Inputs of a kind that were handled well, by event id."""
        return {event: made for event, made in self.inputs.items()
                if made.kind == kind and self.ends[event]["done"]}

    def entries(self):
        """Rows are those of the model, each under its own tenant."""
        wanted = self.done("entry")
        found = {event: (tenant, key, n) for tenant, key, n, event in self.rows["entry"]}
        insist((f"{made}" for event, made in wanted.items() if event not in found),
               "handled, and its row is not there")
        insist((f"{event}: {row}" for event, row in found.items() if event not in wanted),
               "a row that no handled input made")
        insist((f"{made}: {found[event]}" for event, made in wanted.items()
                if found[event] != (made.tenant, made.key, made.n)),
               "a row under another tenant or key")

    def order(self):
        """Within a key in the order of the log, but for what a person sent again."""
        late = {event for event, _, _, _, state, _, _ in self.rows["dead"] if state == "redriven"}
        late |= self.skipped(any)
        insist((row for row in self.rows["disorder"] if row[0] not in late), "out of order")
        last = collections.defaultdict(int)
        wrong = []
        for tenant, key, n, event in self.rows["entry"]:
            if event in late:
                continue
            if n < last[tenant, key]:
                wrong.append(f"{key} of {tenant}: {n} after {last[tenant, key]}")
            last[tenant, key] = n
        insist(wrong, "effects out of order")

    def totals(self):
        """Nothing was added twice, or not at all."""
        wanted = collections.Counter()
        for event, made in self.inputs.items():
            if made.kind == "count" and self.ends[event]["done"]:
                wanted[made.tenant, made.key] += made.n
        found = {(tenant, name): total for tenant, name, total in self.rows["tally"]}
        insist((f"{name} of {tenant}: {found.get((tenant, name))} instead of {total}"
                for (tenant, name), total in wanted.items()
                if found.get((tenant, name)) != total),
               "a total is wrong")

    def charges(self):
        """The provider saw each once, and the ledger says so."""
        counts, ledger = self.world.provider.counts(), dict(self.rows["effect"])
        insist((f"{key}: {seen}, ledger {ledger.get(key)}" for key, seen in counts.items()
                if seen["effects"] > 1), "an effect happened more than once")
        wanted = self.done("charge")
        found = {row[4]: row for row in self.rows["charge"]}
        insist((f"{made}" for event, made in wanted.items() if event not in found),
               "settled, and its row is not there")
        insist((f"{found[event]}, {counts.get(made.key)}, ledger {ledger.get(made.key)}"
                for event, made in wanted.items()
                if found[event][:2] != (made.tenant, made.key)
                or found[event][2] == "confirmed" and counts[made.key]["effects"] != 1
                or ledger.get(made.key) != found[event][2]),
               "charge, ledger and provider do not agree")

    def outputs(self):
        """What is on the log is what the model says, unique by event id."""
        wanted = {made.output_id: made for kind in OUTPUT for made in self.done(kind).values()}
        found = self.log.outputs
        insist((f"{made}" for key, made in wanted.items() if key not in found),
               "handled, and its event is not on the log")
        insist((f"{key}: {copies[0][0]}" for key, copies in found.items() if key not in wanted),
               "an event that no handled input made")
        insist((f"{key}: {sorted({copy for copy, _ in copies})}" for key, copies in found.items()
                if len({copy for copy, _ in copies}) > 1), "one event id, two events")
        insist((f"{made}: {found[key][0][0]}" for key, made in wanted.items()
                if not self._right(made, found[key][0][0])), "an event that is wrong")

    @staticmethod
    def _right(made, output):
        kind, key, tenant, payload, supersedes = output
        body = json.loads(payload)
        own = {"entry": ("key", "n"), "count": ("name", "n"), "charge": ("charge",)}[made.kind]
        return kind == OUTPUT[made.kind] and {key, tenant} == {made.tenant} and not supersedes and \
            tuple(body[field] for field in own) == (made.key, made.n)[:len(own)]

    # --- time and space ---

    def waits(self):
        """A quiet tenant waits for no other."""
        loud = self.world.load.loud
        waits = []
        for made in self.inputs.values():
            if made.tenant != loud and made.behave == "ok" and made.kind == "entry" and \
                    any(first <= made.taken_ms < last for first, last in self.world.calm):
                copies = self.log.outputs.get(made.output_id)
                if copies:
                    waits.append((min(at for _, at in copies) - made.taken_ms, made))
        self.world.calm.clear()
        self.waits_ms += [wait for wait, _ in waits]
        insist((f"{wait / 1000:.1f} s: {made}" for wait, made in waits
                if wait > QUIET_WAIT_S * 1000), "a quiet tenant waited too long without any fault")

    def wait_figures(self):
        """p50, p99 and most of quiet tenants' waits in calm times, ms."""
        if len(self.waits_ms) < 2:
            return None
        cuts = statistics.quantiles(self.waits_ms, n=100, method="inclusive")
        return round(cuts[49]), round(cuts[98]), max(self.waits_ms)

    def growth(self):
        """Memory and descriptors of a process stay as they were."""
        for number in self.world.wanted:
            pid = self.world.pid(number)
            with open(f"/proc/{pid}/status", encoding="ascii") as f:
                kb = int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1))
            now = (kb, len(os.listdir(f"/proc/{pid}/fd")))
            first = self.first.setdefault(pid, now)
            name = f"{SERVICE}-{number}"
            if kb > GROUP_MAX_KB or kb > first[0] * GROWTH + GROWTH_KB:
                raise Broken(f"memory of {name}: {first[0]} kB at first, {kb} kB now")
            if now[1] > DESCRIPTORS_MAX or now[1] > first[1] + GROWTH_DESCRIPTORS:
                raise Broken(f"descriptors of {name}: {first[1]} at first, {now[1]} now: "
                             f"{descriptors(pid)}")

