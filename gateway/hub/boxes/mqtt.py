"""The hub's MQTT connection: receives from boxes and publishes to one of them."""

import asyncio
from collections.abc import Callable, Sequence
from typing import TypeVar

import structlog
from pydantic import BaseModel

from gateway.hub.metrics import HubMetrics
from gateway.mqtt.client import MqttClient
from gateway.mqtt.packets import Acknowledgement, ConnectionOptions, InboundMessage, NotSent
from gateway.protocol.jws import parse_claims
from gateway.system.mqtt_settings import BrokerSection, Subscription

log = structlog.get_logger(__name__)

M = TypeVar("M", bound=BaseModel)

MESSAGE_EXPIRY_S = 60  # for a slow box; the store keeps the job until it is received
ACKNOWLEDGEMENT_TIMEOUT_S = 5.0  # a cluster in a partition answers nothing for a while
KEEPALIVE_S = 5  # a lost node is noticed within twice that
SESSION_EXPIRY_S = 3600  # for which a cluster keeps the messages for an absent hub
NO_MATCHING_SUBSCRIBERS = 0x10  # MQTT 5: accepted, without a subscriber
IMPLEMENTATION_SPECIFIC_ERROR = 0x83  # RabbitMQ sends it for a box without a queue
ALL_SHARD_TOPICS = tuple(f"up/+/+/{what}" for what in ("hello", "status", "evt", "gone"))


def has_no_subscriber(answer: Acknowledgement | NotSent) -> bool:
    """Return whether the broker said that the topic has no subscriber."""
    codes = (NO_MATCHING_SUBSCRIBERS, IMPLEMENTATION_SPECIFIC_ERROR)
    return isinstance(answer, Acknowledgement) and answer.code in codes


def parse_message(model: type[M], payload: bytes) -> M | None:
    """Return a box's message, or None if it is malformed."""
    try:
        return parse_claims(model, payload)
    except ValueError:  # a ValidationError is one
        return None


class HubBrokerConnection:
    """The broker connection of one process.

    `on_message` is called for each message of a box, `on_connected` after each connect. Boxes answer queries of this
    process on `reply_topic`. `shards`: the subscribed shards, whose session the broker keeps; None: all, at a broker
    that keeps no session. `brokers`: one, or the nodes of a cluster, which are tried in turn.
    """

    def __init__(  # noqa: PLR0913 - the connection's settings and callbacks, one argument each
        self,
        brokers: Sequence[BrokerSection],
        *,
        on_message: Callable[[InboundMessage], None],
        reply_topic: str,
        on_connected: Callable[[], None],
        metrics: HubMetrics,
        monotonic: Callable[[], float],
        shards: Sequence[int] | None = None,
    ) -> None:
        topics = ALL_SHARD_TOPICS if shards is None else tuple(f"up/{shard}/+/+" for shard in shards)
        self._on_connected, self._metrics = on_connected, metrics
        self.is_connected = False
        self._mqtt = MqttClient(
            broker=brokers[0],
            further_brokers=brokers[1:],
            subscriptions=[Subscription(topic=topic) for topic in (*topics, reply_topic)],
            on_message=on_message,
            on_up=self._on_session_up,
            on_down=self._on_session_down,
            on_missed=self._on_missed,
            monotonic=monotonic,
            options=ConnectionOptions(
                keepalive_s=KEEPALIVE_S, session_expiry_s=0 if shards is None else SESSION_EXPIRY_S
            ),
        )

    async def run(self) -> None:
        """Keep the connection up until cancelled."""
        await self._mqtt.run()

    async def publish(
        self, topic: str, payload: bytes, *, expiry_s: int = MESSAGE_EXPIRY_S
    ) -> Acknowledgement | NotSent:
        """Publish to a box, with an expiry of `expiry_s` seconds, and wait for the broker's acknowledgement.

        It waits `ACKNOWLEDGEMENT_TIMEOUT_S` at most. `NO_MATCHING_SUBSCRIBERS`: the box is not connected. No code: the
        message may have arrived.
        """
        sent = self._mqtt.publish(topic, payload, expiry=expiry_s)
        if isinstance(sent, NotSent):
            return sent
        answered, _ = await asyncio.wait({sent.acknowledged}, timeout=ACKNOWLEDGEMENT_TIMEOUT_S)
        return sent.acknowledged.result() if answered else Acknowledgement(code=None, seconds=ACKNOWLEDGEMENT_TIMEOUT_S)

    def publish_unacknowledged(self, topic: str, payload: bytes) -> None:
        """Publish at QoS 0 what the box will request again if it is lost."""
        self._mqtt.publish(topic, payload, qos=0, expiry=MESSAGE_EXPIRY_S)

    def _on_session_up(self, _session: int) -> None:
        self.is_connected = True
        self._metrics.broker.set(1)
        log.info("broker_up")
        self._on_connected()

    def _on_session_down(self, why: str) -> None:
        self.is_connected = False
        self._metrics.broker.set(0)
        log.warning("broker_down", why=why)

    def _on_missed(self, _topic: str) -> None:
        """Count a dropped message: a box floods, or its message is too large; it repeats what was not acknowledged."""
        self._metrics.dropped.labels("flood").inc()
