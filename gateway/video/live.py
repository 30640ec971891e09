"""Reads the live view of one camera from the video process, for one page."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Final, Self

from gateway.video import ipc

log = logging.getLogger(__name__)

# Seconds without a chunk after which the view ends; a lost camera ends it after one second
CHUNK_TIMEOUT_S: Final = 5.0


class LiveViewUnavailable(Exception):  # noqa: N818 - the name says the condition
    """There is no live view of the camera, because of `reason`."""

    def __init__(self, reason: ipc.LiveViewError) -> None:
        super().__init__(reason)
        self.reason = reason


class LiveView:
    """An asynchronous iterator over the chunks of a live view: the init segment, then fragments from a key picture on.

    It ends when the camera's stream is lost, when the reader is too slow (several MB are unread), and when the video
    process ends. The caller may then open another one. A cancelled call loses no chunk.
    """

    def __init__(self, viewing: ipc.LiveViewAccepted, reader: asyncio.StreamReader) -> None:
        self.codec, self.width, self.height = viewing.codec, viewing.width, viewing.height
        self._reader = reader
        self._chunk_header: tuple[int, float] | None = None
        self._has_begun = self._has_ended = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ipc.Chunk:
        if self._has_ended:
            raise StopAsyncIteration
        try:
            async with asyncio.timeout(CHUNK_TIMEOUT_S):
                return await self._read_chunk()
        except (TimeoutError, asyncio.IncompleteReadError, OSError) as ended:
            self._has_ended = True
            raise StopAsyncIteration from ended

    async def _read_chunk(self) -> ipc.Chunk:
        if self._chunk_header is None:
            self._chunk_header = ipc.CHUNK_HEADER.unpack(await self._reader.readexactly(ipc.CHUNK_HEADER.size))
        size, at = self._chunk_header
        if size > ipc.MAX_CHUNK_BYTES:
            raise OSError(f"a chunk of {size} bytes")
        data = await self._reader.readexactly(size)
        self._chunk_header = None
        chunk = ipc.Chunk(at, data, init=not self._has_begun)
        self._has_begun = True
        return chunk


@asynccontextmanager
async def open_live_view(socket: Path, camera: str, *, timeout_s: float) -> AsyncIterator[LiveView]:
    """Open a live view of a camera, until the block is left. `socket` is the one that the gateway uses.

    The camera stays connected meanwhile; nothing is filmed. `timeout_s`: until the first picture; the process itself
    refuses after 10 seconds.

    Raises:
        LiveViewUnavailable: there is no live view. It is raised only on entry to the block.
    """
    async with AsyncExitStack() as stack:
        try:
            async with asyncio.timeout(timeout_s):
                reader, writer = await asyncio.open_unix_connection(ipc.live_socket(socket))
                stack.push_async_callback(_close, writer)
                writer.write(ipc.LiveViewRequest(camera=camera).model_dump_json().encode() + b"\n")
                reply = ipc.TO_VIEWER_ADAPTER.validate_json(await reader.readline())
        except TimeoutError as error:
            raise LiveViewUnavailable(ipc.LiveViewError.NO_ANSWER) from error
        except (OSError, ValueError) as error:
            raise LiveViewUnavailable(ipc.LiveViewError.NO_PROCESS) from error
        if isinstance(reply, ipc.LiveViewRefused):
            raise LiveViewUnavailable(reply.why)
        yield LiveView(reply, reader)


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
