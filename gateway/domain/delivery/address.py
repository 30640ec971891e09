"""Compares what an order says of the home's address with what its owner chose to tell. Pure.

A brand knows a home by its connection, not by an address, so an order for another address looks like any other. An
owner may tell the brands that he lets in the home's postcode, or a word that he made up. Nothing else is told.
"""

import re
from enum import StrEnum, auto

from gateway.domain.frozen import Frozen

MAX_ADDRESS_CHARS = 32
_SEPARATORS = re.compile(r"[\s.-]+")


class AddressKind(StrEnum):
    """What an owner tells of the home's address."""

    POSTCODE = auto()
    WORD = auto()  # of the owner's own


class HomeAddress(Frozen):
    """What an owner chose to tell."""

    kind: AddressKind
    text: str


class OrderAddress(Frozen):
    """What a retailer expects the home's postcode, or the owner's word, to be; None: the order does not say."""

    postcode: str | None = None
    word: str | None = None


def is_address_text(text: str) -> bool:
    """Return whether a text can be a postcode or a word: 1 to 32 printable characters, a letter or digit among them."""
    return len(text) <= MAX_ADDRESS_CHARS and text.isprintable() and text == text.strip() and bool(_folded(text))


def is_other_address(told: HomeAddress | None, expected: OrderAddress | None) -> bool:
    """Return whether an order is for another address than the home's; what the owner does not tell never differs."""
    if told is None or expected is None:
        return False
    text = expected.postcode if told.kind is AddressKind.POSTCODE else expected.word
    return text is not None and _folded(text) != _folded(told.text)


def _folded(text: str) -> str:
    """Return what is compared: case, spaces, points and hyphens do not matter."""
    return _SEPARATORS.sub("", text).casefold()
