"""Where the servers and services of a stack are found, and what a process is told of them."""
import functools
import os
import socket
import ssl
from typing import NamedTuple

import s3
import secure
from servers import BUCKET, DATABASE, ROOT

SERVICES = ("intake", "ocr", "audit", "outreach")
TOPIC_PREFIX = "esteira."


class Service(NamedTuple):
    """A running service as a test sees it. url is None for one without a public port."""
    name: str
    instance: int
    pid: int
    url: str
    admin: str


# What ./dev up --secure does over TLS.
SECURED = ("kafka", "postgres", "redis", "s3", "http")
KAFKA_ADMIN = "admin"  # the only principal, beside the broker's own, that no ACL binds


class Wires:
    """Addresses and environments; the part of Stack that only reads what the rest wrote."""

    # what every program of the suite must know alike of the topics
    topic_space = {"ESTEIRA_KAFKA_TOPIC_PREFIX": TOPIC_PREFIX, "ESTEIRA_TOPICS_PARTITIONS": "12",
                   "ESTEIRA_TOPICS_OCR_PARTITIONS": "12"}

    @property
    def ports(self):
        return self.state["ports"]

    @property
    def seal_master(self):
        return self.path("conf/seal.master")

    @property
    def s3_keys(self):
        return self.secrets["s3_access"], self.secrets["s3_secret"]

    @property
    def s3_place(self):
        """Where s3.py asks."""
        return s3.Place(self.ports["s3"], self.tls_context() if self.is_secured("s3") else None)

    @property
    def kafka_bootstrap(self):
        return f"127.0.0.1:{self.ports['kafka']}"

    def _redis_url(self, login=""):
        return f"redis{'s' if self.is_secured('redis') else ''}://{login}127.0.0.1:{self.ports['redis']}/0"

    @property
    def redis_url(self):
        """With the password, for people."""
        return self._redis_url(f":{self.secrets['redis']}@" if self.is_secured("redis") else "")

    def _redis_env(self):
        """The password beside the URL: there it is renewed without a restart."""
        password = {"ESTEIRA_REDIS_PASSWORD": self.secrets["redis"]} if self.is_secured("redis") else {}
        return {"ESTEIRA_REDIS_URL": self._redis_url(), **password}

    @property
    def s3_endpoint(self):
        return f"{'https' if self.is_secured('s3') else 'http'}://127.0.0.1:{self.ports['s3']}"

    # what is different when the stack is secure

    def is_secured(self, name):
        """Is this wire TLS here?"""
        return self.state.get("secure", False) and name in SECURED

    @functools.cached_property
    def authority(self):
        """Who signs what is shown on the secured wires."""
        return secure.Authority(self.path("tls"))

    def server_pair(self, name):
        """A certificate for one of our own servers: all are on the loopback."""
        return self.authority.issue(name, dns=["localhost"], ips=["127.0.0.1"],
                                    client=name.startswith("kafka"))

    def client_pair(self, name, ips=()):
        """A certificate that is made when it is first asked for; of a client when it has no ips."""
        pair = secure.Pair(self.authority.path(f"{name}.crt"), self.authority.path(f"{name}.key"))
        if os.path.exists(pair.cert):
            return pair
        return self.authority.issue(name, ips=ips, client=not ips)

    def tls_context(self, client=None):
        """For Python's own sockets; client: whose certificate is shown. None: not over TLS."""
        if not self.state.get("secure", False):
            return None
        context = ssl.create_default_context(cafile=self.authority.ca_file)
        if client:
            context.load_cert_chain(*self.client_pair(client))
        return context

    def kafka_client_conf(self, principal=KAFKA_ADMIN):
        """Settings of a librdkafka client that is nobody of the suite; a test adds its own."""
        conf = {"bootstrap.servers": self.kafka_bootstrap}
        if self.is_secured("kafka"):
            pair = self.client_pair(principal)
            conf.update({"security.protocol": "ssl", "ssl.ca.location": self.authority.ca_file,
                         "ssl.certificate.location": pair.cert, "ssl.key.location": pair.key})
        return conf

    def kafka_env(self, principal):
        """How a program of the suite reaches Kafka under that name."""
        env = {"ESTEIRA_KAFKA_BROKERS": self.kafka_bootstrap}
        if self.is_secured("kafka"):
            pair = self.client_pair(principal)
            env.update(ESTEIRA_KAFKA_SECURITY="ssl", ESTEIRA_KAFKA_CERT_FILE=pair.cert,
                       ESTEIRA_KAFKA_CA_FILE=self.authority.ca_file,
                       ESTEIRA_KAFKA_KEY_FILE=pair.key)
        return env

    def kafka_tool_args(self, option="--command-config"):
        """What a stock Kafka tool is told beside the address."""
        if not self.is_secured("kafka"):
            return []
        pair = self.client_pair(KAFKA_ADMIN)
        path = self.authority.write("tools.properties", "".join(
            f"{name}={value}\n" for name, value in {
                "security.protocol": "SSL", "ssl.truststore.type": "PEM",
                "ssl.truststore.location": self.authority.ca_file, "ssl.keystore.type": "PEM",
                "ssl.keystore.location": self.authority.pem_store(pair)}.items()).encode(), 0o600)
        return [option, path]

    def redis_socket(self, timeout_s=1.0):
        """A connection to Redis that is let in."""
        sock = socket.create_connection(("127.0.0.1", self.ports["redis"]), timeout_s)
        if self.is_secured("redis"):
            sock = self.tls_context().wrap_socket(sock, server_hostname="127.0.0.1")
            sock.sendall(f"AUTH {self.secrets['redis']}\r\n".encode())
            if sock.recv(16) != b"+OK\r\n":
                raise OSError("Redis does not take its password")
        return sock

    @property
    def libpq_env(self):
        """How libpq verifies the server where it is not told by a URL."""
        return {"PGSSLMODE": "verify-full", "PGSSLROOTCERT": self.authority.ca_file} \
            if self.is_secured("postgres") else {}

    # addresses

    @property
    def kafka_cli(self):
        """Prefix of a stock Kafka tool; the class name comes next."""
        return os.path.join(ROOT, "docker/local/kafka-cli")

    def kafka_tool(self, name, *args):
        """The command of a stock tool that asks this broker; name: its class below org.apache.kafka.tools."""
        return [self.kafka_cli, f"org.apache.kafka.tools.{name}", "--bootstrap-server", self.kafka_bootstrap,
                *self.kafka_tool_args(), *args]

    @property
    def postgres_port(self):
        """Of the server itself, where what the tests ask goes."""
        return self.ports["postgres"]

    def psql_url(self, role="postgres"):
        """libpq URI of a role; postgres is the superuser."""
        tls = (f"?sslmode=verify-full&sslrootcert={self.authority.ca_file}"
               if self.is_secured("postgres") else "")
        return (f"postgresql://{role}:{self.secrets['roles'][role]}"
                f"@127.0.0.1:{self.ports['postgres']}/{DATABASE}{tls}")

    def s3_list(self):
        """Every object key in the bucket."""
        return s3.list_keys(functools.partial(s3.request, self.s3_place, self.s3_keys), BUCKET)

    def service(self, name, instance=1):
        """Addresses of a service that was started."""
        full = f"{name}-{instance}"
        web = self.ports.get(f"{full}.http")
        scheme = "https" if self.is_secured("http") else "http"
        return Service(name, instance, self.pid(full), web and f"{scheme}://127.0.0.1:{web}",
                       f"http://127.0.0.1:{self.ports[full + '.admin']}")

    def base_env(self):
        """What every child gets: nothing of the caller's but where programs are."""
        return {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "LANG": "C.UTF-8",
                "TZ": "UTC", "HOME": self.path("run"), "TMPDIR": self.path("run")}

    def operator_env(self):
        """What an operator's shell has, so that psql, pg_dump and pg_restore find Postgres and every role's password."""
        passwords = self.write(self.path("conf/pgpass"), "".join(
            f"*:*:*:{role}:{password}\n" for role, password in self.secrets["roles"].items()), 0o600)
        return {**self.base_env(), **self.libpq_env, "PGHOST": "127.0.0.1", "PGPORT": str(self.postgres_port),
                "PGPASSFILE": passwords}

    def _tls_env(self, name):
        """Whom a service believes, and what it shows on its own port."""
        env = {}
        if name in ("intake", "ocr"):
            env = {f"ESTEIRA_{wire.upper()}_CA_FILE": self.authority.ca_file
                   for wire in ("redis", "s3") if self.is_secured(wire)}
        if name == "intake" and self.is_secured("http"):
            pair = self.client_pair("intake-http", ips=["127.0.0.1"])
            env.update(ESTEIRA_HTTP_TLS_CERT_FILE=pair.cert, ESTEIRA_HTTP_TLS_KEY_FILE=pair.key)
        return env

    def service_env(self, name, instance):
        """The environment contract of docs/run.md for one process."""
        full = f"{name}-{instance}"
        env = {
            **self.base_env(),
            **self.kafka_env(f"esteira-{name}"),
            **self.topic_space,
            "ESTEIRA_PG_URL": self.psql_url(f"esteira_{name}"),
            "ESTEIRA_PG_FRAME_URL": self.psql_url(f"esteira_frame_{name}"),
            "ESTEIRA_SERVICE_INSTANCE": full,
            "ESTEIRA_ADMIN_LISTEN": f"127.0.0.1:{self.ports[full + '.admin']}",
        }
        env.update(self._tls_env(name))
        if name in ("intake", "ocr"):
            env.update(self._redis_env(), ESTEIRA_S3_ENDPOINT=self.s3_endpoint, ESTEIRA_S3_BUCKET=BUCKET)
        if name in ("intake", "ocr", "outreach"):
            env["ESTEIRA_SEAL_MASTER_FILE"] = self.seal_master
        if name == "intake":
            env["ESTEIRA_S3_ACCESS_KEY"], env["ESTEIRA_S3_SECRET_KEY"] = self.s3_keys
            env["ESTEIRA_HTTP_LISTEN"] = f"127.0.0.1:{self.ports[full + '.http']}"
        if name == "ocr":
            env["ESTEIRA_OCR_JAIL"] = "require"
        return env
