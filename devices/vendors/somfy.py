"""Supports Somfy locks and door contacts in the format of Overkiz (TaHoma).

Sourced: `DeviceStateChangedEvent`, `DeviceAvailableEvent`, `DeviceUnavailableEvent`, `ExecutionStateChangedEvent` with
their states and failure types, the body of an execution, core:LockedUnlockedState, core:MovingState,
core:BatteryDiscreteLevelState, core:BatteryState, core:SensorDefectState, core:StatusState, core:ContactState,
core:OpenClosedState (io:DoorLockIOComponent, myfox:SomfyProtectDoorLock and the contact sensors); their values as in
pyoverkiz 1.20.6 (enums OverkizState, OverkizCommandParam, ExecutionState).

The lock's own core:OpenClosedState is never read as a door: an io lock makes it from the same register as
core:LockedUnlockedState, so it only repeats the bolt. A door's state is a contact sensor's core:ContactState, or its
core:OpenClosedState where the device is enrolled as a door and reports no bolt.

Each state is parsed by itself. If it occurs twice with two values, the worse one counts: unlocked, open.

Inferred (†), because Overkiz has no name for it; a bridge to MQTT adds these under Perron's own names, never under
names of Overkiz:
    perron:JammedState           †  the bolt is stuck (Overkiz shows only the failed execution)
    perron:OperationSourceState  †  who moved the bolt last; without it the source is unspecified, never guessed
    perron:OperationUserState    †  which of the lock's users did it
    PERRON_EXPIRED, PERRON_REPEATED †  failure types of a guarded lock; an execution's id is the command's id
    a query's body               †  {"deviceURL": ...}
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import assert_never

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
from devices.strict_json import MalformedPayload, identifier, mapping, parse, sequence, text, write
from devices.vendors import movement
from devices.vendors.definition import Definition, FieldDescription
from devices.vendors.parts import parse_each, unreadable_as_report, unreadable_as_value
from devices.vendors.words import NO_DEVICE_REF, DeviceRef, Publication, TopicSuffix

LOCKED_UNLOCKED = "core:LockedUnlockedState"
MOVING = "core:MovingState"
BATTERY = "core:BatteryDiscreteLevelState"
STATUS = "core:StatusState"
CONTACT = "core:ContactState"
OPEN_CLOSED = "core:OpenClosedState"
CHARGE = "core:BatteryState"
DEFECT = "core:SensorDefectState"
JAMMED = "perron:JammedState"
SOURCE = "perron:OperationSourceState"
USER = "perron:OperationUserState"
ONE_WAY_PREFIX = "rtds://"  # the prefix of a contact that has no receiver: it accepts no command
DOOR = "door"  # the enrolled kind of a contact sensor
_TEXT, _BOOLEAN = 3, 6  # Overkiz's value types

_BOLTS = {"locked": LockState.LOCKED, "unlocked": LockState.UNLOCKED}
_DOORS = {"open": DoorState.OPEN, "closed": DoorState.CLOSED}
_CHARGES = {  # the worst first
    "verylow": BatteryLevel.CRITICAL,
    "critical": BatteryLevel.CRITICAL,
    "low": BatteryLevel.LOW,
    "lowBattery": BatteryLevel.LOW,
    "medium": BatteryLevel.MEDIUM,
    "good": BatteryLevel.GOOD,
    "normal": BatteryLevel.GOOD,
    "full": BatteryLevel.GOOD,
}
_NO_DEFECTS = frozenset({"noDefect", "maintenanceRequired"})  # of a working sensor
_PROGRESS = {
    "INITIALIZED": CommandProgress.ACCEPTED,
    "NOT_TRANSMITTED": CommandProgress.ACCEPTED,
    "QUEUED_GATEWAY_SIDE": CommandProgress.ACCEPTED,
    "QUEUED_SERVER_SIDE": CommandProgress.ACCEPTED,
    "TRANSMITTED": CommandProgress.SENT,
    "IN_PROGRESS": CommandProgress.SENT,
    "COMPLETED": CommandProgress.CONFIRMED,
}
_FAILURES = {
    "ANOTHER_COMMAND_IS_RUNNING": OperationError.BUSY,
    "BUSY_RADIO_ERROR": OperationError.BUSY,
    "ACTUATORNOANSWER": OperationError.UNREACHABLE,
    "PEER_DOWN": OperationError.UNREACHABLE,
    "TIMED_OUT": OperationError.TIMEOUT,
    "NONEXEC_BATTERY_LEVEL": OperationError.INSUFFICIENT_BATTERY,
    "WHILEEXEC_BATTERY_LEVEL": OperationError.INSUFFICIENT_BATTERY,
    "OPERATION_NOT_ALLOWED": OperationError.RESTRICTED,
    "PRIORITY_LOCK__LOCAL_USER": OperationError.RESTRICTED,
    "PRIORITY_LOCK__USER": OperationError.RESTRICTED,
    "NONEXEC_MANUALLY_CONTROLLED": OperationError.RESTRICTED,
    "SETUP_REQUIRED": OperationError.NOT_CALIBRATED,
    "MASTER_AUTHENTICATION_FAILED_ERROR": OperationError.INVALID_CREDENTIAL,
    "WHILEEXEC_BLOCKED_BY_HAZARD": OperationError.UNSPECIFIED,
    "PERRON_EXPIRED": OperationError.EXPIRED,
    "PERRON_REPEATED": OperationError.REPEATED,
}
_FAILURE_WORDS = {
    OperationError.UNSPECIFIED: "WHILEEXEC_BLOCKED_BY_HAZARD",
    OperationError.INVALID_CREDENTIAL: "MASTER_AUTHENTICATION_FAILED_ERROR",
    OperationError.RESTRICTED: "OPERATION_NOT_ALLOWED",
    OperationError.INSUFFICIENT_BATTERY: "NONEXEC_BATTERY_LEVEL",
    OperationError.UNREACHABLE: "ACTUATORNOANSWER",
    OperationError.BUSY: "ANOTHER_COMMAND_IS_RUNNING",
    OperationError.TIMEOUT: "TIMED_OUT",
    OperationError.NOT_CALIBRATED: "SETUP_REQUIRED",
    OperationError.EXPIRED: "PERRON_EXPIRED",
    OperationError.REPEATED: "PERRON_REPEATED",
}


@unreadable_as_report
def decode_report(suffix: TopicSuffix, payload: bytes, device_ref: DeviceRef = NO_DEVICE_REF) -> tuple[Report, ...]:
    """Parse a message of a lock or contact: all readable reports, then one `UnreadablePayload` if a part failed.

    An event that contains only data Perron does not use (signal strength, names) gives an empty tuple.
    """
    if suffix in (TopicSuffix.SET, TopicSuffix.GET):
        return (UnreadablePayload(why="nothing is reported on set or get"),)
    return _event(mapping(parse(payload), "the event"), device_ref)


def _event(body: Mapping[str, object], device_ref: DeviceRef) -> tuple[Report, ...]:
    if "name" not in body:
        return (ProgressReport(id=identifier(body.get("execId"), "execId"), progress=CommandProgress.ACCEPTED),)
    match text(body["name"], "name"):
        case "DeviceStateChangedEvent":
            return _states(body, device_ref)
        case "ExecutionStateChangedEvent":
            return _execution(body)
        case "DeviceAvailableEvent":
            return (AvailabilityReport(online=True),)
        case "DeviceUnavailableEvent":
            return (AvailabilityReport(online=False),)
        case _:
            return ()


def _states(body: Mapping[str, object], device_ref: DeviceRef) -> tuple[Report, ...]:
    """Parse the states of an event, each by itself."""
    states: dict[str, list[object]] = {}
    nameless: list[str] = []
    for item in sequence(body.get("deviceStates"), "deviceStates"):
        state = item if isinstance(item, dict) else {}
        try:
            states.setdefault(text(state.get("name"), "a state's name"), []).append(state.get("value"))
        except MalformedPayload as error:
            nameless.append(str(error))

    def named() -> Iterator[Report]:
        for why in nameless[:1]:
            raise MalformedPayload(why)
        return iter(())

    return parse_each(
        lambda: _lock(states),
        lambda: _contact(states, CONTACT),
        lambda: _contact(states, OPEN_CLOSED) if device_ref.kind == DOOR and _is_contact_event(states) else (),
        lambda: _batteries(states),
        lambda: _defect(states),
        lambda: _status(states),
        named,
    )


def _is_contact_event(states: Mapping[str, object]) -> bool:
    return LOCKED_UNLOCKED not in states and CONTACT not in states


def _lock(states: Mapping[str, list[object]]) -> Iterator[LockReport]:
    """Yield the bolt's report; an unreadable state beside the bolt is unknown, and hides no bolt."""
    if LOCKED_UNLOCKED not in states:
        return
    bolts = {_BOLTS.get(text(value, "bolt"), LockState.UNKNOWN) for value in states[LOCKED_UNLOCKED]}
    moving, jammed = states.get(MOVING, []), [one for one in states.get(JAMMED, []) if isinstance(one, bool)]
    source, user = (_only_text(states.get(name, [])) for name in (SOURCE, USER))
    yield LockReport(
        bolt=next(bolt for bolt in (LockState.UNLOCKED, LockState.UNKNOWN, LockState.LOCKED) if bolt in bolts),
        # while it moves, Overkiz does not report the direction
        motion=BoltMotion.IDLE if moving and all(one is False for one in moving) else BoltMotion.UNKNOWN,
        jammed=any(jammed) if jammed else None,
        source=OperationSource(source) if source in set(OperationSource) else OperationSource.UNSPECIFIED,
        user=user,
    )


def _only_text(values: Sequence[object]) -> str | None:
    """Return the only text among the values, if it is the only one."""
    try:
        return text(values[0], "a state") if len(values) == 1 else None
    except MalformedPayload:
        return None


def _contact(states: Mapping[str, list[object]], name: str) -> Iterator[DoorReport]:
    if name in states:
        doors = {_DOORS.get(text(value, "contact"), DoorState.UNKNOWN) for value in states[name]}
        yield DoorReport(
            door=next(door for door in (DoorState.OPEN, DoorState.UNKNOWN, DoorState.CLOSED) if door in doors)
        )


def _batteries(states: Mapping[str, list[object]]) -> Iterator[BatteryReport]:
    """Read all states of the battery; the worst counts."""
    levels = {text(value, "battery level") for name in (BATTERY, CHARGE) for value in states.get(name, [])}
    levels |= {"lowBattery"} & {value for value in states.get(DEFECT, []) if isinstance(value, str)}
    level = next((level for word, level in _CHARGES.items() if word in levels), None)
    if level is not None:
        yield BatteryReport(level=level)
    elif levels:
        raise MalformedPayload("unknown Overkiz battery level")


def _defect(states: Mapping[str, list[object]]) -> Iterator[AvailabilityReport]:
    """Yield offline for a sensor that its box calls dead; "no defect" does not prove that it is online."""
    defects = {text(value, "sensor defect") for value in states.get(DEFECT, [])}
    if "dead" in defects:
        yield AvailabilityReport(online=False)
    elif defects - _NO_DEFECTS - set(_CHARGES):
        raise MalformedPayload("unknown Overkiz sensor defect")


def _status(states: Mapping[str, list[object]]) -> Iterator[AvailabilityReport]:
    """Yield the link's state; other values, or none, do not describe the link."""
    values = states.get(STATUS, [])
    if "unavailable" in values:
        yield AvailabilityReport(online=False)
    elif "available" in values:
        yield AvailabilityReport(online=True)


def _execution(body: Mapping[str, object]) -> tuple[Report, ...]:
    """Parse the progress of an execution; an unknown state gives no report."""
    state = text(body.get("newState"), "newState")
    if state == "FAILED":
        id_ = identifier(body["execId"], "execId") if "execId" in body else None
        failure = body.get("failureType")
        known = (
            _FAILURES.get(failure, OperationError.UNSPECIFIED)
            if isinstance(failure, str)
            else OperationError.UNSPECIFIED
        )
        return (ErrorReport(id=id_, failure=known),)
    if state not in _PROGRESS:
        return ()
    return (ProgressReport(id=identifier(body.get("execId"), "execId"), progress=_PROGRESS[state]),)


def encode_command(command: Command, device_ref: DeviceRef) -> Publication:
    """Encode a command for the device with this deviceURL.

    Raises:
        ValueError: it is neither a movement nor a query.
    """
    match command:
        case UnlockDoor() | LockDoor():
            name = "unlock" if isinstance(command, UnlockDoor) else "lock"
            action = {"deviceURL": device_ref.address, "commands": [{"name": name, "parameters": []}]}
            body = {"label": "Perron", "actions": [action], **movement.command_keys(command)}
            return Publication(suffix=TopicSuffix.SET, payload=write(body))
        case QueryState():
            return Publication(suffix=TopicSuffix.GET, payload=write({"deviceURL": device_ref.address}))
        case _:
            raise ValueError(f"a Somfy device cannot be asked to {type(command).__name__}")


@unreadable_as_value
def decode_command(
    suffix: TopicSuffix, payload: bytes, device_ref: DeviceRef = NO_DEVICE_REF
) -> Command | UnreadablePayload:
    """Parse a command to a lock or contact."""
    body = mapping(parse(payload), "the command")
    if suffix is TopicSuffix.GET:
        text(body.get("deviceURL"), "deviceURL")
        return QueryState()
    if suffix is not TopicSuffix.SET:
        return UnreadablePayload(why="a device is asked on set and get")
    return _movement(body)


def _movement(body: Mapping[str, object]) -> UnlockDoor | LockDoor:
    actions = sequence(body.get("actions"), "actions")
    commands = sequence(mapping(actions[0], "action").get("commands"), "commands") if len(actions) == 1 else ()
    if len(commands) != 1:
        raise MalformedPayload("not exactly one action with one command")
    command = mapping(commands[0], "command")
    match command.get("name"), command.get("parameters", []):
        case ("unlock", []) | ("setLockedUnlocked", ["unlocked"]):
            return movement.read_command(body, UnlockDoor)
        case ("lock", []) | ("setLockedUnlocked", ["locked"]):
            return movement.read_command(body, LockDoor)
        case _:
            raise MalformedPayload("the command does not move a bolt")


def encode_report(report: Report, device_ref: DeviceRef) -> tuple[Publication, ...]:
    """Encode the report of the device with this deviceURL: states on `state`, executions on `event`.

    Raises:
        ValueError: Overkiz cannot express the report.
    """
    if isinstance(report, LockReport):
        return (_state_publication(device_ref.address, _lock_states(report)),)
    if isinstance(report, DoorReport):
        names = {door: word for word, door in _DOORS.items()} | {DoorState.UNKNOWN: "unknown"}
        if report.door not in names:
            raise ValueError("a contact says open or closed")
        return (_state_publication(device_ref.address, [_state(CONTACT, names[report.door])]),)
    if isinstance(report, BatteryReport) and report.level is not None and report.percent is None:
        return (_state_publication(device_ref.address, [_state(BATTERY, report.level.value)]),)
    if isinstance(report, AvailabilityReport):
        name = "DeviceAvailableEvent" if report.online else "DeviceUnavailableEvent"
        return (
            Publication(
                suffix=TopicSuffix.AVAILABILITY, payload=write({"name": name, "deviceURL": device_ref.address})
            ),
        )
    if isinstance(report, ProgressReport):
        return (Publication(suffix=TopicSuffix.EVENT, payload=write(_progress(report))),)
    if isinstance(report, ErrorReport) and report.id is not None and report.failure in _FAILURE_WORDS:
        kind = _FAILURE_WORDS[report.failure]
        failed = [{"deviceURL": device_ref.address, "rank": 0, "failureType": kind}]
        body = _execution_change(report.id, "IN_PROGRESS", "FAILED") | {"failureType": kind, "failedCommands": failed}
        return (Publication(suffix=TopicSuffix.EVENT, payload=write(body)),)
    raise ValueError(f"a Somfy device cannot say this {type(report).__name__}")


def _progress(report: ProgressReport) -> Mapping[str, object]:
    match report.progress:
        case CommandProgress.ACCEPTED:
            return {"execId": report.id}
        case CommandProgress.SENT:
            return _execution_change(report.id, "INITIALIZED", "TRANSMITTED")
        case CommandProgress.CONFIRMED:
            return _execution_change(report.id, "IN_PROGRESS", "COMPLETED")
        case _:
            assert_never(report.progress)


def _execution_change(execution: str, old: str, new: str) -> dict[str, object]:
    return {"name": "ExecutionStateChangedEvent", "execId": execution, "oldState": old, "newState": new}


def _lock_states(report: LockReport) -> list[dict[str, object]]:
    names = {bolt: name for name, bolt in _BOLTS.items()} | {LockState.UNKNOWN: "unknown"}
    if report.bolt not in names:
        raise ValueError("Overkiz has only locked, unlocked and unknown")
    states = [_state(LOCKED_UNLOCKED, names[report.bolt])]
    if report.motion is not BoltMotion.UNKNOWN:
        states.append(_state(MOVING, report.motion is not BoltMotion.IDLE))
    if report.jammed is not None:
        states.append(_state(JAMMED, report.jammed))
    if report.source is not OperationSource.UNSPECIFIED:
        states.append(_state(SOURCE, report.source.value))
    if report.user is not None:
        states.append(_state(USER, report.user))
    return states


def _state(name: str, value: str | bool) -> dict[str, object]:
    return {"name": name, "type": _BOOLEAN if isinstance(value, bool) else _TEXT, "value": value}


def _state_publication(address: str, states: list[dict[str, object]]) -> Publication:
    body = {"name": "DeviceStateChangedEvent", "deviceURL": address, "deviceStates": states}
    return Publication(suffix=TopicSuffix.STATE, payload=write(body))


def _answers(device_ref: DeviceRef) -> bool:
    return not (device_ref.kind == DOOR and device_ref.address.startswith(ONE_WAY_PREFIX))


DEFINITION = Definition(
    name="somfy",
    title="Somfy lock or sensor",
    help="Another program forwards its messages to the broker.",
    fields={
        "address": FieldDescription(
            title="Address of the device (deviceURL)",
            help="As the TaHoma box names it.",
            example="io://1234-5678-9012/1234567",
        ),
    },
    kinds=frozenset({"lock", "door"}),
    simulated=frozenset({"lock", "door"}),
    correlates=True,
    answers_queries=_answers,
    refuses_late=True,
    battery=(TopicSuffix.STATE,),
    address="the deviceURL",
)
