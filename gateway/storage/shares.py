"""Stores the links that show one visit to somebody outside, and the keys of those that go through the hub.

A share ends with its time, its maker's account, or the film. With it ends its guest browser, and the hub is told so as
of the end of an enrolled browser (`sql/0023.sql`).
"""

from dataclasses import field
from datetime import datetime

from gateway.domain.frozen import Frozen
from gateway.domain.now import Now
from gateway.storage.database import Database
from gateway.storage.models import SharedVisit

MAX_SHARES = 20  # that are valid at the same time: the hub keeps at most 100 browsers of a home


class GuestBrowser(Frozen):
    """A link through the hub, stored as a browser that may ask for the visit of its share.

    `sign` is its public key (JWK, JSON). `secret` is in the link too; both sides derive the envelopes' keys from it.
    `farewell` is encrypted for it when it is made, as for an `EnrolledBrowser`.
    """

    id: str
    share: str
    home: str
    sign: str
    secret: bytes = field(repr=False)
    farewell: str = field(repr=False)


def add_share(db: Database, share: SharedVisit, now: Now, *, guest: GuestBrowser | None = None) -> bool:
    """Share a visit, with a link through the hub if there is a `guest`. False: too many are shared already.

    Raises:
        LookupError: the visit has no film, or it is erased.
    """
    end_expired_shares(db, now)
    if not db.exists("SELECT 1 FROM film WHERE visit = ? AND erased IS NULL", (share.visit,)):
        raise LookupError(f"no film of {share.visit}")
    if db.number("SELECT count(*) FROM share") >= MAX_SHARES:
        return False
    db.insert("share", **vars(share))
    if guest is not None:
        db.insert("guest_browser", **vars(guest))
    db.log("shared", now.utc, {"share": share.id, "of": share.visit, "by": share.by})
    return True


def active_shares(db: Database, utc: datetime) -> tuple[SharedVisit, ...]:
    """Return what is shared at an instant by people who still have an account, the newest first."""
    query = (
        "SELECT s.id, s.secret, s.visit, s.by, s.made, s.until FROM share s JOIN person p ON p.id = s.by"
        " WHERE s.until > ? AND p.removed IS NULL"
        " AND EXISTS (SELECT 1 FROM film f WHERE f.visit = s.visit AND f.erased IS NULL) ORDER BY s.made DESC, s.id"
    )
    return db.records(SharedVisit, query, (utc,))


def guest_browser(db: Database, ident: str) -> GuestBrowser | None:
    """Return the browser of a link; None: there is none of this id, or its share has been deleted."""
    query = "SELECT id, share, home, sign, secret, farewell FROM guest_browser WHERE id = ?"
    return db.record(GuestBrowser, query, (ident,))


def end_share(db: Database, ident: str, now: Now, *, by: str) -> bool:
    """End a share at once; False: there is no such share any more."""
    visit = db.value(str, "DELETE FROM share WHERE id = ? RETURNING visit", (ident,))
    if visit is not None:
        db.log("share_ended", now.utc, {"share": ident, "of": visit, "by": by})
    return visit is not None


def has_expired_shares(db: Database, utc: datetime) -> bool:
    """Return whether a share that is over at this instant is still stored."""
    return db.exists("SELECT 1 FROM share WHERE until <= ?", (utc,))


def end_expired_shares(db: Database, now: Now) -> None:
    """Delete the shares whose time is over."""
    db.execute("DELETE FROM share WHERE until <= ?", (now.utc,))
