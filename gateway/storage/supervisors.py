"""Stores the browsers of supervisors: links that sign one in, once, and sessions, each with its browser's public key.

A supervisor has no account. All instants are of the reckoned clock (`gateway.web.auth.session_age`), `now` but that of
the log. Secrets are SHA-256.
"""

from dataclasses import field
from datetime import datetime, timedelta

from gateway.domain.frozen import Frozen
from gateway.domain.now import Now
from gateway.storage.database import Database
from gateway.storage.part import StorePart, posts, reads, writes


class SupervisorLink(Frozen):
    """A link that signs one browser in as a supervisor; `by` is the owner who made it."""

    id: str
    secret: bytes = field(repr=False)
    supervisor: str
    by: str
    made: datetime


class SupervisorSession(Frozen):
    """A browser that is signed in as a supervisor; `sign` is the JWK of the key with which it signs decisions."""

    id: str
    secret: bytes = field(repr=False)
    supervisor: str
    sign: str
    browser: str | None  # a value of gateway/web/auth/user_agent.py
    began: datetime
    seen: datetime


def add_link(db: Database, link: SupervisorLink, now: Now, *, lives: timedelta) -> None:
    """Store a link, and delete those that are older than `lives`."""
    db.execute("DELETE FROM supervisor_link WHERE made <= ?", (link.made - lives,))
    db.insert("supervisor_link", **vars(link))
    db.log("supervisor_invited", now.utc, {"supervisor": link.supervisor}, by=link.by)


def link(db: Database, ident: str) -> SupervisorLink | None:
    """Return a link that was not used."""
    query = "SELECT id, secret, supervisor, by, made FROM supervisor_link WHERE id = ?"
    return db.record(SupervisorLink, query, (ident,))


def redeem_link(db: Database, ident: str, session: SupervisorSession, now: Now, *, most: int) -> bool:
    """End a link and begin a session; False: the link was used. Of more than `most` browsers the oldest is ended."""
    if not db.execute("DELETE FROM supervisor_link WHERE id = ?", (ident,)).rowcount:
        return False
    db.insert("supervisor_session", **vars(session))
    db.execute(
        "DELETE FROM supervisor_session WHERE supervisor = ? AND id NOT IN"
        " (SELECT id FROM supervisor_session WHERE supervisor = ? ORDER BY began DESC, id LIMIT ?)",
        (session.supervisor, session.supervisor, most),
    )
    facts = {"supervisor": session.supervisor, "browser": session.browser, "key": session.sign}
    db.log("supervisor_signed_in", now.utc, {**facts})
    return True


_SESSION = "SELECT id, secret, supervisor, sign, browser, began, seen FROM supervisor_session"


def session(db: Database, ident: str) -> SupervisorSession | None:
    """Return a session by its id."""
    return db.record(SupervisorSession, f"{_SESSION} WHERE id = ?", (ident,))


def sessions(db: Database) -> tuple[SupervisorSession, ...]:
    """Return all sessions, oldest first."""
    return db.records(SupervisorSession, f"{_SESSION} ORDER BY began, id")


def touch_session(db: Database, ident: str, when: datetime) -> None:
    """Store that a session was used."""
    db.execute("UPDATE supervisor_session SET seen = max(seen, ?) WHERE id = ?", (when, ident))


def end_session(db: Database, ident: str, now: Now, *, by: str | None = None) -> bool:
    """End a session, by an owner or (None) by the supervisor; False: there is none."""
    ended = db.execute("DELETE FROM supervisor_session WHERE id = ? RETURNING supervisor", (ident,)).fetchone()
    if ended is None:
        return False
    db.log("supervisor_ended", now.utc, {"supervisor": ended[0]}, by=by)
    return True


class SupervisorStore(StorePart):
    """Links and sessions of supervisors: `Store.supervisors`."""

    add_link = writes(add_link)
    link = reads(link)
    redeem_link = writes(redeem_link)
    session = reads(session)
    sessions = reads(sessions)
    touch_session = posts(touch_session)  # what a full disk loses here only ends the session earlier
    end_session = writes(end_session)
