"""Background work on connections: expire unanswered requests, and inform homes of a brand's keys and ends."""

from sqlalchemy import and_, select

from gateway.hub.database.tables import brands, connections
from gateway.hub.deliveries.connections import ANSWERED_STATES, expire_connection, send_end, send_keys
from gateway.hub.worker import DueRows, DueStep, WorkerContext


def due_connections(context: WorkerContext) -> DueRows:
    """Return the worker of one process."""
    known, wake_ups = select(connections).where(connections.c.home.is_not(None)), context.wake_ups
    brand = and_(brands.c.id == connections.c.brand, brands.c.sandbox == connections.c.sandbox)
    pending = select(connections).where(connections.c.state == "pending")
    outdated = known.join(brands, brand).where(
        connections.c.state.in_(ANSWERED_STATES), connections.c.keys_sent < brands.c.keys_version
    )
    ended = known.where(connections.c.state == "ended", connections.c.end_told.is_(False))
    steps = (
        DueStep(
            name="expire", due=lambda now: pending.where(connections.c.expires <= now),
            perform=lambda hub, row: expire_connection(hub.tx, row, hub.now), wake_up=wake_ups.messages,
        ),
        DueStep(name="send keys", due=lambda _now: outdated, perform=send_keys, wake_up=wake_ups.jobs),
        DueStep(name="tell end", due=lambda _now: ended, perform=send_end, wake_up=wake_ups.jobs),
    )  # fmt: skip
    return DueRows(context, "connections", connections, steps, max_rows=100)
