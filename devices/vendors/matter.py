"""Supports Matter devices behind `perron matter`, which speaks the WebSocket of a Matter server.

`address` is `<base>/<node>-<endpoint>`, such as `matter/5-1`: the node's number at the server, and the endpoint. The
values are Matter's own, by cluster and attribute (`matter_clusters.py` has the numbers):

    state         {"257/0": 2}: attributes of the endpoint, as a subscription reported them
    event         {"cluster": 257, "event": 2, "data": {"lockOperationType": 1, ...}, "own": true}; `own`: the node that
                  caused it is the Matter server, which may have other clients than `perron matter`
    get           {"echo": "12:7"}
    result        {"echo": "12:7", "257/0": 1}: the attributes, read from the device for this query;
                  {"echo": "12:7", "no_answer": "timeout"}: the device did not answer it
                  {"id": "...", "accepted": true}: the device took the command, and nothing about its bolt;
                  {"id": "...", "error": "timeout"}: why not, or that nobody knows (`OperationError`)
    set           {"do": "unlock", "id": "...", "intent": "...", "issued_at": "...", "expires_at": "..."}, perhaps with
                  "latch": true, `boot` and `until_ms`; or "lock"; for a closure they mean open and close
    (codes)       what a keypad is told and answers on set, get and result: `matter_keypad.py`
    battery       {"47/12": 171, "47/14": 0}: the node's power source
    availability  online, offline: whether the Matter server reaches the node
    bridge        <base>/bridge/state: online, offline: whether `perron matter` reaches the Matter server

`<base>/bridge/nodes` lists the endpoints that Perron can use: {"endpoints": [{"node": 5, "endpoint": 1, "kinds":
["lock"], "maker": "...", "product": "...", "label": "...", "available": true}]}.

A value that is null, missing, or of another type is unknown. A query is answered by a read of the device
(`read_attribute`), never from the server's memory. What a read refused says nothing.

An unlock is a timed invoke: the lock refuses one that comes later than announced. But the lock counts from its own
receipt of the announcement, which the Matter server repeats while the lock sleeps. Measured with python-matter-server
7.0.1 and a lock of matter.js 0.17.9: announced for 2 s, it was obeyed 8.7 s after it was sent. They are basic locks.

Sources: `matter_clusters.py`; python-matter-server 7.0.1 (its models and `device_controller.py`) and the documentation
of matterjs-server (`docs/websockets_api.md`); messages of the former were recorded (`tests/real/with_matter.py`).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from types import MappingProxyType
from typing import Final

from devices.commands import ClearCode, Command, LockDoor, QueryCodes, QueryState, SetCode, UnlockDoor
from devices.reports import (
    AvailabilityReport,
    BatteryReport,
    CodesReport,
    CommandProgress,
    CorrelationReport,
    DoorReport,
    DoorState,
    ErrorReport,
    FridgeReport,
    GarageDoorReport,
    GarageDoorState,
    LockReport,
    LockState,
    NoAnswerReport,
    OperationError,
    OperationSource,
    ProgressReport,
    Report,
    UnreadablePayload,
)
from devices.strict_json import MalformedPayload, boolean, identifier, integer, mapping, parse, sequence, write
from devices.vendors import matter_clusters as m
from devices.vendors import matter_keypad, movement
from devices.vendors.definition import BrokerAccess, Definition, FieldDescription, KeypadFacts
from devices.vendors.matter_keypad import KEYPAD
from devices.vendors.parts import parse_each, unreadable_as_report, unreadable_as_value
from devices.vendors.temperature import plausible_celsius
from devices.vendors.words import NO_DEVICE_REF, NO_TOPICS, DeviceRef, Publication, TopicSuffix

BASE: Final = "matter"  # the base topic, unless `matter.yaml` names another one
NODES: Final = "bridge/nodes"  # below the base topic: the list of endpoints
LOCK, COVER, DOOR, FRIDGE = "lock", "cover", "door", "fridge"

ATTRIBUTES: Mapping[str, Mapping[int, tuple[int, ...]]] = MappingProxyType({
    LOCK: {m.DOOR_LOCK: (m.LOCK_STATE,)},
    COVER: {m.CLOSURE_CONTROL: (m.MAIN_STATE, m.OVERALL_CURRENT_STATE, m.OVERALL_TARGET_STATE)},
    DOOR: {m.BOOLEAN_STATE: (m.STATE_VALUE,)},
    FRIDGE: {m.TEMPERATURE_MEASUREMENT: (m.MEASURED_VALUE,), m.REFRIGERATOR_ALARM: (m.ALARM_STATE,)},
})  # fmt: skip
"""The clusters of each kind of device and the attributes that are read of them. The first cluster makes the kind."""
TOGETHER: Final = frozenset({m.CLOSURE_CONTROL, m.REFRIGERATOR_ALARM})
"""Clusters with attributes that mean something only together with others: all are read when one has changed."""
BATTERY_ATTRIBUTES: Final = (m.BATTERY_PERCENT_REMAINING, m.BATTERY_CHARGE_LEVEL)

_CHANNELS = (
    TopicSuffix.STATE, TopicSuffix.EVENT, TopicSuffix.RESULT, TopicSuffix.AVAILABILITY, TopicSuffix.BATTERY,
    TopicSuffix.SET, TopicSuffix.GET,
)  # fmt: skip
_MAX_ID = 0xFFFF_FFEF_FFFF_FFFF  # the greatest operational node id
_MAX_ENDPOINT = 0xFFFE


@dataclass(frozen=True, slots=True)
class EndpointId:
    """One endpoint of one node.

    `bridged`: the endpoint with the type Bridged Node to which it belongs, if the node is a bridge: endpoints of one
    number are one physical device behind it. None: the node is the device.
    """

    node: int
    endpoint: int
    bridged: int | None = field(default=None, compare=False)

    @property
    def name(self) -> str:
        """Its level in a topic."""
        return f"{self.node}-{self.endpoint}" + ("" if self.bridged is None else f"-{self.bridged}")


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointLine:
    """One endpoint in the list that `perron matter` publishes for adding devices; the names are printable."""

    at: EndpointId
    kinds: tuple[str, ...]
    maker: str = ""
    product: str = ""
    label: str = ""
    available: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """A command of Matter with its fields, as a Matter server takes it. All of these are timed."""

    cluster: int
    name: str
    fields: Mapping[str, object]


def endpoint_id(name: str) -> EndpointId | None:
    """Return what the last level of an address names; None: it names nothing."""
    parts = name.split("-")
    if not 2 <= len(parts) <= 3 or not all(part.isascii() and part.isdecimal() and len(part) <= 20 for part in parts):
        return None
    node, endpoint, *bridged = map(int, parts)
    if "-".join(map(str, (node, endpoint, *bridged))) != name:
        return None
    is_usable = 1 <= node <= _MAX_ID and all(0 <= number <= _MAX_ENDPOINT for number in (endpoint, *bridged))
    return EndpointId(node, endpoint, *bridged) if is_usable else None


def kinds_of(clusters: Iterable[int], *, lock_features: int = 0) -> tuple[str, ...]:
    """Return which kinds of devices an endpoint with these clusters can be."""
    there = frozenset(clusters)
    keypad = (KEYPAD,) if m.DOOR_LOCK in there and matter_keypad.has_keypad(lock_features) else ()
    return (*(kind for kind, needed in ATTRIBUTES.items() if next(iter(needed)) in there), *keypad)


def topics(device_ref: DeviceRef) -> Mapping[TopicSuffix, str]:
    """Return the topics of the endpoint, and that of `perron matter`."""
    base, _, name = device_ref.address.rpartition("/")
    if not base or endpoint_id(name) is None:
        return NO_TOPICS
    own = {suffix: f"{device_ref.address}/{suffix}" for suffix in _CHANNELS}
    return MappingProxyType(own | {TopicSuffix.BRIDGE: f"{base}/bridge/state"})


def attribute_key(cluster: int, attribute: int) -> str:
    """Return the key of an attribute in a payload."""
    return f"{cluster}/{attribute}"


@unreadable_as_report
def decode_report(suffix: TopicSuffix, payload: bytes, device_ref: DeviceRef = NO_DEVICE_REF) -> Iterable[Report]:
    """Parse a message about an endpoint; what its kind does not have gives nothing."""
    match suffix:
        case TopicSuffix.STATE:
            return parse_each(*_readers(mapping(parse(payload), "the state"), device_ref.kind))
        case TopicSuffix.EVENT:
            return _event(mapping(parse(payload), "the event"), device_ref.kind)
        case TopicSuffix.RESULT:
            return _result(mapping(parse(payload), "the result"), device_ref.kind)
        case TopicSuffix.BATTERY:
            return _battery(mapping(parse(payload), "the power source"))
        case TopicSuffix.AVAILABILITY | TopicSuffix.BRIDGE if payload in (b"online", b"offline"):
            return (AvailabilityReport(online=payload == b"online"),)
        case _:
            raise MalformedPayload("perron matter says nothing like that there")


def _readers(body: Mapping[str, object], kind: str) -> Iterator[Callable[[], Iterable[Report]]]:
    """Yield a reader for each kind that the attributes are about, or for this kind alone."""
    read: Mapping[str, Callable[[Mapping[str, object]], Iterator[Report]]] = {
        LOCK: _bolt, COVER: _closure, DOOR: _contact, FRIDGE: _fridge,
    }  # fmt: skip
    for name, of_kind in read.items():
        if kind in ("", name):
            yield partial(of_kind, body)


def _bolt(body: Mapping[str, object]) -> Iterator[Report]:
    key = attribute_key(m.DOOR_LOCK, m.LOCK_STATE)
    if key in body:
        yield LockReport(bolt=m.LOCK_STATES.get(_number(body[key]), LockState.UNKNOWN))


def _number(value: object) -> int:
    """Return a number of Matter's; -1, which is none: it is null or of another type."""
    return value if isinstance(value, int) and not isinstance(value, bool) else -1


def _contact(body: Mapping[str, object]) -> Iterator[Report]:
    key = attribute_key(m.BOOLEAN_STATE, m.STATE_VALUE)
    if key in body:
        known = {True: DoorState.CLOSED, False: DoorState.OPEN}
        value = body[key]
        yield DoorReport(door=known[value] if isinstance(value, bool) else DoorState.UNKNOWN)


def _closure(body: Mapping[str, object]) -> Iterator[Report]:
    """Yield where the leaf is. A closure that is closed and does not hold (SecureState false) is not known to be so."""
    key = attribute_key(m.CLOSURE_CONTROL, m.MAIN_STATE)
    if key not in body:
        return
    state = _number(body[key])
    now = body.get(attribute_key(m.CLOSURE_CONTROL, m.OVERALL_CURRENT_STATE))
    target = body.get(attribute_key(m.CLOSURE_CONTROL, m.OVERALL_TARGET_STATE))
    cover = GarageDoorState.UNKNOWN
    if state == m.MOVING and isinstance(target, dict):
        aims = {m.MOVE_TO_FULLY_CLOSED: GarageDoorState.CLOSING, m.MOVE_TO_FULLY_OPEN: GarageDoorState.OPENING}
        cover = aims.get(_number(target.get(m.POSITION)), GarageDoorState.UNKNOWN)
    elif state in (m.STOPPED, m.WAITING_FOR_MOTION) and isinstance(now, dict):
        position = _number(now.get(m.POSITION))
        if position in m.OPEN_POSITIONS:
            cover = GarageDoorState.OPEN
        elif position == m.FULLY_CLOSED and now.get(m.SECURE_STATE) is True:
            cover = GarageDoorState.CLOSED
    yield GarageDoorReport(cover=cover)


def _fridge(body: Mapping[str, object]) -> Iterator[Report]:
    key, alarm = (
        attribute_key(m.TEMPERATURE_MEASUREMENT, m.MEASURED_VALUE),
        attribute_key(m.REFRIGERATOR_ALARM, m.ALARM_STATE),
    )
    if key not in body:
        return
    hundredths, bits = body[key], _number(body.get(alarm))
    measured = isinstance(hundredths, int) and not isinstance(hundredths, bool)
    celsius = plausible_celsius(hundredths / 100, "C") if measured and isinstance(hundredths, int) else None
    door = DoorState.UNKNOWN
    if bits >= 0:
        door = DoorState.OPEN if bits & m.DOOR_OPEN_ALARM else DoorState.CLOSED
    yield FridgeReport(compartment="", temp_c=celsius, door=door)


def _event(body: Mapping[str, object], kind: str) -> Iterator[Report]:
    """Yield what a door lock's event means; other clusters' events are followed by their attributes."""
    if kind not in ("", LOCK) or body.get("cluster") != m.DOOR_LOCK:
        return
    data = mapping(body.get("data"), "data")
    own = boolean(body.get("own", False), "own")
    match integer(body.get("event"), "event"):
        case m.LOCK_OPERATION:
            yield from _operation(data, own=own)
        case m.LOCK_OPERATION_ERROR if own:
            why = m.OPERATION_ERRORS.get(_number(data.get("operationError")), OperationError.UNSPECIFIED)
            yield ErrorReport(id=None, failure=why)
        case m.DOOR_LOCK_ALARM if _number(data.get("alarmCode")) == m.LOCK_JAMMED:
            yield LockReport(bolt=LockState.UNKNOWN, jammed=True, event=True)
        case _:
            return


def _operation(data: Mapping[str, object], *, own: bool) -> Iterator[Report]:
    """Yield a movement. An unknown number may be any movement; a user's event that gives no access is none."""
    kind = _number(data.get("lockOperationType"))
    if kind == m.NON_ACCESS_USER_EVENT:
        return
    source = m.SOURCES.get(_number(data.get("operationSource")), OperationSource.UNSPECIFIED)
    user, node = _number(data.get("userIndex")), _node(data.get("sourceNode"))
    who = f"user {user}" if user > 0 else None
    if who is None and source is OperationSource.REMOTE and node is not None and not own:
        who = f"node {node}"
    yield LockReport(bolt=m.OPERATIONS.get(kind, LockState.UNKNOWN), source=source, user=who, event=True)


def _node(value: object) -> int | None:
    """Return the id of a node, which is a text where it has more than 18 digits; None: there is none."""
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= 20:
        return int(value) or None
    number = _number(value)
    return number if number > 0 else None


def _result(body: Mapping[str, object], kind: str) -> Iterator[Report]:
    order = {KEYPAD: "code", "": "code" if "code" in body else "id"}.get(kind, "id")
    if order in body:  # the lock and its keypad share the topic, and neither hears of the other's orders
        yield _outcome(identifier(body[order], order), body)
        return
    if "echo" in body:
        yield CorrelationReport(echo=identifier(body["echo"], "echo"))
    if "no_answer" in body:
        yield NoAnswerReport()
        return
    if "codes" in body and kind in ("", KEYPAD):
        yield matter_keypad.codes(body)
    yield from parse_each(*_readers(body, kind))


def _outcome(command: str, body: Mapping[str, object]) -> Report:
    if body.get("accepted") is True:
        return ProgressReport(id=command, progress=CommandProgress.ACCEPTED)
    error = body.get("error")
    if not isinstance(error, str):
        raise MalformedPayload("the result says neither that it was taken nor why not")
    return ErrorReport(
        id=command, failure=OperationError(error) if error in set(OperationError) else OperationError.UNSPECIFIED
    )


def _battery(body: Mapping[str, object]) -> Iterator[Report]:
    halves = _number(body.get(attribute_key(m.POWER_SOURCE, m.BATTERY_PERCENT_REMAINING)))
    percent = halves // 2 if 0 <= halves <= 200 else None
    level = m.CHARGE_LEVELS.get(_number(body.get(attribute_key(m.POWER_SOURCE, m.BATTERY_CHARGE_LEVEL))))
    if percent is not None or level is not None:
        yield BatteryReport(percent=percent, level=level)


def invocation(command: UnlockDoor | LockDoor, clusters: Iterable[int], *, lock_features: int) -> Invocation | None:
    """Return what a command means for an endpoint with these clusters; None: nothing there moves.

    `lock_features`: the feature map of its door lock. UnlockDoor pulls the latch too if the lock has the feature
    Unbolting; then UnboltDoor is the one that leaves it.
    """
    there = frozenset(clusters)
    if m.DOOR_LOCK in there:
        if isinstance(command, LockDoor):
            name = "LockDoor"
        else:
            name = "UnboltDoor" if lock_features & m.UNBOLTING and not command.latch else "UnlockDoor"
        return Invocation(cluster=m.DOOR_LOCK, name=name, fields={})
    if m.CLOSURE_CONTROL in there:
        target = m.MOVE_TO_FULLY_OPEN if isinstance(command, UnlockDoor) else m.MOVE_TO_FULLY_CLOSED
        return Invocation(cluster=m.CLOSURE_CONTROL, name="MoveTo", fields={"position": target})
    return None


def encode_command(command: Command, device_ref: DeviceRef) -> Publication:
    """Encode a movement or a query for `perron matter`.

    Raises:
        ValueError: it is neither, or this kind does not move.
    """
    match command:
        case UnlockDoor() | LockDoor() if device_ref.kind in ("", LOCK, COVER):
            do = "unlock" if isinstance(command, UnlockDoor) else "lock"
            latch = {"latch": True} if isinstance(command, UnlockDoor) and command.latch else {}
            body = {"do": do, **latch, **movement.command_keys(command)}
            return Publication(suffix=TopicSuffix.SET, payload=write(body))
        case QueryState(echo=echo):
            return Publication(suffix=TopicSuffix.GET, payload=write({} if echo is None else {"echo": echo}))
        case SetCode() | ClearCode() if device_ref.kind == KEYPAD:
            return Publication(suffix=TopicSuffix.SET, payload=write(matter_keypad.command_body(command)))
        case QueryCodes() if device_ref.kind == KEYPAD:
            return Publication(suffix=TopicSuffix.GET, payload=write(matter_keypad.command_body(command)))
        case _:
            raise ValueError(f"such a Matter device cannot be asked to {type(command).__name__}")


@unreadable_as_value
def decode_command(
    suffix: TopicSuffix, payload: bytes, device_ref: DeviceRef = NO_DEVICE_REF
) -> Command | UnreadablePayload:
    """Parse a command to an endpoint."""
    body = mapping(parse(payload), "the command")
    if suffix is TopicSuffix.GET:
        echo = identifier(body["echo"], "echo") if "echo" in body else None
        if "codes" not in body:
            return QueryState(echo=echo)
        return QueryCodes(slot=None if body["codes"] is None else integer(body["codes"], "codes"), echo=echo)
    if suffix is not TopicSuffix.SET:
        return UnreadablePayload(why="an endpoint is asked on set and get")
    match body.get("do"):
        case "unlock":
            command = movement.read_command(body, UnlockDoor)
            latch = boolean(body.get("latch", False), "latch")
            return replace(command, latch=latch) if isinstance(command, UnlockDoor) else command
        case "lock":
            return movement.read_command(body, LockDoor)
        case "set_code" | "clear_code":
            return matter_keypad.read_command(body)
        case _:
            return UnreadablePayload(why="an endpoint is told to unlock or to lock, and nothing else")


def encode_report(report: Report, device_ref: DeviceRef) -> tuple[Publication, ...]:
    """Encode what `perron matter` publishes.

    Raises:
        ValueError: Matter cannot express the report.
    """
    match report:
        case AvailabilityReport(online=online):
            return (Publication(suffix=TopicSuffix.AVAILABILITY, payload=b"online" if online else b"offline"),)
        case LockReport(event=True):
            return (Publication(suffix=TopicSuffix.EVENT, payload=write(_event_body(report))),)
        case ProgressReport(id=id_, progress=CommandProgress.ACCEPTED):
            return (
                Publication(suffix=TopicSuffix.RESULT, payload=write({_order_key(device_ref): id_, "accepted": True})),
            )
        case ErrorReport(id=str(id_), failure=failure):
            body = {_order_key(device_ref): id_, "error": failure.value}
            return (Publication(suffix=TopicSuffix.RESULT, payload=write(body)),)
        case CodesReport() if device_ref.kind == KEYPAD:
            return (Publication(suffix=TopicSuffix.RESULT, payload=write(matter_keypad.codes_body(report))),)
        case NoAnswerReport():
            return (Publication(suffix=TopicSuffix.RESULT, payload=write({"no_answer": OperationError.TIMEOUT.value})),)
        case BatteryReport():
            return (Publication(suffix=TopicSuffix.BATTERY, payload=write(_battery_body(report))),)
        case _:
            return (Publication(suffix=TopicSuffix.STATE, payload=write(_attributes(report))),)


def _order_key(device_ref: DeviceRef) -> str:
    return "code" if device_ref.kind == KEYPAD else "id"


def _attributes(report: Report) -> dict[str, object]:
    """Return the attributes that say it; ValueError: none does."""
    match report:
        case LockReport(bolt=bolt) if report == LockReport(bolt=bolt):
            number = next((number for number, state in m.LOCK_STATES.items() if state is bolt), None)
            return {attribute_key(m.DOOR_LOCK, m.LOCK_STATE): number}
        case DoorReport(door=DoorState.OPEN | DoorState.CLOSED | DoorState.UNKNOWN as door):
            value = None if door is DoorState.UNKNOWN else door is DoorState.CLOSED
            return {attribute_key(m.BOOLEAN_STATE, m.STATE_VALUE): value}
        case GarageDoorReport(cover=cover, clear=None):
            return _closure_body(cover)
        case FridgeReport(compartment="", temp_c=celsius, setpoint_c=None, door=door):
            body: dict[str, object] = {
                attribute_key(m.TEMPERATURE_MEASUREMENT, m.MEASURED_VALUE): (
                    None if celsius is None else round(celsius * 100)
                )
            }
            if door in (DoorState.OPEN, DoorState.CLOSED):
                body[attribute_key(m.REFRIGERATOR_ALARM, m.ALARM_STATE)] = int(door is DoorState.OPEN)
            return body
        case _:
            raise ValueError(f"a Matter device cannot say this {type(report).__name__}")


def _closure_body(cover: GarageDoorState) -> dict[str, object]:
    moving = cover in (GarageDoorState.OPENING, GarageDoorState.CLOSING)
    positions = {GarageDoorState.CLOSED: m.FULLY_CLOSED, GarageDoorState.OPEN: 1}
    aims = {GarageDoorState.CLOSING: m.MOVE_TO_FULLY_CLOSED, GarageDoorState.OPENING: m.MOVE_TO_FULLY_OPEN}
    now = {m.POSITION: positions.get(cover), m.SECURE_STATE: cover is GarageDoorState.CLOSED}
    return {
        attribute_key(m.CLOSURE_CONTROL, m.MAIN_STATE): m.MOVING if moving else m.STOPPED,
        attribute_key(m.CLOSURE_CONTROL, m.OVERALL_CURRENT_STATE): now,
        attribute_key(m.CLOSURE_CONTROL, m.OVERALL_TARGET_STATE): {m.POSITION: aims[cover]} if moving else None,
    }


def _event_body(report: LockReport) -> dict[str, object]:
    if report.jammed:
        if report != LockReport(bolt=LockState.UNKNOWN, jammed=True, event=True):
            raise ValueError("the alarm of a jam says nothing else")
        return {"cluster": m.DOOR_LOCK, "event": m.DOOR_LOCK_ALARM, "data": {"alarmCode": m.LOCK_JAMMED}, "own": False}
    kind = next((number for number, bolt in m.OPERATIONS.items() if bolt is report.bolt), None)
    if kind is None or report.jammed is not None:
        raise ValueError("no operation of a lock means that")
    source = next(number for number, one in m.SOURCES.items() if one is report.source)
    who, _, number = (report.user or "").partition(" ")
    if who not in ("", "user", "node"):
        raise ValueError("Matter has users and nodes")
    data = {
        "lockOperationType": kind,
        "operationSource": source,
        "userIndex": int(number) if who == "user" else None,
        "fabricIndex": None,
        "sourceNode": _node_value(int(number)) if who == "node" else None,
        "credentials": None,
    }
    own = report.source is OperationSource.REMOTE and report.user is None
    return {"cluster": m.DOOR_LOCK, "event": m.LOCK_OPERATION, "data": data, "own": own}


def _node_value(node: int) -> int | str:
    return node if node < 10**18 else str(node)


def _battery_body(report: BatteryReport) -> dict[str, object]:
    body: dict[str, object] = {}
    if report.percent is not None:
        body[attribute_key(m.POWER_SOURCE, m.BATTERY_PERCENT_REMAINING)] = report.percent * 2
    if report.level is not None:
        levels = {level: number for number, level in m.CHARGE_LEVELS.items()}
        if report.level not in levels:
            raise ValueError("a power source is good, low or critical")
        body[attribute_key(m.POWER_SOURCE, m.BATTERY_CHARGE_LEVEL)] = levels[report.level]
    return body


def write_endpoints(lines: Iterable[EndpointLine]) -> bytes:
    """Encode the list of endpoints."""
    listed = [
        {
            "node": line.at.node, "endpoint": line.at.endpoint, "bridged": line.at.bridged, "kinds": list(line.kinds),
            "maker": line.maker, "product": line.product, "label": line.label, "available": line.available,
        }
        for line in lines
    ]  # fmt: skip
    return write({"endpoints": listed})


@unreadable_as_value
def read_endpoints(payload: bytes) -> tuple[EndpointLine, ...] | UnreadablePayload:
    """Parse the list of endpoints; a line that cannot be read, or has no kind that is known, is left out."""
    listed = sequence(mapping(parse(payload), "the list").get("endpoints"), "endpoints")
    found = []
    for one in listed:
        body = one if isinstance(one, dict) else {}
        bridged = "" if body.get("bridged") is None else f"-{body.get('bridged')}"
        at = endpoint_id(f"{body.get('node')}-{body.get('endpoint')}{bridged}")
        said = body.get("kinds")
        kinds = tuple(kind for kind in (*ATTRIBUTES, KEYPAD) if isinstance(said, list) and kind in said)
        names = [body.get(key) for key in ("maker", "product", "label")]
        maker, product, label = (name if isinstance(name, str) and name.isprintable() else "" for name in names)
        if at is not None and kinds:
            available = body.get("available") is True
            found.append(
                EndpointLine(at=at, kinds=kinds, maker=maker, product=product, label=label, available=available)
            )
    return tuple(found)


def settings(access: BrokerAccess) -> str:
    """Return the file of `perron matter`."""
    lines = [
        f"base: {access.topic}",
        "broker:",
        f"  host: {access.host}",
        f"  port: {access.port}",
        f"  username: {access.user}",
        f"  password_file: {access.user}.password  # with this single line: {access.password}",
    ]
    if access.authority:
        lines += [
            "  tls: {ca: perron.pem}  # with this content:",
            *(f"  # {line}" for line in access.authority.splitlines()),
        ]
    return "\n".join([*lines, "server: {url: 'ws://127.0.0.1:5580/ws'}"])


def _carrier(device_ref: DeviceRef) -> tuple[str, int, int | None] | None:
    """Return the physical device of an endpoint: its node, or the device behind a bridge."""
    base, _, name = device_ref.address.rpartition("/")
    at = endpoint_id(name)
    return None if at is None else (base, at.node, at.bridged)


def _problem(device_ref: DeviceRef) -> str | None:
    if topics(device_ref):
        return None
    return "write the base topic, the node's number and its endpoint: `matter/5-1`; `perron matter --list` prints them"


DEFINITION = Definition(
    name="matter",
    title="Matter device (Matter server)",
    help="Commission it with your Matter server first; then it is found here.",
    fields={
        "address": FieldDescription(
            title="Node and endpoint",
            help="The base topic, then the node's number and its endpoint; behind a bridge also the device's number.",
            example="matter/5-1",
        ),
    },
    kinds=frozenset({"lock", "cover", "door", "fridge", "keypad"}),
    simulated=frozenset({"lock", "door"}),
    correlates=True,
    silence_s=3600.0,
    pulls_latch=True,
    settings=settings,
    topics=topics,
    battery=(TopicSuffix.BATTERY,),
    keypad=KeypadFacts(reports_names=True, keeps_times=True, times_off_s=matter_keypad.TIMES_OFF_S),
    address="its node and endpoint",
    carrier=_carrier,
    problem=_problem,
)
