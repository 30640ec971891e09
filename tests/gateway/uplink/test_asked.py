import pytest

from gateway.hub.asking import AskedKey, AskedTerms, Asking
from gateway.proof.keys import BoxKey
from gateway.uplink.asked import ANOTHER_HOME, NO_QUESTION, UNKNOWN, objection
from tests.gateway.delivery.shop import home

BRANDS = home().brands
SHOP, FARM = (BRANDS[name].keys[0].x for name in ("shop", "farm"))
ALL = frozenset({SHOP, FARM})


def asks(brand: str, *keys: str) -> Asking:
    return Asking(
        hub="https://hub.example", home="home-1", brand=brand, name="The Shop", connection="con-1",
        keys=tuple(AskedKey(kid=f"k-{at}", x=x) for at, x in enumerate(keys)), asked=AskedTerms(carriers=("c",)),
    )  # fmt: skip


NEW = BoxKey.fresh().public.text


@pytest.mark.parametrize(
    ("asking", "trusted", "why"),
    [
        (asks("shop", SHOP), ALL, None),
        (asks("shop", NEW, SHOP), ALL, None),  # it rotates its keys
        (asks("shop", NEW), ALL, UNKNOWN),  # the hub says that it is the shop
        (asks("shop"), ALL, UNKNOWN),
        (asks("shop", FARM), ALL, UNKNOWN),  # another brand's key
        (asks("shop", SHOP), frozenset({FARM}), UNKNOWN),  # the owner trusts that key no longer
        (asks("stranger", SHOP), ALL, UNKNOWN),
        (asks("shop", SHOP).model_copy(update={"home": "home-2"}), ALL, ANOTHER_HOME),
        (None, ALL, NO_QUESTION),
    ],
)
def test_only_a_brand_of_this_house_that_shows_a_key_of_its_own_is_answered(
    asking: Asking | None, trusted: frozenset[str], why: str | None
) -> None:
    assert objection(asking, "home-1", BRANDS, trusted) == why
