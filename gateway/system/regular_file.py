"""Reads a regular file of limited size, or raises at once.

Reading a pipe without a writer would block for ever, and a device or an endless file would fill the memory; a reload
reads files while doors are open. Links are followed, because services get their secrets through links; the files of a
proof are read without links (`system/atomic_file.py`).

The functions raise NotRegularFile, FileTooLarge, or another OSError if the file is missing or cannot be read.
"""

import os
import stat
from pathlib import Path
from typing import BinaryIO

MAX_FILE_BYTES = 2**20  # bytes: a house file with a hundred devices is a twentieth of it


class NotRegularFile(OSError):  # noqa: N818 - the name states the fault
    """The path is a folder, a pipe, a device, or a link that must not be followed."""


class FileTooLarge(OSError):  # noqa: N818 - the name states the fault
    """The file is larger than any valid file of its kind."""


def open_file(path: Path, *, follow_links: bool = True) -> BinaryIO:
    """Open a regular file for reading, without blocking."""
    if not follow_links and path.is_symlink():
        raise NotRegularFile(f"{path.name} is a link")
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if follow_links else os.O_NOFOLLOW)
    descriptor = os.open(path, flags)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise NotRegularFile(f"{path.name} is not a plain file")
    return os.fdopen(descriptor, "rb")


def read_bytes(path: Path, *, at_most: int = MAX_FILE_BYTES, follow_links: bool = True) -> bytes:
    """Read a whole file of at most `at_most` bytes."""
    with open_file(path, follow_links=follow_links) as file:
        data = file.read(at_most + 1)
    if len(data) > at_most:
        raise FileTooLarge(f"{path.name} has more than {at_most} bytes")
    return data


def read_text(path: Path, *, at_most: int = MAX_FILE_BYTES) -> str:
    """Read a whole text; each line ends in a bare line feed. UnicodeDecodeError: it is not UTF-8."""
    return read_bytes(path, at_most=at_most).decode().replace("\r\n", "\n").replace("\r", "\n")
