"""Defines what commands share: the option of the house file, examples in the help, printed lines."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.markup import escape

from gateway.cli.failure import ExitCode
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
        callback=set_current_home,
    ),
]


Command = TypeVar("Command", bound=Callable[..., Any])
EntranceName = Annotated[str | None, typer.Argument(help="Which entrance; the only one if left out.")]
PublicKeyFile = Annotated[Path | None, typer.Option(help="The box's public key (PEM), known from elsewhere.")]
CheckpointFile = Annotated[Path | None, typer.Option(help="Checkpoints that the owner's phone has kept.")]


def command_epilog(*lines: str) -> str:
    """Return the end of a command's help: examples to type, and the exit codes."""
    shown = (re.sub(r"^perron\b", program_name(), line) for line in lines)
    return "\n\n".join(["[bold]Examples[/bold]", *(f"  $ {escape(line)}" for line in shown), EXIT_CODES_TEXT])


class CommandGroup(typer.Typer):
    """Commands whose help ends with examples and the exit codes."""

    def example(self, *lines: str, more: str = "", hidden: bool = False) -> Callable[[Command], Command]:
        """Return a decorator that adds a command with these examples, and `more` behind them."""
        return self.command(epilog=command_epilog(*lines) + more, hidden=hidden)


cli = CommandGroup(
    name="perron",
    epilog=command_epilog("perron demo", "perron new var/mine", "perron doctor", "perron stop"),
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
"""The command line, with the commands whose modules are imported."""


@cli.callback()
def _perron() -> None:
    """Lets a parcel in while nobody is home: the gateway of one house, and tools to try it."""


def exit_unless(good: bool, code: ExitCode = ExitCode.NEGATIVE) -> None:
    """End the command with this exit code unless all is well."""
    if not good:
        raise typer.Exit(code)


def print_line(*lines: str) -> None:
    """Print each line, with its commands expanded (`expand_commands`)."""
    for line in lines:
        typer.echo(expand_commands(line))


def known_language(code: str | None) -> str | None:
    """Return the language; refuse one that has no catalogue. None stays None."""
    if code is None or code in languages():
        return code
    raise typer.BadParameter(f"the languages are {', '.join(languages())}")
