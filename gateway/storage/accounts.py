"""Stores people, invitations, sessions and wrong passwords."""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from gateway.domain.now import Now
from gateway.storage import audit_log, outbox, people, recordings, sessions, shares
from gateway.storage.models import (
    AccountChangeResult,
    AccountHolder,
    ClaimResult,
    Invitation,
    KnownDevice,
    NewAccount,
    RecoveryResult,
    Session,
    SharedVisit,
)
from gateway.storage.sessions import BackoffKind, SignInEntry
from gateway.storage.writer import Writer


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveryCodeUse:
    """The code of a recovery (its SHA-256), remembered as used until `keep`; and the message that is told of it."""

    code: bytes
    keep: datetime
    entrance: str
    message: bytes


class AccountStore:
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
        return people.has_owner(self._reader())

    async def set_claim(self, secret: bytes, now: Now) -> ClaimResult:
        """A new claim code takes the place of the old one: `DONE`, or `TAKEN`."""
        return await self._writer.do(lambda db: people.set_claim_code(db, secret, now))

    async def try_claim(self, secret: bytes, now: Now) -> ClaimResult:
        """Whether this is the claim code; a wrong one counts, the fifth makes it void."""
        return await self._writer.do(lambda db: people.check_claim_code(db, secret, now))

    async def claim(self, secret: bytes, owner: NewAccount, entry: SignInEntry, now: Now) -> ClaimResult:
        """Make the first owner, signed in, and end the code: all of it or nothing."""

        def work(connection: sqlite3.Connection) -> ClaimResult:
            outcome = people.claim_box(connection, secret, owner, now)
            if outcome is ClaimResult.DONE:
                sessions.sign_in(connection, owner.person.id, owner.password, entry)
            return outcome

        return await self._writer.do(work)

    def people(self) -> tuple[AccountHolder, ...]:
        """Everybody with an account, the first one first."""
        return people.all_people(self._reader())

    def person(self, ident: str) -> AccountHolder | None:
        """Somebody by his id; also one who was removed, as long as the log still speaks of him."""
        return people.person(self._reader(), ident)

    def named(self, folded: str) -> tuple[AccountHolder, str] | None:
        """Who signs in under this name, with the argon2id string of his password."""
        return people.find_by_name(self._reader(), folded)

    def password_of(self, ident: str) -> str | None:
        """The argon2id string of somebody's password; None: he has no account any more."""
        return people.password_hash_of(self._reader(), ident)

    async def set_role(self, ident: str, role: str, now: Now, *, by: str) -> AccountChangeResult:
        """Give somebody another role: `DONE`, `UNKNOWN` or `LAST_OWNER`."""
        return await self._writer.do(lambda db: people.set_role(db, ident, role, now, by=by))

    async def remove(self, ident: str, now: Now, *, by: str) -> AccountChangeResult:
        """End an account and all its sessions: `DONE`, `UNKNOWN` or `LAST_OWNER`."""
        return await self._writer.do(lambda db: people.remove_account(db, ident, now, by=by))

    async def hand_over(self, now: Now, *, by: str) -> tuple[str, ...]:
        """End every installer's access and invitation; returns whose account ended."""
        return await self._writer.do(lambda db: people.remove_installers(db, now, by=by))

    async def set_password(self, ident: str, password: str, now: Now, *, device: str) -> AccountChangeResult:
        """Set a new password; sessions and known devices but this one end: `DONE` or `UNKNOWN`."""
        return await self._writer.do(lambda db: people.set_password(db, ident, password, now, device=device))

    async def recover(
        self, ident: str, password: str, entry: SignInEntry, now: Now, by: RecoveryCodeUse
    ) -> tuple[RecoveryResult, int]:
        """Set an owner's new password by a code, once, and sign him in; beside it the number of the message about it.

        All his other sessions end, no other device stays known, every phone is owed the message: all of it or nothing.
        """

        def work(connection: sqlite3.Connection) -> tuple[RecoveryResult, int]:
            outcome = people.recover_account(connection, ident, password, now, code=by.code, keep=by.keep)
            if outcome is not RecoveryResult.DONE:
                return outcome, 0
            sessions.sign_in(connection, ident, password, entry)
            return outcome, recordings.queue_message(connection, by.entrance, None, by.message, now)

        return await self._writer.do(work)

    def code_used(self, code: bytes) -> bool:
        """Whether an owner came back by this code (its SHA-256) before."""
        return outbox.is_link_used(self._reader(), code)

    def recovered(self) -> tuple[Mapping[str, Any], ...]:
        """Whose password was set by a code, and when, as far as the log still tells: oldest first."""
        return audit_log.bodies_of_kind(self._reader(), "password_recovered")

    async def renew_hash(self, ident: str, old: str, new: str) -> None:
        """Keep the same password's hash under today's cost."""
        await self._writer.do(lambda db: people.rehash_password(db, ident, old, new))

    # -- invitations

    async def invite(self, invitation: Invitation, now: Now, *, lives: timedelta) -> None:
        """Keep an invitation; those that are older than an invitation `lives` are forgotten."""
        await self._writer.do(lambda db: people.add_invitation(db, invitation, now, lives=lives))

    def invitations(self, reckoned: datetime, *, lives: timedelta) -> tuple[Invitation, ...]:
        """What can still be taken, oldest first."""
        return people.open_invitations(self._reader(), reckoned, lives=lives)

    async def withdraw(self, ident: str, now: Now, *, by: str) -> AccountChangeResult:
        """Take an invitation back: `DONE` or `UNKNOWN`."""
        return await self._writer.do(lambda db: people.withdraw_invitation(db, ident, now, by=by))

    async def redeem(
        self, invitation: Invitation, new: NewAccount, entry: SignInEntry, now: Now
    ) -> AccountChangeResult:
        """Make somebody of an invitation, signed in, and end it: `DONE`, `UNKNOWN` or `NAME_TAKEN`."""

        def work(connection: sqlite3.Connection) -> AccountChangeResult:
            outcome = people.redeem_invitation(connection, invitation, new, now)
            if outcome is AccountChangeResult.DONE:
                sessions.sign_in(connection, new.person.id, new.password, entry)
            return outcome

        return await self._writer.do(work)

    # -- sessions

    async def enter(self, person: str, password: str, entry: SignInEntry) -> bool:
        """Sign somebody in; False: he is gone, or has another password than this argon2id string says."""
        return await self._writer.do(lambda db: sessions.sign_in(db, person, password, entry))

    def session(self, ident: str) -> Session | None:
        """One session, with its person as he is now."""
        return sessions.session(self._reader(), ident)

    def sessions(self, person: str) -> tuple[Session, ...]:
        """All sessions of a person, the one that began first first."""
        return sessions.sessions(self._reader(), person)

    def seen(self, ident: str, reckoned: datetime) -> None:
        """A session was used. Not waited for: what a full disk loses here only ends it earlier."""
        self._writer.post(lambda db: sessions.touch_session(db, ident, reckoned))

    async def end(self, ident: str) -> None:
        """End a session; its device stays known."""
        await self._writer.do(lambda db: sessions.end_session(db, ident))

    async def end_all(self, person: str, *, but: str | None = None) -> None:
        """End all sessions of a person, but for one."""
        await self._writer.do(lambda db: sessions.end_sessions(db, person, but=but))

    async def forget(self, reckoned: datetime, *, idle: timedelta, oldest: timedelta, known: timedelta) -> None:
        """Forget sessions and devices whose time is over."""
        await self._writer.do(lambda db: sessions.expire_sessions(db, reckoned, idle=idle, oldest=oldest, known=known))

    def newest(self) -> datetime | None:
        """The latest reckoned instant that was stored: it is over."""
        return sessions.latest_timestamp(self._reader())

    def doings(self, kinds: Sequence[str], *, at_most: int) -> tuple[Mapping[str, Any], ...]:
        """The newest entries of the log of these kinds, the newest first, as JSON objects."""
        return audit_log.newest_bodies(self._reader(), kinds, at_most=at_most)

    def wrong(self, person: str, tries: int, now: Now) -> None:
        """Note a burst of wrong passwords for an account. Not waited for: it must not tell whether there is one."""
        self._writer.post(lambda db: people.record_failed_sign_ins(db, person, tries, now))

    # -- visits that are shown outside

    async def share(self, share: SharedVisit, now: Now) -> None:
        """Show a visit. LookupError: its films are erased, or there are none."""
        await self._writer.do(lambda db: shares.add_share(db, share, now))

    def shares(self, utc: datetime) -> tuple[SharedVisit, ...]:
        """What is shown at an instant, the newest first."""
        return shares.active_shares(self._reader(), utc)

    async def end_share(self, ident: str, now: Now, *, by: str) -> bool:
        """Show it no longer, at once; False: there is no such share any more."""
        return await self._writer.do(lambda db: shares.end_share(db, ident, now, by=by))

    # -- devices and wrong passwords

    def device(self, ident: str) -> KnownDevice | None:
        """A device by its id."""
        return sessions.device(self._reader(), ident)

    def slot(self, text: str, *, of: int) -> int:
        """The slot of a text among so many."""
        return sessions.backoff_slot(self._reader(), text, of=of)

    def failures(self, kind: BackoffKind) -> Mapping[int, int]:
        """How often a wrong password was tried, by slot."""
        return sessions.failure_counts(self._reader(), kind)

    async def set_failures(self, counts: Mapping[tuple[BackoffKind, int], int]) -> None:
        """Keep how often a wrong password was tried."""
        await self._writer.do(lambda db: sessions.set_failure_counts(db, counts))

    def device_failures(self) -> Mapping[str, int]:
        """How often a wrong password was tried on known devices."""
        return sessions.device_failure_counts(self._reader())

    async def set_device_failures(self, ident: str, count: int) -> None:
        """Keep how often a wrong password was tried on a known device."""
        await self._writer.do(lambda db: sessions.set_device_failure_count(db, ident, count))
