#!/usr/bin/python3
"""What ./dev calls for the stack in var/dev: resolve, tools, image, up, down, status, env.

Prints one line a step with its time; a failing step names itself, the reason and the remedy.
"""
import glob
import http.client
import os
import shlex
import shutil
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
# pylint: disable=wrong-import-position
import image  # noqa: E402
import proc  # noqa: E402
import servers  # noqa: E402
import tools  # noqa: E402
from proc import StepError  # noqa: E402
from servers import ROOT, SERVERS, prepare_var  # noqa: E402
from stack import SERVICES, Stack  # noqa: E402
from wires import KAFKA_ADMIN  # noqa: E402

TENANTS = (("demo-a", "Demonstração A"), ("demo-b", "Demonstração B"))


def say(step, seconds, note=""):
    """One line of one finished step."""
    print(f"[{seconds:5.1f} s] {step:<14} {note}".rstrip(), flush=True)


def timed(step, call, done="", skipped=""):
    """Run a step and say so. A call answering False had nothing to do."""
    began = time.monotonic()
    did = call()
    say(step, time.monotonic() - began, skipped if did is False else done)


def dev_stack(secure=False):
    """The stack of ./dev up; secure counts when it is made."""
    return Stack(os.path.join(prepare_var(), "dev"), secure=secure)


def cmd_resolve(_args):
    """The Java servers, once per content of the pom."""
    prepare_var()
    for name in ("kafka", "s3proxy"):
        timed(f"maven {name}", lambda n=name: servers.resolve(n), "resolved", "up to date")


def cmd_tools(_args):
    """The programs that judge charts and manifests, once per content of their go.mod."""
    prepare_var()
    timed("tools", tools.install, "built", "up to date")


def cmd_image(_args):
    """The suite's images, once per content of what they are made of."""
    prepare_var()
    timed("image", image.build, "built", "up to date")


def start_services(stack):
    """One of each, started together, then awaited one by one."""
    began = time.monotonic()
    for name in SERVICES:
        stack.start_service(name, wait=False)
    for name in SERVICES:
        stack.wait_ready(f"{name}-1")
        service = stack.service(name)
        say(name, time.monotonic() - began, service.url or f"admin {service.admin}")


def cmd_up(args):
    """Servers, migrations, topics, tenants, keys, services. --secure: every wire over TLS. --image: of the image."""
    secure = "--secure" in args
    with dev_stack(secure).lock() as stack:
        if "--image" in args:
            stack.use_image(image.root_of("esteira-ocr"))
        if secure and not stack.state.get("secure"):
            raise StepError("up --secure", "var/dev was made without it",
                            "./dev down --wipe, then again")
        stack.up(say)
        timed("migrations", stack.deploy, "deployed", "up to date")
        timed("topics", stack.topics)
        if stack.is_secured("kafka"):
            timed("acl", stack.allow)
        for slug, name in TENANTS:
            timed(f"tenant {slug}", lambda s=slug, n=name: stack.tenant(s, n))
            stack.kept_key(slug)
        start_services(stack)
    write_env(stack)


def write_env(stack):
    """var/dev.env: all that somebody needs to go on by hand."""
    values = {
        "ESTEIRA_URL": stack.service("intake").url,
        "ESTEIRA_API_KEY": stack.kept_key("demo-a"), "ESTEIRA_API_KEY_B": stack.kept_key("demo-b"),
        "KAFKA_BOOTSTRAP": stack.kafka_bootstrap, "PG_OWNER_URL": stack.psql_url(),
        "S3_ENDPOINT": stack.s3_endpoint, "REDIS_URL": stack.redis_url,
        "KAFKA_CLI": stack.kafka_cli,
    }
    for name in SERVICES:
        values[f"ESTEIRA_ADMIN_{name.upper()}"] = stack.service(name).admin
        values[f"ESTEIRA_ADMIN_PORT_{name.upper()}"] = str(stack.ports[f"{name}-1.admin"])
    # what estctl reads, so that it works by hand as well
    values["ESTEIRA_PG_OWNER_URL"] = values["PG_OWNER_URL"]
    values["ESTEIRA_SEAL_MASTER_FILE"] = stack.seal_master
    values.update(stack.kafka_env(KAFKA_ADMIN))
    if stack.is_secured("http"):
        values["ESTEIRA_CA_FILE"] = stack.authority.ca_file  # curl --cacert
    values.update(stack.topic_space, ESTEIRA_TOPICS_REPLICAS=str(stack.replicas))
    path = os.path.join(ROOT, "var/dev.env")
    with open(f"{path}.new", "w", encoding="utf-8") as f:
        os.fchmod(f.fileno(), 0o600)
        f.writelines(f"{name}={shlex.quote(value)}\n" for name, value in values.items())
    os.rename(f"{path}.new", path)


def cmd_env(_args):
    """Write var/dev.env of the running stack."""
    stack = dev_stack()
    if not stack.pid("intake-1"):
        raise StepError("env", "the stack does not run", "./dev up")
    write_env(stack)
    print("var/dev.env written; use it with: set -a; . var/dev.env; set +a")


def orphans():
    """Test stacks whose maker is gone without taking them along."""
    for path in glob.glob(os.path.join(ROOT, "var/test-*/state.json")):
        stack = Stack(os.path.dirname(path))
        if not proc.alive(*stack.state["creator"]):
            yield stack


def cmd_down(args):
    """End every process, of dead tests' stacks too; --wipe: remove the data as well."""
    var, wipe = prepare_var(), "--wipe" in args
    if os.path.exists(os.path.join(var, "dev/state.json")):
        with dev_stack().lock() as stack:
            timed("down", lambda: stack.down(wipe), "all processes ended"
                  + (", data removed" if wipe else ", data kept in var/dev"))
    for stack in orphans():
        timed(os.path.basename(stack.dir), lambda s=stack: s.down(wipe=True), "removed")
    env = os.path.join(ROOT, "var/dev.env")
    if os.path.exists(env):
        os.unlink(env)
    if wipe:
        shutil.rmtree(os.path.join(var, "dev"), ignore_errors=True)


def service_health(stack, name):
    """What /readyz of a running service says, in a word or two."""
    try:
        conn = http.client.HTTPConnection("127.0.0.1", stack.ports[f"{name}.admin"], timeout=2)
        conn.request("GET", "/readyz")
        answer = conn.getresponse()
        return "ready" if answer.status == 200 else f"not ready: {answer.read(200).decode()}"
    except (OSError, http.client.HTTPException) as e:
        return f"admin port does not answer: {e}"


def server_health(stack, name):
    """Does a running server answer?"""
    try:
        return "ready" if SERVERS[name].ready(stack) else "does not answer"
    except OSError as e:
        return f"does not answer: {e}"


def cmd_status(_args):
    """One line a process; exit 1 if anything is missing."""
    stack = dev_stack()
    bad = 0
    expected = [*SERVERS, *(f"{s}-1" for s in SERVICES)]
    # whatever else was started by hand: a second instance
    for name in [*expected, *sorted(set(stack.state["procs"]) - set(expected))]:
        pid, health = stack.pid(name), "down"
        if pid:
            health = (server_health if name in SERVERS else service_health)(stack, name)
        port = next((stack.ports[k] for k in (name, f"{name}.http", f"{name}.admin")
                     if k in stack.ports), "-")
        print(f"{name:<10} {pid or '-':>8} {port:>6}  {health}")
        bad += health != "ready"
    return 1 if bad else 0


COMMANDS = {"resolve": cmd_resolve, "tools": cmd_tools, "image": cmd_image, "up": cmd_up, "down": cmd_down, "status": cmd_status,
            "env": cmd_env}


def main():
    """Run one command."""
    command = COMMANDS.get(sys.argv[1] if len(sys.argv) > 1 else "")
    if command is None:
        print(f"usage: {sys.argv[0]} {'|'.join(COMMANDS)}", file=sys.stderr)
        return 2
    try:
        return command(sys.argv[2:]) or 0
    except StepError as e:
        print(f"dev: {e.step} failed: {e.reason}\ndev: what to do: {e.remedy}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
