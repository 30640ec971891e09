"""The visit's film and its seal, part by part."""

import pytest

from gateway.domain.visit import commands as c
from gateway.domain.visit import events as e
from tests.house.house import SimulatedHome
from tests.house.story import announce_delivery, inside, locked_again, unlocked


def parts(house: SimulatedHome, kind: type[c.StartRecording] | type[c.StopRecording] | type[c.SealProof]) -> list[int]:
    return [command.part for command in house.all(kind)]


def sealed(**rules: object) -> SimulatedHome:
    house = locked_again(**rules)
    house.run(15)
    assert house.phase == "ready"
    return house


def test_ten_seconds_after_locked_again_the_film_ends_and_is_sealed() -> None:
    house = locked_again()
    at = next(at for at, x in house.did if isinstance(x, c.ReportDoorResult))
    house.run(15)
    ended = next(at for at, x in house.did if isinstance(x, c.StopRecording))
    assert ended - at == pytest.approx(10, abs=0.01)
    assert [seal.gaps for seal in house.all(c.SealProof)] == [()]
    assert house.phase == "ready"


def test_the_film_closes_before_it_is_sealed_and_its_gaps_are_declared() -> None:
    house = locked_again()
    house.faults.film = True  # the story closes it
    house.run(12)
    assert not house.all(c.SealProof)
    house.feed(e.FilmClosed(visit="v1", part=1, gaps=("outside", "outside")))
    assert [seal.gaps for seal in house.all(c.SealProof)] == [("outside",)]


def test_a_film_that_does_not_close_is_a_declared_gap() -> None:
    house = locked_again()
    house.faults.film = True
    house.run(22)
    assert [seal.gaps for seal in house.all(c.SealProof)] == [("film_not_closed",)]


def test_a_seal_that_is_not_answered_is_alarmed_and_the_visit_ends() -> None:
    house = locked_again()
    house.faults.film = True
    house.run(32)
    assert house.alarms == ["proof_incomplete"]
    assert house.phase == "ready"


def test_another_part_s_seal_ends_nothing() -> None:
    house = locked_again()
    house.faults.film = True
    house.run(22)
    house.feed(e.ProofSealed(visit="v1", part=2))
    house.feed(e.ProofSealed(visit="v9", part=1))
    assert house.phase == "locked_again"
    house.feed(e.ProofSealed(visit="v1", part=1))
    assert house.phase == "ready"


def test_an_opening_by_hand_within_a_quarter_of_an_hour_is_filmed_as_a_second_part_and_locked() -> None:
    house = sealed()
    house.run(600)
    house.by_hand(unlock=True)
    house.run(1)
    house.open()
    house.run(5)
    house.close()
    house.run(40)
    assert parts(house, c.StartRecording) == [1, 2]
    assert parts(house, c.SealProof) == [1, 2]
    assert house.physical[-1] == "thrown"
    assert not house.alarms
    assert house.outcomes == ["delivered"]


def test_after_a_quarter_of_an_hour_the_household_is_left_alone() -> None:
    house = sealed()
    house.run(901)
    house.by_hand(unlock=True)
    house.open()
    house.run(20)
    assert parts(house, c.StartRecording) == [1]
    assert house.phase == "ready"


def test_a_visit_in_which_nobody_came_in_ties_no_later_opening_to_it() -> None:
    house = unlocked()
    house.run(80)
    house.by_hand(unlock=True)
    house.run(5)
    assert parts(house, c.StartRecording) == [1]


def test_a_new_scan_ends_the_watch() -> None:
    house = sealed()
    announce_delivery(house, "d1")
    house.scan("d1-1")
    assert house.mem.grace_visit is None
    assert house.phase == "ringing"


def test_a_refused_scan_does_not_end_the_watch() -> None:
    house = sealed()
    house.scan("d0-1")
    assert house.refusals == ["already_used"]
    assert house.mem.grace_visit is not None


def test_opening_again_before_the_film_ended_stays_in_the_same_part() -> None:
    house = locked_again()
    house.by_hand(unlock=True)
    house.run(1)
    assert house.phase == "relocking"
    house.run(40)
    assert parts(house, c.StartRecording) == [1]
    assert house.houses[-1] == "locked_again"


def test_a_part_that_is_opened_into_while_it_closes_is_sealed_all_the_same() -> None:
    house = locked_again()
    house.faults.film = True
    house.run(12)
    house.by_hand(unlock=True)
    house.run(1)
    assert parts(house, c.StartRecording) == [1, 2]
    house.feed(e.FilmClosed(visit="v1", part=1, gaps=("inside",)))
    assert [(seal.part, seal.gaps) for seal in house.all(c.SealProof)] == [(1, ("inside",))]
    house.faults.film = False
    house.run(60)
    assert parts(house, c.SealProof) == [1, 2]
    assert not house.alarms


def test_an_earlier_part_that_never_closes_is_alarmed() -> None:
    house = locked_again()
    house.faults.film = True
    house.run(12)
    house.by_hand(unlock=True)
    house.run(1)
    house.faults.film = False
    house.run(60)
    assert house.alarms == ["proof_incomplete"]


def test_a_late_unlock_that_is_nobody_s_is_alarmed_filmed_and_locked() -> None:
    house = sealed()
    house.remote_unlock()
    house.run(40)
    assert house.alarms == ["late_unlock"]
    assert parts(house, c.StartRecording) == [1, 2]
    assert house.physical[-1] == "thrown"


def test_the_film_of_a_visit_that_was_refused_is_thrown_away() -> None:
    house = inside()
    house.close()
    house.run(60)
    announce_delivery(house, "d1")
    house.scan("d1-1")
    house.stop(stopped=True)
    house.run(1)
    assert [(stop.visit, stop.keep) for stop in house.all(c.StopRecording)] == [("v1", True), ("v2", False)]
