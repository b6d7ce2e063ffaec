#!/usr/bin/env python3
"""clang-tidy with .clang-tidy over every source that was built: functions of at most 60 lines, 5 parameters,
3 nested blocks, cognitive complexity 15, and checks for faults. Clean files are remembered by a hash of all
they depend on (var/lint), so a second run takes a second. Versions other than 14 judge the limits alone."""
import concurrent.futures
import hashlib
import json
import os
import re
import subprocess

from lintlib import BUILD, ROOT, judge

# What gcc was told and clang does not know.
GCC_ONLY = ("-Wtrampolines", "-Wbidi-chars=any", "-ftrivial-auto-var-init=zero", "-fzero-init-padding-bits=all",
            "-fstrict-flex-arrays=3")
LIMITS = "-*,readability-function-size,readability-function-cognitive-complexity"
PLACE = re.compile(r"^(?:%s/)?(\S+?:\d+):\d+: (?:warning|error): (.*)$" % re.escape(str(ROOT.resolve())))
NOTE = re.compile(r"^\S+:(\d+):\d+: note: (.*)$")
CACHE = ROOT / "var/lint"


def version():
    text = subprocess.run(["clang-tidy", "--version"], capture_output=True, text=True, check=True).stdout
    return re.search(r"version (\d+)[\d.]*", text).group()


def commands():
    """source -> how it was compiled, for sources that still exist."""
    database = BUILD / "compile_commands.json"
    entries = json.loads(database.read_text()) if database.exists() else []
    for entry in entries:
        entry["command"] = " ".join(w for w in entry["command"].split(" ") if w not in GCC_ONLY)
    if entries:
        (CACHE / "db").mkdir(parents=True, exist_ok=True)
        (CACHE / "db/compile_commands.json").write_text(json.dumps(entries))
    for entry in entries:
        path = os.path.relpath(entry["file"], ROOT.resolve())
        if path.startswith(("libshared/", "services/")) and (ROOT / path).exists():
            yield path, entry["command"]


def depends(path, seen):
    """The file and every header of ours that it reaches."""
    if path in seen or not (ROOT / path).exists():
        return
    seen.add(path)
    folders = [os.path.dirname(path), "libshared"] + ["/".join(path.split("/")[:2])]
    for name in re.findall(r'^\s*#\s*include\s+"([^"]+)"', (ROOT / path).read_text(), re.M):
        for folder in folders:
            depends(os.path.normpath(os.path.join(folder, name)), seen)


def key_of(path, command, judged_by):
    seen = set()
    depends(path, seen)
    whole = hashlib.sha256((command + judged_by + (ROOT / ".clang-tidy").read_text()).encode())
    for name in sorted(seen):
        whole.update(name.encode() + b"\0" + (ROOT / name).read_bytes() + b"\0")
    return whole.hexdigest()


def describe(output):
    """Places; what a limit was exceeded by stands in the notes after them."""
    for line in output.splitlines():
        place, note = PLACE.match(line), NOTE.match(line)
        if place:
            yield f"{place.group(1)}: {place.group(2)}"
        elif note and re.search(r"\d+ (lines|parameters)|nesting level", note.group(2)):
            yield f"  {note.group(2)}"


def joined(lines):
    whole = []
    for line in lines:
        if line.startswith("  ") and whole:
            whole[-1] += ";" + line[1:]
        else:
            whole.append(line)
    return whole


def tidy(path, key, judged_by):
    known = CACHE / key
    if known.exists():
        return known.read_text().splitlines()
    limits = [] if " 14" in judged_by else [f"--checks={LIMITS}"]
    done = subprocess.run(["clang-tidy", "-p", str(CACHE / "db"), "--quiet", *limits, path],
                          cwd=ROOT, capture_output=True, text=True, check=False)
    places = joined(describe(done.stdout))
    if done.returncode != 0 and not places:
        return [f"{path}: clang-tidy failed: {(done.stderr or done.stdout)[-300:]}"]
    CACHE.mkdir(parents=True, exist_ok=True)
    known.write_text("\n".join(places))
    return places


def main():
    judged_by, found = version(), dict(commands())
    if not found:
        return [f"{BUILD}: no compile_commands.json there; run cmake first"]
    keys = {path: key_of(path, command, judged_by) for path, command in found.items()}
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        lists = list(pool.map(lambda path: tidy(path, keys[path], judged_by), sorted(keys)))
    for old in CACHE.iterdir() if CACHE.exists() else []:
        if old.name != "db" and old.name not in keys.values():
            old.unlink()
    return dict.fromkeys(place for places in lists for place in places)


judge(main())
