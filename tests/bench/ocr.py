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


def ours(names, *options, one_core=True):
    """What the engine says of the samples: one dictionary per document, in order of ending."""
    command = [driver(), "--jail", str(BIN / "esteira-ocr-jail"), "--text", *options]
    command += [str(SAMPLES / f"{name}.pdf") for name in names]
    prefix = ONE_CORE if one_core else []
    done = subprocess.run(prefix + command, check=True, capture_output=True, env=ENVIRONMENT)
    return [json.loads(line) for line in done.stdout.splitlines()]


def shell(name, page, dpi=DPI):
    """One page as a shell would read it; milliseconds and text."""
    pdf = SAMPLES / f"{name}.pdf"
    line = (f"pdftoppm -gray -cropbox -r {dpi} -f {page} -l {page} -singlefile '{pdf}' | "
            "tesseract stdin stdout -l por")
    start = time.monotonic()
    done = subprocess.run([*ONE_CORE, "sh", "-c", line], check=True, env=ENVIRONMENT,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return (time.monotonic() - start) * 1000, done.stdout.decode("utf-8", "replace")


def truths(name):
    return accuracy.load_truth(SAMPLES / f"{name}.truth.json")


def verdict(what, ratio, least, note=""):
    mark = "ok" if ratio >= least else "BELOW"
    print(f"{what:<34} {ratio:8.2f}x  (at least {least}x)  {mark}  {note}", flush=True)
    return ratio >= least


def versus(what, names, least):
    """Best of some rounds each, taken in turns so that a busy machine hurts both."""
    shells, own = [], []
    for _ in range(ROUNDS):
        shells.append(sum(shell(name, 1)[0] for name in names))
        own.append(sum(one["time_ms"] for one in ours(names, "--recognisers", "1")))
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
        pages = [[shell(name, page + 1) for page in range(len(truths(name)))] for name in names]
        shells.append(sum(ms for document in pages for ms, _ in document))
        documents = ours(names, "--recognisers", "1")
        own.append(sum(one["time_ms"] for one in documents))
    truth = [text for name in names for text in truths(name)]
    theirs = accuracy.document_cer(truth, [text for one in pages for _, text in one])
    mine = accuracy.document_cer(truth, [p["text"] for one in documents for p in one["pages"]])
    note = f"character error rate: shell {theirs:.4f}, ours {mine:.4f}"
    return verdict("mixed corpus", min(shells) / min(own), 1.5, note) and mine <= theirs


def bench_layer():
    """A page of a long digital document, and a document of one page, against their OCR."""
    ocr = min(shell("forty", page)[0] for page in (1, 2, 3))
    page = min(one["time_ms"] / 40 for one in ours(["forty"] * 5))
    single = min(one["time_ms"] for one in ours(["one-page"] * 20, one_core=False))
    alone = shell("one-page", 1)[0]
    print(f"{'one-page document, both cores':<34} {alone / single:8.2f}x  {single:.1f} ms")
    return verdict("text-layer page", ocr / page, 100, f"{page:.2f} ms against {ocr:.0f} ms")


def wall(count):
    """Seconds for the same pages with so many recognisers, without the start of the zygote."""
    names = ["dense-1", "dense-2"] * max(2, count)
    options = ["--recognisers", str(count), "--threads", str(count)]
    start = time.monotonic()
    ours(names, *options, one_core=False)
    whole = time.monotonic() - start
    start = time.monotonic()
    ours([], one_core=False)
    return (whole - (time.monotonic() - start)) / len(names)


def bench_scaling():
    cores = len(os.sched_getaffinity(0))
    counts = sorted({2 ** k for k in range(1, 8) if 2 ** k <= cores} | {cores} - {1})
    good = True
    for count in counts:
        one = min(wall(1) for _ in range(2))
        many = min(wall(count) for _ in range(2))
        good &= verdict(f"{count} recognisers", one / many, round(0.9 * count, 2))
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
        document = ours([path.stem], "--cpu", "5", one_core=False)[0]
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
