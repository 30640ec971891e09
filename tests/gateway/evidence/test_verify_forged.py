"""A folder in which somebody has put, changed or exchanged something, and who would rather not be noticed."""

import io
import os
import re
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.domain.delivery.result import Outcome
from gateway.evidence.manifest import Manifest
from gateway.evidence.receipt import CourierReceipt
from gateway.evidence.retention import TOMBSTONE_FILE, Tombstone, erase_folder
from gateway.evidence.verdict import ProofProblem, VerificationResult
from gateway.evidence.verify import verify_proof
from tests.gateway.evidence.visits import SCAN, VISIT, SealingBox

OUTSIDE = "outside-1-1.mp4"


@pytest.fixture
def box() -> SealingBox:
    return SealingBox()


@pytest.fixture
def visit(box: SealingBox, tmp_path: Path) -> Path:
    folder, _ = box.visit(tmp_path)
    return folder


def judge(folder: Path, box: SealingBox) -> VerificationResult:
    """Verify with the box's key and with what the phone remembers."""
    return verify_proof(folder, public_key=box.public, checkpoint=box.phone_file(folder.parent))


def test_a_film_that_claims_impossible_times_is_told_by_the_times_of_its_chain(visit: Path, box: SealingBox) -> None:
    data = bytearray((visit / OUTSIDE).read_bytes())
    for at in [found.start() for found in re.finditer(b"tfdt", data)][2:]:
        data[at + 8 : at + 16] = b"\xff" * 8  # when the fragment's pictures begin, in the film's own units
    (visit / OUTSIDE).write_bytes(data)
    verdict = judge(visit, box)
    assert verdict.code is ProofProblem.FILM_SWAPPED
    assert "second 0." in (verdict.where or "")


# ---- what else may lie there -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["statement.json", "outside-1-1.png", "\x1b[2J", "manifest-x.json"])
def test_a_file_that_is_no_part_of_the_proof_is_noted(visit: Path, box: SealingBox, name: str) -> None:
    (visit / name).write_bytes(b"what the owner never said")
    verdict = judge(visit, box)
    assert verdict.ok
    assert verdict.notes == (f"{name!r} is here, and no part of the proof",)


def receipt_of(box: SealingBox, visit: str = VISIT) -> CourierReceipt:
    return CourierReceipt(
        box="box-1", visit=visit, entrance="Front", carrier="Chronopost", parcels=("4711",), outcome=Outcome.DELIVERED,
        came=SCAN, left=SCAN,
    ).signed(box.key)  # fmt: skip


def test_the_couriers_receipt_is_verified_with_the_proof(box: SealingBox, tmp_path: Path) -> None:
    mine = receipt_of(box)
    visit, _ = box.visit(tmp_path, receipt=mine)
    verdict = judge(visit, box)
    assert (verdict.ok, verdict.notes) == (True, ())
    for forged in (
        mine.model_copy(update={"outcome": Outcome.NOT_DELIVERED}).to_json(),
        receipt_of(SealingBox()).to_json(),
        receipt_of(box, "another-visit").to_json(),
        # The box's own, of another moment
        mine.model_copy(update={"carrier": "Nobody"}).signed(box.key).to_json(),
        b"no receipt",
    ):
        (visit / "receipt.json").write_bytes(forged)
        verdict = judge(visit, box)
        assert verdict.code is ProofProblem.RECEIPT_WRONG
        assert "receipt.json" in (verdict.where or "")
    (visit / "receipt.json").unlink()
    (tmp_path / "real").write_bytes(mine.to_json())
    (visit / "receipt.json").symlink_to(tmp_path / "real")
    assert judge(visit, box).code is ProofProblem.NOT_PLAIN


def test_a_receipt_that_was_deleted_is_missed_and_one_that_was_added_belongs_to_nothing(
    box: SealingBox, tmp_path: Path
) -> None:
    visit, _ = box.visit(tmp_path, receipt=receipt_of(box))
    (visit / "receipt.json").unlink()
    verdict = judge(visit, box)
    assert (verdict.code, verdict.where) == (ProofProblem.RECEIPT_MISSING, "receipt.json is not there")
    other, _ = box.visit(tmp_path, visit="other", at=SCAN + timedelta(hours=1))
    (other / "receipt.json").write_bytes(receipt_of(box, "other").to_json())
    assert judge(other, box).code is ProofProblem.RECEIPT_WRONG


def test_a_proof_of_version_1_is_verified_as_before_with_its_receipt_and_without(
    box: SealingBox, tmp_path: Path
) -> None:
    """Version 1 has no word for a receipt: what it said, and what is missed, stays as it was."""
    visit, _ = box.visit(tmp_path)
    old = Manifest.from_json((visit / "manifest.json").read_bytes()).model_copy(update={"version": 1})
    data = old.to_json()
    assert b"receipt_sha256" not in data
    assert Manifest.from_json(data) == old
    (visit / "manifest.json").write_bytes(data)
    (visit / "manifest.sig").write_bytes(box.key.sign(data))
    assert verify_proof(visit, public_key=box.public).ok
    (visit / "receipt.json").write_bytes(receipt_of(box).to_json())
    assert verify_proof(visit, public_key=box.public).ok


def test_a_film_with_two_gigabytes_behind_its_end_is_not_read_to_that_end(visit: Path, box: SealingBox) -> None:
    size = (visit / OUTSIDE).stat().st_size
    with (visit / OUTSIDE).open("r+b") as film:
        film.truncate(2**31)  # sparse: it takes no room
    read = 0

    class Counted(io.FileIO):
        def read(self, size: int | None = -1) -> bytes:
            nonlocal read
            data = super().read(size)
            read += len(data)
            return data

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gateway.evidence.verify.open_regular", lambda path: Counted(path, "rb"))
        verdict = judge(visit, box)
    assert (verdict.code, verdict.where) == (ProofProblem.FILM_LONGER, f"{OUTSIDE}, bytes {size} to {2**31 - 1}")
    assert read < 50 * size, "of what was added nothing"


def test_another_visits_folder_under_this_ones_name_is_noted_where_nobody_remembers(
    visit: Path, box: SealingBox, tmp_path: Path
) -> None:
    other, _ = box.visit(tmp_path, visit="other", at=SCAN + timedelta(hours=1))
    shutil.rmtree(visit)
    other.rename(visit)
    assert "the folder bears another name than its visit, other" in verify_proof(visit, public_key=box.public).notes


def test_the_note_of_another_visits_erasure_hides_no_destroyed_visit(
    visit: Path, box: SealingBox, tmp_path: Path
) -> None:
    other, part = box.visit(tmp_path, visit="other", at=SCAN + timedelta(hours=1))
    erased = Tombstone(box="box-1", visit="other", parts=(part,), at=SCAN, why="request", who="owner").signed(box.key)
    erase_folder(other, erased)
    assert judge(other, box).notes == ()
    for path in visit.iterdir():
        path.unlink()
    shutil.copy(other / TOMBSTONE_FILE, visit)
    verdict = judge(visit, box)
    assert verdict.code is ProofProblem.TOMBSTONE_WRONG
    assert verdict.where == f"{TOMBSTONE_FILE} is of visit other, the folder is {VISIT}"


def test_the_note_that_another_visits_time_is_over_takes_no_films_of_this_one(
    visit: Path, box: SealingBox, tmp_path: Path
) -> None:
    other, part = box.visit(tmp_path, visit="other", at=SCAN + timedelta(hours=1))
    over = Tombstone(
        box="box-1",
        visit="other",
        parts=(part,),
        at=SCAN,
        why="retention",
        who="retention",
    ).signed(box.key)
    erase_folder(other, over)
    assert judge(other, box).ok
    for path in (*visit.glob("*.mp4"), *visit.glob("*-1.jsonl")):
        path.unlink()
    shutil.copy(other / TOMBSTONE_FILE, visit)
    assert judge(visit, box).code is ProofProblem.TOMBSTONE_WRONG


def test_a_whole_forged_visit_holds_only_for_who_has_no_key_and_who_has_none_is_told(
    tmp_path: Path, box: SealingBox
) -> None:
    thief = SealingBox()
    folder, _ = thief.visit(tmp_path)
    box.visit(tmp_path, visit="real")
    assert verify_proof(folder, public_key=box.public).code is ProofProblem.FOREIGN_KEY
    assert verify_proof(folder, checkpoint=box.phone_file(tmp_path)).code is ProofProblem.CHECKPOINT_FOREIGN
    verdict = verify_proof(folder)
    assert (verdict.ok, verdict.fingerprint) == (True, thief.public.fingerprint)
    assert "no key was given to compare with" in verdict.notes[0]


BOMBS = {
    "a million brackets": b"[" * 1_000_000,
    "objects in objects": b'{"a":' * 200_000,
    "a long number": b"1" * 1_000_000,
    "infinity": b"[1e999]",
    "a key twice": b'{"kind":1,"kind":2}',
    "half a character": b'"\\ud800"',
    "zeros": bytes(100_000),
    "words to the terminal": b'{"\\u001b[2J":1,"kind":"\\u001b[2J"}',
    "many keys": b"{" + b",".join(b'"%d":1' % number for number in range(100_000)) + b"}",
}


@pytest.mark.slow
@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS.keys())
@pytest.mark.parametrize("name", ["manifest.json", "log.jsonl", "outside-1-1.jsonl", "receipt.json", TOMBSTONE_FILE])
def test_json_that_would_break_a_reader_is_named_wrong(visit: Path, box: SealingBox, name: str, bomb: bytes) -> None:
    for data in (bomb, bomb + b"\n"):
        (visit / name).write_bytes(data)
        verdict = judge(visit, box)
        assert not verdict.ok
        assert Path(name).stem in (verdict.where or "")
        assert len(verdict.where or "") < 300  # nothing of it is repeated
        assert (verdict.where or "").isprintable()


def test_a_file_larger_than_any_of_ours_is_not_read(visit: Path, box: SealingBox) -> None:
    for name in ("manifest.json", "manifest.sig", "log.jsonl", "outside-1-1.jsonl"):
        whole = (visit / name).read_bytes()
        with (visit / name).open("wb") as file:
            file.truncate(2**40)  # one that takes no room on the disk
        verdict = judge(visit, box)
        assert verdict.code is ProofProblem.UNREADABLE
        assert name in (verdict.where or "")
        (visit / name).write_bytes(whole)


MAKERS: dict[str, Callable[[Path], None]] = {"pipe": os.mkfifo, "folder": Path.mkdir}


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS.keys())
@pytest.mark.parametrize("name", ["manifest.json", "log.jsonl", OUTSIDE, "receipt.json"])
def test_what_is_no_plain_file_is_never_waited_for(
    visit: Path, box: SealingBox, name: str, make: Callable[[Path], None]
) -> None:
    (visit / name).unlink(missing_ok=True)
    make(visit / name)
    verdict = judge(visit, box)
    assert verdict.code is ProofProblem.NOT_PLAIN
    assert name in (verdict.where or "")
