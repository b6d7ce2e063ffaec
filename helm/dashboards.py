#!/usr/bin/python3
"""Writes the Grafana boards of the chart, helm/esteira/files/dashboards/*.json, from the tables below.

usage: dashboards.py [--check]
--check writes nothing and ends with 1 when a board is not what it would write.

A further service is one row of SERVICES: it gets a board of its own and a line in the others. Its targets have the
label job="esteira-<service>" (docs/dashboards.md). Each metric is described in docs/metrics.md.
"""
import json
import pathlib
import sys
from typing import NamedTuple

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "docs"))
from generated import settle  # noqa: E402  pylint: disable=wrong-import-position

FOLDER = ROOT / "helm/esteira/files/dashboards"
ALL = 'job=~"esteira-.+"'
COLUMNS, WIDTH, HEIGHT, STAT_HEIGHT = 3, 8, 7, 4


class Query(NamedTuple):
    """expr: PromQL; legend: Grafana's, {{label}}."""
    expr: str
    legend: str


class Panel(NamedTuple):
    """unit: one of Grafana's; stat: one number instead of a line over time."""
    title: str
    unit: str
    queries: tuple
    note: str = ""
    stat: bool = False


class Service(NamedTuple):
    """title: of its board; panels: beside those that every service has; redis: it talks to it."""
    name: str
    title: str
    redis: bool
    panels: tuple


# --- how questions are asked ---

def rate(metric, by, labels=""):
    """A second, summed up by these labels."""
    return f"sum by ({by}) (rate({metric}{{{labels}}}[$__rate_interval]))"


def quantiles(metric, labels, by=""):
    """p50, p95 and p99 of a histogram, by one more label or not."""
    split = f"le, {by}" if by else "le"
    return tuple(Query(f"histogram_quantile({q}, {rate(metric + '_bucket', split, labels)})",
                       f"p{q * 100:g}" + (f" {{{{{by}}}}}" if by else "")) for q in (0.5, 0.95, 0.99))


def rates(title, metric, by, labels, unit="ops", note=""):
    """A counter, one line for each value of the labels in by."""
    legend = " ".join(f"{{{{{name}}}}}" for name in by.split(", "))
    return Panel(title, unit, (Query(rate(metric, by, labels), legend),), note)


def value(title, unit, expr, legend="", note="", stat=False):
    """One question."""
    return Panel(title, unit, (Query(expr, legend),), note, stat)


def storage(labels):
    """What is asked of a service that calls the storage."""
    return (Panel("Calls of the storage", "s", quantiles("esteira_storage_seconds", labels, "operation")),
            rates("Calls of the storage by outcome", "esteira_storage_seconds_count", "operation, outcome", labels))


# --- what every service is asked ---

def common(service):
    """The panels of one service that are the same for all."""
    job = f'job="esteira-{service.name}"'
    panels = [
        value("Instances that answer", "short", f"sum(up{{{job}}})", stat=True),
        value("Lag", "short", f"sum(esteira_consumer_lag_records{{{job}}})", stat=True),
        value("Dead letters that wait", "short", f"sum(esteira_dead_letters_open{{{job}}})", stat=True),
        rates("Records by outcome", "esteira_records_total", "outcome", job),
        Panel("Time in the handler", "s", quantiles("esteira_handler_seconds", job)),
        Panel("From a worker's hand to the commit", "s", quantiles("esteira_record_seconds", job)),
        rates("Failed tries by class and code", "esteira_record_failures_total", "class, code", job,
              note="Empty until the first one fails."),
        Panel("Waiting", "s", (
            Query(f"max(esteira_oldest_unhandled_seconds{{{job}}})", "oldest unhandled"),
            Query(f"max(esteira_oldest_runnable_seconds{{{job}}})", "oldest that could run"),
            Query(f"max(esteira_consumer_watermark_still_seconds{{{job}}})", "watermark stands"))),
        value("Parked records", "short", f"sum by (state) (esteira_parked_records{{{job}}})", "{{state}}"),
        Panel("Round trips to Postgres", "s", quantiles("esteira_postgres_seconds", job)),
        Panel("Connections to Postgres", "short", (
            Query(f"sum by (pool) (esteira_pool_busy{{{job}}})", "{{pool}} busy"),
            Query(f"sum by (pool) (esteira_pool_size{{{job}}})", "{{pool}} of"),
            Query(f"sum by (pool) (esteira_pool_waiting{{{job}}})", "{{pool}} waited for"))),
        value("Servers behind it", "short", f"min by (dependency) (esteira_dependency_up{{{job}}})",
              "{{dependency}}", "1: it answers."),
    ]
    if service.redis:
        panels.append(Panel("Commands to Redis", "s", quantiles("esteira_redis_seconds", job)))
    return panels + [
        value("Processor", "percentunit", f"sum by (instance) (rate(process_cpu_seconds_total{{{job}}}"
              "[$__rate_interval]))", "{{instance}}"),
        value("Resident memory", "bytes", f"process_resident_memory_bytes{{{job}}}", "{{instance}}"),
        value("Open descriptors", "short", f"process_open_fds{{{job}}}", "{{instance}}"),
        value("Running since", "dateTimeFromNow", f"process_start_time_seconds{{{job}}} * 1000", "{{instance}}",
              stat=True),
        value("Versions", "short", f"count by (version) (esteira_build_info{{{job}}})", "{{version}}", stat=True),
    ]


# --- what is asked of one alone ---

INTAKE, OCR, OUTREACH, AUDIT = (f'job="esteira-{name}"' for name in ("intake", "ocr", "outreach", "audit"))

SERVICES = (
    Service("intake", "Esteira: intake", True, (
        rates("Requests by route", "esteira_http_requests_total", "route", INTAKE, "reqps"),
        rates("Answers by status", "esteira_http_requests_total", "status", INTAKE, "reqps"),
        Panel("Requests: p50, p95, p99 by route", "s", quantiles("esteira_http_request_seconds", INTAKE, "route")),
        Panel("Uploads", "short", (
            Query(f"sum(esteira_uploads_running{{{INTAKE}}})", "running"),
            Query(f"sum(esteira_event_streams{{{INTAKE}}})", "event streams"))),
        value("Bytes taken", "Bps", f"sum(rate(esteira_upload_bytes_total{{{INTAKE}}}[$__rate_interval]))", "bytes"),
        Panel("Back-pressure", "s", (
            Query(f"max(esteira_upload_wait_seconds{{{INTAKE}}})", "a document taken now is read in"),
            Query(f"max(esteira_back_pressure{{{INTAKE}}})", "on"))),
        value("Jobs that nobody has begun", "short", f"max(esteira_jobs_pending{{{INTAKE}}})", "pending"),
        rates("Events of POST /v1/events", "esteira_http_events_total", "outcome", INTAKE),
        rates("Records of partners", "esteira_partner_records_total", "partner, outcome", INTAKE),
        *storage(INTAKE),
        rates("Rate limits", "esteira_rate_decisions_total", "by, outcome", INTAKE),
        rates("API keys: known or asked", "esteira_auth_looks_total", "outcome", INTAKE),
        rates("Tenants' keys", "esteira_key_uses_total", "outcome", INTAKE),
        Panel("Results lost and late", "short", (
            Query(f"sum(increase(esteira_results_lost_total{{{INTAKE}}}[1h]))", "lost in an hour"),
            Query(f"sum(increase(esteira_results_late_total{{{INTAKE}}}[1h]))", "late in an hour"))),
        rates("TLS connections", "esteira_tls_sessions_total", "outcome", INTAKE, note="Empty when the port is plain."),
        value("Longest erasure of a tenant", "s", f"max(esteira_tenant_erasing_seconds{{{INTAKE}}})", "running"),
    )),
    Service("ocr", "Esteira: ocr", True, (
        rates("Documents by outcome", "esteira_ocr_documents_total", "outcome", OCR),
        rates("Pages by source", "esteira_ocr_pages_total", "source", OCR),
        Panel("Time on a page", "s", quantiles("esteira_ocr_page_seconds", OCR, "source")),
        *storage(OCR),
        rates("Children of the jail by outcome", "esteira_jail_children_total", "outcome", OCR),
        rates("Children of the jail by task", "esteira_jail_children_total", "task", OCR),
        value("Zygotes replaced in an hour", "short", f"sum(increase(esteira_jail_restarts_total{{{OCR}}}[1h]))",
              "replaced"),
        rates("Tenants' keys", "esteira_key_uses_total", "outcome", OCR),
    )),
    Service("outreach", "Esteira: outreach", False, (
        rates("Calls of endpoints by outcome", "esteira_webhook_attempts_total", "outcome", OUTREACH),
        Panel("Time of a call", "s", quantiles("esteira_webhook_seconds", OUTREACH)),
        value("Effects that are not over", "short", f"sum by (state) (esteira_effects{{{OUTREACH}}})", "{{state}}"),
        value("Brakes on", "short", f"sum(esteira_brakes_open{{{OUTREACH}}})", "brakes"),
        rates("Tenants' keys", "esteira_key_uses_total", "outcome", OUTREACH),
    )),
    Service("audit", "Esteira: audit", False, (
        rates("Entries by type", "esteira_records_total", "type", f'{AUDIT}, outcome="done"'),
        value("Repeats dropped", "ops", rate("esteira_records_total", "outcome",
              f'{AUDIT}, outcome=~"done|duplicate"'), "{{outcome}}"),
    )),
)

OVERVIEW = (
    value("Services that answer", "short", f"count(group by (job) (up{{{ALL}}} == 1))", stat=True),
    value("Dead letters that wait", "short", f"sum(esteira_dead_letters_open{{{ALL}}})", stat=True),
    value("Effects that nobody knows about", "short", f'sum(esteira_effects{{{ALL}, state="unknown"}})', stat=True),
    value("Instances that answer", "short", f"sum by (job) (up{{{ALL}}})", "{{job}}"),
    rates("Requests by status", "esteira_http_requests_total", "status", INTAKE, "reqps"),
    Panel("Requests: p50, p95, p99", "s", quantiles("esteira_http_request_seconds", INTAKE)),
    rates("Documents read, by outcome", "esteira_ocr_documents_total", "outcome", OCR),
    rates("Calls of endpoints, by outcome", "esteira_webhook_attempts_total", "outcome", OUTREACH),
    rates("Records handled", "esteira_records_total", "job", ALL),
    value("Lag", "short", f"sum by (job) (esteira_consumer_lag_records{{{ALL}}})", "{{job}}"),
    value("Oldest unhandled record", "s", f"max by (job) (esteira_oldest_unhandled_seconds{{{ALL}}})", "{{job}}"),
    value("Parked records", "short", f"sum by (job) (esteira_parked_records{{{ALL}}})", "{{job}}"),
    value("Servers behind us", "short", f"min by (dependency) (esteira_dependency_up{{{ALL}}})", "{{dependency}}",
          "1: it answers everybody."),
    rates("Outages noticed", "esteira_dependency_outages_total", "dependency, code", ALL,
          note="Empty until the first one."),
    Panel("Back-pressure", "s", (
        Query(f"max(esteira_upload_wait_seconds{{{INTAKE}}})", "a document taken now is read in"),
        Query(f"max(esteira_back_pressure{{{INTAKE}}})", "on"))),
    value("Oldest event to publish", "s", f"max by (job) (esteira_outbox_oldest_seconds{{{ALL}}})", "{{job}}"),
    value("Certificates end", "s", f"min by (job, certificate) (esteira_tls_certificate_expiry_timestamp_seconds{{{ALL}}}) - time()",
          "{{job}} {{certificate}} in", "Empty without TLS."),
    value("Processor", "percentunit", rate("process_cpu_seconds_total", "job", ALL), "{{job}}"),
    value("Resident memory", "bytes", f"sum by (job) (process_resident_memory_bytes{{{ALL}}})", "{{job}}"),
    Panel("Spans", "short", (
        Query(rate("esteira_spans_exported_total", "job", ALL), "{{job}} taken a second"),
        Query(rate("esteira_spans_dropped_total", "job, reason", ALL), "{{job}} lost: {{reason}}"),
        Query(f"sum by (job) (esteira_spans_waiting{{{ALL}}})", "{{job}} waiting")), "Empty without traces."),
)

CONVEYOR = (
    value("Lag", "short", f"sum by (job) (esteira_consumer_lag_records{{{ALL}}})", "{{job}}"),
    value("Lag that more workers could take", "short", f"sum by (job) (esteira_consumer_runnable_lag_records{{{ALL}}})",
          "{{job}}"),
    value("Partitions owned", "short", f"sum by (job) (esteira_consumer_partitions{{{ALL}}})", "{{job}}"),
    value("Oldest unhandled record", "s", f"max by (job) (esteira_oldest_unhandled_seconds{{{ALL}}})", "{{job}}"),
    value("Watermark stands", "s", f"max by (job) (esteira_consumer_watermark_still_seconds{{{ALL}}})", "{{job}}"),
    value("Oldest record that could run", "s", f"max by (job) (esteira_oldest_runnable_seconds{{{ALL}}})", "{{job}}"),
    value("Rebalances", "short", f"sum by (job) (increase(esteira_consumer_rebalances_total{{{ALL}}}[5m]))", "{{job}}"),
    Panel("Partitions that stand still", "short", (
        Query(f"sum by (job) (esteira_consumer_held_partitions{{{ALL}}})", "{{job}} held"),
        Query(f"sum by (job) (esteira_consumer_braked_partitions{{{ALL}}})", "{{job}} braked"))),
    value("Logs cut in an hour", "short", f"sum by (job) (increase(esteira_consumer_cuts_total{{{ALL}}}[1h]))",
          "{{job}}"),
    rates("Passed over: types of other readers", "esteira_consumer_passed_total", "topic, group", ALL),
    value("Parked records", "short", f"sum by (job, state) (esteira_parked_records{{{ALL}}})", "{{job}} {{state}}"),
    value("Brakes on", "short", f"sum by (job) (esteira_brakes_open{{{ALL}}})", "{{job}}"),
    value("Records in memory", "bytes", f"sum by (job) (esteira_window_bytes{{{ALL}}})", "{{job}}"),
    rates("Records by outcome", "esteira_records_total", "outcome", ALL),
    Panel("Time in the handler", "s", quantiles("esteira_handler_seconds", ALL, "type")),
    rates("Failed tries by class", "esteira_record_failures_total", "class", ALL),
    value("Dead letters that wait", "short", f"sum by (job, class) (esteira_dead_letters_open{{{ALL}}})",
          "{{job}} {{class}}"),
    value("Oldest of them", "s", f"max by (job) (esteira_dead_letter_oldest_seconds{{{ALL}}})", "{{job}}"),
    rates("Given up, by class", "esteira_dead_letters_total", "class", ALL),
    rates("Events published", "esteira_outbox_published_total", "job", ALL),
    Panel("Events to publish", "short", (
        Query(f"sum by (job) (esteira_outbox_events{{{ALL}}})", "{{job}}"),)),
    Panel("From an event's row to its delivery", "s", quantiles("esteira_outbox_delay_seconds", ALL)),
    value("Kafka answers", "short", f'min by (job) (esteira_dependency_up{{{ALL}, dependency="kafka"}})', "{{job}}"),
)

BOARDS = {"overview": ("Esteira: overview", OVERVIEW), "conveyor": ("Esteira: conveyor and Kafka", CONVEYOR)}
BOARDS.update({service.name: (service.title, service.panels + tuple(common(service))) for service in SERVICES})


# --- Grafana's form ---

def target(query, letter, stat):
    """One question of a panel."""
    return {"refId": letter, "expr": query.expr, "legendFormat": query.legend or "__auto",
            "instant": stat, "range": not stat}


def panel(number, place, drawn):
    """One panel; place: its corner."""
    stat = drawn.stat
    return {
        "id": number, "title": drawn.title, "description": drawn.note, "type": "stat" if stat else "timeseries",
        "datasource": {"type": "prometheus", "uid": "${datasource}"},
        "gridPos": {"x": place[0], "y": place[1], "w": WIDTH, "h": STAT_HEIGHT if stat else HEIGHT},
        "fieldConfig": {"defaults": {"unit": drawn.unit}, "overrides": []},
        "options": {} if stat else {"legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
                                    "tooltip": {"mode": "multi", "sort": "desc"}},
        "targets": [target(query, chr(ord("A") + i), stat) for i, query in enumerate(drawn.queries)],
    }


def board(name, title, panels):
    """A board: numbers first, then lines, three to a row."""
    drawn, y = [], 0
    for kind in (True, False):
        some = [p for p in panels if p.stat is kind]
        height = STAT_HEIGHT if kind else HEIGHT
        for i, one in enumerate(some):
            drawn.append(panel(len(drawn) + 1, (i % COLUMNS * WIDTH, y + i // COLUMNS * height), one))
        y += -(-len(some) // COLUMNS) * height
    return {
        "uid": f"esteira-{name}", "title": title, "tags": ["esteira"], "schemaVersion": 39, "version": 1,
        "editable": False, "graphTooltip": 1, "refresh": "30s", "timezone": "browser",
        "time": {"from": "now-6h", "to": "now"},
        "links": [{"title": "Esteira", "type": "dashboards", "tags": ["esteira"], "asDropdown": True,
                   "includeVars": True, "keepTime": True}],
        "templating": {"list": [{"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Data"}]},
        "panels": drawn,
    }


def files():
    """path -> text of every board."""
    return {FOLDER / f"{name}.json": json.dumps(board(name, *drawn), indent=1, ensure_ascii=False) + "\n"
            for name, drawn in BOARDS.items()}


def main(argv):
    """Returns the exit code."""
    return settle({**dict.fromkeys(FOLDER.glob("*.json")), **files()}, argv)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
