"""Reads and restores a backup: checks it completely before changing anything, and never uses half of it.

The functions raise InvalidBackup if the file is not a complete backup, and OSError if a folder cannot be written.
"""

from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from typing import IO

from gateway.protocol.ed25519 import PublicKey
from gateway.protocol.keys import PRIVATE_KEY_FILE, BoxKey
from gateway.runtime.maintenance import backup, factory_reset
from gateway.system.atomic_file import sync_folder, write_whole
from gateway.system.listed_archive import NAME_PATTERN, InvalidBackup, compare, read_archive, write_file

_KEY_MEMBER = f"{backup.KEY_FOLDER}/{PRIVATE_KEY_FILE}"


class RestoreUnfinished(OSError):  # noqa: N818 - the name says what happened
    """A restore of the storage folder runs or was interrupted: no gateway starts in it."""


def read_backup(
    archive: Path, put: Callable[[str, IO[bytes]], None] = lambda _name, _data: None
) -> backup.BackupListing:
    """Read and check a complete backup and return its listing. `put` gets each file and may read it or not."""
    pem = b""

    def keep_key(name: str, data: IO[bytes]) -> None:
        nonlocal pem
        if name == _KEY_MEMBER:
            pem = data.read(backup.MAX_HOUSE_FILE_BYTES)
            data = BytesIO(pem)
        put(name, data)

    raw, files = read_archive(archive, backup.LISTING_FILE, _is_valid_name, keep_key)
    listing = _parse_listing(raw)
    named = {item.name: item for item in listing.files}
    compare(archive, named, files)
    for name in (backup.STORE_FILE, _KEY_MEMBER, backup.HOUSE_FILE):
        if name not in named:
            raise InvalidBackup(f"{archive.name}: {name} is not in it")
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
    return (is_own or f"{top}/" == backup.HOUSE_PREFIX) and NAME_PATTERN.fullmatch(name) is not None


def _parse_listing(data: bytes) -> backup.BackupListing:
    try:
        return backup.BackupListing.from_json(data)
    except ValueError as failure:
        raise InvalidBackup(
            f"{backup.LISTING_FILE} in it is no listing of a backup that this version knows"
        ) from failure


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
        write_file(folder / name, data)

    listing = read_backup(archive, put)
    for parent in {folder, *(path.parent for path in folder.rglob("*"))}:
        sync_folder(parent)
    (folder / factory_reset.RESTORE_MARK).unlink()
    sync_folder(folder)
    return listing
