"""Each command that the real programs print for a house under an unusual path is typed as it is printed."""

import re
import shlex
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.cli.failure import ExitCode
from gateway.cli.lines import COMMANDS_WITHOUT_HOME
from tests.gateway.cli.terminal import ROOT, make_house, run_perron, start_command
from tests.test_documented_commands import fault

pytestmark = pytest.mark.slow

ODD = "Anne's $(house)"
QUOTED, PASTED = re.compile(r"`([^`]*perron [a-z][^`]*)`"), re.compile(r"^\s*\$ (.*)$", re.MULTILINE)
ENDLESS = {"run", "simulate"}  # these run until they are ended
ELSEWHERE = {"hub-claim"}  # this runs on the hub's machine


@pytest.fixture
def house() -> Iterator[Path]:
    """Make a house as a newcomer does; its file. Sockets lie in it, so its path is short."""
    with tempfile.TemporaryDirectory() as short:
        folder = Path(short) / ODD
        assert make_house(folder).returncode == ExitCode.DONE
        yield folder / "home.yaml"


def printed_commands(text: str) -> Iterator[str]:
    """Every command line that a text tells a person to type, whole."""
    yield from dict.fromkeys([*QUOTED.findall(text), *PASTED.findall(text)])


def what_is_printed(house: Path) -> Iterator[str]:
    """What the programs say to a newcomer who has a house and starts nothing, or the gateway alone."""
    homed = ("--home", house)
    yield run_perron("new", house.parent.parent / f"{ODD} 2").stdout
    for words in (
        ("doctor", *homed), ("doctor", "--all", *homed), ("claim-code", *homed), ("way-in", *homed), ("stop", *homed),
        ("scan", "8L20524752032", *homed), ("scan", "8L20524752032", "--deliver", *homed), ("test", "nobody", *homed),
        ("hands", "fault", "device=front-lock", "fault=jam", *homed), ("hands", "dance", *homed), ("survey", *homed),
        ("discover", "--seconds", "1", *homed), ("walk-test", *homed), ("reload", *homed),
        ("broker-config", house.parent / "accounts", *homed), ("add", *homed), ("add", "x", *homed),
        ("announce", "--home", house, "nowhere.yaml"), ("retailer", "announce", "nowhere.yaml", *homed),
        ("demo", "lock-lie"), ("guard", "--config", house.parent / "guard.yaml"), ("verify", house.parent),
        ("restore", house, *homed), ("join", "nonsense", *homed),
    ):  # fmt: skip
        told = run_perron(*words)
        yield told.stdout + told.stderr
    with start_command("run", *homed, terminal=True) as gateway:
        gateway.until("claim-code")
        gateway.until("NOT ready")
        gateway.until("brings one")
        yield gateway.text


def test_each_printed_command_can_be_typed_as_it_is_printed(house: Path) -> None:
    texts = list(what_is_printed(house))
    commands = list(dict.fromkeys(command for text in texts for command in printed_commands(text)))
    names = set()
    for command in commands:
        # Of a command between others (`mosquitto -c ...` and such) only Perron's own are tried.
        words = shlex.split(command)
        assert "perron" in words[0], command
        names.add(words[1])
        assert fault(words[1:]) is None, command
        assert not [word for word in words if re.fullmatch(r"[A-Z]{2,}", word)], f"a person must fill in: {command}"
        takes_home = not {words[1], " ".join(words[1:3])} & COMMANDS_WITHOUT_HOME
        if (
            takes_home and "--help" not in words and words[1] not in {"guard-key", "broker-config"}
        ):  # a guard's file names no house
            assert "--home" in words, f"typed as it is, it means another house: {command}"
        if "--home" in words:
            assert Path(words[words.index("--home") + 1]).parent.name.startswith(ODD), command
        if words[1] not in ENDLESS | ELSEWHERE:
            typed(command)
    assert {"simulate", "run", "retailer", "claim-code", "doctor", "broker-config", "hands"} <= names


def typed(command: str) -> None:
    """Type a command into a shell. It may find no broker or gateway, but it is no mistake of whoever typed it."""
    told = subprocess.run(
        ["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,  # noqa: S607 - whichever bash there is
        env={"PATH": f"{ROOT / '.venv' / 'bin'}:/usr/bin:/bin", "PYTHONPATH": str(ROOT), "HOME": "/nowhere"},
    )  # fmt: skip
    wrong = ("No such option", "No such command", "Missing argument", "cannot be read (No such file", "Traceback")
    assert not [one for one in wrong if one in told.stderr], f"{command}: {told.stderr}"
    assert told.returncode in {ExitCode.DONE, ExitCode.NEGATIVE, ExitCode.NO_ANSWER}, f"{command}: {told.stderr}"
