"""What commands look like: examples, the house file's option, how a line is told."""

import re
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from gateway.cli.lines import expand_commands, program_name, set_current_home
from gateway.system.i18n import languages

EXIT_CODES_TEXT = (
    "Exit codes: 0 done; 1 the answer is no (refused, red, the proof does not hold); "
    "2 the command or a file is wrong; 3 the world did not answer."
)

HomeFile = Annotated[
    Path,
    typer.Option(
        "--home",
        envvar="PERRON_HOME",
        help="The house file.",
        metavar="FILE",
        show_default=True,
        callback=set_current_home,
    ),
]


def command_epilog(*lines: str) -> str:
    """Write a command's examples as they can be typed here, and what its exit codes mean."""
    shown = (re.sub(r"^perron\b", program_name(), line) for line in lines)
    return "\n\n".join(["[bold]Examples[/bold]", *(f"  $ {escape(line)}" for line in shown), EXIT_CODES_TEXT])


def print_line(line: str) -> None:
    """Print a line; commands in it as they can be typed here."""
    typer.echo(expand_commands(line))


BOTH = "both"


def known_language(code: str | None) -> str | None:
    """Take a language that has a catalogue; None stays.

    Raises:
        typer.BadParameter: it has none.
    """
    if code is None or code in languages():
        return code
    raise typer.BadParameter(f"the languages are {', '.join(languages())}")


def known_or_both(code: str) -> str:
    """Take a language that has a catalogue, or `BOTH`.

    Raises:
        typer.BadParameter: it is something else.
    """
    return code if code == BOTH else known_language(code) or BOTH
