"""Translates an entrance's state into Home Assistant's values. Pure.

The values for a lock, and `None` for unknown: https://www.home-assistant.io/integrations/lock.mqtt/ (and
binary_sensor.mqtt, sensor.mqtt), as its 2026.2 reads them. They contain no code, no name and no number of a delivery.
"""

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import assert_never

from devices.reports import BatteryLevel
from gateway.config.closure_names import has_named_closures
from gateway.domain.delivery.result import DoorResult, Outcome
from gateway.domain.now import Now
from gateway.domain.visit import commands as c
from gateway.domain.visit import predicates, summary
from gateway.domain.visit.state import Entrance, Once, Phase, Visit
from gateway.integrations.homeassistant.closures import UNKNOWN, closure_values


class LockEntityState(StrEnum):
    """The state of the lock entity."""

    LOCKED = "LOCKED"
    UNLOCKED = "UNLOCKED"
    LOCKING = "LOCKING"
    UNLOCKING = "UNLOCKING"
    JAMMED = "JAMMED"
    UNKNOWN = UNKNOWN


DELIVERY_STATES = ("idle", "expected", "paused", "stopped", *Phase)
"""The states of a delivery: none, soon, not now, or the phase of the visit."""

PHASE_EVENTS = {Phase.RINGING: "at_the_door", Phase.UNLOCKED: "unlocked", Phase.INSIDE: "inside"}
OUTCOME_EVENTS = {outcome: str(outcome) for outcome in Outcome} | {Outcome.UNKNOWN: "outcome_unknown"}
EVENT_TYPES = (
    *PHASE_EVENTS.values(),
    *OUTCOME_EVENTS.values(),
    *DoorResult,
    "lock_now",  # the result of a lock request: `result`
    "alarm",  # `code`
    "wish_refused",  # of a command of Home Assistant: `asked`, `why`
)


def lock_state(state: Entrance) -> LockEntityState:
    """Return the lock's state: locked only if bolt and door are both proven so (invariant 8)."""
    if summary.is_locked(state):
        return LockEntityState.LOCKED
    visit, lockup = state.visit, state.lock_request
    if _is_jammed(visit) or summary.is_bolt_thrown_with_door_open(state):
        return LockEntityState.JAMMED
    if visit is not None and visit.phase is Phase.UNLOCKING:
        return LockEntityState.UNLOCKING
    if visit is not None and visit.phase is Phase.RELOCKING:
        return LockEntityState.LOCKING
    if lockup is not None and lockup.result is None and lockup.is_closed:
        return LockEntityState.LOCKING
    return LockEntityState.UNLOCKED if predicates.unsecured_closures(state) else LockEntityState.UNKNOWN


def _is_jammed(visit: Visit | None) -> bool:
    """Return whether a bolt jammed in a running visit; a later try that proves it good ends that."""
    return visit is not None and (visit.jammed or Once.JAM in visit.notified)


def delivery_state(state: Entrance, now: Now) -> str:
    """Return the state of the delivery, one of DELIVERY_STATES."""
    if state.visit is not None:
        return state.visit.phase
    if state.stopped:
        return "stopped"
    if predicates.is_paused(state, now):
        return "paused"
    return "expected" if state.window_near else "idle"


def problems(state: Entrance) -> tuple[str, ...]:
    """Return what a person should check now."""
    visit = state.visit
    holding = {
        "handed_to_owner": visit is not None and visit.phase is Phase.HANDED_TO_OWNER,
        "jammed": _is_jammed(visit),
        "unexpected_opening": state.incident is not None,
        "bolt_in_the_air": summary.is_bolt_thrown_with_door_open(state),
        "safe_mode": state.safe_mode,
    }
    return tuple(name for name, holds in holding.items() if holds)


def entrance_snapshot(state: Entrance, now: Now) -> Mapping[str, object]:
    """Return the values of all entities of one entrance as one JSON object, so they never contradict."""
    wrong = problems(state)
    closures = {"closures": closure_values(state)} if has_named_closures(state.rules.closures) else {}
    return {
        "lock": lock_state(state).value,
        "door": "ON" if predicates.is_open(state) else "OFF" if summary.is_closed(state) else UNKNOWN,
        "problem": "ON" if wrong else "OFF",
        "problems": list(wrong),
        "delivery": delivery_state(state, now),
        "lock_battery": _battery_value(state.batteries.get("lock")),
        "door_battery": _battery_value(state.batteries.get("door")),
        "batteries": {whose: level.value for whose, level in state.batteries.items()},
        **closures,
    }


def _battery_value(level: BatteryLevel | None) -> str:
    return UNKNOWN if level is None else level.value


def decision_events(
    before: Entrance | None, after: Entrance, commands: Iterable[c.Command]
) -> Iterator[Mapping[str, object]]:
    """Yield the events of one decision, in their order. `before` None: there was no earlier state."""
    phase = None if after.visit is None else after.visit.phase
    was = None if before is None or before.visit is None else before.visit.phase
    if before is not None and phase is not None and phase is not was and phase in PHASE_EVENTS:
        yield {"event_type": PHASE_EVENTS[phase]}
    for command in commands:
        yield from _command_events(command)
    result = None if after.lock_request is None else after.lock_request.result
    if before is not None and result is not None and after.lock_request != before.lock_request:
        yield {"event_type": "lock_now", "result": result.value}


def _command_events(command: c.Command) -> Iterator[Mapping[str, object]]:
    match command:
        case c.RaiseAlarm():  # its detail may contain what a scanner read
            closure = {"closure": command.closure} if command.closure else {}
            yield {"event_type": "alarm", "code": command.code.value, **closure}
        case c.ReportParcelResult():
            missing = {"missing": command.missing} if command.missing else {}
            collected = {} if command.collected is None else {"collected": command.collected.value}
            yield {"event_type": OUTCOME_EVENTS[command.outcome], **missing, **collected}
        case c.ReportDoorResult():
            yield {"event_type": command.door_result.value}
        case (
            c.AnswerScan()
            | c.RingBell()
            | c.ReserveOpening()
            | c.Unlock()
            | c.Lock()
            | c.Close()
            | c.QuerySensor()
            | c.ConsumeOpening()
            | c.ReleaseOpening()
            | c.StartRecording()
            | c.StopRecording()
            | c.SealProof()
            | c.ShowSignal()
            | c.NotifyOwner()
            | c.LogNote()
            | c.ReportReadiness()
        ):
            pass
        case _:
            assert_never(command)


def refusal_event(command: str, reason: str) -> Mapping[str, object]:
    """Return the event that a command of Home Assistant was refused, and why."""
    return {"event_type": "wish_refused", "asked": command, "why": reason}
