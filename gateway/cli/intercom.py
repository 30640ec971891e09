"""The process beside an intercom, which releases the street door."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.failure import ExitCode, Failure, failure_on
from gateway.cli.log_format import configure_log
from gateway.cli.options import cli, print_line
from gateway.integrations.intercom.file import load_intercom_file
from gateway.integrations.intercom.line import IntercomFailed
from gateway.integrations.intercom.process import check_intercom, run_intercom
from gateway.system.config_section import ConfigError


@cli.example(
    "perron intercom --config /etc/perron/intercom.yaml",
    "perron intercom --check --config intercom.yaml",
    "perron schema intercom --markdown",
)
def intercom(
    config: Annotated[Path, typer.Option(help="The intercom's file.", metavar="FILE")] = Path("intercom.yaml"),
    *,
    check: Annotated[
        bool,
        typer.Option("--check", help="Only ask the intercom whether it is there and can release; release nothing."),
    ] = False,
) -> None:
    """Speak for a DoorBird or a 2N until told to end: pass on orders to release, each once and in time.

    It also tells of the bell.
    It runs between the house's broker and the intercom's HTTP in the house's own network. docs/installer/street-door.md
    tells how it is set up.
    """
    configure_log()
    todo = "Correct the file, then try again; docs/installer/street-door.md shows one."
    with failure_on(ConfigError, "{why}", todo):
        file = load_intercom_file(config)
        file.broker.password()
        if not check:
            asyncio.run(run_intercom(file))
            return
        try:
            asyncio.run(check_intercom(file))
        except IntercomFailed as error:
            what = f"{file.intercom.url}: {error}."
            raise Failure(what, "Look at its power, its network, its account.", ExitCode.NO_ANSWER) from error
    print_line(f"{file.intercom.url} answers, and can be ordered to release.")
