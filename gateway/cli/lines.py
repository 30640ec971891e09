"""Writes the command lines that people are told to paste: the only place that does.

A line names this program as the shell here knows it, and the house file in use where it is not the usual one; every
word of it is quoted.
"""

import re
import shlex
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

DEFAULT_HOME = Path("config/home.yaml")
"""The house file where none is named."""

COMMANDS_WITHOUT_HOME = frozenset({
    "demo", "guard", "hub", "hub-authority", "hub-claim", "hub-config", "hub-retailer", "hub-revoke", "new",
    "retailer connect", "retailer end", "retailer keys", "retailer listen", "retailer sandbox", "retailer watch",
    "schema", "verify",
})  # fmt: skip
"""The commands that take no `--home`."""

_COMMAND_PATTERN = re.compile(r"`perron ((?:retailer )?[a-z][a-z-]*)([^`]*)`")


@dataclass
class _CurrentHome:
    """The house file of this process; None: the command takes none."""

    home: Path | None = None


_current_home = _CurrentHome()


def set_current_home(home: Path) -> Path:
    """Note the house file that this command was given, for the lines that it prints. Returns it."""
    _current_home.home = home
    return home


def relative_path(path: Path) -> str:
    """Write a path as briefly as it can be typed here."""
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def quoted_path(path: Path) -> str:
    """Write a path as a word of a command line."""
    return shlex.quote(relative_path(path))


def program_name() -> str:
    """Name this program as it can be pasted here: the one that runs, where the shell knows none."""
    mine = Path(sys.executable).with_name("perron")
    return quoted_path(mine) if shutil.which("perron") is None and mine.exists() else "perron"


def home_option(home: Path) -> str:
    """Write the option that names this house file, where it is not the usual one."""
    return "" if home == DEFAULT_HOME else f" --home {shlex.quote(str(home))}"


def command_line(*words: str, home: Path | None = None) -> str:
    """Write a command of this program. `home`: the house file that it is to use; None: it takes none."""
    return f"{program_name()} {shlex.join(words)}" + ("" if home is None else home_option(home))


def expand_commands(text: str) -> str:
    """Tell a text in which commands stand like `perron doctor`: each as it can be pasted here, for the house in use."""

    def whole(match: re.Match[str]) -> str:
        name, rest, home = match[1], match[2], _current_home.home
        if home is None or name in COMMANDS_WITHOUT_HOME or "--home" in rest or "--help" in rest:
            return f"`{program_name()} {name}{rest}`"
        return f"`{program_name()} {name}{rest}{home_option(home)}`"

    return _COMMAND_PATTERN.sub(whole, text)
