"""helm/esteira: every values file renders to what Kubernetes takes, what cannot work is refused, and each service is
told exactly what it reads."""
import json
import math
import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest
import yaml

import chart
import judge
from told import BIN, settings

for _folder in ("docker/local", "tests/integration"):
    sys.path.insert(0, str(judge.ROOT / _folder))
# pylint: disable=wrong-import-position
import secure  # noqa: E402
from stub import Stub  # noqa: E402

EVERY = pytest.mark.parametrize("name", chart.FILES)
SERVICES = ("intake", "ocr", "outreach", "audit")

# One more service: one values entry and nothing else.
BILLING = {"services.billing": {
    "topics": ["billing.commands"], "wires": ["seal"], "scaling": {"by": "lag", "min": 2, "max": 12}, "connections": 5,
    "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}}}}
OTHER_WAYS = {
    "monitored": ({}, ("--api-versions", chart.MONITORS)),
    "scram": ({"kafka.security": "sasl_ssl"}, ()),
    "transit": ({"seal.mode": "transit", "seal.transit.url": "https://bao:8200", "seal.hasOldMaster": True,
                 "seal.transit.ca.existingSecret": "bao"}, ()),
    "front": ({"ingress.enabled": True, "ingress.host": "api.example.com", "ingress.tlsSecret": "t",
               "http": {"tlsSecret": "i", "clientCaSecret": "c", "proxies": "10.0.0.0/8"}, "outreachCa.existingSecret": "o"}, ()),
    "billing": (BILLING, ()),
    "traces": ({"traces.endpoint": "https://collector:4318", "traces.sampleRatio": 0.01, "traces.ca.existingSecret": "c",
                "traces.headers.existingSecret": "{service}-otlp"}, ()),
    "roles": ({"migrations.rolePasswordsSecret": "esteira-roles", "postgres.pooler.host": "pooler"}, ()),
}


# --- every values file ---

@EVERY
def test_lint(name):
    done = subprocess.run([judge.TOOLS / "helm", "lint", "--strict", chart.CHART, "-f", chart.CHART / name],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "Fail" not in done.stderr, done.stdout + done.stderr


@EVERY
def test_the_kinds_schemas_take_it(name):
    assert judge.unfit(chart.text(name, {}, "--api-versions", chart.MONITORS)) == []


@pytest.mark.parametrize("way", OTHER_WAYS)
def test_the_kinds_schemas_take_other_ways(way):
    values, more = OTHER_WAYS[way]
    assert judge.unfit(chart.text("values.yaml", values, *more)) == []


@EVERY
def test_every_process_is_restricted(name):
    for where, spec in chart.pods(chart.objects(name)):
        assert spec["automountServiceAccountToken"] is False, where
        assert spec["securityContext"]["runAsNonRoot"] is True and spec["securityContext"]["runAsUser"] > 0, where
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, where
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec), where
        for container in spec["containers"]:
            security = container["securityContext"]
            assert security["readOnlyRootFilesystem"] is True and security["allowPrivilegeEscalation"] is False, where
            assert security["capabilities"] == {"drop": ["ALL"]}, where
            assert {"cpu", "memory"} <= set(container["resources"]["requests"]), where
            assert "memory" in container["resources"]["limits"], where
            assert not any("secretKeyRef" in json.dumps(entry) for entry in container.get("env", ())), where


@EVERY
def test_a_new_version_comes_before_the_old_goes(name):
    for (kind, service), thing in chart.objects(name).items():
        if kind != "Deployment":
            continue
        spec, deployment = chart.pod(thing), thing["spec"]
        drain_s = int(chart.environment(spec)["ESTEIRA_DRAIN_MS"]) // 1000
        assert deployment["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
        assert spec["terminationGracePeriodSeconds"] == drain_s + 15
        (container,) = spec["containers"]
        pause = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        assert pause < 15 and (pause > 0) == (service == "intake")
        paths = {probe: container[probe]["httpGet"] for probe in ("startupProbe", "livenessProbe", "readinessProbe")}
        assert paths == {"startupProbe": {"path": "/livez", "port": "admin"},
                         "livenessProbe": {"path": "/livez", "port": "admin"},
                         "readinessProbe": {"path": "/readyz", "port": "admin"}}
        mine = deployment["selector"]["matchLabels"]
        assert mine.items() <= deployment["template"]["metadata"]["labels"].items()
        spread = {s["topologyKey"]: s["labelSelector"]["matchLabels"] for s in spec["topologySpreadConstraints"]}
        assert spread == {"topology.kubernetes.io/zone": mine, "kubernetes.io/hostname": mine}
        (apart,) = spec["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
        assert apart["podAffinityTerm"]["labelSelector"]["matchLabels"] == mine


@EVERY
def test_what_is_scaled_has_no_replicas(name):
    things = chart.objects(name)
    for (kind, service), thing in things.items():
        if kind == "Deployment":
            scaled = ("HorizontalPodAutoscaler", service) in things or ("ScaledObject", service) in things
            assert ("replicas" in thing["spec"]) == (not scaled), service
            assert scaled == (name in chart.PLANNED), service


@EVERY
def test_a_node_can_be_drained_and_two_stay(name):
    things = chart.objects(name)
    for service in SERVICES:
        scaler = things.get(("HorizontalPodAutoscaler", service)) or things.get(("ScaledObject", service))
        budget = things.get(("PodDisruptionBudget", service))
        if scaler is None:
            assert budget is None, "one process cannot be kept and moved"
            continue
        least = scaler["spec"].get("minReplicas") or scaler["spec"]["minReplicaCount"]
        assert budget["spec"]["minAvailable"] == min(2, least - 1)
        assert budget["spec"]["minAvailable"] == 2 or name == "values.yaml", "production keeps two"
        assert budget["spec"]["selector"] == things[("Deployment", service)]["spec"]["selector"]


@EVERY
def test_services_lead_to_pods(name):
    things = chart.objects(name)
    for (kind, service), thing in things.items():
        if kind == "Service":
            deployment = things[("Deployment", service)]
            assert deployment["metadata"]["namespace"] == thing["metadata"]["namespace"]
            assert thing["spec"]["selector"] == deployment["spec"]["selector"]["matchLabels"]
            names = {port["name"] for port in chart.pod(deployment)["containers"][0]["ports"]}
            assert {port["targetPort"] for port in thing["spec"]["ports"]} == {"http"} < names
    assert [service for kind, service in things if kind == "Service"] == ["intake"], "nobody else takes requests"


# What kube-score asks for that is answered elsewhere, and where.
ANSWERED = {
    "pod-networkpolicy": "k8s/ has them: default deny and the paths of the wires",
    "container-image-pull-policy": "images have a version or a digest",
    "container-ephemeral-storage-request-and-limit": "nothing can be written but the log, which the kubelet rotates",
    "container-resources": "a limit of CPU slows a process that has nobody to slow for; ocr, which has neighbours, has one",
}


@pytest.mark.parametrize("name", chart.PLANNED)
def test_kube_score(name):
    assert judge.bad_practice(chart.text(name), *ANSWERED) == []
    assert {row.split(": ")[1] for row in judge.bad_practice(chart.text(name))} == set(ANSWERED), "excused for nothing"


# --- what it refuses ---

@pytest.mark.parametrize("values,said", (
    ({"services.ocr.scaling.max": 61}, "services.ocr: scaling.max 61 is more than the 60 partitions"),
    ({"kafka.ocrPartitions": 49}, "services.ocr: scaling.max 50 is more than the 49 partitions"),
    ({"services.audit.scaling.max": 13}, "services.audit: scaling.max 13 is more than the 12 partitions"),
    ({"kafka.partitions": 11}, "is more than the 11 partitions of its topics: Kafka gives a partition to one process"),
    ({"services.audit.topics": []}, "services.audit: scaling by lag needs topics"),
    ({"services.audit.scaling.min": 12, "services.audit.scaling.max": 11}, "scaling.min 12 is more than scaling.max 11"),
    ({"postgres.maxConnections": 943}, "hold 755 sessions, more than 0.8 of it (754)"),
    ({"services.intake.requestConnections": 64}, "more than 0.8 of it"),
    ({"services.ocr.config.ESTEIRA_OCR_RECOGNISERS": "5"}, "more than limits.memory 8Gi"),
    ({"services.ocr.config.ESTEIRA_OCR_RECOGNISERS": "0"}, "ESTEIRA_OCR_RECOGNISERS must be set"),
    ({"services.ocr.resources.limits.memory": "7935Mi"}, "more than limits.memory 7935Mi"),
    ({"seal.mode": "transit"}, "seal.transit.url: must be set"),
    ({"kafka.ca.existingSecret": ""}, "kafka.ca.existingSecret: must be set"),
    ({"ingress.enabled": True, "ingress.host": "a.example"}, "http.proxies: must be set where the ingress is enabled"),
    ({"services.ocr.scaling": {"by": "none", "replicas": 61}}, "services.ocr: scaling.replicas 61 is more than the 60 partitions"),
    ({"services.ocr.scaling": {"by": "cpu", "min": 2, "max": 61}}, "services.ocr: scaling.max 61 is more than the 60 partitions"),
    ({"services.audit.scaling": {"by": "none", "replicas": 13}}, "services.audit: scaling.replicas 13 is more than the 12 partitions"),
    ({"services.intake.config.ESTEIRA_HTTP_THREADS": "64"}, "more than 0.8 of it"),
    ({"config.ESTEIRA_HTTP_THREADS": "64", "services.intake.config": {"ESTEIRA_HTTP_THREADS": None}}, "more than 0.8 of it"),
    ({"ladder.replicas.highTo": 10}, "highFrom and highTo must rise"), ({"ladder.replicas.middleFrom": 30}, "must rise"),
    ({"ladder.replicas.middleTo": 5}, "must rise"), ({"ladder.replicas.highTo": 20}, "must rise"),
    ({"ladder.replicas.middleTo": 21}, "must rise"), ({"ladder.replicas.base": 6}, "must rise"),
    ({"ladder.replicas.base": 4}, "services.audit: ladder.replicas.base 4 is more than its next step, which is 1.2 with 12"),
    ({"services.ocr.config.ESTEIRA_OCR_CHILD_MEMORY_BYTES": None}, "ESTEIRA_OCR_CHILD_MEMORY_BYTES (1073741824) + 256 MiB"),
    ({"services.ocr.config": None}, "ESTEIRA_OCR_RECOGNISERS must be set"),
    ({"http.clientCaSecret": "c"}, "http.tlsSecret: must be set where http.clientCaSecret is"),
    ({"postgres.ca.existingSecret": ""}, "postgres.ca.existingSecret: must be set where postgres.sslmode is verify-full"),
    ({"traces.endpoint": "http://collector:4318/v1/traces"}, "traces.endpoint: without /v1/traces"),
    ({"services.other": BILLING["services.billing"] | {"wires": ["http"], "topics": []} | {"scaling": {"by": "none", "replicas": 1}}},
     "services: intake and other have wire http"),
    ({"services.ocr.topics": ["ocr.job"]}, "services.ocr: there is no topic ocr.job"),
    ({"services.audit.topics": ["billing.commands"]}, "services.audit: there is no topic billing.commands"),
    ({"ladder.lag.low": 100}, "ladder.lag: low, middle and high must rise"),
))
def test_what_cannot_work_is_refused(values, said):
    assert said in refusal_in_words(values)


def refusal_in_words(values):
    return re.sub(r"\s+", " ", chart.refusal("values.yaml", values))


@pytest.mark.parametrize("values", (
    {"postgres.maxConnections": 944}, {"services.ocr.resources.limits.memory": "7936Mi"},
    {"services.ocr.scaling.max": 60, "postgres.maxConnections": 2000},
    {"services.ocr.scaling": {"by": "none", "replicas": 60}, "postgres.maxConnections": 2000},
    {"ladder.replicas.base": 5, "services.audit.scaling.min": 5, "services.outreach.scaling.min": 5, "services.ocr.scaling.min": 5},
    {"services.ocr.config.ESTEIRA_OCR_CHILD_MEMORY_BYTES": None, "services.ocr.config.ESTEIRA_OCR_RECOGNISERS": "1"},
    {"postgres.ca.existingSecret": "", "postgres.sslmode": "require"}, {"services.intake.scaling": {"by": "none", "replicas": 20}}))
def test_what_just_works_is_taken(values):
    assert chart.objects("values.yaml", values)


@pytest.mark.parametrize("values,where", (
    ({"postgre.host": "x"}, "postgre"), ({"services.ocr.replicas": 2}, "ocr"), ({"services.ocr.scaling.fallback": 6}, "scaling"),
    ({"services.ocr.scaling.min": 1}, "min"), ({"services.ocr.scaling.by": "memory"}, "by"), ({"ladder.replicas.base": 1}, "base"),
    ({"ladder.scaleDownSeconds": 299}, "scaleDownSeconds"), ({"services.ocr.wires": ["s4"]}, "wires"),
    ({"services.ocr.scaling": {"by": "none"}}, "replicas"), ({"services.intake.preStopSeconds": 11}, "preStopSeconds"),
    ({"traces.endpoint": "collector:4318"}, "endpoint"), ({"traces.endpoint": "http://a:b@collector:4318"}, "endpoint"),
    ({"traces.sampleRatio": 1.1}, "sampleRatio"), ({"traces.sampleRatio": "0.1"}, "sampleRatio"), ({"traces.ratio": 1}, "traces"),
    ({"config.ESTEIRA_REDIS_PASSWORD": "x"}, "REDIS_PASSWORD"), ({"config.PATH": "x"}, "PATH"),
    ({"services.ocr.config.ESTEIRA_S3_SECRET_KEY": "x"}, "S3_SECRET_KEY"), ({"config.ESTEIRA_PG_FRAME_URL": "x"}, "PG_FRAME_URL"),
    ({"kafka.topicPrefix": ""}, "topicPrefix"), ({"kafka.topicPrefix": "."}, "topicPrefix"),
    ({"config.ESTEIRA_DRAIN_MS": "1"}, "DRAIN_MS"), ({"services.ocr.config.ESTEIRA_KAFKA_SECURITY": "plaintext"}, "KAFKA_SECURITY"),
    ({"estctl.config.ESTEIRA_KAFKA_BROKERS": "x:1"}, "KAFKA_BROKERS"), ({"monitoring.monitors": "yes"}, "monitors"),
    ({"image.digest": "sha256:abc"}, "digest"), ({"runAs.user": 0}, "user"), ({"kafka.brokers": ""}, "brokers"),
    ({"ingress.enabled": True}, "host"), ({"services.Ocr": {}}, "services"),
    ({"services.ocr.resources.limits.memory": None}, "memory"),
))
def test_values_that_are_none_are_refused(values, where):
    said = chart.refusal("values.yaml", values)
    assert "values don't meet the specifications of the schema" in said and where in said


# --- what each service is told ---

def ways():
    """Everything a service may be told: each values file, and the other ways."""
    yield from ((name, name, {}) for name in chart.FILES)
    yield from ((way, "values.yaml", values) for way, (values, _) in OTHER_WAYS.items())


WAYS = [(*way, service) for way in ways() for service in SERVICES]
TOLD = pytest.mark.parametrize("name,values,service", [way[1:] for way in WAYS], ids=[f"{w[0]}-{w[3]}" for w in WAYS])


@TOLD
def test_it_is_told_what_it_reads_and_secrets_by_file(name, values, service):
    spec = chart.pod(chart.objects(name, values)[("Deployment", service)])
    known = settings(f"esteira-{service}")
    env, (folder, mounted) = chart.environment(spec), chart.files(spec)
    urls = set(chart.objects(name, values)[("ConfigMap", service)]["data"])
    for variable, value in env.items():
        plain = variable if variable in known else variable.removesuffix("_FILE")
        assert plain in known, f"esteira-{service} does not read {variable}"
        assert not known[plain][0] or variable.endswith("_FILE"), f"{variable} is a secret in the environment"
        if variable.endswith("_FILE"):
            assert value in mounted or value.removeprefix(f"{folder}/") in urls, f"{variable}: nothing is mounted at {value}"
    missing = [variable for variable, (_, default) in known.items()
               if default == "required" and variable not in env and f"{variable}_FILE" not in env]
    assert missing == []
    used = {value for variable, value in env.items() if variable.endswith("_FILE")}
    assert set(mounted) - used <= {f"{folder}/ca/postgres.crt"}, "mounted for nobody"
    assert {f"{folder}/{name}" for name in urls} <= used


@pytest.fixture(scope="module", name="pair")
def make_pair(tmp_path_factory):
    """A certificate and its key."""
    return secure.Authority(str(tmp_path_factory.mktemp("tls"))).issue("one", dns=["localhost"])


def content_of(path, pair):
    """Something like what the file has to hold."""
    if "seal-master" in path:
        return os.urandom(32)
    if path.endswith((".crt", ".pem", ".key")):
        return pathlib.Path(pair.key if "key" in pathlib.PurePath(path).name else pair.cert).read_bytes()
    return b"value"


@TOLD
def test_the_service_itself_finds_nothing_wrong(name, values, service, pair, tmp_path):
    """estctl config check, with everything at its place."""
    things = chart.objects(name, values)
    spec = chart.pod(things[("Deployment", service)])
    folder, mounted = chart.files(spec)
    here = tmp_path / "esteira"
    contents = {path: content_of(path, pair) for path in mounted}
    contents |= {f"{folder}/{key}": value.replace(folder, str(here)).encode()
                 for key, value in things[("ConfigMap", service)]["data"].items()}
    for path, content in contents.items():
        place = here / pathlib.PurePath(path).relative_to(folder)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
        place.chmod(0o440)
    env = {variable: value.replace(folder, str(here)) for variable, value in chart.environment(spec).items()}
    done = subprocess.run([BIN / "estctl", "config", "check", "--json", "--service", service], env=env, text=True,
                          capture_output=True, check=False)
    report = json.loads(done.stdout)
    assert (done.returncode, report["errors"]) == (0, [])
    expected = {"values-dev.yaml": {"ESTEIRA_KAFKA_SECURITY", "ESTEIRA_REDIS_URL", "ESTEIRA_S3_ENDPOINT", "ESTEIRA_PG_URL",
                                    "ESTEIRA_PG_FRAME_URL", "ESTEIRA_HTTP_TLS_CERT_FILE"}}
    fine = expected.get(name, set() if values.get("http") or "production" in name else {"ESTEIRA_HTTP_TLS_CERT_FILE"})
    assert [found for found in report["warnings"] if found["name"] not in fine] == []


@pytest.mark.parametrize("service", SERVICES)
def test_a_setting_that_is_a_secret_is_none_of_config(service):
    for name, (is_secret, _) in settings(f"esteira-{service}").items():
        if is_secret:
            assert name in chart.refusal("values.yaml", {f"config.{name}": "x"})


OTHERS_MAY = {"ESTEIRA_OTLP_RATIO"}  # a value says it for all, `config` for one service


@EVERY
def test_what_the_chart_says_is_none_of_config(name):
    """Everything that any way of rendering sets, but what `config` is the place of."""
    shown = yaml.safe_load((chart.CHART / "values.yaml").read_text(encoding="utf-8"))
    places = set(shown["config"]).union(*(entry.get("config", {}) for entry in shown["services"].values()))
    said = set().union(*(chart.environment(chart.pod(thing)) for values, _ in OTHER_WAYS.values()
                         for (kind, _), thing in chart.objects(name, values).items() if kind == "Deployment"))
    forbidden = said - places - OTHERS_MAY | {"ESTEIRA_SERVICE_INSTANCE"}
    assert len(forbidden) > 25
    told = chart.refusal(name, {f"config.{variable}": "1" for variable in sorted(forbidden)})
    assert [variable for variable in forbidden if variable not in told] == []


def test_the_topics_that_the_chart_knows_are_those_there_are():
    page = (judge.ROOT / "docs/topics.md").read_text(encoding="utf-8")
    listed = re.search(r"\$known := list (.*?) -", (chart.CHART / "templates/_check.tpl").read_text(encoding="utf-8"))[1]
    assert set(re.findall(r'"([^"]+)"', listed)) == set(re.findall(r"^## esteira\.([a-z.]+)$", page, re.M))


def told_of_traces(values, service="ocr"):
    """What a service is told about traces, and where what it reads comes from."""
    spec = chart.pod(chart.objects("values.yaml", values)[("Deployment", service)])
    env, (_, mounted) = chart.environment(spec), chart.files(spec)
    told = {name.removeprefix("ESTEIRA_OTLP_"): value for name, value in env.items() if "_OTLP_" in name}
    return told, {name: mounted[value] for name, value in told.items() if name.endswith("_FILE")}


@EVERY
def test_there_are_no_traces_unless_a_receiver_is_named(name):
    assert "ESTEIRA_OTLP" not in chart.text(name) and "path: traces/" not in chart.text(name)
    assert told_of_traces({"traces.sampleRatio": 0.5, "traces.ca.existingSecret": "c", "traces.headers.existingSecret": "h"}) == ({}, {})


def test_traces_go_where_the_values_say():
    assert told_of_traces({"traces.endpoint": "http://collector:4318"}) == ({"ENDPOINT": "http://collector:4318", "RATIO": "1"}, {})
    for service in SERVICES:
        told, read = told_of_traces(OTHER_WAYS["traces"][0], service)
        assert (told["ENDPOINT"], told["RATIO"]) == ("https://collector:4318", "0.01")
        assert read == {"CA_FILE": ("secret", "c", "ca.crt"), "HEADERS_FILE": ("secret", f"{service}-otlp", "otlp-headers")}


def test_a_setting_of_one_service_comes_over_the_chart_s():
    told, _ = told_of_traces({"traces.endpoint": "http://collector:4318", "services.ocr.config.ESTEIRA_OTLP_RATIO": "0.5"})
    assert told["RATIO"] == "0.5"


def test_urls_have_no_password():
    for name, values in (way[1:] for way in ways()):
        for (kind, service), thing in chart.objects(name, values).items():
            wires = kind == "ConfigMap" and not service.startswith("dashboard-")
            for key, value in thing["data"].items() if wires else ():
                assert re.fullmatch(r"(postgresql://esteira_\w+@|rediss?://)[\w.-]+:\d+/\w+(\?[\w=&/.-]+)?", value), (service, key)


def test_only_intake_has_keys_of_the_storage_and_audit_no_master():
    secrets = {service: {key for _, what, key in chart.files(chart.pod(chart.objects()[("Deployment", service)]))[1].values()
                         if what == f"esteira-{service}"} for service in SERVICES}
    common = {"pg-password", "pg-frame-password"}
    assert secrets == {"intake": common | {"redis-password", "s3-access-key", "s3-secret-key", "seal-master"},
                       "ocr": common | {"redis-password", "seal-master"}, "outreach": common | {"seal-master"}, "audit": common}


def test_topics_are_those_it_reads():
    page = (judge.ROOT / "docs/topics.md").read_text(encoding="utf-8")
    read = {}
    for topic, body in re.findall(r"^## esteira\.([a-z.]+)$(.*?)(?=^## |\Z)", page, re.M | re.S):
        for service in re.findall(r"\(group `esteira\.(\w+)`\)", body):
            read.setdefault(service, set()).add(topic)
    values = yaml.safe_load((chart.CHART / "values.yaml").read_text(encoding="utf-8"))
    assert {name: set(entry["topics"]) for name, entry in values["services"].items()} == read


def test_production_runs_where_the_platform_wants_it():
    for name in ("values-production-100k.yaml", "values-production-1m.yaml"):
        things = chart.objects(name)
        for (kind, service), thing in things.items():
            if kind in ("Deployment", "Job", "CronJob", "Pod"):
                pool = "api" if service in ("intake", "test") else "workers"
                assert thing["metadata"]["namespace"] == f"esteira-{pool}", service
                assert chart.pod(thing)["nodeSelector"] == {"esteira.io/pool": pool}, service
                (toleration,) = chart.pod(thing)["tolerations"]
                assert (toleration["key"], toleration["value"]) == ("esteira.io/pool", pool), service


def test_keda_is_told_its_user_where_it_looks_for_it():
    """The scaler takes username from the TriggerAuthentication alone."""
    things = chart.objects("values.yaml", {"kafka.security": "sasl_ssl"})
    for service in ("ocr", "outreach", "audit"):
        asked = {row["parameter"]: (row["name"], row["key"])
                 for row in things[("TriggerAuthentication", service)]["spec"]["secretTargetRef"]}
        assert asked == {parameter: ("esteira-keda-kafka", f"kafka-{key}")
                         for parameter, key in (("ca", "ca"), ("username", "user"), ("password", "password"))}
        for trigger in things[("ScaledObject", service)]["spec"]["triggers"]:
            assert "username" not in trigger["metadata"] and trigger["metadata"]["sasl"] == "scram_sha512"
            assert trigger["authenticationRef"] == {"name": f"esteira-{service}"}


@pytest.mark.parametrize("prefix", ("esteira.", "eu.prod.", "eu"))
def test_principals_are_those_that_estctl_declares(prefix):
    things = chart.objects("values.yaml", {"kafka.security": "sasl_ssl", "kafka.topicPrefix": prefix})
    done = subprocess.run([BIN / "estctl", "acl", "declared", "--json"], capture_output=True, text=True, check=True,
                          env={"ESTEIRA_KAFKA_BROKERS": "k:9092", "ESTEIRA_KAFKA_TOPIC_PREFIX": prefix})
    declared = set(re.findall(r"User:([\w.-]+)", done.stdout))
    told = {chart.environment(chart.pod(things[("Deployment", service)]))["ESTEIRA_KAFKA_SASL_USER"] for service in SERVICES}
    assert told == {user for user in declared if not user.startswith("partner-")}


def test_a_digest_is_of_one_image():
    one, two, three = (f"sha256:{digit * 64}" for digit in "123")
    for values, ocr, migrations in (({}, "esteira-ocr:0.2.0", "esteira-migrations:0.1.0"),
                                    ({"services.ocr.image.digest": two, "migrations.image.digest": three},
                                     f"esteira-ocr@{two}", f"esteira-migrations@{three}")):
        things = chart.objects("values.yaml", {"image.digest": one, "image.tag": "0.2.0", "image.pullPolicy": "Always"} | values)
        runs = {key: chart.pod(thing)["containers"][0] for key, thing in things.items()
                if key[0] in ("Deployment", "Job", "CronJob", "Pod")}
        images = {name: container["image"] for (_, name), container in runs.items()}
        assert (images.pop("ocr"), images.pop("migrate")) == (ocr, migrations)
        assert set(images.values()) == {f"esteira@{one}"} and len(images) == 5
        assert {container["imagePullPolicy"] for container in runs.values()} == {"Always"}


@pytest.mark.parametrize("name", [name for name in chart.FILES if "production" in name])
def test_behind_the_ingress_intake_knows_who_asked(name):
    things = chart.objects(name)
    assert ("Ingress", "intake") in things
    assert chart.environment(chart.pod(things[("Deployment", "intake")]))["ESTEIRA_HTTP_PROXIES"] == "10.0.0.0/8"


# --- one more service ---

def test_one_more_service_is_one_entry():
    before, after = chart.objects(), chart.objects("values.yaml", BILLING)
    made = {kind for kind, name in set(after) - set(before)}
    assert made == {"ServiceAccount", "ConfigMap", "Deployment", "ScaledObject", "TriggerAuthentication",
                    "PodDisruptionBudget"}
    spec = chart.pod(after[("Deployment", "billing")])
    assert spec["containers"][0]["args"] == ["billing"] and spec["containers"][0]["image"] == "esteira:0.1.0"
    (trigger,) = after[("ScaledObject", "billing")]["spec"]["triggers"]
    assert (trigger["metadata"]["topic"], trigger["metadata"]["consumerGroup"]) == ("esteira.billing.commands", "esteira.billing")
    assert "esteira_billing@" in after[("ConfigMap", "billing")]["data"]["pg-url"]
    for key in before:
        assert before[key] == after[key], key


# --- rules, dashboards, notes, hooks ---

@pytest.fixture(name="copy")
def make_copy(tmp_path):
    """A chart of our own."""
    return pathlib.Path(shutil.copytree(chart.CHART, tmp_path / "esteira"))


def test_rules_and_dashboards_go_along_unread(copy):
    rules = {"groups": [{"name": "one", "rules": [{"alert": "A", "expr": "up == 0", "annotations": {"summary": "{{ $labels.pod }} {{"}}]}]}
    board = '{"title": "{{ not }} a template", "panels": []}\n'
    for kind in ("rules", "dashboards"):
        shutil.rmtree(copy / "files" / kind, ignore_errors=True)
        (copy / "files" / kind).mkdir()
    (copy / "files/rules/one_rule.yaml").write_text(yaml.safe_dump(rules))
    (copy / "files/dashboards/overview.json").write_text(board)
    things = chart.objects("values.yaml", {}, "--api-versions", chart.MONITORS, chart=copy)
    assert things[("PrometheusRule", "one-rule")]["spec"] == rules
    assert things[("ConfigMap", "dashboard-overview")]["data"] == {"overview.json": board}
    assert things[("ConfigMap", "dashboard-overview")]["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert {name for kind, name in things if kind == "PodMonitor"} == set(SERVICES)
    jobs = [end["relabelings"] for (kind, _), thing in things.items() if kind == "PodMonitor"
            for end in thing["spec"]["podMetricsEndpoints"]]
    assert sorted(job["replacement"] for (job,) in jobs) == sorted(f"esteira-{name}" for name in SERVICES)
    plain = {kind for kind, _ in chart.objects("values.yaml", {}, chart=copy)}
    assert not plain & {"PodMonitor", "PrometheusRule"}, "a cluster without the operator does not know them"
    forced = {kind for kind, _ in chart.objects("values.yaml", {"monitoring.monitors": True}, chart=copy)}
    assert {"PodMonitor", "PrometheusRule"} <= forced
    none = chart.objects("values.yaml", {"monitoring.monitors": "false", "monitoring.dashboards": False}, "--api-versions",
                         chart.MONITORS, chart=copy)
    assert not {kind for kind, _ in none} & {"PodMonitor", "PrometheusRule"} and ("ConfigMap", "dashboard-overview") not in none


def notes_of(copy, name="values.yaml", values=None):
    """What helm install prints."""
    (copy / "templates/notes.yaml").write_text('{kind: ConfigMap, metadata: {name: notes}, data: {notes: {{ '
                                               'include "esteira/templates/NOTES.txt" . | quote }}}}')
    return chart.objects(name, values, chart=copy)[("ConfigMap", "notes")]["data"]["notes"]


@EVERY
def test_notes_say_how_to_send_the_first_document(name, copy):
    notes = notes_of(copy, name)
    where = "https://api.esteira.example" if "production" in name else "http://localhost:8080"
    assert f"ESTEIRA_URL={where}" in notes and "helm test esteira" in notes
    assert 'curl -sS -H "X-API-Key: $ESTEIRA_API_KEY" -F file=@contract.pdf $ESTEIRA_URL/v1/extract' in notes


KUBECTL = """
kubectl() {
  printf 'kubectl %s\\n' "$*" >>"$CALLS"
  while [[ $# -gt 0 && $1 != -- ]]; do shift; done
  shift || true
  [[ $# -eq 0 ]] || "$@"
}
estctl() { echo "never: it is not on this machine"; }
"""


@EVERY
def test_the_commands_for_a_tenant_and_a_key_work_as_printed(name, copy, tmp_path):
    """In bash, kubectl being a function that says what it was asked and runs what exec is to run."""
    notes = notes_of(copy, name)
    cron = chart.objects(name)[("CronJob", "estctl")]
    step = notes[notes.index("2. Make a tenant"):notes.index("3. Send")].split("\n", 1)[1]
    program = tmp_path / "bin/estctl"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\necho "estctl $USER $*" >>"$CALLS"\necho uk_key\n', encoding="utf-8")
    program.chmod(0o755)
    subprocess.run(["bash", "-euc", f"{KUBECTL}\n{step}\n[[ $ESTEIRA_API_KEY == uk_key ]]"], check=True, timeout=60,
                   env={"PATH": f"{program.parent}:{os.environ['PATH']}", "CALLS": str(tmp_path / "calls"), "USER": "ana"})
    calls = (tmp_path / "calls").read_text(encoding="utf-8").splitlines()
    place = f"kubectl --namespace {cron['metadata']['namespace']}"
    assert calls[0] == f"{place} create job esteira-estctl --from=cronjob/{cron['metadata']['name']}"
    assert calls[1] == f"{place} wait job/esteira-estctl --for=jsonpath={{.status.ready}}=1 --timeout=5m"
    assert [call for call in calls if call.startswith("estctl")] == [
        "estctl ana tenant create acme --name Acme Ltda", "estctl ana key create --tenant acme --scopes extract,status,audit"]
    assert calls[-1] == f"{place} delete job esteira-estctl"


class Public(Stub):
    """Takes documents, and keeps what it was asked for."""

    def __init__(self, pair):
        super().__init__(pair)
        self.asked = []

    def take(self, handler):
        self.asked.append((handler.headers["Host"].split(":")[0], handler.path, b"a document" in self.body(handler)))
        self.answer(handler, 202, {"job_id": "j"})


@pytest.mark.parametrize("values,host", (({}, "localhost"), ({"http.tlsSecret": "t"}, "esteira-intake.default.svc"),
                                         ({"http.tlsSecret": "t", "ingress.host": "api.example"}, "api.example")))
def test_the_commands_for_the_first_document_work_as_printed(values, host, copy, tmp_path):
    """With a real curl, at a server whose certificate is what the notes say it must be."""
    authority = secure.Authority(str(tmp_path / "tls"))
    notes = notes_of(copy, "values.yaml", values)
    step = notes[notes.index("3. Send"):notes.index("How many")].split("\n", 1)[1]
    step = step.replace("JOB_ID", "j").replace("   and with the job_id of its answer:", "")
    (tmp_path / "contract.pdf").write_bytes(b"a document")
    shutil.copy(authority.ca_file, tmp_path / "ca.crt")
    with Public(authority.issue("intake", dns=[host]) if "http.tlsSecret" in values else None) as stub:
        subprocess.run(["bash", "-euc", f"{KUBECTL}\n{step.replace('8080', str(stub.port))}"], check=True, cwd=tmp_path, timeout=60,
                       env={"PATH": os.environ["PATH"], "CALLS": str(tmp_path / "calls"), "ESTEIRA_API_KEY": "uk_key"})
        assert stub.asked == [(host, "/v1/extract", True), (host, "/v1/jobs/j/events", False), (host, "/v1/jobs/j/result", False)]
    (call,) = (tmp_path / "calls").read_text(encoding="utf-8").splitlines()
    assert "--namespace default port-forward service/esteira-intake" in call
    assert call.endswith(":https" if "http.tlsSecret" in values else ":http")


def test_who_must_show_a_certificate_is_told_so(copy):
    notes = notes_of(copy, "values.yaml", {"http.tlsSecret": "t", "http.clientCaSecret": "c"})
    assert "curl --cert client.crt --key client.key --cacert ca.crt --connect-to" in notes


def told_operator(name="values.yaml", values=None):
    """(environment, files, specification) of the operator's pod."""
    spec = chart.pod(chart.objects(name, values)[("CronJob", "estctl")])
    return chart.environment(spec), chart.files(spec), spec


@pytest.mark.parametrize("name,values", [way[1:] for way in ways()], ids=[way[0] for way in ways()])
def test_estctl_has_all_it_needs_in_the_operators_pod(name, values, pair, tmp_path):
    """estctl config check finds nothing wrong, and every setting of the commands is one of the pod."""
    env, (folder, mounted), _ = told_operator(name, values)
    known = settings("estctl")
    libpq = {variable for variable in env if variable.startswith("PG")}
    assert libpq <= {"PGSSLMODE", "PGSSLROOTCERT"}
    for variable, value in env.items():
        if variable not in libpq:
            assert (variable if variable in known else variable.removesuffix("_FILE")) in known
        if variable.endswith("_FILE") or variable == "PGSSLROOTCERT":
            assert value in mounted, variable
    assert set(mounted) == {value for value in env.values() if value.startswith(folder)}, "mounted for nobody"
    here = tmp_path / "esteira"
    for path in mounted:
        place = here / pathlib.PurePath(path).relative_to(folder)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(b"postgresql://postgres@db/esteira" if path.endswith("owner-url") else content_of(path, pair))
        place.chmod(0o440)
    told = {variable: value.replace(folder, str(here)) for variable, value in env.items()}
    done = subprocess.run([BIN / "estctl", "config", "check", "--json"], env=told, text=True, capture_output=True, check=False)
    assert (done.returncode, json.loads(done.stdout)["errors"]) == (0, [])
    for noun, verb in (("tenant", "create"), ("key", "create"), ("topics", "create"), ("seal", "rewrap")):
        said = subprocess.run([BIN / "estctl", noun, verb, "--help"], text=True, capture_output=True, check=True).stdout
        for needed in re.findall(r"(ESTEIRA_\w+)(?:\[_FILE\])? \(required\)", said):
            assert {needed, f"{needed}_FILE"} & set(env), (noun, verb, needed)
    assert any("_SEAL_MASTER_FILE" in variable or "_SEAL_TRANSIT_URL" in variable for variable in env)


@EVERY
def test_the_operators_pod_is_made_on_demand_and_ends(name):
    cron = chart.objects(name)[("CronJob", "estctl")]["spec"]
    job = cron["jobTemplate"]["spec"]
    assert cron["suspend"] is True and job["backoffLimit"] == 0 and job["ttlSecondsAfterFinished"] <= 300
    assert job["template"]["metadata"]["labels"]["app.kubernetes.io/name"] == "estctl", "what network policies know it by"
    assert told_operator(name)[2]["containers"][0]["command"] == ["sleep", "3600"]
    assert ("CronJob", "estctl") not in chart.objects(name, {"estctl.enabled": False})


def test_the_operator_is_whom_kafka_knows_as_one():
    env, (_, mounted), _ = told_operator("values.yaml", {"kafka.security": "sasl_ssl", "estctl.kafka": {
        "existingSecret": "adm", "user": "root"}, "estctl.config": {"ESTEIRA_TOPICS_REPLICAS": "1"}})
    assert (env["ESTEIRA_KAFKA_SASL_USER"], env["ESTEIRA_TOPICS_REPLICAS"]) == ("root", "1")
    assert {secret for path, (_, secret, _) in mounted.items() if "kafka" in path} == {"adm"}


class Intake(Stub):
    """Says how it does: well from the third question on, or never."""
    asked, well_from = 0, 3

    def take(self, handler):
        self.asked += 1
        state = "ok" if handler.path == "/v1/health" and self.asked >= self.well_from else "degraded"
        self.answer(handler, 200, {"status": state, "checks": {"kafka": {"status": "up"}}})


@pytest.mark.parametrize("scheme", ("http", "https"))
@pytest.mark.parametrize("well_from", (3, 10**6))
def test_helm_test_asks_until_all_is_well(scheme, well_from, pair):
    secured = {"http.tlsSecret": "t"} if scheme == "https" else {}
    (container,) = chart.objects("values.yaml", secured)[("Pod", "test")]["spec"]["containers"]
    script, name, host, port, said = container["args"]
    assert (host, port, said) == ("esteira-intake.default.svc", "443" if secured else "80", scheme)
    with Intake(pair if secured else None) as stub:
        stub.well_from = well_from
        done = subprocess.run([*container["command"], script, name, "127.0.0.1", str(stub.port), scheme],
                              env={"PATH": os.environ["PATH"], "ESTEIRA_TEST_SECONDS": "3" if well_from > 3 else "30"},
                              capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode == 0) == (well_from == 3), done
    assert stub.asked >= 3 or secured
    assert ("not well" in done.stdout) == (well_from > 3)


def test_who_must_show_a_certificate_is_not_asked_by_helm():
    assert ("Pod", "test") not in chart.objects("values.yaml", OTHER_WAYS["front"][0])


def test_migrations_come_before_everything():
    job = chart.objects("values.yaml", OTHER_WAYS["roles"][0])[("Job", "migrate")]
    notes = job["metadata"]["annotations"]
    assert notes["helm.sh/hook"] == "pre-install,pre-upgrade"
    _, mounted = chart.files(chart.pod(job))
    assert mounted["/etc/esteira/roles/esteira_frame_ocr"] == ("secret", "esteira-roles", "esteira_frame_ocr")
    assert sum("/roles/" in path for path in mounted) == 2 * len(SERVICES)


@pytest.mark.parametrize("name", [name for name in chart.FILES if "production" in name])
def test_in_production_every_role_is_given_its_password(name):
    things = chart.objects(name)
    _, mounted = chart.files(chart.pod(things[("Job", "migrate")]))
    given = {key for path, (_, secret, key) in mounted.items() if secret == "esteira-role-passwords"}
    roles = {re.match(r"postgresql://(\w+)@", url)[1] for (kind, _), thing in things.items() if kind == "ConfigMap"
             for key, url in thing["data"].items() if key.startswith("pg-")}
    assert given == roles and len(roles) == 2 * len(SERVICES)


def test_the_job_gives_up_before_helm_does():
    """Else helm says that it waited in vain, and not what failed."""
    page = (judge.ROOT / "docs/helm.md").read_text(encoding="utf-8")
    minutes = {int(said) for said in re.findall(r"--timeout (\d+)m\b", page)}
    for name in chart.FILES:
        job = chart.objects(name)[("Job", "migrate")]["spec"]
        assert len(minutes) == 1 and min(minutes) * 60 - 120 <= job["activeDeadlineSeconds"] < min(minutes) * 60


def test_sessions_at_the_worst_moment():
    """What is refused is what the services really hold at most: as many as the notes say."""
    values = yaml.safe_load((chart.CHART / "values.yaml").read_text(encoding="utf-8"))
    most = sum((entry["scaling"]["max"] + 1) * (entry["connections"] + entry.get("requestConnections", 0))
               for entry in values["services"].values())
    assert f"hold {most} sessions" in refusal_in_words({"postgres.maxConnections": 10})
    pooled = most - (values["services"]["intake"]["scaling"]["max"] + 1) * 8 + values["postgres"]["pooler"]["connections"]
    assert f"hold {pooled} sessions" in refusal_in_words({"postgres.maxConnections": 10, "postgres.pooler.host": "p"})
    assert math.floor(0.8 * values["postgres"]["maxConnections"]) >= most
