"""Judges whether the cold chain of an item held, by what was scanned and measured. Pure.

A measured violation makes an item non-conformant. Everything that was not seen is a gap, and an item with a gap is
never conformant: its verdict is unknown. The words are those of EPCIS (CBV 2.0, dispositions).
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum, auto

from gateway.domain.delivery.temperature import Limits
from gateway.domain.frozen import Frozen


class ColdVerdict(StrEnum):
    """The verdict on one item."""

    CONFORMANT = auto()
    NON_CONFORMANT = auto()
    UNKNOWN = auto()


class ColdReason(StrEnum):
    """Why an item is not conformant: a violation, or a gap in what was seen."""

    TOO_WARM = auto()
    TOO_COLD = auto()
    TOO_LONG = auto()  # between door and place
    NO_DOOR_SCAN = auto()
    NOT_STOWED = auto()  # no scan at its place
    WRONG_PLACE = auto()  # it was scanned at another place only, or was taken away from its own
    NO_AIR_BEFORE = auto()
    AIR_GAP = auto()  # the air was unknown for a time
    NO_AIR_AFTER = auto()
    LEFT_OPEN = auto()  # the fridge stood open at the end
    LABEL_UNREADABLE = auto()  # its label has a limit that cannot be read
    CLOCK_UNTRUSTED = auto()


VIOLATIONS = frozenset({ColdReason.TOO_WARM, ColdReason.TOO_COLD, ColdReason.TOO_LONG})


class AirSample(Frozen):
    """The air of a place from an instant on: its temperature in °C, or None if it is unknown from then on.

    `is_open`: whether the door of the fridge stands open; None: unknown, or it has none that reports.
    """

    at: datetime
    celsius: float | None
    is_open: bool | None = None


class ItemSightings(Frozen):
    """What was seen of an item in one visit.

    `door_at`: when it was scanned at the door; `stowed_at`: when it was scanned at its place; None: it was not.
    `air`: the air of its place in order of time, from before the visit until `end`, when the way in was secured.
    """

    door_at: datetime | None
    stowed_at: datetime | None
    air: Sequence[AirSample]
    end: datetime
    is_elsewhere: bool = False  # scanned at another place
    was_moved: bool = False  # scanned at the door or at another place after it was stowed
    has_unreadable_label: bool = False
    is_clock_trusted: bool = True


class AirRange(Frozen):
    """The lowest and the highest temperature of a time, in °C."""

    min_c: float
    max_c: float


class ItemJudgement(Frozen):
    """The verdict on an item with its reasons.

    `seconds`: from door to place. `before`, `during`, `after`: the air of the place when the item came in, until it was
    stowed, and from then on.
    """

    verdict: ColdVerdict
    reasons: tuple[ColdReason, ...]
    seconds: float | None
    before: float | None
    during: AirRange | None
    after: AirRange | None


class ItemOutcome(Frozen):
    """What is kept of a judgement for the retailer: `lowest_c` and `highest_c` are those of the whole time."""

    verdict: str
    reasons: tuple[str, ...]
    seconds: float | None
    lowest_c: float | None
    highest_c: float | None


def judge_item(seen: ItemSightings, limits: Limits, *, max_seconds: float) -> ItemJudgement:
    """Judge one item by what was seen of it, against the strictest of its limits."""
    before = _last_before(seen.air, seen.door_at)
    relevant = [
        sample for sample in seen.air
        if sample.at <= seen.end and (seen.door_at is None or sample is before or sample.at > seen.door_at)
    ]  # fmt: skip
    stowed_at = seen.stowed_at
    during = _range(sample for sample in relevant if stowed_at is None or sample.at <= stowed_at)
    after = None if stowed_at is None else _range(sample for sample in relevant if sample.at > stowed_at)
    measured = [sample.celsius for sample in relevant if sample.celsius is not None]
    seconds = None
    if stowed_at is not None and seen.door_at is not None:
        seconds = max(0.0, (stowed_at - seen.door_at).total_seconds())
    faults = {
        ColdReason.TOO_WARM: any(map(limits.is_too_warm, measured)),
        ColdReason.TOO_COLD: any(map(limits.is_too_cold, measured)),
        ColdReason.TOO_LONG: seconds is not None and seconds > max_seconds,
        ColdReason.NO_DOOR_SCAN: seen.door_at is None,
        ColdReason.NOT_STOWED: stowed_at is None and not seen.is_elsewhere,
        ColdReason.WRONG_PLACE: seen.was_moved or (stowed_at is None and seen.is_elsewhere),
        ColdReason.NO_AIR_BEFORE: before is None or before.celsius is None,
        ColdReason.AIR_GAP: any(sample.celsius is None for sample in relevant if sample is not before),
        ColdReason.NO_AIR_AFTER: after is None,
        ColdReason.LEFT_OPEN: bool(relevant) and bool(relevant[-1].is_open),
        ColdReason.LABEL_UNREADABLE: seen.has_unreadable_label,
        ColdReason.CLOCK_UNTRUSTED: not seen.is_clock_trusted,
    }
    reasons = tuple(reason for reason, holds in faults.items() if holds)
    return ItemJudgement(
        verdict=_verdict(reasons),
        reasons=reasons,
        seconds=seconds,
        before=None if before is None else before.celsius,
        during=during,
        after=after,
    )


def _verdict(reasons: Sequence[ColdReason]) -> ColdVerdict:
    if not VIOLATIONS.isdisjoint(reasons):
        return ColdVerdict.NON_CONFORMANT
    return ColdVerdict.UNKNOWN if reasons else ColdVerdict.CONFORMANT


def _last_before(air: Sequence[AirSample], instant: datetime | None) -> AirSample | None:
    """Return the sample that counted at an instant; None: there was none yet."""
    return None if instant is None else next((sample for sample in reversed(air) if sample.at <= instant), None)


def _range(samples: Iterable[AirSample]) -> AirRange | None:
    values = [sample.celsius for sample in samples if sample.celsius is not None]
    return AirRange(min_c=min(values), max_c=max(values)) if values else None
