"""Every no at the door, and which of several reasons is said."""

from collections.abc import Callable

import pytest

from devices.reports import DoorReport, DoorState, LockReport, LockState, OperationSource
from gateway.domain.delivery.result import Refusal
from gateway.domain.visit import commands as c
from gateway.domain.visit import events as e
from tests.house.house import SimulatedHome
from tests.house.promise import SimulatedDelivery
from tests.house.reports import door_report, lock_report
from tests.house.story import RINGING_S, announce_delivery, good_day

Fault = Callable[[SimulatedHome, SimulatedDelivery], None]


def run_a_visit(house: SimulatedHome, _: SimulatedDelivery) -> None:
    other = announce_delivery(house, "other")
    house.scan(min(other.parcels))


def lock_the_scanner_out(house: SimulatedHome, _: SimulatedDelivery) -> None:
    for code in ("x", "y", "z"):
        house.scan(code)
        house.run(3)


def elsewhere(_: SimulatedHome, promise: SimulatedDelivery) -> None:
    promise.entrance = "garage"


def stop(house: SimulatedHome, _: SimulatedDelivery) -> None:
    house.stop(stopped=True)
    house.run(1)


def pause(house: SimulatedHome, _: SimulatedDelivery) -> None:
    house.pause(0, 60)
    house.run(1)


def cancel(_: SimulatedHome, promise: SimulatedDelivery) -> None:
    promise.refusal = Refusal.CANCELLED


def use_up(_: SimulatedHome, promise: SimulatedDelivery) -> None:
    promise.used = 1


def use_up_withdrawals(_: SimulatedHome, promise: SimulatedDelivery) -> None:
    promise.withdrawals = 2


def lose_the_time(house: SimulatedHome, _: SimulatedDelivery) -> None:
    house.faults.untrusted = True


def too_early(house: SimulatedHome, promise: SimulatedDelivery) -> None:
    promise.start = house.t + 60


def too_late(house: SimulatedHome, promise: SimulatedDelivery) -> None:
    promise.end = house.t


def somebody_home(house: SimulatedHome, _: SimulatedDelivery) -> None:
    house.feed(e.HomeChanged(somebody_home=True, away=False))


def come_home_by_key(house: SimulatedHome, _: SimulatedDelivery) -> None:
    house.by_hand(unlock=True)
    house.run(1)
    house.by_hand(unlock=False)
    house.run(1)


def fill_the_disk(house: SimulatedHome, _: SimulatedDelivery) -> None:
    house.feed(e.DiskChanged(ok=False))


def lose_the_lock(house: SimulatedHome, _: SimulatedDelivery) -> None:
    house.feed(e.SensorOffline(sensor="lock"))


def take_guests(house: SimulatedHome, _: SimulatedDelivery) -> None:
    house.stay(0, 600)
    house.run(1)


def warm_fridge(house: SimulatedHome, promise: SimulatedDelivery) -> None:
    promise.cold, promise.place = True, "fridge"
    house.faults.warm = True
    house.fridge_says()


def silent_fridge(_: SimulatedHome, promise: SimulatedDelivery) -> None:
    promise.cold, promise.place = True, "cellar"


# In the order in which they are said: with all of them true, the first is given; without it, the second, and so on.
ORDER: tuple[tuple[Fault, Refusal], ...] = (
    (run_a_visit, Refusal.BUSY),
    (lock_the_scanner_out, Refusal.LOCKED_OUT),
    (elsewhere, Refusal.WRONG_ENTRANCE),
    (stop, Refusal.STOPPED_BY_OWNER),
    (pause, Refusal.PAUSED),
    (take_guests, Refusal.GUEST_PRESENT),
    (cancel, Refusal.CANCELLED),
    (use_up, Refusal.ALREADY_USED),
    (lose_the_time, Refusal.CLOCK_UNTRUSTED),
    (too_early, Refusal.OUTSIDE_WINDOW),
    (somebody_home, Refusal.HOUSEHOLD_PRESENT),
    (fill_the_disk, Refusal.NOT_READY),
    (warm_fridge, Refusal.FRIDGE_TOO_WARM),
)
OTHERS: tuple[tuple[Fault, Refusal], ...] = (
    (too_late, Refusal.OUTSIDE_WINDOW),
    (use_up_withdrawals, Refusal.ALREADY_USED),
    (come_home_by_key, Refusal.HOUSEHOLD_PRESENT),
    (lose_the_lock, Refusal.NOT_READY),
    (silent_fridge, Refusal.FRIDGE_TOO_WARM),
)


def refusal_of(*faults: Fault) -> Refusal | None:
    house = good_day()
    promise = announce_delivery(house)
    for fault in faults:
        fault(house, promise)
    house.scan("d0-1")
    answer = house.all(c.AnswerScan)[-1]
    is_turned_away = answer.answer is c.ScanAnswer.NO or answer.refusal is Refusal.BUSY  # he may have to wait only
    assert is_turned_away == (answer.refusal is not None)
    return answer.refusal


@pytest.mark.parametrize(("fault", "refusal"), [*ORDER, *OTHERS], ids=lambda x: getattr(x, "__name__", str(x)))
def test_each_reason_alone_refuses(fault: Fault, refusal: Refusal) -> None:
    assert refusal_of(fault) is refusal


@pytest.mark.parametrize("first", range(1, len(ORDER)))
def test_of_several_reasons_the_first_in_the_order_is_said(first: int) -> None:
    # BUSY stands apart below: under most of the others no visit could run
    reasons = ORDER[first:]
    assert refusal_of(*(fault for fault, _ in reasons)) is reasons[0][1]


def test_busy_is_said_before_anything_else() -> None:
    assert refusal_of(run_a_visit, lock_the_scanner_out, elsewhere, cancel) is Refusal.BUSY


def test_nothing_wrong_is_not_refused() -> None:
    assert refusal_of() is None


@pytest.mark.parametrize(
    "refusal",
    [
        Refusal.CANCELLED,
        Refusal.EXPIRED,
        Refusal.AWAITING_PERMISSION,
        Refusal.BRAND_NOT_PERMITTED,
        Refusal.CARRIER_NOT_PERMITTED,
        Refusal.ALREADY_USED,
    ],
)
def test_the_delivery_s_own_reason_is_given_as_the_store_says_it(refusal: Refusal) -> None:
    house = good_day()
    announce_delivery(house, refusal=refusal)
    house.scan("d0-1")
    assert house.refusals == [refusal]


@pytest.mark.parametrize(
    ("seconds", "refusals"),
    [(-0.1, ["outside_window"]), (0.0, []), (9.9, []), (10.0, ["outside_window"])],
)
def test_the_window_begins_and_ends_to_the_second(seconds: float, refusals: list[str]) -> None:
    house = good_day()
    promise = announce_delivery(house)
    promise.start, promise.end = house.t + 10, house.t + 20
    house.run(10 + seconds)
    house.scan("d0-1")
    assert house.refusals == refusals


def test_the_refusal_s_red_light_goes_out_again() -> None:
    house = good_day()
    house.scan("nobody-s")
    house.run(6)
    lights = [str(show.light) for show in house.all(c.ShowSignal)]
    assert lights == ["red", "off"]


def test_the_door_says_no_more_than_no() -> None:
    house = good_day()
    house.scan("nobody-s")
    answer = house.all(c.AnswerScan)[-1]
    assert (answer.answer, answer.scanner) == (c.ScanAnswer.NO, "s")


def test_a_code_of_another_entrance_is_no_wrong_attempt() -> None:
    house = good_day()
    for number in range(5):
        announce_delivery(house, f"d{number}", entrance="garage")
        house.scan(f"d{number}-1")
        house.run(3)
    assert set(house.refusals) == {"wrong_entrance"}


def test_a_code_that_two_deliveries_know_opens_the_one_whose_window_is_open() -> None:
    house = good_day()
    old, new = announce_delivery(house, "old"), announce_delivery(house, "new")
    old.start, old.end = house.t - 7200, house.t - 3600
    matches = tuple(e.CodeMatch(kind=next(house.oracle.matches("new-1")).kind, delivery=p.facts()) for p in (old, new))
    house.feed(e.Scanned(id="v", scanner="s", code="new-1", matches=matches))
    assert house.mem.visit is not None
    assert house.mem.visit.delivery.id == "new"


@pytest.mark.parametrize("word", [DoorState.OPEN, DoorState.AJAR, DoorState.FORCED_OPEN])
def test_an_open_door_means_that_somebody_is_there(word: DoorState) -> None:
    house = good_day()
    announce_delivery(house)
    house.by_hand(unlock=True)
    house.run(200)
    house.feed(door_report(report=DoorReport(door=word), context=e.ReportContext(session=1)))
    house.scan("d0-1")
    assert house.refusals == ["household_present"]


@pytest.mark.parametrize("word", [DoorState.JAMMED, DoorState.ERROR, DoorState.UNKNOWN])
def test_a_door_that_is_not_affirmatively_closed_is_not_ready(word: DoorState) -> None:
    house = good_day()
    announce_delivery(house)
    house.feed(door_report(report=DoorReport(door=word), context=e.ReportContext(session=1)))
    house.scan("d0-1")
    assert house.refusals == ["not_ready"]


@pytest.mark.parametrize(
    ("word", "refusal"),
    [
        (LockState.UNKNOWN, "not_ready"),
        (LockState.NOT_FULLY_LOCKED, "household_present"),
        (LockState.UNLOCKED, "household_present"),
    ],
)
def test_a_bolt_that_is_not_affirmatively_locked_refuses(word: LockState, refusal: str) -> None:
    house = good_day()
    announce_delivery(house)
    report = LockReport(bolt=word, source=OperationSource.MANUAL)
    house.feed(lock_report(report=report, context=e.ReportContext(session=1)))
    house.run(200)
    house.scan("d0-1")
    assert house.refusals == [refusal]


def test_what_is_not_ready_is_asked_so_that_the_next_scan_may_succeed() -> None:
    house = good_day()
    announce_delivery(house)
    house.feed(e.SensorOffline(sensor="lock"))
    house.scan("d0-1")
    house.run(11)
    house.scan("d0-1")
    assert house.refusals == ["not_ready"]
    assert house.phase == "ringing"


def test_no_camera_configured_means_that_nobody_is_let_in() -> None:
    house = good_day(cameras={})
    announce_delivery(house)
    house.scan("d0-1")
    house.run(RINGING_S)
    assert house.refusals == ["camera_unavailable"]
