"""What judges charts and manifests: the programs of var/tools (./dev test builds them), and the schemas beside this."""
import json
import os
import pathlib
import subprocess

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOLS = ROOT / "var/tools/bin"
SCHEMAS = pathlib.Path(__file__).resolve().parent / "schemas"
KUBERNETES = "1.33.4"


def run(name, *arguments, text=None, codes=(0,)):
    """One of the programs; -> what it wrote."""
    done = subprocess.run([TOOLS / name, *map(str, arguments)], input=text, capture_output=True, text=True, check=False,
                          timeout=120)
    assert done.returncode in codes, f"{name} {arguments}: {done.returncode}\n{done.stdout[-4000:]}{done.stderr[-4000:]}"
    return done.stdout


def with_components(names, place):
    """k8s/base with some of k8s/components, as an overlay of an operator's has them, written into that folder; its YAML."""
    k8s = os.path.relpath(ROOT / "k8s", place.resolve())
    (place / "kustomization.yaml").write_text(yaml.safe_dump({
        "apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization", "resources": [f"{k8s}/base"],
        "components": [f"{k8s}/components/{name}" for name in names]}))
    return run("kustomize", "build", place)


def documents(text):
    """The objects of a stream of YAML."""
    return [doc for doc in yaml.safe_load_all(text) if doc]


def unfit(text):
    """What of a stream breaks its kind's schema, names an unknown member or is of a kind without a schema."""
    out = run("kubeconform", "-strict", "-output", "json", "-verbose", "-kubernetes-version", KUBERNETES,
              "-schema-location", f"{SCHEMAS}/{{{{.ResourceKind}}}}{{{{.KindSuffix}}}}.json", "-", text=text, codes=(0, 1))
    rows = json.loads(out)["resources"]
    assert len(rows) == len(documents(text)), "kubeconform has not seen every object"
    return [f"{row['kind']}/{row['name']}: {row['msg']} {row.get('validationErrors', '')}" for row in rows
            if row["status"] != "statusValid"]


def bad_practice(text, *leave_out):
    """What kube-score finds critical or worth a warning, as "Kind/name: check: what"."""
    out = run("kube-score", "score", "-o", "json", "--kubernetes-version", f"v{KUBERNETES.rsplit('.', 1)[0]}",
              *(word for check in leave_out for word in ("--ignore-test", check)), "-", text=text, codes=(0, 1))
    found = []
    for thing in json.loads(out) or ():
        for check in thing["checks"]:
            if not check["skipped"] and check["grade"] < 10:
                said = "; ".join(c["summary"] for c in check["comments"] or ())
                found.append(f"{thing['object_name']}: {check['check']['id']}: {said}")
    return found
