"""What intake asks of Postgres while something is done."""
import collections
import re

import belt


class Statements:
    """What the role esteira_intake asked of Postgres, from the server's own log."""

    def __init__(self, stack):
        self.stack, self.path = stack, stack.path("log/postgres.log")

    def __enter__(self):
        self._set("all")
        return self

    def __exit__(self, *_):
        self._set("none")

    def _set(self, value):
        self.stack.psql(f"ALTER SYSTEM SET log_statement = '{value}'")
        self.stack.psql("SELECT pg_reload_conf()")
        belt.wait_for("log_statement to change", lambda: self.stack.psql(
            "SELECT current_setting('log_statement')").strip() == value)

    def during(self, work):
        """-> how often each statement was asked for while work() ran."""
        with open(self.path, "rb") as f:
            f.seek(0, 2)
            work()
            text = f.read().decode("utf-8", "replace")
        found = re.findall(r"^.*\] esteira_intake LOG:  (?:statement|execute \S+): (.*)$", text, re.M)
        return collections.Counter(found)
