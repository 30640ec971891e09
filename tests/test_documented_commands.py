"""Each `perron` and `make` command that a page shows exists, with its options."""

import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer

from tests.gateway.cli.terminal import every_command

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("[!d]*/*.md"))]
BLOCK = re.compile(r"```sh\n(.*?)```", re.DOTALL)
INLINE = re.compile(r"`((?:\.venv/bin/)?perron [a-z][^`\n]*|make [a-z][^`\n]*)`")
INDENTED = re.compile(r"^ {4,7}(perron [a-z].*)$", re.MULTILINE)
COMMAND = re.compile(r"(?:^|[\s(;|])(?:(?:\.venv/bin/)?(perron)|(make)) ([a-z].*)$")
TARGET = re.compile(r"^([a-z][a-z0-9-]*):", re.MULTILINE)
TARGETS = frozenset(TARGET.findall((ROOT / "Makefile").read_text(encoding="utf-8")))
# `perron` is a user there
SERVICES = frozenset({"systemctl", "journalctl", "useradd", "install", "chown", "ln", "cp", "id"})


def commands(page: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield `perron` or `make`, and the words behind it, for each command of a page."""
    text = page.read_text(encoding="utf-8")
    shown = "\n".join((*BLOCK.findall(text), *INLINE.findall(text), *INDENTED.findall(text))).replace("\\\n", " ")
    for line in shown.splitlines():
        found = COMMAND.search(line)
        if found is None or SERVICES & set(line[: found.start(3)].split()):
            continue
        words = shlex.split(found[3].replace("...", ""), comments=True)
        end = min((words.index(mark) for mark in (";", "&&", "|", "&", ">") if mark in words), default=len(words))
        yield found[1] or found[2], words[:end]


@cache
def root() -> Any:  # noqa: ANN401 - Typer's own kind of command, which it does not export
    return typer.main.get_command(every_command())


def fault(words: list[str]) -> str | None:
    """What is wrong with `perron` and these words; None: command and options exist."""
    command, rest = root(), list(words)
    while hasattr(command, "commands"):
        if not rest:
            return None
        if rest[0].startswith("-"):
            break  # an option of the group's own
        name = rest.pop(0)
        if name not in command.commands:
            return f"no command {name}"
        command = command.commands[name]
    known = {"--help"} | {option for one in command.params for option in (*one.opts, *one.secondary_opts)}
    unknown = [word for word in rest if word.startswith("--") and word.partition("=")[0] not in known]
    return f"{command.name}: no option {unknown[0]}" if unknown else None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_a_command_that_a_page_shows_exists(page: Path) -> None:
    wrong = []
    for program, words in commands(page):
        if program == "make":
            missing = {word for word in words[:1] if word not in TARGETS}
            wrong += [f"make {word}" for word in missing]
        elif (found := fault(words)) is not None:
            wrong.append(found)
    assert wrong == []


def test_a_command_or_option_that_is_not_there_is_found() -> None:
    assert fault(["open"]) == "no command open"
    assert fault(["run", "--unlock"]) == "run: no option --unlock"
    assert fault(["retailer", "announce", "--courier", "delivery.yaml"]) is None
    assert fault(["demo", "--fast"]) is None


def test_the_readme_shows_commands() -> None:
    assert len(list(commands(ROOT / "README.md"))) > 6


def test_make_help_names_every_target() -> None:
    make = shutil.which("make")
    assert make is not None
    told = subprocess.run([make, "-s", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    named = dict(line.removeprefix("make ").split(" ", 1) for line in told.splitlines())
    assert named.keys() == TARGETS
    assert all(said.startswith(" ") for said in named.values())  # a column beside the longest name
