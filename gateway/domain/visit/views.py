"""Shows each closure what it may see of the entrance: its own sensors, the clock, and a few facts of the visit."""

from collections.abc import Iterator

from gateway.domain.delivery.candidate import VisitDelivery
from gateway.domain.frozen import replace
from gateway.domain.visit.closures import AnyClosure
from gateway.domain.visit.closures.contract import (
    MAIN_CLOSURE,
    UNREPORTED,
    Circumstances,
    Fact,
    Sensor,
    View,
)
from gateway.domain.visit.conditions.contract import ConditionView, Household
from gateway.domain.visit.state import Entrance, Rules


def sensor_names(closure: AnyClosure, *sensors: str) -> tuple[str, ...]:
    """Return the names of a closure's sensors in its entrance."""
    return tuple(closure.sensor_names[sensor] for sensor in sensors)


def all_sensors(rules: Rules) -> Iterator[tuple[str, AnyClosure, str, Sensor]]:
    """Yield each sensor: its name, its closure, its role there, and its properties."""
    for closure in rules.closures:
        for role, sensor in closure.sensors.items():
            yield closure.sensor_names[role], closure, role, sensor


def find_sensor(rules: Rules, name: str) -> tuple[AnyClosure, str, Sensor] | None:
    """Return the closure of a sensor, its role there and its properties; None if no closure has it."""
    ident, slash, role = name.rpartition("/")
    closure = find_closure(rules, ident if slash else MAIN_CLOSURE)
    sensor = None if closure is None else closure.sensors.get(role)
    return None if closure is None or sensor is None else (closure, role, sensor)


def find_closure(rules: Rules, ident: str) -> AnyClosure | None:
    """Return the closure with this id, or None."""
    for closure in rules.closures:
        if closure.id == ident:
            return closure
    return None


def closure_of(rules: Rules, ident: str) -> AnyClosure:
    """Return the closure with this id.

    Raises:
        LookupError: the entrance has none.
    """
    closure = find_closure(rules, ident)
    if closure is None:
        raise LookupError(f"no closure {ident!r}")
    return closure


def fact_of(state: Entrance, name: str) -> Fact:
    """Return what is known of a sensor."""
    return state.facts.get(name, UNREPORTED)


def view(state: Entrance, closure: AnyClosure, *, mono: float = 0.0, is_stay: bool = False) -> View:
    """Return what a closure may see at an instant; `mono` matters only where a kind measures a time.

    `is_stay`: guests stay in the home, so that hands are at home whatever the household said. It matters only to
    whoever asks what a hand did.
    """
    return View(state.facts, closure.sensor_names, lambda: _circumstances(state, closure, mono, is_stay=is_stay))


def contested_view(state: Entrance, closure: AnyClosure) -> View:
    """Return the view in which a closure is ready or not: what a witness says that is bad counts beside its sensors.

    How it is secured follows its own sensors alone: a witness may say for minutes what is over.
    """
    seen, roles = view(state, closure), {name: role for role, name in closure.sensor_names.items()}
    for objection in state.objections:
        if objection.sensor in roles and objection.device in closure.witness_devices:
            role = roles[objection.sensor]
            seen = seen.with_fact(role, replace(seen.fact(role), value=objection.value, proven=False))
    return seen


def condition_view(state: Entrance, delivery: VisitDelivery | None = None, robot: str | None = None) -> ConditionView:
    """Return what a condition may see: the newest reports, the needs of a delivery, and the robot that acts.

    `robot`: the robot that comes, before a visit has it. One that has left acts no longer.
    """
    if state.visit is not None:
        robot = None if state.visit.holder_left else state.visit.robot
    if delivery is None:
        return ConditionView(reports=state.surroundings, robot=robot)
    return ConditionView(
        reports=state.surroundings,
        place=delivery.place,
        places=delivery.places,
        limits=delivery.limits,
        full_places=delivery.full_places,
        robot=robot,
        for_household=delivery.errand.for_household,
    )


def household_is(state: Entrance, where: Household) -> bool:
    """Return whether the household is there, according to a condition."""
    seen = condition_view(state)
    return any(condition.household(seen) is where for condition in state.rules.conditions)


def is_household_away(state: Entrance) -> bool:
    """Return whether the household reported that it is away, or a condition, such as its alarm panel, implies it."""
    return state.away or household_is(state, Household.AWAY)


def _circumstances(state: Entrance, closure: AnyClosure, mono: float, *, is_stay: bool) -> Circumstances:
    visit, basic = state.visit if state.visit is not None else state.grace_visit, state.rules.basic_sensors
    of_entrance = Circumstances(
        mono=mono,
        last_query_id=state.last_query_id,
        basic=frozenset(role for role, name in closure.sensor_names.items() if name in basic),
        is_away=is_household_away(state) and not is_stay,
    )
    if visit is None:
        return of_entrance
    return replace(
        of_entrance,
        ordered_at=visit.entry.ordered_at.get(closure.id),
        was_opened=closure.id in visit.entry.opened,
        courier_left=visit.courier_left,
        reminders=visit.reminders,
        marks=visit.entry.marks,
    )
