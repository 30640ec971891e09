"""Who used the door when no visit explains it: the household, somebody unexpected, or the courier on his way out."""

from devices.reports import Bolt, Door, LockReport, Source
from gateway.domain.frozen import replace
from gateway.domain.visit import events as e
from gateway.domain.visit import film, presence
from gateway.domain.visit.commands import Alarm, AlarmCode, Note, StopFilm
from gateway.domain.visit.rules import (
    OPEN,
    WITHDRAWN,
    before_intent,
    closed,
    door_open,
    explained,
    household_again,
    locked,
    unlock_unanswered,
)
from gateway.domain.visit.state import Phase, Why
from gateway.domain.visit.step import Step

# Nobody touched the door when a lock bolts itself by its own timer.
UNATTENDED = frozenset({Source.AUTO, Source.SCHEDULE})
# A person who is not our own command: at the door, or in the maker's app.
HANDS = frozenset(
    {Source.MANUAL, Source.KEYPAD, Source.BUTTON, Source.RFID, Source.BIOMETRIC, Source.PROPRIETARY_REMOTE}
)


def bolt_moved(step: Step, before: Bolt, event: e.LockHeard) -> None:
    """Judge a bolt's new position: by the household, by a visit, or by nobody we know.

    A report that only repeats what was known says nothing of who moved it.
    """
    report = event.report
    if report.bolt is Bolt.UNKNOWN or report.bolt is before:
        return
    hand = _by_hand(step, report)
    if report.bolt in WITHDRAWN:
        step.state = replace(step.state, by_hand=hand)
        if not hand and before not in WITHDRAWN:
            _unlock_obeyed(step)
    elif report.source in UNATTENDED or _told_to_lock(step):
        return
    if explained(step.state) and not (hand and household_again(step.state)):
        return
    if not hand:
        if report.bolt in WITHDRAWN and before not in WITHDRAWN:
            begin_incident(step, AlarmCode.UNEXPECTED_UNLOCK)
    elif _seen_moving(before, event):
        _used_by_hand(step, unlocked=report.bolt in WITHDRAWN)


def _unlock_obeyed(step: Step) -> None:
    """The bolt moved and no hand is known to have done it: the unlock of the running visit has its answer.

    Once the door was proven locked again it comes late, and is alarmed. The watch after a visit sees to its own.
    """
    if step.state.visit is None:
        return
    if step.visit.phase is Phase.LOCKED_AGAIN:
        step.say(Alarm(code=AlarmCode.LATE_UNLOCK))
    step.visit = replace(step.visit, unanswered=False)


def _told_to_lock(step: Step) -> bool:
    """A lock-up of ours moves the bolt: no hand did."""
    lockup = step.state.lockup
    return lockup is not None and lockup.sent and lockup.result is None


def _seen_moving(before: Bolt, event: e.LockHeard) -> bool:
    """A bolt found so after a break, or found locked when asked, was moved nobody knows when."""
    asked = event.heard.answers is not None
    if before is Bolt.UNKNOWN:
        return not asked and event.report.source is not Source.UNSPECIFIED
    return not asked or event.report.bolt in WITHDRAWN


def _by_hand(step: Step, report: LockReport) -> bool:
    """A named user or the maker's app is the household too; a lock that names no source is, unless all are away.

    While an unlock of ours may still act, only a source that is known to be a hand is one.
    """
    if unlock_unanswered(step.state):
        return report.source in HANDS
    if report.user is not None:
        return True
    if report.source is Source.UNSPECIFIED:
        return not presence.away(step.state)
    return report.source is not Source.REMOTE


def _used_by_hand(step: Step, *, unlocked: bool) -> None:
    step.state = replace(step.state, by_hand_at=step.now.mono)
    if before_intent(step.state):
        step.visit = replace(step.visit, attended=True)
    if unlocked and presence.away(step.state):
        step.say(Alarm(code=AlarmCode.HAND_USE_WHILE_AWAY))
    elif unlocked:
        step.say(Note(what="household_use"))


def door_moved(step: Step, before: Door, heard: e.Heard) -> None:
    """Judge a door's new position. A door that opens while the bolt is locked is asked about before it is forced.

    A door that is found closed when asked was closed nobody knows when.
    """
    by_hand = step.state.by_hand and step.state.bolt.value in WITHDRAWN
    if explained(step.state) and not (by_hand and household_again(step.state)):
        return
    opens = before is Door.CLOSED and door_open(step.state)
    closes = before in OPEN and step.state.door.value is Door.CLOSED and heard.answers is None
    if opens and step.state.bolt.value is Bolt.LOCKED:
        step.doubt("lock")
        step.ask("lock")
        step.arm(Why.FORCED, step.state.rules.latency + 1)
    elif opens or closes:
        step.state = replace(step.state, by_hand_at=step.now.mono)


def begin_incident(step: Step, code: AlarmCode) -> None:
    """Alarm, and film as an incident of its own until all is proven good or its time is over."""
    step.say(Alarm(code=code))
    if step.state.incident is None:
        ident = f"incident-{step.now.utc:%Y%m%d-%H%M%S}-{step.state.question}"
        step.state = replace(step.state, incident=ident)
        film.begin(step, ident, 1)
    step.arm(Why.INCIDENT, step.state.rules.timing.incident)


def settle_incident(step: Step) -> None:
    """A suspicion becomes an incident when its time is over; an incident ends when all is proven good."""
    if step.passed(Why.FORCED):
        step.disarm(Why.FORCED)
        unexplained = step.state.bolt.value is Bolt.LOCKED and not explained(step.state)
        if unexplained and door_open(step.state):
            begin_incident(step, AlarmCode.DOOR_FORCED_OPEN)
    if step.state.incident is None:
        return
    proven_good = locked(step.state) and closed(step.state) and not step.state.safe_mode
    if proven_good or step.passed(Why.INCIDENT):
        step.say(StopFilm(visit=step.state.incident, part=1, keep=True))
        step.state = replace(step.state, incident=None)
        step.disarm(Why.INCIDENT)
