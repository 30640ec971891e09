"""Writes the command lines that a person can paste.

A line names this program as the shell finds it, and the house file if it is not the default; each word is quoted.
"""

import os
import re
import shlex
import shutil
import sys
import textwrap
from contextvars import ContextVar
from pathlib import Path

DEFAULT_HOME = Path("config/home.yaml")
"""The house file if neither an option nor `HOME_VARIABLE` names one."""
HOME_VARIABLE = "PERRON_HOME"

COMMANDS_WITHOUT_HOME = frozenset({
    "aliro-key", "demo", "guard", "hub", "hub backup", "hub brand end", "hub brand free", "hub brand list", "hub erase",
    "hub home list", "hub home revoke", "hub home show", "hub key add", "hub key list", "hub key revoke", "hub restore",
    "hub retailer add", "hub retailer end", "hub retailer limit", "hub retailer list", "hub retailer resume",
    "hub retailer show", "hub retailer suspend", "hub-authority", "hub-claim", "hub-config", "hub-retailer",
    "hub-revoke", "intercom", "matter", "new",
    "retailer box", "retailer comment", "retailer connect", "retailer end", "retailer facts", "retailer keys",
    "retailer listen", "retailer sandbox", "retailer watch",
    "schema", "sentences", "setup", "verify",
})  # fmt: skip
"""The commands that take no `--home`."""

UNBREAKABLE = "\0"  # stands for a space that is no place to break a line
_QUOTED_PATTERN = re.compile(r"`[^`]*`")
_COMMAND_PATTERN = re.compile(r"`perron ((?:retailer |hub (?:(?:brand|home|key|retailer) )?)?[a-z][a-z-]*)([^`]*)`")


_current_home: ContextVar[Path | None] = ContextVar("_current_home", default=None)
"""The house file of this command; None: it takes none."""


def set_current_home(home: Path) -> Path:
    """Remember the house file of this command for the lines that it prints; return it."""
    _current_home.set(home)
    return home


def relative_path(path: Path) -> str:
    """Return the path relative to the working directory if it is below it."""
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def quoted_path(path: Path) -> str:
    """Return the path, quoted for a shell."""
    return shlex.quote(relative_path(path))


def counted(number: int, noun: str) -> str:
    """Return a number and what it counts, as in "1 film" and "2 films"; `noun` takes an s in the plural."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def program_name() -> str:
    """Return the name of this program for a shell: its path if the shell does not find `perron`."""
    mine = Path(sys.executable).with_name("perron")
    return quoted_path(mine) if shutil.which("perron") is None and mine.exists() else "perron"


def home_option(home: Path) -> str:
    """Return the option that names this house file; empty where the command finds that file by itself."""
    return "" if home == DEFAULT_HOME and HOME_VARIABLE not in os.environ else f" --home {shlex.quote(str(home))}"


def command_line(*words: str, home: Path | None = None) -> str:
    """Return a command line of this program. `home` is its house file; None: the command takes none."""
    return f"{program_name()} {shlex.join(words)}" + ("" if home is None else home_option(home))


def hanging_lines(text: str, indent: int, width: int) -> str:
    """Break a text into lines of `width` columns, each behind `indent` spaces.

    A command in backticks is never broken: what is copied from a terminal can be pasted.
    """
    whole = _QUOTED_PATTERN.sub(lambda match: match[0].replace(" ", UNBREAKABLE), text)
    margin = " " * indent
    lines = textwrap.fill(
        whole, max(width, 2 * indent), initial_indent=margin, subsequent_indent=margin,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
    return lines.replace(UNBREAKABLE, " ")


def expand_commands(text: str) -> str:
    """Replace each command like `perron doctor` in a text by a line to paste, for the house file in use."""

    def whole(match: re.Match[str]) -> str:
        name, rest, home = match[1], match[2], _current_home.get()
        if home is None or name in COMMANDS_WITHOUT_HOME or "--home" in rest or "--help" in rest:
            return f"`{program_name()} {name}{rest}`"
        return f"`{program_name()} {name}{rest}{home_option(home)}`"

    return _COMMAND_PATTERN.sub(whole, text)
