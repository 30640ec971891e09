"""Simulates an opener with its light beam, of a garage door or of a thing; an obstacle sends the leaf up again."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import ClassVar, Protocol

from devices.commands import Command, LockDoor, UnlockDoor
from devices.reports import GarageDoorReport, GarageDoorState
from devices.simulators.device import DeviceSite, FaultValue, SimulatedDevice
from devices.simulators.doorway import Position
from devices.simulators.house import OpenerPlan
from devices.simulators.thing import MotorThing

POLL_INTERVAL_S = 0.05  # seconds between two checks of a door that comes down
BEAM_BREAK_S = 0.3  # seconds for which a person who walks through breaks the beam


class Leaf(Protocol):
    """What an opener moves."""

    @property
    def open(self) -> bool:
        """Whether it is open."""

    def lift(self, by: str) -> None:
        """Lift it."""

    def lower(self, by: str) -> None:
        """Finish lowering it."""


class Opener(SimulatedDevice):
    """Lifts and lowers the leaf on command; never lowers it onto an obstacle that it or its beam meets.

    `moved` is called when the leaf starts, arrives or turns round.

    Faults: stuck (does nothing), silent (neither reports nor answers), beam (something stands in the light beam), under
    (somebody stands under the door, past the beam), blind (the beam detects nothing and reports that all is clear).
    """

    NOUN = "opener"
    FAULTS: ClassVar[Mapping[str, FaultValue]] = dict.fromkeys(("stuck", "silent", "beam", "under", "blind"), True)

    def __init__(self, name: str, plan: OpenerPlan, site: DeviceSite) -> None:
        self._plan, self._doorway = plan, site.doorway
        self._leaf: Leaf = site.doorway if plan.of is None else _motor_thing(site, plan.of)
        self._run = 0  # the motor's newest run
        self._cover = GarageDoorState.CLOSED
        self._passing = 0
        self._inside = self._who_is_inside()
        self.moved: list[Callable[[], None]] = []
        super().__init__(name, plan, plan.vendor, site)
        if isinstance(self._leaf, MotorThing):
            self._leaf.crossed.append(self._somebody_crossed)
        else:
            site.doorway.people_moved.append(self._somebody_moved)

    @property
    def moves_front(self) -> bool:
        """Return whether its leaf is the way into the house, not that of a thing."""
        return self._plan.of is None

    @property
    def rises(self) -> bool:
        """Return whether the leaf is up or on its way up."""
        return self._cover in (GarageDoorState.OPENING, GarageDoorState.OPEN)

    @property
    def travel_s(self) -> float:
        """Return how long the leaf is on its way, in seconds."""
        return self._plan.travel_s

    # ---- reports -----------------------------------------------------------------------------------------------------

    def on_up(self) -> None:
        """Report the state."""
        self._publish_state(self._cover)

    def answer(self, correlation: bytes | None) -> None:
        """Answer with the state, and with the beam's state if the product has a word for it there."""
        definition = self._vendor.DEFINITION
        if "silent" in self.faults or not definition.answers_queries(self._device_ref):
            return
        clear = not self._is_beam_broken() if definition.answers_beam else None
        report = GarageDoorReport(cover=self._cover, clear=clear)
        if definition.encode_answer is None:  # its next state is its answer
            self.publish(report)
        elif correlation is not None:  # the query's echo is its correlation data too
            answer = definition.encode_answer(report, correlation.decode(errors="replace"), self._device_ref)
            self.link.publish(answer, correlation=correlation)

    def misbehave(self, fault: str) -> None:
        """Report at once what enters and leaves the beam."""
        if fault in ("beam", "blind"):
            self._publish_beam()

    def _publish_state(self, cover: GarageDoorState) -> None:
        self._cover = cover
        for subscriber in self.moved:
            subscriber()
        self._say(GarageDoorReport(cover=cover))

    def _publish_beam(self) -> None:
        self._say(GarageDoorReport(clear=not self._is_beam_broken()))

    def _say(self, report: GarageDoorReport) -> None:
        """Publish the report, unless the product has no word for it: a Zigbee cover on its way, another's beam."""
        if "silent" not in self.faults:
            with contextlib.suppress(ValueError):
                self.publish(report)

    def _is_beam_broken(self) -> bool:
        return ("beam" in self.faults or self._passing > 0) and "blind" not in self.faults

    # ---- movements ---------------------------------------------------------------------------------------------------

    def execute(self, command: Command) -> None:
        """Move up or down. It knows no ids: it executes the same command as often as it is sent."""
        if isinstance(command, UnlockDoor | LockDoor) and "stuck" not in self.faults:
            self._run += 1
            self.do(self._up(self._run) if isinstance(command, UnlockDoor) else self._down(self._run))

    async def _up(self, run: int) -> None:
        await asyncio.sleep(self._plan.latency_s)
        self._leaf.lift(self.name)
        self._publish_state(GarageDoorState.OPENING)
        await asyncio.sleep(self._plan.travel_s)
        if run == self._run:
            self._publish_state(GarageDoorState.OPEN)

    async def _down(self, run: int) -> None:
        await asyncio.sleep(self._plan.latency_s)
        if not self._leaf.open or self._is_beam_broken():
            return
        self._publish_state(GarageDoorState.CLOSING)
        loop = asyncio.get_running_loop()
        lands = loop.time() + self._plan.travel_s
        while loop.time() < lands:
            await asyncio.sleep(POLL_INTERVAL_S)
            if run != self._run:
                return
            if self._is_beam_broken() or "under" in self.faults:
                met = "beam" if self._is_beam_broken() else "somebody"
                self.log.write("garage", device=self.name, reversed=True, met=met)
                self._publish_state(GarageDoorState.OPENING)
                self._publish_state(GarageDoorState.OPEN)
                return
        self._leaf.lower(self.name)
        self._publish_state(GarageDoorState.CLOSED)

    # ---- people who walk through -------------------------------------------------------------------------------------

    def _who_is_inside(self) -> frozenset[str]:
        return frozenset(who for who, where in self._doorway.people.items() if where is Position.INSIDE)

    def _somebody_moved(self) -> None:
        before, self._inside = self._inside, self._who_is_inside()
        if before != self._inside:
            self._somebody_crossed()

    def _somebody_crossed(self) -> None:
        if self._leaf.open:
            self.do(self._pass())

    async def _pass(self) -> None:
        self._passing += 1
        self._publish_beam()
        await asyncio.sleep(BEAM_BREAK_S)
        self._passing -= 1
        self._publish_beam()

    def physical(self) -> Mapping[str, object]:
        """Return the leaf's position, and what blocks its way."""
        in_the_way = [obstacle for obstacle in ("beam", "under") if obstacle in self.faults]
        return {"cover": self._cover.value, "in_the_way": in_the_way}


def _motor_thing(site: DeviceSite, name: str) -> MotorThing:
    """Return the thing that the opener moves; the house file permits an opener for it."""
    found = site.things[name]
    if not isinstance(found, MotorThing):
        raise TypeError(f"{name} has no leaf that a motor moves")
    return found
