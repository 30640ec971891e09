"""The form of a proposed device or entrance: the fields of each kind, and how they are read."""

import math
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from multidict import MultiMapping
from pydantic import JsonValue, TypeAdapter

from devices.vendors import VENDORS
from gateway.config.devices import DEVICE_SECTIONS, DeviceSection
from gateway.config.devices.form import FormField, checkbox
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


_ADDRESS_FIELD = FormField(
    "address", _("Address: the maker's, or its topic (zigbee2mqtt/name); empty if it speaks Perron's own words")
)


def _device(key: str, label: Text, *kinds: str) -> FormField:
    return FormField(key, label, "device", device_kinds=kinds, is_required=True)


def _devices(key: str, label: Text, *kinds: str) -> FormField:
    return FormField(key, label, "devices", device_kinds=kinds)


def _fields_of(section: type[DeviceSection[Any]]) -> tuple[FormField, ...]:
    vendor = FormField("vendor", _("Brand or protocol"), "choice", choices=section.vendors(), is_required=True)
    return vendor, _ADDRESS_FIELD, *section.form


FORM_FIELDS: Mapping[str, tuple[FormField, ...]] = {
    **{kind: _fields_of(section) for kind, section in DEVICE_SECTIONS.items()},
    ENTRANCE: (
        FormField("name", _("Name"), is_required=True),
        _device("lock", _("Lock"), "lock", "cover"),
        _device("door", _("Door sensor, not the lock's own"), "door"),
        _device("signal", _("Door light and buzzer"), "signal"),
        FormField("speaker", _("Speaker at the door"), "device", device_kinds=("speaker",)),
        _device("cameras.outside", _("Camera outside"), "camera"),
        _devices("cameras.inside", _("Cameras inside"), "camera"),
        _devices("scanners", _("Scanners"), "scanner"),
        _devices("cameras.read_labels", _("Cameras that read the label"), "camera"),
        FormField("places", _("Where a parcel is left, a name a line"), "places", is_required=True),
        checkbox("way_out_by_hand", _("From inside the door opens by hand, without key or power"), required=True),
        checkbox("living_space", _("Leads to the living space"), on=True),
        checkbox("courier_proof", _("Asks for the courier's code"), on=True),
        _devices("presence", _("Nobody may be home"), "presence"),
        FormField("alarm", _("Alarm"), "device", device_kinds=("alarm",)),
    ),
}


VENDOR_KEYS = frozenset({"address", "fingerprint", "guard.key", "keys.code", "topics.event"})
"""The keys that only some vendors' devices have: their definitions describe them."""


def vendor_fields(kind: str, vendor: str) -> Sequence[FormField]:
    """Return the fields of a kind as the vendor's definition describes them; all of them for an unknown vendor."""
    module = VENDORS.get(vendor)
    if module is None or kind not in module.DEFINITION.kinds:
        return FORM_FIELDS.get(kind, ())
    described = module.DEFINITION.fields
    fields = list[FormField]()
    for field in FORM_FIELDS[kind]:
        words = described.get(field.key)
        if words is not None:
            text = Text(words.help) if words.help else field.help
            fields.append(replace(field, label=Text(words.title), help=text, example=words.example))
        elif field.key not in VENDOR_KEYS:
            fields.append(field)
    return fields


def read_form(kind: str, form: MultiMapping[object], home: Home) -> ProposalRequest | Mapping[str, Remark]:
    """Read the form of a kind of device; return the request, or the errors of all fields by their keys.

    `home` has the devices that may be chosen. KeyError: the kind is unknown.
    """
    name = _form_text(form, "id")
    errors = {} if _ID_PATTERN.fullmatch(name) else {"id": Remark("id")}
    fields: dict[str, JsonValue] = {}

    def add(key: str, outcome: dict[str, JsonValue] | Remark) -> None:
        if isinstance(outcome, Remark):
            errors[key] = outcome
        else:
            fields.update(outcome)

    for field in FORM_FIELDS[kind]:
        add(field.key, _read_field(field, form, home))
    add("more", _read_extra_keys(_form_text(form, "more"), kind, fields))
    login = (_form_text(form, "user"), str(form.get("secret", ""))) if kind == "camera" else ("", "")
    if bool(login[0]) != bool(login[1]):
        errors["user"] = Remark("login")
    return errors or ProposalRequest(kind=kind, name=name, fields=fields, login=login if all(login) else None)


def entered_values(kind: str, form: MultiMapping[object]) -> Mapping[str, Sequence[str]]:
    """Return the entered values, to show them again; never the password."""
    keys = ("id", "user", "more", *(field.key for field in FORM_FIELDS[kind]))
    return {key: tuple(map(str, form.getall(key, ()))) for key in keys}


def initial_values(kind: str, known: Mapping[str, str]) -> Mapping[str, Sequence[str]]:
    """Return the values of an empty form, filled with what `discover` found; keys without a field go to "more"."""
    types = {"id": "text", **{field.key: field.input_type for field in FORM_FIELDS[kind]}}
    values: dict[str, tuple[str, ...]] = dict.fromkeys(("id", "user", "more", *types), ())
    values |= {field.key: ("1",) for field in FORM_FIELDS[kind] if field.is_on_by_default}
    extra_lines = []
    for key, value in list(known.items())[:MAX_LINES]:
        match types.get(key):
            case "text" | "number" | "choice":
                values[key] = (value[:500],)
            case "check":
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
        return Remark("must" if field.input_type != "check" else f"must.{key}")
    devices_of_kind = {id_ for id_, device in home.devices.items() if device.kind in field.device_kinds}
    choices = devices_of_kind if field.device_kinds else set(field.choices)
    match field.input_type:
        case "check":
            ticked = bool(text)
            return {} if ticked == field.is_on_by_default and not field.is_required else {key: ticked}
        case "devices" | "choices":
            if not choices.issuperset(values):
                return Remark("choice")
            return {key: [*dict.fromkeys(values)]} if values or key == "scanners" else {}
        case "places":
            return _read_places(text)
        case "text" | "number" | "choice" | "device" if not text:
            return {}
        case "text":
            return _read_url(text) if key == "url" else {key: text}
        case "number":
            return _read_seconds(key, text)
        case "choice" | "device" if text not in choices:
            return Remark("choice")
        case "choice" | "device":
            return {key: text == "yes" if field.choices == ("yes", "no") else text}


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
        if not equals:
            return Remark("line", {"line": line})
        if not _KEY_PATTERN.fullmatch(key):
            return Remark("key", {"key": key})
        error = next(_key_errors(key, kind, {**fields, **extra}), None)
        if error is not None:
            return error
        try:
            extra[key] = _JSON_ADAPTER.validate_python(parse_value(key, value))
        except (EditRejected, ValueError):
            return Remark("value", {"key": key})
    return extra


def _key_errors(key: str, kind: str, taken: Mapping[str, JsonValue]) -> Iterator[Remark]:
    first = key.partition(".")[0]
    if first in _FILE_KEYS:
        yield Remark("file")
    if first == "timing" and kind == ENTRANCE:
        yield Remark("timing")
    if first == "kind" or any(f"{key}.".startswith(f"{other}.") or other.startswith(f"{key}.") for other in taken):
        yield Remark("twice", {"name": key})
