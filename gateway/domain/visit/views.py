"""Shows each closure what it may see of the entrance: its own sensors, the clock, and a few facts of the visit."""

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
from gateway.domain.visit.state import Entrance, Entry, Rules

NO_ENTRY = Entry()


def sensor_names(closure: AnyClosure, *sensors: str) -> tuple[str, ...]:
    """Return the names of a closure's sensors in its entrance."""
    return tuple(closure.sensor_names[sensor] for sensor in sensors)


def find_sensor(rules: Rules, name: str) -> tuple[AnyClosure, str, Sensor] | None:
    """Return the closure of a sensor, its role there and its properties; None if no closure has it."""
    ident, slash, role = name.rpartition("/")
    closure = rules.closures_by_id.get(ident if slash else MAIN_CLOSURE)
    sensor = None if closure is None else closure.sensors.get(role)
    return None if closure is None or sensor is None else (closure, role, sensor)


def closure_of(rules: Rules, ident: str) -> AnyClosure:
    """Return the closure with this id.

    Raises:
        LookupError: the entrance has none.
    """
    closure = rules.closures_by_id.get(ident)
    if closure is None:
        raise LookupError(f"no closure {ident!r}")
    return closure


def fact_of(state: Entrance, name: str) -> Fact:
    """Return what is known of a sensor."""
    return state.facts.get(name, UNREPORTED)


def view(state: Entrance, closure: AnyClosure, *, mono: float = 0.0) -> View:
    """Return what a closure may see at an instant; `mono` matters only where a kind measures a time."""
    return View(state.facts, closure.sensor_names, lambda: circumstances(state, closure, mono))


def contested_view(state: Entrance, closure: AnyClosure) -> View:
    """Return the view in which a closure is ready or not: what a witness says that is bad counts beside its sensors.

    How it is secured follows its own sensors alone: a witness may say for minutes what is over.
    """
    seen = view(state, closure)
    if not state.objections:
        return seen
    roles = {name: role for role, name in closure.sensor_names.items()}
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
    asked = state.rules.conditions_of_household
    if not asked:
        return False
    seen = condition_view(state)
    return any(condition.household(seen) is where for condition in asked)


def is_household_away(state: Entrance) -> bool:
    """Return whether the household reported that it is away, or a condition, such as its alarm panel, implies it."""
    return state.away or household_is(state, Household.AWAY)


def circumstances(state: Entrance, closure: AnyClosure, mono: float, *, is_stay: bool = False) -> Circumstances:
    """Return what a closure may know beside its sensors.

    `is_stay`: guests stay in the home, so that hands are at home whatever the household said. It matters only to
    whoever asks what a hand did.
    """
    visit, basic = state.visit if state.visit is not None else state.grace_visit, state.rules.basic_sensors
    entry = NO_ENTRY if visit is None else visit.entry
    return Circumstances(
        mono=mono,
        last_query_id=state.last_query_id,
        basic=frozenset(role for role, name in closure.sensor_names.items() if name in basic),
        is_away=not is_stay and is_household_away(state),
        ordered_at=entry.ordered_at.get(closure.id),
        was_opened=closure.id in entry.opened,
        courier_left=visit is not None and visit.courier_left,
        reminders=0 if visit is None else visit.reminders,
        marks=entry.marks,
    )
