"""Decodes single pictures of a film in its own process, because a forged film may crash libav.

`python -m gateway.video.stills SECOND...` reads the film from standard input, which must be a regular file, and writes
one JSON line for each given second: `{"second", "jpeg"}`, or null if the film has no picture there.
"""

import io
import resource
import subprocess
import sys
from collections.abc import Sequence
from typing import Annotated, BinaryIO, Final

from pydantic import AfterValidator, Base64Bytes, BaseModel, ConfigDict, TypeAdapter, ValidationError

DECODE_TIMEOUT_S: Final = 60.0  # seconds for one film
MAX_SIDE_PX: Final = 1280  # the longer side
MAX_MEMORY_BYTES: Final = 4 << 30  # of address space, because a forged header may request more


def _begins_as_jpeg(data: bytes) -> bytes:
    if not data.startswith(b"\xff\xd8\xff"):
        raise ValueError("no JPEG")
    return data


class Still(BaseModel):
    """One picture as JPEG. `second`: how many seconds after the film's first picture it was taken."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    second: float
    jpeg: Annotated[Base64Bytes, AfterValidator(_begins_as_jpeg)]  # base64 in JSON


_LINE_ADAPTER: TypeAdapter[Still | None] = TypeAdapter(Still | None)


def take_stills(film: BinaryIO, seconds: Sequence[float]) -> tuple[Still | None, ...]:
    """Return the picture that the film shows at each of these seconds, counted from its first picture.

    The call blocks for at most a minute, so make it in a thread. None: the film has no picture there or cannot be
    decoded. After the film's end its last picture is returned. `film` must be a regular file, because another process
    reads it.
    """
    command = [sys.executable, "-m", "gateway.video.stills", *(repr(float(second)) for second in seconds)]
    film.seek(0)
    try:
        decoder = subprocess.run(command, stdin=film, capture_output=True, timeout=DECODE_TIMEOUT_S, check=False)  # noqa: S603 - the arguments are numbers
    except subprocess.TimeoutExpired:
        return (None,) * len(seconds)
    stills: list[Still | None] = []
    for line in decoder.stdout.splitlines()[: len(seconds)]:
        try:
            stills.append(_LINE_ADAPTER.validate_json(line))
        except ValidationError:  # the process was ended in the middle of a line
            break
    return (*stills, *[None] * (len(seconds) - len(stills)))


def _take_still(film: BinaryIO, second: float) -> Still | None:
    """Decode from the key picture before `second` up to it."""
    import av  # noqa: PLC0415 - only the child process needs it
    from av.error import FFmpegError  # noqa: PLC0415 - only the child process needs it
    from PIL import Image  # noqa: PLC0415 - only the child process needs it

    film.seek(0)
    last = None
    try:
        # No other format, because a playlist could name other files
        with av.open(film, "r", format="mp4") as container:
            stream = container.streams.video[0]
            stream.codec_context.thread_count = 1
            zero = float((stream.start_time or 0) * (stream.time_base or 0))
            container.seek(max(0, round((zero + second) * 1_000_000)))
            for frame in container.decode(stream):
                at = (frame.time or 0.0) - zero
                if last is not None and at > second + 1e-3:
                    break
                last = frame, at
    except (FFmpegError, IndexError):  # the pictures that were decoded before are valid
        pass
    if last is None:
        return None
    frame, at = last
    image = Image.fromarray(frame.to_ndarray(format="rgb24"))
    image.thumbnail((MAX_SIDE_PX, MAX_SIDE_PX))
    written = io.BytesIO()
    image.save(written, "JPEG", quality=85)
    return Still.model_construct(second=at, jpeg=written.getvalue())


def main() -> None:
    """Run the child process."""
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for argument in sys.argv[1:]:
        still = _take_still(sys.stdin.buffer, float(argument))
        sys.stdout.buffer.write(_LINE_ADAPTER.dump_json(still) + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
