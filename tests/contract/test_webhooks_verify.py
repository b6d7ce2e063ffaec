"""docs/webhooks-verify.md: its functions, taken from the page as they stand there, accept what is signed by the
standard and nothing else. Python and C always, Node and Go where they are installed."""
import base64
import hashlib
import hmac
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

import pytest

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs/webhooks-verify.md"
KEYS = [bytes(range(24)), bytes(range(200, 232)), bytes(range(100, 164))]  # base64 with 0, 1 and 2 paddings
ID, BODY = "evt_0194f0a2-6f7e", '{"type":"document.completed","data":{"name":"ação"}}'
VECTOR = ("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", '{"test": 2432232314}')

# Each program takes: secret, id, timestamp, signature, body; and ends with 0 when it verifies, with 3 when not.
PYTHON = """
import sys
given = [os.fsencode(text).decode() for text in sys.argv[1:]]
names = ("webhook-id", "webhook-timestamp", "webhook-signature")
headers = {name: text for name, text in zip(names, given[1:4]) if text}
sys.exit(0 if verify(given[0], headers, given[4].encode()) else 3)
"""
NODE = """
const [secret, id, timestamp, signature, body] = process.argv.slice(2);
const headers = {};
if (id) headers["webhook-id"] = id;
if (timestamp) headers["webhook-timestamp"] = timestamp;
if (signature) headers["webhook-signature"] = signature;
process.exit(verify(secret, headers, Buffer.from(body)) ? 0 : 3);
"""
GO = """package main

import (
	"net/http"
	"os"
)

func main() {
	h := http.Header{}
	for i, name := range []string{"webhook-id", "webhook-timestamp", "webhook-signature"} {
		if os.Args[2+i] != "" {
			h.Set(name, os.Args[2+i])
		}
	}
	if !Verify(os.Args[1], h, []byte(os.Args[5])) {
		os.Exit(3)
	}
}
"""
C = """
int main(int argc, char **argv)
{
	const char *secret = argv[1] + (strncmp(argv[1], "whsec_", 6) == 0 ? 6 : 0);
	return argc == 6 && verify(secret, argv[2], argv[3], argv[4], argv[5], strlen(argv[5])) ? 0 : 3;
}
"""


def snippet(language):
    found = re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.S | re.M)
    assert len(found) == 1
    return found[0]


def python(folder):
    path = folder / "verify.py"
    path.write_text("import os\n" + snippet("python") + PYTHON, encoding="utf-8")
    return [sys.executable, path]


def node(folder):
    path = folder / "verify.js"
    path.write_text(snippet("js") + NODE, encoding="utf-8")
    return ["node", path]


def go(folder):
    (folder / "verify.go").write_text("package main\n\n" + snippet("go"), encoding="utf-8")
    (folder / "main.go").write_text(GO, encoding="utf-8")
    env = {**os.environ, "GO111MODULE": "off", "GOTOOLCHAIN": "local", "GOFLAGS": "", "GOPROXY": "off"}
    subprocess.run(["go", "build", "-o", "verify", "verify.go", "main.go"], cwd=folder, env=env, check=True)
    return [folder / "verify"]


def c(folder):
    (folder / "verify.c").write_text(snippet("c") + C, encoding="utf-8")
    compiler = os.environ.get("CC") or shutil.which("cc") or "gcc"
    subprocess.run([compiler, "-std=c17", "-O1", "-Wall", "-Wextra", "-Werror", "-o", "verify", "verify.c",
                    "-lcrypto"], cwd=folder, check=True)
    return [folder / "verify"]


TOOLS = [make for make in (python, node, go, c) if make in (python, c) or shutil.which(make.__name__)]


@pytest.fixture(scope="module", params=TOOLS, ids=lambda make: make.__name__)
def program(request, tmp_path_factory):
    return request.param(tmp_path_factory.mktemp(request.param.__name__))


def sign(key, timestamp, id=ID, body=BODY):
    mac = hmac.new(key, f"{id}.{timestamp}.{body}".encode(), hashlib.sha256).digest()
    return "v1," + base64.b64encode(mac).decode()


def secret(key):
    return "whsec_" + base64.b64encode(key).decode()


def test_this_file_signs_by_the_standard():
    key, id, timestamp, body = VECTOR
    assert sign(base64.b64decode(key), timestamp, id, body) == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def cases():
    """name, verifies, (secret, id, timestamp, signature, body)"""
    now = int(time.time())
    for key in KEYS:
        yield f"key of {len(key)}", True, (secret(key), ID, f"{now}", sign(key, now), BODY)
    key, other = KEYS[1], KEYS[2]
    mine, good = secret(key), sign(key, now)
    yield "empty body", True, (mine, ID, f"{now}", sign(key, now, body=""), "")
    yield "old secret first", True, (mine, ID, f"{now}", f"{sign(other, now)} {good}", BODY)
    yield "old secret last", True, (mine, ID, f"{now}", f"{good} {sign(other, now)}", BODY)
    yield "another scheme", True, (mine, ID, f"{now}", f"v1a,{'A' * 86}== {good}", BODY)
    for late, verifies in ((-290, True), (290, True), (-310, False), (310, False), (10 ** 9, False)):
        sent = now - late
        yield f"{late} s late", verifies, (mine, ID, f"{sent}", sign(key, sent), BODY)
    for text in ("", "0", "x", f"{now}x", "-1", "9" * 30, f"{now}.0", f"{now}000", "é"):
        yield f"timestamp {text!r}", False, (mine, ID, text, sign(key, text), BODY)
    yield "another timestamp", False, (mine, ID, f"{now + 1}", good, BODY)
    yield "another id", False, (mine, ID + "0", f"{now}", good, BODY)
    yield "no id", False, (mine, "", f"{now}", good, BODY)
    yield "another body", False, (mine, ID, f"{now}", good, BODY + " ")
    yield "another secret", False, (secret(other), ID, f"{now}", good, BODY)
    for text in ("", " ", "v1,", "v1", good[3:], good[:-1], good + "=", good.lower(), "v2" + good[2:], "é" * 47,
                 "v1," + "A" * 43 + "=", good + "," + good):
        yield f"signature {text!r}", False, (mine, ID, f"{now}", text, BODY)


def test_the_page_verifies_ours_and_nothing_else(program):
    for name, verifies, arguments in cases():
        run = subprocess.run([*program, *arguments], capture_output=True, text=True, check=False)
        assert run.returncode == (0 if verifies else 3), (name, run.stderr)
