"""Makes a backup of a box: one file, written while the box runs.

It is a tar file. Its last member, `listing.json`, names every other member with its SHA-256 and is signed by the box,
so that a truncated or changed file is detected. The signature proves nothing against the holder of the backup: the key
is in it.

The store in it is a copy in which nothing opens (`storage/snapshot.py`). The backup does not contain the films of
running visits, the key of links and the recovery codes, which are made again.
"""

import stat
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime, BaseModel, Field

from gateway.config.home import Home
from gateway.config.loader import named_paths
from gateway.domain.frozen import Frozen
from gateway.domain.now import Now
from gateway.evidence.checkpoint import sign_checkpoint
from gateway.evidence.manifest import VISITS_FOLDER
from gateway.protocol.keys import LINK_KEY_FILE, BoxKey
from gateway.protocol.signed_document import Id, SignedDocument
from gateway.runtime.maintenance import factory_reset
from gateway.storage.snapshot import SnapshotContents, write_snapshot
from gateway.system.atomic_file import read_regular, write_whole
from gateway.system.listed_archive import NAME_PATTERN, BackupFile, new_archive
from gateway.system.regular_file import NotRegularFile

STORE_FILE, LISTING_FILE, LAST_CHECKPOINT_FILE = "perron.sqlite3", "listing.json", "last-checkpoint.json"
LAST_BACKUP_FILE = "last-backup.json"  # in the storage folder: the time of the last backup
HOUSE_PREFIX = "house/"  # the house file and the files that it names, by path relative to it
HOUSE_FILE = "house/home.yaml"
KEY_FOLDER = "key"
MAX_HOUSE_FILE_BYTES = 2**20  # bytes: no file of a house is larger

EXCLUDED_NAMES = frozenset({
    "perron.sqlite3-wal", "perron.sqlite3-shm", "perron.sqlite3-journal",  # the copy of the store contains them
    "claim-code", "way-in",  # secrets that are valid for an hour, on the box where they were made
    # reports about this box, not its state
    "reload.json", "faults.json", LAST_BACKUP_FILE, factory_reset.RESTORE_MARK,
    "pocket",  # pictures on their way
    "thumbnails",  # they are taken again
    "proposals",  # undecided proposals, with cameras' accounts: they are proposed again
})  # fmt: skip
"""Files of a box that a backup does not contain."""


class BackupListing(SignedDocument):
    """The contents of a backup of `box`, made at `at`; `films`: whether it contains the films."""

    kind: Literal["perron backup 1"] = "perron backup 1"
    box: Id
    at: AwareDatetime
    clock_trusted: bool
    seq: int = Field(ge=0)  # the last entry of the box's log
    films: bool
    files: tuple[BackupFile, ...]


class BackupResult(Frozen):
    """A written backup. `damaged`: films that changed since they were closed; `outside`: files not in the backup."""

    listing: BackupListing
    copied: SnapshotContents
    damaged: tuple[str, ...]
    outside: tuple[Path, ...]
    open_to_others: bool  # the file system keeps no permissions


def make_backup(home: Home, file: Path, target: Path, now: Now, *, films: bool) -> BackupResult:
    """Write a backup of the box, running or not; `file` is its house file. A partial file never has the name `target`.

    Raises:
        FileExistsError: `target` exists already.
        StoreFailed, DatabaseRefused, KeyUnusable, OSError: something cannot be read or written.
    """
    folder = home.storage.folder
    key = BoxKey.load(folder / KEY_FOLDER)
    with new_archive(target, int(now.utc.timestamp())) as (packed, temporary):
        store = temporary / STORE_FILE
        copied = write_snapshot(folder / STORE_FILE, store, now)
        hashes = {clip.path: clip.sha256 for clip in copied.clips}
        house, outside = _house_files(home, file)
        packed.file(STORE_FILE, store)
        packed.small(LAST_CHECKPOINT_FILE, sign_checkpoint(copied.head, box=home.box, now=now, key=key).to_json())
        for name, path in (*_own_files(folder), *house, *(_film_files(folder, copied.running) if films else ())):
            with suppress(FileNotFoundError, NotRegularFile):  # erased meanwhile
                packed.file(name, path)
        changed = (item.name for item in packed.items if hashes.get(item.name, item.sha256) != item.sha256)
        damaged = tuple(sorted(changed))
        listing = BackupListing(
            box=home.box, at=now.utc, clock_trusted=now.trusted, seq=copied.head.seq, films=films,
            files=tuple(packed.items),
        ).signed(key)  # fmt: skip
        packed.small(LISTING_FILE, listing.to_json())
    with suppress(OSError):  # the pages then show an older one
        write_whole(folder / LAST_BACKUP_FILE, _LastBackup(at=now.utc).model_dump_json().encode())
    open_to_others = stat.S_IMODE(target.stat().st_mode) & 0o077 != 0
    return BackupResult(listing=listing, copied=copied, damaged=damaged, outside=outside, open_to_others=open_to_others)


def last_backup_at(folder: Path) -> datetime | None:
    """Return when the last backup of this box was made; None: never, or unknown."""
    try:
        return _LastBackup.model_validate_json(read_regular(folder / LAST_BACKUP_FILE, at_most=MAX_HOUSE_FILE_BYTES)).at
    except (OSError, ValueError):
        return None


class _LastBackup(BaseModel):
    at: AwareDatetime


def _own_files(folder: Path) -> Iterator[tuple[str, Path]]:
    for name in sorted(factory_reset.OWN_NAMES - EXCLUDED_NAMES - {STORE_FILE, LAST_CHECKPOINT_FILE, VISITS_FOLDER}):
        for path in sorted((folder / name).rglob("*")) if (folder / name).is_dir() else (folder / name,):
            where = path.relative_to(folder).as_posix()
            if _is_regular_file(path) and where != f"{KEY_FOLDER}/{LINK_KEY_FILE}" and NAME_PATTERN.fullmatch(where):
                yield where, path


def _film_files(folder: Path, running: frozenset[str]) -> Iterator[tuple[str, Path]]:
    visits = folder / VISITS_FOLDER
    for visit in sorted(visits.iterdir()) if visits.is_dir() else ():
        if visit.name in running or not visit.is_dir() or visit.is_symlink():
            continue
        for path in sorted(visit.iterdir()):
            if _is_regular_file(path) and path.suffix != ".part":
                yield f"{VISITS_FOLDER}/{visit.name}/{path.name}", path


def _house_files(home: Home, file: Path) -> tuple[tuple[tuple[str, Path], ...], tuple[Path, ...]]:
    """Return the house file and the files that it names; second, those that are not beside or below it."""
    beside = file.resolve().parent
    named = {path for path in named_paths(home) if path.is_file()}
    accounts = home.broker.password_file
    if accounts is not None and (accounts.parent / "mosquitto.conf").is_file():  # written for this house
        # Its certificate authority too: without it each device would need another certificate.
        theirs = (*accounts.parent.iterdir(), *accounts.parent.glob("authority/*"), *accounts.parent.glob("tls/*"))
        named |= {path for path in theirs if _is_regular_file(path) and path.stat().st_size <= MAX_HOUSE_FILE_BYTES}
    named = {path.resolve() for path in named} - {file.resolve()}
    named = {path for path in named if not path.is_relative_to(home.storage.folder)}
    inside = sorted(path for path in named if path.is_relative_to(beside))
    members = [(HOUSE_FILE, file.resolve())]
    members += [(f"{HOUSE_PREFIX}{path.relative_to(beside).as_posix()}", path) for path in inside]
    usable = tuple((name, path) for name, path in members if NAME_PATTERN.fullmatch(name))
    return usable, tuple(sorted(named - {path for _, path in usable}))


def _is_regular_file(path: Path) -> bool:
    return path.is_file() and not path.is_symlink() and not path.name.startswith(".")
