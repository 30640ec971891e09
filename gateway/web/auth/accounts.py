"""Manages accounts: the claim by the first owner, invitations, and signed-in sessions.

An error is a value, not an exception; only `StoreFailed` is raised, where something has to be stored and the disk does
not take it. A session that exists stays valid on a full disk. A stranger learns only an `AccountError` or a
`RetryAfter`, which are the same whether or not an account of that name exists.
"""

import math
import unicodedata
from collections.abc import Awaitable, Callable
from dataclasses import field
from datetime import timedelta
from enum import Enum
from functools import partial

from gateway.domain.frozen import Frozen
from gateway.domain.now import Now
from gateway.storage import Store
from gateway.storage.models import (
    AccountHolder,
    AccountResult,
    Invitation,
    NewAccount,
    Session,
)
from gateway.storage.sessions import SignInEntry
from gateway.system.clock import EARLIEST_TIME
from gateway.system.i18n import _
from gateway.web.auth.login_throttle import LoginAttempt, LoginThrottle
from gateway.web.auth.passwords import MAX_PASSWORD_BYTES, PasswordHashing, normalised_bytes
from gateway.web.auth.roles import PASSWORD_RIGHTS, Role, UserRight, has_right
from gateway.web.auth.session_age import EarliestClock
from gateway.web.auth.tokens import COOKIE_BYTES, LINK_BYTES, SecretToken, claim_code_digest, new_claim_code, new_id

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


class RetryAfter(Frozen, kw_only=False):
    """The caller has to wait because of too many wrong passwords; the password was not checked."""

    seconds: int


class CurrentUser(Frozen):
    """A signed-in user, as of the moment of the look-up. `UserAccounts.access_error` says what the user may do now."""

    session: str  # its id, no secret
    device: str
    person: str
    name: str
    role: Role


class SessionSecrets(Frozen):
    """The secrets of two cookies: `session` signs in for up to 90 days, `device` identifies the device for 400."""

    user: CurrentUser
    session: str = field(repr=False)
    device: str = field(repr=False)


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

    # ---- the first owner

    def is_claimed(self) -> bool:
        """Return whether the box has an owner."""
        return self._register.has_owner()

    async def make_claim_code(self, now: Now) -> str | AccountError:
        """Make the claim code, to be shown on the box only; the previous one becomes void.

        `CLAIMED` if there is an owner.
        """
        code = new_claim_code()
        digest = claim_code_digest(code)
        assert digest is not None  # noqa: S101 - a code that was just made is valid
        return account_error(await self._register.set_claim_code(digest, now)) or code

    async def claim(
        self, code: str, name: str, password: str, now: Now, *, browser: str | None = None
    ) -> SessionSecrets | AccountError:
        """Create the first owner's account.

        After five wrong codes a new one has to be made on the box. A text that cannot be a code (one character too few)
        does not count, and name and password are checked before the code, so a typing mistake uses up no attempt. The
        account, its session and the end of the code are stored together.
        """
        if self._register.has_owner():
            return AccountError.CLAIMED
        error = credential_error(name, password)
        if error is not None:
            return error
        digest = claim_code_digest(code)
        if digest is None:
            return AccountError.CODE_WRONG
        error = account_error(await self._register.check_claim_code(digest, now))
        if error is not None:
            return error
        store = partial(self._register.claim, digest)
        return await self.create_account(name, password, Role.OWNER, now, browser=browser, store=store)

    # ---- signing in

    async def sign_in(  # noqa: PLR0913 - name, password, and where they come from
        self, name: str, password: str, *, address: str, device: str | None, now: Now, browser: str | None = None
    ) -> SessionSecrets | AccountError | RetryAfter:
        """Sign in from a client's address, with the known-device cookie if there is one; `WRONG` or a wait otherwise.

        A user with the cookie of a known device never waits because of attempts by others.
        """
        key = name_key(name)
        person, stored = self._register.find_by_name(key) or (None, None)
        token = self._known_device(device, person, now)
        attempt = LoginAttempt(device=token.id) if token is not None else self.throttle.stranger_attempt(key, address)
        wait = self._retry_after(attempt, now)
        if wait is not None:
            return wait
        stranger = token is None
        with self.passwords.queue_slot(stranger=stranger):
            tries = await self.throttle.count_attempt(attempt, now)
            fits = await self.passwords.matches(password, stored, stranger=stranger)
        if not fits or person is None or stored is None:
            self._log_wrong_password(None if person is None else person.id, tries, now)
            return AccountError.WRONG
        session, token = SecretToken.new(COOKIE_BYTES), token or SecretToken.new(COOKIE_BYTES)
        await self._register.expire_sessions(
            self.clock.read(now), idle=SESSION_IDLE_LIMIT, oldest=MAX_SESSION_AGE, known=KNOWN_DEVICE_LIFETIME
        )
        if not await self._register.sign_in(person.id, stored, self.sign_in_entry(session, token, now, browser)):
            return AccountError.WRONG
        await self.throttle.record_success(attempt, now)
        if self.passwords.needs_rehash(stored):
            await self._register.rehash_password(person.id, stored, await self.passwords.hash(password))
        return self.session_secrets(person, session, token, now)

    async def confirm_password(self, user: CurrentUser, password: str, now: Now) -> AccountError | RetryAfter | None:
        """Check the password again, for the rights in `PASSWORD_RIGHTS`; None: it is right, and counts for 5 minutes.

        Wrong passwords count for the device, as at the sign-in.
        """
        if self._running_session(user.session, now) is None:
            return AccountError.SIGNED_OUT
        attempt = LoginAttempt(device=user.device)
        wait = self._retry_after(attempt, now)
        if wait is not None:
            return wait
        tries = await self.throttle.count_attempt(attempt, now)
        if not await self.passwords.matches(password, self._register.password_hash_of(user.person), stranger=False):
            self._log_wrong_password(user.person, tries, now)
            return AccountError.PASSWORD_WRONG
        await self.throttle.record_success(attempt, now)
        if self._running_session(user.session, now) is None:
            return AccountError.SIGNED_OUT
        self._mark_confirmed(user.session, now)
        return None

    async def change_password(
        self, user: CurrentUser, old: str, new: str, now: Now
    ) -> AccountError | RetryAfter | None:
        """Replace the password; all other sessions end, and no other device stays known."""
        error = password_weakness(new, user.name) or await self.confirm_password(user, old, now)
        if error is not None:
            return error
        stored = await self.passwords.hash(new)
        return account_error(await self._register.set_password(user.person, stored, now, device=user.device))

    # ---- sessions

    def find_user(self, session: str | None, now: Now) -> CurrentUser | None:
        """Return the user of a session cookie with the present role; None: the session is unknown or over."""
        token = SecretToken.parse(session)
        row = None if token is None else self._running_session(token.id, now)
        if token is None or row is None or not token.matches(row.secret):
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

    async def end_session(self, user: CurrentUser, session: str, now: Now) -> AccountError | None:
        """End one session by its id: the user's own, or with the right `PEOPLE` any."""
        row = self._register.session(session)
        if row is None:
            return AccountError.UNKNOWN
        if row.person.id != user.person:
            error = self.access_error(user, UserRight.PEOPLE, now)
        else:
            error = None if self._running_session(user.session, now) is not None else AccountError.SIGNED_OUT
        if error is None:
            await self._register.end_session(session)
        return error

    # ---- other people

    async def invite(self, user: CurrentUser, role: Role, now: Now) -> SecretToken | AccountError:
        """Invite one person, for 48 hours, by a token that is shown this once. Couriers have no account."""
        error = self.access_error(user, UserRight.PEOPLE, now)
        if error is not None or role is Role.COURIER:
            return error or AccountError.NOT_ALLOWED
        token = SecretToken.new(LINK_BYTES)
        invitation = Invitation(id=token.id, secret=token.digest, role=role, by=user.person, made=self.clock.read(now))
        await self._register.add_invitation(invitation, now, lives=INVITATION_LIFETIME)
        return token

    def invitations(self, now: Now) -> tuple[Invitation, ...]:
        """Return the invitations that are still valid, oldest first."""
        return self._register.open_invitations(self.clock.read(now), lives=INVITATION_LIFETIME)

    def invitation(self, token: str, now: Now) -> Invitation | None:
        """Return the invitation of a token; None: it is not valid, or no longer."""
        secret = SecretToken.parse(token)
        if secret is None:
            return None
        row = next((invitation for invitation in self.invitations(now) if invitation.id == secret.id), None)
        return row if row is not None and secret.matches(row.secret) else None

    async def withdraw_invitation(self, user: CurrentUser, invitation: str, now: Now) -> AccountError | None:
        """Withdraw an invitation by its id."""
        error = self.access_error(user, UserRight.PEOPLE, now)
        return error or account_error(await self._register.withdraw_invitation(invitation, now, by=user.person))

    async def accept_invitation(
        self, token: str, name: str, password: str, now: Now, *, browser: str | None = None
    ) -> SessionSecrets | AccountError:
        """Create the account of an invited person.

        Account, session and the end of the invitation are stored together; of two at the same time one succeeds.
        """
        invitation = self.invitation(token, now)
        if invitation is None:
            return AccountError.INVITATION_GONE
        store = partial(self._register.redeem_invitation, invitation)
        return await self.create_account(name, password, Role(invitation.role), now, browser=browser, store=store)

    async def remove_person(self, user: CurrentUser, person: str, now: Now) -> AccountError | None:
        """End a person's account with all sessions, devices and invitations. The last owner's stays."""
        error = self.access_error(user, UserRight.PEOPLE, now)
        return error or account_error(await self._register.remove_account(person, now, by=user.person))

    async def hand_over(self, user: CurrentUser, now: Now) -> tuple[str, ...] | AccountError:
        """End the account and invitation of every installer; return the ids of these people.

        An installer who is invited again makes a new account: the former password opens nothing.
        """
        error = self.access_error(user, UserRight.HAND_OVER, now)
        return error or await self._register.remove_installers(now, by=user.person)

    # ---- internal

    def _retry_after(self, attempt: LoginAttempt, now: Now) -> RetryAfter | None:
        wait = self.throttle.wait_s(attempt, now)
        if wait > 0:
            return RetryAfter(math.ceil(wait))
        return RetryAfter(_QUEUE_RETRY_DELAY_S) if attempt.device is None and self.passwords.is_crowded else None

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

    # ---- used by `gateway.web.auth.recovery`

    async def create_account(  # noqa: PLR0913 - name, password and role, and how the account is stored
        self,
        name: str,
        password: str,
        role: Role,
        now: Now,
        *,
        browser: str | None,
        store: Callable[[NewAccount, SignInEntry, Now], Awaitable[AccountResult]],
    ) -> SessionSecrets | AccountError:
        """Create an account that is signed in; `store` stores account and sign-in together."""
        error = credential_error(name, password)
        if error is not None:
            return error
        person = AccountHolder(id=new_id(), name=_display_name(name), role=role, added=now.utc)
        account = NewAccount(person=person, folded=name_key(name), password=await self.passwords.hash(password))
        session, device = SecretToken.new(COOKIE_BYTES), SecretToken.new(COOKIE_BYTES)
        error = account_error(await store(account, self.sign_in_entry(session, device, now, browser), now))
        return error or self.session_secrets(person, session, device, now)

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


def credential_error(name: str, password: str) -> AccountError | None:
    """Return why an account cannot have this name and password; None: it can."""
    written = _display_name(name)
    if not 0 < len(written) <= MAX_NAME_CHARACTERS or not written.isprintable():  # refuses bidi controls too
        return AccountError.NAME_BAD
    return password_weakness(password, written)


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


def account_error(result: AccountResult) -> AccountError | None:
    """Return why an operation on an account was not done; None: it was. Both enumerations have the same names."""
    return None if result is AccountResult.DONE else AccountError[result.name]
