"""The video process: camera threads, a Unix socket for one gateway, and a second one for viewers.

It outlives the gateway. Whoever connects replaces the gateway before. Without a gateway, open clips run on for
`ORPHAN_TIMEOUT_S` seconds and are then closed; a process without clips and without a gateway ends after
`IDLE_TIMEOUT_S` seconds, and rings end with it, so that no home is filmed for nobody. Viewers keep their camera
connected, not the process alive.
"""

import asyncio
import base64
import fcntl
import logging
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final, assert_never

from pydantic import ValidationError

from gateway.video.camera import CameraReader
from gateway.video.clip import CrashPoint
from gateway.video.ipc import (
    TO_VIDEO_ADAPTER,
    CameraProof,
    ClipFacts,
    ClipKey,
    ClipsClosed,
    ConfigureCameras,
    FinishClip,
    FromVideo,
    Gap,
    PictureTaken,
    RecordClip,
    StreamFault,
    TakePicture,
    ToVideo,
    VideoHello,
    WatchCameras,
    live_socket,
)
from gateway.video.recording import CameraContext, RecordingResult
from gateway.video.recovery import ClosedFilm as Film
from gateway.video.recovery import close_left_film, find_gaps, find_sidecars
from gateway.video.viewers import DEFAULT_VIEWER_LIMITS, MAX_REQUEST_BYTES, ViewerLimits, ViewerServer

log = logging.getLogger(__name__)

ORPHAN_TIMEOUT_S: Final = 1800.0  # seconds for which clips run on without a gateway
IDLE_TIMEOUT_S: Final = 60.0  # seconds for which a process without clips waits for a gateway
RING_LINGER_S: Final = 5.0  # seconds in which a new gateway may take over the rings of the one before
POLL_INTERVAL_S: Final = 0.05  # seconds between two looks at the cameras for a change
PROOF_INTERVAL_S: Final = 0.25  # seconds between two proofs of a camera in which nothing changes
MAX_LINE_BYTES: Final = 1 << 20  # bytes
CLOSE_TIMEOUT_S: Final = 5.0  # seconds for the gateway's connection to close
MAX_UNREAD_BYTES: Final = 4 << 20  # bytes that wait for a gateway which does not read; more and it is dropped


@dataclass(slots=True)
class RequestedClip:
    """A clip that was asked for: who films it, where, since when."""

    folder: str
    asked: datetime
    cameras: set[str] = field(default_factory=set)


class AlreadyRunning(Exception):  # noqa: N818  not an error: there is one already
    """Another video process serves this socket."""


class VideoProcess:
    """Serves `socket` until it is told to end. `utc` is the wall clock; `reached` is told of the kill points.

    `seats`: what viewers may ask, on the socket beside it.
    """

    def __init__(  # noqa: PLR0913  each limit can be replaced by tests
        self,
        socket: Path,
        *,
        utc: Callable[[], datetime],
        reached: CrashPoint = lambda _point: None,
        orphan: float = ORPHAN_TIMEOUT_S,
        idle: float = IDLE_TIMEOUT_S,
        seats: ViewerLimits = DEFAULT_VIEWER_LIMITS,
    ) -> None:
        self._socket, self._utc, self._crash_point = socket, utc, reached
        self._orphan_timeout_s, self._idle_timeout_s = orphan, idle
        self._loop: asyncio.AbstractEventLoop | None = None
        self._cameras: dict[str, CameraReader] = {}
        self._viewer_server = ViewerServer(self._cameras, seats)
        self._clips: dict[ClipKey, RequestedClip] = {}
        self._context: CameraContext | None = None
        self._gateway: asyncio.StreamWriter | None = None
        self._alone_since = time.monotonic()
        self._proofs: dict[str, CameraProof] = {}
        self._camera_changed = asyncio.Event()  # a camera told something
        self._ending = asyncio.Event()
        self._alone = asyncio.Event()  # no gateway is connected
        self._failed: Exception | None = None

    async def run(self) -> None:
        """Serve until SIGTERM, SIGINT or the end of an orphan's patience; clips are then closed properly.

        Raises:
            AlreadyRunning: another process serves the socket.
        """
        loop = self._loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._on_unhandled_error)
        with hold_socket(self._socket):
            server = await asyncio.start_unix_server(self._serve_gateway, self._socket, limit=MAX_LINE_BYTES)
            live = live_socket(self._socket)
            viewers = await asyncio.start_unix_server(self._viewer_server.serve, live, limit=MAX_REQUEST_BYTES)
            for ours in (self._socket, live):
                ours.chmod(0o600)
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, self._ending.set)
            try:
                await self._publish_proofs()
            finally:
                server.close()
                viewers.close()
                await asyncio.gather(*(asyncio.to_thread(camera.stop) for camera in self._cameras.values()))
                await self._viewer_server.end()
                if self._gateway is not None:
                    self._gateway.close()
                    await asyncio.wait_for(self._alone.wait(), CLOSE_TIMEOUT_S)
        if self._failed is not None:
            raise self._failed

    def _on_unhandled_error(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """A failure that nobody foresaw ends the process, films closed; the gateway starts another one."""
        loop.default_exception_handler(context)
        failed = context.get("exception")
        self._failed = failed if isinstance(failed, Exception) else RuntimeError(str(context.get("message")))
        self._ending.set()

    async def _serve_gateway(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One gateway, until it goes, says what is no word of ours, or another one comes.

        One that was never understood, of a newer version, does not count as a gateway: this process ends as an orphan
        does, though that one comes again and again, and makes room for its own.
        """
        understood = False
        if self._gateway is not None:
            log.warning("another gateway connected: the one before is dropped")
            self._gateway.close()
            self._alone_since = time.monotonic()
        self._gateway = writer
        self._alone.clear()
        self._proofs.clear()
        self._send(VideoHello(pid=os.getpid(), recording=tuple(self._clips)))
        try:
            while (line := await reader.readline()) and self._gateway is writer:
                await self._handle(TO_VIDEO_ADAPTER.validate_json(line))
                understood = True
        except ValidationError as error:
            log.error("the gateway said what is no word of ours: %s", error)
        except ValueError as error:  # longer than MAX_LINE_BYTES
            log.warning("the gateway said too much at once: %s", error)
        except OSError as failure:  # the gateway is gone, or the disk is: it will come again and ask again
            log.warning("the gateway is dropped: %r", failure)
        finally:
            writer.close()
            if self._gateway is writer:
                self._gateway = None
                self._alone_since = time.monotonic() if understood else self._alone_since
                self._alone.set()

    def _send(self, words: FromVideo) -> None:
        writer = self._gateway
        if writer is None or writer.is_closing():
            return
        writer.write(words.model_dump_json().encode() + b"\n")
        if writer.transport.get_write_buffer_size() > MAX_UNREAD_BYTES:
            log.warning("the gateway does not read: dropped")
            writer.transport.abort()

    def _post_message(self, words: FromVideo) -> None:
        """For the cameras' threads."""
        assert self._loop is not None  # noqa: S101  cameras exist only while it runs
        self._loop.call_soon_threadsafe(self._on_camera_message, words)

    def _on_camera_message(self, words: FromVideo) -> None:
        self._send(words)
        self._camera_changed.set()  # a film that has begun is proven at once: an unlock waits for it

    async def _handle(self, words: ToVideo) -> None:
        match words:
            case ConfigureCameras():
                await self._configure(words)
            case WatchCameras(cameras=names, on=on, labels=labels):
                for name in names:
                    if name in self._cameras:
                        await asyncio.to_thread(self._cameras[name].watch, on=on, labels=name in labels)
            case RecordClip():
                await self._record(words)
            case FinishClip():
                await self._finish(words)
            case TakePicture(camera=name, request=request):
                camera = self._cameras.get(name)
                jpeg = await asyncio.to_thread(camera.picture) if camera else None
                self._send(PictureTaken(request=request, jpeg=base64.b64encode(jpeg).decode() if jpeg else None))
            case _:
                assert_never(words)

    async def _configure(self, words: ConfigureCameras) -> None:
        """Take the cameras; close what a killed process left; the rings of the gateway before end unless taken over."""
        root = Path(words.folder)
        if self._context is None or self._context.root != root:
            await asyncio.to_thread(close_left_films, root)
        around = CameraContext(root, words.pre_roll, self._utc, self._post_message, self._crash_point)
        wanted = {source.name: source for source in words.cameras}
        for name, camera in tuple(self._cameras.items()):
            await asyncio.to_thread(camera.watch, on=False, linger=RING_LINGER_S)
            if wanted.get(name) != camera.source or (self._context and self._context.pre_roll != words.pre_roll):
                await asyncio.to_thread(camera.stop)
                del self._cameras[name]
        self._context = around
        for name, source in wanted.items():
            if name not in self._cameras:
                self._cameras[name] = camera = CameraReader(source, around)
                for key, clips in self._clips.items():
                    if name in clips.cameras:
                        await asyncio.to_thread(camera.record, key, clips.folder)

    async def _record(self, words: RecordClip) -> None:
        clips = self._clips.setdefault(words.clip, RequestedClip(words.folder, self._utc()))
        clips.cameras.update(words.cameras)
        for name in words.cameras:
            if name in self._cameras:
                await asyncio.to_thread(self._cameras[name].record, words.clip, clips.folder)
            else:
                log.error("no camera %s is configured", name)

    async def _finish(self, words: FinishClip) -> None:
        if self._context is None:
            self._send(ClipsClosed(clip=words.clip, clips=()))
            return
        root, clips = self._context.root, self._clips.pop(words.clip, None)
        answers = await asyncio.gather(
            *(asyncio.to_thread(camera.finish, words.clip) for camera in self._cameras.values())
        )
        recorded = {name: found for name, found in zip(self._cameras, answers, strict=True) if found is not None}
        self._send(await asyncio.to_thread(collect_clip, root, words, clips, recorded, self._utc()))

    async def _publish_proofs(self) -> None:
        """Tell of changes at once and of everything four times a second; end an orphan."""
        while not self._ending.is_set():
            now = time.monotonic()
            for name, camera in self._cameras.items():
                proof = camera.proof(now) if camera.wanted or name in self._proofs else None
                if proof is None:
                    continue
                before = self._proofs.get(name)
                same = before is not None and proof.model_copy(update={"at": before.at}) == before
                if not same or before is None or now - before.at >= PROOF_INTERVAL_S:
                    self._proofs[name] = proof
                    self._send(proof)
                if not camera.wanted:
                    del self._proofs[name]
            if self._gateway is None and now - self._alone_since > (
                self._orphan_timeout_s if self._clips else self._idle_timeout_s
            ):
                log.warning("no gateway came back: the end")
                self._ending.set()
            self._camera_changed.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._camera_changed.wait(), POLL_INTERVAL_S)


@contextmanager
def hold_socket(socket: Path) -> Iterator[None]:
    """Hold the socket's pid file, locked: the lock, not the file, says that its process lives.

    Raises:
        AlreadyRunning: another process holds it.
    """
    pid_file = socket.with_suffix(".pid")
    handle = os.open(pid_file, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            mine = os.fstat(handle).st_ino == pid_file.stat().st_ino
        except (BlockingIOError, FileNotFoundError):  # held, or its holder just removed it
            mine = False
        if not mine:
            raise AlreadyRunning(str(socket))
        os.ftruncate(handle, 0)
        os.write(handle, f"{os.getpid()}\n".encode())
        for left in (socket, live_socket(socket)):  # left by a killed one
            left.unlink(missing_ok=True)
        try:
            yield
        finally:
            for ours in (socket, live_socket(socket)):
                ours.unlink(missing_ok=True)
            pid_file.unlink(missing_ok=True)
    finally:
        os.close(handle)


def close_left_films(root: Path) -> None:
    """Close all films that a killed process left open. One that the disk refuses stays for the next time."""
    root.mkdir(parents=True, exist_ok=True)
    for path in find_sidecars(root):
        try:
            close_left_film(root, path)
        except OSError as failure:
            log.warning("%s stays open: %s", path.name, failure)


def collect_clip(
    root: Path, words: FinishClip, clips: RequestedClip | None, recorded: dict[str, RecordingResult], ended: datetime
) -> ClipsClosed:
    """All films of a clip with its holes: those of this process and those that others left. Or delete them.

    A film that did not end as it was told is followed by a hole, at the longest until now.
    """
    paths = find_sidecars(root / clips.folder if clips else root, words.clip)
    if not words.keep:
        for path in paths:
            for film in (path.with_suffix(".mp4"), path.with_suffix(".mp4.part"), path):
                film.unlink(missing_ok=True)
        return ClipsClosed(clip=words.clip, clips=())
    films: dict[str, list[Film]] = {name: list(found.films) for name, found in recorded.items()}
    known = {film.facts.path for found in recorded.values() for film in found.films if film.facts}
    for path in paths:
        if str(path.with_suffix(".mp4").relative_to(root)) not in known:
            left = close_left_film(root, path)
            if left is not None:
                films.setdefault(left.camera, []).append(left)
    facts: list[ClipFacts] = []
    gaps: list[tuple[str, Gap]] = []
    for name in sorted(films.keys() | (clips.cameras if clips else set())):
        ours, mine = films.get(name, []), recorded.get(name)
        facts += [film.facts for film in sorted(ours, key=lambda film: film.start) if film.facts]
        asked = mine.asked if mine else clips.asked if clips else min(film.start for film in ours)
        until = ended if clips else regular_end(ours) or ended
        early = mine.early if mine else ()
        found = find_gaps(ours, asked=asked, ended=until, first=mine.missing if mine else StreamFault.UNREACHABLE)
        gaps += [(name, gap) for gap in (*early, *found)]
    return ClipsClosed(clip=words.clip, clips=tuple(facts), gaps=tuple(gaps))


def regular_end(films: list[Film]) -> datetime | None:
    """When the last of these films ended as it was told; None where it did not."""
    last = max(films, key=lambda film: film.start, default=None)
    return last.facts.end if last and last.facts and last.why is None else None
