"""Supports robots that speak VDA 5050, version 3: the door is a zone of the type RELEASE.

    <address>/state            the robot's whole state, at least every 30 s, not retained
    <address>/connection       {"connectionState": "ONLINE"}, retained; CONNECTION_BROKEN is its last will
    <address>/responses        to the robot: {"responses": [{"requestId": "r1", "grantType": "GRANTED", ...}]}
    <address>/perronChallenge  to the robot: Perron's own, {"box", "requestId", "nonce", "expires"}
    <address>/perronIdentity   Perron's own: the signed token that answers a challenge, a compact JWS; or JSON, for
                               clients that send nothing else: {"token": "..."} with the usual header

The address is `<interface>/<major version>/<manufacturer>/<serial number>`. A robot that wants to go in has a request
of the type ACCESS in `zoneRequests` of its state. It removes the request only after it has left the zone: without
requests the array is empty. A state without the array says nothing of them.

From VDA 5050 3.0.0 (github.com/VDA5050/VDA5050: VDA5050_EN.md and json_schemas). Version 2 has other words for the same
(`CONNECTIONBROKEN`, `eStop`, `TEACHIN`): they are read too. But it has no zones, so a robot of version 2 cannot ask to
be let in. Orders, nodes, edges, maps and visualization do not concern a door and are not read.
"""

from collections.abc import Mapping

from devices.commands import AnswerZoneRequest, ChallengeRobot, Command, Grant
from devices.reports import (
    AvailabilityReport,
    Report,
    RobotIdentityReport,
    RobotMode,
    RobotReport,
    ZoneRequest,
    ZoneStatus,
)
from devices.strict_json import (
    MalformedPayload,
    format_timestamp,
    integer,
    mapping,
    parse,
    sequence,
    text,
    timestamp,
    write,
)
from devices.vendors.definition import Definition, FieldDescription
from devices.vendors.parts import unreadable_as_report, unreadable_as_value
from devices.vendors.words import NO_DEVICE_REF, DeviceRef, Publication, TopicSuffix

VERSION = "3.0.0"
ADDRESS_LEVELS = 4  # interface, major version, manufacturer, serial number
MAX_REQUESTS = 64  # in one state; a robot has one for each zone before it
MAX_LOADS = 64
MAX_TOKEN_BYTES = 16 * 1024
_CONNECTIONS = {
    "ONLINE": True,
    "OFFLINE": False,
    "HIBERNATING": False,
    "CONNECTION_BROKEN": False,
    "CONNECTIONBROKEN": False,
}
_MODES = {mode.name: mode for mode in RobotMode if mode is not RobotMode.UNKNOWN} | {"TEACHIN": RobotMode.TEACH_IN}
_STATUSES = {status.name: status for status in ZoneStatus}
_NOT_STOPPED = "NONE"
_RELEASE_LOST = "RELEASE_LOST"  # it stopped in a zone: the default of releaseLossBehavior, STOP
_STOPS = frozenset({"MANUAL", "REMOTE", "AUTOACK"})


def topics(device_ref: DeviceRef) -> Mapping[TopicSuffix, str]:
    """Return the robot's topics below its address."""
    names = {
        TopicSuffix.STATE: "state",
        TopicSuffix.AVAILABILITY: "connection",
        TopicSuffix.EVENT: "perronIdentity",
        TopicSuffix.SET: "responses",
        TopicSuffix.GET: "perronChallenge",
    }
    return {suffix: f"{device_ref.address}/{name}" for suffix, name in names.items()}


def serial_of(address: str) -> str:
    """Return who the robot of this address is, as its token says: `<manufacturer>/<serial number>`."""
    return "/".join(address.split("/")[-2:])


@unreadable_as_report
def decode_report(suffix: TopicSuffix, payload: bytes, device_ref: DeviceRef = NO_DEVICE_REF) -> tuple[Report, ...]:
    """Parse a robot's message; an unreadable one gives one `UnreadablePayload`."""
    match suffix:
        case TopicSuffix.EVENT:
            if not 0 < len(payload) <= MAX_TOKEN_BYTES:
                raise MalformedPayload("an identity is a token of at most 16 KiB")
            if payload[:1] == b"{":
                token = text(_of_robot(payload, device_ref).get("token"), "token", max_chars=MAX_TOKEN_BYTES)
                return (RobotIdentityReport(token=token.encode()),)
            return (RobotIdentityReport(token=bytes(payload)),)
        case TopicSuffix.AVAILABILITY:
            body = _of_robot(payload, device_ref)
            word = text(body.get("connectionState"), "connectionState")
            if word not in _CONNECTIONS:
                raise MalformedPayload("connectionState is no word of VDA 5050")
            return (AvailabilityReport(online=_CONNECTIONS[word]),)
        case TopicSuffix.STATE:
            return (_state(_of_robot(payload, device_ref)),)
        case _:
            raise MalformedPayload("a robot sends its state, its connection and its identity only")


def _of_robot(payload: bytes, device_ref: DeviceRef) -> Mapping[str, object]:
    """Return a message whose header names the robot of this topic."""
    body = mapping(parse(payload), "the message")
    integer(body.get("headerId"), "headerId")
    text(body.get("version"), "version")
    named = f"{text(body.get('manufacturer'), 'manufacturer')}/{text(body.get('serialNumber'), 'serialNumber')}"
    if named != serial_of(device_ref.address):
        raise MalformedPayload("manufacturer and serialNumber are not those of its topic")
    return body


def _state(body: Mapping[str, object]) -> RobotReport:
    safety = mapping(body.get("safetyState"), "safetyState")
    violation = safety.get("fieldViolation")
    mode = body.get("operatingMode")
    return RobotReport(
        mode=_MODES.get(mode, RobotMode.UNKNOWN) if isinstance(mode, str) else RobotMode.UNKNOWN,
        emergency_stop=_stop(safety.get("activeEmergencyStop", safety.get("eStop"))),
        field_violation=violation if isinstance(violation, bool) else None,
        requests=_requests(body["zoneRequests"]) if "zoneRequests" in body else None,
        loads=_loads(body.get("loads")),
        release_lost=_has_error(body.get("errors"), _RELEASE_LOST),
    )


def _has_error(value: object, error_type: str) -> bool:
    """Return whether a robot reports this error; other entries do not matter."""
    entries = value if isinstance(value, list) else []
    return any(isinstance(entry, Mapping) and entry.get("errorType") == error_type for entry in entries)


def _stop(word: object) -> bool | None:
    if word == _NOT_STOPPED:
        return False
    return True if isinstance(word, str) and word in _STOPS else None


def _requests(value: object) -> tuple[ZoneRequest, ...]:
    """Read the requests for access; a request to plan anew is no request to come in."""
    entries = sequence(value, "zoneRequests")
    if len(entries) > MAX_REQUESTS:
        raise MalformedPayload(f"more than {MAX_REQUESTS} zoneRequests")
    found = []
    for entry in entries:
        request = mapping(entry, "a zone request")
        if request.get("requestType") != "ACCESS":
            continue
        status = request.get("requestStatus")
        if not isinstance(status, str) or status not in _STATUSES:
            raise MalformedPayload("requestStatus is no word of VDA 5050")
        ident, zone = text(request.get("requestId"), "requestId"), text(request.get("zoneId"), "zoneId")
        named = request.get("zoneSetId")
        zone_set = named if isinstance(named, str) and named else None
        found.append(ZoneRequest(id=ident, zone=zone, status=_STATUSES[status], zone_set=zone_set))
    return tuple(found)


def _loads(value: object) -> tuple[str, ...] | None:
    """Read the ids of the loads; None: it does not say what it carries."""
    if value is None:
        return None
    entries = sequence(value, "loads")
    if len(entries) > MAX_LOADS:
        raise MalformedPayload(f"more than {MAX_LOADS} loads")
    idents = [mapping(entry, "a load").get("loadId") for entry in entries]
    return tuple(text(ident, "loadId") for ident in idents if ident not in (None, ""))


def encode_command(command: Command, device_ref: DeviceRef) -> Publication:
    """Encode an answer or a challenge.

    Raises:
        ValueError: a robot cannot be asked that.
    """
    match command:
        case AnswerZoneRequest():
            answer = {"requestId": command.request, "grantType": command.grant.name}
            if command.lease_expiry is not None:
                answer["leaseExpiry"] = format_timestamp(command.lease_expiry)
            manufacturer, serial = serial_of(device_ref.address).split("/")
            body = {
                "headerId": command.header, "timestamp": format_timestamp(command.issued_at), "version": VERSION,
                "manufacturer": manufacturer, "serialNumber": serial, "responses": [answer],
            }  # fmt: skip
            return Publication(suffix=TopicSuffix.SET, payload=write(body))
        case ChallengeRobot():
            body = {
                "box": command.box, "requestId": command.request, "nonce": command.nonce,
                "expires": format_timestamp(command.expires_at),
            }  # fmt: skip
            return Publication(suffix=TopicSuffix.GET, payload=write(body))
        case _:
            raise ValueError(f"a robot cannot be asked to {type(command).__name__}")


def encode_report(report: Report, device_ref: DeviceRef) -> tuple[Publication, ...]:
    """Encode what a robot publishes. `headerId` and `timestamp` are not those of a real one: this has no clock.

    Raises:
        ValueError: a robot cannot express the report.
    """
    manufacturer, serial = serial_of(device_ref.address).split("/")
    header: dict[str, object] = {
        "headerId": 0, "timestamp": "1970-01-01T00:00:00.000Z", "version": VERSION,
        "manufacturer": manufacturer, "serialNumber": serial,
    }  # fmt: skip
    match report:
        case RobotIdentityReport(token=token):
            return (Publication(suffix=TopicSuffix.EVENT, payload=token),)
        case AvailabilityReport(online=online):
            word = "ONLINE" if online else "CONNECTION_BROKEN"
            return (Publication(suffix=TopicSuffix.AVAILABILITY, payload=write({**header, "connectionState": word})),)
        case RobotReport():
            return (Publication(suffix=TopicSuffix.STATE, payload=write({**header, **_state_body(report)})),)
        case _:
            raise ValueError(f"a robot cannot say {type(report).__name__} like this")


def _state_body(report: RobotReport) -> dict[str, object]:
    """Return the state with the keys that the schema requires."""
    if report.mode is RobotMode.UNKNOWN or report.emergency_stop is None or report.field_violation is None:
        raise ValueError("a robot cannot leave its mode, its emergency stop or its protective field out")
    loads = {} if report.loads is None else {"loads": [{"loadId": load} for load in report.loads]}
    zones = {} if report.requests is None else {"zoneRequests": [_request_body(one) for one in report.requests]}
    return {
        "orderId": "", "orderUpdateId": 0, "lastNodeId": "", "lastNodeSequenceId": 0, "nodeStates": [],
        "edgeStates": [], "driving": False, "actionStates": [], "instantActionStates": [],
        "errors": [{"errorType": _RELEASE_LOST, "errorLevel": "CRITICAL"}] if report.release_lost else [],
        "powerSupply": {"stateOfCharge": 80, "charging": False}, "operatingMode": report.mode.name,
        "safetyState": {
            "activeEmergencyStop": "MANUAL" if report.emergency_stop else _NOT_STOPPED,
            "fieldViolation": report.field_violation,
        },
        **zones, **loads,
    }  # fmt: skip


def _request_body(request: ZoneRequest) -> dict[str, object]:
    return {
        "requestId": request.id, "requestType": "ACCESS", "zoneId": request.zone,
        "zoneSetId": request.zone_set or "", "requestStatus": request.status.name,
    }  # fmt: skip


@unreadable_as_value
def decode_command(suffix: TopicSuffix, payload: bytes, device_ref: DeviceRef = NO_DEVICE_REF) -> Command:
    """Parse an answer or a challenge to this robot; an unreadable one gives `UnreadablePayload`."""
    if suffix is TopicSuffix.GET:
        body = mapping(parse(payload), "the challenge")
        return ChallengeRobot(
            box=text(body.get("box"), "box"),
            request=text(body.get("requestId"), "requestId"),
            nonce=text(body.get("nonce"), "nonce"),
            expires_at=timestamp(body.get("expires"), "expires"),
        )
    if suffix is not TopicSuffix.SET:
        raise MalformedPayload("a robot gets answers and challenges only")
    body = _of_robot(payload, device_ref)
    entries = sequence(body.get("responses"), "responses")
    if len(entries) != 1:
        raise MalformedPayload("Perron sends one response in a message")
    answer = mapping(entries[0], "a response")
    grant, lease = answer.get("grantType"), answer.get("leaseExpiry")
    if not isinstance(grant, str) or grant not in Grant.__members__:
        raise MalformedPayload("grantType is no word of VDA 5050")
    return AnswerZoneRequest(
        header=integer(body.get("headerId"), "headerId"),
        issued_at=timestamp(body.get("timestamp"), "timestamp"),
        request=text(answer.get("requestId"), "requestId"),
        grant=Grant[grant],
        lease_expiry=None if lease is None else timestamp(lease, "leaseExpiry"),
    )


def problem(device_ref: DeviceRef) -> str | None:
    """Return what is wrong with the address of a robot."""
    levels = device_ref.address.split("/")
    if len(levels) < ADDRESS_LEVELS or not all(levels):
        return "the address of a robot is `<interface>/v3/<manufacturer>/<serial number>`: write the whole beginning."
    if levels[-3] != "v3":
        return (
            f"`{levels[-3]}` is another major version: only VDA 5050 version 3 has zones, by which a robot asks to be"
            " let in. Write `v3`, and let the robot speak it."
        )
    return None


DEFINITION = Definition(
    name="vda5050",
    title="Robot with VDA 5050, version 3",
    help="In the robot's settings for MQTT, enter the account that is made when you add it.",
    fields={
        "address": FieldDescription(
            title="Beginning of its topics",
            help="Interface, v3, manufacturer and serial number, with slashes between them.",
            example="vda5050/v3/KIT/0001",
        ),
    },
    kinds=frozenset({"robot"}),
    correlates=False,
    answers_queries=lambda _: False,
    topics=topics,
    base_topic=lambda device_ref: device_ref.address or None,
    identity=lambda device_ref: serial_of(device_ref.address).casefold() or None,
    problem=problem,
    is_external=True,
)
