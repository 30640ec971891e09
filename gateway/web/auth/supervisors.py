"""Signs supervisors' browsers in. Each brings its own key, whose private half never leaves the browser."""

from collections.abc import Mapping

from pydantic import ValidationError

from gateway.config.robots import SupervisorSection
from gateway.domain.frozen import Frozen
from gateway.domain.now import Now
from gateway.protocol.browser_envelope import Jwk
from gateway.storage.store import Store
from gateway.storage.supervisors import SupervisorLink, SupervisorSession
from gateway.web.auth.link_access import LinkAccess
from gateway.web.auth.session_age import EarliestClock
from gateway.web.auth.tokens import SecretToken


class SignedInSupervisor(Frozen):
    """A supervisor who is signed in in this browser."""

    session: str  # its id, no secret
    supervisor: str
    operator: str
    name: str
    key: Jwk  # of this browser


class SupervisorAccess(LinkAccess[SupervisorLink, SupervisorSession]):
    """The sessions of the supervisors of one box."""

    def __init__(self, store: Store, supervisors: Mapping[str, SupervisorSection], clock: EarliestClock) -> None:
        super().__init__(store.supervisors, clock)
        self._supervisors = supervisors

    async def make_link(self, supervisor: str, now: Now, *, by: str) -> SecretToken:
        """Make a link for a supervisor of the house file, which is shown this once. KeyError: there is no such one."""
        self._supervisors[supervisor]
        return await self.add_link(
            lambda token, at: SupervisorLink(id=token.id, secret=token.digest, supervisor=supervisor, by=by, made=at),
            now,
        )

    def is_link_known(self, link: SupervisorLink) -> bool:
        """Return whether the house file still has the supervisor."""
        return link.supervisor in self._supervisors

    async def redeem(self, token: str, key: str, now: Now, *, browser: str | None) -> SecretToken | None:
        """Sign a browser in by a link, with its public key (a JWK); None: the link or the key is not valid."""
        link, jwk = self.link(token, now), read_key(key)
        if link is None or jwk is None:
            return None
        supervisor, sign = link.supervisor, jwk.model_dump_json()
        return await self.begin_session(
            link,
            lambda cookie, at: SupervisorSession(
                id=cookie.id, secret=cookie.digest, supervisor=supervisor, sign=sign, browser=browser,
                began=at, seen=at,
            ),
            now,
        )  # fmt: skip

    def find(self, cookie: str | None, now: Now) -> SignedInSupervisor | None:
        """Return the supervisor of a cookie, and note the use; None: nobody is signed in by it."""
        row = self.find_session(cookie, now, lambda one: one.supervisor in self._supervisors)
        key = None if row is None else read_key(row.sign)
        if row is None or key is None:
            return None
        known = self._supervisors[row.supervisor]
        return SignedInSupervisor(
            session=row.id, supervisor=row.supervisor, operator=known.operator, name=known.name, key=key
        )


def read_key(text: str) -> Jwk | None:
    """Return a browser's public key; None: it is no such JWK."""
    try:
        return Jwk.model_validate_json(text)
    except ValidationError:
        return None
