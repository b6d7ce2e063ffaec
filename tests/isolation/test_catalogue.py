"""Break one thing at a time, and the checks of test_rows must say so: the rules about the catalogue,
and, where a role can feel it, the rows themselves."""
import collections

import catalogue
import mutations
import pytest
import rows


def feel(cur, near, role=None):
    """What is violated by the rows of a relation and its views, or by the functions."""
    runner = rows.Pretender(cur)
    if near == mutations.FUNCTIONS:
        return list(rows.try_functions(cur, runner))
    return list(rows.try_all(cur, runner, rows.relations_near(cur, near), role)) if near else []


@pytest.fixture(name="cur")
def make_cur(planted):
    """A superuser's cursor in a transaction that is rolled back."""
    with rows.superuser(planted) as cur:
        yield cur


def test_unbroken_it_is_green(cur):
    assert catalogue.violations(cur) == []
    assert rows.violations(cur, rows.Pretender(cur)) == []


def test_every_mutation_is_noticed(cur):
    table, missed = collections.defaultdict(lambda: [0, 0, 0]), []
    for mutation, rules in mutations.every(catalogue.read(cur)):
        cur.execute("SAVEPOINT whole")
        cur.execute(mutation.sql)
        by_rules, by_rows = catalogue.violations(cur, rules), feel(cur, mutation.near, mutation.role)
        cur.execute("ROLLBACK TO whole; RELEASE whole")
        line = table[mutation.kind]
        line[0] += 1
        line[1] += bool(by_rules)
        line[2] += bool(by_rows)
        if not (by_rules or by_rows) or (mutation.felt and not by_rows):
            missed.append(f"{mutation.kind}: {mutation.sql}")
    print(f"\n{'mutation':32} {'made':>6} {'rules':>6} {'rows':>6}")
    for kind, line in table.items():
        print(f"{kind:32} {line[0]:6} {line[1]:6} {line[2]:6}")
    print(f"{sum(line[0] for line in table.values())} mutations")
    assert not missed, "\n".join(missed)
    assert sum(line[0] for line in table.values()) > 200
    assert catalogue.violations(cur) == []  # nothing of them stays
