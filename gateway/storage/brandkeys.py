"""Stores the brands' signing keys: since when each is trusted, when it was last used, whether it is distrusted."""

from collections.abc import Mapping, Sequence
from typing import Literal

from gateway.config.home import BrandSection
from gateway.domain.now import Now
from gateway.protocol.consent_request import RequestedKey
from gateway.storage.database import Database
from gateway.storage.models import StoredBrandKey
from gateway.storage.rows import mark_brand_for_check


def enrol_keys(db: Database, brands: Mapping[str, BrandSection], now: Now) -> None:
    """Store the keys of the house file, each once. A distrusted key stays distrusted."""
    db.executemany(
        "INSERT INTO brand_key (x, kid, brand, since) VALUES (?, ?, ?, ?) ON CONFLICT (x) DO UPDATE"
        " SET kid = excluded.kid, brand = excluded.brand, came = 'file', standing = 'approved'",
        [(key.x, key.kid, name, now.utc) for name, brand in brands.items() for key in brand.keys],
    )


def all_keys(db: Database) -> tuple[StoredBrandKey, ...]:
    """Return every key that was ever enrolled, by brand."""
    query = (
        "SELECT x, kid, brand, since, used, distrusted, by, came, standing, withdrawn FROM brand_key"
        " ORDER BY brand, kid, x"
    )
    return db.records(StoredBrandKey, query)


def distrusted_keys(db: Database) -> dict[str, str]:
    """Return the distrusted public keys, each with its brand."""
    return dict(db.execute("SELECT x, brand FROM brand_key WHERE distrusted IS NOT NULL").fetchall())


def is_taken(db: Database, x: str, kid: str, brand: str, enrolled: frozenset[str]) -> bool:
    """Return whether the key or its `kid` belongs to another brand here, or the owner distrusts the key.

    `enrolled`: the public keys of the house file. A key that an earlier house file had belongs to no brand.
    """
    rows = db.execute("SELECT x, brand, came, distrusted FROM brand_key WHERE x = ? OR kid = ?", (x, kid))
    return any(
        distrusted is not None or (known in enrolled if came == "file" else owner != brand)
        for known, owner, came, distrusted in rows.fetchall()
    )


def add_waiting_key(  # noqa: PLR0913 - a key's columns
    db: Database, key: RequestedKey, brand: str, now: Now, *, came: str, enrolled: frozenset[str]
) -> bool:
    """Store a brand's new key, which waits for the owner; False: the key or its `kid` is known already."""
    if is_taken(db, key.x, key.kid, brand, enrolled):
        return False
    if db.exists("SELECT 1 FROM brand_key WHERE (x = ? OR kid = ?) AND came != 'file'", (key.x, key.kid)):
        return False
    db.execute("DELETE FROM brand_key WHERE x = ? OR kid = ?", (key.x, key.kid))
    db.insert("brand_key", x=key.x, kid=key.kid, brand=brand, since=now.utc, came=came, standing="waits")
    return True


def forget_keys(db: Database, brand: str) -> None:
    """Delete the keys that a brand brought through a hub. A distrusted one stays, as refused, for good."""
    mine = "WHERE brand = ? AND came != 'file'"
    db.execute(f"DELETE FROM brand_key {mine} AND distrusted IS NULL", (brand,))  # noqa: S608 - no stranger's text
    db.execute(f"UPDATE brand_key SET came = 'next', standing = 'refused' {mine}", (brand,))  # noqa: S608 - as above


def decide_key(  # noqa: PLR0913 - which key, how, and who says so
    db: Database, brand: str, kid: str, standing: Literal["approved", "refused"], now: Now, *, by: str
) -> None:
    """Approve a brand's new key, or refuse it for good. LookupError: no key of this `kid` waits."""
    row = db.execute(
        "UPDATE brand_key SET standing = ?, by = ?, since = ? WHERE brand = ? AND kid = ? AND came = 'next'"
        " AND standing = 'waits' AND distrusted IS NULL RETURNING x",
        (standing, by, now.utc, brand, kid),
    ).fetchone()
    if row is None:
        raise LookupError(f"no key {kid} of {brand} waits for an answer")
    db.log(f"key_{standing}", now.utc, {"brand": brand, "kid": kid, "x": row[0]}, by=by)


def withdraw_key(db: Database, brand: str, x: str, now: Now) -> bool:
    """Store that the brand withdrew a key: it is distrusted.

    A repeated withdrawal changes nothing, even if the owner trusted the key again meanwhile.
    """
    update = (
        "UPDATE brand_key SET withdrawn = ?, distrusted = ifnull(distrusted, ?), by = NULL"
        " WHERE x = ? AND brand = ? AND withdrawn IS NULL"
    )
    return _change_key(db, "key_withdrawn", now, update, (now.utc, now.utc, x, brand))


def mark_used(db: Database, x: str, now: Now) -> None:
    """Store that a valid message was signed with this key."""
    db.execute("UPDATE brand_key SET used = ? WHERE x = ?", (now.utc, x))


def distrust_key(db: Database, x: str, now: Now, *, by: str | None) -> None:
    """Distrust a key; a repeated call changes nothing."""
    update = "UPDATE brand_key SET distrusted = ?, by = ? WHERE x = ? AND distrusted IS NULL"
    _change_key(db, "key_distrusted", now, update, (now.utc, by, x), by=by)


def trust_key(db: Database, x: str, now: Now, *, by: str | None) -> None:
    """Trust a key again from now on; a trusted key keeps its date."""
    update = "UPDATE brand_key SET distrusted = NULL, since = ?, by = ? WHERE x = ? AND distrusted IS NOT NULL"
    _change_key(db, "key_trusted", now, update, (now.utc, by, x), by=by)


def _change_key(  # noqa: PLR0913 - what changes, and what the log says of it
    db: Database, kind: str, now: Now, update: str, values: Sequence[object], *, by: str | None = None
) -> bool:
    """Update a key; if that changes it, log it and have the results of the brand's open deliveries compared again."""
    row = db.execute(f"{update} RETURNING kid, brand, x", values).fetchone()
    if row is None:
        return False
    kid, brand, x = row
    db.log(kind, now.utc, {"brand": brand, "kid": kid, "x": x}, by=by)
    mark_brand_for_check(db, brand, now)
    return True
