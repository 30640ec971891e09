"""A real hub for tests: in this process, on a port of its own, with a retailer's key."""

import asyncio
import contextlib
import socket
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from unittest.mock import AsyncMock, patch

import aiohttp

from gateway.hub.admin import create_retailer
from gateway.hub.config import HubBroker, HubFile, Limits, Listen, Webhooks
from gateway.hub.database.store import HubStore
from gateway.hub.process import HubProcess
from gateway.mqtt.mosquitto.provisioning import free_port
from gateway.system.guarded_http import Lookup
from tests.mosquitto import Mosquitto, mosquitto

HIGH_LIMITS = Limits(
    writes=10_000, writes_a_day=10_000_000, reads=10_000, strangers=10_000, sandbox_writes_a_day=10_000_000,
    sandboxes=10_000, connections=10_000, new_connections=10_000, stranger_requests=10_000, questions=10_000,
    orders=10_000, home_events=10_000_000, home_bytes=10**10,
)  # fmt: skip


@dataclass
class RetailerAccess:
    """Somebody with a key."""

    id: str
    token: str

    @property
    def headers(self) -> dict[str, str]:
        """What goes with each request."""
        return {"Authorization": f"Bearer {self.token}"}


@dataclass
class RunningHub:
    """A hub that runs."""

    hub: HubProcess
    url: str
    http: aiohttp.ClientSession

    async def retailer(self, name: str = "Maison Lune", *, sandbox: bool = False) -> RetailerAccess:
        """Let one in."""
        return RetailerAccess(*await create_retailer(self.hub.store, name, now=self.hub.now(), sandbox=sandbox))


_SQLITE = "sqlite+aiosqlite:///"
Databases = Callable[[Path], str]
_databases: list[Databases] = []  # the newest is asked


@contextlib.contextmanager
def use_databases(of: Databases) -> Iterator[None]:
    """Have every hub of the block keep where this says, by its folder."""
    _databases.append(of)
    try:
        yield
    finally:
        _databases.pop()


def database(folder: Path) -> str:
    """The URL of the store of a hub in this folder: SQLite's, unless the test runs on PostgreSQL."""
    return _databases[-1](folder) if _databases else f"{_SQLITE}{folder / 'hub.sqlite3'}"


def make_database(url: str) -> str:
    """Lay a new SQLite file there that has its tables, as PostgreSQL's databases have; the URL.

    A hub would make them one by one, for each of hundreds of tests.
    """
    file = Path(url.removeprefix(_SQLITE))
    if url.startswith(_SQLITE) and not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        file.write_bytes(_with_tables())
    return url


_copies: set[str] = set()  # of PostgreSQL's databases, those that no hub has opened yet


def copied(url: str) -> str:
    """Remember that this database of PostgreSQL is a copy of one that has its tables; the URL."""
    _copies.add(url)
    return url


def _opening(url: str) -> contextlib.AbstractContextManager[object]:
    """Look through no tables where a database is still the copy of one that a hub has brought up to date.

    That look is a quarter of what a test of the hub costs. Databases that differ are looked through as ever.
    """
    file = Path(url.removeprefix(_SQLITE))
    same = file.read_bytes() == _with_tables() if url.startswith(_SQLITE) else url in _copies
    _copies.discard(url)
    return patch("gateway.hub.database.store.migrate", AsyncMock()) if same else contextlib.nullcontext()


@cache
def _with_tables() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "hub.sqlite3"

        async def make() -> None:
            await (await HubStore.open(f"{_SQLITE}{file}")).close()

        with ThreadPoolExecutor(1) as thread:  # a test has an event loop already
            thread.submit(asyncio.run, make()).result()
        return file.read_bytes()


def hub_file(
    folder: Path, *, limits: Limits = HIGH_LIMITS, broker: HubBroker | None = None, webhooks: Webhooks | None = None
) -> HubFile:
    """A hub on a free port of this machine."""
    port = free_port()
    return HubFile(
        store=database(folder / "hub"),
        url=f"http://127.0.0.1:{port}", folder=folder / "hub", listen=Listen(port=port), limits=limits, broker=broker,
        webhooks=webhooks or Webhooks(),
    )  # fmt: skip


def unknown_names(host: str, _port: int) -> list[tuple[socket.AddressFamily, str]]:
    """Know no name: a test sends nothing beyond this machine."""
    raise socket.gaierror(socket.EAI_NONAME, f"{host} is not known")


@contextlib.asynccontextmanager
async def homes_broker(*homes: str) -> AsyncIterator[Mosquitto]:
    """A broker for these homes and a hub: each speaks and hears under its own name only. Passwords are `secret`."""
    hubs = "".join(f"user {hub}\ntopic write dn/#\ntopic read up/#\n\n" for hub in ("hub", "hub-2"))
    acl = f"{hubs}pattern write up/+/%u/#\npattern read dn/%u/#\n"
    async with mosquitto(dict.fromkeys(("hub", *homes), "secret"), acl) as broker:
        yield broker


def broker_account(broker: Mosquitto, folder: Path, name: str = "hub") -> HubBroker:
    """How one of them reaches it."""
    file = folder / f"{name}.password"
    file.write_text("secret\n")
    return HubBroker(port=broker.port, username=name, password_file=file)


@contextlib.asynccontextmanager
async def run_hub(
    file: HubFile, *, wall: Callable[[], float] = time.time, lookup: Lookup = unknown_names
) -> AsyncIterator[RunningHub]:
    """Run it, and end it."""
    with _opening(make_database(file.database)):
        hub = HubProcess(file, wall=wall, signals=False, lookup=lookup)
        task, opened = asyncio.create_task(hub.run()), asyncio.create_task(hub.open.wait())
        await asyncio.wait({task, opened}, return_when=asyncio.FIRST_COMPLETED)
        opened.cancel()
    if task.done():
        task.result()
    try:
        async with aiohttp.ClientSession(file.url) as http:
            yield RunningHub(hub, file.url, http)
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
