"""A page that views a camera: all chunks that came to it, and eyes for what they show."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import av

from gateway.video.ipc import Chunk
from gateway.video.live import LiveView, LiveViewUnavailable, open_live_view
from tests.filmset.films import DecodedFilm, decode_film
from tests.filmset.talk import TIMEOUT_S


async def wait_until(true: Callable[[], bool], what: str) -> None:
    """Wait for something that tells of no event."""
    end = time.monotonic() + TIMEOUT_S
    while not true():
        assert time.monotonic() < end, f"never: {what}"
        await asyncio.sleep(0.01)


@dataclass(frozen=True)
class ReceivedChunk:
    """A chunk and when it came."""

    chunk: Chunk
    at: datetime


class ViewerPage:
    """Reads one viewing until it ends."""

    def __init__(self, view: LiveView) -> None:
        self.view = view
        self.came: list[ReceivedChunk] = []
        self.reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for chunk in self.view:
            self.came.append(ReceivedChunk(chunk, datetime.now(UTC)))

    @property
    def init(self) -> bytes:
        """The init segment."""
        first = self.came[0].chunk
        assert first.init
        return first.data

    @property
    def fragments(self) -> list[Chunk]:
        """The pictures that came."""
        return [came.chunk for came in self.came[1:]]

    async def sees(self, pictures: int) -> None:
        """Wait until so many more pictures have come."""
        wanted = len(self.came) + pictures
        await wait_until(lambda: len(self.came) > wanted or self.reading.done(), f"{pictures} pictures more")
        assert not self.reading.done(), "hung up"

    async def hung_up(self) -> None:
        """Wait until the viewing has ended."""
        async with asyncio.timeout(TIMEOUT_S):
            await self.reading

    def play(self, folder: Path) -> DecodedFilm:
        """Play what has come so far."""
        film = folder / "viewed.mp4"
        film.write_bytes(self.init + b"".join(chunk.data for chunk in self.fragments))
        return decode_film(film)

    def begins_with_a_key_picture(self, folder: Path) -> bool:
        """Whether the first picture that came can be decoded without any other."""
        film = folder / "first.mp4"
        film.write_bytes(self.init + self.fragments[0].data)
        with av.open(str(film)) as container:
            keys = [packet.is_keyframe for packet in container.demux(video=0) if packet.size]
        return keys == [True]


async def _open_view(leaving: AsyncExitStack, socket: Path, camera: str) -> LiveView:
    async with asyncio.timeout(TIMEOUT_S):
        while True:
            try:
                return await leaving.enter_async_context(open_live_view(socket, camera, timeout_s=TIMEOUT_S))
            except LiveViewUnavailable:
                await asyncio.sleep(0.05)


@asynccontextmanager
async def open_page(socket: Path, camera: str) -> AsyncIterator[ViewerPage]:
    """A page that views a camera and has its first picture, until this is left. Refused, it comes again."""
    async with AsyncExitStack() as leaving:
        view = await _open_view(leaving, socket, camera)
        it = ViewerPage(view)
        try:
            await wait_until(lambda: len(it.came) > 1, "the first picture")
            yield it
        finally:
            it.reading.cancel()
            with suppress(asyncio.CancelledError):
                await it.reading
