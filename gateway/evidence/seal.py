"""Seals one part of a visit. It writes the manifest last, so a proof is complete or absent."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from gateway.domain.delivery.result import DoorResult, Outcome
from gateway.domain.now import Now
from gateway.evidence.checkpoint import Checkpoint, SealedPart, sign_checkpoint
from gateway.evidence.extract import write_extract
from gateway.evidence.manifest import (
    ClipRecord,
    DeliveryFacts,
    FilmGap,
    FilmSpan,
    LogExtract,
    LogPosition,
    Manifest,
    log_name,
    manifest_name,
    signature_name,
    undeclared_gaps,
)
from gateway.evidence.receipt import RECEIPT_FILE
from gateway.protocol.hash_chain import ChainEntry, ChainHead, HiddenBody, find_break
from gateway.protocol.keys import BoxKey
from gateway.system.atomic_file import FileTooLarge, NotRegularFile, open_regular, read_regular, write_whole

MAX_MANIFEST_BYTES = 4 * 2**20  # bytes
MAX_LOG_BYTES = 64 * 2**20
MAX_SIDECAR_BYTES = 64 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class FilmFile:
    """A closed film file in the visit's folder, as the video process hashed it."""

    camera: str
    file: str
    start: datetime
    end: datetime
    sha256: str
    fragments: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestDraft:
    """The content of a part before it is sealed. `span` is the time that every camera should have filmed.

    `gaps` are all known gaps: within films, before, between and after them. `notes` are short words (`[a-z0-9_:.-]`)
    for missing things without a time.
    """

    box: str
    entrance: str
    visit: str
    part: int
    delivery: DeliveryFacts | None
    outcome: Outcome | None
    house: DoorResult | None
    span: FilmSpan
    cameras: tuple[str, ...]
    films: tuple[FilmFile, ...]
    gaps: tuple[FilmGap, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PartProof:
    """A sealed part. `fresh` is False when it was sealed before; `checkpoint` is for the owner's phone."""

    manifest: Manifest
    sealed: SealedPart
    checkpoint: Checkpoint
    fresh: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierPartUnsealed:
    """The part before this one, which its manifest must name, is not sealed yet."""

    part: int


def seal_part(  # noqa: PLR0913 - the draft, the log and the key are three things
    folder: Path, draft: ManifestDraft, *, after: ChainHead, entries: Sequence[ChainEntry], now: Now, key: BoxKey
) -> PartProof | EarlierPartUnsealed:
    """Write log extract, signature and manifest into the visit's folder, in this order, each durably.

    `entries` follow `after` in the log without a hole, with a `HiddenBody` where they are not this visit's
    (`hash_chain.hide_bodies`). A part that is sealed already is returned as it is; a half written one is sealed again.
    Undeclared time without film gets a gap here: `not_filmed`, or `film_lost` if a file is missing.

    Raises:
        OSError: something could not be read or written; seal again.
        ValueError: the entries are no chain, or a name is not one that can be sealed (both are bugs).
    """
    earlier = _sealed_before(folder, draft, key)
    if earlier is not None:
        return earlier
    previous: bytes | None = None
    if draft.part > 1:
        try:
            previous = read_regular(folder / manifest_name(draft.part - 1), at_most=MAX_MANIFEST_BYTES)
        except FileNotFoundError:
            return EarlierPartUnsealed(part=draft.part - 1)
    end = sign_checkpoint(_log_end(after, entries), box=draft.box, now=now, key=key)
    log = write_extract(after, entries, end)
    clips, lost = _clips(folder, draft)
    gaps = (*draft.gaps, *lost)
    manifest = Manifest(
        box=draft.box,
        key=key.public.text,
        entrance=draft.entrance,
        visit=draft.visit,
        part=draft.part,
        previous_sha256=None if previous is None else sha256(previous).hexdigest(),
        delivery=draft.delivery,
        outcome=draft.outcome,
        house=draft.house,
        film=draft.span,
        cameras=draft.cameras,
        clips=clips,
        gaps=(*gaps, *undeclared_gaps(draft.span, cameras=draft.cameras, clips=clips, gaps=gaps)),
        notes=draft.notes,
        decisions=tuple(_position(entry) for entry in entries if not isinstance(entry.body, HiddenBody)),
        log=LogExtract(
            file=log_name(draft.part),
            sha256=sha256(log).hexdigest(),
            after=LogPosition(seq=after.seq, hash=after.hash.hex()),
            last=LogPosition(seq=end.seq, hash=end.hash),
        ),
        receipt_sha256=_receipt_sha256(folder) if draft.part == 1 else None,
        sealed_at=now.utc,
        clock_trusted=now.trusted,
    )
    data = manifest.to_json()
    write_whole(folder / log_name(draft.part), log)
    write_whole(folder / signature_name(draft.part), key.sign(data))
    write_whole(folder / manifest_name(draft.part), data)
    return _proof(manifest, data, key, fresh=True)


def _receipt_sha256(folder: Path) -> str | None:
    """The SHA-256 of the courier's receipt, which is written before its part is sealed."""
    try:
        return sha256(read_regular(folder / RECEIPT_FILE, at_most=MAX_MANIFEST_BYTES)).hexdigest()
    except FileNotFoundError:
        return None


def _log_end(after: ChainHead, entries: Sequence[ChainEntry]) -> ChainHead:
    broken = find_break(entries, after=after)
    if broken is not None:
        raise ValueError(f"the log is broken at entry {broken.seq}: {broken.fault}")
    return ChainHead(seq=entries[-1].seq, hash=entries[-1].hash) if entries else after


def _position(entry: ChainEntry) -> LogPosition:
    return LogPosition(seq=entry.seq, hash=entry.hash.hex())


def _clips(folder: Path, draft: ManifestDraft) -> tuple[tuple[ClipRecord, ...], tuple[FilmGap, ...]]:
    """Return a record of each existing film, and a gap for each missing one."""
    clips: list[ClipRecord] = []
    lost: list[FilmGap] = []
    for film in draft.films:
        try:
            open_regular(folder / film.file).close()
        except (FileNotFoundError, NotRegularFile):
            lost.append(FilmGap(camera=film.camera, start=film.start, end=film.end, why="film_lost"))
            continue
        sidecar = film.file.removesuffix(".mp4") + ".jsonl"
        try:
            links = read_regular(folder / sidecar, at_most=MAX_SIDECAR_BYTES)
        except (FileNotFoundError, NotRegularFile, FileTooLarge):
            links = None
        clips.append(
            ClipRecord(
                camera=film.camera,
                file=film.file,
                start=film.start,
                end=film.end,
                sha256=film.sha256,
                fragments=film.fragments,
                sidecar=None if links is None else sidecar,
                sidecar_sha256=None if links is None else sha256(links).hexdigest(),
            )
        )
    return tuple(clips), tuple(lost)


def _sealed_before(folder: Path, draft: ManifestDraft, key: BoxKey) -> PartProof | None:
    """Return the existing proof; None if it is incomplete or not signed by this key, so that it is written again."""
    try:
        data = read_regular(folder / manifest_name(draft.part), at_most=MAX_MANIFEST_BYTES)
        signature = read_regular(folder / signature_name(draft.part), at_most=64)
    except (FileNotFoundError, NotRegularFile, FileTooLarge):
        return None
    if not key.public.verifies(signature, data):
        return None
    manifest = Manifest.from_json(data)
    if (manifest.visit, manifest.part) != (draft.visit, draft.part):
        raise ValueError(f"{folder.name} holds another visit's proof")
    return _proof(manifest, data, key, fresh=False)


def _proof(manifest: Manifest, data: bytes, key: BoxKey, *, fresh: bool) -> PartProof:
    sealed = SealedPart(visit=manifest.visit, part=manifest.part, manifest_sha256=sha256(data).hexdigest())
    now = Now(utc=manifest.sealed_at, trusted=manifest.clock_trusted, mono=0)
    return PartProof(
        manifest=manifest,
        sealed=sealed,
        checkpoint=sign_checkpoint(manifest.log.last.head, box=manifest.box, now=now, key=key, sealed=sealed),
        fresh=fresh,
    )
