"""Lists a retailer's events after a cursor, returns one, or streams them; publishes the hub's own key."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, StringConstraints
from pydantic.json_schema import SkipJsonSchema
from sqlalchemy import func, select

from gateway.hub.api.rows import PageParameters, decode_cursor, encode_cursor, find_owned, owned_by, read_page
from gateway.hub.api.sse import select_events
from gateway.hub.database.tables import events
from gateway.hub.deliveries.events import Event, EventId, EventType, event_of
from gateway.hub.http.operation import ApiAccess, ApiParameters, Model, OperationGroup, RequestContext, Response
from gateway.hub.http.problem import ApiProblem, Code, ErrorLocation

_TYPE_PATTERN = "(" + "|".join(kind.value.replace(".", r"\.") for kind in EventType) + ")"
Types = Annotated[str, StringConstraints(pattern=f"^{_TYPE_PATTERN}(,{_TYPE_PATTERN}){{0,9}}$")]
EVENTS = OperationGroup("Events")
HUB = OperationGroup("Hub", right=ApiAccess.NONE)

MAX_STREAM_S = 3600  # of one stream; then the client reconnects


class EventFilter(PageParameters):
    """Which events: those after the event `after`, of these types (several with commas between), and in which order."""

    after: EventId | None = None
    types: Types | None = None
    order: Literal["oldest", "newest"] = "oldest"


class StreamParameters(ApiParameters):
    """Which events, and for how many seconds; 0: only stored events. Without `after`: only new events."""

    after: EventId | None = None
    types: Types | None = None
    seconds: Annotated[int, Field(ge=0, le=MAX_STREAM_S)] = MAX_STREAM_S


class ResumeHeaders(ApiParameters):
    """The last event that a client received before its stream was interrupted."""

    model_config = ConfigDict(extra="ignore")

    last: Annotated[EventId | SkipJsonSchema[None], Field(alias="Last-Event-ID")] = None


class Events(Model):
    """A page of events, oldest first, or newest first with `order=newest`.

    `next` is the cursor of the following page in the same order; null if there are no more yet.
    """

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


@EVENTS.add("GET", "/v1/events", "listEvents")
async def list_(call: RequestContext, query: EventFilter) -> Events:
    """List events, oldest first. With `order=newest` the newest is the first."""
    after = 0 if query.after is None else await _find_seq(call, query.after, "after", "query")
    place = None if query.cursor is None else int(decode_cursor(query.cursor, int)[0])
    if query.order == "oldest":
        wanted = select_events(call.caller, after if place is None else place, _parse_types(query.types))
    else:
        newest = select_events(call.caller, after, _parse_types(query.types))
        wanted = newest.order_by(None).order_by(events.c.seq.desc())
        wanted = wanted if place is None else wanted.where(events.c.seq < place)
    rows, more = await read_page(call, wanted, query)
    return Events(data=tuple(map(event_of, rows)), next=encode_cursor(rows[-1].seq) if more else None)


@EVENTS.add("GET", "/v1/events/stream", "followEvents", media_type="text/event-stream", refuses={Code.BAD_CURSOR})
async def follow(call: RequestContext, query: StreamParameters, headers: ResumeHeaders) -> Response[Event]:
    """Follow events as they happen (Server-Sent Events).

    `event` of a message is the event's type, `id` its id, and `data` the event as `readEvent` returns it, as JSON.
    After an interruption send the last id as `Last-Event-ID`, as browsers do: the stream continues after it. Lines that
    begin with a colon keep the connection open.
    """
    if headers.last is not None:
        seq = await _find_seq(call, headers.last, "Last-Event-ID", "header")
    elif query.after is not None:
        seq = await _find_seq(call, query.after, "after", "query")
    else:
        seq = await call.tx.scalar(select(func.max(events.c.seq)).where(owned_by(call.caller, events))) or 0
    return Response(stream=call.follow_events(call.caller, seq, _parse_types(query.types), query.seconds))


@EVENTS.add("GET", "/v1/events/{event_id}", "readEvent")
async def read(call: RequestContext, event_id: EventId) -> Event:
    """Read one event."""
    return event_of(await find_owned(call, events, event_id))


@HUB.add("GET", "/v1/hub_key", "readHubKey")
async def key(call: RequestContext) -> HubKey:
    """Read the hub's own key."""
    return HubKey(kid=call.signer.kid, x=call.signer.x)


def _parse_types(text: str | None) -> frozenset[str]:
    return frozenset() if text is None else frozenset(text.split(","))


async def _find_seq(call: RequestContext, id_: str, name: str, where: ErrorLocation) -> int:
    seq: int | None = await call.tx.scalar(
        select(events.c.seq).where(owned_by(call.caller, events), events.c.id == id_)
    )
    if seq is None:
        reason = "There is no such event of yours."
        raise ApiProblem.at(name, "no_such_event", reason, code=Code.BAD_CURSOR, where=where)
    return seq
