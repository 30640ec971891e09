"""A flat behind a street door: two closures in order, and proven secured again in reverse."""

import pytest

from gateway.domain.delivery.result import Refusal
from gateway.domain.visit import commands as c
from gateway.domain.visit import events as e
from tests.house.entrances import build, walk
from tests.house.story import announce_delivery
from tests.house.things.bolted_door import BoltedLeaf
from tests.house.things.strike import StreetDoor
from tests.house.ways import EntranceHouse


def street(house: EntranceHouse) -> StreetDoor:
    thing = house.things["street"]
    assert isinstance(thing, StreetDoor)
    return thing


def flat(house: EntranceHouse) -> BoltedLeaf:
    thing = house.things["flat"]
    assert isinstance(thing, BoltedLeaf)
    return thing


def until(step: str) -> EntranceHouse:
    """A courier who went so far."""
    house = build("flat")
    house.run(5)
    assert walk(house, announce_delivery(house), step)[-1] == step, house.refusals
    return house


def in_the_hall() -> EntranceHouse:
    house = until("before flat")
    assert house.phase == "advancing"
    return house


def scans_on_the_landing(house: EntranceHouse) -> None:
    house.scan("d0-1", scanner="at-flat")


def test_both_doors_open_one_after_the_other_and_are_proven_secured_in_reverse() -> None:
    house = until("left the parcel")
    flat(house).shut()
    house.run(5)
    done = len(house.did)
    street(house).leave()
    house.run(60)
    assert house.orders == ["Unlock street", "Unlock flat", "Lock flat"]
    queried = [x.sensor for _, x in house.did[done:] if isinstance(x, c.QuerySensor)]
    assert queried[:4] == ["flat/door", "flat/lock", "flat/door", "street/door"]
    assert house.outcomes == ["delivered"]
    assert house.houses == ["locked_again"]
    assert not house.alarms


def test_the_flat_does_not_open_while_the_street_door_stands_open() -> None:
    house = until("let in")
    street(house).is_wedged = True
    street(house).enter()
    house.run(20)
    scans_on_the_landing(house)
    house.run(30)
    assert house.orders == ["Unlock street"]
    street(house).wedge(wedged=False)
    house.run(60)
    assert house.orders[:2] == ["Unlock street", "Unlock flat"], "his scan on the landing still counts"


def test_one_more_scan_at_the_street_door_opens_no_flat() -> None:
    house = in_the_hall()
    house.scan("d0-1")
    house.run(30)
    assert house.orders == ["Unlock street"]


def test_whoever_stays_in_the_hall_delivered_nothing_and_the_flat_stays_locked() -> None:
    house = in_the_hall()
    house.run(300)
    assert house.orders == ["Unlock street"]
    assert house.outcomes == ["not_delivered"]
    assert house.houses == ["locked_again"]


def test_a_stop_while_he_is_in_the_hall_keeps_the_flat_locked() -> None:
    house = in_the_hall()
    house.stop(stopped=True)
    house.run(1)
    scans_on_the_landing(house)
    house.run(60)
    assert house.orders == ["Unlock street"]
    assert house.houses == ["locked_again"]


def test_a_neighbour_who_holds_the_street_door_open_keeps_the_flat_locked_until_it_is_shut() -> None:
    house = in_the_hall()
    street(house).is_wedged = True
    street(house).neighbour()
    house.run(1)
    scans_on_the_landing(house)
    house.run(20)
    assert house.orders == ["Unlock street"]


@pytest.mark.parametrize("is_notified", [False, True])
def test_what_is_cancelled_while_he_is_in_the_hall_opens_no_flat(*, is_notified: bool) -> None:
    house = in_the_hall()
    promise = house.promises["d0"]
    promise.refusal, promise.version = Refusal.CANCELLED, promise.version + 1
    if is_notified:
        house.feed(e.FactsChanged(delivery=promise.facts(), stopped=False, epoch=house.epoch))
    scans_on_the_landing(house)
    house.run(60)
    assert house.orders == ["Unlock street"]
    assert house.houses == ["locked_again"]


def test_his_own_reservation_does_not_count_against_him() -> None:
    house = in_the_hall()
    house.feed(e.FactsChanged(delivery=house.promises["d0"].facts(), stopped=False, epoch=house.epoch))
    scans_on_the_landing(house)
    house.run(2)
    assert house.orders == ["Unlock street", "Unlock flat"]
    assert house.promises["d0"].used == 1


def test_a_window_that_ends_while_he_is_in_the_hall_opens_no_flat() -> None:
    house = in_the_hall()
    house.promises["d0"].end = house.t
    house.feed(e.FactsChanged(delivery=house.promises["d0"].facts(), stopped=False, epoch=house.epoch))
    scans_on_the_landing(house)
    house.run(60)
    assert house.orders == ["Unlock street"]


def test_the_camera_on_the_landing_must_see_him_move() -> None:
    house = in_the_hall()
    house.feed(e.CameraChanged(camera="inside", live=True, moving=False, recording=True))
    scans_on_the_landing(house)
    house.run(2)
    assert house.orders == ["Unlock street"]
    assert house.refusals == ["camera_unavailable"]


def test_a_broken_camera_on_the_landing_keeps_the_flat_locked() -> None:
    house = in_the_hall()
    house.faults.camera = frozenset({"inside"})
    house.cameras_say(0)
    house.run(1)
    scans_on_the_landing(house)
    house.run(2)
    assert house.orders == ["Unlock street"]
    assert house.refusals == ["camera_unavailable"]


def test_the_opening_comes_back_if_nobody_went_through_the_street_door() -> None:
    house = until("let in")
    house.run(60)
    assert len(house.all(c.ReleaseOpening)) == 1
    assert house.promises["d0"].used == 0


def test_neighbours_who_come_and_go_are_neither_filmed_nor_alarmed_nor_taken_for_the_household() -> None:
    house = build("flat")
    house.run(5)
    for _ in range(5):
        street(house).neighbour()
        house.run(20)
    assert not house.alarms
    assert not house.all(c.StartRecording)
    assert not house.mem.opened_by_hand
    announce_delivery(house)
    house.scan("d0-1")
    assert house.phase == "ringing"


def test_a_wedged_street_door_is_the_owners_after_a_while() -> None:
    house = until("left the parcel")
    flat(house).shut()
    street(house).is_wedged = True
    street(house).leave()
    house.run(300)
    assert house.houses == ["handed_to_owner"]
    assert flat(house).is_secured()


def test_a_flat_that_a_hand_unlocks_while_the_street_door_stands_open_is_locked_once_more() -> None:
    house = until("left the parcel")
    house.run(10)
    street(house).is_wedged = True
    street(house).leave()
    flat(house).shut()
    house.run(25)
    assert flat(house).is_secured()
    assert house.houses == []
    flat(house).turn(unlock=True)
    house.run(1)
    street(house).wedge(wedged=False)
    house.run(120)
    assert house.houses == ["locked_again"]
    assert flat(house).is_secured()
    assert house.orders[-1] == "Lock flat"


def test_a_street_door_that_a_neighbour_opens_keeps_the_flat_locked_though_the_hall_door_is_secured() -> None:
    house = build("street, hall and flat")
    house.run(5)
    walk(house, announce_delivery(house), "before flat")
    street(house).is_wedged = True
    street(house).neighbour()
    house.run(1)
    scans_on_the_landing(house)
    house.run(20)
    assert house.orders == ["Unlock street", "Unlock hall"]
    street(house).wedge(wedged=False)
    house.run(2)
    assert house.orders == ["Unlock street", "Unlock hall", "Unlock flat"]


def test_a_scan_on_the_landing_begins_there_because_a_neighbour_let_the_courier_in() -> None:
    house = build("flat")
    house.run(5)
    announce_delivery(house)
    scans_on_the_landing(house)
    house.run(25)
    assert house.orders == ["Unlock flat"]


def test_a_flat_is_unlocked_by_nobody_known_while_the_courier_is_elsewhere_and_it_alarms() -> None:
    house = build("two ways in")
    house.run(5)
    house.feed(e.HomeChanged(somebody_home=False, away=True))
    walk(house, announce_delivery(house, "d0", place="garage"), "in garage")
    flat(house).turn_by_radio()
    house.run(1)
    assert house.alarms == ["unexpected_unlock"]
    assert house.phase == "inside"
