"""The video process: camera threads, a Unix socket for one gateway, and a second one for viewers.

The process outlives the gateway. A new connection replaces the gateway before. Without a gateway, open clips continue
for `ORPHAN_TIMEOUT_S` seconds and are then closed. A process without clips and without a gateway ends after
`IDLE_TIMEOUT_S` seconds, with its pre-rolls, so that no home is filmed without a purpose. Viewers keep their camera
connected, but they do not keep the process running.

A process that no gateway can find again (its folder was moved or deleted, or its socket was replaced) closes its films
and ends within `PLACE_CHECK_INTERVAL_S` seconds, so that no home is filmed by a process that nobody controls. It
recovers and writes films only in folders that it holds (`HeldFolder`).
"""

import asyncio
import base64
import logging
import math
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, assert_never

from pydantic import ValidationError

from gateway.video import ipc
from gateway.video.camera import CameraReader, CameraStatus
from gateway.video.clip import CrashPoint
from gateway.video.held_folder import HeldFolder, HeldSocket, hold_socket
from gateway.video.recording import CameraContext, RecordingResult
from gateway.video.recovery import ClosedFilm as Film
from gateway.video.recovery import close_left_film, find_gaps, find_sidecars
from gateway.video.viewers import DEFAULT_VIEWER_LIMITS, MAX_REQUEST_BYTES, ViewerLimits, ViewerServer

log = logging.getLogger(__name__)

ORPHAN_TIMEOUT_S: Final = 1800.0  # seconds for which clips continue without a gateway
IDLE_TIMEOUT_S: Final = 60.0  # seconds for which a process without clips waits for a gateway
RING_LINGER_S: Final = 5.0  # seconds in which a new gateway may take over the pre-rolls of the one before
PROOF_INTERVAL_S: Final = 0.25  # seconds between two proofs of a camera in which nothing changes
BUSY_INTERVAL_S: Final = 0.05  # seconds between two questions to a camera whose lock a slow disk holds
PLACE_CHECK_INTERVAL_S: Final = 1.0  # seconds between two checks whether a gateway still finds this process
PRIVATE_GRACE_S: Final = 2.0  # seconds of a stay in which a living gateway ends the films itself
MAX_LINE_BYTES: Final = 1 << 20  # bytes
CLOSE_TIMEOUT_S: Final = 5.0  # seconds for the gateway's connection to close
MAX_UNREAD_BYTES: Final = 4 << 20  # unread bytes beyond which the gateway is disconnected
# From Python 3.13 on asyncio removes a server's socket by its path; `HeldSocket` removes only its own socket.
KEEP_SOCKET: Final[dict[str, Any]] = {"cleanup_socket": False} if sys.version_info >= (3, 13) else {}


@dataclass(slots=True)
class RequestedClip:
    """A clip that the gateway requested: by which cameras, in which folder, since when."""

    folder: str
    requested_at: datetime
    cameras: set[str] = field(default_factory=set)


class VideoProcess:
    """Serves one gateway on `socket`, and viewers on `live_socket(socket)`.

    `utc` is the wall clock. `crash_point` is called with the name of each point at which a test may kill the process.
    """

    def __init__(  # noqa: PLR0913 - each limit can be replaced by tests
        self,
        socket: Path,
        *,
        utc: Callable[[], datetime],
        crash_point: CrashPoint = lambda _point: None,
        orphan_timeout_s: float = ORPHAN_TIMEOUT_S,
        idle_timeout_s: float = IDLE_TIMEOUT_S,
        viewer_limits: ViewerLimits = DEFAULT_VIEWER_LIMITS,
    ) -> None:
        self._socket, self._utc, self._crash_point = socket, utc, crash_point
        self._orphan_timeout_s, self._idle_timeout_s = orphan_timeout_s, idle_timeout_s
        self._cameras: dict[str, CameraReader] = {}
        self._viewer_server = ViewerServer(self._cameras, viewer_limits)
        self._clips: dict[ipc.ClipKey, RequestedClip] = {}
        self._private: tuple[ipc.PrivatePeriod, ...] = ()
        self._context: CameraContext | None = None
        self._folders: dict[Path, HeldFolder] = {}  # of films, by the path in the gateway's message
        self._held = ExitStack()
        self._gateway: asyncio.StreamWriter | None = None
        self._no_gateway_since = time.monotonic()
        self._told: dict[str, tuple[CameraStatus, bytes]] = {}  # each camera's newest proof, and its line without time
        self._look = asyncio.Event()  # a proof may be due, or the end of this process
        self._ending = asyncio.Event()
        self._no_gateway = asyncio.Event()  # no gateway is connected
        self._failure: Exception | None = None

    async def run(self) -> None:
        """Serve until SIGTERM, SIGINT or a timeout without a gateway; then close all clips. Raises as `hold_socket`."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._on_unhandled_error)
        with hold_socket(self._socket) as held, self._held:
            self._folders[self._socket.parent] = held.folder
            server = await asyncio.start_unix_server(
                self._serve_gateway, held.path, limit=MAX_LINE_BYTES, **KEEP_SOCKET
            )
            viewers = await asyncio.start_unix_server(
                self._viewer_server.serve, held.live, limit=MAX_REQUEST_BYTES, **KEEP_SOCKET
            )
            held.set_bound()
            for path in (held.path, held.live):
                path.chmod(0o600)
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, self._end)
            try:
                await self._publish_proofs(held)
            finally:
                server.close()
                viewers.close()
                self._withdraw_proofs(self._cameras)
                await asyncio.gather(*(asyncio.to_thread(camera.stop) for camera in self._cameras.values()))
                await self._viewer_server.close()
                if self._gateway is not None:
                    self._gateway.close()
                    await asyncio.wait_for(self._no_gateway.wait(), CLOSE_TIMEOUT_S)
        if self._failure is not None:
            raise self._failure

    def _on_unhandled_error(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """An unexpected exception ends the process, which closes its films; the gateway starts another one."""
        loop.default_exception_handler(context)
        failed = context.get("exception")
        self._failure = failed if isinstance(failed, Exception) else RuntimeError(str(context.get("message")))
        self._end()

    def _end(self) -> None:
        self._ending.set()
        self._look.set()

    async def _serve_gateway(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one gateway until it closes, sends an invalid message, or another one connects.

        A gateway of a newer version, none of whose messages was valid, does not restart the timeout without a gateway,
        although it connects again and again. So this process ends and that gateway can start its own.
        """
        understood = False
        if self._gateway is not None:
            log.warning("another gateway connected: the one before is dropped")
            self._gateway.close()
            self._no_gateway_since = time.monotonic()
        self._gateway = writer
        self._no_gateway.clear()
        self._told.clear()
        self._look.set()
        self._send(ipc.VideoHello(pid=os.getpid(), recording=tuple(self._clips)))
        try:
            while (line := await reader.readline()) and self._gateway is writer:
                await self._handle(ipc.TO_VIDEO_ADAPTER.validate_json(line))
                understood = True
                self._look.set()
        except ValidationError as error:
            log.error("the gateway sent an invalid message: %s", error)
        except ValueError as error:  # longer than MAX_LINE_BYTES
            log.warning("the gateway sent a line that is too long: %s", error)
        except OSError as failure:
            # The gateway is gone, or the disk failed: the gateway connects again and repeats its requests
            log.warning("the gateway is dropped: %r", failure)
        finally:
            writer.close()
            if self._gateway is writer:
                self._gateway = None
                self._no_gateway_since = time.monotonic() if understood else self._no_gateway_since
                self._no_gateway.set()
                self._look.set()

    def _send(self, message: ipc.FromVideo) -> None:
        self._write(message.model_dump_json().encode() + b"\n")

    def _write(self, lines: bytes) -> None:
        writer = self._gateway
        if writer is None or writer.is_closing():
            return
        writer.write(lines)
        if writer.transport.get_write_buffer_size() > MAX_UNREAD_BYTES:
            log.warning("the gateway does not read: dropped")
            writer.transport.abort()

    def _on_camera_message(self, message: ipc.FromVideo) -> None:
        self._send(message)
        self._look.set()  # send the proof at once when a film begins, because an unlock waits for it

    async def _handle(self, message: ipc.ToVideo) -> None:
        match message:
            case ipc.ConfigureCameras():
                await self._configure(message)
            case ipc.WatchCameras(cameras=names, on=on, labels=labels):
                for name in names:
                    if name in self._cameras:
                        await asyncio.to_thread(self._cameras[name].watch, on=on, labels=name in labels)
            case ipc.RecordClip():
                await self._record(message)
            case ipc.FinishClip():
                await self._finish(message)
            case ipc.PrivatePeriods(periods=periods):
                self._private = periods
                await self._keep_private()
            case ipc.TakePicture(camera=name, request=request):
                camera = self._cameras.get(name)
                jpeg = await asyncio.to_thread(camera.picture) if camera else None
                self._send(ipc.PictureTaken(request=request, jpeg=base64.b64encode(jpeg).decode() if jpeg else None))
            case _:
                assert_never(message)

    async def _configure(self, request: ipc.ConfigureCameras) -> None:
        """Apply the configuration; close films of a killed process; end pre-rolls that the gateway does not want."""
        root = (await asyncio.to_thread(self._hold_folder, Path(request.folder))).pinned
        if self._context is None or self._context.root != root:
            await asyncio.to_thread(close_left_films, root)
        post = asyncio.get_running_loop().call_soon_threadsafe
        around = CameraContext(
            root,
            request.pre_roll,
            request.film_sync_s,
            self._utc,
            publish=lambda message: post(self._on_camera_message, message),
            on_change=lambda: post(self._look.set),
            crash_point=self._crash_point,
        )
        wanted = {source.name: source for source in request.cameras}
        before = around if self._context is None else self._context
        is_changed = (before.pre_roll_s, before.film_sync_s) != (around.pre_roll_s, around.film_sync_s)
        for name, camera in tuple(self._cameras.items()):
            await asyncio.to_thread(camera.watch, on=False, linger_s=RING_LINGER_S)
            if wanted.get(name) != camera.source or is_changed:
                self._withdraw_proofs([name])
                del self._cameras[name]
                await asyncio.to_thread(camera.stop)
        self._context = around
        for name, source in wanted.items():
            if name not in self._cameras:
                self._cameras[name] = camera = CameraReader(source, around)
                await self._keep_private()
                for key, clips in self._clips.items():
                    if name in clips.cameras:
                        await asyncio.to_thread(camera.record, key, clips.folder)

    def _hold_folder(self, path: Path) -> HeldFolder:
        """Return the held folder at `path`, which is created if it is missing. Raises as `HeldFolder`."""
        if path not in self._folders:
            path.mkdir(parents=True, exist_ok=True)
            same = next((folder for folder in self._folders.values() if folder.is_at(path)), None)
            self._folders[path] = same or self._held.enter_context(closing(HeldFolder(path)))
        return self._folders[path]

    async def _keep_private(self) -> None:
        """Stop each camera in its private periods. What is stopped stays so until the period ends or is taken back."""
        utc, grace = self._utc(), timedelta(seconds=0.0 if self._gateway is None else PRIVATE_GRACE_S)
        for name, camera in tuple(self._cameras.items()):
            periods = tuple(one for one in self._private if one.camera == name)
            if camera.private_periods != periods:
                await asyncio.to_thread(camera.keep_private, periods)
            starts = [one.start for one in periods if one.start <= utc < one.end]
            is_private = bool(starts) and (camera.is_private or min(starts) + grace <= utc)
            if camera.is_private is not is_private:
                await asyncio.to_thread(camera.set_private, on=is_private)

    async def _record(self, request: ipc.RecordClip) -> None:
        clips = self._clips.setdefault(request.clip, RequestedClip(request.folder, self._utc()))
        clips.cameras.update(request.cameras)
        for name in request.cameras:
            if name in self._cameras:
                await asyncio.to_thread(self._cameras[name].record, request.clip, clips.folder)
            else:
                log.error("no camera %s is configured", name)

    async def _finish(self, request: ipc.FinishClip) -> None:
        if self._context is None:
            self._send(ipc.ClipsClosed(clip=request.clip, clips=()))
            return
        root, clips = self._context.root, self._clips.pop(request.clip, None)
        answers = await asyncio.gather(
            *(asyncio.to_thread(camera.finish, request.clip) for camera in self._cameras.values())
        )
        recorded = {name: result for name, result in zip(self._cameras, answers, strict=True) if result is not None}
        self._send(await asyncio.to_thread(collect_clip, root, request, clips, recorded, self._utc()))

    async def _publish_proofs(self, held: HeldSocket) -> None:
        """Send each changed proof at once and each other one every `PROOF_INTERVAL_S`; end without a gateway.

        This sleeps until the first instant at which a proof may differ without a packet, or is due again. What packets
        change, the cameras' threads report.
        """
        loop = asyncio.get_running_loop()
        renew_at = check_at = 0.0
        while not self._ending.is_set():
            self._look.clear()
            now = time.monotonic()
            if self._private:
                await self._keep_private()
            is_renewal = now >= renew_at
            if is_renewal:
                renew_at = now + PROOF_INTERVAL_S
            lines: list[bytes] = []
            look_at = min(
                [self._prove(name, camera, now, lines, renews=is_renewal) for name, camera in self._cameras.items()],
                default=math.inf,
            )
            if lines:
                self._write(b"".join(lines))
            if self._told or self._private:
                look_at = min(look_at, renew_at)
            if now >= check_at - (PROOF_INTERVAL_S if is_renewal else 0.0):  # together with a proof that is due
                check_at = now + PLACE_CHECK_INTERVAL_S
                self._end_if_lost(held)
            waking = loop.call_at(min(look_at, check_at, self._end_without_gateway(now)), self._look.set)
            await self._look.wait()
            waking.cancel()

    def _prove(self, name: str, camera: CameraReader, now: float, lines: list[bytes], *, renews: bool) -> float:
        """Add a camera's proof to `lines` if it changed or is due; return when (monotonic) it may differ next."""
        is_wanted = camera.is_wanted
        if not is_wanted and name not in self._told:
            return math.inf
        taken = camera.take_status(now)
        if taken is None:
            return now + BUSY_INTERVAL_S
        status, until = taken
        told = self._told.get(name)
        is_changed = told is None or told[0] != status
        if told is None or is_changed:
            newest = status.recordings[-1] if status.recordings else None
            proof = ipc.CameraProof(camera=name, at=now, recording=newest, **status._asdict())
            told = self._told[name] = status, proof.model_dump_json(exclude={"at"}).encode()
        if renews or is_changed:
            lines.append(b'{"at":%r,%b\n' % (now, told[1][1:]))
        if not is_wanted:
            del self._told[name]
        return until

    def _withdraw_proofs(self, names: Iterable[str]) -> None:
        """Tell the gateway that these cameras prove nothing any more, before they are stopped.

        Otherwise their newest proof would count until it is too old, and a slow disk can delay the end of their films.
        """
        gone = [name for name in names if self._told.pop(name, None) is not None]
        for name in gone:
            self._send(ipc.CameraProof(camera=name, at=time.monotonic(), live=False, moving=False))

    def _end_without_gateway(self, now: float) -> float:
        """End if no gateway came back in time; return until when (monotonic) one may come."""
        if self._gateway is not None:
            return math.inf
        until = self._no_gateway_since + (self._orphan_timeout_s if self._clips else self._idle_timeout_s)
        if now > until:
            log.warning("no gateway came back: the video process ends")
            self._end()
        return until

    def _end_if_lost(self, held: HeldSocket) -> None:
        """End if no gateway finds this process any more, or if a folder of films was moved or deleted."""
        if not held.is_reachable or not all(folder.is_in_place for folder in tuple(self._folders.values())):
            log.warning("the folder or the socket of the video process was moved or deleted: the process ends")
            self._end()


def close_left_films(root: Path) -> None:
    """Close all films that a killed process left open; those on a failed disk stay open until the next call."""
    for path in find_sidecars(root):
        try:
            close_left_film(root, path)
        except OSError as failure:
            log.warning("%s stays open: %s", path.name, failure)


def collect_clip(
    root: Path,
    request: ipc.FinishClip,
    requested: RequestedClip | None,
    recorded: dict[str, RecordingResult],
    ended_at: datetime,
) -> ipc.ClipsClosed:
    """Return all films and gaps of a clip, of this process and of killed ones; delete them if `request.keep` is false.

    A gap follows a film that did not end at the request, at most until now.
    """
    paths = find_sidecars(root / requested.folder if requested else root, request.clip)
    if not request.keep:
        for path in paths:
            for film in (path.with_suffix(".mp4"), path.with_suffix(".mp4.part"), path):
                film.unlink(missing_ok=True)
        return ipc.ClipsClosed(clip=request.clip, clips=())
    films: dict[str, list[Film]] = {name: list(result.films) for name, result in recorded.items()}
    known = {film.facts.path for result in recorded.values() for film in result.films if film.facts}
    for path in paths:
        if str(path.with_suffix(".mp4").relative_to(root)) not in known:
            left = close_left_film(root, path)
            if left is not None:
                films.setdefault(left.camera, []).append(left)
    facts: list[ipc.ClipFacts] = []
    gaps: list[tuple[str, ipc.Gap]] = []
    for name in sorted(films.keys() | (requested.cameras if requested else set())):
        films_of_camera = sorted(films.get(name, []), key=lambda film: film.start)
        facts += [film.facts for film in films_of_camera if film.facts]
        since = requested.requested_at if requested else films_of_camera[0].start
        result = recorded.get(name) or RecordingResult(since, ipc.StreamFault.UNREACHABLE, (), ())
        until = ended_at
        if requested is None and (last := films_of_camera[-1]).facts is not None and last.why is None:
            until = last.facts.end  # it ended at a request
        between = find_gaps(
            films_of_camera, requested_at=result.requested_at, ended_at=until, initial_fault=result.initial_fault
        )
        gaps += [(name, gap) for gap in (*result.pre_roll_gaps, *between)]
    return ipc.ClipsClosed(clip=request.clip, clips=tuple(facts), gaps=tuple(gaps))
