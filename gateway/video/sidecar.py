"""Reads and writes the JSON lines file beside a film: description, hash chain of the fragments, gaps, end.

The line about a fragment is written after the fragment is synced to disk, so the film of a killed process can be
checked. The film `a.mp4` (`a.mp4.part` while it runs) has the sidecar `a.jsonl`.

The chain: each link is SHA-256(link before + SHA-256(fragment)), beginning with 32 zero bytes. The first link is the
header (ftyp, moov), then fragments (moof, mdat), last the index (mfra).
"""

import os
from collections.abc import Iterable, Iterator
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

from gateway.video.ipc import ClipFacts, ClipKey, Gap, IpcMessage, StreamFault

GENESIS = bytes(32)
LINK_LINE = '{"kind":"link","end_byte":%d,"chain":"%s","until":"%s"}\n'  # pydantic's text of a `SidecarLink`
LINK_END_BOXES = (b"moov", b"mdat", b"mfra")  # the boxes that end a link's bytes


class SidecarHead(IpcMessage):
    """First line. `path` is the film's, relative to the configured folder."""

    kind: Literal["head"] = "head"
    camera: str
    clip: ClipKey
    path: str
    start: datetime


class SidecarLink(IpcMessage):
    """A synced fragment: its end in the file, its link of the hash chain, and the time of its last picture."""

    kind: Literal["link"] = "link"
    end_byte: int
    chain: str
    until: datetime


class SidecarGap(IpcMessage):
    """A gap within the film."""

    kind: Literal["hole"] = "hole"
    gap: Gap


class SidecarEnd(IpcMessage):
    """Last line. `why`: the fault that ended the film, or None. `facts`: None if no picture reached the disk."""

    kind: Literal["end"] = "end"
    facts: ClipFacts | None
    why: StreamFault | None


SidecarLine = Annotated[SidecarHead | SidecarLink | SidecarGap | SidecarEnd, Field(discriminator="kind")]
SIDECAR_LINE_ADAPTER: TypeAdapter[SidecarLine] = TypeAdapter(SidecarLine)


def sidecar_path(film: Path) -> Path:
    """Return the path of the sidecar of a film, running or closed."""
    return film.with_name(film.name.removesuffix(".part").removesuffix(".mp4") + ".jsonl")


def parse_line(text: bytes) -> SidecarLine | None:
    """Parse one line; None if it is incomplete or not a sidecar's."""
    try:
        return SIDECAR_LINE_ADAPTER.validate_json(text)
    except ValidationError:
        return None


def read_sidecar(path: Path) -> tuple[SidecarLine, ...]:
    """Return the complete lines. A killed process or a power cut may leave an incomplete line at the end."""
    lines: list[SidecarLine] = []
    for text in path.read_bytes().split(b"\n")[:-1]:
        line = parse_line(text)
        if line is None:
            break
        lines.append(line)
    return tuple(lines)


class SidecarWriter:
    """A sidecar that is being written. All methods raise OSError if the disk is full or broken."""

    def __init__(self, path: Path, *, new: bool = True) -> None:
        self._handle = os.open(path, os.O_WRONLY | os.O_APPEND | (os.O_CREAT | os.O_EXCL if new else 0), 0o600)

    def write(self, line: SidecarLine) -> None:
        """Append one line."""
        write_all(self._handle, line.model_dump_json().encode() + b"\n")

    def write_links(self, links: Iterable[tuple[int, str, datetime]]) -> None:
        """Append the lines of these links at once: of each the end byte, the chain and the time (UTC)."""
        lines = [LINK_LINE % (end, chain, until.isoformat().replace("+00:00", "Z")) for end, chain, until in links]
        write_all(self._handle, "".join(lines).encode())

    def close(self) -> None:
        """Sync all lines to disk and close the file."""
        try:
            os.fsync(self._handle)
        finally:
            os.close(self._handle)


class FilmHashChain:
    """Computes the hash chain over a film's bytes, and the hash of the file."""

    def __init__(self) -> None:
        self._whole = sha256()
        self._link = GENESIS
        self._rest = b""  # bytes after the last link
        self.end_byte = 0  # end of the last link
        self.links = 0

    @property
    def link(self) -> str:
        """The newest link, in hexadecimal."""
        return self._link.hex()

    @property
    def digest(self) -> str:
        """SHA-256 of the file up to the newest link, in hexadecimal."""
        return self._whole.hexdigest()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Add the next bytes of the file; yield the name of the last box of each link that they complete."""
        rest = self._rest + data
        begin = place = 0  # of the link, and of the next box in it
        while len(rest) - place >= 8:
            size, name = int.from_bytes(rest[place : place + 4], "big"), rest[place + 4 : place + 8]
            if size < 8 or len(rest) - place < size:  # our muxer writes no 64-bit or open-ended boxes
                break
            place += size
            if name not in LINK_END_BOXES:
                continue
            piece = rest[begin:place]
            self._whole.update(piece)
            self._link = sha256(self._link + sha256(piece).digest()).digest()
            self.end_byte += len(piece)
            self.links += 1
            begin = place
            yield name
        self._rest = rest[begin:]


def write_all(handle: int, data: bytes) -> None:
    """Write all bytes. One call of os.write on a nearly full disk may write only a part."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(handle, rest) :]
