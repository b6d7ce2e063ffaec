"""./dev says what there is: names of logs in its advice, second instances in its status."""
import pathlib
import shutil
import subprocess
import sys
from types import SimpleNamespace

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "docker/local"))
# pylint: disable=wrong-import-position
import cli  # noqa: E402


def logs(home, *args):
    """./dev logs in a tree of its own."""
    return subprocess.run(["bash", str(home / "dev"), "logs", *args], capture_output=True, text=True,
                          check=False)


@pytest.fixture(name="home")
def make_home(tmp_path):
    """A tree with ./dev and the logs of two services, one of them twice."""
    shutil.copy(ROOT / "dev", tmp_path)
    folder = tmp_path / "var/dev/log"
    folder.mkdir(parents=True)
    for name in ("kafka", "intake-1", "ocr-1", "ocr-2"):
        (folder / f"{name}.log").write_text(f"of {name}\n", encoding="ascii")
    return tmp_path


@pytest.mark.parametrize("args", [("nosuch",), ()])
def test_logs_of_nobody(home, args):
    """Was advised: ./intake-1.log ./kafka.log ..., which are no names."""
    said = logs(home, *args)
    assert said.returncode == 1 and said.stdout == ""
    assert said.stderr.endswith("./dev logs NAME with one of: intake kafka ocr ocr-2\n"), said.stderr


@pytest.mark.parametrize("name,log", [("kafka", "kafka"), ("ocr", "ocr-1"), ("ocr-2", "ocr-2")])
def test_logs_by_every_name(home, name, log):
    assert logs(home, name).stdout == f"of {log}\n"


def test_logs_before_the_first_start(home):
    shutil.rmtree(home / "var")
    assert "./dev up" in logs(home, "intake").stderr


def test_status_lists_second_instances(monkeypatch, capsys):
    """Found in review: ocr-2 ran, or did not, unseen."""
    first = [*cli.SERVERS, *(f"{name}-1" for name in cli.SERVICES)]
    running = {name: 100 for name in [*first, "ocr-2"]}
    stack = SimpleNamespace(state={"procs": {**running, "ocr-3": None}}, ports={},
                            pid=lambda name: running.get(name))
    monkeypatch.setattr(cli, "dev_stack", lambda: stack)
    monkeypatch.setattr(cli, "server_health", lambda *_: "ready")
    monkeypatch.setattr(cli, "service_health", lambda *_: "ready")
    assert cli.cmd_status([]) == 1
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [line[0] for line in lines] == [*first, "ocr-2", "ocr-3"]
    assert [line[-1] for line in lines] == ["ready"] * (len(lines) - 1) + ["down"]
