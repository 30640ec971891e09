"""A garage on virtual time: an opener that reverses, a light beam, a sensor, and people who stand under the door."""

from __future__ import annotations

import random
from functools import partial
from typing import TYPE_CHECKING

from devices.reports import DoorReport, DoorState, LockReport, LockState
from gateway.domain.visit import commands as c
from gateway.domain.visit import events as e
from gateway.domain.visit.closures.contract import CLEAR, OBSTRUCTED
from gateway.domain.visit.state import Phase
from tests.house.devices import SimulatedDevices
from tests.house.door import is_closed
from tests.house.house import CAMERAS, SimulatedHome
from tests.house.oracle import NEVER_S, Oracle
from tests.house.premises import PhysicalDoor
from tests.house.reports import door_report, obstruction_report
from tests.house.rules import rules_with
from tests.house.story import announce_delivery

if TYPE_CHECKING:
    from collections.abc import Callable

OPENING_S, CLOSING_S = 6.0, 12.0  # seconds that the door takes
WARNING_S = 5.0
RULES = {"garage_door": True, "obstruction_sensor": True, "guarded": False, "warning": WARNING_S, "closing": 20.0}


class GarageLeaf(PhysicalDoor):
    """A leaf and its motor: what is not closed is open, and there is no bolt beside."""

    def __init__(self) -> None:
        super().__init__()
        self.under = False  # somebody stands under the door
        self.beam = False  # something breaks the light beam
        self.touched: list[float] = []  # when the door met somebody, and went up again
        self.moving = 0  # the motor's newest run

    def goes_up(self, at: float, why: str) -> bool:
        """Leave the ground, by a command's intent or by somebody's hand."""
        if self.door_open:
            return False
        self.door_open, self.bolt_out, self.cause = True, False, why
        self.last_leaf = self.last_bolt = at
        self._write(at, "open", why)
        if why == "hand":
            self.last_hand = at
        else:
            self.openings.append((at, why))
        return True

    def is_down(self, at: float, why: str) -> None:
        """Reach the ground."""
        self.door_open, self.bolt_out = False, True
        self.last_leaf = self.last_bolt = at
        self._write(at, "close", why)


class GarageDevices(SimulatedDevices):
    """Opener, beam and sensor as the network shows them."""

    house: GarageHouse

    def door_says(self, *, answers: int | None = None, session: int | None = None) -> None:
        """The sensor's word."""
        report = DoorReport(door=DoorState.OPEN if self.house.premises.door_open else DoorState.CLOSED)
        heard_on, made = self._context_on_arrival("door", session, answers), self.house.t
        if self.house.faults.door_mute:
            return

        def arrive() -> None:
            heard = heard_on()
            if heard is None:
                return
            if report.door is DoorState.CLOSED:  # a closed garage door is locked
                self.house.oracle.hears_lock(LockReport(bolt=LockState.LOCKED), heard, made)
            self.house.oracle.hears_door(report, heard, made)
            self.house.feed(door_report(report=report, context=heard))

        self._net(arrive)

    def way_says(self, *, answers: int | None = None, session: int | None = None) -> None:
        """What the beam sees."""
        way, made = (OBSTRUCTED if self.house.opening.beam else CLEAR), self.house.t
        if self.house.faults.mute:
            return

        def arrive() -> None:
            if self.house.session is not None:
                heard = e.ReportContext(session=self.house.session if session is None else session, answers=answers)
                self.house.watch.hears_way(way, heard, made)
                self.house.feed(obstruction_report(obstruction=way, context=heard))

        self._net(arrive)

    def _answer(self, device: str, session: int, number: int) -> None:
        if device == "way":
            if not self.house.faults.silent:
                self.way_says(answers=number, session=session)
        else:
            self.door_says(answers=number, session=session)

    def _move(self, what: str, ident: str, visit: str, expires: float | None) -> None:  # noqa: ARG002 - it has no countdown
        if self.house.faults.jam:
            return
        if what == "unlock":
            self.house.premises.withdrawals.append((self.house.t, visit))
            self.house.watch.withdrawn(visit)
            self.house.goes_up(visit)
        else:
            self.house.comes_down(ident)


class GarageOracle(Oracle):
    """What must hold at a garage, beside all that holds at any door."""

    house: GarageHouse

    def __init__(self, house: GarageHouse) -> None:
        super().__init__(house)
        self.outs: list[float] = []  # when somebody rang outside or scanned again
        self.beams: list[float] = [NEVER_S]  # when the beam was broken or freed, in truth
        self.warnings: list[float] = []
        self.way_asked = NEVER_S  # the newest "clear" answers a question of then
        self.blind_at = NEVER_S

    def hears_way(self, way: str, heard: e.ReportContext, made: float) -> None:
        if way == CLEAR and heard.answers is not None and heard.session == self.house.session:
            self.way_asked = max(self.way_asked, self.house.asked[heard.answers])
        del made

    def feeds(self, event: e.Event) -> None:
        super().feeds(event)
        visit = self.house.mem.visit
        scanned_before = isinstance(event, e.Scanned) and visit is not None and event.code in visit.parcels
        if isinstance(event, e.BellPressed) or scanned_before:
            self.outs.append(self.house.t)
        if isinstance(event, e.BrokerDown | e.Restarted | e.SensorOffline | e.ReportsMissed | e.BrokerUp):
            self.blind_at = self.house.t

    def performs(self, command: c.Command) -> None:
        super().performs(command)
        if isinstance(command, c.ShowSignal) and command.sound.value == "leave":
            self.warnings.append(self.house.t)
        if isinstance(command, c.RaiseAlarm) and command.code is c.AlarmCode.DOOR_LEFT_OPEN:
            self.alarmed_at = self.house.t
        assert not isinstance(command, c.Lock), "a lock command where there is no lock"
        if isinstance(command, c.Close):
            self._check_close(command)

    def _check_close(self, close: c.Close) -> None:
        """Never on somebody: all that must hold, by what really happened."""
        house, rules = self.house, self.house.rules
        visit = house.mem.visit
        assert close.visit in house.intents, "a door sent down that no intent opened"
        assert visit is not None
        assert visit.phase is Phase.INSIDE
        assert close.attempt <= rules.tries, "sent down more often than three times"
        opened = max((at for at, _ in house.premises.openings), default=NEVER_S)
        broken = [at for at in self.beams if at < house.t - 0.1]  # newer is told a moment later: the opener's to notice
        since = max(opened, self.blind_at, *broken)
        outs = [at for at in self.outs if at > since]
        assert outs, "nobody said that he is out since it opened, was not seen, or the beam was broken"
        warned = [at for at in self.warnings if outs[0] <= at <= house.t - WARNING_S + 0.01]
        assert warned, "no warning since he said so, or too short a one"
        assert self.way_asked >= warned[0] + WARNING_S - 0.01, "the beam was not asked after the warning"
        self.seen["Close"] += 1

    def _check_locked_again(self, visit: str) -> None:
        """ "Locked again": the sensor answered closed to a question asked after the last command, and it is true."""
        house = self.house
        self.claimed.add(visit)
        self.seen["locked again"] += 1
        last = max(self.published.get(visit, NEVER_S), self.locked_sent)
        assert [heard for asked, heard in self.locked_answers if asked >= last], "I8 the sensor was not asked"
        assert is_closed(house.mem), "I8 claimed without a proof"
        assert not house.premises.door_open or house.premises.last_leaf >= self.door_made, "I7 claimed of an open door"

    def withdrawn(self, visit: str) -> None:
        assert visit in self.house.intents, "I1 an opening without a durable intent"


class GarageHouse(SimulatedHome):
    """A garage with its box."""

    def __init__(self, seed: int, tell: Callable[[str], None] | None = None, **rules: object) -> None:
        super().__init__(seed, rules_with(cameras=CAMERAS, **{**RULES, **rules}), tell)
        self.premises = self.opening = GarageLeaf()
        self.devices = self.opener = GarageDevices(self)
        self.oracle = self.watch = GarageOracle(self)

    def perform(self, command: c.Command) -> None:
        if isinstance(command, c.Close):
            self.devices.send("close", f"{command.visit}-{command.attempt}", command.visit, command.life)
        else:
            super().perform(command)

    # ---- the door ---------------------------------------------------------------------------------------------------

    def goes_up(self, why: str) -> bool:
        """The motor lifts the door."""
        self.opening.moving += 1
        went = self.opening.goes_up(self.t, why)
        if went:
            self.note(f"{'':26} == garage opens by {why}")
            self.watch.opened()
            self.devices.door_says()
        return went

    def comes_down(self, why: str) -> None:
        """The motor lowers the door; what it meets sends it up again."""
        if not self.opening.door_open:
            return
        self.opening.moving += 1
        run = self.opening.moving
        self.note(f"{'':26} == garage comes down by {why}")

        def step(left: float) -> None:
            if self.opening.moving != run:
                return
            if self.opening.beam or self.opening.under:
                self.note(f"{'':26} == garage reverses")
                if self.opening.under and not self.opening.beam:
                    self.opening.touched.append(self.t)
                self.opening.moving += 1
            elif left <= 0:
                self.opening.is_down(self.t, why)
                self.devices.door_says()
            else:
                self.later(0.5, lambda: step(left - 0.5))

        self.later(0.5, lambda: step(CLOSING_S))

    def open(self, *, seen: bool = True) -> bool:  # noqa: ARG002 - a motor opens it, and its sensor tells
        """Somebody of the household opens it with the remote control."""
        return self.goes_up("hand")

    def close(self) -> bool:
        """Somebody of the household closes it with the remote control, and looks."""
        if not self.opening.door_open or self.opening.beam or self.opening.under:
            return False
        self.comes_down("hand")
        return True

    def by_hand(self, *, unlock: bool) -> bool:  # noqa: ARG002 - it has no bolt
        """Nothing."""
        return False

    # ---- people -----------------------------------------------------------------------------------------------------

    def breaks_beam(self, *, broken: bool) -> None:
        """Somebody or something stands in the light beam, or goes."""
        if self.opening.beam != broken:
            self.opening.beam = broken
            self.watch.beams.append(self.t)
            self.note(f"{'':26} == beam {'broken' if broken else 'free'}")
            self.opener.way_says()

    def walks_through(self) -> None:
        """Somebody walks in or out: the beam is broken for a moment."""
        self.breaks_beam(broken=True)
        self.later(0.8, lambda: self.breaks_beam(broken=False))

    def rings_outside(self) -> None:
        """The courier presses the bell."""
        self.feed(e.BellPressed())

    def scans_again(self, code: str) -> None:
        """The courier scans once more what he scanned before."""
        self.scan(code)


def random_life(seed: int, steps: int = 60, tell: Callable[[str], None] | None = None) -> GarageHouse:
    """Couriers, household and faults at a garage; whatever happens the watch's assertions hold."""
    rng = random.Random(seed)
    house = GarageHouse(seed, tell, by_hand=5.0, obstruction_sensor=rng.random() < 0.85)
    house.run(5)
    for step in range(steps):
        if step % 8 == 0:
            announce_delivery(house, f"d{step}", 3600)
        promise = house.promises[list(house.promises)[-1]]
        acts: tuple[tuple[int, Callable[[], object]], ...] = (
            (6, partial(house.scan, min(promise.parcels))),
            (6, house.walks_through),
            (6, house.rings_outside),
            (2, partial(house.scans_again, min(promise.parcels))),
            (2, lambda: house.breaks_beam(broken=not house.opening.beam)),
            (1, lambda: setattr(house.opening, "under", not house.opening.under)),
            (2, house.open),
            (3, house.close),
            (1, house.broker_down),
            (2, house.broker_up),
            (1, lambda: setattr(house.faults, "silent", not house.faults.silent)),
            (1, lambda: setattr(house.faults, "door_mute", not house.faults.door_mute)),
            (1, lambda: setattr(house.faults, "jam", not house.faults.jam)),
            (1, lambda: house.stop(stopped=not house.stopped)),
            (1, house.kill),
            (1, lambda: house.feed(e.SensorOffline(sensor=rng.choice(("way", "door"))))),
            (2, lambda: acknowledge(house)),
        )
        rng.choices([act for _, act in acts], [weight for weight, _ in acts])[0]()
        house.run(rng.choice((0.1, 0.5, 2.0, 6.0, 21.0, 60.0)))
    heal(house)
    return house


def acknowledge(house: GarageHouse) -> None:
    """The owner looked after the door."""
    visit = house.mem.visit
    house.feed(e.OwnerAcknowledged(visit=None if visit is None else visit.id))


def heal(house: GarageHouse) -> None:
    """Once faults cease every visit ends, the door closed."""
    for fault in ("silent", "door_mute", "jam"):
        setattr(house.faults, fault, False)
    house.opening.under = False
    house.breaks_beam(broken=False)
    house.run(60)
    house.broker_up()
    house.stop(stopped=False)
    for _ in range(30):
        house.close()
        house.run(30)
        acknowledge(house)
        if house.mem.visit is None and house.mem.grace_visit is None:
            break
    assert house.mem.visit is None, f"I21 the visit never ends: {house.mem.visit} {house.mem.timers}"
    assert not house.opening.door_open, "the garage stays open"
