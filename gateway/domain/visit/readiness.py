"""Reports whether the entrance is ready for announced deliveries, before a courier stands at the door.

A low battery does not make the entrance unready: the retailer gets "ready", and the owner learns which battery to
change. For a stop and for a pause the retailer gets the same condition; the household, who set it, gets no message.
While guests stay, no change is reported of a delivery that may not come in now: what still lacks when they leave is
reported then. A check that is due is reported also then, and the household is told what its guests do not explain.
"""

from enum import StrEnum, auto

from devices.reports import BatteryLevel
from gateway.domain.delivery.candidate import VisitDelivery
from gateway.domain.frozen import Frozen, replace
from gateway.domain.now import Now
from gateway.domain.visit.closures.contract import UNKNOWN, Fact, Sensor, sensor_name
from gateway.domain.visit.commands import Notification, NotifyOwner, ReportReadiness
from gateway.domain.visit.conditions import KINDS
from gateway.domain.visit.predicates import (
    batteries_at,
    best_route,
    guest_refusal,
    is_blocked_by_household,
    is_household_present,
    is_passable_by,
    is_unlock_unanswered,
    missing_on_route,
    unmet_conditions,
    walk_test_refuses,
)
from gateway.domain.visit.state import CameraState, Entrance, Phase, Preflight, Timer
from gateway.domain.visit.step import Step
from gateway.domain.visit.views import closure_of, condition_view, fact_of

CLOSED_BY_HOUSEHOLD = "entrance"  # lacking by the household's decision: which and why does not concern a retailer
PRIVATE_CONDITIONS = frozenset(kind.name for kind in KINDS if kind.is_private)


def window_changed(step: Step, *, expecting: bool) -> None:
    """Set whether a window is near; if it is, query every sensor."""
    step.state = replace(step.state, window_near=expecting)
    if expecting:
        _query(step)


def start_preflight(step: Step, delivery: VisitDelivery) -> None:
    """Query, and after the lock's latency report what this delivery lacks, even if it is unchanged."""
    other_preflights = tuple(p for p in step.state.preflights if p.delivery.id != delivery.id)
    before = next((p for p in step.state.preflights if p.delivery.id == delivery.id), Preflight(delivery=delivery))
    new = replace(before, delivery=delivery, report_due=True)
    step.state = replace(step.state, preflights=(*other_preflights, new))
    _query(step)


def facts_changed(step: Step, delivery: VisitDelivery) -> None:
    """Update the order; one that is refused now needs no readiness."""
    watched = (replace(p, delivery=delivery) if p.delivery.id == delivery.id else p for p in step.state.preflights)
    step.state = replace(step.state, preflights=tuple(p for p in watched if p.delivery.refusal is None))


def opening_consumed(step: Step) -> None:
    """Stop watching the visit's delivery if it has no other opening: nobody comes for it again."""
    spent = step.visit.delivery
    if spent.openings_left <= 1:
        watched = (p for p in step.state.preflights if p.delivery.id != spent.id)
        step.state = replace(step.state, preflights=tuple(watched))


def _query(step: Step) -> None:
    step.query_all()
    step.set_timer(Timer.PREFLIGHT, step.state.rules.latency + 1)


def missing_conditions(state: Entrance, delivery: VisitDelivery | None, now: Now) -> tuple[str, ...]:
    """Return what is not proven good for this delivery, or for any. A camera counts only while its ring buffer runs."""
    cameras = _dark_cameras(state) if state.window_near else ()
    seen = condition_view(state, delivery)
    faults = {
        "broker": state.broker_session is None,
        **dict.fromkeys(_missing_on_route(state, delivery), True),
        "disk": not state.disk_ok,
        "clock": not now.trusted,
        **{condition.word_for(seen): True for condition in unmet_conditions(state, delivery)},
        "safe_mode": state.safe_mode,
        "walk_test": walk_test_refuses(state, delivery),
    }
    return (
        *(condition for condition, wrong in faults.items() if wrong),
        *batteries_at(state, BatteryLevel.CRITICAL),
        *cameras,
        *_closed_by_household(state, delivery, now),
    )


class PresentState(StrEnum):
    """What the house would do now with a courier who comes in the window of a delivery."""

    READY = auto()
    LACKING = auto()  # something is not proven good: nothing opens
    HOUSEHOLD = auto()  # somebody of the household is there: the courier rings, and nothing opens
    VISIT = auto()  # a visit is under way: afterwards it is known anew
    ATTENTION = auto()  # the owner must check the door first


class PresentReadiness(Frozen):
    """Whether the entrance is ready at this moment, and what it lacks if it is not."""

    is_now: PresentState
    lacking: tuple[str, ...] = ()  # the words of `missing_conditions`


def present_readiness(state: Entrance, delivery: VisitDelivery, now: Now) -> PresentReadiness:
    """Return whether the entrance is ready at this moment for a delivery, by what is known of it now.

    A report of `settle` may be some time old; this is what a page shows beside the present state of the door.
    """
    visit = state.visit
    if state.incident is not None or (visit is not None and visit.phase is Phase.HANDED_TO_OWNER):
        return PresentReadiness(is_now=PresentState.ATTENTION)
    if visit is not None:
        return PresentReadiness(is_now=PresentState.VISIT)
    if state.stopped:
        return PresentReadiness(is_now=PresentState.LACKING, lacking=(CLOSED_BY_HOUSEHOLD,))
    if is_household_present(state, now):
        return PresentReadiness(is_now=PresentState.HOUSEHOLD)
    lacking = missing_conditions(state, delivery, now)
    return PresentReadiness(is_now=PresentState.LACKING if lacking else PresentState.READY, lacking=lacking)


def _missing_on_route(state: Entrance, delivery: VisitDelivery | None) -> tuple[str, ...]:
    """Return what the closures lack; one that may still obey a command lacks what its opening queries."""
    route = best_route(state, delivery)
    held = tuple(
        sensor_name(ident, role)
        for ident in route
        if is_unlock_unanswered(state, ident)
        for role in closure_of(state.rules, ident).opening().invalidate[:1]
    )
    return tuple(dict.fromkeys((*held, *missing_on_route(state, route, delivery))))


def unavailable_devices(state: Entrance) -> frozenset[str]:
    """Return the sensors and the cameras ("camera:NAME") that would refuse a delivery by themselves.

    These are a sensor that proves nothing, and a camera without live pictures. A sensor that reports what is known to
    be bad does not count: it answers, and the household uses the door.
    """
    offline = state.broker_session is None
    silent = (
        name
        for name, _, _, sensor in state.rules.sensors
        if sensor.detects_passage and (offline or _is_silent(fact_of(state, name), sensor))
    )
    return frozenset((*silent, *_dark_cameras(state)))


def _is_silent(fact: Fact, sensor: Sensor) -> bool:
    is_bad_news = fact.value != UNKNOWN and fact.value not in sensor.needs_answer | sensor.vague
    return not (fact.proven or is_bad_news)


def _dark_cameras(state: Entrance) -> tuple[str, ...]:
    return tuple(f"camera:{name}" for name in state.rules.cameras if not state.cameras.get(name, CameraState()).live)


def _closed_by_household(state: Entrance, delivery: VisitDelivery | None, now: Now) -> tuple[str, ...]:
    is_blocked = delivery is not None and is_blocked_by_household(state, delivery, now)
    return (CLOSED_BY_HOUSEHOLD,) if is_blocked else ()


def settle(step: Step) -> None:
    """Send due reports; while a window is near, also changes: improvements at once, losses once they last."""
    live = [p for p in step.state.preflights if step.now.utc < p.delivery.end]
    if len(live) < len(step.state.preflights):
        step.state = replace(step.state, preflights=tuple(live))
    if not live:
        step.clear_timers(Timer.PREFLIGHT)
        return
    visit = step.state.visit
    if visit is not None and visit.phase is not Phase.HANDED_TO_OWNER:
        if step.timer_expired(Timer.PREFLIGHT):  # a door that a visit opened is no fault of the entrance
            step.set_timer(Timer.PREFLIGHT, step.state.rules.timing.probe)
        return
    _report_blocked_by_household(step)
    if step.timer_expired(Timer.PREFLIGHT):
        step.clear_timers(Timer.PREFLIGHT)
        for preflight in step.state.preflights:
            _report(step, preflight)
    elif step.state.window_near and not step.timer_is_set(Timer.PREFLIGHT):
        _report_change(step)


def _report_blocked_by_household(step: Step) -> None:
    """Report a begun or ended stop or pause without new queries, beside the conditions last reported."""
    for preflight in step.state.preflights:
        if preflight.lacking is not None:
            lacks = (
                *_owner_conditions(preflight.lacking),
                *_closed_by_household(step.state, preflight.delivery, step.now),
            )
            if lacks != preflight.lacking:
                step.emit(
                    ReportReadiness(delivery=preflight.delivery.id, lacking=_public_conditions(step.state, lacks))
                )
                _replace_preflight(step, preflight, replace(preflight, lacking=lacks))


def _report_change(step: Step) -> None:
    for preflight in step.state.preflights:
        if guest_refusal(step.state, preflight.delivery, step.now) is not None:
            continue
        now_lacking = missing_conditions(step.state, preflight.delivery, step.now)
        if now_lacking == preflight.lacking:
            continue
        if not now_lacking:
            _report(step, preflight)
        else:
            _query(step)
            return


def _report(step: Step, preflight: Preflight) -> None:
    state, promised = step.state, preflight.delivery
    now_lacking, before = missing_conditions(state, promised, step.now), preflight.lacking
    is_held = guest_refusal(state, promised, step.now) is not None
    if not preflight.report_due and (is_held or now_lacking == before):
        return
    step.emit(ReportReadiness(delivery=promised.id, lacking=_public_conditions(state, now_lacking)))
    weak = batteries_at(state, BatteryLevel.LOW)
    explained = _explained_by_guests(state, promised) if is_held else frozenset()
    known = _owner_conditions(before or ())
    news = tuple(word for word in _owner_conditions(now_lacking) if word not in explained)
    if (news and news != known) or set(weak) - set(preflight.batteries_to_change):
        detail = ", ".join((*news, *weak))
        step.emit(NotifyOwner(notification=Notification.NOT_READY, delivery=promised.id, detail=detail))
    elif known and not now_lacking:
        step.emit(NotifyOwner(notification=Notification.READY_AGAIN, delivery=promised.id))
    if is_held:  # what the household was not told now is compared again when the guests have left
        now_lacking = (*(news or known), *_closed_by_household(state, promised, step.now))
    _replace_preflight(
        step, preflight, replace(preflight, lacking=now_lacking, batteries_to_change=weak, report_due=False)
    )


def _explained_by_guests(state: Entrance, delivery: VisitDelivery) -> frozenset[str]:
    """Return the conditions that are missing because guests stay: cameras are off, and they use the closures."""
    used = tuple(ident for ident in best_route(state, delivery) if is_passable_by(state, (ident,)))
    return frozenset((*_dark_cameras(state), *missing_on_route(state, used, delivery)))


def _replace_preflight(step: Step, before: Preflight, after: Preflight) -> None:
    step.state = replace(step.state, preflights=tuple(after if p is before else p for p in step.state.preflights))


def _public_conditions(state: Entrance, lacking: tuple[str, ...]) -> tuple[str, ...]:
    """Return what a retailer may know: neither who is home, nor that the household is out with its car."""
    of_household = {sensor_name(one.id, word) for one in state.rules.closures for word in one.household_words}
    private = PRIVATE_CONDITIONS | of_household
    return tuple(dict.fromkeys(CLOSED_BY_HOUSEHOLD if name in private else name for name in lacking))


def _owner_conditions(lacking: tuple[str, ...]) -> tuple[str, ...]:
    """Return the conditions that the household does not know by itself."""
    return tuple(condition for condition in lacking if condition != CLOSED_BY_HOUSEHOLD)
