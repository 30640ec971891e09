"""Recognises and normalises parcel codes and courier tokens.

`Delivery.parcels` and `Scanned.code` contain what `normalise` returns. Two spellings of one code (with a scanner's
symbology identifier, with spaces, in small letters, as a web address) become one value. A barcode identifies a parcel;
it is no secret.

A number of 8, 12, 13 or 14 digits is a GTIN only where the code itself says so (the symbology EAN/UPC, application
identifier 01 or 02, a GS1 Digital Link): one carrier's number in ten has a valid GS1 check digit by chance.
"""

import re
from base64 import b32decode, b32encode
from binascii import Error
from collections.abc import Callable
from enum import StrEnum, auto
from hashlib import sha256

from gateway.domain.delivery.carriers import CARRIER_BARCODES, is_tracking_number, tracking_number, usps_tracking_number
from gateway.domain.delivery.check_digits import colissimo_checks, gs1_checks, s10_checks, ups_checks
from gateway.domain.delivery.digital_link import claims_to_be_link, parse_digital_link
from gateway.domain.delivery.gs1 import FNC1, parse_bracketed, parse_element_string
from gateway.domain.frozen import Frozen

MAX_CODE_CHARS = 128
MAX_LABEL_CHARS = 512  # of a GS1 symbol with addresses and rules, or of a link: as many as a scanner may send
COURIER_TOKEN_PREFIX = "perron:"  # noqa: S105 - it is printed before each code
COURIER_TOKEN_BYTES = 16  # 128 bits
BAD_PREFIX = "bad:"  # the log's prefix for a text that cannot be a code; no order may contain it
_DIGEST_PREFIX = "courier:"  # no parcel code may begin so: a known digest must not open the door in place of the token


class BarcodeKind(StrEnum):
    """The kind of a code."""

    SSCC = auto()
    S10 = auto()
    UPS = auto()
    COLISSIMO = auto()
    GTIN = auto()  # names a product, so it never opens; the prefix of its value keeps it apart from every number
    SGTIN = auto()  # a GTIN with a serial number: names one item of an order, and never opens
    GS1 = auto()  # an element string without an SSCC or a GTIN
    COURIER = auto()  # value: "courier:" and the token's SHA-256 in hex
    EXACT = auto()


NO_PARCEL_KINDS = frozenset({BarcodeKind.GTIN, BarcodeKind.SGTIN, BarcodeKind.COURIER})
"""The kinds of codes that never stand for a parcel."""


class ParcelCode(Frozen, kw_only=False):
    """A code in its normal form."""

    kind: BarcodeKind
    value: str


class InvalidBarcode(Frozen, kw_only=False):
    """A text that is not a valid code, with the reason."""

    why: str


class BarcodeFormat(Frozen, kw_only=False):
    """One format of plain barcode: its pattern, in capitals and without spaces, and its check-digit function."""

    kind: BarcodeKind
    pattern: re.Pattern[str]
    checks: Callable[[str], bool]


BARCODE_FORMATS: tuple[BarcodeFormat, ...] = (
    BarcodeFormat(BarcodeKind.SSCC, re.compile(r"[0-9]{18}"), gs1_checks),
    BarcodeFormat(BarcodeKind.S10, re.compile(r"[A-Z]{2}[0-9]{9}[A-Z]{2}"), s10_checks),
    BarcodeFormat(BarcodeKind.UPS, re.compile(r"1Z[0-9A-Z]{15}[0-9]"), ups_checks),
    BarcodeFormat(BarcodeKind.COLISSIMO, re.compile(r"(?=.?[A-Z])[0-9A-Z]{2}[0-9]{11}"), colissimo_checks),
)

_WRONG_LENGTH = "a code has 1 to 128 characters"
_EAN_SYMBOLOGY = "]E"  # EAN-13, EAN-8, UPC: retail products, and nothing else
_EAN_ADD_ON_SYMBOLOGY = "]E3"
_SYMBOLOGY_ID = re.compile(r"\][A-Za-z][0-9A-Za-z]")  # ISO/IEC 15424 symbology identifier
_GS1_SYMBOLOGIES = frozenset({"]C1", "]d2", "]Q3", "]e0", "]J1"})  # GS1-128, DataMatrix, QR, DataBar, DotCode


def normalise(raw: str) -> ParcelCode | InvalidBarcode:
    """Recognise a code as a scanner or a retailer writes it, and return its normal form.

    After the scanner's prefix and suffix are removed, the code has 1 to 128 characters (a GS1 symbol or a link: 512),
    all of them printable except FNC1 in a GS1 code. A code that fits no format, or fails a format's check digit, keeps
    its exact text. A code is invalid if it claims to be GS1 and is not well formed, or if normalising its value again
    would give another result.
    """
    code = _parse(raw)
    if isinstance(code, InvalidBarcode) or code.kind is BarcodeKind.COURIER or code.value == raw:
        return code
    if _parse(code.value) != code:
        return InvalidBarcode("a code that means something else when it is read again")
    return code


def _parse(raw: str) -> ParcelCode | InvalidBarcode:
    aim, text = _split_symbology(raw)
    if not 1 <= len(text) <= _max_chars(aim, text):
        return InvalidBarcode(_WRONG_LENGTH)
    if not text.replace(FNC1, "").isprintable():
        return InvalidBarcode("a code has printable characters only")
    if text.casefold().startswith((_DIGEST_PREFIX, BAD_PREFIX)):
        return InvalidBarcode("no code begins with this word")
    if text.casefold().startswith(COURIER_TOKEN_PREFIX):
        return _courier_token(text)
    if aim in _GS1_SYMBOLOGIES or FNC1 in text:
        pairs = parse_element_string(text)
        return InvalidBarcode("not a GS1 element string") if pairs is None else _from_elements(pairs)
    if aim.startswith(_EAN_SYMBOLOGY):
        return _gtin(text[:13] if aim == _EAN_ADD_ON_SYMBOLOGY else text)
    pairs = parse_bracketed(text)
    if pairs is not None:
        return _from_elements(pairs)
    return _plain_code(text)


def _split_symbology(raw: str) -> tuple[str, str]:
    """Return the symbology identifier ("" if the scanner sends none) and the text behind it."""
    text = raw.strip(" \t\r\n")
    aim = text[:3] if _SYMBOLOGY_ID.match(text) else ""
    return aim, text.removeprefix(aim)


def _max_chars(aim: str, text: str) -> int:
    is_label = aim in _GS1_SYMBOLOGIES or FNC1 in text or text[:4].lower() == "http"
    return MAX_LABEL_CHARS if is_label else MAX_CODE_CHARS


def page_patterns() -> tuple[tuple[str, str], ...]:
    """Return the name and the regular expression of each plain format, for a script in a page.

    The expressions have the same meaning in JavaScript. They match a whole code in capitals without blanks and ignore
    check digits: the script only shows people which kind of code they read.
    """
    forms = (form for form in BARCODE_FORMATS if form.kind is not BarcodeKind.SSCC)
    patterns = ((form.kind.value, form.pattern.pattern) for form in forms)
    return (*patterns, *((label.carrier, label.pattern.pattern) for label in CARRIER_BARCODES))


def renormalise(value: str) -> str:
    """Return the current normal form of a parcel code that an older release stored; an invalid one stays as it is."""
    code = normalise(value)
    if isinstance(code, InvalidBarcode) or code.kind in NO_PARCEL_KINDS:
        return value
    return code.value


def new_courier_token(secret: bytes) -> str:
    """Return the text of the courier token; `secret` is 16 random bytes."""
    if len(secret) != COURIER_TOKEN_BYTES:
        raise ValueError("a courier's code has 128 bits")
    return COURIER_TOKEN_PREFIX + b32encode(secret).decode().rstrip("=").lower()


def courier_token_digest(secret: bytes) -> str:
    """Return the SHA-256 in hex of a courier token's 16 bytes; a delivery contains only this digest."""
    return sha256(secret).hexdigest()


def courier_token_value(digest: str) -> str:
    """Return the normalised value under which the gateway looks up a courier token with this digest."""
    return _DIGEST_PREFIX + digest


def _courier_token(text: str) -> ParcelCode | InvalidBarcode:
    body = text[len(COURIER_TOKEN_PREFIX) :]
    try:
        secret = bytes.fromhex(body) if len(body) == 2 * COURIER_TOKEN_BYTES else b32decode(body.upper() + "======")
    except (Error, ValueError):
        return InvalidBarcode("not a courier's code")
    canonical = new_courier_token(secret)[len(COURIER_TOKEN_PREFIX) :] if len(secret) == COURIER_TOKEN_BYTES else ""
    if body.lower() not in {canonical, secret.hex()}:
        return InvalidBarcode("not a courier's code")
    return ParcelCode(BarcodeKind.COURIER, courier_token_value(courier_token_digest(secret)))


def _gtin(text: str) -> ParcelCode | InvalidBarcode:
    if not re.fullmatch(r"[0-9]{8}|[0-9]{12,14}", text) or not gs1_checks(text):
        return InvalidBarcode("not an article's number")
    return ParcelCode(BarcodeKind.GTIN, f"(01){text:0>14}")


def _from_elements(pairs: tuple[tuple[str, str], ...]) -> ParcelCode | InvalidBarcode:
    """Return the code of the element strings: the parcel's own number first, else the product's."""
    for ai, kind in (("00", BarcodeKind.SSCC), ("01", BarcodeKind.GTIN), ("02", BarcodeKind.GTIN)):
        values = {value for key, value in pairs if key == ai}
        if len(values) > 1:
            return InvalidBarcode("a label with two numbers of one sort")
        for value in values:
            if not gs1_checks(value):
                return InvalidBarcode("wrong GS1 check digit")
            serial = _serial(pairs) if ai == "01" else None
            if serial is not None:
                return ParcelCode(BarcodeKind.SGTIN, f"(01){value}(21){serial}")
            return ParcelCode(kind, value if kind is BarcodeKind.SSCC else f"({ai}){value}")
    number = usps_tracking_number(pairs)
    if number is not None:
        return ParcelCode(BarcodeKind.EXACT, number)
    if any("(" in field or ")" in field for _, field in pairs):  # else two labels could get one normal form
        return InvalidBarcode("a GS1 field with brackets")
    value = "".join(f"({ai}){field}" for ai, field in pairs)
    if len(value) > MAX_CODE_CHARS:
        return InvalidBarcode(_WRONG_LENGTH)
    return ParcelCode(BarcodeKind.GS1, value)


def _serial(pairs: tuple[tuple[str, str], ...]) -> str | None:
    """Return the one serial number among the elements that can be written in brackets, or None."""
    serials = {field for ai, field in pairs if ai == "21"}
    serial = serials.pop() if len(serials) == 1 else None
    return None if serial is None or "(" in serial or ")" in serial else serial


def gs1_elements(raw: str) -> tuple[tuple[str, str], ...]:
    """Return the GS1 elements in a scanned code, as pairs of identifier and data; () if it contains none.

    These are the elements of the label, also those that are no part of the normal form.
    """
    aim, text = _split_symbology(raw)
    if not 1 <= len(text) <= _max_chars(aim, text) or aim.startswith(_EAN_SYMBOLOGY):
        return ()
    if aim in _GS1_SYMBOLOGIES or FNC1 in text:
        return parse_element_string(text) or ()
    link = parse_digital_link(text)
    if link is not None:
        return link.key + link.attributes
    return parse_bracketed(text) or _elements_without_symbology(_compact(text))


def _compact(text: str) -> str:
    return text.replace(" ", "").upper()


def _elements_without_symbology(compact: str) -> tuple[tuple[str, str], ...]:
    """Return the elements of a label with an SSCC that a scanner read without its symbology identifier, or ()."""
    number = compact[2:20]
    is_sscc = compact.startswith("00") and len(number) == 18 and number.isascii() and number.isdigit()
    return (is_sscc and gs1_checks(number) and parse_element_string(compact)) or ()


def _plain_code(text: str) -> ParcelCode | InvalidBarcode:
    link = parse_digital_link(text)
    if link is not None:
        return _from_elements(link.key)
    if claims_to_be_link(text):
        return InvalidBarcode("not a GS1 Digital Link")
    if len(text) > MAX_CODE_CHARS:
        return InvalidBarcode(_WRONG_LENGTH)
    if not text.isascii():  # in capitals, some letters become one of A to Z, or two letters
        return ParcelCode(BarcodeKind.EXACT, text)
    compact = _compact(text)
    for form in BARCODE_FORMATS:
        if form.pattern.fullmatch(compact) and form.checks(compact):
            return ParcelCode(form.kind, compact)
    if _elements_without_symbology(compact):
        return ParcelCode(BarcodeKind.SSCC, compact[2:20])
    number = tracking_number(compact)
    if number is not None:
        return _plain_code(number)
    return ParcelCode(BarcodeKind.EXACT, compact if is_tracking_number(compact) else text)
