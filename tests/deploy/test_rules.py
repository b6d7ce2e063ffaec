"""The alerts as the chart renders them: promtool makes each one fire and sees each one silent just below its limit; each has a page
that exists and asks for metrics that exist."""
import functools
import re
import subprocess
from typing import NamedTuple

import pytest
import yaml

import boards
import chart
import judge

DAY = 86400
MINUTES = 90  # that the series of a test last
INTAKE, OCR = 'job="esteira-intake"', 'job="esteira-ocr"'
OTHERS = tuple(f'job="esteira-{name}"' for name in ("outreach", "audit"))
A, B = 'instance="a"', 'instance="b"'


def flat(value, minutes=MINUTES):
    """The same value every minute."""
    return f"{value}+0x{minutes}"


class Case(NamedTuple):
    """fires and quiet: series -> values, a minute apart; at: when it has to fire; labels: beside name and severity;
    waits: until so many minutes before that it is silent."""
    alert: str
    fires: dict
    quiet: dict
    at: int
    labels: dict
    waits: int = 2


def gauge(alert, metric, limits, at, labels=None, more=""):
    """One gauge above its limit, and at it."""
    series = f"{metric}{{{INTAKE}, {A}{more}}}"
    return Case(alert, {series: flat(limits[0])}, {series: flat(limits[1])}, at,
                {"job": "esteira-intake"} if labels is None else labels)


def counter(alert, metric, job=INTAKE, more=""):
    """One that goes up after 20 minutes, and one that stays."""
    series = f"{metric}{{{job}, {A}{more}}}"
    return Case(alert, {series: f"{flat(0, 20)} {flat(1, 70)}"}, {series: flat(0)}, 22,
                {"job": re.search(r'"(.*)"', job).group(1)})


def newborn(alert, limit=0):
    """One that is above the limit, or at it, when it is seen first, as of a process that is new: increase() alone does
    not see that."""
    series = COUNTERS[alert]
    told = {"job": "esteira-ocr"} | ({"instance": "a"} if alert == "EsteiraJailDies" else {})
    return Case(alert, {series: f"_x20 {flat(limit + 1)}"}, {series: f"_x20 {flat(limit)}"}, 22, told, 3)


def certificate(alert, days, which, at):
    """One certificate that ends, beside another that does not."""
    series = f'{CERTIFICATE}{{{INTAKE}, {A}, certificate="%s"}}'
    other = {"http": "kafka", "kafka": "http"}[which]
    return Case(alert, {series % which: flat(days * DAY), series % other: flat(60 * DAY)},
                {series % which: flat(days * DAY + MINUTES * 60), series % other: flat(60 * DAY)}, at,
                {"job": "esteira-intake", "certificate": which})


CERTIFICATE = "esteira_tls_certificate_expiry_timestamp_seconds"
FORBIDDEN = f'esteira_jail_children_total{{{OCR}, {A}, task="inventory", outcome="forbidden"}}'
COUNTERS = {"EsteiraJailForbidden": FORBIDDEN,
            **{alert: f"{metric}{{{OCR}, {A}}}" for alert, metric in (
                ("EsteiraLogCut", "esteira_consumer_cuts_total"), ("EsteiraResultsLost", "esteira_results_lost_total"),
                ("EsteiraResultsLate", "esteira_results_late_total"), ("EsteiraJailDies", "esteira_jail_restarts_total"))}}
REQUESTS = f"esteira_http_requests_total{{{INTAKE}, {A}, route=\"/v1/extract\", status="
UNKNOWN = f'esteira_effects{{job="esteira-outreach", {A}, state="unknown"}}'

CASES = (
    Case("EsteiraServiceDown", {f"up{{{OCR}, {A}}}": f"1 {flat(0)}", f"up{{{OCR}, {B}}}": f"1 {flat(0)}"},
         {f"up{{{OCR}, {A}}}": f"1 {flat(0)}", f"up{{{OCR}, {B}}}": flat(1)}, 4, {"job": "esteira-ocr"}),
    Case("EsteiraInstanceDown", {f"up{{{OCR}, {A}}}": flat(0), f"up{{{OCR}, {B}}}": flat(1)},
         {f"up{{{OCR}, {A}}}": f"{flat(0, 3)} {flat(1)}"}, 6, {"job": "esteira-ocr", "instance": "a"}),
    # every pod of intake is gone, and with them what was scraped
    Case("EsteiraServiceAbsent", {f"up{{{INTAKE}, {A}}}": f"{flat(1, 20)} stale",
                                  **{f"up{{{job}, {A}}}": flat(1) for job in (OCR, *OTHERS)}},
         {f"up{{{job}, {A}}}": flat(0) for job in (INTAKE, OCR, *OTHERS)}, 23, {"job": "esteira-intake"}),
    Case("EsteiraAbsent", {'up{job="other"}': flat(1)}, {f"up{{{OCR}, {A}}}": flat(0)}, 6, {}),
    Case("EsteiraDependencyAway",
         {f'esteira_dependency_up{{{OCR}, {A}, dependency="redis"}}': flat(0),
          f'esteira_dependency_up{{{OCR}, {A}, dependency="kafka"}}': flat(1)},
         {f'esteira_dependency_up{{{OCR}, {A}, dependency="redis"}}': f"1 0 0 {flat(1)}"}, 3,
         {"job": "esteira-ocr", "dependency": "redis"}),
    gauge("EsteiraOldestUnhandled", "esteira_oldest_unhandled_seconds", (301, 300), 6),
    gauge("EsteiraWatermarkStill", "esteira_consumer_watermark_still_seconds", (901, 900), 2),
    gauge("EsteiraBraked", "esteira_consumer_braked_partitions", (1, 0), 11),
    gauge("EsteiraReplayHeld", "esteira_consumer_held_partitions", (1, 0), 6),
    counter("EsteiraLogCut", "esteira_consumer_cuts_total"),
    gauge("EsteiraDeadLetterWaits", "esteira_dead_letter_oldest_seconds", (3601, 3600), 6),
    gauge("EsteiraDeadLettersMany", "esteira_dead_letters_open", (101, 100), 6, more=', class="schema"'),
    gauge("EsteiraOutboxWaits", "esteira_outbox_oldest_seconds", (31, 30), 3),
    Case("EsteiraOutboxGrows", {f"esteira_outbox_events{{{INTAKE}, {A}}}": "0+200x90"},
         {f"esteira_outbox_events{{{INTAKE}, {A}}}": "9000-10x90"}, 12, {"job": "esteira-intake"}),
    gauge("EsteiraBackPressure", "esteira_back_pressure", (1, 0), 3),
    Case("EsteiraRequestsFail", {f'{REQUESTS}"500"}}': "0+6x90", f'{REQUESTS}"202"}}': "0+94x90"},
         {f'{REQUESTS}"500"}}': "0+5x90", f'{REQUESTS}"202"}}': "0+95x90"}, 7, {"job": "esteira-intake"}),
    Case("EsteiraEffectsUnknown", {UNKNOWN: flat(1)}, {UNKNOWN: f"{flat(1, 55)} {flat(0)}"}, 61,
         {"job": "esteira-outreach"}),
    counter("EsteiraResultsLost", "esteira_results_lost_total"),
    counter("EsteiraResultsLate", "esteira_results_late_total"),
    gauge("EsteiraErasureStuck", "esteira_tenant_erasing_seconds", (3601, 3600), 6, labels={}),
    counter("EsteiraJailForbidden", "esteira_jail_children_total", OCR, ', task="inventory", outcome="forbidden"')
    ._replace(quiet={FORBIDDEN.replace("forbidden", "failed"): "0+1x90"}),
    *(newborn(alert, 2 if alert == "EsteiraJailDies" else 0) for alert in COUNTERS),
    Case("EsteiraJailDies", {f"esteira_jail_restarts_total{{{OCR}, {A}}}": f"{flat(0, 20)} 1 2 3 {flat(4)}"},
         {f"esteira_jail_restarts_total{{{OCR}, {A}}}": f"{flat(0, 20)} {flat(1)}"}, 25,
         {"job": "esteira-ocr", "instance": "a"}, 4),
    *(certificate(alert, days, which, at) for alert, days, at in (("EsteiraCertificateEnds", 14, 12), ("EsteiraCertificateEndsNow", 2, 3))
      for which in ("http", "kafka")),
)
# All at once, as on a good day.
GOOD = {
    **{f"up{{{job}, {A}}}": flat(1) for job in (INTAKE, OCR, *OTHERS)}, f"up{{{OCR}, {B}}}": flat(1),
    f'esteira_dependency_up{{{OCR}, {A}, dependency="redis"}}': flat(1),
    f'{CERTIFICATE}{{{INTAKE}, {A}, certificate="http"}}': flat(60 * DAY),
    f'{CERTIFICATE}{{{INTAKE}, {A}, certificate="kafka"}}': flat(60 * DAY), f'{REQUESTS}"202"}}': "0+100x90",
    f"esteira_oldest_unhandled_seconds{{{OCR}, {A}}}": "0 20 1 0 " + flat(40),
    f"esteira_consumer_watermark_still_seconds{{{OCR}, {A}}}": flat(30),
    f"esteira_outbox_oldest_seconds{{{INTAKE}, {A}}}": flat(0), f"esteira_back_pressure{{{INTAKE}, {A}}}": flat(0),
    f"esteira_outbox_events{{{INTAKE}, {A}}}": "0 3 9 " + flat(2),
    f'esteira_dead_letters_open{{{INTAKE}, {A}, class="schema"}}': flat(1),
    f"esteira_dead_letter_oldest_seconds{{{INTAKE}, {A}}}": "0+60x50 " + flat(0, 40),
}


@functools.lru_cache(maxsize=None)
def rendered(prefix=None):
    """The specifications of the chart's PrometheusRules, by name."""
    values = {} if prefix is None else {"monitoring.runbooks": prefix}
    things = chart.objects("values.yaml", values, "--api-versions", chart.MONITORS)
    return {name: thing["spec"] for (kind, name), thing in things.items() if kind == "PrometheusRule"}


def alerts(prefix=None):
    """Every alert of them."""
    return [rule for spec in rendered(prefix).values() for group in spec["groups"] for rule in group["rules"]]


def severity(alert):
    """As the rule says."""
    return next(rule["labels"]["severity"] for rule in alerts() if rule["alert"] == alert)


def asked(series, questions):
    """One test of promtool: (minute, alert or None for all, labels of what fires or None)."""
    tests = []
    for minute, alert, labels in questions:
        name = "" if alert is None else f'alertname="{alert}", '
        found = []
        if labels is not None:
            text = ", ".join(f'{key}="{value}"' for key, value in {
                "alertname": alert, "alertstate": "firing", "severity": severity(alert), **labels}.items())
            found = [{"labels": f"ALERTS{{{text}}}", "value": 1}]
        tests.append({"expr": f'ALERTS{{{name}alertstate="firing"}}', "eval_time": f"{minute}m", "exp_samples": found})
    return {"interval": "1m", "promql_expr_test": tests,
            "input_series": [{"series": name, "values": values} for name, values in series.items()]}


def written(folder):
    """The rules as files."""
    for name, spec in rendered().items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(spec), encoding="utf-8")
    return [str(folder / f"{name}.yaml") for name in rendered()]


def promtool(folder, *tests):
    """Runs them; answers what promtool says, None when all is well."""
    path = folder / "rules.test.yaml"
    path.write_text(yaml.safe_dump({"rule_files": written(folder), "evaluation_interval": "1m", "tests": list(tests)}), encoding="utf-8")
    done = subprocess.run(["promtool", "test", "rules", path], capture_output=True, text=True, check=False)
    return None if done.returncode == 0 else done.stdout + done.stderr


def test_promtool_takes_the_rules(tmp_path):
    for path in (*boards.RULES.glob("*.yaml"), *written(tmp_path)):
        subprocess.run(["promtool", "check", "rules", "--lint=all", "--lint-fatal", path], check=True)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.alert)
def test_it_fires(case, tmp_path):
    assert promtool(tmp_path, asked(case.fires, [(case.at, case.alert, case.labels)])) is None


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.alert)
def test_it_is_silent_below_its_limit_and_before_its_time(case, tmp_path):
    quiet = asked(case.quiet, [(minute, case.alert, None) for minute in range(0, MINUTES, 2)])
    early = asked(case.fires, [(minute, case.alert, None) for minute in range(case.at - case.waits + 1)])
    assert promtool(tmp_path, quiet, early) is None


@pytest.mark.parametrize("alert", COUNTERS)
def test_what_was_away_for_a_while_is_not_new(alert, tmp_path):
    series = {COUNTERS[alert]: f"{flat(5, 100)} _x20 {flat(5, 100)}"}
    assert promtool(tmp_path, asked(series, [(minute, alert, None) for minute in range(100, 220, 2)])) is None


def test_every_counter_s_first_value_counts():
    """But of a rate, where one of many is missing."""
    for rule in alerts():
        assert ("increase(" in rule["expr"]) == (rule["alert"] in COUNTERS), rule["alert"]


def test_a_good_day_is_quiet(tmp_path):
    assert promtool(tmp_path, asked(GOOD, [(minute, None, None) for minute in range(0, MINUTES, 5)])) is None


def test_a_wrong_expectation_would_be_found(tmp_path):
    case = CASES[0]
    assert "EsteiraServiceDown" in promtool(tmp_path, asked(case.quiet, [(case.at, case.alert, case.labels)]))
    assert "EsteiraServiceDown" in promtool(tmp_path, asked(case.fires, [(case.at, case.alert, None)]))


def test_every_alert_is_tried():
    names = [rule["alert"] for rule in alerts()]
    assert len(set(names)) == len(names) > 0
    assert set(names) == {case.alert for case in CASES}


def test_every_alert_says_what_to_do():
    for rule in alerts():
        path, anchor = rule["annotations"]["runbook_url"].split("#")
        page = (boards.ROOT / path).read_text(encoding="utf-8")
        headings = {re.sub(r"[^\w -]", "", h.lower()).strip().replace(" ", "-")
                    for h in re.findall(r"^#+ (.*)$", page, re.M)}
        assert anchor in headings, rule["alert"]
        assert rule["annotations"]["summary"] and rule["labels"]["severity"] in ("warning", "critical")


def test_an_alert_s_link_begins_where_the_values_say():
    links = {prefix: [rule["annotations"]["runbook_url"].split("#") for rule in alerts(prefix)]
             for prefix in (None, "https://wiki.example.com/esteira?page=runbooks")}
    for prefix, found in links.items():
        assert {before for before, _ in found} == {prefix or "docs/runbooks.md"}
    assert len({tuple(anchor for _, anchor in found) for found in links.values()}) == 1
    assert "runbooks" in chart.refusal("values.yaml", {"monitoring.runbooks": "https://wiki/#a"})


def test_every_service_is_missed_when_it_is_gone():
    (rule,) = [rule for rule in alerts() if rule["alert"] == "EsteiraServiceAbsent"]
    things = chart.objects("values.yaml", {}, "--api-versions", chart.MONITORS)
    jobs = [end["relabelings"][0]["replacement"] for (kind, _), thing in things.items() if kind == "PodMonitor"
            for end in thing["spec"]["podMetricsEndpoints"]]
    assert sorted(re.findall(r'absent\(up\{job="([\w-]+)"\}\)', rule["expr"])) == sorted(jobs) != []


def test_every_runbook_has_its_alert():
    page = (boards.ROOT / "docs/runbooks.md").read_text(encoding="utf-8")
    names = {rule["alert"] for rule in alerts()} - {"EsteiraCertificateEndsNow"}
    assert set(re.findall(r"^### (\w+)$", page, re.M)) == names


def test_only_metrics_that_exist():
    known = boards.described()
    for rule in alerts():
        assert not boards.misnamed(rule["expr"], known), rule["alert"]


def test_runbooks_name_commands_that_exist():
    page = (boards.ROOT / "docs/runbooks.md").read_text(encoding="utf-8")
    known = (boards.ROOT / "docs/estctl.md").read_text(encoding="utf-8")
    used = set(re.findall(r"`?estctl ([a-z]+)(?: ([a-z]+))?", page))
    assert used
    for noun, verb in used:
        rows = re.findall(rf"^\| `estctl {noun}.*$", known, re.M)
        assert rows, noun
        assert not verb or any(re.search(rf"\b{verb}\b", row) for row in rows), f"{noun} {verb}"


def test_runbooks_ask_an_admin_port_where_it_answers():
    """The policies let Prometheus alone in; an operator's way is port-forward."""
    page = (boards.ROOT / "docs/runbooks.md").read_text(encoding="utf-8")
    asked_at = re.findall(r"http://([\w.-]+):(\d+)/", page)
    assert asked_at and set(asked_at) == {("localhost", "9464")}
    assert page.index("kubectl port-forward POD 9464") < page.index("http://localhost:9464/") < page.index("\n## ")


# --- what docs/metrics.md tells about Prometheus Operator ---

def told():
    """The page's blocks of YAML."""
    page = (boards.ROOT / "docs/metrics.md").read_text(encoding="utf-8")
    return re.findall(r"^```yaml\n(.*?)^```", page, re.S | re.M)


def selects(selector, labels):
    """As Kubernetes does; no selector selects nothing."""
    return selector is not None and all(
        labels.get(key) == value for key, value in selector.get("matchLabels", {}).items()) and all(
        term["operator"] == "In" and labels.get(term["key"]) in term["values"] for term in selector.get("matchExpressions", ()))


@pytest.mark.parametrize("name", [name for name in chart.PLANNED if "production" in name])
def test_the_prometheus_of_the_page_selects_monitors_and_rules(name):
    values, prometheus = (yaml.safe_load(text) for text in told()[:2])
    changed = {f"monitoring.{key}": value for key, value in values["monitoring"].items()}
    kinds = {"PodMonitor": "podMonitor", "PrometheusRule": "rule"}
    seen = [(thing, kinds[kind]) for (kind, _), thing in
            chart.objects(name, changed, "--api-versions", chart.MONITORS).items() if kind in kinds]
    assert {prefix for _, prefix in seen} == set(kinds.values())
    for thing, prefix in seen:
        where = {"kubernetes.io/metadata.name": thing["metadata"]["namespace"]}
        assert selects(prometheus["spec"][f"{prefix}Selector"], thing["metadata"]["labels"]), thing["metadata"]
        assert selects(prometheus["spec"][f"{prefix}NamespaceSelector"], where), thing["metadata"]


def test_the_rights_of_the_page_are_those_to_find_pods():
    prometheus = yaml.safe_load(told()[1])
    role, binding = judge.documents(told()[2])
    assert judge.unfit(told()[2]) == []
    assert role["rules"] == [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}]
    assert binding["roleRef"]["name"] == role["metadata"]["name"] and binding["metadata"] == role["metadata"]
    (subject,) = binding["subjects"]
    assert subject["name"] == prometheus["spec"]["serviceAccountName"]
    assert subject["namespace"] == prometheus["metadata"]["namespace"]
