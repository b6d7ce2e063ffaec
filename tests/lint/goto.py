#!/usr/bin/env python3
"""goto goes down to a cleanup, in port/ (where foreign handles are undone in order), or not at all."""
import re

from lintlib import code, judge, line_of, sources


def places():
    for path in sources(".c"):
        whole = code(path)
        for match in re.finditer(r"\bgoto\s+(\w+)\s*;", whole):
            end = re.compile(r"^}", re.M).search(whole, match.start())
            label = rf"^\s*{match.group(1)}\s*:"
            below = re.search(label, whole[match.end():end.start() if end else None], re.M)
            if not path.startswith("libshared/port/"):
                yield f"{path}:{line_of(whole, match.start())}: goto outside port/"
            elif not below:
                yield f"{path}:{line_of(whole, match.start())}: goto upwards"


judge(places())
