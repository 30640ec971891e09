"""Lets a sensor's value become too old, and queries it again before that.

Most sensors report each change, so their values do not age. A car does not: its modem reports when it likes, and it may
have been driven away since its last fix. Such a sensor declares `max_age_s`; this module alone queries it between the
queries that a visit makes, and more rarely than others, because each answer comes over a mobile network.
"""

from gateway.domain.frozen import replace
from gateway.domain.visit.closures import AnyClosure
from gateway.domain.visit.closures.contract import UNKNOWN, Fact, Sensor
from gateway.domain.visit.commands import ValueAge
from gateway.domain.visit.state import Entrance, Phase, Timer
from gateway.domain.visit.step import Step
from gateway.domain.visit.views import fact_of

MIN_REFRESH_S = 10.0  # seconds from a report to the next query, however little time its value has left
RETRY_S = 30.0  # seconds between two queries of a sensor of which nothing is known
TOGETHER_S = 1.0  # seconds: queries that are due so soon after another one go with it, as one message to the device


def present_value(sensor: Sensor, value: str, age_s: float | None) -> str:
    """Return the value of a report, or unknown if it is a good value that was measured too long ago.

    A bad value counts at any age.
    """
    is_too_old = sensor.max_age_s is not None and (age_s or 0.0) > sensor.max_age_s
    return UNKNOWN if is_too_old and value in sensor.needs_answer else value


def dated(fact: Fact, closure: AnyClosure, sensor: Sensor, age_s: float | None, mono: float) -> Fact:
    """Return the fact with the instants at which it is queried again and at which it is too old.

    `age_s`: how long ago its value was measured; None: just now.
    """
    if sensor.max_age_s is None:
        return fact
    if fact.value not in sensor.needs_answer:
        return replace(fact, expires_at=None, refresh_at=_next_query(fact, sensor, mono))
    expires_at = mono + sensor.max_age_s - max(0.0, age_s or 0.0)
    refresh_at = max(mono + MIN_REFRESH_S, expires_at - 2 * closure.latency)
    return replace(fact, expires_at=expires_at, refresh_at=refresh_at if refresh_at < expires_at else None)


def is_expired(fact: Fact, mono: float) -> bool:
    """Return whether a fact is too old at this instant."""
    return fact.expires_at is not None and fact.expires_at <= mono


def ages_at(step: Step, closure: AnyClosure) -> tuple[ValueAge, ...]:
    """Return how old the good values of a closure are now, of those that grow old; in tenths of a second."""
    found: list[ValueAge] = []
    for role, sensor in closure.sensors.items():
        fact = fact_of(step.state, closure.sensor_names[role])
        if sensor.max_age_s is not None and fact.expires_at is not None:
            age_s = max(0.0, round(sensor.max_age_s - (fact.expires_at - step.now.mono), 1))
            found.append(ValueAge(sensor=role, value=fact.value, age_s=age_s, max_age_s=sensor.max_age_s))
    return tuple(found)


def settle(step: Step) -> None:
    """Drop good news that is too old, and query it; query good news again shortly before that."""
    if not (step.state.rules.aging_sensors and _matters(step.state)):
        step.clear_timers(Timer.EXPIRY)
        return
    is_any_due, due = step.timer_expired(Timer.EXPIRY), list[float]()
    for name, sensor in step.state.rules.aging_sensors:
        _settle_sensor(step, name, sensor, step.now.mono + (TOGETHER_S if is_any_due else 0.0))
        fact = fact_of(step.state, name)
        due += [at for at in (fact.refresh_at, fact.expires_at) if at is not None]
    if not due:
        step.clear_timers(Timer.EXPIRY)
    elif step.state.timers.get(Timer.EXPIRY) != min(due):
        step.set_timer(Timer.EXPIRY, min(due) - step.now.mono)


def _settle_sensor(step: Step, name: str, sensor: Sensor, until: float) -> None:
    """Query the sensor if that is due at the instant `until`, and drop what it reported if that is too old now."""
    fact, mono = fact_of(step.state, name), step.now.mono
    if is_expired(fact, mono):
        lost = replace(fact, value=UNKNOWN, expires_at=None)
        step.set_fact(name, replace(lost, refresh_at=_next_query(lost, sensor, mono)))
        step.invalidate(name)
        _query(step, name)
    elif fact.refresh_at is not None and fact.refresh_at <= until:
        step.set_fact(name, replace(fact, refresh_at=_next_query(fact, sensor, mono)))
        _query(step, name)
    elif fact.refresh_at is None and fact.expires_at is None:  # nothing was reported since its observation broke
        step.set_fact(name, replace(fact, refresh_at=_next_query(fact, sensor, mono)))


def _next_query(fact: Fact, sensor: Sensor, mono: float) -> float | None:
    """Return when the sensor is queried after now; None: not before its good value is too old.

    A car that is away for the day, or that its driver left unlocked, says so by itself when that ends.
    """
    if fact.value in sensor.needs_answer:
        return None
    is_known = fact.value != UNKNOWN and fact.value not in sensor.vague
    return mono + (sensor.max_age_s if is_known and sensor.max_age_s is not None else RETRY_S)


def _matters(state: Entrance) -> bool:
    """Return whether somebody may open something here, or somebody is at it."""
    return state.visit is not None or state.window_near or state.incident is not None


def _query(step: Step, name: str) -> None:
    """Query the sensor, except while the closures are secured: securing sends its own queries."""
    if step.state.visit is None or step.visit.phase is not Phase.RELOCKING:
        step.query(name)
