"""The page My parcel: at a real server, and in a real browser that reads the label from a photo."""

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from gateway.config.home import Home, OwnParcelsSection
from gateway.domain.visit import commands as c
from gateway.installation.capability import WalkTestStatus
from gateway.installation.walk_test_runner import WalkTestRunner
from gateway.runtime.notifications.action_links import LinkPurpose, derive_nonce, sign_link
from gateway.runtime.own_parcels import PARCEL_REFUSAL_TEXTS, ParcelState, ParcelView
from gateway.web.auth.roles import Role
from tests.browser import IN_SHARED_BROWSER, accessibility_problems, visitor
from tests.gateway.web.test_label_page import upload
from tests.lens import draw_label, jpeg
from tests.shell.box import LINK_KEY, ShellBox, box, run_box
from tests.shell.house import PARCEL, make_home
from tests.shell.site import ServedSite, serve_site
from tests.waiting import wait_until

pytestmark = IN_SHARED_BROWSER

ENGLISH = {"Accept-Language": "en"}
FORM = {"number": PARCEL, "where": "garage/hall", "first_day": "2026-06-10"}
PICTURE = jpeg(draw_label(("qr", "the door")))


def with_garage(folder: Path) -> Home:
    home = make_home(folder)
    return home.model_copy(
        update={"own_parcels": OwnParcelsSection(without_tap=("garage",)), "timezone": "Europe/Paris"}
    )


@pytest_asyncio.fixture(loop_scope="session")
async def site(tmp_path: Path) -> AsyncIterator[ServedSite]:
    async with box(tmp_path, with_garage(tmp_path)) as made, run_box(made):
        await made.good_day()
        made.eyes.jpeg = PICTURE
        async with serve_site(made) as site:
            yield site


def views(made: ShellBox) -> tuple[ParcelView, ...]:
    return made.reception.own_parcels.views()


async def post(site: ServedSite, fields: dict[str, str], path: str = "/parcels") -> tuple[int, str]:
    async with (
        site.client(site.owner) as client,
        client.post(path, data=fields, headers=ENGLISH, allow_redirects=False) as answer,
    ):
        return answer.status, await answer.text()


@pytest.mark.parametrize(
    ("language", "brand", "carrier"),
    [("fr", "Mon colis", "un autre transporteur"), ("en", "Own parcel", "another carrier")],
)
async def test_whole_days_an_unknown_carrier_and_the_parcel_itself_are_named_in_the_readers_language(
    site: ServedSite, language: str, brand: str, carrier: str
) -> None:
    asked = FORM | {"number": "88812345678999", "carrier": "other", "last_day": "2026-06-11", "comes_today": "1"}
    assert (await post(site, asked))[0] == 303
    pages = dict[str, str]()
    async with site.client(site.owner) as client:
        for path in ("/", "/parcels", "/history"):
            async with client.get(path, headers={"Accept-Language": language}) as answer:
                pages[path] = await answer.text()
    assert brand in pages["/"]
    assert brand in pages["/history"]
    assert f"{carrier} " in pages["/parcels"]
    for path in ("/", "/parcels"):
        assert re.search(r"10 \w+ (to|au) \S+ 11 \w+<", pages[path]), "two whole days have no hours"


async def test_a_pasted_link_announces_a_parcel_that_the_page_then_shows(site: ServedSite) -> None:
    link = f"https://www.laposte.fr/outils/suivre-vos-envois?code={PARCEL}"
    assert (await post(site, FORM | {"number": link, "note": "two  shoes", "comes_today": "1"}))[0] == 303
    (view,) = views(site.box)
    assert (view.carrier, view.entrance, view.place, view.note) == ("Colissimo", "garage", "hall", "two shoes")
    assert (view.said_today, view.needs_tap, view.state) == (True, False, ParcelState.OPENS)
    async with site.client(site.owner) as client, client.get("/parcels", headers=ENGLISH) as answer:
        shown = await answer.text()
    assert "two shoes" in shown
    assert f"…{PARCEL[-4:]}" in re.sub(r"[\u2066-\u2069]|</?bdi>", "", shown)
    assert PARCEL not in shown, "only the end of a number is shown"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"number": "hello"}, "too_short"),
        ({"number": "https://shop.example/"}, "no_number"),
        ({"first_day": "tomorrow"}, "window"),
        ({"first_day": "2026-06-09"}, "window"),
        ({"from": "18:00", "to": "14:00"}, "window"),
        ({"from": "18:00"}, "window"),
        ({"last_day": "2026-07-01"}, "window"),
        ({"where": "roof/hall"}, "unknown_entrance"),
        ({"where": "garage"}, "unknown_place"),
        ({"carrier": "pigeon"}, "carrier"),
    ],
)
async def test_what_is_wrong_is_said_beside_what_was_entered(
    site: ServedSite, changes: dict[str, str], why: str
) -> None:
    status, shown = await post(site, FORM | {"note": "shoes & socks"} | changes)
    assert status == 422
    assert PARCEL_REFUSAL_TEXTS[why].to("en") in shown.replace("&#39;", "'")
    assert "shoes &amp; socks" in shown
    assert views(site.box) == ()


async def test_it_comes_today_or_not_or_never(site: ServedSite) -> None:
    await post(site, FORM)
    (view,) = views(site.box)
    path = f"/parcels/{view.id}"
    assert (await post(site, {"do": "today"}, path))[0] == 303
    assert views(site.box)[0].said_today
    assert (await post(site, {"do": "not_today"}, path))[0] == 303
    assert not views(site.box)[0].said_today
    assert (await post(site, {"do": "cancel"}, path))[0] == 303
    assert views(site.box)[0].state is ParcelState.CANCELLED
    status, shown = await post(site, {"do": "cancel"}, path)
    assert status == 409
    assert PARCEL_REFUSAL_TEXTS["unknown_parcel"].to("en") in shown.replace("&#39;", "'")
    assert (await post(site, {"do": "open"}, path))[0] == 400


async def test_only_the_owner_announces(site: ServedSite) -> None:
    for role in (Role.HOUSEHOLD, Role.INSTALLER):
        guest = await site.guest(role, role.value)
        async with (
            site.client(guest) as client,
            client.post("/parcels", data=FORM, headers=ENGLISH, allow_redirects=False) as answer,
        ):
            assert answer.status == 403
    assert views(site.box) == ()


# ---- in a browser ----------------------------------------------------------------------------------------------------


async def opened(site: ServedSite, page: Page) -> Page:
    await site.sign_in(page.context)
    await page.goto(f"{site.address}/")
    await page.get_by_role("link", name=re.compile("Mon colis|My parcel")).click()
    await expect(page.locator("label.photo:not([hidden])")).to_be_visible()  # the script is there
    return page


@pytest.mark.slow
@pytest.mark.parametrize("locale", ["fr-FR", "en-GB"])
async def test_a_photo_of_the_label_fills_the_form_and_the_parcel_is_announced(site: ServedSite, locale: str) -> None:
    async with visitor() as owner:
        page = await opened(site, await owner.page(locale=locale, viewport={"width": 360, "height": 740}))
        number = page.locator("textarea[name=number]")
        await page.locator("#parcel-photo").set_input_files(upload(draw_label(("code128", PARCEL))))
        await expect(number).to_have_value(PARCEL)
        await page.locator("#parcel-photo").set_input_files(upload(draw_label(("qr", PARCEL), ("code128", "1234567"))))
        await page.locator("#parcel-choices button", has_text=PARCEL).click()
        await expect(number).to_have_value(PARCEL)
        await expect(page.locator("#parcel-choices")).to_be_hidden()
        link = "https://trace.dpd.fr/fr/trace/09980000020045"
        await page.locator("#parcel-photo").set_input_files(upload(draw_label(("qr", link))))
        await expect(number).to_have_value(link)
        await page.locator("[name=where]").select_option("garage/hall")
        await page.locator("[name=comes_today]").check()
        assert await accessibility_problems(page) == []
        await page.locator("form.fields > button").click()
        await expect(page.locator("main section.brand")).to_have_count(1)
        await expect(page.locator("main section.brand h3")).to_contain_text("DPD")
        assert await accessibility_problems(page) == []
        assert owner.complaints == []
    (view,) = views(site.box)
    assert (view.carrier, view.entrance, view.said_today) == ("DPD", "garage", True)


@pytest.mark.slow
async def test_a_photo_with_nothing_on_it_says_so(site: ServedSite) -> None:
    async with visitor() as owner:
        page = await opened(site, await owner.page(locale="en-GB"))
        await page.locator("#parcel-photo").set_input_files(upload(draw_label(("qr", "x")).crop((0, 0, 300, 200))))
        await expect(page.locator("#parcel-read")).to_contain_text("Nothing readable")
        await expect(page.locator("textarea[name=number]")).to_have_value("")
        assert owner.complaints == []


async def rings(site: ServedSite) -> str:
    """The owner's parcel comes to the living space: he is asked."""
    assert (await post(site, FORM | {"where": "front/hall", "comes_today": "1"}))[0] == 303
    return await site.box.ring(PARCEL)


@pytest.mark.slow
async def test_the_card_of_the_visit_shows_the_door_live_beside_open(site: ServedSite) -> None:
    visit = await rings(site)
    async with visitor() as owner:
        page = await owner.page(locale="en-GB")
        await site.sign_in(page.context)
        async with page.expect_response(re.compile(r"/live/cam/still\?")) as still:
            await page.goto(f"{site.address}/")
        assert (await (await still.value).body()).startswith(b"\xff\xd8")
        card = page.locator("article.visit")
        await expect(page.locator("[data-camera=cam] video").first).to_be_visible()
        assert await accessibility_problems(page) == []
        await card.get_by_role("button", name="Open", exact=True).click()
        await wait_until(lambda: site.box.front.state.visit is not None and site.box.front.state.visit.consent.approved)
        await site.box.commits(visit)
        await wait_until(lambda: site.box.commands(c.Unlock))


async def test_an_own_parcel_has_no_brand_to_complain_about(site: ServedSite) -> None:
    visit = await rings(site)
    await site.box.quiet()
    async with site.client(site.owner) as client:
        async with client.get(f"/history/{visit}", headers=ENGLISH) as answer:
            shown = await answer.text()
        assert "Own parcel" in shown
        assert "complaint" not in shown
        async with client.post(f"/history/{visit}/complaint", data={"complaint": "late"}) as answer:
            assert answer.status == 404
    assert site.box.store.brand_facts.complaints_of(visit) == ()


def link_to(site: ServedSite, visit: str) -> str:
    subject = f"front.{visit}"
    expires = site.box.clock.now().utc + timedelta(minutes=15)
    nonce = derive_nonce("1", LinkPurpose.APPROVE, subject, LINK_KEY)
    return f"/link/{sign_link(LinkPurpose.APPROVE, subject, expires, nonce, LINK_KEY)}"


async def test_the_link_of_the_push_shows_the_door_and_opens_for_its_own_visit_alone(site: ServedSite) -> None:
    visit = await rings(site)
    for other in (link_to(site, "0f3a-visit"), link_to(site, "own")):
        async with site.client(None) as client:
            async with client.get(f"{other}/picture") as answer:
                assert answer.status == 404
            async with client.post(other) as answer:
                assert answer.status == 410
    assert site.box.front.state.visit is not None
    assert site.box.front.state.visit.consent.approved is None
    path = link_to(site, visit)
    async with site.client(None) as client:
        async with client.get(path, headers=ENGLISH) as answer:
            assert f'src="{path}/picture"' in await answer.text()
        async with client.get(f"{path}/picture") as answer:
            assert (answer.status, answer.content_type, await answer.read()) == (200, "image/jpeg", PICTURE)
        async with client.post(path) as answer:
            assert answer.status == 200
    await wait_until(lambda: site.box.front.state.visit is not None and site.box.front.state.visit.consent.approved)


@pytest.mark.parametrize("passed", [True, False])
async def test_after_the_walk_test_the_first_thing_that_the_owner_is_offered_is_a_parcel_of_his_own(
    site: ServedSite, monkeypatch: pytest.MonkeyPatch, *, passed: bool
) -> None:
    offer = "The walk test is passed. The first thing to try: announce a parcel that you expect, from any shop."
    if passed:
        monkeypatch.setattr(WalkTestRunner, "status", lambda *_: WalkTestStatus.PASSED)

    async def home() -> str:
        async with site.client(site.owner) as client, client.get("/", headers=ENGLISH) as answer:
            return await answer.text()

    assert (offer in await home()) is passed
    assert (await post(site, FORM))[0] == 303
    assert offer not in await home(), "he has done it"
