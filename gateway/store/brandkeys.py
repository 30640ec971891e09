"""The brands' signing keys: since when each is trusted, when it was last used, and which the house trusts no longer."""

import sqlite3
from collections.abc import Iterable, Mapping

from gateway.config import Brand
from gateway.store.entries import append, at, said_by, us
from gateway.store.words import BrandKey
from gateway.visit.state import Now


def enrol(connection: sqlite3.Connection, brands: Mapping[str, Brand], now: Now) -> None:
    """Take in the keys of the configuration, each once: one that is no longer trusted stays so."""
    connection.executemany(
        "INSERT INTO brand_key (x, kid, brand, since) VALUES (?, ?, ?, ?) ON CONFLICT (x) DO UPDATE"
        " SET kid = excluded.kid, brand = excluded.brand",
        [(key.x, key.kid, name, us(now.utc)) for name, brand in brands.items() for key in brand.keys],
    )


def keys(connection: sqlite3.Connection) -> tuple[BrandKey, ...]:
    """Every key that was ever enrolled."""
    rows = connection.execute("SELECT x, kid, brand, since, used, distrusted, by FROM brand_key ORDER BY brand, kid, x")
    return tuple(
        BrandKey(
            x=x,
            kid=kid,
            brand=brand,
            since=at(since),
            used=None if used is None else at(used),
            distrusted=None if distrusted is None else at(distrusted),
            by=by,
        )
        for x, kid, brand, since, used, distrusted, by in rows
    )


def distrusted(connection: sqlite3.Connection) -> dict[str, str]:
    """The keys that are not trusted, each with its brand."""
    return dict(connection.execute("SELECT x, brand FROM brand_key WHERE distrusted IS NOT NULL").fetchall())


def used(connection: sqlite3.Connection, x: str, now: Now) -> None:
    """A believed message was signed by it."""
    connection.execute("UPDATE brand_key SET used = ? WHERE x = ?", (us(now.utc), x))


def distrust(connection: sqlite3.Connection, x: str, now: Now, *, by: str | None) -> None:
    """Trust a key no longer; said again it changes nothing."""
    changed = connection.execute(
        "UPDATE brand_key SET distrusted = ?, by = ? WHERE x = ? AND distrusted IS NULL", (us(now.utc), by, x)
    )
    if changed.rowcount:
        _note(connection, "key_distrusted", x, now, by)


def trust(connection: sqlite3.Connection, x: str, now: Now, *, by: str | None) -> None:
    """Trust a key again, from now on; one that is trusted stays as it is."""
    changed = connection.execute(
        "UPDATE brand_key SET distrusted = NULL, since = ?, by = ? WHERE x = ? AND distrusted IS NOT NULL",
        (us(now.utc), by, x),
    )
    if changed.rowcount:
        _note(connection, "key_trusted", x, now, by)


def _note(connection: sqlite3.Connection, kind: str, x: str, now: Now, by: str | None) -> None:
    """Log it, and have what stands on the key told anew to its retailer."""
    kid, brand = connection.execute("SELECT kid, brand FROM brand_key WHERE x = ?", (x,)).fetchone()
    append(connection, kind, {"brand": brand, "kid": kid, "x": x, **said_by(by)}, utc=now.utc)
    connection.execute("UPDATE delivery SET look_at = 0 WHERE brand = ? AND ends > ?", (brand, us(now.utc)))


def by_kid(brands: Iterable[Brand]) -> dict[str, str]:
    """The public halves by `kid`, as the configuration has them."""
    return {key.kid: key.x for brand in brands for key in brand.keys}
