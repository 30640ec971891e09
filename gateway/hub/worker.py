"""What the workers of one hub process share: store, clocks, metrics, containment, wake-ups."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Gauge

from gateway.hub.database.store import HubStore
from gateway.hub.http.operation import WakeUps
from gateway.system.containment import Containment


class HubMetrics:
    """The Prometheus metrics of one process (`/metrics`). None of them names a home or a retailer."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.connected = Gauge("perron_homes_connected", "Homes that were heard and have not gone", registry=registry)
        self.broker = Gauge("perron_broker_connected", "Whether the line to the broker is up", registry=registry)
        self.unheld_shards = Gauge("perron_shares_unheard", "Shares that no process hears", registry=registry)
        self.due = Gauge("perron_jobs_due", "Jobs that no box has received yet", registry=registry)
        self.parked = Gauge("perron_jobs_parked", "Of these, jobs whose box is not there", registry=registry)
        self.published = Counter(
            "perron_jobs_published", "Jobs put on the line, by what the broker said", ["outcome"], registry=registry
        )
        self.ended = Counter("perron_jobs_ended", "Jobs that ended, by how", ["how"], registry=registry)
        self.unsubscribed = Counter(
            "perron_homes_deaf", "Homes whose line was ended because nothing reached them", registry=registry
        )
        self.events = Counter("perron_events", "Events of boxes, by what came of them", ["outcome"], registry=registry)
        self.dropped = Counter("perron_dropped", "Words of boxes dropped unread, by why", ["why"], registry=registry)
        self.webhooks_sent = Counter("perron_webhooks_sent", "Messages that a receiver has taken.", registry=registry)
        self.webhooks_failed = Counter("perron_webhooks_failed", "Tries that failed.", ["result"], registry=registry)
        self.webhooks_waiting = Gauge("perron_webhooks_waiting", "Messages that wait, of all hubs.", registry=registry)
        self.set_aside = Counter(
            "perron_set_aside", "Pieces of outside work that raised an unforeseen error, by worker", ["worker"],
            registry=registry,
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerContext:
    """What each worker of one process uses. `now` returns the time in UTC, `monotonic` returns seconds."""

    store: HubStore
    now: Callable[[], datetime]
    monotonic: Callable[[], float]
    metrics: HubMetrics
    containment: Containment
    wake_ups: WakeUps
