"""The house's internet cable as a TCP relay that a person can unplug.

As with a real one, connections do not break when it is pulled: nothing arrives, and what neither side has given up on
goes on when it is back. What a sender gave up on meanwhile never arrives.
"""

import asyncio
import contextlib
from typing import Self

# Bytes of one direction that wait in a pulled cable; the sender's own buffers hold the rest
MAX_BUFFERED_BYTES = 1 << 20


class _RelayReader(asyncio.StreamReader):
    """A stream reader that knows that its sender has ended, even while data are left to read."""

    ended = False

    def feed_eof(self) -> None:
        self.ended = True
        super().feed_eof()


class CableRelay:
    """A simulated internet cable: a relay for any number of connections, which closes all of them at exit."""

    def __init__(self) -> None:
        self._is_plugged = asyncio.Event()
        self._is_plugged.set()
        self._servers: list[asyncio.Server] = []
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def is_plugged(self) -> bool:
        """Whether the relay passes data."""
        return self._is_plugged.is_set()

    def pull(self) -> None:
        """Stop passing data in both directions."""
        self._is_plugged.clear()

    def plug(self) -> None:
        """Pass data again."""
        self._is_plugged.set()

    async def connect(self, port: int) -> int:
        """Listen, and pass on to this port of 127.0.0.1; return the port of 127.0.0.1 at which it listens."""
        loop = asyncio.get_running_loop()

        def protocol() -> asyncio.StreamReaderProtocol:
            reader = _RelayReader(limit=MAX_BUFFERED_BYTES, loop=loop)

            def connected(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                task = loop.create_task(self._relay_connection(reader, writer, port))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

            return asyncio.StreamReaderProtocol(reader, connected, loop=loop)

        server = await loop.create_server(protocol, "127.0.0.1", 0)
        self._servers.append(server)
        return int(server.sockets[0].getsockname()[1])

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        for server in self._servers:
            server.close()
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _relay_connection(self, reader: _RelayReader, writer: asyncio.StreamWriter, port: int) -> None:
        with contextlib.closing(writer), contextlib.suppress(OSError):
            if not await self._wait_until_plugged(reader):
                return
            loop = asyncio.get_running_loop()
            far = _RelayReader(limit=MAX_BUFFERED_BYTES, loop=loop)
            transport, protocol = await loop.create_connection(
                lambda: asyncio.StreamReaderProtocol(far, loop=loop), "127.0.0.1", port
            )
            with contextlib.closing(asyncio.StreamWriter(transport, protocol, far, loop)) as far_writer:
                async with asyncio.TaskGroup() as directions:
                    directions.create_task(self._relay(reader, far_writer))
                    directions.create_task(self._relay(far, writer))

    async def _relay(self, reader: _RelayReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):  # one end broke; the other end sees the end of its stream
            while data := await reader.read(MAX_BUFFERED_BYTES):
                if not await self._wait_until_plugged(reader):
                    break
                writer.write(data)
                await writer.drain()
            await self._is_plugged.wait()
        with contextlib.suppress(OSError):
            writer.write_eof()

    async def _wait_until_plugged(self, reader: _RelayReader) -> bool:
        """Wait until the relay passes data; return False if the sender ends first."""
        if self.is_plugged:
            return True
        await self._is_plugged.wait()
        return not reader.ended
