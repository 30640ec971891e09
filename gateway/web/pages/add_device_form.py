"""The form of a proposed device or entrance: the fields of each kind, and how they are read."""

import math
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum, auto
from typing import get_args

from multidict import MultiMapping
from pydantic import JsonValue, TypeAdapter

from devices.vendor_name import VendorOf
from devices.vendors.definition import DeviceKind
from gateway.config import devices
from gateway.config.editor import EditRejected, parse_value
from gateway.config.editor_keys import ENTRANCE
from gateway.config.home import Home
from gateway.config.stream_url import valid_stream_url
from gateway.installation.proposal_checks import ProposalRequest, Remark

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


@dataclass(frozen=True, slots=True, kw_only=True)
class FormField:
    """One field; `key` is its key in home.yaml.

    `is_on_by_default`: the box is ticked in an empty form. `is_required`: it has to be filled in, or ticked.
    """

    key: str
    input_type: InputType = InputType.TEXT
    is_required: bool = False
    is_on_by_default: bool = False
    choices: tuple[str, ...] = ()  # to choose from
    device_kinds: tuple[str, ...] = ()  # of the devices to choose from


def _device_fields(kind: DeviceKind, *more: FormField) -> tuple[FormField, ...]:
    vendor = FormField(key="vendor", input_type=InputType.CHOICE, choices=VendorOf(kind).names, is_required=True)
    return (vendor, FormField(key="address"), *more)


_LATENCY_FIELD = FormField(key="latency", input_type=InputType.NUMBER)
_HEARTBEAT_FIELD = FormField(key="heartbeat", input_type=InputType.NUMBER)

FORM_FIELDS: Mapping[str, tuple[FormField, ...]] = {
    "lock": _device_fields(
        "lock",
        _LATENCY_FIELD,
        FormField(key="auto_lock", input_type=InputType.CHOICE, choices=("yes", "no")),
        FormField(key="guarded", input_type=InputType.CHECK),
        FormField(key="unlatch", input_type=InputType.CHECK),
        FormField(key="lift_handle", input_type=InputType.CHECK),
        FormField(key="guard.key"),
    ),
    "cover": _device_fields(
        "cover",
        FormField(key="reverses", input_type=InputType.CHECK, is_required=True),
        FormField(key="beam", input_type=InputType.CHECK, is_on_by_default=True),
        _LATENCY_FIELD,
        FormField(key="warning", input_type=InputType.NUMBER),
        FormField(key="closing", input_type=InputType.NUMBER),
    ),
    "door": _device_fields(
        "door", FormField(key="answers", input_type=InputType.CHECK, is_on_by_default=True), _HEARTBEAT_FIELD
    ),
    "camera": _device_fields("camera", FormField(key="url", is_required=True), FormField(key="fingerprint")),
    "scanner": _device_fields("scanner", FormField(key="keys.code")),
    "signal": _device_fields("signal", FormField(key="topics.event")),
    "fridge": _device_fields(
        "fridge",
        FormField(key="compartment"),
        FormField(key="unit", input_type=InputType.CHOICE, choices=("C", "F")),
        _HEARTBEAT_FIELD,
    ),
    "presence": _device_fields("presence"),
    "alarm": _device_fields(
        "alarm", FormField(key="bypassed_in", input_type=InputType.CHOICES, choices=get_args(devices.ArmedMode))
    ),
    ENTRANCE: (
        FormField(key="name", is_required=True),
        FormField(key="lock", input_type=InputType.DEVICE, device_kinds=("lock", "cover"), is_required=True),
        FormField(key="door", input_type=InputType.DEVICE, device_kinds=("door",), is_required=True),
        FormField(key="signal", input_type=InputType.DEVICE, device_kinds=("signal",), is_required=True),
        FormField(key="cameras.outside", input_type=InputType.DEVICE, device_kinds=("camera",), is_required=True),
        FormField(key="cameras.inside", input_type=InputType.DEVICES, device_kinds=("camera",)),
        FormField(key="scanners", input_type=InputType.DEVICES, device_kinds=("scanner",)),
        FormField(key="cameras.read_labels", input_type=InputType.DEVICES, device_kinds=("camera",)),
        FormField(key="places", input_type=InputType.PLACES, is_required=True),
        FormField(key="way_out_by_hand", input_type=InputType.CHECK, is_required=True),
        FormField(key="living_space", input_type=InputType.CHECK, is_on_by_default=True),
        FormField(key="courier_proof", input_type=InputType.CHECK, is_on_by_default=True),
        FormField(key="presence", input_type=InputType.DEVICES, device_kinds=("presence",)),
        FormField(key="alarm", input_type=InputType.DEVICE, device_kinds=("alarm",)),
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
    wrong: list[FieldError] = []
    fields: dict[str, JsonValue] = {}
    name = _form_text(form, "id")
    if not _ID_PATTERN.fullmatch(name):
        wrong.append(FieldError("id", Remark("id")))
    for field in FORM_FIELDS[kind]:
        found = _read_field(field, form, home)
        if isinstance(found, Remark):
            wrong.append(FieldError(field.key, found))
        else:
            fields |= found
    more = _read_extra_keys(_form_text(form, "more"), kind, fields)
    if isinstance(more, Remark):
        wrong.append(FieldError("more", more))
    else:
        fields |= more
    login = (_form_text(form, "user"), str(form.get("secret", ""))) if kind == "camera" else ("", "")
    if bool(login[0]) != bool(login[1]):
        wrong.append(FieldError("user", Remark("login")))
    return tuple(wrong) or ProposalRequest(kind=kind, name=name, fields=fields, login=login if all(login) else None)


def entered_values(kind: str, form: MultiMapping[object]) -> Mapping[str, Sequence[str]]:
    """Return the entered values, to show them again; never the password."""
    keys = ("id", "user", "more", *(field.key for field in FORM_FIELDS[kind]))
    return {key: tuple(map(str, form.getall(key, ()))) for key in keys}


def initial_values(kind: str, known: Mapping[str, str]) -> Mapping[str, Sequence[str]]:
    """Return the values of an empty form, filled with what `discover` found; keys without a field go to "more"."""
    shapes = {"id": InputType.TEXT, **{field.key: field.input_type for field in FORM_FIELDS[kind]}}
    found: dict[str, tuple[str, ...]] = dict.fromkeys(("id", "user", "more", *shapes), ())
    found |= {field.key: ("1",) for field in FORM_FIELDS[kind] if field.is_on_by_default}
    further = []
    for key, value in list(known.items())[:MAX_LINES]:
        match shapes.get(key):
            case InputType.TEXT | InputType.NUMBER | InputType.CHOICE:
                found[key] = (value[:500],)
            case InputType.CHECK:
                found[key] = ("1",) if value == "true" else ()
            case None if _KEY_PATTERN.fullmatch(key) and key not in _FORM_KEYS:
                further.append(f"{key}={value}"[:500])
            case _:
                pass
    return found | ({"more": ("\n".join(further),)} if further else {})


def _form_text(form: MultiMapping[object], key: str) -> str:
    return str(form.get(key, "")).strip()


def _read_field(field: FormField, form: MultiMapping[object], home: Home) -> dict[str, JsonValue] | Remark:
    """Return what a field adds to the section: nothing for a default."""
    key, text, all_of = field.key, _form_text(form, field.key), [str(one) for one in form.getall(field.key, ())]
    if field.is_required and not text:
        return Remark("must" if field.input_type is not InputType.CHECK else f"must.{key}")
    known = {id_ for id_, one in home.devices.items() if one.kind in field.device_kinds}
    match field.input_type:
        case InputType.CHECK:
            said = bool(text)
            return {} if said == field.is_on_by_default and not field.is_required else {key: said}
        case InputType.DEVICES | InputType.CHOICES:
            of = known if field.input_type is InputType.DEVICES else set(field.choices)
            return Remark("choice") if set(all_of) - of else _read_list(key, all_of)
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
            return {key: text} if text in known else Remark("choice")


def _read_list(key: str, values: Sequence[str]) -> dict[str, JsonValue]:
    found: list[JsonValue] = [*dict.fromkeys(values)]
    return {key: found} if found or key == "scanners" else {}


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
    found: dict[str, JsonValue] = {}
    for name in names:
        id_ = _id_from_name(name)
        while f"places.{id_}.name" in found:
            id_ += "-2"
        found[f"places.{id_}.name"] = name
    return found


def _id_from_name(name: str) -> str:
    """Derive an id that home.yaml accepts from a name."""
    plain = "".join(one for one in unicodedata.normalize("NFKD", name.lower()) if not unicodedata.combining(one))
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:56] or "place"


def _read_extra_keys(text: str, kind: str, fields: Mapping[str, JsonValue]) -> dict[str, JsonValue] | Remark:
    """Read the further keys, one key=value a line. None may name a file of the box or repeat another key."""
    if len(text) > MAX_EXTRA_CHARACTERS:  # parsing it would block the event loop
        return Remark("large")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if len(lines) > MAX_LINES:
        return Remark("lines", {"most": str(MAX_LINES)})
    found: dict[str, JsonValue] = {}
    for line in lines:
        key, equals, value = (part.strip() for part in line.partition("="))
        if not equals or not _KEY_PATTERN.fullmatch(key):
            return Remark("line", {"line": line})
        refused = next(_key_errors(key, kind, {**fields, **found}), None)
        if refused is not None:
            return refused
        try:
            found[key] = _JSON_ADAPTER.validate_python(parse_value(key, value))
        except (EditRejected, ValueError):
            return Remark("line", {"line": line})
    return found


def _key_errors(key: str, kind: str, taken: Mapping[str, JsonValue]) -> Iterator[Remark]:
    first = key.partition(".")[0]
    if first in _FILE_KEYS:
        yield Remark("file")
    if first == "timing" and kind == ENTRANCE:
        yield Remark("timing")
    if first == "kind" or any(key == one or key.startswith(f"{one}.") or one.startswith(f"{key}.") for one in taken):
        yield Remark("twice", {"name": key})
