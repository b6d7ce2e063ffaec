#!/usr/bin/python3
"""Makes tests/deploy/schemas anew: JSON Schemas of the kinds that charts and manifests use, for kubeconform -strict.

usage: make_schemas.py FOLDER      where it fetches to; wants go, mvn and a Java of 21 or newer (JAVA_HOME)

Nothing of a cluster and no schema catalog: Kubernetes' own OpenAPI, and the definitions that the operators' sources
carry, out of Go modules and Maven artifacts of the versions below. They lose descriptions, formats and status, say
that members they do not name are errors, and share what they say twice. What a definition says in CEL
(x-kubernetes-validations) is lost as well.
"""
import collections
import json
import os
import pathlib
import subprocess
import sys
import zipfile

import yaml

OUT = pathlib.Path(__file__).resolve().parent / "schemas"
KUBERNETES = "k8s.io/kubernetes@v1.33.4"
NATIVE = {
    "io.k8s.api.core.v1": ("ConfigMap", "LimitRange", "Namespace", "PersistentVolumeClaim", "Pod", "ResourceQuota", "Secret",
                           "Service", "ServiceAccount"),
    "io.k8s.api.apps.v1": ("Deployment", "StatefulSet"),
    "io.k8s.api.batch.v1": ("CronJob", "Job"),
    "io.k8s.api.autoscaling.v2": ("HorizontalPodAutoscaler",),
    "io.k8s.api.networking.v1": ("Ingress", "NetworkPolicy"),
    "io.k8s.api.policy.v1": ("PodDisruptionBudget",),
    "io.k8s.api.rbac.v1": ("ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"),
    "io.k8s.api.scheduling.v1": ("PriorityClass",),
}
SECRETS = "github.com/external-secrets/external-secrets@v1.3.2"
KEDA = "github.com/kedacore/keda/v2@v2.21.0"
MONITORS = "github.com/prometheus-operator/prometheus-operator@v0.85.0"
CRDS = {
    SECRETS: [f"config/crds/bases/external-secrets.io_{kind}.yaml"
              for kind in ("externalsecrets", "clusterexternalsecrets", "secretstores", "clustersecretstores")],
    KEDA: [f"config/crd/bases/keda.sh_{kind}.yaml"
           for kind in ("scaledobjects", "scaledjobs", "triggerauthentications", "clustertriggerauthentications")],
    MONITORS: [f"example/prometheus-operator-crd/monitoring.coreos.com_{kind}.yaml"
               for kind in ("servicemonitors", "podmonitors", "prometheusrules")],
}
# As they are: what compose.yaml and the images' lists of packages are held against.
COMPOSE = "github.com/compose-spec/compose-go/v2@v2.16.2"
SPDX = "1.1.8"
STRIMZI = "1.2.0"
KAFKA = {"Kafka": "kafka.Kafka", "KafkaNodePool": "nodepool.KafkaNodePool", "KafkaTopic": "topic.KafkaTopic",
         "KafkaUser": "user.KafkaUser"}
# providers and generators that nobody here uses would be most of these files
ONLY = {"SecretStore": ("spec", "provider", ("vault", "kubernetes")), "ClusterSecretStore": ("spec", "provider", ("vault", "kubernetes"))}
POM = """<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion><groupId>esteira</groupId>
<artifactId>schemas</artifactId><version>1</version><dependencies><dependency><groupId>io.strimzi</groupId>
<artifactId>crd-generator</artifactId><version>{0}</version></dependency><dependency><groupId>io.strimzi</groupId>
<artifactId>api</artifactId><version>{0}</version></dependency></dependencies></project>
"""
KEPT = ("type", "enum", "pattern", "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems", "required",
        "minProperties", "maxProperties", "const", "uniqueItems", "exclusiveMinimum", "exclusiveMaximum")
INT_OR_STRING = {"oneOf": [{"type": "string"}, {"type": "integer"}]}
NUMBER_OR_STRING = {"oneOf": [{"type": "string"}, {"type": "number"}]}


def go_module(name):
    """Its folder."""
    out = subprocess.run(["go", "mod", "download", "-json", name], check=True, capture_output=True, text=True).stdout
    return pathlib.Path(json.loads(out)["Dir"])


def strict(schema, definitions=None):
    """One schema as ours; references into the definitions are followed."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        if name.endswith(".Quantity"):
            return NUMBER_OR_STRING
        return strict(definitions[name], definitions)
    if schema.get("x-kubernetes-int-or-string") or schema.get("format") == "int-or-string":
        return INT_OR_STRING
    made = {k: schema[k] for k in KEPT if k in schema}
    if "enum" in made:
        made["enum"] = [value for value in made["enum"] if value != ""] or made["enum"]
    for word in ("anyOf", "oneOf", "allOf"):
        if word in schema:
            made[word] = [{k: v for k, v in one.items() if k in KEPT} for one in schema[word]]
    if "items" in schema:
        made["items"] = strict(schema["items"], definitions)
    if "properties" in schema:
        made["properties"] = {k: strict(v, definitions) for k, v in schema["properties"].items()}
    if isinstance(schema.get("additionalProperties"), dict):
        made["additionalProperties"] = strict(schema["additionalProperties"], definitions)
    elif "properties" in schema and not schema.get("x-kubernetes-preserve-unknown-fields"):
        made["additionalProperties"] = False
    return made


def whole(group_version, kind, schema, definitions, metadata):
    """The schema of a document: its apiVersion and kind are these, its metadata Kubernetes', it has no status."""
    made = strict({**schema, "properties": {k: v for k, v in schema["properties"].items() if k not in ("status", "metadata")}},
                  definitions)
    made["properties"] |= {"apiVersion": {"const": group_version}, "kind": {"const": kind},
                           "metadata": strict(metadata, definitions)}
    made["required"] = sorted({*(n for n in made.get("required", ()) if n != "status"), "apiVersion", "kind", "metadata"})
    return made


def mapped(schema, call):
    """A schema with call's answer for each schema right under it; a property may be named like a keyword."""
    made = dict(schema)
    if "properties" in schema:
        made["properties"] = {k: call(v) for k, v in schema["properties"].items()}
    for word in ("items", "additionalProperties"):
        if isinstance(schema.get(word), dict):
            made[word] = call(schema[word])
    return made


def shared(schema):
    """Parts of some size that come twice become definitions."""
    seen, definitions = collections.Counter(), {}

    def text_of(node):
        text = json.dumps(node, sort_keys=True)
        return text if len(text) > 150 else None

    def count(node):
        text = text_of(node)
        if text:
            seen[text] += 1
        if not text or seen[text] == 1:
            mapped(node, count)

    def put(node):
        text = text_of(node)
        if not text or seen[text] < 2:
            return mapped(node, put)
        if text not in definitions:
            definitions[text] = (f"d{len(definitions)}", {})
            definitions[text][1].update(mapped(node, put))
        return {"$ref": f"#/definitions/{definitions[text][0]}"}

    mapped(schema, count)
    made = mapped(schema, put)
    return {**made, "definitions": dict(definitions.values())} if definitions else made


def write(group_version, kind, schema):
    """Under the name that kubeconform looks for; -> that name."""
    group, _, version = group_version.rpartition("/")
    suffix = f"-{group.split('.')[0]}" if group else ""
    path = OUT / f"{kind.lower()}{suffix}-{version}.json"
    path.write_text(json.dumps(shared(schema), sort_keys=True, separators=(",", ":")) + "\n", encoding="utf-8")
    return path.name


def native():
    """(group/version, kind, schema, definitions) of Kubernetes' own."""
    with open(go_module(KUBERNETES) / "api/openapi-spec/swagger.json", encoding="utf-8") as f:
        definitions = json.load(f)["definitions"]
    rows = []
    for package, kinds in NATIVE.items():
        for kind in kinds:
            schema = definitions[f"{package}.{kind}"]
            gvk = schema["x-kubernetes-group-version-kind"][0]
            rows.append(("/".join(filter(None, (gvk["group"], gvk["version"]))), kind, schema))
    return rows, definitions


def strimzi(folder):
    """Its definitions are made of its Java classes by its own generator."""
    (folder / "pom.xml").write_text(POM.format(STRIMZI), encoding="utf-8")
    subprocess.run(["mvn", "-B", "-q", "-f", folder / "pom.xml", "dependency:copy-dependencies",
                    f"-DoutputDirectory={folder}/lib"], check=True)
    java = os.path.join(os.environ.get("JAVA_HOME", "/usr"), "bin/java")
    made = [f"io.strimzi.api.kafka.model.{name}={folder / kind}.yaml" for kind, name in KAFKA.items()]
    subprocess.run([java, "-cp", f"{folder}/lib/*", "io.strimzi.crdgenerator.CrdGenerator", "--yaml", *made], check=True)
    return [folder / f"{kind}.yaml" for kind in KAFKA]


def copied(folder):
    """source -> (name, text) of schemas that others keep as such."""
    subprocess.run(["mvn", "-B", "-q", "dependency:copy", f"-Dartifact=org.spdx:tools-java:{SPDX}", f"-DoutputDirectory={folder}"],
                   check=True)
    with zipfile.ZipFile(folder / f"tools-java-{SPDX}.jar") as jar:
        spdx = jar.read("resources/spdx-schema-v2.3.json").decode("utf-8")
    return {f"org.spdx:tools-java:{SPDX}": ("spdx-2.3.json", spdx),
            COMPOSE: ("compose.json", (go_module(COMPOSE) / "schema/compose-spec.json").read_text(encoding="utf-8"))}


def definitions_of(path):
    """(group/version, kind, schema) of every served version."""
    for crd in yaml.safe_load_all(path.read_text(encoding="utf-8")):
        spec = crd["spec"]
        kind = spec["names"]["kind"]
        for version in spec["versions"]:
            schema = version["schema"]["openAPIV3Schema"]
            if kind in ONLY:
                *way, kept = ONLY[kind]
                node = schema
                for step in way:
                    node = node["properties"][step]
                node["properties"] = {k: v for k, v in node["properties"].items() if k in kept}
            if version["served"] and not version.get("deprecated"):
                yield f"{spec['group']}/{version['name']}", kind, schema


def main(folder):
    """Fetch, convert, write, and say of what."""
    folder.mkdir(parents=True, exist_ok=True)
    OUT.mkdir(exist_ok=True)
    rows, definitions = native()
    metadata = {"$ref": "#/definitions/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"}
    files = {module: [go_module(module) / path for path in paths] for module, paths in CRDS.items()}
    files[f"io.strimzi:api:{STRIMZI}"] = strimzi(folder)
    for old in OUT.glob("*.json"):
        old.unlink()
    made = {KUBERNETES: [write(gv, kind, whole(gv, kind, schema, definitions, metadata)) for gv, kind, schema in rows]}
    for source, paths in files.items():
        made[source] = [write(gv, kind, whole(gv, kind, schema, definitions, metadata))
                        for path in paths for gv, kind, schema in definitions_of(path)]
    for source, (name, text) in copied(folder).items():
        (OUT / name).write_text(json.dumps(json.loads(text), separators=(",", ":")) + "\n", encoding="utf-8")
        made[source] = [name]
    with open(OUT / "SOURCES.md", "w", encoding="utf-8") as f:
        f.write("# Where these schemas come from\n\nMade by `tests/deploy/make_schemas.py`. All of them are Apache-2.0, as "
                "[ours](../../../LICENSE).\n\n| source | schemas |\n|---|---|\n")
        f.writelines(f"| `{source}` | {', '.join(sorted(names))} |\n" for source, names in made.items())


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(pathlib.Path(sys.argv[1]).resolve())
