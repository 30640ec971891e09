"""Whether a home takes a delivery at some hours: reckoned from the terms that it gave, and from nothing else. Pure.

Not from whether somebody is home, nor from how an entrance is doing: of both a retailer learns nothing here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum, auto
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from gateway.delivery.permission import Terms, stretches

LONGEST = timedelta(days=7)  # as a delivery's window
MOST = 32  # windows; seven days have fewer


class Why(StrEnum):
    """Why not."""

    NOT_GRANTED = auto()
    """The home has not let the brand in, or no longer."""

    PAST = auto()
    """The hours are over."""

    EXPIRED = auto()
    """The permission ends before."""

    ENTRANCE_NOT_PERMITTED = auto()
    OUTSIDE_WINDOW = auto()
    """Some of it lies outside the allowed days and hours; `windows` are the parts that do not."""

    NOT_KNOWN = auto()
    """The home has not told its time zone yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Whether, why not, and which parts of it are allowed."""

    why: Why | None
    windows: tuple[tuple[datetime, datetime], ...] = ()

    @property
    def possible(self) -> bool:
        """Whether the whole of it is allowed."""
        return self.why is None


def zone_of(said: Mapping[str, Any]) -> ZoneInfo | None:
    """The zone that a home told; None: it told none that is known here."""
    name = said.get("timezone")
    try:
        return ZoneInfo(name) if isinstance(name, str) and name else None
    except (ZoneInfoNotFoundError, ValueError, OSError):  # a folder of the zones' is an OSError
        return None


def available(  # noqa: PLR0913 - what is asked, and what is known
    terms: Terms | None, start: datetime, end: datetime, entrance: str | None, *, zone: ZoneInfo | None, now: datetime
) -> Answer:
    """Tell whether a home takes a delivery from `start` to `end`; `terms`: None where it has not let the brand in."""
    if terms is None:
        return Answer(why=Why.NOT_GRANTED)
    if not terms.let_in or (entrance is not None and entrance not in terms.entrances):
        return Answer(why=Why.ENTRANCE_NOT_PERMITTED)
    if end <= now:
        return Answer(why=Why.PAST)
    if zone is None:
        return Answer(why=Why.NOT_KNOWN)
    until = end if terms.expires is None else min(end, terms.expires)
    begin = max(start, now)
    if until <= begin:
        return Answer(why=Why.EXPIRED)
    windows = tuple(stretches(begin, until, terms, zone=zone)[:MOST])
    if windows != ((begin, until),):
        return Answer(why=Why.OUTSIDE_WINDOW, windows=windows)
    return Answer(why=None if until == end else Why.EXPIRED, windows=windows)
