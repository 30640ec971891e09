"""The other place to which a parcel goes if its own entrance cannot take it now."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.delivery.fallback import FALLBACK_REFUSALS, MAX_MOVES, FallbackPlan, Place, fallback
from gateway.domain.delivery.promise import DeliveryOrder
from gateway.domain.delivery.result import Refusal
from gateway.domain.frozen import replace
from tests.gateway.domain.delivery.shop import make_window

ORDER = DeliveryOrder(
    brand="shop", id="d1", version=1, entrance="front", carrier="Colissimo", place="hall",
    start=make_window().start, end=make_window().end,
)  # fmt: skip
PLAN = FallbackPlan(
    preferred=("front", "garage", "box", "desk"),
    places={"front": ("hall", "fridge"), "garage": ("shelf", "hall"), "box": ("box",), "desk": ("desk",)},
    courier_proof=frozenset({"front", "box"}),
)
TAKES: Mapping[Place, Refusal | None] = {}
ALL_PLACES = [Place(entrance=id_, place=place) for id_, places in PLAN.places.items() for place in places]


def goes(
    order: DeliveryOrder = ORDER,
    refusal: Refusal = Refusal.NOT_READY,
    answers: Mapping[Place, Refusal | None] = TAKES,
    plan: FallbackPlan = PLAN,
) -> str | None:
    """Where it goes, as `entrance/place`; a place that `answers` does not name takes it."""
    found = fallback(refusal, order, plan, answers.get)
    return None if found is None else f"{found.entrance}/{found.place}"


@pytest.mark.parametrize("refusal", Refusal)
def test_only_a_reason_that_lies_at_the_entrance_sends_it_elsewhere(refusal: Refusal) -> None:
    assert (goes(refusal=refusal) is not None) == (refusal in FALLBACK_REFUSALS)


@pytest.mark.parametrize(
    "refusal",
    [
        Refusal.STOPPED_BY_OWNER, Refusal.PAUSED, Refusal.NOT_APPROVED, Refusal.BRAND_NOT_PERMITTED,
        Refusal.KEY_DISTRUSTED, Refusal.CLOCK_UNTRUSTED, Refusal.UNKNOWN_CODE, Refusal.CODE_OF_SEVERAL,
        Refusal.COURIER_NOT_PROVEN, Refusal.ALREADY_USED, Refusal.CANCELLED, Refusal.OUTSIDE_WINDOW,
        Refusal.LABEL_FORBIDS, Refusal.LOCKED_OUT, Refusal.BUSY,
    ],
)  # fmt: skip
def test_a_stop_a_no_and_every_doubt_hold_everywhere(refusal: Refusal) -> None:
    assert goes(refusal=refusal) is None


def test_the_owner_s_order_counts_and_a_place_of_the_same_name_comes_first() -> None:
    assert goes() == "garage/hall"
    assert goes(plan=replace(PLAN, preferred=("desk", "garage"))) == "desk/desk"
    assert goes(plan=replace(PLAN, preferred=())) is None


def test_what_cannot_take_it_now_is_passed_over() -> None:
    refused: dict[Place, Refusal | None] = {Place(entrance="garage", place="hall"): Refusal.BRAND_NOT_PERMITTED}
    assert goes(answers=refused) == "garage/shelf"
    refused[Place(entrance="garage", place="shelf")] = Refusal.NOT_READY
    assert goes(answers=refused) == "desk/desk"
    refused[Place(entrance="desk", place="desk")] = Refusal.NO_RECEIVER
    assert goes(answers=refused) is None


def test_a_retailer_s_own_list_limits_it() -> None:
    assert goes(replace(ORDER, entrances=frozenset({"front", "desk"}))) == "desk/desk"
    assert goes(replace(ORDER, entrances=frozenset({"front"}))) is None


def test_without_a_courier_s_code_it_goes_to_no_entrance_that_requires_one() -> None:
    only_box = replace(PLAN, preferred=("box",))
    assert goes(plan=only_box) is None
    assert goes(replace(ORDER, courier="courier:ab"), plan=only_box) == "box/box"


def test_a_parcel_is_not_sent_round_for_ever() -> None:
    assert goes(replace(ORDER, placed=MAX_MOVES - 1)) == "garage/hall"
    assert goes(replace(ORDER, placed=MAX_MOVES)) is None


@given(
    refusal=st.sampled_from(Refusal),
    entrance=st.sampled_from(tuple(PLAN.places)),
    accepted=st.none() | st.frozensets(st.sampled_from(tuple(PLAN.places))),
    courier=st.sampled_from((None, "courier:ab")),
    preferred=st.permutations(tuple(PLAN.places)),
    answers=st.dictionaries(st.sampled_from(ALL_PLACES), st.none() | st.sampled_from(Refusal)),
)
def test_wherever_it_goes_it_is_accepted_and_permitted_there_and_elsewhere(  # noqa: PLR0913, PLR0917 - what may differ
    refusal: Refusal,
    entrance: str,
    accepted: frozenset[str] | None,
    courier: str | None,
    preferred: list[str],
    answers: dict[Place, Refusal | None],
) -> None:
    order = replace(ORDER, entrance=entrance, entrances=accepted, courier=courier)
    plan = replace(PLAN, preferred=tuple(preferred))
    found = fallback(refusal, order, plan, answers.get)
    if found is None:
        return
    assert refusal in FALLBACK_REFUSALS
    assert found.entrance != entrance
    assert accepted is None or found.entrance in accepted
    assert courier is not None or found.entrance not in PLAN.courier_proof
    assert answers.get(found) is None
    better = plan.preferred[: plan.preferred.index(found.entrance)]
    assert all(
        answers.get(Place(entrance=one, place=place)) is not None
        for one in better
        if one != entrance and (accepted is None or one in accepted)
        if courier is not None or one not in PLAN.courier_proof
        for place in PLAN.places[one]
    ), "a preferred one would have taken it"


def test_who_is_home_at_one_entrance_may_be_in_the_living_space_behind_another() -> None:
    plan = replace(PLAN, living_space=frozenset({"front", "garage"}))
    assert goes(refusal=Refusal.HOUSEHOLD_PRESENT, plan=plan) == "desk/desk"
    assert goes(refusal=Refusal.NOT_READY, plan=plan) == "garage/hall"


def test_it_goes_to_no_entrance_where_neither_film_nor_sensor_would_prove_it() -> None:
    plan = replace(PLAN, unproven=frozenset({"garage"}))
    assert goes(plan=plan) == "desk/desk"
    assert goes(plan=replace(plan, unproven=frozenset({"garage", "front"}))) == "garage/hall", "its own proves nothing"
