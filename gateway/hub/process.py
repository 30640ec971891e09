"""The composition root of the hub: builds every part and runs them in one TaskGroup."""

import asyncio
import contextlib
import signal
import time
from collections.abc import Callable, Coroutine, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import structlog
from prometheus_client import CollectorRegistry
from sqlalchemy.exc import DBAPIError

from gateway.hub.api import (
    api_keys,
    batches,
    brand_facts,
    brands,
    carriers,
    connections,
    couriers,
    deliveries,
    erasures,
    events,
    household,
    sandboxes,
    webhook_endpoints,
)
from gateway.hub.api.homes import BrokerAt, HomeOperations
from gateway.hub.api.idempotency import RETENTION_PERIOD
from gateway.hub.api.sse import SseStreams
from gateway.hub.boxes.authority import HubAuthority
from gateway.hub.boxes.browser_relay import BrowserRelay
from gateway.hub.boxes.dispatcher import JobDispatcher
from gateway.hub.boxes.home_limits import EventRetention, HomeRateLimits
from gateway.hub.boxes.homes_broker import HomesBroker
from gateway.hub.boxes.ingest import Ingest
from gateway.hub.boxes.mqtt import HubBrokerConnection
from gateway.hub.boxes.presence import HomePresence
from gateway.hub.brokers import load_cluster, open_homes_broker
from gateway.hub.config import HubFile, ShardAssignment
from gateway.hub.consent.page import ConsentPage
from gateway.hub.console.page import console_page
from gateway.hub.courier.routes import CourierRoutes
from gateway.hub.database import months
from gateway.hub.database.migrations import seal_plain_secrets
from gateway.hub.database.store import HubStore, lock_database
from gateway.hub.database.tables import events as events_table
from gateway.hub.database.tables import messages
from gateway.hub.deliveries import erasure
from gateway.hub.deliveries.connections import due_connections
from gateway.hub.deliveries.erasure import ErasureWorker
from gateway.hub.deliveries.orders import held_deliveries
from gateway.hub.deliveries.retention import Retention
from gateway.hub.http.operation import OperationRoute, WakeUps
from gateway.hub.metrics import HubMetrics
from gateway.hub.operation.folder import use_folder
from gateway.hub.operation.journal import RevocationJournal
from gateway.hub.sandbox.robot import SandboxRobot
from gateway.hub.shared_visit.page import shared_visit_page
from gateway.hub.signing_key import HubKeyPair
from gateway.hub.site import HubSite
from gateway.hub.webhooks.queue import issue_missing_challenges
from gateway.hub.webhooks.sender import WebhookSender
from gateway.hub.worker import WorkerContext
from gateway.mqtt.packets import InboundMessage
from gateway.protocol.box_hub import reply_subscription
from gateway.protocol.keys import BoxKey
from gateway.system.containment import Containment
from gateway.system.guarded_http import Lookup, system_lookup
from gateway.system.shutdown import until_stopped

log = structlog.get_logger(__name__)

OPERATIONS = (
    *api_keys.API_KEYS, *brands.BRANDS, *connections.CONNECTIONS, *brand_facts.BRAND_FACTS, *deliveries.DELIVERIES,
    *batches.BATCHES, *couriers.COURIERS, *events.EVENTS, *events.HUB, *carriers.CARRIERS,
    *webhook_endpoints.WEBHOOK_ENDPOINTS, *erasures.ERASURES, *household.HOUSEHOLD,
)  # fmt: skip
"""All of the API, in the order of its document."""


class HubProcess:
    """One hub, which SIGTERM or SIGINT ends.

    `wall` returns seconds since 1970; `lookup` resolves the names of webhooks' receivers.

    `site`, `store`, `key`, `wake_ups` and `broker_connection` exist once `open` is set.
    """

    def __init__(self, file: HubFile, *, wall: Callable[[], float] = time.time, signals: bool = True,
                 lookup: Lookup = system_lookup) -> None:  # fmt: skip
        self._file, self._wall, self._signals, self._lookup = file, wall, signals, lookup
        self.open = asyncio.Event()

    def now(self) -> datetime:
        """Return the hub's time, which decides nothing about a door."""
        return datetime.fromtimestamp(self._wall(), UTC)

    async def run(self) -> None:
        """Run until SIGTERM or SIGINT. StoreUnusable, KeyUnusable, AuthorityUnusable and OSError say what is wrong."""
        self._file.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        async with contextlib.AsyncExitStack() as stack:
            stack.enter_context(use_folder(self._file.folder))
            self.store = await HubStore.open(self._file.database)
            stack.push_async_callback(self.store.close)
            stack.enter_context(lock_database(self._file.database))
            self._streams = SseStreams(self.store, now=self.now)
            self._journal = RevocationJournal(self._file.folder, self.store)
            await self._journal.apply_missing(self.now())
            await erasure.finish(self.store, self.now())
            self.key = HubKeyPair.load(self._file.folder)
            async with self.store.writing() as tx:
                await seal_plain_secrets(tx, self.key.seal)
                await issue_missing_challenges(tx, self.now())
            self._build()
            stack.push_async_callback(self._copy_last_revocations)
            await self.site.open()
            if (certificate := self.site.certificate) is not None:
                self._context.metrics.watch_certificate("listen.certificate", lambda: certificate.expires)
            stack.push_async_callback(self.site.close)
            stack.enter_context(self._surviving_hangup())
            async with until_stopped(signals=self._signals), asyncio.TaskGroup() as group:
                for name, run in self._workers().items():
                    group.create_task(self._context.containment.keep(name, run), name=name)
                self.open.set()

    @contextlib.contextmanager
    def _surviving_hangup(self) -> Iterator[None]:
        """Go on at SIGHUP, which certbot's hooks and systemd's reload send, and which would end the process."""
        if not self._signals:
            yield
            return
        loop, todo = asyncio.get_running_loop(), "a new certificate is read within a second; for hub.yaml restart"
        loop.add_signal_handler(signal.SIGHUP, lambda: log.info("hangup_needs_nothing", todo=todo))
        try:
            yield
        finally:
            loop.remove_signal_handler(signal.SIGHUP)

    async def _copy_last_revocations(self) -> None:
        """Copy what was revoked in the last second."""
        with self._context.containment.piece("revocations", "end"):
            await self._journal.try_update()

    def _build(self) -> None:
        file, metrics = self._file, HubMetrics(CollectorRegistry())
        self.wake_ups = WakeUps(jobs=self.wake_dispatcher, messages=self._wake_retailers)
        context = self._context = WorkerContext(
            store=self.store, now=self.now, monotonic=time.monotonic, metrics=metrics, wake_ups=self.wake_ups,
            containment=Containment(count=lambda worker: metrics.set_aside.labels(worker).inc()), url=file.url,
            signer=self.key,
        )  # fmt: skip
        self._presence = HomePresence(context, disconnect=self._disconnect_home)
        self._dispatcher = JobDispatcher(context, on_unsubscribed=self._presence.suspect)
        self._webhook_sender = WebhookSender(context, file.webhooks, lookup=self._lookup)
        self.store.after_change(events_table, self._streams.poll_now)
        self.store.after_change(messages, self._webhook_sender.wake_up)
        self.held_deliveries, self._connections = held_deliveries(context), due_connections(context)
        self._build_broker_connection(context)
        self._watch(metrics)
        self._robot: SandboxRobot | None = None
        operations = [*OPERATIONS, *self._home_operations()]
        if file.sandbox:
            key = BoxKey.load_or_create(file.folder / "sandbox")
            self._robot = SandboxRobot(context, key=key)
            operations += sandboxes.operations(key)
        self.site = HubSite(
            file, operations, context, ready=self._readiness,
            streams=self._streams, ask_home=self._browser_relay.ask,
            extra=[
                *ConsentPage(context, behind_proxy=file.listen.behind_proxy).routes(),
                *console_page(file.url).routes(),
                *shared_visit_page(file.url).routes(),
                *CourierRoutes(context, behind_proxy=file.listen.behind_proxy).routes(),
            ],
        )  # fmt: skip

    def _watch(self, metrics: HubMetrics) -> None:
        """Let each scrape of the metrics read these values itself."""
        metrics.store_sessions.set_function(lambda: self.store.sessions)
        metrics.store_writers.set_function(lambda: self.store.writers)
        metrics.store_connections.set(self.store.max_connections)
        metrics.watch_disk(self._file.folder)
        if self.broker_connection is None:
            metrics.without_broker()

    def _home_operations(self) -> Iterable[OperationRoute]:
        self._homes_broker: HomesBroker | None = None
        boxes = self._file.boxes
        if boxes is None:
            return ()
        authority = HubAuthority.load(self._file.folder, now=self.now())
        self._homes_broker = open_homes_broker(
            self._file, boxes, self.store, authority, now=self.now(), monotonic=time.monotonic
        )
        return HomeOperations(authority, BrokerAt(host=boxes.host, port=boxes.port)).operations()

    def wake_dispatcher(self) -> None:
        """Look for jobs that something else than the API has stored."""
        self._dispatcher.wake_up()

    def _wake_retailers(self) -> None:
        self._streams.poll_now()
        self._webhook_sender.wake_up()

    def _build_broker_connection(self, context: WorkerContext) -> None:
        limits, keep = self._file.limits, self._file.keep
        self._event_retention = EventRetention(keep.home_events, timedelta(days=keep.home_event_days))
        self._retention = Retention(
            deliveries=timedelta(days=keep.delivery_days), jobs=timedelta(days=keep.job_days),
            events=timedelta(days=keep.event_days), responses=RETENTION_PERIOD,
            connections=timedelta(days=keep.connection_days),
        )  # fmt: skip
        self._ingest = Ingest(
            context, publish=self._publish, retention=self._event_retention,
            rate_limits=HomeRateLimits(limits.home_events, limits.home_bytes, monotonic=time.monotonic),
        )  # fmt: skip
        rabbit, share = self._file.rabbit, self._file.share
        self._browser_relay = BrowserRelay(None if rabbit is None else f"hub-{share.number}")
        self.broker_connection = None if not self._file.lines else HubBrokerConnection(
            self._file.lines, on_message=self._on_message, reply_topic=self._browser_relay.reply_topic,
            on_connected=self._on_connected, metrics=context.metrics, monotonic=time.monotonic,
            shards=None if rabbit is None else share.shards,
        )  # fmt: skip
        self._browser_relay.connection = self.broker_connection
        cluster = load_cluster(self._file)
        self._takeover = None if cluster is None else cluster.shard_takeover(context, self._connect_share)

    def _connect_share(self, share: ShardAssignment) -> HubBrokerConnection:
        """Build the connection of another process's shard, which that process does not serve; it only receives."""
        file = self._file.model_copy(update={"share": share})
        return HubBrokerConnection(
            file.lines, on_message=self._ingest.on_message, reply_topic=reply_subscription(f"hub-{share.number}"),
            on_connected=self._on_connected, metrics=HubMetrics(CollectorRegistry()), monotonic=time.monotonic,
            shards=share.shards,
        )  # fmt: skip

    async def _disconnect_home(self, home: str, now: datetime) -> bool:
        return self._homes_broker is not None and await self._homes_broker.disconnect(home, now)

    def _on_connected(self) -> None:
        self._dispatcher.wake_up()
        self._presence.on_connected()

    def _on_message(self, incoming: InboundMessage) -> None:
        with self._context.containment.piece("line", incoming.topic):
            if not self._browser_relay.on_message(incoming):
                self._ingest.on_message(incoming)

    def _publish(self, topic: str, payload: bytes) -> None:
        if self.broker_connection is not None:
            self.broker_connection.publish_unacknowledged(topic, payload)

    def _readiness(self) -> dict[str, bool]:
        ready = {}
        if self.broker_connection is not None:
            ready["broker"] = self.broker_connection.is_connected
        if self._homes_broker is not None:
            ready |= self._homes_broker.readiness()
        return ready

    def _workers(self) -> dict[str, Callable[[], Coroutine[Any, Any, None]]]:
        """Return the loop of each worker by name; one that raises is restarted, so outside input cannot end the hub."""
        work: dict[str, Callable[[], Coroutine[Any, Any, None]]] = {
            "streams": self._streams.run, "webhooks": self._webhook_sender.run,
            "held deliveries": partial(self.held_deliveries.run, 1.0, "held_not_sent"),
            "connections": partial(self._connections.run, 2.0, "connections_not_looked_at", DBAPIError),
            "retention": partial(self._event_retention.run, self.store, self.now), "revocations": self._journal.run,
            "old rows": partial(self._retention.run, self.store, self.now),
            "months": partial(months.run, self.store, self.now), "erasures": ErasureWorker(self._context).run,
        }  # fmt: skip
        line, keeper, takeover = self.broker_connection, self._homes_broker, self._takeover
        if keeper is not None:
            work["broker files"] = partial(keeper.run, self.now)
        if line is not None:
            work |= {
                "line": line.run, "dispatcher": partial(self._dispatcher.run, line), "ingest": self._ingest.run,
                "presence": partial(self._presence.run, line),
                "deaf homes": partial(self._presence.run_suspects, line),
            }  # fmt: skip
            if takeover is not None:
                work["shares"] = partial(takeover.run, line)
        if self._robot is not None:
            work["sandbox"] = self._robot.run
        if self.site.certificate is not None:
            work["certificate"] = self.site.certificate.run
        return work
