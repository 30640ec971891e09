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


class CapabilityKind(StrEnum):
    """What a device or an entrance may promise."""

    BOLT = auto()  # reports the position of its bolt
    DOOR = auto()  # a door sensor that does not depend on the lock
    AUTO_LOCK = auto()  # locks by itself, also without the gateway
    WAY_OUT = auto()  # a person inside gets out by hand, without key or power
    LATENCY = auto()  # answers within its declared latency
    GUARDED = auto()  # refuses late and repeated commands by itself
    PICTURE = auto()  # a frozen picture can be detected
    WALK = auto()  # a person at the door tried the known faults here


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Capability:
    """One promise of a device or an entrance, or what is missing.

    `text_key` is a key of `texts.CAPABILITY_TEXTS`, `facts` its parameters. `forbids`: it forbids unattended visits.
    """

    subject: str  # id of the device or of the entrance
    kind: CapabilityKind
    evidence: CapabilityEvidence
    text_key: str
    facts: Mapping[str, str] = field(default_factory=dict)
    forbids: bool = False


def device_capabilities(home: Home, id_: str, measurement: Measurement | None) -> tuple[Capability, ...]:
    """Return what a device can promise, what is missing, and from which source.

    Raises:
        KeyError: no such device.
    """
    device = home.devices[id_]
    if isinstance(device, LockDevice):
        found = (
            *_bolt_capabilities(id_, measurement),
            _guarded_capability(id_, device),
            _auto_lock_capability(id_, device),
        )
    elif isinstance(device, CoverDevice):
        found = (_guarded_capability(id_, device),)
    elif isinstance(device, DoorDevice):
        found = (_sensor_capability(id_, device, measurement),)
    elif isinstance(device, CameraDevice):
        found = (_picture_capability(id_, device),)
    else:
        found = ()
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
        *_independence_capabilities(home, name, section),
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


def _bolt_capabilities(id_: str, measurement: Measurement | None) -> Iterator[Capability]:
    match None if measurement is None else measurement.bolt:
        case None:
            yield Capability(
                subject=id_,
                kind=CapabilityKind.BOLT,
                evidence=CapabilityEvidence.DECLARED,
                text_key="bolt.declared",
                facts={"device": id_},
            )
        case True:
            yield Capability(
                subject=id_, kind=CapabilityKind.BOLT, evidence=CapabilityEvidence.MEASURED, text_key="bolt.measured"
            )
        case False:
            yield Capability(
                subject=id_,
                kind=CapabilityKind.BOLT,
                evidence=CapabilityEvidence.MISSING,
                text_key="bolt.missing",
                forbids=True,
            )
        case never:
            assert_never(never)


def _guarded_capability(id_: str, lock: LockDevice | CoverDevice) -> Capability:
    if isinstance(lock, LockDevice) and lock.refuses_late:
        return Capability(
            subject=id_, kind=CapabilityKind.GUARDED, evidence=CapabilityEvidence.DECLARED, text_key="guarded.declared"
        )
    life = {"life": f"{Timing().command_life:g}"}
    return Capability(
        subject=id_,
        kind=CapabilityKind.GUARDED,
        evidence=CapabilityEvidence.MISSING,
        text_key="guarded.missing",
        facts=life,
    )


def _auto_lock_capability(id_: str, lock: LockDevice) -> Capability:
    match lock.auto_lock:
        case None:
            facts = {"device": id_}
            return Capability(
                subject=id_,
                kind=CapabilityKind.AUTO_LOCK,
                evidence=CapabilityEvidence.UNKNOWN,
                text_key="auto_lock.unknown",
                facts=facts,
            )
        case True:
            return Capability(
                subject=id_,
                kind=CapabilityKind.AUTO_LOCK,
                evidence=CapabilityEvidence.DECLARED,
                text_key="auto_lock.declared",
            )
        case False:
            return Capability(
                subject=id_,
                kind=CapabilityKind.AUTO_LOCK,
                evidence=CapabilityEvidence.MISSING,
                text_key="auto_lock.missing",
            )
        case never:
            assert_never(never)


def _sensor_capability(id_: str, door: DoorDevice, measurement: Measurement | None) -> Capability:
    told = None if measurement is None else measurement.door
    if not door.can_be_queried:
        facts = {"heartbeat": f"{door.heartbeat:g}"}
        return Capability(
            subject=id_,
            kind=CapabilityKind.DOOR,
            evidence=CapabilityEvidence.DECLARED,
            text_key="door.basic",
            facts=facts,
        )
    match told:
        case None:
            return Capability(
                subject=id_,
                kind=CapabilityKind.DOOR,
                evidence=CapabilityEvidence.DECLARED,
                text_key="door.declared",
                facts={"device": id_},
            )
        case True:
            return Capability(
                subject=id_, kind=CapabilityKind.DOOR, evidence=CapabilityEvidence.MEASURED, text_key="door.measured"
            )
        case False:
            return Capability(
                subject=id_,
                kind=CapabilityKind.DOOR,
                evidence=CapabilityEvidence.MISSING,
                text_key="door.untold",
                forbids=True,
            )
        case never:
            assert_never(never)


def _picture_capability(id_: str, camera: CameraDevice) -> Capability:
    if camera.clock_region is None:
        return Capability(
            subject=id_, kind=CapabilityKind.PICTURE, evidence=CapabilityEvidence.MISSING, text_key="picture.missing"
        )
    return Capability(
        subject=id_, kind=CapabilityKind.PICTURE, evidence=CapabilityEvidence.DECLARED, text_key="picture.declared"
    )


def _latency_capabilities(id_: str, device: AnyDevice, measurement: Measurement | None) -> Iterator[Capability]:
    declared = device.latency if isinstance(device, LockDevice | CoverDevice) else None
    if measurement is None or not measurement.asked:
        if declared is not None:
            facts = {"declared": f"{declared:g}", "device": id_}
            yield Capability(
                subject=id_,
                kind=CapabilityKind.LATENCY,
                evidence=CapabilityEvidence.DECLARED,
                text_key="latency.declared",
                facts=facts,
            )
        return
    silent = measurement.asked - len(measurement.seconds)
    if silent:
        facts = {"silent": str(silent), "asked": str(measurement.asked)}
        yield Capability(
            subject=id_,
            kind=CapabilityKind.LATENCY,
            evidence=CapabilityEvidence.MISSING,
            text_key="latency.silent",
            facts=facts,
        )
    if not measurement.seconds:
        return
    longest, fit = max(measurement.seconds), proposed_latency_s(measurement)
    facts = {"longest": f"{longest:.2f}", "median": f"{median(measurement.seconds):.2f}"}
    if declared is None:
        yield Capability(
            subject=id_,
            kind=CapabilityKind.LATENCY,
            evidence=CapabilityEvidence.MEASURED,
            text_key="latency.measured",
            facts=facts,
        )
    elif longest > declared:
        facts |= {"declared": f"{declared:g}", "fit": f"{fit:g}", "device": id_}
        yield Capability(
            subject=id_,
            kind=CapabilityKind.LATENCY,
            evidence=CapabilityEvidence.MISSING,
            text_key="latency.longer",
            facts=facts,
        )
    else:
        facts |= {"declared": f"{declared:g}"}
        yield Capability(
            subject=id_,
            kind=CapabilityKind.LATENCY,
            evidence=CapabilityEvidence.MEASURED,
            text_key="latency.within",
            facts=facts,
        )


# ---- entrances ------------------------------------------------------------------------------------------------------


def _independence_capabilities(home: Home, name: str, section: EntranceSection) -> Iterator[Capability]:
    door = home.devices[section.door]
    facts = {"door": section.door, "lock": section.lock}
    if depends_on_lock(home, section.lock, section.door):
        yield Capability(
            subject=name,
            kind=CapabilityKind.DOOR,
            evidence=CapabilityEvidence.MISSING,
            text_key="door.dependent",
            facts=facts,
            forbids=True,
        )
    elif section.living_space and isinstance(door, DoorDevice) and not door.can_be_queried:
        yield Capability(
            subject=name,
            kind=CapabilityKind.DOOR,
            evidence=CapabilityEvidence.MISSING,
            text_key="door.unasked",
            facts=facts,
            forbids=True,
        )
    else:
        yield Capability(
            subject=name,
            kind=CapabilityKind.DOOR,
            evidence=CapabilityEvidence.DECLARED,
            text_key="door.independent",
            facts=facts,
        )


def _way_out_capability(name: str, section: EntranceSection, walk_status: WalkTestStatus) -> Capability:
    if not section.way_out_by_hand:
        return Capability(
            subject=name,
            kind=CapabilityKind.WAY_OUT,
            evidence=CapabilityEvidence.MISSING,
            text_key="way_out.missing",
            forbids=True,
        )
    tried = walk_status is WalkTestStatus.PASSED
    ground, said = (
        (CapabilityEvidence.MEASURED, "way_out.measured")
        if tried
        else (CapabilityEvidence.DECLARED, "way_out.declared")
    )
    return Capability(subject=name, kind=CapabilityKind.WAY_OUT, evidence=ground, text_key=said)


def _walk_test_capability(name: str, walk_status: WalkTestStatus) -> Capability:
    ground = {
        WalkTestStatus.PASSED: CapabilityEvidence.MEASURED,
        WalkTestStatus.NEVER: CapabilityEvidence.UNKNOWN,
        WalkTestStatus.UNDER_WAY: CapabilityEvidence.UNKNOWN,
        WalkTestStatus.STALE: CapabilityEvidence.UNKNOWN,
        WalkTestStatus.FAILED: CapabilityEvidence.MISSING,
        WalkTestStatus.BLOCKED: CapabilityEvidence.MISSING,
    }[walk_status]
    forbids = walk_status in (WalkTestStatus.FAILED, WalkTestStatus.BLOCKED)
    return Capability(
        subject=name,
        kind=CapabilityKind.WALK,
        evidence=ground,
        text_key=f"walk.{walk_status}",
        facts={"entrance": name},
        forbids=forbids,
    )
