from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.protocol.consent_request import AskedTerms, ConsentMessage, RequestedKey, parse_consent
from gateway.protocol.consent_verification import (
    REASON_EXPIRED,
    REASON_NOT_YET_VALID,
    REASON_OTHER_HOME,
    REASON_UNKNOWN_KEY,
    REASON_UNREADABLE,
    REASON_UNSIGNED,
    VerifiedConsentMessage,
    verify_consent,
)
from tests.gateway.domain.delivery.shop import NOW, make_home, noon_plus
from tests.stranger import HOME, HUB, UnknownBrand

BRANDS = make_home().brands
SHOP, FARM = (BRANDS[name].keys[0].x for name in ("shop", "farm"))
NEW = UnknownBrand().x()


def asks(brand: str, *keys: str) -> ConsentMessage:
    return ConsentMessage(
        hub=HUB, home=HOME, brand=brand, name="The Shop", connection="con-1",
        keys=tuple(RequestedKey(kid=f"k-{at}", x=x) for at, x in enumerate(keys)), asked=AskedTerms(carriers=("c",)),
    )  # fmt: skip


def heard(
    asking: ConsentMessage | bytes | None, known: Mapping[str, str] | None = None
) -> VerifiedConsentMessage | str:
    found = parse_consent(asking) if isinstance(asking, bytes) else asking
    return verify_consent(found, home=HOME, hub=HUB, known_keys=known, utc=NOW.utc)


@pytest.mark.parametrize(
    ("asking", "known", "why"),
    [
        (asks("shop", SHOP), {"shop-1": SHOP}, None),
        (asks("shop", NEW, SHOP), {"shop-1": SHOP}, None),  # it rotates its keys
        (asks("shop", NEW), {"shop-1": SHOP}, REASON_UNKNOWN_KEY),  # the hub says that it is the shop
        (asks("shop"), {"shop-1": SHOP}, REASON_UNKNOWN_KEY),
        (asks("shop", FARM), {"shop-1": SHOP}, REASON_UNKNOWN_KEY),  # another brand's key
        (asks("shop", SHOP), {}, REASON_UNKNOWN_KEY),  # the owner trusts none of its keys any longer
        (asks("stranger", SHOP), None, REASON_UNSIGNED),
        (asks("stranger"), None, REASON_UNKNOWN_KEY),  # no key, and it does not even ask to come without
        (asks("shop", SHOP).model_copy(update={"home": "home-2"}), {"shop-1": SHOP}, REASON_OTHER_HOME),
        (None, None, REASON_UNREADABLE),
    ],
)
def test_only_who_shows_a_known_key_or_signs_its_question_is_answered(
    asking: ConsentMessage | None, known: Mapping[str, str] | None, why: str | None
) -> None:
    found = heard(asking, known)
    assert (found if isinstance(found, str) else None) == why


def test_what_an_unknown_brand_asks_counts_as_it_signed_it_whatever_the_hub_writes_beside_it() -> None:
    lune = UnknownBrand()
    found = heard(lune.asking(name="Amazon", asked=AskedTerms(carriers=("Anybody",), hub_signed=True)))
    assert isinstance(found, VerifiedConsentMessage)
    assert found.request is not None
    assert (found.request.name, found.request.asked.carriers) == ("Maison Lune", ("Colissimo",))
    assert not found.request.asked.hub_signed
    assert [key.x for key in found.request.keys] == [lune.x()]


def test_a_hub_adds_no_key_of_its_own_to_what_a_brand_asks() -> None:
    lune, hub = UnknownBrand(), UnknownBrand(id="lune")
    second = lune.grows()
    forged = replace(hub, keys=[*hub.keys, hub.keys[0]]).vouches(2).model_copy(update={"kid": "lune-9"})
    found = heard(lune.asking(lune.shown(), lune.vouches(second), RequestedKey(kid="lune-8", x=hub.x()), forged))
    assert isinstance(found, VerifiedConsentMessage)
    assert found.request is not None
    assert [key.kid for key in found.request.keys] == ["lune-1", "lune-2"]


@pytest.mark.parametrize("change", ["other terms", "another key", "another brand", "another hub", "another type"])
def test_a_question_that_was_altered_on_its_way_is_none(change: str) -> None:
    lune, other = UnknownBrand(), UnknownBrand()
    signed = lune.asks()
    head, _, signature = signed.split(".")
    altered = {
        "other terms": ".".join((head, lune.asks(carriers=("Anybody",)).split(".")[1], signature)),
        "another key": other.asks(),
        "another brand": replace(lune, id="soleil").asks(),
        "another hub": replace(lune, hub="https://other.example").asks(),
        "another type": lune.ends(),
    }
    assert heard(lune.asking(signed=signed)) not in (REASON_UNSIGNED, REASON_EXPIRED)
    assert heard(lune.asking(signed=altered[change])) == REASON_UNSIGNED


def test_a_question_lives_no_longer_than_its_brand_said_nor_than_a_month_nor_waits_longer_than_a_week() -> None:
    lune = UnknownBrand()
    token = lune.asking(signed=lune.asks(lives=timedelta(days=30)), expires=NOW.utc + timedelta(days=365))
    found = heard(token)
    assert isinstance(found, VerifiedConsentMessage)
    assert found.request is not None
    assert found.request.expires == NOW.utc + timedelta(days=7)
    assert heard(lune.asking(signed=lune.asks(lives=timedelta(days=32)))) == REASON_EXPIRED
    late = parse_consent(lune.asking(signed=lune.asks(lives=timedelta(hours=1))))
    assert verify_consent(late, home=HOME, hub=HUB, known_keys=None, utc=noon_plus(hours=2).utc) == REASON_EXPIRED
    early = parse_consent(replace(lune, now=NOW.utc + timedelta(minutes=5)).asking())
    assert verify_consent(early, home=HOME, hub=HUB, known_keys=None, utc=NOW.utc) == REASON_NOT_YET_VALID


def test_of_a_known_brand_only_a_key_that_counts_vouches_for_another_one() -> None:
    lune = UnknownBrand()
    for _ in range(3):
        lune.grows()
    known = {lune.kid(): lune.x()}
    found = heard(lune.asking(lune.shown(), lune.vouches(3, by=2), lune.vouches(2), connection=None), known)
    assert isinstance(found, VerifiedConsentMessage)
    assert {key.kid for key in found.keys} == {"lune-2", "lune-3"}, "one vouches for the next"
    lone = heard(lune.asking(lune.shown(), lune.vouches(3, by=2), lune.shown(4), connection=None), known)
    assert isinstance(lone, VerifiedConsentMessage)
    assert lone.keys == ()
    swapped = lune.vouches(2).model_copy(update={"x": lune.x(3)})
    other = heard(lune.asking(lune.shown(), swapped, connection=None), known)
    assert isinstance(other, VerifiedConsentMessage)
    assert other.keys == (), "the hub put another key in the place of the one that was vouched for"


def test_that_the_brand_itself_ends_a_connection_only_its_key_says() -> None:
    lune, other = UnknownBrand(), UnknownBrand()
    known = {lune.kid(): lune.x()}
    for word, signed in ((lune.ends(), True), (other.ends(), False), (lune.ends("con-2"), False), (None, False)):
        ended = heard(lune.asking(connection=None, ends="con-1", ended=word), known)
        assert isinstance(ended, VerifiedConsentMessage)
        assert (ended.ended_connection, ended.is_end_signed) == ("con-1", signed)


def test_a_question_of_a_megabyte_is_not_even_read() -> None:
    assert parse_consent(b"a" * 1_000_000) is None
    assert parse_consent(UnknownBrand().asking(name="x" * 80) + b"A" * 32_768) is None
