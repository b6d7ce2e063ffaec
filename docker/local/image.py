"""The suite's images, built without a container engine or a registry: docker/Dockerfile by buildah on a base by mmdebstrap.

All of it is in var/image: buildah's storage, and the files of each image in root/NAME, where in-image runs programs on
them. Wants root, or sudo.
"""
import hashlib
import json
import os
import pathlib
import subprocess

import stamped
from proc import StepError
from servers import ROOT

IMAGES = ("esteira-migrations", "esteira-ocr", "esteira")
SUITE = "trixie"
SOURCES = ("CMakeLists.txt", "CMakePresets.json", "cmake", "docker/Dockerfile", "docker/image", "libshared", "migrations",
           "schemas/openapi.yaml", "services")
IN_IMAGE = os.path.join(ROOT, "docker/local/in-image")
STORAGE_MAX_BYTES = 8 << 30
AS_ROOT = [] if os.geteuid() == 0 else ["sudo", "-n"]


def folder():
    """Where it all is."""
    return pathlib.Path(os.path.realpath(os.path.join(ROOT, "var")), "image")


def root_of(name):
    """The image's files."""
    return folder() / "root" / name


def run(step, *argv):
    """A step as root; -> what it said."""
    try:
        done = subprocess.run([*AS_ROOT, *map(str, argv)], cwd=ROOT, capture_output=True, text=True, check=False,
                              stdin=subprocess.DEVNULL)
    except FileNotFoundError as e:
        raise StepError(step, str(e), "./dev packages") from None
    if done.returncode != 0:
        raise StepError(step, "\n".join((done.stdout + done.stderr).splitlines()[-15:]), "check the network, then run again")
    return done.stdout.strip()


def command():
    """buildah on a storage of our own; what it mounts is gone with it, so that var/image can be removed."""
    return ["unshare", "--mount", "buildah", "--root", folder() / "storage", "--runroot", folder() / "run"]


def buildah(step, *argv):
    """-> what it said."""
    return run(step, *command(), *argv)


def stamp():
    """What the images are made of."""
    made_of = hashlib.sha256()
    for source in SOURCES:
        path = pathlib.Path(ROOT, source)
        for file in [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file() and p.suffix != ".pyc"):
            made_of.update(f"{file.relative_to(ROOT)} {file.stat().st_mode:o}\0".encode() + file.read_bytes())
    return made_of.hexdigest()


def base():
    """What FROM is here: a minimal Debian with the sources of this machine's mirror, made once."""
    if f"esteira-base-{SUITE}" in buildah("image base", "images", "--format", "{{.Name}}"):
        return
    tar = folder() / "base.tar"
    run("image base", "mmdebstrap", "--variant=minbase", SUITE, tar)
    container = buildah("image base", "from", "scratch")
    buildah("image base", "add", "--quiet", container, tar, "/")
    buildah("image base", "commit", "--quiet", "--rm", container, f"esteira-base-{SUITE}")
    run("image base", "rm", "-f", tar)


def revision_of():
    """The commit that is built; nobody knows it of an archive."""
    try:
        return run("revision", "git", "-c", f"safe.directory={ROOT}", "rev-parse", "HEAD")
    except StepError:
        return "unknown"


def build_one(name):
    """An image, a container of it for `buildah run`, and its files."""
    revision = revision_of()
    buildah(name, "bud", "--quiet", "--isolation", "chroot", "--layers", "--format", "docker", "--pull-never", "--build-arg",
            f"BASE=localhost/esteira-base-{SUITE}", "--build-arg", f"REVISION={revision}", "-f", "docker/Dockerfile",
            "--ignorefile", "docker/Dockerfile.dockerignore", "--target", name, "-t", name, ".")
    if name in buildah(name, "containers", "--format", "{{.ContainerName}}").split():
        buildah(name, "rm", name)
    buildah(name, "from", "--pull-never", "--name", name, f"localhost/{name}")
    run(name, "rm", "-rf", root_of(name))
    namespace, program = command()[:2], command()[2:]
    run(name, *namespace, "sh", "-euc", 'to=$1; shift; cp -a "$("$@" mount "$0")" "$to"; "$@" umount "$0"', name, root_of(name),
        *program)


def size(path):
    """Of a folder, in bytes, as it lies on the disk."""
    return int(run("du", "du", "-s", "-B1", path).split()[0]) if path.exists() else 0


def build_all():
    """The images, in the folder."""
    home = folder()
    if size(home / "storage") > STORAGE_MAX_BYTES:  # layers of sources that are no more
        buildah("image", "rm", "--all")
        buildah("image", "rmi", "--all", "--force")
    (home / "root").mkdir(exist_ok=True)
    base()
    for name in IMAGES:
        build_one(name)


def build():
    """All images, once per content. -> True if it did."""
    return stamped.make(folder(), stamp(), build_all)


def config(name):
    """What the image tells whoever runs it."""
    return json.loads(buildah(name, "inspect", "--type", "image", f"localhost/{name}"))["Docker"]["config"]


def once(name, *argv, env=None, within="-"):
    """Run a program on the image's files to its end; -> the finished process. within: a folder of the host it sees."""
    told = config(name)
    env = {**dict(word.split("=", 1) for word in told["Env"]), **(env or {})}
    words = [f"{key}={value}" for key, value in env.items()]
    return subprocess.run([*AS_ROOT, IN_IMAGE, root_of(name), told["User"], within, "/usr/bin/env", "-i",
                           f"--chdir={told['WorkingDir'] or '/'}", *words, *argv],
                          capture_output=True, text=True, check=False, timeout=120, stdin=subprocess.DEVNULL)


def by_buildah(name, *argv):
    """The same by `buildah run`, whose root is none that is read-only; -> its exit code, since it loses output at times."""
    return subprocess.run([*AS_ROOT, *command(), "run", "--isolation", "chroot", name, "--", *argv], cwd=ROOT,
                          capture_output=True, check=False, timeout=120, stdin=subprocess.DEVNULL).returncode
