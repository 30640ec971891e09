"""The gateway's end of a live view: one camera, as it comes out of the video process, for one page."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final, Self, assert_never

from gateway.video.chunk import HEAD, LONGEST, Chunk
from gateway.video.ipc import TO_VIEWER, Refused, Unseen, View, Viewing, live_socket

log = logging.getLogger(__name__)

SILENT: Final = 5.0  # seconds without a chunk after which a viewing is over: a lost camera is told after one


class NoPictures(Exception):  # noqa: N818  a failure of the world, named as what it is
    """There is nothing to see; `why` says why."""

    def __init__(self, why: Unseen) -> None:
        super().__init__(why)
        self.why = why


class LiveView:
    """One viewing: iterate over its chunks, the init segment first, then fragments from a key picture on.

    It ends when the camera's stream is lost, when the chunks are not taken as fast as they come (several MB are
    unread), and with the video process: view anew then. A call that is cancelled loses nothing.
    """

    def __init__(self, viewing: Viewing, reader: asyncio.StreamReader) -> None:
        self.codec, self.width, self.height = viewing.codec, viewing.width, viewing.height
        self._reader = reader
        self._head: tuple[int, float] | None = None
        self._begun = self._over = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Chunk:
        if self._over:
            raise StopAsyncIteration
        try:
            async with asyncio.timeout(SILENT):
                return await self._next()
        except (TimeoutError, asyncio.IncompleteReadError, OSError) as ended:
            self._over = True
            raise StopAsyncIteration from ended

    async def _next(self) -> Chunk:
        if self._head is None:
            self._head = HEAD.unpack(await self._reader.readexactly(HEAD.size))
        size, at = self._head
        if size > LONGEST:
            raise OSError(f"a chunk of {size} bytes")
        data = await self._reader.readexactly(size)
        self._head = None
        chunk = Chunk(at, data, init=not self._begun)
        self._begun = True
        return chunk


@asynccontextmanager
async def live(socket: Path, camera: str, *, timeout: float) -> AsyncIterator[LiveView]:  # noqa: ASYNC109  the caller's patience
    """View a camera of the video process that serves its gateway on `socket`, until the block is left.

    The camera stays connected for as long; nothing is filmed. `timeout`: seconds until the first picture; the process
    itself gives up after 10.

    Raises:
        NoPictures: before the block, and only then: there is nothing to see.
    """
    give_up = asyncio.get_running_loop().time() + timeout
    try:
        async with asyncio.timeout_at(give_up):
            reader, writer = await asyncio.open_unix_connection(live_socket(socket))
    except TimeoutError as error:
        raise NoPictures(Unseen.NO_ANSWER) from error
    except OSError as error:
        raise NoPictures(Unseen.NO_PROCESS) from error
    try:
        yield LiveView(await _ask(reader, writer, camera, give_up), reader)
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, camera: str, give_up: float) -> Viewing:
    try:
        writer.write(View(camera=camera).model_dump_json().encode() + b"\n")
        async with asyncio.timeout_at(give_up):
            words = TO_VIEWER.validate_json(await reader.readline())
    except TimeoutError as error:
        raise NoPictures(Unseen.NO_ANSWER) from error
    except (OSError, ValueError) as error:
        raise NoPictures(Unseen.NO_PROCESS) from error
    match words:
        case Viewing():
            return words
        case Refused(why=why):
            raise NoPictures(why)
        case _:
            assert_never(words)
