"""Writes one film of one camera: stream copy into a fragmented MP4 that plays wherever it is cut."""

import logging
import os
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import Final

import av
from av.video.stream import VideoStream

from gateway.video.ipc import ClipFacts, ClipKey, Gap, StreamFault
from gateway.video.ring import EncodedPicture
from gateway.video.sidecar import (
    FilmHashChain,
    SidecarEnd,
    SidecarGap,
    SidecarHead,
    SidecarLink,
    SidecarWriter,
    sidecar_path,
    sync_folder,
    write_all,
)

MUXER_OPTIONS: Final = {
    "movflags": "frag_keyframe+empty_moov+default_base_moof",
    "frag_duration": "250000",  # microseconds
    "flush_packets": "1",
    "use_editlist": "0",
}

log = logging.getLogger(__name__)

CrashPoint = Callable[[str], None]
"""Called at the named points at which a test may kill the process: `CRASH_POINTS`."""

CRASH_POINTS: Final = (
    "before-first-fragment",
    "after-first-fragment",
    "before-close",
    "after-close-before-rename",
    "after-rename",
)


@dataclass(frozen=True, slots=True)
class FilmPath:
    """Where a film goes: `path` is relative to the folder `root`; what it shows."""

    root: Path
    path: str
    camera: str
    clip: ClipKey

    @property
    def running(self) -> Path:
        """The film while it runs."""
        return self.root / f"{self.path}.part"

    @property
    def final(self) -> Path:
        """The film once it is closed."""
        return self.root / self.path


OnSynced = Callable[[int, str, bool], None]
"""Told of each link that is on disk: where it ends, its hash, whether it is the first fragment with pictures."""


class FragmentWriter:
    """What the muxer writes into: appends, hashes each fragment, syncs it, then calls `synced`.

    After the first failure it takes nothing any more: a sync that failed once is never tried again.
    """

    def __init__(self, path: Path, synced: OnSynced) -> None:
        self._handle = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND | os.O_EXCL, 0o600)
        self._synced = synced
        self._waiting: list[tuple[int, str]] = []
        self._failed: OSError | None = None
        self._chain = FilmHashChain()
        self.holding = False  # fragments wait for `sync`
        self.good = (0, 0, self._chain.digest)  # end byte, links and hash of what is certainly on disk

    def write(self, data: bytes) -> int:
        """The muxer's next bytes.

        Raises:
            OSError: the disk is full or broken.
        """
        self._raise_if_failed()
        try:
            write_all(self._handle, data)
        except OSError as failure:
            self._failed = failure
            raise
        for _ in self._chain.feed(data):
            self._waiting.append((self._chain.end_byte, self._chain.link))
        if not self.holding:
            self.sync()
        return len(data)

    def sync(self) -> None:
        """Make all whole fragments durable and say so.

        Raises:
            OSError: the disk is full or broken.
        """
        self._raise_if_failed()
        if not self._waiting:
            return
        had = self.good[1]
        try:
            os.fdatasync(self._handle)
            self.good = (self._chain.end_byte, self._chain.links, self._chain.digest)
            for place, (end_byte, link) in enumerate(self._waiting, had):
                self._synced(end_byte, link, place == 1)
        except OSError as failure:
            self._failed = failure
            raise
        self._waiting.clear()

    def close(self) -> None:
        """Cut off what is not a whole synced fragment. A failure is logged: what was synced before stays good."""
        try:
            os.ftruncate(self._handle, self.good[0])
            os.fsync(self._handle)
        except OSError as failure:
            log.warning("the film's last sync failed: %s", failure)
        finally:
            os.close(self._handle)

    def _raise_if_failed(self) -> None:
        if self._failed is not None:
            raise OSError(self._failed.errno, self._failed.strerror)


class ClipWriter:
    """A film that is being written. `put` and `hole` may raise OSError: then `close` it, what is on disk stays good."""

    def __init__(  # noqa: PLR0913  what a film is made of
        self,
        place: FilmPath,
        template: VideoStream,
        first: EncodedPicture,
        *,
        start: datetime,
        moment: Callable[[float], datetime],
        reached: CrashPoint,
    ) -> None:
        """Create the film, which begins with the key picture `first`, made at `start`.

        `moment` turns monotonic seconds into UTC.

        Raises:
            OSError: the files cannot be made; none is left.
        """
        self.place = place
        self.start = self.end = start
        self.synced_at: float | None = None  # monotonic: when the newest fragment came to the disk
        self._to_utc, self._crash_point = moment, reached
        self._base, self._last, self._newest = first.dts, -1, first.at
        self._gaps: list[Gap] = []
        folder = place.running.parent
        folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as undo:
            self._sidecar = SidecarWriter(sidecar_path(place.running))
            undo.callback(sidecar_path(place.running).unlink)
            undo.callback(self._sidecar.close)
            self._sidecar.write(SidecarHead(camera=place.camera, clip=place.clip, path=place.path, start=self.start))
            self._writer = FragmentWriter(place.running, self._fragment_synced)
            undo.callback(place.running.unlink)
            undo.callback(self._writer.close)
            sync_folder(folder)
            reached("before-first-fragment")
            self._container = av.open(self._writer, "w", format="mp4", container_options=dict(MUXER_OPTIONS))
            self._stream = self._container.add_stream_from_template(template)
            undo.pop_all()
        self._stream.time_base = self._time_base = template.time_base or Fraction(1, 90_000)

    @property
    def begun(self) -> bool:
        """The first fragment is on disk."""
        return self._writer.good[1] > 1

    def pre_roll(self, samples: Iterable[EncodedPicture]) -> None:
        """Write what the ring holds; its fragments are synced together, once."""
        self._writer.holding = True
        for sample in samples:
            self.put(sample)
        self._writer.holding = False
        self._writer.sync()

    def put(self, sample: EncodedPicture) -> None:
        """Write the next picture. A time that does not rise is moved on by the least step, so that the film plays."""
        packet = av.Packet(sample.data)
        packet.dts = self._last = max(self._last + 1, sample.dts - self._base)
        packet.pts = max(packet.dts, sample.pts - self._base)
        packet.time_base = self._time_base
        packet.stream = self._stream
        packet.is_keyframe = sample.key
        self._newest = sample.at
        self._container.mux_one(packet)

    def hole(self, gap: Gap) -> None:
        """Declare a hole within the film."""
        self._gaps.append(gap)
        self._sidecar.write(SidecarGap(gap=gap))

    def close(self, why: StreamFault | None) -> ClipFacts | None:
        """End the film, name it, give its facts; None when no picture of it reached the disk (then it is removed).

        None too when it cannot be named: then it stays as it is, to be found when the disk is well again.
        Failures of the disk are logged: whatever was synced before them is kept and told truly.
        """
        self._crash_point("before-close")
        try:
            self._container.close()
            self._writer.sync()
        except OSError as failure:
            log.warning("%s: the end could not be written: %s", self.place.path, failure)
        _, links, digest = self._writer.good
        self._writer.close()
        if links < 2:
            self._write_end(None, why)
            self._remove()
            return None
        facts = ClipFacts(
            camera=self.place.camera,
            path=self.place.path,
            start=self.start,
            end=self.end,
            sha256=digest,
            fragments=links,
            gaps=tuple(self._gaps),
        )
        self._write_end(facts, why)
        self._crash_point("after-close-before-rename")
        try:
            self.place.running.rename(self.place.final)
            sync_folder(self.place.final.parent)
        except OSError as failure:
            log.warning("%s could not be named: %s", self.place.path, failure)
            return None
        self._crash_point("after-rename")
        return facts

    def _write_end(self, facts: ClipFacts | None, why: StreamFault | None) -> None:
        """Write the sidecar's last line. On a full disk it is missing; the facts can be found again without it."""
        try:
            with self._sidecar:
                self._sidecar.write(SidecarEnd(facts=facts, why=why))
        except OSError as failure:
            log.warning("%s: the sidecar has no end: %s", self.place.path, failure)

    def _fragment_synced(self, end_byte: int, chain: str, first: bool) -> None:
        if first:
            self._crash_point("after-first-fragment")
        self.end, self.synced_at = self._to_utc(self._newest), time.monotonic()
        self._sidecar.write(SidecarLink(end_byte=end_byte, chain=chain, until=self.end))

    def _remove(self) -> None:
        for path in (self.place.running, sidecar_path(self.place.running)):
            path.unlink(missing_ok=True)
