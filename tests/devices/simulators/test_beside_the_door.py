"""Contact, scanner, signal and fridge at a real broker, with their faults."""

from pathlib import Path

import pytest

from devices.commands import Light, SaySentence, SetSignal, ShowResult, Sound
from devices.reports import (
    AnswerButtonReport,
    AvailabilityReport,
    DoorReport,
    DoorState,
    FridgeReport,
    LockReport,
    LockState,
    ScanReport,
    SignalReport,
)
from devices.simulators.control import (
    CloseDoor,
    CloseFridge,
    Impossible,
    OpenDoor,
    OpenFridge,
    PressAnswer,
    ReadState,
    RebootDevice,
    Scan,
    SetLink,
    SetTemperature,
    TurnKey,
    WalkIn,
)
from devices.vendors.words import TopicSuffix
from tests.devices.street import (
    DOOR,
    FRIDGE,
    LOCK,
    SCANNER,
    SIGNAL,
    SPEAKER,
    DeviceMessage,
    HouseClient,
    connected_house,
)

pytestmark = pytest.mark.slow
OPEN, CLOSED = DoorReport(door=DoorState.OPEN), DoorReport(door=DoorState.CLOSED)
RING = SetSignal(id="r1", light=Light.AMBER, sound=Sound.RING)


async def go_in(there: HouseClient, who: str = "resident") -> None:
    await there.house.ask(TurnKey())
    await there.house.ask(OpenDoor(who=who))
    await there.house.ask(WalkIn(who=who))


async def test_a_contact_tells_and_answers_what_the_leaf_does(tmp_path: Path) -> None:
    async with connected_house(tmp_path, {"front-door": DOOR}) as there:
        assert (await there.ask("front-door")).reports == (CLOSED,)
        await there.house.ask(TurnKey())
        await there.house.ask(OpenDoor(who="resident"))
        assert (await there.until_said("front-door", OPEN)).channel is TopicSuffix.STATE
        assert (await there.ask("front-door")).reports == (OPEN,)
        before = len(there.said)
        await there.house.ask(CloseDoor(who="resident"))
        await there.until_said("front-door", CLOSED, after=before)


async def test_a_contact_can_lie_lose_get_stuck_and_fall_silent(tmp_path: Path) -> None:
    async with connected_house(tmp_path, {"front-door": DOOR}) as there:
        await there.fault("front-door", "stuck")
        await there.house.ask(TurnKey())
        await there.house.ask(OpenDoor(who="resident"))
        assert (await there.ask("front-door")).reports == (CLOSED,)
        await there.fault("front-door", "stuck", on=False)
        assert (await there.ask("front-door")).reports == (OPEN,)
        await there.fault("front-door", "lies_closed")
        assert (await there.ask("front-door")).reports == (CLOSED,)
        await there.fault("front-door", "lies_closed", on=False)
        closing = len(there.said)
        await there.house.ask(CloseDoor(who="resident"))
        await there.until_said("front-door", CLOSED, after=closing)  # so no earlier report is still under way
        await there.fault("front-door", "loses_open")
        before = len(there.said)
        await there.house.ask(OpenDoor(who="resident"))
        assert (await there.ask("front-door")).reports == (OPEN,)  # asked, it knows
        assert [said.channel for said in there.said[before:] if OPEN in said.reports] == [TopicSuffix.RESULT]


async def test_a_basic_contact_cannot_be_asked_but_beats(tmp_path: Path) -> None:
    async with connected_house(tmp_path, {"front-door": {**DOOR, "answers": False, "heartbeat_s": 0.2}}) as there:
        number = await there.question("front-door")
        after = len(there.said)
        for _ in range(2):
            await there.until_said("front-door", CLOSED, after=after)
            after = len(there.said)
        assert not [said for said in there.said if said.correlation == number]


async def test_a_scan_is_sent_bare_or_with_its_event(tmp_path: Path) -> None:
    async with connected_house(tmp_path, {"front-scanner": SCANNER}) as there:
        await there.house.ask(Scan(code="8L20524752032"))
        bare = await there.until_said("front-scanner", ScanReport(code="8L20524752032"))
        assert not bare.retained
        await there.house.ask(Scan(code="8L20524752032", event="e-1"))
        await there.until_said("front-scanner", ScanReport(code="8L20524752032", event="e-1"))
        with pytest.raises(Impossible, match="brace"):
            await there.house.ask(Scan(code="{}"))


async def test_a_scan_can_come_retained_doubled_and_again(tmp_path: Path) -> None:
    async with connected_house(tmp_path, {"front-scanner": SCANNER}) as there:
        await there.house.ask(Scan(code="A1", retain=True))
        assert (await there.until_said("front-scanner", ScanReport(code="A1"))).retained
        await there.fault("front-scanner", "duplicates")
        await there.house.ask(Scan(code="A2", event="e2"))
        first = await there.until_said("front-scanner", ScanReport(code="A2", event="e2"))
        second = await there.until_said(
            "front-scanner", ScanReport(code="A2", event="e2"), after=there.said.index(first) + 1
        )
        assert first.seq == second.seq
        await there.fault("front-scanner", "duplicates", on=False)
        before = len(there.said)
        await there.fault("front-scanner", "replay")
        again = await there.until_said("front-scanner", ScanReport(code="A2", event="e2"), after=before)
        assert not again.retained
        await there.fault("front-scanner", "retains")
        await there.house.ask(Scan(code="A3"))
        assert (await there.until_said("front-scanner", ScanReport(code="A3"))).retained


async def test_the_scanner_shows_the_word_it_is_told(tmp_path: Path) -> None:
    async with connected_house(tmp_path, {"front-scanner": SCANNER}) as there:
        await there.tell("front-scanner", ShowResult(word="go"))
        await there.until_logged("shown", device="front-scanner", word="go")


async def test_the_signal_shows_sounds_and_confirms(tmp_path: Path) -> None:
    async with connected_house(tmp_path, {"front-signal": SIGNAL}) as there:
        await there.tell("front-signal", RING)
        await there.until_said("front-signal", SignalReport(id="r1"))
        await there.until_logged("signal", id="r1", light="amber", sound="ring")


async def test_a_dead_signal_does_not_ring_and_a_silent_one_rings_unconfirmed(tmp_path: Path) -> None:
    async with connected_house(tmp_path, {"front-signal": SIGNAL}) as there:
        await there.fault("front-signal", "dead")
        await there.tell("front-signal", RING)
        await there.house.ask(ReadState())
        await there.fault("front-signal", "dead", on=False)
        await there.fault("front-signal", "silent")
        await there.tell("front-signal", SetSignal(id="r2", light=Light.RED, sound=Sound.NO))
        await there.until_logged("signal", id="r2")
        assert [line["id"] for line in there.logged("signal")] == ["r2"]
        assert [said for said in there.said if said.channel is TopicSuffix.EVENT] == []


async def test_a_speaker_says_what_it_is_told_once_and_a_dead_one_says_nothing(tmp_path: Path) -> None:
    async with connected_house(tmp_path, {"front-speaker": SPEAKER}) as there:
        await there.fault("front-speaker", "dead")
        await there.tell("front-speaker", SaySentence(id="s1", sound=Sound.NO, language="fr", text=""))
        await there.house.ask(ReadState())
        await there.fault("front-speaker", "dead", on=False)
        await there.tell("front-speaker", SaySentence(id="s2", sound=Sound.GO, language="fr", text=""))
        await there.until_logged("sentence", sound="go", language="fr")
        assert [line["sound"] for line in there.logged("sentence")] == ["go"]


async def test_only_somebody_inside_can_answer(tmp_path: Path) -> None:
    async with connected_house(tmp_path, {"front-signal": SIGNAL}) as there:
        with pytest.raises(Impossible, match="not inside"):
            await there.house.ask(PressAnswer())
        await go_in(there)
        await there.house.ask(PressAnswer())
        await there.until_said("front-signal", AnswerButtonReport())


async def test_a_fridge_tells_its_door_and_temperatures(tmp_path: Path) -> None:
    async with connected_house(tmp_path, {"kitchen-fridge": FRIDGE}) as there:
        cooler = FridgeReport(compartment="cooler", temp_c=4.0, setpoint_c=3.0, door=DoorState.CLOSED)
        freezer = FridgeReport(compartment="freezer", temp_c=-18.0, setpoint_c=-18.0, door=DoorState.CLOSED)
        assert (await there.ask("kitchen-fridge")).reports == (cooler, freezer)
        with pytest.raises(Impossible, match="not inside"):
            await there.house.ask(OpenFridge())
        await go_in(there, "courier")
        await there.house.ask(OpenFridge())
        opened = FridgeReport(compartment="cooler", temp_c=4.0, setpoint_c=3.0, door=DoorState.OPEN)
        await there.until_said("kitchen-fridge", opened)
        await there.house.ask(CloseFridge())
        await there.house.ask(SetTemperature(celsius=9.5))
        warm = FridgeReport(compartment="cooler", temp_c=9.5, setpoint_c=3.0, door=DoorState.CLOSED)
        await there.until_said("kitchen-fridge", warm)
        await there.house.ask(SetTemperature(celsius=None))
        nothing = FridgeReport(compartment="cooler", setpoint_c=3.0, door=DoorState.CLOSED)
        await there.until_said("kitchen-fridge", nothing)


async def test_a_fridge_may_speak_fahrenheit_and_have_a_null_main(tmp_path: Path) -> None:
    async with connected_house(tmp_path, {"kitchen-fridge": FRIDGE}) as there:
        await there.fault("kitchen-fridge", "fahrenheit")
        await there.fault("kitchen-fridge", "null_main")
        cooler = FridgeReport(compartment="cooler", temp_c=4.0, setpoint_c=3.0, door=DoorState.CLOSED)
        assert cooler in (await there.ask("kitchen-fridge")).reports


def of_front_lock(said: DeviceMessage) -> bool:
    return said.device == "front-lock" and said.seq is not None


async def test_each_publication_has_the_next_number_of_its_boot(tmp_path: Path) -> None:
    async with connected_house(tmp_path, {"front-lock": LOCK, "front-door": DOOR}) as there:
        await there.house.ask(TurnKey())
        await there.ask("front-lock")
        await there.house.ask(OpenDoor(who="resident"))
        await there.ask("front-lock")
        # what is retained was said before the street listened; from there on no number is missing
        heard = [said for said in there.said if of_front_lock(said)]
        numbers = [said.seq for said in heard]
        assert numbers == list(range(numbers[0] or 0, (numbers[0] or 0) + len(numbers)))
        assert len({said.boot for said in heard}) == 1
        assert [said.seq for said in there.said if said.channel is TopicSuffix.AVAILABILITY] == [None, None]


async def test_after_a_reboot_the_boot_is_new_and_the_numbers_begin_again(tmp_path: Path) -> None:
    async with connected_house(tmp_path, {"front-lock": LOCK}) as there:
        before = await there.ask("front-lock")
        await there.house.ask(RebootDevice(device="front-lock"))
        await there.house.until_connected()
        again = await there.until(lambda said: of_front_lock(said) and said.boot != before.boot)
        assert again.seq == 1
        assert again.uptime_ms is not None
        assert before.uptime_ms is not None
        await there.until_said("front-lock", AvailabilityReport(online=False))


async def test_a_lost_link_is_told_by_the_broker_and_mended_with_the_state_as_it_is(tmp_path: Path) -> None:
    async with connected_house(tmp_path, {"front-lock": LOCK}) as there:
        await there.house.ask(SetLink(device="front-lock", up=False))
        gone = await there.until_said("front-lock", AvailabilityReport(online=False))
        assert gone.retained
        await there.house.ask(TurnKey())
        before = len(there.said)
        await there.house.ask(SetLink(device="front-lock", up=True))
        await there.until_said("front-lock", AvailabilityReport(online=True), after=before)
        told = await there.until(lambda said: any(isinstance(r, LockReport) for r in said.reports), after=before)
        assert [report.bolt for report in told.reports if isinstance(report, LockReport)] == [LockState.UNLOCKED]


async def test_a_lagging_device_still_speaks_in_order(tmp_path: Path) -> None:
    async with connected_house(tmp_path, {"front-door": {**DOOR, "lag_s": 0.05}}) as there:
        await there.house.ask(TurnKey())
        for _ in range(5):
            await there.house.ask(OpenDoor(who="resident"))
            await there.house.ask(CloseDoor(who="resident"))
        await there.ask("front-door")
        numbers = [said.seq or 0 for said in there.said if said.seq is not None]
        assert numbers == sorted(numbers)
