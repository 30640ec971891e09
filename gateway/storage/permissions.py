"""Stores the owner's decisions on brands."""

from gateway.domain.delivery.permission import Permission, PermissionStatus, PermissionTerms
from gateway.domain.frozen import replace
from gateway.domain.now import Now
from gateway.protocol.hash_chain import Json
from gateway.storage.database import Database
from gateway.storage.rows import TERMS_ADAPTER, mark_brand_for_check, permission_of


def store_permission(db: Database, permission: Permission, now: Now, *, by: str | None = None) -> Permission:
    """Store a permission in place of the one that the store has of its brand; return it with its new version."""
    version = db.number(
        "INSERT INTO permission (brand, version, standing, terms) VALUES (?, 1, ?, ?) ON CONFLICT (brand) DO UPDATE"
        " SET version = version + 1, standing = excluded.standing, terms = excluded.terms RETURNING version",
        (permission.brand, permission.standing, TERMS_ADAPTER.dump_json(permission.terms).decode()),
    )
    facts: dict[str, Json] = {"brand": permission.brand, "version": version, "standing": permission.standing.value}
    db.log("permission", now.utc, facts, by=by)
    return replace(permission, version=version)


def decide_brand(  # noqa: PLR0913 - what is decided, and who decides
    db: Database, brand: str, standing: PermissionStatus, terms: PermissionTerms | None, now: Now, *, by: str | None
) -> Permission:
    """Store and return the owner's decision on a brand; `terms` None keeps the terms. LookupError: no such brand."""
    old = permission_of(db, brand)
    if old is None:
        raise LookupError(f"no brand {brand}")
    new = store_permission(db, replace(old, standing=standing, terms=terms or old.terms), now, by=by)
    mark_brand_for_check(db, brand, now)
    return new


def grant_test_brand(db: Database, brand: str, terms: PermissionTerms, now: Now, *, by: str | None = None) -> None:
    """Grant these terms to a brand that the house file does not name: a walk test's."""
    granted = Permission(brand=brand, version=1, standing=PermissionStatus.GRANTED, terms=terms)
    store_permission(db, granted, now, by=by)


def revoke_test_brand(db: Database, brand: str, now: Now) -> bool:
    """Delete the permission of a walk test's brand; False: it has none."""
    if permission_of(db, brand) is None:
        return False
    decide_brand(db, brand, PermissionStatus.REVOKED, None, now, by=None)
    db.execute("DELETE FROM permission WHERE brand = ?", (brand,))
    return True


def mark_asked(db: Database, brand: str, now: Now) -> bool:
    """Store that the owner is notified of a brand that waits; False: the owner was, since it began to wait."""
    changed = db.execute(
        "UPDATE permission SET asked = ? WHERE brand = ? AND asked IS NULL AND standing = 'pending'", (now.utc, brand)
    )
    return bool(changed.rowcount)


def all_permissions(db: Database) -> tuple[Permission, ...]:
    """Return the owner's decision on every brand, by brand."""
    brands = db.column("SELECT brand FROM permission ORDER BY brand")
    return tuple(p for brand in brands if (p := permission_of(db, brand)) is not None)
