"""The `perron` command. A command's module is imported when it is named; `perron --help` reads the source alone."""

import ast
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

MODULES = {
    "run": "gateway.cli.console",
    "new": "gateway.cli.new_home",
    "simulate": "gateway.cli.simulation",
    "scan": "gateway.cli.courier",
    "doctor": "gateway.cli.installing",
    "schema": "gateway.cli.schema",
    "broker-config": "gateway.cli.brokerconfig",
    "guard": "gateway.cli.guard",
    "guard-key": "gateway.cli.guard",
    "intercom": "gateway.cli.intercom",
    "hands": "gateway.cli.act",
    "hub": "gateway.cli.hub",
    "hub-retailer": "gateway.cli.hub",
    "hub-config": "gateway.cli.hub",
    "hub-claim": "gateway.cli.hub",
    "hub-revoke": "gateway.cli.hub",
    "hub-authority": "gateway.cli.hub",
    "join": "gateway.cli.joining",
    "stop": "gateway.cli.owner",
    "pause": "gateway.cli.pause",
    "parcel": "gateway.cli.parcel",
    "verify": "gateway.cli.owner",
    "report": "gateway.cli.paper",
    "epcis": "gateway.cli.epcis",
    "brand-facts": "gateway.cli.brand_facts",
    "door-notice": "gateway.cli.paper",
    "claim-code": "gateway.cli.maintenance",
    "way-in": "gateway.cli.maintenance",
    "wipe": "gateway.cli.maintenance",
    "discover": "gateway.cli.installing",
    "add": "gateway.cli.adding",
    "test": "gateway.cli.installing",
    "survey": "gateway.cli.installing",
    "walk-test": "gateway.cli.installing",
    "reload": "gateway.cli.reloading",
    "backup": "gateway.cli.maintenance",
    "restore": "gateway.cli.maintenance",
    "rotate-key": "gateway.cli.reloading",
    "retailer": "gateway.cli.retailer",
    "announce": "gateway.cli.retailer",
    "demo": "gateway.demo.cli",
}
"""Each command's module, in the order of `perron --help`. In it a function has the command's name."""

OLDER_NAME = "announce"  # of `retailer announce`; no list shows it


def app() -> NoReturn:
    """Run the command line. A person's mistake gets three lines, never a traceback."""
    try:
        _load_command(*sys.argv[1:2])
        cli()
    except Failure as failure:
        errors = Console(stderr=True, highlight=False)
        errors.print(expand_commands(str(failure)), style="red", markup=False, soft_wrap=True)
        errors.print(expand_commands(failure.todo), markup=False, soft_wrap=True)
        sys.exit(failure.code)
    sys.exit(ExitCode.DONE)


def _load_command(name: str = "--help") -> None:
    """Import the command's module; for another word add what the list of commands shows."""
    if name not in MODULES:
        for command, module in MODULES.items():
            docstring = _docstrings(module)[command.replace("-", "_")]
            cli.command(command, help=docstring, hidden=command == OLDER_NAME)(lambda: None)
        return
    try:
        import_module(MODULES[name])
    except ModuleNotFoundError as error:
        raise Failure(f"{error.name} is not installed.", "Install perron[hub].") from error


@cache
def _docstrings(module: str) -> Mapping[str, str | None]:
    """Read the docstrings of a module's functions: to import all modules takes seconds, and the hub's libraries."""
    file = Path(__file__).parents[1].joinpath(*module.split(".")).with_suffix(".py")
    functions = ast.parse(file.read_bytes()).body
    return {node.name: ast.get_docstring(node) for node in functions if isinstance(node, ast.FunctionDef)}


if __name__ == "__main__":
    app()
