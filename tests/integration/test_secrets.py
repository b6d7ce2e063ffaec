"""Secrets are renewed while everything runs, and are not to be seen from outside of the process."""
import json
import os
import re

import pytest

import belt
import rig

NO_PASSWORD = re.compile(r":[^:@/]+@")  # of a URI


class Files:
    """The files of *_FILE settings of one stack."""

    def __init__(self, stack):
        self.stack = stack

    def write(self, name, text):
        """In one piece, as a careful person does; answers the path."""
        path = self.stack.path(f"run/{name}")
        self.stack.write(f"{path}.new", text, 0o600)
        os.rename(f"{path}.new", path)
        return path


def pg_env(stack, files, service, number=1):
    """A service whose passwords come from files of their own."""
    env = {}
    for kind, role in (("", f"esteira_{service}"), ("_FRAME", f"esteira_frame_{service}")):
        env[f"ESTEIRA_PG{kind}_URL"] = NO_PASSWORD.sub("@", stack.psql_url(role))
        env[f"ESTEIRA_PG{kind}_PASSWORD_FILE"] = files.write(
            f"{role}-{number}", stack.secrets["roles"][role] + "\n")
    return env


def require(plant, redis, password):
    """Another password of Redis; on a secure stack the tests come in by it as well."""
    redis("CONFIG", "SET", "requirepass", password)
    plant.stack.secrets["redis"] = password


@pytest.fixture(scope="module", name="plant")
def make_plant():
    with rig.temporary(("alfa",), ()) as plant:
        plant.files = Files(plant.stack)
        with plant.redis() as redis:
            require(plant, redis, "first-of-redis")
        plant.redis_env = {"ESTEIRA_REDIS_PASSWORD": None,
                           "ESTEIRA_REDIS_PASSWORD_FILE": plant.files.write("redis", "first-of-redis\n")}
        access, secret = plant.stack.s3_keys
        plant.start("intake", **plant.redis_env, **pg_env(plant.stack, plant.files, "intake"),
                    ESTEIRA_S3_ACCESS_KEY=None, ESTEIRA_S3_SECRET_KEY=None,
                    ESTEIRA_S3_ACCESS_KEY_FILE=plant.files.write("access", access),
                    ESTEIRA_S3_SECRET_KEY_FILE=plant.files.write("secret", secret))
        plant.start("audit", **pg_env(plant.stack, plant.files, "audit"))
        plant.start("ocr", **plant.redis_env)
        yield plant


def events(plant, name, event, setting):
    """The log lines of a service that say this about that setting."""
    found = []
    with open(plant.stack.path(f"log/{name}.log"), encoding="utf-8") as f:
        for line in f:
            entry = json.loads(line)
            if entry["event"] == event and entry["setting"] == setting:
                found.append(entry)
    return found


def throw_out(plant, role):
    """End every session of a role."""
    return plant.count("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                       f" WHERE usename = '{role}'")


def sessions(plant, role):
    return plant.count(f"SELECT count(*) FROM pg_stat_activity WHERE usename = '{role}'")


def sent(client, text):
    """The job of a document, whose request may meet a session that is just being ended."""
    key, page = belt.fresh_key(), belt.tiny_pdf(text)

    def accepted():
        answer = client.upload(page, None, key=key)
        assert answer.status in (202, 503), answer
        return answer.status == 202 and answer.json()["job_id"]
    return belt.wait_for("a 202", accepted, step_s=0.2)


def done(plant, text):
    """A document goes all the way."""
    client = plant.client()
    job = sent(client, text)
    belt.wait_for("its end", lambda: client.call("GET", f"/v1/jobs/{job}").status == 200)
    belt.finish(client, job)


@pytest.mark.parametrize("role", ("esteira_intake", "esteira_frame_intake", "esteira_audit",
                                  "esteira_frame_audit"))
def test_a_postgres_password_is_renewed_without_a_restart(plant, role):
    service = role.rpartition("_")[2]
    kind = "_FRAME" if "frame" in role else ""
    pid = plant.stack.pid(f"{service}-1")
    done(plant, "Antes da troca")
    plant.stack.psql(f"ALTER ROLE {role} PASSWORD 'renewed-{role}'")
    plant.files.write(f"{role}-1", f"renewed-{role}\n")
    assert throw_out(plant, role) > 0
    done(plant, f"Depois da troca de {role}")
    belt.wait_for("new sessions", lambda: sessions(plant, role))
    belt.wait_for("the log to say so", lambda: events(
        plant, f"{service}-1", "secret.renewed", f"ESTEIRA_PG{kind}_PASSWORD"))
    assert plant.stack.pid(f"{service}-1") == pid


def test_the_file_may_come_later_than_the_password(plant):
    """Refused until the file is there, and then let in; nobody restarts anything."""
    role, pid = "esteira_audit", plant.stack.pid("audit-1")
    plant.stack.psql(f"ALTER ROLE {role} PASSWORD 'third-{role}'")
    throw_out(plant, role)
    client = plant.client()
    job = sent(client, "Entre a senha e o arquivo")
    client.ended(job)
    belt.wait_for("audit to be refused", lambda: b"password authentication failed" in open(
        plant.stack.path("log/postgres.log"), "rb").read())
    assert sessions(plant, role) == 0
    plant.files.write(f"{role}-1", f"third-{role}\n")
    belt.wait_for("new sessions", lambda: sessions(plant, role))
    belt.finish(client, job)
    assert plant.stack.pid("audit-1") == pid


def test_a_bad_file_keeps_the_last_good_value_and_says_so_once(plant):
    role, setting = "esteira_audit", "ESTEIRA_PG_PASSWORD"
    before = len(events(plant, "audit-1", "secret.kept", setting))
    plant.files.write(f"{role}-1", "")
    (said,) = belt.wait_for("the log to say so", lambda: events(
        plant, "audit-1", "secret.kept", setting)[before:])
    assert said["level"] == "warn" and said["file"] == "it is empty"
    throw_out(plant, role)
    done(plant, "Arquivo vazio")
    belt.wait_for("new sessions", lambda: sessions(plant, role))
    os.unlink(plant.stack.path(f"run/{role}-1"))
    belt.wait_for("another fault", lambda: len(events(
        plant, "audit-1", "secret.kept", setting)) == before + 2)
    plant.files.write(f"{role}-1", f"third-{role}\n")
    throw_out(plant, role)
    done(plant, "Arquivo de volta")
    assert len(events(plant, "audit-1", "secret.kept", setting)) == before + 2


def test_the_password_of_redis_is_renewed(plant):
    pids = [plant.stack.pid(name) for name in ("intake-1", "ocr-1")]
    with plant.redis() as redis:
        redis("AUTH", "first-of-redis")
        require(plant, redis, "second-of-redis")
        plant.files.write("redis", "second-of-redis\n")
        for kind in ("normal", "pubsub"):
            redis("CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes")
    client = plant.client()
    job = sent(client, "Outra senha")
    assert client.ended(job)["status"] == "completed"
    belt.wait_for("the result", lambda: client.call("GET", f"/v1/jobs/{job}/result").status == 200)
    for name in ("intake-1", "ocr-1"):
        belt.wait_for("the log to say so", lambda n=name: events(
            plant, n, "secret.renewed", "ESTEIRA_REDIS_PASSWORD"))
    assert [plant.stack.pid(name) for name in ("intake-1", "ocr-1")] == pids


def test_no_secret_is_in_a_log(plant):
    roles = plant.stack.secrets["roles"]
    secrets = {"first-of-redis", "second-of-redis", plant.stack.s3_keys[1], "renewed-esteira",
               "third-esteira", *(roles[f"esteira_{name}"] for name in ("intake", "ocr", "audit"))}
    for name in ("intake-1", "ocr-1", "audit-1"):
        with open(plant.stack.path(f"log/{name}.log"), encoding="utf-8") as f:
            text = f.read()
        assert "service.started" in text
        assert [secret for secret in secrets if secret in text] == []


def of_process(pid, name):
    with open(f"/proc/{pid}/{name}", "rb") as f:
        return f.read()


def family(plant, name):
    """The process of a service, and of those it started the zygote: a reader may end any moment."""
    rest = [pid for pid in plant.stack.leftovers(name) if is_zygote(pid, plant.stack.pid(name))]
    assert len(rest) == (name == "ocr-1"), rest
    return [plant.stack.pid(name), *rest]


def is_zygote(pid, parent):
    try:
        return re.search(rb"^PPid:\t%d$" % parent, of_process(pid, "status"), re.M) is not None
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_no_secret_is_seen_from_outside(plant):
    """ocr-1 was given its URLs with passwords in the environment: they are gone from there, and its
    zygote never had them."""
    roles = plant.stack.secrets["roles"]
    given = [roles["esteira_ocr"].encode(), roles["esteira_frame_ocr"].encode()]
    for name in ("intake-1", "ocr-1", "audit-1"):
        for pid in family(plant, name):
            if os.geteuid() != 0:  # then not even its own user sees it
                with pytest.raises(PermissionError):
                    of_process(pid, "environ")
                continue
            shown = of_process(pid, "environ") + of_process(pid, "cmdline")
            assert b"ESTEIRA_KAFKA_BROKERS" in shown or pid != plant.stack.pid(name)
            assert [secret for secret in given if secret in shown] == [], (name, pid)
            assert b"PASSWORD=" not in shown and b"SECRET_KEY=" not in shown, (name, pid)


def test_nobody_may_look_into_a_process(plant):
    """No core by RLIMIT_CORE (1, as a pipe ignores 0), and /proc/PID belongs to root: not dumpable."""
    for name in ("intake-1", "ocr-1", "audit-1"):
        for pid in family(plant, name):
            limits = of_process(pid, "limits").decode()
            assert re.search(r"^Max core file size +1 +1 ", limits, re.M), (name, pid, limits)
            assert os.stat(f"/proc/{pid}/mem").st_uid == 0, (name, pid)
            assert re.search(rb"^Uid:\t[1-9]", of_process(pid, "status"), re.M), "it runs as root"
