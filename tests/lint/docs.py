#!/usr/bin/env python3
"""The tree names no package registry's host and no path of somebody's machine; links in the pages lead
somewhere."""
import re

from lintlib import ROOT, files, judge, line_of, text

# in brackets, so that this file does not name them either
HOSTS = (r"repo\d?[.]maven|maven[.]org|maven[-]central|pypi[.]|python[h]osted|npmjs[.]|crates[.]io|ruby[g]ems"
         r"|proxy[.]golang|(?:deb|security|snapshot)[.]debian|archive[.]ubuntu|docker[.]io|ghcr[.]io|quay[.]io"
         r"|[cg]cr[.]io|arti[f]actory")
MACHINE = r"(?<![\w.$}<])/(?:work|home/[a-z]+|Users|tmp/(?:build|brief|bash))\b/?"
BINARY = (".png", ".jpg", ".pdf", ".gz", ".jar", ".ico")
LINK = re.compile(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)")


def places():
    for path in files(""):
        if path.endswith(BINARY) or "/corpus/" in path:
            continue
        whole = text(path)
        for what, pattern in (("a registry's host", HOSTS), ("a path of a machine", MACHINE)):
            for match in re.finditer(pattern, whole):
                yield f"{path}:{line_of(whole, match.start())}: {what}: {match.group()}"
        if not path.endswith(".md"):
            continue
        for match in LINK.finditer(whole):
            if not ((ROOT / path).parent / match.group(1)).exists():
                yield f"{path}:{line_of(whole, match.start())}: a link to nowhere: {match.group(1)}"


judge(places())
