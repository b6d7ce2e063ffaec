"""What is made once per content of what it is made of, in a folder under var/, with what registries have."""
import fcntl
import subprocess

from proc import StepError


def make(home, wanted, build):
    """Build what is in the folder home, unless its stamp says that it is made of this already; others wait meanwhile.

    wanted: a digest. -> True if it did.
    """
    home.mkdir(parents=True, exist_ok=True)
    with open(home / ".lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        mark = home / ".stamp"
        if mark.exists() and mark.read_text(encoding="ascii") == wanted:
            return False
        mark.unlink(missing_ok=True)
        build()
        mark.write_text(wanted, encoding="ascii")
        return True


def fetch(step, argv, remedy, **how):
    """Run a program up to three times: registries have bad moments."""
    for attempt in (1, 2, 3):
        done = subprocess.run(argv, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, **how)
        if done.returncode == 0:
            return
        if attempt == 3:
            lines = "\n".join((done.stdout + done.stderr).splitlines()[-15:])
            raise StepError(step, f"{' '.join(map(str, argv))}\n{lines}", remedy)
