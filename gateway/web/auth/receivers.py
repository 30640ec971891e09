"""Signs receivers' browsers in. A session names a reception and a receiver of the house file."""

from collections.abc import Mapping

from gateway.config.reception import ReceptionSection
from gateway.domain.frozen import Frozen
from gateway.domain.now import Now
from gateway.storage.receivers import ReceiverLink, ReceiverSession
from gateway.storage.store import Store
from gateway.web.auth.link_access import LinkAccess
from gateway.web.auth.session_age import EarliestClock
from gateway.web.auth.tokens import SecretToken


class SignedInReceiver(Frozen):
    """A receiver who is signed in in this browser."""

    session: str  # its id, no secret
    reception: str
    receiver: str
    name: str


class ReceiverAccess(LinkAccess[ReceiverLink, ReceiverSession]):
    """The sessions of the receivers of one box."""

    def __init__(self, store: Store, receptions: Mapping[str, ReceptionSection], clock: EarliestClock) -> None:
        super().__init__(store.receivers, clock)
        self._receptions = receptions

    async def make_link(self, reception: str, receiver: str, now: Now, *, by: str) -> SecretToken:
        """Make a link for a receiver of the house file, which is shown this once. KeyError: there is no such one."""
        self._receptions[reception].receivers[receiver]
        return await self.add_link(
            lambda token, at: ReceiverLink(
                id=token.id, secret=token.digest, reception=reception, receiver=receiver, by=by, made=at
            ),
            now,
        )

    def is_link_known(self, link: ReceiverLink) -> bool:
        """Return whether the house file still has the receiver."""
        return self.name_of(link.reception, link.receiver) is not None

    async def redeem(self, token: str, now: Now, *, browser: str | None) -> SecretToken | None:
        """Sign a browser in by a link, and return the content of its cookie; None: the link is not valid."""
        link = self.link(token, now)
        if link is None:
            return None
        whose = {"reception": link.reception, "receiver": link.receiver}
        return await self.begin_session(
            link,
            lambda cookie, at: ReceiverSession(
                id=cookie.id, secret=cookie.digest, **whose, browser=browser, began=at, seen=at
            ),
            now,
        )

    def find(self, cookie: str | None, now: Now) -> SignedInReceiver | None:
        """Return the receiver of a cookie, and note the use; None: nobody is signed in by it."""
        row = self.find_session(cookie, now, lambda one: self.name_of(one.reception, one.receiver) is not None)
        name = None if row is None else self.name_of(row.reception, row.receiver)
        if row is None or name is None:
            return None
        return SignedInReceiver(session=row.id, reception=row.reception, receiver=row.receiver, name=name)

    def name_of(self, reception: str, receiver: str) -> str | None:
        """Return the name of a receiver; None: the house file has none of these ids."""
        section = self._receptions.get(reception)
        known = None if section is None else section.receivers.get(receiver)
        return None if known is None else known.name
