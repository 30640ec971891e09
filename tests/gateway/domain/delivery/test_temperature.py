"""Limits of a temperature: the stricter wins, a label's are read or refused, and each legal profile has its source."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.delivery.food_profiles import LEGAL_TEMPERATURES, FoodProfile
from gateway.domain.delivery.items import OrderItem, limits_by_place, room_needed
from gateway.domain.delivery.temperature import NO_LIMITS, Limits, read_label_limits, stricter, strictest

CELSIUS = st.floats(min_value=-60, max_value=100)
LIMITS = st.builds(Limits, min_c=st.none() | CELSIUS, max_c=st.none() | CELSIUS)


def allows(limits: Limits, celsius: float) -> bool:
    return not limits.is_too_warm(celsius) and not limits.is_too_cold(celsius)


@given(LIMITS, LIMITS, CELSIUS)
def test_what_two_limits_require_together_is_what_each_of_them_allows(
    first: Limits, second: Limits, celsius: float
) -> None:
    assert allows(stricter(first, second), celsius) is (allows(first, celsius) and allows(second, celsius))
    assert stricter(first, second) == stricter(second, first)


@given(st.lists(LIMITS, max_size=5), CELSIUS)
def test_the_strictest_allows_what_all_allow(all_limits: list[Limits], celsius: float) -> None:
    assert allows(strictest(all_limits), celsius) is all(allows(one, celsius) for one in all_limits)


def test_a_reading_that_is_no_number_is_within_no_limit() -> None:
    assert Limits(max_c=4.0).is_too_warm(math.nan)
    assert Limits(min_c=0.0).is_too_cold(math.nan)


@pytest.mark.parametrize(
    ("label", "limits"),
    [
        ({}, NO_LIMITS),
        ({"4322": "1"}, NO_LIMITS),
        ({"4331": "000400"}, Limits(max_c=4.0)),
        ({"4331": "001800-"}, Limits(max_c=-18.0)),
        ({"4333": "000000", "4331": "000200"}, Limits(min_c=0.0, max_c=2.0)),
        ({"4330": "003920"}, Limits(max_c=4.0)),  # 39.20 °F
        ({"4332": "003200", "4330": "000040-"}, None),  # 32 °F at least and -0.40 °F at most
        ({"4332": "003200", "4331": "000200"}, Limits(min_c=0.0, max_c=2.0)),
        ({"4330": "003920", "4331": "000400"}, None),  # one limit in both units
        ({"4332": "003200", "4333": "000000"}, None),
        ({"4331": "400"}, None),
        ({"4331": "0004.0"}, None),
        ({"4331": ""}, None),  # the label states it twice, differently
        ({"4331": "000400+"}, None),
        ({"4331": "\u0661\u0661\u0661\u0661\u0661\u0661"}, None),
    ],
)
def test_the_limits_of_a_label_are_read_as_gs1_writes_them(label: dict[str, str], limits: Limits | None) -> None:
    assert read_label_limits(label) == limits


@given(st.dictionaries(st.sampled_from(["4330", "4331", "4332", "4333"]), st.text(max_size=8)))
def test_no_text_on_a_label_becomes_limits_that_no_temperature_meets(label: dict[str, str]) -> None:
    limits = read_label_limits(label)
    assert limits is None or not limits.is_contradictory
    assert limits is None or limits.is_none is not bool(label)


def test_each_profile_has_limits_that_can_be_met_and_names_its_law() -> None:
    assert LEGAL_TEMPERATURES.keys() == set(FoodProfile)
    for legal in LEGAL_TEMPERATURES.values():
        assert not legal.limits.is_none
        assert not legal.limits.is_contradictory
        assert any(law in legal.source for law in ("arrêté du 21 décembre 2009", "89/108/EEC", "853/2004"))


@pytest.mark.parametrize(
    ("profile", "limits"),
    [
        (FoodProfile.QUICK_FROZEN, Limits(max_c=-18.0)),
        (FoodProfile.FROZEN, Limits(max_c=-12.0)),
        (FoodProfile.FISH, Limits(min_c=0.0, max_c=2.0)),
        (FoodProfile.MINCED_MEAT, Limits(max_c=2.0)),
        (FoodProfile.POULTRY, Limits(max_c=4.0)),
        (FoodProfile.MEAT, Limits(max_c=7.0)),
        (FoodProfile.PERISHABLE, Limits(max_c=8.0)),
        (FoodProfile.HOT_MEAL, Limits(min_c=63.0)),
    ],
)
def test_the_legal_limits_are_those_of_the_law(profile: FoodProfile, limits: Limits) -> None:
    assert OrderItem(code="a", place="fridge", profile=profile).required == limits


def test_the_stricter_of_order_and_law_holds_for_an_item() -> None:
    looser = OrderItem(code="a", place="fridge", limits=Limits(max_c=6.0), profile=FoodProfile.FISH)
    tighter = OrderItem(code="b", place="fridge", limits=Limits(min_c=1.0, max_c=1.5), profile=FoodProfile.FISH)
    assert looser.required == Limits(min_c=0.0, max_c=2.0)
    assert tighter.required == Limits(min_c=1.0, max_c=1.5)


def test_a_place_has_the_limits_of_the_order_of_its_items_and_of_the_labels_that_were_read() -> None:
    items = (
        OrderItem(code="fish", place="fridge", profile=FoodProfile.FISH),
        OrderItem(code="milk", place="fridge", limits=Limits(max_c=8.0)),
        OrderItem(code="peas", place="freezer", profile=FoodProfile.QUICK_FROZEN),
    )
    required = limits_by_place(items, place="hall")
    assert required == {"fridge": Limits(min_c=0.0, max_c=2.0), "freezer": Limits(max_c=-18.0)}
    labels = {"milk": Limits(max_c=1.0), "bag": Limits(max_c=25.0)}
    required = limits_by_place(items, place="hall", limits=Limits(min_c=10.0), labels=labels)
    assert required["fridge"] == Limits(min_c=0.0, max_c=1.0)
    assert required["hall"] == Limits(min_c=10.0, max_c=25.0), "a code that is no item lies at the order's place"
    assert room_needed(items, parcels={"bag"}, place="hall") == {"fridge": 2, "freezer": 1}
    assert room_needed((), parcels={"a", "b"}, place="hall") == {"hall": 2}
