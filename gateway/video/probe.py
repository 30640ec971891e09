"""Probes one camera's stream in its own process, because a forged stream may crash libav.

`python -m gateway.video.probe` reads one line from standard input (a `CameraSource`, with the path of the account's
file and without the account) and writes one line (`ProbeResult`). `perron doctor` and the page Installation use it.
"""

import asyncio
import base64
import contextlib
import resource
import sys
import time
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import Base64Bytes, Field, ValidationError

from gateway.video.ipc import CameraSource, IpcMessage, OpenFailure, StreamFault

PROBE_DURATION_S: Final = 2.5  # seconds after the first picture
PROBE_TIMEOUT_S: Final = 4.5  # seconds for the whole probe
PICTURE_OPTION: Final = "--picture"
MAX_PICTURE_BYTES: Final = 400_000  # of a JPEG; a thumbnail has a tenth

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.stream import VideoStream


class ProbeResult(IpcMessage):
    """What the probe found. `unopened`: why the stream did not open. `lost`: why it ended.

    `key_every`: seconds between two key pictures, None if fewer than two came. `shown`: the fingerprint of the
    certificate that the camera showed and that is not trusted. `picture`: the first picture, a JPEG, where one was
    asked for.
    """

    unopened: OpenFailure | None = None
    lost: StreamFault | None = None
    width: int = 0
    height: int = 0
    pictures_a_second: float | None = None
    key_every: float | None = None
    shown: str | None = None
    picture: Annotated[Base64Bytes, Field(max_length=2 * MAX_PICTURE_BYTES)] | None = None


async def probe_stream(source: CameraSource, *, picture: bool = False) -> ProbeResult:
    """Probe a camera's stream for a few seconds, and return its first `picture` if asked to.

    It raises nothing for what the camera does.
    """
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "gateway.video.probe",
        *([PICTURE_OPTION] if picture else ()),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(PROBE_TIMEOUT_S):
            output, _ = await child.communicate(source.model_dump_json().encode() + b"\n")
        return ProbeResult.model_validate_json(output)
    except (TimeoutError, ValidationError):
        return ProbeResult(unopened=OpenFailure.NO_ANSWER)
    finally:
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        await child.communicate()  # waits until the pipes are closed too


def _probe(source: CameraSource, *, picture: bool) -> ProbeResult:
    from gateway.video.rtsps import certificate_fingerprint  # noqa: PLC0415 - only the child process needs it
    from gateway.video.stream import StreamLost, read_packets  # noqa: PLC0415 - only the child process needs it

    began, keys, times = time.monotonic(), list[float](), list[float]()
    width = height = 0
    lost, jpeg = None, None
    try:
        for stream, packet in read_packets(source):
            now = time.monotonic()
            if packet is None:
                began, width, height = now, stream.codec_context.width, stream.codec_context.height
                stream.codec_context.thread_count = 1
                continue
            if picture and jpeg is None:
                jpeg = _first_picture(packet)
            if packet.pts is not None or not times:  # None of the first packet means 0
                times.append(float((packet.pts or 0) * (stream.time_base or 0)))
                keys += times[-1:] if packet.is_keyframe else []
            if now - began > PROBE_DURATION_S or (len(keys) > 1 and now - began > PROBE_DURATION_S / 2):
                break
    except StreamLost as failure:
        lost = failure
        if lost.open_failure is not None:
            shown = certificate_fingerprint(source.url) if lost.open_failure is OpenFailure.CERTIFICATE else None
            return ProbeResult(unopened=lost.open_failure, shown=shown)
    # Of the stream's clock, because the first pictures arrive together
    seconds = max(times) - min(times) if times else 0.0
    return ProbeResult(
        lost=lost.fault if lost else None,
        width=width,
        height=height,
        pictures_a_second=round((len(times) - 1) / seconds, 1) if seconds > 0 else None,
        key_every=round(keys[-1] - keys[-2], 2) if len(keys) > 1 else None,
        picture=None if jpeg is None else base64.b64encode(jpeg),
    )


def _first_picture(packet: "Packet[VideoStream]") -> bytes | None:
    """Decode a packet; return its picture as a JPEG, or None: it has none yet, or cannot be decoded."""
    import av.error  # noqa: PLC0415 - only the child process needs it

    from gateway.video.frame_analysis import thumbnail  # noqa: PLC0415 - only the child process needs it

    try:
        frames = packet.decode()
    except av.error.FFmpegError:
        return None
    jpeg = thumbnail(frames[0]) if frames else None
    return jpeg if jpeg is not None and len(jpeg) <= MAX_PICTURE_BYTES else None


def main() -> None:
    """Run the child process."""
    import av.logging  # noqa: PLC0415 - only the child process needs it

    av.logging.set_level(None)  # libav's own lines may carry a camera's password
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # and so would a core
    source = CameraSource.model_validate_json(sys.stdin.readline())
    sys.stdout.write(_probe(source, picture=PICTURE_OPTION in sys.argv[1:]).model_dump_json() + "\n")


if __name__ == "__main__":
    main()
