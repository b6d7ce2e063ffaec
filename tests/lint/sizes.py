#!/usr/bin/env python3
"""Files of at most 500 lines, structs of at most 14 members. Functions are measured by tidy."""
import re

from lintlib import code, files, judge, line_of, sources, text

FILE_LINES, STRUCT_MEMBERS = 500, 14


def members(body):
    """Declarators at the top level of a struct's body."""
    count = depth = 0
    for char in body:
        depth += {"{": 1, "(": 1, "[": 1, "}": -1, ")": -1, "]": -1}.get(char, 0)
        count += depth == 0 and char in ";,"
    return count


def body_of(whole, start):
    depth = 1
    for at in range(start, len(whole)):
        depth += {"{": 1, "}": -1}.get(whole[at], 0)
        if depth == 0:
            return whole[start:at]
    return ""


def places():
    for path in files(".c", ".h", ".py", ".sh"):
        lines = text(path).count("\n")
        if lines > FILE_LINES:
            yield f"{path}: {lines} lines, more than {FILE_LINES}"
    for path in sources():
        whole = code(path)
        for match in re.finditer(r"^\s*(?:static\s+)?struct\s+(\w+)\s*\{", whole, re.M):
            count = members(body_of(whole, match.end()))
            if count > STRUCT_MEMBERS:
                line = line_of(whole, match.end())
                yield f"{path}:{line}: struct {match.group(1)} has {count} members, more than {STRUCT_MEMBERS}"


judge(places())
