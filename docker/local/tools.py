"""The programs that judge charts and manifests, built from pinned Go modules into var/tools.

tests/deploy/tools/*/go.mod name them and their versions, go.sum what their sources hash to; kube-score stands alone
because it does not compile with the newer libraries of the others. They want a newer Go than Debian 12 has; Debian's
own fetches that one as a module, which the checksum database vouches for. Nothing but the programs stays.
"""
import hashlib
import os
import pathlib
import shutil
import subprocess

import stamped
from proc import StepError
from servers import ROOT

MODULES = [pathlib.Path(ROOT, "tests/deploy/tools", name) for name in ("score", "helm")]
TOOLCHAIN = "golang.org/toolchain@v0.0.1-go1.26.8.linux-{arch}"
ARCHES = {"x86_64": "amd64", "aarch64": "arm64"}
REMEDY = "check the network and Go's environment (go env), then run again"


def folder():
    """Where the programs are."""
    return pathlib.Path(os.path.realpath(os.path.join(ROOT, "var")), "tools")


def stamp():
    """What the programs are made of."""
    made_of = hashlib.sha256(TOOLCHAIN.encode())
    for module in MODULES:
        for name in ("go.mod", "go.sum"):
            made_of.update((module / name).read_bytes())
    return made_of.hexdigest()


def environment(work):
    """Everything Go keeps is in one folder, and of this machine's settings only the registry's counts."""
    return {**os.environ, "GOPATH": str(work / "path"), "GOMODCACHE": str(work / "mod"), "GOCACHE": str(work / "cache"),
            "GOENV": "off", "GOWORK": "off", "GOTOOLCHAIN": "local", "GOFLAGS": "-modcacherw",
            "CGO_ENABLED": "0", **registry()}


def registry():
    """GOPROXY and the like, as this machine's Go has them."""
    names = ("GOPROXY", "GOSUMDB", "GONOSUMDB", "GONOPROXY", "GOPRIVATE")
    done = subprocess.run(["go", "env", *names], capture_output=True, text=True, check=False)
    return {k: v for k, v in zip(names, done.stdout.splitlines()) if v}


def toolchain(work, env):
    """The newer Go. As a module it is no program yet: two things are left to do, as its own successors do them."""
    stamped.fetch("go toolchain", ["go", "mod", "download", TOOLCHAIN.format(arch=ARCHES[os.uname().machine])], REMEDY,
                  env=env, cwd=work)
    root = next((work / "mod/golang.org").glob("toolchain@*"))
    if (root / "src/go.mod").exists():
        return root
    for place in ("bin", "pkg/tool"):
        subprocess.run(["chmod", "-R", "u+x", root / place], check=True)
    (root / "src/_go.mod").rename(root / "src/go.mod")
    return root


def build():
    """All programs of a module in one go: they share most of what they are made of."""
    home = folder()
    work = home / "work"  # what a build that failed has left is used again
    work.mkdir(exist_ok=True)
    env = environment(work)
    root = toolchain(work, env)
    env |= {"GOROOT": str(root)}
    for module in MODULES:
        stamped.fetch("go tools", [root / "bin/go", "build", "-mod=readonly", "-buildvcs=false", "-trimpath", "-ldflags=-s -w",
                                   "-o", f"{work}/bin/", "tool"], REMEDY, env=env, cwd=module)
    shutil.rmtree(home / "bin", ignore_errors=True)
    (work / "bin").rename(home / "bin")
    shutil.rmtree(work)


def install():
    """Make var/tools/bin, once per content of go.mod. -> True if it did."""
    if not shutil.which("go"):
        raise StepError("tools", "there is no go", "run ./dev packages")
    return stamped.make(folder(), stamp(), build)
