"""Supports locks behind Z-Wave JS UI, over its own MQTT gateway (type "ValueID topics").

`address` is the node's topic, `zwave/5`, or with names and locations `zwave/hall/front_lock`; its first level is the
MQTT prefix. `keys`: `node` (the node's number, where the topic does not end in it) and `gateway` (the MQTT name in its
settings, by default `zwave-js-ui`).

    state         <address>/98/0/currentMode                          {"time":1717,"value":255} secured, 0 unsecured
    bolt          <address>/98/0/boltStatus                           {"value":"locked"} or "unlocked"
    latch         <address>/98/0/latchStatus                          {"value":"closed"} or "open"
    operation     <address>/113/0/Access_Control/Lock_state           {"value":6}: unlocked by keypad; 11: jammed
    battery       <address>/128/0/level                               {"value":84}
    availability  <address>/status                                    {"value":true,"status":"Alive"}
    bridge        zwave/_CLIENTS/ZWAVE_GATEWAY-<gateway>/status       {"value":false}, its last will
    get, result   .../api/pollValue/set and .../api/pollValue         reads the lock over the air
    set, log      .../api/writeValue/set and .../api/writeValue       a command, and its result

An API's answer returns all arguments of the call, also one more than the function takes: so a query's number and a
command's id travel there and identify the answer. A value that is published beside may be old: at
its start Z-Wave JS UI publishes what it remembers. A command is obeyed whenever it arrives: these are basic locks.

The mode is the last one that was set; bolt and latch are the positions of the parts. A lock of Z-Wave's Door Lock class
reports either or both from version 2 on (zwave-js, DoorLockCC: boltStatus, latchStatus). A bolt that is out is no proof
by itself, an open latch lets a person in, and a closed latch proves nothing about the bolt.

Payloads may be {"time","value"}, the entire value object, or the bare value ("payload type" in its settings). User
codes (class 99) stand in topics that Perron never hears.

From Z-Wave JS UI's documentation (docs/usage/setup.md "Gateway", docs/guide/mqtt.md "Z-Wave APIs") and source (callApi,
pollValue, status topics), door lock modes as in its exports of nodes (zwave-js-ui issues 441 and 2073); numbers of
`Lock_state`: Z-Wave Notification CC, type Access Control. No Z-Wave device was tried.
"""

import contextlib
import re
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import assert_never

from devices.commands import Command, LockDoor, QueryState, UnlockDoor
from devices.reports import (
    AvailabilityReport,
    BatteryReport,
    CommandProgress,
    CorrelationReport,
    ErrorReport,
    LockReport,
    LockState,
    NoAnswerReport,
    OperationError,
    OperationSource,
    ProgressReport,
    Report,
    UnreadablePayload,
)
from devices.strict_json import MalformedPayload, boolean, identifier, mapping, parse, sequence, text, write
from devices.vendors import movement
from devices.vendors.definition import Definition, FieldDescription
from devices.vendors.parts import unreadable_as_report, unreadable_as_value
from devices.vendors.words import NO_DEVICE_REF, DeviceRef, Publication, TopicSuffix

GATEWAY = "zwave-js-ui"
SECURED, UNSECURED = 255, 0
# Every mode that is neither secured nor known to admit a person from outside counts as in motion.
_MODES: Mapping[int, LockState] = MappingProxyType({
    SECURED: LockState.LOCKED, UNSECURED: LockState.UNLOCKED, 1: LockState.UNLOCKED,
    16: LockState.NOT_FULLY_LOCKED, 17: LockState.NOT_FULLY_LOCKED, 32: LockState.UNLOCKED, 33: LockState.UNLOCKED,
})  # fmt: skip
_OPERATIONS: Mapping[int, tuple[LockState, OperationSource]] = MappingProxyType({
    1: (LockState.LOCKED, OperationSource.MANUAL), 2: (LockState.UNLOCKED, OperationSource.MANUAL),
    3: (LockState.LOCKED, OperationSource.REMOTE), 4: (LockState.UNLOCKED, OperationSource.REMOTE),
    5: (LockState.LOCKED, OperationSource.KEYPAD), 6: (LockState.UNLOCKED, OperationSource.KEYPAD),
    7: (LockState.NOT_FULLY_LOCKED, OperationSource.MANUAL), 8: (LockState.NOT_FULLY_LOCKED, OperationSource.REMOTE),
    9: (LockState.LOCKED, OperationSource.AUTO), 10: (LockState.NOT_FULLY_LOCKED, OperationSource.AUTO),
})  # fmt: skip
_BOLTS: Mapping[str, LockState | None] = MappingProxyType({"locked": LockState.LOCKED, "unlocked": LockState.UNLOCKED})
_LATCHES: Mapping[str, LockState | None] = MappingProxyType({"closed": None, "open": LockState.UNLATCHED})
_IDLE, _JAMMED = 0, 11
_CLASS = {"commandClass": 98, "endpoint": 0}
_CURRENT, _TARGET = "currentMode", "targetMode"
# the result of a write (SetValueStatus of zwave-js)
_PROGRESS = {1: CommandProgress.ACCEPTED, 254: CommandProgress.SENT, 255: CommandProgress.CONFIRMED}
_FAILURE_PATTERNS = (
    (re.compile(r"not connected|dead|not respond|no_?ack", re.IGNORECASE), OperationError.UNREACHABLE),
    (re.compile(r"timeout|timed out", re.IGNORECASE), OperationError.TIMEOUT),
)
_MESSAGES = {
    OperationError.UNREACHABLE: "Z-Wave client not connected",
    OperationError.TIMEOUT: "Timeout while waiting for a response from the node (ZW0201)",
    OperationError.UNSPECIFIED: "Unknown error",
}
_NODE = re.compile(r"(?:nodeID_)?(\d{1,4})", re.ASCII)


def node_number(device_ref: DeviceRef) -> int | None:
    """Return the node's number, from `keys` or the end of its topic; None if neither contains it."""
    match = _NODE.fullmatch(device_ref.keys.get("node", device_ref.address.rpartition("/")[2]))
    return int(match[1]) if match is not None else None


def topics(device_ref: DeviceRef) -> Mapping[TopicSuffix, str]:
    """Return the node's topics and those of the gateway's API."""
    client = f"{device_ref.address.partition('/')[0]}/_CLIENTS/ZWAVE_GATEWAY-{device_ref.keys.get('gateway', GATEWAY)}"
    return MappingProxyType(
        {
            TopicSuffix.STATE: f"{device_ref.address}/98/0/{_CURRENT}",
            TopicSuffix.BOLT: f"{device_ref.address}/98/0/boltStatus",
            TopicSuffix.LATCH: f"{device_ref.address}/98/0/latchStatus",
            TopicSuffix.OPERATION: f"{device_ref.address}/113/0/Access_Control/Lock_state",
            TopicSuffix.BATTERY: f"{device_ref.address}/128/0/level",
            TopicSuffix.AVAILABILITY: f"{device_ref.address}/status",
            TopicSuffix.BRIDGE: f"{client}/status",
            TopicSuffix.GET: f"{client}/api/pollValue/set",
            TopicSuffix.RESULT: f"{client}/api/pollValue",
            TopicSuffix.SET: f"{client}/api/writeValue/set",
            TopicSuffix.LOG: f"{client}/api/writeValue",
        }
    )


@unreadable_as_report
def decode_report(suffix: TopicSuffix, payload: bytes, device_ref: DeviceRef = NO_DEVICE_REF) -> Iterable[Report]:
    """Parse a message of a lock or the gateway; another node's answer gives nothing."""
    match suffix:
        case TopicSuffix.STATE:
            return (_mode(_value(payload)),)
        case TopicSuffix.BOLT:
            return _part(_value(payload), _BOLTS)
        case TopicSuffix.LATCH:
            return _part(_value(payload), _LATCHES)
        case TopicSuffix.OPERATION:
            return _operation(_value(payload))
        case TopicSuffix.BATTERY:
            return _battery(_value(payload))
        case TopicSuffix.AVAILABILITY | TopicSuffix.BRIDGE:
            return (AvailabilityReport(online=boolean(_value(payload), "value")),)
        case TopicSuffix.RESULT:
            return _answer(mapping(parse(payload), "the answer"), device_ref)
        case TopicSuffix.LOG:
            return _outcome(mapping(parse(payload), "the answer"), device_ref)
        case (
            TopicSuffix.EVENT
            | TopicSuffix.BEAM
            | TopicSuffix.MOTION
            | TopicSuffix.PLACE
            | TopicSuffix.SET
            | TopicSuffix.GET
            | TopicSuffix.PARCELS
            | TopicSuffix.LAST_UPDATED
        ):
            return (UnreadablePayload(why="nothing is reported there"),)
        case _:
            assert_never(suffix)


def _value(payload: bytes) -> object:
    """Return the value, whichever payload type the gateway uses."""
    body = parse(payload)
    return body.get("value") if isinstance(body, dict) else body


def _as_integer(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _mode(value: object) -> LockReport:
    mode = _as_integer(value)
    return LockReport(bolt=LockState.UNKNOWN if mode is None else _MODES.get(mode, LockState.UNKNOWN))


def _part(value: object, names: Mapping[str, LockState | None]) -> Iterator[LockReport]:
    """Yield the state of a part of the lock; an unknown word is an unknown bolt. Without a value: nothing."""
    if value is None:
        return
    bolt = names.get(value, LockState.UNKNOWN) if isinstance(value, str) else LockState.UNKNOWN
    if bolt is not None:
        yield LockReport(bolt=bolt)


def _operation(value: object) -> Iterator[Report]:
    """Yield what moved the bolt, as it happens. An unknown number may be any movement."""
    number = _as_integer(value)
    if number == _IDLE:
        return
    if number == _JAMMED:
        yield LockReport(bolt=LockState.UNKNOWN, jammed=True, event=True)
        return
    bolt, source = (LockState.UNKNOWN, OperationSource.UNSPECIFIED) if number is None else _OPERATIONS.get(
        number, (LockState.UNKNOWN, OperationSource.UNSPECIFIED)
    )  # fmt: skip
    yield LockReport(bolt=bolt, source=source, event=True)


def _battery(value: object) -> Iterator[Report]:
    percent = _as_integer(value)
    if percent is None or not 0 <= percent <= 100:
        raise MalformedPayload("the level is not a percentage")
    yield BatteryReport(percent=percent)


def _arguments_for(body: Mapping[str, object], device_ref: DeviceRef, prop: str) -> tuple[object, ...] | None:
    """Return the arguments of a call, if it concerned this node's door lock."""
    arguments = sequence(body.get("args"), "args")
    about = mapping(arguments[0], "the value's id") if arguments else {}
    is_ours = (about.get("nodeId"), about.get("commandClass"), about.get("property")) == (
        node_number(device_ref),
        98,
        prop,
    )
    return tuple(arguments) if is_ours else None


def _answer(body: Mapping[str, object], device_ref: DeviceRef) -> Iterator[Report]:
    arguments = _arguments_for(body, device_ref, _CURRENT)
    if arguments is None:
        return
    if body.get("success") is not True:
        yield NoAnswerReport()
        return
    echo = arguments[1] if len(arguments) > 1 else None
    if isinstance(echo, str):  # a foreign echo answers no query, and hides no bolt
        with contextlib.suppress(MalformedPayload):
            yield CorrelationReport(echo=identifier(echo, "the question's number"))
    yield _mode(body.get("result"))


def _outcome(body: Mapping[str, object], device_ref: DeviceRef) -> Iterator[Report]:
    """Yield the result of a command: an acknowledgement proves no move, and a failure proves no rest."""
    arguments = _arguments_for(body, device_ref, _TARGET)
    if arguments is None:
        return
    order = identifier(arguments[3], "the order's id") if len(arguments) > 3 else None
    result = body.get("result")
    status = result.get("status") if isinstance(result, dict) else None
    if body.get("success") is not True:
        message = body.get("message")
        text = message if isinstance(message, str) and len(message) <= 500 else ""
        why = next(
            (failure for pattern, failure in _FAILURE_PATTERNS if pattern.search(text)), OperationError.UNSPECIFIED
        )
        yield ErrorReport(id=order, failure=why)
    elif result is False or (_as_integer(status) is not None and status not in _PROGRESS):
        yield ErrorReport(id=order, failure=OperationError.UNSPECIFIED)
    elif order is not None and _as_integer(status) is not None:
        yield ProgressReport(id=order, progress=_PROGRESS[_as_integer(status) or 0])


def encode_command(command: Command, device_ref: DeviceRef) -> Publication:
    """Encode a call of the gateway's API.

    Raises:
        ValueError: a lock does not support the command, or its node is unknown.
    """
    number = node_number(device_ref)
    if number is None:
        raise ValueError("a Z-Wave lock cannot be asked without its node's number: name it in keys")
    about = {"nodeId": number, **_CLASS}
    match command:
        case UnlockDoor() | LockDoor():
            mode = UNSECURED if isinstance(command, UnlockDoor) else SECURED
            return _call(TopicSuffix.SET, [{**about, "property": _TARGET}, mode, {}, command.id])
        case QueryState():
            echo = [] if command.echo is None else [command.echo]
            return _call(TopicSuffix.GET, [{**about, "property": _CURRENT}, *echo])
        case _:
            raise ValueError(f"a lock cannot be asked to {type(command).__name__}")


def _call(suffix: TopicSuffix, arguments: list[object]) -> Publication:
    return Publication(suffix=suffix, payload=write({"args": arguments}))


def encode_report(report: Report, device_ref: DeviceRef) -> tuple[Publication, ...]:
    """Encode what the gateway publishes.

    Raises:
        ValueError: it cannot express the report.
    """
    match report:
        case LockReport(event=True):
            return (_value_publication(TopicSuffix.OPERATION, _operation_number(report)),)
        case LockReport(bolt=LockState.UNLATCHED, source=OperationSource.UNSPECIFIED, user=None, jammed=None):
            return (_value_publication(TopicSuffix.LATCH, "open"),)
        case LockReport(source=OperationSource.UNSPECIFIED, user=None, jammed=None):
            modes = {bolt: mode for mode, bolt in reversed(tuple(_MODES.items()))} | {LockState.UNKNOWN: 254}
            if report.bolt not in modes:
                raise ValueError("a door lock has no such mode")
            return (_value_publication(TopicSuffix.STATE, modes[report.bolt]),)
        case BatteryReport(percent=int(), level=None):
            return (_value_publication(TopicSuffix.BATTERY, report.percent),)
        case AvailabilityReport():
            alive = {
                "value": report.online,
                "status": "Alive" if report.online else "Dead",
                "nodeId": node_number(device_ref),
            }
            return (Publication(suffix=TopicSuffix.AVAILABILITY, payload=write(alive)),)
        case NoAnswerReport():
            body = {
                "success": False,
                "message": _MESSAGES[OperationError.TIMEOUT],
                "args": [_about(device_ref, _CURRENT)],
            }
            return (Publication(suffix=TopicSuffix.RESULT, payload=write(body)),)
        case ErrorReport(id=str()) if report.failure in _MESSAGES:
            arguments = [_about(device_ref, _TARGET), UNSECURED, {}, report.id]
            failed = {"success": False, "message": _MESSAGES[report.failure], "args": arguments}
            return (Publication(suffix=TopicSuffix.LOG, payload=write(failed)),)
        case ProgressReport():
            status = {progress: number for number, progress in _PROGRESS.items()}[report.progress]
            arguments = [_about(device_ref, _TARGET), UNSECURED, {}, report.id]
            done = {"success": True, "message": "Success zwave api call", "result": {"status": status}}
            return (Publication(suffix=TopicSuffix.LOG, payload=write({**done, "args": arguments})),)
        case _:
            raise ValueError(f"a Z-Wave lock cannot say this {type(report).__name__}")


def _about(device_ref: DeviceRef, prop: str) -> dict[str, object]:
    return {"nodeId": node_number(device_ref), **_CLASS, "property": prop}


def _value_publication(suffix: TopicSuffix, value: object) -> Publication:
    return Publication(suffix=suffix, payload=write({"value": value}))


def _operation_number(report: LockReport) -> int:
    if report.jammed:
        return _JAMMED
    numbers = {meaning: number for number, meaning in _OPERATIONS.items()}
    if report.user is not None or (report.bolt, report.source) not in numbers:
        raise ValueError("Access Control has no such operation")
    return numbers[report.bolt, report.source]


@unreadable_as_value
def decode_command(
    suffix: TopicSuffix, payload: bytes, device_ref: DeviceRef = NO_DEVICE_REF
) -> Command | UnreadablePayload:
    """Parse a call about this node's lock. It contains no times of the command."""
    body = mapping(parse(payload), "the call")
    match suffix:
        case TopicSuffix.GET:
            arguments = _arguments_for(body, device_ref, _CURRENT)
            if arguments is None:
                return UnreadablePayload(why="the call is about something else")
            return QueryState(echo=text(arguments[1], "the question's number") if len(arguments) > 1 else None)
        case TopicSuffix.SET:
            return _movement(_arguments_for(body, device_ref, _TARGET))
        case _:
            return UnreadablePayload(why="a lock is asked on set and get")


def _movement(arguments: tuple[object, ...] | None) -> Command | UnreadablePayload:
    mode = _as_integer(arguments[1]) if arguments is not None and len(arguments) > 1 else None
    if mode not in (SECURED, UNSECURED):
        return UnreadablePayload(why="the call does not move a bolt")
    return movement.bare_command(LockDoor if mode == SECURED else UnlockDoor)


def _problem(device_ref: DeviceRef) -> str | None:
    if node_number(device_ref) is not None:
        return None
    return "a Z-Wave lock needs its node's number: let the address end in it (zwave/5), or write `keys: {node: '5'}`"


DEFINITION = Definition(
    name="zwave",
    title="Z-Wave lock (Z-Wave JS UI)",
    help="Include it in Z-Wave JS UI first; then it is found here.",
    fields={
        "address": FieldDescription(
            title="Topic of the node",
            help="Prefix, then the node's number or its location and name.",
            example="zwave/5",
        ),
    },
    kinds=frozenset({"lock"}),
    correlates=True,  # in the payload: its MQTT is 3.1.1
    topics=topics,
    shared_topics=frozenset({TopicSuffix.GET, TopicSuffix.RESULT, TopicSuffix.SET}),
    battery=(TopicSuffix.BATTERY,),
    identity=lambda device_ref: (node_number(device_ref), topics(device_ref)[TopicSuffix.SET]),
    problem=_problem,
)
