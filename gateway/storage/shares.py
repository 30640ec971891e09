"""Stores links that show a visit to an outsider; each ends with its time, its maker's account, or the film."""

import sqlite3
from datetime import datetime

from gateway.domain.now import Now
from gateway.storage.audit_log import append
from gateway.storage.models import SharedVisit
from gateway.storage.records import read_records


def add_share(connection: sqlite3.Connection, share: SharedVisit, now: Now) -> None:
    """Share a visit, and delete expired shares.

    Raises:
        LookupError: the visit has no film, or it is erased.
    """
    connection.execute("DELETE FROM share WHERE until <= ?", (now.utc,))
    if not connection.execute("SELECT 1 FROM film WHERE visit = ? AND erased IS NULL", (share.visit,)).fetchone():
        raise LookupError(f"no film of {share.visit}")
    connection.execute(
        "INSERT INTO share (id, secret, visit, by, made, until) VALUES (?, ?, ?, ?, ?, ?)",
        (share.id, share.secret, share.visit, share.by, share.made, share.until),
    )
    append(connection, "shared", {"share": share.id, "of": share.visit, "by": share.by}, utc=now.utc)


def active_shares(connection: sqlite3.Connection, utc: datetime) -> tuple[SharedVisit, ...]:
    """Return what is shared at an instant by people who still have an account, the newest first."""
    query = (
        "SELECT s.id, s.secret, s.visit, s.by, s.made, s.until FROM share s JOIN person p ON p.id = s.by"
        " WHERE s.until > ? AND p.removed IS NULL"
        " AND EXISTS (SELECT 1 FROM film f WHERE f.visit = s.visit AND f.erased IS NULL) ORDER BY s.made DESC, s.id"
    )
    return read_records(connection, SharedVisit, query, (utc,))


def end_share(connection: sqlite3.Connection, ident: str, now: Now, *, by: str) -> bool:
    """End a share at once; False: there is no such share any more."""
    row = connection.execute("DELETE FROM share WHERE id = ? RETURNING visit", (ident,)).fetchone()
    if row is None:
        return False
    append(connection, "share_ended", {"share": ident, "of": row[0], "by": by}, utc=now.utc)
    return True
