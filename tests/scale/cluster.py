"""Three RabbitMQ nodes in network namespaces of their own, PostgreSQL and two hubs: all real, all on this machine."""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp

from gateway.hub.boxes.authority import HubAuthority
from gateway.hub.config import HubFile, load
from gateway.hub.database.store import HubStore
from gateway.mqtt.mosquitto.provisioning import free_port
from gateway.system.parent_death import with_parent_death_signal
from tests.scale.enrolling import HomeFleet, enrol
from tests.scale.network import NetworkBridge, bridge
from tests.scale.rabbit import RabbitNode, missing

PORT = 8883
NODE_COUNT = 3
START_TIMEOUT_S = 90.0


def missing_requirement() -> str | None:
    """What this machine or its user lacks for a cluster; None: nothing."""
    if os.geteuid() != 0:
        return "only root makes network namespaces: run it as root"
    packages = missing()
    return f"install first, without starting them: apt-get install {' '.join(packages)}" if packages else None


class Postgres:
    """A PostgreSQL of its own, as Debian's user postgres; `url` names its database."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._port = folder, free_port()
        self._binaries = max(Path("/usr/lib/postgresql").glob("*/bin"))
        self._process: asyncio.subprocess.Process | None = None
        self.url = f"postgresql+asyncpg://postgres@/postgres?host={folder}&port={self._port}"

    async def start(self) -> None:
        """Make it and start it."""
        self._folder.mkdir()
        shutil.chown(self._folder, "postgres", "postgres")
        as_it = ("setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "--pdeathsig=KILL")
        data = str(self._folder / "data")
        made = await asyncio.create_subprocess_exec(
            *as_it, str(self._binaries / "initdb"), "-D", data, "-A", "trust", "--no-sync", "--locale=C.UTF-8",
            stdout=asyncio.subprocess.DEVNULL, cwd=self._folder,
        )  # fmt: skip
        assert await made.wait() == 0
        with (self._folder / "log").open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                *as_it, str(self._binaries / "postgres"), "-D", data, "-p", str(self._port), "-h", "127.0.0.1",
                "-k", str(self._folder), "-c", "shared_buffers=256MB", "-c", "max_connections=100",
                stdout=log, stderr=log, cwd=self._folder,
            )  # fmt: skip
        async with asyncio.timeout(START_TIMEOUT_S):
            while True:
                with contextlib.suppress(OSError):
                    _, writer = await asyncio.open_connection("127.0.0.1", self._port)
                    writer.close()
                    return
                await asyncio.sleep(0.1)

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process is not None
        return self._process.pid

    async def end(self) -> None:
        """End it (SIGQUIT: at once)."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGQUIT)
            await self._process.wait()


class HubProcess:
    """One of the hubs."""

    def __init__(self, config: Path, url: str, known: str) -> None:
        self._config, self.url = config, url
        self._headers = {"Host": known}  # as a balancer before them would say
        self.log = config.with_suffix(".log")
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it and wait until it has store and broker."""
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *with_parent_death_signal(
                    [sys.executable, "-m", "gateway", "hub", "--config", str(self._config)], signal.SIGKILL
                ),
                stdout=log,
                stderr=log,
            )
        try:
            async with asyncio.timeout(START_TIMEOUT_S), aiohttp.ClientSession(headers=self._headers) as http:
                while True:
                    assert self._process.returncode is None, self.log.read_text()[-3000:]
                    with contextlib.suppress(aiohttp.ClientError):
                        async with http.get(f"{self.url}/readyz") as answer:
                            if answer.status == 200:
                                return
                    await asyncio.sleep(0.2)
        except TimeoutError as error:
            raise AssertionError(f"a hub does not become ready:\n{self.log.read_text()[-3000:]}") from error

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process is not None
        return self._process.pid

    def told(self) -> Counter[str]:
        """How often it told what."""
        lines = [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]
        return Counter(f"{line['event']} ({line['why'][:90]})" if "why" in line else line["event"] for line in lines)

    async def kill(self) -> None:
        """Kill it."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()


@dataclass
class Cluster:
    """All of it, running."""

    folder: Path
    bridge: NetworkBridge
    nodes: list[RabbitNode]
    hubs: list[HubProcess]
    file: HubFile
    fleet: HomeFleet
    empty: dict[str, int]  # bytes that each node held before a home came
    database: int  # process id

    @property
    def at(self) -> list[tuple[str, int]]:
        """Where homes connect."""
        return [(self.bridge.at(number), PORT) for number in range(1, NODE_COUNT + 1)]

    @property
    def processes(self) -> dict[str, list[int]]:
        """The ids of each part's processes, without those that they have started."""
        return {"hubs": [hub.pid for hub in self.hubs], "nodes": [node.pid for node in self.nodes],
                "PostgreSQL": [self.database]}  # fmt: skip

    @contextlib.asynccontextmanager
    async def store(self) -> AsyncIterator[HubStore]:
        """What the hubs have kept."""
        store = await HubStore.open(self.file.database)
        try:
            yield store
        finally:
            await store.close()


def _write_hub_files(folder: Path, one: NetworkBridge, database: str) -> list[tuple[Path, str]]:
    """Write the hubs' files; each with its address."""
    ports = free_port(), free_port()
    nodes = ", ".join(f"r{number}: {one.at(number)}" for number in range(1, NODE_COUNT + 1))
    made = []
    for number, port in enumerate(ports, start=1):
        config = folder / f"hub-{number}.yaml"
        config.write_text(
            f"url: http://127.0.0.1:{ports[0]}\nfolder: hub\nstore: {database}\nlisten: {{port: {port}}}\n"
            "limits: {writes: 10000, writes_a_day: 100000000, reads: 10000, new_connections: 10000}\n"
            f"boxes: {{host: mqtt.hub.example, port: {PORT}}}\n"
            f"rabbit:\n  nodes: {{{nodes}}}\n  files: {folder}/hub/rabbit/NODE\n  memory: 0.2\n"
            f"share: {{number: {number}, of: {len(ports)}}}\nsandbox: false\n"
        )
        made.append((config, f"http://127.0.0.1:{port}"))
    return made


def _folder(stack: contextlib.AsyncExitStack) -> Path:
    """A folder of its own, through which PostgreSQL's user may pass."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="perron-scale-")))
    folder.chmod(0o711)
    return folder


@contextlib.asynccontextmanager
async def cluster(homes: int, tell: Callable[[str], None]) -> AsyncIterator[Cluster]:
    """Run all of it, until left."""
    async with contextlib.AsyncExitStack() as stack:
        folder = _folder(stack)
        one = await stack.enter_async_context(bridge(NODE_COUNT))
        tell("PostgreSQL")
        postgres = Postgres(folder / "postgres")
        stack.push_async_callback(postgres.end)
        await postgres.start()
        configs = _write_hub_files(folder, one, postgres.url)
        asked = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "gateway", "hub-config", "--config", str(configs[0][0]),
            stdout=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        assert await asked.wait() == 0
        nodes = await start_nodes(stack, folder, one, tell)
        file = load(configs[0][0])
        tell(f"{homes} homes join")
        store = await HubStore.open(file.database)
        now = datetime.now(UTC)
        pems = folder / "homes"
        pems.mkdir()
        fleet = await enrol(store, homes, now=now, folder=pems, authority=HubAuthority.load(file.folder, now=now))
        await store.close()
        tell("two hubs")
        hubs = [HubProcess(config, url, urlsplit(file.url).netloc) for config, url in configs]
        for hub in hubs:
            stack.push_async_callback(hub.kill)
            await hub.start()
            tell(f"{hub.url} is ready")
        empty = {node.folder.name: node.memory() for node in nodes}
        yield Cluster(folder, one, nodes, hubs, file, fleet, empty, postgres.pid)


async def start_nodes(
    stack: contextlib.AsyncExitStack,
    folder: Path,
    one: NetworkBridge,
    tell: Callable[[str], None],
    count: int = NODE_COUNT,
) -> list[RabbitNode]:
    """Start the nodes r1, r2, ... whose files `perron hub-config` has written for `.../NODE`, and wait for them."""
    began = time.monotonic()
    cookie = (folder / "hub" / "rabbit" / "erlang.cookie").read_text()
    nodes = []
    for number in range(1, count + 1):
        own = folder / "hub" / "rabbit" / f"r{number}"
        for file in own.glob("*"):
            if file.is_file() and b"/NODE" in file.read_bytes():
                file.write_text(file.read_text().replace("/NODE", f"/r{number}"))
        node = RabbitNode(own, cookie=cookie, host=one.at(number), port=PORT, before=one.inside(number))
        stack.push_async_callback(node.end)
        nodes.append(node)
        await node.start()
    for node in nodes:
        await node.ready()
    tell(f"{len(nodes)} nodes after {time.monotonic() - began:.0f} s")
    return nodes
