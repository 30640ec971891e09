"""Tells whether a home accepts a delivery at given hours and at a given entrance."""

from datetime import datetime
from typing import Annotated

from pydantic import Field
from sqlalchemy import select

from gateway.domain.delivery.promise import Id, Instant
from gateway.hub.api.connections import ConnectionPath
from gateway.hub.api.rows import find_owned
from gateway.hub.database.tables import connections, homes
from gateway.hub.deliveries.availability import MAX_WINDOW, MAX_WINDOWS, ImpossibleReason, check_availability, zone_of
from gateway.hub.deliveries.connections import state_of, terms_of
from gateway.hub.http.operation import ApiParameters, Model, OperationGroup, RequestContext, Response
from gateway.hub.http.problem import ApiProblem

AVAILABILITY = OperationGroup("Connections")


class AvailabilityParameters(ApiParameters):
    """The time from `start` up to but not including `end`, at most seven days; without `entrance` any entrance."""

    start: Instant
    end: Instant
    entrance: Id | None = None


class Span(Model):
    """From `start` up to, not including, `end`."""

    start: datetime
    end: datetime


class Availability(Model):
    """Whether the home's terms allow the whole span, `why` not, and the parts that days and hours allow.

    It does not say whether somebody is home or an entrance is ready.
    """

    possible: bool
    why: ImpossibleReason | None
    windows: Annotated[tuple[Span, ...], Field(max_length=MAX_WINDOWS)]


@AVAILABILITY.get(
    "/v1/connections/{connection}/availability",
    "readAvailability",
    path_model=ConnectionPath,
    query=AvailabilityParameters,
    answers={200: Availability},
)
async def read(call: RequestContext) -> Response:
    """Ask whether a home can take a delivery."""
    row = await find_owned(call, connections, call.part(ConnectionPath).connection)
    asked = call.part(AvailabilityParameters)
    if not asked.start < asked.end <= asked.start + MAX_WINDOW:
        why = "`end` lies after `start`, at most 7 days."
        raise ApiProblem.at("end", "window", why, where="query", detail=why)
    terms = terms_of(row) if state_of(row, call.now) == "granted" else None
    said = await call.tx.scalar(select(homes.c.said).where(homes.c.id == row.home, homes.c.revoked.is_(None)))
    found = check_availability(
        None if said is None else terms, asked.start, asked.end, asked.entrance, zone=zone_of(said or {}), now=call.now
    )
    windows = tuple(Span(start=start, end=end) for start, end in found.windows)
    return Response(Availability(possible=found.possible, why=found.why, windows=windows))
