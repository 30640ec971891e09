"""Lists a retailer's events after a cursor, returns one, or streams them; publishes the hub's own key."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, StringConstraints
from pydantic.json_schema import SkipJsonSchema
from sqlalchemy import func, select

from gateway.hub.api.event_payload import Event, EventId
from gateway.hub.api.rows import PageParameters, decode_cursor, encode_cursor, split_page
from gateway.hub.api.sse import read_events, visible_events
from gateway.hub.database.tables import events
from gateway.hub.deliveries.events import EventType
from gateway.hub.http.operation import ApiAccess, ApiParameters, Model, OperationGroup, RequestContext, Response
from gateway.hub.http.problem import ApiProblem, Code, ErrorLocation

_TYPE_PATTERN = "(" + "|".join(one.value.replace(".", r"\.") for one in EventType) + ")"
Types = Annotated[str, StringConstraints(pattern=f"^{_TYPE_PATTERN}(,{_TYPE_PATTERN}){{0,9}}$")]
EVENTS = OperationGroup("Events")
HUB = OperationGroup("Hub", right=ApiAccess.NONE)

MAX_STREAM_S = 3600  # of one stream; then the client reconnects


class EventPath(ApiParameters):
    """The event that the path names."""

    event_id: EventId


class EventFilter(PageParameters):
    """Which events: those after the event `after`, of these types (several with commas between)."""

    after: EventId | None = None
    types: Types | None = None


class StreamParameters(ApiParameters):
    """Which events, and for how many seconds; 0: only stored events. Without `after`: only new events."""

    after: EventId | None = None
    types: Types | None = None
    seconds: Annotated[int, Field(ge=0, le=MAX_STREAM_S)] = MAX_STREAM_S


def _drop_default(schema: dict[str, Any]) -> None:
    for part in schema["properties"].values():
        del part["default"]


class ResumeHeaders(ApiParameters):
    """The last event that a client received before its stream was interrupted."""

    model_config = ConfigDict(json_schema_extra=_drop_default)

    last: Annotated[EventId | SkipJsonSchema[None], Field(alias="Last-Event-ID")] = None


class StreamMessage(Model):
    """One message of the stream. `data` is an event as `readEvent` tells it, written as JSON."""

    id: EventId
    event: EventType
    data: str


class Events(Model):
    """A page of events, oldest first. `next` is the cursor of the following page; null if there are no more yet."""

    data: Annotated[tuple[Event, ...], Field(max_length=100)]
    next: str | None


class HubKey(Model):
    """The key with which the hub signs what brands did not sign themselves, as a JWK. Such messages have type `typ`."""

    kty: Literal["OKP"] = "OKP"
    crv: Literal["Ed25519"] = "Ed25519"
    alg: str = "Ed25519"
    kid: str
    x: str
    typ: str = "perron-hub-delivery+jwt"


@EVENTS.get("/v1/events", "listEvents", query=EventFilter, answers={200: Events})
async def list_(call: RequestContext) -> Response:
    """List events, oldest first."""
    asked = call.part(EventFilter)
    seq = 0 if asked.after is None else await _find_seq(call, asked.after, "after", "query")
    if asked.cursor is not None:
        seq = int(decode_cursor(asked.cursor, int)[0])
    found = await read_events(call.tx, call.caller, seq, _parse_types(asked.types), limit=asked.limit + 1)
    page, more = split_page(found, asked)
    return Response(Events(data=tuple(page), next=encode_cursor(page[-1].seq) if more else None))


@EVENTS.get(
    "/v1/events/stream",
    "followEvents",
    query=StreamParameters,
    headers=ResumeHeaders,
    media_type="text/event-stream",
    answers={200: StreamMessage},
    refuses={Code.BAD_CURSOR},
)
async def follow(call: RequestContext) -> Response:
    """Follow events as they happen (Server-Sent Events)."""
    asked, last = call.part(StreamParameters), call.part(ResumeHeaders).last
    if last is not None:
        seq = await _find_seq(call, last, "Last-Event-ID", "header")
    elif asked.after is not None:
        seq = await _find_seq(call, asked.after, "after", "query")
    else:
        seq = await call.tx.scalar(select(func.max(events.c.seq)).where(visible_events(call.caller))) or 0
    stream = call.streams.follow(call.caller, after=seq, types=_parse_types(asked.types), seconds=asked.seconds)
    return Response(stream=stream)


@EVENTS.get("/v1/events/{event_id}", "readEvent", path_model=EventPath, answers={200: Event})
async def read(call: RequestContext) -> Response:
    """Read one event."""
    wanted = events.c.id == call.part(EventPath).event_id
    row = (await call.tx.execute(select(events).where(visible_events(call.caller), wanted))).one_or_none()
    if row is None:
        raise ApiProblem(Code.NOT_FOUND)
    return Response(Event.of(row))


@HUB.get("/v1/hub_key", "readHubKey", answers={200: HubKey})
async def key(call: RequestContext) -> Response:
    """Read the hub's own key."""
    return Response(HubKey(kid=call.signer.kid, x=call.signer.x))


def _parse_types(text: str | None) -> frozenset[str]:
    return frozenset() if text is None else frozenset(text.split(","))


async def _find_seq(call: RequestContext, id_: str, name: str, where: ErrorLocation) -> int:
    found: int | None = await call.tx.scalar(
        select(events.c.seq).where(visible_events(call.caller), events.c.id == id_)
    )
    if found is None:
        raise ApiProblem.at(
            name, "no_such_event", "There is no such event of yours.", code=Code.BAD_CURSOR, where=where
        )
    return found
