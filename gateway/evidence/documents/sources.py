"""Reads the sources of a report: a visit's folder, which it verifies first, and pictures from its films."""

from collections.abc import Mapping, Sequence
from dataclasses import field
from hashlib import sha256
from pathlib import Path

from pydantic import JsonValue

from gateway.domain.frozen import Frozen
from gateway.evidence.documents.photos import Photo, PhotoMoment, take_photos
from gateway.evidence.documents.visit_timeline import VisitTimeline, read_timeline
from gateway.evidence.extract import entry_bodies
from gateway.evidence.manifest import MAX_MANIFEST_BYTES, Manifest, manifest_name
from gateway.evidence.seal import MAX_LOG_BYTES
from gateway.evidence.verdict import ProofProblem, VerificationResult
from gateway.evidence.verify import verify_proof
from gateway.protocol.ed25519 import PublicKey
from gateway.system.atomic_file import read_regular

MAX_PARTS = 20  # parts that are read: no courier leaves more often in 15 minutes


class VisitEvidence(Frozen):
    """A visit as its folder tells it. It proves something only if the verdict is `ok`.

    `photos` lacks a moment where the log has no such moment or no film shows it.
    """

    verdict: VerificationResult
    manifests: tuple[Manifest, ...] = ()
    hashes: tuple[str, ...] = ()  # SHA-256 of each manifest
    timeline: VisitTimeline = field(default_factory=VisitTimeline)
    photos: Mapping[PhotoMoment, Photo] = field(default_factory=dict)


def read_visit(folder: Path, *, public_key: PublicKey | None = None, checkpoint: Path | None = None) -> VisitEvidence:
    """Verify a visit's folder, read it, and take the pictures, these only where the proof holds.

    Blocks (it decodes video in another process): call it from a thread.
    """
    verdict = verify_proof(folder, public_key=public_key, checkpoint=checkpoint)
    parts = _read_parts(folder)
    for part in parts:
        verdict = _check_unchanged(verdict, part)
    manifests, timeline = tuple(part.manifest for part in parts), _timeline_of(parts)
    films = verdict.ok and verdict.erased is None
    return VisitEvidence(
        verdict=verdict,
        manifests=manifests,
        hashes=tuple(part.sha256 for part in parts),
        timeline=timeline,
        photos=take_photos(folder, manifests, timeline) if films and manifests else {},
    )


def read_thumbnails(folder: Path, *, side_px: int) -> Mapping[PhotoMoment, bytes]:
    """Take small pictures of a visit that this box has just sealed; they prove nothing. Blocks as `read_visit` does."""
    parts = _read_parts(folder)
    if not parts:
        return {}
    photos = take_photos(folder, [part.manifest for part in parts], _timeline_of(parts), side_px=side_px)
    return {moment: photo.jpeg for moment, photo in photos.items()}


class _Part(Frozen):
    manifest: Manifest
    sha256: str
    log: bytes


def _read_parts(folder: Path) -> list[_Part]:
    parts: list[_Part] = []
    for number in range(1, MAX_PARTS + 1):
        try:
            data = read_regular(folder / manifest_name(number), at_most=MAX_MANIFEST_BYTES)
            manifest = Manifest.from_json(data)
        except (OSError, ValueError):  # the verification's result explains it
            break
        parts.append(_Part(manifest=manifest, sha256=sha256(data).hexdigest(), log=_read_log(folder, manifest)))
    return parts


def _timeline_of(parts: Sequence[_Part]) -> VisitTimeline:
    bodies: dict[int, JsonValue] = {}  # by their numbers: the parts' extracts overlap
    for part in parts:
        bodies |= entry_bodies(part.log)
    if not parts:
        return VisitTimeline()
    way = [closure.closure for closure in parts[-1].manifest.route]
    return read_timeline(bodies.values(), visit=parts[0].manifest.visit, way=way)


def _read_log(folder: Path, manifest: Manifest) -> bytes:
    try:
        return read_regular(folder / manifest.log.file, at_most=MAX_LOG_BYTES)
    except OSError:  # the same
        return b""


def _check_unchanged(verdict: VerificationResult, part: _Part) -> VerificationResult:
    """Condemn what was changed between being verified and being read."""
    if verdict.ok and part.sha256 not in {verified.sha256 for verified in verdict.parts}:
        code, where = ProofProblem.SIGNATURE_WRONG, manifest_name(part.manifest.part)
    elif verdict.ok and sha256(part.log).hexdigest() != part.manifest.log.sha256:
        code, where = ProofProblem.LOG_CHANGED, part.manifest.log.file
    else:
        return verdict
    return VerificationResult(code=code, where=where, fingerprint=verdict.fingerprint)
