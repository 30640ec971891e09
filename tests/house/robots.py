"""Lives of a front door that robots use: an honest robot, and a supervisor who is not always honest.

`RobotHome.wrong` lists what broke invariant 28, judged by what bolt, leaf and robot physically did.
"""

import random
from datetime import timedelta

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
        super().__init__(seed, rules)
        self.yes: dict[str, float] = {}  # digest of a yes that was given -> when it was signed
        self.used: list[str] = []
        self.permitted: set[str] = set()  # visits whose intent has a yes of its own
        self.is_inside = False  # the robot, physically
        self.has_left: bool | None = None  # what it reports; None: it asked for nothing
        self.wrong: list[str] = []
        self.fitness = RobotFitness.FIT
        self.later(1, self.robot_says)

    def robot_says(self) -> None:
        """The robot reports its state, as often as it does."""
        self.feed(RobotFitReported(device=ROBOT, fitness=self.fitness))
        if self.has_left:
            self.feed(e.HolderLeft(holder=ROBOT))
        self.later(5, self.robot_says)

    def comes(self) -> None:
        """A delivery is announced, and the robot asks for it."""
        ident = f"d{len(self.promises)}"
        promise = SimulatedDelivery(id=ident, start=self.t, end=self.t + LIFE_S, for_robot=True, allowance=2)
        self.promises[ident] = promise
        self.scans += 1
        match = e.CodeMatch(kind=CodeKind.PARCEL, delivery=promise.facts())
        proof = RobotProof(robot=ROBOT, delivery=ident, loads=promise.parcels)
        code = min(promise.parcels)
        if not self.is_inside:
            self.has_left = False
        scan = e.Scanned(id=f"v{self.scans}", scanner=ROBOT, code=code, matches=(match,), robot=proof)
        self.oracle.scans(scan)
        self.feed(scan)

    def decides(self, *, yes: bool, age: float = 0.0) -> None:
        """The supervisor decides about the visit that is running, or about one that was."""
        digest = f"{len(self.yes):064x}"
        visit = self.mem.visit.id if self.mem.visit is not None else f"v{self.scans}"
        issued = self.wall(self.t - age)
        self.yes[digest] = self.t - age
        self.feed(
            e.OpeningDecided(
                visit=visit, closure="door", yes=yes, by="ines", issued=issued,
                expires=issued + timedelta(seconds=30), message_sha256=digest,
                picture_sha256=f"{len(self.yes) + 1000:064x}" if yes else "",
            )
        )  # fmt: skip

    def owner_looks(self) -> None:
        """The owner checks a door that was handed over, once no robot is in it."""
        if self.mem.visit is not None and not self.is_inside:
            self.feed(e.OwnerAcknowledged(visit=self.mem.visit.id))

    def goes_in(self) -> None:
        """The robot drives in, if the door lets it."""
        if self.has_left is False and self.open():
            self.is_inside = True

    def comes_out(self) -> None:
        """The robot drives out, if the door stands open, and reports it."""
        if self.is_inside and self.premises.door_open:
            self.is_inside, self.has_left = False, True

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
        lambda: home.feed(e.BellPressed()), lambda: home.by_hand(unlock=False) if not home.is_inside else None,
    )  # fmt: skip
    end = home.t + LIFE_S
    while home.t < end:
        thrown = len([what for what in home.physical if what == "thrown"])
        was_inside = home.is_inside
        if rng.random() < 0.15:
            robot_visits(home, rng)
        else:
            rng.choice(acts)()
            home.run(rng.choice((0.2, 1.0, 4.0, 15.0)))
        if was_inside and home.is_inside and len([what for what in home.physical if what == "thrown"]) > thrown:
            home.wrong.append(f"{home.t}: the bolt was thrown while the robot is inside")


def robot_visits(home: RobotHome, rng: random.Random) -> None:
    """A robot's whole visit, in which it may be stopped inside."""
    home.broker_up()
    home.comes()
    home.run(rng.choice((2, 6)))
    home.decides(yes=True)
    home.run(6)
    home.goes_in()
    home.fitness = rng.choice((RobotFitness.FIT, RobotFitness.FIT, RobotFitness.UNFIT, RobotFitness.LOST))
    home.run(rng.choice((1, 20, 400)))
    home.fitness = RobotFitness.FIT
    home.comes_out()
    home.close()
    home.run(30)
    home.owner_looks()
