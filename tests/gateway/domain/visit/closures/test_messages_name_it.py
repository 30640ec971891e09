"""A message to the owner names its closure if there are several; an only door needs no name."""

import pytest

from gateway.domain.visit import commands as c
from gateway.domain.visit import events as e
from gateway.domain.visit.commands import AlarmCode, Notification
from tests.house.entrances import build, walk
from tests.house.story import announce_delivery
from tests.house.things.bolted_door import BoltedLeaf
from tests.house.things.strike import StreetDoor
from tests.house.ways import EntranceHouse


def until(layout: str, step: str) -> EntranceHouse:
    """A courier who got to this step."""
    house = build(layout)
    house.run(5)
    assert walk(house, announce_delivery(house), step)[-1] == step, house.refusals
    return house


def told(house: EntranceHouse) -> set[tuple[str, str]]:
    """Each alarm and notification with the closure that it names."""
    return {
        (str(one.code if isinstance(one, c.RaiseAlarm) else one.notification), one.closure)
        for _, one in house.did
        if isinstance(one, c.RaiseAlarm | c.NotifyOwner)
    }


def leaf(house: EntranceHouse, name: str) -> BoltedLeaf:
    thing = house.things[name]
    assert isinstance(thing, BoltedLeaf)
    return thing


def test_a_street_door_that_is_wedged_is_named_and_not_the_flat() -> None:
    house = until("flat", "left the parcel")
    street = house.things["street"]
    assert isinstance(street, StreetDoor)
    leaf(house, "flat").shut()
    street.is_wedged = True
    street.leave()
    house.run(400)
    assert {
        (Notification.DOOR_OPEN, "street"),
        (Notification.LOOK_AFTER_THE_DOOR, "street"),
        (AlarmCode.NOT_LOCKED, "street"),
    } <= told(house)
    assert "flat" not in {closure for _, closure in told(house)}


def test_a_flat_that_stays_open_is_named_and_not_the_street_door() -> None:
    house = until("flat", "left the parcel")
    house.run(600)
    assert (AlarmCode.DOOR_LEFT_OPEN, "flat") in told(house)
    assert "street" not in {closure for _, closure in told(house)}


@pytest.mark.parametrize("name", ["gate", "front"])
def test_the_door_of_several_that_opened_without_an_order_is_named(name: str) -> None:
    house = build("gate and front door")
    house.run(5)
    house.feed(e.HomeChanged(somebody_home=False, away=True))
    leaf(house, name).force()
    house.run(30)
    alarms = {one for one in told(house) if one[0] in set(AlarmCode)}
    assert alarms
    assert {closure for _, closure in alarms} == {name}
