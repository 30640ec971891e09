"""kill -9 around the move: at most one withdrawal, and never one that is not on the disk."""

import random
from pathlib import Path

import pytest

from tests.gateway.integrations.lock_guard.killing import NEVER, POINTS, Round, complaints, ended, guard, rounds

pytestmark = pytest.mark.slow


async def test_a_guard_that_is_killed_at_any_point_withdraws_at_most_once(tmp_path: Path) -> None:
    found = await rounds(tmp_path, POINTS, random.Random(1))
    assert complaints(found) == []
    assert found[0] == Round("kept", 0, kept=True), "spent, and never moved"
    assert found[1] == Round("moved", 1, kept=True)


async def test_a_guard_that_cannot_begin_again_is_told_with_what_it_said(tmp_path: Path) -> None:
    child = guard(tmp_path / "guard.yaml", NEVER)  # there is no such file
    await child.wait()
    with pytest.raises(AssertionError, match=r"(?s)ended by itself with 1: .*cannot be read"):
        await ended(child, tmp_path / "guard.yaml")


def test_what_would_be_complained_of() -> None:
    assert complaints([Round("kept", 0, kept=True), Round("moved", 1, kept=True), Round("any", 0, kept=False)]) == []
    bad = [Round("moved", 2, kept=True), Round("any", 1, kept=False), Round("kept", 1, kept=True)]
    assert len(complaints(bad)) == 3
