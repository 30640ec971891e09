"""The broker's line against a real mosquitto: what left, what did not, and what may have."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import aiomqtt
import pytest

from gateway.config.home import Home
from gateway.config.topics import BRIDGE_STATE, TopicMap
from gateway.mqtt.client import MqttClient, ShortSession, connect_once
from gateway.mqtt.mosquitto.provisioning import RunningBroker, free_port, private_broker
from gateway.mqtt.outbound import MAX_PAYLOAD_BYTES, RESERVED_FRACTION
from gateway.mqtt.packets import Acknowledgement, InboundMessage, NotSent, Sent
from gateway.mqtt.publisher import GATEWAY_BIRTH_AND_WILL
from tests.waiting import POLL_INTERVAL_S, assert_stays
from tests.wire import TcpRelay

LONG = 30.0  # seconds, for a loaded machine
QUIET = 0.5  # seconds in which what must not come would have come
CUT_S = 0.5  # seconds in which the kernel, and no event loop, has learnt that its link is cut


def house(folder: Path, port: int) -> Home:
    return Home.model_validate(
        {
            "box": "test-box",
            "name": "A house",
            "broker": {"port": port, "password_file": folder / "gateway.password"},
            "devices": {
                "front-lock": {"kind": "lock", "vendor": "somfy", "address": "io://1"},
                "front-scanner": {"kind": "scanner", "vendor": "scanner"},
            },
            "entrances": {},
        }
    )


class Ears:
    """The gateway's line and all it was told, in order."""

    def __init__(self, home: Home) -> None:
        self.told: list[tuple[str, object]] = []
        self.heard: list[InboundMessage] = []
        self.sessions = 0
        self._changed = asyncio.Event()
        self.line = MqttClient(
            broker=home.broker,
            subscriptions=TopicMap(home).subscriptions,
            session_number=self._number,
            on_message=self._hear,
            on_up=lambda session: self._tell("up", session),
            on_down=lambda why: self._tell("down", why),
            on_missed=lambda topic: self._tell("missed", topic),
            monotonic=time.monotonic,
            birth_and_will=GATEWAY_BIRTH_AND_WILL,
        )

    async def _number(self) -> int:
        self.sessions += 1
        return 100 + self.sessions

    def _tell(self, what: str, value: object) -> None:
        self.told.append((what, value))
        self._changed.set()

    def _hear(self, incoming: InboundMessage) -> None:
        self.heard.append(incoming)
        self._tell("message", incoming.payload)

    def count(self, what: str) -> int:
        return sum(told == what for told, _ in self.told)

    async def until(self, test: Callable[[], bool]) -> None:
        async with asyncio.timeout(LONG):
            while not test():
                self._changed.clear()
                await self._changed.wait()


@contextlib.asynccontextmanager
async def running(home: Home) -> AsyncIterator[Ears]:
    ears = Ears(home)
    task = asyncio.create_task(ears.line.run())
    try:
        await ears.until(lambda: ears.count("up") > 0)
        yield ears
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return house(tmp_path, free_port())


@pytest.fixture
async def broker(home: Home, tmp_path: Path) -> AsyncIterator[RunningBroker]:
    async with private_broker(tmp_path, home) as broker:
        yield broker


@contextlib.asynccontextmanager
async def guest(home: Home, account: str, *topics: str) -> AsyncIterator[ShortSession]:
    async with connect_once(home.broker.account(account), topics, monotonic=time.monotonic) as visitor:
        yield visitor


async def code_of(outcome: Sent | NotSent) -> int | None:
    assert isinstance(outcome, Sent)
    async with asyncio.timeout(LONG):
        return (await outcome.acknowledged).code


async def everything(visitor: ShortSession, seconds: float) -> list[InboundMessage]:
    """All that comes within so many seconds."""
    found = []
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while True:
                found.append(await visitor.receive())
    return found


async def numbers(visitor: ShortSession, count: int) -> list[int]:
    """The next messages, each a number."""
    return [int((await visitor.receive()).payload) for _ in range(count)]


@pytest.fixture
def wire(broker: RunningBroker, home: Home) -> Iterator[TcpRelay]:
    assert broker.kind == "mosquitto"
    wire = TcpRelay(home.broker.port)
    yield wire
    wire.close()


def comes_without_the_loop(wire: TcpRelay, what: bytes) -> bool:
    """Whether it comes over the wire, which another thread watches; the event loop gets no turn meanwhile."""
    deadline = time.monotonic() + LONG
    while what not in wire.seen and time.monotonic() < deadline:
        time.sleep(POLL_INTERVAL_S)
    return what in wire.seen


def through(home: Home, wire: TcpRelay) -> Home:
    return home.model_copy(update={"broker": home.broker.model_copy(update={"port": wire.port})})


# ---- what arrives ---------------------------------------------------------------------------------------------------


@pytest.mark.slow
async def test_a_report_comes_with_all_that_the_device_says_of_itself(home: Home, broker: RunningBroker) -> None:
    assert broker.kind == "mosquitto"
    async with running(home) as ears, guest(home, "front-lock") as lock:
        sent = lock.publish(
            "perron/front-lock/result",
            b"locked",
            correlation=b"101:7",
            user_properties={"boot": "b1", "seq": "12", "uptime": "34567"},
        )
        assert await code_of(sent) == 0
        await ears.until(lambda: len(ears.heard) == 1)
    assert ears.heard == [
        InboundMessage(
            topic="perron/front-lock/result", payload=b"locked", retain=False, session=101,
            correlation=b"101:7", boot="b1", seq=12, uptime_ms=34567,
        )
    ]  # fmt: skip
    assert ears.heard[0].answered_query == 7


@pytest.mark.parametrize(
    ("correlation", "answers"),
    [
        (b"5:12", 12),
        (b"4:12", None),  # a question of another session
        (b"doctor:1", None),
        (b"5:", None),
        (b"5:-1", None),
        (b"5:" + b"9" * 5000, None),
        (b"\xff\xfe", None),
        (None, None),
    ],
)
def test_only_an_answer_to_a_question_of_this_session_counts(correlation: bytes | None, answers: int | None) -> None:
    incoming = InboundMessage(topic="t", payload=b"", retain=False, session=5, correlation=correlation)
    assert incoming.answered_query == answers


@pytest.mark.slow
@pytest.mark.parametrize(
    "said", [{"boot": "x" * 65}, {"boot": "a\u2028b"}, {"seq": "-1"}, {"seq": "9" * 5000}, {"uptime": "soon"}]
)
async def test_what_a_device_says_of_itself_in_an_odd_way_counts_as_unsaid(
    home: Home, broker: RunningBroker, said: dict[str, str]
) -> None:
    assert broker.pid
    async with running(home) as ears, guest(home, "front-lock") as lock:
        lock.publish("perron/front-lock/state", b"x", user_properties=said)
        await ears.until(lambda: len(ears.heard) == 1)
    assert (ears.heard[0].boot, ears.heard[0].seq, ears.heard[0].uptime_ms) == (None, None, None)


@pytest.mark.slow
async def test_a_scan_that_the_broker_kept_is_never_handed_out_and_a_live_retained_one_says_so(
    home: Home, broker: RunningBroker
) -> None:
    assert broker.kind == "mosquitto"
    async with guest(home, "front-scanner") as scanner:
        assert await code_of(scanner.publish("perron/front-scanner/event", b"old", retain=True)) == 16
        async with running(home) as ears:
            await assert_stays(lambda: ears.heard == [], QUIET)
            scanner.publish("perron/front-scanner/event", b"live", retain=True)
            scanner.publish("perron/front-scanner/event", b"plain")
            await ears.until(lambda: len(ears.heard) == 2)
    assert [(i.payload, i.retain) for i in ears.heard] == [(b"live", True), (b"plain", False)]


@pytest.mark.slow
async def test_a_state_that_the_broker_kept_comes_at_the_start_and_says_that_it_is_old(
    home: Home, broker: RunningBroker
) -> None:
    assert broker.kind == "mosquitto"
    async with guest(home, "front-lock") as lock:
        await code_of(lock.publish("perron/front-lock/state", b"locked", retain=True))
    async with running(home) as ears:
        await ears.until(lambda: len(ears.heard) == 1)
    assert (ears.heard[0].payload, ears.heard[0].retain) == (b"locked", True)
    assert [what for what, _ in ears.told] == ["up", "message", "down"]


@pytest.mark.slow
async def test_a_live_state_is_news_although_its_device_lets_the_broker_keep_it(
    home: Home, broker: RunningBroker
) -> None:
    assert broker.kind == "mosquitto"
    async with running(home) as ears, guest(home, "front-lock") as lock:
        lock.publish("perron/front-lock/state", b"unlocked", retain=True)
        await ears.until(lambda: len(ears.heard) == 1)
    assert (ears.heard[0].payload, ears.heard[0].retain) == (b"unlocked", False)


@pytest.mark.slow
async def test_what_is_larger_than_64_kib_is_refused_unread_and_said_to_be_missed(
    home: Home, broker: RunningBroker
) -> None:
    assert broker.kind == "mosquitto"
    async with running(home) as ears:
        async with raw(home, "front-lock") as lock:
            await lock.publish("perron/front-lock/state", b"x" * (MAX_PAYLOAD_BYTES + 1), qos=1)
        await ears.until(lambda: ears.count("missed") == 1)
    assert ("missed", "perron/front-lock/state") in ears.told
    assert ears.heard == []


@contextlib.asynccontextmanager
async def raw(home: Home, account: str, **more: object) -> AsyncIterator[aiomqtt.Client]:
    """A client that keeps none of our rules."""
    client = aiomqtt.Client(
        home.broker.host,
        home.broker.port,
        username=account,
        password=home.broker.account(account).password(),
        protocol=aiomqtt.ProtocolVersion.V5,
        **more,  # type: ignore[arg-type]  # each test knows what it passes
    )
    async with client:
        yield client


# ---- what leaves ----------------------------------------------------------------------------------------------------


@pytest.mark.slow
async def test_the_bytes_of_an_unlock_have_left_when_publish_returns(home: Home, wire: TcpRelay) -> None:
    async with running(through(home, wire)) as ears:
        sent = ears.line.publish("perron/front-lock/set", b"unlock-now", expiry=5, immediate=True)
        assert comes_without_the_loop(wire, b"unlock-now")
        assert await code_of(sent) == 16


@pytest.mark.slow
async def test_what_was_not_sent_never_reaches_the_wire_not_even_later(home: Home, wire: TcpRelay) -> None:
    async with running(through(home, wire)) as ears:
        wire.flowing.clear()  # the other side takes nothing more: the kernel's buffers fill up
        filler = [ears.line.publish("perron/bridge/x", b"f" * 60_000, qos=0) for _ in range(400)]
        assert filler[-1] == NotSent.BLOCKED
        refused = ears.line.publish("perron/front-lock/set", b"unlock-refused", expiry=5, immediate=True)
        assert refused == NotSent.BLOCKED
        wire.flowing.set()
        await ears.until(lambda: ears.count("up") + ears.count("down") > 0)
        control = ears.line.publish("perron/front-lock/set", b"unlock-control", immediate=True)
        async with asyncio.timeout(LONG):
            while isinstance(control, NotSent):  # until the buffers are empty again
                await asyncio.sleep(0.05)
                control = ears.line.publish("perron/front-lock/set", b"unlock-control", immediate=True)
        await code_of(control)
    assert b"unlock-control" in wire.seen
    assert b"unlock-refused" not in wire.seen


@pytest.mark.slow
async def test_a_link_that_was_just_cut_takes_no_unlock(home: Home, wire: TcpRelay) -> None:
    async with running(through(home, wire)) as ears:
        wire.cut()
        time.sleep(CUT_S)  # noqa: ASYNC251 - the event loop must not learn of it before we publish
        outcome = ears.line.publish("perron/front-lock/set", b"unlock-cut", immediate=True)
        assert outcome in (NotSent.BLOCKED, NotSent.NO_BROKER)
        await ears.until(lambda: ears.count("up") == 2)
        await assert_stays(lambda: b"unlock-cut" not in wire.seen, QUIET)
    assert [value for what, value in ears.told if what == "up"] == [101, 102]


@pytest.mark.slow
async def test_nothing_published_while_the_broker_is_dead_arrives_after_it_is_back(home: Home, tmp_path: Path) -> None:
    async with contextlib.AsyncExitStack() as first:
        broker = await first.enter_async_context(private_broker(tmp_path, home))
        ears = await first.enter_async_context(contextlib.AsyncExitStack())
        line = await ears.enter_async_context(running(home))
        os.kill(broker.pid, signal.SIGKILL)
        await line.until(lambda: line.count("down") == 1)
        while_dead = line.line.publish("perron/front-lock/set", b"unlock-while-dead", immediate=True)
        assert while_dead == NotSent.NO_BROKER
        assert line.line.publish("perron/front-lock/set", b"patient-while-dead") == NotSent.NO_BROKER
        async with private_broker(tmp_path, home), guest(home, "front-lock", "perron/front-lock/set") as lock:
            await line.until(lambda: line.count("up") == 2)
            line.line.publish("perron/front-lock/set", b"after")
            came = await everything(lock, 2 * QUIET)
            await ears.aclose()
    assert [incoming.payload for incoming in came] == [b"after"]


@pytest.mark.slow
async def test_the_trap_is_real_a_client_entered_again_delivers_what_had_failed(home: Home, tmp_path: Path) -> None:
    """Why every connection here is a new object: aiomqtt's own way sends an unlock that its caller saw fail."""
    async with private_broker(tmp_path, home) as broker:
        client = aiomqtt.Client(
            home.broker.host, home.broker.port, username="gateway", password=home.broker.password(),
            protocol=aiomqtt.ProtocolVersion.V5,
        )  # fmt: skip
        async with client:
            os.kill(broker.pid, signal.SIGKILL)
            with pytest.raises(aiomqtt.MqttError):
                await anext(client.messages)
            with pytest.raises(aiomqtt.MqttError):
                await client.publish("perron/front-lock/set", b"unlock-too-late", qos=1)
        async with private_broker(tmp_path, home), guest(home, "front-lock", "perron/front-lock/set") as lock, client:
            came = await everything(lock, 2 * QUIET)
    assert b"unlock-too-late" in [incoming.payload for incoming in came]


@pytest.mark.slow
async def test_a_paused_broker_may_have_the_unlock_and_is_noticed_and_left(home: Home, broker: RunningBroker) -> None:
    async with running(home) as ears, raw(home, "front-lock") as lock:
        await lock.subscribe("perron/front-lock/set", qos=1)
        os.kill(broker.pid, signal.SIGSTOP)
        try:
            maybe = ears.line.publish("perron/front-lock/set", b"unlock-maybe", expiry=60, immediate=True)
            assert isinstance(maybe, Sent)
            await ears.until(lambda: ears.count("down") == 1)
            async with asyncio.timeout(LONG):
                assert (await maybe.acknowledged).code is None
            assert ears.line.publish("perron/front-lock/set", b"never", immediate=True) == NotSent.NO_BROKER
        finally:
            os.kill(broker.pid, signal.SIGCONT)
        await ears.until(lambda: ears.count("up") == 2)
        control = ears.line.publish("perron/front-lock/set", b"control")
        assert await code_of(control) == 0
        came = [(await anext(lock.messages)).payload]
        while came[-1] != b"control":
            came.append((await anext(lock.messages)).payload)
    assert set(came) <= {b"unlock-maybe", b"control"}  # it may still have come: that is what "maybe" means


@pytest.mark.slow
async def test_an_unlock_finds_room_where_patient_messages_wait_in_line(home: Home, broker: RunningBroker) -> None:
    """The broker takes 200 unacknowledged messages; without a turn of the loop none is acknowledged.

    50 entrances that open in one turn of the loop have 50 unlocks and 200 events: the events wait.
    """
    assert broker.kind == "mosquitto"
    kept = int(200 * RESERVED_FRACTION)
    assert kept >= 50
    async with running(home) as ears:
        patient = [ears.line.publish("perron/bridge/x", str(n).encode()) for n in range(500)]
        urgent = [ears.line.publish("perron/bridge/y", b"u", immediate=True) for _ in range(kept + 1)]
        assert urgent[-1] == NotSent.NO_ROOM
        assert [await code_of(outcome) for outcome in urgent[:-1]] == [16] * kept
        assert {await code_of(outcome) for outcome in patient} == {16}


def fill_the_socket(ears: Ears) -> None:
    """Publish what nobody acknowledges until the kernel's buffers take no more: how much that is it decides itself."""
    for _ in range(5000):
        if ears.line.publish("perron/bridge/x", b"f" * 60_000, qos=0, immediate=True) == NotSent.BLOCKED:
            return
    raise AssertionError("the socket took 300 MB")


@pytest.mark.slow
async def test_a_burst_that_the_socket_does_not_take_at_once_arrives_whole_and_in_order(
    home: Home, wire: TcpRelay, broker: RunningBroker
) -> None:
    assert broker.kind == "mosquitto"
    async with running(through(home, wire)) as ears, raw(home, "front-lock") as lock:
        await lock.subscribe("perron/front-lock/set", qos=1)
        wire.flowing.clear()  # the other side takes nothing for a moment
        fill_the_socket(ears)
        burst = [b"%3d" % n for n in range(90)]
        sent = [ears.line.publish("perron/front-lock/set", one) for one in burst]
        assert all(isinstance(outcome, Sent) for outcome in sent)
        fill_the_socket(ears)  # the kernel may have moved a part of it on meanwhile
        assert ears.line.publish("perron/front-lock/set", b"u", immediate=True) == NotSent.BLOCKED
        wire.flowing.set()
        async with asyncio.timeout(LONG):
            assert [bytes((await anext(lock.messages)).payload) for _ in burst] == burst
        assert {await code_of(outcome) for outcome in sent} == {0}


@pytest.mark.slow
async def test_what_waits_for_a_full_socket_leaves_though_no_acknowledgement_comes(home: Home, wire: TcpRelay) -> None:
    async with running(through(home, wire)) as ears:
        await code_of(ears.line.publish("perron/bridge/x", b""))  # no acknowledgement is on its way any more
        wire.flowing.clear()
        fill_the_socket(ears)
        waits = ears.line.publish("perron/front-lock/set", b"a-lock-that-waits")
        wire.flowing.set()
        assert await code_of(waits) in {0, 16}
    assert b"a-lock-that-waits" in wire.seen


@pytest.mark.slow
async def test_patient_messages_keep_their_order(home: Home, broker: RunningBroker) -> None:
    assert broker.kind == "mosquitto"
    async with running(home) as ears, guest(home, "front-lock", "perron/front-lock/set") as lock:
        reading = asyncio.create_task(numbers(lock, 900))  # at once: an unread queue of a topic has a limit
        for n in range(900):
            assert isinstance(ears.line.publish("perron/front-lock/set", str(n).encode()), Sent)
            if n > 400 and n % 5 == 0:
                await asyncio.sleep(0)  # acknowledgements come in, and room for those that wait
        async with asyncio.timeout(LONG):
            heard = await reading
    assert heard == list(range(900))


@pytest.mark.slow
async def test_what_is_too_large_for_the_broker_is_not_sent_and_the_session_goes_on(
    home: Home, broker: RunningBroker
) -> None:
    assert broker.kind == "mosquitto"
    async with running(home) as ears:
        assert ears.line.publish("perron/bridge/x", b"x" * (MAX_PAYLOAD_BYTES + 1)) == NotSent.TOO_LARGE
        assert await code_of(ears.line.publish("perron/bridge/x", b"x")) == 16
        assert ears.count("down") == 0


@pytest.mark.slow
async def test_a_lost_gateway_is_offline_in_the_brokers_word_and_an_ended_one_too(home: Home, wire: TcpRelay) -> None:
    async with guest(home, "observer", BRIDGE_STATE) as observer:
        async with running(through(home, wire)) as ears:
            assert b"online" in (await observer.receive()).payload
            wire.cut()
            assert b"offline" in (await observer.receive()).payload
            await ears.until(lambda: ears.count("up") == 2)
            assert b"online" in (await observer.receive()).payload
        assert b"offline" in (await observer.receive()).payload


@pytest.mark.slow
async def test_a_bug_in_a_callback_ends_the_line_instead_of_being_swallowed(home: Home, broker: RunningBroker) -> None:
    assert broker.kind == "mosquitto"
    ears = Ears(home)

    def buggy(_incoming: InboundMessage) -> None:
        raise LookupError("a bug")

    ears.line.on_message = buggy
    task = asyncio.create_task(ears.line.run())
    await ears.until(lambda: ears.count("up") == 1)
    async with guest(home, "front-lock") as lock:
        lock.publish("perron/front-lock/state", b"x")
        with pytest.raises(LookupError, match="a bug"):
            async with asyncio.timeout(LONG):
                await task


async def test_a_guest_whom_nobody_answers_is_told_so(tmp_path: Path) -> None:
    port = free_port()
    broker = house(tmp_path, port).broker.model_copy(update={"password_file": None})
    with pytest.raises(ConnectionError, match="Connection refused"):
        async with connect_once(broker, [], monotonic=time.monotonic):
            pass


@pytest.mark.slow
async def test_a_wrong_password_is_said_and_no_session_begins(
    home: Home, broker: RunningBroker, tmp_path: Path
) -> None:
    assert broker.kind == "mosquitto"
    (tmp_path / "owner.password").write_text("guess\n")
    with pytest.raises(ConnectionError, match=r"refuses account or password"):
        async with guest(home, "owner"):
            pass


def test_a_publication_is_accepted_unless_the_broker_refuses_it_or_has_gone() -> None:
    assert Acknowledgement(code=0x10, seconds=0.1).accepted
    assert not Acknowledgement(code=0x87, seconds=0.1).accepted
    assert not Acknowledgement(code=None, seconds=0.1).accepted


@pytest.mark.slow
async def test_a_client_whose_password_is_refused_knows_it_and_one_without_a_broker_does_not_say_so(
    home: Home, broker: RunningBroker, tmp_path: Path
) -> None:
    assert broker.kind == "mosquitto"
    silent = home.broker.model_copy(update={"port": free_port()})
    (tmp_path / "gateway.password").write_text("guess\n")
    for section, refused in ((home.broker, True), (silent, False)):
        client = MqttClient(
            broker=section, subscriptions=(), on_message=lambda _: None, on_up=lambda _: None, on_down=lambda _: None,
            on_missed=lambda _: None, monotonic=time.monotonic,
        )  # fmt: skip
        running = asyncio.create_task(client.run())
        async with asyncio.timeout(LONG):
            while client.failure is None:  # noqa: ASYNC110 - the client tells nobody
                await asyncio.sleep(0.05)
        assert client.is_refused is refused
        running.cancel()
