"""A yes for each opening, and the end of a robot's visit: a supervisor decides, and the robot says that it left.

A yes holds for one closure, once, and not for long. Silence, an old yes and a yes to another opening open nothing.
"""

from gateway.domain.frozen import replace
from gateway.domain.now import Now
from gateway.domain.visit import scan
from gateway.domain.visit.commands import AlarmCode
from gateway.domain.visit.events import HolderLeft, HolderStrayed, OpeningDecided
from gateway.domain.visit.state import BETWEEN_INTENTS, Entrance, Permit, Phase, Visit
from gateway.domain.visit.step import Step


def is_awaiting_permit(step: Step, closure: str) -> bool:
    """Return whether the opening of this closure still needs a yes that counts now."""
    return step.visit.delivery.yes_each and not is_permitted(step.visit, closure, step.now)


def is_permitted(visit: Visit, closure: str, now: Now) -> bool:
    """Return whether an unused yes to the opening of this closure counts now."""
    permit = visit.consent.permits.get(closure)
    return permit is not None and now.mono < permit.until


def question(state: Entrance) -> str | None:
    """Return the closure about whose opening a supervisor may decide now; None: there is no such question.

    It is asked from the ringing on, so that nobody has to hurry, and between two closures.
    """
    visit = state.visit
    if visit is None or not visit.delivery.yes_each or visit.phase not in BETWEEN_INTENTS:
        return None
    return visit.route[visit.entry.stage + (visit.phase is Phase.ADVANCING)]


def on_decision(step: Step, event: OpeningDecided) -> None:
    """Take a decision over. A yes counts only for the opening that is in question; a no at any moment."""
    visit = step.state.visit
    if visit is None or visit.id != event.visit or not visit.delivery.yes_each:
        return
    consent, has_intent = visit.consent, visit.unlock_intent
    if not event.yes:
        approved = consent.approved if has_intent else False
        consent = replace(consent, approved=approved, permits={}, stopped=consent.stopped or has_intent)
    elif event.closure == question(step.state) and not consent.stopped and consent.approved is not False:
        yes_life_s = step.state.rules.timing.yes_life
        age_s = max(0.0, (step.now.utc - event.issued).total_seconds())
        left_s = min(yes_life_s - age_s, (event.expires - step.now.utc).total_seconds())
        permit = Permit(until=step.now.mono + left_s, message_sha256=event.message_sha256)
        consent = replace(consent, permits={**consent.permits, event.closure: permit})
    step.visit = replace(visit, consent=consent)


def owner_looked(visit: Visit) -> Visit:
    """Return the visit after its owner looked after the door: no robot stands in the way any longer."""
    return replace(visit, holder_left=visit.robot is not None)


def on_robot_strayed(step: Step, event: HolderStrayed) -> None:
    """Record whether it is unknown where the robot of this visit is; if it may be inside, raise the alarm.

    The record outlives a restart. The alarm does not wait for the robot's next state, in which it may be fit again.
    """
    visit = step.state.visit
    if visit is None or visit.robot != event.holder or visit.holder_left:
        return
    visit = step.visit = replace(visit, holder_astray=event.is_astray)
    if event.is_astray and visit.awaits_exit:
        step.alarm_once(AlarmCode.ROBOT_STRANDED)


def on_robot_left(step: Step, event: HolderLeft) -> None:
    """Record that the robot of this visit left; what it carries away was not delivered.

    The report does not count while it is unknown where the robot is, or while a sensor shows that something still
    stands in the way. It then comes again.
    """
    visit = step.state.visit
    if visit is None or visit.robot != event.holder or visit.holder_left or visit.holder_astray:
        return
    scan.courier_reports_left(step)
    if step.visit.courier_left:
        step.visit = replace(step.visit, holder_left=True, parcels=step.visit.parcels - event.carries)
