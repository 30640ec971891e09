"""What a survey needs at the terminal and in a gateway: a lock on it, the cameras' state, silent devices.

The cameras run in a video process of the surveys' own, which films nothing: only whether pictures are live is asked.
"""

import asyncio
import contextlib
import fcntl
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from enum import StrEnum, auto
from pathlib import Path

from gateway.config.home import Home
from gateway.domain.timing import Timing
from gateway.installation import notes
from gateway.installation.device_probe import device_topics, probe_devices
from gateway.installation.survey_outage import is_refused_at
from gateway.installation.survey_video import OutageRecorder
from gateway.mqtt.client import connect_once
from gateway.runtime.cameras import video_configuration as sources
from gateway.video.client import VideoClient
from gateway.video.ipc import FromVideo, VideoHello

MAX_DEVICE_LATENCY_S = 30.0  # seconds that a device may declare to need
CAMERA_START_S = 10.0  # seconds for cameras to begin before the first look
STOP_TIMEOUT_S = 8.0  # seconds for the video process to end by itself
POLL_INTERVAL_S = 0.05

VIDEO_COMMAND = (sys.executable, "-m", "gateway.video")


class SurveyHolder(StrEnum):
    """Who runs a survey."""

    TERMINAL = auto()
    GATEWAY = auto()


class SurveyTaken(Exception):  # noqa: N818 - it says what is the matter
    """Another process runs this entrance's survey now; `survey_holder` is None where it has not said yet which."""

    def __init__(self, holder: SurveyHolder | None) -> None:
        super().__init__(f"the {holder or 'other one'} runs it")
        self.holder = holder


def claim_file(storage: Path, entrance: str) -> Path:
    """The file that whoever runs an entrance's survey holds locked; the lock, not the file, says that one runs."""
    return storage / notes.INSTALLATION_FOLDER / f"survey-{entrance}.lock"


@contextlib.contextmanager
def claim_survey(storage: Path, entrance: str, holder: SurveyHolder) -> Iterator[None]:
    """Have an entrance's survey for this process alone; it ends with the process, however that ends.

    Raises:
        Taken: another has it.
        OSError: the file cannot be made.
    """
    file = claim_file(storage, entrance)
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(file, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SurveyTaken(_parse_holder(os.pread(handle, 64, 0))) from None
        with contextlib.suppress(OSError):  # on a full disk only its name is missing
            os.pwrite(handle, f"{holder:<10}\n".encode(), 0)
        yield
    finally:
        os.close(handle)


def survey_holder(storage: Path, entrance: str) -> SurveyHolder | None:
    """Who runs an entrance's survey now; None: nobody."""
    try:
        with shared_claim(claim_file(storage, entrance)):
            return None
    except SurveyTaken as taken:
        return taken.holder
    except OSError:
        return None  # there is no such file


@contextlib.contextmanager
def shared_claim(file: Path) -> Iterator[None]:
    """Hold the file for a moment, as any number of onlookers may.

    Raises:
        Taken: somebody runs the survey.
        OSError: there is no such file.
    """
    handle = os.open(file, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise SurveyTaken(_parse_holder(os.pread(handle, 64, 0))) from None
    finally:
        os.close(handle)


def _parse_holder(text: bytes) -> SurveyHolder | None:
    word = text.decode("ascii", errors="replace").strip()
    return SurveyHolder(word) if word in set(SurveyHolder) else None


def split_devices(home: Home, devices: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Divide what is looked at into cameras, and what is asked; what is no longer in the house is left out."""
    here = [id_ for id_ in devices if id_ in home.devices]
    cameras = tuple(id_ for id_ in here if home.devices[id_].kind == "camera")
    return cameras, tuple(id_ for id_ in here if id_ not in cameras)


class CameraWatch:
    """Some cameras that are watched, and for how long they have been without a break."""

    def __init__(self, cameras: Sequence[str], seen: Callable[[], bool]) -> None:
        self.cameras, self._seen = tuple(cameras), seen
        self._recorder: OutageRecorder | None = None
        self._begin_mono = 0.0

    def heard(self, words: FromVideo, now: float) -> None:
        """Take in what the video process says. One that was lost knows nothing of the time between: it begins anew."""
        if isinstance(words, VideoHello):
            self._recorder, self._begin_mono = OutageRecorder(self.cameras, began=now), now
        elif self._recorder is not None:
            self._recorder.heard(words)

    def dark(self, now: float, timing: Timing) -> tuple[str, ...] | None:
        """Which cameras would have refused; None: not known, as they were not watched long enough.

        What is judged is the newest instant of which all is known: `timing.ring + timing.live` seconds ago.
        """
        if not self.cameras:
            return ()
        if self._recorder is None or not self._seen():
            return None
        judged = timing.ring + timing.live
        watched = self._recorder.watched(now=now)
        still = any(one.darks and one.darks[-1].end >= now for one in watched.values())
        if still and now - self._begin_mono < judged:
            return None  # it may only be starting
        return tuple(
            name
            for name, one in watched.items()
            if is_refused_at(one.darks, now - judged, ring=timing.ring, live=timing.live)
        )


class SurveyVideo:
    """The surveys' own video process: it runs while something is watched. `folder` is its own too, and stays empty.

    After a kill it is found again on `socket`, so that no camera is asked for a second stream beside a forgotten one.
    """

    def __init__(self, home: Home, *, socket: Path, folder: Path) -> None:
        self._home, self._socket, self._folder = home, socket, folder
        self._watches: list[CameraWatch] = []
        self._start_lock = asyncio.Lock()
        self._link: VideoClient | None = None
        self._process: asyncio.Task[None] | None = None

    @property
    def open(self) -> bool:
        """Whether the process runs and listens."""
        return self._link is not None and self._link.is_connected

    @contextlib.asynccontextmanager
    async def watch(self, cameras: Sequence[str]) -> AsyncIterator[CameraWatch]:
        """Run these cameras, filming nothing, until left."""
        watch = CameraWatch(cameras, lambda: self.open)
        if not cameras:
            yield watch
            return
        async with self._start_lock:
            self._watches.append(watch)
            link = self._link or self._start()
            if link.is_connected:
                watch.heard(VideoHello(pid=link.pid or 0, recording=()), asyncio.get_running_loop().time())
            link.watch(watch.cameras, on=True)
        try:
            yield watch
        finally:
            async with self._start_lock:
                self._watches.remove(watch)
                others = {camera for one in self._watches for camera in one.cameras}
                link.watch([camera for camera in watch.cameras if camera not in others], on=False)
                if not self._watches:
                    await self._stop()

    def _start(self) -> VideoClient:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        home = sources(self._home)
        # Only whether it is live is asked, for which key pictures do; and it comes back as soon as in a visit.
        cameras = tuple(one.model_copy(update={"sees_courier": False, "urgent": True}) for one in home.cameras)
        source = home.model_copy(update={"cameras": cameras, "folder": str(self._folder), "pre_roll": 0.0})
        link = self._link = VideoClient(
            command=(*VIDEO_COMMAND, "--socket", str(self._socket)), socket=self._socket, configure=source,
            on_event=self._on_video_event,
        )  # fmt: skip
        self._process = asyncio.create_task(link.run(), name="surveys' video")
        return link

    def _on_video_event(self, words: FromVideo) -> None:
        now = asyncio.get_running_loop().time()
        if not self.open:
            return  # the process is gone: what it does not see is not known to be dark
        for watch in self._watches:
            watch.heard(words, now)

    async def _stop(self) -> None:
        """End the process: it would wait a minute for a gateway that never comes."""
        link, running = self._link, self._process
        self._link = self._process = None
        assert link is not None  # noqa: S101 - something was watched
        assert running is not None  # noqa: S101 - the same
        pid = link.pid or link.child_pid
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        if pid is not None:
            await _terminate(pid)


async def _terminate(pid: int) -> None:
    """End a process and bury it; one that was adopted is buried by others."""
    loop = asyncio.get_running_loop()
    give_up = loop.time() + STOP_TIMEOUT_S
    with contextlib.suppress(ProcessLookupError, ChildProcessError):
        os.kill(pid, signal.SIGTERM)
        while os.waitpid(pid, os.WNOHANG)[0] == 0:  # noqa: ASYNC222 - it does not wait
            if loop.time() > give_up:
                os.kill(pid, signal.SIGKILL)
            await asyncio.sleep(POLL_INTERVAL_S)


async def silent_devices(home: Home, devices: Sequence[str]) -> tuple[str, ...]:
    """Ask as the installer's account may: which devices do not answer in the time that they declare.

    Raises:
        ConnectionError: the broker cannot be reached, refuses this account, or was lost on the way.
        ConfigError: the account's password cannot be read.
        NoKey: the box's key cannot be used.
    """
    if not devices:
        return ()
    account = home.broker.account("installer")
    async with connect_once(account, device_topics(home, devices), monotonic=asyncio.get_running_loop().time) as guest:
        found = await probe_devices(home, guest, devices, longest=MAX_DEVICE_LATENCY_S, word="survey", settle=0.0)
    return tuple(id_ for id_, heard in found.devices.items() if heard.why is None and heard.answer is None)
