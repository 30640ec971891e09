"""The simulated garage at a real broker: it goes up and down on command, and never comes down on what it meets."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from devices.commands import LockDoor, UnlockDoor
from devices.reports import CorrelationReport, DoorReport, DoorState, GarageDoorReport, GarageDoorState
from devices.simulators import residence
from devices.simulators.control import Arrive, Handle, WalkIn, WalkOut
from devices.simulators.thing import CompartmentPlan, MotorThing
from devices.vendors.words import TopicSuffix
from tests.devices.street import OPENER, REED, HouseClient, connected_house, make_movement
from tests.waiting import assert_stays

pytestmark = pytest.mark.slow
GARAGE = {"garage-opener": OPENER, "garage-door": REED}
TRAVEL = float(str(OPENER["travel_s"]))  # seconds


async def goes_up(there: HouseClient) -> None:
    await there.tell("garage-opener", make_movement(UnlockDoor, "u1"))
    await there.until_said("garage-opener", GarageDoorReport(cover=GarageDoorState.OPEN))


async def test_it_goes_up_and_down_and_its_sensor_tells_of_it_by_itself_and_when_asked(tmp_path: Path) -> None:
    async with connected_house(tmp_path, GARAGE) as there:
        asked = await there.ask("garage-door")
        echo = CorrelationReport(echo=(asked.correlation or b"").decode())
        assert asked.reports == (echo, DoorReport(door=DoorState.CLOSED))
        await goes_up(there)
        await there.until_said("garage-door", DoorReport(door=DoorState.OPEN))
        assert (await there.ask("garage-opener")).reports[1] == GarageDoorReport(cover=GarageDoorState.OPEN, clear=True)
        await there.tell("garage-opener", make_movement(LockDoor, "l1"))
        await there.until_said("garage-opener", GarageDoorReport(cover=GarageDoorState.CLOSING))
        assert [line["state"] for line in there.logged("door")] == ["open"]  # closed is what has reached the ground
        await there.until_said("garage-opener", GarageDoorReport(cover=GarageDoorState.CLOSED), after=len(there.said))
        assert [line["state"] for line in there.logged("door")] == ["open", "closed"]


@pytest.mark.parametrize("fault", ["beam", "under"])
async def test_what_it_meets_while_it_comes_down_sends_it_up_again(tmp_path: Path, fault: str) -> None:
    async with connected_house(tmp_path, GARAGE) as there:
        await goes_up(there)
        await there.tell("garage-opener", make_movement(LockDoor, "l1"))
        await there.until_said("garage-opener", GarageDoorReport(cover=GarageDoorState.CLOSING))
        await there.fault("garage-opener", fault)
        line = await there.until_logged("garage", reversed=True)
        assert line["met"] == ("beam" if fault == "beam" else "somebody")
        await assert_stays(lambda: [line["state"] for line in there.logged("door")] == ["open"], TRAVEL * 1.5)


async def test_it_does_not_even_start_down_while_something_stands_in_its_beam(tmp_path: Path) -> None:
    async with connected_house(tmp_path, GARAGE) as there:
        await goes_up(there)
        await there.fault("garage-opener", "beam")
        said = await there.until_said("garage-opener", GarageDoorReport(clear=False))
        assert said.channel is TopicSuffix.EVENT
        assert (await there.ask("garage-opener")).reports[1] == GarageDoorReport(
            cover=GarageDoorState.OPEN, clear=False
        )
        before = len(there.said)
        await there.tell("garage-opener", make_movement(LockDoor, "l1"))
        await there.ask("garage-door")
        assert GarageDoorReport(cover=GarageDoorState.CLOSING) not in [
            x for said in there.said[before:] for x in said.reports
        ]
        await there.fault("garage-opener", "beam", on=False)
        await there.until_said("garage-opener", GarageDoorReport(clear=True), after=before)


async def test_whoever_walks_through_breaks_the_beam_for_a_moment(tmp_path: Path) -> None:
    async with connected_house(tmp_path, GARAGE) as there:
        await goes_up(there)
        await there.house.ask(Arrive())
        for step in (WalkIn(), WalkOut()):
            before = len(there.said)
            await there.house.ask(step)
            await there.until_said("garage-opener", GarageDoorReport(clear=False), after=before)
            await there.until_said("garage-opener", GarageDoorReport(clear=True), after=before)


async def test_a_stuck_opener_does_nothing_and_a_silent_one_says_nothing(tmp_path: Path) -> None:
    async with connected_house(tmp_path, GARAGE) as there:
        await there.fault("garage-opener", "stuck")
        await there.tell("garage-opener", make_movement(UnlockDoor, "u1"))
        await assert_stays(lambda: there.logged("door") == [], TRAVEL)
        await there.fault("garage-opener", "silent")
        before = len(there.said)
        await there.question("garage-opener")
        await there.ask("garage-door")
        assert not [said for said in there.said[before:] if said.device == "garage-opener"]


OPENERS: dict[str, dict[str, object]] = {
    "homeassistant": {"vendor": "homeassistant", "address": "cover.garage_door"},
    "ratgdo": {"vendor": "ratgdo", "address": "garage/ratgdo"},
    "zigbee2mqtt": {"vendor": "zigbee2mqtt", "address": "zigbee2mqtt/garage door"},
}


@pytest.mark.parametrize("vendor", OPENERS)
async def test_every_opener_obeys_in_its_maker_s_words_and_says_where_the_door_is(tmp_path: Path, vendor: str) -> None:
    garage = {"garage-opener": {**OPENER, **OPENERS[vendor]}, "garage-door": REED}
    async with connected_house(tmp_path, garage) as there:
        await there.until_said("garage-opener", GarageDoorReport(cover=GarageDoorState.CLOSED))
        await goes_up(there)
        await there.until_said("garage-door", DoorReport(door=DoorState.OPEN))
        after = len(there.said)
        await there.tell("garage-opener", make_movement(LockDoor, "l1"))
        await there.until_said("garage-opener", GarageDoorReport(cover=GarageDoorState.CLOSED), after=after)
        assert [line["state"] for line in there.logged("door")] == ["open", "closed"]


async def test_a_ratgdo_board_tells_of_its_beam_unasked_and_the_broker_keeps_it(tmp_path: Path) -> None:
    garage = {"garage-opener": {**OPENER, **OPENERS["ratgdo"]}, "garage-door": REED}
    async with connected_house(tmp_path, garage) as there:
        await there.fault("garage-opener", "beam")
        said = await there.until_said("garage-opener", GarageDoorReport(clear=False))
        assert (said.channel, said.retained) == (TopicSuffix.BEAM, True)
        await there.fault("garage-opener", "beam", on=False)
        await there.until_said("garage-opener", GarageDoorReport(clear=True))


async def test_an_opener_of_home_assistant_answers_with_the_question_s_mark_and_nothing_about_a_beam(
    tmp_path: Path,
) -> None:
    garage = {"garage-opener": {**OPENER, **OPENERS["homeassistant"]}, "garage-door": REED}
    async with connected_house(tmp_path, garage) as there:
        asked = await there.ask("garage-opener")
        echo = CorrelationReport(echo=(asked.correlation or b"").decode())
        assert asked.reports == (echo, GarageDoorReport(cover=GarageDoorState.CLOSED))


class Hatch(MotorThing):
    """A thing with a motor, as a contributor adds one."""

    NOUN = "hatch"
    ACTS = frozenset({"reach_in"})

    def act(self, act: str, who: str) -> None:
        assert (act, who) == ("reach_in", "courier")
        self.cross()

    def physical(self) -> Mapping[str, object]:
        return {"leaf": self.position.value}


async def test_an_opener_moves_the_leaf_of_a_thing_and_its_beam_sees_who_reaches_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CompartmentPlan, "takes", frozenset({"cover", "door"}))
    monkeypatch.setattr(residence, "make_things", lambda _house, log: {"hatch": Hatch("hatch", log)})
    devices = {"garage-opener": {**OPENER, "of": "hatch"}, "garage-door": {**REED, "of": "hatch"}}
    async with connected_house(tmp_path, devices, {"hatch": {"kind": "compartment"}}) as there:
        await goes_up(there)
        await there.until_said("garage-door", DoorReport(door=DoorState.OPEN))
        await there.house.ask(Handle(thing="hatch", act="reach_in", who="courier"))
        await there.until_said("garage-opener", GarageDoorReport(clear=False))
        await there.until_said("garage-opener", GarageDoorReport(clear=True))
        await there.tell("garage-opener", make_movement(LockDoor, "l1"))
        await there.until_said("garage-opener", GarageDoorReport(cover=GarageDoorState.CLOSED), after=len(there.said))
        assert [line["state"] for line in there.logged("way")] == ["open", "closed"]
        assert there.logged("door") == [], "the front door did not move"
