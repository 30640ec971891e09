"""Chooses the broker to which homes connect by the hub's file: one mosquitto, or a cluster."""

from collections.abc import Callable
from datetime import datetime

from gateway.hub.boxes.authority import HubAuthority
from gateway.hub.boxes.broker import BrokerFileKeeper
from gateway.hub.boxes.homes_broker import HomesBroker, HomesCluster
from gateway.hub.config import Boxes, HubFile
from gateway.hub.database.store import HubStore


def load_cluster(file: HubFile) -> HomesCluster | None:
    """Return the cluster that the file names, or None: then nothing of it is imported."""
    if file.rabbit is None:
        return None
    from gateway.hub.cluster.rabbitmq import RabbitCluster  # noqa: PLC0415 - a hub on one broker needs none of it

    return RabbitCluster(file, file.rabbit)


def open_homes_broker(  # noqa: PLR0913 - what both kinds of broker need
    file: HubFile,
    boxes: Boxes,
    store: HubStore,
    authority: HubAuthority,
    *,
    now: datetime,
    monotonic: Callable[[], float],
) -> HomesBroker:
    """Return what admits the homes at the file's broker or cluster."""
    cluster = load_cluster(file)
    if cluster is not None:
        return cluster.open_homes_broker(store, authority, now=now, monotonic=monotonic)
    return BrokerFileKeeper(file, boxes, store, authority, monotonic=monotonic)
