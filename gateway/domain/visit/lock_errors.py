"""A lock that says why it did not do what it was told.

Its word proves nothing of the bolt: a radio's "timeout" comes of a lock that may have moved all the same, and a late
copy may still arrive. So it only makes the question come at once, instead of after the lock's latency, and tells the
owner the reason. An unlock is never sent again for it; locking has the three tries that it has anyway.
"""

from devices.reports import Failure
from gateway.domain.frozen import replace
from gateway.domain.visit import transitions
from gateway.domain.visit.commands import Alarm, AlarmCode
from gateway.domain.visit.events import LockFailed
from gateway.domain.visit.rules import locked
from gateway.domain.visit.state import Lockup, Phase, Refusal, Relock, Visit, Why
from gateway.domain.visit.step import Step

# The lock, or its guard, refused the command and keeps nothing of it. Of the other failures (unspecified, unreachable,
# timeout) a radio speaks that got no answer: it may have the command in its queue.
NOT_KEPT = frozenset(Failure) - {Failure.UNSPECIFIED, Failure.UNREACHABLE, Failure.TIMEOUT, Failure.REPEATED}

WAITING = (Relock.BOLT_MOVES, Relock.BOLT_ANSWERS)


def heard(step: Step, event: LockFailed) -> None:
    """The lock names a reason. Of an order that nobody waits for, and of a copy of an obeyed one, it tells nothing."""
    if event.failure is Failure.REPEATED:
        return
    visit, lockup = step.state.visit, step.state.lockup
    if visit is not None and _of(event, visit.id) and _waits(visit):
        if not visit.refusal_told:
            _tell(step, event.failure)
        if event.failure in NOT_KEPT and visit.phase is Phase.UNLOCKING:
            step.visit = replace(step.visit, unanswered=False)
        at_once = visit.phase is Phase.UNLOCKING or visit.relock is Relock.BOLT_MOVES
        step.visit = replace(step.visit, refused=at_once, refusal_told=True)
    elif lockup is not None and _of(event, lockup.id) and _moves(lockup):
        _tell(step, event.failure)
        step.state = replace(step.state, lockup=replace(lockup, refused=True))


def _tell(step: Step, failure: Failure) -> None:
    step.say(Alarm(code=AlarmCode.LOCK_REFUSED, detail=failure.value))


def _of(event: LockFailed, order: str) -> bool:
    """Whether it may speak of this order; most locks do not say of which."""
    return event.command is None or event.command == order or event.command.startswith(f"{order}-lock-")


def _waits(visit: Visit) -> bool:
    """Whether an order of the visit is on its way."""
    return visit.phase is Phase.UNLOCKING or (visit.phase is Phase.RELOCKING and visit.relock in WAITING)


def _moves(lockup: Lockup) -> bool:
    return lockup.result is None and lockup.at is Relock.BOLT_MOVES and not lockup.refused


def unlocking(step: Step) -> bool:
    """An unlock was refused: ask at once; "locked" ends the waiting, silence ends it as ever. Whether it acted."""
    visit = step.visit
    if not visit.refused:
        return False
    if not visit.asked:
        step.ask("lock")
        step.visit = replace(visit, asked=True)
        step.arm(Why.ANSWER, step.state.rules.latency)
        return True
    if locked(step.state):
        step.visit = replace(visit, refused=False)
        transitions.give_up(step, Refusal.NOT_READY)
        return True
    return False
