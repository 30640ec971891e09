"""Computes the list of parcels that couriers are to take with them: label, until when, and where they lie."""

from datetime import datetime

from gateway.domain.delivery.promise import State
from gateway.domain.frozen import Frozen
from gateway.storage.rows import DeliveryRow
from gateway.system.i18n import Language
from gateway.web.server.context import GatewayServices

MAX_SHOWN = 20  # deliveries

_OPEN_STATES = frozenset({State.AWAITING_PERMISSION, State.SCHEDULED, State.WINDOW_OPEN, State.VISITING})


class ShownReturn(Frozen):
    """The parcels of one delivery that a courier takes with him. `brings`: whether he brings others in exchange."""

    key: str
    brand: str
    carrier: str
    entrance: str
    place: str
    start: datetime
    end: datetime
    codes: tuple[str, ...]
    brings: bool
    is_ready: bool
    lies: str
    is_visiting: bool


def shown_returns(services: GatewayServices, language: Language) -> tuple[ShownReturn, ...]:
    """Return what is to be collected and not over, the next one first."""
    now = services.clock.now()
    rows = services.store.deliveries.expected(now, most=10 * MAX_SHOWN)
    return tuple(_shown(services, row, language) for row in rows if _is_open(services, row))[:MAX_SHOWN]


def _is_open(services: GatewayServices, row: DeliveryRow) -> bool:
    if not row.order.collect or row.order.refused_at is not None:
        return False
    return row.result(services.store.delivery_context, services.clock.now()).state in _OPEN_STATES


def _shown(services: GatewayServices, row: DeliveryRow, language: Language) -> ShownReturn:
    order, said = row.order, services.store.returns.prepared(row.order.key)
    delivery = row.facts(services.store.delivery_context, services.clock.now())
    return ShownReturn(
        key=order.key,
        brand=services.brand_name(order.brand, language),
        carrier=order.carrier,
        entrance=services.entrance_name(order.entrance),
        place=services.place_name(delivery),
        start=order.start,
        end=order.end,
        codes=tuple(sorted(order.collect)),
        brings=bool(order.parcels),
        is_ready=said is not None,
        lies="" if said is None else said.lies,
        is_visiting=row.usage.visiting,
    )
