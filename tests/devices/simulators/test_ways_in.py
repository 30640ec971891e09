"""The simulated ways in at a real broker: what they do in truth, what they say of it, and each of their faults."""

import asyncio
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from devices.commands import UnlockDoor
from devices.reports import (
    AvailabilityReport,
    CommandProgress,
    ContentReport,
    DoorReport,
    DoorState,
    ErrorReport,
    KeyReport,
    LockReport,
    LockState,
    OperationError,
    ProgressReport,
    Report,
)
from devices.simulators.control import Handle, Impossible, ReadState
from devices.simulators.house import SimulatedHouse
from devices.vendors.words import TopicSuffix
from tests.devices.street import HouseClient, connected_house, make_movement
from tests.waiting import assert_stays, wait_until

pytestmark = pytest.mark.slow
OPEN, CLOSED = DoorReport(door=DoorState.OPEN), DoorReport(door=DoorState.CLOSED)
CAUGHT, SPRUNG = LockReport(bolt=LockState.LOCKED), LockReport(bolt=LockState.UNLOCKED)
EMPTY, FULL = ContentReport(occupied=False), ContentReport(occupied=True)
STREET = {"kind": "street_door", "closes_s": 0.4}
STRIKE: dict[str, Any] = {"kind": "strike", "vendor": "perron", "of": "street", "release_s": 0.6, "latency_s": 0.05}
REED = {"kind": "door", "vendor": "esphome", "of": "street"}
BOARD: dict[str, Any] = {"kind": "compartment", "vendor": "perron", "of": "c1", "beside": "c2", "latency_s": 0.05}
BOX = {"c1": {"kind": "compartment"}, "c2": {"kind": "compartment"}}


def unlock(id_: str = "v1", *, life: float = 5.0) -> UnlockDoor:
    return make_movement(UnlockDoor, id_, life=life)


def street(folder: Path, **strike: object) -> AbstractAsyncContextManager[HouseClient]:
    return connected_house(folder, {"strike": {**STRIKE, **strike}, "reed": REED}, {"street": STREET})


def box(folder: Path, **more: object) -> AbstractAsyncContextManager[HouseClient]:
    devices = {"board": {**BOARD, **more}, "board-2": {**BOARD, "of": "c2", "beside": None}}
    return connected_house(folder, devices, BOX)


def said(there: HouseClient, device: str, after: int = 0) -> list[Report]:
    return [report for one in there.said[after:] if one.device == device for report in one.reports]


async def does(there: HouseClient, thing: str, *acts: str, who: str = "courier") -> None:
    for act in acts:
        await there.house.ask(Handle(thing=thing, act=act, who=who))


# ---- a street door ---------------------------------------------------------------------------------------------------


async def test_a_strike_lets_go_for_a_moment_and_the_door_falls_shut_behind_whoever_went_through(
    tmp_path: Path,
) -> None:
    async with street(tmp_path) as there:
        with pytest.raises(Impossible, match="its strike holds"):
            await does(there, "street", "go_through")
        await there.tell("strike", unlock())
        accepted = await there.until_said("strike", ProgressReport(id="v1", progress=CommandProgress.ACCEPTED))
        assert (accepted.channel, accepted.correlation) == (TopicSuffix.RESULT, b"v1")
        await there.until_logged("strike", released=True, cause="v1")
        await does(there, "street", "go_through")
        await there.until_said("reed", OPEN)
        await there.until_logged("way", thing="street", state="closed", by="itself")
        await there.until_said("reed", CLOSED, after=len(there.said) - 1)
        await there.until_logged("strike", released=False)
        assert [line["who"] for line in there.logged("passed")] == ["courier"]


async def test_two_hundred_ok_and_the_door_stays_shut(tmp_path: Path) -> None:
    async with street(tmp_path) as there:
        await there.fault("street", "dead")
        await there.tell("strike", unlock())
        await there.until_said("strike", ProgressReport(id="v1", progress=CommandProgress.ACCEPTED))
        await assert_stays(lambda: not there.logged("strike"), 0.3)
        with pytest.raises(Impossible):
            await does(there, "street", "go_through")


@pytest.mark.parametrize("where", ["strike", "street"])
async def test_a_relay_or_a_strike_that_sticks_leaves_the_door_free(tmp_path: Path, where: str) -> None:
    async with street(tmp_path) as there:
        await there.fault(where, "sticks")
        await there.tell("strike", unlock())
        await there.until_logged("strike", released=True)
        await assert_stays(lambda: len(there.logged("strike")) == 1, 1.0)
        await does(there, "street", "go_through", who="thief")
        await there.fault(where, "sticks", on=False)
        await there.until_logged("strike", released=False)


async def test_a_wedged_door_stays_open_until_somebody_takes_the_wedge_out(tmp_path: Path) -> None:
    async with street(tmp_path) as there:
        await there.fault("street", "wedged")
        await does(there, "street", "come_with_key", who="neighbour")
        await there.until_said("reed", OPEN)
        await assert_stays(lambda: said(there, "reed")[-1] == OPEN, 0.8)
        with pytest.raises(Impossible, match="wedged"):
            await does(there, "street", "close")
        await there.fault("street", "wedged", on=False)
        await there.until_logged("way", state="closed")


async def test_a_neighbour_follows_and_another_comes_by_himself(tmp_path: Path) -> None:
    async with street(tmp_path) as there:
        await there.fault("street", "neighbour_follows")
        await does(there, "street", "come_with_key", who="anna")
        assert [line["who"] for line in there.logged("passed")] == ["anna", "neighbour"]


async def test_an_order_in_perron_s_words_is_obeyed_once_and_in_time_and_one_in_bare_words_as_often_as_it_comes(
    tmp_path: Path,
) -> None:
    async with street(tmp_path) as there:
        await there.tell("strike", unlock("late", life=-1.0))
        await there.until_said("strike", ErrorReport(id="late", failure=OperationError.EXPIRED))
        await there.tell("strike", unlock())
        await there.until_logged("strike", released=True)
        await there.tell("strike", unlock())
        await there.until_said("strike", ErrorReport(id="v1", failure=OperationError.REPEATED))
    bare = {"vendor": "esphome", "address": "porch/switch/strike"}
    (tmp_path / "bare").mkdir()
    async with street(tmp_path / "bare", **bare) as there:

        def has_held_again(times: int) -> bool:
            return len([line for line in there.logged("strike") if not line["released"]]) == times

        for count in (1, 2):
            await there.tell("strike", unlock("late", life=-1.0))
            await wait_until(partial(has_held_again, count))


@pytest.mark.parametrize(
    ("vendor", "address"),
    [
        ("nukihub", "nuki"),
        ("esphome", "porch/switch/strike"),
        ("esphome", "porch/button/strike"),
        ("zigbee2mqtt", "zigbee2mqtt/strike"),
    ],
)
async def test_a_strike_of_any_maker_obeys_in_its_words(tmp_path: Path, vendor: str, address: str) -> None:
    async with street(tmp_path, vendor=vendor, address=address) as there:
        await there.until_said("strike", AvailabilityReport(online=True))
        await there.tell("strike", unlock())
        await there.until_logged("strike", released=True)


async def test_a_strike_has_no_state_and_says_only_whether_it_is_there(tmp_path: Path) -> None:
    async with street(tmp_path) as there:
        answer = await there.ask("strike")
        assert AvailabilityReport(online=True) in answer.reports
        assert not [report for report in said(there, "strike") if isinstance(report, DoorReport | LockReport)]
        await there.fault("strike", "unreachable")
        await there.tell("strike", unlock())
        await there.until_said("strike", ErrorReport(id="v1", failure=OperationError.UNREACHABLE))


# ---- a parcel box ----------------------------------------------------------------------------------------------------


async def test_a_compartment_springs_open_takes_a_parcel_and_catches_when_it_is_pushed_shut(tmp_path: Path) -> None:
    async with box(tmp_path) as there:
        assert {CAUGHT, CLOSED, EMPTY} <= set(await all_of(there, "board"))
        await there.tell("board", unlock())
        await there.until_said("board", SPRUNG)
        await there.until_logged("way", thing="c1", state="open", by="v1")
        await does(there, "c1", "put_in", "push_shut")
        await there.until_said("board", FULL)
        assert {CAUGHT, CLOSED, FULL} <= set(await all_of(there, "board"))
        assert {CAUGHT, CLOSED, EMPTY} <= set(await all_of(there, "board-2"))
        with pytest.raises(Impossible, match="lid is closed"):
            await does(there, "c1", "take_out")
        await does(there, "c1", "open_with_key", "take_out", "push_shut", who="resident")
        await there.until_logged("content", occupied=False, by="resident")


async def all_of(there: HouseClient, device: str) -> list[Report]:
    """All that a device answers now: each report by itself, with the question's mark."""
    number = await there.question(device)
    await there.until(lambda one: one.device == device and one.correlation == number)
    await asyncio.sleep(0.2)
    return [
        report for one in there.said if one.device == device and one.correlation == number for report in one.reports
    ]


@pytest.mark.parametrize(
    ("fault", "lid", "latch"),
    [("bounces", OPEN, SPRUNG), ("does_not_catch", CLOSED, SPRUNG), ("ajar", OPEN, SPRUNG)],
)
async def test_a_lid_that_is_not_shut_says_so(tmp_path: Path, fault: str, lid: Report, latch: Report) -> None:
    async with box(tmp_path) as there:
        await there.tell("board", unlock())
        await there.until_logged("latch", caught=False)
        await there.fault("c1", fault)
        await does(there, "c1", "push_shut")
        assert {lid, latch} <= set(await all_of(there, "board"))
        await there.fault("c1", fault, on=False)
        if lid == CLOSED:
            await does(there, "c1", "open_with_key")
        await does(there, "c1", "push_shut")
        assert {CLOSED, CAUGHT} <= set(await all_of(there, "board"))


async def test_a_lid_that_is_stuck_opens_at_the_second_try(tmp_path: Path) -> None:
    async with box(tmp_path) as there:
        await there.fault("c1", "stuck_shut")
        await there.tell("board", unlock("first"))
        await assert_stays(lambda: not there.logged("latch"), 0.4)
        await there.tell("board", unlock("second"))
        await there.until_logged("latch", caught=False, cause="second")


async def test_one_fault_of_a_board_opens_two(tmp_path: Path) -> None:
    async with box(tmp_path) as there:
        await there.fault("board", "opens_two")
        await there.tell("board", unlock())
        for name in ("c1", "c2"):
            await there.until_logged("way", thing=name, state="open", by="v1")
        await there.until_said("board-2", SPRUNG)


async def test_a_blind_eye_is_unknown_and_one_that_lies_says_empty(tmp_path: Path) -> None:
    async with box(tmp_path) as there:
        await does(there, "c1", "open_with_key", "put_in", "push_shut", who="resident")
        await there.until_said("board", FULL)
        await there.fault("board", "blind")
        await there.until_said("board", ContentReport(occupied=None))
        await there.fault("board", "blind", on=False)
        await there.fault("board", "lies_empty")
        assert EMPTY in await all_of(there, "board")
    (tmp_path / "plain").mkdir()
    async with box(tmp_path / "plain", sees=False) as there:
        assert not [one for one in await all_of(there, "board") if isinstance(one, ContentReport)]


@pytest.mark.parametrize(
    ("vendor", "address"), [("locker", "locker/hall/compartment/1"), ("esphome", ""), ("perron", "")]
)
async def test_a_compartment_of_any_maker_obeys_and_answers(tmp_path: Path, vendor: str, address: str) -> None:
    async with box(tmp_path, vendor=vendor, address=address) as there:
        assert {CAUGHT, CLOSED, EMPTY} <= set(await all_of(there, "board"))
        await there.tell("board", unlock())
        await there.until_said("board", OPEN)


@pytest.mark.parametrize(
    ("vendor", "address", "answers"),
    [
        ("perron", "", True),
        ("esphome", "", True),
        ("esphome", "box/binary_sensor/eye", False),
        ("zigbee2mqtt", "zigbee2mqtt/eye", False),
    ],
)
async def test_an_eye_of_any_maker_says_what_lies_there(
    tmp_path: Path, vendor: str, address: str, *, answers: bool
) -> None:
    eye = {"kind": "content", "vendor": vendor, "address": address, "of": "c1", "answers": answers}
    async with connected_house(tmp_path, {"eye": eye}, BOX) as there:
        await there.until_said("eye", EMPTY)
        await does(there, "c1", "open_with_key", "put_in", who="resident")
        await there.until_said("eye", FULL)
        if answers:
            assert FULL in await all_of(there, "eye")
        after = len(there.said)
        await there.fault("eye", "stuck")
        await does(there, "c1", "take_out", who="resident")
        await asyncio.sleep(0.3)
        assert EMPTY not in said(there, "eye", after)


# ---- a key safe, and the door of its key -----------------------------------------------------------------------------

SAFE = {"safe": {"kind": "key_safe"}, "flat": {"kind": "keyed_door", "safe": "safe"}}
KEY_DEVICES: dict[str, Any] = {
    "flap": {**STRIKE, "of": "safe"},
    "flap-reed": {**REED, "of": "safe"},
    "hook": {"kind": "key", "vendor": "perron", "of": "safe"},
    "flat-reed": {**REED, "of": "flat"},
}


async def test_a_keeper_takes_the_key_goes_in_with_it_and_brings_it_back(tmp_path: Path) -> None:
    async with connected_house(tmp_path, KEY_DEVICES, SAFE) as there:
        with pytest.raises(Impossible, match="hangs in safe"):
            await does(there, "flat", "open", who="keeper")
        with pytest.raises(Impossible, match="flap is shut"):
            await does(there, "safe", "take_key", who="keeper")
        await there.tell("flap", unlock())
        await there.until_said("flap-reed", OPEN)
        await does(there, "safe", "take_key", "shut_flap", who="keeper")
        await there.until_said("hook", KeyReport(present=False))
        await does(there, "flat", "open", "go_through", "pull_shut", who="keeper")
        await there.until_said("flat-reed", OPEN)
        await does(there, "safe", "bring_key", "shut_flap", who="keeper")
        await there.until_said("hook", KeyReport(present=True), after=len(there.said) // 2)
        assert KeyReport(present=True) in await all_of(there, "hook")
        assert [(line["present"], line["by"]) for line in there.logged("key")] == [(False, "keeper"), (True, "keeper")]
        state = (await there.house.ask(ReadState()))["things"]
        assert isinstance(state, dict)
        assert state["safe"] == {"leaf": "closed", "key": True, "faults": []}


async def test_a_magnet_on_the_hook_looks_like_the_key_and_a_blind_hook_like_nothing(tmp_path: Path) -> None:
    things = {**SAFE, "safe": {"kind": "key_safe", "key": False}}
    async with connected_house(tmp_path, KEY_DEVICES, things) as there:
        await there.until_said("hook", KeyReport(present=False))
        await there.fault("safe", "magnet")
        await there.until_said("hook", KeyReport(present=True))
        await there.fault("hook", "blind")
        await there.until_said("hook", KeyReport(present=None))


async def test_a_door_that_only_leans_is_not_closed(tmp_path: Path) -> None:
    things = {**SAFE, "safe": {"kind": "key_safe", "key": False}}
    async with connected_house(tmp_path, KEY_DEVICES, things) as there:
        await there.fault("flat", "ajar")
        await does(there, "flat", "open", "pull_shut", who="keeper")
        await there.until_logged("way", thing="flat", state="ajar")
        assert OPEN in (await there.ask("flat-reed")).reports


# ---- the house file --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("devices", "things", "why"),
    [
        ({"s": STRIKE}, {}, "a strike can be at: no thing here"),
        ({"s": {**STRIKE, "of": "flat"}}, SAFE, "a strike can be at: safe"),
        ({"s": {**STRIKE, "of": "street"}}, {"street": {"kind": "keyed_door", "safe": "x"}}, "can be at"),
        ({}, {"flat": {"kind": "keyed_door", "safe": "street"}, "street": STREET}, "needs a key safe"),
        ({"street": {**STRIKE, "of": "street"}}, {"street": STREET}, "a device already"),
        ({"e": {"kind": "content", "vendor": "nukihub", "of": "c1"}}, BOX, "Input should be"),
        ({"b": {**BOARD, "beside": "c9"}}, BOX, "is at c9"),
    ],
)
def test_a_house_whose_devices_are_at_nothing_is_refused(devices: object, things: object, why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        SimulatedHouse.model_validate({"devices": devices, "things": things})


async def test_what_cannot_be_done_to_a_thing_says_what_can(tmp_path: Path) -> None:
    async with street(tmp_path) as there:
        for thing, act, why in (
            ("street", "take_key", "close, come_with_key, go_through"),
            ("nothing", "close", "it has street"),
        ):
            with pytest.raises(Impossible, match=why):
                await does(there, thing, act)
        with pytest.raises(Impossible, match="dead, neighbour_follows, sticks, wedged"):
            await there.fault("street", "bounces")
        with pytest.raises(Impossible, match="on or off"):
            await there.fault("street", "wedged", on=3.0)
