"""What a person gets from the program's name alone: groups of commands, the version, and the Tab key in bash."""

import os
import select
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

import pytest

from gateway.__main__ import COMMAND_GROUPS, MODULES, OLDER_NAME
from tests.gateway.cli.terminal import ROOT, TIMEOUT_S, run_perron

PROGRAMS = ROOT / ".venv" / "bin"


@pytest.mark.slow
def test_the_help_shows_each_command_in_its_group() -> None:
    # In a process of its own: one that has imported a command already lists that one otherwise.
    told = subprocess.run(
        [sys.executable, "-m", "gateway", "--help"], cwd=ROOT, text=True, capture_output=True, check=True
    )
    lines = told.stdout.splitlines()
    shown: dict[str, list[str]] = {}
    rows: list[str] = []
    for line in lines:
        if line.startswith("╭─ "):
            shown[line.split("─")[1].strip()] = rows = []
        elif line.startswith("│ ") and line[2] != " ":
            rows.append(line.split()[1])
    del shown["Options"]
    assert shown == {
        group: [name for name in commands if name != OLDER_NAME] for group, commands in COMMAND_GROUPS.items()
    }
    assert [*shown][:3] == ["Try it", "Run a house", "Put it up"]


@pytest.mark.slow
def test_the_version_is_that_of_the_installed_package() -> None:
    told = run_perron("--version")
    assert (told.returncode, told.stdout) == (0, f"perron {version('perron')}\n")


@pytest.mark.slow
def test_a_command_that_is_nearly_right_is_named() -> None:
    assert "Did you mean 'doctor'?" in run_perron("doctr").stderr
    assert "Did you mean 'announce'?" in run_perron("retailer", "anounce").stderr


class Bash:
    """A bash at a terminal, with a home folder of its own."""

    def __init__(self, home: Path) -> None:
        self._ours, theirs = os.openpty()
        env = {"HOME": str(home), "PATH": f"{PROGRAMS}:{os.environ['PATH']}", "TERM": "dumb", "PYTHONPATH": str(ROOT)}
        self._process = subprocess.Popen(
            ["bash", "--rcfile", str(home / ".bashrc"), "-i"],  # noqa: S607 - the bash of this machine
            stdin=theirs, stdout=theirs, stderr=theirs, env=env, cwd=home, start_new_session=True,
        )  # fmt: skip
        os.close(theirs)
        self.screen = ""

    def type(self, keys: str, *, until: str) -> None:
        """Type these keys and wait until the screen shows the text."""
        seen, end = len(self.screen), time.monotonic() + TIMEOUT_S
        os.write(self._ours, keys.encode())
        while until not in self.screen[seen:]:
            assert time.monotonic() < end, f"{until!r} was not shown, but: {self.screen}"
            if select.select([self._ours], [], [], 0.1)[0]:
                self.screen += os.read(self._ours, 65_536).decode(errors="replace")

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._ours)


@pytest.mark.slow
def test_after_install_completion_the_tab_key_in_bash_finishes_commands_options_and_scenarios(tmp_path: Path) -> None:
    (tmp_path / ".bashrc").touch()
    first = Bash(tmp_path)
    try:
        first.type("perron --install-completion\n", until="bash completion installed in")
    finally:
        first.end()
    shell = Bash(tmp_path)
    try:
        shell.type("perron broker-\t", until="perron broker-config ")
        shell.type("--ren\t", until="--renew ")
        shell.type("\x15perron demo lock-li\t", until="lock-lies ")
        shell.type("\x15perron retailer ann\t", until="announce ")
    finally:
        shell.end()


@pytest.mark.slow
def test_a_shell_that_asks_is_told_every_command_and_nothing_else() -> None:
    asked = {"COMP_WORDS": "perron ", "COMP_CWORD": "1", "_PERRON_COMPLETE": "complete_bash"}
    told = subprocess.run(
        [PROGRAMS / "perron"], env={**os.environ, **asked}, text=True, capture_output=True, check=False, cwd=ROOT
    )
    assert set(told.stdout.split()) == MODULES.keys() - {OLDER_NAME}
    assert told.stderr == ""
