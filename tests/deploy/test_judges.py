"""The judges see what is wrong: what they pass would mean nothing otherwise."""
import copy

import pytest
import yaml

import judge

GOOD = {
    "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"},
    "spec": {"selector": {"matchLabels": {"app": "a"}}, "template": {
        "metadata": {"labels": {"app": "a"}},
        "spec": {"containers": [{"name": "a", "image": "a:1", "ports": [{"containerPort": 80}],
                                 "resources": {"limits": {"memory": "1Gi", "cpu": 1}}}]}}}}
SCALED = {"apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "metadata": {"name": "a"},
          "spec": {"scaleTargetRef": {"name": "a"}, "maxReplicaCount": 50,
                   "triggers": [{"type": "kafka", "name": "lag", "metadata": {"topic": "a"}}]}}
TOPIC = {"apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaTopic", "metadata": {"name": "a"},
         "spec": {"partitions": 12, "replicas": 3, "config": {"min.insync.replicas": 2}}}


def changed(good, path, value):
    """A copy with one member set."""
    made = node = copy.deepcopy(good)
    for step in path[:-1]:
        node = node[step]
    node[path[-1]] = value
    return yaml.safe_dump(made)


@pytest.mark.parametrize("good", (GOOD, SCALED, TOPIC), ids=lambda good: good["kind"])
def test_what_is_right_fits(good):
    assert judge.unfit(yaml.safe_dump(good)) == []


POD = ("spec", "template", "spec")


@pytest.mark.parametrize("good,path,value", (
    (GOOD, ("spec", "replica"), 2), (GOOD, ("spec", "replicas"), "two"), (GOOD, ("metadata", "label"), {}),
    (GOOD, ("apiVersion",), "apps/v1beta1"), (GOOD, (*POD, "containers", 0, "readOnlyRootFilesystem"), True),
    (GOOD, (*POD, "containers", 0, "ports", 0), {"name": "http"}), (GOOD, (*POD, "containers"), None),
    (SCALED, ("spec", "maxReplicas"), 50), (SCALED, ("spec", "triggers"), None), (SCALED, ("spec", "triggers", 0, "type"), 1),
    (TOPIC, ("spec", "partitions"), 0), (TOPIC, ("spec", "acls"), []), (TOPIC, ("kind",), "KafkaTopics")))
def test_what_is_wrong_does_not(good, path, value):
    assert judge.unfit(changed(good, path, value))


def test_bad_practice_is_seen():
    """The deployment above has no requests, no probes, no security context."""
    found = "\n".join(judge.bad_practice(yaml.safe_dump(GOOD)))
    for check in ("container-security-context-readonlyrootfilesystem", "pod-networkpolicy", "container-resources"):
        assert f": {check}: " in found, found
    assert ": pod-networkpolicy: " not in "\n".join(judge.bad_practice(yaml.safe_dump(GOOD), "pod-networkpolicy"))


def test_helm_and_kustomize_answer():
    assert judge.run("helm", "version", "--short").startswith("v3.")
    assert judge.run("kustomize", "version")
