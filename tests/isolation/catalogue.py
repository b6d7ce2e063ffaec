"""Rules about what the catalogue says, held against rights.py: each yields its violations as text."""
import rights

TENANT = ("(tenant_id = ( SELECT (NULLIF(current_setting('app.current_tenant'::text, true), ''::text))::uuid"
          ' AS "nullif"))')
ERASING = ("(EXISTS ( SELECT FROM intake.tenants t WHERE ((t.tenant_id = {}.tenant_id) AND"
           " (t.state = 'erasing'::text))))")
VERB = {"SELECT": "S", "INSERT": "I", "UPDATE": "U", "DELETE": "D", "r": "S", "a": "I", "w": "U", "d": "D"}
HERE = "n.nspname IN ('intake', 'ocr', 'audit', 'outreach')"

QUERIES = {
    "relations": f"""
        SELECT n.nspname || '.' || c.relname AS name, c.relkind::text AS kind, c.relrowsecurity AS enabled,
            c.relforcerowsecurity AS forced, pg_get_userbyid(c.relowner)::text AS owner,
            coalesce('security_invoker=true' = ANY (c.reloptions), false) AS invoker,
            ARRAY(SELECT attname::text FROM pg_attribute a WHERE a.attrelid = c.oid AND attnum > 0
                AND NOT attisdropped ORDER BY attnum) AS columns
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE {HERE} AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') ORDER BY 1""",
    "triggers": f"""
        SELECT n.nspname || '.' || c.relname AS name, t.tgname::text AS trigger, t.tgenabled::text AS fires
        FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE {HERE} AND NOT t.tgisinternal""",
    "grants": f"""
        SELECT n.nspname || '.' || c.relname AS name, a.attname::text AS col,
            CASE x.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(x.grantee)::text END AS role,
            x.privilege_type AS privilege
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        CROSS JOIN LATERAL (SELECT NULL::name AS attname, c.relacl AS acl
            UNION ALL SELECT attname, attacl FROM pg_attribute WHERE attrelid = c.oid AND attacl IS NOT NULL) a
        CROSS JOIN LATERAL aclexplode(a.acl) x
        WHERE {HERE} AND x.grantee <> c.relowner""",
    "policies": f"""
        SELECT n.nspname || '.' || c.relname AS name, p.polname::text AS policy, p.polpermissive AS permissive,
            p.polcmd::text AS cmd,
            CASE r.role WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(r.role)::text END AS role,
            regexp_replace(pg_get_expr(p.polqual, p.polrelid), '\\s+', ' ', 'g') AS qual,
            regexp_replace(pg_get_expr(p.polwithcheck, p.polrelid), '\\s+', ' ', 'g') AS with_check
        FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        CROSS JOIN LATERAL unnest(p.polroles) r(role) WHERE {HERE}""",
    "reads": f"""
        SELECT n.nspname || '.' || v.relname AS view, tn.nspname || '.' || t.relname AS name,
            array_agg(DISTINCT a.attname::text) AS columns
        FROM pg_rewrite w JOIN pg_class v ON v.oid = w.ev_class JOIN pg_namespace n ON n.oid = v.relnamespace
        JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid AND d.refobjsubid > 0
        JOIN pg_class t ON t.oid = d.refobjid AND t.oid <> v.oid JOIN pg_namespace tn ON tn.oid = t.relnamespace
        JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid
        WHERE {HERE} AND d.refclassid = 'pg_class'::regclass GROUP BY 1, 2""",
    "functions": f"""
        SELECT n.nspname || '.' || p.proname || '(' || array_to_string(ARRAY(SELECT format_type(t, NULL)
                FROM unnest(p.proargtypes) WITH ORDINALITY u(t, i) ORDER BY i), ',') || ')' AS name,
            pg_get_userbyid(p.proowner)::text AS owner, p.prosecdef AS definer, p.proconfig AS config,
            ARRAY(SELECT CASE x.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(x.grantee)::text END
                FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) x
                WHERE x.grantee <> p.proowner) AS callers
        FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE {HERE}""",
    "schemas": """
        SELECT n.nspname::text AS name, pg_get_userbyid(n.nspowner)::text AS owner,
            CASE x.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(x.grantee)::text END AS role,
            x.privilege_type AS privilege
        FROM pg_namespace n LEFT JOIN LATERAL (SELECT * FROM aclexplode(n.nspacl) x
            WHERE x.grantee <> n.nspowner) x ON true
        WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'sqitch')""",
    "roles": """
        SELECT rolname::text AS name, rolcanlogin AS login, rolbypassrls AS bypass,
            rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication AS strong
        FROM pg_roles WHERE rolname LIKE 'esteira\\_%'""",
    "members": """
        SELECT pg_get_userbyid(member)::text AS member, pg_get_userbyid(roleid)::text AS role FROM pg_auth_members
        WHERE pg_get_userbyid(member) LIKE 'esteira\\_%'""",
    "open": """
        SELECT 'the database is open to PUBLIC' AS what FROM pg_database CROSS JOIN LATERAL
            aclexplode(coalesce(datacl, acldefault('d', datdba))) x
            WHERE x.grantee = 0 AND datname = current_database()
        UNION ALL SELECT 'new functions are PUBLIC''s' WHERE NOT EXISTS (SELECT FROM pg_default_acl
            WHERE defaclrole = 'esteira_owner'::regrole AND defaclobjtype = 'f' AND NOT EXISTS (SELECT FROM
            aclexplode(defaclacl) WHERE grantee = 0))""",
}


def read(cur, names=tuple(QUERIES)):
    """What there is now: a list of rows (dicts) per query."""
    found = {}
    for name in names:
        cur.execute(QUERIES[name])
        columns = [c[0] for c in cur.description]
        found[name] = [dict(zip(columns, row)) for row in cur.fetchall()]
    return found


def short(role):
    """A role's name as rights.py writes it."""
    return role.removeprefix("esteira_")


def differ(what, found, wanted):
    """Both directions of a set that is not as declared."""
    for item in sorted(found - wanted, key=str):
        yield f"{what}: {item} is declared nowhere"
    for item in sorted(wanted - found, key=str):
        yield f"{what}: {item} is missing"


def relations(now, declared):
    """Declared, owned, secured."""
    for r in now["relations"]:
        table, name = r["kind"] in "rp", r["name"]
        if r["owner"] != "esteira_owner":
            yield f"{name}: belongs to {r['owner']}"
        if table and not r["enabled"]:
            yield f"{name}: row security is not enabled"
        if table and not r["forced"]:
            yield f"{name}: row security is not forced"
        if r["kind"] == "v" and not r["invoker"]:
            yield f"{name}: runs with its owner's rights"
        if r["kind"] in "mf":
            yield f"{name}: neither a table nor a view"
        if r["kind"] != "S" and name not in declared and not rights.is_week(name):
            yield f"{name}: has no line in rights.py"
        if table and "tenant_id" not in r["columns"] and name.split(".")[1] not in rights.WITHOUT_TENANT:
            yield f"{name}: has no tenant_id"
    for name in rights.INSERT_ONLY:  # ALWAYS: in a session that calls itself a replica, too
        if (name, "insert_only", "A") not in {(t["name"], t["trigger"], t["fires"]) for t in now["triggers"]}:
            yield f"{name}: its rows can be changed"
    yield from differ("relation", set(), set(declared) - {r["name"] for r in now["relations"]})


def granted(now):
    """({(relation, role): verbs}, {(relation, role, verb): columns}); what is no verb by its name."""
    whole, some = {}, {}
    for g in now["grants"]:
        verb, role = VERB.get(g["privilege"], f" {g['privilege']} "), short(g["role"])
        if g["col"] is None:
            whole.setdefault((g["name"], role), set()).add(verb)
        else:
            some.setdefault((g["name"], role, verb), set()).add(g["col"])
    return whole, some


def grants(now, declared):
    """Exactly the declared rights, table by table and column by column."""
    whole, some = granted(now)
    found = {(name, role, verb) for (name, role), verbs in whole.items() for verb in verbs}
    found |= {(name, role, verb.lower()) for name, role, verb in some}
    wanted = {(name, role, verb) for name, line in declared.items() for role, verbs in line.items()
              if role not in rights.NOLOGIN[:1] for verb in verbs.lstrip("*")}
    yield from differ("grant", found, wanted)
    for (name, role, verb), columns in some.items():
        yield from differ(f"{verb} of {role} on {name}", columns, expected_columns(now, whole, (name, role, verb)))


def expected_columns(now, whole, place):
    """Which columns a small letter stands for."""
    if place in rights.COLUMNS:
        return set(rights.COLUMNS[place].split())
    name, role, _ = place
    if role == "operator":
        return {c for r in now["relations"] if r["name"] == name for c in r["columns"]} - set(rights.CONTENT)
    return {c for r in now["reads"] if r["name"] == name and (r["view"], role) in whole for c in r["columns"]}


def policies(now, declared):
    """Each right has the permissive policy that it needs, a tenant's role the restrictive one; no other."""
    by_place = {}
    for p in now["policies"]:
        by_place.setdefault((p["name"], short(p["role"])), []).append(p)
    tables = [r["name"] for r in now["relations"] if r["kind"] in "rp"]
    wanted = {(name, role): verbs for name in tables for role, verbs in declared.get(name, {}).items()}
    for name in filter(rights.is_week, tables):
        home = name.split(".")[0]
        wanted.update({(name, role): "*SIUD" for role in (home, f"frame_{home}")})
    yield from differ("policies", set(by_place), set(wanted))
    for (name, role), verbs in wanted.items():
        yield from of_role(name, role, verbs, by_place.get((name, role), []))


def of_role(name, role, verbs, found):
    """The policies of one role on one table."""
    for verb in verbs.lstrip("*").upper():
        quals = [p["qual"] if p["qual"] is not None else p["with_check"] for p in found
                 if p["permissive"] and (p["cmd"] == "*" or VERB[p["cmd"]] == verb)]
        condition = rights.CONDITIONS.get((name, role, verb))
        if quals != [condition or "true"]:
            yield f"{name}: {verb} of {role} is let through by {quals}"
    walls = {(p["cmd"], p["qual"], p["with_check"]) for p in found if not p["permissive"]}
    wanted = set() if verbs.startswith("*") else {("*", TENANT, TENANT)}
    if (name, role) in rights.ERASERS:
        wanted.add(("d", ERASING.format(name.split(".")[1]), None))
    if walls != wanted:
        yield f"{name}: the tenant policy of {role} is {walls}"


def functions(now, _declared):
    """Whose they are, whose rights they run with, who calls them, and that nobody bends their names."""
    wanted, found = rights.functions(), {f["name"]: f for f in now["functions"]}
    yield from differ("function", set(found), set(wanted))
    for name, f in found.items():
        owner, runs, callers = wanted.get(name, (None, None, set()))
        if not any(c.startswith("search_path=") and c.rstrip('"').endswith("pg_temp") for c in f["config"] or []):
            yield f"{name}: search_path is not pinned"
        if short(f["owner"]) != owner:
            yield f"{name}: belongs to {f['owner']}"
        if f["definer"] != (runs == "definer"):
            yield f"{name}: runs with other rights than declared"
        yield from differ(f"callers of {name}", {short(c) for c in f["callers"]}, callers)


def schemas(now, declared):
    """Who has a right in a schema may enter it; nobody makes anything there."""
    found = {(s["name"], short(s["role"]), s["privilege"]) for s in now["schemas"] if s["role"]}
    inside = {(name.split(".")[0], role) for name, line in declared.items() for role in line}
    inside |= {(name.split(".")[0], role) for name, (_, _, callers) in rights.functions().items() for role in callers}
    yield from differ("schema", found, {(home, role, "USAGE") for home, role in inside
                                        if role not in (*rights.BYPASS, "owner")})
    yield from differ("schema", {(s["name"], s["owner"]) for s in now["schemas"] if s["name"] != "public"},
                      {(home, "esteira_owner") for home in rights.SCHEMAS})


def roles(now, _declared):
    """The roles, what they can do by themselves, and through others."""
    services = [role for home in rights.SCHEMAS for role in (home, f"frame_{home}")]
    yield from differ("role", {(short(r["name"]), r["login"], r["bypass"]) for r in now["roles"]},
                      {(name, name not in rights.NOLOGIN, name in rights.BYPASS)
                       for name in ("operator", *services, *rights.NOLOGIN, *rights.BYPASS)})
    for r in now["roles"]:
        if r["strong"]:
            yield f"role {r['name']}: superuser, or makes roles or databases, or replicates"
    yield from differ("member", {(short(m["member"]), m["role"]) for m in now["members"]}, rights.MEMBERS)
    yield from (row["what"] for row in now["open"])


# Each with the queries that it wants the answers of.
RULES = {relations: ("relations", "triggers"), grants: ("relations", "grants", "reads"),
         policies: ("relations", "policies"), functions: ("functions",), schemas: ("schemas",),
         roles: ("roles", "members", "open")}


def violations(cur, rules=tuple(RULES)):
    """What these rules say of every object."""
    now = read(cur, {name for rule in rules for name in RULES[rule]})
    return [text for rule in rules for text in rule(now, rights.relations())]
