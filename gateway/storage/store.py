"""The store: one SQLite file, one writer thread, and quick reads on the event loop.

What a coroutine of the store has returned is on disk. Plain methods read; they are index look-ups of well under a
millisecond and see everything that was returned before. `gateway/storage/part.py` says how its parts are made.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Self
from zoneinfo import ZoneInfo

from gateway.config.home import Home as HomeFile
from gateway.domain.delivery.candidate import DeliveryContext, ToldAddress
from gateway.domain.delivery.label import NO_LABEL, LabelElements
from gateway.domain.delivery.own_parcel import OWN_BRAND, TrackedStatus
from gateway.domain.delivery.permission import Permission, PermissionStatus
from gateway.domain.guests.bookings import SourceStatus
from gateway.domain.now import Now
from gateway.domain.visit.commands import ReserveOpening, RingBell
from gateway.domain.visit.events import CodeMatch, DiskChanged, FactsChanged, KeeperWithdrawn
from gateway.storage import brandkeys, decisions, guests
from gateway.storage.addresses import Addresses, load_address
from gateway.storage.arrivals import Arrivals
from gateway.storage.audit_log import AuditLog, erase_bodies
from gateway.storage.bookings import BookingStore
from gateway.storage.box import BoxState
from gateway.storage.brand_facts import BrandFactsStore
from gateway.storage.brands import BrandRegistry
from gateway.storage.browsers import BrowserStore
from gateway.storage.consent_requests import forget_unanswered
from gateway.storage.custodies import Custodies
from gateway.storage.database import Database
from gateway.storage.deliveries import Deliveries
from gateway.storage.doubts import RollbackRecord
from gateway.storage.entrances import Entrances
from gateway.storage.free_room import FreeRoomStore
from gateway.storage.guests import GuestStore
from gateway.storage.handover import Handover
from gateway.storage.hub_journal import HubJournal, forget_before
from gateway.storage.keepers import KeeperStore
from gateway.storage.models import CommitResult, StoredDecision, StoreFailed
from gateway.storage.more_time import MoreTime
from gateway.storage.offers import OfferProcessor
from gateway.storage.outbox import Messages, Phones, expire_links
from gateway.storage.own_parcels import OwnParcels
from gateway.storage.pauses import Pauses, expire_pauses
from gateway.storage.people import AccountStore
from gateway.storage.privacy import PrivacyStore
from gateway.storage.push_subscriptions import PushStore
from gateway.storage.readiness import ReadinessStore
from gateway.storage.receivers import ReceiverStore
from gateway.storage.recordings import Recordings
from gateway.storage.returns import Returns
from gateway.storage.schema import connect
from gateway.storage.supervisors import SupervisorStore
from gateway.storage.turned_away import TurnedAwayStore
from gateway.storage.visit_list import VisitList
from gateway.storage.writer import Mark, Writer
from gateway.system.containment import Containment


def _entrances_without_tap(home: HomeFile) -> frozenset[str]:
    """Return the entrances that the owner's own parcels open without his yes."""
    named, entrances = home.own_parcels.without_tap, home.entrances
    return frozenset(name for name in named if name in entrances and not entrances[name].living_space)


class Store:
    """The store and its parts, one for each noun. Make it with `await Store.open(...)`, end it with `await close()`."""

    def __init__(self, home: HomeFile, writer: Writer, contained: Containment) -> None:
        self._home, self._writer = home, writer
        self._reader: Database | None = None
        self._distrusted: dict[str, str] = {}  # public keys, each with its brand: distrusted from the request on
        self._told_address = ToldAddress()
        self.tracked: dict[str, TrackedStatus] = {}
        """The live status of the household's parcels by normalised code; it is in memory only, and unknown at first."""
        self.booking_sources: dict[str, SourceStatus] = {}
        """How the last readings of each source of bookings went, by its id; it is in memory only."""
        self._context = DeliveryContext(
            box=home.box,
            zone=ZoneInfo(home.timezone),
            courier_proof=frozenset(name for name, section in home.entrances.items() if section.needs_courier_token),
            distrusted=self._distrusted,
            own_permission=Permission(
                brand=OWN_BRAND, version=1, standing=PermissionStatus.GRANTED, terms=home.own_parcel_terms
            ),
            without_tap=_entrances_without_tap(home),
            tracked=self.tracked,
            told_address=self._told_address,
            guest_places={
                name: section.guests.place or next(iter(section.places))
                for name, section in home.entrances.items()
                if section.guests is not None
            },
        )
        both = writer, self._read
        self.guests = GuestStore(*both)
        self.bookings = BookingStore(*both)
        self.brands = BrandRegistry(*both, home, self._distrusted)
        processor = OfferProcessor(context=self._context, entrances=home.destinations, keys=self.brands.public_keys)
        self.accounts = AccountStore(*both)
        self.box = BoxState(*both)
        self.brand_facts = BrandFactsStore(*both)
        self.browsers = BrowserStore(*both)
        self.custodies = Custodies(*both, context=self._context)
        self.deliveries = Deliveries(*both, processor=processor, contained=contained)
        self.entrances = Entrances(*both)
        self.free_room = FreeRoomStore(*both)
        self.handover = Handover(*both)
        self.hub_journal = HubJournal(*both, offers=processor)
        self.keepers = KeeperStore(*both)
        self.log = AuditLog(*both)
        self.messages = Messages(*both)
        self.own_parcels = OwnParcels(*both, processor=processor)
        self.pauses = Pauses(*both)
        self.phones = Phones(*both)
        self.push = PushStore(*both)
        self.privacy = PrivacyStore(*both)
        self.readiness = ReadinessStore(*both)
        self.receivers = ReceiverStore(*both)
        self.supervisors = SupervisorStore(*both)
        self.recordings = Recordings(*both)
        self.turned_away = TurnedAwayStore(*both)
        self.visits = VisitList(*both)
        self.addresses = Addresses(*both, self._told_address)
        self.arrivals = Arrivals(*both)
        self.more_time = MoreTime(*both, context=self._context)
        self.returns = Returns(*both)
        self.rollback = RollbackRecord(*both)

    @property
    def delivery_context(self) -> DeliveryContext:
        """What the house adds to every delivery."""
        return self._context

    @classmethod
    async def open(cls, path: Path, *, home: HomeFile, now: Now, contained: Containment | None = None) -> Self:
        """Open or make the database, bring it up to date, and add what the house file has new.

        Raises:
            DatabaseRefused: made by a newer version, another program's, or on a file system that cannot hold it.
            StoreFailed: the disk did not store it.
        """
        zone = ZoneInfo(home.timezone)
        seeds = [brand.permission.permission(name, zone=zone) for name, brand in home.brands.items()]
        store = cls(home, Writer(path, asyncio.get_running_loop()), contained or Containment())
        try:
            await store._writer.do(lambda db: store._prepare(db, seeds, now))
            store._reader = connect(path, writes=False)
            store.brands.refresh()
        except BaseException:
            await store._writer.close()
            raise
        return store

    def _prepare(self, db: Database, seeds: Sequence[Permission], now: Now) -> None:
        self.brands.prepare(db, seeds, now)
        self._told_address.address = load_address(db)
        self._distrusted |= brandkeys.distrusted_keys(db)
        db.executemany("INSERT OR IGNORE INTO entrance (id) VALUES (?)", [(name,) for name in self._home.entrances])

    async def close(self) -> None:
        """Finish the waiting work and close the file."""
        await self._writer.close()
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def _read(self) -> Database:
        if self._reader is None:
            raise StoreFailed("the store is closed")
        return self._reader

    async def commit(self, step: StoredDecision) -> CommitResult | FactsChanged | KeeperWithdrawn | DiskChanged:
        """Store one decision as a whole, or return the newer facts because of which nothing of it was stored.

        That the disk is bad is such a fact for an intent: an earlier decision of its entrance was not stored, and none
        since then knows it. Several decisions of one entrance may be on their way; they are stored in their order.
        """
        mark = None
        for command in step.commands:
            if isinstance(command, ReserveOpening):
                mark = Mark(step.now, visit=command.visit)
            elif isinstance(command, RingBell):  # the intent of the visit that begins can rest on it
                mark = Mark(step.now, is_later=True)
        outcome, marked = await self._writer.do_marked(partial(self._store_step, step=step), mark, of=step.entrance)
        is_unmarked = mark is not None and not (marked or mark.is_later)
        return replace(outcome, is_marked=False) if is_unmarked and isinstance(outcome, CommitResult) else outcome

    def _store_step(
        self, db: Database, step: StoredDecision
    ) -> CommitResult | FactsChanged | KeeperWithdrawn | DiskChanged:
        lost = self._writer.lost
        if isinstance(step.event, DiskChanged):  # `decide` knows from here on what was not stored
            lost.discard(step.entrance)
        elif step.entrance in lost and any(isinstance(command, ReserveOpening) for command in step.commands):
            return DiskChanged(ok=False)
        return decisions.store_decision(db, step, self._context)

    def matches_at(self, entrance: str, code: str, now: Now, label: LabelElements = NO_LABEL) -> tuple[CodeMatch, ...]:
        """Return whose code was scanned at an entrance: a guest's pass, else the deliveries that have it."""
        found = guests.matches(self._read(), code, entrance, self._context, now)
        return found or self.deliveries.matches(code, now, label)

    async def forget(self, now: Now, *, before: datetime) -> None:
        """Delete what ended before an instant; without trusted time do nothing."""
        if now.trusted:
            await self._writer.do(lambda db: _forget(db, utc=now.utc, before=before))
            self.brands.refresh()


def _forget(db: Database, *, utc: datetime, before: datetime) -> None:
    """Delete answers, links and pauses that are over at `utc`, a trusted time, and everything from before `before`.

    That is deliveries, visits, scans that were turned away, messages (also those that a phone still waits for), removed
    people, views, readiness counts, the hub's acknowledged events, and log bodies. Films end separately
    (`recordings.mark_erased`); everything of a visit whose film is held or not yet erased stays. The chain stays valid:
    a log body leaves its digest.
    """
    expire_links(db, utc)
    expire_pauses(db, utc)
    guests.forget_guests(db, before)
    db.execute("DELETE FROM answer WHERE expires < ?", (utc,))
    db.execute("DELETE FROM tombstone WHERE at < ?", (before,))
    db.execute("DELETE FROM message WHERE at < ?", (before,))
    db.execute(
        "DELETE FROM visit WHERE began < ? AND delivery IN (SELECT key FROM delivery WHERE ends < ?)"
        " AND id NOT IN (SELECT visit FROM film WHERE erased IS NULL OR held IS NOT NULL)",
        (before, before),
    )
    db.execute(
        "DELETE FROM delivery WHERE ends < ? AND NOT EXISTS (SELECT 1 FROM visit WHERE delivery = delivery.key)"
        " AND NOT EXISTS (SELECT 1 FROM entrance WHERE delivery = delivery.key)",
        (before,),
    )
    old = db.column(
        "SELECT seq FROM entry WHERE at < ? AND body IS NOT NULL AND (visit IS NULL OR visit NOT IN"
        " (SELECT visit FROM film WHERE erased IS NULL OR held IS NOT NULL))",
        (before,),
    )
    erase_bodies(db, old)
    db.execute("DELETE FROM look WHERE ended < ?", (before,))
    db.execute("DELETE FROM turned_away WHERE last < ?", (before,))
    db.execute("DELETE FROM readiness_hour WHERE hour < ?", (before,))
    db.execute("DELETE FROM person WHERE removed < ?", (before,))
    forget_before(db, before)
    forget_unanswered(db, before)
