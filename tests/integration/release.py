"""The release before this one: the last commit before the newest migration, built from the history.

Nothing is kept in the tree for it: whoever adds a migration has an upgrade to test, from what was there before.
A checkout without that history (an archive, a shallow clone) has none: then a copy of this release stands in for it, one
process is replaced by another all the same, and no migration is in between.
"""
import os
import pathlib
import shutil
import subprocess
import tarfile
from typing import NamedTuple

import belt

import stamped
from servers import prepare_var

PLAN = "migrations/sqitch.plan"
PROGRAMS = ("esteira-intake", "esteira-ocr", "esteira-ocr-jail", "esteira-audit", "esteira-outreach", "estctl")


class Release(NamedTuple):
    """Where it is."""
    commit: str
    bin_dir: str
    migrations: str
    is_older: bool


class NoHistory(Exception):
    """git is not there, or does not reach that far."""


def git(*args):
    """What git says."""
    try:
        done = subprocess.run(["git", "-c", f"safe.directory={belt.ROOT}", *args], cwd=belt.ROOT, text=True,
                              capture_output=True, check=False)
    except FileNotFoundError as e:
        raise NoHistory("git is not installed") from e
    if done.returncode != 0:
        raise NoHistory(f"git {' '.join(args)}: {done.stderr.strip()}")
    return done.stdout.strip()


def before_the_newest_migration():
    """The commit."""
    if git("diff", "--name-only", "HEAD", "--", PLAN):
        return git("rev-parse", "HEAD")  # a migration that is not committed yet
    # where a shallow clone ends, a commit has no parent, and this says so
    return git("rev-parse", "--verify", git("log", "-1", "--format=%H", "--", PLAN) + "^")


def run(folder, *argv):
    """A step of the build."""
    done = subprocess.run(argv, cwd=folder, text=True, capture_output=True, check=False)
    assert done.returncode == 0, f"{' '.join(argv)}: {(done.stdout + done.stderr)[-4000:]}"


def build(commit, place):
    """Its programs, in place; an older release that was there is removed."""
    shutil.rmtree(place, ignore_errors=True)
    os.makedirs(place)
    archive = f"{place}.tar"
    git("archive", "-o", archive, commit)
    with tarfile.open(archive) as tar:
        tar.extractall(place)
    os.unlink(archive)
    run(place, "cmake", "--preset", "release", "-B", "build")
    run(place, "cmake", "--build", "build", "--target", *PROGRAMS)


def itself(bin_dir):
    """This release once more, at another place."""
    place = os.path.join(prepare_var(), "upgrade/itself")
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(bin_dir, place)
    return Release("HEAD", place, os.path.join(belt.ROOT, "migrations"), False)


def previous(bin_dir):
    """The Release; built if it is not there yet, which takes about half a minute on two cores. bin_dir: of this one."""
    try:
        commit = before_the_newest_migration()
    except NoHistory as e:
        print(f"no release before this one: {e}")
        return itself(bin_dir)
    home = pathlib.Path(prepare_var(), "upgrade")
    place = str(home / "release")
    stamped.make(home, commit, lambda: build(commit, place))
    return Release(commit, os.path.join(place, "build/bin"), os.path.join(place, "migrations"), True)
