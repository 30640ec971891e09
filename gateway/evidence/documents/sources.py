"""What a report can rest on: a visit's folder, verified first, then read; and the pictures out of its films."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum, auto
from hashlib import sha256
from pathlib import Path
from typing import assert_never

from pydantic import JsonValue

from gateway.evidence.documents.visit_timeline import Course, Moment, course
from gateway.evidence.extract import told_bodies
from gateway.evidence.film import whole_hash
from gateway.evidence.manifest import ClipRecord, Manifest, manifest_name
from gateway.evidence.seal import LARGEST_LOG, LARGEST_MANIFEST
from gateway.evidence.verdict import Problem, Verdict, Wrong, condemn
from gateway.evidence.verify import verify
from gateway.protocol.keys import PublicKey
from gateway.system.atomic_file import open_regular, read_regular
from gateway.video.stills import Still, stills

PARTS = 20  # of a visit that are read: in 15 minutes nobody comes out more often


class Standing(Enum):
    """What verification came to."""

    HOLDS = auto()
    ERASED = auto()
    WRONG = auto()


class View(Enum):
    """Which picture is wanted."""

    FIRST = auto()
    OPENED = auto()
    CLOSED = auto()
    LOCKED_AGAIN = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Photo:
    """A picture out of a film, and when it was taken, at the box's time in UTC."""

    camera: str
    at: datetime
    jpeg: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A visit as its folder tells it. Only where `standing` is not wrong is any of it proven.

    `photos` lacks a view where the log has no such moment or no film shows it.
    """

    verdict: Verdict
    manifests: tuple[Manifest, ...] = ()
    hashes: tuple[str, ...] = ()  # SHA-256 of each manifest
    course: Course = field(default_factory=Course)
    photos: Mapping[View, Photo] = field(default_factory=dict)
    key_compared: bool
    log_compared: bool

    @property
    def standing(self) -> Standing:
        """What verification came to."""
        if not self.verdict.ok:
            return Standing.WRONG
        return Standing.HOLDS if self.verdict.erased is None else Standing.ERASED


def account(folder: Path, *, public_key: PublicKey | None = None, checkpoint: Path | None = None) -> Account:
    """Verify a visit's folder, read it, and take the pictures, these only where the proof holds.

    Blocks (it decodes video in another process): call it from a thread.
    """
    verdict = verify(folder, public_key=public_key, checkpoint=checkpoint)
    manifests: list[Manifest] = []
    hashes: list[str] = []
    bodies: dict[int, JsonValue] = {}  # by their numbers: the parts' extracts overlap
    for number in range(1, PARTS + 1):
        read = _manifest(folder, number)
        if read is None:
            break
        manifest, hashed = read
        log = _log(folder, manifest)
        verdict = _unchanged(verdict, manifest, hashed, log)
        manifests.append(manifest)
        hashes.append(hashed)
        bodies |= told_bodies(log)
    told = course(bodies.values(), visit=manifests[0].visit) if manifests else Course()
    films = verdict.ok and verdict.erased is None
    return Account(
        verdict=verdict,
        manifests=tuple(manifests),
        hashes=tuple(hashes),
        course=told,
        photos=dict(_photos(folder, manifests, told)) if films else {},
        key_compared=public_key is not None,
        log_compared=checkpoint is not None,
    )


def _manifest(folder: Path, number: int) -> tuple[Manifest, str] | None:
    try:
        data = read_regular(folder / manifest_name(number), at_most=LARGEST_MANIFEST)
        return Manifest.from_json(data), sha256(data).hexdigest()
    except (OSError, ValueError):  # verification has said why
        return None


def _log(folder: Path, manifest: Manifest) -> bytes:
    try:
        return read_regular(folder / manifest.log.file, at_most=LARGEST_LOG)
    except OSError:  # the same
        return b""


def _unchanged(verdict: Verdict, manifest: Manifest, hashed: str, log: bytes) -> Verdict:
    """Condemn what was changed between being verified and being read."""
    if not verdict.ok:
        return verdict
    name = manifest_name(manifest.part)
    if hashed not in {part.manifest_sha256 for part in verdict.parts}:
        return condemn(Wrong(problem=Problem.SIGNATURE_WRONG, where=name), fingerprint=verdict.fingerprint)
    if sha256(log).hexdigest() != manifest.log.sha256:
        return condemn(Wrong(problem=Problem.LOG_CHANGED, where=manifest.log.file), fingerprint=verdict.fingerprint)
    return verdict


def _photos(folder: Path, manifests: list[Manifest], told: Course) -> Iterator[tuple[View, Photo]]:
    """Take the pictures of each film that one is wanted of, all at once."""
    wanted: dict[str, list[tuple[View, ClipRecord, float]]] = {}
    for view in View:
        found = _where(view, manifests, told)
        if found is not None:
            clip, at = found
            wanted.setdefault(clip.file, []).append((view, clip, (at - clip.start).total_seconds()))
    for asked in wanted.values():
        clip = asked[0][1]
        taken = _stills(folder, clip, [second for _, _, second in asked])
        for (view, _, _), still in zip(asked, taken, strict=True):
            if still is not None:
                at = clip.start + timedelta(seconds=still.second)
                yield view, Photo(camera=clip.camera, at=at, jpeg=still.jpeg)


def _stills(folder: Path, clip: ClipRecord, seconds: list[float]) -> tuple[Still | None, ...]:
    """Decode only what was sealed: the very file that is handed on is hashed once more."""
    try:
        with open_regular(folder / clip.file) as film:
            if whole_hash(film) != clip.sha256:
                return (None,) * len(seconds)
            return stills(film, seconds)
    except OSError:
        return (None,) * len(seconds)


def _where(view: View, manifests: list[Manifest], told: Course) -> tuple[ClipRecord, datetime] | None:
    """Which film shows it best: outside who comes and how it ends, inside what happens between."""
    clips = [clip for manifest in manifests for clip in manifest.clips]
    outside, *inside = manifests[0].cameras or ("",)
    main = told.main()
    match view:
        case View.FIRST:
            first = min((clip for clip in clips if clip.camera == outside), key=lambda clip: clip.start, default=None)
            return None if first is None else (first, first.start)
        case View.OPENED:
            moment, cameras = Moment.OPENED, [*inside, outside]
        case View.CLOSED:
            moment, cameras = Moment.CLOSED, [*inside, outside]
        case View.LOCKED_AGAIN:
            moment, cameras = Moment.LOCKED_AGAIN, [outside, *inside]
        case _:
            assert_never(view)
    if moment not in main:
        return None
    at = main[moment].at
    covering = [clip for clip in clips if clip.start <= at <= clip.end and clip.camera in cameras]
    return min(((clip, at) for clip in covering), key=lambda found: cameras.index(found[0].camera), default=None)
