"""Opens and reads a camera's H.264 over RTSP, with measured options.

A camera may be hostile. libav may use only the protocol of this connection, so it refuses a redirect to a file, a page
or another camera. Only the first H.264 video is requested, so no sound leaves the camera. This module reads the
camera's account for each connection; libav's errors contain it, so they do not leave this module.
"""

import errno
import logging
import re
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Final

import av
import av.error
from av import VideoCodecContext
from av.packet import Packet
from av.video.stream import VideoStream

from gateway.config.stream_url import endpoint
from gateway.video.credentials import LoginUnusable, read_login
from gateway.video.ipc import CameraSource, OpenFailure, StreamFault
from gateway.video.rtsps import CertificateUntrusted, diagnose_open_failure, tls_options

log = logging.getLogger(__name__)

RTSP_OPTIONS: Final = {
    # `fflags=nobuffer` would throw the first key picture away; `stimeout` and `rw_timeout` are silently ignored.
    "rtsp_transport": "tcp",
    "fpsprobesize": "0",
    "analyzeduration": "300000",  # microseconds
    "allowed_media_types": "video",  # never sound
    "protocol_whitelist": "tcp",  # the transport only: without "rtsp" in this list libav follows no redirect
}
OPEN_TIMEOUT_S: Final = 5.0  # seconds for a stream to open
READ_TIMEOUT_S: Final = 1.0  # seconds without a byte after which the connection ends
READ_TIMEOUT_TOLERANCE_S: Final = 0.1  # seconds by which libav may end a read before its time limit
PARAMETER_SCAN_BYTES: Final = 4096  # bytes at the beginning of a key picture that are searched for parameter sets
PARAMETER_SET_PATTERN: Final = re.compile(
    rb"\x00\x00\x01([\x07\x27\x47\x67\x08\x28\x48\x68].*?)(?=\x00\x00\x01|\x00\x00\x00|$)", re.DOTALL
)


class StreamLost(Exception):  # noqa: N818 - the name says the condition
    """The stream ended, or it could not be opened (then `open_failure` says why)."""

    def __init__(self, fault: StreamFault, open_failure: OpenFailure | None = None) -> None:
        super().__init__(fault)
        self.fault, self.open_failure = fault, open_failure


def read_packets(source: CameraSource) -> Iterator[tuple[VideoStream, "Packet[VideoStream] | None"]]:
    """Yield (stream, None) when the stream is open, then (stream, packet) for each packet as it arrives.

    The stream ends if its pictures change size or coding, because films and viewers got the parameters at their start.

    Raises:
        StreamLost: always at the end. A reset of the connection looks like an end of file, so both are the same fault.
    """
    with ExitStack() as stack:
        container = _open_stream(source, stack)
        stream = next((video for video in container.streams.video if _codec_name(video) == "h264"), None)
        if stream is None:
            why = OpenFailure.NOT_H264 if container.streams.video else OpenFailure.NO_PICTURES
            raise StreamLost(StreamFault.UNREACHABLE, why)
        yield stream, None
        try:
            yield from _packets(container, stream)
        except av.error.ExitError:  # the read's time limit
            raise StreamLost(StreamFault.STALL) from None
        except av.error.FFmpegError:
            raise StreamLost(StreamFault.RESET) from None
    raise StreamLost(StreamFault.RESET)


def _codec_name(stream: VideoStream) -> str | None:
    """Return the name of the codec; None if libav does not know it (PyAV's types do not say that this happens)."""
    context: VideoCodecContext | None = stream.codec_context
    return None if context is None else context.name


def _packets(
    container: av.container.InputContainer, stream: VideoStream
) -> Iterator[tuple[VideoStream, "Packet[VideoStream]"]]:
    packet_at, known = time.monotonic(), frozenset[bytes]()
    for packet in container.demux(stream):
        before, packet_at = packet_at, time.monotonic()
        if packet_at - before > READ_TIMEOUT_S - READ_TIMEOUT_TOLERANCE_S:
            # libav's parser keeps each picture until the next one begins, and returns the last one when the read
            # times out. That picture would prove a camera live that was disconnected a second ago.
            raise StreamLost(StreamFault.STALL)
        if not packet.size:
            continue
        if packet.is_keyframe:
            parameters = parameter_sets(bytes(memoryview(packet)[:PARAMETER_SCAN_BYTES]))
            if parameters_changed(known, parameters):
                raise StreamLost(StreamFault.CHANGED)
            known |= parameters
        yield stream, packet


def parameter_sets(head: bytes) -> frozenset[bytes]:
    """Return the H.264 sequence and picture parameter sets at the beginning of a key picture; often there are none."""
    return frozenset(PARAMETER_SET_PATTERN.findall(head))


def parameters_changed(known: frozenset[bytes], new: frozenset[bytes]) -> bool:
    """Return whether `new` differs from `known`. A set that is missing or comes later is no difference."""
    kinds = {unit[0] & 0x1F for unit in known}
    return any(unit[0] & 0x1F in kinds for unit in new - known)


def _open_stream(source: CameraSource, stack: ExitStack) -> av.container.InputContainer:
    """Open the stream; `stack` closes it.

    Raises:
        StreamLost: the stream does not open. The exception has no cause, because libav's errors contain the account.
    """
    url, options = source.url, dict(RTSP_OPTIONS)
    try:
        if source.login is not None:
            url = read_login(source.login).insert_into(url)
        if source.url.startswith("rtsps://"):
            options |= stack.enter_context(tls_options(source))
        return stack.enter_context(av.open(url, "r", options=options, timeout=(OPEN_TIMEOUT_S, READ_TIMEOUT_S)))
    except LoginUnusable as unusable:
        log.warning("%s: %s", source.name, unusable)
        raise StreamLost(StreamFault.UNREACHABLE, OpenFailure.LOGIN_UNUSABLE) from None
    except CertificateUntrusted as untrusted:
        raise StreamLost(StreamFault.UNREACHABLE, untrusted.failure) from None
    except av.error.FFmpegError as error:
        raise StreamLost(StreamFault.UNREACHABLE, _open_failure(error, source)) from None


def _open_failure(error: av.error.FFmpegError, source: CameraSource) -> OpenFailure:
    match error:
        case av.error.HTTPUnauthorizedError() | av.error.HTTPForbiddenError():
            return OpenFailure.LOGIN_REFUSED
        case av.error.HTTPNotFoundError() | av.error.HTTPBadRequestError():
            return OpenFailure.NO_SUCH_STREAM
        case av.error.HTTPClientError() | av.error.HTTPServerError():
            return OpenFailure.TURNED_AWAY
        case av.error.ArgumentError():  # libav refused a protocol that the whitelist does not have
            return OpenFailure.SENT_ELSEWHERE
        case av.error.InvalidDataError():
            return OpenFailure.NOT_UNDERSTOOD
        case av.error.ExitError() | av.error.ConnectionRefusedError():
            return OpenFailure.NO_ANSWER
        case _ if error.errno == errno.EPROTONOSUPPORT:
            return OpenFailure.NO_TCP
        case _ if not host_resolves(source.url):
            return OpenFailure.UNKNOWN_HOST
        case _:
            return diagnose_open_failure(source)


def host_resolves(url: str) -> bool:
    """Whether the host of `url` has an IP address."""
    try:
        return bool(socket.getaddrinfo(*endpoint(url), type=socket.SOCK_STREAM))
    except OSError:
        return False
