"""The Prometheus metrics of one hub process (`/metrics`). None of them names a home, a retailer or an address.

docs/operator/metrics.md has the table of all of them; a test compares both.
"""

import shutil
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path
from typing import Final, Protocol, TypeVar

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    Info,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)

from gateway.hub.http.request_record import RequestRecord

DURATION_BUCKETS_S: Final = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)

M_co = TypeVar("M_co", covariant=True)


class _Make(Protocol[M_co]):
    def __call__(self, name: str, documentation: str, labelnames: Sequence[str] = (), /) -> M_co: ...


class HubMetrics:
    """What one process counts and measures. What the database says is the same in every process of a hub."""

    def __init__(self, registry: CollectorRegistry) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call] # a second series for each counter, which nobody reads
        self.registry = registry
        gauge, counter = partial(Gauge, registry=registry), partial(Counter, registry=registry)
        build = Info("perron_build", "Version of the program, and 1 as its value", registry=registry)
        build.info({"version": version("perron")})
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        GCCollector(registry=registry)

        self._count_http(counter, gauge)
        self._count_database(gauge)
        self._count_homes(counter, gauge)
        self._count_queues(counter, gauge)

    def _count_http(self, counter: _Make[Counter], gauge: _Make[Gauge]) -> None:
        self._requests = counter(
            "perron_http_requests", "HTTP requests, by operation and status of the answer", ["operation", "status"]
        )
        self._durations = Histogram(
            "perron_http_request_duration_seconds", "Time from a request to the first byte of its answer",
            ["operation"], buckets=DURATION_BUCKETS_S, registry=self.registry,
        )  # fmt: skip
        # Of each operation and status: the library's own look-up converts and compares each label
        self._requests_of = cache(lambda operation, status: self._requests.labels(operation, status or "none"))
        self._durations_of = cache(self._durations.labels)
        self.limited = counter("perron_http_limited", "Requests refused with 429, by the limit that refused", ["limit"])
        self.connections = gauge("perron_http_connections", "Open HTTP connections")
        self.connections_refused = counter("perron_http_connections_refused", "HTTP connections refused by a limit")
        self.certificate = gauge(
            "perron_certificate_expiry_timestamp_seconds", "When a TLS certificate ends, by its key in hub.yaml",
            ["certificate"],
        )  # fmt: skip

    def _count_database(self, gauge: _Make[Gauge]) -> None:
        self.store_up = gauge("perron_store_up", "Whether the database answers, has its tables and room (1) or not (0)")
        self.store_sessions = gauge("perron_store_sessions", "Reads and transactions that run or wait for a connection")
        self.store_writers = gauge(
            "perron_store_writers", "Transactions that run or wait; on SQLite all but one of them wait"
        )
        self.store_connections = gauge(
            "perron_store_connections_limit", "Connections to PostgreSQL that this process may open; SQLite: +Inf"
        )
        self.disk_free = gauge("perron_disk_free_bytes", "Free bytes on the disk of the hub's folder")
        self.disk_size = gauge("perron_disk_size_bytes", "Size of the disk of the hub's folder")

    def _count_homes(self, counter: _Make[Counter], gauge: _Make[Gauge]) -> None:
        self.connected = gauge("perron_homes_connected", "Homes whose box is connected, of the whole hub")
        self.broker = gauge("perron_broker_connected", "Whether this process is connected to the broker (1) or not (0)")
        self.unheld_shards = gauge("perron_shares_unheard", "Shares of homes that no process of the hub serves")
        self.unsubscribed = counter(
            "perron_homes_deaf", "Connections of homes that the hub ended because no message reached them"
        )
        self.ingest_waiting = gauge("perron_ingest_waiting", "Messages of boxes that wait in memory to be stored")
        self.events = counter("perron_events", "Events that boxes sent, by what the hub did with them", ["outcome"])
        self.dropped = counter("perron_dropped", "Messages of boxes that were dropped, by reason", ["why"])

    def _count_queues(self, counter: _Make[Counter], gauge: _Make[Gauge]) -> None:
        self.due = gauge("perron_jobs_due", "Jobs that no box has confirmed yet, of the whole hub")
        self.parked = gauge("perron_jobs_parked", "Jobs among perron_jobs_due whose box is not connected")
        self.jobs_oldest = gauge(
            "perron_jobs_oldest_age_seconds", "Age of the oldest unconfirmed job whose box is connected; 0: none"
        )
        self.jobs_lag = gauge(
            "perron_jobs_lag_seconds", "For how long the hub should have sent its most overdue job to the broker"
        )
        self.published = counter("perron_jobs_published", "Jobs sent to the broker, by its answer", ["outcome"])
        self.ended = counter("perron_jobs_ended", "Jobs that ended, by how", ["how"])
        self.webhooks_sent = counter("perron_webhooks_sent", "Webhook messages that a receiver accepted")
        self.webhooks_failed = counter(
            "perron_webhooks_failed", "Attempts to send a webhook message that failed, by result", ["result"]
        )
        self.webhooks_waiting = gauge(
            "perron_webhooks_waiting", "Webhook messages that no receiver has accepted yet, of the whole hub"
        )
        self.webhooks_oldest = gauge(
            "perron_webhooks_oldest_age_seconds", "Age of the oldest waiting webhook message; 0: none"
        )
        self.webhooks_lag = gauge(
            "perron_webhooks_lag_seconds",
            "For how long the hub should have sent its most overdue message to an endpoint that is free",
        )
        self.set_aside = counter(
            "perron_set_aside", "Pieces of work that raised an unexpected error, by worker", ["worker"]
        )

    def count_request(self, record: RequestRecord) -> None:
        """Count a request that has ended; `status` is none if it was cancelled before its answer."""
        self._requests_of(record.operation, record.status).inc()
        if record.seconds is not None:
            self._durations_of(record.operation).observe(record.seconds)

    def watch_disk(self, folder: Path) -> None:
        """Measure the disk of this folder at each scrape."""
        self.disk_free.set_function(lambda: shutil.disk_usage(folder).free)
        self.disk_size.set_function(lambda: shutil.disk_usage(folder).total)

    def watch_certificate(self, key: str, expires: Callable[[], datetime]) -> None:
        """Ask at each scrape when this certificate ends."""
        self.certificate.labels(key).set_function(lambda: expires().timestamp())

    def without_broker(self) -> None:
        """Leave out whether the broker is connected: this process has none."""
        self.registry.unregister(self.broker)
