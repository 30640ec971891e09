"""Summarizes the closures of an entrance for people and for other programs: one bolt, one door, locked or not. Pure.

`decide` does not use it: it calls each closure. A closure that is shared with others is not summarized, because its
openings say nothing about this home.
"""

from enum import StrEnum, auto

from devices.reports import DoorState, LockState
from gateway.domain.visit.closures import AnyClosure
from gateway.domain.visit.closures.contract import UNKNOWN, Fact, Quantity, sensor_name
from gateway.domain.visit.predicates import are_private_secured, is_open, unsecured_closures
from gateway.domain.visit.state import Entrance, Phase
from gateway.domain.visit.views import contested_view, fact_of, view


def is_locked(state: Entrance) -> bool:
    """Return whether everything that bars this home alone is proven closed and holding."""
    return are_private_secured(state)


def bolt_state(state: Entrance) -> LockState:
    """Return the state of the bolt; of several closures, the worst. Locked only if it is proven."""
    bolts = [fact for fact in _facts(state, Quantity.BOLT) if fact.value != LockState.UNKNOWN]
    if len(bolts) == 1 and not (bolts[0].value == LockState.LOCKED and not bolts[0].proven):
        return LockState(bolts[0].value)
    if unsecured_closures(state):
        return LockState.UNLOCKED
    return LockState.LOCKED if are_private_secured(state) else LockState.UNKNOWN


def door_state(state: Entrance) -> DoorState:
    """Return the state of the door; of several closures, open if one of them is. Closed only if it is proven."""
    contacts = _facts(state, Quantity.CONTACT)
    if len(contacts) == 1 and not (contacts[0].value == DoorState.CLOSED and not contacts[0].proven):
        return DoorState(contacts[0].value)
    if is_open(state):
        return DoorState.OPEN
    is_closed = bool(contacts) and all(fact.value == DoorState.CLOSED and fact.proven for fact in contacts)
    return DoorState.CLOSED if is_closed else DoorState.UNKNOWN


class ClosureState(StrEnum):
    """What is known of one closure."""

    SECURED = auto()  # closed and holding, proven
    OPEN = auto()  # by its newest report it stands open or unlocked
    UNKNOWN = auto()


def closure_state(state: Entrance, closure: AnyClosure) -> ClosureState:
    """Return what is known of one closure."""
    seen = view(state, closure)
    if closure.secured(seen):
        return ClosureState.SECURED
    return ClosureState.OPEN if closure.opened(seen) or closure.unsecured(seen) else ClosureState.UNKNOWN


def is_closed(state: Entrance) -> bool:
    """Return whether every private closure is proven closed."""
    return door_state(state) is DoorState.CLOSED


def is_bolt_thrown_with_door_open(state: Entrance) -> bool:
    """Return whether a bolt seems out with its door open; only a query can prove it."""
    return any(closure.is_private and closure.forced(view(state, closure)) for closure in state.rules.closures)


def stable_since(state: Entrance) -> float | None:
    """Return since when no sensor of a private closure has changed, in monotonic seconds. None: none was ever heard."""
    return max((fact.stable_since for fact in _facts(state, *Quantity)), default=0.0) or None


def are_all_reported(state: Entrance) -> bool:
    """Return whether every sensor of every closure has reported in this session."""
    return all(fact_of(state, name).value != UNKNOWN for name, _, _, _ in state.rules.sensors)


def closure_states(state: Entrance) -> dict[str, dict[str, object]]:
    """Return each closure as a JSON object: its kind, whether it is secured or open, and its sensors."""
    found: dict[str, dict[str, object]] = {}
    for closure in state.rules.closures:
        seen = view(state, closure)
        found[closure.id] = {
            "kind": closure.kind,
            "secured": closure.secured(seen),
            "open": closure.opened(seen),
            "lacking": list(closure.not_ready(contested_view(state, closure))),
            "sensors": {role: _shown(seen.fact(role), closure.sensors[role].needs_answer) for role in closure.sensors},
        }  # fmt: skip
    return found


def closure_of_phase(state: Entrance) -> str | None:
    """Return the id of the closure that is being opened or is open for the courier, or to which he goes.

    None: no visit is in such a phase.
    """
    visit = state.visit
    if visit is None or visit.phase not in _PHASES_AT_CLOSURE:
        return None
    return visit.route[visit.entry.stage + _PHASES_AT_CLOSURE[visit.phase]]


_PHASES_AT_CLOSURE = {Phase.UNLOCKING: 0, Phase.UNLOCKED: 0, Phase.INSIDE: 0, Phase.ADVANCING: 1}
"""The closure of each of these phases: so many stages after the one that was opened last."""


def _shown(fact: Fact, needs_answer: frozenset[str]) -> str:
    return UNKNOWN if fact.value in needs_answer and not fact.proven else fact.value


def _facts(state: Entrance, *quantities: Quantity) -> list[Fact]:
    return [
        fact_of(state, sensor_name(closure.id, role))
        for closure in state.rules.closures
        if closure.is_private
        for role, sensor in closure.sensors.items()
        if sensor.quantity in quantities
    ]
