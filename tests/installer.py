"""The installer at the door of a simulated house: does with his hands what each trial of a walk test asks."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import assert_never

from devices.simulators import control as ask
from devices.simulators.house import THINGS, OpenerPlan
from gateway.demo.scenario import ScenarioRun
from gateway.installation.trials import WalkTrial
from gateway.installation.walk import WalkTestStep

UserAction = Callable[[], Awaitable[object]]
INSTALLER_NAME = "resident"  # he was lent the key
HEARD_S = 1.0  # seconds in which the box has heard of what he did last
TIMEOUT_S = 30.0  # seconds, on a loaded machine


class WalkTestInstaller:
    """`shows(number, goals)` waits until the walk has seen so many goals of that trial.

    `delivers` takes the codes of the test's delivery through another way in than one door.
    """

    def __init__(
        self,
        play: ScenarioRun,
        *,
        locks: UserAction,
        shows: Callable[[int, int], Awaitable[object]],
        delivers: Callable[[ScenarioRun, Sequence[str]], Awaitable[None]] | None = None,
    ) -> None:
        self._play, self._locks, self._shows, self._delivers = play, locks, shows, delivers
        plan = play.plan.house.things
        by_closure = {closure.id: closure.id for closure in play.section.closures}
        by_lid = {closure: f"{closure}-lid" for closure in by_closure}  # a box's compartments are called by their lids
        self._has_front_door = any(closure.kind not in THINGS for closure in play.section.closures)
        self._things = {
            closure: thing for names in (by_closure, by_lid) for closure, thing in names.items() if thing in plan
        }

    async def _do(self, *requests: ask.Request) -> None:
        for request in requests:
            await self._play.house.ask(request)

    async def tries(self, number: int, step: WalkTestStep, codes: Sequence[str]) -> None:
        """Do what this trial asks for; what is asked afterwards is answered by whoever holds the phone."""
        play, camera = self._play, step.camera or ""
        if step.closure in self._things and await self._tries_thing(number, step):
            return
        match step.trial:
            case WalkTrial.DOOR_SENSOR:
                await self._do(ask.Arrive(who=INSTALLER_NAME))
                await self._open_with_key(number)
            case WalkTrial.BOLT:
                await self._locks()
            case WalkTrial.BOLT_IN_AIR:
                await self._throw_bolt_in_air(number)
            case WalkTrial.JAM:
                await self._do(ask.CloseDoor(who=INSTALLER_NAME))
                await self._shows(number, 1)
                await play.set_fault("front-lock", "jam")
                await asyncio.sleep(HEARD_S)
                await self._locks()
            case WalkTrial.WAY_OUT:
                await self._walk_out(number)
            case WalkTrial.KEY:
                await asyncio.sleep(HEARD_S)
                await self._locks()
                await self._shows(number, 1)
                await self._open_with_key(number)
            case WalkTrial.ANSWER:
                await self._press_answer()
            case WalkTrial.PICTURE | WalkTrial.SEES | WalkTrial.BATTERIES | WalkTrial.HOLDS:
                pass
            case (
                WalkTrial.WEDGED
                | WalkTrial.NOT_CAUGHT
                | WalkTrial.CONTENT
                | WalkTrial.KEY_HOOK
                | WalkTrial.LOCKED
                | WalkTrial.IGNITION
                | WalkTrial.PLACE
                | WalkTrial.OBSTRUCTION
            ):
                raise AssertionError(step)  # of things only; at the front door no house of these tests has a beam
            case WalkTrial.COVERED:
                await self._lose_camera(number, partial(play.set_fault, camera, "black"))
            case WalkTrial.CUT:
                await self._lose_camera(number, lambda on: play.set_link(camera, up=not on))
            case WalkTrial.BROKER:
                await play.stage.broker.crash()
                await self._shows(number, 1)
                await play.stage.broker.begin()
            case WalkTrial.WRONG_CODE:
                await play.courier.does("arrive")
                await play.courier.scans("4006381333931", scanner=self._scanner_at(step.closure))
            case WalkTrial.DELIVERY:
                await self._deliver(number, codes)
            case _:
                assert_never(step.trial)

    async def _press_answer(self) -> None:
        if self._things and not self._has_front_door:  # the house's own door is no closure: he has not used it
            await self._do(ask.Arrive(who=INSTALLER_NAME), ask.TurnKey())
        await self._do(
            ask.OpenDoor(who=INSTALLER_NAME),
            ask.WalkIn(who=INSTALLER_NAME),
            ask.PressAnswer(who=INSTALLER_NAME),
            ask.WalkOut(who=INSTALLER_NAME),
        )
        await self._do(ask.CloseDoor(who=INSTALLER_NAME))

    def _scanner_at(self, closure: str | None) -> str | None:
        """The scanner of a closure that is not the first one; None: the first one's."""
        scanners = {one.id: one.scanners for one in self._play.section.closures}
        return next(iter(scanners.get(closure or "", ())), None)

    async def _handles(self, thing: str, *acts: str) -> None:
        for act in acts:
            await self._do(ask.Handle(thing=thing, act=act, who=INSTALLER_NAME))

    async def _tries_car(self, number: int, trial: WalkTrial, thing: str) -> None:
        """Use its key, or its ignition, until the page shows it, and undo that."""
        there, back = ("unlock_with_key", "lock_with_key") if trial is WalkTrial.LOCKED else ("drive_away", "come_back")
        await self._shows(number, 1)
        await self._handles(thing, there)
        await self._shows(number, 2)
        await self._handles(thing, back)

    async def _tries_thing(self, number: int, step: WalkTestStep) -> bool:
        """Do what this trial asks for at a street door, a compartment, a key safe or its door; False: nothing here."""
        thing = self._things[step.closure or ""]
        section = self._play.plan.house.things[thing]
        hands = section.makes.HANDS
        inside = hands.opens if hands.opens_inside is None else hands.opens_inside
        match step.trial:
            case WalkTrial.DOOR_SENSOR:
                await self._opens_and_closes(number, thing, (inside, hands.closes), seen=1)
            case WalkTrial.WEDGED:
                await self._play.set_fault(thing, "wedged")
                await self._handles(thing, "come_with_key")
                await self._shows(number, 2)
                await self._play.set_fault(thing, "wedged", on=False)
            case WalkTrial.NOT_CAUGHT:
                await self._handles(thing, "open_with_key")
                await self._shows(number, 1)
                await self._play.set_fault(thing, "does_not_catch")
                await self._handles(thing, "push_shut")
                await self._shows(number, 2)
                await self._play.set_fault(thing, "does_not_catch", on=False)
                await self._handles(thing, "open_with_key", "push_shut")
            case WalkTrial.CONTENT:
                await self._shows(number, 1)
                await self._handles(thing, "open_with_key", "put_in", "push_shut")
                await self._shows(number, 2)
                await self._handles(thing, "open_with_key", "take_out", "push_shut")
            case WalkTrial.KEY_HOOK:
                await self._handles(thing, "open_with_code", "take_key")
                await self._shows(number, 1)
                await self._handles(thing, "shut_flap")
                await self._shows(number, 2)
                await self._handles(thing, "bring_key", "shut_flap")
            case WalkTrial.LOCKED | WalkTrial.IGNITION | WalkTrial.PLACE:
                await self._tries_car(number, step.trial, thing)
            case WalkTrial.OBSTRUCTION:
                devices = self._play.plan.house.devices.items()
                opener = next(id_ for id_, one in devices if isinstance(one, OpenerPlan) and one.of == thing)
                await self._shows(number, 1)
                await self._play.set_fault(opener, "beam")
                await self._shows(number, 2)
                await self._play.set_fault(opener, "beam", on=False)
            case WalkTrial.WAY_OUT:
                await self._opens_and_closes(number, thing, (inside, hands.closes), seen=1)
            case WalkTrial.KEY:
                (safe,) = (getattr(section, key) for key, kind in section.needs.items() if kind == "key_safe")
                await self._shows(number, 1)
                await self._handles(safe, "open_with_code", "take_key")
                await self._opens_and_closes(number, thing, (hands.opens, hands.closes), seen=1)
                await self._handles(safe, "bring_key", "shut_flap")
            case _:
                return False
        return True

    async def _opens_and_closes(
        self, number: int, thing: str, way: tuple[Sequence[str], Sequence[str]], *, seen: int
    ) -> None:
        opens, closes = way
        await self._shows(number, seen)
        await self._handles(thing, *opens)
        await self._shows(number, seen + 1)
        await self._handles(thing, *closes)

    async def _open_with_key(self, number: int) -> None:
        await self._do(ask.TurnKey(), ask.OpenDoor(who=INSTALLER_NAME))
        await self._shows(number, 2)
        await self._do(ask.CloseDoor(who=INSTALLER_NAME))

    async def _throw_bolt_in_air(self, number: int) -> None:
        await self._do(ask.TurnKey(), ask.OpenDoor(who=INSTALLER_NAME))
        await self._shows(number, 1)
        await self._do(ask.LockByHand(who=INSTALLER_NAME))
        await self._shows(number, 2)
        await self._do(ask.TurnKey())

    async def _walk_out(self, number: int) -> None:
        await self._play.set_fault("front-lock", "jam", on=False)
        await self._do(
            ask.OpenDoor(who=INSTALLER_NAME), ask.WalkIn(who=INSTALLER_NAME), ask.CloseDoor(who=INSTALLER_NAME)
        )
        await asyncio.sleep(HEARD_S)
        await self._locks()
        await self._shows(number, 1)
        await self._do(ask.ThumbTurn(who=INSTALLER_NAME), ask.OpenDoor(who=INSTALLER_NAME))
        await self._shows(number, 2)
        await self._do(ask.WalkOut(who=INSTALLER_NAME), ask.CloseDoor(who=INSTALLER_NAME))

    async def _lose_camera(self, number: int, camera: Callable[[bool], Awaitable[None]]) -> None:
        await self._shows(number, 1)
        await camera(True)  # noqa: FBT003 - on or off
        await self._shows(number, 2)
        await camera(False)  # noqa: FBT003 - the same

    async def _deliver(self, number: int, codes: Sequence[str]) -> None:
        play = self._play
        await self._locks()
        await self._shows(number, 1)
        if self._delivers is not None:
            await self._delivers(play, codes)
            return
        await asyncio.sleep(play.timing.by_hand + play.timing.merge + 0.5)
        for code in codes:
            await play.courier.scans(code)
        await play.wait_for_unlocked()
        await play.courier.goes_in()
        await play.courier.comes_out()
