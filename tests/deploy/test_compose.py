"""docker/compose.yaml: fits the specification's schema, names what is there, tells each service what it reads, and the
configurations beside it are taken by the programs they are for, as far as those are Debian's."""
import collections
import http.client
import json
import os
import pathlib
import re
import shutil
import ssl
import subprocess
import sys
import time

import jsonschema
import pytest
import yaml

import judge
from told import BIN, settings

for _folder in ("docker/local", "tests/integration"):
    sys.path.insert(0, str(judge.ROOT / _folder))
# pylint: disable=wrong-import-position
import proc  # noqa: E402
from stub import Stub  # noqa: E402

DOCKER = judge.ROOT / "docker"
FILE = yaml.safe_load((DOCKER / "compose.yaml").read_text(encoding="utf-8"))
ALL = FILE["services"]
SUITE = ("intake", "ocr", "outreach", "audit")
BASE = ("kafka", "postgres", "pgbouncer", "redis", "minio", "nginx", "prometheus", "grafana", "loki", "alloy")
ONCE = ("migrate", "topics", "bucket", "estctl")
VARIABLES = {"ESTEIRA_VERSION", "ESTEIRA_USER", "ESTEIRA_PORT"}


@pytest.fixture(scope="module", name="made")
def make_made(tmp_path_factory):
    """A copy of the folder, in which init.sh has run."""
    folder = pathlib.Path(shutil.copytree(DOCKER / "compose", tmp_path_factory.mktemp("docker") / "compose",
                                          ignore=shutil.ignore_patterns("secrets")))
    subprocess.run([folder / "init.sh", "api.example.com"], check=True, capture_output=True)
    return folder


def test_schema():
    schema = json.loads((judge.SCHEMAS / "compose.json").read_text(encoding="utf-8"))
    validator = jsonschema.Draft202012Validator(schema)
    assert [error.message for error in validator.iter_errors(FILE)] == []
    assert list(validator.iter_errors({**FILE, "services": {"x": {"image": "y", "restrat": "no"}}})), "it refuses nothing"


def test_everything_is_there():
    assert set(ALL) == {*SUITE, *BASE, *ONCE}
    text = (DOCKER / "compose.yaml").read_text(encoding="utf-8")
    assert set(re.findall(r"\$\{(\w+):-[^}]+\}", text)) == set(re.findall(r"(?<!\$)\$\{?(\w+)", text)) == VARIABLES


@pytest.mark.parametrize("name", sorted(ALL))
def test_images_are_pinned_by_name(name):
    image, _, tag = ALL[name]["image"].partition(":")
    assert "." not in image.split("/")[0] and re.search(r"\d+\.\d+|\d{4}-\d\d-\d\d", tag), "a registry, or no version"
    if "build" in ALL[name]:
        target = ALL[name]["build"]["target"]
        assert image == target and tag == "${ESTEIRA_VERSION:-0.1.0}"
        assert f"AS {target}\n" in (DOCKER / "Dockerfile").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sorted(ALL))
def test_everything_has_a_limit(name):
    service = ALL[name]
    limits = service["deploy"]["resources"]["limits"]
    assert set(limits) == {"cpus", "memory", "pids"}
    assert set(service["logging"]["options"]) == {"max-size", "max-file"}
    if name in ONCE:
        assert service.get("restart", "").startswith("on-failure:") or service.get("profiles") == ["operator"]
        return
    assert service["restart"] == "unless-stopped" and {"test", "interval", "timeout", "retries"} <= set(service["healthcheck"])


def test_what_must_last_is_in_a_volume_and_what_must_not_is_in_none():
    named = {name: [v.split(":")[0] for v in ALL[name].get("volumes", ()) if not v.startswith((".", "/"))] for name in ALL}
    kept = {"kafka", "postgres", "minio", "prometheus", "grafana", "loki", "alloy"}
    assert {name for name, found in named.items() if found} == kept == set(FILE["volumes"])
    assert all(named[name] == [name] for name in kept)
    assert ALL["redis"]["tmpfs"] == ["/data"] and not ALL["redis"].get("volumes")
    for name in (*SUITE, *ONCE, "nginx", "pgbouncer"):
        if name != "bucket":
            assert ALL[name]["read_only"] is True and ALL[name]["cap_drop"] == ["ALL"], name
    for name in ("migrate", "topics", "estctl", *SUITE):
        assert ALL[name]["user"] == "${ESTEIRA_USER:-10001:10001}"


def test_references_lead_somewhere(made):
    used = set()
    for name, service in ALL.items():
        for place in service.get("volumes", ()):
            source = place.split(":")[0]
            if source.startswith("./compose/"):
                assert (made / source.removeprefix("./compose/")).exists(), f"{name}: {source}"
            elif source.startswith("."):
                assert (DOCKER / source).exists(), f"{name}: {source}"
        for other, how in service.get("depends_on", {}).items():
            assert (how["condition"] == "service_healthy") == (other not in ONCE), f"{name} waits for {other}"
        assert set(service["networks"]) <= set(FILE["networks"])
        used |= {s if isinstance(s, str) else s["source"] for s in service.get("secrets", ())}
    assert used == set(FILE["secrets"])
    for name, secret in FILE["secrets"].items():
        assert (made / secret["file"].removeprefix("./compose/")).stat().st_size > 0, name


def test_who_reaches_whom():
    internal = {name for name, how in FILE["networks"].items() if how.get("internal")}
    assert internal == {"back"}
    assert {name for name, service in ALL.items() if "front" in service["networks"]} == {"nginx", "intake"}
    assert ALL["intake"]["environment"]["ESTEIRA_HTTP_PROXIES"] == FILE["networks"]["front"]["ipam"]["config"][0]["subnet"]
    open_ports = {name: service["ports"] for name, service in ALL.items() if "ports" in service}
    assert set(open_ports) == {"nginx", "prometheus", "grafana"}
    assert all(port.startswith("127.0.0.1:") for name in ("prometheus", "grafana") for port in open_ports[name])


def test_no_secret_is_in_an_environment():
    for name, service in ALL.items():
        for variable, value in service.get("environment", {}).items():
            secret = re.search(r"PASSWORD|SECRET|TOKEN|MASTER|ACCESS_KEY|ROOT_USER", variable)
            assert not secret or variable.endswith("_FILE") and str(value).startswith("/run/secrets/"), f"{name}: {variable}"


def test_init_keeps_what_is_there(made):
    places = [p for p in (made / "secrets").rglob("*") if p.is_file()]
    before = {place: place.read_bytes() for place in places}
    assert not any(place.name.endswith(".new") for place in places)
    subprocess.run([made / "init.sh"], check=True, capture_output=True)
    assert {place: place.read_bytes() for place in places} == before
    values = collections.Counter(before.values())
    assert max(values.values()) == 1, "two secrets are one"
    assert (made / "secrets").stat().st_mode & 0o777 == 0o700
    master = (made / "secrets/seal-master").stat()
    assert (master.st_mode & 0o777, master.st_size) == (0o400, 32)
    user = (made.parent / ".env").read_text(encoding="ascii").strip()
    assert user == f"ESTEIRA_USER={master.st_uid}:{master.st_gid}" and master.st_uid != 0
    told = subprocess.run(["openssl", "x509", "-noout", "-checkhost", "api.example.com", "-in", made / "secrets/tls-cert"],
                          capture_output=True, text=True, check=True).stdout
    assert "does match" in told
    ignored = (judge.ROOT / ".gitignore").read_text(encoding="ascii").split()
    assert {"/docker/.env", "/docker/compose/secrets/"} <= set(ignored)


def files_of(name, made):
    """path in the container -> path here, of what a service of the suite is given."""
    given = {}
    for secret in ALL[name]["secrets"]:
        source, target = (secret, secret) if isinstance(secret, str) else (secret["source"], secret["target"])
        given[f"/run/secrets/{target}"] = made / FILE["secrets"][source]["file"].removeprefix("./compose/")
    for place in ALL[name].get("volumes", ()):
        source, target, _ = place.split(":")
        folder = made / source.removeprefix("./compose/")
        given |= {f"{target}/{path.name}": path for path in folder.iterdir()}
    return given


@pytest.mark.parametrize("name", SUITE)
def test_each_service_is_told_what_it_reads(name, made):
    known, env, given = settings(f"esteira-{name}"), ALL[name]["environment"], files_of(name, made)
    for variable, value in env.items():
        plain = variable if variable in known else variable.removesuffix("_FILE")
        assert plain in known, f"esteira-{name} does not read {variable}"
        assert not known[plain][0] or variable.endswith("_FILE"), f"{variable} is a secret in the environment"
        assert not variable.endswith("_FILE") or value in given, f"nothing is mounted at {value}"
    required = [variable for variable, (_, default) in known.items() if default == "required"]
    assert [v for v in required if v not in env and f"{v}_FILE" not in env] == []
    assert set(given) == {value for variable, value in env.items() if variable.endswith("_FILE")}, "given and not read"
    here = {variable: str(given[value]) if value in given else value for variable, value in env.items()}
    done = subprocess.run([BIN / "estctl", "config", "check", "--json", "--service", name], env=here, text=True,
                          capture_output=True, check=False, **as_owner(made))
    assert (done.returncode, json.loads(done.stdout)["errors"]) == (0, []), done.stderr


def as_owner(made):
    """Run as who the containers run as, if we may."""
    if os.geteuid() != 0:
        return {}
    owner = (made / "secrets/seal-master").stat()
    for place in (made / "secrets", *made.parents):  # a container sees the file alone, not the folders above it
        if place != pathlib.Path("/") and str(place).startswith(str(made.parents[2])):
            place.chmod(place.stat().st_mode | 0o055)
    return {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []}


def test_the_operator_is_told_what_estctl_reads():
    known = settings("estctl")
    for name in ("topics", "estctl"):
        for variable in ALL[name]["environment"]:
            assert variable in known or variable.removesuffix("_FILE") in known, variable
    for variable in ("ESTEIRA_TOPICS_PARTITIONS", "ESTEIRA_TOPICS_OCR_PARTITIONS"):
        assert len({ALL[name]["environment"][variable] for name in (*SUITE, "topics", "estctl")}) == 1


def test_the_jail_fits():
    env, memory = ALL["ocr"]["environment"], ALL["ocr"]["deploy"]["resources"]["limits"]["memory"]
    recognisers = int(env["ESTEIRA_OCR_RECOGNISERS"])
    assert 4 * recognisers * int(env["ESTEIRA_OCR_CHILD_MEMORY_BYTES"]) + (256 << 20) <= int(memory.removesuffix("M")) << 20


def test_roles_get_the_passwords_that_services_have(made):
    roles = {path.name for path in (made / "secrets/roles").iterdir()}
    assert roles == {f"esteira_{who}{name}" for name in SUITE for who in ("", "frame_")}
    for name in SUITE:
        assert (made / "urls" / name / "pg-url").read_text(encoding="ascii").startswith(f"postgresql://esteira_{name}@postgres:5432/esteira")


# --- what the programs themselves say of their configurations ---

def test_prometheus(made, tmp_path):
    text = (made / "prometheus.yaml").read_text(encoding="utf-8")
    (tmp_path / "p.yaml").write_text(text.replace("/etc/prometheus/rules", str(judge.ROOT / "helm/esteira/files/rules")), encoding="utf-8")
    done = subprocess.run(["promtool", "check", "config", tmp_path / "p.yaml"], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and re.search(r"SUCCESS: \d+ rules found", done.stdout), done.stdout + done.stderr
    jobs = yaml.safe_load(text)["scrape_configs"]
    assert {job["job_name"]: job["dns_sd_configs"][0]["names"] for job in jobs} == {f"esteira-{name}": [name] for name in SUITE}


def test_grafana_is_given_the_charts_boards(made):
    provider = yaml.safe_load((made / "grafana/dashboards.yaml").read_text(encoding="utf-8"))["providers"][0]
    mounts = dict(place.split(":")[1::-1] for place in ALL["grafana"]["volumes"])
    assert mounts[provider["options"]["path"]] == "../helm/esteira/files/dashboards"
    sources = yaml.safe_load((made / "grafana/datasources.yaml").read_text(encoding="utf-8"))["datasources"]
    assert {source["url"] for source in sources} == {"http://prometheus:9090", "http://loki:3100"}


@pytest.fixture(name="intake")
def make_intake():
    """Says who asked."""
    class Intake(Stub):
        def take(self, handler):
            self.answer(handler, 200, {"for": handler.headers["X-Forwarded-For"], "path": handler.path})

    with Intake() as stub:
        yield stub.port


@pytest.fixture(name="door")
def make_door(made, intake, tmp_path):
    """nginx with our configuration, at ports of this machine; -> the one for partners."""
    with proc.hold_port(()) as one, proc.hold_port(()) as two:
        ports = one.getsockname()[1], two.getsockname()[1]
    text = (made / "nginx.conf").read_text(encoding="utf-8")
    for ours, here in ((" /tmp/", f" {tmp_path}/"), ("/run/secrets/", f"{made}/secrets/"), ("/dev/stdout", f"{tmp_path}/access"),
                       ("/dev/stderr", f"{tmp_path}/error"), ("intake:8080", f"127.0.0.1:{intake}"),
                       ("listen 8443", f"listen 127.0.0.1:{ports[0]}"), ("127.0.0.1:8081", f"127.0.0.1:{ports[1]}")):
        assert ours in text, ours
        text = text.replace(ours, here)
    (tmp_path / "nginx.conf").write_text(f"daemon off;\n{'user root;' if os.geteuid() == 0 else ''}\n{text}", encoding="utf-8")
    argv = ["/usr/sbin/nginx", "-c", str(tmp_path / "nginx.conf"), "-e", str(tmp_path / "error")]
    done = subprocess.run([*argv, "-t"], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "[warn]" not in done.stderr, done.stderr
    with subprocess.Popen(argv) as server:
        try:
            deadline = time.monotonic() + 20
            while proc.port_free(ports[0]) and time.monotonic() < deadline:
                time.sleep(0.02)
            yield ports[0]
        finally:
            server.terminate()
            server.wait(20)


def asked(door, made, path="/v1/health", source="127.0.0.1"):
    """(status, header fields, body) over TLS, as who has that address."""
    context = ssl.create_default_context(cafile=made / "secrets/tls-cert")
    context.check_hostname = False
    conn = http.client.HTTPSConnection("127.0.0.1", door, timeout=20, context=context, source_address=(source, 0))
    conn.request("GET", path, headers={"X-Forwarded-For": "203.0.113.9"})
    answer = conn.getresponse()
    body = answer.read()
    conn.close()
    return answer.status, answer.headers, body


def test_nginx_lets_an_address_ask_so_often_and_no_oftener(door, made):
    began, answers = time.monotonic(), []
    while (seconds := time.monotonic() - began) < 3:
        answers.append(asked(door, made))
    let_in = [json.loads(body) for status, _, body in answers if status == 200]
    assert 21 <= len(let_in) <= 22 + 100 / 60 * seconds < len(answers), "20 at once, and 100 a minute"
    assert {got["for"] for got in let_in} == {"127.0.0.1"}, "what a caller claims of himself is not believed"
    status, headers, body = next(answer for answer in answers if answer[0] != 200)
    assert (status, headers["Content-Type"], headers["Retry-After"]) == (429, "application/problem+json", "1")
    assert json.loads(body)["code"] == "rate-limited"
    assert asked(door, made, source="127.0.0.2")[0] == 200, "another address is another matter"


def test_nginx_lets_in_so_many_of_all(door, made):
    began, count = time.monotonic(), 0
    for host in range(1, 11):
        count += sum(asked(door, made, source=f"127.0.1.{host}")[0] == 200 for _ in range(15))
    seconds = time.monotonic() - began
    assert 61 <= count <= min(150, 62 + 30 * seconds)
    assert count < 150 or seconds > 2.9, "150 of ten addresses at once were let in"


def test_pgbouncer_starts(made, tmp_path):
    """As far as it goes without a Postgres: it takes its configuration and listens."""
    with proc.hold_port(()) as held:
        port = held.getsockname()[1]
    text = (made / "pgbouncer.ini").read_text(encoding="ascii")
    for ours, here in (("/run/secrets/pgbouncer-users", str(tmp_path / "users")), ("listen_addr = 0.0.0.0", "listen_addr = 127.0.0.1"),
                       ("= 6432", f"= {port}")):
        assert ours in text
        text = text.replace(ours, here)
    (tmp_path / "p.ini").write_text(text, encoding="ascii")
    shutil.copy(made / "secrets/pgbouncer-users", tmp_path / "users")
    user = {"user": "nobody", "group": "nogroup"} if os.geteuid() == 0 else {}
    for place in (tmp_path, *tmp_path.parents[:3]):
        place.chmod(place.stat().st_mode | 0o055)
    with subprocess.Popen(["/usr/sbin/pgbouncer", tmp_path / "p.ini"], stderr=subprocess.PIPE, text=True, **user) as server:
        deadline = time.monotonic() + 20
        while proc.port_free(port) and server.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        listened = not proc.port_free(port)
        server.terminate()
        said = server.communicate(timeout=20)[1]
    assert listened and "ERROR" not in said and "WARNING" not in said, said
