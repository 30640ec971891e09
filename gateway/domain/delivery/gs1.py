"""Parses GS1 element strings: the application identifiers and data of a GS1-128 label or a data matrix.

Source: GS1 General Specifications, section 3. Only the identifiers in the table are known. The parser refuses an
element string with another one, because it could only guess its length.
"""

import re
from dataclasses import dataclass

FNC1 = "\x1d"  # how a scanner writes the separator
_DIGITS = frozenset("0123456789")


@dataclass(frozen=True, slots=True)
class ElementFormat:
    """The format of one application identifier's data: up to `max_chars` characters, or exactly as many."""

    max_chars: int
    is_fixed_length: bool = False
    is_numeric: bool = True
    needs_separator: bool = True  # False: its length is predefined, so no FNC1 need follow


def _n(length: int) -> ElementFormat:
    return ElementFormat(length, is_fixed_length=True)


def _predefined(length: int) -> ElementFormat:
    return ElementFormat(length, is_fixed_length=True, needs_separator=False)


def _x(max_chars: int) -> ElementFormat:
    return ElementFormat(max_chars, is_numeric=False)


# `n` at an identifier's end stands for any digit (the place of a decimal point, or a running number).
ELEMENT_FORMATS: dict[str, ElementFormat] = {
    "00": _predefined(18),  # SSCC
    "01": _predefined(14),  # GTIN
    "02": _predefined(14),  # GTIN of the content
    "10": _x(20),  # batch
    **{ai: _predefined(6) for ai in ("11", "12", "13", "15", "16", "17")},  # dates
    "20": _predefined(2),  # variant
    "21": _x(20),  # serial number
    "22": _x(20),
    "30": ElementFormat(8),  # count
    "37": ElementFormat(8),  # count of the content
    "240": _x(30),
    "241": _x(30),
    "242": ElementFormat(6),
    "243": _x(20),
    "250": _x(30),
    "251": _x(30),
    "253": _x(30),
    "254": _x(20),
    "255": ElementFormat(25),
    **{f"{ai}n": _predefined(6) for ai in range(310, 317)},  # measures of trade items
    **{f"{ai}n": _predefined(6) for ai in range(320, 338)},  # measures, logistic too (weight 330n)
    **{f"{ai}n": _predefined(6) for ai in range(340, 370)},
    "390n": ElementFormat(15),
    "391n": ElementFormat(18),
    "392n": ElementFormat(15),
    "393n": ElementFormat(18),
    "400": _x(30),  # order number
    "401": _x(30),  # GINC, a consignment
    "402": _n(17),  # GSIN, a shipment
    "403": _x(30),  # routing code
    **{f"41{i}": _predefined(13) for i in range(8)},  # locations
    "420": _x(20),  # postcode
    "421": _x(12),  # country and postcode
    "422": _n(3),
    "423": ElementFormat(15),
    "424": _n(3),
    "425": ElementFormat(15),
    "426": _n(3),
    "427": _x(3),
    **{f"43{i:02}": _x(70) for i in range(9)},  # ship-to: company, name, address, phone
    "4309": _n(20),  # geographic coordinates
    **{f"43{i}": _x(70) for i in range(10, 21)},  # return-to, service description
    **{f"43{i}": _n(1) for i in range(21, 24)},  # dangerous goods, authority to leave, signature wanted
    "4324": _n(10),  # not before, YYMMDDhhmm
    "4325": _n(10),  # not after
    "4326": _n(6),  # release date
    **{f"43{i}": _x(7) for i in range(30, 34)},  # temperatures, hundredths of a degree, minus sign behind
    "7003": _n(10),  # expiry date and time
    "7007": ElementFormat(12),
    "8003": _x(30),
    "8004": _x(30),
    "8006": _n(18),
    "8017": _n(18),
    "8018": _n(18),
    "8020": _x(25),
    **{str(i): _x(90) for i in range(90, 100)},  # agreed between two companies
}


def find_identifier(text: str) -> tuple[str, ElementFormat] | None:
    """Return the application identifier that `text` begins with, and its shape, or None for an unknown one."""
    for length in (2, 3, 4):
        ai = text[:length]
        identifier = ELEMENT_FORMATS.get(ai) or (ELEMENT_FORMATS.get(ai[:3] + "n") if ai[3:] in _DIGITS else None)
        if identifier is not None:
            return ai, identifier
    return None


def parse_element_string(text: str) -> tuple[tuple[str, str], ...] | None:
    """Split an element string (without symbology identifier) into pairs of identifier and data, or return None."""
    rest = text.removeprefix(FNC1)
    elements: list[tuple[str, str]] = []
    while rest:
        known = find_identifier(rest)
        if known is None:
            return None
        ai, form = known
        field, gs, behind = rest[len(ai) :].partition(FNC1)
        if form.is_fixed_length and not form.needs_separator:
            field, rest = field[: form.max_chars], field[form.max_chars :] + gs + behind
            rest = rest.removeprefix(FNC1)
        else:
            rest = behind
        if not _fits(field, form):
            return None
        elements.append((ai, field))
    return tuple(elements) or None


def parse_bracketed(text: str) -> tuple[tuple[str, str], ...] | None:
    """Split the readable form, `(00)106141411234567897(420)75011`, or return None if it is not one."""
    if not re.fullmatch(r"(\(\d{2,4}\)[^()]+)+", text):
        return None
    elements = tuple(re.findall(r"\((\d{2,4})\)([^()]+)", text))
    for ai, field in elements:
        known = find_identifier(ai)
        if known is None or known[0] != ai or not _fits(field, known[1]):
            return None
    return elements


def _fits(field: str, form: ElementFormat) -> bool:
    if not field or len(field) > form.max_chars or (form.is_fixed_length and len(field) != form.max_chars):
        return False
    if form.is_numeric:
        return field.isascii() and field.isdigit()
    return all("!" <= c <= "~" for c in field)  # GS1 character set 82 is a part of it
