"""Somfy locks and door contacts in the words of Overkiz (TaHoma).

Sourced: `DeviceStateChangedEvent`, `DeviceAvailableEvent`, `DeviceUnavailableEvent`, `ExecutionStateChangedEvent` with
their states and failure types, the body of an execution, core:LockedUnlockedState, core:MovingState,
core:BatteryDiscreteLevelState, core:StatusState, core:ContactState (io:DoorLockIOComponent, myfox:SomfyProtectDoorLock
and the contact sensors).

The lock's own core:OpenClosedState is never read as a door: an io lock makes it from the same register as
core:LockedUnlockedState, so it only repeats the bolt. A door is what a contact sensor says in core:ContactState.

Inferred (†), because Overkiz has no word for it; a bridge to MQTT adds these under a name of our own, never under one
of Overkiz's:
    perron:JammedState           †  the bolt is stuck (Overkiz shows only the failed execution)
    perron:OperationSourceState  †  who moved the bolt last; without it the source is unspecified, never guessed
    perron:OperationUserState    †  which of the lock's users did
    PERRON_EXPIRED, PERRON_REPEATED †  failure types of a guarded lock; an execution's id is our command's id
    a query's body               †  {"deviceURL": ...}
"""

from collections.abc import Mapping
from typing import assert_never

from devices.commands import Command, Lock, Query, SetSignal, ShowResult, Unlock
from devices.reports import (
    AvailabilityReport,
    BatteryLevel,
    BatteryReport,
    Bolt,
    CommandReport,
    Door,
    DoorReport,
    Failure,
    FailureReport,
    LockReport,
    Motion,
    Progress,
    Report,
    Source,
    Unreadable,
)
from devices.vendors import movement
from devices.vendors.strictjson import Malformed, flag, identifier, mapping, parse, sequence, text, write
from devices.vendors.words import BARE, NO_TOPICS, Channel, Letter, Nameplate

LOCKED_UNLOCKED = "core:LockedUnlockedState"
MOVING = "core:MovingState"
BATTERY = "core:BatteryDiscreteLevelState"
STATUS = "core:StatusState"
CONTACT = "core:ContactState"
JAMMED = "perron:JammedState"
SOURCE = "perron:OperationSourceState"
USER = "perron:OperationUserState"
_TEXT, _BOOLEAN = 3, 6  # Overkiz's value types

_BOLTS = {"locked": Bolt.LOCKED, "unlocked": Bolt.UNLOCKED}
_DOORS = {"open": Door.OPEN, "closed": Door.CLOSED}
_PROGRESS = {
    "INITIALIZED": Progress.ACCEPTED,
    "QUEUED_GATEWAY_SIDE": Progress.ACCEPTED,
    "QUEUED_SERVER_SIDE": Progress.ACCEPTED,
    "TRANSMITTED": Progress.SENT,
    "IN_PROGRESS": Progress.SENT,
    "COMPLETED": Progress.CONFIRMED,
}
_FAILURES = {
    "ANOTHER_COMMAND_IS_RUNNING": Failure.BUSY,
    "BUSY_RADIO_ERROR": Failure.BUSY,
    "ACTUATORNOANSWER": Failure.UNREACHABLE,
    "PEER_DOWN": Failure.UNREACHABLE,
    "TIMED_OUT": Failure.TIMEOUT,
    "NONEXEC_BATTERY_LEVEL": Failure.INSUFFICIENT_BATTERY,
    "WHILEEXEC_BATTERY_LEVEL": Failure.INSUFFICIENT_BATTERY,
    "OPERATION_NOT_ALLOWED": Failure.RESTRICTED,
    "PRIORITY_LOCK__LOCAL_USER": Failure.RESTRICTED,
    "PRIORITY_LOCK__USER": Failure.RESTRICTED,
    "NONEXEC_MANUALLY_CONTROLLED": Failure.RESTRICTED,
    "SETUP_REQUIRED": Failure.NOT_CALIBRATED,
    "MASTER_AUTHENTICATION_FAILED_ERROR": Failure.INVALID_CREDENTIAL,
    "WHILEEXEC_BLOCKED_BY_HAZARD": Failure.UNSPECIFIED,
    "PERRON_EXPIRED": Failure.EXPIRED,
    "PERRON_REPEATED": Failure.REPEATED,
}
_FAILURE_WORDS = {
    Failure.UNSPECIFIED: "WHILEEXEC_BLOCKED_BY_HAZARD",
    Failure.INVALID_CREDENTIAL: "MASTER_AUTHENTICATION_FAILED_ERROR",
    Failure.RESTRICTED: "OPERATION_NOT_ALLOWED",
    Failure.INSUFFICIENT_BATTERY: "NONEXEC_BATTERY_LEVEL",
    Failure.UNREACHABLE: "ACTUATORNOANSWER",
    Failure.BUSY: "ANOTHER_COMMAND_IS_RUNNING",
    Failure.TIMEOUT: "TIMED_OUT",
    Failure.NOT_CALIBRATED: "SETUP_REQUIRED",
    Failure.EXPIRED: "PERRON_EXPIRED",
    Failure.REPEATED: "PERRON_REPEATED",
}


ECHOES = True


def topics(plate: Nameplate) -> Mapping[Channel, str]:  # noqa: ARG001 (the same for all)
    """It speaks on our topics."""
    return NO_TOPICS


def decode_report(
    channel: Channel,
    payload: bytes,
    plate: Nameplate = BARE,  # noqa: ARG001 (nothing of it is needed)
) -> tuple[Report, ...]:
    """Read what a lock or contact sent; what cannot be read is one `Unreadable`.

    An event that speaks only of things Perron has no use for (signal strength, names) says nothing: an empty tuple.
    """
    if channel in (Channel.SET, Channel.GET):
        return (Unreadable(why="nothing is reported on set or get"),)
    try:
        return _event(mapping(parse(payload), "the event"))
    except Malformed as error:
        return (Unreadable(why=str(error)),)


def _event(body: Mapping[str, object]) -> tuple[Report, ...]:
    if "name" not in body:
        return (CommandReport(id=identifier(body.get("execId"), "execId"), progress=Progress.ACCEPTED),)
    match text(body["name"], "name"):
        case "DeviceStateChangedEvent":
            return _states(body)
        case "ExecutionStateChangedEvent":
            return (_execution(body),)
        case "DeviceAvailableEvent":
            return (AvailabilityReport(online=True),)
        case "DeviceUnavailableEvent":
            return (AvailabilityReport(online=False),)
        case _:
            return ()


def _states(body: Mapping[str, object]) -> tuple[Report, ...]:
    states: dict[str, object] = {}
    for item in sequence(body.get("deviceStates"), "deviceStates"):
        state = mapping(item, "a state")
        name = text(state.get("name"), "a state's name")
        if name in states:
            raise Malformed("a state stands twice")
        states[name] = state.get("value")
    reports: list[Report] = []
    if LOCKED_UNLOCKED in states:
        reports.append(_lock(states))
    if CONTACT in states:
        reports.append(DoorReport(door=_DOORS.get(text(states[CONTACT], "contact"), Door.UNKNOWN)))
    if BATTERY in states:
        reports.append(_battery(text(states[BATTERY], "battery level")))
    match states.get(STATUS):
        case "available":
            reports.append(AvailabilityReport(online=True))
        case "unavailable":
            reports.append(AvailabilityReport(online=False))
        case _:
            pass  # other words, and no word, tell nothing of the link
    return tuple(reports)


def _lock(states: Mapping[str, object]) -> LockReport:
    source = text(states[SOURCE], "source") if SOURCE in states else ""
    return LockReport(
        bolt=_BOLTS.get(text(states[LOCKED_UNLOCKED], "bolt"), Bolt.UNKNOWN),
        # while it moves, Overkiz does not say which way
        motion=Motion.IDLE if MOVING in states and not flag(states[MOVING], "moving") else Motion.UNKNOWN,
        jammed=flag(states[JAMMED], "jammed") if JAMMED in states else None,
        source=Source(source) if source in set(Source) else Source.UNSPECIFIED,
        user=text(states[USER], "user") if USER in states else None,
    )


def _battery(word: str) -> Report:
    if word not in set(BatteryLevel):
        raise Malformed("battery level is none of good, medium, low and critical")
    return BatteryReport(level=BatteryLevel(word))


def _execution(body: Mapping[str, object]) -> Report:
    state = text(body.get("newState"), "newState")
    if state == "FAILED":
        id_ = identifier(body["execId"], "execId") if "execId" in body else None
        failure = text(body["failureType"], "failureType") if "failureType" in body else ""
        return FailureReport(id=id_, failure=_FAILURES.get(failure, Failure.UNSPECIFIED))
    if state not in _PROGRESS:
        raise Malformed("newState is none that Overkiz has")
    return CommandReport(id=identifier(body.get("execId"), "execId"), progress=_PROGRESS[state])


def encode_command(command: Command, plate: Nameplate) -> Letter:
    """Write a command for the device with this deviceURL.

    Raises:
        ValueError: it is neither a movement nor a query.
    """
    match command:
        case Unlock() | Lock():
            name = "unlock" if isinstance(command, Unlock) else "lock"
            action = {"deviceURL": plate.address, "commands": [{"name": name, "parameters": []}]}
            body = {"label": "Perron", "actions": [action], **movement.keys(command)}
            return Letter(channel=Channel.SET, payload=write(body))
        case Query():
            return Letter(channel=Channel.GET, payload=write({"deviceURL": plate.address}))
        case SetSignal() | ShowResult():
            raise ValueError(f"a Somfy device cannot be asked to {type(command).__name__}")
        case _:
            assert_never(command)


def decode_command(
    channel: Channel,
    payload: bytes,
    plate: Nameplate = BARE,  # noqa: ARG001 (the same)
) -> Command | Unreadable:
    """Read what a lock or contact is asked."""
    try:
        body = mapping(parse(payload), "the command")
        if channel is Channel.GET:
            text(body.get("deviceURL"), "deviceURL")
            return Query()
        if channel is not Channel.SET:
            return Unreadable(why="a device is asked on set and get")
        return _movement(body)
    except Malformed as error:
        return Unreadable(why=str(error))


def _movement(body: Mapping[str, object]) -> Unlock | Lock:
    actions = sequence(body.get("actions"), "actions")
    commands = sequence(mapping(actions[0], "action").get("commands"), "commands") if len(actions) == 1 else ()
    if len(commands) != 1:
        raise Malformed("not exactly one action with one command")
    command = mapping(commands[0], "command")
    match command.get("name"), command.get("parameters", []):
        case ("unlock", []) | ("setLockedUnlocked", ["unlocked"]):
            return movement.read(body, Unlock)
        case ("lock", []) | ("setLockedUnlocked", ["locked"]):
            return movement.read(body, Lock)
        case _:
            raise Malformed("the command is none that moves a bolt")


def encode_report(report: Report, plate: Nameplate) -> tuple[Letter, ...]:
    """Write what the device with this deviceURL would send: states on `state`, executions on `event`.

    Raises:
        ValueError: Overkiz has no words for that.
    """
    if isinstance(report, LockReport):
        return (_state_letter(plate.address, _lock_states(report)),)
    if isinstance(report, DoorReport):
        words = {door: word for word, door in _DOORS.items()} | {Door.UNKNOWN: "unknown"}
        if report.door not in words:
            raise ValueError("a contact says open or closed")
        return (_state_letter(plate.address, [_state(CONTACT, words[report.door])]),)
    if isinstance(report, BatteryReport) and report.level is not None and report.percent is None:
        return (_state_letter(plate.address, [_state(BATTERY, report.level.value)]),)
    if isinstance(report, AvailabilityReport):
        name = "DeviceAvailableEvent" if report.online else "DeviceUnavailableEvent"
        return (Letter(channel=Channel.AVAILABILITY, payload=write({"name": name, "deviceURL": plate.address})),)
    if isinstance(report, CommandReport):
        return (Letter(channel=Channel.EVENT, payload=write(_progress(report))),)
    if isinstance(report, FailureReport) and report.id is not None and report.failure in _FAILURE_WORDS:
        kind = _FAILURE_WORDS[report.failure]
        failed = [{"deviceURL": plate.address, "rank": 0, "failureType": kind}]
        body = _changed(report.id, "IN_PROGRESS", "FAILED") | {"failureType": kind, "failedCommands": failed}
        return (Letter(channel=Channel.EVENT, payload=write(body)),)
    raise ValueError(f"a Somfy device cannot say this {type(report).__name__}")


def _progress(report: CommandReport) -> Mapping[str, object]:
    match report.progress:
        case Progress.ACCEPTED:
            return {"execId": report.id}
        case Progress.SENT:
            return _changed(report.id, "INITIALIZED", "TRANSMITTED")
        case Progress.CONFIRMED:
            return _changed(report.id, "IN_PROGRESS", "COMPLETED")
        case _:
            assert_never(report.progress)


def _changed(execution: str, old: str, new: str) -> dict[str, object]:
    return {"name": "ExecutionStateChangedEvent", "execId": execution, "oldState": old, "newState": new}


def _lock_states(report: LockReport) -> list[dict[str, object]]:
    words = {bolt: word for word, bolt in _BOLTS.items()} | {Bolt.UNKNOWN: "unknown"}
    if report.bolt not in words:
        raise ValueError("Overkiz has only locked, unlocked and unknown")
    states = [_state(LOCKED_UNLOCKED, words[report.bolt])]
    if report.motion is not Motion.UNKNOWN:
        states.append(_state(MOVING, report.motion is not Motion.IDLE))
    if report.jammed is not None:
        states.append(_state(JAMMED, report.jammed))
    if report.source is not Source.UNSPECIFIED:
        states.append(_state(SOURCE, report.source.value))
    if report.user is not None:
        states.append(_state(USER, report.user))
    return states


def _state(name: str, value: str | bool) -> dict[str, object]:
    return {"name": name, "type": _BOOLEAN if isinstance(value, bool) else _TEXT, "value": value}


def _state_letter(address: str, states: list[dict[str, object]]) -> Letter:
    body = {"name": "DeviceStateChangedEvent", "deviceURL": address, "deviceStates": states}
    return Letter(channel=Channel.STATE, payload=write(body))
