"""Every way to break the isolation of one object of the catalogue, made from the catalogue itself."""
from typing import NamedTuple

import catalogue
import rights

FUNCTIONS = "()"
SERVICES = [f"esteira_{home}" for home in rights.SCHEMAS]


class Mutation(NamedTuple):
    """kind: line of the table that is printed. sql: what somebody did. near: the relation whose rows may
    show it, or FUNCTIONS, or None. felt: they must show it, not the rules alone. role: to whom."""
    kind: str
    sql: str
    near: str = None
    felt: bool = False
    role: str = None


def of_tables(now):
    """Row security off, another owner."""
    for r in now["relations"]:
        name, home = r["name"], r["name"].split(".")[0]
        if r["kind"] in "rp":
            walled = any(not verbs.startswith("*") for verbs in rights.relations().get(name, {}).values())
            yield Mutation("not enabled", f"ALTER TABLE {name} DISABLE ROW LEVEL SECURITY", name, walled)
            yield Mutation("not forced", f"ALTER TABLE {name} NO FORCE ROW LEVEL SECURITY", name)
            yield Mutation("owned by a service", f"ALTER TABLE {name} OWNER TO esteira_{home}", name)
        if r["kind"] == "v":
            yield Mutation("view of its owner's", f"ALTER VIEW {name} SET (security_invoker = false)", name)
            yield Mutation("view of its owner's", f"ALTER VIEW {name} RESET (security_invoker)", name)


def of_policies(now):
    """Dropped, weakened, widened, narrowed."""
    whole, some = catalogue.granted(now)
    reached = set(whole) | {(name, role) for name, role, _ in some}
    for p in now["policies"]:
        name, place, role = p["name"], f"{p['policy']} ON {p['name']}", catalogue.short(p["role"])
        nobody = role in rights.NOLOGIN  # felt by who calls its functions
        near, felt = FUNCTIONS if nobody else name, nobody or (name, role) in reached
        to = None if nobody else role
        yield Mutation("policy dropped" if p["permissive"] else "tenant policy dropped", f"DROP POLICY {place}",
                       near, felt, to)
        yield Mutation("policy of another", f"ALTER POLICY {place} TO esteira_backup", near, felt, to)
        if p["permissive"]:
            yield Mutation("policy to everybody", f"ALTER POLICY {place} TO PUBLIC", name)
            continue
        if p["cmd"] == "d":  # the second wall, of who is being erased
            yield Mutation("erasing policy weakened", f"ALTER POLICY {place} USING (true)", name, True, role)
            continue
        yield Mutation("tenant policy weakened", f"ALTER POLICY {place} USING (true) WITH CHECK (true)", name, True, role)
        yield Mutation("tenant policy reads all", f"ALTER POLICY {place} USING (true)", name, True, role)
        verbs = rights.relations()[name][role]
        yield Mutation("tenant policy writes all", f"ALTER POLICY {place} WITH CHECK (true)", name, "I" in verbs, role)
        yield Mutation("tenant policy of reads only", f"DROP POLICY {place}; CREATE POLICY {p['policy']} ON {name} AS"
                       f" RESTRICTIVE FOR SELECT TO {p['role']} USING {catalogue.TENANT}", name, "I" in verbs, role)
        yield Mutation("tenant policy of the session", f"ALTER POLICY {place} USING (tenant_id = NULLIF("
                       "current_setting('app.tenant', true), '')::uuid)", name, True, role)


def of_grants(now):
    """One right too few, one too many."""
    declared = rights.relations()
    for g in now["grants"]:
        column = f" ({g['col']})" if g["col"] else ""
        yield Mutation("column taken away" if column else "right taken away",
                       f"REVOKE {g['privilege']}{column} ON {g['name']} FROM {g['role']}",
                       None if column else g["name"], not column, catalogue.short(g["role"]))
    for r in now["relations"]:
        name = r["name"]
        yield Mutation("right of everybody", f"GRANT SELECT ON {name} TO PUBLIC")
        if r["kind"] not in "rp":
            continue
        yield Mutation("right to truncate", f"GRANT TRUNCATE ON {name} TO esteira_{name.split('.')[0]}")
        for role in SERVICES:
            held = declared.get(name, {}).get(catalogue.short(role), "").upper()
            more = [verb for verb, letter in catalogue.VERB.items() if len(verb) > 1 and letter not in held]
            if more:
                yield Mutation("right too many", f"GRANT {', '.join(more)} ON {name} TO {role}", name,
                               bool(held) and more != ["SELECT"], catalogue.short(role))


def of_functions(now):
    """Another owner, other rights, loose names, other callers."""
    for f in now["functions"]:
        name = f["name"]
        yield Mutation("function: names loose", f"ALTER FUNCTION {name} RESET search_path")
        yield Mutation("function: names of the caller", f"ALTER FUNCTION {name} SET search_path = pg_temp, intake")
        yield Mutation("function of a superuser", f"ALTER FUNCTION {name} OWNER TO postgres")
        yield Mutation("function: other rights",
                       f"ALTER FUNCTION {name} SECURITY {'INVOKER' if f['definer'] else 'DEFINER'}")
        yield Mutation("function of everybody", f"GRANT EXECUTE ON FUNCTION {name} TO PUBLIC", FUNCTIONS)
        for role in f["callers"]:
            yield Mutation("function: caller taken away", f"REVOKE EXECUTE ON FUNCTION {name} FROM {role}",
                           FUNCTIONS, True)


def of_roles(now):
    """Roles that can do more, alone or through others; schemas and the database."""
    for r in now["roles"]:
        for change in ("SUPERUSER", "CREATEROLE", "CREATEDB", "REPLICATION",
                       "NOBYPASSRLS" if r["bypass"] else "BYPASSRLS", "NOLOGIN" if r["login"] else "LOGIN"):
            yield Mutation("role: attribute", f"ALTER ROLE {r['name']} {change}")
        for other in ("esteira_owner", "esteira_backup", "pg_write_all_data", "pg_execute_server_program"):
            if (catalogue.short(r["name"]), other) not in rights.MEMBERS and r["name"] != other:
                yield Mutation("role: member of another", f"GRANT {other} TO {r['name']}")
    for s in now["schemas"]:
        if s["role"]:
            yield Mutation("schema closed", f"REVOKE {s['privilege']} ON SCHEMA {s['name']} FROM {s['role']}")
    for home in rights.SCHEMAS:
        yield Mutation("schema of everybody", f"GRANT USAGE ON SCHEMA {home} TO PUBLIC")
        yield Mutation("schema to make things in", f"GRANT CREATE ON SCHEMA {home} TO esteira_{home}")
        yield Mutation("schema of a service", f"ALTER SCHEMA {home} OWNER TO esteira_{home}")
    yield Mutation("schema to make things in", "GRANT CREATE ON SCHEMA public TO PUBLIC")
    yield Mutation("database of everybody", "DO $$ BEGIN EXECUTE format('GRANT TEMP ON DATABASE %I TO PUBLIC',"
                   " current_database()); END $$")
    yield Mutation("new functions of everybody", "ALTER DEFAULT PRIVILEGES FOR ROLE esteira_owner GRANT EXECUTE ON"
                   " FUNCTIONS TO PUBLIC")


def of_trails(_now):
    """What is insert-only can be changed."""
    for name in rights.INSERT_ONLY:
        for change in ("DISABLE TRIGGER insert_only", "ENABLE TRIGGER insert_only", "ENABLE REPLICA TRIGGER insert_only"):
            yield Mutation("trail can be changed", f"ALTER TABLE {name} {change}", name)
        yield Mutation("trail can be changed", f"DROP TRIGGER insert_only ON {name}", name, True)


def of_newcomers(_now):
    """What a later migration might add and forget to declare or to protect."""
    for home in rights.SCHEMAS:
        table = f"SET LOCAL ROLE esteira_owner; CREATE TABLE {home}.fresh (tenant_id uuid, id uuid); RESET ROLE;"
        safe = f"{table} ALTER TABLE {home}.fresh ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY"
        yield Mutation("new table", table)
        yield Mutation("new table", safe, f"{home}.fresh")
        yield Mutation("new view", f"SET LOCAL ROLE esteira_owner; CREATE VIEW {home}.v1_fresh WITH (security_invoker ="
                       f" true) AS SELECT 1 AS one; RESET ROLE")
        yield Mutation("new view", f"CREATE MATERIALIZED VIEW {home}.fresh AS SELECT * FROM {home}.inbox")
        yield Mutation("new function", f"CREATE FUNCTION {home}.fresh() RETURNS int LANGUAGE sql AS 'SELECT 1'")
        yield Mutation("new policy", f"CREATE POLICY fresh ON {home}.inbox TO esteira_operator USING (true)",
                       f"{home}.inbox")
    yield Mutation("new role", "CREATE ROLE esteira_fresh LOGIN")
    yield Mutation("new schema", "CREATE SCHEMA fresh AUTHORIZATION esteira_owner")


ACCESS = (catalogue.relations, catalogue.policies)
RIGHTS = (catalogue.relations, catalogue.grants)
# Which rules are asked about which mutations: all of them for each would take minutes.
MAKERS = {of_tables: ACCESS, of_policies: ACCESS, of_grants: RIGHTS, of_functions: (catalogue.functions,),
          of_roles: (catalogue.schemas, catalogue.roles), of_trails: ACCESS, of_newcomers: catalogue.RULES}


def every(now):
    """(mutation, rules) of all of them, for what the catalogue holds now."""
    return [(mutation, rules) for maker, rules in MAKERS.items() for mutation in maker(now)]
