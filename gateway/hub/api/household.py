"""Relays sealed queries and orders of a household's browsers to its box. The hub cannot read them.

The caller is a browser that was enrolled at its home and signs a token; the home has told the hub the browser's key.
The hub keeps an order until the box has stored it. It keeps no query: the home answers it or not.
"""

from datetime import datetime, timedelta
from typing import Annotated, Literal

from pydantic import Field, StringConstraints
from sqlalchemy import select

from gateway.hub.api.rows import find_one
from gateway.hub.database.tables import jobs
from gateway.hub.deliveries import jobs as job_store
from gateway.hub.http.operation import ApiAccess, Model, OperationGroup, RequestContext, Response, links_to
from gateway.hub.http.problem import Code
from gateway.protocol.box_hub import Envelope, JobKind
from gateway.protocol.browser_messages import DEFERRED_ORDER_LIFETIME_S
from gateway.protocol.consent_request import AcceptWholeFloat

HOUSEHOLD = OperationGroup("Household", right=ApiAccess.BROWSER)

MAX_ORDER_CHARS = 11_000  # 8,000 bytes and their encryption

OrderId = Annotated[str, StringConstraints(pattern=r"^job-[a-z2-7]{26}$")]
SealedOrder = Annotated[Envelope, StringConstraints(max_length=MAX_ORDER_CHARS)]


class NewOrder(Model):
    """An order, encrypted for the box. `seconds`: how long the hub keeps it for a box that is not connected."""

    sealed: SealedOrder
    seconds: Annotated[int, Field(ge=1, le=DEFERRED_ORDER_LIFETIME_S), AcceptWholeFloat]


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


@HOUSEHOLD.add(
    "POST",
    "/v1/household/orders",
    "sendOrder",
    statuses=(202,),
    max_body_bytes=16_384,
    links=links_to("order_id", "readOrder"),
)
async def send(call: RequestContext, body: NewOrder) -> Ordered:
    """Send an order to your home. The hub keeps it until the box has it."""
    id_ = await job_store.enqueue(
        call.tx, call.browser.home, JobKind.OWNER, body.sealed.encode(), now=call.now, browser=call.browser.browser,
        lifetime=timedelta(seconds=body.seconds),
    )  # fmt: skip
    return Ordered(id=id_, state="waiting", created=call.now)


@HOUSEHOLD.add("GET", "/v1/household/orders/{order_id}", "readOrder")
async def read(call: RequestContext, order_id: OrderId) -> Ordered:
    """Read how an order stands. It must be an order of this browser."""
    browser = call.browser
    row = await find_one(call, select(jobs).filter_by(id=order_id, home=browser.home, browser=browser.browser))
    if row.received is not None:
        return Ordered(id=row.id, state="received", created=row.created)
    if row.refused is not None:
        return Ordered(id=row.id, state="refused", created=row.created, why=row.refused)
    is_over = row.due is None or row.expires <= call.now
    return Ordered(id=row.id, state="expired" if is_over else "waiting", created=row.created)


@HOUSEHOLD.add(
    "POST", "/v1/household/questions", "askHome", only_asks=True, max_body_bytes=16_384,
    refuses={Code.HOME_OFFLINE, Code.HOME_SILENT, Code.UNAVAILABLE},
)  # fmt: skip
async def ask(call: RequestContext, body: Sealed) -> Response[SealedAnswer]:
    """Ask your home. The answer comes when the home gives it."""

    async def relay_query() -> SealedAnswer:
        return SealedAnswer(sealed=await call.ask_home(call.browser, body.sealed))

    return Response(later=relay_query)
