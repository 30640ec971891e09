"""Lists a page at a time: a cursor is opaque, and made only here."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from datetime import datetime
from typing import Annotated

from pydantic import Field, StringConstraints
from sqlalchemy import ColumnElement, Table, and_, or_

from gateway.hub.api.operation import Asked
from gateway.hub.api.problem import Code, Problem

MOST = 100
PAGED = frozenset({Code.BAD_CURSOR})
"""What an operation refuses that takes a `Page`."""


class Page(Asked):
    """Which part of a list: `cursor` is the `next` of the page before."""

    limit: Annotated[int, Field(ge=1, le=MOST)] = 20
    cursor: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = None


def behind(table: Table, created: datetime, id_: str) -> ColumnElement[bool]:
    """What follows this row where the newest come first, by `created` and `id`."""
    return or_(table.c.created < created, and_(table.c.created == created, table.c.id < id_))


def cursor(*place: int | str) -> str:
    """Write the place of a list's last item as a cursor."""
    return urlsafe_b64encode(json.dumps(place, separators=(",", ":")).encode()).decode().rstrip("=")


def place(text: str, *kinds: type[int] | type[str]) -> tuple[int | str, ...]:
    """Read a cursor of ours: as many values of these kinds.

    Raises:
        Problem: it is none.
    """
    try:
        found = json.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (Error, ValueError) as error:
        raise Problem(Code.BAD_CURSOR) from error
    if not isinstance(found, list) or [type(one) for one in found] != list(kinds) or cursor(*found) != text:
        raise Problem(Code.BAD_CURSOR)
    if any(isinstance(one, int) and not 0 <= one < 2**62 for one in found):
        raise Problem(Code.BAD_CURSOR)
    return tuple(found)
