"""The passport of an item, read from the log of a visit as the box writes it."""

import random
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from devices.reports import DoorState
from gateway.domain.delivery.cold_verdict import ColdReason, ColdVerdict
from gateway.domain.delivery.food_profiles import FoodProfile
from gateway.domain.delivery.items import OrderItem
from gateway.domain.delivery.temperature import Limits
from gateway.domain.visit import events as e
from gateway.domain.visit.conditions import ColdChain, FridgeReported
from gateway.domain.visit.conditions.cold_chain import Fridge, FridgeState
from gateway.protocol.cold_chain import MAX_POINTS, ColdChainAccount, ItemPassport, StatedLimits, read_cold_chain
from gateway.storage.audit_log import code_digest
from tests.gateway.evidence.route.rows import CODE_KEY, RecordedLog
from tests.house.house import SimulatedHome
from tests.house.promise import EPOCH
from tests.house.story import RINGING_S, announce_delivery, good_day

FISH = OrderItem(code="fish", place="fridge", profile=FoodProfile.FISH, limits=Limits(max_c=6.0), max_seconds=120)
SCANNERS = {"fridge-scanner": "fridge", "cellar-scanner": "cellar"}
AIR = ColdChain(fridges={"fridge": Fridge(device="cooler", silence_s=3600.0)})
Happening = Callable[[SimulatedHome], None]


def says(house: SimulatedHome, celsius: float | None, *, door: DoorState = DoorState.CLOSED) -> None:
    house.feed(FridgeReported(place="fridge", fridge=FridgeState(temp_c=celsius, door=door)))


def stow(house: SimulatedHome, scanner: str = "fridge-scanner", **label: str) -> None:
    house.scans += 1
    rules = {f"43{name[1:]}": value for name, value in label.items()}
    house.feed(e.Scanned(id=f"v{house.scans}", scanner=scanner, code="fish", label=rules))


def house_with_items(*items: OrderItem, **facts: Any) -> tuple[SimulatedHome, RecordedLog]:  # noqa: ANN401 - of a delivery
    house = good_day(conditions=(AIR,), place_scanners=SCANNERS)
    log = RecordedLog(house)
    announce_delivery(house, place="hall", items=items or (FISH,), **facts)
    house.feed(e.WindowChanged(near=True))
    says(house, 1.0)
    house.run(2)
    return house, log


def dies(house: SimulatedHome) -> None:
    house.kill(0.5)
    house.run(3)


def come_in(house: SimulatedHome) -> None:
    house.scan("d0-1")
    house.run(RINGING_S + 1)
    house.open()
    house.run(5)
    assert house.phase == "inside", house.refusals


def go(house: SimulatedHome) -> None:
    house.close()
    house.run(40)


def account_of(log: RecordedLog) -> ColdChainAccount:
    (rows,) = log.rows.values()
    account = read_cold_chain(rows)
    assert account is not None
    return account


def passport_of(log: RecordedLog) -> ItemPassport:
    (passport,) = account_of(log).items
    return passport


def visited(*before: Happening, after: tuple[Happening, ...] = (lambda house: says(house, 1.5),)) -> RecordedLog:
    """A visit: what happens inside before the item is stowed, and after."""
    house, log = house_with_items()
    come_in(house)
    for happening in before:
        happening(house)
        house.run(1)
    house.run(3)
    for happening in after:
        happening(house)
        house.run(1)
    go(house)
    return log


def test_an_item_that_was_stowed_in_time_in_cold_air_is_conformant_with_all_that_was_measured() -> None:
    log = visited(lambda house: says(house, 1.8, door=DoorState.OPEN), stow)
    account, passport = account_of(log), passport_of(log)
    assert (passport.verdict, passport.reasons) == (ColdVerdict.CONFORMANT, ())
    assert (passport.last, passport.code) == ("fish", code_digest("fish", CODE_KEY))
    assert (passport.order, passport.legal) == (StatedLimits(max_c=6.0), StatedLimits(min_c=0.0, max_c=2.0))
    assert passport.limits == StatedLimits(min_c=0.0, max_c=2.0), "the stricter one"
    assert passport.before == 1.0
    assert passport.during is not None
    assert passport.after is not None
    assert (passport.during.min_c, passport.during.max_c, passport.after.max_c) == (1.0, 1.8, 1.5)
    assert passport.door_at == account.began, "the item is no parcel: it came in with one"
    assert passport.stowed_at is not None
    assert passport.seconds == (passport.stowed_at - account.began).total_seconds()
    (air,) = account.air
    assert (air.place, air.device, air.silence_s) == ("fridge", "cooler", 3600.0)
    assert [(point.celsius, point.open) for point in air.points] == [(1.0, False), (1.8, True), (1.5, False)]


@pytest.mark.parametrize(
    ("log", "verdict", "reasons"),
    [
        (visited, "unknown", {"not_stowed", "no_air_after"}),
        (lambda: visited(lambda house: stow(house, "cellar-scanner")), "unknown", {"wrong_place", "no_air_after"}),
        (lambda: visited(lambda house: stow(house, "s")), "unknown", {"not_stowed", "no_air_after"}),
        (lambda: visited(stow, lambda house: stow(house, "cellar-scanner")), "unknown", {"wrong_place"}),
        (lambda: visited(stow, lambda house: stow(house, "s")), "unknown", {"wrong_place"}),  # back at the door
        (lambda: visited(lambda house: stow(house, "cellar-scanner"), stow), "conformant", set[str]()),
        (lambda: visited(stow, after=()), "unknown", {"no_air_after"}),
        (lambda: visited(lambda house: says(house, None), stow), "unknown", {"air_gap"}),
        (lambda: visited(dies, stow), "non_conformant", {"air_gap", "too_warm"}),  # 4 °C afterwards
        (
            lambda: visited(stow, after=(lambda house: says(house, 1.5, door=DoorState.OPEN),)),
            "unknown", {"left_open"},
        ),
        (lambda: visited(lambda house: stow(house, x31="xx")), "unknown", {"label_unreadable"}),
        (lambda: visited(lambda house: stow(house, x31="000100")), "non_conformant", {"too_warm"}),
        (lambda: visited(lambda house: says(house, 2.1), stow), "non_conformant", {"too_warm"}),
        (lambda: visited(stow, after=(lambda house: says(house, -0.5),)), "non_conformant", {"too_cold"}),
        (lambda: visited(lambda house: house.run(130), stow), "non_conformant", {"too_long"}),
    ],
)  # fmt: skip
def test_what_was_not_seen_and_what_was_wrong_is_named(
    log: Callable[[], RecordedLog], verdict: str, reasons: set[str]
) -> None:
    passport = passport_of(log())
    assert (passport.verdict, {str(reason) for reason in passport.reasons}) == (verdict, reasons)


def test_a_stored_scan_at_the_fridge_says_nothing() -> None:
    retained = e.Scanned(id="old", scanner="fridge-scanner", code="fish", retained=True)
    log = visited(lambda house: house.feed(retained))
    assert ColdReason.NOT_STOWED in passport_of(log).reasons


def test_where_nothing_was_opened_there_is_no_passport() -> None:
    house, log = house_with_items()
    house.scan("d0-1")
    house.run(5)
    house.stop(stopped=True)
    house.run(60)
    (rows,) = log.rows.values()
    assert read_cold_chain(rows) is None


def test_a_delivery_without_items_has_no_passport() -> None:
    house = good_day()
    log = RecordedLog(house)
    announce_delivery(house)
    come_in(house)
    go(house)
    assert [read_cold_chain(rows) for rows in log.rows.values()] == [None]


def test_a_parcel_that_is_an_item_has_the_time_of_its_own_scan() -> None:
    item = OrderItem(code="d3-2", place="fridge", limits=Limits(max_c=6.0))
    house, log = house_with_items()
    announce_delivery(house, "d3", place="hall", items=(item,))
    house.scan("d3-1")
    house.run(RINGING_S + 1)
    house.open()
    house.run(30)
    house.scan("d3-2")
    house.run(5)
    house.feed(e.Scanned(id="stow", scanner="fridge-scanner", code="d3-2"))
    house.run(2)
    says(house, 1.0)
    go(house)
    account, passport = account_of(log), passport_of(log)
    assert passport.verdict is ColdVerdict.CONFORMANT
    assert passport.door_at is not None
    assert passport.door_at - account.began > timedelta(seconds=40)
    assert passport.seconds is not None
    assert passport.seconds < 10


def test_a_parcel_that_is_an_item_and_was_never_scanned_at_the_door_has_a_gap() -> None:
    item = OrderItem(code="d3-2", place="fridge", limits=Limits(max_c=6.0))
    house, log = house_with_items()
    announce_delivery(house, "d3", place="hall", items=(item,))
    house.scan("d3-1")
    house.run(RINGING_S + 1)
    house.open()
    house.feed(e.Scanned(id="stow", scanner="fridge-scanner", code="d3-2"))
    house.run(2)
    says(house, 1.0)
    go(house)
    assert ColdReason.NO_DOOR_SCAN in passport_of(log).reasons


def test_many_readings_become_few_points_with_the_extremes_among_them() -> None:
    house, log = house_with_items()
    come_in(house)
    readings = [1.0 + n % 7 / 10 for n in range(400)]
    readings[123], readings[321] = 9.0, -3.0
    for celsius in readings:
        says(house, celsius)
        house.run(0.2)
    go(house)
    (air,) = account_of(log).air
    values = [point.celsius for point in air.points]
    assert len(values) <= MAX_POINTS
    assert air.left_out == 401 - len(values)
    assert (values[0], values[-1]) == (1.0, readings[-1])
    assert {9.0, -3.0} <= {*values}
    assert [point.at for point in air.points] == sorted(point.at for point in air.points)


@pytest.mark.parametrize("row", [{}, {"kind": "step"}, [], None, "x", {"kind": "step", "at": 3, "event": []}])
def test_an_entry_that_is_not_as_in_the_format_is_passed_over(row: object) -> None:
    (rows,) = visited(stow).rows.values()
    assert read_cold_chain([row, *rows]) == read_cold_chain(rows)


# ---- random kitchens, judged by what physically happened ----------------------------------------------------------


class Kitchen:
    """One visit in which thermometer, scanner, broker and courier do what they like; it notes what is true."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.house, self.log = house_with_items()
        self.truth: list[tuple[datetime, float]] = [(self.now(), 1.0)]  # what a reading said, and when
        self.blind_since: list[datetime] = []
        self.stowed: datetime | None = None
        come_in(self.house)

    def now(self) -> datetime:
        return EPOCH + timedelta(seconds=self.house.t)

    def act(self) -> None:
        match self.rng.choice(("reading", "reading", "reading", "stow", "stow", "wait", "lost", "warm")):
            case "reading" | "warm" as kind:
                celsius = round(self.rng.uniform(0.2, 1.9), 1) if kind == "reading" else self.rng.choice((2.4, -1.0))
                if kind == "reading" or self.rng.random() < 0.3:
                    says(self.house, celsius)
                    self.truth.append((self.now(), celsius))
            case "stow":
                stow(self.house)
                self.stowed = self.stowed or self.now()
            case "lost" if self.rng.random() < 0.3:
                says(self.house, None)
                self.blind_since.append(self.now())
            case _:
                self.house.run(self.rng.choice((1.0, 10.0, 70.0)))
        self.house.run(1)

    def play(self) -> ItemPassport:
        for _ in range(self.rng.randrange(8)):
            self.act()
        go(self.house)
        return passport_of(self.log)


def test_in_random_kitchens_conformant_is_said_only_of_an_item_that_truly_was_cold_all_the_way() -> None:
    seen: Counter[str] = Counter()
    for seed in range(150):
        kitchen = Kitchen(seed)
        passport = kitchen.play()
        seen[passport.verdict] += 1
        if passport.verdict is not ColdVerdict.CONFORMANT:
            continue
        assert kitchen.stowed is not None, seed
        assert kitchen.blind_since == [], seed
        assert all(0.0 <= celsius <= 2.0 for _, celsius in kitchen.truth), seed
        assert any(at > kitchen.stowed for at, _ in kitchen.truth), seed
        assert passport.seconds is not None, seed
        assert passport.seconds <= FISH.max_seconds, seed
        assert kitchen.house.physical[-1] == "thrown", seed
    assert min(seen[verdict] for verdict in ColdVerdict) > 5, seen
