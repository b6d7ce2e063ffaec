"""docs/traces.md shows every name a span may carry, as libshared/model/otlp_names.def has it."""
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
ROW = re.compile(r'^X\((\w+), "([^"]+)", (TEXT|INT), "(semconv|own)", "([^"]+)"\)$', re.M)
SHOWN = re.compile(r"^\| `([a-z0-9_.]+)` \| (text|number) \| (semconv|own) \| (.+) \|$", re.M)


def table():
    """name -> (type, whose, what)"""
    source = (ROOT / "libshared/model/otlp_names.def").read_text()
    rows = ROW.findall(source)
    assert len(rows) == source.count("\nX(") > 20
    return {name: ("text" if kind == "TEXT" else "number", whose, what) for _, name, kind, whose, what in rows}


def test_the_page_shows_the_table():
    shown = SHOWN.findall((ROOT / "docs/traces.md").read_text())
    assert {name: tuple(rest) for name, *rest in shown} == table()
    assert len(shown) == len(table())


def test_own_names_are_ours_and_no_others_are():
    for name, (_, whose, _) in table().items():
        assert name.startswith("esteira.") == (whose == "own"), name


def test_no_name_is_written_elsewhere():
    """A string that looks like an attribute in the sources of spans would go round the table."""
    names = "|".join(re.escape(name) for name in table())
    for folder in ("libshared", "services"):
        for path in (ROOT / folder).rglob("*.[ch]"):
            found = re.findall(rf'"({names})"', path.read_text())
            assert not found, f"{path.relative_to(ROOT)}: {found}"
