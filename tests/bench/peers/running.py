"""Starts the floors beside which all is measured: the echo, one in C where there is a compiler, and the floor."""

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from gateway.demo.processes import LoggedProcess, log_tail
from tests.bench.peers.job import Scanners, connected_scanners

# A broker of ours takes an account's name as its client identifier: each program has its own.
OTHERS = ("node-red", "node-red-nodelay", "home-assistant", "home-assistant-nodelay")
ACCOUNTS = ("scanners", "echo", "floor", "cecho", *OTHERS)
TOLD = {"echo": "bare aiomqtt echo", "floor": "floor in Python", "cecho": "bare echo in C"}
_C_SOURCE = Path(__file__).with_name("echo.c")


class FloorPeers:
    """`processes`: each peer that runs, by the name that its topics have."""

    def __init__(self, scanners: Scanners) -> None:
        self.scanners = scanners
        self.processes: dict[str, LoggedProcess] = {}


@contextlib.asynccontextmanager
async def floor_peers(port: int, passwords: Mapping[str, str], folder: Path, *names: str) -> AsyncIterator[FloorPeers]:
    """Run these (all where none is named) until left, each having answered once; without a C compiler, without that."""
    async with contextlib.AsyncExitStack() as stack:
        made = FloorPeers(await stack.enter_async_context(connected_scanners(port, passwords["scanners"])))
        for name in names or TOLD:
            if name == "cecho":
                process = await _compiled_echo(port, passwords[name], folder)
            else:
                arguments = ["--port", str(port), f"--password={passwords[name]}"]
                arguments += ["--database", str(folder / "floor.sqlite3")] if name == "floor" else []
                process = await LoggedProcess.start(f"tests.bench.peers.{name}", arguments, folder / f"{name}.log")
            if process is not None:
                stack.push_async_callback(process.end)
                made.processes[name] = process
                await until_ready(made.scanners, name, process)
        yield made


async def until_ready(scanners: Scanners, name: str, process: LoggedProcess) -> None:
    """Return when a peer answers.

    Raises:
        RuntimeError: it ended or does not answer; the text has the end of its log.
    """
    answer = asyncio.create_task(scanners.until_ready(name))
    end = asyncio.create_task(process.process.wait())
    try:
        await asyncio.wait((answer, end), return_when=asyncio.FIRST_COMPLETED)
        if answer.done() and answer.exception() is None:
            return
        what = "never answered" if answer.done() else f"ended with {end.result()}"
        raise RuntimeError(f"{TOLD[name]} {what}: {log_tail(process.log, 1)}\n{log_tail(process.log)}")
    finally:
        answer.cancel()
        end.cancel()
        await asyncio.wait((answer, end))


async def _compiled_echo(port: int, password: str, folder: Path) -> LoggedProcess | None:
    compiler = shutil.which("cc")
    if compiler is None:
        return None
    program, log = folder / "cecho", folder / "cecho.log"
    with log.open("ab") as out:
        compiling = await asyncio.create_subprocess_exec(
            compiler, "-O2", "-o", str(program), str(_C_SOURCE), stdout=out, stderr=out
        )
        if await compiling.wait():
            return None
        process = await asyncio.create_subprocess_exec(str(program), str(port), password, stdout=out, stderr=out)
    return LoggedProcess(process, log)
