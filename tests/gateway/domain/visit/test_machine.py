"""Hypothesis drives the same house: one rule for each thing that can happen, the same invariants."""

import random

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from gateway.domain.visit import commands as c
from gateway.domain.visit import events as e
from gateway.domain.visit.state import ENTRANCE_WIDE
from tests.house import life
from tests.house.door import is_closed, is_locked
from tests.house.faults import CRASH_POINTS, Faults
from tests.house.house import CAMERAS, SimulatedHome
from tests.house.rules import door_answers, rules_with
from tests.house.story import announce_delivery

PAUSES = st.sampled_from((0.0, 0.02, 0.3, 1.0, 4.0, 10.0, 21.0, 31.0, 61.0, 901.0))
CODES = st.sampled_from(("d0-1", "d0-1", "d3-1", "d3-2", "d3-qr", "d5-1", "x", "y", "z"))


class AnyEntrance(RuleBasedStateMachine):
    """A courier's delivery, one with courier's proof and two parcels, and one whose window is short."""

    @initialize(
        seed=st.integers(0, 1000),
        guarded=st.booleans(),
        answers=st.booleans(),
        yes=st.booleans(),
        allowance=st.integers(1, 2),
    )
    def begin(self, *, seed: int, guarded: bool, answers: bool, yes: bool, allowance: int) -> None:
        rules = rules_with(cameras=CAMERAS, guarded=guarded, door_answers=answers, by_hand=5.0)
        self.house = SimulatedHome(seed, rules)
        announce_delivery(self.house, "d0", 9000, allowance=allowance, needs_yes=yes)
        announce_delivery(self.house, "d3", 9000, needs_courier=True)
        announce_delivery(self.house, "d5", 300)
        self.house.run(5)

    @rule(code=CODES, scanner=st.sampled_from(("s", "t")), retained=st.booleans(), pause=PAUSES)
    def scans(self, *, code: str, scanner: str, retained: bool, pause: float) -> None:
        self.house.scan(code, scanner=scanner, retained=retained and code == "d0-1")
        self.house.run(pause)

    @rule(pause=PAUSES)
    def waits(self, pause: float) -> None:
        self.house.run(pause)

    @rule(what=st.sampled_from(("open", "close", "unlock", "lock", "force", "radio")), pause=PAUSES)
    def people(self, what: str, pause: float) -> None:
        match what:
            case "open":
                self.house.open()
            case "close":
                self.house.close()
            case "force":
                self.house.force()
            case "radio":
                self.house.remote_unlock()
            case _:
                self.house.by_hand(unlock=what == "unlock")
        self.house.run(pause)

    @rule(stopped=st.booleans(), pause=PAUSES)
    def owner_stops(self, *, stopped: bool, pause: float) -> None:
        self.house.stop(stopped=stopped)
        self.house.run(pause)

    @rule(yes=st.booleans(), pause=PAUSES)
    def owner_speaks(self, *, yes: bool, pause: float) -> None:
        visit = self.house.mem.visit.id if self.house.mem.visit is not None else None
        self.house.feed(e.OwnerAcknowledged(visit=visit))
        if visit is not None:
            self.house.feed(e.OwnerDecided(visit=visit, yes=yes))
        self.house.run(pause)

    @rule(up=st.booleans(), pause=PAUSES)
    def broker(self, *, up: bool, pause: float) -> None:
        if up:
            self.house.broker_up()
        else:
            self.house.broker_down()
        self.house.run(pause)

    @rule(point=st.sampled_from((*CRASH_POINTS, "now")), pause=PAUSES)
    def crashes(self, point: str, pause: float) -> None:
        if point == "now":
            self.house.kill()
        else:
            self.house.crash_at = point
        self.house.run(pause)

    @rule(what=st.sampled_from(life.WORLD_ACTIONS), seed=st.integers(0, 300))
    def world(self, what: life.RandomAction, seed: int) -> None:
        what(self.house, random.Random(seed), self.house.promises["d0"])

    @rule()
    def well_again(self) -> None:
        self.house.faults = Faults()
        life.tell_faults(self.house)

    @invariant()
    def a_waiting_visit_has_a_deadline(self) -> None:
        state = self.house.mem
        assert state.visit is None or set(state.timers) - ENTRANCE_WIDE

    @invariant()
    def good_news_is_only_shown_when_it_was_answered(self) -> None:
        state = self.house.mem
        if is_locked(state):
            assert state.facts["lock"].answered_query_id >= 0
        if is_closed(state) and door_answers(state.rules):
            assert state.facts["door"].answered_query_id >= 0

    @invariant()
    def one_unlock_a_visit(self) -> None:
        sent = [unlock.visit for unlock in self.house.all(c.Unlock)]
        assert len(sent) == len(set(sent))

    def teardown(self) -> None:
        if hasattr(self, "house"):
            life.heal(self.house)


TestAnyEntrance = AnyEntrance.TestCase
TestAnyEntrance.settings = settings(
    max_examples=60,
    stateful_step_count=30,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),  # a house is slow to build and skips many steps while it is dead
)
