"""Reads and writes the files of a proof atomically and never through a link."""

import os
from pathlib import Path
from typing import BinaryIO

from gateway.system.regular_file import FileTooLarge, NotRegularFile, open_file, read_bounded

__all__ = ["FileTooLarge", "NotRegularFile", "open_regular", "read_regular", "sync_folder", "write_whole"]


def open_regular(path: Path) -> BinaryIO:
    """Open a plain file for reading.

    Raises:
        NotRegularFile: it is a link, a folder or a device.
        OSError: it is not there or cannot be read.
    """
    if path.is_symlink():
        raise NotRegularFile(f"{path.name} is a link")
    return open_file(path, flags=os.O_NOFOLLOW)


def read_regular(path: Path, *, at_most: int) -> bytes:
    """Read a plain file of at most so many bytes.

    Raises:
        NotRegularFile: it is a link, a folder or a device.
        FileTooLarge: it has more bytes.
        OSError: it is not there or cannot be read.
    """
    with open_regular(path) as file:
        return read_bounded(file, path.name, at_most)


def write_whole(path: Path, data: bytes, *, mode: int = 0o600) -> None:
    """Write a file so that after a crash it is there whole or as it was before.

    Raises:
        OSError: it could not be written; what stood there still does.
    """
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)  # what an earlier crash left
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, mode)  # whatever mask the process has: who could read the file before still can
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make renames and deletions in it durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
