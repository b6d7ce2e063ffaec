"""Two tenants with a row in every table, made from the catalogue, and what each role meets there.

try_all() runs every role's SELECT, INSERT, UPDATE and DELETE on every relation as tenant A and as
nobody, and yields what came out otherwise than rights.py says.
"""
import contextlib
import itertools
from typing import NamedTuple

import psycopg2
import rights

A, B = "a0000000-0000-4000-8000-000000000000", "b0000000-0000-4000-8000-000000000000"
C = "c0000000-0000-4000-8000-000000000000"  # is being erased
OF_TYPE = {
    "uuid": "gen_random_uuid()", "text": "'x{n}'", "integer": "{n}", "bigint": "{n}", "bytea": "'x'",
    "timestamp with time zone": "now()", "inet": "'192.0.2.1'", "jsonb": "'{{}}'", "text[]": "'{{}}'",
    "boolean": "false", "real": "1", "smallint": "1", "date": "now()"}
COLUMNS = """
    SELECT n.nspname || '.' || c.relname, c.relname, a.attname, format_type(a.atttypid, NULL), a.attidentity <> '',
        a.attnotnull AND NOT a.atthasdef AND a.attidentity = ''
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE n.nspname = ANY (%s) AND c.relkind IN ('r', 'p') AND NOT c.relispartition ORDER BY 1, a.attnum"""


@contextlib.contextmanager
def superuser(stack):
    """A cursor in a transaction that is rolled back."""
    with contextlib.closing(psycopg2.connect(stack.psql_url())) as conn:
        conn.autocommit = True
        with conn.cursor() as cur:
            cur.execute("BEGIN")
            yield cur
            cur.execute("ROLLBACK")


class Table(NamedTuple):
    """name; keyed: has tenant_id; plain: a column that can be set; needs: (column, SQL with {n})."""
    name: str
    keyed: bool
    plain: str
    needs: list


class Answer(NamedTuple):
    """rows: what came back, or how many were touched; or the error."""
    rows: list
    count: int
    state: str
    text: str


def tables(cur):
    """Every table but the weekly partitions, as {name: Table}."""
    cur.execute(COLUMNS, (list(rights.SCHEMAS),))
    found = {}
    for name, columns in itertools.groupby(cur.fetchall(), lambda row: row[0]):
        columns = list(columns)
        needs = []
        for _, table, column, kind, _, needed in columns:
            value = rights.VALUES.get(f"{table}.{column}")
            if column != "tenant_id" and (needed or value):
                assert value or kind in OF_TYPE, f"{name}.{column}: a value for {kind} is wanted in rights.py"
                needs.append((column, value or OF_TYPE[kind]))
        keyed = any(column[2] == "tenant_id" for column in columns)
        plain = "tenant_id" if keyed else next(c[2] for c in columns if not c[4])
        found[name] = Table(name, keyed, plain, needs)
    return found


NUMBER = itertools.count(1)


def insert(table, tenant):
    """SQL that adds a row, another one each time."""
    number = next(NUMBER)
    columns = [(column, value.format(n=number)) for column, value in table.needs]
    if table.keyed:
        columns.append(("tenant_id", f"'{tenant}'"))
    return (f"INSERT INTO {table.name} ({', '.join(c for c, _ in columns)})"
            f" VALUES ({', '.join(v for _, v in columns)})")


def plant(cur):
    """A row of A and one of B in every table; of the tenants themselves the ones all others are of."""
    cur.execute("SET session_replication_role = replica")  # no order among tables
    for table, tenant in itertools.product(tables(cur).values(), (A, B)):
        if table.name not in rights.SINGLE:
            cur.execute(insert(table, tenant))
    for table in tables(cur).values():
        if table.name == "intake.tenants" or (table.name, table.name.split(".")[0]) in rights.ERASERS:
            cur.execute(insert(table, C))
    cur.execute("UPDATE intake.tenants SET state = 'erasing' WHERE tenant_id = %s", (C,))
    cur.execute("INSERT INTO intake.partners (slug, name) VALUES ('shared', 's'), ('alone', 'a')")
    cur.execute("INSERT INTO intake.partner_tenants (tenant_id, partner) VALUES (%s, 'shared'), (%s, 'shared'),"
                " (%s, 'alone')", (A, C, C))
    cur.execute("SET session_replication_role = origin")


class Pretender:
    """Is every role by SET ROLE, in one transaction of a superuser's; nothing stays."""
    login = False

    def __init__(self, cur):
        self.cur = cur

    def run(self, role, tenant, sql):
        """One statement as that role and tenant (None: none is named)."""
        self.cur.execute(f"SAVEPOINT here; SELECT set_config('app.current_tenant', '{tenant or ''}', true);"
                         f"SET LOCAL ROLE esteira_{role}")
        try:
            return answer(self.cur, sql)
        finally:
            self.cur.execute("ROLLBACK TO here; RELEASE here")


class Logins:
    """Is every role by its own login; nothing stays."""
    login = True

    def __init__(self, stack):
        self.stack, self.conns, self.statements = stack, {}, 0

    def run(self, role, tenant, sql):
        """The same."""
        if role not in self.conns:
            self.conns[role] = psycopg2.connect(self.stack.psql_url(f"esteira_{role}"))
            self.conns[role].autocommit = True
        self.statements += 1
        with self.conns[role].cursor() as cur:
            cur.execute("BEGIN")
            if tenant:
                cur.execute("SELECT set_config('app.current_tenant', %s, true)", (tenant,))
            try:
                return answer(cur, sql)
            finally:
                cur.execute("ROLLBACK")

    def close(self):
        """Every connection."""
        for conn in self.conns.values():
            conn.close()


def answer(cur, sql):
    """What came of a statement."""
    try:
        cur.execute(sql)
    except psycopg2.Error as e:
        return Answer([], 0, e.pgcode, str(e).splitlines()[0])
    return Answer(cur.fetchall() if cur.description else [], cur.rowcount, None, "")


# --- one role on one relation ---

def denied(got):
    """Not granted: refused before any row is looked at."""
    return got.state == "42501" and "permission denied" in got.text


def walled(got):
    """Refused by a policy."""
    return got.state == "42501" and "row-level security policy" in got.text


def passed(got):
    """Policies let it through; a constraint may have stopped it later."""
    return got.state is None or got.state.startswith("23")


class Case(NamedTuple):
    """role: without esteira_. verbs: of rights.py. here: tenants of the rows that there are."""
    runner: object
    role: str
    verbs: str
    here: list


def seen_by(case, tenant):
    """The tenants whose rows that role may meet as that tenant."""
    return case.here if case.verbs.startswith("*") else [t for t in case.here if t == tenant]


def try_select(case, name, column):
    for tenant in (A, None):
        got = case.runner.run(case.role, tenant, f"SELECT {column} FROM {name}")
        if "S" not in case.verbs.upper():
            if not denied(got):
                yield f"may read: {got}"
        elif got.state or sorted(str(row[0]) for row in got.rows) != sorted(map(str, seen_by(case, tenant))):
            yield f"sees other rows as {tenant}: {got}"


def try_insert(case, table):
    for tenant, whose in ((A, A), (A, B), (None, A)):
        got = case.runner.run(case.role, tenant, insert(table, whose))
        if "I" not in case.verbs:
            fine = denied(got)
        elif case.verbs.startswith("*") or tenant == whose:
            fine = passed(got)
        else:
            fine = walled(got)
        if not fine:
            yield f"inserts for {whose} as {tenant}: {got}"


def touch(case, table, verb, sql):
    """UPDATE or DELETE without a condition meets exactly the rows that may be met."""
    for tenant in (A, None):
        got = case.runner.run(case.role, tenant, sql)
        if verb not in case.verbs.upper():
            fine = denied(got)
        elif table.name in rights.INSERT_ONLY:
            fine = got.state == "42501" and "insert-only" in got.text
        elif got.state:
            fine = passed(got) and seen_by(case, tenant)
        elif verb == "D" and (table.name, case.role) in rights.ERASERS:
            fine = got.count == 0  # nobody of those who are tried is being erased
        else:
            fine = got.count == len(seen_by(case, tenant))
        if not fine:
            yield f"{verb} meets other rows as {tenant}: {got}"


def try_update(case, table):
    column = rights.COLUMNS.get((table.name, case.role, "U"), table.plain).split()[0]
    yield from touch(case, table, "U", f"UPDATE {table.name} SET {column} = {column}")
    if "U" in case.verbs.upper() and not case.verbs.startswith("*"):
        got = case.runner.run(case.role, A, f"UPDATE {table.name} SET tenant_id = '{B}'")
        if not (walled(got) if "U" in case.verbs else denied(got)):
            yield f"gives its row to another: {got}"


def try_table(case, table):
    yield from try_select(case, table.name, table.plain)
    yield from try_insert(case, table)
    yield from try_update(case, table)
    yield from touch(case, table, "D", f"DELETE FROM {table.name}")


def login_roles(cur):
    """Every role of the suite that can log in."""
    cur.execute("SELECT rolname FROM pg_roles WHERE rolname LIKE 'esteira\\_%' AND rolcanlogin ORDER BY 1")
    return [row[0].removeprefix("esteira_") for row in cur.fetchall()]


def relations_near(cur, name):
    """The relation and what is read through it or it reads: a partition's parent, a table's views."""
    cur.execute("""
        SELECT DISTINCT v.oid::regclass::text FROM pg_rewrite w JOIN pg_class v ON v.oid = w.ev_class
            JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid
            WHERE d.refobjid = %s::regclass AND v.oid <> %s::regclass
        UNION SELECT inhparent::regclass::text FROM pg_inherits WHERE inhrelid = %s::regclass""", (name,) * 3)
    return [name, *(row[0] for row in cur.fetchall())]


def present(cur, name, column, is_table):
    """What is there, by the superuser's eyes; a view may ask for the tenant itself."""
    cur.execute(f"SELECT {column} FROM {name}")
    found = [row[0] for row in cur.fetchall()]
    if is_table or found:
        return found
    for tenant in (A, B, C):
        cur.execute("SELECT set_config('app.current_tenant', %s, true)", (tenant,))
        cur.execute(f"SELECT {column} FROM {name} WHERE {column} = %s", (tenant,))
        found += [row[0] for row in cur.fetchall()]
    cur.execute("SELECT set_config('app.current_tenant', '', true)")
    return found


def try_all(cur, runner, only=None, one=None):
    """Every role (or that one) on every relation (or those in only). cur is a superuser's, and sees what
    runner's do."""
    known, declared = tables(cur), rights.relations()
    cur.execute("SELECT c.oid::regclass::text, c.relkind IN ('r', 'p') FROM pg_class c JOIN pg_namespace n"
                " ON n.oid = c.relnamespace WHERE n.nspname = ANY (%s) AND c.relkind IN ('r', 'p', 'v') ORDER BY 1",
                (list(rights.SCHEMAS),))
    found = [row for row in cur.fetchall() if only is None or row[0] in only]
    for name, is_table in found:
        keyed = name not in known or known[name].keyed
        here = present(cur, name, "tenant_id" if keyed else known[name].plain, is_table)
        if keyed and not rights.is_week(name) and not {A, B} <= set(here):
            yield f"{name}: has no row of A and of B here, so nothing is shown"
        for role in [one] if one else login_roles(cur):
            if not is_table and role in rights.BYPASS:
                continue  # what it sees of a view is what the view asks for
            verbs = rights.BYPASS.get(role) or declared.get(name, {}).get(role, "")
            case = Case(runner, role, verbs, here)
            cases = try_table(case, known[name]) if name in known else try_select(case, name, "tenant_id")
            yield from (f"{name}: {role} {text}" for text in cases)


# --- functions ---

def columns_of(runner, role, tenant, sql):
    """The first column, or the error."""
    got = runner.run(role, tenant, sql)
    return got.text if got.state else [row[0] for row in got.rows]


def letters(cur, home):
    """Ids of the dead letters of A and of B."""
    cur.execute(f"SELECT id FROM {home}.dead_letter ORDER BY tenant_id")
    return [row[0] for row in cur.fetchall()]


def try_letters(cur, runner, home):
    """A service of one tenant decides about its letters alone; frame role and operator about any."""
    ids = letters(cur, home)
    listed = "ARRAY[" + ", ".join(f"'{i}'" for i in ids) + "]::uuid[]"
    for what, state in (("redrive", "redriving"), ("discard", "discarded")):
        call = f"SELECT letter FROM {home}.%s WHERE outcome = 'done' ORDER BY owner"
        after = f"; SELECT id FROM {home}.%s WHERE state = '{state}' ORDER BY tenant_id"
        for role in (f"frame_{home}", "operator", "migrator"):
            any_tenant = call % f"dead_letter_{what}({listed}, NULL, 'test')"
            for sql in (any_tenant, any_tenant + after % "dead_letter"):
                if (got := columns_of(runner, role, None, sql)) != ids:
                    yield f"{home}.dead_letter_{what}: {role} got {got}"
        own = call % f"tenant_{what}({listed}, 'test')"
        for tenant, sql, wanted in ((A, own, ids[:1]), (A, own + after % "v1_dead_letters", ids[:1]),
                                    (B, own, ids[1:]), (None, own, "no tenant is named")):
            if (got := columns_of(runner, "intake", tenant, sql)) != wanted:
                yield f"{home}.tenant_{what}: as {tenant} {got}"


def try_lookups(cur, runner):
    """Exact hash in, tenant out; nothing of a list."""
    cur.execute("SELECT tenant_id, key_hash FROM intake.api_keys ORDER BY 1")
    for tenant, key_hash in cur.fetchall():
        for start in (key_hash, bytes(key_hash)[:31], b"", bytes(32), None):
            value = "NULL" if start is None else f"'\\x{bytes(start).hex()}'"
            got = columns_of(runner, "intake", None, f"SELECT tenant_id FROM intake.key_lookup({value})")
            if got != ([tenant] if start is key_hash else []):
                yield f"intake.key_lookup({value}): {got}"
    cur.execute("SELECT count(*) FROM intake.ip_addresses WHERE created_at < now() - interval '6 months'")
    old = [cur.fetchone()[0]]
    for role in ("intake", "frame_intake"):
        if columns_of(runner, role, None, "SELECT intake.ip_expire()") != old:
            yield f"intake.ip_expire: {role} does not delete {old}"


def try_destroy(cur, runner):
    """The keys of a tenant that is being erased, and of no other."""
    cur.execute("SAVEPOINT erasing")
    cur.execute("UPDATE intake.tenants SET state = 'erasing' WHERE tenant_id = %s", (A,))
    for role in ("intake", "frame_intake"):
        for tenant, wanted in ((A, [0 if runner.login else 1]), (B, [0])):  # a login does not see the change
            got = columns_of(runner, role, None, f"SELECT intake.destroy_tenant_keys('{tenant}')")
            if got != wanted:
                yield f"intake.destroy_tenant_keys: {role} for {tenant} {got}"
    cur.execute("ROLLBACK TO erasing")


def try_functions(cur, runner):
    """What each is for works, and whoever is not named may not call it."""
    for home in rights.SCHEMAS:
        yield from try_letters(cur, runner, home)
        for role in (home, f"frame_{home}"):
            for call, wanted in (("role_is_safe()", [runner.login]), ("inbox_maintain()", [""])):
                if (got := columns_of(runner, role, None, f"SELECT {home}.{call}")) != wanted:
                    yield f"{home}.{call}: {role} got {got}"
    yield from try_lookups(cur, runner)
    yield from try_destroy(cur, runner)
    yield from try_erasure(runner)
    yield from try_callers(cur, runner)


def try_erasure(runner):
    """What ends a tenant ends him who is being erased, and nobody else."""
    for what, wanted in (("partners_erase()", [3]), ("tenant_erased()", 1)):
        for tenant in (A, C, None):
            got = columns_of(runner, "intake", tenant, f"SELECT * FROM intake.{what}")
            if tenant == C:
                fine = got == wanted if isinstance(wanted, list) else len(got) == wanted
            else:
                fine = got in ([0], [])
            if not fine:
                yield f"intake.{what}: as {tenant} {got}"
    for table, role in sorted(rights.ERASERS):
        got = runner.run(role, C, f"DELETE FROM {table}")
        if got.state or got.count != 1:
            yield f"{table}: {role} cannot erase {C}: {got}"


def try_callers(cur, runner):
    """Every function, by every role that is not named."""
    for name, (_, _, callers) in rights.functions().items():
        start, _, kinds = name[:-1].partition("(")
        call = f"{start}({', '.join(f'NULL::{kind}' for kind in kinds.split(',') if kind)})"
        for role in set(login_roles(cur)) - callers:
            got = runner.run(role, A, f"SELECT {call}")
            if not (denied(got) or "trigger functions can only be called" in got.text):
                yield f"{name}: {role} may call it: {got}"


def violations(cur, runner):
    """All that came out otherwise than declared."""
    return [*try_all(cur, runner), *try_functions(cur, runner)]
