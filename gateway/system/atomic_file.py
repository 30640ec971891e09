"""Reads and writes the files of a proof atomically and never through a link."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from gateway.system.regular_file import open_file, read_bytes

SECTOR_BYTES = 512  # of a disk: the least that it writes at once


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file that is no link for reading (`open_file`)."""
    return open_file(path, follow_links=False)


def read_regular(path: Path, *, at_most: int) -> bytes:
    """Read a regular file that is no link, of at most `at_most` bytes (`read_bytes`)."""
    return read_bytes(path, at_most=at_most, follow_links=False)


def write_whole(path: Path, data: bytes, *, mode: int = 0o600) -> None:
    """Write a file so that after a crash, or an OSError, it has either the new content or the old one."""
    temporary = _write_beside(path, data, mode)
    _sync(temporary)
    temporary.replace(path)
    sync_folder(path.parent)


def write_with_last(folder: Path, files: Mapping[str, bytes], last: str, data: bytes) -> None:
    """Write files as `write_whole` does; the file `last` has its content only when all the others are durable.

    Each file is synced when all are written, so that the file system has one journal to write and not one a file.
    """
    temporaries = {folder / name: _write_beside(folder / name, content) for name, content in files.items()}
    last_temporary = _write_beside(folder / last, data)
    for temporary in (*temporaries.values(), last_temporary):
        _sync(temporary)
    for path, temporary in temporaries.items():
        temporary.replace(path)
    sync_folder(folder)
    last_temporary.replace(folder / last)
    sync_folder(folder)


def _write_beside(path: Path, data: bytes, mode: int = 0o600) -> Path:
    """Write a temporary file beside `path`, which is not durable yet, and return it."""
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)  # left by an earlier crash
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, mode)  # independent of the process's umask, so that the same users can read the file
        file.write(data)
    return temporary


def overwrite_sector(path: Path, data: bytes, *, is_synced: bool = True) -> bool:
    """Write over a file of just this length in its place, and sync; False: the file is another, and nothing is written.

    At most `SECTOR_BYTES`: a disk writes a sector whole or not at all. So a power cut leaves the new content or the old
    one, as after `write_whole`, and one sync of the data does for the three that a new file, its name and its folder
    take. If the sync fails (OSError), the file has to be written whole: the kernel may report the next sync as a
    success although it has dropped the data. Without the sync only the end of this process loses nothing, until
    `sync_data`.
    """
    if len(data) > SECTOR_BYTES:
        return False
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        if os.fstat(descriptor).st_size != len(data):
            return False
        os.pwrite(descriptor, data, 0)
        if is_synced:
            os.fdatasync(descriptor)
    finally:
        os.close(descriptor)
    return True


def sync_data(path: Path) -> None:
    """Make what `overwrite_sector` wrote durable. OSError: as there."""
    descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        os.fdatasync(descriptor)
    finally:
        os.close(descriptor)


def write_if_changed(path: Path, data: bytes, *, mode: int = 0o600) -> bool:
    """Write a file as `write_whole` does unless it has this content, and return whether it was written."""
    if path.exists() and path.read_bytes() == data:
        return False
    write_whole(path, data, mode=mode)
    return True


def sync_folder(folder: Path) -> None:
    """Make renames and deletions in a folder durable."""
    _sync(folder, os.O_DIRECTORY)


def _sync(path: Path, kind: int = os.O_NOFOLLOW) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | kind)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
