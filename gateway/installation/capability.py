"""Determines what each device can promise, from which source, and what an unattended visit still lacks.

Pure: out of `home.yaml`, what was measured here, and how the walk test stands. A promise that nobody declared and
nothing has shown is unknown, and unknown is said as such. `words.py` puts each sentence into French and English.
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

LATENCY_MARGIN_FACTOR = 1.5  # a latency is proposed so many times longer than the longest answer that was measured


class CapabilityKind(StrEnum):
    """What a device or an entrance may promise."""

    BOLT = auto()  # tells where its bolt is
    DOOR = auto()  # a door sensor that does not depend on the lock
    AUTO_LOCK = auto()  # locks by itself, also when the box is dead
    WAY_OUT = auto()  # whoever is inside gets out by hand, without key or power
    LATENCY = auto()  # answers within what is declared
    GUARDED = auto()  # refuses late and repeated commands by itself
    PICTURE = auto()  # shows when its picture stands still
    WALK = auto()  # the known faults were tried here, with somebody at the door


class CapabilityEvidence(StrEnum):
    """Why a promise is believed, or not."""

    MEASURED = auto()
    DECLARED = auto()
    UNKNOWN = auto()  # nobody said so, nothing was measured
    MISSING = auto()  # it is known that this is not promised


class WalkTestStatus(StrEnum):
    """How an entrance's walk test stands."""

    NEVER = auto()
    UNDER_WAY = auto()
    PASSED = auto()
    FAILED = auto()  # a fault went unnoticed, or something did not work
    STALE = auto()  # passed, with other devices than those that stand here now
    BLOCKED = auto()  # a camera sees a neighbour's door or the street


class Measurement(ConfigSection):
    """What `perron test` measured of one device. `bolt` and `door`: whether it told a known state; None: not its kind.

    `seconds` has each answer's time; questions without an answer are in `asked` alone.
    """

    at: datetime
    asked: int
    seconds: tuple[float, ...]
    bolt: bool | None = None
    door: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Capability:
    """One promise, or what is missing. `said` names the sentence in `words.py`, `facts` what stands in it.

    `forbids`: without it no unattended visit.
    """

    of: str  # the device, or the entrance
    facet: CapabilityKind
    ground: CapabilityEvidence
    said: str
    facts: Mapping[str, str] = field(default_factory=dict)
    forbids: bool = False


def device_capabilities(home: Home, id_: str, measured: Measurement | None) -> tuple[Capability, ...]:
    """Say what a device can promise, what is missing of it, and on which ground.

    Raises:
        KeyError: no such device.
    """
    device = home.devices[id_]
    if isinstance(device, LockDevice):
        found = (
            *_bolt_capabilities(id_, measured),
            _guarded_capability(id_, device),
            _auto_lock_capability(id_, device),
        )
    elif isinstance(device, CoverDevice):
        found = (_guarded_capability(id_, device),)
    elif isinstance(device, DoorDevice):
        found = (_sensor_capability(id_, device, measured),)
    elif isinstance(device, CameraDevice):
        found = (_picture_capability(id_, device),)
    else:
        found = ()
    return (*found, *_latency_capabilities(id_, device, measured))


def entrance_capabilities(
    home: Home, name: str, measured: Mapping[str, Measurement], walked: WalkTestStatus
) -> tuple[Capability, ...]:
    """Say what an entrance can promise, and what forbids an unattended visit there: nothing that forbids, and it may.

    Raises:
        KeyError: no such entrance.
    """
    section = home.entrances[name]
    return (
        *_independence_capabilities(home, name, section),
        _way_out_capability(name, section, walked),
        *(
            one
            for id_ in (section.lock, section.door)
            for one in device_capabilities(home, id_, measured.get(id_))
            if one.forbids
        ),
        _walk_test_capability(name, walked),
    )


def proposed_latency_s(measured: Measurement) -> float | None:
    """Propose the latency to declare, in whole seconds; None where nothing answered."""
    return None if not measured.seconds else float(int(max(measured.seconds) * LATENCY_MARGIN_FACTOR) + 1)


# ---- devices --------------------------------------------------------------------------------------------------------


def _bolt_capabilities(id_: str, measured: Measurement | None) -> Iterator[Capability]:
    match None if measured is None else measured.bolt:
        case None:
            yield Capability(
                of=id_,
                facet=CapabilityKind.BOLT,
                ground=CapabilityEvidence.DECLARED,
                said="bolt.declared",
                facts={"device": id_},
            )
        case True:
            yield Capability(
                of=id_, facet=CapabilityKind.BOLT, ground=CapabilityEvidence.MEASURED, said="bolt.measured"
            )
        case False:
            yield Capability(
                of=id_, facet=CapabilityKind.BOLT, ground=CapabilityEvidence.MISSING, said="bolt.missing", forbids=True
            )
        case never:
            assert_never(never)


def _guarded_capability(id_: str, lock: LockDevice | CoverDevice) -> Capability:
    if isinstance(lock, LockDevice) and lock.refuses_late:
        return Capability(
            of=id_, facet=CapabilityKind.GUARDED, ground=CapabilityEvidence.DECLARED, said="guarded.declared"
        )
    life = {"life": f"{Timing().command_life:g}"}
    return Capability(
        of=id_, facet=CapabilityKind.GUARDED, ground=CapabilityEvidence.MISSING, said="guarded.missing", facts=life
    )


def _auto_lock_capability(id_: str, lock: LockDevice) -> Capability:
    match lock.auto_lock:
        case None:
            facts = {"device": id_}
            return Capability(
                of=id_,
                facet=CapabilityKind.AUTO_LOCK,
                ground=CapabilityEvidence.UNKNOWN,
                said="auto_lock.unknown",
                facts=facts,
            )
        case True:
            return Capability(
                of=id_, facet=CapabilityKind.AUTO_LOCK, ground=CapabilityEvidence.DECLARED, said="auto_lock.declared"
            )
        case False:
            return Capability(
                of=id_, facet=CapabilityKind.AUTO_LOCK, ground=CapabilityEvidence.MISSING, said="auto_lock.missing"
            )
        case never:
            assert_never(never)


def _sensor_capability(id_: str, door: DoorDevice, measured: Measurement | None) -> Capability:
    told = None if measured is None else measured.door
    if not door.can_be_queried:
        facts = {"heartbeat": f"{door.heartbeat:g}"}
        return Capability(
            of=id_, facet=CapabilityKind.DOOR, ground=CapabilityEvidence.DECLARED, said="door.basic", facts=facts
        )
    match told:
        case None:
            return Capability(
                of=id_,
                facet=CapabilityKind.DOOR,
                ground=CapabilityEvidence.DECLARED,
                said="door.declared",
                facts={"device": id_},
            )
        case True:
            return Capability(
                of=id_, facet=CapabilityKind.DOOR, ground=CapabilityEvidence.MEASURED, said="door.measured"
            )
        case False:
            return Capability(
                of=id_, facet=CapabilityKind.DOOR, ground=CapabilityEvidence.MISSING, said="door.untold", forbids=True
            )
        case never:
            assert_never(never)


def _picture_capability(id_: str, camera: CameraDevice) -> Capability:
    if camera.clock_region is None:
        return Capability(
            of=id_, facet=CapabilityKind.PICTURE, ground=CapabilityEvidence.MISSING, said="picture.missing"
        )
    return Capability(of=id_, facet=CapabilityKind.PICTURE, ground=CapabilityEvidence.DECLARED, said="picture.declared")


def _latency_capabilities(id_: str, device: AnyDevice, measured: Measurement | None) -> Iterator[Capability]:
    declared = device.latency if isinstance(device, LockDevice | CoverDevice) else None
    if measured is None or not measured.asked:
        if declared is not None:
            facts = {"declared": f"{declared:g}", "device": id_}
            yield Capability(
                of=id_,
                facet=CapabilityKind.LATENCY,
                ground=CapabilityEvidence.DECLARED,
                said="latency.declared",
                facts=facts,
            )
        return
    silent = measured.asked - len(measured.seconds)
    if silent:
        facts = {"silent": str(silent), "asked": str(measured.asked)}
        yield Capability(
            of=id_, facet=CapabilityKind.LATENCY, ground=CapabilityEvidence.MISSING, said="latency.silent", facts=facts
        )
    if not measured.seconds:
        return
    longest, fit = max(measured.seconds), proposed_latency_s(measured)
    facts = {"longest": f"{longest:.2f}", "median": f"{median(measured.seconds):.2f}"}
    if declared is None:
        yield Capability(
            of=id_,
            facet=CapabilityKind.LATENCY,
            ground=CapabilityEvidence.MEASURED,
            said="latency.measured",
            facts=facts,
        )
    elif longest > declared:
        facts |= {"declared": f"{declared:g}", "fit": f"{fit:g}", "device": id_}
        yield Capability(
            of=id_, facet=CapabilityKind.LATENCY, ground=CapabilityEvidence.MISSING, said="latency.longer", facts=facts
        )
    else:
        facts |= {"declared": f"{declared:g}"}
        yield Capability(
            of=id_, facet=CapabilityKind.LATENCY, ground=CapabilityEvidence.MEASURED, said="latency.within", facts=facts
        )


# ---- entrances ------------------------------------------------------------------------------------------------------


def _independence_capabilities(home: Home, name: str, section: EntranceSection) -> Iterator[Capability]:
    door = home.devices[section.door]
    facts = {"door": section.door, "lock": section.lock}
    if depends_on_lock(home, section.lock, section.door):
        yield Capability(
            of=name,
            facet=CapabilityKind.DOOR,
            ground=CapabilityEvidence.MISSING,
            said="door.dependent",
            facts=facts,
            forbids=True,
        )
    elif section.living_space and isinstance(door, DoorDevice) and not door.can_be_queried:
        yield Capability(
            of=name,
            facet=CapabilityKind.DOOR,
            ground=CapabilityEvidence.MISSING,
            said="door.unasked",
            facts=facts,
            forbids=True,
        )
    else:
        yield Capability(
            of=name, facet=CapabilityKind.DOOR, ground=CapabilityEvidence.DECLARED, said="door.independent", facts=facts
        )


def _way_out_capability(name: str, section: EntranceSection, walked: WalkTestStatus) -> Capability:
    if not section.way_out_by_hand:
        return Capability(
            of=name,
            facet=CapabilityKind.WAY_OUT,
            ground=CapabilityEvidence.MISSING,
            said="way_out.missing",
            forbids=True,
        )
    tried = walked is WalkTestStatus.PASSED
    ground, said = (
        (CapabilityEvidence.MEASURED, "way_out.measured")
        if tried
        else (CapabilityEvidence.DECLARED, "way_out.declared")
    )
    return Capability(of=name, facet=CapabilityKind.WAY_OUT, ground=ground, said=said)


def _walk_test_capability(name: str, walked: WalkTestStatus) -> Capability:
    ground = {
        WalkTestStatus.PASSED: CapabilityEvidence.MEASURED,
        WalkTestStatus.NEVER: CapabilityEvidence.UNKNOWN,
        WalkTestStatus.UNDER_WAY: CapabilityEvidence.UNKNOWN,
        WalkTestStatus.STALE: CapabilityEvidence.UNKNOWN,
        WalkTestStatus.FAILED: CapabilityEvidence.MISSING,
        WalkTestStatus.BLOCKED: CapabilityEvidence.MISSING,
    }[walked]
    forbids = walked in (WalkTestStatus.FAILED, WalkTestStatus.BLOCKED)
    return Capability(
        of=name,
        facet=CapabilityKind.WALK,
        ground=ground,
        said=f"walk.{walked}",
        facts={"entrance": name},
        forbids=forbids,
    )
