"""The course of a visit as its log tells it: when bolt and door moved, how warm the fridge was.

What the log does not say is not here: nothing is concluded from silence.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum, auto
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from devices.reports import DoorState, LockState
from gateway.domain.visit.state import DoorResult

OPEN = frozenset({DoorState.OPEN, DoorState.AJAR, DoorState.FORCED_OPEN})
WITHDRAWN = frozenset({LockState.UNLOCKED, LockState.UNLATCHED, LockState.NOT_FULLY_LOCKED})


class Moment(StrEnum):
    """What a visit is told by."""

    SCANNED = auto()
    UNLOCKED = auto()
    OPENED = auto()
    CLOSED = auto()
    LOCKED_AGAIN = auto()
    HANDED_TO_OWNER = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """One moment, at the box's time in UTC; `trusted`: the box was certain of its clock then."""

    moment: Moment
    at: datetime
    trusted: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """From one instant to another; `end` None: the log does not tell it."""

    start: datetime
    end: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A fridge's temperature in degrees Celsius; None: it was not told from here on."""

    at: datetime
    temp_c: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """All that the log tells of a visit, in the order of time. Temperatures by place."""

    happenings: tuple[Happening, ...] = ()
    withdrawn: tuple[Stretch, ...] = ()
    open: tuple[Stretch, ...] = ()
    temperatures: Mapping[str, tuple[Reading, ...]] = field(default_factory=dict)

    def main(self) -> Mapping[Moment, Happening]:
        """The delivery's own moments.

        The first of each, but the last closing before the bolt was proven locked: the door may have opened again.
        """
        found: dict[Moment, Happening] = {}
        for one in self.happenings:
            locked = Moment.LOCKED_AGAIN in found
            if one.moment not in found or (one.moment is Moment.CLOSED and not locked):
                found[one.moment] = one
        return found

    def others(self) -> tuple[Happening, ...]:
        """What is not among the main moments: other openings, the way out by hand."""
        main = set(self.main().values())
        return tuple(one for one in self.happenings if one not in main)


class _Told(BaseModel):
    """A part of a log row; it says more than is read here."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class _Report(_Told):
    bolt: str | None = None
    door: str | None = None


class _Heard(_Told):
    retained: bool = True


class _Cold(_Told):
    temp_c: Annotated[float, Field(ge=-100, le=200)] | None = None  # anything else is no fridge's


class _Event(_Told):
    event: str
    id: str | None = None
    place: str | None = None
    report: _Report = _Report()
    heard: _Heard = _Heard()
    cold: _Cold = _Cold()


class _Command(_Told):
    command: str
    house: str | None = None


class _Row(_Told):
    kind: Literal["step"]
    at: AwareDatetime
    trusted: bool = False
    event: _Event
    commands: tuple[_Command, ...] = ()


def course(bodies: Iterable[object], *, visit: str) -> Course:
    """Read the decisions of one visit (`gateway/storage/decisions.py` writes them); other entries are passed over."""
    tracker = _Tracker(visit)
    for body in bodies:
        try:
            row = _Row.model_validate(body)
        except ValidationError:
            continue
        tracker.take(row)
    return tracker.course()


class _Tracker:
    """Follows bolt, door and fridges through the rows."""

    def __init__(self, visit: str) -> None:
        self._visit = visit
        self._happenings: list[Happening] = []
        self._withdrawn: list[Stretch] = []
        self._open: list[Stretch] = []
        self._temperatures: dict[str, list[Reading]] = {}

    def take(self, row: _Row) -> None:
        event = row.event
        match event.event:
            case "Scanned" if event.id == self._visit:
                self._note(Moment.SCANNED, row)
            case "LockHeard" if not event.heard.retained:
                self._bolt(event.report.bolt, row)
            case "DoorHeard" if not event.heard.retained:
                self._door(event.report.door, row)
            case "FridgeHeard" if event.place is not None:
                reading = Reading(at=row.at, temp_c=event.cold.temp_c)
                self._temperatures.setdefault(event.place, []).append(reading)
            case _:
                pass
        for command in row.commands:
            if command.command == "HouseResult" and command.house == DoorResult.HANDED_TO_OWNER:
                self._note(Moment.HANDED_TO_OWNER, row)
            if command.command == "HouseResult" and command.house == DoorResult.LOCKED_AGAIN:
                self._note(Moment.LOCKED_AGAIN, row)

    def course(self) -> Course:
        return Course(
            happenings=tuple(self._happenings),
            withdrawn=tuple(self._withdrawn),
            open=tuple(self._open),
            temperatures={
                place: tuple(readings)
                for place, readings in self._temperatures.items()
                if any(reading.temp_c is not None for reading in readings)
            },
        )

    def _bolt(self, bolt: str | None, row: _Row) -> None:
        if bolt in WITHDRAWN and _begin(self._withdrawn, row.at):
            self._note(Moment.UNLOCKED, row)
        if bolt == LockState.LOCKED:
            _end(self._withdrawn, row.at)

    def _door(self, door: str | None, row: _Row) -> None:
        if door in OPEN and _begin(self._open, row.at):
            self._note(Moment.OPENED, row)
        if door == DoorState.CLOSED and _end(self._open, row.at):
            self._note(Moment.CLOSED, row)

    def _note(self, moment: Moment, row: _Row) -> None:
        self._happenings.append(Happening(moment=moment, at=row.at, trusted=row.trusted))


def _begin(stretches: list[Stretch], at: datetime) -> bool:
    """Begin a stretch, unless one runs."""
    if stretches and stretches[-1].end is None:
        return False
    stretches.append(Stretch(start=at, end=None))
    return True


def _end(stretches: list[Stretch], at: datetime) -> bool:
    """End the stretch that runs, if one does."""
    if not stretches or stretches[-1].end is not None:
        return False
    stretches[-1] = Stretch(start=stretches[-1].start, end=at)
    return True
