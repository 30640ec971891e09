"""Reads a regular file of bounded size, or raises at once.

A pipe that nobody writes to would hold whoever reads it for ever, and a device or a file without end would fill the
memory; a reload reads while doors are open. Here links are followed, for secrets are handed to services by them; what
a proof rests on is read through none (`system/atomic_file.py`).
"""

import os
import stat
from pathlib import Path
from typing import BinaryIO

MAX_FILE_BYTES = 2**20  # bytes: a house file with a hundred devices is a twentieth of it


class NotRegularFile(OSError):  # noqa: N818 - it says what happened
    """What stands there is a folder, a pipe or a device, or a link that may not be followed: it is not read."""


class FileTooLarge(OSError):  # noqa: N818 - the same
    """The file is larger than any of its kind can honestly be."""


def open_file(path: Path, *, flags: int = 0) -> BinaryIO:
    """Open a plain file for reading, without waiting for anybody.

    Raises:
        NotRegularFile: it is a folder, a pipe or a device.
        OSError: it is not there or cannot be read.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | flags)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise NotRegularFile(f"{path.name} is not a plain file")
    return os.fdopen(descriptor, "rb")


def read_bounded(file: BinaryIO, name: str, at_most: int) -> bytes:
    """Read what is left of a file.

    Raises:
        FileTooLarge: it has more bytes.
        OSError: it cannot be read.
    """
    data = file.read(at_most + 1)
    if len(data) > at_most:
        raise FileTooLarge(f"{name} has more than {at_most} bytes")
    return data


def read_bytes(path: Path, *, at_most: int = MAX_FILE_BYTES) -> bytes:
    """Read a file whole.

    Raises:
        NotRegularFile, FileTooLarge: it is no plain file, or a larger one.
        OSError: it is not there or cannot be read.
    """
    with open_file(path) as file:
        return read_bounded(file, path.name, at_most)


def read_text(path: Path, *, at_most: int = MAX_FILE_BYTES) -> str:
    """Read a text in UTF-8 whole; each of its lines ends in a bare line feed.

    Raises:
        OSError: as `read_bytes`.
        UnicodeDecodeError: it is not UTF-8.
    """
    return read_bytes(path, at_most=at_most).decode().replace("\r\n", "\n").replace("\r", "\n")
