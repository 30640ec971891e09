"""Relays sealed queries and orders of a household's browsers to its box. The hub cannot read them.

The caller is a browser that was enrolled at its home and signs a token; the home has told the hub the browser's key.
The hub keeps an order until the box has stored it. It keeps no query: the home answers it or not.
"""

from datetime import datetime, timedelta
from functools import partial
from typing import Annotated, Literal

from pydantic import Field, StringConstraints
from sqlalchemy import select

from gateway.hub.database.tables import jobs
from gateway.hub.deliveries import jobs as job_store
from gateway.hub.http.operation import (
    AcceptWholeFloat,
    ApiAccess,
    ApiParameters,
    HouseholdBrowser,
    Model,
    OperationGroup,
    RequestContext,
    Response,
)
from gateway.hub.http.problem import ApiProblem, Code
from gateway.protocol.box_hub import Envelope, JobKind
from gateway.protocol.browser_messages import DEFERRED_ORDER_LIFETIME_S

HOUSEHOLD = OperationGroup("Household", right=ApiAccess.BROWSER)

MAX_ORDER_CHARS = 11_000  # 8,000 bytes and their encryption

OrderId = Annotated[str, StringConstraints(pattern=r"^job-[a-z2-7]{26}$")]
SealedOrder = Annotated[Envelope, StringConstraints(max_length=MAX_ORDER_CHARS)]


class NewOrder(Model):
    """An order, encrypted for the box. `seconds`: how long the hub keeps it for a box that is not connected."""

    sealed: SealedOrder
    seconds: Annotated[int, Field(ge=1, le=DEFERRED_ORDER_LIFETIME_S), AcceptWholeFloat]


class OrderPath(ApiParameters):
    """The order that the path names."""

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


@HOUSEHOLD.post(
    "/v1/household/orders",
    "sendOrder",
    body=NewOrder,
    answers={202: Ordered},
    max_body_bytes=16_384,
    links={"readOrder": {"order_id": "$response.body#/id"}},
)
async def send(call: RequestContext) -> Response:
    """Send an order to your home.

    The hub keeps it until the box has it.
    """
    asked, who = call.part(NewOrder), call.browser
    id_ = await job_store.enqueue(
        call.tx, who.home, JobKind.OWNER, asked.sealed.encode(), now=call.now, browser=who.browser,
        lifetime=timedelta(seconds=asked.seconds),
    )  # fmt: skip
    return Response(Ordered(id=id_, state="waiting", created=call.now), status=202)


@HOUSEHOLD.get("/v1/household/orders/{order_id}", "readOrder", path_model=OrderPath, answers={200: Ordered})
async def read(call: RequestContext) -> Response:
    """Read how an order stands.

    It must be an order of this browser.
    """
    who = call.browser
    mine = (jobs.c.id == call.part(OrderPath).order_id, jobs.c.home == who.home, jobs.c.browser == who.browser)
    row = (await call.tx.execute(select(jobs).where(*mine))).one_or_none()
    if row is None:
        raise ApiProblem(Code.NOT_FOUND)
    if row.received is not None:
        return Response(Ordered(id=row.id, state="received", created=row.created))
    if row.refused is not None:
        return Response(Ordered(id=row.id, state="refused", created=row.created, why=row.refused))
    over = row.due is None or row.expires <= call.now
    return Response(Ordered(id=row.id, state="expired" if over else "waiting", created=row.created))


@HOUSEHOLD.post(
    "/v1/household/questions",
    "askHome",
    body=Sealed,
    answers={200: SealedAnswer},
    only_asks=True,
    refuses={Code.HOME_OFFLINE, Code.HOME_SILENT, Code.UNAVAILABLE},
    max_body_bytes=16_384,
)
async def ask(call: RequestContext) -> Response:
    """Ask your home.

    The answer comes when the home gives it.
    """
    return Response(later=partial(_relay_query, call, call.browser, call.part(Sealed).sealed))


async def _relay_query(call: RequestContext, who: HouseholdBrowser, sealed: str) -> Response:
    return Response(SealedAnswer(sealed=await call.relay.ask(who, sealed)))
