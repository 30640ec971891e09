"""Analyses a stream's pictures: decodes, proves liveness, reads labels, keeps the newest for a thumbnail."""

import io
from typing import Final

import av.error
import numpy as np
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from PIL import Image

from gateway.video.labels import LabelReading, read_labels
from gateway.video.liveness import Liveness, Luma

MIN_ANALYSIS_INTERVAL_S: Final = (
    0.3  # seconds between two looks while nothing is filmed, and between two readings of labels
)
MAX_THUMBNAIL_WIDTH_PX: Final = 320  # pixels
PLANAR_FORMATS: Final = frozenset({"yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p", "nv12", "gray"})


class FrameAnalyser:
    """Decodes one stream. `full` may change: it is heeded from the next key picture on."""

    def __init__(self, stream: VideoStream, evidence: Liveness) -> None:
        self._evidence = evidence
        self._full = evidence.full
        self._analysed_at = self._read_at = 0.0
        self.newest: tuple[VideoFrame, float] | None = None
        stream.codec_context.thread_count = 1  # several threads would hold pictures back

    def see(
        self, packet: "Packet[VideoStream]", now: float, *, full: bool, closely: bool, labels: bool
    ) -> list[LabelReading]:
        """Decode one packet; `closely` looks at every picture. Returns the labels that were read, where asked."""
        if packet.is_keyframe:
            self._full = self._evidence.full = full
        if not (self._full or packet.is_keyframe):
            return []
        try:
            frames = packet.decode()
        except av.error.FFmpegError:
            frames = []
        sound = [frame for frame in frames if not frame.is_corrupt]
        if not sound:
            self._evidence.undecoded(now)
            return []
        self.newest = (sound[-1], now)
        reads = labels and now - self._read_at >= MIN_ANALYSIS_INTERVAL_S
        if not (closely or reads or packet.is_keyframe or now - self._analysed_at >= MIN_ANALYSIS_INTERVAL_S):
            self._evidence.picture(now)
            return []
        picture = luma(sound[-1])
        self._analysed_at = now
        self._evidence.picture(now, picture)
        if not reads:
            return []
        self._read_at = now
        return read_labels(picture)


def luma(frame: VideoFrame) -> Luma:
    """A picture's brightness, rows by columns, 0 to 255; a view on the frame where its format allows."""
    if frame.format.name not in PLANAR_FORMATS:
        frame = frame.reformat(format="gray")
    plane = frame.planes[0]
    size = frame.height * plane.line_size
    rows: Luma = np.frombuffer(memoryview(plane)[:size], np.uint8).reshape(frame.height, plane.line_size)
    return rows[:, : frame.width]


def thumbnail(frame: VideoFrame) -> bytes:
    """A JPEG of at most 320 pixels width."""
    width = min(MAX_THUMBNAIL_WIDTH_PX, frame.width)
    height = max(2, round(frame.height * width / frame.width / 2) * 2)
    written = io.BytesIO()
    small = frame.reformat(width=width, height=height, format="rgb24").to_ndarray()
    Image.fromarray(small).save(written, "JPEG", quality=80)
    return written.getvalue()
