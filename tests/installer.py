"""The installer at the door of a simulated house: does with his hands what each trial of a walk test asks."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import assert_never

from devices.simulators import control as ask
from gateway.demo.scenario import Play
from gateway.installation.walk import Step, Trial

Said = Callable[[], Awaitable[object]]
WHO = "resident"  # he was lent the key
PATIENCE = 30.0  # seconds, on a loaded machine


class Installer:
    """`shows(number, goals)` waits until the walk has seen so many goals of that trial."""

    def __init__(self, play: Play, *, locks: Said, shows: Callable[[int, int], Awaitable[object]]) -> None:
        self._play, self._locks, self._shows = play, locks, shows

    async def _do(self, *requests: ask.Request) -> None:
        for request in requests:
            await self._play.house.ask(request)

    async def tries(self, number: int, step: Step, codes: Sequence[str]) -> None:
        """Do what this trial asks for; what is asked afterwards is answered by whoever holds the phone."""
        play, camera = self._play, step.camera or ""
        match step.trial:
            case Trial.DOOR_SENSOR:
                await self._do(ask.Arrive(who=WHO), ask.TurnKey(), ask.OpenDoor(who=WHO))
                await self._shows(number, 2)
                await self._do(ask.CloseDoor(who=WHO))
            case Trial.BOLT:
                await self._locks()
            case Trial.BOLT_IN_AIR:
                await self._in_air(number)
            case Trial.JAM:
                await self._do(ask.CloseDoor(who=WHO))
                await self._shows(number, 1)
                await play.fault("front-lock", "jam")
                await asyncio.sleep(1)
                await self._locks()
            case Trial.WAY_OUT:
                await self._gets_out(number)
            case Trial.KEY:
                await asyncio.sleep(1)
                await self._locks()
                await self._shows(number, 1)
                await self._do(ask.TurnKey(), ask.OpenDoor(who=WHO))
                await self._shows(number, 2)
                await self._do(ask.CloseDoor(who=WHO))
            case Trial.ANSWER:
                await self._do(
                    ask.OpenDoor(who=WHO), ask.WalkIn(who=WHO), ask.PressAnswer(who=WHO), ask.WalkOut(who=WHO)
                )
                await self._do(ask.CloseDoor(who=WHO))
            case Trial.PICTURE:
                pass
            case Trial.COVERED:
                await self._loses(number, partial(play.fault, camera, "black"))
            case Trial.CUT:
                await self._loses(number, lambda on: play.link(camera, up=not on))
            case Trial.BROKER:
                await play.stage.broker.crash()
                await self._shows(number, 1)
                await play.stage.broker.begin()
            case Trial.WRONG_CODE:
                await play.courier.arrives()
                await play.courier.scans("4006381333931")
            case Trial.DELIVERY:
                await self._delivers(number, codes)
            case _:
                assert_never(step.trial)

    async def _in_air(self, number: int) -> None:
        await self._do(ask.TurnKey(), ask.OpenDoor(who=WHO))
        await self._shows(number, 1)
        await self._do(ask.LockByHand(who=WHO))
        await self._shows(number, 2)
        await self._do(ask.TurnKey())

    async def _gets_out(self, number: int) -> None:
        await self._play.fault("front-lock", "jam", on=False)
        await self._do(ask.OpenDoor(who=WHO), ask.WalkIn(who=WHO), ask.CloseDoor(who=WHO))
        await asyncio.sleep(1)
        await self._locks()
        await self._shows(number, 1)
        await self._do(ask.ThumbTurn(who=WHO), ask.OpenDoor(who=WHO))
        await self._shows(number, 2)
        await self._do(ask.WalkOut(who=WHO), ask.CloseDoor(who=WHO))

    async def _loses(self, number: int, camera: Callable[[bool], Awaitable[None]]) -> None:
        await self._shows(number, 1)
        await camera(True)  # noqa: FBT003 - on or off
        await self._shows(number, 2)
        await camera(False)  # noqa: FBT003 - the same

    async def _delivers(self, number: int, codes: Sequence[str]) -> None:
        play = self._play
        await self._locks()
        await self._shows(number, 1)
        await asyncio.sleep(play.timing.by_hand + play.timing.merge + 0.5)
        for code in codes:
            await play.courier.scans(code)
        await play.may_enter()
        await play.courier.goes_in()
        await play.courier.comes_out()
