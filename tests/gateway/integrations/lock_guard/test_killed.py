"""kill -9 around the move: at most one withdrawal, and never one that is not on the disk."""

import random
from pathlib import Path

import pytest

from tests.gateway.integrations.lock_guard.killing import (
    CRASH_POINTS,
    NO_CRASH,
    KillResult,
    end_guard,
    find_violations,
    kill_rounds,
    start_guard,
)

pytestmark = pytest.mark.slow


async def test_a_guard_that_is_killed_at_any_point_withdraws_at_most_once(tmp_path: Path) -> None:
    found = await kill_rounds(tmp_path, CRASH_POINTS, random.Random(1))
    assert find_violations(found) == []
    assert found[0] == KillResult("kept", 0, kept=True), "spent, and never moved"
    assert found[1] == KillResult("moved", 1, kept=True)


async def test_a_guard_that_cannot_begin_again_is_told_with_what_it_said(tmp_path: Path) -> None:
    child = start_guard(tmp_path / "guard.yaml", NO_CRASH)  # there is no such file
    await child.wait()
    with pytest.raises(AssertionError, match=r"(?s)ended by itself with 1: .*cannot be read"):
        await end_guard(child, tmp_path / "guard.yaml")


def test_what_would_be_complained_of() -> None:
    assert (
        find_violations(
            [KillResult("kept", 0, kept=True), KillResult("moved", 1, kept=True), KillResult("any", 0, kept=False)]
        )
        == []
    )
    bad = [KillResult("moved", 2, kept=True), KillResult("any", 1, kept=False), KillResult("kept", 1, kept=True)]
    assert len(find_violations(bad)) == 3
