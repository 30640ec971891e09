"""The form by which a device or an entrance is proposed: which fields a kind has, and what was written into them."""

import math
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum, auto
from typing import get_args

from multidict import MultiMapping
from pydantic import BaseModel, JsonValue, TypeAdapter

from gateway.config import devices
from gateway.config.editor import NotAdded, value_of
from gateway.config.editor_keys import ENTRANCE
from gateway.config.home import Home
from gateway.config.stream_url import stream_url
from gateway.installation.proposal import Asked, Remark

LINES = 24  # further keys, and places
LONGEST = 4000  # characters of all further keys; the page's own field takes half
_ID = re.compile(r"[a-z0-9-]{1,64}")
_KEY = re.compile(r"[a-z_]{1,32}(\.[A-Za-z0-9_-]{1,64}){0,4}")
_FILES = frozenset({"credentials_file", "ca"})  # keys whose value is a file of the box
_NO_KEYS = frozenset({"kind", "more", "user", "secret"})  # the form's own
_JSON: TypeAdapter[JsonValue] = TypeAdapter(JsonValue)


class Shape(StrEnum):
    """How a field is filled in."""

    TEXT = auto()
    NUMBER = auto()  # of seconds
    CHECK = auto()
    CHOICE = auto()  # one of some words
    DEVICE = auto()  # one of the house's devices
    DEVICES = auto()
    WORDS = auto()  # some of some words
    PLACES = auto()  # a name a line


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field: `key` is that of the house file. `on`: a check is set unless somebody takes it away.

    `must`: it has to be filled in, or set.
    """

    key: str
    shape: Shape = Shape.TEXT
    must: bool = False
    on: bool = False
    words: tuple[str, ...] = ()  # to choose from
    kinds: tuple[str, ...] = ()  # of the devices to choose from


_MODELS: Mapping[str, type[BaseModel]] = {
    "lock": devices.LockDevice, "cover": devices.CoverDevice, "door": devices.DoorDevice,
    "camera": devices.CameraDevice, "scanner": devices.ScannerDevice, "signal": devices.SignalDevice,
    "fridge": devices.FridgeDevice, "presence": devices.PresenceDevice, "alarm": devices.AlarmDevice,
}  # fmt: skip


def _words(kind: str, key: str) -> tuple[str, ...]:
    """The words that the house file knows there."""
    return tuple(get_args(_MODELS[kind].model_fields[key].annotation))


def _device(kind: str, *more: Field) -> tuple[Field, ...]:
    vendor = Field(key="vendor", shape=Shape.CHOICE, words=_words(kind, "vendor"), must=True)
    return (vendor, Field(key="address"), *more)


_LATENCY = Field(key="latency", shape=Shape.NUMBER)
_HEARTBEAT = Field(key="heartbeat", shape=Shape.NUMBER)

FORMS: Mapping[str, tuple[Field, ...]] = {
    "lock": _device(
        "lock", _LATENCY, Field(key="auto_lock", shape=Shape.CHOICE, words=("yes", "no")),
        Field(key="guarded", shape=Shape.CHECK), Field(key="unlatch", shape=Shape.CHECK),
        Field(key="lift_handle", shape=Shape.CHECK), Field(key="guard.key"),
    ),
    "cover": _device(
        "cover", Field(key="reverses", shape=Shape.CHECK, must=True), Field(key="beam", shape=Shape.CHECK, on=True),
        _LATENCY, Field(key="warning", shape=Shape.NUMBER), Field(key="closing", shape=Shape.NUMBER),
    ),
    "door": _device("door", Field(key="answers", shape=Shape.CHECK, on=True), _HEARTBEAT),
    "camera": _device("camera", Field(key="url", must=True), Field(key="fingerprint")),
    "scanner": _device("scanner", Field(key="keys.code")),
    "signal": _device("signal", Field(key="topics.event")),
    "fridge": _device(
        "fridge", Field(key="compartment"), Field(key="unit", shape=Shape.CHOICE, words=("C", "F")), _HEARTBEAT
    ),
    "presence": _device("presence"),
    "alarm": _device("alarm", Field(key="bypassed_in", shape=Shape.WORDS, words=get_args(devices.Armed))),
    ENTRANCE: (
        Field(key="name", must=True),
        Field(key="lock", shape=Shape.DEVICE, kinds=("lock", "cover"), must=True),
        Field(key="door", shape=Shape.DEVICE, kinds=("door",), must=True),
        Field(key="signal", shape=Shape.DEVICE, kinds=("signal",), must=True),
        Field(key="cameras.outside", shape=Shape.DEVICE, kinds=("camera",), must=True),
        Field(key="cameras.inside", shape=Shape.DEVICES, kinds=("camera",)),
        Field(key="scanners", shape=Shape.DEVICES, kinds=("scanner",)),
        Field(key="cameras.read_labels", shape=Shape.DEVICES, kinds=("camera",)),
        Field(key="places", shape=Shape.PLACES, must=True),
        Field(key="way_out_by_hand", shape=Shape.CHECK, must=True),
        Field(key="living_space", shape=Shape.CHECK, on=True),
        Field(key="courier_proof", shape=Shape.CHECK, on=True),
        Field(key="presence", shape=Shape.DEVICES, kinds=("presence",)),
        Field(key="alarm", shape=Shape.DEVICE, kinds=("alarm",)),
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Wrong:
    """What is wrong with one field."""

    key: str
    remark: Remark


def written(kind: str, form: MultiMapping[object], home: Home) -> Asked | tuple[Wrong, ...]:
    """Read what was written into the form of a kind; or all that cannot be meant. `home` has what may be named.

    Raises:
        KeyError: there is no such kind.
    """
    wrong: list[Wrong] = []
    fields: dict[str, JsonValue] = {}
    name = _text(form, "id")
    if not _ID.fullmatch(name):
        wrong.append(Wrong("id", Remark("id")))
    for field in FORMS[kind]:
        found = _read(field, form, home)
        if isinstance(found, Remark):
            wrong.append(Wrong(field.key, found))
        else:
            fields |= found
    more = _further(_text(form, "more"), kind, fields)
    if isinstance(more, Remark):
        wrong.append(Wrong("more", more))
    else:
        fields |= more
    login = (_text(form, "user"), str(form.get("secret", ""))) if kind == "camera" else ("", "")
    if bool(login[0]) != bool(login[1]):
        wrong.append(Wrong("user", Remark("login")))
    return tuple(wrong) or Asked(kind=kind, name=name, fields=fields, login=login if all(login) else None)


def typed(kind: str, form: MultiMapping[object]) -> Mapping[str, Sequence[str]]:
    """Keep what was written, to show it again: not the password."""
    keys = ("id", "user", "more", *(field.key for field in FORMS[kind]))
    return {key: tuple(map(str, form.getall(key, ()))) for key in keys}


def blank(kind: str, said: Mapping[str, str]) -> Mapping[str, Sequence[str]]:
    """Begin a form with what is known of the thing (from `discover`); keys without a field stand among the further."""
    shapes = {"id": Shape.TEXT, **{field.key: field.shape for field in FORMS[kind]}}
    found: dict[str, tuple[str, ...]] = dict.fromkeys(("id", "user", "more", *shapes), ())
    found |= {field.key: ("1",) for field in FORMS[kind] if field.on}
    further = []
    for key, value in list(said.items())[:LINES]:
        match shapes.get(key):
            case Shape.TEXT | Shape.NUMBER | Shape.CHOICE:
                found[key] = (value[:500],)
            case Shape.CHECK:
                found[key] = ("1",) if value == "true" else ()
            case None if _KEY.fullmatch(key) and key not in _NO_KEYS:
                further.append(f"{key}={value}"[:500])
            case _:
                pass
    return found | ({"more": ("\n".join(further),)} if further else {})


def _text(form: MultiMapping[object], key: str) -> str:
    return str(form.get(key, "")).strip()


def _read(field: Field, form: MultiMapping[object], home: Home) -> dict[str, JsonValue] | Remark:
    """What a field adds to the section: nothing where it says what is so anyway."""
    key, text, all_of = field.key, _text(form, field.key), [str(one) for one in form.getall(field.key, ())]
    if field.must and not text:
        return Remark("must" if field.shape is not Shape.CHECK else f"must.{key}")
    known = {id_ for id_, one in home.devices.items() if one.kind in field.kinds}
    match field.shape:
        case Shape.CHECK:
            said = bool(text)
            return {} if said == field.on and not field.must else {key: said}
        case Shape.DEVICES | Shape.WORDS:
            of = known if field.shape is Shape.DEVICES else set(field.words)
            return Remark("choice") if set(all_of) - of else _list(key, all_of)
        case Shape.PLACES:
            return _places(text)
        case Shape.TEXT | Shape.NUMBER | Shape.CHOICE | Shape.DEVICE if not text:
            return {}
        case Shape.TEXT:
            return _url(text) if key == "url" else {key: text}
        case Shape.NUMBER:
            return _seconds(key, text)
        case Shape.CHOICE:
            value: JsonValue = text == "yes" if field.words == ("yes", "no") else text
            return {key: value} if text in field.words else Remark("choice")
        case Shape.DEVICE:
            return {key: text} if text in known else Remark("choice")


def _list(key: str, said: Sequence[str]) -> dict[str, JsonValue]:
    found: list[JsonValue] = [*dict.fromkeys(said)]
    return {key: found} if found or key == "scanners" else {}


def _seconds(key: str, text: str) -> dict[str, JsonValue] | Remark:
    try:
        value = float(text.replace(",", "."))
    except ValueError:
        return Remark("number")
    if not math.isfinite(value) or not 0 < value <= 3600:
        return Remark("number")
    return {key: int(value) if value.is_integer() else value}


def _url(text: str) -> dict[str, JsonValue] | Remark:
    try:
        return {"url": stream_url(text)}
    except ValueError:
        return Remark("url")  # what stands in it may be a password: nothing of it is said again


def _places(text: str) -> dict[str, JsonValue] | Remark:
    names = [name for line in text.splitlines() if (name := line.strip())]
    if len(names) > LINES:
        return Remark("lines", {"most": str(LINES)})
    found: dict[str, JsonValue] = {}
    for name in names:
        id_ = _id(name)
        while f"places.{id_}.name" in found:
            id_ += "-2"
        found[f"places.{id_}.name"] = name
    return found


def _id(name: str) -> str:
    """Make an id of a name, as the house file wants it."""
    plain = "".join(one for one in unicodedata.normalize("NFKD", name.lower()) if not unicodedata.combining(one))
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:56] or "place"


def _further(text: str, kind: str, fields: Mapping[str, JsonValue]) -> dict[str, JsonValue] | Remark:
    """Read the further keys, one key=value a line; none of them a file of the box, none said twice."""
    if len(text) > LONGEST:  # read it would hold the loop
        return Remark("large")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if len(lines) > LINES:
        return Remark("lines", {"most": str(LINES)})
    found: dict[str, JsonValue] = {}
    for line in lines:
        key, equals, value = (part.strip() for part in line.partition("="))
        if not equals or not _KEY.fullmatch(key):
            return Remark("line", {"line": line})
        refused = next(_refused(key, kind, {**fields, **found}), None)
        if refused is not None:
            return refused
        try:
            found[key] = _JSON.validate_python(value_of(key, value))
        except (NotAdded, ValueError):
            return Remark("line", {"line": line})
    return found


def _refused(key: str, kind: str, taken: Mapping[str, JsonValue]) -> Iterator[Remark]:
    first = key.partition(".")[0]
    if first in _FILES:
        yield Remark("file")
    if first == "timing" and kind == ENTRANCE:
        yield Remark("timing")
    if first == "kind" or any(key == one or key.startswith(f"{one}.") or one.startswith(f"{key}.") for one in taken):
        yield Remark("twice", {"name": key})
