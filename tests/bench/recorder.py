"""Video processes and plain stream copies for benches."""

import asyncio
import contextlib
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from gateway.demo.processes import LoggedProcess
from gateway.video.ipc import CameraProof, ClipBegun, ConfigureCameras, WatchCameras
from tests.bench.cameras import CameraServer
from tests.filmset.talk import VideoSession

EventT = TypeVar("EventT", ClipBegun, CameraProof)


@dataclass(frozen=True, slots=True)
class Recorder:
    """A video process that watches these cameras, and the line to it."""

    child: LoggedProcess
    talk: VideoSession

    async def wait(self, kind: type[EventT], is_it: Callable[[EventT], bool], *, since: int = 0) -> EventT:
        """The first such words heard from number `since` on."""
        return await asyncio.to_thread(lambda: self.talk.wait(kind, is_it, since=since))

    async def live(self, names: tuple[str, ...]) -> None:
        """Wait until these cameras are live."""
        since = len(self.talk.heard)
        for name in names:
            await self.wait(CameraProof, lambda proof, name=name: proof.camera == name and proof.live, since=since)  # type: ignore[misc]  # mypy infers no lambda with a default


@contextlib.asynccontextmanager
async def recorder(
    air: CameraServer, *, decodes: bool = True, pre_roll: float = 2.0, film_sync_s: float = 0.25
) -> AsyncIterator[Recorder]:
    """Start one, its rings running, all cameras live; `decodes` False: it takes every picture for sound, unseen."""
    folder = Path(tempfile.mkdtemp(prefix="perron-bench-"))
    socket = folder / "video.sock"
    module = "gateway.video" if decodes else "tests.bench.blind"
    child = await LoggedProcess.start(module, ["--socket", str(socket)], folder / "video.log")
    try:
        await child.wait_until("a video process", socket.exists, within=60)
        with VideoSession(socket) as talk:
            talk.say(ConfigureCameras(cameras=tuple(air.source(name) for name in air.names), pre_roll=pre_roll,
                               folder=str(folder / "films"), film_sync_s=film_sync_s))  # fmt: skip
            talk.say(WatchCameras(cameras=air.names, on=True))
            made = Recorder(child, talk)
            await made.live(air.names)
            yield made
    finally:
        await child.end()
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.asynccontextmanager
async def stream_readers(air: CameraServer) -> AsyncIterator[list[LoggedProcess]]:
    """A process for each camera that reads its packets with libav as the video process does, and nothing else."""
    with tempfile.TemporaryDirectory(prefix="perron-bench-") as folder:
        log = Path(folder) / "reader.log"
        children = [await LoggedProcess.start("tests.bench.copying", [air.url(name)], log) for name in air.names]
        try:
            yield children
        finally:
            for child in children:
                await child.end()


@contextlib.asynccontextmanager
async def stream_copies(air: CameraServer) -> AsyncIterator[tuple[str, list[LoggedProcess]]]:
    """A plain stream copy of each camera into a file: what does it, and its processes."""
    folder = Path(tempfile.mkdtemp(prefix="perron-bench-"))
    ffmpeg = shutil.which("ffmpeg")
    children: list[LoggedProcess] = []
    try:
        for name in air.names:
            film, log = folder / f"{name}.mp4", folder / f"{name}.log"
            if ffmpeg is None:
                children.append(await LoggedProcess.start("tests.bench.copying", [air.url(name), str(film)], log))
                continue
            words = ("-nostdin", "-loglevel", "error", "-rtsp_transport", "tcp", "-i", air.url(name), "-c", "copy")
            with log.open("ab") as out:
                process = await asyncio.create_subprocess_exec(
                    ffmpeg, *words, str(film), stdin=asyncio.subprocess.DEVNULL, stdout=out, stderr=out,
                )  # fmt: skip
            children.append(LoggedProcess(process, log))
        for child in children:
            film = child.log.with_suffix(".mp4")
            await child.wait_until("a stream copy", lambda film=film: film.exists(), within=60)  # type: ignore[misc]  # as above
        yield "ffmpeg -c copy" if ffmpeg else "PyAV stream copy", children
    finally:
        for child in children:
            await child.end()
        shutil.rmtree(folder, ignore_errors=True)
