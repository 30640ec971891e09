"""Records one clip of one camera, from `RecordClip` to `FinishClip`, in one file or, after failures, in several."""

import logging
import math
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import av.error
from av.video.stream import VideoStream

from gateway.domain.frozen import Frozen
from gateway.video.clip import ClipWriter, CrashPoint
from gateway.video.ipc import ClipBegun, ClipKey, FromVideo, Gap, StreamFault
from gateway.video.recovery import ClosedFilm, next_film_number
from gateway.video.ring import EncodedPicture, PreRollBuffer
from gateway.video.sidecar import SidecarHead

log = logging.getLogger(__name__)

SYNC_TOLERANCE_S: Final = 0.75  # seconds by which a film's next sync may be late and the film still counts as on disk
DISK_RETRY_DELAY_S: Final = 2.0  # seconds before a new file is begun after the disk failed


class CameraContext(Frozen, kw_only=False):
    """What all cameras of the process share. The cameras' threads call `publish`, `on_change` and `crash_point`."""

    root: Path
    pre_roll_s: float
    film_sync_s: float
    utc_now: Callable[[], datetime]
    publish: Callable[[FromVideo], object]
    on_change: Callable[[], object]  # a camera's status differs from the one that was last taken
    crash_point: CrashPoint


class RecordingResult(Frozen, kw_only=False):
    """What a camera filmed of a clip. `initial_fault`: why pictures were missing at `requested_at`, if they were."""

    requested_at: datetime
    initial_fault: StreamFault
    pre_roll_gaps: tuple[Gap, ...]
    films: tuple[ClosedFilm, ...]


class Recording:
    """One clip of one camera. The caller holds the camera's lock in every call."""

    def __init__(  # noqa: PLR0913 - whose clip, where, and since when
        self, *, camera: str, clip: ClipKey, folder: str, context: CameraContext, now: float, initial_fault: StreamFault
    ) -> None:
        self.clip = clip
        self.disk_failed = False
        self._camera, self._folder, self._context = camera, folder, context
        self._started_utc, self._started_at, self._initial_fault = context.utc_now(), now, initial_fault
        self._writer: ClipWriter | None = None
        self._is_announced = False
        self._not_before = now
        self._films: list[ClosedFilm] = []
        self._pre_roll_gaps: list[Gap] = []
        self.on_disk_until = -math.inf
        """Until when (monotonic, inclusive) the newest synced fragment proves that the film continues; or -inf."""

    def to_utc(self, at: float) -> datetime:
        """Convert monotonic seconds to UTC by the offset at the recording's start, whatever steps the clock makes."""
        return self._started_utc + timedelta(seconds=at - self._started_at)

    def declare_pre_roll_gap(self, fault: StreamFault, since: float, until: float) -> None:
        """Declare a gap in the pre-roll."""
        self._pre_roll_gaps.append(Gap(start=self.to_utc(since), end=self.to_utc(until), why=fault))

    def write_picture(self, sample: EncodedPicture, ring: PreRollBuffer, stream: VideoStream) -> None:
        """Write the newest picture, which is also the last one in `ring`; begin a film with the whole ring."""
        try:
            if self._writer is not None:
                if not self._writer.write_picture(sample):
                    return
            elif sample.arrived_at >= self._not_before and len(ring):
                self._begin(ring, stream)
        except OSError as failure:
            log.warning("%s: the disk failed: %s", self._camera, failure)
            self.disk_failed, self._not_before = True, sample.arrived_at + DISK_RETRY_DELAY_S
            self.close_film(StreamFault.DISK)
        except av.error.FFmpegError as error:
            log.warning("%s: a picture that cannot be filmed: %s", self._camera, error)
            self.close_film(StreamFault.UNDECODABLE)
        if self._writer is not None and self._writer.has_begun:
            self.on_disk_until = self._writer.synced_at + self._context.film_sync_s + SYNC_TOLERANCE_S
            self._announce()

    def declare_gap(self, fault: StreamFault, since: float, until: float) -> None:
        """Declare a gap in the running film from `since` to `until` (monotonic seconds)."""
        if self._writer is None:
            return
        start, end = max(self._writer.head.start, self.to_utc(since)), self.to_utc(until)
        if start < end:
            try:
                self._writer.declare_gap(Gap(start=start, end=end, why=fault))
            except OSError as failure:
                log.warning("%s: the disk failed: %s", self._camera, failure)
                self.close_film(StreamFault.DISK)

    def close_film(self, why: StreamFault | None) -> None:
        """Close the running film, if any; the next picture begins another one. `why`: the fault that ended it."""
        clip, self._writer, self._is_announced = self._writer, None, False
        self.on_disk_until = -math.inf
        if clip is not None:
            facts = clip.close(why)
            ended = why if facts else why or StreamFault.DISK
            self._films.append(ClosedFilm(camera=self._camera, start=clip.head.start, facts=facts, why=ended))

    def announce_again(self) -> None:
        """Publish `ClipBegun` of the running film again, for a new gateway."""
        self._is_announced = False
        self._announce()

    def result(self) -> RecordingResult:
        """Return what was filmed. The caller has closed the running film before."""
        return RecordingResult(
            self.to_utc(self._started_at), self._initial_fault, tuple(self._pre_roll_gaps), tuple(self._films)
        )

    def _begin(self, ring: PreRollBuffer, template: VideoStream) -> None:
        samples = list(ring)
        n = next_film_number(self._context.root / self._folder, self._camera, self.clip.part)
        path = f"{self._folder}/{self._camera}-{self.clip.part}-{n}.mp4"
        start = self.to_utc(first_picture_at(samples, float(template.time_base or 0)))
        head = SidecarHead(camera=self._camera, clip=self.clip, path=path, start=start)
        self._writer = ClipWriter(
            self._context.root, head, template, samples[0], sync_s=self._context.film_sync_s, to_utc=self.to_utc,
            crash_point=self._context.crash_point,
        )  # fmt: skip
        self._writer.write_pre_roll(samples)

    def _announce(self) -> None:
        clip = self._writer
        if clip is None or self._is_announced or not clip.has_begun:
            return
        self._is_announced, self.disk_failed = True, False
        head = clip.head
        self._context.publish(ClipBegun(camera=head.camera, clip=head.clip, path=head.path, start=head.start))


def first_picture_at(samples: list[EncodedPicture], time_base: float) -> float:
    """Return when the first picture was made (monotonic seconds), estimated from all samples.

    Pictures that waited while the stream opened arrive together, later than they were made. The sample with the least
    delay after its own timestamp gives the estimate. It is at most one second before the first arrival.
    """
    first = samples[0]
    return max(
        first.arrived_at - 1.0, min(sample.arrived_at - (sample.dts - first.dts) * time_base for sample in samples)
    )
