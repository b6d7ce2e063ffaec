#!/usr/bin/env python3
"""No macro language: TRY alone hides control flow, SCOPED alone hides a cleanup (both in base/err.h)."""
import re

from lintlib import code, judge, line_of, sources

DEFINE = re.compile(r"^[ \t]*#[ \t]*define[ \t]+(\w+)((?:[^\n]*\\\n)*[^\n]*)", re.M)
CONTROL = re.compile(r"\b(return|goto|break|continue|if|else|for|while|do|switch)\b")


def places():
    for path in sources():
        whole = code(path)
        for match in DEFINE.finditer(whole):
            name, body = match.groups()
            at_home = path == "libshared/base/err.h" and name in ("TRY", "SCOPED")
            hidden = CONTROL.search(body) or re.search(r"\bcleanup\b", body)
            if hidden and not at_home:
                yield f"{path}:{line_of(whole, match.start())}: {name} hides '{hidden.group()}'"


judge(places())
