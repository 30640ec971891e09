"""Stores what the household says of parcels that a courier takes with him: that they are ready, and where they lie."""

from datetime import datetime

from gateway.domain.frozen import Frozen
from gateway.domain.now import Now
from gateway.storage.database import Database
from gateway.storage.part import StorePart, reads, writes
from gateway.storage.rows import row_of

MAX_PLACE_LENGTH = 120  # characters of the household's words


class PreparedReturn(Frozen):
    """What the household said about the parcels of one delivery that a courier is to collect."""

    delivery: str
    lies: str  # where they lie, in the household's own words; may be empty
    at: datetime
    by: str | None  # the person's id


def prepare_return(db: Database, delivery: str, lies: str, now: Now, *, by: str | None) -> bool:
    """Store that the parcels are ready, and where they lie. False: no such delivery collects anything any more."""
    row = row_of(db, delivery)
    if row is None or not row.order.collect or row.order.cancelled or now.utc >= row.order.end:
        return False
    db.insert("prepared_return", or_="REPLACE", delivery=delivery, lies=lies, at=now.utc, by=by)
    db.log("return_prepared", now.utc, {"delivery": delivery}, by=by, entrance=row.order.entrance)
    return True


def unprepare_return(db: Database, delivery: str, now: Now, *, by: str | None) -> bool:
    """Store that the parcels are not ready after all. False: nobody had said so."""
    if not db.execute("DELETE FROM prepared_return WHERE delivery = ?", (delivery,)).rowcount:
        return False
    db.log("return_not_prepared", now.utc, {"delivery": delivery}, by=by)
    return True


def prepared_return(db: Database, delivery: str) -> PreparedReturn | None:
    """Return what the household said; None: nothing."""
    query = "SELECT delivery, lies, at, by FROM prepared_return WHERE delivery = ?"
    return next(iter(db.records(PreparedReturn, query, (delivery,))), None)


class Returns(StorePart):
    """What the household says of returns: `Store.returns`."""

    prepare = writes(prepare_return)
    unprepare = writes(unprepare_return)
    prepared = reads(prepared_return)
