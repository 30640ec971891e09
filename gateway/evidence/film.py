"""Finds the changed second of a film by the hash chain in its sidecar.

This is an independent implementation of the format that `gateway/video/sidecar.py` describes, so one mistake cannot be
in both the writer and the checker.
"""

from datetime import datetime
from hashlib import sha256
from typing import BinaryIO, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from gateway.domain.frozen import Frozen
from gateway.evidence.verdict import ProofProblem
from gateway.protocol.signed_document import Hash

_READ_BYTES = 1 << 20  # bytes read at once


class FragmentLink(BaseModel):
    """One fragment; the first is the header, the last may be the index."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["link"]
    end_byte: int = Field(gt=0)
    chain: Hash
    until: AwareDatetime


class _SidecarStart(BaseModel):
    kind: Literal["head"]
    start: AwareDatetime


class FragmentLinks(Frozen):
    """A sidecar: when the film begins, and its fragments in order."""

    start: datetime
    links: tuple[FragmentLink, ...]


class FilmDifference(Frozen):
    """The first fragment that differs: bytes `first` up to (not including) `end`.

    `second` is where its pictures begin, counted from the film's first picture; None for the header and the index at
    the end, which hold none.
    """

    problem: ProofProblem
    fragment: int
    first: int
    end: int
    second: float | None = None


def read_links(sidecar: bytes) -> FragmentLinks:
    """Read a sidecar. ValueError: a line is malformed, or its fragments do not follow each other."""
    first, *lines = sidecar.split(b"\n")
    start = _SidecarStart.model_validate_json(first).start
    links: list[FragmentLink] = []
    for line in lines:
        try:
            link = FragmentLink.model_validate_json(line)
        except ValidationError:
            continue  # holes and the end are in the manifest too
        if links and link.end_byte <= links[-1].end_byte:
            raise ValueError("fragments overlap")
        links.append(link)
    if not links:
        raise ValueError("no fragments")
    return FragmentLinks(start=start, links=tuple(links))


def film_sha256(film: BinaryIO) -> str:
    """SHA-256 of all of it, in hexadecimal."""
    film.seek(0)
    whole = sha256()
    while data := film.read(_READ_BYTES):
        whole.update(data)
    return whole.hexdigest()


def first_difference(film: BinaryIO, links: FragmentLinks) -> FilmDifference | None:
    """Find the first fragment that is not what its link says, or bytes after the last; None when all agree."""
    film.seek(0)
    before, begin = bytes(32), 0
    first: tuple[int, int, int] | None = None  # number, begin, bytes that are missing
    agree = 0
    for number, link in enumerate(links.links):
        digest, missing = _hash_next(film, link.end_byte - begin)
        if sha256(before + digest).hexdigest() == link.chain and not missing:
            agree += number > 0  # the header of two films of one camera may be the same
        elif first is None:
            first = number, begin, missing
        before, begin = bytes.fromhex(link.chain), link.end_byte
    if first is None:
        end = film.seek(0, 2)
        fragment, problem = len(links.links), ProofProblem.FILM_LONGER
        return FilmDifference(problem=problem, fragment=fragment, first=begin, end=end) if end > begin else None
    number, start, missing = first
    if missing:
        problem = ProofProblem.FILM_CUT
    elif agree < (len(links.links) - 1) // 2 and _has_valid_boxes(film):
        problem = ProofProblem.FILM_SWAPPED
    else:
        problem = ProofProblem.FILM_CHANGED
    end = links.links[number].end_byte - missing
    second = _start_second(film, links, number)
    return FilmDifference(problem=problem, fragment=number, first=start, end=end, second=second)


def _start_second(film: BinaryIO, links: FragmentLinks, number: int) -> float | None:
    """When a fragment's pictures begin, by the film's own times where these can be right, else by the sidecar's."""
    index = number == len(links.links) - 1 and links.links[number].until == links.links[number - 1].until
    if number == 0 or (index and _decode_time(film, links, number) is None):
        return None
    whole = (links.links[-1].until - links.start).total_seconds()
    earliest = _film_second(film, links, number - 1) if number > 1 else 0.0
    if earliest is None or earliest > whole:
        return max(0.0, (links.links[number - 1].until - links.start).total_seconds())
    second = _film_second(film, links, number)
    after = _film_second(film, links, number + 1) if number + 1 < len(links.links) else None
    latest = (links.links[number].until - links.start).total_seconds() if after is None or after > whole else after
    return second if second is not None and earliest <= second <= latest else earliest


def _film_second(film: BinaryIO, links: FragmentLinks, number: int) -> float | None:
    first, here = _decode_time(film, links, 1), _decode_time(film, links, number)
    header = find_box(_read_fragment(film, links, 0), b"moov", b"trak", b"mdia", b"mdhd")
    if first is None or here is None or header is None:
        return None
    scale = int.from_bytes(header[20:24] if header[:1] == b"\1" else header[12:16], "big")
    return (here - first) / scale if scale else None


def _decode_time(film: BinaryIO, links: FragmentLinks, number: int) -> int | None:
    """Read `tfdt`: the fragment's first decode time, in the track's units (ISO/IEC 14496-12, 8.8.12)."""
    box = find_box(_read_fragment(film, links, number), b"moof", b"traf", b"tfdt")
    return None if box is None else int.from_bytes(box[4:12] if box[:1] == b"\1" else box[4:8], "big")


def _read_fragment(film: BinaryIO, links: FragmentLinks, number: int) -> bytes:
    begin = links.links[number - 1].end_byte if number else 0
    film.seek(begin)
    return film.read(min(_READ_BYTES, links.links[number].end_byte - begin))


def _has_valid_boxes(film: BinaryIO) -> bool:
    """Whether it is boxes from its first byte to its last."""
    end, at = film.seek(0, 2), 0
    while at + 8 <= end:
        film.seek(at)
        size = int.from_bytes(film.read(4), "big")
        if size < 8:
            return False
        at += size
    return at == end


def find_box(data: bytes, *path: bytes) -> bytes | None:
    """Return the content of the first box at a path of box names; None if the path does not exist."""
    at = 0
    while at + 8 <= len(data):
        size, name = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        if size < 8:  # 64-bit and open-ended boxes, which Perron never writes
            return None
        if name == path[0]:
            content = data[at + 8 : at + size]
            return find_box(content, *path[1:]) if len(path) > 1 else content
        at += size
    return None


def _hash_next(film: BinaryIO, size: int) -> tuple[bytes, int]:
    digest = sha256()
    while size and (data := film.read(min(size, _READ_BYTES))):
        digest.update(data)
        size -= len(data)
    return digest.digest(), size
