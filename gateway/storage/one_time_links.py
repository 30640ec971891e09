"""Stores the browsers of people without an account: links that sign one in, once, and the sessions that they begin.

Receivers and supervisors are such people. Secrets are SHA-256. All instants are of the reckoned clock
(`gateway.web.auth.session_age`), `now` but that of the log.
"""

from collections.abc import Mapping
from dataclasses import field, fields
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

from gateway.domain.frozen import Frozen
from gateway.domain.now import Now
from gateway.protocol.hash_chain import Json
from gateway.storage.database import Database
from gateway.storage.part import StorePart


class OneTimeLink(Frozen):
    """A link that signs one browser in; `by` is the owner who made it."""

    id: str
    secret: bytes = field(repr=False)
    by: str
    made: datetime


class LinkSession(Frozen):
    """A browser that was signed in by a link."""

    id: str
    secret: bytes = field(repr=False)
    browser: str | None  # a value of gateway/web/auth/user_agent.py
    began: datetime
    seen: datetime


LinkT = TypeVar("LinkT", bound=OneTimeLink)
SessionT = TypeVar("SessionT", bound=LinkSession)


class LinkTables(Generic[LinkT, SessionT]):
    """The two tables of one kind of people: `ROLE_link` and `ROLE_session`.

    `role` is also the column that names the person, and begins the words of the log. `entrance` is the column with the
    entrance for which a link or a session holds; None: it holds for none of its own.
    """

    def __init__(
        self,
        role: str,
        link: type[LinkT],
        session: type[SessionT],
        *,
        entrance: str | None = None,
        key: str | None = None,
    ) -> None:
        self._role, self._entrance, self._key = role, entrance, key
        self._whose = (role,) if entrance is None else (entrance, role)
        self._link_type, self._session_type = link, session
        self._links, self._sessions = f"{role}_link", f"{role}_session"

    def add_link(self, db: Database, link: LinkT, now: Now, *, lives: timedelta) -> None:
        """Store a link, and delete those that are older than `lives`."""
        db.execute(f"DELETE FROM {self._links} WHERE made <= ?", (link.made - lives,))  # noqa: S608 - the table's name
        db.insert(self._links, **vars(link))
        self._log(db, "invited", vars(link), now, by=link.by)

    def link(self, db: Database, ident: str) -> LinkT | None:
        """Return a link that was not used."""
        query = f"{_select(self._link_type, self._links)} WHERE id = ?"
        return db.record(self._link_type, query, (ident,))

    def redeem_link(self, db: Database, ident: str, session: SessionT, now: Now, *, most: int) -> bool:
        """End a link and begin a session; False: the link was used.

        Of more than `most` browsers of one person the oldest is ended.
        """
        if not db.execute(f"DELETE FROM {self._links} WHERE id = ?", (ident,)).rowcount:  # noqa: S608 - the same
            return False
        facts = vars(session)
        db.insert(self._sessions, **facts)
        theirs = " AND ".join(f"{column} = ?" for column in self._whose)
        whose = [facts[column] for column in self._whose]
        db.execute(
            f"DELETE FROM {self._sessions} WHERE {theirs} AND id NOT IN (SELECT id FROM {self._sessions}"  # noqa: S608 - the same
            f" WHERE {theirs} ORDER BY began DESC, id LIMIT ?)",
            (*whose, *whose, most),
        )
        key = {} if self._key is None else {"key": facts[self._key]}
        self._log(db, "signed_in", facts, now, browser=session.browser, **key)
        return True

    def session(self, db: Database, ident: str) -> SessionT | None:
        """Return a session by its id."""
        query = f"{_select(self._session_type, self._sessions)} WHERE id = ?"
        return db.record(self._session_type, query, (ident,))

    def sessions(self, db: Database) -> tuple[SessionT, ...]:
        """Return all sessions, oldest first."""
        query = f"{_select(self._session_type, self._sessions)} ORDER BY began, id"
        return db.records(self._session_type, query)

    def touch_session(self, db: Database, ident: str, when: datetime) -> None:
        """Store that a session was used."""
        db.execute(f"UPDATE {self._sessions} SET seen = max(seen, ?) WHERE id = ?", (when, ident))  # noqa: S608 - the same

    def end_session(self, db: Database, ident: str, now: Now, *, by: str | None = None) -> bool:
        """End a session, by an owner or (None) by the person; False: there is none."""
        session = self.session(db, ident)
        if session is None:
            return False
        db.execute(f"DELETE FROM {self._sessions} WHERE id = ?", (ident,))  # noqa: S608 - the same
        self._log(db, "ended", vars(session), now, by=by)
        return True

    def _log(
        self, db: Database, what: str, facts: Mapping[str, Any], now: Now, *, by: str | None = None, **more: Json
    ) -> None:
        """Write what happened, of whom and at which entrance."""
        entrance = None if self._entrance is None else facts[self._entrance]
        person = {self._role: facts[self._role]}
        db.log(f"{self._role}_{what}", now.utc, {**person, **more}, entrance=entrance, by=by)


def _select(kind: type[Frozen], table: str) -> str:
    return f"SELECT {', '.join(one.name for one in fields(kind))} FROM {table}"  # noqa: S608 - the code's own names


class LinkStorePart(StorePart, Generic[LinkT, SessionT]):
    """Links and sessions of one kind of people, as a part of the store. A class below it names the `tables`.

    The methods do what those of `LinkTables` do.
    """

    tables: LinkTables[LinkT, SessionT]

    async def add_link(self, link: LinkT, now: Now, *, lives: timedelta) -> None:
        """Store a link, and delete those that are older than `lives`."""
        await self.write(lambda db: self.tables.add_link(db, link, now, lives=lives))

    def link(self, ident: str) -> LinkT | None:
        """Return a link that was not used."""
        return self.tables.link(self.reader(), ident)

    async def redeem_link(self, ident: str, session: SessionT, now: Now, *, most: int) -> bool:
        """End a link and begin a session; False: the link was used."""
        return await self.write(lambda db: self.tables.redeem_link(db, ident, session, now, most=most))

    def session(self, ident: str) -> SessionT | None:
        """Return a session by its id."""
        return self.tables.session(self.reader(), ident)

    def sessions(self) -> tuple[SessionT, ...]:
        """Return all sessions, oldest first."""
        return self.tables.sessions(self.reader())

    def touch_session(self, ident: str, when: datetime) -> None:
        """Note that a session was used; what a full disk loses here only ends the session earlier."""
        self.writer.post(lambda db: self.tables.touch_session(db, ident, when))

    async def end_session(self, ident: str, now: Now, *, by: str | None = None) -> bool:
        """End a session, by an owner or (None) by the person; False: there is none."""
        return await self.write(lambda db: self.tables.end_session(db, ident, now, by=by))
