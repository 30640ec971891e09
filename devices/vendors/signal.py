"""Supports the signal at the door (light, buzzer) with the answer button inside, in Perron's own format.

set           {"id": "...", "light": "green", "sound": "go"}
event         {"event": "done", "id": "..."}     light and buzzer executed it
              {"event": "answered"}              somebody inside pressed the button
availability  online, offline
"""

from devices.commands import Command, Light, SetSignal, Sound
from devices.reports import AnswerButtonReport, AvailabilityReport, Report, SignalReport, UnreadablePayload
from devices.strict_json import MalformedPayload, identifier, mapping, parse, text, write
from devices.vendors.definition import Definition, FieldDescription
from devices.vendors.parts import unreadable_as_report, unreadable_as_value
from devices.vendors.words import NO_DEVICE_REF, DeviceRef, Publication, TopicSuffix

DEFINITION = Definition(
    name="signal",
    title="Door light and buzzer",
    help="Light and buzzer outside, answer button inside.",
    fields={
        "topics.event": FieldDescription(
            title="Topic of the answer button", help="Only if the button is another device."
        ),
    },
    kinds=frozenset({"signal"}),
    simulated=frozenset({"signal"}),
    correlates=True,
)


@unreadable_as_report
def decode_report(suffix: TopicSuffix, payload: bytes, device_ref: DeviceRef = NO_DEVICE_REF) -> tuple[Report, ...]:
    """Parse the signal's message; an unreadable one gives one `UnreadablePayload`."""
    if suffix is TopicSuffix.AVAILABILITY and payload in (b"online", b"offline"):
        return (AvailabilityReport(online=payload == b"online"),)
    if suffix is not TopicSuffix.EVENT:
        return (UnreadablePayload(why="a signal sends only events and online or offline"),)
    return (_event(payload),)


def _event(payload: bytes) -> Report:
    body = mapping(parse(payload), "the event")
    match text(body.get("event"), "event"):
        case "done":
            return SignalReport(id=identifier(body.get("id"), "id"))
        case "answered":
            return AnswerButtonReport()
        case _:
            raise MalformedPayload("event is neither done nor answered")


def encode_command(command: Command, device_ref: DeviceRef) -> Publication:
    """Encode a command.

    Raises:
        ValueError: a signal only shows and sounds.
    """
    match command:
        case SetSignal():
            body = {"id": command.id, "light": command.light.value, "sound": command.sound.value}
            return Publication(suffix=TopicSuffix.SET, payload=write(body))
        case _:
            raise ValueError(f"a signal cannot be asked to {type(command).__name__}")


def encode_report(report: Report, device_ref: DeviceRef) -> tuple[Publication, ...]:
    """Encode a signal's report.

    Raises:
        ValueError: a signal cannot express the report.
    """
    if isinstance(report, SignalReport):
        return (Publication(suffix=TopicSuffix.EVENT, payload=write({"event": "done", "id": report.id})),)
    if isinstance(report, AnswerButtonReport):
        return (Publication(suffix=TopicSuffix.EVENT, payload=write({"event": "answered"})),)
    if isinstance(report, AvailabilityReport):
        return (Publication(suffix=TopicSuffix.AVAILABILITY, payload=b"online" if report.online else b"offline"),)
    raise ValueError(f"a signal cannot say {type(report).__name__}")


@unreadable_as_value
def decode_command(
    suffix: TopicSuffix, payload: bytes, device_ref: DeviceRef = NO_DEVICE_REF
) -> Command | UnreadablePayload:
    """Parse a command to the signal; an unknown light or sound gives `UnreadablePayload`."""
    if suffix is not TopicSuffix.SET:
        return UnreadablePayload(why="a signal is only set")
    body = mapping(parse(payload), "the command")
    light, sound = text(body.get("light"), "light"), text(body.get("sound"), "sound")
    if light not in set(Light) or sound not in set(Sound):
        return UnreadablePayload(why="a light or sound that the signal does not have")
    return SetSignal(id=identifier(body.get("id"), "id"), light=Light(light), sound=Sound(sound))
