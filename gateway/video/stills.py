"""Takes pictures out of a film. Another process decodes it (`still_decoder.py`), for a forged film may crash it."""

import subprocess
import sys
from collections.abc import Sequence
from typing import Annotated, BinaryIO, Final, TypeAlias

from pydantic import AfterValidator, Base64Bytes, BaseModel, ConfigDict, TypeAdapter, ValidationError

DECODE_TIMEOUT_S: Final = 60.0  # seconds for one film
MAX_SIDE_PX: Final = 1280  # the longer side


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
    command = [sys.executable, "-m", "gateway.video.still_decoder", str(side_px), *map(_argument, wanted)]
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
