"""Decodes single pictures of a film in its own process, because a forged film may crash libav.

`python -m gateway.video.stills SIDE WANTED...` reads the film from standard input, which must be a regular file, and
writes one JSON line for each wanted picture: `{"second", "jpeg"}`, or null if the film has none there. A picture is
wanted at a second (`2.5`), or it is the busiest one of a span (`2.5:8`). `SIDE`: its longer side in pixels, at most.
"""

import contextlib
import io
import os
import resource
import subprocess
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, BinaryIO, Final, TypeAlias

from pydantic import AfterValidator, Base64Bytes, BaseModel, ConfigDict, TypeAdapter, ValidationError

if TYPE_CHECKING:
    import av
    import numpy as np
    import numpy.typing as npt

DECODE_TIMEOUT_S: Final = 60.0  # seconds for one film
MAX_SIDE_PX: Final = 1280  # the longer side
SPAN_PICTURES: Final = 10  # pictures of a span that are compared
COMPARED_SIZE_PX: Final = (64, 36)  # so that noise counts little
NICENESS: Final = 10  # the doors come first
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


FilmSecond: TypeAlias = float
FilmStretch: TypeAlias = tuple[float, float]
"""From one second of a film to another; of it the picture is wanted that differs most from the film's first one: there
somebody is to be seen, if anywhere."""

_LINE_ADAPTER: TypeAdapter[Still | None] = TypeAdapter(Still | None)


def take_stills(
    film: BinaryIO, wanted: Sequence[FilmSecond | FilmStretch], *, side_px: int = MAX_SIDE_PX
) -> tuple[Still | None, ...]:
    """Return the picture that the film shows at each of these seconds, counted from its first picture.

    The call blocks for at most a minute, so make it in a thread. None: the film has no picture there or cannot be
    decoded. After the film's end its last picture is returned. `film` must be a regular file, because another process
    reads it. `side_px`: the longer side of the pictures, at most.
    """
    command = [sys.executable, "-m", "gateway.video.stills", str(side_px), *map(_argument, wanted)]
    film.seek(0)
    try:
        decoder = subprocess.run(command, stdin=film, capture_output=True, timeout=DECODE_TIMEOUT_S, check=False)  # noqa: S603 - the arguments are numbers
    except subprocess.TimeoutExpired:
        return (None,) * len(wanted)
    stills: list[Still | None] = []
    for line in decoder.stdout.splitlines()[: len(wanted)]:
        try:
            stills.append(_LINE_ADAPTER.validate_json(line))
        except ValidationError:  # the process was ended in the middle of a line
            break
    return (*stills, *[None] * (len(wanted) - len(stills)))


def _argument(wanted: FilmSecond | FilmStretch) -> str:
    seconds = wanted if isinstance(wanted, tuple) else (wanted,)
    return ":".join(repr(float(second)) for second in seconds)


def _take_still(film: BinaryIO, argument: str, side_px: int) -> Still | None:
    first, *last = map(float, argument.split(":"))
    found = _busiest(film, first, last[0]) if last else _frame_at(film, first)
    return None if found is None else _to_still(*found, side_px)


def _busiest(film: BinaryIO, first: float, last: float) -> "tuple[av.VideoFrame, float] | None":
    """Return the picture of a span that differs most from the film's first picture."""
    import numpy as np  # noqa: PLC0415 - only the child process needs it

    begin = _frame_at(film, 0.0)
    if begin is None:
        return None
    empty = _small_luma(begin[0])
    step = (last - first) / (SPAN_PICTURES - 1)
    found = [frame for number in range(SPAN_PICTURES) if (frame := _frame_at(film, first + number * step)) is not None]
    return max(found, key=lambda one: float(np.abs(_small_luma(one[0]) - empty).mean()), default=None)


def _small_luma(frame: "av.VideoFrame") -> "npt.NDArray[np.int16]":
    import numpy as np  # noqa: PLC0415 - only the child process needs it

    width, height = COMPARED_SIZE_PX
    return frame.reformat(width, height, format="gray", interpolation="AREA").to_ndarray().astype(np.int16)


def _frame_at(film: BinaryIO, second: float) -> "tuple[av.VideoFrame, float] | None":
    """Decode from the key picture before `second` up to it; return the picture and its second."""
    import av  # noqa: PLC0415 - only the child process needs it
    from av.error import FFmpegError  # noqa: PLC0415 - only the child process needs it

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
    return last


def _to_still(frame: "av.VideoFrame", at: float, side_px: int) -> Still:
    from PIL import Image  # noqa: PLC0415 - only the child process needs it

    image = Image.fromarray(frame.to_ndarray(format="rgb24"))
    image.thumbnail((side_px, side_px))
    written = io.BytesIO()
    image.save(written, "JPEG", quality=85)
    return Still.model_construct(second=at, jpeg=written.getvalue())


def main() -> None:
    """Run the child process."""
    with contextlib.suppress(PermissionError):  # the unit of a service may forbid it
        os.nice(NICENESS)
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    side_px, *wanted = sys.argv[1:]
    for argument in wanted:
        still = _take_still(sys.stdin.buffer, argument, int(side_px))
        sys.stdout.buffer.write(_LINE_ADAPTER.dump_json(still) + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
