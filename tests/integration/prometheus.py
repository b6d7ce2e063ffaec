"""A real Prometheus that scrapes services of a rig."""
import json
import os
import subprocess
import urllib.parse
import urllib.request

import yaml

import belt

from proc import hold_port, last_lines

EVERY = "1s"


class Prometheus:
    """Runs from entering to leaving; targets: job -> admin URLs; rules: files."""

    def __init__(self, folder, targets, rules):
        self.folder = folder
        os.makedirs(folder, exist_ok=True)
        self.log_path = os.path.join(folder, "log")
        with open(os.path.join(folder, "prometheus.yml"), "w", encoding="utf-8") as f:
            yaml.safe_dump({
                "global": {"scrape_interval": EVERY, "scrape_timeout": EVERY, "evaluation_interval": EVERY},
                "rule_files": [str(path) for path in rules],
                "scrape_configs": [{"job_name": job, "static_configs": [{"targets": [
                    urllib.parse.urlsplit(url).netloc for url in urls]}]} for job, urls in targets.items()]}, f)

    def __enter__(self):
        held = hold_port(set())
        self.url = "http://127.0.0.1:%d" % held.getsockname()[1]
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(  # pylint: disable=consider-using-with
                ["prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=data", "--log.level=warn",
                 "--web.listen-address=" + self.url.removeprefix("http://")],
                cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            belt.wait_for("Prometheus", self._is_ready, 30)
        except BaseException:
            self.__exit__()
            raise
        finally:
            held.close()
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _is_ready(self):
        assert self.process.poll() is None, last_lines(self.log_path)
        try:
            with urllib.request.urlopen(self.url + "/-/ready", timeout=5) as got:
                return got.status == 200
        except OSError:
            return False

    def get(self, path, **query):
        """Of its API: what is in data."""
        with urllib.request.urlopen(f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(query)}", timeout=30) as got:
            return json.load(got)["data"]

    def ask(self, expr):
        """The values of an expression, now; NaN is no answer."""
        values = [float(sample["value"][1]) for sample in self.get("query", query=expr)["result"]]
        return [value for value in values if value == value]  # pylint: disable=comparison-with-itself
