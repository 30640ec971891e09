"""What is started on a leash stays behind nobody who is killed."""

import os
import signal
import subprocess
import sys
import time

import pytest

from gateway.demo.processes import is_running
from gateway.system.parent_death import with_parent_death_signal

PATIENCE = 20.0  # seconds
STARTER = """
import signal, subprocess, sys
from gateway.system.parent_death import with_parent_death_signal
child = subprocess.Popen(with_parent_death_signal(sys.argv[2:], signal.Signals(int(sys.argv[1]))))
print(child.pid, flush=True)
child.wait()
"""
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"


@pytest.mark.parametrize(
    ("number", "command"),
    [(signal.SIGHUP, ("sleep", "60")), (signal.SIGKILL, (sys.executable, "-c", DEAF))],
    ids=["asked to end", "made to end"],
)
def test_it_ends_when_its_starter_is_killed(number: signal.Signals, command: tuple[str, ...]) -> None:
    words = [sys.executable, "-c", STARTER, str(int(number)), *command]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout is not None
        pid = int(starter.stdout.readline())
        if command[0] != "sleep":
            assert starter.stdout.readline() == "deaf\n"
        assert is_running(pid)
        starter.kill()
    began = time.monotonic()
    while is_running(pid) and time.monotonic() - began < PATIENCE:
        time.sleep(0.02)
    assert not is_running(pid)


def test_it_is_the_command_itself_with_its_own_words_and_its_own_end() -> None:
    command = [
        sys.executable,
        "-c",
        "import os, sys; print(os.getpid(), *sys.argv[1:]); sys.exit(7)",
        "two words",
        "$x",
    ]
    with subprocess.Popen(with_parent_death_signal(command), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.read() == f"{process.pid} two words $x\n"
    assert process.returncode == 7


def test_what_comes_too_late_to_be_on_a_leash_is_not_begun() -> None:
    words = with_parent_death_signal(["echo", "begun"])
    words[words.index(str(os.getpid()))] = str(os.getppid())  # as if we were not the one who wanted it
    assert subprocess.run(words, check=True, capture_output=True).stdout == b""
