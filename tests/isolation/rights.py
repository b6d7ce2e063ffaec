"""Who may do what, declared: the small table that the catalogue and the rows are held against.

A word is ROLE:VERBS without "esteira_". Verbs are S I U D; small letters: of some columns only. A
star before them: across tenants; without it one tenant at a time. A relation or function that a
migration adds is a violation until it has its line here.
"""
import functools
import re

SCHEMAS = ("intake", "ocr", "audit", "outreach")
BYPASS = {"migrator": "*SIUD", "backup": "*S"}  # BYPASSRLS, by a stock role: no grant of their own
NOLOGIN = ("owner", "lookup")
MEMBERS = {("backup", "pg_read_all_data"), ("migrator", "pg_read_all_data"), ("migrator", "pg_write_all_data")}

# About partitions or partners, not about tenants.
WITHOUT_TENANT = ("fence", "progress", "attempt", "partners", "plans", "cursor_key")
SINGLE = ("intake.cursor_key",)  # one row there is, and no more
INSERT_ONLY = ("audit.audit_logs", "audit.operations")  # by trigger, for every role
CONTENT = ("key", "headers", "payload")  # of records: never the operator's

FRAME = """
inbox        HOME:*SIUD frame_HOME:*SIUD operator:*S
outbox       HOME:*SI   frame_HOME:*SIUD operator:*s
effect       HOME:*SIUD frame_HOME:*SIUD operator:*S
claim        HOME:*SIUD frame_HOME:*SIUD operator:*S
fence        HOME:*SIUD frame_HOME:*SIUD operator:*S
progress     HOME:*SIUD frame_HOME:*SIUD operator:*S
replay       HOME:*SIUD frame_HOME:*SIUD operator:*S
attempt      HOME:*SIUD frame_HOME:*SIUD operator:*S
parked       HOME:*SIUD frame_HOME:*SIUD operator:*s owner:*SIUD
dead_letter  HOME:*SIUD frame_HOME:*SIUD operator:*s owner:*SU
erasures     HOME:SIU
v1_handled       intake:S
v1_dead_letters  intake:S
v1_erasures      intake:S
"""
# What intake may read of the others' frame tables, through the views above.
NEIGHBOUR = {"inbox": " intake:s", "dead_letter": " intake:s", "erasures": " intake:s"}

OWN = """
intake.tenants            intake:S ocr:s outreach:s frame_intake:*S frame_ocr:*s frame_audit:*s frame_outreach:*s lookup:*s owner:*SU
intake.api_keys           intake:SIDu lookup:*s
intake.plans              lookup:*S
intake.tenant_keys        intake:SD ocr:s outreach:s owner:*SU
intake.cursor_key         frame_intake:*S
intake.partners           frame_intake:*S owner:*SD
intake.partner_tenants    frame_intake:*S owner:*SD
intake.jobs               intake:SIUD ocr:s frame_intake:*SU
intake.idempotency        intake:SID frame_intake:*SD
intake.deliveries         intake:SID
intake.ip_addresses       intake:SID owner:*SD
intake.webhook_endpoints  intake:SIUD outreach:s
intake.v1_tenants             frame_intake:*S frame_ocr:*S frame_audit:*S frame_outreach:*S
intake.v1_open_jobs           ocr:S
intake.v1_tenant_keys         intake:S ocr:S outreach:S
intake.v1_webhook_endpoints   outreach:S
audit.audit_logs          audit:SI intake:s
audit.operations          audit:SI
audit.v1_entries              intake:S
outreach.deliveries       outreach:SIUD intake:s frame_outreach:*sD
outreach.attempts         outreach:SI intake:S
outreach.v1_deliveries        intake:S
outreach.v1_attempts          intake:S
"""
# Columns of a small letter. The operator's are all but CONTENT; those of who reads a view are the
# ones the view reads; the others:
COLUMNS = {
    ("intake.tenants", "lookup", "S"): "tenant_id slug state deadline_s plan",
    ("intake.api_keys", "intake", "U"): "expires_at revoked_at",
    ("intake.api_keys", "lookup", "S"): "tenant_id key_id key_hash partner scopes expires_at revoked_at lineage",
    ("outreach.deliveries", "frame_outreach", "S"): "tenant_id delivery_id endpoint_id event_id round created_at",
}
# Permissive policies that let through less than everything, with what they ask for.
ERASING = "(state = ANY (ARRAY['erasing'::text, 'erased'::text]))"
OF_ERASING = "(EXISTS ( SELECT FROM intake.tenants t WHERE (t.tenant_id = tenant_keys.tenant_id)))"
CONDITIONS = {
    ("intake.tenants", "owner", "S"): ERASING,
    ("intake.tenant_keys", "owner", "S"): OF_ERASING,
    ("intake.tenant_keys", "owner", "U"): OF_ERASING,
    ("intake.idempotency", "frame_intake", "D"): "(created_at < (now() - '14 days'::interval))",
    ("intake.ip_addresses", "owner", "S"): "(created_at < (now() - '6 mons'::interval))",
    ("intake.ip_addresses", "owner", "D"): "(created_at < (now() - '6 mons'::interval))",
    ("intake.tenants", "owner", "U"): "(state = 'erasing'::text)",
    ("intake.partner_tenants", "owner", "D"): "(EXISTS ( SELECT FROM intake.tenants t WHERE ((t.tenant_id ="
                                              " partner_tenants.tenant_id) AND (t.state = 'erasing'::text))))",
}
# Who deletes rows of a tenant, and of one who is being erased alone: a second wall.
ERASERS = {*((f"intake.{table}", "intake") for table in ("api_keys", "tenant_keys", "jobs", "idempotency",
                                                         "deliveries", "ip_addresses")),
           ("outreach.deliveries", "outreach")}

# Function: owner, whose rights it runs with, who may call it.
FUNCTIONS = """
HOME.inbox_maintain()                      owner definer HOME frame_HOME
HOME.role_is_safe()                        owner invoker HOME frame_HOME
HOME.dead_letter_lock(uuid[],uuid,text)    owner invoker
HOME.dead_letter_redrive(uuid[],uuid,text) owner definer frame_HOME operator migrator
HOME.dead_letter_discard(uuid[],uuid,text) owner definer frame_HOME operator migrator
HOME.tenant_redrive(uuid[],text)           owner definer intake
HOME.tenant_discard(uuid[],text)           owner definer intake
intake.key_lookup(bytea)                   lookup definer intake
intake.ip_expire()                         owner definer intake frame_intake
intake.destroy_tenant_keys(uuid)           owner definer intake frame_intake
intake.erasing_tenant()                    owner invoker
intake.partners_erase()                    owner definer intake
intake.tenant_erased()                     owner definer intake
audit.refuse_change()                      owner invoker
"""

# What a made-up row needs beyond its type, as SQL; {n} differs from row to row.
VALUES = {
    "tenants.slug": "'t-{n}'",
    "api_keys.key_id": "'{n:08x}'",
    "api_keys.key_hash": "sha256('{n}')",
    "tenant_keys.version": "{n}",
    "cursor_key.key": "decode(repeat('00', 32), 'hex')",
    "partners.slug": "'p-{n}'",
    "jobs.key_half": "'half'",
    "jobs.expires_at": "now() + interval '1 day'",
    "idempotency.created_at": "now() - interval '1 year'",
    "ip_addresses.created_at": "now() - interval '1 year'",
    "webhook_endpoints.url": "'https://example.com/{n}'",
    "webhook_endpoints.secret": "decode(repeat('00', 60), 'hex')",
    "audit_logs.action": "'RECEIVED'",
    "replay.state": "'done'",
    "parked.reason": "'retry'",
    "api_keys.scopes": "'{{extract}}'",
    "dead_letter.event_id": "gen_random_uuid()",
}


def _lines(text):
    for line in text.strip().splitlines():
        name, *words = line.split()
        yield name, words


@functools.cache
def relations():
    """{"intake.jobs": {"intake": "SIU", ...}}; a weekly partition has none."""
    found = {name: dict(w.split(":") for w in words) for name, words in _lines(OWN)}
    for home in SCHEMAS:
        for name, words in _lines(FRAME):
            line = " ".join(words).replace("HOME", home) + (NEIGHBOUR.get(name, "") if home != "intake" else "")
            found[f"{home}.{name}"] = dict(w.split(":") for w in line.split())
    return found


@functools.cache
def functions():
    """{"intake.key_lookup(bytea)": ("lookup", "definer", {"intake"})}"""
    found = {}
    for name, words in _lines(FUNCTIONS):
        for home in SCHEMAS if "HOME" in name else ("",):
            owner, rights, *callers = [word.replace("HOME", home) for word in words]
            found[name.replace("HOME", home)] = (owner, rights, set(callers))
    return found


def is_week(relation):
    """A weekly partition of the inbox: reached through the inbox alone."""
    return re.fullmatch(r"\w+\.inbox_\d{4}w\d{2}", relation) is not None
