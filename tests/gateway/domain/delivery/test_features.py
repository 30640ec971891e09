"""The optional features of an order of version 2: which it uses, and because of which a box must refuse it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from gateway.domain.delivery.features import (
    SUPPORTED_FEATURES,
    Dimensions,
    Feature,
    unsupported_words,
    used_features,
)
from gateway.domain.delivery.food_profiles import FoodProfile
from gateway.domain.delivery.items import OrderItem
from gateway.domain.delivery.label import LabelRule
from gateway.domain.delivery.promise import order_of
from gateway.domain.delivery.promise_v2 import FEATURE_FIELDS
from gateway.domain.delivery.temperature import Limits
from tests.gateway.domain.delivery.shop import PARCEL, make_offer, make_offer_v2

SIZE = {"length": 400, "width": 300, "height": 200}
FISH = {"code": "(01)04006381333931(21)7", "place": "fridge", "profile": FoodProfile.FISH}
USED: dict[str, Any] = {
    "items": [{"code": "A"}], "collect": ["B"], "holder": "robot", "yes_each": True, "entrances": ["front"],
    "min_celsius": 2.0, "dimensions": SIZE, "label_rules": ["4322"],
    "expected_address": {"postcode": "75011"},
}  # fmt: skip


@pytest.mark.parametrize(
    ("order", "words"),
    [
        ({}, ()),
        ({"needs": []}, ()),
        ({"needs": ["dimensions", "entrances"], "dimensions": SIZE, "entrances": ["front"]}, ()),
        ({"needs": ["wings"]}, ("wings",)),
        ({"needs": ["wings", "dimensions", "antlers"], "dimensions": SIZE}, ("antlers", "wings")),
        ({"needs": ["items"], "items": [{"code": "A"}]}, ()),
        ({"needs": [], "min_celsius": 0.0}, ("min_celsius",)),  # a limit of 0 °C is one
        ({"needs": [], "dimensions": SIZE}, ("dimensions",)),  # used without being listed
        ({"needs": ["wings"], "yes_each": True}, ("wings", "yes_each")),
        ({"needs": [], "holder": "courier", "items": [], "yes_each": False, "collect": None}, ()),
        ({"needs": "dimensions"}, ()),  # malformed: it is refused when it is read
        ({"needs": ["Not a word"]}, ()),
        ({"needs": ["wings"] * 33}, ()),
    ],
)
def test_what_a_box_does_not_understand_is_named(order: dict[str, Any], words: tuple[str, ...]) -> None:
    assert unsupported_words(order) == words


def test_every_feature_has_a_field_and_only_what_is_built_is_understood() -> None:
    of_orders = set(Feature) - {Feature.MORE_TIME, Feature.ARRIVAL}  # messages that are no order have them
    assert used_features(USED) == tuple(sorted(of_orders))
    built = {feature for feature in Feature if not unsupported_words({"needs": [feature]})}
    assert built == SUPPORTED_FEATURES
    assert used_features({name: USED[name] for name in FEATURE_FIELDS}) == tuple(sorted(built & of_orders))


@given(st.sets(st.sampled_from(sorted(USED))), st.sets(st.sampled_from(sorted(Feature)) | st.just("wings")))
def test_an_order_is_understood_if_and_only_if_all_that_it_uses_is_listed_and_built(
    fields: set[str], listed: set[str]
) -> None:
    order = {**{name: USED[name] for name in fields}, "needs": sorted(listed)}
    understood = set(used_features(order)) <= listed <= SUPPORTED_FEATURES
    assert (unsupported_words(order) == ()) is understood


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"needs": (Feature.DIMENSIONS,)}, "lists exactly"),
        ({"needs": (Feature.ENTRANCES, Feature.DIMENSIONS)}, "sorted"),
        ({"entrances": ("garage",)}, "contains"),
        ({"entrances": ("front", "front")}, "twice"),
        ({"entrances": ()}, "entrances"),
        ({"dimensions": {**SIZE, "height": 0}}, "height"),
        ({"dimensions": {**SIZE, "weight": 3}}, "weight"),
        ({"label_rules": (LabelRule.NOT_AFTER, LabelRule.AUTHORITY_TO_LEAVE)}, "sorted"),
        ({"collect": ()}, "collect"),
        ({"collect": ("R-1", "R-1")}, "twice"),
        ({"collect": (PARCEL,)}, "not both"),
        ({"info": {"Note": "x"}}, "info"),
        ({"info": {"note": "line\nbreak"}}, "printable"),
        ({"info": {f"n{n}": "x" for n in range(11)}}, "info"),
        ({"items": ()}, "items"),
        ({"items": (FISH, FISH)}, "twice"),
        ({"items": ({"code": "(01)04006381333931", "place": "fridge", "max_celsius": 4.0},)}, "serial number"),
        ({"items": ({"code": "perron:" + "ab" * 16, "place": "fridge", "max_celsius": 4.0},)}, "courier's code"),
        ({"items": ({"code": "A1", "place": "fridge"},)}, "min_celsius, max_celsius or a profile"),
        ({"items": ({**FISH, "min_celsius": 3.0},)}, "within both limits"),
        ({"items": (FISH, {"code": "P-1", "place": "fridge", "max_celsius": -18.0})}, "all limits for fridge"),
        ({"min_celsius": 5.0, "max_celsius": 4.0}, "all limits for hall"),
        ({"items": ({**FISH, "max_seconds": 0},)}, "max_seconds"),
        ({"items": ({**FISH, "weight": 3},)}, "weight"),
        ({"wings": 2}, "wings"),
    ],
)
def test_an_order_of_version_2_says_exactly_what_it_uses(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        make_offer_v2(**changes)


def test_an_order_of_version_1_reads_as_one_of_version_2_that_uses_nothing() -> None:
    first, second = order_of("shop", make_offer()), order_of("shop", make_offer_v2())
    assert (first.message_version, second.message_version) == (1, 2)
    assert (first.entrances, first.dimensions, first.label_rules) == (None, None, frozenset())
    assert (second.entrances, second.dimensions, second.label_rules) == (None, None, frozenset())


def test_what_an_order_of_version_2_says_more_is_in_the_stored_order() -> None:
    offer = make_offer_v2(
        entrances=("front", "garage"), dimensions=SIZE, label_rules=(LabelRule.NOT_AFTER,), info={"note": "Fragile"},
        min_celsius=0.0, items=(FISH, {"code": "a milk", "place": "fridge", "max_celsius": 6.0, "max_seconds": 60}),
    )  # fmt: skip
    order = order_of("shop", offer)
    assert order.entrances == frozenset({"front", "garage"})
    assert order.dimensions == Dimensions(length=400, width=300, height=200)
    assert order.label_rules == {"4325"}
    assert order.info == {"note": "Fragile"}
    assert order.cold_min_c == 0.0
    assert order.items == (
        OrderItem(code="(01)04006381333931(21)7", place="fridge", profile=FoodProfile.FISH),
        OrderItem(code="a milk", place="fridge", limits=Limits(max_c=6.0), max_seconds=60),
    )
    assert order.places_with_limits == {"hall", "fridge"}


def test_a_parcel_fits_whichever_side_stands_upright() -> None:
    parcel = Dimensions(length=400, width=200, height=300)
    assert parcel.fits_in(Dimensions(length=300, width=200, height=400))
    assert not parcel.fits_in(Dimensions(length=399, width=399, height=399))
