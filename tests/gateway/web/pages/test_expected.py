"""The list of expected deliveries on Home: what is said of each, and "not this one"."""

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio
from playwright.async_api import expect

from devices.reports import LockReport, LockState
from gateway.domain.delivery.barcodes import courier_token_digest
from gateway.domain.delivery.features import Feature
from gateway.domain.delivery.permission import PermissionStatus
from gateway.domain.delivery.promise import Arrival, State
from gateway.domain.delivery.result import Outcome, Refusal
from gateway.domain.visit.commands import ReportParcelResult
from gateway.domain.visit.predicates import is_household_present
from gateway.installation.capability import WalkTestStatus
from gateway.installation.walk_test_runner import WalkTestRunner
from gateway.web.auth.roles import Role
from gateway.web.server.expected_view import MAX_SHOWN, SHOWN_AT_ONCE
from tests.browser import IN_SHARED_BROWSER, accessibility_problems, visitor
from tests.gateway.domain.delivery.house import make_step, receive
from tests.gateway.domain.delivery.shop import NOW, make_offer, make_window
from tests.gateway.web.tour import announce_parcels
from tests.shell.box import box, run_box
from tests.shell.desk import DESK, MARC, desk_box
from tests.shell.house import PARCEL, make_home
from tests.shell.keepers import kept_box
from tests.shell.site import ServedSite, serve_site
from tests.waiting import wait_until

pytestmark = IN_SHARED_BROWSER

ENGLISH = {"Accept-Language": "en"}
JSON = {"Accept": "application/json", **ENGLISH}
DIGEST = courier_token_digest(bytes(range(16)))


@pytest_asyncio.fixture(loop_scope="session")
async def site(tmp_path: Path) -> AsyncIterator[ServedSite]:
    """Between 15:00 and 17:00 in Paris a parcel of a shop comes; it is 14:00."""
    house = make_home(tmp_path).model_copy(update={"timezone": "Europe/Paris"})
    async with box(tmp_path, house) as made, run_box(made):
        await made.good_day()
        await receive(made.store, make_offer(courier_sha256=DIGEST), now=NOW)
        made.reception.update_deliveries(("shop.d1",))
        async with serve_site(made) as site:
            yield site


async def shown(site: ServedSite, language: str = "en") -> str:
    """The words of the list, as the owner reads them."""
    async with site.client(site.owner) as client, client.get("/", headers={"Accept-Language": language}) as answer:
        page = await answer.text()
    article = re.search(r'<article[^>]*data-part="\w+/expected/home">(.*?)</article>', page, re.DOTALL)
    assert article is not None
    return " ".join(re.sub(r"<[^>]*>|[\u2066-\u2069]", " ", article[1]).split())


async def test_each_delivery_says_whose_it_is_when_it_comes_where_to_and_whether_the_house_is_ready(
    site: ServedSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    english, french = await shown(site), await shown(site, "fr")
    assert "Expected deliveries" in english
    for words in ("Colissimo", "…", "Wed 10 Jun, between 15:00 and 17:00", "Expected", "Not this one"):
        assert words in english
    assert "mer. 10 juin, entre 15:00 et 17:00" in french
    assert "Livraisons attendues" in french
    assert "The devices are ready. The walk test at this door is still to do." in english
    assert "The entrance is ready." not in english
    monkeypatch.setattr(WalkTestRunner, "status", lambda *_: WalkTestStatus.PASSED)
    assert "The entrance is ready." in await shown(site)
    async with site.client(site.owner) as client, client.post("/entrance/front", data={"do": "home"}):
        await wait_until(lambda: site.box.front.state.somebody_home)
    assert "Somebody is home: the courier rings, Perron does not open." in await shown(site)
    assert "The entrance is ready." not in await shown(site)


async def test_whoever_opened_to_the_courier_says_with_one_press_that_the_parcel_was_taken_in(site: ServedSite) -> None:
    told = ReportParcelResult(visit="v1", delivery="shop.d1", outcome=Outcome.ATTENDED)
    await site.box.store.commit(make_step(site.box.front.state, told))
    assert "Was the parcel taken in? " in await shown(site)
    assert "I have taken it in" in await shown(site)
    bruno = await site.guest(Role.HOUSEHOLD)
    async with (
        site.client(bruno) as client,
        client.post("/entrance/front", data={"do": "take_in", "delivery": "shop.d1"}, headers=JSON) as answer,
    ):
        assert answer.status == 200
    result = site.box.store.deliveries.result("shop.d1", site.box.clock.now())
    assert result is not None
    assert (result.state, result.custody) == (State.DELIVERED, "household")
    assert "Was the parcel taken in?" not in await shown(site)
    async with (
        site.client(bruno) as client,
        client.post("/entrance/front", data={"do": "take_in", "delivery": "shop.d1"}, headers=JSON) as answer,
    ):
        assert answer.status == 409


async def test_a_door_that_was_used_by_hand_is_not_called_somebody_s_word_that_he_is_home(site: ServedSite) -> None:
    made = site.box
    for bolt in (LockState.UNLOCKED, LockState.LOCKED):
        made.bolt = bolt
        made.says("lock", LockReport(bolt=bolt))
    await wait_until(lambda: is_household_present(made.front.state, made.clock.now()))
    assert not made.front.state.somebody_home
    english = await shown(site)
    assert "Somebody uses the door, or did a moment ago: the courier rings, Perron does not open." in english
    assert "Somebody is home" not in english


async def test_not_this_one_ends_the_delivery_for_its_courier_and_says_who_did_it(site: ServedSite) -> None:
    bruno = await site.guest(Role.HOUSEHOLD)
    async with site.client(bruno) as his, his.post("/deliveries/refuse", data={"delivery": "shop.d1"}) as answer:
        assert answer.url.path == "/"
    facts = site.box.store.deliveries.facts("shop.d1", site.box.clock.now())
    assert facts is not None
    assert facts.refusal is Refusal.DECLINED_BY_HOUSEHOLD
    told = await shown(site)
    assert "Refused by Bruno: nothing opens for it, and its retailer was told" in told
    assert "Not this one" not in told
    async with site.client(None) as courier, courier.get(f"/c/{DIGEST}", headers=ENGLISH) as answer:
        assert "over or cancelled" in await answer.text()
    again = {"delivery": "shop.d1"}
    async with site.client(bruno) as his, his.post("/deliveries/refuse", data=again, headers=JSON) as answer:
        assert (answer.status, (await answer.json())["why"]) == (409, "This delivery is not expected any more.")


async def test_an_installer_neither_sees_what_is_expected_nor_refuses_it(site: ServedSite) -> None:
    ines = await site.guest(Role.INSTALLER, "Ines")
    async with site.client(ines) as client:
        async with client.get("/", headers=ENGLISH) as answer:
            assert "Expected deliveries" not in await answer.text()
        async with client.post("/deliveries/refuse", data={"delivery": "shop.d1"}) as answer:
            assert answer.status == 403


async def test_an_own_parcel_is_in_the_list_and_not_this_one_withdraws_it(site: ServedSite) -> None:
    await announce_parcels(site.box)
    told = await shown(site)
    assert told.count("Not this one") == 3
    assert "Expected: it opens nothing before it is out for delivery" in told
    assert "“shoes”" in " ".join(told.split()), "what the household calls it"
    assert "« shoes »" in await shown(site, "fr")
    assert "Does it come today?" in told
    key = next(view.key for view in site.box.reception.own_parcels.views() if view.is_open)
    async with site.client(site.owner) as client, client.post("/deliveries/refuse", data={"delivery": key}) as answer:
        assert answer.url.path == "/"
    assert (await shown(site)).count("Not this one") == 2


async def test_a_brand_without_an_answer_is_said_to_wait_for_it(site: ServedSite) -> None:
    await site.box.store.brands.decide("shop", PermissionStatus.PENDING, site.box.clock.now())
    told = await shown(site)
    assert "Waits for your answer whether the brand may come in" in told
    await site.box.store.brands.decide("shop", PermissionStatus.REVOKED, site.box.clock.now())
    assert "Nothing is announced." in await shown(site), "what a brand announced that may not come in is not expected"


async def test_a_long_list_is_short_at_first_and_never_longer_than_it_may_be(site: ServedSite) -> None:
    for number in range(MAX_SHOWN + 5):
        offer = make_offer(
            id=f"n{number}", parcels=(f"p{number:08}",), window=make_window(2, 4), courier_sha256=f"{number:064}"
        )
        await receive(site.box.store, offer, now=NOW)
    told = await shown(site)
    assert f"Show {MAX_SHOWN - SHOWN_AT_ONCE} more" in told
    assert told.count("between 16:00 and 18:00") == MAX_SHOWN - 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("locale", "width", "scheme"), [("en-GB", 320, "light"), ("fr-FR", 390, "dark"), ("en-GB", 1280, "dark")]
)
async def test_in_a_browser_a_delivery_is_refused_in_two_presses(
    site: ServedSite, locale: str, width: int, scheme: Literal["light", "dark"]
) -> None:
    refuse, sure, done = {
        "en-GB": ("Not this one", "Refuse this delivery", "Refused by Anna"),
        "fr-FR": ("Pas celle-ci", "Refuser cette livraison", "Refusée par Anna"),
    }[locale]
    await announce_parcels(site.box)
    async with visitor() as somebody:
        page = await somebody.page(
            locale=locale, color_scheme=scheme, viewport={"width": width, "height": 800}, reduced_motion="reduce"
        )
        await site.sign_in(page.context)
        await page.goto(site.address)
        one = page.locator("li", has_text=re.compile(r"15:00")).filter(has_text=re.compile("Colissimo")).first
        await one.get_by_text(refuse, exact=True).click()
        assert await accessibility_problems(page) == []
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        await one.get_by_role("button", name=sure).click()
        await expect(page.get_by_text(re.compile(done))).to_be_visible()
        assert await accessibility_problems(page) == []


async def test_at_a_reception_the_list_says_whether_somebody_is_on_duty_and_a_refused_parcel_is_not_taken(
    tmp_path: Path,
) -> None:
    async with desk_box(tmp_path) as desk:
        await desk.announce()
        async with serve_site(desk.box) as site:
            assert "Nobody is on duty at the moment." in await shown(site)
            assert await desk.desk.set_duty(MARC, on=True)
            told = await shown(site)
            for words in (
                "A receiver is on duty.",
                desk.box.home.receptions[DESK].name,
                "May come now",
                "Not this one",
            ):
                assert words in told
            async with (
                site.client(site.owner) as client,
                client.post("/deliveries/refuse", data={"delivery": "shop.d1"}),
            ):
                assert "Refused by Anna" in await shown(site)
            answer = await desk.desk.offer(PARCEL, source="courier", delivery="shop.d1")
            assert answer.refusal is Refusal.DECLINED_BY_HOUSEHOLD


async def test_where_a_keeper_acts_the_list_says_that_a_keeper_brings_it_in(tmp_path: Path) -> None:
    async with kept_box(tmp_path) as kept, serve_site(kept.box) as site:
        assert "a keeper brings it in" in await shown(site)


async def test_a_courier_on_his_way_is_drawn_with_the_time_and_opens_nothing(site: ServedSite) -> None:
    made = site.box
    eta = made.clock.now().utc.replace(second=0, microsecond=0) + timedelta(minutes=90)
    notice = Arrival(id="d1", version=1, eta=eta, needs=(Feature.ARRIVAL,))
    await receive(made.store, notice, now=made.clock.now())
    at = f"{eta.astimezone(ZoneInfo('Europe/Paris')):%H:%M}"
    assert f"Expected about {at}" in await shown(site)
    before = made.store.deliveries.facts("shop.d1", made.clock.now())
    sets_out = notice.model_copy(update={"on_the_way": True, "eta": None})
    await receive(made.store, sets_out, now=made.clock.now())
    assert f"On its way, about {at}" in await shown(site)
    assert f"En route, vers {at}" in await shown(site, "fr")
    assert made.store.deliveries.facts("shop.d1", made.clock.now()) == before
    async with visitor() as browser:
        page = await browser.page()
        await site.sign_in(page.context)
        await page.goto(site.address)
        await expect(page.locator(".way .van")).to_be_visible()
        assert await accessibility_problems(page) == []
