"""The household's own comings and goings, and those that nobody explains."""

import pytest

from devices.reports import LockReport, LockState, OperationSource
from gateway.domain.visit import commands as c
from gateway.domain.visit import events as e
from tests.house import life
from tests.house.house import SimulatedHome
from tests.house.reports import lock_report
from tests.house.story import announce_delivery, good_day


def unlocks(house: SimulatedHome, source: OperationSource, user: str | None = None) -> None:
    """The lock reports that it was unlocked so."""
    report = LockReport(bolt=LockState.UNLOCKED, source=source, user=user)
    house.feed(lock_report(report=report, context=e.ReportContext(session=1)))


def notes(house: SimulatedHome) -> list[str]:
    return [note.what for note in house.all(c.LogNote)]


@pytest.mark.parametrize(
    ("source", "user"),
    [
        (OperationSource.MANUAL, None),
        (OperationSource.KEYPAD, None),
        (OperationSource.BUTTON, None),
        (OperationSource.RFID, None),
        (OperationSource.BIOMETRIC, None),
        (OperationSource.ALIRO, None),
        (OperationSource.PROPRIETARY_REMOTE, None),
        (OperationSource.REMOTE, "claire"),
        (OperationSource.UNSPECIFIED, None),
    ],
)
def test_the_household_is_noted_but_neither_filmed_nor_alarmed(source: OperationSource, user: str | None) -> None:
    house = good_day()
    unlocks(house, source, user)
    house.run(1)
    assert notes(house) == ["household_use"]
    assert not house.alarms
    assert not house.all(c.StartRecording)


@pytest.mark.parametrize("source", [OperationSource.MANUAL, OperationSource.KEYPAD])
def test_while_away_an_unlock_by_hand_is_alarmed(source: OperationSource) -> None:
    house = good_day()
    house.feed(e.HomeChanged(somebody_home=False, away=True))
    unlocks(house, source)
    assert house.alarms == ["hand_use_while_away"]


def test_while_away_a_lock_that_names_nobody_is_unexpected() -> None:
    house = good_day()
    house.feed(e.HomeChanged(somebody_home=False, away=True))
    unlocks(house, OperationSource.UNSPECIFIED)
    assert house.alarms == ["unexpected_unlock"]


def test_a_remote_unlock_without_intent_and_without_user_is_alarmed_and_filmed() -> None:
    house = good_day()
    house.remote_unlock()
    house.run(1)
    assert house.alarms == ["unexpected_unlock"]
    assert len(house.all(c.StartRecording)) == 1


def test_an_incident_is_filmed_until_all_is_proven_good() -> None:
    house = good_day()
    house.remote_unlock()
    house.run(60)
    assert not house.all(c.StopRecording)
    house.by_hand(unlock=False)
    house.run(1)
    assert [stop.keep for stop in house.all(c.StopRecording)] == [True]


def test_an_incident_is_filmed_for_ten_minutes_at_most() -> None:
    house = good_day()
    house.remote_unlock()
    house.run(599)
    assert not house.all(c.StopRecording)
    house.run(2)
    assert len(house.all(c.StopRecording)) == 1


def test_no_delivery_begins_during_an_incident() -> None:
    house = good_day()
    announce_delivery(house)
    house.remote_unlock()
    house.run(1)
    house.scan("d0-1")
    assert house.refusals == ["not_ready"]


def test_a_forced_door_is_asked_about_first_then_alarmed_and_filmed() -> None:
    house = good_day()
    house.force()
    house.run(3.5)
    assert not house.alarms
    assert [query.sensor for query in house.all(c.QuerySensor)][-1] == "lock"
    house.run(1)
    assert house.alarms == ["door_forced_open"]
    assert len(house.all(c.StartRecording)) == 1


def test_a_door_whose_unlock_was_only_late_to_arrive_is_not_forced() -> None:
    house = good_day()
    house.premises.by_hand(house.t, unlock=True)
    house.open()
    house.run(1)
    house.run(10)
    assert not house.alarms


def test_a_forced_door_while_it_rings_is_alarmed_too() -> None:
    house = good_day()
    announce_delivery(house)
    house.scan("d0-1")
    house.run(5)
    house.force()
    house.run(10)
    assert house.alarms == ["door_forced_open"]
    assert not house.all(c.ReserveOpening)


def test_a_door_used_by_hand_keeps_couriers_out_for_two_minutes() -> None:
    house = good_day()
    announce_delivery(house)
    house.by_hand(unlock=True)
    house.open()
    house.run(5)
    house.close()
    house.by_hand(unlock=False)
    house.run(119)
    house.scan("d0-1")
    assert house.refusals == ["household_present"]
    house.run(11)
    house.scan("d0-1")
    assert house.phase == "ringing"


def test_somebody_home_keeps_couriers_out_until_they_leave() -> None:
    house = good_day()
    announce_delivery(house)
    house.feed(e.HomeChanged(somebody_home=True, away=False))
    house.scan("d0-1")
    house.feed(e.HomeChanged(somebody_home=False, away=False))
    house.run(11)
    house.scan("d0-1")
    assert house.refusals == ["household_present"]
    assert house.phase == "ringing"


@pytest.mark.parametrize("source", [OperationSource.AUTO, OperationSource.SCHEDULE])
def test_a_lock_that_bolts_itself_is_no_hand(source: OperationSource) -> None:
    house = good_day()
    announce_delivery(house)
    house.by_hand(unlock=True)
    house.run(300)
    house.premises.throw(house.t, "its own timer")
    report = LockReport(bolt=LockState.LOCKED, source=source)
    house.feed(lock_report(report=report, context=e.ReportContext(session=1)))
    house.run(1)
    house.scan("d0-1")
    assert house.phase == "ringing"


def test_a_lock_that_repeats_its_state_is_no_hand_either() -> None:
    house = good_day()
    announce_delivery(house)
    report = LockReport(bolt=LockState.LOCKED, source=OperationSource.MANUAL)
    house.feed(lock_report(report=report, context=e.ReportContext(session=1)))
    house.run(1)
    house.scan("d0-1")
    assert house.phase == "ringing"


@pytest.mark.parametrize("seed", range(30))
def test_the_family_is_neither_filmed_nor_alarmed(seed: int) -> None:
    life.household(seed)
