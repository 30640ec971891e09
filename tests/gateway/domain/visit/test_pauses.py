"""No deliveries from-to, as the household said: exact at both ends, by itself, and nothing said of it to retailers."""

from datetime import timedelta

import pytest

from gateway.domain.visit import commands as c
from gateway.domain.visit import events as e
from gateway.domain.visit.state import PausePeriod, Timer
from tests.house.house import SimulatedHome
from tests.house.promise import EPOCH, SimulatedDelivery
from tests.house.story import RINGING_S, announce_delivery, good_day, unlocked


def watched(house: SimulatedHome, start: float = 0.0, end: float = 3600.0, ident: str = "d0") -> SimulatedDelivery:
    """A delivery whose readiness was looked at; its window in seconds from now."""
    promise = announce_delivery(house, ident)
    promise.start, promise.end = house.t + start, house.t + end
    house.feed(e.PreflightDue(delivery=promise.facts()))
    house.run(5)
    return promise


def readiness(house: SimulatedHome) -> list[tuple[str, ...]]:
    return [word.lacking for word in house.all(c.ReportReadiness)]


@pytest.mark.parametrize(
    ("seconds", "refusals"),
    [(9.9, []), (10.0, ["paused"]), (19.9, ["paused"]), (20.0, [])],
)
def test_a_pause_begins_and_ends_to_the_second(seconds: float, refusals: list[str]) -> None:
    house = good_day()
    announce_delivery(house)
    at = house.t
    house.pause(10, 20)
    house.run(at + seconds - house.t)
    house.scan("d0-1")
    assert house.refusals == refusals


def test_at_its_end_the_next_scan_opens_without_anybody_s_word() -> None:
    house = good_day()
    announce_delivery(house)
    house.pause(0, 30)
    house.run(1)
    house.scan("d0-1")
    house.run(30)
    assert house.mem.pauses == ()
    assert Timer.PAUSE not in house.mem.timers
    house.scan("d0-1")
    house.run(RINGING_S + 1)
    assert house.refusals == ["paused"]
    assert house.phase == "unlocked"


def test_whoever_looks_on_is_told_when_a_pause_begins_and_when_it_ends() -> None:
    """A change of the state is what pages and the phone are painted by."""
    house = good_day()
    house.pause(10, 20)
    house.run(1)
    seen = [house.mem]
    for _ in range(2):
        house.run(10)
        seen.append(house.mem)
    assert len(set(map(repr, seen))) == 3


def test_a_courier_who_rings_as_the_pause_begins_is_not_let_in() -> None:
    house = good_day()
    announce_delivery(house)
    house.scan("d0-1")
    house.pause(19, 60)
    house.run(RINGING_S)
    assert house.refusals == ["paused"]
    assert not house.all(c.ReserveOpening)
    assert house.phase == "ready"


def test_a_pause_that_is_stored_as_the_intent_is_committed_rolls_it_back() -> None:
    house = good_day()
    announce_delivery(house)
    house.scan("d0-1")
    house.run(19.9)
    now = EPOCH + timedelta(seconds=house.t)
    house.pauses = (PausePeriod(id="p", start=now, end=now + timedelta(hours=1)),)  # stored; its event has not come yet
    house.run(1)
    assert house.refusals == ["paused"]
    assert not house.all(c.Unlock)


def test_a_visit_under_way_ends_as_ever() -> None:
    house = unlocked()
    house.pause(0, 3600)
    house.run(1)
    house.open()
    house.run(1)
    house.close()
    house.run(30)
    assert (house.outcomes, house.houses) == (["delivered"], ["locked_again"])
    assert house.physical == ["withdrawn", "open", "close", "thrown"]


def test_a_pause_holds_over_a_restart() -> None:
    house = good_day()
    announce_delivery(house)
    house.pause(0, 3600)
    house.run(1)
    house.kill(seconds=1.0)
    house.run(10)
    house.scan("d0-1")
    assert house.refusals == ["paused"]


def test_while_the_time_is_not_certain_nothing_is_over() -> None:
    house = good_day()
    announce_delivery(house)
    house.pause(0, 10)
    house.run(1)
    house.faults.untrusted = True
    house.run(30)
    house.scan("d0-1")
    assert house.mem.pauses
    assert house.refusals == ["clock_untrusted"]
    house.faults.untrusted = False
    house.feed(e.TimerExpired())
    assert house.mem.pauses == ()


def test_one_that_ends_early_lets_the_next_scan_in() -> None:
    house = good_day()
    announce_delivery(house)
    house.pause(0, 3600)
    house.run(1)
    house.end_pauses()
    house.run(1)
    house.scan("d0-1")
    assert (house.refusals, house.phase) == ([], "ringing")


# ---- what retailers hear ---------------------------------------------------------------------------------------------


def test_a_retailer_whose_window_lies_in_it_hears_what_he_would_hear_of_a_stop() -> None:
    house = good_day()
    watched(house, start=600, end=1200)
    house.pause(300, 1200)
    house.run(0.3)
    paused = readiness(house)[-1]
    house.end_pauses()
    house.run(0.3)
    assert readiness(house)[-1] == ()
    stopped = good_day()
    stopped.stop(stopped=True)
    stopped.run(1)
    watched(stopped, start=600, end=1200)
    assert paused == readiness(stopped)[-1] == ("entrance",)


def test_the_household_that_paused_is_not_told_so_itself() -> None:
    house = good_day()
    watched(house, start=600, end=1200)
    house.pause(300, 1200)
    house.run(5)
    house.end_pauses()
    house.run(5)
    assert not house.all(c.NotifyOwner)


def test_of_what_it_does_not_know_the_household_still_hears() -> None:
    house = good_day()
    promise = watched(house, start=600, end=1200)
    house.pause(300, 1200)
    house.run(5)
    house.feed(e.DiskChanged(ok=False))
    house.feed(e.PreflightDue(delivery=promise.facts()))
    house.run(5)
    assert readiness(house)[-1] == ("disk", "entrance")
    assert [(tell.notification, tell.detail) for tell in house.all(c.NotifyOwner)] == [
        (c.Notification.NOT_READY, "disk")
    ]


def test_within_an_open_window_he_hears_it_when_nothing_of_the_window_is_left() -> None:
    house = good_day()
    watched(house)
    house.pause(60, 3600)
    house.run(59)
    assert readiness(house) == [()]
    house.run(2)
    assert readiness(house) == [(), ("entrance",)]


@pytest.mark.parametrize("pause", [(0, 900), (900, 2000), (700, 900)])
def test_a_window_of_which_something_is_left_tells_a_retailer_nothing_of_when(pause: tuple[float, float]) -> None:
    house = good_day()
    watched(house, start=600, end=1200)
    house.pause(*pause)
    house.run(5)
    assert readiness(house) == [()]


def test_two_pauses_that_leave_no_instant_between_them_count_as_one() -> None:
    house = good_day()
    watched(house, start=600, end=1200)
    now = EPOCH + timedelta(seconds=house.t)
    spans = ((800, 1300), (500, 800))
    pauses = tuple(
        PausePeriod(id=f"p{a}", start=now + timedelta(seconds=a), end=now + timedelta(seconds=b)) for a, b in spans
    )
    house.feed(e.PausesChanged(pauses=pauses))
    house.run(5)
    assert readiness(house)[-1] == ("entrance",)
