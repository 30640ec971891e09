"""Makes a fragmented MP4 of an H.264 stream, byte by byte: it plays even if it is cut off after any fragment.

libav writes the header once for each film. Fragments are made here, because libav's muxer took a third of a film's CPU
for pictures that are only copied, and lets a fragment go only with the second picture after it. Terms and layouts:
ISO/IEC 14496-12 (boxes) and 14496-15 (H.264 in MP4).
"""

import struct
from collections.abc import Sequence
from fractions import Fraction
from typing import Final

import av
from av.video.stream import VideoStream

from gateway.video.ring import EncodedPicture

TIMESCALE: Final = 90_000  # ticks a second in the MP4, as in RTP
HEADER_OPTIONS: Final = {
    "movflags": "frag_custom+empty_moov+default_base_moof",
    "flush_packets": "1",
    "use_editlist": "0",
    "video_track_timescale": str(TIMESCALE),
}
TRACK: Final = 1  # its number, which libav gives the only track
START_CODE: Final = b"\x00\x00\x01"
KEY_FLAGS: Final = 0x02000000  # depends on no other picture
OTHER_FLAGS: Final = 0x01010000  # depends on others, and playing cannot begin with it
MAX_UINT32: Final = 0xFFFFFFFF

MOOF: Final = struct.Struct(">I4s I4sII I4s I4sIII I4sIQ I4sIIII")
MOOF_SIZES: Final = (16, 20, 20)  # bytes of mfhd, tfhd and tfdt
BOX: Final = struct.Struct(">I4s")
TFHD_FLAGS: Final = 0x020020  # offsets count from the moof; default flags
TFDT_FLAGS: Final = 0x01000000  # 64 bits
TRUN_FLAGS: Final = 0x000B05  # data offset, flags of the first sample; of each: duration, bytes, offset of display time
TFRA: Final = struct.Struct(">I4s I4sIIII")
TFRA_ENTRY: Final = struct.Struct(">QQBBB")
MFRO: Final = struct.Struct(">I4sII")


class FragmentedMp4:
    """The MP4 of a stream, whose times begin at 0 with the picture `first`.

    `av.error.FFmpegError`: libav refuses the stream.
    """

    def __init__(self, stream: VideoStream, first: EncodedPicture) -> None:
        self.header = write_header(stream)
        self._ticks = float((stream.time_base or Fraction(1, TIMESCALE)) * TIMESCALE)  # a unit of the stream's time
        self._base = first.dts
        self._last = -1  # decode time of the newest picture
        self._number = 0  # of fragments
        self._end = len(self.header)
        self._key_fragments: list[tuple[int, int]] = []  # display time and place of those that begin with a key picture

    def fragment(self, pictures: Sequence[EncodedPicture], after: EncodedPicture | None) -> bytes:
        """Return the next fragment: of these pictures, of which only the first may be a key picture.

        `after` is the picture that follows, if one does; it gives the last one's duration. A time that does not rise is
        increased by the least step, so that the film plays. What is no H.264 is left out; if nothing is left, the
        fragment is empty.
        """
        base, ticks, last = self._base, self._ticks, self._last
        begin, interval, is_key = 0, 1, False
        media: list[bytes] = []
        table: list[int] = []  # of each picture: duration, bytes, display time after decode time
        for picture in pictures:
            if not (data := length_prefixed(picture.data)):
                continue
            time = max(last + 1, round((picture.dts - base) * ticks))
            if media:
                table[-3] = interval = min(time - last, MAX_UINT32)
            else:
                begin, is_key = time, picture.is_key
            table += (interval, len(data), min(max(0, round((picture.pts - base) * ticks) - time), MAX_UINT32))
            media.append(data)
            last = time
        if not media:
            return b""
        self._last = last
        if after is not None:
            table[-3] = min(max(1, round((after.dts - base) * ticks) - last), MAX_UINT32)
        if is_key:
            self._key_fragments.append((begin + table[2], self._end))
        self._number += 1
        mdat = BOX.pack(8 + sum(map(len, media)), b"mdat")
        samples = struct.pack(f">{len(table)}I", *table)
        fragment = b"".join([self._moof(begin, len(media), len(samples), is_key=is_key), samples, mdat, *media])
        self._end += len(fragment)
        return fragment

    def index(self) -> bytes:
        """Return the last box (mfra): where the fragments are with which playing may begin."""
        entries = [TFRA_ENTRY.pack(time, place, 1, 1, 1) for time, place in self._key_fragments]
        tfra = TFRA.size - 8 + TFRA_ENTRY.size * len(entries)
        size = 8 + tfra + MFRO.size
        return b"".join(
            [
                TFRA.pack(size, b"mfra", tfra, b"tfra", 0x01000000, TRACK, 0, len(entries)),
                *entries,
                MFRO.pack(MFRO.size, b"mfro", 0, size),
            ]
        )

    def _moof(self, begin: int, count: int, table_bytes: int, *, is_key: bool) -> bytes:
        mfhd, tfhd, tfdt = MOOF_SIZES
        trun = 24 + table_bytes
        traf = 8 + tfhd + tfdt + trun
        moof = 8 + mfhd + traf
        return MOOF.pack(
            *(moof, b"moof"),
            *(mfhd, b"mfhd", 0, self._number),
            *(traf, b"traf"),
            *(tfhd, b"tfhd", TFHD_FLAGS, TRACK, OTHER_FLAGS),
            *(tfdt, b"tfdt", TFDT_FLAGS, begin),
            *(trun, b"trun", TRUN_FLAGS, count, moof + 8, KEY_FLAGS if is_key else OTHER_FLAGS),
        )


class _Written:
    """A file that cannot be rewound, as libav's muxer would like to."""

    def __init__(self) -> None:
        self.data = bytearray()

    def write(self, data: bytes) -> int:
        self.data += data
        return len(data)


def write_header(stream: VideoStream) -> bytes:
    """Return what comes before the fragments of a stream (ftyp, moov). `av.error.FFmpegError`: libav refuses it."""
    written = _Written()
    with av.open(written, "w", format="mp4", container_options=dict(HEADER_OPTIONS)) as container:
        copied = container.add_stream_from_template(stream)
        copied.time_base = stream.time_base or Fraction(1, TIMESCALE)
        container.start_encoding()
        return bytes(written.data)


def length_prefixed(data: bytes) -> bytes:
    """Return a picture whose NAL units begin with start codes (Annex B) with 4 bytes of length before each instead.

    Bytes before the first start code belong to no unit. A unit never ends in zeros: they belong to the next start code.
    """
    parts: list[bytes] = []
    for unit in data.split(START_CODE)[1:]:
        whole = unit.rstrip(b"\x00")
        if whole:
            parts += (len(whole).to_bytes(4, "big"), whole)
    return b"".join(parts)
