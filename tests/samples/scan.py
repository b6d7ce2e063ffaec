"""Turns laid-out pages into what a scanner makes of them: a JPEG, and nothing else, on each page.

The pages are drawn by the same program that the service uses to rasterise (pdftoppm), then turned,
softened and soiled with noise from a seeded generator.
"""

import io
import pathlib
import random
import subprocess
import tempfile

from PIL import Image, ImageChops, ImageDraw, ImageFilter

import paper

DPI = 200
PAPER, INK, NOISE = 238, 35, 36


class Defects:
    """What went wrong at the scanner; angle in degrees, counter-clockwise."""

    def __init__(self, angle=0.0, upside_down=False):
        self.angle, self.upside_down = angle, upside_down


def scan(pages, defects, seed):
    """New pages with the truth of the given ones, each one image; defects: one for each page."""
    images = render(pages)
    return [_scanned(page, soil(image, flaw, seed + number))
            for number, (page, image, flaw) in enumerate(zip(pages, images, defects))]


def render(pages):
    """The pages as grayscale images of DPI."""
    with tempfile.TemporaryDirectory() as folder:
        source = pathlib.Path(folder, "in.pdf")
        source.write_bytes(paper.write_pdf(pages))
        subprocess.run(["pdftoppm", "-r", str(DPI), "-gray", source, f"{folder}/page"], check=True)
        images = []
        for file in sorted(pathlib.Path(folder).glob("page*.pgm")):
            with Image.open(file) as image:
                images.append(image.copy())
        return images


def soil(image, defects, seed):
    """One image with a scanner's marks, as JPEG bytes."""
    rng = random.Random(seed)
    image = image.filter(ImageFilter.GaussianBlur(0.6))
    image = image.point([INK + value * (PAPER - INK) // 255 for value in range(256)])
    turn = defects.angle + (180 if defects.upside_down else 0)
    if turn:
        image = image.rotate(turn, Image.Resampling.BICUBIC, fillcolor=PAPER)
    _speckle(image, rng)
    noise = Image.frombytes("L", image.size, rng.randbytes(image.width * image.height))
    noise = noise.point([value * NOISE // 255 for value in range(256)])
    image = ImageChops.add(image, noise, offset=-NOISE // 2)
    out = io.BytesIO()
    image.save(out, "JPEG", quality=60, dpi=(DPI, DPI))
    return out.getvalue()


def _speckle(image, rng):
    draw = ImageDraw.Draw(image)
    for _ in range(image.width * image.height // 40000):
        x, y = rng.randrange(image.width), rng.randrange(image.height)
        draw.point((x, y), fill=rng.randrange(60, 200))


def _scanned(page, jpeg):
    result = paper.Page(page.size)
    result.image, result.lines, result.source = jpeg, list(page.lines), "ocr"
    return result
