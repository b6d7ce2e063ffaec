"""A look at /metrics."""
import re
import urllib.request

SAMPLE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$")


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
