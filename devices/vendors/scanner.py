"""Supports barcode scanners that publish over MQTT.

    event, state  the bare code (hidscanner2mqtt; a CR or LF that the scanner appends is dropped), or
                  {"id": uuid, "serverId", "date", "device": {...}, "barcode": "..."} (barcode-server), or any JSON
                  in which the device reference's `keys` give the path of `code`, and optionally of `event` (the
                  scanner's own id of a reading) and `symbology`
    set           {"word": "wait"}, go or no: Perron's own, for a scanner with a display
    availability  online, offline (Perron's own)

A code must be a text: a number would have lost its leading zeros. A symbology that is an AIM identifier (`]C1`,
ISO/IEC 15424) is put before the code, which distinguishes a GS1 label from a plain one; any other value is ignored.

An ESPHome scanner retains its last code, so it comes again on every reconnect: the receiver drops retained scans.
A code may contain the GS1 separator (0x1D) and is otherwise printable, 512 characters at most.
"""

import re
from collections.abc import Mapping

from devices.commands import Command, ShowResult
from devices.reports import AvailabilityReport, Report, ScanReport, UnreadablePayload
from devices.strict_json import MalformedPayload, identifier, mapping, parse, text, write
from devices.vendors.definition import Definition, FieldDescription
from devices.vendors.keypath import object_of, value_at
from devices.vendors.parts import unreadable_as_report, unreadable_as_value
from devices.vendors.words import NO_DEVICE_REF, DeviceRef, Publication, TopicSuffix

RESULT_WORDS = frozenset({"wait", "go", "no"})
ELSEWHERE = "elsewhere"  # with the name of a place
MAX_PLACE_CHARS = 80
MAX_CODE_CHARS = 512
CODE, EVENT, SYMBOLOGY = "code", "event", "symbology"
KEYS = frozenset({CODE, EVENT, SYMBOLOGY})  # the values whose path `keys` may give
_GS = "\x1d"
_AIM = re.compile(r"\][A-Za-z][0-9A-Za-z]")


@unreadable_as_report
def decode_report(suffix: TopicSuffix, payload: bytes, device_ref: DeviceRef = NO_DEVICE_REF) -> tuple[Report, ...]:
    """Parse a scanner's message; an unreadable one gives one `UnreadablePayload`."""
    if suffix is TopicSuffix.AVAILABILITY and payload in (b"online", b"offline"):
        return (AvailabilityReport(online=payload == b"online"),)
    if suffix not in (TopicSuffix.EVENT, TopicSuffix.STATE):
        return (UnreadablePayload(why="a scanner sends only codes and online or offline"),)
    if CODE in device_ref.keys:
        return (_by_path(mapping(parse(payload), "the scan"), device_ref.keys),)
    if payload.startswith(b"{"):
        body = mapping(parse(payload), "the scan")
        return (ScanReport(code=_code(body.get("barcode")), event=identifier(body.get("id"), "id")),)
    return (ScanReport(code=_code(_bare_code(payload))),)


def _by_path(body: Mapping[str, object], keys: Mapping[str, str]) -> ScanReport:
    code = _code(value_at(body, keys[CODE]))
    symbology = value_at(body, keys[SYMBOLOGY]) if SYMBOLOGY in keys else None
    if isinstance(symbology, str) and _AIM.fullmatch(symbology) and not code.startswith(symbology):
        code = _code(symbology + code)
    return ScanReport(
        code=code, event=identifier(value_at(body, keys[EVENT]), "the event's id") if EVENT in keys else None
    )


def _bare_code(payload: bytes) -> str:
    try:
        return payload[: MAX_CODE_CHARS * 4 + 2].decode().rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise MalformedPayload("the code is not UTF-8") from error


def _code(value: object) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= MAX_CODE_CHARS or not value.replace(_GS, "").isprintable():
        raise MalformedPayload(f"the code is not a text of 1 to {MAX_CODE_CHARS} printable characters")
    return value


def encode_command(command: Command, device_ref: DeviceRef) -> Publication:
    """Encode a command.

    Raises:
        ValueError: a scanner can only show a result: wait, go, no, or elsewhere with a place.
    """
    match command:
        case ShowResult(word=word, place=str(place)) if word == ELSEWHERE:
            return Publication(suffix=TopicSuffix.SET, payload=write({"word": word, "place": place}))
        case ShowResult(word=word):
            if word not in RESULT_WORDS:
                raise ValueError("a scanner shows wait, go or no, or elsewhere with a place")
            return Publication(suffix=TopicSuffix.SET, payload=write({"word": word}))
        case _:
            raise ValueError(f"a scanner cannot be asked to {type(command).__name__}")


def encode_report(report: Report, device_ref: DeviceRef) -> tuple[Publication, ...]:
    """Encode a scanner's report.

    With paths it uses these; else it sends a bare code without an event id, or barcode-server's form (server id: its
    address) with one.

    Raises:
        ValueError: a scanner cannot express the report.
    """
    if isinstance(report, AvailabilityReport):
        return (Publication(suffix=TopicSuffix.AVAILABILITY, payload=b"online" if report.online else b"offline"),)
    if isinstance(report, ScanReport):
        return (Publication(suffix=TopicSuffix.EVENT, payload=_scan(report, device_ref)),)
    raise ValueError(f"a scanner cannot say {type(report).__name__}")


def _scan(report: ScanReport, device_ref: DeviceRef) -> bytes:
    if CODE in device_ref.keys:
        return write(_body_by_path(report, device_ref.keys))
    if report.event is not None:
        return write({"id": report.event, "serverId": device_ref.address, "barcode": report.code})
    if report.code.startswith("{"):
        raise ValueError("a bare code that begins with a brace would be read as JSON")
    return report.code.encode()


def _body_by_path(report: ScanReport, keys: Mapping[str, str]) -> dict[str, object]:
    if (report.event is None) == (EVENT in keys):
        raise ValueError("this scanner tells an event's id with each reading, or never")
    values: dict[str, object] = {keys[CODE]: report.code}
    if SYMBOLOGY in keys:
        aim = _AIM.match(report.code)
        values = {keys[CODE]: report.code[3:] if aim else report.code, keys[SYMBOLOGY]: aim[0] if aim else "unknown"}
    return object_of(values | ({keys[EVENT]: report.event} if EVENT in keys else {}))


@unreadable_as_value
def decode_command(
    suffix: TopicSuffix, payload: bytes, device_ref: DeviceRef = NO_DEVICE_REF
) -> Command | UnreadablePayload:
    """Parse a command to show a result."""
    if suffix is not TopicSuffix.SET:
        return UnreadablePayload(why="a scanner is only told a result")
    body = mapping(parse(payload), "the command")
    word = text(body.get("word"), "word")
    if word == ELSEWHERE:
        return ShowResult(word=word, place=text(body.get("place"), "place", max_chars=MAX_PLACE_CHARS))
    if word not in RESULT_WORDS:
        return UnreadablePayload(why="word is not wait, go, no or elsewhere")
    return ShowResult(word=word)


def _problem(device_ref: DeviceRef) -> str | None:
    if unknown := sorted(device_ref.keys.keys() - KEYS):
        return f"`{unknown[0]}` is not a value of a scan: keys say where code, event and symbology stand"
    if device_ref.keys and CODE not in device_ref.keys:
        return "keys must say where the code stands, like `code: data.barcode`"
    return None


DEFINITION = Definition(
    name="scanner",
    title="Barcode scanner",
    help="It sends what it reads to the broker.",
    fields={
        "keys.code": FieldDescription(
            title="Key of the code in its message", help="Only if it sends JSON.", example="data.barcode"
        ),
    },
    kinds=frozenset({"scanner"}),
    simulated=frozenset({"scanner"}),
    correlates=True,
    problem=_problem,
)
