"""Stores links that show a visit to an outsider; each ends with its time, its maker's account, or the film."""

from datetime import datetime

from gateway.domain.now import Now
from gateway.storage.database import Database
from gateway.storage.models import SharedVisit


def add_share(db: Database, share: SharedVisit, now: Now) -> None:
    """Share a visit, and delete expired shares.

    Raises:
        LookupError: the visit has no film, or it is erased.
    """
    db.execute("DELETE FROM share WHERE until <= ?", (now.utc,))
    if not db.exists("SELECT 1 FROM film WHERE visit = ? AND erased IS NULL", (share.visit,)):
        raise LookupError(f"no film of {share.visit}")
    db.execute(
        "INSERT INTO share (id, secret, visit, by, made, until) VALUES (?, ?, ?, ?, ?, ?)",
        (share.id, share.secret, share.visit, share.by, share.made, share.until),
    )
    db.log("shared", now.utc, {"share": share.id, "of": share.visit, "by": share.by})


def active_shares(db: Database, utc: datetime) -> tuple[SharedVisit, ...]:
    """Return what is shared at an instant by people who still have an account, the newest first."""
    query = (
        "SELECT s.id, s.secret, s.visit, s.by, s.made, s.until FROM share s JOIN person p ON p.id = s.by"
        " WHERE s.until > ? AND p.removed IS NULL"
        " AND EXISTS (SELECT 1 FROM film f WHERE f.visit = s.visit AND f.erased IS NULL) ORDER BY s.made DESC, s.id"
    )
    return db.records(SharedVisit, query, (utc,))


def end_share(db: Database, ident: str, now: Now, *, by: str) -> bool:
    """End a share at once; False: there is no such share any more."""
    visit = db.value(str, "DELETE FROM share WHERE id = ? RETURNING visit", (ident,))
    if visit is not None:
        db.log("share_ended", now.utc, {"share": ident, "of": visit, "by": by})
    return visit is not None
