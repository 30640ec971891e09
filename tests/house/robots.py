"""Lives of a front door that robots use: an honest robot, and a supervisor who is not always honest.

The robot reports its mode and its requests, as in VDA 5050; the zone of the gateway reads them. A person may drive it
by hand: then it drops its request, and has none when it drives by itself again, wherever it is.
`RobotHome.wrong` lists what broke invariant 28, judged by what bolt, leaf and robot physically did.
"""

import math
import random
from collections.abc import Callable
from datetime import timedelta

from devices.reports import ZoneRequest, ZoneStatus
from gateway.domain import robot_zone
from gateway.domain.robot_zone import Zone
from gateway.domain.visit import commands as c
from gateway.domain.visit import events as e
from gateway.domain.visit.conditions import ALWAYS, RobotFit, RobotFitReported
from gateway.domain.visit.conditions.robot_fit import RobotFitness
from gateway.domain.visit.state import CodeKind, Entrance, RobotProof
from tests.house.house import CAMERAS, SimulatedHome
from tests.house.promise import SimulatedDelivery
from tests.house.rules import rules_with

ROBOT, YES_LIFE_S, LIFE_S = "r1", 12.0, 1500.0


class RobotHome(SimulatedHome):
    """A home, an honest robot in front of it, and a supervisor who is not always honest."""

    def __init__(self, seed: int) -> None:
        conditions = (*ALWAYS, RobotFit(robots=(ROBOT,)))
        rules = rules_with(
            cameras=CAMERAS, robots=frozenset({ROBOT}), conditions=conditions, yes_life=YES_LIFE_S, ring=5, approval=30
        )
        self.restarts_astray = 0  # starts of the gateway that found the doubt in the store
        self.zone = Zone()
        super().__init__(seed, rules)
        self.yes: dict[str, float] = {}  # digest of a yes that was given -> when it was signed
        self.used: list[str] = []
        self.permitted: set[str] = set()  # visits whose intent has a yes of its own
        self.is_inside = False  # the robot, physically
        self.inside: list[tuple[float, float]] = []  # from when until when it was
        self.sign: Callable[[e.OpeningDecided], e.OpeningDecided] | None = None  # what the supervisor's browser signs
        self.asks = False  # it reports a request for the zone
        self.is_driven = False  # by a person, by hand
        self.has_told = False  # the box has heard that a person drives it
        self.strayed: set[str] = set()  # visits in which a person drove it inside
        self.wrong: list[str] = []
        self.fitness = RobotFitness.FIT
        self.later(1, self.robot_says)

    def robot_says(self) -> None:
        """The robot reports its state, as often as it does."""
        self.says()
        self.later(5, self.robot_says)

    def says(self) -> None:
        """The robot reports once; it is heard if the box runs and has the broker."""
        if not self.alive or self.session is None:
            return
        fitness = RobotFitness.UNFIT if self.is_driven else self.fitness
        self.feed(RobotFitReported(device=ROBOT, fitness=fitness))
        before, request = self.zone, ZoneRequest(id="q", zone="door-1", status=ZoneStatus.GRANTED)
        requests = (request,) if self.asks else ()
        self.zone = robot_zone.observe(before, ROBOT, requests, is_driving=not self.is_driven)
        is_fit = fitness is RobotFitness.FIT
        found = robot_zone.news(before, self.zone, self.mem, ROBOT, is_fit=is_fit, carries=frozenset())
        if found is not None:
            self.feed(found)
        if self.is_driven and self.alive:
            self.has_told = True

    def boot(self) -> None:
        """Start the gateway; the zone knows what is stored."""
        self.zone = robot_zone.restored(self.stored)
        self.restarts_astray += bool(self.zone.strayed)
        super().boot()

    def is_taken_over(self) -> None:
        """A person drives the robot by hand, where it stands inside. It reports the mode at once."""
        if self.is_inside and self.mem.visit is not None:
            self.is_driven, self.has_told, self.asks = True, False, self.rng.random() < 0.3
            self.strayed.add(self.mem.visit.id)
            self.says()

    def is_given_back(self) -> None:
        """It drives by itself again, in the home, and has no request. What no report showed, no box can know."""
        if self.is_driven and self.has_told:
            self.is_driven = self.asks = False
            self.says()

    def comes(self) -> None:
        """A delivery is announced, and the robot asks for it, unless it is still in the home."""
        if self.is_inside:
            return
        ident = f"d{len(self.promises)}"
        promise = SimulatedDelivery(id=ident, start=self.t, end=self.t + LIFE_S, for_robot=True, allowance=2)
        self.promises[ident] = promise
        self.scans += 1
        match = e.CodeMatch(kind=CodeKind.PARCEL, delivery=promise.facts())
        proof = RobotProof(robot=ROBOT, delivery=ident, loads=promise.parcels)
        code = min(promise.parcels)
        self.asks, self.is_driven = True, False
        self.says()
        scan = e.Scanned(id=f"v{self.scans:015}", scanner=ROBOT, code=code, matches=(match,), robot=proof)
        self.oracle.scans(scan)
        self.feed(scan)

    def decides(self, *, yes: bool, age: float = 0.0) -> None:
        """The supervisor decides about the visit that is running, or about one that was."""
        visit = self.mem.visit.id if self.mem.visit is not None else f"v{self.scans:015}"
        issued = self.wall(self.t - age)
        event = e.OpeningDecided(
            visit=visit, closure="door", yes=yes, by="ines", issued=issued, expires=issued + timedelta(seconds=30),
            message_sha256=f"{len(self.yes):064x}", picture_sha256=f"{len(self.yes) + 1000:064x}" if yes else "",
        )  # fmt: skip
        if self.sign is not None:
            event = self.sign(event)
        self.yes[event.message_sha256] = self.t - age
        self.feed(event)

    def owner_looks(self) -> None:
        """The owner checks a door that was handed over, once no robot is in it."""
        if self.mem.visit is not None and not self.is_inside:
            self.feed(e.OwnerAcknowledged(visit=self.mem.visit.id))

    def goes_in(self) -> None:
        """The robot drives in, if it is let in and the door opens; out again, it is let in by another visit only."""
        has_been_in = self.mem.visit is None or self.mem.visit.holder_left
        if self.asks and not (self.is_inside or self.is_driven or has_been_in) and self.open():
            self.is_inside = True
            self.inside.append((self.t, math.inf))

    def comes_out(self) -> None:
        """The robot asks for the zone if it has no request, drives out, if the door stands open, and reports it.

        A person who drives it takes it out too: then it has no request.
        """
        if self.is_inside and self.premises.door_open:
            if not self.asks and not self.is_driven:
                self.asks = True
                self.says()
            self.is_inside = self.asks = False
            self.inside[-1] = self.inside[-1][0], self.t
            self.says()

    def thrown_on_robot(self) -> list[str]:
        """What the bolt did while the robot was inside."""
        thrown = [line.at for line in self.premises.log if line.what == "thrown"]
        return [
            f"{at}: the bolt was thrown while the robot is inside"
            for at in thrown for since, until in self.inside if since < at < until
        ]  # fmt: skip

    def _commit(self, new: Entrance, commands: tuple[c.Command, ...]) -> bool:
        stored = super()._commit(new, commands)
        for command in commands:
            if stored and isinstance(command, c.ReserveOpening):
                signed = self.yes.get(command.permit)
                if signed is None or command.permit in self.used:
                    self.wrong.append(f"{self.t}: an intent without a yes of its own")
                elif self.t - signed >= YES_LIFE_S:
                    self.wrong.append(f"{self.t}: a yes of {self.t - signed} s")
                else:
                    self.permitted.add(command.visit)
                self.used.append(command.permit)
        return stored


def live(home: RobotHome, seed: int) -> None:
    """One life: random acts, and now and then a robot's whole visit, else nothing would ever open."""
    rng = random.Random(seed)
    home.run(20)
    acts = (
        home.comes, home.goes_in, home.goes_in, home.comes_out, home.comes_out, home.close, home.close,
        lambda: home.decides(yes=True), lambda: home.decides(yes=True), lambda: home.decides(yes=True, age=YES_LIFE_S),
        lambda: home.decides(yes=False), home.kill, home.broker_down, home.broker_up, home.broker_up,
        lambda: home.open() if home.is_inside else None,
        home.is_taken_over, home.is_given_back, lambda: home.feed(e.BellPressed()),
        lambda: home.by_hand(unlock=False) if not home.is_inside else None,
    )  # fmt: skip
    end = home.t + LIFE_S
    while home.t < end:
        if rng.random() < 0.15:
            robot_visits(home, rng)
        else:
            rng.choice(acts)()
            home.run(rng.choice((0.2, 1.0, 4.0, 15.0)))
    home.wrong += home.thrown_on_robot()


def robot_visits(home: RobotHome, rng: random.Random) -> None:
    """A robot's whole visit, in which it may be stopped inside."""
    home.broker_up()
    home.comes()
    home.run(rng.choice((2, 6)))
    home.decides(yes=True)
    home.run(6)
    home.goes_in()
    home.fitness = rng.choice((RobotFitness.FIT, RobotFitness.FIT, RobotFitness.UNFIT, RobotFitness.LOST))
    if rng.random() < 0.4:
        is_driven_inside(home, rng)
    home.run(rng.choice((1, 20, 400)))
    home.fitness = RobotFitness.FIT
    home.open()
    home.comes_out()
    home.close()
    home.run(30)
    home.owner_looks()


def is_driven_inside(home: RobotHome, rng: random.Random) -> None:
    """A person drives it, and gives it back; the gateway is killed at any point of that, or not at all."""
    home.fitness = RobotFitness.FIT
    for act in (home.is_taken_over, home.is_given_back):
        home.crash_at = rng.choice((None, None, "before-commit", "after-commit"))
        act()
        home.crash_at = None
        home.run(rng.choice((0.2, 6, 40)))
        if rng.random() < 0.3:
            home.kill()
            home.run(rng.choice((1, 40)))
    home.close()
    home.run(rng.choice((10, 60)))
