"""Makes the box's statements for the hub: what it understands, one for each brand that came through the hub.

A statement is sent once in a session, after each change, and anew each day: it counts for seven days. It is sent on the
channel of the events, but is none: a hub of an older release drops it, and the chain of events does not notice.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from gateway.domain.delivery.address import HomeAddress
from gateway.domain.delivery.features import SPEAKS, entrance_features
from gateway.domain.frozen import Frozen, replace
from gateway.domain.now import Now
from gateway.protocol.box_statement import RENEWAL_AGE, STATEMENT_LIFETIME, BoxStatement, StatedAddress, sign_statement
from gateway.protocol.keys import BoxKey

MAX_STATEMENTS = 32  # brands of one house, the first by name
MAX_ENTRANCES = 32  # in one statement
CHECK_INTERVAL_S = 1.0  # seconds between two looks at what changed


class _Made(Frozen):
    entrances: frozenset[str]
    address: HomeAddress | None
    at: datetime
    token: bytes
    is_sent: bool = False


class StatementBook:
    """The statements of one home at the hub, under the box's key."""

    def __init__(self, home: str, key: BoxKey, *, robot_entrances: frozenset[str] = frozenset()) -> None:
        self._home, self._key, self._robot_entrances = home, key, robot_entrances
        self._made: dict[str, _Made] = {}
        self._look_at_mono = float("-inf")

    def on_session(self) -> None:
        """Send all again: a session with a hub begins."""
        self._made.clear()
        self._look_at_mono = float("-inf")

    def is_due(self, mono: float) -> bool:
        """Return whether it is time to look for statements to send; if so, the next time is a second later."""
        if mono < self._look_at_mono:
            return False
        self._look_at_mono = mono + CHECK_INTERVAL_S
        return True

    def unsent(
        self, permitted: Mapping[str, frozenset[str]], now: Now, address: HomeAddress | None = None
    ) -> Mapping[str, bytes]:
        """Return the statement of each brand that the hub does not have yet; without trusted time there is none.

        `permitted`: the entrances that each brand may use. `address`: what the owner tells of the home's address.
        """
        if not now.trusted:
            return {}
        brands = sorted(permitted)[:MAX_STATEMENTS]
        self._made = {brand: self._current(brand, permitted[brand], address, now) for brand in brands}
        return {brand: made.token for brand, made in self._made.items() if not made.is_sent}

    def mark_sent(self, brand: str) -> None:
        """Record that the hub has a brand's statement."""
        made = self._made[brand]
        self._made[brand] = replace(made, is_sent=True)

    def _current(self, brand: str, entrances: frozenset[str], address: HomeAddress | None, now: Now) -> _Made:
        made, stated = self._made.get(brand), (entrances, address)
        if (
            made is not None
            and (made.entrances, made.address) == stated
            and timedelta(0) <= now.utc - made.at < RENEWAL_AGE
        ):
            return made
        begin = int(now.utc.timestamp())
        statement = BoxStatement(
            iss=self._home,
            sub=brand,
            iat=begin,
            exp=begin + int(STATEMENT_LIFETIME.total_seconds()),
            speaks=SPEAKS,
            address=None if address is None else StatedAddress(kind=address.kind, text=address.text),
            entrances={
                name: entrance_features(robots=name in self._robot_entrances)
                for name in sorted(entrances)[:MAX_ENTRANCES]
            },
        )
        return _Made(entrances=entrances, address=address, at=now.utc, token=sign_statement(statement, self._key.sign))
