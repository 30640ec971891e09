"""Finds the caller's own rows, and pages through lists with opaque cursors, which only this module makes.

The functions raise `ApiProblem` for a row that the caller does not have, and for a cursor that the list did not issue.
"""

import json
import re
from collections.abc import Sequence
from functools import cache
from typing import Annotated, Any

from pydantic import Field, StringConstraints
from sqlalchemy import ColumnElement, Row, Select, Table, and_, bindparam, false, func, or_, select

from gateway.domain.delivery.carrier_names import carrier_id
from gateway.hub.database.tables import deliveries
from gateway.hub.http.operation import ApiCaller, ApiParameters, RequestContext
from gateway.hub.http.problem import ApiProblem, Code
from gateway.system.base64url import decode_base64url, encode_base64url

MAX_PAGE_ITEMS = 100
_ID_PATTERN = re.compile(r"[a-z0-9-]{1,64}", re.ASCII)  # one of our ids
_MAX_CURSOR_NUMBER = 2**53  # larger than any instant in microseconds and any event number


class PageParameters(ApiParameters):
    """Which part of a list: `cursor` is the `next` of the page before."""

    limit: Annotated[int, Field(ge=1, le=MAX_PAGE_ITEMS)] = 20
    cursor: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = None


def owned_by(caller: ApiCaller, table: Table) -> ColumnElement[bool]:
    """Return the condition that a row belongs to the caller's retailer, and to the sandbox if the caller does.

    A carrier's key owns nothing but the deliveries of its carrier.
    """
    mine = _of_retailer(table, caller.retailer, caller.sandbox)
    if caller.carrier is None:
        return mine
    brought = deliveries.c.carrier_id == carrier_id(caller.carrier)
    return and_(mine, brought) if table is deliveries else false()


def _of_retailer(table: Table, retailer: object, sandbox: object) -> ColumnElement[bool]:
    return and_(table.c.retailer == retailer, table.c.sandbox == sandbox)


async def find_owned(
    call: RequestContext, table: Table, id_: str, *, lock: bool = False, missing: ApiProblem | None = None
) -> Row[Any]:
    """Return the caller's row of this id. `lock`: no other transaction changes what belongs to it meanwhile."""
    if call.caller.carrier is None:
        mine = {"id": id_, "retailer": call.caller.retailer, "sandbox": call.caller.sandbox}
        return _found((await call.tx.execute(_select_owned(table, lock=lock), mine)).one_or_none(), missing)
    return await find_one(call, _select(table, owned_by(call.caller, table), id_, lock=lock), missing=missing)


@cache
def _select_owned(table: Table, *, lock: bool) -> Select[Any]:
    mine = _of_retailer(table, bindparam("retailer"), bindparam("sandbox"))
    return _select(table, mine, bindparam("id"), lock=lock)


def _select(table: Table, mine: ColumnElement[bool], id_: object, *, lock: bool) -> Select[Any]:
    wanted = select(table).where(mine, table.c.id == id_)
    return wanted.with_for_update(key_share=True) if lock else wanted


async def find_one(call: RequestContext, query: Select[Any], *, missing: ApiProblem | None = None) -> Row[Any]:
    """Return the one row of a query, or raise `missing`, otherwise NOT_FOUND."""
    return _found((await call.tx.execute(query)).one_or_none(), missing)


def _found(row: Row[Any] | None, missing: ApiProblem | None) -> Row[Any]:
    if row is None:
        raise missing or ApiProblem(Code.NOT_FOUND)
    return row


async def count_owned(call: RequestContext, table: Table, *wanted: ColumnElement[bool]) -> int:
    """Return how many such rows the caller has."""
    count = select(func.count()).select_from(table).where(owned_by(call.caller, table), *wanted)
    return await call.tx.scalar(count) or 0


async def newest_page(
    call: RequestContext, table: Table, page: PageParameters, *wanted: ColumnElement[bool]
) -> tuple[Sequence[Row[Any]], str | None]:
    """Return a page of the caller's rows, newest first, and the cursor of the page after it."""
    created, id_ = table.c.created, table.c.id
    query = select(table).where(owned_by(call.caller, table), *wanted).order_by(created.desc(), id_.desc())
    if page.cursor is not None:
        (last_id,) = decode_cursor(page.cursor, str)
        last = await call.tx.scalar(select(created).where(owned_by(call.caller, table), id_ == last_id))
        if last is None:
            raise ApiProblem(Code.BAD_CURSOR)
        query = query.where(or_(created < last, and_(created == last, id_ < last_id)))
    rows, more = await read_page(call, query, page)
    return rows, encode_cursor(rows[-1].id) if more else None


async def read_page(call: RequestContext, query: Select[Any], page: PageParameters) -> tuple[Sequence[Row[Any]], bool]:
    """Return as many rows of a query as a page has, and whether others follow."""
    rows = (await call.tx.execute(query.limit(page.limit + 1))).all()
    return rows[: page.limit], len(rows) > page.limit


def encode_cursor(*place: int | str) -> str:
    """Return the cursor after a list's item; `place` is what the list is ordered by."""
    return encode_base64url(json.dumps(place, separators=(",", ":")).encode())


def decode_cursor(text: str, *kinds: type[int] | type[str]) -> tuple[int | str, ...]:
    """Return the values of a cursor of ours, of these kinds."""
    try:
        place = json.loads(decode_base64url(text))
    except ValueError as error:
        raise ApiProblem(Code.BAD_CURSOR) from error
    if not isinstance(place, list) or list(map(type, place)) != list(kinds) or encode_cursor(*place) != text:
        raise ApiProblem(Code.BAD_CURSOR)
    if not all(0 <= key < _MAX_CURSOR_NUMBER if isinstance(key, int) else _ID_PATTERN.fullmatch(key) for key in place):
        raise ApiProblem(Code.BAD_CURSOR)
    return tuple(place)
