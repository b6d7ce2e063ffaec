"""What helm install prints: commands that work as printed; and the pod that they run estctl in."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

import chart
import judge
from told import BIN, settings

for _folder in ("docker/local", "tests/integration"):
    sys.path.insert(0, str(judge.ROOT / _folder))
# pylint: disable=wrong-import-position
import secure  # noqa: E402
from stub import Stub  # noqa: E402

EVERY = pytest.mark.parametrize("name", chart.FILES)
WAYS = list(chart.ways())


def notes_of(copy, name="values.yaml", values=None):
    """What helm install prints."""
    (copy / "templates/notes.yaml").write_text('{kind: ConfigMap, metadata: {name: notes}, data: {notes: {{ '
                                               'include "esteira/templates/NOTES.txt" . | quote }}}}')
    return chart.objects(name, values, chart=copy)[("ConfigMap", "notes")]["data"]["notes"]


@EVERY
def test_notes_say_how_to_send_the_first_document(name, copy):
    notes = notes_of(copy, name)
    where = "https://api.esteira.example" if "production" in name else "http://localhost:8080"
    assert f"ESTEIRA_URL={where}" in notes and "helm test esteira" in notes
    assert 'curl -sS -H "X-API-Key: $ESTEIRA_API_KEY" -F file=@contract.pdf $ESTEIRA_URL/v1/extract' in notes


KUBECTL = """
kubectl() {
  printf 'kubectl %s\\n' "$*" >>"$CALLS"
  while [[ $# -gt 0 && $1 != -- ]]; do shift; done
  shift || true
  [[ $# -eq 0 ]] || "$@"
}
estctl() { echo "never: it is not on this machine"; }
"""


@EVERY
def test_the_commands_for_a_tenant_and_a_key_work_as_printed(name, copy, tmp_path):
    """In bash, kubectl being a function that says what it was asked and runs what exec is to run."""
    notes = notes_of(copy, name)
    cron = chart.objects(name)[("CronJob", "estctl")]
    step = notes[notes.index("2. Make a tenant"):notes.index("3. Send")].split("\n", 1)[1]
    program = tmp_path / "bin/estctl"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\necho "estctl $USER $*" >>"$CALLS"\necho uk_key\n', encoding="utf-8")
    program.chmod(0o755)
    subprocess.run(["bash", "-euc", f"{KUBECTL}\n{step}\n[[ $ESTEIRA_API_KEY == uk_key ]]"], check=True, timeout=60,
                   env={"PATH": f"{program.parent}:{os.environ['PATH']}", "CALLS": str(tmp_path / "calls"), "USER": "ana"})
    calls = (tmp_path / "calls").read_text(encoding="utf-8").splitlines()
    place = f"kubectl --namespace {cron['metadata']['namespace']}"
    assert calls[0] == f"{place} create job esteira-estctl --from=cronjob/{cron['metadata']['name']}"
    assert calls[1] == f"{place} wait job/esteira-estctl --for=jsonpath={{.status.ready}}=1 --timeout=5m"
    assert [call for call in calls if call.startswith("estctl")] == [
        "estctl ana tenant create acme --name Acme Ltda", "estctl ana key create --tenant acme --scopes extract,status,audit"]
    assert calls[-1] == f"{place} delete job esteira-estctl"


class Public(Stub):
    """Takes documents, and keeps what it was asked for."""

    def __init__(self, pair):
        super().__init__(pair)
        self.asked = []

    def take(self, handler):
        self.asked.append((handler.headers["Host"].split(":")[0], handler.path, b"a document" in self.body(handler)))
        self.answer(handler, 202, {"job_id": "j"})


@pytest.mark.parametrize("values,host", (({}, "localhost"), ({"http.tlsSecret": "t"}, "esteira-intake.default.svc"),
                                         ({"http.tlsSecret": "t", "ingress.host": "api.example"}, "api.example")))
def test_the_commands_for_the_first_document_work_as_printed(values, host, copy, tmp_path):
    """With a real curl, at a server whose certificate is what the notes say it must be."""
    authority = secure.Authority(str(tmp_path / "tls"))
    notes = notes_of(copy, "values.yaml", values)
    step = notes[notes.index("3. Send"):notes.index("How many")].split("\n", 1)[1]
    step = step.replace("JOB_ID", "j").replace("   and with the job_id of its answer:", "")
    (tmp_path / "contract.pdf").write_bytes(b"a document")
    shutil.copy(authority.ca_file, tmp_path / "ca.crt")
    with Public(authority.issue("intake", dns=[host]) if "http.tlsSecret" in values else None) as stub:
        subprocess.run(["bash", "-euc", f"{KUBECTL}\n{step.replace('8080', str(stub.port))}"], check=True, cwd=tmp_path, timeout=60,
                       env={"PATH": os.environ["PATH"], "CALLS": str(tmp_path / "calls"), "ESTEIRA_API_KEY": "uk_key"})
        assert stub.asked == [(host, "/v1/extract", True), (host, "/v1/jobs/j/events", False), (host, "/v1/jobs/j/result", False)]
    (call,) = (tmp_path / "calls").read_text(encoding="utf-8").splitlines()
    assert "--namespace default port-forward service/esteira-intake" in call
    assert call.endswith(":https" if "http.tlsSecret" in values else ":http")


def test_who_must_show_a_certificate_is_told_so(copy):
    notes = notes_of(copy, "values.yaml", {"http.tlsSecret": "t", "http.clientCaSecret": "c"})
    assert "curl --cert client.crt --key client.key --cacert ca.crt --connect-to" in notes


def told_operator(name="values.yaml", values=None):
    """(environment, files, specification) of the operator's pod."""
    spec = chart.pod(chart.objects(name, values)[("CronJob", "estctl")])
    return chart.environment(spec), chart.files(spec), spec


@pytest.mark.parametrize("name,values", [way[1:] for way in WAYS], ids=[way[0] for way in WAYS])
def test_estctl_has_all_it_needs_in_the_operators_pod(name, values, pair, tmp_path):
    """estctl config check finds nothing wrong, and every setting of the commands is one of the pod."""
    env, (folder, mounted), _ = told_operator(name, values)
    known = settings("estctl")
    libpq = {variable for variable in env if variable.startswith("PG")}
    assert libpq <= {"PGSSLMODE", "PGSSLROOTCERT"}
    for variable, value in env.items():
        if variable not in libpq:
            assert (variable if variable in known else variable.removesuffix("_FILE")) in known
        if variable.endswith("_FILE") or variable == "PGSSLROOTCERT":
            assert value in mounted, variable
    assert set(mounted) == {value for value in env.values() if value.startswith(folder)}, "mounted for nobody"
    here = tmp_path / "esteira"
    for path in mounted:
        place = here / pathlib.PurePath(path).relative_to(folder)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(b"postgresql://postgres@db/esteira" if path.endswith("owner-url") else chart.content_of(path, pair))
        place.chmod(0o440)
    told = {variable: value.replace(folder, str(here)) for variable, value in env.items()}
    done = subprocess.run([BIN / "estctl", "config", "check", "--json"], env=told, text=True, capture_output=True, check=False)
    assert (done.returncode, json.loads(done.stdout)["errors"]) == (0, [])
    for noun, verb in (("tenant", "create"), ("key", "create"), ("topics", "create"), ("seal", "rewrap")):
        said = subprocess.run([BIN / "estctl", noun, verb, "--help"], text=True, capture_output=True, check=True).stdout
        for needed in re.findall(r"(ESTEIRA_\w+)(?:\[_FILE\])? \(required\)", said):
            assert {needed, f"{needed}_FILE"} & set(env), (noun, verb, needed)
    assert any("_SEAL_MASTER_FILE" in variable or "_SEAL_TRANSIT_URL" in variable for variable in env)


@EVERY
def test_the_operators_pod_is_made_on_demand_and_ends(name):
    cron = chart.objects(name)[("CronJob", "estctl")]["spec"]
    job = cron["jobTemplate"]["spec"]
    assert cron["suspend"] is True and job["backoffLimit"] == 0 and job["ttlSecondsAfterFinished"] <= 300
    assert job["template"]["metadata"]["labels"]["app.kubernetes.io/name"] == "estctl", "what network policies know it by"
    assert told_operator(name)[2]["containers"][0]["command"] == ["sleep", "3600"]
    assert ("CronJob", "estctl") not in chart.objects(name, {"estctl.enabled": False})


def test_the_operator_is_whom_kafka_knows_as_one():
    env, (_, mounted), _ = told_operator("values.yaml", {"kafka.security": "sasl_ssl", "estctl.kafka": {
        "existingSecret": "adm", "user": "root"}, "estctl.config": {"ESTEIRA_TOPICS_REPLICAS": "1"}})
    assert (env["ESTEIRA_KAFKA_SASL_USER"], env["ESTEIRA_TOPICS_REPLICAS"]) == ("root", "1")
    assert {secret for path, (_, secret, _) in mounted.items() if "kafka" in path} == {"adm"}
