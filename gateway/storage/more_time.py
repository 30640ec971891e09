"""Stores that a courier is late, and what the household answers.

The retailer's window counts as announced until somebody of the household extends it, once and by half an hour. All
other rules stay as they are: the brand's days and hours, the courier's code, one opening.

`delivery.announced_end` is set by the answer. A no leaves the window's end where it was.
"""

from collections.abc import Callable
from datetime import timedelta
from enum import StrEnum, auto

from gateway.domain.delivery.candidate import DeliveryContext
from gateway.domain.delivery.own_parcel import OWN_BRAND
from gateway.domain.delivery.promise import TimeAnswer
from gateway.domain.delivery.result import Refusal
from gateway.domain.frozen import Frozen, replace
from gateway.domain.now import Now
from gateway.domain.visit.commands import Notification
from gateway.domain.visit.state import WALK_TEST
from gateway.protocol.hash_chain import Json
from gateway.storage import outbox
from gateway.storage.database import Database
from gateway.storage.part import StorePart
from gateway.storage.rows import ANSWER_TIME, DeliveryRow, mark_for_check, row_of
from gateway.storage.writer import Writer

MAX_LATENESS = timedelta(hours=2)  # after the window: a courier who comes later is not asked about
GIVEN_TIME = timedelta(minutes=30)  # from the household's answer, or from the end of the window if that is later


class GiveTimeProblem(StrEnum):
    """Why no time can be given."""

    NOBODY_WAITS = auto()  # no courier is late, his question is too old, or it was answered before
    NOT_POSSIBLE = auto()  # another rule refuses the delivery at that hour


class AskTimeProblem(StrEnum):
    """Why a question is not put to the household, if no `Refusal` says it: another rule forbids that hour."""

    UNKNOWN_DELIVERY = auto()
    UNKNOWN_ENTRANCE = auto()  # an entrance or a reception that the house no longer has
    VERSION_TOO_LOW = auto()  # it is about another version than the newest
    TOO_LATE = auto()  # it was used or answered, its window is over for too long, or that has not begun


class Asked(Frozen):
    """A question that is stored. `message`: the number of the owner's message; None: he has it already."""

    message: int | None


class MoreTime(StorePart):
    """Couriers who are late: `Store.more_time`."""

    def __init__(self, writer: Writer, reader: Callable[[], Database], *, context: DeliveryContext) -> None:
        super().__init__(writer, reader)
        self._context = context

    async def note_late(self, delivery: str, now: Now) -> int | None:
        """Store that a courier came late, and queue the question to the owner; return the message's number.

        None: there is nothing to ask. The delivery is another one's, was used, is cancelled, ended too long ago, or the
        household was asked a moment ago or has answered. Raises StoreFailed.
        """
        return await self.writer.do(lambda db: self._note_late(db, delivery, now))

    def _note_late(self, db: Database, delivery: str, now: Now) -> int | None:
        row = row_of(db, delivery)
        if row is None or now.utc < row.order.end:
            return None
        asked = ask(db, row, self._context, now)
        return asked.message if isinstance(asked, Asked) else None

    async def give(self, delivery: str, now: Now, *, by: str | None) -> GiveTimeProblem | None:
        """Give the courier half an hour; return None, or why not. Raises StoreFailed."""
        return await self.writer.do(lambda db: self._answer(db, delivery, now, by, gives=True))

    async def refuse(self, delivery: str, now: Now, *, by: str | None) -> GiveTimeProblem | None:
        """Give the courier no more time; return None, or why nobody waits for that answer. Raises StoreFailed."""
        return await self.writer.do(lambda db: self._answer(db, delivery, now, by, gives=False))

    def _answer(self, db: Database, delivery: str, now: Now, by: str | None, *, gives: bool) -> GiveTimeProblem | None:
        row = row_of(db, delivery)
        if row is None or not is_late(row, now) or row.time_answer(now) is not TimeAnswer.ASKED:
            return GiveTimeProblem.NOBODY_WAITS
        longer = _extended(row, now) if gives else row
        if gives and longer.facts(self._context, now).refusal is not None:
            return GiveTimeProblem.NOT_POSSIBLE
        db.execute("UPDATE delivery SET announced_end = ends, ends = ? WHERE key = ?", (longer.order.end, delivery))
        mark_for_check(db, delivery)
        facts: dict[str, Json] = {"delivery": delivery, "version": row.order.version, "given": gives}
        if gives:
            facts["until"] = longer.order.end.isoformat()
        db.log("more_time", now.utc, facts, by=by, entrance=row.order.entrance)
        return None

    def answer(self, delivery: str, now: Now) -> TimeAnswer | None:
        """Return what became of the question; None: no courier is late, or there is no such delivery."""
        row = row_of(self.reader(), delivery)
        return None if row is None else row.time_answer(now)

    def is_asked(self, delivery: str, now: Now) -> bool:
        """Return whether a courier waits for the household's answer."""
        return self.answer(delivery, now) is TimeAnswer.ASKED

    def was_just_asked(self, delivery: str, now: Now) -> bool:
        """Return whether the courier asked less than half an hour ago, whatever was answered."""
        row = row_of(self.reader(), delivery)
        return row is not None and row.late_at is not None and now.utc < row.late_at + ANSWER_TIME

    async def ask(self, delivery: str, now: Now) -> Asked | AskTimeProblem | Refusal:
        """Put the courier's question to the household, as `ask` of this module does. Raises StoreFailed."""
        return await self.writer.do(lambda db: self._ask(db, delivery, now))

    def _ask(self, db: Database, delivery: str, now: Now) -> Asked | AskTimeProblem | Refusal:
        row = row_of(db, delivery)
        return AskTimeProblem.UNKNOWN_DELIVERY if row is None else ask(db, row, self._context, now)

    def may_ask(self, delivery: str, now: Now) -> bool:
        """Return whether a courier's question would be put to the household now."""
        row = row_of(self.reader(), delivery)
        return row is not None and _problem(row, self._context, now) is None


def ask(db: Database, row: DeliveryRow, context: DeliveryContext, now: Now) -> Asked | AskTimeProblem | Refusal:
    """Store in the caller's transaction that the courier asks for more time; the household gets one message."""
    problem = _problem(row, context, now)
    if problem is not None:
        return problem
    key, was_asked = row.order.key, row.time_answer(now) is TimeAnswer.ASKED
    db.execute("UPDATE delivery SET late_at = ? WHERE key = ?", (now.utc, key))
    if was_asked:
        return Asked(message=None)
    mark_for_check(db, key)
    return Asked(message=outbox.notify_owner(db, row.order.entrance, Notification.LATE_COURIER, now, delivery=key))


def _problem(row: DeliveryRow, context: DeliveryContext, now: Now) -> AskTimeProblem | Refusal | None:
    if not is_late(row, now) or row.announced_end is not None:
        return AskTimeProblem.TOO_LATE
    return _extended(row, now).facts(context, now).refusal


def _extended(row: DeliveryRow, now: Now) -> DeliveryRow:
    return replace(row, order=replace(row.order, end=max(row.order.end, now.utc) + GIVEN_TIME))


def is_late(row: DeliveryRow, now: Now) -> bool:
    """Return whether the window of an unused delivery of a retailer's has begun, and is not over for long."""
    order, usage = row.order, row.usage
    is_unused = not (usage.withdrawals or usage.outcomes or usage.visiting or row.kept)
    is_open = not order.cancelled and order.refused_at is None and order.brand not in {OWN_BRAND, WALK_TEST}
    return now.trusted and is_unused and is_open and order.start <= now.utc < order.end + MAX_LATENESS
