"""Rate limits on MQTT messages: for each topic, for each bridge account, and for all sensors together. Pure.

A flood on one topic must not delay messages on others. The gateway therefore drops or holds messages beyond a limit
before it decodes them. It holds only the newest reading of each topic.
"""

import math
from collections import Counter
from collections.abc import Iterable
from enum import StrEnum, auto

from gateway.domain.frozen import Frozen
from gateway.mqtt.codec import RawMessage
from gateway.system.mqtt_settings import OverflowPolicy, Subscription
from gateway.system.token_bucket import TokenBucket, TokenBuckets

ACCOUNT_PER_S, ACCOUNT_AT_ONCE = 100.0, 200.0  # messages of one bridge account, except readings and door topics
ACCOUNT_READINGS_PER_S = 10.0  # of one bridge account; at once, one for each of its sensors, as after a connection
ALL_READINGS_PER_S = 20.0  # of all sensors together; at once, as above
MIN_BURST = 50.0


class TopicLimits(Frozen, kw_only=False):
    """The limits of one topic: how many messages it may send in a second, and at once.

    `max_waiting`: of its messages that are received but not read, so that one device's flood costs no other's report.
    `priority`: the order in which topics are read, 0 first.
    """

    priority: int
    per_s: float = math.inf
    at_once: float = math.inf
    max_waiting: float = math.inf


# A lock sends a few messages while it moves; a courier scans some labels a second. Of readings it is more than a
# thermometer sends: the gateway decides on each changed one, which takes some milliseconds.
TOPIC_LIMITS = {
    OverflowPolicy.KEEP: TopicLimits(priority=0),
    OverflowPolicy.DROP_AND_QUERY: TopicLimits(priority=1, per_s=60, at_once=60, max_waiting=100),
    OverflowPolicy.DROP_AND_COUNT: TopicLimits(priority=2, per_s=30, at_once=60, max_waiting=64),
    OverflowPolicy.KEEP_LATEST: TopicLimits(priority=3, per_s=1, at_once=5, max_waiting=100),
    OverflowPolicy.DROP: TopicLimits(priority=3, per_s=50, at_once=100, max_waiting=100),
}


class LimitVerdict(StrEnum):
    """What the limiter does with a message."""

    READ = auto()
    DROPPED = auto()  # and reported as missed
    IGNORED = auto()  # dropped without a report
    HELD = auto()  # until the limits allow it, or a newer one replaces it


class RateLimits:
    """The limits of one connection, and its held readings. A topic without a subscription has no limit."""

    def __init__(self, subscriptions: Iterable[Subscription]) -> None:
        self._subscriptions = {subscription.topic.encode(): subscription for subscription in subscriptions}
        known = self._subscriptions.values()
        self._sensor_counts = Counter(s.account for s in known if s.overflow is OverflowPolicy.KEEP_LATEST)
        self._topics: dict[bytes, TokenBucket] = {}
        self._accounts = TokenBuckets(ACCOUNT_PER_S, ACCOUNT_AT_ONCE)
        self._readings: dict[str, TokenBucket] = {}
        self._all_readings = TokenBucket(ALL_READINGS_PER_S, max(MIN_BURST, float(self._sensor_counts.total())))
        self._held: dict[bytes, RawMessage] = {}

    def judge(self, topic: bytes, mono: float) -> LimitVerdict:
        """Return the verdict on a message that arrives on `topic` at `mono` (monotonic seconds), and count it."""
        subscription = self._subscriptions.get(topic)
        if subscription is None or subscription.overflow is OverflowPolicy.KEEP:
            return LimitVerdict.READ
        account, overflow = subscription.account, subscription.overflow
        if overflow is OverflowPolicy.KEEP_LATEST:
            free = not self._held and self._has_room(topic, subscription, mono)  # held readings come first
            return LimitVerdict.READ if free else LimitVerdict.HELD
        if self._topic_bucket(topic, overflow).take(mono) and (account is None or self._accounts.take(account, mono)):
            return LimitVerdict.READ
        return LimitVerdict.IGNORED if overflow is OverflowPolicy.DROP else LimitVerdict.DROPPED

    def hold(self, topic: bytes, message: RawMessage) -> None:
        """Hold a reading; it replaces the held one of the same topic."""
        self._held[topic] = message

    @property
    def held_count(self) -> int:
        """Number of held readings, at most one for each topic."""
        return len(self._held)

    def take_due(self, mono: float) -> tuple[RawMessage, ...]:
        """Remove and return the held readings that the limits allow now, the oldest first."""
        free = [topic for topic in self._held if self._has_room(topic, self._subscriptions[topic], mono)]
        return tuple(self._held.pop(topic) for topic in free)

    def _has_room(self, topic: bytes, subscription: Subscription, mono: float) -> bool:
        """Take one token of each limit of a reading, or none."""
        buckets = [self._topic_bucket(topic, subscription.overflow), self._all_readings]
        if subscription.account is not None:
            buckets.append(self._sensor_bucket(subscription.account))
        return all(bucket.has(mono) for bucket in buckets) and all(bucket.take(mono) for bucket in buckets)

    def _topic_bucket(self, topic: bytes, overflow: OverflowPolicy) -> TokenBucket:
        limits = TOPIC_LIMITS[overflow]
        return self._topics.setdefault(topic, TokenBucket(limits.per_s, limits.at_once))

    def _sensor_bucket(self, account: str) -> TokenBucket:
        at_once = max(MIN_BURST, float(self._sensor_counts[account]))
        return self._readings.setdefault(account, TokenBucket(ACCOUNT_READINGS_PER_S, at_once))
