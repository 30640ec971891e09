"""Stores the parcels that the owner announced himself: promises of the brand `own`, which the box signs."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime
from enum import StrEnum, auto
from hashlib import sha256
from typing import Final

from gateway.domain.delivery.own_parcel import OWN_BRAND, own_delivery_id
from gateway.domain.delivery.promise import Offer, State, delivery_key, order_of
from gateway.domain.frozen import Frozen
from gateway.domain.now import Now
from gateway.domain.visit.state import WALK_TEST
from gateway.protocol.hash_chain import Json
from gateway.storage.audit_log import code_key
from gateway.storage.database import Database
from gateway.storage.offers import OfferProcessor, write_order
from gateway.storage.part import StorePart, reads, writes
from gateway.storage.rows import SELECT_OWN, DeliveryRow, mark_for_check, read_row, row_of, select_rows
from gateway.storage.writer import Writer

MAX_OPEN_PARCELS = 50  # announced and not over: more than a household expects
MAX_LISTED_PARCELS = 100
_KIND: Final = "own_parcel"  # of the log's entries


class ParcelRefusal(StrEnum):
    """Why a request about one of the owner's parcels is refused, beside the reasons of `MessageRefusal`."""

    UNKNOWN_PARCEL = auto()
    ALREADY_ANNOUNCED = auto()
    ANNOUNCED_BY_BRAND = auto()  # a permitted brand expects it already: its promise proves more
    ALREADY_USED = auto()
    TOO_LATE = auto()  # a visit has begun with it
    TOO_MANY = auto()


class SignedPromise(Frozen):
    """A promise of the box: the signed message, and what the owner says of the parcel."""

    offer: Offer
    token: bytes
    signed_by: str  # the box's public key
    note: str  # what the owner calls the parcel
    said_day: date | None


class OwnParcel(Frozen):
    """One parcel as it is stored."""

    row: DeliveryRow
    note: str
    by: str | None  # the person's id
    elsewhere: datetime | None  # since then its carrier says that it is delivered, and no visit brought it

    @property
    def key(self) -> str:
        """Return the delivery's key, `own.<id>`."""
        return self.row.order.key

    @property
    def code(self) -> str:
        """Return the parcel's code; a promise of the owner's has exactly one."""
        return next(iter(self.row.order.parcels), "")

    def is_open(self, now: Now) -> bool:
        """Return whether it may still come."""
        order, usage = self.row.order, self.row.usage
        return not order.cancelled and not usage.used and now.utc < order.end


def own_id(db: Database, carrier: str, code: str) -> str:
    """Return the id of a parcel's promise under this box's own key."""
    return own_delivery_id(carrier, code, code_key(db))


def parcels(db: Database, *, open_at: Now | None = None) -> tuple[OwnParcel, ...]:
    """Return the owner's parcels, the one that ends last first; with `open_at` only those that may still come then."""
    raws = select_rows(db, SELECT_OWN, (OWN_BRAND, MAX_LISTED_PARCELS))
    found = tuple(
        OwnParcel(
            row=read_row(raw),
            note=raw["note"],
            by=raw["by"],
            elsewhere=db.value(datetime, "SELECT elsewhere FROM own_parcel WHERE delivery = ?", (raw["key"],)),
        )
        for raw in raws.fetchall()
    )
    return found if open_at is None else tuple(parcel for parcel in found if parcel.is_open(open_at))


def was_announced(db: Database) -> bool:
    """Return whether anybody announced a delivery to this house that is not forgotten; a walk test's is none."""
    return db.exists("SELECT 1 FROM delivery WHERE brand != ?", (WALK_TEST,))


def cancel(db: Database, key: str, now: Now, *, by: str | None) -> ParcelRefusal | None:
    """Withdraw a parcel that has not come; return None, or why that failed."""
    return _end(db, key, now, by=by, how="cancel")


def close_delivered(db: Database, key: str, now: Now) -> ParcelRefusal | None:
    """Close a parcel whose carrier says that it is delivered, though no visit brought it here."""
    refusal = _end(db, key, now, by=None, how="delivered_elsewhere")
    if refusal is None:
        db.execute("UPDATE own_parcel SET elsewhere = ? WHERE delivery = ?", (now.utc, key))
    return refusal


def say_day(db: Database, key: str, day: date | None, now: Now, *, by: str | None) -> ParcelRefusal | None:
    """Store the day for which the owner says that the parcel comes; None takes that back."""
    row = _own_row(db, key)
    if row is None or row.order.cancelled:
        return ParcelRefusal.UNKNOWN_PARCEL
    db.execute("UPDATE own_parcel SET said_day = ? WHERE delivery = ?", (None if day is None else day.isoformat(), key))
    facts: dict[str, Json] = {"do": "say_day", "delivery": key, "day": None if day is None else day.isoformat()}
    db.log(_KIND, now.utc, facts, by=by, entrance=row.order.entrance)
    return None


def _end(db: Database, key: str, now: Now, *, by: str | None, how: str) -> ParcelRefusal | None:
    row = _own_row(db, key)
    if row is None or row.order.cancelled:
        return ParcelRefusal.UNKNOWN_PARCEL
    if row.usage.withdrawals or row.usage.visiting:
        return ParcelRefusal.TOO_LATE
    version = row.order.version + 1
    db.execute("UPDATE delivery SET cancelled = 1, version = ? WHERE key = ?", (version, key))
    mark_for_check(db, key)
    db.log(_KIND, now.utc, {"do": how, "delivery": key, "version": version}, by=by, entrance=row.order.entrance)
    return None


def _own_row(db: Database, key: str) -> DeliveryRow | None:
    row = row_of(db, key)
    return row if row is not None and row.order.brand == OWN_BRAND else None


class OwnParcels(StorePart):
    """The owner's own parcels: `Store.own_parcels`. `processor` checks each promise as a retailer's."""

    def __init__(self, writer: Writer, reader: Callable[[], Database], *, processor: OfferProcessor) -> None:
        super().__init__(writer, reader)
        self._processor = processor

    own_id = reads(own_id)
    parcels = reads(parcels)
    was_announced = reads(was_announced)
    cancel = writes(cancel, mark=True)
    close_delivered = writes(close_delivered, mark=True)
    say_day = writes(say_day)

    def next_version(self, key: str) -> int:
        """Return the version that a new promise of this parcel has."""
        row = row_of(self.reader(), key)
        return 1 if row is None else row.order.version + 1

    async def announce(self, promise: SignedPromise, now: Now, *, by: str | None) -> str | None:
        """Store a promise of the box; return None, or the code of why it is refused. `by` is a person's id."""
        return await self.write(lambda db: self._announce(db, promise, now, by=by))

    def _announce(self, db: Database, promise: SignedPromise, now: Now, *, by: str | None) -> str | None:
        offer, token, said_day = promise.offer, promise.token, promise.said_day
        order = order_of(OWN_BRAND, offer)
        order = replace(order, signed_by=promise.signed_by, message_sha256=sha256(token).hexdigest())
        refusal = self._refusal(db, offer, now) or self._processor.order_refusal(db, order, now)
        if refusal is not None:
            return str(refusal)
        write_order(db, order)
        db.execute("UPDATE delivery SET cancelled = 0, look_at = NULL WHERE key = ?", (order.key,))
        day = None if said_day is None else said_day.isoformat()
        db.insert("own_parcel", or_="REPLACE", delivery=order.key, note=promise.note, by=by, token=token, said_day=day)
        facts: dict[str, Json] = {"do": "announce", "delivery": order.key, "version": order.version, "day": day}
        db.log(_KIND, now.utc, facts, by=by, entrance=order.entrance)
        return None

    def _refusal(self, db: Database, offer: Offer, now: Now) -> ParcelRefusal | None:
        """Return why this parcel is not announced (again): it is expected already, or it has come."""
        known, (code,) = parcels(db), offer.parcels
        if sum(parcel.is_open(now) for parcel in known) >= MAX_OPEN_PARCELS:
            return ParcelRefusal.TOO_MANY
        row = row_of(db, delivery_key(OWN_BRAND, offer.id))
        same = [parcel.row for parcel in known if parcel.code == code] + ([] if row is None else [row])
        if any(one.usage.used or one.usage.visiting for one in same):
            return ParcelRefusal.ALREADY_USED
        if any(not one.order.cancelled and not one.order.doubtful and now.utc < one.order.end for one in same):
            return ParcelRefusal.ALREADY_ANNOUNCED
        return ParcelRefusal.ANNOUNCED_BY_BRAND if self._expected_by_brand(db, code, now) else None

    def _expected_by_brand(self, db: Database, code: str, now: Now) -> bool:
        query = "SELECT d.key FROM code c JOIN delivery d ON d.key = c.delivery WHERE c.value = ? AND d.brand != ?"
        rows = (row_of(db, key) for key in db.column(query, (code, OWN_BRAND)))
        coming = (State.SCHEDULED, State.WINDOW_OPEN, State.VISITING)
        return any(row is not None and row.result(self._processor.context, now).state in coming for row in rows)
