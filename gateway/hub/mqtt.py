"""The hub's line to the broker at which the boxes are: it hears what they say, and rings at one of them."""

import asyncio
import itertools
from collections.abc import Callable, Sequence

import structlog

from gateway.config.broker import Broker
from gateway.config.subscriptions import OverflowPolicy, Subscription
from gateway.hub.metrics import Tally
from gateway.mqtt.client import MqttClient
from gateway.mqtt.packets import Acknowledgement, ConnectionOptions, InboundMessage, NotSent

log = structlog.get_logger(__name__)

LIFE = 60  # seconds that the broker keeps a word for a box whose socket is slow; the store keeps it until received
ANSWER = 5.0  # seconds for the broker to say something: a cluster that splits says nothing for a while
KEEPALIVE = 5  # seconds: a node that is cut off is noticed within twice that, and the next one taken
KEPT = 3600  # seconds that a cluster keeps for a hub that is away what its homes say meanwhile
NOBODY = 0x10  # MQTT 5: taken, and no one listens
NO_QUEUE = 0x83  # implementation specific: RabbitMQ's word for a box without a queue
EVERY_SHARD = tuple(f"up/+/+/{what}" for what in ("hello", "status", "evt", "gone"))


def nobody(answer: Acknowledgement | NotSent) -> bool:
    """Whether the broker said that no one listens there."""
    return isinstance(answer, Acknowledgement) and answer.code in (NOBODY, NO_QUEUE)


class Line:
    """One a process. `heard` is called for each word of a box, `up` whenever the line has come up.

    `answers` is the topic on which boxes answer what this process asks. `shards`: those that are heard, and the session
    is kept while we are away; None: all, by a broker that keeps none. `brokers`: one, or the nodes of a cluster, tried
    one after the other.
    """

    def __init__(  # noqa: PLR0913 - what a line needs, named one by one
        self,
        brokers: Sequence[Broker],
        *,
        heard: Callable[[InboundMessage], None],
        answers: str,
        up: Callable[[], None],
        tally: Tally,
        monotonic: Callable[[], float],
        shards: Sequence[int] | None = None,
    ) -> None:
        topics = EVERY_SHARD if shards is None else tuple(f"up/{shard}/+/+" for shard in shards)
        self._up, self._tally = up, tally
        self._sessions = itertools.count(1)
        self.there = False
        self._mqtt = MqttClient(
            broker=brokers[0],
            others=brokers[1:],
            subscriptions=[
                Subscription(topic=topic, stored=False, loss=OverflowPolicy.ASKED_AGAIN) for topic in (*topics, answers)
            ],
            session_number=self._next,
            on_message=heard,
            on_up=self._on_up,
            on_down=self._on_down,
            on_missed=self._on_missed,
            monotonic=monotonic,
            presence=None,
            manner=ConnectionOptions(keepalive_s=KEEPALIVE, session_expiry_s=0 if shards is None else KEPT),
        )

    async def run(self) -> None:
        """Keep the line up until cancelled."""
        await self._mqtt.run()

    async def ring(self, topic: str, payload: bytes, *, life: int = LIFE) -> Acknowledgement | NotSent:
        """Say something to a box, for so many seconds, and wait for what the broker says, `ANSWER` seconds at most.

        `NOBODY`: the box is not there. No code: it may have arrived.
        """
        sent = self._mqtt.publish(topic, payload, expiry=life)
        if isinstance(sent, NotSent):
            return sent
        answered, _ = await asyncio.wait({sent.acknowledged}, timeout=ANSWER)
        return sent.acknowledged.result() if answered else Acknowledgement(code=None, seconds=ANSWER)

    def say(self, topic: str, payload: bytes) -> None:
        """Say what the box will ask for again if it is lost: nobody waits for the broker's answer, so none is asked."""
        self._mqtt.publish(topic, payload, qos=0, expiry=LIFE)

    async def _next(self) -> int:
        return next(self._sessions)

    def _on_up(self, _session: int) -> None:
        self.there = True
        self._tally.broker.set(1)
        log.info("broker_up")
        self._up()

    def _on_down(self, why: str) -> None:
        self.there = False
        self._tally.broker.set(0)
        log.warning("broker_down", why=why)

    def _on_missed(self, _topic: str) -> None:
        """A box floods, or a word of it is too large: it sends again what it is owed an answer to."""
        self._tally.dropped.labels("flood").inc()
