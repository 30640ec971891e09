"""What a checkpoint outside the box can tell of the box's whole log."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.now import Now
from gateway.evidence.checkpoint import (
    Checkpoint,
    check_log,
    check_rollback,
    read_checkpoints,
    sign_checkpoint,
)
from gateway.evidence.verdict import ProofDefect, ProofProblem
from gateway.protocol.hash_chain import ChainEntry, ChainHead, canonical_json
from gateway.protocol.keys import BoxKey
from gateway.system.dates import utc_text
from tests.gateway.evidence.visits import SCAN, chain_entries

KEY = BoxKey.generate()
LOG = chain_entries([canonical_json({"n": n}) for n in range(8)])


def at(seq: int, log: list[ChainEntry] = LOG, *, minutes: float | None = None, trusted: bool = True) -> Checkpoint:
    """The checkpoint at entry `seq`, by default so many minutes after the scan."""
    head = ChainHead(seq=seq, hash=log[seq - 1].hash)
    utc = SCAN + timedelta(minutes=seq if minutes is None else minutes)
    return sign_checkpoint(head, box="box-1", now=Now(utc=utc, trusted=trusted, mono=0), key=KEY)


def check(
    log: list[ChainEntry], *remembered: Checkpoint, key: BoxKey = KEY, after: ChainHead | None = None
) -> tuple[ProofProblem, str] | None:
    """The first defect of a log and its place; None: there is none."""
    try:
        check_log("log", log, remembered=remembered, key=key.public, after=after)
    except ProofDefect as defect:
        return defect.problem, defect.where
    return None


def other_log(first_different: int) -> list[ChainEntry]:
    return chain_entries([canonical_json({"n": n if n + 1 < first_different else -n - 1}) for n in range(8)])


def test_a_log_that_holds_what_is_remembered_is_good() -> None:
    assert check(LOG, at(8), at(3)) is None
    assert check(LOG) is None
    assert check([]) is None


@given(st.integers(1, 8), st.integers(0, 7))
def test_a_log_that_is_shorter_than_remembered_was_cut(remembered: int, kept: int) -> None:
    place = f"log, entry {kept + 1} (remembered: entry {remembered} at {utc_text(at(remembered).at).to('en')})"
    defect = None if kept >= remembered else (ProofProblem.LOG_TRUNCATED, place)
    assert check(LOG[:kept], at(remembered)) == defect


@given(st.integers(1, 8), st.integers(1, 8))
def test_a_log_that_was_written_anew_is_noticed_from_the_first_change_on(changed: int, remembered: int) -> None:
    place = f"log, entry {remembered} (remembered: entry {remembered} at {utc_text(at(remembered).at).to('en')})"
    # What is remembered may be older than the change
    defect = None if changed > remembered else (ProofProblem.LOG_REWRITTEN, place)
    assert check(other_log(changed), at(remembered)) == defect


@pytest.mark.parametrize(
    ("log", "mismatch", "seq"),
    [
        ([*LOG[:3], replace(LOG[3], body=b"{}"), *LOG[4:]], ProofProblem.LOG_CHANGED, 4),
        ([*LOG[:3], *LOG[4:]], ProofProblem.LOG_ENTRY_MISSING, 4),
        ([*LOG[:3], LOG[4], LOG[3], *LOG[5:]], ProofProblem.LOG_OUT_OF_ORDER, 4),
        ([*LOG[:4], *LOG[3:]], ProofProblem.LOG_REPEATED, 4),
    ],
)
def test_a_broken_chain_is_named_before_anything_else(log: list[ChainEntry], mismatch: ProofProblem, seq: int) -> None:
    assert check(log, at(8)) == (mismatch, f"log, entry {seq}")


def test_a_checkpoint_of_another_key_or_changed_by_a_bit_is_foreign() -> None:
    good = at(8)
    for bad in (
        good.model_copy(update={"seq": 7}),
        good.model_copy(update={"hash": "0" * 64}),
        good.model_copy(update={"clock_trusted": False}),
        good.model_copy(update={"key": BoxKey.generate().public.text}),
        good.model_copy(update={"signature": "A" * 86 + "=="}),
    ):
        defect = check(LOG, bad)
        assert defect is not None
        assert defect[0] is ProofProblem.CHECKPOINT_FOREIGN
    assert check(LOG, good, key=BoxKey.generate()) is not None


def test_a_part_of_the_log_is_compared_with_what_is_remembered_within_it() -> None:
    after = ChainHead(seq=4, hash=LOG[3].hash)
    assert check(LOG[4:], at(2), at(4), at(6), after=after) is None
    defect = check(LOG[4:], at(6, other_log(2)), after=after)
    assert defect is not None
    assert defect[0] is ProofProblem.LOG_REWRITTEN


@pytest.mark.parametrize(
    ("own", "remembered", "mismatch"),
    [
        (at(5), at(8), None),
        (at(5), at(3), None),
        (at(5), at(5), None),
        (at(5), at(5, other_log(2)), ProofProblem.LOG_REWRITTEN),
        (at(5, minutes=90), at(8), ProofProblem.LOG_WENT_BACK),  # shorter than it was an hour ago
        (at(5, minutes=90, trusted=False), at(8), None),  # ... by a clock that nobody trusts
        (at(5, minutes=90), at(8, trusted=False), None),
    ],
)
def test_a_log_that_is_shorter_later_went_back(
    own: Checkpoint, remembered: Checkpoint, mismatch: ProofProblem | None
) -> None:
    problem = None
    try:
        check_rollback("log", own, [remembered])
    except ProofDefect as defect:
        problem = defect.problem
    assert problem is mismatch


def test_the_phones_file_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "phone.jsonl"
    path.write_bytes(b"\n".join(at(seq).to_json() for seq in (3, 1)) + b"\n\n")
    assert read_checkpoints(path) == (at(3), at(1))


def test_a_checkpoint_in_another_spelling_is_none() -> None:
    spelled = at(3).to_json()
    assert Checkpoint.from_json(spelled) == at(3)
    for other in (spelled + b" ", spelled.replace(b":3", b":3.0"), spelled[:-1] + b',"more":1}'):
        with pytest.raises(ValueError, match=r"."):
            Checkpoint.from_json(other)


def test_a_signed_checkpoint_is_no_other_signed_document() -> None:
    assert b'"kind":"perron checkpoint 1"' in at(1).signed_bytes()
    assert b"signature" not in at(1).signed_bytes()
