"""Builds the payload of an event for lists, streams and webhooks."""

from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import Field, JsonValue, StringConstraints
from sqlalchemy import Row

from gateway.hub.deliveries.events import EventType
from gateway.hub.http.operation import Model

EventId = Annotated[str, StringConstraints(pattern=r"^evt-[a-z2-7]{26}$")]


class Event(Model):
    """Something happened. `seq` rises with each of the retailer's; `about` is the id of what `data` tells of."""

    id: EventId
    seq: Annotated[int, Field(ge=1)]
    type: EventType
    about: str
    at: datetime
    sandbox: bool
    data: dict[str, JsonValue]

    @classmethod
    def of(cls, row: Row[Any]) -> Self:
        """Return the event of this row."""
        return cls(
            id=row.id,
            seq=row.seq,
            type=EventType(row.type),
            about=row.object,
            at=row.at,
            sandbox=row.sandbox,
            data=row.data,
        )
