"""Webhook endpoints: where a retailer wants to be told, the log of what was sent there, and sending it once more."""

import math
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StringConstraints, WithJsonSchema
from sqlalchemy import ColumnElement, and_, delete, func, insert, select, update

from gateway.domain.delivery.promise import Instant
from gateway.hub.api.pagination import Page, cursor, place
from gateway.hub.events import Type, tell
from gateway.hub.operation import Asked, Call, Link, Model, Operation, Reply, Right
from gateway.hub.problem import Code, Detail, Problem
from gateway.hub.store import new_id
from gateway.hub.tables import attempts, endpoints, events, messages, retailers
from gateway.hub.webhooks.challenge import challenge
from gateway.hub.webhooks.message import new_secret
from gateway.hub.webhooks.queue import drop
from gateway.hub.webhooks.ssrf import LONGEST, PUBLIC, URL, NotAllowed, destination

MOST = 16  # endpoints of one retailer, in each world
OVERLAP = timedelta(hours=24)  # for which the secret before signs too
AT_ONCE = 1000  # events of one replay
REPLAYS_APART = timedelta(minutes=1)  # of one endpoint of a sandbox
NEWEST = 20  # tries that are told of a message

EndpointId = Annotated[str, StringConstraints(pattern=r"^ep-[a-z2-7]{26}$")]
MessageId = Annotated[str, StringConstraints(pattern=r"^msg-[a-z2-7]{26}$")]
_WHERE = (
    "By https, to a name of the internet, on port 443, 80 or one from 1024 up; at each try to a public address only."
)
Url = Annotated[
    str,
    StringConstraints(pattern=URL, max_length=LONGEST),
    WithJsonSchema({"type": "string", "pattern": PUBLIC, "maxLength": LONGEST, "description": _WHERE}),
]
Types = Annotated[tuple[Type, ...], Field(max_length=20)]


def _whole(value: object) -> object:
    """JSON has one kind of number (RFC 8259, 6): 2.0 is 2."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Seq = Annotated[int, Field(ge=0, le=2**53 - 1), BeforeValidator(_whole)]


class EndpointPath(Asked):
    """Which endpoint."""

    endpoint_id: EndpointId


class MessagePath(EndpointPath):
    """Which of its messages."""

    message_id: MessageId


class NewEndpoint(Model):
    """Where to send. `types`: of events that are wanted; empty: all, also those to come."""

    url: Url
    types: Types = ()


class EndpointChange(Model):
    """What is to be another; what is null or left out stays. What waits goes to the new address."""

    url: Url | None = None
    types: Types | None = None
    enabled: bool | None = None


class Endpoint(Model):
    """An endpoint, without its secret. `disabled`: by whom; `failing`: since when nothing has been taken.

    `verified`: an endpoint of a sandbox is sent nothing but a challenge (type `webhook_endpoint.challenge`, its text in
    `data.challenge`) until it has answered 2xx with `{"challenge": "<that text>"}`. What it missed meanwhile follows.
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
    """An endpoint just made or rotated: the secret is told this once."""

    secret: str


class Endpoints(Model):
    """All of the retailer, newest first."""

    data: Annotated[tuple[Endpoint, ...], Field(max_length=MOST)]


class Attempt(Model):
    """One try: what became of it, the status of an answer, and the beginning of one that was no yes."""

    number: int
    at: datetime
    result: str
    status: int | None
    excerpt: str | None
    milliseconds: int


class Message(Model):
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
    """A page of the log, newest first. `next`: the cursor of the following one."""

    data: tuple[Message, ...]
    next: str | None


class Replay(Model):
    """Which events to send once more: from this `seq` on, and not before `since`; neither: all that are kept."""

    seq: Seq = 0
    since: Instant | None = None


class Replayed(Model):
    """How many messages wait now. `next`: the `seq` from which to go on, where there were more than 1000."""

    queued: int
    next: int | None


async def create(call: Call) -> Reply:
    """Make one. One of a sandbox has to answer a challenge before it is sent anything else."""
    asked, who, secret = call.of(NewEndpoint), call.who, new_secret()
    url = _fit(call, asked.url)
    await _alone(call)
    there = await call.tx.scalar(select(func.count()).select_from(endpoints).where(_mine(call)))
    if (there or 0) >= MOST:
        raise Problem(Code.CONFLICT, f"A retailer has at most {MOST} endpoints: delete one first.")
    id_ = new_id("ep")
    await call.tx.execute(
        insert(endpoints).values(
            id=id_, retailer=who.retailer, url=url, types=_once(asked.types), secret=call.key.seal(secret, id_),
            sandbox=who.sandbox, enabled=True, seq=0, slow=False, leased=call.now, created=call.now,
        )
    )  # fmt: skip
    if who.sandbox:
        await challenge(call.tx, id_, call.now)
    made = _told(await _one(call, id_), call.now)
    body = EndpointWithSecret(**made.model_dump(), secret=secret)
    return Reply(status=201, body=body, headers={"Location": f"/v1/webhook_endpoints/{id_}"})


async def list_(call: Call) -> Reply:
    """List them."""
    rows = await call.tx.execute(
        select(endpoints).where(_mine(call)).order_by(endpoints.c.created.desc(), endpoints.c.id).limit(MOST)
    )
    return Reply(status=200, body=Endpoints(data=tuple(_told(row, call.now) for row in rows)))


async def read(call: Call) -> Reply:
    """Tell of one."""
    return Reply(status=200, body=_told(await _asked(call), call.now))


async def change(call: Call) -> Reply:
    """Change one. Another address or switching it on begins anew: nothing is held against it."""
    asked = call.of(EndpointChange)
    url = None if asked.url is None else _fit(call, asked.url)
    await _alone(call)
    row = await _asked(call)
    then: dict[str, Any] = {}
    if asked.types is not None:
        then["types"] = _once(asked.types)
    if url is not None and url != row.url:
        then |= {"url": url, "failing": None, "slow": False, "leased": call.now}
    if asked.enabled is True and not row.enabled:
        then |= {"enabled": True, "disabled": None, "failing": None, "slow": False, "leased": call.now}
    if asked.enabled is False and row.enabled:
        then |= {"enabled": False, "disabled": "asked"}
    if then:
        await call.tx.execute(update(endpoints).where(endpoints.c.id == row.id).values(then))
    if then.get("enabled") is False:
        await drop(call.tx, row.id)
    if row.sandbox and ("url" in then or (row.challenge is not None and "enabled" in then)):
        await challenge(call.tx, row.id, call.now)
    return Reply(status=200, body=_told(await _one(call, row.id), call.now))


async def remove(call: Call) -> Reply:
    """End one, with its log and what waits."""
    await _alone(call)
    row = await _asked(call)
    its = select(messages.c.id).where(messages.c.endpoint == row.id)
    await call.tx.execute(delete(attempts).where(attempts.c.message.in_(its)))
    await call.tx.execute(delete(messages).where(messages.c.endpoint == row.id))
    await call.tx.execute(delete(endpoints).where(endpoints.c.id == row.id))
    return Reply(status=204)


async def rotate(call: Call) -> Reply:
    """Give it a new secret. For 24 hours each message is signed with both."""
    await _alone(call)
    row, secret = await _asked(call), new_secret()
    then = {"secret": call.key.seal(secret, row.id), "old_secret": row.secret, "old_until": call.now + OVERLAP}
    await call.tx.execute(update(endpoints).where(endpoints.c.id == row.id).values(then))
    told = _told(await _one(call, row.id), call.now)
    return Reply(status=200, body=EndpointWithSecret(**told.model_dump(), secret=secret))


async def test(call: Call) -> Reply:
    """Send it a `ping`, and no other endpoint."""
    await _alone(call)
    row = _on(await _asked(call))
    event = await tell(
        call.tx, call.who.retailer, Type.PING, row.id, {"id": row.id}, sandbox=row.sandbox, now=call.now, only=row.id
    )
    return Reply(status=202, body=(await _messages(call, messages.c.event == event, messages.c.endpoint == row.id))[0])


async def log(call: Call) -> Reply:
    """Tell what was sent and what waits, newest first."""
    page, row = call.of(Page), await _asked(call)
    wanted = [messages.c.endpoint == row.id]
    if page.cursor is not None:
        (seq,) = place(page.cursor, int)
        wanted.append(messages.c.seq < seq)
    found = await _messages(call, *wanted, most=page.limit + 1)
    more = len(found) > page.limit
    found = found[: page.limit]
    return Reply(status=200, body=Messages(data=tuple(found), next=cursor(found[-1].seq) if more else None))


async def replay_one(call: Call) -> Reply:
    """Send one once more, under the same id."""
    await _alone(call)
    row = _on(await _asked(call))
    wanted = and_(messages.c.endpoint == row.id, messages.c.id == call.of(MessagePath).message_id)
    if not await _messages(call, wanted):
        raise Problem(Code.NOT_FOUND)
    await call.tx.execute(update(messages).where(wanted).values(_anew(call.now)))
    return Reply(status=202, body=(await _messages(call, wanted))[0])


async def replay(call: Call) -> Reply:
    """Send many once more, under the same ids; what there was no message of, for the first time."""
    await _alone(call)
    row, asked = _seldom(_on(await _asked(call)), call.now), call.of(Replay)
    wanted = [
        events.c.retailer == call.who.retailer, events.c.sandbox == row.sandbox,
        events.c.type.not_in((Type.PING, Type.ENDPOINT_CHALLENGE)),
        events.c.seq >= asked.seq, *([events.c.type.in_(row.types)] if row.types else []),
        *([events.c.at >= asked.since] if asked.since is not None else []),
    ]  # fmt: skip
    its = and_(messages.c.event == events.c.id, messages.c.endpoint == row.id)
    found = (
        await call.tx.execute(
            select(events.c.id, events.c.seq, messages.c.id.label("message")).outerjoin(messages, its)
            .where(*wanted).order_by(events.c.seq).limit(AT_ONCE + 1)
        )
    ).all()  # fmt: skip
    if row.sandbox:
        await call.tx.execute(update(endpoints).where(endpoints.c.id == row.id).values(replayed=call.now))
    next_ = found[AT_ONCE].seq if len(found) > AT_ONCE else None
    found = found[:AT_ONCE]
    again = [one.message for one in found if one.message is not None]
    if again:
        await call.tx.execute(update(messages).where(messages.c.id.in_(again)).values(_anew(call.now)))
    before = and_(messages.c.endpoint == row.id, messages.c.seq < (found[0].seq if found else 0))
    previous, new = await call.tx.scalar(select(func.max(messages.c.seq)).where(before)) or 0, []
    for one in found:
        if one.message is None:
            new.append(
                {"id": new_id("msg"), "endpoint": row.id, "event": one.id, "seq": one.seq, "previous": previous,
                 "attempts": 0, "created": call.now, **_anew(call.now)}
            )  # fmt: skip
        previous = one.seq
    if new:
        await call.tx.execute(insert(messages), new)
        await call.tx.execute(
            update(endpoints).where(endpoints.c.id == row.id, endpoints.c.seq < previous).values(seq=previous)
        )
    return Reply(status=202, body=Replayed(queued=len(found), next=next_))


def _seldom(row: Any, now: datetime) -> Any:  # noqa: ANN401 - a row
    """Refuse a replay too soon after the one before: whoever has a sandbox could make the hub send without end."""
    if row.sandbox and row.replayed is not None and now < row.replayed + REPLAYS_APART:
        wait = math.ceil((row.replayed + REPLAYS_APART - now).total_seconds())
        detail = f"An endpoint of a sandbox has one replay a minute: try again in {wait} s."
        raise Problem(Code.RATE_LIMITED, detail, headers={"Retry-After": str(wait)})
    return row


def _anew(now: datetime) -> dict[str, Any]:
    return {"state": "waiting", "tries": 0, "begun": now, "due": now}


def _once(types: tuple[Type, ...]) -> list[str]:
    return [str(one) for one in dict.fromkeys(types)]


def _fit(call: Call, url: str) -> str:
    try:
        destination(url, call.allowed)
    except NotAllowed as error:
        wrong = Detail(pointer="/url", where="body", code="address_refused", detail=str(error))
        raise Problem(Code.ADDRESS_REFUSED, str(error), errors=[wrong]) from error
    return url


async def _alone(call: Call) -> None:
    """Hold the retailer's row, as whoever tells him something does: changes of his endpoints come one by one."""
    await call.tx.execute(
        select(retailers.c.id).where(retailers.c.id == call.who.retailer).with_for_update(key_share=True)
    )


def _mine(call: Call) -> ColumnElement[bool]:
    """What the caller may see: his own, of the same kind of world."""
    return and_(endpoints.c.retailer == call.who.retailer, endpoints.c.sandbox == call.who.sandbox)


async def _asked(call: Call) -> Any:  # noqa: ANN401 - a row
    path = next(part for part in call.parts if isinstance(part, EndpointPath))
    return await _one(call, path.endpoint_id)


async def _one(call: Call, id_: str) -> Any:  # noqa: ANN401 - a row
    row = (await call.tx.execute(select(endpoints).where(_mine(call), endpoints.c.id == id_))).one_or_none()
    if row is None:
        raise Problem(Code.NOT_FOUND)
    return row


def _on(row: Any) -> Any:  # noqa: ANN401 - a row
    if not row.enabled:
        raise Problem(Code.CONFLICT, "The endpoint is switched off: change `enabled` first.")
    return row


def _told(row: Any, now: datetime) -> Endpoint:  # noqa: ANN401 - a row
    rotating = row.old_until is not None and now < row.old_until
    return Endpoint(
        id=row.id, url=row.url, types=tuple(row.types), enabled=row.enabled, disabled=row.disabled,
        verified=row.challenge is None, failing=row.failing,
        old_secret_until=row.old_until if rotating else None, sandbox=row.sandbox,
        created=row.created,
    )  # fmt: skip


async def _messages(call: Call, *wanted: ColumnElement[bool], most: int = 1) -> list[Message]:
    rows = await call.tx.execute(
        select(messages, events.c.type).join(events, events.c.id == messages.c.event).where(*wanted)
        .order_by(messages.c.seq.desc()).limit(most)
    )  # fmt: skip
    found = rows.all()
    tried = await call.tx.execute(
        select(attempts).join(messages, messages.c.id == attempts.c.message)
        .where(messages.c.id.in_([row.id for row in found]), attempts.c.number > messages.c.attempts - NEWEST)
        .order_by(attempts.c.number.desc())
    )  # fmt: skip
    by: dict[str, list[Attempt]] = {}
    for one in tried:
        by.setdefault(one.message, []).append(
            Attempt(number=one.number, at=one.at, result=one.result, status=one.status, excerpt=one.excerpt,
                    milliseconds=one.milliseconds)
        )  # fmt: skip
    return [
        Message(id=row.id, event=row.event, type=row.type, seq=row.seq, previous=row.previous, state=row.state,
                created=row.created, due=row.due, attempts_made=row.attempts, attempts=tuple(by.get(row.id, ())))
        for row in found
    ]  # fmt: skip


_TAG = "Webhooks"
_PATH = "/v1/webhook_endpoints"
_ONE = f"{_PATH}/{{endpoint_id}}"
_THEN = {"endpoint_id": "$response.body#/id"}
OPERATIONS = (
    Operation(
        name="createWebhookEndpoint", method="POST", path=_PATH, tag=_TAG, handler=create,
        summary="Make a webhook endpoint", body=NewEndpoint, answers={201: EndpointWithSecret},
        refuses=frozenset({Code.CONFLICT, Code.ADDRESS_REFUSED}),
        links=tuple(
            Link(operation=name, parameters=_THEN)
            for name in ("readWebhookEndpoint", "changeWebhookEndpoint", "rotateWebhookSecret", "testWebhookEndpoint",
                         "listWebhookMessages", "replayWebhookEvents", "deleteWebhookEndpoint")
        ),
    ),
    Operation(
        name="listWebhookEndpoints", method="GET", path=_PATH, tag=_TAG, handler=list_, right=Right.READ,
        summary="List the webhook endpoints", answers={200: Endpoints},
    ),
    Operation(
        name="readWebhookEndpoint", method="GET", path=_ONE, tag=_TAG, handler=read, right=Right.READ,
        summary="Read one webhook endpoint", path_model=EndpointPath, answers={200: Endpoint},
    ),
    Operation(
        name="changeWebhookEndpoint", method="PATCH", path=_ONE, tag=_TAG, handler=change,
        summary="Change a webhook endpoint, switch it off or on", path_model=EndpointPath, body=EndpointChange,
        answers={200: Endpoint}, refuses=frozenset({Code.ADDRESS_REFUSED}),
    ),
    Operation(
        name="deleteWebhookEndpoint", method="DELETE", path=_ONE, tag=_TAG, handler=remove,
        summary="Delete a webhook endpoint and its log", path_model=EndpointPath, answers={204: None},
    ),
    Operation(
        name="rotateWebhookSecret", method="POST", path=f"{_ONE}/rotate", tag=_TAG, handler=rotate,
        summary="Give a webhook endpoint a new secret", path_model=EndpointPath, answers={200: EndpointWithSecret},
    ),
    Operation(
        name="testWebhookEndpoint", method="POST", path=f"{_ONE}/test", tag=_TAG, handler=test,
        summary="Send a ping to a webhook endpoint", path_model=EndpointPath, answers={202: Message},
        refuses=frozenset({Code.CONFLICT}),
        links=(Link(operation="replayWebhookMessage", parameters={"endpoint_id": "$request.path.endpoint_id",
                                                                  "message_id": "$response.body#/id"}),),
    ),
    Operation(
        name="listWebhookMessages", method="GET", path=f"{_ONE}/messages", tag=_TAG, handler=log, right=Right.READ,
        summary="List what was sent to a webhook endpoint", path_model=EndpointPath, query=Page,
        answers={200: Messages}, refuses=frozenset({Code.BAD_CURSOR}),
        links=(Link(operation="listWebhookMessages", parameters={"endpoint_id": "$request.path.endpoint_id",
                                                                 "cursor": "$response.body#/next"}),),
    ),
    Operation(
        name="replayWebhookMessage", method="POST", path=f"{_ONE}/messages/{{message_id}}/replay", tag=_TAG,
        handler=replay_one, summary="Send one message again", path_model=MessagePath, answers={202: Message},
        refuses=frozenset({Code.CONFLICT}),
    ),
    Operation(
        name="replayWebhookEvents", method="POST", path=f"{_ONE}/replay", tag=_TAG, handler=replay,
        summary="Send events again, since a time or a number", path_model=EndpointPath, body=Replay,
        answers={202: Replayed}, refuses=frozenset({Code.CONFLICT}),
    ),
)  # fmt: skip
