"""Stores how many items the household says that a place still has room for.

A person counts, because a fridge cannot. The store subtracts what a visit may have brought, even if no scan showed it:
the number may be too low, never too high, until somebody says it again.
"""

from collections.abc import Mapping
from datetime import datetime

from gateway.domain.delivery.items import room_needed
from gateway.domain.frozen import Frozen
from gateway.domain.now import Now
from gateway.storage.database import Database, from_micros
from gateway.storage.part import StorePart, reads, writes
from gateway.storage.rows import row_of

MAX_FREE = 999  # items


class FreeRoom(Frozen):
    """For how many items a place has room, and since when that is known."""

    free: int
    at: datetime


def say_free_room(  # noqa: PLR0913 - which place, how many, when, who
    db: Database, entrance: str, place: str, free: int | None, now: Now, *, by: str | None = None
) -> None:
    """Store for how many items a place has room, 0 to `MAX_FREE`; None: nobody counts it any longer."""
    if free is None:
        db.execute("DELETE FROM free_room WHERE entrance = ? AND place = ?", (entrance, place))
    else:
        db.execute(
            "INSERT INTO free_room (entrance, place, free, at) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (entrance, place) DO UPDATE SET free = excluded.free, at = excluded.at",
            (entrance, place, free, now.utc),
        )
    db.log("room", now.utc, {"place": place, "free": free}, by=by, entrance=entrance)


def take_room(db: Database, delivery: str, utc: datetime) -> None:
    """Take off the room for the items of a delivery for which something was opened."""
    row = row_of(db, delivery)
    if row is None:
        return
    order = row.order
    for place, things in room_needed(order.items, parcels=order.parcels, place=order.place).items():
        db.execute(
            "UPDATE free_room SET free = max(0, free - ?), at = ? WHERE entrance = ? AND place = ?",
            (things, utc, order.entrance, place),
        )


def free_rooms(db: Database) -> Mapping[tuple[str, str], FreeRoom]:
    """Return the counted places by entrance and place."""
    rows = db.execute("SELECT entrance, place, free, at FROM free_room")
    return {(entrance, place): FreeRoom(free=free, at=from_micros(at)) for entrance, place, free, at in rows}


class FreeRoomStore(StorePart):
    """The room that the household counts: `Store.free_room`."""

    say = writes(say_free_room)
    all = reads(free_rooms)
