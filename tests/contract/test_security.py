"""docs/security.md names a test for every item of OWASP ASVS 5.0.0 of levels 1 and 2, and each of them exists."""
import collections
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/security.md"

# section -> how many items of levels 1 and 2 it has; they come first in each section
ITEMS = {
    "1.1": 2, "1.2": 9, "1.3": 11, "1.4": 3, "1.5": 2, "2.1": 3, "2.2": 3, "2.3": 4, "2.4": 1, "3.2": 2, "3.3": 4, "3.4": 6,
    "3.5": 5, "3.7": 2, "4.1": 3, "4.2": 1, "4.3": 2, "4.4": 4, "5.1": 1, "5.2": 3, "5.3": 2, "5.4": 3, "6.1": 3, "6.2": 12,
    "6.3": 4, "6.4": 4, "6.5": 5, "6.6": 3, "6.8": 4, "7.1": 3, "7.2": 4, "7.3": 2, "7.4": 5, "7.5": 2, "7.6": 2, "8.1": 2,
    "8.2": 3, "8.3": 1, "8.4": 1, "9.1": 3, "9.2": 4, "10.1": 2, "10.2": 2, "10.3": 4, "10.4": 11, "10.5": 5, "10.6": 2,
    "10.7": 3, "11.1": 2, "11.2": 3, "11.3": 3, "11.4": 4, "11.5": 1, "11.6": 1, "12.1": 3, "12.2": 2, "12.3": 4, "13.1": 1,
    "13.2": 5, "13.3": 2, "13.4": 5, "14.1": 2, "14.2": 4, "14.3": 3, "15.1": 3, "15.2": 3, "15.3": 7, "16.1": 1, "16.2": 5,
    "16.3": 4, "16.4": 3, "16.5": 3, "17.1": 1, "17.2": 4, "17.3": 2,
}
LEVELS_1_AND_2 = 253
EXCUSES = ("not applicable: ", "not met: ", "not met yet: ", "not met to the letter: ")


def rows():
    """(items, how, test) of each row of the table."""
    text = PAGE.read_text(encoding="utf-8")
    found = re.findall(r"^\| (V\d+\.\d+\.\d+(?:, V[\d.]+)*) \| (.+?) \| (.+?) \|$", text, re.M)
    return [(items.split(", "), how, test) for items, how, test in found]


def exists(test):
    """Whether a test of that name is there."""
    if match := re.fullmatch(r"(test_\w+)::(test_\w+)", test):
        return any(re.search(rf"^def {match[2]}\(", path.read_text(encoding="utf-8"), re.M)
                   for path in (ROOT / "tests").glob(f"*/{match[1]}.py"))
    if match := re.fullmatch(r"unit/([\w/]+)::(\w+)", test):
        path = ROOT / f"tests/unit/{match[1]}.c"
        return path.is_file() and f"START_TEST({match[2]})" in path.read_text(encoding="utf-8")
    if match := re.fullmatch(r"fuzz/([\w-]+)", test):
        return any((ROOT / "tests/fuzz/corpus" / match[1]).iterdir())
    if match := re.fullmatch(r"lint/(\w+)", test):
        return any((ROOT / "tests/lint" / (match[1] + kind)).is_file() for kind in (".py", ".sh"))
    if match := re.fullmatch(r"pgtap/(\w+\.sql)", test):
        return (ROOT / "tests/integration/pgtap" / match[1]).is_file()
    return False


def test_no_item_is_left_out_and_none_is_there_twice():
    wanted = [f"V{section}.{number + 1}" for section, count in ITEMS.items() for number in range(count)]
    assert len(wanted) == LEVELS_1_AND_2
    counted = collections.Counter(item for items, _, _ in rows() for item in items)
    assert counted == collections.Counter(wanted), (counted - collections.Counter(wanted), set(wanted) - set(counted))


def test_each_item_has_a_test_that_exists_or_a_reason():
    for items, how, test in rows():
        names = re.findall(r"`([^`]+)`", test)
        pages = re.findall(r"\]\(([^)#]+)\)", test)
        if test == "-":
            assert how.startswith(EXCUSES), (items, how)
            continue
        assert (names or pages) and not how.startswith(EXCUSES), (items, test)
        assert not [name for name in names if not exists(name)], (items, test)
        assert all((PAGE.parent / page).exists() for page in pages), (items, pages)


@pytest.mark.parametrize("name", ["test_nowhere::test_x", "test_security::test_that_is_not_there", "fuzz-url", "lint/nothing",
                                  "unit/base/str_test::nothing", "unit/base/nothing::compares", "pgtap/nothing.sql"])
def test_a_test_that_is_not_there_is_found(name):
    assert not exists(name)


def test_every_fuzzer_has_a_row():
    text = PAGE.read_text(encoding="utf-8")
    names = sorted(path.name for path in (ROOT / "tests/fuzz/corpus").iterdir())
    assert [name for name in names if f"| {name} |" not in text] == []
