"""Stores that a courier came after the window, and the time that the household gives him.

The retailer's window counts as announced until somebody of the household extends it, once and for half an hour. All
other rules stay as they are: the brand's days and hours, the courier's code, one opening.
"""

from collections.abc import Callable
from datetime import timedelta
from enum import StrEnum, auto

from gateway.domain.delivery.candidate import DeliveryContext
from gateway.domain.delivery.own_parcel import OWN_BRAND
from gateway.domain.frozen import replace
from gateway.domain.now import Now
from gateway.domain.visit.commands import Notification
from gateway.domain.visit.state import WALK_TEST
from gateway.protocol.hash_chain import Json
from gateway.storage import outbox
from gateway.storage.database import Database, from_micros
from gateway.storage.part import StorePart
from gateway.storage.rows import DeliveryRow, mark_for_check, row_of
from gateway.storage.writer import Writer

MAX_LATENESS = timedelta(hours=2)  # after the window: a courier who comes later is not asked about
GIVEN_TIME = timedelta(minutes=30)  # counted from the household's answer
ANSWER_TIME = timedelta(minutes=30)  # for the household, counted from the courier's scan


class GiveTimeProblem(StrEnum):
    """Why no time can be given."""

    NOBODY_WAITS = auto()  # no courier came late, his question is too old, or time was given before
    NOT_POSSIBLE = auto()  # another rule refuses the delivery at that hour


class MoreTime(StorePart):
    """Couriers who come late: `Store.more_time`."""

    def __init__(self, writer: Writer, reader: Callable[[], Database], *, context: DeliveryContext) -> None:
        super().__init__(writer, reader)
        self._context = context

    async def note_late(self, delivery: str, now: Now) -> int | None:
        """Store that a courier came late, and queue the question to the owner; return the message's number.

        None: there is nothing to ask. The delivery is another one's, was used, is cancelled, ended too long ago, or the
        household was asked a moment ago. Raises StoreFailed.
        """
        return await self.writer.do(lambda db: self._note_late(db, delivery, now))

    def _note_late(self, db: Database, delivery: str, now: Now) -> int | None:
        row = row_of(db, delivery)
        if row is None or not now.trusted or not _is_late(row, now):
            return None
        was_given = db.exists("SELECT 1 FROM delivery WHERE key = ? AND announced_end IS NOT NULL", (delivery,))
        if was_given or self._extended(row, now) is None:
            return None
        late_at = db.value(int, "SELECT late_at FROM delivery WHERE key = ?", (delivery,))
        db.execute("UPDATE delivery SET late_at = ? WHERE key = ?", (now.utc, delivery))
        if late_at is not None and now.utc - from_micros(late_at) < ANSWER_TIME:
            return None  # one question
        return outbox.notify_owner(db, row.order.entrance, Notification.LATE_COURIER, now, delivery=delivery)

    async def give(self, delivery: str, now: Now, *, by: str | None) -> GiveTimeProblem | None:
        """Give the courier half an hour from now; return None, or why not. Raises StoreFailed."""
        return await self.writer.do(lambda db: self._give(db, delivery, now, by))

    def _give(self, db: Database, delivery: str, now: Now, by: str | None) -> GiveTimeProblem | None:
        row = row_of(db, delivery)
        if row is None or not now.trusted or not _is_late(row, now) or not is_asked(db, delivery, now):
            return GiveTimeProblem.NOBODY_WAITS
        longer = self._extended(row, now)
        if longer is None:
            return GiveTimeProblem.NOT_POSSIBLE
        db.execute(
            "UPDATE delivery SET announced_end = ends, ends = ?, late_at = NULL WHERE key = ?",
            (longer.order.end, delivery),
        )
        mark_for_check(db, delivery)
        until = longer.order.end.isoformat()
        facts: dict[str, Json] = {"delivery": delivery, "version": row.order.version, "until": until}
        db.log("more_time", now.utc, facts, by=by, entrance=row.order.entrance)
        return None

    def _extended(self, row: DeliveryRow, now: Now) -> DeliveryRow | None:
        """Return the delivery with the longer window; None: another rule than the window's end refuses it."""
        longer = replace(row, order=replace(row.order, end=now.utc + GIVEN_TIME))
        return longer if longer.facts(self._context, now).refusal is None else None

    def is_asked(self, delivery: str, now: Now) -> bool:
        """Return whether a courier waits for the household's answer."""
        return is_asked(self.reader(), delivery, now)


def is_asked(db: Database, delivery: str, now: Now) -> bool:
    """Return whether a courier who came late waits for the household's answer, and no time was given before."""
    query = "SELECT 1 FROM delivery WHERE key = ? AND late_at > ? AND announced_end IS NULL"
    return db.exists(query, (delivery, now.utc - ANSWER_TIME))


def _is_late(row: DeliveryRow, now: Now) -> bool:
    """Return whether the window of an unused delivery of a retailer's is over, and not for long."""
    order, usage = row.order, row.usage
    is_unused = not (usage.withdrawals or usage.outcomes or usage.visiting or row.kept)
    is_open = not order.cancelled and order.refused_at is None and order.brand not in {OWN_BRAND, WALK_TEST}
    return is_unused and is_open and order.end <= now.utc < order.end + MAX_LATENESS
