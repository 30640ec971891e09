"""Finds what prevents a gateway from starting in its storage folder: a damaged store, or an unexpected kind of file.

A restart does not help, so the process exits with a status of its own, after which systemd does not restart it.
"""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum, auto
from pathlib import Path

from gateway.evidence.rollback import STORE_FILE
from gateway.storage.integrity import find_damage
from gateway.video.ipc import live_socket

STORE_CHECK_TIMEOUT_S = 3.0  # for the check of the store: a start to a safe state has 10 s, and 100 MB are read in 1 s
VIDEO_SOCKET = "video.sock"
_FILES = (STORE_FILE, f"{STORE_FILE}-wal", f"{STORE_FILE}-shm")
_SOCKETS = (VIDEO_SOCKET, live_socket(Path(VIDEO_SOCKET)).name)


class UnexpectedFileKind(StrEnum):
    """The kind of the file found."""

    FOLDER = auto()
    FIFO = auto()
    SOCKET = auto()
    DEVICE = auto()
    FILE = auto()
    ANOTHER_USERS = auto()  # of the right kind, but another user's


@dataclass(frozen=True, slots=True, kw_only=True)
class UnexpectedFile:
    """A file of another kind or of another user is at `path`."""

    path: Path
    kind: UnexpectedFileKind


_KINDS = {
    stat.S_IFDIR: UnexpectedFileKind.FOLDER,
    stat.S_IFIFO: UnexpectedFileKind.FIFO,
    stat.S_IFSOCK: UnexpectedFileKind.SOCKET,
    stat.S_IFREG: UnexpectedFileKind.FILE,
}  # every other kind is a device
_KIND_TEXTS = {
    UnexpectedFileKind.FOLDER: "is a folder",
    UnexpectedFileKind.FIFO: "is a FIFO",
    UnexpectedFileKind.SOCKET: "is a socket",
    UnexpectedFileKind.DEVICE: "is a device",
    UnexpectedFileKind.FILE: "is a plain file",
    UnexpectedFileKind.ANOTHER_USERS: "belongs to another user",
}


class StartError(Exception):
    """The gateway cannot start in this folder; `todo` says what a person can do."""

    def __init__(self, what: str, todo: str) -> None:
        """`what` prevents the start; `todo` says what a person can do."""
        super().__init__(what)
        self.todo = todo


def check_folder(folder: Path) -> None:
    """Inspect the folder before the gateway opens anything in it. It only reads, and does not block.

    Raises:
        StartError: the store is damaged or a file is of an unexpected kind.
        OSError: the folder cannot be read.
    """
    for unexpected in unexpected_files(folder):
        what = "the box's store" if unexpected.path.name in _FILES else "one of the box's sockets"
        raise StartError(
            f"{unexpected.path} {_KIND_TEXTS[unexpected.kind]}: there {what} belongs.",
            f"Move {unexpected.path.name} out of {folder}, then start the gateway again.",
        )
    why = find_damage(folder / STORE_FILE, within=STORE_CHECK_TIMEOUT_S)
    if why is not None:
        raise StartError(
            f"{folder / STORE_FILE} is damaged ({why}).",
            f"Look after the doors by hand. Move {folder} aside and keep it, then put the last backup back:"
            " `perron restore FILE`. Without a backup the box begins as a new one in an empty folder.",
        )


def unexpected_files(folder: Path) -> Iterator[UnexpectedFile]:
    """Find an unexpected kind of file at the paths of the box's store and sockets."""
    for names, wanted in ((_FILES, stat.S_ISREG), (_SOCKETS, stat.S_ISSOCK)):
        for name in names:
            try:
                status = (folder / name).stat()  # a link to a file on another disk is as good as the file
            except FileNotFoundError:
                continue
            if not wanted(status.st_mode):
                kind = _KINDS.get(stat.S_IFMT(status.st_mode), UnexpectedFileKind.DEVICE)
                yield UnexpectedFile(path=folder / name, kind=kind)
            elif wanted is stat.S_ISSOCK and status.st_uid != os.getuid():
                yield UnexpectedFile(path=folder / name, kind=UnexpectedFileKind.ANOTHER_USERS)
