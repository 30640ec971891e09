"""Turns device reports into facts: bad news counts at once, good news only as the answer to a later query."""

from typing import assert_never

from devices.reports import DoorState, LockState
from gateway.domain.frozen import replace
from gateway.domain.visit import batteries, intrusion, presence
from gateway.domain.visit import events as e
from gateway.domain.visit.commands import AlarmCode, RaiseAlarm
from gateway.domain.visit.conditions import has_unlock_intent, is_door_open
from gateway.domain.visit.state import CameraState, Entrance, Fact, Obstruction, Phase, T
from gateway.domain.visit.step import Step

GOOD_DOOR_NEWS: frozenset[LockState | DoorState] = frozenset({DoorState.CLOSED})
# These need proof
GOOD_NEWS: frozenset[LockState | DoorState | Obstruction] = GOOD_DOOR_NEWS | {LockState.LOCKED, Obstruction.CLEAR}

AnyFact = Fact[LockState] | Fact[DoorState] | Fact[Obstruction]
UNKNOWN_STATES = {"lock": LockState.UNKNOWN, "door": DoorState.UNKNOWN, "way": Obstruction.UNKNOWN}


def apply_event(step: Step, event: e.DeviceEvent) -> None:
    """Update the facts from one event of a device or of its link."""
    match event:
        case e.BrokerUp(session=session):
            step.state = replace(step.state, broker_session=session)
            presence.forget(step)
            lose_observation(step, "lock", "door")
            step.query("lock", "door")
        case e.BrokerDown():
            step.state = replace(step.state, broker_session=None)
            presence.forget(step)
            lose_observation(step, "lock", "door")
        case e.LockReported():
            _on_lock_report(step, event)
        case e.DoorReported():
            _on_door_report(step, event)
        case e.ObstructionReported():
            _on_obstruction_report(step, event)
        case e.SequenceAdvanced(device=device, context=context):
            _on_sequence_advanced(step, device, context)
        case e.BatteryReported():
            batteries.on_report(step, event)
        case e.DeviceOffline(device=device):
            lose_observation(step, device)
        case e.ReportsMissed():
            lose_observation(step, "lock", "door")
            step.query("lock", "door")
        case e.CameraChanged():
            _on_camera_changed(step, event)
        case e.DiskChanged(ok=ok):
            if has_unlock_intent(step.state) and step.state.disk_ok and not ok:
                step.emit(RaiseAlarm(code=AlarmCode.DISK_FULL))
            step.state = replace(step.state, disk_ok=ok)
        case e.WalkTestChanged(failed=failed):
            step.state = replace(step.state, walk_test_failed=failed)
        case e.FridgeReported(place=place, fridge=fridge):
            step.state = replace(step.state, fridges={**step.state.fridges, place: fridge})
        case _:
            assert_never(event)


def lose_observation(step: Step, *devices: str) -> None:
    """Set these devices to unknown, because their observation broke and something may have happened."""
    lost = {device for device in devices if device in UNKNOWN_STATES}
    if "door" in lost:
        lost.add("way")  # nobody saw who went in meanwhile
    for device in lost:
        step.change_fact(device, value=UNKNOWN_STATES[device], answered_query_id=-1)
    step.invalidate(*lost)
    if "way" in lost:
        _reset_courier_left(step)
    if lost & {"lock", "door"}:
        _break_observation(step)


def _reset_courier_left(step: Step) -> None:
    if step.state.visit is not None and step.visit.courier_left:
        step.visit = replace(step.visit, courier_left=False)


def _break_observation(step: Step) -> None:
    if step.state.visit is not None and step.state.visit.observed_throughout:
        step.visit = replace(step.visit, observed_throughout=False)


def _is_current(state: Entrance, context: e.ReportContext) -> bool:
    return not context.retained and context.session == state.broker_session


def _is_outdated(fact: AnyFact, context: e.ReportContext) -> bool:
    """Return whether the report is a copy or late; the gap it left broke observation when the newer one came."""
    return context.boot == fact.boot and context.seq is not None and context.seq <= fact.seq


def _has_sequence_gap(fact: AnyFact, context: e.ReportContext) -> bool:
    """Return whether a report of the device was lost, or the device restarted."""
    if context.seq is None or fact.seq < 0:
        return False
    return context.seq != fact.seq + 1 or context.boot != fact.boot


def update_fact(step: Step, fact: Fact[T], value: T, context: e.ReportContext) -> Fact[T]:
    """Return the fact after a report of `value`; `context` decides what the report proves."""
    same_boot = fact.boot is None or context.boot == fact.boot
    whole = not _has_sequence_gap(fact, context)
    is_unchanged = fact.value is value and same_boot and whole
    is_good = same_boot and value in GOOD_NEWS
    self_evident = value in GOOD_DOOR_NEWS and not step.state.rules.door_answers  # a basic door cannot be queried
    answers_now = context.answers is not None and context.answers >= fact.min_query_id
    last_answer = fact.answered_query_id if is_unchanged else -1
    return Fact(
        value=value,
        proven=self_evident or (is_good and (answers_now or (is_unchanged and fact.proven))),
        stable_since=fact.stable_since if is_unchanged else step.now.mono,
        answered_query_id=last_answer if context.answers is None else context.answers,
        min_query_id=fact.min_query_id if is_good and (whole or answers_now) else step.state.last_query_id + 1,
        boot=context.boot,
        seq=fact.seq if context.seq is None else context.seq,
    )


def _on_lock_report(step: Step, event: e.LockReported) -> None:
    report, context, old = event.report, event.context, step.state.bolt
    if not _is_current(step.state, context) or _is_outdated(old, context):
        return
    if _has_sequence_gap(old, context):
        _break_observation(step)
    bolt = update_fact(step, old, report.bolt, context)
    step.state = replace(step.state, bolt=bolt)
    intrusion.on_bolt_moved(step, old.value, event)
    if report.jammed and has_unlock_intent(step.state):  # sent unasked, it is how the lock answers a command
        step.visit = replace(
            step.visit, jammed=True, unlock_unanswered=step.visit.unlock_unanswered and context.answers is not None
        )
    if report.event or (report.bolt is LockState.LOCKED and not bolt.proven):
        _query_unproven(step, "lock", old, context)


def _on_door_report(step: Step, event: e.DoorReported) -> None:
    reported, context, old = event.report.door, event.context, step.state.door
    if not _is_current(step.state, context) or _is_outdated(old, context):
        return
    door = update_fact(step, old, reported, context)
    step.state = replace(step.state, door=door)
    unclear = reported is not DoorState.CLOSED and not is_door_open(step.state)
    if _has_sequence_gap(old, context) or unclear:
        _break_observation(step)
    intrusion.on_door_moved(step, old.value, context)
    if reported is DoorState.CLOSED and not door.proven:
        _query_unproven(step, "door", old, context)


def _on_obstruction_report(step: Step, event: e.ObstructionReported) -> None:
    context, old = event.context, step.state.obstruction
    if not _is_current(step.state, context) or _is_outdated(old, context):
        return
    way = update_fact(step, old, event.obstruction, context)
    step.state = replace(step.state, obstruction=way)
    if event.obstruction is not Obstruction.CLEAR:
        _reset_courier_left(step)
    elif not way.proven:
        _query_unproven(step, "way", old, context)


def _query_unproven(step: Step, device: str, old: Fact[T], context: e.ReportContext) -> None:
    """Query unproven good news at once; relocking sends its own queries."""
    relocking = step.state.visit is not None and step.state.visit.phase is Phase.RELOCKING
    news = context.answers is None or context.boot != old.boot
    if news and not relocking:
        step.query(device)


def _on_sequence_advanced(step: Step, device: str, context: e.ReportContext) -> None:
    facts: dict[str, AnyFact] = {"lock": step.state.bolt, "door": step.state.door}
    fact = facts.get(device)
    if fact is None or context.seq is None or not _is_current(step.state, context) or _is_outdated(fact, context):
        return
    if _has_sequence_gap(fact, context):
        _break_observation(step)
    if fact.boot is not None and context.boot != fact.boot:  # it restarted: only its next answer proves its state
        step.invalidate(device)
    step.change_fact(device, boot=context.boot, seq=context.seq)


def _on_camera_changed(step: Step, event: e.CameraChanged) -> None:
    had = step.state.cameras.get(event.camera, CameraState())
    has = CameraState(live=event.live, moving=event.moving, recording=event.recording)
    step.state = replace(step.state, cameras={**step.state.cameras, event.camera: has})
    required = event.camera in step.state.rules.cameras
    is_lost = had.live and had.recording and not (has.live and has.recording)
    if required and is_lost and has_unlock_intent(step.state) and step.visit.filming:
        step.emit(RaiseAlarm(code=AlarmCode.CAMERA_LOST, detail=event.camera))
        step.visit = replace(step.visit, gaps=tuple(dict.fromkeys((*step.visit.gaps, event.camera))))
