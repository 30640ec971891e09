"""A parcel box in the garden: compartments without a camera; what lies in them is what proves."""

from gateway.domain.visit import commands as c
from gateway.domain.visit import events as e
from tests.house.entrances import BOXES, build, walk
from tests.house.story import announce_delivery
from tests.house.things.compartment import Box
from tests.house.ways import EntranceHouse


def box(house: EntranceHouse, ident: str = "c1") -> Box:
    thing = house.things[ident]
    assert isinstance(thing, Box)
    return thing


def opened() -> EntranceHouse:
    house = build("parcel box")
    house.run(5)
    assert walk(house, announce_delivery(house), "in c1")[-1] == "in c1", house.refusals
    return house


def test_a_parcel_is_left_in_the_first_compartment_and_its_sensor_proves_it() -> None:
    house = opened()
    box(house).fill(full=True)
    box(house).shut()
    house.run(60)
    assert house.outcomes == ["delivered"]
    assert house.houses == ["locked_again"]
    assert house.log("c2") == house.log("c3") == []
    assert not house.all(c.Lock)


def test_the_gap_of_a_box_without_a_camera_is_declared() -> None:
    house = opened()
    box(house).fill(full=True)
    box(house).shut()
    house.run(60)
    assert [seal.gaps for seal in house.all(c.SealProof)] == [("no_film",)]


def test_one_that_was_opened_and_stays_empty_delivered_nothing() -> None:
    house = opened()
    box(house).shut()
    house.run(60)
    assert house.outcomes == ["not_delivered"]


def test_what_was_put_in_and_taken_out_again_is_not_delivered() -> None:
    house = opened()
    box(house).fill(full=True)
    house.run(1)
    box(house).fill(full=False)
    box(house).shut()
    house.run(60)
    assert house.outcomes == ["not_delivered"]


def test_what_its_sensor_answered_while_the_lid_stood_open_proves_nothing() -> None:
    house = opened()
    box(house).fill(full=True)
    house.run(2)
    house.faults.silent = True
    box(house).shut()
    house.run(60)
    assert house.houses == ["handed_to_owner"]
    assert house.outcomes == ["unknown"]


def test_an_occupied_compartment_is_never_opened_and_the_next_is_taken() -> None:
    house = build("parcel box")
    box(house).is_full = True
    house.run(5)
    announce_delivery(house)
    house.scan("d0-1")
    house.run(3)
    assert house.log("c1") == []
    assert box(house, "c2").is_open


def test_each_of_three_parcels_gets_a_compartment_of_its_own_and_the_fourth_none() -> None:
    house = build("parcel box")
    house.run(5)
    for number in range(4):
        walk(house, announce_delivery(house, f"d{number}-"))
        house.run(60)
    assert house.orders == ["Unlock c1", "Unlock c2", "Unlock c3"]
    assert house.outcomes == ["delivered"] * 3
    assert house.refusals == ["not_ready"]
    assert house.all(c.AnswerScan)[-1].lacking == ("c1/occupied",)


def test_a_lid_that_does_not_catch_is_the_owners() -> None:
    house = opened()
    box(house).bounces = True
    box(house).fill(full=True)
    box(house).shut()
    house.run(60)
    assert house.houses == ["handed_to_owner"]
    assert "not_locked" in house.alarms


def test_a_latch_that_does_not_spring_is_ordered_once_and_the_courier_gets_no_go() -> None:
    house = build("parcel box")
    house.faults.mute = False
    house.faults.jam = True
    house.run(5)
    announce_delivery(house)
    house.scan("d0-1")
    house.run(90)
    assert len(house.all(c.Unlock)) == 1
    assert c.ScanAnswer.GO not in [answer.answer for answer in house.all(c.AnswerScan)]
    assert house.alarms == ["lock_jammed"]
    assert house.houses == ["locked_again"]


def test_a_sensor_that_does_not_see_the_parcel_leaves_the_result_unknown() -> None:
    house = opened()
    values = box(house).values
    box(house).values = lambda: {**values(), "content": "unknown"}  # type: ignore[method-assign] # a sensor lies
    box(house).fill(full=True)
    box(house).shut()
    house.run(60)
    assert house.outcomes == ["unknown"]
    assert house.houses == ["locked_again"]


def test_another_compartment_that_somebody_opens_meanwhile_alarms_and_is_not_the_visits() -> None:
    house = opened()
    house.feed(e.HomeChanged(somebody_home=False, away=True))
    box(house, "c2").owner_comes()
    box(house).fill(full=True)
    box(house).shut()
    house.run(60)
    assert house.alarms == ["unexpected_unlock"]
    assert house.outcomes == ["delivered"]
    assert house.houses == ["locked_again"]


def test_another_compartment_that_does_not_catch_keeps_no_visit_from_ending() -> None:
    house = opened()
    box(house).fill(full=True)
    box(house).shut()
    house.run(15)
    assert house.phase == "locked_again"
    box(house, "c2").bounces = True
    box(house, "c2").owner_comes()
    house.run(30)
    assert house.mem.visit is None
    assert house.houses == ["locked_again"]
    assert len(house.all(c.SealProof)) == 1


def test_a_box_in_the_hall_opens_behind_the_street_door() -> None:
    house = build("boxes in the hall")
    house.run(5)
    walk(house, announce_delivery(house))
    house.run(60)
    assert house.orders == ["Unlock street", "Unlock c1"]
    assert house.outcomes == ["delivered"]
    assert [house.things[ident].is_secured() for ident in ("street", *BOXES[:2])] == [True] * 3
