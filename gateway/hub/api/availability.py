"""Availability: can this home take a delivery at these hours, at this entrance."""

from datetime import datetime
from typing import Annotated

from pydantic import Field
from sqlalchemy import select

from gateway.domain.delivery.promise import Id, Instant
from gateway.hub.api.connections import ConnectionPath, one
from gateway.hub.availability import LONGEST, MOST, Why, available, zone_of
from gateway.hub.connections import state_of, terms_of
from gateway.hub.operation import Asked, Call, Model, Operation, Reply, Right
from gateway.hub.problem import Code, Detail, Problem
from gateway.hub.tables import homes


class Hours(Asked):
    """From `start` up to, not including, `end`, at most seven days. Without `entrance`: at any."""

    start: Instant
    end: Instant
    entrance: Id | None = None


class Span(Model):
    """From `start` up to, not including, `end`."""

    start: datetime
    end: datetime


class Availability(Model):
    """Whether the home's terms allow the whole of it; `why` they do not; the parts of it that days and hours allow.

    Whether somebody is home, or an entrance is ready, is not in it.
    """

    possible: bool
    why: Why | None
    windows: Annotated[tuple[Span, ...], Field(max_length=MOST)]


async def read(call: Call) -> Reply:
    """Reckon it from the terms."""
    row, asked = await one(call, call.of(ConnectionPath).connection), call.of(Hours)
    if not asked.start < asked.end <= asked.start + LONGEST:
        why = "`end` lies after `start`, at most 7 days."
        raise Problem(Code.INVALID, why, errors=[Detail(pointer="end", where="query", code="window", detail=why)])
    terms = terms_of(row) if state_of(row, call.now) == "granted" else None
    said = await call.tx.scalar(select(homes.c.said).where(homes.c.id == row.home, homes.c.revoked.is_(None)))
    found = available(
        None if said is None else terms, asked.start, asked.end, asked.entrance, zone=zone_of(said or {}), now=call.now
    )
    windows = tuple(Span(start=start, end=end) for start, end in found.windows)
    return Reply(status=200, body=Availability(possible=found.possible, why=found.why, windows=windows))


OPERATIONS = (
    Operation(
        name="readAvailability", method="GET", path="/v1/connections/{connection}/availability", tag="Connections",
        handler=read, right=Right.READ, summary="Ask whether a home can take a delivery", path_model=ConnectionPath,
        query=Hours, answers={200: Availability},
    ),
)  # fmt: skip
