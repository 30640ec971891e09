"""Finds what prevents a gateway from starting in its storage folder: a damaged store, or an unexpected kind of file.

A restart does not help, so the process exits with a status of its own, after which systemd does not restart it.
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from gateway.evidence.rollback import STORE_FILE
from gateway.storage.schema import find_damage
from gateway.system.i18n import SOURCE, Text, _
from gateway.video.ipc import VIDEO_SOCKET, live_socket

STORE_CHECK_TIMEOUT_S = 3.0  # for the check of the store: a start to a safe state has 10 s, and 100 MB are read in 1 s
_FILES = (STORE_FILE, f"{STORE_FILE}-wal", f"{STORE_FILE}-shm")
_SOCKETS = (VIDEO_SOCKET, live_socket(Path(VIDEO_SOCKET)).name)

_KIND_TEXTS = {
    stat.S_IFDIR: _("{file} is a folder"),
    stat.S_IFIFO: _("{file} is a FIFO"),
    stat.S_IFSOCK: _("{file} is a socket"),
    stat.S_IFREG: _("{file} is a plain file"),
}
_DEVICE_TEXT: Text = _("{file} is a device")  # every other kind
_ANOTHER_USERS_TEXT: Text = _("{file} belongs to another user")
UNEXPECTED_FILE_TEXTS = (*_KIND_TEXTS.values(), _DEVICE_TEXT, _ANOTHER_USERS_TEXT)


class StartError(Exception):
    """The gateway cannot start in this folder; `todo` says what a person can do."""

    def __init__(self, what: str, todo: str) -> None:
        super().__init__(what)
        self.todo = todo


def check_folder(folder: Path) -> None:
    """Inspect the folder before the gateway opens anything in it. It only reads, and does not block.

    Raises:
        StartError: the store is damaged or a file is of an unexpected kind.
    """
    for path, text in unexpected_files(folder):
        what = "the box's store" if path.name in _FILES else "one of the box's sockets"
        raise StartError(
            f"{text.to(SOURCE)}: there {what} belongs.",
            f"Move {path.name} out of {folder}, then start the gateway again.",
        )
    why = find_damage(folder / STORE_FILE, within=STORE_CHECK_TIMEOUT_S)
    if why is not None:
        raise StartError(
            f"{folder / STORE_FILE} is damaged ({why}).",
            f"Look after the doors by hand. Move {folder} aside and keep it, then put the last backup back:"
            " see `perron restore --help`. Without a backup the box begins as a new one in an empty folder.",
        )


def unexpected_files(folder: Path) -> Iterator[tuple[Path, Text]]:
    """Find unexpected files at the paths of the box's store and sockets: each path, and what is wrong with it."""
    for names, wanted in ((_FILES, stat.S_ISREG), (_SOCKETS, stat.S_ISSOCK)):
        for path in (folder / name for name in names):
            try:
                status = path.stat()  # a link to a file on another disk is as good as the file
            except FileNotFoundError:
                continue
            if not wanted(status.st_mode):
                yield path, _KIND_TEXTS.get(stat.S_IFMT(status.st_mode), _DEVICE_TEXT).with_facts(file=path)
            elif wanted is stat.S_ISSOCK and status.st_uid != os.getuid():
                yield path, _ANOTHER_USERS_TEXT.with_facts(file=path)
