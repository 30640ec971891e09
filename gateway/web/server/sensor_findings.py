"""Says of each sensor of an entrance what is known of it and what is not: "The bolt did not answer"."""

from collections.abc import Mapping

from devices.reports import DoorState, LockState
from gateway.config.closure_names import closure_names, has_named_closures
from gateway.domain.frozen import Frozen
from gateway.domain.visit.closures import AnyClosure
from gateway.domain.visit.closures.car_boot import DRIVING, PARKED
from gateway.domain.visit.closures.compartment import EMPTY, OCCUPIED
from gateway.domain.visit.closures.contract import CLEAR, OBSTRUCTED, OPEN_DOOR_STATES, Fact, Quantity
from gateway.domain.visit.closures.key_safe import ABSENT, PRESENT
from gateway.domain.visit.fence import AWAY, NO_FIX, THERE
from gateway.domain.visit.state import Entrance, Once
from gateway.domain.visit.views import view
from gateway.system.i18n import Language, Text, _


class SensorFindings(Frozen):
    """Sentences for a reader: what is known of the closures of a home now, and what is not."""

    known: tuple[str, ...]
    unknown: tuple[str, ...]


_NO_LINK = _("The box has no link to its devices.")
_JAMMED = _("The lock reported that it is jammed.")

_SILENT: Mapping[str, Text] = {
    "lock": _("The bolt did not answer."),
    "latch": _("The latch did not answer."),
    "door": _("The door's sensor did not answer."),
    "lid": _("The lid's sensor did not answer."),
    "flap": _("The flap's sensor did not answer."),
    "way": _("Nobody knows whether something is in its way."),
    "content": _("Nobody knows whether it is empty."),
    "key": _("Nobody knows whether the key is on its hook."),
    "boot": _("The boot did not answer."),
    "locked": _("The car's locks did not answer."),
    "parked": _("Nobody knows whether the car is parked."),
    "place": _("Nobody knows where the car is."),
}
"""By the role of the sensor in its closure. A test compares the keys with the roles of every kind of closure."""

_CLOSED: Mapping[str, Text] = {
    "door": _("The door's sensor says closed."),
    "lid": _("The lid's sensor says closed."),
    "flap": _("The flap's sensor says closed."),
    "boot": _("The car says that its boot is closed."),
}
_OPEN: Mapping[str, Text] = {
    "door": _("The door's sensor says open."),
    "lid": _("The lid's sensor says open."),
    "flap": _("The flap's sensor says open."),
    "boot": _("The car says that its boot is open."),
}
_FAULTY: Mapping[str, Text] = {
    "door": _("The door's sensor reports a fault."),
    "lid": _("The lid's sensor reports a fault."),
    "flap": _("The flap's sensor reports a fault."),
    "boot": _("The boot's sensor reports a fault."),
}
_LOCKED: Mapping[str, Text] = {
    "lock": _("The bolt says locked."),
    "latch": _("The latch says shut."),
    "locked": _("The car says that it is locked."),
}
_NOT_LOCKED: Mapping[str, Text] = {
    "lock": _("The bolt says not locked."),
    "latch": _("The latch says not shut."),
    "locked": _("The car says that it is not locked."),
}
_VALUES: Mapping[str, Text] = {
    CLEAR: _("Nothing is in its way."),
    OBSTRUCTED: _("Something is in its way."),
    EMPTY: _("It is empty."),
    OCCUPIED: _("Something lies in it."),
    PRESENT: _("The key is on its hook."),
    ABSENT: _("The key is not on its hook."),
    PARKED: _("The car is parked."),
    DRIVING: _("The car is being driven."),
    THERE: _("The car stands where it must."),
    AWAY: _("The car is somewhere else."),
    NO_FIX: _("The car's position is not certain."),
}


def sensor_findings(state: Entrance, language: Language) -> SensorFindings:
    """Return what the sensors of the home's own closures prove now, and what they do not.

    A good value that no answer proves is not known; a bad one is known by its report.
    """
    names = closure_names(state.rules.closures, language) if has_named_closures(state.rules.closures) else {}
    known: list[str] = []
    unknown: list[str] = [] if state.broker_session is not None else [_NO_LINK.to(language)]
    for closure in state.rules.closures:
        if not closure.is_private:
            continue
        prefix = f"{names[closure.id]}: " if closure.id in names else ""
        for role in closure.sensors:
            text = None if state.broker_session is None else _known_text(state, closure, role)
            (unknown if text is None else known).append(prefix + (text or _SILENT[role]).to(language))
    if state.visit is not None and (state.visit.jammed or Once.JAM in state.visit.notified):
        known.append(_JAMMED.to(language))
    return SensorFindings(known=tuple(known), unknown=tuple(unknown))


def _known_text(state: Entrance, closure: AnyClosure, role: str) -> Text | None:
    """Return what a sensor says; None: it has not said it, or nothing proves it."""
    sensor, fact = closure.sensors[role], view(state, closure).fact(role)
    if fact.value in sensor.needs_answer and not fact.proven:
        return None
    return _value_text(sensor.quantity, role, fact)


def _value_text(quantity: Quantity, role: str, fact: Fact) -> Text | None:
    match quantity:
        case Quantity.BOLT if fact.value == LockState.LOCKED:
            return _LOCKED[role]
        case Quantity.BOLT if fact.value != LockState.UNKNOWN:
            return _NOT_LOCKED[role]
        case Quantity.CONTACT if fact.value == DoorState.CLOSED:
            return _CLOSED[role]
        case Quantity.CONTACT if fact.value in OPEN_DOOR_STATES:
            return _OPEN[role]
        case Quantity.CONTACT if fact.value != DoorState.UNKNOWN:
            return _FAULTY[role]
        case _:
            return _VALUES.get(fact.value)
