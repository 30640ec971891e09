"""Sealing: whole or not yet, the same when it is done again, and nothing that lacks stays silent."""

from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from gateway.domain.now import Now
from gateway.evidence.checkpoint import SealedPart, check_log
from gateway.evidence.manifest import FilmGap, Manifest, ManifestDraft, manifest_name
from gateway.evidence.seal import EarlierPartUnsealed, seal_part
from gateway.evidence.verdict import ProofProblem
from gateway.evidence.verify import verify_proof
from gateway.protocol.hash_chain import ChainEntry, ChainHead, canonical_json
from gateway.protocol.keys import BoxKey
from gateway.video.ipc import ClipKey
from tests.gateway.evidence.visits import FILM_S, SCAN, VISIT, SealingBox, chain_entries, draft_of, span_of, write_film

NOW = Now(utc=SCAN + timedelta(seconds=30), trusted=True, mono=30)
ENTRIES = chain_entries([canonical_json({"what": what}) for what in ("scan", "unlock", "locked again")])
NAMES = ["log.jsonl", "manifest.json", "manifest.sig"]


@pytest.fixture
def key() -> BoxKey:
    return BoxKey.generate()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / VISIT
    path.mkdir()
    return path


@pytest.fixture
def draft(folder: Path) -> ManifestDraft:
    clip = ClipKey(visit=VISIT, part=1)
    return draft_of(tuple(write_film(folder, camera, key=clip, start=SCAN) for camera in ("outside", "hall")))


def sealed(folder: Path, draft: ManifestDraft, key: BoxKey, now: Now = NOW) -> Manifest:
    part, checkpoint = seal_part(folder, draft, span=span_of(ChainHead(), ENTRIES), now=now, key=key)
    data = (folder / manifest_name(draft.part)).read_bytes()
    manifest = Manifest.from_json(data)
    assert (
        part
        == checkpoint.sealed
        == SealedPart(visit=draft.visit, part=draft.part, manifest_sha256=sha256(data).hexdigest())
    )
    assert checkpoint.clock_trusted == manifest.clock_trusted
    return manifest


def statements(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in NAMES if (folder / name).exists()}


def test_sealing_again_changes_nothing(folder: Path, draft: ManifestDraft, key: BoxKey) -> None:
    first = sealed(folder, draft, key)
    before = statements(folder)
    again = sealed(
        folder, draft.model_copy(update={"notes": ("later",)}), key, replace(NOW, utc=SCAN + timedelta(days=1))
    )
    assert again == first
    assert statements(folder) == before
    assert sorted(before) == NAMES


@pytest.mark.parametrize("survivors", [[], ["log.jsonl"], ["log.jsonl", "manifest.sig"]], ids=str)
def test_after_a_crash_between_two_files_sealing_again_completes(
    folder: Path, draft: ManifestDraft, key: BoxKey, survivors: list[str]
) -> None:
    sealed(folder, draft, key)
    for name in set(NAMES) - set(survivors):
        (folder / name).unlink()
    later = replace(NOW, utc=NOW.utc + timedelta(minutes=5))
    assert sealed(folder, draft, key, later).sealed_at == later.utc
    assert verify_proof(folder, public_key=key.public).ok


@pytest.mark.parametrize("point", [1, 2, 3, 4, 5])
def test_a_disk_that_fails_while_sealing_leaves_no_half_proof(
    folder: Path, draft: ManifestDraft, key: BoxKey, point: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It fails at each sync: of the three files, of the folder before the manifest has its name, and after it."""
    syncs: list[int] = []

    def failing(descriptor: int) -> None:
        syncs.append(descriptor)
        if len(syncs) == point:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("gateway.system.atomic_file.os.fsync", failing)
    with pytest.raises(OSError, match="No space"):
        sealed(folder, draft, key)
    assert [name for name in NAMES if (folder / name).exists()] == [[], NAMES[::2], NAMES][(point > 3) + (point > 4)]
    assert verify_proof(folder).ok == (point == 5)
    monkeypatch.undo()
    sealed(folder, draft, key)
    assert verify_proof(folder, public_key=key.public).ok


def test_a_torn_temporary_file_of_an_earlier_crash_is_no_hindrance(
    folder: Path, draft: ManifestDraft, key: BoxKey
) -> None:
    (folder / ".manifest.json.new").write_bytes(b"{")
    (folder / ".log.jsonl.new").symlink_to(folder / "outside-1-1.mp4")
    sealed(folder, draft, key)
    assert verify_proof(folder, public_key=key.public).ok
    assert not list(folder.glob(".*"))


@pytest.mark.parametrize("name", ["manifest.json", "manifest.sig"])
def test_what_somebody_else_put_in_a_manifests_place_is_never_signed(
    folder: Path, draft: ManifestDraft, key: BoxKey, name: str
) -> None:
    sealed(folder, draft, key)
    (folder / name).write_bytes(b"not ours" * 20)
    sealed(folder, draft, key)
    assert verify_proof(folder, public_key=key.public).ok


def test_another_visits_proof_in_the_folder_is_a_bug_and_not_overwritten(
    folder: Path, draft: ManifestDraft, key: BoxKey
) -> None:
    sealed(folder, draft, key)
    before = statements(folder)
    with pytest.raises(ValueError, match="another visit"):
        sealed(folder, draft.model_copy(update={"visit": "other"}), key)
    assert statements(folder) == before


def test_a_part_waits_for_the_one_before(folder: Path, draft: ManifestDraft, key: BoxKey) -> None:
    second = draft.model_copy(update={"part": 2})
    with pytest.raises(EarlierPartUnsealed):
        sealed(folder, second, key)
    first = sealed(folder, draft, key)
    assert sealed(folder, second, key).previous_sha256 == sha256(first.to_json()).hexdigest()
    assert verify_proof(folder, public_key=key.public).ok


def test_what_nobody_filmed_and_nobody_declared_is_declared_at_sealing(
    folder: Path, draft: ManifestDraft, key: BoxKey
) -> None:
    manifest = sealed(folder, draft.model_copy(update={"clips": draft.clips[:1]}), key)
    assert manifest.gaps == (
        FilmGap(camera="hall", start=SCAN, end=SCAN + timedelta(seconds=FILM_S), why="not_filmed"),
    )
    verdict = verify_proof(folder, public_key=key.public)
    assert verdict.ok
    assert verdict.parts[0].manifest.declared_gaps == ("not_filmed: hall, 12:00:00 to 12:00:06 UTC",)


def test_a_film_that_is_gone_before_sealing_is_declared_lost(folder: Path, draft: ManifestDraft, key: BoxKey) -> None:
    (folder / "hall-1-1.mp4").unlink()
    gaps = sealed(folder, draft, key).gaps
    assert [(gap.camera, gap.why) for gap in gaps] == [("hall", "film_lost")]
    assert verify_proof(folder, public_key=key.public).ok


def test_a_declared_hole_is_kept_with_its_reason_and_its_rest_is_declared_too(
    folder: Path, draft: ManifestDraft, key: BoxKey
) -> None:
    hole = FilmGap(camera="hall", start=SCAN, end=SCAN + timedelta(seconds=3), why="unreachable")
    manifest = sealed(folder, draft.model_copy(update={"clips": draft.clips[:1], "gaps": (hole,)}), key)
    assert [(gap.why, (gap.end - gap.start).total_seconds()) for gap in manifest.gaps] == [
        ("unreachable", 3),
        ("not_filmed", 3),
    ]


@pytest.mark.parametrize(
    ("spans", "holes"),
    [
        ([(0, 6)], []),
        ([(-10, 20)], []),
        ([(0.9, 5.1)], []),  # less than a second lacks
        ([(0, 2), (2.5, 6)], []),
        ([(0, 2), (4, 6)], [(2, 4)]),
        ([(3, 4)], [(0, 3), (4, 6)]),
        ([(-5, -1)], [(0, 6)]),
        ([(7, 9)], [(0, 6)]),
        ([(0, 5), (1, 2), (4.5, 6)], []),
    ],
)
def test_a_films_holes_are_what_its_files_do_not_cover(
    folder: Path, draft: ManifestDraft, key: BoxKey, spans: list[tuple[float, float]], holes: list[tuple[float, float]]
) -> None:
    film = draft.clips[0]
    at = [(SCAN + timedelta(seconds=start), SCAN + timedelta(seconds=end)) for start, end in spans]
    films = tuple(
        film.model_copy(update={"file": f"outside-1-{number}.mp4", "start": start, "end": end})
        for number, (start, end) in enumerate(at)
    )
    for one in films:
        (folder / one.file).write_bytes(b"")
    found = sealed(folder, draft.model_copy(update={"cameras": ("outside",), "clips": films}), key).gaps
    assert [((hole.start - SCAN).total_seconds(), (hole.end - SCAN).total_seconds()) for hole in found] == holes


def test_the_extract_hides_other_visits_and_its_checkpoint_is_the_logs_end(tmp_path: Path) -> None:
    box = SealingBox()
    folder, _ = box.visit(tmp_path)
    assert b"another entrance" not in (folder / "log.jsonl").read_bytes()
    manifest = Manifest.from_json((folder / "manifest.json").read_bytes())
    assert manifest.log.last.seq == 7
    assert [position.seq for position in manifest.decisions] == [1, 2, 3, 5, 6, 7]
    check_log("log", box.log, remembered=box.phone, key=box.public)


def test_a_visit_without_entries_of_its_own_is_sealed_at_the_logs_end(
    folder: Path, draft: ManifestDraft, key: BoxKey
) -> None:
    head = ChainHead(seq=ENTRIES[-1].seq, hash=ENTRIES[-1].hash)
    _, checkpoint = seal_part(folder, draft, span=span_of(head, ()), now=NOW, key=key)
    assert checkpoint.head == head
    assert verify_proof(folder, public_key=key.public).ok


@pytest.mark.parametrize(
    "entries",
    [
        ENTRIES[1:],
        [*ENTRIES[:2], replace(ENTRIES[2], hash=bytes(32))],
        chain_entries([b'{"b": 1}']),
        chain_entries([b'{"b":1,"a":2}']),
        chain_entries([b"\xff"]),
    ],
    ids=["a hole", "a wrong hash", "a blank", "unsorted", "no JSON"],
)
def test_a_log_that_is_broken_is_never_sealed(
    folder: Path, draft: ManifestDraft, key: BoxKey, entries: list[ChainEntry]
) -> None:
    with pytest.raises(ValueError, match=r"."):
        seal_part(folder, draft, span=span_of(ChainHead(), entries), now=NOW, key=key)
    assert statements(folder) == {}


def test_an_untrusted_clock_is_told(folder: Path, draft: ManifestDraft, key: BoxKey) -> None:
    assert not sealed(folder, draft, key, replace(NOW, trusted=False)).clock_trusted
    assert not verify_proof(folder, public_key=key.public).parts[0].manifest.clock_trusted


def test_no_whole_code_is_in_the_manifest(folder: Path, draft: ManifestDraft, key: BoxKey) -> None:
    assert draft.delivery is not None
    with pytest.raises(ValueError, match="parcels"):
        draft.delivery.model_validate(draft.delivery.model_dump() | {"parcels": ["6A12345674711"]})
    manifest = sealed(folder, draft, key)
    assert manifest.delivery is not None
    assert manifest.delivery.parcels == ("4711",)


def test_a_manifest_is_read_back_as_it_was(folder: Path, draft: ManifestDraft, key: BoxKey) -> None:
    manifest = sealed(folder, draft, key)
    assert (folder / "manifest.json").read_bytes() == manifest.to_json()


def test_a_film_without_its_chain_is_sealed_by_its_hash_alone(folder: Path, draft: ManifestDraft, key: BoxKey) -> None:
    (folder / "hall-1-1.jsonl").unlink()
    (folder / "outside-1-1.jsonl").write_bytes(b"torn")
    sealed(folder, draft, key)
    assert verify_proof(folder, public_key=key.public).ok
    for name in ("hall-1-1.mp4", "outside-1-1.mp4"):
        whole = (folder / name).read_bytes()
        (folder / name).write_bytes(whole[:-1])
        verdict = verify_proof(folder, public_key=key.public)
        assert verdict.code is ProofProblem.FILM_CHANGED
        assert name in (verdict.where or "")
        (folder / name).write_bytes(whole)
