"""A sealed visit as it lies on disk, with real H.264, for tests that then tamper with it."""

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path

import av
import numpy as np

from gateway.domain.visit.state import DoorResult, Now, Outcome
from gateway.evidence.checkpoint import Checkpoint
from gateway.evidence.manifest import DeliveryFacts, Span
from gateway.evidence.receipt import Receipt
from gateway.evidence.seal import Draft, Film, Proof, seal
from gateway.protocol.hash_chain import Entry, Head, Hidden, canonical, hide, link
from gateway.protocol.keys import BoxKey, PublicKey
from gateway.video.clip import OPTIONS
from gateway.video.ipc import ClipFacts, ClipKey
from gateway.video.sidecar import Chain, End, Lines, sidecar_of
from gateway.video.sidecar import Head as FirstLine
from gateway.video.sidecar import Link as LinkLine

SCAN = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
FPS, SECONDS = 8, 6
VISIT = "0f3a-visit"


@lru_cache
def film_bytes(shade: int) -> bytes:
    """Encode six seconds of moving noise as the recorder writes it: fragmented, a key picture each second."""
    noise = np.random.default_rng(shade).integers(0, 255, (48, 128, 3), np.uint8) // 2
    file = io.BytesIO()
    with av.open(file, "w", format="mp4", container_options=dict(OPTIONS)) as container:
        stream = container.add_stream("libx264", rate=FPS, options={"g": str(FPS), "bf": "0", "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(FPS * SECONDS):
            picture = np.ascontiguousarray(noise[:, number : number + 64])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return file.getvalue()


def write_film(folder: Path, camera: str, *, key: ClipKey, start: datetime, shade: int = 40) -> Film:
    """Write a film and its sidecar in the format of the video process, pre-roll synced at once as it does."""
    path = folder / f"{camera}-{key.part}-1.mp4"
    data = film_bytes(shade)
    chain = Chain()
    links = [(chain.end_byte, chain.link) for _ in chain.feed(data)]
    end = start + timedelta(seconds=SECONDS)
    path.write_bytes(data)
    facts = ClipFacts(camera=camera, path=path.name, start=start, end=end, sha256=chain.digest, fragments=chain.links)
    with Lines(sidecar_of(path)) as sidecar:
        sidecar.write(FirstLine(camera=camera, clip=key, path=path.name, start=start))
        for number, (end_byte, told) in enumerate(links):
            until = start + timedelta(seconds=min(SECONDS, max(2, number / 2)))  # two seconds of pre-roll
            sidecar.write(LinkLine(end_byte=end_byte, chain=told, until=until))
        sidecar.write(End(facts=facts, why=None))
    return Film(camera=camera, file=path.name, start=start, end=end, sha256=chain.digest, fragments=chain.links)


def chained(bodies: list[bytes], after: Head | None = None) -> list[Entry]:
    """Link bodies into a log."""
    head, entries = after or Head(), []
    for body in bodies:
        seq = head.seq + 1
        entries.append(Entry(seq=seq, body=body, hash=link(head.hash, seq, body)))
        head = Head(seq=seq, hash=entries[-1].hash)
    return entries


@dataclass
class Box:
    """A box with a log that grows, and the phone that remembers its checkpoints."""

    key: BoxKey = field(default_factory=BoxKey.fresh)
    log: list[Entry] = field(default_factory=list)
    phone: list[Checkpoint] = field(default_factory=list)

    @property
    def public(self) -> PublicKey:
        return self.key.public

    @property
    def head(self) -> Head:
        return Head(seq=self.log[-1].seq, hash=self.log[-1].hash) if self.log else Head()

    def say(self, what: str, visit: str | None = None) -> int:
        """Append to the log."""
        self.log += chained([canonical({"what": what, "visit": visit, "n": len(self.log)})], self.head)
        return self.log[-1].seq

    def visit(  # noqa: PLR0913 - what a test may choose of a visit
        self,
        root: Path,
        *,
        visit: str = VISIT,
        at: datetime = SCAN,
        shade: int = 40,
        part: int = 1,
        receipt: Receipt | None = None,
    ) -> tuple[Path, Proof]:
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
        entries = hide([entry for entry in self.log if entry.seq > before.seq], but=frozenset(own))
        now = Now(utc=at + timedelta(seconds=SECONDS + 1), trusted=True, mono=1)
        proof = seal(folder, draft, after=before, entries=entries, now=now, key=self.key)
        assert isinstance(proof, Proof)
        self.say("sealed", visit)
        self.phone.append(proof.checkpoint)
        return folder, proof

    def phone_file(self, folder: Path) -> Path:
        """Write what the phone remembers."""
        path = folder / "phone.jsonl"
        path.write_bytes(b"".join(point.to_json() + b"\n" for point in self.phone))
        return path


def draft_of(
    films: tuple[Film, ...],
    *,
    visit: str = VISIT,
    at: datetime = SCAN,
    part: int = 1,
) -> Draft:
    """What the archive would seal."""
    return Draft(
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
            window=Span(start=at - timedelta(hours=1), end=at + timedelta(hours=1)),
            parcels=("4711",),
        ),
        outcome=Outcome.DELIVERED,
        house=DoorResult.LOCKED_AGAIN,
        span=Span(start=at, end=at + timedelta(seconds=SECONDS)),
        cameras=("outside", "hall"),
        films=films,
    )


def log_lines(folder: Path, name: str = "log.jsonl") -> list[bytes]:
    """The log extract's lines."""
    return (folder / name).read_bytes().splitlines(keepends=True)


def relinked(folder: Path, seq: int, change: dict[str, object]) -> bytes:
    """The log extract as a careful forger writes it: one entry edited, all hashes after it made anew."""
    lines = [json.loads(line) for line in log_lines(folder)]
    head = Head(seq=lines[0]["after"]["seq"], hash=bytes.fromhex(lines[0]["after"]["hash"]))
    for line in lines[1:-1]:
        if line["seq"] == seq:
            line["body"] |= change
        body = canonical(line["body"]) if "body" in line else Hidden(bytes.fromhex(line["hidden"]))
        line["hash"] = link(head.hash, line["seq"], body).hex()
        head = Head(seq=line["seq"], hash=bytes.fromhex(line["hash"]))
    return b"".join(canonical(line) + b"\n" for line in lines)


def flips(data: bytes, step: int) -> Iterator[tuple[int, bytes]]:
    """The same bytes with one of them changed, at every `step`th place."""
    for at in range(0, len(data), step):
        yield at, data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
