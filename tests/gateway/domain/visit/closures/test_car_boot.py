"""A car's boot: it opens only in its place, parked and locked, by a young fix; the closing scan is what proves."""

from collections.abc import Callable

import pytest

from devices.reports import DoorState, PositionReport
from gateway.domain.visit import commands as c
from gateway.domain.visit import events as e
from gateway.domain.visit.closures import CarBoot
from gateway.domain.visit.closures.contract import (
    Circumstances,
    Deposit,
    Move,
    Order,
    ProcedureRun,
    ReportOrigin,
    Use,
    Verdict,
)
from gateway.domain.visit.commands import AlarmCode
from gateway.domain.visit.fence import Fence
from tests.gateway.domain.visit.closures.seen import seen
from tests.house.entrances import build, walk
from tests.house.story import announce_delivery
from tests.house.things.car_boot import Car
from tests.house.ways import EntranceHouse

FENCE = Fence(latitude=48.85, longitude=2.35)
BOOT = CarBoot(id="zoe", fence=FENCE)
WHOLE = CarBoot(id="zoe", fence=FENCE, opens="car", has_boot_order=False)
NOWHERE = CarBoot(id="zoe")
ASK = Move(to="watch", query=("parked", "place"), within_s=15.0)
GOOD = {"boot": "closed", "locked": "locked", "parked": "parked", "place": "there"}


@pytest.mark.parametrize(
    ("closure", "values", "words"),
    [
        (BOOT, GOOD, ()),
        (BOOT, GOOD | {"boot": "open?"}, ("boot_open",)),
        (BOOT, GOOD | {"boot": "closed?"}, ("boot",)),
        (BOOT, GOOD | {"boot": "unknown?"}, ("boot",)),
        (BOOT, GOOD | {"locked": "unlocked?"}, ("unlocked",)),
        (BOOT, GOOD | {"locked": "locked?"}, ("locked",)),
        (BOOT, GOOD | {"locked": "unknown?"}, ("locked",)),
        (BOOT, GOOD | {"parked": "driving?"}, ("moving",)),
        (BOOT, GOOD | {"parked": "parked?"}, ("parked",)),
        (BOOT, GOOD | {"parked": "unknown?"}, ("parked",)),
        (BOOT, GOOD | {"place": "away?"}, ("not_there",)),
        (BOOT, GOOD | {"place": "no_fix?"}, ("no_fix",)),
        (BOOT, GOOD | {"place": "there?"}, ("no_fix",)),
        (BOOT, GOOD | {"place": "unknown?"}, ("no_fix",)),
        (NOWHERE, GOOD, ("no_fence",)),
        (NOWHERE, GOOD | {"place": "no_fix?"}, ("no_fence",)),
        (WHOLE, GOOD, ()),
    ],
)
def test_it_may_be_opened_only_when_the_car_answered_that_all_is_well(
    closure: CarBoot, values: dict[str, str], words: tuple[str, ...]
) -> None:
    assert closure.not_ready(seen(closure, values)) == words


@pytest.mark.parametrize(
    ("closure", "values", "is_passable"),
    [
        (BOOT, GOOD | {"boot": "open?"}, True),
        (BOOT, GOOD | {"locked": "unlocked?"}, False),  # its boot opens by the order, or not at all
        (WHOLE, GOOD | {"locked": "unlocked?"}, True),
        (WHOLE, GOOD, False),
    ],
)
def test_the_courier_is_told_to_go_when_the_boot_is_open_or_can_be_opened_by_hand(
    closure: CarBoot, values: dict[str, str], *, is_passable: bool
) -> None:
    assert closure.passable(seen(closure, values)) is is_passable


@pytest.mark.parametrize(
    ("step", "values", "is_over", "courier_left", "result"),
    [
        ("start", GOOD, False, False, Move(to="boot_before", query=("boot",))),
        ("boot_before", GOOD, False, False, Move(to="locks", send=Order.LOCK, invalidate=("locked",))),
        ("boot_before", {"boot": "closed?"}, False, False, Verdict.WAIT),
        ("boot_before", {"boot": "open?"}, True, False, Verdict.AGAIN),
        ("locks", {"boot": "closed", "locked": "unlocked?"}, False, False, Verdict.WAIT),
        ("locks", GOOD, False, False, Move(to="answers", query=("locked", "boot"), after_expiry=True)),
        ("answers", {"boot": "closed", "locked": "locked?"}, False, False, Verdict.WAIT),
        ("answers", {"boot": "closed", "locked": "unlocked?"}, True, False, Verdict.AGAIN),
        ("answers", GOOD, False, True, Verdict.DONE),
        ("answers", GOOD, False, False, Move(to="scan", within_s=60.0)),
        ("scan", GOOD, False, False, Verdict.WAIT),
        ("scan", GOOD, False, True, Verdict.DONE),
        ("scan", GOOD, True, False, Verdict.DONE),
        ("scan", {"boot": "closed", "locked": "unlocked?"}, False, True, Verdict.AGAIN),
    ],
)
def test_it_is_locked_and_proven_and_the_courier_has_time_for_his_scan(
    step: str, values: dict[str, str], result: object, *, is_over: bool, courier_left: bool
) -> None:
    view = seen(BOOT, values, now=Circumstances(courier_left=courier_left, was_opened=True))
    assert BOOT.secure(view.in_procedure(ProcedureRun(step=step), is_over=is_over)) == result


def test_nobody_is_waited_for_at_a_boot_that_never_opened() -> None:
    view = seen(BOOT, GOOD).in_procedure(ProcedureRun(step="answers"), is_over=False)
    assert BOOT.secure(view) is Verdict.DONE


@pytest.mark.parametrize(
    ("values", "step", "is_over", "result"),
    [
        (GOOD, "start", False, Verdict.NOTHING),
        ({"boot": "open?", "parked": "parked"}, "start", False, ASK),
        ({"boot": "open?", "parked": "parked"}, "watch", False, Verdict.WAIT),
        ({"boot": "open?", "parked": "parked"}, "watch", True, ASK),
        ({"boot": "open?", "parked": "driving?"}, "watch", False, AlarmCode.CAR_MOVES_OPEN),
        ({"boot": "open?", "parked": "driving?"}, "start", False, AlarmCode.CAR_MOVES_OPEN),
        ({"boot": "open?", "place": "away?"}, "watch", False, AlarmCode.CAR_MOVES_OPEN),
        ({"boot": "open?", "place": "no_fix?"}, "watch", False, Verdict.WAIT),
        ({"boot": "closed", "parked": "driving?"}, "watch", False, Verdict.NOTHING),
    ],
)  # fmt: skip
def test_an_open_car_is_asked_whether_it_stands_still_and_a_move_is_an_alarm(
    values: dict[str, str], step: str, result: object, *, is_over: bool
) -> None:
    assert BOOT.detect(seen(BOOT, values).in_procedure(ProcedureRun(step=step), is_over=is_over)) == result


@pytest.mark.parametrize("is_away", [False, True])
def test_whoever_drives_may_use_the_boot_anywhere(*, is_away: bool) -> None:
    view = seen(BOOT, GOOD | {"boot": "open?"}, now=Circumstances(is_away=is_away))
    assert BOOT.interpret("boot", DoorState.CLOSED, ReportOrigin(), view) is Use.MOVED
    assert not BOOT.in_use(view)


@pytest.mark.parametrize(
    ("values", "courier_left", "deposit"),
    [
        (GOOD, True, Deposit.LEFT),
        (GOOD, False, Deposit.BY_FILM),
        (GOOD | {"locked": "unlocked?"}, True, Deposit.BY_FILM),
    ],
)
def test_only_the_scan_after_closing_says_that_something_was_left(
    values: dict[str, str], deposit: Deposit, *, courier_left: bool
) -> None:
    assert BOOT.deposited(seen(BOOT, values, now=Circumstances(courier_left=courier_left))) is deposit


def test_its_position_becomes_a_word() -> None:
    here = PositionReport(latitude=48.85, longitude=2.35, accuracy_m=10, age_s=1)
    assert BOOT.locate(here) == "there"
    assert NOWHERE.locate(here) == "no_fix"


@pytest.mark.parametrize(
    ("opens", "has_boot_order", "is_wrong"),
    [("boot", True, False), ("car", False, False), ("boot", False, True), ("car", True, True)],
)
def test_the_whole_car_is_unlocked_only_where_nothing_less_is_possible_and_by_the_owner_s_word(
    opens: str, *, has_boot_order: bool, is_wrong: bool
) -> None:
    closure = CarBoot.model_validate({"id": "zoe", "opens": opens, "has_boot_order": has_boot_order})
    assert (closure.problem() is not None) is is_wrong
    assert closure.declared_gaps == (("whole_car_unlocked",) if opens == "car" else ())


# ---- stories ---------------------------------------------------------------------------------------------------------


def car(house: EntranceHouse) -> Car:
    thing = house.things["car"]
    assert isinstance(thing, Car)
    return thing


def opened(name: str = "car") -> EntranceHouse:
    house = build(name)
    house.run(5)
    assert walk(house, announce_delivery(house), "in car")[-1] == "in car", house.refusals
    return house


@pytest.mark.parametrize(
    ("name", "gaps"), [("car", ("no_film",)), ("car that unlocks", ("no_film", "whole_car_unlocked"))]
)
def test_a_parcel_is_left_and_the_proof_declares_what_is_missing(name: str, gaps: tuple[str, ...]) -> None:
    house = build(name)
    house.run(5)
    walk(house, announce_delivery(house))
    house.run(90)
    assert house.outcomes == ["delivered"]
    assert house.houses == ["locked_again"]
    assert [seal.gaps for seal in house.all(c.SealProof)] == [gaps]


def test_an_order_for_the_boot_alone_that_unlocks_every_door_is_declared_in_the_proof() -> None:
    house = opened()
    car(house).is_locked = False
    car(house).moved("unlocks every door", "locked")
    house.run(2)
    car(house).leave()
    house.run(90)
    assert [seal.gaps for seal in house.all(c.SealProof)] == [("no_film", "whole_car_unlocked")]


def test_the_proof_declares_that_the_whole_car_is_unlocked_before_it_is() -> None:
    house = build("car that unlocks")
    house.run(5)
    announce_delivery(house)
    house.scan("d0-1")
    assert house.orders_open, "it is ordered to, and has answered nothing yet"
    assert house.mem.visit is not None
    assert house.mem.visit.recording.gaps == ("no_film", "whole_car_unlocked")


def test_without_the_scan_after_closing_nobody_knows() -> None:
    house = opened()
    car(house).shut()
    house.run(180)
    assert house.outcomes == ["unknown"]
    assert house.houses == ["locked_again"]


def test_a_car_that_obeys_and_whose_boot_nobody_opens_is_locked_again_without_a_wait_for_a_scan() -> None:
    house = build("car that unlocks")
    house.run(5)
    announce_delivery(house)
    house.scan("d0-1")
    house.run(3)
    assert house.orders_open
    house.run(house.rules.timing.never + 15)
    assert house.houses == ["locked_again"]
    assert house.outcomes == ["unknown"], "its boot may have been opened between two answers"


def test_a_scan_while_the_boot_stands_open_is_no_closing_scan() -> None:
    house = opened()
    house.run(house.rules.timing.merge + 1)
    house.scan("d0-1")
    house.run(2)
    car(house).shut()
    house.run(180)
    assert house.outcomes == ["unknown"]


@pytest.mark.parametrize(
    ("before", "word"),
    [
        (lambda it: it.drives(away=True), "car/moving"),
        (lambda it: it.driver_uses(leaves=True), "car/unlocked"),
    ],
)
def test_a_car_that_is_driven_or_unlocked_opens_to_nobody(before: Callable[[Car], None], word: str) -> None:
    house = build("car")
    house.run(5)
    before(car(house))
    house.run(10)
    announce_delivery(house)
    house.scan("d0-1")
    assert word in house.all(c.AnswerScan)[-1].lacking
    assert not house.orders_open


def test_a_car_elsewhere_opens_to_nobody() -> None:
    house = build("car")
    car(house).is_there = False
    house.run(5)
    announce_delivery(house)
    house.scan("d0-1")
    assert house.all(c.AnswerScan)[-1].lacking == ("car/not_there",)


def test_a_fix_that_is_too_old_opens_to_nobody() -> None:
    house = build("car")
    house.run(5)
    house.feed(e.WindowChanged(near=True))
    car(house).sees_sky(sees=False)
    house.run(300)
    announce_delivery(house)
    house.scan("d0-1")
    assert house.all(c.AnswerScan)[-1].lacking == ("car/no_fix",)


def test_an_answer_grows_old_while_the_owner_thinks_about_it() -> None:
    """The scan was accepted by a fix of less than two minutes; at the yes it is too old, and no younger one came."""
    house = build("car")
    house.run(5)
    car(house).sees_sky(sees=False)
    house.run(90)
    announce_delivery(house, needs_yes=True)
    house.scan("d0-1")
    house.run(40)
    visit = house.mem.visit
    assert visit is not None
    house.feed(e.OwnerDecided(visit=visit.id, yes=True))
    house.run(10)
    assert not house.orders_open
    assert house.refusals[-1:] == ["not_ready"]


def test_a_car_that_moves_with_its_boot_open_is_alarmed_at_once_and_becomes_the_owner_s() -> None:
    house = opened()
    car(house).drives(away=True)
    house.run(1)
    assert house.alarms == ["car_moves_open"]
    assert house.houses == ["handed_to_owner"]


def test_a_modem_that_says_nothing_by_itself_is_asked_while_the_boot_stands_open() -> None:
    house = opened()
    it = car(house)
    it.is_driving, it.is_there = True, False  # nothing is reported
    house.run(20)
    assert house.alarms == ["car_moves_open"]


def test_a_car_that_is_used_while_all_are_away_alarms_nobody() -> None:
    house = build("car")
    house.run(5)
    house.feed(e.HomeChanged(somebody_home=False, away=True))
    car(house).driver_uses(leaves=False)
    house.run(60)
    assert house.alarms == []


def test_a_retailer_never_learns_that_the_household_is_out_with_its_car() -> None:
    house = build("car")
    car(house).drives(away=True)
    house.run(5)
    promise = announce_delivery(house)
    house.feed(e.WindowChanged(near=True))
    house.feed(e.PreflightDue(delivery=promise.facts()))
    house.run(30)
    (report,) = house.all(c.ReportReadiness)
    assert report.lacking == ("entrance",)
    told = [one.detail for one in house.all(c.NotifyOwner) if one.notification is c.Notification.NOT_READY]
    assert told == ["car/moving, car/not_there"], "its owner does"
