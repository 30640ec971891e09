"""Performs the moves of a visit: its begin, its changes of phase and its end. `decide` decides when."""

from devices.commands import Light, Sound
from gateway.domain.delivery.candidate import VisitDelivery
from gateway.domain.delivery.result import DoorResult, Outcome, Refusal
from gateway.domain.frozen import replace
from gateway.domain.visit import aging, collecting, film, readiness
from gateway.domain.visit import commands as c
from gateway.domain.visit.closures.contract import Deposit, ProcedureRun
from gateway.domain.visit.countdown import open_limit_s, passable_limit_s
from gateway.domain.visit.events import Scanned
from gateway.domain.visit.predicates import best_route
from gateway.domain.visit.state import Consent, KeeperCode, Phase, Securing, Timer, Visit
from gateway.domain.visit.step import Step
from gateway.domain.visit.views import sensor_names

WAIT = c.ShowSignal(light=Light.AMBER, sound=Sound.WAIT)
GO = c.ShowSignal(light=Light.GREEN, sound=Sound.GO)
NO = c.ShowSignal(light=Light.RED, sound=Sound.NO)
INSIDE = c.ShowSignal(light=Light.AMBER, sound=Sound.NONE)
LEAVE = c.ShowSignal(light=Light.RED, sound=Sound.LEAVE)
TROUBLE = c.ShowSignal(light=Light.RED, sound=Sound.ALARM)
DARK = c.ShowSignal(light=Light.OFF, sound=Sound.NONE)


def begin(
    step: Step, scan: Scanned, delivery: VisitDelivery, parcels: frozenset[str], keeper: KeeperCode | None = None
) -> None:
    """Accept a scan: ring, film, notify the owner, and query every closure again. `keeper`: who acts, if any does.

    If a robot acts, the scan has its proof.
    """
    rules, errand = step.state.rules, delivery.errand
    route, rings = route_from(step, delivery, scan.scanner), rules.has_signal and errand.rings
    recording = film.new_recording(step, errand, route)
    notification = c.Notification.AT_THE_DOOR if errand.rings else c.Notification.ADMITTED
    if delivery.needs_yes:
        notification = c.Notification.ASKS_FOR_YES
    step.emit(c.AnswerScan(scan=scan.id, scanner=scan.scanner, answer=c.ScanAnswer.WAIT), WAIT)
    if rings:
        step.emit(c.RingBell(visit=scan.id))
    robot = None if scan.robot is None else scan.robot.robot
    holder = (robot or "") if keeper is None else keeper.keeper
    picture = recording.is_filmed
    step.emit(
        c.NotifyOwner(notification=notification, delivery=delivery.id, visit=scan.id, detail=holder, picture=picture)
    )
    if recording.is_filmed:
        film.begin(step, scan.id, 1)
    visit = Visit(
        id=scan.id,
        delivery=delivery,
        scanner=scan.scanner,
        keeper=keeper,
        robot=robot,
        route=route,
        consent=Consent(bell_confirmed=not rings),
        recording=recording,
        parcels=parcels,
    )
    step.state = replace(step.state, visit=visit, pending_scan=None, grace_visit=None)
    step.clear_timers(Timer.HALF, Timer.WATCH, Timer.HELD, Timer.SIGNAL)
    step.query_all()
    ring_s = rules.timing.ring if rings else 0.0
    step.transition(Phase.RINGING, {Timer.RING: ring_s, Timer.BELL: rules.timing.bell}, begins=True)


def route_from(step: Step, delivery: VisitDelivery, scanner: str) -> tuple[str, ...]:
    """Return the route that a scan begins.

    A scanner at an inner closure begins there, if only shared closures lie before it: a neighbour let the courier in.
    """
    route, at = best_route(step.state, delivery), step.state.rules.scanners.get(scanner)
    if at in route and not any(step.closure(ident).is_private for ident in route[: route.index(at)]):
        return route[route.index(at) :]
    return route


def end_unopened(step: Step) -> None:
    """Return to ready: nobody came in, so the film is deleted."""
    visit = step.visit
    if visit.recording.is_filmed:
        step.emit(c.StopRecording(visit=visit.id, part=visit.recording.part, keep=False))
    step.emit(c.ReportDoorResult(visit=visit.id, delivery=visit.delivery.id, door_result=DoorResult.NOT_OPENED))
    step.end_visit()


def refuse(step: Step, refusal: Refusal) -> None:
    """End the visit with a refusal; the delivery stays as it was."""
    visit = step.visit
    no, delivery = c.ScanAnswer.NO, visit.delivery.id
    answer_no(step, c.AnswerScan(scan=visit.id, scanner=visit.scanner, answer=no, refusal=refusal, delivery=delivery))
    step.notify_of_visit(c.Notification.NOT_OPENED, detail=refusal)
    end_unopened(step)


def end_attended(step: Step) -> None:
    """End the visit without refusal or opening: somebody of the household attends to the courier."""
    step.emit(DARK)
    step.notify_of_visit(c.Notification.ATTENDED)
    record_outcome(step, Outcome.ATTENDED)
    end_unopened(step)


def answer_no(step: Step, answer: c.AnswerScan) -> None:
    """Answer "no" neutrally at the door. The signal is not changed while another visit uses it."""
    step.emit(answer)
    if step.state.visit is None or step.visit.id == answer.scan:
        step.emit(NO)
        step.set_timer(Timer.SIGNAL, step.state.rules.signal)


def order_unlock(step: Step, stage: int = 0) -> None:
    """Store the intent to open one closure, and emit the one command that opens it.

    The store writes both before the command leaves. The first intent of a visit reserves an opening.
    """
    visit, rules = step.visit, step.state.rules
    closure = step.closure(visit.route[stage])
    permit = visit.consent.permits.get(closure.id)
    opening, valid_for = closure.opening(), rules.timing.command_life + rules.timing.skew
    step.emit(
        c.ReserveOpening(
            visit=visit.id,
            closure=closure.id,
            stage=stage,
            delivery=visit.delivery.id,
            version=visit.delivery.version,
            permission_version=visit.delivery.permission_version,
            stop_epoch=step.state.stop_epoch,
            permit="" if permit is None else permit.message_sha256,
        ),
        c.Unlock(
            visit=visit.id,
            closure=closure.id,
            pulls_latch=opening.pulls_latch,
            life=rules.timing.command_life,
            ages=aging.ages_at(step, closure),
        ),
    )
    step.invalidate(*sensor_names(closure, *opening.invalidate))
    entry = visit.entry
    unused = {ident: one for ident, one in visit.consent.permits.items() if ident != closure.id}  # one yes, one opening
    step.visit = replace(
        visit,
        consent=replace(visit.consent, permits=unused),
        entry=replace(
            entry,
            stage=stage,
            ordered_at={**entry.ordered_at, closure.id: step.now.mono},
            observed_throughout=entry.observed_throughout or stage == 0,
            command_valid_until=step.now.mono + valid_for,
            unanswered=entry.unanswered | {closure.id} if closure.is_private else entry.unanswered,
            not_sent=None,
            queried=False,
            arrival_scan=None,
        ),
        refused=False,
    )
    step.transition(Phase.UNLOCKING, {Timer.ANSWER: closure.latency})


def release_unsent_opening(step: Step, why: Refusal) -> None:
    """Release opening and withdrawal of a command that certainly was not sent; the courier may scan again at once."""
    step.query_closure(step.here, *step.here.opening().query)
    step.emit(c.ReleaseOpening(visit=step.visit.id, delivery=step.visit.delivery.id, withdrawal=True))
    refuse(step, why)


def answer_go(step: Step) -> None:
    """Show "go" where the courier scanned last."""
    step.emit(c.AnswerScan(scan=step.visit.id, scanner=step.visit.scanner, answer=c.ScanAnswer.GO), GO)


def confirm_opened(step: Step) -> None:
    """Continue after the closure reported that somebody can go through it."""
    answer_go(step)
    step.transition(Phase.UNLOCKED, {Timer.NEVER: passable_limit_s(step.state.rules, step.here)})


def refuse_and_relock(step: Step, refusal: Refusal) -> None:
    """Show the courier the refusal and go to RELOCKING; the visit goes on until the door is proven locked."""
    step.emit(c.AnswerScan(scan=step.visit.id, scanner=step.visit.scanner, answer=c.ScanAnswer.NO, refusal=refusal), NO)
    wait_then_lock(step, 0)


def begin_inside(step: Step, stage: int | None = None) -> None:
    """Continue with the open closure of this stage, or of the present one: the opening is consumed.

    A closure that a motor opens stands open without having been passable before. Then the scan is answered here.
    """
    if step.visit.phase is Phase.UNLOCKING:
        answer_go(step)
    else:
        step.emit(INSIDE)
    consume_opening(step)
    entry = step.visit.entry
    stage = entry.stage if stage is None else stage
    closure = step.closure(step.visit.route[stage])
    if not closure.may_be_used(step.view(closure)) and closure.id not in entry.opened:
        step.emit(c.RaiseAlarm(code=c.AlarmCode.UNEXPECTED_UNLOCK, closure=step.named(closure.id)))
    entry = replace(entry, stage=stage, opened=entry.opened | {step.visit.route[stage]})
    step.visit = replace(
        step.visit,
        entry=entry,
        securing=Securing(),
        closing=ProcedureRun(),
        detecting=ProcedureRun(),
        courier_left=False,
        # A person who goes in and out with the key gets the reminders about the key too
        reminders=0 if closure.opening().is_ordered else step.visit.reminders,
    )
    limit_s = open_limit_s(step.state.rules, step.here, step.view(step.here), step.visit.delivery.place)
    step.transition(Phase.INSIDE, {Timer.OPEN_LONG: limit_s})


def begin_advancing(step: Step) -> None:
    """Continue to the next closure: first the one behind is proven secured."""
    step.visit = replace(step.visit, securing=Securing(closure=step.here.id, is_waiting=False))
    step.transition(Phase.ADVANCING, {Timer.ADVANCE: step.state.rules.timing.advance})


def wait_then_lock(step: Step, seconds: float, *, begins: bool = False) -> None:
    """Secure everything after this many seconds without anything opening again. `begins`: no visit ran before."""
    prompt = step.here.exit_prompt()
    if prompt is not None and step.visit.opened:
        step.emit(c.ShowSignal(light=prompt.light, sound=prompt.sound))
    step.visit = replace(step.visit, securing=Securing(refunded=step.visit.securing.refunded))
    step.transition(Phase.RELOCKING, {Timer.RELOCK: seconds}, begins=begins)


def consume_opening(step: Step) -> None:
    """Consume the reserved opening, once."""
    if not step.visit.entry.reservation_settled:
        step.emit(c.ConsumeOpening(visit=step.visit.id, delivery=step.visit.delivery.id))
        _mark_settled(step)
        readiness.opening_consumed(step)


def _mark_settled(step: Step) -> None:
    step.visit = replace(step.visit, entry=replace(step.visit.entry, reservation_settled=True))


def record_outcome(step: Step, outcome: Outcome) -> None:
    """Record and report the parcels' result once, with what was collected; later events do not change it.

    An errand without parcels has none.
    """
    visit = step.visit
    if visit.outcome is None and visit.delivery.errand.has_parcels:
        collected = collecting.collection(visit, outcome)
        outcome = collecting.outcome_of(visit, outcome, collected)
        partly = outcome is Outcome.PARTLY_DELIVERED
        result = c.ReportParcelResult(
            visit=visit.id,
            delivery=visit.delivery.id,
            outcome=outcome,
            missing=len(visit.delivery.parcels - visit.parcels) if partly else 0,
            collected=collected,
        )
        step.emit(result)
        step.visit = replace(visit, outcome=outcome)


def record_outcome_if_opened(step: Step) -> None:
    """Record the result before the innermost closure is secured.

    If the courier was inside, the scanned parcels count as delivered. If neither film nor sensor can show that
    something was left, the result is unknown. It is also unknown if a sensor that can detect it has not answered since:
    a film is no substitute.
    """
    visit = step.visit
    if not visit.opened:
        return
    ordered = step.closure(next(ident for ident in reversed(visit.route) if step.is_ordered(ident)))
    deposited = ordered.deposited(step.view(ordered))
    is_proven_by_film = step.state.rules.is_filmed and visit.recording.is_filmed
    is_told = deposited is Deposit.LEFT or (deposited is Deposit.BY_FILM and is_proven_by_film)
    has_taken_all_back = visit.holder_left and not visit.parcels
    if deposited is Deposit.NOTHING or not {ordered.id, visit.route[-1]} <= visit.entry.opened or has_taken_all_back:
        record_outcome(step, Outcome.NOT_DELIVERED)
    elif not is_told or visit.awaits_exit:
        record_outcome(step, Outcome.UNKNOWN)
    else:
        complete = visit.parcels >= visit.delivery.parcels
        record_outcome(step, Outcome.DELIVERED if complete else Outcome.PARTLY_DELIVERED)


def hand_over_to_owner(step: Step, code: c.AlarmCode) -> None:
    """Hand the door over to the owner because the box cannot repair it; the alarm repeats until they acknowledge."""
    record_outcome_if_opened(step)
    record_outcome(step, Outcome.UNKNOWN)
    consume_opening(step)
    visit = step.visit
    closure = _closure_in_trouble(step)
    step.emit(c.RaiseAlarm(code=code, detail=visit.holder, closure=step.named(closure)), TROUBLE)
    if visit.door_result is None:
        step.emit(
            c.ReportDoorResult(visit=visit.id, delivery=visit.delivery.id, door_result=DoorResult.HANDED_TO_OWNER)
        )
    step.notify_of_visit(c.Notification.LOOK_AFTER_THE_DOOR, picture=True, closure=closure)
    step.visit = replace(visit, door_result=DoorResult.HANDED_TO_OWNER, acknowledged=False)
    step.transition(Phase.HANDED_TO_OWNER, {Timer.ALARM: step.state.rules.timing.alarm_again})


def _closure_in_trouble(step: Step) -> str:
    """Return the closure that is being secured, or the one that stands open."""
    securing = step.visit.securing.closure
    return securing if securing is not None and step.visit.phase is Phase.RELOCKING else step.here.id


def enter_locked_again(step: Step) -> None:
    """Report that every closure is proven secured, and enter LOCKED_AGAIN. `securing` has made the queries before."""
    visit = step.visit
    _settle_reservation(step)
    step.emit(c.ReportDoorResult(visit=visit.id, delivery=visit.delivery.id, door_result=DoorResult.LOCKED_AGAIN))
    step.notify_of_visit(c.Notification.LOCKED_AGAIN, picture=True)
    step.emit(DARK)
    step.visit = replace(step.visit, door_result=visit.door_result or DoorResult.LOCKED_AGAIN)
    step.transition(Phase.LOCKED_AGAIN, {Timer.POST_ROLL: step.state.rules.timing.post_roll})


def _settle_reservation(step: Step) -> None:
    """Settle the reservation; release it only when nothing, observed without a break, was ever seen open."""
    visit, entry = step.visit, step.visit.entry
    # A basic sensor proves no "never", nor does an unanswered command: it may open the closure after the visit
    never_opened = (
        not visit.opened and entry.observed_throughout and not entry.unanswered and not _has_basic_sensor(step)
    ) and not _may_have_been_filled(step)
    if entry.reservation_settled or not never_opened:
        record_outcome_if_opened(step)
        record_outcome(step, Outcome.NOT_DELIVERED if never_opened else Outcome.UNKNOWN)
        consume_opening(step)
        return
    unsent = entry.not_sent is not None
    step.emit(c.ReleaseOpening(visit=visit.id, delivery=visit.delivery.id, withdrawal=unsent))
    withdrawals_left = visit.delivery.withdrawals_left if unsent else visit.delivery.withdrawals_left - 1
    _mark_settled(step)
    if withdrawals_left < 1:
        record_outcome(step, Outcome.NOT_DELIVERED)
    elif visit.delivery.errand.has_parcels:
        step.visit = replace(step.visit, outcome=Outcome.NOT_DELIVERED)


def _may_have_been_filled(step: Step) -> bool:
    """Return whether a closure that springs open obeyed, and no sensor proves that nothing was left in it.

    If the sensor of the lid is stuck at "closed", the opening must not become available for a second compartment.
    """
    closures = [step.closure(ident) for ident in step.visit.entry.obeyed]
    return any(
        closure.opening().opens_itself and closure.deposited(step.view(closure)) is not Deposit.NOTHING
        for closure in closures
    )


def _has_basic_sensor(step: Step) -> bool:
    """Return whether a sensor that detects passage, at a closure that was ordered open, answers no query."""
    return any(
        sensor.detects_passage and name in step.state.rules.basic_sensors
        for name, closure, _, sensor in step.state.rules.sensors
        if closure.id in step.visit.entry.ordered_at
    )
