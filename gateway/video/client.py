"""The gateway's client of the video process: starts it, talks to it, and accepts only fresh proofs."""

import asyncio
import base64
import logging
import os
import re
import secrets
import signal
import socket as sockets
import struct
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, assert_never

from pydantic import ValidationError

from gateway.system.backoff import Backoff
from gateway.video import ipc

log = logging.getLogger(__name__)

MAX_PROOF_AGE_S: Final = 1.0  # seconds after which a proof is dropped and its camera counts as not live
START_TIMEOUT_S: Final = 10.0  # seconds for a new process to begin to listen
RESTART_BACKOFF: Final = Backoff(0.1, 5.0)  # before a process that died is started again
HANG_UP_TIMEOUT_S: Final = 1.0  # seconds within which a process of another version closes the connection
MAX_FAILED_SESSIONS: Final = 3  # sessions in a row that end before a message was understood
MIN_FADING_WAIT_S: Final = 0.01  # seconds between two checks for proofs that are too old
PICTURE_TIMEOUT_S: Final = 1.0  # seconds that a message waits for its picture: the text matters more
MAX_LINE_BYTES: Final = 16 << 20  # the facts of a long visit come in one line
PROOF_TIME: Final = re.compile(rb'\{"at":([0-9]{1,12}\.[0-9]{1,17}),')  # lines with the same claims differ here only


@dataclass(slots=True)
class _ReceivedProof:
    """The newest proof of a camera. `at`: the time (monotonic seconds) of the last line with the same claims.

    `claims`: this line without its time.
    """

    proof: ipc.CameraProof
    at: float
    claims: bytes = b""

    def dated(self) -> ipc.CameraProof:
        """Return the proof with the time at which it was last proven."""
        if self.proof.at != self.at:
            self.proof = self.proof.model_copy(update={"at": self.at})
        return self.proof


class VideoClient:
    """The gateway's connection to its video process. All methods are called in the event loop of `run`.

    `command` starts a process that listens on `socket`. The process is detached and outlives the gateway. If a process
    already listens, the client uses it. The client ends it only if it understands no message, because an older version
    left it behind at an upgrade; that process closes its films, and the next one continues them. If a process dies, the
    client starts another one and repeats what to watch, film and finish.

    The client calls `on_event` with each VideoHello, ClipBegun, ClipsClosed, BarcodeRead and PictureTaken, and with a
    CameraProof only if it differs from the one before. If the process is lost, or a camera's proofs stop, it calls
    `on_event` for each such camera with a CameraProof that is neither live nor moving nor recording.
    """

    def __init__(
        self,
        *,
        command: Sequence[str],
        socket: Path,
        configure: ipc.ConfigureCameras,
        on_event: Callable[[ipc.FromVideo], None] = lambda _words: None,
    ) -> None:
        self.on_event = on_event
        self._command, self._socket, self._configure = tuple(command), socket, configure
        self._writer: asyncio.StreamWriter | None = None
        self._child_pid: int | None = None
        self.pid: int | None = None  # of the video process, while connected
        self._received: dict[str, _ReceivedProof] = {}  # by camera
        self._by_claims: dict[bytes, _ReceivedProof] = {}  # the same, by their lines without the time
        self._has_proofs = asyncio.Event()
        self._watched: dict[str, bool] = {}  # camera -> whether labels are read
        self._recording: dict[ipc.ClipKey, ipc.RecordClip] = {}
        self._finishing: dict[ipc.ClipKey, ipc.FinishClip] = {}
        self._private: tuple[ipc.PrivatePeriod, ...] = ()
        self._pictures: dict[str, asyncio.Future[bytes | None]] = {}

    @property
    def is_connected(self) -> bool:
        """Whether a video process has answered and is still connected."""
        return self.pid is not None

    @property
    def proofs(self) -> Mapping[str, ipc.CameraProof]:
        """The newest proof of each camera that is at most `MAX_PROOF_AGE_S` old; empty while not connected."""
        now = asyncio.get_running_loop().time()
        return {name: one.dated() for name, one in self._received.items() if now - one.at <= MAX_PROOF_AGE_S}

    async def run(self) -> None:
        """Start or find a video process and stay connected, until cancelled; the process then continues."""
        pause, refusals = RESTART_BACKOFF.first_s, 0
        while True:
            connection = await self._connect_or_start()
            if connection is not None:
                pause = RESTART_BACKOFF.first_s
                refusals = 0 if await self._run_session(*connection) else refusals + 1
                if refusals >= MAX_FAILED_SESSIONS:
                    self._terminate_older(_peer_pid(connection[1]))
                    refusals = 0
                await asyncio.sleep(RESTART_BACKOFF.first_s)
                continue
            log.warning("the video process does not begin; tried again in %.1f s", pause)
            await asyncio.sleep(pause)
            pause = RESTART_BACKOFF.next_s(pause)

    def watch(self, cameras: Sequence[str], *, on: bool, labels: Sequence[str] = ()) -> None:
        """Start or end the pre-roll of these cameras; those in `labels` also read barcodes."""
        for name in cameras:
            if on:
                self._watched[name] = name in labels
            else:
                self._watched.pop(name, None)
        self._send(ipc.WatchCameras(cameras=tuple(cameras), on=on, labels=tuple(labels)))

    def set_private(self, periods: Sequence[ipc.PrivatePeriod]) -> None:
        """Tell the process in which periods a camera may not run, in place of those before."""
        self._private = tuple(periods)
        self._send(ipc.PrivatePeriods(periods=self._private))

    def record(self, clip: ipc.ClipKey, cameras: Sequence[str], folder: str) -> None:
        """Film with these cameras until `finish`, also across a restart of the process."""
        self._recording[clip] = ipc.RecordClip(clip=clip, cameras=tuple(cameras), folder=folder)
        self._send(self._recording[clip])

    def finish(self, clip: ipc.ClipKey, *, keep: bool) -> None:
        """End a clip; `on_event` gets `ClipsClosed`, also from a later process. `keep` False deletes it."""
        self._recording.pop(clip, None)
        self._finishing[clip] = ipc.FinishClip(clip=clip, keep=keep)
        self._send(self._finishing[clip])

    async def take_picture(self, camera: str, timeout_s: float = PICTURE_TIMEOUT_S) -> bytes | None:
        """Return a JPEG of what the camera sees now; None without a live picture or an answer within `timeout_s`."""
        if not self.is_connected:
            return None
        request = secrets.token_hex(8)
        answer = self._pictures[request] = asyncio.get_running_loop().create_future()
        self._send(ipc.TakePicture(camera=camera, request=request))
        try:
            return await asyncio.wait_for(answer, timeout_s)
        except TimeoutError:
            return None
        finally:
            del self._pictures[request]

    def _send(self, message: ipc.ToVideo) -> None:
        if self.pid is not None and self._writer is not None and not self._writer.is_closing():
            self._writer.write(message.model_dump_json().encode() + b"\n")

    async def _connect_or_start(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        connection = await self._connect()
        if connection is None and not self._is_child_alive():
            self._child_pid = self._start()
        loop = asyncio.get_running_loop()
        give_up = loop.time() + START_TIMEOUT_S
        while connection is None and loop.time() < give_up and self._is_child_alive():
            await asyncio.sleep(0.05)
            connection = await self._connect()
        return connection

    def _start(self) -> int | None:
        """Start the process in its own session; return its id, or None if it cannot be started.

        Processes of asyncio and subprocess would end with the gateway, so neither is used.
        """
        from_nothing = (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)
        to_nothing = (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)
        actions = (from_nothing, to_nothing)
        try:
            return os.posix_spawnp(self._command[0], self._command, os.environ, file_actions=actions, setsid=True)
        except OSError as failure:
            log.warning("the video process cannot be started: %s", failure)
            return None

    def _terminate_older(self, pid: int | None) -> None:
        """End the process at the other end of the socket, which is of an incompatible version."""
        if pid is None:
            return
        log.warning("the video process %d is an older version's and understands nothing: it is ended", pid)
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGTERM)

    def _is_child_alive(self) -> bool:
        """Whether the process that this client started runs; reap it if it has ended."""
        if self._child_pid is not None and os.waitpid(self._child_pid, os.WNOHANG)[0]:
            self._child_pid = None
        return self._child_pid is not None

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        try:
            return await asyncio.open_unix_connection(self._socket, limit=MAX_LINE_BYTES)
        except (FileNotFoundError, ConnectionError):
            return None

    async def _run_session(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Send the whole state, then read until the process closes. False: it closed at once, without understanding."""
        self._writer = writer
        loop = asyncio.get_running_loop()
        began, understood = loop.time(), False
        fading = asyncio.create_task(self._drop_stale_proofs(), name="stale proofs")
        try:
            while (line := await self._read_line(reader)) is not None:
                if self._renew_proof(line):
                    continue
                message = self._parse(line)
                if message is None:
                    break
                self._on_message(message)
                understood = understood or not isinstance(message, ipc.VideoHello)
                if isinstance(message, ipc.CameraProof):
                    self._remember_claims(message.camera, line)
        finally:
            fading.cancel()
            with suppress(asyncio.CancelledError):
                await fading
            self._writer, self.pid = None, None
            writer.close()
            for name in tuple(self._received):
                self._drop_proof(name)
        return understood or loop.time() - began > HANG_UP_TIMEOUT_S

    async def _read_line(self, reader: asyncio.StreamReader) -> bytes | None:
        try:
            line = await reader.readline()
        except (ConnectionError, ValueError) as error:
            log.warning("the video process is given up: %r", error)
            return None
        if not line:
            log.warning("the video process is gone")
            return None
        return line

    def _parse(self, line: bytes) -> ipc.FromVideo | None:
        try:
            return ipc.FROM_VIDEO_ADAPTER.validate_json(line)
        except ValidationError as error:
            log.warning("the video process is given up: %r", error)
            return None

    def _renew_proof(self, line: bytes) -> bool:
        """If a line repeats the newest proof of a camera with another time, take the time and return True.

        Nearly all lines do. They need no parsing: all bytes after the time are the same.
        """
        time = PROOF_TIME.match(line)
        if time is None or (received := self._by_claims.get(line[time.end() :])) is None:
            return False
        received.at = float(time[1])
        return True

    def _remember_claims(self, name: str, line: bytes) -> None:
        """Remember the line of a camera's newest proof instead of the one before, for `_renew_proof`."""
        received = self._received[name]
        self._by_claims.pop(received.claims, None)
        time = PROOF_TIME.match(line)
        received.claims = b"" if time is None else line[time.end() :]
        if received.claims:
            self._by_claims[received.claims] = received

    def _on_message(self, message: ipc.FromVideo) -> None:
        match message:
            case ipc.VideoHello(pid=pid):
                self.pid = pid
                self._send_all()
            case ipc.CameraProof():
                received = self._received.setdefault(message.camera, _ReceivedProof(message, message.at))
                before, received.proof, received.at = received.proof, message, message.at
                self._has_proofs.set()
                if before is not message and message.model_copy(update={"at": before.at}) == before:
                    return
            case ipc.ClipsClosed(clip=clip):
                self._finishing.pop(clip, None)
            case ipc.PictureTaken(request=request, jpeg=jpeg):
                answer = self._pictures.get(request)
                if answer is not None and not answer.done():
                    answer.set_result(None if jpeg is None else base64.b64decode(jpeg))
            case ipc.ClipBegun() | ipc.BarcodeRead():
                pass
            case _:
                assert_never(message)
        self.on_event(message)

    def _send_all(self) -> None:
        if self._private:  # a process of an older version, which does not know them, has understood nothing yet
            self._send(ipc.PrivatePeriods(periods=self._private))
        self._send(self._configure)
        for labels in (True, False):
            names = tuple(name for name, reads in self._watched.items() if reads is labels)
            if names:
                self._send(ipc.WatchCameras(cameras=names, on=True, labels=names if labels else ()))
        for record in self._recording.values():
            self._send(record)
        for finish in self._finishing.values():
            self._send(finish)

    async def _drop_stale_proofs(self) -> None:
        """Drop the proofs of cameras whose proofs stopped although the process runs."""
        loop = asyncio.get_running_loop()
        while True:
            if not self._received:
                self._has_proofs.clear()
                await self._has_proofs.wait()
            oldest_at = min(one.at for one in self._received.values())
            await asyncio.sleep(max(oldest_at + MAX_PROOF_AGE_S - loop.time(), MIN_FADING_WAIT_S))
            for name, one in tuple(self._received.items()):
                if loop.time() - one.at > MAX_PROOF_AGE_S:
                    self._drop_proof(name)

    def _drop_proof(self, name: str) -> None:
        received = self._received.pop(name)
        self._by_claims.pop(received.claims, None)
        proof = received.proof
        if proof.live or proof.moving or proof.recordings:
            self.on_event(ipc.CameraProof(camera=name, at=asyncio.get_running_loop().time(), live=False, moving=False))


def _peer_pid(writer: asyncio.StreamWriter) -> int | None:
    """Return the id of the process at the other end of the socket (SO_PEERCRED, unix(7)); None if unknown."""
    try:
        credentials = writer.get_extra_info("socket").getsockopt(
            sockets.SOL_SOCKET, sockets.SO_PEERCRED, struct.calcsize("3i")
        )
    except OSError:
        return None
    pid: int = struct.unpack("3i", credentials)[0]
    return pid or None
