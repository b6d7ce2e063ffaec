"""helm/esteira on k8s/: what the chart's pods mount is made there, and its policies know them."""
import re
import sys

import pytest

import chart
import judge

sys.path.insert(0, str(judge.ROOT / "k8s"))

import reach  # noqa: E402

VALUES = [name for name in chart.FILES if "production" in name]


COMPONENTS = ("seal-old", "seal-transit")
# ways to install it, by the components of k8s/ that they want
WAYS = {
    (): {"migrations.rolePasswordsSecret": "esteira-role-passwords"},
    ("seal-old",): {"seal.hasOldMaster": True},
    COMPONENTS: {"seal.mode": "transit", "seal.transit.url": "https://openbao.openbao.svc:8200", "seal.hasOldMaster": True},
}


def secrets_of(components, place):
    """(namespace, Secret) -> its keys."""
    return {(e["metadata"]["namespace"], e["spec"]["target"]["name"]): {row["secretKey"] for row in e["spec"]["data"]}
            for e in judge.documents(judge.with_components(components, place)) if e["kind"] == "ExternalSecret"}


def running(name, values=None):
    """Everything of a values file that has pods."""
    return {key: thing for key, thing in chart.objects(name, values).items() if key[0] in ("Deployment", "Job", "CronJob", "Pod")}


@pytest.mark.parametrize("components", WAYS, ids="+".join)
@pytest.mark.parametrize("name", VALUES)
def test_every_secret_is_made(name, components, tmp_path):
    made = secrets_of(components, tmp_path)
    for (kind, what), thing in running(name, WAYS[components]).items():
        for source, secret, key in chart.files(chart.pod(thing))[1].values() if kind != "Pod" else ():
            if source == "secret":
                assert key in made[thing["metadata"]["namespace"], secret], (what, secret, key)
    ingress = chart.objects(name)[("Ingress", "intake")]
    for tls in ingress["spec"]["tls"]:
        assert made[ingress["metadata"]["namespace"], tls["secretName"]] == {"tls.crt", "tls.key"}


@pytest.mark.parametrize("name", VALUES)
def test_policies_know_every_pod(name):
    """By the labels and the namespace that the table of who reaches whom has."""
    ends = {(end.namespace, tuple(sorted(end.labels.items()))) for end in reach.ENDS}
    for (kind, what), thing in running(name).items():
        made_of = thing["spec"]["jobTemplate"] if kind == "CronJob" else thing
        labels = (thing if kind == "Pod" else made_of["spec"]["template"])["metadata"]["labels"]
        assert any(namespace == thing["metadata"]["namespace"] and set(known) <= set(labels.items())
                   for namespace, known in ends if known), what


def nodes_for(cpus, each):
    """How many nodes that give away so much hold them: the largest first, each where there is room."""
    free = []
    for cpu in sorted(cpus, reverse=True):
        at = next((i for i, left in enumerate(free) if left >= cpu), None)
        if at is None:
            free.append(each - cpu)
        else:
            free[at] -= cpu
    return len(free)


def cores(text):
    """A quantity of CPU, in thousandths."""
    return int(text[:-1]) if text.endswith("m") else 1000 * int(text)


@pytest.mark.parametrize("name,column", (("values-production-100k.yaml", 0), ("values-production-1m.yaml", 1)))
def test_the_pages_pools_hold_them(name, column):
    """docs/kubernetes.md: nodes at the least of every service, and at the most with the one more that an upgrade brings; a node
    keeps 0.1 of a core for itself."""
    page = (judge.ROOT / "docs/kubernetes.md").read_text(encoding="utf-8")
    things = chart.objects(name)
    for pool, vcpu in (("api", 2), ("workers", 8)):
        row = re.search(rf"^\| {pool} \|.*\| {vcpu} vCPU[^|]*\| (.*) \| (.*) \|$", page, flags=re.M)
        for bound, said in zip(("min", "max"), row[1 + column].split(" to ")):
            wanted = []
            for (kind, what), thing in things.items():
                if kind == "Deployment" and chart.pod(thing)["nodeSelector"] == {"esteira.io/pool": pool}:
                    scaler = things.get(("ScaledObject", what)) or things[("HorizontalPodAutoscaler", what)]
                    replicas = scaler["spec"].get(f"{bound}ReplicaCount") or scaler["spec"][f"{bound}Replicas"]
                    replicas += bound == "max"
                    (container,) = chart.pod(thing)["containers"]
                    wanted += [cores(str(container["resources"]["requests"]["cpu"]))] * replicas
            assert nodes_for(wanted, 1000 * vcpu - 100) == int(said), (pool, bound)
