"""Reads and writes Perron's own JSON, which any maker may speak: orders, queries, states.

    set           {"do": "open", "id": "…", "intent": "…", "issued_at": "…", "expires_at": "…"}, and `boot` and
                  `until_ms` where the device reports its uptime
    get           {"echo": "12:7"}; the echo is the query's correlation data as text
    state         the fields of the device; retained
    result        the same as an answer, with {"echo": "12:7"} where the device's MQTT has no correlation data (3.1.1);
                  {"id": "…", "accepted": true}: the order was passed on, and nothing more;
                  {"id": "…", "error": "unreachable"}: it was not carried out, and why (`OperationError`)
    event         {"event": "bell"}; {"event": "motion", "detected": true}
    availability  online, offline

Fields of a device, by its kind; another one that stands beside them is ignored:

    strike        online: true or false, as the answer to a query; a strike has no state of its own
    door          door: open, closed, ajar
    compartment   lock: locked, unlocked; door: open, closed (its lid); occupied: true, false, null
    content       occupied: true, false, null
    key           key: present, absent
    keypad        codes: the list of all its codes, [{"slot": 21, "status": "enabled", "name": "…", "starts": "…",
                  "ends": "…"}]; status: enabled, disabled
    any           battery: 0 to 100

A keypad takes {"do": "set_code", "id": "…", "slot": 21, "pin": "…", "name": "…", "starts": "…", "ends": "…"} and
{"do": "clear_code", "id": "…", "slot": 21} on `set`. It refuses a code outside its times by itself, and reports no PIN.

A field that is null, or a word that is unknown, is an unknown state: it hides no other field.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from functools import partial
from types import MappingProxyType

from devices.commands import ClearCode, Command, QueryCodes, QueryState, SetCode, UnlockDoor
from devices.reports import (
    AvailabilityReport,
    BatteryReport,
    CodesReport,
    CodeStatus,
    CommandProgress,
    ContentReport,
    CorrelationReport,
    DoorbellPressed,
    DoorReport,
    DoorState,
    ErrorReport,
    KeypadCode,
    KeyReport,
    LockReport,
    LockState,
    MotionReport,
    OperationError,
    ProgressReport,
    Report,
)
from devices.strict_json import (
    MalformedPayload,
    boolean,
    format_timestamp,
    identifier,
    integer,
    mapping,
    parse,
    sequence,
    text,
    timestamp,
    write,
)
from devices.vendors import movement
from devices.vendors.keypath import object_of, value_at
from devices.vendors.parts import parse_each
from devices.vendors.words import DeviceRef, Publication, TopicSuffix

OPEN = "open"
_BOLTS = {"locked": LockState.LOCKED, "unlocked": LockState.UNLOCKED}
_DOORS = {"open": DoorState.OPEN, "closed": DoorState.CLOSED, "ajar": DoorState.AJAR}
_KEYS = {"present": True, "absent": False}
_FIELDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "strike": ("online",),
        "door": ("door",),
        "compartment": ("lock", "door", "occupied", "available"),
        "content": ("occupied", "available"),
        "key": ("key",),
        "keypad": ("codes",),
        "": ("online", "lock", "door", "occupied", "key"),
    }
)
"""The fields of each kind. `available` is the opposite of `occupied`, and read only where `keys` names its place."""


def decode_report(suffix: TopicSuffix, payload: bytes, device_ref: DeviceRef) -> tuple[Report, ...]:
    """Parse a device's message.

    Raises:
        MalformedPayload: it is not JSON, or says nothing that a device of this kind can say.
    """
    match suffix:
        case TopicSuffix.AVAILABILITY | TopicSuffix.BRIDGE:
            if payload not in (b"online", b"offline"):
                raise MalformedPayload("it is neither online nor offline")
            return (AvailabilityReport(online=payload == b"online"),)
        case TopicSuffix.EVENT:
            return (_event(mapping(parse(payload), "the event")),)
        case TopicSuffix.STATE:
            return parse_each(*_readers(mapping(parse(payload), "the state"), device_ref))
        case TopicSuffix.RESULT:
            return _result(mapping(parse(payload), "the result"), device_ref)
        case _:
            raise MalformedPayload("it says its state, answers, tells what happens, and says whether it is there")


def _event(body: Mapping[str, object]) -> Report:
    match text(body.get("event"), "event"):
        case "bell":
            return DoorbellPressed()
        case "motion":
            return MotionReport(detected=boolean(body.get("detected"), "detected"))
        case _:
            raise MalformedPayload("event is neither bell nor motion")


def _result(body: Mapping[str, object], device_ref: DeviceRef) -> tuple[Report, ...]:
    if "id" in body and "error" in body:
        word = body["error"]
        names = set(OperationError)
        failure = OperationError(word) if isinstance(word, str) and word in names else OperationError.UNSPECIFIED
        return (ErrorReport(id=identifier(body["id"], "id"), failure=failure),)
    if body.get("accepted") is True:
        return (ProgressReport(id=identifier(body.get("id"), "id"), progress=CommandProgress.ACCEPTED),)
    readers = tuple(_readers(body, device_ref))
    if not readers:
        raise MalformedPayload("the answer says nothing that such a device can say")
    if "echo" not in body:
        return parse_each(*readers)
    return parse_each(lambda: (CorrelationReport(echo=identifier(body["echo"], "echo")),), *readers)


def _readers(body: Mapping[str, object], device_ref: DeviceRef) -> Iterator[Callable[[], Iterable[Report]]]:
    """Yield a reader for each field of the device that the payload has."""
    for name in _FIELDS.get(device_ref.kind, _FIELDS[""]):
        if name == "available" and name not in device_ref.keys:
            continue
        path = device_ref.keys.get(name, name)
        try:
            value = value_at(body, path)
        except MalformedPayload:
            continue  # the device did not say it this time
        yield partial(_field, name, value)
    if "battery" in body:
        yield partial(_field, "battery", body["battery"])


def _field(name: str, value: object) -> Iterable[Report]:
    match name:
        case "online":
            yield AvailabilityReport(online=boolean(value, "online"))
        case "lock":
            yield LockReport(bolt=_BOLTS.get(value, LockState.UNKNOWN) if isinstance(value, str) else LockState.UNKNOWN)
        case "door":
            yield DoorReport(door=_DOORS.get(value, DoorState.UNKNOWN) if isinstance(value, str) else DoorState.UNKNOWN)
        case "occupied":
            yield ContentReport(occupied=value if isinstance(value, bool) else None)
        case "available":
            yield ContentReport(occupied=not value if isinstance(value, bool) else None)
        case "key":
            yield KeyReport(present=_KEYS.get(value) if isinstance(value, str) else None)
        case "codes":
            codes = tuple(_read_code(mapping(code, "a code")) for code in sequence(value, "codes"))
            yield CodesReport(codes=codes, is_complete=True)
        case _:
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 100:
                raise MalformedPayload("the battery is no percentage")
            yield BatteryReport(percent=round(value))


def _read_code(body: Mapping[str, object]) -> KeypadCode:
    status = body.get("status")
    return KeypadCode(
        slot=integer(body.get("slot"), "slot"),
        status=CodeStatus(status) if isinstance(status, str) and status in set(CodeStatus) else CodeStatus.UNKNOWN,
        name=text(body["name"], "name") if body.get("name") is not None else None,
        starts=timestamp(body["starts"], "starts") if body.get("starts") is not None else None,
        ends=timestamp(body["ends"], "ends") if body.get("ends") is not None else None,
    )


def _code_body(code: KeypadCode) -> dict[str, object]:
    times = {name: None if at is None else format_timestamp(at) for name, at in _times(code)}
    return {"slot": code.slot, "status": code.status.value, "name": code.name, **times}


def _times(code: KeypadCode | SetCode) -> tuple[tuple[str, datetime | None], ...]:
    return ("starts", code.starts), ("ends", code.ends)


def encode_command(command: Command, device_ref: DeviceRef) -> Publication:
    """Encode an order to open or to change a code, or a query.

    Raises:
        ValueError: such a device is only opened and queried.
    """
    match command:
        case UnlockDoor() if device_ref.kind in ("", "strike", "compartment"):
            body = {"do": OPEN, **movement.command_keys(command)}
            return Publication(suffix=TopicSuffix.SET, payload=write(body))
        case SetCode() if device_ref.kind == "keypad":
            times = {name: format_timestamp(at) for name, at in _times(command) if at is not None}
            order = {"do": "set_code", "id": command.id, "slot": command.slot, "pin": command.pin, "name": command.name}
            return Publication(suffix=TopicSuffix.SET, payload=write({**order, **times}))
        case ClearCode(id=id_, slot=slot) if device_ref.kind == "keypad":
            return Publication(suffix=TopicSuffix.SET, payload=write({"do": "clear_code", "id": id_, "slot": slot}))
        case QueryState(echo=echo):
            return _query(echo)
        case QueryCodes(echo=echo) if device_ref.kind == "keypad":  # it answers with all of them
            return _query(echo)
        case _:
            raise ValueError(f"such a device cannot be asked to {type(command).__name__}")


def _query(echo: str | None) -> Publication:
    return Publication(suffix=TopicSuffix.GET, payload=write({} if echo is None else {"echo": echo}))


def decode_command(suffix: TopicSuffix, payload: bytes) -> Command:
    """Parse a command to the device.

    Raises:
        MalformedPayload: it is neither an order to open, with id and expiry, nor one about a code, nor a query.
    """
    body = mapping(parse(payload), "the command")
    if suffix is TopicSuffix.GET:
        return QueryState(echo=identifier(body["echo"], "echo") if "echo" in body else None)
    if suffix is TopicSuffix.SET and body.get("do") == "set_code":
        return SetCode(
            id=identifier(body.get("id"), "id"),
            pin=text(body.get("pin"), "pin"),
            name=text(body.get("name"), "name"),
            slot=integer(body.get("slot"), "slot"),
            starts=timestamp(body["starts"], "starts") if "starts" in body else None,
            ends=timestamp(body["ends"], "ends") if "ends" in body else None,
        )
    if suffix is TopicSuffix.SET and body.get("do") == "clear_code":
        return ClearCode(id=identifier(body.get("id"), "id"), slot=integer(body.get("slot"), "slot"))
    if suffix is not TopicSuffix.SET or body.get("do") != OPEN:
        raise MalformedPayload("it is opened and queried, and nothing else")
    return movement.read_command(body, UnlockDoor)


def encode_report(report: Report, device_ref: DeviceRef) -> tuple[Publication, ...]:
    """Encode a report of the device.

    Raises:
        ValueError: a device of this kind cannot say it.
    """
    match report:
        case AvailabilityReport(online=online):
            return (Publication(suffix=TopicSuffix.AVAILABILITY, payload=b"online" if online else b"offline"),)
        case DoorbellPressed():
            return (Publication(suffix=TopicSuffix.EVENT, payload=write({"event": "bell"})),)
        case MotionReport(detected=detected):
            body: Mapping[str, object] = {"event": "motion", "detected": detected}
            return (Publication(suffix=TopicSuffix.EVENT, payload=write(body)),)
        case ProgressReport(id=id_, progress=CommandProgress.ACCEPTED):
            return (Publication(suffix=TopicSuffix.RESULT, payload=write({"id": id_, "accepted": True})),)
        case ErrorReport(id=str(id_), failure=failure):
            return (Publication(suffix=TopicSuffix.RESULT, payload=write({"id": id_, "error": failure.value})),)
        case BatteryReport(percent=int(percent), level=None):
            return (Publication(suffix=TopicSuffix.STATE, payload=write({"battery": percent})),)
        case _:
            name, value = _value_of(report)
            return (Publication(suffix=TopicSuffix.STATE, payload=write(_body_of(name, value, device_ref))),)


def answer(report: Report, echo: str, device_ref: DeviceRef) -> Publication:
    """Encode the answer, with the query's echo in it, of a device whose MQTT has no correlation data.

    Raises:
        ValueError: a device of this kind cannot say it.
    """
    name, value = _value_of(report)
    return Publication(suffix=TopicSuffix.RESULT, payload=write({"echo": echo, **_body_of(name, value, device_ref)}))


def _value_of(report: Report) -> tuple[str, object]:
    """Return the field that says it, and its value; ValueError: none does."""
    match report:
        case AvailabilityReport(online=online):
            return "online", online
        case LockReport(bolt=bolt) if report == LockReport(bolt=bolt) and bolt in {*_BOLTS.values(), LockState.UNKNOWN}:
            return "lock", next((word for word, state in _BOLTS.items() if state is bolt), None)
        case DoorReport(door=door) if door in {*_DOORS.values(), DoorState.UNKNOWN}:
            return "door", next((word for word, state in _DOORS.items() if state is door), None)
        case ContentReport(occupied=occupied):
            return "occupied", occupied
        case CodesReport(codes=codes, is_complete=True):
            return "codes", [_code_body(code) for code in codes]
        case KeyReport(present=present):
            return "key", next((word for word, there in _KEYS.items() if there is present), None)
        case _:
            raise ValueError(f"such a device cannot say this {type(report).__name__}")


def _body_of(name: str, value: object, device_ref: DeviceRef) -> Mapping[str, object]:
    if name not in _FIELDS.get(device_ref.kind, ()) and device_ref.kind:
        raise ValueError(f"a {device_ref.kind} has no word for {name}")
    if name == "occupied" and "available" in device_ref.keys:
        return object_of({device_ref.keys["available"]: not value if isinstance(value, bool) else None})
    return object_of({device_ref.keys.get(name, name): value})
