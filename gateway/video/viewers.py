"""Those who view: one connection each, on a Unix socket beside the gateway's one, whichever gateway is there.

The cameras' threads mux (`gateway.video.broadcast`); the loop only hands the same bytes on to all. Nobody waits for a
viewer: one who does not read is cut off.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, assert_never

from gateway.video.broadcast import Fragment, Lost, Opening, Piece, Show
from gateway.video.camera import Camera
from gateway.video.chunk import packed
from gateway.video.ipc import Refused, ToViewer, Unseen, View

log = logging.getLogger(__name__)

ASKS: Final = 5.0  # seconds for a viewer to say what it wants
LONGEST_VIEW: Final = 4096  # bytes of that line
GROUP: Final = 4 << 20  # bytes since the last key picture; more are not kept for who comes late
GOODBYE: Final = 5.0  # seconds for what was sent to be read


@dataclass(frozen=True, slots=True)
class Seats:
    """What viewers may ask of the process."""

    most: int = 64  # connections, of all cameras: more than a household, its hub and 50 viewers of one visit
    patience: float = 10.0  # seconds for which a viewer waits for the first picture
    unread: int = 2 * GROUP  # bytes that wait for a viewer who does not read; more and it is cut off


SEATS: Final = Seats()


class Audience:
    """All viewers of these cameras (by name; they may change). It is used in the loop."""

    def __init__(self, cameras: Mapping[str, Camera], seats: Seats) -> None:
        self._cameras, self._seats = cameras, seats
        self._viewers: set[Viewer] = set()
        self._screenings: dict[Camera, Screening] = {}
        self._left = asyncio.Event()  # a viewer has gone
        # Showing and hiding wait for a camera's lock: in their order, and never in the threads that films need.
        self._doorman = ThreadPoolExecutor(1, "audience")

    async def end(self) -> None:
        """Cut off whoever is left."""
        with suppress(TimeoutError):
            async with asyncio.timeout(GOODBYE):
                while self._viewers:
                    self._left.clear()
                    for viewer in self._viewers:
                        viewer.cut_off()
                    await self._left.wait()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One viewer, until it goes or is hung up. `reader` takes lines of `LONGEST_VIEW`."""
        viewer = Viewer(writer, self._seats.unread)
        self._viewers.add(viewer)
        try:
            if len(self._viewers) > self._seats.most:
                viewer.refuse(Unseen.TOO_MANY_VIEWERS)
            elif (view := await _asked(reader)) is None:
                viewer.refuse(Unseen.NOT_UNDERSTOOD)
            elif (camera := self._cameras.get(view.camera)) is None:
                viewer.refuse(Unseen.NO_SUCH_CAMERA)
            else:
                await self._attend(reader, viewer, camera)
        except OSError as failure:
            log.info("a viewer is gone: %r", failure)
        finally:
            await viewer.gone()
            self._viewers.discard(viewer)
            self._left.set()

    async def _attend(self, reader: asyncio.StreamReader, viewer: "Viewer", camera: Camera) -> None:
        """Until the viewer goes, is hung up, or says more than it should."""
        screening, first = self._screenings.get(camera), False
        if screening is None:
            screening, first = Screening(asyncio.get_running_loop()), True
            self._screenings[camera] = screening
        screening.admit(viewer)
        giving_up = asyncio.get_running_loop().call_later(self._seats.patience, screening.give_up, viewer)
        try:
            if first:
                await self._aside(camera.show, screening.post)
            if await reader.read(1):
                log.warning("a viewer said more than it should: hung up")
        finally:
            giving_up.cancel()
            screening.leave(viewer)
            if screening.empty and self._screenings.get(camera) is screening:
                del self._screenings[camera]
                await self._aside(camera.hide, screening.post)

    async def _aside(self, job: Callable[[Show], None], show: Show) -> None:
        await asyncio.get_running_loop().run_in_executor(self._doorman, job, show)


async def _asked(reader: asyncio.StreamReader) -> View | None:
    """The viewer's line; None where it is none of ours, too long, or does not come."""
    try:
        async with asyncio.timeout(ASKS):
            return View.model_validate_json(await reader.readline())
    except (TimeoutError, ValueError):
        return None


class Viewer:
    """One viewer's connection, which takes at most `unread` bytes more than are read."""

    def __init__(self, writer: asyncio.StreamWriter, unread: int) -> None:
        self._writer, self._unread = writer, unread

    def answer(self, words: ToViewer) -> None:
        """Say one line."""
        self.send(words.model_dump_json().encode() + b"\n")

    def refuse(self, why: Unseen) -> None:
        """Say why there is nothing to see, and end."""
        self.answer(Refused(why=why))
        self.hang_up()

    def send(self, data: bytes) -> None:
        """Send, without waiting; whoever does not read is cut off."""
        if self._writer.is_closing():
            return
        self._writer.write(data)
        if self._writer.transport.get_write_buffer_size() > self._unread:
            log.warning("a viewer does not read: cut off")
            self.cut_off()

    def hang_up(self) -> None:
        """End the connection once all is read, in `GOODBYE` seconds at the latest."""
        if not self._writer.is_closing():
            self._writer.close()
            asyncio.get_running_loop().call_later(GOODBYE, self.cut_off)

    def cut_off(self) -> None:
        """End the connection now."""
        transport = self._writer.transport
        if not transport.is_closing() or transport.get_write_buffer_size():  # else it has ended, or does at once
            transport.abort()

    async def gone(self) -> None:
        """End the connection and wait until it has ended."""
        self.hang_up()
        with suppress(OSError):
            await self._writer.wait_closed()


class Screening:
    """What one camera shows to all its viewers. `post` is for the camera's thread, all else for the loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._opening: Opening | None = None
        self._group: list[bytes] = []  # chunks since the last key picture; none where they grew too many
        self._size = 0
        self._waiting: set[Viewer] = set()
        self._seeing: set[Viewer] = set()

    @property
    def empty(self) -> bool:
        """Whether nobody views or waits to."""
        return not (self._waiting or self._seeing)

    def post(self, piece: Piece) -> None:
        """For the camera's thread: show this next."""
        self._loop.call_soon_threadsafe(self._take, piece)

    def admit(self, viewer: Viewer) -> None:
        """Let a viewer see, from the last key picture on, as soon as there is one."""
        if self._opening is None or not self._group:
            self._waiting.add(viewer)
            return
        self._waiting.discard(viewer)
        self._seeing.add(viewer)
        viewer.answer(self._opening.viewing)
        viewer.send(packed(self._opening.at, self._opening.data) + b"".join(self._group))

    def give_up(self, viewer: Viewer) -> None:
        """Refuse a viewer who still waits for a picture."""
        if viewer in self._waiting:
            viewer.refuse(Unseen.NO_PICTURES)

    def leave(self, viewer: Viewer) -> None:
        """The viewer has gone."""
        self._waiting.discard(viewer)
        self._seeing.discard(viewer)

    def _take(self, piece: Piece) -> None:
        match piece:
            case Opening():
                self._opening = piece
            case Fragment():
                self._show(piece)
            case Lost():
                self._opening = None
                self._group.clear()
                for viewer in self._seeing:
                    viewer.hang_up()
                self._seeing.clear()
            case _:
                assert_never(piece)

    def _show(self, fragment: Fragment) -> None:
        chunk = packed(fragment.at, fragment.data)
        for viewer in self._seeing:
            viewer.send(chunk)
        if fragment.key:
            self._group, self._size = [], 0
        if fragment.key or self._group:
            self._group.append(chunk)
            self._size += len(chunk)
        for viewer in tuple(self._waiting):
            self.admit(viewer)
        if self._size > GROUP:  # whoever comes now waits for the next key picture
            self._group, self._size = [], 0
