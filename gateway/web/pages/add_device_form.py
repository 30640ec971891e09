"""The form of a proposed device or entrance: the fields of each kind, and how they are read."""

import math
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from enum import StrEnum, auto
from typing import get_args

from multidict import MultiMapping
from pydantic import JsonValue, TypeAdapter

from devices.vendor_name import VendorOf
from devices.vendors.definition import DeviceKind
from gateway.config import devices
from gateway.config.editor import ENTRANCE, EditRejected, parse_value
from gateway.config.home import Home
from gateway.config.stream_url import valid_stream_url
from gateway.installation.proposal_checks import ProposalRequest, Remark
from gateway.system.i18n import Text, _

MAX_LINES = 24  # further keys, and places
MAX_EXTRA_CHARACTERS = 4000  # characters of all further keys; the page's own field takes half
_ID_PATTERN = re.compile(r"[a-z0-9-]{1,64}")
_KEY_PATTERN = re.compile(r"[a-z_]{1,32}(\.[A-Za-z0-9_-]{1,64}){0,4}")
_FILE_KEYS = frozenset({"credentials_file", "ca"})  # keys whose value names a file of the box
_FORM_KEYS = frozenset({"kind", "more", "user", "secret"})  # fields of the form that are no keys
_JSON_ADAPTER: TypeAdapter[JsonValue] = TypeAdapter(JsonValue)


class InputType(StrEnum):
    """How a field is entered."""

    TEXT = auto()
    NUMBER = auto()  # of seconds
    CHECK = auto()
    CHOICE = auto()  # one of `choices`
    DEVICE = auto()  # one of the home's devices
    DEVICES = auto()
    CHOICES = auto()  # any of `choices`
    PLACES = auto()  # a name a line


@dataclass(frozen=True, slots=True)
class FormField:
    """One field; `key` is its key in home.yaml.

    `is_on_by_default`: the box is ticked in an empty form. `is_required`: it has to be filled in, or ticked.
    """

    key: str
    label: Text
    input_type: InputType = InputType.TEXT
    _: KW_ONLY
    is_required: bool = False
    is_on_by_default: bool = False
    choices: tuple[str, ...] = ()  # to choose from
    device_kinds: tuple[str, ...] = ()  # of the devices to choose from


def _device_fields(kind: DeviceKind, *more: FormField) -> tuple[FormField, ...]:
    vendor = FormField(
        "vendor", _("Whose words it speaks (vendor)"), InputType.CHOICE, choices=VendorOf(kind).names, is_required=True
    )
    return (
        vendor,
        FormField(
            "address", _("Address: the maker's, or its topic (zigbee2mqtt/name); empty if it speaks Perron's own words")
        ),
        *more,
    )


_LATENCY_FIELD = FormField("latency", _("Answers within so many seconds (latency)"), InputType.NUMBER)
_HEARTBEAT_FIELD = FormField(
    "heartbeat", _("Says something at least every so many seconds (heartbeat)"), InputType.NUMBER
)

FORM_FIELDS: Mapping[str, tuple[FormField, ...]] = {
    "lock": _device_fields(
        "lock",
        _LATENCY_FIELD,
        FormField("auto_lock", _("Locks by itself (auto_lock)"), InputType.CHOICE, choices=("yes", "no")),
        FormField("guarded", _("Refuses a late or repeated command by itself (guarded)"), InputType.CHECK),
        FormField("unlatch", _("Fixed knob outside: the lock pulls the latch too (unlatch)"), InputType.CHECK),
        FormField("lift_handle", _("The handle has to be lifted before it locks (lift_handle)"), InputType.CHECK),
        FormField("guard.key", _("The guard's public key, only with vendor guard")),
    ),
    "cover": _device_fields(
        "cover",
        FormField(
            "reverses",
            _("Goes up again by itself when it meets something (reverses)"),
            InputType.CHECK,
            is_required=True,
        ),
        FormField("beam", _("Tells of its light beam (beam)"), InputType.CHECK, is_on_by_default=True),
        _LATENCY_FIELD,
        FormField("warning", _("Warns so many seconds before (warning)"), InputType.NUMBER),
        FormField("closing", _("Closes within so many seconds (closing)"), InputType.NUMBER),
    ),
    "door": _device_fields(
        "door",
        FormField("answers", _("Can be asked (answers)"), InputType.CHECK, is_on_by_default=True),
        _HEARTBEAT_FIELD,
    ),
    "camera": _device_fields(
        "camera",
        FormField("url", _("Address of the stream, rtsp:// or rtsps://, without account (url)"), is_required=True),
        FormField("fingerprint", _("SHA-256 fingerprint of its certificate, with rtsps (fingerprint)")),
    ),
    "scanner": _device_fields("scanner", FormField("keys.code", _("Where the code stands in its JSON (keys.code)"))),
    "signal": _device_fields("signal", FormField("topics.event", _("The button's topic, if it is another device"))),
    "fridge": _device_fields(
        "fridge",
        FormField("compartment", _("Compartment")),
        FormField("unit", _("Unit"), InputType.CHOICE, choices=("C", "F")),
        _HEARTBEAT_FIELD,
    ),
    "presence": _device_fields("presence"),
    "alarm": _device_fields(
        "alarm",
        FormField(
            "bypassed_in",
            _("Modes in which opening this door sets off nothing (bypassed_in)"),
            InputType.CHOICES,
            choices=get_args(devices.ArmedMode),
        ),
    ),
    ENTRANCE: (
        FormField("name", _("Name"), is_required=True),
        FormField("lock", _("Lock"), InputType.DEVICE, device_kinds=("lock", "cover"), is_required=True),
        FormField(
            "door", _("Door sensor, not the lock's own"), InputType.DEVICE, device_kinds=("door",), is_required=True
        ),
        FormField("signal", _("Signal"), InputType.DEVICE, device_kinds=("signal",), is_required=True),
        FormField("cameras.outside", _("Camera outside"), InputType.DEVICE, device_kinds=("camera",), is_required=True),
        FormField("cameras.inside", _("Cameras inside"), InputType.DEVICES, device_kinds=("camera",)),
        FormField("scanners", _("Scanners"), InputType.DEVICES, device_kinds=("scanner",)),
        FormField("cameras.read_labels", _("Cameras that read the label"), InputType.DEVICES, device_kinds=("camera",)),
        FormField("places", _("Where a parcel is left, a name a line"), InputType.PLACES, is_required=True),
        FormField(
            "way_out_by_hand",
            _("From inside the door opens by hand, without key or power"),
            InputType.CHECK,
            is_required=True,
        ),
        FormField(
            "living_space", _("Leads to the living space (living_space)"), InputType.CHECK, is_on_by_default=True
        ),
        FormField(
            "courier_proof", _("Asks for the courier's code (courier_proof)"), InputType.CHECK, is_on_by_default=True
        ),
        FormField("presence", _("Nobody may be home (presence)"), InputType.DEVICES, device_kinds=("presence",)),
        FormField("alarm", _("Alarm"), InputType.DEVICE, device_kinds=("alarm",)),
    ),
}


@dataclass(frozen=True, slots=True)
class FieldError:
    """An error of one field."""

    key: str
    remark: Remark


def read_form(kind: str, form: MultiMapping[object], home: Home) -> ProposalRequest | tuple[FieldError, ...]:
    """Read the form of a kind of device; return the request, or the errors of all fields.

    `home` has the devices that may be chosen.

    Raises:
        KeyError: the kind is unknown.
    """
    errors: list[FieldError] = []
    fields: dict[str, JsonValue] = {}

    def add(key: str, outcome: dict[str, JsonValue] | Remark) -> None:
        if isinstance(outcome, Remark):
            errors.append(FieldError(key, outcome))
        else:
            fields.update(outcome)

    name = _form_text(form, "id")
    if not _ID_PATTERN.fullmatch(name):
        add("id", Remark("id"))
    for field in FORM_FIELDS[kind]:
        add(field.key, _read_field(field, form, home))
    add("more", _read_extra_keys(_form_text(form, "more"), kind, fields))
    login = (_form_text(form, "user"), str(form.get("secret", ""))) if kind == "camera" else ("", "")
    if bool(login[0]) != bool(login[1]):
        add("user", Remark("login"))
    return tuple(errors) or ProposalRequest(kind=kind, name=name, fields=fields, login=login if all(login) else None)


def entered_values(kind: str, form: MultiMapping[object]) -> Mapping[str, Sequence[str]]:
    """Return the entered values, to show them again; never the password."""
    keys = ("id", "user", "more", *(field.key for field in FORM_FIELDS[kind]))
    return {key: tuple(map(str, form.getall(key, ()))) for key in keys}


def initial_values(kind: str, known: Mapping[str, str]) -> Mapping[str, Sequence[str]]:
    """Return the values of an empty form, filled with what `discover` found; keys without a field go to "more"."""
    types = {"id": InputType.TEXT, **{field.key: field.input_type for field in FORM_FIELDS[kind]}}
    values: dict[str, tuple[str, ...]] = dict.fromkeys(("id", "user", "more", *types), ())
    values |= {field.key: ("1",) for field in FORM_FIELDS[kind] if field.is_on_by_default}
    extra_lines = []
    for key, value in list(known.items())[:MAX_LINES]:
        match types.get(key):
            case InputType.TEXT | InputType.NUMBER | InputType.CHOICE:
                values[key] = (value[:500],)
            case InputType.CHECK:
                values[key] = ("1",) if value == "true" else ()
            case None if _KEY_PATTERN.fullmatch(key) and key not in _FORM_KEYS:
                extra_lines.append(f"{key}={value}"[:500])
    if extra_lines:
        values["more"] = ("\n".join(extra_lines),)
    return values


def _form_text(form: MultiMapping[object], key: str) -> str:
    return str(form.get(key, "")).strip()


def _read_field(field: FormField, form: MultiMapping[object], home: Home) -> dict[str, JsonValue] | Remark:
    """Return what a field adds to the section: nothing for a default."""
    key, text, values = field.key, _form_text(form, field.key), [str(value) for value in form.getall(field.key, ())]
    if field.is_required and not text:
        return Remark("must" if field.input_type is not InputType.CHECK else f"must.{key}")
    devices_of_kind = {id_ for id_, device in home.devices.items() if device.kind in field.device_kinds}
    match field.input_type:
        case InputType.CHECK:
            ticked = bool(text)
            return {} if ticked == field.is_on_by_default and not field.is_required else {key: ticked}
        case InputType.DEVICES | InputType.CHOICES:
            choices = devices_of_kind if field.input_type is InputType.DEVICES else set(field.choices)
            if not choices.issuperset(values):
                return Remark("choice")
            return {key: [*dict.fromkeys(values)]} if values or key == "scanners" else {}
        case InputType.PLACES:
            return _read_places(text)
        case InputType.TEXT | InputType.NUMBER | InputType.CHOICE | InputType.DEVICE if not text:
            return {}
        case InputType.TEXT:
            return _read_url(text) if key == "url" else {key: text}
        case InputType.NUMBER:
            return _read_seconds(key, text)
        case InputType.CHOICE:
            value: JsonValue = text == "yes" if field.choices == ("yes", "no") else text
            return {key: value} if text in field.choices else Remark("choice")
        case InputType.DEVICE:
            return {key: text} if text in devices_of_kind else Remark("choice")


def _read_seconds(key: str, text: str) -> dict[str, JsonValue] | Remark:
    try:
        value = float(text.replace(",", "."))
    except ValueError:
        return Remark("number")
    if not math.isfinite(value) or not 0 < value <= 3600:
        return Remark("number")
    return {key: int(value) if value.is_integer() else value}


def _read_url(text: str) -> dict[str, JsonValue] | Remark:
    try:
        return {"url": valid_stream_url(text)}
    except ValueError:
        return Remark("url")  # the text may contain a password, so the error does not repeat it


def _read_places(text: str) -> dict[str, JsonValue] | Remark:
    names = [name for line in text.splitlines() if (name := line.strip())]
    if len(names) > MAX_LINES:
        return Remark("lines", {"most": str(MAX_LINES)})
    fields: dict[str, JsonValue] = {}
    for name in names:
        id_ = _id_from_name(name)
        while f"places.{id_}.name" in fields:
            id_ += "-2"
        fields[f"places.{id_}.name"] = name
    return fields


def _id_from_name(name: str) -> str:
    """Derive an id that home.yaml accepts from a name."""
    decomposed = unicodedata.normalize("NFKD", name.lower())
    plain = "".join(character for character in decomposed if not unicodedata.combining(character))
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:56] or "place"


def _read_extra_keys(text: str, kind: str, fields: Mapping[str, JsonValue]) -> dict[str, JsonValue] | Remark:
    """Read the further keys, one key=value a line. None may name a file of the box or repeat another key."""
    if len(text) > MAX_EXTRA_CHARACTERS:  # parsing it would block the event loop
        return Remark("large")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if len(lines) > MAX_LINES:
        return Remark("lines", {"most": str(MAX_LINES)})
    extra: dict[str, JsonValue] = {}
    for line in lines:
        key, equals, value = (part.strip() for part in line.partition("="))
        if not equals or not _KEY_PATTERN.fullmatch(key):
            return Remark("line", {"line": line})
        error = next(_key_errors(key, kind, {**fields, **extra}), None)
        if error is not None:
            return error
        try:
            extra[key] = _JSON_ADAPTER.validate_python(parse_value(key, value))
        except (EditRejected, ValueError):
            return Remark("line", {"line": line})
    return extra


def _key_errors(key: str, kind: str, taken: Mapping[str, JsonValue]) -> Iterator[Remark]:
    first = key.partition(".")[0]
    if first in _FILE_KEYS:
        yield Remark("file")
    if first == "timing" and kind == ENTRANCE:
        yield Remark("timing")
    if first == "kind" or any(f"{key}.".startswith(f"{one}.") or one.startswith(f"{key}.") for one in taken):
        yield Remark("twice", {"name": key})
