"""The gateway's side of the guard protocol: signs messages to a guard and verifies messages from it.

The module does not trust the house's broker. It uses only the signed content of a guard's message: the device, the
topic suffix, the boot, the sequence and the gateway's query that it answers. A query is a new random value each time,
so no answer to it can be prepared, and an answer that comes too late does not count. The client accepts another boot
only with an answer to its own query.
"""

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal, Unpack

import structlog

from devices.commands import UnlockDoor
from devices.vendors import guard as words
from devices.vendors.words import TopicSuffix
from gateway.config.devices import DoorDevice, LockDevice
from gateway.config.home import Home
from gateway.config.topics import device_topic
from gateway.domain.frozen import Frozen
from gateway.mqtt.packets import Acknowledgement, InboundMessage, NotSent, PublishOptions, Sent
from gateway.mqtt.publisher import Publisher
from gateway.protocol.ed25519 import PublicKey, SigningKey
from gateway.protocol.guard_message import FromGuard, ToGuard, sign_guard_message, verify_guard_message
from gateway.protocol.keys import command_key
from gateway.system.token_bucket import FixedWindow

HEARTBEAT_INTERVAL_S = 4.0  # seconds between two heartbeats; each answer brings the next challenge
ANSWER_TIMEOUT_S = 5.0  # seconds: a later message answers nothing
CHALLENGE_MARGIN_S = 1.0  # seconds of a challenge's life that stay unused: the command needs time on its way
MAX_MESSAGES_PER_SECOND = 60  # messages of one guard that are examined in a second: a signature costs 0.1 ms
MAX_HELD_QUERIES = 64  # queries that wait for a challenge

log = structlog.get_logger(__name__)


class _Query(Frozen, kw_only=False):
    correlation: bytes | None
    sent_at: float


@dataclass(slots=True)
class _GuardPeer:
    lock: str
    door: str | None
    public_key: PublicKey
    signing_key: SigningKey
    boot: str | None = None
    counter: int = 0
    nonce: str | None = None
    nonce_until: float = 0.0
    seqs: dict[str, int] = field(default_factory=dict)
    open_queries: dict[str, _Query] = field(default_factory=dict)
    queued_queries: list[tuple[bytes, _Query]] = field(default_factory=list)
    last_heartbeat_mono: float = float("-inf")
    message_rate: FixedWindow = field(default_factory=lambda: FixedWindow(MAX_MESSAGES_PER_SECOND))


class GuardClient:
    """The client of all guards of a house: a `Publisher` between the command executor and the MQTT client."""

    def __init__(self, home: Home, *, publisher: Publisher, monotonic: Callable[[], float]) -> None:
        """Read the guards from the configuration, and the key that they know from the box's folder.

        Raises:
            KeyUnusable, OSError: a lock has a guard, and the key cannot be used.
        """
        self._home, self._publisher, self._mono = home, publisher, monotonic
        self._peers: list[_GuardPeer] = []
        self._guards: dict[str, _GuardPeer] = {}  # by each of its devices
        self._topics: dict[str, tuple[_GuardPeer, TopicSuffix]] = {}
        for lock, section in home.devices.items():
            if not isinstance(section, LockDevice) or section.guard is None:
                continue
            doors = [
                id_
                for id_, door in home.devices.items()
                if isinstance(door, DoorDevice) and door.definition.is_behind_guard and door.address == lock
            ]
            key = command_key(home.storage.folder / "key")
            guard = _GuardPeer(lock, doors[0] if doors else None, PublicKey.from_jwk(section.guard.key), key)
            self._peers.append(guard)
            self._guards |= dict.fromkeys((lock, *doors), guard)
            for channel in (TopicSuffix.SET, TopicSuffix.GET):
                self._topics[device_topic(home, lock, channel)] = guard, channel

    def publish(self, topic: str, payload: bytes, **options: Unpack[PublishOptions]) -> Sent | NotSent:
        """Publish a message, signed if it goes to a guard. Without a valid challenge a command is not sent at all."""
        guard, channel = self._topics.get(topic, (None, None))
        if guard is None:
            return self._publisher.publish(topic, payload, **options)
        if channel is TopicSuffix.GET:
            return self._query(guard, payload, _Query(options.get("correlation"), self._mono()))
        expiry, immediate = options.get("expiry"), options.get("immediate", False)
        return self._send_command(guard, payload, expiry=expiry, immediate=immediate)

    def _send_command(
        self, guard: _GuardPeer, payload: bytes, *, expiry: int | None, immediate: bool
    ) -> Sent | NotSent:
        nonce = self._current_nonce(guard)
        if nonce is None:
            self._send_heartbeat(guard)
            return NotSent.NO_CHALLENGE
        unlocks = isinstance(words.decode_command(TopicSuffix.SET, payload), UnlockDoor)
        query, counter = _Query(None, self._mono()), guard.counter + 1 if unlocks else None
        sent = self._send(guard, "set", query, body=payload, counter=counter, expiry=expiry, immediate=immediate)
        if unlocks and isinstance(sent, Sent):
            guard.nonce = None  # used, whatever the result
        return sent

    def _query(self, guard: _GuardPeer, payload: bytes, query: _Query) -> Sent | NotSent:
        if self._current_nonce(guard) is not None:
            return self._send(guard, "get", query, body=payload, expiry=round(ANSWER_TIMEOUT_S))
        guard.queued_queries = [*guard.queued_queries, (payload, query)][-MAX_HELD_QUERIES:]
        return self._send_heartbeat(guard)

    def _current_nonce(self, guard: _GuardPeer) -> str | None:
        return guard.nonce if guard.nonce is not None and self._mono() < guard.nonce_until else None

    def _send(
        self, guard: _GuardPeer, at: Literal["set", "get", "beat"], query: _Query, *, body: bytes = b"",
        counter: int | None = None, **options: Unpack[PublishOptions],
    ) -> Sent | NotSent:  # fmt: skip
        question = secrets.token_urlsafe(16)
        nonce = self._current_nonce(guard)
        claims = ToGuard(at=at, lock=guard.lock, question=question, nonce=nonce, counter=counter, body=body.decode())
        guard.open_queries = {
            id_: other for id_, other in guard.open_queries.items() if query.sent_at - other.sent_at <= ANSWER_TIMEOUT_S
        } | {question: query}
        topic = device_topic(self._home, guard.lock, TopicSuffix.SET if at == "set" else TopicSuffix.GET)
        return self._publisher.publish(topic, sign_guard_message(claims, guard.signing_key), **options)

    def _send_heartbeat(self, guard: _GuardPeer) -> Sent | NotSent:
        now = self._mono()
        if now - guard.last_heartbeat_mono < HEARTBEAT_INTERVAL_S / 8:  # a heartbeat is under way
            acknowledged: asyncio.Future[Acknowledgement] = asyncio.get_running_loop().create_future()
            acknowledged.set_result(Acknowledgement(code=None, seconds=0.0))
            return Sent(acknowledged)
        guard.last_heartbeat_mono = now
        return self._send(guard, "beat", _Query(None, now), expiry=round(ANSWER_TIMEOUT_S))

    def on_connected(self) -> None:
        """Start a new broker session: earlier queries get no answer any more."""
        for guard in self._peers:
            guard.open_queries, guard.queued_queries, guard.last_heartbeat_mono = {}, [], float("-inf")
            self._send_heartbeat(guard)

    async def run(self) -> None:
        """Send heartbeats until cancelled."""
        while True:
            await asyncio.sleep(HEARTBEAT_INTERVAL_S)
            for guard in self._peers:
                self._send_heartbeat(guard)

    def on_message(
        self, devices: tuple[str, ...], channel: TopicSuffix, incoming: InboundMessage
    ) -> tuple[tuple[str, TopicSuffix, InboundMessage], ...]:
        """Return which of `devices` sent which message on which topic suffix; of a guard, only its signed content."""
        guard = next((self._guards[device] for device in devices if device in self._guards), None)
        if guard is None:
            return tuple((device, channel, incoming) for device in devices)
        if channel is TopicSuffix.AVAILABILITY and incoming.payload == words.OFFLINE:
            guard.nonce = None
            bare = replace(incoming, boot=None, seq=None, uptime_ms=None, correlation=None)
            return tuple((device, channel, bare) for device in devices)  # bad news needs no proof
        now = self._mono()
        if incoming.retain or channel is TopicSuffix.AVAILABILITY or not guard.message_rate.take(now):
            return ()
        claims = verify_guard_message(incoming.payload, FromGuard, guard.public_key)
        if isinstance(claims, str):
            log.warning("guard_not_believed", lock=guard.lock, why=claims)
            return ()
        return self._accept_claims(guard, claims, incoming, now)

    def _accept_claims(
        self, guard: _GuardPeer, claims: FromGuard, incoming: InboundMessage, now: float
    ) -> tuple[tuple[str, TopicSuffix, InboundMessage], ...]:
        query = guard.open_queries.get(claims.question or "")  # two may answer it: the guard at once, its device later
        answered = query if query is not None and now - query.sent_at <= ANSWER_TIMEOUT_S else None
        if claims.lock != guard.lock:
            return ()
        if claims.boot != guard.boot:
            if answered is None:  # it restarted, or the message is an old one: query it
                self._send_heartbeat(guard)
                return ()
            guard.boot, guard.seqs, guard.counter, guard.nonce = claims.boot, {}, claims.counter, None
        if claims.seq <= guard.seqs.get(claims.part, 0):
            return ()
        guard.seqs[claims.part] = claims.seq
        guard.counter = max(guard.counter, claims.counter)
        if claims.part == "guard":
            if answered is not None and claims.nonce is not None:
                until = answered.sent_at + (claims.nonce_ms or 0) / 1000 - CHALLENGE_MARGIN_S
                self._on_challenge(guard, claims.nonce, until)
            return ()
        device = guard.lock if claims.part == "lock" else guard.door
        if device is None:
            return ()
        signed = replace(
            incoming,
            payload=claims.body.encode(),
            boot=claims.boot,
            seq=claims.seq,
            uptime_ms=claims.uptime_ms,
            correlation=None if answered is None else answered.correlation,
        )
        return ((device, TopicSuffix(claims.channel), signed),)

    def _on_challenge(self, guard: _GuardPeer, nonce: str, until: float) -> None:
        if until <= guard.nonce_until and guard.nonce is not None:
            return
        guard.nonce, guard.nonce_until = nonce, until
        queued, guard.queued_queries = guard.queued_queries, []
        for payload, query in queued:
            if self._mono() - query.sent_at <= ANSWER_TIMEOUT_S:
                self._query(guard, payload, query)
