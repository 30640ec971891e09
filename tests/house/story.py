"""The beginnings that most stories share."""

from tests.house.house import CAMERAS, SimulatedHome
from tests.house.promise import SimulatedDelivery
from tests.house.rules import rules_with

RINGING_S = 20.5  # the ringing time and a moment


def good_day(**rules: object) -> SimulatedHome:
    """A house in which all is well: gateway, broker, cameras and fridge are up, lock and door have answered."""
    house = SimulatedHome(1, rules_with(**{"cameras": CAMERAS, **rules}))
    house.run(5)
    return house


def announce_delivery(
    house: SimulatedHome, ident: str = "d0", seconds: float = 3600, /, **fields: object
) -> SimulatedDelivery:
    """A delivery whose window begins now."""
    promise = SimulatedDelivery(id=ident, start=house.t, end=house.t + seconds)
    for name, value in fields.items():
        setattr(promise, name, value)
    house.promises[ident] = promise
    return promise


def unlocked(**rules: object) -> SimulatedHome:
    """The courier scanned, the bell rang, nobody answered, the bolt is back: nobody is inside yet."""
    house = good_day(**rules)
    announce_delivery(house)
    house.scan("d0-1")
    house.run(RINGING_S + 1)
    assert house.phase == "unlocked", house.refusals
    return house


def inside(place: str = "hall", /, **rules: object) -> SimulatedHome:
    """The courier has opened the door."""
    house = good_day(**rules)
    announce_delivery(house, place=place)
    house.scan("d0-1")
    house.run(RINGING_S + 1)
    house.open()
    house.run(1)
    assert house.phase == "inside", house.refusals
    return house


def locked_again(**rules: object) -> SimulatedHome:
    """The courier has been inside; door and bolt are proven, the film still runs."""
    house = inside("hall", **rules)
    house.close()
    house.run(14)
    assert house.phase == "locked_again", house.phase
    return house
