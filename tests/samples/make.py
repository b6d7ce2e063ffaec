#!/usr/bin/python3
"""Makes every sample document, with its ground truth beside it.

    make.py OUT_DIR

writes name.pdf and name.truth.json for each entry of SAMPLES, and planted.json. Always the same
bytes on the same machine; returns at once when OUT_DIR already holds the output of these sources.
What each sample is for: README.md.
"""

import hashlib
import io
import json
import pathlib
import random
import subprocess
import sys
import tempfile
from unittest import mock

from PIL import Image, ImageDraw
from reportlab.pdfbase import ttfonts

import hostile
import paper
import scan
import words

MM = 72 / 25.4
PASSWORD = "abre-te-sesamo"
DENSE_PT = 9.5
STRAIGHT = scan.Defects()


def contract():
    flow = paper.Flow(margin=68, size_pt=11.5)
    flow.line("CONTRATO DE PRESTAÇÃO DE SERVIÇOS Nº 042/2024", "bold", 13)
    flow.space(10)
    for text in words.PARTIES:
        flow.paragraph(text)
    for number, (title, paragraphs) in enumerate(words.CLAUSES):
        flow.heading(title)
        flow.paragraph(paragraphs[0])
        if number == 2:
            flow.table(words.PRICES, (0, 45, 300, 350, 450))
        for text in paragraphs[1:]:
            flow.paragraph(text)
    for signature in words.SIGNATURES:
        flow.space(14)
        for text in signature:
            flow.line(text)
    return flow.number_pages()


def contract_scan():
    flaws = [scan.Defects(3.0), scan.Defects(0.7, upside_down=True), scan.Defects(-3.0)]
    return scan.scan(contract(), flaws, 100)


def visit_report(seed, count, size_pt=10.5):
    """Pages of sentences drawn by lot, no two alike."""
    rng = random.Random(seed)
    flow = paper.Flow(size_pt=size_pt)
    for number in range(1, count + 1):
        flow.line(f"Relatório de visita nº {seed:03}/{number:02}", "bold", 13)
        flow.space(6)
        for paragraph in range(1, 8):
            text = " ".join(rng.sample(words.SENTENCES, 4))
            flow.paragraph(f"{paragraph}. {text}")
        flow.paragraph(f"Visto de {words.tied(words.CLIENT)}, CPF {words.CLIENT_CPF}.")
        if number < count:
            flow.break_page()
    return flow.number_pages()


def mixed():
    pages = visit_report(7, 5)
    flaws = [scan.Defects(-0.8), scan.Defects(1.2), STRAIGHT]
    pages[1], pages[3], scanned = scan.scan([pages[1], pages[3], pages[4]], flaws, 200)
    return pages[:4] + [stamp(scanned)]


def stamp(page):
    """The scan with a typed line below it, as registries add: a text layer that is not the page's."""
    page.image_box = (0, 40, page.size[0], page.size[1] - 40)
    page.put(62, 24, "sans", 9, "Digitalizado e arquivado no protocolo 2024-000123, folha 5")
    return page


def receipt(number):
    flow = paper.Flow((80 * MM, 120 * MM), 14, "mono", 8.5)
    for block in words.RECEIPTS[number - 1]:
        for text in block:
            flow.line(text)
        flow.space(8)
    return flow.pages


def receipt_scan(number):
    return scan.scan(receipt(number), [scan.Defects(1.0 if number == 2 else 0)], 300 + number)


def dense(seed):
    rng = random.Random(seed)
    flow = paper.Flow(margin=46, size_pt=DENSE_PT)
    while len(flow.pages) == 1:
        flow.paragraph(" ".join(rng.sample(words.SENTENCES, 6)))
    return scan.scan(flow.pages[:1], [STRAIGHT], 400 + seed)


def searchable():
    page = visit_report(9, 1)[0]
    page.image, page.mode = scan.scan([page], [STRAIGHT], 500)[0].image, paper.INVISIBLE
    return [page]


def garbled():
    """A page that looks right and whose fonts map every glyph to U+FFFD: only OCR reads it."""
    make_map = ttfonts.makeToUnicodeCMap
    pages = visit_report(11, 1)

    def broken(name, subset):
        return make_map(name, [0xFFFD] * len(subset))

    with mock.patch.object(ttfonts, "makeToUnicodeCMap", broken):
        data = paper.write_pdf(pages)
    pages[0].source = "ocr"
    return data, pages


def encrypted():
    """AES-128 with a user password; the test-only switches of qpdf keep the bytes the same."""
    with tempfile.TemporaryDirectory() as folder:
        plain, sealed = pathlib.Path(folder, "in.pdf"), pathlib.Path(folder, "out.pdf")
        plain.write_bytes(paper.write_pdf(visit_report(13, 1)))
        subprocess.run(["qpdf", "--static-id", "--static-aes-iv", "--encrypt", PASSWORD, "dono",
                        "128", "--use-aes=y", "--", plain, sealed], check=True)
        return sealed.read_bytes()


def truncated():
    """The first third of a document: its pages, catalog and cross-references never arrived."""
    data = paper.write_pdf(contract())
    return data[:len(data) // 3]


def renamed_png():
    image = Image.new("L", (600, 200), 255)
    ImageDraw.Draw(image).text((40, 80), "Isto é uma imagem PNG", fill=0)
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def good(make, *args):
    """A sample to be completed: made of pages, or of (bytes, pages) where they are written apart."""
    made = make(*args)
    data, pages = made if isinstance(made, tuple) else (paper.write_pdf(made), made)
    truth = {"pages": [page.truth() for page in pages], "expect": "completed", "error_code": None}
    return data, truth


def bad(error_code, make, *args):
    """A sample that ends failed with that code, or is refused at upload when the code is None."""
    expect = "failed" if error_code else "refused"
    return make(*args), {"pages": [], "expect": expect, "error_code": error_code}


SAMPLES = {
    "one-page": (good, visit_report, 1, 1),
    "contract": (good, contract),
    "contract-scan": (good, contract_scan),
    "mixed": (good, mixed),
    "receipt-1": (good, receipt, 1),
    "receipt-2": (good, receipt_scan, 2),
    "receipt-3": (good, receipt_scan, 3),
    "searchable": (good, searchable),
    "garbled": (good, garbled),
    "forty": (good, visit_report, 40, 40),
    "dense-1": (good, dense, 1),
    "dense-2": (good, dense, 2),
    "blank": (bad, "no_text", hostile.blank),
    "encrypted": (bad, "encrypted", encrypted),
    "truncated": (bad, "broken", truncated),
    "many-pages": (bad, "too_many_pages", hostile.many_pages, 501),
    "bomb-page": (bad, "page_too_large", hostile.huge_page),
    "bomb-flate": (bad, "resource_limit", hostile.flate_bomb),
    "bomb-cpu": (bad, "resource_limit", hostile.cpu_bomb),
    "renamed.png": (bad, None, renamed_png),
}


def write_json(path, value):
    path.write_text(json.dumps(value, ensure_ascii=False, indent=1) + "\n", "utf-8")


def fingerprint():
    """Of the sources and the names they make, to know a finished directory."""
    here = pathlib.Path(__file__).resolve().parent
    digest = hashlib.sha256()
    for source in sorted(here.glob("*.py")):
        digest.update(source.read_bytes())
    return digest.hexdigest()


def is_fresh(out_dir):
    stamp = out_dir / ".made"
    return (stamp.exists() and stamp.read_text() == fingerprint()
            and all((out_dir / f"{name}.pdf").exists() for name in SAMPLES))


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    out_dir = pathlib.Path(sys.argv[1])
    if is_fresh(out_dir):
        return
    out_dir.mkdir(parents=True, exist_ok=True)
    paper.register_fonts()
    for name, (kind, *recipe) in SAMPLES.items():
        data, truth = kind(*recipe)
        (out_dir / f"{name}.pdf").write_bytes(data)
        write_json(out_dir / f"{name}.truth.json", truth)
    write_json(out_dir / "planted.json", words.PLANTED)
    (out_dir / ".made").write_text(fingerprint())


if __name__ == "__main__":
    main()
