"""A gateway's side of the socket, written out: starts a video process, says words, waits for words."""

import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self, TypeVar

from gateway.video.ipc import (
    FROM_VIDEO_ADAPTER,
    CameraProof,
    ClipKey,
    ClipsClosed,
    ConfigureCameras,
    FinishClip,
    FromVideo,
    ToVideo,
    VideoHello,
)
from tests.filmset.cameras import CameraSet
from tests.filmset.films import sidecar_chain
from tests.forkserver import fork_server

TIMEOUT_S = 30.0  # seconds: for a machine that does much else

EventT = TypeVar("EventT")


class VideoSession:
    """One connection to a video process. All that it said is in `heard`, each proof with its instant of arrival."""

    def __init__(self, path: Path) -> None:
        self.heard: list[FromVideo] = []
        self.closed = False
        self._camera_changed = threading.Condition()
        self._socket = socket.socket(socket.AF_UNIX)
        _wait_until(lambda: _is_connectable(self._socket, path), "the video process listens")
        self._file = self._socket.makefile("rb")
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()
        self.adopted = self.wait(VideoHello)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.shutdown(socket.SHUT_RDWR) if not self.closed else None
        self._thread.join()
        self._file.close()
        self._socket.close()

    def say(self, words: ToVideo) -> None:
        """Send one line."""
        self.send(words.model_dump_json().encode() + b"\n")

    def send(self, data: bytes) -> None:
        """Send whatever it is."""
        self._socket.sendall(data)

    def hung_up(self) -> bool:
        """Whether the process ends the conversation."""
        self._thread.join(TIMEOUT_S)
        return self.closed

    def wait(
        self, kind: type[EventT], is_it: Callable[[EventT], bool] = lambda _words: True, *, since: int = 0
    ) -> EventT:
        """The first words of this kind that are it, heard from number `since` on."""
        end = time.monotonic() + TIMEOUT_S
        with self._camera_changed:
            while True:
                for words in self.heard[since:]:
                    if isinstance(words, kind) and is_it(words):
                        return words
                if self.closed or not self._camera_changed.wait(end - time.monotonic()):
                    last = [words for words in self.heard if isinstance(words, kind)][-1:]
                    raise AssertionError(f"no such {kind.__name__} was heard; the last one: {last}")

    def proof(self, camera: str, is_it: Callable[[CameraProof], bool]) -> CameraProof:
        """The next proof of this camera that is it, from now on."""
        return self.wait(CameraProof, lambda proof: proof.camera == camera and is_it(proof), since=len(self.heard))

    def stays(self, holds: Callable[[], bool], seconds: float, what: str) -> None:
        """Watch for so many seconds that something holds, whatever is heard; otherwise fail at once with `what`."""
        with self._camera_changed:
            assert not self._camera_changed.wait_for(lambda: not holds(), seconds), what

    def finish(self, visit: str, *, part: int = 1, keep: bool = True) -> ClipsClosed:
        """Finish a clip and wait for its facts."""
        key, since = ClipKey(visit=visit, part=part), len(self.heard)
        self.say(FinishClip(clip=key, keep=keep))
        return self.wait(ClipsClosed, lambda closed: closed.clip == key, since=since)

    def _listen(self) -> None:
        try:
            for line in self._file:
                with self._camera_changed:
                    self.heard.append(FROM_VIDEO_ADAPTER.validate_json(line))
                    self._camera_changed.notify_all()
        except ConnectionResetError:
            pass
        with self._camera_changed:
            self.closed = True
            self._camera_changed.notify_all()


class VideoProcess:
    """A video process of its own, with its films under `folder`."""

    def __init__(self, place: Path, *, kill_at: str | None = None, films: Path | None = None) -> None:
        self.socket = place / "video.sock"
        self.films = films or place / "films"
        words = ("-m", "tests.filmset.rigged", "--kill-at", kill_at) if kill_at else ("-m", "gateway.video")
        with open(2, "wb", closefd=False) as error:
            self.process = fork_server().start([*words, "--socket", str(self.socket)], error)

    def talk(self, cameras: CameraSet, *names: str, pre_roll: float = 2.0, film_sync_s: float = 0.25) -> VideoSession:
        """Connect and configure these cameras."""
        talk = VideoSession(self.socket)
        sources = tuple(cameras.source(name) for name in names)
        talk.say(ConfigureCameras(cameras=sources, pre_roll=pre_roll, folder=str(self.films), film_sync_s=film_sync_s))
        return talk

    def grows(self, film: str, fragments: int = 2) -> None:
        """Wait until so many more fragments of a film that has begun are on disk: each is half a second of pictures."""
        enough = len(sidecar_chain(self.films / film)) + fragments
        _wait_until(lambda: len(sidecar_chain(self.films / film)) >= enough, f"{film} grows")

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End it; returns its exit status."""
        self.process.send_signal(number)
        return self.process.wait_at_most(TIMEOUT_S)


@contextmanager
def video_process(place: Path, *, kill_at: str | None = None, films: Path | None = None) -> Iterator[VideoProcess]:
    """A video process that has ended when this is left."""
    process = VideoProcess(place, kill_at=kill_at, films=films)
    try:
        yield process
    finally:
        process.end()


def _is_connectable(endpoint: socket.socket, path: Path) -> bool:
    try:
        endpoint.connect(str(path))
    except (FileNotFoundError, ConnectionRefusedError):
        return False
    return True


def _wait_until(true: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + TIMEOUT_S
    while not true():
        assert time.monotonic() < end, f"never: {what}"
        time.sleep(0.02)
