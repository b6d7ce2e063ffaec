"""The four servers of a local stack: how each is prepared, started, probed and asked to end.

Each is one Server in the table at the end; stack.py treats them all alike. Readiness is an
answer of the server to a request of its own protocol, never an open port or a log line.
"""
import base64
import contextlib
import glob
import hashlib
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import uuid
from typing import Callable, NamedTuple

import proc
import s3
import stamped
from proc import StepError

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BUCKET = "esteira-documents"
DATABASE = "esteira"
JVM = ["java", "-XX:+UseSerialGC", "-XX:-UsePerfData", "-Xshare:auto"]


class Server(NamedTuple):
    """How to run one server. The functions take the stack."""
    ports: tuple        # names of the ports it listens on; the first is the one clients use
    prepare: Callable   # make its data and configuration, once and again at each start
    argv: Callable
    ready: Callable     # does it answer? False or OSError = not yet
    finish: Callable    # what is to be made in it once it answers
    stop_signal: int
    deadline_s: float


def prepare_var():
    """var/, or, when root's services could not reach it (a tree in /root), a link to a place."""
    var, user = os.path.join(ROOT, "var"), proc.service_user()
    os.makedirs(var, 0o755, exist_ok=True)
    if not os.access(var, os.W_OK):
        raise StepError("var", f"{var} belongs to another user", "use that user, or remove it")
    if not proc.reachable(user, os.path.realpath(var)):
        tag = hashlib.sha256(ROOT.encode()).hexdigest()[:8]
        place = f"/var/lib/esteira-{tag}"
        if os.path.exists(place):
            shutil.rmtree(var)
        else:
            shutil.move(var, place)
        os.chmod(place, 0o755)
        os.symlink(place, var)
    return os.path.realpath(var)


def lib_dir(name):
    """Where the jars of kafka or s3proxy are."""
    return os.path.join(os.path.realpath(os.path.join(ROOT, "var")), "lib", name)


def resolve(name):
    """Copy the pinned jars into var/lib/NAME, once per content of the pom. -> True if it worked."""
    pom, home = os.path.join(HERE, "pom.xml"), pathlib.Path(lib_dir(name))

    def build():
        for jar in home.glob("*.jar"):
            jar.unlink()
        stamped.fetch(f"maven {name}", ["mvn", "-B", "-q", "-Dstyle.color=never", "-f", pom, f"-P{name}",
                                        "dependency:copy-dependencies", f"-DoutputDirectory={home}"],
                      "check the network and Maven's settings.xml, then run again")
        subprocess.run(["chmod", "-R", "a+rX", home], check=True)
    with open(pom, "rb") as f:
        return stamped.make(home, hashlib.sha256(f.read()).hexdigest(), build)


def run(stack, step, argv, remedy, env=None):
    """Run a preparing command as the service user; its failure is the step's."""
    done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=stack.dir,
                          stdin=subprocess.DEVNULL, env={**stack.base_env(), **(env or {})},
                          **proc.run_as(stack.user))
    if done.returncode != 0:
        raise StepError(step, (done.stderr or done.stdout).strip()[-2000:], remedy)


def postgres_bin(name):
    """A program of the newest installed Postgres (initdb and postgres are not on PATH)."""
    found = glob.glob(f"/usr/lib/postgresql/*/bin/{name}")
    if not found:
        raise StepError("postgres", f"{name} is not installed", "run ./dev packages")
    return max(found, key=lambda path: float(path.split("/")[4]))


def postgres_prepare(stack):
    data, fresh = stack.path("postgres"), stack.path("postgres.new")
    if os.path.exists(os.path.join(data, "PG_VERSION")):
        return
    shutil.rmtree(fresh, ignore_errors=True)
    stack.own_dir(fresh)
    pwfile = stack.write(stack.path("conf/postgres.pw"), stack.secrets["roles"]["postgres"], 0o600)
    run(stack, "postgres initdb",
        [postgres_bin("initdb"), "-D", fresh, "-U", "postgres", f"--pwfile={pwfile}",
         "--auth=scram-sha-256", "--locale=C.UTF-8", "--encoding=UTF8", "--no-sync"],
        "./dev down --wipe, then again")
    os.unlink(pwfile)
    os.rename(fresh, data)  # a half-made cluster never has the final name


def postgres_tls(stack):
    """TLS alone, and a password inside it."""
    if not stack.is_secured("postgres"):
        return {}
    pair = stack.server_pair("postgres")
    hba = stack.write(stack.path("conf/pg_hba.conf"),
                      "hostssl all all 127.0.0.1/32 scram-sha-256\n", 0o600)
    return {"ssl": "on", "ssl_cert_file": pair.cert, "ssl_key_file": pair.key, "hba_file": hba,
            "ssl_min_protocol_version": "TLSv1.3"}


def postgres_argv(stack, name="postgres", **more):
    sockets = stack.path("run")
    settings = {
        "listen_addresses": "127.0.0.1", "port": stack.ports[name],
        # a unix socket's path has at most 107 bytes
        "unix_socket_directories": sockets if len(sockets) < 80 else "",
        "max_connections": 200, "fsync": "on" if stack.durable else "off",
        "timezone": "UTC", "log_timezone": "UTC", "shared_buffers": "128MB",
        "log_line_prefix": "%m [%p] %u ", **postgres_tls(stack), **more,
    }
    argv = [postgres_bin("postgres"), "-D", stack.path(name)]
    for key, value in settings.items():
        argv += ["-c", f"{key}={value}"]
    return argv


def postgres_ready(stack, name="postgres"):
    return subprocess.run(
        ["pg_isready", "-q", "-h", "127.0.0.1", "-p", str(stack.ports[name])],
        check=False).returncode == 0


def postgres_ask(stack, sql, role, database):
    """Unaligned rows as text."""
    done = subprocess.run(
        ["psql", "-qAtX", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p",
         str(stack.postgres_port), "-U", role, "-d", database], input=sql, text=True, check=False,
        env={**os.environ, **stack.libpq_env, "PGPASSWORD": stack.secrets["roles"][role]}, capture_output=True)
    if done.returncode != 0:
        raise StepError("psql", done.stderr.strip(), "see ./dev logs postgres")
    return done.stdout


def postgres_finish(stack):
    known = stack.psql("SELECT 1 FROM pg_database WHERE datname = 'esteira'", database="postgres")
    if not known.strip():
        stack.psql(f"CREATE DATABASE {DATABASE}", database="postgres")


def redis_tls(stack):
    """TLS alone, with a password; from a file, which is not seen in the list of processes."""
    if not stack.is_secured("redis"):
        return ["--port", str(stack.ports["redis"])]
    pair = stack.server_pair("redis")
    return [stack.write(stack.path("conf/redis.conf"), "".join(f"{line}\n" for line in (
        "port 0", f"tls-port {stack.ports['redis']}", f"tls-cert-file {pair.cert}",
        f"tls-key-file {pair.key}", f"tls-ca-cert-file {stack.authority.ca_file}",
        "tls-auth-clients no", "tls-protocols TLSv1.3",
        f"requirepass {stack.secrets['redis']}")), 0o600)]


def redis_argv(stack):
    return ["redis-server", *redis_tls(stack), "--bind", "127.0.0.1",
            "--save", "", "--appendonly", "no", "--maxmemory-policy", "noeviction",
            "--dir", stack.path("run"), "--daemonize", "no"]


def redis_ready(stack):
    with stack.redis_socket() as s:
        s.sendall(b"PING\r\n")
        return s.recv(16).startswith(b"+PONG")


def copy_conf(stack, name):
    """Put a file of this folder where the service user can read it, wherever the tree is."""
    with open(os.path.join(HERE, name), encoding="utf-8") as f:
        stack.write(stack.path(f"conf/{name}"), f.read(), 0o644)


def kafka_prepare(stack):
    broker, controller = stack.ports["kafka"], stack.ports["kafka.controller"]
    wire = "SSL" if stack.is_secured("kafka") else "PLAINTEXT"
    kafka_node(stack, "kafka", {
        "node.id": 1,
        # the static form: the controller's port is configuration, not part of the data
        "controller.quorum.voters": f"1@127.0.0.1:{controller}",
        "listeners": f"{wire}://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}",
        "advertised.listeners": f"{wire}://127.0.0.1:{broker}",
        "listener.security.protocol.map": f"CONTROLLER:{wire},{wire}:{wire}",
        "inter.broker.listener.name": wire,
        **kafka_security(stack),
        "offsets.topic.replication.factor": 1,
        "transaction.state.log.replication.factor": 1, "transaction.state.log.min.isr": 1,
        "share.coordinator.state.topic.replication.factor": 1,
        "share.coordinator.state.topic.min.isr": 1,
    })


def kafka_security(stack):
    """TLS with certificates on both sides; who shows one is bound by ACLs, but for two names."""
    if not stack.is_secured("kafka"):
        return {}
    store = stack.authority.pem_store(stack.server_pair("kafka"))
    return {
        "ssl.client.auth": "required", "ssl.keystore.type": "PEM", "ssl.keystore.location": store,
        "ssl.truststore.type": "PEM", "ssl.truststore.location": stack.authority.ca_file,
        "ssl.enabled.protocols": "TLSv1.3",
        "ssl.principal.mapping.rules": "RULE:^CN=([^,]+).*$/$1/,DEFAULT",
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "allow.everyone.if.no.acl.found": "false", "super.users": "User:admin;User:kafka",
    }


def kafka_node(stack, name, own):
    """Configuration of a node, own over what all have, and its storage the first time."""
    copy_conf(stack, "log4j2.xml")
    data, conf = stack.path(name), stack.path(f"conf/{name}.properties")
    settings = {
        "process.roles": "broker,controller", "controller.listener.names": "CONTROLLER",
        "log.dirs": data, "auto.create.topics.enable": "false",
        "log.message.timestamp.type": "LogAppendTime", "offsets.topic.num.partitions": 8,
        "group.initial.rebalance.delay.ms": 0,
        # after a kill -9 the broker is refused until its old session is over (default 9 s)
        "broker.session.timeout.ms": 4000, "broker.heartbeat.interval.ms": 1000,
        **own,
    }
    stack.write(conf, "".join(f"{k}={v}\n" for k, v in settings.items()), 0o644)
    if not os.path.exists(os.path.join(data, "meta.properties")):
        stack.own_dir(data)
        run(stack, f"{name} format",
            JVM + ["-XX:TieredStopAtLevel=1", "-cp", lib_dir("kafka") + "/*",
                   "kafka.tools.StorageTool", "format", "-t", stack.secrets["kafka_cluster_id"],
                   "-c", conf], "./dev down --wipe, then again")


def kafka_argv(stack, name="kafka", heap="512m"):
    return JVM + [f"-Xmx{heap}", f"-Djava.io.tmpdir={stack.path('run')}",
                  f"-Dlog4j2.configurationFile={stack.path('conf/log4j2.xml')}",
                  "-cp", lib_dir("kafka") + "/*", "kafka.Kafka",
                  stack.path(f"conf/{name}.properties")]


def _exactly(sock, size):
    data = b""
    while len(data) < size:
        part = sock.recv(size - len(data))
        if not part:
            raise OSError("closed")
        data += part
    return data


def kafka_brokers(port, tls=None):
    """Ids of the brokers that one knows of: Metadata v1 without topics. tls: an SSL context."""
    body = struct.pack(">hhih", 3, 1, 1, -1) + struct.pack(">i", 0)
    with contextlib.ExitStack() as open_ones:
        s = open_ones.enter_context(socket.create_connection(("127.0.0.1", port), 1))
        s.settimeout(2)
        if tls:
            s = open_ones.enter_context(tls.wrap_socket(s, server_hostname="127.0.0.1"))
        s.sendall(struct.pack(">i", len(body)) + body)
        answer = _exactly(s, struct.unpack(">i", _exactly(s, 4))[0])
    found, at = set(), 8  # after the correlation id and the count
    for _ in range(struct.unpack(">i", answer[4:8])[0]):
        node, size = struct.unpack(">ih", answer[at:at + 6])
        rack = struct.unpack(">h", answer[at + 10 + size:at + 12 + size])[0]
        at += 12 + size + max(rack, 0)
        found.add(node)
    return found


def kafka_ready(stack):
    """Ready when the broker lists itself."""
    tls = stack.tls_context("admin") if stack.is_secured("kafka") else None
    return kafka_brokers(stack.ports["kafka"], tls) == {1}


def s3_listen(stack):
    """The lines that say where, and with which certificate."""
    if not stack.is_secured("s3"):
        return [f"s3proxy.endpoint=http://127.0.0.1:{stack.ports['s3']}"]
    word = stack.secrets["s3_secret"]
    store = stack.authority.pkcs12_store(stack.server_pair("s3"), word)
    return [f"s3proxy.secure-endpoint=https://127.0.0.1:{stack.ports['s3']}",
            f"s3proxy.keystore-path={store}", f"s3proxy.keystore-password={word}"]


def s3_conf(stack, name, listen):
    """Write what a server on the stack's documents is told. listen: the lines that say where."""
    access, secret = stack.s3_keys
    stack.write(stack.path(f"conf/{name}.properties"), "\n".join([
        *listen, "s3proxy.authorization=aws-v2-or-v4", f"s3proxy.identity={access}",
        f"s3proxy.credential={secret}", "jclouds.provider=filesystem",
        f"jclouds.filesystem.basedir={stack.path('s3')}", ""]), 0o600)


def s3_prepare(stack):
    copy_conf(stack, "logback.xml")
    stack.own_dir(stack.path("s3"))
    s3_conf(stack, "s3", s3_listen(stack))


def s3_argv(stack, name="s3"):
    return JVM + ["-Xmx256m", f"-Djava.io.tmpdir={stack.path('run')}",
                  f"-Dlogback.configurationFile={stack.path('conf/logback.xml')}",
                  "-cp", lib_dir("s3proxy") + "/*", "org.gaul.s3proxy.Main",
                  "--properties", stack.path(f"conf/{name}.properties")]


def s3_ready(stack):
    return s3.request(stack.s3_place, stack.s3_keys, "GET", "/")[0] == 200


def s3_finish(stack):
    status = s3.request(stack.s3_place, stack.s3_keys, "PUT", f"/{BUCKET}")[0]
    if status not in (200, 409):
        raise StepError("s3 bucket", f"PUT answers {status}", "./dev logs s3")


def new_cluster_id():
    """A Kafka cluster id: base64url of a UUID; a leading dash would read as an option."""
    while True:
        text = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if not text.startswith("-"):
            return text


def nothing(_stack):
    """Redis has nothing to prepare and nothing to finish; Kafka's topics are made by estctl."""


SERVERS = {
    "postgres": Server(("postgres",), postgres_prepare, postgres_argv, postgres_ready,
                       postgres_finish, signal.SIGINT, 60),
    "redis": Server(("redis",), nothing, redis_argv, redis_ready, nothing, signal.SIGTERM, 30),
    "s3": Server(("s3",), s3_prepare, s3_argv, s3_ready, s3_finish, signal.SIGTERM, 90),
    "kafka": Server(("kafka", "kafka.controller"), kafka_prepare, kafka_argv, kafka_ready,
                    nothing, signal.SIGTERM, 120),
}
