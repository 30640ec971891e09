"""Signs supervisors' browsers in: the owner makes a link, the supervisor's browser opens it once and brings its key.

A supervisor has no account and no role: the session names a supervisor of the house file, and gives access to that
person's own page only. The private half of the key never leaves the browser. Whoever is no longer in the house file is
signed out at once.
"""

from collections.abc import Mapping
from datetime import timedelta

from pydantic import ValidationError

from gateway.config.robots import SupervisorSection
from gateway.domain.frozen import Frozen
from gateway.domain.now import Now
from gateway.protocol.browser_envelope import Jwk
from gateway.storage import Store
from gateway.storage.supervisors import SupervisorLink, SupervisorSession
from gateway.web.auth.session_age import EarliestClock
from gateway.web.auth.tokens import COOKIE_BYTES, LINK_BYTES, SecretToken, find_by_token

LINK_LIFETIME = timedelta(hours=48)
SESSION_IDLE_LIMIT = timedelta(days=30)  # a session that was not used for this long ends
MAX_SESSION_AGE = timedelta(days=90)  # any session ends after this long: then the owner makes another link
MAX_BROWSERS = 3  # of one supervisor; the oldest is signed out
_LAST_USE_INTERVAL = timedelta(minutes=5)  # the use of a session is stored at most once in this time


class SignedInSupervisor(Frozen):
    """A supervisor who is signed in in this browser."""

    session: str  # its id, no secret
    supervisor: str
    operator: str
    name: str
    key: Jwk  # of this browser


class SupervisorAccess:
    """The sessions of the supervisors of one box."""

    def __init__(self, store: Store, supervisors: Mapping[str, SupervisorSection], clock: EarliestClock) -> None:
        self._store, self._supervisors, self._clock = store.supervisors, supervisors, clock

    async def make_link(self, supervisor: str, now: Now, *, by: str) -> SecretToken:
        """Make a link for a supervisor of the house file, which is shown this once. KeyError: there is no such one."""
        self._supervisors[supervisor]
        token = SecretToken.new(LINK_BYTES)
        link = SupervisorLink(
            id=token.id, secret=token.digest, supervisor=supervisor, by=by, made=self._clock.read(now)
        )
        await self._store.add_link(link, now, lives=LINK_LIFETIME)
        return token

    def link(self, token: str, now: Now) -> SupervisorLink | None:
        """Return the link of a token; None: it was used, is too old, or the house file has no such supervisor."""
        row = find_by_token(token, self._store.link)
        if row is None:
            return None
        is_over = self._clock.latest(now, row.made) - row.made >= LINK_LIFETIME
        return None if is_over or row.supervisor not in self._supervisors else row

    async def redeem(self, token: str, key: str, now: Now, *, browser: str | None) -> SecretToken | None:
        """Sign a browser in by a link, with its public key (a JWK); None: the link or the key is not valid."""
        link, jwk = self.link(token, now), read_key(key)
        if link is None or jwk is None:
            return None
        cookie, at = SecretToken.new(COOKIE_BYTES), self._clock.read(now)
        session = SupervisorSession(
            id=cookie.id, secret=cookie.digest, supervisor=link.supervisor, sign=jwk.model_dump_json(),
            browser=browser, began=at, seen=at,
        )  # fmt: skip
        return cookie if await self._store.redeem_link(link.id, session, now, most=MAX_BROWSERS) else None

    def find(self, cookie: str | None, now: Now) -> SignedInSupervisor | None:
        """Return the supervisor of a cookie, and note the use; None: nobody is signed in by it."""
        row = find_by_token(cookie, self._store.session)
        if row is None:
            return None
        at, known, key = self._clock.latest(now, row.seen), self._supervisors.get(row.supervisor), read_key(row.sign)
        if known is None or key is None or at - row.seen >= SESSION_IDLE_LIMIT or at - row.began >= MAX_SESSION_AGE:
            return None
        if at - row.seen >= _LAST_USE_INTERVAL:
            self._store.touch_session(row.id, at)
        return SignedInSupervisor(
            session=row.id, supervisor=row.supervisor, operator=known.operator, name=known.name, key=key
        )


def read_key(text: str) -> Jwk | None:
    """Return a browser's public key; None: it is no such JWK."""
    try:
        return Jwk.model_validate_json(text)
    except ValidationError:
        return None
