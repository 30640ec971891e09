"""Stores the browsers of receivers: links that sign one in, once, and sessions. Secrets are SHA-256.

A receiver has no account. All instants are of the reckoned clock (`gateway.web.auth.session_age`), `now` but that of
the log.
"""

from dataclasses import field
from datetime import datetime, timedelta

from gateway.domain.frozen import Frozen
from gateway.domain.now import Now
from gateway.storage.database import Database
from gateway.storage.part import StorePart, posts, reads, writes


class ReceiverLink(Frozen):
    """A link that signs one browser in as a receiver; `by` is the owner who made it."""

    id: str
    secret: bytes = field(repr=False)
    reception: str
    receiver: str
    by: str
    made: datetime


class ReceiverSession(Frozen):
    """A browser that is signed in as a receiver."""

    id: str
    secret: bytes = field(repr=False)
    reception: str
    receiver: str
    browser: str | None  # a value of gateway/web/auth/user_agent.py
    began: datetime
    seen: datetime


def add_link(db: Database, link: ReceiverLink, now: Now, *, lives: timedelta) -> None:
    """Store a link, and delete those that are older than `lives`."""
    db.execute("DELETE FROM receiver_link WHERE made <= ?", (link.made - lives,))
    db.insert("receiver_link", **vars(link))
    db.log("receiver_invited", now.utc, {"receiver": link.receiver}, entrance=link.reception, by=link.by)


def link(db: Database, ident: str) -> ReceiverLink | None:
    """Return a link that was not used."""
    query = "SELECT id, secret, reception, receiver, by, made FROM receiver_link WHERE id = ?"
    return db.record(ReceiverLink, query, (ident,))


def redeem_link(db: Database, ident: str, session: ReceiverSession, now: Now, *, most: int) -> bool:
    """End a link and begin a session; False: the link was used. Of more than `most` browsers the oldest is ended."""
    if not db.execute("DELETE FROM receiver_link WHERE id = ?", (ident,)).rowcount:
        return False
    db.insert("receiver_session", **vars(session))
    whose = (session.reception, session.receiver)
    db.execute(
        "DELETE FROM receiver_session WHERE reception = ? AND receiver = ? AND id NOT IN (SELECT id FROM"
        " receiver_session WHERE reception = ? AND receiver = ? ORDER BY began DESC, id LIMIT ?)",
        (*whose, *whose, most),
    )
    facts = {"receiver": session.receiver, "browser": session.browser}
    db.log("receiver_signed_in", now.utc, {**facts}, entrance=session.reception)
    return True


_SESSION = "SELECT id, secret, reception, receiver, browser, began, seen FROM receiver_session"


def session(db: Database, ident: str) -> ReceiverSession | None:
    """Return a session by its id."""
    return db.record(ReceiverSession, f"{_SESSION} WHERE id = ?", (ident,))


def sessions(db: Database, reception: str) -> tuple[ReceiverSession, ...]:
    """Return the sessions of a reception, oldest first."""
    return db.records(ReceiverSession, f"{_SESSION} WHERE reception = ? ORDER BY began, id", (reception,))


def touch_session(db: Database, ident: str, when: datetime) -> None:
    """Store that a session was used."""
    db.execute("UPDATE receiver_session SET seen = max(seen, ?) WHERE id = ?", (when, ident))


def end_session(db: Database, ident: str, now: Now, *, by: str | None = None) -> bool:
    """End a session, by an owner or (None) by the receiver; False: there is none."""
    ended = db.execute("DELETE FROM receiver_session WHERE id = ? RETURNING reception, receiver", (ident,)).fetchone()
    if ended is None:
        return False
    db.log("receiver_ended", now.utc, {"receiver": ended[1]}, entrance=ended[0], by=by)
    return True


class ReceiverStore(StorePart):
    """Links and sessions of receivers: `Store.receivers`."""

    add_link = writes(add_link)
    link = reads(link)
    redeem_link = writes(redeem_link)
    session = reads(session)
    sessions = reads(sessions)
    touch_session = posts(touch_session)  # what a full disk loses here only ends the session earlier
    end_session = writes(end_session)
