"""Manages accounts: the claim by the first owner, invitations, and signed-in sessions.

An operation raises `AccountRefused` if it is refused, and `StoreFailed` where something has to be stored and the disk
does not take it. A session that exists stays valid on a full disk. A stranger learns only the refusal, which is the
same whether or not an account of that name exists.
"""

import math
import unicodedata
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import field
from datetime import timedelta
from enum import Enum
from functools import partial

from gateway.domain.frozen import Frozen
from gateway.domain.now import Now
from gateway.storage.models import AccountHolder, AccountResult, Invitation, NewAccount, Session
from gateway.storage.sessions import SignInEntry
from gateway.storage.store import Store
from gateway.system.clock import EARLIEST_TIME
from gateway.system.i18n import _
from gateway.web.auth.login_throttle import LoginAttempt, LoginThrottle
from gateway.web.auth.passwords import MAX_PASSWORD_BYTES, PasswordHashing, normalised_bytes
from gateway.web.auth.roles import PASSWORD_RIGHTS, Role, UserRight, has_right
from gateway.web.auth.session_age import EarliestClock
from gateway.web.auth.tokens import (
    COOKIE_BYTES,
    LINK_BYTES,
    SecretToken,
    claim_code_digest,
    find_by_token,
    new_claim_code,
    new_id,
)

SESSION_IDLE_LIMIT = timedelta(days=14)  # a session that was not used for this long ends
MAX_SESSION_AGE = timedelta(days=90)  # any session ends after this long
KNOWN_DEVICE_LIFETIME = timedelta(days=400)  # since a device's last sign-in; browsers keep no cookie longer
INVITATION_LIFETIME = timedelta(hours=48)  # an invitation is valid for this long
CONFIRMATION_LIFETIME_S = 300.0  # seconds for which a password counts as just given

WRONG_PASSWORDS_BEFORE_REPORT = 5  # wrong passwords for one account that are logged for its person
MAX_NAME_CHARACTERS = 64  # characters
MIN_PASSWORD_CHARACTERS = 10  # characters
_LAST_USE_INTERVAL = timedelta(minutes=5)  # the use of a session is stored at most once in this time
_QUEUE_RETRY_DELAY_S = 2  # seconds after which a stranger may find a place in the queue

# Passwords of ten characters or more that attackers try first, in French and English. A password is also
# compared without the digits and signs at its end ("motdepasse2026!").
_COMMON_WORDS = (
    "password passw0rd motdepasse azertyuiop qwertyuiop azerty qwerty qwertz bonjour iloveyou jetaime administrator"
    " administrateur letmein welcome bienvenue sunshine princess princesse football soleil chouchou doudou loulou"
    " monkey dragon changeme secret perron passwordpassword motdepassemotdepasse azertyazerty qwertyqwerty"
    " 1q2w3e4r5t 1qaz2wsx3edc 1qaz2wsx abcdefghij abcdefgh"
)
_COMMON = frozenset(_COMMON_WORDS.split())
_MIN_DISTINCT_CHARACTERS = 5  # characters at least, of which it is made
_DIGIT_SEQUENCES = "01234567890123456789", "98765432109876543210"


class AccountError(Enum):
    """Why an operation on an account was refused, as the reader learns it."""

    WRONG = _("Name or password is wrong.")  # name or password; the answer does not tell which
    PASSWORD_WRONG = _("This password is wrong.")  # of a user who is signed in
    SIGNED_OUT = _("This session has ended.")
    NOT_ALLOWED = _("Your role does not allow it.")
    CONFIRM = _("Your password is asked for once more.")  # first `UserAccounts.confirm_password`
    CLAIMED = _("This box has an owner already.")
    CODE_WRONG = _("This is not the code: read it once more, only the newest counts.")
    CODE_USED = _("This code has been used: make another one on the box.")  # an owner recovered access by it already
    CODE_OLD = _("This code is too old, or another one was made since: make another one on the box.")
    CODE_VOID = _("This code is void: restart the box, it shows another one.")  # none was made, or too many wrong ones
    # unknown, used, withdrawn or too old; the answer does not tell which
    INVITATION_GONE = _("This invitation is no longer good.")
    NAME_BAD = _("A name has 1 to 64 characters.")
    NAME_TAKEN = _("This name is taken.")
    PASSWORD_SHORT = _("Ten characters at least.")
    PASSWORD_LONG = _("That is too long.")
    PASSWORD_COMMON = _("This password is too well known.")
    UNKNOWN = _("There is no such thing (any more).")  # no such person, session or invitation
    LAST_OWNER = _("A house is never without an owner.")
    BUSY = _("Not during a visit: try again when it is over.")
    TOO_MANY_TRIES = _("Too many tries: wait {seconds} s.")  # the password was not checked


class AccountRefused(Exception):  # noqa: N818 - a refusal is a normal answer, not an error
    """An operation was refused; `retry_after_s`: so many seconds after which it may be tried again."""

    def __init__(self, error: AccountError, retry_after_s: int | None = None) -> None:
        super().__init__(error.name)
        self.error, self.retry_after_s = error, retry_after_s
        self.message = error.value.with_facts(seconds=str(retry_after_s))


class CurrentUser(Frozen):
    """A signed-in user, as of the moment of the look-up. `UserAccounts.access_error` says what the user may do now."""

    session: str  # its id, no secret
    device: str
    person: str
    name: str
    role: Role


class SessionSecrets(Frozen):
    """The secrets of two cookies: `session` signs in, `device` identifies the device."""

    user: CurrentUser
    session: str = field(repr=False)
    device: str = field(repr=False)

    def cookies(self) -> Iterator[tuple[str, str, timedelta]]:
        """Yield name, value and lifetime of each cookie."""
        yield "session", self.session, MAX_SESSION_AGE
        yield "device", self.device, KNOWN_DEVICE_LIFETIME


class UserAccounts:
    """The accounts of one box. `now` is the start of this run; tests pass cheaper `passwords`."""

    def __init__(self, store: Store, now: Now, *, passwords: PasswordHashing | None = None) -> None:
        self._register = store.accounts
        self.passwords = passwords or PasswordHashing()
        self.throttle = LoginThrottle(store.accounts, now)
        floors = (EARLIEST_TIME, store.box.time_floor(), store.accounts.latest_timestamp())
        self.clock = EarliestClock(max(floor for floor in floors if floor is not None), now)
        # When each session's password was given last, on the monotonic clock, which nobody can set. It is in memory
        # only, so after a restart the password is needed again.
        self._confirmed_sessions: dict[str, float] = {}

    def is_claimed(self) -> bool:
        """Return whether the box has an owner."""
        return self._register.has_owner()

    async def make_claim_code(self, now: Now) -> str:
        """Make the claim code, to be shown on the box only; the previous one becomes void."""
        code = new_claim_code()
        digest = claim_code_digest(code)
        assert digest is not None  # noqa: S101 - a code that was just made is valid
        refuse_unless_done(await self._register.set_claim_code(digest, now))
        return code

    async def claim(
        self, code: str, name: str, password: str, now: Now, *, browser: str | None = None
    ) -> SessionSecrets:
        """Create the first owner's account.

        After five wrong codes a new one has to be made on the box. A text that cannot be a code (one character too few)
        does not count, and name and password are checked before the code, so a typing mistake uses up no attempt. The
        account, its session and the end of the code are stored together.
        """
        if self._register.has_owner():
            raise AccountRefused(AccountError.CLAIMED)
        check_credentials(name, password)
        digest = claim_code_digest(code)
        if digest is None:
            raise AccountRefused(AccountError.CODE_WRONG)
        refuse_unless_done(await self._register.check_claim_code(digest, now))
        store = partial(self._register.claim, digest)
        return await self.create_account(name, password, Role.OWNER, now, browser=browser, store=store)

    async def sign_in(  # noqa: PLR0913 - name, password, and where they come from
        self, name: str, password: str, *, address: str, device: str | None, now: Now, browser: str | None = None
    ) -> SessionSecrets:
        """Sign in from a client's address, with the known-device cookie if there is one.

        A user with the cookie of a known device never waits because of attempts by others.
        """
        key = name_key(name)
        person, stored = self._register.find_by_name(key) or (None, None)
        token = self._known_device(device, person, now)
        attempt = LoginAttempt(device=token.id) if token is not None else self.throttle.stranger_attempt(key, address)
        self.refuse_while_waiting(attempt, now)
        stranger = token is None
        if stranger and self.passwords.is_crowded:
            raise AccountRefused(AccountError.TOO_MANY_TRIES, _QUEUE_RETRY_DELAY_S)
        with self.passwords.queue_slot(stranger=stranger):
            tries = await self.throttle.count_attempt(attempt, now)
            fits = await self.passwords.matches(password, stored, stranger=stranger)
        if not fits or person is None or stored is None:
            self._log_wrong_password(None if person is None else person.id, tries, now)
            raise AccountRefused(AccountError.WRONG)
        session, token = SecretToken.new(COOKIE_BYTES), token or SecretToken.new(COOKIE_BYTES)
        await self._register.expire_sessions(
            self.clock.read(now), idle=SESSION_IDLE_LIMIT, oldest=MAX_SESSION_AGE, known=KNOWN_DEVICE_LIFETIME
        )
        if not await self._register.sign_in(person.id, stored, self.sign_in_entry(session, token, now, browser)):
            raise AccountRefused(AccountError.WRONG)
        await self.throttle.record_success(attempt, now)
        if self.passwords.needs_rehash(stored):
            await self._register.rehash_password(person.id, stored, await self.passwords.hash(password))
        return self.session_secrets(person, session, token, now)

    async def confirm_password(self, user: CurrentUser, password: str, now: Now) -> None:
        """Check the password again, for the rights in `PASSWORD_RIGHTS`; a right one counts for 5 minutes.

        Wrong passwords count for the device, as at the sign-in.
        """
        self._refuse_signed_out(user, now)
        attempt = LoginAttempt(device=user.device)
        self.refuse_while_waiting(attempt, now)
        tries = await self.throttle.count_attempt(attempt, now)
        if not await self.passwords.matches(password, self._register.password_hash_of(user.person), stranger=False):
            self._log_wrong_password(user.person, tries, now)
            raise AccountRefused(AccountError.PASSWORD_WRONG)
        await self.throttle.record_success(attempt, now)
        self._refuse_signed_out(user, now)
        self._mark_confirmed(user.session, now)

    async def change_password(self, user: CurrentUser, old: str, new: str, now: Now) -> None:
        """Replace the password; all other sessions end, and no other device stays known."""
        refuse(password_weakness(new, user.name))
        await self.confirm_password(user, old, now)
        stored = await self.passwords.hash(new)
        refuse_unless_done(await self._register.set_password(user.person, stored, now, device=user.device))

    def find_user(self, session: str | None, now: Now) -> CurrentUser | None:
        """Return the user of a session cookie with the present role; None: the session is unknown or over."""
        row = find_by_token(session, lambda ident: self._running_session(ident, now))
        if row is None:
            return None
        at = self.clock.read(now)
        if at - row.seen >= _LAST_USE_INTERVAL:
            self._register.touch_session(row.id, at)
        return _current_user(row.id, row.device, row.person)

    def access_error(self, user: CurrentUser, right: UserRight, now: Now) -> AccountError | None:
        """Return why the user may not do this now; None: the user may.

        It reads session, role and account again, so an open page that asks again sees each change at once.
        """
        row = self._running_session(user.session, now)
        if row is None:
            return AccountError.SIGNED_OUT
        if not has_right(Role(row.person.role), right):
            return AccountError.NOT_ALLOWED
        given = self._confirmed_sessions.get(user.session)
        is_confirmed = given is not None and now.mono - given < CONFIRMATION_LIFETIME_S
        return AccountError.CONFIRM if right in PASSWORD_RIGHTS and not is_confirmed else None

    def is_signed_in(self, user: CurrentUser, now: Now) -> bool:
        """Return whether the session still runs, and its user has the same name and role as at the look-up."""
        row = self._running_session(user.session, now)
        return row is not None and _current_user(row.id, row.device, row.person) == user

    def sessions(self, person: str, now: Now) -> tuple[Session, ...]:
        """Return the running sessions of a person, oldest first."""
        return tuple(row for row in self._register.sessions_of(person) if not self._is_over(row, now))

    async def sign_out(self, user: CurrentUser) -> None:
        """End this session. The device stays known."""
        await self._register.end_session(user.session)

    async def end_session(self, user: CurrentUser, session: str, now: Now) -> None:
        """End one session by its id: the user's own, or with the right `PEOPLE` any."""
        row = self._register.session(session)
        if row is None:
            raise AccountRefused(AccountError.UNKNOWN)
        if row.person.id != user.person:
            refuse(self.access_error(user, UserRight.PEOPLE, now))
        self._refuse_signed_out(user, now)
        await self._register.end_session(session)

    async def invite(self, user: CurrentUser, role: Role, now: Now) -> SecretToken:
        """Invite one person, for 48 hours, by a token that is shown this once."""
        refuse(self.access_error(user, UserRight.PEOPLE, now))
        token = SecretToken.new(LINK_BYTES)
        invitation = Invitation(id=token.id, secret=token.digest, role=role, by=user.person, made=self.clock.read(now))
        await self._register.add_invitation(invitation, now, lives=INVITATION_LIFETIME)
        return token

    def invitations(self, now: Now) -> tuple[Invitation, ...]:
        """Return the invitations that are still valid, oldest first."""
        return self._register.open_invitations(self.clock.read(now), lives=INVITATION_LIFETIME)

    def invitation(self, token: str, now: Now) -> Invitation | None:
        """Return the invitation of a token; None: it is not valid, or no longer."""
        still_valid = {invitation.id: invitation for invitation in self.invitations(now)}
        return find_by_token(token, still_valid.get)

    async def withdraw_invitation(self, user: CurrentUser, invitation: str, now: Now) -> None:
        """Withdraw an invitation by its id."""
        refuse(self.access_error(user, UserRight.PEOPLE, now))
        refuse_unless_done(await self._register.withdraw_invitation(invitation, now, by=user.person))

    async def accept_invitation(
        self, token: str, name: str, password: str, now: Now, *, browser: str | None = None
    ) -> SessionSecrets:
        """Create the account of an invited person and end the invitation at once; of two at a time one succeeds."""
        invitation = self.invitation(token, now)
        if invitation is None:
            raise AccountRefused(AccountError.INVITATION_GONE)
        store = partial(self._register.redeem_invitation, invitation)
        return await self.create_account(name, password, Role(invitation.role), now, browser=browser, store=store)

    async def remove_person(self, user: CurrentUser, person: str, now: Now) -> None:
        """End a person's account with all sessions, devices and invitations. The last owner's stays."""
        refuse(self.access_error(user, UserRight.PEOPLE, now))
        refuse_unless_done(await self._register.remove_account(person, now, by=user.person))

    async def hand_over(self, user: CurrentUser, now: Now) -> tuple[str, ...]:
        """End the account and invitation of every installer; return the ids of these people.

        An installer who is invited again makes a new account: the former password opens nothing.
        """
        refuse(self.access_error(user, UserRight.HAND_OVER, now))
        return await self._register.remove_installers(now, by=user.person)

    def refuse_while_waiting(self, attempt: LoginAttempt, now: Now) -> None:
        """Raise `AccountRefused` if the attempt comes too soon after wrong ones."""
        wait = self.throttle.wait_s(attempt, now)
        if wait > 0:
            raise AccountRefused(AccountError.TOO_MANY_TRIES, math.ceil(wait))

    def _refuse_signed_out(self, user: CurrentUser, now: Now) -> None:
        if self._running_session(user.session, now) is None:
            raise AccountRefused(AccountError.SIGNED_OUT)

    def _known_device(self, device: str | None, person: AccountHolder | None, now: Now) -> SecretToken | None:
        token = SecretToken.parse(device)
        row = None if token is None else self._register.device(token.id)
        if token is None or row is None or person is None or not token.matches(row.secret) or row.person != person.id:
            return None
        return token if self.clock.latest(now, row.seen) - row.seen < KNOWN_DEVICE_LIFETIME else None

    def _running_session(self, session: str, now: Now) -> Session | None:
        row = self._register.session(session)
        return None if row is None or self._is_over(row, now) else row

    def _is_over(self, session: Session, now: Now) -> bool:
        at = self.clock.latest(now, session.seen)
        return at - session.seen >= SESSION_IDLE_LIMIT or at - session.began >= MAX_SESSION_AGE

    def _mark_confirmed(self, session: str, now: Now) -> None:
        self._confirmed_sessions = {
            id_: given for id_, given in self._confirmed_sessions.items() if now.mono - given < CONFIRMATION_LIFETIME_S
        }
        self._confirmed_sessions[session] = now.mono

    def _log_wrong_password(self, person: str | None, tries: int, now: Now) -> None:
        """Log 5, 10, 20 ... wrong passwords for an account, and later ones at growing intervals."""
        burst, rest = divmod(tries, WRONG_PASSWORDS_BEFORE_REPORT)
        if person is not None and burst and not rest and not burst & (burst - 1):
            self._register.record_failed_sign_ins(person, tries, now)

    async def create_account(  # noqa: PLR0913 - name, password and role, and how the account is stored
        self,
        name: str,
        password: str,
        role: Role,
        now: Now,
        *,
        browser: str | None,
        store: Callable[[NewAccount, SignInEntry, Now], Awaitable[AccountResult]],
    ) -> SessionSecrets:
        """Create an account that is signed in; `store` stores account and sign-in together."""
        check_credentials(name, password)
        person = AccountHolder(id=new_id(), name=_display_name(name), role=role, added=now.utc)
        account = NewAccount(person=person, folded=name_key(name), password=await self.passwords.hash(password))
        session, device = SecretToken.new(COOKIE_BYTES), SecretToken.new(COOKIE_BYTES)
        refuse_unless_done(await store(account, self.sign_in_entry(session, device, now, browser), now))
        return self.session_secrets(person, session, device, now)

    def sign_in_entry(self, session: SecretToken, device: SecretToken, now: Now, browser: str | None) -> SignInEntry:
        """Return a sign-in to be stored."""
        return SignInEntry(
            session=session.id,
            secret=session.digest,
            device=device.id,
            device_secret=device.digest,
            at=self.clock.read(now),
            browser=browser,
        )

    def session_secrets(
        self, person: AccountHolder, session: SecretToken, device: SecretToken, now: Now
    ) -> SessionSecrets:
        """Return the two secrets of a stored sign-in; the password counts as just given."""
        self._mark_confirmed(session.id, now)
        return SessionSecrets(
            user=_current_user(session.id, device.id, person), session=session.text, device=device.text
        )


def _current_user(session: str, device: str, person: AccountHolder) -> CurrentUser:
    return CurrentUser(session=session, device=device, person=person.id, name=person.name, role=Role(person.role))


def _display_name(name: str) -> str:
    """Return a name as it is shown: in NFC, without leading, trailing or double spaces."""
    return " ".join(unicodedata.normalize("NFC", name).split())


def name_key(name: str) -> str:
    """Return a name as it is looked up: case and width of letters do not matter."""
    return unicodedata.normalize("NFKC", _display_name(name[: 4 * MAX_NAME_CHARACTERS])).casefold()


def check_credentials(name: str, password: str) -> None:
    """Raise `AccountRefused` if an account cannot have this name and password."""
    written = _display_name(name)
    if not 0 < len(written) <= MAX_NAME_CHARACTERS or not written.isprintable():  # refuses bidi controls too
        raise AccountRefused(AccountError.NAME_BAD)
    refuse(password_weakness(password, written))


def password_weakness(password: str, name: str) -> AccountError | None:
    """Return why a person of this name cannot use this password; None: accepted. Only length and commonness matter."""
    text = unicodedata.normalize("NFC", password)
    if len(text) < MIN_PASSWORD_CHARACTERS:
        return AccountError.PASSWORD_SHORT
    if len(normalised_bytes(password)) > MAX_PASSWORD_BYTES:
        return AccountError.PASSWORD_LONG
    small = text.casefold()
    stem = small.rstrip("0123456789!?.,;:-_*#$@ ")
    common = stem in _COMMON or small in _COMMON or stem == "" or any(small in row for row in _DIGIT_SEQUENCES)
    if common or stem == name.casefold() or len(set(small)) < _MIN_DISTINCT_CHARACTERS:
        return AccountError.PASSWORD_COMMON
    return None


def refuse(error: AccountError | None) -> None:
    """Raise `AccountRefused` with this error; None: nothing is wrong."""
    if error is not None:
        raise AccountRefused(error)


def refuse_unless_done(result: AccountResult) -> None:
    """Raise `AccountRefused` unless the store has done an operation. Both enumerations have the same names."""
    if result is not AccountResult.DONE:
        raise AccountRefused(AccountError[result.name])
