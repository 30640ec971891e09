"""Supports locks, covers, relays, contacts, thermometers, sirens and buttons behind Zigbee2MQTT, on its own topics.

`address` is the device's whole topic, `zigbee2mqtt/FRIENDLY_NAME`; its first level is the bridge's base topic. A base
topic of several levels is in the key `base`, because friendly names may have slashes too.

    state         zigbee2mqtt/NAME               {"state":"LOCK","lock_state":"locked",...}: its whole cache
    availability  zigbee2mqtt/NAME/availability  {"state":"online"}; never there when that feature is off (the default)
    set           zigbee2mqtt/NAME/set           {"state":"UNLOCK"}
    get           zigbee2mqtt/NAME/get           {"state":""}: it reads the device and publishes the state
    bridge        zigbee2mqtt/bridge/state       {"state":"offline"}: all its devices are offline
    log           zigbee2mqtt/bridge/logging     {"message":"Publish 'set' 'state' to 'NAME' failed: .."}
    event         the topic of a button, where `home.yaml` names one for a signal: {"action":"single"}

Pitfalls (found in Zigbee2MQTT 2.14.1 and its drivers):

* A failed query is in the log too; meanwhile the cache may be published for another reason (a battery, an available
  update), and then looks like its answer. So a failed query is void.
* A set is never confirmed. The bolt's report is the only sign; a failure is in the log alone, and Zigbee2MQTT leaves
  out an equal entry after it.
* Every publication contains the whole cache. An `action` is new, but the `state` beside it may be older
  (Kwikset): so nothing else about the bolt counts in a payload with an action, and it answers no query.
* `state` is LOCK or UNLOCK and nothing between; `lock_state` has "not fully locked". If they differ, the worse counts.
* A cover (`cover`: the opener of a garage door) takes {"state":"OPEN"} and {"state":"CLOSE"}, and reports OPEN or CLOSE
  and a position from 0 (closed) to 100. Many cannot be read. If state and position differ, the door is open.
* A relay that releases a strike (`strike`) must fall back by itself. The order is {"state":"ON","on_time":5,
  "off_wait_time":0}, for a firmware that knows "on with timed off". With the key `on_time: device` the relay itself is
  set to fall back ("inching"), and it gets {"state":"ON"} alone. Its state says nothing of the strike or the door.
* What lies in a compartment (`content`) is any property: `occupancy`, unless the key `occupied` names another. The key
  `when` is its value for occupied, as JSON or text: `true` unless it is named. A key on its hook (`key`) is read the
  same way: `contact`, unless the key `present` names another.
* PINs are in `last_used_pin_code`, `pin_code`, `users`, and in log entries about them. No PIN is read or quoted.
* The keypad of a lock (`keypad`) is the lock's own topic once more: `zigbee2mqtt_keypad.py`.
* Nothing contains an id of the gateway: a late copy of a command looks like a new one. All are basic locks.

Keys of `home.yaml`: base; and the properties with another name in the payload: state, lock_state, contact,
temperature, battery, mode (a siren's warning that sounds; `emergency`), probe (a siren's property that can be queried;
`max_duration`); occupied, present, when, on_time (above). And closed: the value, ON or OFF, with which a contact
reports closed, if it does not send `true` (PushOk).
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import assert_never

from devices.commands import (
    ClearCode,
    Command,
    Light,
    LockDoor,
    QueryCodes,
    QueryState,
    SetCode,
    SetSignal,
    Sound,
    UnlockDoor,
)
from devices.reports import (
    AnswerButtonReport,
    AvailabilityReport,
    BatteryLevel,
    BatteryReport,
    CodesReport,
    ContentReport,
    DoorReport,
    DoorState,
    ErrorReport,
    FridgeReport,
    GarageDoorReport,
    GarageDoorState,
    KeyReport,
    LockReport,
    LockState,
    NoAnswerReport,
    OperationError,
    OperationSource,
    Report,
    SignalReport,
    UnreadablePayload,
)
from devices.strict_json import MalformedPayload, mapping, parse, write
from devices.vendors import movement, zigbee2mqtt_keypad
from devices.vendors.definition import (
    ZIGBEE_COMMAND_HOLD_S,
    BrokerAccess,
    Definition,
    FieldDescription,
    KeypadFacts,
)
from devices.vendors.parts import unreadable_as_report, unreadable_as_value
from devices.vendors.temperature import plausible_celsius
from devices.vendors.words import NO_DEVICE_REF, DeviceRef, Publication, TopicSuffix
from devices.vendors.zigbee2mqtt_keypad import KEYPAD, PIN

_LOCK_STATES = {
    "locked": LockState.LOCKED,
    "unlocked": LockState.UNLOCKED,
    "not_fully_locked": LockState.NOT_FULLY_LOCKED,
}
_STATES = {"LOCK": LockState.LOCKED, "UNLOCK": LockState.UNLOCKED}
_DOORS = {
    "open": DoorState.OPEN,
    "closed": DoorState.CLOSED,
    "error_jammed": DoorState.JAMMED,
    "error_forced_open": DoorState.FORCED_OPEN,
    "error_unspecified": DoorState.ERROR,
}
_SOURCES = {
    "keypad": OperationSource.KEYPAD,
    "rf": OperationSource.REMOTE,
    "manual": OperationSource.MANUAL,
    "rfid": OperationSource.RFID,
    "fingerprint": OperationSource.BIOMETRIC,
}
# a word of an action that names who or what moved the bolt; it takes precedence over `action_source_name`
_MOVERS = {
    "manual": OperationSource.MANUAL,
    "key": OperationSource.MANUAL,
    "touch": OperationSource.BUTTON,
    "auto": OperationSource.AUTO,
    "schedule": OperationSource.SCHEDULE,
    "keypad": OperationSource.KEYPAD,
    "password": OperationSource.KEYPAD,
    "rfid": OperationSource.RFID,
    "fingerprint": OperationSource.BIOMETRIC,
    "zigbee": OperationSource.REMOTE,
}
_ACTIONS = {  # the simulated lock's actions
    OperationSource.MANUAL: "manual_",
    OperationSource.BUTTON: "one_touch_",
    OperationSource.AUTO: "auto_",
    OperationSource.SCHEDULE: "schedule_",
    OperationSource.KEYPAD: "keypad_",
    OperationSource.RFID: "rfid_",
    OperationSource.BIOMETRIC: "fingerprint_",
    OperationSource.REMOTE: "zigbee_",
    OperationSource.UNSPECIFIED: "",
}
_NAMED_USERS = frozenset({OperationSource.KEYPAD, OperationSource.RFID, OperationSource.BIOMETRIC})
_NO_USER = 65_535
_OPPOSITES = {"ON": "OFF", "OFF": "ON"}  # the values of a contact whose `keys` name the one for closed
_UNSPECIFIC_ACTIONS = frozenset({"unknown", "non_access_user_operational_event"})  # something moved, but not what
_FAILED_REQUEST = re.compile(r"Publish '(set|get)' '([^']{1,64})' to '(.{1,200}?)' failed: (.*)", re.DOTALL)
# first match wins; a driver's description of a failure is free text
_FAILURE_PATTERNS = (
    (re.compile(r"timeout|timed out", re.IGNORECASE), OperationError.TIMEOUT),
    (
        re.compile(r"no network route|no_ack|delivery failed|unreachable|no route", re.IGNORECASE),
        OperationError.UNREACHABLE,
    ),
    (re.compile(r"not_authorized|invalid_credential", re.IGNORECASE), OperationError.INVALID_CREDENTIAL),
    (re.compile(r"busy", re.IGNORECASE), OperationError.BUSY),
)
_FAILURES = {
    OperationError.TIMEOUT: "Timeout - 4242 - 1 - 12 - 257 - 1 after 10000ms",
    OperationError.UNREACHABLE: "Data request failed with error: 'No network route' (205)",
    OperationError.INVALID_CREDENTIAL: "Status 'NOT_AUTHORIZED'",
    OperationError.BUSY: "Status 'BUSY'",
    OperationError.UNSPECIFIED: "Status 'FAILURE'",
}
_PROPERTIES = {"content": ("occupied", "occupancy"), "key": ("present", "contact")}  # the word of `keys`, the usual one
_AS_JSON = {"true": True, "false": False}
_MOVING = {"UP": GarageDoorState.OPENING, "DOWN": GarageDoorState.CLOSING}
_COVER_STATES = {GarageDoorState.OPEN: "OPEN", GarageDoorState.CLOSED: "CLOSE"}
_MODE, _PROBE = "emergency", "max_duration"  # of a siren, where `home.yaml` gives no other
_SECONDS = {Sound.RING: 3, Sound.WAIT: 0, Sound.GO: 1, Sound.NO: 1, Sound.LEAVE: 5, Sound.CLOSE_THE_DOOR: 5}
_ALARM_S = 60  # seconds; a siren without a stop command ends by itself


def topics(device_ref: DeviceRef) -> Mapping[TopicSuffix, str]:
    """Return the topics of this device, and the two of its bridge."""
    base, _ = split_address(device_ref)
    return MappingProxyType(
        {
            TopicSuffix.STATE: device_ref.address,
            TopicSuffix.AVAILABILITY: f"{device_ref.address}/availability",
            TopicSuffix.SET: f"{device_ref.address}/set",
            TopicSuffix.GET: f"{device_ref.address}/get",
            TopicSuffix.BRIDGE: f"{base}/bridge/state",
            TopicSuffix.LOG: f"{base}/bridge/logging",
        }
    )


def split_address(device_ref: DeviceRef) -> tuple[str, str]:
    """Split an address into the bridge's base topic and the friendly name, which may be empty."""
    base = device_ref.keys.get("base", device_ref.address.partition("/")[0])
    return base, device_ref.address.removeprefix(f"{base}/") if device_ref.address.startswith(f"{base}/") else ""


@unreadable_as_report
def decode_report(suffix: TopicSuffix, payload: bytes, device_ref: DeviceRef = NO_DEVICE_REF) -> Iterable[Report]:
    """Parse a message of a device or its bridge; a payload that does not fit `device_ref.kind` gives nothing."""
    match suffix:
        case TopicSuffix.STATE:
            return _state(mapping(parse(payload), "the state"), device_ref)
        case TopicSuffix.EVENT:
            return _button_reports(mapping(parse(payload), "the press"))
        case TopicSuffix.AVAILABILITY | TopicSuffix.BRIDGE:
            return (_availability(payload),)
        case TopicSuffix.LOG if b"failed: " not in payload:
            return ()  # it concerns another device; every device behind the bridge parses each entry
        case TopicSuffix.LOG:
            return _failure(mapping(parse(payload), "the line of the log"), device_ref)
        case (
            TopicSuffix.RESULT
            | TopicSuffix.SET
            | TopicSuffix.GET
            | TopicSuffix.OPERATION
            | TopicSuffix.BOLT
            | TopicSuffix.LATCH
            | TopicSuffix.BEAM
            | TopicSuffix.MOTION
            | TopicSuffix.PLACE
            | TopicSuffix.BATTERY
            | TopicSuffix.PARCELS
            | TopicSuffix.LAST_UPDATED
        ):
            return (UnreadablePayload(why="a Zigbee device reports on its topic alone"),)
        case _:
            assert_never(suffix)


def _may_be(device_ref: DeviceRef, kind: str) -> bool:
    """Return whether the device is enrolled as that kind; without a kind everything is read."""
    return device_ref.kind in ("", kind)


def _value(body: Mapping[str, object], device_ref: DeviceRef, name: str) -> object:
    return body.get(device_ref.keys.get(name, name))


def _state(body: Mapping[str, object], device_ref: DeviceRef) -> Iterator[Report]:
    if _may_be(device_ref, "lock"):
        yield from _bolt(body, device_ref)
    if _may_be(device_ref, "door"):
        yield from _door(body, device_ref)
    if device_ref.kind == "cover":
        yield from _cover(body, device_ref)
    if device_ref.kind == KEYPAD and "users" in body:
        yield zigbee2mqtt_keypad.codes(mapping(body["users"], "users"))
    if device_ref.kind in _PROPERTIES and _property(device_ref) in body:
        known = _is_so(body[_property(device_ref)], device_ref)
        yield ContentReport(occupied=known) if device_ref.kind == "content" else KeyReport(present=known)
    if _may_be(device_ref, "fridge") and device_ref.keys.get("temperature", "temperature") in body:
        yield FridgeReport(compartment="", temp_c=plausible_celsius(_value(body, device_ref, "temperature"), "C"))
    if device_ref.kind == "signal" and device_ref.keys.get("probe", _PROBE) in body:
        yield SignalReport(id="")
    yield from _battery(body, device_ref)


def _bolt(body: Mapping[str, object], device_ref: DeviceRef) -> Iterator[Report]:
    action = body.get("action")
    if isinstance(action, str) and action:
        yield from _movement_report(action, body)
        return
    state, finer = (_value(body, device_ref, name) for name in ("state", "lock_state"))
    if state is None and finer is None:
        return
    coarse = _STATES.get(state, LockState.UNKNOWN) if isinstance(state, str) else LockState.UNKNOWN
    fine = _LOCK_STATES.get(finer, LockState.UNKNOWN) if isinstance(finer, str) else LockState.UNKNOWN
    if state is None or finer is None:
        yield LockReport(bolt=fine if state is None else coarse)
    elif (coarse is LockState.LOCKED) == (fine is LockState.LOCKED):
        yield LockReport(bolt=fine if coarse is not LockState.UNKNOWN else LockState.UNKNOWN)
    else:  # only one of them says locked: the other counts
        yield LockReport(bolt=fine if coarse is LockState.LOCKED else coarse)


def _movement_report(action: str, body: Mapping[str, object]) -> Iterator[Report]:
    """Yield the operation that the lock reports as it happens. A wrong PIN moves nothing; nor does a new one."""
    parts = action.split("_")
    if "failure" in parts or not ({"lock", "unlock"} & set(parts) or action in _UNSPECIFIC_ACTIONS):
        return
    if action in _UNSPECIFIC_ACTIONS:
        yield LockReport(bolt=LockState.UNKNOWN, event=True)
        return
    named = body.get("action_source_name")
    source = next((_MOVERS[part] for part in parts if part in _MOVERS), None)
    if source is None:
        source = (
            _SOURCES.get(named, OperationSource.UNSPECIFIED) if isinstance(named, str) else OperationSource.UNSPECIFIED
        )
    yield LockReport(
        bolt=LockState.UNLOCKED if "unlock" in parts else LockState.LOCKED,
        source=source,
        user=_user(body.get("action_user")) if source in _NAMED_USERS else None,
        event=True,
    )


def _user(number: object) -> str | None:
    """Return the number under which the lock knows its user; 65535 means no user."""
    known = isinstance(number, int) and not isinstance(number, bool) and 0 <= number < _NO_USER
    return f"user {number}" if known else None


def _door(body: Mapping[str, object], device_ref: DeviceRef) -> Iterator[Report]:
    """Yield the door state: a closed contact is a closed door; a lock's own `door_state` does not count."""
    contact, door_state = _value(body, device_ref, "contact"), body.get("door_state")
    closed = device_ref.keys.get("closed")
    if closed in _OPPOSITES:
        contact = {closed: True, _OPPOSITES[closed]: False}.get(contact) if isinstance(contact, str) else None
    if isinstance(contact, bool):
        yield DoorReport(door=DoorState.CLOSED if contact else DoorState.OPEN)
    elif device_ref.keys.get("contact", "contact") in body:
        yield DoorReport(door=DoorState.UNKNOWN)
    elif isinstance(door_state, str) and not device_ref.kind:
        yield DoorReport(door=_DOORS.get(door_state, DoorState.UNKNOWN))


def _property(device_ref: DeviceRef) -> str:
    """Return the property that says whether something lies there, or whether the key hangs there."""
    word, usual = _PROPERTIES[device_ref.kind]
    return device_ref.keys.get(word, usual)


def _is_so(value: object, device_ref: DeviceRef) -> bool | None:
    """Return whether the value is the one for occupied or present; None: it is of another type than that."""
    when = _AS_JSON.get(device_ref.keys.get("when", "true"), device_ref.keys.get("when", "true"))
    return value == when if type(value) is type(when) else None


def _cover(body: Mapping[str, object], device_ref: DeviceRef) -> Iterator[Report]:
    """Yield where a cover is: closed only if nothing in the payload says otherwise."""
    state, position = _value(body, device_ref, "state"), _number(_value(body, device_ref, "position"))
    if state is None and position is None:
        return
    moving = body.get("moving")
    if isinstance(moving, str) and moving in _MOVING:
        yield GarageDoorReport(cover=_MOVING[moving])
    elif state == "OPEN" or (position is not None and 0 < position <= 100):
        yield GarageDoorReport(cover=GarageDoorState.OPEN)
    elif state in ("CLOSE", None) and position in (0.0, None):
        yield GarageDoorReport(cover=GarageDoorState.CLOSED)
    else:
        yield GarageDoorReport()


def _battery(body: Mapping[str, object], device_ref: DeviceRef) -> Iterator[Report]:
    """Yield the battery; an unreadable one is left out, so that it hides no bolt."""
    told, low = _number(_value(body, device_ref, "battery")), body.get("battery_low")
    percent = round(told) if told is not None and 0 <= told <= 100 else None
    if percent is not None:
        yield BatteryReport(percent=percent, level=BatteryLevel.LOW if low is True else None)
    elif isinstance(low, bool):
        yield BatteryReport(level=BatteryLevel.LOW if low else BatteryLevel.MEDIUM)


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _button_reports(body: Mapping[str, object]) -> Iterator[Report]:
    """Yield a press: any press of the button inside counts, but not its release nor Zigbee2MQTT's empty action."""
    action = body.get("action")
    if isinstance(action, str) and action and "release" not in action.split("_"):
        yield AnswerButtonReport()
    yield from _battery(body, NO_DEVICE_REF)


def _availability(payload: bytes) -> Report:
    """Return the availability, from JSON or from the bare word of older bridges."""
    state = payload.decode(errors="replace") if payload in (b"online", b"offline") else None
    if state is None:
        state = str(mapping(parse(payload), "availability").get("state"))
    if state not in ("online", "offline"):
        raise MalformedPayload("state is neither online nor offline")
    return AvailabilityReport(online=state == "online")


def _failure(line: Mapping[str, object], device_ref: DeviceRef) -> Iterator[Report]:
    """Yield an error for a failed set or get of the gateway. Other log entries are ignored, and may contain a PIN."""
    message = line.get("message")
    match = _FAILED_REQUEST.search(message) if isinstance(message, str) and len(message) <= 2_000 else None
    if match is None or match[3] != split_address(device_ref)[1]:
        return
    if match[1] == "get":
        if match[2] == _query_key(device_ref):
            yield NoAnswerReport()
    elif match[2] in ((PIN,) if device_ref.kind == KEYPAD else (device_ref.keys.get("state", "state"), "warning")):
        reason = match[4].rpartition("failed (")[2]  # before it are the call's options, a timeout among them
        why = next(
            (failure for pattern, failure in _FAILURE_PATTERNS if pattern.search(reason)), OperationError.UNSPECIFIED
        )
        yield ErrorReport(id=None, failure=why)


def encode_command(command: Command, device_ref: DeviceRef) -> Publication:
    """Encode a command for the device.

    Raises:
        ValueError: the device cannot show a result.
    """
    match command:
        case UnlockDoor() | LockDoor():
            if device_ref.kind == "strike":
                return _release(command, device_ref)
            target = _target(command, device_ref)
            return Publication(suffix=TopicSuffix.SET, payload=write({device_ref.keys.get("state", "state"): target}))
        case SetCode() | ClearCode() | QueryCodes() if device_ref.kind == KEYPAD:
            return zigbee2mqtt_keypad.command_publication(command)
        case QueryState():
            return Publication(suffix=TopicSuffix.GET, payload=write({_query_key(device_ref): ""}))
        case SetSignal():
            return Publication(suffix=TopicSuffix.SET, payload=write({"warning": _warning(command, device_ref)}))
        case _:
            raise ValueError(f"a Zigbee device cannot be asked to {type(command).__name__}")


def _release(command: UnlockDoor | LockDoor, device_ref: DeviceRef) -> Publication:
    """Return the order that lets a relay release once; it falls back by itself, whatever becomes of the gateway."""
    if isinstance(command, LockDoor):
        raise ValueError("a relay that releases a strike cannot be asked to LockDoor")  # noqa: TRY004 - no wrong type
    body: dict[str, object] = {device_ref.keys.get("state", "state"): "ON"}
    if device_ref.keys.get("on_time") != "device":
        seconds = device_ref.release_s
        body |= {"on_time": int(seconds) if seconds.is_integer() else seconds, "off_wait_time": 0}
    return Publication(suffix=TopicSuffix.SET, payload=write(body))


def _target(command: UnlockDoor | LockDoor, device_ref: DeviceRef) -> str:
    if device_ref.kind == "cover":
        return "OPEN" if isinstance(command, UnlockDoor) else "CLOSE"
    return "UNLOCK" if isinstance(command, UnlockDoor) else "LOCK"


def _query_key(device_ref: DeviceRef) -> str:
    if device_ref.kind in _PROPERTIES:
        return _property(device_ref)
    key = {"door": "contact", "fridge": "temperature", "signal": "probe", KEYPAD: PIN}.get(device_ref.kind, "state")
    return device_ref.keys.get(key, _PROBE if key == "probe" else key)


def _warning(command: SetSignal, device_ref: DeviceRef) -> dict[str, object]:
    """Return a siren's warning. It has buzzer and flash but no colours: the duration expresses the rest."""
    seconds = _ALARM_S if command.sound is Sound.ALARM else _SECONDS.get(command.sound, 0)
    if not seconds:
        return {"mode": "stop", "strobe": False, "duration": 0}
    mode = device_ref.keys.get("mode", _MODE)
    return {"mode": mode, "strobe": command.light is Light.RED, "duration": seconds}


def encode_report(report: Report, device_ref: DeviceRef) -> tuple[Publication, ...]:
    """Encode a device's report.

    Raises:
        ValueError: Zigbee2MQTT cannot express the report.
    """
    match report:
        case LockReport():
            return (Publication(suffix=TopicSuffix.STATE, payload=write(_lock_body(report, device_ref))),)
        case DoorReport(door=DoorState.OPEN | DoorState.CLOSED):
            key = device_ref.keys.get("contact", "contact")
            is_closed = report.door is DoorState.CLOSED
            closed = device_ref.keys.get("closed")
            value = is_closed if closed not in _OPPOSITES else closed if is_closed else _OPPOSITES[closed]
            return (Publication(suffix=TopicSuffix.STATE, payload=write({key: value})),)
        case GarageDoorReport(clear=None):
            return (Publication(suffix=TopicSuffix.STATE, payload=write(_cover_body(report, device_ref))),)
        case ContentReport(occupied=bool(known)) if device_ref.kind == "content":
            return (Publication(suffix=TopicSuffix.STATE, payload=write(_property_body(known, device_ref))),)
        case CodesReport(is_complete=False) if device_ref.kind == KEYPAD:
            return (zigbee2mqtt_keypad.codes_publication(report),)
        case KeyReport(present=bool(known)) if device_ref.kind == "key":
            return (Publication(suffix=TopicSuffix.STATE, payload=write(_property_body(known, device_ref))),)
        case FridgeReport(compartment="", temp_c=celsius, setpoint_c=None, door=DoorState.UNKNOWN):
            key = device_ref.keys.get("temperature", "temperature")
            return (Publication(suffix=TopicSuffix.STATE, payload=write({key: celsius})),)
        case BatteryReport():
            return (Publication(suffix=TopicSuffix.STATE, payload=write(_battery_body(report, device_ref))),)
        case AvailabilityReport():
            body = {"state": "online" if report.online else "offline"}
            return (Publication(suffix=TopicSuffix.AVAILABILITY, payload=write(body)),)
        case ErrorReport(id=None) if report.failure in _FAILURES:
            name = split_address(device_ref)[1]
            key = PIN if device_ref.kind == KEYPAD else device_ref.keys.get("state", "state")
            message = f"z2m: Publish 'set' '{key}' to '{name}' failed: 'Error: {_FAILURES[report.failure]}'"
            line = {"message": message, "level": "error", "namespace": "z2m"}
            return (Publication(suffix=TopicSuffix.LOG, payload=write(line)),)
        case NoAnswerReport():
            name, key, error = split_address(device_ref)[1], _query_key(device_ref), _FAILURES[OperationError.TIMEOUT]
            message = f"z2m: Publish 'get' '{key}' to '{name}' failed: 'Error: {error}'"
            line = {"message": message, "level": "error", "namespace": "z2m"}
            return (Publication(suffix=TopicSuffix.LOG, payload=write(line)),)
        case AnswerButtonReport():
            return (Publication(suffix=TopicSuffix.EVENT, payload=write({"action": "single"})),)
        case _:
            raise ValueError(f"a Zigbee device cannot say this {type(report).__name__}")


def _property_body(known: bool, device_ref: DeviceRef) -> dict[str, object]:
    when = device_ref.keys.get("when", "true")
    if when in _AS_JSON:
        return {_property(device_ref): known == _AS_JSON[when]}
    if when not in _OPPOSITES:
        raise ValueError("what the property says otherwise is not known")
    return {_property(device_ref): when if known else _OPPOSITES[when]}


def _cover_body(report: GarageDoorReport, device_ref: DeviceRef) -> dict[str, object]:
    if device_ref.kind != "cover" or report.cover not in _COVER_STATES:
        raise ValueError("a cover says open or closed")
    return {device_ref.keys.get("state", "state"): _COVER_STATES[report.cover]}


def _lock_body(report: LockReport, device_ref: DeviceRef) -> dict[str, object]:
    if report.event:
        return _action_body(report)
    fine = {bolt: name for name, bolt in _LOCK_STATES.items()}
    if report.bolt not in fine or report.source is not OperationSource.UNSPECIFIED or report.user is not None:
        raise ValueError("a state says locked, unlocked or not fully locked, and no source")
    if report.jammed is not None:
        raise ValueError("a Zigbee lock has no word for a jam")
    coarse = "LOCK" if report.bolt is LockState.LOCKED else "UNLOCK"
    keys = device_ref.keys
    return {keys.get("state", "state"): coarse, keys.get("lock_state", "lock_state"): fine[report.bolt]}


def _action_body(report: LockReport) -> dict[str, object]:
    actions = {LockState.LOCKED: "lock", LockState.UNLOCKED: "unlock"}
    if report.bolt is LockState.UNKNOWN and report.source is OperationSource.UNSPECIFIED:
        return {"action": "unknown"}
    if report.bolt not in actions or report.source not in _ACTIONS:
        raise ValueError("an action says lock or unlock, and a source that Zigbee has")
    body: dict[str, object] = {"action": _ACTIONS[report.source] + actions[report.bolt]}
    if report.user is not None:
        body["action_user"] = int(report.user.removeprefix("user "))
    return body


def _battery_body(report: BatteryReport, device_ref: DeviceRef) -> dict[str, object]:
    if report.level not in (None, BatteryLevel.LOW) and not (
        report.percent is None and report.level is BatteryLevel.MEDIUM
    ):
        raise ValueError("a Zigbee device says low or not low")
    body: dict[str, object] = {}
    if report.percent is not None:
        body[device_ref.keys.get("battery", "battery")] = report.percent
    if report.level is not None:
        body["battery_low"] = report.level is BatteryLevel.LOW
    return body


@unreadable_as_value
def decode_command(
    suffix: TopicSuffix, payload: bytes, device_ref: DeviceRef = NO_DEVICE_REF
) -> Command | UnreadablePayload:
    """Parse a command to a device. A PIN beside the command is not kept."""
    body = mapping(parse(payload), "the command")
    if device_ref.kind == KEYPAD:
        return zigbee2mqtt_keypad.command(suffix, mapping(body.get(PIN), PIN))
    if suffix is TopicSuffix.GET:
        return QueryState()
    if suffix is not TopicSuffix.SET:
        return UnreadablePayload(why="a device is asked on set and get")
    if "warning" in body:
        return _signal_command(mapping(body["warning"], "warning"))
    order = body.get(device_ref.keys.get("state", "state"))
    if isinstance(order, dict):
        order = order.get("state")
    match order.upper() if isinstance(order, str) else None:
        case "ON" if device_ref.kind == "strike":
            return movement.bare_command(UnlockDoor)
        case "UNLOCK" | "OPEN":
            return movement.bare_command(UnlockDoor)
        case "LOCK" | "CLOSE":
            return movement.bare_command(LockDoor)
        case _:
            return UnreadablePayload(why="the command moves no bolt and no cover, and sounds no siren")


def _signal_command(warning: Mapping[str, object]) -> Command:
    """Return the command of a siren's warning: only the duration distinguishes it."""
    mode, seconds = warning.get("mode"), warning.get("duration")
    if not isinstance(mode, str):
        raise MalformedPayload("the warning has no mode")
    if mode == "stop":
        return SetSignal(id="", light=Light.OFF, sound=Sound.NONE)
    sounds = {Sound.RING: 3, Sound.LEAVE: 5, Sound.GO: 1, Sound.ALARM: _ALARM_S}
    sound = next((sound for sound, long in sounds.items() if long == seconds), None)
    if sound is None:
        raise MalformedPayload("the warning has a length that Perron never asks for")
    return SetSignal(id="", light=Light.RED if warning.get("strobe") is True else Light.AMBER, sound=sound)


_USUAL_BASE = "zigbee2mqtt"  # the base topic of Zigbee2MQTT's own default


def _bridge_problem(device_ref: DeviceRef, bridges: Collection[str]) -> str | None:
    """The base topic decides whose availability and whose log of failed commands concern this device."""
    base, name = split_address(device_ref)
    longer = next(
        (bridge for bridge in bridges if bridge != base and device_ref.address.startswith(f"{bridge}/")), None
    )
    if longer is not None:
        return (
            f"it stands behind the bridge of `{longer}`, which has several levels: write `keys: {{base: {longer}}}`,"
            " or its failures and its end would be heard of nowhere."
        )
    known = {*bridges, device_ref.keys.get("base", _USUAL_BASE), _USUAL_BASE}
    if not name and "/" not in device_ref.address and device_ref.address not in known:
        here = device_ref.keys.get("base") or next((one for one in bridges if one.endswith(_USUAL_BASE)), _USUAL_BASE)
        return (
            f"`{device_ref.address}` alone is no topic: write `{here}/{device_ref.address}`, the bridge's base topic"
            " and the device's friendly name."
        )
    if not name:
        return (
            f"`{device_ref.address}` does not name a device below the base topic `{base}`: write {base}/FRIENDLY_NAME,"
            " as Zigbee2MQTT shows it."
        )
    return None


def settings(access: BrokerAccess) -> str:
    """Return the block `mqtt:` of Zigbee2MQTT's configuration.yaml."""
    lines = [
        "mqtt:",
        f"  base_topic: {access.topic}",
        f"  server: {'mqtts' if access.authority else 'mqtt'}://{access.host}:{access.port}",
        f"  user: {access.user}",
        f"  password: {access.password}",
        f"  client_id: {access.user}",
    ]
    if access.authority:
        lines += [
            "  ca: /app/data/perron.pem  # with this content:",
            *(f"  # {line}" for line in access.authority.splitlines()),
        ]
    return "\n".join(lines)


DEFINITION = Definition(
    name="zigbee2mqtt",
    title="Zigbee device (Zigbee2MQTT)",
    help="Pair it in Zigbee2MQTT first; then it is found here.",
    fields={
        "address": FieldDescription(
            title="Topic of the device",
            help="The base topic, then the device's friendly name.",
            example="zigbee2mqtt/front lock",
        ),
    },
    settings=settings,
    kinds=frozenset({"lock", "cover", "door", "strike", "content", "key", "keypad", "signal", "fridge"}),
    simulated=frozenset({"cover", "strike", "content", "key"}),
    correlates=False,
    silence_s=3600.0,
    command_hold_s=ZIGBEE_COMMAND_HOLD_S,
    topics=topics,
    battery=(TopicSuffix.STATE, TopicSuffix.EVENT),  # whatever its topics, each may contain it
    address="its topic",
    part=_query_key,
    keypad=KeypadFacts(answers_needed=2),
    bridge_problem=_bridge_problem,
)
