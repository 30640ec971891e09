"""What an owner tells of the home's address, and what becomes of an order for another one."""

from pathlib import Path
from typing import Any

import pytest

from gateway.domain.delivery.address import AddressKind, HomeAddress, OrderAddress, is_other_address
from gateway.domain.delivery.promise import State
from gateway.storage.models import MessageAnswer
from gateway.storage.store import Store
from tests.gateway.domain.delivery.house import open_store, receive
from tests.gateway.domain.delivery.shop import NOW, make_home, make_offer_v2, make_update_v2

POSTCODE = HomeAddress(kind=AddressKind.POSTCODE, text="75 011")


async def offers(store: Store, **address: str) -> MessageAnswer:
    return await receive(store, make_offer_v2(expected_address=address))


def state_of(store: Store) -> tuple[State | None, str | None]:
    result = store.deliveries.result("shop.d1", NOW)
    assert result is not None
    return result.state, result.reason


async def test_the_box_refuses_a_change_to_another_address_and_the_version_before_it_stands(tmp_path: Path) -> None:
    async with open_store(tmp_path) as store:
        assert await store.addresses.tell(POSTCODE, NOW, by="p-anna") == ()
        refused = (await offers(store, postcode="69001")).result
        assert (refused.accepted, refused.code) == (False, "other_address")
        assert store.deliveries.result("shop.d1", NOW) is None, "it is not kept"
        assert (await offers(store, postcode="75011")).result.accepted
        moved = make_update_v2(expected_address={"postcode": "69001"})
        assert (await receive(store, moved)).result.code == "other_address"
        assert state_of(store) == (State.SCHEDULED, None)
    async with open_store(tmp_path) as store:
        assert store.addresses.told == POSTCODE, "it outlives the box's restart"
        order = store.deliveries.order("shop.d1")
        assert order is not None
        assert order.expected_address == OrderAddress(postcode="75011")
        word = HomeAddress(kind=AddressKind.WORD, text="tilleul")
        assert await store.addresses.tell(word, NOW, by="p-anna") == ("shop.d1",)
        assert state_of(store) == (State.SCHEDULED, None), "the order says no word"
        other = HomeAddress(kind=AddressKind.POSTCODE, text="69001")
        await store.addresses.tell(other, NOW, by="p-anna")
        assert state_of(store) == (State.REFUSED, "other_address")
        with pytest.raises(ValueError, match="1 to 32"):
            await store.addresses.tell(HomeAddress(kind=AddressKind.WORD, text=" - "), NOW, by="p-anna")


async def test_a_brand_that_waits_for_an_answer_cannot_try_which_postcode_it_is(tmp_path: Path) -> None:
    async with open_store(tmp_path, make_home(shop={"state": "pending"})) as store:
        await store.addresses.tell(POSTCODE, NOW, by="p-anna")
        answers = []
        for name, postcode in (("d1", "75011"), ("d2", "69001")):
            codes = {"parcels": (name,), "courier_sha256": name[1] * 64}
            offer = make_offer_v2(id=name, expected_address={"postcode": postcode}, **codes)
            result = (await receive(store, offer)).result
            answers.append((result.accepted, result.code, result.state, result.reason))
        assert answers[0] == answers[1] == (True, None, State.AWAITING_PERMISSION, None)


@pytest.mark.parametrize(
    ("told", "expected", "other"),
    [
        (POSTCODE, {"postcode": "75011"}, False),
        (POSTCODE, {"postcode": "75.011"}, False),
        (POSTCODE, {"postcode": "75012"}, True),
        (POSTCODE, {"word": "tilleul"}, False),
        (HomeAddress(kind=AddressKind.POSTCODE, text="SW1A 1AA"), {"postcode": "sw1a1aa"}, False),
        (HomeAddress(kind=AddressKind.WORD, text="Tilleul"), {"word": "TILLEUL", "postcode": "75012"}, False),
        (HomeAddress(kind=AddressKind.WORD, text="Tilleul"), {"word": "tulipe"}, True),
        (None, {"postcode": "75011"}, False),
    ],
)
def test_case_and_spaces_do_not_make_another_address(
    told: HomeAddress | None, expected: dict[str, Any], *, other: bool
) -> None:
    assert is_other_address(told, OrderAddress(**expected)) is other
    assert not is_other_address(told, None)
