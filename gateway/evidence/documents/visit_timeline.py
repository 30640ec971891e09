"""Computes a visit's timeline from its log: bolt, door, fridge.

What the log does not say is not here: nothing is concluded from silence.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum, auto
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from devices.reports import DoorState, LockState
from gateway.domain.delivery.result import DoorResult

OPEN_DOOR_STATES = frozenset({DoorState.OPEN, DoorState.AJAR, DoorState.FORCED_OPEN})
RETRACTED_BOLT_STATES = frozenset({LockState.UNLOCKED, LockState.UNLATCHED, LockState.NOT_FULLY_LOCKED})


class VisitMoment(StrEnum):
    """What a visit is told by."""

    SCANNED = auto()
    UNLOCKED = auto()
    OPENED = auto()
    CLOSED = auto()
    LOCKED_AGAIN = auto()
    HANDED_TO_OWNER = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitEvent:
    """One moment, at the box's time in UTC; `trusted`: the box was certain of its clock then."""

    moment: VisitMoment
    at: datetime
    trusted: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineSpan:
    """From one instant to another; `end` None: the log does not tell it."""

    start: datetime
    end: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TemperatureReading:
    """A fridge's temperature in degrees Celsius; None: it was not told from here on."""

    at: datetime
    temp_c: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitTimeline:
    """All that the log tells of a visit, in the order of time. Temperatures by place."""

    happenings: tuple[VisitEvent, ...] = ()
    withdrawn: tuple[TimelineSpan, ...] = ()
    open: tuple[TimelineSpan, ...] = ()
    temperatures: Mapping[str, tuple[TemperatureReading, ...]] = field(default_factory=dict)

    def main(self) -> Mapping[VisitMoment, VisitEvent]:
        """The delivery's own moments.

        The first of each, but the last closing before the bolt was proven locked: the door may have opened again.
        """
        found: dict[VisitMoment, VisitEvent] = {}
        for one in self.happenings:
            locked = VisitMoment.LOCKED_AGAIN in found
            if one.moment not in found or (one.moment is VisitMoment.CLOSED and not locked):
                found[one.moment] = one
        return found

    def others(self) -> tuple[VisitEvent, ...]:
        """What is not among the main moments: other openings, the way out by hand."""
        main = set(self.main().values())
        return tuple(one for one in self.happenings if one not in main)


class _LogPart(BaseModel):
    """A part of a log row; it says more than is read here."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class _ReportPart(_LogPart):
    bolt: str | None = None
    door: str | None = None


class _HeardPart(_LogPart):
    retained: bool = True


class _FridgePart(_LogPart):
    temp_c: Annotated[float, Field(ge=-100, le=200)] | None = None  # anything else is no fridge's


class _EventPart(_LogPart):
    event: str
    id: str | None = None
    place: str | None = None
    report: _ReportPart = _ReportPart()
    heard: _HeardPart = _HeardPart()
    cold: _FridgePart = _FridgePart()


class _CommandPart(_LogPart):
    command: str
    house: str | None = None


class _StepEntry(_LogPart):
    kind: Literal["step"]
    at: AwareDatetime
    trusted: bool = False
    event: _EventPart
    commands: tuple[_CommandPart, ...] = ()


def read_timeline(bodies: Iterable[object], *, visit: str) -> VisitTimeline:
    """Read the decisions of one visit (`gateway/storage/decisions.py` writes them); other entries are passed over."""
    tracker = _TimelineReader(visit)
    for body in bodies:
        try:
            row = _StepEntry.model_validate(body)
        except ValidationError:
            continue
        tracker.take(row)
    return tracker.course()


class _TimelineReader:
    """Follows bolt, door and fridges through the rows."""

    def __init__(self, visit: str) -> None:
        self._visit = visit
        self._events: list[VisitEvent] = []
        self._bolt_retracted: list[TimelineSpan] = []
        self._door_open: list[TimelineSpan] = []
        self._temperatures: dict[str, list[TemperatureReading]] = {}

    def take(self, row: _StepEntry) -> None:
        event = row.event
        match event.event:
            case "Scanned" if event.id == self._visit:
                self._add_event(VisitMoment.SCANNED, row)
            case "LockHeard" if not event.heard.retained:
                self._on_bolt(event.report.bolt, row)
            case "DoorHeard" if not event.heard.retained:
                self._on_door(event.report.door, row)
            case "FridgeHeard" if event.place is not None:
                reading = TemperatureReading(at=row.at, temp_c=event.cold.temp_c)
                self._temperatures.setdefault(event.place, []).append(reading)
            case _:
                pass
        for command in row.commands:
            if command.command == "HouseResult" and command.house == DoorResult.HANDED_TO_OWNER:
                self._add_event(VisitMoment.HANDED_TO_OWNER, row)
            if command.command == "HouseResult" and command.house == DoorResult.LOCKED_AGAIN:
                self._add_event(VisitMoment.LOCKED_AGAIN, row)

    def course(self) -> VisitTimeline:
        return VisitTimeline(
            happenings=tuple(self._events),
            withdrawn=tuple(self._bolt_retracted),
            open=tuple(self._door_open),
            temperatures={
                place: tuple(readings)
                for place, readings in self._temperatures.items()
                if any(reading.temp_c is not None for reading in readings)
            },
        )

    def _on_bolt(self, bolt: str | None, row: _StepEntry) -> None:
        if bolt in RETRACTED_BOLT_STATES and _begin_span(self._bolt_retracted, row.at):
            self._add_event(VisitMoment.UNLOCKED, row)
        if bolt == LockState.LOCKED:
            _end_span(self._bolt_retracted, row.at)

    def _on_door(self, door: str | None, row: _StepEntry) -> None:
        if door in OPEN_DOOR_STATES and _begin_span(self._door_open, row.at):
            self._add_event(VisitMoment.OPENED, row)
        if door == DoorState.CLOSED and _end_span(self._door_open, row.at):
            self._add_event(VisitMoment.CLOSED, row)

    def _add_event(self, moment: VisitMoment, row: _StepEntry) -> None:
        self._events.append(VisitEvent(moment=moment, at=row.at, trusted=row.trusted))


def _begin_span(stretches: list[TimelineSpan], at: datetime) -> bool:
    """Begin a stretch, unless one runs."""
    if stretches and stretches[-1].end is None:
        return False
    stretches.append(TimelineSpan(start=at, end=None))
    return True


def _end_span(stretches: list[TimelineSpan], at: datetime) -> bool:
    """End the stretch that runs, if one does."""
    if not stretches or stretches[-1].end is not None:
        return False
    stretches[-1] = TimelineSpan(start=stretches[-1].start, end=at)
    return True
