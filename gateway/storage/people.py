"""Stores people and roles, the first claim and invitations. Each change enters the log, without secrets.

Secrets are given as SHA-256, passwords as argon2id strings. `by` is the id of the person who acts. `reckoned` instants
never lie after the true time (`gateway.web.auth.session_age`); `now` is the time in the log.
"""

import hmac
import sqlite3
from datetime import datetime, timedelta

from gateway.domain.now import Now
from gateway.protocol.hash_chain import Json
from gateway.storage.audit_log import append
from gateway.storage.models import (
    AccountChangeResult,
    AccountHolder,
    ClaimResult,
    Invitation,
    NewAccount,
    RecoveryCodeUse,
    RecoveryResult,
)
from gateway.storage.outbox import queue_message, use_link
from gateway.storage.records import read_record, read_records
from gateway.storage.sessions import SignInEntry, sign_in

MAX_CLAIM_TRIES = 5  # then the code is void
MAX_NOTED_BURSTS_PER_DAY = 10  # of one account; further ones are not logged
_DAY = timedelta(days=1)
_OWNER_ROLE = "owner"


def has_owner(connection: sqlite3.Connection) -> bool:
    """Return whether the box has an owner."""
    return _owner_count(connection) > 0


def _owner_count(connection: sqlite3.Connection) -> int:
    row: tuple[int] = connection.execute(
        "SELECT count(*) FROM person WHERE role = ? AND removed IS NULL", (_OWNER_ROLE,)
    ).fetchone()
    return row[0]


# ---- the first owner


def set_claim_code(connection: sqlite3.Connection, secret: bytes, now: Now) -> ClaimResult:
    """Store a claim code in place of the old one and its tries: `DONE`, or `TAKEN`."""
    if has_owner(connection):
        return ClaimResult.TAKEN
    connection.execute("INSERT OR REPLACE INTO claim (one, secret) VALUES (1, ?)", (secret,))
    append(connection, "claim_code_made", {}, utc=now.utc)
    return ClaimResult.DONE


def check_claim_code(connection: sqlite3.Connection, secret: bytes, now: Now) -> ClaimResult:
    """Check a claim code; a wrong one counts, and the fifth makes the code void."""
    if has_owner(connection):
        return ClaimResult.TAKEN
    row = connection.execute("SELECT secret, wrong FROM claim").fetchone()
    if row is None:
        return ClaimResult.VOID
    if hmac.compare_digest(row[0], secret):
        return ClaimResult.DONE
    left = MAX_CLAIM_TRIES - row[1] - 1
    append(connection, "claim_code_wrong", {"tries_left": left}, utc=now.utc)
    if left > 0:
        connection.execute("UPDATE claim SET wrong = wrong + 1")
        return ClaimResult.WRONG
    connection.execute("DELETE FROM claim")
    return ClaimResult.VOID


def claim_box(
    connection: sqlite3.Connection, secret: bytes, owner: NewAccount, entry: SignInEntry, now: Now
) -> ClaimResult:
    """Make the first owner, signed in, and end the code: all of it or nothing. Of two claims at once one is `TAKEN`."""
    tried = check_claim_code(connection, secret, now)
    if tried is ClaimResult.DONE:
        connection.execute("DELETE FROM claim")
        add_account(connection, owner, {"how": "claim"}, now)
        sign_in(connection, owner.person.id, owner.password, entry)
    return tried


# ---- people


def add_account(connection: sqlite3.Connection, new: NewAccount, how: dict[str, Json], now: Now) -> None:
    """Make an account. The log contains `how` its person got it."""
    person = new.person
    connection.execute(
        "INSERT INTO person (id, name, folded, role, password, added) VALUES (?, ?, ?, ?, ?, ?)",
        (person.id, person.name, new.folded, person.role, new.password, person.added),
    )
    facts: dict[str, Json] = {"person": person.id, "name": person.name, "role": person.role}
    append(connection, "person_added", facts | how, utc=now.utc)


_SELECT_PERSON = "SELECT id, name, role, added, removed FROM person"


def person(connection: sqlite3.Connection, ident: str) -> AccountHolder | None:
    """Return a person by id, also a removed one who is still stored."""
    return read_record(connection, AccountHolder, f"{_SELECT_PERSON} WHERE id = ?", (ident,))


def account(connection: sqlite3.Connection, ident: str) -> AccountHolder | None:
    """Return a person by id; None: there is no such account any more."""
    return read_record(connection, AccountHolder, f"{_SELECT_PERSON} WHERE id = ? AND removed IS NULL", (ident,))


def find_by_name(connection: sqlite3.Connection, folded: str) -> tuple[AccountHolder, str] | None:
    """Return the person who signs in under this name, with the argon2id string of the password."""
    found = read_record(connection, AccountHolder, f"{_SELECT_PERSON} WHERE folded = ? AND removed IS NULL", (folded,))
    password = None if found is None else password_hash_of(connection, found.id)
    return None if found is None or password is None else (found, password)


def password_hash_of(connection: sqlite3.Connection, ident: str) -> str | None:
    """Return the argon2id string of a person's password; None: there is no such account any more."""
    row = connection.execute("SELECT password FROM person WHERE id = ?", (ident,)).fetchone()
    return None if row is None else row[0]


def all_people(connection: sqlite3.Connection) -> tuple[AccountHolder, ...]:
    """Return everybody with an account, the first one first."""
    return read_records(connection, AccountHolder, f"{_SELECT_PERSON} WHERE removed IS NULL ORDER BY added, id")


def set_role(connection: sqlite3.Connection, ident: str, role: str, now: Now, *, by: str) -> AccountChangeResult:
    """Give a person another role, also in running sessions: `DONE`, `UNKNOWN` or `LAST_OWNER`."""
    known = account(connection, ident)
    if known is None:
        return AccountChangeResult.UNKNOWN
    if known.role == role:
        return AccountChangeResult.DONE
    if known.role == _OWNER_ROLE and _owner_count(connection) == 1:
        return AccountChangeResult.LAST_OWNER
    connection.execute("UPDATE person SET role = ? WHERE id = ?", (role, ident))
    facts: dict[str, Json] = {"person": ident, "role": role, "was": known.role, "by": by}
    append(connection, "role_changed", facts, utc=now.utc)
    return AccountChangeResult.DONE


def remove_account(connection: sqlite3.Connection, ident: str, now: Now, *, by: str) -> AccountChangeResult:
    """End an account with its sessions, known devices and invitations: `DONE`, `UNKNOWN` or `LAST_OWNER`."""
    known = account(connection, ident)
    if known is None:
        return AccountChangeResult.UNKNOWN
    if known.role == _OWNER_ROLE and _owner_count(connection) == 1:
        return AccountChangeResult.LAST_OWNER
    connection.execute("UPDATE person SET removed = ?, password = NULL WHERE id = ?", (now.utc, ident))
    connection.execute("DELETE FROM device WHERE person = ?", (ident,))
    connection.execute("DELETE FROM share WHERE by = ?", (ident,))
    append(connection, "person_removed", {"person": ident, "by": by}, utc=now.utc)
    return AccountChangeResult.DONE


def remove_installers(connection: sqlite3.Connection, now: Now, *, by: str) -> tuple[str, ...]:
    """End every installer's account and invitation; return the ids of the ended accounts."""
    gone: tuple[str, ...] = tuple(one.id for one in all_people(connection) if one.role == "installer")
    append(connection, "handed_over", {"installers": [*gone], "by": by}, utc=now.utc)
    for ident in gone:
        remove_account(connection, ident, now, by=by)
    connection.execute("DELETE FROM invitation WHERE role = 'installer'")
    return gone


def set_password(
    connection: sqlite3.Connection, ident: str, password: str, now: Now, *, device: str
) -> AccountChangeResult:
    """Set a new password: `DONE` or `UNKNOWN`. Sessions and known devices end, except this device."""
    changed = connection.execute(
        "UPDATE person SET password = ? WHERE id = ? AND removed IS NULL", (password, ident)
    ).rowcount
    if not changed:
        return AccountChangeResult.UNKNOWN
    connection.execute("DELETE FROM device WHERE person = ? AND id != ?", (ident, device))
    _void_invitations_and_offers(connection, ident, now)
    append(connection, "password_changed", {"person": ident}, utc=now.utc)
    return AccountChangeResult.DONE


def recover_account(  # noqa: PLR0913, PLR0917 - whose password, by which code, and when
    connection: sqlite3.Connection, ident: str, password: str, entry: SignInEntry, now: Now, code: RecoveryCodeUse
) -> tuple[RecoveryResult, int]:
    """Set an owner's new password by a code that was made on the box, and sign him in: all of it or nothing.

    All his other sessions end, the box forgets all his devices, and every phone receives the message about it, whose
    number is returned (0: not done). The box remembers the code as used until `code.keep`.
    """
    known = account(connection, ident)
    if known is None or known.role != _OWNER_ROLE:
        return RecoveryResult.GONE, 0
    if not use_link(connection, code.code, code.keep, now):
        return RecoveryResult.USED, 0
    connection.execute("UPDATE person SET password = ? WHERE id = ?", (password, ident))
    connection.execute("DELETE FROM device WHERE person = ?", (ident,))
    # An owner who lost the password may not have made them
    connection.execute("DELETE FROM share WHERE by = ?", (ident,))
    _void_invitations_and_offers(connection, ident, now)
    append(connection, "password_recovered", {"person": ident}, utc=now.utc)
    sign_in(connection, ident, password, entry)
    return RecoveryResult.DONE, queue_message(connection, code.entrance, None, code.message, now)


def _void_invitations_and_offers(connection: sqlite3.Connection, ident: str, now: Now) -> None:
    """Delete a person's invitations and offers: somebody who knew the old password may have made them."""
    for (invited,) in connection.execute("DELETE FROM invitation WHERE by = ? RETURNING id", (ident,)).fetchall():
        append(connection, "invitation_withdrawn", {"invitation": invited, "by": ident}, utc=now.utc)
    for (offer,) in connection.execute("DELETE FROM house_offer WHERE by = ? RETURNING id", (ident,)).fetchall():
        append(connection, "house_offer_withdrawn", {"offer": offer, "by": ident}, utc=now.utc)


def rehash_password(connection: sqlite3.Connection, ident: str, old: str, new: str) -> None:
    """Store the same password's hash under the present cost; do nothing if the password was changed meanwhile."""
    connection.execute("UPDATE person SET password = ? WHERE id = ? AND password = ?", (new, ident, old))


def record_failed_sign_ins(connection: sqlite3.Connection, ident: str, tries: int, now: Now) -> None:
    """Log a burst of wrong passwords for an account, at most 10 bursts a day: nobody may fill the log."""
    noted: int = connection.execute(
        "SELECT count(*) FROM entry WHERE kind = 'sign_in_wrong' AND at > ? AND body IS NOT NULL"
        " AND json_extract(CAST(body AS TEXT), '$.person') = ?",
        (now.utc - _DAY, ident),
    ).fetchone()[0]
    if noted >= MAX_NOTED_BURSTS_PER_DAY:
        return
    append(connection, "sign_in_wrong", {"person": ident, "tries": tries}, utc=now.utc)


# ---- invitations


def add_invitation(connection: sqlite3.Connection, invitation: Invitation, now: Now, *, lives: timedelta) -> None:
    """Store an invitation, and delete those that are older than `lives`."""
    connection.execute("DELETE FROM invitation WHERE made <= ?", (invitation.made - lives,))
    connection.execute(
        "INSERT INTO invitation (id, secret, role, by, made) VALUES (?, ?, ?, ?, ?)",
        (invitation.id, invitation.secret, invitation.role, invitation.by, invitation.made),
    )
    facts: dict[str, Json] = {"invitation": invitation.id, "role": invitation.role, "by": invitation.by}
    append(connection, "invited", facts, utc=now.utc)


_SELECT_OPEN_INVITATIONS = (
    "SELECT i.id, i.secret, i.role, i.by, i.made FROM invitation i JOIN person p ON p.id = i.by"
    " WHERE p.removed IS NULL AND p.role = 'owner' AND i.made > ?"
)


def open_invitations(connection: sqlite3.Connection, reckoned: datetime, *, lives: timedelta) -> tuple[Invitation, ...]:
    """Return the invitations that can still be accepted, oldest first: at most `lives` old, and by a present owner."""
    query = f"{_SELECT_OPEN_INVITATIONS} ORDER BY i.made, i.id"
    return read_records(connection, Invitation, query, (reckoned - lives,))


def withdraw_invitation(connection: sqlite3.Connection, ident: str, now: Now, *, by: str) -> AccountChangeResult:
    """Withdraw an invitation: `DONE` or `UNKNOWN`."""
    if not connection.execute("DELETE FROM invitation WHERE id = ?", (ident,)).rowcount:
        return AccountChangeResult.UNKNOWN
    append(connection, "invitation_withdrawn", {"invitation": ident, "by": by}, utc=now.utc)
    return AccountChangeResult.DONE


def redeem_invitation(
    connection: sqlite3.Connection, invitation: Invitation, new: NewAccount, entry: SignInEntry, now: Now
) -> AccountChangeResult:
    """Make the account of an invitation, signed in, and end the invitation: all of it or nothing.

    `DONE`, `UNKNOWN` (also for the later of two at once) or `NAME_TAKEN`.
    """
    inviter = account(connection, invitation.by)
    if inviter is None or inviter.role != _OWNER_ROLE:
        return AccountChangeResult.UNKNOWN
    if find_by_name(connection, new.folded) is not None:
        return AccountChangeResult.NAME_TAKEN
    if not connection.execute("DELETE FROM invitation WHERE id = ?", (invitation.id,)).rowcount:
        return AccountChangeResult.UNKNOWN
    how: dict[str, Json] = {"how": "invitation", "invitation": invitation.id, "by": invitation.by}
    add_account(connection, new, how, now)
    sign_in(connection, new.person.id, new.password, entry)
    return AccountChangeResult.DONE


def delete_removed_people(connection: sqlite3.Connection, *, before: datetime) -> None:
    """Delete the people who were removed before an instant; their log entries end at the same time."""
    connection.execute("DELETE FROM person WHERE removed < ?", (before,))
