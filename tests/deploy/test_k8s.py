"""k8s/: what is there fits its schemas, is what its sources say, and gives every service its secrets."""
import os
import pathlib
import re
import subprocess
import sys

import pytest

import judge

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "k8s"))
# pylint: disable=wrong-import-position
import reach  # noqa: E402

COMPONENTS = sorted(path.name for path in (ROOT / "k8s/components").iterdir())
BUILDS = ("base", "s3-outside", *(f"components/{name}" for name in COMPONENTS), "components/all")
NAMESPACES = {f"esteira-{n}" for n in ("api", "workers", "data", "monitoring")}
WHERE = {"intake": "esteira-api"}
# settings that are secrets and have no key here, and why
NOT_GIVEN = {
    "ESTEIRA_PG_URL": "has no password: that has a file of its own", "ESTEIRA_PG_FRAME_URL": "the same",
    "ESTEIRA_PG_REQUEST_URL": "the same",
    "ESTEIRA_REDIS_URL": "the same", "ESTEIRA_KAFKA_SASL_PASSWORD": "certificates: decisions/0028",
    "ESTEIRA_OTLP_HEADERS": "most receivers of traces ask for none",
}


@pytest.fixture(scope="module", name="built", params=BUILDS)
def make_built(request, tmp_path_factory):
    folder, _, name = request.param.partition("/")
    if folder == "components":
        return judge.with_components(COMPONENTS if name == "all" else [name], tmp_path_factory.mktemp("overlay"))
    return judge.run("kustomize", "build", ROOT / "k8s" / folder)


@pytest.fixture(scope="module", name="things")
def make_things():
    return judge.documents(judge.run("kustomize", "build", ROOT / "k8s/base"))


def of(things, kind):
    return [thing for thing in things if thing["kind"] == kind]


def test_all_of_it_fits(built):
    assert judge.unfit(built) == []
    assert judge.bad_practice(built, "networkpolicy-targets-pod") == []  # the pods are the chart's


def test_every_file_is_built():
    listed = judge.documents((ROOT / "k8s/base/kustomization.yaml").read_text())[0]["resources"]
    there = {str(p.relative_to(ROOT / "k8s/base")) for p in (ROOT / "k8s/base").rglob("*.yaml")} - {"kustomization.yaml"}
    assert set(listed) == there


def test_topics_and_users_are_what_the_programs_say():
    done = subprocess.run([sys.executable, ROOT / "k8s/generate.py", "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_namespaces_are_restricted(things):
    found = {n["metadata"]["name"]: n["metadata"]["labels"] for n in of(things, "Namespace")}
    assert set(found) == NAMESPACES
    for labels in found.values():
        assert {labels[f"pod-security.kubernetes.io/{mode}"] for mode in ("enforce", "audit", "warn")} == {"restricted"}
    assert {t["metadata"].get("namespace") for t in things if t["kind"] != "Namespace"} <= NAMESPACES


def test_kafka_is_on_its_pool_and_restricted(things):
    pools = of(things, "KafkaNodePool")
    assert sorted(p["spec"]["roles"][0] for p in pools) == ["broker", "controller"]
    for pool in pools:
        pod, container = pool["spec"]["template"]["pod"], pool["spec"]["template"]["kafkaContainer"]
        assert {"key": "esteira.io/pool", "operator": "Equal", "value": "data", "effect": "NoSchedule"} in pod["tolerations"]
        terms = pod["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
        assert terms == [{"matchExpressions": [{"key": "esteira.io/pool", "operator": "In", "values": ["data"]}]}]
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        # with one of ours Strimzi sets none of its own; its image runs as user 1001 in group 0
        assert pod["securityContext"] == {"fsGroup": 0, "runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
        assert container["securityContext"]["runAsNonRoot"] and not container["securityContext"]["allowPrivilegeEscalation"]
        spread = pod["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"][0]["labelSelector"]
        assert spread == {"matchLabels": {"strimzi.io/pool-name": pool["metadata"]["name"]}}


def test_keda_looks_and_does_nothing_else(things):
    keda, = [u for u in of(things, "KafkaUser") if u["metadata"]["name"] == "keda"]
    assert {op for acl in keda["spec"]["authorization"]["acls"] for op in acl["operations"]} == {"Describe"}
    users = {u["metadata"]["name"] for u in of(things, "KafkaUser")}
    assert users == {"admin", "keda", *(f"esteira-{s}" for s in ("intake", "ocr", "audit", "outreach"))}


def test_a_partners_user_fits_as_well():
    """Was v1beta2, which Strimzi 1 has no more."""
    program = pathlib.Path(os.environ.get("ESTEIRA_BIN_DIR", ROOT / "build/dev/bin")).parent / "tests/contract-topics"
    text = subprocess.run([program, "acme", "esteira"], check=True, capture_output=True, text=True, timeout=20,
                          env={"ESTEIRA_KAFKA_BROKERS": "none:1"}).stdout
    assert judge.documents(text)[0]["metadata"]["name"] == "partner-acme"
    assert judge.unfit(text) == []


def settings():
    """(service, setting) of every secret in docs/configuration.md."""
    text = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")
    shared, *rest = re.split(r"^## ", text, flags=re.M)[1:]
    for section in rest:
        name = section.splitlines()[0].removeprefix("esteira-")
        for part in (shared, section) if name != "estctl" else (section,):
            yield from ((name, setting) for setting in re.findall(r"^\| `(\w+)` or `_FILE`", part, flags=re.M))
    yield from (("audit", setting) for setting in re.findall(r"^\| `(\w+)` or `_FILE`", shared, flags=re.M))


def keys_of(things, name):
    """Setting-like names of the keys in a service's Secrets."""
    kinds = [e for e in of(things, "ExternalSecret") if e["metadata"]["name"] in (f"esteira-{name}", f"esteira-{name}-kafka")]
    for kind in kinds:
        assert kind["metadata"]["namespace"] == WHERE.get(name, "esteira-workers")
    return {f"ESTEIRA_{row['secretKey'].upper().replace('-', '_')}" for kind in kinds for row in kind["spec"]["data"]}


def test_every_secret_has_its_key(things):
    rows = set(settings())
    assert ("intake", "ESTEIRA_S3_SECRET_KEY") in rows and ("audit", "ESTEIRA_PG_PASSWORD") in rows and len(rows) > 20
    for service, setting in rows:
        secrets = "admin" if service == "estctl" else service
        assert setting in NOT_GIVEN or setting in keys_of(things, secrets), (service, setting)


def test_no_service_gets_what_it_does_not_read(things):
    """S3's keys are intake's alone; audit has no key of any tenant."""
    text = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")
    known = set(re.findall(r"^\| `(ESTEIRA_\w+)`", text, flags=re.M))
    for service in ("intake", "ocr", "audit", "outreach"):
        keys = keys_of(things, service)
        assert {"ESTEIRA_KAFKA_CERT", "ESTEIRA_KAFKA_KEY", "ESTEIRA_KAFKA_CA", "ESTEIRA_PG_PASSWORD"} <= keys
        assert all(key in known or f"{key}_FILE" in known for key in keys), keys - known
        assert ("ESTEIRA_S3_SECRET_KEY" in keys) == (service == "intake")
        assert ("ESTEIRA_SEAL_MASTER" in keys) == (service != "audit")


def asked(things):
    """(store, namespace, entry) of every key of every ExternalSecret."""
    for e in of(things, "ExternalSecret"):
        for row in e["spec"]["data"]:
            store = row.get("sourceRef", {}).get("storeRef") or e["spec"]["secretStoreRef"]
            yield store["name"], e["metadata"]["namespace"], row


def test_who_may_read_strimzis_secrets(things):
    """Just those that its ExternalSecrets name, and the authority's certificate."""
    for space in ("api", "workers"):
        role, = [r for r in of(things, "Role") if r["metadata"]["name"] == f"kafka-of-{space}"]
        named = {row["remoteRef"]["key"] for store, namespace, row in asked(things)
                 if (store, namespace) == ("kafka", f"esteira-{space}")}
        assert role["rules"] == [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"],
                                  "resourceNames": role["rules"][0]["resourceNames"]}]
        assert set(role["rules"][0]["resourceNames"]) == named
    users = {u["metadata"]["name"] for u in of(things, "KafkaUser")}
    assert named - {"esteira-cluster-ca-cert"} < users


def wanted(things):
    """(path in the vault, property, namespace) that the ExternalSecrets ask for."""
    return {(row["remoteRef"]["key"], row["remoteRef"]["property"], namespace) for store, namespace, row in asked(things)
            if store == "vault"}


def test_the_page_names_what_the_vault_must_have(things, tmp_path):
    """docs/kubernetes.md: a row a path, with its keys and the roles that read it."""
    page = (ROOT / "docs/kubernetes.md").read_text(encoding="utf-8")
    said = [(path, re.findall(r"`([\w.-]+)`", keys), re.findall(r"`([\w-]+)`", roles))
            for path, keys, roles in re.findall(r"^\| `(esteira/\w+)` \| (.*) \| (.*) \|$", page, flags=re.M)]
    asks = wanted(things) | wanted(judge.documents(judge.with_components(COMPONENTS, tmp_path)))
    assert {(path, key) for path, keys, _ in said for key in keys} == {(path, key) for path, key, _ in asks}
    assert {(path, role) for path, _, roles in said for role in roles} == {(path, role) for path, _, role in asks}


def test_roles_get_the_passwords_that_their_services_log_in_by(things):
    """Nothing made the Secret that the migrations set passwords from, and nobody could log in."""
    by_name = {e["metadata"]["name"]: e for e in of(things, "ExternalSecret")}
    roles = {row["secretKey"]: row["remoteRef"] for row in by_name["esteira-role-passwords"]["spec"]["data"]}
    sql = "".join((ROOT / "migrations/deploy" / name).read_text() for name in ("roles.sql", "outreach/roles.sql"))
    for service in ("intake", "ocr", "audit", "outreach"):
        own = {row["secretKey"]: row["remoteRef"] for row in by_name[f"esteira-{service}"]["spec"]["data"]}
        for role, key in ((f"esteira_{service}", "pg-password"), (f"esteira_frame_{service}", "pg-frame-password")):
            assert f"'{role}'" in sql and roles.pop(role) == own[key]
    assert roles == {"esteira_backup": {"key": "esteira/backup", "property": "pg-password"}}
