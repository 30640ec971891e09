"""`perron demo` at a terminal: one address, and nothing left running however it ends."""

import asyncio
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from aiohttp import ClientSession

from gateway.demo.processes import is_running
from tests.waiting import wait_until

PATIENCE = 60.0  # seconds


@contextmanager
def at_a_terminal(*words: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """The demo with a terminal of its own, and that terminal's other end."""
    ours, its = pty.openpty()
    command = [sys.executable, "-m", "gateway", "demo", "--fast", *words]
    environment = {**os.environ, "COLUMNS": "100", "TERM": "xterm"}
    with subprocess.Popen(
        command, stdin=its, stdout=its, stderr=its, start_new_session=True, env=environment
    ) as process:
        os.close(its)
        os.set_blocking(ours, False)
        try:
            yield process, ours
        finally:
            process.kill()
            os.close(ours)


async def told(terminal: int, pattern: str) -> re.Match[str]:
    """Wait until the terminal shows this."""
    shown = ""
    async with asyncio.timeout(PATIENCE):
        while True:
            with suppress(BlockingIOError, OSError):
                shown += os.read(terminal, 65_536).decode(errors="replace")
            if (found := re.search(pattern, shown)) is not None:
                return found
            await asyncio.sleep(0.05)


def started(folder: Path) -> set[int]:
    """All processes of this run: its folder stands on their command lines."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if str(folder).encode() in (process / "cmdline").read_bytes():
                found.add(int(process.name))
    return found


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A folder whose path leaves room for the run with the longest name; pytest's own one does not."""
    with TemporaryDirectory(prefix="perron-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.mark.slow
async def test_it_prints_one_address_and_with_lan_a_qr(short_path: Path) -> None:
    with at_a_terminal("--lan", "--folder", str(short_path / "run")) as (process, terminal):
        found = await told(terminal, r"http://\d+\.\d+\.\d+\.\d+:\d+/[\s\S]*[▀▄█][\s\S]*Ctrl-C")
        assert found[0].count("http://") == 1
        process.send_signal(signal.SIGINT)
        assert await asyncio.to_thread(process.wait, PATIENCE) == 128 + signal.SIGINT


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
async def test_whoever_ends_it_in_the_middle_of_the_show_leaves_no_process_behind(
    short_path: Path, number: signal.Signals
) -> None:
    folder = short_path / "run"
    with at_a_terminal("--folder", str(folder)) as (process, terminal):
        address = (await told(terminal, r"http://127\.0\.0\.1:\d+/"))[0]
        async with ClientSession() as session, session.ws_connect(f"{address}feed"):
            await wait_until(lambda: any(folder.glob("*/box/video.sock")), within=PATIENCE)
            await told(terminal, "unplugged|débranche")
        running = started(folder) - {process.pid}
        assert len(running) >= 4, "broker, house, gateway, video"
        process.send_signal(number)
        assert await asyncio.to_thread(process.wait, PATIENCE) == (-9 if number is signal.SIGKILL else 130)
    await wait_until(lambda: not any(map(is_running, running)))
