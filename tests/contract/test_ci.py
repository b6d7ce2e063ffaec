"""The workflow runs what a desk runs: ./dev and nothing else, in order, with actions by their hash."""
import pathlib
import re
import subprocess

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
FLOW = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))
JOBS = FLOW["jobs"]
STEPS = [(name, step) for name, job in JOBS.items() for step in job["steps"]]
RUNS = [(name, step["run"]) for name, step in STEPS if "run" in step]
USES = [step["uses"] for _, step in STEPS if "uses" in step]
APT = re.compile(r"apt-get update && apt-get upgrade -y && apt-get install -y --no-install-recommends [a-z -]+")


def dev_commands():
    """{command: what it may be followed by} of ./dev --help."""
    usage = subprocess.run([ROOT / "dev", "--help"], check=True, capture_output=True, text=True).stdout
    return {name for name in re.findall(r"^  ([a-z]+)(?= |$)", usage, re.M)}


def presets():
    """What ./dev build may build."""
    return set(re.findall(r'"name": "([a-z]+)"', (ROOT / "CMakePresets.json").read_text(encoding="utf-8")))


def test_the_order():
    assert list(JOBS) == ["lint", "test", "build", "scan"]
    assert [job.get("needs") for job in JOBS.values()] == [None, "lint", "test", "build"]


@pytest.mark.parametrize("job,run", RUNS, ids=[f"{job}: {run[:30]}" for job, run in RUNS])
def test_every_command_is_one_of_dev(job, run):
    words = run.split()
    if words[0] != "./dev":
        assert APT.fullmatch(run.strip()), f"{job}: {run}"
        return
    assert words[1] in dev_commands(), run
    if words[1] in ("build", "check"):
        assert words[2] in presets(), run


def test_nothing_that_continuous_integration_runs_is_left_out():
    """.ci/run is the same for who has another service."""
    own = re.findall(r'^run ".*" \d (\./dev .*)$', (ROOT / ".ci/run").read_text(encoding="utf-8"), re.M)
    assert len(own) >= 5
    assert set(own) <= {run for _, run in RUNS}


def test_actions_are_by_hash():
    assert USES
    assert [use for use in USES if not re.fullmatch(r"actions/checkout@[0-9a-f]{40}", use)] == []


def test_history_comes_along_and_no_right_to_write():
    assert FLOW["permissions"] == {"contents": "read"}
    for _, step in STEPS:
        if "uses" in step:
            assert step["with"] == {"fetch-depth": 0, "persist-credentials": False}
