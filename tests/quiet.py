"""A machine that takes connections and never says a word: a broker that stands still, a camera that hangs."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass


@dataclass
class SilentServer:
    """Where it listens, and how many have come so far."""

    port: int
    visitors: int = 0


@asynccontextmanager
async def silent_server(port: int = 0) -> AsyncIterator[SilentServer]:
    """Listen on 127.0.0.1; `port` 0: any that is free."""
    here = SilentServer(port)

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        here.visitors += 1
        with contextlib.suppress(ConnectionError):
            while await reader.read(4096):
                pass
        writer.close()

    server = await asyncio.start_server(take, "127.0.0.1", port)
    here.port = server.sockets[0].getsockname()[1]
    try:
        yield here
    finally:
        server.close()
