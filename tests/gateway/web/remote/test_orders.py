"""Orders from afar: what a box takes of them from a hub that may lie, hold back, repeat and reorder, and does."""

import asyncio
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.domain.delivery.permission import PermissionStatus
from gateway.domain.visit import commands as c
from gateway.domain.visit.state import Phase
from gateway.protocol.browser_envelope import Jwk
from gateway.protocol.ed25519 import PublicKey
from gateway.protocol.jws import kid_of
from gateway.protocol.owner_requests import parse_owner_request as read_wish
from gateway.storage.browsers import BrowserStore
from gateway.storage.models import StoreFailed
from gateway.web.auth.roles import Role, UserRight, has_right
from gateway.web.remote.actions import ORDER_RIGHTS, is_allowed
from gateway.web.server.authorization import REQUEST_RIGHTS
from tests.gateway.domain.delivery.house import receive
from tests.gateway.domain.delivery.shop import NOW, PARCEL, make_offer
from tests.gateway.people import set_role
from tests.gateway.web.remote.away import NOON_MONO_S, RemoteHousehold, remote_household
from tests.remotebrowser import RemoteBrowser, new_key
from tests.shell.house import home_without_permission, make_home
from tests.stranger import HOME as STREET
from tests.stranger import HUB as HUB_URL
from tests.stranger import UnknownBrand
from tests.waiting import wait_until

TERMS: dict[str, Any] = {"entrances": ["front"], "places": ["hall"], "carriers": ["Colissimo"], "days": ["mon", "wed"],
                         "hours": "08:00-20:00"}  # fmt: skip
ALL: dict[str, dict[str, Any]] = {
    "stop": {}, "veto": {"entrance": "front", "visit": "v"}, "approve": {"entrance": "front", "visit": "v"},
    "lock": {"entrance": "front"}, "acknowledge": {"entrance": "front", "visit": "v"},
    "permit": {"brand": "shop", "ask": "0" * 64, "terms": TERMS}, "refuse": {"brand": "shop"},
    "revoke": {"brand": "shop"}, "approve-key": {"brand": "shop", "key": "A" * 43},
    "refuse-key": {"brand": "shop", "key": "A" * 43},
}  # fmt: skip


async def standing(here: RemoteHousehold) -> PermissionStatus | None:
    permission = here.made.store.brands.permission("shop")
    return None if permission is None else permission.standing


async def ask(here: RemoteHousehold) -> str:
    return str(next(one["ask"] for one in (await here.state())["brands"] if one["id"] == "shop"))


async def permit_of(here: RemoteHousehold) -> bytes:
    """The owner looks at what the shop asks, and says yes."""
    shown = await ask(here)
    return here.phone.order("permit", life=86_400, brand="shop", ask=shown, terms=TERMS)


# ---- whose word it is -----------------------------------------------------------------------------------------------


def test_each_order_asks_for_the_right_that_the_page_asks_for() -> None:
    assert set(ORDER_RIGHTS) == set(ALL)
    for role in Role:
        for do, right in ORDER_RIGHTS.items():
            assert is_allowed(role.value, do) is (has_right(role, right) and has_right(role, UserRight.AWAY))
    assert ORDER_RIGHTS["permit"] is REQUEST_RIGHTS["permit"] is UserRight.DECIDE_BRANDS
    assert not any(is_allowed(Role.INSTALLER.value, do) for do in ORDER_RIGHTS), "he is there when he works"
    assert isinstance(read_wish(b"{}"), str)


async def test_each_role_orders_what_it_may_at_home_and_nothing_else(tmp_path: Path) -> None:
    async with remote_household(tmp_path) as here:
        bruno = await here.browser(Role.HOUSEHOLD)
        for do, said in ALL.items():
            assert await here.orders(do, **said) is None, do
            why = await here.orders(do, by=bruno, **said)
            assert why == (None if has_right(Role.HOUSEHOLD, ORDER_RIGHTS[do]) else "not_allowed"), do


async def test_who_is_no_owner_any_more_decides_on_no_brand_any_more(tmp_path: Path) -> None:
    async with remote_household(tmp_path) as here:
        bruno = await here.browser(Role.OWNER)
        register = here.made.store.accounts
        person = here.made.store.browsers.browser(bruno.browser)
        assert person is not None
        await set_role(register, person.person.id, "household")
        assert await here.orders("revoke", by=bruno, brand="shop") == "not_allowed"
        await set_role(register, person.person.id, "installer")
        assert await here.orders("stop", by=bruno) == "not_allowed"
        assert (await here.asks("state", by=bruno))[0] == {"refused": "not_allowed"}


# ---- what a hub can do ----------------------------------------------------------------------------------------------


async def test_whatever_a_hub_alters_nothing_is_done(tmp_path: Path) -> None:
    async with remote_household(tmp_path) as here:
        sealed = here.phone.sealed(here.phone.order("stop"))
        chance = random.Random(3)
        for at in chance.sample(range(len(sealed)), 120):
            altered = sealed[:at] + ("A" if sealed[at] != "A" else "B") + sealed[at + 1 :]
            if altered.count(".") != sealed.count("."):
                continue
            receipt = await here.brings(altered)
            assert receipt.state == "refused", at
            assert receipt.why in {"malformed", "unknown_browser"}
        assert not here.made.front.is_stopped()
        assert here.made.store.browsers.orders(here.phone.browser, at_most=9) == ()


async def test_a_hub_cannot_invent_an_order_nor_sign_for_a_browser_nor_turn_a_question_or_a_token_into_one(
    tmp_path: Path,
) -> None:
    async with remote_household(tmp_path) as here:
        phone, bruno = here.phone, await here.browser(Role.HOUSEHOLD)
        hub = RemoteBrowser(browser=phone.browser, home=phone.home, hub=phone.hub)
        hub.enrolled({"browser": phone.browser, "home": phone.home, "hub": phone.hub,
                      "agree": {"kty": "EC", "crv": "P-256", **_public(hub)}})  # fmt: skip
        lies = {
            "sealed by a stranger": hub.sealed(phone.order("stop")),
            "signed by a stranger": phone.sealed(replace(phone, sign=new_key()).order("stop")),
            "signed by another browser": phone.sealed(bruno.order("stop")),
            "another's envelope": bruno.sealed(phone.order("stop")),
            "a question": phone.sealed(phone.question("state")[1]),
            "the hub's token": phone.sealed(phone.token().encode()),
            "nothing": phone.sealed(b"{}"),
            "for another home": phone.sealed(phone.order("stop", changed={"aud": "home-2"})),
            "from another browser": phone.sealed(phone.order("stop", changed={"iss": bruno.browser})),
            "no envelope": "a.b.c",
            "an answer": replace(phone, keys=replace(phone.keys, up=phone.keys.down)).sealed(phone.order("stop")),
        }
        for what, lie in lies.items():
            receipt = await here.brings(lie)
            assert receipt.state == "refused", what
            assert receipt.why in {"malformed", "wrong_signature", "wrong_claims", "wrong_audience", "unknown_browser"}
        assert not here.made.front.is_stopped()


def _public(one: RemoteBrowser) -> dict[str, str]:
    jwk = Jwk.of(one.agree.public_key())
    return {"x": jwk.x, "y": jwk.y}


async def test_the_same_envelope_again_is_the_same_receipt_and_nothing_is_done_twice(tmp_path: Path) -> None:
    async with remote_household(tmp_path) as here:
        sealed = here.phone.sealed(here.phone.order("stop"))
        assert (await here.brings(sealed)).state == "received"
        await wait_until(here.made.front.is_stopped)
        await here.became()
        await here.made.reception.submit_request("front", _lift(), here.site.owner.user.person)
        await wait_until(lambda: not here.made.front.is_stopped())
        here.made.time.mono += 3600  # it would be over by now
        for _ in range(3):
            assert (await here.brings(sealed)).state == "received"
        await here.made.quiet()
        assert not here.made.front.is_stopped(), "lifted at home: the hub stops nothing by playing it again"


def _lift() -> Any:  # noqa: ANN401 - a wish
    found = read_wish(b'{"id": "w1", "do": "lift"}')
    assert not isinstance(found, str)
    return found


async def test_an_older_order_is_refused_whatever_it_is(tmp_path: Path) -> None:
    async with remote_household(tmp_path, home_without_permission(make_home(tmp_path))) as here:
        permit = here.phone.sealed(await permit_of(here))
        here.synchronised(here.phone)
        refuse = here.phone.sealed(here.phone.order("refuse", life=86_400, brand="shop"))
        assert (await here.brings(refuse)).state == "received"
        await here.became()
        receipt = await here.brings(permit)  # the hub held it back
        assert (receipt.state, receipt.why) == ("refused", "overtaken")
        assert await standing(here) is PermissionStatus.REFUSED


async def test_a_permit_that_was_held_back_does_not_undo_what_was_decided_at_home_meanwhile(tmp_path: Path) -> None:
    async with remote_household(tmp_path, home_without_permission(make_home(tmp_path))) as here:
        permit = here.phone.sealed(await permit_of(here))
        letting, person = here.made.reception.permissions, here.site.owner.user.person
        assert await letting.decide("shop", PermissionStatus.REFUSED, person) is None
        assert (await here.brings(permit)).state == "received"
        order = await here.became()
        assert (order.state, order.why) == ("failed", "ask_changed")
        assert await standing(here) is PermissionStatus.REFUSED


async def test_a_permit_and_a_revocation_in_the_same_moment_end_as_a_revocation(tmp_path: Path) -> None:
    """The permit is looked at before the revocation is on the disk, and stored behind it."""
    async with remote_household(tmp_path, home_without_permission(make_home(tmp_path))) as here:
        now, letting = await ask(here), here.made.reception.permissions
        revoking = asyncio.create_task(letting.decide("shop", PermissionStatus.REVOKED, here.site.owner.user.person))
        await asyncio.sleep(0)
        await here.orders("permit", life=86_400, brand="shop", ask=now, terms=TERMS)
        order = await here.became()
        assert await revoking is None
        assert order.state == "failed"
        assert await standing(here) is PermissionStatus.REVOKED


async def test_a_yes_that_is_stored_behind_a_revocation_of_the_same_moment_does_not_count(tmp_path: Path) -> None:
    """What was shown is compared where it is decided: between a look and the disk the house may say something else."""
    async with remote_household(tmp_path) as here:
        letting, person = here.made.reception.permissions, here.site.owner.user.person
        shown = here.made.store.brands.permission("shop")
        assert shown is not None
        revoked, permitted = await asyncio.gather(
            letting.decide("shop", PermissionStatus.REVOKED, person),
            letting.decide("shop", PermissionStatus.GRANTED, person, terms=shown.terms, version=shown.version),
        )
        assert revoked is None
        assert permitted is not None
        assert await standing(here) is PermissionStatus.REVOKED


async def test_whatever_a_hub_makes_of_ten_orders_each_counts_at_most_once_and_in_their_order(tmp_path: Path) -> None:
    chance = random.Random(11)
    async with remote_household(tmp_path) as here:
        tokens = [here.phone.sealed(here.phone.order("lock", entrance="front")) for _ in range(10)]
        taken: list[int] = []
        for _ in range(60):
            number = chance.randrange(10)
            receipt = await here.brings(tokens[number])
            if receipt.state == "received" and number not in taken:
                assert not taken or number > max(taken)
                taken.append(number)
            elif receipt.state == "refused":
                assert receipt.why == "overtaken"
        assert len(here.made.store.browsers.orders(here.phone.browser, at_most=99)) == len(taken)


# ---- time -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("do", "life", "said"), [
    ("stop", 900, {}), ("lock", 900, {"entrance": "front"}), ("revoke", 86_400, {"brand": "shop"}),
])  # fmt: skip
async def test_an_order_that_waited_counts_until_its_time_is_over(
    tmp_path: Path, do: str, life: int, said: dict[str, Any]
) -> None:
    async with remote_household(tmp_path) as here:
        first = here.phone.sealed(here.phone.order(do, life=life, **said))
        second = here.phone.sealed(here.phone.order(do, life=life, **said))
        here.made.time.mono += life - 1
        assert (await here.brings(first)).state == "received"
        here.made.time.mono += 2
        receipt = await here.brings(second)
        assert (receipt.state, receipt.why) == ("refused", "no_longer_valid")


async def test_no_order_may_live_longer_than_its_kind(tmp_path: Path) -> None:
    async with remote_household(tmp_path) as here:
        assert await here.orders("stop", life=901) == "wrong_claims"
        assert await here.orders("revoke", life=86_401, brand="shop") == "wrong_claims"
        assert await here.orders("stop", ago=-120) == "not_yet_valid"


async def test_while_the_box_does_not_know_the_time_it_lets_nobody_in_and_stops_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with remote_household(tmp_path, home_without_permission(make_home(tmp_path))) as here:
        shown = await ask(here)
        now = here.made.clock.now
        monkeypatch.setattr(here.made.clock, "now", lambda: replace(now(), trusted=False))
        assert await here.orders("permit", life=86_400, brand="shop", ask=shown, terms=TERMS) == "clock_untrusted"
        assert await here.orders("stop") is None
        await wait_until(here.made.front.is_stopped)
        assert await standing(here) is PermissionStatus.PENDING


# ---- what they come to ----------------------------------------------------------------------------------------------


async def test_a_stop_stops_all_doors_or_the_one_that_is_named(tmp_path: Path) -> None:
    async with remote_household(tmp_path) as here:
        garage = here.made.entrances["garage"]
        assert await here.orders("stop", entrance="garage") is None
        await wait_until(garage.is_stopped)
        assert (await here.became()).state == "done"
        assert not here.made.front.is_stopped()
        assert await here.orders("stop") is None
        await wait_until(here.made.front.is_stopped)
        assert await here.orders("stop", entrance="nowhere") is None
        assert (await here.became()).why == "not_here"
        row = next(row for row in here.made.store.browsers.orders(here.phone.browser, at_most=9) if row.number == 1)
        assert row.state == "done"
        assert here.made.store.entrances.stop_state("front").stopped


async def test_a_stop_holds_also_where_nothing_can_be_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with remote_household(tmp_path) as here:

        async def full(*_args: object, **_more: object) -> None:
            raise StoreFailed("no space left on device")

        sealed = here.phone.sealed(here.phone.order("stop"))
        with monkeypatch.context() as patch:
            patch.setattr(BrowserStore, "add_order", full)
            with pytest.raises(StoreFailed):
                await here.brings(sealed)  # no receipt: the hub brings it again
        assert here.made.front.is_stopped()
        assert (await here.brings(sealed)).state == "received"


async def test_a_visit_that_rings_is_refused_from_afar_as_on_the_page_and_another_is_not(tmp_path: Path) -> None:
    async with remote_household(tmp_path, at=NOON_MONO_S) as here:
        await receive(here.made.store, make_offer(), now=NOW)
        await here.made.good_day()
        visit = await here.made.ring(PARCEL)
        seen = (await here.entrance())["visit"]
        assert (seen["id"], seen["phase"], seen["may_veto"]) == (visit, "ringing", True)
        assert await here.orders("veto", entrance="front", visit="another") is None
        assert (await here.became()).why == "not_here"
        assert here.made.front.state.visit is not None
        assert await here.orders("veto", entrance="front", visit=visit) is None
        await wait_until(lambda: here.made.front.state.visit is None)
        assert (await here.became()).state == "done"
        assert here.made.commands(c.Unlock) == []


async def test_a_stop_from_afar_during_a_visit_lets_nobody_in(tmp_path: Path) -> None:
    async with remote_household(tmp_path, at=NOON_MONO_S) as here:
        await receive(here.made.store, make_offer(), now=NOW)
        await here.made.good_day()
        visit = await here.made.ring(PARCEL)
        assert await here.orders("stop") is None
        await here.made.commits(visit)
        await here.made.quiet()
        assert here.made.commands(c.Unlock) == []
        running = here.made.front.state.visit
        assert running is None or running.phase is not Phase.UNLOCKING


async def test_a_brand_that_waits_is_let_in_under_the_terms_that_were_signed_and_the_order_is_in_the_log(
    tmp_path: Path,
) -> None:
    async with remote_household(tmp_path, home_without_permission(make_home(tmp_path))) as here:
        assert await here.orders("permit", life=86_400, brand="shop", ask=await ask(here), terms=TERMS) is None
        assert (await here.became()).state == "done"
        permission = here.made.store.brands.permission("shop")
        assert permission is not None
        assert permission.standing is PermissionStatus.GRANTED
        assert (permission.terms.hours, permission.terms.days) == ("08:00-20:00", frozenset({"mon", "wed"}))
        assert not permission.terms.hub_signed
        (decided,) = [row for row in here.made.store.log.bodies_of_kind("permission") if row.get("by") is not None]
        assert decided["by"] == here.site.owner.user.person
        kept = here.made.store.browsers.orders(here.phone.browser, at_most=1)[0]
        bodies = [one.body for one in here.made.store.log.entries() if isinstance(one.body, bytes)]
        assert any(kept.signed in body for body in bodies), "whoever checks the log sees what was signed"
        assert await here.orders("revoke", life=86_400, brand="shop") is None
        assert (await here.became()).state == "done"
        assert await standing(here) is PermissionStatus.REVOKED


async def test_terms_that_cannot_be_meant_and_brands_that_are_not_here_are_told_as_that(tmp_path: Path) -> None:
    async with remote_household(tmp_path, home_without_permission(make_home(tmp_path))) as here:
        shown, odd = await ask(here), TERMS | {"hours": "25:00-26:00"}
        assert await here.orders("permit", life=86_400, brand="shop", ask=shown, terms=odd) is None
        assert (await here.became()).why == "not_done"
        for do in ("refuse", "revoke"):
            assert await here.orders(do, life=86_400, brand="nobody") is None
            assert (await here.became()).why == "not_done"
        assert await here.orders("permit", life=86_400, brand="nobody", ask=shown, terms=TERMS) is None
        assert (await here.became()).why == "not_here"
        assert await here.orders("approve-key", life=86_400, brand="shop", key="A" * 43) is None
        assert (await here.became()).why == "not_here"
        assert await standing(here) is PermissionStatus.PENDING


@pytest.mark.parametrize("until", ["9999-12-31", "2999-12-31", "0027-01-31", "2027-02-30"])
async def test_an_order_whose_last_day_cannot_be_meant_has_failed_and_the_next_one_is_done(
    tmp_path: Path, until: str
) -> None:
    async with remote_household(tmp_path, home_without_permission(make_home(tmp_path))) as here:
        order: dict[str, Any] = {"brand": "shop", "ask": await ask(here), "terms": TERMS | {"until": until}}
        assert await here.orders("permit", life=86_400, **order) is None
        became = await here.became()
        assert (became.state, became.why) == ("failed", "not_done")
        assert here.made.store.browsers.unfinished_orders() == (), "nothing is done again at the next start"
        assert await standing(here) is PermissionStatus.PENDING
        order["terms"] = TERMS | {"until": "2027-01-31"}
        assert await here.orders("permit", life=86_400, **order) is None
        assert (await here.became()).state == "done"


async def test_an_order_that_a_store_kept_and_that_is_read_no_more_has_failed(tmp_path: Path) -> None:
    async with remote_household(tmp_path, home_without_permission(make_home(tmp_path))) as here:
        store, phone = here.made.store, here.phone
        token = phone.order("permit", life=86_400, brand="shop", ask=await ask(here), terms=TERMS | {"new": 1})
        assert await store.browsers.add_order(phone.browser, phone.number, token, here.made.clock.now()) is not None
        again = asyncio.create_task(here.household._orders.run())  # noqa: SLF001 - the next start
        await wait_until(lambda: not store.browsers.unfinished_orders())
        again.cancel()
        assert (await here.became()).why == "wrong_claims"


async def test_a_stranger_is_let_in_from_afar_with_the_key_that_was_shown_and_its_next_key_counts_by_a_yes(
    tmp_path: Path,
) -> None:
    async with remote_household(tmp_path) as here:
        letting, store, lune = (
            here.made.reception.permissions,
            here.made.store,
            UnknownBrand(now=here.made.clock.now().utc),
        )

        async def hears(token: bytes) -> None:
            assert await letting.accept_message(token, home=STREET, hub=HUB_URL) is None

        await hears(lune.asking())
        seen = next(one for one in (await here.state())["brands"] if one["id"] == "lune")
        assert (seen["standing"], seen["open"], seen["hub"]) == ("pending", True, HUB_URL)
        assert seen["fingerprints"] == [PublicKey.from_text(lune.x()).fingerprint]
        await here.orders("permit", life=86_400, brand="lune", ask=seen["ask"], terms=TERMS | {"hub_signed": True})
        assert (await here.became()).state == "done"
        permission = store.brands.permission("lune")
        assert permission is not None
        assert permission.terms.hub_signed
        for do, counts in (("approve-key", True), ("refuse-key", False)):
            number = lune.grows()
            await hears(lune.asking(lune.shown(), lune.vouches(number), connection=None))
            seen = next(one for one in (await here.state())["brands"] if one["id"] == "lune")
            assert [one["key"] for one in seen["keys"]] == [lune.x(number)]
            await here.orders(do, life=86_400, brand="shop", key=lune.x(number))
            assert (await here.became()).why == "not_here", "another brand's"
            await here.orders(do, life=86_400, brand="lune", key=lune.x(number))
            assert (await here.became()).state == "done"
            assert (lune.kid(number) in store.brands.keys) is counts
            assert store.brands.waiting_keys() == ()


# ---- whoever has ended, and whatever was killed ---------------------------------------------------------------------


async def test_a_browser_that_ended_orders_nothing_and_is_answered_nothing(tmp_path: Path) -> None:
    async with remote_household(tmp_path) as here:
        async with here.site.client(here.site.owner) as client:
            await client.post("/away/end", data={"id": here.phone.browser})
        assert await here.orders("stop") == "unknown_browser"
        _, text = here.phone.question("state")
        assert await here.put(here.phone.sealed(text)) is None
        assert not here.made.front.is_stopped()


async def test_what_was_kept_and_not_done_is_done_at_the_next_start_once(tmp_path: Path) -> None:
    async with remote_household(tmp_path, home_without_permission(make_home(tmp_path))) as here:
        store, phone = here.made.store, here.phone
        permit = await permit_of(here)
        for token in (permit, phone.order("stop")):
            assert await store.browsers.add_order(phone.browser, phone.number, token, here.made.clock.now()) is not None
            phone.number += 1  # as if the process had been killed right behind each
        before = [one.number for one in store.browsers.unfinished_orders()]
        assert before
        again = asyncio.create_task(here.household._orders.run())  # noqa: SLF001 - the next start
        await wait_until(lambda: not store.browsers.unfinished_orders())
        again.cancel()
        assert here.made.front.is_stopped()
        assert await standing(here) is PermissionStatus.GRANTED
        assert len([row for row in store.log.bodies_of_kind("permission") if row.get("by") is not None]) == 1


async def test_what_lets_somebody_in_is_not_done_by_a_box_that_was_away_for_too_long(tmp_path: Path) -> None:
    async with remote_household(tmp_path, home_without_permission(make_home(tmp_path))) as here:
        store, phone = here.made.store, here.phone
        permit = await permit_of(here)
        taken = here.made.clock.now()
        here.made.time.mono += 86_401  # before the order is stored, for the household that runs may perform it at once
        assert await store.browsers.add_order(phone.browser, phone.number, permit, taken) is not None
        again = asyncio.create_task(here.household._orders.run())  # noqa: SLF001 - the next start
        await wait_until(lambda: not store.browsers.unfinished_orders())
        again.cancel()
        assert (await here.became()).why == "no_longer_valid"
        assert await standing(here) is PermissionStatus.PENDING


def test_whose_an_envelope_is_said_to_be_is_read_from_anything() -> None:
    assert kid_of(b"") is None
    assert kid_of(b"\xff.b") is None
    assert kid_of(b"W10.b") is None
