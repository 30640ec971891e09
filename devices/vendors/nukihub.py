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

The keypad of a lock (enrolled as `keypad`, with the lock's path), if the hub's page allows it ("Add, modify and delete
keypad codes", "Publish keypad codes information"):

    <address>/lock/keypad/json               [{"codeId": 42, "enabled": 1, "name": "…", "timeLimited": 1,
                                             "allowedFrom": "2026-12-01 14:00:00", "allowedUntil": "…", ...}, ...]
    <address>/lock/keypad/commandResultJson  success, failed, timeOut, keypadDisabled, noValidPinSet, ...
    <address>/lock/keypad/actionJson         to the hub: {"action": "add", "code": "…", "name": "…", ...} or
                                             {"action": "delete", "codeId": 42}
    <address>/lock/query/keypad              to the hub, bare: 1

The lock numbers its codes itself. The hub lists ten of them unless its page says otherwise (then the key `entries` of
`home.yaml` says how many): of a full list, a missing code proves nothing. Nuki documents no time zone for
`allowedFrom` and `allowedUntil`: they count as off by up to 14 hours.

An opener's state says nothing of the door, and its acknowledgement nothing of the strike: no query is sent to it. "Ring
to open" (`activateRTO`) lets in whoever rings next, so Perron never arms it.

From Nuki Hub's README and source (github.com/technyon/nuki_hub: NukiNetworkLock.cpp, NukiWrapper.cpp). It publishes
`lock/json` only when it has just read the lock over Bluetooth, changed or not, so the first one after a question is the
lock's own answer; where the reading fails nothing comes. It ignores actions for a moment after it has reconnected.
The lock's own door sensor is left out: an entrance needs one that does not depend on the lock. So is the status of the
last action: each reading repeats it, so it proves nothing about a command; only a blocked motor is read from it.
Who turned the bolt is left out too: it contains the household's names, which the box must not keep.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime

from devices.commands import ClearCode, Command, LockDoor, QueryCodes, QueryState, SetCode, UnlockDoor
from devices.reports import (
    AvailabilityReport,
    BatteryLevel,
    BatteryReport,
    BoltMotion,
    CodesReport,
    CodeStatus,
    DoorbellPressed,
    ErrorReport,
    KeypadCode,
    LockReport,
    LockState,
    OperationError,
    OperationSource,
    Report,
    UnreadablePayload,
)
from devices.strict_json import MalformedPayload, integer, mapping, parse, sequence, text, write
from devices.vendors import movement
from devices.vendors.definition import Definition, FieldDescription, KeypadFacts
from devices.vendors.parts import unreadable_as_report, unreadable_as_value
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
KEYPAD = "keypad"  # the enrolled kind of a lock's keypad
USUAL_ENTRIES = 10  # codes that the hub lists unless its page says otherwise
TIMES_OFF_S = 14 * 3600.0  # seconds: the widest offset from UTC, because no document names the zone of a code's times
_TIME = "%Y-%m-%d %H:%M:%S"
_TIME_FORM = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", re.ASCII)
_NO_FAILURE = frozenset({b"success", b"working", b"undefined", b"--", b"codeValid", b"codeInvalid", b""})
_CODE_FAILURES = {
    b"timeOut": OperationError.TIMEOUT,
    b"notPaired": OperationError.UNREACHABLE,
    b"keypadNotAvailable": OperationError.UNREACHABLE,
    b"keypadDisabled": OperationError.RESTRICTED,
    b"keypadControlDisabled": OperationError.RESTRICTED,
    b"noValidPinSet": OperationError.INVALID_CREDENTIAL,
    b"failed": OperationError.UNSPECIFIED,
}


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
    if device_ref.kind == KEYPAD:
        return {
            TopicSuffix.STATE: f"{device_ref.address}/lock/keypad/json",
            TopicSuffix.EVENT: f"{device_ref.address}/lock/keypad/commandResultJson",
            TopicSuffix.AVAILABILITY: f"{device_ref.address}/maintenance/mqttConnectionState",
            TopicSuffix.SET: f"{device_ref.address}/lock/keypad/actionJson",
            TopicSuffix.GET: f"{device_ref.address}/lock/query/keypad",
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
    if device_ref.kind == KEYPAD:
        return _keypad(suffix, payload, device_ref)
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


def _keypad(suffix: TopicSuffix, payload: bytes, device_ref: DeviceRef) -> tuple[Report, ...]:
    """Read the list of codes, or why a change failed. A PIN that the hub is set to publish is not read."""
    match suffix:
        case TopicSuffix.STATE:
            codes = tuple(_code(mapping(code, "a code")) for code in sequence(parse(payload), "the codes"))
            return (CodesReport(codes=codes, is_complete=len(codes) < _entries(device_ref)),)
        case TopicSuffix.EVENT if payload.strip() in _NO_FAILURE:
            return ()
        case TopicSuffix.EVENT:
            failure = _CODE_FAILURES.get(payload.strip(), OperationError.UNSPECIFIED)
            return (ErrorReport(id=None, failure=failure),)
        case _:
            raise MalformedPayload("the hub tells of the keypad's codes and of changes only")


def _entries(device_ref: DeviceRef) -> int:
    number = device_ref.keys.get("entries", "")
    return int(number) if number.isascii() and number.isdecimal() and len(number) <= 3 else USUAL_ENTRIES


def _code(body: Mapping[str, object]) -> KeypadCode:
    enabled, name = body.get("enabled"), body.get("name")
    is_limited = body.get("timeLimited") in (1, True, "1")
    return KeypadCode(
        slot=integer(body.get("codeId"), "codeId"),
        status=CodeStatus.ENABLED if enabled in (1, True, "1") else CodeStatus.DISABLED,
        name=text(name, "name") if name else None,
        starts=_read_time(body.get("allowedFrom")) if is_limited else None,
        ends=_read_time(body.get("allowedUntil")) if is_limited else None,
    )


def _read_time(value: object) -> datetime | None:
    """Return the time as if it were UTC (`TIMES_OFF_S`); None: there is none, as in 0000-00-00."""
    if not isinstance(value, str) or _TIME_FORM.fullmatch(value) is None:
        return None
    try:
        return datetime.strptime(value, _TIME).replace(tzinfo=UTC)
    except ValueError:
        return None


def _code_action(command: SetCode | ClearCode) -> dict[str, object]:
    if isinstance(command, ClearCode):
        return {"action": "delete", "codeId": command.slot}
    if command.slot is not None:
        raise ValueError("a Nuki lock numbers its codes itself")
    body: dict[str, object] = {"action": "add", "code": command.pin, "name": command.name}
    if command.starts is not None and command.ends is not None:
        times = {"allowedFrom": command.starts, "allowedUntil": command.ends}
        body |= {"timeLimited": 1, **{key: at.astimezone(UTC).strftime(_TIME) for key, at in times.items()}}
    return body


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
        case SetCode() | ClearCode() if device_ref.kind == KEYPAD:
            return Publication(suffix=TopicSuffix.SET, payload=write(_code_action(command)))
        case QueryState() | QueryCodes() if device_ref.kind == KEYPAD:
            return Publication(suffix=TopicSuffix.GET, payload=b"1")
        case _ if device_ref.kind == KEYPAD:
            raise ValueError(f"a keypad cannot be asked to {type(command).__name__}")
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
        case CodesReport(codes=codes) if device_ref.kind == KEYPAD:
            if report.is_complete != (len(codes) < _entries(device_ref)):
                raise ValueError("a list is complete if it is shorter than what the hub lists")
            return (Publication(suffix=TopicSuffix.STATE, payload=write([_code_body(code) for code in codes])),)
        case ErrorReport(id=None, failure=failure) if device_ref.kind == KEYPAD:
            word = next((word for word, meaning in _CODE_FAILURES.items() if meaning is failure), b"failed")
            return (Publication(suffix=TopicSuffix.EVENT, payload=word),)
        case _ if device_ref.kind == KEYPAD:
            raise ValueError(f"a keypad cannot say {type(report).__name__} like this")
        case LockReport(user=None):
            return (Publication(suffix=TopicSuffix.STATE, payload=write(_lock_body(report))),)
        case _:
            raise ValueError(f"the hub cannot say {type(report).__name__} like this")


def _code_body(code: KeypadCode) -> dict[str, object]:
    if code.status not in (CodeStatus.ENABLED, CodeStatus.DISABLED):
        raise ValueError("the hub lists codes that are there, enabled or not")
    is_limited = code.starts is not None and code.ends is not None
    never = "0000-00-00 00:00:00"
    times = {"allowedFrom": code.starts, "allowedUntil": code.ends}
    return {
        "codeId": code.slot,
        "enabled": int(code.status is CodeStatus.ENABLED),
        "name": code.name or "",
        "timeLimited": int(is_limited),
        **{key: never if at is None else at.astimezone(UTC).strftime(_TIME) for key, at in times.items()},
    }


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


@unreadable_as_value
def decode_command(
    suffix: TopicSuffix, payload: bytes, device_ref: DeviceRef = NO_DEVICE_REF
) -> Command | UnreadablePayload:
    """Parse a query or a change of a code; another action contains no id and no time to assign it to a command."""
    if device_ref.kind == STRIKE:
        if suffix is TopicSuffix.SET and payload == _RELEASE:
            return movement.bare_command(UnlockDoor)
        return UnreadablePayload(why="an opener is told to release the strike, and nothing else")
    if device_ref.kind == KEYPAD and suffix is TopicSuffix.SET:
        return _read_code_action(mapping(parse(payload), "the action"))
    if suffix is TopicSuffix.GET and device_ref.kind == KEYPAD and payload == b"1":
        return QueryCodes()
    if suffix is TopicSuffix.GET:
        return QueryState() if payload == b"1" else UnreadablePayload(why="a question is 1")
    return UnreadablePayload(why="an action carries neither id nor expiry")


def _read_code_action(body: Mapping[str, object]) -> Command:
    match body.get("action"):
        case "add":
            return SetCode(
                id="",
                pin=text(body.get("code"), "code"),
                name=text(body.get("name"), "name"),
                starts=_read_time(body.get("allowedFrom")),
                ends=_read_time(body.get("allowedUntil")),
            )
        case "delete":
            return ClearCode(id="", slot=integer(body.get("codeId"), "codeId"))
        case _:
            raise MalformedPayload("an action of a keypad adds or deletes a code")


def _problem(device_ref: DeviceRef) -> str | None:
    number = device_ref.keys.get("entries")
    if number is None or (number.isascii() and number.isdecimal() and 1 <= int(number) <= 200):
        return None
    return "keys: entries is how many codes the hub lists, a number from 1 to 200"


DEFINITION = Definition(
    name="nukihub",
    title="Nuki lock or opener with Nuki Hub",
    help="On the page of Nuki Hub, under MQTT, enter the account that is made when you add it.",
    fields={
        "address": FieldDescription(
            title="Path in Nuki Hub", help="On the page of Nuki Hub: MQTT, path.", example="nuki"
        ),
    },
    kinds=frozenset({"lock", "strike", "keypad"}),
    simulated=frozenset({"strike"}),
    correlates=False,
    answers_queries=lambda device_ref: device_ref.kind != STRIKE,
    pulls_latch=True,
    topics=topics,
    battery=(TopicSuffix.EVENT, TopicSuffix.BATTERY),
    problem=_problem,
    keypad=KeypadFacts(chooses_slot=True, reports_names=True, keeps_times=True, times_off_s=TIMES_OFF_S),
)
