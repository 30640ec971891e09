"""What commands look like: examples, the house file's option, how a line is told."""

import re
import shlex
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from gateway.cli.failure import ourselves, typed

CODES = (
    "Exit codes: 0 done; 1 the answer is no (refused, red, the proof does not hold); "
    "2 the command or a file is wrong; 3 the world did not answer."
)

HomeFile = Annotated[
    Path, typer.Option("--home", envvar="PERRON_HOME", help="The house file.", metavar="FILE", show_default=True)
]
HOME = Path("config/home.yaml")


def example(*lines: str) -> str:
    """Write a command's examples as they can be typed here, and what its exit codes mean."""
    shown = (re.sub(r"^perron\b", ourselves(), line) for line in lines)
    return "\n\n".join(["[bold]Examples[/bold]", *(f"  $ {escape(line)}" for line in shown), CODES])


def tell(line: str) -> None:
    """Print a line; commands in it as they can be typed here."""
    typer.echo(typed(line))


def at(home: Path) -> str:
    """Write the option that names this house file, where it is not the usual one."""
    return "" if home == HOME else f" --home {shlex.quote(str(home))}"


def command(*words: str, home: Path | None = None) -> str:
    """Write a command of this program as it can be pasted into a shell here: every word of it quoted.

    `home`: the house file that it is to use; None: the command takes none.
    """
    return shlex.join((ourselves(), *words)) + ("" if home is None else at(home))
