"""How much of a hub's word a box takes in, and how often it says its own again. Pure.

A hub may be away, slow or hostile; what it costs stays within these numbers.
"""

from dataclasses import dataclass

MAX_UNACKNOWLEDGED_EVENTS = 20  # events on their way that are not acknowledged
FIRST_RETRY_DELAY_S, MAX_RETRY_DELAY_S = 10.0, 300.0  # seconds after which what is not acknowledged is said again
HELLOS_BEFORE_RECONNECT = (
    3  # hellos without an answer after which the line is made anew: a cluster may have lost our subscription (seen)
)
CHECK_INTERVAL_S = (
    900.0  # seconds without a word of the hub's after which it is asked by a hello, though nothing is owed
)


@dataclass(slots=True)
class SendWindow:
    """What was sent in this session, and when it is sent again. Instants in seconds, monotonic."""

    sent: int = 0  # up to this number
    acknowledged: bool = False  # the hub has answered our hello: what it has is known
    failures: int = 0
    again: float = 0.0
    check: float = float("inf")

    def began(self, mono: float) -> None:
        """We have said hello."""
        self.sent, self.acknowledged, self.again = 0, False, mono + self.patience

    def heard(self, kept: int, mono: float) -> None:
        """The hub has told what it keeps: events are sent from there."""
        self.acknowledged, self.failures = True, 0
        self.sent = max(self.sent, kept)
        self.again, self.check = mono + self.patience, mono + CHECK_INTERVAL_S

    def silent(self) -> bool:
        """Nothing was heard in time. Whether the line is to be made anew."""
        self.failures += 1
        return self.failures % HELLOS_BEFORE_RECONNECT == 0

    @property
    def patience(self) -> float:
        """How long an answer is waited for."""
        return min(FIRST_RETRY_DELAY_S * float(2 ** min(self.failures, 10)), MAX_RETRY_DELAY_S)
