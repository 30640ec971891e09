"""The register: people, invitations, sessions and wrong passwords, on the store's own writer and reader."""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from gateway.domain.visit.state import Now
from gateway.storage import audit_log, outbox, people, recordings, sessions, shares
from gateway.storage.models import (
    Changed,
    Claimed,
    Device,
    Invitation,
    Newcomer,
    Person,
    Recovered,
    Session,
    Share,
)
from gateway.storage.sessions import Entry, Kind
from gateway.storage.writer import Writer


@dataclass(frozen=True, slots=True, kw_only=True)
class ByCode:
    """The code of a recovery (its SHA-256), remembered as used until `keep`; and the message that is told of it."""

    code: bytes
    keep: datetime
    entrance: str
    message: bytes


class Register:
    """Reached as `Store.register`. Coroutines store and raise `StoreFailed`; plain methods read, as in `Store`.

    Secrets are given and kept as SHA-256, passwords as argon2id strings; `by` is the id of whoever asks. Instants
    called `reckoned` never lie after the true time (`gateway.web.auth.session_age`).
    """

    def __init__(self, writer: Writer, reader: Callable[[], sqlite3.Connection]) -> None:
        self._writer = writer
        self._reader = reader

    # -- people

    def owned(self) -> bool:
        """Whether the box has an owner."""
        return people.owned(self._reader())

    async def set_claim(self, secret: bytes, now: Now) -> Claimed:
        """A new claim code takes the place of the old one: `DONE`, or `TAKEN`."""
        return await self._writer.do(lambda db: people.set_claim(db, secret, now))

    async def try_claim(self, secret: bytes, now: Now) -> Claimed:
        """Whether this is the claim code; a wrong one counts, the fifth makes it void."""
        return await self._writer.do(lambda db: people.try_claim(db, secret, now))

    async def claim(self, secret: bytes, owner: Newcomer, entry: Entry, now: Now) -> Claimed:
        """Make the first owner, signed in, and end the code: all of it or nothing."""

        def work(connection: sqlite3.Connection) -> Claimed:
            outcome = people.claim(connection, secret, owner, now)
            if outcome is Claimed.DONE:
                sessions.enter(connection, owner.person.id, owner.password, entry)
            return outcome

        return await self._writer.do(work)

    def people(self) -> tuple[Person, ...]:
        """Everybody with an account, the first one first."""
        return people.people(self._reader())

    def person(self, ident: str) -> Person | None:
        """Somebody by his id; also one who was removed, as long as the log still speaks of him."""
        return people.person(self._reader(), ident)

    def named(self, folded: str) -> tuple[Person, str] | None:
        """Who signs in under this name, with the argon2id string of his password."""
        return people.named(self._reader(), folded)

    def password_of(self, ident: str) -> str | None:
        """The argon2id string of somebody's password; None: he has no account any more."""
        return people.password_of(self._reader(), ident)

    async def set_role(self, ident: str, role: str, now: Now, *, by: str) -> Changed:
        """Give somebody another role: `DONE`, `UNKNOWN` or `LAST_OWNER`."""
        return await self._writer.do(lambda db: people.set_role(db, ident, role, now, by=by))

    async def remove(self, ident: str, now: Now, *, by: str) -> Changed:
        """End an account and all its sessions: `DONE`, `UNKNOWN` or `LAST_OWNER`."""
        return await self._writer.do(lambda db: people.remove(db, ident, now, by=by))

    async def hand_over(self, now: Now, *, by: str) -> tuple[str, ...]:
        """End every installer's access and invitation; returns whose account ended."""
        return await self._writer.do(lambda db: people.hand_over(db, now, by=by))

    async def set_password(self, ident: str, password: str, now: Now, *, device: str) -> Changed:
        """Set a new password; sessions and known devices but this one end: `DONE` or `UNKNOWN`."""
        return await self._writer.do(lambda db: people.set_password(db, ident, password, now, device=device))

    async def recover(self, ident: str, password: str, entry: Entry, now: Now, by: ByCode) -> tuple[Recovered, int]:
        """Set an owner's new password by a code, once, and sign him in; beside it the number of the message about it.

        All his other sessions end, no other device stays known, every phone is owed the message: all of it or nothing.
        """

        def work(connection: sqlite3.Connection) -> tuple[Recovered, int]:
            outcome = people.recover(connection, ident, password, now, code=by.code, keep=by.keep)
            if outcome is not Recovered.DONE:
                return outcome, 0
            sessions.enter(connection, ident, password, entry)
            return outcome, recordings.say(connection, by.entrance, None, by.message, now)

        return await self._writer.do(work)

    def code_used(self, code: bytes) -> bool:
        """Whether an owner came back by this code (its SHA-256) before."""
        return outbox.was_used(self._reader(), code)

    def recovered(self) -> tuple[Mapping[str, Any], ...]:
        """Whose password was set by a code, and when, as far as the log still tells: oldest first."""
        return audit_log.rows_of_kind(self._reader(), "password_recovered")

    async def renew_hash(self, ident: str, old: str, new: str) -> None:
        """Keep the same password's hash under today's cost."""
        await self._writer.do(lambda db: people.renew_hash(db, ident, old, new))

    # -- invitations

    async def invite(self, invitation: Invitation, now: Now, *, lives: timedelta) -> None:
        """Keep an invitation; those that are older than an invitation `lives` are forgotten."""
        await self._writer.do(lambda db: people.invite(db, invitation, now, lives=lives))

    def invitations(self, reckoned: datetime, *, lives: timedelta) -> tuple[Invitation, ...]:
        """What can still be taken, oldest first."""
        return people.invitations(self._reader(), reckoned, lives=lives)

    async def withdraw(self, ident: str, now: Now, *, by: str) -> Changed:
        """Take an invitation back: `DONE` or `UNKNOWN`."""
        return await self._writer.do(lambda db: people.withdraw(db, ident, now, by=by))

    async def redeem(self, invitation: Invitation, new: Newcomer, entry: Entry, now: Now) -> Changed:
        """Make somebody of an invitation, signed in, and end it: `DONE`, `UNKNOWN` or `NAME_TAKEN`."""

        def work(connection: sqlite3.Connection) -> Changed:
            outcome = people.redeem(connection, invitation, new, now)
            if outcome is Changed.DONE:
                sessions.enter(connection, new.person.id, new.password, entry)
            return outcome

        return await self._writer.do(work)

    # -- sessions

    async def enter(self, person: str, password: str, entry: Entry) -> bool:
        """Sign somebody in; False: he is gone, or has another password than this argon2id string says."""
        return await self._writer.do(lambda db: sessions.enter(db, person, password, entry))

    def session(self, ident: str) -> Session | None:
        """One session, with its person as he is now."""
        return sessions.session(self._reader(), ident)

    def sessions(self, person: str) -> tuple[Session, ...]:
        """All sessions of a person, the one that began first first."""
        return sessions.sessions(self._reader(), person)

    def seen(self, ident: str, reckoned: datetime) -> None:
        """A session was used. Not waited for: what a full disk loses here only ends it earlier."""
        self._writer.post(lambda db: sessions.seen(db, ident, reckoned))

    async def end(self, ident: str) -> None:
        """End a session; its device stays known."""
        await self._writer.do(lambda db: sessions.end(db, ident))

    async def end_all(self, person: str, *, but: str | None = None) -> None:
        """End all sessions of a person, but for one."""
        await self._writer.do(lambda db: sessions.end_all(db, person, but=but))

    async def forget(self, reckoned: datetime, *, idle: timedelta, oldest: timedelta, known: timedelta) -> None:
        """Forget sessions and devices whose time is over."""
        await self._writer.do(lambda db: sessions.forget(db, reckoned, idle=idle, oldest=oldest, known=known))

    def newest(self) -> datetime | None:
        """The latest reckoned instant that was stored: it is over."""
        return sessions.newest(self._reader())

    def doings(self, kinds: Sequence[str], *, at_most: int) -> tuple[Mapping[str, Any], ...]:
        """The newest entries of the log of these kinds, the newest first, as JSON objects."""
        return audit_log.newest_of_kinds(self._reader(), kinds, at_most=at_most)

    def wrong(self, person: str, tries: int, now: Now) -> None:
        """Note a burst of wrong passwords for an account. Not waited for: it must not tell whether there is one."""
        self._writer.post(lambda db: people.wrong(db, person, tries, now))

    # -- visits that are shown outside

    async def share(self, share: Share, now: Now) -> None:
        """Show a visit. LookupError: its films are erased, or there are none."""
        await self._writer.do(lambda db: shares.add(db, share, now))

    def shares(self, utc: datetime) -> tuple[Share, ...]:
        """What is shown at an instant, the newest first."""
        return shares.shares(self._reader(), utc)

    async def end_share(self, ident: str, now: Now, *, by: str) -> bool:
        """Show it no longer, at once; False: there is no such share any more."""
        return await self._writer.do(lambda db: shares.end(db, ident, now, by=by))

    # -- devices and wrong passwords

    def device(self, ident: str) -> Device | None:
        """A device by its id."""
        return sessions.device(self._reader(), ident)

    def slot(self, text: str, *, of: int) -> int:
        """The slot of a text among so many."""
        return sessions.slot(self._reader(), text, of=of)

    def failures(self, kind: Kind) -> Mapping[int, int]:
        """How often a wrong password was tried, by slot."""
        return sessions.failures(self._reader(), kind)

    async def set_failures(self, counts: Mapping[tuple[Kind, int], int]) -> None:
        """Keep how often a wrong password was tried."""
        await self._writer.do(lambda db: sessions.set_failures(db, counts))

    def device_failures(self) -> Mapping[str, int]:
        """How often a wrong password was tried on known devices."""
        return sessions.device_failures(self._reader())

    async def set_device_failures(self, ident: str, count: int) -> None:
        """Keep how often a wrong password was tried on a known device."""
        await self._writer.do(lambda db: sessions.set_device_failures(db, ident, count))
