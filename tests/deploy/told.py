"""What a program of the suite reads of its environment, as it says itself; for whoever tells it something."""
import os
import pathlib
import re
import subprocess

import judge

BIN = pathlib.Path(os.environ.get("ESTEIRA_BIN_DIR", judge.ROOT / "build/dev/bin"))


def settings(program):
    """name -> (is it a secret, its default), of the program's own table."""
    asked = ("config", "list", "--markdown") if program == "estctl" else ("--markdown",)
    rows = subprocess.run([BIN / program, *asked], capture_output=True, text=True, check=True).stdout
    found = re.findall(r"^\| `(\w+)`( or `_FILE`(?:, reread)?)? \| `(.*?)` \|", rows, re.M)
    assert len(found) == len(rows.splitlines()) > 5
    return {name: (bool(secret), default) for name, secret, default in found}
