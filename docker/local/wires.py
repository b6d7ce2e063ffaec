"""Where the servers and services of a stack are found, and what a process is told of them."""
import os
from typing import NamedTuple

import s3
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
    def kafka_bootstrap(self):
        return f"127.0.0.1:{self.ports['kafka']}"

    @property
    def redis_url(self):
        return f"redis://127.0.0.1:{self.ports['redis']}/0"

    @property
    def s3_endpoint(self):
        return f"http://127.0.0.1:{self.ports['s3']}"

    @property
    def kafka_cli(self):
        """Prefix of a stock Kafka tool; the class name comes next."""
        return os.path.join(ROOT, "docker/local/kafka-cli")

    @property
    def postgres_port(self):
        """Of the server itself, where what the tests ask goes."""
        return self.ports["postgres"]

    def psql_url(self, role="postgres"):
        """libpq URI of a role; postgres is the superuser."""
        return (f"postgresql://{role}:{self.secrets['roles'][role]}"
                f"@127.0.0.1:{self.ports['postgres']}/{DATABASE}")

    def s3_list(self):
        """Every object key in the bucket."""
        return s3.list_keys(self.ports["s3"], self.s3_keys, BUCKET)

    def service(self, name, instance=1):
        """Addresses of a service that was started."""
        full = f"{name}-{instance}"
        web = self.ports.get(f"{full}.http")
        return Service(name, instance, self.pid(full), web and f"http://127.0.0.1:{web}",
                       f"http://127.0.0.1:{self.ports[full + '.admin']}")

    def base_env(self):
        """What every child gets: nothing of the caller's but where programs are."""
        return {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "LANG": "C.UTF-8",
                "TZ": "UTC", "HOME": self.path("run"), "TMPDIR": self.path("run")}

    def service_env(self, name, instance):
        """The environment contract of docs/run.md for one process."""
        full = f"{name}-{instance}"
        env = {
            **self.base_env(),
            "ESTEIRA_KAFKA_BROKERS": self.kafka_bootstrap,
            **self.topic_space,
            "ESTEIRA_PG_URL": self.psql_url(f"esteira_{name}"),
            "ESTEIRA_PG_FRAME_URL": self.psql_url(f"esteira_frame_{name}"),
            "ESTEIRA_REDIS_URL": self.redis_url, "ESTEIRA_S3_ENDPOINT": self.s3_endpoint,
            "ESTEIRA_S3_BUCKET": BUCKET, "ESTEIRA_SERVICE_INSTANCE": full,
            "ESTEIRA_ADMIN_LISTEN": f"127.0.0.1:{self.ports[full + '.admin']}",
        }
        if name in ("intake", "ocr", "outreach"):
            env["ESTEIRA_SEAL_MASTER_FILE"] = self.seal_master
        if name == "intake":
            env["ESTEIRA_S3_ACCESS_KEY"], env["ESTEIRA_S3_SECRET_KEY"] = self.s3_keys
            env["ESTEIRA_HTTP_LISTEN"] = f"127.0.0.1:{self.ports[full + '.http']}"
        if name == "ocr":
            env["ESTEIRA_OCR_JAIL"] = "require"
        return env
