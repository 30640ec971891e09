"""What a person at a terminal does: give a command, speak with the broker."""

import asyncio
import contextlib
import os
import select
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Iterator
from importlib import import_module
from pathlib import Path
from typing import IO

import typer

from gateway.__main__ import MODULES
from gateway.cli.failure import ExitCode
from gateway.cli.options import cli
from gateway.config.home import Home
from gateway.config.loader import load_home_file
from gateway.mqtt.client import ShortSession, connect_once
from gateway.mqtt.mosquitto.provisioning import free_port
from gateway.mqtt.packets import InboundMessage
from tests.forkserver import ForkedProcess, fork_server, run_python

ROOT = Path(__file__).parents[3]
HOME_YAML = (ROOT / "config" / "home.yaml").read_text(encoding="utf-8")
TIMEOUT_S = 30.0
DELIVERY_YAML = """\
id: order-1
entrance: front
place: hall
carrier: Colissimo
window: {start: +0m, end: +2h}
parcels: [8L20524752032]
"""


def every_command() -> typer.Typer:
    """The command line with the commands of all modules."""
    for module in MODULES.values():
        import_module(module)
    return cli


def run_perron(*arguments: str | Path, home: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command as a shell would."""
    env = {**os.environ, "COLUMNS": "200", "NO_COLOR": "1"}
    if home is not None:
        env["PERRON_HOME"] = str(home)
    return run_python("-m", "gateway", *arguments, env=env, timeout=4 * TIMEOUT_S)


def make_house(folder: Path) -> subprocess.CompletedProcess[str]:
    """Make a house by `perron new`, with its pages and its broker on ports that no other test uses."""
    made = run_perron("new", folder)
    file = folder / "home.yaml"
    if made.returncode == ExitCode.DONE:
        pages = load_home_file(file).pages
        assert pages is not None
        text = file.read_text(encoding="utf-8").replace(f"port: {pages.port}", f"port: {free_port()}")
        text = text.replace("port: 1883", f"port: {free_port()}")
        file.write_text(text, encoding="utf-8")
    return made


class RunningCommand:
    """A command that runs on, and what it has printed so far."""

    def __init__(self, process: ForkedProcess, screen: Path) -> None:
        self.process = process
        self._screen = screen

    @property
    def text(self) -> str:
        return self._screen.read_text(encoding="utf-8", errors="replace")

    def until(self, words: str, *, within: float = 2 * TIMEOUT_S) -> None:
        """Wait until it has printed these words."""
        end = time.monotonic() + within
        while words not in self.text:
            assert time.monotonic() < end, f"{words!r} was not printed, but: {self.text}"
            time.sleep(0.05)

    def end(self, number: int) -> int:
        """End it by this signal; returns its status."""
        self.process.send_signal(signal.Signals(number))
        return self.process.wait_at_most(TIMEOUT_S)


@contextlib.contextmanager
def start_command(*arguments: str | Path, terminal: bool = False) -> Iterator[RunningCommand]:
    """Start a command that runs on, at a `terminal` or not; it is ended with the block."""
    env = {**os.environ, "COLUMNS": "200", "NO_COLOR": "1"}
    with tempfile.NamedTemporaryFile() as screen, contextlib.ExitStack() as stack:
        out = stack.enter_context(_pseudo_terminal(Path(screen.name))) if terminal else screen
        process = fork_server().start(["-m", "gateway", *map(str, arguments)], out, cwd=ROOT, env=env)
        told = RunningCommand(process, Path(screen.name))
        try:
            yield told
        finally:
            if process.returncode is None:
                told.end(signal.SIGTERM)


@contextlib.contextmanager
def _pseudo_terminal(screen: Path) -> Iterator[IO[bytes]]:
    """Open one; what is written to it goes to the file too."""
    ours, theirs = os.openpty()

    ended = threading.Event()

    def copy() -> None:
        with screen.open("ab", buffering=0) as out, contextlib.suppress(OSError):  # EIO: nobody writes any more
            while True:
                if select.select([ours], [], [], 0.05)[0]:
                    out.write(os.read(ours, 65_536))
                elif ended.is_set():  # a video process outlives its gateway by a minute, and has the terminal open
                    return

    reader = threading.Thread(target=copy)
    reader.start()
    try:
        with os.fdopen(theirs, "wb", buffering=0) as terminal:
            yield terminal
    finally:
        ended.set()
        reader.join()
        os.close(ours)


@contextlib.asynccontextmanager
async def account_session(home: Home, account: str, *topics: str) -> AsyncIterator[ShortSession]:
    async with connect_once(home.broker.account(account), topics, monotonic=time.monotonic) as visitor:
        yield visitor


async def next_message(visitor: ShortSession) -> InboundMessage:
    async with asyncio.timeout(TIMEOUT_S):
        return await visitor.receive()
