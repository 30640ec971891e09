"""Determines what each device can promise, from which source, and what an unattended visit still lacks.

Pure: it takes `home.yaml`, the measurements of this house and the status of the walk test. A promise without a
declaration and without a measurement is unknown, and is reported so. `texts.py` has the sentences.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum, auto
from statistics import median
from typing import assert_never

from gateway.config.devices import AnyDevice, CameraDevice, CoverDevice, DoorDevice, LockDevice
from gateway.config.home import EntranceSection, Home
from gateway.config.sensor_independence import depends_on_lock
from gateway.domain.timing import Timing
from gateway.system.config_section import ConfigSection

LATENCY_MARGIN_FACTOR = 1.5  # the proposed latency is the longest measured answer times this


class CapabilityEvidence(StrEnum):
    """The source of a promise."""

    MEASURED = auto()
    DECLARED = auto()
    UNKNOWN = auto()  # neither declared nor measured
    MISSING = auto()  # known to be false


class WalkTestStatus(StrEnum):
    """Status of an entrance's walk test."""

    NEVER = auto()
    UNDER_WAY = auto()
    PASSED = auto()
    FAILED = auto()  # the house did not detect a fault, or something did not work
    STALE = auto()  # passed with other devices than today's
    BLOCKED = auto()  # a camera sees a neighbour's door or the street


class Measurement(ConfigSection):
    """The measurement of one device by `perron test`.

    `asked` counts the queries, `seconds` has the time of each answer. `bolt` and `door`: whether the device reported a
    known state each time; None: it is not such a device.
    """

    at: datetime
    asked: int
    seconds: tuple[float, ...]
    bolt: bool | None = None
    door: bool | None = None


@dataclass(frozen=True, slots=True)
class Capability:
    """One promise of a device or an entrance, or what is missing.

    `text_key` is a key of `texts.CAPABILITY_TEXTS`, `facts` its parameters. `forbids`: it forbids unattended visits.
    """

    subject: str  # id of the device or of the entrance
    text_key: str
    evidence: CapabilityEvidence
    facts: Mapping[str, str] = field(default_factory=dict)
    forbids: bool = False


def device_capabilities(home: Home, id_: str, measurement: Measurement | None) -> tuple[Capability, ...]:
    """Return what a device can promise, what is missing, and from which source.

    Raises:
        KeyError: no such device.
    """
    device = home.devices[id_]
    found: tuple[Capability, ...] = ()
    if isinstance(device, LockDevice):
        found = (
            _bolt_capability(id_, measurement),
            _guarded_capability(id_, device),
            _auto_lock_capability(id_, device),
        )
    elif isinstance(device, CoverDevice):
        found = (_guarded_capability(id_, device),)
    elif isinstance(device, DoorDevice):
        found = (_sensor_capability(id_, device, measurement),)
    elif isinstance(device, CameraDevice):
        found = (_picture_capability(id_, device),)
    return (*found, *_latency_capabilities(id_, device, measurement))


def entrance_capabilities(
    home: Home, name: str, measurements: Mapping[str, Measurement], walk_status: WalkTestStatus
) -> tuple[Capability, ...]:
    """Return what an entrance can promise; it admits unattended visits if no capability `forbids` them.

    Raises:
        KeyError: no such entrance.
    """
    section = home.entrances[name]
    return (
        _independence_capability(home, name, section),
        _way_out_capability(name, section, walk_status),
        *(
            one
            for id_ in (section.lock, section.door)
            for one in device_capabilities(home, id_, measurements.get(id_))
            if one.forbids
        ),
        _walk_test_capability(name, walk_status),
    )


def proposed_latency_s(measurement: Measurement) -> float | None:
    """Return the latency to declare, in whole seconds; None without an answer."""
    return None if not measurement.seconds else float(int(max(measurement.seconds) * LATENCY_MARGIN_FACTOR) + 1)


# ---- devices --------------------------------------------------------------------------------------------------------


def _bolt_capability(id_: str, measurement: Measurement | None) -> Capability:
    match None if measurement is None else measurement.bolt:
        case None:
            return Capability(id_, "bolt.declared", CapabilityEvidence.DECLARED, {"device": id_})
        case True:
            return Capability(id_, "bolt.measured", CapabilityEvidence.MEASURED)
        case False:
            return Capability(id_, "bolt.missing", CapabilityEvidence.MISSING, forbids=True)
        case never:
            assert_never(never)


def _guarded_capability(id_: str, lock: LockDevice | CoverDevice) -> Capability:
    if isinstance(lock, LockDevice) and lock.refuses_late:
        return Capability(id_, "guarded.declared", CapabilityEvidence.DECLARED)
    return Capability(id_, "guarded.missing", CapabilityEvidence.MISSING, {"life": f"{Timing().command_life:g}"})


def _auto_lock_capability(id_: str, lock: LockDevice) -> Capability:
    match lock.auto_lock:
        case None:
            return Capability(id_, "auto_lock.unknown", CapabilityEvidence.UNKNOWN, {"device": id_})
        case True:
            return Capability(id_, "auto_lock.declared", CapabilityEvidence.DECLARED)
        case False:
            return Capability(id_, "auto_lock.missing", CapabilityEvidence.MISSING)
        case never:
            assert_never(never)


def _sensor_capability(id_: str, door: DoorDevice, measurement: Measurement | None) -> Capability:
    if not door.can_be_queried:
        return Capability(id_, "door.basic", CapabilityEvidence.DECLARED, {"heartbeat": f"{door.heartbeat:g}"})
    match None if measurement is None else measurement.door:
        case None:
            return Capability(id_, "door.declared", CapabilityEvidence.DECLARED, {"device": id_})
        case True:
            return Capability(id_, "door.measured", CapabilityEvidence.MEASURED)
        case False:
            return Capability(id_, "door.untold", CapabilityEvidence.MISSING, forbids=True)
        case never:
            assert_never(never)


def _picture_capability(id_: str, camera: CameraDevice) -> Capability:
    if camera.clock_region is None:
        return Capability(id_, "picture.missing", CapabilityEvidence.MISSING)
    return Capability(id_, "picture.declared", CapabilityEvidence.DECLARED)


def _latency_capabilities(id_: str, device: AnyDevice, measurement: Measurement | None) -> Iterator[Capability]:
    declared = device.latency if isinstance(device, LockDevice | CoverDevice) else None
    if measurement is None or not measurement.asked:
        if declared is not None:
            facts = {"declared": f"{declared:g}", "device": id_}
            yield Capability(id_, "latency.declared", CapabilityEvidence.DECLARED, facts)
        return
    silent = measurement.asked - len(measurement.seconds)
    if silent:
        facts = {"silent": str(silent), "asked": str(measurement.asked)}
        yield Capability(id_, "latency.silent", CapabilityEvidence.MISSING, facts)
    if not measurement.seconds:
        return
    longest, fit = max(measurement.seconds), proposed_latency_s(measurement)
    facts = {"longest": f"{longest:.2f}", "median": f"{median(measurement.seconds):.2f}"}
    if declared is None:
        yield Capability(id_, "latency.measured", CapabilityEvidence.MEASURED, facts)
    elif longest > declared:
        facts |= {"declared": f"{declared:g}", "fit": f"{fit:g}", "device": id_}
        yield Capability(id_, "latency.longer", CapabilityEvidence.MISSING, facts)
    else:
        facts |= {"declared": f"{declared:g}"}
        yield Capability(id_, "latency.within", CapabilityEvidence.MEASURED, facts)


# ---- entrances ------------------------------------------------------------------------------------------------------


def _independence_capability(home: Home, name: str, section: EntranceSection) -> Capability:
    door = home.devices[section.door]
    facts = {"door": section.door, "lock": section.lock}
    if depends_on_lock(home, section.lock, section.door):
        return Capability(name, "door.dependent", CapabilityEvidence.MISSING, facts, forbids=True)
    if section.living_space and isinstance(door, DoorDevice) and not door.can_be_queried:
        return Capability(name, "door.unasked", CapabilityEvidence.MISSING, facts, forbids=True)
    return Capability(name, "door.independent", CapabilityEvidence.DECLARED, facts)


def _way_out_capability(name: str, section: EntranceSection, walk_status: WalkTestStatus) -> Capability:
    if not section.way_out_by_hand:
        return Capability(name, "way_out.missing", CapabilityEvidence.MISSING, forbids=True)
    if walk_status is WalkTestStatus.PASSED:
        return Capability(name, "way_out.measured", CapabilityEvidence.MEASURED)
    return Capability(name, "way_out.declared", CapabilityEvidence.DECLARED)


def _walk_test_capability(name: str, walk_status: WalkTestStatus) -> Capability:
    evidence = {
        WalkTestStatus.PASSED: CapabilityEvidence.MEASURED,
        WalkTestStatus.NEVER: CapabilityEvidence.UNKNOWN,
        WalkTestStatus.UNDER_WAY: CapabilityEvidence.UNKNOWN,
        WalkTestStatus.STALE: CapabilityEvidence.UNKNOWN,
        WalkTestStatus.FAILED: CapabilityEvidence.MISSING,
        WalkTestStatus.BLOCKED: CapabilityEvidence.MISSING,
    }[walk_status]
    forbids = walk_status in (WalkTestStatus.FAILED, WalkTestStatus.BLOCKED)
    return Capability(name, f"walk.{walk_status}", evidence, {"entrance": name}, forbids=forbids)
