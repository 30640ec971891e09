"""Messages of version 2 and a box's messages about them, made from fixed keys, times and numbers.

`golden_versions.json` was written when version 2, and then format 2 of events, came (issue 16), by this very function:
`python -m tests.gateway.protocol.golden_versions`; those about items were added when items came (issue 18).
Version 1 is in `golden.json`, which an earlier release wrote.
"""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.domain.delivery.features import Feature, Speaks
from gateway.domain.delivery.food_profiles import FoodProfile
from gateway.domain.delivery.label import LabelRule
from gateway.domain.delivery.promise import DeliveryResult, ItemResult, State, Window
from gateway.domain.delivery.promise_v2 import CancelV2, ClaimsV2, ItemLine, OfferV2, ParcelSize, UpdateV2
from gateway.protocol.box_hub import BoxEvent, BrandAnswer, sign_by_box, token_digest
from gateway.protocol.box_statement import BoxStatement, sign_statement
from gateway.protocol.brand_messages import (
    BrandFacts,
    CommentClaims,
    FactsQuery,
    facts_claims,
    sign_comment,
    sign_facts,
    sign_facts_query,
)
from gateway.protocol.delivery_message import HubClaimsV2, sign_delivery
from gateway.protocol.ed25519 import SigningKey
from gateway.protocol.keys import BoxKey
from tests.gateway.protocol.golden import AT, SECONDS

VERSIONS_FILE = Path(__file__).with_name("golden_versions.json")
BRAND_KEY = SigningKey.from_seed(b"b" * 32)
BOX_KEY = BoxKey(Ed25519PrivateKey.from_private_bytes(b"x" * 32))
HOME = "home-1"
_CLAIMS: dict[str, Any] = {"aud": "box-1", "iat": SECONDS, "nbf": SECONDS, "exp": SECONDS + 3600}
_BODY: dict[str, Any] = {
    "id": "order-2", "version": 1, "entrance": "front", "place": "hall", "carrier": "Colissimo",
    "window": Window(start=AT, end=AT + timedelta(hours=2)), "parcels": ("8L20524752049",), "courier_sha256": "cd" * 32,
}  # fmt: skip


def make_versions() -> dict[str, str]:
    """Make all of them."""
    offer = OfferV2(
        **_BODY, needs=(Feature.DIMENSIONS, Feature.ENTRANCES, Feature.LABEL_RULES),
        entrances=("front", "garage"), dimensions=ParcelSize(length=400, width=300, height=200),
        label_rules=(LabelRule.AUTHORITY_TO_LEAVE, LabelRule.NOT_AFTER), info={"note": "Fragile"},
    )  # fmt: skip
    update, cancel = UpdateV2(**{**_BODY, "version": 2}, needs=()), CancelV2(id="order-2", version=3, needs=())

    def said(delivery: OfferV2 | UpdateV2 | CancelV2, jti: str) -> str:
        claims = ClaimsV2(iss="shop", jti=jti, delivery=delivery, **_CLAIMS)
        return sign_delivery(claims, BRAND_KEY, kid="shop-1").decode()

    unsigned = HubClaimsV2(brand="shop", jti="0123456789abcde4", delivery=offer, **_CLAIMS)
    result: dict[str, Any] = {
        "box": "box-1",
        "at": AT,
        "brand": "shop",
        "delivery": "order-1",
        "version": 3,
        "state": State.SCHEDULED,
    }
    plain = DeliveryResult(**result, answers="0123456789abcdef", accepted=True)
    refused = DeliveryResult(
        **{**result, "delivery": "order-2", "state": None}, accepted=False, code="unsupported",
        unsupported=("items", "wings"),
    )  # fmt: skip
    speaks = Speaks(delivery=(1, 2), needs=("dimensions", "entrances"))
    statement = BoxStatement(
        iss=HOME, sub="shop", iat=SECONDS, exp=SECONDS + 7 * 24 * 3600, speaks=speaks,
        entrances={"front": ("dimensions",)},
    )  # fmt: skip
    return {
        "offer_v2": said(offer, "0123456789abcde1"),
        "update_v2": said(update, "0123456789abcde2"),
        "cancel_v2": said(cancel, "0123456789abcde3"),
        "hub_signed_v2": sign_delivery(unsigned, BRAND_KEY, kid="hub-1").decode(),
        "box_statement": sign_statement(statement, BOX_KEY.sign).decode(),
        "result_v1": plain.model_copy(update={"speaks": speaks}).model_dump_json(exclude_none=True),
        "result_v2": refused.model_copy(update={"speaks": speaks}).model_dump_json(exclude_none=True),
        "event_v1": _event(plain),
        "event_v2": _event(refused),
        **_of_format_2(plain),
        **_of_items(plain),
    }


def _of_items(plain: DeliveryResult) -> dict[str, str]:
    """An order whose items have limits of every sort, and what its retailer gets of each (issue 18)."""
    fish, peas = "(01)04006381333931(21)fish-1", "(00)340123450000000017"
    lines = (
        ItemLine(code=fish, place="fridge", profile=FoodProfile.FISH),
        ItemLine(code="milk-1", place="fridge", min_celsius=0.5, max_celsius=6.0, max_seconds=120),
        ItemLine(code=peas, place="freezer", max_celsius=-18),
    )
    offer = OfferV2(
        **{**_BODY, "id": "order-3"}, needs=(Feature.ITEMS, Feature.MIN_CELSIUS), items=lines, min_celsius=2
    )
    claims = ClaimsV2(iss="shop", jti="0123456789abcde7", delivery=offer, **_CLAIMS)
    held = (
        ItemResult(code=fish, verdict="conformant", seconds=41.5, lowest_c=1.0, highest_c=1.5),
        ItemResult(code="milk-1", verdict="non_conformant", reasons=("too_warm", "too_long"), seconds=130.0),
        ItemResult(code=peas, verdict="unknown", reasons=("not_stowed",)),
    )
    result = plain.model_copy(update={"delivery": "order-3", "state": State.DELIVERED, "cold_chain": held})
    return {
        "offer_items_v2": sign_delivery(claims, BRAND_KEY, kid="shop-1").decode(),
        "result_items": result.model_dump_json(exclude_none=True),
        "event_items": _event(result),
    }


def _of_format_2(plain: DeliveryResult) -> dict[str, str]:
    """The messages of a box to a hub that reads format 2, and a brand's messages about its facts."""
    claims: dict[str, Any] = {**_CLAIMS, "aud": HOME, "iss": "shop"}
    query = sign_facts_query(FactsQuery(**claims, jti="0123456789abcde5"), BRAND_KEY, kid="shop-1")
    comment = CommentClaims(**claims, jti="0123456789abcde6", comment="The courier was new.")
    counted = BrandFacts(
        until=AT, announced=2, visits=1, outcomes={"delivered": 1}, on_time=1, missed=1, doors_left_open=0,
        handed_to_owner=0, refusals={}, complaints={"late": 1},
    )  # fmt: skip
    facts = sign_facts(facts_claims(HOME, "shop", counted, comment=None, answers="0123456789abcde5"), BOX_KEY)
    answer = BrandAnswer(brand="shop", token_sha256=token_digest(query), accepted=True, facts=facts.decode())
    event = BoxEvent(home=HOME, seq=1, prev="0" * 64, at=AT, answer=answer)
    moved = plain.model_copy(update={"state": State.DELIVERED, "custody": "receiver", "moved_to": "garage"})
    return {
        "facts_query": query.decode(),
        "brand_comment": sign_comment(comment, BRAND_KEY, kid="shop-1").decode(),
        "brand_facts": facts.decode(),
        "event_moved": _event(moved),
        "event_answer": sign_by_box(event, BOX_KEY.sign).decode(),
    }


def _event(result: DeliveryResult) -> str:
    event = BoxEvent(home=HOME, seq=1, prev="0" * 64, at=AT, result=result)
    return sign_by_box(event, BOX_KEY.sign).decode()


if __name__ == "__main__":
    VERSIONS_FILE.write_text(json.dumps(make_versions(), indent=1) + "\n", encoding="utf-8")
