"""Reads and restores a backup: checks it completely before changing anything, and never uses half of it.

The functions raise InvalidBackup if the file is not a complete backup, and OSError if a folder cannot be written.
"""

import os
import tarfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import IO

from gateway.protocol.ed25519 import PublicKey
from gateway.protocol.keys import PRIVATE_KEY_FILE, BoxKey
from gateway.runtime.maintenance import backup, factory_reset
from gateway.system.atomic_file import sync_folder, write_whole

MAX_LISTING_BYTES = 64 * 2**20  # bytes
_KEY_MEMBER = f"{backup.KEY_FOLDER}/{PRIVATE_KEY_FILE}"


class InvalidBackup(ValueError):  # noqa: N818 - the name says what is wrong
    """The file is not a complete backup; the text says what is wrong."""


class RestoreUnfinished(OSError):  # noqa: N818 - the name says what happened
    """A restore of the storage folder runs or was interrupted: no gateway starts in it."""


def read_backup(
    archive: Path, put: Callable[[str, IO[bytes]], None] = lambda _name, _data: None
) -> backup.BackupListing:
    """Read and check a complete backup and return its listing. `put` gets each file and may read it or not."""
    files: dict[str, backup.BackupFile] = {}
    listing: backup.BackupListing | None = None
    pem = b""
    with _open(archive) as tar:
        for info in tar:
            is_plain = info.isreg() and info.sparse is None  # a few bytes of a sparse file can claim petabytes
            data = tar.extractfile(info) if is_plain else None
            if listing is not None or data is None or not _is_valid_name(info.name) or info.name in files:
                raise InvalidBackup(f"{archive.name} holds what no backup holds ({info.name[:80]!r})")
            if info.name == backup.LISTING_FILE:
                listing = _parse_listing(data.read(MAX_LISTING_BYTES + 1))
                continue
            source = backup.HashingReader(data)
            key_pem = source.read(backup.MAX_HOUSE_FILE_BYTES) if info.name == _KEY_MEMBER else None
            pem = pem if key_pem is None else key_pem
            put(info.name, source if key_pem is None else BytesIO(key_pem))  # type: ignore[arg-type]  # it only reads
            while source.read(backup.CHUNK_BYTES):
                pass
            files[info.name] = backup.BackupFile(name=info.name, size=info.size, sha256=source.digest)
    if listing is None:
        raise InvalidBackup(f"{archive.name} was cut: its listing, which stands at its end, is missing")
    _compare(archive, listing, files)
    try:
        signed = (
            listing.is_signed_by(PublicKey.from_text(listing.key)) and BoxKey.from_pem(pem).public.text == listing.key
        )
    except ValueError:
        signed = False
    if not signed:
        raise InvalidBackup(f"{archive.name}: its listing is not signed by the box whose key is in it")
    return listing


def _is_valid_name(name: str) -> bool:
    top = name.partition("/")[0]
    is_own = top in factory_reset.OWN_NAMES - backup.EXCLUDED_NAMES
    is_known = is_own or name == backup.LISTING_FILE or f"{top}/" == backup.HOUSE_PREFIX
    return is_known and backup.NAME_PATTERN.fullmatch(name) is not None


@contextmanager
def _open(archive: Path) -> Iterator[tarfile.TarFile]:
    try:
        with tarfile.open(archive, mode="r:") as tar:
            yield tar
    except (tarfile.TarError, EOFError) as failure:
        raise InvalidBackup(f"{archive.name} is no backup, or was cut ({failure})") from failure


def _parse_listing(data: bytes) -> backup.BackupListing:
    try:
        return backup.BackupListing.from_json(data)
    except ValueError as failure:
        raise InvalidBackup(
            f"{backup.LISTING_FILE} in it is no listing of a backup that this version knows"
        ) from failure


def _compare(archive: Path, listing: backup.BackupListing, files: Mapping[str, backup.BackupFile]) -> None:
    named = {item.name: item for item in listing.files}
    for name in sorted(named.keys() | files.keys()):
        if named.get(name) != files.get(name):
            what = (
                "is missing" if name not in files else "is not in its listing" if name not in named else "was changed"
            )
            raise InvalidBackup(f"{archive.name}: {name} {what}")
    for name in (backup.STORE_FILE, _KEY_MEMBER, backup.HOUSE_FILE):
        if name not in named:
            raise InvalidBackup(f"{archive.name}: {name} is not in it")


def is_unfinished(folder: Path) -> bool:
    """Return whether a restore of this folder has begun and is not finished."""
    return (folder / factory_reset.RESTORE_MARK).exists()


def foreign_files(folder: Path) -> tuple[str, ...]:
    """Return the files that prevent a restore; the folder must be empty or half restored."""
    if not folder.is_dir():
        return ()
    names = {path.name for path in folder.iterdir()} - {factory_reset.LOCK_FILE}
    return tuple(sorted(names - factory_reset.OWN_NAMES if factory_reset.RESTORE_MARK in names else names))


def house_files(archive: Path) -> Mapping[str, bytes]:
    """Return the files of the house by path relative to the house file. Call `read_backup` first to check them."""
    files: dict[str, bytes] = {}

    def put(name: str, data: IO[bytes]) -> None:
        if name.startswith(backup.HOUSE_PREFIX):
            files[name.removeprefix(backup.HOUSE_PREFIX)] = data.read(backup.MAX_HOUSE_FILE_BYTES)

    read_backup(archive, put)
    return files


def mark_started(folder: Path) -> None:
    """Mark this folder as being restored: no gateway starts there before it is done."""
    write_whole(folder / factory_reset.RESTORE_MARK, b"perron restore 1\n")


def unpack(archive: Path, folder: Path) -> backup.BackupListing:
    """Unpack the box's own files into its storage folder; no gateway starts there before this is done."""
    mark_started(folder)
    factory_reset.delete_except(folder, factory_reset.RESTORE_MARK)

    def put(name: str, data: IO[bytes]) -> None:
        if name.startswith(backup.HOUSE_PREFIX):
            return
        path = folder / name
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with open(path, "xb", opener=backup.open_private) as out:
            while chunk := data.read(backup.CHUNK_BYTES):
                out.write(chunk)
            out.flush()
            os.fsync(out.fileno())

    listing = read_backup(archive, put)
    for parent in {folder, *(path.parent for path in folder.rglob("*"))}:
        sync_folder(parent)
    (folder / factory_reset.RESTORE_MARK).unlink()
    sync_folder(folder)
    return listing
