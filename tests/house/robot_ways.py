"""A robot goes any way in of the generic house, under a supervisor who says yes, no, too late, or to another opening.

`RobotEntrance.wrong` lists what broke invariant 28: an intent without a yes of its own, or a closure that moved while
the robot is behind it.
"""

import random
from collections.abc import Callable, Iterator
from datetime import timedelta

from gateway.domain.frozen import replace
from gateway.domain.visit import commands as c
from gateway.domain.visit import events as e
from gateway.domain.visit import supervision
from gateway.domain.visit.conditions import ALWAYS, RobotFit, RobotFitReported
from gateway.domain.visit.conditions.robot_fit import RobotFitness
from gateway.domain.visit.state import CodeKind, Entrance, RobotProof
from tests.house.entrances import CATCHES_UP_S, LAYOUTS, PLACE, TIMING, things_for
from tests.house.promise import SimulatedDelivery
from tests.house.robots import ROBOT, YES_LIFE_S
from tests.house.story import announce_delivery
from tests.house.things.thing import Thing
from tests.house.ways import EntranceHouse

WAYS = ("one door", "flat", "street, hall and flat", "garage")
OTHER = "no-such-closure"


class RobotEntrance(EntranceHouse):
    """An entrance of any closures, a robot, and its supervisor."""

    def __init__(self, name: str, seed: int) -> None:
        layout = LAYOUTS[name]
        timing = TIMING.model_copy(update={"ring": 5.0, "yes_life": YES_LIFE_S, "approval": 30.0, "advance": 60.0})
        conditions = (*ALWAYS, RobotFit(robots=(ROBOT,)))
        rules = replace(layout.rules(timing), robots=frozenset({ROBOT}), conditions=conditions)
        super().__init__(seed, rules, things_for(layout.closures))
        self.yes: dict[str, tuple[str, float]] = {}  # digest of a yes -> its closure, and when it was signed
        self.used: list[str] = []
        self.behind: list[str] = []  # the closures that the robot has passed, and not passed again
        self.wrong: list[str] = []
        self.is_out = False  # what it reports
        for ident, thing in self.things.items():
            self._watch(ident, thing)
        self.later(1, self.robot_says)

    def _watch(self, ident: str, thing: Thing) -> None:
        """Note when a closure locks or closes while the robot is behind it."""

        def watched(moves: Callable[[], None], what: str) -> Callable[[], None]:
            def move() -> None:
                if ident in self.behind:
                    self.wrong.append(f"{self.t}: {ident} {what} while the robot is behind it")
                moves()

            return move

        thing.locks = watched(thing.locks, "locks")  # type: ignore[method-assign]  # of this thing alone
        thing.closes = watched(thing.closes, "closes")  # type: ignore[method-assign]  # as above

    def robot_says(self) -> None:
        """The robot reports that it is fit, and, once it is out, that it left."""
        self.feed(RobotFitReported(device=ROBOT, fitness=RobotFitness.FIT))
        if self.is_out:
            self.reports_out()
        self.later(5, self.robot_says)

    def reports_out(self) -> None:
        """The robot reports that it left."""
        self.is_out = True
        self.looks.left.append(self.t)
        self.feed(e.HolderLeft(holder=ROBOT))

    def comes(self, promise: SimulatedDelivery) -> None:
        """The robot proves who it is."""
        self.scans += 1
        self.is_out = False
        match = e.CodeMatch(kind=CodeKind.PARCEL, delivery=promise.facts())
        proof = RobotProof(robot=ROBOT, delivery=promise.id, loads=promise.parcels)
        scan = e.Scanned(
            id=f"v{self.scans}", scanner=ROBOT, code=min(promise.parcels), matches=(match,), robot=proof
        )  # fmt: skip
        self.oracle.scans(scan)
        self.feed(scan)

    def decides(self, *, yes: bool = True, age_s: float = 0.0, closure: str | None = None) -> None:
        """The supervisor decides about what is in question, or about another opening."""
        visit, asked = self.mem.visit, supervision.question(self.mem)
        if visit is None:
            return
        about, digest, issued = closure or asked or OTHER, f"{len(self.yes) + 1:064x}", self.wall(self.t - age_s)
        if yes:
            self.yes[digest] = about, self.t - age_s
        self.feed(
            e.OpeningDecided(
                visit=visit.id, closure=about, yes=yes, by="ines", issued=issued,
                expires=issued + timedelta(seconds=30), message_sha256=digest, picture_sha256="a" * 64 if yes else "",
            )
        )  # fmt: skip

    def _commit(self, new: Entrance, commands: tuple[c.Command, ...]) -> bool:
        stored = super()._commit(new, commands)
        for command in commands:
            if stored and isinstance(command, c.ReserveOpening):
                closure, signed = self.yes.get(command.permit, ("", -1e9))
                if closure != command.closure or command.permit in self.used or self.t - signed >= YES_LIFE_S:
                    self.wrong.append(f"{self.t}: {command.closure} has no fresh yes of its own")
                self.used.append(command.permit)
        return stored


def robot(house: RobotEntrance, rng: random.Random, promise: SimulatedDelivery) -> Iterator[None]:
    """Go all the way as an honest robot does, and out again, as far as supervisor and closures let it."""
    house.comes(promise)
    yield
    house.run(house.rules.timing.ring + 1.5)
    visit = house.mem.visit
    if visit is None or visit.delivery.id != promise.id:
        return
    for stage, ident in enumerate(visit.route):
        if stage:
            house.run(CATCHES_UP_S)
            yield
        _supervise(house, rng, visit.route)
        house.run(3)
        if not house.things[ident].enter():
            break
        house.behind.append(ident)
        house.run(3)
        yield
        if stage + 1 < len(visit.route):
            house.things[ident].shut()
    while house.behind:
        house.run(2)
        house.things[house.behind.pop()].leave()
        house.run(4)
        yield
    house.reports_out()
    house.run(20)


def _supervise(house: RobotEntrance, rng: random.Random, route: tuple[str, ...]) -> None:
    """Say yes as one should, mostly; else to another opening, too late, or no."""
    act = rng.random()
    if act < 0.1:
        house.decides(closure=rng.choice((OTHER, *route)))
    elif act < 0.2:
        house.decides(age_s=YES_LIFE_S)
    elif act < 0.25:
        house.decides(yes=False)
    if act < 0.15 or act >= 0.25:
        house.decides()


def live(name: str, seed: int) -> RobotEntrance:
    """Some visits of a robot at this entrance, while the box is killed and the broker goes and comes."""
    house, rng = RobotEntrance(name, seed), random.Random(f"robot {name} {seed}")
    house.run(5)
    house.feed(e.WindowChanged(near=True))
    for number in range(6):
        promise = announce_delivery(house, f"d{number}", 3600, place=PLACE, for_robot=True)
        house.broker_up()
        house.run(12)
        for _step in robot(house, rng, promise):
            act = rng.random()
            if act < 0.08:
                house.kill()
            elif act < 0.12:
                house.broker_down()
                house.run(rng.choice((1.0, 20.0)))
                house.broker_up()
            elif act < 0.16:
                house.decides(yes=False)
        house.run(120)
        if house.mem.visit is not None:
            house.feed(e.OwnerAcknowledged(visit=house.mem.visit.id))
            house.run(60)
    return house
