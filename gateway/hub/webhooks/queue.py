"""The webhook queue in the store: which endpoint is served next, what is due, and each attempt's result.

A sender leases an *endpoint* for a while, not single messages. So the messages of one endpoint are sent in order and in
a bounded number, also if several hubs share a PostgreSQL (`FOR UPDATE SKIP LOCKED`). The lease of a killed hub expires;
a hub alone on its SQLite frees its own leases at once.

An endpoint of a sandbox gets events only after its receiver has answered a challenge.
"""

import json
import secrets
from base64 import b64encode
from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum, auto
from typing import Any

import structlog
from sqlalchemy import (
    ColumnElement,
    FromClause,
    Row,
    String,
    and_,
    bindparam,
    case,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)
from standardwebhooks import Webhook

from gateway.domain.frozen import Frozen
from gateway.hub.at_least_once import FREE_AT, NOW, Backlog, LeasedQueue, pull_back
from gateway.hub.database.store import HubStore
from gateway.hub.database.tables import UNSENT_CHALLENGE, attempts, endpoints, events, messages, retailers
from gateway.hub.database.transaction import Transaction
from gateway.hub.deliveries.events import Event, EventType, emit, event_of, lock_retailer
from gateway.hub.http.operation import HubTransaction
from gateway.hub.webhooks import retry
from gateway.hub.webhooks.retry import WebhookAttempt, WebhookResult

log = structlog.get_logger(__name__)

ENDPOINT_LEASE = timedelta(seconds=60)
DISABLE_AFTER = timedelta(days=5)  # without an accepted message
CHALLENGE_DELAY = timedelta(seconds=1)  # so that the receiver can begin to listen with its secret
FAILING_PAUSE = timedelta(seconds=5)  # between turns of a failing endpoint
RECOVERY_THRESHOLD = timedelta(minutes=1)  # after a longer failure the first success makes all waiting messages due
LOG_RETENTION = timedelta(days=30)  # of messages that were delivered or given up
MAX_DUE_AHEAD = 1.25 * retry.WEBHOOK_RETRIES.max_delay  # a later due time comes from a clock that was set back
MAX_ENDPOINTS_PER_RETAILER = 8  # in one lane
_SWEEP_BATCH_ROWS = 1000
_SECRET_BYTES = 32  # the specification asks for 24 to 64
# until its endpoint is verified, only the challenge
_IS_SENDABLE = or_(endpoints.c.challenge.is_(None), endpoints.c.challenge == messages.c.id)
_IS_PAUSED = endpoints.c.retailer.in_(select(retailers.c.id).where(retailers.c.suspended.is_not(None)))


class QueueLane(StrEnum):
    """The kind of an endpoint; slow endpoints delay only their own kind."""

    GOOD = auto()
    POOR = auto()  # its last attempt failed or was slow
    SANDBOX = auto()  # anybody can have many sandboxes, so endpoints of real homes never wait for one


def _lane_of(table: FromClause) -> ColumnElement[str]:
    is_poor = or_(table.c.failing.is_not(None), table.c.slow)
    return case((table.c.sandbox, str(QueueLane.SANDBOX)), (is_poor, str(QueueLane.POOR)), else_=str(QueueLane.GOOD))


def _endpoint_queue() -> LeasedQueue:
    """Return the queue of one lane's endpoints: those with due messages, the longest unserved first.

    At most `MAX_ENDPOINTS_PER_RETAILER` of one retailer are served at once, because endpoints cost nothing.
    """
    lane, served, order = bindparam("lane", type_=String), endpoints.alias(), (endpoints.c.leased, endpoints.c.id)
    due = exists().where(messages.c.endpoint == endpoints.c.id, messages.c.due <= NOW, _IS_SENDABLE)
    ready = (endpoints.c.enabled, due, _lane_of(endpoints) == lane, ~_IS_PAUSED)
    is_busy = (served.c.retailer == endpoints.c.retailer, served.c.leased > NOW, _lane_of(served) == lane)
    number = func.row_number().over(partition_by=endpoints.c.retailer, order_by=order)
    place = number + select(func.count()).where(*is_busy).scalar_subquery()
    placed = select(endpoints.c.id, place.label("place")).where(endpoints.c.leased <= NOW, *ready).subquery()
    has_turn = endpoints.c.id.in_(select(placed.c.id).where(placed.c.place <= MAX_ENDPOINTS_PER_RETAILER))
    # An endpoint that failed twice in a row pauses before its next turn; one refused message does not delay others.
    rested = bindparam("rested", type_=endpoints.c.leased.type)
    free_at = case((endpoints.c.failing < FREE_AT, rested), else_=FREE_AT)
    return LeasedQueue(
        endpoints.c.leased, ready=(*ready, has_turn), order=order, returning=(endpoints.c.id,), free_at=free_at
    )


ENDPOINT_QUEUE = _endpoint_queue()


class EndpointLease(Frozen):
    """An endpoint that this sender holds until `until`."""

    endpoint: str
    until: datetime
    lane: QueueLane


class QueuedMessage(Frozen):
    """A due message and its destination (Standard Webhooks 1.0). `tries` and `attempts` count before this one.

    Body and `webhook-id` are the same at each attempt; timestamp and signature are each attempt's own
    (https://github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md). `secrets`: the valid one, and
    during a rotation the one before. `challenge`: what its receiver must send back before it gets other messages.
    """

    id: str
    event: Event
    previous: int
    secrets: tuple[str, ...]
    retailer: str
    endpoint: str
    url: str
    attempts: int
    tries: int
    begun: datetime
    challenge: str | None = None

    def body(self) -> bytes:
        """Return the body, as JSON: the event, and what a receiver of an earlier release reads.

        `timestamp` (Standard Webhooks) and `event` say again what `at` and `id` say.
        """
        timestamp = self.event.at.isoformat(timespec="microseconds").replace("+00:00", "Z")
        whole = {**self.event.model_dump(mode="json"), "timestamp": timestamp, "event": self.event.id,
                 "previous": self.previous}  # fmt: skip
        return json.dumps(whole, ensure_ascii=True, separators=(",", ":"), allow_nan=False).encode()

    def headers(self, body: bytes, now: datetime) -> dict[str, str]:
        """Return the headers of an attempt at this instant."""
        text = body.decode()
        return {
            "Content-Type": "application/json",
            "User-Agent": "Perron-Webhooks/1",
            "webhook-id": self.id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": " ".join(Webhook(secret).sign(self.id, now, text) for secret in self.secrets),
        }


def new_secret() -> str:
    """Return a new key with which a receiver verifies that the hub sent a message."""
    return f"whsec_{b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()}"


async def free_all_leases(tx: Transaction, now: datetime) -> None:
    """Free every endpoint, at the start of a hub that is alone."""
    await tx.execute(update(endpoints).where(endpoints.c.leased > now).values(leased=now))


async def _is_any_due(tx: Transaction, now: datetime) -> bool:
    """Return whether any message is due."""
    both = messages.join(endpoints, endpoints.c.id == messages.c.endpoint)
    due = select(messages.c.id).select_from(both).where(messages.c.due <= now, _IS_SENDABLE, ~_IS_PAUSED).limit(1)
    return await tx.scalar(due) is not None


async def lease_endpoints(store: HubStore, now: datetime, max_per_lane: Mapping[QueueLane, int]) -> list[EndpointLease]:
    """Lease endpoints with due messages, at most so many of each lane."""
    async with store.reading() as tx:
        if not await _is_any_due(tx, now):
            return []
    until = now + ENDPOINT_LEASE
    return [
        EndpointLease(endpoint=row.id, until=until, lane=lane)
        for lane, most in max_per_lane.items()
        if most > 0
        for row in await ENDPOINT_QUEUE.take(store, now=now, most=most, until=until, lane=lane)
    ]


async def due_messages(hub: HubTransaction, lease: EndpointLease, *, limit: int) -> list[QueuedMessage]:
    """Return its due messages by `seq`: none if the lease is lost or nothing is due, which ends the turn."""
    tx, now = hub.tx, hub.now
    mine = and_(endpoints.c.id == lease.endpoint, endpoints.c.leased == lease.until, endpoints.c.enabled, ~_IS_PAUSED)
    endpoint = (await tx.execute(select(endpoints).where(mine).with_for_update(key_share=True))).one_or_none()
    if endpoint is None:
        return []
    first = () if endpoint.challenge is None else (messages.c.id == endpoint.challenge,)
    m, e = messages.c, events.c
    rows = await tx.execute(
        select(m.id.label("message"), m.previous, m.attempts, m.tries, m.begun, events)
        .join(events, e.id == m.event)
        .where(m.endpoint == lease.endpoint, m.due <= now, *first)
        .order_by(m.seq)
        .limit(limit)
    )
    rotating = endpoint.old_secret is not None and endpoint.old_until is not None and now < endpoint.old_until
    sealed = (endpoint.secret, endpoint.old_secret) if rotating else (endpoint.secret,)
    unsealed = [hub.signer.unseal(secret, endpoint.id) for secret in sealed]
    keys = tuple(secret for secret in unsealed if secret is not None)
    if not keys:
        todo = "hub.key.pem is another than when it was made: rotate it"
        log.error("secret_unreadable", endpoint=endpoint.id, todo=todo)
        await tx.execute(update(endpoints).where(mine).values(leased=now + ENDPOINT_LEASE))
        return []
    target = {"secrets": keys, "retailer": endpoint.retailer, "endpoint": endpoint.id, "url": endpoint.url}
    batch = [
        QueuedMessage(
            id=row.message,
            event=event_of(row),
            previous=row.previous,
            attempts=row.attempts,
            tries=row.tries,
            begun=row.begun,
            challenge=row.data["challenge"] if row.message == endpoint.challenge else None,
            **target,
        )
        for row in rows
    ]
    if not batch:
        await tx.execute(update(endpoints).where(mine).values(leased=now))
    return batch


async def release_lease(store: HubStore, lease: EndpointLease, now: datetime) -> None:
    """End the turn."""
    rested = now + FAILING_PAUSE
    await ENDPOINT_QUEUE.give_back(
        store, [{"row": lease.endpoint, "until": lease.until, "free_at": now, "rested": rested}]
    )


async def record_attempt(
    hub: HubTransaction, message: QueuedMessage, attempt: WebhookAttempt, *, max_attempts: int, chance: float
) -> None:
    """Store the result of an attempt."""
    tx, now = hub.tx, hub.now
    # The order of locks is retailer, endpoint, messages, so that no deadlock is possible.
    if not attempt.is_accepted:
        await lock_retailer(tx, message.retailer)
    this = select(endpoints).where(endpoints.c.id == message.endpoint)
    endpoint = (await tx.execute(this.with_for_update(key_share=True))).one_or_none()
    number, tries, id_ = message.attempts + 1, message.tries + 1, message.id
    if attempt.is_accepted:
        then: dict[str, Any] = {"state": "delivered", "due": None}
    elif retry.is_given_up(tries, now - message.begun, max_attempts=max_attempts):
        then = {"state": "given_up", "due": None}
    else:
        then = {"due": now + retry.retry_delay(tries, retry_after=attempt.retry_after, chance=chance)}
    # An attempt counts once: after a lost lease or a deleted message the number here is another.
    same = and_(messages.c.id == id_, messages.c.attempts == message.attempts)
    done = await tx.execute(update(messages).where(same).values(attempts=number, tries=tries, **then))
    if endpoint is None or done.rowcount == 0:
        return
    await tx.execute(
        insert(attempts).values(
            message=id_, number=number, result=attempt.result, status=attempt.status, excerpt=attempt.excerpt,
            milliseconds=round(attempt.seconds * 1000), at=now,
        )
    )  # fmt: skip
    if endpoint.url == message.url:  # else the result is that of another address
        await _update_endpoint(hub, endpoint, message, attempt, given_up=then.get("state") == "given_up")


async def _update_endpoint(
    hub: HubTransaction, endpoint: Row[Any], message: QueuedMessage, attempt: WebhookAttempt, *, given_up: bool
) -> None:
    tx, now = hub.tx, hub.now
    this, slow = endpoints.c.id == endpoint.id, attempt.seconds >= retry.SLOW_THRESHOLD_S
    if message.challenge is not None and endpoint.challenge == message.id:
        if attempt.is_accepted:
            await tx.execute(update(endpoints).where(this).values(challenge=None))
        elif given_up:
            await disable_endpoint(tx, endpoint, "unverified", now)
            return
    if not attempt.is_accepted:
        await tx.execute(update(endpoints).where(this).values(failing=endpoint.failing or now, slow=slow))
        long = endpoint.failing is not None and now - endpoint.failing >= DISABLE_AFTER
        if endpoint.enabled and (attempt.result is WebhookResult.GONE or long):
            await disable_endpoint(tx, endpoint, "gone" if attempt.result is WebhookResult.GONE else "failing", now)
        return
    if endpoint.failing is not None or endpoint.slow is not slow:
        await tx.execute(update(endpoints).where(this).values(failing=None, slow=slow))
    if endpoint.failing is not None and now - endpoint.failing >= RECOVERY_THRESHOLD:
        later = and_(messages.c.endpoint == endpoint.id, messages.c.due > now)
        await tx.execute(update(messages).where(later).values(due=now))


async def issue_challenge(tx: Transaction, endpoint: str, now: datetime, *, request: str | None = None) -> None:
    """Send an endpoint nothing until its receiver has answered a new challenge; an earlier one is given up.

    An endpoint that is switched off gets its challenge when it is switched on again.
    """
    row = (await tx.execute(select(endpoints).where(endpoints.c.id == endpoint))).one()
    old = and_(messages.c.id == row.challenge, messages.c.due.is_not(None))
    await tx.execute(update(messages).where(old).values(state="given_up", due=None))
    message = UNSENT_CHALLENGE
    if row.enabled:
        data = {"id": endpoint, "challenge": secrets.token_urlsafe(24)}
        kind = EventType.ENDPOINT_CHALLENGE
        event = await emit(tx, row, kind, data, now, only_endpoint=endpoint, request=request)
        mine, begin = and_(messages.c.event == event, messages.c.endpoint == endpoint), now + CHALLENGE_DELAY
        delayed = update(messages).where(mine).values(begun=begin, due=begin).returning(messages.c.id)
        message = (await tx.execute(delayed)).scalar_one()
    await tx.execute(update(endpoints).where(endpoints.c.id == endpoint).values(challenge=message))


async def issue_missing_challenges(tx: Transaction, now: datetime) -> None:
    """Issue challenges to the endpoints in an older hub's database, which never had one."""
    unsent = and_(endpoints.c.challenge == UNSENT_CHALLENGE, endpoints.c.enabled)
    rows = await tx.execute(select(endpoints.c.id, endpoints.c.retailer).where(unsent).order_by(endpoints.c.retailer))
    for row in rows.all():
        # Several hubs may start at once on PostgreSQL, so the retailer's row is locked first, as for each event.
        await lock_retailer(tx, row.retailer)
        if await tx.scalar(select(endpoints.c.id).where(endpoints.c.id == row.id, unsent)) is not None:
            await issue_challenge(tx, row.id, now)


async def disable_endpoint(tx: Transaction, endpoint: Row[Any], reason: str, now: datetime) -> None:
    """Disable an endpoint and notify its retailer; waiting messages are given up, and a replay sends them."""
    await switch_off(tx, endpoint.id, reason)
    await emit(tx, endpoint, EventType.ENDPOINT_DISABLED, {"id": endpoint.id, "disabled": reason}, now)


async def switch_off(tx: Transaction, endpoint: str, reason: str = "asked") -> None:
    """Disable an endpoint without an event, and give up its waiting messages."""
    await tx.execute(update(endpoints).where(endpoints.c.id == endpoint).values(enabled=False, disabled=reason))
    await drop_waiting(tx, endpoint)


async def drop_waiting(tx: Transaction, endpoint: str) -> None:
    """Give up the waiting messages."""
    waiting = and_(messages.c.endpoint == endpoint, messages.c.due.is_not(None))
    await tx.execute(update(messages).where(waiting).values(state="given_up", due=None))


async def resume_waiting(tx: Transaction, retailer: str, now: datetime) -> None:
    """Make a retailer's waiting messages due now, as if they were new: the time of a pause counts against none."""
    mine = select(endpoints.c.id).where(endpoints.c.retailer == retailer)
    waiting = and_(messages.c.endpoint.in_(mine), messages.c.due.is_not(None))
    await tx.execute(update(messages).where(waiting).values(begun=now, due=now, tries=0))
    await tx.execute(update(endpoints).where(endpoints.c.retailer == retailer).values(failing=None))


async def read_backlog(tx: Transaction, now: datetime) -> Backlog:
    """Return what waits.

    A message whose endpoint is being served, failing or switched off, or whose retailer is suspended, is not overdue.
    """
    counted = select(func.count().label("count"), func.min(messages.c.begun).label("oldest"))
    waiting = (await tx.execute(counted.where(messages.c.due.is_not(None)))).one()
    both = messages.join(endpoints, endpoints.c.id == messages.c.endpoint)
    free = and_(endpoints.c.enabled, endpoints.c.leased <= now, _IS_SENDABLE, ~_IS_PAUSED)
    overdue = select(func.min(messages.c.due)).select_from(both).where(messages.c.due <= now, free)
    return Backlog(count=waiting.count, oldest=waiting.oldest, overdue_since=await tx.scalar(overdue))


async def clamp_due_times(store: HubStore, now: datetime) -> int:
    """Make due now what a clock that ran ahead made due too late, and return how much that was."""
    late = await pull_back(store, messages.c.due, now, MAX_DUE_AHEAD)
    return late + await pull_back(store, endpoints.c.leased, now, 2 * ENDPOINT_LEASE)


async def delete_old(tx: Transaction, now: datetime) -> int:
    """Delete the oldest messages that are over, and return how many."""
    old = (
        select(messages.c.id)
        .where(messages.c.created < now - LOG_RETENTION, messages.c.state != "waiting")
        .limit(_SWEEP_BATCH_ROWS)
    )
    ids = list((await tx.execute(old)).scalars())
    if ids:
        await tx.execute(delete(attempts).where(attempts.c.message.in_(ids)))
        await tx.execute(delete(messages).where(messages.c.id.in_(ids)))
    return len(ids)
