"""Gateway and guard with somebody in between who owns the broker: what is believed was true after it was asked."""

import asyncio
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from devices import commands as asked
from devices.commands import UnlockDoor
from devices.reports import LockReport, LockState
from devices.vendors import VENDORS
from devices.vendors import guard as vendor
from devices.vendors.words import NO_DEVICE_REF, TopicSuffix
from gateway.config.devices import GuardSection, LockDevice
from gateway.config.home import Home, Storage
from gateway.integrations.lock_guard import messages as w
from gateway.mqtt.packets import Acknowledgement, InboundMessage, NotSent, Sent
from gateway.protocol.guard_message import FromGuard, ToGuard, sign_guard_message, verify_guard_message
from gateway.protocol.keys import command_key, create_key
from gateway.runtime.guard_client import ANSWER_TIMEOUT_S, GuardClient
from tests.gateway.integrations.lock_guard.beside import AT, LOCK, GuardInMemory

LIFE = 5.0  # seconds that an unlock is good for


class Between(RuleBasedStateMachine):
    """Everything that either side says goes into his bag; he delivers from it what, when and as often as he likes."""

    @initialize()
    def begin(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.scratch = tempfile.TemporaryDirectory()
        folder = Path(self.scratch.name)
        self.key = create_key(folder / "guard.pem")
        self.house = GuardInMemory()
        self.to_guard: list[bytes] = []
        self.to_gateway: list[bytes] = []
        self.spoken = 0
        self.passed = 0, 0  # how much of either was let through
        lock = LockDevice(kind="lock", vendor="guard", address=LOCK, guard=GuardSection(key=self.key.public.text))
        home = Home(box="box", name="House", storage=Storage(folder=folder), devices={LOCK: lock}, entrances={})
        self.commands = command_key(folder / "key")
        self.guarded = GuardClient(home, publisher=self, monotonic=lambda: self.house.mono)
        self.number = 0
        self.asked_at: dict[int, float] = {}
        self.bolts: list[tuple[float, LockState]] = [(self.house.mono, LockState.LOCKED)]  # what was true from when on
        self.unlocks: dict[str, float] = {}
        self.boot: tuple[str, int, float] | None = None  # as its newest word told it, and when
        self.the_gateway_beats()
        self.he_lets_all_through_for_once(answered=True)

    def teardown(self) -> None:
        self.loop.close()
        self.scratch.cleanup()

    def publish(  # noqa: PLR0913 - one argument a field of an MQTT 5 PUBLISH
        self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False, expiry: int | None = None,
        correlation: bytes | None = None, response_topic: str | None = None,
        user_properties: Mapping[str, str] | None = None, immediate: bool = False,
    ) -> Sent | NotSent:  # fmt: skip
        del topic, qos, retain, expiry, correlation, response_topic, user_properties, immediate
        self.to_guard.append(payload)
        done: asyncio.Future[Acknowledgement] = self.loop.create_future()
        done.set_result(Acknowledgement(code=0, seconds=0.0))
        return Sent(done)

    def collect(self) -> None:
        """What the guard has said since goes into the bag; what it did is judged."""
        for at, command in enumerate(self.house.done[self.spoken :], start=self.spoken):
            if isinstance(command, FromGuard):
                self.to_gateway.append(sign_guard_message(command, self.key))
            if isinstance(command, UnlockDoor):
                assert isinstance(self.house.done[at - 1], w.WriteLedger)
                assert self.house.mono - self.unlocks[command.intent] <= LIFE, "never late"
        self.spoken = len(self.house.done)
        assert self.house.unlocked <= len(self.unlocks)

    def running(self, work: Callable[[], object]) -> None:
        async def run() -> None:
            work()

        self.house.mono += 0.03  # nothing takes no time; and what comes all at once is beyond the rations
        self.loop.run_until_complete(run())
        self.collect()

    # ---- the honest ends --------------------------------------------------------------------------------------------

    @rule()
    def the_gateway_beats(self) -> None:
        self.running(self.guarded.on_connected)

    @rule(through=st.booleans())
    def the_gateway_asks(self, *, through: bool) -> None:
        self.number += 1
        self.asked_at[self.number] = self.house.mono
        letter = vendor.encode_command(asked.QueryState(), NO_DEVICE_REF)
        self.running(
            lambda: self.guarded.publish(f"perron/{LOCK}/get", letter.payload, correlation=f"1:{self.number}".encode())
        )
        if through:
            self.he_lets_all_through_for_once(answered=True)

    @precondition(lambda self: self.boot is not None)
    @rule(through=st.booleans())
    def the_gateway_unlocks(self, *, through: bool) -> None:
        assert self.boot is not None
        boot, uptime, heard = self.boot
        intent = f"v{len(self.unlocks)}"
        until = uptime + int((self.house.mono - heard + LIFE) * 1000)
        command = UnlockDoor(id=intent, intent=intent, issued_at=AT, expires_at=AT, boot=boot, until_ms=until)
        self.unlocks[intent] = self.house.mono
        letter = vendor.encode_command(command, NO_DEVICE_REF)
        self.running(lambda: self.guarded.publish(f"perron/{LOCK}/set", letter.payload, immediate=True))
        if through:
            self.he_lets_all_through_for_once(answered=False)

    @rule(bolt=st.sampled_from([LockState.LOCKED, LockState.UNLOCKED]))
    def a_hand_turns_the_bolt(self, bolt: LockState) -> None:
        self.bolts.append((self.house.mono, bolt))
        self.running(lambda: self.house.bolt(bolt))

    @rule()
    def the_lock_answers_the_guard(self) -> None:
        self.running(lambda: self.house.bolt(self.bolts[-1][1], answers=True))

    @rule(seconds=st.sampled_from([0.1, 1.0, 1.0, 4.0, 6.0, 16.0]))
    def time_passes(self, seconds: float) -> None:
        self.running(lambda: self.house.wait(seconds))

    @rule()
    def the_guard_begins_anew(self) -> None:
        self.running(self.house.boot)

    # ---- he who owns the broker -------------------------------------------------------------------------------------

    @rule(which=st.integers(1, 12))
    def he_lets_something_through_to_the_guard(self, which: int) -> None:
        if self.to_guard:
            token = self.to_guard[-min(which, len(self.to_guard))]
            claims = verify_guard_message(token, ToGuard, self.commands.public)
            assert not isinstance(claims, str)
            self.running(lambda: self.house.tell(claims))

    @rule(
        which=st.integers(1, 12), correlation=st.integers(0, 6), channel=st.sampled_from(["state", "result", "event"])
    )
    def he_lets_something_through_to_the_gateway(self, which: int, correlation: int, channel: str) -> None:
        if self.to_gateway:
            token = self.to_gateway[-min(which, len(self.to_gateway))]
            incoming = InboundMessage(
                topic=f"perron/{LOCK}/{channel}", payload=token, retain=False, session=1,
                correlation=f"1:{correlation}".encode(), boot="forged", seq=correlation, uptime_ms=10**9,
            )  # fmt: skip
            self.running(lambda: self.believed(TopicSuffix(channel), incoming))

    @rule(answered=st.booleans())
    def he_lets_all_through_for_once(self, *, answered: bool) -> None:
        """As it should be: what was not let through yet goes through, and what is answered to it."""
        for _ in range(6):
            if answered:
                self.the_lock_answers_the_guard()
            to_guard, to_gateway = self.to_guard[self.passed[0] :], self.to_gateway[self.passed[1] :]
            self.passed = len(self.to_guard), len(self.to_gateway)
            for token in to_guard:
                claims = verify_guard_message(token, ToGuard, self.commands.public)
                assert not isinstance(claims, str)
                self.running(lambda said=claims: self.house.tell(said))  # type: ignore[misc]  # its default
            for token in to_gateway:
                incoming = InboundMessage(topic=f"perron/{LOCK}/event", payload=token, retain=False, session=1)
                self.running(lambda said=incoming: self.believed(TopicSuffix.EVENT, said))  # type: ignore[misc]  # its default

    def believed(self, channel: TopicSuffix, incoming: InboundMessage) -> None:
        """An answer that counts tells what was true at some time after its question, at most some seconds ago."""
        for _, where, told in self.guarded.on_message((LOCK,), channel, incoming):
            assert told.boot is not None
            assert told.uptime_ms is not None
            self.boot = told.boot, told.uptime_ms, self.house.mono
            reports = VENDORS["guard"].decode_report(where, told.payload, NO_DEVICE_REF)
            if told.answered_query is None or not isinstance(reports[0], LockReport):
                continue
            since = self.asked_at[told.answered_query]
            assert self.house.mono - since <= ANSWER_TIMEOUT_S
            assert reports[0].bolt in self.true_since(since)

    def true_since(self, since: float) -> set[LockState]:
        before = [bolt for at, bolt in self.bolts if at <= since]
        return {*before[-1:], *(bolt for at, bolt in self.bolts if at >= since)}


Between.TestCase.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate)
)  # what it finds it tells at once: to make it short takes minutes
TestBetween = Between.TestCase
