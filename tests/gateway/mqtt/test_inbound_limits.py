"""A line to a broker that keeps to nothing: the loop that the doors share goes on, and so does the machine's memory."""

import asyncio
import contextlib
import gc
import resource
import socket
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from gateway.mqtt.client import MqttClient
from gateway.mqtt.codec import MAX_PROPERTIES_BYTES, decode_content, read_header, split_publish
from gateway.mqtt.inbound_limits import MAX_PACKETS_PER_TURN
from gateway.mqtt.packets import InboundMessage
from gateway.system.mqtt_settings import BrokerSection, BrokerTls, OverflowPolicy, Subscription
from tests.certified import make_certificate
from tests.hostilebroker import END, TOPIC, message, user_properties
from tests.waiting import wait_until

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[3]
LONG = 30.0  # seconds, for a loaded machine
MOST = 40_000_000  # bytes by which the process may grow; what comes is 120 MB
WAITING = 200  # messages that are not acknowledged
SLOWEST = 1.0  # seconds for which the loop may stand still on a loaded machine


class Ears:
    """A line to such a broker, what it was told, and how the loop went on meanwhile."""

    def __init__(self, broker: BrokerSection, waiting: int) -> None:
        self._waiting = waiting
        self.heard: list[str] = []
        self.missed: list[str] = []
        self.down: list[str] = []
        self.slowest, self.most_at_once, self._leave_at_once = 0.0, 0, 0
        self._said = asyncio.Event()
        self.line = MqttClient(
            broker=broker,
            subscriptions=[
                Subscription(topic="dn/home-1/+", wants_retained=False, overflow=OverflowPolicy.DROP_AND_QUERY)
            ],
            session_number=self._number,
            on_message=self._hear,
            on_up=self._say,
            on_down=self._lost,
            on_missed=self.missed.append,
            monotonic=time.monotonic,
            birth_and_will=None,
        )

    async def _number(self) -> int:
        return 1

    def _say(self, _session: int) -> None:
        """Say a lot that is never acknowledged: each acknowledgement is one more packet."""
        for _ in range(self._waiting):
            self.line.publish("up/home-1/status", b"{}")

    def _hear(self, incoming: InboundMessage) -> None:
        self.heard.append(incoming.topic[:20])
        self._leave_at_once += 1
        self.most_at_once = max(self.most_at_once, self._leave_at_once)
        if incoming.topic == END.decode():
            self._said.set()

    def _lost(self, why: str) -> None:
        self.down.append(why)
        self._said.set()

    async def turns(self) -> None:
        """Be everything else that the loop has to do."""
        while True:
            began = time.monotonic()
            await asyncio.sleep(0)
            self.slowest = max(self.slowest, time.monotonic() - began)
            self._leave_at_once = 0

    async def over(self) -> None:
        """Wait until the broker has done what it does, or has lost us."""
        async with asyncio.timeout(LONG):
            await self._said.wait()


@contextlib.asynccontextmanager
async def met(deed: str, tls: tuple[Path, Path, Path] | None = None, *, waiting: int = 0) -> AsyncIterator[Ears]:
    """Meet one: it is a process of its own, and ends with this. `waiting`: messages that are said to it at once."""
    authority, *files = (None,) if tls is None else tls
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.hostilebroker", deed, *map(str, files), stdout=asyncio.subprocess.PIPE, cwd=ROOT
    )
    assert process.stdout is not None
    port = int(await process.stdout.readline())
    secure = None if authority is None else BrokerTls(ca=authority)
    ears = Ears(BrokerSection(host="127.0.0.1" if secure is None else "localhost", port=port, tls=secure), waiting)
    tasks = [asyncio.create_task(one) for one in (ears.line.run(), ears.turns())]
    try:
        yield ears
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        process.kill()
        await process.wait()


@pytest.fixture(autouse=True)
def rubbish_is_collected_as_in_a_box() -> Iterator[None]:
    """The tests collect it more rarely (tests/conftest.py): here it is memory that counts."""
    usual = gc.get_threshold()
    gc.collect()
    gc.set_threshold(700, 10, 10)
    yield
    gc.set_threshold(*usual)


def grown() -> int:
    """How large this process ever was, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@pytest.mark.parametrize(
    ("deed", "why"),
    [
        ("huge", "a packet of more than 131072 bytes"),
        ("never-released", "under a QoS that was not asked for"),
        ("much-besides", "more than 4096 bytes that are not a message"),
        ("no-topic", "with an invalid topic"),
    ],
)
async def test_a_broker_that_does_what_no_honest_one_does_loses_us_and_is_told_why(deed: str, why: str) -> None:
    before = grown()
    async with met(deed) as ears:
        await ears.over()
        assert why in ears.down[0]
        assert ears.line.failure == ears.down[0] or ears.line.failure is None  # told a turn later
        assert ears.slowest < SLOWEST
    assert grown() - before < MOST


async def test_a_broker_that_takes_no_answers_is_answered_no_more() -> None:
    async with met("unread") as ears:
        await wait_until(lambda: ears.heard)
        connection = ears.line._connection  # noqa: SLF001 - a kernel would take megabytes of answers: a minute's
        assert connection is not None
        connection._sock._sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)  # noqa: SLF001 - as above
        await ears.over()
        assert ears.down[0] == "the broker speaks, and takes no answer"


async def test_topics_without_end_leave_nothing_behind() -> None:
    before = grown()
    async with met("new-topics") as ears:
        await ears.over()
        assert len(ears.heard) == 2_001
        assert ears.down == []
    assert grown() - before < MOST


async def test_a_message_with_more_properties_than_are_read_is_heard_without_them_and_holds_nothing_up() -> None:
    async with met("properties") as ears:
        await ears.over()
        assert ears.heard == [TOPIC.decode(), END.decode()], "it was acknowledged, and the line goes on"
        assert ears.slowest < SLOWEST


@pytest.mark.parametrize("secure", [False, True])
async def test_a_flood_leaves_the_loop_its_turns_also_by_tls(tmp_path: Path, *, secure: bool) -> None:
    async with met("flood", make_certificate(tmp_path, "hub") if secure else None, waiting=WAITING) as ears:
        await ears.over()
        assert ears.down == []
        assert len(ears.heard) + len(ears.missed) == 20_001, "all of it is read, also what TLS had decrypted already"
        assert ears.most_at_once <= 8 * MAX_PACKETS_PER_TURN, "it takes some turns until what was read is handed over"


@pytest.mark.parametrize("qos", [0, 1])
def test_only_what_has_too_many_properties_goes_without_them(qos: int) -> None:
    fits = MAX_PROPERTIES_BYTES // 5
    for many, count in ((0, 0), (1, 1), (fits, 1), (fits + 1, 0)):
        packet = message(TOPIC, b"said", qos=qos, properties=user_properties(many))
        content = decode_content(split_publish(packet[0], _body(packet)).rest)
        assert (content.payload, len(content.user_properties)) == (b"said", count)


def _body(packet: bytes) -> bytes:
    """A packet without its first byte and length."""
    header = read_header(bytearray(packet), 0)
    assert header is not None
    return packet[header[0] :]
