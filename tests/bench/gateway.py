"""`python -m tests.bench.gateway --home FILE [--marks FILE] [--proven]`: the real gateway, with a stop-watch if wanted.

`--proven` puts in the video process's place one whose proofs are always fresh: its cameras are live, move, and have
their clips on disk at once. Nothing else is another than in `gateway.app`.
"""

import argparse
import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from unittest import mock

from devices.vendors.words import TopicSuffix
from gateway.app import App
from gateway.cli.log_format import log_for_programs
from gateway.config.loader import load_home_file
from gateway.domain.now import Now
from gateway.domain.visit import commands as c
from gateway.domain.visit import events as e
from gateway.domain.visit.decide import decide
from gateway.domain.visit.state import Entrance
from gateway.mqtt.packets import InboundMessage
from gateway.runtime.entrance import EntranceActor
from gateway.video.client import VideoClient
from gateway.video.ipc import CameraProof, ClipKey, ClipsClosed, ConfigureCameras, FromVideo
from tests.bench.marks import Mark, write

MARKS: list[Mark] = []


def on_crash_point(point: str) -> None:
    """The gateway's own named points."""
    at = time.monotonic()
    MARKS.append(Mark("point", point, at, at))


def timed_decide(state: Entrance, event: e.Event, *, now: Now) -> tuple[Entrance, tuple[c.Command, ...]]:
    """`decide`, with a mark."""
    begin = time.monotonic()
    decided = decide(state, event, now=now)
    MARKS.append(Mark("decide", type(event).__name__, begin, time.monotonic()))
    return decided


class TimedEntrance(EntranceActor):
    """An entrance that notes when it heard what, and how long reading it took."""

    def on_message(self, device: str, channel: TopicSuffix, incoming: InboundMessage) -> None:
        """Decode a message, with a mark."""
        begin = time.monotonic()
        super().on_message(device, channel, incoming)
        MARKS.append(Mark("decode", device, begin, time.monotonic()))


class FreshProofs(Mapping[str, CameraProof]):
    """Each camera's proof, made as it is looked up."""

    def __init__(self, names: Mapping[str, object], proof: Callable[[str], CameraProof]) -> None:
        self._names, self._proof = names, proof

    def __getitem__(self, name: str) -> CameraProof:
        if name not in self._names:
            raise KeyError(name)
        return self._proof(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


class AlwaysProvenLink(VideoClient):
    """Cameras that are always proven, without a video process."""

    def __init__(self, *, command: Sequence[str], socket: Path, configure: ConfigureCameras, on_event: object) -> None:
        assert callable(on_event)
        super().__init__(command=command, socket=socket, configure=configure, on_event=on_event)
        self._clips: dict[str, tuple[ClipKey, ...]] = {camera.name: () for camera in configure.cameras}

    @property
    def proofs(self) -> Mapping[str, CameraProof]:
        """Fresh ones: each is made when it is looked up, so that a look-up costs what it costs of one camera."""
        return FreshProofs(self._clips, self._proof)

    async def run(self) -> None:
        """Prove all cameras once: nothing changes but by `record` and `finish`."""
        for name in self._clips:
            self.on_event(self._proof(name))
        await asyncio.Event().wait()

    def watch(self, cameras: Sequence[str], *, on: bool, labels: Sequence[str] = ()) -> None:
        """The cameras run anyway."""

    def record(self, clip: ClipKey, cameras: Sequence[str], folder: str) -> None:  # noqa: ARG002 - nothing is written
        """The clip's first fragment is on disk."""
        for name in cameras:
            self._clips[name] = (*self._clips[name], clip)
            self.on_event(self._proof(name))

    def finish(self, clip: ClipKey, *, keep: bool) -> None:  # noqa: ARG002 - nothing was written
        """The clip is closed."""
        for name, clips in self._clips.items():
            if clip in clips:
                self._clips[name] = tuple(other for other in clips if other != clip)
                self.on_event(self._proof(name))
        self.on_event(ClipsClosed(clip=clip, clips=()))

    async def take_picture(self, camera: str, timeout_s: float = 1.0) -> bytes | None:  # noqa: ARG002 - the signature of VideoClient
        """There is none."""
        return None

    def _proof(self, name: str) -> CameraProof:
        clips = self._clips[name]
        return CameraProof(camera=name, at=time.monotonic(), live=True, moving=True,
                     recording=clips[-1] if clips else None, recordings=clips)  # fmt: skip


class TimedVideoLink(VideoClient):
    """The real video link; notes when a camera's clip is proven to be on disk."""

    def _on_message(self, words: FromVideo) -> None:
        if isinstance(words, CameraProof) and words.recording is not None:
            at = time.monotonic()
            MARKS.append(Mark("filmed", words.recording.visit, at, at))
        super()._on_message(words)


def main() -> None:
    """Run until SIGTERM; with `--marks`, write them down then."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--marks", type=Path, help="take marks, which cost time themselves, and write them there")
    parser.add_argument("--proven", action="store_true")
    options = parser.parse_args()
    log_for_programs()
    with ExitStack() as patches:
        if options.marks is not None:
            patches.enter_context(mock.patch("gateway.runtime.entrance.decide", timed_decide))
            patches.enter_context(mock.patch("gateway.app.EntranceActor", TimedEntrance))
            patches.enter_context(mock.patch("gateway.app.VideoClient", TimedVideoLink))
        if options.proven:
            patches.enter_context(mock.patch("gateway.app.VideoClient", AlwaysProvenLink))
        home = load_home_file(options.home)
        asyncio.run((App(home) if options.marks is None else App(home, crash_point=on_crash_point)).run())
    if options.marks is not None:
        write(options.marks, MARKS)


if __name__ == "__main__":
    main()
