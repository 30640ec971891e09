"""A seed's life of the generic house: people, networks and faults at random, then all is well and must end well."""

import random
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial

from devices.reports import OperationError
from gateway.domain.delivery.result import Refusal
from gateway.domain.visit import events as e
from gateway.domain.visit.state import Holder, Phase
from tests.house.entrances import PLACE, build_for_life, courier, walk
from tests.house.faults import CRASH_POINTS, Faults
from tests.house.house import CAMERAS
from tests.house.own_parcels import OwnParcels, own_parcel_comes
from tests.house.promise import SimulatedDelivery
from tests.house.reception import Reception
from tests.house.story import announce_delivery
from tests.house.ways import KEEPERS, EntranceHouse

PAUSES_S = (0.0, 0.1, 0.5, 2.0, 2.0, 6.0, 12.0, 21.0)
Act = Callable[[], object]


class Life:
    """People and faults around one house; the honest courier goes on while all else happens."""

    def __init__(self, seed: int, tell: Callable[[str], None] | None) -> None:
        self.rng = random.Random(f"entrance life {seed}")
        self.returning = random.Random(f"returns {seed}")  # its own, so that a life without returns stays as it was
        self.house = build_for_life(seed, tell)
        self.parcels = OwnParcels(self.house, self.rng)
        self.house.own_parcels = self.parcels
        self.reception = Reception(self.house, random.Random(f"reception {seed}"))
        self.places = sorted(self.house.rules.routes) or [PLACE]
        self.promise = self.announce("d0")
        self.way: Iterator[str] = iter(())
        self.house.run(5)
        self.house.feed(e.WindowChanged(near=True))
        self.is_calm = self.rng.random() < 0.4

    def announce(self, ident: str) -> SimulatedDelivery:
        rng = self.rng
        promise = announce_delivery(
            self.house,
            ident,
            rng.choice((400, 3600)),
            place=rng.choice(self.places),
            needs_yes=rng.random() < 0.1,
            needs_courier=rng.random() < 0.05,
            allowance=rng.choice((1, 1, 2)),
        )
        if rng.random() < 0.15:
            self.parcels.adopt(promise)
        elif self.returning.random() < 0.3:
            promise.returns = self.returning.choice((1, 2))
            promise.alone = self.house.rules.holder is Holder.COURIER and self.returning.random() < 0.5
        return promise

    # ---- people -----------------------------------------------------------------------------------------------------

    def courier_goes_on(self) -> None:
        """The honest courier's next step; a new one comes when the last has gone."""
        if next(self.way, None) is None:
            self.way = courier(self.house, self.promise, self.takes)

    def takes(self, _number: int) -> bool:
        return self.returning.random() < 0.7

    def somebody_scans_a_return(self) -> None:
        """Outside, early, late or inside: whoever knows the code."""
        if self.promise.collect:
            scanner = self.returning.choice(sorted(self.house.rules.scanners) or ["s"])
            self.house.scan(max(self.promise.collect), scanner=scanner)

    def courier_comes(self) -> None:
        """A courier with a fresh delivery goes some steps."""
        self.promise = self.announce(f"h{self.house.scans}")
        self.way = courier(self.house, self.promise, self.takes)
        for _ in range(self.rng.randrange(8)):
            self.courier_goes_on()

    def courier_goes_back(self) -> None:
        """Between two closures, through the one behind him."""
        visit = self.house.mem.visit
        if visit is not None and visit.phase is Phase.ADVANCING:
            self.house.things[visit.route[visit.entry.stage]].leave()

    def nothing_happens(self) -> None:
        """For long: a key stays out, a door stays open."""
        self.house.run(self.rng.choice((100.0, 700.0)))

    def somebody_scans(self) -> None:
        scanner = self.rng.choice(sorted(self.house.rules.scanners) or ["s"])
        self.house.scan(min(self.promise.door_codes), scanner=scanner)

    def keeper_shows_code(self) -> None:
        """A keeper of this house shows his code: one of this entrance or not, one that was withdrawn, or too late."""
        house, rng = self.house, self.rng
        house.scan(rng.choice(sorted(house.keepers)), scanner=rng.choice(sorted(house.rules.scanners) or ["s"]))
        if rng.random() < 0.5:
            house.run(rng.choice((1.0, 30.0, 70.0)))
            house.scan(rng.choice((min(self.promise.door_codes), self.promise.courier)))

    def owner_withdraws_code(self) -> None:
        """The owner withdraws a keeper's code, often while it rings for it; sometimes an intent is first to notice."""
        house, rng = self.house, self.rng
        if rng.random() < 0.5:
            self.way = courier(house, self.announce(f"k{house.scans}"))
            self.courier_goes_on()
        keeper = None if house.mem.visit is None else house.mem.visit.keeper
        house.withdraw(rng.choice(KEEPERS) if keeper is None else keeper.keeper, tells=rng.random() < 0.5)

    def owner_acts(self) -> None:
        house, visit = self.house, self.house.mem.visit
        house.feed(e.OwnerAcknowledged(visit=None if visit is None else visit.id))
        if visit is not None:
            house.feed(e.OwnerDecided(visit=visit.id, yes=self.rng.random() < 0.8))

    def home(self) -> None:
        somebody = self.rng.random() < 0.1
        self.house.feed(e.HomeChanged(somebody_home=somebody, away=not somebody and self.rng.random() < 0.6))

    def change_facts(self) -> None:
        house, promise = self.house, self.promise
        promise.refusal = self.rng.choice((Refusal.CANCELLED, None, None))
        promise.version += 1
        if self.rng.random() < 0.6:
            house.feed(e.FactsChanged(delivery=promise.facts(), stopped=house.stopped, epoch=house.epoch))

    # ---- faults -----------------------------------------------------------------------------------------------------

    def fault(self) -> None:
        """One thing breaks, or all is well again."""
        house, rng = self.house, self.rng
        faults = house.faults
        choices: dict[str, tuple[object, ...]] = {
            "silent": (True, False),
            "mute": (True, False),
            "jam": (True, False),
            "bell": (True, False),
            "still": (True, False),
            "film": (True, False),
            "untrusted": (True, False),
            "loss": (0.0, 0.3),
            "duplicates": (0.0, 0.5),
            "delay": (0.0, 1.0, 5.0),
            "slow_unlock": (0.0, 2.0, 12.0),
            "countdown": (0.0, -3.0, 3.0),
            "camera": (frozenset(), frozenset({"inside"}), frozenset({"outside"})),
            "held_back": (None, e.UnsentReason.EXPIRED, e.UnsentReason.SENSOR),
            "refuses": (None, OperationError.TIMEOUT, OperationError.BUSY),
            "refused_yet_done": (True, False),
        }
        what = rng.choice((*choices, "nothing", "nothing", "nothing", "nothing"))
        if what == "nothing":
            house.faults = Faults()
            house.unplugged.clear()
        else:
            setattr(faults, what, rng.choice(choices[what]))
        house.cameras_say(0.0)

    def sensor_fails(self) -> None:
        """A sensor is off, starts anew, or says nothing any longer."""
        sensor = self.rng.choice(self.house.sensors)
        if self.rng.random() < 0.3:
            self.house.reboot(sensor)
        if self.rng.random() < 0.3:
            self.house.unplugged ^= {sensor}
        self.house.feed(e.SensorOffline(sensor=sensor))

    def crash_loop(self) -> None:
        if self.rng.random() < 0.3:
            for _ in range(3):
                self.house.kill(seconds=1.0)
                self.house.run(2.0)

    # ---- a life -----------------------------------------------------------------------------------------------------

    def acts(self) -> list[tuple[int, Act]]:
        house, rng = self.house, self.rng
        calm: list[tuple[int, Act]] = [
            (26, self.courier_goes_on),
            (6, self.courier_comes),
            (4, self.somebody_scans),
            (2, self.courier_goes_back),
            (1, self.nothing_happens),
            (3, self.owner_acts),
            (2, self.home),
            (1, lambda: house.stop(stopped=not house.stopped)),
            (1, house.lock_now),
            (1, lambda: house.feed(e.HouseholdAnswered())),
            (1, lambda: house.pause(0.0, rng.choice((3.0, 30.0)))),
        ]
        wild: list[tuple[int, Act]] = [
            (1, house.broker_down),
            (4, house.broker_up),
            (4, self.fault),
            (1, house.kill),
            (1, self.crash_loop),
            (2, partial(setattr, house, "crash_at", rng.choice(CRASH_POINTS))),
            (1, self.sensor_fails),
            (1, lambda: house.feed(e.ReportsMissed())),
            (1, self.change_facts),
            (2, lambda: self.parcels.report(self.promise)),
        ]
        kept: list[tuple[int, Act]] = [(4, self.keeper_shows_code), (2, self.owner_withdraws_code)]
        calm += kept if house.rules.holder is Holder.KEEPER else []
        things = [act for thing in house.things.values() for act in thing.acts(rng)]
        return [*calm, *things] if self.is_calm else [*calm, *wild, *things]

    def step(self, number: int) -> None:
        if self.returning.random() < 0.05:
            self.somebody_scans_a_return()
        if number % 10 == 0:
            self.promise = self.announce(f"d{number}")
            if self.rng.random() < 0.7:
                if self.house.stopped:
                    self.house.stop(stopped=False)
                self.house.end_pauses()
                self.house.feed(e.HomeChanged(somebody_home=False, away=self.rng.random() < 0.5))
        acts = self.acts()
        self.rng.choices([act for _, act in acts], [weight for weight, _ in acts])[0]()
        self.house.run(self.rng.choice(PAUSES_S))
        self.reception.something_happens()


def run_life(seed: int, tell: Callable[[str], None] | None = None, steps: int = 50) -> Counter[str]:
    """One life; what was seen in it.

    Raises:
        AssertionError: an invariant does not hold.
    """
    life = Life(seed, tell)
    for number in range(steps):
        life.step(number)
    heal(life.house)
    life.reception.settles()
    own_parcel_comes(life.house, random.Random(f"own parcel {seed}"))
    return life.house.oracle.seen


def heal(house: EntranceHouse) -> None:
    """Once faults cease every visit ends, all is secured (I21), and an honest courier gets all the way (I20)."""
    house.faults = Faults()
    house.unplugged.clear()
    house.crash_at = None
    house.note("** all is well again")
    house.run(40)
    house.broker_up()
    house.stop(stopped=False)
    house.end_pauses()
    house.feed(e.HomeChanged(somebody_home=False, away=False))
    for _ in range(40):
        for name in CAMERAS:
            state = house.camera_state(name)
            house.feed(e.CameraChanged(camera=name, live=state.live, moving=state.moving, recording=state.recording))
        for thing in reversed(house.things.values()):
            thing.tidy()
        house.run(30)
        house.feed(e.OwnerAcknowledged(visit=None))
        if house.mem.visit is not None:
            house.feed(e.OwnerAcknowledged(visit=house.mem.visit.id))
        elif house.mem.grace_visit is None and house.mem.incident is None and not left_open(house):
            break
    assert house.mem.visit is None, f"I21 the visit never ends: {house.mem.visit} {house.mem.timers}"
    assert house.mem.incident is None, "the incident never ends"
    assert not left_open(house), f"I21 {left_open(house)} stay open"
    house.run(60)
    honest_courier_delivers(house)


def left_open(house: EntranceHouse) -> list[str]:
    """What is not secured, in truth."""
    return [ident for ident, thing in house.things.items() if not thing.is_secured()]


def honest_courier_delivers(house: EntranceHouse) -> None:
    """I20, by what the things did."""
    for place in sorted(house.rules.routes) or [PLACE]:
        last = announce_delivery(house, f"last-{place}", place=place)
        house.feed(e.WindowChanged(near=True))
        house.run(12)
        steps = walk(house, last)
        house.run(90)
        said = f"{steps} {house.refusals[-1:]} {house.alarms[-1:]}"
        assert house.promises[last.id].used == 1, f"I20 a valid scan does not open: {said}"
        assert house.mem.visit is None, f"I21 the visit does not end: {house.mem.visit}"
        assert house.outcomes[-1:] == ["delivered"], f"I20 the parcel's result is {house.outcomes[-1:]}: {said}"
        assert house.houses[-1:] == ["locked_again"], f"I20 the house's result is {house.houses[-1:]}: {said}"
        for thing in house.things.values():
            assert thing.is_secured(), f"I20 {thing.closure.id} is left open"
            thing.tidy()
        house.run(20)
        if house.rules.holder is Holder.COURIER:
            honest_courier_collects(house, place)


def honest_courier_collects(house: EntranceHouse, place: str) -> None:
    """A courier who brings nothing comes in by his own code, scans inside what he takes, and all is secured again."""
    last = announce_delivery(house, f"last-back-{place}", place=place, returns=2, alone=True)
    house.feed(e.WindowChanged(near=True))
    house.run(12)
    steps = walk(house, last)
    house.run(90)
    said = f"{steps} {house.refusals[-1:]} {house.alarms[-1:]}"
    assert house.promises[last.id].used == 1, f"I20 a courier's own code does not open: {said}"
    assert house.mem.visit is None, f"I21 the visit does not end: {house.mem.visit}"
    assert house.outcomes[-1:] == ["collected"], f"I20 the return's result is {house.outcomes[-1:]}: {said}"
    assert house.houses[-1:] == ["locked_again"], f"I20 the house's result is {house.houses[-1:]}: {said}"
    for thing in house.things.values():
        assert thing.is_secured(), f"I20 {thing.closure.id} is left open"
        thing.tidy()
    house.run(20)
