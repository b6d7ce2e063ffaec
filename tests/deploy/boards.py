"""What the tests of boards and alerts share: the generator, the rules, and what docs/metrics.md says."""
import importlib.util
import pathlib
import re

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
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
    text = (ROOT / "docs/metrics.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (counter|gauge|histogram) \| (.*?) ?\|", text, re.M)
    known = {name: set(re.findall(r"`(\w+)`", labels)) for name, _, labels in rows}
    known.update({f"{name}_{part}": known[name] for name, kind, _ in rows if kind == "histogram"
                  for part in ("bucket", "sum", "count")})
    return {**known, "up": set()}


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
