"""The manifest of one part of a visit: `manifest.json`, signed by the box over its exact bytes.

One folder a visit. Part 1 has `manifest.json`, `manifest.sig` and `log.jsonl`; part n (somebody came out again) has
`manifest-n.json` and so on beside them and names the part before.
"""

from collections.abc import Container, Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AwareDatetime, Field, StringConstraints, model_validator

from gateway.domain.delivery.result import DoorResult, Outcome
from gateway.evidence.permits import are_signed
from gateway.evidence.route import RouteAccount
from gateway.protocol.hash_chain import ChainHead, canonical_json
from gateway.protocol.signed_document import CanonicalModel, FileName, Hash, Id, KeyText

VISITS_FOLDER = "visits"  # the folder of films and proofs, under the storage folder
MAX_MANIFEST_BYTES = 4 * 2**20
MAX_UNDECLARED_GAP = timedelta(seconds=1)  # pictures come one by one: film that lacks less is whole

MAX_SHOWN_LENGTH = 80  # characters of a name or a word that a report shows
ShownText = Annotated[str, StringConstraints(max_length=MAX_SHOWN_LENGTH)]
Last4 = Annotated[str, StringConstraints(max_length=4)]
GapReason = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_:.-]{1,80}$")]


class FilmSpan(CanonicalModel):
    """From one instant to a later one."""

    start: AwareDatetime
    end: AwareDatetime

    @model_validator(mode="after")
    def _forward(self) -> Self:
        if self.end < self.start:
            raise ValueError("a span ends after it starts")
        return self


class FilmGap(FilmSpan):
    """A declared hole in the film, and why; of one camera, or None: of all."""

    camera: FileName | None
    why: GapReason

    @property
    def where(self) -> str:
        """Camera and time in words."""
        return f"{self.camera}, {self.start:%H:%M:%S} to {self.end:%H:%M:%S} UTC"


class ClipRecord(FilmSpan):
    """One film file as it was closed, and the sidecar with the hash chain of its fragments."""

    camera: FileName
    file: FileName
    sha256: Hash
    fragments: int = Field(ge=1)
    sidecar: FileName | None = None  # None: lost before sealing, so a change of the film can be seen but not placed
    sidecar_sha256: Hash | None = None


class LogPosition(CanonicalModel):
    """An entry's place in the log's chain."""

    seq: int = Field(ge=0)
    hash: Hash

    @property
    def head(self) -> ChainHead:
        """The chain as it ended here."""
        return ChainHead(seq=self.seq, hash=bytes.fromhex(self.hash))


class LogExtract(CanonicalModel):
    """The visit's part of the log: what follows `after` up to `last`, in `file`."""

    file: FileName
    sha256: Hash
    after: LogPosition
    last: LogPosition


class DeliveryFacts(CanonicalModel):
    """What was promised. It contains the last characters of each code only."""

    id: Annotated[str, StringConstraints(max_length=129)]  # the brand's id, a point, the brand's own id of it
    version: int
    brand: ShownText
    carrier: ShownText
    place: ShownText
    window: FilmSpan
    parcels: tuple[Last4, ...]


class SealedNames(CanonicalModel):
    """What the house called things when the part was sealed, so that a report needs no house file.

    Only the ids of this part have a name: its entrance, the one that the delivery was moved from, their places, and the
    brand. The names are the owner's and the brand's own words; the signature proves that they were these.
    """

    house: ShownText
    timezone: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_+/-]{1,64}$")]
    language: Annotated[str, StringConstraints(pattern=r"^[A-Za-z-]{2,16}$")]
    entrances: Mapping[Id, ShownText]
    places: Mapping[Id, ShownText]
    brand: ShownText | None


class ManifestDraft(CanonicalModel):
    """The content of a part before it is sealed."""

    box: Id
    entrance: Id
    visit: FileName
    part: int = Field(ge=1, le=1000)
    delivery: DeliveryFacts | None  # None: an incident
    outcome: Outcome | None
    house: DoorResult | None
    film: FilmSpan  # from the first event that asked for film to the end of the post-roll
    cameras: tuple[FileName, ...]  # each must cover `film`, but for declared holes
    clips: tuple[ClipRecord, ...]
    gaps: tuple[FilmGap, ...] = ()  # all known ones: within films, before, between and after them
    notes: tuple[GapReason, ...] = ()  # gaps without a time: what else is lacking
    moved_from: Id | None = None  # the entrance that refused, if the delivery was moved from it to this one
    names: SealedNames | None = None  # None: sealed by a release that did not record them


_FIELDS_OF_VERSION: Mapping[int, frozenset[str]] = {
    2: frozenset({"receipt_sha256"}),
    3: frozenset({*RouteAccount.model_fields, "moved_from"}) - {"collected", "cold_chain", "permits", "ages"},
    4: frozenset({"names"}),
    5: frozenset({"collected", "cold_chain"}),
    6: frozenset({"permits", "ages"}),
    7: frozenset(),  # a field of each permit
}
"""The fields that each version added. A manifest of an earlier version has none of them."""

COLLECTED_VERSION: Final = 5  # from here on the manifest says what was collected, and how the cold chain held
PERMITS_VERSION: Final = 6  # from here on it says who said yes to which opening, and how old values were
SIGNED_PERMITS_VERSION: Final = 7  # from here on the log has the signed message of each yes, and each names its key
ROUTE_VERSION = 3  # from here on the manifest lists the closures
NEWEST_VERSION = max(_FIELDS_OF_VERSION)


class Manifest(ManifestDraft, RouteAccount):
    """The sealed statement. Times are UTC by the box's clock; `clock_trusted`: whether it was trusted at sealing.

    `receipt_sha256` is that of the courier's receipt; None: the visit has none. Version 1 has no field of a receipt;
    versions 1 and 2 have no fields of the closures of the way in (`RouteAccount`), version 3 has no names, and
    version 4 nothing of a collection and of a cold chain, version 5 nothing of a supervisor's yes and of the ages of
    values, and version 6 no signature of a yes. A visit without these is still sealed as an earlier version, which
    earlier releases read.
    """

    kind: Literal["perron manifest"] = "perron manifest"
    version: Literal[1, 2, 3, 4, 5, 6, 7] = 4
    key: KeyText
    previous_sha256: Hash | None
    decisions: tuple[LogPosition, ...]
    log: LogExtract
    receipt_sha256: Hash | None = None
    sealed_at: AwareDatetime
    clock_trusted: bool

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.part == 1) != (self.previous_sha256 is None):
            raise ValueError("part 1 has none before it, every other part names the one before")
        if self.receipt_sha256 is not None and (self.version == 1 or self.part > 1):
            raise ValueError("a receipt belongs to the first part")
        if (self.collected or self.cold_chain) is not None and self.version < COLLECTED_VERSION:
            raise ValueError("a collection and a cold chain need version 5")
        if (self.permits or self.ages) and self.version < PERMITS_VERSION:
            raise ValueError("permits and ages of values need version 6")
        if are_signed(self.permits) != (self.version >= SIGNED_PERMITS_VERSION):
            raise ValueError("from version 7 on each permit names its key")
        files = [name for clip in self.clips for name in (clip.file, clip.sidecar) if name is not None]
        if len(set(files)) < len(files):
            raise ValueError("a file stands twice")
        return self

    @property
    def declared_gaps(self) -> tuple[str, ...]:
        """The declared gaps in words, each with its reason."""
        others = dict.fromkeys((*self.notes, *self.evidence.gaps))
        return (*(f"{gap.why}: {gap.where}" for gap in self.gaps), *others)

    def to_json(self) -> bytes:
        """Canonical JSON: what is signed."""
        later = {name for version, names in _FIELDS_OF_VERSION.items() if version > self.version for name in names}
        exclude: dict[str, Any] = dict.fromkeys(later, True)
        if self.version < SIGNED_PERMITS_VERSION:
            exclude.setdefault("permits", {"__all__": {"key_sha256"}})
        return canonical_json(self.model_dump(mode="json", exclude=exclude))


def visit_folder(visit: str) -> str:
    """Where a visit's films and proof lie, under the storage folder: all its parts together."""
    return f"{VISITS_FOLDER}/{visit}"


def visit_files(films: Path, *, without: Container[str]) -> list[Path]:
    """Return the files in the folders of all visits but these, in their order. OSError: a folder cannot be read."""
    folders = sorted(films.iterdir()) if films.is_dir() else []
    visits = (path for path in folders if path.name not in without and path.is_dir() and not path.is_symlink())
    return [path for folder in visits for path in sorted(folder.iterdir())]


def manifest_name(part: int) -> str:
    """The manifest's file name."""
    return _part_file_name("manifest", part, "json")


def signature_name(part: int) -> str:
    """The signature's file name: 64 bytes, Ed25519, also for `openssl pkeyutl -verify -rawin`."""
    return _part_file_name("manifest", part, "sig")


def log_name(part: int) -> str:
    """The log extract's file name."""
    return _part_file_name("log", part, "jsonl")


def undeclared_gaps(
    film: FilmSpan, *, cameras: Iterable[str], clips: Iterable[ClipRecord], gaps: Iterable[FilmGap]
) -> tuple[FilmGap, ...]:
    """Return the times that a camera should have filmed and did not, and that no gap declares, oldest first."""
    clips, gaps = tuple(clips), tuple(gaps)
    undeclared: list[FilmGap] = []
    for camera in cameras:
        spans: list[FilmSpan] = [clip for clip in clips if clip.camera == camera]
        spans += [gap for gap in gaps if gap.camera in {camera, None}]
        covered = film.start
        for span in sorted(spans, key=lambda span: span.start):
            undeclared += _gap(camera, covered, min(span.start, film.end))
            covered = max(covered, span.end)
        undeclared += _gap(camera, covered, film.end)
    return tuple(sorted(undeclared, key=lambda hole: hole.start))


def _gap(camera: str, start: datetime, end: datetime) -> list[FilmGap]:
    return [FilmGap(camera=camera, start=start, end=end, why="not_filmed")] if end - start > MAX_UNDECLARED_GAP else []


def _part_file_name(stem: str, part: int, suffix: str) -> str:
    return f"{stem}.{suffix}" if part == 1 else f"{stem}-{part}.{suffix}"
