"""The pages of keepers in a real browser: the owner gives, renews, withdraws codes; the keeper's own page, no more."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio
from aiohttp import ClientSession
from playwright.async_api import Page, expect

from gateway.config.home import CamerasSection
from gateway.domain.delivery.barcodes import ParcelCode, normalise
from gateway.web.auth.link_access import LINK_LIFETIME
from gateway.web.auth.roles import Role
from gateway.web.auth.tokens import CODE_COOKIE, COOKIE_BYTES, KEEPER_COOKIE, SecretToken
from tests.browser import IN_SHARED_BROWSER, Scheme, accessibility_problems, visitor
from tests.shell.house import PARCEL
from tests.shell.keepers import BACK_WITHIN_S, CLAIRE, COMPANY, STRANGER, KeptBox, code_text, kept_box
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
PARIS = ZoneInfo("Europe/Paris")


@pytest_asyncio.fixture(loop_scope="session")
async def kept(tmp_path: Path) -> AsyncIterator[KeptBox]:
    """The middle of a window at a key safe; a parcel is announced."""
    async with kept_box(tmp_path) as made:
        yield made


async def link_of(site: ServedSite, keeper: str = CLAIRE) -> str:
    """The link that the owner makes for a keeper, as her page shows it."""
    return await submit(site, f"/keepers/{keeper}/link", LINK)


async def sign_in(page: Page, site: ServedSite, keeper: str = CLAIRE) -> str:
    """The keeper opens his link on this phone; return the code that the phone shows."""
    await sign_in_by_link(page, await link_of(site, keeper), "/keeper")
    return await kept_code(page)


async def kept_code(page: Page) -> str:
    """The code that the phone keeps."""
    cookies = {cookie["name"]: cookie["value"] for cookie in await page.context.cookies()}
    return cookies[CODE_COOKIE]


async def turn(page: Page, step: str) -> None:
    """The page shows the keeper this step."""
    await expect(page.locator("[data-turn]")).to_have_attribute("data-turn", step)


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_a_keeper_takes_the_key_by_the_code_on_his_phone_and_brings_it_back(
    kept: KeptBox, scheme: Scheme
) -> None:
    async with serve_site(kept.box) as site, visitor() as somebody:
        page = await somebody.page(locale="en-GB")
        await page.emulate_media(color_scheme=scheme)
        code = await sign_in(page, site)
        await turn(page, "show")
        await expect(page.locator("figure.qr svg")).to_be_visible()
        jobs = page.locator(".jobs")
        await expect(jobs).to_contain_text("…2032 shop (Colissimo)")
        await expect(jobs).to_contain_text("Front: Hall")
        assert await accessibility_problems(page) == []
        await kept.scans(PARCEL)
        await turn(page, "other")
        visit = await kept.box.ring(code)
        await turn(page, "wait")
        await kept.box.commits(visit)
        await wait_until(lambda: kept.box.line.on("perron/flap/set"))
        await kept.hangs(is_there=False)
        await turn(page, "out")
        due = (kept.box.clock.now().utc + timedelta(seconds=BACK_WITHIN_S)).astimezone(PARIS)
        await expect(page.locator("[data-turn]")).to_contain_text(f"Bring the key back by {due:%H:%M}")
        assert await accessibility_problems(page) == []
        kept.box.passes(BACK_WITHIN_S + 1)
        await kept.box.quiet()
        kept.box.passes(61)
        await turn(page, "late")
        assert await accessibility_problems(page) == []
        width = await page.evaluate("document.documentElement.scrollWidth")
        assert width <= 390, "the page fits the phone's screen"
        await kept.brings_key()
        await turn(page, "shut")


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_both_pages_speak_french_to_who_reads_french(kept: KeptBox, scheme: Scheme) -> None:
    async with serve_site(kept.box) as site, visitor() as somebody:
        page = await somebody.page(locale="fr-FR")
        await page.emulate_media(color_scheme=scheme)
        await page.goto(await link_of(site))
        await expect(page.get_by_role("heading", name="Gardien de clé : ")).to_be_visible()
        assert await accessibility_problems(page) == []
        await page.get_by_role("button", name="Utiliser ce téléphone").click()
        await expect(page.get_by_role("heading", name="Aujourd'hui")).to_be_visible()
        assert await accessibility_problems(page) == []
        await site.sign_in(page.context)
        await page.goto(f"{site.address}/keepers")
        await expect(page.get_by_text("La clé est sur son crochet, prouvé.")).to_be_visible()
        await expect(page.get_by_role("button", name="Créer une carte pour")).to_have_count(3)
        assert await accessibility_problems(page) == []


@pytest.mark.slow
async def test_the_owner_sees_who_has_the_key_and_that_a_withdrawal_does_not_bring_it_back(
    kept: KeptBox,
) -> None:
    async with serve_site(kept.box) as site, visitor() as somebody:
        page = await somebody.page(locale="en-GB")
        await site.sign_in(page.context)
        await page.goto(f"{site.address}/keepers")
        await expect(page.get_by_text("The key is on its hook, proven.")).to_be_visible()
        await kept.takes_key()
        await expect(page.get_by_text("Claire Martin has the key")).to_be_visible()
        await page.get_by_role("button", name="Withdraw all codes of").first.click()
        await expect(page.get_by_role("status").filter(has_text="Withdrawn")).to_contain_text("still has the key")
        assert await accessibility_problems(page) == []
        kept.box.passes(BACK_WITHIN_S + 1)
        await kept.box.quiet()
        kept.box.passes(61)
        await expect(page.get_by_text("The key is late: an alarm was raised.")).to_be_visible()
        await kept.brings_key()
        await wait_until(lambda: "key_returned:claire" in kept.notes())


@pytest.mark.slow
async def test_a_card_is_shown_once_and_can_be_printed(kept: KeptBox) -> None:
    async with serve_site(kept.box) as site, visitor() as somebody:
        page = await somebody.page(locale="en-GB")
        await site.sign_in(page.context)
        await page.goto(f"{site.address}/keepers")
        await page.get_by_role("button", name="Make a card for").nth(1).click()
        card = page.locator(".card")
        await expect(card.locator("svg")).to_be_visible()
        await expect(card).to_contain_text("Oh my keys")
        shown_code = await card.locator("code").inner_text()  # for a terminal: `perron scan PARCEL CODE`
        assert shown_code.startswith("perron:")
        assert await accessibility_problems(page) == []
        await page.emulate_media(media="print")
        await expect(card.locator("svg")).to_be_visible()
        await expect(page.get_by_role("heading", name="Keepers")).to_be_hidden()
        await page.emulate_media(media="screen")
        await page.goto(f"{site.address}/keepers")
        await expect(page.locator(".card")).to_have_count(0)
        assert len(kept.box.store.keepers.codes(COMPANY)) == 2


@pytest.mark.slow
async def test_a_phone_without_its_code_shows_what_to_do(kept: KeptBox) -> None:
    async with serve_site(kept.box) as site, visitor() as somebody:
        page = await somebody.page(locale="en-GB")
        await sign_in(page, site)
        await page.context.clear_cookies(name=CODE_COOKIE)
        await page.reload()
        await expect(page.get_by_text("This phone has lost your code.")).to_be_visible()
        await expect(page.locator("figure.qr")).to_have_count(0)
        assert await accessibility_problems(page) == []


@pytest.mark.slow
async def test_the_code_stays_readable_when_the_box_is_not_heard(kept: KeptBox) -> None:
    async with visitor() as somebody:
        async with serve_site(kept.box) as site:
            page = await somebody.page(locale="en-GB")
            await sign_in(page, site)
            await page.wait_for_load_state("load")  # the box goes once the page has its script
        await expect(page.locator("#link.down")).to_be_visible()
        await expect(page.locator("figure.qr svg")).to_be_visible()
        await somebody.leave(forgiven="ERR_CONNECTION_REFUSED")


async def keeper_client(site: ServedSite, keeper: str = CLAIRE) -> ClientSession:
    """A keeper's phone, by its requests."""
    return await client_by_link(site, await link_of(site, keeper), "/keeper")


def code_in(client: ClientSession) -> str:
    return next(cookie.value for cookie in client.cookie_jar if cookie.key == CODE_COOKIE)


async def page_of(client: ClientSession, path: str = "/keeper") -> str:
    async with client.get(path) as answer:
        return await answer.text()


async def test_each_phone_has_a_code_of_its_own_that_the_box_does_not_keep(kept: KeptBox) -> None:
    async with serve_site(kept.box) as site, await keeper_client(site) as one, await keeper_client(site) as two:
        codes = {code_in(one), code_in(two)}
        assert len(codes) == 2
        for code in codes:
            known = normalise(code)
            assert isinstance(known, ParcelCode)
            found = kept.box.store.keepers.find(known.value)
            assert found is not None
            assert found.keeper == CLAIRE


async def test_a_keeper_has_no_other_right(kept: KeptBox) -> None:
    async with serve_site(kept.box) as site, await keeper_client(site) as claire:
        await has_no_other_right(claire, f"/keepers/{CLAIRE}/card", f"/keepers/{CLAIRE}/link")
        others = (f"en/keeper/{COMPANY}", "en/state/front", "en/keys/front", "en/timeline/front")
        own = f"en/keeper/{CLAIRE}"
        assert await parts_of_feed(claire, "/keeper/feed", *others, own) == [own]


async def test_a_keeper_of_another_entrance_sees_no_parcel_of_this_one(kept: KeptBox) -> None:
    async with serve_site(kept.box) as site, await keeper_client(site, STRANGER) as bruno:
        text = await page_of(bruno)
        assert 'data-turn="none"' in text
        assert PARCEL[-4:] not in text
        await kept.takes_key()
        assert "Claire" not in await page_of(bruno), "nor who has the key"


@pytest.mark.parametrize(
    ("keeper", "films", "is_filmed"), [(CLAIRE, True, True), (CLAIRE, False, False), (STRANGER, True, False)]
)
async def test_a_keeper_reads_that_he_is_filmed_where_a_camera_films_and_nowhere_else(
    kept: KeptBox, keeper: str, *, films: bool, is_filmed: bool
) -> None:
    home = kept.box.home
    front = home.entrances["front"]
    section = front if films else front.model_copy(update={"cameras": CamerasSection()})
    kept.box.home = home.model_copy(update={"entrances": {**home.entrances, "front": section}})
    async with serve_site(kept.box) as site, await keeper_client(site, keeper) as client:
        assert ("You are filmed" in await page_of(client)) is is_filmed


async def test_the_owners_first_page_shows_who_has_the_key(kept: KeptBox) -> None:
    async with serve_site(kept.box) as site, site.client(site.owner) as anna:
        assert "on its hook, proven" in await page_of(anna, "/")
        await kept.takes_key()
        shown = await page_of(anna, "/")
        assert "Claire Martin has the key" in shown
        assert shown.count("/keys/") == 1, "the garage has no key"


async def test_a_link_gives_a_code_once_and_only_by_a_press(kept: KeptBox) -> None:
    async with serve_site(kept.box) as site:
        link = (await link_of(site)).removeprefix(site.address)
        before = len(kept.box.store.keepers.codes(CLAIRE))
        async with ClientSession(site.address) as messenger, messenger.get(link) as preview:
            assert (preview.status, preview.cookies.get(KEEPER_COOKIE)) == (200, None)
        assert len(kept.box.store.keepers.codes(CLAIRE)) == before
        assert await is_good_for_one_press(site, link)


async def test_a_link_grows_old_and_a_code_does_not(kept: KeptBox) -> None:
    async with serve_site(kept.box) as site, await keeper_client(site) as claire:
        old = (await link_of(site)).removeprefix(site.address)
        kept.box.time.mono += LINK_LIFETIME.total_seconds()
        async with claire.get(old) as answer:
            assert answer.status == 410
        kept.box.time.mono += timedelta(days=300).total_seconds()
        assert 'class="paper middle"' in await page_of(claire)


async def test_the_id_of_a_session_alone_signs_nobody_in(kept: KeptBox) -> None:
    async with serve_site(kept.box) as site, await keeper_client(site):
        code = next(code for code in kept.box.store.keepers.codes(CLAIRE) if code.session is not None)
        forged = SecretToken(code.id, SecretToken.new(COOKIE_BYTES).secret)
        card = SecretToken("code-1", SecretToken.new(COOKIE_BYTES).secret)
        for cookie in (forged.text.replace(forged.id, code.id), card.text, "", "nonsense"):
            page = await page_with_cookie(site, "/keeper", f"{KEEPER_COOKIE}={cookie}")
            assert "You are not signed in" in page


async def test_another_keepers_code_in_the_cookie_is_not_drawn(kept: KeptBox) -> None:
    async with serve_site(kept.box) as site, await keeper_client(site) as claire:
        session = next(cookie.value for cookie in claire.cookie_jar if cookie.key == KEEPER_COOKIE)
        text = await page_with_cookie(site, "/keeper", f"{KEEPER_COOKIE}={session}; {CODE_COOKIE}={code_text(2)}")
        assert "This phone has lost your code." in text
        assert 'class="paper middle"' not in text


async def test_a_withdrawn_code_ends_its_phone_at_once_and_the_others_go_on(kept: KeptBox) -> None:
    async with serve_site(kept.box) as site, await keeper_client(site) as one, await keeper_client(site) as two:
        first = next(cookie.value for cookie in one.cookie_jar if cookie.key == KEEPER_COOKIE).partition(".")[0]
        await submit(site, f"/keepers/{CLAIRE}/withdraw", "(Withdrawn)", code=first)
        assert "You are not signed in" in await page_of(one)
        assert 'class="paper middle"' in await page_of(two)
        await kept.scans(PARCEL, code_in(one), code_in(two))
        assert kept.refusals() == ["keeper_not_accepted"]
        assert kept.holder() == CLAIRE, "the other phone's code counts"


async def test_renewing_ends_the_old_code_and_gives_another_one(kept: KeptBox) -> None:
    async with serve_site(kept.box) as site:
        shown = await submit(site, f"/keepers/{CLAIRE}/renew", r'class="notice card"[^>]*>(\s*)<h2', code="code-1")
        assert shown is not None
        (code,) = kept.box.store.keepers.codes(CLAIRE)
        assert code.id != "code-1"
        await kept.scans(PARCEL, code_text(1))
        assert kept.refusals() == ["keeper_not_accepted"]
        async with await keeper_client(site) as phone:
            mine = next(code for code in kept.box.store.keepers.codes(CLAIRE) if code.session is not None)
            await submit(site, f"/keepers/{CLAIRE}/renew", LINK, code=mine.id)
            assert "You are not signed in" in await page_of(phone)


async def test_a_keeper_who_has_the_key_still_sees_when_it_has_to_be_back(kept: KeptBox) -> None:
    async with serve_site(kept.box) as site, await keeper_client(site) as claire:
        await kept.scans(PARCEL)
        visit = await kept.box.ring(code_in(claire))
        await kept.box.commits(visit)
        await wait_until(lambda: kept.box.line.on("perron/flap/set"))
        await kept.hangs(is_there=False)
        said = await submit(site, f"/keepers/{CLAIRE}/withdraw-all", "(Withdrawn: [^<]*)")
        assert "still has the key and has to bring it back" in said
        text = await page_of(claire)
        assert 'data-turn="out"' in text
        assert "The household withdrew your code." in text
        assert 'class="paper middle"' not in text
        await kept.brings_key()
        await wait_until(lambda: "key_returned:claire" in kept.notes())
        assert "You are not signed in" in await page_of(claire)


async def test_a_keeper_signs_a_phone_out_and_its_code_ends(kept: KeptBox) -> None:
    async with serve_site(kept.box) as site, await keeper_client(site) as claire:
        code = code_in(claire)
        async with claire.post("/keeper/leave", allow_redirects=False) as answer:
            assert answer.status == 303
        assert "You are not signed in" in await page_of(claire)
        await kept.scans(PARCEL, code)
        assert kept.refusals() == ["keeper_not_accepted"]


async def test_only_an_owner_gives_codes_and_only_to_keepers_of_the_house_file(kept: KeptBox) -> None:
    async with serve_site(kept.box) as site, site.client(site.owner) as anna:
        bruno = await site.guest(Role.HOUSEHOLD)
        async with site.client(bruno) as household:
            for act in ("link", "card", "withdraw-all"):
                async with household.post(f"/keepers/{CLAIRE}/{act}") as answer:
                    assert answer.status == 403, act
            async with household.get("/keepers") as answer:
                text = await answer.text()
            assert "Claire Martin" in text
            assert "Make a link" not in text
        for act in ("link", "card", "withdraw-all", "renew", "withdraw"):
            async with anna.post(f"/keepers/nobody/{act}", data={"code": "code-1"}) as answer:
                assert answer.status == 404, act
        for act in ("renew", "withdraw"):
            async with anna.post(f"/keepers/{CLAIRE}/{act}", data={"code": "code-2"}) as answer:
                assert answer.status == 404, "another keeper's"


async def test_a_ninth_code_is_refused_with_the_reason(kept: KeptBox) -> None:
    async with serve_site(kept.box) as site:
        for _ in range(7):
            await submit(site, f"/keepers/{CLAIRE}/card", r"(class=\"notice card\")")
        for act in ("card", "link"):
            await submit(site, f"/keepers/{CLAIRE}/{act}", "(There are eight codes already)", status=422)


async def test_a_courier_at_a_keepers_door_reads_to_whom_to_give_the_parcel(kept: KeptBox) -> None:
    async with serve_site(kept.box) as site:
        digest = await kept.announce_with_token()
        for language, word in (("en", "Give it to the keeper"), ("fr", "Donnez-le au gardien"), ("de", "Dem Schlüsse")):
            async with (
                ClientSession(site.address, headers={"Accept-Language": language}) as courier,
                courier.get(f"/c/{digest}") as answer,
            ):
                text = await answer.text()
            assert 'data-turn="keeper"' in text
            assert word in text
