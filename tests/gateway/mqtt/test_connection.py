"""A connection at a broker that says exactly what a test writes: what ends it, what does not, and what it sends."""

import asyncio
import contextlib
import ssl
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from gateway.mqtt.client import ShortSession, connect_once
from gateway.mqtt.connection import CLOSED_BY_BROKER, NO_ANSWER, BrokerError, Connection
from gateway.mqtt.inbound_limits import MAX_UNREAD_BYTES, PacketReader
from gateway.mqtt.outbound import OutboundMessage
from gateway.mqtt.packets import Acknowledgement, ConnectionOptions, NotSent
from gateway.mqtt.tls import ACCOUNT_REFUSED
from gateway.system.mqtt_settings import BrokerSection, BrokerTls, Subscription
from tests.certified import make_certificate
from tests.hostilebroker import message, packet
from tests.waiting import wait_until

LONG = 30.0
WELCOME = packet(0x20, b"\0\0\0")
SUBACK = packet(0x90, b"\0\1\0\1")
HELD_BACK = 4_096  # bytes that a broker's socket takes while the broker does not read


@dataclass
class Scripted:
    """What a broker says at CONNECT, at SUBSCRIBE and then, and what the client sent. `says` None: it closes."""

    at_connect: bytes = WELCOME
    at_subscribe: bytes = SUBACK
    says: Sequence[bytes | None] = ()
    port: int = 0
    sent: list[tuple[int, bytes]] = field(default_factory=list)
    writer: asyncio.StreamWriter | None = None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writer = writer
        packets = PacketReader(1_000_000)
        with contextlib.suppress(OSError):
            while data := await reader.read(65_536):
                packets.feed(data)
                while (one := packets.next_packet()) is not None:
                    self.sent.append(one)
                    if one[0] == 0x10:
                        writer.write(self.at_connect)
                    elif one[0] == 0x82:
                        writer.write(self.at_subscribe)
                        for said in self.says:
                            if said is None:
                                writer.close()
                                return
                            writer.write(said)
                            await asyncio.sleep(0)
        writer.close()

    def payloads(self) -> list[bytes]:
        """The payloads of QoS 1 messages without properties, whose topic has one letter."""
        return [body[6:] for first, body in self.sent if first >> 4 == 3 and first & 2]

    def count(self, first: int) -> int:
        return sum(one == first for one, _ in self.sent)


@contextlib.asynccontextmanager
async def listening(script: Scripted, tls: ssl.SSLContext | None = None) -> AsyncIterator[Scripted]:
    server = await asyncio.start_server(script.serve, "127.0.0.1", 0, limit=HELD_BACK, ssl=tls)
    script.port = server.sockets[0].getsockname()[1]
    try:
        yield script
    finally:
        server.close()
        if script.writer is not None:
            script.writer.transport.abort()
        await asyncio.sleep(0)


@contextlib.asynccontextmanager
async def connected(
    script: Scripted,
    *,
    keepalive_s: int = 5,
    connect_timeout_s: float = LONG,
    tls: tuple[Path, Path, Path] | None = None,
) -> AsyncIterator[Connection]:
    context = None
    if tls is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tls[1], tls[2])
    async with listening(script, context):
        connection = Connection(
            BrokerSection(
                host="localhost" if tls else "127.0.0.1", port=script.port, tls=BrokerTls(ca=tls[0]) if tls else None
            ),
            monotonic=time.monotonic, subscriptions=(), on_missed=lambda _topic: None,
            options=ConnectionOptions(keepalive_s=keepalive_s, connect_timeout_s=connect_timeout_s),
        )  # fmt: skip
        async with connection.open():
            await connection.subscribe([Subscription(topic="#")])
            yield connection


def outbound(payload: bytes, *, qos: int = 1) -> OutboundMessage:
    future: asyncio.Future[Acknowledgement] = asyncio.get_running_loop().create_future()
    return OutboundMessage(b"t", payload, qos, False, b"", future)  # noqa: FBT003 - as the field is called


async def end_of(connection: Connection) -> str:
    """Why it ended, after all that came before."""
    async with asyncio.timeout(LONG):
        try:
            while True:
                await connection.next_message()
        except BrokerError as error:
            return str(error)


MAY_NOT = "the broker sends a packet that it may not send"
CUT_OFF = "the broker sends a packet whose properties are cut off"
ALIAS = "the broker sends a message with a topic alias that was not asked for"
INVALID_TOPIC = "the broker sends a message with an invalid topic"


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (packet(0xF0, b"\x18\0"), MAY_NOT),  # AUTH
        (packet(0x00, b""), MAY_NOT),
        (packet(0x10, b"\0\4MQTT"), MAY_NOT),
        (WELCOME, MAY_NOT),
        (packet(0x50, b"\0\1"), MAY_NOT),  # PUBREC, PUBREL, PUBCOMP: QoS 2
        (packet(0x62, b"\0\1"), MAY_NOT),
        (packet(0x70, b"\0\1"), MAY_NOT),
        (packet(0xB0, b"\0\1\0\0"), MAY_NOT),
        (packet(0xC0, b""), MAY_NOT),
        (b"\x30\xff\xff\xff\xff\x7f", "the broker sends a packet with an invalid length"),
        (b"\x30\xff\xff\xff\x7f", "the broker sends a packet of more than 131072 bytes"),  # 268 MB, and not one of them
        (b"\xd0\xff\x7f", "the broker sends more than 4096 bytes that are not a message"),
        (message(b"a", qos=2), "the broker sends a message under a QoS that was not asked for"),
        (message(b"a", qos=3), "the broker sends a message under a QoS that was not asked for"),
        (message(b"a", qos=1, name=0), "the broker sends a message without a packet identifier"),
        (message(b""), INVALID_TOPIC),
        (message(b"a/#"), INVALID_TOPIC),
        (message(b"a\0"), INVALID_TOPIC),
        (message(b"a\xff"), INVALID_TOPIC),
        (message(b"a", properties=b"\x23\0\1"), ALIAS),
        (message(b"", properties=b"\x23\0\1"), INVALID_TOPIC),
        (message(b"a", properties=b"\x7f"), "the broker sends a packet with an unknown property"),
        (message(b"a", properties=b"\x01\0\x01\0"), "the broker sends a packet with a property twice"),
        (message(b"a", properties=b"\x09\0\xff"), CUT_OFF),
        (packet(0x30, b"\0\1a\x05"), CUT_OFF),
        (packet(0x30, b"\0\1a"), "the broker sends a message that is cut off"),
        (packet(0x30, b"\xff\xffa\0"), "the broker sends a message that is cut off"),
        (packet(0x40, b"\0"), "the broker acknowledges a message with an invalid packet"),
        (packet(0xE0, b"\x8e"), "[code:142] Session taken over"),
        (packet(0xE0, b""), "[code:0] Normal disconnection"),
        (packet(0xE0, b"\x8b\0"), "[code:139] Server shutting down"),
        (None, CLOSED_BY_BROKER),
    ],
)
async def test_what_no_honest_broker_sends_ends_the_connection_after_what_came_before(
    said: bytes | None, why: str
) -> None:
    before = message(b"a", b"before", qos=1)
    async with connected(Scripted(says=(before, said))) as connection:
        assert (await connection.next_message()).payload == b"before"
        assert await end_of(connection) == why
        assert connection.publish(outbound(b"never"), immediate=True) is NotSent.NO_BROKER
        assert connection.publish(outbound(b"never"), immediate=False) is NotSent.NO_BROKER


async def test_answers_to_nothing_end_nothing_and_half_packets_are_put_together() -> None:
    stray = (
        packet(0x40, b"\xff\xff"), packet(0x40, b"\0\1"), packet(0x40, b"\0\1\x80"), packet(0xD0, b""),
        packet(0x90, b"\0\x63\0\x80"), message(b"a", b"odd", properties=b"\x26\0\1\xff\0\1a"),
    )  # fmt: skip
    halves = [bytes((byte,)) for byte in message(b"a", b"in pieces", qos=1)]
    async with connected(Scripted(says=(*stray, *halves))) as connection:
        assert [(await connection.next_message()).payload for _ in range(2)] == [b"odd", b"in pieces"]
        assert connection.failure is None


@pytest.mark.parametrize(
    ("at_connect", "why"),
    [
        (packet(0x20, b"\0\x87\0"), ACCOUNT_REFUSED),
        (packet(0x20, b"\0\x86\0"), ACCOUNT_REFUSED),
        (packet(0x20, b"\0\x88\0"), "[code:136] Server unavailable"),
        (WELCOME + message(b"a"), "the broker sends a message before it was asked for one"),
        (WELCOME + packet(0xE0, b"\x8e"), "[code:142] Session taken over"),
        (packet(0x20, b"\0\1"), "[code:1] Unacceptable protocol version"),
        (packet(0x20, b"\0\0\3\x21\0\0"), "the broker sets a limit of zero"),
        (packet(0x20, b""), "the broker answers CONNECT with an invalid packet"),
        (packet(0xD0, b""), "the broker sends something else than its answer to CONNECT"),
        (message(b"a"), "the broker sends something else than its answer to CONNECT"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n" + b"x" * 90, "the broker sends something else than its answer to CONNECT"),
    ],
)  # fmt: skip
async def test_a_broker_that_refuses_is_named_with_its_reason(at_connect: bytes, why: str) -> None:
    async with listening(Scripted(at_connect=at_connect)) as script:
        broker = BrokerSection(port=script.port)
        with pytest.raises(ConnectionError) as error:
            async with connect_once(broker, [], monotonic=time.monotonic):
                pass
    assert str(error.value) == why


async def test_a_broker_whose_name_nobody_knows_is_said_to_be_unknown() -> None:
    with pytest.raises(ConnectionError, match=r"(?i)name or service not known|name resolution|no address"):
        async with connect_once(BrokerSection(host="nobody.invalid"), [], monotonic=time.monotonic):
            pass


@pytest.mark.parametrize(("silent", "subscribes"), [({"at_connect": b""}, False), ({"at_subscribe": b""}, True)])
async def test_a_broker_that_answers_nothing_is_left_after_the_timeout(
    silent: dict[str, bytes], *, subscribes: bool
) -> None:
    script = Scripted(**silent)  # type: ignore[arg-type]  # each is a field of bytes
    with pytest.raises(BrokerError, match=NO_ANSWER):
        async with connected(script, connect_timeout_s=0.2):
            pass
    assert bool(script.count(0x82)) is subscribes


async def test_a_subscription_that_is_refused_is_named_and_a_wrong_number_of_answers_is_an_error() -> None:
    with pytest.raises(BrokerError, match=r"the broker refuses us #: \[code:135\] Not authorized"):
        async with connected(Scripted(at_subscribe=packet(0x90, b"\0\1\0\x87"))):
            pass
    with pytest.raises(BrokerError, match="another number of subscriptions"):
        async with connected(Scripted(at_subscribe=packet(0x90, b"\0\1\0\1\1"))):
            pass


async def test_a_broker_that_answers_no_ping_is_left_and_its_own_shorter_keep_alive_counts() -> None:
    script = Scripted(at_connect=packet(0x20, b"\0\0\3\x13\0\1"))
    async with connected(script, keepalive_s=60) as connection:
        assert await end_of(connection) == NO_ANSWER
    assert script.count(0xC0) == 1


async def test_the_receive_maximum_of_the_broker_is_kept_and_a_share_of_it_is_for_immediate_messages() -> None:
    script = Scripted(at_connect=packet(0x20, b"\0\0\3\x21\0\4"))
    async with connected(script) as connection:
        patient = [outbound(b"p%d" % n) for n in range(4)]
        assert [connection.publish(one, immediate=False) for one in patient] == [None] * 4
        urgent = [outbound(b"u%d" % n) for n in range(3)]
        assert [connection.publish(one, immediate=True) for one in urgent] == [None, None, NotSent.NO_ROOM]
        await wait_until(lambda: len(script.payloads()) == 4)
        assert script.payloads() == [b"p0", b"p1", b"u0", b"u1"], "the order in which they were published"
        assert script.writer is not None
        script.writer.write(b"".join(packet(0x40, bytes((0, name))) for name in (2, 2, 3, 4, 5, 4)))
        await wait_until(lambda: len(script.payloads()) == 6)
        assert script.payloads()[4:] == [b"p2", b"p3"]
        assert (await patient[0].acknowledged).code == 0
    assert (await patient[3].acknowledged).code is None, "the connection ended first"


async def test_a_packet_beyond_the_brokers_maximum_is_not_sent() -> None:
    async with connected(Scripted(at_connect=packet(0x20, b"\0\0\5\x27\0\0\0\x80"))) as connection:
        assert connection.publish(outbound(b"x" * 128), immediate=True) is NotSent.TOO_LARGE
        assert connection.publish(outbound(b"x" * 100), immediate=True) is None


async def test_messages_of_one_turn_leave_together_and_an_ended_connection_says_disconnect_last() -> None:
    script = Scripted()
    async with listening(script):
        async with connect_once(BrokerSection(port=script.port), ["#"], monotonic=time.monotonic) as session:
            for n in range(9):
                session.publish("t", b"%d" % n)
            assert script.payloads() == []
        await wait_until(lambda: script.count(0xE0) == 1)
    assert script.payloads() == [b"%d" % n for n in range(9)]
    assert script.sent[-1] == (0xE0, b"")


@pytest.mark.parametrize("secure", [False, True])
async def test_not_one_byte_of_what_was_not_sent_arrives_and_the_stream_stays_whole_also_by_tls(
    tmp_path: Path, *, secure: bool
) -> None:
    script = Scripted()
    async with connected(script, tls=make_certificate(tmp_path, "hub") if secure else None) as connection:
        assert script.writer is not None
        transport = script.writer.transport
        assert isinstance(transport, asyncio.Transport)
        transport.pause_reading()
        filler = 0
        while connection.publish(outbound(b"f" * 60_000, qos=0), immediate=True) is None:
            filler += 1
            assert filler < 5_000, "the socket took 300 MB"
        refused = connection.publish(outbound(b"unlock-refused"), immediate=True)
        waits = [b"%3d" % n + b"w" * 50_000 for n in range(100)]  # the socket takes some of them
        assert [connection.publish(outbound(one), immediate=False) for one in waits] == [None] * len(waits)
        assert refused is NotSent.BLOCKED
        assert connection.publish(outbound(b"unlock-refused"), immediate=True) is NotSent.BLOCKED
        transport.resume_reading()
        await wait_until(lambda: script.payloads() == waits)
        assert connection.publish(outbound(b"unlock-after"), immediate=True) is None
        await wait_until(lambda: script.payloads() == [*waits, b"unlock-after"])
        assert sum(len(body) > 60_000 for _, body in script.sent) == filler


async def test_a_session_that_reads_nothing_takes_no_more_memory_and_loses_no_message() -> None:
    many = 2 * MAX_UNREAD_BYTES // 60_000
    script = Scripted(says=[message(b"t/%d" % n, b"%9d" % n + b"x" * 60_000) for n in range(many)])
    async with listening(script):
        broker = BrokerSection(port=script.port)
        async with connect_once(broker, ["#"], monotonic=time.monotonic) as session:
            connection = connection_of(session)
            await wait_until(lambda: connection._is_paused)  # noqa: SLF001 - it shows nothing of that
            assert connection._inbox._waiting_bytes < MAX_UNREAD_BYTES + 100_000  # noqa: SLF001 - as above
            async with asyncio.timeout(LONG):
                read = [int((await session.receive()).payload[:9]) for _ in range(many)]
    assert read == list(range(many))


def connection_of(session: ShortSession) -> Connection:
    connection = session._connection  # noqa: SLF001 - as above
    assert connection is not None
    return connection
