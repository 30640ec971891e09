"""The page of a receiver in a real browser: the owner's link, duty, taking, declining, handing over, and no more."""

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import ClientSession
from playwright.async_api import FilePayload, Page, expect

from gateway.domain.custody import CustodyStage, DeclineReason
from gateway.domain.delivery.barcodes import courier_token_digest
from gateway.web.auth.link_access import LINK_LIFETIME, MAX_SESSION_AGE, SESSION_IDLE_LIMIT
from gateway.web.auth.roles import Role
from gateway.web.auth.tokens import COOKIE_BYTES, SecretToken
from gateway.web.pages.desk import RECEIVER_COOKIE
from tests.browser import IN_SHARED_BROWSER, accessibility_problems, visitor
from tests.lens import FakeCamera, draw_label, jpeg
from tests.shell.desk import DESK, MARC, NINA, OTHER_PARCEL, DeskBox, desk_box
from tests.shell.house import PARCEL
from tests.shell.links import (
    LINK,
    client_by_link,
    has_no_other_right,
    is_good_for_one_press,
    page_with_cookie,
    parts_of_feed,
    sign_in_by_link,
    submit,
)
from tests.shell.site import ServedSite, serve_site
from tests.waiting import wait_until

pytestmark = IN_SHARED_BROWSER

JUST_NOW = timedelta(days=1)
DIGEST = courier_token_digest(bytes(16))


@pytest_asyncio.fixture(loop_scope="session")
async def desk(tmp_path: Path) -> AsyncIterator[DeskBox]:
    """The middle of a window at the concierge's; a parcel is announced."""
    async with desk_box(tmp_path) as made:
        await made.announce()
        yield made


async def link_of(site: ServedSite, receiver: str = MARC) -> str:
    """The link that the owner makes for a receiver, as her page shows it."""
    return await submit(site, f"/receptions/{DESK}/link", LINK, receiver=receiver)


async def sign_in(page: Page, site: ServedSite, receiver: str = MARC) -> None:
    """The receiver opens his link and takes the phone for it."""
    await sign_in_by_link(page, await link_of(site, receiver), "/desk")


async def types(page: Page, code: str, button: str) -> None:
    await page.get_by_role("textbox", name=re.compile("number on the label")).fill(code)
    await page.get_by_role("button", name=button, exact=True).click()


@pytest.mark.slow
async def test_a_receiver_takes_a_parcel_with_his_phones_camera_and_hands_it_over(
    desk: DeskBox, tmp_path: Path
) -> None:
    lens = FakeCamera(tmp_path / "label.mjpeg")
    lens.sees(draw_label(("code128", PARCEL), tilt=20))
    async with serve_site(desk.box) as site, visitor(*lens.switches) as somebody:
        page = await somebody.page(locale="en-GB")
        await sign_in(page, site)
        await expect(page.get_by_text("You are off duty")).to_be_visible()
        assert await accessibility_problems(page) == []
        await page.get_by_role("button", name="Go on duty").click()
        await expect(page.get_by_text("You are on duty.")).to_be_visible()
        desk.scan(PARCEL)
        await expect(page.get_by_text("Decline …2032")).to_be_visible()
        assert PARCEL not in await page.content(), "the whole number is on the label only"
        await page.get_by_role("button", name="Scan the label").click()
        await expect(page.get_by_text("You have the parcel now.")).to_be_visible()
        assert desk.stage() is CustodyStage.RECEIVED
        assert await accessibility_problems(page) == []
        await page.get_by_role("button", name="Scan the label").click()
        await expect(page.get_by_role("heading", name="Hand over the parcel …2032")).to_be_visible()
        assert await accessibility_problems(page) == []
        await page.get_by_role("textbox", name="To whom").fill("Anna Dupont")
        await page.get_by_role("button", name="Hand over", exact=True).click()
        await expect(page.get_by_text("Handed over.")).to_be_visible()
        await expect(page.get_by_text("to Anna Dupont")).to_be_visible()
        assert desk.stage() is CustodyStage.HANDED_OVER


@pytest.mark.slow
async def test_the_page_speaks_french_to_who_reads_french(desk: DeskBox) -> None:
    async with serve_site(desk.box) as site, visitor() as somebody:
        page = await somebody.page(locale="fr-FR")
        await page.goto(await link_of(site))
        await expect(page.get_by_role("heading", name="Recevoir les colis au nom de")).to_be_visible()
        assert await accessibility_problems(page) == []
        await page.get_by_role("button", name="Utiliser ce téléphone").click()
        await page.get_by_role("button", name="Prendre mon service").click()
        await expect(page.get_by_text("Vous êtes de service.")).to_be_visible()
        desk.scan(PARCEL)
        await page.get_by_text("Refuser …2032").click()
        await page.get_by_role("button", name="plus de place").click()
        await expect(page.get_by_text("Refusé. Le livreur remporte le colis.")).to_be_visible()
        assert desk.stage() is CustodyStage.DECLINED
        assert await accessibility_problems(page) == []
        width = await page.evaluate("document.documentElement.scrollWidth")
        assert width <= 390, "nothing stands out of a phone's screen"


@pytest.mark.slow
async def test_a_photo_of_the_label_does_where_there_is_no_camera(desk: DeskBox) -> None:
    async with serve_site(desk.box) as site, visitor() as somebody:
        page = await somebody.page()
        await sign_in(page, site)
        await page.get_by_role("button", name="Go on duty").click()
        await expect(page.get_by_text("You are on duty.")).to_be_visible()
        await desk.offered()
        picture = jpeg(draw_label(("code128", PARCEL), tilt=0))
        await page.locator("#photo").set_input_files(FilePayload(name="a.jpg", mimeType="image/jpeg", buffer=picture))
        await expect(page.get_by_text("You have the parcel now.")).to_be_visible()


@pytest.mark.slow
async def test_what_the_courier_did_not_offer_is_not_taken(desk: DeskBox) -> None:
    async with serve_site(desk.box) as site, visitor() as somebody:
        page = await somebody.page()
        await sign_in(page, site)
        await page.get_by_role("button", name="Go on duty").click()
        await types(page, PARCEL, "Continue")
        await expect(page.get_by_role("alert")).to_have_text(
            "This parcel is not offered now: the courier scans it first."
        )
        await desk.offered()
        await types(page, OTHER_PARCEL, "Continue")
        await expect(page.get_by_role("alert")).to_be_visible()
        assert desk.stage() is CustodyStage.OFFERED
        await somebody.leave(forgiven="status of 422")


@pytest.mark.slow
async def test_the_owner_sees_who_has_the_parcel_and_confirms_it_by_a_scan(desk: DeskBox) -> None:
    async with serve_site(desk.box) as site, visitor() as somebody:
        page = await somebody.page()
        await site.sign_in(page.context)
        await page.goto(f"{site.address}/receptions")
        await expect(page.get_by_text("Nobody is on duty")).to_be_visible()
        await desk.offered()
        await expect(page.get_by_text("the courier offers it now")).to_be_visible()
        await desk.desk.accept(MARC, PARCEL)
        await expect(page.get_by_text("with Marc Petit")).to_be_visible()
        assert await accessibility_problems(page) == []
        await types(page, PARCEL, "Confirm")
        await expect(page.get_by_role("alert")).to_have_text(
            "This parcel was not handed over: the receiver scans it first."
        )
        await desk.desk.hand_over(MARC, PARCEL, "Anna")
        await types(page, PARCEL, "Confirm")
        await expect(page.get_by_text("Confirmed: the parcel is with you.")).to_be_visible()
        assert desk.stage() is CustodyStage.CONFIRMED
        await wait_until(lambda: all(one.sealed for one in desk.box.store.custodies.films()))
        await page.goto(f"{site.address}/history")
        await page.locator("a[href^='/history/custody-']").click()
        await expect(page.locator("#seal.whole")).to_contain_text("the box signed its statement about this visit")
        await expect(page.get_by_text(f"…{PARCEL[-4:]}: the household has confirmed it")).to_be_visible()
        assert await accessibility_problems(page) == []
        await somebody.leave(forgiven="status of 422")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("locale", "give"),
    [
        ("fr-FR", "Donnez-le à la réception"),
        ("en-GB", "Give it to the receiver"),
        ("de-DE", "Geben Sie es ab"),
    ],
)
async def test_a_courier_without_a_scanner_offers_the_parcel_on_his_own_page(
    desk: DeskBox, locale: str, give: str
) -> None:
    await desk.announce(id="d2", parcels=(OTHER_PARCEL,), courier_sha256=DIGEST)
    async with serve_site(desk.box) as site, visitor() as somebody:
        page = await somebody.page(locale=locale)
        await page.goto(f"{site.address}/c/{DIGEST}")
        await expect(page.locator("[data-turn]")).to_have_attribute("data-turn", "scan")
        await page.locator("input[name=code]").fill(OTHER_PARCEL)
        await page.locator("form[data-scan] button").click()
        await expect(page.get_by_role("alert")).to_be_visible()
        assert desk.stage(OTHER_PARCEL) is CustodyStage.ANNOUNCED, "nobody is on duty"
        await desk.desk.set_duty(MARC, on=True)
        await page.locator("input[name=code]").fill(PARCEL)
        await page.locator("form[data-scan] button").click()
        await expect(page.get_by_role("alert")).to_be_visible()
        assert desk.stage(PARCEL) is None, "his link offers the parcels of his own delivery only"
        await page.locator("input[name=code]").fill(OTHER_PARCEL)
        await page.locator("form[data-scan] button").click()
        await expect(page.locator("[data-turn]")).to_have_attribute("data-turn", "give")
        await expect(page.locator(".word")).to_have_text(give)
        assert await accessibility_problems(page) == []
        await desk.desk.accept(MARC, OTHER_PARCEL)
        await expect(page.locator("[data-turn]")).to_have_attribute("data-turn", "done")
        await expect(page.locator("form[data-scan]")).to_be_hidden()


async def test_what_a_receiver_took_is_in_the_history_with_who_had_it_and_its_report(desk: DeskBox) -> None:
    await desk.announce(id="d2", parcels=(OTHER_PARCEL,))
    await desk.offered()
    await desk.desk.accept(MARC, PARCEL)
    await desk.desk.hand_over(MARC, PARCEL, "Anna")
    await desk.offered(OTHER_PARCEL)
    declined = desk.parcel(OTHER_PARCEL)
    assert declined is not None
    await desk.desk.decline(MARC, declined.delivery, declined.parcel, DeclineReason.DAMAGED)
    taken = desk.parcel()
    assert taken is not None
    await wait_until(lambda: all(one.sealed for one in desk.box.store.custodies.films()))
    async with serve_site(desk.box) as site, site.client(site.owner) as client:
        listed = await text_of(client, f"/history?entrance={DESK}")
        assert listed.count('href="/history/custody-') == 2
        assert "not sealed yet" not in listed.lower()
        assert listed.count('<svg viewBox="0 0 160 90"') == 2, "a drawing, for there is no film"
        assert "/thumbnail" not in listed
        assert '<option value="desk" selected>' in listed
        assert "/history/custody-" not in await text_of(client, "/history?entrance=front")
        story = await text_of(client, f"/history/{taken.visit}")
        end = f"…{PARCEL[-4:]}"
        lines = [f"{end}: {line}" for line in (
            "the courier offers it", "Marc Petit has it", "Marc Petit has handed it over to the household",
        )]  # fmt: skip
        places = [story.index(line) for line in lines]
        assert places == sorted(places)
        assert f"…{OTHER_PARCEL[-4:]}: Marc Petit did not take it: damaged" in await text_of(
            client, f"/history/{declined.visit}"
        )
        async with client.get(f"/history/{taken.visit}/report.pdf") as answer:
            assert (answer.status, (await answer.read())[:4]) == (200, b"%PDF")
        async with client.get("/history/custody-0000000000000000") as answer:
            assert answer.status == 404


@pytest.mark.parametrize(("gives", "word"), [(True, "scan"), (False, "refused")])
async def test_a_late_courier_at_a_reception_asks_on_his_page_and_reads_the_answer_there(
    desk: DeskBox, word: str, *, gives: bool
) -> None:
    await desk.announce(id="d2", parcels=(OTHER_PARCEL,), courier_sha256=DIGEST)
    page, box = f"/c/{DIGEST}", desk.box
    async with serve_site(box) as site, ClientSession(site.address) as courier:
        async with courier.post(f"{page}/more-time") as answer:
            assert answer.status == 200
        assert box.store.more_time.answer("shop.d2", box.clock.now()) is None, "the window is not over"
        await desk.passes(4500)
        shown = await text_of(courier, page)
        assert 'data-turn="late"' in shown
        assert "Ask for half an hour more" in shown
        async with courier.post(f"{page}/more-time") as answer:
            assert 'data-turn="asked"' in await answer.text()
        await (box.reception.give_time if gives else box.reception.refuse_time)("shop.d2", "p-anna")
        shown = await text_of(courier, page)
        assert f'data-turn="{word}"' in shown
        assert ("The household gives you time until" in shown) == gives


async def text_of(client: ClientSession, path: str) -> str:
    async with client.get(path, headers={"Accept-Language": "en"}) as answer:
        assert answer.status == 200
        return await answer.text()


async def receiver_client(site: ServedSite, receiver: str = MARC) -> ClientSession:
    """A receiver's browser, by its requests."""
    return await client_by_link(site, await link_of(site, receiver), "/desk")


async def test_a_receiver_has_no_other_right(desk: DeskBox) -> None:
    async with serve_site(desk.box) as site, await receiver_client(site) as marc:
        await has_no_other_right(marc, "/receptions/confirm", f"/receptions/{DESK}/link")
        others, own = (f"en/desk/{DESK}/{NINA}", "en/state/front"), f"en/desk/{DESK}/{MARC}"
        assert await parts_of_feed(marc, "/desk/feed", *others, own) == [own]


async def test_a_link_signs_in_once_and_only_by_a_press(desk: DeskBox) -> None:
    async with serve_site(desk.box) as site:
        link = (await link_of(site)).removeprefix(site.address)
        async with ClientSession(site.address) as messenger, messenger.get(link) as preview:
            assert (preview.status, preview.cookies.get("receiver")) == (200, None)
        assert await is_good_for_one_press(site, link)


async def test_a_link_and_a_session_grow_old(desk: DeskBox) -> None:
    async with serve_site(desk.box) as site, await receiver_client(site) as marc:
        old = (await link_of(site)).removeprefix(site.address)
        desk.box.time.mono += LINK_LIFETIME.total_seconds()
        async with marc.get(old) as answer:
            assert answer.status == 410
        async with marc.get("/desk") as answer:
            assert "You are off duty" in await answer.text()
        desk.box.time.mono += SESSION_IDLE_LIMIT.total_seconds()
        async with marc.get("/desk") as answer:
            assert "You are not signed in" in await answer.text()
        assert timedelta(days=1) < SESSION_IDLE_LIMIT < MAX_SESSION_AGE


async def test_a_session_that_is_used_ends_too(desk: DeskBox) -> None:
    async with serve_site(desk.box) as site, await receiver_client(site) as marc:
        used = timedelta()
        while (used := used + SESSION_IDLE_LIMIT / 2) < MAX_SESSION_AGE:
            desk.box.time.mono += (SESSION_IDLE_LIMIT / 2).total_seconds()
            async with marc.get("/desk") as answer:
                assert "You are off duty" in await answer.text()
            await wait_until(lambda: desk.box.clock.now().utc - desk.box.store.receivers.sessions()[0].seen < JUST_NOW)
        desk.box.time.mono += (SESSION_IDLE_LIMIT / 2).total_seconds()
        async with marc.get("/desk") as answer:
            assert "You are not signed in" in await answer.text()


async def test_the_id_of_a_session_alone_signs_nobody_in(desk: DeskBox) -> None:
    async with serve_site(desk.box) as site, await receiver_client(site):
        (session,) = desk.box.store.receivers.sessions()
        forged = SecretToken(session.id, SecretToken.new(COOKIE_BYTES).secret)
        page = await page_with_cookie(site, "/desk", f"{RECEIVER_COOKIE}={forged.text}")
        assert "You are not signed in" in page


async def test_a_receiver_who_leaves_is_signed_out_on_the_box_and_keeps_no_cookie(desk: DeskBox) -> None:
    async with serve_site(desk.box) as site, await receiver_client(site) as marc:
        async with marc.post("/desk/leave", allow_redirects=False) as answer:
            assert (answer.status, answer.headers["Location"]) == (303, "/desk")
        assert desk.box.store.receivers.sessions() == ()
        assert [cookie.key for cookie in marc.cookie_jar if cookie.key == RECEIVER_COOKIE] == []
        assert "You are not signed in" in await text_of(marc, "/desk")
        headers = {"Accept": "application/json"}
        async with marc.post("/desk/leave", headers=headers, allow_redirects=False) as answer:
            assert answer.status == 401


async def test_the_owner_signs_a_receiver_out_at_once(desk: DeskBox) -> None:
    async with serve_site(desk.box) as site, await receiver_client(site) as marc, site.client(site.owner) as anna:
        (session,) = desk.box.store.receivers.sessions()
        async with anna.post(f"/receptions/{DESK}/end", data={"session": session.id}, allow_redirects=False) as answer:
            assert answer.status == 303
        async with marc.get("/desk") as answer:
            assert "You are not signed in" in await answer.text()
        async with marc.post("/desk/duty", data={"on": "1"}, allow_redirects=False) as answer:
            assert (answer.status, answer.headers["Location"]) == (303, "/desk")
        assert desk.desk.on_duty() == frozenset()


async def test_only_an_owner_makes_links_and_only_for_receivers_of_the_house_file(desk: DeskBox) -> None:
    async with serve_site(desk.box) as site, site.client(site.owner) as anna:
        bruno = await site.guest(Role.HOUSEHOLD)
        async with site.client(bruno) as household:
            async with household.post(f"/receptions/{DESK}/link", data={"receiver": MARC}) as answer:
                assert answer.status == 403
            async with household.get("/receptions") as answer:
                assert answer.status == 200
                assert "/link" not in await answer.text()
        async with anna.get("/receptions") as answer:
            assert f"/receptions/{DESK}/link" in await answer.text()
        for reception, receiver in ((DESK, "stranger"), ("nowhere", MARC)):
            async with anna.post(f"/receptions/{reception}/link", data={"receiver": receiver}) as answer:
                assert answer.status == 404


async def test_a_receiver_who_presses_without_end_is_slowed(desk: DeskBox) -> None:
    async with serve_site(desk.box) as site, await receiver_client(site) as marc:
        statuses = []
        for _ in range(40):
            async with marc.post("/desk/scan", data={"code": "x"}) as answer:
                statuses.append(answer.status)
        assert 429 in statuses
        assert len(desk.box.store.log.bodies_of_kind("custody")) == 0
        await wait_until(lambda: desk.stage() is None)
