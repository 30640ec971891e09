"""Recovers access for an owner who lost the password, and hands the home to its next owner.

The first has a code that was made on the box, the second the former owner's link. Both raise as `UserAccounts` does.
"""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path

from pydantic import TypeAdapter

from gateway.domain.now import Now
from gateway.domain.visit.commands import Notification, NotifyOwner
from gateway.runtime.maintenance import recovery_codes
from gateway.storage.models import HouseOffer, RecoveryCodeUse
from gateway.storage.store import Store
from gateway.web.auth.accounts import (
    AccountError,
    AccountRefused,
    CurrentUser,
    SessionSecrets,
    UserAccounts,
    check_credentials,
    refuse,
    refuse_unless_done,
)
from gateway.web.auth.roles import Role, UserRight
from gateway.web.auth.tokens import COOKIE_BYTES, LINK_BYTES, SecretToken, claim_code_digest

OFFER_LIFETIME = timedelta(days=7)  # the next owner's link is valid for this long
USED_CODE_RETENTION = timedelta(days=30)  # a used code is reported as used for this long

_NOTIFICATION_ADAPTER: TypeAdapter[NotifyOwner] = TypeAdapter(NotifyOwner)


class OwnerSuccession:
    """Recovery and succession of the owner.

    Messages of the box itself are stored under `entrance`; `notify` sends one, with its id, to all phones.
    """

    def __init__(
        self, accounts: UserAccounts, store: Store, *, entrance: str, notify: Callable[[NotifyOwner, int], None]
    ) -> None:
        self._accounts, self._notify = accounts, notify
        self._register, self._handover = store.accounts, store.handover
        self._entrance = entrance

    async def recover_owner(  # noqa: PLR0913 - the code, where it comes from, and the codes made on the box
        self,
        code: str,
        password: str,
        *,
        address: str,
        codes_file: Path,
        now: Now,
        browser: str | None = None,
    ) -> SessionSecrets:
        """Set an owner's new password by a code of the box, once; the owner's sessions end, and all phones learn of it.

        After a wrong code the client has to wait. The right code never waits: it is too long to guess, so no attempt by
        an outsider can keep the owner out.
        """
        digest = claim_code_digest(code)
        if digest is None:  # too short to be a code: a typing mistake
            raise AccountRefused(AccountError.CODE_WRONG)
        codes, boot = recovery_codes.read_codes(codes_file), recovery_codes.boot_id()
        known = recovery_codes.find_code(codes, digest, boot=boot, mono=now.mono)
        if known is None:
            attempt = self._accounts.throttle.address_attempt(address)
            self._accounts.refuse_while_waiting(attempt, now)
            await self._accounts.throttle.count_attempt(attempt, now)
            raise AccountRefused(AccountError.CODE_WRONG)
        recovery_code, is_valid = known
        if self._register.is_link_used(digest):
            raise AccountRefused(AccountError.CODE_USED)
        if not is_valid:
            raise AccountRefused(AccountError.CODE_OLD)
        person = self._register.person(recovery_code.person)
        if person is None:
            raise AccountRefused(AccountError.UNKNOWN)
        check_credentials(person.name, password)
        stored = await self._accounts.passwords.hash(password)
        session, device = SecretToken.new(COOKIE_BYTES), SecretToken.new(COOKIE_BYTES)
        notification = NotifyOwner(notification=Notification.PASSWORD_RESET, detail=person.name)
        by = RecoveryCodeUse(
            code=digest,
            keep=now.utc + USED_CODE_RETENTION,
            entrance=self._entrance,
            message=_NOTIFICATION_ADAPTER.dump_json(notification, by_alias=True),
        )
        entry = self._accounts.sign_in_entry(session, device, now, browser)
        result, message = await self._register.recover_account(person.id, stored, entry, now, by)
        refuse_unless_done(result)
        self._notify(notification, message)
        return self._accounts.session_secrets(person, session, device, now)

    async def make_offer(self, user: CurrentUser, now: Now, *, leaves_films: bool, held_too: bool) -> SecretToken:
        """Offer the home to its next owner by a token that is shown this once; the previous offer becomes void."""
        refuse(self._accounts.access_error(user, UserRight.MOVE_OUT, now))
        token = SecretToken.new(LINK_BYTES)
        offer = HouseOffer(
            id=token.id, secret=token.digest, by=user.person, made=self._accounts.clock.read(now),
            leaves_films=leaves_films, held_too=held_too,
        )  # fmt: skip
        await self._handover.set_offer(offer, now)
        return token

    def current_offer(self, now: Now) -> HouseOffer | None:
        """Return the offer that is still valid, or None."""
        return self._handover.open_offer(self._accounts.clock.read(now), lives=OFFER_LIFETIME)

    def find_offer(self, token: str, now: Now) -> HouseOffer | None:
        """Return the offer of a token; None: it is not valid, or no longer."""
        secret, offer = SecretToken.parse(token), self.current_offer(now)
        if secret is None or offer is None or secret.id != offer.id or not secret.matches(offer.secret):
            return None
        return offer

    async def withdraw_offer(self, user: CurrentUser, now: Now) -> None:
        """Withdraw the offer."""
        refuse(self._accounts.access_error(user, UserRight.MOVE_OUT, now))
        refuse_unless_done(await self._handover.withdraw_offer(now, by=user.person))

    async def accept_offer(
        self, token: str, name: str, password: str, now: Now, *, browser: str | None = None
    ) -> SessionSecrets:
        """Create the next owner; former accounts and permissions end. One of two simultaneous calls succeeds."""
        offer = self.find_offer(token, now)
        if offer is None:
            raise AccountRefused(AccountError.INVITATION_GONE)
        store = partial(self._handover.accept_offer, offer)
        return await self._accounts.create_account(name, password, Role.OWNER, now, browser=browser, store=store)
