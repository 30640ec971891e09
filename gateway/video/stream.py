"""Opening and reading a camera's H.264 over RTSP, with the options that were measured."""

import time
from collections.abc import Iterator
from typing import Final

import av
import av.error
from av.packet import Packet
from av.video.stream import VideoStream

from gateway.video.words import Fault

OPTIONS: Final = {
    # `fflags=nobuffer` would throw the first key picture away; `stimeout` and `rw_timeout` are silently ignored.
    "rtsp_transport": "tcp",
    "fpsprobesize": "0",
    "analyzeduration": "300000",  # microseconds
    "allowed_media_types": "video",  # never sound
}
OPENS: Final = 5.0  # seconds for a stream to open
READS: Final = 1.0  # seconds without a byte after which the connection is given up: no camera may be slower
SLIP: Final = 0.1  # seconds by which the time limit of a read may come early


class StreamLost(Exception):  # noqa: N818  a failure of the world, named as what happened
    """The stream ended or could not be opened; there is no way to end well."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault)
        self.fault = fault


def read(url: str) -> Iterator[tuple[VideoStream, "Packet[VideoStream] | None"]]:
    """The stream's packets as they arrive. First comes (stream, None): it is open.

    Raises:
        StreamLost: always at last. A reset of the connection looks like an end of file, so both are the same fault.
    """
    try:
        container = av.open(url, "r", options=dict(OPTIONS), timeout=(OPENS, READS))
    except av.error.FFmpegError as error:
        raise StreamLost(Fault.UNREACHABLE) from error
    with container:
        if not container.streams.video:
            raise StreamLost(Fault.UNREACHABLE)
        stream = container.streams.video[0]
        yield stream, None
        try:
            heard = time.monotonic()
            for packet in container.demux(stream):
                if time.monotonic() - heard > READS - SLIP:
                    # libav's parser holds each picture until the next one begins and lets go of the last one when the
                    # read has timed out: such a picture would prove a camera live that was cut a second ago.
                    raise StreamLost(Fault.STALL)
                heard = time.monotonic()
                if packet.size:
                    yield stream, packet
        except av.error.ExitError as error:  # the read's time limit
            raise StreamLost(Fault.STALL) from error
        except av.error.FFmpegError as error:
            raise StreamLost(Fault.RESET) from error
    raise StreamLost(Fault.RESET)
