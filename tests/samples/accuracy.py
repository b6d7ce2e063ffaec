#!/usr/bin/python3
"""Character error rate: the edits that turn what was read into what was written, per character.

Both texts are first brought to NFC and to single spaces. The distance is Levenshtein's, by Myers'
bit vectors (J. ACM 46, 1999, in Hyyrö's form) on Python's long integers: about 3 ms for a page.

    accuracy.py TRUTH.json RESULT [--max RATE]

RESULT is the JSON of a job's result ({"pages": [{"text": ...}]}) or plain text with form feeds
between pages, as pdftotext writes it. Exit 1 if the whole document's rate is above RATE.
"""

import argparse
import json
import pathlib
import sys
import unicodedata


def normalise(text):
    return " ".join(unicodedata.normalize("NFC", text).split())


def distance(left, right):
    """Insertions, deletions and substitutions between two strings."""
    if not left:
        return len(right)
    places = {}
    for index, letter in enumerate(left):
        places[letter] = places.get(letter, 0) | 1 << index
    mask, top = (1 << len(left)) - 1, 1 << len(left) - 1
    plus, minus, score = mask, 0, len(left)
    for letter in right:
        equal = places.get(letter, 0)
        zero = (((equal & plus) + plus) ^ plus) | equal | minus
        plus_h = minus | (~(zero | plus) & mask)
        minus_h = plus & zero
        score += bool(plus_h & top) - bool(minus_h & top)
        plus_h = plus_h << 1 | 1
        plus = (minus_h << 1 | ~(zero | plus_h)) & mask
        minus = plus_h & zero & mask
    return score


def cer(truth, got):
    """The rate of one text; 0.0 when both are empty, 1.0 when only the truth is."""
    truth, got = normalise(truth), normalise(got)
    if not truth:
        return 1.0 if got else 0.0
    return distance(truth, got) / len(truth)


def document_cer(truths, gots):
    """The rate over all pages together: edits by characters; a missing page counts in full."""
    pairs = [(normalise(truth), normalise(got)) for truth, got in _paired(truths, gots)]
    edits = sum(distance(truth, got) for truth, got in pairs)
    return edits / max(1, sum(len(truth) for truth, _ in pairs))


def _paired(truths, gots):
    longest = max(len(truths), len(gots))
    return zip(truths + [""] * (longest - len(truths)), gots + [""] * (longest - len(gots)))


def load_truth(path):
    return [page["text"] for page in json.loads(pathlib.Path(path).read_text("utf-8"))["pages"]]


def load_result(path):
    text = pathlib.Path(path).read_text("utf-8")
    if text.lstrip().startswith("{"):
        return [page["text"] for page in json.loads(text)["pages"]]
    return text.removesuffix("\f").split("\f")


def main():
    parser = argparse.ArgumentParser(description="Character error rate of a result.")
    parser.add_argument("truth")
    parser.add_argument("result")
    parser.add_argument("--max", type=float, default=1.0, metavar="RATE")
    args = parser.parse_args()
    truths, gots = load_truth(args.truth), load_result(args.result)
    for number, (truth, got) in enumerate(_paired(truths, gots), 1):
        print(f"page {number}: {cer(truth, got):.4f}")
    whole = document_cer(truths, gots)
    print(f"document: {whole:.4f}")
    return 1 if whole > args.max else 0


if __name__ == "__main__":
    sys.exit(main())
