"""What the benches share: the machine by name, memory of a process, the load generator, judgement.

Not a bench itself.
"""
import json
import os
import subprocess
import sys
import threading

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
for _folder in ("tests/integration", "docker/local"):
    sys.path.insert(0, os.path.join(ROOT, _folder))


def name():
    """Processor, cores, memory, kernel: a figure without them says nothing."""
    model, total = "unknown processor", 0
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        for line in f:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    with open("/proc/meminfo", encoding="utf-8") as f:
        total = int(f.readline().split()[1]) / 1048576
    with open("/etc/os-release", encoding="utf-8") as f:
        system = dict(line.rstrip().split("=", 1) for line in f if "=" in line)
    return (f"{model}, {os.cpu_count()} cores, {total:.0f} GB, "
            f"{system.get('PRETTY_NAME', '').strip(chr(34))}, Linux {os.uname().release}")


class Verdict:
    """Prints each figure beside its limit and remembers whether all held."""

    def __init__(self):
        self.good = True
        print(f"machine: {name()}")

    def line(self, what, figure, least=None, most=None, unit=""):
        """One line; least and most are limits that must hold, or None."""
        holds = (least is None or figure >= least) and (most is None or figure <= most)
        limit = f"at least {least:g}" if least is not None else (
            f"at most {most:g}" if most is not None else "")
        self.good &= holds
        mark = "" if not limit else ("ok" if holds else "MISSED")
        print(f"{what:<46} {figure:9.2f} {unit:<5} {limit:<14} {mark}".rstrip(), flush=True)

    def exit(self):
        """0 if every limit held."""
        sys.exit(0 if self.good else 1)


def status_bytes(pid, field):
    """A size of /proc/PID/status."""
    with open(f"/proc/{pid}/status", encoding="utf-8") as f:
        for line in f:
            if line.startswith(field + ":"):
                return int(line.split()[1]) * 1024
    return 0


def private_bytes(pid):
    """Memory that is this process's alone: anonymous pages, and dirty private ones of files."""
    extra = 0
    try:
        with open(f"/proc/{pid}/smaps", encoding="utf-8") as f:
            dirty = 0
            for line in f:
                if line.startswith("Private_Dirty:"):
                    dirty = int(line.split()[1])
                elif line.startswith("Anonymous:"):
                    extra += max(0, dirty - int(line.split()[1]))
    except PermissionError:
        pass  # a process that hides from other users; what remains is its anonymous memory
    return status_bytes(pid, "RssAnon") + extra * 1024


class Peak:
    """The most private memory a process had inside the with block, looked at 20 times a second."""

    def __init__(self, pid):
        self.pid, self.bytes, self.over = pid, 0, threading.Event()
        self.thread = threading.Thread(target=self._look, daemon=True)

    def _look(self):
        while not self.over.is_set():
            self.bytes = max(self.bytes, private_bytes(self.pid))
            self.over.wait(0.05)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


def load_program():
    """tests/bench/load.c, compiled when it is newer than the program."""
    source = os.path.join(ROOT, "tests/bench/load.c")
    program = os.path.join(ROOT, "var/bench/load")
    os.makedirs(os.path.dirname(program), exist_ok=True)
    if not os.path.exists(program) or os.path.getmtime(program) < os.path.getmtime(source):
        subprocess.run(["cc", "-O2", "-std=gnu17", "-D_GNU_SOURCE", "-o", program, source],
                       check=True)
    return program


def load(port, connections, body_path, heads):
    """Send every head with that body; -> the generator's figures and the rate."""
    done = subprocess.run([load_program(), str(port), str(connections), body_path],
                          input="".join(heads).encode(), stdout=subprocess.PIPE, check=False)
    if done.returncode != 0:
        sys.exit(f"load: {done.stdout.decode()}")
    figures = json.loads(done.stdout)
    return {**figures, "rate": figures["requests"] / figures["seconds"]}
