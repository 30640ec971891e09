"""Parses GS1 element strings: the application identifiers and data of a GS1-128 label or a data matrix.

Source: GS1 General Specifications, section 3. Only the identifiers in the table are known. The parser refuses an
element string with another one, because it could only guess its length.
"""

import re
from functools import partial

from gateway.domain.frozen import Frozen

FNC1 = "\x1d"  # how a scanner writes the separator
_DIGITS = frozenset("0123456789")


class ElementFormat(Frozen, kw_only=False):
    """The format of one application identifier's data: up to `max_chars` characters, or exactly as many."""

    max_chars: int
    is_fixed_length: bool = False
    is_numeric: bool = True
    needs_separator: bool = True  # False: its length is predefined, so no FNC1 need follow


_n = partial(ElementFormat, is_fixed_length=True)
_predefined = partial(ElementFormat, is_fixed_length=True, needs_separator=False)
_x = partial(ElementFormat, is_numeric=False)

# `n` at an identifier's end stands for any digit (the place of a decimal point, or a running number).
ELEMENT_FORMATS: dict[str, ElementFormat] = {
    "00": _predefined(18),  # SSCC
    **dict.fromkeys(("01", "02"), _predefined(14)),  # GTIN, GTIN of the content
    **dict.fromkeys(("11", "12", "13", "15", "16", "17"), _predefined(6)),  # dates
    "20": _predefined(2),  # variant
    **dict.fromkeys(("10", "21", "22", "243", "254"), _x(20)),  # batch, serial number
    **dict.fromkeys(("30", "37"), ElementFormat(8)),  # count, count of the content
    **dict.fromkeys(("240", "241", "250", "251", "253"), _x(30)),
    "235": _x(28),  # serial number that a third party controls
    "242": ElementFormat(6),
    "255": ElementFormat(25),
    # Measures of trade items, and logistic ones (weight 330n)
    **{f"{ai}n": _predefined(6) for ai in (*range(310, 317), *range(320, 338), *range(340, 370))},
    **dict.fromkeys(("390n", "392n"), ElementFormat(15)),
    **dict.fromkeys(("391n", "393n"), ElementFormat(18)),
    **dict.fromkeys(("400", "401", "403"), _x(30)),  # order number; GINC, a consignment; routing code
    "402": _n(17),  # GSIN, a shipment
    **{f"41{i}": _predefined(13) for i in range(8)},  # locations
    "420": _x(20),  # postcode
    "421": _x(12),  # country and postcode
    **dict.fromkeys(("422", "424", "426"), _n(3)),
    **dict.fromkeys(("423", "425"), ElementFormat(15)),
    "427": _x(3),
    **{f"43{i:02}": _x(70) for i in range(9)},  # ship-to: company, name, address, phone
    "4309": _n(20),  # geographic coordinates
    **{f"43{i}": _x(70) for i in range(10, 21)},  # return-to, service description
    **{f"43{i}": _n(1) for i in range(21, 24)},  # dangerous goods, authority to leave, signature wanted
    **dict.fromkeys(("4324", "4325", "7003"), _n(10)),  # not before, not after, expiry: YYMMDDhhmm
    "4326": _n(6),  # release date
    # Temperatures: most in °F and °C, least in °F and °C; hundredths of a degree, a minus sign behind
    **{f"43{i}": _x(7) for i in range(30, 34)},
    "7007": ElementFormat(12),
    "7040": _x(4),  # extension of a party's number
    **dict.fromkeys(("8003", "8004", "8010"), _x(30)),  # returnable asset, individual asset, component
    **dict.fromkeys(("8006", "8017", "8018"), _n(18)),  # piece of a trade item, service relations
    "8011": ElementFormat(12),  # serial number of a component
    "8013": _x(25),  # model
    "8019": ElementFormat(10),  # instance of a service relation
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


def is_identifier(ai: str) -> bool:
    """Return whether this is a known application identifier and nothing else."""
    known = find_identifier(ai)
    return known is not None and known[0] == ai


def is_element(ai: str, field: str) -> bool:
    """Return whether `ai` is a known application identifier and `field` has the format of its data."""
    known = find_identifier(ai)
    return known is not None and known[0] == ai and _fits(field, known[1])


def parse_bracketed(text: str) -> tuple[tuple[str, str], ...] | None:
    """Split the readable form, `(00)106141411234567897(420)75011`, or return None if it is not one."""
    if not re.fullmatch(r"(\(\d{2,4}\)[^()]+)+", text):
        return None
    elements = tuple(re.findall(r"\((\d{2,4})\)([^()]+)", text))
    return elements if all(is_element(ai, field) for ai, field in elements) else None


def _fits(field: str, form: ElementFormat) -> bool:
    if not field or len(field) > form.max_chars or (form.is_fixed_length and len(field) != form.max_chars):
        return False
    if form.is_numeric:
        return field.isascii() and field.isdigit()
    return all("!" <= c <= "~" for c in field)  # GS1 character set 82 is a part of it
