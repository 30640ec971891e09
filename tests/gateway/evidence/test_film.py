"""The checker reads what the real recorder writes, and tells the second within a fragment."""

import io
from datetime import datetime, timedelta
from pathlib import Path

import av
import pytest
from av.bitstream import BitStreamFilterContext

from gateway.domain.now import Now
from gateway.evidence.film import find_box, first_difference, read_links
from gateway.evidence.manifest import ClipRecord, Manifest
from gateway.evidence.seal import seal_part
from gateway.evidence.verdict import ProofProblem
from gateway.evidence.verify import verify_proof
from gateway.protocol.hash_chain import ChainHead
from gateway.protocol.keys import BoxKey
from gateway.video.clip import ClipWriter
from gateway.video.ipc import ClipFacts, ClipKey
from gateway.video.ring import EncodedPicture
from gateway.video.sidecar import SidecarHead
from tests.gateway.evidence.visits import FILM_S, FRAMES_PER_S, SCAN, VISIT, draft_of, film_bytes, span_of

PRE_ROLL = 2  # seconds


def moment(at: float) -> datetime:
    return SCAN + timedelta(seconds=at)


def recorded(root: Path) -> ClipFacts:
    """Let the real recorder write a film, with a pre-roll, from packets as a camera sends them."""
    with av.open(io.BytesIO(film_bytes(40)), "r") as camera:
        stream = camera.streams.video[0]
        as_sent = BitStreamFilterContext("h264_mp4toannexb", stream)  # a camera sends start codes
        packets = [sent for packet in camera.demux(stream) if packet.size for sent in as_sent.filter(packet)]
        samples = [
            EncodedPicture(bytes(packet), packet.pts or 0, packet.dts or 0, packet.is_keyframe, number / FRAMES_PER_S)
            for number, packet in enumerate(packets)
        ]
        key, path = ClipKey(visit=VISIT, part=1), f"{VISIT}/outside-1-1.mp4"
        head = SidecarHead(camera="outside", clip=key, path=path, start=SCAN)
        clip = ClipWriter(root, head, stream, samples[0], sync_s=0.25, to_utc=moment, crash_point=lambda _: None)
        clip.write_pre_roll(samples[: PRE_ROLL * FRAMES_PER_S])
        for sample in samples[PRE_ROLL * FRAMES_PER_S :]:
            clip.write_picture(sample)
        facts = clip.close(None)
    assert facts is not None
    return facts


def test_a_film_of_the_real_recorder_is_sealed_verified_and_its_changed_second_told(tmp_path: Path) -> None:
    facts = recorded(tmp_path)
    folder, key = tmp_path / VISIT, BoxKey.generate()
    film = ClipRecord(
        camera=facts.camera,
        file=Path(facts.path).name,
        start=facts.start,
        end=facts.end,
        sha256=facts.sha256,
        fragments=facts.fragments,
    )
    draft = draft_of((film,)).model_copy(update={"cameras": ("outside",)})
    now = Now(utc=SCAN + timedelta(seconds=FILM_S), trusted=True, mono=0)
    seal_part(folder, draft, span=span_of(ChainHead(), ()), now=now, key=key)
    assert Manifest.from_json((folder / "manifest.json").read_bytes()).gaps == ()
    assert verify_proof(folder, public_key=key.public).ok
    path = folder / film.file
    whole = path.read_bytes()
    ends = [link.end_byte for link in read_links((folder / "outside-1-1.jsonl").read_bytes()).links]
    pictures = len(ends) - 2  # without the header and the index
    for fragment in range(1, pictures + 1):
        at = ends[fragment] - 1  # the last byte of its pictures
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        where = verify_proof(folder, public_key=key.public).where or ""
        told = float(where.split("second ")[1].split()[0])
        assert abs(told - (fragment - 1) * FILM_S / pictures) <= 4 / FRAMES_PER_S, where


@pytest.mark.parametrize(
    "sidecar",
    [
        b"",
        b"\n",
        b'{"kind":"link"}\n',
        b'{"kind":"head","start":"2026-06-01T12:00:00Z"}\n',
        b'{"kind":"head","start":"2026-06-01T12:00:00"}\n',
    ],
)
def test_what_is_no_sidecar_is_refused(sidecar: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_links(sidecar)


def test_fragments_that_overlap_are_refused() -> None:
    link = b'{"kind":"link","end_byte":10,"chain":"' + b"0" * 64 + b'","until":"2026-06-01T12:00:00Z"}\n'
    with pytest.raises(ValueError, match="overlap"):
        read_links(b'{"kind":"head","start":"2026-06-01T12:00:00Z"}\n' + link + link)


def test_a_film_that_is_not_mp4_is_still_placed_by_its_fragments(tmp_path: Path) -> None:
    facts = recorded(tmp_path)
    links = read_links((tmp_path / VISIT / "outside-1-1.jsonl").read_bytes())
    found = first_difference(io.BytesIO(bytes(links.links[-1].end_byte)), links)
    assert found is not None
    assert (found.problem, found.fragment, found.second) == (ProofProblem.FILM_CHANGED, 0, None)
    assert facts.fragments == len(links.links)
    empty = first_difference(io.BytesIO(), links)
    assert empty is not None
    assert (empty.problem, empty.fragment) == (ProofProblem.FILM_CUT, 0)


@pytest.mark.parametrize(
    ("data", "content"),
    [
        (b"\0\0\0\x0cmoovabcd", b"abcd"),
        (b"\0\0\0\x08free\0\0\0\x0cmoovabcd", b"abcd"),
        (b"\0\0\0\x01moov\0\0\0\0\0\0\0\x10", None),  # a 64-bit size
        (b"\0\0\0\0moov", None),  # to the end of the file
        (b"\xff\xff\xff\xfffree", None),
        (b"\0\0\0", None),
        (b"", None),
    ],
)
def test_a_box_is_found_or_there_is_none(data: bytes, content: bytes | None) -> None:
    assert find_box(data, b"moov") == content
