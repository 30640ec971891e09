"""Finds what prevents a gateway from starting in its storage folder: a damaged store, or an unexpected kind of file.

A restart does not help, so the process exits with a status of its own, after which systemd does not restart it.
"""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum, auto
from pathlib import Path

from gateway.config.sockets import EYES, SOCKET
from gateway.evidence.rollback import STORE
from gateway.storage.integrity import damage
from gateway.video.ipc import live_socket

CHECK_S = 3.0  # for the look at the store: a start to a safe state has 10 s, and 100 MB are read in 1 s
VIDEO = "video.sock"
_FILES = (STORE, f"{STORE}-wal", f"{STORE}-shm")
_SOCKETS = (VIDEO, live_socket(Path(VIDEO)).name, SOCKET, EYES)


class Kind(StrEnum):
    """Which kind of file was found."""

    FOLDER = auto()
    FIFO = auto()
    SOCKET = auto()
    DEVICE = auto()
    FILE = auto()
    ANOTHER_USERS = auto()  # of the right kind, but another user's


@dataclass(frozen=True, slots=True, kw_only=True)
class InTheWay:
    """At `path` is a file of another kind or of another user."""

    path: Path
    kind: Kind


_WORDS = {
    Kind.FOLDER: "is a folder",
    Kind.FIFO: "is a FIFO",
    Kind.SOCKET: "is a socket",
    Kind.DEVICE: "is a device",
    Kind.FILE: "is a plain file",
    Kind.ANOTHER_USERS: "belongs to another user",
}


class CannotBegin(Exception):  # noqa: N818 - it says what is the matter
    """The gateway cannot start in this folder; `todo` says what a person can do."""

    def __init__(self, what: str, todo: str) -> None:
        """Say `what` is in the way, and what `todo`."""
        super().__init__(what)
        self.todo = todo


def look(folder: Path, *, within: float = CHECK_S) -> None:
    """Inspect the folder before the gateway opens anything in it. It only reads, and does not block.

    Raises:
        CannotBegin: the store is damaged or a file is of an unexpected kind.
        OSError: the folder cannot be read.
    """
    for found in in_the_way(folder):
        what = "the box's store" if found.path.name in _FILES else "one of the box's sockets"
        raise CannotBegin(
            f"{found.path} {_WORDS[found.kind]}: there {what} belongs.",
            f"Move {found.path.name} out of {folder}, then start the gateway again.",
        )
    why = broken(folder, within=within)
    if why is not None:
        raise CannotBegin(
            f"{folder / STORE} is damaged ({why}).",
            f"Look after the doors by hand. Move {folder} aside and keep it, then put the last backup back:"
            " `perron restore FILE`. Without a backup the box begins as a new one in an empty folder.",
        )


def broken(folder: Path, *, within: float) -> str | None:
    """Return SQLite's description of the damage; None if it found none within so many seconds."""
    return damage(folder / STORE, within=within)


def in_the_way(folder: Path) -> Iterator[InTheWay]:
    """Find an unexpected kind of file at the paths of the box's store and sockets."""
    for names, wanted in ((_FILES, stat.S_ISREG), (_SOCKETS, stat.S_ISSOCK)):
        for name in names:
            try:
                found = (folder / name).stat()  # a link to a file on another disk is as good as the file
            except FileNotFoundError:
                continue
            if not wanted(found.st_mode):
                yield InTheWay(path=folder / name, kind=_kind(found.st_mode))
            elif wanted is stat.S_ISSOCK and found.st_uid != os.getuid():
                yield InTheWay(path=folder / name, kind=Kind.ANOTHER_USERS)


def _kind(mode: int) -> Kind:
    match stat.S_IFMT(mode):
        case stat.S_IFDIR:
            return Kind.FOLDER
        case stat.S_IFIFO:
            return Kind.FIFO
        case stat.S_IFSOCK:
            return Kind.SOCKET
        case stat.S_IFREG:
            return Kind.FILE
        case _:
            return Kind.DEVICE
