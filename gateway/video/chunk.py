"""The chunks that a viewer receives after `Viewing`: fragmented MP4, each with the instant of its newest picture.

On the socket, big-endian: 4 bytes, how many bytes of MP4 there are; 8 bytes (float64), the instant; those bytes.
"""

import struct
from dataclasses import dataclass
from typing import Final

CHUNK_HEADER: Final = struct.Struct("!Id")
MAX_CHUNK_BYTES: Final = 64 << 20  # bytes: no picture is so large


@dataclass(frozen=True, slots=True)
class Chunk:
    """The init segment (ftyp, moov) if `init`, else one fragment (moof, mdat).

    `at`: when the newest picture in it arrived, of the init segment the first one after it (monotonic seconds).
    """

    at: float
    data: bytes
    init: bool = False


def pack_chunk(at: float, data: bytes) -> bytes:
    """A chunk as it goes over the socket. That the first one is the init segment need not be said."""
    return CHUNK_HEADER.pack(len(data), at) + data
