"""Reads the sources of a report: a visit's folder, which it verifies first, and pictures from its films."""

from collections.abc import Iterator, Mapping
from dataclasses import field
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path

from pydantic import JsonValue

from gateway.domain.frozen import Frozen
from gateway.evidence.documents.visit_timeline import VisitMoment, VisitTimeline, read_timeline
from gateway.evidence.extract import entry_bodies
from gateway.evidence.film import film_sha256
from gateway.evidence.manifest import MAX_MANIFEST_BYTES, ClipRecord, Manifest, manifest_name
from gateway.evidence.seal import MAX_LOG_BYTES
from gateway.evidence.verdict import ProofProblem, VerificationResult
from gateway.evidence.verify import verify_proof
from gateway.protocol.ed25519 import PublicKey
from gateway.system.atomic_file import open_regular, read_regular
from gateway.video.stills import Still, take_stills

MAX_PARTS = 20  # parts that are read: no courier leaves more often in 15 minutes


PICTURE_MOMENTS = (None, VisitMoment.OPENED, VisitMoment.CLOSED, VisitMoment.LOCKED_AGAIN)
"""The moments of which a report shows pictures; None: the first picture."""


class Photo(Frozen):
    """A picture out of a film, and when it was taken, at the box's time in UTC."""

    camera: str
    at: datetime
    jpeg: bytes


class VisitEvidence(Frozen):
    """A visit as its folder tells it. It proves something only if the verdict is `ok`.

    `photos` lacks a moment where the log has no such moment or no film shows it.
    """

    verdict: VerificationResult
    manifests: tuple[Manifest, ...] = ()
    hashes: tuple[str, ...] = ()  # SHA-256 of each manifest
    timeline: VisitTimeline = field(default_factory=VisitTimeline)
    photos: Mapping[VisitMoment | None, Photo] = field(default_factory=dict)


def read_visit(folder: Path, *, public_key: PublicKey | None = None, checkpoint: Path | None = None) -> VisitEvidence:
    """Verify a visit's folder, read it, and take the pictures, these only where the proof holds.

    Blocks (it decodes video in another process): call it from a thread.
    """
    verdict = verify_proof(folder, public_key=public_key, checkpoint=checkpoint)
    manifests: list[Manifest] = []
    hashes: list[str] = []
    bodies: dict[int, JsonValue] = {}  # by their numbers: the parts' extracts overlap
    for number in range(1, MAX_PARTS + 1):
        part = _read_manifest(folder, number)
        if part is None:
            break
        manifest, hashed = part
        log = _read_log(folder, manifest)
        verdict = _check_unchanged(verdict, manifest, hashed, log)
        manifests.append(manifest)
        hashes.append(hashed)
        bodies |= entry_bodies(log)
    timeline = VisitTimeline()
    if manifests:
        way = [closure.closure for closure in manifests[-1].route]
        timeline = read_timeline(bodies.values(), visit=manifests[0].visit, way=way)
    films = verdict.ok and verdict.erased is None
    return VisitEvidence(
        verdict=verdict,
        manifests=tuple(manifests),
        hashes=tuple(hashes),
        timeline=timeline,
        photos=dict(_take_photos(folder, manifests, timeline)) if films else {},
    )


def _read_manifest(folder: Path, number: int) -> tuple[Manifest, str] | None:
    try:
        data = read_regular(folder / manifest_name(number), at_most=MAX_MANIFEST_BYTES)
        return Manifest.from_json(data), sha256(data).hexdigest()
    except (OSError, ValueError):  # the verification's result explains it
        return None


def _read_log(folder: Path, manifest: Manifest) -> bytes:
    try:
        return read_regular(folder / manifest.log.file, at_most=MAX_LOG_BYTES)
    except OSError:  # the same
        return b""


def _check_unchanged(verdict: VerificationResult, manifest: Manifest, hashed: str, log: bytes) -> VerificationResult:
    """Condemn what was changed between being verified and being read."""
    if verdict.ok and hashed not in {part.sha256 for part in verdict.parts}:
        code, where = ProofProblem.SIGNATURE_WRONG, manifest_name(manifest.part)
    elif verdict.ok and sha256(log).hexdigest() != manifest.log.sha256:
        code, where = ProofProblem.LOG_CHANGED, manifest.log.file
    else:
        return verdict
    return VerificationResult(code=code, where=where, fingerprint=verdict.fingerprint)


def _take_photos(
    folder: Path, manifests: list[Manifest], timeline: VisitTimeline
) -> Iterator[tuple[VisitMoment | None, Photo]]:
    """Take the pictures of each film that one is wanted of, all at once."""
    moments_of: dict[str, list[tuple[VisitMoment | None, ClipRecord, float]]] = {}
    for moment in PICTURE_MOMENTS:
        film = _best_film(moment, manifests, timeline)
        if film is not None:
            clip, at = film
            moments_of.setdefault(clip.file, []).append((moment, clip, (at - clip.start).total_seconds()))
    for moments in moments_of.values():
        clip = moments[0][1]
        stills = _sealed_stills(folder, clip, [second for _, _, second in moments])
        for (moment, _, _), still in zip(moments, stills, strict=True):
            if still is not None:
                at = clip.start + timedelta(seconds=still.second)
                yield moment, Photo(camera=clip.camera, at=at, jpeg=still.jpeg)


def _sealed_stills(folder: Path, clip: ClipRecord, seconds: list[float]) -> tuple[Still | None, ...]:
    """Decode only what was sealed: the very file that is handed on is hashed once more."""
    try:
        with open_regular(folder / clip.file) as film:
            if film_sha256(film) != clip.sha256:
                return (None,) * len(seconds)
            return take_stills(film, seconds)
    except OSError:
        return (None,) * len(seconds)


def _best_film(
    moment: VisitMoment | None, manifests: list[Manifest], timeline: VisitTimeline
) -> tuple[ClipRecord, datetime] | None:
    """Return the best film for a moment: the outside camera for arrival and end, the inside camera between."""
    clips = [clip for manifest in manifests for clip in manifest.clips]
    outside, *inside = manifests[0].cameras or ("",)
    if moment is None:
        first = min((clip for clip in clips if clip.camera == outside), key=lambda clip: clip.start, default=None)
        return None if first is None else (first, first.start)
    event = timeline.first_of_each().get(moment)
    if event is None:
        return None
    cameras = [outside, *inside] if moment is VisitMoment.LOCKED_AGAIN else [*inside, outside]
    covering = [clip for clip in clips if clip.start <= event.at <= clip.end and clip.camera in cameras]
    return min(((clip, event.at) for clip in covering), key=lambda pair: cameras.index(pair[0].camera), default=None)
