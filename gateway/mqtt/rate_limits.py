"""Rate limits on MQTT messages: for each topic, for each bridge account, and for all sensors together. Pure.

A flood on one topic must not delay messages on others. The gateway therefore drops or holds messages beyond a limit
before it decodes them. It holds only the newest reading of each topic.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum, auto

from gateway.system.mqtt_settings import OverflowPolicy, Subscription
from gateway.system.token_bucket import TokenBucket

# Messages a second, and at once. A lock says a few messages while it moves; a courier scans some labels a second.
REPORTS_PER_S, REPORTS_AT_ONCE = 60.0, 60.0  # of one topic of a lock, a door sensor, a signal or a camera
SCANS_PER_S, SCANS_AT_ONCE = 30.0, 60.0  # of one scanner's topic; also of the topic on which retailers announce
LOG_LINES_PER_S, LOG_LINES_AT_ONCE = 50.0, 100.0  # of a bridge's log, which tells of commands that failed
ACCOUNT_PER_S, ACCOUNT_AT_ONCE = 100.0, 200.0  # of one bridge account, its readings and its doors' topics excepted
# Readings: more than any thermometer has to say. A house decides on each change of one, which takes some milliseconds.
READINGS_PER_S, READINGS_AT_ONCE = 1.0, 5.0  # of one topic
ACCOUNT_READINGS_PER_S = 10.0  # of one bridge account; at once, one for each of its sensors, as after a connection
ALL_READINGS_PER_S = 20.0  # of all sensors together; at once, as above
MIN_BURST = 50.0
TOPIC_LIMITS = {
    OverflowPolicy.ASKED_AGAIN: (REPORTS_PER_S, REPORTS_AT_ONCE),
    OverflowPolicy.COUNTED: (SCANS_PER_S, SCANS_AT_ONCE),
    OverflowPolicy.LATEST: (READINGS_PER_S, READINGS_AT_ONCE),
    OverflowPolicy.UNTOLD: (LOG_LINES_PER_S, LOG_LINES_AT_ONCE),
}


class LimitVerdict(StrEnum):
    """What to do with a message that has arrived."""

    READ = auto()
    DROPPED = auto()  # and it is counted
    IGNORED = auto()  # dropped, and nobody needs to know
    WAITS = auto()  # until there is room again, or a newer one replaces it


@dataclass(frozen=True, slots=True)
class HeldMessage:
    """A held message: its MQTT header byte without QoS, and its packet without a packet identifier."""

    command: int
    packet: bytes


class RateLimits:
    """The limits of one connection, and its held readings. A topic without a subscription has no limit."""

    def __init__(self, subscriptions: Iterable[Subscription]) -> None:
        """Make a limit for each topic and each account; all are unused at first."""
        self._of = {one.topic.encode(): one for one in subscriptions}
        sensors: dict[str | None, int] = {}
        for one in self._of.values():
            if one.loss is OverflowPolicy.LATEST:
                sensors[one.account] = sensors.get(one.account, 0) + 1
        self._sensors = sensors
        self._topics: dict[bytes, TokenBucket] = {}
        self._accounts: dict[str, TokenBucket] = {}
        self._readings: dict[str, TokenBucket] = {}
        self._all = TokenBucket(ALL_READINGS_PER_S, max(MIN_BURST, float(sum(sensors.values()))))
        self._waiting: dict[bytes, HeldMessage] = {}

    def judge(self, topic: bytes, mono: float) -> LimitVerdict:
        """Return the verdict on a message that arrives on `topic` at `mono` (monotonic seconds), and count it."""
        found = self._of.get(topic)
        if found is None or found.loss is OverflowPolicy.NEVER:
            return LimitVerdict.READ
        if found.loss is OverflowPolicy.LATEST:
            free = not self._waiting and self._has_room(topic, found, mono)  # else those that wait come first
            return LimitVerdict.READ if free else LimitVerdict.WAITS
        if self._topic(topic, found).take(mono) and (found.account is None or self._account(found.account).take(mono)):
            return LimitVerdict.READ
        return LimitVerdict.IGNORED if found.loss is OverflowPolicy.UNTOLD else LimitVerdict.DROPPED

    def hold(self, topic: bytes, message: HeldMessage) -> None:
        """Hold a reading; it replaces the held one of the same topic."""
        self._waiting[topic] = message

    @property
    def waiting(self) -> int:
        """Count the held readings, at most one for each topic."""
        return len(self._waiting)

    def due(self, mono: float) -> tuple[HeldMessage, ...]:
        """Remove and return the held readings that the limits allow now, the oldest first."""
        free = [topic for topic in self._waiting if self._has_room(topic, self._of[topic], mono)]
        return tuple(self._waiting.pop(topic) for topic in free)

    def _has_room(self, topic: bytes, found: Subscription, mono: float) -> bool:
        """Take one token of each limit of a reading, or none."""
        buckets = [self._topic(topic, found), self._all]
        if found.account is not None:
            buckets.append(self._of_sensors(found.account))
        return all(bucket.has(mono) for bucket in buckets) and all(bucket.take(mono) for bucket in buckets)

    def _topic(self, topic: bytes, found: Subscription) -> TokenBucket:
        bucket = self._topics.get(topic)
        if bucket is None:
            bucket = self._topics[topic] = TokenBucket(*TOPIC_LIMITS[found.loss])
        return bucket

    def _account(self, account: str) -> TokenBucket:
        return self._accounts.setdefault(account, TokenBucket(ACCOUNT_PER_S, ACCOUNT_AT_ONCE))

    def _of_sensors(self, account: str) -> TokenBucket:
        at_once = max(MIN_BURST, float(self._sensors[account]))
        return self._readings.setdefault(account, TokenBucket(ACCOUNT_READINGS_PER_S, at_once))
