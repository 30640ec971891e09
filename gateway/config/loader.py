"""Reads `home.yaml`: a house that is whole, or one line a problem."""

import os
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel

from gateway.config.devices import CameraDevice, Device
from gateway.config.errors import ConfigError
from gateway.config.home import Home
from gateway.config.reading import _model_in, read, told
from gateway.config.validation import problems
from gateway.system.located_yaml import Document, Misread, parse
from gateway.system.regular_file import read_text

_HOUSE = "a house is written as `key: value` lines: `perron schema --markdown` describes every key."


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
    """Name the file that stands beside a house file while `maintenance/atomic_restore.py` writes the house."""
    return path.with_name(f".{path.name}.restoring")


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
