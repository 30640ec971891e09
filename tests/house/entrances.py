"""The entrances of the generic house: which closures in which order, and the way that an honest courier goes.

A garage is a way of its own here: nobody goes on from one, because the box closes it only when the courier has left.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from dataclasses import replace as with_changes
from typing import TYPE_CHECKING, Literal

from gateway.domain.frozen import replace
from gateway.domain.timing import Timing
from gateway.domain.visit.closures import (
    AnyClosure,
    BoltedDoor,
    CarBoot,
    Compartment,
    GarageDoor,
    KeyedDoor,
    KeySafe,
    Strike,
)
from gateway.domain.visit.fence import Fence
from gateway.domain.visit.state import Evidence, Holder, Rules
from tests.house.house import CAMERAS
from tests.house.things.bolted_door import BoltedLeaf
from tests.house.things.car_boot import Car
from tests.house.things.compartment import Box
from tests.house.things.garage_door import Garage
from tests.house.things.key_safe import Safe
from tests.house.things.keyed_door import KeyedLeaf
from tests.house.things.strike import StreetDoor
from tests.house.things.thing import Thing
from tests.house.ways import KEEPERS, EntranceHouse

if TYPE_CHECKING:
    from tests.house.promise import SimulatedDelivery

PLACE = "hall"
FIRST_SCANNER = "s"
TIMING = Timing(by_hand=5.0)  # so that hands do not keep every courier out
HOLD_S = 120.0
COMPARTMENT_DEVICES = {"order": "board", "latch": "board", "lid": "board", "content": "eye"}
CATCHES_UP_S = 14.0  # seconds in which a closure behind the courier is proven secured


@dataclass(frozen=True)
class Layout:
    """Closures in the order in which they stand there, and the rules beside them."""

    closures: tuple[AnyClosure, ...]
    routes: Mapping[str, tuple[tuple[str, ...], ...]] | None = None
    is_filmed: bool = True
    evidence: Evidence = Evidence.SENSOR  # without a film
    holder: Holder = Holder.COURIER

    def rules(self, timing: Timing = TIMING) -> Rules:
        """The rules of this entrance."""
        first, *inner = self.closures
        routes = {} if self.routes is None else self.routes
        if not self.is_filmed:
            return Rules(
                closures=self.closures,
                routes=routes,
                timing=timing.model_copy(update={"ring": 1.0}),
                evidence=self.evidence,
                has_signal=False,
                household_refuses=False,
            )
        ordered = [closure.id for closure in inner if closure.opening().is_ordered]
        return Rules(
            closures=self.closures,
            routes=routes,
            timing=timing,
            cameras=CAMERAS,
            watched_by={first.id: ("outside",), **dict.fromkeys(ordered, ("inside",))},
            scanners={FIRST_SCANNER: first.id, **{f"at-{ident}": ident for ident in ordered}},
            holder=self.holder,
            keepers=frozenset(KEEPERS) if self.holder is Holder.KEEPER else frozenset(),
        )


def _gate(ident: str) -> BoltedDoor:
    return BoltedDoor(id=ident, command_hold=HOLD_S)


def _box(ident: str) -> Compartment:
    return Compartment(id=ident, command_hold=HOLD_S, devices=COMPARTMENT_DEVICES)


def _garage(ident: str) -> GarageDoor:
    timing = {"warning": 5.0, "closing": 20.0}
    garage = GarageDoor(id=ident, obstruction_sensor=True, guarded=False, command_hold=HOLD_S)
    return garage.model_copy(update=timing)


def _car(ident: str, opens: Literal["boot", "car"] = "boot") -> CarBoot:
    return CarBoot(
        id=ident, fence=Fence(latitude=48.85, longitude=2.35), opens=opens, has_boot_order=opens == "boot",
        command_hold=HOLD_S,
    )  # fmt: skip


def _safe(ident: str) -> KeySafe:
    return KeySafe(id=ident, back_within=600.0, command_hold=HOLD_S)


BOXES = ("c1", "c2", "c3")

LAYOUTS: Mapping[str, Layout] = {
    "flat": Layout((Strike(id="street"), _gate("flat"))),
    "gate and front door": Layout((_gate("gate"), _gate("front"))),
    "parcel box": Layout(tuple(_box(ident) for ident in BOXES), {PLACE: tuple((x,) for x in BOXES)}, is_filmed=False),
    "key safe": Layout((_safe("safe"), KeyedDoor(id="front"))),
    "key safe alone": Layout((_safe("safe"),)),
    "garage": Layout((_garage("garage"),)),
    "street, hall and flat": Layout((Strike(id="street"), Strike(id="hall"), _gate("flat"))),
    "boxes in the hall": Layout(
        (Strike(id="street"), _box("c1"), _box("c2")), {PLACE: (("street", "c1"), ("street", "c2"))}
    ),
    "key safe in the hall": Layout((Strike(id="street"), _safe("safe"), KeyedDoor(id="flat"))),
    "two ways in": Layout(
        (Strike(id="street"), _gate("flat"), _garage("garage")),
        {PLACE: (("street", "flat"),), "garage": (("garage",),)},
    ),
    "one door": Layout((_gate("front"),)),
    "car": Layout((_car("car"),), is_filmed=False, evidence=Evidence.SCAN),
    "car that unlocks": Layout((_car("car", opens="car"),), is_filmed=False, evidence=Evidence.SCAN),
}


THINGS: Mapping[str, type[Thing]] = {
    "bolted_door": BoltedLeaf,
    "garage_door": Garage,
    "strike": StreetDoor,
    "compartment": Box,
    "key_safe": Safe,
    "keyed_door": KeyedLeaf,
    "car_boot": Car,
}
"""What stands there in truth for each kind of closure."""


def things_for(closures: tuple[AnyClosure, ...]) -> dict[str, Thing]:
    """One thing for each closure; a door that a key opens stands behind the newest safe."""
    things: dict[str, Thing] = {}
    for closure in closures:
        things[closure.id] = THINGS[closure.kind].beside(things.values())
    return things


def build(
    name: str, seed: int = 1, tell: Callable[[str], None] | None = None, timing: Timing = TIMING, **rules: object
) -> EntranceHouse:
    """Build the house of this layout; `rules` change its rules."""
    layout = LAYOUTS[name]
    changed = replace(layout.rules(timing), **rules)  # type: ignore[arg-type] # `replace` checks the names
    return EntranceHouse(seed, changed, things_for(layout.closures), tell)


LAST: Mapping[str, tuple[AnyClosure, ...]] = {
    "gate": (_gate("inner"),),
    "box": (_box("inner"),),
    "safe": (_safe("safe"), KeyedDoor(id="inner")),
    "garage": (_garage("inner"),),
    "car": (_car("inner"),),
}
"""What can stand last in a mix."""

MIXES = ("mix 1", "mix 2", "mix 3")  # so much of the lives, each as one layout


def chosen(seed: int, names: Iterable[str]) -> str:
    """The name that this seed draws: each draws a number for this seed, and the highest wins.

    So a new name takes its share of the seeds, and every other seed keeps the name that it had.
    """
    return max(names, key=lambda name: random.Random(f"{name} {seed}").random())


def any_mix(seed: int, last: Mapping[str, tuple[AnyClosure, ...]] = LAST) -> Layout:
    """One to three closures at random behind each other; what only the household can close again stands last."""
    rng = random.Random(f"mix {seed}")
    outer = [rng.choice((Strike(id=f"outer{n}"), _gate(f"outer{n}"))) for n in range(rng.choice((0, 1, 2)))]
    return Layout((*outer, *last[chosen(seed, last)]))


def layout_of(seed: int, layouts: Mapping[str, Layout] = LAYOUTS) -> Layout:
    """The layout of this seed's life: one of these, or a mix."""
    name = chosen(seed, (*layouts, *MIXES))
    return any_mix(seed) if name in MIXES else layouts[name]


def build_for_life(seed: int, tell: Callable[[str], None] | None) -> EntranceHouse:
    """Build a house for a life: its layout or mix; some devices do not check a command's time."""
    rng = random.Random(f"entrance {seed}")
    layout = layout_of(seed)
    has_key = any(closure.key_back_within_s is not None for closure in layout.closures)
    if has_key and random.Random(f"holder {seed}").random() < 0.5:
        layout = with_changes(layout, holder=Holder.KEEPER)
    if rng.random() < 0.2:
        closures = tuple(closure.model_copy(update={"guarded": False}) for closure in layout.closures)
        layout = with_changes(layout, closures=closures)
    timing = TIMING.model_copy(update={"watch": rng.choice((60.0, 900.0))})
    return EntranceHouse(seed, layout.rules(timing), things_for(layout.closures), tell)


def courier(
    house: EntranceHouse, promise: SimulatedDelivery, takes: Callable[[int], bool] | None = None
) -> Iterator[str]:
    """Go all the way as an honest courier does, and out again; yield after each step, with its name.

    He goes as far as the closures let him. `takes`: which of the returns he scans inside, by their number; None: all.
    """
    rules, code = house.rules, min(promise.door_codes)
    route = rules.routes.get(promise.place, (tuple(house.things),))[0]
    first = next((name for name, at in rules.scanners.items() if at == route[0]), FIRST_SCANNER)
    house.scan(code, scanner=first)
    if rules.holder is Holder.KEEPER:
        house.run(2)
        house.scan(house.code_of(KEEPERS[house.scans % len(KEEPERS)]), scanner=first)
    yield "scanned"
    house.run(rules.timing.ring + 1.5)
    visit = house.mem.visit
    if visit is None or visit.delivery.id != promise.id:
        return
    yield "let in"
    inside: list[Thing] = []
    for stage, ident in enumerate(visit.route):
        if stage and house.things[ident].closure.opening().is_ordered:
            house.run(CATCHES_UP_S)
            yield f"before {ident}"
            house.scan(code, scanner=f"at-{ident}")
            house.run(2)
        if not house.things[ident].enter():
            break
        inside.append(house.things[ident])
        house.run(3)
        yield f"in {ident}"
        if stage + 1 < len(visit.route):
            house.things[ident].shut()
    else:
        if not promise.alone:
            inside[-1].errand()
            yield "left the parcel"
        for number, back in enumerate(sorted(promise.collect)):
            if takes is None or takes(number):
                house.scan(back, scanner=first)
                house.run(1)
                yield "took a return"
    for thing in reversed(inside):
        house.run(2)
        thing.leave()
        house.run(4)
        yield f"out of {thing.closure.id}"


def walk(house: EntranceHouse, promise: SimulatedDelivery, until: str | None = None) -> list[str]:
    """Let the courier go, all the way or until after this step; return his steps."""
    steps: list[str] = []
    for step in courier(house, promise):
        steps.append(step)
        if step == until:
            break
    return steps
