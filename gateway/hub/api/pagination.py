"""Pages through lists with opaque cursors, which only this module makes."""

import json
import re
from datetime import datetime
from typing import Annotated

from pydantic import Field, StringConstraints
from sqlalchemy import ColumnElement, Table, and_, or_

from gateway.hub.http.operation import ApiParameters
from gateway.hub.http.problem import ApiProblem, Code
from gateway.system.base64url import decode_base64url, encode_base64url

MAX_PAGE_ITEMS = 100
_ID_PATTERN = re.compile(r"[a-z0-9-]{1,64}", re.ASCII)  # what a place can be: one of our own ids
_MAX_CURSOR_NUMBER = 2**53  # microseconds of a year that the calendar has, and any number of an event
PAGE_CODES = frozenset({Code.BAD_CURSOR})
"""What an operation refuses that takes a `PageParameters`."""


class PageParameters(ApiParameters):
    """Which part of a list: `encode_cursor` is the `next` of the page before."""

    limit: Annotated[int, Field(ge=1, le=MAX_PAGE_ITEMS)] = 20
    cursor: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = None


def rows_after(table: Table, created: datetime, id_: str) -> ColumnElement[bool]:
    """What follows this row where the newest come first, by `created` and `id`."""
    return or_(table.c.created < created, and_(table.c.created == created, table.c.id < id_))


def encode_cursor(*place: int | str) -> str:
    """Write the place of a list's last item as a cursor."""
    return encode_base64url(json.dumps(place, separators=(",", ":")).encode())


def decode_cursor(text: str, *kinds: type[int] | type[str]) -> tuple[int | str, ...]:
    """Read a cursor of ours: as many values of these kinds.

    Raises:
        Problem: it is none.
    """
    try:
        found = json.loads(decode_base64url(text))
    except ValueError as error:
        raise ApiProblem(Code.BAD_CURSOR) from error
    if not isinstance(found, list) or [type(one) for one in found] != list(kinds) or encode_cursor(*found) != text:
        raise ApiProblem(Code.BAD_CURSOR)
    if not all(0 <= one < _MAX_CURSOR_NUMBER if isinstance(one, int) else _ID_PATTERN.fullmatch(one) for one in found):
        raise ApiProblem(Code.BAD_CURSOR)
    return tuple(found)
