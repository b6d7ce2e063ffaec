"""What the tests of webhooks share. No outreach runs in them: what it would write is written as the superuser, what
it is told is read from its topic."""
import contextlib
import json
import uuid

import psycopg2

import belt
import rig

URL = "https://hooks.example.com/esteira"
SECRET = "whsec_"
JSON = {"Content-Type": "application/json"}
NOBODY = uuid.uuid4()
NIL = uuid.UUID(int=0)


@contextlib.contextmanager
def temporary():
    """Two real tenants and one for tests, intake and audit."""
    with rig.temporary(("alfa", "beta"), ("audit", "intake")) as plant:
        plant.stack.tenant("prova", "Prova", "--test")
        plant.keys["prova"] = plant.stack.key("prova")
        plant.ids = {slug: plant.tenant_id(slug) for slug in plant.keys}
        yield plant


def clean(plant):
    """No endpoints and deliveries are left for the next test."""
    plant.stack.psql("DELETE FROM intake.webhook_endpoints; DELETE FROM outreach.deliveries")


def post(client, path, body, want=None, method="POST", headers=None):
    """A request with a JSON body."""
    raw = body if isinstance(body, (bytes, str)) else json.dumps(body)
    return client.call(method, path, want, raw, JSON if headers is None else headers)


def make(client, **more):
    """A new endpoint, as it was answered."""
    return post(client, "/v1/webhooks", {"url": URL, **more}, 201).json()


def patch(client, endpoint, body, want=200):
    """PATCH; answers the parsed body."""
    return post(client, f"/v1/webhooks/{endpoint}", body, want, "PATCH").json()


def without(row, *names):
    """A copy without these members."""
    return {name: value for name, value in row.items() if name not in names}


def rows(plant, sql, *args):
    """What a query answers to the superuser."""
    with psycopg2.connect(plant.stack.psql_url()) as conn, conn.cursor() as cur:
        cur.execute(sql, args or None)
        return cur.fetchall() if cur.description else None


def add_delivery(plant, endpoint, slug="alfa", age="1 minute", attempts=(), **columns):
    """A row as outreach writes it; attempts: (status, error_code), oldest first. Answers its id."""
    delivery = str(uuid.uuid4())
    row = {"tenant_id": plant.ids[slug], "delivery_id": delivery, "endpoint_id": endpoint,
           "event_id": str(uuid.uuid4()), "event_type": "document.completed", "body": "{}",
           "attempts": len(attempts), **columns}
    rows(plant, f"INSERT INTO outreach.deliveries ({', '.join(row)}, created_at, updated_at) VALUES"
         f" ({', '.join(['%s'] * len(row))}, now() - %s::interval, now() - %s::interval)", *row.values(), age, age)
    for number, (status, code) in enumerate(attempts, 1):
        rows(plant, "INSERT INTO outreach.attempts (tenant_id, delivery_id, number, at, status, error_code, took_ms)"
             " VALUES (%s, %s, %s, now() - %s::interval, %s, %s, 7)",
             plant.ids[slug], delivery, number, age, status, code)
    return delivery


def operations(plant, text, count=1):
    """(action, actor, tenant) of the audit entries whose object names it, when there are as many."""
    sql = ("SELECT action, actor, tenant_id::text FROM audit.operations"
           f" WHERE object LIKE '%{text}%' ORDER BY occurred_at")

    def look():
        found = rows(plant, sql)
        return found if len(found) >= count else None
    return belt.wait_for(f"{count} audit entries of {text}", look, 20)


def actor(plant, slug="alfa"):
    """As the audit names the tenant's key."""
    return f"uk_{plant.keys[slug][3:11]}"


def commands(plant, endpoint, count=1):
    """(type, payload, message) of what outreach is told about an endpoint, when it is as much."""
    def look():
        found = [(rig.header(message, "ce_type"), json.loads(message.value()), message)
                 for _, message in plant.records(("outreach.commands",))]
        mine = [each for each in found if each[1]["endpoint_id"] == endpoint]
        return mine if len(mine) >= count else None
    return belt.wait_for(f"{count} commands about {endpoint}", look, 20, 0.2)


def all_routes(endpoint, delivery):
    """(method, path, scope, body) of every route."""
    one = f"/v1/webhooks/{endpoint}"
    return (("GET", "/v1/webhooks", "webhooks", None), ("POST", "/v1/webhooks", "webhooks", {"url": URL}),
            ("GET", one, "webhooks", None), ("PATCH", one, "webhooks", {"ordered": True}),
            ("POST", one + "/rotate", "webhooks", None), ("POST", one + "/test", "webhooks", None),
            ("POST", one + "/resend", "webhooks", {"state": "failed"}), ("GET", one + "/deliveries", "webhooks", None),
            ("GET", f"{one}/deliveries/{delivery}", "webhooks", None),
            ("POST", f"{one}/deliveries/{delivery}/resend", "webhooks", None),
            ("DELETE", one, "webhooks", None), ("GET", "/v1/health/integrations", "status", None))


def ask(client, method, path, body, want):
    """One of them."""
    return client.call(method, path, want, None if body is None else json.dumps(body), JSON if body is not None else {})
