"""helm/esteira: every values file renders to what Kubernetes takes, and each service is told exactly what it
reads. What is refused is in test_refused.py, what is printed in test_notes.py."""
import json
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

sys.path.insert(0, str(judge.ROOT / "tests/integration"))
from stub import Stub  # noqa: E402  pylint: disable=wrong-import-position

EVERY = pytest.mark.parametrize("name", chart.FILES)


# --- every values file ---

@EVERY
def test_lint(name):
    done = subprocess.run([judge.TOOLS / "helm", "lint", "--strict", chart.CHART, "-f", chart.CHART / name],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "Fail" not in done.stderr, done.stdout + done.stderr


@EVERY
def test_the_kinds_schemas_take_it(name):
    assert judge.unfit(chart.text(name, {}, "--api-versions", chart.MONITORS)) == []


@pytest.mark.parametrize("way", chart.OTHER_WAYS)
def test_the_kinds_schemas_take_other_ways(way):
    values, more = chart.OTHER_WAYS[way]
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
    for service in chart.SERVICES:
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


# --- what each service is told ---

WAYS = [(*way, service) for way in chart.ways() for service in chart.SERVICES]
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


@TOLD
def test_the_service_itself_finds_nothing_wrong(name, values, service, pair, tmp_path):
    """estctl config check, with everything at its place."""
    things = chart.objects(name, values)
    spec = chart.pod(things[("Deployment", service)])
    folder, mounted = chart.files(spec)
    here = tmp_path / "esteira"
    contents = {path: chart.content_of(path, pair) for path in mounted}
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
    for service in chart.SERVICES:
        told, read = told_of_traces(chart.OTHER_WAYS["traces"][0], service)
        assert (told["ENDPOINT"], told["RATIO"]) == ("https://collector:4318", "0.01")
        assert read == {"CA_FILE": ("secret", "c", "ca.crt"), "HEADERS_FILE": ("secret", f"{service}-otlp", "otlp-headers")}


def test_a_setting_of_one_service_comes_over_the_chart_s():
    told, _ = told_of_traces({"traces.endpoint": "http://collector:4318", "services.ocr.config.ESTEIRA_OTLP_RATIO": "0.5"})
    assert told["RATIO"] == "0.5"


def test_urls_have_no_password():
    for name, values in (way[1:] for way in chart.ways()):
        for (kind, service), thing in chart.objects(name, values).items():
            wires = kind == "ConfigMap" and not service.startswith("dashboard-")
            for key, value in thing["data"].items() if wires else ():
                assert re.fullmatch(r"(postgresql://esteira_\w+@|rediss?://)[\w.-]+:\d+/\w+(\?[\w=&/.-]+)?", value), (service, key)


def test_only_intake_has_keys_of_the_storage_and_audit_no_master():
    secrets = {service: {key for _, what, key in chart.files(chart.pod(chart.objects()[("Deployment", service)]))[1].values()
                         if what == f"esteira-{service}"} for service in chart.SERVICES}
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
    told = {chart.environment(chart.pod(things[("Deployment", service)]))["ESTEIRA_KAFKA_SASL_USER"] for service in chart.SERVICES}
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
    before, after = chart.objects(), chart.objects("values.yaml", chart.BILLING)
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
    assert {name for kind, name in things if kind == "PodMonitor"} == set(chart.SERVICES)
    jobs = [end["relabelings"] for (kind, _), thing in things.items() if kind == "PodMonitor"
            for end in thing["spec"]["podMetricsEndpoints"]]
    assert sorted(job["replacement"] for (job,) in jobs) == sorted(f"esteira-{name}" for name in chart.SERVICES)
    plain = {kind for kind, _ in chart.objects("values.yaml", {}, chart=copy)}
    assert not plain & {"PodMonitor", "PrometheusRule"}, "a cluster without the operator does not know them"
    forced = {kind for kind, _ in chart.objects("values.yaml", {"monitoring.monitors": True}, chart=copy)}
    assert {"PodMonitor", "PrometheusRule"} <= forced
    none = chart.objects("values.yaml", {"monitoring.monitors": "false", "monitoring.dashboards": False}, "--api-versions",
                         chart.MONITORS, chart=copy)
    assert not {kind for kind, _ in none} & {"PodMonitor", "PrometheusRule"} and ("ConfigMap", "dashboard-overview") not in none


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
    assert ("Pod", "test") not in chart.objects("values.yaml", chart.OTHER_WAYS["front"][0])


def test_migrations_come_before_everything():
    job = chart.objects("values.yaml", chart.OTHER_WAYS["roles"][0])[("Job", "migrate")]
    notes = job["metadata"]["annotations"]
    assert notes["helm.sh/hook"] == "pre-install,pre-upgrade"
    _, mounted = chart.files(chart.pod(job))
    assert mounted["/etc/esteira/roles/esteira_frame_ocr"] == ("secret", "esteira-roles", "esteira_frame_ocr")
    assert sum("/roles/" in path for path in mounted) == 2 * len(chart.SERVICES) + 1  # and esteira_backup


@pytest.mark.parametrize("name", [name for name in chart.FILES if "production" in name])
def test_in_production_every_role_is_given_its_password(name):
    things = chart.objects(name)
    _, mounted = chart.files(chart.pod(things[("Job", "migrate")]))
    given = {key for path, (_, secret, key) in mounted.items() if secret == "esteira-role-passwords"}
    roles = {re.match(r"postgresql://(\w+)@", url)[1] for (kind, _), thing in things.items() if kind == "ConfigMap"
             for key, url in thing["data"].items() if key.startswith("pg-")}
    assert given == roles | {"esteira_backup"} and len(roles) == 2 * len(chart.SERVICES)


def test_the_job_gives_up_before_helm_does():
    """Else helm says that it waited in vain, and not what failed."""
    page = (judge.ROOT / "docs/helm.md").read_text(encoding="utf-8")
    minutes = {int(said) for said in re.findall(r"--timeout (\d+)m\b", page)}
    for name in chart.FILES:
        job = chart.objects(name)[("Job", "migrate")]["spec"]
        assert len(minutes) == 1 and min(minutes) * 60 - 120 <= job["activeDeadlineSeconds"] < min(minutes) * 60
