"""A parcel is let into a garage: real broker, real video, a simulated opener that is heavy and a sensor of its own."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest

from devices.simulators.control import PressBell
from gateway.demo.scenario import ScenarioRun
from gateway.demo.scenarios.homes import TRAVEL_S, WARNING_S, with_garage_door
from gateway.demo.scenarios.locks import deliver_into_garage
from gateway.domain.visit.state import Phase
from tests.waiting import assert_stays
from tests.whole_house import run_whole_house

pytestmark = pytest.mark.slow

BEAM_TOLD_S = 0.5  # seconds in which the box has heard what the beam says, which no state of the entrance shows


def leaf(play: ScenarioRun) -> list[object]:
    return [line["state"] for line in play.log.lines if line["what"] == "door"]


def sent_down(play: ScenarioRun) -> list[Mapping[str, object]]:
    return play.watch.events("close")


async def test_it_comes_down_only_on_the_couriers_word_and_goes_up_again_when_somebody_runs_in(tmp_path: Path) -> None:
    async with run_whole_house(tmp_path, with_garage_door) as play:
        await deliver_into_garage(play)
        opener = play.plan.lock
        await play.set_fault(opener, "beam")
        await asyncio.sleep(BEAM_TOLD_S)
        await play.house.ask(PressBell())  # said into a broken beam: it counts for nothing
        await assert_stays(lambda: sent_down(play) == [], WARNING_S + 1)
        await play.set_fault(opener, "beam", on=False)
        await assert_stays(lambda: sent_down(play) == [], BEAM_TOLD_S)
        await play.house.ask(PressBell())
        await play.watch.wait_until("it is sent down", lambda: bool(sent_down(play)), within=20)
        await asyncio.sleep(TRAVEL_S / 3)  # it is on its way down
        await play.set_fault(opener, "beam")  # somebody runs in
        await play.log.wait_for_line("garage", within=20, met="beam")
        assert leaf(play) == ["open"]
        await play.set_fault(opener, "beam", on=False)
        await asyncio.sleep(BEAM_TOLD_S)
        await play.house.ask(PressBell())
        await play.watch.wait_for_event("phase", within=60, phase=Phase.LOCKED_AGAIN)
        await play.wait_for_seal()
        assert leaf(play) == ["open", "closed"]
        assert len(sent_down(play)) == 2
        assert play.watch.events("lock") == []
        assert [body["outcome"] for body in play.watch.events("outcome")] == ["delivered"]
        assert [body["house"] for body in play.watch.events("house")] == ["locked_again"]
