"""Determines what each device can promise, from which source, and what an unattended visit still lacks.

Pure: it takes `home.yaml`, the measurements of this house and the status of the walk test. A promise without a
declaration and without a measurement is unknown, and is reported so. KeyError: no such device or entrance.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from enum import StrEnum, auto
from statistics import median
from typing import Final

from gateway.config.closures import entrance_closures
from gateway.config.devices import (
    AnyDevice,
    CameraDevice,
    CarDevice,
    CompartmentDevice,
    ContentDevice,
    CoverDevice,
    DoorDevice,
    KeyDevice,
    LockDevice,
    StrikeDevice,
)
from gateway.config.home import EntranceSection, Home
from gateway.config.topics import depends_on_lock
from gateway.domain.frozen import Frozen
from gateway.domain.timing import Timing
from gateway.domain.visit.closures import AnyClosure
from gateway.domain.visit.closures.contract import ORDER_ROLE
from gateway.installation.trials import KIND_TRIALS, WalkTrial
from gateway.system.config_section import ConfigSection
from gateway.system.i18n import Text, _, decimal_text

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
    """The measurement of one device by `perron test`."""

    at: datetime
    asked: int  # the number of queries
    seconds: tuple[float, ...]  # of each answer
    bolt: bool | None = None  # it reported a known state each time; None: it has no bolt
    door: bool | None = None  # the same of a door


class Capability(Frozen, kw_only=False):
    """One promise of a device or an entrance, or what is missing. `forbids`: it forbids unattended visits."""

    evidence: CapabilityEvidence
    text: Text
    forbids: bool = False
    command: str = ""  # by which somebody at the box's terminal tries it or goes on; a page has a button instead
    todo: Text | None = None  # what to write into the house file there; a page asks instead (`questions.py`)

    @property
    def text_with_command(self) -> Text:
        """The text for the terminal."""
        if self.todo is not None:
            return _("{statement} In the house file: {todo}", statement=self.text, todo=self.todo)
        if not self.command:
            return self.text
        return _("{statement} At the terminal: `{command}`", statement=self.text, command=self.command)


_TIMED = LockDevice | CoverDevice | CompartmentDevice
_DECLARED, _MEASURED = CapabilityEvidence.DECLARED, CapabilityEvidence.MEASURED
_UNKNOWN, _MISSING = CapabilityEvidence.UNKNOWN, CapabilityEvidence.MISSING

CAR_NEVER_OPENS: Final = _(
    "Its boot can never be opened: nobody can ask it, so nobody knows what is true now. What it says "
    "that is bad counts for another device of the same car."
)

WALK_TEST_CAPABILITIES: Final[Mapping[WalkTestStatus, Capability]] = {
    WalkTestStatus.NEVER: Capability(_UNKNOWN, _("The walk test was not made yet.")),
    WalkTestStatus.UNDER_WAY: Capability(_UNKNOWN, _("The walk test is under way.")),
    WalkTestStatus.STALE: Capability(_UNKNOWN, _("The walk test was passed with other devices: make it anew.")),
    WalkTestStatus.PASSED: Capability(_MEASURED, _("The walk test is passed: the known faults were tried here.")),
    WalkTestStatus.FAILED: Capability(
        _MISSING,
        _("The walk test is not passed: no unattended visit before it is."),
        forbids=True,
    ),
    WalkTestStatus.BLOCKED: Capability(
        _MISSING,
        _(
            "A camera sees a neighbour's door or the street: no unattended visit before it is turned and the test made "
            "anew."
        ),
        forbids=True,
    ),
}


def walk_test_capability(status: WalkTestStatus, entrance: str) -> Capability:
    """Return what the walk test of an entrance has shown."""
    command = "" if status is WalkTestStatus.PASSED else f"perron walk-test {entrance}"
    return replace(WALK_TEST_CAPABILITIES[status], command=command)


def device_capabilities(home: Home, id_: str, measurement: Measurement | None) -> Iterator[Capability]:
    """Yield what a device can promise, what is missing, and from which source."""
    device = home.devices[id_]
    match device:
        case LockDevice():
            yield _bolt_capability(id_, measurement)
            yield _guarded_capability(device)
            yield _auto_lock_capability(id_, device)
        case CoverDevice():
            yield _guarded_capability(device)
            yield _beam_capability(device)
        case CarDevice(can_be_queried=True):
            yield Capability(_DECLARED, _("It answers when it is asked."))
        case CarDevice():
            yield Capability(_MISSING, CAR_NEVER_OPENS)
        case StrikeDevice():
            yield from _strike_capabilities(device)
        case CompartmentDevice():
            yield _guarded_capability(device)
            yield _answer_capability(id_, device, measurement)
        case ContentDevice() | KeyDevice():
            yield _answer_capability(id_, device, measurement)
        case DoorDevice():
            yield _sensor_capability(id_, device, measurement)
        case CameraDevice():
            yield _picture_capability(id_, device)
        case _:
            pass
    yield from _latency_capabilities(id_, device, measurement)


def entrance_capabilities(
    home: Home, name: str, measurements: Mapping[str, Measurement], walk_status: WalkTestStatus
) -> tuple[Capability, ...]:
    """Return what an entrance can promise; it admits unattended visits if no capability `forbids` them."""
    section = home.entrances[name]
    return (
        *(
            _independence_capability(home, section, closure, role)
            for closure in entrance_closures(home, name)
            for role in sorted(closure.independent_roles)
        ),
        *_way_out_capability(section, entrance_closures(home, name), walk_status),
        *(
            capability
            for id_ in section.closure_devices
            for capability in device_capabilities(home, id_, measurements.get(id_))
            if capability.forbids
        ),
        walk_test_capability(walk_status, name),
    )


def _bolt_capability(id_: str, measurement: Measurement | None) -> Capability:
    if measurement is not None and measurement.bolt is None:
        return Capability(_DECLARED, _("A lock of this kind tells where its bolt is; asked here, it did not tell it."))
    if measurement is None:
        text = _("A lock of this kind tells where its bolt is; not tried here yet.")
        return Capability(_DECLARED, text, command=f"perron test {id_}")
    if measurement.bolt:
        return Capability(_MEASURED, _("Asked, it told where its bolt is."))
    text = _("It answers, but not where its bolt is: nobody can know that the door is locked. No unattended visit.")
    return Capability(_MISSING, text, forbids=True)


def _guarded_capability(lock: LockDevice | CoverDevice | StrikeDevice | CompartmentDevice) -> Capability:
    if isinstance(lock, LockDevice) and lock.refuses_late:
        return Capability(_DECLARED, _("Guarded: it refuses a late or repeated command by itself."))
    text = _(
        "Basic: it cannot refuse a late or repeated command; Perron waits {life} s longer before it says “locked”."
    )
    return Capability(_MISSING, text.with_facts(life=f"{Timing().command_life:g}"))


def _strike_capabilities(strike: StrikeDevice) -> Iterator[Capability]:
    yield _guarded_capability(strike)
    text = _(
        "It lets go for {release} s and says nothing: a contact of the door itself must tell whether it opened and "
        "fell shut."
    )
    yield Capability(_MISSING, text.with_facts(release=f"{strike.release:g}"))


def _answer_capability(
    id_: str, device: CompartmentDevice | ContentDevice | KeyDevice, measurement: Measurement | None
) -> Capability:
    if device.can_be_queried and measurement is not None and measurement.seconds:
        return Capability(_MEASURED, _("Asked, it told its state."))
    if device.can_be_queried and measurement is not None:
        return Capability(_DECLARED, _("It can be asked; asked here, it told nothing."))
    if device.can_be_queried:
        return Capability(_DECLARED, _("It can be asked; not tried here yet."), command=f"perron test {id_}")
    text = _(
        "It speaks by itself, at least every {heartbeat} s, and cannot be asked: an opening is never given back.",
        heartbeat=f"{device.heartbeat:g}",
    )
    return Capability(_MISSING, text)


def _beam_capability(cover: CoverDevice) -> Capability:
    if cover.beam:
        return Capability(_DECLARED, _("It answers whether its light beam is free: the box may close this door."))
    text = _("Its light beam cannot be asked: the box never closes this door; the courier or the household does.")
    return Capability(_MISSING, text)


def _auto_lock_capability(id_: str, lock: LockDevice) -> Capability:
    if lock.auto_lock is None:
        todo = _("write `auto_lock: true` or `false` under {device}.", device=id_)
        return Capability(_UNKNOWN, _("Nobody has said whether it locks by itself."), todo=todo)
    if lock.auto_lock:
        return Capability(_DECLARED, _("It locks by itself, also when the box is dead."))
    text = _(
        "It does not lock by itself: should the box die during a visit, the door stays unlocked until somebody locks "
        "it."
    )
    return Capability(_MISSING, text)


def _sensor_capability(id_: str, door: DoorDevice, measurement: Measurement | None) -> Capability:
    if not door.can_be_queried:
        text = _(
            "It speaks by itself, at least every {heartbeat} s, and cannot be asked: not for an entrance to the living "
            "space.",
            heartbeat=f"{door.heartbeat:g}",
        )
        return Capability(_DECLARED, text)
    if measurement is not None and measurement.door is None:
        return Capability(_DECLARED, _("A sensor that can be asked; asked here, it did not tell where the door is."))
    if measurement is None:
        text = _("A sensor that can be asked; not tried here yet.")
        return Capability(_DECLARED, text, command=f"perron test {id_}")
    if measurement.door:
        return Capability(_MEASURED, _("Asked, it told where the door is."))
    return Capability(_MISSING, _("It answers, but not where the door is. No unattended visit."), forbids=True)


def _picture_capability(id_: str, camera: CameraDevice) -> Capability:
    if camera.clock_region is None:
        text = _("Without a known burnt-in clock a frozen picture cannot be told from an empty hall.")
        todo = _("write where it is as `clock_region` under {device}.", device=id_)
        return Capability(_MISSING, text, todo=todo)
    return Capability(_DECLARED, _("Its burnt-in clock is known: a picture that stands still is noticed."))


def fitting_latency(device: AnyDevice, measurement: Measurement | None) -> int | None:
    """Return the latency to declare, in seconds, if a device answered later than declared; None: it did not."""
    if not isinstance(device, _TIMED) or measurement is None or not measurement.seconds:
        return None
    longest = max(measurement.seconds)
    return int(longest * LATENCY_MARGIN_FACTOR) + 1 if longest > device.latency else None


def _latency_capabilities(id_: str, device: AnyDevice, measurement: Measurement | None) -> Iterator[Capability]:
    declared = device.latency if isinstance(device, _TIMED) else None
    if measurement is None or not measurement.asked:
        if declared is not None:
            text = _("Declared to answer within {declared} s; not measured yet.", declared=f"{declared:g}")
            yield Capability(_DECLARED, text, command=f"perron test {id_}")
        return
    silent = measurement.asked - len(measurement.seconds)
    if silent:
        text = _("It did not answer {silent} of {asked} times.", silent=str(silent), asked=str(measurement.asked))
        yield Capability(_MISSING, text)
    if not measurement.seconds:
        return
    longest = max(measurement.seconds)
    facts = {"longest": decimal_text(longest, 2), "median": decimal_text(median(measurement.seconds), 2)}
    if declared is None:
        yield Capability(_MEASURED, _("Answers within {median} s (median), {longest} s at most.", **facts))
    elif longest > declared:
        text = _("It took {longest} s (median {median} s), longer than the {declared} s declared.")
        todo = _("write `latency: {fit}` under {device}.", fit=str(fitting_latency(device, measurement)), device=id_)
        yield Capability(_MISSING, text.with_facts(**facts, declared=f"{declared:g}"), todo=todo)
    else:
        text = _("Answers within {median} s (median), {longest} s at most; declared: {declared} s.")
        yield Capability(_MEASURED, text.with_facts(**facts, declared=f"{declared:g}"))


def _independence_capability(home: Home, section: EntranceSection, closure: AnyClosure, role: str) -> Capability:
    sensor, order = closure.devices[role], closure.devices[ORDER_ROLE]
    door = home.devices[sensor]
    facts = {"door": sensor, "lock": order}
    if home.devices[order].kind == "lock" and depends_on_lock(home, order, sensor):
        text = _(
            "{door} is the lock {lock}'s own sensor: a lock that is wrong about its bolt may be wrong about the door. "
            "Put up an independent one; until then no unattended visit."
        )
        return Capability(_MISSING, text.with_facts(**facts), forbids=True)
    if section.living_space and isinstance(door, DoorDevice) and not door.can_be_queried:
        text = _(
            "{door} cannot be asked: that will not do for an entrance to the living space. No unattended visit. No "
            "Zigbee contact that we know of will do: those that answer run on a battery and sleep. Put up a wired "
            "sensor (ESPHome), or take another entrance."
        )
        return Capability(_MISSING, text.with_facts(**facts), forbids=True)
    if not isinstance(door, DoorDevice):
        return Capability(_DECLARED, _("{door} does not depend on {lock}, which opens the closure.", **facts))
    return Capability(_DECLARED, _("{door} sees the door and does not depend on the lock {lock}.", **facts))


def _way_out_capability(
    section: EntranceSection, closures: tuple[AnyClosure, ...], walk_status: WalkTestStatus
) -> Iterator[Capability]:
    """Yield whether nobody can be locked in; yield nothing if nobody goes in, as at a parcel box."""
    if not section.way_out_by_hand:
        text = _("From inside the door does not open by hand: somebody could be locked in. No unattended visit.")
        yield Capability(_MISSING, text, forbids=True)
    elif not any(WalkTrial.WAY_OUT in KIND_TRIALS[one.kind].before for one in closures):
        return
    elif walk_status is WalkTestStatus.PASSED:
        yield Capability(_MEASURED, _("Tried here: from inside the door opens by hand, without key or power."))
    else:
        yield Capability(_DECLARED, _("Declared: from inside the door opens by hand, without key or power."))
