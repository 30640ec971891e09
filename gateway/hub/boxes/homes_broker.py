"""What a hub asks of the broker to which homes connect: one mosquitto (`broker.py`), or a cluster (`hub/cluster`).

`gateway/hub/brokers.py` chooses one of them. A hub with one mosquitto imports nothing of `hub/cluster`.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Protocol

from gateway.hub.boxes.authority import HubAuthority
from gateway.hub.boxes.mqtt import HubBrokerConnection
from gateway.hub.config import ShardAssignment
from gateway.hub.database.store import HubStore
from gateway.hub.worker import WorkerContext


class NodesUnreachable(OSError):  # noqa: N818 - it says what happened
    """No node did what was requested; the text has each node's answer."""


class HomesBroker(Protocol):
    """Admits the homes whose certificates are valid in the store, and no others."""

    async def run(self, now: Callable[[], datetime]) -> None:
        """Compare broker and store regularly until cancelled."""

    async def disconnect(self, home: str, now: datetime) -> bool:
        """End a home's connection, so that it connects anew; return False if no broker was reached."""

    def readiness(self) -> Mapping[str, bool]:
        """Return what `/readyz` says of it, beside the hub's own connection."""


class ShardTakeover(Protocol):
    """Serves the homes of other hub processes that do not run."""

    async def run(self, own_connection: HubBrokerConnection) -> None:
        """Look for such processes regularly until cancelled."""


class HomesCluster(Protocol):
    """A cluster of brokers that several hub processes share."""

    def open_homes_broker(
        self, store: HubStore, authority: HubAuthority, *, now: datetime, monotonic: Callable[[], float]
    ) -> HomesBroker:
        """Renew this hub's certificates for the nodes, and return what admits homes at them."""

    def shard_takeover(
        self, context: WorkerContext, connect: Callable[[ShardAssignment], HubBrokerConnection]
    ) -> ShardTakeover | None:
        """Return what takes over other processes' homes, by `connect`; None if this process serves all."""
