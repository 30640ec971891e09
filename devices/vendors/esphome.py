"""Supports contacts, openers of garage doors, strikes, compartments and speakers on an ESP.

With Perron's firmware configurations, on Perron's own topics:

A door contact (`config/esphome/door.yaml`):

    state         ON (open) or OFF (closed), as ESPHome writes a binary sensor; retained
    get           the query's echo, as text
    result        {"echo": "<that echo>", "door": "open"} or closed: read from the pin when the query came
    availability  online, offline: birth and last will

The opener of a garage door (`config/esphome/garage.yaml`, enrolled as `cover`):

    state         open, closed, opening, closing or unknown, as ESPHome writes a cover; retained
    event         obstructed, clear: the light beam, whenever it changes
    get, result   the query's echo; {"echo": "<that echo>", "cover": "open", "clear": true}
    set           OPEN, CLOSE, as ESPHome reads a cover's commands: no id and no time, so it cannot refuse a late copy

What lies in a compartment, and a key on its hook (enrolled as `content`, `key`; `config/esphome/presence.yaml`):

    state         ON: something lies there, the key hangs there; OFF; retained
    get, result   the query's echo; {"echo": "<that echo>", "occupied": true}, {"echo": "<that echo>", "key": "present"}

A speaker with one recording for each sentence and language (enrolled as `speaker`; `config/esphome/speaker.yaml`):

    set           go_fr: the signal's word and the language of the recording; it obeys a late copy

A compartment with latch, lid and sensor on one board (`config/esphome/compartment.yaml`): Perron's own JSON,
`own_words.py`.

With a configuration of the owner's, on ESPHome's own topics; `address` is `<topic prefix>/<component>/<name>`:

    strike        street/switch/strike, a switch that turns itself off, or street/button/strike
                  set <address>/command ON, or PRESS for a button; availability street/status
    content, key  box/binary_sensor/eye: state <address>/state ON, OFF (the key `when: OFF` reverses it); no answers

All may report a battery (a sensor with this `state_topic`, or a binary sensor):

    battery       87, or ON (low) and OFF: `charge.py`

ESPHome's client uses MQTT 3.1.1, which has no correlation data; so the payload links query and answer.
Source: esphome.io, "MQTT Client Component" (birth and will message, `on_message`, `mqtt.publish`), "Binary Sensor
Component", "Cover Component", "Switch Component", "Button Component"; ESPHome's `mqtt_cover.cpp` (the states' words,
`OPEN` and `CLOSE`). The formats of `get` and `result`, and the beam's reports, are Perron's own, made by the firmware.
"""

from collections.abc import Mapping
from datetime import UTC, datetime

from devices.commands import Command, LockDoor, QueryState, SaySentence, Sound, UnlockDoor
from devices.reports import (
    AvailabilityReport,
    BatteryReport,
    ContentReport,
    CorrelationReport,
    DoorReport,
    DoorState,
    GarageDoorReport,
    GarageDoorState,
    KeyReport,
    Report,
    UnreadablePayload,
)
from devices.strict_json import identifier, mapping, parse, text, write
from devices.vendors import charge, movement, own_words
from devices.vendors.definition import BrokerAccess, Definition, FieldDescription
from devices.vendors.parts import parse_each, unreadable_as_report, unreadable_as_value
from devices.vendors.words import NO_DEVICE_REF, NO_TOPICS, DeviceRef, Publication, TopicSuffix

NO_ECHO = "0"  # for a query whose answer is not used
COVER = "cover"  # the enrolled kind of an opener
OPEN, CLOSE = b"OPEN", b"CLOSE"
ANY_COMMAND_ID = "any"  # the id of a command without one
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)  # and its time
_BEAM = {b"clear": True, b"obstructed": False}
_CONTACT = {b"ON": DoorState.OPEN, b"OFF": DoorState.CLOSED}
_DOORS = {"open": DoorState.OPEN, "closed": DoorState.CLOSED}
STRIKE, COMPARTMENT, SPEAKER = "strike", "compartment", "speaker"  # enrolled kinds
_SENSORS = frozenset({"content", "key"})  # enrolled kinds whose state is ON or OFF
_PRESS, _TURN_ON = b"PRESS", b"ON"
_OWN_TOPICS = frozenset({STRIKE, *_SENSORS})  # kinds that may be on ESPHome's own topics


def topics(device_ref: DeviceRef) -> Mapping[TopicSuffix, str]:
    """Return ESPHome's own topics of a component; Perron's firmware uses Perron's."""
    if device_ref.kind not in _OWN_TOPICS or not device_ref.address:
        return NO_TOPICS
    return {
        TopicSuffix.STATE: f"{device_ref.address}/state",
        TopicSuffix.AVAILABILITY: f"{_node(device_ref)}/status",
        TopicSuffix.SET: f"{device_ref.address}/command",
    }


def _node(device_ref: DeviceRef) -> str | None:
    """Return the topic prefix of the ESP; None: it uses Perron's topics."""
    return "/".join(device_ref.address.split("/")[:-2]) or None if device_ref.kind in _OWN_TOPICS else None


def answers_queries(device_ref: DeviceRef) -> bool:
    """Return whether it answers queries: Perron's firmware does, a strike and a speaker have no state."""
    return device_ref.kind not in {STRIKE, SPEAKER} and not topics(device_ref)


@unreadable_as_report
def decode_report(suffix: TopicSuffix, payload: bytes, device_ref: DeviceRef = NO_DEVICE_REF) -> tuple[Report, ...]:
    """Parse a message of a contact or opener; an answer gives its echo first, then the state."""
    if suffix is TopicSuffix.AVAILABILITY and payload in (b"online", b"offline"):
        return (AvailabilityReport(online=payload == b"online"),)
    if device_ref.kind == COMPARTMENT:
        return own_words.decode_report(suffix, payload, device_ref)
    if device_ref.kind == STRIKE and suffix is TopicSuffix.STATE:
        return ()  # where the switch is says nothing of the strike
    if device_ref.kind in _SENSORS and suffix is TopicSuffix.STATE:
        return (_sensor_report(payload.strip().decode(errors="replace"), device_ref),)
    cover = device_ref.kind == COVER
    if suffix is TopicSuffix.STATE and cover:
        return (GarageDoorReport(cover=_cover(payload.strip().decode(errors="replace"))),)
    if suffix is TopicSuffix.EVENT and cover and payload in _BEAM:
        return (GarageDoorReport(clear=_BEAM[payload]),)
    if suffix is TopicSuffix.STATE:
        return (DoorReport(door=_CONTACT.get(payload.strip(), DoorState.UNKNOWN)),)
    if suffix not in (TopicSuffix.RESULT, TopicSuffix.BATTERY):
        return (UnreadablePayload(why="it tells its state, answers, and says whether it is there"),)
    if suffix is TopicSuffix.BATTERY:
        return charge.decode_battery(payload)
    body = mapping(parse(payload), "the answer")
    reports = (
        _sensor_answer(body, device_ref) if device_ref.kind in _SENSORS else _answer_reports(body, cover=cover)
    )  # an echo without a state answers nothing
    return parse_each(lambda: (CorrelationReport(echo=identifier(body.get("echo"), "echo")),), lambda: reports)


def _sensor_report(word: str, device_ref: DeviceRef) -> Report:
    """Return what a binary sensor says by ON or OFF; another word is unknown."""
    known = word == device_ref.keys.get("when", "ON") if word in ("ON", "OFF") else None
    return ContentReport(occupied=known) if device_ref.kind == "content" else KeyReport(present=known)


def _sensor_answer(body: Mapping[str, object], device_ref: DeviceRef) -> tuple[Report, ...]:
    if device_ref.kind == "content":
        occupied = body.get("occupied")
        return (ContentReport(occupied=occupied if isinstance(occupied, bool) else None),)
    return (KeyReport(present={"present": True, "absent": False}.get(text(body.get("key"), "key"))),)


def _answer_reports(body: Mapping[str, object], *, cover: bool) -> tuple[Report, ...]:
    if not cover:
        return (DoorReport(door=_DOORS.get(text(body.get("door"), "door"), DoorState.UNKNOWN)),)
    clear = body.get("clear")  # an unreadable state of the beam is unknown, and hides no open door
    known = clear if isinstance(clear, bool) else None
    return (GarageDoorReport(cover=_cover(text(body.get("cover"), "cover")), clear=known),)


def _cover(value: str) -> GarageDoorState:
    return GarageDoorState(value) if value in set(GarageDoorState) else GarageDoorState.UNKNOWN


def encode_command(command: Command, device_ref: DeviceRef) -> Publication:
    """Encode a query, or a command to an opener: unlocking a garage door opens it, locking closes it.

    Raises:
        ValueError: a contact accepts only queries.
    """
    if device_ref.kind == COMPARTMENT:
        return own_words.encode_command(command, device_ref)
    match command:
        case UnlockDoor() if device_ref.kind == STRIKE:
            pressed = "/button/" in f"/{device_ref.address}"
            return Publication(suffix=TopicSuffix.SET, payload=_PRESS if pressed else _TURN_ON)
        case SaySentence(sound=sound, language=language) if device_ref.kind == SPEAKER:
            return Publication(suffix=TopicSuffix.SET, payload=f"{sound.value}_{language}".encode())
        case QueryState() if not answers_queries(device_ref):
            raise ValueError("on ESPHome's own topics a component cannot be asked to QueryState")
        case QueryState(echo=echo):
            return Publication(suffix=TopicSuffix.GET, payload=(echo or NO_ECHO).encode())
        case UnlockDoor() | LockDoor() if device_ref.kind == COVER:
            return Publication(suffix=TopicSuffix.SET, payload=OPEN if isinstance(command, UnlockDoor) else CLOSE)
        case _:
            raise ValueError(f"a contact cannot be asked to {type(command).__name__}")


def encode_report(report: Report, device_ref: DeviceRef) -> tuple[Publication, ...]:
    """Encode a report that the firmware sends unasked; for its answer to a query see `encode_answer`.

    Raises:
        ValueError: a contact reports only open or closed, and its availability.
    """
    if device_ref.kind == COMPARTMENT:
        return own_words.encode_report(report, device_ref)
    if isinstance(report, AvailabilityReport):
        return (Publication(suffix=TopicSuffix.AVAILABILITY, payload=b"online" if report.online else b"offline"),)
    if isinstance(report, BatteryReport):
        return (charge.encode_battery(report),)
    if isinstance(report, GarageDoorReport) and device_ref.kind == COVER:
        return _cover_publications(report)
    if isinstance(report, ContentReport | KeyReport) and device_ref.kind in _SENSORS:
        return (Publication(suffix=TopicSuffix.STATE, payload=_sensor_word(report, device_ref)),)
    values = {door: value for value, door in _CONTACT.items()} | {DoorState.UNKNOWN: b"unknown"}
    if isinstance(report, DoorReport) and report.door in values and device_ref.kind in ("", "door"):
        return (Publication(suffix=TopicSuffix.STATE, payload=values[report.door]),)
    raise ValueError(f"a contact cannot say this {type(report).__name__}")


def _sensor_word(report: ContentReport | KeyReport, device_ref: DeviceRef) -> bytes:
    """Return the word of the sensor; ValueError: it is a report of the other kind of sensor."""
    known = _known(report, device_ref)
    when = device_ref.keys.get("when", "ON")
    other = "OFF" if when == "ON" else "ON"
    return b"unknown" if known is None else (when if known else other).encode()


def _known(report: ContentReport | KeyReport, device_ref: DeviceRef) -> bool | None:
    if isinstance(report, ContentReport) != (device_ref.kind == "content"):
        raise ValueError(f"a sensor of the kind {device_ref.kind} cannot say this {type(report).__name__}")
    return report.occupied if isinstance(report, ContentReport) else report.present


def _cover_publications(report: GarageDoorReport) -> tuple[Publication, ...]:
    if report.clear is None:
        return (Publication(suffix=TopicSuffix.STATE, payload=report.cover.value.encode()),)
    if report.cover is not GarageDoorState.UNKNOWN:
        raise ValueError("unasked, an opener tells where the door is or what the beam sees, never both")
    return (Publication(suffix=TopicSuffix.EVENT, payload=b"clear" if report.clear else b"obstructed"),)


def answer(report: Report, echo: str, device_ref: DeviceRef = NO_DEVICE_REF) -> Publication:
    """Encode the firmware's answer to the query with this echo.

    Raises:
        ValueError: the firmware answers only with the state of a door or garage door.
    """
    if device_ref.kind == COMPARTMENT:
        return own_words.answer(report, echo, device_ref)
    if isinstance(report, GarageDoorReport):
        fields = {} if report.clear is None else {"clear": report.clear}
        return Publication(
            suffix=TopicSuffix.RESULT, payload=write({"echo": echo, "cover": report.cover.value, **fields})
        )
    if isinstance(report, ContentReport):
        return Publication(suffix=TopicSuffix.RESULT, payload=write({"echo": echo, "occupied": report.occupied}))
    if isinstance(report, KeyReport):
        word = {True: "present", False: "absent", None: "unknown"}[report.present]
        return Publication(suffix=TopicSuffix.RESULT, payload=write({"echo": echo, "key": word}))
    values = {door: value for value, door in _DOORS.items()}
    if not isinstance(report, DoorReport) or report.door not in values:
        raise ValueError("a contact says open or closed")
    return Publication(suffix=TopicSuffix.RESULT, payload=write({"echo": echo, "door": values[report.door]}))


@unreadable_as_value
def decode_command(
    suffix: TopicSuffix, payload: bytes, device_ref: DeviceRef = NO_DEVICE_REF
) -> Command | UnreadablePayload:
    """Parse a command: any payload on `get` is a query with that echo. OPEN and CLOSE contain no id."""
    if device_ref.kind == COMPARTMENT:
        return own_words.decode_command(suffix, payload)
    if suffix is TopicSuffix.SET and device_ref.kind == STRIKE and payload in (_PRESS, _TURN_ON):
        return movement.bare_command(UnlockDoor)
    if suffix is TopicSuffix.SET and device_ref.kind == SPEAKER:
        word, _, language = identifier(payload.decode(errors="replace"), "the recording").rpartition("_")
        if word not in set(Sound):
            return UnreadablePayload(why="no recording has this name")
        return SaySentence(id=ANY_COMMAND_ID, sound=Sound(word), language=language, text="")
    if suffix is TopicSuffix.SET and device_ref.kind == COVER and payload in (OPEN, CLOSE):
        kind = UnlockDoor if payload == OPEN else LockDoor
        return kind(id=ANY_COMMAND_ID, intent=ANY_COMMAND_ID, issued_at=EPOCH, expires_at=EPOCH)
    if suffix is not TopicSuffix.GET:
        return UnreadablePayload(why="it is only asked, and an opener told to open or to close")
    mark = identifier(payload.decode(errors="replace"), "the question")
    return QueryState(echo=None if mark == NO_ECHO else mark)


def _problem(device_ref: DeviceRef) -> str | None:
    if device_ref.kind == STRIKE and _node(device_ref) is None:
        return "write the topic of the switch or button, `<topic prefix>/switch/<name>`, as ESPHome names it"
    if device_ref.kind in _SENSORS and device_ref.address and _node(device_ref) is None:
        return "write the topic of the sensor, `<topic prefix>/binary_sensor/<name>`, or nothing for Perron's firmware"
    if device_ref.keys.get("when", "ON") not in ("ON", "OFF"):
        return "the key `when` is ON or OFF: the state that means occupied, or that the key is there"
    return None


def settings(access: BrokerAccess) -> str:
    """Return what `config/esphome` needs: the node's substitutions, and its lines of secrets.yaml."""
    lines = [
        "substitutions:           # in the node's own file",
        f"  device: {access.user}",
        f"  broker: {access.host}   # port {access.port}",
        "",
        "# in secrets.yaml",
        f"mqtt_password: {access.password}",
    ]
    if access.authority:
        lines += ["mqtt_authority: |", *(f"  {line}" for line in access.authority.splitlines())]
    return "\n".join(lines)


DEFINITION = Definition(
    name="esphome",
    title="ESPHome device",
    help="Flash it with the configuration from config/esphome. Its account at the broker is made when you add it.",
    fields={
        "address": FieldDescription(
            title="Topic prefix of the device",
            help="Only if its topic_prefix is not perron/ and its id.",
            example="garage-board",
        ),
    },
    settings=settings,
    kinds=frozenset({"cover", "door", "strike", "compartment", "content", "key", "speaker"}),
    simulated=frozenset({"cover", "door", "strike", "compartment", "content", "key", "speaker"}),
    correlates=True,
    encode_answer=answer,
    answers_queries=answers_queries,
    topics=topics,
    base_topic=_node,
    problem=_problem,
    answers_beam=True,
    battery=(TopicSuffix.BATTERY,),
)
