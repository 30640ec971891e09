"""Reads barcodes in a camera's picture."""

import zxingcpp
from PIL import Image

from gateway.video.liveness import Luma

SYMBOLOGIES = {
    zxingcpp.BarcodeFormat.Code128: "code128",
    zxingcpp.BarcodeFormat.QRCode: "qr",
    zxingcpp.BarcodeFormat.DataMatrix: "datamatrix",
}
LabelReading = tuple[str, str]
"""(code, symbology)"""

MAX_LABEL_CHARS = 512  # longer than any code on a parcel's label
BACKGROUND_LUMA = 128


def read_labels(luma: Luma) -> list[LabelReading]:
    """Return all barcodes in one picture, as a scanner would send them (GS1 without brackets, FNC1 as 0x1D).

    QR and DataMatrix are read at any angle; Code 128 straight, or in a second pass with the picture turned by 45
    degrees.
    """
    labels = _read(luma, *SYMBOLOGIES)
    if not labels:
        turned = Image.fromarray(luma).rotate(45, expand=True, fillcolor=BACKGROUND_LUMA)
        labels = _read(turned, zxingcpp.BarcodeFormat.Code128)
    return list(labels)


def _read(picture: Luma | Image.Image, *formats: zxingcpp.BarcodeFormat) -> dict[LabelReading, None]:
    barcodes = zxingcpp.read_barcodes(
        picture, formats=zxingcpp.BarcodeFormats(formats), text_mode=zxingcpp.TextMode.Plain
    )
    return {
        (barcode.text, SYMBOLOGIES[barcode.symbology]): None
        for barcode in barcodes
        if 0 < len(barcode.text) <= MAX_LABEL_CHARS
    }
