"""Who reaches whom by the NetworkPolicies of k8s/base: docs/network.md is made of it, tests/deploy judges by it.

It knows what those policies use and ends with an error at anything else. As Kubernetes does: a pod that no policy
selects for a direction is open in it; else some rule of some policy must let the other side in or out; both sides
must agree.
"""
import ipaddress
import pathlib
from dataclasses import dataclass, field

import yaml

NETWORK = pathlib.Path(__file__).resolve().parent / "base/network"
NAME, STRIMZI = "app.kubernetes.io/name", "strimzi.io/name"
NAMESPACE = "kubernetes.io/metadata.name"


@dataclass(frozen=True)
class End:
    """One end of a path: a pod by namespace and labels, or an address outside of the cluster."""
    title: str
    namespace: str = ""
    labels: dict = field(default_factory=dict, hash=False)
    address: str = ""
    ports: tuple = ()  # what listens there


def pod(title, namespace, *ports, **labels):
    """A pod with the label that is its name, unless it has others."""
    return End(title, namespace, labels.get("labels") or {NAME: title, "app.kubernetes.io/part-of": "esteira"}, "", ports)


def strimzi(title, *ports):
    """A pod that Strimzi makes."""
    return pod(title, "esteira-data", *ports, labels={"strimzi.io/cluster": "esteira", STRIMZI: f"esteira-{title}"})


# Every kind of pod that there is, what listens in it, and what there is outside.
ENDS = (
    pod("intake", "esteira-api", 8080, 9464),
    pod("helm test", "esteira-api", labels={"app.kubernetes.io/part-of": "esteira", "app.kubernetes.io/component": "test"}),
    pod("ocr", "esteira-workers", 9464), pod("audit", "esteira-workers", 9464), pod("outreach", "esteira-workers", 9464),
    pod("migrate", "esteira-workers"), pod("estctl", "esteira-workers"),
    strimzi("kafka", 9090, 9091, 9093, 8443, 9404), strimzi("entity-operator", 8080, 8081),
    pod("postgresql", "esteira-data", 5432, 9187), pod("pgbouncer", "esteira-data", 6432, 9127),
    pod("redis", "esteira-data", 6379, 9121), pod("minio", "esteira-data", 9000, 9001),
    pod("prometheus", "esteira-monitoring", 9090), pod("alertmanager", "esteira-monitoring", 9093, 9094),
    pod("grafana", "esteira-monitoring", 3000), pod("loki", "esteira-monitoring", 3100),
    pod("opentelemetry-collector", "esteira-monitoring", 4318),
    pod("any other pod of esteira-workers", "esteira-workers", 80, labels={NAME: "stranger"}),
    pod("ingress-nginx", "ingress-nginx", 443), pod("keda-operator", "keda", 8080), pod("openbao", "openbao", 8200),
    pod("promtail", "logging"), pod("Strimzi's cluster-operator", "strimzi", labels={"strimzi.io/kind": "cluster-operator"}),
    pod("kube-dns", "kube-system", 53, labels={"k8s-app": "kube-dns"}),
    pod("any pod elsewhere", "default", 80, labels={NAME: "stranger"}),
    End("the API server", address="10.96.0.1", ports=(443, 6443)),
    End("the internet", address="8.8.8.8", ports=(80, 443, 5432, 8443, 9093)),
    End("the internet, IPv6", address="2001:4860:4860::8888", ports=(80, 443, 8443)),
    End("the cloud's metadata", address="169.254.169.254", ports=(80, 443)),
    End("a private network", address="192.168.7.7", ports=(80, 443, 5432)),
)


def policies(folder=NETWORK):
    """All NetworkPolicies of a folder."""
    return [doc for path in sorted(folder.glob("*.yaml")) for doc in yaml.safe_load_all(path.read_text(encoding="utf-8"))]


def known(node, *names):
    """Nothing here is passed over in silence."""
    if set(node) - set(names):
        raise ValueError(f"{sorted(set(node) - set(names))} is not understood")


def selects(selector, labels):
    """A label selector and labels."""
    known(selector, "matchLabels", "matchExpressions")
    if any(labels.get(k) != v for k, v in selector.get("matchLabels", {}).items()):
        return False
    for expression in selector.get("matchExpressions", ()):
        if expression["operator"] != "In":
            raise ValueError(f"{expression['operator']} is not understood")
        if labels.get(expression["key"]) not in expression["values"]:
            return False
    return True


def is_in_block(block, end):
    """An address and a block; what a block says of pods is up to the network's plugin, so it says nothing."""
    known(block, "cidr", "except")
    if not end.address:
        return False
    address = ipaddress.ip_address(end.address)

    def inside(cidr):
        network = ipaddress.ip_network(cidr)
        return address.version == network.version and address in network
    return inside(block["cidr"]) and not any(inside(cidr) for cidr in block.get("except", ()))


def is_peer(peer, end, namespace):
    """Does a peer of a policy in that namespace mean this end?"""
    known(peer, "namespaceSelector", "podSelector", "ipBlock")
    if "ipBlock" in peer:
        return is_in_block(peer["ipBlock"], end)
    if not end.namespace:
        return False
    if "namespaceSelector" in peer:
        if not selects(peer["namespaceSelector"], {NAMESPACE: end.namespace}):
            return False
    elif end.namespace != namespace:
        return False
    return selects(peer.get("podSelector", {}), end.labels)


def is_open(rules, side, here, there, port):
    """May this end deal with that one in this direction?"""
    word = "to" if side == "Egress" else "from"
    about = [p for p in rules if p["metadata"]["namespace"] == here.namespace and side in p["spec"]["policyTypes"]
             and selects(p["spec"]["podSelector"], here.labels)]
    if not about:
        return True
    for policy in about:
        for rule in policy["spec"].get(side.lower(), ()):
            known(rule, word, "ports")
            if (word not in rule or any(is_peer(peer, there, here.namespace) for peer in rule[word])) and \
                    any(p["port"] == port for p in rule["ports"] if p["protocol"] in ("TCP", "UDP")):
                return True
    return False


def reaches(rules, source, target, port):
    """May a connection be made from here to that port there?"""
    return is_open(rules, "Egress", source, target, port) and is_open(rules, "Ingress", target, source, port)


def paths(rules):
    """Every (source, target, port) with one end among ours, and whether it is open."""
    for source in ENDS:
        for target in ENDS:
            if any(end.namespace.startswith("esteira-") for end in (source, target)):
                for port in target.ports:
                    yield source, target, port, reaches(rules, source, target, port)
