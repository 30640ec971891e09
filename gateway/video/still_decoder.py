"""Decodes single pictures of a film in a process of its own (`stills.py` starts it). It imports no more than it needs.

`python -m gateway.video.still_decoder SIDE WANTED...` reads the film from standard input, which must be a regular file,
and writes one JSON line for each wanted picture: `{"second", "jpeg"}` with the JPEG in base64, or null if the film has
none there. A picture is wanted at a second (`2.5`), or it is the busiest one of a span (`2.5:8`). `SIDE`: its longer
side in pixels, at most.
"""

import base64
import contextlib
import io
import json
import os
import resource
import sys
from typing import BinaryIO, Final

import av
from av.error import FFmpegError
from PIL import Image

SPAN_PICTURES: Final = 10  # pictures of a span that are compared
COMPARED_SIZE_PX: Final = (64, 36)  # so that noise counts little
NICENESS: Final = 10  # the doors come first
MAX_MEMORY_BYTES: Final = 4 << 30  # of address space, because a forged header may request more


def _take_still(film: BinaryIO, argument: str, side_px: int) -> dict[str, object] | None:
    first, *last = map(float, argument.split(":"))
    found = _busiest(film, first, last[0]) if last else _frame_at(film, first)
    return None if found is None else _to_still(*found, side_px)


def _busiest(film: BinaryIO, first: float, last: float) -> tuple[av.VideoFrame, float] | None:
    """Return the picture of a span that differs most from the film's first picture."""
    begin = _frame_at(film, 0.0)
    if begin is None:
        return None
    empty = _small_luma(begin[0])
    step = (last - first) / (SPAN_PICTURES - 1)
    found = [frame for number in range(SPAN_PICTURES) if (frame := _frame_at(film, first + number * step)) is not None]
    return max(found, key=lambda one: _difference(_small_luma(one[0]), empty), default=None)


def _small_luma(frame: av.VideoFrame) -> bytes:
    """Return the picture in grey, a byte a pixel, in lines that the decoder may have filled up."""
    width, height = COMPARED_SIZE_PX
    return bytes(frame.reformat(width, height, format="gray", interpolation="AREA").planes[0])


def _difference(one: bytes, other: bytes) -> int:
    return sum(abs(first - second) for first, second in zip(one, other, strict=True))


def _frame_at(film: BinaryIO, second: float) -> tuple[av.VideoFrame, float] | None:
    """Decode from the key picture before `second` up to it; return the picture and its second."""
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


def _to_still(frame: av.VideoFrame, at: float, side_px: int) -> dict[str, object]:
    plane = frame.reformat(format="rgb24").planes[0]
    image = Image.frombytes("RGB", (frame.width, frame.height), bytes(plane), "raw", "RGB", plane.line_size)
    image.thumbnail((side_px, side_px))
    written = io.BytesIO()
    image.save(written, "JPEG", quality=85)
    return {"second": at, "jpeg": base64.b64encode(written.getvalue()).decode()}


def main() -> None:
    """Write the pictures that the command line asks for, in little memory and after everything else on the machine."""
    with contextlib.suppress(PermissionError):  # the unit of a service may forbid it
        os.nice(NICENESS)
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    side_px, *wanted = sys.argv[1:]
    for argument in wanted:
        still = _take_still(sys.stdin.buffer, argument, int(side_px))
        sys.stdout.write(f"{json.dumps(still)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
