"""A sealed visit as it lies on disk, with real H.264, for tests that then tamper with it."""

import io
import json
from base64 import b64encode
from collections.abc import Container, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

import av
import numpy as np

from gateway.domain.delivery.result import DoorResult, Outcome
from gateway.domain.now import Now
from gateway.evidence.checkpoint import Checkpoint, SealedPart
from gateway.evidence.log_span import LogLines, LogSpan
from gateway.evidence.manifest import ClipRecord, DeliveryFacts, FilmSpan, ManifestDraft, SealedNames
from gateway.evidence.receipt import CourierReceipt
from gateway.evidence.seal import seal_part
from gateway.protocol.ed25519 import PublicKey
from gateway.protocol.hash_chain import ChainEntry, ChainHead, HiddenBody, canonical_json, link_hash
from gateway.protocol.keys import BoxKey
from gateway.protocol.signed_document import SignedDocument
from gateway.video.ipc import ClipFacts, ClipKey
from gateway.video.sidecar import FilmHashChain, SidecarEnd, SidecarWriter, sidecar_path
from gateway.video.sidecar import SidecarHead as FirstLine
from gateway.video.sidecar import SidecarLink as LinkLine
from tests.filmset.films import MUXER_OPTIONS

SignedT = TypeVar("SignedT", bound=SignedDocument)

SCAN = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
FRAMES_PER_S, FILM_S = 8, 6
VISIT = "0f3a-visit"
NAMES = SealedNames(
    house="Rue des Lilas",
    timezone="Europe/Lisbon",
    language="en",
    entrances={"front": "The blue door"},
    places={"hall": "Under the stairs"},
    brand="Cdiscount SA",
)


@lru_cache
def film_bytes(shade: int) -> bytes:
    """Encode six seconds of moving noise as the recorder writes it: fragmented, a key picture each second."""
    noise = np.random.default_rng(shade).integers(0, 255, (48, 128, 3), np.uint8) // 2
    file = io.BytesIO()
    with av.open(file, "w", format="mp4", container_options=dict(MUXER_OPTIONS)) as container:
        stream = container.add_stream(
            "libx264", rate=FRAMES_PER_S, options={"g": str(FRAMES_PER_S), "bf": "0", "preset": "ultrafast"}
        )
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(FRAMES_PER_S * FILM_S):
            picture = np.ascontiguousarray(noise[:, number : number + 64])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return file.getvalue()


def write_film(folder: Path, camera: str, *, key: ClipKey, start: datetime, shade: int = 40) -> ClipRecord:
    """Write a film and its sidecar in the format of the video process, pre-roll synced at once as it does."""
    path = folder / f"{camera}-{key.part}-1.mp4"
    data = film_bytes(shade)
    chain = FilmHashChain()
    links = [(chain.end_byte, chain.link) for _ in chain.feed(data)]
    end = start + timedelta(seconds=FILM_S)
    path.write_bytes(data)
    facts = ClipFacts(camera=camera, path=path.name, start=start, end=end, sha256=chain.digest, fragments=chain.links)
    with closing(SidecarWriter(sidecar_path(path))) as sidecar:
        sidecar.write(FirstLine(camera=camera, clip=key, path=path.name, start=start))
        for number, (end_byte, told) in enumerate(links):
            until = start + timedelta(seconds=min(FILM_S, max(2, number / 2)))  # two seconds of pre-roll
            sidecar.write(LinkLine(end_byte=end_byte, chain=told, until=until))
        sidecar.write(SidecarEnd(facts=facts, why=None))
    return ClipRecord(camera=camera, file=path.name, start=start, end=end, sha256=chain.digest, fragments=chain.links)


def chain_entries(bodies: list[bytes], after: ChainHead | None = None) -> list[ChainEntry]:
    """Link bodies into a log."""
    head, entries = after or ChainHead(), []
    for body in bodies:
        seq = head.seq + 1
        entries.append(ChainEntry(seq=seq, body=body, hash=link_hash(head.hash, seq, body)))
        head = ChainHead(seq=seq, hash=entries[-1].hash)
    return entries


def span_of(after: ChainHead, entries: Sequence[ChainEntry], *, shown: Container[int] | None = None) -> LogSpan:
    """Return the span of these entries, which follow `after`; `shown`: those with their bodies (None: all)."""
    lines = LogLines(after)
    lines.extend(entries)
    return lines.span(after.seq, (entry for entry in entries if shown is None or entry.seq in shown))


@dataclass
class SealingBox:
    """A box with a log that grows, and the phone that remembers its checkpoints."""

    key: BoxKey = field(default_factory=BoxKey.generate)
    log: list[ChainEntry] = field(default_factory=list)
    phone: list[Checkpoint] = field(default_factory=list)

    @property
    def public(self) -> PublicKey:
        return self.key.public

    @property
    def head(self) -> ChainHead:
        return ChainHead(seq=self.log[-1].seq, hash=self.log[-1].hash) if self.log else ChainHead()

    def say(self, what: str, visit: str | None = None) -> int:
        """Append to the log."""
        self.log += chain_entries([canonical_json({"what": what, "visit": visit, "n": len(self.log)})], self.head)
        return self.log[-1].seq

    def visit(  # noqa: PLR0913 - what a test may choose of a visit
        self,
        root: Path,
        *,
        visit: str = VISIT,
        at: datetime = SCAN,
        shade: int = 40,
        part: int = 1,
        receipt: CourierReceipt | None = None,
    ) -> tuple[Path, SealedPart]:
        """Film, log and seal one part of a visit."""
        folder = root / visit
        folder.mkdir(exist_ok=True)
        if receipt is not None:
            (folder / "receipt.json").write_bytes(receipt.to_json())
        before = self.head
        own = [self.say(what, visit) for what in ("scan", "reserve", "unlock")]
        self.say("another entrance's matter")
        own += [self.say(what, visit) for what in ("opened", "closed", "locked again")]
        films = tuple(
            write_film(folder, camera, key=ClipKey(visit=visit, part=part), start=at, shade=shade + 10 * place)
            for place, camera in enumerate(("outside", "hall"))
        )
        draft = draft_of(films, visit=visit, at=at, part=part)
        entries = [entry for entry in self.log if entry.seq > before.seq]
        span = span_of(before, entries, shown=own)
        now = Now(utc=at + timedelta(seconds=FILM_S + 1), trusted=True, mono=1)
        sealed, checkpoint = seal_part(folder, draft, span=span, now=now, key=self.key)
        self.say("sealed", visit)
        self.phone.append(checkpoint)
        return folder, sealed

    def phone_file(self, folder: Path) -> Path:
        """Write what the phone remembers."""
        path = folder / "phone.jsonl"
        path.write_bytes(b"".join(point.to_json() + b"\n" for point in self.phone))
        return path


def draft_of(
    films: tuple[ClipRecord, ...],
    *,
    visit: str = VISIT,
    at: datetime = SCAN,
    part: int = 1,
) -> ManifestDraft:
    """What the archive would seal."""
    return ManifestDraft(
        box="box-1",
        entrance="front",
        visit=visit,
        part=part,
        delivery=DeliveryFacts(
            id="cdiscount.d-1",
            version=1,
            brand="Cdiscount",
            carrier="Chronopost",
            place="hall",
            window=FilmSpan(start=at - timedelta(hours=1), end=at + timedelta(hours=1)),
            parcels=("4711",),
        ),
        outcome=Outcome.DELIVERED,
        house=DoorResult.LOCKED_AGAIN,
        film=FilmSpan(start=at, end=at + timedelta(seconds=FILM_S)),
        cameras=("outside", "hall"),
        clips=films,
    )


def log_lines(folder: Path, name: str = "log.jsonl") -> list[bytes]:
    """The log extract's lines."""
    return (folder / name).read_bytes().splitlines(keepends=True)


def forge_entry(folder: Path, seq: int, change: dict[str, object]) -> bytes:
    """The log extract as a careful forger writes it: one entry edited, all hashes after it made anew."""
    lines = [json.loads(line) for line in log_lines(folder)]
    head = ChainHead(seq=lines[0]["after"]["seq"], hash=bytes.fromhex(lines[0]["after"]["hash"]))
    for line in lines[1:-1]:
        if line["seq"] == seq:
            line["body"] |= change
        body = canonical_json(line["body"]) if "body" in line else HiddenBody(bytes.fromhex(line["hidden"]))
        line["hash"] = link_hash(head.hash, line["seq"], body).hex()
        head = ChainHead(seq=line["seq"], hash=bytes.fromhex(line["hash"]))
    return b"".join(canonical_json(line) + b"\n" for line in lines)


def flipped_bytes(data: bytes, step: int) -> Iterator[tuple[int, bytes]]:
    """The same bytes with one of them changed, at every `step`th place."""
    for at in range(0, len(data), step):
        yield at, data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def forged_document(document: SignedT, key: BoxKey) -> SignedT:
    """The document, still in its own key's name, with another key's signature."""
    return document.model_copy(update={"signature": b64encode(key.sign(document.signed_bytes())).decode()})
