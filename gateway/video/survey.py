"""Watches cameras for hours, keeping nothing of their pictures, to say how often they would have refused a delivery.

A video process of its own connects as one more viewer; no clip is ever asked for and no pre-roll held, so nothing of
what it sees is written anywhere. What is kept is when pictures were not live, and why.
"""

import asyncio
import contextlib
import math
import os
import signal
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.video.link import VideoLink
from gateway.video.words import CameraSource, Configure, Fault, FromVideo, Proof, Unopened
from gateway.visit.survey import Span, dark, refusing

TOLD_EVERY: Final = 60.0  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """One camera, watched for `over`: when it was not live, how often each fault began, why it does not open now."""

    over: Span
    darks: tuple[Span, ...]
    faults: Mapping[Fault, int]
    unopened: Unopened | None

    def refused(self, *, ring: float, live: float) -> float:
        """The share of instants (0 to 1) at which a scan would have been refused; `ring` and `live` as in `Rules`."""
        begin, end = self.over.begin, self.over.end
        spans = refusing(self.darks, ring=ring, live=live, begin=begin, end=end)
        return sum(span.seconds for span in spans) / self.over.seconds if self.over.seconds > 0 else 0.0


class Survey:
    """The book of a survey that began at monotonic `began`: what the video process tells goes into `heard`."""

    def __init__(self, cameras: Sequence[str], *, began: float) -> None:
        self._began = began
        self._edges: dict[str, list[tuple[float, bool]]] = {name: [(began, False)] for name in cameras}
        self._faults: dict[str, Counter[Fault]] = {name: Counter() for name in cameras}
        self._last: dict[str, Proof] = {}

    def heard(self, words: FromVideo) -> None:
        """Take in what the video process (or the link, when that falls silent) says; only changes are kept."""
        if not isinstance(words, Proof) or words.camera not in self._edges:
            return
        before = self._last.get(words.camera)
        self._last[words.camera] = words
        self._faults[words.camera].update(set(words.faults) - set(before.faults if before else ()))
        edges = self._edges[words.camera]
        if words.live is not edges[-1][1]:
            edges.append((max(words.at, edges[-1][0]), words.live))

    def watched(self, *, now: float) -> Mapping[str, Watched]:
        """What is known of each camera now."""
        over = Span(begin=self._began, end=now)
        return {
            name: Watched(
                over=over,
                darks=dark(edges, until=now, stale=math.inf),
                faults=dict(self._faults[name]),
                unopened=self._last[name].unopened if name in self._last else None,
            )
            for name, edges in self._edges.items()
        }


async def survey(
    cameras: Sequence[CameraSource],
    *,
    seconds: float,
    folder: Path,
    tell: Callable[[Mapping[str, Watched]], None] = lambda _watched: None,
    video: Sequence[str] = (sys.executable, "-m", "gateway.video"),
) -> Mapping[str, Watched]:
    """Watch these cameras for so long, and `tell` every minute what is known so far.

    `folder` is an empty one, for the video process's socket; cancelled, the process ends too.
    """
    names = tuple(camera.name for camera in cameras)
    loop = asyncio.get_running_loop()
    book = Survey(names, began=loop.time())
    socket = folder / "survey.sock"
    link = VideoLink(
        command=(*video, "--socket", str(socket)),
        socket=socket,
        configure=Configure(cameras=tuple(cameras), pre_roll=0.0, folder=str(folder / "films")),
        on_event=book.heard,
    )
    link.watch(names, on=True)
    running = asyncio.create_task(link.run(), name="survey")
    try:
        until = loop.time() + seconds
        while (left := until - loop.time()) > 0:
            await asyncio.sleep(min(left, TOLD_EVERY))
            tell(book.watched(now=loop.time()))
        return book.watched(now=loop.time())
    finally:
        child = link.pid
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
        if child is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGTERM)
