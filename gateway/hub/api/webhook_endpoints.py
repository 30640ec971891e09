"""Manages webhook endpoints, lists what was sent to them, and sends messages again."""

import math
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, WithJsonSchema
from sqlalchemy import ColumnElement, and_, delete, func, insert, select, update

from gateway.domain.delivery.promise import Instant
from gateway.hub.api.rows import (
    PageParameters,
    count_owned,
    decode_cursor,
    encode_cursor,
    find_owned,
    owned_by,
    split_page,
)
from gateway.hub.database.store import new_id
from gateway.hub.database.tables import attempts, endpoints, events, messages, retailers
from gateway.hub.deliveries.events import EventType, emit
from gateway.hub.http.operation import (
    AcceptWholeFloat,
    ApiParameters,
    Model,
    OperationGroup,
    RequestContext,
    Response,
    links_to,
)
from gateway.hub.http.problem import ApiProblem, Code
from gateway.hub.http.ssrf import MAX_URL_CHARS, PUBLIC_URL_PATTERN, URL_PATTERN, DestinationRefused, parse_destination
from gateway.hub.webhooks.challenge import issue_challenge
from gateway.hub.webhooks.message import new_secret
from gateway.hub.webhooks.queue import drop_waiting

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


Seq = Annotated[int, Field(ge=0, le=2**53 - 1), AcceptWholeFloat]

_COLLECTION_PATH = "/v1/webhook_endpoints"
_ITEM_PATH = f"{_COLLECTION_PATH}/{{endpoint_id}}"
_ENDPOINT_LINKS = links_to(
    "endpoint_id",
    "readWebhookEndpoint",
    "changeWebhookEndpoint",
    "rotateWebhookSecret",
    "testWebhookEndpoint",
    "listWebhookMessages",
    "replayWebhookEvents",
    "deleteWebhookEndpoint",
)


class EndpointPath(ApiParameters):
    """The endpoint that the path names."""

    endpoint_id: EndpointId


class MessagePath(EndpointPath):
    """The message of an endpoint that the path names."""

    message_id: MessageId


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
    seq: int
    previous: int
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
    next: int | None


@WEBHOOK_ENDPOINTS.post(
    _COLLECTION_PATH,
    "createWebhookEndpoint",
    body=NewEndpoint,
    answers={201: EndpointWithSecret},
    refuses={Code.CONFLICT, Code.ADDRESS_REFUSED},
    links=_ENDPOINT_LINKS,
)
async def create(call: RequestContext) -> Response:
    """Make a webhook endpoint.

    An endpoint of a sandbox must answer a challenge before it gets other messages.
    """
    asked, who, secret = call.part(NewEndpoint), call.caller, new_secret()
    url = _check_url(call, asked.url)
    await _lock_retailer(call)
    if await count_owned(call, endpoints) >= MAX_ENDPOINTS:
        raise ApiProblem(Code.CONFLICT, f"A retailer has at most {MAX_ENDPOINTS} endpoints: delete one first.")
    id_ = new_id("ep")
    await call.tx.execute(
        insert(endpoints).values(
            id=id_, retailer=who.retailer, url=url, types=_unique(asked.types), secret=call.signer.seal(secret, id_),
            sandbox=who.sandbox, enabled=True, seq=0, slow=False, leased=call.now, created=call.now,
        )
    )  # fmt: skip
    if who.sandbox:
        await issue_challenge(call.tx, id_, call.now)
    made = _from_row(await find_owned(call, endpoints, id_), call.now)
    body = EndpointWithSecret(**made.model_dump(), secret=secret)
    return Response(body, status=201, headers={"Location": f"/v1/webhook_endpoints/{id_}"})


@WEBHOOK_ENDPOINTS.get(_COLLECTION_PATH, "listWebhookEndpoints", answers={200: Endpoints})
async def list_(call: RequestContext) -> Response:
    """List the webhook endpoints."""
    newest = select(endpoints).where(owned_by(call, endpoints)).order_by(endpoints.c.created.desc(), endpoints.c.id)
    rows = await call.tx.execute(newest.limit(MAX_ENDPOINTS))
    return Response(Endpoints(data=tuple(_from_row(row, call.now) for row in rows)))


@WEBHOOK_ENDPOINTS.get(_ITEM_PATH, "readWebhookEndpoint", path_model=EndpointPath, answers={200: Endpoint})
async def read(call: RequestContext) -> Response:
    """Read one webhook endpoint."""
    return Response(_from_row(await _requested_endpoint(call), call.now))


@WEBHOOK_ENDPOINTS.patch(
    _ITEM_PATH,
    "changeWebhookEndpoint",
    path_model=EndpointPath,
    body=EndpointChange,
    answers={200: Endpoint},
    refuses={Code.ADDRESS_REFUSED},
)
async def change(call: RequestContext) -> Response:
    """Change a webhook endpoint, switch it off or on.

    With another address, or when it is switched on, its failures are forgotten.
    """
    asked = call.part(EndpointChange)
    url = None if asked.url is None else _check_url(call, asked.url)
    await _lock_retailer(call)
    row = await _requested_endpoint(call)
    then: dict[str, Any] = {}
    if asked.types is not None:
        then["types"] = _unique(asked.types)
    if url is not None and url != row.url:
        then |= {"url": url, "failing": None, "slow": False, "leased": call.now}
    if asked.enabled is True and not row.enabled:
        then |= {"enabled": True, "disabled": None, "failing": None, "slow": False, "leased": call.now}
    if asked.enabled is False and row.enabled:
        then |= {"enabled": False, "disabled": "asked"}
    if then:
        await call.tx.execute(update(endpoints).where(endpoints.c.id == row.id).values(then))
    if then.get("enabled") is False:
        await drop_waiting(call.tx, row.id)
    if row.sandbox and ("url" in then or (row.challenge is not None and "enabled" in then)):
        await issue_challenge(call.tx, row.id, call.now)
    return Response(_from_row(await find_owned(call, endpoints, row.id), call.now))


@WEBHOOK_ENDPOINTS.delete(_ITEM_PATH, "deleteWebhookEndpoint", path_model=EndpointPath, answers={204: None})
async def remove(call: RequestContext) -> Response:
    """Delete a webhook endpoint and its log.

    Its waiting messages are deleted too.
    """
    await _lock_retailer(call)
    row = await _requested_endpoint(call)
    its = select(messages.c.id).where(messages.c.endpoint == row.id)
    await call.tx.execute(delete(attempts).where(attempts.c.message.in_(its)))
    await call.tx.execute(delete(messages).where(messages.c.endpoint == row.id))
    await call.tx.execute(delete(endpoints).where(endpoints.c.id == row.id))
    return Response(status=204)


@WEBHOOK_ENDPOINTS.post(
    f"{_ITEM_PATH}/rotate", "rotateWebhookSecret", path_model=EndpointPath, answers={200: EndpointWithSecret}
)
async def rotate_secret(call: RequestContext) -> Response:
    """Give a webhook endpoint a new secret.

    For 24 hours each message is signed with the old and the new secret.
    """
    await _lock_retailer(call)
    row, secret = await _requested_endpoint(call), new_secret()
    then = {
        "secret": call.signer.seal(secret, row.id),
        "old_secret": row.secret,
        "old_until": call.now + SECRET_OVERLAP,
    }
    await call.tx.execute(update(endpoints).where(endpoints.c.id == row.id).values(then))
    told = _from_row(await find_owned(call, endpoints, row.id), call.now)
    return Response(EndpointWithSecret(**told.model_dump(), secret=secret))


@WEBHOOK_ENDPOINTS.post(
    f"{_ITEM_PATH}/test",
    "testWebhookEndpoint",
    path_model=EndpointPath,
    answers={202: WebhookMessage},
    refuses={Code.CONFLICT},
    links={"replayWebhookMessage": {"endpoint_id": "$request.path.endpoint_id", "message_id": "$response.body#/id"}},
)
async def send_ping(call: RequestContext) -> Response:
    """Send a ping to a webhook endpoint.

    No other endpoint gets it.
    """
    await _lock_retailer(call)
    row = _check_enabled(await _requested_endpoint(call))
    event = await emit(
        call.tx,
        call.caller.retailer,
        EventType.PING,
        row.id,
        {"id": row.id},
        sandbox=row.sandbox,
        now=call.now,
        only_endpoint=row.id,
    )
    sent = await _read_messages(call, messages.c.event == event, messages.c.endpoint == row.id)
    return Response(sent[0], status=202)


@WEBHOOK_ENDPOINTS.get(
    f"{_ITEM_PATH}/messages",
    "listWebhookMessages",
    path_model=EndpointPath,
    query=PageParameters,
    answers={200: Messages},
    links={"listWebhookMessages": {"endpoint_id": "$request.path.endpoint_id", "cursor": "$response.body#/next"}},
)
async def list_messages(call: RequestContext) -> Response:
    """List what was sent to a webhook endpoint.

    Waiting messages too, newest first.
    """
    page, row = call.part(PageParameters), await _requested_endpoint(call)
    wanted = [messages.c.endpoint == row.id]
    if page.cursor is not None:
        (seq,) = decode_cursor(page.cursor, int)
        wanted.append(messages.c.seq < seq)
    found, more = split_page(await _read_messages(call, *wanted, most=page.limit + 1), page)
    return Response(Messages(data=tuple(found), next=encode_cursor(found[-1].seq) if more else None))


@WEBHOOK_ENDPOINTS.post(
    f"{_ITEM_PATH}/messages/{{message_id}}/replay",
    "replayWebhookMessage",
    path_model=MessagePath,
    answers={202: WebhookMessage},
    refuses={Code.CONFLICT},
)
async def replay_message(call: RequestContext) -> Response:
    """Send one message again.

    It keeps its id.
    """
    await _lock_retailer(call)
    row = _check_enabled(await _requested_endpoint(call))
    wanted = and_(messages.c.endpoint == row.id, messages.c.id == call.part(MessagePath).message_id)
    if not await _read_messages(call, wanted):
        raise ApiProblem(Code.NOT_FOUND)
    await call.tx.execute(update(messages).where(wanted).values(_waiting_state(call.now)))
    return Response((await _read_messages(call, wanted))[0], status=202)


@WEBHOOK_ENDPOINTS.post(
    f"{_ITEM_PATH}/replay",
    "replayWebhookEvents",
    path_model=EndpointPath,
    body=Replay,
    answers={202: Replayed},
    refuses={Code.CONFLICT},
)
async def replay_events(call: RequestContext) -> Response:
    """Send events again, since a time or a number.

    Messages keep their ids; events that had no message here get one.
    """
    await _lock_retailer(call)
    row, asked = _check_replay_interval(_check_enabled(await _requested_endpoint(call)), call.now), call.part(Replay)
    wanted = [
        events.c.retailer == call.caller.retailer, events.c.sandbox == row.sandbox,
        events.c.type.not_in((EventType.PING, EventType.ENDPOINT_CHALLENGE)),
        events.c.seq >= asked.seq, *([events.c.type.in_(row.types)] if row.types else []),
        *([events.c.at >= asked.since] if asked.since is not None else []),
    ]  # fmt: skip
    its = and_(messages.c.event == events.c.id, messages.c.endpoint == row.id)
    found = (
        await call.tx.execute(
            select(events.c.id, events.c.seq, messages.c.id.label("message")).outerjoin(messages, its)
            .where(*wanted).order_by(events.c.seq).limit(MAX_REPLAY_EVENTS + 1)
        )
    ).all()  # fmt: skip
    if row.sandbox:
        await call.tx.execute(update(endpoints).where(endpoints.c.id == row.id).values(replayed=call.now))
    next_ = found[MAX_REPLAY_EVENTS].seq if len(found) > MAX_REPLAY_EVENTS else None
    found = found[:MAX_REPLAY_EVENTS]
    again = [one.message for one in found if one.message is not None]
    if again:
        await call.tx.execute(update(messages).where(messages.c.id.in_(again)).values(_waiting_state(call.now)))
    before = and_(messages.c.endpoint == row.id, messages.c.seq < (found[0].seq if found else 0))
    previous, new = await call.tx.scalar(select(func.max(messages.c.seq)).where(before)) or 0, []
    for one in found:
        if one.message is None:
            new.append(
                {"id": new_id("msg"), "endpoint": row.id, "event": one.id, "seq": one.seq, "previous": previous,
                 "attempts": 0, "created": call.now, **_waiting_state(call.now)}
            )  # fmt: skip
        previous = one.seq
    if new:
        await call.tx.execute(insert(messages), new)
        await call.tx.execute(
            update(endpoints).where(endpoints.c.id == row.id, endpoints.c.seq < previous).values(seq=previous)
        )
    return Response(Replayed(queued=len(found), next=next_), status=202)


def _check_replay_interval(row: Any, now: datetime) -> Any:  # noqa: ANN401 - a row
    """Refuse a replay too soon after the last one; otherwise a sandbox could make the hub send without end."""
    if row.sandbox and row.replayed is not None and now < row.replayed + MIN_REPLAY_INTERVAL:
        wait = math.ceil((row.replayed + MIN_REPLAY_INTERVAL - now).total_seconds())
        detail = f"An endpoint of a sandbox has one replay a minute: try again in {wait} s."
        raise ApiProblem(Code.RATE_LIMITED, detail, headers={"Retry-After": str(wait)})
    return row


def _waiting_state(now: datetime) -> dict[str, Any]:
    return {"state": "waiting", "tries": 0, "begun": now, "due": now}


def _unique(types: tuple[EventType, ...]) -> list[str]:
    return [str(one) for one in dict.fromkeys(types)]


def _check_url(call: RequestContext, url: str) -> str:
    try:
        parse_destination(url, call.destination_policy)
    except DestinationRefused as error:
        why = str(error)
        raise ApiProblem.at("/url", "address_refused", why, code=Code.ADDRESS_REFUSED, detail=why) from error
    return url


async def _lock_retailer(call: RequestContext) -> None:
    """Lock the retailer's row, so that changes of its endpoints and new events are serialised."""
    await call.tx.execute(
        select(retailers.c.id).where(retailers.c.id == call.caller.retailer).with_for_update(key_share=True)
    )


async def _requested_endpoint(call: RequestContext) -> Any:  # noqa: ANN401 - a row
    path = next(part for part in call.parts if isinstance(part, EndpointPath))
    return await find_owned(call, endpoints, path.endpoint_id)


def _check_enabled(row: Any) -> Any:  # noqa: ANN401 - a row
    if not row.enabled:
        raise ApiProblem(Code.CONFLICT, "The endpoint is switched off: change `enabled` first.")
    return row


def _from_row(row: Any, now: datetime) -> Endpoint:  # noqa: ANN401 - a row
    rotating = row.old_until is not None and now < row.old_until
    return Endpoint(
        id=row.id, url=row.url, types=tuple(row.types), enabled=row.enabled, disabled=row.disabled,
        verified=row.challenge is None, failing=row.failing,
        old_secret_until=row.old_until if rotating else None, sandbox=row.sandbox,
        created=row.created,
    )  # fmt: skip


async def _read_messages(call: RequestContext, *wanted: ColumnElement[bool], most: int = 1) -> list[WebhookMessage]:
    rows = await call.tx.execute(
        select(messages, events.c.type).join(events, events.c.id == messages.c.event).where(*wanted)
        .order_by(messages.c.seq.desc()).limit(most)
    )  # fmt: skip
    found = rows.all()
    tried = await call.tx.execute(
        select(attempts)
        .join(messages, messages.c.id == attempts.c.message)
        .where(
            messages.c.id.in_([row.id for row in found]), attempts.c.number > messages.c.attempts - MAX_ATTEMPTS_SHOWN
        )
        .order_by(attempts.c.number.desc())
    )
    by: dict[str, list[Attempt]] = {}
    for one in tried:
        by.setdefault(one.message, []).append(Attempt.model_validate(one, from_attributes=True))
    return [
        WebhookMessage(id=row.id, event=row.event, type=row.type, seq=row.seq, previous=row.previous, state=row.state,
                created=row.created, due=row.due, attempts_made=row.attempts, attempts=tuple(by.get(row.id, ())))
        for row in found
    ]  # fmt: skip
