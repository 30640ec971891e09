"""How a command fails: what is wrong, where, what to do, and a number for scripts."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # `perron --help` answers without it
    from pydantic import ValidationError

    from gateway.config.home import Home


class ExitCode(IntEnum):
    """The exit codes of a command."""

    DONE = 0
    NEGATIVE = 1  # refused, red, the proof does not hold
    INVALID = 2  # the command or a file is wrong
    NO_ANSWER = 3  # no broker, no gateway, no house
    STORE_UNUSABLE = 4
    """A restart does not help; `config/systemd/perron.service` waits for a person."""


class Failure(Exception):  # noqa: N818 - its text is a sentence for a person
    """A command failed. The text says what is wrong and where; `todo` says what the person can do about it."""

    def __init__(self, what: str, todo: str, code: ExitCode = ExitCode.INVALID) -> None:
        """Take what is wrong and where, and what the person can do."""
        super().__init__(what)
        self.todo = todo
        self.code = code


def error_text(error: Exception) -> str:
    """Return the error as text, without errno and file name; the caller names the file."""
    why = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return re.sub(r"\[Errno -?\d+\] ", "", why)


@contextmanager
def failure_on(
    errors: type[Exception] | tuple[type[Exception], ...],
    what: str = "{why}",
    todo: str | None = None,
    code: ExitCode = ExitCode.INVALID,
) -> Iterator[None]:
    """Turn these errors of the block into a `Failure`.

    `{why}` in `what` becomes the error's text. Without `todo` the errors have an attribute `todo` of their own.
    """
    try:
        yield
    except errors as error:
        own_todo = getattr(error, "todo", "")
        raise Failure(what.replace("{why}", error_text(error)), own_todo if todo is None else todo, code) from error


def invalid_fields(error: "ValidationError", *, skip: int = 0, whole: str = "the whole") -> list[str]:
    """Return one line for each invalid field, without the `skip` outer names of it; `whole` names the object itself."""
    return [
        f"{'.'.join(map(str, e['loc'][skip:])) or whole}: {e['msg'].removeprefix('Value error, ')}"
        for e in error.errors(include_input=False, include_url=False, include_context=False)
    ]


def load_home(path: Path) -> "Home":
    """Read the house file."""
    from gateway.config.loader import load_home_file
    from gateway.system.config_section import ConfigError

    todo = "Correct the file, then try again; `perron schema --markdown` describes every key."
    with failure_on(ConfigError, "{why}", todo):
        return load_home_file(path)


def read_yaml_file(path: Path, todo: str) -> object:
    """Read a file of YAML or JSON that a person wrote; `todo` says what to do if it cannot be read."""
    from gateway.system.located_yaml import InvalidYaml, parse_yaml

    with failure_on((OSError, UnicodeDecodeError), f"{path}: cannot be read ({{why}}).", todo):
        text = path.read_text(encoding="utf-8")
    try:
        return parse_yaml(text)
    except InvalidYaml as error:
        raise Failure(f"{path}:{error.spot.line}:{error.spot.column}: {error}.", "Correct the file.") from error


def resolve_entrance(home: "Home", entrance: str | None) -> str:
    """Return the named entrance, or the only one."""
    known = ", ".join(home.entrances)
    if not home.entrances:
        raise Failure("The house has no entrance yet.", "See `perron add --help`, or the page Installation.")
    if entrance is None:
        if len(home.entrances) > 1:
            raise Failure(f"The house has several entrances: {known}.", "Name the one you mean.")
        return next(iter(home.entrances))
    if entrance not in home.entrances:
        raise Failure(f"The house has no entrance {entrance!r}. Known: {known}.", "Name one of these.")
    return entrance
