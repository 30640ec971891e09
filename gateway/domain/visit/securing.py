"""Secures what a visit opened: each closure by its own procedure, in the reverse order of the route.

Each closure gets three tries, then the owner has to look after it. At the end all of them must be secured at once; one
that is not is secured again. `lock_request` and `safemode` run the same procedures under rules of their own.
"""

from gateway.domain.frozen import replace
from gateway.domain.visit import procedure, transitions
from gateway.domain.visit.closures.contract import Move, Next, Pause, ProcedureRun, Verdict
from gateway.domain.visit.commands import AlarmCode, Notification, RaiseAlarm, ShowSignal
from gateway.domain.visit.state import Once, Securing, Timer
from gateway.domain.visit.step import Step
from gateway.domain.visit.views import condition_view


def settle(step: Step) -> None:
    """Go one step on if its condition is true or its time is over."""
    if _is_opened_again(step):
        return
    if step.visit.securing.is_waiting and _is_waiting(step):
        return
    step.clear_timers(Timer.RELOCK)
    if step.state.broker_session is None:
        _without_broker(step)
        return
    step.clear_timers(Timer.OUTAGE)
    securing = step.visit.securing
    if securing.is_waiting and securing.run.tries >= step.state.rules.tries:
        transitions.hand_over_to_owner(step, AlarmCode.NOT_LOCKED)
        return
    if securing.is_waiting:
        _begin_try(step)
    _advance(step)


def _is_opened_again(step: Step) -> bool:
    """Go on inside if a private closure stands open; the next opening of a street door is anybody's."""
    for stage in reversed(range(len(step.visit.route))):
        closure = step.closure(step.visit.route[stage])
        if closure.is_private and closure.opened(step.view(closure)):
            transitions.begin_inside(step, stage)
            return True
    if step.visit.awaits_exit:
        transitions.begin_inside(step)
        return True
    return False


def _is_waiting(step: Step) -> bool:
    return step.timer_is_set(Timer.RELOCK) and not step.timer_expired(Timer.RELOCK) and not step.is_stopped


def _without_broker(step: Step) -> None:
    """Suspend the securing without a broker: tries count only while connected, and all is queried again afterwards."""
    securing = step.visit.securing
    if not securing.is_waiting:
        # Else a broker that keeps reconnecting would delay the hand-over
        is_refunded = securing.refunded < step.state.rules.tries
        run = ProcedureRun(tries=securing.run.tries - is_refunded)
        refunded = securing.refunded + is_refunded
        step.visit = replace(step.visit, securing=replace(securing, is_waiting=True, run=run, refunded=refunded))
        step.clear_timers(Timer.ANSWER)
    if not step.timer_is_set(Timer.OUTAGE):
        step.set_timer(Timer.OUTAGE, step.state.rules.timing.outage)
    elif step.timer_expired(Timer.OUTAGE):
        transitions.hand_over_to_owner(step, AlarmCode.NOT_LOCKED)


def _in_order(step: Step) -> tuple[str, ...]:
    """Return what the visit ordered open, and what a key may have opened; the innermost first."""
    ordered = step.visit.entry.ordered_at
    return tuple(ident for ident in reversed(step.visit.route) if ident in ordered or not step.is_ordered(ident))


def _begin_try(step: Step) -> None:
    securing = step.visit.securing
    closure = _in_order(step)[0] if securing.closure is None else securing.closure
    run = ProcedureRun(tries=securing.run.tries + 1)
    securing = replace(securing, is_waiting=False, closure=closure, run=run)
    step.visit = replace(step.visit, securing=securing, refused=False, jammed=False)


def _advance(step: Step) -> None:
    result = _next_move(step)
    match result:
        case Move(ends_delivery=True):
            _end_delivery(step)
        case Verdict.DONE:
            _go_to_next(step)
        case Verdict.AGAIN | Pause():
            _try_again(step, result)
        case _:
            pass


def _next_move(step: Step) -> Next:
    visit = step.visit
    closure = step.closure(visit.securing.closure or visit.route[0])
    before = visit.securing.run.reported(refused=visit.refused, jammed=visit.jammed)
    runner = procedure.Runner(timer=Timer.ANSWER, ident=visit.id, command_valid_until=visit.entry.command_valid_until)
    run, result = procedure.advance(step, closure, closure.secure, before, runner)
    if run is not visit.securing.run:
        securing = replace(visit.securing, run=run)
        step.visit = replace(step.visit, securing=securing, refused=run.refused, jammed=run.jammed)
    return result


def _end_delivery(step: Step) -> None:
    """Record the parcels' result: nothing more is carried in, and the result does not wait for what follows."""
    seen = condition_view(step.state, step.visit.delivery)
    for condition in step.state.rules.conditions:
        step.alarm_once(condition.left_wrong(seen))
    transitions.record_outcome_if_opened(step)


def _go_to_next(step: Step) -> None:
    """Go to the closure before this one; at the end all of them must still be secured."""
    order = _in_order(step)
    left = order[order.index(step.visit.securing.closure or order[0]) + 1 :]
    unsecured = [ident for ident in order if not step.closure(ident).secured(step.view(step.closure(ident)))]
    if not left and not unsecured:
        transitions.enter_locked_again(step)
        return
    step.clear_timers(Timer.ANSWER)
    following = left[0] if left else unsecured[0]
    securing = Securing(closure=following, refunded=step.visit.securing.refunded)
    step.visit = replace(step.visit, securing=securing, jammed=False)


def _try_again(step: Step, result: Next) -> None:
    if step.visit.jammed and not step.notified_once(Once.JAM):
        step.emit(RaiseAlarm(code=AlarmCode.LOCK_JAMMED, closure=step.named(step.visit.securing.closure)))
    if step.visit.securing.run.tries >= step.state.rules.tries:
        transitions.hand_over_to_owner(step, AlarmCode.NOT_LOCKED)
    elif isinstance(result, Pause):
        _wait_for_somebody(step, result)
    else:
        _begin_try(step)
        _advance(step)


def _wait_for_somebody(step: Step, pause: Pause) -> None:
    """Ask the person at the closure to do something first, and notify the owner."""
    prompt = pause.prompt
    step.emit(ShowSignal(light=prompt.light, sound=prompt.sound))
    if prompt.notification is not None and not step.notified_once(Once.PROMPT):
        closure = step.visit.securing.closure
        step.notify_of_visit(Notification(prompt.notification), picture=True, closure=closure)
    securing = replace(step.visit.securing, is_waiting=True)
    step.visit = replace(step.visit, securing=securing, jammed=False)
    step.clear_timers(Timer.ANSWER)
    step.set_timer(Timer.RELOCK, pause.within_s)
