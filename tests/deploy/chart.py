"""helm/esteira as the tests ask it: rendered, and its refusals."""
import functools
import json
import os
import pathlib
import subprocess

import judge

CHART = judge.ROOT / "helm/esteira"
FILES = ("values.yaml", *sorted(path.name for path in CHART.glob("values-*.yaml")))
PLANNED = tuple(name for name in FILES if "dev" not in name)  # those that scale
MONITORS = "monitoring.coreos.com/v1"
SERVICES = ("intake", "ocr", "outreach", "audit")

# One more service: one values entry and nothing else.
BILLING = {"services.billing": {
    "topics": ["billing.commands"], "wires": ["seal"], "scaling": {"by": "lag", "min": 2, "max": 12}, "connections": 5,
    "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}}}}
OTHER_WAYS = {
    "monitored": ({}, ("--api-versions", MONITORS)),
    "scram": ({"kafka.security": "sasl_ssl"}, ()),
    "transit": ({"seal.mode": "transit", "seal.transit.url": "https://bao:8200", "seal.hasOldMaster": True,
                 "seal.transit.ca.existingSecret": "bao"}, ()),
    "front": ({"ingress.enabled": True, "ingress.host": "api.example.com", "ingress.tlsSecret": "t",
               "http": {"tlsSecret": "i", "clientCaSecret": "c", "proxies": "10.0.0.0/8"}, "outreachCa.existingSecret": "o"}, ()),
    "billing": (BILLING, ()),
    "traces": ({"traces.endpoint": "https://collector:4318", "traces.sampleRatio": 0.01, "traces.ca.existingSecret": "c",
                "traces.headers.existingSecret": "{service}-otlp"}, ()),
    "roles": ({"migrations.rolePasswordsSecret": "esteira-roles", "postgres.pooler.host": "pooler"}, ()),
}


def command(verb, *arguments, chart=CHART):
    """helm VERB esteira CHART ... for the version of Kubernetes that the schemas are of."""
    return [str(judge.TOOLS / "helm"), verb, "esteira", str(chart), "--kube-version", judge.KUBERNETES,
            *map(str, arguments)]


def options(name, values):
    """-f and --set-json of a values file and what is changed in it: {"kafka.partitions": 3}."""
    return ["-f", CHART / name, *(word for path, value in values.items()
                                  for word in ("--set-json", f"{path}={json.dumps(value)}"))]


@functools.lru_cache(maxsize=None)
def _rendered(name, values, more, chart):
    done = subprocess.run(command("template", *options(name, json.loads(values)), *more, chart=chart),
                          capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def text(name="values.yaml", values=None, *more, chart=CHART):
    """What helm template prints."""
    return _rendered(name, json.dumps(values or {}), more, chart)


def objects(name="values.yaml", values=None, *more, chart=CHART):
    """{(kind, component or name): object}."""
    found = {}
    for thing in judge.documents(text(name, values, *more, chart=chart)):
        key = (thing["kind"], thing["metadata"]["name"].removeprefix("esteira-"))
        assert key not in found, key
        found[key] = thing
    return found


def refusal(name="values.yaml", values=None):
    """What helm says when it does not render."""
    done = subprocess.run(command("template", *options(name, values or {})), capture_output=True, text=True,
                          check=False, timeout=60)
    assert done.returncode != 0, "it was rendered"
    return done.stderr


def pod(thing):
    """The pod's specification."""
    spec = thing["spec"]
    if thing["kind"] == "CronJob":
        spec = spec["jobTemplate"]["spec"]
    return spec if thing["kind"] == "Pod" else spec["template"]["spec"]


def pods(things):
    """(name, specification) of everything that runs."""
    return [(f"{kind}/{name}", pod(thing)) for (kind, name), thing in things.items()
            if kind in ("Deployment", "Job", "CronJob", "Pod")]


def files(spec):
    """path in the container -> (kind of source, its name, key), of the projected volume."""
    found = {}
    (mount,) = [m for m in spec["containers"][0]["volumeMounts"] if m["name"] == "conf"]
    (volume,) = [v for v in spec["volumes"] if v["name"] == "conf"]
    for source in volume["projected"]["sources"]:
        (kind, what), = source.items()
        for item in what.get("items", ()):
            path = str(pathlib.PurePath(mount["mountPath"], item["path"]))
            assert path not in found, path
            found[path] = (kind, what["name"], item["key"])
    return mount["mountPath"], found


def environment(spec):
    """name -> value of what is given by value."""
    return {entry["name"]: entry["value"] for entry in spec["containers"][0]["env"] if "value" in entry}


def ways():
    """Everything a service may be told: each values file, and the other ways."""
    yield from ((name, name, {}) for name in FILES)
    yield from ((way, "values.yaml", values) for way, (values, _) in OTHER_WAYS.items())


def content_of(path, pair):
    """Something like what the file has to hold."""
    if "seal-master" in path:
        return os.urandom(32)
    if path.endswith((".crt", ".pem", ".key")):
        return pathlib.Path(pair.key if "key" in pathlib.PurePath(path).name else pair.cert).read_bytes()
    return b"value"
