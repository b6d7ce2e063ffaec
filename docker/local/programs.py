"""The suite's own programs on a stack: found, put where they can be executed, started, asked."""
import glob
import hashlib
import http.client
import json
import os
import shutil
import subprocess

import image
import proc
from proc import StepError
from servers import ROOT
from wires import KAFKA_ADMIN

ALL_SCOPES = "extract,status,events,webhooks,audit,operate"
SERVICE_DEADLINE_S = 60
SECRETS = {"ESTEIRA_PG_URL", "ESTEIRA_PG_FRAME_URL", "ESTEIRA_REDIS_PASSWORD", "ESTEIRA_S3_ACCESS_KEY",
           "ESTEIRA_S3_SECRET_KEY"}


class Programs:
    """The part of Stack that runs esteira-* and estctl."""

    def use_image(self, root):
        """From now on the suite's programs are those of an image, on nothing but its files."""
        self.image, self.bin_dir = str(root), os.path.join(root, "usr/bin")

    def _launch(self, program):
        """How a program of the suite is started."""
        if not self.image:
            return [program]
        who = f"{self.user.pw_uid}:{self.user.pw_gid}"
        return [*image.AS_ROOT, image.IN_IMAGE, self.image, who, self.dir, f"/usr/bin/{os.path.basename(program)}"]

    # estctl

    def estctl(self, *args, env=None):
        """Run the operator's command line; answers its stdout, StepError when it fails."""
        full = {**self.base_env(), "ESTEIRA_PG_OWNER_URL": self.psql_url(),
                **self.kafka_env(KAFKA_ADMIN),
                **self.topic_space, "ESTEIRA_TOPICS_REPLICAS": str(self.replicas),
                "ESTEIRA_SEAL_MASTER_FILE": self.seal_master, **(env or {})}
        step = f"estctl {' '.join(args[:2])}"
        try:
            done = subprocess.run([*self._launch(os.path.join(self.bin_dir, "estctl")), *args], env=full,
                                  capture_output=True, text=True, check=False, timeout=60,
                                  stdin=subprocess.DEVNULL)
        except FileNotFoundError:
            raise StepError(step, f"{self.bin_dir}/estctl does not exist",
                            "./dev build release") from None
        except subprocess.TimeoutExpired:
            raise StepError(step, "no answer in 60 s", "./dev status") from None
        if done.returncode != 0:
            raise StepError(step, f"exit {done.returncode}: {done.stderr.strip()[-2000:]}",
                            "./dev status shows what does not run")
        return done.stdout

    def operate(self, script):
        """Run one of the operator's scripts of migrations/, on the folder "backup" of the stack."""
        done = subprocess.run([os.path.join(ROOT, "migrations", script), self.path("backup")], env=self.operator_env(),
                              capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=360)
        if done.returncode != 0:
            raise StepError(script, done.stdout + done.stderr, f"read migrations/{script}")

    def topics(self):
        """Make the suite's topics; those that exist are left as they are."""
        self.estctl("topics", "create")

    def allow(self):
        """Give the suite's principals what they may do on Kafka, where that is asked."""
        if self.is_secured("kafka"):
            self.estctl("acl", "apply")

    def tenant(self, slug, name, *more, plan="unlimited"):
        """Make a tenant, by default one that no rate limit holds up; one that exists is fine."""
        self.estctl("tenant", "create", slug, "--name", name, "--plan", plan, *more)

    def key(self, tenant, scopes=ALL_SCOPES):
        """A new API key of the tenant."""
        return self.estctl("key", "create", "--tenant", tenant, "--scopes", scopes).strip()

    def kept_key(self, tenant):
        """The key made for this tenant the first time, kept beside the data it opens."""
        path = self.path(f"key-{tenant}")
        if not os.path.exists(path):
            key = self.key(tenant)
            with os.fdopen(os.open(f"{path}.new", os.O_WRONLY | os.O_CREAT, 0o600), "w") as f:
                f.write(key)
            os.rename(f"{path}.new", path)
        with open(path, encoding="ascii") as f:
            return f.read().strip()

    # services

    def _programs(self, name):
        """The service's program and those it runs (esteira-ocr, esteira-ocr-jail)."""
        found = sorted(glob.glob(os.path.join(self.bin_dir, f"{name}*")))
        if os.path.join(self.bin_dir, name) not in found:
            raise StepError(name, f"{self.bin_dir}/{name} does not exist", "./dev build")
        return found

    def _place(self, programs):
        """Where the service user can execute them: as they are, or copied beside the data."""
        if self.image or proc.reachable(self.user, programs[0]):
            return programs[0]
        os.makedirs(self.path("bin"), 0o755, exist_ok=True)
        for path in programs:
            copy = self.path(f"bin/{os.path.basename(path)}")
            shutil.copy(path, copy + ".new")
            os.chmod(copy + ".new", 0o755)
            os.rename(copy + ".new", copy)
        return self.path(f"bin/{os.path.basename(programs[0])}")

    def _by_file(self, full, env):
        """On a secure stack a secret comes by a file, where nobody sees it beside the process."""
        if not self.state.get("secure", False):
            return env
        env = dict(env)
        for name in SECRETS & set(env):
            path = self.path(f"conf/{full}.{name.lower()}")
            env[f"{name}_FILE"] = self.write(path, env.pop(name), 0o600)
        return env

    def start_service(self, name, instance=1, extra_env=None, wait=True, program=None):
        """Start build/.../bin/esteira-NAME, or leave a running one that is the same; -> Service.

        program: another one than esteira-NAME.
        Restarted when its program, its addresses or extra_env (None values unset) changed.
        """
        full, extra_env = f"{name}-{instance}", dict(extra_env or {})
        runs = self.pid(full) is not None
        keys = [f"{full}.admin"] + ([f"{full}.http"] if name == "intake" else [])
        if not runs:
            self._ports_of(full, keys, keep=full in self.state["procs"])
        env = {k: v for k, v in {**self.service_env(name, instance), **extra_env}.items()
               if v is not None}
        programs = self._programs(program or f"esteira-{name}")
        built = [(path, os.stat(path).st_ino, os.stat(path).st_mtime_ns) for path in programs]
        same = hashlib.sha256(json.dumps([env, built], sort_keys=True).encode()).hexdigest()
        if runs and self.state["procs"][full]["same"] != same:
            self.stop_one(full)
            runs = False
        if not runs:
            env = self._by_file(full, env)
            self._spawn(full, self._launch(self._place(programs)), env, {"same": same, "extra_env": extra_env})
        if wait:
            self.wait_ready(full)
        return self.service(name, instance)

    def wait_ready(self, full, timeout_s=SERVICE_DEADLINE_S):
        """Until /readyz of a service ("ocr-1") answers 200."""
        def probe():
            conn = http.client.HTTPConnection("127.0.0.1", self.ports[f"{full}.admin"], timeout=2)
            try:
                conn.request("GET", "/readyz")
                return conn.getresponse().status == 200
            finally:
                conn.close()
        self._await(full, probe, timeout_s)
