"""Coming in when nobody inside opens: an owner who lost his password, and the next owner of the house.

The one has a code that was made on the box, the other the former owner's link.
Refusals are values, and `StoreFailed` comes through, as in `Accounts`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pydantic import TypeAdapter

from gateway.domain.visit.commands import Notification, NotifyOwner
from gateway.domain.visit.state import Now
from gateway.runtime.maintenance import recovery_codes
from gateway.storage import ByCode, HouseOffer, Recovered, Store
from gateway.web.auth.accounts import Accounts, Refused, SignedIn, Wait, Who, change_refused, unfit
from gateway.web.auth.roles import Right, Role
from gateway.web.auth.tokens import COOKIE_BYTES, LINK_BYTES, Token, code_digest

OFFERED = timedelta(days=7)  # the next owner's link is good for so long
REMEMBERED = timedelta(days=30)  # for so long a used code is told to have been used

_TELL: TypeAdapter[NotifyOwner] = TypeAdapter(NotifyOwner)


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """An offer of the house that was made just now; its token is told this once."""

    token: str = field(repr=False)
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CameBack:
    """An owner who is in again; `told` is what all phones are owed about it, stored under `message`."""

    signed_in: SignedIn
    told: NotifyOwner
    message: int


class Succession:
    """One for the site. `entrance` is the one under whose name messages of the box itself are stored."""

    def __init__(self, accounts: Accounts, store: Store, *, entrance: str) -> None:
        self._accounts = accounts
        self._register, self._handover = store.register, store.handover
        self._entrance = entrance

    # ---- the way back in

    async def come_back(  # noqa: PLR0913 - by which code, from where, and what was made on the box
        self,
        code: str,
        password: str,
        *,
        address: str,
        codes: Sequence[recovery_codes.Code],
        boot: str,
        now: Now,
        browser: str | None = None,
    ) -> CameBack | Refused | Wait:
        """Set an owner's new password by a code of the box, once; all his sessions end, and everybody is told.

        A wrong code makes whoever tried it wait. The right one never waits: it is too long to be guessed, so nothing
        that an outsider tries can keep the owner out.
        """
        digest = code_digest(code)
        if digest is None:  # a character too few: a typing mistake
            return Refused.CODE_WRONG
        found = recovery_codes.find(codes, digest, boot=boot, mono=now.mono)
        if found is None:
            return await self._wrong(address, now)
        made, standing = found
        if self._register.code_used(digest):
            return Refused.CODE_USED
        if standing is not recovery_codes.Standing.GOOD:
            return Refused.CODE_OLD
        person = self._register.person(made.person)
        if person is None:
            return Refused.UNKNOWN
        bad = unfit(person.name, password)
        if bad is not None:
            return bad
        stored = await self._accounts.hashed(password)
        session, device = Token.new(COOKIE_BYTES), Token.new(COOKIE_BYTES)
        told = NotifyOwner(saying=Notification.PASSWORD_RESET, detail=person.name)
        by = ByCode(
            code=digest, keep=now.utc + REMEMBERED, entrance=self._entrance, message=_TELL.dump_json(told)
        )  # fmt: skip
        entry = self._accounts.entry(session, device, now, browser)
        outcome, message = await self._register.recover(person.id, stored, entry, now, by)
        match outcome:
            case Recovered.DONE:
                signed_in = self._accounts.signed_in(person, session, device, now)
                return CameBack(signed_in=signed_in, told=told, message=message)
            case Recovered.USED:
                return Refused.CODE_USED
            case Recovered.GONE:
                return Refused.UNKNOWN

    async def _wrong(self, address: str, now: Now) -> Refused | Wait:
        tries = self._accounts.tries
        attempt = tries.place(address)
        wait = tries.wait(attempt, now)
        if wait > 0:
            return Wait(math.ceil(wait))
        await tries.count(attempt, now)
        return Refused.CODE_WRONG

    # ---- the next owner

    async def offer(self, who: Who, now: Now, *, leaves_films: bool, held_too: bool) -> Offered | Refused:
        """Offer the house to its next owner, by one link that counts once; the offer before it is void."""
        refused = self._accounts.refusal(who, Right.MOVE_OUT, now)
        if refused is not None:
            return refused
        token, made = Token.new(LINK_BYTES), self._accounts.reckoned(now)
        await self._handover.offer(
            HouseOffer(
                id=token.id, secret=token.digest, by=who.person, made=made, leaves_films=leaves_films, held_too=held_too
            ),
            now,
        )
        return Offered(token=token.text, until=made + OFFERED)

    def offered(self, now: Now) -> HouseOffer | None:
        """The offer that can still be taken."""
        return self._handover.offered(self._accounts.reckoned(now), lives=OFFERED)

    def offer_of(self, token: str, now: Now) -> HouseOffer | None:
        """The offer that somebody holds; None: it cannot be taken (any more)."""
        held, offer = Token.read(token), self.offered(now)
        if held is None or offer is None or held.id != offer.id or not held.fits(offer.secret):
            return None
        return offer

    async def withdraw(self, who: Who, now: Now) -> Refused | None:
        """Take the offer back."""
        refused = self._accounts.refusal(who, Right.MOVE_OUT, now)
        return refused or change_refused(await self._handover.withdraw(now, by=who.person))

    async def take(
        self, token: str, name: str, password: str, now: Now, *, browser: str | None = None
    ) -> SignedIn | Refused:
        """Take the house: whoever had access has none any more, and no brand comes in. Of two at once one wins."""
        offer = self.offer_of(token, now)
        if offer is None:
            return Refused.INVITATION_GONE
        bad = unfit(name, password)
        if bad is not None:
            return bad
        new = await self._accounts.newcomer(name, password, Role.OWNER, now)
        session, device = Token.new(COOKIE_BYTES), Token.new(COOKIE_BYTES)
        entry = self._accounts.entry(session, device, now, browser)
        refused = change_refused(await self._handover.take(offer, new, entry, now))
        if refused is Refused.UNKNOWN:
            return Refused.INVITATION_GONE
        return refused or self._accounts.signed_in(new.person, session, device, now)
