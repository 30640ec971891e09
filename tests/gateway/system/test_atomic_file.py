"""A small file is written over in its place only where a power cut leaves the old content or the new one."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.system.atomic_file import SECTOR_BYTES, overwrite_sector


def linked(file: Path) -> None:
    file.with_name("other").write_bytes(b"old")
    file.symlink_to("other")


OTHERS: dict[str, Callable[[Path], object]] = {
    "no file": lambda _file: None,
    "a shorter file": lambda file: file.write_bytes(b"ol"),
    "a longer file": lambda file: file.write_bytes(b"older"),
    "a link": linked,
    "a folder": Path.mkdir,
    "a pipe": os.mkfifo,
}


@pytest.mark.parametrize("other", OTHERS)
def test_what_is_not_a_file_of_the_same_length_is_left_as_it_is(tmp_path: Path, other: str) -> None:
    file = tmp_path / "mark"
    OTHERS[other](file)
    before = sorted((path.name, path.lstat().st_size) for path in tmp_path.iterdir())
    assert not overwrite_sector(file, b"new")
    assert sorted((path.name, path.lstat().st_size) for path in tmp_path.iterdir()) == before


@pytest.mark.parametrize(("length", "is_written"), [(1, True), (SECTOR_BYTES, True), (SECTOR_BYTES + 1, False)])
def test_at_most_one_sector_is_written_over(tmp_path: Path, length: int, *, is_written: bool) -> None:
    file = tmp_path / "mark"
    file.write_bytes(b"o" * length)
    inode = file.stat().st_ino
    assert overwrite_sector(file, b"n" * length) is is_written
    assert file.read_bytes() == (b"n" if is_written else b"o") * length
    assert file.stat().st_ino == inode


def test_a_sync_that_fails_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "mark"
    file.write_bytes(b"old")

    def failing(_descriptor: int) -> None:
        raise OSError(errno.EIO, "the disk is gone")

    monkeypatch.setattr(os, "fdatasync", failing)
    with pytest.raises(OSError, match="the disk is gone"):
        overwrite_sector(file, b"new")
