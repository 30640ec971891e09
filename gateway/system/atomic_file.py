"""Reads and writes the files of a proof atomically and never through a link."""

import os
from pathlib import Path
from typing import BinaryIO

from gateway.system.regular_file import FileTooLarge, NotRegularFile, open_file, read_bounded

__all__ = [
    "FileTooLarge",
    "NotRegularFile",
    "open_regular",
    "read_regular",
    "sync_folder",
    "write_if_changed",
    "write_whole",
]


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file for reading.

    Raises:
        NotRegularFile: the path is a link, a folder or a device.
        OSError: the file is missing or cannot be read.
    """
    if path.is_symlink():
        raise NotRegularFile(f"{path.name} is a link")
    return open_file(path, flags=os.O_NOFOLLOW)


def read_regular(path: Path, *, at_most: int) -> bytes:
    """Read a regular file of at most `at_most` bytes.

    Raises:
        NotRegularFile: the path is a link, a folder or a device.
        FileTooLarge: the file has more bytes.
        OSError: the file is missing or cannot be read.
    """
    with open_regular(path) as file:
        return read_bounded(file, path.name, at_most)


def write_whole(path: Path, data: bytes, *, mode: int = 0o600) -> None:
    """Write a file so that after a crash it has either the new content or the old one.

    Raises:
        OSError: the file could not be written; the old content remains.
    """
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)  # left by an earlier crash
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, mode)  # independent of the process's umask, so that the same users can read the file
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    sync_folder(path.parent)


def write_if_changed(path: Path, data: bytes, *, mode: int = 0o600) -> bool:
    """Write a file as `write_whole` does unless it has this content, and return whether it was written."""
    if path.exists() and path.read_bytes() == data:
        return False
    write_whole(path, data, mode=mode)
    return True


def sync_folder(folder: Path) -> None:
    """Make renames and deletions in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
