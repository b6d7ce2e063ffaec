#!/usr/bin/env python3
"""SQL stands in store.c of a service, in frame/ and in port/pg; nobody else speaks it."""
import re

from lintlib import judge, sources, strings

SQL = re.compile(r"^(\\n|\\t|\s)*(SELECT\s|INSERT INTO\s|UPDATE\s+[\w.]+\s+SET\b|DELETE FROM\s|WITH\s+\w+\s+AS"
                 r"|MERGE INTO\s|(BEGIN|COMMIT|ROLLBACK)\b|SAVEPOINT\s|SET (LOCAL|SESSION)\s|LISTEN\s"
                 r"|NOTIFY\s|(CREATE|ALTER|DROP) (TABLE|INDEX|ROLE|SCHEMA)\b)")
HOME = re.compile(r"^(services/.*/(\w+_)?store(_\w+)?\.c|libshared/frame/\w+\.[ch]|libshared/port/pg\w*\.c)$")

judge(f"{path}:{line}: SQL outside store.c: {inside[:40]}"
      for path in sources() if not HOME.match(path)
      for line, inside in strings(path) if SQL.match(inside))
