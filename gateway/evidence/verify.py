"""Verifies one visit's folder offline and names the first wrong thing and its place.

Order: tombstone, then for each part its manifest, its signature, the part before, its log, what is remembered outside
the box, its films one by one, whether every camera's film is whole but for declared gaps; last the courier's receipt.
"""

import os
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

from gateway.evidence.checkpoint import Checkpoint, check_rollback, read_checkpoints
from gateway.evidence.extract import check_extract, entry_bodies
from gateway.evidence.film import FilmDifference, FragmentLinks, film_sha256, first_difference, read_links
from gateway.evidence.logged_result import check_result, read_result
from gateway.evidence.manifest import (
    MAX_MANIFEST_BYTES,
    NEWEST_VERSION,
    ROUTE_VERSION,
    ClipRecord,
    Manifest,
    log_name,
    manifest_name,
    signature_name,
    undeclared_gaps,
)
from gateway.evidence.receipt import RECEIPT_FILE, CourierReceipt
from gateway.evidence.retention import TOMBSTONE_FILE, Tombstone, is_erased_by, read_tombstone
from gateway.evidence.route import read_route
from gateway.evidence.route_check import check_route
from gateway.evidence.seal import MAX_LOG_BYTES, MAX_SIDECAR_BYTES
from gateway.evidence.succession import SUCCESSION_FILE, read_key_history
from gateway.evidence.verdict import ProofDefect, ProofProblem, VerificationResult, VerifiedPart
from gateway.protocol.ed25519 import PublicKey, grouped_fingerprint
from gateway.protocol.hash_chain import parse_json
from gateway.protocol.key_succession import KeyHistory
from gateway.system.atomic_file import open_regular, read_regular
from gateway.system.dates import utc_text
from gateway.system.i18n import SOURCE
from gateway.system.regular_file import FileTooLarge, NotRegularFile
from gateway.system.text import error_line, sanitized

NOTE_NO_KEY = "no key was given to compare with: the folder agrees with itself; compare the fingerprint"
NOTE_NO_CHECKPOINT = "no checkpoint was given: whether the box rolled its log back cannot be told"

_FILM_SUFFIXES = (".mp4", ".mp4.part")
# A video process that was killed left fragments without a link, and earlier boxes sealed such films: they are whole
MAX_UNLINKED_BYTES = 64 * 2**20  # bytes of them that are hashed; what somebody appended may be endless
MAX_CLOCK_CORRECTION = timedelta(minutes=1)  # what the clock may have been put right by while a key was replaced


def verify_proof(
    folder: Path, *, public_key: PublicKey | None = None, checkpoint: Path | None = None, line: KeyHistory | None = None
) -> VerificationResult:
    """Check a visit's folder.

    `public_key` is the box's, known from elsewhere; without it the verdict only says that the folder agrees with
    itself, and notes the fingerprint to compare. `checkpoint` is a file of checkpoints kept outside the box. `line`
    says which keys the box had one after another; without it, the file in the folder says so.
    """
    verification = _Verification(folder, public_key)
    try:
        stone = verification.read_sources(checkpoint, line)
        if stone is None:
            verification.verify_parts(films=True)
        erased = None if stone is None else verification.verify_erased(stone)
        result = VerificationResult(erased=erased, notes=tuple(verification.notes()))
    except ProofDefect as defect:
        result = VerificationResult(code=defect.problem, where=defect.where)
    fingerprint = None if verification.signer is None else verification.signer.fingerprint
    return replace(result, parts=tuple(verification.parts), fingerprint=fingerprint)


@dataclass(eq=False, repr=False)
class _Verification:
    """A folder, the key and the checkpoints with which it is compared, and the parts without a defect so far.

    Its methods raise `ProofDefect`.
    """

    folder: Path
    public_key: PublicKey | None
    remembered: tuple[Checkpoint, ...] = ()
    line: KeyHistory = field(default_factory=KeyHistory)
    parts: list[VerifiedPart] = field(default_factory=list)
    signer: PublicKey | None = None  # the key which signed, as far as it is known

    def read_sources(self, checkpoint: Path | None, line: KeyHistory | None) -> Tombstone | None:
        try:
            self.remembered = () if checkpoint is None else read_checkpoints(checkpoint)
        except (ValueError, OSError) as failure:
            raise ProofDefect(ProofProblem.CHECKPOINT_UNREADABLE, str(failure)) from failure
        if not self.folder.is_dir():
            raise ProofDefect(ProofProblem.NO_PROOF, f"{self.folder.resolve().name} is not a folder")
        try:
            self.line = read_key_history(self.folder) if line is None else line
        except (ValueError, OSError) as failure:
            raise ProofDefect(ProofProblem.SUCCESSION_WRONG, f"{SUCCESSION_FILE}: {failure}") from failure
        try:
            return read_tombstone(self.folder)
        except (ValueError, OSError) as failure:
            where = f"{TOMBSTONE_FILE}: {error_line(failure)}"
            raise ProofDefect(ProofProblem.TOMBSTONE_WRONG, where) from failure

    def _accepts(self, key: PublicKey) -> bool:
        """Return whether a key is the box's: the given one, or one that the key history connects to it."""
        return self.public_key is None or key in self.line.keys_of_same_box(self.public_key)

    def verify_parts(self, *, films: bool) -> None:
        count = _part_count(self.folder)
        if not count:
            raise ProofDefect(ProofProblem.NO_PROOF, f"no {manifest_name(1)} in {self.folder.resolve().name}")
        self.signer = self.public_key
        for number in range(1, count + 1):
            part = self._read_manifest(number)
            self.signer = PublicKey.from_text(part.manifest.key)
            self._check_previous_part(part)
            self._check_log(part.manifest)
            self._check_remembered(part)
            if films:
                _check_films(self.folder, part.manifest)
            self.parts.append(part)
        self._check_folder_name()
        self._check_later_part()
        self._check_receipt()

    def verify_erased(self, stone: Tombstone) -> str:
        key = self.signer = PublicKey.from_text(stone.key)
        if not self._accepts(key):
            raise ProofDefect(ProofProblem.FOREIGN_KEY, TOMBSTONE_FILE)
        replaced = self.line.replaced_at(key)
        if not stone.is_signed_by(key) or (replaced is not None and stone.at > replaced + MAX_CLOCK_CORRECTION):
            raise ProofDefect(ProofProblem.TOMBSTONE_WRONG, TOMBSTONE_FILE)
        name = self.folder.resolve().name
        if stone.why == "request" and name != stone.visit:  # else its manifests name the visit
            where = f"{TOMBSTONE_FILE} is of visit {stone.visit}, the folder is {name}"
            raise ProofDefect(ProofProblem.TOMBSTONE_WRONG, where)
        hashes = {part.part: part.manifest_sha256 for part in stone.parts if part.visit == stone.visit}
        for point in self.remembered:
            self._check_signature(point)
            seal = point.sealed
            if seal is not None and seal.visit == stone.visit and hashes.get(seal.part) != seal.manifest_sha256:
                where = f"{TOMBSTONE_FILE} names another manifest of part {seal.part} than the one sealed at {point.at}"
                raise ProofDefect(ProofProblem.MANIFEST_REPLACED, where)
        left = sorted(path.name for path in self.folder.iterdir() if is_erased_by(path.name, stone))
        if left:
            where = f"{left[0]!r} is still here, though the visit was erased at {utc_text(stone.at).to(SOURCE)}"
            raise ProofDefect(ProofProblem.ERASURE_UNFINISHED, where)
        reason = "because its time was over"
        if stone.why == "request":
            reason = f"on request of {stone.who}"
        else:
            self.public_key = key
            self.verify_parts(films=False)
            sealed = {part.manifest.part: part.sha256 for part in self.parts if part.manifest.visit == stone.visit}
            if sealed != hashes or len(sealed) != len(self.parts):
                self.parts.clear()
                where = f"{TOMBSTONE_FILE} names other manifests than those that are here"
                raise ProofDefect(ProofProblem.TOMBSTONE_WRONG, where)
        return f"{reason} at {utc_text(stone.at).to(SOURCE)}"

    def _read_manifest(self, number: int) -> VerifiedPart:
        name, signature_file = manifest_name(number), signature_name(number)
        absent = ProofProblem.NO_PROOF if number == 1 else ProofProblem.PART_MISSING
        data = _read(self.folder, name, at_most=MAX_MANIFEST_BYTES, missing=absent)
        signature = _read(self.folder, signature_file, at_most=MAX_MANIFEST_BYTES, missing=ProofProblem.UNSIGNED)
        if not signature:
            raise ProofDefect(ProofProblem.UNSIGNED, f"{signature_file} is empty")
        later = _later_version(data)
        if later is not None:
            where = f"{name} has version {later}; this release knows versions 1 to {NEWEST_VERSION}"
            raise ProofDefect(ProofProblem.MANIFEST_NEWER, where)
        try:
            manifest = Manifest.from_json(data)
            key = PublicKey.from_text(manifest.key)
        except ValueError as failure:
            kin = () if self.public_key is None else self.line.keys_of_same_box(self.public_key)
            is_ours = any(own_key.verifies(signature, data) for own_key in kin)
            problem = ProofProblem.MANIFEST_MALFORMED if is_ours else ProofProblem.SIGNATURE_WRONG
            raise ProofDefect(problem, f"{name} is not a manifest") from failure
        if not key.verifies(signature, data):
            raise ProofDefect(ProofProblem.SIGNATURE_WRONG, f"{name} and {signature_file}")
        if not self._accepts(key):
            raise ProofDefect(ProofProblem.FOREIGN_KEY, f"{name} is signed by {key.fingerprint}")
        at, replaced = manifest.sealed_at, self.line.replaced_at(key)
        if replaced is not None and manifest.clock_trusted and at > replaced + MAX_CLOCK_CORRECTION:
            where = f"{name} says {utc_text(at).to(SOURCE)}, the key was replaced at {utc_text(replaced).to(SOURCE)}"
            raise ProofDefect(ProofProblem.KEY_REPLACED, where)
        if manifest.part != number or manifest.log.file != log_name(number):
            raise ProofDefect(ProofProblem.PART_FOREIGN, f"{name} says that it is part {manifest.part}")
        return VerifiedPart(manifest, sha256(data).hexdigest())

    def _check_previous_part(self, part: VerifiedPart) -> None:
        if not self.parts:
            return
        ours, before = part.manifest, self.parts[-1].manifest
        name = manifest_name(ours.part)
        kin = PublicKey.from_text(ours.key) in self.line.keys_of_same_box(PublicKey.from_text(before.key))
        if not kin or (ours.box, ours.visit, ours.entrance) != (before.box, before.visit, before.entrance):
            raise ProofDefect(ProofProblem.PART_FOREIGN, f"{name} is of visit {ours.visit}, not of {before.visit}")
        if ours.previous_sha256 != self.parts[-1].sha256:
            where = f"{name} names another {manifest_name(before.part)} than the one that is here"
            raise ProofDefect(ProofProblem.PART_FOREIGN, where)

    def _check_log(self, manifest: Manifest) -> None:
        data = _read(self.folder, manifest.log.file, at_most=MAX_LOG_BYTES, missing=ProofProblem.LOG_MISSING)
        check_extract(data, manifest, remembered=self.remembered, kin=self._kin)
        bodies = tuple(entry_bodies(data).values())
        reading = read_route(bodies, part=manifest.part)
        check_result(manifest, read_result(bodies), is_incomplete=reading.is_incomplete)
        if manifest.version >= ROUTE_VERSION:
            check_route(manifest, reading, name=manifest_name(manifest.part), box=manifest.box)

    @property
    def _kin(self) -> Collection[PublicKey]:
        return () if self.signer is None else self.line.keys_of_same_box(self.signer)

    def _check_signature(self, point: Checkpoint, box: str | None = None) -> None:
        if not any(point.is_signed_by(key) for key in self._kin) or box not in {None, point.box}:
            raise ProofDefect(ProofProblem.CHECKPOINT_FOREIGN, f"checkpoint of entry {point.seq}")

    def _check_remembered(self, part: VerifiedPart) -> None:
        manifest = part.manifest
        for point in self.remembered:
            self._check_signature(point, manifest.box)
            seal = point.sealed
            if seal is None or (seal.visit, seal.part) != (manifest.visit, manifest.part):
                continue
            if seal.manifest_sha256 != part.sha256:
                where = f"{manifest_name(manifest.part)} is not the one sealed at {utc_text(point.at).to(SOURCE)}"
                raise ProofDefect(ProofProblem.MANIFEST_REPLACED, where)
        end, at = manifest.log.last, manifest.sealed_at
        own = Checkpoint(box=manifest.box, seq=end.seq, hash=end.hash, at=at, clock_trusted=manifest.clock_trusted)
        check_rollback(manifest.log.file, own, self.remembered)  # compares the content: the manifest's signature counts

    def _check_folder_name(self) -> None:
        """Find a folder with the name of a sealed visit that contains the proof of another visit."""
        name, visit = self.folder.resolve().name, self.parts[0].manifest.visit
        known = {point.sealed.visit for point in self.remembered if point.sealed is not None}
        if name != visit and name in known:
            raise ProofDefect(ProofProblem.PART_FOREIGN, f"{manifest_name(1)} is of visit {visit}, not of {name}")

    def _check_later_part(self) -> None:
        last = self.parts[-1].manifest
        for point in self.remembered:
            if point.sealed is not None and point.sealed.visit == last.visit and point.sealed.part > last.part:
                where = f"part {point.sealed.part}, sealed at {utc_text(point.at).to(SOURCE)}, is not there"
                raise ProofDefect(ProofProblem.PART_MISSING, where)

    def _check_receipt(self) -> None:
        manifest = self.parts[0].manifest
        named = manifest.receipt_sha256
        if named is None and not os.path.lexists(self.folder / RECEIPT_FILE):
            return
        data = _read(self.folder, RECEIPT_FILE, at_most=MAX_MANIFEST_BYTES, missing=ProofProblem.RECEIPT_MISSING)
        if named is None and manifest.version > 1:
            text = f"{RECEIPT_FILE} is here, and {manifest_name(1)} says that none belongs to the visit"
            raise ProofDefect(ProofProblem.RECEIPT_WRONG, text)
        try:
            receipt = CourierReceipt.from_json(data)
        except ValueError as failure:
            raise ProofDefect(ProofProblem.RECEIPT_WRONG, f"{RECEIPT_FILE} is not a receipt") from failure
        where: str | None = None
        if not any(receipt.is_signed_by(key) for key in self._kin):
            where = f"{RECEIPT_FILE} was changed, or another box signed it"
        elif (receipt.box, receipt.visit) != (manifest.box, manifest.visit):
            where = f"{RECEIPT_FILE} is of visit {receipt.visit}"
        elif named is not None and sha256(data).hexdigest() != named:
            where = f"{RECEIPT_FILE} is another one than {manifest_name(1)} names"
        if where is not None:
            raise ProofDefect(ProofProblem.RECEIPT_WRONG, where)

    def notes(self) -> Iterator[str]:
        if self.public_key is None:
            yield NOTE_NO_KEY
        if not self.remembered:
            yield NOTE_NO_CHECKPOINT
        if self.parts and self.folder.resolve().name != self.parts[-1].manifest.visit:
            yield f"the folder bears another name than its visit, {self.parts[-1].manifest.visit}"
        known = {TOMBSTONE_FILE, SUCCESSION_FILE}.union(*(_file_names(part.manifest) for part in self.parts))
        for name in sorted(path.name for path in self.folder.iterdir() if path.name not in known):
            kind = (
                "a film that no manifest names" if name.endswith(_FILM_SUFFIXES) else "here, and no part of the proof"
            )
            yield f"{name!r} is {kind}"
        yield from _permit_notes(self.parts)


def _permit_notes(parts: Sequence[VerifiedPart]) -> Iterator[str]:
    """Say with which key each supervisor permitted openings: only a comparison shows whose key it is."""
    signed = {(one.by, one.key_sha256) for part in parts for one in part.manifest.permits if one.by is not None}
    for supervisor, digest in sorted(signed, key=str):
        name = sanitized(supervisor)
        if digest is None:
            yield f"the proof has no signature of the supervisor {name}: that there was a yes is the box's word"
        else:
            key = grouped_fingerprint(digest)
            yield f"the supervisor {name} permitted openings with the key {key}: compare it with that person's"


def _later_version(data: bytes) -> int | None:
    """Return the version of a manifest if a later release sealed it; None: this release may know it."""
    try:
        document = parse_json(data)
    except ValueError:
        return None
    if not isinstance(document, dict) or document.get("kind") != "perron manifest":
        return None
    version = document.get("version")
    return version if isinstance(version, int) and version > NEWEST_VERSION else None


def _part_count(folder: Path) -> int:
    """Return the expected number of parts: the highest number in any file name."""
    matches = [re.fullmatch(r"(?:manifest|log)(?:-([1-9]\d{0,2}))?\.(?:json|sig|jsonl)", path.name)
             for path in folder.iterdir()]  # fmt: skip
    return max((int(match[1] or 1) for match in matches if match is not None), default=0)


def _read(folder: Path, name: str, *, at_most: int, missing: ProofProblem) -> bytes:
    try:
        return read_regular(folder / name, at_most=at_most)
    except FileNotFoundError as failure:
        raise ProofDefect(missing, f"{name} is not there") from failure
    except OSError as failure:
        raise _unreadable(name, failure) from failure


def _unreadable(name: str, failure: OSError) -> ProofDefect:
    problem = ProofProblem.NOT_PLAIN if isinstance(failure, NotRegularFile) else ProofProblem.UNREADABLE
    ours = isinstance(failure, NotRegularFile | FileTooLarge)
    return ProofDefect(problem, str(failure) if ours else f"{name}: {failure.strerror}")


def _check_films(folder: Path, manifest: Manifest) -> None:
    for clip in manifest.clips:
        try:
            _check_film(folder, clip)
        except OSError as failure:
            raise _unreadable(clip.file, failure) from failure
    gaps = undeclared_gaps(manifest.film, cameras=manifest.cameras, clips=manifest.clips, gaps=manifest.gaps)
    if gaps:
        raise ProofDefect(ProofProblem.HOLE_UNDECLARED, gaps[0].where)


def _check_film(folder: Path, clip: ClipRecord) -> None:
    """Compare one film with the sealed hash; if it differs, the hash chain beside it locates the place."""
    links: FragmentLinks | None = None
    chain_defect: ProofDefect | None = None
    try:
        links = _read_links(folder, clip)
    except ProofDefect as defect:
        chain_defect = defect
    try:
        with open_regular(folder / clip.file) as film:
            beyond = 0 if links is None else film.seek(0, os.SEEK_END) - links.links[-1].end_byte
            if 0 <= beyond <= MAX_UNLINKED_BYTES and film_sha256(film) == clip.sha256:
                if chain_defect is not None:
                    raise chain_defect
                return
            if links is None:
                where = f"{clip.file}; where cannot be told, since its hash chain is not as it was sealed"
                raise ProofDefect(_changed_film_problem(folder, clip), where)
            difference = first_difference(film, links)
    except FileNotFoundError as failure:
        where = f"{clip.file} ({clip.camera}, {clip.start:%H:%M:%S} to {clip.end:%H:%M:%S} UTC)"
        raise ProofDefect(ProofProblem.FILM_MISSING, where) from failure
    if difference is None:  # the chain and the hash of the whole disagree: the box sealed a film that was damaged
        raise ProofDefect(ProofProblem.FILM_CHANGED, f"{clip.file}: sealed with another hash than its chain")
    raise ProofDefect(difference.problem, _difference_text(clip, difference, links))


def _read_links(folder: Path, clip: ClipRecord) -> FragmentLinks | None:
    if clip.sidecar is None:
        return None
    data = _read(folder, clip.sidecar, at_most=MAX_SIDECAR_BYTES, missing=ProofProblem.CHAIN_MISSING)
    if sha256(data).hexdigest() != clip.sidecar_sha256:
        raise ProofDefect(ProofProblem.CHAIN_CHANGED, clip.sidecar)
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


def _difference_text(clip: ClipRecord, difference: FilmDifference, links: FragmentLinks) -> str:
    piece = f"bytes {difference.first} to {difference.end - 1}"
    if difference.end == difference.first:  # nothing of the fragment is left
        piece = f"all from byte {difference.first} on"
    if difference.second is not None:
        at = links.start + timedelta(seconds=difference.second)
        place = f"second {difference.second:.2f} ({at:%H:%M:%S} UTC), fragment {difference.fragment}"
        return f"{clip.file}, {place}, {piece}"
    if difference.problem in {ProofProblem.FILM_CUT, ProofProblem.FILM_LONGER}:
        return f"{clip.file}, {piece}"
    return f"{clip.file}, {piece} ({'its header' if difference.fragment == 0 else 'the index at its end'})"


def _file_names(manifest: Manifest) -> set[str]:
    films = {name for clip in manifest.clips for name in (clip.file, clip.sidecar) if name is not None}
    return films | {manifest_name(manifest.part), signature_name(manifest.part), log_name(manifest.part), RECEIPT_FILE}
