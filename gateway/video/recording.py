"""A clip of one camera from `Record` to `Finish`, in as many files as failures of camera and disk require."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import av.error
from av.video.stream import VideoStream

from gateway.video.clip import ClipWriter, CrashPoint, FilmPath
from gateway.video.ipc import ClipBegun, ClipKey, FromVideo, Gap, StreamFault
from gateway.video.recovery import ClosedFilm, next_film_number
from gateway.video.ring import EncodedPicture, PreRollBuffer

log = logging.getLogger(__name__)

MAX_SYNC_AGE_S: Final = 1.0  # seconds for which a synced fragment proves that the clip goes on
DISK_RETRY_DELAY_S: Final = 2.0  # seconds before a new file is tried on a disk that failed


@dataclass(frozen=True, slots=True)
class CameraContext:
    """What all cameras of the process share. `tell` and `reached` are called in the cameras' threads."""

    root: Path
    pre_roll: float
    utc: Callable[[], datetime]
    tell: Callable[[FromVideo], None]
    reached: CrashPoint


@dataclass(frozen=True, slots=True)
class RecordingResult:
    """What a camera filmed of a clip: when it was asked, why film lacked then, holes in the pre-roll, the films."""

    asked: datetime
    missing: StreamFault
    early: tuple[Gap, ...]
    films: tuple[ClosedFilm, ...]


class Recording:
    """The owner holds the camera's lock in every call."""

    def __init__(  # noqa: PLR0913  whose clip, where, and since when
        self, *, camera: str, clip: ClipKey, folder: str, around: CameraContext, now: float, missing: StreamFault
    ) -> None:
        self.clip = clip
        self.disk_failed = False
        self._camera, self._folder, self._context = camera, folder, around
        self._utc, self._now, self._initial_fault = around.utc(), now, missing
        self._running: ClipWriter | None = None
        self._is_announced = False
        self._not_before = now
        self._films: list[ClosedFilm] = []
        self._early_gaps: list[Gap] = []

    def moment(self, at: float) -> datetime:
        """UTC of monotonic seconds: one clock for the whole recording, whatever steps the machine's makes."""
        return self._utc + timedelta(seconds=at - self._now)

    def early(self, fault: StreamFault, since: float, until: float) -> None:
        """Declare a hole in the pre-roll."""
        self._early_gaps.append(Gap(start=self.moment(since), end=self.moment(until), why=fault))

    def take(self, sample: EncodedPicture, ring: PreRollBuffer, template: VideoStream) -> None:
        """Film the newest picture, which is the ring's last too."""
        try:
            if self._running is not None:
                self._running.put(sample)
            elif sample.at >= self._not_before and len(ring):
                self._begin(ring, template)
        except OSError as failure:
            log.warning("%s: the disk failed: %s", self._camera, failure)
            self.disk_failed, self._not_before = True, sample.at + DISK_RETRY_DELAY_S
            self.end(StreamFault.DISK)
        except av.error.FFmpegError as error:
            log.warning("%s: a picture that cannot be filmed: %s", self._camera, error)
            self.end(StreamFault.UNDECODABLE)
        self._announce()

    def hole(self, fault: StreamFault, since: float, until: float) -> None:
        """Declare that the running film shows nothing of worth from `since` to `until`."""
        if self._running is None:
            return
        start, end = max(self._running.start, self.moment(since)), self.moment(until)
        if start < end:
            try:
                self._running.hole(Gap(start=start, end=end, why=fault))
            except OSError as failure:
                log.warning("%s: the disk failed: %s", self._camera, failure)
                self.end(StreamFault.DISK)

    def end(self, why: StreamFault | None) -> None:
        """Close the running film, if any; the next picture begins another."""
        clip, self._running, self._is_announced = self._running, None, False
        if clip is not None:
            facts = clip.close(why)
            ended = why if facts else why or StreamFault.DISK
            self._films.append(ClosedFilm(camera=self._camera, start=clip.start, facts=facts, why=ended))

    def say_again(self) -> None:
        """Announce the running film again, for a new gateway."""
        self._is_announced = False
        self._announce()

    def on_disk(self, now: float) -> bool:
        """Whether the film's newest fragment is on disk now."""
        clip = self._running
        return clip is not None and clip.begun and clip.synced_at is not None and now - clip.synced_at <= MAX_SYNC_AGE_S

    def recorded(self) -> RecordingResult:
        """What was filmed; the running film must be ended."""
        return RecordingResult(self.moment(self._now), self._initial_fault, tuple(self._early_gaps), tuple(self._films))

    def _begin(self, ring: PreRollBuffer, template: VideoStream) -> None:
        samples = list(ring)
        n = next_film_number(self._context.root / self._folder, self._camera, self.clip.part)
        path = f"{self._folder}/{self._camera}-{self.clip.part}-{n}.mp4"
        place = FilmPath(self._context.root, path, self._camera, self.clip)
        start = self.moment(first_picture_at(samples, float(template.time_base or 0)))
        self._running = ClipWriter(
            place, template, samples[0], start=start, moment=self.moment, reached=self._context.reached
        )
        self._running.pre_roll(samples)

    def _announce(self) -> None:
        clip = self._running
        if clip is None or self._is_announced or not clip.begun:
            return
        self._is_announced, self.disk_failed = True, False
        self._context.tell(ClipBegun(camera=self._camera, clip=self.clip, path=clip.place.path, start=clip.start))


def first_picture_at(samples: list[EncodedPicture], time_base: float) -> float:
    """When the first picture was made (monotonic): pictures that waited while the stream was opened arrive in a heap.

    The one that came the most promptly after its own time tells; at most a second is taken off.
    """
    first = samples[0]
    return max(first.at - 1.0, min(sample.at - (sample.dts - first.dts) * time_base for sample in samples))
