#!/usr/bin/env python3
"""Functions that are not called, here or in tests: unbounded, stateful, ambiguous, or a shell."""
from lintlib import files, grep, judge

BANNED = """
strcpy strcat stpcpy strncpy strncat sprintf vsprintf gets strtok scanf fscanf
atoi atol atoll atof rand srand random srandom drand48 system popen alloca strdupa setjmp longjmp
sigsetjmp siglongjmp mktemp tmpnam tempnam asctime ctime gmtime localtime getpwnam getpwuid
gethostbyname inet_ntoa vfork bcopy bzero strlcpy
""".split()
PATTERN = r"(?<![\w.>])(%s)\s*\(" % "|".join(BANNED)

judge(place for path in files(".c", ".h", under=("libshared", "services", "tests"))
      for place in grep(path, PATTERN, "{} is banned"))
