"""The unit that a box starts at boot: read by systemd's own tools, and its limits tried on a whole delivery."""

import asyncio
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from shutil import which
from typing import Self

import pytest

from gateway.demo.processes import LoggedProcess
from gateway.demo.run import DemoObserver, run_scenario
from gateway.demo.scenarios import find_scenarios
from tests.systemcalls import STRACE

UNITS = Path(__file__).parent.parent / "config/systemd"
ANALYZE = which("systemd-analyze") or "systemd-analyze"  # where it is missing its tests fail: they are never skipped
BIN = Path(sys.executable).parent
# prctl(2): no new privileges, and memory that was writable never becomes executable.
CONFINED = """
import ctypes, os, sys
for words in ((38, 1, 0, 0, 0), (65, 1, 0, 0, 0)):
    if ctypes.CDLL(None, use_errno=True).prctl(*words):
        raise OSError(ctypes.get_errno(), f"prctl {words}")
os.execvp(sys.argv[1], sys.argv[1:])
"""


def analyze(*words: str | Path) -> str:
    done = subprocess.run([ANALYZE, *words], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def members(name: str, lists: dict[str, list[str]]) -> set[str]:
    return set().union(*(members(each, lists) if each.startswith("@") else {each} for each in lists[name]))


def allowed(unit: str) -> set[str]:
    """The system calls that a unit's SystemCallFilter lines leave, as systemd reads them: later lines add or take."""
    lists: dict[str, list[str]] = {}
    current: list[str] = []
    for line in analyze("syscall-filter").splitlines():
        if line.startswith("@"):
            current = lists.setdefault(line.strip(), [])
        elif line.strip() and not line.strip().startswith("#"):
            current.append(line.strip())
    left = members("@default", lists)
    for words in re.findall(r"^SystemCallFilter=(.+)$", unit, re.MULTILINE):
        names = [members(word, lists) if word.startswith("@") else {word} for word in words.lstrip("~").split()]
        left = left - set().union(*names) if words.startswith("~") else left.union(*names)
    return left


@pytest.mark.parametrize("unit", sorted(path.name for path in UNITS.iterdir()))
def test_systemd_takes_every_line_of_the_unit(unit: str, tmp_path: Path) -> None:
    for each in UNITS.iterdir():  # units name each other
        (tmp_path / each.name).write_text(each.read_text().replace("/opt/perron/.venv/bin", str(BIN)))
    assert analyze("verify", "--man=no", tmp_path / unit) == ""


@pytest.mark.parametrize("unit", sorted(path.name for path in UNITS.glob("*.service")))
def test_systemd_calls_the_unit_well_protected(unit: str) -> None:
    exposure = re.search(
        r"exposure level .*: ([\d.]+)", analyze("security", "--offline=yes", "--no-pager", UNITS / unit)
    )
    assert exposure is not None
    assert float(exposure[1]) <= 2.0  # 10 is bare; what is left is a network and its own folder


# strace slows the video process: on a busy machine a camera misses a moment, and the box says so
CAMERA_STALLED = ("alarms: expected [], found [camera_lost]", "cameras with gaps: ")


def limits(record: Path, calls: set[str]) -> list[str]:
    """What stands before a command that may do no more: a call beyond fails as the unit lets it, and is recorded."""
    beyond = "!" + ",".join(f"?{name}" for name in sorted(calls))
    strace = [STRACE, "-D", "-f", "-qq", "--seccomp-bpf", "-e", "signal=none", "-o", str(record)]
    strace += ["-e", f"trace={beyond}", "-e", f"inject={beyond}:error=EPERM"]
    return [*strace, sys.executable, "-c", CONFINED]


def refused(record: Path) -> set[str]:
    return set(re.findall(r"^\d+ +(\w+)\(", record.read_text(), re.MULTILINE))


def confined(record: Path, calls: set[str]) -> type[LoggedProcess]:
    """A child under such limits; of the house only the gateway and what it starts is held to them."""

    class Confined(LoggedProcess):
        @classmethod
        async def start(cls, module: str, arguments: Sequence[str], log: Path) -> Self:
            before = limits(record, calls) if module.startswith("gateway.") else []
            with log.open("ab") as out:
                process = await asyncio.create_subprocess_exec(
                    *before, sys.executable, "-m", module, *arguments,
                    stdin=asyncio.subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
                )  # fmt: skip
            return cls(process, log)

    return Confined


def test_a_call_beyond_the_unit_fails_and_is_named(tmp_path: Path) -> None:
    calls = allowed((UNITS / "perron.service").read_text())
    command = [*limits(tmp_path / "beyond", calls - {"fdatasync"}), sys.executable, "-c", "import os; os.fdatasync(1)"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert "Operation not permitted" in done.stderr
    assert "fdatasync" in refused(tmp_path / "beyond")


@pytest.mark.slow
async def test_a_delivery_is_let_in_by_a_box_that_may_no_more_than_its_unit_allows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = allowed((UNITS / "perron.service").read_text())
    monkeypatch.setattr("gateway.demo.stage.LoggedProcess", confined(tmp_path / "beyond", calls))
    judged = await run_scenario(find_scenarios("delivered")[0], tmp_path / "run", fast=True, observer=DemoObserver())
    assert [complaint for complaint in judged.complaints if not complaint.startswith(CAMERA_STALLED)] == []
    assert refused(tmp_path / "beyond") <= {
        "mbind",  # an allocator's hint; it goes on without
        "setpriority",  # of who takes small pictures out of a film: it works at the usual priority
        "fchown",  # SQLite keeps a file's owner when it runs as root, as tests do and the unit does not
    }
