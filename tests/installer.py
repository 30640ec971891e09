"""The installer at the door of a simulated house: does with his hands what each trial of a walk test asks."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import assert_never

from devices.simulators import control as ask
from gateway.demo.scenario import ScenarioRun
from gateway.installation.walk import WalkTestStep, WalkTrial

UserAction = Callable[[], Awaitable[object]]
INSTALLER_NAME = "resident"  # he was lent the key
HEARD_S = 1.0  # seconds in which the box has heard of what he did last
TIMEOUT_S = 30.0  # seconds, on a loaded machine


class WalkTestInstaller:
    """`shows(number, goals)` waits until the walk has seen so many goals of that trial."""

    def __init__(self, play: ScenarioRun, *, locks: UserAction, shows: Callable[[int, int], Awaitable[object]]) -> None:
        self._play, self._locks, self._shows = play, locks, shows

    async def _do(self, *requests: ask.Request) -> None:
        for request in requests:
            await self._play.house.ask(request)

    async def tries(self, number: int, step: WalkTestStep, codes: Sequence[str]) -> None:
        """Do what this trial asks for; what is asked afterwards is answered by whoever holds the phone."""
        play, camera = self._play, step.camera or ""
        match step.trial:
            case WalkTrial.DOOR_SENSOR:
                await self._do(ask.Arrive(who=INSTALLER_NAME), ask.TurnKey(), ask.OpenDoor(who=INSTALLER_NAME))
                await self._shows(number, 2)
                await self._do(ask.CloseDoor(who=INSTALLER_NAME))
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
                await self._do(ask.TurnKey(), ask.OpenDoor(who=INSTALLER_NAME))
                await self._shows(number, 2)
                await self._do(ask.CloseDoor(who=INSTALLER_NAME))
            case WalkTrial.ANSWER:
                await self._do(
                    ask.OpenDoor(who=INSTALLER_NAME),
                    ask.WalkIn(who=INSTALLER_NAME),
                    ask.PressAnswer(who=INSTALLER_NAME),
                    ask.WalkOut(who=INSTALLER_NAME),
                )
                await self._do(ask.CloseDoor(who=INSTALLER_NAME))
            case WalkTrial.PICTURE:
                pass
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
                await play.courier.scans("4006381333931")
            case WalkTrial.DELIVERY:
                await self._deliver(number, codes)
            case _:
                assert_never(step.trial)

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
        await asyncio.sleep(play.timing.by_hand + play.timing.merge + 0.5)
        for code in codes:
            await play.courier.scans(code)
        await play.wait_for_unlocked()
        await play.courier.goes_in()
        await play.courier.comes_out()
