"""Changes a house file, keeps its comments, and writes only a valid file.

The terminal (`perron add`) and the pages both write by this. The functions raise `EditRejected` if a text is no house
file, lacks what is changed, or would be invalid.
"""

import asyncio
import errno
import io
from collections.abc import Callable, Mapping
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import YAMLError

from gateway.config.home import Home
from gateway.config.loader import parse_home
from gateway.system.atomic_file import write_whole
from gateway.system.config_section import ConfigError, describe_read_error
from gateway.system.located_yaml import MAX_YAML_BYTES, InvalidYaml, parse_yaml
from gateway.system.regular_file import read_text
from gateway.system.text import error_line

ENTRANCE = "entrance"  # the kind of what stands under `entrances`, beside the kinds of devices
RECEPTION = "reception"  # of what stands under `receptions`
SCHEMA_LINE = "# yaml-language-server: $schema=home.schema.json\n"
"""The first line of a new house file: from it an editor finds the schema, which explains each key offline."""

NEW_HOME_TEXT = (
    SCHEMA_LINE
    + """\
# One house, one box. `perron schema --markdown` tells what each key means; `perron doctor` tries everything named here.
box: perron-1
name: Our house
language: en                      # of pages and messages: fr or en (de: the page of the courier only)
timezone: Europe/Paris

broker:                           # `perron broker-config accounts` writes all that mosquitto needs
  password_file: accounts/gateway.password

storage:
  folder: var                     # state, log and films

pages: {port: 8642}

devices: {}
entrances: {}
"""
)


class EditRejected(Exception):  # noqa: N818 - the name is the result
    """Nothing was written. `todo` says what to do, `is_id_taken` that the file has an item of this id already."""

    def __init__(self, what: str, todo: str, *, is_id_taken: bool = False) -> None:
        super().__init__(what)
        self.todo, self.is_id_taken = todo, is_id_taken


def read_home_text(file: Path) -> str:
    """Read the house file; FileNotFoundError if it is not there."""
    try:
        if file.stat().st_size > MAX_YAML_BYTES:
            raise EditRejected(f"{file} is larger than {MAX_YAML_BYTES // 1024} KiB.", "Correct the file first.")
        return read_text(file)
    except FileNotFoundError:
        raise
    except (OSError, UnicodeDecodeError) as error:
        raise EditRejected(
            f"{file} cannot be read ({describe_read_error(error)}).", "Name another with --home."
        ) from error


def with_item(text: str, file: Path, id_: str, section: Mapping[str, object], *, replace: bool = False) -> str:
    """Return the text of the house file with one more device, entrance or reception, which `build_section` makes."""
    house = _load_home(text, file)
    where = "devices" if "kind" in section else "receptions" if "receivers" in section else "entrances"
    items = house.get(where)
    if not isinstance(items, CommentedMap) or not items:
        house[where] = items = CommentedMap()
    if id_ in items and not replace:
        what = f"{file}: there is `{id_}` under {where} already."
        raise EditRejected(what, "Name another id, or say --replace.", is_id_taken=True)
    items[id_] = section
    return _dump(house)


def with_top_section(text: str, file: Path, name: str, section: Mapping[str, object] | None) -> str:
    """Return the text of a house file with this section at its top level; None: without the one that it has."""
    house = _load_home(text, file)
    if section is None:
        del house[name]
    else:
        house[name] = _commented_map(section)
    return _dump(house)


def _commented_map(section: Mapping[str, object]) -> CommentedMap:
    return CommentedMap(
        {key: _commented_map(value) if isinstance(value, Mapping) else value for key, value in section.items()}
    )


def with_device_key(text: str, file: Path, device: str, key: str, value: object) -> str:
    """Return the text of a house file with this key in the section of a device."""
    house = _load_home(text, file)
    section = (house.get("devices") or {}).get(device)
    if not isinstance(section, CommentedMap):
        raise EditRejected(f"{file}: there is no `{device}` under devices.", "Nothing was written.")
    if isinstance(value, list):
        value = CommentedSeq(value)
        value.fa.set_flow_style()
    section[key] = value
    return _dump(house)


def with_fence(text: str, file: Path, entrance: str, closure: str, fence: Mapping[str, object]) -> str:
    """Return the text of a house file with this fence in a closure of an entrance."""
    house = _load_home(text, file)
    closures = ((house.get("entrances") or {}).get(entrance) or {}).get("closures") or []
    found = next((one for one in closures if isinstance(one, CommentedMap) and one.get("id") == closure), None)
    if found is None:
        raise EditRejected(f"{file}: `{entrance}` has no closure `{closure}`.", "Nothing was written.")
    found["fence"] = _commented_map(fence)
    return _dump(house)


def without_item(text: str, where: str, id_: str) -> str:
    """Return the text of a house file without one device or entrance; `where` is `devices` or `entrances`.

    All other lines stay as they are. A comment above the item stays too: nobody knows what it belongs to.
    """
    try:
        house = _yaml().load(text)
        line, column = house[where].lc.key(id_)
        del house[where][id_]
    except (AttributeError, KeyError, TypeError, YAMLError) as error:
        raise EditRejected(f"there is no `{id_}` under {where}.", "Nothing was written.") from error
    if house[where]:
        cut = _without_block(text, line, column)
        if _is_same_house(cut, house):  # an item in braces is no block of lines
            return cut
    else:  # a comment behind the key would separate it from its {}
        house[where] = CommentedMap()
        house.ca.items.pop(where, None)
    return _dump(house)


def _without_block(text: str, line: int, column: int) -> str:
    """Return the text without the line of a key and the deeper lines below it."""
    lines = text.split("\n")
    end = line + 1
    for number in range(line + 1, len(lines)):
        content = lines[number].lstrip(" ")
        if not content.strip():
            continue
        if len(lines[number]) - len(content) <= column:
            break
        end = number + 1
    return "\n".join(lines[:line] + lines[end:])


def _is_same_house(text: str, house: CommentedMap) -> bool:
    try:
        return bool(_yaml().load(text) == house)
    except YAMLError:
        return False


def build_section(kind: str, fields: Mapping[str, object]) -> CommentedMap:
    """Build the section of a device or entrance: `fields` maps keys (nested ones with points) to values."""
    section = CommentedMap()
    if kind not in {ENTRANCE, RECEPTION}:
        section["kind"] = kind
    for key, value in fields.items():
        *outer, last = key.split(".")
        at = section
        for part in outer:
            at = at.setdefault(part, CommentedMap())
            if not isinstance(at, CommentedMap):
                raise EditRejected(f"`{key}` stands inside a value.", "Say either the whole value or its parts.")
        at[last] = value
    return section


def render_section(id_: str, section: Mapping[str, object]) -> str:
    """Return one section as YAML text, as the file will contain it."""
    return _dump(CommentedMap({id_: section}))


def parse_value(key: str, text: str) -> object:
    """Parse a value as YAML."""
    try:
        return parse_yaml(text)
    except InvalidYaml as error:
        raise EditRejected(
            f"`{key}={text}`: this is not valid YAML.", "Put the value into quotes: 'name=\"In: the hall\"'."
        ) from error


def check_home(text: str, file: Path) -> Home:
    """Validate a new text of the house file; errors name the key, because no file has these lines."""
    try:
        return parse_home(text, file)
    except ConfigError as error:
        problems = "\n".join(f"{key}: {what}" if key else what for key, what in error.problems) or str(error)
        what = f"{file} would no longer be a valid house file:\n{problems}"
        raise EditRejected(what, "Nothing was written. Correct that, then try again.") from error


def write_home(file: Path, text: str) -> None:
    """Write the house file atomically and keep its permissions; after an OSError the old file remains."""
    file = file.resolve()  # writes the target of a link, so that the link remains
    file.parent.mkdir(parents=True, exist_ok=True)
    mode = file.stat().st_mode & 0o777 if file.exists() else 0o600
    write_whole(file, text.encode(), mode=mode)


TextChange = Callable[[str, Path], str]
"""Changes the text of the house file; raises `EditRejected` if the result would be invalid."""


class HomeFileWriter:
    """Writes the file of the running gateway. `file` is None if it runs without one; `reload` requests a reload.

    Each writer of the file holds `lock`, so that no change overwrites another one. The methods raise `EditRejected` if
    there is no file or the result would be invalid, and OSError if it cannot be written or has changed; the old text
    then remains.
    """

    def __init__(
        self, file: Path | None, *, reload: Callable[[], None], crash_point: Callable[[str], None] = lambda _point: None
    ) -> None:
        self.file, self.reload, self.crash_point = file, reload, crash_point
        self.lock = asyncio.Lock()

    async def write(self, change: TextChange) -> bool:
        """Apply `change` to the file and request a reload; return whether the text changed."""
        async with self.lock:
            if not await asyncio.to_thread(self._write_change, change):
                return False
            self.crash_point("rewritten")
            self.reload()
        return True

    def require_file(self) -> Path:
        """Return the file."""
        if self.file is None:
            raise EditRejected("there is no house file.", "Begin the gateway with `perron run`.")
        return self.file

    def read(self) -> str:
        """Read the file."""
        file = self.require_file()
        try:
            return read_home_text(file)
        except FileNotFoundError as error:
            raise EditRejected(f"{file} is not there.", "Put it back.") from error

    def replace(self, before: str, after: str) -> None:
        """Write `after` in place of the text `before`; the caller holds `lock`."""
        if self.read() != before:
            raise OSError(errno.EBUSY, "it was changed this very moment; try again")
        write_home(self.require_file(), after)

    def _write_change(self, change: TextChange) -> bool:
        before = self.read()
        after = change(before, self.require_file())
        if after != before:
            self.replace(before, after)
        return after != before


def _load_home(text: str, file: Path) -> CommentedMap:
    try:
        house = _yaml().load(text)
    except YAMLError as error:
        raise EditRejected(
            f"{file}: this is not valid YAML: {error_line(error)}.", "Correct the file first."
        ) from error
    if not isinstance(house, CommentedMap):
        raise EditRejected(f"{file}: there is no house in it.", "Correct the file, or name another with --home.")
    return house


def _yaml() -> YAML:
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 4096
    yaml.indent(mapping=2, sequence=4, offset=2)
    return yaml


def _dump(data: CommentedMap) -> str:
    out = io.StringIO()
    _yaml().dump(data, out)
    return out.getvalue()
