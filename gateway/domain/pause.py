"""Parses and validates a pause of deliveries that the household plans from one time to another.

Pure. People give local times of the house; the stored and compared times are UTC. In the hour that the clocks repeat in
autumn, a pause takes the wider of its two meanings, so it never ends sooner than the household expects.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from enum import StrEnum, auto
from zoneinfo import ZoneInfo

from gateway.domain.frozen import Frozen
from gateway.domain.now import Now
from gateway.domain.visit.state import PausePeriod

MAX_PAUSE = timedelta(days=366)
MAX_PAUSE_LEAD = timedelta(days=366)
"""The maximum length of a pause, and how far ahead it may begin; a longer time means a mistyped year."""
MAX_OPEN_PAUSES = 50  # the maximum number of pauses of a house that are not over

_LOCAL_TIME = re.compile(r"(2[01]\d\d-\d\d-\d\d)[T ](\d\d:\d\d(:\d\d)?)", re.ASCII)


class PauseRefusal(StrEnum):
    """Why a pause is refused, or does not exist any more."""

    UNREADABLE = auto()
    NO_SUCH_TIME = auto()  # the clocks are put forward over it
    CLOCK_UNTRUSTED = auto()
    BACKWARDS = auto()
    PAST = auto()
    TOO_LONG = auto()
    TOO_FAR = auto()
    OVERLAPS = auto()
    TOO_MANY = auto()
    UNKNOWN = auto()  # no pause has this id: it has ended


class PlannedPause(Frozen):
    """A pause that is not over. `entrance` None: all entrances; `by` None: set without an account."""

    id: str
    entrance: str | None
    start: datetime
    end: datetime
    by: str | None

    def holds_at(self, entrance: str) -> bool:
        """Return whether the pause applies to this entrance."""
        return self.entrance in (None, entrance)

    @property
    def pause(self) -> PausePeriod:
        """Return the pause in the form that the state machine uses."""
        return PausePeriod(id=self.id, start=self.start, end=self.end)


def parse_local_time(text: str, zone: ZoneInfo, *, end: bool) -> datetime | PauseRefusal:
    """Parse a local time, `2026-11-28T18:00` or `2026-11-28 18:00`, as UTC. `end`: the time ends a pause."""
    match = _LOCAL_TIME.fullmatch(text.strip())
    if match is None:
        return PauseRefusal.UNREADABLE
    try:
        naive = datetime.fromisoformat(f"{match[1]}T{match[2]}")
    except ValueError:
        return PauseRefusal.UNREADABLE
    utc = naive.replace(tzinfo=zone, fold=int(end)).astimezone(UTC)
    return utc if utc.astimezone(zone).replace(tzinfo=None) == naive else PauseRefusal.NO_SUCH_TIME


def pause_refusal(new: PlannedPause, planned: Iterable[PlannedPause], now: Now) -> PauseRefusal | None:
    """Return why the new pause cannot be added to the `planned` ones, or None."""
    known = tuple(planned)
    if not now.trusted:
        return PauseRefusal.CLOCK_UNTRUSTED
    if new.end <= new.start:
        return PauseRefusal.BACKWARDS
    if new.end <= now.utc:
        return PauseRefusal.PAST
    if new.end - new.start > MAX_PAUSE:
        return PauseRefusal.TOO_LONG
    if new.start - now.utc > MAX_PAUSE_LEAD:
        return PauseRefusal.TOO_FAR
    if any(_overlaps(new, pause) for pause in known):
        return PauseRefusal.OVERLAPS
    return PauseRefusal.TOO_MANY if len(known) >= MAX_OPEN_PAUSES else None


def _overlaps(first: PlannedPause, second: PlannedPause) -> bool:
    same_door = None in (first.entrance, second.entrance) or first.entrance == second.entrance
    return same_door and first.start < second.end and second.start < first.end
