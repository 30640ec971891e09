"""Reading and writing the files of a proof: whole or not at all, and never through a link."""

import os
import stat
from pathlib import Path
from typing import BinaryIO


class NotRegular(OSError):  # noqa: N818 - it says what happened
    """What stands there is a link, a folder or a device: it is not followed and not read."""


class TooLarge(OSError):  # noqa: N818 - the same
    """The file is larger than any of its kind can honestly be."""


def open_regular(path: Path) -> BinaryIO:
    """Open a plain file for reading.

    Raises:
        NotRegular: it is a link, a folder or a device.
        OSError: it is not there or cannot be read.
    """
    if path.is_symlink():
        raise NotRegular(f"{path.name} is a link")
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise NotRegular(f"{path.name} is not a plain file")
    return os.fdopen(descriptor, "rb")


def read_regular(path: Path, *, at_most: int) -> bytes:
    """Read a plain file of at most so many bytes.

    Raises:
        NotRegular: it is a link, a folder or a device.
        TooLarge: it has more bytes.
        OSError: it is not there or cannot be read.
    """
    with open_regular(path) as file:
        data = file.read(at_most + 1)
    if len(data) > at_most:
        raise TooLarge(f"{path.name} has more than {at_most} bytes")
    return data


def write_whole(path: Path, data: bytes, *, mode: int = 0o600) -> None:
    """Write a file so that after a crash it is there whole or as it was before.

    Raises:
        OSError: it could not be written; what stood there still does.
    """
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)  # what an earlier crash left
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "wb") as file:
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
