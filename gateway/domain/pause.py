"""A pause of deliveries from-to, as the household says it: how its times are read, and what is no pause.

Pure. People say times of the house; what is kept and compared is UTC. In the hour that autumn repeats a pause takes
the wider of its two meanings, so it never ends sooner than somebody believed.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum, auto
from zoneinfo import ZoneInfo

from gateway.domain.visit.state import Now, PausePeriod

MAX_PAUSE = timedelta(days=366)
MAX_PAUSE_LEAD = timedelta(days=366)
"""How long a pause may be, and how far ahead it may begin: beyond that a year was mistyped."""
MAX_OPEN_PAUSES = 50  # pauses of a house that are not over

_LOCAL_TIME = re.compile(r"(2[01]\d\d-\d\d-\d\d)[T ](\d\d:\d\d(:\d\d)?)", re.ASCII)


class PauseRefusal(StrEnum):
    """Why something is no pause, or is not one any more."""

    UNREADABLE = auto()
    NO_SUCH_TIME = auto()  # the clocks are put forward over it
    CLOCK_UNTRUSTED = auto()
    BACKWARDS = auto()
    PAST = auto()
    TOO_LONG = auto()
    TOO_FAR = auto()
    OVERLAPS = auto()
    TOO_MANY = auto()
    UNKNOWN = auto()  # no pause of this name: it is over, or was ended


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedPause:
    """A pause that is not over. `entrance` None: all of them; `by` None: not by an account."""

    id: str
    entrance: str | None
    start: datetime
    end: datetime
    by: str | None

    def holds_at(self, entrance: str) -> bool:
        """Whether it is (also) this entrance's."""
        return self.entrance in (None, entrance)

    @property
    def pause(self) -> PausePeriod:
        """What the decision knows of it."""
        return PausePeriod(id=self.id, start=self.start, end=self.end)


def parse_local_time(text: str, zone: ZoneInfo, *, end: bool) -> datetime | PauseRefusal:
    """Read a time of the house, `2026-11-28T18:00` or `2026-11-28 18:00`, as UTC; `end`: it ends a pause."""
    match = _LOCAL_TIME.fullmatch(text.strip())
    if match is None:
        return PauseRefusal.UNREADABLE
    try:
        naive = datetime.fromisoformat(f"{match[1]}T{match[2]}")
    except ValueError:
        return PauseRefusal.UNREADABLE
    utc = naive.replace(tzinfo=zone, fold=int(end)).astimezone(UTC)
    return utc if utc.astimezone(zone).replace(tzinfo=None) == naive else PauseRefusal.NO_SUCH_TIME


def is_ambiguous(instant: datetime, zone: ZoneInfo) -> bool:
    """Whether the house's clocks show this time twice."""
    local = instant.astimezone(zone)
    return local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()


def pause_refusal(new: PlannedPause, planned: Iterable[PlannedPause], now: Now) -> PauseRefusal | None:
    """Why this is no pause to begin; `planned` are those that stand already."""
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
    if any(_overlaps(new, one) for one in known):
        return PauseRefusal.OVERLAPS
    return PauseRefusal.TOO_MANY if len(known) >= MAX_OPEN_PAUSES else None


def _overlaps(one: PlannedPause, other: PlannedPause) -> bool:
    same_door = None in (one.entrance, other.entrance) or one.entrance == other.entrance
    return same_door and one.start < other.end and other.start < one.end
