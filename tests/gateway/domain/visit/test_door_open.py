"""While the door is open or somebody is inside: prompt, film, alarm; never lock against a person."""

import pytest

from devices.reports import DoorReport, DoorState
from gateway.domain.visit import commands as c
from gateway.domain.visit import events as e
from tests.house.house import SimulatedHome
from tests.house.reports import door_report
from tests.house.story import RINGING_S, announce_delivery, good_day, inside


def sounds(house: SimulatedHome) -> list[str]:
    return [str(show.sound) for show in house.all(c.ShowSignal)]


def test_a_delivery_in_order_is_unlocked_opened_closed_locked() -> None:
    house = inside()
    house.run(20)
    house.close()
    house.run(40)
    assert house.physical == ["withdrawn", "open", "close", "thrown"]
    assert house.outcomes == ["delivered"]
    assert house.houses == ["locked_again"]
    assert not house.alarms
    assert not house.refusals


def test_the_opening_is_spent_when_the_door_opens() -> None:
    house = inside()
    assert len(house.all(c.ConsumeOpening)) == 1


def test_the_lock_is_thrown_ten_seconds_after_the_door_closed() -> None:
    house = inside()
    house.close()
    house.run(9.9)
    assert not house.all(c.Lock)
    house.run(0.4)
    assert len(house.all(c.Lock)) == 1


def test_three_trips_within_ten_seconds_are_one_opening() -> None:
    house = inside()
    for _ in range(2):
        house.close()
        house.run(6)
        house.open()
        house.run(3)
    house.close()
    house.run(40)
    assert house.physical.count("open") == 3
    assert house.physical.count("thrown") == 1
    assert house.promises["d0"].used == 1
    assert house.outcomes == ["delivered"]


def test_a_door_that_bounces_is_not_closed() -> None:
    house = inside()
    for _ in range(10):
        house.close()
        house.run(1)
        house.open()
        house.run(1)
    assert house.phase == "inside"
    assert not house.all(c.Lock)


@pytest.mark.parametrize(
    "word",
    [DoorState.OPEN, DoorState.AJAR, DoorState.FORCED_OPEN, DoorState.JAMMED, DoorState.ERROR, DoorState.UNKNOWN],
)
def test_no_lock_is_sent_unless_the_door_says_closed(word: DoorState) -> None:
    house = inside()
    house.feed(e.SensorOffline(sensor="door"))
    house.faults.door_mute = True  # the sensor says what the story says
    house.feed(door_report(report=DoorReport(door=word), context=e.ReportContext(session=1)))
    house.run(600)
    assert not house.all(c.Lock)
    assert "door_left_open" in house.alarms


def test_a_door_open_too_long_is_told_at_the_door_first_then_to_the_owner_every_minute() -> None:
    house = inside(open_limit={"hall": 30.0})
    house.run(30)
    assert sounds(house)[-1] == "close_the_door"
    assert not house.alarms
    house.run(60)
    assert house.alarms == ["door_left_open"]
    house.run(120)
    assert house.alarms == ["door_left_open"] * 3
    assert "door_open" in [str(tell.notification) for tell in house.all(c.NotifyOwner)]
    house.close()
    house.run(40)
    assert house.houses == ["locked_again"]


def test_each_place_has_its_own_limit() -> None:
    house = inside("fridge", open_limit={"hall": 30.0, "fridge": 90.0})
    house.run(60)
    assert "close_the_door" not in sounds(house)
    house.run(40)
    assert "close_the_door" in sounds(house)


def test_a_stop_with_the_door_open_prompts_him_out_and_never_locks_against_him() -> None:
    house = inside()
    house.stop(stopped=True)
    house.run(100)
    assert house.alarms[0] == "stopped_inside"
    assert house.alarms.count("stopped_inside") == 1
    assert "leave" in sounds(house)
    assert not house.all(c.Lock)
    house.close()
    house.run(3)
    assert house.physical[-1] == "thrown"  # at once, not after ten seconds


def test_after_a_stop_a_door_that_stays_open_is_told_of_as_ever() -> None:
    house = inside(open_limit={"hall": 30.0})
    house.stop(stopped=True)
    house.run(100)
    assert house.phase == "inside"
    assert house.alarms == ["stopped_inside", "door_left_open"]
    assert sounds(house)[-1] == "leave"


def test_a_stop_does_not_lock_a_door_that_bounces() -> None:
    house = inside()
    house.stop(stopped=True)
    house.run(1)
    for _ in range(5):
        house.close()
        house.run(1)
        house.open()
        house.run(1)
    assert not house.all(c.Lock)


def test_a_stop_after_he_closed_the_door_locks_at_once() -> None:
    house = inside()
    house.close()
    house.run(3)
    assert not house.all(c.Lock)
    house.stop(stopped=True)
    house.run(1)
    assert house.physical[-1] == "thrown"


def test_a_camera_lost_inside_is_alarmed_declared_and_locks_nobody_in() -> None:
    house = inside()
    house.faults.camera = frozenset({"inside"})
    house.cameras_say(0)
    house.run(5)
    assert house.alarms == ["camera_lost"]
    assert not house.all(c.Lock)
    house.close()
    house.run(40)
    assert house.houses == ["locked_again"]
    assert house.all(c.SealProof)[-1].gaps == ("inside",)


def test_the_film_s_own_end_is_no_lost_camera() -> None:
    house = inside()
    house.close()
    house.run(60)
    assert house.all(c.SealProof)
    assert not house.alarms


def test_a_full_disk_inside_is_alarmed_and_the_visit_goes_on() -> None:
    house = inside()
    house.feed(e.DiskChanged(ok=False))
    house.close()
    house.run(40)
    assert house.alarms == ["disk_full"]
    assert house.houses == ["locked_again"]


def test_a_store_that_fails_inside_still_locks() -> None:
    house = inside()
    house.faults.commit = True
    house.close()
    house.run(40)
    assert house.physical[-1] == "thrown"


def test_a_fridge_left_open_colours_the_visit_and_delays_nothing() -> None:
    house = inside("fridge")
    house.faults.fridge_open = True
    house.fridge_says()
    house.close()
    house.run(11)
    assert house.alarms == ["fridge_left_open"]
    assert house.physical[-1] == "thrown"


def test_a_cold_chain_that_gets_too_warm_inside_is_alarmed_once() -> None:
    house = good_day()
    announce_delivery(house, cold=True, place="fridge")
    house.scan("d0-1")
    house.run(RINGING_S + 1)
    house.open()
    house.faults.warm = True
    for _ in range(3):
        house.fridge_says()
        house.run(1)
    assert house.alarms == ["fridge_too_warm"]


def test_nobody_asks_the_fridge_of_a_book() -> None:
    house = inside("fridge")
    house.faults.warm = True
    house.fridge_says()
    house.run(1)
    assert not house.alarms


def test_parcels_that_were_not_scanned_make_it_partly_delivered() -> None:
    house = good_day()
    announce_delivery(house, "d3")
    house.scan("d3-1")
    house.run(RINGING_S + 1)
    house.open()
    house.run(5)
    house.close()
    house.run(30)
    assert [(str(x.outcome), x.missing) for x in house.all(c.ReportParcelResult)] == [("partly_delivered", 1)]


def test_the_parcel_s_result_does_not_wait_for_the_bolt() -> None:
    house = inside()
    house.faults.mute = True
    house.close()
    house.run(11)
    assert house.outcomes == ["delivered"]
    assert not house.houses


def test_a_jam_at_the_end_takes_no_delivered_parcel_back() -> None:
    house = inside()
    house.faults.jam = True
    house.close()
    house.run(60)
    assert house.outcomes == ["delivered"]
    assert house.houses == ["handed_to_owner"]


# ---- the bolt in the air --------------------------------------------------------------------------------------------


def test_a_bolt_thrown_with_the_door_open_is_signalled_alarmed_and_handed_over() -> None:
    house = inside()
    house.by_hand(unlock=False)
    house.run(5)
    assert house.alarms == ["bolt_in_the_air"]
    assert house.phase == "handed_to_owner"
    assert house.houses == ["handed_to_owner"]
    assert sounds(house)[-1] == "alarm"
    assert len(house.all(c.Unlock)) == 1
    assert house.outcomes == ["delivered"]


def test_a_closed_that_a_locked_overtook_is_no_bolt_in_the_air() -> None:
    house = inside()
    house.premises.close(house.t)
    house.by_hand(unlock=False)  # "locked" arrives; "closed" was lost
    house.run(30)
    assert "bolt_in_the_air" not in house.alarms


def test_a_basic_door_needs_the_bolt_s_answer_to_stand_for_a_while() -> None:
    house = good_day(door_answers=False)
    house.run(60)
    announce_delivery(house)
    house.scan("d0-1")
    house.run(RINGING_S + 1)
    house.open()
    house.run(1)
    house.by_hand(unlock=False)
    house.run(4)
    assert house.phase == "inside"
    house.run(4)
    assert house.alarms == ["bolt_in_the_air"]
