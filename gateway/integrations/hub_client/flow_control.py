"""Limits what a box accepts from a hub, and decides when it repeats its own messages. Pure.

A hub may be away, slow or hostile; its cost stays within these numbers.
"""

from dataclasses import dataclass

from gateway.system.backoff import Backoff

MAX_UNACKNOWLEDGED_EVENTS = 20  # events that may be sent before the hub acknowledges them
EVENT_BACKOFF = Backoff(10.0, 300.0)  # until an unacknowledged event is sent again
# Hellos without an answer before reconnecting: a cluster may have lost the subscription (seen)
HELLOS_BEFORE_RECONNECT = 3
CHECK_INTERVAL_S = 900.0  # seconds without a message of the hub until the box sends a hello, though nothing is due


@dataclass(slots=True)
class SendWindow:
    """The events sent in this session, and when the box repeats its hello. Instants are monotonic seconds."""

    sent_seq: int = 0  # the last event that was sent
    is_hello_acknowledged: bool = False  # the hub has answered the hello: its state is known
    failures: int = 0
    retry_at_mono: float = 0.0
    check_at_mono: float = float("inf")

    def on_hello_sent(self, mono: float) -> None:
        """Record that the hello was sent. Until its answer, only `retry_at_mono` repeats it."""
        self.sent_seq, self.is_hello_acknowledged, self.retry_at_mono = 0, False, mono + self.retry_delay_s
        self.check_at_mono = float("inf")

    def on_ack(self, stored_seq: int, mono: float) -> None:
        """Record the last event that the hub has stored: later ones are sent."""
        self.is_hello_acknowledged, self.failures = True, 0
        self.sent_seq = max(self.sent_seq, stored_seq)
        self.retry_at_mono, self.check_at_mono = mono + self.retry_delay_s, mono + CHECK_INTERVAL_S

    def on_timeout(self) -> bool:
        """Record that no answer came in time; return whether to reconnect."""
        self.failures += 1
        return self.failures % HELLOS_BEFORE_RECONNECT == 0

    @property
    def retry_delay_s(self) -> float:
        """Return the seconds to wait for an answer."""
        return EVENT_BACKOFF.delay_s(self.failures)
