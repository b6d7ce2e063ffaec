#!/usr/bin/python3
"""Makes the root of an image out of installed Debian packages: those named, what they depend on, and nothing else.

usage: root.py FOLDER PACKAGE...

What only installs packages or is read by people stays out. Which packages there are is said three times: in
dpkg's own words for scanners, as SPDX 2.3 (usr/share/esteira/sbom.spdx.json), and by their copyrights.
"""
import datetime
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys

# Asked while packages are installed, never afterwards; and gnupg, which nobody here has signatures checked by.
LEFT_TO_OTHERS = {"debconf", "debconf-2.0", "cdebconf", "ucf", "awk", "dpkg", "adduser", "install-info", "gnupg"}
# base-files has the folders, the links that merge /usr, and who Debian is; libc-bin has C.UTF-8.
ALWAYS = ("base-files", "libc6", "libc-bin")
LEFT_OUT = re.compile(r"/usr/share/(man|locale|info|lintian|bug|bash-completion|doc-base|menu)(/|$)"
                      r"|/usr/share/doc/[^/]+/(?!copyright$)|/usr/lib/[^/]+/gconv(/|$)|/etc/skel(/|$)")
MADE = ("/etc/ssl/certs", "/etc/fonts")  # by scripts of packages, so in no list of dpkg
ACCOUNTS = {"passwd": "root:x:0:0:root:/root:/usr/sbin/nologin\nesteira:x:10001:10001:Esteira:/tmp:/usr/sbin/nologin\n",
            "group": "root:x:0:\nesteira:x:10001:\n", "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n"}
FIELDS = ("Package", "Version", "Architecture", "source:Package", "source:Version", "Homepage", "Depends", "Pre-Depends", "Provides")


def installed():
    """name -> the fields of each installed package."""
    rows = subprocess.run(["dpkg-query", "-W", "-f", "\\t".join("${%s}" % f for f in FIELDS) + "\\n"], check=True,
                          capture_output=True, text=True).stdout.splitlines()
    return {row.split("\t")[0]: dict(zip(FIELDS, row.split("\t"))) for row in rows}


def names(relation):
    """[[alternatives], ...] of a Depends."""
    return [[re.split(r"[ (:]", one.strip())[0] for one in group.split("|")] for group in relation.split(",") if group.strip()]


def closure(wanted, known):
    """The named packages and everything they cannot do without."""
    provided = {name: package for package, row in known.items() for (name,) in names(row["Provides"])}
    found, todo = set(), [*wanted]
    while todo:
        name = todo.pop()
        if name in found:
            continue
        found.add(name)
        for group in names(known[name]["Pre-Depends"]) + names(known[name]["Depends"]):
            if LEFT_TO_OTHERS & set(group):
                continue
            todo.append(next(provided.get(one, one) for one in group if one in known or one in provided))
    return sorted(found)


def places(packages):
    """Every path of theirs as it is on a merged /usr, and what their scripts made."""
    lists = subprocess.run(["dpkg-query", "-L", *packages], check=True, capture_output=True, text=True).stdout.splitlines()
    made = [path for place in MADE if any(line == place for line in lists) for path in [place, *pathlib.Path(place).rglob("*")]]
    found = set()
    for path in map(str, (*lists, *made)):
        if path.startswith("/") and os.path.lexists(path) and path != "/." and not LEFT_OUT.search(path):
            found.add(os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path)))
    return sorted(found)


def spdx(packages, known):
    """The document: one SPDX package a Debian package, and the image that contains them."""
    def identifier(name):
        return "SPDXRef-" + re.sub(r"[^A-Za-z0-9.-]", "-", name)

    system = dict(re.findall(r'^(\w+)="?(.*?)"?$', pathlib.Path("/etc/os-release").read_text(encoding="utf-8"), re.M))
    contents = "\n".join(f"{name} {known[name]['Version']}" for name in packages)
    ours = os.environ["VERSION"]
    image = {"SPDXID": "SPDXRef-image", "name": "esteira", "versionInfo": ours, "supplier": "NOASSERTION",
             "downloadLocation": "NOASSERTION", "filesAnalyzed": False, "licenseConcluded": "NOASSERTION",
             "licenseDeclared": "Apache-2.0", "copyrightText": "NOASSERTION", "primaryPackagePurpose": "CONTAINER"}
    rows = [{"SPDXID": identifier(name), "name": name, "versionInfo": known[name]["Version"],
             "supplier": "Organization: Debian", "downloadLocation": "NOASSERTION", "filesAnalyzed": False,
             "licenseConcluded": "NOASSERTION", "licenseDeclared": "NOASSERTION", "copyrightText": "NOASSERTION",
             "sourceInfo": f"built from {known[name]['source:Package']} {known[name]['source:Version']}; "
                           f"licenses: /usr/share/doc/{name}/copyright",
             "externalRefs": [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator":
                               f"pkg:deb/debian/{name.replace('+', '%2B')}@{known[name]['Version'].replace('+', '%2B')}"
                               f"?arch={known[name]['Architecture']}&distro=debian-{system['VERSION_ID']}"}],
             **({"homepage": known[name]["Homepage"]} if known[name]["Homepage"] else {})} for name in packages]
    made = datetime.datetime.now(datetime.timezone.utc)
    return {"spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT", "name": "esteira",
            "documentNamespace": f"https://esteira.invalid/spdx/{hashlib.sha256(contents.encode()).hexdigest()}",
            "creationInfo": {"created": made.strftime("%Y-%m-%dT%H:%M:%SZ"), "creators": ["Tool: docker/image/root.py"]},
            "packages": [image, *rows],
            "relationships": [{"spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES", "relatedSpdxElement": "SPDXRef-image"},
                              *({"spdxElementId": "SPDXRef-image", "relationshipType": "CONTAINS",
                                 "relatedSpdxElement": row["SPDXID"]} for row in rows)]}


def main(root, wanted):
    """Copy, and say what was copied."""
    known = installed()
    packages = closure((*ALWAYS, *wanted), known)
    root.mkdir(parents=True)
    pack = subprocess.run(["tar", "-C", "/", "-c", "--no-recursion", "--null", "-T", "-"], check=True, capture_output=True,
                          input=b"\0".join(path[1:].encode() for path in places(packages)))
    subprocess.run(["tar", "-C", root, "-x", "-p"], check=True, input=pack.stdout)
    for name, text in ACCOUNTS.items():
        (root / "etc" / name).write_text(text, encoding="utf-8")
    (root / "var/lib/dpkg").mkdir(parents=True, exist_ok=True)
    with open(root / "var/lib/dpkg/status", "w", encoding="utf-8") as f:
        subprocess.run(["dpkg-query", "-s", *packages], check=True, stdout=f)
    (root / "usr/share/esteira").mkdir(parents=True)
    (root / "usr/share/esteira/sbom.spdx.json").write_text(json.dumps(spdx(packages, known), indent=1) + "\n", encoding="utf-8")
    (root / "etc/esteira").mkdir()
    subprocess.run(["ldconfig", "-r", root], check=True)
    (root / "var/cache/ldconfig/aux-cache").unlink(missing_ok=True)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(pathlib.Path(sys.argv[1]), sys.argv[2:])
