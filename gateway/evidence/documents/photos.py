"""Takes the pictures that tell a visit out of its sealed films: who came, who carried the parcel in, how it ended."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum, auto
from pathlib import Path

from gateway.domain.frozen import Frozen
from gateway.evidence.documents.visit_timeline import VisitMoment, VisitTimeline
from gateway.evidence.film import film_sha256
from gateway.evidence.manifest import ClipRecord, Manifest
from gateway.system.atomic_file import open_regular
from gateway.video.stills import MAX_SIDE_PX, FilmSecond, FilmStretch, Still, take_stills

ARRIVING_S = (1.0, 5.0)  # seconds before and after the scan in which the person who scans faces the camera
CARRYING_S = 10.0  # seconds from the opening of the door in which the parcel is carried in, at most


class PhotoMoment(StrEnum):
    """The moments of a visit of which there is a picture, in their order."""

    ARRIVAL = auto()  # who scans, by the camera at the door; without a scan, the first picture
    CARRYING = auto()  # somebody goes in with the parcel
    CLOSED = auto()  # what lies inside once the door is closed
    LOCKED = auto()  # the door, locked again


_MOMENTS: Mapping[PhotoMoment, VisitMoment] = {
    PhotoMoment.ARRIVAL: VisitMoment.SCANNED,
    PhotoMoment.CARRYING: VisitMoment.OPENED,
    PhotoMoment.CLOSED: VisitMoment.CLOSED,
    PhotoMoment.LOCKED: VisitMoment.LOCKED_AGAIN,
}


class Photo(Frozen):
    """A picture out of a film, and when it was taken, at the box's time in UTC."""

    camera: str
    at: datetime
    jpeg: bytes


class _Wanted(Frozen):
    """A picture at `at`; with `until` the busiest one between the two, of what the film has of that time."""

    at: datetime
    until: datetime | None = None

    def within(self, clip: ClipRecord) -> FilmSecond | FilmStretch:
        first = (max(self.at, clip.start) - clip.start).total_seconds()
        return first if self.until is None else (first, (min(self.until, clip.end) - clip.start).total_seconds())

    def is_in(self, clip: ClipRecord) -> bool:
        """Return whether a film has something of that time."""
        return clip.start <= (self.until or self.at) and self.at <= clip.end


def take_photos(
    folder: Path, manifests: Sequence[Manifest], timeline: VisitTimeline, *, side_px: int = MAX_SIDE_PX
) -> Mapping[PhotoMoment, Photo]:
    """Take the pictures of a visit whose manifests were verified; a moment that no film shows is left out.

    Each film is decoded in another process, and only if its content has the sealed hash. Blocks.
    """
    return dict(_taken(folder, manifests, timeline, side_px))


def _taken(
    folder: Path, manifests: Sequence[Manifest], timeline: VisitTimeline, side_px: int
) -> Iterator[tuple[PhotoMoment, Photo]]:
    wanted_of: dict[str, list[tuple[PhotoMoment, ClipRecord, FilmSecond | FilmStretch]]] = {}
    for moment in PhotoMoment:
        found = _best_film(moment, manifests, timeline)
        if found is not None:
            clip, wanted = found
            wanted_of.setdefault(clip.file, []).append((moment, clip, wanted.within(clip)))
    for pictures in wanted_of.values():
        clip = pictures[0][1]
        stills = _sealed_stills(folder, clip, [wanted for _, _, wanted in pictures], side_px)
        for (moment, _, _), still in zip(pictures, stills, strict=True):
            if still is not None:
                at = clip.start + timedelta(seconds=still.second)
                yield moment, Photo(camera=clip.camera, at=at, jpeg=still.jpeg)


def _sealed_stills(
    folder: Path, clip: ClipRecord, wanted: Sequence[FilmSecond | FilmStretch], side_px: int
) -> tuple[Still | None, ...]:
    """Decode only what was sealed: the very file that is handed on is hashed once more."""
    try:
        with open_regular(folder / clip.file) as film:
            if film_sha256(film) != clip.sha256:
                return (None,) * len(wanted)
            return take_stills(film, wanted, side_px=side_px)
    except OSError:
        return (None,) * len(wanted)


def _best_film(
    moment: PhotoMoment, manifests: Sequence[Manifest], timeline: VisitTimeline
) -> tuple[ClipRecord, _Wanted] | None:
    """Return the best film for a moment: the outside camera for arrival and end, the inside camera between."""
    clips = [clip for manifest in manifests for clip in manifest.clips]
    outside, *inside = manifests[0].cameras or ("",)
    wanted = _wanted(moment, timeline)
    if wanted is None:
        first = min((clip for clip in clips if clip.camera == outside), key=lambda clip: clip.start, default=None)
        return None if first is None or moment is not PhotoMoment.ARRIVAL else (first, _Wanted(at=first.start))
    at_the_door = moment in {PhotoMoment.ARRIVAL, PhotoMoment.LOCKED}
    cameras = [outside, *inside] if at_the_door else [*inside, outside]
    covering = [clip for clip in clips if wanted.is_in(clip) and clip.camera in cameras]
    return min(((clip, wanted) for clip in covering), key=lambda pair: cameras.index(pair[0].camera), default=None)


def _wanted(moment: PhotoMoment, timeline: VisitTimeline) -> _Wanted | None:
    """Return when a moment was; None: the log does not have it."""
    known = timeline.first_of_each()
    event = known.get(_MOMENTS[moment])
    if event is None:
        return None
    opened, closed = known.get(VisitMoment.OPENED), known.get(VisitMoment.CLOSED)
    match moment:
        case PhotoMoment.ARRIVAL:
            before, after = (timedelta(seconds=seconds) for seconds in ARRIVING_S)
            end = event.at + after
            return _Wanted(at=event.at - before, until=end if opened is None else max(event.at, min(end, opened.at)))
        case PhotoMoment.CARRYING:
            # The person who carries it in comes out again, so the search takes the first half
            half = timedelta(seconds=CARRYING_S) if closed is None else (closed.at - event.at) / 2
            return _Wanted(at=event.at, until=event.at + max(timedelta(), min(half, timedelta(seconds=CARRYING_S))))
        case _:
            return _Wanted(at=event.at)
