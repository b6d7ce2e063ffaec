"""docs/network.md of the NetworkPolicies of k8s/base."""
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "k8s"))
# pylint: disable=wrong-import-position
import reach  # noqa: E402


def network_page(note):
    """docs/network.md"""
    rows = {}
    for source, target, port, is_open in reach.paths(reach.policies()):
        if is_open and target.title != "kube-dns":
            rows.setdefault((source, target.title), []).append(str(port))
    parts = [note, "# Who may reach whom in a cluster\n",
             "Worked out of the NetworkPolicies in `k8s/base/network` by `k8s/reach.py`: every path between two kinds of pods that",
             "is open at both ends. All of them may ask `kube-dns`. Whatever is not listed is denied, between",
             "pods of one namespace as well; `tests/deploy/test_network.py` holds all other pairs and ports against that.",
             "Pods outside of the four namespaces are told by the labels in that file ([kubernetes.md](kubernetes.md)).\n",
             "| from | in | to | ports |", "|---|---|---|---|"]
    parts += [f"| {source.title} | {source.namespace and f'`{source.namespace}`'} | {target} | {', '.join(ports)} |"
              for (source, target), ports in rows.items()]
    parts += ["\n*The internet* is every public address, by the same list that `outreach` itself refuses private and special ones by",
              "(`libshared/port/address.c`). *The API server* stands for the private networks it may be in."]
    return "\n".join(parts) + "\n"
