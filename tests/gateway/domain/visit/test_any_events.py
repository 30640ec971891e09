"""Any events in any order, sense or nonsense: `decide` finds rest, and never does what it must not."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from devices.reports import BatteryLevel, DoorReport, DoorState, LockReport, LockState, OperationError, OperationSource
from gateway.domain.delivery.candidate import VisitDelivery
from gateway.domain.delivery.result import Refusal
from gateway.domain.now import Now
from gateway.domain.visit import commands as c
from gateway.domain.visit import events as e
from gateway.domain.visit.conditions import FridgeReported
from gateway.domain.visit.conditions.cold_chain import FridgeState
from gateway.domain.visit.decide import decide
from gateway.domain.visit.predicates import is_paused
from gateway.domain.visit.state import CodeKind, Entrance, PausePeriod, Rules
from tests.house.door import is_closed
from tests.house.promise import EPOCH, SimulatedDelivery
from tests.house.reports import door_report, lock_report
from tests.house.rules import rules_with

FEW = st.integers(0, 4)
VISITS = st.sampled_from(("v0", "v1", "v2", "v3", "v4", "incident-20250303-080000-0"))
HEARD = st.builds(
    e.ReportContext,
    session=st.integers(1, 3),
    retained=st.booleans(),
    answers=st.none() | st.integers(0, 60),
    boot=st.sampled_from((None, "a", "b")),
    seq=st.none() | st.integers(0, 40),
)


def delivery(draw: st.DrawFn) -> VisitDelivery:
    number = draw(FEW)
    promise = SimulatedDelivery(
        id=f"d{number}",
        start=draw(st.sampled_from((0.0, 300.0))),
        end=draw(st.sampled_from((200.0, 5000.0))),
        used=draw(st.sampled_from((0, 0, 0, 1))),
        version=draw(st.integers(1, 2)),
        refusal=draw(st.sampled_from((None, None, None, Refusal.CANCELLED))),
        entrance=draw(st.sampled_from(("front", "front", "garage"))),
        place=draw(st.sampled_from(("hall", "fridge"))),
        needs_courier=draw(st.booleans()),
        needs_yes=draw(st.booleans()),
        cold=draw(st.booleans()),
    )
    return promise.facts()


DELIVERIES = st.composite(delivery)()
SCANS = st.builds(
    e.Scanned,
    id=VISITS,
    scanner=st.sampled_from(("s", "t")),
    code=st.sampled_from(("d0-1", "d1-1", "d2-qr", "d3-2", "x", "y", "z")),
    matches=st.lists(st.builds(e.CodeMatch, kind=st.sampled_from(CodeKind), delivery=DELIVERIES), max_size=2).map(
        tuple
    ),
    retained=st.sampled_from((False, False, False, True)),
    expected_only=st.booleans(),
)
PAUSES_PLANNED = st.lists(
    st.builds(
        lambda start, seconds: PausePeriod(
            id=f"p{start:.0f}",
            start=EPOCH + timedelta(seconds=start),
            end=EPOCH + timedelta(seconds=start + seconds),
        ),
        start=st.sampled_from((0.0, 100.0, 130.0, 2000.0)),
        seconds=st.sampled_from((0.5, 40.0, 900.0)),
    ),
    max_size=2,
).map(tuple)
EVENTS: st.SearchStrategy[e.Event] = st.one_of(
    st.builds(e.Restarted, safe_mode=st.sampled_from((False, False, True))),
    st.builds(e.BrokerUp, session=st.integers(1, 3)),
    st.just(e.BrokerDown()),
    st.builds(
        lock_report,
        report=st.builds(
            LockReport,
            bolt=st.sampled_from(LockState),
            jammed=st.sampled_from((None, False, True)),
            source=st.sampled_from(OperationSource),
            user=st.sampled_from((None, "claire")),
        ),
        context=HEARD,
    ),
    st.builds(door_report, report=st.builds(DoorReport, door=st.sampled_from(DoorState)), context=HEARD),
    st.builds(e.SequenceAdvanced, sensor=st.sampled_from(("lock", "door", "fridge")), context=HEARD),
    st.builds(
        e.WitnessReported,
        sensor=st.sampled_from(("lock", "door", "fridge")),
        device=st.sampled_from(("w0", "w1")),
        value=st.sampled_from(("open", "closed", "unlocked", "unknown")),
    ),
    st.builds(
        e.BatteryReported,
        device=st.sampled_from(("lock", "door")),
        level=st.sampled_from((BatteryLevel.GOOD, BatteryLevel.GOOD, BatteryLevel.LOW, BatteryLevel.CRITICAL)),
    ),
    st.builds(
        e.LockFailed,
        failure=st.sampled_from(OperationError),
        command=st.none() | VISITS | st.just("lockup-a-lock-1"),
    ),
    st.builds(e.ScansDropped, count=st.integers(1, 9)),
    st.builds(e.SensorOffline, sensor=st.sampled_from(("lock", "door", "fridge"))),
    st.just(e.ReportsMissed()),
    st.builds(
        e.CameraChanged,
        camera=st.sampled_from(("outside", "inside", "cellar")),
        live=st.booleans(),
        moving=st.booleans(),
        recording=st.booleans(),
    ),
    st.builds(e.DiskChanged, ok=st.booleans()),
    st.builds(e.WalkTestChanged, failed=st.booleans()),
    st.builds(
        FridgeReported,
        place=st.sampled_from(("fridge", "hall")),
        fridge=st.builds(FridgeState, temp_c=st.sampled_from((None, 4.0, 12.0)), door=st.sampled_from(DoorState)),
    ),
    SCANS,
    st.builds(e.BellConfirmed, visit=VISITS),
    st.just(e.HouseholdAnswered()),
    st.builds(e.OwnerDecided, visit=VISITS, yes=st.booleans()),
    st.builds(e.Stopped, epoch=FEW),
    st.builds(e.StopLifted, epoch=FEW),
    st.builds(e.OwnerAcknowledged, visit=st.none() | VISITS),
    st.builds(e.LockoutCleared, scanner=st.sampled_from(("s", "nobody"))),
    st.builds(e.HomeChanged, somebody_home=st.sampled_from((False, False, True)), away=st.booleans()),
    st.builds(e.PausesChanged, pauses=PAUSES_PLANNED),
    st.builds(e.LockRequested, id=st.sampled_from(("lockup-a", "lockup-b")), by=st.none() | st.just("anna")),
    st.builds(e.WindowChanged, near=st.booleans()),
    st.builds(e.PreflightDue, delivery=DELIVERIES),
    st.builds(e.FactsChanged, delivery=DELIVERIES, stopped=st.booleans(), epoch=FEW, pauses=st.none() | PAUSES_PLANNED),
    st.builds(
        e.UnlockNotSent,
        visit=VISITS,
        why=st.sampled_from(
            (e.UnsentReason.STOP, e.UnsentReason.BROKER, e.UnsentReason.PROOF_TOO_OLD, e.UnsentReason.EXPIRED)
        ),
    ),
    st.builds(e.UnlockPublished, visit=VISITS, at=st.just(datetime(2026, 6, 1, 12, tzinfo=UTC))),
    st.builds(e.FilmClosed, visit=VISITS, part=st.integers(1, 2)),
    st.builds(e.ProofSealed, visit=VISITS, part=st.integers(1, 2)),
    st.just(e.TimerExpired()),
)
PAUSES = st.sampled_from((0.0, 0.0, 0.1, 1.0, 3.0, 21.0, 61.0, 901.0))
RULES = st.builds(
    rules_with,
    cameras=st.just({"outside": True, "inside": False}),
    guarded=st.booleans(),
    door_answers=st.booleans(),
    ring=st.sampled_from((0.1, 20.0)),
    latency=st.sampled_from((0.1, 3.0)),
    relock=st.sampled_from((0.1, 10.0)),
    stable=st.sampled_from((0.0, 2.0)),
    skew=st.sampled_from((0.0, 5.0)),
)


@dataclass
class Guide:
    """Answers some questions truthfully, so that visits get somewhere among the nonsense."""

    state: Entrance
    mono: float = 100.0
    unlocked: set[str] = field(default_factory=set)
    ended: set[str] = field(default_factory=set)

    def feed(self, event: e.Event, depth: int = 0) -> None:
        now = Now(utc=EPOCH + timedelta(seconds=self.mono), trusted=True, mono=self.mono)
        before = self.state
        self.state, commands = decide(before, event, now=now)
        for number, command in enumerate(commands):
            self.check(number, command, commands, event, now)
        for command in commands[: 4 if depth < 4 else 0]:
            self.answer(command, depth + 1)

    def check(self, number: int, command: c.Command, commands: tuple[c.Command, ...], event: e.Event, now: Now) -> None:
        match command:
            case c.Unlock(closure="door", visit=visit):
                assert isinstance(commands[number - 1], c.ReserveOpening), "an unlock without its intent"
                assert visit not in self.unlocked or isinstance(event, e.Scanned), "an unlock twice"
                assert not isinstance(event, e.Restarted), "an unlock after a restart"
                assert not self.state.stopped
                assert not is_paused(self.state, now)
                self.unlocked.add(visit)
            case c.Lock():
                assert is_closed(self.state), "a lock though the door is not affirmatively closed"
            case _:
                pass

    def answer(self, command: c.Command, depth: int) -> None:
        match command:
            case c.QuerySensor(sensor="lock", session=session, number=number):
                report = LockReport(bolt=LockState.LOCKED)
                self.feed(lock_report(report=report, context=e.ReportContext(session=session, answers=number)), depth)
            case c.QuerySensor(session=session, number=number):
                said = DoorReport(door=DoorState.CLOSED)
                self.feed(door_report(report=said, context=e.ReportContext(session=session, answers=number)), depth)
            case c.RingBell(visit=visit):
                self.feed(e.BellConfirmed(visit=visit), depth)
            case c.StartRecording():
                for name in ("outside", "inside"):
                    self.feed(e.CameraChanged(camera=name, live=True, moving=True, recording=True), depth)
            case _:
                pass


@given(rules=RULES, guided=st.booleans(), life=st.lists(st.tuples(EVENTS, PAUSES), max_size=40))
@settings(max_examples=300, deadline=None, derandomize=True, database=None)
def test_whatever_is_fed_decide_finds_rest(rules: Rules, *, guided: bool, life: list[tuple[e.Event, float]]) -> None:
    guide = Guide(Entrance(id="front", rules=rules))
    guide.feed(e.Restarted())
    guide.feed(e.BrokerUp(session=1))
    guide.feed(e.DiskChanged(ok=True))
    for event, pause in life:
        guide.feed(event, 0 if guided else 9)
        guide.mono += pause
        due = min(guide.state.timers.values(), default=None)
        if due is not None and due <= guide.mono:
            guide.feed(e.TimerExpired(), 0 if guided else 9)
