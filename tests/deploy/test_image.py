"""docker/Dockerfile: what its images weigh, what is in them and what is not, and that the suite works on nothing else."""
import hashlib
import json
import os
import pathlib
import re
import stat
import subprocess
import sys

import jsonschema
import pytest

import judge

for _folder in ("docker/local", "tests/integration"):
    sys.path.insert(0, str(judge.ROOT / _folder))
# pylint: disable=wrong-import-position
import belt  # noqa: E402
import image  # noqa: E402
import rig  # noqa: E402
from stack import Stack  # noqa: E402

MB = 10 ** 6
LIMITS = {"esteira": 100 * MB, "esteira-ocr": 190 * MB, "esteira-migrations": 180 * MB}
SUITE = ("intake", "outreach", "audit")
COMPILERS = re.compile(r"(.*-)?(cc|gcc|g\+\+|c\+\+|clang|tcc|ld|as|go|rustc|make|cmake|cc1|collect2|lto1)(-[\d.]+)?")
EVERY = pytest.mark.parametrize("name", image.IMAGES)


@pytest.fixture(scope="module", name="built", autouse=True)
def make_built():
    """The images are those of this tree."""
    image.build()


def files(name):
    """(path in the image, its lstat)."""
    root = image.root_of(name)
    found = [(path.relative_to(root), path.lstat()) for path in root.rglob("*")]
    assert len(found) > 500
    return found


def once(name, *argv, **how):
    """What a program says on the image's files, as its user, on a root that is read-only."""
    done = image.once(name, *argv, **how)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@EVERY
def test_size(name):
    found = {entry.st_ino: entry.st_size for _, entry in files(name) if stat.S_ISREG(entry.st_mode)}
    assert LIMITS[name] / 4 < sum(found.values()) < LIMITS[name]
    assert image.size(image.root_of(name)) < LIMITS[name], "and as it lies on the disk"


@EVERY
def test_nobody_is_root(name):
    told = image.config(name)
    assert told["User"] == "10001:10001"
    assert once(name, "id", "-u", "-n").strip() == "esteira"
    assert "Read-only file system" in image.once(name, "touch", "/tmp/x").stderr


@EVERY
def test_nothing_gives_rights_builds_programs_or_packages(name):
    programs = {path: entry for path, entry in files(name) if not stat.S_ISDIR(entry.st_mode) and entry.st_mode & 0o111}
    assert [path for path, entry in programs.items() if entry.st_mode & (stat.S_ISUID | stat.S_ISGID)] == []
    assert [path for path in programs if COMPILERS.fullmatch(path.name)] == []
    names = {path.name for path in programs if "bin" in path.parts}
    assert names & {"apt", "apt-get", "dpkg", "su", "sudo", "mount", "curl", "wget", "gpg"} == set() and len(names) > 50
    assert name == "esteira-migrations" or not names & {"perl", "python3", "awk"}


@EVERY
def test_nothing_can_be_written_but_what_is_made_for_it(name):
    """By user 10001, were the root not read-only."""
    open_to_all = {str(path) for path, entry in files(name)
                   if not stat.S_ISLNK(entry.st_mode) and (entry.st_mode & 0o002 or entry.st_uid != 0)}
    assert open_to_all <= {"tmp", "var/tmp", "run/lock"}


@EVERY
def test_every_library_is_there(name):
    """Of each program and of each library, as the loader sees it."""
    shell = "bash" if "migrations" not in name else "sh"
    listing = once(name, shell, "-c", "for f in /usr/bin/* /usr/lib/*-linux-gnu/*.so* /usr/lib/*-linux-gnu/perl5/5.*/auto/DBD/Pg/Pg.so; "
                   "do LD_TRACE_LOADED_OBJECTS=1 /lib64/ld-linux-x86-64.so.2 $f 2>/dev/null; done; true")
    assert listing.count("libc.so.6 => /") > 30
    assert [line for line in listing.splitlines() if "not found" in line] == []


@EVERY
def test_labels(name):
    told = {key.rpartition(".")[2]: value for key, value in image.config(name)["Labels"].items() if key.startswith("org.opencontainers.")}
    version = re.search(r"project\(esteira VERSION ([\d.]+)", (judge.ROOT / "CMakeLists.txt").read_text(encoding="utf-8"))[1]
    assert re.fullmatch(r"[0-9a-f]{40}", told.pop("revision")) and len(told.pop("description")) > 20
    assert told == {"title": name, "licenses": "Apache-2.0", "version": version}


@EVERY
def test_sbom(name):
    root = image.root_of(name)
    told = json.loads((root / "usr/share/esteira/sbom.spdx.json").read_text(encoding="utf-8"))
    schema = json.loads((judge.SCHEMAS / "spdx-2.3.json").read_text(encoding="utf-8"))
    jsonschema.Draft201909Validator(schema).validate(told)
    versions = {package["name"]: package["versionInfo"] for package in told["packages"]}
    wanted = {"esteira": ("librdkafka1", "libllhttp9.2"), "esteira-ocr": ("librdkafka1", "libtesseract5", "poppler-utils", "tesseract-ocr-por"),
              "esteira-migrations": ("sqitch", "libdbd-pg-perl", "libpq5")}[name]
    assert set(wanted) < set(versions) and "gcc" not in versions
    known = dict(re.findall(r"^Package: (\S+)$.*?^Version: (\S+)$", (root / "var/lib/dpkg/status").read_text(encoding="utf-8"), re.M | re.S))
    assert versions == {**known, "esteira": versions["esteira"]}, "scanners read dpkg's own list"
    assert {package for package in known if not (root / f"usr/share/doc/{package}/copyright").exists()} == set()
    contained = {row["relatedSpdxElement"] for row in told["relationships"] if row["relationshipType"] == "CONTAINS"}
    assert contained == {package["SPDXID"] for package in told["packages"]} - {"SPDXRef-image"}


@pytest.mark.parametrize("name,programs", (("esteira", SUITE), ("esteira-ocr", (*SUITE, "ocr"))))
def test_the_argument_is_the_program(name, programs):
    assert not image.config(name).get("Entrypoint")
    for program in programs:
        assert once(name, program, "--version") == once(name, f"esteira-{program}", "--version")
        assert re.fullmatch(rf"esteira-{program} [\d.]+\n", once(name, program, "--version"))
        assert f"usage: esteira-{program} " in once(name, program, "--help")
    assert once(name, "estctl", "--version").startswith("estctl ")
    assert "usage: estctl" in once(name, *image.config(name)["Cmd"])
    for run in (image.by_buildah, lambda *words: image.once(*words).returncode):
        assert run(name, "intake", "--version") == 0
        assert (run(name, "ocr", "--version") == 0) == ("ocr" in programs)


def test_values_name_the_images():
    values = (judge.ROOT / "helm/esteira/values.yaml").read_text(encoding="utf-8")
    assert {"esteira", *re.findall(r"image: \{repository: ([\w-]+)", values)} == set(image.IMAGES)


# --- the whole of it ---

@pytest.fixture(scope="module", name="plant")
def make_plant(built):  # pylint: disable=unused-argument
    """A stack that the migrations image has deployed and that the suite's image runs on."""
    with Stack.temporary(deploy=False, image=image.root_of("esteira-ocr")) as stack:
        plant = rig.Rig(stack)
        plant.migrated = migrate(stack)
        stack.topics()
        plant.tenant("alfa")
        for name in ("intake", "ocr", "audit", "outreach"):
            plant.start(name)
        yield plant


def migrate(stack):
    """The chart's Job, in the image; -> what it said."""
    conf = pathlib.Path(stack.path("migrate"))
    for role, password in {"../pg-password": stack.secrets["roles"]["postgres"], **stack.secrets["roles"]}.items():
        if not role.startswith(("../pg", "esteira_")):
            continue
        place = conf / "roles" / role
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(password, encoding="ascii")
        place.chmod(0o444)
    env = {"ESTEIRA_CONF": str(conf), "PGHOST": "127.0.0.1", "PGPORT": str(stack.ports["postgres"]), "PGDATABASE": "esteira", "PGUSER": "postgres",
           "SQITCH_FULLNAME": "Esteira", "SQITCH_EMAIL": "image@esteira.invalid"}
    script = (judge.ROOT / "helm/esteira/files/migrate.sh").read_text(encoding="utf-8")
    return once("esteira-migrations", "/bin/sh", "-euc", script, env=env, within=stack.dir)


def test_migrations(plant):
    changes = len(re.findall(r"^\w[\w/-]+ ", (judge.ROOT / "migrations/sqitch.plan").read_text(encoding="utf-8"), re.M))
    assert plant.migrated.count(".. ok") == changes > 20
    assert "esteira_frame_ocr has its password" in plant.migrated
    assert int(plant.stack.psql("SELECT count(*) FROM sqitch.changes")) == changes


def test_what_backs_up_and_restores_is_there():
    for script in ("backup.sh", "restore.sh"):
        done = image.once("esteira-migrations", f"/migrations/{script}")
        assert (done.returncode, done.stderr) == (2, f"usage: /migrations/{script} FOLDER\n")
    for program in ("pg_dump", "pg_dumpall", "pg_restore", "psql", "sed"):
        assert once("esteira-migrations", program, "--version")


def test_a_document_goes_through(plant):
    """Text layer and OCR, in the jail, on a root that is read-only."""
    client = plant.client()
    for name in ("mixed", "receipt-1"):
        data = belt.sample(name)
        job = client.ended(client.send(data))
        assert (job["status"], job["document_hash"]) == ("completed", hashlib.sha256(data).hexdigest()), job
        pages = client.get(f"/v1/jobs/{job['job_id']}/result")["pages"]
        assert [page["source"] for page in pages] == [page["source"] for page in belt.truth(name)["pages"]]
        assert all(page["text"].strip() for page in pages)


def test_its_processes_are_in_the_image_and_hold_nothing(plant):
    for name in ("intake-1", "ocr-1", "audit-1", "outreach-1"):
        proc = pathlib.Path("/proc", str(plant.stack.pid(name)))
        told = dict(re.findall(r"^(\w+):\s*(.*)$", (proc / "status").read_text(encoding="ascii"), re.M))
        assert os.readlink(proc / "root") == plant.stack.image and told["NoNewPrivs"] == "1"
        assert int(told["CapEff"], 16) == int(told["CapPrm"], 16) == 0 and told["Uid"].split()[0] != "0"
        mounts = [line.split() for line in (proc / "mountinfo").read_text(encoding="utf-8").splitlines()]
        (options,) = {row[5].split(",")[0] for row in mounts if row[4] == "/"}
        assert options == "ro"
    assert plant.stack.leftovers("ocr-1") != [], "the jail is up"


def test_healthcheck(plant):
    """It says what /livez says: yes, no, nothing."""
    (kind, script) = image.config("esteira-ocr")["Healthcheck"]["Test"]
    assert kind == "CMD" and image.config("esteira")["Healthcheck"]["Test"] == [kind, script]
    admin = plant.stack.ports["audit-1.admin"]

    def asked(listen):
        return image.once("esteira-ocr", script, env={"ESTEIRA_ADMIN_LISTEN": listen}).returncode

    assert asked(f"127.0.0.1:{admin}") == asked(f"0.0.0.0:{admin}") == 0
    assert asked(f"127.0.0.1:{plant.stack.ports['s3']}") != 0, "a server that has no such page"
    plant.stack.stop_one("audit-1")
    assert asked(f"127.0.0.1:{admin}") != 0


def test_helm_test_works_on_what_the_image_has(plant):
    script = (judge.ROOT / "helm/esteira/files/health.sh").read_text(encoding="utf-8")
    port = plant.services["intake-1"].url.rpartition(":")[2]
    said = once("esteira", "/bin/bash", "-uc", script, "health", "127.0.0.1", port, "http", env={"ESTEIRA_TEST_SECONDS": "20"})
    assert '"status":"ok"' in said.replace('": "', '":"')
    assert re.match("OpenSSL 3", once("esteira", "openssl", "version"))


def test_nothing_stays_mounted(plant):  # pylint: disable=unused-argument
    """Who removes var/image can."""
    assert str(image.folder()) not in pathlib.Path("/proc/self/mountinfo").read_text(encoding="utf-8")
