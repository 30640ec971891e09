"""Whatever is done to a sealed visit, the first wrong thing is named, and where it is."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from gateway.evidence.film import read_links
from gateway.evidence.verdict import ProofProblem, VerificationResult
from gateway.evidence.verify import verify_proof
from gateway.protocol.hash_chain import canonical_json
from gateway.protocol.keys import BoxKey
from tests.gateway.evidence.visits import (
    FILM_S,
    FRAMES_PER_S,
    SCAN,
    VISIT,
    SealingBox,
    chain_entries,
    forge_entry,
    log_lines,
)

OUTSIDE, HALL = "outside-1-1.mp4", "hall-1-1.mp4"


@pytest.fixture
def box() -> SealingBox:
    box = SealingBox()
    box.say("before everything")
    return box


@pytest.fixture
def visit(box: SealingBox, tmp_path: Path) -> Path:
    folder, _ = box.visit(tmp_path)
    return folder


def flips(data: bytes, step: int) -> Iterator[tuple[int, bytes]]:
    """The same bytes with one of them changed, at every `step`th place."""
    for at in range(0, len(data), step):
        yield at, data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def judge(folder: Path, box: SealingBox, *, phone: bool = True) -> VerificationResult:
    """Verify with the box's key and, if asked, with what the phone remembers."""
    return verify_proof(folder, public_key=box.public, checkpoint=box.phone_file(folder.parent) if phone else None)


def resign(folder: Path, key: BoxKey, **change: object) -> None:
    """What somebody who holds a key can do: change the manifest and sign it."""
    manifest = json.loads((folder / "manifest.json").read_bytes()) | change
    data = canonical_json(manifest | {"key": key.public.text})
    (folder / "manifest.json").write_bytes(data)
    (folder / "manifest.sig").write_bytes(key.sign(data))


def test_every_problem_has_its_words_and_a_remedy() -> None:
    assert all(problem.text.to("fr") and problem.remedy.to("fr") for problem in ProofProblem)


def test_an_untouched_visit_is_good_and_says_what_happened(visit: Path, box: SealingBox) -> None:
    verdict = judge(visit, box)
    assert verdict.ok
    assert (verdict.problem, verdict.where, verdict.remedies, verdict.notes) == (None, None, (), ())
    assert verdict.fingerprint == box.public.fingerprint
    (part,) = (part.manifest for part in verdict.parts)
    assert part.delivery is not None
    assert (part.visit, part.part, part.delivery.brand, part.delivery.carrier) == (VISIT, 1, "Cdiscount", "Chronopost")
    assert (len(part.clips), len(part.decisions), part.declared_gaps) == (2, 6, ())
    assert (part.outcome, part.house) == ("delivered", "locked_again")


def test_without_a_key_to_compare_with_the_verdict_says_so(visit: Path) -> None:
    verdict = verify_proof(visit)
    assert verdict.ok
    assert any("no key" in note for note in verdict.notes)
    assert any("no checkpoint" in note for note in verdict.notes)


# ---- one byte --------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "step", "problems"),
    [
        ("manifest.json", 41, {ProofProblem.SIGNATURE_WRONG}),
        ("manifest.sig", 7, {ProofProblem.SIGNATURE_WRONG}),
        (
            "log.jsonl",
            29,
            {
                ProofProblem.LOG_CHANGED,
                ProofProblem.LOG_ENTRY_MISSING,
                ProofProblem.LOG_REPEATED,
                ProofProblem.LOG_TRUNCATED,
                ProofProblem.LOG_OUT_OF_ORDER,
            },
        ),
        ("outside-1-1.jsonl", 67, {ProofProblem.CHAIN_CHANGED}),
        (OUTSIDE, 151, {ProofProblem.FILM_CHANGED}),
        (HALL, 1009, {ProofProblem.FILM_CHANGED}),
    ],
)
def test_a_changed_byte_is_found_in_its_file(
    visit: Path, box: SealingBox, name: str, step: int, problems: set[ProofProblem]
) -> None:
    whole = (visit / name).read_bytes()
    for at, changed in flips(whole, step):
        (visit / name).write_bytes(changed)
        verdict = judge(visit, box)
        assert verdict.code in problems, (at, verdict)
        assert verdict.where is not None
        assert Path(name).stem in verdict.where, (at, verdict)
        assert verdict.remedies


def test_the_changed_second_of_a_film_is_told(visit: Path, box: SealingBox) -> None:
    film = visit / OUTSIDE
    whole = film.read_bytes()
    links = [json.loads(line) for line in (visit / "outside-1-1.jsonl").read_bytes().splitlines()]
    ends = [line["end_byte"] for line in links if line["kind"] == "link"]
    pictures = ends[:-1]  # the last is the index
    for fragment in range(1, len(pictures)):
        at = (ends[fragment - 1] + ends[fragment]) // 2
        film.write_bytes(whole[:at] + bytes([whole[at] ^ 0x10]) + whole[at + 1 :])
        where = judge(visit, box).where or ""
        told = float(where.split("second ")[1].split()[0])
        assert f"fragment {fragment}," in where
        assert abs(told - (fragment - 1) * FILM_S / (len(pictures) - 1)) <= 4 / FRAMES_PER_S, where


def test_a_changed_entry_of_the_log_is_told_by_its_number(visit: Path, box: SealingBox) -> None:
    lines = log_lines(visit)
    for place in range(1, len(lines) - 1):
        told = json.loads(lines[place])
        kept = "body" if "body" in told else "hidden"
        told[kept] = {"what": "nothing"} if kept == "body" else "0" * 64
        changed = canonical_json(told) + b"\n"
        (visit / "log.jsonl").write_bytes(b"".join([*lines[:place], changed, *lines[place + 1 :]]))
        verdict = judge(visit, box)
        assert (verdict.code, verdict.where) == (ProofProblem.LOG_CHANGED, f"log.jsonl, entry {told['seq']}")


# ---- the log ---------------------------------------------------------------------------------------------------------

Lines = list[bytes]


@pytest.mark.parametrize(
    ("tamper", "problem", "where"),
    [
        (lambda lines: [*lines[:3], *lines[4:]], ProofProblem.LOG_ENTRY_MISSING, "entry 4"),
        (lambda lines: [lines[0], *lines[2:]], ProofProblem.LOG_ENTRY_MISSING, "entry 2"),
        (lambda lines: [*lines[:3], lines[4], lines[3], *lines[5:]], ProofProblem.LOG_OUT_OF_ORDER, "entry 4"),
        (lambda lines: [*lines[:4], lines[3], *lines[4:]], ProofProblem.LOG_REPEATED, "entry 4"),
        (lambda lines: lines[:5], ProofProblem.LOG_TRUNCATED, "ends after entry 5"),
        (lambda lines: [*lines[:5], lines[-1]], ProofProblem.LOG_TRUNCATED, "ends after entry 5"),
        (lambda lines: [*lines[:5], lines[5][:-9]], ProofProblem.LOG_TRUNCATED, "within line 6"),
        (lambda lines: lines[:-1], ProofProblem.LOG_TRUNCATED, "checkpoint"),
        (lambda lines: lines[1:], ProofProblem.LOG_CHANGED, "line 1"),
        (lambda _: [], ProofProblem.LOG_CHANGED, "line 1"),
        (lambda lines: [*lines, b"\n"], ProofProblem.LOG_CHANGED, "line"),
        (lambda lines: [line.replace(b":", b": ") for line in lines], ProofProblem.LOG_CHANGED, "line 1"),
    ],
)
def test_a_tampered_log_is_named(
    visit: Path, box: SealingBox, tamper: Callable[[Lines], Lines], problem: ProofProblem, where: str
) -> None:
    (visit / "log.jsonl").write_bytes(b"".join(tamper(log_lines(visit))))
    verdict = judge(visit, box)
    assert verdict.code is problem
    assert where in (verdict.where or "")


def test_a_log_whose_chain_was_made_anew_is_still_not_the_sealed_one(visit: Path, box: SealingBox) -> None:
    (visit / "log.jsonl").write_bytes(forge_entry(visit, 4, {"what": "nothing at all"}))
    verdict = judge(visit, box, phone=False)
    assert (verdict.code, verdict.where) == (ProofProblem.LOG_CHANGED, "log.jsonl, entry 4")


def test_an_entry_that_was_hidden_afterwards_is_named(visit: Path, box: SealingBox) -> None:
    lines = log_lines(visit)
    told = json.loads(lines[3])
    digest = sha256(canonical_json(told["body"])).hexdigest()
    hidden = {"seq": told["seq"], "hash": told["hash"], "hidden": digest}
    lines[3] = canonical_json(hidden) + b"\n"
    (visit / "log.jsonl").write_bytes(b"".join(lines))
    verdict = judge(visit, box)
    assert verdict.code is ProofProblem.LOG_CHANGED
    assert verdict.where == "log.jsonl, entry 4: what it said was taken out"


def test_another_true_checkpoint_of_the_same_end_is_still_not_what_was_sealed(visit: Path, box: SealingBox) -> None:
    lines = log_lines(visit)
    (visit / "log.jsonl").write_bytes(b"".join(lines[:-1]) + b'{"checkpoint":' + box.phone[0].to_json() + b"}\n")
    verdict = judge(visit, box)
    assert (verdict.code, verdict.where) == (ProofProblem.LOG_CHANGED, "log.jsonl, outside its entries")


def test_the_log_of_another_visit_is_not_this_ones(visit: Path, box: SealingBox, tmp_path: Path) -> None:
    other, _ = box.visit(tmp_path, visit="other", at=SCAN + timedelta(hours=1))
    shutil.copy(other / "log.jsonl", visit / "log.jsonl")
    assert judge(visit, box).code is ProofProblem.LOG_CHANGED


# ---- what is remembered outside the box ------------------------------------------------------------------------------


def test_a_log_that_was_rolled_back_and_went_on_is_noticed_by_what_the_phone_remembers(
    visit: Path, box: SealingBox, tmp_path: Path
) -> None:
    del visit
    restored = list(box.log)  # the owner's backup, put back by somebody
    box.visit(tmp_path, visit="forgotten", at=SCAN + timedelta(hours=1))
    box.visit(tmp_path, visit="forgotten-too", at=SCAN + timedelta(hours=2))
    phone = list(box.phone)
    box.log = restored
    later, _ = box.visit(tmp_path, visit="later", at=SCAN + timedelta(hours=3))
    assert judge(later, box, phone=False).ok
    box.phone = phone[:1] + phone[2:]
    verdict = judge(later, box)
    assert verdict.code is ProofProblem.LOG_WENT_BACK
    assert "remembered: entry" in (verdict.where or "")


def test_a_log_that_says_something_else_than_the_phone_remembers_was_rewritten(box: SealingBox, tmp_path: Path) -> None:
    folder, _ = box.visit(tmp_path)
    box.log = chain_entries([canonical_json({"n": 0})])
    shutil.rmtree(folder)
    again, _ = box.visit(tmp_path, at=SCAN)
    box.phone = box.phone[:1]
    forged = box.phone[0].model_copy(update={"sealed": None})
    assert judge(again, box).code is ProofProblem.LOG_REWRITTEN
    box.phone = [forged]  # its signature no longer fits
    assert judge(again, box).code is ProofProblem.CHECKPOINT_FOREIGN


def test_a_visit_sealed_again_with_the_boxs_key_is_not_the_one_the_phone_remembers(
    visit: Path, box: SealingBox
) -> None:
    resign(visit, box.key, outcome="not_delivered")
    assert judge(visit, box, phone=False).ok  # the key was stolen: only the phone knows
    verdict = judge(visit, box)
    assert verdict.code is ProofProblem.MANIFEST_REPLACED
    assert "manifest.json" in (verdict.where or "")


def test_an_older_copy_of_the_folder_lacks_a_part_that_the_phone_remembers(
    visit: Path, box: SealingBox, tmp_path: Path
) -> None:
    old = tmp_path / "old" / VISIT
    shutil.copytree(visit, old)
    box.visit(tmp_path, at=SCAN + timedelta(minutes=5), part=2)
    assert judge(visit, box).ok
    verdict = judge(old, box)
    assert verdict.code is ProofProblem.PART_MISSING
    assert "part 2" in (verdict.where or "")


def test_another_visit_s_whole_proof_under_the_name_of_one_that_the_phone_remembers_is_not_its_proof(
    visit: Path, box: SealingBox, tmp_path: Path
) -> None:
    other, _ = box.visit(tmp_path, visit="visit-2", at=SCAN + timedelta(hours=1))
    shutil.rmtree(visit)
    shutil.copytree(other, visit)
    assert judge(other, box).ok
    verdict = judge(visit, box)
    assert verdict.code is ProofProblem.PART_FOREIGN
    assert VISIT in (verdict.where or "")


@pytest.mark.parametrize("content", [b"no checkpoint\n", b"{}\n", b'{"kind":"perron checkpoint 1"}', b"[" * 9999])
def test_a_phones_file_that_cannot_be_read_is_named_with_its_line(visit: Path, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "phone.jsonl"
    path.write_bytes(b"\n" + content)
    verdict = verify_proof(visit, checkpoint=path)
    assert verdict.code is ProofProblem.CHECKPOINT_UNREADABLE
    assert "phone.jsonl, line 2" in (verdict.where or "")


def test_another_boxs_checkpoints_say_nothing_good(visit: Path, box: SealingBox, tmp_path: Path) -> None:
    other = SealingBox()
    (tmp_path / "elsewhere").mkdir()
    other.visit(tmp_path / "elsewhere")
    verdict = verify_proof(visit, public_key=box.public, checkpoint=other.phone_file(tmp_path))
    assert verdict.code is ProofProblem.CHECKPOINT_FOREIGN


# ---- manifest and key ------------------------------------------------------------------------------------------------


def test_an_unsigned_manifest_proves_nothing(visit: Path, box: SealingBox) -> None:
    (visit / "manifest.sig").write_bytes(b"")
    assert judge(visit, box).code is ProofProblem.UNSIGNED
    (visit / "manifest.sig").unlink()
    assert judge(visit, box).code is ProofProblem.UNSIGNED


def test_a_manifest_that_another_box_signed_is_foreign(visit: Path, box: SealingBox) -> None:
    thief = BoxKey.generate()
    resign(visit, thief)
    verdict = judge(visit, box, phone=False)
    assert verdict.code is ProofProblem.FOREIGN_KEY
    assert thief.public.fingerprint in (verdict.where or "")
    # Even without a key: the log's checkpoint is not the thief's
    assert verify_proof(visit).code is ProofProblem.LOG_CHANGED
    assert verify_proof(visit, checkpoint=box.phone_file(visit.parent)).code is not None


def test_a_manifest_with_the_name_of_our_key_and_another_signature_is_changed(visit: Path, box: SealingBox) -> None:
    (visit / "manifest.sig").write_bytes(BoxKey.generate().sign((visit / "manifest.json").read_bytes()))
    assert judge(visit, box).code is ProofProblem.SIGNATURE_WRONG


@pytest.mark.parametrize(
    "change",
    [
        {"version": 0},
        {"kind": "something else"},
        {"unknown": True},
        {"part": 0},
        {"previous_sha256": "0" * 64},
        {"film": {"start": "2026-06-01T12:00:00Z", "end": "2026-06-01T11:00:00Z"}},
    ],
    ids=str,
)
def test_a_signed_manifest_that_this_program_does_not_know_is_not_guessed_at(
    visit: Path, box: SealingBox, change: dict[str, object]
) -> None:
    resign(visit, box.key, **change)
    assert judge(visit, box).code is ProofProblem.MANIFEST_MALFORMED


def test_a_manifest_in_another_spelling_is_refused(visit: Path, box: SealingBox) -> None:
    data = (visit / "manifest.json").read_bytes() + b"\n"
    (visit / "manifest.json").write_bytes(data)
    (visit / "manifest.sig").write_bytes(box.key.sign(data))
    verdict = judge(visit, box)
    assert (verdict.code, verdict.where) == (ProofProblem.MANIFEST_MALFORMED, "manifest.json is not a manifest")


def test_a_folder_without_a_proof_is_none_and_is_named_also_where_one_stands_in_it(
    tmp_path: Path, box: SealingBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert judge(tmp_path, box, phone=False).code is ProofProblem.NO_PROOF
    assert verify_proof(tmp_path / "nowhere").code is ProofProblem.NO_PROOF
    monkeypatch.chdir(tmp_path)
    assert verify_proof(Path()).where == f"no manifest.json in {tmp_path.name}"


# ---- parts -----------------------------------------------------------------------------------------------------------


def test_each_part_names_the_one_before_it(visit: Path, box: SealingBox, tmp_path: Path) -> None:
    for part in (2, 3):
        box.visit(tmp_path, at=SCAN + timedelta(minutes=5 * part), part=part)
    verdict = judge(visit, box)
    assert verdict.ok
    assert [part.manifest.part for part in verdict.parts] == [1, 2, 3]
    for name in ("manifest-2.json", "manifest-2.sig", "log-2.jsonl"):
        (visit / name).rename(visit / f"{name}.away")
    verdict = judge(visit, box, phone=False)
    assert (verdict.code, verdict.where) == (ProofProblem.PART_MISSING, "manifest-2.json is not there")
    assert [part.manifest.part for part in verdict.parts] == [1]


def test_a_part_of_another_visit_does_not_belong(visit: Path, box: SealingBox, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    other, _ = box.visit(tmp_path / "elsewhere", visit="other")
    box.visit(tmp_path / "elsewhere", visit="other", at=SCAN + timedelta(minutes=5), part=2)
    for path in other.glob("*-2*"):
        shutil.copy(path, visit)
    verdict = judge(visit, box, phone=False)
    assert verdict.code is ProofProblem.PART_FOREIGN


def test_a_part_that_names_another_first_part_does_not_belong(visit: Path, box: SealingBox, tmp_path: Path) -> None:
    box.visit(tmp_path, at=SCAN + timedelta(minutes=5), part=2)
    resign(visit, box.key, outcome="not_delivered")
    verdict = judge(visit, box, phone=False)
    assert verdict.code is ProofProblem.PART_FOREIGN
    assert "another manifest.json" in (verdict.where or "")


def test_a_manifest_under_another_parts_name_is_named(visit: Path, box: SealingBox) -> None:
    for suffix in ("json", "sig"):
        shutil.copy(visit / f"manifest.{suffix}", visit / f"manifest-2.{suffix}")
    verdict = judge(visit, box, phone=False)
    assert (verdict.code, verdict.where) == (ProofProblem.PART_FOREIGN, "manifest-2.json says that it is part 1")


# ---- films -----------------------------------------------------------------------------------------------------------


def test_a_missing_film_is_named_with_its_camera_and_time(visit: Path, box: SealingBox) -> None:
    (visit / HALL).unlink()
    verdict = judge(visit, box)
    assert verdict.code is ProofProblem.FILM_MISSING
    assert verdict.where == f"{HALL} (hall, 12:00:00 to 12:00:06 UTC)"


@pytest.mark.parametrize("kept", [0.9, 0.5, 0.1, 0])
def test_a_film_whose_end_is_missing_is_named_with_the_second(visit: Path, box: SealingBox, kept: float) -> None:
    data = (visit / OUTSIDE).read_bytes()
    (visit / OUTSIDE).write_bytes(data[: int(len(data) * kept)])
    verdict = judge(visit, box)
    assert verdict.code is ProofProblem.FILM_CUT
    assert OUTSIDE in (verdict.where or "")
    assert kept < 0.5 or "second" in (verdict.where or "")


@pytest.mark.parametrize("kept", [0, 5])
def test_a_film_that_was_cut_between_two_fragments_is_said_to_lack_all_from_there_on(
    visit: Path, box: SealingBox, kept: int
) -> None:
    ends = [0, *(link.end_byte for link in read_links((visit / OUTSIDE).with_suffix(".jsonl").read_bytes()).links)]
    os.truncate(visit / OUTSIDE, ends[kept])
    verdict = judge(visit, box)
    assert verdict.code is ProofProblem.FILM_CUT
    assert (verdict.where or "").endswith(f", all from byte {ends[kept]} on")


def test_what_was_added_after_a_film_is_named(visit: Path, box: SealingBox) -> None:
    size = (visit / OUTSIDE).stat().st_size
    with (visit / OUTSIDE).open("ab") as file:
        file.write(b"more")
    verdict = judge(visit, box)
    assert verdict.code is ProofProblem.FILM_LONGER
    assert verdict.where == f"{OUTSIDE}, bytes {size} to {size + 3}"


def test_an_older_boxs_film_whose_last_fragment_has_no_link_is_whole(visit: Path, box: SealingBox) -> None:
    """The video process was killed between the fragment and its line, and the box sealed both as they were."""
    sidecar = visit / OUTSIDE.replace(".mp4", ".jsonl")
    lines = sidecar.read_bytes().splitlines(keepends=True)
    *_, last = (place for place, line in enumerate(lines) if b'"kind":"link"' in line)
    del lines[last]
    sidecar.write_bytes(b"".join(lines))
    manifest = json.loads((visit / "manifest.json").read_bytes())
    for clip in manifest["clips"]:
        if clip["file"] == OUTSIDE:
            clip["sidecar_sha256"] = sha256(sidecar.read_bytes()).hexdigest()
    data = canonical_json(manifest)
    (visit / "manifest.json").write_bytes(data)
    (visit / "manifest.sig").write_bytes(box.key.sign(data))
    assert verify_proof(visit, public_key=box.public).ok
    with (visit / OUTSIDE).open("ab") as file:
        file.write(b"more")
    assert verify_proof(visit, public_key=box.public).code is ProofProblem.FILM_LONGER


@pytest.mark.parametrize("with_chains", [False, True])
def test_two_visits_with_their_films_swapped_are_both_named(
    visit: Path, box: SealingBox, tmp_path: Path, *, with_chains: bool
) -> None:
    other, _ = box.visit(tmp_path, visit="other", at=SCAN + timedelta(hours=1), shade=120)
    names = [OUTSIDE, OUTSIDE.replace(".mp4", ".jsonl")] if with_chains else [OUTSIDE]
    for name in names:
        (visit / name).rename(tmp_path / "aside")
        (other / name).rename(visit / name)
        (tmp_path / "aside").rename(other / name)
    for folder in (visit, other):
        verdict = judge(folder, box)
        assert verdict.code is ProofProblem.FILM_SWAPPED
        assert OUTSIDE in (verdict.where or "")


def test_two_cameras_of_one_visit_swapped_are_named(visit: Path, box: SealingBox) -> None:
    (visit / OUTSIDE).rename(visit / "aside")
    (visit / HALL).rename(visit / OUTSIDE)
    (visit / "aside").rename(visit / HALL)
    assert judge(visit, box).code is ProofProblem.FILM_SWAPPED


def test_a_film_with_its_chain_made_anew_is_named_though_no_longer_placed(visit: Path, box: SealingBox) -> None:
    data = (visit / OUTSIDE).read_bytes()
    (visit / OUTSIDE).write_bytes(data[:3000] + b"!" + data[3001:])
    sidecar = visit / "outside-1-1.jsonl"
    sidecar.write_bytes(sidecar.read_bytes()[:-20])
    verdict = judge(visit, box)
    assert verdict.code is ProofProblem.FILM_CHANGED
    assert "cannot be told" in (verdict.where or "")


def test_a_missing_chain_is_named(visit: Path, box: SealingBox) -> None:
    (visit / "hall-1-1.jsonl").unlink()
    verdict = judge(visit, box)
    assert (verdict.code, verdict.where) == (ProofProblem.CHAIN_MISSING, "hall-1-1.jsonl is not there")


def test_a_camera_whose_film_lacks_without_a_declared_gap_is_named(visit: Path, box: SealingBox) -> None:
    manifest = json.loads((visit / "manifest.json").read_bytes())
    resign(visit, box.key, clips=[clip for clip in manifest["clips"] if clip["camera"] == "outside"])
    verdict = judge(visit, box, phone=False)
    assert verdict.code is ProofProblem.HOLE_UNDECLARED
    assert verdict.where == "hall, 12:00:00 to 12:00:06 UTC"


def test_a_film_that_nothing_names_is_noted(visit: Path, box: SealingBox) -> None:
    (visit / "outside-9-1.mp4").write_bytes(b"")
    assert judge(visit, box).notes == ("'outside-9-1.mp4' is a film that no manifest names",)


# ---- hostile folders -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["../outside.mp4", "/etc/passwd", "..", ".", "a/b.mp4", "", ".hidden", "a\\..\\b", "a\0b", "a\nb", "x" * 200, "ä"],
)
@pytest.mark.parametrize("field", ["file", "sidecar"])
def test_a_hostile_name_in_a_signed_manifest_is_refused_unread(
    visit: Path, box: SealingBox, name: str, field: str
) -> None:
    manifest = json.loads((visit / "manifest.json").read_bytes())
    manifest["clips"][0][field] = name
    resign(visit, box.key, clips=manifest["clips"])
    assert judge(visit, box).code is ProofProblem.MANIFEST_MALFORMED


@pytest.mark.parametrize(
    "name", ["manifest.json", "manifest.sig", "log.jsonl", OUTSIDE, "outside-1-1.jsonl", "erased.json"]
)
@pytest.mark.parametrize("kind", ["link", "dangling", "folder"])
def test_a_link_or_a_folder_in_a_files_place_is_never_followed(
    visit: Path, box: SealingBox, name: str, kind: str
) -> None:
    path = visit / name
    if path.exists():
        path.rename(visit.parent / "real")
    match kind:
        case "link":
            path.symlink_to(visit.parent / "real")
        case "dangling":
            path.symlink_to(visit.parent / "nowhere")
        case _:
            path.mkdir()
    verdict = judge(visit, box)
    assert verdict.code is (ProofProblem.TOMBSTONE_WRONG if name == "erased.json" else ProofProblem.NOT_PLAIN)
    assert name in (verdict.where or "")


def test_a_file_twice_in_a_manifest_is_refused(visit: Path, box: SealingBox) -> None:
    clip = json.loads((visit / "manifest.json").read_bytes())["clips"][0]
    resign(visit, box.key, clips=[clip, clip])
    assert judge(visit, box).code is ProofProblem.MANIFEST_MALFORMED


@pytest.mark.slow
def test_no_byte_of_a_sealed_visit_can_be_changed(visit: Path, box: SealingBox) -> None:
    for path in sorted(visit.iterdir()):
        whole = path.read_bytes()
        for at, changed in flips(whole, 997 if path.suffix == ".mp4" else 3):
            path.write_bytes(changed)
            assert not verify_proof(visit, public_key=box.public).ok, (path.name, at)
        path.write_bytes(whole)
    assert judge(visit, box).ok
