"""Locks a storage folder for one process at a time."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from gateway.runtime.maintenance import factory_reset


class FolderInUse(Exception):  # noqa: N818 - the name says what is wrong
    """Another gateway uses this storage folder: two would open one door, each with half of the history."""


@contextlib.contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Hold the folder for this process alone. The lock ends with the process, however it ends."""
    handle = os.open(folder / factory_reset.LOCK_FILE, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as held:
            raise FolderInUse(f"Another gateway runs in {folder}.") from held
        with contextlib.suppress(OSError):  # a full disk: then only `perron reload` finds no process
            os.pwrite(handle, b"%-10d\n" % os.getpid(), 0)
        yield
    finally:
        os.close(handle)
