"""ProGlove scanners behind their gateway, over its MQTT integration path.

    scan           {"api_version": "1.0", "event_type": "scan", "event_id": uuid, "time_created": ms,
                   "scan_code": "...", "scan_bytes": base64url, "device_serial": "MDMR000000064", ...}
    scanner_state  {..., "event_type": "scanner_state", "device_serial",
                   "device_connected_state": "STATE_CONNECTED" or "STATE_DISCONNECTED"}
    feedback!      {"api_version": "1.0", "event_type": "feedback!", "event_id": uuid, "time_created": ms,
                   "device_serial", "feedback_action_id": "FEEDBACK_POSITIVE"}

Each on `<main topic>/gateway/<gateway's serial>/<event>`; the address is that topic with the scanner's serial in the
event's place, so that one gateway may serve several doors: a scan of another of its scanners gives no report here.
Messages end with a line feed. `scan_code` leaves out bytes that are no UTF-8, `scan_bytes` has them: a code with
something left out is none. The three words at the door become light, sound and vibration of the scanner: yellow, the
positive and the negative feedback.

Sources: docs.proglove.com "Scan event", "Scanner state", "Worker Feedback command", "Streams API" (fields and their
limits, the feed at the end); how-to-dismantle-a-peakboard-box.com "Barcode Bliss" I and II (the topics, on a real one).
"""

import base64
import binascii
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from devices.commands import Command, ShowResult
from devices.reports import AvailabilityReport, Report, ScanReport, UnreadablePayload
from devices.strict_json import MalformedPayload, identifier, integer, mapping, parse, text, write
from devices.vendors.definition import Definition, FieldDescription
from devices.vendors.parts import unreadable_as_report, unreadable_as_value
from devices.vendors.words import NO_DEVICE_REF, DeviceRef, Publication, TopicSuffix

MAX_CODE_CHARS = 512
_GS = "\x1d"
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.ASCII)
_FEEDBACK = {"wait": "FEEDBACK_SPECIAL_YELLOW", "go": "FEEDBACK_POSITIVE", "no": "FEEDBACK_NEGATIVE"}
_EVENT_TYPES = {TopicSuffix.EVENT: "scan", TopicSuffix.AVAILABILITY: "scanner_state"}
_CONNECTION_STATES = {"STATE_CONNECTED": True, "STATE_DISCONNECTED": False}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_VALID_TIMES_MS = range(1_546_300_800_000, 100_000_000_000_000)  # milliseconds, by ProGlove's own limits
_STATE_EVENT_ID = "00000000-0000-4000-8000-000000000000"  # the event's id of a state that a simulated scanner sends


def topics(device_ref: DeviceRef) -> Mapping[TopicSuffix, str]:
    """Return the gateway's topics; the address is `<main topic>/gateway/<gateway's serial>/<scanner's serial>`."""
    gateway = device_ref.address.rpartition("/")[0]
    return {
        TopicSuffix.EVENT: f"{gateway}/scan",
        TopicSuffix.AVAILABILITY: f"{gateway}/scanner_state",
        TopicSuffix.SET: f"{gateway}/feedback!",
    }


def _serial(device_ref: DeviceRef) -> str:
    return device_ref.address.rpartition("/")[2]


@unreadable_as_report
def decode_report(suffix: TopicSuffix, payload: bytes, device_ref: DeviceRef = NO_DEVICE_REF) -> tuple[Report, ...]:
    """Parse a scan or a link state; a message of another scanner of the same gateway gives an empty tuple."""
    if suffix not in _EVENT_TYPES:
        return (UnreadablePayload(why="a ProGlove scanner sends only scans and its state"),)
    body = mapping(parse(payload), "the event")
    if text(body.get("device_serial"), "device_serial") != _serial(device_ref):
        return ()
    if body.get("event_type") != _EVENT_TYPES[suffix]:
        return (UnreadablePayload(why="event_type does not belong on this topic"),)
    if suffix is TopicSuffix.AVAILABILITY:
        return (AvailabilityReport(online=_is_connected(body)),)
    return (ScanReport(code=_code(body), event=identifier(body.get("event_id"), "event_id")),)


def _code(body: Mapping[str, object]) -> str:
    code = body.get("scan_code")
    if "scan_bytes" in body:
        encoded = text(body["scan_bytes"], "scan_bytes", max_chars=2000)
        try:
            code = base64.b64decode(encoded, altchars=b"-_", validate=True).decode()
        except (binascii.Error, UnicodeDecodeError) as error:
            raise MalformedPayload("scan_bytes holds no text") from error
    if not isinstance(code, str) or not 0 < len(code) <= MAX_CODE_CHARS or not code.replace(_GS, "").isprintable():
        raise MalformedPayload(f"the code is not a text of 1 to {MAX_CODE_CHARS} printable characters")
    return code


def _is_connected(body: Mapping[str, object]) -> bool:
    state = text(body.get("device_connected_state"), "device_connected_state")
    if state not in _CONNECTION_STATES:
        raise MalformedPayload("device_connected_state is neither connected nor disconnected")
    return _CONNECTION_STATES[state]


def encode_command(command: Command, device_ref: DeviceRef) -> Publication:
    """Encode a command.

    Raises:
        ValueError: a scanner accepts only three kinds of feedback, each with an id and a time.
    """
    match command:
        case ShowResult(word=word, event=event, issued_at=issued_at):
            if word not in _FEEDBACK:
                raise ValueError("this scanner shows wait, go or no, and no name of a place")
            if event is None or _UUID.fullmatch(event) is None or issued_at is None:
                raise ValueError("it cannot be asked without an event's id (a UUID) and its time")
            body = _event("feedback!", event, device_ref, issued_at)
            return Publication(suffix=TopicSuffix.SET, payload=write(body | {"feedback_action_id": _FEEDBACK[word]}))
        case _:
            raise ValueError(f"a scanner cannot be asked to {type(command).__name__}")


def _event(kind: str, event: str, device_ref: DeviceRef, at: datetime) -> dict[str, object]:
    created = (at - _EPOCH) // timedelta(milliseconds=1)
    return {
        "api_version": "1.0",
        "event_type": kind,
        "event_id": event,
        "time_created": created if created in _VALID_TIMES_MS else _VALID_TIMES_MS[0],
        "device_serial": _serial(device_ref),
    }


def encode_report(report: Report, device_ref: DeviceRef) -> tuple[Publication, ...]:
    """Encode what the scanner sends. Its own clock does not matter here: every time is the first valid instant.

    Raises:
        ValueError: the scanner cannot express the report, or the scan lacks the event's id.
    """
    first = _EPOCH + timedelta(milliseconds=_VALID_TIMES_MS[0])
    if isinstance(report, AvailabilityReport):
        state = next(name for name, online in _CONNECTION_STATES.items() if online is report.online)
        body = _event("scanner_state", _STATE_EVENT_ID, device_ref, first) | {"device_connected_state": state}
        return (Publication(suffix=TopicSuffix.AVAILABILITY, payload=write(body) + b"\n"),)
    if isinstance(report, ScanReport) and report.event is not None:
        body = _event("scan", report.event, device_ref, first) | {
            "scan_code": report.code,
            "scan_bytes": base64.urlsafe_b64encode(report.code.encode()).decode(),
        }
        return (Publication(suffix=TopicSuffix.EVENT, payload=write(body) + b"\n"),)
    raise ValueError(f"a ProGlove scanner cannot say this {type(report).__name__}")


@unreadable_as_value
def decode_command(
    suffix: TopicSuffix, payload: bytes, device_ref: DeviceRef = NO_DEVICE_REF
) -> Command | UnreadablePayload:
    """Parse a feedback command."""
    if suffix is not TopicSuffix.SET:
        return UnreadablePayload(why="a scanner is only told a result")
    body = mapping(parse(payload), "the command")
    results = {action: result for result, action in _FEEDBACK.items()}
    action = text(body.get("feedback_action_id"), "feedback_action_id")
    if text(body.get("device_serial"), "device_serial") != _serial(device_ref):
        return UnreadablePayload(why="it is for another scanner")
    created = integer(body.get("time_created"), "time_created")
    event = identifier(body.get("event_id"), "event_id")
    if action not in results or created not in _VALID_TIMES_MS:
        return UnreadablePayload(why="a feedback or a time that a ProGlove scanner does not take")
    return ShowResult(word=results[action], event=event, issued_at=_EPOCH + timedelta(milliseconds=created))


def _problem(device_ref: DeviceRef) -> str | None:
    segments = device_ref.address.split("/")
    if len(segments) < 3 or "" in segments:
        return "a ProGlove scanner's address is <main topic>/gateway/<gateway's serial>/<scanner's serial>"
    if device_ref.keys:
        return "keys are for the vendor scanner; what a proglove scanner sends is known"
    return None


DEFINITION = Definition(
    name="proglove",
    title="ProGlove scanner",
    help="Its gateway connects to the broker.",
    fields={
        "address": FieldDescription(
            title="Serial number of the scanner", help="It is printed on the scanner.", example="PGGWM402650123"
        ),
    },
    kinds=frozenset({"scanner"}),
    correlates=True,  # it gets no queries
    topics=topics,
    shared_topics=frozenset({TopicSuffix.EVENT, TopicSuffix.AVAILABILITY, TopicSuffix.SET}),
    identity=lambda device_ref: device_ref.address.casefold() or None,
    problem=_problem,
)
