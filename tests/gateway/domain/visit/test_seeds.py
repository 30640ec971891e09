"""Two thousand seeded lives of a house on virtual time.

`PERRON_SEEDS=5000:9000` runs others (a soak). A seed that fails is told with the command that replays it.
"""

import os
import traceback
from collections import Counter

import pytest

from gateway.domain.delivery.result import Outcome, Refusal
from gateway.domain.visit.commands import AlarmCode, Notification
from gateway.domain.visit.state import LockRequestResult, Phase
from tests.house import life
from tests.house.faults import CRASH_POINTS

SEEDS, CHUNKS = 2000, 4
ENOUGH_TO_SEE_EVERYTHING = SEEDS // CHUNKS

MUST_BE_SEEN = {
    "phase ready",
    *(f"phase {phase}" for phase in Phase),
    *(f"refusal {refusal}" for refusal in Refusal),
    *(f"outcome {outcome}" for outcome in Outcome if outcome is not Outcome.REFUSED),  # a refusal is no result
    *(f"alarm {code}" for code in AlarmCode),
    *(
        f"saying {saying}"
        for saying in Notification
        if saying
        not in (
            Notification.BRAND_ASKS,
            Notification.NEW_KEY,
            Notification.PASSWORD_RESET,
            Notification.SET_ASIDE,
            Notification.STORE_IN_DOUBT,
        )
    ),  # others say
    *(f"lockup_{result}" for result in LockRequestResult),
    *(f"crash {point}" for point in CRASH_POINTS),
    *("late unlock", "intent", "unlock published", "opening", "locked again", "sealed", "Lock", "step without a store"),
    *("release never entered", "release unsent", "ReportReadiness", "ConsumeOpening", "LogNote", "ReportDoorResult"),
}


def chunks() -> list[tuple[int, int]]:
    """Ranges of seeds, so that two workers share them."""
    asked = os.environ.get("PERRON_SEEDS")
    if asked:
        first, last = asked.split(":")
        return [(int(first), int(last))]
    return [(first, first + ENOUGH_TO_SEE_EVERYTHING) for first in range(0, SEEDS, ENOUGH_TO_SEE_EVERYTHING)]


@pytest.mark.slow
@pytest.mark.parametrize(("first", "last"), chunks())
def test_whatever_happens_to_the_house_the_invariants_hold(first: int, last: int) -> None:
    seen: Counter[str] = Counter()
    for seed in range(first, last):
        try:
            life.household(seed)
            seen.update(life.run_life(seed))
        except (AssertionError, RuntimeError, LookupError) as failure:
            where = traceback.format_exc(limit=-2)
            replay = f"python -m tests.house.trace {seed}"
            pytest.fail(f"seed {seed}: {failure}\nreplay: {replay}\n{where}", pytrace=False)
    if last - first >= ENOUGH_TO_SEE_EVERYTHING:
        assert not MUST_BE_SEEN - set(seen), "never seen: the lives are too tame"


def test_a_few_lives_hold_in_the_inner_loop() -> None:
    for seed in range(40):
        life.run_life(seed, steps=60)
