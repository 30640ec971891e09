"""Stores the results that retailers must receive at least once, also after a crash."""

from datetime import datetime

from gateway.domain.delivery.candidate import DeliveryContext
from gateway.domain.delivery.promise import DeliveryResult
from gateway.domain.now import Now
from gateway.storage.database import Database
from gateway.storage.rows import SELECT_DUE, DeliveryRow, read_each, row_of
from gateway.system.containment import Containment

MAX_DELIVERIES_PER_CALL = 200  # about 10 ms


def changed_results(
    db: Database, house: DeliveryContext, box: str, now: Now, contained: Containment
) -> tuple[tuple[DeliveryResult, ...], tuple[str, ...]]:
    """Return the results that retailers must receive now, and the keys of due deliveries without a change.

    Without trusted time no window opens or ends.
    """
    found, known = [], []

    def stands(row: DeliveryRow) -> tuple[DeliveryRow, DeliveryResult]:
        return row, row.result(house, box, now)

    due = (now.utc if now.trusted else 0, MAX_DELIVERIES_PER_CALL)
    for row, result in read_each(db, SELECT_DUE, due, stands, contained):
        if row.told == _comparable(result):
            known.append(row.order.key)
        else:
            found.append(result)
    return tuple(found), tuple(known)


def reschedule_known(db: Database, keys: tuple[str, ...], house: DeliveryContext, box: str, now: Now) -> None:
    """Schedule the next check of these deliveries, unless their result has changed meanwhile."""
    for key in keys:
        row = row_of(db, key)
        if row is not None and row.told == _comparable(row.result(house, box, now)):
            _schedule_check(db, row, house, now)


def next_change(db: Database) -> datetime | None:
    """Return the earliest instant at which a retailer may have to receive a result (1970: now)."""
    return db.value(datetime, "SELECT min(look_at) FROM delivery WHERE look_at IS NOT NULL")


def mark_reported(db: Database, result: DeliveryResult, house: DeliveryContext, box: str, now: Now) -> None:
    """Store that the retailer received this result; if it has changed meanwhile, it is due again."""
    row = row_of(db, f"{result.brand}.{result.delivery}")
    if row is None:
        return
    if _comparable(row.result(house, box, now)) == _comparable(result):
        store_reported(db, row, result, house, now)
    else:
        db.execute("UPDATE delivery SET told = ? WHERE key = ?", (_comparable(result), row.order.key))


def store_reported(db: Database, row: DeliveryRow, result: DeliveryResult, house: DeliveryContext, now: Now) -> None:
    """Store what the retailer knows, and when time alone changes it."""
    db.execute("UPDATE delivery SET told = ? WHERE key = ?", (_comparable(result), row.order.key))
    _schedule_check(db, row, house, now)


def _schedule_check(db: Database, row: DeliveryRow, house: DeliveryContext, now: Now) -> None:
    later = (row.next_check(house, now), row.order.key)
    db.execute("UPDATE delivery SET look_at = ? WHERE key = ?", later)


def _comparable(result: DeliveryResult) -> str:
    """Return what makes two results differ for a retailer."""
    return result.model_dump_json(include={"version", "state", "reason", "missing", "house", "lacking"})
