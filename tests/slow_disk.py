"""A disk that is blocked for a while; then each job is a commit of its own, of which the first may fail."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from gateway.storage.database import Database
from gateway.storage.writer import Writer


class SlowDisk:
    """`fails_once`: the disk is full for the first commit after the wait."""

    def __init__(self, writer: Writer) -> None:
        self.fails_once = False
        self._connect = writer._connect  # noqa: SLF001 - the one way of the writer to its file

    def connect(self) -> Database:
        """Return the writer's connection, or fail."""
        fails, self.fails_once = self.fails_once, False
        if fails:
            failure = sqlite3.OperationalError("database or disk is full")
            failure.sqlite_errorcode = sqlite3.SQLITE_FULL
            raise failure
        return self._connect()


@asynccontextmanager
async def slow_disk(writer: Writer, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SlowDisk]:
    """Hold the writer's thread until left."""
    released, held = threading.Event(), asyncio.Event()
    loop, disk = asyncio.get_running_loop(), SlowDisk(writer)

    def wait(_: Database) -> None:
        loop.call_soon_threadsafe(held.set)
        released.wait()

    monkeypatch.setattr("gateway.storage.writer.MAX_JOBS_PER_COMMIT", 1)
    waiting = asyncio.ensure_future(writer.do(wait))
    await held.wait()
    monkeypatch.setattr(writer, "_connect", disk.connect)
    try:
        yield disk
    finally:
        released.set()
        await waiting
