"""What a process certainly had on disk when it did something, read from strace's record of its system calls.

The record is replayed: what was written *and* synced before an instant is laid out again as files, and those are
asked. So nothing here believes a word of the program that is watched.
"""

import re
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from shutil import which

from gateway.video.sidecar import FilmHashChain

STRACE = which("strace") or "strace"  # where it is missing its tests fail: they are never skipped
MAX_WRITE_BYTES = 1 << 24  # bytes of one write: a pre-roll of some seconds is written whole

_LINE = re.compile(
    r"^(?P<pid>\d+) +(?:<\.\.\. (?P<resumed>\w+) resumed>|(?P<name>\w+)\((?P<fd>\d+)<(?P<path>[^>]*)>(?P<rest>.*))"
)
_DATA = re.compile(r'^, "(?P<data>(?:\\x[0-9a-f]{2})*)"(?P<cut>\.\.\.)?(?:, \d+(?:, (?P<offset>\d+))?)?')
_DONE = re.compile(r"= (-?\d+)[^=]*$")


@dataclass(frozen=True, slots=True)
class SystemCall:
    """One system call that has succeeded. `began` and `ended` are line numbers of the record, which give the order."""

    name: str
    path: str
    data: bytes
    offset: int | None
    began: int
    ended: int


def strace(record: Path) -> list[str]:
    """The command line before a program's own: the program stays our own child, strace is only its grandchild.

    What the program starts is followed too, also when it outlives the program.
    """
    calls = "write,pwrite64,sendto,sendmsg,fsync,fdatasync"
    options = ["-D", "-f", "-qq", "--seccomp-bpf", "-y", "-xx", "-s", str(MAX_WRITE_BYTES), "-e", f"trace={calls}"]
    return [STRACE, *options, "-o", str(record)]


def parse_record(record: Iterable[str]) -> list[SystemCall]:
    """Read a record made with `strace`; calls that failed or never ended are left out.

    Raises:
        ValueError: a write stands there cut short.
    """
    calls: list[SystemCall] = []
    begun: dict[str, tuple[int, re.Match[str]]] = {}
    for number, line in enumerate(record):
        match = _LINE.match(line)
        if match is None:
            continue
        if "<unfinished" in line:
            begun[match["pid"]] = number, match
            continue
        began, head = (number, match) if match["resumed"] is None else begun.pop(match["pid"], (number, match))
        done = _DONE.search(line)
        if head["name"] is None or done is None or int(done[1]) < 0:
            continue
        calls.append(_call(head, began, number, taken=int(done[1])))
    return calls


def _call(head: re.Match[str], began: int, ended: int, *, taken: int) -> SystemCall:
    data, offset = b"", None
    found = _DATA.match(head["rest"])
    if found is not None:
        if found["cut"]:
            raise ValueError(f"line {began} of the record is cut short")
        data = bytes.fromhex(found["data"].replace("\\x", ""))[:taken]
        offset = int(found["offset"]) if head["name"] == "pwrite64" else None
    return SystemCall(head["name"], _path(head["path"]), data, offset, began, ended)


def _path(written: str) -> str:
    return bytes.fromhex(written.replace("\\x", "")).decode() if written.startswith("\\x") else written


def on_disk(calls: Sequence[SystemCall], path: str, *, before: int) -> bytes:
    """What `path` certainly held before this line: all that was written before a sync which was over by then."""
    own = [call for call in calls if call.path == path]
    syncs = [call.began for call in own if call.name in {"fsync", "fdatasync"} and call.ended < before]
    image = bytearray()
    for call in own:
        if call.data and syncs and call.ended < max(syncs):
            start = len(image) if call.offset is None else call.offset
            image.extend(bytes(max(0, start - len(image))))
            image[start : start + len(call.data)] = call.data
    return bytes(image)


def unlock_sent(calls: Sequence[SystemCall], topic: str) -> SystemCall:
    """The first unlock that was written to a socket.

    Raises:
        ValueError: there is none.
    """
    for call in calls:
        if call.name.startswith("send") and topic.encode() in call.data and b'"unlock"' in call.data:
            return call
    raise ValueError("no unlock was sent")


def missing_on_disk(calls: Sequence[SystemCall], *, lock_topic: str, films: int, folder: Path) -> list[str]:
    """What was not certainly on disk when the unlock was written to the broker's socket; nothing is as it must be.

    `films` is how many cameras film the visit. `folder` is where the disk is laid out again.
    """
    unlock = unlock_sent(calls, lock_topic)
    intent = re.search(rb'"intent":"([a-z0-9-]+)"', unlock.data)
    assert intent is not None, "an unlock without its intent"
    missing = []
    if not _holds_intent(calls, unlock.began, intent[1].decode(), folder):
        missing.append("the intent's commit")
    parts = sorted({call.path for call in calls if call.path.endswith(".mp4.part") and call.began < unlock.began})
    if len(parts) < films:
        missing.append(f"the films of {films} cameras")
    for path in parts:
        links = list(FilmHashChain().feed(on_disk(calls, path, before=unlock.began)))
        if len(links) < 2:  # the first link is the film's head: it holds no picture
            missing.append(f"the first fragment of {Path(path).name}")
    return missing


def _holds_intent(calls: Sequence[SystemCall], before: int, intent: str, folder: Path) -> bool:
    """Whether SQLite itself finds the intent reserved in what was on disk."""
    (database,) = {call.path for call in calls if call.path.endswith(".sqlite3")}
    copy = folder / "perron.sqlite3"
    for ending in ("", "-wal"):
        Path(f"{copy}{ending}").write_bytes(on_disk(calls, database + ending, before=before))
    Path(f"{copy}-shm").unlink(missing_ok=True)
    with closing(sqlite3.connect(copy)) as connection:
        try:
            rows = connection.execute("SELECT intent FROM visit WHERE id = ?", (intent,)).fetchall()
        except sqlite3.DatabaseError:  # not even a schema was on disk
            return False
    return rows == [("reserved",)]
