"""What a retailer's program signs, as homes and the hub read it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gateway.domain.delivery.features import used_features
from gateway.domain.delivery.promise import Arrival, Cancel, Claims, Offer, TimeRequest, Update
from gateway.domain.delivery.promise_v2 import V2_FIELDS, OfferV2
from gateway.domain.now import Now
from gateway.hub.sdk import SigningKey
from gateway.hub.sdk.models import (
    FoodProfile,
    LabelRule,
    NewAskedTerms,
    NewDeliveryItem,
    NewDeliveryOrder,
    NewExpectedAddress,
    NewParcelSize,
    NewWindow,
)
from gateway.protocol import jws
from gateway.protocol.brand_messages import CommentClaims, FactsQuery
from gateway.protocol.brand_statement import (
    ConsentStatement,
    EndStatement,
    NextKeyStatement,
    proof_error,
    verify_brand_statement,
)
from gateway.protocol.consent_request import is_compact
from gateway.protocol.delivery_message import verify_delivery
from gateway.protocol.ed25519 import PublicKey
from gateway.protocol.jws import EnrolledKey

AT = datetime(2026, 12, 1, 12, 0, 0, 500, tzinfo=UTC)
KEY = SigningKey.generate("lune-1", now=lambda: AT)
HUB = "https://hub.example"
ENROLLED = {KEY.kid: EnrolledKey("lune", PublicKey.from_text(KEY.x))}
WINDOW = NewWindow(start=AT, end=AT + timedelta(hours=2))
PLAIN: dict[str, Any] = {"entrance": "front", "place": "hall", "carrier": "Café Étoile", "window": WINDOW}
MORE: dict[str, Any] = {
    "min_celsius": 0.0,
    "items": [
        NewDeliveryItem(code="(01)04006381333931(21)7", place="fridge", profile=FoodProfile.FISH, max_seconds=60)
    ],
    "entrances": ["garage"],
    "dimensions": NewParcelSize(length=400, width=300, height=200),
    "label_rules": [LabelRule("4325"), LabelRule("4322")],
    "collect": ["RB123456785GB"],
    "holder": "robot",
    "expected_address": NewExpectedAddress(postcode="75011"),
    "info": {"note": "Fragile"},
}


def read(token: str, *, home: str = "home-1") -> Claims:
    claims = verify_delivery(token.encode(), ENROLLED, box=home, now=Now(utc=AT, mono=1.0, trusted=True))
    assert isinstance(claims, Claims), claims
    assert is_compact(token)
    return claims


def signed(**fields: Any) -> Claims:  # noqa: ANN401 - an order's fields
    order = NewDeliveryOrder(**{**PLAIN, **fields})
    return read(KEY.sign_order(order, brand="lune", home="home-1", order_id="order-1"))


def test_a_home_reads_an_order_of_the_first_version_with_every_field() -> None:
    offer = signed(parcels=["XY123456785FR"], courier_sha256="0" * 64, max_celsius=8.0, name="ORD-4711").delivery
    assert isinstance(offer, Offer)
    assert not isinstance(offer, OfferV2), "every box reads it"
    assert (offer.id, offer.version, offer.carrier, offer.window.start) == ("order-1", 1, "Café Étoile", AT)
    assert (offer.parcels, offer.courier_sha256, offer.max_celsius) == (("XY123456785FR",), "0" * 64, 8.0)


def test_the_fields_of_these_tests_are_all_that_the_second_version_has() -> None:
    assert MORE.keys() == V2_FIELDS - {"needs", "yes_each"}


@pytest.mark.parametrize("names", [[name] for name in MORE] + [list(MORE)], ids=lambda names: "-".join(names)[:20])
def test_a_home_reads_each_field_of_the_second_version_and_the_features_that_it_needs(names: list[str]) -> None:
    offer = signed(**{name: MORE[name] for name in names}).delivery
    assert isinstance(offer, OfferV2)
    assert offer.needs == used_features(offer.model_dump(mode="json"))
    for name in names:
        assert getattr(offer, name) not in (None, (), {}), name
    if "entrances" in names:
        assert offer.entrances == ("front", "garage")


def test_a_home_reads_changes_cancels_and_notices() -> None:
    by: dict[str, Any] = {"brand": "lune", "home": "home-1", "order_id": "order-1", "version": 2}
    order = NewDeliveryOrder(**PLAIN)
    assert isinstance(read(KEY.sign_order(order, do="update", **by)).delivery, Update)
    assert isinstance(read(KEY.sign_cancel(**by)).delivery, Cancel)
    assert isinstance(read(KEY.sign_more_time(**by)).delivery, TimeRequest)
    arrival = read(KEY.sign_arrival(**by, on_the_way=True, eta=AT)).delivery
    assert isinstance(arrival, Arrival)
    assert (arrival.on_the_way, arrival.eta) == (True, AT)


def test_the_hub_and_homes_read_statements_about_keys_and_connections() -> None:
    later, public = SigningKey.generate("lune-2", now=lambda: AT), PublicKey.from_text(KEY.x)
    assert proof_error(KEY.prove(brand="lune", hub=f"{HUB}/"), public, brand="lune", kid="lune-1", hub=HUB) is None
    vouched = verify_brand_statement(KEY.vouch_for(later, brand="lune", hub=HUB), NextKeyStatement, ENROLLED, hub=HUB)
    assert vouched is not None
    assert (vouched[0].kid, vouched[0].x) == ("lune-2", later.x)
    asked = NewAskedTerms(carriers=["DHL"], hub_signed=True)
    request = KEY.sign_request(asked, brand="lune", name="Maison Lune", hub=HUB)
    consent = verify_brand_statement(request, ConsentStatement, ENROLLED, hub=HUB)
    assert consent is not None
    assert (consent[0].name, consent[0].asked.carriers, consent[0].asked.hub_signed) == ("Maison Lune", ("DHL",), True)
    ended = verify_brand_statement(KEY.sign_end("con-1", brand="lune", hub=HUB), EndStatement, ENROLLED, hub=HUB)
    assert ended is not None
    assert ended[0].connection == "con-1"


def test_a_home_reads_a_query_for_facts_and_a_comment() -> None:
    query = KEY.sign_facts_query(brand="lune", home="home-1", jti="my-question-00001")
    found = jws.verify_enrolled(query.encode(), ENROLLED, jws.FACTS_QUERY, FactsQuery, max_bytes=4096)
    assert isinstance(found, tuple)
    assert found[1].jti == "my-question-00001"
    comment = KEY.sign_comment("We now ring twice.", brand="lune", home="home-1")
    found_comment = jws.verify_enrolled(comment.encode(), ENROLLED, jws.BRAND_COMMENT, CommentClaims, max_bytes=4096)
    assert isinstance(found_comment, tuple)
    assert found_comment[1].comment == "We now ring twice."


def test_a_key_is_kept_as_a_jwk_and_its_private_half_stands_in_no_text() -> None:
    again = SigningKey.from_jwk("lune-1", KEY.to_jwk(), now=lambda: AT)
    assert again.x == KEY.x
    assert KEY.to_jwk().partition('"d": "')[2][:43] not in f"{KEY!r} {KEY}"
    for wrong in ("", "{}", '{"kty": "OKP", "crv": "Ed25519", "x": "a"}', '{"kty": "oct", "k": "AAAA"}', "[]", "5"):
        with pytest.raises(ValueError, match="Ed25519"):
            SigningKey.from_jwk("lune-1", wrong)


def test_a_message_lives_at_most_31_days() -> None:
    order = NewDeliveryOrder(**PLAIN)
    for lifetime in (timedelta(0), timedelta(days=32)):
        with pytest.raises(ValueError, match="31 days"):
            KEY.sign_order(order, brand="lune", home="home-1", order_id="a", lifetime=lifetime)
