"""Parcel codes and couriers' codes: one table of forms, one way of writing each.

What `normalise` returns is what stands in `Delivery.parcels` and in `Scanned.code`; two writings of one code (with a
scanner's symbology identifier, with spaces, in small letters, as a web address) become one value. A barcode
identifies, it is no secret.

A number of 8, 12, 13 or 14 digits is a GTIN only where the code itself says so (the symbology EAN/UPC, application
identifier 01 or 02, a GS1 Digital Link): one carrier's number in ten holds GS1's check digit by chance.
"""

import re
from base64 import b32decode, b32encode
from binascii import Error
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum, auto
from hashlib import sha256

from gateway.domain.delivery.carriers import LABELS, in_elements, is_number, tracking_number
from gateway.domain.delivery.check_digits import colissimo_checks, gs1_checks, s10_checks, ups_checks
from gateway.domain.delivery.gs1 import FNC1, elements, written

LONGEST = 128
COURIER_PREFIX = "perron:"
COURIER_BYTES = 16  # 128 bits
BAD_PREFIX = "bad:"  # what no code can be is called so in the log; no promise may name it
_DIGEST_PREFIX = "courier:"  # no parcel code may begin so: a known digest must not open as if it were the code


class Kind(StrEnum):
    """What sort of code it is."""

    SSCC = auto()
    S10 = auto()
    UPS = auto()
    COLISSIMO = auto()
    GTIN = auto()  # names a product, so it never opens; its value has the identifier before it: no number equals it
    GS1 = auto()  # an element string without an SSCC or a GTIN
    COURIER = auto()  # value: "courier:" and the code's SHA-256 in hex
    EXACT = auto()


@dataclass(frozen=True, slots=True)
class ParcelCode:
    """A code in its one writing."""

    kind: Kind
    value: str


@dataclass(frozen=True, slots=True)
class BadCode:
    """Not a code, and why."""

    why: str


@dataclass(frozen=True, slots=True)
class Form:
    """One sort of plain barcode: how it looks, in capitals and without spaces, and whether its check digit holds."""

    kind: Kind
    pattern: re.Pattern[str]
    checks: Callable[[str], bool]


FORMS: tuple[Form, ...] = (
    Form(Kind.SSCC, re.compile(r"[0-9]{18}"), gs1_checks),
    Form(Kind.S10, re.compile(r"[A-Z]{2}[0-9]{9}[A-Z]{2}"), s10_checks),
    Form(Kind.UPS, re.compile(r"1Z[0-9A-Z]{15}[0-9]"), ups_checks),
    Form(Kind.COLISSIMO, re.compile(r"(?=.?[A-Z])[0-9A-Z]{2}[0-9]{11}"), colissimo_checks),
)

_EAN_AIM = "]E"  # EAN-13, EAN-8, UPC: retail products, and nothing else
_EAN_WITH_ADD_ON = "]E3"
_AIM = re.compile(r"\][A-Za-z][0-9A-Za-z]")  # ISO/IEC 15424 symbology identifier
_GS1_AIM = frozenset({"]C1", "]d2", "]Q3", "]e0", "]J1"})  # GS1-128, DataMatrix, QR, DataBar, DotCode
_LINK = re.compile(r"https?://id\.gs1\.org/(00|01)/([0-9]+)(?:[/?#].*)?", re.IGNORECASE | re.ASCII)


def normalise(raw: str) -> ParcelCode | BadCode:
    """Recognise a code as a scanner or a retailer writes it.

    It has 1 to 128 characters after the scanner's prefix and suffix are cut off, all of them printable but for FNC1
    in a GS1 code. What fits no form, or fails a form's check digit, is exact. Bad is a code that says of itself that
    it is GS1 and is not well formed, and a code whose value would be read otherwise the second time.
    """
    code = _read(raw)
    if isinstance(code, ParcelCode) and code.kind is not Kind.COURIER and _read(code.value) != code:
        return BadCode("a code that means something else when it is read again")
    return code


def _read(raw: str) -> ParcelCode | BadCode:
    text = raw.strip(" \t\r\n")
    aim = text[:3] if _AIM.match(text) else ""
    text = text.removeprefix(aim)
    if not 1 <= len(text) <= LONGEST:
        return BadCode("a code has 1 to 128 characters")
    if not all(c.isprintable() or c == FNC1 for c in text):
        return BadCode("a code has printable characters only")
    if text.casefold().startswith((_DIGEST_PREFIX, BAD_PREFIX)):
        return BadCode("no code begins with this word")
    if text.casefold().startswith(COURIER_PREFIX):
        return _courier(text)
    if aim in _GS1_AIM or FNC1 in text:
        pairs = elements(text)
        return BadCode("not a GS1 element string") if pairs is None else _gs1(pairs)
    if aim.startswith(_EAN_AIM):
        return _product(text[:13] if aim == _EAN_WITH_ADD_ON else text)
    pairs = written(text)
    if pairs is not None:
        return _gs1(pairs)
    return _plain(text)


def page_forms() -> tuple[tuple[str, str], ...]:
    """Return the forms of plain codes for a script: what each is called, and a regular expression of the whole code.

    The expressions mean the same in JavaScript. They are of a code in capitals without blanks, check digits not looked
    at: the script only tells people what they have read.
    """
    plain = ((form.kind.value, form.pattern.pattern) for form in FORMS if form.kind is not Kind.SSCC)
    return (*plain, *((label.carrier, label.pattern.pattern) for label in LABELS))


def reread(value: str) -> str:
    """Return today's writing of a parcel code that an older release stored; what is no code today stays as it is."""
    code = normalise(value)
    if isinstance(code, BadCode) or code.kind in {Kind.GTIN, Kind.COURIER}:
        return value
    return code.value


def new_courier_code(secret: bytes) -> str:
    """Write the one-time code that the courier shows; `secret` are 16 random bytes."""
    if len(secret) != COURIER_BYTES:
        raise ValueError("a courier's code has 128 bits")
    return COURIER_PREFIX + b32encode(secret).decode().rstrip("=").lower()


def courier_digest(secret: bytes) -> str:
    """What a delivery carries of a courier's code: the SHA-256, in hex, of its 16 bytes."""
    return sha256(secret).hexdigest()


def courier_value(digest: str) -> str:
    """The normalised value under which a courier's code with this digest is looked up."""
    return _DIGEST_PREFIX + digest


def _courier(text: str) -> ParcelCode | BadCode:
    body = text[len(COURIER_PREFIX) :]
    try:
        secret = bytes.fromhex(body) if len(body) == 2 * COURIER_BYTES else b32decode(body.upper() + "======")
    except (Error, ValueError):
        return BadCode("not a courier's code")
    canonical = new_courier_code(secret)[len(COURIER_PREFIX) :] if len(secret) == COURIER_BYTES else ""
    if body.lower() not in {canonical, secret.hex()}:
        return BadCode("not a courier's code")
    return ParcelCode(Kind.COURIER, courier_value(courier_digest(secret)))


def _product(text: str) -> ParcelCode | BadCode:
    if not re.fullmatch(r"[0-9]{8}|[0-9]{12,14}", text) or not gs1_checks(text):
        return BadCode("not an article's number")
    return ParcelCode(Kind.GTIN, f"(01){text:0>14}")


def _gs1(pairs: tuple[tuple[str, str], ...]) -> ParcelCode | BadCode:
    """A parcel's own number names it, whatever else the label says; after that, a product's."""
    for ai, kind in (("00", Kind.SSCC), ("01", Kind.GTIN), ("02", Kind.GTIN)):
        values = {value for key, value in pairs if key == ai}
        if len(values) > 1:
            return BadCode("a label with two numbers of one sort")
        for value in values:
            if not gs1_checks(value):
                return BadCode("wrong GS1 check digit")
            return ParcelCode(kind, value if kind is Kind.SSCC else f"({ai}){value}")
    number = in_elements(pairs)
    if number is not None:
        return ParcelCode(Kind.EXACT, number)
    if any("(" in field or ")" in field for _, field in pairs):  # two different labels would get one writing
        return BadCode("a GS1 field with brackets")
    value = "".join(f"({ai}){field}" for ai, field in pairs)
    return ParcelCode(Kind.GS1, value) if len(value) <= LONGEST else BadCode("a code has 1 to 128 characters")


def _plain(text: str) -> ParcelCode | BadCode:
    link = _LINK.fullmatch(text)
    if link:
        length = {"00": 18, "01": 14}[link[1]]
        if len(link[2]) != length or not gs1_checks(link[2]):
            return BadCode("not a GS1 Digital Link")
        return ParcelCode(Kind.SSCC, link[2]) if link[1] == "00" else ParcelCode(Kind.GTIN, f"(01){link[2]}")
    if not text.isascii():  # some letters become one of A to Z, or two, when they are written in capitals
        return ParcelCode(Kind.EXACT, text)
    compact = text.replace(" ", "").upper()
    for form in FORMS:
        if form.pattern.fullmatch(compact) and form.checks(compact):
            return ParcelCode(form.kind, compact)
    if compact.startswith("00") and compact[2:20].isascii() and compact[2:20].isdigit() and len(compact) >= 20:
        pairs = elements(compact)  # a scanner that drops the symbology identifier
        if pairs is not None and gs1_checks(compact[2:20]):
            return ParcelCode(Kind.SSCC, compact[2:20])
    number = tracking_number(compact)
    if number is not None:
        return _plain(number)
    return ParcelCode(Kind.EXACT, compact if is_number(compact) else text)
