"""Both versions of a delivery's message: no token of one is ever accepted as the other."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.delivery.features import SUPPORTED_FEATURES, Feature
from gateway.domain.delivery.promise import Claims, Offer
from gateway.domain.delivery.promise_v2 import CancelV2, ClaimsV2, OfferV2
from gateway.protocol import jws
from gateway.protocol.delivery_message import (
    HubClaims,
    HubClaimsV2,
    UnsupportedMessage,
    hub_key_id,
    sign_delivery,
    verify_delivery,
    verify_hub_delivery,
)
from gateway.protocol.ed25519 import SigningKey
from gateway.protocol.jws import RejectedMessage, RejectionCode, TokenKind
from tests.gateway.domain.delivery.shop import (
    BOX,
    NOW,
    SECRETS,
    enrolled_keys,
    make_cancel,
    make_claims,
    make_offer,
    make_offer_v2,
    make_update,
    make_update_v2,
    sign_claims,
)

HUB = SigningKey.from_seed(b"h" * 32)
KINDS = (jws.DELIVERY, jws.DELIVERY_2, jws.HUB_DELIVERY, jws.HUB_DELIVERY_2)
SIZE = {"length": 400, "width": 300, "height": 200}
V1 = st.sampled_from([make_offer(), make_update(), make_cancel(), make_offer(parcels=(), max_celsius=4.0)])
V2 = st.sampled_from([
    make_offer_v2(), make_update_v2(), make_offer_v2(dimensions=SIZE), make_offer_v2(entrances=("front", "garage")),
    make_offer_v2(info={"note": "Fragile"}), CancelV2(id="d1", version=2, needs=()),
])  # fmt: skip


def payload_of(said: Any, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - an order, any claim
    fields: dict[str, Any] = json.loads(make_claims(said).model_dump_json(exclude_none=True))
    return fields | changes


def signed(
    kind: TokenKind, payload: Mapping[str, Any], key: SigningKey = SECRETS["shop"], kid: str = "shop-1"
) -> bytes:
    return jws.sign(kind, json.dumps(payload).encode(), key.sign, kid=kid)


def verified(token: bytes, **changes: Any) -> Claims | RejectedMessage:  # noqa: ANN401 - of the clock
    return verify_delivery(token, enrolled_keys(), box=BOX, now=replace(NOW, **changes))


@given(V1 | V2)
def test_what_a_brand_signs_is_believed_as_the_version_that_it_is(said: Any) -> None:  # noqa: ANN401 - an order
    message = make_claims(said)
    found = verified(sign_claims(message))
    assert found == message
    assert type(found) is type(message)


@given(V1, V2, st.sampled_from(KINDS))
def test_no_token_of_one_version_is_accepted_as_the_other(first: Any, second: Any, kind: TokenKind) -> None:  # noqa: ANN401 - orders
    """Whatever `typ` says of a payload: only the version whose payload it is has claims in the end."""
    older, newer = verified(signed(kind, payload_of(first))), verified(signed(kind, payload_of(second)))
    assert isinstance(older, Claims) is (kind is jws.DELIVERY)
    assert not isinstance(older, ClaimsV2)
    assert isinstance(newer, Claims) is (kind is jws.DELIVERY_2)
    assert isinstance(newer, ClaimsV2) is (kind is jws.DELIVERY_2)


@given(V1 | V2, st.sampled_from(KINDS), st.sampled_from(KINDS))
def test_a_token_whose_type_was_exchanged_is_not_signed(said: Any, kind: TokenKind, other: TokenKind) -> None:  # noqa: ANN401 - an order
    token = signed(kind, payload_of(said))
    forged = b".".join((other.header("shop-1"), *token.split(b".")[1:]))
    found = verified(forged)
    assert isinstance(found, Claims) <= (kind is other)
    if kind is not other and other in {jws.DELIVERY, jws.DELIVERY_2}:
        assert isinstance(found, RejectedMessage)
        assert found.code is RejectionCode.WRONG_SIGNATURE


@given(st.sets(st.sampled_from(sorted(Feature)) | st.from_regex(r"[a-z][a-z0-9_]{0,31}", fullmatch=True), max_size=8))
def test_a_need_that_the_box_does_not_understand_is_named_and_nothing_else_of_the_message(needs: set[str]) -> None:
    body = payload_of(make_offer_v2(dimensions=SIZE))
    words = needs | {"dimensions"}
    body["delivery"] |= {"needs": sorted(words), "wings": {"span": 3}}
    found = verified(signed(jws.DELIVERY_2, body))
    assert isinstance(found, RejectedMessage)
    unknown = tuple(sorted(words - SUPPORTED_FEATURES))
    if unknown:
        assert isinstance(found, UnsupportedMessage)
        assert (found.code, found.words) == (RejectionCode.UNSUPPORTED, unknown)
        assert (found.brand, found.delivery, found.version) == ("shop", "d1", 1)
        assert found.jti == body["jti"]
        assert all(word in found.why for word in unknown)
    else:
        assert found.code is RejectionCode.WRONG_CLAIMS, "a field that no word of `needs` explains"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"aud": "box-2"}, RejectionCode.WRONG_AUDIENCE),
        ({"iss": "farm"}, RejectionCode.WRONG_ISSUER),
        ({"exp": 1}, RejectionCode.NO_LONGER_VALID),
        ({"delivery": {"needs": ["wings"]}}, RejectionCode.WRONG_CLAIMS),
        ({"jti": "short"}, RejectionCode.WRONG_CLAIMS),
    ],
)
def test_a_message_that_does_not_count_is_not_answered_about_its_needs(
    changes: dict[str, Any], code: RejectionCode
) -> None:
    body = payload_of(make_offer_v2())
    body["delivery"] |= {"needs": ["wings"]}
    found = verified(signed(jws.DELIVERY_2, body | changes))
    assert isinstance(found, RejectedMessage)
    assert found.code is code


def test_without_the_time_a_message_of_either_version_is_to_be_sent_again() -> None:
    body = payload_of(make_offer_v2())
    body["delivery"] |= {"needs": ["wings"]}
    for token in (sign_claims(make_claims(make_offer_v2())), signed(jws.DELIVERY_2, body)):
        found = verified(token, trusted=False)
        assert isinstance(found, RejectedMessage)
        assert found.code is RejectionCode.CLOCK_UNTRUSTED


@pytest.mark.parametrize("model", [HubClaims, HubClaimsV2])
def test_what_the_hub_signs_for_a_brand_has_both_versions_too(model: type[HubClaims]) -> None:
    offer = make_offer_v2(dimensions=SIZE) if model is HubClaimsV2 else make_offer()
    seconds = int(NOW.utc.timestamp())
    claims = model(
        brand="shop", aud=BOX, iat=seconds, nbf=seconds, exp=seconds + 60, jti="hub-message-0001", delivery=offer
    )  # fmt: skip
    token = sign_delivery(claims, HUB, kid=hub_key_id(HUB.public.fingerprint))
    found = verify_hub_delivery(token, HUB.public, box=BOX, now=NOW)
    assert found == claims
    assert isinstance(found, HubClaims)
    assert type(found.for_brand) is (ClaimsV2 if model is HubClaimsV2 else Claims)
    assert found.for_brand.delivery == offer
    other = verify_delivery(token, enrolled_keys(), box=BOX, now=NOW)
    assert isinstance(other, RejectedMessage)
    assert other.code is RejectionCode.WRONG_TYPE


def test_what_the_hub_passes_on_of_an_unknown_need_names_the_brand_that_asked() -> None:
    seconds = int(NOW.utc.timestamp())
    body = payload_of(make_offer_v2(), iss="hub", brand="farm", iat=seconds)
    body["delivery"] |= {"needs": ["wings"]}
    kid = hub_key_id(HUB.public.fingerprint)
    found = verify_hub_delivery(signed(jws.HUB_DELIVERY_2, body, HUB, kid), HUB.public, box=BOX, now=NOW)
    assert isinstance(found, UnsupportedMessage)
    assert found.brand == "farm"
    body["iss"] = "shop"
    lie = verified(signed(jws.DELIVERY_2, body))
    assert isinstance(lie, UnsupportedMessage)
    assert lie.brand == "shop", "a brand speaks for itself only"


def test_an_offer_of_version_2_is_an_offer_wherever_one_is_expected() -> None:
    assert isinstance(make_offer_v2(), Offer)
    assert issubclass(OfferV2, Offer)
    assert ClaimsV2.model_validate_json(make_claims(make_offer_v2()).model_dump_json()).delivery.do == "offer"
