"""What commands look like: examples, the house file's option, how a line is told."""

import re
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from gateway.cli.lines import in_use, ourselves, typed

CODES = (
    "Exit codes: 0 done; 1 the answer is no (refused, red, the proof does not hold); "
    "2 the command or a file is wrong; 3 the world did not answer."
)

HomeFile = Annotated[
    Path,
    typer.Option(
        "--home", envvar="PERRON_HOME", help="The house file.", metavar="FILE", show_default=True, callback=in_use
    ),
]


def example(*lines: str) -> str:
    """Write a command's examples as they can be typed here, and what its exit codes mean."""
    shown = (re.sub(r"^perron\b", ourselves(), line) for line in lines)
    return "\n\n".join(["[bold]Examples[/bold]", *(f"  $ {escape(line)}" for line in shown), CODES])


def tell(line: str) -> None:
    """Print a line; commands in it as they can be typed here."""
    typer.echo(typed(line))
