"""What the workers of one hub process share: store, clocks, metrics, containment, wake-ups."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge
from sqlalchemy.ext.asyncio import AsyncConnection

from gateway.hub.database.store import HubStore
from gateway.hub.http.operation import HubTransaction, WakeUps
from gateway.hub.signing_key import HubKeyPair
from gateway.system.containment import Containment


class HubMetrics:
    """The Prometheus metrics of one process (`/metrics`). None of them names a home or a retailer."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        gauge, counter = partial(Gauge, registry=registry), partial(Counter, registry=registry)
        self.connected = gauge("perron_homes_connected", "Homes that were heard and have not gone")
        self.broker = gauge("perron_broker_connected", "Whether the line to the broker is up")
        self.unheld_shards = gauge("perron_shares_unheard", "Shares that no process hears")
        self.due = gauge("perron_jobs_due", "Jobs that no box has received yet")
        self.parked = gauge("perron_jobs_parked", "Of these, jobs whose box is not there")
        self.published = counter("perron_jobs_published", "Jobs put on the line, by what the broker said", ["outcome"])
        self.ended = counter("perron_jobs_ended", "Jobs that ended, by how", ["how"])
        self.unsubscribed = counter("perron_homes_deaf", "Homes whose line was ended because nothing reached them")
        self.events = counter("perron_events", "Events of boxes, by what came of them", ["outcome"])
        self.dropped = counter("perron_dropped", "Words of boxes dropped unread, by why", ["why"])
        self.webhooks_sent = counter("perron_webhooks_sent", "Messages that a receiver has taken.")
        self.webhooks_failed = counter("perron_webhooks_failed", "Tries that failed.", ["result"])
        self.webhooks_waiting = gauge("perron_webhooks_waiting", "Messages that wait, of all hubs.")
        self.set_aside = counter(
            "perron_set_aside", "Pieces of outside work that raised an unforeseen error, by worker", ["worker"]
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerContext:
    """What each worker of one process uses. `now` returns the time in UTC, `monotonic` returns seconds.

    `url` is the hub's own address, without a slash at its end, `signer` its key.
    """

    store: HubStore
    now: Callable[[], datetime]
    monotonic: Callable[[], float]
    metrics: HubMetrics
    containment: Containment
    wake_ups: WakeUps
    url: str
    signer: HubKeyPair

    def transaction(self, tx: AsyncConnection, now: datetime) -> HubTransaction:
        """Return what writes to homes in this transaction."""
        return HubTransaction(tx=tx, now=now, url=self.url, signer=self.signer)
