"""The hub's store: SQLite on one machine, PostgreSQL at scale, by the same statements.

Every change is one transaction of `writing`. SQLite has one writer: writers queue here rather than in its busy timer,
and each begins `IMMEDIATE`, so none fails half-way because another wrote meanwhile. What is leased by several hubs at
once (`FOR UPDATE SKIP LOCKED`) needs no lock there, for there is one hub.
"""

import asyncio
import contextlib
import secrets
from base64 import b32encode
from collections.abc import AsyncIterator, Coroutine
from typing import Any, TypeVar

from sqlalchemy import event, insert, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, NoSuchModuleError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from gateway.hub.tables import VERSION, about, metadata

T = TypeVar("T")

BUSY = 10_000  # milliseconds that SQLite waits for another process, a backup say
UNAVAILABLE = (OperationalError, InterfaceError, OSError)  # the database does not answer, or takes nothing: try again


class StoreUnusable(Exception):  # noqa: N818 - it says what is the matter
    """The database cannot be used; the text says why and what to do."""


async def whole(work: Coroutine[Any, Any, T]) -> T:
    """Let a piece of work with the database end, also when whoever waits for it is cancelled meanwhile.

    A statement that is cancelled in the middle leaves its connection to the garbage collector.
    """
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise


def new_id(prefix: str) -> str:
    """Name something: the prefix, a hyphen and 128 random bits in small letters and digits."""
    return f"{prefix}-{b32encode(secrets.token_bytes(16)).decode().rstrip('=').lower()}"


class Store:
    """One database. Made by `open`."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self.one_writer = engine.dialect.name == "sqlite"
        self._turn = asyncio.Lock()

    @classmethod
    async def open(cls, url: str) -> "Store":
        """Open the database that a URL of SQLAlchemy names, and make its tables where there are none.

        Raises:
            StoreUnusable: it cannot be reached, or a newer hub wrote it.
        """
        try:
            engine = _engine(url)
        except (ArgumentError, NoSuchModuleError) as error:
            raise StoreUnusable(
                f"{url!r} names no database: write sqlite+aiosqlite:///hub.sqlite3 or"
                " postgresql+asyncpg://user@host/name."
            ) from error
        store = cls(engine)
        try:
            await store._begin()
        except (DBAPIError, OSError) as error:
            await engine.dispose()
            raise StoreUnusable(f"The database cannot be used: {str(error).splitlines()[0]}") from error
        except StoreUnusable:
            await engine.dispose()
            raise
        return store

    async def close(self) -> None:
        """Close every connection."""
        await self._engine.dispose()

    @contextlib.asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """Give a connection to read by; what it sees is one moment."""
        async with self._engine.connect() as connection:
            yield connection

    @contextlib.asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """Give a transaction: whole when the block ends, nothing if it raises."""
        async with self._turn if self.one_writer else contextlib.nullcontext(), self._engine.connect() as connection:
            if self.one_writer:
                await connection.execution_options(perron_writes=True)
            async with connection.begin():
                yield connection

    async def well(self) -> bool:
        """Whether it answers now."""
        try:
            async with self.reading() as connection:
                await connection.execute(select(1))
        except (OperationalError, OSError):
            return False
        return True

    async def _begin(self) -> None:
        async with self.writing() as connection:
            await connection.run_sync(metadata.create_all)
            found = await connection.scalar(select(about.c.value).where(about.c.key == "version"))
            if found is None:
                await connection.execute(insert(about).values(key="version", value=str(VERSION)))
            elif int(found) > VERSION:
                raise StoreUnusable(
                    f"The database was written by a newer hub (version {found}; this one knows {VERSION}). Upgrade."
                )


def _engine(url: str) -> AsyncEngine:
    if make_url(url).get_backend_name() != "sqlite":
        return create_async_engine(url, pool_size=10, max_overflow=10, pool_pre_ping=True)
    engine = create_async_engine(url, connect_args={"timeout": BUSY / 1000})

    @event.listens_for(engine.sync_engine, "connect")
    def opened(connection: Any, _record: object) -> None:  # noqa: ANN401 - the driver's
        connection.isolation_level = None  # SQLAlchemy says BEGIN itself, below
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def begun(connection: Any) -> None:  # noqa: ANN401 - SQLAlchemy's
        writes = connection.get_execution_options().get("perron_writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine
