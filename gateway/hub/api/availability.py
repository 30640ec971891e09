"""Tells whether a home accepts a delivery at given hours and at a given entrance."""

from datetime import datetime
from typing import Annotated

from pydantic import Field
from sqlalchemy import select

from gateway.domain.delivery.promise import Id, Instant
from gateway.hub.api.connections import ConnectionId
from gateway.hub.api.rows import find_owned
from gateway.hub.database.tables import connections, homes
from gateway.hub.deliveries.availability import MAX_WINDOW, MAX_WINDOWS, ImpossibleReason, check_availability, zone_of
from gateway.hub.deliveries.connections import state_of, terms_of
from gateway.hub.http.operation import ApiParameters, Model, OperationGroup, RequestContext
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


@AVAILABILITY.add("GET", "/v1/connections/{connection}/availability", "readAvailability")
async def read(call: RequestContext, connection: ConnectionId, query: AvailabilityParameters) -> Availability:
    """Ask whether a home can take a delivery."""
    row = await find_owned(call, connections, connection)
    if not query.start < query.end <= query.start + MAX_WINDOW:
        reason = "`end` lies after `start`, at most 7 days."
        raise ApiProblem.at("end", "window", reason, where="query", detail=reason)
    terms = terms_of(row) if state_of(row, call.now) == "granted" else None
    report = await call.tx.scalar(select(homes.c.said).where(homes.c.id == row.home, homes.c.revoked.is_(None)))
    result = check_availability(
        None if report is None else terms, query.start, query.end, query.entrance, zone=zone_of(report or {}),
        now=call.now,
    )  # fmt: skip
    windows = tuple(Span(start=start, end=end) for start, end in result.windows)
    return Availability(possible=result.possible, why=result.why, windows=windows)
