"""A crash leaves nothing: worker, zygote, reader and recogniser are ended by SIGSEGV while a document
is in their hands, with a core pattern that is a file and with one that is a pipe."""
import os
import pathlib
import re
import signal
import stat
import subprocess

import pytest

import belt
import leaks
import rig

PATTERN = pathlib.Path("/proc/sys/kernel/core_pattern")
PLANTED = ("222.333.444-05", "queda.secreta@exemplo.com.br", "Hemograma da queda")
KINDS = ("file", "pipe")
PARTS = ("worker", "zygote", "reader", "recogniser")
READERS = ("pdfinfo", "pdftotext", "pdfimages", "pdftoppm")


@pytest.fixture(scope="module", name="plant")
def make_plant(samples):  # pylint: disable=unused-argument
    with rig.temporary(("alfa",)) as plant:
        yield plant


def can_set():
    """May this machine's core pattern be set here? It is the whole machine's."""
    return os.access(PATTERN, os.W_OK) and os.geteuid() == 0


@pytest.fixture(name="cores")
def make_cores(plant, request):
    """The folder where cores would come, by a file pattern or through a pipe; restored afterwards."""
    folder = pathlib.Path(plant.stack.path("run")) / f"cores-{request.param}"
    folder.mkdir(mode=0o777, exist_ok=True)
    folder.chmod(0o777)
    before = PATTERN.read_text(encoding="ascii") if can_set() else None
    try:
        if before is not None:
            PATTERN.write_text(pattern(folder, request.param), encoding="ascii")
        yield folder
    finally:
        if before is not None:
            PATTERN.write_text(before, encoding="ascii")


def pattern(folder, kind):
    """Short enough for the kernel's 127 bytes."""
    if kind == "file":
        text = f"{folder}/%e.%p"
    else:
        catcher = folder / "catch"
        catcher.write_text(f"#!/bin/sh\ncat > {folder}/$1.$2\n", encoding="ascii")
        catcher.chmod(0o755)
        text = f"|{catcher} %e %p"
    assert len(text) < 127, text
    return text


def left_in(folder):
    """Names of the cores that came."""
    return sorted(path.name for path in folder.iterdir() if path.name != "catch")


def name_of(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/comm").read_text(encoding="ascii").strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def children(pid):
    try:
        text = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    except (FileNotFoundError, ProcessLookupError):
        return []
    return [int(word) for word in text.split()]


def part_of(plant, part):
    """The pid of one that works now; None when there is none."""
    worker = plant.stack.pid("ocr-1")
    zygotes = [pid for thread in os.listdir(f"/proc/{worker}/task")
               for pid in children_of_thread(worker, thread) if name_of(pid) == "esteira-ocr-jai"]
    if part == "worker":
        return worker
    if part == "zygote":
        return zygotes[0] if zygotes else None
    for pid in (pid for zygote in zygotes for pid in children(zygote)):
        if (part == "reader") == (name_of(pid) in READERS) and name_of(pid):
            return pid
    return None


def children_of_thread(pid, thread):
    """A child belongs to the thread that made it."""
    try:
        text = pathlib.Path(f"/proc/{pid}/task/{thread}/children").read_text(encoding="ascii")
    except (FileNotFoundError, ProcessLookupError):
        return []
    return [int(word) for word in text.split()]


def hit(plant, part):
    """SIGSEGV to one of them; True when it was there to take it. What the kernel allows it is seen first."""
    pid = part_of(plant, part)
    if pid is None:
        return False
    try:
        os.kill(pid, signal.SIGSTOP)  # so that it cannot end before it crashes
        limits = pathlib.Path(f"/proc/{pid}/limits").read_text(encoding="ascii")
        owner = os.stat(f"/proc/{pid}/mem").st_uid
        os.kill(pid, signal.SIGSEGV)
        os.kill(pid, signal.SIGCONT)
    except (FileNotFoundError, ProcessLookupError):
        return False
    if name_of(pid):
        assert re.search(r"^Max core file size +1 +1 ", limits, re.M), (part, limits)
        # a reader is a stranger's program after its exec: it must open its own /proc/self/fd/0
        assert part == "reader" or owner == 0, (part, owner)
    return True


@pytest.mark.parametrize("cores", KINDS, indirect=True)
def test_a_core_would_come_here(cores):
    """The control: a process of this user that is not ours does leave one."""
    if not can_set():
        assert stat.S_ISREG(PATTERN.stat().st_mode)  # then the limits above are what is asserted
        return
    done = subprocess.run(["sh", "-c", "ulimit -c unlimited; kill -SEGV $$"], check=False,
                          cwd="/", capture_output=True)
    assert done.returncode == -signal.SIGSEGV
    belt.wait_for("a core", lambda: [name for name in left_in(cores) if (cores / name).stat().st_size], 20)
    for name in left_in(cores):
        (cores / name).unlink()


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("cores", KINDS, indirect=True)
def test_a_crash_leaves_nothing(plant, cores, part, tmp_path):
    client = plant.client()
    planted = client.send(belt.tiny_pdf(" ".join(PLANTED)))
    jobs = [client.send(belt.sample("contract-scan")) for _ in range(3)]
    belt.wait_for(f"a {part} that works", lambda: hit(plant, part), 60, 0.002)
    if part == "worker":
        belt.wait_for("its end", lambda: plant.stack.pid("ocr-1") is None)
        plant.stack.start_one("ocr-1")
    for job in [planted, *jobs]:
        job = client.ended(job, 120)
        # a reader or recogniser that crashes is the document's fault; the others cost only time
        assert job["status"] == "completed" or part in ("reader", "recogniser"), job
    assert left_in(cores) == []
    search = leaks.Search(PLANTED, tmp_path)
    assert search.leaks(plant.stack.dir, "content") == []
