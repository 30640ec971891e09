"""The rules while a closure is open: never secure against a person, and wait until it stays closed."""

from gateway.domain.frozen import replace
from gateway.domain.visit import commands as c
from gateway.domain.visit import procedure, transitions
from gateway.domain.visit.closures.contract import START, Move, Overdue, ProcedureRun, Verdict
from gateway.domain.visit.commands import AlarmCode
from gateway.domain.visit.state import Once, Phase, Timer
from gateway.domain.visit.step import Step

EXIT_REMINDERS = 2  # reminders while a robot does not report that it left; then the owner has to look


def settle(step: Step) -> None:
    """Show the prompt, notify, raise the alarm, and wait until the closure is closed and stays so; never lock."""
    if _is_further_in(step):
        return
    if step.here.id in step.state.rules.closures_with_close:
        _close(step)
    if step.visit.phase is not Phase.INSIDE or _is_handed_over(step):
        return
    state, closure = step.state, step.here
    seen = step.view(closure)
    closed_since = closure.closed_since(seen)
    if step.is_stopped and closure.opened(seen) and not step.notified_once(Once.STOP):
        step.emit(transitions.LEAVE, c.RaiseAlarm(code=AlarmCode.STOPPED_INSIDE, closure=step.named(closure.id)))
        step.notify_of_visit(c.Notification.STOPPED_INSIDE, picture=True)
    elif step.timer_expired(Timer.OPEN_LONG) and step.visit.awaits_exit and step.visit.reminders >= EXIT_REMINDERS:
        transitions.hand_over_to_owner(step, AlarmCode.ROBOT_STRANDED)
    elif step.timer_expired(Timer.OPEN_LONG):
        _notify_open_too_long(step, is_closed=closed_since is not None and not step.visit.awaits_exit)
    elif closed_since is None or (step.visit.awaits_exit and not _leads_on(step)):
        step.clear_timers(Timer.STABLE)
    elif not step.timer_is_set(Timer.STABLE):
        step.set_timer(Timer.STABLE, max(0.0, closed_since + state.rules.timing.stable - step.now.mono))
    elif step.timer_expired(Timer.STABLE):
        _on_closed(step, step.now.mono - closed_since)


def _is_further_in(step: Step) -> bool:
    """Continue at a door that the key opens, behind this closure, if it stands open."""
    for stage in range(step.visit.entry.stage + 1, len(step.visit.route)):
        closure = step.closure(step.visit.route[stage])
        if not closure.opening().is_ordered and closure.opened(step.view(closure)):
            transitions.begin_inside(step, stage)
            return True
    return False


def _on_closed(step: Step, closed_for_s: float) -> None:
    """Continue with the next closure; at the innermost, or on the way back, secure everything."""
    if _leads_on(step):
        transitions.begin_advancing(step)
    else:
        transitions.wait_then_lock(step, max(0.0, step.state.rules.timing.relock - closed_for_s))


def _leads_on(step: Step) -> bool:
    """Return whether the way leads on to a closure that the box opens, and nobody was there yet."""
    following = step.visit.route[step.visit.entry.stage + 1 :]
    is_innermost = not any(step.is_ordered(ident) for ident in following)
    was_further_in = any(ident in step.visit.entry.ordered_at for ident in following)
    return not (is_innermost or was_further_in or step.is_stopped)


def _close(step: Step) -> None:
    """Make the next move with which the box itself closes a closure, such as a garage door."""
    visit, closure = step.visit, step.here
    runner = procedure.Runner(timer=Timer.CLOSE, ident=visit.id)
    run, result = procedure.advance(step, closure, closure.close, visit.closing, runner)
    if result is Verdict.GIVE_UP:
        transitions.hand_over_to_owner(step, closure.overdue(step.view(closure)).alarm)
    elif result is Verdict.NOTHING and run.step != START:
        step.visit = replace(visit, closing=ProcedureRun(tries=run.tries))
        step.clear_timers(Timer.CLOSE)
        if closure.opened(step.view(closure)):
            step.emit(transitions.INSIDE)
    elif isinstance(result, Move):
        step.visit = replace(visit, closing=run)


def _is_handed_over(step: Step) -> bool:
    """Find out whether something is wrong with the open closure; then hand it over and return True."""
    visit, closure = step.visit, step.here
    runner = procedure.Runner(timer=Timer.AIR, ident=visit.id)
    run, result = procedure.advance(step, closure, closure.detect, visit.detecting, runner)
    if isinstance(result, AlarmCode):
        transitions.hand_over_to_owner(step, result)
        return True
    if result is Verdict.NOTHING:
        run = ProcedureRun()
        step.clear_timers(Timer.AIR)
    if run != visit.detecting:
        step.visit = replace(step.visit, detecting=run)
    return False


def _notify_open_too_long(step: Step, *, is_closed: bool) -> None:
    """Show it on the signal first, then notify the owner repeatedly."""
    visit, overdue = step.visit, step.here.overdue(step.view(step.here))
    if not is_closed:
        light = transitions.INSIDE.light
        prompt = c.ShowSignal(light=light, sound=overdue.sound)
        step.emit(transitions.LEAVE if Once.STOP in visit.notified else prompt)
        if visit.reminders:
            step.emit(c.RaiseAlarm(code=overdue.alarm, detail=visit.holder, closure=step.named(step.here.id)))
            step.notify_of_visit(overdue.notification, picture=True, closure=step.here.id)
        step.visit = replace(visit, reminders=visit.reminders + 1)
    step.set_timer(Timer.OPEN_LONG, step.state.rules.timing.open_again)


def settle_behind(step: Step) -> None:
    """Send reminders about a closure that stands open behind the courier: a key that is out stays due."""
    visit = step.state.visit
    if visit is None or visit.phase is not Phase.INSIDE:
        if visit is None or visit.phase is not Phase.RELOCKING:
            step.clear_timers(Timer.OVERDUE)
        return
    due = [(limit, one) for one in _overdue_behind(step) if (limit := one[1].limit_s) is not None]
    if not due:
        step.clear_timers(Timer.OVERDUE)
    elif not step.timer_is_set(Timer.OVERDUE):
        step.set_timer(Timer.OVERDUE, min(limit for limit, _ in due))
    elif step.timer_expired(Timer.OVERDUE):
        for _, (closure, overdue) in due:
            step.emit(c.RaiseAlarm(code=overdue.alarm, detail=visit.holder, closure=step.named(closure)))
            step.notify_of_visit(overdue.notification, closure=closure)
        step.set_timer(Timer.OVERDUE, step.state.rules.timing.open_again)


def _overdue_behind(step: Step) -> list[tuple[str, Overdue]]:
    """Return what follows for each closure that stands open behind the courier, with its id."""
    behind = [step.closure(ident) for ident in step.visit.entry.ordered_at if ident != step.here.id]
    return [(closure.id, closure.overdue(seen)) for closure in behind if closure.opened(seen := step.view(closure))]
