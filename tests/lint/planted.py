#!/usr/bin/env python3
"""The lints themselves: each finds what is planted for it in a small tree, and nothing in the clean one."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

from lintlib import ROOT

HERE = pathlib.Path(__file__).resolve().parent
CLEAN = {
    "libshared/base/err.h": "#define TRY(e) return e\n",
    "tests/unit/x_test.c": "int x;\n",
    "libshared/base/str.h": "int str_len(const char *text);\n",
    "libshared/base/str.c": '#include "base/str.h"\n\nint str_len(const char *text)\n{\n\treturn text[0] != 0;\n}\n',
    "libshared/port/kafka.c": '#include "base/str.h"\n\nint kafka_next(int (*rd_kafka_consumer_poll)(void));\n'
                              "int kafka_next(int (*rd_kafka_consumer_poll)(void))\n{\n"
                              "\treturn rd_kafka_consumer_poll();\n}\n",
    "services/a/handle.c": '#include "base/str.h"\n\n/* malloc(1) in words */\nint handle_x(void);\n'
                           'int handle_x(void)\n{\n\treturn str_len("goto SELECT 1");\n}\n',
    "services/b/events.h": "struct b_event {\n\tint x;\n};\n",
    "README.md": "see [the reader](libshared/base/str.h)\n",
    "dev": "#!/usr/bin/env bash\necho hello\n",
}
FUNCTION = "int str_x(int n);\nint str_x(int n)\n{\n%s\treturn n;\n}\n"
DEEP = "\tif (n) {\n\t\tif (n > 1) {\n\t\t\tif (n > 2) {\n\t\t\t\tif (n > 3) {\n\t\t\t\t\tn++;\n\t\t\t\t}\n\t\t\t}\n\t\t}\n\t}\n"
KNOTTY = "".join(f"\tif (n == {i} && n) {{\n\t\tif (n % {i + 2})\n\t\t\tn++;\n\t}}\n" for i in range(5))

# lint, the file that is added or replaced, its content, what the lint must say
PLANTS = [
    ("layers", "libshared/base/bad.c", '#include "port/kafka.h"\n', "there is no"),
    ("layers", "libshared/base/bad.h", '#include "frame/x.h"\n', "there is no"),
    ("layers", "libshared/base/x.c", '#include "port/y.h"\n', "an arrow back"),
    ("layers", "services/a/x.c", '#include "../b/events.h"\n', "not of this service"),
    ("layers", "services/a/x.c", '#include "events.h"\n', "not of this service"),
    ("layers", "services/a/decide.c", '#include "port/y.h"\n', "is pure"),
    ("layers", "services/a/x.c", "#include <jansson.h>\n", "belongs into"),
    ("layers", "libshared/port/x.h", "#include <uv.h>\n", "in a header"),
    ("headers", "libshared/base/x.h", "static inline size_t x_size(void)\n{\n\treturn 1;\n}\n", "size_t"),
    ("exports", "libshared/base/x.c", "int y_get(void);\nint y_get(void)\n{\n\treturn 1;\n}\n", "exports y_get"),
    ("globals", "libshared/base/x.c", "int x_get(void);\nint x_get(void)\n{\n\tstatic int n;\n\treturn n++;\n}\n", "n.0"),
    ("banned", "services/a/x.c", "int x(char *a)\n{\n\treturn atoi (a);\n}\n", "x.c:3: atoi is banned"),
    ("macros", "libshared/base/x.h", "#define BAIL(x) \\\n\tif (x) \\\n\treturn\n", "BAIL hides 'if'"),
    ("goto", "services/a/x.c", "int x(int a)\n{\n\tgoto end;\nend:\n\treturn a;\n}\n", "outside port"),
    ("goto", "libshared/port/x.c", "int x(int a)\n{\nagain:\n\tif (a)\n\t\tgoto again;\n\treturn a;\n}\n", "upwards"),
    ("sql_place", "services/a/x.c", 'const char *x = "SELECT 1";\n', "SQL outside"),
    ("sql_place", "services/a/x.c", 'const char *x = "\\n"\n"UPDATE a.b SET c = 1";\n', "SQL outside"),
    ("handlers", "services/a/handle.c", "int x(void)\n{\n\treturn malloc(1);\n}\n", "malloc in a handler"),
    ("handlers", "services/a/decide.c", "int x(void)\n{\n\treturn clock_wall_ms();\n}\n", "is pure"),
    ("one_loop", "services/a/x.c", "int x(void)\n{\n\treturn rd_kafka_consumer_poll(a, 1);\n}\n", "a second loop"),
    ("sizes", "libshared/base/x.c", "\n" * 501, "501 lines"),
    ("sizes", "libshared/base/x.h", "struct x {\n" + "\tint a;\n" * 13 + "\tint b, c;\n};\n", "15 members"),
    ("docs", "x.md", "see [it](nowhere.md)\n", "a link to nowhere"),
    ("docs", "x.sh", "cd /" + "home/joe/x\n", "a path of a machine"),
    ("docs", "x.txt", "https://" + "pypi" + ".org/x\n", "a registry's host"),
    ("shell", "x.sh", "#!/bin/bash\nrm $1\n", "SC2086"),
    ("shell", "tool", "#!/bin/bash\nrm $1\n", "SC2086"),
    ("format", "libshared/base/x.c", "int  x;\n", "not formatted"),
    ("tidy", "libshared/base/x.c", FUNCTION % ("\tn++;\n" * 61), "lines"),
    ("tidy", "libshared/base/x.c", FUNCTION % DEEP, "nesting"),
    ("tidy", "libshared/base/x.c", FUNCTION % KNOTTY, "cognitive complexity"),
    ("tidy", "libshared/base/x.c", (FUNCTION % "").replace("int n", "int n, int a, int b, int c, int d, int e"), "parameters"),
    ("tests/lint/allow", "tests/lint/allow.txt", "sizes | libshared/base/str.c | x | none\n", "excuses nothing"),
]


def build(root):
    """What exports, globals and tidy look at."""
    database = []
    for source in sorted(root.glob("libshared/*/*.c")) + sorted(root.glob("services/*/*.c")):
        target = root / f"build/dev/CMakeFiles/x.dir/{source.relative_to(root)}.o"
        target.parent.mkdir(parents=True, exist_ok=True)
        command = f"gcc -w -I{root}/libshared -c {source} -o {target}"
        subprocess.run(command.split(), check=False, capture_output=True)
        database.append({"directory": str(root), "file": str(source), "command": command})
    (root / "build/dev/compile_commands.json").write_text(json.dumps(database))


def run(lint, root):
    path = next(path for path in (HERE / f"{lint}.sh", HERE / f"{lint}.py") if path.exists())
    tool = "bash" if path.suffix == ".sh" else "/usr/bin/python3"
    env = {**os.environ, "LINT_ROOT": str(root), "LINT_BUILD": "build/dev", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([tool, path], env=env, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def tree(folder, more):
    root = pathlib.Path(folder).resolve()
    settings = {name: (ROOT / name).read_text() for name in (".clang-format", ".clang-tidy")}
    for name, content in {**CLEAN, **settings, "libshared/port/y.h": "", **more}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    return root


def complaint(lint, name, content, wanted):
    lint = lint if "/" not in lint else "sizes"
    with tempfile.TemporaryDirectory() as folder:
        root = tree(folder, {name: content})
        if lint in ("exports", "globals", "tidy"):
            build(root)
        code, said = run(lint, root)
        if lint == "format" and "not judged" in said:
            return None
    return None if code == 1 and wanted in said else f"{lint}: missed '{wanted}' in {name}: {said}"


def clean_complaints():
    with tempfile.TemporaryDirectory() as folder:
        root = tree(folder, {})
        build(root)
        for lint in sorted({plant[0] for plant in PLANTS if "/" not in plant[0]}):
            code, said = run(lint, root)
            if code != 0:
                yield f"{lint}: fails the clean tree: {said}"


complaints = [text for text in (complaint(*plant) for plant in PLANTS) if text]
complaints += list(clean_complaints())
print("\n".join(complaints) or f"{len(PLANTS)} plants found")
sys.exit(1 if complaints else 0)
