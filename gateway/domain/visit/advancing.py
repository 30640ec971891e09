"""Between two closures of a route: the one behind is proven secured, then the courier shows himself at the next.

The next one opens only when everything holds again that held for the first: the rest of the route is ready, and the
cameras of the next closure see him move. If he does not come in time, on a stop or on a refusal, everything is secured.
"""

from gateway.domain.delivery.result import Refusal
from gateway.domain.frozen import replace
from gateway.domain.visit import procedure, transitions
from gateway.domain.visit.closures.contract import START, Pause, Verdict
from gateway.domain.visit.commands import AlarmCode, AnswerScan, RaiseAlarm, ScanAnswer, ShowSignal
from gateway.domain.visit.predicates import is_courier_seen, is_filmed, keeper_refusal, may_open, missing_on_route
from gateway.domain.visit.state import Once, Timer
from gateway.domain.visit.step import Step
from gateway.domain.visit.supervision import is_awaiting_permit

PROVEN = "proven"  # the step of the procedure of the closure behind, once it is proven secured


def settle(step: Step) -> None:
    """Open the next closure when everything holds; go back when nobody comes."""
    visit, behind = step.visit, step.here
    refusal = visit.delivery.refusal or keeper_refusal(step.state.rules, visit.keeper)
    has_ended = step.is_stopped or visit.consent.approved is False or refusal is not None
    seen = step.view(behind)
    if has_ended or step.timer_expired(Timer.ADVANCE):
        transitions.wait_then_lock(step, 0)
    elif behind.is_private and behind.opened(seen):
        transitions.begin_inside(step)
    elif not behind.secured(seen) or visit.securing.run.step != PROVEN:
        _prove_behind(step)
    elif _is_way_back_secured(step) and _has_arrived(step):
        _open_next(step)


def _prove_behind(step: Step) -> None:
    """Run the procedure of the closure behind, as at the end; it is tried for as long as the courier may take.

    A bolt that does not obey is tried as often as at the end. Then the visit goes back, and everything is secured.
    """
    visit, behind = step.visit, step.here
    run = visit.securing.run
    run = replace(run, step=START) if run.step == PROVEN else run
    runner = procedure.Runner(timer=Timer.ANSWER, ident=visit.id, command_valid_until=visit.entry.command_valid_until)
    run = run.reported(refused=visit.refused, jammed=visit.jammed)
    run, result = procedure.advance(step, behind, behind.secure, run, runner)
    if result is Verdict.DONE:
        run = replace(run, step=PROVEN)
        step.clear_timers(Timer.ANSWER)
    elif isinstance(result, Pause):
        run = replace(run, step=START)
        step.set_timer(Timer.ANSWER, behind.latency)
        step.emit(ShowSignal(light=result.prompt.light, sound=result.prompt.sound))
    elif result is Verdict.AGAIN:
        run = replace(run, step=START, tries=run.tries + (run.sent_in is not None))
        if run.jammed and not step.notified_once(Once.JAM):
            step.emit(RaiseAlarm(code=AlarmCode.LOCK_JAMMED, closure=step.named(behind.id)))
        if run.tries >= step.state.rules.tries:
            transitions.wait_then_lock(step, 0)
            return
    securing = replace(step.visit.securing, run=run)
    step.visit = replace(step.visit, securing=securing, refused=run.refused, jammed=run.jammed)


def next_closure(step: Step) -> str:
    """Return the closure that opens next."""
    return step.visit.route[step.visit.entry.stage + 1]


def _is_way_back_secured(step: Step) -> bool:
    """Return whether each closure that he came through is still proven secured: nobody follows him in."""
    passed = step.visit.route[: step.visit.entry.stage + 1]
    return all(step.closure(ident).secured(step.view(step.closure(ident))) for ident in passed)


def _has_arrived(step: Step) -> bool:
    """Return whether the courier stands at the next closure; without a scanner there, that he came so far counts."""
    if step.visit.robot is not None:  # a robot scans nothing; the picture on which the yes is given shows it
        return True
    return next_closure(step) not in step.state.rules.scanners.values() or step.visit.entry.arrival_scan is not None


def _open_next(step: Step) -> None:
    visit, stage = step.visit, step.visit.entry.stage + 1
    if is_awaiting_permit(step, visit.route[stage]):
        return
    refusal = _refusal(step, stage)
    if refusal is None:
        transitions.order_unlock(step, stage)
        return
    scan = visit.entry.arrival_scan
    if scan is None:
        transitions.wait_then_lock(step, 0)
        return
    step.visit = replace(visit, entry=replace(visit.entry, arrival_scan=None))
    lacking = missing_on_route(step.state, visit.route[stage:], visit.delivery)
    answer = AnswerScan(
        scan=scan,
        scanner=visit.scanner,
        answer=ScanAnswer.NO,
        refusal=refusal,
        lacking=lacking if refusal is Refusal.NOT_READY else (),
    )
    step.emit(answer, transitions.NO)


def _refusal(step: Step, stage: int) -> Refusal | None:
    """Return why the closure of this stage may not open now; its own cameras have to see the courier."""
    visit = step.visit
    refusal = may_open(step.state, visit.delivery, step.now, visit.route[stage:])
    if refusal is not None:
        return refusal
    at_stage = replace(step.state, visit=replace(visit, entry=replace(visit.entry, stage=stage)))
    return None if is_filmed(at_stage) and is_courier_seen(at_stage) else Refusal.CAMERA_UNAVAILABLE
