"""`perron add`: writes a device, an entrance or a reception into the house file, comments kept, checked before."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from devices.vendors import VENDORS
from devices.vendors.definition import DEVICE_KINDS
from gateway.cli.failure import Failure, failure_on, load_home
from gateway.cli.lines import DEFAULT_HOME, relative_path
from gateway.cli.options import HomeFile, cli, print_line
from gateway.cli.schema import write_for_editors
from gateway.config import editor
from gateway.config.devices import CameraDevice
from gateway.installation.diagnostics.stream import LOGIN_UNUSABLE_TODO, login_error

KINDS = (*DEVICE_KINDS, editor.ENTRANCE, editor.RECEPTION)
EXAMPLE_OPTIONS = {  # of the keys that `add` cannot do without
    "vendor": "--vendor zigbee2mqtt",
    "address": "--address 'zigbee2mqtt/back lock'",
    "url": "--set url=rtsp://192.168.1.30/stream",
    "name": "--set name=Back",
    "places": "--set places.porch.name=Porch",
    "scanners": "--set scanners=[back-scanner]",
    "cameras": "--set cameras.outside=back-camera",
    "way_out_by_hand": "--set way_out_by_hand=true",
    "receivers": "--set receivers.marc.name=Marc",
}
OTHER_SECTIONS_HINT = "Other sections, such as keepers, are written into the file: `perron schema --markdown`."


def _vendors_text() -> str:
    """Return the vendors of each kind of device, for the end of the help."""
    lines = [
        f"{kind}: {', '.join(name for name, vendor in VENDORS.items() if kind in vendor.DEFINITION.kinds)}"
        for kind in DEVICE_KINDS
    ]
    return "\n\n[bold]Vendors of each kind of device[/bold]\n\n" + "\n".join(f"  {line}" for line in lines)


@cli.example(
    "perron add --home /etc/perron/home.yaml",
    "perron add back-lock --kind lock --vendor zigbee2mqtt --address 'zigbee2mqtt/back lock' --set latency=8",
    "perron add back-door --kind door --vendor esphome",
    "perron add back-camera --kind camera --vendor rtsp --set url=rtsp://192.168.1.30/stream",
    "perron add back-scanner --kind scanner --vendor scanner",
    "perron add back-signal --kind signal --vendor signal",
    "perron add back --kind entrance --set name=Back --set way_out_by_hand=true --set lock=back-lock"
    " --set door=back-door --set signal=back-signal --set scanners=[back-scanner]"
    " --set cameras.outside=back-camera --set places.porch.name=Porch",
    "perron add desk --kind reception --set name=Concierge --set receivers.marc.name=Marc"
    " --set receivers.marc.hours=08:00-19:00",
    more=_vendors_text(),
)
def add(  # noqa: PLR0913 - one argument an option of the command
    id_: Annotated[str | None, typer.Argument(metavar="[ID]", help="How it is called in the house file.")] = None,
    *,
    kind: Annotated[
        str | None, typer.Option(help="lock, door, camera, scanner, signal, fridge ..., entrance or reception.")
    ] = None,
    vendor: Annotated[str | None, typer.Option(help="Brand or protocol; see below.", metavar="VENDOR")] = None,
    address: Annotated[str | None, typer.Option(help="Its maker's address, or its topic.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Any other key, nested ones with points.", metavar="KEY=VALUE")
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Write over the one of this name.")] = False,
    home: HomeFile = DEFAULT_HOME,
) -> None:
    """Write a device, an entrance or a reception into the house file: comments stay; what is no house is not written.

    A file that is not there yet is begun. Without an ID nothing more is done: a box runs with an empty house, and the
    page Installation adds the rest.
    """
    if id_ is None:
        begin_home_file(home)
        print_line(
            f"{relative_path(home)} is begun: an empty house. `perron broker-config accounts`, then `perron run`."
        )
        return
    if kind not in KINDS:
        what = "What is it?" if kind is None else f"--kind {kind} is unknown."
        raise Failure(what, f"Say --kind {', '.join(KINDS[:-1])} or {KINDS[-1]}. {OTHER_SECTIONS_HINT}")
    options = {"vendor": vendor, "address": address}
    fields = {key: value for key, value in options.items() if value is not None} | parse_fields(set_ or ())
    add_section(home, id_, kind, fields, replace=replace)
    _warn_of_login(home, id_)
    print_line(
        f"{id_} is written to {relative_path(home)}. When everything is in it, run `perron broker-config accounts`,"
        " then `perron doctor`."
    )


def _warn_of_login(home: Path, id_: str) -> None:
    """Say where the file of a camera's account cannot be used yet: the house stands, and no picture comes before."""
    device = load_home(home).devices.get(id_)
    unusable = login_error(device) if isinstance(device, CameraDevice) else None
    if unusable is not None:
        print_line(f"{id_}: {unusable.to('en')}. {LOGIN_UNUSABLE_TODO.to('en')}")


def add_section(file: Path, id_: str, kind: str, fields: Mapping[str, str], *, replace: bool = False) -> str:
    """Write a device, an entrance or a reception into the house file; return the new text of the file.

    A missing file is created. `fields` maps keys (nested ones with points) to values in YAML. Nothing is written if the
    name is taken or the house would be invalid.
    """
    try:
        section = editor.build_section(kind, {key: editor.parse_value(key, value) for key, value in fields.items()})
        text = editor.with_item(
            editor.read_home_text(file) if file.exists() else editor.NEW_HOME_TEXT, file, id_, section, replace=replace
        )
        editor.check_home(text, file)
    except editor.EditRejected as error:
        raise Failure(str(error), _with_examples(str(error), error.todo)) from error
    _write(file, text)
    return text


def _with_examples(what: str, todo: str) -> str:
    """Return what to do, with the options that would set the keys that are missing."""
    missing = [key for key in re.findall(r"`(\w+)` is missing here", what) if key in EXAMPLE_OPTIONS]
    if not missing:
        return todo
    options = " ".join(EXAMPLE_OPTIONS[key] for key in missing)
    return f"Nothing was written. Add to the command what is missing, for example {options}"


def begin_home_file(file: Path) -> None:
    """Create a house file without devices and entrances; refuse one that exists."""
    if file.exists():
        raise Failure(f"{file} is there already.", "To add to it, see `perron add --help`, or the page Installation.")
    _write(file, editor.NEW_HOME_TEXT)


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
        editor.write_home(file, text)
