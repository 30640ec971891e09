"""What a house costs while nothing happens: the gateway between windows, its cameras unwatched, and with its cameras.

The next window is tomorrow: no camera runs, but the video process is there if the gateway keeps it.
"""

import asyncio
import contextlib
import secrets
import shutil
import tempfile
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

from gateway.demo.processes import LoggedProcess, read_pid, stop_detached
from tests.bench import homes
from tests.bench.cameras import CameraServer, cameras
from tests.bench.line import BenchLine, ShowStatus, median
from tests.bench.machine import cpu, pss
from tests.bench.peers.running import ACCOUNTS, floor_peers
from tests.bench.street import connected_devices
from tests.mosquitto import mosquitto

MAX_SHARE = 0.002  # of a core
SETTLE_S = 10.0  # seconds after the start until what it began with is over
CAMERAS = ("front", "hall", "night")
KINDS = ("gateway", "video", "echo")
ACL = "".join(f"user {name}\ntopic readwrite #\n" for name in ("gateway", "street", *ACCOUNTS))


async def bench(say: ShowStatus, *, quick: bool) -> list[BenchLine]:
    """Measure."""
    rounds, seconds = (1, 3.0) if quick else (3, 10.0)
    shares: dict[str, list[float]] = {kind: [] for kind in KINDS}
    async with cameras(*CAMERAS) as air, _house(air) as pids:
        say("a house comes to rest")
        await asyncio.sleep(SETTLE_S)
        for number in range(rounds):
            say(f"an idle house for {seconds:g} s: {number + 1} of {rounds}")
            before, began = {kind: cpu(pid) for kind, pid in pids.items()}, time.monotonic()
            await asyncio.sleep(seconds)
            for kind, pid in pids.items():
                shares[kind].append((cpu(pid) - before[kind]) / (time.monotonic() - began))
        memory = {kind: pss(pid) for kind, pid in pids.items()}
    return _lines({kind: median(found) if found else 0.0 for kind, found in shares.items()}, memory)


@contextlib.asynccontextmanager
async def _house(air: CameraServer) -> AsyncIterator[dict[str, int]]:
    """Run a house of three entrances whose next window is tomorrow, and an echo: the process ids."""
    accounts = {name: secrets.token_urlsafe(12) for name in ("gateway", "street", *ACCOUNTS)}
    folder = Path(tempfile.mkdtemp(prefix="perron-bench-"))  # short: it holds a Unix socket
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        broker = await stack.enter_async_context(mosquitto(accounts, ACL))
        (folder / "gateway.password").write_text(accounts["gateway"], encoding="utf-8")
        urls = tuple(air.url(name) for name in CAMERAS)
        home = homes.make_home(folder, entrances=len(CAMERAS), port=broker.port, cameras=urls)
        homes.write_home(home, folder / "home.yaml")
        await homes.fill_store(home, each=3, begins=timedelta(days=1))
        await stack.enter_async_context(connected_devices(broker.port, accounts["street"], len(CAMERAS)))
        peers = await stack.enter_async_context(floor_peers(broker.port, accounts, folder, "echo"))
        pid_file = home.storage.folder / "video.pid"
        stack.push_async_callback(stop_detached, pid_file)
        gateway = await LoggedProcess.start(
            "gateway", ["run", "--home", str(folder / "home.yaml")], folder / "gateway.log"
        )
        stack.push_async_callback(gateway.end)
        await gateway.wait_until("the gateway", (home.storage.folder / "perron.sqlite3").exists, within=120)
        await asyncio.sleep(SETTLE_S)
        pids = {"gateway": gateway.process.pid, "echo": peers.processes["echo"].process.pid}
        with contextlib.suppress(OSError, ValueError):  # a gateway may have no video process between windows
            pids["video"] = read_pid(pid_file)
        yield pids


def _lines(shares: dict[str, float], memory: dict[str, float]) -> list[BenchLine]:
    echo = max(shares["echo"], 1e-6)
    both = shares["gateway"] + shares["video"]
    goal = f"<= {MAX_SHARE:.1%}"
    told = {kind: f"{mib:.1f} MiB" for kind, mib in memory.items()}
    return [
        BenchLine(
            bench="idle", what=what, value=share * 100, unit="%", ratio=share / echo,
            against=f"an idle aiomqtt client ({echo:.3%})", goal=goal, met=share <= MAX_SHARE,
            parts={"gateway": f"{shares['gateway']:.3%}", "video process": f"{shares['video']:.3%}",
                   **{f"memory of {kind}": mib for kind, mib in told.items()}},
            why="timers that look instead of waiting for a deadline, see `perf trace` or `strace -c` of the process",
        )
        for what, share in (
            ("idle CPU of a gateway, three entrances, the next window tomorrow, of one core", shares["gateway"]),
            ("the same with its video process, three cameras that nobody watches, of one core", both),
        )
    ]  # fmt: skip
