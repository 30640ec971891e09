"""Signs receivers' browsers in: the owner makes a link, the receiver's browser opens it once.

A receiver has no account and no role: the session names a reception and a receiver of the house file, and gives access
to that receiver's own page only. Whoever is no longer in the house file is signed out at once.
"""

from collections.abc import Mapping
from datetime import timedelta

from gateway.config.reception import ReceptionSection
from gateway.domain.frozen import Frozen
from gateway.domain.now import Now
from gateway.storage import Store
from gateway.storage.receivers import ReceiverLink, ReceiverSession
from gateway.web.auth.session_age import EarliestClock
from gateway.web.auth.tokens import COOKIE_BYTES, LINK_BYTES, SecretToken, find_by_token

LINK_LIFETIME = timedelta(hours=48)
SESSION_IDLE_LIMIT = timedelta(days=30)  # a session that was not used for this long ends
MAX_SESSION_AGE = timedelta(days=90)  # any session ends after this long: then the owner makes another link
MAX_BROWSERS = 3  # of one receiver; the oldest is signed out
_LAST_USE_INTERVAL = timedelta(minutes=5)  # the use of a session is stored at most once in this time


class SignedInReceiver(Frozen):
    """A receiver who is signed in in this browser."""

    session: str  # its id, no secret
    reception: str
    receiver: str
    name: str


class ReceiverAccess:
    """The sessions of the receivers of one box."""

    def __init__(self, store: Store, receptions: Mapping[str, ReceptionSection], clock: EarliestClock) -> None:
        self._receivers, self._receptions, self._clock = store.receivers, receptions, clock

    async def make_link(self, reception: str, receiver: str, now: Now, *, by: str) -> SecretToken:
        """Make a link for a receiver of the house file, which is shown this once. KeyError: there is no such one."""
        self._name(reception, receiver)
        token = SecretToken.new(LINK_BYTES)
        link = ReceiverLink(
            id=token.id, secret=token.digest, reception=reception, receiver=receiver, by=by, made=self._clock.read(now)
        )
        await self._receivers.add_link(link, now, lives=LINK_LIFETIME)
        return token

    def link(self, token: str, now: Now) -> ReceiverLink | None:
        """Return the link of a token; None: it was used, is too old, or its receiver is no longer in the house file."""
        row = find_by_token(token, self._receivers.link)
        if row is None:
            return None
        is_over = self._clock.latest(now, row.made) - row.made >= LINK_LIFETIME
        return None if is_over or self.name_of(row.reception, row.receiver) is None else row

    async def redeem(self, token: str, now: Now, *, browser: str | None) -> SecretToken | None:
        """Sign a browser in by a link, and return the content of its cookie; None: the link is not valid."""
        link = self.link(token, now)
        if link is None:
            return None
        cookie, at = SecretToken.new(COOKIE_BYTES), self._clock.read(now)
        session = ReceiverSession(
            id=cookie.id, secret=cookie.digest, reception=link.reception, receiver=link.receiver, browser=browser,
            began=at, seen=at,
        )  # fmt: skip
        return cookie if await self._receivers.redeem_link(link.id, session, now, most=MAX_BROWSERS) else None

    def find(self, cookie: str | None, now: Now) -> SignedInReceiver | None:
        """Return the receiver of a cookie, and note the use; None: nobody is signed in by it."""
        row = find_by_token(cookie, self._receivers.session)
        if row is None:
            return None
        at = self._clock.latest(now, row.seen)
        name = self.name_of(row.reception, row.receiver)
        if name is None or at - row.seen >= SESSION_IDLE_LIMIT or at - row.began >= MAX_SESSION_AGE:
            return None
        if at - row.seen >= _LAST_USE_INTERVAL:
            self._receivers.touch_session(row.id, at)
        return SignedInReceiver(session=row.id, reception=row.reception, receiver=row.receiver, name=name)

    def name_of(self, reception: str, receiver: str) -> str | None:
        """Return the name of a receiver; None: the house file has none of these ids."""
        section = self._receptions.get(reception)
        known = None if section is None else section.receivers.get(receiver)
        return None if known is None else known.name

    def _name(self, reception: str, receiver: str) -> str:
        name = self.name_of(reception, receiver)
        if name is None:
            raise KeyError(f"{reception}/{receiver}")
        return name
