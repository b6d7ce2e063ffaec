"""Who may reach whom: every pair of kinds of pods and every port, against a table written by hand."""
import copy
import pathlib
import re
import sys

import pytest
import yaml

import judge

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "k8s"))
# pylint: disable=wrong-import-position
import reach  # noqa: E402

RULES = reach.policies()
SERVICES = ("intake", "ocr", "audit", "outreach")
# Strimzi's brokers read their key stores there (KubernetesSecretConfigProvider), Grafana's sidecar the boards
ASK_KUBERNETES = ("kafka", "entity-operator", "prometheus", "grafana")
INTERNET = ("the internet", "the internet, IPv6")
# (from, to, ports); what is not here is forbidden. Workers: from monitoring to the admin port, to what they work with;
# outreach alone to the internet.
ALLOWED = (
    ("ingress-nginx", "intake", 8080), ("helm test", "intake", 8080),
    *(("prometheus", service, 9464) for service in SERVICES),
    *((service, "kafka", 9093) for service in (*SERVICES, "estctl", "keda-operator")),
    *((who, "postgresql", 5432) for who in (*SERVICES, "migrate", "estctl", "pgbouncer", "postgresql")),
    ("intake", "pgbouncer", 6432),
    *((who, what, port) for who in ("intake", "ocr") for what, port in (("redis", 6379), ("minio", 9000))),
    *((who, "openbao", 8200) for who in ("intake", "ocr", "outreach", "estctl")),
    *((service, "opentelemetry-collector", 4318) for service in SERVICES),
    *(("outreach", out, port) for out in INTERNET for port in (443, 8443)),
    *(("alertmanager", out, 443) for out in INTERNET),
    *(("kafka", "kafka", port) for port in (9090, 9091)), ("entity-operator", "kafka", 9091),
    *(("Strimzi's cluster-operator", "kafka", port) for port in (9090, 9091, 8443)),
    *((who, "the API server", port) for who in ASK_KUBERNETES for port in (443, 6443)),
    *((who, "a private network", 443) for who in ASK_KUBERNETES),
    ("minio", "minio", 9000),
    ("prometheus", "kafka", 9404), ("prometheus", "alertmanager", 9093), ("alertmanager", "alertmanager", 9094),
    ("grafana", "prometheus", 9090), ("grafana", "loki", 3100), ("grafana", "alertmanager", 9093), ("ingress-nginx", "grafana", 3000),
    ("promtail", "loki", 3100),
)


def is_ours(end):
    return end.namespace.startswith("esteira-")


def open_paths(rules):
    """What the policies allow but for names."""
    return {(a.title, b.title, port) for a, b, port, is_open in reach.paths(rules) if is_open and b.title != "kube-dns"}


def test_open_is_what_the_table_says_and_nothing_else():
    found = open_paths(RULES)
    assert found - set(ALLOWED) == set(), "open, and not in the table"
    assert set(ALLOWED) - found == set(), "in the table, and shut"


def test_the_table_means_much():
    """Far more is forbidden than allowed, and all kinds of ends are in it."""
    every = [(a, b, port) for a, b, port, _ in reach.paths([])]
    assert len(every) > 10 * len(ALLOWED)
    assert {end.title for end in reach.ENDS if is_ours(end) and not end.title.startswith("any")} <= {
        title for a, b, _ in ALLOWED for title in (a, b)}


def test_all_of_ours_ask_for_names():
    for source, target, _, is_open in reach.paths(RULES):
        if target.title == "kube-dns":
            assert is_open == is_ours(source)


@pytest.mark.parametrize("namespace", ("api", "workers", "data", "monitoring"))
def test_without_its_deny_a_namespace_is_open(namespace):
    """The evaluator knows that a pod nobody selects is open: the deny policies are needed, and seen."""
    rules = [p for p in RULES if p["metadata"]["namespace"] != f"esteira-{namespace}" or p["metadata"]["name"] not in (
        "deny", "dns")]
    new = open_paths(rules) - set(ALLOWED)
    assert (namespace == "workers") == any("any other pod of esteira-workers" in path for path in new)
    deny = [p for p in RULES if (p["metadata"]["namespace"], p["metadata"]["name"]) == (f"esteira-{namespace}", "deny")]
    assert deny[0]["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


WHOLE = {(a.title, b.title, port) for a, b, port, is_open in reach.paths(RULES) if is_open}


def mutants():
    """Each policy with each of its rules left out, and with each that names networks for all of them."""
    for i, policy in enumerate(RULES):
        for side, word in (("ingress", "from"), ("egress", "to")):
            for j, rule in enumerate(policy["spec"].get(side, ())):
                yield i, side, j, None
                if "ipBlock" in yaml.safe_dump(rule):
                    yield i, side, j, word


@pytest.mark.parametrize("i,side,j,word", mutants())
def test_every_rule_matters(i, side, j, word):
    """A rule less shuts a path; a way out to everywhere opens one."""
    rules = copy.deepcopy(RULES)
    changed = rules[i]["spec"][side]
    if word:
        del changed[j][word]
    else:
        del changed[j]
    found = {(a.title, b.title, port) for a, b, port, is_open in reach.paths(rules) if is_open}
    if not word:
        assert found < WHOLE, "this rule allows nothing"
    else:
        assert found > WHOLE, "what it excepts is not seen"


def test_what_the_evaluator_does_not_know_it_refuses():
    for part in ({"podSelector": {"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["b"]}]}}, {"pods": {}}):
        rules = RULES + [yaml.safe_load(yaml.safe_dump({
            "kind": "NetworkPolicy", "metadata": {"name": "x", "namespace": "esteira-api"},
            "spec": {"podSelector": {}, "policyTypes": ["Egress"], "egress": [{"to": [part], "ports": [
                {"protocol": "TCP", "port": 1}]}]}}))]
        with pytest.raises(ValueError, match="not understood"):
            open_paths(rules)


def refused_blocks():
    """The IPv4 networks that outreach refuses to call, out of its source."""
    text = (ROOT / "libshared/port/address.c").read_text(encoding="utf-8")
    rows = re.findall(r'\{ \{ ([\d, ]+) \}, (\d+), "', text[text.index("blocks_v4"):text.index("blocks_v6")])
    for row, bits in rows:
        numbers = [n.strip() for n in row.split(",")]
        yield f"{'.'.join(numbers + ['0'] * (4 - len(numbers)))}/{bits}"


def test_the_internet_is_what_outreach_means_by_it():
    outreach = [p for p in RULES if p["metadata"]["name"] == "outreach"][0]
    blocks = [peer["ipBlock"] for rule in outreach["spec"]["egress"] for peer in rule["to"] if "ipBlock" in peer]
    refused = set(refused_blocks()) - {"255.255.255.255/32"}  # within 240.0.0.0/4
    assert len(refused) == 18 and set(blocks[0]["except"]) == refused and blocks[0]["cidr"] == "0.0.0.0/0"
    assert blocks[1]["cidr"] == "2000::/3"  # all that is given out; the exceptions in it, widest first
    assert blocks[1]["except"] == ["2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20"]


def test_strimzi_lets_in_whom_we_let_in():
    """Its own policy would let everybody in to the listener, and policies add up."""
    kafka = [d for d in yaml.safe_load_all((ROOT / "k8s/base/kafka/cluster.yaml").read_text()) if d["kind"] == "Kafka"][0]
    listener, = kafka["spec"]["kafka"]["listeners"]
    ours = [p for p in RULES if p["metadata"]["name"] == "kafka"][0]
    rule, = [r for r in ours["spec"]["ingress"] if [p["port"] for p in r["ports"]] == [listener["port"]]]
    assert listener["networkPolicyPeers"] == rule["from"]


def test_what_is_applied_is_what_was_judged():
    applied = [d for d in judge.documents(judge.run("kustomize", "build", ROOT / "k8s/base")) if d["kind"] == "NetworkPolicy"]

    def by_name(rules):
        return {(p["metadata"]["namespace"], p["metadata"]["name"]): p["spec"] for p in rules}
    assert by_name(applied) == by_name(RULES)


def test_storage_outside_opens_a_way_for_two():
    rules = RULES + [
        d for d in yaml.safe_load_all((ROOT / "k8s/s3-outside/network.yaml").read_text())]
    storage = reach.End("storage", address="203.0.113.7")
    may = {end.title for end in reach.ENDS if is_ours(end) and reach.reaches(rules, end, storage, 443)}
    assert may == {"intake", "ocr"}
    assert open_paths(rules) == set(ALLOWED)


def test_traces_have_a_way_on_where_it_is_asked_for():
    """The collector's backend is not ours: a component names its network."""
    rules = RULES + [d for d in yaml.safe_load_all((ROOT / "k8s/components/traces/network.yaml").read_text())]
    backend = reach.End("backend", address="203.0.113.7")
    assert {end.title for end in reach.ENDS if is_ours(end) and reach.reaches(rules, end, backend, 443)} == {
        "opentelemetry-collector"}
    assert open_paths(rules) == set(ALLOWED)


def test_replicas_of_alertmanager_gossip_by_both_protocols():
    policy, = [p for p in RULES if p["metadata"]["name"] == "alertmanager"]
    for side in ("ingress", "egress"):
        assert {p["protocol"] for rule in policy["spec"][side] for p in rule["ports"] if p["port"] == 9094} == {"TCP", "UDP"}


def test_what_prometheus_may_reach_has_a_monitor():
    """The services' are the chart's; Kafka's, the one other that is made here, is here."""
    things = judge.documents(judge.run("kustomize", "build", ROOT / "k8s/base"))
    monitor, = [d for d in things if d["kind"] == "PodMonitor"]
    kafka, = [d for d in things if d["kind"] == "Kafka"]
    assert kafka["spec"]["kafka"]["metricsConfig"]["type"] == "strimziMetricsReporter"  # listens on 9404, tcp-prometheus
    assert [e["port"] for e in monitor["spec"]["podMetricsEndpoints"]] == ["tcp-prometheus"]
    space, labels = monitor["metadata"]["namespace"], monitor["spec"]["selector"]["matchLabels"]
    found = [end.title for end in reach.ENDS if end.namespace == space and reach.selects({"matchLabels": labels}, end.labels)]
    assert found == ["kafka"]
    in_cluster = {end.title for end in reach.ENDS if end.namespace}
    reached = {(where, port) for who, where, port in ALLOWED if who == "prometheus" and where in in_cluster}
    assert reached == {("kafka", 9404), ("alertmanager", 9093), *((service, 9464) for service in SERVICES)}
