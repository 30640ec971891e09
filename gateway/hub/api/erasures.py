"""Erases what the hub stores about a customer, when the retailer asks for it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError
from sqlalchemy import Row

from gateway.hub.api.delivery_models import ONE_OF, ConnectionId
from gateway.hub.api.openapi_schemas import Choice, choices
from gateway.hub.api.rows import PageParameters, find_owned, newest_page
from gateway.hub.database import tables
from gateway.hub.deliveries import erasure
from gateway.hub.deliveries.erasure import DeliveriesOpen, ErasureCause
from gateway.hub.http.operation import Model, OperationGroup, RequestContext, Response, links_to
from gateway.hub.http.problem import ApiProblem, Code
from gateway.protocol.consent_request import Label

ErasureId = Annotated[str, StringConstraints(pattern=r"^era-[a-z2-7]{26}$")]

ERASURES = OperationGroup("Erasures")


_ABSENT_FIELD: Any = Field(default=None)  # of a field that may be left out, but not be null


class NewErasure(Model):
    """Whose data to erase: all connections with this `reference`, your name for the customer, or one `connection`."""

    model_config = ConfigDict(
        json_schema_extra=choices(
            Choice(
                name="CustomerErasure", required=("reference",), without=("connection",),
                description="Erases all connections with this `reference`, your name for the customer.",
            ),
            Choice(
                name="ConnectionErasure", required=("connection",), without=("reference",),
                description="Erases this one `connection`.",
            ),
        )
    )  # fmt: skip

    reference: Label = _ABSENT_FIELD
    connection: ConnectionId = _ABSENT_FIELD

    @model_validator(mode="after")
    def _check_either(self) -> Self:
        names = ("connection", "reference")
        if len(self.model_fields_set & {*names}) != 1:
            raise PydanticCustomError(ONE_OF, f"Give exactly one of {', '.join(names)}.", {"names": names})
        return self


class Erasure(Model):
    """An erasure. It contains the connections' ids, and no data of the customer.

    `state` is `erasing` for some seconds, and then `erased`. `deliveries` is the number of deliveries that the hub has
    erased until now. `cause` says who asked for the erasure: the `retailer`, or the `operator` of the hub. `retention`:
    the hub erases the customer because the connections ended long ago.
    """

    id: ErasureId
    state: Literal["erasing", "erased"]
    connections: tuple[ConnectionId, ...]
    deliveries: int
    cause: ErasureCause
    sandbox: bool
    created: datetime
    done: datetime | None


class Erasures(Model):
    """A page of the retailer's erasures, newest first. `next` is the cursor of the following page."""

    data: tuple[Erasure, ...]
    next: str | None


@ERASURES.add(
    "POST", "/v1/erasures", "createErasure", statuses=(202,), refuses={Code.NOT_FOUND, Code.CONFLICT},
    links=links_to("erasure_id", "readErasure"),
)  # fmt: skip
async def create(call: RequestContext, body: NewErasure) -> Response[Erasure]:
    """Erase what the hub stores about a customer: connections, deliveries, the contents of events and messages.

    The connections end. While a delivery is on its way, the hub refuses (409): cancel the delivery, or wait for its
    end. An event of type `event.erased` with the same `seq` replaces each event. The home keeps its own data.
    """
    named = erasure.of_customer(
        call.caller.retailer, sandbox=call.caller.sandbox, reference=body.reference, connection=body.connection
    )
    ids: Sequence[str] = (await call.tx.scalars(named)).all()
    if not ids:
        raise ApiProblem(Code.NOT_FOUND, "You have no such connection, or its data was erased before.")
    try:
        id_ = await erasure.begin(
            call.tx, call.caller.retailer, ids, ErasureCause.RETAILER, call.now, sandbox=call.caller.sandbox
        )
    except DeliveriesOpen as error:
        raise ApiProblem(Code.CONFLICT, f"On their way: {error}. Cancel them, or wait for their end.") from error
    return Response(await read(call, id_), headers={"Location": f"/v1/erasures/{id_}"})


@ERASURES.add("GET", "/v1/erasures", "listErasures")
async def list_(call: RequestContext, query: PageParameters) -> Erasures:
    """List the erasures."""
    rows, next_ = await newest_page(call, tables.erasures, query)
    return Erasures(data=tuple(map(_from_row, rows)), next=next_)


@ERASURES.add("GET", "/v1/erasures/{erasure_id}", "readErasure")
async def read(call: RequestContext, erasure_id: ErasureId) -> Erasure:
    """Read one erasure."""
    return _from_row(await find_owned(call, tables.erasures, erasure_id))


def _from_row(row: Row[Any]) -> Erasure:
    return Erasure(
        id=row.id, state="erasing" if row.done is None else "erased", connections=tuple(row.connections),
        deliveries=row.deliveries, cause=ErasureCause(row.cause), sandbox=row.sandbox, created=row.created,
        done=row.done,
    )  # fmt: skip
