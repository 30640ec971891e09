"""What retailers were told and what they have to be told anew: at least once, also over a crash."""

import sqlite3
from datetime import datetime

from gateway.domain.delivery.candidate import House
from gateway.domain.delivery.promise import Result
from gateway.domain.visit.state import Now
from gateway.storage.audit_log import at, us
from gateway.storage.rows import TO_LOOK_AT, Row, each, row_of
from gateway.system.containment import Containment

AT_ONCE = 200  # deliveries looked at in one call: about 10 ms


def changed(
    connection: sqlite3.Connection, house: House, box: str, now: Now, contained: Containment
) -> tuple[tuple[Result, ...], tuple[str, ...]]:
    """What retailers have to be told now, and the deliveries of which they know all already.

    Without trusted time no window opens or ends.
    """
    found, known = [], []

    def stands(row: Row) -> tuple[Row, Result]:
        return row, row.result(house, box, now)

    due = (us(now.utc) if now.trusted else 0, AT_ONCE)
    for row, result in each(connection, TO_LOOK_AT, due, stands, contained):
        if row.told == _gist(result):
            known.append(row.promise.key)
        else:
            found.append(result)
    return tuple(found), tuple(known)


def known(connection: sqlite3.Connection, keys: tuple[str, ...], house: House, box: str, now: Now) -> None:
    """Look at these again when time changes them, if their retailer still knows all."""
    for key in keys:
        row = row_of(connection, key)
        if row is not None and row.told == _gist(row.result(house, box, now)):
            _look_again(connection, row, house, now)


def next_change(connection: sqlite3.Connection) -> datetime | None:
    """When a retailer may have to be told something, at the earliest (1970: now)."""
    row = connection.execute("SELECT min(look_at) FROM delivery WHERE look_at IS NOT NULL").fetchone()
    return None if row[0] is None else at(row[0])


def told(connection: sqlite3.Connection, result: Result, house: House, box: str, now: Now) -> None:
    """The retailer was told this; if more has happened meanwhile it is found again."""
    row = row_of(connection, f"{result.brand}.{result.delivery}")
    if row is None:
        return
    if _gist(row.result(house, box, now)) == _gist(result):
        remember(connection, row, result, house, now)
    else:
        connection.execute("UPDATE delivery SET told = ? WHERE key = ?", (_gist(result), row.promise.key))


def remember(connection: sqlite3.Connection, row: Row, result: Result, house: House, now: Now) -> None:
    """Keep what was told and when time alone changes it."""
    connection.execute("UPDATE delivery SET told = ? WHERE key = ?", (_gist(result), row.promise.key))
    _look_again(connection, row, house, now)


def _look_again(connection: sqlite3.Connection, row: Row, house: House, now: Now) -> None:
    later = (row.look_at(house, now), row.promise.key)
    connection.execute("UPDATE delivery SET look_at = ? WHERE key = ?", later)


def _gist(result: Result) -> str:
    """All that makes two results differ for a retailer."""
    return result.model_dump_json(include={"version", "state", "reason", "missing", "house", "lacking"})
