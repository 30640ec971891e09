"""Reads a regular file of limited size, or raises at once.

Reading a pipe without a writer would block for ever, and a device or an endless file would fill the memory; a reload
reads files while doors are open. These functions follow links, because services get their secrets through links; the
files of a proof are read without links (`system/atomic_file.py`).
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


def open_file(path: Path, *, flags: int = 0) -> BinaryIO:
    """Open a regular file for reading, without blocking.

    Raises:
        NotRegularFile: the path is a folder, a pipe or a device.
        OSError: the file is missing or cannot be read.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | flags)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise NotRegularFile(f"{path.name} is not a plain file")
    return os.fdopen(descriptor, "rb")


def read_bounded(file: BinaryIO, name: str, at_most: int) -> bytes:
    """Read the rest of a file.

    Raises:
        FileTooLarge: the file has more than `at_most` bytes.
        OSError: the file cannot be read.
    """
    data = file.read(at_most + 1)
    if len(data) > at_most:
        raise FileTooLarge(f"{name} has more than {at_most} bytes")
    return data


def read_bytes(path: Path, *, at_most: int = MAX_FILE_BYTES) -> bytes:
    """Read a whole file.

    Raises:
        NotRegularFile, FileTooLarge: the file is not regular, or is larger than `at_most` bytes.
        OSError: the file is missing or cannot be read.
    """
    with open_file(path) as file:
        return read_bounded(file, path.name, at_most)


def read_text(path: Path, *, at_most: int = MAX_FILE_BYTES) -> str:
    """Read a whole text in UTF-8; each line of the result ends in a bare line feed.

    Raises:
        OSError: as `read_bytes`.
        UnicodeDecodeError: it is not UTF-8.
    """
    return read_bytes(path, at_most=at_most).decode().replace("\r\n", "\n").replace("\r", "\n")
