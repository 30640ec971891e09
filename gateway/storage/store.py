"""The store: one SQLite file, one writer thread, and quick reads on the event loop.

What a coroutine of `Store` has returned is on disk. Plain methods read; they are index look-ups of well under a
millisecond and see everything that was returned before.
"""

import asyncio
import secrets
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Self
from zoneinfo import ZoneInfo

from gateway.config.home import Home as HomeFile
from gateway.config.permission_seed import initial_permission
from gateway.domain.delivery.candidate import DeliveryContext, VisitDelivery
from gateway.domain.delivery.permission import Permission, PermissionStatus, PermissionTerms
from gateway.domain.delivery.promise import MAX_WINDOW, Cancel, Claims, DeliveryOrder, DeliveryResult
from gateway.domain.now import Now
from gateway.domain.pause import PauseRefusal, PlannedPause
from gateway.domain.visit.commands import ReserveOpening
from gateway.domain.visit.events import CodeMatch
from gateway.domain.visit.state import CodeKind, Entrance, PausePeriod
from gateway.protocol.hash_chain import ChainEntry, ChainHead, Json
from gateway.protocol.jws import RejectedMessage
from gateway.storage import (
    audit_log,
    brandkeys,
    doubts,
    entrance_state,
    household,
    outbox,
    pauses,
    recordings,
    results,
    retention,
    rows,
)
from gateway.storage import decisions as steps
from gateway.storage.accounts import AccountStore
from gateway.storage.brands import BrandRegistry
from gateway.storage.browsers import BrowserStore
from gateway.storage.doubts import RollbackRecord
from gateway.storage.handover import Handover
from gateway.storage.hub_journal import HubJournal
from gateway.storage.models import (
    CommitConflict,
    CommitResult,
    FilmRecord,
    HouseholdPresence,
    MessageAnswer,
    PhoneStatus,
    StopState,
    StoredBrandKey,
    StoredClip,
    StoredDecision,
    StoredMessage,
    StoreFailed,
    UpcomingDelivery,
)
from gateway.storage.offers import OfferProcessor
from gateway.storage.privacy import PrivacyStore
from gateway.storage.schema import connect
from gateway.storage.writer import Writer, is_environment_error
from gateway.system.containment import Containment

UPCOMING_HORIZON = timedelta(hours=25)  # a little more than the first look at an entrance's readiness
MAX_UPCOMING_DELIVERIES = 100  # deliveries of one entrance: more than a house gets, and read in some milliseconds


class Store:
    """Build it with `await Store.open(...)`, end it with `await close()`. Coroutines that store raise `StoreFailed`."""

    def __init__(self, path: Path, home: HomeFile, writer: Writer, contained: Containment) -> None:
        self._path = path
        self._containment = contained
        self._writer = writer
        self._box = home.box
        self._distrusted: dict[str, str] = {}  # public keys; each holds from the instant at which it is asked for
        self._distrust_counts: Counter[str] = Counter()
        self._house = DeliveryContext(
            zone=ZoneInfo(home.timezone),
            courier_proof=frozenset(name for name, section in home.entrances.items() if section.courier_proof),
            distrusted=self._distrusted,
        )
        self.brands = BrandRegistry(writer, lambda: self._read, home, self._distrusted)
        """The brands that this house knows."""
        keys = self.brands.publics
        self._offers = OfferProcessor(box=home.box, house=self._house, entrances=home.entrances, keys=keys)
        self._reader: sqlite3.Connection | None = None
        self._encoder: audit_log.LogEncoder | None = None
        self.register = AccountStore(writer, lambda: self._read)
        """People, invitations, sessions."""
        self.keeping = PrivacyStore(writer, lambda: self._read)
        """What is kept, for how long, and who looked at it."""
        self.handover = Handover(writer, lambda: self._read)
        """The house's way to its next owner."""
        self.uplinks = HubJournal(writer, lambda: self._read, offers=self._offers, house=self._house, box=home.box)
        """What came by a hub, and what it is told."""
        self.doubts = RollbackRecord(writer, lambda: self._read)
        """Whether this is the store that the box used last."""
        self.browsers = BrowserStore(writer, lambda: self._read)
        """The household's enrolled browsers, and their orders."""

    @classmethod
    async def open(cls, path: Path, *, home: HomeFile, now: Now, contained: Containment | None = None) -> Self:
        """Open or make the database, bring it up to date, and take in what the configuration adds.

        Raises:
            DatabaseRefused: made by a newer version, another program's, or on a file system that cannot hold it.
            StoreFailed: the disk does not take it.
        """
        zone = ZoneInfo(home.timezone)
        seeds = [initial_permission(name, brand.permission, zone=zone) for name, brand in home.brands.items()]
        writer = Writer(path, asyncio.get_running_loop())
        store = cls(path, home, writer, contained or Containment())

        def prepare(connection: sqlite3.Connection) -> audit_log.LogEncoder:
            store.brands.prepare(connection, seeds, now)
            store._distrusted |= brandkeys.distrusted_keys(connection)
            names = [(name,) for name in home.entrances]
            connection.executemany("INSERT OR IGNORE INTO entrance (id) VALUES (?)", names)
            return audit_log.log_encoder(connection)

        try:
            store._encoder = await writer.do(prepare)
            store._reader = connect(path, writes=False)
            store.brands.refresh()
        except BaseException:
            await writer.close()
            raise
        return store

    async def close(self) -> None:
        """Finish what waits and close the file."""
        await self._writer.close()
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    @property
    def _read(self) -> sqlite3.Connection:
        if self._reader is None:
            raise StoreFailed("the store is closed")
        return self._reader

    # -- an entrance

    async def commit(self, step: StoredDecision) -> CommitResult | CommitConflict:
        """Store one decision whole, or nothing of it: then newer facts overtook its scan or its intent."""
        words = self._encoder
        assert words is not None  # noqa: S101 - set by `open`

        def work(connection: sqlite3.Connection) -> CommitResult | CommitConflict:
            return steps.store_decision(connection, step, house=self._house, words=words)

        if not any(isinstance(command, ReserveOpening) for command in step.commands):
            return await self._writer.do(work)
        outcome, marked = await self._writer.do_marked(work, step.now)
        return outcome if marked or isinstance(outcome, CommitConflict) else replace(outcome, marked=False)

    def entrance(self, entrance: str) -> Entrance | None:
        """The state after the last stored step; None before the first."""
        row = self._read.execute("SELECT state FROM entrance WHERE id = ?", (entrance,)).fetchone()
        return None if row is None or row[0] is None else entrance_state.load(row[0])

    def matches(self, code: str, *, now: Now) -> tuple[CodeMatch, ...]:
        """The deliveries that know this normalised code, those that may come in first."""

        def match(row: rows.DeliveryRow) -> CodeMatch:
            return CodeMatch(kind=CodeKind(row.code_kind or CodeKind.PARCEL), delivery=row.facts(self._house, now))

        found = list(rows.read_each(self._read, rows.SELECT_BY_CODE, (code,), match, self._containment))
        found.sort(key=lambda match: (match.delivery.refusal is not None, match.delivery.start, match.delivery.id))
        return tuple(found)

    def facts(self, delivery: str, now: Now) -> VisitDelivery | None:
        """One delivery, by its name in the house (`brand.id`), as `decide` sees it."""
        row = rows.row_of(self._read, delivery)
        return None if row is None else row.facts(self._house, now)

    def upcoming(self, entrance: str, now: Now) -> tuple[UpcomingDelivery, ...]:
        """What an entrance's agenda must know now: deliveries that may still come, soonest end first.

        Those whose window begins within 25 hours, and those for which its readiness was never looked at; of each at
        most 100. What is further away is found by looking again later.
        """
        here, soon = (entrance, audit_log.to_micros(now.utc)), now.utc + UPCOMING_HORIZON
        near = (audit_log.to_micros(soon + MAX_WINDOW) + 1, audit_log.to_micros(soon), MAX_UPCOMING_DELIVERIES)

        def expected(row: rows.DeliveryRow) -> UpcomingDelivery:
            return UpcomingDelivery(delivery=row.facts(self._house, now), checked=row.checked)

        found = {
            one.delivery.id: one
            for query, rest in ((rows.SELECT_NEAR, near), (rows.SELECT_UNCHECKED, (MAX_UPCOMING_DELIVERIES,)))
            for one in rows.read_each(self._read, query, (*here, *rest), expected, self._containment)
        }
        return tuple(sorted(found.values(), key=lambda one: one.delivery.end))

    def locked_at(self, entrance: str) -> datetime | None:
        """When this entrance was last proven locked again after a visit."""
        row = self._read.execute("SELECT locked_at FROM entrance WHERE id = ?", (entrance,)).fetchone()
        return None if row is None or row[0] is None else audit_log.from_micros(row[0])

    # -- retailers

    async def accept(self, token: bytes, verified: Claims | RejectedMessage, now: Now) -> MessageAnswer:
        """Answer one signed message; `verified` is what `signature.verify` said of these bytes."""

        def work(connection: sqlite3.Connection) -> MessageAnswer:
            return self._offers.answer(connection, token, verified, now)

        if isinstance(verified, Claims) and isinstance(verified.delivery, Cancel):
            return (await self._writer.do_marked(work, now))[0]
        return await self._writer.do(work)

    def promise(self, delivery: str) -> DeliveryOrder | None:
        """What was promised, as it stands."""
        row = rows.row_of(self._read, delivery)
        return None if row is None else row.promise

    def result(self, delivery: str, now: Now) -> DeliveryResult | None:
        """How a delivery stands, as its retailer sees it."""
        row = rows.row_of(self._read, delivery)
        return None if row is None else row.result(self._house, self._box, now)

    def changed(self, now: Now) -> tuple[DeliveryResult, ...]:
        """What retailers have to be told, by time or by what happened: found again until it is `told`.

        At most some hundred at once; ask again when they are told.
        """
        found, known = results.changed_results(self._read, self._house, self._box, now, self._containment)
        if known:
            self._writer.post(lambda db: results.reschedule_known(db, known, self._house, self._box, now))
        return found

    def next_change(self) -> datetime | None:
        """When `changed` may find something, at the earliest; None: never by time alone."""
        return results.next_change(self._read)

    async def told(self, result: DeliveryResult, now: Now) -> None:
        """The retailer was told."""
        await self._writer.do(lambda db: results.mark_reported(db, result, self._house, self._box, now))

    # -- the owner; `by` is the id of the person who asks, for the log (None: not by an account)

    def permission(self, brand: str) -> Permission | None:
        """The owner's word on a brand."""
        return rows.permission_of(self._read, brand)

    def permissions(self) -> tuple[Permission, ...]:
        """The owner's word on every brand."""
        brands = self._read.execute("SELECT brand FROM permission ORDER BY brand").fetchall()
        return tuple(p for (brand,) in brands if (p := rows.permission_of(self._read, brand)) is not None)

    async def permit(
        self, brand: str, now: Now, *, terms: PermissionTerms | None = None, by: str | None = None
    ) -> Permission:
        """Let a brand in, under these terms or those that stand. LookupError: unknown brand."""
        return await self._decide(brand, PermissionStatus.GRANTED, terms, now, by)

    async def refuse(self, brand: str, now: Now, *, by: str | None = None) -> Permission:
        """Do not let a brand in. LookupError: unknown brand."""
        return await self._decide(brand, PermissionStatus.REFUSED, None, now, by)

    async def revoke(self, brand: str, now: Now, *, by: str | None = None) -> Permission:
        """Let a brand in no longer. LookupError: unknown brand."""
        return await self._decide(brand, PermissionStatus.REVOKED, None, now, by)

    async def _decide(
        self, brand: str, standing: PermissionStatus, terms: PermissionTerms | None, now: Now, by: str | None
    ) -> Permission:
        return await self.brands.decide(brand, standing, terms, now, by=by)

    async def lend(self, brand: str, terms: PermissionTerms, now: Now, *, by: str | None = None) -> None:
        """Let in, under these terms, a brand that the house file does not know: a walk test's."""
        await self._writer.do(lambda db: household.grant_test_brand(db, brand, terms, now, by=by))

    async def take_back(self, brand: str, now: Now) -> bool:
        """End what was lent, for good; False: nothing was."""
        return await self._writer.do(lambda db: household.revoke_test_brand(db, brand, now))

    def brand_keys(self) -> tuple[StoredBrandKey, ...]:
        """Every signing key of a brand that was ever enrolled."""
        return brandkeys.all_keys(self._read)

    def brand_of_key(self, x: str) -> str:
        """Whose public key this is. LookupError: nobody's."""
        found = next((key.brand for key in self.brand_keys() if key.x == x), None)
        if found is None:
            raise LookupError("no brand has this key")
        return found

    async def distrust(self, x: str, now: Now, *, by: str | None = None) -> None:
        """Trust a public key no longer: it holds at once, also where it cannot be stored. LookupError: unknown key."""
        brand = self.brand_of_key(x)
        self._distrust_counts[x] += 1
        self._distrusted[x] = brand
        await self._writer.do_marked(lambda db: brandkeys.distrust_key(db, x, now, by=by), now)

    async def trust(self, x: str, now: Now, *, by: str | None = None) -> None:
        """Trust a public key again, once that is stored. LookupError: unknown key."""
        self.brand_of_key(x)
        before = self._distrust_counts[x]
        await self._writer.do(lambda db: brandkeys.trust_key(db, x, now, by=by))
        if self._distrust_counts[x] == before:  # else it was distrusted anew meanwhile
            self._distrusted.pop(x, None)

    async def stop(self, entrance: str, now: Now, *, on: bool, above: int = 0, by: str | None = None) -> int:
        """Stop an entrance or lift the stop; returns the new epoch. LookupError: unknown entrance.

        It is higher than `above`: the epoch of a stop that holds in memory only, because it could not be stored.
        """
        work = partial(household.set_stop, entrance=entrance, now=now, on=on, above=above, by=by)
        return (await self._writer.do_marked(work, now))[0]

    def stopped(self, entrance: str) -> StopState:
        """The owner's stop as it stands. LookupError: unknown entrance."""
        return household.stop_of(self._read, entrance)

    async def set_home(self, entrance: str, home: HouseholdPresence, now: Now, *, by: str | None = None) -> None:
        """Store whether somebody is home, and whether the household is away. LookupError: unknown entrance."""
        await self._writer.do(lambda db: household.set_presence(db, entrance, home, now, by=by))

    def home(self, entrance: str) -> HouseholdPresence:
        """What the household said last. LookupError: unknown entrance."""
        return household.presence_of(self._read, entrance)

    async def plan_pause(self, new: PlannedPause, now: Now) -> PlannedPause | PauseRefusal:
        """Store a pause as it counts from now on, or say why it is none."""
        return await self._writer.do(lambda db: pauses.plan_pause(db, new, now))

    async def end_pause(self, pause: str, now: Now, *, by: str | None = None) -> PlannedPause | PauseRefusal:
        """End a pause or withdraw it, and return it; or say that there is none of this id."""
        return await self._writer.do(lambda db: pauses.end_pause(db, pause, now, by=by))

    def planned(self, now: Now) -> tuple[PlannedPause, ...]:
        """The household's pauses that are not over, the soonest first."""
        return tuple(one for one in pauses.planned_pauses(self._read) if not now.trusted or now.utc < one.end)

    def pauses(self, entrance: str) -> tuple[PausePeriod, ...]:
        """The pauses of one entrance, as `decide` knows them; some may be over."""
        return pauses.pauses_of(self._read, entrance)

    async def sent(self, message: int, now: Now) -> None:
        """The message was sent."""
        await self._writer.do(lambda db: recordings.mark_sent(db, message, now))

    def unsent(self) -> tuple[StoredMessage, ...]:
        """Messages that were stored and not sent, oldest first."""
        return recordings.unsent_messages(self._read)

    # -- the owner's phones

    async def enlist(self, phones: Sequence[str], now: Now) -> None:
        """Owe each of these phones every message that is stored from now on, and no others.

        What one that goes was owed is handed to those that were not owed it because they came later.
        """
        await self._writer.do(lambda db: outbox.set_recipients(db, phones, now))

    def phones(self) -> tuple[PhoneStatus, ...]:
        """How each phone stands, and in which language it is told."""
        return outbox.phone_statuses(self._read)

    async def phone_tried(self, phone: str, heard: str, now: Now, *, reached: bool) -> None:
        """A phone was told something, and this came of it."""
        await self._writer.do(lambda db: outbox.record_attempt(db, phone, heard, now, reached=reached))

    async def phone_speaks(self, phone: str, language: str | None) -> None:
        """Tell a phone in this language, or (None) in the house's. LookupError: no such phone."""
        await self._writer.do(lambda db: outbox.set_language(db, phone, language))

    def owed(self, phone: str, now: Now, *, until: datetime) -> tuple[StoredMessage, ...]:
        """What a phone is owed and nobody has taken up, oldest first; of more than 200 the newest."""
        return outbox.pending_messages(self._read, phone, now, until)

    async def take_up(self, phone: str, messages: Iterable[int], now: Now, *, until: datetime) -> frozenset[int]:
        """Take messages to try them until an instant; those that nobody else has. A crash frees them then."""
        return await self._writer.do(lambda db: outbox.claim_messages(db, phone, messages, now, until))

    async def put_back(self, phone: str, messages: Iterable[int]) -> None:
        """The try failed: these may be tried again."""
        await self._writer.do(lambda db: outbox.release_messages(db, phone, messages))

    async def phone_has(self, phone: str, messages: Iterable[int]) -> None:
        """The phone has these messages: it is owed them no longer."""
        await self._writer.do(lambda db: outbox.mark_delivered(db, phone, messages))

    async def use_link(self, nonce: bytes, expires: datetime, now: Now) -> bool:
        """Use a one-time link, once; False: it was used before, or has expired. It is forgotten after its expiry."""
        return await self._writer.do(lambda db: outbox.use_link(db, nonce, expires, now))

    # -- the box

    async def next_session(self) -> int:
        """A number that no broker session of this box ever had: drawn by lot where the disk takes none.

        A full disk must not keep the box from the broker: it locks, alarms and hears the owner's stop all the same.
        """
        try:
            return await self._writer.do(household.next_session_number)
        except StoreFailed:
            if self._reader is None:  # closed, not full
                raise
            return 2**32 + secrets.randbelow(2**52)  # far above what counting reaches, exact in every JSON reader

    def mark_with(self, write: Callable[[ChainHead, Now], bool]) -> None:
        """From now on a mark is written outside the store, by `write`, after the commits that need one.

        What it returns says whether the mark is on the disk; it is called in the writer's thread.
        """
        due = self.doubts.known().mark_due

        def mark(connection: sqlite3.Connection, now: Now) -> bool:
            nonlocal due
            try:
                if not write(audit_log.head(connection), now):
                    return False
                if not due:
                    doubts.set_mark_due(connection)
                    due = True
            except sqlite3.Error as error:
                if not is_environment_error(error):
                    raise
                return False
            return True

        self._writer.marker = mark

    async def mark(self, now: Now) -> bool:
        """Write the mark now; False: it could not be written."""
        return (await self._writer.do_marked(lambda _db: None, now))[1]

    async def booted(self, now: Now) -> int:
        """Note a start; returns how many crashes were noticed within the last 60 s, one now included."""
        return await self._writer.do(lambda db: household.record_start(db, now))

    async def clean_shutdown(self, now: Now) -> None:
        """Note that the process ends as it should."""
        await self._writer.do_marked(lambda db: household.record_shutdown(db, now), now)

    def floor(self) -> datetime | None:
        """The highest trusted time that was stored."""
        return household.time_floor(self._read)

    async def raise_floor(self, utc: datetime) -> None:
        """Raise the floor; a lower one changes nothing."""
        await self._writer.do(lambda db: household.raise_time_floor(db, utc))

    def keep_floor(self, utc: datetime) -> None:
        """Raise the floor without waiting for it; what fails is tried with the next one."""
        self._writer.post(lambda db: household.raise_time_floor(db, utc))

    # -- the proof

    def generation(self) -> str:
        """The random name that this database was given when it was made."""
        row: tuple[str] = self._read.execute("SELECT generation FROM box").fetchone()
        return row[0]

    def head(self) -> ChainHead:
        """How far the log's chain has come."""
        return audit_log.head(self._read)

    def hash_at(self, seq: int) -> bytes | None:
        """The chain's hash at an entry; None: there is none. A restored older database shows here."""
        row = self._read.execute("SELECT hash FROM entry WHERE seq = ?", (seq,)).fetchone()
        return None if row is None else bytes(row[0])

    def entries(self, *, after: int = 0, upto: int | None = None) -> Iterator[ChainEntry]:
        """The log after one entry and up to another, in its order."""
        return audit_log.entries(self._read, after=after, upto=upto)

    def entries_of(self, visit: str) -> tuple[int, ...]:
        """The numbers of the log entries that belong to a visit."""
        return audit_log.seqs_of_visit(self._read, visit)

    def rows_of(self, visit: str) -> tuple[Mapping[str, Any], ...]:
        """The log entries of a visit as JSON objects, in their order; erased ones are left out."""
        return audit_log.bodies_of_visit(self._read, visit)

    def decisions(self) -> tuple[Mapping[str, Any], ...]:
        """Every decision on a brand that the log still tells, oldest first; `by` names who decided on a page."""
        return audit_log.bodies_of_kind(self._read, "permission")

    def last_visit(self, entrance: str) -> str | None:
        """The visit or incident that began last at this entrance."""
        return recordings.last_visit(self._read, entrance)

    async def note(
        self,
        kind: str,
        said: Mapping[str, Json],
        now: Now,
        *,
        entrance: str | None = None,
        visit: str | None = None,
    ) -> int:
        """Add an entry of another part of the gateway to the log; returns its number."""
        return await self._writer.do(
            lambda db: audit_log.append(db, kind, said, utc=now.utc, entrance=entrance, visit=visit)
        )

    async def clip_closed(self, clip: StoredClip, now: Now) -> None:
        """Note a closed, hashed clip; its hash enters the log."""
        await self._writer.do(lambda db: recordings.add_clip(db, clip, now))

    async def visit_sealed(self, visit: str, part: int, manifest_sha256: str, now: Now) -> None:
        """Note that a part's manifest is signed and on disk. LookupError: a part that never began."""
        await self._writer.do(lambda db: recordings.mark_sealed(db, visit, part, manifest_sha256, now))

    def films(self, *, visit: str | None = None, before: datetime | None = None) -> tuple[FilmRecord, ...]:
        """Films with their clips, oldest first: of one visit, or begun before an instant, or all."""
        return tuple(recordings.films_of(self._read, visit=visit, before=before))

    async def hold(self, visit: str, why: str | None, now: Now, *, by: str | None = None) -> None:
        """Keep a visit's films from being deleted, or (None) no longer. LookupError: no film of it."""
        await self._writer.do(lambda db: recordings.set_hold(db, visit, why, now, by=by))

    async def erase(self, visit: str, why: str, now: Now, *, by: str | None = None) -> bool:
        """Mark a visit's films erased and hide its log bodies, before its files go; False: held, or erased before."""
        return await self._writer.do(lambda db: recordings.mark_erased(db, visit, why, now, by=by))

    async def clips_deleted(self, visit: str) -> None:
        """Note that an erased visit's files are gone."""
        await self._writer.do(lambda db: recordings.delete_clips(db, visit))

    async def forget(self, now: Now, *, before: datetime) -> None:
        """Forget what ended before an instant; does nothing without trusted time."""
        if now.trusted:
            await self._writer.do(lambda db: retention.forget(db, utc=now.utc, before=before))
            self.brands.refresh()
