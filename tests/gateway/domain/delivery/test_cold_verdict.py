"""The verdict on an item: a measured violation is one, a gap is never conformant, and nothing else is unknown."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.delivery.cold_verdict import (
    VIOLATIONS,
    AirRange,
    AirSample,
    ColdReason,
    ColdVerdict,
    ItemJudgement,
    ItemSightings,
    judge_item,
)
from gateway.domain.delivery.temperature import Limits

START = datetime(2026, 6, 10, 12, tzinfo=UTC)
LIMITS = Limits(min_c=0.0, max_c=4.0)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def air(*samples: tuple[float, float | None]) -> tuple[AirSample, ...]:
    return tuple(AirSample(at=at(seconds), celsius=celsius) for seconds, celsius in samples)


GOOD = ItemSightings(door_at=at(0), stowed_at=at(60), air=air((-300, 3.0), (50, 3.5), (70, 3.8)), end=at(120))


def judged(**changes: object) -> ItemJudgement:
    return judge_item(replace(GOOD, **changes), LIMITS, max_seconds=90)  # type: ignore[arg-type]  # any field


def test_an_item_that_was_seen_and_stayed_cold_all_the_way_is_conformant() -> None:
    judgement = judged()
    assert (judgement.verdict, judgement.reasons) == (ColdVerdict.CONFORMANT, ())
    assert judgement.seconds == 60
    assert (judgement.before, judgement.during, judgement.after) == (
        3.0, AirRange(min_c=3.0, max_c=3.5), AirRange(min_c=3.8, max_c=3.8)
    )  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"air": air((-300, 5.0), (70, 3.0))}, ColdReason.TOO_WARM),
        ({"air": air((-300, 3.0), (50, 4.1), (70, 3.0))}, ColdReason.TOO_WARM),
        ({"air": air((-300, 3.0), (70, 9.0))}, ColdReason.TOO_WARM),
        ({"air": air((-300, -0.1), (70, 3.0))}, ColdReason.TOO_COLD),
        ({"stowed_at": at(91), "air": air((-300, 3.0), (95, 3.0))}, ColdReason.TOO_LONG),
    ],
)
def test_a_measured_violation_is_not_conformant(changes: dict[str, object], reason: ColdReason) -> None:
    judgement = judged(**changes)
    assert (judgement.verdict, judgement.reasons) == (ColdVerdict.NON_CONFORMANT, (reason,))


@pytest.mark.parametrize(
    ("changes", "reasons"),
    [
        ({"door_at": None}, {ColdReason.NO_DOOR_SCAN, ColdReason.NO_AIR_BEFORE}),
        ({"stowed_at": None}, {ColdReason.NOT_STOWED, ColdReason.NO_AIR_AFTER}),
        ({"stowed_at": None, "is_elsewhere": True}, {ColdReason.WRONG_PLACE, ColdReason.NO_AIR_AFTER}),
        ({"was_moved": True}, {ColdReason.WRONG_PLACE}),
        ({"air": air((10, 3.0), (70, 3.0))}, {ColdReason.NO_AIR_BEFORE}),
        ({"air": air((-300, 3.0), (-10, None), (70, 3.0))}, {ColdReason.NO_AIR_BEFORE}),
        ({"air": air((-300, 3.0), (20, None), (30, 3.0), (70, 3.0))}, {ColdReason.AIR_GAP}),
        ({"air": air((-300, 3.0), (70, 3.0), (80, None))}, {ColdReason.AIR_GAP}),
        ({"air": air((-300, 3.0), (50, 3.0))}, {ColdReason.NO_AIR_AFTER}),
        ({"air": ()}, {ColdReason.NO_AIR_BEFORE, ColdReason.NO_AIR_AFTER}),
        ({"air": (*GOOD.air, AirSample(at=at(80), celsius=3.0, is_open=True))}, {ColdReason.LEFT_OPEN}),
        ({"has_unreadable_label": True}, {ColdReason.LABEL_UNREADABLE}),
        ({"is_clock_trusted": False}, {ColdReason.CLOCK_UNTRUSTED}),
    ],
)
def test_a_gap_is_unknown(changes: dict[str, object], reasons: set[ColdReason]) -> None:
    judgement = judged(**changes)
    assert (judgement.verdict, set(judgement.reasons)) == (ColdVerdict.UNKNOWN, reasons)


def test_what_was_measured_after_the_way_in_was_secured_or_long_before_says_nothing() -> None:
    assert judged(air=(*GOOD.air, *air((121, 20.0)))).verdict is ColdVerdict.CONFORMANT
    assert judged(air=(*air((-900, 20.0)), *GOOD.air)).verdict is ColdVerdict.CONFORMANT


SAMPLES = st.lists(
    st.builds(
        AirSample,
        at=st.integers(-20, 30).map(at),
        celsius=st.none() | st.floats(-30, 30),
        is_open=st.sampled_from((None, False, True)),
    ),
    max_size=12,
).map(lambda samples: tuple(sorted(samples, key=lambda sample: sample.at)))
SEEN = st.builds(
    ItemSightings,
    door_at=st.none() | st.integers(0, 10).map(at),
    stowed_at=st.none() | st.integers(0, 20).map(at),
    air=SAMPLES,
    end=st.just(at(25)),
    is_elsewhere=st.booleans(),
    has_unreadable_label=st.booleans(),
    is_clock_trusted=st.booleans(),
)


@given(SEEN)
def test_conformant_means_that_nothing_is_lacking_and_every_measurement_is_within_the_limits(
    seen: ItemSightings,
) -> None:
    judgement = judge_item(seen, LIMITS, max_seconds=8)
    if judgement.verdict is not ColdVerdict.CONFORMANT:
        assert judgement.reasons
        return
    assert seen.door_at is not None
    assert seen.stowed_at is not None
    assert (seen.stowed_at - seen.door_at).total_seconds() <= 8
    assert not seen.has_unreadable_label
    assert seen.is_clock_trusted
    before = [sample for sample in seen.air if sample.at <= seen.door_at][-1:]
    counted = [*before, *(sample for sample in seen.air if seen.door_at < sample.at <= seen.end)]
    assert before
    assert all(sample.celsius is not None and 0.0 <= sample.celsius <= 4.0 for sample in counted)
    assert any(sample.at > seen.stowed_at for sample in counted)
    assert not counted[-1].is_open


@given(SEEN, st.integers(-20, 25).map(at))
def test_no_gap_that_is_added_makes_an_item_conformant(seen: ItemSightings, gap: datetime) -> None:
    air = tuple(sorted((*seen.air, AirSample(at=gap, celsius=None)), key=lambda sample: sample.at))
    with_gap = judge_item(replace(seen, air=air), LIMITS, max_seconds=8)
    if judge_item(seen, LIMITS, max_seconds=8).verdict is not ColdVerdict.CONFORMANT:
        assert with_gap.verdict is not ColdVerdict.CONFORMANT


@given(SEEN)
def test_only_a_violation_is_told_as_one(seen: ItemSightings) -> None:
    judgement = judge_item(seen, LIMITS, max_seconds=8)
    is_violated = not VIOLATIONS.isdisjoint(judgement.reasons)
    assert (judgement.verdict is ColdVerdict.NON_CONFORMANT) is is_violated
