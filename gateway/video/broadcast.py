"""Sends a camera's live view to its viewers: stream copy, one MP4 fragment for each picture.

Each connection to the camera has one muxer for all its viewers. Times in the MP4 begin at 0 with the muxer, so a later
viewer begins at a later time.
"""

import logging
import re
from collections.abc import Callable
from typing import Final

import av.error
from av.video.stream import VideoStream

from gateway.domain.frozen import Frozen
from gateway.video.fragments import FragmentedMp4
from gateway.video.ipc import LiveViewAccepted
from gateway.video.ring import EncodedPicture, PreRollBuffer

log = logging.getLogger(__name__)

MUXER_RETRY_DELAY_S: Final = 2.0  # seconds before a new muxer is made after one failed
SPS_PATTERN: Final = re.compile(rb"\x00\x00\x01[\x07\x27\x47\x67](...)", re.DOTALL)  # H.264's sequence parameter set


class LiveInit(Frozen, kw_only=False):
    """The init segment, which each viewer needs first. `at`: when the first picture arrived (monotonic seconds)."""

    accepted: LiveViewAccepted
    at: float
    data: bytes


class LiveFragment(Frozen, kw_only=False):
    """One picture. `key`: a viewer may begin with it. `at`: when it arrived (monotonic seconds)."""

    at: float
    key: bool
    data: bytes


LivePiece = LiveInit | LiveFragment | None
"""None: the stream is lost. The next stream begins with a new `LiveInit`."""
LiveSink = Callable[[LivePiece], None]
"""Called with each piece in order, in the camera's thread."""


class Broadcast:
    """The live view of one camera. The caller holds the camera's lock in every call."""

    def __init__(self, camera: str, sink: LiveSink) -> None:
        self.sink = sink
        self._camera = camera
        self._muxer: LiveMuxer | None = None
        self._not_before = 0.0

    def send_picture(self, sample: EncodedPicture, ring: PreRollBuffer, stream: VideoStream) -> None:
        """Send the newest picture (also the last one in `ring`). A new muxer begins with the ring's newest group."""
        try:
            if self._muxer is not None:
                self._muxer.mux(sample)
            elif sample.arrived_at >= self._not_before and (group := ring.newest_group()):
                self._muxer = muxer = LiveMuxer(stream, group[0], self.sink)
                for picture in group:
                    muxer.mux(picture)
        except (av.error.FFmpegError, UnplayableStream) as error:
            log.warning("%s: pictures that cannot be shown: %s", self._camera, error)
            self._not_before = sample.arrived_at + MUXER_RETRY_DELAY_S
            self.end()

    def end(self) -> None:
        """Close the muxer and send the end: the stream is lost, or there is no viewer."""
        muxer, self._muxer = self._muxer, None
        if muxer is not None:
            self.sink(None)


class UnplayableStream(Exception):  # noqa: N818 - the name says the condition
    """A browser cannot play this stream."""


class LiveMuxer:
    """Makes the fragments of one connection to a camera. It raises as `FragmentedMp4` and `stream_info` do."""

    def __init__(self, template: VideoStream, first: EncodedPicture, sink: LiveSink) -> None:
        """Send `LiveInit`. The caller then calls `mux` with the key picture `first`."""
        viewing = stream_info(template)
        self._sink, self._mp4 = sink, FragmentedMp4(template, first)
        self._previous: EncodedPicture | None = None
        sink(LiveInit(viewing, first.arrived_at, self._mp4.header))

    def mux(self, sample: EncodedPicture) -> None:
        """Take the next picture and send the previous one, whose duration is now known."""
        before, self._previous = self._previous, sample
        if before is not None and (fragment := self._mp4.fragment((before,), sample)):
            self._sink(LiveFragment(before.arrived_at, before.is_key, fragment))


def stream_info(template: VideoStream) -> LiveViewAccepted:
    """Return codec and size of the stream, which a page needs to play it.

    Raises:
        UnplayableStream: the stream is not H.264, or its parameter sets are unknown.
    """
    codec = template.codec_context
    parameters = SPS_PATTERN.search(codec.extradata or b"")
    if codec.name != "h264" or parameters is None or not (codec.width and codec.height):
        raise UnplayableStream(f"{codec.name} without known parameters")
    return LiveViewAccepted(codec=f"avc1.{parameters[1].hex().upper()}", width=codec.width, height=codec.height)
