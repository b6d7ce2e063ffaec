"""What the lints share: the tree's files, C code without comments, and the judgement with the allow-list.

A lint yields places ("path:line: what is wrong"). Lines of allow.txt excuse places:
lint | path | text the place contains | reason
An allowance that excuses nothing is itself a failure, so that the list does not rot.
"""
import os
import pathlib
import re
import sys

ROOT = pathlib.Path(os.environ.get("LINT_ROOT", pathlib.Path(__file__).parents[2]))
BUILD = ROOT / os.environ.get("LINT_BUILD", "build/dev")
SKIPPED = {".git", "build", "var", "__pycache__", ".pytest_cache"}
TOKEN = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def files(*suffixes, under=("",)):
    """Paths relative to the root, sorted."""
    found = []
    for top in under:
        for folder, folders, names in os.walk(ROOT / top):
            folders[:] = [name for name in folders if name not in SKIPPED]
            found += [os.path.relpath(os.path.join(folder, name), ROOT) for name in names]
    return sorted({path for path in found if path.endswith(suffixes)})


def sources(*suffixes):
    return files(*(suffixes or (".c", ".h")), under=("libshared", "services"))


def text(path):
    return (ROOT / path).read_text(encoding="utf-8", errors="replace")


def blank(piece):
    return re.sub(r"[^\n]", " ", piece)


def code(path):
    """The text with comments and the insides of literals blanked; lines keep their numbers."""
    def hide(match):
        token = match.group()
        if token.startswith("/"):
            return blank(token)
        return token[0] + blank(token[1:-1]) + token[-1]
    return TOKEN.sub(hide, text(path))


def strings(path):
    """(line, inside) of every string literal outside comments; neighbours are joined."""
    whole, last = text(path), None
    for match in TOKEN.finditer(whole):
        if not match.group().startswith('"'):
            continue
        if last and not whole[last[2]:match.start()].strip():
            last = (last[0], last[1] + match.group()[1:-1], match.end())
            continue
        if last:
            yield last[:2]
        last = (line_of(whole, match.start()), match.group()[1:-1], match.end())
    if last:
        yield last[:2]


def line_of(whole, offset):
    return whole.count("\n", 0, offset) + 1


def grep(path, pattern, why):
    """Places where the code matches; {} in why is the first group."""
    whole = code(path)
    for match in re.finditer(pattern, whole, re.M):
        yield f"{path}:{line_of(whole, match.start())}: {why.format(*match.groups())}"


def allowances(lint):
    listing = ROOT / "tests/lint/allow.txt"
    for line in listing.read_text().splitlines() if listing.exists() else []:
        parts = [part.strip() for part in line.split("|")]
        if line.startswith("#") or parts == [""]:
            continue
        if len(parts) != 4 or not all(parts):
            sys.exit(f"tests/lint/allow.txt: not 'lint | path | text | reason': {line}")
        if parts[0] == lint:
            yield parts


def judge(places, lint=None):
    """Ends the program: 1 when a place or an unused allowance is left."""
    lint = lint or pathlib.Path(sys.argv[0]).stem
    left, rules, used = [], list(allowances(lint)), set()
    for place in places:
        fits = [i for i, rule in enumerate(rules) if place.startswith(rule[1]) and rule[2] in place]
        used.update(fits)
        if not fits:
            left.append(place)
    left += [f"tests/lint/allow.txt: excuses nothing: {' | '.join(rule)}"
             for i, rule in enumerate(rules) if i not in used]
    print("\n".join(left))
    sys.exit(1 if left else 0)


if __name__ == "__main__":
    judge(line for line in sys.stdin.read().splitlines() if line.strip())
