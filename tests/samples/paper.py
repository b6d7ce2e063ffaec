"""Pages as lists of placed lines: the PDF, its scan and its ground truth all come from one list.

A page is laid out here, not by a library, so that the truth is exactly the lines that were drawn,
in reading order. Output is the same byte for byte on the same machine: no clock, no random id.
"""

import io
import unicodedata

from reportlab import rl_config
from reportlab.lib.utils import ImageReader
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen import canvas

rl_config.useA85 = 0

A4 = (595.28, 841.89)
FONT_DIR = "/usr/share/fonts/truetype/dejavu/"
FONTS = {"serif": "DejaVuSerif", "bold": "DejaVuSerif-Bold", "sans": "DejaVuSans",
         "mono": "DejaVuSansMono"}
INVISIBLE = 3  # PDF text render mode


def register_fonts():
    """Makes FONTS known to reportlab; harmless when repeated."""
    for name, file in FONTS.items():
        pdfmetrics.registerFont(TTFont(name, FONT_DIR + file + ".ttf"))


class Page:
    """One page; `source` says how a good reader gets its text: from the text layer or by OCR."""

    def __init__(self, size=A4):
        self.size = size
        self.items = []  # (x, y, font, size_pt, text), y from the bottom
        self.rules = []  # (x0, y0, x1, y1)
        self.image = None  # JPEG bytes drawn over image_box (x, y, width, height)
        self.image_box = (0, 0) + tuple(size)
        self.mode = 0
        self.source = "text"
        self.lines = []

    def put(self, x, y, font, size_pt, text):
        """Draws one line; it joins the truth as a line of its own."""
        self.put_row(y, font, size_pt, [(x, text)])

    def put_row(self, y, font, size_pt, cells):
        """Draws several pieces (x, text) on one line, one line of the truth."""
        clean = [(x, text.replace("~", " ")) for x, text in cells if text]
        self.items += [(x, y, font, size_pt, text) for x, text in clean]
        self.lines.append(" ".join(text for _, text in clean))

    def truth(self):
        return {"source": self.source, "text": unicodedata.normalize("NFC", "\n".join(self.lines))}


class Flow:
    """Fills pages from top to bottom and opens the next one when a page is full."""

    def __init__(self, size=A4, margin=62, font="serif", size_pt=10.5):
        self.page_size, self.margin = size, margin
        self.font, self.size_pt = font, size_pt
        self.pages = []
        self.break_page()

    def break_page(self):
        self.pages.append(Page(self.page_size))
        self.y = self.page_size[1] - self.margin

    def line(self, text, font=None, size_pt=None, x=None):
        size_pt = size_pt or self.size_pt
        self._room(size_pt * 1.4)
        self.pages[-1].put(x or self.margin, self.y, font or self.font, size_pt, text)

    def space(self, height):
        self.y -= height

    def heading(self, text):
        self.space(6)
        if self.y < self.margin + 70:
            self.break_page()
        self.line(text, "bold")
        self.space(2)

    def paragraph(self, text):
        for line in wrap(text, self.font, self.size_pt, self.page_size[0] - 2 * self.margin):
            self.line(line)
        self.space(5)

    def table(self, rows, columns):
        """A ruled table; columns = left edges in points from the margin, the last one the end."""
        pitch = self.size_pt * 1.9
        if self.y - pitch * len(rows) < self.margin + 20:
            self.break_page()
        page, top = self.pages[-1], self.y - 4
        edges = [self.margin + column for column in columns]
        for number, row in enumerate(rows):
            base = top - pitch * number - pitch * 0.68
            page.put_row(base, "bold" if number == 0 else self.font, self.size_pt,
                         [(x + 5, text) for x, text in zip(edges, row)])
        bottom = top - pitch * len(rows)
        page.rules += [(edges[0], top - pitch * n, edges[-1], top - pitch * n)
                       for n in range(len(rows) + 1)]
        page.rules += [(x, top, x, bottom) for x in edges]
        self.y = bottom - 12

    def number_pages(self):
        for number, page in enumerate(self.pages, 1):
            text = f"Página {number} de {len(self.pages)}"
            page.put(page.size[0] / 2 - 30, self.margin / 2, self.font, self.size_pt * 0.9, text)
        return self.pages

    def _room(self, height):
        if self.y - height < self.margin:
            self.break_page()
        self.y -= height


def wrap(text, font, size_pt, width_pt):
    """Breaks text into lines no wider than width_pt; "~" never breaks and becomes a space."""
    lines, current = [], ""
    for word in text.split():
        longer = f"{current} {word}".strip()
        if current and pdfmetrics.stringWidth(longer.replace("~", " "), font, size_pt) > width_pt:
            lines.append(current)
            current = word
        else:
            current = longer
    return lines + [current]


def write_pdf(pages):
    """The pages as the bytes of a PDF with a fixed date and id."""
    out = io.BytesIO()
    pdf = canvas.Canvas(out, invariant=1, pageCompression=1)
    pdf.setTitle("Amostra")
    for page in pages:
        _draw(pdf, page)
        pdf.showPage()
    pdf.save()
    return out.getvalue()


def _draw(pdf, page):
    pdf.setPageSize(page.size)
    if page.image:
        pdf.drawImage(ImageReader(io.BytesIO(page.image)), *page.image_box)
    pdf.setLineWidth(0.6)
    for rule in page.rules:
        pdf.line(*rule)
    for x, y, font, size_pt, text in page.items:
        line = pdf.beginText(x, y)
        line.setTextRenderMode(page.mode)
        line.setFont(font, size_pt)
        line.textOut(text)
        pdf.drawText(line)
