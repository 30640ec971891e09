"""Writes one film of one camera: a stream copy into a fragmented MP4, which plays even if it is cut off."""

import errno
import logging
import math
import os
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack, closing
from datetime import datetime
from pathlib import Path
from typing import Final

from av.video.stream import VideoStream

from gateway.system.atomic_file import sync_folder
from gateway.video.fragments import FragmentedMp4
from gateway.video.ipc import ClipFacts, Gap, StreamFault
from gateway.video.ring import EncodedPicture
from gateway.video.sidecar import (
    FilmHashChain,
    SidecarEnd,
    SidecarGap,
    SidecarHead,
    SidecarWriter,
    sidecar_path,
    write_all,
)

FRAGMENT_S: Final = 0.25  # seconds of pictures in a fragment, unless a key picture begins the next one earlier

log = logging.getLogger(__name__)

CrashPoint = Callable[[str], None]
"""Called at the named points at which a test may kill the process: `CRASH_POINTS`."""

CRASH_POINTS: Final = (
    "before-first-fragment",
    "after-first-fragment",
    "before-link",
    "before-close",
    "after-close-before-rename",
    "after-rename",
)


SyncedLink = tuple[int, str, float]
"""A link of the hash chain: end byte, hash, and when its newest picture arrived (monotonic seconds)."""


class FragmentWriter:
    """A film's file: appends and hashes each fragment, syncs several together, then calls `on_synced` once.

    `on_synced` gets the links of the hash chain that were synced, each as end byte, hash, and when its newest picture
    arrived (monotonic seconds), and whether the film's first fragment with pictures is among them.
    `write` and `sync` raise OSError if the disk is full or broken, `sync` also if the file was deleted: what is written
    to it then is no film. After the first failure it refuses all writes: it never repeats a sync that failed.
    """

    def __init__(self, path: Path, on_synced: Callable[[list[SyncedLink], bool], None]) -> None:
        self._handle = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND | os.O_EXCL, 0o600)
        self._on_synced = on_synced
        self._unsynced: list[SyncedLink] = []
        self._failed: OSError | None = None
        self._chain = FilmHashChain()
        self.synced = (0, 0, self._chain.digest)  # end byte, number of links and hash of the synced part

    def write(self, data: bytes, newest_at: float) -> None:
        """Append bytes of the film, mostly a whole fragment, whose newest picture arrived at `newest_at`."""
        self._raise_if_failed()
        try:
            write_all(self._handle, data)
        except OSError as failure:
            self._failed = failure
            raise
        for _ in self._chain.feed(data):
            self._unsynced.append((self._chain.end_byte, self._chain.link, newest_at))

    def sync(self) -> None:
        """Sync all whole fragments to disk and call `on_synced` with their links."""
        self._raise_if_failed()
        if not self._unsynced:
            return
        had = self.synced[1]
        try:
            os.fdatasync(self._handle)
            if not os.fstat(self._handle).st_nlink:
                raise FileNotFoundError(errno.ENOENT, "the running film was deleted")
            self.synced = (self._chain.end_byte, self._chain.links, self._chain.digest)
            self._on_synced(self._unsynced, had < 2 <= self.synced[1])
        except OSError as failure:
            self._failed = failure
            raise
        self._unsynced = []

    def close(self) -> None:
        """Truncate the file after the last synced fragment. A failure is logged; the synced part stays valid."""
        try:
            os.ftruncate(self._handle, self.synced[0])
            os.fsync(self._handle)
        except OSError as failure:
            log.warning("the film's last sync failed: %s", failure)
        finally:
            os.close(self._handle)

    def _raise_if_failed(self) -> None:
        if self._failed is not None:
            raise OSError(self._failed.errno, self._failed.strerror)


class ClipWriter:
    """A film that is being written.

    `write_picture` and `declare_gap` may raise OSError. The caller then calls `close`; what is on disk stays valid.
    """

    def __init__(  # noqa: PLR0913 - what a film is made of
        self,
        root: Path,
        head: SidecarHead,
        stream: VideoStream,
        first: EncodedPicture,
        *,
        sync_s: float,
        to_utc: Callable[[float], datetime],
        crash_point: CrashPoint,
    ) -> None:
        """Create the film `head.path` in the folder `root`, which begins with the key picture `first`.

        A picture is synced at the latest about `sync_s` seconds after it arrived, the first fragment at once. `to_utc`
        converts monotonic seconds to UTC.

        Raises:
            OSError: the files cannot be created; the ones that were created are removed.
        """
        self.head, self.end = head, head.start
        self.synced_at = -math.inf  # monotonic: when the newest fragment was synced
        self._to_utc, self._crash_point = to_utc, crash_point
        self._sync_s, self._newest_at = sync_s, first.arrived_at
        self._held_since = math.inf  # when the oldest picture that is written and not synced arrived
        self._pictures: list[EncodedPicture] = []  # of the next fragment
        self._due_at = -math.inf  # pictures that arrive before this instant are only collected
        self._gaps: list[Gap] = []
        self._final = root / head.path
        self._running = running = root / f"{head.path}.part"  # the file while it is being written
        running.parent.mkdir(parents=True, exist_ok=True)
        with ExitStack() as undo:
            self._sidecar = SidecarWriter(sidecar_path(running))
            undo.callback(sidecar_path(running).unlink)
            undo.callback(self._sidecar.close)
            self._sidecar.write(head)
            self._writer = FragmentWriter(running, self._on_synced)
            undo.callback(running.unlink)
            undo.callback(self._writer.close)
            sync_folder(running.parent)
            crash_point("before-first-fragment")
            self._mp4 = FragmentedMp4(stream, first)
            undo.pop_all()

    @property
    def has_begun(self) -> bool:
        """Whether the first fragment is on disk."""
        return self._writer.synced[1] > 1

    def write_pre_roll(self, samples: Iterable[EncodedPicture]) -> None:
        """Write the pictures of the pre-roll and sync their fragments together, once."""
        self._writer.write(self._mp4.header, self._newest_at)
        for sample in samples:
            self._take_picture(sample)
        self._sync()

    def write_picture(self, sample: EncodedPicture) -> bool:
        """Take the next picture; return whether it caused a write or a sync.

        It may end a fragment of those before it, and proves that they arrived whole. Fragments are held back from a
        sync while the oldest picture in them will still be young when the next one ends.
        """
        if sample.arrived_at < self._due_at and not sample.is_key:
            self._pictures.append(sample)
            return False
        self._take_picture(sample)
        if sample.arrived_at + FRAGMENT_S - self._held_since > self._sync_s or not self.has_begun:
            self._sync()
        if self.has_begun:
            sync_at = self._held_since + self._sync_s - FRAGMENT_S
            self._due_at = min(self._pictures[0].arrived_at + FRAGMENT_S, sync_at)
        return True

    def _sync(self) -> None:
        self._writer.sync()
        self._held_since = math.inf

    def _take_picture(self, sample: EncodedPicture) -> None:
        pictures = self._pictures
        if pictures and (sample.is_key or sample.arrived_at - pictures[0].arrived_at >= FRAGMENT_S):
            self._write_fragment(sample)
        self._pictures.append(sample)

    def _write_fragment(self, after: EncodedPicture | None) -> None:
        pictures, self._pictures = self._pictures, []
        if pictures:
            self._newest_at = pictures[-1].arrived_at
            self._held_since = min(self._held_since, pictures[0].arrived_at)
            self._writer.write(self._mp4.fragment(pictures, after), self._newest_at)

    def declare_gap(self, gap: Gap) -> None:
        """Declare a gap within the film."""
        self._gaps.append(gap)
        self._sidecar.write(SidecarGap(gap=gap))

    def close(self, why: StreamFault | None) -> ClipFacts | None:
        """End the film, rename it to its final name and return its facts.

        If the connection ended (`StreamFault.RESET`), the newest picture is left out: libav returns what has arrived of
        a picture at the end of a connection, without a mark that the rest is missing.

        Returns None if no picture reached the disk (the files are removed), or if the film cannot be renamed (it stays,
        and recovery finds it later). Failures of the disk are logged; the facts describe what was synced before.
        """
        self._crash_point("before-close")
        try:
            unproven = self._pictures.pop() if self._pictures and why is StreamFault.RESET else None
            self._write_fragment(unproven)
            self._writer.write(self._mp4.index(), self._newest_at)
            self._sync()
        except OSError as failure:
            log.warning("%s: the end could not be written: %s", self.head.path, failure)
        _, links, digest = self._writer.synced
        self._writer.close()
        if links < 2:
            self._write_end(None, why)
            for path in (self._running, sidecar_path(self._running)):
                path.unlink(missing_ok=True)
            return None
        facts = ClipFacts(
            camera=self.head.camera,
            path=self.head.path,
            start=self.head.start,
            end=self.end,
            sha256=digest,
            fragments=links,
            gaps=tuple(self._gaps),
        )
        self._write_end(facts, why)
        self._crash_point("after-close-before-rename")
        try:
            self._running.rename(self._final)
            sync_folder(self._final.parent)
        except OSError as failure:
            log.warning("%s could not be named: %s", self.head.path, failure)
            return None
        self._crash_point("after-rename")
        return facts

    def _write_end(self, facts: ClipFacts | None, why: StreamFault | None) -> None:
        """Write the sidecar's last line. On a full disk it is missing; recovery computes the facts without it."""
        try:
            with closing(self._sidecar):
                self._sidecar.write(SidecarEnd(facts=facts, why=why))
        except OSError as failure:
            log.warning("%s: the sidecar has no end: %s", self.head.path, failure)

    def _on_synced(self, links: list[SyncedLink], first: bool) -> None:
        self.synced_at = time.monotonic()
        if first:
            self._crash_point("after-first-fragment")
        if self.has_begun:
            self._crash_point("before-link")
        dated = [(end_byte, chain, self._to_utc(newest_at)) for end_byte, chain, newest_at in links]
        self.end = dated[-1][2]
        self._sidecar.write_links(dated)
