"""Sends queued webhook messages, with one task for each endpoint that is served.

A lane (`QueueLane`) sends one message after the other, by `seq`, and some at once if more is due than one batch. A turn
ends with its lease, and the endpoint that waited longest is next.
"""

import asyncio
import logging
import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from urllib.parse import urlsplit

import structlog
from sqlalchemy.exc import DBAPIError

from gateway.hub.at_least_once import QueueLoop
from gateway.hub.config import Webhooks
from gateway.hub.database.store import log_unavailable
from gateway.hub.webhooks import queue
from gateway.hub.webhooks.connection import WebhookConnections
from gateway.hub.webhooks.host_rate import HostRateLimit
from gateway.hub.webhooks.queue import EndpointLease, QueuedMessage, QueueLane
from gateway.hub.webhooks.retry import SLOW_THRESHOLD_S, WebhookAttempt, WebhookResult
from gateway.hub.worker import WorkerContext
from gateway.system.backoff import Backoff
from gateway.system.guarded_http import Lookup

log = structlog.get_logger(__name__)

MAX_ENDPOINTS_PER_LANE = {QueueLane.GOOD: 32, QueueLane.POOR: 16, QueueLane.SANDBOX: 16}  # endpoints at once
MAX_BATCH_MESSAGES = 20  # of one endpoint
MAX_BATCH_POOR_MESSAGES = 4  # at once, of an endpoint that does not keep up
POLL_INTERVAL_S = 1.0  # for retries, and messages that another hub stored
POLL = Backoff(POLL_INTERVAL_S, POLL_INTERVAL_S)
GATHER_DELAY_S = 0.02
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
        self._loop = QueueLoop(POLL, gather_s=GATHER_DELAY_S)
        self.wake_up = self._loop.wake_up
        self._busy_count = dict.fromkeys(QueueLane, 0)

    async def run(self) -> None:
        """Send until cancelled; a store that fails is tried again, and nothing is lost by waiting."""
        async with self._connections, asyncio.TaskGroup() as lanes:
            lanes.create_task(self._run_maintenance())
            if self._store.has_one_writer:
                with _log_store_errors():
                    async with self._store.writing() as tx:
                        await queue.free_all_leases(tx, self._now())
            await self._loop.run(partial(self._serve_due, lanes), _log_store_errors)

    async def _serve_due(self, lanes: asyncio.TaskGroup) -> bool:
        room = {lane: most - self._busy_count[lane] for lane, most in MAX_ENDPOINTS_PER_LANE.items()}
        for lease in await queue.lease_endpoints(self._store, self._now(), room):
            self._busy_count[lease.lane] += 1
            lanes.create_task(self._serve_contained(lease))
        return False  # whoever stores the next message, or ends a turn, wakes the sender

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
            self.wake_up()

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
                await queue.release_lease(self._store, lease, free_from)
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

    async def _run_maintenance(self) -> None:
        swept: datetime | None = None
        metrics = self._metrics
        while True:
            now = self._now()
            with _log_store_errors():
                async with self._store.reading() as tx:
                    backlog = await queue.read_backlog(tx, now)
                waiting, oldest, lag = metrics.webhooks_waiting, metrics.webhooks_oldest, metrics.webhooks_lag
                backlog.show(now, count=waiting, oldest=oldest, lag=lag)
                if count := await queue.clamp_due_times(self._store, now):
                    log.warning("clock_went_back", messages=count)
                if swept is None or now - swept >= SWEEP_INTERVAL:
                    async with self._store.writing() as tx:
                        swept = None if await queue.delete_old(tx, now) else now
            await asyncio.sleep(COUNT_INTERVAL_S)
