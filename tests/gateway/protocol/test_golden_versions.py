"""Both versions keep their bytes, and each side reads what the other has written, of both."""

import json
from datetime import timedelta

import pytest

from gateway.domain.delivery.features import Dimensions
from gateway.domain.delivery.food_profiles import FoodProfile
from gateway.domain.delivery.promise import Claims, DeliveryResult, order_of
from gateway.domain.delivery.promise_v2 import ClaimsV2, DeliveryBodyV2
from gateway.domain.delivery.temperature import Limits
from gateway.domain.now import Now
from gateway.protocol import jws
from gateway.protocol.box_hub import BoxEvent, verify_by_box
from gateway.protocol.box_statement import BoxStatement, verify_statement
from gateway.protocol.brand_messages import (
    CommentClaims,
    FactsClaims,
    FactsQuery,
    verify_brand_message,
    verify_facts,
)
from gateway.protocol.delivery_message import HubClaimsV2, verify_delivery, verify_hub_delivery
from gateway.protocol.jws import EnrolledKey, RejectedMessage, RejectionCode
from tests.gateway.protocol.golden import AT, FILE
from tests.gateway.protocol.golden_versions import (
    BOX_KEY,
    BRAND_KEY,
    HOME,
    VERSIONS_FILE,
    make_versions,
)

V1: dict[str, str] = json.loads(FILE.read_text(encoding="utf-8"))
V2: dict[str, str] = json.loads(VERSIONS_FILE.read_text(encoding="utf-8"))
NOON = Now(utc=AT, trusted=True, mono=0.0)
ENROLLED = {"shop-1": EnrolledKey("shop", BRAND_KEY.public)}


def verified(token: str) -> Claims | RejectedMessage:
    return verify_delivery(token.encode(), ENROLLED, box="box-1", now=NOON)


@pytest.mark.parametrize("name", sorted(V2))
def test_each_keeps_the_bytes_that_it_had_when_version_2_came(name: str) -> None:
    assert make_versions()[name] == V2[name]


def test_none_is_left_out() -> None:
    assert set(make_versions()) == set(V2)


@pytest.mark.parametrize(("name", "token"), [(n, V1[n]) for n in ("offer", "update", "cancel")])
def test_version_1_is_read_as_version_1(name: str, token: str) -> None:
    found = verified(token)
    assert type(found) is Claims
    assert found.delivery.do == name


@pytest.mark.parametrize(("name", "token"), [(n, V2[f"{n}_v2"]) for n in ("offer", "update", "cancel")])
def test_version_2_is_read_as_version_2(name: str, token: str) -> None:
    found = verified(token)
    assert type(found) is ClaimsV2
    assert found.delivery.do == name


def test_what_an_offer_of_version_2_says_arrives() -> None:
    found = verified(V2["offer_v2"])
    assert isinstance(found, Claims)
    assert isinstance(found.delivery, DeliveryBodyV2)
    order = order_of("shop", found.delivery)
    assert order.dimensions == Dimensions(length=400, width=300, height=200)
    assert order.label_rules == {"4322", "4325"}
    assert order.info == {"note": "Fragile"}


def test_the_items_of_an_order_and_what_became_of_each_arrive() -> None:
    found = verified(V2["offer_items_v2"])
    assert isinstance(found, Claims)
    assert isinstance(found.delivery, DeliveryBodyV2)
    fish, milk, peas = order_of("shop", found.delivery).items
    assert (fish.place, fish.profile, fish.required) == ("fridge", FoodProfile.FISH, Limits(min_c=0.0, max_c=2.0))
    assert (milk.required, milk.max_seconds) == (Limits(min_c=0.5, max_c=6.0), 120)
    assert (peas.place, peas.required) == ("freezer", Limits(max_c=-18.0))
    event = verify_by_box(BoxEvent, V2["event_items"].encode(), BOX_KEY.public)
    assert isinstance(event, BoxEvent)
    assert event.result is not None
    assert event.result.cold_chain == DeliveryResult.model_validate_json(V2["result_items"]).cold_chain
    assert [item.verdict for item in event.result.cold_chain or ()] == ["conformant", "non_conformant", "unknown"]


@pytest.mark.parametrize("name", ["offer", "update", "cancel"])
def test_neither_is_accepted_under_the_type_of_the_other(name: str) -> None:
    for token, other in ((V1[name], jws.DELIVERY_2), (V2[f"{name}_v2"], jws.DELIVERY)):
        exchanged = b".".join((other.header("shop-1"), *token.encode().split(b".")[1:]))
        found = verified(exchanged.decode())
        assert isinstance(found, RejectedMessage)
        assert found.code is RejectionCode.WRONG_SIGNATURE


def test_what_the_hub_signed_is_no_brand_s_message_in_either_version() -> None:
    kid = jws.kid_of(V2["hub_signed_v2"].encode())
    assert kid == "hub-1"
    found = jws.verify_enrolled(
        V2["hub_signed_v2"].encode(), {"hub-1": EnrolledKey("hub", BRAND_KEY.public)}, jws.HUB_DELIVERY_2, HubClaimsV2,
        max_bytes=40_000,
    )  # fmt: skip
    assert not isinstance(found, RejectedMessage)
    for name in (V1["hub_signed"], V2["hub_signed_v2"]):
        refused = verified(name)
        assert isinstance(refused, RejectedMessage)
        assert refused.code is RejectionCode.WRONG_TYPE
    wrong_hub = verify_hub_delivery(V2["hub_signed_v2"].encode(), BOX_KEY.public, box="box-1", now=NOON)
    assert isinstance(wrong_hub, RejectedMessage)


def test_what_a_box_says_is_read_and_a_reader_ignores_what_it_does_not_know() -> None:
    for name in ("result_v1", "result_v2"):
        said = json.loads(V2[name])
        more = DeliveryResult.model_validate_json(json.dumps({**said, "wings": 2, "flown_to": {"entrance": "box"}}))
        assert more == DeliveryResult.model_validate_json(V2[name])
        assert more.speaks is not None
        newer = {**said, "speaks": {**said["speaks"], "delivery": [1, 2, 3], "custody": True}}
        assert DeliveryResult.model_validate_json(json.dumps(newer)).delivery == said["delivery"]
    for name in ("event_v1", "event_v2"):
        event = verify_by_box(BoxEvent, V2[name].encode(), BOX_KEY.public)
        assert isinstance(event, BoxEvent)
        assert event.result is not None
    assert json.loads(V2["result_v2"])["unsupported"] == ["items", "wings"]


def test_a_brand_s_messages_about_its_facts_and_the_box_s_answer_are_read() -> None:
    for name, kind in (("facts_query", FactsQuery), ("brand_comment", CommentClaims)):
        for box, also in (("box-1", HOME), (HOME, None)):
            found = verify_brand_message(V2[name].encode(), ENROLLED, box=box, also=also, now=NOON)
            assert type(found) is kind
        elsewhere = verify_brand_message(V2[name].encode(), ENROLLED, box="box-1", now=NOON)
        assert isinstance(elsewhere, RejectedMessage)
        assert elsewhere.code is RejectionCode.WRONG_AUDIENCE
    facts = verify_facts(V2["brand_facts"].encode(), BOX_KEY.public)
    assert isinstance(facts, FactsClaims)
    assert (facts.answers, facts.facts.since, facts.facts.complaints) == ("0123456789abcde5", None, {"late": 1})
    event = verify_by_box(BoxEvent, V2["event_answer"].encode(), BOX_KEY.public)
    assert isinstance(event, BoxEvent)
    assert event.answer is not None
    assert event.answer.facts == V2["brand_facts"]
    moved = verify_by_box(BoxEvent, V2["event_moved"].encode(), BOX_KEY.public)
    assert isinstance(moved, BoxEvent)
    assert moved.result is not None
    assert (moved.result.custody, moved.result.moved_to) == ("receiver", "garage")


def test_what_a_box_states_about_itself_counts_for_a_week_under_its_key() -> None:
    token = V2["box_statement"].encode()
    found = verify_statement(token, BOX_KEY.public, home=HOME, utc=AT)
    assert isinstance(found, BoxStatement)
    assert (found.sub, found.speaks.delivery, found.entrances) == ("shop", (1, 2), {"front": ("dimensions",)})
    for key, home, at, why in (
        (BRAND_KEY.public, HOME, AT, RejectionCode.WRONG_SIGNATURE),
        (BOX_KEY.public, "home-2", AT, RejectionCode.WRONG_ISSUER),
        (BOX_KEY.public, HOME, AT + timedelta(days=7), RejectionCode.NO_LONGER_VALID),
        (BOX_KEY.public, HOME, AT - timedelta(minutes=2), RejectionCode.NOT_YET_VALID),
    ):
        assert verify_statement(token, key, home=home, utc=at) is why
