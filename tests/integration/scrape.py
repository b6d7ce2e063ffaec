"""A look at /metrics, and what docs/metrics.md says of them."""
import pathlib
import re
import urllib.request

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs/metrics.md"
SAMPLE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$")


def documented():
    """name -> (type, labels, what it says) of docs/metrics.md"""
    rows = re.findall(r"^\| `(\w+)` \| (counter|gauge|histogram) \| (.*?) ?\| (.*?) ?\|$", PAGE.read_text(encoding="utf-8"), re.M)
    assert len({name for name, *_ in rows}) == len(rows)
    return {name: (kind, set(re.findall(r"`(\w+)`", labels)), what) for name, kind, labels, what in rows}


class Scrape:
    """One look at /metrics."""

    def __init__(self, admin):
        with urllib.request.urlopen(admin + "/metrics", timeout=10) as got:
            text = got.read().decode()
        self.types = dict(re.findall(r"^# TYPE (\w+) (\w+)$", text, re.M))
        self.samples = []
        for line in text.splitlines():
            if not line.startswith("#"):
                name, labels, value = SAMPLE.match(line).groups()
                self.samples.append((name, dict(re.findall(r'(\w+)="(.*?)"', labels or "")),
                                     float(value)))

    def sum(self, name, **labels):
        """Of the samples with these labels; 0 when there are none."""
        return sum(value for n, found, value in self.samples
                   if n == name and labels.items() <= found.items())

    def family(self, sample):
        """The metric a sample belongs to."""
        cut = re.sub("_(bucket|sum|count)$", "", sample)
        return cut if self.types.get(cut) == "histogram" else sample

    def undocumented(self):
        """What is shown otherwise than docs/metrics.md says."""
        known = documented()
        for name, labels, _ in self.samples:
            family = self.family(name)
            kind, names, _ = known.get(family, (None, set(), ""))
            if self.types[family] != kind or set(labels) - {"le"} != names:
                yield name, labels
