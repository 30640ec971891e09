"""Stores deliveries: what retailers announced, what a scan finds, what retailers must receive about them."""

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from enum import StrEnum, auto
from typing import TypeVar

from gateway.domain.delivery.candidate import VisitDelivery
from gateway.domain.delivery.fallback import MAX_MOVES, Place
from gateway.domain.delivery.label import NO_LABEL, LabelElements, label_refusal
from gateway.domain.delivery.own_parcel import OWN_BRAND
from gateway.domain.delivery.promise import MAX_WINDOW, Cancel, Claims, DeliveryOrder, DeliveryResult
from gateway.domain.delivery.result import Outcome, Refusal
from gateway.domain.delivery.schedule import ExpectedDelivery
from gateway.domain.delivery.temperature import read_label_limits
from gateway.domain.frozen import replace
from gateway.domain.guests.passes import is_pass_key
from gateway.domain.now import Now
from gateway.domain.visit.commands import Notification
from gateway.domain.visit.events import CodeMatch
from gateway.domain.visit.state import WALK_TEST, CodeKind
from gateway.protocol.hash_chain import Json
from gateway.protocol.jws import RejectedMessage
from gateway.storage import guests, outbox, rows
from gateway.storage.database import Database
from gateway.storage.models import MessageAnswer
from gateway.storage.offers import OfferProcessor
from gateway.storage.part import StorePart
from gateway.storage.writer import Writer
from gateway.system.containment import Containment

T = TypeVar("T")

UPCOMING_HORIZON = timedelta(hours=25)  # a little more than the first look at an entrance's readiness
MAX_DELIVERIES_PER_CALL = 200  # about 10 ms
MAX_UPCOMING_DELIVERIES = 100  # deliveries of one entrance: more than a house gets, and read in some milliseconds


def _moved(order: DeliveryOrder, place: Place) -> DeliveryOrder:
    announced = order.moved_from or order.entrance
    moved_from = None if announced == place.entrance else announced
    return replace(order, entrance=place.entrance, place=place.place, moved_from=moved_from)


class RefuseProblem(StrEnum):
    """Why the household cannot refuse a delivery any more."""

    UNKNOWN_DELIVERY = auto()  # or it is cancelled, or refused already
    TOO_LATE = auto()  # the door was opened for it, or a receiver has it


def _refuse(db: Database, delivery: str, now: Now, by: str | None) -> RefuseProblem | None:
    row = rows.row_of(db, delivery)
    if row is None or row.order.cancelled or row.order.refused_at is not None:
        return RefuseProblem.UNKNOWN_DELIVERY
    if row.usage.withdrawals or row.kept:
        return RefuseProblem.TOO_LATE
    db.execute("UPDATE delivery SET refused_at = ?, refused_by = ? WHERE key = ?", (now.utc, by, delivery))
    rows.mark_for_check(db, delivery)
    facts: dict[str, Json] = {"delivery": delivery, "version": row.order.version}
    db.log("delivery_refused", now.utc, facts, by=by, entrance=row.order.entrance)
    return None


class TakeInProblem(StrEnum):
    """Why the household cannot say that a delivery was taken in."""

    UNKNOWN_DELIVERY = auto()
    NOT_ATTENDED = auto()  # nobody opened to its courier, or it has another result already


def is_to_be_confirmed(row: rows.DeliveryRow) -> bool:
    """Return whether somebody of the household opened to the courier, and nobody said what became of the parcel."""
    ended = [outcome for outcome in row.usage.outcomes if outcome is not Outcome.REFUSED]
    is_attended = bool(ended) and set(ended) == {Outcome.ATTENDED}
    return is_attended and bool(row.order.parcels) and not (row.usage.taken_in or row.order.cancelled or row.kept)


def _take_in(db: Database, delivery: str, now: Now, by: str | None) -> TakeInProblem | None:
    row = rows.row_of(db, delivery)
    if row is None:
        return TakeInProblem.UNKNOWN_DELIVERY
    if not is_to_be_confirmed(row):
        return TakeInProblem.NOT_ATTENDED
    db.execute("UPDATE delivery SET taken_in_at = ?, taken_in_by = ? WHERE key = ?", (now.utc, by, delivery))
    rows.mark_for_check(db, delivery)
    facts: dict[str, Json] = {"delivery": delivery, "version": row.order.version}
    db.log("taken_in", now.utc, facts, by=by, entrance=row.order.entrance)
    return None


class Deliveries(StorePart):
    """The deliveries: `Store.deliveries`. A delivery's key is `brand.id`.

    `processor` answers retailers' messages. `contained` reports a row that raises an unforeseen error.
    """

    def __init__(
        self, writer: Writer, reader: Callable[[], Database], *, processor: OfferProcessor, contained: Containment
    ) -> None:
        super().__init__(writer, reader)
        self._processor, self._context, self._containment = processor, processor.context, contained

    async def accept(self, token: bytes, verified: Claims | RejectedMessage, now: Now) -> MessageAnswer:
        """Answer one signed message; `verified` is what `verify_delivery` returned for these bytes."""
        mark = now if isinstance(verified, Claims) and isinstance(verified.delivery, Cancel) else None
        return await self.writer.do(lambda db: self._processor.answer(db, token, verified, now), mark=mark)

    def matches(self, code: str, now: Now, label: LabelElements = NO_LABEL) -> tuple[CodeMatch, ...]:
        """Return the deliveries that have this normalised code; those that may come in are first.

        `label`: the rules that were read with the code. A delivery that they do not permit now is refused because of
        them, unless it is refused for another reason. A brand's promise that may come in, or has come in, takes
        precedence over the owner's own promise: the own promise proves less, two promises would block each other, and a
        parcel may come in only once.
        """
        matches = tuple(self._read_each(rows.SELECT_BY_CODE, (code,), lambda row: self._match(row, code, label, now)))
        comes = {None, Refusal.ALREADY_USED}
        if any(m.delivery.brand != OWN_BRAND and m.delivery.refusal in comes for m in matches):
            matches = tuple(m for m in matches if m.delivery.brand != OWN_BRAND)
        return tuple(sorted(matches, key=lambda m: (m.delivery.refusal is not None, m.delivery.start, m.delivery.id)))

    def _match(self, row: rows.DeliveryRow, code: str, label: LabelElements, now: Now) -> CodeMatch:
        kind, delivery = CodeKind(row.code_kind or CodeKind.PARCEL), row.facts(self._context, now)
        if kind is CodeKind.PARCEL and delivery.refusal is None:
            local = now.utc.astimezone(self._context.zone).replace(tzinfo=None)
            delivery = replace(delivery, refusal=label_refusal(label, row.order.label_rules, local=local))
        limits = read_label_limits(label)
        if kind is CodeKind.PARCEL and limits is not None and not limits.is_none:
            delivery = delivery.with_labels({code: limits})
        return CodeMatch(kind=kind, delivery=delivery)

    def _read_each(
        self, query: str, parameters: Sequence[object], read: Callable[[rows.DeliveryRow], T]
    ) -> Iterator[T]:
        """Yield what `read` returns for each row of the query.

        A row that raises an unforeseen error (an earlier release wrote it) is skipped, and all others are read.
        """
        for raw in rows.select_rows(self.reader(), query, parameters):
            results: list[T] = []
            with self._containment.piece("deliveries", raw["key"]):
                results.append(read(rows.read_row(raw)))
            yield from results

    def facts(self, delivery: str, now: Now, *, visit: str | None = None) -> VisitDelivery | None:
        """Return one delivery, or a guest's pass, as `decide` takes it.

        The opening of this running visit does not count as used.
        """
        if is_pass_key(delivery):
            return guests.visit_facts(self.reader(), delivery, self._context, now, visit=visit)
        row = rows.row_in_visit(self.reader(), delivery, visit)
        return None if row is None else row.facts(self._context, now)

    def facts_at(self, delivery: str, place: Place, now: Now) -> VisitDelivery | None:
        """Return one delivery as `decide` would see it if the house moved it to this place."""
        row = rows.row_of(self.reader(), delivery)
        return None if row is None else replace(row, order=_moved(row.order, place)).facts(self._context, now)

    async def move(self, delivery: str, place: Place, refusal: Refusal, now: Now) -> int | None:
        """Move an open delivery to another place, because its entrance refused it; return the owner's message.

        None: nothing was moved, because the delivery was moved, cancelled or used meanwhile. The retailer's version
        stays. Raises StoreFailed.
        """
        return await self.writer.do(lambda db: self._move(db, delivery, place, refusal, now))

    def _move(self, db: Database, delivery: str, place: Place, refusal: Refusal, now: Now) -> int | None:
        row = rows.row_of(db, delivery)
        if row is None or row.order.entrance == place.entrance:
            return None
        is_back = place.entrance == row.order.moved_from
        if row.order.placed >= MAX_MOVES and not is_back:
            return None
        if row.usage.visiting or row.usage.used:
            return None
        if replace(row, order=_moved(row.order, place)).facts(self._context, now).refusal is not None:
            return None
        db.execute(
            "UPDATE delivery SET moved_from = NULLIF(COALESCE(moved_from, entrance), ?1),"
            " announced_place = CASE WHEN COALESCE(moved_from, entrance) = ?1 THEN NULL"
            " ELSE COALESCE(announced_place, place) END,"
            " entrance = ?1, place = ?2, placed = placed + ?4, lacking = NULL, checked = NULL WHERE key = ?3",
            (place.entrance, place.place, delivery, 0 if is_back else 1),
        )
        rows.mark_for_check(db, delivery)
        moved = {"delivery": delivery, "moved_from": row.order.entrance, "moved_to": place.entrance}
        db.log("moved", now.utc, {**moved, "place": place.place, "refusal": refusal.value}, entrance=place.entrance)
        return outbox.notify_owner(db, place.entrance, Notification.MOVED, now, delivery=delivery, detail=refusal.value)

    async def refuse(self, delivery: str, now: Now, *, by: str | None) -> RefuseProblem | None:
        """Refuse one delivery for the household, for good; return None, or why that is not possible.

        Nothing opens for it any more, and no later version of the retailer's takes it back. `by`: a person's id; None:
        the owner's MQTT account. Raises StoreFailed.
        """
        return await self.writer.do(lambda db: _refuse(db, delivery, now, by), mark=now)

    async def take_in(self, delivery: str, now: Now, *, by: str | None) -> TakeInProblem | None:
        """Store that the household took a parcel in at the door; return None, or why that cannot be said.

        It counts only after somebody of the household opened to the courier (`attended`). Raises StoreFailed.
        """
        return await self.writer.do(lambda db: _take_in(db, delivery, now, by))

    def expected(self, now: Now, *, most: int) -> tuple[rows.DeliveryRow, ...]:
        """Return the deliveries of all entrances and receptions whose window is not over, the next one first."""
        query = (now.utc, now.utc - rows.ANSWER_TIME, WALK_TEST, most)
        return tuple(self._read_each(rows.SELECT_EXPECTED, query, lambda row: row))

    def row(self, delivery: str) -> rows.DeliveryRow | None:
        """Return one delivery with everything that decides about it."""
        return rows.row_of(self.reader(), delivery)

    def order(self, delivery: str) -> DeliveryOrder | None:
        """Return what the brand announced last."""
        row = self.row(delivery)
        return None if row is None else row.order

    def moved_from(self, delivery: str, *, to: str) -> str | None:
        """Return the entrance from which the house moved a delivery to this one; None: it was not moved to this one."""
        query = "SELECT moved_from FROM delivery WHERE key = ? AND entrance = ?"
        return self.reader().value(str, query, (delivery, to))

    def upcoming(self, entrance: str, now: Now) -> tuple[ExpectedDelivery, ...]:
        """Return the deliveries that may still come to an entrance and must be scheduled now, soonest end first.

        These are those whose window begins within 25 hours, and those for which the entrance's readiness was never
        checked; of each at most 100. Call it again later for what is further away.
        """
        here, soon = (entrance, now.utc), now.utc + UPCOMING_HORIZON
        near = (soon + MAX_WINDOW + timedelta(microseconds=1), soon, MAX_UPCOMING_DELIVERIES)
        deliveries = {
            coming.delivery.id: coming
            for query, rest in ((rows.SELECT_NEAR, near), (rows.SELECT_UNCHECKED, (MAX_UPCOMING_DELIVERIES,)))
            for coming in self._read_each(
                query,
                (*here, *rest),
                lambda row: ExpectedDelivery(delivery=row.facts(self._context, now), checked=row.checked),
            )
        }
        return tuple(sorted(deliveries.values(), key=lambda coming: coming.delivery.end))

    def result(self, delivery: str, now: Now) -> DeliveryResult | None:
        """Return how a delivery stands, as its retailer sees it."""
        row = rows.row_of(self.reader(), delivery)
        return None if row is None else row.result(self._context, now)

    def changed_results(self, now: Now) -> tuple[DeliveryResult, ...]:
        """Return results that retailers must receive: some hundred at most.

        A result is returned again until `mark_reported`; then call it again for more. Without trusted time no window
        opens or ends.
        """
        due = (now.utc if now.trusted else 0, MAX_DELIVERIES_PER_CALL)
        changed, known = [], []
        for row, result in self._read_each(rows.SELECT_DUE, due, lambda row: (row, row.result(self._context, now))):
            if row.told == rows.comparable(result):
                known.append(row.order.key)
            else:
                changed.append(result)
        if known:
            self.writer.post(lambda db: self._reschedule(db, known, now))
        return tuple(changed)

    def _reschedule(self, db: Database, keys: list[str], now: Now) -> None:
        """Schedule the next check of these deliveries, unless their result has changed meanwhile."""
        for key in keys:
            row = rows.row_of(db, key)
            if row is not None and row.told == rows.comparable(result := row.result(self._context, now)):
                rows.store_reported(db, row, result, self._context, now)

    async def mark_reported(self, result: DeliveryResult, now: Now) -> None:
        """Store that the retailer received this result; if it has changed meanwhile, it is due again."""
        await self.writer.do(lambda db: self._mark_reported(db, result, now))

    def _mark_reported(self, db: Database, result: DeliveryResult, now: Now) -> None:
        row, reported = rows.row_of(db, f"{result.brand}.{result.delivery}"), rows.comparable(result)
        if row is None:
            return
        if rows.comparable(row.result(self._context, now)) == reported:
            rows.store_reported(db, row, result, self._context, now)
        else:
            db.execute("UPDATE delivery SET told = ? WHERE key = ?", (reported, row.order.key))
