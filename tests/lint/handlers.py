#!/usr/bin/env python3
"""Handlers take memory from the message's arena and catch, sleep and retry nothing; decide.c is pure: no
memory, clock, randomness, log, file or socket."""
import re

from lintlib import grep, judge, sources

HEAP = r"\b(malloc|calloc|realloc|reallocarray|free|strdup|strndup|asprintf|vasprintf)\s*\("
WAITS = r"\b(sleep|usleep|nanosleep|sigaction|pthread_\w+|kafka_\w*(?:poll|commit)\w*)\s*\("
WORLD = (r"\b(clock_(?:wall|mono)\w*|time|gettimeofday|clock_gettime|getrandom|digest_random|id_v7|log_\w+"
         r"|LOG|printf|fprintf|open|fopen|read|write|socket|getenv)\s*\(")


def places():
    for path in sources(".c"):
        if re.search(r"services/.*/(handle|decide)(_\w+)?\.c$", path):
            yield from grep(path, HEAP, "{} in a handler: memory comes from the arena")
            yield from grep(path, WAITS, "{} in a handler: waiting is the frame's")
        if re.search(r"services/.*/decide(_\w+)?\.c$", path):
            yield from grep(path, WORLD, "{} in decide.c, which is pure")


judge(places())
