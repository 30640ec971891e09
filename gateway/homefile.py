"""Reads `home.yaml`: a house that is whole, or one line a problem."""

import difflib
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from gateway.config import ConfigError, Home, unreadable
from gateway.enrolment import problems
from gateway.equipment import CameraDevice, Device
from gateway.grammar import MEANINGS
from gateway.plainfile import read_text
from gateway.streamurl import without_account
from gateway.yamlfile import Document, Loc, Misread, Spot, parse

M = TypeVar("M", bound=BaseModel)

_HOUSE = "a house is written as `key: value` lines: see `perron schema`."
TOLD = 10  # problems of one file that are told at once


def load(path: Path) -> Home:
    """Read, check and return a house. Relative paths in it are taken from the file's own folder.

    Raises:
        ConfigError: one line a problem: file:line:column, what is wrong, what to do.
    """
    if os.path.lexists(mark_of(path)) and not path.exists():
        raise ConfigError(f"{path}: a restore of this house was cut short. Say `perron restore` again: it begins anew.")
    todo = "Name another with --home; `perron add` begins one, `perron new` makes a whole one to try things in."
    return _whole(path, *read(path, Home, todo=todo, shape=_HOUSE))


def house_in(text: str, path: Path) -> Home:
    """Check a text as the house that `load` would find if it stood in this file.

    Raises:
        ConfigError: as `load`.
    """
    return _whole(path, *_model_in(text, path, Home, _HOUSE))


def _whole(path: Path, home: Home, document: Document) -> Home:
    wrong = [(problem.loc, problem.text) for problem in problems(home)]
    if wrong:
        raise ConfigError(told(path, document, iter(wrong)))
    return _anchored(home, path.resolve().parent)


def mark_of(path: Path) -> Path:
    """Name the file that stands beside a house file while a restore writes the house (`gateway/housing.py`)."""
    return path.with_name(f".{path.name}.restoring")


def read(path: Path, model: type[M], *, todo: str, shape: str) -> tuple[M, Document]:
    """Read a file of ours as `model`; `todo` and `shape` say what to do where it cannot be read or is no section.

    Raises:
        ConfigError: one line a problem: file:line:column, what is wrong, what to do.
    """
    try:
        text = read_text(path)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: this file cannot be read ({unreadable(error)}). {todo}") from error
    return _model_in(text, path, model, shape)


def _model_in(text: str, path: Path, model: type[M], shape: str) -> tuple[M, Document]:
    try:
        document = parse(text)
    except Misread as misread:
        raise ConfigError(_line(path, misread.spot, f"{misread}.")) from misread
    if not isinstance(document.data, dict):
        raise ConfigError(_line(path, Spot(1, 1), shape))
    try:
        # Through JSON, because there strictness takes a list for a tuple and a text for a path, and nothing else.
        return model.model_validate_json(json.dumps(document.data), strict=True), document
    except ValidationError as invalid:
        errors = invalid.errors(include_url=False)
        whole = model.model_json_schema()
        raise ConfigError(told(path, document, ((e["loc"], _why(e, whole)) for e in errors))) from invalid


def storage_of(path: Path) -> Path | None:
    """Find the storage folder that a file names, be the rest of it wrong; None where even that cannot be read."""
    try:
        data = parse(read_text(path)).data
    except (OSError, UnicodeDecodeError, Misread):
        return None
    section = data.get("storage", {}) if isinstance(data, dict) else None
    folder = section.get("folder", "var") if isinstance(section, dict) else None
    return (path.resolve().parent / folder).resolve() if isinstance(folder, str) else None


def paths(section: BaseModel) -> Iterator[Path]:
    """Yield every path that a section names, its storage folder too."""
    for value in (getattr(section, name) for name in type(section).model_fields):
        yield from _paths_in(value)


def _paths_in(value: object) -> Iterator[Path]:
    match value:
        case Path():
            yield value
        case BaseModel():
            yield from paths(value)
        case dict():
            for inner in value.values():
                yield from _paths_in(inner)
        case tuple():
            for inner in value:
                yield from _paths_in(inner)
        case _:
            pass


def schema() -> dict[str, Any]:
    """Return the JSON schema of `home.yaml`, for editors."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Home.model_json_schema()}


def _anchored(home: Home, folder: Path) -> Home:
    broker = home.broker.beside(folder)
    storage = home.storage.model_copy(update={"folder": (folder / home.storage.folder).resolve()})
    messages = home.messages
    if messages is not None:
        messages = messages.model_copy(update={"file": folder / messages.file})
    devices = {id_: _beside(folder, device) for id_, device in home.devices.items()}
    new = {"broker": broker, "storage": storage, "messages": messages, "devices": devices}
    return home.model_copy(update={**new, "hub": home.hub and home.hub.beside(folder)})


def _beside(folder: Path, device: Device) -> Device:
    """A camera's own files, taken from the house file's folder."""
    if not isinstance(device, CameraDevice):
        return device
    files = {"credentials_file": device.credentials_file, "ca": device.ca}
    return device.model_copy(update={name: folder / file for name, file in files.items() if file is not None})


def _line(path: Path, spot: Spot, text: str) -> str:
    return f"{path}:{spot.line}:{spot.column}: {text}"


def told(path: Path, document: Document, wrong: Iterator[tuple[Loc, str]]) -> str:
    """Write one line a problem: where in the file, and what."""
    lines = sorted({(document.spot(loc).line, _line(path, document.spot(loc), text)) for loc, text in wrong})
    more = [f"... and {len(lines) - TOLD} more"] if len(lines) > TOLD else []
    return "\n".join([*(line for _, line in lines[:TOLD]), *more])


def _why(error: ErrorDetails, whole: dict[str, Any]) -> str:
    """Say in plain words what pydantic found, what stood there, and what to write instead."""
    names = [_inert(part) for part in error["loc"] if part != "[key]"]
    key = f"`{names[-1]}`" if names else "this"
    context = error.get("ctx", {})
    match error["type"]:
        case "missing":
            return f"{key} is missing here."
        case "extra_forbidden":
            known = sorted(_known(error["loc"], whole))
            close = difflib.get_close_matches(str(error["loc"][-1]), known, n=1)
            return f"{key} is not known here. " + (
                f"Did you mean `{close[0]}`?" if close else f"Known: {', '.join(known)}."
            )
        case "union_tag_not_found":
            kinds = "cover, door, camera, scanner, signal, fridge, presence or alarm"
            return f"say what this device is: `kind: lock`, {kinds}."
        case "union_tag_invalid":
            return f"`kind: {_inert(context['tag'])}` is none of {context['expected_tags']}."
        case "string_pattern_mismatch":
            return f"{key} is {_inert(repr(error['input']))}, but {MEANINGS.get(context['pattern'], error['msg'])}."
        case "value_error":
            return f"{str(context['error']).rstrip('.')}."
        case "bool_type":
            return f"{key} is {_inert(repr(error['input']))}: write true or false."
        case "tuple_type" | "list_type":
            return f"{key} is {_inert(repr(error['input']))}: write a list, [{_inert(error['input'])}]."
        case "literal_error":
            close = difflib.get_close_matches(str(error["input"]), re.findall(r"'([^']+)'", context["expected"]), n=1)
            meant = f" Did you mean `{close[0]}`?" if close else ""
            return f"{key} is {_inert(repr(error['input']))}: it can be {context['expected']}.{meant}"
        case _:
            return f"{key} is {_inert(repr(error['input']))}: {error['msg'][:1].lower()}{error['msg'][1:]}."


def _inert(value: object) -> str:
    """Shorten what stood in the file, without an account, and take the sting out of control characters."""
    plain = without_account(str(value))
    text = re.sub(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]", "?", plain)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _known(loc: tuple[str | int, ...], whole: dict[str, Any]) -> set[str]:
    """Find the keys that may stand beside the last part of `loc`, by walking the schema."""
    here: dict[str, Any] = whole
    for part in loc[:-1]:
        if "discriminator" in here and part in here["discriminator"]["mapping"]:
            here = {"$ref": here["discriminator"]["mapping"][part]}
        elif isinstance(part, int):
            here = here.get("items", {})
        elif part in here.get("properties", {}):
            here = here["properties"][part]
        else:
            patterns = here.get("patternProperties", {})
            here = here.get("additionalProperties") or next(iter(patterns.values()), {})
        here = next((option for option in here.get("anyOf", []) if option.get("type") != "null"), here)
        if "$ref" in here:
            here = whole["$defs"][here["$ref"].rpartition("/")[2]]
    return set(here.get("properties", {}))
