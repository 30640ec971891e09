"""Reads what a home's box has stated about itself. The hub keeps the signed statement and passes it on."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row

from gateway.domain.frozen import Frozen
from gateway.protocol.box_statement import BoxStatement, StatedAddress, verify_statement
from gateway.protocol.ed25519 import PublicKey

STATEMENTS: Final = "statements"
"""The key of `homes.said`: the token of the newest statement for each brand."""
_VERSION_OF_NEEDS: Final = 2  # of a delivery order


class KeptStatement(Frozen):
    """A statement that counts now, the token that says so, and the box's key under which it is signed."""

    statement: BoxStatement
    token: str
    key: str


def statement_of(home: Row[Any], brand: str, now: datetime) -> KeptStatement | None:
    """Return a home's statement for a brand; None: it has made none, or none that counts now.

    `home`: a row with `id`, `said` and `box_key`.
    """
    token = home.said.get(STATEMENTS, {}).get(brand)
    if token is None:
        return None
    found = verify_statement(token.encode(), PublicKey.from_text(home.box_key), home=home.id, utc=now)
    if not isinstance(found, BoxStatement) or found.sub != brand:
        return None
    return KeptStatement(statement=found, token=token, key=home.box_key)


def unsupported_needs(home: Row[Any] | None, brand: str, needs: Iterable[str], now: datetime) -> tuple[str, ...]:
    """Return which of these features the box has stated not to understand; none if it has stated nothing."""
    stated = None if home is None else statement_of(home, brand, now)
    if stated is None:
        return ()
    speaks = stated.statement.speaks
    return tuple(need for need in needs if _VERSION_OF_NEEDS not in speaks.delivery or need not in speaks.needs)


def address_of(home: Row[Any] | None, brand: str, now: datetime) -> StatedAddress | None:
    """Return what a home's owner tells a brand of the home's address; None: nothing."""
    stated = None if home is None else statement_of(home, brand, now)
    return None if stated is None else stated.statement.address
