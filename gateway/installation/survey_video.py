"""Records when watched cameras were not live during a survey, and nothing of their pictures."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gateway.installation.survey_outage import TimeSpan, dark_spans
from gateway.video.ipc import CameraProof, FromVideo


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraCoverage:
    """One camera, watched for `over`, and when it was not live."""

    over: TimeSpan
    darks: tuple[TimeSpan, ...]


class OutageRecorder:
    """The book of a survey that began at monotonic `began`: what a `VideoLink` tells goes into `heard`.

    Until its first live proof a camera counts as dark, and so it does while the link hears nothing of it.
    """

    def __init__(self, cameras: Sequence[str], *, began: float) -> None:
        self._begin_mono = began
        self._edges: dict[str, list[tuple[float, bool]]] = {name: [(began, False)] for name in cameras}

    def heard(self, words: FromVideo) -> None:
        """Take in what the video process says; of its proofs only changes are kept."""
        if not isinstance(words, CameraProof) or words.camera not in self._edges:
            return
        edges = self._edges[words.camera]
        if words.live is not edges[-1][1]:
            edges.append((max(words.at, edges[-1][0]), words.live))

    def watched(self, *, now: float) -> Mapping[str, CameraCoverage]:
        """What is known of each camera now."""
        over = TimeSpan(begin=self._begin_mono, end=now)
        return {
            name: CameraCoverage(over=over, darks=dark_spans(edges, until=now, stale=math.inf))
            for name, edges in self._edges.items()
        }
