"""Pure queries on the state of an entrance. An unknown value never counts as good."""

from collections.abc import Collection, Iterator
from datetime import datetime

from devices.reports import BatteryLevel, BatteryReport
from gateway.domain.delivery.candidate import VisitDelivery
from gateway.domain.delivery.result import Refusal
from gateway.domain.now import Now
from gateway.domain.visit.closures import AnyClosure
from gateway.domain.visit.closures.contract import sensor_name
from gateway.domain.visit.conditions import AnyCondition
from gateway.domain.visit.conditions.contract import Household
from gateway.domain.visit.state import (
    BEFORE_INTENT,
    WALK_TEST,
    CameraState,
    Entrance,
    Holder,
    KeeperCode,
    PausePeriod,
    Rules,
    StayPeriod,
    Timer,
)
from gateway.domain.visit.views import (
    closure_of,
    condition_view,
    contested_view,
    fact_of,
    household_is,
    view,
)

TOO_BIG = "too_big"
CRITICAL_BATTERY_PERCENT = 10  # percent: such a battery may withdraw the bolt and not throw it again


def are_all_secured(state: Entrance) -> bool:
    """Return whether every closure is proven closed and holding; only this may be shown as locked."""
    return all(closure.secured(view(state, closure)) for closure in state.rules.closures)


def are_private_secured(state: Entrance) -> bool:
    """Return whether every closure that bars this home alone is proven secured."""
    return all(closure.secured(view(state, closure)) for closure in _private_closures(state))


def is_open(state: Entrance) -> bool:
    """Return whether a private closure was last seen open; bad news needs no proof."""
    return any(closure.opened(view(state, closure)) for closure in _private_closures(state))


def is_in_use(state: Entrance) -> bool:
    """Return whether a private closure stands open because somebody of the household is there."""
    return any(closure.in_use(view(state, closure)) for closure in _private_closures(state))


def unsecured_closures(state: Entrance, among: Collection[str] | None = None) -> tuple[str, ...]:
    """Return the private closures that hold nobody off by their newest report. `among`: only of these."""
    found = (closure for closure in _private_closures(state) if among is None or closure.id in among)
    return tuple(closure.id for closure in found if closure.unsecured(view(state, closure)))


def is_passable_by(state: Entrance, among: Collection[str]) -> bool:
    """Return whether somebody may come in or out by one of these: a private closure is unsecured or stands open."""
    return any(
        closure.id in among and (closure.unsecured(seen) or closure.opened(seen))
        for closure in _private_closures(state)
        for seen in (view(state, closure),)
    )


def _private_closures(state: Entrance) -> Iterator[AnyClosure]:
    return (closure for closure in state.rules.closures if closure.is_private)


def unproven_sensors(state: Entrance) -> tuple[str, ...]:
    """Return the sensors whose value is not proven good, without those that `aging` queries."""
    return tuple(
        name
        for name, _, _, sensor in state.rules.sensors
        if sensor.is_probed
        and sensor.max_age_s is None
        and not ((fact := fact_of(state, name)).proven and fact.value in sensor.needs_answer)
    )


def routes_to(state: Entrance, delivery: VisitDelivery | None) -> tuple[tuple[str, ...], ...]:
    """Return the routes to the delivery's place, the preferred one first."""
    every_closure = (tuple(closure.id for closure in state.rules.closures),)
    return every_closure if delivery is None else state.rules.routes.get(delivery.place, every_closure)


def missing_on_route(state: Entrance, route: Collection[str], delivery: VisitDelivery | None = None) -> tuple[str, ...]:
    """Return why the closures of a route may not be opened, in their own words: `lock`, `street/door`."""
    found: list[str] = []
    for ident in route:
        closure = closure_of(state.rules, ident)
        words = closure.not_ready(contested_view(state, closure))
        if delivery is not None and delivery.dimensions is not None and not closure.fits(delivery.dimensions):
            words = (*words, TOO_BIG)
        found.extend(sensor_name(ident, word) for word in words)
    return tuple(found)


def best_route(state: Entrance, delivery: VisitDelivery | None) -> tuple[str, ...]:
    """Return the first route that lacks nothing, or the first of all."""
    routes = routes_to(state, delivery)
    return next((route for route in routes if not missing_on_route(state, route, delivery)), routes[0])


def requires_film(state: Entrance) -> bool:
    """Return whether a film belongs to the proof of the running visit, or of any if none runs."""
    return state.rules.is_filmed and (state.visit is None or state.visit.delivery.errand.is_filmed)


def is_filmed(state: Entrance) -> bool:
    """Return whether every required camera is live and its running clip is on disk.

    Where the proof needs no film, an entrance without cameras counts as filmed, and so does a visit without a film.
    """
    if state.visit is not None and not state.visit.recording.is_filmed:
        return not requires_film(state)
    cameras = [state.cameras.get(name, CameraState()) for name in state.rules.cameras]
    return (bool(cameras) or not state.rules.is_filmed) and all(camera.live and camera.recording for camera in cameras)


def courier_cameras(state: Entrance) -> tuple[str, ...]:
    """Return the cameras that have to see the courier where he stands now."""
    seen = tuple(name for name, sees_courier in state.rules.cameras.items() if sees_courier)
    visit = state.visit
    return seen if visit is None else state.rules.watched_by.get(visit.route[visit.entry.stage], seen)


def is_courier_seen(state: Entrance) -> bool:
    """Return whether all is filmed, with moving pictures where the courier is: a dark empty hall is not a fault."""
    if state.visit is not None and not state.visit.recording.is_filmed:
        return is_filmed(state)
    return is_filmed(state) and all(state.cameras[name].moving for name in courier_cameras(state))


def has_unlock_intent(state: Entrance) -> bool:
    """Return whether a visit past its intent runs: what happens at the door then belongs to it."""
    return state.visit is not None and state.visit.unlock_intent


def is_explained(state: Entrance, closure: str) -> bool:
    """Return whether a visit, or the grace after one, explains what happens at a closure: it is on the route."""
    visit = state.visit if has_unlock_intent(state) else state.grace_visit
    return visit is not None and closure in visit.route


def is_unlock_unanswered(state: Entrance, closure: str) -> bool:
    """Return whether the closure may still obey a command of the running or the last visit: no report answered it."""
    visit, watch = state.visit, state.grace_visit
    is_in_visit = visit is not None and closure in visit.entry.unanswered
    return is_in_visit or (watch is not None and closure in watch.entry.unanswered)


def held_closures(state: Entrance) -> frozenset[str]:
    """Return the closures that may still obey a command of a visit that ended: no second one is sent beside it."""
    return frozenset() if state.grace_visit is None else state.grace_visit.entry.unanswered


def is_explained_only_by_unlock(state: Entrance) -> bool:
    """Return whether only an unanswered unlock keeps the grace: use by hand is then the household's own."""
    return bool(held_closures(state)) and Timer.WATCH not in state.timers


def is_before_intent(state: Entrance) -> bool:
    """Return whether a visit runs that has no unlock intent yet."""
    return state.visit is not None and state.visit.phase in BEFORE_INTENT


def unmet_conditions(
    state: Entrance, delivery: VisitDelivery | None, robot: str | None = None
) -> tuple[AnyCondition, ...]:
    """Return the conditions that are not proven to be met, for this delivery or, without one, for any.

    `robot`: the robot that comes, before a visit has it.
    """
    seen = condition_view(state, delivery, robot)
    return tuple(condition for condition in state.rules.conditions if not condition.is_met(seen))


def battery_level(report: BatteryReport) -> BatteryLevel:
    """Map a battery report to critical (10 % or less), low (20 % or less) or good."""
    percent = 100 if report.percent is None else report.percent
    if report.level is BatteryLevel.CRITICAL or percent <= CRITICAL_BATTERY_PERCENT:
        return BatteryLevel.CRITICAL
    return BatteryLevel.LOW if report.level is BatteryLevel.LOW or percent <= 20 else BatteryLevel.GOOD


def batteries_at(state: Entrance, level: BatteryLevel) -> tuple[str, ...]:
    """Return the batteries at this level as missing conditions: `battery:lock`. Unknown ones have no level."""
    return tuple(f"battery:{name}" for name, _, _, _ in state.rules.sensors if state.batteries.get(name) is level)


def is_in_window(delivery: VisitDelivery, now: Now) -> bool:
    """Return whether now is in the window, which does not include its end."""
    return delivery.start <= now.utc < delivery.end


def is_paused(state: Entrance, now: Now) -> bool:
    """Return whether a pause of the household holds now; without trusted time this is a guess, and nothing opens."""
    return any(pause.start <= now.utc < pause.end for pause in state.pauses)


def is_stay(state: Entrance, now: Now) -> bool:
    """Return whether guests stay in the home now: nothing is filmed. Without trusted time the clock's guess counts."""
    return bool(state.stays) and stay_end(state, now) is not None


def stay_end(state: Entrance, now: Now) -> datetime | None:
    """Return the end of the stay that holds now, of several the last; None: no guests stay."""
    return max((stay.end for stay in state.stays if stay.start <= now.utc < stay.end), default=None)


def is_private(state: Entrance, now: Now) -> bool:
    """Return whether no camera of the entrance may run now: guests stay, or a visit runs that has no film."""
    return is_stay(state, now) or (state.visit is not None and not state.visit.delivery.errand.is_filmed)


def refusing_stays(state: Entrance) -> tuple[StayPeriod, ...]:
    """Return the stays in which no courier comes in: all, unless the owner admits him and no film is required."""
    return tuple(stay for stay in state.stays if state.rules.is_filmed or not stay.admits_deliveries)


def guest_refusal(state: Entrance, delivery: VisitDelivery, now: Now) -> Refusal | None:
    """Return why a courier may not come in while guests stay in the home, or None."""
    if not state.stays or delivery.errand.for_household:
        return None
    stays = refusing_stays(state)
    if not any(stay.start <= now.utc < stay.end for stay in stays):
        return None
    return Refusal.GUEST_PRESENT


def is_blocked_by_household(state: Entrance, delivery: VisitDelivery, now: Now) -> bool:
    """Return whether a stop, or pauses and stays, cover all that is left of the delivery's window."""
    free = max(delivery.start, now.utc)  # the first instant that no known pause or stay covers
    closed: tuple[PausePeriod | StayPeriod, ...] = (*state.pauses, *refusing_stays(state))
    for start, end in sorted((period.start, period.end) for period in closed):
        if start <= free:
            free = max(free, end)
    return state.stopped or free >= delivery.end


def is_household_present(state: Entrance, now: Now) -> bool:
    """Return whether the household is present: by its statement, an open or hand-opened closure, or recent hand use."""
    if not state.rules.household_refuses:
        return False
    by_hand = bool(state.opened_by_hand) and bool(unsecured_closures(state, state.opened_by_hand))
    recent = now.mono - state.by_hand_at < state.rules.timing.by_hand
    return is_said_home(state) or by_hand or recent or is_in_use(state)


def is_said_home(state: Entrance) -> bool:
    """Return whether somebody, or a presence device, says that the household is home."""
    return state.somebody_home or household_is(state, Household.HOME)


def is_ready(state: Entrance, route: Collection[str], delivery: VisitDelivery | None = None) -> bool:
    """Return whether closures and box are ready, except the clock and the cameras, which run only near a window."""
    is_route_ready = not missing_on_route(state, route, delivery) and held_closures(state).isdisjoint(route)
    is_box_ready = state.disk_ok and not batteries_at(state, BatteryLevel.CRITICAL)
    return is_route_ready and is_box_ready and state.incident is None and not state.safe_mode


def walk_test_refuses(state: Entrance, delivery: VisitDelivery | None) -> bool:
    """Return whether a failed walk test refuses this delivery; its own passes, as its installer stands at the door."""
    return state.walk_test_failed and (delivery is None or delivery.brand != WALK_TEST)


def is_keeper_accepted(rules: Rules, keeper: KeeperCode) -> bool:
    """Return whether this entrance accepts the code of a keeper."""
    return rules.holder is Holder.KEEPER and keeper.keeper in rules.keepers and not keeper.withdrawn


def keeper_refusal(rules: Rules, keeper: KeeperCode | None) -> Refusal | None:
    """Return why a visit with this keeper (None: with a courier) may not open anything, or anything more."""
    if keeper is None:
        return Refusal.KEEPER_NOT_PROVEN if rules.holder is Holder.KEEPER else None
    return None if is_keeper_accepted(rules, keeper) else Refusal.KEEPER_NOT_ACCEPTED


def may_open(
    state: Entrance, delivery: VisitDelivery, now: Now, route: Collection[str], *, robot: str | None = None
) -> Refusal | None:
    """Return the first reason that forbids opening, or None; checked at the scan and again at each intent.

    `route`: the closures that are still to be opened. A visit on its way has its opening reserved. `robot`: the robot
    that comes, before a visit has it.
    """
    robot = robot if state.visit is None else state.visit.robot
    if delivery.entrance != state.id:
        return Refusal.WRONG_ENTRANCE
    if state.stopped:
        return Refusal.STOPPED_BY_OWNER
    if is_paused(state, now) and not delivery.errand.for_household:
        return Refusal.PAUSED
    if (refusal := guest_refusal(state, delivery, now) or delivery.refusal) is not None:
        return refusal
    if state.visit is not None and (refusal := keeper_refusal(state.rules, state.visit.keeper)) is not None:
        return refusal
    if delivery.for_robot != (robot is not None) or not (robot is None or robot in state.rules.robots):
        return Refusal.ROBOT_NOT_PROVEN
    if not has_unlock_intent(state) and (delivery.openings_left < 1 or delivery.withdrawals_left < 1):
        return Refusal.ALREADY_USED
    if not now.trusted:
        return Refusal.CLOCK_UNTRUSTED
    if not is_in_window(delivery, now):
        return Refusal.OUTSIDE_WINDOW
    if is_household_present(state, now) and not delivery.errand.for_household:
        return Refusal.HOUSEHOLD_PRESENT
    seen = condition_view(state, delivery, robot)
    unmet = [condition.refusal_for(seen) for condition in unmet_conditions(state, delivery, robot)]
    if not is_ready(state, route, delivery) or walk_test_refuses(state, delivery) or Refusal.NOT_READY in unmet:
        return Refusal.NOT_READY
    return next(iter(unmet), None)
