"""Whatever comes, in whatever order and however often: never two withdrawals for one counter, never a late one."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from devices.commands import LockDoor, UnlockDoor
from devices.reports import DoorState, LockState
from gateway.integrations.lock_guard import messages as w
from gateway.protocol.guard_message import ToGuard
from tests.gateway.integrations.lock_guard.beside import GuardInMemory


class Attacker(RuleBasedStateMachine):
    """He has the house's broker: he keeps all that the gateway signed and delivers it when and as often as he likes."""

    @initialize()
    def begin(self) -> None:
        self.house = GuardInMemory()
        self.nonces: list[str] = []
        self.kept: list[tuple[ToGuard, float, int]] = []  # what was signed, when, and in which boot
        self.signed = 0
        self.closed_answers = 0
        self.seen = 0

    def watch(self) -> None:
        """Judge all that was done since the last look."""
        for at, command in enumerate(self.house.done[self.seen :], start=self.seen):
            if isinstance(command, UnlockDoor):
                before = self.house.done[at - 1]
                assert isinstance(before, w.WriteLedger), "on the disk first"
                assert command.intent in before.intents
                claims, when, boot = next(k for k in self.kept if f'"id":"{command.id}"' in k[0].body)
                assert claims.counter == before.counter
                assert boot == self.house.boots, "of this boot"
                assert self.house.mono - when <= 5.0, "in time"
            elif isinstance(command, LockDoor) and command.id.startswith("guard-"):
                assert self.closed_answers >= 2, "two answers of closed, and nothing else between"
                assert self.house.mono - self.house.state.gateway_heard_mono >= self.house.settings.max_silence_s
        self.seen = len(self.house.done)

    @rule()
    def the_gateway_beats(self) -> None:
        nonce = self.nonces[-1] if self.nonces else None
        self.nonces.append(self.house.beat(nonce))
        if self.house.state.gateway_heard_mono == self.house.mono:
            self.closed_answers = 0
        self.watch()

    @rule(which=st.integers(0, 3), counter=st.integers(-1, 1))
    def the_gateway_signs_an_unlock(self, which: int, counter: int) -> None:
        if not self.nonces:
            return
        self.signed += 1
        nonce = self.nonces[-1 - which % len(self.nonces)]
        claims = self.house.unlocking(
            nonce,
            id=f"u{self.signed}",
            intent=f"v{self.signed}",
            counter=max(0, self.house.state.counter + 1 + counter),
        )
        self.kept.append((claims, self.house.mono, self.house.boots))

    @rule(which=st.integers(0, 50), copies=st.integers(1, 3))
    def he_delivers_something(self, which: int, copies: int) -> None:
        if self.kept:
            for _ in range(copies):
                self.house.tell(self.kept[which % len(self.kept)][0])
        self.watch()

    @rule(seconds=st.sampled_from([0.1, 1.0, 4.0, 6.0, 16.0, 61.0]))
    def time_passes(self, seconds: float) -> None:
        self.house.wait(seconds)
        self.watch()

    @rule(door=st.sampled_from([DoorState.CLOSED, DoorState.OPEN, DoorState.UNKNOWN]), answers=st.booleans())
    def the_door_speaks(self, door: DoorState, *, answers: bool) -> None:
        if door is not DoorState.CLOSED:
            self.closed_answers = 0
        elif answers and self.house.asked(w.GuardPart.DOOR) is not None:
            self.closed_answers += 1
        self.house.leaf(door, answers=answers)
        self.watch()

    @rule(bolt=st.sampled_from([LockState.LOCKED, LockState.UNLOCKED]), answers=st.booleans())
    def the_bolt_speaks(self, bolt: LockState, *, answers: bool) -> None:
        self.house.bolt(bolt, answers=answers)
        self.watch()

    @rule(ok=st.booleans(), alive=st.booleans())
    def disk_and_radio_are_good_or_not(self, *, ok: bool, alive: bool) -> None:
        self.house.disk_ok, self.house.alive = ok, alive

    @rule()
    def the_radio_answers_late(self) -> None:
        self.house.hear(w.GuardSignal.RADIO_ANSWERED)
        self.watch()

    @rule()
    def the_radio_is_lost_and_comes_back(self) -> None:
        self.house.hear(w.GuardSignal.RADIO_DISCONNECTED)
        self.house.hear(w.GuardSignal.RADIO_CONNECTED)
        self.closed_answers = 0
        self.watch()

    @rule()
    def the_power_fails(self) -> None:
        self.house.boot()
        self.closed_answers = 0
        self.watch()

    @invariant()
    def no_counter_and_no_intent_moves_twice(self) -> None:
        moved = [c for c in self.house.done if isinstance(c, UnlockDoor)]
        assert len({command.intent for command in moved}) == len(moved)
        assert len({command.id for command in moved}) == len(moved)

    @invariant()
    def what_is_locked_by_itself_was_unlocked_by_itself(self) -> None:
        own = [c for c in self.house.done if isinstance(c, LockDoor)]
        assert not own or self.house.unlocked


Attacker.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestAttacker = Attacker.TestCase
