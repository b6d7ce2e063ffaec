"""A tenant with something of every kind, and what of it nobody else may ever see."""
import contextlib
import json
import struct
import uuid

import belt
import hooks
import psycopg2
import rig

SECRET = "Segredo da alfa: conta 7781-4"
JSON = {"Content-Type": "application/json"}
URL = "https://hooks.alfa-privada.example.com/entrada"
EVENT = {"specversion": "1.0", "type": "partner.charge.requested.v1", "source": "/erp",
         "data": {"charge_id": "alfa-c-1", "kind": "pix", "amount_cents": 778114, "due_date": "2026-12-01"}}
LETTERS = ("intake", "ocr", "audit", "outreach")


class Victim:
    """Everything of one tenant, by name; ids are what a stranger would have to guess."""

    def __init__(self, plant, slug="alfa"):
        self.plant, self.slug, self.client, self.ids = plant, slug, plant.client(slug), {}
        self.tenant = plant.tenant_id(slug)
        self.ids["key"] = plant.keys[slug][3:11]
        plant.ids = {name: plant.tenant_id(name) for name in plant.keys}
        self.keys, self.done_pdf = [belt.fresh_key(), belt.fresh_key()], belt.tiny_pdf(SECRET)
        self.event = {**EVENT, "id": f"alfa-{uuid.uuid4()}"}

    def fill(self):
        """A job that is done, one that waits for as long as hold() says, events, endpoints, letters."""
        self.ids["done"] = self.client.send(self.done_pdf, key=self.keys[0])
        assert self.client.ended(self.ids["done"])["status"] == "completed"
        self.client.trail(self.ids["done"], "PURGED")
        self.plant.stack.stop_one("ocr-1")
        self.ids["pending"] = self.client.send(belt.tiny_pdf(SECRET, 2000), key=self.keys[1])
        self.hold()
        answer = self.client.call("POST", "/v1/events", 202, json.dumps(self.event), JSON)
        self.ids["event"] = answer.json()["items"][0]["id"]
        endpoint = hooks.post(self.client, "/v1/webhooks", {"url": URL, "description": SECRET}, 201).json()
        self.ids["endpoint"] = endpoint["id"]
        self.ids["delivery"] = hooks.add_delivery(self.plant, endpoint["id"], self.slug, state="failed",
                                                  attempts=((500, None),))
        for schema in LETTERS:
            self.ids[f"letter-{schema}"] = self._letter(schema)
        return self

    def hold(self):
        """Somebody has a claim to the waiting job, so ocr leaves it alone and does all others."""
        event = belt.wait_for("the record of a job", lambda: self.record("pending"), 30)
        with psycopg2.connect(self.plant.stack.psql_url()) as conn, conn.cursor() as cur:
            cur.execute("INSERT INTO ocr.claim (grp, event_id, tenant_id, owner, lease_until) SELECT grp, %s, %s,"
                        " 'a test', now() + interval '1 day' FROM ocr.fence LIMIT 1",
                        (rig.header(event, "ce_id"), self.tenant))
            assert cur.rowcount == 1
        self.plant.start("ocr")

    def release(self):
        """The waiting job is read like any other."""
        self.plant.stack.psql("DELETE FROM ocr.claim WHERE owner = 'a test'")
        self.plant.stack.stop_one("ocr-1")
        self.plant.start("ocr")

    def _letter(self, schema):
        """As the frame writes one."""
        letter, event = str(uuid.uuid4()), str(uuid.uuid4())
        headers = {"ce_specversion": "1.0", "ce_id": event, "ce_type": "audit.entry.recorded.v1",
                   "ce_source": "/esteira/test", "ce_time": "2026-11-21T12:00:00Z", "ce_tenantid": self.tenant}
        packed = b"".join(struct.pack(">H", len(name)) + name.encode() + struct.pack(">I", len(value)) + value.encode()
                          for name, value in headers.items())
        row = {"id": letter, "grp": f"esteira.{schema}", "topic": f"esteira.{schema}.jobs", "part": 0,
               "off": uuid.uuid4().int % 10 ** 15, "event_id": event, "tenant_id": self.tenant,
               "ordering_key": event, "error_class": "record", "error_code": "superseded",
               "error_message": "why it died", "attempts": 3, "handler_version": "9.9.9", "headers": packed,
               "key": self.tenant.encode(), "payload": SECRET.encode()}
        with psycopg2.connect(self.plant.stack.psql_url()) as conn, conn.cursor() as cur:
            cur.execute(f"INSERT INTO {schema}.dead_letter ({', '.join(row)})"
                        f" VALUES ({', '.join(['%s'] * len(row))})", list(row.values()))
        return letter

    def texts(self):
        """What must not be in any answer to somebody else."""
        return [*self.ids.values(), self.tenant, *self.keys, SECRET, URL, self.event["id"], "778114"]

    def leaked(self, answer):
        """Which of it is in this answer."""
        said = answer.body.decode("utf-8", "replace") + repr(answer.headers)
        return [text for text in self.texts() if text in said]

    def state(self):
        """What nobody else may change either."""
        mine = f"tenant_id = '{self.tenant}'"
        one = f"{mine} AND delivery_id = '{self.ids['delivery']}'"  # outreach goes on with its own
        tables = {"intake.jobs": mine, "intake.api_keys": mine, "intake.webhook_endpoints": mine, "outreach.deliveries": one,
                  "outreach.attempts": one, **{f"{schema}.dead_letter": mine for schema in LETTERS}}
        found = {table: self.plant.stack.psql(f"SELECT t FROM {table} t WHERE {where} ORDER BY 1")
                 for table, where in tables.items()}
        found["objects"] = [key for key in self.plant.objects() if key.startswith(self.tenant)]
        return found

    def record(self, job):
        """The record of a job in ocr.jobs, if it is there."""
        for _, message in self.plant.records(("ocr.jobs",)):
            if json.loads(message.value())["job_id"] == self.ids.get(job, job):
                return message
        return None

    def paths(self, job):
        """The signed paths of a job, which only ocr is told."""
        return json.loads(belt.wait_for(f"the record of {job}", lambda: self.record(job), 30).value())


@contextlib.contextmanager
def filled(plant):
    """The tenant "alfa" of a suite, full; its waiting job is let go afterwards."""
    victim = Victim(plant)
    try:
        yield victim.fill()
    finally:
        victim.release()
