"""`perron schema`: what every key of a configuration file means, for editors and to read."""

import json
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.cli.options import cli
from gateway.config.home import Home
from gateway.config.schema import page, schema_of
from gateway.integrations.intercom.file import IntercomFile
from gateway.integrations.lock_guard.file import GuardFile
from gateway.integrations.matter.file import MatterFile
from gateway.system.config_section import ConfigSection


class ConfigFile(StrEnum):
    """The configuration files: of the gateway, a guard, the programs beside an intercom and a Matter server, a hub."""

    HOME = "home"
    GUARD = "guard"
    INTERCOM = "intercom"
    MATTER = "matter"
    HUB = "hub"


def json_schema(file: ConfigFile) -> dict[str, Any]:
    """Return the JSON schema of this file, each key with its title, description, unit and default."""
    if file is ConfigFile.HUB:
        from gateway.hub.config import HubFile  # with the hub's libraries, which a box need not have

        return schema_of(HubFile)
    of_file: Mapping[ConfigFile, type[ConfigSection]] = {
        ConfigFile.GUARD: GuardFile,
        ConfigFile.INTERCOM: IntercomFile,
        ConfigFile.MATTER: MatterFile,
    }
    return schema_of(of_file.get(file, Home))


def write_for_editors(house_file: Path) -> None:
    """Write `home.schema.json` beside a new house file, whose first line names it; OSError if it cannot."""
    house_file.parent.mkdir(parents=True, exist_ok=True)
    house_file.with_name("home.schema.json").write_text(_json(json_schema(ConfigFile.HOME)) + "\n", encoding="utf-8")


@cli.example(
    "perron schema > home.schema.json",
    "perron schema guard > guard.schema.json",
    "perron schema hub --markdown | less",
)
def schema(
    file: Annotated[
        ConfigFile, typer.Argument(help="Of home.yaml, guard.yaml, intercom.yaml, matter.yaml or hub.yaml.")
    ] = ConfigFile.HOME,
    *,
    markdown: Annotated[bool, typer.Option("--markdown", help="As the reference page, to read.")] = False,
) -> None:
    """Print what every key of a configuration file means: its JSON schema for editors, or a page to read."""
    of_file = json_schema(file)
    typer.echo(page(file, of_file) if markdown else _json(of_file), nl=not markdown)


def _json(of_file: dict[str, Any]) -> str:
    return json.dumps(of_file, indent=2, ensure_ascii=False)
