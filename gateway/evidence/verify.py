"""Verifies one visit's folder offline and names the first wrong thing and its place.

Order: tombstone, then for each part its manifest, its signature, the part before, its log, what is remembered outside
the box, its films one by one, whether every camera's film is whole but for declared gaps; last the courier's receipt.
"""

import os
import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import assert_never

from gateway.evidence.checkpoint import Checkpoint, find_rollback, read_checkpoints
from gateway.evidence.extract import check_extract, log_defect
from gateway.evidence.film import FilmChange, FilmDifference, FragmentLinks, film_sha256, first_difference, read_links
from gateway.evidence.manifest import (
    ClipRecord,
    FilmGap,
    Manifest,
    log_name,
    manifest_name,
    signature_name,
    undeclared_gaps,
)
from gateway.evidence.receipt import RECEIPT_FILE, CourierReceipt
from gateway.evidence.retention import TOMBSTONE_FILE, Tombstone, is_erased_by, read_tombstone
from gateway.evidence.seal import MAX_LOG_BYTES, MAX_MANIFEST_BYTES, MAX_SIDECAR_BYTES
from gateway.evidence.succession import SUCCESSION_FILE, read_key_history
from gateway.evidence.verdict import PartReport, ProofDefect, ProofProblem, VerificationResult, failed_result
from gateway.protocol.key_succession import KeyHistory
from gateway.protocol.keys import PublicKey
from gateway.protocol.signed_document import PLACEHOLDER_SIGNATURE
from gateway.system.atomic_file import FileTooLarge, NotRegularFile, open_regular, read_regular

NOTE_NO_KEY = "no key was given to compare with: the folder agrees with itself; compare the fingerprint"
NOTE_NO_CHECKPOINT = "no checkpoint was given: whether the box rolled its log back cannot be told"

_FILM_SUFFIXES = (".mp4", ".mp4.part")
MAX_CLOCK_CORRECTION = timedelta(minutes=1)  # what the clock may have been put right by while a key was replaced


@dataclass(frozen=True, slots=True, kw_only=True)
class _VerificationCase:
    """A folder to verify, and the keys and checkpoints with which it is compared."""

    folder: Path
    public_key: PublicKey | None
    remembered: tuple[Checkpoint, ...]
    line: KeyHistory

    def accepts(self, key: PublicKey) -> bool:
        """Return whether a key is the box's: the given one, or one that the key history connects to it."""
        return self.public_key is None or key in self.line.keys_of_same_box(self.public_key)


@dataclass(frozen=True, slots=True, kw_only=True)
class _VerifiedPart:
    manifest: Manifest
    sha256: str


def verify_proof(
    folder: Path, *, public_key: PublicKey | None = None, checkpoint: Path | None = None, line: KeyHistory | None = None
) -> VerificationResult:
    """Check a visit's folder.

    `public_key` is the box's, known from elsewhere; without it the verdict only says that the folder agrees with
    itself, and notes the fingerprint to compare. `checkpoint` is a file of checkpoints kept outside the box. `line`
    says which keys the box had one after another; without it, the file in the folder says so.
    """
    try:
        remembered = () if checkpoint is None else read_checkpoints(checkpoint)
    except (ValueError, OSError) as failure:
        return failed_result(ProofDefect(ProofProblem.CHECKPOINT_UNREADABLE, str(failure)))
    if not folder.is_dir():
        return failed_result(ProofDefect(ProofProblem.NO_PROOF, f"{folder.name} is not a folder"))
    try:
        line = read_key_history(folder) if line is None else line
    except (ValueError, OSError) as failure:
        return failed_result(ProofDefect(ProofProblem.SUCCESSION_WRONG, f"{SUCCESSION_FILE}: {failure}"))
    case = _VerificationCase(folder=folder, public_key=public_key, remembered=remembered, line=line)
    try:
        stone = read_tombstone(folder)
    except (ValueError, OSError) as failure:
        return failed_result(
            ProofDefect(ProofProblem.TOMBSTONE_WRONG, f"{TOMBSTONE_FILE}: {str(failure).splitlines()[0]}")
        )
    return _verify_parts(case) if stone is None else _verify_erased(case, stone)


def _verify_parts(case: _VerificationCase, *, films: bool = True) -> VerificationResult:
    good: list[PartReport] = []
    named: set[str] = set()
    first: Manifest | None = None
    previous: _VerifiedPart | None = None
    key: PublicKey | None = case.public_key
    for number in range(1, _part_count(case.folder) + 1):
        part = _read_manifest(case, number)
        if isinstance(part, ProofDefect):
            return failed_result(part, parts=tuple(good), fingerprint=None if key is None else key.fingerprint)
        key = PublicKey.from_text(part.manifest.key)
        wrong = (
            _check_previous_part(case, part, previous)
            or _check_log(case, part.manifest)
            or _check_remembered(case, part, key)
            or (_check_films(case.folder, part.manifest) if films else None)
        )
        if wrong is not None:
            return failed_result(wrong, parts=tuple(good), fingerprint=key.fingerprint)
        if number == 1:
            first = part.manifest
        good.append(_part_report(part))
        named |= _file_names(part.manifest)
        previous = part
    if previous is None or first is None or key is None:
        return failed_result(ProofDefect(ProofProblem.NO_PROOF, f"no {manifest_name(1)} in {case.folder.name}"))
    wrong = (
        _check_folder_name(case, first)
        or _check_later_part(case, previous.manifest)
        or _check_receipt(case, first, case.line.keys_of_same_box(key))
    )
    if wrong is not None:
        return failed_result(wrong, parts=tuple(good), fingerprint=key.fingerprint)
    notes = _notes(case, previous.manifest.visit, named)
    return VerificationResult(ok=True, parts=tuple(good), notes=notes, fingerprint=key.fingerprint)


def _verify_erased(case: _VerificationCase, stone: Tombstone) -> VerificationResult:
    key = PublicKey.from_text(stone.key)
    failed = partial(failed_result, fingerprint=key.fingerprint)
    if not case.accepts(key):
        return failed(ProofDefect(ProofProblem.FOREIGN_KEY, TOMBSTONE_FILE))
    replaced = case.line.replaced_at(key)
    if not stone.is_signed_by(key) or (replaced is not None and stone.at > replaced + MAX_CLOCK_CORRECTION):
        return failed(ProofDefect(ProofProblem.TOMBSTONE_WRONG, TOMBSTONE_FILE))
    if stone.why == "request" and case.folder.resolve().name != stone.visit:  # else its manifests name the visit
        where = f"{TOMBSTONE_FILE} is of visit {stone.visit}, the folder is {case.folder.resolve().name}"
        return failed(ProofDefect(ProofProblem.TOMBSTONE_WRONG, where))
    hashes = {part.part: part.manifest_sha256 for part in stone.parts if part.visit == stone.visit}
    for point in case.remembered:
        seal = point.sealed
        if not any(point.is_signed_by(one) for one in case.line.keys_of_same_box(key)):
            return failed_result(ProofDefect(ProofProblem.CHECKPOINT_FOREIGN, f"checkpoint of entry {point.seq}"))
        if seal is not None and seal.visit == stone.visit and hashes.get(seal.part) != seal.manifest_sha256:
            where = f"{TOMBSTONE_FILE} names another manifest of part {seal.part} than the one sealed at {point.at}"
            return failed(ProofDefect(ProofProblem.MANIFEST_REPLACED, where))
    left = sorted(path.name for path in case.folder.iterdir() if is_erased_by(path.name, stone))
    if left:
        where = f"{left[0]!r} is still here, though the visit was erased at {stone.at:%Y-%m-%d %H:%M} UTC"
        return failed(ProofDefect(ProofProblem.ERASURE_UNFINISHED, where))
    asked = f"on request of {stone.who}" if stone.why == "request" else "because its time was over"
    erased = f"{asked} at {stone.at:%Y-%m-%d %H:%M} UTC"
    if stone.why == "request":
        return VerificationResult(
            ok=True,
            erased=erased,
            notes=_notes(case, stone.visit, {TOMBSTONE_FILE, SUCCESSION_FILE}),
            fingerprint=key.fingerprint,
        )
    verdict = _verify_parts(replace(case, public_key=key), films=False)
    theirs = {part.part: part.manifest_sha256 for part in verdict.parts if part.visit == stone.visit}
    if verdict.ok and (theirs != hashes or len(theirs) != len(verdict.parts)):
        where = f"{TOMBSTONE_FILE} names other manifests than those that are here"
        return failed(ProofDefect(ProofProblem.TOMBSTONE_WRONG, where))
    return replace(verdict, erased=erased) if verdict.ok else verdict


def _part_count(folder: Path) -> int:
    """Return the expected number of parts: the highest number in any file name."""
    found = [re.fullmatch(r"(?:manifest|log)(?:-([1-9]\d{0,2}))?\.(?:json|sig|jsonl)", path.name)
             for path in folder.iterdir()]  # fmt: skip
    return max((int(match[1] or 1) for match in found if match is not None), default=0)


def _read(folder: Path, name: str, *, at_most: int, missing: ProofProblem) -> bytes | ProofDefect:
    try:
        return read_regular(folder / name, at_most=at_most)
    except FileNotFoundError:
        return ProofDefect(missing, f"{name} is not there")
    except OSError as failure:
        return _unreadable(name, failure)


def _unreadable(name: str, failure: OSError) -> ProofDefect:
    problem = ProofProblem.NOT_PLAIN if isinstance(failure, NotRegularFile) else ProofProblem.UNREADABLE
    ours = isinstance(failure, NotRegularFile | FileTooLarge)
    return ProofDefect(problem, str(failure) if ours else f"{name}: {failure.strerror}")


def _read_manifest(case: _VerificationCase, number: int) -> _VerifiedPart | ProofDefect:
    name = manifest_name(number)
    absent = ProofProblem.NO_PROOF if number == 1 else ProofProblem.PART_MISSING
    data = _read(case.folder, name, at_most=MAX_MANIFEST_BYTES, missing=absent)
    if isinstance(data, ProofDefect):
        return data
    signature = _read(case.folder, signature_name(number), at_most=MAX_MANIFEST_BYTES, missing=ProofProblem.UNSIGNED)
    if isinstance(signature, ProofDefect):
        return signature
    if not signature:
        return ProofDefect(ProofProblem.UNSIGNED, f"{signature_name(number)} is empty")
    known = case.public_key is not None and any(
        one.verifies(signature, data) for one in case.line.keys_of_same_box(case.public_key)
    )
    try:
        manifest = Manifest.from_json(data)
        key = PublicKey.from_text(manifest.key)
    except ValueError as failure:
        problem = ProofProblem.MANIFEST_MALFORMED if known else ProofProblem.SIGNATURE_WRONG
        return ProofDefect(problem, f"{name}: {str(failure).splitlines()[0]}")
    if not key.verifies(signature, data):
        return ProofDefect(ProofProblem.SIGNATURE_WRONG, f"{name} and {signature_name(number)}")
    if not case.accepts(key):
        return ProofDefect(ProofProblem.FOREIGN_KEY, f"{name} is signed by {key.fingerprint}")
    replaced = case.line.replaced_at(key)
    if replaced is not None and manifest.clock_trusted and manifest.sealed_at > replaced + MAX_CLOCK_CORRECTION:
        where = (
            f"{name} says {manifest.sealed_at:%Y-%m-%d %H:%M} UTC, the key was replaced at {replaced:%Y-%m-%d %H:%M}"
        )
        return ProofDefect(ProofProblem.KEY_REPLACED, where)
    if manifest.part != number or manifest.log.file != log_name(number):
        return ProofDefect(ProofProblem.PART_FOREIGN, f"{name} says that it is part {manifest.part}")
    return _VerifiedPart(manifest=manifest, sha256=sha256(data).hexdigest())


def _check_previous_part(
    case: _VerificationCase, part: _VerifiedPart, previous: _VerifiedPart | None
) -> ProofDefect | None:
    if previous is None:
        return None
    ours, before = part.manifest, previous.manifest
    name = manifest_name(ours.part)
    kin = PublicKey.from_text(ours.key) in case.line.keys_of_same_box(PublicKey.from_text(before.key))
    if not kin or (ours.box, ours.visit, ours.entrance) != (before.box, before.visit, before.entrance):
        return ProofDefect(ProofProblem.PART_FOREIGN, f"{name} is of visit {ours.visit}, not of {before.visit}")
    if ours.previous_sha256 != previous.sha256:
        where = f"{name} names another {manifest_name(before.part)} than the one that is here"
        return ProofDefect(ProofProblem.PART_FOREIGN, where)
    return None


def _check_log(case: _VerificationCase, manifest: Manifest) -> ProofDefect | None:
    data = _read(case.folder, manifest.log.file, at_most=MAX_LOG_BYTES, missing=ProofProblem.LOG_MISSING)
    if isinstance(data, ProofDefect):
        return data
    kin = case.line.keys_of_same_box(PublicKey.from_text(manifest.key))
    return check_extract(data, manifest, remembered=case.remembered, kin=kin)


def _check_remembered(case: _VerificationCase, part: _VerifiedPart, key: PublicKey) -> ProofDefect | None:
    """Compare the log and this manifest with the checkpoints that the phone kept."""
    manifest = part.manifest
    for point in case.remembered:
        if not any(point.is_signed_by(one) for one in case.line.keys_of_same_box(key)) or point.box != manifest.box:
            return ProofDefect(ProofProblem.CHECKPOINT_FOREIGN, f"checkpoint of entry {point.seq}")
        seal = point.sealed
        if seal is None or (seal.visit, seal.part) != (manifest.visit, manifest.part):
            continue
        if seal.manifest_sha256 != part.sha256:
            where = f"{manifest_name(manifest.part)} is not the one sealed at {point.at:%Y-%m-%d %H:%M} UTC"
            return ProofDefect(ProofProblem.MANIFEST_REPLACED, where)
    own = Checkpoint(
        box=manifest.box,
        key=manifest.key,
        seq=manifest.log.last.seq,
        hash=manifest.log.last.hash,
        at=manifest.sealed_at,
        clock_trusted=manifest.clock_trusted,
        signature=PLACEHOLDER_SIGNATURE,  # the signature of the manifest counts, so only the content is compared
    )
    problem = find_rollback(own, case.remembered)
    return None if problem is None else log_defect(problem, manifest.log.file)


def _check_folder_name(case: _VerificationCase, first: Manifest) -> ProofDefect | None:
    """Find a folder with the name of a sealed visit that contains the proof of another visit."""
    name = case.folder.resolve().name
    known = {point.sealed.visit for point in case.remembered if point.sealed is not None}
    if name != first.visit and name in known:
        return ProofDefect(ProofProblem.PART_FOREIGN, f"{manifest_name(1)} is of visit {first.visit}, not of {name}")
    return None


def _check_later_part(case: _VerificationCase, last: Manifest) -> ProofDefect | None:
    for point in case.remembered:
        if point.sealed is not None and point.sealed.visit == last.visit and point.sealed.part > last.part:
            where = f"part {point.sealed.part}, sealed at {point.at:%Y-%m-%d %H:%M} UTC, is not there"
            return ProofDefect(ProofProblem.PART_MISSING, where)
    return None


def _check_receipt(case: _VerificationCase, manifest: Manifest, keys: Collection[PublicKey]) -> ProofDefect | None:
    """Check that the receipt exists if the first part names it, is of this visit, and has the box's signature."""
    named = manifest.receipt_sha256
    try:
        data = read_regular(case.folder / RECEIPT_FILE, at_most=MAX_MANIFEST_BYTES)
    except FileNotFoundError:
        missing = ProofDefect(ProofProblem.RECEIPT_MISSING, f"{RECEIPT_FILE} is not there")
        return None if named is None else missing
    except OSError as failure:
        return _unreadable(RECEIPT_FILE, failure)
    if named is None and manifest.version > 1:
        where = f"{RECEIPT_FILE} is here, and {manifest_name(1)} says that none belongs to the visit"
        return ProofDefect(ProofProblem.RECEIPT_WRONG, where)
    try:
        issued = CourierReceipt.from_json(data)
    except ValueError:
        return ProofDefect(ProofProblem.RECEIPT_WRONG, f"{RECEIPT_FILE} is not a receipt")
    if not any(issued.is_signed_by(key) for key in keys):
        return ProofDefect(ProofProblem.RECEIPT_WRONG, f"{RECEIPT_FILE} was changed, or another box signed it")
    if (issued.box, issued.visit) != (manifest.box, manifest.visit):
        return ProofDefect(ProofProblem.RECEIPT_WRONG, f"{RECEIPT_FILE} is of visit {issued.visit}")
    if named is not None and sha256(data).hexdigest() != named:
        return ProofDefect(ProofProblem.RECEIPT_WRONG, f"{RECEIPT_FILE} is another one than {manifest_name(1)} names")
    return None


def _check_films(folder: Path, manifest: Manifest) -> ProofDefect | None:
    for clip in manifest.clips:
        try:
            wrong = _check_film(folder, clip)
        except OSError as failure:
            wrong = _unreadable(clip.file, failure)
        if wrong is not None:
            return wrong
    holes = undeclared_gaps(manifest.film, cameras=manifest.cameras, clips=manifest.clips, gaps=manifest.gaps)
    return ProofDefect(ProofProblem.HOLE_UNDECLARED, _gap_text(holes[0])) if holes else None


def _check_film(folder: Path, clip: ClipRecord) -> ProofDefect | None:
    """Compare one film with the sealed hash; if it differs, the hash chain beside it locates the place."""
    path = folder / clip.file
    links = _read_links(folder, clip)
    try:
        with open_regular(path) as film:
            cut_or_longer = isinstance(links, FragmentLinks) and film.seek(0, os.SEEK_END) != links.links[-1].end_byte
            if not cut_or_longer and film_sha256(film) == clip.sha256:  # a longer file is not read to its end
                return links if isinstance(links, ProofDefect) else None
            if links is None or isinstance(links, ProofDefect):
                where = f"{clip.file}; where cannot be told, since its hash chain is not as it was sealed"
                return ProofDefect(_changed_film_problem(folder, clip), where)
            difference = first_difference(film, links)
    except FileNotFoundError:
        where = f"{clip.file} ({clip.camera}, {clip.start:%H:%M:%S} to {clip.end:%H:%M:%S} UTC)"
        return ProofDefect(ProofProblem.FILM_MISSING, where)
    if difference is None:  # the chain and the hash of the whole disagree: the box sealed a film that was damaged
        return ProofDefect(ProofProblem.FILM_CHANGED, f"{clip.file}: sealed with another hash than its chain")
    return _difference_defect(clip, difference, links)


def _read_links(folder: Path, clip: ClipRecord) -> FragmentLinks | ProofDefect | None:
    if clip.sidecar is None:
        return None
    data = _read(folder, clip.sidecar, at_most=MAX_SIDECAR_BYTES, missing=ProofProblem.CHAIN_MISSING)
    if isinstance(data, ProofDefect):
        return data
    if sha256(data).hexdigest() != clip.sidecar_sha256:
        return ProofDefect(ProofProblem.CHAIN_CHANGED, clip.sidecar)
    try:
        return read_links(data)
    except ValueError:  # sealed as it was: it was torn already then
        return None


def _changed_film_problem(folder: Path, clip: ClipRecord) -> ProofProblem:
    """Return `FILM_SWAPPED` if the film agrees with an unsealed chain beside it: somebody replaced both."""
    if clip.sidecar is None:
        return ProofProblem.FILM_CHANGED
    try:
        links = read_links(read_regular(folder / clip.sidecar, at_most=MAX_SIDECAR_BYTES))
        with open_regular(folder / clip.file) as film:
            agrees = first_difference(film, links) is None
    except (ValueError, OSError):
        return ProofProblem.FILM_CHANGED
    return ProofProblem.FILM_SWAPPED if agrees else ProofProblem.FILM_CHANGED


def _difference_defect(clip: ClipRecord, found: FilmDifference, links: FragmentLinks) -> ProofDefect:
    match found.change:
        case FilmChange.CUT:
            problem = ProofProblem.FILM_CUT
        case FilmChange.LONGER:
            problem = ProofProblem.FILM_LONGER
        case FilmChange.CHANGED:
            problem = ProofProblem.FILM_SWAPPED if found.another else ProofProblem.FILM_CHANGED
        case _:
            assert_never(found.change)
    piece = f"bytes {found.first} to {found.end - 1}"
    where = f"{clip.file}, {piece}"
    if found.second is not None:
        at = links.start + timedelta(seconds=found.second)
        where = f"{clip.file}, second {found.second:.2f} ({at:%H:%M:%S} UTC), fragment {found.fragment}, {piece}"
    elif found.change is FilmChange.CHANGED:
        where += " (its header)" if found.fragment == 0 else " (the index at its end)"
    return ProofDefect(problem, where)


def _gap_text(hole: FilmGap) -> str:
    return f"{hole.camera}, {hole.start:%H:%M:%S} to {hole.end:%H:%M:%S} UTC"


def _part_report(part: _VerifiedPart) -> PartReport:
    manifest, delivery = part.manifest, part.manifest.delivery
    return PartReport(
        visit=manifest.visit,
        part=manifest.part,
        entrance=manifest.entrance,
        brand=delivery.brand if delivery is not None else None,
        carrier=delivery.carrier if delivery is not None else None,
        outcome=manifest.outcome,
        house=manifest.house,
        start=manifest.film.start,
        end=manifest.film.end,
        sealed_at=manifest.sealed_at,
        clock_trusted=manifest.clock_trusted,
        films=len(manifest.clips),
        decisions=len(manifest.decisions),
        gaps=(*(f"{hole.why}: {_gap_text(hole)}" for hole in manifest.gaps), *manifest.notes),
        manifest_sha256=part.sha256,
    )


def _notes(case: _VerificationCase, visit: str, named: set[str]) -> tuple[str, ...]:
    """Return facts that are not wrong but worth knowing."""
    notes = []
    if case.public_key is None:
        notes.append(NOTE_NO_KEY)
    if not case.remembered:
        notes.append(NOTE_NO_CHECKPOINT)
    if case.folder.resolve().name != visit:
        notes.append(f"the folder bears another name than its visit, {visit}")
    for name in sorted(path.name for path in case.folder.iterdir() if path.name not in named):
        what = "a film that no manifest names" if name.endswith(_FILM_SUFFIXES) else "here, and no part of the proof"
        notes.append(f"{name!r} is {what}")
    return tuple(notes)


def _file_names(manifest: Manifest) -> set[str]:
    """The files of one part."""
    number = manifest.part
    films = {name for clip in manifest.clips for name in (clip.file, clip.sidecar) if name is not None}
    return films | {
        manifest_name(number),
        signature_name(number),
        log_name(number),
        RECEIPT_FILE,
        TOMBSTONE_FILE,
        SUCCESSION_FILE,
    }
