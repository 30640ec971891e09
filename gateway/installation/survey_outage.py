"""Computes from a camera's outages how often it would have refused a delivery.

What counts as not live: `gateway.video.ipc.CameraProof.live` is false, or no proof came for a second. What the rules
make of it (`decide`): while it rings, and until the unlock, the pictures may fail for less than `Rules.live` seconds at
a time; a failure that lasts so long ends in `camera_unavailable`. So a scan is refused at every instant from `ring`
seconds before such a failure until `live` seconds before its end.

Not reckoned: that the courier must be seen to move at the unlock (nobody stands there during a survey), and the moment
until a film is on disk after a camera came back (about a third of a second).
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

MAX_PROOF_AGE_S = 1.0  # seconds without a proof after which nothing is known, so nothing is live


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeSpan:
    """A stretch of time, in monotonic seconds."""

    begin: float
    end: float

    @property
    def seconds(self) -> float:
        """How long it is."""
        return self.end - self.begin


def dark_spans(
    proofs: Iterable[tuple[float, bool]], *, until: float, stale: float = MAX_PROOF_AGE_S
) -> tuple[TimeSpan, ...]:
    """When the pictures were not live: `proofs` are (at, live) in their order, the survey ends at `until`.

    A proof holds until the next one, `stale` seconds at most (infinite where only changes are told); what stands before
    the first one is not reckoned.
    """
    found: list[TimeSpan] = []
    told = list(proofs)
    for (at, live), (after, _) in pairwise([*told, (until, False)]):
        good_until = min(after, at + stale) if live else at
        if good_until < after:
            if found and found[-1].end >= good_until:
                found[-1] = TimeSpan(begin=found[-1].begin, end=after)
            else:
                found.append(TimeSpan(begin=good_until, end=after))
    return tuple(found)


def refusal_spans(
    darks: Sequence[TimeSpan], *, ring: float, live: float, begin: float, end: float
) -> tuple[TimeSpan, ...]:
    """When a scan would have been refused for this camera, between `begin` and `end`; `ring` and `live` as in `Rules`.

    The share of the time is how often it would have refused: `seconds` of all, over `end - begin`.
    """
    found: list[TimeSpan] = []
    for span in sorted(darks, key=lambda one: one.begin):
        first, last = max(begin, span.begin - ring), min(end, span.end - live)
        if span.seconds < live or first >= last:
            continue
        if found and found[-1].end >= first:
            found[-1] = TimeSpan(begin=found[-1].begin, end=max(found[-1].end, last))
        else:
            found.append(TimeSpan(begin=first, end=last))
    return tuple(found)


def is_refused_at(darks: Sequence[TimeSpan], instant: float, *, ring: float, live: float) -> bool:
    """Whether a scan at this instant would have been refused for this camera; known `ring + live` seconds later."""
    return bool(refusal_spans(darks, ring=ring, live=live, begin=instant, end=math.nextafter(instant, math.inf)))
