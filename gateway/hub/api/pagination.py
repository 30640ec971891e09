"""Lists a page at a time: a cursor is opaque, and made only here."""

import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from datetime import datetime
from typing import Annotated

from pydantic import Field, StringConstraints
from sqlalchemy import ColumnElement, Table, and_, or_

from gateway.hub.operation import Asked
from gateway.hub.problem import Code, Problem

MOST = 100
_NAME = re.compile(r"[a-z0-9-]{1,64}", re.ASCII)  # what a place can be: one of our own ids
_FURTHEST = 2**53  # microseconds of a year that the calendar has, and any number of an event
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
    if not all(0 <= one < _FURTHEST if isinstance(one, int) else _NAME.fullmatch(one) for one in found):
        raise Problem(Code.BAD_CURSOR)
    return tuple(found)
