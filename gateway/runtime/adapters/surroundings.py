"""Passes the reports of devices around an entrance to its conditions, which decide which reports count. Pure.

A device that is offline, or silent for longer than its condition allows, is unknown.
"""

from collections.abc import Iterable, Iterator, Mapping

from devices import reports as r
from gateway.domain.visit import events as e
from gateway.domain.visit.conditions import AnyCondition
from gateway.domain.visit.state import Entrance


def watched_devices(conditions: Iterable[AnyCondition]) -> frozenset[str]:
    """Return the devices around this entrance; the gateway queries each one that answers at the start of a session."""
    return frozenset(device for condition in conditions for device in condition.devices)


def devices_at(conditions: Iterable[AnyCondition], place: str) -> frozenset[str]:
    """Return the devices that measure this place."""
    return frozenset(device for condition in conditions for device in condition.devices_at(place))


def asked_devices_at(conditions: Iterable[AnyCondition], place: str) -> frozenset[str]:
    """Return those of them that need not repeat a report: only their answer shows that one still holds."""
    return frozenset(
        device
        for condition in conditions
        for device in condition.devices_at(place)
        if condition.silence_s(device) is None
    )


def reports(conditions: Iterable[AnyCondition], device: str, report: r.Report, *, old: bool) -> Iterator[e.Event]:
    """Yield the events in a report of such a device. `old`: retained, or remembered by a bridge that starts."""
    for condition in conditions:
        yield from condition.reports(device, report, old=old)


def lost(conditions: Iterable[AnyCondition], device: str) -> Iterator[e.Event]:
    """Yield events that set this device's state to unknown."""
    for condition in conditions:
        yield from condition.lost(device)


def ended_measurements(state: Entrance) -> Iterator[e.Event]:
    """Yield events that set each known measurement to unknown, as at the start of a session of the broker."""
    for condition in state.rules.conditions:
        for device in sorted(condition.devices):
            for event in condition.lost(device):
                if event.proof_place is not None and event.source in state.surroundings:
                    yield event


def silent_devices(conditions: Iterable[AnyCondition], spoke: Mapping[str, float], mono: float) -> frozenset[str]:
    """Return the devices that were silent for too long; `spoke`: the time of each device's last live message."""
    limits = ((device, condition.silence_s(device)) for condition in conditions for device in condition.devices)
    return frozenset(
        device
        for device, limit_s in limits
        if limit_s is not None and device in spoke and mono - spoke[device] > limit_s
    )
