"""What docs/generate.py, k8s/generate.py and helm/dashboards.py share: where the programs are, and files that are written or judged."""
import os
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent


def programs(arguments):
    """The folder with the programs: the argument that is no option, or where a build puts them."""
    folder = next((a for a in arguments if not a.startswith("-")), os.environ.get("ESTEIRA_BIN_DIR"))
    folders = [pathlib.Path(folder)] if folder else [ROOT / "build/release/bin", ROOT / "build/dev/bin"]
    for path in folders:
        if (path / "estctl").exists():
            return path
    sys.exit(f"no programs in {' or '.join(map(str, folders))}: ./dev build release")


def settle(wanted, arguments):
    """Write what is not as wanted (path -> text, or None for a file that must go), or with --check say so; -> exit code."""
    stale = [path for path, text in wanted.items() if (path.read_text(encoding="utf-8") if path.exists() else None) != text]
    for path in stale:
        if "--check" in arguments:
            print(f"{path.relative_to(ROOT)} is stale: {sys.argv[0]} writes it", file=sys.stderr)
        elif wanted[path] is None:
            path.unlink()
        else:
            path.write_text(wanted[path], encoding="utf-8")
            print(f"{path.relative_to(ROOT)} written")
    return 1 if "--check" in arguments and stale else 0
