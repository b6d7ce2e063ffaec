"""The suite with every wire secured, as ./dev up --secure makes it: it does its work, and no wire lets in
whoever shows nothing. Every test of this folder can run so: ESTEIRA_TEST_SECURE=1."""
import contextlib
import datetime
import glob
import json
import os
import socket
import subprocess
import time

import confluent_kafka
import psycopg2
import pytest
from cryptography import x509

import belt
import hooks
from partners import Partner, Tail
from receiver import Receiver, signatures
from scrape import Scrape
from servers import DATABASE
from stack import SERVICES, TOPIC_PREFIX


def end_of(path):
    """When the certificate in that file ends, seconds since 1970."""
    with open(path, "rb") as f:
        return x509.load_pem_x509_certificate(f.read()).not_valid_after.replace(tzinfo=datetime.timezone.utc).timestamp()


def test_a_document_from_upload_to_delivery(secure):
    client = secure.client("alfa")
    assert client.url.startswith("https://")
    job, result = belt.finish(client, client.send(belt.sample("mixed")))
    assert job["pages_ocr"] > 0 and job["pages_text"] > 0 and result["pages"]
    with client.stream(job["job_id"]) as events:
        assert [event.event for event in events][-1] == "completed"
    secure.no_objects()


def test_a_webhook_to_an_endpoint_with_a_certificate(secure):
    with Receiver(secure.stack.server_pair("receiver")) as receiver:
        client = secure.client("prova")
        endpoint = hooks.post(client, "/v1/webhooks", {"url": receiver.url("/done")}, 201).json()
        job = client.send(belt.tiny_pdf("Um documento para quem espera por ele."))
        (call,) = belt.wait_for("the call", lambda: [
            call for call in receiver.got("/done") if call["body"]["type"] == "document.completed"], 60, 0.1)
        assert call["body"]["data"]["job_id"] == job
        assert signatures(call, endpoint["secret"]) == 1
        client.call("DELETE", f"/v1/webhooks/{endpoint['id']}", 204)


def test_a_partners_event_comes_in_under_the_partners_own_certificate(secure):
    secure.events = Tail(secure.stack, "intake.events")
    forn = Partner(secure, "forn", "alfa").known("alfa")
    forn.charge("order-1")
    forn.flush()
    assert secure.events.one("ce_id", forn.id_of("order-1")).topic() == f"{TOPIC_PREFIX}intake.events"


def test_each_service_says_when_its_certificates_end(secure):
    for name in SERVICES:
        ends = {labels["certificate"]: value for metric, labels, value in Scrape(secure.services[f"{name}-1"].admin).samples
                if metric == "esteira_tls_certificate_expiry_timestamp_seconds"}
        shown = {"kafka": secure.stack.client_pair(f"esteira-{name}").cert}
        if name == "intake":
            shown["http"] = secure.stack.authority.path("intake-http.crt")
        assert ends == {which: end_of(path) for which, path in shown.items()}, name


# --- what each wire refuses ---

def test_every_session_of_postgres_is_tls_and_nothing_else_gets_in(secure):
    rows = secure.stack.psql("SELECT DISTINCT usename, ssl, version FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)"
                             " WHERE usename LIKE 'esteira%'").split()
    assert len(rows) >= len(SERVICES) and all(row.endswith("|t|TLSv1.3") for row in rows), rows
    url = secure.stack.psql_url("esteira_audit").split("?")[0]
    with pytest.raises(psycopg2.OperationalError, match="no encryption"):
        psycopg2.connect(f"{url}?sslmode=disable")
    other = secure.stack.server_pair("other-authority").cert  # a certificate, but not who signed the server's
    with pytest.raises(psycopg2.OperationalError, match="certificate"):
        psycopg2.connect(f"{url}?sslmode=verify-full&sslrootcert={other}")
    with pytest.raises(psycopg2.OperationalError, match="does not match"):
        psycopg2.connect(host="other.invalid", hostaddr="127.0.0.1", port=secure.stack.ports["postgres"],
                         dbname=DATABASE, user="esteira_audit", sslmode="verify-full",
                         sslrootcert=secure.stack.authority.ca_file)


@pytest.mark.parametrize("name,sent", [("redis", b"PING\r\n"), ("s3", b"GET / HTTP/1.0\r\n\r\n"),
                                       ("intake-1.http", b"GET /v1/health HTTP/1.1\r\nHost: x\r\n\r\n")])
def test_in_the_clear_nobody_is_served(secure, name, sent):
    with socket.create_connection(("127.0.0.1", secure.stack.ports[name]), 10) as plain:
        plain.settimeout(15)
        plain.sendall(sent)
        with contextlib.suppress(ConnectionResetError):
            answer = plain.recv(4096)
            assert b"PONG" not in answer and b" 200" not in answer


def test_redis_asks_for_its_password(secure):
    tls = secure.stack.tls_context()
    with tls.wrap_socket(socket.create_connection(("127.0.0.1", secure.stack.ports["redis"]), 10),
                         server_hostname="127.0.0.1") as sock:
        sock.sendall(b"PING\r\n")
        assert sock.recv(64).startswith(b"-NOAUTH")


def refused_by_kafka(secure, **changed):
    """Why a client with these settings does not get in."""
    said = []
    conf = {**secure.stack.kafka_client_conf("esteira-audit"), "error_cb": said.append, "log_level": 0, **changed}
    producer = confluent_kafka.Producer(conf)
    with pytest.raises(confluent_kafka.KafkaException):
        producer.list_topics(timeout=3)
    producer.poll(0)
    return " ".join(error.str() for error in said)


def test_kafka_refuses_an_expired_certificate_and_is_refused_under_another_name(secure):
    late = secure.stack.authority.issue("late", client=True, days=-1)
    refused_by_kafka(secure, **{"ssl.certificate.location": late.cert, "ssl.key.location": late.key})
    stranger = secure.stack.server_pair("stranger").cert
    assert "verif" in refused_by_kafka(secure, **{"ssl.ca.location": stranger})


# --- secrets ---

def test_no_password_is_in_an_environment_or_a_command_line(secure):
    stack, pids = secure.stack, [secure.stack.pid(name) for name in secure.stack.state["procs"]]
    words = [stack.secrets["redis"], stack.secrets["s3_secret"], *stack.secrets["roles"].values()]
    for pid in pids:
        for path in (f"/proc/{pid}/environ", f"/proc/{pid}/cmdline"):
            with open(path, "rb") as f:
                text = f.read()
            assert not any(word.encode() in text for word in words), path


def test_files_with_keys_are_their_owners_alone(secure):
    found = [path for end in ("key", "pem", "p12") for path in glob.glob(secure.stack.path(f"tls/*.{end}"))]
    assert len(found) > len(SERVICES)
    assert all(os.stat(path).st_mode & 0o77 == 0 for path in found)


# --- what is set and means nothing ---

@pytest.mark.parametrize("name,value,named", [
    ("ESTEIRA_KAFKA_KEY_FILE", None, "ESTEIRA_KAFKA_KEY_FILE"), ("ESTEIRA_KAFKA_CA_FILE", None, "ESTEIRA_KAFKA_CA_FILE"),
    ("ESTEIRA_KAFKA_CA_FILE", "/nonexistent", "ssl.ca.location"), ("ESTEIRA_KAFKA_SECURITY", "plaintext", "_CA_FILE"),
    ("ESTEIRA_KAFKA_SASL_USER", "x", "ESTEIRA_KAFKA_SASL_USER"), ("ESTEIRA_KAFKA_SECURITY", "sasl_ssl", "_SASL_PASSWORD")])
def test_a_combination_that_means_nothing_ends_the_start(secure, name, value, named):
    env = {**secure.stack.service_env("audit", 1), name: value}
    done = subprocess.run([os.path.join(secure.stack.bin_dir, "esteira-audit")], capture_output=True, text=True, timeout=20,
                          env={key: text for key, text in env.items() if text is not None}, check=False)
    assert done.returncode == 2
    line = json.loads((done.stderr or done.stdout).splitlines()[-1])
    assert line["error_code"] == "bad-config" and named in line["error"]


# --- renewing ---

def test_a_renewed_kafka_certificate_counts_from_the_next_start(secure):
    stack, client = secure.stack, secure.client("alfa")
    stack.authority.issue("esteira-ocr", client=True, days=-1)  # it ran out: who is connected stays so
    assert client.ended(client.send(belt.tiny_pdf("Antes.")))["status"] == "completed"
    stack.authority.issue("esteira-ocr", client=True)
    stack.stop_one("ocr-1")
    began = time.monotonic()
    secure.start("ocr")
    assert client.ended(client.send(belt.tiny_pdf("Depois.")))["status"] == "completed"
    assert time.monotonic() - began < 60
