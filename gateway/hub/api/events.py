"""Events: what a retailer is told, listed after a place, one, or followed as it happens; and the hub's own key."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, StringConstraints
from pydantic.json_schema import SkipJsonSchema
from sqlalchemy import func, select

from gateway.hub.api.pagination import PAGED, Page, cursor, place
from gateway.hub.event_payload import Event, EventId
from gateway.hub.events import Type
from gateway.hub.operation import Asked, Call, Model, Operation, Reply, Right
from gateway.hub.problem import Code, Detail, Problem, Where
from gateway.hub.sse import after, mine
from gateway.hub.tables import events
from gateway.protocol.hub_signed import TYPE
from gateway.protocol.jws import ALGORITHM

_TYPE = "(" + "|".join(one.value.replace(".", r"\.") for one in Type) + ")"
Types = Annotated[str, StringConstraints(pattern=f"^{_TYPE}(,{_TYPE}){{0,9}}$")]
LONGEST = 3600  # seconds of one stream; a reader comes back


class EventPath(Asked):
    """Which event."""

    event_id: EventId


class Wanted(Page):
    """Which events: behind the one named `after`, of these types (several with commas between)."""

    after: EventId | None = None
    types: Types | None = None


class Followed(Asked):
    """Which events, and for how many seconds; 0: what there is, at once. Without `after`: those that come."""

    after: EventId | None = None
    types: Types | None = None
    seconds: Annotated[int, Field(ge=0, le=LONGEST)] = LONGEST


def _no_default(schema: dict[str, Any]) -> None:
    for part in schema["properties"].values():
        del part["default"]


class Resumed(Asked):
    """Where a reader goes on that was cut off."""

    model_config = ConfigDict(json_schema_extra=_no_default)

    last: Annotated[EventId | SkipJsonSchema[None], Field(alias="Last-Event-ID")] = None


class Message(Model):
    """One message of the stream. `data` is an event as `readEvent` tells it, written as JSON."""

    id: EventId
    event: Type
    data: str


class Events(Model):
    """A page of events, oldest first. `next`: the cursor of the page after it; null where there are no more by now."""

    data: Annotated[tuple[Event, ...], Field(max_length=100)]
    next: str | None


class HubKey(Model):
    """The key by which the hub signs what brands did not sign themselves, as a JWK; such messages have type `typ`."""

    kty: Literal["OKP"] = "OKP"
    crv: Literal["Ed25519"] = "Ed25519"
    alg: str = ALGORITHM
    kid: str
    x: str
    typ: str = TYPE


async def list_(call: Call) -> Reply:
    """List them, oldest first."""
    asked = call.of(Wanted)
    seq = 0 if asked.after is None else await _seq(call, asked.after, "after", "query")
    if asked.cursor is not None:
        seq = int(place(asked.cursor, int)[0])
    found = await after(call.tx, call.who, seq, _types(asked.types), limit=asked.limit + 1)
    page, more = found[: asked.limit], len(found) > asked.limit
    return Reply(status=200, body=Events(data=tuple(page), next=cursor(page[-1].seq) if more else None))


async def read(call: Call) -> Reply:
    """Tell of one."""
    wanted = events.c.id == call.of(EventPath).event_id
    row = (await call.tx.execute(select(events).where(mine(call.who), wanted))).one_or_none()
    if row is None:
        raise Problem(Code.NOT_FOUND)
    return Reply(status=200, body=Event.of(row))


async def follow(call: Call) -> Reply:
    """Follow them as they happen."""
    asked, last = call.of(Followed), call.of(Resumed).last
    if last is not None:
        seq = await _seq(call, last, "Last-Event-ID", "header")
    elif asked.after is not None:
        seq = await _seq(call, asked.after, "after", "query")
    else:
        seq = await call.tx.scalar(select(func.max(events.c.seq)).where(mine(call.who))) or 0
    stream = call.streams.follow(call.who, after=seq, types=_types(asked.types), seconds=asked.seconds)
    return Reply(status=200, stream=stream)


async def key(call: Call) -> Reply:
    """Tell the hub's own key."""
    return Reply(status=200, body=HubKey(kid=call.key.kid, x=call.key.x))


def _types(text: str | None) -> frozenset[str]:
    return frozenset() if text is None else frozenset(text.split(","))


async def _seq(call: Call, id_: str, name: str, where: Where) -> int:
    found: int | None = await call.tx.scalar(select(events.c.seq).where(mine(call.who), events.c.id == id_))
    if found is None:
        raise Problem(
            Code.BAD_CURSOR,
            errors=[Detail(pointer=name, where=where, code="no_such_event", detail="There is no such event of yours.")],
        )
    return found


OPERATIONS = (
    Operation(
        name="listEvents", method="GET", path="/v1/events", tag="Events", handler=list_, right=Right.READ,
        summary="List events, oldest first", query=Wanted, answers={200: Events}, refuses=PAGED,
    ),
    Operation(
        name="followEvents", method="GET", path="/v1/events/stream", tag="Events", handler=follow, right=Right.READ,
        summary="Follow events as they happen (Server-Sent Events)", query=Followed, headers=Resumed,
        media="text/event-stream", answers={200: Message}, refuses=PAGED,
    ),
    Operation(
        name="readEvent", method="GET", path="/v1/events/{event_id}", tag="Events", handler=read, right=Right.READ,
        summary="Read one event", path_model=EventPath, answers={200: Event},
    ),
    Operation(
        name="readHubKey", method="GET", path="/v1/hub_key", tag="Hub", handler=key, right=Right.NONE,
        summary="Read the hub's own key", answers={200: HubKey},
    ),
)  # fmt: skip
