"""Manages webhook endpoints, lists what was sent to them, and sends messages again."""

import math
from collections import defaultdict
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, WithJsonSchema
from sqlalchemy import ColumnElement, Row, and_, delete, func, insert, select, update

from gateway.domain.delivery.promise import Instant
from gateway.hub.api.rows import PageParameters, count_owned, decode_cursor, encode_cursor, find_owned, owned_by
from gateway.hub.database.revocations import RevocationKind, record_revocation
from gateway.hub.database.store import new_id, new_row_id
from gateway.hub.database.tables import attempts, endpoints, events, messages
from gateway.hub.deliveries.events import EventType, emit, lock_retailer
from gateway.hub.http.operation import Model, OperationGroup, RequestContext, Response, links_to
from gateway.hub.http.problem import ApiProblem, Code
from gateway.hub.webhooks.queue import drop_waiting, issue_challenge, new_secret
from gateway.protocol.consent_request import AcceptWholeFloat
from gateway.system.destinations import (
    MAX_URL_CHARS,
    PUBLIC_URL_PATTERN,
    URL_PATTERN,
    DestinationRefused,
    parse_destination,
)

MAX_ENDPOINTS = 16  # of one retailer; as many in the sandbox
SECRET_OVERLAP = timedelta(hours=24)  # for which the old secret signs too
MAX_REPLAY_EVENTS = 1000  # of one replay
MIN_REPLAY_INTERVAL = timedelta(minutes=1)  # for an endpoint of a sandbox
MAX_ATTEMPTS_SHOWN = 20  # of one message

WEBHOOK_ENDPOINTS = OperationGroup("Webhooks")

EndpointId = Annotated[str, StringConstraints(pattern=r"^ep-[a-z2-7]{26}$")]
MessageId = Annotated[str, StringConstraints(pattern=r"^msg-[a-z2-7]{26}$")]
_URL_DESCRIPTION = (
    "Https, a public host name, port 443, 80 or any from 1024; the hub connects to public addresses only."
)
Url = Annotated[
    str,
    StringConstraints(pattern=URL_PATTERN, max_length=MAX_URL_CHARS),
    WithJsonSchema(
        {"type": "string", "pattern": PUBLIC_URL_PATTERN, "maxLength": MAX_URL_CHARS, "description": _URL_DESCRIPTION}
    ),
]
Types = Annotated[tuple[EventType, ...], Field(max_length=20)]
Seq = Annotated[int, Field(ge=0, le=2**53 - 1, json_schema_extra={"format": "int64"}), AcceptWholeFloat]

_COLLECTION_PATH = "/v1/webhook_endpoints"
_ITEM_PATH = f"{_COLLECTION_PATH}/{{endpoint_id}}"
_ENDPOINT_LINKS = links_to(
    "endpoint_id", "readWebhookEndpoint", "changeWebhookEndpoint", "rotateWebhookSecret", "testWebhookEndpoint",
    "listWebhookMessages", "replayWebhookEvents", "deleteWebhookEndpoint",
)  # fmt: skip


class NewEndpoint(Model):
    """The address of a webhook endpoint. `types`: the types of events to send; empty: all, also future ones."""

    url: Url
    types: Types = ()


class EndpointChange(Model):
    """The fields to change; null and missing fields stay. Waiting messages go to the new address."""

    url: Url | None = None
    types: Types | None = None
    enabled: bool | None = None


class Endpoint(Model):
    """A webhook endpoint, without its secret. `disabled`: the reason; `failing`: since when no message was accepted.

    `verified`: an endpoint of a sandbox gets only a challenge (type `webhook_endpoint.challenge`, its text in
    `data.challenge`) until it has answered 2xx with `{"challenge": "<that text>"}`. Then it gets the messages that
    waited.
    """

    id: EndpointId
    url: str
    types: tuple[str, ...]
    enabled: bool
    disabled: Literal["asked", "gone", "failing", "unverified"] | None
    verified: bool
    failing: datetime | None
    old_secret_until: datetime | None
    sandbox: bool
    created: datetime


class EndpointWithSecret(Endpoint):
    """An endpoint that was just made or rotated. The answer contains the secret this once."""

    secret: str


class Endpoints(Model):
    """All webhook endpoints of the retailer, newest first."""

    data: Annotated[tuple[Endpoint, ...], Field(max_length=MAX_ENDPOINTS)]


class Attempt(Model):
    """One attempt to send a message: its result, the answer's status, and its beginning if it is not 2xx."""

    number: int
    at: datetime
    result: str
    status: int | None
    excerpt: str | None
    milliseconds: int


class WebhookMessage(Model):
    """A message: `id` is its `webhook-id`. `due`: its next try. `attempts`: the newest, at most 20."""

    id: MessageId
    event: str
    type: str
    seq: Seq
    previous: Seq
    state: Literal["waiting", "delivered", "given_up"]
    created: datetime
    due: datetime | None
    attempts_made: int
    attempts: tuple[Attempt, ...]


class Messages(Model):
    """A page of the log, newest first. `next` is the cursor of the following page."""

    data: tuple[WebhookMessage, ...]
    next: str | None


class Replay(Model):
    """Which events to send again: from this `seq` on, and not before `since`; without both, all that are stored."""

    seq: Seq = 0
    since: Instant | None = None


class Replayed(Model):
    """The number of messages that wait now. `next`: the `seq` from which to continue, if there were more than 1000."""

    queued: int
    next: Seq | None


@WEBHOOK_ENDPOINTS.add(
    "POST", _COLLECTION_PATH, "createWebhookEndpoint", statuses=(201,), location=True,
    refuses={Code.CONFLICT, Code.ADDRESS_REFUSED}, links=_ENDPOINT_LINKS,
)  # fmt: skip
async def create(call: RequestContext, body: NewEndpoint) -> Response[EndpointWithSecret]:
    """Make a webhook endpoint. An endpoint of a sandbox must answer a challenge before it gets other messages."""
    _check_url(call, body.url)
    await lock_retailer(call.tx, call.caller.retailer)
    if await count_owned(call, endpoints) >= MAX_ENDPOINTS:
        raise ApiProblem(Code.CONFLICT, f"A retailer has at most {MAX_ENDPOINTS} endpoints: delete one first.")
    caller, id_, secret = call.caller, new_id("ep"), new_secret()
    await call.tx.execute(
        insert(endpoints).values(
            id=id_, retailer=caller.retailer, url=body.url, types=_unique(body.types),
            secret=call.signer.seal(secret, id_), sandbox=caller.sandbox, enabled=True, seq=0, slow=False,
            leased=call.now, created=call.now,
        )
    )  # fmt: skip
    if caller.sandbox:
        await issue_challenge(call.tx, id_, call.now, request=call.request_id)
    endpoint = await _read_endpoint(call, id_)
    answer = EndpointWithSecret(**dict(endpoint), secret=secret)
    return Response(answer, headers={"Location": f"{_COLLECTION_PATH}/{id_}"})


@WEBHOOK_ENDPOINTS.add("GET", _COLLECTION_PATH, "listWebhookEndpoints")
async def list_(call: RequestContext) -> Endpoints:
    """List the webhook endpoints."""
    mine = select(endpoints).where(owned_by(call.caller, endpoints))
    rows = await call.tx.execute(mine.order_by(endpoints.c.created.desc(), endpoints.c.id).limit(MAX_ENDPOINTS))
    return Endpoints(data=tuple(_from_row(row, call.now) for row in rows))


@WEBHOOK_ENDPOINTS.add("GET", _ITEM_PATH, "readWebhookEndpoint")
async def read(call: RequestContext, endpoint_id: EndpointId) -> Endpoint:
    """Read one webhook endpoint."""
    return await _read_endpoint(call, endpoint_id)


@WEBHOOK_ENDPOINTS.add("PATCH", _ITEM_PATH, "changeWebhookEndpoint", refuses={Code.ADDRESS_REFUSED})
async def change(call: RequestContext, endpoint_id: EndpointId, body: EndpointChange) -> Endpoint:
    """Change a webhook endpoint, switch it off or on.

    With another address, or when it is switched on, its failures are forgotten.
    """
    if body.url is not None:
        _check_url(call, body.url)
    row = await _locked_endpoint(call, endpoint_id)
    new: dict[str, Any] = {}
    if body.types is not None:
        new["types"] = _unique(body.types)
    if body.url is not None and body.url != row.url:
        new |= {"url": body.url, "failing": None, "slow": False, "leased": call.now}
    if body.enabled is True and not row.enabled:
        new |= {"enabled": True, "disabled": None, "failing": None, "slow": False, "leased": call.now}
    if body.enabled is False and row.enabled:
        new |= {"enabled": False, "disabled": "asked"}
    if new:
        await _update_endpoint(call, row.id, new)
    if new.get("enabled") is False:
        await drop_waiting(call.tx, row.id)
    if row.sandbox and ("url" in new or (row.challenge is not None and "enabled" in new)):
        await issue_challenge(call.tx, row.id, call.now, request=call.request_id)
    return await _read_endpoint(call, row.id)


@WEBHOOK_ENDPOINTS.add("DELETE", _ITEM_PATH, "deleteWebhookEndpoint")
async def remove(call: RequestContext, endpoint_id: EndpointId) -> None:
    """Delete a webhook endpoint and its log. Its waiting messages are deleted too."""
    row = await _locked_endpoint(call, endpoint_id)
    sent = select(messages.c.id).where(messages.c.endpoint == row.id)
    await call.tx.execute(delete(attempts).where(attempts.c.message.in_(sent)))
    await call.tx.execute(delete(messages).where(messages.c.endpoint == row.id))
    await call.tx.execute(delete(endpoints).where(endpoints.c.id == row.id))
    if not row.sandbox:
        await record_revocation(call.tx, RevocationKind.ENDPOINT, row.id, call.now)


@WEBHOOK_ENDPOINTS.add("POST", f"{_ITEM_PATH}/rotate", "rotateWebhookSecret")
async def rotate_secret(call: RequestContext, endpoint_id: EndpointId) -> EndpointWithSecret:
    """Give a webhook endpoint a new secret. For 24 hours each message is signed with the old and the new secret."""
    row, secret = await _locked_endpoint(call, endpoint_id), new_secret()
    sealed = call.signer.seal(secret, row.id)
    new = {"secret": sealed, "old_secret": row.secret, "old_until": call.now + SECRET_OVERLAP}
    await _update_endpoint(call, row.id, new)
    return EndpointWithSecret(**dict(await _read_endpoint(call, row.id)), secret=secret)


@WEBHOOK_ENDPOINTS.add(
    "POST", f"{_ITEM_PATH}/test", "testWebhookEndpoint", statuses=(202,), refuses={Code.CONFLICT},
    links={"replayWebhookMessage": {"endpoint_id": "$request.path.endpoint_id", "message_id": "$response.body#/id"}},
)  # fmt: skip
async def send_ping(call: RequestContext, endpoint_id: EndpointId) -> WebhookMessage:
    """Send a ping to a webhook endpoint. No other endpoint gets it."""
    row = await _locked_endpoint(call, endpoint_id, enabled=True)
    data, request = {"id": row.id}, call.request_id
    event = await emit(call.tx, row, EventType.PING, data, call.now, only_endpoint=row.id, request=request)
    return (await _read_messages(call, messages.c.event == event, messages.c.endpoint == row.id))[0]


@WEBHOOK_ENDPOINTS.add(
    "GET", f"{_ITEM_PATH}/messages", "listWebhookMessages",
    links={"listWebhookMessages": {"endpoint_id": "$request.path.endpoint_id", "cursor": "$response.body#/next"}},
)  # fmt: skip
async def list_messages(call: RequestContext, endpoint_id: EndpointId, query: PageParameters) -> Messages:
    """List what was sent to a webhook endpoint. Waiting messages too, newest first."""
    row = await find_owned(call, endpoints, endpoint_id)
    wanted = [messages.c.endpoint == row.id]
    if query.cursor is not None:
        wanted.append(messages.c.seq < decode_cursor(query.cursor, int)[0])
    page = await _read_messages(call, *wanted, most=query.limit + 1)
    next_ = encode_cursor(page[query.limit - 1].seq) if len(page) > query.limit else None
    return Messages(data=tuple(page[: query.limit]), next=next_)


@WEBHOOK_ENDPOINTS.add(
    "POST",
    f"{_ITEM_PATH}/messages/{{message_id}}/replay",
    "replayWebhookMessage",
    statuses=(202,),
    refuses={Code.CONFLICT},
)
async def replay_message(call: RequestContext, endpoint_id: EndpointId, message_id: MessageId) -> WebhookMessage:
    """Send one message again. It keeps its id."""
    row = await _locked_endpoint(call, endpoint_id, enabled=True)
    wanted = and_(messages.c.endpoint == row.id, messages.c.id == message_id)
    waiting = await call.tx.execute(update(messages).where(wanted).values(_waiting_state(call.now)))
    if not waiting.rowcount:
        raise ApiProblem(Code.NOT_FOUND)
    return (await _read_messages(call, wanted))[0]


@WEBHOOK_ENDPOINTS.add("POST", f"{_ITEM_PATH}/replay", "replayWebhookEvents", statuses=(202,), refuses={Code.CONFLICT})
async def replay_events(call: RequestContext, endpoint_id: EndpointId, body: Replay) -> Replayed:
    """Send events again, since a time or a number. Messages keep their ids; events that had no message here get one."""
    row = await _locked_endpoint(call, endpoint_id, enabled=True)
    _check_replay_interval(row, call.now)
    wanted = [
        events.c.retailer == call.caller.retailer, events.c.sandbox == row.sandbox,
        events.c.type.not_in((EventType.PING, EventType.ENDPOINT_CHALLENGE, EventType.EVENT_ERASED)),
        events.c.seq >= body.seq, *([events.c.type.in_(row.types)] if row.types else []),
        *([events.c.at >= body.since] if body.since is not None else []),
    ]  # fmt: skip
    sent_here = and_(messages.c.event == events.c.id, messages.c.endpoint == row.id)
    rows = (
        await call.tx.execute(
            select(events.c.id, events.c.seq, messages.c.id.label("message")).outerjoin(messages, sent_here)
            .where(*wanted).order_by(events.c.seq).limit(MAX_REPLAY_EVENTS + 1)
        )
    ).all()  # fmt: skip
    if row.sandbox:
        await _update_endpoint(call, row.id, {"replayed": call.now})
    next_ = rows[MAX_REPLAY_EVENTS].seq if len(rows) > MAX_REPLAY_EVENTS else None
    rows = rows[:MAX_REPLAY_EVENTS]
    old = [event.message for event in rows if event.message is not None]
    if old:
        await call.tx.execute(update(messages).where(messages.c.id.in_(old)).values(_waiting_state(call.now)))
    before = and_(messages.c.endpoint == row.id, messages.c.seq < (rows[0].seq if rows else 0))
    previous, new = await call.tx.scalar(select(func.max(messages.c.seq)).where(before)) or 0, []
    for event in rows:
        if event.message is None:
            new.append(
                {"id": new_row_id("msg", call.now), "endpoint": row.id, "event": event.id, "seq": event.seq,
                 "previous": previous, "attempts": 0, "created": call.now, **_waiting_state(call.now)}
            )  # fmt: skip
        previous = event.seq
    if new:
        await call.tx.execute(insert(messages), new)
        await _update_endpoint(call, row.id, {"seq": max(row.seq, previous)})
    return Replayed(queued=len(rows), next=next_)


def _check_replay_interval(row: Row[Any], now: datetime) -> None:
    """Refuse a replay too soon after the last one; otherwise a sandbox could make the hub send without end."""
    if row.sandbox and row.replayed is not None and now < row.replayed + MIN_REPLAY_INTERVAL:
        wait = math.ceil((row.replayed + MIN_REPLAY_INTERVAL - now).total_seconds())
        detail = f"An endpoint of a sandbox has one replay a minute: try again in {wait} s."
        raise ApiProblem(Code.RATE_LIMITED, detail, headers={"Retry-After": str(wait)})


def _waiting_state(now: datetime) -> dict[str, Any]:
    return {"state": "waiting", "tries": 0, "begun": now, "due": now}


def _unique(types: tuple[EventType, ...]) -> list[str]:
    return [str(kind) for kind in dict.fromkeys(types)]


def _check_url(call: RequestContext, url: str) -> None:
    try:
        parse_destination(url, call.destination_policy)
    except DestinationRefused as error:
        reason = str(error)
        raise ApiProblem.at("/url", "address_refused", reason, code=Code.ADDRESS_REFUSED, detail=reason) from error


async def _locked_endpoint(call: RequestContext, endpoint_id: EndpointId, *, enabled: bool = False) -> Row[Any]:
    await lock_retailer(call.tx, call.caller.retailer)
    row = await find_owned(call, endpoints, endpoint_id)
    if enabled and not row.enabled:
        raise ApiProblem(Code.CONFLICT, "The endpoint is switched off: change `enabled` first.")
    return row


async def _update_endpoint(call: RequestContext, id_: str, new: dict[str, Any]) -> None:
    await call.tx.execute(update(endpoints).where(endpoints.c.id == id_).values(new))


async def _read_endpoint(call: RequestContext, id_: str) -> Endpoint:
    return _from_row(await find_owned(call, endpoints, id_), call.now)


def _from_row(row: Row[Any], now: datetime) -> Endpoint:
    until = row.old_until if row.old_until is not None and now < row.old_until else None
    facts = {**row._asdict(), "verified": row.challenge is None, "old_secret_until": until}
    return Endpoint.model_validate({name: facts[name] for name in Endpoint.model_fields}, strict=False)


async def _read_messages(call: RequestContext, *wanted: ColumnElement[bool], most: int = 1) -> list[WebhookMessage]:
    newest = select(messages, events.c.type).join(events, events.c.id == messages.c.event).where(*wanted)
    rows = (await call.tx.execute(newest.order_by(messages.c.seq.desc()).limit(most))).all()
    shown = attempts.c.number > messages.c.attempts - MAX_ATTEMPTS_SHOWN
    tries = await call.tx.execute(
        select(attempts).join(messages, messages.c.id == attempts.c.message)
        .where(messages.c.id.in_([row.id for row in rows]), shown).order_by(attempts.c.number.desc())
    )  # fmt: skip
    attempts_of = defaultdict[str, list[Attempt]](list)
    for attempt in tries:
        attempts_of[attempt.message].append(Attempt.model_validate(attempt, from_attributes=True))
    return [
        WebhookMessage(id=row.id, event=row.event, type=row.type, seq=row.seq, previous=row.previous, state=row.state,
                created=row.created, due=row.due, attempts_made=row.attempts, attempts=tuple(attempts_of[row.id]))
        for row in rows
    ]  # fmt: skip
