"""The pages against the tree: generated pages are fresh, links and anchors lead somewhere, the commands they
name exist, both READMEs say the same."""
import os
import pathlib
import re
import subprocess
import sys

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
SKIPPED = {".git", "build", "var"}


def pages():
    """Every Markdown page of the tree."""
    for folder, folders, files in os.walk(ROOT):
        folders[:] = [name for name in folders if name not in SKIPPED]
        yield from (pathlib.Path(folder, name) for name in files if name.endswith(".md"))


PAGES = sorted(pages())
NAMES = [str(path.relative_to(ROOT)) for path in PAGES]
FENCE = re.compile(r"^```.*?^```", re.S | re.M)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
COMMAND = re.compile(r"\./dev ([a-z]+)(?: ([a-z0-9]+))?")


def text(path):
    return path.read_text(encoding="utf-8")


def anchors(path):
    """What a heading is called in a link: lower case, words joined by dashes, punctuation gone."""
    headings = re.findall(r"^#+ +(.+)$", FENCE.sub("", text(path)), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def commands():
    """The commands and presets that ./dev --help lists."""
    usage = subprocess.run([ROOT / "dev", "--help"], check=True, capture_output=True, text=True).stdout
    return set(re.findall(r"^  ([a-z]+)(?= |$)", usage, re.M))


def test_there_are_pages():
    assert {"README.md", "README.pt-BR.md", "ARCHITECTURE.md", "CONTRIBUTING.md",
            "docs/README.md", "docs/errors.md", "docs/configuration.md"} <= set(NAMES)
    assert "Apache License" in text(ROOT / "LICENSE")


def test_generated_pages_are_fresh():
    folder = os.environ.get("ESTEIRA_BIN_DIR", str(ROOT / "build/dev/bin"))
    run = subprocess.run([sys.executable, ROOT / "docs/generate.py", "--check", folder],
                         capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize("path", PAGES, ids=NAMES)
def test_links_lead_somewhere(path):
    for target in LINK.findall(FENCE.sub("", text(path))):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        there = (path.parent / file).resolve() if file else path
        assert there.exists(), target
        if anchor and there.suffix == ".md":
            assert anchor in anchors(there), target


@pytest.mark.parametrize("path", PAGES, ids=NAMES)
def test_commands_exist(path):
    known = commands()
    for command, argument in COMMAND.findall(text(path)):
        assert command in known, f"./dev {command}"
        if command == "bench" and argument:
            assert (ROOT / f"tests/bench/{argument}.py").exists(), f"./dev bench {argument}"


def test_every_page_is_in_the_index():
    index = text(ROOT / "docs/README.md")
    linked = {(ROOT / "docs" / target.partition("#")[0]).resolve() for target in LINK.findall(index)}
    mine = [path for path in PAGES if path.parent.name in ("docs", "decisions")
             or path.parent.parent.name == "services"]
    assert [str(p) for p in mine if p not in linked and p.name != "README.md"] == []
    assert [str(p) for p in (ROOT / "services").glob("*/README.md") if p not in linked] == []


def test_decisions_have_their_parts():
    for path in (ROOT / "docs/decisions").glob("[0-9]*.md"):
        assert {"context", "decision", "consequence"} <= anchors(path), path.name


def test_both_readmes_say_the_same():
    english, portuguese = text(ROOT / "README.md"), text(ROOT / "README.pt-BR.md")
    for pattern in (r"\./dev [a-z]+", r"curl .*", r"^ +\w+ -- .*?--[>-] \w+", r"https?:\S+"):
        a, b = (re.findall(pattern, page, re.M) for page in (english, portuguese))
        assert len(a) == len(b), pattern
        if "--" not in pattern:
            assert a == b
    assert len(re.findall(r"^## ", english, re.M)) == len(re.findall(r"^## ", portuguese, re.M))


def test_the_readme_calls_what_is_served():
    contract = yaml.safe_load(text(ROOT / "schemas/openapi.yaml"))
    served = {re.sub(r"\{\w+\}", "JOB_ID", path) for path in contract["paths"]}
    called = set(re.findall(r"\$ESTEIRA_URL(/[\w./]*)", text(ROOT / "README.md")))
    assert len(called) >= 5
    assert called <= served
