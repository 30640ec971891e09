"""What each device of a house can promise, on which ground, and what is missing for a visit while nobody is home.

Pure: out of `home.yaml`, what was measured here, and how the walk test stands. A promise that nobody declared and
nothing has shown is unknown, and unknown is said as such. `words.py` puts each sentence into French and English.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum, auto
from statistics import median
from typing import assert_never

from gateway.config.devices import CameraDevice, CoverDevice, Device, DoorDevice, LockDevice
from gateway.config.fields import Section
from gateway.config.home import EntranceSection, Home
from gateway.config.sensor_independence import depends
from gateway.domain.timing import Timing

MARGIN = 1.5  # a latency is proposed so many times longer than the longest answer that was measured


class Facet(StrEnum):
    """What a device or an entrance may promise."""

    BOLT = auto()  # tells where its bolt is
    DOOR = auto()  # a door sensor that does not depend on the lock
    AUTO_LOCK = auto()  # locks by itself, also when the box is dead
    WAY_OUT = auto()  # whoever is inside gets out by hand, without key or power
    LATENCY = auto()  # answers within what is declared
    GUARDED = auto()  # refuses late and repeated commands by itself
    PICTURE = auto()  # shows when its picture stands still
    WALK = auto()  # the known faults were tried here, with somebody at the door


class Ground(StrEnum):
    """Why a promise is believed, or not."""

    MEASURED = auto()
    DECLARED = auto()
    UNKNOWN = auto()  # nobody said so, nothing was measured
    MISSING = auto()  # it is known that this is not promised


class Walked(StrEnum):
    """How an entrance's walk test stands."""

    NEVER = auto()
    UNDER_WAY = auto()
    PASSED = auto()
    FAILED = auto()  # a fault went unnoticed, or something did not work
    STALE = auto()  # passed, with other devices than those that stand here now
    BLOCKED = auto()  # a camera sees a neighbour's door or the street


class Measurement(Section):
    """What `perron test` measured of one device. `bolt` and `door`: whether it told a known state; None: not its kind.

    `seconds` has each answer's time; questions without an answer are in `asked` alone.
    """

    at: datetime
    asked: int
    seconds: tuple[float, ...]
    bolt: bool | None = None
    door: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """One promise, or what is missing. `said` names the sentence in `words.py`, `facts` what stands in it.

    `forbids`: without it no unattended visit.
    """

    of: str  # the device, or the entrance
    facet: Facet
    ground: Ground
    said: str
    facts: Mapping[str, str] = field(default_factory=dict)
    forbids: bool = False


def promises(home: Home, id_: str, measured: Measurement | None) -> tuple[Promise, ...]:
    """Say what a device can promise, what is missing of it, and on which ground.

    Raises:
        KeyError: no such device.
    """
    device = home.devices[id_]
    if isinstance(device, LockDevice):
        found = (*_bolt(id_, measured), _guarded(id_, device), _auto_lock(id_, device))
    elif isinstance(device, CoverDevice):
        found = (_guarded(id_, device),)
    elif isinstance(device, DoorDevice):
        found = (_sensor(id_, device, measured),)
    elif isinstance(device, CameraDevice):
        found = (_picture(id_, device),)
    else:
        found = ()
    return (*found, *_latency(id_, device, measured))


def entrance_promises(
    home: Home, name: str, measured: Mapping[str, Measurement], walked: Walked
) -> tuple[Promise, ...]:
    """Say what an entrance can promise, and what forbids an unattended visit there: nothing that forbids, and it may.

    Raises:
        KeyError: no such entrance.
    """
    section = home.entrances[name]
    return (
        *_independent(home, name, section),
        _way_out(name, section, walked),
        *(one for id_ in (section.lock, section.door) for one in promises(home, id_, measured.get(id_)) if one.forbids),
        _walk(name, walked),
    )


def proposed(measured: Measurement) -> float | None:
    """Propose the latency to declare, in whole seconds; None where nothing answered."""
    return None if not measured.seconds else float(int(max(measured.seconds) * MARGIN) + 1)


# ---- devices --------------------------------------------------------------------------------------------------------


def _bolt(id_: str, measured: Measurement | None) -> Iterator[Promise]:
    match None if measured is None else measured.bolt:
        case None:
            yield Promise(of=id_, facet=Facet.BOLT, ground=Ground.DECLARED, said="bolt.declared", facts={"device": id_})
        case True:
            yield Promise(of=id_, facet=Facet.BOLT, ground=Ground.MEASURED, said="bolt.measured")
        case False:
            yield Promise(of=id_, facet=Facet.BOLT, ground=Ground.MISSING, said="bolt.missing", forbids=True)
        case never:
            assert_never(never)


def _guarded(id_: str, lock: LockDevice | CoverDevice) -> Promise:
    if isinstance(lock, LockDevice) and lock.refuses_late:
        return Promise(of=id_, facet=Facet.GUARDED, ground=Ground.DECLARED, said="guarded.declared")
    life = {"life": f"{Timing().command_life:g}"}
    return Promise(of=id_, facet=Facet.GUARDED, ground=Ground.MISSING, said="guarded.missing", facts=life)


def _auto_lock(id_: str, lock: LockDevice) -> Promise:
    match lock.auto_lock:
        case None:
            facts = {"device": id_}
            return Promise(of=id_, facet=Facet.AUTO_LOCK, ground=Ground.UNKNOWN, said="auto_lock.unknown", facts=facts)
        case True:
            return Promise(of=id_, facet=Facet.AUTO_LOCK, ground=Ground.DECLARED, said="auto_lock.declared")
        case False:
            return Promise(of=id_, facet=Facet.AUTO_LOCK, ground=Ground.MISSING, said="auto_lock.missing")
        case never:
            assert_never(never)


def _sensor(id_: str, door: DoorDevice, measured: Measurement | None) -> Promise:
    told = None if measured is None else measured.door
    if not door.asked:
        facts = {"heartbeat": f"{door.heartbeat:g}"}
        return Promise(of=id_, facet=Facet.DOOR, ground=Ground.DECLARED, said="door.basic", facts=facts)
    match told:
        case None:
            return Promise(
                of=id_, facet=Facet.DOOR, ground=Ground.DECLARED, said="door.declared", facts={"device": id_}
            )
        case True:
            return Promise(of=id_, facet=Facet.DOOR, ground=Ground.MEASURED, said="door.measured")
        case False:
            return Promise(of=id_, facet=Facet.DOOR, ground=Ground.MISSING, said="door.untold", forbids=True)
        case never:
            assert_never(never)


def _picture(id_: str, camera: CameraDevice) -> Promise:
    if camera.clock_region is None:
        return Promise(of=id_, facet=Facet.PICTURE, ground=Ground.MISSING, said="picture.missing")
    return Promise(of=id_, facet=Facet.PICTURE, ground=Ground.DECLARED, said="picture.declared")


def _latency(id_: str, device: Device, measured: Measurement | None) -> Iterator[Promise]:
    declared = device.latency if isinstance(device, LockDevice | CoverDevice) else None
    if measured is None or not measured.asked:
        if declared is not None:
            facts = {"declared": f"{declared:g}", "device": id_}
            yield Promise(of=id_, facet=Facet.LATENCY, ground=Ground.DECLARED, said="latency.declared", facts=facts)
        return
    silent = measured.asked - len(measured.seconds)
    if silent:
        facts = {"silent": str(silent), "asked": str(measured.asked)}
        yield Promise(of=id_, facet=Facet.LATENCY, ground=Ground.MISSING, said="latency.silent", facts=facts)
    if not measured.seconds:
        return
    longest, fit = max(measured.seconds), proposed(measured)
    facts = {"longest": f"{longest:.2f}", "median": f"{median(measured.seconds):.2f}"}
    if declared is None:
        yield Promise(of=id_, facet=Facet.LATENCY, ground=Ground.MEASURED, said="latency.measured", facts=facts)
    elif longest > declared:
        facts |= {"declared": f"{declared:g}", "fit": f"{fit:g}", "device": id_}
        yield Promise(of=id_, facet=Facet.LATENCY, ground=Ground.MISSING, said="latency.longer", facts=facts)
    else:
        facts |= {"declared": f"{declared:g}"}
        yield Promise(of=id_, facet=Facet.LATENCY, ground=Ground.MEASURED, said="latency.within", facts=facts)


# ---- entrances ------------------------------------------------------------------------------------------------------


def _independent(home: Home, name: str, section: EntranceSection) -> Iterator[Promise]:
    door = home.devices[section.door]
    facts = {"door": section.door, "lock": section.lock}
    if depends(home, section.lock, section.door):
        yield Promise(
            of=name, facet=Facet.DOOR, ground=Ground.MISSING, said="door.dependent", facts=facts, forbids=True
        )
    elif section.living_space and isinstance(door, DoorDevice) and not door.asked:
        yield Promise(of=name, facet=Facet.DOOR, ground=Ground.MISSING, said="door.unasked", facts=facts, forbids=True)
    else:
        yield Promise(of=name, facet=Facet.DOOR, ground=Ground.DECLARED, said="door.independent", facts=facts)


def _way_out(name: str, section: EntranceSection, walked: Walked) -> Promise:
    if not section.way_out_by_hand:
        return Promise(of=name, facet=Facet.WAY_OUT, ground=Ground.MISSING, said="way_out.missing", forbids=True)
    tried = walked is Walked.PASSED
    ground, said = (Ground.MEASURED, "way_out.measured") if tried else (Ground.DECLARED, "way_out.declared")
    return Promise(of=name, facet=Facet.WAY_OUT, ground=ground, said=said)


def _walk(name: str, walked: Walked) -> Promise:
    ground = {
        Walked.PASSED: Ground.MEASURED,
        Walked.NEVER: Ground.UNKNOWN,
        Walked.UNDER_WAY: Ground.UNKNOWN,
        Walked.STALE: Ground.UNKNOWN,
        Walked.FAILED: Ground.MISSING,
        Walked.BLOCKED: Ground.MISSING,
    }[walked]
    forbids = walked in (Walked.FAILED, Walked.BLOCKED)
    return Promise(
        of=name, facet=Facet.WALK, ground=ground, said=f"walk.{walked}", facts={"entrance": name}, forbids=forbids
    )
