"""Decides on parcels that the owner announces to the house: who brings one, and whether it may come in today. Pure.

The box itself makes the promise, under the brand `own`. A tracking number is no secret, so it opens nothing alone: the
parcel has to be out for delivery on the house's own day, as a live report of the household's tracking says or as the
owner said for that day. Into the living space it comes only with the owner's yes to the visit (`needs_yes`).
"""

import hmac
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from hashlib import sha256
from types import MappingProxyType
from typing import Final
from urllib.parse import unquote
from zoneinfo import ZoneInfo

from devices.reports import ParcelStatus
from gateway.domain.day import day_end
from gateway.domain.delivery import carrier_names
from gateway.domain.delivery.barcodes import NO_PARCEL_KINDS, BarcodeKind, InvalidBarcode, ParcelCode, normalise
from gateway.domain.delivery.carriers import CARRIER_BARCODES, is_tracking_number
from gateway.domain.delivery.result import Refusal
from gateway.domain.frozen import Frozen
from gateway.domain.now import Now
from gateway.domain.timing import Timing

OWN_BRAND = "own"  # the brand of the box's own promises; no brand of the house file or of a hub may have this id
YES_WITHIN_S = 60.0  # seconds from the scan to the owner's yes
MAX_TEXT_CHARS = 2000  # of what the owner types or pastes
MAX_DAYS = 7  # of one announcement
MAX_WINDOW = timedelta(days=7)  # of a promise; seven days in autumn are an hour longer
MIN_CODE_CHARS = 8  # a shorter number could be guessed at the scanner
ANY_CARRIER = "other"

_OWN_CARRIERS = frozenset(
    {
        "amazon", "bpost", "chronopost", "colis_prive", "colissimo", "dhl", "dpd", "fedex", "gls", "laposte",
        "mondial_relay", "postnl", "royal_mail", "ups", "usps",
    }
)  # fmt: skip
CARRIERS: Mapping[str, str] = MappingProxyType(
    {carrier.id: carrier.name for carrier in carrier_names.CARRIERS if carrier.id in _OWN_CARRIERS}
    | {ANY_CARRIER: "Carrier"}
)
"""The carriers that the owner may choose, by id; the name is that of the delivery's carrier."""

_HOSTS: Mapping[str, str] = MappingProxyType(
    {
        "amazon": "amazon", "bpost": "bpost", "chronopost": "chronopost", "colisprive": "colis_prive", "dhl": "dhl",
        "dpd": "dpd", "fedex": "fedex", "gls-group": "gls", "gls-pakete": "gls", "mondialrelay": "mondial_relay",
        "postnl": "postnl", "royalmail": "royal_mail", "ups": "ups", "usps": "usps",
    }
)  # fmt: skip
"""The carrier of a link, by a label of its host name. La Poste's site tracks letters, Colissimo and Chronopost."""

# UPU S10: the last two letters are the country's post, the first is the kind of service (E: EMS, C: parcel, L and R:
# letter). In France Chronopost has EMS and X of its own.
_POSTS: Mapping[str, str] = MappingProxyType(
    {"BE": "bpost", "DE": "dhl", "GB": "royal_mail", "NL": "postnl", "US": "usps"}
)
_FRENCH_SERVICES: Mapping[str, str] = MappingProxyType(
    {"C": "colissimo", "E": "chronopost", "X": "chronopost", "L": "laposte", "R": "laposte"}
)
_CHECKED_KINDS = frozenset({BarcodeKind.SSCC, BarcodeKind.S10, BarcodeKind.UPS, BarcodeKind.COLISSIMO})
_FINAL = frozenset({ParcelStatus.DELIVERED, ParcelStatus.RETURNING, ParcelStatus.AT_PICKUP_POINT})
_LINK = re.compile(r"https?://(?P<host>[^/?#]*)(?P<rest>.*)", re.IGNORECASE | re.DOTALL)
_WORD = re.compile(r"[A-Za-z0-9%]{8,64}")
_PARTS = re.compile(r"[/?&=#;,+\s]+")

# Why a text is not taken; the pages have words for each.
TOO_LONG: Final = "too_long"
NO_NUMBER: Final = "no_number"
SEVERAL_NUMBERS: Final = "several_numbers"
TOO_SHORT: Final = "too_short"
NOT_A_PARCEL: Final = "not_a_parcel"
READING_PROBLEMS = (TOO_LONG, NO_NUMBER, SEVERAL_NUMBERS, TOO_SHORT, NOT_A_PARCEL)


class ReadNumber(Frozen):
    """A parcel's number in its normal form, and the carrier that it shows; None: it shows none."""

    code: str
    carrier: str | None


class TrackedStatus(Frozen):
    """The status of one parcel by a live report of the household's tracking, from `at` to, not including, `until`."""

    status: ParcelStatus
    at: datetime
    until: datetime


def own_delivery_id(carrier: str, code: str, key: bytes) -> str:
    """Return the id of a parcel's promise: its carrier, and 128 bits of the code's digest under the box's own key.

    The same parcel always gets the same id, so it comes in once; nobody without the key can compute or undo the digest.
    """
    digest = hmac.new(key, b"own parcel\0" + code.encode(), sha256).hexdigest()
    return f"{carrier.replace('_', '-')}-{digest[:32]}"


def read_number(text: str) -> ReadNumber | str:
    """Find the parcel's number in what the owner typed, pasted or photographed: a number, a label's code, a link.

    Otherwise return why there is none, one of `READING_PROBLEMS`. In a link or a message the number is the one whose
    check digit is right, else the only one that looks like a number; of two nothing is guessed.
    """
    text = text.strip()
    if len(text) > MAX_TEXT_CHARS:
        return TOO_LONG
    is_link = _LINK.match(text) is not None
    whole = None if is_link and len(text) > 128 else _parcel_code(text)
    if isinstance(whole, ParcelCode) and not (is_link and whole.kind is BarcodeKind.EXACT):
        if not is_link and whole.kind is BarcodeKind.EXACT and len(text.split()) > 1:
            pass  # a message, or a number that is written in groups
        elif len(whole.value) < MIN_CODE_CHARS:
            return TOO_SHORT
        else:
            return ReadNumber(code=whole.value, carrier=_carrier_of(text, whole))
    elif whole == NOT_A_PARCEL:
        return NOT_A_PARCEL
    if is_link:
        return _only_number(_link_parts(text), _carrier_of_link(text))
    return _only_number(_WORD.findall(text), None)


def _only_number(parts: list[str], carrier: str | None) -> ReadNumber | str:
    """Return the one number among these parts; a number with a right check digit goes before all others."""
    found: dict[str, ReadNumber] = {}
    plain: dict[str, ReadNumber] = {}
    for part in parts:
        code = _parcel_code(part)
        if not isinstance(code, ParcelCode) or len(code.value) < MIN_CODE_CHARS:
            continue
        read = ReadNumber(code=code.value, carrier=_carrier_of(part, code) or carrier)
        if code.kind in _CHECKED_KINDS:
            found[code.value] = read
        elif is_tracking_number(code.value):
            plain[code.value] = read
    for numbers in (found, plain):
        if len(numbers) > 1:
            return SEVERAL_NUMBERS
        if numbers:
            return next(iter(numbers.values()))
    return NO_NUMBER


def _parcel_code(text: str) -> ParcelCode | str:
    code = normalise(text)
    if isinstance(code, InvalidBarcode):
        return NO_NUMBER
    if code.kind in NO_PARCEL_KINDS:
        return NOT_A_PARCEL
    return code


def _link_parts(link: str) -> list[str]:
    match = _LINK.match(link)
    return [] if match is None else [unquote(part) for part in _PARTS.split(match["rest"]) if part]


def _carrier_of_link(link: str) -> str | None:
    match = _LINK.match(link)
    labels = () if match is None else re.split(r"[.:@]", match["host"].lower())
    return next((_HOSTS[label] for label in labels if label in _HOSTS), None)


def _carrier_of(raw: str, code: ParcelCode) -> str | None:
    """Return the carrier whose format this is; many formats belong to several carriers, and then nothing is guessed."""
    compact = raw.replace(" ", "").upper()
    printed = {label.carrier for label in CARRIER_BARCODES if label.pattern.fullmatch(compact)}
    if len(printed) == 1:
        return printed.pop()
    match code.kind:
        case BarcodeKind.UPS:
            return "ups"
        case BarcodeKind.COLISSIMO:
            return "colissimo"
        case BarcodeKind.S10:
            country = code.value[-2:]
            return _FRENCH_SERVICES.get(code.value[0]) if country == "FR" else _POSTS.get(country)
        case _:
            return _carrier_by_beginning(code.value)


def _carrier_by_beginning(value: str) -> str | None:
    beginnings = (("TBA", "amazon"), ("JD", "dhl"))
    return next((carrier for start, carrier in beginnings if value.startswith(start)), None)


def tracked_statuses(
    reports: Iterator[tuple[str, ParcelStatus]], *, at: datetime, until: datetime
) -> Mapping[str, TrackedStatus]:
    """Return the status by normalised code; a number that stands twice with two statuses is unknown."""
    statuses: dict[str, TrackedStatus] = {}
    for number, status in reports:
        code = normalise(number)
        if isinstance(code, InvalidBarcode):
            continue
        before = statuses.get(code.value)
        same = before is None or before.status is status
        statuses[code.value] = TrackedStatus(status=status if same else ParcelStatus.UNKNOWN, at=at, until=until)
    return statuses


def live_status(
    codes: frozenset[str], tracked: Mapping[str, TrackedStatus], *, zone: ZoneInfo, now: Now
) -> ParcelStatus:
    """Return where a parcel is by a live report of today, the house's day; everything else is unknown."""
    statuses = {
        status.status
        for code in codes
        if (status := tracked.get(code)) is not None
        and status.at <= now.utc < status.until
        and _day(status.at, zone) == _day(now.utc, zone)
    }
    return statuses.pop() if len(statuses) == 1 else ParcelStatus.UNKNOWN


def own_parcel_refusal(
    codes: frozenset[str], said_day: date | None, tracked: Mapping[str, TrackedStatus], *, zone: ZoneInfo, now: Now
) -> Refusal | None:
    """Return why the owner's parcel may not come in now, as far as its way to the house says; None: it may.

    `said_day` is the day for which the owner said that it comes. That word stands in for a tracking that knows nothing
    or that does not say "out for delivery" (not every carrier does), never against one that says where else it is.
    """
    status = live_status(codes, tracked, zone=zone, now=now)
    said_today = said_day is not None and said_day == _day(now.utc, zone)
    if status is ParcelStatus.OUT_FOR_DELIVERY or (said_today and status not in _FINAL):
        return None
    return Refusal.NOT_OUT_FOR_DELIVERY


def own_window(
    first: date, last: date, hours: tuple[time, time] | None, *, zone: ZoneInfo, now: Now
) -> tuple[datetime, datetime] | None:
    """Return when the parcel may come: whole days, or hours of one day; None: no such window is possible or left.

    Days and hours are the house's own.
    """
    if not timedelta(0) <= last - first < timedelta(days=MAX_DAYS) or (hours is not None and first != last):
        return None
    opens, closes = hours or (time(), None)
    start = datetime.combine(first, opens, tzinfo=zone).astimezone(UTC)
    end = day_end(last, zone) if closes is None else datetime.combine(last, closes, tzinfo=zone).astimezone(UTC)
    end = min(end, start + MAX_WINDOW)
    return (start, end) if start < end and now.utc < end else None


def is_own(delivery: str) -> bool:
    """Return whether a delivery, by its key, is one of the box's own promises: no brand made it."""
    return delivery.partition(".")[0] == OWN_BRAND


def approval_limit_s(brand: str, timing: Timing) -> float:
    """Return for how many seconds after the ringing the owner's yes counts.

    For the owner's own parcel it never counts later than 60 s after the scan, also where the cameras begin to film only
    at the end of their deadline (`live`), which delays the end of the ringing.
    """
    if brand != OWN_BRAND:
        return timing.approval
    return min(timing.approval, max(0.0, YES_WITHIN_S - timing.ring - timing.live))


def _day(at: datetime, zone: ZoneInfo) -> date:
    return at.astimezone(zone).date()
