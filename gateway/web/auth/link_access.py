"""Signs in the browsers of people without an account: the owner makes a link, and the person's browser opens it once.

Such a person has no role: the session gives access to that person's own page only. Whoever is no longer in the house
file is signed out at once.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from typing import Any, Generic, Protocol, TypeVar

from gateway.domain.now import Now
from gateway.storage.one_time_links import LinkSession, OneTimeLink
from gateway.web.auth.session_age import EarliestClock
from gateway.web.auth.tokens import COOKIE_BYTES, LINK_BYTES, SecretToken, find_by_token

LINK_LIFETIME = timedelta(hours=48)
SESSION_IDLE_LIMIT = timedelta(days=30)  # a session that was not used for this long ends
MAX_SESSION_AGE = timedelta(days=90)  # any session ends after this long: then the owner makes another link
MAX_BROWSERS = 3  # of one person; the oldest is signed out
LAST_USE_INTERVAL = timedelta(minutes=5)  # the use of a session is stored at most once in this time

LinkT = TypeVar("LinkT", bound=OneTimeLink)
SessionT = TypeVar("SessionT", bound=LinkSession)


class LinkStore(Protocol[LinkT, SessionT]):
    """The part of the store that has the links and sessions of one kind of people."""

    def add_link(self, link: LinkT, now: Now, *, lives: timedelta) -> Coroutine[Any, Any, None]: ...  # noqa: D102 - as in `LinkTables`
    def link(self, ident: str) -> LinkT | None: ...  # noqa: D102 - the same
    def redeem_link(self, ident: str, session: SessionT, now: Now, *, most: int) -> Coroutine[Any, Any, bool]: ...  # noqa: D102 - the same
    def session(self, ident: str) -> SessionT | None: ...  # noqa: D102 - the same
    def touch_session(self, ident: str, when: datetime) -> None: ...  # noqa: D102 - the same


class LinkAccess(ABC, Generic[LinkT, SessionT]):
    """The links and sessions of one kind of people, by what the house file says of them now."""

    def __init__(self, store: LinkStore[LinkT, SessionT], clock: EarliestClock) -> None:
        self._store, self._clock = store, clock

    @abstractmethod
    def is_link_known(self, link: LinkT) -> bool:
        """Return whether the house file still has the person of a link."""

    async def add_link(self, make: Callable[[SecretToken, datetime], LinkT], now: Now) -> SecretToken:
        """Store the link that `make` returns for a new token and the time; the token is shown this once."""
        token = SecretToken.new(LINK_BYTES)
        await self._store.add_link(make(token, self._clock.read(now)), now, lives=LINK_LIFETIME)
        return token

    def link(self, token: str, now: Now) -> LinkT | None:
        """Return the link of a token; None: it was used, is too old, or its person is no longer in the house file."""
        row = find_by_token(token, self._store.link)
        if row is None:
            return None
        is_over = self._clock.latest(now, row.made) - row.made >= LINK_LIFETIME
        return None if is_over or not self.is_link_known(row) else row

    async def begin_session(
        self, link: LinkT, make: Callable[[SecretToken, datetime], SessionT], now: Now
    ) -> SecretToken | None:
        """End a link, begin the session that `make` returns, and return its cookie; None: the link was used."""
        cookie = SecretToken.new(COOKIE_BYTES)
        session = make(cookie, self._clock.read(now))
        return cookie if await self._store.redeem_link(link.id, session, now, most=MAX_BROWSERS) else None

    def find_session(self, cookie: str | None, now: Now, is_known: Callable[[SessionT], bool]) -> SessionT | None:
        """Return the session of a cookie, and note the use; None: it is over, or its person is not known any more."""
        row = find_by_token(cookie, self._store.session)
        if row is None:
            return None
        at = self._clock.latest(now, row.seen)
        if at - row.seen >= SESSION_IDLE_LIMIT or at - row.began >= MAX_SESSION_AGE or not is_known(row):
            return None
        if at - row.seen >= LAST_USE_INTERVAL:
            self._store.touch_session(row.id, at)
        return row
