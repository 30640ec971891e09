"""Simulates a power cut: what may be on the disk at any instant of a program's recorded system calls.

The record is one of `strace`, so the file system that is asked is a real one and SQLite is the real library. The disk
is the harshest that keeps its word: what was synced stays; of the rest any sectors are there and any others are not,
in any order; a file that grew may have its new size with rubbish in it. Names change in the order in which a folder
changed them, and some of the last changes may be lost.
"""

import random
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from tests.systemcalls import MAX_WRITE_BYTES, STRACE

SECTOR_BYTES = 512
CALLS = "openat,write,pwrite64,ftruncate,rename,unlink,fsync,fdatasync"

_LINE = re.compile(r"^(?P<pid>\d+) +(?:<\.\.\. \w+ resumed>)?(?P<text>.*)$")
_TEXT = r'"(?P<{}>(?:\\x[0-9a-f]{{2}})*)"'
_CALLS = tuple(
    re.compile(pattern)
    for pattern in (
        rf"(?P<name>pwrite64)\(\d+<(?P<path>[^>]*)>, {_TEXT.format('data')}, \d+, (?P<at>\d+)\) += (?P<done>\d+)",
        rf"(?P<name>write)\((?P<fd>\d+)<(?P<path>[^>]*)>, {_TEXT.format('data')}, \d+\) += (?P<done>\d+)",
        r"(?P<name>fsync|fdatasync)\(\d+<(?P<path>[^>]*)>\) += 0",
        r"(?P<name>ftruncate)\(\d+<(?P<path>[^>]*)>, (?P<at>\d+)\) += 0",
        rf"(?P<name>openat)\([^,]*, {_TEXT.format('path')}, (?P<flags>[A-Z_|]*O_CREAT[A-Z_|]*)[^)]*\) += \d+",
        rf"(?P<name>rename)\({_TEXT.format('path')}, {_TEXT.format('to')}\) += 0",
        rf"(?P<name>unlink)\({_TEXT.format('path')}\) += 0",
    )
)


def strace(record: Path) -> list[str]:
    """Return the command line of `strace`, to put before the program's."""
    return [STRACE, "-f", "-qq", "-y", "-xx", "-s", str(MAX_WRITE_BYTES), "-e", f"trace={CALLS}", "-o", str(record)]


@dataclass(frozen=True, slots=True)
class Call:
    """One call that succeeded; `began` and `ended` are line numbers of the record."""

    name: str
    path: str
    began: int
    ended: int
    data: bytes = b""
    at: int | None = None  # of a write, or the new size
    to: str = ""
    fd: int = -1


def read_record(record: Iterable[str]) -> Iterator[Call]:
    """Read a record of `strace`, in the order in which the calls began."""
    return iter(sorted(_ended_calls(record), key=lambda call: call.began))


def _ended_calls(record: Iterable[str]) -> Iterator[Call]:
    begun: dict[str, tuple[int, str]] = {}
    for number, line in enumerate(record):
        match = _LINE.match(line)
        if match is None:
            continue
        pid, text = match["pid"], match["text"]
        if text.endswith("<unfinished ...>"):
            begun[pid] = number, text.removesuffix("<unfinished ...>").rstrip()
            continue
        began, text = (number, text) if not line.split(maxsplit=1)[1].startswith("<...") else _joined(begun, pid, text)
        found = next((one for pattern in _CALLS if (one := pattern.match(text))), None)
        if found is not None:
            yield _call(found, began, number)


def _joined(begun: dict[str, tuple[int, str]], pid: str, rest: str) -> tuple[int, str]:
    began, head = begun.pop(pid)
    return began, head + rest if rest.startswith(")") else f"{head} {rest.lstrip()}"


def _call(found: re.Match[str], began: int, ended: int) -> Call:
    given = found.groupdict()
    data = _bytes(given.get("data") or "")
    return Call(
        name=given["name"],
        path=_name(given["path"]),
        began=began,
        ended=ended,
        data=data[: int(given["done"])] if given.get("done") else data,
        at=int(given["at"]) if given.get("at") else None,
        to=_name(given.get("to") or ""),
        fd=int(given["fd"]) if given.get("fd") else -1,
    )


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))


def _name(text: str) -> str:
    return _bytes(text).decode() if text.startswith("\\x") else text


@dataclass(slots=True, eq=False)
class Content:
    """A file. `durable`: what the disk has for certain; `pending`: what came since then, in its order."""

    durable: bytes = b""
    pending: list[Call] = field(default_factory=list)
    size: int = 0

    def write(self, call: Call) -> None:
        """Take a write or a new size; one without a place goes to the end."""
        if call.name == "ftruncate":
            assert call.at is not None
            self.size = call.at
        else:
            at = self.size if call.at is None else call.at
            call = Call(call.name, call.path, call.began, call.ended, call.data, at)
            self.size = max(self.size, at + len(call.data))
        self.pending.append(call)

    def sync(self, before: int) -> None:
        """Make durable all writes that had ended before this line."""
        image = bytearray(self.durable)
        for call in self.pending:
            if call.ended < before:
                _apply(image, call)
        self.durable, self.pending = bytes(image), [call for call in self.pending if call.ended >= before]

    def after_cut(self, chance: random.Random, kept: float) -> bytes:
        """Return what may be there after the cut; each sector that was not synced is kept with this probability."""
        image = bytearray(self.durable)
        for call in self.pending:
            if call.name == "ftruncate":
                if chance.random() < kept:
                    _apply(image, call)
                continue
            assert call.at is not None
            for begin, piece in _sectors(call.at, call.data):
                if chance.random() < kept:
                    _put(image, begin, piece, chance)
        return bytes(image)


def _apply(image: bytearray, call: Call) -> None:
    assert call.at is not None
    if call.name == "ftruncate":
        del image[call.at :]
        image.extend(bytes(call.at - len(image)))
    else:
        _put(image, call.at, call.data, None)


def _put(image: bytearray, begin: int, piece: bytes, chance: random.Random | None) -> None:
    missing = max(0, begin - len(image))
    image.extend(bytes(missing) if chance is None or chance.random() < 0.5 else chance.randbytes(missing))
    image[begin : begin + len(piece)] = piece


def _sectors(at: int, data: bytes) -> Iterator[tuple[int, bytes]]:
    """Cut a write at the borders of sectors, which a disk writes whole or not at all."""
    begin = at
    while begin < at + len(data):
        end = min((begin // SECTOR_BYTES + 1) * SECTOR_BYTES, at + len(data))
        yield begin, data[begin - at : end - at]
        begin = end


class Disk:
    """The files of one folder, to which the calls of a record are applied."""

    def __init__(self, folder: Path, first: Path) -> None:
        """`folder`: as the record names it; `first`: a copy of it from before the record, which is on the disk."""
        self._folder = str(folder)
        self._durable = {path.name: Content(path.read_bytes(), size=path.stat().st_size)
                         for path in first.iterdir() if path.is_file()}  # fmt: skip
        self._names = dict(self._durable)
        self._renames: list[tuple[int, dict[str, Content]]] = []  # each state of the names that is not synced

    def take(self, call: Call) -> None:
        """Apply a call."""
        path = PurePosixPath(call.path)
        if call.path == self._folder and call.name in {"fsync", "fdatasync"}:
            synced = [names for ended, names in self._renames if ended < call.began]
            self._durable = synced[-1] if synced else self._durable
            self._renames = self._renames[len(synced) :]
        elif str(path.parent) == self._folder:
            self._take_file(call, path.name)

    def _take_file(self, call: Call, name: str) -> None:
        known = self._names.get(name)
        match call.name:
            case "openat" if known is None:
                self._change(call, {**self._names, name: Content()})
            case "unlink" if known is not None:
                self._change(call, {other: content for other, content in self._names.items() if other != name})
            case "rename" if known is not None:
                others = {other: content for other, content in self._names.items() if other != name}
                self._change(call, {**others, PurePosixPath(call.to).name: known})
            case "fsync" | "fdatasync" if known is not None:
                known.sync(call.began)
            case "write" | "pwrite64" | "ftruncate" if known is not None:
                known.write(call)

    def _change(self, call: Call, names: dict[str, Content]) -> None:
        self._names = names
        self._renames.append((call.ended, names))

    def copy(self, into: Path) -> None:
        """Copy the files as a reader sees them now, with writes that are not on the disk yet."""
        for name, content in self._names.items():
            image = bytearray(content.durable)
            for call in content.pending:
                _apply(image, call)
            if not name.endswith("-shm"):
                (into / name).write_bytes(image)

    def cut(self, into: Path, chance: random.Random) -> None:
        """Write what may be on the disk if the power fails now; SQLite's `-shm` gets random bytes."""
        kept = chance.choice((0.0, 0.3, 0.7, 0.95, 1.0))
        names = self._durable
        if self._renames:
            names = chance.choice([self._durable, *(later for _, later in self._renames)])
        images = {id(content): content.after_cut(chance, kept) for content in names.values()}
        for name, content in names.items():
            if not name.endswith("-shm"):
                (into / name).write_bytes(images[id(content)])
            elif chance.random() < 0.5:
                (into / name).write_bytes(chance.randbytes(32768))
