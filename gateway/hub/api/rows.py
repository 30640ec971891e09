"""Finds the caller's own rows, and pages through lists with opaque cursors, which only this module makes."""

import json
import re
from collections.abc import Sequence
from typing import Annotated, Any, TypeVar

from pydantic import Field, StringConstraints
from sqlalchemy import ColumnElement, Row, Table, and_, func, or_, select

from gateway.hub.http.operation import ApiParameters, RequestContext
from gateway.hub.http.problem import ApiProblem, Code
from gateway.system.base64url import decode_base64url, encode_base64url

MAX_PAGE_ITEMS = 100
_ID_PATTERN = re.compile(r"[a-z0-9-]{1,64}", re.ASCII)  # one of our ids
_MAX_CURSOR_NUMBER = 2**53  # larger than any instant in microseconds and any event number

R = TypeVar("R")


class PageParameters(ApiParameters):
    """Which part of a list: `cursor` is the `next` of the page before."""

    limit: Annotated[int, Field(ge=1, le=MAX_PAGE_ITEMS)] = 20
    cursor: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = None


def owned_by(call: RequestContext, table: Table) -> ColumnElement[bool]:
    """Return the condition that a row belongs to the caller's retailer, and to the sandbox if the caller does."""
    return and_(table.c.retailer == call.caller.retailer, table.c.sandbox == call.caller.sandbox)


async def find_owned(call: RequestContext, table: Table, id_: str, *, lock: bool = False) -> Row[Any]:
    """Return the caller's row of this id. `lock`: no other transaction changes what belongs to it meanwhile.

    Raises:
        ApiProblem: the caller has no such row.
    """
    wanted = select(table).where(owned_by(call, table), table.c.id == id_)
    row = (await call.tx.execute(wanted.with_for_update(key_share=True) if lock else wanted)).one_or_none()
    if row is None:
        raise ApiProblem(Code.NOT_FOUND)
    return row


async def count_owned(call: RequestContext, table: Table, *wanted: ColumnElement[bool]) -> int:
    """Return how many such rows the caller has."""
    return await call.tx.scalar(select(func.count()).select_from(table).where(owned_by(call, table), *wanted)) or 0


async def newest_page(
    call: RequestContext, table: Table, page: PageParameters, *wanted: ColumnElement[bool]
) -> tuple[Sequence[Row[Any]], str | None]:
    """Return a page of the caller's rows, newest first, and the cursor of the page after it.

    Raises:
        ApiProblem: the cursor is not one of this list.
    """
    created, id_ = table.c.created, table.c.id
    query = select(table).where(owned_by(call, table), *wanted).order_by(created.desc(), id_.desc())
    if page.cursor is not None:
        (last_id,) = decode_cursor(page.cursor, str)
        found = select(created).where(owned_by(call, table), id_ == last_id)
        last = (await call.tx.execute(found)).scalar_one_or_none()
        if last is None:
            raise ApiProblem(Code.BAD_CURSOR)
        query = query.where(or_(created < last, and_(created == last, id_ < last_id)))
    rows, more = split_page((await call.tx.execute(query.limit(page.limit + 1))).all(), page)
    return rows, encode_cursor(rows[-1].id) if more else None


def split_page(rows: Sequence[R], page: PageParameters) -> tuple[Sequence[R], bool]:
    """Return the page of rows that were read with one row more than the limit, and whether others follow."""
    return rows[: page.limit], len(rows) > page.limit


def encode_cursor(*place: int | str) -> str:
    """Return the cursor after a list's item; `place` is what the list is ordered by."""
    return encode_base64url(json.dumps(place, separators=(",", ":")).encode())


def decode_cursor(text: str, *kinds: type[int] | type[str]) -> tuple[int | str, ...]:
    """Return the values of a cursor of ours, of these kinds.

    Raises:
        ApiProblem: it is not one of our cursors.
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
