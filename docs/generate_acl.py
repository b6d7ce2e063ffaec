"""docs/kafka-acl.md of what estctl acl declared prints."""
import json
import subprocess

SLUG = "{slug}"
ORDER = ("READ", "WRITE", "DESCRIBE")


def declared(folder, *more):
    """What estctl says: rows of principal, resource, pattern, name, operation. more: its options."""
    out = subprocess.run([folder / "estctl", "acl", "declared", *more, "--json"], check=True, text=True,
                         capture_output=True, timeout=20, env={"ESTEIRA_KAFKA_BROKERS": "nowhere"}).stdout
    return json.loads(out)


def acl_page(note, folder):
    """docs/kafka-acl.md"""
    allowed = {}
    for row in declared(folder, "--partner", SLUG):
        name = row["name"] + ("*" if row["pattern"] == "PREFIXED" else "")
        allowed.setdefault((row["principal"], row["resource"].lower(), name), []).append(row["operation"])
    parts = [note, "# Who may do what on Kafka\n",
             "Worked out of the topic table (`libshared/frame/topic.c`) by `libshared/frame/acl.c`, and held against",
             "`schemas/asyncapi.yaml` and against a broker with its authorizer on by tests. `estctl acl list` compares a",
             "cluster with it, `estctl acl apply` makes it so: [secure.md](secure.md). `*` at the end is a prefix.\n",
             "| principal | resource | name | operations |", "|---|---|---|---|"]
    for (principal, resource, name), operations in sorted(allowed.items()):
        words = ", ".join(word.capitalize() for word in ORDER if word in operations)
        parts.append(f"| `{principal}` | {resource} | `{name}` | {words} |")
    return "\n".join(parts) + "\n"
