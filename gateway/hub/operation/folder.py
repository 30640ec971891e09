"""Locks a hub's folder: hubs and commands share the lock, a restore has it alone."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from gateway.hub.database.store import StoreUnusable

LOCK_FILE, RESTORE_MARK = "hub.lock", "restoring"  # in the hub's folder


class FolderInUse(Exception):  # noqa: N818 - the name says what is wrong
    """A hub, or a command of its operator, uses the folder."""


@contextlib.contextmanager
def use_folder(folder: Path) -> Iterator[None]:
    """Use the folder of a hub beside others until left; the lock ends with the process, however it ends.

    Raises:
        StoreUnusable: a restore runs there, or one was interrupted.
    """
    with _locked(folder, fcntl.LOCK_SH) as is_free:
        if not is_free:
            raise StoreUnusable(f"`perron hub restore` works in {folder}: wait for its end.")
        if (folder / RESTORE_MARK).exists():
            raise StoreUnusable(
                f"A restore of {folder} was interrupted: run `perron hub restore` again; it begins at the start."
            )
        yield


@contextlib.contextmanager
def own_folder(folder: Path) -> Iterator[None]:
    """Have the folder of a hub alone until left, or raise FolderInUse."""
    with _locked(folder, fcntl.LOCK_EX) as is_free:
        if not is_free:
            raise FolderInUse(f"A hub, or a command of its operator, uses {folder}")
        yield


@contextlib.contextmanager
def _locked(folder: Path, how: int) -> Iterator[bool]:
    handle = os.open(folder / LOCK_FILE, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, how | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
    finally:
        os.close(handle)
