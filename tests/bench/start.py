"""Cold start: `perron run` until its door would take a scan, and `make demo` until its address is on the screen.

The peer is a bare Python that imports what any gateway on aiohttp, pydantic and SQLite would.
"""

import asyncio
import contextlib
import os
import pty
import random
import secrets
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

from gateway.demo.processes import LoggedProcess, stop_detached
from tests.bench import homes
from tests.bench.line import BenchLine, ShowStatus, median, ms
from tests.bench.machine import cpu, pss
from tests.bench.street import connected_devices
from tests.mosquitto import mosquitto

BARE_IMPORTS = "import asyncio, sqlite3, ssl; import aiohttp, aiohttp.web, pydantic, jinja2"
# CPU of commit c60afefb, in times that of the bare Python of the same run (10 rounds): the goal is half. The time
# itself says less on a machine that does other things too.
RUN_BEFORE, DEMO_BEFORE = 5.6, 6.6
TIMEOUT_S = 120.0  # seconds
ACL = "user gateway\ntopic readwrite #\nuser street\ntopic readwrite #\n"


async def bench(say: ShowStatus, *, quick: bool) -> list[BenchLine]:
    """Measure."""
    rounds = 1 if quick else 5
    kinds = {"bare": _bare, "run": _run, "demo": _demo}
    took: dict[str, list[tuple[float, float]]] = {name: [] for name in kinds}
    memory: list[float] = []
    for number in range(rounds):
        for name in random.sample(sorted(kinds), len(kinds)):
            say(f"cold start, {name}: {number + 1} of {rounds}")
            took[name].append(await kinds[name](memory))
    return _lines(took, memory)


async def _bare(_memory: list[float]) -> tuple[float, float]:
    """Seconds, and seconds of CPU."""
    began, before = time.monotonic(), os.times()
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", BARE_IMPORTS)
    await process.wait()
    after = os.times()
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    return time.monotonic() - began, spent


async def _run(memory: list[float]) -> tuple[float, float]:
    """The same of a gateway with one entrance, until it says that it is ready."""
    accounts = {name: secrets.token_urlsafe(12) for name in ("gateway", "street")}
    folder = Path(tempfile.mkdtemp(prefix="perron-bench-"))  # short: it holds a Unix socket
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        broker = await stack.enter_async_context(mosquitto(accounts, ACL))
        (folder / "gateway.password").write_text(accounts["gateway"], encoding="utf-8")
        home = homes.make_home(folder, entrances=1, port=broker.port)
        homes.write_home(home, folder / "home.yaml")
        await homes.fill_store(home, each=1)
        devices = await stack.enter_async_context(connected_devices(broker.port, accounts["street"], 1))
        ready = asyncio.Event()
        devices.on_ready = lambda _n: ready.set()
        stack.push_async_callback(stop_detached, home.storage.folder / "video.pid")
        began = time.monotonic()
        gateway = await LoggedProcess.start(
            "gateway", ["run", "--home", str(folder / "home.yaml")], folder / "gateway.log"
        )
        stack.push_async_callback(gateway.end)
        async with asyncio.timeout(TIMEOUT_S):
            await ready.wait()
        found = time.monotonic() - began, cpu(gateway.process.pid)
        memory.append(pss(gateway.process.pid))
        return found


async def _demo(_memory: list[float]) -> tuple[float, float]:
    """The same of `perron demo --fast` at a terminal, as `make demo` runs it, until it shows its address."""
    folder = Path(tempfile.mkdtemp(prefix="perron-bench-"))
    terminal, end = pty.openpty()
    began = time.monotonic()
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "gateway", "demo", "--fast", "--folder", str(folder / "demo"),
            stdin=end, stdout=end, stderr=end, start_new_session=True,
        )  # fmt: skip
        try:
            async with asyncio.timeout(TIMEOUT_S):
                said = await asyncio.to_thread(_read_until, terminal, b"http://")
            found = time.monotonic() - began, cpu(process.pid)
            if b"http://" not in said:
                raise RuntimeError(f"`perron demo` shows no address: {said[-200:].decode(errors='replace')}")
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGINT)
            async with asyncio.timeout(TIMEOUT_S):
                await process.wait()
    finally:
        os.close(terminal)
        os.close(end)
        shutil.rmtree(folder, ignore_errors=True)
    return found


def _read_until(terminal: int, words: bytes) -> bytes:
    said, late = b"", time.monotonic() + TIMEOUT_S / 2
    os.set_blocking(terminal, False)
    while words not in said and time.monotonic() < late:
        try:
            said += os.read(terminal, 4096)
        except BlockingIOError:
            time.sleep(0.002)
    return said


def _lines(took: dict[str, list[tuple[float, float]]], memory: list[float]) -> list[BenchLine]:
    bare = median([seconds for seconds, _ in took["bare"]])
    bare_cpu = median([spent for _, spent in took["bare"]])
    against = f"a bare Python with aiohttp, pydantic and SQLite {ms(bare)}"
    lines = []
    for name, what, before in (
        ("run", "cold start: `perron run` until its door would take a scan", RUN_BEFORE),
        ("demo", "cold start: `make demo` until its address is on the screen", DEMO_BEFORE),
    ):
        value = median([seconds for seconds, _ in took[name]])
        spent = median([one for _, one in took[name]])
        times, goal = spent / bare_cpu, before / 2
        lines.append(
            BenchLine(
                bench="start", what=what, value=value, unit="s", ratio=value / bare, against=against,
                goal=f"CPU <= {goal:.1f} x (half of the {before:.1f} x at c60afefb)", met=times <= goal,
                parts={"CPU": ms(spent), "CPU of the bare Python": ms(bare_cpu), "CPU ratio": f"{times:.1f} x"},
                why="what is imported before the first decision, see `python -X importtime -m gateway run`",
            )
        )  # fmt: skip
    lines.append(BenchLine(bench="start", what="memory of a gateway of one entrance that has just started (PSS)",
                           value=median(memory), unit="MiB"))  # fmt: skip
    return lines
