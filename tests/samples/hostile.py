"""Documents that no honest program writes: too large, too many, too deep, or cut short.

They are written object by object, because a PDF library would refuse or tidy them. Each is small on
disk; the harm is in what a reader is asked to do.
"""

import zlib

HUGE_PT = 200_000  # a square of this side passes 40 megapixels at 3 dots an inch
ARRAY_NUMBERS = 160_000_000  # 16 bytes each in poppler
FORM_DEPTH, FORM_WIDTH = 12, 12


def pdf(objects):
    """A PDF of the given objects (bytes); the first is number 1 and must be the catalog."""
    out = bytearray(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
    offsets = []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    out += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (
        len(objects) + 1, start)
    return bytes(out)


def stream(data, entries=b""):
    return b"<< /Length %d %s >>\nstream\n%s\nendstream" % (len(data), entries, data)


def _one_page(side_pt, resources, *others):
    """Objects of a document of one square page; its content is object 4, then the others."""
    return pdf([
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 %d %d] /Contents 4 0 R "
        b"/Resources << %s >> >>" % (side_pt, side_pt, resources),
        *others,
    ])


def huge_page():
    """A page box so large that no zoom brings it under the cap on pixels; one image, no text."""
    image = stream(b"\xaa\x55" * 4, b"/Type /XObject /Subtype /Image /Width 8 /Height 8 "
                   b"/ColorSpace /DeviceGray /BitsPerComponent 1")
    content = stream(b"q %d 0 0 %d 0 0 cm /I Do Q" % (HUGE_PT, HUGE_PT))
    return _one_page(HUGE_PT, b"/XObject << /I 5 0 R >>", content, image)


def flate_bomb():
    """Two layers of Flate around one operand: an array that wants gigabytes before it is drawn."""
    packer = zlib.compressobj(9)
    chunk = b"0 " * 500_000
    inner = packer.compress(b"BT [")
    inner += b"".join(packer.compress(chunk) for _ in range(ARRAY_NUMBERS * 2 // len(chunk)))
    inner += packer.compress(b"] TJ ET") + packer.flush()
    content = stream(zlib.compress(inner, 9), b"/Filter [/FlateDecode /FlateDecode]")
    return _one_page(595, b"", content)


def cpu_bomb():
    """Forms that call forms, many times at each level: little memory, no end of time."""
    calls = stream(b"/F0 Do")
    forms = []
    names = b" ".join(b"/F%d %d 0 R" % (level, 5 + level) for level in range(FORM_DEPTH))
    head = (b"/Type /XObject /Subtype /Form /BBox [0 0 595 595] "
            b"/Resources << /XObject << %s >> >>" % names)
    for level in range(FORM_DEPTH):
        last = level == FORM_DEPTH - 1
        body = b"0 0 m 9 9 l S\n" if last else b"/F%d Do\n" % (level + 1)
        forms.append(stream(body * FORM_WIDTH, head))
    return _one_page(595, b"/XObject << %s >>" % names, calls, *forms)


def many_pages(count):
    """That many blank pages of a postage stamp's size."""
    kids = b" ".join(b"%d 0 R" % (3 + number) for number in range(count))
    page = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 72 72] >>"
    return pdf([
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [%s] /Count %d >>" % (kids, count),
        *[page] * count,
    ])


def blank():
    return _one_page(595, b"", stream(b""))
