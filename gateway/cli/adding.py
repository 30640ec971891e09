"""`perron add`: writes a device or an entrance into the house file, comments kept, checked before it is written."""

import io
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import YAMLError

from gateway.cli.failure import Failure, plain
from gateway.config import ConfigError
from gateway.homefile import load
from gateway.plainfile import read_text
from gateway.proof.files import write_whole

ENTRANCE = "entrance"
NEW = """\
# One house, one box. `perron schema` prints the JSON schema for editors; `perron doctor` tries everything named here.
box: perron-1
name: Our house
language: en                      # what the household is told: fr or en
timezone: Europe/Paris

broker:                           # `perron broker-config accounts` writes all that mosquitto needs
  password_file: accounts/gateway.password

storage:
  folder: var                     # state, log and films

pages: {port: 8642}

devices: {}
entrances: {}
"""


def add(file: Path, id_: str, kind: str, fields: Mapping[str, str], *, replace: bool = False) -> str:
    """Write a device, or an entrance, into the house file; the text that it has now.

    A file that is not there yet is begun. `fields` maps keys (nested ones with points) to values in YAML.

    Raises:
        Failure: there is one of this name already, or the house would be none with it: nothing was written.
    """
    text = _read(file)
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 4096
    yaml.indent(mapping=2, sequence=4, offset=2)
    try:
        house = yaml.load(text)
    except YAMLError as error:
        raise Failure(f"{file}: this is no YAML: {str(error).splitlines()[0]}.", "Correct the file first.") from error
    if not isinstance(house, CommentedMap):
        raise Failure(f"{file}: there is no house in it.", "Correct the file, or name another with --home.")
    where = "entrances" if kind == ENTRANCE else "devices"
    section = house.get(where)
    if not isinstance(section, CommentedMap) or not section:
        house[where] = section = CommentedMap()
    if id_ in section and not replace:
        raise Failure(f"{file}: there is `{id_}` under {where} already.", "Name another id, or say --replace.")
    section[id_] = _section(kind, fields)
    written = io.StringIO()
    yaml.dump(house, written)
    _checked(file, written.getvalue())
    _write(file, written.getvalue())
    return written.getvalue()


def fields_of(pairs: Sequence[str]) -> dict[str, str]:
    """Read `key=value` words.

    Raises:
        Failure: one is none.
    """
    found: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise Failure(
                f"{pair!r} is no key=value.", "Write it like --set latency=8 or --set cameras.outside=doorbell."
            )
        found[key] = value
    return found


def _read(file: Path) -> str:
    try:
        return read_text(file)
    except FileNotFoundError:
        return NEW
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(f"{file} cannot be read ({plain(error)}).", "Name another with --home.") from error


def _section(kind: str, fields: Mapping[str, str]) -> CommentedMap:
    section = CommentedMap()
    if kind != ENTRANCE:
        section["kind"] = kind
    for key, value in fields.items():
        *outer, last = key.split(".")
        at = section
        for part in outer:
            at = at.setdefault(part, CommentedMap())
            if not isinstance(at, CommentedMap):
                raise Failure(f"`{key}` stands inside a value.", "Say either the whole value or its parts.")
        at[last] = _value(key, value)
    return section


def _value(key: str, value: str) -> Any:  # noqa: ANN401 - what YAML has
    try:
        return YAML(typ="safe", pure=True).load(value)
    except YAMLError as error:
        raise Failure(
            f"`{key}={value}`: this is no YAML.", "Put the value into quotes: 'name=\"In: the hall\"'."
        ) from error


def _checked(file: Path, text: str) -> None:
    """Read the house as it would be; what is wrong is told at its place in the file as it would be.

    Raises:
        Failure: it would be none.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{file.name}.", suffix=".new", dir=file.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as out:
            out.write(text)
        load(Path(name))
    except ConfigError as error:
        told = "\n".join(line.partition(": ")[2] for line in str(error).splitlines())
        raise Failure(
            f"{file} would be no house any more:\n{told}", "Nothing was written. Say it otherwise."
        ) from error
    finally:
        Path(name).unlink(missing_ok=True)


def _write(file: Path, text: str) -> None:
    mode = file.stat().st_mode & 0o777 if file.exists() else 0o600
    try:
        write_whole(file, text.encode(), mode=mode)
    except OSError as error:
        raise Failure(f"{file} cannot be written ({plain(error)}).", "Nothing was written.") from error
