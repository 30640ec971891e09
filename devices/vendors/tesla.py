"""Supports a Tesla by the words of its vehicle-command protocol, behind a program of the owner's own.

The car accepts commands only over Tesla's own protocol, signed with a key that the owner has enrolled in it. Perron has
no such key: a program beside it (with Tesla's vehicle-command library) takes these messages and speaks to the car. It
must give `expires_at` to the car with the command: the car itself then refuses a late copy (a guarded boot).

    set      {"command": "actuate_trunk", "body": {"which_trunk": "rear"}, "id": "…", "intent": "…", "issued_at": "…",
             "expires_at": "…"}; {"command": "door_lock", "body": {}, …}
    get      {"endpoints": "drive_state;location_data;vehicle_state", "echo": "12:7"}
    result   {"echo": "12:7", "response": {…}}: what the endpoint vehicle_data returned, asked of the car just now;
             {"echo": "12:7", "error": "vehicle unavailable"}: it did not answer;
             {"id": "…", "result": true, "reason": ""}: the car has taken the command, or why it has not
    availability   online, offline: of the program

From Tesla's Fleet API (vehicle_data, actuate_trunk, door_lock) and github.com/teslamotors/vehicle-command. The car
tells no radius of its position; a rear boot (`rt`) is closed if it is 0.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping

from devices.commands import Command, LockDoor, QueryState, UnlockDoor
from devices.reports import (
    AvailabilityReport,
    CommandProgress,
    CorrelationReport,
    DoorReport,
    DoorState,
    ErrorReport,
    LockReport,
    LockState,
    NoAnswerReport,
    OperationError,
    ParkedReport,
    PositionReport,
    ProgressReport,
    Report,
    UnreadablePayload,
)
from devices.strict_json import MalformedPayload, boolean, identifier, mapping, number, parse, write
from devices.vendors import movement
from devices.vendors.definition import Definition
from devices.vendors.parts import parse_each, unreadable_as_report, unreadable_as_value
from devices.vendors.words import NO_DEVICE_REF, DeviceRef, Publication, TopicSuffix

ASSUMED_ACCURACY_M = 30.0  # the car tells no radius
ENDPOINTS = "drive_state;location_data;vehicle_state"
OPEN, LOCK = "actuate_trunk", "door_lock"
_BODIES: Mapping[str, Mapping[str, str]] = {OPEN: {"which_trunk": "rear"}, LOCK: {}}
_REASONS = {
    "expired": OperationError.EXPIRED,
    "busy": OperationError.BUSY,
    "vehicle unavailable": OperationError.UNREACHABLE,
    "unknown key": OperationError.INVALID_CREDENTIAL,
}


@unreadable_as_report
def decode_report(suffix: TopicSuffix, payload: bytes, _device_ref: DeviceRef = NO_DEVICE_REF) -> Iterable[Report]:
    """Parse a message of the program; an unreadable one gives one `UnreadablePayload`."""
    match suffix:
        case TopicSuffix.AVAILABILITY:
            if payload not in (b"online", b"offline"):
                raise MalformedPayload("it is neither online nor offline")
            return (AvailabilityReport(online=payload == b"online"),)
        case TopicSuffix.RESULT:
            return _result(mapping(parse(payload), "the result"))
        case _:
            raise MalformedPayload("it answers, and says whether it is there")


def _result(body: Mapping[str, object]) -> tuple[Report, ...]:
    if "id" in body:
        ident = identifier(body["id"], "id")
        if boolean(body.get("result"), "result"):
            return (ProgressReport(id=ident, progress=CommandProgress.ACCEPTED),)
        reason = body.get("reason")
        failure = _REASONS.get(reason, OperationError.UNSPECIFIED) if isinstance(reason, str) else None
        return (ErrorReport(id=ident, failure=failure or OperationError.UNSPECIFIED),)
    if "error" in body:
        return (NoAnswerReport(),)
    data = mapping(body.get("response"), "the response")
    echo = identifier(body.get("echo"), "echo")
    return parse_each(lambda: (CorrelationReport(echo=echo),), *_readers(data))


def _readers(data: Mapping[str, object]) -> Iterator[Callable[[], Iterable[Report]]]:
    state, drive = (mapping(data.get(name), name) for name in ("vehicle_state", "drive_state"))
    yield lambda: (_boot(state.get("rt")),)
    yield lambda: (_locks(state.get("locked")),)
    yield lambda: (_parked(drive),)
    yield lambda: (_position(drive),)


def _boot(rt: object) -> DoorReport:
    if isinstance(rt, bool) or not isinstance(rt, int):
        return DoorReport(door=DoorState.UNKNOWN)
    return DoorReport(door=DoorState.OPEN if rt else DoorState.CLOSED)


def _locks(locked: object) -> LockReport:
    if not isinstance(locked, bool):
        return LockReport(bolt=LockState.UNKNOWN)
    return LockReport(bolt=LockState.LOCKED if locked else LockState.UNLOCKED)


def _parked(drive: Mapping[str, object]) -> ParkedReport:
    """Return whether it is parked: in P without speed. A gear of null is unknown: the car may be asleep.

    So is a speed that is no number: firmware also writes it as text.
    """
    gear, speed = drive.get("shift_state"), drive.get("speed")
    is_number = isinstance(speed, int | float) and not isinstance(speed, bool)
    if gear in ("R", "N", "D") or (is_number and speed != 0):
        return ParkedReport(parked=False)
    return ParkedReport(parked=True if gear == "P" and (speed is None or is_number) else None)


def _position(drive: Mapping[str, object]) -> PositionReport:
    if drive.get("latitude") is None or drive.get("longitude") is None:
        return PositionReport()
    as_of, now_ms = drive.get("gps_as_of"), drive.get("timestamp")
    is_dated = isinstance(as_of, int) and isinstance(now_ms, int)
    age_s = now_ms / 1000 - as_of if is_dated and isinstance(as_of, int) and isinstance(now_ms, int) else None
    return PositionReport(
        latitude=number(drive["latitude"], "latitude"),
        longitude=number(drive["longitude"], "longitude"),
        accuracy_m=ASSUMED_ACCURACY_M,
        age_s=None if age_s is None or age_s < 0 else age_s,
    )


def encode_command(command: Command, _device_ref: DeviceRef) -> Publication:
    """Encode a command.

    Raises:
        ValueError: a boot is only opened, locked and queried.
    """
    match command:
        case UnlockDoor() | LockDoor():
            name = OPEN if isinstance(command, UnlockDoor) else LOCK
            body = {"command": name, "body": dict(_BODIES[name]), **movement.command_keys(command)}
            return Publication(suffix=TopicSuffix.SET, payload=write(body))
        case QueryState(echo=echo):
            asked = {"endpoints": ENDPOINTS} if echo is None else {"endpoints": ENDPOINTS, "echo": echo}
            return Publication(suffix=TopicSuffix.GET, payload=write(asked))
        case _:
            raise ValueError(f"a car cannot be asked to {type(command).__name__}")


def encode_report(report: Report, _device_ref: DeviceRef) -> tuple[Publication, ...]:
    """Raise ValueError: the simulated house has no such car."""
    raise ValueError(f"no simulated car says {type(report).__name__} like this")


@unreadable_as_value
def decode_command(
    suffix: TopicSuffix, payload: bytes, _device_ref: DeviceRef = NO_DEVICE_REF
) -> Command | UnreadablePayload:
    """Parse a command as the program beside Perron does; an unreadable one gives `UnreadablePayload`."""
    body = mapping(parse(payload), "the command")
    if suffix is TopicSuffix.GET:
        return QueryState(echo=identifier(body["echo"], "echo") if "echo" in body else None)
    name = body.get("command")
    if suffix is not TopicSuffix.SET or not isinstance(name, str) or name not in _BODIES:
        raise MalformedPayload("its boot is opened, it is locked and asked, and nothing else")
    return movement.read_command(body, UnlockDoor if name == OPEN else LockDoor)


DEFINITION = Definition(
    name="tesla",
    title="Tesla, behind a program with Tesla's vehicle-command library",
    help="Perron has no key of the car: a program of your own takes its orders and speaks to the car.",
    kinds=frozenset({"car"}),
    correlates=True,
    refuses_late=True,
    opens_boot_alone=True,
)
