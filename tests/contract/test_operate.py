"""docs/operate.md: every command it tells an operator to type exists, with every option; the arithmetic of its
capacity is right."""
import os
import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/operate.md").read_text(encoding="utf-8")
ESTCTL = pathlib.Path(os.environ.get("ESTEIRA_BIN_DIR", ROOT / "build/dev/bin")) / "estctl"
# estctl noun [verb] and what follows it on the line, up to the end of code
CALLS = sorted(set(re.findall(r"\bestctl ((?:[a-z]+)(?: [^`\n#;]*)?)", PAGE.replace("`estctl", "estctl"))))
DAY_S, CORES, PAGE_S, UPLOADS, HOOKS, RECORDS, ENTRIES = 28800, 4, 2.2, 363, 1000, 9101, 5


def help_of(*words):
    """What --help says of a command; an error when it is none."""
    done = subprocess.run([ESTCTL, *words, "--help"], capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else ""


def test_there_are_calls():
    nouns = {call.split()[0] for call in CALLS}
    assert {"topics", "acl", "groups", "replay", "dlq", "tenant", "key", "seal", "config", "plan"} <= nouns


@pytest.mark.parametrize("call", CALLS)
def test_estctl_knows_it(call):
    words = call.split()
    named = [word for word in words[:2] if re.fullmatch(r"[a-z-]+", word)]
    said = help_of(*named)
    assert re.search(rf"estctl {' '.join(named)}\b", said), said
    for option in re.findall(r"--[a-z-]+", call):
        assert re.search(rf"(?<!\S)\[?{option}\b", said), f"{option} of estctl {' '.join(named)}:\n{said}"


def test_scripts_and_faults_exist():
    scripts = set(re.findall(r"migrations/[\w.-]+\.sh", PAGE))
    assert scripts == {"migrations/backup.sh", "migrations/restore.sh"}
    for path in scripts:
        assert os.access(ROOT / path, os.X_OK), path
    faults = re.findall(r"\./dev chaos ([a-z-]+)", PAGE)
    known = subprocess.run(["/usr/bin/python3", ROOT / "tests/chaos/chaos.py", "--list"], check=True,
                           capture_output=True, text=True).stdout.split()
    assert faults and set(faults) <= set(known)
    for path in re.findall(r"`(values[\w.-]*\.yaml)`", PAGE):
        assert (ROOT / "helm/esteira" / path).exists(), path


def test_figures_are_the_measured_ones():
    measured = (ROOT / "docs/benchmarks.md").read_text(encoding="utf-8")
    pages = (ROOT / "docs/decisions/0007-ocr-zoom.md").read_text(encoding="utf-8")
    for figure in (f"({UPLOADS} against", "11,675/s", "1,141/s", "0.73 s", f"{RECORDS:,} to"):
        assert figure in measured, figure
    assert re.search(rf"dense A4.*\| {PAGE_S} s", pages)
    for figure in (f"{UPLOADS} uploads", "11,675 `POST", "1,141 was", "0.73 s", f"{RECORDS:,} records", f"{PAGE_S} s of a core"):
        assert figure in PAGE, figure


def close(said, right):
    """To the digits that are said."""
    digits = len(said.partition(".")[2])
    return abs(float(said) - right) <= 0.5 * 10 ** -digits + 1e-9


def test_capacity_adds_up():
    rows = re.findall(r"^\| ([\d,]{5,}) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|", PAGE, re.M)
    assert len(rows) == 4
    for day, rate, ocr, intake, outreach, audit in rows:
        second = int(day.replace(",", "")) / DAY_S
        wanted = ((rate, second), (ocr, second * PAGE_S / CORES), (intake, second / UPLOADS),
                  (outreach, second / HOOKS), (audit, second * ENTRIES / RECORDS))
        assert all(close(said, right) for said, right in wanted), (day, wanted)
