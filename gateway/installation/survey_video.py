"""The book of a survey: when cameras that were watched for hours were not live. Nothing of their pictures is in it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateway.installation.survey_outage import Span, dark
from gateway.video.ipc import FromVideo, Proof


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """One camera, watched for `over`, and when it was not live."""

    over: Span
    darks: tuple[Span, ...]


class Survey:
    """The book of a survey that began at monotonic `began`: what a `VideoLink` tells goes into `heard`.

    Until its first live proof a camera counts as dark, and so it does while the link hears nothing of it.
    """

    def __init__(self, cameras: Sequence[str], *, began: float) -> None:
        self._began = began
        self._edges: dict[str, list[tuple[float, bool]]] = {name: [(began, False)] for name in cameras}

    def heard(self, words: FromVideo) -> None:
        """Take in what the video process says; of its proofs only changes are kept."""
        if not isinstance(words, Proof) or words.camera not in self._edges:
            return
        edges = self._edges[words.camera]
        if words.live is not edges[-1][1]:
            edges.append((max(words.at, edges[-1][0]), words.live))

    def watched(self, *, now: float) -> Mapping[str, Watched]:
        """What is known of each camera now."""
        over = Span(begin=self._began, end=now)
        return {
            name: Watched(over=over, darks=dark(edges, until=now, stale=math.inf))
            for name, edges in self._edges.items()
        }
