"""Sealing one part of a visit: the manifest is written last, so a proof is there whole or not yet."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from gateway.domain.visit.state import DoorResult, Now, Outcome
from gateway.evidence.checkpoint import Checkpoint, SealedPart, checkpoint
from gateway.evidence.extract import write_extract
from gateway.evidence.manifest import (
    ClipRecord,
    DeliveryFacts,
    Hole,
    LogExtract,
    Manifest,
    Position,
    Span,
    log_name,
    manifest_name,
    signature_name,
    uncovered,
)
from gateway.evidence.receipt import RECEIPT
from gateway.protocol.hash_chain import Entry, Head, Hidden, check
from gateway.protocol.keys import BoxKey
from gateway.system.atomic_file import NotRegular, TooLarge, open_regular, read_regular, write_whole

LARGEST_MANIFEST = 4 * 2**20  # bytes
LARGEST_LOG = 64 * 2**20
LARGEST_SIDECAR = 64 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Film:
    """A closed film file in the visit's folder, as the video process hashed it."""

    camera: str
    file: str
    start: datetime
    end: datetime
    sha256: str
    fragments: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What is to be sealed. `span` is the time that every camera should have filmed.

    `gaps` are all holes that are known: within films, before, between and after them. `notes` are short words
    (`[a-z0-9_:.-]`) for what lacks without a time.
    """

    box: str
    entrance: str
    visit: str
    part: int
    delivery: DeliveryFacts | None
    outcome: Outcome | None
    house: DoorResult | None
    span: Span
    cameras: tuple[str, ...]
    films: tuple[Film, ...]
    gaps: tuple[Hole, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """A sealed part. `fresh` is False when it was sealed before; `checkpoint` is for the owner's phone."""

    manifest: Manifest
    sealed: SealedPart
    checkpoint: Checkpoint
    fresh: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """This part names the one before, which is not sealed yet."""

    part: int


def seal(  # noqa: PLR0913 - the draft, the log and the key are three things
    folder: Path, draft: Draft, *, after: Head, entries: Sequence[Entry], now: Now, key: BoxKey
) -> Proof | Waits:
    """Write log extract, signature and manifest into the visit's folder, in this order, each durably.

    `entries` follow `after` in the log without a hole, `Hidden` where they are not this visit's (`chain.hide`).
    A part that is sealed already is returned as it is; what a crash left half done is done anew. What the films do not
    cover and nobody declared is declared here: `not_filmed`, or `film_lost` where a file is gone.

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
            previous = read_regular(folder / manifest_name(draft.part - 1), at_most=LARGEST_MANIFEST)
        except FileNotFoundError:
            return Waits(part=draft.part - 1)
    end = checkpoint(_end(after, entries), box=draft.box, now=now, key=key)
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
        gaps=(*gaps, *uncovered(draft.span, cameras=draft.cameras, clips=clips, gaps=gaps)),
        notes=draft.notes,
        decisions=tuple(_position(entry) for entry in entries if not isinstance(entry.body, Hidden)),
        log=LogExtract(
            file=log_name(draft.part),
            sha256=sha256(log).hexdigest(),
            after=Position(seq=after.seq, hash=after.hash.hex()),
            last=Position(seq=end.seq, hash=end.hash),
        ),
        receipt_sha256=_receipt(folder) if draft.part == 1 else None,
        sealed_at=now.utc,
        clock_trusted=now.trusted,
    )
    data = manifest.to_json()
    write_whole(folder / log_name(draft.part), log)
    write_whole(folder / signature_name(draft.part), key.sign(data))
    write_whole(folder / manifest_name(draft.part), data)
    return _proof(manifest, data, key, fresh=True)


def _receipt(folder: Path) -> str | None:
    """The SHA-256 of the courier's receipt, which is written before its part is sealed."""
    try:
        return sha256(read_regular(folder / RECEIPT, at_most=LARGEST_MANIFEST)).hexdigest()
    except FileNotFoundError:
        return None


def _end(after: Head, entries: Sequence[Entry]) -> Head:
    broken = check(entries, after=after)
    if broken is not None:
        raise ValueError(f"the log is broken at entry {broken.seq}: {broken.fault}")
    return Head(seq=entries[-1].seq, hash=entries[-1].hash) if entries else after


def _position(entry: Entry) -> Position:
    return Position(seq=entry.seq, hash=entry.hash.hex())


def _clips(folder: Path, draft: Draft) -> tuple[tuple[ClipRecord, ...], tuple[Hole, ...]]:
    """Record the films that are there, and declare those that are gone."""
    clips: list[ClipRecord] = []
    lost: list[Hole] = []
    for film in draft.films:
        try:
            open_regular(folder / film.file).close()
        except (FileNotFoundError, NotRegular):
            lost.append(Hole(camera=film.camera, start=film.start, end=film.end, why="film_lost"))
            continue
        sidecar = film.file.removesuffix(".mp4") + ".jsonl"
        try:
            links = read_regular(folder / sidecar, at_most=LARGEST_SIDECAR)
        except (FileNotFoundError, NotRegular, TooLarge):
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


def _sealed_before(folder: Path, draft: Draft, key: BoxKey) -> Proof | None:
    """The proof that stands there already. What is not ours or not whole is none: it will be written anew."""
    try:
        data = read_regular(folder / manifest_name(draft.part), at_most=LARGEST_MANIFEST)
        signature = read_regular(folder / signature_name(draft.part), at_most=64)
    except (FileNotFoundError, NotRegular, TooLarge):
        return None
    if not key.public.verifies(signature, data):
        return None
    manifest = Manifest.from_json(data)
    if (manifest.visit, manifest.part) != (draft.visit, draft.part):
        raise ValueError(f"{folder.name} holds another visit's proof")
    return _proof(manifest, data, key, fresh=False)


def _proof(manifest: Manifest, data: bytes, key: BoxKey, *, fresh: bool) -> Proof:
    sealed = SealedPart(visit=manifest.visit, part=manifest.part, manifest_sha256=sha256(data).hexdigest())
    now = Now(utc=manifest.sealed_at, trusted=manifest.clock_trusted, mono=0)
    return Proof(
        manifest=manifest,
        sealed=sealed,
        checkpoint=checkpoint(manifest.log.last.head, box=manifest.box, now=now, key=key, sealed=sealed),
        fresh=fresh,
    )
