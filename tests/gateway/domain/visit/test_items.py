"""Items with limits and places of their own: what keeps the door shut, and what a scan at the fridge does not do."""

import pytest

from devices.reports import DoorState
from gateway.domain.delivery.food_profiles import FoodProfile
from gateway.domain.delivery.items import OrderItem
from gateway.domain.delivery.result import Refusal
from gateway.domain.delivery.temperature import Limits
from gateway.domain.visit import commands as c
from gateway.domain.visit import events as e
from gateway.domain.visit.commands import ScanAnswer
from gateway.domain.visit.conditions import ColdChain, FridgeReported, RoomReported
from gateway.domain.visit.conditions.cold_chain import Fridge, FridgeState
from tests.house.house import SimulatedHome
from tests.house.story import RINGING_S, announce_delivery, good_day

FISH = OrderItem(code="fish", place="fridge", profile=FoodProfile.FISH)
PEAS = OrderItem(code="peas", place="freezer", profile=FoodProfile.QUICK_FROZEN)
AT_FRIDGE = {"fridge-scanner": "fridge"}


def kitchen(**facts: object) -> SimulatedHome:
    """A house with a fridge and a freezer, a scanner at the fridge, and a delivery of fish and peas."""
    house = good_day(place_scanners=AT_FRIDGE)
    announce_delivery(house, **{"place": "hall", "items": (FISH, PEAS), **facts})
    says(house, fridge=1.0, freezer=-19.0)
    return house


def says(house: SimulatedHome, **celsius: float | None) -> None:
    """The thermometers of these places report."""
    for place, value in celsius.items():
        house.feed(FridgeReported(place=place, fridge=FridgeState(temp_c=value, door=DoorState.CLOSED)))


def answer_to(house: SimulatedHome, code: str, scanner: str = "s") -> c.AnswerScan | None:
    """The answer to a scan, if there is one."""
    before = len(house.all(c.AnswerScan))
    house.scan(code, scanner=scanner)
    return next(iter(house.all(c.AnswerScan)[before:]), None)


def refusal_at_the_door(house: SimulatedHome) -> Refusal | None:
    answer = answer_to(house, "d0-1")
    assert answer is not None
    return answer.refusal


def inside_with_items() -> SimulatedHome:
    house = kitchen()
    house.scan("d0-1")
    house.run(RINGING_S + 1)
    house.open()
    house.run(1)
    assert house.phase == "inside", house.refusals
    return house


@pytest.mark.parametrize(
    ("air", "refusal"),
    [
        ({}, None),
        ({"fridge": 2.1}, Refusal.FRIDGE_TOO_WARM),
        ({"fridge": -0.1}, Refusal.FRIDGE_TOO_COLD),
        ({"fridge": None}, Refusal.FRIDGE_TOO_WARM),
        ({"freezer": -17.9}, Refusal.FRIDGE_TOO_WARM),
        ({"freezer": -40.0}, None),
        ({"freezer": None}, Refusal.FRIDGE_TOO_WARM),
    ],
)
def test_nothing_opens_unless_the_air_of_each_items_place_is_known_to_be_within_its_limits(
    air: dict[str, float | None], refusal: Refusal | None
) -> None:
    house = kitchen()
    says(house, **air)
    assert refusal_at_the_door(house) is refusal
    house.run(RINGING_S + 1)
    assert house.phase == ("unlocked" if refusal is None else "ready"), house.refusals


def test_the_air_that_changes_while_the_bell_rings_keeps_the_door_shut() -> None:
    house = kitchen()
    house.scan("d0-1")
    house.run(5)
    says(house, fridge=-2.0)
    house.run(RINGING_S)
    assert house.refusals[-1] == Refusal.FRIDGE_TOO_COLD
    assert "withdrawn" not in house.physical


def test_the_label_that_was_read_first_still_counts_when_the_couriers_code_follows() -> None:
    house = kitchen(needs_courier=True, label_limits={"d0-1": Limits(min_c=20.0)})
    house.feed(FridgeReported(place="hall", fridge=FridgeState(temp_c=21.0)))
    assert refusal_at_the_door(house) is None
    house.feed(FridgeReported(place="hall", fridge=FridgeState(temp_c=19.0)))
    house.scan("d0-qr")
    house.run(RINGING_S + 1)
    assert house.refusals[-1] == Refusal.FRIDGE_TOO_COLD
    assert "withdrawn" not in house.physical


@pytest.mark.parametrize(("full", "refusal"), [(False, None), (True, Refusal.FRIDGE_FULL), (None, Refusal.FRIDGE_FULL)])
def test_nothing_opens_for_a_place_that_is_full_or_may_be(full: bool | None, refusal: Refusal | None) -> None:
    fridges = {"fridge": Fridge(device="cooler"), "freezer": Fridge(device="ice")}
    house = good_day(conditions=(ColdChain(fridges=fridges, room_sensors={"fridge": "eye"}),))
    announce_delivery(house, items=(FISH,))
    says(house, fridge=1.0)
    house.feed(RoomReported(place="fridge", full=full))
    assert refusal_at_the_door(house) is refusal


def test_nothing_opens_for_more_items_than_the_household_counted_room_for() -> None:
    house = kitchen(full_places=frozenset({"fridge"}))
    assert refusal_at_the_door(house) is Refusal.FRIDGE_FULL
    house.feed(e.PreflightDue(delivery=house.promises["d0"].facts()))
    house.run(10)
    assert house.all(c.ReportReadiness)[-1].lacking == ("fridge_full",)


def test_a_place_to_which_nothing_goes_may_be_full() -> None:
    house = good_day(conditions=(ColdChain(room_sensors={"cellar": "eye"}),))
    announce_delivery(house)
    house.feed(RoomReported(place="cellar", full=True))
    assert refusal_at_the_door(house) is None


def test_readiness_names_what_is_wrong_in_its_own_word() -> None:
    house = kitchen()
    says(house, fridge=-3.0)
    house.feed(e.PreflightDue(delivery=house.promises["d0"].facts()))
    house.run(10)
    assert house.all(c.ReportReadiness)[-1].lacking == ("fridge_too_cold",)


def test_air_that_becomes_too_cold_inside_is_an_alarm_and_delays_nothing() -> None:
    house = inside_with_items()
    says(house, fridge=-2.0)
    house.close()
    house.run(11)
    assert house.alarms == ["fridge_too_cold"]
    assert house.physical[-1] == "thrown"


@pytest.mark.parametrize(("code", "answer"), [("fish", ScanAnswer.GO), ("peas", ScanAnswer.GO), ("x", ScanAnswer.NO)])
def test_a_scan_at_the_fridge_is_answered_for_the_items_of_the_visit(code: str, answer: ScanAnswer) -> None:
    house = inside_with_items()
    said = answer_to(house, code, "fridge-scanner")
    assert said is not None
    assert (said.answer, said.scanner) == (answer, "fridge-scanner")


def test_a_scan_at_the_fridge_opens_nothing_and_counts_nothing() -> None:
    house = kitchen()
    for code in ("d0-1", "fish", "a", "b", "c", "d"):
        assert answer_to(house, code, "fridge-scanner") is None
        house.run(3)
    assert house.phase == "ready"
    assert house.alarms == []
    assert refusal_at_the_door(house) is None


def test_the_door_is_locked_whether_items_are_stowed_or_not() -> None:
    house = inside_with_items()
    house.close()
    house.run(11)
    assert house.physical[-1] == "thrown"


def test_an_item_that_is_scanned_at_the_door_in_its_visit_is_no_wrong_code_and_no_parcel() -> None:
    house = inside_with_items()
    for code in ("fish", "peas"):
        said = answer_to(house, code)
        assert said is not None
        assert said.answer is ScanAnswer.GO
    assert house.mem.visit is not None
    assert house.mem.visit.parcels == {"d0-1"}
    assert house.mem.scan_lockouts["s"].unknown_codes == ()
