"""Parses GS1 Digital Link URIs: a web address of any domain whose path ends in a GS1 key.

Source: GS1 Digital Link Standard: URI Syntax, 1.6.0. `https://brand.example/some/path/01/09521234543213/21/1234?17=271231`
has the key 01, the qualifier 21 and the data attribute 17. Only the syntax is read: nothing is fetched.
"""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote

from gateway.domain.delivery.check_digits import gs1_checks
from gateway.domain.delivery.gs1 import is_element, is_identifier
from gateway.domain.frozen import Frozen

_ADDRESS = re.compile(r"https?://([^/?#\s]+)(/[^?#\s]*)(?:\?([^#\s]*))?(?:#\S*)?", re.IGNORECASE | re.ASCII)
_GS1_DOMAIN = "id.gs1.org"

KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "00": (),
    "01": ("22", "10", "21", "235"),
    "253": (),
    "255": (),
    "401": (),
    "402": (),
    "414": ("254", "7040"),
    "417": ("7040",),
    "8003": (),
    "8004": ("7040",),
    "8006": ("22", "10", "21"),
    "8010": ("8011",),
    "8013": (),
    "8017": ("8019",),
    "8018": ("8019",),
}
"""The primary keys of a Digital Link, each with the qualifiers that may follow it in the path, in this order."""

_CHECKED_DIGITS: Final[Mapping[str, int]] = {
    "00": 18, "01": 14, "253": 13, "255": 13, "402": 17, "414": 13, "417": 13, "8003": 14, "8006": 14, "8017": 18,
    "8018": 18,
}  # fmt: skip
"""How many of a key's first characters are digits, the last of them GS1's check digit."""

Elements = tuple[tuple[str, str], ...]


class DigitalLink(Frozen):
    """The parts of a link, as pairs of identifier and data.

    `key`: the key and its qualifiers. `attributes`: the data attributes of the query, without keys that are no known
    identifier.
    """

    key: Elements
    attributes: Elements


def parse_digital_link(text: str) -> DigitalLink | None:
    """Parse a link, or return None for an address that is none.

    The key is the last in the path behind which only its own qualifiers follow. Data in a wrong format makes it no
    link: part of a label that cannot be read is never left out.
    """
    address = _ADDRESS.fullmatch(text)
    if address is None:
        return None
    path = [unquote(part) for part in address[2].strip("/").split("/")]
    for start in range(len(path) - 2, -1, -1):
        elements = _elements_of_path(path[start:])
        if elements is not None:
            attributes = _attributes(address[3] or "")
            return None if attributes is None else DigitalLink(key=elements, attributes=attributes)
    return None


def claims_to_be_link(text: str) -> bool:
    """Return whether the address is of GS1's own domain for links and names an SSCC or a GTIN there."""
    address = _ADDRESS.fullmatch(text)
    return address is not None and address[1].lower() == _GS1_DOMAIN and address[2].startswith(("/00/", "/01/"))


def _elements_of_path(parts: list[str]) -> Elements | None:
    pairs = tuple(zip(parts[::2], parts[1::2], strict=False))
    if len(parts) % 2 or parts[0] not in KEYS or not all(is_element(ai, value) for ai, value in pairs):
        return None
    (key, value), *qualifiers = pairs
    digits = _CHECKED_DIGITS.get(key)
    if digits is not None and not (value[:digits].isdigit() and len(value) >= digits and gs1_checks(value[:digits])):
        return None
    names = [ai for ai, _ in qualifiers]
    allowed = [ai for ai in KEYS[key] if ai in names]
    return pairs if names == allowed else None


def _attributes(query: str) -> Elements | None:
    """Return the data attributes of a query, or None if one of them has a wrong format."""
    found = []
    for part in query.split("&"):
        name, _, value = part.partition("=")
        if not is_identifier(name):
            continue
        if not is_element(name, unquote(value)):
            return None
        found.append((name, unquote(value)))
    return tuple(found)
