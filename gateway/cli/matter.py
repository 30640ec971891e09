"""The process beside a Matter server, which speaks for its locks and sensors."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from devices.vendors.matter import EndpointLine
from gateway.cli.failure import ExitCode, Failure, failure_on
from gateway.cli.log_format import configure_log
from gateway.cli.options import cli, print_line
from gateway.integrations.matter.file import MatterFile, load_matter_file
from gateway.integrations.matter.process import list_endpoints, run_matter
from gateway.integrations.matter.server import MatterFailed
from gateway.system.config_section import ConfigError


@cli.example(
    "perron matter --config /etc/perron-matter/matter.yaml",
    "perron matter --list --config matter.yaml",
    "perron schema matter --markdown",
)
def matter(
    config: Annotated[Path, typer.Option(help="The Matter server's file.", metavar="FILE")] = Path("matter.yaml"),
    *,
    list_: Annotated[
        bool, typer.Option("--list", help="Only list the devices of the Matter server that Perron can use; move none.")
    ] = False,
) -> None:
    """Speak for the devices of a Matter server until told to end: pass on orders to locks, each once and in time.

    It answers a query by reading the device, and tells what a device reports. It runs between the house's broker and
    the Matter server's WebSocket. docs/installer/matter.md tells how it is set up.
    """
    configure_log()
    todo = "Correct the file, then try again; docs/installer/matter.md shows one."
    with failure_on(ConfigError, "{why}", todo):
        file = load_matter_file(config)
        file.broker.password()
        file.server.tls()
        if not list_:
            asyncio.run(run_matter(file))
            return
        _print_endpoints(file)


def _print_endpoints(file: MatterFile) -> None:
    try:
        found = asyncio.run(list_endpoints(file))
    except MatterFailed as error:
        what = f"{file.server.url}: {error}."
        raise Failure(what, "Look whether the Matter server runs, and on which port.", ExitCode.NO_ANSWER) from error
    for line in found:
        print_line(_sentence(file.base, line))
    if not found:
        print_line(f"{file.server.url} has commissioned no lock, closure, contact or thermometer.")


def _sentence(base: str, line: EndpointLine) -> str:
    name = " ".join(part for part in (line.label, line.maker, line.product) if part) or "no name"
    there = "" if line.available else ", not reached at the moment"
    return f"{base}/{line.at.name}: {', '.join(line.kinds)} ({name}){there}"
