"""A broker, the gateway, all devices and floor peers: what benches of decisions stand on."""

import asyncio
import contextlib
import secrets
import shutil
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gateway.demo.processes import LoggedProcess, stop_detached
from tests.bench import homes
from tests.bench.marks import Mark, read
from tests.bench.peers.running import ACCOUNTS as PEER_ACCOUNTS
from tests.bench.peers.running import FloorPeers, floor_peers
from tests.bench.street import DeviceClient, connected_devices
from tests.mosquitto import mosquitto

ACCOUNTS = ("gateway", "street", *PEER_ACCOUNTS)
ACL = "topic readwrite #\n" + "".join(f"user {name}\ntopic readwrite #\n" for name in ACCOUNTS)
SETTLE_S = 0.3  # seconds after which what a round left behind is over


@dataclass(slots=True)
class BenchScene:
    """`marks` are there after the gateway has ended."""

    street: DeviceClient
    gateway: LoggedProcess
    peers: FloorPeers
    video_pid_file: Path
    marks: list[Mark]
    disk: sqlite3.Connection  # a database of nobody, beside the gateway's
    port: int  # the broker's
    passwords: Mapping[str, str]  # of its accounts
    folder: Path

    async def rest(self) -> None:
        """Wait until every entrance may be scanned at again and nothing else goes on."""
        await self.street.until("all entrances ready", self.street.ready)
        await asyncio.sleep(SETTLE_S)


@contextlib.asynccontextmanager
async def scene(  # noqa: PLR0913 - each is another thing that a bench varies
    *,
    entrances: int,
    each: int | Callable[[int], int],
    camera: str | None = None,
    with_marks: bool = False,
    peers: Sequence[str] = ("echo",),
    command_life_s: float = homes.COMMAND_LIFE_S,
) -> AsyncIterator[BenchScene]:
    """Set it up, all entrances ready, `each` deliveries for each; take it down whatever happens.

    A gateway `with_marks` says where its time goes and is slower for it: what is told of its speed comes from one
    without.

    Raises:
        gateway.cli.failure.Failure: a process did not start; the text tells its last words.
    """
    accounts = {name: secrets.token_urlsafe(12) for name in ACCOUNTS}
    folder = Path(tempfile.mkdtemp(prefix="perron-bench-"))  # short: it holds a Unix socket
    marks: list[Mark] = []
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        broker = await stack.enter_async_context(mosquitto(accounts, ACL))
        (folder / "gateway.password").write_text(accounts["gateway"], encoding="utf-8")
        home = homes.make_home(
            folder, entrances=entrances, port=broker.port, cameras=(camera,) if camera else (),
            command_life_s=command_life_s,
        )  # fmt: skip
        homes.write_home(home, folder / "home.yaml")
        await homes.fill_store(home, each=each)
        devices = await stack.enter_async_context(connected_devices(broker.port, accounts["street"], entrances))
        beside = await stack.enter_async_context(floor_peers(broker.port, accounts, folder, *peers))
        arguments = ["--home", str(folder / "home.yaml")]
        arguments += ["--marks", str(folder / "marks")] if with_marks else []
        pid_file = home.storage.folder / "video.pid"
        stack.push_async_callback(stop_detached, pid_file)
        proven = [] if camera else ["--proven"]
        gateway = await LoggedProcess.start("tests.bench.gateway", [*arguments, *proven], folder / "gateway.log")
        stack.push_async_callback(gateway.end)
        await gateway.wait_until("the gateway", devices.ready, within=180)
        disk = stack.enter_context(contextlib.closing(sqlite3.connect(folder / "bare.sqlite3")))
        disk.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE bare (one INTEGER)")
        made = BenchScene(devices, gateway, beside, pid_file, marks, disk, broker.port, accounts, folder)
        await made.rest()
        yield made
        await gateway.end()
        marks += read(folder / "marks") if with_marks else []
