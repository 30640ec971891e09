"""Defines the chunks that a viewer receives after `LiveViewAccepted`: fragmented MP4, each with a time.

On the socket, big-endian: 4 bytes with the length of the MP4 data; 8 bytes (float64) with the time; the data.
"""

import struct
from dataclasses import dataclass
from typing import Final

CHUNK_HEADER: Final = struct.Struct("!Id")
MAX_CHUNK_BYTES: Final = 64 << 20  # larger than any picture


@dataclass(frozen=True, slots=True)
class Chunk:
    """The init segment (ftyp, moov) if `init`, else one fragment (moof, mdat).

    `at`: when its newest picture arrived; of the init segment, when the first picture after it arrived (monotonic
    seconds).
    """

    at: float
    data: bytes
    init: bool = False


def pack_chunk(at: float, data: bytes) -> bytes:
    """Return a chunk in the form of the socket. The first chunk on a connection is the init segment."""
    return CHUNK_HEADER.pack(len(data), at) + data
