"""Supports Nuki locks and the Nuki Opener behind Nuki Hub, a firmware for an ESP32.

It has Bluetooth to the lock and MQTT to the house:

    <address>/lock/json                        {"lock_state": "locked", "trigger": "manual", "lock_completion_status":
                                               "success", "door_sensor_state": "doorClosed", "auth_name": "", ...}
    <address>/lock/battery/basicJson           {"critical": "0", "charging": "0", "level": 86, "keypadCritical": "0"}
    <address>/maintenance/mqttConnectionState  online; offline is the hub's last will
    <address>/lock/action                      to the hub, bare: lock, unlock, unlatch
    <address>/lock/query/lockstate             to the hub, bare: 1

The Nuki Opener (enrolled as `strike`) releases the street door by the house's own intercom:

    <address>/opener/action                    electricStrikeActuation: it releases once
    <address>/opener/state                     locked, RTOactive, open, opening, uncalibrated
    <address>/opener/ring                      ring, ringlocked: somebody rings
    <address>/opener/battery/basicJson         as the lock's

Its state says nothing of the door, and its acknowledgement nothing of the strike: no query is sent to it. "Ring to
open" (`activateRTO`) lets in whoever rings next, so Perron never arms it.

From Nuki Hub's README and source (github.com/technyon/nuki_hub: NukiNetworkLock.cpp, NukiWrapper.cpp). It publishes
`lock/json` only when it has just read the lock over Bluetooth, changed or not, so the first one after a question is the
lock's own answer; where the reading fails nothing comes. It ignores actions for a moment after it has reconnected.
The lock's own door sensor is left out: an entrance needs one that does not depend on the lock. So is the status of the
last action: each reading repeats it, so it proves nothing about a command; only a blocked motor is read from it.
Who turned the bolt is left out too: it contains the household's names, which the box must not keep.
"""

from collections.abc import Mapping

from devices.commands import Command, LockDoor, QueryState, UnlockDoor
from devices.reports import (
    AvailabilityReport,
    BatteryLevel,
    BatteryReport,
    BoltMotion,
    DoorbellPressed,
    ErrorReport,
    LockReport,
    LockState,
    OperationError,
    OperationSource,
    Report,
    UnreadablePayload,
)
from devices.strict_json import MalformedPayload, mapping, parse, text, write
from devices.vendors import movement
from devices.vendors.definition import Definition, FieldDescription
from devices.vendors.parts import unreadable_as_report
from devices.vendors.words import NO_DEVICE_REF, DeviceRef, Publication, TopicSuffix

# `unlockedLnga`: unlocked by lock 'n' go; the lock will lock itself, but is not locked. A turning bolt has no position.
_STATES: Mapping[str, tuple[LockState, BoltMotion]] = {
    "locked": (LockState.LOCKED, BoltMotion.IDLE),
    "unlocked": (LockState.UNLOCKED, BoltMotion.IDLE),
    "unlockedLnga": (LockState.UNLOCKED, BoltMotion.IDLE),
    "unlatched": (LockState.UNLATCHED, BoltMotion.IDLE),
    "locking": (LockState.NOT_FULLY_LOCKED, BoltMotion.LOCKING),
    "unlocking": (LockState.NOT_FULLY_LOCKED, BoltMotion.UNLOCKING),
    "unlatching": (LockState.NOT_FULLY_LOCKED, BoltMotion.OPENING),
    "motorBlocked": (LockState.UNKNOWN, BoltMotion.IDLE),
}
_TRIGGERS = {
    "autoLock": OperationSource.AUTO,
    "automatic": OperationSource.AUTO,
    "button": OperationSource.BUTTON,
    "manual": OperationSource.MANUAL,
    "system": OperationSource.REMOTE,
}
_SOURCES = {
    OperationSource.AUTO: "autoLock",
    OperationSource.BUTTON: "button",
    OperationSource.MANUAL: "manual",
    OperationSource.REMOTE: "system",
}
_BLOCKED = "motorBlocked"
STRIKE = "strike"  # the enrolled kind of an opener
_RELEASE = b"electricStrikeActuation"
_RINGS = frozenset({b"ring", b"ringlocked"})
_UNCALIBRATED = b"uncalibrated"


def topics(device_ref: DeviceRef) -> Mapping[TopicSuffix, str]:
    """Return the hub's topics; the address is its path (`nuki` unless changed on the hub's page)."""
    if device_ref.kind == STRIKE:
        return {
            TopicSuffix.STATE: f"{device_ref.address}/opener/state",
            TopicSuffix.EVENT: f"{device_ref.address}/opener/ring",
            TopicSuffix.BATTERY: f"{device_ref.address}/opener/battery/basicJson",
            TopicSuffix.AVAILABILITY: f"{device_ref.address}/maintenance/mqttConnectionState",
            TopicSuffix.SET: f"{device_ref.address}/opener/action",
        }
    return {
        TopicSuffix.STATE: f"{device_ref.address}/lock/json",
        TopicSuffix.EVENT: f"{device_ref.address}/lock/battery/basicJson",
        TopicSuffix.AVAILABILITY: f"{device_ref.address}/maintenance/mqttConnectionState",
        TopicSuffix.SET: f"{device_ref.address}/lock/action",
        TopicSuffix.GET: f"{device_ref.address}/lock/query/lockstate",
    }


@unreadable_as_report
def decode_report(suffix: TopicSuffix, payload: bytes, device_ref: DeviceRef = NO_DEVICE_REF) -> tuple[Report, ...]:
    """Parse the hub's message; an unreadable one gives one `UnreadablePayload`."""
    if suffix is TopicSuffix.AVAILABILITY:
        if payload in (b"online", b"offline"):
            return (AvailabilityReport(online=payload == b"online"),)
        return (UnreadablePayload(why="the hub's connection is neither online nor offline"),)
    if device_ref.kind == STRIKE:
        return _opener(suffix, payload)
    match suffix:
        case TopicSuffix.STATE:
            return (_lock(mapping(parse(payload), "the lock")),)
        case TopicSuffix.EVENT:
            return _battery(mapping(parse(payload), "the battery"))
        case _:
            return (UnreadablePayload(why="the hub tells of lock, battery and its connection only"),)


def _opener(suffix: TopicSuffix, payload: bytes) -> tuple[Report, ...]:
    """Read what an opener tells: a ring, its battery, that it is not calibrated. Its state is not the door's."""
    match suffix:
        case TopicSuffix.EVENT:
            return (DoorbellPressed(),) if payload.strip() in _RINGS else ()
        case TopicSuffix.STATE if payload.strip() == _UNCALIBRATED:
            return (ErrorReport(id=None, failure=OperationError.NOT_CALIBRATED),)
        case TopicSuffix.STATE:
            return ()
        case TopicSuffix.BATTERY:
            return _battery(mapping(parse(payload), "the battery"))
        case _:
            raise MalformedPayload("the hub tells of opener, ring, battery and its connection only")


def _lock(body: Mapping[str, object]) -> LockReport:
    state = text(body.get("lock_state"), "lock_state")
    bolt, motion = _STATES.get(state, (LockState.UNKNOWN, BoltMotion.UNKNOWN))
    trigger, status = body.get("trigger"), body.get("lock_completion_status")
    blocked = state == _BLOCKED or (status == _BLOCKED and bolt is not LockState.LOCKED)
    return LockReport(
        bolt=bolt,
        motion=motion,
        jammed=None if bolt is LockState.UNKNOWN and not blocked else blocked,
        source=_TRIGGERS.get(trigger, OperationSource.UNSPECIFIED)
        if isinstance(trigger, str)
        else OperationSource.UNSPECIFIED,
    )


def _battery(body: Mapping[str, object]) -> tuple[Report, ...]:
    """Read the battery. A critical battery is reported even when its charge cannot be read."""
    level, critical = body.get("level"), body.get("critical") == "1"
    percent = round(level) if isinstance(level, int | float) and not isinstance(level, bool) else None
    if percent is not None and not 0 <= percent <= 100:
        percent = None
    if percent is None and not critical:
        raise MalformedPayload("neither level nor critical is told")
    return (BatteryReport(percent=percent, level=BatteryLevel.CRITICAL if critical else None),)


def encode_command(command: Command, device_ref: DeviceRef) -> Publication:
    """Encode a command. The hub accepts no id and no expiry: it obeys a late copy too (a basic lock).

    Raises:
        ValueError: the hub does not support the command.
    """
    match command:
        case UnlockDoor() if device_ref.kind == STRIKE:
            return Publication(suffix=TopicSuffix.SET, payload=_RELEASE)
        case _ if device_ref.kind == STRIKE:
            raise ValueError(f"an opener cannot be asked to {type(command).__name__}")
        case UnlockDoor():
            return Publication(suffix=TopicSuffix.SET, payload=b"unlatch" if command.latch else b"unlock")
        case LockDoor():
            return Publication(suffix=TopicSuffix.SET, payload=b"lock")
        case QueryState():
            return Publication(suffix=TopicSuffix.GET, payload=b"1")
        case _:
            raise ValueError(f"a lock cannot be asked to {type(command).__name__}")


def encode_report(report: Report, device_ref: DeviceRef) -> tuple[Publication, ...]:
    """Encode what the hub publishes.

    Raises:
        ValueError: the hub cannot express the report.
    """
    match report:
        case AvailabilityReport(online=online):
            return (Publication(suffix=TopicSuffix.AVAILABILITY, payload=b"online" if online else b"offline"),)
        case BatteryReport(percent=percent, level=None | BatteryLevel.CRITICAL as level) if percent is not None:
            body = {"critical": "1" if level else "0", "charging": "0", "level": percent, "keypadCritical": "0"}
            suffix = TopicSuffix.BATTERY if device_ref.kind == STRIKE else TopicSuffix.EVENT
            return (Publication(suffix=suffix, payload=write(body)),)
        case DoorbellPressed() if device_ref.kind == STRIKE:
            return (Publication(suffix=TopicSuffix.EVENT, payload=b"ring"),)
        case ErrorReport(id=None, failure=OperationError.NOT_CALIBRATED) if device_ref.kind == STRIKE:
            return (Publication(suffix=TopicSuffix.STATE, payload=_UNCALIBRATED),)
        case _ if device_ref.kind == STRIKE:
            raise ValueError(f"an opener cannot say {type(report).__name__} like this")
        case LockReport(user=None):
            return (Publication(suffix=TopicSuffix.STATE, payload=write(_lock_body(report))),)
        case _:
            raise ValueError(f"the hub cannot say {type(report).__name__} like this")


def _lock_body(report: LockReport) -> dict[str, object]:
    names = {meaning: name for name, meaning in _STATES.items() if name != "unlockedLnga"}
    state = names.get((report.bolt, report.motion))
    if report.bolt is LockState.UNKNOWN:
        state = _BLOCKED if report.jammed else "undefined"
    if state is None or (report.jammed and report.bolt is LockState.LOCKED):
        raise ValueError("no state of the hub's means that")
    trigger = _SOURCES.get(report.source)
    if trigger is None and report.source is not OperationSource.UNSPECIFIED:
        raise ValueError("the hub does not know who that was")
    return {
        "lock_state": state,
        "trigger": trigger or "undefined",
        "lock_completion_status": _BLOCKED if report.jammed else "success",
    }


def decode_command(
    suffix: TopicSuffix, payload: bytes, device_ref: DeviceRef = NO_DEVICE_REF
) -> Command | UnreadablePayload:
    """Parse a query; an action contains no id and no time, so it cannot be assigned to a command."""
    if device_ref.kind == STRIKE:
        if suffix is TopicSuffix.SET and payload == _RELEASE:
            return movement.bare_command(UnlockDoor)
        return UnreadablePayload(why="an opener is told to release the strike, and nothing else")
    if suffix is TopicSuffix.GET:
        return QueryState() if payload == b"1" else UnreadablePayload(why="a question is 1")
    return UnreadablePayload(why="an action carries neither id nor expiry")


DEFINITION = Definition(
    name="nukihub",
    title="Nuki lock or opener with Nuki Hub",
    help="On the page of Nuki Hub, under MQTT, enter the account that is made when you add it.",
    fields={
        "address": FieldDescription(
            title="Path in Nuki Hub", help="On the page of Nuki Hub: MQTT, path.", example="nuki"
        ),
    },
    kinds=frozenset({"lock", "strike"}),
    simulated=frozenset({"strike"}),
    correlates=False,
    answers_queries=lambda device_ref: device_ref.kind != STRIKE,
    pulls_latch=True,
    topics=topics,
    battery=(TopicSuffix.EVENT, TopicSuffix.BATTERY),
)
