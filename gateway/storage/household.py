"""Stores the owner's stops, decisions on brands, and the box's counters."""

import sqlite3
from dataclasses import replace
from datetime import datetime, timedelta

from gateway.domain.delivery.permission import Permission, PermissionStatus, PermissionTerms
from gateway.domain.now import Now
from gateway.protocol.hash_chain import Json
from gateway.storage.audit_log import actor_field, append, from_micros, to_micros
from gateway.storage.models import HouseholdPresence, StopState
from gateway.storage.rows import TERMS_ADAPTER, permission_of

CRASH_WINDOW = timedelta(seconds=60)


def seed_permission(connection: sqlite3.Connection, permission: Permission, now: Now) -> None:
    """Take a brand's permission from the configuration, once; afterwards the store rules."""
    if permission_of(connection, permission.brand) is None:
        _write(connection, permission, now, by=None)


def replace_permission(connection: sqlite3.Connection, permission: Permission, now: Now) -> None:
    """Take a brand's permission from the configuration, whatever stands."""
    old = permission_of(connection, permission.brand)
    _write(connection, replace(permission, version=1 if old is None else old.version + 1), now, by=None)


def decide_brand(  # noqa: PLR0913 - what is decided, and who decides
    connection: sqlite3.Connection,
    brand: str,
    standing: PermissionStatus,
    terms: PermissionTerms | None,
    now: Now,
    *,
    by: str | None,
) -> Permission:
    """Store the owner's decision on a brand; without `terms` those that stand stay. LookupError: unknown brand."""
    old = permission_of(connection, brand)
    if old is None:
        raise LookupError(f"no brand {brand}")
    new = Permission(brand=brand, version=old.version + 1, standing=standing, terms=terms or old.terms)
    _write(connection, new, now, by=by)
    connection.execute("UPDATE delivery SET look_at = 0 WHERE brand = ? AND ends > ?", (brand, to_micros(now.utc)))
    return new


def grant_test_brand(
    connection: sqlite3.Connection, brand: str, terms: PermissionTerms, now: Now, *, by: str | None
) -> None:
    """Let in, under these terms, a brand that the house file does not know: a walk test's."""
    old = permission_of(connection, brand)
    version = 1 if old is None else old.version + 1
    _write(
        connection, Permission(brand=brand, version=version, standing=PermissionStatus.GRANTED, terms=terms), now, by=by
    )


def revoke_test_brand(connection: sqlite3.Connection, brand: str, now: Now) -> bool:
    """End what was lent, for good; False: nothing was."""
    old = permission_of(connection, brand)
    if old is None:
        return False
    _write(connection, replace(old, version=old.version + 1, standing=PermissionStatus.REVOKED), now, by=None)
    connection.execute("DELETE FROM permission WHERE brand = ?", (brand,))
    connection.execute("UPDATE delivery SET look_at = 0 WHERE brand = ? AND ends > ?", (brand, to_micros(now.utc)))
    return True


def _write(connection: sqlite3.Connection, permission: Permission, now: Now, *, by: str | None) -> None:
    terms = TERMS_ADAPTER.dump_json(permission.terms).decode()
    connection.execute(
        "INSERT INTO permission (brand, version, standing, terms) VALUES (?, ?, ?, ?) ON CONFLICT (brand) DO UPDATE"
        " SET version = excluded.version, standing = excluded.standing, terms = excluded.terms",
        (permission.brand, permission.version, permission.standing, terms),
    )
    said: dict[str, Json] = {
        "brand": permission.brand,
        "version": permission.version,
        "standing": permission.standing.value,
    }
    append(connection, "permission", said | actor_field(by), utc=now.utc)


def set_stop(  # noqa: PLR0913 - what is stopped, and who stops it
    connection: sqlite3.Connection, entrance: str, now: Now, *, on: bool, above: int, by: str | None
) -> int:
    """Stop an entrance or lift the stop; return the new epoch, above `above`. LookupError: unknown entrance."""
    row = connection.execute(
        "UPDATE entrance SET stopped = ?, stop_epoch = max(stop_epoch, ?) + 1 WHERE id = ? RETURNING stop_epoch",
        (on, above, entrance),
    ).fetchone()
    if row is None:
        raise LookupError(f"no entrance {entrance}")
    epoch: int = row[0]
    said: dict[str, Json] = {"epoch": epoch}
    append(connection, "stop" if on else "lift", said | actor_field(by), utc=now.utc, entrance=entrance)
    return epoch


def stop_of(connection: sqlite3.Connection, entrance: str) -> StopState:
    """How the owner's stop of an entrance stands. LookupError: unknown entrance."""
    row = connection.execute("SELECT stopped, stop_epoch FROM entrance WHERE id = ?", (entrance,)).fetchone()
    if row is None:
        raise LookupError(f"no entrance {entrance}")
    return StopState(stopped=bool(row[0]), epoch=row[1])


def set_presence(
    connection: sqlite3.Connection, entrance: str, home: HouseholdPresence, now: Now, *, by: str | None
) -> None:
    """Store what the household says of itself. LookupError: unknown entrance."""
    changed = connection.execute(
        "UPDATE entrance SET somebody_home = ?, away = ? WHERE id = ?", (home.somebody_home, home.away, entrance)
    )
    if changed.rowcount != 1:
        raise LookupError(f"no entrance {entrance}")
    said: dict[str, Json] = {"somebody_home": home.somebody_home, "away": home.away}
    append(connection, "home", said | actor_field(by), utc=now.utc, entrance=entrance)


def presence_of(connection: sqlite3.Connection, entrance: str) -> HouseholdPresence:
    """What the household said last. LookupError: unknown entrance."""
    row = connection.execute("SELECT somebody_home, away FROM entrance WHERE id = ?", (entrance,)).fetchone()
    if row is None:
        raise LookupError(f"no entrance {entrance}")
    return HouseholdPresence(somebody_home=bool(row[0]), away=bool(row[1]))


def next_session_number(connection: sqlite3.Connection) -> int:
    """A number that no broker session of this box ever had."""
    row: tuple[int] = connection.execute("UPDATE box SET session = session + 1 RETURNING session").fetchone()
    return row[0]


def record_start(connection: sqlite3.Connection, now: Now) -> int:
    """Note a start; return how many crashes, this start's included, were noticed within the last minute."""
    crashed = bool(connection.execute("SELECT running FROM box").fetchone()[0])
    if crashed:
        connection.execute("INSERT INTO crash (noticed) VALUES (?)", (to_micros(now.utc),))
    connection.execute("UPDATE box SET running = 1")
    if now.trusted:
        connection.execute("UPDATE box SET restored = ? WHERE restored = 0", (to_micros(now.utc),))
    since = to_micros(now.utc - CRASH_WINDOW)
    connection.execute("DELETE FROM crash WHERE noticed < ? OR noticed > ?", (since, to_micros(now.utc)))
    crashes: int = connection.execute("SELECT count(*) FROM crash").fetchone()[0]
    append(connection, "start", {"crashed": crashed, "crashes": crashes, "trusted": now.trusted}, utc=now.utc)
    return crashes


def record_shutdown(connection: sqlite3.Connection, now: Now) -> None:
    """The process ends as it should."""
    connection.execute("UPDATE box SET running = 0")
    connection.execute("DELETE FROM crash")
    append(connection, "end", {}, utc=now.utc)


def time_floor(connection: sqlite3.Connection) -> datetime | None:
    """The highest trusted time that was stored."""
    floor: int | None = connection.execute("SELECT floor FROM box").fetchone()[0]
    return None if floor is None else from_micros(floor)


def raise_time_floor(connection: sqlite3.Connection, utc: datetime) -> None:
    """The floor rises and never falls. A copy that was put to use knows from here on since when."""
    connection.execute(
        "UPDATE box SET floor = max(ifnull(floor, 0), ?), restored = CASE restored WHEN 0 THEN ? ELSE restored END",
        (to_micros(utc), to_micros(utc)),
    )
