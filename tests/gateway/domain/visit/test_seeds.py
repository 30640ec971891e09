"""Two thousand seeded lives on virtual time: half of a front door, half of entrances with any closures.

`PERRON_SEEDS=5000:9000` runs others (a soak). A seed that fails is told with the command that replays it.
"""

import os
import traceback
from collections import Counter
from itertools import chain

import pytest

from gateway.domain.delivery.result import CollectResult, Outcome, Refusal
from gateway.domain.visit.closures import BoltedDoor, Strike
from gateway.domain.visit.commands import AlarmCode, Notification
from gateway.domain.visit.state import LockRequestResult, Phase
from tests.closures import KIND_WORDS
from tests.house import arrows, entrance_life, life, lives, reception
from tests.house.entrances import LAST, LAYOUTS, MIXES, Layout, any_mix, chosen, layout_of
from tests.house.faults import CRASH_POINTS

SEEDS, CHUNKS = 2000, 2
ENOUGH_TO_SEE_EVERYTHING = SEEDS // CHUNKS

OF_OTHERS = {
    Notification.BRAND_ASKS,
    Notification.NEW_KEY,
    Notification.PASSWORD_RESET,
    Notification.SET_ASIDE,
    Notification.STORE_IN_DOUBT,
    Notification.PARCEL_RECEIVED,
    Notification.PARCEL_DECLINED,
    Notification.PARCEL_HANDED_OVER,
    Notification.NO_RECEIVER,
    Notification.MOVED,
    Notification.LATE_COURIER,
    Notification.ON_THE_WAY,  # the store sends these two: tests/gateway/storage/test_arrivals.py
    Notification.EXPECTED_AT,
    Notification.ADMITTED,
    Notification.BOOKING_PROPOSED,
    Notification.BOOKING_CHANGED,
    Notification.BOOKING_GONE,
    AlarmCode.KEPT_TOO_LONG,
    AlarmCode.CODE_STILL_VALID,
}
OF_KEYS = {Notification.KEY_TAKEN, Notification.KEY_MISSED}
OF_ROBOTS = {Refusal.ROBOT_NOT_PROVEN}
OF_GUESTS = {Refusal.GUEST_PRESENT, Refusal.REVOKED}  # test_guest_seeds.py
OF_KEEPERS = {Refusal.KEEPER_NOT_PROVEN, Refusal.KEEPER_NOT_ACCEPTED}
OF_RETURNS = {Outcome.COLLECTED, Outcome.PARTLY_COLLECTED, Outcome.NOT_COLLECTED}
OF_OTHER_LIVES = OF_GUESTS | OF_KEEPERS | OF_ROBOTS
# The lives have a fridge without lower limits and without a sensor of its room; the kitchens of test_cold_chain.py do.
OF_FRIDGE_ITEMS = {Refusal.FRIDGE_TOO_COLD, Refusal.FRIDGE_FULL}
ALARMS_OF_OTHER_WAYS = {
    AlarmCode.CAR_MOVES_OPEN, AlarmCode.KEY_LATE, AlarmCode.ROBOT_STRANDED, AlarmCode.FRIDGE_TOO_COLD,
}  # fmt: skip
MUST_BE_SEEN_AT_A_FRONT_DOOR = {
    "phase ready",
    *(f"phase {phase}" for phase in Phase if phase is not Phase.ADVANCING),  # a front door is one closure
    *(
        f"refusal {refusal}"
        for refusal in Refusal
        if refusal not in {Refusal.NO_RECEIVER, *OF_OTHER_LIVES, *OF_FRIDGE_ITEMS}
    ),
    *(f"outcome {outcome}" for outcome in Outcome if outcome is not Outcome.REFUSED),  # a refusal is no result
    *(f"with it {collected}" for collected in CollectResult),
    *(f"alarm {code}" for code in AlarmCode if code not in OF_OTHERS | ALARMS_OF_OTHER_WAYS),
    *(f"saying {saying}" for saying in Notification if saying not in OF_OTHERS | OF_KEYS),
    *(f"lockup_{result}" for result in LockRequestResult),
    *(f"crash {point}" for point in CRASH_POINTS),
    *("late unlock", "intent", "unlock published", "opening", "locked again", "sealed", "Lock", "step without a store"),
    *("release never entered", "release unsent", "ReportReadiness", "ConsumeOpening", "LogNote", "ReportDoorResult"),
}
KEYED = {word for word, kind in KIND_WORDS.items() if not kind.order_kinds}  # a key opens it, no intent
MUST_BE_SEEN_AT_ANY_ENTRANCE = {
    "phase ready",
    *(f"phase {phase}" for phase in Phase),
    *(f"intent {word}" for word in KIND_WORDS.keys() - KEYED),
    *(f"outcome {outcome}" for outcome in Outcome if outcome not in {Outcome.REFUSED, *OF_RETURNS}),
    *("lockup_proven", "lockup_door_open", "lockup_no_link", "lockup_visit"),
    *(f"crash {point}" for point in CRASH_POINTS),
    *(
        f"alarm {code}"
        for code in (
            AlarmCode.BOLT_IN_THE_AIR,
            AlarmCode.CAMERA_LOST,
            AlarmCode.CAR_MOVES_OPEN,
            AlarmCode.DOOR_FORCED_OPEN,
            AlarmCode.DOOR_LEFT_OPEN,
            AlarmCode.HAND_USE_WHILE_AWAY,
            AlarmCode.KEY_LATE,
            AlarmCode.LATE_UNLOCK,
            AlarmCode.NOT_LOCKED,
            AlarmCode.SAFE_MODE,
            AlarmCode.STOPPED_INSIDE,
            AlarmCode.UNEXPECTED_UNLOCK,
            AlarmCode.UNLOCK_UNKNOWN,
        )
    ),
    *("key_taken", "key_returned", "neighbour", "off the way", "opening", "Lock", "Close", "locked again", "sealed"),
    *("release never entered", "release unsent", "ConsumeOpening"),
    *("intent own parcel", "stored tracking", "refusal not_out_for_delivery", "own parcel in"),
    *(f"own parcel out: {why}" for why in ("no tap", "the report is too old", "the report is of yesterday")),
    *(f"custody {before} to {after}" for before, after in reception.ARROWS),
    *("custody kept too long", "custody delivered", "custody partly_delivered", "custody not_delivered"),
    *(f"refusal {refusal}" for refusal in OF_KEEPERS),
    *(f"saying {saying}" for saying in OF_KEYS),
    *("keeper claire", "keeper oh-my-keys", "an intent of a withdrawn keeper", "key_taken:claire"),
    "key_returned:oh-my-keys",
    *(f"with it {word}" for word in CollectResult),
    *("refusal collect_inside", "outcome collected", "delivered and with it a return"),
}


def chunks() -> list[tuple[int, int]]:
    """Ranges of seeds, so that two workers share them."""
    asked = os.environ.get("PERRON_SEEDS")
    if asked:
        first, last = asked.split(":")
        return [(int(first), int(last))]
    return [(first, first + ENOUGH_TO_SEE_EVERYTHING) for first in range(0, SEEDS, ENOUGH_TO_SEE_EVERYTHING)]


def live(seed: int) -> Counter[str]:
    """Run a seed's life; fail with the command that replays it."""
    try:
        return lives.run(seed)
    except (AssertionError, RuntimeError, LookupError) as failure:
        where = traceback.format_exc(limit=-2)
        replay = f"python -m tests.house.trace {seed}"
        pytest.fail(f"seed {seed}: {failure}\nreplay: {replay}\n{where}", pytrace=False)


@pytest.mark.slow
@pytest.mark.parametrize(("first", "last"), chunks())
def test_whatever_happens_to_the_house_the_invariants_hold(first: int, last: int) -> None:
    is_enough = last - first >= ENOUGH_TO_SEE_EVERYTHING
    front_door = Counter(chain.from_iterable(live(seed) for seed in range(first, last) if lives.is_front_door(seed)))
    with arrows.recorded() as taken:
        seeds = [seed for seed in range(first, last) if not lives.is_front_door(seed)]
        any_entrance = Counter(chain.from_iterable(live(seed) for seed in seeds))
    assert taken <= arrows.DECLARED
    if is_enough:
        too_tame = sorted(MUST_BE_SEEN_AT_A_FRONT_DOOR - set(front_door))
        assert not too_tame, f"never seen at a front door: {too_tame}"
        too_tame = sorted(MUST_BE_SEEN_AT_ANY_ENTRANCE - set(any_entrance))
        assert not too_tame, f"never seen at any entrance: {too_tame}"
        assert not arrows.DECLARED - taken, f"declared arrows that no life takes: {arrows.DECLARED - taken}"


def test_a_few_lives_hold_in_the_inner_loop() -> None:
    for seed in range(20):
        life.run_life(seed, steps=60)
        entrance_life.run_life(seed)


@pytest.mark.parametrize("word", KIND_WORDS)
def test_a_few_lives_of_each_kind_hold(word: str) -> None:
    seeds = [seed for seed in odd(0, SEEDS) if word in {one.kind for one in layout_of(seed).closures}]
    for seed in seeds[:6]:
        entrance_life.run_life(seed)


def odd(first: int, last: int) -> range:
    """The seeds of the generic house in this range."""
    return range(first + 1 - first % 2, last, 2)


@pytest.mark.parametrize(("first", "last"), [(first, first + ENOUGH_TO_SEE_EVERYTHING) for first in (0, 1000)])
def test_the_lives_are_spread_over_the_layouts_and_the_kinds(first: int, last: int) -> None:
    names = Counter(chosen(seed, (*LAYOUTS, *MIXES)) for seed in odd(first, last))
    assert all(names[name] >= 15 for name in (*LAYOUTS, *MIXES)), names
    stand = ({one.kind for one in layout_of(seed).closures} for seed in odd(first, last))
    kinds: Counter[str] = Counter(chain.from_iterable(stand))
    assert all(kinds[word] >= 20 for word in KIND_WORDS), kinds


def test_a_new_layout_takes_its_share_of_the_seeds_and_leaves_every_other_life_as_it_was() -> None:
    new = Layout((BoltedDoor(id="new"),))
    before = {seed: layout_of(seed) for seed in odd(0, SEEDS)}
    after = {seed: layout_of(seed, {**LAYOUTS, "new": new}) for seed in before}
    taken = [seed for seed in before if after[seed] is new]
    assert all(after[seed] == before[seed] for seed in before.keys() - set(taken))
    share = len(before) / len((*LAYOUTS, *MIXES, "new"))
    assert 0.6 * share < len(taken) < 1.5 * share


def test_a_new_closure_that_can_stand_last_leaves_every_other_mix_as_it_was() -> None:
    before = {seed: any_mix(seed) for seed in odd(0, SEEDS)}
    after = {seed: any_mix(seed, {**LAST, "new": (Strike(id="new"),)}) for seed in before}
    taken = [seed for seed in before if after[seed].closures[-1].id == "new"]
    assert 0.6 / 5 < len(taken) / len(before) < 1.5 / 5
    assert all(after[seed] == before[seed] for seed in before.keys() - set(taken))
    assert all(after[seed].closures[:-1] == before[seed].closures[: len(after[seed].closures) - 1] for seed in taken)
