"""Seeded lives of a home that takes guests: nothing is filmed in a stay, whatever happens (invariant 31)."""

import traceback
from collections import Counter
from itertools import chain

import pytest

from tests.house import guests

SEEDS = 200
MUST_BE_SEEN = {
    "stay", "intent", "locked again", "sealed", "saying admitted", "refusal guest_present", "refusal revoked",
    "refusal already_used", "alarm door_forced_open", "phase ringing", "phase inside", "phase handed_to_owner",
    "outcome unknown", "outcome delivered", "release unsent", "release never entered",
}  # fmt: skip


def live(seed: int) -> Counter[str]:
    try:
        return guests.run_life(seed)
    except (AssertionError, RuntimeError, LookupError) as failure:
        where = traceback.format_exc(limit=-2)
        pytest.fail(f"seed {seed}: {failure}\n{where}", pytrace=False)


@pytest.mark.slow
def test_whatever_happens_in_a_home_with_guests_the_invariants_hold() -> None:
    seen = Counter(chain.from_iterable(live(seed) for seed in range(SEEDS)))
    too_tame = sorted(MUST_BE_SEEN - set(seen))
    assert not too_tame, f"never seen: {too_tame}"


def test_a_few_lives_with_guests_hold_in_the_inner_loop() -> None:
    for seed in range(10):
        guests.run_life(seed, steps=40)
