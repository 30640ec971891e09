"""Computes from a home's terms whether and when it accepts a delivery. Pure.

Not from whether somebody is home, nor from how an entrance is doing: of both a retailer learns nothing here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum, auto
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from gateway.domain.delivery.permission import PermissionTerms, allowed_spans
from gateway.protocol.box_hub import MAX_NAMES_PER_DECISION

MAX_WINDOW = timedelta(days=7)  # as a delivery's window
MAX_WINDOWS = 32  # windows; seven days have fewer


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
class AvailabilityResult:
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


def check_availability(  # noqa: PLR0913 - what is asked, and what is known
    terms: PermissionTerms | None,
    start: datetime,
    end: datetime,
    entrance: str | None,
    *,
    zone: ZoneInfo | None,
    now: datetime,
) -> AvailabilityResult:
    """Tell whether a home takes a delivery from `start` to `end`; `terms`: None where it has not let the brand in."""
    if terms is None:
        return AvailabilityResult(why=Why.NOT_GRANTED)
    if not terms.let_in or (entrance is not None and entrance not in terms.entrances):
        return AvailabilityResult(why=Why.ENTRANCE_NOT_PERMITTED)
    if end <= now:
        return AvailabilityResult(why=Why.PAST)
    if zone is None:
        return AvailabilityResult(why=Why.NOT_KNOWN)
    until = end if terms.expires is None else min(end, terms.expires)
    begin = max(start, now)
    if until <= begin:
        return AvailabilityResult(why=Why.EXPIRED)
    windows = tuple(allowed_spans(begin, until, terms, zone=zone)[:MAX_WINDOWS])
    if windows != ((begin, until),):
        return AvailabilityResult(why=Why.OUTSIDE_WINDOW, windows=windows)
    return AvailabilityResult(why=None if until == end else Why.EXPIRED, windows=windows)


@dataclass(frozen=True, slots=True)
class ForbiddenPart:
    """A part of a delivery that the permission does not allow, and what it allows instead."""

    part: str  # entrance | place | carrier
    given: str
    allowed: tuple[str, ...]

    def __str__(self) -> str:
        """In words, of nothing but what the brand was told."""
        return f"The permission allows no {self.part} {self.given!r}, but {', '.join(self.allowed) or 'none'}."


def forbidden_parts(terms: Mapping[str, Any], parts: Mapping[str, str]) -> tuple[ForbiddenPart, ...]:
    """Tell what of these (`entrance`, `place`, `carrier`) a home's terms, as they are kept, do not allow.

    A list that nobody told forbids nothing, nor one that may have been cut off when it was
    (gateway/storage/hub_journal.py).
    """
    known = {part: terms.get(f"{part}s") for part in ("entrance", "place", "carrier")}
    return tuple(
        ForbiddenPart(part, parts[part], tuple(sorted(allowed)))
        for part, allowed in known.items()
        if part in parts
        and allowed is not None
        and parts[part] not in allowed
        and len(allowed) < MAX_NAMES_PER_DECISION
    )
