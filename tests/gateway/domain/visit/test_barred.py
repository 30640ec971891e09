"""An entrance whose walk test was not passed lets nobody in while nobody is home, but the test's own delivery."""

from gateway.domain.visit import commands as c
from gateway.domain.visit import events as e
from gateway.domain.visit.state import WALK_TEST
from tests.house.story import RINGING_S, announce_delivery, good_day


def test_a_barred_entrance_refuses_and_says_so_beforehand() -> None:
    house = good_day()
    promise = announce_delivery(house)
    house.feed(e.WalkTestChanged(failed=True))
    house.feed(e.PreflightDue(delivery=promise.facts()))
    house.run(5)
    assert house.all(c.ReportReadiness)[-1].lacking == ("walk_test",)
    house.scan("d0-1")
    house.run(RINGING_S + 5)
    assert house.refusals == ["not_ready"]
    assert house.phase == "ready"


def test_the_test_s_own_delivery_is_let_in_by_the_same_rules() -> None:
    house = good_day()
    promise = announce_delivery(house, brand=WALK_TEST)
    house.feed(e.WalkTestChanged(failed=True))
    house.feed(e.PreflightDue(delivery=promise.facts()))
    house.run(5)
    assert house.all(c.ReportReadiness)[-1].lacking == ()
    house.scan("d0-1")
    house.run(RINGING_S + 1)
    assert (house.refusals, house.phase) == ([], "unlocked")


def test_what_is_found_while_it_rings_keeps_the_door_shut() -> None:
    house = good_day()
    announce_delivery(house)
    house.scan("d0-1")
    house.run(1)
    assert house.phase == "ringing"
    house.feed(e.WalkTestChanged(failed=True))
    house.run(RINGING_S + 5)
    assert house.phase == "ready"
    assert not house.all(c.Unlock)


def test_once_it_is_passed_the_next_scan_opens() -> None:
    house = good_day()
    announce_delivery(house)
    house.feed(e.WalkTestChanged(failed=True))
    house.feed(e.WalkTestChanged(failed=False))
    house.scan("d0-1")
    house.run(RINGING_S + 1)
    assert house.phase == "unlocked"
