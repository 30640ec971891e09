"""Supports cameras, doorbells and locks in the Alexa Smart Home v3 envelope (Alexa itself is not on MQTT).

    set, get  {"directive": {"header", "endpoint", "payload"}}, a movement with Perron's own keys beside it
    others    {"event": {"header", "endpoint", "payload"}, "context": {"properties": [...]}}

A ChangeReport's cause names who moved the bolt: PHYSICAL_INTERACTION is a hand, APP_INTERACTION the manufacturer's app,
VOICE_INTERACTION comes from afar, RULE_TRIGGER is automatic; other causes, and reports without one, tell nothing
(unspecified). JAMMED means that the bolt is stuck, not where: its state is unknown.

What we leave out of what a real endpoint sends, because a pure function has no clock and makes no ids: timeOfSample,
timestamps, and message ids that never repeat.
"""

from collections.abc import Mapping, Sequence
from functools import partial

from devices.commands import Command, LockDoor, QueryState, UnlockDoor
from devices.reports import (
    AvailabilityReport,
    CommandProgress,
    DoorbellPressed,
    ErrorReport,
    LockReport,
    LockState,
    MotionReport,
    OperationError,
    OperationSource,
    ProgressReport,
    Report,
    StreamReport,
    UnreadablePayload,
)
from devices.strict_json import MalformedPayload, identifier, mapping, parse, sequence, text, write
from devices.vendors import movement
from devices.vendors.definition import Definition, FieldDescription
from devices.vendors.parts import parse_each, unreadable_as_report, unreadable_as_value
from devices.vendors.words import NO_DEVICE_REF, DeviceRef, Publication, TopicSuffix

_BOLTS = {"LOCKED": LockState.LOCKED, "UNLOCKED": LockState.UNLOCKED}
_CAUSES = {
    "PHYSICAL_INTERACTION": OperationSource.MANUAL,
    "APP_INTERACTION": OperationSource.PROPRIETARY_REMOTE,
    "VOICE_INTERACTION": OperationSource.REMOTE,
    "RULE_TRIGGER": OperationSource.AUTO,
}
_CAUSE_WORDS = {
    OperationSource.MANUAL: "PHYSICAL_INTERACTION",
    OperationSource.PROPRIETARY_REMOTE: "APP_INTERACTION",
    OperationSource.REMOTE: "VOICE_INTERACTION",
    OperationSource.AUTO: "RULE_TRIGGER",
}
_FAILURES = {
    "ENDPOINT_UNREACHABLE": OperationError.UNREACHABLE,
    "BRIDGE_UNREACHABLE": OperationError.UNREACHABLE,
    "ENDPOINT_BUSY": OperationError.BUSY,
    "RATE_LIMIT_EXCEEDED": OperationError.BUSY,
    "ENDPOINT_LOW_POWER": OperationError.LOW_POWER,
    "EXPIRED_AUTHORIZATION_CREDENTIAL": OperationError.INVALID_CREDENTIAL,
    "NOT_CALIBRATED": OperationError.NOT_CALIBRATED,
    "NOT_IN_OPERATION": OperationError.RESTRICTED,
    "TOO_MANY_FAILED_ATTEMPTS": OperationError.DISABLED_USER_DENIED,
    "PERRON_EXPIRED": OperationError.EXPIRED,  # Perron's own, for a guarded lock
    "PERRON_REPEATED": OperationError.REPEATED,
}
_FAILURE_WORDS = {
    OperationError.UNSPECIFIED: "HARDWARE_MALFUNCTION",
    OperationError.UNREACHABLE: "ENDPOINT_UNREACHABLE",
    OperationError.BUSY: "ENDPOINT_BUSY",
    OperationError.LOW_POWER: "ENDPOINT_LOW_POWER",
    OperationError.INVALID_CREDENTIAL: "EXPIRED_AUTHORIZATION_CREDENTIAL",
    OperationError.NOT_CALIBRATED: "NOT_CALIBRATED",
    OperationError.RESTRICTED: "NOT_IN_OPERATION",
    OperationError.DISABLED_USER_DENIED: "TOO_MANY_FAILED_ATTEMPTS",
    OperationError.EXPIRED: "PERRON_EXPIRED",
    OperationError.REPEATED: "PERRON_REPEATED",
}


DEFINITION = Definition(
    name="alexa",
    title="Lock or camera in Alexa's format",
    help="Another program forwards its messages to the broker.",
    fields={
        "address": FieldDescription(
            title="Endpoint id", help="The id by which the program names the device.", example="endpoint-001"
        ),
        "url": FieldDescription(
            title="Address of the video stream",
            help="Without user and password: they have their own fields.",
            example="rtsp://192.168.1.30:554/stream1",
        ),
    },
    kinds=frozenset({"lock", "camera"}),
    simulated=frozenset({"lock", "camera"}),
    correlates=True,
    refuses_late=True,
    jam_hides_position=True,  # JAMMED takes the place of LOCKED and UNLOCKED
    address="the endpoint's id",
)


@unreadable_as_report
def decode_report(suffix: TopicSuffix, payload: bytes, device_ref: DeviceRef = NO_DEVICE_REF) -> tuple[Report, ...]:
    """Parse an endpoint's message; an unreadable one gives one `UnreadablePayload`."""
    if suffix in (TopicSuffix.SET, TopicSuffix.GET):
        return (UnreadablePayload(why="nothing is reported on set or get"),)
    body = mapping(parse(payload), "the envelope")
    event = mapping(body.get("event"), "event")
    header = mapping(event.get("header"), "header")
    context = mapping(body.get("context", {}), "context")
    properties = sequence(context.get("properties", []), "properties")
    return _event(header, mapping(event.get("payload", {}), "payload"), properties)


def _event(
    header: Mapping[str, object], payload: Mapping[str, object], properties: Sequence[object]
) -> tuple[Report, ...]:
    match header.get("namespace"), header.get("name"):
        case "Alexa", "StateReport":
            return _properties(properties, OperationSource.UNSPECIFIED)
        case "Alexa", "ChangeReport":
            change = mapping(payload.get("change"), "change")
            cause = mapping(change.get("cause", {}), "cause").get("type")
            source = (
                _CAUSES.get(cause, OperationSource.UNSPECIFIED)
                if isinstance(cause, str)
                else OperationSource.UNSPECIFIED
            )
            changed = sequence(change.get("properties"), "changed properties")
            # the states in the context did not change, so the cause does not explain them
            return _properties(changed, source) + _properties(properties, OperationSource.UNSPECIFIED)
        case "Alexa", "Response":
            return parse_each(
                lambda: (ProgressReport(id=_correlation(header), progress=CommandProgress.CONFIRMED),),
                lambda: _properties(properties, OperationSource.UNSPECIFIED),
            )
        case "Alexa", "DeferredResponse":
            return (ProgressReport(id=_correlation(header), progress=CommandProgress.ACCEPTED),)
        case "Alexa", "ErrorResponse":
            failure = _FAILURES.get(text(payload.get("type"), "type"), OperationError.UNSPECIFIED)
            return (ErrorReport(id=_correlation(header) if "correlationToken" in header else None, failure=failure),)
        case "Alexa.DoorbellEventSource", "DoorbellPress":
            return (DoorbellPressed(),)
        case "Alexa.CameraStreamController", "Response":
            return _streams(sequence(payload.get("cameraStreams"), "cameraStreams"))
        case str(), str():
            return ()
        case _:
            raise MalformedPayload("the header names no namespace or no event")


def _correlation(header: Mapping[str, object]) -> str:
    return identifier(header.get("correlationToken"), "correlationToken")


def _properties(properties: Sequence[object], source: OperationSource) -> tuple[Report, ...]:
    return parse_each(*(partial(_property_reports, item, source) for item in properties))


def _property_reports(item: object, source: OperationSource) -> tuple[Report, ...]:
    fields = mapping(item, "a property")
    value = fields.get("value")
    match fields.get("namespace"), fields.get("name"):
        case "Alexa.LockController", "lockState":
            return (_lock(text(value, "lockState"), source),)
        case "Alexa.EndpointHealth", "connectivity":
            return (_connectivity(mapping(value, "connectivity").get("value")),)
        case "Alexa.MotionSensor", "detectionState":
            return (_motion(value),)
        case str(), str():
            return ()  # a capability that Perron has no use for
        case _:
            raise MalformedPayload("a property names no namespace or no name")


def _lock(value: str, source: OperationSource) -> LockReport:
    if value == "JAMMED":
        return LockReport(bolt=LockState.UNKNOWN, jammed=True, source=source)
    if value in _BOLTS:
        return LockReport(bolt=_BOLTS[value], jammed=False, source=source)
    return LockReport(bolt=LockState.UNKNOWN, source=source)


def _connectivity(value: object) -> AvailabilityReport:
    if value not in ("OK", "UNREACHABLE"):
        raise MalformedPayload("connectivity is neither OK nor UNREACHABLE")
    return AvailabilityReport(online=value == "OK")


def _motion(value: object) -> MotionReport:
    if value not in ("DETECTED", "NOT_DETECTED"):
        raise MalformedPayload("detectionState is neither DETECTED nor NOT_DETECTED")
    return MotionReport(detected=value == "DETECTED")


def _streams(streams: Sequence[object]) -> tuple[Report, ...]:
    """Yield the first stream of H.264 over RTSP, if there is one."""
    for item in streams:
        stream = mapping(item, "a stream")
        if stream.get("protocol") == "RTSP" and stream.get("videoCodec") == "H264":
            uri = text(stream.get("uri"), "uri", 512)
            if not uri.startswith(("rtsp://", "rtsps://")) or " " in uri:
                raise MalformedPayload("uri is not an RTSP address")
            return (StreamReport(uri=uri),)
    return ()


def encode_command(command: Command, device_ref: DeviceRef) -> Publication:
    """Encode a directive for this endpoint; a movement's id is also its message id and correlation token.

    Raises:
        ValueError: it is neither a movement nor a query.
    """
    match command:
        case UnlockDoor() | LockDoor():
            directive = "Unlock" if isinstance(command, UnlockDoor) else "Lock"
            header = _header("Alexa.LockController", directive, command.id, command.id)
            body = {"directive": _message(header, device_ref.address, {}), **movement.command_keys(command)}
            return Publication(suffix=TopicSuffix.SET, payload=write(body))
        case QueryState():
            # MQTT's correlation data contains the query's number, so this id need not distinguish queries
            header = _header("Alexa", "ReportState", "query", "query")
            return Publication(
                suffix=TopicSuffix.GET, payload=write({"directive": _message(header, device_ref.address, {})})
            )
        case _:
            raise ValueError(f"an Alexa endpoint cannot be asked to {type(command).__name__}")


@unreadable_as_value
def decode_command(
    suffix: TopicSuffix, payload: bytes, device_ref: DeviceRef = NO_DEVICE_REF
) -> Command | UnreadablePayload:
    """Parse a command to an endpoint."""
    body = mapping(parse(payload), "the envelope")
    header = mapping(mapping(body.get("directive"), "directive").get("header"), "header")
    match suffix, header.get("namespace"), header.get("name"):
        case TopicSuffix.SET, "Alexa.LockController", "Unlock":
            return movement.read_command(body, UnlockDoor)
        case TopicSuffix.SET, "Alexa.LockController", "Lock":
            return movement.read_command(body, LockDoor)
        case TopicSuffix.GET, "Alexa", "ReportState":
            return QueryState()
        case _:
            return UnreadablePayload(why="a directive that this endpoint does not take here")


def encode_report(report: Report, device_ref: DeviceRef) -> tuple[Publication, ...]:
    """Encode a report of this endpoint.

    Raises:
        ValueError: the envelope cannot express the report.
    """
    if isinstance(report, LockReport):
        return (Publication(suffix=TopicSuffix.STATE, payload=_lock_event(report, device_ref.address)),)
    if isinstance(report, AvailabilityReport):
        value = {"value": "OK" if report.online else "UNREACHABLE"}
        health = _property("Alexa.EndpointHealth", "connectivity", value)
        return (Publication(suffix=TopicSuffix.AVAILABILITY, payload=_state_report(device_ref.address, health)),)
    if isinstance(report, MotionReport):
        motion = _property("Alexa.MotionSensor", "detectionState", "DETECTED" if report.detected else "NOT_DETECTED")
        return (
            Publication(
                suffix=TopicSuffix.EVENT, payload=_change_report(device_ref.address, motion, "PHYSICAL_INTERACTION")
            ),
        )
    if isinstance(report, DoorbellPressed):
        header = _header("Alexa.DoorbellEventSource", "DoorbellPress", f"{device_ref.address}-press")
        event = _message(header, device_ref.address, {"cause": {"type": "PHYSICAL_INTERACTION"}})
        return (Publication(suffix=TopicSuffix.EVENT, payload=write({"event": event, "context": {}})),)
    if isinstance(report, StreamReport):
        return (Publication(suffix=TopicSuffix.STATE, payload=_stream_event(report, device_ref.address)),)
    if isinstance(report, ProgressReport | ErrorReport):
        return (Publication(suffix=TopicSuffix.EVENT, payload=_response(report, device_ref.address)),)
    raise ValueError(f"an Alexa endpoint cannot say {type(report).__name__}")


def _lock_event(report: LockReport, address: str) -> bytes:
    names = {bolt: name for name, bolt in _BOLTS.items()}
    if report.jammed and report.bolt is LockState.UNKNOWN:
        name = "JAMMED"
    elif report.bolt in names and not report.jammed:
        name = names[report.bolt]
    else:
        raise ValueError("the envelope has only LOCKED, UNLOCKED and JAMMED")
    state = _property("Alexa.LockController", "lockState", name)
    if report.source is OperationSource.UNSPECIFIED:
        return _state_report(address, state)
    if report.source not in _CAUSE_WORDS:
        raise ValueError("the envelope has no cause for that source")
    return _change_report(address, state, _CAUSE_WORDS[report.source])


def _response(report: ProgressReport | ErrorReport, address: str) -> bytes:
    payload: dict[str, object] = {}
    if isinstance(report, ErrorReport):
        if report.failure not in _FAILURE_WORDS:
            raise ValueError("the envelope has no type for that failure")
        name, payload = "ErrorResponse", {"type": _FAILURE_WORDS[report.failure], "message": report.failure.value}
    elif report.progress is CommandProgress.SENT:
        raise ValueError("the envelope has no word for a command under way")
    else:
        name = "Response" if report.progress is CommandProgress.CONFIRMED else "DeferredResponse"
    header = _header("Alexa", name, f"{address}-response", report.id)
    return write({"event": _message(header, address, payload), "context": {}})


def _stream_event(report: StreamReport, address: str) -> bytes:
    stream = {
        "uri": report.uri,
        "protocol": "RTSP",
        "authorizationType": "NONE",
        "videoCodec": "H264",
        "audioCodec": "NONE",
    }
    header = _header("Alexa.CameraStreamController", "Response", f"{address}-stream")
    return write({"event": _message(header, address, {"cameraStreams": [stream]}), "context": {}})


def _state_report(address: str, *properties: Mapping[str, object]) -> bytes:
    header = _header("Alexa", "StateReport", f"{address}-state")
    return write({"event": _message(header, address, {}), "context": {"properties": properties}})


def _change_report(address: str, changed: Mapping[str, object], cause: str) -> bytes:
    change = {"cause": {"type": cause}, "properties": [changed]}
    header = _header("Alexa", "ChangeReport", f"{address}-change")
    return write({"event": _message(header, address, {"change": change}), "context": {}})


def _header(namespace: str, name: str, message: str, correlation: str | None = None) -> dict[str, object]:
    header: dict[str, object] = {"namespace": namespace, "name": name, "messageId": message, "payloadVersion": "3"}
    return header if correlation is None else header | {"correlationToken": correlation}


def _message(header: Mapping[str, object], address: str, payload: Mapping[str, object]) -> dict[str, object]:
    return {"header": header, "endpoint": {"endpointId": address}, "payload": payload}


def _property(namespace: str, name: str, value: object) -> dict[str, object]:
    return {"namespace": namespace, "name": name, "value": value, "uncertaintyInMilliseconds": 0}
