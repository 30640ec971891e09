"""Video processes and plain stream copies for benches."""

import asyncio
import contextlib
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from gateway.demo.processes import Child
from gateway.video.ipc import Begun, Configure, Proof, Watch
from tests.bench.cameras import Air
from tests.filmset.talk import Talk

Heard = TypeVar("Heard", Begun, Proof)


@dataclass(frozen=True, slots=True)
class Recorder:
    """A video process that watches these cameras, and the line to it."""

    child: Child
    talk: Talk

    async def wait(self, kind: type[Heard], is_it: Callable[[Heard], bool], *, since: int = 0) -> Heard:
        """The first such words heard from number `since` on."""
        return await asyncio.to_thread(lambda: self.talk.wait(kind, is_it, since=since))

    async def live(self, names: tuple[str, ...]) -> None:
        """Wait until these cameras are live."""
        since = len(self.talk.heard)
        for name in names:
            await self.wait(Proof, lambda proof, name=name: proof.camera == name and proof.live, since=since)  # type: ignore[misc]  # mypy infers no lambda with a default


@contextlib.asynccontextmanager
async def recorder(air: Air, *, decodes: bool = True, pre_roll: float = 2.0) -> AsyncIterator[Recorder]:
    """Start one, its rings running, all cameras live; `decodes` False: it takes every picture for sound, unseen."""
    folder = Path(tempfile.mkdtemp(prefix="perron-bench-"))
    socket = folder / "video.sock"
    module = "gateway.video" if decodes else "tests.bench.blind"
    child = await Child.start(module, ["--socket", str(socket)], folder / "video.log")
    try:
        await child.until("a video process", socket.exists, within=60)
        with Talk(socket) as talk:
            talk.say(Configure(cameras=tuple(air.source(name) for name in air.names), pre_roll=pre_roll,
                               folder=str(folder / "films")))  # fmt: skip
            talk.say(Watch(cameras=air.names, on=True))
            made = Recorder(child, talk)
            await made.live(air.names)
            yield made
    finally:
        await child.end()
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.asynccontextmanager
async def copies(air: Air) -> AsyncIterator[tuple[str, list[Child]]]:
    """A plain stream copy of each camera into a file: what does it, and its processes."""
    folder = Path(tempfile.mkdtemp(prefix="perron-bench-"))
    ffmpeg = shutil.which("ffmpeg")
    children: list[Child] = []
    try:
        for name in air.names:
            film, log = folder / f"{name}.mp4", folder / f"{name}.log"
            if ffmpeg is None:
                children.append(await Child.start("tests.bench.copying", [air.url(name), str(film)], log))
                continue
            words = ("-nostdin", "-loglevel", "error", "-rtsp_transport", "tcp", "-i", air.url(name), "-c", "copy")
            with log.open("ab") as out:
                process = await asyncio.create_subprocess_exec(
                    ffmpeg, *words, str(film), stdin=asyncio.subprocess.DEVNULL, stdout=out, stderr=out,
                )  # fmt: skip
            children.append(Child(process, log))
        for child in children:
            film = child.log.with_suffix(".mp4")
            await child.until("a stream copy", lambda film=film: film.exists(), within=60)  # type: ignore[misc]  # as above
        yield "ffmpeg -c copy" if ffmpeg else "PyAV stream copy", children
    finally:
        for child in children:
            await child.end()
        shutil.rmtree(folder, ignore_errors=True)
