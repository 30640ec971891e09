"""Sends queued webhook messages, with one task for each endpoint that is served.

A lane (`QueueLane`) sends one message after the other, by `seq`, and some at once if more is due than one batch. A turn
ends with its lease, and the endpoint that waited longest is next.
"""

import asyncio
import contextlib
import logging
import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from urllib.parse import urlsplit

import structlog
from sqlalchemy.exc import DBAPIError

from gateway.hub.config import Webhooks
from gateway.hub.database.store import log_unavailable
from gateway.hub.webhooks import queue
from gateway.hub.webhooks.connection import WebhookConnections
from gateway.hub.webhooks.host_rate import HostRateLimit
from gateway.hub.webhooks.queue import EndpointLease, QueuedMessage, QueueLane
from gateway.hub.webhooks.retry import SLOW_THRESHOLD_S, WebhookAttempt, WebhookResult
from gateway.hub.worker import WorkerContext
from gateway.system.guarded_http import Lookup

log = structlog.get_logger(__name__)

MAX_ENDPOINTS_PER_LANE = {QueueLane.GOOD: 32, QueueLane.POOR: 16, QueueLane.SANDBOX: 16}  # endpoints at once
MAX_BATCH_MESSAGES = 20  # of one endpoint
MAX_BATCH_POOR_MESSAGES = 4  # at once, of an endpoint that does not keep up
POLL_INTERVAL_S = 1.0  # for retries, and messages that another hub stored
GATHER_DELAY_S = 0.02  # collects several wake-ups for one look
COUNT_INTERVAL_S = 15.0  # between counts of waiting messages
SWEEP_INTERVAL = timedelta(hours=1)

_log_store_errors = partial(log_unavailable, "webhooks_wait_for_the_store", DBAPIError, level=logging.WARNING)


class WebhookSender:
    """Sends all webhooks of a hub. `lookup` resolves a receiver's name."""

    def __init__(self, context: WorkerContext, settings: Webhooks, *, lookup: Lookup) -> None:
        self._context, self._store, self._now = context, context.store, context.now
        self._metrics, self._containment = context.metrics, context.containment
        self._hosts, self._max_attempts = HostRateLimit(settings.sandbox_posts), settings.attempts
        self._connections = WebhookConnections(
            settings.allowed, seconds=context.monotonic, lookup=lookup, timeout=settings.timeout
        )
        self._timeout = timedelta(seconds=settings.timeout)
        self._wake_up = asyncio.Event()
        self._busy_count = dict.fromkeys(QueueLane, 0)

    def wake_up(self) -> None:
        """Look for messages at once."""
        self._wake_up.set()

    async def run(self) -> None:
        """Send until cancelled; a store that fails is tried again, and nothing is lost by waiting."""
        async with self._connections, asyncio.TaskGroup() as lanes:
            lanes.create_task(self._run_maintenance())
            if self._store.has_one_writer:
                with _log_store_errors():
                    async with self._store.writing() as tx:
                        await queue.free_all_leases(tx, self._now())
            while True:
                self._wake_up.clear()
                for lease in await self._lease_endpoints():
                    self._busy_count[lease.lane] += 1
                    lanes.create_task(self._serve_contained(lease))
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(POLL_INTERVAL_S):
                        await self._wake_up.wait()
                        await asyncio.sleep(GATHER_DELAY_S)

    async def _lease_endpoints(self) -> Sequence[EndpointLease]:
        room = {lane: most - self._busy_count[lane] for lane, most in MAX_ENDPOINTS_PER_LANE.items()}
        with _log_store_errors():
            async with self._store.reading() as tx:  # usually nothing is due, and SQLite's writer is not needed
                is_due = any(room.values()) and await queue.is_any_due(tx, self._now())
            if is_due:
                async with self._store.writing() as tx:
                    return await queue.lease_endpoints(tx, self._now(), room)
        return ()

    async def _serve_contained(self, lease: EndpointLease) -> None:
        """Serve one endpoint; an unexpected error affects it alone, and it pauses before its next turn."""
        with self._containment.piece("webhooks", lease.endpoint) as piece:
            await self._serve_endpoint(lease)
        if piece.fault is not None:
            with self._containment.piece("webhooks", lease.endpoint):
                await self._release_lease(lease, self._now() + queue.FAILING_PAUSE)

    async def _serve_endpoint(self, lease: EndpointLease) -> None:
        failed_at: datetime | None = None
        most = MAX_BATCH_MESSAGES if lease.lane is QueueLane.GOOD else 1  # in a turn, other lanes get only one
        try:
            with _log_store_errors():
                while failed_at is None and self._is_lease_valid(lease):
                    async with self._store.writing() as tx:
                        hub = self._context.transaction(tx, self._now())
                        batch = await queue.due_messages(hub, lease, limit=most)
                    if not batch:
                        return
                    wait = self._host_wait_s(lease, batch[0])
                    if wait > 0:
                        failed_at = self._now() + timedelta(seconds=wait)
                        break
                    failed_at = await self._send_batch(lease, batch)
                    if most == 1:
                        break
            await self._release_lease(lease, failed_at or self._now())
        finally:
            self._busy_count[lease.lane] -= 1
            self._wake_up.set()

    def _host_wait_s(self, lease: EndpointLease, message: QueuedMessage) -> float:
        """Return the seconds until a sandbox may send to this host; 0: now, and this message is counted."""
        if lease.lane is not QueueLane.SANDBOX:
            return 0.0
        return self._hosts.wait_s(urlsplit(message.url).hostname or "", self._context.monotonic())

    async def _release_lease(self, lease: EndpointLease, free_from: datetime) -> None:
        """End the turn as soon as the store accepts it; otherwise the endpoint waits until its lease expires."""
        while True:
            is_released = False
            with _log_store_errors():
                async with self._store.writing() as tx:
                    await queue.release_lease(tx, lease, free_from)
                is_released = True
            if is_released or not self._is_lease_valid(lease):
                return
            await asyncio.sleep(POLL_INTERVAL_S)

    async def _send_batch(self, lease: EndpointLease, batch: Sequence[QueuedMessage]) -> datetime | None:
        """Send a batch while all succeeds and the turn lasts; return the instant of the first failure, or None."""
        waiting, failed_at = list(reversed(batch)), None

        async def send_in_order() -> None:
            nonlocal failed_at
            while waiting and failed_at is None and self._is_lease_valid(lease):
                failed_at = await self._send_one(waiting.pop()) or failed_at

        async with asyncio.TaskGroup() as group:
            for _ in range(MAX_BATCH_POOR_MESSAGES if len(batch) == MAX_BATCH_MESSAGES else 1):
                group.create_task(send_in_order())
        return failed_at

    async def _send_one(self, message: QueuedMessage) -> datetime | None:
        """Send one message and store the result; return the instant if it failed, or None."""
        attempt = WebhookAttempt(result=WebhookResult.NOT_SENT, seconds=0.0)
        with self._containment.piece("webhooks", message.id):
            body = message.body()
            headers = message.headers(body, self._now())
            attempt = await self._connections.post(message.url, body, headers, challenge=message.challenge)
        if attempt.is_accepted:
            self._metrics.webhooks_sent.inc()
        else:
            self._metrics.webhooks_failed.labels(attempt.result).inc()
        now, is_good, jitter = self._now(), False, random.random()  # noqa: S311 - it is no secret
        with _log_store_errors():
            async with self._store.writing() as tx:
                hub, most = self._context.transaction(tx, now), self._max_attempts
                await queue.record_attempt(hub, message, attempt, max_attempts=most, chance=jitter)
            is_good = attempt.is_accepted and attempt.seconds < SLOW_THRESHOLD_S
        return None if is_good else now

    def _is_lease_valid(self, lease: EndpointLease) -> bool:
        return self._now() + self._timeout < lease.until

    def _measure(self, backlog: queue.Backlog, now: datetime) -> None:
        self._metrics.webhooks_waiting.set(backlog.count)
        for gauge, since in (
            (self._metrics.webhooks_oldest, backlog.oldest),
            (self._metrics.webhooks_lag, backlog.overdue_since),
        ):
            gauge.set(0 if since is None else max(0, (now - since).total_seconds()))

    async def _run_maintenance(self) -> None:
        swept: datetime | None = None
        while True:
            now = self._now()
            with _log_store_errors():
                async with self._store.reading() as tx:
                    self._measure(await queue.read_backlog(tx, now), now)
                async with self._store.writing() as tx:
                    if count := await queue.clamp_due_times(tx, now):
                        log.warning("clock_went_back", messages=count)
                if swept is None or now - swept >= SWEEP_INTERVAL:
                    async with self._store.writing() as tx:
                        swept = None if await queue.delete_old(tx, now) else now
            await asyncio.sleep(COUNT_INTERVAL_S)
