"""Relays sealed queries and orders of a household's browsers to its box. The hub cannot read them.

Who calls is a browser that was enrolled in its house, by a token that it signs itself; the house told the hub its key.
An order is kept until the box has it on its disk; a question is answered or not, and forgotten.
"""

from datetime import datetime, timedelta
from functools import partial
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, StringConstraints
from sqlalchemy import select

from gateway.hub.database.tables import jobs
from gateway.hub.deliveries import jobs as job_store
from gateway.hub.http.operation import (
    ApiAccess,
    ApiOperation,
    ApiParameters,
    HouseholdBrowser,
    Model,
    OperationLink,
    RequestContext,
    Response,
)
from gateway.hub.http.problem import ApiProblem, Code
from gateway.protocol.box_hub import Envelope, JobKind
from gateway.protocol.browser_messages import DEFERRED_ORDER_LIFETIME_S

MAX_ORDER_CHARS = 11_000  # characters: 8,000 bytes and what seals them

OrderId = Annotated[str, StringConstraints(pattern=r"^job-[a-z2-7]{26}$")]
SealedOrder = Annotated[Envelope, StringConstraints(max_length=MAX_ORDER_CHARS)]


def _parse_integer(value: object) -> object:
    """JSON has one kind of number (RFC 8259, 6): 60.0 is 60."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


class NewOrder(Model):
    """An order, encrypted for the box. `seconds`: how long the hub keeps it for a box that is not connected."""

    sealed: SealedOrder
    seconds: Annotated[int, Field(ge=1, le=DEFERRED_ORDER_LIFETIME_S), BeforeValidator(_parse_integer)]


class OrderPath(ApiParameters):
    """Which order."""

    order_id: OrderId


class Ordered(Model):
    """The state of an order. `received`: on the box's disk, and the box reports the result; `refused`: the reason."""

    id: OrderId
    state: Literal["waiting", "received", "refused", "expired"]
    created: datetime
    why: str | None = None


class Sealed(Model):
    """Data that only the browser and its box can decrypt."""

    sealed: SealedOrder


class SealedAnswer(Model):
    """The box's answer, encrypted."""

    sealed: Envelope


async def send(call: RequestContext) -> Response:
    """Keep an order."""
    asked, who = call.of(NewOrder), call.member
    id_ = await job_store.enqueue(
        call.tx, who.home, JobKind.OWNER, asked.sealed.encode(), now=call.now, browser=who.browser,
        life=timedelta(seconds=asked.seconds),
    )  # fmt: skip
    return Response(status=202, body=Ordered(id=id_, state="waiting", created=call.now))


async def read(call: RequestContext) -> Response:
    """Tell how an order of this browser stands."""
    who = call.member
    mine = (jobs.c.id == call.of(OrderPath).order_id, jobs.c.home == who.home, jobs.c.browser == who.browser)
    row = (await call.tx.execute(select(jobs).where(*mine))).one_or_none()
    if row is None:
        raise ApiProblem(Code.NOT_FOUND)
    if row.received is not None:
        return Response(status=200, body=Ordered(id=row.id, state="received", created=row.created))
    if row.refused is not None:
        return Response(status=200, body=Ordered(id=row.id, state="refused", created=row.created, why=row.refused))
    over = row.due is None or row.expires <= call.now
    return Response(status=200, body=Ordered(id=row.id, state="expired" if over else "waiting", created=row.created))


async def ask(call: RequestContext) -> Response:
    """Hand a question on; the answer comes when the home gives it."""
    return Response(status=200, later=partial(_relay_query, call, call.member, call.of(Sealed).sealed))


async def _relay_query(call: RequestContext, who: HouseholdBrowser, sealed: str) -> Response:
    return Response(status=200, body=SealedAnswer(sealed=await call.asker.ask(who, sealed)))


OPERATIONS = (
    ApiOperation(
        name="sendOrder", method="POST", path="/v1/household/orders", tag="Household", handler=send,
        summary="Send an order to your home", right=ApiAccess.BROWSER, body=NewOrder, answers={202: Ordered},
        links=(OperationLink(operation="readOrder", parameters={"order_id": "$response.body#/id"}),), largest=16_384,
    ),
    ApiOperation(
        name="readOrder", method="GET", path="/v1/household/orders/{order_id}", tag="Household", handler=read,
        summary="Read how an order stands", right=ApiAccess.BROWSER, path_model=OrderPath, answers={200: Ordered},
    ),
    ApiOperation(
        name="askHome", method="POST", path="/v1/household/questions", tag="Household", handler=ask,
        summary="Ask your home", right=ApiAccess.BROWSER, body=Sealed, answers={200: SealedAnswer}, asks=True,
        refuses=frozenset({Code.HOME_OFFLINE, Code.HOME_SILENT, Code.UNAVAILABLE}), largest=16_384,
    ),
)  # fmt: skip
