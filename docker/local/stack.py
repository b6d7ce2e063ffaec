"""A named, isolated local stack: Postgres, Redis, S3 and Kafka, then the services on top.

Everything of a stack lives in one directory (var/dev, var/test-XXXX) and listens on loopback
ports picked for it; state.json there names every process by pid and start time. Tests use it so:

    with Stack.temporary() as s:        # servers up, migrations deployed, topics made
        s.tenant("demo-a", "Demo A")
        key = s.key("demo-a")
        intake = s.start_service("intake")
        ... requests to intake.url, s.psql("SELECT ..."), s.redis_url ...
        s.kill_one("kafka"); s.start_one("kafka")       # same port, same data
"""
import contextlib
import fcntl
import glob
import hashlib
import http.client
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
# pylint: disable=wrong-import-position
import proc  # noqa: E402
import servers  # noqa: E402
from proc import StepError  # noqa: E402
from programs import Programs  # noqa: E402
from servers import DATABASE, ROOT, SERVERS, prepare_var  # noqa: E402
from wires import SERVICES, TOPIC_PREFIX, Wires  # noqa: E402

__all__ = ["LOGIN_ROLES", "SERVICES", "TOPIC_PREFIX", "Stack", "StepError", "prepare_var"]
LOGIN_ROLES = ("esteira_migrator", "esteira_backup", "esteira_operator",
               *(f"esteira_{s}" for s in SERVICES), *(f"esteira_frame_{s}" for s in SERVICES))


def programs_dir():
    """Where esteira-* and estctl are unless somebody says otherwise."""
    return os.environ.get("ESTEIRA_BIN_DIR") or os.path.join(ROOT, "build/release/bin")


class Stack(Wires, Programs):
    """One stack in one directory. Not thread-safe, but for what it does inside itself."""

    servers = SERVERS  # what up() starts; cluster.py has more of each kind
    replicas = 1
    may_be_secure = True
    image = None  # the files of an image, where the suite's programs run instead of in bin_dir

    def __init__(self, directory, bin_dir=None, durable=True, secure=False):
        """directory: made if missing. bin_dir: where esteira-* and estctl are. durable: fsync.
        secure: every wire as docs/secure.md says; decided when the directory is made."""
        self.user, self.durable = proc.service_user(), durable
        self.dir = os.path.realpath(directory)
        self.bin_dir = os.path.abspath(bin_dir or programs_dir())
        self._children, self._mutex = {}, threading.Lock()
        self._held = []  # the ports that were picked are ours though nobody listens yet
        os.makedirs(self.dir, exist_ok=True)
        os.chmod(self.dir, 0o755)
        if not proc.reachable(self.user, self.dir):
            raise StepError("var", f"{self.user.pw_name} cannot read {self.dir}",
                            "run ./dev up once as this user, it moves var/ to a place it can read")
        for name in ("run", "conf"):
            self.own_dir(self.path(name))
        os.makedirs(self.path("log"), 0o755, exist_ok=True)
        self._wants_secure = secure
        self._load()

    @classmethod
    @contextlib.contextmanager
    def blank(cls, bin_dir=None, **more):
        """A stack of its own for a test, nothing of it started, gone with all its data at the end."""
        stack = cls(tempfile.mkdtemp(prefix="test-", dir=prepare_var()), bin_dir, durable=False, **more)
        try:
            yield stack
        finally:
            stack.down(wipe=True)

    @classmethod
    @contextlib.contextmanager
    def temporary(cls, bin_dir=None, deploy=True, image=None, **more):
        """The same with its servers up."""
        if cls.may_be_secure and os.environ.get("ESTEIRA_TEST_SECURE") == "1":
            more.setdefault("secure", True)
        with cls.blank(bin_dir, **more) as stack:
            if image:
                stack.use_image(image)
            stack.up()
            if deploy:
                stack.deploy()
                stack.topics()
                stack.allow()
            yield stack

    @classmethod
    @contextlib.contextmanager
    def only_postgres(cls, deploy=True):
        """The same with no server but Postgres, never secure."""
        with cls.blank() as stack:
            stack.start_one("postgres")
            if deploy:
                stack.deploy()
            yield stack

    # files

    def path(self, name):
        return os.path.join(self.dir, name)

    def own_dir(self, path):
        """A directory only the service user can use."""
        os.makedirs(path, 0o700, exist_ok=True)
        os.chmod(path, 0o700)
        self._chown(path)

    def write(self, path, text, mode):
        """A file of the service user, never seen with another mode or half its text."""
        data = text if isinstance(text, bytes) else text.encode()
        fd, fresh = tempfile.mkstemp(dir=os.path.dirname(path))
        with os.fdopen(fd, "wb") as f:
            f.write(data)
            os.fchmod(f.fileno(), mode)
        self._chown(fresh)
        os.rename(fresh, path)
        return path

    def _chown(self, path):
        if os.geteuid() == 0:
            os.chown(path, self.user.pw_uid, self.user.pw_gid)

    def _load(self):
        try:
            with open(self.path("state.json"), encoding="utf-8") as f:
                self.state = json.load(f)
            with open(self.path("secrets.json"), encoding="utf-8") as f:
                self.secrets = json.load(f)
        except FileNotFoundError:
            me = proc.stat(os.getpid())
            self.state = {"ports": {}, "procs": {}, "deployed": None,
                          "secure": self._wants_secure, "creator": [os.getpid(), me.start]}
            self.secrets = {
                "roles": {r: secrets.token_urlsafe(18) for r in ("postgres", *LOGIN_ROLES)},
                "s3_access": secrets.token_hex(10), "s3_secret": secrets.token_urlsafe(30),
                "redis": secrets.token_urlsafe(18), "kafka_cluster_id": servers.new_cluster_id()}
            self._save("secrets.json", self.secrets)
            self.write(self.seal_master, secrets.token_bytes(32), 0o600)
            self._save("state.json", self.state)

    def _save(self, name, content):
        fresh = self.path(f"{name}.new")
        fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(fd, "w", encoding="utf-8") as f:
            json.dump(content, f, indent=1)
        os.rename(fresh, self.path(name))

    @contextlib.contextmanager
    def lock(self):
        """One ./dev at a time on a stack."""
        with open(self.path(".lock"), "w", encoding="ascii") as f:
            fcntl.flock(f, fcntl.LOCK_EX)
            self._load()
            yield self

    # processes

    def pid(self, name):
        """Of a running server ("kafka") or service ("ocr-1"); None if it does not run."""
        entry = self.state["procs"].get(name)
        return entry["pid"] if entry and proc.alive(entry["pid"], entry["start"]) else None

    @property
    def _mark(self):
        """What the environment of this stack's processes has, and of no other's."""
        return f"HOME={self.path('run')}"

    def _ports_of(self, name, keys, keep):
        """Give each port name a number; keep: insist on the one it had."""
        with self._mutex:
            for key in keys:
                old = self.ports.get(key)
                deadline = time.monotonic() + (5 if keep else 0)
                while old and not proc.port_free(old) and time.monotonic() < deadline:
                    time.sleep(0.05)
                if not old or not proc.port_free(old):
                    if old and keep:
                        raise StepError(name, f"port {old} is taken", "end what listens there")
                    # one of ours that is stopped neither listens nor, after a restart, is held
                    self._held.append(proc.hold_port(set(self.ports.values())))
                    self.ports[key] = self._held[-1].getsockname()[1]

    def _spawn(self, name, argv, env, extra):
        log = self.path(f"log/{name}.log")
        user = None if self.image and name not in self.servers else self.user  # in-image takes its rights away
        child = proc.start(argv, user, env, self.path("run"), log)
        with self._mutex:
            self._children[name] = child
            self.state["procs"][name] = {"pid": child.pid, "start": proc.stat(child.pid).start,
                                         **extra}
            self._save("state.json", self.state)

    def _await(self, name, probe, timeout_s):
        """Until the probe says yes; a process that died meanwhile is an error at once."""
        deadline, log = time.monotonic() + timeout_s, self.path(f"log/{name}.log")
        while True:
            with contextlib.suppress(OSError, http.client.HTTPException):
                if probe():
                    return
            child = self._children.get(name)
            if child:
                child.poll()
            reason = None
            if self.pid(name) is None:
                code = child.returncode if child else "unknown"
                reason = f"ended while starting (exit {code})"
            elif time.monotonic() > deadline:
                reason = f"not ready after {timeout_s:.0f} s"
            if reason:
                ended = [n for n in self.servers if n in self.state["procs"] and not self.pid(n)]
                raise StepError(name, f"{reason} (servers that ended: {', '.join(ended) or 'none'}); "
                                f"its log ends:\n{proc.last_lines(log)}", f"read {log}")
            time.sleep(0.02)

    def _start_server(self, name, keep=False):
        if self.pid(name):
            return False
        server = self.servers[name]
        self._ports_of(name, server.ports, keep)
        server.prepare(self)
        self._spawn(name, server.argv(self), self.base_env(), {})
        self._await(name, lambda: server.ready(self), server.deadline_s)
        server.finish(self)
        return True

    def up(self, say=lambda *_: None):
        """The four servers, in parallel. say(name, seconds, note) after each."""
        def one(name):
            began = time.monotonic()
            fresh = self._start_server(name)
            say(name, time.monotonic() - began,
                f"127.0.0.1:{self.ports[name]}" + ("" if fresh else " (runs)"))
        for name in ("kafka", "s3proxy"):
            servers.resolve(name)
        with ThreadPoolExecutor(len(self.servers)) as pool:
            # Kafka takes longest; JVM, initdb and the rest share the cores meanwhile
            results = [pool.submit(one, name) for name in reversed(self.servers)]
        for result in results:
            result.result()

    def start_one(self, name):
        """Bring back a server or service: same ports, same data, same environment."""
        if name in self.servers:
            self._start_server(name, keep=True)
        else:
            service, _, instance = name.rpartition("-")
            self.start_service(service, int(instance), self.state["procs"][name]["extra_env"])

    def stop_one(self, name, timeout_s=65.0):
        """Ask it to end; kill it when it does not. It stays known, for start_one."""
        entry = self.state["procs"][name]
        signum = self.servers[name].stop_signal if name in self.servers else signal.SIGTERM
        proc.end(entry["pid"], entry["start"], signum, timeout_s, self._children.get(name))

    def kill_one(self, name):
        """kill -9: a server's processes all, a service's main one (its children must notice)."""
        entry = self.state["procs"][name]
        rest = proc.family(entry["pid"], entry["start"]) if name in self.servers else []
        for pid, start in [(entry["pid"], entry["start"]), *rest]:
            proc.send(pid, start, signal.SIGKILL)
        for pid, start in [(entry["pid"], entry["start"]), *rest]:
            proc.wait_gone(pid, start, 10.0, self._children.get(name))

    def leftovers(self, name):
        """Pids of a service's processes, but for its main one, that still run."""
        entry = self.state["procs"][name]
        found = proc.family(entry["pid"], entry["start"])
        found += proc.marked(self._mark, f"ESTEIRA_SERVICE_INSTANCE={name}")
        return sorted({pid for pid, _ in found} - {self.pid(name)})

    def down(self, wipe=False):
        """End every process of this stack: services first, then servers, each set at once."""
        names = list(self.state["procs"])
        for group in ([n for n in names if n not in self.servers],
                      [n for n in names if n in self.servers]):
            with ThreadPoolExecutor(max(1, len(group))) as pool:
                list(pool.map(self.stop_one, group))
        for pid, start in proc.marked(self._mark):
            proc.end(pid, start)
        while self._held:
            self._held.pop().close()
        self.state["procs"] = {}
        if wipe:
            shutil.rmtree(self.dir)
        else:
            self._save("state.json", self.state)

    # what is deployed on the servers

    def psql(self, sql, role="postgres", database=DATABASE):
        """Run SQL, answer unaligned rows as text."""
        return servers.postgres_ask(self, sql, role, database)

    def deploy(self, folder=os.path.join(ROOT, "migrations")):
        """Migrations and the roles' passwords. Quick when nothing changed. -> True if deployed."""
        digest = hashlib.sha256()
        for path in sorted(glob.glob(os.path.join(folder, "**"), recursive=True)):
            if os.path.isfile(path):
                with open(path, "rb") as f:
                    digest.update(path.encode() + b"\0" + f.read())
        if self.state["deployed"] == digest.hexdigest():
            return False
        env = {**self.base_env(), **self.libpq_env, "PGPASSWORD": self.secrets["roles"]["postgres"],
               "SQITCH_FULLNAME": "Esteira", "SQITCH_EMAIL": "dev@esteira.invalid"}
        target = f"db:pg://postgres@127.0.0.1:{self.ports['postgres']}/{DATABASE}"
        done = subprocess.run(["sqitch", "deploy", "--verify", target], env=env, text=True,
                              cwd=folder, capture_output=True, check=False, stdin=subprocess.DEVNULL)
        if done.returncode != 0:
            raise StepError("migrations", (done.stdout + done.stderr).strip()[-2000:],
                            "an edited migration needs ./dev down --wipe first")
        known = set(self.psql("SELECT rolname FROM pg_roles WHERE rolcanlogin").split())
        roles = self.secrets["roles"]
        self.psql("".join(f"ALTER ROLE {role} PASSWORD '{roles[role]}';\n"
                          for role in LOGIN_ROLES if role in known))
        self.state["deployed"] = digest.hexdigest()
        self._save("state.json", self.state)
        return True
