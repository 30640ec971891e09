"""A box that changes its key: whoever knows the old one or the new one follows it, in both directions."""

import subprocess
import sys
from base64 import b64encode
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.domain.now import Now
from gateway.evidence.retention import Tombstone, erase_folder
from gateway.evidence.succession import (
    NEXT_KEY_FILE,
    NEXT_MARKER_FILE,
    SUCCESSION_FILE,
    copy_key_history,
    finish_key_change,
    prepare_key_change,
    read_key_history,
)
from gateway.evidence.verdict import ProofProblem
from gateway.evidence.verify import verify_proof
from gateway.protocol.ed25519 import KeyUnusable, PublicKey
from gateway.protocol.key_succession import KeyHistory
from gateway.protocol.keys import PUBLIC_KEY_FILE, BoxKey
from gateway.system.atomic_file import write_whole
from tests.gateway.evidence.visits import SCAN, SealingBox, forged_document

ROOT = Path(__file__).parents[3]
BETWEEN = Now(utc=SCAN + timedelta(hours=1), trusted=True, mono=0.0)


@dataclass
class Changed:
    """A box that filmed a visit under its first key, and one under its second."""

    keys: Path
    first: BoxKey
    box: SealingBox
    before: Path
    after: Path

    @property
    def second(self) -> BoxKey:
        return self.box.key


@pytest.fixture
def changed(tmp_path: Path) -> Changed:
    keys = tmp_path / "key"
    first = BoxKey.load_or_create(keys)
    box = SealingBox(key=first)
    before, _ = box.visit(tmp_path, visit="before")
    coming = prepare_key_change(keys)
    assert finish_key_change(keys, box="box-1", now=BETWEEN) is not None
    box.key = BoxKey.load_or_create(keys)
    assert box.public == coming != first.public
    after, _ = box.visit(tmp_path, visit="after", at=SCAN + timedelta(hours=2))
    copy_key_history(keys, after)
    return Changed(keys, first, box, before, after)


def test_proofs_of_before_and_after_verify_whichever_key_is_known(changed: Changed, tmp_path: Path) -> None:
    line = read_key_history(changed.keys)
    phone = changed.box.phone_file(tmp_path)
    for known in (changed.first.public, changed.second.public):
        for folder in (changed.before, changed.after):
            verdict = verify_proof(folder, public_key=known, checkpoint=phone, line=line)
            assert verdict.ok, (folder.name, verdict.problem, verdict.where)
    alone = verify_proof(changed.after, public_key=changed.first.public)
    assert alone.ok, "a folder that was sealed since tells by itself how its key follows the older one"
    assert not [note for note in alone.notes if SUCCESSION_FILE in note]
    assert PublicKey.from_pem((changed.keys / PUBLIC_KEY_FILE).read_bytes()) == changed.second.public
    assert not (changed.keys / NEXT_KEY_FILE).exists(), "the old one can sign nothing any more"


def test_without_the_line_another_key_is_another_box(changed: Changed) -> None:
    (changed.after / SUCCESSION_FILE).unlink()
    assert verify_proof(changed.after, public_key=changed.first.public).code is ProofProblem.FOREIGN_KEY


def test_what_the_old_key_signs_after_it_was_replaced_is_no_proof(changed: Changed, tmp_path: Path) -> None:
    thief = SealingBox(key=changed.first)
    forged, _ = thief.visit(tmp_path, visit="forged", at=SCAN + timedelta(hours=3))
    copy_key_history(changed.keys, forged)
    for known in (changed.first.public, changed.second.public):
        assert verify_proof(forged, public_key=known).code is ProofProblem.KEY_REPLACED


def test_a_line_that_was_not_signed_by_both_keys_is_known(changed: Changed) -> None:
    (step,) = read_key_history(changed.keys).steps
    thief = BoxKey.generate()
    theirs = step.model_copy(update={"new": thief.public.text})
    agreed = b64encode(thief.sign(theirs.agreed_bytes())).decode()
    wrong = [
        forged_document(theirs.model_copy(update={"agreed": agreed}), thief),  # the box's key did not sign it
        step.signed(thief),  # it never was the box's key
        step.model_copy(update={"new": thief.public.text}),
        step.model_copy(update={"new": thief.public.text}).signed(changed.first),  # the new one never agreed
        step.model_copy(update={"box": "another"}),
    ]
    for bad in wrong:
        with pytest.raises(ValueError, match="line 1"):
            KeyHistory.parse(bad.to_json())
        (changed.after / SUCCESSION_FILE).write_bytes(bad.to_json() + b"\n")
        assert verify_proof(changed.after, public_key=changed.first.public).code is ProofProblem.SUCCESSION_WRONG
    with pytest.raises(ValueError, match="line 2"):
        KeyHistory.parse(step.to_json() + b"\n" + step.to_json())


def test_a_visit_whose_second_part_was_sealed_under_the_new_key_is_one_visit(changed: Changed, tmp_path: Path) -> None:
    changed.box.key = changed.first
    changed.box.visit(tmp_path, visit="both", at=SCAN)
    changed.box.key = BoxKey.load_or_create(changed.keys)
    both, _ = changed.box.visit(tmp_path, visit="both", at=SCAN + timedelta(hours=2), part=2)
    copy_key_history(changed.keys, both)
    for known in (changed.first.public, changed.second.public, None):
        verdict = verify_proof(both, public_key=known)
        assert verdict.ok, (verdict.problem, verdict.where)


def test_a_visit_of_before_that_is_erased_after_is_erased_by_the_same_box(changed: Changed) -> None:
    at = SCAN + timedelta(days=30)
    stone = Tombstone(
        box="box-1", visit="before", parts=(), at=at, why="request", who="owner",
    ).signed(changed.second)  # fmt: skip
    copy_key_history(changed.keys, changed.before)
    erase_folder(changed.before, stone)
    verdict = verify_proof(changed.before, public_key=changed.first.public)
    assert (verdict.ok, verdict.erased is not None) == (True, True), verdict.where
    assert {path.name for path in changed.before.iterdir()} == {"erased.json", SUCCESSION_FILE}


def test_a_second_change_follows_the_first(changed: Changed) -> None:
    prepare_key_change(changed.keys)
    prepare_key_change(changed.keys)  # whoever asked twice gets the newest
    finish_key_change(changed.keys, box="box-1", now=BETWEEN)
    line = read_key_history(changed.keys)
    assert line.keys == (changed.first.public, changed.second.public, BoxKey.load_or_create(changed.keys).public)
    assert verify_proof(changed.before, public_key=line.keys[-1], line=line).ok


# ---- cut short ------------------------------------------------------------------------------------------------------

KILLED_AT_EACH = """
import os, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from gateway.protocol.keys import BoxKey
from gateway.evidence.succession import prepare_key_change, finish_key_change
from gateway.domain.now import Now
left = None
def watch(event, said):
    global left
    writes = event == "open" and isinstance(said[2], int) and said[2] & (os.O_WRONLY | os.O_RDWR)
    if left is not None and (event in ("os.remove", "os.rename") or writes):
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(watch)
for steps in range(200):
    folder = Path(sys.argv[1]) / str(steps)
    folder.with_suffix(".old").write_text(BoxKey.load_or_create(folder).public.text)
    child = os.fork()
    if not child:
        left = steps
        prepare_key_change(folder)
        finish_key_change(folder, box="box-1", now=Now(utc=datetime(2026, 6, 1, tzinfo=UTC), trusted=True, mono=0.0))
        os._exit(0)
    if not os.WIFSIGNALED(os.waitpid(child, 0)[1]):
        break
"""


def test_killed_at_any_point_the_box_has_its_old_key_or_the_new_one_whole(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", KILLED_AT_EACH, str(tmp_path)], cwd=ROOT, check=True, timeout=120)
    tried = [path for path in tmp_path.iterdir() if path.is_dir()]
    ends: list[bool] = []
    for keys in tried:
        finish_key_change(keys, box="box-1", now=BETWEEN)  # the next start
        old, present = PublicKey.from_text(keys.with_suffix(".old").read_text()), BoxKey.load_or_create(keys).public
        line = read_key_history(keys)
        assert present in line.keys_of_same_box(old), "whoever knows the old key follows"
        assert (present == old) == (line.steps == ())
        assert PublicKey.from_pem((keys / PUBLIC_KEY_FILE).read_bytes()) == present
        assert not (keys / NEXT_MARKER_FILE).exists()
        assert not (keys / NEXT_KEY_FILE).exists()
        ends.append(present == old)
    assert ends.count(True) > 2
    assert ends.count(False) > 4


def test_no_other_key_is_prepared_while_a_change_that_stands_in_the_line_is_not_done(tmp_path: Path) -> None:
    keys = tmp_path / "key"
    old = BoxKey.load_or_create(keys)
    coming = prepare_key_change(keys)
    pem, decided = (keys / NEXT_KEY_FILE).read_bytes(), (keys / NEXT_MARKER_FILE).read_bytes()
    finish_key_change(keys, box="box-1", now=BETWEEN)
    write_whole(keys / "box.key.pem", old.pem)  # as it was when the process died behind the line's write
    write_whole(keys / NEXT_KEY_FILE, pem)
    write_whole(keys / NEXT_MARKER_FILE, decided)
    with pytest.raises(KeyUnusable, match="cut short"):
        prepare_key_change(keys)
    finish_key_change(keys, box="box-1", now=BETWEEN)
    assert (BoxKey.load_or_create(keys).public, read_key_history(keys).keys) == (coming, (old.public, coming))


def test_a_key_that_was_put_there_by_hand_in_the_middle_is_told(tmp_path: Path) -> None:
    keys = tmp_path / "key"
    BoxKey.load_or_create(keys)
    prepare_key_change(keys)
    (keys / NEXT_KEY_FILE).unlink()
    with pytest.raises(KeyUnusable, match="by hand"):
        finish_key_change(keys, box="box-1", now=BETWEEN)
