"""What the compiler is really called with."""
import json
import os
import pathlib
import shlex
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


def test_format_security_is_an_error():
    """Was lost: gcc takes -Werror=format-security only beside -Wformat, so its probe failed."""
    folder = pathlib.Path(os.environ.get("ESTEIRA_BIN_DIR", ROOT / "build/dev/bin")).parent
    calls = json.loads((folder / "compile_commands.json").read_text(encoding="utf-8"))
    ours = [call for call in calls if call["file"].startswith(str(ROOT / "services"))]
    assert ours and all("-Werror=format-security" in call["command"] for call in ours)


@pytest.fixture(scope="module", name="release")
def configure_release(tmp_path_factory):
    """file -> the call of the compiler in a build that is shipped."""
    folder = tmp_path_factory.mktemp("release")
    subprocess.run(["cmake", "--preset", "release", "-B", folder], cwd=ROOT, check=True, capture_output=True)
    calls = json.loads((folder / "compile_commands.json").read_text(encoding="utf-8"))
    return {call["file"]: call for call in calls}


@pytest.mark.parametrize("word", ["sabotage", "failpoint"])
def test_a_release_has_no_trace_of_what_tests_break(release, word, tmp_path):
    """No definition on any call, and in no object of a file that names a switch is anything of it."""
    flag = f"ESTEIRA_{word.upper()}"
    assert not [file for file, call in release.items() if f"-D{flag}" in call["command"]]
    users = [file for file in release if file.startswith((str(ROOT / "services"), str(ROOT / "libshared")))
             and f"{word}_" in pathlib.Path(file).read_text(encoding="utf-8")]
    assert len(users) > 4
    for file in users:
        argv = shlex.split(release[file]["command"])
        argv[argv.index("-o") + 1] = str(tmp_path / "object.o")
        argv.insert(1, "-g0")  # debugging information names what was left out, too
        argv = [arg for arg in argv if arg != "-g"]
        subprocess.run(argv, cwd=release[file]["directory"], check=True, capture_output=True)
        compiled = (tmp_path / "object.o").read_bytes()
        assert f"{word}_".encode() not in compiled and flag.encode() not in compiled, file
