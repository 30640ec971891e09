"""Defines what commands share: the option of the house file, examples in the help, printed lines."""

import re
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.markup import escape

from gateway.cli.failure import ExitCode
from gateway.cli.lines import HOME_VARIABLE, expand_commands, program_name, set_current_home
from gateway.system.i18n import languages

EXIT_CODES_TEXT = (
    "Exit codes: 0 done; 1 the answer is no (refused, red, the proof does not hold); "
    "2 the command or a file is wrong; 3 the world did not answer."
)

EXAMPLE_COLUMNS = 76  # of a line in the help: a terminal of 80 columns, less the margins
_SHELL_WORD = re.compile(r"""(?:[^\s"']|"[^"]*"|'[^']*')+""")

HomeFile = Annotated[
    Path,
    typer.Option(
        "--home",
        envvar=HOME_VARIABLE,
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
    shown = (re.sub(r"^((?:\w+=\S+ )*)perron\b", rf"\1{program_name()}", line) for line in lines)
    examples = "\n".join(part for line in shown for part in example_lines(escape(line)))
    return f"[bold]Examples[/bold]\n\n{examples}\n\n{EXIT_CODES_TEXT}"


def example_lines(command: str) -> list[str]:
    """Return a command as lines that fit into a terminal of 80 columns and can be pasted together.

    A break lies between two words, after a backslash; an option stays with its value.
    """
    words = _SHELL_WORD.findall(command)
    lines = [f"  $ {words[0]}"]
    for word, following in zip(words[1:], [*words[2:], ""], strict=True):
        with_value = f"{word} {following}" if word.startswith("--") and not following.startswith("-") else word
        if len(lines[-1]) + 1 + len(with_value) > EXAMPLE_COLUMNS - len(" \\") and not lines[-1].endswith("$"):
            lines[-1] += " \\"
            lines.append(f"    {word}")
        else:
            lines[-1] += f" {word}"
    return lines


class CommandGroup(typer.Typer):
    """Commands whose help ends with examples and the exit codes."""

    def example(
        self, *lines: str, more: str = "", hidden: bool = False, name: str | None = None
    ) -> Callable[[Command], Command]:
        """Return a decorator that adds a command with these examples, and `more` behind them.

        `name`: the command's; None: that of the function.
        """
        return self.command(name, epilog=command_epilog(*lines) + more, hidden=hidden)


cli = CommandGroup(
    name="perron",
    epilog=command_epilog("perron demo", "perron new var/mine", "perron doctor", "perron stop"),
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
"""The command line, with the commands whose modules are imported."""


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"perron {version('perron')}")
        raise typer.Exit


@cli.callback()
def _perron(
    *,
    _version: Annotated[
        bool,
        typer.Option("--version", help="Print the version of this program.", callback=_print_version, is_eager=True),
    ] = False,
) -> None:
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
