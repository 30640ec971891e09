"""A phone's camera for tests: Chromium's own fake one, which films whatever a test holds before it."""

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import zxingcpp
from PIL import Image
from PIL.Image import Image as Picture
from playwright.async_api import Locator

FORMATS = {
    "code128": zxingcpp.BarcodeFormat.Code128,
    "gs1-128": zxingcpp.BarcodeFormat.Code128,
    "qr": zxingcpp.BarcodeFormat.QRCode,
    "datamatrix": zxingcpp.BarcodeFormat.DataMatrix,
    "ean13": zxingcpp.BarcodeFormat.EAN13,
}
SIZE_PX = (1280, 720)
DESK_GREY, PAPER_GREY = 120, 245  # grey


def draw_label(*codes: tuple[str, str], tilt: float = 0.0) -> Picture:
    """A parcel's label with these codes (symbology, what it says) below each other, lying `tilt` degrees askew."""
    drawn = [_draw_code(symbology, said) for symbology, said in codes]
    paper = Image.new(
        "L", (max(one.width for one in drawn) + 40, sum(one.height + 20 for one in drawn) + 20), PAPER_GREY
    )
    top = 20
    for one in drawn:
        paper.paste(one, ((paper.width - one.width) // 2, top))
        top += one.height + 20
    paper = paper.rotate(tilt, resample=Image.Resampling.BILINEAR, expand=True, fillcolor=DESK_GREY)
    picture = Image.new("L", SIZE_PX, DESK_GREY)
    picture.paste(paper, ((SIZE_PX[0] - paper.width) // 2, (SIZE_PX[1] - paper.height) // 2))
    return picture


def _draw_code(symbology: str, said: str) -> Picture:
    barcode = zxingcpp.create_barcode(said, FORMATS[symbology], gs1=symbology.startswith("gs1"))
    small = symbology in ("qr", "datamatrix")
    made = Image.fromarray(np.array(zxingcpp.write_barcode_to_image(barcode, scale=6 if small else 2)))
    return made if small else made.crop((0, 0, made.width, 90))


def jpeg(picture: Picture) -> bytes:
    """As a camera writes it."""
    written = io.BytesIO()
    picture.convert("RGB").save(written, "JPEG", quality=90)
    return written.getvalue()


def read_all_codes(picture: Picture) -> list[str]:
    """What a scanner says of all codes in a picture: FNC1 between two fields as 0x1D, no symbology identifier."""
    found = zxingcpp.read_barcodes(np.asarray(picture.convert("L")), text_mode=zxingcpp.TextMode.Plain)
    return [one.text for one in found]


async def read_screen_code(screen: Locator) -> str:
    """What the door's scanner reads from a phone's screen, on which there is one code."""
    (code,) = read_all_codes(Image.open(io.BytesIO(await screen.screenshot())))
    return code


@dataclass(frozen=True)
class FakeCamera:
    """The camera of a browser that was started with `switches`; `film` is what it sees, from when it is next opened."""

    film: Path

    @property
    def switches(self) -> tuple[str, ...]:
        """Chromium's switches: whoever asks gets the camera, and it plays this film."""
        return (
            "--use-fake-ui-for-media-stream",
            "--use-fake-device-for-media-stream",
            f"--use-file-for-fake-video-capture={self.film}",
        )

    def sees(self, picture: Picture) -> None:
        """Hold this before it."""
        self.film.write_bytes(jpeg(picture))
