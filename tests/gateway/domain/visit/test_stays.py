"""Guests stay in the home: nothing is filmed, no courier comes in, and what the household sees has no picture."""

import pytest

from devices.reports import OperationSource
from gateway.domain.visit import commands as c
from gateway.domain.visit import events as e
from gateway.domain.visit.film import NO_FILM, STAY_BEGAN
from gateway.domain.visit.state import Evidence, Phase, Timer
from tests.house.guests import GUEST
from tests.house.house import SimulatedHome
from tests.house.story import RINGING_S, announce_delivery, good_day, inside, unlocked


def guest_day(*, openings: int = 1, **rules: object) -> SimulatedHome:
    """A good day in a stay, with a pass whose code is "qr"."""
    house = good_day(**rules)
    house.stay(0, 3600)
    announce_delivery(house, "g0", errand=GUEST, brand="guest", label="qr", allowance=openings)
    house.run(1)
    house.did.clear()
    return house


def films(house: SimulatedHome) -> list[c.Command]:
    return [one for _, one in house.did if isinstance(one, c.StartRecording)]


# ---- a guest with a pass --------------------------------------------------------------------------------------------


def test_a_guest_scans_and_goes_in_at_once_and_nothing_rings_or_films() -> None:
    house = guest_day()
    house.scan("qr")
    house.run(2)
    assert house.phase == "unlocked", house.refusals
    assert house.open()
    house.run(3)
    house.close()
    house.run(40)
    assert house.phase == "ready"
    assert not films(house)
    assert not house.all(c.RingBell)
    assert not [x for x in house.all(c.NotifyOwner) if x.picture]
    assert [x.notification for x in house.all(c.NotifyOwner)] == ["admitted", "locked_again"]
    assert [x.door_result for x in house.all(c.ReportDoorResult)] == ["locked_again"]
    assert not house.all(c.ReportParcelResult), "nothing was brought"
    assert [x.gaps for x in house.all(c.SealProof)] == [(NO_FILM,)], "the log is sealed all the same"
    assert not house.all(c.RaiseAlarm)


def test_a_guest_comes_in_though_the_household_is_home_a_door_was_used_by_hand_and_deliveries_are_paused() -> None:
    house = guest_day()
    house.pause(0, 600)
    house.feed(e.HomeChanged(somebody_home=True, away=False))
    house.by_hand(unlock=True)
    house.by_hand(unlock=False)
    house.run(1)
    house.scan("qr")
    house.run(2)
    assert house.phase == "unlocked", house.refusals


def test_a_guest_comes_in_though_every_camera_is_down() -> None:
    house = guest_day()
    house.faults.camera = frozenset({"outside", "inside"})
    house.cameras_say(0)
    house.run(1)
    house.scan("qr")
    house.run(2)
    assert house.phase == "unlocked", house.refusals


def test_the_owner_s_stop_holds_for_guests_too() -> None:
    house = guest_day()
    house.stop(stopped=True)
    house.scan("qr")
    assert house.refusals == ["stopped_by_owner"]


def test_openings_are_counted_for_a_guest_as_for_a_courier() -> None:
    house = guest_day()
    for _ in range(2):
        house.scan("qr")
        house.run(2)
        house.open()
        house.run(1)
        house.close()
        house.run(60)
    assert house.refusals == ["already_used"]
    assert len(house.all(c.Unlock)) == 1


def test_after_a_guest_s_visit_a_hand_at_the_door_is_the_household_s_own() -> None:
    house = guest_day()
    house.scan("qr")
    house.run(2)
    house.open()
    house.run(1)
    house.close()
    house.run(60)
    assert house.mem.grace_visit is None
    house.did.clear()
    house.by_hand(unlock=True)
    house.open()
    house.run(1)
    house.close()
    house.run(60)
    assert house.premises.bolt_out is False, "nobody locks it against those who live there"
    assert not house.all(c.Lock)
    assert not films(house)
    assert not house.all(c.RaiseAlarm)


def test_a_guest_outside_any_stay_is_not_filmed_either() -> None:
    house = good_day()
    announce_delivery(house, "g0", errand=GUEST, label="qr")
    house.scan("qr")
    house.run(2)
    assert house.phase == "unlocked"
    assert not films(house)


def test_a_kill_in_a_guest_s_visit_ends_locked_and_unfilmed() -> None:
    house = guest_day()
    house.scan("qr")
    house.run(2)
    house.open()
    house.run(1)
    house.kill(seconds=2)
    house.run(1)
    house.close()
    house.run(120)
    assert house.phase == "ready"
    assert house.premises.bolt_out
    assert not films(house)


# ---- couriers -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("admits", [False, True])
def test_no_courier_comes_in_where_the_proof_needs_a_film(admits: bool) -> None:
    house = good_day()
    house.stay(0, 600, admits=admits)
    house.run(1)
    announce_delivery(house)
    house.scan("d0-1")
    assert house.refusals == ["guest_present"]


@pytest.mark.parametrize(("admits", "refusals"), [(False, ["guest_present"]), (True, [])])
def test_where_no_film_is_required_the_host_may_let_couriers_in_and_nothing_is_filmed(
    admits: bool, refusals: list[str]
) -> None:
    house = good_day(evidence=Evidence.SENSOR)
    house.stay(0, 600, admits=admits)
    house.run(1)
    announce_delivery(house)
    house.scan("d0-1")
    house.run(RINGING_S + 1)
    assert house.refusals == refusals
    assert (house.phase == "unlocked") is admits
    assert not films(house)


def test_a_courier_who_rings_as_the_stay_begins_is_not_let_in_and_his_film_is_deleted() -> None:
    house = good_day()
    announce_delivery(house)
    house.scan("d0-1")
    house.run(5)
    house.stay(0, 600)
    house.run(1)
    assert house.refusals == ["guest_present"]
    assert [x.keep for x in house.all(c.StopRecording)] == [False]
    assert house.phase == "ready"


def test_a_stay_that_is_stored_as_the_intent_is_committed_rolls_it_back() -> None:
    house = good_day()
    announce_delivery(house)
    house.scan("d0-1")
    house.run(19.9)
    house.stay(0, 600)  # stored; its event comes up to 0.2 s later
    house.run(1)
    assert house.refusals == ["guest_present"]
    assert not house.all(c.Unlock)


def test_the_film_of_a_courier_inside_ends_as_the_stay_begins_with_a_declared_gap() -> None:
    house = inside()
    house.stay(5, 600)
    house.run(4.9)
    assert house.clips
    house.run(0.2)
    assert not house.clips
    house.close()
    house.run(60)
    assert house.phase == "ready"
    assert [x.keep for x in house.all(c.StopRecording)] == [True], "what was filmed before is kept, once"
    assert [x.gaps for x in house.all(c.SealProof)] == [(STAY_BEGAN,)]
    assert [x.outcome for x in house.all(c.ReportParcelResult)] == ["unknown"], "no film shows that he left it"
    assert not [x for x in house.all(c.NotifyOwner) if x.notification == "locked_again" and x.picture]


def test_a_stop_of_the_courier_in_a_stay_that_began_shows_no_picture() -> None:
    house = unlocked()
    house.stay(0, 600)
    house.run(1)
    house.open()
    house.run(1)
    house.stop(stopped=True)
    house.run(1)
    assert [x.picture for x in house.all(c.NotifyOwner) if x.notification == "stopped_inside"] == [False]


def test_a_retailer_learns_that_the_whole_window_is_closed_and_not_why() -> None:
    house = good_day()
    house.stay(0, 7200)
    promise = announce_delivery(house)
    house.feed(e.PreflightDue(delivery=promise.facts()))
    house.run(6)
    assert house.all(c.ReportReadiness)[-1].lacking == ("entrance",)


# ---- hands and break-ins --------------------------------------------------------------------------------------------


def test_a_hand_at_the_door_is_no_alarm_though_the_household_said_that_it_is_away() -> None:
    house = guest_day()
    house.feed(e.HomeChanged(somebody_home=False, away=True))
    house.by_hand(unlock=True)
    house.run(5)
    assert not house.all(c.RaiseAlarm)


@pytest.mark.parametrize(("is_stay", "alarms"), [(True, []), (False, ["unexpected_unlock"])])
def test_a_hand_in_a_stay_is_a_guest_s_at_a_lock_that_says_nobody_too(*, is_stay: bool, alarms: list[str]) -> None:
    house = guest_day() if is_stay else good_day()
    house.feed(e.HomeChanged(somebody_home=False, away=True))
    assert house.premises.by_hand(house.t, unlock=True)
    house.devices.lock_says(OperationSource.UNSPECIFIED)
    house.run(5)
    assert [x.code for x in house.all(c.RaiseAlarm)] == alarms
    assert bool(films(house)) is not is_stay


def test_a_break_in_alarms_and_is_not_filmed() -> None:
    house = guest_day()
    house.force()
    house.run(10)
    assert [x.code for x in house.all(c.RaiseAlarm)] == ["door_forced_open"]
    assert not films(house)
    assert house.mem.incident is None


def test_a_film_of_an_incident_ends_as_the_stay_begins() -> None:
    house = good_day()
    house.force()
    house.run(10)
    assert house.clips
    house.stay(0, 600)
    house.run(1)
    assert house.mem.incident is None
    assert not house.clips
    assert Timer.INCIDENT not in house.mem.timers


# ---- its ends, and a restart ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "refusals"), [(9.9, []), (10.0, ["guest_present"]), (19.9, ["guest_present"]), (20.0, [])]
)
def test_a_stay_begins_and_ends_to_the_second(seconds: float, refusals: list[str]) -> None:
    house = good_day()
    announce_delivery(house)
    at = house.t
    house.stay(10, 20)
    house.run(at + seconds - house.t)
    house.scan("d0-1")
    assert house.refusals == refusals


def test_after_its_end_a_courier_is_filmed_as_ever() -> None:
    house = guest_day()
    house.end_stays()
    house.run(1)
    announce_delivery(house)
    house.scan("d0-1")
    house.run(RINGING_S + 1)
    assert house.phase == "unlocked"
    assert films(house)


def test_a_gateway_that_was_dead_as_the_stay_began_ends_the_film_with_its_first_step() -> None:
    house = inside()
    house.stay(2, 600)
    house.run(1)
    house.kill(seconds=5)
    house.run(4.9)
    assert house.clips, "the video process goes on by itself"
    house.did.clear()
    house.run(0.2)
    assert not house.clips
    assert not films(house), "and it does not begin anew, not even for a moment"
    house.close()
    house.run(120)
    assert house.phase == "ready"
    assert all(STAY_BEGAN in x.gaps for x in house.all(c.SealProof))


def test_a_visit_in_a_stay_takes_the_usual_phases() -> None:
    house = guest_day()
    house.scan("qr")
    house.run(2)
    house.open()
    house.run(1)
    assert house.phase == Phase.INSIDE
    house.close()
    house.run(14)
    assert house.phase == Phase.LOCKED_AGAIN


# ---- whether the entrance is ready ----------------------------------------------------------------------------------


def stay_in_a_window(seconds: float = 600.0) -> SimulatedHome:
    """Guests stay for so many seconds of a window of an hour; its delivery was checked."""
    house = good_day()
    house.stay(0, seconds)
    promise = announce_delivery(house)
    house.feed(e.WindowChanged(near=True))
    for camera in ("outside", "inside"):  # in a stay they are off
        house.feed(e.CameraChanged(camera=camera, live=False, moving=False, recording=False))
    house.feed(e.PreflightDue(delivery=promise.facts()))
    house.run(10)
    return house


def guest_holds_the_door_open(house: SimulatedHome) -> None:
    house.by_hand(unlock=True)
    house.open()
    house.run(30)


def not_ready(house: SimulatedHome) -> list[str]:
    """What the owner was told that the entrance lacks, or "ready_again"."""
    about = {c.Notification.NOT_READY, c.Notification.READY_AGAIN}
    return [one.detail or str(one.notification) for one in house.all(c.NotifyOwner) if one.notification in about]


def test_nobody_is_told_that_the_entrance_is_not_ready_while_a_guest_walks_in() -> None:
    house = stay_in_a_window()
    reports = len(house.all(c.ReportReadiness))
    guest_holds_the_door_open(house)
    house.close()
    house.by_hand(unlock=False)
    house.run(60)
    assert not_ready(house) == []
    assert len(house.all(c.ReportReadiness)) == reports


def test_a_check_that_falls_on_a_guest_in_the_door_tells_the_host_what_is_broken_and_not_that_it_is_used() -> None:
    house = stay_in_a_window()
    guest_holds_the_door_open(house)
    house.feed(e.DiskChanged(ok=False))
    house.feed(e.PreflightDue(delivery=house.promises["d0"].facts()))
    house.run(10)
    assert not_ready(house) == ["disk"]


def test_a_lock_that_fell_silent_in_a_stay_is_told_to_the_host_at_the_next_check() -> None:
    house = stay_in_a_window()
    house.faults.mute = True
    house.feed(e.SensorOffline(sensor="lock"))
    house.run(60)
    assert not_ready(house) == []
    house.feed(e.PreflightDue(delivery=house.promises["d0"].facts()))
    house.run(10)
    assert not_ready(house) == ["lock"]


def test_what_still_lacks_when_the_guests_have_left_is_told_then_and_so_is_its_end() -> None:
    house = stay_in_a_window(120.0)
    guest_holds_the_door_open(house)
    house.run(100)
    assert not_ready(house) == ["lock, door, camera:outside, camera:inside"]
    house.close()
    house.by_hand(unlock=False)
    house.cameras_say(0)
    house.run(10)
    assert not_ready(house)[1:] == ["ready_again"]


def test_guests_who_left_a_door_that_is_ready_leave_nothing_to_tell() -> None:
    house = stay_in_a_window(120.0)
    house.run(111)  # the stay has ended, the cameras are starting
    house.cameras_say(0)
    house.run(30)
    assert not_ready(house) == []
