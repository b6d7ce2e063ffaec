"""The CronJob of docs/operate.md: fit for its kind, restricted, let in by the policies, and its script against a real
Postgres leaves backups that restore.sh takes, and not more than it keeps."""
import re
import subprocess
import sys

import pytest

import chart
import judge

for _folder in ("docker/local", "k8s"):
    sys.path.insert(0, str(judge.ROOT / _folder))
# pylint: disable=wrong-import-position
import reach  # noqa: E402
from stack import Stack  # noqa: E402

PAGE = (judge.ROOT / "docs/operate.md").read_text(encoding="utf-8")
(TEXT,) = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.S | re.M)
CLAIM, JOB = judge.documents(TEXT)
POD = JOB["spec"]["jobTemplate"]["spec"]["template"]
KEPT = 28
PASSWORD = "a:b\\c'd \"e"


@pytest.fixture(name="stack", scope="module")
def make_stack():
    """A Postgres with the suite's tables."""
    with Stack.only_postgres() as stack:
        yield stack


def test_it_is_what_kubernetes_takes():
    assert judge.unfit(TEXT) == []
    answered = ("pod-networkpolicy", "container-image-pull-policy", "container-ephemeral-storage-request-and-limit",
                "container-resources")  # as of the chart (test_helm.py)
    assert judge.bad_practice(TEXT, *answered) == []


def test_it_is_restricted_and_runs_beside_the_migrations():
    (container,) = POD["spec"]["containers"]
    migrations = chart.objects("values-production-100k.yaml")[("Job", "migrate")]
    (other,) = chart.pod(migrations)["containers"]
    assert container["securityContext"] == other["securityContext"] and container["image"] == other["image"]
    theirs = chart.pod(migrations)["securityContext"]
    assert POD["spec"]["securityContext"].items() <= theirs.items()
    for name in ("nodeSelector", "tolerations", "automountServiceAccountToken", "enableServiceLinks", "restartPolicy"):
        assert POD["spec"][name] == chart.pod(migrations)[name], name
    assert JOB["metadata"]["namespace"] == migrations["metadata"]["namespace"] == CLAIM["metadata"]["namespace"]


def test_the_policies_let_it_reach_postgres_and_nothing_else():
    migrate = [policy for policy in reach.policies() if policy["metadata"]["namespace"] == JOB["metadata"]["namespace"]
               and policy["spec"]["podSelector"].get("matchLabels", {}).items() <= POD["metadata"]["labels"].items()
               and policy["spec"]["podSelector"]]
    assert [policy["metadata"]["name"] for policy in migrate] == ["migrate"]


def test_its_script_backs_up_and_keeps_so_many(stack, tmp_path):
    (container,) = POD["spec"]["containers"]
    conf, backups = tmp_path / "conf", tmp_path / "backups"
    conf.mkdir()
    stack.psql("ALTER ROLE esteira_backup PASSWORD '" + PASSWORD.replace("'", "''") + "'")
    (conf / "postgres").write_text(stack.secrets["roles"]["postgres"], encoding="utf-8")
    (conf / "esteira_backup").write_text(PASSWORD, encoding="utf-8")
    mounted = {item["path"] for volume in POD["spec"]["volumes"] for source in volume.get("projected", {}).get("sources", ())
               for item in source["secret"]["items"]}
    assert mounted == {"postgres", "esteira_backup", "postgres.crt"}
    for day in range(1, KEPT + 1):
        (backups / f"2025-01-{day:02}T00-00-00Z").mkdir(parents=True)
    (backups / "unfinished").mkdir()
    (backups / "unfinished/roles.sql.new").write_text("half", encoding="utf-8")
    script = container["args"][0].replace("/etc/esteira", str(conf)).replace("/backups/", f"{backups}/")
    env = {"PATH": "/usr/local/bin:/usr/bin:/bin", "PGHOST": "127.0.0.1", "PGPORT": str(stack.postgres_port),
           "PGPASSFILE": str(tmp_path / "pgpass")}
    done = subprocess.run([*container["command"], script], cwd=judge.ROOT / "migrations", env=env, capture_output=True,
                          text=True, check=False, timeout=300, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stdout + done.stderr
    left = sorted(path.name for path in backups.iterdir())
    assert len(left) == KEPT and left[0] == "2025-01-02T00-00-00Z" and left[-1] > "2026"
    assert {path.name for path in (backups / left[-1]).iterdir()} == {"roles.sql", "esteira.dump"}
    held = subprocess.run(["pg_restore", "--list", backups / left[-1] / "esteira.dump"], capture_output=True, text=True, check=True)
    assert "TABLE DATA intake tenants" in held.stdout


def test_the_tool_of_kafka_says_who_it_is():
    calls = re.findall(r"kafka-consumer-groups(?:[^\n]*\\\n)*[^\n]*", PAGE)
    assert calls and all("--command-config" in call for call in calls)


def test_topics_are_made_before_the_services():
    (install,) = re.findall(r"^## Install\n(.*?)^## ", PAGE, re.S | re.M)
    assert install.index("estctl topics create") < install.index("rolePasswordsSecret") < install.index("`helm test`")
