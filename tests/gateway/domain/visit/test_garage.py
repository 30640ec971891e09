"""A garage door: opened like any other, closed by the box, and never on somebody."""

import pytest

from devices.reports import DoorState
from gateway.domain.delivery.result import Refusal
from gateway.domain.visit import commands as c
from gateway.domain.visit import events as e
from tests.house.garage import CLOSING_S, GarageHouse, random_life
from tests.house.story import RINGING_S, announce_delivery

SEEDS = 100


def good_garage(**rules: object) -> GarageHouse:
    house = GarageHouse(1, None, **rules)
    house.run(5)
    announce_delivery(house)
    return house


def opened(**rules: object) -> GarageHouse:
    """The courier scanned, the garage went up, he carried the parcel in."""
    house = good_garage(**rules)
    house.scan("d0-1")
    house.run(RINGING_S + 2)
    assert house.phase == "inside", house.refusals
    house.walks_through()
    house.run(5)
    return house


def sent_down(house: GarageHouse) -> int:
    return len(house.all(c.Close))


def test_the_courier_rings_outside_and_the_garage_is_closed_and_proven_so() -> None:
    house = opened()
    house.walks_through()
    house.run(5)
    house.rings_outside()
    house.run(4)
    assert sent_down(house) == 0  # it warns first
    house.run(2)
    assert sent_down(house) == 1
    house.run(CLOSING_S + 15)
    assert house.phase == "locked_again"
    assert house.physical == ["open", "close"]
    assert not house.all(c.Lock)
    house.run(30)
    assert house.outcomes == ["delivered"]
    assert house.houses == ["locked_again"]


def test_scanning_the_parcel_again_outside_says_the_same_as_the_bell() -> None:
    house = opened()
    house.scans_again("d0-1")
    house.run(6 + CLOSING_S + 15)
    assert house.phase == "locked_again"


def test_a_second_parcel_that_is_scanned_is_no_word_that_he_is_out() -> None:
    house = good_garage()
    announce_delivery(house, "d3")
    house.scan("d3-1")
    house.run(RINGING_S + 2)
    house.scan("d3-2")
    house.run(60)
    assert sent_down(house) == 0
    house.scans_again("d3-2")
    house.run(20)
    assert sent_down(house) == 1


def test_nobody_says_that_he_is_out_so_it_stays_open_and_becomes_the_owners() -> None:
    house = opened()
    house.run(120 + 5 * 60 + 5)
    assert sent_down(house) == 0
    assert house.phase == "handed_to_owner"
    assert "door_left_open" in house.alarms
    house.close()
    house.run(CLOSING_S + 5)
    assert house.mem.visit is not None
    house.feed(e.OwnerAcknowledged(visit=house.mem.visit.id))
    house.run(60)
    assert house.mem.visit is None


def test_who_walks_in_after_the_bell_takes_the_couriers_word_back() -> None:
    house = opened()
    house.rings_outside()
    house.run(3)
    house.walks_through()
    house.run(60)
    assert sent_down(house) == 0
    house.rings_outside()
    house.run(20)
    assert sent_down(house) == 1


def test_a_word_that_is_said_while_something_is_in_the_way_is_none() -> None:
    house = opened()
    house.breaks_beam(broken=True)
    house.run(1)
    house.rings_outside()
    house.run(60)
    house.breaks_beam(broken=False)  # whoever that was may be inside
    house.run(60)
    assert sent_down(house) == 0
    house.rings_outside()
    house.run(20)
    assert sent_down(house) == 1


def test_a_beam_that_is_not_seen_is_not_clear() -> None:
    house = opened()
    house.faults.silent = True
    house.rings_outside()
    house.run(90)
    assert sent_down(house) == 0
    house.faults.silent = False
    house.run(40)
    assert sent_down(house) == 1


@pytest.mark.parametrize("lost", [e.BrokerDown(), e.SensorOffline(sensor="way"), e.ReportsMissed()])
def test_what_happened_while_nobody_saw_takes_the_couriers_word_back(lost: e.Event) -> None:
    house = opened()
    house.rings_outside()
    house.run(2)
    if lost == e.BrokerDown():
        house.broker_down()
        house.run(2)
        house.broker_up()
    else:
        house.feed(lost)
    house.run(60)
    assert sent_down(house) == 0


def test_who_stands_under_the_door_is_met_by_an_opener_that_goes_up_again_and_it_is_tried_three_times() -> None:
    house = opened()
    house.opening.under = True  # past the beam: only the opener's own reversing helps
    house.rings_outside()
    house.run(4 * 60)
    assert 1 <= sent_down(house) <= 3
    assert house.opening.touched
    assert house.opening.door_open
    house.run(120 + 5 * 60)
    assert house.phase == "handed_to_owner"


def test_each_new_word_of_the_courier_does_not_start_the_counting_anew() -> None:
    house = opened()
    house.opening.under = True
    for _ in range(6):
        house.rings_outside()
        house.run(12)
        house.walks_through()
        house.run(20)
    assert sent_down(house) == 3
    assert house.phase == "handed_to_owner"


def test_an_opener_without_a_beam_that_tells_is_never_sent_down() -> None:
    house = opened(obstruction_sensor=False)
    house.rings_outside()
    house.run(60)
    assert sent_down(house) == 0
    house.close()  # the household, by its remote control
    house.run(CLOSING_S + 20)
    assert house.phase == "locked_again"


def test_a_garage_whose_way_is_not_affirmatively_clear_opens_to_nobody() -> None:
    house = good_garage()
    house.breaks_beam(broken=True)
    house.run(1)
    house.scan("d0-1")
    assert house.refusals == [str(Refusal.NOT_READY)]


def test_the_owner_is_told_what_is_in_the_way() -> None:
    house = good_garage()
    house.breaks_beam(broken=True)
    house.feed(e.WindowChanged(near=True))
    house.feed(e.PreflightDue(delivery=house.promises["d0"].facts()))
    house.run(5)
    assert house.all(c.ReportReadiness)[-1].lacking == ("way",)


def test_an_opener_that_does_nothing_is_never_told_twice() -> None:
    house = good_garage()
    house.faults.jam = True
    house.scan("d0-1")
    house.run(RINGING_S + 60)
    assert len(house.all(c.Unlock)) == 1
    assert "unlock_unknown" in house.alarms
    assert house.mem.visit is None or house.phase == "locked_again"


def test_a_garage_that_somebody_opens_while_all_are_away_is_alarmed_and_filmed() -> None:
    house = good_garage()
    house.feed(e.HomeChanged(somebody_home=False, away=True))
    house.open()
    house.run(1)
    assert house.alarms == ["unexpected_unlock"]
    assert house.all(c.StartRecording)


def test_the_households_own_openings_are_neither_filmed_nor_alarmed() -> None:
    house = good_garage()
    house.open()
    house.run(30)
    house.close()
    house.run(CLOSING_S + 5)
    assert house.mem.facts["door"].value is DoorState.CLOSED
    assert not house.alarms
    assert not house.all(c.StartRecording)


def test_lock_now_never_moves_a_garage_door() -> None:
    house = good_garage()
    house.lock_now()
    house.run(10)
    assert [note.what for note in house.all(c.LogNote)] == ["lockup_proven"]
    house.open()
    house.run(1)
    house.lock_now()
    house.run(10)
    assert [note.what for note in house.all(c.LogNote)][-1] == "lockup_door_open"
    assert not house.all(c.Lock)
    assert sent_down(house) == 0


def test_whatever_happens_at_a_garage_it_never_comes_down_on_somebody() -> None:
    seen: dict[str, int] = {}
    for seed in range(SEEDS):
        try:
            house = random_life(seed)
        except (AssertionError, RuntimeError, LookupError) as failure:
            pytest.fail(f"seed {seed}: {failure!r}", pytrace=False)
        for what, times in house.oracle.seen.items():
            seen[what] = seen.get(what, 0) + times
    for must in (
        "Close",
        "locked again",
        "opening",
        "phase handed_to_owner",
        "alarm door_left_open",
        "refusal not_ready",
    ):
        assert seen.get(must), f"never seen: {must}"
