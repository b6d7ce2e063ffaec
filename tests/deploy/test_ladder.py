"""The customer's ladder (lag under 10: 2; 10 to 100: 5 to 10; over 100: 20 to 50; never under 2), held against what each
ScaledObject answers for every lag from 0 to 10,000."""
import math

import pytest

import chart
from ladder import Formula, replicas

LAGS = range(10001)
MEASURED = {0: 2, 5: 2, 9: 2, 10: 5, 19: 6, 55: 8, 100: 10, 101: 21, 500: 34, 999: 50, 1000: 50, 5000: 50}
SCALED = [(name, service) for name in chart.PLANNED for service in ("ocr", "outreach", "audit")]
EVERY = pytest.mark.parametrize("name,service", SCALED)


def scaled(name, service, values=None):
    """The specification of a service's ScaledObject."""
    return chart.objects(name, values)[("ScaledObject", service)]["spec"]


def answers(spec, lags=LAGS):
    """{lag: what the formula comes to}, the lag being shared out over the triggers."""
    formula = Formula(spec["advanced"]["scalingModifiers"]["formula"])
    names = [trigger["name"] for trigger in spec["triggers"]]
    assert len(set(names)) == len(names)
    found = {}
    for lag in lags:
        part = lag // len(names)
        shares = dict.fromkeys(names, part) | {names[0]: lag - part * (len(names) - 1)}
        found[lag] = formula(**shares)
    return found


def band(lag, partitions):
    """(least, most) by the customer; every step but the first is scaled to the partitions."""
    scale = min(1, partitions / 50)
    if lag < 10:
        return 2, 2
    low, high = (5, 10) if lag <= 100 else (20, 50)
    return math.ceil(low * scale), math.ceil(high * scale)


@EVERY
def test_every_lag_is_in_its_band(name, service):
    spec = scaled(name, service)
    least, most = spec["minReplicaCount"], spec["maxReplicaCount"]
    last = 0
    for lag, value in answers(spec).items():
        count = replicas(value, 1000, least, most)
        low, high = band(lag, 60 if service == "ocr" else 12)
        assert min(max(low, least), most) <= count <= min(max(high, least), most), (lag, count)
        assert 2 <= count and last <= count, "more lag never means fewer"
        last = count
    assert last == most, "the top can be reached"


def test_ocr_is_what_was_measured():
    spec = scaled("values.yaml", "ocr")
    assert spec["advanced"]["scalingModifiers"]["formula"] == \
        "lag < 10 ? 2 : lag <= 100 ? 5 + (lag - 10) / 18 : 20 + (lag - 100) / 30"
    found = answers(spec, MEASURED)
    assert {lag: replicas(value, 2, 2, 50) for lag, value in found.items()} == MEASURED


def test_the_tolerance_misses_no_band():
    """From every count that can stand, every lag ends in its band: the HPA's ten per cent hide inside of one."""
    values = answers(scaled("values.yaml", "ocr"))
    standing = {replicas(value, 1000, 2, 50) for value in values.values()}
    assert min(standing) == 2 and max(standing) == 50
    for current in standing:
        for lag, value in values.items():
            low, high = band(lag, 60)
            assert low <= replicas(value, current, 2, 50) <= high, (current, lag)


@EVERY
def test_nothing_else_caps_or_lifts_it(name, service):
    spec = scaled(name, service)
    assert set(spec) == {"scaleTargetRef", "minReplicaCount", "maxReplicaCount", "pollingInterval", "advanced", "triggers"}
    assert spec["scaleTargetRef"] == {"name": f"esteira-{service}"} and spec["pollingInterval"] == 15
    assert set(spec["advanced"]) == {"scalingModifiers", "horizontalPodAutoscalerConfig"}
    modifiers = spec["advanced"]["scalingModifiers"]
    assert (modifiers["target"], modifiers["metricType"]) == ("1", "AverageValue")
    assert spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"] == {
        "scaleUp": {"stabilizationWindowSeconds": 0,
                    "policies": [{"type": "Pods", "value": spec["maxReplicaCount"], "periodSeconds": 15}]},
        "scaleDown": {"stabilizationWindowSeconds": 315,
                      "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}]}}
    topics = {"ocr": ["ocr.jobs"], "audit": ["audit.trail"], "outreach": ["intake.events", "outreach.commands"]}[service]
    assert [trigger["metadata"] for trigger in spec["triggers"]] == [
        {"bootstrapServers": "esteira-kafka-bootstrap.esteira-data.svc:9093", "consumerGroup": f"esteira.{service}",
         "topic": f"esteira.{topic}", "allowIdleConsumers": "true", "offsetResetPolicy": "earliest", "tls": "enable"}
        for topic in topics]
    assert all(set(trigger) == {"type", "name", "metadata", "authenticationRef"} for trigger in spec["triggers"])


def test_keda_shows_a_certificate_of_its_own():
    secrets = chart.objects()[("TriggerAuthentication", "ocr")]["spec"]["secretTargetRef"]
    assert {(entry["parameter"], entry["name"], entry["key"]) for entry in secrets} == {
        (parameter, "esteira-keda-kafka", f"kafka-{parameter}") for parameter in ("ca", "cert", "key")}
    scram = chart.objects("values.yaml", {"kafka.security": "sasl_ssl"})
    assert {entry["parameter"] for entry in scram[("TriggerAuthentication", "ocr")]["spec"]["secretTargetRef"]} == {
        "ca", "username", "password"}
    assert scram[("ScaledObject", "ocr")]["spec"]["triggers"][0]["metadata"]["sasl"] == "scram_sha512"
    plain = chart.objects("values.yaml", {"kafka.security": "plaintext"})
    assert ("TriggerAuthentication", "ocr") not in plain
    assert "tls" not in plain[("ScaledObject", "ocr")]["spec"]["triggers"][0]["metadata"]


def test_parked_records_are_no_lag():
    """Lag of the consumer's own topics alone: what is parked or dead is committed there, so nothing scales for it."""
    for service in ("ocr", "outreach", "audit"):
        for trigger in scaled("values.yaml", service)["triggers"]:
            assert trigger["type"] == "kafka" and not trigger["metadata"]["topic"].endswith(".dlq")


@pytest.mark.parametrize("partitions", (2, 12, 30, 50, 60, 200))
def test_other_numbers_of_partitions(partitions):
    most = min(50, partitions)
    spec = scaled("values.yaml", "ocr", {"kafka.ocrPartitions": partitions, "services.ocr.scaling.max": most})
    for lag, value in answers(spec, (0, 9, 10, 100, 101, 1000, 10000)).items():
        low, high = band(lag, partitions)
        assert max(2, low) <= replicas(value, 1000, 2, most) <= max(2, high), lag


@pytest.mark.parametrize("text", ("lag <", "lag ? 1", "lag + + 1", "1 2", "min(lag, 2)", "lag > 1 ? 2 : 3", "(lag", ""))
def test_what_the_evaluator_does_not_know_is_an_error(text):
    with pytest.raises((ValueError, KeyError)):
        Formula(text)(lag=1)
