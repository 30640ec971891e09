"""Sends a camera's live view to its viewers: stream copy, one MP4 fragment for each picture.

One muxer for each connection to the camera, however many view. Times in the MP4 begin at 0 with the muxer, so a viewer
who comes later begins at a later time.
"""

import logging
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import av
import av.error
from av.video.stream import VideoStream

from gateway.video.ipc import LiveViewAccepted
from gateway.video.ring import EncodedPicture, PreRollBuffer

log = logging.getLogger(__name__)

MUXER_OPTIONS: Final = {
    # Without `skip_trailer` the muxer would remember each fragment for an index that is never written.
    "movflags": "frag_every_frame+empty_moov+default_base_moof+skip_trailer",
    "flush_packets": "1",
    "use_editlist": "0",
}
MUXER_RETRY_DELAY_S: Final = 2.0  # seconds before a new muxer is tried after one that failed
SPS_PATTERN: Final = re.compile(rb"\x00\x00\x01[\x07\x27\x47\x67](...)", re.DOTALL)  # H.264's sequence parameter set


@dataclass(frozen=True, slots=True)
class LiveInit:
    """What every viewer needs first: the init segment; `at` is the first picture's instant (monotonic)."""

    viewing: LiveViewAccepted
    at: float
    data: bytes


@dataclass(frozen=True, slots=True)
class LiveFragment:
    """One picture. `key`: a viewer may begin with it."""

    at: float
    key: bool
    data: bytes


@dataclass(frozen=True, slots=True)
class LiveEnd:
    """The stream is lost; the next one begins with an `LiveInit` of its own."""


LivePiece = LiveInit | LiveFragment | LiveEnd
LiveSink = Callable[[LivePiece], None]
"""Told of the pieces in their order, in the camera's thread."""


class Broadcast:
    """One camera for those who view it. The owner holds the camera's lock in every call."""

    def __init__(self, camera: str, show: LiveSink) -> None:
        self.show = show
        self._camera = camera
        self._muxer: LiveMuxer | None = None
        self._not_before = 0.0

    def take(self, sample: EncodedPicture, ring: PreRollBuffer, template: VideoStream) -> None:
        """Show the newest picture, which is the ring's last too; a reel begins with the ring's newest group."""
        try:
            if self._muxer is not None:
                self._muxer.put(sample)
            elif sample.at >= self._not_before and (group := ring.newest_group()):
                self._muxer = reel = LiveMuxer(template, group[0], self.show)
                for picture in group:
                    reel.put(picture)
        except (av.error.FFmpegError, UnplayableStream) as error:
            log.warning("%s: pictures that cannot be shown: %s", self._camera, error)
            self._not_before = sample.at + MUXER_RETRY_DELAY_S
            self.lost()

    def lost(self) -> None:
        """End what is shown: the stream is lost, or nobody views any more."""
        reel, self._muxer = self._muxer, None
        if reel is not None:
            reel.close()
            self.show(LiveEnd())


class UnplayableStream(Exception):  # noqa: N818  a failure of the world, named as what it is
    """The stream is none that a page can play."""


class LiveMuxer:
    """One connection's pictures, muxed."""

    def __init__(self, template: VideoStream, first: EncodedPicture, show: LiveSink) -> None:
        """Begin with the key picture `first`, which is still to be put.

        Raises:
            UnplayableStream: it is not H.264, or its parameter sets are not known.
            av.error.FFmpegError: the muxer takes no such stream.
        """
        viewing = stream_info(template)
        self._show = show
        self._base, self._last = first.dts, -1
        self._before: EncodedPicture | None = None
        self._buffer = MuxerBuffer()
        self._container = av.open(self._buffer, "w", format="mp4", container_options=dict(MUXER_OPTIONS))
        self._stream = self._container.add_stream_from_template(template)
        self._stream.time_base = self._time_base = template.time_base or Fraction(1, 90_000)
        self._container.start_encoding()
        show(LiveInit(viewing, first.at, self._buffer.taken()))

    def put(self, sample: EncodedPicture) -> None:
        """Take the next picture; the one before, whose length is known now, is shown.

        A time that does not rise is moved on by the least step.

        Raises:
            av.error.FFmpegError: the muxer does not take it.
        """
        packet = av.Packet(sample.data)
        packet.dts = self._last = max(self._last + 1, sample.dts - self._base)
        packet.pts = max(packet.dts, sample.pts - self._base)
        packet.time_base = self._time_base
        packet.stream = self._stream
        packet.is_keyframe = sample.key
        self._container.mux_one(packet)
        before, self._before = self._before, sample
        if before is not None:
            self._show(LiveFragment(before.at, before.key, self._buffer.taken()))

    def close(self) -> None:
        """Let go of the muxer. Its last picture is not shown any more: it is no news."""
        with suppress(av.error.FFmpegError):
            self._container.close()


class MuxerBuffer:
    """What the muxer writes into."""

    def __init__(self) -> None:
        self._written = bytearray()

    def write(self, data: bytes) -> int:
        """The muxer's next bytes."""
        self._written += data
        return len(data)

    def taken(self) -> bytes:
        """All that was written since the last time."""
        written = bytes(self._written)
        self._written.clear()
        return written


def stream_info(template: VideoStream) -> LiveViewAccepted:
    """What a page must know of the stream before it plays it.

    Raises:
        UnplayableStream: it is not H.264, or its parameter sets are not known.
    """
    codec = template.codec_context
    parameters = SPS_PATTERN.search(codec.extradata or b"")
    if codec.name != "h264" or parameters is None or not (codec.width and codec.height):
        raise UnplayableStream(f"{codec.name} without known parameters")
    return LiveViewAccepted(codec=f"avc1.{parameters[1].hex().upper()}", width=codec.width, height=codec.height)
