"""The format in docs/reference/proof-format.md: a second verifier that shares no code gives the same verdicts."""

import json
import re
import shutil
import struct
from collections.abc import Callable
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.delivery.result import Outcome
from gateway.domain.now import Now
from gateway.evidence.receipt import CourierReceipt
from gateway.evidence.retention import Tombstone, erase_folder
from gateway.evidence.route import read_route
from gateway.evidence.succession import copy_key_history, finish_key_change, prepare_key_change
from gateway.evidence.verify import verify_proof
from gateway.protocol.keys import BoxKey
from tests.foreign import proof_route
from tests.foreign import proof_verifier as foreign
from tests.gateway.evidence.visits import SCAN, VISIT, SealingBox, forge_entry
from tests.gateway.test_upgrade import BOTH, laid_out, proofs, public

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "proof-format.md"
OUTSIDE, CHAIN = "outside-1-1.mp4", "outside-1-1.jsonl"


@pytest.fixture
def box() -> SealingBox:
    return SealingBox()


def second_part(box: SealingBox, root: Path) -> Path:
    """A visit of two parts, with the courier's receipt."""
    issued = CourierReceipt(
        box="box-1", visit=VISIT, entrance="Front", carrier="Chronopost", parcels=("4711",), outcome=Outcome.DELIVERED,
        came=SCAN, left=SCAN,
    ).signed(box.key)  # fmt: skip
    folder, _ = box.visit(root, receipt=issued)
    box.visit(root, at=SCAN + timedelta(minutes=5), part=2, shade=90)
    return folder


@pytest.fixture
def visit(box: SealingBox, tmp_path: Path) -> Path:
    return second_part(box, tmp_path)


def judged(folder: Path, box: SealingBox) -> tuple[str, str]:
    """What the program's verifier and the second one say, with the box's key and what the phone remembers."""
    phone = box.phone_file(folder.parent)
    ours = verify_proof(folder, public_key=box.public, checkpoint=phone)
    try:
        foreign.verify(folder, box.public.text, phone.read_bytes())
    except foreign.WrongError as wrong:
        return ours.code or "ok", wrong.word
    return ours.code or "ok", "ok"


def rewritten(name: str, change: Callable[[bytes], bytes]) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes(change((folder / name).read_bytes()))


def flipped(at: float) -> Callable[[bytes], bytes]:
    def change(data: bytes) -> bytes:
        place = int(len(data) * at)
        return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]

    return change


TAMPERED: dict[str, Callable[[Path], object]] = {
    **{
        f"{name}, a bit at {at}": rewritten(name, flipped(at))
        for name in (
            "manifest.json",
            "manifest.sig",
            "manifest-2.json",
            "log.jsonl",
            "log-2.jsonl",
            "receipt.json",
            OUTSIDE,
            "hall-1-1.mp4",
            CHAIN,
        )
        for at in (0.0, 0.31, 0.77)
    },
    **{
        f"{name} gone": lambda folder, name=name: (folder / name).unlink()  # type: ignore[misc]  # a lambda's default
        for name in (
            "manifest.json",
            "manifest.sig",
            "manifest-2.json",
            "log.jsonl",
            "log-2.jsonl",
            "receipt.json",
            OUTSIDE,
            CHAIN,
        )
    },
    "film longer": rewritten(OUTSIDE, lambda data: data + b"more"),
    "film cut": rewritten(OUTSIDE, lambda data: data[:-700]),
    "film cut to nothing": rewritten(OUTSIDE, lambda _data: b""),
    "films exchanged": lambda folder: shutil.copy(folder / "hall-1-1.mp4", folder / OUTSIDE),
    "log cut": rewritten("log.jsonl", lambda data: b"".join(data.splitlines(keepends=True)[:-3])),
    "log cut within a line": rewritten("log.jsonl", lambda data: data[:-20]),
    "an entry taken out": rewritten("log.jsonl", lambda data: _lines(data, lambda all_: all_[:3] + all_[4:])),
    "an entry twice": rewritten("log.jsonl", lambda data: _lines(data, lambda all_: [*all_[:3], all_[2], *all_[3:]])),
    "entries linked anew": lambda folder: (folder / "log.jsonl").write_bytes(
        forge_entry(folder, 3, {"what": "nothing"})
    ),
    "a blank in the manifest": rewritten("manifest.json", lambda data: data[:-1] + b" }"),
    "a key twice": rewritten("manifest.json", lambda data: data[:-1] + b',"part":1}'),
    "part 2 as part 1": lambda folder: [
        shutil.copy(folder / f"{stem}-2.{suffix}", folder / f"{stem}.{suffix}")
        for stem, suffix in (("manifest", "json"), ("manifest", "sig"), ("log", "jsonl"))
    ],
    "a link for a film": lambda folder: _linked(folder / OUTSIDE, folder.parent / "real"),
    "a tombstone of nothing": lambda folder: (folder / "erased.json").write_bytes(b"{}"),
    "a line of keys of nothing": lambda folder: (folder / "succession.jsonl").write_bytes(b"{}\n"),
}


def _linked(file: Path, to: Path) -> None:
    file.rename(to)
    file.symlink_to(to)


def _lines(data: bytes, change: Callable[[list[bytes]], list[bytes]]) -> bytes:
    return b"".join(change(data.splitlines(keepends=True)))


def test_a_genuine_proof_is_good_for_both(visit: Path, box: SealingBox) -> None:
    assert judged(visit, box) == ("ok", "ok")
    foreign.verify(visit)  # agrees with itself
    assert judged(visit, SealingBox(key=box.key, phone=box.phone[:1])) == ("ok", "ok")


@pytest.mark.parametrize("how", TAMPERED)
def test_a_proof_that_was_tampered_with_is_wrong_for_both(visit: Path, box: SealingBox, how: str) -> None:
    TAMPERED[how](visit)
    ours, theirs = judged(visit, box)
    assert "ok" not in (ours, theirs)
    kinds = {word.partition("_")[0] for word in (ours, theirs)}
    assert ours == theirs or kinds in ({"log"}, {"film"}, {"signature", "manifest"}, {"manifest", "part"}), (
        ours,
        theirs,
    )


def test_another_boxs_key_and_another_boxs_checkpoints_are_refused_by_both(
    visit: Path, box: SealingBox, tmp_path: Path
) -> None:
    other = SealingBox()
    (tmp_path / "others").mkdir()
    second_part(other, tmp_path / "others")
    assert judged(visit, SealingBox(key=other.key)) == ("foreign_key", "foreign_key")
    assert judged(visit, SealingBox(key=box.key, phone=other.phone)) == ("checkpoint_foreign", "checkpoint_foreign")


def test_a_part_that_was_cut_off_and_a_log_that_went_back_are_told_by_the_phones_checkpoints(
    visit: Path, box: SealingBox, tmp_path: Path
) -> None:
    for name in ("manifest-2.json", "manifest-2.sig", "log-2.jsonl"):
        (visit / name).unlink()
    assert judged(visit, box) == ("part_missing", "part_missing")
    ahead = SealingBox(key=box.key, log=list(box.log))
    (tmp_path / "ahead").mkdir()
    ahead.visit(tmp_path / "ahead", visit="later")
    rolled_back = SealingBox(key=box.key, log=box.log[:1], phone=ahead.phone)
    (tmp_path / "back").mkdir()
    folder, _ = rolled_back.visit(tmp_path / "back", visit="anew", at=SCAN + timedelta(days=1))
    ours, theirs = judged(folder, rolled_back)
    assert (ours, theirs) == ("log_went_back", "log_went_back")


@pytest.mark.parametrize("why", ["request", "retention"])
def test_an_erased_visit_is_good_for_both_and_another_visits_tombstone_for_neither(
    box: SealingBox, tmp_path: Path, why: str
) -> None:
    folder, part = box.visit(tmp_path)
    other, _ = box.visit(tmp_path, visit="other", at=SCAN + timedelta(hours=1))
    stone = Tombstone(
        box="box-1", visit=VISIT, parts=(part,), at=SCAN, why=why, who="owner"  # type: ignore[arg-type]  # one of two words
    ).signed(box.key)  # fmt: skip
    erase_folder(folder, stone)
    assert judged(folder, box) == ("ok", "ok")
    (folder / "left.mp4").write_bytes(b"a film")
    assert judged(folder, box) == ("erasure_unfinished", "erasure_unfinished")
    for path in other.iterdir():
        if why == "request" or path.suffix == ".mp4" or path.stem.endswith("-1-1"):
            path.unlink()
    shutil.copy(folder / "erased.json", other)
    assert judged(other, box) == ("tombstone_wrong", "tombstone_wrong")


def test_keys_that_follow_each_other_are_one_box_for_both(tmp_path: Path) -> None:
    keys = tmp_path / "key"
    box = SealingBox(key=BoxKey.load_or_create(keys))
    old = box.public
    before, _ = box.visit(tmp_path)
    prepare_key_change(keys)
    finish_key_change(keys, box="box-1", now=Now(utc=SCAN + timedelta(hours=1), trusted=True, mono=0))
    box.key = BoxKey.load(keys)
    after, _ = box.visit(tmp_path, visit="after", at=SCAN + timedelta(hours=2))
    copy_key_history(keys, after)
    for known in (old, box.public):
        foreign.verify(after, known.text, box.phone_file(tmp_path).read_bytes())
        assert verify_proof(after, public_key=known, checkpoint=box.phone_file(tmp_path)).ok
    with pytest.raises(foreign.WrongError, match="foreign_key"):
        foreign.verify(before, box.public.text)  # nothing in that folder ties the two
    (after / "succession.jsonl").write_bytes((after / "succession.jsonl").read_bytes()[:-10] + b'=="}\n')
    with pytest.raises(foreign.WrongError, match="succession_wrong"):
        foreign.verify(after, old.text)


@BOTH
def test_proofs_of_earlier_releases_are_good_for_both(tmp_path: Path, kept: Path) -> None:
    folder = laid_out(kept, tmp_path / "box")
    (proof,) = proofs(folder).values()
    assert verify_proof(proof, public_key=public(folder)).ok
    foreign.verify(proof, public(folder).text)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text()
        | st.floats(allow_nan=False, allow_infinity=False),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8,
    )
)  # fmt: skip
def test_both_write_any_value_as_the_same_canonical_json(value: object) -> None:
    assert foreign.canonical(value).encode() == rfc8785.dumps(value)  # type: ignore[arg-type]  # JSON by its making


def test_the_worked_example_of_the_page_is_true() -> None:
    text = PAGE.read_text(encoding="utf-8").partition("## A worked example")[2]
    key, body, first, second, point, one, two = re.findall(r"^    (.+)$", text, re.MULTILINE)
    digest = sha256(b'{"kind":"start"}').digest()
    assert digest.hex() == body
    assert foreign.link(bytes(32), 1, digest).hex() == first
    assert foreign.link(bytes.fromhex(first), 2, b"\x22" * 32).hex() == second
    assert sha256(b"perron log 1\0" + bytes(32) + struct.pack(">Q", 1) + digest).hexdigest() == first
    told = foreign.read_canonical(point.encode(), foreign.CHECKPOINT)
    assert foreign.is_signed_by(told, frozenset({key}))
    assert (told["seq"], told["hash"]) == (2, second)
    head = sha256(bytes(32) + sha256(b"header").digest())
    assert head.hexdigest() == one
    assert sha256(head.digest() + sha256(b"picture").digest()).hexdigest() == two


def test_the_pages_example_of_a_way_in_is_true_for_both() -> None:
    text = PAGE.read_text(encoding="utf-8").partition("### An example")[2].partition("\n## ")[0]
    *rows, told = [json.loads(line) for line in re.findall(r"^    (.+)$", text, re.MULTILINE)]
    assert (
        read_route(rows).account.model_dump(mode="json", exclude={"ages", "collected", "cold_chain", "permits"}) == told
    )
    assert proof_route.first_wrong({**told, "part": 1}, rows) is None
    assert proof_route.first_wrong({**told, "part": 1}, rows[:-1]) == ("route_differs", "route")


def test_the_pages_table_of_kinds_is_that_of_the_second_verifier() -> None:
    text = PAGE.read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| ((?:`\w+` `\w+`(?:, )?)+) \|", text, re.MULTILINE))
    told = {kind: dict(re.findall(r"`(\w+)` `(\w+)`", row)) for kind, row in rows.items()}
    kinds = proof_route.KINDS
    assert told == {name: {role: min(values) for role, values in kind.needs.items()} for name, kind in kinds.items()}


def test_the_page_names_every_problem_that_a_verification_of_a_folder_finds() -> None:
    from gateway.evidence.verdict import ProofProblem  # noqa: PLC0415 - only here

    page = PAGE.read_text(encoding="utf-8")
    assert {problem for problem in ProofProblem if f"`{problem}`" not in page} <= {ProofProblem.CHECKPOINT_UNREADABLE}


def test_the_second_verifier_imports_nothing_of_the_program() -> None:
    source = (Path(foreign.__file__)).read_text(encoding="utf-8")
    imported = set(re.findall(r"^(?:from|import) (\w+)", source, re.MULTILINE))
    assert not imported & {"gateway", "devices", "tests", "rfc8785", "pydantic"}
