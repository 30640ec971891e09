"""Loads and validates `home.yaml`; each problem is one line."""

import os
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel

from gateway.config.home import Home
from gateway.config.validation import find_problems
from gateway.system.config_reading import config_error, parse_model, read_model
from gateway.system.config_section import ConfigError, absolute_paths, map_paths
from gateway.system.located_yaml import InvalidYaml, parse_yaml
from gateway.system.regular_file import read_text

_SHAPE_HINT = "a house is written as `key: value` lines: `perron schema --markdown` describes every key."


def load_home_file(path: Path) -> Home:
    """Read and validate a house file. Its relative paths begin at its own folder.

    Raises:
        ConfigError: one line a problem: file:line:column, what is wrong, what to do.
    """
    if os.path.lexists(restore_mark(path)) and not path.exists():
        raise ConfigError(f"{path}: a restore of this house was cut short. Say `perron restore` again: it begins anew.")
    todo = "Name another with --home; `perron add` begins one, `perron new` makes a whole one to try things in."
    return _validated(path, *read_model(path, Home, todo=todo, shape=_SHAPE_HINT))


def parse_home(text: str, path: Path) -> Home:
    """Validate a text as `load_home_file` would if the file at `path` contained it."""
    return _validated(path, *parse_model(text, path, Home, _SHAPE_HINT))


def _validated(path: Path, home: Home, data: object) -> Home:
    if problems := list(find_problems(home)):
        raise config_error(path, data, problems)
    home = absolute_paths(home, path.resolve().parent)
    storage = home.storage.model_copy(update={"folder": home.storage.folder.resolve()})
    return home.model_copy(update={"storage": storage})


def restore_mark(path: Path) -> Path:
    """Return the path of the file that marks a restore in progress (`maintenance/atomic_restore.py`)."""
    return path.with_name(f".{path.name}.restoring")


def find_storage_folder(path: Path) -> Path | None:
    """Return the storage folder that a file names, even if the rest is invalid; None if it cannot be read."""
    try:
        data = parse_yaml(read_text(path))
    except (OSError, UnicodeDecodeError, InvalidYaml):
        return None
    section = data.get("storage", {}) if isinstance(data, dict) else None
    folder = section.get("folder", "var") if isinstance(section, dict) else None
    return (path.resolve().parent / folder).resolve() if isinstance(folder, str) else None


def named_paths(section: BaseModel) -> Sequence[Path]:
    """Return every path in a section, the storage folder included."""
    paths: list[Path] = []

    def note(path: Path) -> Path:
        paths.append(path)
        return path

    map_paths(section, note)
    return paths
