"""Runs the fuzzers of build/fuzz: `./dev fuzz [NAME...] [--seconds N] [--merge]`, two at a time.

Each begins with its corpus in the tree and what earlier runs have found, which is kept in
var/fuzz/NAME/corpus; an input that fails is kept beside it as failed-*. One row a fuzzer, as
docs/security.md has them, then "N passed, N failed".
"""
import argparse
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys
import time
from typing import NamedTuple

ROOT = pathlib.Path(__file__).resolve().parents[2]
TESTS = ROOT / "build/fuzz/tests"
CORPUS = ROOT / "tests/fuzz/corpus"
KEPT = ROOT / "var/fuzz"
AT_ONCE = 2
INPUT_S = 25  # longer on one input is a failure
INPUT_MB = 2048
MERGED_BYTES = 256  # inputs for the tree are small
GRACE_S = 120  # to load the corpus and to write the end
HEAD = ("| fuzzer | seconds | executions | edges | features | failures |\n"
        "|---|---|---|---|---|---|")


class Outcome(NamedTuple):
    """What a run of one fuzzer came to."""
    name: str
    seconds: int
    executions: int
    edges: int
    features: int
    failures: list
    code: int

    def row(self):
        """As docs/security.md has it."""
        return (f"| {self.name} | {self.seconds:,} | {self.executions:,} | {self.edges:,} | "
                f"{self.features:,} | {', '.join(self.failures) or 'none'} |")

    def good(self):
        """It ran to its end and nothing failed."""
        return self.code == 0 and not self.failures and self.executions > 0


def known():
    """Every fuzzer there is."""
    return sorted(path.name.removeprefix("fuzz-") for path in TESTS.glob("fuzz-*"))


def command(name, *extra):
    """A call of a fuzzer with our limits."""
    folder = KEPT / name
    (folder / "corpus").mkdir(parents=True, exist_ok=True)
    return [str(TESTS / f"fuzz-{name}"), f"-timeout={INPUT_S}", f"-rss_limit_mb={INPUT_MB}",
            f"-artifact_prefix={folder}/failed-", *extra]


def number(pattern, text):
    """The last number that pattern finds, 0 for none."""
    found = re.findall(pattern, text)
    return int(found[-1]) if found else 0


def run(name, seconds):
    """Fuzz for that long; the whole output is in var/fuzz/NAME/log."""
    folder, began = KEPT / name, time.monotonic()
    before = set(folder.glob("failed-*"))
    argv = command(name, f"-max_total_time={seconds}", "-print_final_stats=1",
                   str(folder / "corpus"), str(CORPUS / name))
    with open(folder / "log", "w", encoding="utf-8") as log:
        try:
            code = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False,
                                  timeout=seconds + GRACE_S).returncode
        except subprocess.TimeoutExpired:
            code = -1
    text = (folder / "log").read_text(encoding="utf-8", errors="replace")
    failures = sorted(str(path.relative_to(ROOT)) for path in set(folder.glob("failed-*")) - before)
    return Outcome(name, int(time.monotonic() - began),
                   number(r"stat::number_of_executed_units:\s+(\d+)", text),
                   number(r"\bcov: (\d+)", text), number(r"\bft: (\d+)", text), failures, code)


def merge(name):
    """What reaches something that the tree's corpus does not, into the tree."""
    subprocess.run(command(name, "-set_cover_merge=1", f"-max_len={MERGED_BYTES}", str(CORPUS / name),
                           str(KEPT / name / "corpus")), check=True, capture_output=True)


def main():
    """-> exit code."""
    parser = argparse.ArgumentParser(prog="./dev fuzz", description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="all when none is given")
    parser.add_argument("--seconds", type=int, default=60, help="for each (60)")
    parser.add_argument("--merge", action="store_true", help="then add what was found to the tree's corpus")
    args = parser.parse_args()
    everyone = known()
    names = args.names or everyone
    if unknown := sorted(set(names) - set(everyone)):
        print(f"no fuzzer {', '.join(unknown)}; there are: {', '.join(everyone)}", file=sys.stderr)
        return 2
    print(HEAD, flush=True)
    outcomes = []
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        for outcome in pool.map(lambda name: run(name, args.seconds), names):
            print(outcome.row(), flush=True)
            outcomes.append(outcome)
    for outcome in outcomes:
        if not outcome.good():
            print(f"{outcome.name}: exit {outcome.code}, see var/fuzz/{outcome.name}/log", file=sys.stderr)
        elif args.merge:
            merge(outcome.name)
    passed = sum(outcome.good() for outcome in outcomes)
    print(f"{passed} passed, {len(outcomes) - passed} failed")
    return 0 if passed == len(outcomes) and passed else 1


if __name__ == "__main__":
    os.environ.setdefault("ASAN_OPTIONS", "allocator_may_return_null=1")
    sys.exit(main())
