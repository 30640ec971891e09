"""A courier who comes while another one is inside waits, and scans again afterwards."""

import pytest

from gateway.domain.delivery.result import Refusal
from gateway.domain.visit import commands as c
from tests.house.house import SimulatedHome
from tests.house.story import RINGING_S, announce_delivery, inside


def answers(house: SimulatedHome) -> list[tuple[str, str | None]]:
    """Each answer to a scan, and why."""
    return [(str(one.answer), None if one.refusal is None else str(one.refusal)) for one in house.all(c.AnswerScan)]


def test_the_next_courier_waits_and_nothing_rings_over_the_running_visit() -> None:
    house = inside()
    announce_delivery(house, "d1")
    rung, shown = len(house.all(c.RingBell)), len(house.all(c.ShowSignal))
    house.scan("d1-1")
    assert answers(house)[-1] == ("wait", "busy")
    assert (len(house.all(c.RingBell)), len(house.all(c.ShowSignal))) == (rung, shown)
    assert house.phase == "inside"
    house.close()
    house.run(60)
    assert house.phase == "ready"
    assert house.physical.count("withdrawn") == 1, "what waited begins nothing by itself"
    house.scan("d1-1")
    house.run(RINGING_S + 1)
    assert house.phase == "unlocked", house.refusals


@pytest.mark.parametrize(
    "why",
    [Refusal.CANCELLED, Refusal.EXPIRED, Refusal.BRAND_NOT_PERMITTED, Refusal.KEY_DISTRUSTED, Refusal.ALREADY_USED],
)
def test_whoever_could_not_come_in_does_not_wait(why: Refusal) -> None:
    house = inside()
    announce_delivery(house, "d1", refusal=why)
    house.scan("d1-1")
    assert answers(house)[-1] == ("no", "busy")


def test_a_delivery_of_tomorrow_or_of_another_entrance_does_not_wait() -> None:
    house = inside()
    late = announce_delivery(house, "d1")
    late.start, late.end = house.t + 5000, house.t + 6000
    house.scan("d1-1")
    assert answers(house)[-1] == ("no", "busy")
    announce_delivery(house, "d2", entrance="garage")
    house.scan("d2-1")
    assert answers(house)[-1] == ("no", "busy")


def test_after_a_stop_nobody_waits() -> None:
    house = inside()
    announce_delivery(house, "d1")
    house.stop(stopped=True)
    house.run(0.5)
    house.scan("d1-1")
    assert answers(house)[-1] == ("no", "busy")


def test_the_code_of_a_return_does_not_wait() -> None:
    house = inside()
    delivery = announce_delivery(house, "d1", returns=1)
    house.scan(min(delivery.collect))
    assert answers(house)[-1] == ("no", "busy")
