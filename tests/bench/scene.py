"""A broker, the gateway with its stop-watch, all devices and the echo: what benches of decisions stand on."""

import asyncio
import contextlib
import secrets
import shutil
import sqlite3
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from gateway.demo.processes import Child, end_stranger
from tests.bench import homes
from tests.bench.marks import Mark, read
from tests.bench.street import Street, street
from tests.mosquitto import mosquitto

ACCOUNTS = ("gateway", "street", "echo")
ACL = "topic readwrite #\n" + "".join(f"user {name}\ntopic readwrite #\n" for name in ACCOUNTS)
QUIET = 0.3  # seconds after which what a round left behind is over


@dataclass(slots=True)
class Scene:
    """`marks` are there after the gateway has ended."""

    street: Street
    gateway: Child
    video_pid_file: Path
    marks: list[Mark]
    disk: sqlite3.Connection  # a database of nobody, beside the gateway's

    async def rest(self) -> None:
        """Wait until every entrance may be scanned at again and nothing else goes on."""
        await self.street.until("all entrances ready", self.street.ready)
        await asyncio.sleep(QUIET)


@contextlib.asynccontextmanager
async def scene(*, entrances: int, each: int, camera: str | None = None) -> AsyncIterator[Scene]:
    """Set it up, all entrances ready, `each` deliveries for each; take it down whatever happens.

    Raises:
        gateway.demo.processes.Died: a process did not start; the text tells its last words.
    """
    accounts = {name: secrets.token_urlsafe(12) for name in ACCOUNTS}
    folder = Path(tempfile.mkdtemp(prefix="perron-bench-"))  # short: it holds a Unix socket
    marks: list[Mark] = []
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        broker = await stack.enter_async_context(mosquitto(accounts, ACL))
        (folder / "gateway.password").write_text(accounts["gateway"], encoding="utf-8")
        home = homes.home(folder, entrances=entrances, port=broker.port, camera=camera)
        homes.write(home, folder / "home.yaml")
        await homes.fill(home, each=each)
        devices = await stack.enter_async_context(street(broker.port, accounts["street"], entrances))
        echo = ["--port", str(broker.port), "--password", accounts["echo"]]
        stack.push_async_callback((await Child.start("tests.bench.echo", echo, folder / "echo.log")).end)
        arguments = ["--home", str(folder / "home.yaml"), "--marks", str(folder / "marks")]
        pid_file = home.storage.folder / "video.pid"
        stack.push_async_callback(end_stranger, pid_file)
        proven = [] if camera else ["--proven"]
        gateway = await Child.start("tests.bench.gateway", [*arguments, *proven], folder / "gateway.log")
        stack.push_async_callback(gateway.end)
        await gateway.until("the gateway", devices.ready, within=60)
        disk = stack.enter_context(contextlib.closing(sqlite3.connect(folder / "bare.sqlite3")))
        disk.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE bare (one INTEGER)")
        made = Scene(devices, gateway, pid_file, marks, disk)
        await made.rest()
        await devices.echo()
        yield made
        await gateway.end()
        marks += read(folder / "marks")
