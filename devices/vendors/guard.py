"""Supports a lock and a door sensor behind a guard (`perron guard`): Perron's own format, in canonical JSON.

These bodies travel over the house's broker inside a signed envelope (`gateway/protocol/guard_message.py`), which is
opened before this module parses them. A guard reports for two parts, its lock and the door sensor behind the same
radio; both have its lock's id as `address`, and the `kind` of a device reference, `lock` or `door`, is its part.

    {"bolt":"locked","motion":"idle","part":"lock","source":"remote"}      the lock's report
    {"door":"closed","part":"door"}                                        the door sensor's report
    {"battery":{"level":"low"},"part":"door"}
    {"online":false,"part":"lock"}       of one part; without `part` of the guard itself, and so of both
    {"command":"u1","failure":"repeated","part":"lock"}                    a refusal, or the radio's error
    {"bolt":"unlocked","event":true,"part":"lock"}                          a move as it happens, no answer
    {"do":"unlock","id":...,"intent":...,"issued_at":...,"expires_at":...,"boot":...,"until_ms":...}
                                         with "latch":true the latch is pulled too
    {"ask":"lock"}                                                         report the state now
"""

from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum
from types import MappingProxyType
from typing import TypeVar

from devices.commands import Command, LockDoor, QueryState, UnlockDoor
from devices.reports import (
    AvailabilityReport,
    BatteryLevel,
    BatteryReport,
    BoltMotion,
    CommandProgress,
    DoorReport,
    DoorState,
    ErrorReport,
    LockReport,
    LockState,
    OperationError,
    OperationSource,
    ProgressReport,
    Report,
    UnreadablePayload,
)
from devices.strict_json import MalformedPayload, boolean, identifier, integer, mapping, parse, text, write
from devices.vendors import movement
from devices.vendors.definition import ZIGBEE_COMMAND_HOLD_S, Definition, FieldDescription
from devices.vendors.parts import unreadable_as_report, unreadable_as_value
from devices.vendors.words import NO_DEVICE_REF, NO_TOPICS, DeviceRef, Publication, TopicSuffix

PART = "part"  # the key that names the part of the guard
LOCK, DOOR = "lock", "door"
OFFLINE = b'{"online":false}'  # the guard's last will: its only message without a signature, because it is bad news

_W = TypeVar("_W", bound=StrEnum)
_CHANNELS = (
    TopicSuffix.STATE,
    TopicSuffix.AVAILABILITY,
    TopicSuffix.EVENT,
    TopicSuffix.RESULT,
    TopicSuffix.SET,
    TopicSuffix.GET,
)


def topics(device_ref: DeviceRef) -> Mapping[TopicSuffix, str]:
    """Return the topics of the guard: those of its lock, which its door sensor shares."""
    if not device_ref.address:
        return NO_TOPICS
    return MappingProxyType({suffix: f"perron/{device_ref.address}/{suffix}" for suffix in _CHANNELS})


@unreadable_as_report
def decode_report(suffix: TopicSuffix, payload: bytes, device_ref: DeviceRef = NO_DEVICE_REF) -> tuple[Report, ...]:
    """Parse a guard's report of this part; a report of the other part gives an empty tuple."""
    if suffix in (TopicSuffix.SET, TopicSuffix.GET):
        return (UnreadablePayload(why="nothing is reported on set or get"),)
    body = mapping(parse(payload), "the report")
    part = text(body[PART], PART) if PART in body else None
    report = _report(body)
    return () if part is not None and part != (device_ref.kind or part) else (report,)


def _report(body: Mapping[str, object]) -> Report:
    if "bolt" in body:
        return LockReport(
            bolt=_enum_value(LockState, body["bolt"], LockState.UNKNOWN),
            motion=_enum_value(BoltMotion, body.get("motion", "unknown"), BoltMotion.UNKNOWN),
            jammed=boolean(body["jammed"], "jammed") if "jammed" in body else None,
            source=_enum_value(OperationSource, body.get("source", "unspecified"), OperationSource.UNSPECIFIED),
            user=text(body["user"], "user") if "user" in body else None,
            event=boolean(body["event"], "event") if "event" in body else False,
        )
    if "door" in body:
        return DoorReport(door=_enum_value(DoorState, body["door"], DoorState.UNKNOWN))
    if "battery" in body:
        return _battery(mapping(body["battery"], "battery"))
    if "online" in body:
        return AvailabilityReport(online=boolean(body["online"], "online"))
    if "failure" in body:
        id_ = identifier(body["command"], "command") if "command" in body else None
        return ErrorReport(id=id_, failure=_enum_value(OperationError, body["failure"], OperationError.UNSPECIFIED))
    progress = text(body.get("progress"), "progress")
    if progress not in set(CommandProgress):
        raise MalformedPayload("a guard sends no report with these keys")
    return ProgressReport(id=identifier(body.get("command"), "command"), progress=CommandProgress(progress))


def _enum_value(kind: type[_W], value: object, unknown: _W) -> _W:
    name = text(value, "a word of the lock")
    return kind(name) if name in set(kind) else unknown


def _battery(body: Mapping[str, object]) -> BatteryReport:
    percent = integer(body["percent"], "percent") if "percent" in body else None
    level = text(body["level"], "level") if "level" in body else None
    if (percent is None and level is None) or (percent or 0) > 100 or (level or "low") not in set(BatteryLevel):
        raise MalformedPayload("a battery has a percent from 0 to 100 or a level of good, medium, low and critical")
    return BatteryReport(percent=percent, level=None if level is None else BatteryLevel(level))


def encode_report(report: Report, device_ref: DeviceRef) -> tuple[Publication, ...]:
    """Encode the guard's report of this part.

    Raises:
        ValueError: a guard cannot express the report.
    """
    part = device_ref.kind or LOCK
    match report:
        case LockReport():
            return (_publication(TopicSuffix.STATE, _lock(report) | {PART: LOCK}),)
        case DoorReport():
            return (_publication(TopicSuffix.STATE, {"door": report.door.value, PART: DOOR}),)
        case BatteryReport():
            level = None if report.level is None else report.level.value
            battery = {k: v for k, v in (("percent", report.percent), ("level", level)) if v is not None}
            return (_publication(TopicSuffix.EVENT, {"battery": battery, PART: part}),)
        case AvailabilityReport():
            return (_publication(TopicSuffix.EVENT, {"online": report.online, PART: part}),)
        case ProgressReport():
            return (
                _publication(TopicSuffix.EVENT, {"command": report.id, PART: LOCK, "progress": report.progress.value}),
            )
        case ErrorReport():
            named: dict[str, object] = {} if report.id is None else {"command": report.id}
            return (_publication(TopicSuffix.EVENT, named | {"failure": report.failure.value, PART: LOCK}),)
        case _:
            raise ValueError(f"a guard cannot say this {type(report).__name__}")


def _lock(report: LockReport) -> dict[str, object]:
    body: dict[str, object] = {"bolt": report.bolt.value}
    if report.motion is not BoltMotion.UNKNOWN:
        body["motion"] = report.motion.value
    if report.jammed is not None:
        body["jammed"] = report.jammed
    if report.source is not OperationSource.UNSPECIFIED:
        body["source"] = report.source.value
    if report.user is not None:
        body["user"] = report.user
    if report.event:
        body["event"] = True
    return body


def _publication(suffix: TopicSuffix, body: Mapping[str, object]) -> Publication:
    return Publication(suffix=suffix, payload=write(dict(sorted(body.items()))))


def encode_command(command: Command, device_ref: DeviceRef) -> Publication:
    """Encode a command for the guard's lock, or a query of this part.

    Raises:
        ValueError: it is neither a movement nor a query.
    """
    match command:
        case UnlockDoor() | LockDoor():
            do = "unlock" if isinstance(command, UnlockDoor) else "lock"
            latch = {"latch": True} if isinstance(command, UnlockDoor) and command.latch else {}
            return _publication(TopicSuffix.SET, {"do": do, **latch, **movement.command_keys(command)})
        case QueryState():
            return _publication(TopicSuffix.GET, {"ask": device_ref.kind or LOCK})
        case _:
            raise ValueError(f"a guard cannot be asked to {type(command).__name__}")


def queried_part(payload: bytes) -> str:
    """Return which part a query on `get` concerns.

    Raises:
        MalformedPayload: it is no query.
    """
    part = text(mapping(parse(payload), "the question").get("ask"), "ask")
    if part not in (LOCK, DOOR):
        raise MalformedPayload("only lock and door can be asked after")
    return part


@unreadable_as_value
def decode_command(
    suffix: TopicSuffix, payload: bytes, device_ref: DeviceRef = NO_DEVICE_REF
) -> Command | UnreadablePayload:
    """Parse a command to the guard."""
    if suffix is TopicSuffix.GET:
        queried_part(payload)
        return QueryState()
    if suffix is not TopicSuffix.SET:
        return UnreadablePayload(why="a guard is asked on set and get")
    body = mapping(parse(payload), "the command")
    match body.get("do"):
        case "unlock":
            command = movement.read_command(body, UnlockDoor)
            latch = boolean(body.get("latch", False), "latch")
            return replace(command, latch=latch) if isinstance(command, UnlockDoor) else command
        case "lock":
            return movement.read_command(body, LockDoor)
        case _:
            return UnreadablePayload(why="the command does not move a bolt")


DEFINITION = Definition(
    name="guard",
    title="Lock behind Perron's guard",
    help="A second machine beside the radio checks each command. Set the guard up first.",
    fields={
        "address": FieldDescription(
            title="Id of the guarded lock",
            help="The lock's id in this house, if this is its door sensor.",
            example="front-lock",
        ),
        "guard.key": FieldDescription(title="The guard's public key", help="The guard prints it: perron guard-key."),
    },
    kinds=frozenset({"lock", "door"}),
    is_external=True,
    correlates=True,
    refuses_late=True,
    pulls_latch=True,
    command_hold_s=ZIGBEE_COMMAND_HOLD_S,  # only `guard.yaml` names the radio: the longest counts
    is_behind_guard=True,
    topics=topics,
    base_topic=lambda _: None,  # it uses Perron's own topics
    battery=(TopicSuffix.EVENT,),
    address="the id of the guarded lock",
    identity=lambda _: None,  # `guard.yaml` names the devices, and compares them
)
