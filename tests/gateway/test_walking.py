"""A whole walk test at the door of a simulated house: real broker, real cameras, the gateway killed in the middle."""

import asyncio
import json
import time
from pathlib import Path

import pytest

from gateway.demo.scenario import Play
from gateway.installation import notes
from gateway.installation.capability import Walked
from gateway.installation.walk import Ending, Step, Trial, Word
from gateway.paper.walk import SignedWalk, verified
from gateway.proof.keys import PublicKey
from gateway.walkline import Answer, AnyRequest, Begin, Lock, Look, Refused, Told, View, speaking
from tests.gateway.paper.printed import read
from tests.installer import PATIENCE, Installer
from tests.whole_house import playing

pytestmark = pytest.mark.slow

GOOD = {Trial.PICTURE: Word.NO}  # no neighbour; elsewhere yes is good


class Phone:
    """What somebody at the door does on his phone, by the line that `perron walk-test` uses."""

    def __init__(self, play: Play) -> None:
        self._home = play.stage.plan.home

    async def says(self, request: AnyRequest) -> Told:
        """Ask; a gateway that is being restarted is waited for."""
        async with asyncio.timeout(PATIENCE):
            while True:
                try:
                    async with speaking(self._home) as ask:
                        return await ask(request)
                except OSError:
                    await asyncio.sleep(0.1)

    async def locks(self) -> Told:
        return await self.says(Lock(entrance="front"))

    async def open_step(self) -> tuple[int, Step]:
        walk = (await self.says(View(entrance="front"))).walk
        assert walk is not None
        assert walk.current is not None
        return walk.current, walk.steps[walk.current]

    async def shows(self, number: int, goals: int) -> None:
        """Wait until the house has shown so many goals of this trial."""
        end = time.monotonic() + PATIENCE
        while True:
            current, step = await self.open_step()
            if current != number or step.shown >= goals:
                return
            assert time.monotonic() < end, step
            await asyncio.sleep(0.1)

    async def pictured(self, number: int) -> Told:
        """Have the picture taken; a camera needs a moment to run."""
        async with asyncio.timeout(PATIENCE):
            while True:
                try:
                    return await self.says(Look(entrance="front", number=number))
                except Refused:
                    await asyncio.sleep(0.2)

    async def reported(self) -> Told:
        """Wait until the report lies there."""
        end = time.monotonic() + PATIENCE
        while True:
            view = await self.says(View(entrance="front"))
            if view.report is not None:
                return view
            assert time.monotonic() < end, view
            await asyncio.sleep(0.1)


async def passes(phone: Phone, installer: Installer, number: int, step: Step) -> Told:
    """Go through one trial to its end."""
    if step.trial is Trial.PICTURE:
        await phone.pictured(number)
    codes = (await phone.says(View(entrance="front"))).codes
    await installer.tries(number, step, codes)
    await phone.shows(number, len(step.rite.goals))
    if step.rite.good is not None:
        return await phone.says(Answer(entrance="front", number=number, word=step.rite.good))
    async with asyncio.timeout(PATIENCE):
        while (view := await phone.says(View(entrance="front"))).walk is not None:
            assert view.walk is not None
            if view.walk.steps[number].ending is not None:
                return view
            await asyncio.sleep(0.1)
    raise AssertionError(step)


async def test_an_installer_walks_the_house_from_the_first_trial_to_a_signed_report_though_the_gateway_is_killed(
    tmp_path: Path,
) -> None:
    async with playing(tmp_path) as play:
        phone = Phone(play)
        installer = Installer(play, locks=phone.locks, shows=phone.shows)
        view = await phone.says(Begin(entrance="front"))
        assert view.standing is Walked.UNDER_WAY
        assert view.walk is not None
        for number, step in enumerate(view.walk.steps):
            if step.trial is Trial.COVERED and step.camera == "doorbell":
                await play.dies()  # in the middle, its own delivery promised already
            view = await passes(phone, installer, number, step)
            assert view.walk is not None
            assert view.walk.steps[number].ending is Ending.PASSED, step
        view = await phone.reported()
        assert view.standing is Walked.PASSED
        storage = play.stage.plan.home.storage.folder
        sheet, beside = (file.read_bytes() for file in notes.report_files(storage, "front"))
        key = PublicKey.from_pem((storage / "key" / "box.pub.pem").read_bytes())
        found = verified(beside, sheet, key)
        assert isinstance(found, SignedWalk)
        assert {ending for _, _, ending, _ in found.trials} == {"passed"}
        assert verified(beside, sheet + b" ", key) == "the report is another than the one that was signed"
        forged = json.loads(beside) | {"standing": "blocked"}
        assert verified(json.dumps(forged).encode(), sheet, key) == "it is no signed walk test"
        assert "réussi" in " ".join(read(sheet, tmp_path).words)
        assert not list((storage / notes.FOLDER).glob("*.jpg"))  # the pictures stand in the report alone
