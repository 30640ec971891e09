"""Supports entities of the owner's Home Assistant: thermometer, contact, panel, presence, cover, parcels, speaker.

With its statestream (address `<base topic>/<domain>/<object>`):

    state   the entity's state as text, at each change of state or attributes; QoS 1, retained
    bridge  homeassistant/status: online, offline (its birth and last will; QoS 0, not retained)

or with an automation of the owner's (address `<domain>.<object>`), on Perron's own topics:

    state   the same text
    get     the query's echo
    result  {"echo": "<that echo>", "state": "<text>"} and, of a thermometer, "unit": "C" or "F"

A cover (the opener of a garage door) is moved by an automation of the owner's, whichever way its state comes:

    set     OPEN or CLOSE, on Perron's own topic: no id and no time, so it obeys a late copy

A speaker (a media player) says what an automation of the owner's has spoken on it; it reports nothing:

    set     {"id": "...", "sentence": "go", "language": "fr", "text": "Entrez"}, on Perron's own topic

Beside it, the state of the entity for its battery, as `charge.py` reads it: from the statestream where `home.yaml`
names its topic (`topics: {battery: ...}`), or

    battery  by an automation

`unknown` and `unavailable` are no states of the device. The domain gives the meaning:

    sensor               degrees, in the unit of the house file (the text contains none)
    binary_sensor        on: open, off: closed (device classes door, garage_door, opening, window)
    cover                open, opening, closed, closing; anything else (stopped) is unknown
    alarm_control_panel  disarmed, armed_*, arming, disarming, pending, triggered
    person, device_tracker, group   home; not_home; of the first two also the name of another zone
    zone                 how many persons are in it (zone.home)
    input_boolean        on: somebody is home

An entity of the kind `parcels` has the household's parcels in an attribute (`tracking.py`). Its state is only their
number; of its statestream two more topics are read, which need `publish_attributes` and `publish_timestamps`:

    parcels       the list
    last_updated  when Home Assistant last heard something of them, before the list

An automation answers `{"echo": "<that echo>", "parcels": [...]}`, and may send `{"parcels": [...]}` unasked on `event`.

Sources: home-assistant.io "MQTT Statestream" and its code (`mqtt_statestream/__init__.py`: topic, QoS, retain, no
republication), "MQTT" (birth and last will), "Binary sensor" (device classes), "Alarm control panel", "Cover",
"Person", "Zone". An answer proves only the last state that Home Assistant received: not that a contact is closed now.
"""

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from devices.commands import Command, LockDoor, QueryState, SaySentence, Sound, UnlockDoor
from devices.reports import (
    AlarmPanelReport,
    AlarmPanelState,
    AvailabilityReport,
    BatteryReport,
    CorrelationReport,
    DoorReport,
    DoorState,
    FridgeReport,
    GarageDoorReport,
    GarageDoorState,
    ParcelsReport,
    PresenceReport,
    PresenceState,
    Report,
    UnreadablePayload,
    UpdateTimeReport,
)
from devices.strict_json import MalformedPayload, identifier, mapping, parse, text, write
from devices.vendors import charge, movement, tracking
from devices.vendors.definition import Definition, FieldDescription
from devices.vendors.parts import parse_each, unreadable_as_report, unreadable_as_value
from devices.vendors.temperature import plausible_celsius
from devices.vendors.words import NO_DEVICE_REF, NO_TOPICS, DeviceRef, Publication, TopicSuffix

STATUS_TOPIC = "homeassistant/status"
PARCELS: Final = "parcels"  # the kind of an entity with the household's parcels
_NO_ECHO = "0"
COVER = "cover"  # the enrolled kind of an opener
SPEAKER: Final = "speaker"  # the enrolled kind of a media player
_OPEN, _CLOSE = b"OPEN", b"CLOSE"
_NUMBER = re.compile(r"-?[0-9]{1,4}(\.[0-9]{1,12})?", re.ASCII)
_COUNT = re.compile(r"[0-9]{1,4}", re.ASCII)
_NO_STATE = frozenset({"unknown", "unavailable", "none", "None", ""})
_ZONE_DOMAINS = frozenset({"person", "device_tracker"})  # their state may be the name of a zone


def domain(device_ref: DeviceRef) -> str:
    """Return the domain of an entity's address."""
    return device_ref.address.split("/")[-2] if "/" in device_ref.address else device_ref.address.partition(".")[0]


def answers_queries(device_ref: DeviceRef) -> bool:
    """Return whether the entity answers queries; the statestream only publishes, and a speaker has no state."""
    return _has_automation(device_ref) and device_ref.kind != SPEAKER


def _has_automation(device_ref: DeviceRef) -> bool:
    """Return whether an automation of the owner's speaks for the entity, on Perron's own topics."""
    return "/" not in device_ref.address


def topics(device_ref: DeviceRef) -> Mapping[TopicSuffix, str]:
    """Return the statestream's topics; an automation uses Perron's own."""
    if _has_automation(device_ref):
        return NO_TOPICS
    common = {TopicSuffix.STATE: f"{device_ref.address}/state", TopicSuffix.BRIDGE: STATUS_TOPIC}
    if device_ref.kind != PARCELS:
        return common
    lists = (TopicSuffix.PARCELS, TopicSuffix.LAST_UPDATED)
    return common | {suffix: f"{device_ref.address}/{suffix}" for suffix in lists}


@unreadable_as_report
def decode_report(suffix: TopicSuffix, payload: bytes, device_ref: DeviceRef = NO_DEVICE_REF) -> tuple[Report, ...]:
    """Parse an entity's state, an answer (its echo first), or Home Assistant's availability."""
    if suffix in (TopicSuffix.BRIDGE, TopicSuffix.AVAILABILITY):
        if payload in (b"online", b"offline"):
            return (AvailabilityReport(online=payload == b"online"),)
        return (UnreadablePayload(why="it is neither online nor offline"),)
    if suffix is TopicSuffix.BATTERY:
        return charge.decode_battery(payload)
    if device_ref.kind == PARCELS:
        return _decode_parcels(suffix, payload)
    if suffix is TopicSuffix.STATE:
        return (_entity(_text(payload), device_ref, device_ref.unit),)
    if suffix is not TopicSuffix.RESULT:
        return (UnreadablePayload(why="an entity tells its state, and an automation answers"),)
    body = mapping(parse(payload), "the answer")
    reports = (_answer_report(body, device_ref),)  # an echo without a state answers nothing
    return parse_each(lambda: (CorrelationReport(echo=identifier(body.get("echo"), "echo")),), lambda: reports)


def _decode_parcels(suffix: TopicSuffix, payload: bytes) -> tuple[Report, ...]:
    match suffix:
        case TopicSuffix.STATE:  # how many parcels there are: only that the entity is known counts
            return (ParcelsReport(parcels=None),) if _text(payload) in _NO_STATE else ()
        case TopicSuffix.PARCELS:
            return (tracking.read_parcels(parse(payload)),)
        case TopicSuffix.LAST_UPDATED:
            return (UpdateTimeReport(at=tracking.read_update_time(payload)),)
        case TopicSuffix.EVENT:
            return (tracking.read_parcels(mapping(parse(payload), "the message").get("parcels")),)
        case TopicSuffix.RESULT:
            body = mapping(parse(payload), "the answer")
            parcels = tracking.read_parcels(body.get("parcels"))
            return (CorrelationReport(echo=identifier(body.get("echo"), "echo")), parcels)
        case _:
            raise MalformedPayload("an entity with parcels does not publish on this topic")


def _answer_report(body: Mapping[str, object], device_ref: DeviceRef) -> Report:
    """Return the state in an answer. A measurement in an unreadable unit has an unknown value."""
    state, unit = body.get("state"), body.get("unit", device_ref.unit)
    if not isinstance(state, str):
        raise MalformedPayload("state is not a text")
    return _entity(state, device_ref, unit.removeprefix("°") if isinstance(unit, str) else "")


def _text(payload: bytes) -> str:
    try:
        return payload[:1024].decode()
    except UnicodeDecodeError as error:
        raise MalformedPayload("the state is not UTF-8") from error


def _entity(state: str, device_ref: DeviceRef, unit: str) -> Report:
    reader = _READERS.get(domain(device_ref))
    if reader is None:
        raise MalformedPayload("the address names no entity of a kind that is read")
    return reader(state, domain(device_ref), unit)


def _fridge(state: str, _domain: str, unit: str) -> Report:
    """Return the temperature in degrees Celsius; unknown if the state is not a plausible number."""
    degrees = float(state) if _NUMBER.fullmatch(state) else None
    return FridgeReport(compartment="", temp_c=plausible_celsius(degrees, unit))


def _door(state: str, _domain: str, _unit: str) -> Report:
    return DoorReport(door={"on": DoorState.OPEN, "off": DoorState.CLOSED}.get(state, DoorState.UNKNOWN))


def _cover(state: str, _domain: str, _unit: str) -> Report:
    return GarageDoorReport(cover=GarageDoorState(state) if state in set(GarageDoorState) else GarageDoorState.UNKNOWN)


def _panel(state: str, _domain: str, _unit: str) -> Report:
    return AlarmPanelReport(panel=AlarmPanelState(state) if state in set(AlarmPanelState) else AlarmPanelState.UNKNOWN)


def _presence(state: str, of: str, _unit: str) -> Report:
    if state in _NO_STATE or not state.isprintable() or len(state) > 255:
        return PresenceReport(presence=PresenceState.UNKNOWN)
    if of == "zone":
        counted = _COUNT.fullmatch(state) is not None
        known = (PresenceState.HOME if int(state) else PresenceState.AWAY) if counted else PresenceState.UNKNOWN
    elif of == "input_boolean":
        known = {"on": PresenceState.HOME, "off": PresenceState.AWAY}.get(state, PresenceState.UNKNOWN)
    else:
        elsewhere = PresenceState.AWAY if of in _ZONE_DOMAINS else PresenceState.UNKNOWN
        known = {"home": PresenceState.HOME, "not_home": PresenceState.AWAY}.get(state, elsewhere)
    return PresenceReport(presence=known)


_READERS: Mapping[str, Callable[[str, str, str], Report]] = MappingProxyType(
    {
        "sensor": _fridge,
        "binary_sensor": _door,
        "cover": _cover,
        "alarm_control_panel": _panel,
        **dict.fromkeys(("person", "device_tracker", "group", "zone", "input_boolean"), _presence),
    }
)
THERMOMETERS = frozenset({"sensor"})
CONTACTS = frozenset({"binary_sensor"})
COVERS = frozenset({"cover"})
PANELS = frozenset({"alarm_control_panel"})
PRESENCES = frozenset(name for name, reader in _READERS.items() if reader is _presence)
_DOMAINS = {
    "fridge": THERMOMETERS, "door": CONTACTS, "cover": COVERS, "alarm": PANELS, "presence": PRESENCES,
    PARCELS: frozenset({"sensor"}), SPEAKER: frozenset({"media_player"}),
}  # fmt: skip
_ENTITY_ADDRESS = re.compile(r"[a-z0-9_]+\.[a-z0-9_]+|[^/]+(/[^/]+)*/[a-z0-9_]+/[a-z0-9_]+")


def encode_command(command: Command, device_ref: DeviceRef) -> Publication:
    """Encode a query for the owner's automation, or a command that it carries out on a cover.

    Raises:
        ValueError: an entity that is no cover accepts only queries, and behind a statestream not even those.
    """
    match command:
        case UnlockDoor() | LockDoor() if device_ref.kind == COVER:
            return Publication(suffix=TopicSuffix.SET, payload=_OPEN if isinstance(command, UnlockDoor) else _CLOSE)
        case SaySentence(id=id_, sound=sound, language=language, text=sentence) if device_ref.kind == SPEAKER:
            body = {"id": id_, "sentence": sound.value, "language": language, "text": sentence}
            return Publication(suffix=TopicSuffix.SET, payload=write(body))
        case QueryState(echo=echo) if answers_queries(device_ref):
            return Publication(suffix=TopicSuffix.GET, payload=(echo or _NO_ECHO).encode())
        case QueryState():
            raise ValueError("a statestream and a speaker cannot be asked")
        case _:
            raise ValueError(f"an entity of Home Assistant cannot be asked to {type(command).__name__}")


def encode_report(report: Report, device_ref: DeviceRef) -> tuple[Publication, ...]:
    """Encode what Home Assistant publishes of this entity unasked.

    Raises:
        ValueError: this entity cannot express the report.
    """
    if isinstance(report, AvailabilityReport):
        suffix = TopicSuffix.AVAILABILITY if _has_automation(device_ref) else TopicSuffix.BRIDGE
        return (Publication(suffix=suffix, payload=b"online" if report.online else b"offline"),)
    if isinstance(report, BatteryReport):
        return (charge.encode_battery(report),)
    if isinstance(report, ParcelsReport):
        return (_encode_parcels(report, device_ref),)
    if isinstance(report, UpdateTimeReport):
        return (Publication(suffix=TopicSuffix.LAST_UPDATED, payload=report.at.isoformat().encode()),)
    return (
        Publication(
            suffix=TopicSuffix.STATE, payload=_state_text(report, domain(device_ref), device_ref.unit).encode()
        ),
    )


def _encode_parcels(report: ParcelsReport, device_ref: DeviceRef) -> Publication:
    if _has_automation(device_ref):
        return Publication(suffix=TopicSuffix.EVENT, payload=write({"parcels": tracking.write_parcels(report)}))
    if report.parcels is None:
        return Publication(suffix=TopicSuffix.STATE, payload=b"unavailable")
    return Publication(suffix=TopicSuffix.PARCELS, payload=write(tracking.write_parcels(report)))


def answer(report: Report, echo: str, device_ref: DeviceRef) -> Publication:
    """Encode the automation's answer to the query with this echo.

    Raises:
        ValueError: this entity cannot express the report.
    """
    if isinstance(report, ParcelsReport):
        body: dict[str, object] = {"echo": echo, "parcels": tracking.write_parcels(report)}
    else:
        body = {"echo": echo, "state": _state_text(report, domain(device_ref), device_ref.unit)}
    return Publication(suffix=TopicSuffix.RESULT, payload=write(body))


def _state_text(report: Report, of: str, unit: str) -> str:
    texts: Mapping[object, str] = {}
    match report:
        case FridgeReport(compartment="", setpoint_c=None, door=DoorState.UNKNOWN) if of in THERMOMETERS:
            if report.temp_c is None:
                return "unavailable"
            return f"{report.temp_c if unit == 'C' else round(report.temp_c * 9 / 5 + 32, 2):g}"
        case DoorReport(door=value) if of in CONTACTS:
            texts = {DoorState.OPEN: "on", DoorState.CLOSED: "off", DoorState.UNKNOWN: "unavailable"}
            text = texts.get(value)
        case AlarmPanelReport(panel=value) if of in PANELS:
            text = value.value
        case GarageDoorReport(cover=cover, clear=None) if of in COVERS:
            text = cover.value
        case PresenceReport(presence=presence) if of in PRESENCES:
            text = _presence_text(presence, of)
        case _:
            text = None
    if text is None:
        raise ValueError(f"this entity of Home Assistant cannot say this {type(report).__name__}")
    return text


def _presence_text(presence: PresenceState, of: str) -> str:
    if presence is PresenceState.UNKNOWN:
        return "unknown"
    home = presence is PresenceState.HOME
    match of:
        case "zone":
            return "1" if home else "0"
        case "input_boolean":
            return "on" if home else "off"
        case _:
            return "home" if home else "not_home"


@unreadable_as_value
def decode_command(
    suffix: TopicSuffix, payload: bytes, device_ref: DeviceRef = NO_DEVICE_REF
) -> Command | UnreadablePayload:
    """Parse a command to an automation: any payload on `get` is a query with that echo; OPEN and CLOSE have no id."""
    if suffix is TopicSuffix.SET and device_ref.kind == SPEAKER:
        return _decode_sentence(payload)
    if suffix is TopicSuffix.SET and device_ref.kind == COVER and payload in (_OPEN, _CLOSE):
        return movement.bare_command(UnlockDoor if payload == _OPEN else LockDoor)
    if suffix is not TopicSuffix.GET:
        return UnreadablePayload(why="an entity is only asked, and a cover told to open or to close")
    mark = identifier(payload.decode(errors="replace"), "the question")
    return QueryState(echo=None if mark == _NO_ECHO else mark)


def _decode_sentence(payload: bytes) -> Command:
    body = mapping(parse(payload), "the sentence")
    sound = text(body.get("sentence"), "sentence")
    if sound not in set(Sound):
        raise MalformedPayload("the signal has no such word")
    return SaySentence(
        id=identifier(body.get("id"), "id"), sound=Sound(sound), language=text(body.get("language"), "language"),
        text=text(body.get("text"), "text"),
    )  # fmt: skip


def _base_topic(device_ref: DeviceRef) -> str | None:
    """Return `<base>` of `<base>/<domain>/<object>`; Home Assistant's availability is on a topic outside it."""
    return None if _has_automation(device_ref) else device_ref.address.rsplit("/", 2)[0]


def _problem(device_ref: DeviceRef) -> str | None:
    domains = _DOMAINS.get(device_ref.kind, frozenset())
    if domain(device_ref) in domains and _ENTITY_ADDRESS.fullmatch(device_ref.address):
        return None
    return (
        f"write which entity of Home Assistant it is: <base topic>/<domain>/<object> by statestream, or"
        f" <domain>.<object> by an automation; domains that fit here: {', '.join(sorted(domains))}"
    )


DEFINITION = Definition(
    name="homeassistant",
    title="Entity of Home Assistant",
    help="Home Assistant streams it to the broker (statestream).",
    fields={
        "address": FieldDescription(
            title="Entity", help="As Home Assistant names it.", example="binary_sensor.front_door"
        ),
    },
    kinds=frozenset({"cover", "door", "fridge", "presence", "alarm", PARCELS, SPEAKER}),
    simulated=frozenset({"cover"}),
    is_external=True,
    correlates=True,
    encode_answer=answer,
    answers_queries=answers_queries,
    why_no_live_answer=(
        "an answer of Home Assistant repeats its last report of the contact, so it proves nothing: write answers: false"
    ),
    silence_s=3600.0,
    account="homeassistant",
    topics=topics,
    base_topic=_base_topic,
    battery=(TopicSuffix.BATTERY,),
    address="the entity",
    sends_unit=False,
    problem=_problem,
)
