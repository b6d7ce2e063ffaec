#!/usr/bin/python3
"""Reading documents, measured against a shell pipeline on the same pages in the same run.

    ocr.py [check | dense | receipts | corpus | layer | scaling | memory]...

Without a name: all of them. Each prints a ratio beside its least; exit 1 when one is below it.
`check` reads every sample and compares outcome, source of each page and character error rate with
the truth beside it. Needs $ESTEIRA_BIN_DIR (./dev bench ocr sets it).
"""

import json
import os
import pathlib
import resource
import shutil
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "samples"))

import accuracy  # noqa: E402

BIN = pathlib.Path(os.environ.get("ESTEIRA_BIN_DIR", ROOT / "build" / "release" / "bin"))
SAMPLES = pathlib.Path(os.environ.get("ESTEIRA_SAMPLES", ROOT / "var" / "samples"))
DPI = 144  # the first step of services/ocr/decide.c
ROUNDS = 3
ONE_CORE = ["taskset", "-c", "0"]
ENVIRONMENT = {**os.environ, "OMP_THREAD_LIMIT": "1"}


def driver():
    for folder in (BIN, BIN.parent / "tests"):
        if (folder / "ocr_read").exists():
            return str(folder / "ocr_read")
    sys.exit(f"ocr.py: no ocr_read in {BIN} or beside it; build the Release preset first")


def run(command, one_core=True):
    """Runs it to its end; CPU milliseconds of it and all its children, and its output.

    On one core CPU time is the wall time of an idle machine, and a busy one does not disturb it."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run((ONE_CORE if one_core else []) + command, check=True, env=ENVIRONMENT,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return spent * 1000, done.stdout.decode("utf-8", "replace")


def read(names, *options, one_core=True):
    """CPU milliseconds, and what the engine says of each sample, in order of ending."""
    command = [driver(), "--jail", str(BIN / "esteira-ocr-jail"), "--text", *options]
    spent, output = run(command + [str(SAMPLES / f"{name}.pdf") for name in names], one_core)
    return spent, [json.loads(line) for line in output.splitlines()]


def ours(names):
    """The same without what the zygote costs once in a worker's life."""
    spent, documents = read(names, "--recognisers", "1")
    return spent - min(read([])[0] for _ in range(2)), documents


def shell(name, page):
    """One page as a shell would read it: CPU milliseconds and text."""
    pdf = SAMPLES / f"{name}.pdf"
    return run(["sh", "-c", f"pdftoppm -gray -cropbox -r {DPI} -f {page} -l {page} -singlefile "
                f"'{pdf}' | tesseract stdin stdout -l por"])


def truths(name):
    return accuracy.load_truth(SAMPLES / f"{name}.truth.json")


def verdict(what, ratio, least, note=""):
    mark = "ok" if ratio >= least else "BELOW"
    print(f"{what:<34} {ratio:8.2f}x  (at least {least}x)  {mark}  {note}", flush=True)
    return ratio >= least


def versus(what, names, least):
    """The best of some rounds each, taken in turns."""
    shells, own = [], []
    for _ in range(ROUNDS):
        shells.append(sum(shell(name, 1)[0] for name in names))
        own.append(ours(names)[0])
    note = f"shell {min(shells) / len(names):.0f} ms, ours {min(own) / len(names):.0f} ms a page"
    return verdict(what, min(shells) / min(own), least, note)


def bench_dense():
    return versus("dense A4 page", ["dense-1", "dense-2"], 1.03)


def bench_receipts():
    return versus("receipt", ["receipt-2", "receipt-3"], 1.4)


def bench_corpus():
    """A third digital, a third scanned, a third mixed by page."""
    names = ["contract", "contract-scan", "mixed"]
    shells, own = [], []
    for _ in range(ROUNDS):
        pages = [shell(name, page + 1) for name in names for page in range(len(truths(name)))]
        shells.append(sum(spent for spent, _ in pages))
        spent, documents = ours(names)
        own.append(spent)
    truth = [text for name in names for text in truths(name)]
    theirs = accuracy.document_cer(truth, [text for _, text in pages])
    mine = accuracy.document_cer(truth, [p["text"] for one in documents for p in one["pages"]])
    note = f"character error rate: shell {theirs:.4f}, ours {mine:.4f}"
    return verdict("mixed corpus", min(shells) / min(own), 1.5, note) and mine <= theirs


def bench_layer():
    """A page of a long digital document, and a document of one page, against their OCR."""
    ocr = min(shell("forty", page)[0] for page in (1, 2, 3))
    page = min(ours(["forty"] * 5)[0] for _ in range(ROUNDS)) / 200
    times = sorted(one["time_ms"] for one in read(["one-page"] * 40, one_core=False)[1])
    print(f"{'document of one digital page':<34} {times[20]:8.1f} ms p50, {times[0]:.1f} ms least")
    return verdict("text-layer page", ocr / page, 100, f"{page:.2f} ms against {ocr:.0f} ms")


def wall(count):
    """Seconds for the same pages with so many recognisers, without the start of the zygote."""
    names = ["dense-1", "dense-2"] * max(2, count)
    options = ["--recognisers", str(count), "--threads", str(count)]
    start = time.monotonic()
    read(names, *options, one_core=False)
    whole = time.monotonic() - start
    start = time.monotonic()
    read([], one_core=False)
    return (whole - (time.monotonic() - start)) / len(names)


def bench_scaling():
    cores = len(os.sched_getaffinity(0))
    counts = sorted({2 ** k for k in range(1, 8) if 2 ** k <= cores} | {cores} - {1})
    good = True
    for count in counts:
        times = [(wall(1), wall(count)) for _ in range(ROUNDS)]
        ratio = min(one for one, _ in times) / min(many for _, many in times)
        good &= verdict(f"{count} recognisers", ratio, round(0.9 * count, 2), "wants idle cores")
    return good


def bench_memory():
    """The idle zygote: private memory, and its resident size beside it."""
    command = [driver(), "--jail", str(BIN / "esteira-ocr-jail"), "--linger", "3"]
    with subprocess.Popen(command, env=ENVIRONMENT, stdout=subprocess.DEVNULL) as process:
        time.sleep(2)
        children = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
        zygote = children.split()[0]
        status = dict(line.split(":", 1) for line in
                      pathlib.Path(f"/proc/{zygote}/status").read_text().splitlines())
        rollup = pathlib.Path(f"/proc/{zygote}/smaps_rollup").read_text().splitlines()[1:]
        sizes = {line.split(":")[0]: int(line.split()[1]) for line in rollup}
    anonymous = int(status["RssAnon"].split()[0])
    private = max(anonymous, sizes["Private_Dirty"])
    print(f"{'idle zygote, private':<34} {private / 1024:8.1f} MB (at most 60 MB)  "
          f"VmRSS {int(status['VmRSS'].split()[0]) / 1024:.1f} MB")
    return private <= 60 * 1024


def judge(document, truth):
    """What is wrong with one result; an empty list when nothing is."""
    expected = truth["error_code"] or ("broken" if truth["expect"] == "refused" else "none")
    if document["outcome"] != expected:
        return [f"outcome {document['outcome']}, expected {expected}"]
    wrong = []
    for want, got in zip(truth["pages"], document["pages"]):
        rate = accuracy.cer(want["text"], got["text"])
        limit = 0.001 if want["source"] == "text" else 0.03
        if want["source"] != got["source"]:
            wrong.append(f"page {got['page']} was taken from {got['source']}")
        if rate > limit:
            wrong.append(f"page {got['page']}: character error rate {rate:.4f}")
    return wrong


def bench_check():
    good = True
    for path in sorted(SAMPLES.glob("*.pdf")):
        truth = json.loads((SAMPLES / f"{path.stem}.truth.json").read_text("utf-8"))
        document = read([path.stem], "--cpu", "5", one_core=False)[1][0]
        wrong = judge(document, truth)
        good &= not wrong
        print(f"{path.name:<22} {document['outcome']:<15} {document['time_ms']:8.0f} ms  "
              f"{'; '.join(wrong) or 'ok'}", flush=True)
    return good


BENCHES = {name[6:]: fn for name, fn in list(globals().items()) if name.startswith("bench_")}


def main():
    names = sys.argv[1:] or list(BENCHES)
    if not set(names) <= set(BENCHES):
        sys.exit(__doc__)
    if shutil.which("taskset") is None:
        sys.exit("ocr.py: taskset (util-linux) is missing")
    subprocess.run([sys.executable, str(ROOT / "tests" / "samples" / "make.py"), str(SAMPLES)],
                   check=True, stdout=subprocess.DEVNULL)
    return 0 if all([BENCHES[name]() for name in names]) else 1


if __name__ == "__main__":
    sys.exit(main())
