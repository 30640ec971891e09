"""Turns device reports into facts: bad news counts at once, good news only as the answer to a later query."""

from typing import assert_never

from gateway.domain.frozen import replace
from gateway.domain.visit import aging, batteries, intrusion
from gateway.domain.visit import events as e
from gateway.domain.visit.closures import AnyClosure
from gateway.domain.visit.closures.contract import UNKNOWN, Fact, Sensor
from gateway.domain.visit.commands import AlarmCode, RaiseAlarm
from gateway.domain.visit.conditions.contract import ConditionReport
from gateway.domain.visit.predicates import has_unlock_intent
from gateway.domain.visit.state import CameraState, Entrance, Objection, Phase
from gateway.domain.visit.step import Step
from gateway.domain.visit.views import fact_of, find_sensor, sensor_names


def apply_event(step: Step, event: e.DeviceEvent) -> None:
    """Update the facts from one event of a device or of its link."""
    match event:
        case e.BrokerUp(session=session):
            step.state = replace(step.state, broker_session=session)
            forget_surroundings(step)
            lose_all_observation(step)
            step.query_all()
        case e.BrokerDown():
            step.state = replace(step.state, broker_session=None)
            forget_surroundings(step)
            lose_all_observation(step)
        case e.SensorReported():
            _on_report(step, event)
        case e.WitnessReported():
            _on_witness(step, event)
        case e.SequenceAdvanced(sensor=sensor, context=context):
            _on_sequence_advanced(step, sensor, context)
        case e.BatteryReported():
            batteries.on_report(step, event)
        case e.SensorOffline(sensor=sensor):
            lose_observation(step, sensor)
        case e.ReportsMissed():
            lose_all_observation(step)
            step.query_all()
        case e.CameraChanged():
            _on_camera_changed(step, event)
        case e.DiskChanged(ok=ok):
            if has_unlock_intent(step.state) and step.state.disk_ok and not ok:
                step.emit(RaiseAlarm(code=AlarmCode.DISK_FULL))
            step.state = replace(step.state, disk_ok=ok)
        case e.WalkTestChanged(failed=failed):
            step.state = replace(step.state, walk_test_failed=failed)
        case ConditionReport():
            step.state = replace(step.state, surroundings={**step.state.surroundings, event.source: event})
            if any(condition.is_arrival(event) for condition in step.state.rules.conditions):
                step.attend()
        case _:
            assert_never(event)


def forget_surroundings(step: Step) -> None:
    """Drop the reports that a lost session ends: people may have come home, and the alarm panel may be armed."""
    kept = {source: report for source, report in step.state.surroundings.items() if report.proof_place is not None}
    step.state = replace(step.state, surroundings=kept)


def lose_all_observation(step: Step) -> None:
    """Set every sensor to unknown."""
    lose_observation(step, *(name for name, _, _, _ in step.state.rules.sensors))


def lose_observation(step: Step, *sensors: str) -> None:
    """Set sensors to unknown, because their observation broke and something may have happened.

    Sensors that are queried with a sensor are lost with it: nobody saw who went in meanwhile.
    """
    for name in sensors:
        found = find_sensor(step.state.rules, name)
        if found is None:
            continue
        closure, _, sensor = found
        lost = (name, *sensor_names(closure, *sensor.queried_with))
        for other in lost:
            lost_fact = replace(fact_of(step.state, other), value=UNKNOWN, answered_query_id=-1)
            step.set_fact(other, replace(lost_fact, expires_at=None, refresh_at=None))
        step.invalidate(*lost)
        if sensor.cancels_exit_report or sensor.queried_with:
            _cancel_exit(step)
        if sensor.detects_passage:
            _break_observation(step)


def _cancel_exit(step: Step) -> None:
    if step.state.visit is not None and step.visit.courier_left:
        step.visit = replace(step.visit, courier_left=False)


def _break_observation(step: Step) -> None:
    if step.state.visit is not None and step.visit.entry.observed_throughout:
        step.visit = replace(step.visit, entry=replace(step.visit.entry, observed_throughout=False))


def _is_current(state: Entrance, context: e.ReportContext) -> bool:
    return not context.retained and context.session == state.broker_session


def _is_outdated(fact: Fact, context: e.ReportContext) -> bool:
    """Return whether the report is a copy or late; the gap it left broke observation when the newer one came."""
    return context.boot == fact.boot and context.seq is not None and context.seq <= fact.seq


def _has_sequence_gap(fact: Fact, context: e.ReportContext) -> bool:
    """Return whether a report of the device was lost, or the device restarted."""
    if context.seq is None or fact.seq < 0:
        return False
    return context.seq != fact.seq + 1 or context.boot != fact.boot


def update_fact(  # noqa: PLR0913 - a report, its sensor and what was known
    fact: Fact, sensor: Sensor, value: str, context: e.ReportContext, *, is_basic: bool, last_query_id: int, mono: float
) -> Fact:
    """Return the fact after a report of `value`; `context` decides what the report proves.

    `is_basic`: the device answers no query, so its live reports count as they are.
    """
    same_boot = fact.boot is None or context.boot == fact.boot
    whole = not _has_sequence_gap(fact, context)
    is_unchanged = fact.value == value and same_boot and whole
    is_good = same_boot and value in sensor.needs_answer
    self_evident = value in sensor.needs_answer and is_basic
    is_old = value != fact.value and _is_overtaken(fact, sensor, context)
    answers_now = context.answers is not None and context.answers >= fact.min_query_id and not is_old
    last_answer = fact.answered_query_id if is_unchanged else -1
    min_query_id = fact.min_query_id
    if value != fact.value and len(sensor.needs_answer) > 1:  # the other good value contradicts this one
        measured = last_query_id if context.answers is None else context.answers
        min_query_id = max(min_query_id, measured + 1, _newest_query(fact) + 1)
    return Fact(
        value=value,
        proven=self_evident or (is_good and (answers_now or (is_unchanged and fact.proven))),
        stable_since=fact.stable_since if is_unchanged else mono,
        answered_query_id=last_answer if context.answers is None else max(last_answer, context.answers),
        min_query_id=min_query_id if is_good and (whole or answers_now) else last_query_id + 1,
        reported_query_id=last_query_id if context.answers is None else fact.reported_query_id,
        boot=context.boot,
        seq=fact.seq if context.seq is None else context.seq,
    )


def _is_overtaken(fact: Fact, sensor: Sensor, context: e.ReportContext) -> bool:
    """Return whether an answer of a sensor with two good values may have been measured before its newest report.

    If a compartment has reported "occupied", a late answer from before must not make it count as empty.
    """
    return len(sensor.needs_answer) > 1 and context.answers is not None and context.answers <= _newest_query(fact)


def _newest_query(fact: Fact) -> int:
    """Return the newest query before which this value may have been measured; -1: none."""
    return max(fact.reported_query_id, fact.answered_query_id)


def _on_report(step: Step, event: e.SensorReported) -> None:
    found = find_sensor(step.state.rules, event.sensor)
    if found is None:
        return
    (closure, role, sensor), context = found, event.context
    old = fact_of(step.state, event.sensor)
    if not _is_current(step.state, context) or _is_outdated(old, context):
        return
    new = update_fact(
        old,
        sensor,
        aging.present_value(sensor, event.value, event.age_s),
        context,
        is_basic=event.sensor in step.state.rules.basic_sensors,
        last_query_id=step.state.last_query_id,
        mono=step.now.mono,
    )
    step.set_fact(event.sensor, aging.dated(new, closure, sensor, event.age_s, step.now.mono))
    if sensor.detects_passage and (_has_sequence_gap(old, context) or event.value in sensor.vague):
        _break_observation(step)
    if sensor.cancels_exit_report and event.value not in sensor.needs_answer:
        _cancel_exit(step)
    intrusion.on_change(step, closure, role, old, event)
    if event.jammed:
        _on_jammed(step, closure, event)
    if event.is_movement or (event.value in sensor.needs_answer and not new.proven):
        _query_unproven(step, event.sensor, old, context)


def _on_witness(step: Step, event: e.WitnessReported) -> None:
    """Keep the witness's newest word if it is bad. It needs no query: a stored word of a witness is its newest."""
    found = find_sensor(step.state.rules, event.sensor)
    others = tuple(
        one for one in step.state.objections if (one.sensor, one.device) != (event.sensor, event.device)
    )  # fmt: skip
    is_bad = found is not None and found[2].is_bad(event.value)
    objection = Objection(sensor=event.sensor, device=event.device, value=event.value)
    if is_bad and objection in step.state.objections:
        return
    step.state = replace(step.state, objections=(*others, objection) if is_bad else others)


def _on_jammed(step: Step, closure: AnyClosure, event: e.SensorReported) -> None:
    """Record a jam at the closure that is being opened or secured; unsolicited, it is how a lock answers a command."""
    if not has_unlock_intent(step.state) or closure.id != current_closure(step):
        return
    entry = step.visit.entry
    if event.context.answers is None:
        entry = replace(entry, unanswered=entry.unanswered - {closure.id})
    step.visit = replace(step.visit, jammed=True, entry=entry)


def current_closure(step: Step) -> str:
    """Return the closure to which the visit's newest command went."""
    securing = step.visit.securing.closure
    is_securing = step.visit.phase in (Phase.RELOCKING, Phase.ADVANCING) and securing is not None
    return securing if is_securing and securing is not None else step.here.id


def _query_unproven(step: Step, sensor: str, old: Fact, context: e.ReportContext) -> None:
    """Query unproven good news at once; securing sends its own queries."""
    securing = step.state.visit is not None and step.state.visit.phase is Phase.RELOCKING
    is_news = context.answers is None or context.boot != old.boot
    if is_news and not securing:
        step.query(sensor)


def _on_sequence_advanced(step: Step, name: str, context: e.ReportContext) -> None:
    found, fact = find_sensor(step.state.rules, name), fact_of(step.state, name)
    if found is None or context.seq is None or not _is_current(step.state, context) or _is_outdated(fact, context):
        return
    if _has_sequence_gap(fact, context) and found[2].detects_passage:
        _break_observation(step)
    if fact.boot is not None and context.boot != fact.boot:  # it restarted: only its next answer proves its state
        step.invalidate(name)
    step.set_fact(name, replace(fact_of(step.state, name), boot=context.boot, seq=context.seq))


def _on_camera_changed(step: Step, event: e.CameraChanged) -> None:
    had = step.state.cameras.get(event.camera, CameraState())
    has = CameraState(live=event.live, moving=event.moving, recording=event.recording)
    step.state = replace(step.state, cameras={**step.state.cameras, event.camera: has})
    required = event.camera in step.state.rules.cameras
    is_lost = had.live and had.recording and not (has.live and has.recording)
    films = has_unlock_intent(step.state) and step.visit.recording.is_running and step.visit.recording.is_filmed
    if required and is_lost and films:
        step.emit(RaiseAlarm(code=AlarmCode.CAMERA_LOST, detail=event.camera))
        recording = step.visit.recording
        gaps = tuple(dict.fromkeys((*recording.gaps, event.camera)))
        step.visit = replace(step.visit, recording=replace(recording, gaps=gaps))
