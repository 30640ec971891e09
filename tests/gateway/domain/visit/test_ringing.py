"""Before the intent: a veto, a yes, a bell, cameras. Nothing here moves the bolt."""

from collections.abc import Callable

import pytest

from gateway.domain.delivery.result import Refusal
from gateway.domain.visit import commands as c
from gateway.domain.visit import events as e
from tests.house.house import SimulatedHome
from tests.house.promise import SimulatedDelivery
from tests.house.story import RINGING_S, announce_delivery, good_day


def ringing(
    seconds: float = 3600, *, before: Callable[[SimulatedHome], None] | None = None, **fields: object
) -> tuple[SimulatedHome, SimulatedDelivery]:
    house = good_day()
    promise = announce_delivery(house, "d0", seconds, **fields)
    if before is not None:
        before(house)
    house.scan("d0-1")
    house.run(6 if before is None else 0)
    return house, promise


def cancel(house: SimulatedHome, promise: SimulatedDelivery) -> None:
    """The retailer cancels, and the store says so."""
    promise.refusal, promise.version = Refusal.CANCELLED, 2
    house.feed(e.FactsChanged(delivery=promise.facts(), stopped=house.stopped, epoch=house.epoch))


def untouched(house: SimulatedHome) -> bool:
    """Nobody was let in, and nothing was reserved."""
    return house.physical == [] and not house.all(c.ReserveOpening) and house.phase == "ready"


def test_a_scan_rings_films_tells_the_owner_and_says_wait() -> None:
    house = good_day()
    announce_delivery(house)
    house.scan("d0-1")
    kinds = [type(x).__name__ for _, x in house.did if not isinstance(x, c.QuerySensor)]
    assert kinds == ["AnswerScan", "ShowSignal", "RingBell", "NotifyOwner", "StartRecording"]
    assert house.all(c.AnswerScan)[-1].answer is c.ScanAnswer.WAIT


def test_silence_is_yes_after_twenty_seconds_and_not_before() -> None:
    house = good_day()
    announce_delivery(house)
    house.scan("d0-1")
    house.run(19.9)
    assert not house.all(c.Unlock)
    house.run(0.2)
    assert len(house.all(c.Unlock)) == 1


@pytest.mark.parametrize(
    "somebody",
    [
        lambda house: house.feed(e.HouseholdAnswered()),
        lambda house: house.by_hand(unlock=True),
        lambda house: (house.by_hand(unlock=True), house.open()),
        lambda house: house.feed(e.HomeChanged(somebody_home=True, away=False)),
    ],
    ids=["answers", "unlocks by hand", "opens", "says so"],
)
def test_somebody_at_home_ends_the_visit_as_attended_without_a_no(somebody: Callable[[SimulatedHome], object]) -> None:
    house, promise = ringing()
    somebody(house)
    house.run(RINGING_S)
    assert house.outcomes == ["attended"]
    assert house.houses == ["not_opened"]
    assert not house.refusals
    assert not house.all(c.ReserveOpening)
    assert house.phase == "ready"
    assert (promise.used, promise.withdrawals) == (0, 0)
    assert [str(tell.notification) for tell in house.all(c.NotifyOwner)] == ["at_the_door", "attended"]
    assert [stop.keep for stop in house.all(c.StopRecording)] == [False]


@pytest.mark.parametrize(
    ("veto", "refusal"),
    [
        (lambda house, _: house.stop(stopped=True), Refusal.STOPPED_BY_OWNER),
        (lambda house, _: house.feed(e.OwnerDecided(visit="v1", yes=False)), Refusal.NOT_APPROVED),
        (lambda house, _: house.feed(e.DiskChanged(ok=False)), Refusal.NOT_READY),
        (lambda house, _: house.broker_down(), Refusal.NOT_READY),
        (lambda house, _: house.remote_unlock(), Refusal.NOT_READY),
        (lambda house, _: setattr(house.faults, "untrusted", True), Refusal.CLOCK_UNTRUSTED),
        (cancel, Refusal.CANCELLED),
    ],
    ids=["stop", "veto", "disk", "broker", "unlocked by radio", "clock", "cancelled"],
)
def test_what_goes_wrong_while_it_rings_refuses(
    veto: Callable[[SimulatedHome, SimulatedDelivery], object], refusal: Refusal
) -> None:
    house, promise = ringing()
    veto(house, promise)
    house.run(RINGING_S)
    assert house.refusals == [refusal]
    assert not house.all(c.ReserveOpening)
    assert house.phase == "ready"
    assert "not_opened" in [str(tell.notification) for tell in house.all(c.NotifyOwner)]


def test_an_owner_who_is_asked_may_say_yes_from_the_first_moment_and_nothing_opens_before_the_ringing_ends() -> None:
    house = good_day()
    announce_delivery(house, needs_yes=True)
    house.scan("d0-1")
    house.feed(e.OwnerDecided(visit="v1", yes=True))
    house.run(19.5)
    assert not house.all(c.Unlock), "somebody at home may still answer the bell"
    house.run(1)
    assert len(house.all(c.Unlock)) == 1
    assert house.phase != "approving"


def test_a_yes_of_the_first_moment_opens_nothing_without_moving_pictures_of_the_courier() -> None:
    house = good_day()
    announce_delivery(house, needs_yes=True)
    house.scan("d0-1")
    house.feed(e.OwnerDecided(visit="v1", yes=True))
    house.faults.still = True
    house.run(60)
    assert not house.all(c.Unlock)
    assert house.refusals == [Refusal.CAMERA_UNAVAILABLE]


def test_a_window_that_ends_while_it_rings_forbids_the_intent() -> None:
    house, _ = ringing(10)
    house.run(RINGING_S)
    assert house.refusals == ["outside_window"]
    assert untouched(house)


def test_a_cancellation_that_only_the_store_knows_rolls_the_intent_back() -> None:
    house, promise = ringing()
    promise.refusal, promise.version = Refusal.CANCELLED, 2
    house.run(RINGING_S)
    assert house.refusals == ["cancelled"]
    assert untouched(house)


def test_a_newer_version_that_still_permits_opens_after_the_rollback() -> None:
    house, promise = ringing()
    promise.version, promise.permission_version = 2, 5
    house.run(RINGING_S)
    assert house.phase == "unlocked"


def test_a_revocation_that_only_the_store_knows_rolls_the_intent_back() -> None:
    house, promise = ringing()
    promise.refusal, promise.permission_version = Refusal.BRAND_NOT_PERMITTED, 2
    house.run(RINGING_S)
    assert house.refusals == ["brand_not_permitted"]


def test_a_stop_that_only_the_shell_knows_rolls_the_intent_back() -> None:
    house, _ = ringing()
    house.stopped, house.epoch = True, 7
    house.run(RINGING_S)
    assert house.refusals == ["stopped_by_owner"]
    assert untouched(house)


def test_an_old_stop_arriving_late_is_ignored() -> None:
    house, _ = ringing()
    house.epoch = 5
    house.feed(e.StopLifted(epoch=5))
    house.feed(e.Stopped(epoch=4))
    house.run(RINGING_S)
    assert house.phase == "unlocked"


def test_a_stop_while_it_rings_ends_the_visit_at_once() -> None:
    house, _ = ringing()
    house.stop(stopped=True)
    house.run(0.3)
    assert house.phase == "ready"


def test_a_film_whose_first_fragment_is_not_on_disk_refuses() -> None:
    house, _ = ringing()
    house.feed(e.CameraChanged(camera="inside", live=True, moving=True, recording=False))
    house.run(5.5)
    assert house.refusals == ["camera_unavailable"]
    assert untouched(house)


def test_a_ringing_shorter_than_the_bell_s_time_still_waits_for_the_bell() -> None:
    house = good_day(ring=1.0)
    announce_delivery(house)
    house.faults.bell = True
    house.scan("d0-1")
    house.run(3)
    assert house.phase == "ringing"
    house.feed(e.BellConfirmed(visit="v1"))
    house.run(1)
    assert house.phase == "unlocked"


def test_a_bell_that_stays_silent_for_five_seconds_is_not_ready() -> None:
    house, _ = ringing(before=lambda house: setattr(house.faults, "bell", True))
    house.run(4.9)
    assert house.phase == "ringing"
    house.run(0.2)
    assert house.refusals == ["not_ready"]
    assert untouched(house)


@pytest.mark.parametrize("camera", ["outside", "inside"])
def test_a_camera_that_is_not_live_for_five_seconds_refuses(camera: str) -> None:
    house, _ = ringing(before=lambda house: setattr(house.faults, "camera", frozenset({camera})))
    house.run(5.5)
    assert house.refusals == ["camera_unavailable"]
    assert untouched(house)


def test_a_camera_that_comes_back_in_time_is_good() -> None:
    house, _ = ringing(before=lambda house: setattr(house.faults, "camera", frozenset({"inside"})))
    house.run(3)
    house.faults.camera = frozenset()
    house.cameras_say(0)
    house.run(RINGING_S)
    assert house.phase == "unlocked"


def test_an_empty_dark_hall_is_no_fault() -> None:
    house, _ = ringing()
    house.feed(e.CameraChanged(camera="inside", live=True, moving=False, recording=True))
    house.run(RINGING_S)
    assert house.phase == "unlocked"


def test_a_frozen_picture_of_the_courier_refuses() -> None:
    house, _ = ringing(before=lambda house: setattr(house.faults, "still", True))
    house.run(RINGING_S + 5)
    assert house.refusals == ["camera_unavailable"]
    assert untouched(house)


def test_a_courier_who_stands_still_for_a_moment_is_waited_for() -> None:
    house, _ = ringing(before=lambda house: setattr(house.faults, "still", True))
    house.run(RINGING_S + 2)
    assert house.phase == "ringing"
    house.faults.still = False
    house.cameras_say(0)
    house.run(1)
    assert house.phase in {"unlocking", "unlocked"}


def test_where_a_yes_is_asked_silence_is_no() -> None:
    house, _ = ringing(needs_yes=True)
    house.run(RINGING_S - 6)
    assert house.phase == "approving"
    house.run(59)
    assert house.phase == "approving"
    house.run(2)
    assert house.refusals == ["not_approved"]
    assert untouched(house)
    assert house.all(c.NotifyOwner)[0].notification is c.Notification.ASKS_FOR_YES


@pytest.mark.parametrize("after", [2, 30])
def test_a_yes_opens_when_it_comes_but_never_before_the_ringing_is_over(after: float) -> None:
    house, _ = ringing(needs_yes=True)
    house.run(after)
    house.feed(e.OwnerDecided(visit="v1", yes=True))
    house.run(1)
    assert (house.phase == "ringing") == (after < RINGING_S - 6)
    house.run(RINGING_S)
    assert house.phase == "unlocked"


def test_a_yes_to_another_visit_opens_nothing() -> None:
    house, _ = ringing(needs_yes=True)
    house.feed(e.OwnerDecided(visit="v9", yes=True))
    house.run(90)
    assert house.refusals == ["not_approved"]


def test_a_refused_courier_may_scan_again() -> None:
    house, _ = ringing()
    house.stop(stopped=True)
    house.run(1)
    house.stop(stopped=False)
    house.run(10)
    house.scan("d0-1")
    house.run(RINGING_S + 1)
    assert house.phase == "unlocked"
