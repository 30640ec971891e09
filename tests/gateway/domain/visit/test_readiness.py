"""Said before anybody stands at the door: whether the entrance is ready."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from devices.reports import DoorState, LockState
from gateway.domain.delivery.result import Refusal
from gateway.domain.visit import commands as c
from gateway.domain.visit import events as e
from gateway.domain.visit.readiness import present_readiness, unavailable_devices
from tests.house.house import SimulatedHome
from tests.house.promise import SimulatedDelivery
from tests.house.story import RINGING_S, announce_delivery, good_day, inside


def near_a_window(**fields: object) -> tuple[SimulatedHome, SimulatedDelivery]:
    house = good_day()
    promise = announce_delivery(house, **fields)
    house.feed(e.WindowChanged(near=True))
    house.run(1)
    return house, promise


def checked(house: SimulatedHome, promise: SimulatedDelivery) -> tuple[str, ...]:
    """What is said after a pre-flight."""
    house.feed(e.PreflightDue(delivery=promise.facts()))
    house.run(5)
    return house.all(c.ReportReadiness)[-1].lacking


def told(house: SimulatedHome) -> list[str]:
    return [str(tell.notification) for tell in house.all(c.NotifyOwner)]


def test_a_good_entrance_is_ready_and_the_owner_is_not_bothered() -> None:
    house, promise = near_a_window()
    assert checked(house, promise) == ()
    assert told(house) == []


def test_lock_and_door_are_asked_and_given_their_time() -> None:
    house, promise = near_a_window()
    asked = len(house.all(c.QuerySensor))
    house.feed(e.PreflightDue(delivery=promise.facts()))
    assert [query.sensor for query in house.all(c.QuerySensor)[asked:]] == ["lock", "door"]
    house.run(3.9)
    assert not house.all(c.ReportReadiness)
    house.run(0.2)
    assert len(house.all(c.ReportReadiness)) == 1


def lose_the_lock(house: SimulatedHome) -> None:
    house.faults.mute = True
    house.feed(e.SensorOffline(sensor="lock"))


def lose_the_door(house: SimulatedHome) -> None:
    house.faults.door_mute = True
    house.feed(e.SensorOffline(sensor="door"))


def fill_the_disk(house: SimulatedHome) -> None:
    house.feed(e.DiskChanged(ok=False))


def lose_the_time(house: SimulatedHome) -> None:
    house.faults.untrusted = True


def warm_the_fridge(house: SimulatedHome) -> None:
    house.faults.warm = True
    house.fridge_says()


def lose_the_camera(house: SimulatedHome) -> None:
    house.feed(e.CameraChanged(camera="inside", live=False, moving=False, recording=False))


@pytest.mark.parametrize(
    ("fault", "word"),
    [
        (lose_the_lock, "lock"),
        (lose_the_door, "door"),
        (fill_the_disk, "disk"),
        (lose_the_time, "clock"),
        (warm_the_fridge, "fridge"),
        (lose_the_camera, "camera:inside"),
    ],
)
def test_what_is_not_affirmatively_good_is_named(fault: Callable[[SimulatedHome], None], word: str) -> None:
    house, promise = near_a_window(cold=True, place="fridge")
    fault(house)
    assert checked(house, promise) == (word,)
    tell = house.all(c.NotifyOwner)[-1]
    assert (tell.notification, tell.delivery, tell.detail) == (c.Notification.NOT_READY, "d0", word)


def test_without_the_broker_nothing_is_known() -> None:
    house, promise = near_a_window()
    house.broker_down()
    assert checked(house, promise) == ("broker", "lock", "door")


def test_a_day_before_the_window_the_cameras_need_not_run() -> None:
    house = good_day()
    promise = announce_delivery(house)
    lose_the_camera(house)
    assert checked(house, promise) == ()


def test_near_a_window_it_recovers_by_itself_and_says_so() -> None:
    house, promise = near_a_window()
    lose_the_lock(house)
    assert checked(house, promise) == ("lock",)
    house.faults.mute = False
    house.run(11)
    assert house.all(c.ReportReadiness)[-1].lacking == ()
    assert told(house) == ["not_ready", "ready_again"]


def test_near_a_window_what_breaks_later_is_said_when_it_lasts() -> None:
    house, promise = near_a_window()
    checked(house, promise)
    lose_the_camera(house)
    house.run(1)
    assert told(house) == []
    house.run(4)
    assert told(house) == ["not_ready"]


def test_a_moment_s_trouble_bothers_nobody() -> None:
    house, promise = near_a_window()
    checked(house, promise)
    lose_the_camera(house)
    house.run(1)
    house.feed(e.CameraChanged(camera="inside", live=True, moving=True, recording=False))
    house.run(10)
    assert told(house) == []


def test_the_same_trouble_is_told_once_but_every_check_is_answered() -> None:
    house = good_day()
    promise = announce_delivery(house)
    house.feed(e.DiskChanged(ok=False))
    for _ in range(3):
        assert checked(house, promise) == ("disk",)
    assert told(house) == ["not_ready"]
    assert len(house.all(c.ReportReadiness)) == 3


def test_each_delivery_gets_its_own_word() -> None:
    house, book = near_a_window()
    fish = announce_delivery(house, "d1", cold=True, place="fridge")
    house.faults.warm = True
    house.fridge_says()
    house.feed(e.PreflightDue(delivery=book.facts()))
    house.feed(e.PreflightDue(delivery=fish.facts()))
    house.run(5)
    assert {(x.delivery, x.lacking) for x in house.all(c.ReportReadiness)} == {("d0", ()), ("d1", ("fridge",))}


def test_after_its_window_a_delivery_is_not_watched_any_more() -> None:
    house, promise = near_a_window()
    checked(house, promise)
    promise.end = house.t + 1
    house.feed(e.PreflightDue(delivery=promise.facts()))
    house.run(10)
    assert house.mem.preflights == ()


def test_a_cancelled_delivery_is_not_watched_any_more() -> None:
    house, promise = near_a_window()
    checked(house, promise)
    promise.refusal = Refusal.CANCELLED
    house.feed(e.FactsChanged(delivery=promise.facts(), stopped=False, epoch=0))
    assert house.mem.preflights == ()


def test_a_visit_s_own_open_door_is_no_fault_of_the_entrance() -> None:
    house = inside()
    other = announce_delivery(house, "d1")
    house.feed(e.WindowChanged(near=True))
    house.feed(e.PreflightDue(delivery=other.facts()))
    house.run(30)
    assert not house.all(c.ReportReadiness)
    house.close()
    house.run(60)
    assert house.all(c.ReportReadiness)[-1].lacking == ()


def handed_over(house: SimulatedHome) -> None:
    """A courier comes in with "d0-1" and goes, and the bolt proves nothing: the door is its owner's to look after."""
    house.scan("d0-1")
    house.run(RINGING_S + 1)
    house.open()
    house.run(3)
    house.faults.mute = True
    house.close()
    house.run(120)
    assert house.phase == "handed_to_owner"


@pytest.mark.parametrize(("openings", "messages"), [(1, 0), (2, 1)])
def test_a_delivery_whose_visit_was_handed_over_is_not_called_not_ready_unless_its_courier_may_come_again(
    openings: int, messages: int
) -> None:
    house, promise = near_a_window(allowance=openings)
    checked(house, promise)
    handed_over(house)
    assert told(house).count("look_after_the_door") == 1
    assert told(house).count("not_ready") == messages


def test_of_a_door_that_was_handed_over_another_retailer_and_the_owner_are_told_that_it_is_not_ready() -> None:
    house, promise = near_a_window()
    other = announce_delivery(house, "d1")
    checked(house, promise)
    checked(house, other)
    handed_over(house)
    notices = house.all(c.NotifyOwner)
    assert [one.delivery for one in notices if one.notification is c.Notification.NOT_READY] == ["d1"]


def test_after_its_visit_what_breaks_is_not_told_of_a_delivery_that_has_come() -> None:
    house, promise = near_a_window()
    checked(house, promise)
    house.scan("d0-1")
    house.run(RINGING_S + 1)
    house.open()
    house.run(3)
    house.close()
    house.run(120)
    assert house.phase == "ready"
    house.feed(e.DiskChanged(ok=False))
    house.run(60)
    assert "not_ready" not in told(house)


def test_near_a_window_what_is_not_good_is_asked_every_ten_seconds() -> None:
    house, _ = near_a_window()
    lose_the_lock(house)
    asked = len(house.all(c.QuerySensor))
    house.run(31)
    assert [query.sensor for query in house.all(c.QuerySensor)[asked:]] == ["lock"] * 3


def test_far_from_any_window_nobody_is_asked() -> None:
    house = good_day()
    house.feed(e.SensorOffline(sensor="lock"))
    asked = len(house.all(c.QuerySensor))
    house.run(600)
    assert len(house.all(c.QuerySensor)) == asked


def test_a_device_that_proves_nothing_or_gives_no_live_pictures_is_unavailable() -> None:
    house, _ = near_a_window()
    assert unavailable_devices(house.stored) == frozenset()
    lose_the_lock(house)
    assert unavailable_devices(house.stored) == {"lock"}
    lose_the_door(house)
    camera = next(iter(house.stored.rules.cameras))
    dark = {name: replace(state, live=name != camera) for name, state in house.stored.cameras.items()}
    assert unavailable_devices(replace(house.stored, cameras=dark)) == {"lock", "door", f"camera:{camera}"}
    assert {"lock", "door"} <= unavailable_devices(replace(house.stored, broker_session=None))


def test_a_door_that_the_household_opened_is_not_unavailable() -> None:
    state = near_a_window()[0].stored
    bolt = replace(state.facts["lock"], value=LockState.UNLOCKED, proven=False)
    leaf = replace(state.facts["door"], value=DoorState.OPEN, proven=False)
    used = replace(state, facts={"lock": bolt, "door": leaf})
    assert unavailable_devices(used) == frozenset()


# ---- at this moment ----------------------------------------------------------------------------------------------


def at_this_moment(house: SimulatedHome, promise: SimulatedDelivery) -> tuple[str, tuple[str, ...]]:
    readiness = present_readiness(house.stored, promise.facts(), house.now())
    return readiness.is_now.value, readiness.lacking


def test_what_was_ready_at_the_last_check_is_not_called_ready_once_the_lock_is_silent() -> None:
    house, promise = near_a_window()
    assert checked(house, promise) == ()
    assert at_this_moment(house, promise) == ("ready", ())
    lose_the_lock(house)
    assert at_this_moment(house, promise) == ("lacking", ("lock",))


@pytest.mark.parametrize(
    ("happens", "said"),
    [
        (lambda house: house.feed(e.HomeChanged(somebody_home=True, away=False)), "household"),
        (lambda house: (house.by_hand(unlock=True), house.run(2)), "household"),
        (lambda house: house.scan("d0-1"), "visit"),
        (lambda house: (house.stop(stopped=True), house.run(2)), "lacking"),
    ],
    ids=["says that somebody is home", "uses the door", "a courier rings", "stops everything"],
)
def test_who_is_home_at_the_door_or_has_stopped_the_house_is_told_that_and_not_ready(
    happens: Callable[[SimulatedHome], object], said: str
) -> None:
    house, promise = near_a_window()
    assert checked(house, promise) == ()
    happens(house)
    assert at_this_moment(house, promise)[0] == said


def test_a_door_that_waits_for_its_owner_is_ready_for_nobody_until_it_was_checked() -> None:
    house, promise = near_a_window()
    handed_over(house)
    assert at_this_moment(house, promise) == ("attention", ())
    house.faults.mute = False
    house.feed(e.OwnerAcknowledged(visit=house.stored.visit.id if house.stored.visit else None))
    house.run(60)
    assert at_this_moment(house, promise) == ("ready", ())
