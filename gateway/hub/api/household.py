"""What a household's browsers ask and order from afar. The hub carries it and can read none of it.

Who calls is a browser that was enrolled in its house, by a token that it signs itself; the house told the hub its key.
An order is kept until the box has it on its disk; a question is answered or not, and forgotten.
"""

from datetime import datetime, timedelta
from functools import partial
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, StringConstraints
from sqlalchemy import select

from gateway.hub import jobs as job_store
from gateway.hub.operation import Asked, Call, Link, Member, Model, Operation, Reply, Right
from gateway.hub.problem import Code, Problem
from gateway.hub.tables import jobs
from gateway.protocol.box_hub import Envelope, Kind
from gateway.protocol.browser_messages import LONG

LARGEST_ORDER = 11_000  # characters: 8,000 bytes and what seals them

OrderId = Annotated[str, StringConstraints(pattern=r"^job-[a-z2-7]{26}$")]
SealedOrder = Annotated[Envelope, StringConstraints(max_length=LARGEST_ORDER)]


def _whole(value: object) -> object:
    """JSON has one kind of number (RFC 8259, 6): 60.0 is 60."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


class NewOrder(Model):
    """An order, sealed for the box. `seconds`: how long the hub keeps it for a box that is not there."""

    sealed: SealedOrder
    seconds: Annotated[int, Field(ge=1, le=LONG), BeforeValidator(_whole)]


class OrderPath(Asked):
    """Which order."""

    order_id: OrderId


class Ordered(Model):
    """How an order stands: `received` is on the box's disk, and what became of it the box tells; `refused`: why."""

    id: OrderId
    state: Literal["waiting", "received", "refused", "expired"]
    created: datetime
    why: str | None = None


class Sealed(Model):
    """What only the browser and its box can read."""

    sealed: SealedOrder


class SealedAnswer(Model):
    """The box's answer, sealed."""

    sealed: Envelope


async def send(call: Call) -> Reply:
    """Keep an order."""
    asked, who = call.of(NewOrder), call.member
    id_ = await job_store.send(
        call.tx, who.home, Kind.OWNER, asked.sealed.encode(), now=call.now, browser=who.browser,
        life=timedelta(seconds=asked.seconds),
    )  # fmt: skip
    return Reply(status=202, body=Ordered(id=id_, state="waiting", created=call.now))


async def read(call: Call) -> Reply:
    """Tell how an order of this browser stands."""
    who = call.member
    mine = (jobs.c.id == call.of(OrderPath).order_id, jobs.c.home == who.home, jobs.c.browser == who.browser)
    row = (await call.tx.execute(select(jobs).where(*mine))).one_or_none()
    if row is None:
        raise Problem(Code.NOT_FOUND)
    if row.received is not None:
        return Reply(status=200, body=Ordered(id=row.id, state="received", created=row.created))
    if row.refused is not None:
        return Reply(status=200, body=Ordered(id=row.id, state="refused", created=row.created, why=row.refused))
    over = row.due is None or row.expires <= call.now
    return Reply(status=200, body=Ordered(id=row.id, state="expired" if over else "waiting", created=row.created))


async def ask(call: Call) -> Reply:
    """Hand a question on; the answer comes when the home gives it."""
    return Reply(status=200, later=partial(_answered, call, call.member, call.of(Sealed).sealed))


async def _answered(call: Call, who: Member, sealed: str) -> Reply:
    return Reply(status=200, body=SealedAnswer(sealed=await call.asker.ask(who, sealed)))


OPERATIONS = (
    Operation(
        name="sendOrder", method="POST", path="/v1/household/orders", tag="Household", handler=send,
        summary="Send an order to one's home", right=Right.BROWSER, body=NewOrder, answers={202: Ordered},
        links=(Link(operation="readOrder", parameters={"order_id": "$response.body#/id"}),), largest=16_384,
    ),
    Operation(
        name="readOrder", method="GET", path="/v1/household/orders/{order_id}", tag="Household", handler=read,
        summary="Read how an order stands", right=Right.BROWSER, path_model=OrderPath, answers={200: Ordered},
    ),
    Operation(
        name="askHome", method="POST", path="/v1/household/questions", tag="Household", handler=ask,
        summary="Ask one's home", right=Right.BROWSER, body=Sealed, answers={200: SealedAnswer}, asks=True,
        refuses=frozenset({Code.HOME_OFFLINE, Code.HOME_SILENT, Code.UNAVAILABLE}), largest=16_384,
    ),
)  # fmt: skip
