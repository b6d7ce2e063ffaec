"""A stack whose servers can fail one by one: three Kafka nodes, and a Postgres with a standby.

    proxy = Proxy()                              # tests/chaos/proxy.py, or anything with its verbs
    with Cluster.temporary(proxy=proxy) as c:
        c.kill_one("kafka-2"); c.start_one("kafka-2")
        c.fail_over(); c.rejoin()

Every byte of a client goes through the proxy, whose links are kafka-1..3 (the brokers advertise no
other address), postgres (to whichever server is the primary) and replica (from the standby to the
primary). Brokers talk to each other, and stack.psql() to the primary, directly.
"""
import os
import shutil
import signal
import time

import servers
from proc import StepError
from servers import DATABASE, SERVERS, Server
from stack import Stack

NODES = (1, 2, 3)
POSTGRES = ("postgres", "postgres-2")
LINKS = (*(f"kafka-{node}" for node in NODES), "postgres", "replica")
HEAP = "256m"


def _kafka_prepare(stack, node):
    ports = stack.ports
    inside, outside = (ports[f"kafka-{node}.inside"], ports[f"kafka-{node}"])
    controller = ports[f"kafka-{node}.controller"]
    voters = ",".join(f"{n}@127.0.0.1:{ports[f'kafka-{n}.controller']}" for n in NODES)
    servers.kafka_node(stack, f"kafka-{node}", {
        "node.id": node, "controller.quorum.voters": voters,
        "listeners": f"CLIENT://127.0.0.1:{outside},INSIDE://127.0.0.1:{inside},"
                     f"CONTROLLER://127.0.0.1:{controller}",
        "advertised.listeners": f"CLIENT://127.0.0.1:{ports[f'kafka-{node}.proxy']},"
                                f"INSIDE://127.0.0.1:{inside}",
        "listener.security.protocol.map":
            "CONTROLLER:PLAINTEXT,CLIENT:PLAINTEXT,INSIDE:PLAINTEXT",
        "inter.broker.listener.name": "INSIDE",
        "default.replication.factor": 3, "min.insync.replicas": 2,
        "offsets.topic.replication.factor": 3,
        "transaction.state.log.replication.factor": 3, "transaction.state.log.min.isr": 2,
        "share.coordinator.state.topic.replication.factor": 3,
        "share.coordinator.state.topic.min.isr": 2,
        "controller.quorum.election.timeout.ms": 1000, "controller.quorum.fetch.timeout.ms": 2000,
        # a heap of 256 MB for each: the cleaner alone would take 128 of it
        "log.cleaner.dedupe.buffer.size": 8 << 20,
        "num.io.threads": 4, "num.network.threads": 2,
    })


def _kafka(node):
    name = f"kafka-{node}"
    return Server((name, f"{name}.inside", f"{name}.controller"),
                  lambda stack: _kafka_prepare(stack, node),
                  lambda stack: servers.kafka_argv(stack, name, HEAP),
                  lambda stack: node in servers.kafka_brokers(stack.ports[name]),
                  servers.nothing,
                  signal.SIGKILL,  # of three that go at once, none finds a quorum to leave in order
                  90)


def _postgres(name):
    # a standby that says who it is can be named in synchronous_standby_names
    return Server((name,), lambda stack: stack.prepare_postgres(name),
                  lambda stack: servers.postgres_argv(stack, name, cluster_name=name,
                                                        wal_keep_size="256MB"),
                  lambda stack: servers.postgres_ready(stack, name),
                  lambda stack: stack.primary == name and servers.postgres_finish(stack),
                  signal.SIGINT, 60)


class Cluster(Stack):
    """A Stack as above."""

    servers = {**{name: _postgres(name) for name in POSTGRES},
               "redis": SERVERS["redis"], "s3": SERVERS["s3"],
               **{f"kafka-{node}": _kafka(node) for node in NODES}}
    replicas = len(NODES)
    may_be_secure = False  # a proxy that breaks connections says nothing else about TLS

    def __init__(self, directory, bin_dir=None, durable=True, proxy=None):
        super().__init__(directory, bin_dir, durable)
        self.proxy = proxy

    # addresses

    @property
    def primary(self):
        """Name of the Postgres that is the primary."""
        return self.state.get("primary", POSTGRES[0])

    @property
    def standby(self):
        """Name of the other one."""
        return POSTGRES[self.primary == POSTGRES[0]]

    @property
    def postgres_port(self):
        return self.ports[self.primary]

    @property
    def kafka_bootstrap(self):
        return ",".join(f"127.0.0.1:{self.ports[f'kafka-{node}.proxy']}" for node in NODES)

    def psql_url(self, role="postgres"):
        direct = super().psql_url(role)
        return direct.replace(f"@127.0.0.1:{self.ports[POSTGRES[0]]}/",
                              f"@127.0.0.1:{self.ports['postgres.proxy']}/")

    # life

    def up(self, say=lambda *_: None):
        """All servers, then the standby made synchronous."""
        # every node names the controllers of all, so all ports are known before any starts
        for name, server in self.servers.items():
            self._ports_of(name, server.ports, keep=False)
        self._ports_of("proxy", [f"{link}.proxy" for link in LINKS], keep=False)
        for link in LINKS:
            target = self.ports[POSTGRES[0] if link == "replica" else link]
            self.proxy.open(link, self.ports[f"{link}.proxy"], target)
        super().up(say)
        self.synchronous(True)

    # Postgres

    def prepare_postgres(self, name):
        """An empty cluster for the first primary; for a standby a copy of today's primary."""
        if name == self.primary:
            servers.postgres_prepare(self)
        elif not os.path.exists(self.path(f"{name}/PG_VERSION")):
            self._copy_primary(name)

    def _copy_primary(self, name):
        deadline = time.monotonic() + 60
        while not servers.postgres_ready(self, self.primary):
            if time.monotonic() > deadline:
                raise StepError(name, "there is no primary to copy", f"read log/{self.primary}.log")
            time.sleep(0.1)
        self.proxy.aim("replica", self.postgres_port)
        fresh = self.path(f"{name}.new")
        shutil.rmtree(fresh, ignore_errors=True)
        self.own_dir(fresh)
        servers.run(self, f"{name} basebackup", [
            servers.postgres_bin("pg_basebackup"), "-D", fresh, "-R", "-X", "stream",
            "--checkpoint=fast", "--no-sync", "-U", "postgres", "-h", "127.0.0.1", "-p",
            str(self.ports["replica.proxy"])], "./dev down --wipe, then again",
            env={"PGPASSWORD": self.secrets["roles"]["postgres"]})
        # the primary's own wish is copied with it, and would make a promoted copy wait for itself
        with open(os.path.join(fresh, "postgresql.auto.conf"), "a", encoding="utf-8") as f:
            f.write("synchronous_standby_names = ''\n")
        os.rename(fresh, self.path(name))

    def synchronous(self, on, timeout_s=60.0):
        """Whether a commit waits for the standby; on: returns when it does."""
        names = f'"{self.standby}"' if on else ""
        self.psql(f"ALTER SYSTEM SET synchronous_standby_names = '{names}'", database="postgres")
        self.psql("SELECT pg_reload_conf()", database="postgres")
        deadline = time.monotonic() + timeout_s
        while on and "sync" not in self.psql("SELECT sync_state FROM pg_stat_replication",
                                             database="postgres").split():
            if time.monotonic() > deadline:
                raise StepError(self.standby, f"does not follow within {timeout_s:.0f} s",
                                f"read log/{self.standby}.log")
            time.sleep(0.1)

    def fail_over(self):
        """The primary is killed, the standby promoted, and everybody's next connection goes there."""
        self.kill_one(self.primary)
        self.state["primary"] = self.standby
        self.psql("SELECT pg_promote(true, 60)", database="postgres")
        self.proxy.aim("postgres", self.postgres_port)

    def rejoin(self):
        """What was the primary, or was lost, comes back empty, as the synchronous standby."""
        name = self.standby
        shutil.rmtree(self.path(name), ignore_errors=True)
        self._start_server(name, keep=True)
        self.synchronous(True)

    def lose_postgres(self):
        """Both servers and all their data, for good; an empty one at the first one's address."""
        for name in POSTGRES:
            self.kill_one(name)
            shutil.rmtree(self.path(name))
        self.state["primary"] = POSTGRES[0]
        self._start_server(self.primary, keep=True)
        self.psql(f"DROP DATABASE {DATABASE}", database="postgres")
        self.proxy.aim("postgres", self.postgres_port)
