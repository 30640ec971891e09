"""Films go when their time is over, never before, and an erasure can be told from tampering."""

import os
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Literal

import pytest

from gateway.domain.now import Now
from gateway.evidence.retention import (
    TOMBSTONE_FILE,
    FilmedVisit,
    Tombstone,
    erase_folder,
    orphaned_films,
    overdue_visits,
    read_tombstone,
)
from gateway.evidence.verdict import ProofProblem
from gateway.evidence.verify import verify_proof
from gateway.protocol.keys import BoxKey
from tests.gateway.evidence.visits import SCAN, VISIT, SealingBox

ENDED = FilmedVisit(visit=VISIT, ended=SCAN)
LATER = SCAN + timedelta(days=3)


def now(days: float, *, trusted: bool = True) -> Now:
    return Now(utc=SCAN + timedelta(days=days), trusted=trusted, mono=0)


@pytest.fixture
def box() -> SealingBox:
    return SealingBox()


@pytest.fixture
def visit(box: SealingBox, tmp_path: Path) -> Path:
    folder, _ = box.visit(tmp_path)
    return folder


def stone_of(box: SealingBox, why: Literal["request", "retention"] = "request", key: BoxKey | None = None) -> Tombstone:
    parts = tuple(point.sealed for point in box.phone if point.sealed is not None and point.sealed.visit == VISIT)
    who = "owner" if why == "request" else "retention"
    return Tombstone(box="box-1", visit=VISIT, parts=parts, at=LATER, why=why, who=who).signed(key or box.key)


@pytest.mark.parametrize(
    ("kept", "day", "days", "goes"),
    [
        (ENDED, 29.9, 30, False),
        (ENDED, 30, 30, True),
        (ENDED, 7, 7, True),
        (ENDED, 6.9, 7, False),
        (ENDED, 29.9, 365, False),
        (ENDED, 30, 365, True),  # 30 days at most, whatever is configured
        (FilmedVisit(visit=VISIT, ended=SCAN, held="the vase"), 400, 30, False),
        (FilmedVisit(visit=VISIT, ended=None), 400, 30, False),
    ],
)
def test_a_film_goes_when_its_time_is_over(kept: FilmedVisit, day: float, days: int, *, goes: bool) -> None:
    assert overdue_visits([kept], now=now(day), days=days) == ((VISIT,) if goes else ())


def test_while_the_clock_is_not_trusted_nothing_goes() -> None:
    assert overdue_visits([ENDED], now=now(400, trusted=False), days=30) == ()


def test_a_film_that_the_store_does_not_know_goes_in_its_time_and_what_was_decided_stays(tmp_path: Path) -> None:
    for name in ("known/a.mp4", "lost/a.mp4.part", "lost/a.jsonl", "lost/manifest.json", "lost/erased.json"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"")
        os.utime(path, (SCAN.timestamp(), SCAN.timestamp()))
    lost = tuple(tmp_path / "lost" / name for name in ("a.jsonl", "a.mp4.part"))
    assert orphaned_films(tmp_path, {"known"}, now=now(29), days=30) == ()
    assert orphaned_films(tmp_path, {"known"}, now=now(31), days=365) == lost
    assert orphaned_films(tmp_path, {"known"}, now=now(400, trusted=False), days=30) == ()
    assert orphaned_films(tmp_path / "nowhere", {"known"}, now=now(400), days=30) == ()


def test_the_oldest_film_goes_first() -> None:
    kept = [FilmedVisit(visit=f"v{day}", ended=SCAN + timedelta(days=day)) for day in (3, 1, 2, 40)]
    assert overdue_visits(kept, now=now(33), days=30) == ("v1", "v2", "v3")


@pytest.mark.parametrize(
    ("kept", "answer"),
    [
        (ENDED, None),
        (FilmedVisit(visit=VISIT, ended=SCAN, held="the vase"), "held the vase"),
        (FilmedVisit(visit=VISIT, ended=None), "running"),
    ],
)
def test_on_request_a_visit_goes_at_once_unless_held_or_running(kept: FilmedVisit, answer: str | None) -> None:
    assert kept.erasure_refusal == answer


def test_an_erasure_on_request_leaves_only_the_signed_tombstone(visit: Path, box: SealingBox) -> None:
    stone = stone_of(box)
    assert erase_folder(visit, stone) == stone
    assert [path.name for path in visit.iterdir()] == [TOMBSTONE_FILE]
    verdict = verify_proof(visit, public_key=box.public, checkpoint=box.phone_file(visit.parent))
    assert verdict.ok
    assert verdict.erased == "on request of owner at Thu 4 Jun 2026, 12:00 UTC"


def test_when_its_time_is_over_the_decisions_stay(visit: Path, box: SealingBox) -> None:
    erase_folder(visit, stone_of(box, "retention"))
    assert sorted(path.name for path in visit.iterdir()) == [
        TOMBSTONE_FILE,
        "log.jsonl",
        "manifest.json",
        "manifest.sig",
    ]
    verdict = verify_proof(visit, public_key=box.public, checkpoint=box.phone_file(visit.parent))
    assert verdict.ok
    assert verdict.erased == "because its time was over at Thu 4 Jun 2026, 12:00 UTC"
    assert len(verdict.parts[0].manifest.decisions) == 6
    (visit / "log.jsonl").write_bytes(b"")
    assert verify_proof(visit, public_key=box.public).code is ProofProblem.LOG_CHANGED


def test_a_crash_in_the_middle_is_finished_by_erasing_again(
    visit: Path, box: SealingBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    stone = stone_of(box)

    deleted: list[str] = []
    honest = Path.unlink

    def crash(path: Path, *, missing_ok: bool = False) -> None:
        if len(deleted) == 2:
            raise KeyboardInterrupt
        honest(path, missing_ok=missing_ok)
        deleted.extend([] if path.name.startswith(".") else [path.name])

    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", crash)
        with pytest.raises(KeyboardInterrupt):
            erase_folder(visit, stone)
    verdict = verify_proof(visit, public_key=box.public)
    assert verdict.code is ProofProblem.ERASURE_UNFINISHED
    assert deleted == ["hall-1-1.jsonl", "hall-1-1.mp4"]
    assert (verdict.where or "").startswith("'log.jsonl' is still here")
    (visit / "\x1b[2J").touch()  # a forged folder's file name says nothing to the terminal
    assert "\x1b" not in (verify_proof(visit, public_key=box.public).where or "\x1b")
    later = stone.model_copy(update={"who": "somebody else"})
    assert erase_folder(visit, later) == stone  # who asked first stays
    assert [path.name for path in visit.iterdir()] == [TOMBSTONE_FILE]


def test_after_its_time_a_visit_can_still_be_erased_whole(visit: Path, box: SealingBox) -> None:
    erase_folder(visit, stone_of(box, "retention"))
    stone = stone_of(box)
    assert erase_folder(visit, stone) == stone
    assert erase_folder(visit, stone_of(box, "retention")) == stone
    assert [path.name for path in visit.iterdir()] == [TOMBSTONE_FILE]


@pytest.mark.parametrize("content", [b"", b"{}", b"not json"])
def test_a_damaged_tombstone_is_named_and_replaced_by_the_next_erasure(
    visit: Path, box: SealingBox, content: bytes
) -> None:
    (visit / TOMBSTONE_FILE).write_bytes(content)
    assert verify_proof(visit, public_key=box.public).code is ProofProblem.TOMBSTONE_WRONG
    erase_folder(visit, stone_of(box))
    assert verify_proof(visit, public_key=box.public).ok


def test_a_tombstone_that_somebody_else_put_there_is_replaced_by_our_own(visit: Path, box: SealingBox) -> None:
    (visit / TOMBSTONE_FILE).write_bytes(stone_of(box, key=BoxKey.generate()).to_json())
    assert erase_folder(visit, stone_of(box)) == stone_of(box)
    assert verify_proof(visit, public_key=box.public).ok


def test_films_that_were_deleted_with_a_forged_tombstone_are_not_erased_but_missing(
    visit: Path, box: SealingBox
) -> None:
    thief = BoxKey.generate()
    for path in visit.iterdir():
        path.unlink()
    (visit / TOMBSTONE_FILE).write_bytes(stone_of(box, key=thief).to_json())
    assert verify_proof(visit, public_key=box.public).code is ProofProblem.FOREIGN_KEY
    forged = stone_of(box, key=thief).model_copy(update={"key": box.public.text})
    (visit / TOMBSTONE_FILE).write_bytes(forged.to_json())
    assert verify_proof(visit, public_key=box.public).code is ProofProblem.TOMBSTONE_WRONG


def test_the_tombstone_of_another_visit_says_nothing_about_this_one(
    visit: Path, box: SealingBox, tmp_path: Path
) -> None:
    other, _ = box.visit(tmp_path, visit="other", at=SCAN + timedelta(hours=1))
    erase_folder(visit, stone_of(box, "retention"))
    shutil.copy(visit / TOMBSTONE_FILE, other / TOMBSTONE_FILE)
    for path in [*other.glob("*.mp4"), *other.glob("*-1-1.jsonl")]:
        path.unlink()
    verdict = verify_proof(other, public_key=box.public)
    assert verdict.code is ProofProblem.TOMBSTONE_WRONG
    assert "other manifests" in (verdict.where or "")


def test_a_tombstone_for_another_manifest_than_the_phone_remembers_is_named(visit: Path, box: SealingBox) -> None:
    (part,) = stone_of(box).parts
    forged = Tombstone(
        box="box-1",
        visit=VISIT,
        parts=(part.model_copy(update={"manifest_sha256": "0" * 64}),),
        at=LATER,
        why="request",
        who="owner",
    ).signed(box.key)
    erase_folder(visit, forged)
    verdict = verify_proof(visit, public_key=box.public, checkpoint=box.phone_file(visit.parent))
    assert verdict.code is ProofProblem.MANIFEST_REPLACED


def test_a_link_in_the_folder_is_removed_and_what_it_points_to_stays(
    visit: Path, box: SealingBox, tmp_path: Path
) -> None:
    outside = tmp_path / "precious"
    outside.write_bytes(b"kept")
    (tmp_path / "folder").mkdir()
    (visit / "a-link.mp4").symlink_to(outside)
    (visit / "folder-link").symlink_to(tmp_path / "folder")
    erase_folder(visit, stone_of(box))
    assert outside.read_bytes() == b"kept"
    assert (tmp_path / "folder").is_dir()
    assert [path.name for path in visit.iterdir()] == [TOMBSTONE_FILE]


def test_a_folder_within_is_none_of_ours_and_stops_the_erasure_before_it_deletes(visit: Path, box: SealingBox) -> None:
    (visit / "sub").mkdir()
    before = sorted(path.name for path in visit.iterdir())
    with pytest.raises(ValueError, match="folder"):
        erase_folder(visit, stone_of(box))
    assert sorted(path.name for path in visit.iterdir()) == before


@pytest.mark.parametrize("who", ["", "a\nb", "x" * 81, "<script>", "\u202e"])
def test_who_asked_is_a_plain_name(box: SealingBox, who: str) -> None:
    with pytest.raises(ValueError, match="who"):
        Tombstone(box="box-1", visit=VISIT, parts=(), at=LATER, why="request", who=who).signed(box.key)


def test_no_tombstone_is_none(visit: Path) -> None:
    assert read_tombstone(visit) is None
