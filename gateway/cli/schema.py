"""`perron schema`: what every key of a configuration file means, for editors and to read."""

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.options import CommandGroup

if TYPE_CHECKING:  # the other commands start without it
    from pydantic import BaseModel


class ConfigFile(StrEnum):
    """The configuration files: of the gateway, of a guard, of a hub."""

    HOME = "home"
    GUARD = "guard"
    HUB = "hub"


commands = CommandGroup()


def schema(file: ConfigFile) -> dict[str, Any]:
    """Return the JSON schema of this file, each key with its title, description, unit and default."""
    from gateway.config.schema import schema_of

    return schema_of(_model(file))


def write_for_editors(house_file: Path) -> None:
    """Write `home.schema.json` beside a new house file, whose first line names it.

    Raises:
        OSError: it cannot be written.
    """
    house_file.parent.mkdir(parents=True, exist_ok=True)
    house_file.with_name("home.schema.json").write_text(_json(schema(ConfigFile.HOME)) + "\n", encoding="utf-8")


@commands.example(
    "perron schema > home.schema.json",
    "perron schema guard > guard.schema.json",
    "perron schema hub --markdown | less",
    name="schema",
)
def _schema(
    file: Annotated[ConfigFile, typer.Argument(help="Of home.yaml, guard.yaml or hub.yaml.")] = ConfigFile.HOME,
    *,
    markdown: Annotated[bool, typer.Option("--markdown", help="As the reference page, to read.")] = False,
) -> None:
    """Print what every key of a configuration file means: its JSON schema for editors, or a page to read."""
    from gateway.config.schema import page

    of_file = schema(file)
    typer.echo(page(file, of_file) if markdown else _json(of_file), nl=not markdown)


def _json(of_file: dict[str, Any]) -> str:
    return json.dumps(of_file, indent=2, ensure_ascii=False)


def _model(file: ConfigFile) -> "type[BaseModel]":
    match file:
        case ConfigFile.HOME:
            from gateway.config.home import Home

            return Home
        case ConfigFile.GUARD:
            from gateway.integrations.lock_guard.file import GuardFile

            return GuardFile
        case ConfigFile.HUB:
            from gateway.hub.config import HubFile

            return HubFile
