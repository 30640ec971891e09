"""What stands on a printed paper, read by poppler, which knows nothing of us."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import zxingcpp
from PIL import Image

A4_POINTS = (595, 842)  # points


@dataclass(frozen=True, slots=True)
class PrintedDocument:
    """A PDF that was read: each page's words on one line, each page's size in points, its embedded pictures' pages."""

    words: tuple[str, ...]
    sizes: tuple[tuple[int, int], ...]
    pictures: tuple[int, ...]


def read_pdf(pdf: bytes, folder: Path) -> PrintedDocument:
    """Read a paper."""
    file = folder / "paper.pdf"
    file.write_bytes(pdf)
    info = _poppler("pdfinfo", "-l", "99", file)
    sizes = tuple((round(float(w)), round(float(h))) for w, h in re.findall(r"size:\s+([\d.]+) x ([\d.]+) pts", info))
    texts = _poppler("pdftotext", "-raw", file, "-").split("\f")[:-1]
    images = _poppler("pdfimages", "-list", file).splitlines()[2:]
    words = tuple(" ".join(text.split()) for text in texts)
    return PrintedDocument(words, sizes, tuple(int(line.split()[0]) for line in images))


def render_page(pdf: bytes, folder: Path, page: int, *, dots: int = 100) -> Image.Image:
    """A page as an eye sees it, in dots an inch."""
    file, name = folder / "paper.pdf", folder / "page"
    file.write_bytes(pdf)
    _poppler("pdftoppm", "-png", "-r", str(dots), "-f", str(page), "-l", str(page), "-singlefile", file, name)
    with Image.open(name.with_suffix(".png")) as image:
        return image.convert("RGB")


def read_codes(image: Image.Image) -> list[str]:
    """What a phone reads off it."""
    return [found.text for found in zxingcpp.read_barcodes(np.asarray(image))]


def _poppler(*command: str | Path) -> str:
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ran.stderr == ""  # nothing in the file that a reader stumbles over
    return ran.stdout
