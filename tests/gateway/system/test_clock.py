"""When the box trusts its clock."""

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.now import Now
from gateway.system.clock import (
    EARLIEST_TIME,
    MAX_HOLDOVER_ERROR_S,
    SETTLE_TIME_S,
    Clock,
    kernel_synchronised,
)
from gateway.system.clock_settings import ClockSection

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
HOUR = 3600.0


@dataclass
class World:
    """True time passes by `run`; `step` sets the wall clock."""

    source: Literal["ntp", "host"] = "ntp"
    wall: float = NOON.timestamp()
    mono: float = 100.0
    synchronised: bool = True
    floor: datetime | None = None
    kept: list[datetime] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.clock = self.boot()

    def boot(self) -> Clock:
        """Start a gateway on what was persisted."""
        return Clock(
            ClockSection(source=self.source, drift_ppm=100),
            floor=self.kept[-1] if self.kept else self.floor,
            keep_floor=self.kept.append,
            wall=lambda: self.wall,
            mono=lambda: self.mono,
            synchronised=lambda: self.synchronised,
        )

    def run(self, seconds: float) -> None:
        self.wall += seconds
        self.mono += seconds

    def step(self, seconds: float) -> None:
        self.wall += seconds

    def trusts(self) -> bool:
        return self.clock.now().trusted


def test_a_box_without_a_battery_clock_boots_in_1970_and_trusts_nothing_until_synchronised() -> None:
    world = World(wall=5.0, synchronised=False)
    assert not world.trusts()
    world.run(HOUR)
    assert not world.trusts()
    world.step(NOON.timestamp() - world.wall)
    world.synchronised = True
    assert not world.trusts()  # the reading that sees the step
    world.run(1)
    assert world.trusts()


def test_1970_is_not_trusted_even_when_the_source_stands_by_it() -> None:
    assert not World(wall=5.0, source="host").trusts()
    assert not World(wall=5.0, synchronised=True).trusts()
    assert World(wall=EARLIEST_TIME.timestamp(), source="host").trusts()


@pytest.mark.parametrize("source", ["ntp", "host"])
@pytest.mark.parametrize(("late", "trusted"), [(-1, False), (0, True), (1, True)])
def test_only_a_time_at_or_above_the_floor_is_trusted(
    source: Literal["ntp", "host"], late: int, *, trusted: bool
) -> None:
    assert World(source=source, floor=NOON - timedelta(seconds=late)).trusts() is trusted


@pytest.mark.parametrize(
    ("alone", "trusted"),
    [(HOUR, True), (MAX_HOLDOVER_ERROR_S / 100e-6 - 1, True), (MAX_HOLDOVER_ERROR_S / 100e-6 + 1, False)],
)
def test_without_the_internet_the_clock_is_trusted_for_as_long_as_its_drift_allows(
    alone: float, *, trusted: bool
) -> None:
    world = World()
    assert world.trusts()
    world.synchronised = False
    world.run(alone)
    assert world.trusts() is trusted


@pytest.mark.parametrize("step", [-HOUR, -2.0, 2.0, HOUR])
def test_a_step_ends_trust_until_the_clock_is_synchronised_again(step: float) -> None:
    world = World()
    assert world.trusts()
    world.synchronised = False
    world.run(10)
    world.step(step)
    for _ in range(5):
        assert not world.trusts()
        world.run(30)
    world.run(2 * HOUR)
    assert not world.trusts()
    world.synchronised = True
    assert world.trusts()


def test_a_step_that_is_undone_before_synchronising_is_still_untrusted() -> None:
    world = World()
    assert world.trusts()
    world.synchronised = False
    world.step(HOUR)
    assert not world.trusts()
    world.step(-HOUR)
    assert not world.trusts()


@pytest.mark.parametrize("source", ["ntp", "host"])
def test_a_step_back_never_reopens_a_window_that_closed(source: Literal["ntp", "host"]) -> None:
    world = World(source=source)
    closed = NOON + timedelta(minutes=10)
    while world.clock.now().utc < closed:
        world.run(20)
    assert world.trusts()
    world.step(-HOUR)
    for _ in range(2 * 180):
        now = world.clock.now()
        assert not (now.trusted and now.utc < closed)
        world.run(20)
    assert world.trusts()  # an hour later the floor is passed


def test_a_host_that_steps_forward_is_believed_after_a_minute_without_another_step() -> None:
    world = World(source="host")
    assert world.trusts()
    world.step(HOUR)
    assert not world.trusts()
    world.run(SETTLE_TIME_S - 1)
    assert not world.trusts()
    world.step(HOUR)
    assert not world.trusts()
    world.run(SETTLE_TIME_S)
    assert world.trusts()


@pytest.mark.parametrize("source", ["ntp", "host"])
def test_a_leap_second_is_no_step(source: Literal["ntp", "host"]) -> None:
    world = World(source=source, wall=datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp())
    assert world.trusts()
    world.synchronised = False
    world.run(1)
    world.step(-1)  # Linux repeats the last second
    world.run(1)
    assert world.trusts()


def test_small_steps_one_after_the_other_add_up_to_a_step() -> None:
    world = World()
    assert world.trusts()
    world.synchronised = False
    for _ in range(4):
        world.run(5)
        world.step(1)
        world.clock.now()
    assert not world.trusts()


@pytest.mark.parametrize(
    "summer_time", [datetime(2026, 3, 29, 0, 59, 50, tzinfo=UTC), datetime(2026, 10, 25, 0, 59, 50, tzinfo=UTC)]
)
def test_summer_time_changes_nothing(summer_time: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Paris")
    time.tzset()
    try:
        world = World(wall=summer_time.timestamp())
        for second in range(20):
            now = world.clock.now()
            assert now.trusted
            assert now.utc == summer_time + timedelta(seconds=second)
            assert now.utc.tzinfo is UTC
            world.run(1)
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_duration_is_measured_without_asking_the_kernel_and_is_what_a_whole_reading_has() -> None:
    asked: list[float] = []

    def synchronised() -> bool:
        asked.append(0.0)
        return True

    clock = Clock(
        ClockSection(source="ntp"),
        floor=None,
        keep_floor=lambda _utc: None,
        mono=lambda: 7.0,
        synchronised=synchronised,
    )
    assert clock.mono() == 7.0
    assert not asked
    assert clock.now().mono == clock.mono()


def test_the_floor_is_kept_each_minute_and_at_each_intent() -> None:
    world = World(floor=NOON)
    for _ in range(181):
        world.clock.now()
        world.run(1)
    assert world.kept == [NOON + timedelta(minutes=n) for n in (1, 2, 3)]
    intent = world.clock.now()
    world.clock.mark(intent)
    assert world.kept[-1] == intent.utc == world.clock.floor


def test_an_untrusted_time_never_raises_the_floor() -> None:
    world = World(floor=NOON, synchronised=False)
    world.run(10 * HOUR)
    world.clock.mark(world.clock.now())
    assert world.kept == []
    assert world.clock.floor == NOON


def test_after_a_restart_a_clock_that_was_set_back_meanwhile_is_below_the_floor() -> None:
    world = World()
    world.run(HOUR)
    assert world.trusts()
    world.step(-600)
    world.clock = world.boot()
    assert not world.trusts()


def test_a_paused_process_does_not_take_its_pause_for_a_step() -> None:
    mono = iter([0.0, 0.0, 0.0, 50.0, 50.0, 50.0])  # the pause falls between the two clocks' second readings
    wall = iter([0.0, 0.0, 50.0])
    clock = Clock(
        ClockSection(source="host"),
        floor=None,
        keep_floor=lambda _: None,
        wall=lambda: NOON.timestamp() + next(wall),
        mono=lambda: next(mono),
    )
    assert clock.now().trusted
    assert clock.now() == Now(utc=NOON + timedelta(seconds=50), trusted=True, mono=50)


@given(
    moves=st.lists(
        st.one_of(
            st.tuples(st.just("run"), st.floats(0, 7200)),
            st.tuples(st.just("step"), st.floats(-7200, 7200)),
            st.tuples(st.just("ntp"), st.floats(0, 1)),
            st.tuples(st.just("restart"), st.floats(0, 1)),
        ),
        max_size=40,
    ),
    source=st.sampled_from(["ntp", "host"]),
)
def test_whatever_happens_to_the_clock_trusted_time_never_goes_below_the_floor_and_the_floor_never_falls(
    moves: list[tuple[str, float]], source: Literal["ntp", "host"]
) -> None:
    world = World(source=source)
    for move, amount in moves:
        match move:
            case "run":
                world.run(amount)
            case "step":
                world.step(amount)
            case "ntp":
                world.synchronised = amount > 0.5  # a coin
            case _:
                world.clock = world.boot()
        floor = world.clock.floor
        now = world.clock.now()
        assert not now.trusted or now.utc >= floor
        assert world.clock.floor >= floor
    assert world.kept == sorted(world.kept)


def test_the_kernel_is_asked_for_real() -> None:
    assert kernel_synchronised() in (True, False)
