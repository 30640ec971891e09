"""Computes a visit's timeline from its log: bolt, door, fridge.

What the log does not say is not here: nothing is concluded from silence.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from datetime import datetime
from enum import StrEnum, auto
from operator import attrgetter

from devices.reports import DoorState, LockState
from gateway.domain.delivery.result import DoorResult
from gateway.domain.frozen import Frozen
from gateway.domain.visit.closures.contract import MAIN_CLOSURE
from gateway.protocol.narrative import HappeningKind, narrative

OPEN_DOOR_STATES = frozenset({DoorState.OPEN, DoorState.AJAR, DoorState.FORCED_OPEN})
RETRACTED_BOLT_STATES = frozenset({LockState.UNLOCKED, LockState.UNLATCHED, LockState.NOT_FULLY_LOCKED})


class VisitMoment(StrEnum):
    """The kinds of events in a timeline."""

    SCANNED = auto()
    UNLOCKED = auto()
    OPENED = auto()
    CLOSED = auto()
    LOCKED_AGAIN = auto()
    HANDED_TO_OWNER = auto()


OF_CLOSURES = frozenset({VisitMoment.UNLOCKED, VisitMoment.OPENED, VisitMoment.CLOSED})
"""The moments that each closure has; the others are the visit's."""


class VisitEvent(Frozen):
    """One moment, at the box's time in UTC; `trusted`: the box was certain of its clock then.

    `closure`: the id of the closure that opened or closed, empty for the main door, or if no closure did.
    """

    moment: VisitMoment
    at: datetime
    trusted: bool = True
    closure: str = ""


class TimelineSpan(Frozen):
    """A time span; `end` is None if the log does not contain it."""

    start: datetime
    end: datetime | None


class TemperatureReading(Frozen):
    """A fridge's temperature in degrees Celsius; None: unknown from here on."""

    at: datetime
    temp_c: float | None


class VisitTimeline(Frozen):
    """The events of a visit's log in the order of time, and temperatures by place.

    `innermost`: the last closure of the way in, by the id that events have of it; None: the log has only one.
    """

    events: tuple[VisitEvent, ...] = ()
    innermost: str | None = None
    withdrawn: tuple[TimelineSpan, ...] = ()
    open: tuple[TimelineSpan, ...] = ()
    temperatures: Mapping[str, tuple[TemperatureReading, ...]] = field(default_factory=dict)

    def first_of_each(self) -> Mapping[VisitMoment, VisitEvent]:
        """The delivery's own moments.

        The first of each, but the last closing before the bolt was proven locked: the door may have opened again. If
        the way in has several closures, those of the last one count, because the parcel lies behind it. Moments that
        the log does not have of the last one are those of another closure.
        """
        first: dict[VisitMoment, VisitEvent] = {}
        of_innermost = {event.moment for event in self.events if event.closure == self.innermost}
        for event in self.events:
            if event.moment in OF_CLOSURES & of_innermost and event.closure != self.innermost:
                continue
            locked = VisitMoment.LOCKED_AGAIN in first
            if event.moment not in first or (event.moment is VisitMoment.CLOSED and not locked):
                first[event.moment] = event
        return first

    def remaining_events(self) -> tuple[VisitEvent, ...]:
        """What is not among the main moments: other openings, the way out by hand."""
        main = set(self.first_of_each().values())
        return tuple(event for event in self.events if event not in main)


def read_timeline(bodies: Iterable[object], *, visit: str, way: Sequence[str] = ()) -> VisitTimeline:
    """Read the decisions of one visit (`gateway/storage/decisions.py` writes them); other entries are skipped.

    `way`: the ids of the closures on its way in, as its manifest names them.
    """
    events: list[VisitEvent] = []
    bolts: defaultdict[str, list[TimelineSpan]] = defaultdict(list)  # closure -> when its bolt was retracted
    doors: defaultdict[str, list[TimelineSpan]] = defaultdict(list)  # closure -> when it was open
    temperatures: dict[str, list[TemperatureReading]] = {}
    for happening in narrative(bodies):
        moment: VisitMoment | None = None
        match happening.kind, happening.value:
            case HappeningKind.CODE_SCANNED, id_ if id_ == visit:
                moment = VisitMoment.SCANNED
            case HappeningKind.BOLT_REPORTED, bolt if not happening.is_retained:
                if bolt in RETRACTED_BOLT_STATES and _begin_span(bolts[happening.subject], happening.at):
                    moment = VisitMoment.UNLOCKED
                if bolt == LockState.LOCKED:
                    _end_span(bolts[happening.subject], happening.at)
            case HappeningKind.DOOR_REPORTED, door if not happening.is_retained:
                if door in OPEN_DOOR_STATES and _begin_span(doors[happening.subject], happening.at):
                    moment = VisitMoment.OPENED
                if door == DoorState.CLOSED and _end_span(doors[happening.subject], happening.at):
                    moment = VisitMoment.CLOSED
            case HappeningKind.FRIDGE_REPORTED, place:
                temperatures.setdefault(place, []).append(TemperatureReading(at=happening.at, temp_c=happening.temp_c))
            case HappeningKind.DOOR_RESULT_REPORTED, result if result in _RESULT_MOMENTS:
                moment = _RESULT_MOMENTS[result]
            case _:
                pass
        if moment is not None:
            closure = happening.subject if moment in OF_CLOSURES else ""
            trusted = happening.is_clock_trusted
            events.append(VisitEvent(moment=moment, at=happening.at, trusted=trusted, closure=closure))
    innermost = None if len(way) <= 1 else way[-1]
    return VisitTimeline(
        events=tuple(events),
        innermost="" if innermost == MAIN_CLOSURE else innermost,
        withdrawn=_in_order(bolts),
        open=_in_order(doors),
        temperatures={
            place: tuple(readings)
            for place, readings in temperatures.items()
            if any(reading.temp_c is not None for reading in readings)
        },
    )


_RESULT_MOMENTS: Mapping[str, VisitMoment] = {
    DoorResult.LOCKED_AGAIN: VisitMoment.LOCKED_AGAIN,
    DoorResult.HANDED_TO_OWNER: VisitMoment.HANDED_TO_OWNER,
}


def _in_order(spans: Mapping[str, list[TimelineSpan]]) -> tuple[TimelineSpan, ...]:
    return tuple(sorted((span for of_closure in spans.values() for span in of_closure), key=attrgetter("start")))


def _begin_span(stretches: list[TimelineSpan], at: datetime) -> bool:
    if stretches and stretches[-1].end is None:
        return False
    stretches.append(TimelineSpan(start=at, end=None))
    return True


def _end_span(stretches: list[TimelineSpan], at: datetime) -> bool:
    if not stretches or stretches[-1].end is not None:
        return False
    stretches[-1] = TimelineSpan(start=stretches[-1].start, end=at)
    return True
