"""helm/esteira on k8s/: what the chart's pods mount is made there, and its policies know them."""
import sys

import pytest

import chart
import judge

sys.path.insert(0, str(judge.ROOT / "k8s"))

import reach  # noqa: E402

# Secrets that neither makes, and who does.
OTHERS = {"esteira-intake-tls": "whoever renews the certificate of the public port"}
VALUES = [name for name in chart.FILES if "production" in name]


@pytest.fixture(scope="module", name="made")
def make_made():
    """(namespace, Secret) -> its keys."""
    things = judge.documents(judge.run("kustomize", "build", judge.ROOT / "k8s/base"))
    return {(e["metadata"]["namespace"], e["spec"]["target"]["name"]): {row["secretKey"] for row in e["spec"]["data"]}
            for e in things if e["kind"] == "ExternalSecret"}


def running(name):
    """Everything of a values file that has pods."""
    return {key: thing for key, thing in chart.objects(name).items() if key[0] in ("Deployment", "Job", "Pod")}


@pytest.mark.parametrize("name", VALUES)
def test_every_secret_is_made(made, name):
    for (kind, what), thing in running(name).items():
        for source, secret, key in chart.files(chart.pod(thing))[1].values() if kind != "Pod" else ():
            if source == "secret" and secret not in OTHERS:
                assert key in made[thing["metadata"]["namespace"], secret], (what, secret, key)


@pytest.mark.parametrize("name", VALUES)
def test_policies_know_every_pod(name):
    """By the labels and the namespace that the table of who reaches whom has."""
    ends = {(end.namespace, tuple(sorted(end.labels.items()))) for end in reach.ENDS}
    for (kind, what), thing in running(name).items():
        labels = (thing if kind == "Pod" else thing["spec"]["template"])["metadata"]["labels"]
        assert any(namespace == thing["metadata"]["namespace"] and set(known) <= set(labels.items())
                   for namespace, known in ends if known), what
