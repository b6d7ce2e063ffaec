"""Processes of a local stack: start, recognise and end them without a supervisor.

A process is named by its pid and its start time together, so a recycled pid is never taken for
one of ours and never killed. Every process leads a session of its own; ending it ends its
descendants and whatever is left of that session, so no child outlives a stack.
"""
import os
import pwd
import random
import signal
import socket
import subprocess
import time
from typing import NamedTuple

USER = "esteira"
LOG_LIMIT_BYTES = 8 << 20


class StepError(Exception):
    """A step that failed: its name, why, and what the reader can do about it."""

    def __init__(self, step, reason, remedy):
        super().__init__(f"{step}: {reason}")
        self.step, self.reason, self.remedy = step, reason, remedy


class Stat(NamedTuple):
    """What /proc/PID/stat says and we need."""
    dead: bool  # a zombie; not one whose other threads still run (a JVM on its way out)
    parent: int
    session: int
    start: int  # in clock ticks since boot


def stat(pid):
    """The Stat of a process, or None."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as f:
            fields = f.read().rpartition(")")[2].split()
    except OSError:
        return None
    dead = fields[0] in "ZX" and int(fields[17]) <= 1
    return Stat(dead, int(fields[1]), int(fields[3]), int(fields[19]))


def alive(pid, start):
    """Is this still the process that was started then? A zombie is dead."""
    now = stat(pid)
    return now is not None and not now.dead and now.start == start


def family(pid, start):
    """(pid, start) of the living descendants of a process of ours and of its session's members.

    Both, because Postgres gives every backend its own session, and an orphan loses its parent.
    """
    leader = stat(pid)
    if leader is not None and leader.start != start:
        return []  # the pid belongs to somebody else now, so nothing of the old session is left
    table = {int(e): s for e in os.listdir("/proc") if e.isdigit() and (s := stat(e))}
    wanted, grown = {pid}, True
    while grown:
        more = {p for p, s in table.items() if s.parent in wanted or s.session == pid}
        grown = not more <= wanted
        wanted |= more
    return [(p, table[p].start) for p in wanted - {pid}
            if not table[p].dead and table[p].start >= start]


def marked(*marks):
    """(pid, start) of the living processes whose environment has all these NAME=value.

    Finds a daemon that left both its parent and its session.
    """
    wanted, found = {mark.encode() for mark in marks}, []
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (now := stat(int(entry))) and not now.dead:
            try:
                with open(f"/proc/{entry}/environ", "rb") as f:
                    if wanted <= set(f.read().split(b"\0")):
                        found.append((int(entry), now.start))
            except OSError:
                pass  # gone, or of another user and so not ours
    return found


def send(pid, start, signum):
    """Signal a process if it is still the one meant."""
    if alive(pid, start):
        try:
            os.kill(pid, signum)
        except ProcessLookupError:
            pass


def wait_gone(pid, start, timeout_s, reap=None):
    """Wait for a process to be gone; reap is our Popen of it, if it is our child."""
    deadline = time.monotonic() + timeout_s
    while True:
        if reap is not None:
            reap.poll()
        if not alive(pid, start):
            if reap is not None:
                reap.poll()
            return True
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)


def end(pid, start, signum=signal.SIGTERM, timeout_s=20.0, reap=None):
    """Ask the process to end, then kill it and what is left of its family."""
    rest = family(pid, start)
    if alive(pid, start):
        send(pid, start, signum)
        if not wait_gone(pid, start, timeout_s, reap):
            send(pid, start, signal.SIGKILL)
            wait_gone(pid, start, 5.0, reap)
    for member, member_start in set(rest) | set(family(pid, start)):
        send(member, member_start, signal.SIGKILL)
        wait_gone(member, member_start, 5.0)


def service_user():
    """The account servers and services run as: never root. Root makes it once."""
    if os.geteuid() != 0:
        return pwd.getpwuid(os.geteuid())
    try:
        return pwd.getpwnam(USER)
    except KeyError:
        pass
    done = subprocess.run(
        ["useradd", "--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent",
         "--shell", "/usr/sbin/nologin", USER], capture_output=True, text=True, check=False)
    if done.returncode not in (0, 9):  # 9: somebody else made it meanwhile
        raise StepError("user", done.stderr.strip(), f"create the system user {USER} by hand")
    return pwd.getpwnam(USER)


def run_as(user):
    """Popen arguments that drop root to that account; nothing when we are not root, or there is no account."""
    if os.geteuid() != 0 or user is None:
        return {}
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def reachable(user, path):
    """Can that account read this path? Asked of the kernel, as that account."""
    return subprocess.run(["test", "-r", path], check=False, cwd="/", **run_as(user)).returncode == 0


def start(argv, user, env, cwd, log_path):
    """Start a process in a session of its own; answers the Popen."""
    try:
        if os.path.getsize(log_path) > LOG_LIMIT_BYTES:
            os.truncate(log_path, 0)
    except FileNotFoundError:
        pass
    fd = os.open(log_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    try:
        return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=fd, stderr=fd, env=env,
                                cwd=cwd, start_new_session=True, umask=0o077, **run_as(user))
    finally:
        os.close(fd)


def last_lines(path, count=12):
    """The end of a log file, for an error message."""
    try:
        with open(path, "rb") as f:
            f.seek(max(0, os.path.getsize(path) - 1024 * count))
            lines = f.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return ""
    return "\n".join("    " + line[:300] for line in lines[-count:])


def port_free(port):
    """Could a server listen on this loopback port now? Asked without listening: a child that is being started meanwhile
    would have a copy of that, and nobody could listen until it is another program."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def hold_port(taken):
    """A free loopback port below the ephemeral range, so no outgoing connection can grab it; none of taken.

    -> a socket that is bound to it and does not listen: as long as it is open no other stack gets the
    port, and a server that sets SO_REUSEADDR can listen on it.
    """
    for _ in range(1000):
        port = random.SystemRandom().randrange(18000, 32000)
        if port in taken:
            continue
        s = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            s.bind(("127.0.0.1", port))  # without SO_REUSEADDR, which would let two of us have it
        except OSError:
            s.close()
            continue
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return s
    raise StepError("ports", "no free loopback port between 18000 and 32000", "end other stacks")
