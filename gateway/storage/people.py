"""Stores people and roles, the first claim and invitations. Each change enters the log, without secrets.

Secrets are given as SHA-256, passwords as argon2id strings. `by` is the id of the person who acts. `reckoned` instants
never lie after the true time (`gateway.web.auth.session_age`); `now` is the time in the log.
"""

import hmac
from datetime import datetime, timedelta

from gateway.domain.now import Now
from gateway.protocol.hash_chain import Json
from gateway.storage import sessions, shares
from gateway.storage.database import Database
from gateway.storage.models import AccountHolder, AccountResult, Invitation, NewAccount, RecoveryCodeUse
from gateway.storage.outbox import is_link_used, queue_message, use_link
from gateway.storage.part import StorePart, posts, reads, writes
from gateway.storage.sessions import SignInEntry, sign_in

MAX_CLAIM_TRIES = 5  # then the code is void
MAX_NOTED_BURSTS_PER_DAY = 10  # of one account; further ones are not logged
_DAY = timedelta(days=1)
_OWNER_ROLE = "owner"


def has_owner(db: Database) -> bool:
    """Return whether the box has an owner."""
    return _owner_count(db) > 0


def _owner_count(db: Database) -> int:
    return db.number("SELECT count(*) FROM person WHERE role = ? AND removed IS NULL", (_OWNER_ROLE,))


def set_claim_code(db: Database, secret: bytes, now: Now) -> AccountResult:
    """Store a claim code in place of the old one and its tries: `DONE`, or `CLAIMED`."""
    if has_owner(db):
        return AccountResult.CLAIMED
    db.insert("claim", or_="REPLACE", one=1, secret=secret)
    db.log("claim_code_made", now.utc)
    return AccountResult.DONE


def check_claim_code(db: Database, secret: bytes, now: Now) -> AccountResult:
    """Check a claim code; a wrong one counts, and the fifth makes the code void."""
    if has_owner(db):
        return AccountResult.CLAIMED
    row = db.execute("SELECT secret, wrong FROM claim").fetchone()
    if row is None:
        return AccountResult.CODE_VOID
    if hmac.compare_digest(row[0], secret):
        return AccountResult.DONE
    left = MAX_CLAIM_TRIES - row[1] - 1
    db.log("claim_code_wrong", now.utc, {"tries_left": left})
    if left > 0:
        db.execute("UPDATE claim SET wrong = wrong + 1")
        return AccountResult.CODE_WRONG
    db.execute("DELETE FROM claim")
    return AccountResult.CODE_VOID


def claim_box(db: Database, secret: bytes, owner: NewAccount, entry: SignInEntry, now: Now) -> AccountResult:
    """Make the first owner, signed in, and end the code, in one transaction. A simultaneous call is `CLAIMED`."""
    result = check_claim_code(db, secret, now)
    if result is AccountResult.DONE:
        db.execute("DELETE FROM claim")
        add_account(db, owner, {"how": "claim"}, now)
        sign_in(db, owner.person.id, owner.password, entry)
    return result


def add_account(db: Database, new: NewAccount, how: dict[str, Json], now: Now) -> None:
    """Make an account. The log contains `how` its person got it."""
    person = new.person
    db.insert("person", **vars(person), folded=new.folded, password=new.password)
    db.log("person_added", now.utc, {"person": person.id, "name": person.name, "role": person.role} | how)


_SELECT_PERSON = "SELECT id, name, role, added, removed FROM person"


def person(db: Database, ident: str) -> AccountHolder | None:
    """Return a person by id, also a removed one who is still stored."""
    return db.record(AccountHolder, f"{_SELECT_PERSON} WHERE id = ?", (ident,))


def account(db: Database, ident: str) -> AccountHolder | None:
    """Return a person by id; None: there is no such account any more."""
    return db.record(AccountHolder, f"{_SELECT_PERSON} WHERE id = ? AND removed IS NULL", (ident,))


def find_by_name(db: Database, folded: str) -> tuple[AccountHolder, str] | None:
    """Return the person who signs in under this name, with the argon2id string of the password."""
    person = db.record(AccountHolder, f"{_SELECT_PERSON} WHERE folded = ? AND removed IS NULL", (folded,))
    password = None if person is None else password_hash_of(db, person.id)
    return None if person is None or password is None else (person, password)


def password_hash_of(db: Database, ident: str) -> str | None:
    """Return the argon2id string of a person's password; None: there is no such account any more."""
    return db.value(str, "SELECT password FROM person WHERE id = ?", (ident,))


def all_people(db: Database) -> tuple[AccountHolder, ...]:
    """Return everybody with an account, the first one first."""
    return db.records(AccountHolder, f"{_SELECT_PERSON} WHERE removed IS NULL ORDER BY added, id")


def remove_account(db: Database, ident: str, now: Now, *, by: str) -> AccountResult:
    """End an account with its sessions, known devices and invitations: `DONE`, `UNKNOWN` or `LAST_OWNER`."""
    person = account(db, ident)
    if person is None:
        return AccountResult.UNKNOWN
    if person.role == _OWNER_ROLE and _owner_count(db) == 1:
        return AccountResult.LAST_OWNER
    db.execute("UPDATE person SET removed = ?, password = NULL WHERE id = ?", (now.utc, ident))
    db.execute("DELETE FROM device WHERE person = ?", (ident,))
    db.execute("DELETE FROM share WHERE by = ?", (ident,))
    db.log("person_removed", now.utc, {"person": ident, "by": by})
    return AccountResult.DONE


def remove_installers(db: Database, now: Now, *, by: str) -> tuple[str, ...]:
    """End every installer's account and invitation; return the ids of the ended accounts."""
    installers = tuple(person.id for person in all_people(db) if person.role == "installer")
    db.log("handed_over", now.utc, {"installers": [*installers], "by": by})
    for ident in installers:
        remove_account(db, ident, now, by=by)
    db.execute("DELETE FROM invitation WHERE role = 'installer'")
    return installers


def set_password(db: Database, ident: str, password: str, now: Now, *, device: str) -> AccountResult:
    """Set a new password: `DONE` or `UNKNOWN`. Sessions and known devices end, except this device."""
    changed = db.execute("UPDATE person SET password = ? WHERE id = ? AND removed IS NULL", (password, ident)).rowcount
    if not changed:
        return AccountResult.UNKNOWN
    db.execute("DELETE FROM device WHERE person = ? AND id != ?", (ident, device))
    _void_invitations_and_offers(db, ident, now)
    db.log("password_changed", now.utc, {"person": ident})
    return AccountResult.DONE


def recover_account(  # noqa: PLR0913, PLR0917 - whose password, by which code, and when
    db: Database, ident: str, password: str, entry: SignInEntry, now: Now, code: RecoveryCodeUse
) -> tuple[AccountResult, int]:
    """Set an owner's new password by a code that was made on the box, and sign him in: all of it or nothing.

    All his other sessions end, the box forgets all his devices, and every phone receives the message about it, whose
    number is returned (0: not done). The box remembers the code as used until `code.keep`.
    """
    person = account(db, ident)
    if person is None or person.role != _OWNER_ROLE:
        return AccountResult.UNKNOWN, 0
    if not use_link(db, code.code, code.keep, now):
        return AccountResult.CODE_USED, 0
    db.execute("UPDATE person SET password = ? WHERE id = ?", (password, ident))
    db.execute("DELETE FROM device WHERE person = ?", (ident,))
    # An owner who lost the password may not have made them
    db.execute("DELETE FROM share WHERE by = ?", (ident,))
    _void_invitations_and_offers(db, ident, now)
    db.log("password_recovered", now.utc, {"person": ident})
    sign_in(db, ident, password, entry)
    return AccountResult.DONE, queue_message(db, code.entrance, None, code.message, now)


def _void_invitations_and_offers(db: Database, ident: str, now: Now) -> None:
    """Delete a person's invitations and offers: somebody who knew the old password may have made them."""
    for invited in db.column("DELETE FROM invitation WHERE by = ? RETURNING id", (ident,)):
        db.log("invitation_withdrawn", now.utc, {"invitation": invited, "by": ident})
    for offer in db.column("DELETE FROM house_offer WHERE by = ? RETURNING id", (ident,)):
        db.log("house_offer_withdrawn", now.utc, {"offer": offer, "by": ident})


def rehash_password(db: Database, ident: str, old: str, new: str) -> None:
    """Store the same password's hash under the present cost; do nothing if the password was changed meanwhile."""
    db.execute("UPDATE person SET password = ? WHERE id = ? AND password = ?", (new, ident, old))


def record_failed_sign_ins(db: Database, ident: str, tries: int, now: Now) -> None:
    """Log a burst of wrong passwords for an account, at most 10 bursts a day: nobody may fill the log."""
    noted = db.number(
        "SELECT count(*) FROM entry WHERE kind = 'sign_in_wrong' AND at > ? AND body IS NOT NULL"
        " AND json_extract(CAST(body AS TEXT), '$.person') = ?",
        (now.utc - _DAY, ident),
    )
    if noted < MAX_NOTED_BURSTS_PER_DAY:
        db.log("sign_in_wrong", now.utc, {"person": ident, "tries": tries})


def add_invitation(db: Database, invitation: Invitation, now: Now, *, lives: timedelta) -> None:
    """Store an invitation, and delete those that are older than `lives`."""
    db.execute("DELETE FROM invitation WHERE made <= ?", (invitation.made - lives,))
    db.insert("invitation", **vars(invitation))
    db.log("invited", now.utc, {"invitation": invitation.id, "role": invitation.role, "by": invitation.by})


def open_invitations(db: Database, reckoned: datetime, *, lives: timedelta) -> tuple[Invitation, ...]:
    """Return the invitations that can still be accepted, oldest first: at most `lives` old, and by a present owner."""
    query = (
        "SELECT i.id, i.secret, i.role, i.by, i.made FROM invitation i JOIN person p ON p.id = i.by"
        " WHERE p.removed IS NULL AND p.role = 'owner' AND i.made > ? ORDER BY i.made, i.id"
    )
    return db.records(Invitation, query, (reckoned - lives,))


def withdraw_invitation(db: Database, ident: str, now: Now, *, by: str) -> AccountResult:
    """Withdraw an invitation: `DONE` or `UNKNOWN`."""
    if not db.execute("DELETE FROM invitation WHERE id = ?", (ident,)).rowcount:
        return AccountResult.UNKNOWN
    db.log("invitation_withdrawn", now.utc, {"invitation": ident, "by": by})
    return AccountResult.DONE


def redeem_invitation(
    db: Database, invitation: Invitation, new: NewAccount, entry: SignInEntry, now: Now
) -> AccountResult:
    """Make the account of an invitation, signed in, and end the invitation: all of it or nothing.

    `DONE`, `INVITATION_GONE` (also for the later of two at once) or `NAME_TAKEN`.
    """
    inviter = account(db, invitation.by)
    if inviter is None or inviter.role != _OWNER_ROLE:
        return AccountResult.INVITATION_GONE
    if find_by_name(db, new.folded) is not None:
        return AccountResult.NAME_TAKEN
    if not db.execute("DELETE FROM invitation WHERE id = ?", (invitation.id,)).rowcount:
        return AccountResult.INVITATION_GONE
    how: dict[str, Json] = {"how": "invitation", "invitation": invitation.id, "by": invitation.by}
    add_account(db, new, how, now)
    sign_in(db, new.person.id, new.password, entry)
    return AccountResult.DONE


class AccountStore(StorePart):
    """People, invitations and sessions: `Store.accounts`."""

    has_owner = reads(has_owner)
    set_claim_code = writes(set_claim_code)
    check_claim_code = writes(check_claim_code)
    claim = writes(claim_box)
    all_people = reads(all_people)
    person = reads(person)
    find_by_name = reads(find_by_name)
    password_hash_of = reads(password_hash_of)
    remove_account = writes(remove_account)
    remove_installers = writes(remove_installers)
    set_password = writes(set_password)
    recover_account = writes(recover_account)
    rehash_password = writes(rehash_password)
    record_failed_sign_ins = posts(record_failed_sign_ins)  # a wait would tell whether there is such an account
    is_link_used = reads(is_link_used)
    use_link = writes(use_link)
    add_invitation = writes(add_invitation)
    open_invitations = reads(open_invitations)
    withdraw_invitation = writes(withdraw_invitation)
    redeem_invitation = writes(redeem_invitation)
    sign_in = writes(sign_in)
    session = reads(sessions.session)
    sessions_of = reads(sessions.sessions_of)
    touch_session = posts(sessions.touch_session)  # what a full disk loses here only ends the session earlier
    end_session = writes(sessions.end_session)
    expire_sessions = writes(sessions.expire_sessions)
    latest_timestamp = reads(sessions.latest_timestamp)
    device = reads(sessions.device)
    backoff_slot = reads(sessions.backoff_slot)
    failure_counts = reads(sessions.failure_counts)
    set_failure_counts = writes(sessions.set_failure_counts)
    device_failure_counts = reads(sessions.device_failure_counts)
    set_device_failure_count = writes(sessions.set_device_failure_count)
    add_share = writes(shares.add_share)
    active_shares = reads(shares.active_shares)
    end_share = writes(shares.end_share)
    has_expired_shares = reads(shares.has_expired_shares)
    end_expired_shares = writes(shares.end_expired_shares)
