"""Serves viewers on a Unix socket of their own, one connection each.

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

from gateway.video.broadcast import LiveEnd, LiveFragment, LiveInit, LivePiece, LiveSink
from gateway.video.camera import CameraReader
from gateway.video.chunk import pack_chunk
from gateway.video.ipc import LiveViewError, LiveViewRefused, LiveViewRequest, ToViewer

log = logging.getLogger(__name__)

REQUEST_TIMEOUT_S: Final = 5.0  # seconds for a viewer to say what it wants
MAX_REQUEST_BYTES: Final = 4096  # bytes of that line
MAX_GROUP_BYTES: Final = 4 << 20  # bytes since the last key picture; more are not kept for who comes late
CLOSE_TIMEOUT_S: Final = 5.0  # seconds for what was sent to be read


@dataclass(frozen=True, slots=True)
class ViewerLimits:
    """What viewers may ask of the process."""

    most: int = 64  # connections, of all cameras: more than a household, its hub and 50 viewers of one visit
    patience: float = 10.0  # seconds for which a viewer waits for the first picture
    unread: int = 2 * MAX_GROUP_BYTES  # bytes that wait for a viewer who does not read; more and it is cut off


DEFAULT_VIEWER_LIMITS: Final = ViewerLimits()


class ViewerServer:
    """All viewers of these cameras (by name; they may change). It is used in the loop."""

    def __init__(self, cameras: Mapping[str, CameraReader], seats: ViewerLimits) -> None:
        self._cameras, self._limits = cameras, seats
        self._viewers: set[ViewerConnection] = set()
        self._camera_viewers: dict[CameraReader, CameraViewers] = {}
        self._viewer_left = asyncio.Event()  # a viewer has gone
        # Showing and hiding wait for a camera's lock: in their order, and never in the threads that films need.
        self._executor = ThreadPoolExecutor(1, "audience")

    async def end(self) -> None:
        """Cut off whoever is left."""
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                while self._viewers:
                    self._viewer_left.clear()
                    for viewer in self._viewers:
                        viewer.cut_off()
                    await self._viewer_left.wait()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One viewer, until it goes or is hung up. `reader` takes lines of `MAX_REQUEST_BYTES`."""
        viewer = ViewerConnection(writer, self._limits.unread)
        self._viewers.add(viewer)
        try:
            if len(self._viewers) > self._limits.most:
                viewer.refuse(LiveViewError.TOO_MANY_VIEWERS)
            elif (view := await _read_request(reader)) is None:
                viewer.refuse(LiveViewError.NOT_UNDERSTOOD)
            elif (camera := self._cameras.get(view.camera)) is None:
                viewer.refuse(LiveViewError.NO_SUCH_CAMERA)
            else:
                await self._serve_camera(reader, viewer, camera)
        except OSError as failure:
            log.info("a viewer is gone: %r", failure)
        finally:
            await viewer.gone()
            self._viewers.discard(viewer)
            self._viewer_left.set()

    async def _serve_camera(
        self, reader: asyncio.StreamReader, viewer: "ViewerConnection", camera: CameraReader
    ) -> None:
        """Until the viewer goes, is hung up, or says more than it should."""
        screening, first = self._camera_viewers.get(camera), False
        if screening is None:
            screening, first = CameraViewers(asyncio.get_running_loop()), True
            self._camera_viewers[camera] = screening
        screening.admit(viewer)
        giving_up = asyncio.get_running_loop().call_later(self._limits.patience, screening.give_up, viewer)
        try:
            if first:
                await self._run_in_executor(camera.show, screening.post)
            if await reader.read(1):
                log.warning("a viewer said more than it should: hung up")
        finally:
            giving_up.cancel()
            screening.leave(viewer)
            if screening.empty and self._camera_viewers.get(camera) is screening:
                del self._camera_viewers[camera]
                await self._run_in_executor(camera.hide, screening.post)

    async def _run_in_executor(self, job: Callable[[LiveSink], None], show: LiveSink) -> None:
        await asyncio.get_running_loop().run_in_executor(self._executor, job, show)


async def _read_request(reader: asyncio.StreamReader) -> LiveViewRequest | None:
    """The viewer's line; None where it is none of ours, too long, or does not come."""
    try:
        async with asyncio.timeout(REQUEST_TIMEOUT_S):
            return LiveViewRequest.model_validate_json(await reader.readline())
    except (TimeoutError, ValueError):
        return None


class ViewerConnection:
    """One viewer's connection, which takes at most `unread` bytes more than are read."""

    def __init__(self, writer: asyncio.StreamWriter, unread: int) -> None:
        self._writer, self._max_unread_bytes = writer, unread

    def answer(self, words: ToViewer) -> None:
        """Say one line."""
        self.send(words.model_dump_json().encode() + b"\n")

    def refuse(self, why: LiveViewError) -> None:
        """Say why there is nothing to see, and end."""
        self.answer(LiveViewRefused(why=why))
        self.hang_up()

    def send(self, data: bytes) -> None:
        """Send, without waiting; whoever does not read is cut off."""
        if self._writer.is_closing():
            return
        self._writer.write(data)
        if self._writer.transport.get_write_buffer_size() > self._max_unread_bytes:
            log.warning("a viewer does not read: cut off")
            self.cut_off()

    def hang_up(self) -> None:
        """End the connection once all is read, in `CLOSE_TIMEOUT_S` seconds at the latest."""
        if not self._writer.is_closing():
            self._writer.close()
            asyncio.get_running_loop().call_later(CLOSE_TIMEOUT_S, self.cut_off)

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


class CameraViewers:
    """What one camera shows to all its viewers. `post` is for the camera's thread, all else for the loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._init: LiveInit | None = None
        self._group: list[bytes] = []  # chunks since the last key picture; none where they grew too many
        self._size = 0
        self._waiting: set[ViewerConnection] = set()
        self._viewing: set[ViewerConnection] = set()

    @property
    def empty(self) -> bool:
        """Whether nobody views or waits to."""
        return not (self._waiting or self._viewing)

    def post(self, piece: LivePiece) -> None:
        """For the camera's thread: show this next."""
        self._loop.call_soon_threadsafe(self._on_piece, piece)

    def admit(self, viewer: ViewerConnection) -> None:
        """Let a viewer see, from the last key picture on, as soon as there is one."""
        if self._init is None or not self._group:
            self._waiting.add(viewer)
            return
        self._waiting.discard(viewer)
        self._viewing.add(viewer)
        viewer.answer(self._init.viewing)
        viewer.send(pack_chunk(self._init.at, self._init.data) + b"".join(self._group))

    def give_up(self, viewer: ViewerConnection) -> None:
        """Refuse a viewer who still waits for a picture."""
        if viewer in self._waiting:
            viewer.refuse(LiveViewError.NO_PICTURES)

    def leave(self, viewer: ViewerConnection) -> None:
        """The viewer has gone."""
        self._waiting.discard(viewer)
        self._viewing.discard(viewer)

    def _on_piece(self, piece: LivePiece) -> None:
        match piece:
            case LiveInit():
                self._init = piece
            case LiveFragment():
                self._send_fragment(piece)
            case LiveEnd():
                self._init = None
                self._group.clear()
                for viewer in self._viewing:
                    viewer.hang_up()
                self._viewing.clear()
            case _:
                assert_never(piece)

    def _send_fragment(self, fragment: LiveFragment) -> None:
        chunk = pack_chunk(fragment.at, fragment.data)
        for viewer in self._viewing:
            viewer.send(chunk)
        if fragment.key:
            self._group, self._size = [], 0
        if fragment.key or self._group:
            self._group.append(chunk)
            self._size += len(chunk)
        for viewer in tuple(self._waiting):
            self.admit(viewer)
        if self._size > MAX_GROUP_BYTES:  # whoever comes now waits for the next key picture
            self._group, self._size = [], 0
