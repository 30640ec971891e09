"""Brands that a house does not know: they ask, the owner answers, and nothing else lets them in."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from gateway.config.home import BrandKeySection, BrandSection, Home
from gateway.domain.delivery.permission import PermissionStatus, PermissionTerms
from gateway.domain.delivery.promise import Offer
from gateway.domain.delivery.result import Refusal
from gateway.domain.visit.commands import Notification
from gateway.protocol.consent_request import AskedTerms
from gateway.protocol.consent_verification import REASON_NOT_YET_VALID, REASON_UNKNOWN_KEY, REASON_UNSIGNED
from gateway.protocol.delivery_message import verify_delivery
from gateway.protocol.ed25519 import SigningKey
from gateway.protocol.jws import split
from gateway.runtime.permissions import PermissionService
from gateway.storage.consent_requests import (
    MAX_OPEN_REQUESTS,
    MAX_REQUESTS_PER_DAY,
    MAX_WAITING_KEYS,
    REASON_ID_TAKEN,
    REASON_NAME_TOO_SIMILAR,
    REASON_TOO_MANY_REQUESTS,
    ConsentIntakeResult,
)
from gateway.storage.hub_journal import EventSigner
from gateway.storage.models import AccountResult, HouseOffer
from gateway.storage.snapshot import write_snapshot
from gateway.storage.store import Store
from gateway.system.clock import Clock
from gateway.system.clock_settings import ClockSection
from tests.gateway.domain.delivery.house import open_requests, open_store
from tests.gateway.domain.delivery.shop import BOX, NOW, make_home, make_offer, noon_plus
from tests.gateway.people import digest, newcomer, sign_in_entry
from tests.shell.parts import ManualTime
from tests.stranger import HOME, HUB, UnknownBrand, make_brands

ALL = PermissionTerms(entrances=frozenset({"garage"}), places=frozenset({"hall"}), carriers=frozenset({"Colissimo"}))


GRANTED = PermissionStatus.GRANTED


@dataclass
class House:
    """A box's store and its owner's word."""

    store: Store
    time: ManualTime
    told: list[ConsentIntakeResult] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.letting = PermissionService(
            self.store, self.time.clock(), on_change=self.changed.append, notify_owner=self.told.append
        )

    async def hears(self, token: bytes) -> str | None:
        return await self.letting.accept_message(token, home=HOME, hub=HUB)

    async def takes(self, token: bytes) -> str | None:
        """What is said to a delivery: None: it counts, else the code."""
        now = self.time.clock().now()
        verified = verify_delivery(token, self.store.brands.keys, box=BOX, also=HOME, now=now)
        answer = await self.store.deliveries.accept(token, verified, now)
        return answer.result.code

    def standing(self, brand: str = "lune") -> PermissionStatus | None:
        permission = self.store.brands.permission(brand)
        return None if permission is None else permission.standing

    def digest(self, brand: str = "lune") -> str:
        ask = self.store.brands.request_of(brand)
        assert ask is not None
        return ask.digest


def in_garage(**changes: object) -> Offer:
    return make_offer(entrance="garage", courier_sha256=None, **changes)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with open_store(tmp_path) as store:
        yield House(store, ManualTime())


async def test_a_brand_that_nobody_knows_opens_nothing_until_the_owner_has_said_yes(house: House) -> None:
    lune = UnknownBrand()
    assert await house.hears(lune.asking()) is None
    assert house.standing() is PermissionStatus.PENDING
    assert await house.takes(lune.delivers(in_garage())) == "unknown_key"
    (ask,) = open_requests(house.store, NOW)
    assert (ask.name, ask.hub, ask.signed, ask.guest) == ("Maison Lune", HUB, True, True)
    assert [key.x for key in ask.keys] == [lune.x()]
    assert await house.letting.decide("lune", GRANTED, "anna", terms=ALL, ask=ask.digest) is None
    assert house.changed == ["lune"]
    assert await house.takes(lune.delivers(in_garage())) is None
    assert open_requests(house.store, NOW) == ()
    found = house.store.deliveries.facts("lune.d1", NOW)
    assert found is not None
    assert found.refusal is None


async def test_the_owner_is_told_once_of_each_brand_that_begins_to_wait(house: House) -> None:
    lune = UnknownBrand()
    token = lune.asking()
    for _ in range(3):
        await house.hears(token)
    await house.hears(lune.asking(connection="con-2"))
    assert [(one.entrance, one.delivery) for one in house.told] == [("garage", "lune.con-1")]
    assert [one.body for one in house.store.messages.unsent()] == [
        b'{"command": "Tell", "saying": "brand_asks", "delivery": "lune.con-1"}'
    ]


async def test_what_the_owner_did_not_see_he_does_not_permit(house: House) -> None:
    lune = UnknownBrand()
    await house.hears(lune.asking())
    seen = house.digest()
    await house.hears(lune.asking(signed=lune.asks(openings=10), connection="con-2"))
    assert house.digest() != seen
    why = await house.letting.decide("lune", GRANTED, "anna", terms=ALL, ask=seen)
    assert why is not None
    assert house.standing() is PermissionStatus.PENDING
    assert await house.takes(lune.delivers(in_garage())) == "unknown_key"


async def test_narrower_terms_than_asked_are_what_counts(house: House) -> None:
    lune = UnknownBrand()
    await house.hears(lune.asking(signed=lune.asks(entrances=("garage", "front"), places=("hall", "fridge"))))
    assert await house.letting.decide("lune", GRANTED, "anna", terms=ALL, ask=house.digest()) is None
    front = lune.delivers(make_offer(id="d2"))
    assert await house.takes(front) == Refusal.BRAND_NOT_PERMITTED.value
    assert await house.takes(lune.delivers(in_garage())) is None


@pytest.mark.parametrize("no", ["refuse", "revoke"])
async def test_after_a_no_neither_the_same_question_nor_a_new_one_is_shown_again(house: House, no: str) -> None:
    lune = UnknownBrand()
    token = lune.asking()
    await house.hears(token)
    if no == "revoke":
        await house.letting.decide("lune", GRANTED, "anna", terms=ALL, ask=house.digest())
    standing = PermissionStatus.REVOKED if no == "revoke" else PermissionStatus.REFUSED
    assert await house.letting.decide("lune", standing, "anna") is None
    before = house.store.brands.permission("lune")
    for again in (token, lune.asking(connection="con-9"), lune.asking(signed=None)):
        assert await house.hears(again) is None, "it is told what stands, and no more"
        assert house.store.brands.permission("lune") == before
        assert open_requests(house.store, NOW) == ()
    assert len(house.told) == 1
    assert await house.takes(lune.delivers(in_garage())) in {"unknown_key", "brand_not_permitted"}
    assert await house.letting.decide("lune", GRANTED, "anna", terms=ALL) is None, "the owner may always think again"


async def test_silence_is_no(house: House) -> None:
    lune = UnknownBrand()
    await house.hears(lune.asking())
    seen = house.digest()
    house.time.mono += 7 * 24 * 3600
    now = house.time.clock().now()
    assert open_requests(house.store, now) == ()
    why = await house.letting.decide("lune", GRANTED, "anna", terms=ALL, ask=seen)
    assert why is not None
    assert "expired" in why
    assert house.standing() is PermissionStatus.PENDING
    assert await house.takes(lune.delivers(in_garage())) == "unknown_key"
    again = replace(lune, now=now.utc)
    assert await house.hears(again.asking(connection="con-2")) is None
    assert [one.connection for one in open_requests(house.store, now)] == ["con-2"]
    assert len(house.told) == 2
    await house.store.forget(noon_plus(days=80), before=noon_plus(days=50).utc)
    assert house.standing() is None, "what nobody answered is forgotten"


async def test_a_box_that_does_not_know_the_time_has_the_question_brought_again(house: House) -> None:
    lune = UnknownBrand()
    house.letting = PermissionService(
        house.store, _untrusted(), on_change=house.changed.append, notify_owner=house.told.append
    )
    assert await house.hears(lune.asking()) == REASON_NOT_YET_VALID
    assert house.standing() is None


async def test_a_look_alike_or_another_under_the_same_name_is_not_shown(house: House) -> None:
    lune = UnknownBrand()
    await house.hears(lune.asking())
    alike = [UnknownBrand(id="lune-fr", name="Maison Lune"), UnknownBrand(id="maison-lune", name="Other"),
             UnknownBrand(id="l", name="MAlSON LÙNE"), UnknownBrand(id="sh0p", name="Something"),
             UnknownBrand(id="x", name="Shop"), UnknownBrand(id="y", name="F a r m")]  # fmt: skip
    for one in alike:
        assert await house.hears(one.asking()) == REASON_NAME_TOO_SIMILAR, one
    assert await house.hears(UnknownBrand().asking()) == REASON_UNSIGNED, "its id, and a key that is not its own"
    assert await house.hears(UnknownBrand(id="soleil", name="Soleil", keys=lune.keys).asking()) == REASON_ID_TAKEN
    shop = UnknownBrand(id="shop", name="shop")
    assert await house.hears(shop.asking()) == REASON_UNSIGNED
    assert await house.hears(UnknownBrand(id="walk-test", name="Walk").asking()) == REASON_ID_TAKEN
    taken = UnknownBrand(id="soleil", name="Soleil")
    kid = taken.asking(taken.shown().model_copy(update={"kid": "shop-1"}), signed=taken.asks())
    assert await house.hears(kid) == REASON_UNSIGNED, "nor under another brand's key's name"
    assert len(house.told) == 1
    await house.letting.decide("lune", PermissionStatus.REFUSED, "anna")
    assert await house.hears(UnknownBrand(id="lune-fr", name="Maison Lune").asking()) is None, (
        "the refused one was not it"
    )


async def test_a_flood_of_brands_is_bounded_and_costs_none_that_is_let_in(house: House) -> None:
    first, *rest = make_brands(MAX_OPEN_REQUESTS + 15)
    await house.hears(first.asking())
    assert await house.letting.decide(first.id, GRANTED, "anna", terms=ALL) is None
    heard = [await house.hears(one.asking()) for one in rest]
    assert heard[:MAX_OPEN_REQUESTS] == [None] * MAX_OPEN_REQUESTS
    assert set(heard[MAX_OPEN_REQUESTS:]) == {REASON_TOO_MANY_REQUESTS}
    assert len(open_requests(house.store, NOW)) == MAX_OPEN_REQUESTS
    assert len(house.told) == MAX_OPEN_REQUESTS + 1
    asked = [await house.hears(first.asking(connection=f"con-{at}")) for at in range(MAX_REQUESTS_PER_DAY)]
    assert asked.count(None) == MAX_REQUESTS_PER_DAY - MAX_OPEN_REQUESTS - 1, "nor does one brand fill the disk"
    assert await house.takes(first.delivers(in_garage())) is None


async def test_a_new_key_counts_once_the_owner_has_said_yes_and_the_old_one_goes_on(house: House) -> None:
    lune = UnknownBrand()
    await house.hears(lune.asking())
    await house.letting.decide("lune", GRANTED, "anna", terms=ALL, ask=house.digest())
    second = lune.grows()
    assert await house.hears(lune.asking(lune.shown(), lune.vouches(second), connection=None)) is None
    assert [(key.brand, key.kid, key.x) for key in house.store.brands.waiting_keys()] == [("lune", "lune-2", lune.x(2))]
    assert (house.told[-1].saying, house.told[-1].delivery) == (Notification.NEW_KEY, "lune.lune-2")
    assert await house.takes(lune.delivers(in_garage(id="a"), by=2)) == "unknown_key"
    assert await house.letting.decide_key("lune", "lune-2", "approved", "anna") is None
    assert await house.takes(lune.delivers(in_garage(id="b", parcels=("B1",)), by=2)) is None
    assert await house.takes(lune.delivers(in_garage(id="c", parcels=("C1",)), by=1)) is None
    assert await house.hears(lune.asking(lune.vouches(second), connection=None, withdrawn=(lune.x(),))) is None
    assert await house.takes(lune.delivers(in_garage(id="d", parcels=("D1",)), by=1)) == "key_distrusted"
    found = house.store.deliveries.facts("lune.c", NOW)
    assert found is not None
    assert found.refusal is Refusal.KEY_DISTRUSTED, "what the withdrawn key announced opens nothing either"
    assert await house.takes(lune.delivers(in_garage(id="e", parcels=("E1",)), by=2)) is None


async def test_a_hub_invents_no_key_and_a_refused_one_does_not_come_back(house: House) -> None:
    lune, forger = UnknownBrand(), UnknownBrand()
    await house.hears(lune.asking())
    await house.letting.decide("lune", GRANTED, "anna", terms=ALL, ask=house.digest())
    lune.grows(), forger.grows()
    await house.hears(lune.asking(lune.shown(), lune.shown(2), connection=None))
    await house.hears(lune.asking(lune.shown(), forger.vouches(2), connection=None))
    assert house.store.brands.waiting_keys() == ()
    vouched = lune.asking(lune.shown(), lune.vouches(2), connection=None)
    await house.hears(vouched)
    assert await house.letting.decide_key("lune", "lune-2", "refused", "anna") is None
    await house.hears(vouched)
    assert house.store.brands.waiting_keys() == ()
    assert await house.letting.decide_key("lune", "lune-2", "approved", "anna") is not None
    assert await house.takes(lune.delivers(in_garage(), by=2)) == "unknown_key"
    for _ in range(MAX_WAITING_KEYS + 5):
        number = lune.grows()
        await house.hears(lune.asking(lune.shown(), lune.vouches(number), connection=None))
    assert len(house.store.brands.waiting_keys()) == MAX_WAITING_KEYS


@pytest.mark.parametrize("forgotten", ["by the owner", "in time"])
async def test_a_key_that_the_owner_trusts_no_longer_does_not_come_back_behind_somebody_else_of_its_name(
    house: House, forgotten: str
) -> None:
    thief, front = UnknownBrand(), UnknownBrand()  # of one name: the thief has the key that was stolen
    await house.hears(thief.asking())
    await house.letting.decide("lune", GRANTED, "anna", terms=ALL, ask=house.digest())
    await house.store.brands.distrust(thief.x(), NOW, by="anna")
    assert await house.letting.decide("lune", PermissionStatus.REVOKED, "anna") is None
    assert await house.letting.forget("lune", "anna") is None
    front.grows()
    fresh = front.asking(front.shown(2), signed=front.asks(by=2))
    assert await house.hears(fresh) is None
    ask = house.store.brands.request_of("lune")
    assert ask is not None
    assert [key.x for key in ask.keys] == [front.x(2)], "what is shown to the owner is what it came with"
    if forgotten == "by the owner":
        assert await house.letting.decide("lune", PermissionStatus.REFUSED, "anna") is None
        assert await house.letting.forget("lune", "anna") is None
    else:
        await house.store.forget(noon_plus(days=80), before=noon_plus(days=50).utc)
        assert house.store.brands.request_of("lune") is None
    assert await house.hears(thief.asking(signed=thief.asks(openings=2), connection="con-3")) == REASON_ID_TAKEN


async def test_a_known_brand_rotates_its_keys_and_asks_the_same_way(tmp_path: Path) -> None:
    shop = UnknownBrand(id="shop", name="shop")
    enrolled = make_home().model_copy(
        update={"brands": {"shop": make_home(shop={"state": "pending"}).brands["shop"].model_copy(
            update={"keys": (BrandKeySection(kid="shop-1", x=shop.x()),)})}})  # fmt: skip
    (tmp_path / "other").mkdir()
    async with open_store(tmp_path / "other", enrolled) as store:
        other = House(store, ManualTime())
        assert await other.hears(shop.asking(signed=None)) is None
        assert await other.hears(shop.asking()) is None
        assert [one.delivery for one in other.told] == ["shop.con-1"], "it waits, and the owner is told once"
        assert [one.guest for one in open_requests(store, NOW)] == [False]
        assert await other.letting.decide("shop", GRANTED, "anna", terms=ALL, ask=other.digest("shop")) is None
        shop.grows()
        await other.hears(shop.asking(shop.shown(), shop.vouches(2), connection=None))
        assert await other.letting.decide_key("shop", "shop-2", "approved", "anna") is None
        assert await other.takes(shop.delivers(in_garage(), by=2)) is None
    async with open_store(tmp_path / "other", enrolled) as store:
        again = House(store, ManualTime())
        assert await again.takes(shop.delivers(in_garage(id="e", parcels=("E1",)), by=2)) is None, "over a restart"


async def test_who_was_let_in_is_so_after_a_restart_and_the_house_file_wins_over_it(tmp_path: Path) -> None:
    lune = UnknownBrand()
    async with open_store(tmp_path) as store:
        house = House(store, ManualTime())
        await house.hears(lune.asking())
        await house.letting.decide("lune", GRANTED, "anna", terms=ALL, ask=house.digest())
        await house.takes(lune.delivers(in_garage()))
    async with open_store(tmp_path) as store:
        house = House(store, ManualTime())
        assert store.brands.known["lune"].name == "Maison Lune"
        assert await house.takes(lune.delivers(in_garage(id="e", parcels=("E1",)))) is None
    real = UnknownBrand()
    named = BrandSection(name="The real one", keys=(BrandKeySection(kid="lune-1", x=real.x()),))
    async with open_store(tmp_path, _with(make_home(), "lune", named)) as store:
        house = House(store, ManualTime())
        assert store.brands.known["lune"] == named
        assert house.standing() is PermissionStatus.PENDING, "as the house file says"
        found = store.deliveries.facts("lune.d1", NOW)
        assert found is not None
        assert found.refusal is Refusal.ANNOUNCE_AGAIN
        assert await house.takes(lune.delivers(in_garage(id="f"))) == "wrong_signature"
    async with open_store(tmp_path) as store:
        house = House(store, ManualTime())
        assert "lune" not in store.brands.known, "whom the house file names no longer nobody knows"
        assert await house.takes(lune.delivers(in_garage(id="g"))) == "unknown_key"


async def test_who_was_let_in_by_the_house_file_once_asks_anew_as_anybody(tmp_path: Path) -> None:
    lune = UnknownBrand()
    granted = make_home().brands["shop"].permission
    named = BrandSection(name="Maison Lune", keys=(BrandKeySection(kid="lune-1", x=lune.x()),), permission=granted)
    async with open_store(tmp_path, _with(make_home(), "lune", named)) as store:
        assert await House(store, ManualTime()).takes(lune.delivers(in_garage())) is None
    async with open_store(tmp_path) as store:
        house = House(store, ManualTime())
        assert await house.takes(lune.delivers(in_garage(id="e"))) == "unknown_key"
        assert await house.hears(lune.asking()) is None
        assert house.standing() is PermissionStatus.PENDING, "what the file had granted it does not inherit"
        assert await house.takes(lune.delivers(in_garage(id="e"))) == "unknown_key"


async def test_a_brand_without_keys_comes_only_as_the_hub_s_word_and_says_so(house: House) -> None:
    lune = UnknownBrand(keys=[])
    assert await house.hears(lune.asking(signed=None, asked=AskedTerms(carriers=("Colissimo",)))) == REASON_UNKNOWN_KEY
    asked = AskedTerms(carriers=("Colissimo",), hub_signed=True)
    assert await house.hears(lune.asking(signed=None, asked=asked)) is None
    (ask,) = open_requests(house.store, NOW)
    assert (ask.signed, ask.keys) == (False, ())
    permission = house.store.brands.permission("lune")
    assert permission is not None
    assert not permission.terms.hub_signed, "a plain yes never gives that"


async def test_the_house_s_word_goes_up_to_the_hub_each_time(house: House) -> None:
    lune = UnknownBrand()
    await house.store.hub_journal.set_signer(EventSigner(home=HOME, key=SigningKey.generate()), NOW)
    await house.hears(lune.asking())
    await house.store.hub_journal.write_due_events(NOW)
    await house.letting.decide("lune", GRANTED, "anna", terms=replace(ALL, hub_signed=True), ask=house.digest())
    await house.store.hub_journal.write_due_events(NOW)
    await house.letting.decide("lune", PermissionStatus.REVOKED, "anna")
    await house.store.hub_journal.write_due_events(NOW)
    parts = [split(one.token) for one in house.store.hub_journal.unacknowledged(0, 10)]
    told = [one.payload for one in parts if one is not None]
    assert [b'"pending"' in one for one in told] == [True, False, False]
    assert [b'"granted"' in one and b'"hub_signed":true' in one for one in told] == [False, True, False]
    assert [b'"revoked"' in one for one in told] == [False, False, True]


async def test_what_the_hub_takes_back_the_owner_may_trust_again_and_the_same_word_does_not_end_that(
    house: House,
) -> None:
    lune = UnknownBrand()
    await house.hears(lune.asking())
    await house.letting.decide("lune", GRANTED, "anna", terms=ALL, ask=house.digest())
    back = lune.asking(connection=None, withdrawn=(lune.x(),))
    assert await house.hears(back) is None
    assert await house.takes(lune.delivers(in_garage(id="a"))) == "key_distrusted"
    await house.store.brands.trust(lune.x(), NOW, by="anna")
    assert await house.hears(back) is None
    assert await house.takes(lune.delivers(in_garage(id="b"))) is None
    other = UnknownBrand(id="soleil", name="Soleil")
    assert await house.hears(other.asking(connection=None, withdrawn=(lune.x(),))) == REASON_UNKNOWN_KEY
    shop = make_home().brands["shop"].keys[0]
    foreign = lune.asking(connection=None, withdrawn=(shop.x,))
    assert await house.hears(foreign) is None
    assert not any(key.distrusted for key in house.store.brands.all_keys() if key.x == shop.x), "of its own keys alone"


async def test_what_was_announced_under_an_id_before_does_not_come_to_life_with_who_takes_it_later(
    tmp_path: Path,
) -> None:
    lune, later = UnknownBrand(), UnknownBrand()
    granted = make_home().brands["shop"].permission
    named = BrandSection(name="Maison Lune", keys=(BrandKeySection(kid="lune-1", x=lune.x()),), permission=granted)
    async with open_store(tmp_path, _with(make_home(), "lune", named)) as store:
        assert await House(store, ManualTime()).takes(lune.delivers(in_garage())) is None
    async with open_store(tmp_path) as store:
        house = House(store, ManualTime())
        assert await house.hears(later.asking()) is None
        assert await house.letting.decide("lune", GRANTED, "anna", terms=ALL, ask=house.digest()) is None
        found = store.deliveries.facts("lune.d1", NOW)
        assert found is not None
        assert found.refusal is Refusal.ANNOUNCE_AGAIN


async def test_a_copy_that_is_put_back_asks_again_for_who_was_let_in_by_a_hub(house: House, tmp_path: Path) -> None:
    lune, soleil = UnknownBrand(), UnknownBrand(id="soleil", name="Soleil")
    for one in (lune, soleil):
        await house.hears(one.asking())
    await house.letting.decide("lune", GRANTED, "anna", terms=ALL, ask=house.digest())
    (tmp_path / "copy").mkdir()
    write_snapshot(tmp_path / "perron.sqlite", tmp_path / "copy" / "perron.sqlite", NOW)
    async with open_store(tmp_path / "copy") as store:
        again = House(store, ManualTime())
        assert again.standing() is PermissionStatus.PENDING
        assert await again.takes(lune.delivers(in_garage(id="a"))) == "announce_again"
        again.time.mono += 40 * 24 * 3600
        assert await again.letting.decide("lune", GRANTED, "anna", terms=ALL) is None, "he had said yes to its key"
        assert await again.letting.decide("soleil", GRANTED, "anna", terms=ALL) is not None, "to this one he never did"


async def test_the_next_household_begins_with_nobody_that_the_former_let_in(house: House) -> None:
    lune = UnknownBrand()
    token = lune.asking()
    await house.hears(token)
    await house.letting.decide("lune", GRANTED, "anna", terms=ALL, ask=house.digest())
    await house.store.accounts.set_claim_code(digest("code"), NOW)
    await house.store.accounts.claim(digest("code"), newcomer("Anna"), sign_in_entry("anna"), NOW)
    offered = HouseOffer(id="offer", secret=digest("offer"), by="p-anna", made=NOW.utc, leaves_films=False)
    await house.store.handover.set_offer(offered, NOW)
    assert (
        await house.store.handover.accept_offer(offered, newcomer("Clara"), sign_in_entry("clara"), NOW)
        is AccountResult.DONE
    )
    house.store.brands.refresh()
    assert "lune" not in house.store.brands.known
    assert await house.takes(lune.delivers(in_garage())) == "unknown_key"
    assert await house.hears(token) is None
    assert house.standing() is PermissionStatus.PENDING, "it asks the next household anew"


def _with(house: Home, id_: str, brand: BrandSection) -> Home:
    return house.model_copy(update={"brands": {**house.brands, id_: brand}})


def _untrusted() -> Clock:
    return Clock(
        ClockSection(source="ntp"), floor=None, keep_floor=lambda _floor: None, wall=NOW.utc.timestamp,
        mono=lambda: 100.0, synchronised=lambda: False,
    )  # fmt: skip
