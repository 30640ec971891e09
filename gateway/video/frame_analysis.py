"""Analyses a stream's pictures: decodes them, checks liveness, reads barcodes, keeps the newest for a thumbnail."""

import io
from typing import Final

import av.error
import numpy as np
import zxingcpp
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from PIL import Image

from gateway.video.liveness import Liveness, Luma

# Seconds between two analysed pictures while no film runs, and between two searches for barcodes
MIN_ANALYSIS_INTERVAL_S: Final = 0.3
MAX_THUMBNAIL_WIDTH_PX: Final = 320
MAX_LABEL_CHARS: Final = 512  # longer than any code on a parcel's label
BACKGROUND_LUMA: Final = 128
SYMBOLOGIES: Final = {
    zxingcpp.BarcodeFormat.Code128: "code128",
    zxingcpp.BarcodeFormat.QRCode: "qr",
    zxingcpp.BarcodeFormat.DataMatrix: "datamatrix",
}
PLANAR_FORMATS: Final = frozenset({"yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p", "nv12", "gray"})

LabelReading = tuple[str, str]
"""(code, symbology)"""


class FrameAnalyser:
    """Decodes one stream."""

    def __init__(self, stream: VideoStream, liveness: Liveness) -> None:
        self._liveness = liveness
        self._decodes_every_picture = liveness.decodes_every_picture
        self._analysed_at = self._read_at = 0.0
        self.newest: tuple[VideoFrame, float] | None = None
        stream.codec_context.thread_count = 1  # several threads would delay pictures

    def analyse(
        self,
        packet: "Packet[VideoStream]",
        now: float,
        *,
        every_picture: bool,
        check_every_picture: bool,
        read_barcodes: bool,
    ) -> list[LabelReading]:
        """Decode one packet, pass the result to the liveness check, and return the barcodes that were read.

        `every_picture`: decode all pictures, not only key pictures; takes effect at the next key picture.
        `check_every_picture`: analyse each decoded picture. `read_barcodes`: search for barcodes.
        """
        if packet.is_keyframe:
            self._decodes_every_picture = self._liveness.decodes_every_picture = every_picture
        if not (self._decodes_every_picture or packet.is_keyframe):
            return []
        try:
            frames = packet.decode()
        except av.error.FFmpegError:
            frames = []
        sound = [frame for frame in frames if not frame.is_corrupt]
        if not sound:
            self._liveness.add_decode_failure(now)
            return []
        self.newest = (sound[-1], now)
        reads = read_barcodes and now - self._read_at >= MIN_ANALYSIS_INTERVAL_S
        if not (
            check_every_picture or reads or packet.is_keyframe or now - self._analysed_at >= MIN_ANALYSIS_INTERVAL_S
        ):
            self._liveness.add_picture(now)
            return []
        picture = luma(sound[-1])
        self._analysed_at = now
        self._liveness.add_picture(now, picture)
        if not reads:
            return []
        self._read_at = now
        return read_labels(picture)


def luma(frame: VideoFrame) -> Luma:
    """Return a picture's brightness, rows by columns, 0 to 255; without a copy if the pixel format allows."""
    if frame.format.name not in PLANAR_FORMATS:
        frame = frame.reformat(format="gray")
    plane = frame.planes[0]
    size = frame.height * plane.line_size
    rows: Luma = np.frombuffer(memoryview(plane)[:size], np.uint8).reshape(frame.height, plane.line_size)
    return rows[:, : frame.width]


def thumbnail(frame: VideoFrame) -> bytes:
    """Return a JPEG of at most `MAX_THUMBNAIL_WIDTH_PX`."""
    width = min(MAX_THUMBNAIL_WIDTH_PX, frame.width)
    height = max(2, round(frame.height * width / frame.width / 2) * 2)
    written = io.BytesIO()
    small = frame.reformat(width=width, height=height, format="rgb24").to_ndarray()
    Image.fromarray(small).save(written, "JPEG", quality=80)
    return written.getvalue()


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
