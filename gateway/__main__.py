"""The `perron` command. A command's module is imported when it is named; `perron --help` reads the source alone."""

import ast
import gc
import os
import sys
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import NoReturn

from rich.console import Console

from gateway.cli.failure import ExitCode, Failure
from gateway.cli.lines import expand_commands
from gateway.cli.options import cli

COMMAND_GROUPS: Mapping[str, Mapping[str, str]] = {
    "Try it": {
        "demo": "gateway.demo.cli",
        "new": "gateway.cli.new_home",
        "simulate": "gateway.cli.simulation",
        "scan": "gateway.cli.courier",
        "hands": "gateway.cli.act",
    },
    "Run a house": {
        "setup": "gateway.cli.box_setup",
        "run": "gateway.cli.console",
        "claim-code": "gateway.cli.maintenance",
        "doctor": "gateway.cli.installing",
        "reload": "gateway.cli.reloading",
        "stop": "gateway.cli.owner",
        "pause": "gateway.cli.pause",
        "parcel": "gateway.cli.parcel",
        "way-in": "gateway.cli.maintenance",
        "join": "gateway.cli.joining",
    },
    "Put it up": {
        "add": "gateway.cli.adding",
        "discover": "gateway.cli.installing",
        "broker-config": "gateway.cli.brokerconfig",
        "test": "gateway.cli.installing",
        "survey": "gateway.cli.installing",
        "walk-test": "gateway.cli.installing",
        "door-notice": "gateway.cli.paper",
        "guard": "gateway.cli.guard",
        "guard-key": "gateway.cli.guard",
        "intercom": "gateway.cli.intercom",
        "matter": "gateway.cli.matter",
        "aliro-key": "gateway.cli.matter",
        "sentences": "gateway.cli.sentences",
        "schema": "gateway.cli.schema",
    },
    "Keep it": {
        "backup": "gateway.cli.maintenance",
        "restore": "gateway.cli.maintenance",
        "rotate-key": "gateway.cli.reloading",
        "wipe": "gateway.cli.maintenance",
    },
    "Evidence": {
        "verify": "gateway.cli.owner",
        "report": "gateway.cli.paper",
        "epcis": "gateway.cli.epcis",
        "brand-facts": "gateway.cli.brand_facts",
    },
    "Retailers": {
        "retailer": "gateway.cli.retailer",
        "announce": "gateway.cli.retailer",
    },
    "Hub": {
        "hub": "gateway.cli.hub_run",
        "hub-retailer": "gateway.cli.hub",
        "hub-config": "gateway.cli.hub",
        "hub-claim": "gateway.cli.hub",
        "hub-revoke": "gateway.cli.hub",
        "hub-authority": "gateway.cli.hub",
    },
}
"""The commands as `perron --help` shows them: each group's commands and their modules."""

MODULES = {name: module for group in COMMAND_GROUPS.values() for name, module in group.items()}
"""Each command's module. In it a function has the command's name."""

HUB_MODULES = ("gateway.cli.hub", "gateway.cli.retailer")  # they need the extra `hub`, all others the extra `box`

COMPLETION_VARIABLE = "_PERRON_COMPLETE"  # set while a shell queries how a word can go on
OLDER_NAME = "announce"  # of `retailer announce`; no list shows it


def app() -> NoReturn:
    """Run the command line. A person's mistake gets three lines, never a traceback."""
    named = (_completed_words() if COMPLETION_VARIABLE in os.environ else sys.argv)[1:2]
    try:
        try:
            _load_command(*named)
            cli(complete_var=COMPLETION_VARIABLE)
        except ModuleNotFoundError as error:
            raise missing_package(error, *named) from error
    except Failure as failure:
        errors = Console(stderr=True, highlight=False, emoji=False)
        errors.print(expand_commands(str(failure)), style="red", markup=False, soft_wrap=True)
        errors.print(expand_commands(failure.todo), markup=False, soft_wrap=True)
        sys.exit(failure.code)
    sys.exit(ExitCode.DONE)


def missing_package(error: ModuleNotFoundError, command: str = "") -> Failure | ModuleNotFoundError:
    """Return what a person reads if a package is missing. A missing module of Perron itself is a bug, and stays one."""
    if (error.name or "").partition(".")[0] in {"gateway", "devices"}:
        return error
    extra = "hub" if MODULES.get(command, "").startswith(HUB_MODULES) else "box"
    return Failure(f"{error.name} is not installed.", f"Install perron[{extra}].")


def _completed_words() -> list[str]:
    """Return the words of the command line that a shell queries about; bash and the other shells name them apart."""
    return (os.environ.get("COMP_WORDS") or os.environ.get("_TYPER_COMPLETE_ARGS", "")).split()


def _load_command(name: str = "--help") -> None:
    """Import the command's module; for another word add what the list of commands shows."""
    if name not in MODULES:
        for panel, group in COMMAND_GROUPS.items():
            for command, module in group.items():
                docstring = _docstrings(module)[command.replace("-", "_")]
                hidden = command == OLDER_NAME
                cli.command(command, help=docstring, hidden=hidden, rich_help_panel=panel)(lambda: None)
        return
    # No other package may look into what this one validates, and to search all packages for one takes 25 ms.
    os.environ["PYDANTIC_DISABLE_PLUGINS"] = "__all__"
    gc.disable()  # modules stay for good: to look through them for garbage is a fifth of a start
    try:
        import_module(MODULES[name])
    finally:
        gc.freeze()  # nor later: it would hold the doors' loop for 0.1 s
        gc.enable()


@cache
def _docstrings(module: str) -> Mapping[str, str | None]:
    """Read the docstrings of a module's functions: to import all modules takes seconds, and the hub's libraries."""
    file = Path(__file__).parents[1].joinpath(*module.split(".")).with_suffix(".py")
    functions = ast.parse(file.read_bytes()).body
    return {node.name: ast.get_docstring(node) for node in functions if isinstance(node, ast.FunctionDef)}


if __name__ == "__main__":
    app()
