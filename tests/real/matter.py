"""A real Matter server and a virtual Matter lock, each a process of its own; ended by their own process ids.

The server keeps some of its files in /data, wherever its storage is: the folder must be there and writable.
"""

import asyncio
import contextlib
import json
import os
import shutil
import signal
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import aiohttp

from gateway.integrations.matter.file import MatterServerSection
from gateway.integrations.matter.server import connect
from gateway.mqtt.mosquitto.provisioning import free_port
from tests.waiting import wait_until

FOLDER = Path(os.environ.get("MATTER", "build/matter")).absolute()  # `make test-matter` says where
SCRIPT = Path(__file__).with_name("matter_lock.mjs")
START_TIMEOUT_S = 60.0  # seconds
PASSCODE, DISCRIMINATOR = 20202021, 3840  # of matter_lock.mjs


class MatterLock:
    """The virtual lock."""

    def __init__(self, folder: Path, authority: Path, *, plain: bool) -> None:
        self._folder, self._authority, self._plain, self._port = folder, authority, plain, free_port()
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self.told: list[Mapping[str, object]] = []

    async def begin(self) -> None:
        script = FOLDER / "node" / SCRIPT.name  # an ES module finds its packages from where it lies
        shutil.copyfile(SCRIPT, script)
        with (self._folder / "lock.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                "node", str(script), str(self._port), str(self._folder / "lock"), str(self._authority),
                *(["plain"] if self._plain else []),
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=log,
            )  # fmt: skip
        self._reading = asyncio.create_task(self._read())
        await wait_until(lambda: {"started": True} in self.told, START_TIMEOUT_S)

    async def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            if line.startswith(b"{"):
                self.told.append(json.loads(line))

    @property
    def invoked(self) -> list[object]:
        """The commands that reached the lock."""
        return [one["invoked"] for one in self.told if "invoked" in one]

    async def does(self, **order: object) -> None:
        """Let something happen at the lock, and wait until it has."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        await self._process.stdin.drain()
        await wait_until(lambda: {"did": order} in self.told)

    def sleep(self) -> None:
        """Let it hear nothing, as a lock on a battery between two radio slots."""
        self._signal(signal.SIGSTOP)

    def wake(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(number)

    async def end(self) -> None:
        self.wake()
        self._signal(signal.SIGKILL)
        if self._process is not None:
            await self._process.wait()
        if self._reading is not None:
            await self._reading


class MatterServer:
    """python-matter-server."""

    def __init__(self, folder: Path, authorities: Path) -> None:
        self._folder, self._authorities, self._port = folder, authorities, free_port()
        self._process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self._port}/ws"

    async def begin(self) -> None:
        """Start it, and wait until it answers."""
        with (self._folder / "server.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                str(FOLDER / "venv" / "bin" / "matter-server"), "--storage-path", str(self._folder / "server"),
                "--port", str(self._port), "--listen-address", "127.0.0.1",
                "--paa-root-cert-dir", str(self._authorities), "--ota-provider-dir", str(self._folder / "ota"),
                stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip

        async def answers() -> bool:
            assert self._process is not None
            assert self._process.returncode is None, (self._folder / "server.log").read_text()[-2000:]
            with contextlib.suppress(aiohttp.ClientError):
                async with aiohttp.ClientSession() as session, session.ws_connect(self.url) as socket:
                    return "schema_version" in await socket.receive_json()
            return False

        await wait_until(answers, START_TIMEOUT_S)

    async def request(self, command: str, **arguments: object) -> object:
        """Ask it something, as its own clients do."""
        async with connect(MatterServerSection(url=self.url)) as session:
            reading = asyncio.create_task(_drain(session.events()))
            try:
                return await session.ask(command, arguments, within_s=START_TIMEOUT_S)
            finally:
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)

    async def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(number)
            await self._process.wait()


async def _drain(events: AsyncIterator[object]) -> None:
    async for _ in events:
        pass


@contextlib.asynccontextmanager
async def commissioned(folder: Path, *, plain: bool = False) -> AsyncIterator[tuple[MatterServer, MatterLock]]:
    """The server, and the lock that it has commissioned over this machine's own network as node 1.

    `plain`: the lock has no latch of its own.
    """
    authorities = folder / "authorities"
    authorities.mkdir()
    (authorities / ".version").write_text("1")  # it need not fetch any
    (folder / "server").mkdir()
    lock, server = MatterLock(folder, authorities / "test.der", plain=plain), MatterServer(folder, authorities)
    try:
        await lock.begin()
        await server.begin()
        await server.request("commission_on_network", setup_pin_code=PASSCODE, filter_type=2, filter=DISCRIMINATOR)
        yield server, lock
    finally:
        await server.end()
        await lock.end()
