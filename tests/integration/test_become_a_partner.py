"""docs/become-a-partner.md is run as it stands: every ```sh block in order, in one shell, in a folder that looks
like the tree after ./dev up, without --secure. What a block prints is compared with the ```text block behind it."""
import os
import pathlib
import re
import signal
import subprocess
import uuid
from typing import NamedTuple

import pytest

import belt

import cli  # belt.py put docker/local on the path
from stack import Stack

PAGE = pathlib.Path(belt.ROOT) / "docs/become-a-partner.md"
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.S | re.M)
PLACE = re.compile(r"<([a-z_]+)>")
WHOLE_S = 240


class Step(NamedTuple):
    """A block of commands, and what it prints; None: anything."""
    command: str
    prints: str


def steps_of(page):
    """The steps of a page. Other blocks are none that a reader could follow."""
    steps, before = [], None
    for kind, text in FENCE.findall(page):
        if kind == "sh":
            steps.append(Step(text, None))
        else:
            assert (kind, before) == ("text", "sh"), text
            steps[-1] = steps[-1]._replace(prints=text)
        before = kind
    return steps


def play(steps, folder, timeout_s=WHOLE_S):
    """What each step prints, in one shell; AssertionError with the step that failed."""
    mark, script, log = f"--- {uuid.uuid4()} ---\n", folder / "steps.sh", folder / "steps.log"
    script.write_text("".join(f"{step.command}\nprintf '%s' '{mark}'\n" for step in steps), encoding="utf-8")
    env = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": str(folder)}
    with open(log, "wb") as out, subprocess.Popen(
            ["bash", "-euo", "pipefail", script], cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=out,
            stderr=subprocess.STDOUT, start_new_session=True) as shell:
        try:
            code = shell.wait(timeout_s)
        except subprocess.TimeoutExpired:
            code = f"none after {timeout_s} s"
            os.killpg(shell.pid, signal.SIGKILL)
    printed = log.read_text(encoding="utf-8").split(mark)
    assert code == 0 and len(printed) == len(steps) + 1, \
        f"exit {code}:\n{steps[min(len(printed), len(steps)) - 1].command}\nprinted:\n{printed[-1]}"
    return printed[:-1]


def pattern_of(text, known):
    """A block with <places> and lines of ... as a regular expression."""
    seen = set()

    def place(match):
        name = match.group(1)
        if name in known:
            return re.escape(known[name])
        if name in seen:
            return f"(?P={name})"
        seen.add(name)
        return rf"(?P<{name}>[^\s,\"]+)"

    return "".join("(?:.*\n)*?" if line == "..." else PLACE.sub(place, re.escape(line)) + "\n"
                   for line in text.splitlines())


def compare(steps, printed):
    """Each step printed what the page says; a <place> is the same everywhere."""
    known = {}
    for step, text in zip(steps, printed):
        if step.prints is not None:
            found = re.fullmatch(pattern_of(step.prints, known), text.rstrip("\n") + "\n")
            assert found, f"{step.command}\nprints:\n{text}\nand not:\n{step.prints}\n{known}"
            known.update(found.groupdict())
    return known


class Plant(NamedTuple):
    """A stack, and a folder that looks like the tree."""
    stack: Stack
    folder: pathlib.Path


@pytest.fixture(scope="module", name="plant")
def make_plant(tmp_path_factory):
    """As ./dev up leaves it."""
    folder = tmp_path_factory.mktemp("tree")
    with Stack.temporary(secure=False) as stack, pytest.MonkeyPatch.context() as patch:
        for slug, name in cli.TENANTS:
            stack.tenant(slug, name)
        cli.start_services(stack)
        for path in ("var", "build/release"):
            (folder / path).mkdir(parents=True)
        (folder / "build/release/bin").symlink_to(stack.bin_dir)
        patch.setattr(cli, "ROOT", str(folder))
        cli.write_env(stack)
        yield Plant(stack, folder)


def test_the_page_works(plant):
    steps = steps_of(PAGE.read_text(encoding="utf-8"))
    printed = play(steps, plant.folder)
    known = compare(steps, printed)
    assert str(uuid.UUID(known["id"])) == known["id"]
    tenants = plant.stack.psql("SELECT tenant_id FROM intake.tenants WHERE slug = 'demo-a'")
    assert known["tenant"] == tenants.strip()
    for word in ("ce_type", "cloudevents+json", "partner.acme.dlq", "/v1/events\"", "/v1/events/$id"):
        assert any(word in step.command for step in steps), word


# --- the test itself ---

GOOD = "```sh\nx=1\necho a $x\n```\n```text\na <n>\n```\nthen\n```sh\necho b; echo 2; echo $x\n```\n```text\n...\n<n>\n```\n"


def test_a_page_is_followed(tmp_path):
    steps = steps_of(GOOD)
    assert compare(steps, play(steps, tmp_path)) == {"n": "1"}


@pytest.mark.parametrize("old,new", [
    ("echo a $x", "echo a $x; false"), ("echo a $x", "false | cat; echo a $x"), ("echo a $x", "echo a $y"),
    ("echo a $x", "no-such-program; echo a $x"), ("echo a $x", "exit 0"), ("echo a $x", "sleep 60"),
    ("echo a $x", "echo A $x"), ("echo a $x", "echo a"), ("echo $x", "echo 3"), ("```sh\nx=1", "```\nx=1")])
def test_a_page_that_does_not_work_is_found(tmp_path, old, new):
    with pytest.raises(AssertionError):
        steps = steps_of(GOOD.replace(old, new, 1))
        compare(steps, play(steps, tmp_path, 2))
