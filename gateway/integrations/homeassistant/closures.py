"""The entities of each closure of an entrance, and their values. Pure.

An entrance with one door has none of them: its own entities `lock` and `door` are that door's. A closure's entities
follow from its sensors and from what opens it; a kind that an opener moves has its row in `COVER_CLASSES`. The
values are those of https://www.home-assistant.io/integrations/lock.mqtt/, cover.mqtt and binary_sensor.mqtt, `None` is
unknown. Closed, locked, empty and present are good values: Home Assistant shows them only while they are proven.
"""

from collections.abc import Iterator, Mapping

from devices.reports import DoorState
from gateway.domain.frozen import Frozen, replace
from gateway.domain.visit.closures import AnyClosure
from gateway.domain.visit.closures.car_boot import DRIVING, PARKED
from gateway.domain.visit.closures.compartment import EMPTY, OCCUPIED
from gateway.domain.visit.closures.contract import CLEAR, OBSTRUCTED, OPEN_DOOR_STATES, Quantity, View
from gateway.domain.visit.closures.key_safe import ABSENT, PRESENT
from gateway.domain.visit.fence import AWAY, THERE
from gateway.domain.visit.state import Entrance, Phase, Visit
from gateway.domain.visit.views import view
from gateway.system.i18n import Text, _

UNKNOWN = "None"  # Home Assistant shows "unknown" for it
ON, OFF = "ON", "OFF"
GARAGE = "garage"  # a device class of covers
SECURED = "secured"  # the part that shows whether it is proven closed and holding


class EntityShape(Frozen):
    """The platform of an entity and its settings; `name` has a placeholder for the closure's name."""

    platform: str
    name: Text
    device_class: str | None = None
    icon: str | None = None
    takes_lock: bool = False  # it has the action "lock", which locks the whole entrance


_LOCK = EntityShape(platform="lock", name=_("{closure}: lock"), takes_lock=True)
_COVER = EntityShape(platform="cover", name=_("{closure}: open or closed"))
_SECURED = EntityShape(platform="binary_sensor", name=_("{closure}: locked"), device_class="lock")

COVER_CLASSES: Mapping[str, str | None] = {
    "garage_door": GARAGE,
}
"""The device class of each kind of closure that an opener moves, by which Home Assistant draws it; None: it has none.
They are those of https://www.home-assistant.io/integrations/cover/#device-class."""

_SENSORS: Mapping[Quantity, EntityShape] = {
    Quantity.CONTACT: EntityShape(platform="binary_sensor", name=_("{closure}: open"), device_class="door"),
    Quantity.OBSTRUCTION: EntityShape(
        platform="binary_sensor", name=_("{closure}: something in the way"), device_class="problem"
    ),
    Quantity.CONTENT: EntityShape(
        platform="binary_sensor", name=_("{closure}: something in it"), device_class="occupancy"
    ),
    Quantity.KEY: EntityShape(platform="binary_sensor", name=_("{closure}: key on its hook"), icon="mdi:key"),
    Quantity.MOTION: EntityShape(platform="binary_sensor", name=_("{closure}: being driven"), device_class="moving"),
    Quantity.PLACE: EntityShape(
        platform="binary_sensor", name=_("{closure}: stands where it must"), icon="mdi:parking"
    ),
}
"""The entity of each sensor; a bolt has none, because only bolt and contact together prove "locked"."""

_GOOD_AND_BAD: Mapping[Quantity, tuple[tuple[str, str], tuple[str, str]]] = {
    Quantity.OBSTRUCTION: ((CLEAR, OFF), (OBSTRUCTED, ON)),
    Quantity.CONTENT: ((EMPTY, OFF), (OCCUPIED, ON)),
    Quantity.KEY: ((PRESENT, ON), (ABSENT, OFF)),
    Quantity.MOTION: ((PARKED, OFF), (DRIVING, ON)),
    Quantity.PLACE: ((THERE, ON), (AWAY, OFF)),
}


def closure_entities(closure: AnyClosure) -> Iterator[tuple[str, EntityShape]]:
    """Yield each part of a closure and the shape of its entity; for a door that others use too, only its sensors."""
    is_cover = "cover" in closure.order_kinds
    has_bolt = any(sensor.quantity is Quantity.BOLT for sensor in closure.sensors.values())
    if is_cover:
        yield SECURED, replace(_COVER, device_class=COVER_CLASSES[closure.kind])
    elif has_bolt and "lock" in closure.order_kinds:
        yield SECURED, _LOCK
    elif closure.is_private:
        yield SECURED, _SECURED
    for role, sensor in closure.sensors.items():
        shape = _SENSORS.get(sensor.quantity)
        if shape is not None and not (is_cover and sensor.quantity is Quantity.CONTACT):
            yield role, shape


def closure_values(state: Entrance) -> dict[str, dict[str, str]]:
    """Return the value of each entity of each closure: closure -> part -> value."""
    return {
        closure.id: {
            part: _secured_value(state, closure, shape) if part == SECURED else _sensor_value(state, closure, part)
            for part, shape in closure_entities(closure)
        }
        for closure in state.rules.closures
    }


def _secured_value(state: Entrance, closure: AnyClosure, shape: EntityShape) -> str:
    seen = view(state, closure)
    is_secured = closure.secured(seen)
    is_loose = closure.opened(seen) or closure.unsecured(seen)
    match shape.platform:
        case "lock":
            return _lock_value(state, closure, seen)
        case "cover":
            return "closed" if is_secured else "open" if is_loose else UNKNOWN
        case _:  # a binary sensor of this class is on while unlocked
            return OFF if is_secured else ON if is_loose else UNKNOWN


def _lock_value(state: Entrance, closure: AnyClosure, seen: View) -> str:
    """Return the value of a lock; it moves during a visit, or a lock request, at this closure."""
    if closure.secured(seen):
        return "LOCKED"
    visit, request = state.visit, state.lock_request
    if closure.forced(seen) or (visit is not None and visit.jammed and _worked_on(visit) == closure.id):
        return "JAMMED"
    if visit is not None and _worked_on(visit) == closure.id:
        if visit.phase is Phase.UNLOCKING:
            return "UNLOCKING"
        if visit.phase is Phase.RELOCKING:
            return "LOCKING"
    is_requested = request is not None and request.result is None and request.is_closed
    if is_requested and request is not None and request.securing.closure == closure.id:
        return "LOCKING"
    return "UNLOCKED" if closure.unsecured(seen) else UNKNOWN


def _worked_on(visit: Visit) -> str | None:
    """Return the closure that the visit opens or secures now."""
    if visit.phase in (Phase.RELOCKING, Phase.ADVANCING):
        return visit.securing.closure
    return visit.route[visit.entry.stage]


def _sensor_value(state: Entrance, closure: AnyClosure, role: str) -> str:
    fact, sensor = view(state, closure).fact(role), closure.sensors[role]
    is_believed = fact.proven or fact.value not in sensor.needs_answer
    if not is_believed:
        return UNKNOWN
    if sensor.quantity is Quantity.CONTACT:
        return ON if fact.value in OPEN_DOOR_STATES else OFF if fact.value == DoorState.CLOSED else UNKNOWN
    return dict(_GOOD_AND_BAD[sensor.quantity]).get(fact.value, UNKNOWN)
