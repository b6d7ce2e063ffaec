"""What the tests of boards and alerts share: the generator, the rules, and what docs/metrics.md says."""
import importlib.util
import pathlib
import re
import sys

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/integration"))
from scrape import documented  # noqa: E402  pylint: disable=wrong-import-position

RULES = ROOT / "helm/esteira/files/rules"
ADDED = {"job", "instance", "le"}  # by Prometheus, and by histograms


def generator():
    """helm/dashboards.py as a module."""
    spec = importlib.util.spec_from_file_location("dashboards", ROOT / "helm/dashboards.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def described():
    """name -> set of labels, of every metric of docs/metrics.md; up is Prometheus' own."""
    known = {"up": set()}
    for name, (kind, labels, _) in documented().items():
        known[name] = labels
        if kind == "histogram":
            known.update({f"{name}_{part}": labels for part in ("bucket", "sum", "count")})
    return known


def metrics_of(expr):
    """The metrics that an expression names."""
    return set(re.findall(r"\b(?:esteira|process)_\w+|\bup\b", re.sub(r'"[^"]*"', "", expr)))


def labels_of(expr):
    """The labels that an expression groups or selects by."""
    grouped = [name for inside in re.findall(r"\bby \(([^)]*)\)", expr) for name in re.split(r",\s*", inside)]
    return set(grouped) | set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"", expr))


def alerts():
    """Every alert of every file."""
    for path in sorted(RULES.glob("*.yaml")):
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]:
            yield from group["rules"]


def misnamed(expr, known):
    """Metrics and labels of an expression that nothing describes."""
    metrics = metrics_of(expr)
    labels = set().union(ADDED, *(known.get(name, set()) for name in metrics))
    return (metrics - set(known)) | (labels_of(expr) - labels)
