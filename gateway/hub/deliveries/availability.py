"""Computes from a home's terms whether and when it accepts a delivery. Pure.

It uses neither the household's presence nor the state of an entrance, so a retailer learns nothing about them.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum, auto
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from gateway.domain.delivery.carrier_names import same_carrier
from gateway.domain.delivery.permission import PermissionTerms, allowed_spans
from gateway.domain.delivery.promise import WireModel
from gateway.domain.frozen import Frozen
from gateway.protocol.box_hub import MAX_NAMES_PER_DECISION

MAX_WINDOW = timedelta(days=7)  # as a delivery's window
MAX_WINDOWS = 32  # seven days have fewer


class GivenTerms(WireModel):
    """The terms that a home granted, as far as the brand may know them.

    `entrance_places`: which of `places` belong to each entrance; null: the home did not say.
    """

    entrances: tuple[str, ...]
    places: tuple[str, ...]
    entrance_places: dict[str, tuple[str, ...]] | None = None
    carriers: tuple[str, ...]
    days: tuple[str, ...]
    hours: str
    openings: int
    expires: datetime | None = None
    hub_signed: bool = False

    @property
    def permission_terms(self) -> PermissionTerms:
        """Return them as a box evaluates them, or raise ValueError if they are contradictory."""
        return PermissionTerms(
            entrances=frozenset(self.entrances), places=frozenset(self.places), carriers=frozenset(self.carriers),
            days=frozenset(self.days), hours=self.hours, openings=self.openings, expires=self.expires,
        )  # fmt: skip


class ImpossibleReason(StrEnum):
    """The reason why a delivery is not possible."""

    NOT_GRANTED = auto()  # the home has not let the brand in, or no longer
    PAST = auto()  # the hours are over
    EXPIRED = auto()  # the permission ends before
    ENTRANCE_NOT_PERMITTED = auto()
    PLACE_NOT_PERMITTED = auto()  # at that entrance, or at any
    OUTSIDE_WINDOW = auto()  # some of it lies outside the allowed days and hours; `windows` are the parts that do not
    NOT_KNOWN = auto()  # the home has not reported its time zone yet


class AvailabilityResult(Frozen):
    """Why a delivery is not possible (None: it is), and the permitted parts of its time."""

    why: ImpossibleReason | None
    windows: tuple[tuple[datetime, datetime], ...] = ()


def zone_of(report: Mapping[str, Any]) -> ZoneInfo | None:
    """Return the time zone that the home reported, or None if this machine does not know it."""
    name = report.get("timezone")
    try:
        return ZoneInfo(name) if isinstance(name, str) and name else None
    except (ZoneInfoNotFoundError, ValueError, OSError):  # a folder of zones raises an OSError
        return None


def entrance_places(report: Mapping[str, Any], terms: Mapping[str, Any]) -> dict[str, list[str]] | None:
    """Return which of the permitted places belong to each permitted entrance, as the home reported them.

    None: the home has reported none of these entrances.
    """
    known = {entrance["id"]: entrance["places"] for entrance in report.get("entrances", ())}
    places = {
        entrance: [place for place in known[entrance] if place in terms["places"]]
        for entrance in terms["entrances"]
        if entrance in known
    }
    return places or None


def check_availability(  # noqa: PLR0913 - the question and the known facts
    terms: PermissionTerms | None,
    start: datetime,
    end: datetime,
    entrance: str | None,
    *,
    zone: ZoneInfo | None,
    now: datetime,
    place: str | None = None,
    places: Mapping[str, Sequence[str]] | None = None,
) -> AvailabilityResult:
    """Return whether a home accepts a delivery from `start` to `end`; `terms` is None without permission.

    `places`: which place belongs to which entrance; None: that is not known.
    """
    if terms is None:
        return AvailabilityResult(why=ImpossibleReason.NOT_GRANTED)
    if not terms.let_in or (entrance is not None and entrance not in terms.entrances):
        return AvailabilityResult(why=ImpossibleReason.ENTRANCE_NOT_PERMITTED)
    if place is not None and not _is_place_permitted(place, entrance, terms, places or {}):
        return AvailabilityResult(why=ImpossibleReason.PLACE_NOT_PERMITTED)
    if end <= now:
        return AvailabilityResult(why=ImpossibleReason.PAST)
    if zone is None:
        return AvailabilityResult(why=ImpossibleReason.NOT_KNOWN)
    until = end if terms.expires is None else min(end, terms.expires)
    begin = max(start, now)
    if until <= begin:
        return AvailabilityResult(why=ImpossibleReason.EXPIRED)
    windows = tuple(allowed_spans(begin, until, terms, zone=zone)[:MAX_WINDOWS])
    if windows != ((begin, until),):
        return AvailabilityResult(why=ImpossibleReason.OUTSIDE_WINDOW, windows=windows)
    return AvailabilityResult(why=None if until == end else ImpossibleReason.EXPIRED, windows=windows)


def _is_place_permitted(
    place: str, entrance: str | None, terms: PermissionTerms, places: Mapping[str, Sequence[str]]
) -> bool:
    through = terms.entrances if entrance is None else {entrance}
    return place in terms.places and any(place in places.get(one, (place,)) for one in through)


def misplaced(terms: Mapping[str, Any], entrance: str, place: str) -> str | None:
    """Return why a permitted place does not belong to this entrance; None: it does, or that is not known."""
    known = (terms.get("entrance_places") or {}).get(entrance)
    if known is None or place in known or place not in terms["places"]:
        return None
    return f"Entrance {entrance!r} has no permitted place {place!r}, but {', '.join(sorted(known)) or 'none'}."


def forbidden_parts(terms: Mapping[str, Any], parts: Mapping[str, str]) -> dict[str, str]:
    """Return why a home's stored terms do not allow some of the parts (`entrance`, `place`, `carrier`).

    A missing list forbids nothing, nor does a list that may have been shortened (gateway/storage/hub_journal.py). A
    reason has only values that the brand knows already.
    """
    reasons = {}
    for part in ("entrance", "place", "carrier"):
        allowed = terms.get(f"{part}s")
        if part not in parts or allowed is None or parts[part] in allowed or len(allowed) >= MAX_NAMES_PER_DECISION:
            continue
        if part == "carrier" and same_carrier(parts[part], allowed) is not None:
            continue
        named = ", ".join(sorted(allowed)) or "none"
        reasons[part] = f"The permission allows no {part} {parts[part]!r}, but {named}."
    return reasons
