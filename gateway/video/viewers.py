"""Serves viewers of live video on their own Unix socket, one connection each.

The cameras' threads mux (`gateway.video.broadcast`); the event loop sends the same bytes to all viewers. The process
does not wait for a viewer: it disconnects one that does not read.
"""

import asyncio
import logging
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Final, assert_never

from gateway.domain.frozen import Frozen
from gateway.video.broadcast import LiveFragment, LiveInit, LivePiece
from gateway.video.camera import CameraReader
from gateway.video.ipc import LiveViewError, LiveViewRefused, LiveViewRequest, ToViewer, pack_chunk

log = logging.getLogger(__name__)

REQUEST_TIMEOUT_S: Final = 5.0  # seconds for a viewer to send its request
MAX_REQUEST_BYTES: Final = 4096
# Bytes since the last key picture; beyond it a new viewer waits for the next key picture
MAX_GROUP_BYTES: Final = 4 << 20
CLOSE_TIMEOUT_S: Final = 5.0  # seconds for a viewer to read what was sent


class ViewerLimits(Frozen, kw_only=False):
    """Limits on viewers."""

    max_connections: int = 64  # of all cameras: more than a household, its hub and 50 viewers of one visit
    first_picture_timeout_s: float = 10.0  # how long a viewer waits for the first picture
    max_unread_bytes: int = 2 * MAX_GROUP_BYTES  # unread bytes beyond which a viewer is disconnected


DEFAULT_VIEWER_LIMITS: Final = ViewerLimits()


class ViewerServer:
    """Serves all viewers of `cameras`, a mapping by name that may change. It is used in the event loop."""

    def __init__(self, cameras: Mapping[str, CameraReader], limits: ViewerLimits) -> None:
        self._cameras, self._limits = cameras, limits
        self._viewers: set[ViewerConnection] = set()
        self._camera_viewers: dict[CameraReader, CameraViewers] = {}
        self._viewer_left = asyncio.Event()  # a viewer has left
        # To start and stop a broadcast waits for a camera's lock: in order, and not in the threads that films need.
        self._executor = ThreadPoolExecutor(1, "audience")

    async def close(self) -> None:
        """Disconnect all viewers."""
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                while self._viewers:
                    self._viewer_left.clear()
                    for viewer in self._viewers:
                        viewer.abort()
                    await self._viewer_left.wait()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one viewer until the connection ends. `reader` accepts lines of `MAX_REQUEST_BYTES`."""
        viewer = ViewerConnection(writer, self._limits.max_unread_bytes)
        self._viewers.add(viewer)
        try:
            if len(self._viewers) > self._limits.max_connections:
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
            await viewer.wait_closed()
            self._viewers.discard(viewer)
            self._viewer_left.set()

    async def _serve_camera(
        self, reader: asyncio.StreamReader, viewer: "ViewerConnection", camera: CameraReader
    ) -> None:
        loop, first = asyncio.get_running_loop(), camera not in self._camera_viewers
        screening = self._camera_viewers.setdefault(camera, CameraViewers(loop))
        screening.add(viewer)
        giving_up = loop.call_later(self._limits.first_picture_timeout_s, screening.refuse_waiting, viewer)
        try:
            if first:
                await loop.run_in_executor(self._executor, camera.start_broadcast, screening.post)
            if await reader.read(1):
                log.warning("a viewer sent more than its request: disconnected")
        finally:
            giving_up.cancel()
            screening.remove(viewer)
            if screening.is_empty and self._camera_viewers.get(camera) is screening:
                del self._camera_viewers[camera]
                await loop.run_in_executor(self._executor, camera.stop_broadcast, screening.post)


async def _read_request(reader: asyncio.StreamReader) -> LiveViewRequest | None:
    try:
        async with asyncio.timeout(REQUEST_TIMEOUT_S):
            return LiveViewRequest.model_validate_json(await reader.readline())
    except (TimeoutError, ValueError):
        return None


class ViewerConnection:
    """One viewer's connection, which buffers at most `max_unread_bytes`."""

    def __init__(self, writer: asyncio.StreamWriter, max_unread_bytes: int) -> None:
        self._writer, self._max_unread_bytes = writer, max_unread_bytes

    def send_message(self, message: ToViewer) -> None:
        """Send one JSON line."""
        self.send(message.model_dump_json().encode() + b"\n")

    def refuse(self, reason: LiveViewError) -> None:
        """Send why there is no live view, and close."""
        self.send_message(LiveViewRefused(why=reason))
        self.close_when_read()

    def send(self, data: bytes) -> None:
        """Send without waiting; disconnect a viewer that does not read."""
        if self._writer.is_closing():
            return
        self._writer.write(data)
        if self._writer.transport.get_write_buffer_size() > self._max_unread_bytes:
            log.warning("a viewer does not read: disconnected")
            self.abort()

    def close_when_read(self) -> None:
        """Close the connection when the viewer has read everything, after `CLOSE_TIMEOUT_S` seconds at the latest."""
        if not self._writer.is_closing():
            self._writer.close()
            asyncio.get_running_loop().call_later(CLOSE_TIMEOUT_S, self.abort)

    def abort(self) -> None:
        """Close the connection now."""
        transport = self._writer.transport
        if not transport.is_closing() or transport.get_write_buffer_size():  # otherwise it is closed already
            transport.abort()

    async def wait_closed(self) -> None:
        """Close the connection and wait until it is closed."""
        self.close_when_read()
        with suppress(OSError):
            await self._writer.wait_closed()


class CameraViewers:
    """The viewers of one camera. The camera's thread calls `post`; the event loop calls everything else."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._init: LiveInit | None = None
        self._group: list[bytes] = []  # chunks since the last key picture; empty if they were too many
        self._waiting_viewers: set[ViewerConnection] = set()
        self._viewing: set[ViewerConnection] = set()

    @property
    def is_empty(self) -> bool:
        """Whether there is neither a viewer nor a waiting one."""
        return not (self._waiting_viewers or self._viewing)

    def post(self, piece: LivePiece) -> None:
        """Send this piece to all viewers. Called in the camera's thread."""
        self._loop.call_soon_threadsafe(self._on_piece, piece)

    def add(self, viewer: ViewerConnection) -> None:
        """Add a viewer. It gets the live view from the last key picture on, as soon as there is one."""
        if self._init is None or not self._group:
            self._waiting_viewers.add(viewer)
            return
        self._waiting_viewers.discard(viewer)
        self._viewing.add(viewer)
        viewer.send_message(self._init.accepted)
        viewer.send(pack_chunk(self._init.at, self._init.data) + b"".join(self._group))

    def refuse_waiting(self, viewer: ViewerConnection) -> None:
        """Refuse a viewer that still waits for a picture."""
        if viewer in self._waiting_viewers:
            viewer.refuse(LiveViewError.NO_PICTURES)

    def remove(self, viewer: ViewerConnection) -> None:
        """Remove a viewer that has left."""
        self._waiting_viewers.discard(viewer)
        self._viewing.discard(viewer)

    def _on_piece(self, piece: LivePiece) -> None:
        match piece:
            case LiveInit():
                self._init = piece
            case LiveFragment():
                self._send_fragment(piece)
            case None:
                self._init = None
                self._group.clear()
                for viewer in self._viewing:
                    viewer.close_when_read()
                self._viewing.clear()
            case _:
                assert_never(piece)

    def _send_fragment(self, fragment: LiveFragment) -> None:
        chunk = pack_chunk(fragment.at, fragment.data)
        for viewer in self._viewing:
            viewer.send(chunk)
        if fragment.key:
            self._group = [chunk]
        elif self._group:
            self._group.append(chunk)
        for viewer in tuple(self._waiting_viewers):
            self.add(viewer)
        if sum(map(len, self._group)) > MAX_GROUP_BYTES:  # a new viewer now waits for the next key picture
            self._group = []
