"""What the chart refuses: plans that cannot work by its templates, values that are none by its schema."""
import math
import re

import pytest
import yaml

import chart
import judge
from told import settings

EVERY = pytest.mark.parametrize("name", chart.FILES)


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
    ({"services.other": chart.BILLING["services.billing"] | {"wires": ["http"], "topics": []} | {"scaling": {"by": "none", "replicas": 1}}},
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


@pytest.mark.parametrize("service", chart.SERVICES)
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
    said = set().union(*(chart.environment(chart.pod(thing)) for values, _ in chart.OTHER_WAYS.values()
                         for (kind, _), thing in chart.objects(name, values).items() if kind == "Deployment"))
    forbidden = said - places - OTHERS_MAY | {"ESTEIRA_SERVICE_INSTANCE"}
    assert len(forbidden) > 25
    told = chart.refusal(name, {f"config.{variable}": "1" for variable in sorted(forbidden)})
    assert [variable for variable in forbidden if variable not in told] == []


def test_the_topics_that_the_chart_knows_are_those_there_are():
    page = (judge.ROOT / "docs/topics.md").read_text(encoding="utf-8")
    listed = re.search(r"\$known := list (.*?) -", (chart.CHART / "templates/_check.tpl").read_text(encoding="utf-8"))[1]
    assert set(re.findall(r'"([^"]+)"', listed)) == set(re.findall(r"^## esteira\.([a-z.]+)$", page, re.M))


def test_sessions_at_the_worst_moment():
    """What is refused is what the services really hold at most: as many as the notes say."""
    values = yaml.safe_load((chart.CHART / "values.yaml").read_text(encoding="utf-8"))
    most = sum((entry["scaling"]["max"] + 1) * (entry["connections"] + entry.get("requestConnections", 0))
               for entry in values["services"].values())
    assert f"hold {most} sessions" in refusal_in_words({"postgres.maxConnections": 10})
    pooled = most - (values["services"]["intake"]["scaling"]["max"] + 1) * 8 + values["postgres"]["pooler"]["connections"]
    assert f"hold {pooled} sessions" in refusal_in_words({"postgres.maxConnections": 10, "postgres.pooler.host": "p"})
    assert math.floor(0.8 * values["postgres"]["maxConnections"]) >= most
