"""`perron add`: writes a device or an entrance into the house file, comments kept, checked before it is written."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from gateway.cli.failure import Failure, failure_on
from gateway.cli.schema import write_for_editors
from gateway.config.editor import (
    NEW_HOME_TEXT,
    EditRejected,
    build_section,
    check_home,
    parse_value,
    read_home_text,
    with_item,
    write_home,
)


def add(file: Path, id_: str, kind: str, fields: Mapping[str, str], *, replace: bool = False) -> str:
    """Write a device or an entrance into the house file; return the new text of the file.

    A missing file is created. `fields` maps keys (nested ones with points) to values in YAML. Nothing is written if the
    name is taken or the house would be invalid.
    """
    with failure_on(EditRejected):
        section = build_section(kind, {key: parse_value(key, value) for key, value in fields.items()})
        text = with_item(read_home_text(file) if file.exists() else NEW_HOME_TEXT, file, id_, section, replace=replace)
        check_home(text, file)
    _write(file, text)
    return text


def begin_home_file(file: Path) -> None:
    """Create a house file without devices and entrances; refuse one that exists."""
    if file.exists():
        raise Failure(f"{file} is there already.", "Add to it: `perron add ID --kind ...`, or the page Installation.")
    _write(file, NEW_HOME_TEXT)


def parse_fields(pairs: Sequence[str]) -> dict[str, str]:
    """Read `key=value` words."""
    fields: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            todo = "Write it like --set latency=8 or --set cameras.outside=doorbell."
            raise Failure(f"{pair!r} is not key=value.", todo)
        fields[key] = value
    return fields


def _write(file: Path, text: str) -> None:
    with failure_on(OSError, f"{file} cannot be written ({{why}}).", "Nothing was written."):
        if not file.exists():
            write_for_editors(file)
        write_home(file, text)
