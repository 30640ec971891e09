"""What a walk test forbids, at the door of a simulated house with a real broker; told by `perron walk-test`."""

import asyncio
import sys
import time
from pathlib import Path

import pytest

from gateway.demo.scenario import ScenarioRun
from gateway.domain.delivery.result import Refusal
from gateway.installation import notes
from gateway.installation.capability import WalkTestStatus
from gateway.installation.walk import TrialAnswer, TrialResult, WalkTrial
from gateway.installation.walk_test_socket import (
    AnswerWalkTest,
    AnyWalkTestRequest,
    BeginWalkTest,
    LockForWalkTest,
    ViewWalkTest,
    WalkTestRefused,
    WalkTestReply,
    walk_test_client,
)
from tests.gateway.cli.terminal import run_perron
from tests.installer import TIMEOUT_S, WalkTestInstaller
from tests.whole_house import run_whole_house

pytestmark = pytest.mark.slow


class Terminal:
    """What somebody at the door says, by the line that `perron walk-test` uses."""

    def __init__(self, play: ScenarioRun) -> None:
        self._home = play.stage.plan.home

    async def says(self, request: AnyWalkTestRequest) -> WalkTestReply:
        async with walk_test_client(self._home) as ask:
            return await ask(request)

    async def locks(self) -> WalkTestReply:
        return await self.says(LockForWalkTest(entrance="front"))

    async def shows(self, number: int, goals: int) -> None:
        """Wait until the house has shown so many goals of this trial."""
        end = time.monotonic() + TIMEOUT_S
        while True:
            walk = (await self.says(ViewWalkTest(entrance="front"))).walk
            assert walk is not None
            if walk.current != number or walk.steps[number].shown >= goals:
                return
            assert time.monotonic() < end, walk.steps[number]
            await asyncio.sleep(0.1)


async def typed(home: Path, words: str | None) -> str:
    """What `perron walk-test` says to who types this; None: to nobody."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway", "walk-test", "--home", str(home),
        stdin=asyncio.subprocess.DEVNULL if words is None else asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    async with asyncio.timeout(TIMEOUT_S):
        said, _ = await process.communicate(None if words is None else words.encode())
    return said.decode()


async def test_a_trial_that_failed_keeps_deliveries_out_until_it_is_tried_anew_and_passed(tmp_path: Path) -> None:
    async with run_whole_house(tmp_path) as play:
        terminal = Terminal(play)
        installer = WalkTestInstaller(play, locks=terminal.locks, shows=terminal.shows)
        view = await terminal.says(BeginWalkTest(entrance="front"))
        assert view.walk is not None
        first, second = view.walk.steps[:2]
        assert (first.trial, second.trial) == (WalkTrial.DOOR_SENSOR, WalkTrial.BOLT)
        await installer.tries(0, first, ())
        await terminal.shows(0, len(first.rite.goals))
        with pytest.raises(WalkTestRefused, match="another trial is open"):
            await terminal.says(AnswerWalkTest(entrance="front", number=5, word=TrialAnswer.YES))
        view = await terminal.says(AnswerWalkTest(entrance="front", number=1, word=TrialAnswer.FAILED))
        assert view.standing is WalkTestStatus.FAILED

        home = tmp_path / "home.yaml"
        shown = await asyncio.to_thread(run_perron, "walk-test", "--show", home=home)
        assert (shown.returncode, "pas réussi" in shown.stdout) == (1, True)
        parcels = await play.promised()
        moved = await asyncio.to_thread(run_perron, "test", "front-lock", "--times", "2", "--move", home=home)
        assert (moved.returncode, "front-lock: proven after" in moved.stdout) == (0, True), moved
        await asyncio.sleep(play.timing.by_hand + 1)
        await play.shows(parcels)
        await play.refused(Refusal.NOT_READY)

        done = await asyncio.to_thread(run_perron, "walk-test", "--again", "2", home=home)
        assert done.returncode == 1
        led = await typed(home, "x\nq\n")
        assert "> Le pêne: Fermez la porte" in led
        assert "this trial does not take that answer now" in led
        assert "this is no terminal" in await typed(home, None)
        await terminal.shows(1, len(second.rite.goals))
        said = await asyncio.to_thread(run_perron, "walk-test", "--say", "yes", home=home)
        assert "  2 Le pêne: réussi" in said.stdout
        walk = notes.read_walk(play.stage.plan.home.storage.folder, "front")
        assert walk is not None
        assert [step.ending for step in walk.steps[:2]] == [TrialResult.PASSED, TrialResult.PASSED]
        await play.shows(parcels)
        await play.rung()
