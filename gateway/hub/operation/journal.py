"""Keeps the journal of revocations, a file beside the database that no backup contains.

The running hub copies each row of `revocations` into the file within a second; a command of the operator does so before
it ends. A database that is older than the file was restored: what the file knows and the database does not is revoked
again, before the hub answers a request. This holds for `perron hub restore` and for a database restored by hand.
"""

import asyncio
import fcntl
import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import structlog
from pydantic import AwareDatetime, BaseModel, ConfigDict
from sqlalchemy import insert, select, update

from gateway.hub.database.revocations import RevocationKind
from gateway.hub.database.store import HubStore, StoreUnusable, log_unavailable
from gateway.hub.database.tables import (
    api_keys,
    brand_keys,
    brands,
    certificates,
    claims,
    homes,
    retailers,
    revocations,
)
from gateway.hub.database.transaction import Transaction
from gateway.hub.deliveries import erasure
from gateway.hub.operation import brands as brand_operation
from gateway.hub.operation import retailers as retailer_operation
from gateway.hub.webhooks.queue import switch_off
from gateway.system.atomic_file import write_whole

log = structlog.get_logger(__name__)

JOURNAL_FILE = "revocations.jsonl"  # in the hub's folder
INTERVAL_S = 1.0
MAX_UNORDERED = 1_000  # numbers: a transaction of PostgreSQL may commit after one with a higher number


class JournalEntry(BaseModel):
    """One line of the journal. `number` is that of the database in which it was revoked."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int
    id: str
    kind: str
    object: str
    detail: Mapping[str, Any] | None
    at: AwareDatetime
    expires: AwareDatetime | None


def read_journal(file: Path) -> list[JournalEntry]:
    """Return the entries of a journal, each once. A last line that was cut is left out; it is appended again.

    Raises:
        ValueError: another line is no entry; the text says which.
        OSError: the file cannot be read.
    """
    lines = file.read_bytes().split(b"\n")
    found: dict[str, JournalEntry] = {}
    for number, line in enumerate(lines, 1):
        if not line:
            continue
        try:
            entry = JournalEntry.model_validate_json(line)
        except ValueError as error:
            if number == len(lines):
                continue
            raise ValueError(f"{file}:{number}: this line is no entry of a journal of revocations") from error
        found.setdefault(entry.id, entry)
    return list(found.values())


class RevocationJournal:
    """The journal of one hub's folder."""

    def __init__(self, folder: Path, store: HubStore) -> None:
        self.file, self._store = folder / JOURNAL_FILE, store
        self._newest = 0
        self._known: set[str] | None = None  # ids in the file; None: it was not read yet

    async def run(self) -> None:
        """Copy what is revoked into the file, until cancelled."""
        while True:
            await self.try_update()
            await asyncio.sleep(INTERVAL_S)

    async def try_update(self) -> None:
        """Do what `update` does; a failure is logged, and the next one does it."""
        with log_unavailable("revocations_not_copied"):
            await self.update()

    async def update(self) -> None:
        """Append to the file what it lacks; it is durable when this returns."""
        if self._known is None or not await asyncio.to_thread(self.file.exists):
            entries = await asyncio.to_thread(_read_if_there, self.file)
            await asyncio.to_thread(self.file.touch, 0o600)  # an empty file says that nothing was revoked
            self._known, self._newest = {entry.id for entry in entries}, 0
        newer = select(revocations).where(revocations.c.number > self._newest - MAX_UNORDERED)
        async with self._store.reading() as tx:
            rows = (await tx.execute(newer.order_by(revocations.c.number))).all()
        missing = [JournalEntry.model_validate(row._asdict()) for row in rows if row.id not in self._known]
        if missing:
            await asyncio.to_thread(_append, self.file, missing)
            self._known.update(entry.id for entry in missing)
        self._newest = max([self._newest, *(row.number for row in rows)])

    async def apply_missing(self, now: datetime) -> int:
        """Revoke again what the file knows and the database does not; return how many entries that were.

        Raises:
            StoreUnusable: the file is damaged, so it is unknown what was revoked.
        """
        try:
            entries = await asyncio.to_thread(_read_if_there, self.file)
        except ValueError as error:
            todo = "Correct or delete that line; a deleted one may be valid again in a restored database."
            raise StoreUnusable(f"{error}. {todo}") from error
        counting = [entry for entry in entries if entry.expires is None or entry.expires > now]
        if len(counting) < len(entries):
            await asyncio.to_thread(write_whole, self.file, _lines(counting))
        missing = await apply(self._store, counting, now)
        if missing:
            log.warning("revoked_again", count=missing, todo="the database was older than the journal of revocations")
        return missing

    async def rewrite(self) -> None:
        """Write the file anew from the database, after a restore gave the rows other numbers."""
        async with self._store.reading() as tx:
            rows = (await tx.execute(select(revocations).order_by(revocations.c.number))).all()
        lines = _lines(JournalEntry.model_validate(row._asdict()) for row in rows)
        await asyncio.to_thread(write_whole, self.file, lines)
        self._known = None


def _read_if_there(file: Path) -> list[JournalEntry]:
    try:
        return read_journal(file)
    except FileNotFoundError:
        return []


def _lines(entries: Iterable[JournalEntry]) -> bytes:
    return b"".join(entry.model_dump_json().encode() + b"\n" for entry in entries)


def _append(file: Path, entries: Sequence[JournalEntry]) -> None:
    with open(file, "a+b", buffering=0, opener=lambda path, flags: os.open(path, flags, 0o600)) as out:
        fcntl.flock(out, fcntl.LOCK_EX)  # a command of the operator appends beside the running hub
        size = out.seek(0, os.SEEK_END)
        out.seek(max(0, size - 1))
        is_cut = size > 0 and out.read(1) != b"\n"
        data = (b"\n" if is_cut else b"") + _lines(entries)
        while data:
            data = data[out.write(data) :]
        os.fsync(out.fileno())


async def apply(store: HubStore, entries: Sequence[JournalEntry], now: datetime) -> int:
    """Revoke again what these entries say and the database does not know; return how many it did not know."""
    if not entries:
        return 0
    async with store.reading() as tx:
        known = set((await tx.execute(select(revocations.c.id))).scalars())
    missing = list({entry.id: entry for entry in entries if entry.id not in known}.values())
    if not missing:
        return 0
    async with store.writing() as tx:
        for entry in missing:
            await _revoke(tx, entry, now)
            await tx.execute(insert(revocations).values(entry.model_dump(exclude={"number"})))
    return len(missing)


async def _revoke(tx: Transaction, entry: JournalEntry, now: datetime) -> None:
    id_ = entry.object
    match entry.kind:
        case RevocationKind.RETAILER_SUSPENDED:
            this = update(retailers).where(retailers.c.id == id_, retailers.c.suspended.is_(None))
            await tx.execute(this.values(suspended=entry.at))
        case RevocationKind.RETAILER_RESUMED:
            this = update(retailers).where(retailers.c.id == id_, retailers.c.ended.is_(None))
            await tx.execute(this.values(suspended=None))
        case RevocationKind.RETAILER_ENDED:
            await retailer_operation.end_in(tx, id_, entry.at)
        case RevocationKind.API_KEY:
            this = update(api_keys).where(api_keys.c.id == id_, api_keys.c.revoked.is_(None))
            await tx.execute(this.values(revoked=entry.at))
        case RevocationKind.BRAND_KEY:
            await _revoke_brand_key(tx, entry)
        case RevocationKind.BRAND_ENDED:
            await brand_operation.end_in(tx, id_, entry.at)
        case RevocationKind.BRAND_FREED:
            await _free_brand(tx, entry)
        case RevocationKind.HOME:
            await tx.execute(update(homes).where(homes.c.id == id_).values(revoked=entry.at))
            mine = update(certificates).where(certificates.c.home == id_, certificates.c.ended.is_(None))
            await tx.execute(mine.values(ended=entry.at))
            await tx.execute(update(claims).filter_by(home=id_).where(claims.c.expires > now).values(expires=now))
        case RevocationKind.CERTIFICATE:
            this = update(certificates).where(certificates.c.serial == id_, certificates.c.ended.is_(None))
            await tx.execute(this.values(ended=entry.at))
        case RevocationKind.ENDPOINT:
            await switch_off(tx, id_)
        case RevocationKind.ERASURE:
            await erasure.begin_again(tx, id_, entry.detail or {}, entry.at, now)
        case _:
            log.warning("revocation_unknown", kind=entry.kind, todo="a newer hub wrote it: install that one")


async def _revoke_brand_key(tx: Transaction, entry: JournalEntry) -> None:
    this = brand_keys.c.kid == entry.object, brand_keys.c.sandbox.is_(False)
    brand, x = (str((entry.detail or {}).get(name, "")) for name in ("brand", "x"))
    of_brand = brands.c.id == brand, brands.c.sandbox.is_(False)
    if await tx.scalar(select(brands.c.id).where(*of_brand)) is None:
        return
    if await tx.scalar(select(brand_keys.c.kid).where(*this)) is None:  # a key that was enrolled after the backup
        row = {"kid": entry.object, "sandbox": False, "brand": brand, "x": x, "created": entry.at, "revoked": entry.at}
        await tx.execute(insert(brand_keys).values(row))
    else:
        await tx.execute(update(brand_keys).where(*this, brand_keys.c.revoked.is_(None)).values(revoked=entry.at))
    await tx.execute(update(brands).where(*of_brand).values(keys_version=brands.c.keys_version + 1))


async def _free_brand(tx: Transaction, entry: JournalEntry) -> None:
    owner = (entry.detail or {}).get("retailer")
    if await tx.scalar(select(brands.c.id).filter_by(id=entry.object, sandbox=False, retailer=owner)) is not None:
        await brand_operation.delete_in(tx, entry.object)
