"""Puts a backup of a hub back: checks it completely first, and applies all that was revoked since it was made.

While a restore is unfinished a mark in the folder stops every hub there. A restore that follows an interrupted one
begins at the start. The restore moves the folder's earlier files into a folder of their own in it.
"""

import contextlib
import os
import shutil
from collections.abc import Iterator, Sequence
from datetime import datetime
from enum import Enum, auto
from hashlib import sha256
from pathlib import Path
from typing import IO

from sqlalchemy import select, update

from gateway.domain.frozen import Frozen
from gateway.hub.boxes.authority import HubAuthority
from gateway.hub.boxes.broker import refresh_files
from gateway.hub.boxes.unenrolment import revoke_certificates
from gateway.hub.config import HubFile
from gateway.hub.database.revocations import RevocationKind, record_revocation
from gateway.hub.database.store import HubStore, StoreUnusable, lock_database
from gateway.hub.database.tables import api_keys, claims, endpoints, homes, revocations
from gateway.hub.deliveries import erasure
from gateway.hub.operation import backup, databases
from gateway.hub.operation.backup import HubListing
from gateway.hub.operation.databases import DatabaseToolFailed
from gateway.hub.operation.folder import RESTORE_MARK, own_folder
from gateway.hub.operation.journal import JOURNAL_FILE, JournalEntry, RevocationJournal, apply, read_journal
from gateway.hub.signing_key import KEY_FILE_NAME
from gateway.hub.webhooks.queue import switch_off
from gateway.system import mosquitto
from gateway.system.atomic_file import sync_folder, write_whole
from gateway.system.listed_archive import write_file

STAGING = ".restored"  # in the hub's folder
_KEPT = ".kept"  # in the staging folder: a dump of the database that is replaced
_MARK_TEXT = b"perron hub restore 1\n"
_DATABASE = "the database"


class RestoreRefused(Exception):  # noqa: N818 - it says what is the matter
    """Nothing was changed; the text says why, `todo` what the operator can do."""

    def __init__(self, what: str, todo: str) -> None:
        super().__init__(what)
        self.todo = todo


class WithoutList(Enum):
    """What holds if there is no list of what was revoked after the backup."""

    REFUSE = auto()
    NOTHING_WAS = auto()  # the operator says so
    ASK_ANEW = auto()  # every API key, webhook and home is revoked


class Restored(Frozen):
    """What a restore did. `again`: revocations that the backup did not know; `before`: where the old files lie.

    `unkept`: why the PostgreSQL database that was there is not in `before`.
    """

    again: int
    had_list: bool
    before: Path | None
    unkept: str | None = None


async def restore(  # noqa: PLR0913 - what the command takes
    archive: Path,
    listing: HubListing,
    file: HubFile,
    now: datetime,
    *,
    replace: bool,
    lists: Sequence[Path] = (),
    without_list: WithoutList = WithoutList.REFUSE,
) -> Restored:
    """Put a backup that `read_backup` has checked back into the folder and database of the hub's file.

    Raises:
        RestoreRefused, FolderInUse: nothing was changed.
        InvalidBackup, DatabaseToolFailed, StoreUnusable, OSError: a hub starts only after another restore.
    """
    _check_same_hub(listing, file)
    file.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with own_folder(file.folder), _own_database(file):
        in_the_way = _in_the_way(file)
        if in_the_way and not replace and not (file.folder / RESTORE_MARK).exists():
            what = f"{file.folder} is not empty, or its database is not ({', '.join(in_the_way[:5])})."
            raise RestoreRefused(what, "Say --replace to put the backup in its place; what is there is kept beside it.")
        entries, had_list = _known_revocations(file, listing, lists)
        if not had_list and without_list is WithoutList.REFUSE:
            at = f"{listing.at:%Y-%m-%d %H:%M} UTC"
            todo = f"Give a copy of {JOURNAL_FILE} (--revoked), or say --nothing-revoked (you know that) or --ask-anew."
            raise RestoreRefused(f"Nothing here says what was revoked after {at}: it would be valid again.", todo)
        entries += await _revocations_in(file.database)
        _make_staging(file)
        unkept = _keep_database(file)
        again = await _put_back(archive, file, entries, now, ask_anew=without_list is WithoutList.ASK_ANEW)
        before = _move_into_place(file, now)
    return Restored(again=again, had_list=had_list, before=before, unkept=unkept)


def _check_same_hub(listing: HubListing, file: HubFile) -> None:
    if listing.url != file.url:
        what = f"The backup is of {listing.url}, the file of {file.url}."
        raise RestoreRefused(what, "Name the right file: --config.")
    if listing.database != databases.kind_of(file.database):
        what = f"The backup's database is of {listing.database}, that of the hub's file is another kind."
        raise RestoreRefused(what, "Correct `store` in the hub's file.")


@contextlib.contextmanager
def _own_database(file: HubFile) -> Iterator[None]:
    """Refuse a database that a hub uses, of this machine or, on PostgreSQL, of another."""
    if databases.kind_of(file.database) == "postgresql":
        count = databases.other_connections(file.database)
        if count:
            what = f"{count} other connections to the database are open: a hub runs, or somebody looks into it."
            raise RestoreRefused(what, "End every hub, and whatever else uses the database.")
        yield
        return
    databases.sqlite_file(file.database).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(lock_database(file.database))
        except StoreUnusable as error:
            raise RestoreRefused(str(error), "End that hub first.") from error
        yield


def _in_the_way(file: HubFile) -> list[str]:
    names = [path.name for path in backup.own_names(file)]
    if databases.kind_of(file.database) == "sqlite":
        target = databases.sqlite_file(file.database)
        return names if target.name in names or not target.exists() else [*names, _DATABASE]
    return [*names, _DATABASE] if databases.has_tables(file.database) else names


def _known_revocations(file: HubFile, listing: HubListing, lists: Sequence[Path]) -> tuple[list[JournalEntry], bool]:
    """Return what was revoked as far as it is known here, and whether that is a list of this hub."""
    folder = file.folder
    found = [*lists]
    same = {item.sha256 for item in listing.files if item.name == f"{backup.FOLDER_PREFIX}{KEY_FILE_NAME}"}
    for place in (folder, folder / STAGING, *sorted(folder.glob(f"{backup.KEPT_PREFIX}*"))):
        key = place / KEY_FILE_NAME
        is_ours = not key.is_file() or sha256(key.read_bytes()).hexdigest() in same
        if is_ours and (place / JOURNAL_FILE).is_file():
            found.append(place / JOURNAL_FILE)
    entries: dict[str, JournalEntry] = {}
    for list_ in found:
        try:
            entries |= {entry.id: entry for entry in read_journal(list_)}
        except (OSError, ValueError) as error:
            todo = "Correct or delete that line: what it named may be valid again."
            raise RestoreRefused(f"{list_} cannot be read: {error}.", todo) from error
    return list(entries.values()), bool(found)


async def _revocations_in(database: str) -> list[JournalEntry]:
    """Return what the database that is there knows; one that is missing, damaged or older knows nothing."""
    query = select(revocations).order_by(revocations.c.number)
    try:
        if databases.kind_of(database) == "sqlite":
            rows = databases.read_sqlite(databases.sqlite_file(database), query)
        else:
            rows = await databases.read_postgresql(database, query)
        return [JournalEntry.model_validate(row) for row in rows]
    except (DatabaseToolFailed, OSError, ValueError):
        return []


def _make_staging(file: HubFile) -> None:
    shutil.rmtree(file.folder / STAGING, ignore_errors=True)
    (file.folder / STAGING).mkdir(mode=0o700)


def _keep_database(file: HubFile) -> str | None:
    """Dump the PostgreSQL database that is there, to be kept with the old files; return why that is impossible."""
    if databases.kind_of(file.database) == "sqlite" or not databases.has_tables(file.database):
        return None
    kept = file.folder / STAGING / _KEPT
    kept.mkdir(mode=0o700)
    try:
        databases.copy_database(file.database, kept)
    except DatabaseToolFailed as error:
        return str(error)
    return None


async def _put_back(
    archive: Path, file: HubFile, entries: Sequence[JournalEntry], now: datetime, *, ask_anew: bool
) -> int:
    """Unpack into the staging folder, and bring the database there up to the list."""
    staging = file.folder / STAGING
    is_sqlite = databases.kind_of(file.database) == "sqlite"
    try:
        _unpack(archive, staging)
        if not is_sqlite:
            write_whole(file.folder / RESTORE_MARK, _MARK_TEXT)
            databases.load_dump(staging / databases.DUMP_FILE, file.database)
            (staging / databases.DUMP_FILE).unlink()
        database = f"sqlite:///{staging / databases.SQLITE_FILE}" if is_sqlite else file.database
        store = await HubStore.open(database)
        try:
            again = await apply(store, entries, now)
            await erasure.finish(store, now)
            await store.overwrite_deleted()
            await _end_claims(store, now)
            if ask_anew:
                again += await _revoke_all(store, now)
            await RevocationJournal(staging, store).rewrite()
            if file.boxes is not None and (staging / "broker").is_dir():
                await refresh_files(HubAuthority.load(staging, now=now), file.boxes, store, now=now)
        finally:
            await store.close()
    except BaseException:
        if is_sqlite:  # nothing was changed yet
            shutil.rmtree(staging, ignore_errors=True)
        raise
    return again


def _unpack(archive: Path, staging: Path) -> None:
    def put(name: str, data: IO[bytes]) -> None:
        if not name.startswith(backup.CONFIG_PREFIX):
            write_file(staging / name.removeprefix(backup.FOLDER_PREFIX), data)

    backup.read_backup(archive, put)


async def _end_claims(store: HubStore, now: datetime) -> None:
    """End the claims that were unused at the backup: a home may have used one since, and each is valid once."""
    async with store.writing() as tx:
        unused = update(claims).where(claims.c.used.is_(None), claims.c.expires > now)
        await tx.execute(unused.values(expires=now))


async def _revoke_all(store: HubStore, now: datetime) -> int:
    """Revoke every API key, webhook and home: nothing says which of them was revoked since the backup."""
    async with store.writing() as tx:
        valid = select(api_keys.c.id).where(api_keys.c.revoked.is_(None), api_keys.c.sandbox.is_(False))
        of_keys = list((await tx.scalars(valid)).all())
        for key in of_keys:
            await tx.execute(update(api_keys).where(api_keys.c.id == key).values(revoked=now))
            await record_revocation(tx, RevocationKind.API_KEY, key, now)
        of_endpoints = list((await tx.scalars(select(endpoints.c.id).where(endpoints.c.sandbox.is_(False)))).all())
        for endpoint in of_endpoints:
            await switch_off(tx, endpoint)
            await record_revocation(tx, RevocationKind.ENDPOINT, endpoint, now)
        joined = select(homes.c.id).where(homes.c.revoked.is_(None), homes.c.sandbox.is_(False))
        of_homes = list((await tx.scalars(joined)).all())
        for home in of_homes:
            await revoke_certificates(tx, home, now)
    return len(of_keys) + len(of_endpoints) + len(of_homes)


def _give_to_owner(staging: Path, folder: Path) -> None:
    """Give the files to the user whose folder it is: a restore by root would leave files that the hub cannot read."""
    if os.geteuid() == 0:
        owner = folder.stat()
        for path in staging.rglob("*"):
            os.chown(path, owner.st_uid, owner.st_gid)


def _move_into_place(file: HubFile, now: datetime) -> Path | None:
    """Move what the folder held aside, and the staged files into it; a hub starts only when all of this is done."""
    folder, staging = file.folder, file.folder / STAGING
    write_whole(folder / RESTORE_MARK, _MARK_TEXT)
    _give_to_owner(staging, folder)
    before = folder / f"{backup.KEPT_PREFIX}{now:%Y%m%dT%H%M%SZ}"
    moved = list(backup.own_names(file))
    target = databases.sqlite_file(file.database) if databases.kind_of(file.database) == "sqlite" else None
    if target is not None:
        further = (target, *(target.with_name(f"{target.name}{end}") for end in ("-wal", "-shm", "-journal")))
        moved += [path for path in further if path.exists() and path not in moved]
    for path in moved:
        before.mkdir(mode=0o700, exist_ok=True)
        shutil.move(path, before / path.name)
    if (staging / _KEPT).is_dir():
        for path in (staging / _KEPT).iterdir():
            before.mkdir(mode=0o700, exist_ok=True)
            path.rename(before / path.name)
        (staging / _KEPT).rmdir()
    if target is not None:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.move(staging / databases.SQLITE_FILE, target)
        sync_folder(target.parent)
    for path in sorted(staging.iterdir()):
        path.rename(folder / path.name)
    broker = folder / "broker"
    if (broker / "mosquitto.conf").is_file():
        mosquitto.hand_over(broker, mosquitto.broker_user())
    sync_folder(folder)
    staging.rmdir()
    (folder / RESTORE_MARK).unlink()
    sync_folder(folder)
    return before if before.is_dir() else None
