"""Writes and reads a backup: a plain tar file whose last member lists every other one with its SHA-256.

A box and a hub make theirs of it. What the listing says besides the files, and whether it is signed, is theirs.
"""

import os
import re
import tarfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from gateway.system.atomic_file import open_regular, sync_folder

CHUNK_BYTES = 2**18  # bytes read at once
MAX_LISTING_BYTES = 64 * 2**20  # bytes
_NAME_PART = r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}"
NAME_PATTERN = re.compile(rf"{_NAME_PART}(/{_NAME_PART}){{0,8}}")
"""A relative name that cannot leave the folder where it is unpacked."""


class InvalidBackup(ValueError):  # noqa: N818 - the name says what is wrong
    """The file is not a complete backup; the text says what is wrong."""


class BackupFile(BaseModel):
    """One file of a backup."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, StringConstraints(pattern=rf"^{NAME_PATTERN.pattern}$")]
    size: int = Field(ge=0)
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class HashingReader:
    """Wraps a file and hashes its bytes as they are read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._sha = file, sha256()

    def read(self, size: int = -1) -> bytes:
        """Read at most so many bytes."""
        data = self._file.read(size)
        self._sha.update(data)
        return data

    @property
    def digest(self) -> str:
        """Return the digest of what was read so far."""
        return self._sha.hexdigest()


class ArchiveWriter:
    """Adds files to a backup; `items` lists them. `at`: seconds since 1970, the time of every member."""

    def __init__(self, tar: tarfile.TarFile, at: int) -> None:
        self._tar, self._at = tar, at
        self.items: list[BackupFile] = []

    def file(self, name: str, path: Path) -> None:
        """Add a file as it is on the disk."""
        with open_regular(path) as file:
            self._add(name, os.fstat(file.fileno()).st_size, HashingReader(file))

    def small(self, name: str, data: bytes) -> None:
        """Add bytes from memory."""
        self._add(name, len(data), HashingReader(BytesIO(data)))

    def _add(self, name: str, size: int, source: HashingReader) -> None:
        info = tarfile.TarInfo(name)
        info.size, info.mode, info.mtime = size, 0o600, self._at
        self._tar.addfile(info, source)
        self.items.append(BackupFile(name=name, size=size, sha256=source.digest))


def open_private(path: str, flags: int) -> int:
    """Open a file that only its user can read; an opener for `open`."""
    return os.open(path, flags, 0o600)


@contextmanager
def new_archive(target: Path, at: int) -> Iterator[tuple[ArchiveWriter, Path]]:
    """Yield what writes a backup, and a folder for copies; the file has its name once it is whole and synced.

    Raises:
        FileExistsError: `target` exists already.
        OSError: it cannot be written; then nothing is left of it.
    """
    if os.path.lexists(target):
        raise FileExistsError(f"{target} exists: a backup is never written over another file")
    with TemporaryDirectory(dir=target.parent, prefix=".perron-backup-") as temporary:
        whole = Path(temporary) / "whole.tar"
        with open(whole, "xb", opener=open_private) as out:
            with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
                yield ArchiveWriter(tar, at), Path(temporary)
            out.flush()
            os.fsync(out.fileno())
        whole.rename(target)
        sync_folder(target.parent)


def read_archive(
    archive: Path,
    listing_name: str,
    is_valid_name: Callable[[str], bool],
    put: Callable[[str, IO[bytes]], None] = lambda _name, _data: None,
) -> tuple[bytes, Mapping[str, BackupFile]]:
    """Read a backup to its end; return its listing, and what it really holds. `put` may read each file or not.

    Raises:
        InvalidBackup: the file is no tar file, was cut, or holds what no backup holds.
        OSError: the file cannot be read.
    """
    files: dict[str, BackupFile] = {}
    listing: bytes | None = None
    with _open(archive) as tar:
        for info in tar:
            is_plain = info.isreg() and info.sparse is None  # a few bytes of a sparse file can claim petabytes
            data = tar.extractfile(info) if is_plain else None
            known = info.name == listing_name or is_valid_name(info.name)
            if listing is not None or data is None or not known or info.name in files:
                raise InvalidBackup(f"{archive.name} holds what no backup holds ({info.name[:80]!r})")
            if info.name == listing_name:
                listing = data.read(MAX_LISTING_BYTES + 1)
                continue
            source = HashingReader(data)
            put(info.name, source)  # type: ignore[arg-type]  # it only reads
            while source.read(CHUNK_BYTES):
                pass
            files[info.name] = BackupFile(name=info.name, size=info.size, sha256=source.digest)
    if listing is None:
        raise InvalidBackup(f"{archive.name} was cut: its listing, which stands at its end, is missing")
    return listing, files


@contextmanager
def _open(archive: Path) -> Iterator[tarfile.TarFile]:
    try:
        with tarfile.open(archive, mode="r:") as tar:
            yield tar
    except (tarfile.TarError, EOFError) as failure:
        raise InvalidBackup(f"{archive.name} is no backup, or was cut ({failure})") from failure


def compare(archive: Path, listed: Mapping[str, BackupFile], files: Mapping[str, BackupFile]) -> None:
    """Raise InvalidBackup unless the backup holds exactly what its listing says."""
    for name in sorted(listed.keys() | files.keys()):
        if listed.get(name) != files.get(name):
            is_changed = name in files and name in listed
            what = "was changed" if is_changed else "is missing" if name not in files else "is not in its listing"
            raise InvalidBackup(f"{archive.name}: {name} {what}")


def write_file(path: Path, data: IO[bytes]) -> None:
    """Write a file of a backup where none is, and sync it."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open(path, "xb", opener=open_private) as out:
        while chunk := data.read(CHUNK_BYTES):
            out.write(chunk)
        out.flush()
        os.fsync(out.fileno())
