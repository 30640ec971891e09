"""Defines what the owner permits a brand to do. An empty list allows nothing; to allow everything, name everything."""

import math
import re
from bisect import bisect_left
from datetime import UTC, datetime, timedelta
from enum import StrEnum, auto
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator

from gateway.domain.day import clamp_instant
from gateway.domain.delivery.carrier_names import carrier_id, carrier_ids
from gateway.domain.delivery.promise import DeliveryOrder
from gateway.domain.delivery.result import Refusal
from gateway.domain.frozen import Frozen

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_HOURS = re.compile(r"([0-9]{2}):([0-9]{2})-([0-9]{2}):([0-9]{2})")
_DAY = timedelta(days=1)


class PermissionStatus(StrEnum):
    """The state of the owner's decision."""

    PENDING = auto()
    GRANTED = auto()
    REFUSED = auto()
    REVOKED = auto()


def _clamp(instant: datetime | None) -> datetime | None:
    """Bring a time that an earlier release stored within the bounds; pydantic calls it before `__post_init__`."""
    return instant if instant is None or instant.tzinfo is None else clamp_instant(instant)


class PermissionTerms(Frozen):
    """What a granted permission allows. Days and hours are the house's own; hours may run past midnight."""

    entrances: frozenset[str] = frozenset()
    places: frozenset[str] = frozenset()
    carriers: frozenset[str] = frozenset()
    days: frozenset[str] = frozenset(DAYS)
    hours: str = "00:00-24:00"
    openings: int = 1
    ask_each_time: bool = False
    expires: Annotated[datetime | None, AfterValidator(_clamp)] = None
    hub_signed: bool = False  # accepts orders that only the hub signed: its operator may then announce too

    @property
    def let_in(self) -> bool:
        """Return whether these terms allow the brand any entrance at all."""
        return bool(self.entrances and self.places and self.carriers and self.days)

    def __post_init__(self) -> None:
        """Raise ValueError, with the reason, if the terms contradict themselves."""
        parse_hours(self.hours)
        if not self.days <= set(DAYS):
            raise ValueError("days are mon, tue, wed, thu, fri, sat, sun")
        if not 1 <= self.openings <= 10:
            raise ValueError("a delivery has 1 to 10 openings")
        if self.expires is not None and self.expires.tzinfo is None:
            raise ValueError("an expiry has an offset from UTC")
        if self.expires is not None and self.expires != clamp_instant(self.expires):
            raise ValueError("an expiry lies in the years 2000 to 2200")


class Permission(Frozen):
    """The owner's decision on one brand; `version` rises with every change."""

    brand: str
    version: int
    standing: PermissionStatus
    terms: PermissionTerms


def permission_refusal(
    permission: Permission | None, order: DeliveryOrder, *, zone: ZoneInfo, utc: datetime
) -> Refusal | None:
    """Return why the owner's permission does not allow this order at `utc`, or None."""
    if permission is not None and permission.standing is PermissionStatus.PENDING:
        return Refusal.AWAITING_PERMISSION
    if permission is None or permission.standing is not PermissionStatus.GRANTED:
        return Refusal.BRAND_NOT_PERMITTED
    terms = permission.terms
    if terms.expires is not None and max(utc, order.end) > terms.expires:
        return Refusal.BRAND_NOT_PERMITTED
    if order.by_hub and not terms.hub_signed:
        return Refusal.HUB_SIGNED_NOT_PERMITTED
    places = {order.place, *(item.place for item in order.items)}
    if order.entrance not in terms.entrances or not places <= terms.places:
        return Refusal.BRAND_NOT_PERMITTED
    if order.carrier not in terms.carriers and carrier_id(order.carrier) not in carrier_ids(terms.carriers):
        return Refusal.CARRIER_NOT_PERMITTED
    if not is_within_terms(order.start, order.end, terms, zone=zone):
        return Refusal.OUTSIDE_WINDOW
    return None


def extends_permission(before: Permission | None, terms: PermissionTerms) -> bool:
    """Return whether these terms would allow the brand more than now; hours are compared as they are written."""
    if before is None or before.standing is not PermissionStatus.GRANTED:
        return True
    now = before.terms
    (opened, closed), (opens, closes) = parse_hours(now.hours), parse_hours(terms.hours)
    lists = ((terms.entrances, now.entrances), (terms.places, now.places),
             (carrier_ids(terms.carriers), carrier_ids(now.carriers)), (terms.days, now.days))  # fmt: skip
    return (
        any(not new <= old for new, old in lists)
        or opens < opened
        or closes > closed
        or terms.openings > now.openings
        or (now.ask_each_time and not terms.ask_each_time)
        or (terms.hub_signed and not now.hub_signed)
        or (now.expires is not None and (terms.expires is None or terms.expires > now.expires))
    )


def is_within_terms(start: datetime, end: datetime, terms: PermissionTerms, *, zone: ZoneInfo) -> bool:
    """Return whether every second from `start` to `end` is on an allowed day and hour of the house's wall clock.

    An hour that the clocks repeat in autumn is checked twice; an hour that they skip in spring is not checked.
    """
    return allowed_spans(start, end, terms, zone=zone) == [(start, end)]


def allowed_spans(
    start: datetime, end: datetime, terms: PermissionTerms, *, zone: ZoneInfo
) -> list[tuple[datetime, datetime]]:
    """Return the parts of `start` to `end` within the allowed days and hours, in order, none touching the next."""
    spans: list[tuple[datetime, datetime]] = []
    opens, closes = parse_hours(terms.hours)
    at = start.astimezone(UTC)
    for wall, length in _wall_clock_pieces(start, end, zone):
        day = wall.replace(hour=0, minute=0, second=0, microsecond=0) - _DAY
        while day < wall + length:
            first, last = max(wall, day + opens), min(wall + length, day + closes)
            if DAYS[day.weekday()] in terms.days and first < last:
                piece = (at + (first - wall), at + (last - wall))
                if spans and piece[0] <= spans[-1][1]:
                    spans[-1] = (spans[-1][0], max(spans[-1][1], piece[1]))
                else:
                    spans.append(piece)
            day += _DAY
        at += length
    return spans


def parse_hours(hours: str) -> tuple[timedelta, timedelta]:
    """Parse "HH:MM-HH:MM" as times since midnight; an end not after the start is on the next day."""
    match = _HOURS.fullmatch(hours)
    if match is None:
        raise ValueError("hours are written HH:MM-HH:MM")
    h1, m1, h2, m2 = map(int, match.groups())
    opens, closes = timedelta(hours=h1, minutes=m1), timedelta(hours=h2, minutes=m2)
    if m1 > 59 or m2 > 59 or opens >= _DAY or closes > _DAY:
        raise ValueError("hours lie between 00:00 and 24:00")
    return opens, closes if closes > opens else closes + _DAY


def _wall_clock_pieces(start: datetime, end: datetime, zone: ZoneInfo) -> list[tuple[datetime, timedelta]]:
    """Split at each change of the zone's offset; return each piece's first wall-clock time and its length."""
    pieces = []
    at = start.astimezone(UTC)
    while at < end:
        until = _same_offset_until(at, min(end.astimezone(UTC), at + _DAY), zone)
        pieces.append((at.astimezone(zone).replace(tzinfo=None), until - at))
        at = until
    return pieces


def _same_offset_until(start: datetime, end: datetime, zone: ZoneInfo) -> datetime:
    """Find the first change of offset after `start`, at whole seconds, or return `end`.

    No zone changes its offset twice within six hours, so equal offsets at both ends of six hours mean no change
    between.
    """
    offset = start.astimezone(zone).utcoffset()

    def has_changed_after(seconds: float) -> bool:
        return (start + timedelta(seconds=seconds)).astimezone(zone).utcoffset() != offset

    length = (end - start).total_seconds()
    low = 0.0
    while not has_changed_after(high := min(low + 6 * 3600, length)):
        if high == length:
            return end
        low = high
    second = bisect_left(range(math.ceil(high)), x=True, lo=math.floor(low), key=has_changed_after)
    return (start + timedelta(seconds=second)).replace(microsecond=0)
