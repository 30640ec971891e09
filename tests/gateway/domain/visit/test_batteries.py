"""A battery that is low is told in time; one that is nearly empty opens no door."""

import pytest

from devices.reports import BatteryLevel, BatteryReport
from gateway.domain.delivery.result import Refusal
from gateway.domain.visit import commands as c
from gateway.domain.visit import events as e
from gateway.domain.visit.predicates import battery_level
from tests.house.house import SimulatedHome
from tests.house.promise import SimulatedDelivery
from tests.house.story import announce_delivery, good_day, inside

CRITICAL, LOW, GOOD = BatteryLevel.CRITICAL, BatteryLevel.LOW, BatteryLevel.GOOD


def checked(house: SimulatedHome, promise: SimulatedDelivery) -> tuple[str, ...]:
    house.feed(e.PreflightDue(delivery=promise.facts()))
    house.run(5)
    return house.all(c.ReportReadiness)[-1].lacking


def told(house: SimulatedHome) -> list[tuple[str, str]]:
    """What is said for a delivery; that a battery runs out is said beside it, by itself."""
    return [
        (str(tell.notification), tell.detail)
        for tell in house.all(c.NotifyOwner)
        if tell.notification is not c.Notification.BATTERY_SOON
    ]


def warned(house: SimulatedHome) -> list[str]:
    return [tell.detail for tell in house.all(c.NotifyOwner) if tell.notification is c.Notification.BATTERY_SOON]


def days(house: SimulatedHome, percents: tuple[int, ...], role: str = "lock", *, a_day: int = 1) -> None:
    """So full at the end of each day."""
    for percent in percents:
        for _ in range(a_day):
            level = battery_level(BatteryReport(percent=percent))
            house.feed(e.BatteryReported(device=role, level=level, percent=percent))
        house.run(86_400)


def test_a_battery_that_sinks_is_told_days_before_it_opens_nothing_any_more() -> None:
    house = good_day()
    days(house, (60, 56, 52, 48, 44, 40))
    assert warned(house) == [], "seven days and a half are left"
    days(house, (36,))
    assert warned(house) == ["lock:6"]
    days(house, (32, 28, 24, 20, 16, 12, 8))
    assert warned(house) == ["lock:6"], "once"


def test_a_low_battery_is_told_at_once_where_nothing_can_be_reckoned() -> None:
    house = good_day()
    house.feed(e.BatteryReported(device="door", level=LOW))
    house.feed(e.BatteryReported(device="door", level=LOW))
    assert warned(house) == ["door"]
    house.run(6 * 3600)
    house.feed(e.BatteryReported(device="door", level=GOOD))
    house.feed(e.BatteryReported(device="door", level=CRITICAL))
    assert warned(house) == ["door", "door"], "a new one was put in, and is empty too"


def test_a_new_battery_begins_anew_and_a_warm_day_is_none() -> None:
    house = good_day()
    days(house, (30, 24))
    assert warned(house) == ["lock:2"]
    days(house, (26, 24))
    assert warned(house) == ["lock:2"]
    days(house, (100, 99, 98, 97))
    assert warned(house) == ["lock:2"]
    assert house.mem.battery_trends["lock"].first == 100


def test_what_is_said_a_hundred_times_a_day_is_no_slope_and_no_new_decision() -> None:
    house = good_day()
    days(house, (60, 60, 60, 59), a_day=20)
    assert warned(house) == []
    before = house.mem
    house.feed(e.BatteryReported(device="lock", level=GOOD, percent=59))
    assert house.mem == before


def test_a_clock_that_is_not_trusted_reckons_nothing() -> None:
    house = good_day()
    house.faults.untrusted = True
    days(house, (60, 50, 40, 30))
    assert warned(house) == []
    assert house.mem.battery_trends == {}


def test_what_was_told_is_known_after_a_restart() -> None:
    house = good_day()
    days(house, (30, 24))
    house.kill(0.5)
    house.run(10)
    days(house, (22,))
    assert warned(house) == ["lock:2"]


@pytest.mark.parametrize(
    ("percent", "level", "word"),
    [
        (0, None, CRITICAL),
        (10, None, CRITICAL),
        (11, None, LOW),
        (20, None, LOW),
        (21, None, GOOD),
        (100, None, GOOD),
        (None, CRITICAL, CRITICAL),
        (None, LOW, LOW),
        (None, BatteryLevel.MEDIUM, GOOD),
        (None, GOOD, GOOD),
        (80, CRITICAL, CRITICAL),  # the worse of two words counts
        (15, GOOD, LOW),
        (5, LOW, CRITICAL),
    ],
)
def test_three_words_for_a_battery(percent: int | None, level: BatteryLevel | None, word: BatteryLevel) -> None:
    assert battery_level(BatteryReport(percent=percent, level=level)) is word


@pytest.mark.parametrize("role", ["lock", "door"])
def test_a_critical_battery_makes_the_entrance_not_ready(role: str) -> None:
    house = good_day()
    promise = announce_delivery(house)
    house.feed(e.BatteryReported(device=role, level=CRITICAL))
    assert checked(house, promise) == (f"battery:{role}",)
    assert told(house) == [("not_ready", f"battery:{role}")]
    house.scan("d0-1")
    house.run(1)
    assert house.refusals[-1] == Refusal.NOT_READY
    assert not house.all(c.ReserveOpening)


@pytest.mark.parametrize("whose", ["button/bell", "signal/bell", "fridge/cooler", "presence/claire", "scanner/door"])
@pytest.mark.parametrize("level", [LOW, CRITICAL])
def test_a_weak_battery_of_anything_else_is_told_and_refuses_nobody(whose: str, level: BatteryLevel) -> None:
    house = good_day()
    promise = announce_delivery(house)
    house.feed(e.BatteryReported(device=whose, level=level))
    assert warned(house) == [whose]
    assert checked(house, promise) == ()
    assert told(house) == []
    house.scan("d0-1")
    house.run(22)
    assert house.all(c.Unlock)
    assert warned(house) == [whose], "once"


def test_a_thermometer_s_battery_that_sinks_is_told_days_before() -> None:
    role = "fridge/cooler"
    house = good_day()
    days(house, (60, 56, 52, 48, 44, 40), role)
    assert warned(house) == []
    days(house, (36, 32), role)
    assert warned(house) == ["fridge/cooler:6"]


def test_a_low_battery_is_told_a_day_before_and_the_door_still_opens() -> None:
    house = good_day()
    promise = announce_delivery(house)
    house.feed(e.BatteryReported(device="lock", level=LOW))
    assert checked(house, promise) == ()
    assert told(house) == [("not_ready", "battery:lock")]
    house.scan("d0-1")
    house.run(22)
    assert house.all(c.Unlock)


def test_the_same_low_battery_is_told_once_a_delivery() -> None:
    house = good_day()
    promise = announce_delivery(house)
    house.feed(e.BatteryReported(device="lock", level=LOW))
    for _ in range(3):
        checked(house, promise)
    assert told(house) == [("not_ready", "battery:lock")]
    house.feed(e.BatteryReported(device="door", level=LOW))
    checked(house, promise)
    assert told(house)[1:] == [("not_ready", "battery:lock, battery:door")]


def test_a_new_battery_makes_it_ready_again() -> None:
    house = good_day()
    promise = announce_delivery(house)
    house.feed(e.BatteryReported(device="door", level=CRITICAL))
    assert checked(house, promise) == ("battery:door",)
    house.feed(e.BatteryReported(device="door", level=GOOD))
    assert checked(house, promise) == ()
    assert told(house)[-1] == ("ready_again", "")


def test_a_battery_that_says_nothing_is_no_reason_to_stay_shut() -> None:
    house = good_day()
    promise = announce_delivery(house)
    assert checked(house, promise) == ()
    assert told(house) == []


def test_an_empty_battery_is_remembered_over_a_restart() -> None:
    house = good_day()
    house.feed(e.BatteryReported(device="lock", level=CRITICAL))
    house.feed(e.Restarted())
    assert house.mem.batteries == {"lock": CRITICAL}


def test_a_battery_that_dies_under_a_visit_does_not_keep_the_door_from_locking() -> None:
    house = inside()
    house.feed(e.BatteryReported(device="lock", level=CRITICAL))
    house.close()
    house.run(14)
    assert house.phase == "locked_again"


def test_dropped_scans_are_an_alarm_of_their_own_decision() -> None:
    house = good_day()
    house.feed(e.ScansDropped(count=17))
    assert house.all(c.RaiseAlarm)[-1] == c.RaiseAlarm(code=c.AlarmCode.SCANS_DROPPED, detail="17")


def test_a_battery_that_wavers_between_full_and_empty_floods_nobody() -> None:
    house = good_day()
    for _ in range(100):
        house.feed(e.BatteryReported(device="button/bell", level=LOW, percent=3))
        house.feed(e.BatteryReported(device="button/bell", level=GOOD, percent=99))
        house.run(60)
    assert warned(house) == ["button/bell"], "in less than two hours"
    house.run(5 * 3600)
    house.feed(e.BatteryReported(device="button/bell", level=LOW))
    assert warned(house) == ["button/bell", "button/bell"], "what was put in and is empty again is told"
