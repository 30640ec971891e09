"""After a crash: nothing is sent again, nothing is forgotten, and the door is proven."""

from collections.abc import Callable

import pytest

from gateway.domain.visit import commands as c
from gateway.domain.visit import events as e
from tests.house.faults import CRASH_POINTS
from tests.house.house import SimulatedHome
from tests.house.story import RINGING_S, announce_delivery, good_day, inside, locked_again, unlocked


def scanned() -> SimulatedHome:
    house = good_day()
    announce_delivery(house)
    house.scan("d0-1")
    house.run(5)
    return house


def reboot(house: SimulatedHome, seconds: float = 1.0) -> None:
    house.kill(seconds=seconds)
    house.run(seconds + 4)


def test_before_the_intent_the_courier_scans_again() -> None:
    house = scanned()
    reboot(house)
    assert house.refusals == ["not_ready"]
    assert house.phase == "ready"
    house.run(6)
    house.scan("d0-1")
    house.run(RINGING_S + 1)
    assert house.phase == "unlocked"


@pytest.mark.parametrize("point", CRASH_POINTS)
def test_at_every_named_point_no_unlock_is_sent_twice_and_the_door_ends_locked(point: str) -> None:
    house = scanned()
    house.crash_at = point
    house.run(120)
    assert house.oracle.seen[f"crash {point}"] == 1
    assert len([x for x in house.all(c.Unlock) if x.visit == "v1"]) <= 1
    assert house.premises.bolt_out
    assert house.phase == "ready"
    assert house.promises["d0"].used == (0 if point == "before-commit" else 1)


@pytest.mark.parametrize("story", [unlocked, inside])
def test_past_the_intent_it_films_on_and_locks(story: Callable[[], SimulatedHome]) -> None:
    house = story()
    reboot(house)
    assert [film.part for film in house.all(c.StartRecording)] == [1, 1]
    house.close()
    house.run(60)
    assert house.houses == ["locked_again"]
    assert house.premises.bolt_out
    assert house.promises["d0"].used == 1


def test_after_a_crash_locked_is_not_final_while_the_unlock_may_still_act() -> None:
    house = scanned()
    house.faults.slow_unlock = 4.0
    house.run(15.1)
    assert house.phase == "unlocking"
    house.kill(seconds=0.2)
    house.run(3)
    assert house.physical == []
    assert not house.houses
    house.run(40)
    assert house.physical == ["withdrawn", "thrown"]
    assert house.houses == ["locked_again"]


def test_with_the_door_open_nobody_is_locked_out_of_his_way() -> None:
    house = inside()
    reboot(house)
    assert house.phase == "inside"
    house.run(60)
    assert not house.all(c.Lock)


def test_after_a_restart_nobody_claims_that_the_door_stayed_shut() -> None:
    house = unlocked()
    reboot(house)
    house.run(60)
    assert house.outcomes == ["unknown"]
    assert not house.all(c.ReleaseOpening)


def test_locked_again_only_finishes_its_proof() -> None:
    house = locked_again()
    reboot(house)
    house.run(5)
    assert house.phase == "ready"
    assert len(house.all(c.SealProof)) == 1
    assert house.houses == ["locked_again"]


def test_handed_over_stays_handed_over_and_alarms_at_once() -> None:
    house = inside()
    house.by_hand(unlock=False)
    house.run(5)
    assert house.phase == "handed_to_owner"
    before = len(house.alarms)
    reboot(house)
    assert house.phase == "handed_to_owner"
    assert house.alarms[before:] == ["not_locked"]


def test_a_restart_keeps_the_way_out_open_in_full() -> None:
    house = locked_again()
    house.run(15)
    reboot(house)
    house.run(880)
    house.by_hand(unlock=True)
    house.run(1)
    assert [film.part for film in house.all(c.StartRecording)] == [1, 2]


def test_a_machine_whose_uptime_begins_anew_still_locks_the_way_out_at_once() -> None:
    house = good_day()
    house.run(5000)
    announce_delivery(house)
    house.scan("d0-1")
    house.run(RINGING_S + 1)
    house.open()
    house.run(1)
    house.close()
    house.run(60)
    house.kill(seconds=10)
    house.uptime_from = house.t + 5
    house.run(15)
    house.by_hand(unlock=True)
    house.run(20)
    assert house.houses == ["locked_again", "locked_again"]
    assert house.premises.bolt_out


def test_the_stop_and_the_household_s_word_survive() -> None:
    house = good_day()
    house.feed(e.Stopped(epoch=3))
    house.feed(e.HomeChanged(somebody_home=True, away=False))
    house.sync()
    reboot(house)
    assert (house.mem.stopped, house.mem.stop_epoch, house.mem.somebody_home) == (True, 3, True)


def test_a_machine_whose_uptime_begins_anew_keeps_couriers_out_no_longer_than_due() -> None:
    house = good_day()
    announce_delivery(house, "d0", 9000)
    house.run(5000)
    house.by_hand(unlock=True)
    house.run(1)
    house.by_hand(unlock=False)
    house.run(1)
    house.kill(seconds=10)
    house.uptime_from = house.t + 5
    house.run(110)
    house.scan("d0-1")
    house.run(25)
    house.scan("d0-1")
    assert house.refusals == ["household_present"]
    assert house.phase == "ringing"


def test_an_incident_is_filmed_on() -> None:
    house = good_day()
    house.remote_unlock()
    house.run(1)
    reboot(house)
    films = house.all(c.StartRecording)
    assert [film.visit for film in films] == [films[0].visit] * 2
    assert house.alarms == ["unexpected_unlock"]


def test_an_unfinished_earlier_part_is_closed_and_sealed() -> None:
    house = locked_again()
    house.faults.film = True
    house.run(12)
    house.by_hand(unlock=True)
    house.run(1)
    house.faults.film = False
    reboot(house)
    house.run(60)
    assert sorted(seal.part for seal in house.all(c.SealProof)) == [1, 2]


# ---- safe mode ------------------------------------------------------------------------------------------------------


def safe_mode(house: SimulatedHome) -> SimulatedHome:
    """Three crashes within a minute."""
    for _ in range(3):
        house.kill(seconds=1)
        house.run(2)
    assert house.mem.safe_mode
    return house


def test_three_crashes_in_a_minute_alarm_film_and_let_nobody_in() -> None:
    house = safe_mode(good_day())
    assert house.alarms == ["safe_mode"]
    assert len(house.all(c.StartRecording)) == 1
    assert "safe_mode" in [str(tell.notification) for tell in house.all(c.NotifyOwner)]
    announce_delivery(house)
    house.run(5)
    house.scan("d0-1")
    assert house.refusals == ["not_ready"]
    assert not house.all(c.RingBell)


def test_safe_mode_locks_a_door_that_is_proven_closed() -> None:
    house = good_day()
    house.by_hand(unlock=True)
    house.run(200)
    safe_mode(house)
    house.run(20)
    assert house.physical[-1] == "thrown"
    assert house.all(c.Lock)[0].visit == house.all(c.StartRecording)[0].visit


@pytest.mark.parametrize("why", ["open", "mute"])
def test_safe_mode_never_locks_a_door_that_is_not(why: str) -> None:
    house = good_day()
    house.by_hand(unlock=True)
    if why == "open":
        house.open()
    else:
        house.faults.door_mute = True
    house.run(200)
    safe_mode(house)
    house.run(300)
    assert not house.all(c.Lock)


def test_safe_mode_locks_three_times_at_most_and_not_against_a_hand() -> None:
    house = good_day()
    house.by_hand(unlock=True)
    house.run(200)
    house.faults.jam = True
    safe_mode(house)
    house.run(300)
    assert len(house.all(c.Lock)) == 3
    house = safe_mode(good_day())
    house.run(20)
    house.by_hand(unlock=True)
    house.run(100)
    assert not house.all(c.Lock)


def test_the_owner_ends_safe_mode() -> None:
    house = safe_mode(good_day())
    announce_delivery(house)
    house.run(60)
    house.feed(e.OwnerAcknowledged(visit=None))
    house.run(1)
    assert len(house.all(c.StopRecording)) == 1
    house.scan("d0-1")
    assert house.phase == "ringing"


def test_one_more_quiet_restart_does_not_end_safe_mode() -> None:
    house = safe_mode(good_day())
    house.run(100)
    house.kill(seconds=1)
    house.run(2)
    assert house.mem.safe_mode
    assert house.alarms == ["safe_mode", "safe_mode"]


def test_a_visit_in_safe_mode_is_locked_by_its_own_chain() -> None:
    house = safe_mode(inside())
    house.close()
    house.run(40)
    assert house.houses == ["locked_again"]
    assert {film.visit for film in house.all(c.StartRecording)} == {"v1"}
