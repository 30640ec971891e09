"""A session of MQTT 5 as a box has it, made for thousands of them in one process of a test.

Clean start, session expiry 0, QoS 1, a last will: what a box uses and no more. One `Mqtt5Session` is one connection;
what arrives goes to `heard`, and is acknowledged when that has returned. One whose ping is not answered until the next
one is due is ended.
"""

import asyncio
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gateway.mqtt import codec
from gateway.mqtt.inbound_limits import PacketReader

MAX_PACKET_BYTES = 2**20


class ConnectionLost(Exception):  # noqa: N818 - it says what happened
    """The connection ended, or was refused; the text says why."""


@dataclass(frozen=True)
class Login:
    """Who connects; `will` is a topic, on which `{}` is said when the line ends by itself."""

    client: str
    will: str
    keepalive: int
    password: str | None = None
    qos: int = 0
    expiry: int = 0  # seconds that the broker keeps its session


def connect(login: Login) -> bytes:
    """CONNECT."""
    return codec.encode_connect(
        login.client, username=None if login.password is None else login.client, password=login.password,
        clean_start=True, keepalive_s=login.keepalive, session_expiry_s=login.expiry, receive_maximum=20,
        max_packet_bytes=MAX_PACKET_BYTES, will=codec.Will(topic=login.will, payload=b"{}", retain=False),
    )  # fmt: skip


def subscribe(topics: Sequence[str], qos: int) -> bytes:
    """SUBSCRIBE, as packet 1: nothing retained."""
    return codec.encode_subscribe(
        1, [codec.TopicFilter(topic=one, qos=qos, retain_as_published=True, retain_handling=2) for one in topics]
    )


def publish(topic: str, payload: bytes, ident: int, expiry: int) -> bytes:
    """PUBLISH with QoS 1."""
    properties = codec.encode_publish_properties(
        expiry=expiry, correlation=None, response_topic=None, user_properties=None
    )
    return codec.encode_publish(topic.encode(), payload, qos=1, retain=False, packet_id=ident, properties=properties)


class Mqtt5Session(asyncio.Protocol):
    """One connection. `up` ends when the broker has taken the subscription, `over` when the line has ended."""

    def __init__(self, login: Login, topics: Sequence[str], heard: Callable[[str, bytes], None]) -> None:
        loop = asyncio.get_running_loop()
        self._login, self._topics, self._on_message = login, topics, heard
        self._reader = PacketReader(MAX_PACKET_BYTES)
        self._ident = 1
        self._transport: asyncio.Transport | None = None
        self._beat: asyncio.TimerHandle | None = None
        self._pinged = False  # and the broker has not answered
        self.up: asyncio.Future[None] = loop.create_future()
        self.over: asyncio.Future[str] = loop.create_future()
        self.refused = 0  # publications that the broker answered with a failure

    # ---- asyncio's -----------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket is open."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(connect(self._login))

    def data_received(self, data: bytes) -> None:
        """Some bytes came."""
        self._reader.feed(data)
        while (whole := self._reader.next_packet()) is not None:
            self._on_packet(*whole)

    def connection_lost(self, exc: Exception | None) -> None:
        """It ended."""
        self._end(str(exc) if exc is not None else "closed")

    # ---- ours ----------------------------------------------------------------------------------------------------

    def say(self, topic: str, payload: bytes, *, expiry: int = 300) -> bool:
        """Publish; False: the line is not there."""
        if self._transport is None or self.over.done():
            return False
        self._ident = self._ident % 65_535 + 1
        self._transport.write(publish(topic, payload, self._ident, expiry))
        return True

    def close(self) -> None:
        """End it in good order."""
        if self._transport is not None:
            self._transport.write(codec.DISCONNECT_PACKET)
            self._transport.close()
        self._end("closed by us")

    def abort(self) -> None:
        """End it as a power cut would."""
        if self._transport is not None:
            self._transport.abort()
        self._end("aborted")

    def _on_packet(self, first: int, body: bytes) -> None:
        assert self._transport is not None
        match first >> 4:
            case 2:  # CONNACK
                if body[1] != 0:
                    self._end(f"refused: {body[1]:#x}")
                    self._transport.abort()
                    return
                self._transport.write(subscribe(self._topics, self._login.qos))
                self._tick()
            case 9:  # SUBACK
                bad = [code for code in body[-len(self._topics) :] if code >= 0x80]
                if bad:
                    self._end(f"subscription refused: {bad[0]:#x}")
                    self._transport.abort()
                elif not self.up.done():
                    self.up.set_result(None)
            case 3:  # PUBLISH
                self._on_publish(first, body)
            case 4:  # PUBACK
                self.refused += len(body) > 2 and body[2] >= 0x80
            case 13:  # PINGRESP
                self._pinged = False
            case 14:  # DISCONNECT
                self._end(f"told to go: {body[0] if body else 0:#x}")
                self._transport.close()
            case _:
                pass

    def _on_publish(self, first: int, body: bytes) -> None:
        message = codec.split_publish(first, body)
        self._on_message(message.topic.decode(), codec.decode_content(message.rest).payload)
        if message.packet_id and self._transport is not None:
            self._transport.write(codec.encode_puback(message.packet_id))

    def _tick(self) -> None:
        if self._transport is None or self.over.done():
            return
        if self._pinged:
            self._end("a ping was not answered")
            self._transport.abort()
            return
        self._pinged = True
        self._transport.write(codec.PINGREQ_PACKET)
        self._beat = asyncio.get_running_loop().call_later(self._login.keepalive * 0.75, self._tick)

    def _end(self, why: str) -> None:
        if self._beat is not None:
            self._beat.cancel()
        if not self.over.done():
            self.over.set_result(why)
        if not self.up.done():
            self.up.set_exception(ConnectionLost(why))
            self.up.exception()  # whoever waits for nothing is told nothing


async def open_session(  # noqa: PLR0913 - where, who and how
    host: str, port: int, login: Login, topics: Sequence[str], heard: Callable[[str, bytes], None], *,
    tls: ssl.SSLContext | None = None, patience: float = 10.0,
) -> Mqtt5Session:  # fmt: skip
    """Connect and subscribe.

    Raises:
        Lost, OSError: it could not be done within `patience` seconds.
    """
    loop = asyncio.get_running_loop()
    session = Mqtt5Session(login, topics, heard)
    try:
        async with asyncio.timeout(patience):
            await loop.create_connection(lambda: session, host, port, ssl=tls, server_hostname=host if tls else None)
            await asyncio.shield(session.up)
    except (TimeoutError, ssl.SSLError) as error:
        session.abort()
        raise ConnectionLost(str(error) or "no answer in time") from error
    except BaseException:
        session.abort()
        raise
    return session
