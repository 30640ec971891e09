"""The page on which a household sees who asks to come in, and its owner answers."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import ClientSession
from playwright.async_api import expect

from gateway.domain.delivery.permission import PermissionStatus
from gateway.protocol.consent_request import AskedTerms
from gateway.protocol.consent_verification import REASON_UNSIGNED
from gateway.protocol.ed25519 import PublicKey
from gateway.web.auth.roles import Role
from tests.browser import IN_SHARED_BROWSER, TIMEOUT_MS, accessibility_problems, visitor
from tests.gateway.domain.delivery.house import open_requests
from tests.gateway.web.house import ANNA_PASSWORD
from tests.shell.box import ShellBox, box, run_box
from tests.shell.house import make_home
from tests.shell.site import ServedSite, serve_site
from tests.stranger import HOME, HUB, UnknownBrand

pytestmark = IN_SHARED_BROWSER

expect.set_options(timeout=TIMEOUT_MS)

JSON = {"Accept": "application/json"}
ENGLISH = {"Accept-Language": "en"}
TERMS = [("entrance", "garage"), ("place", "hall"), ("carriers", "Colissimo"), ("from", "08:00"), ("to", "20:00"),
         *(("day", day) for day in ("mon", "tue", "wed", "thu", "fri")), ("openings", "1"),
         ("password_again", ANNA_PASSWORD)]  # fmt: skip


@pytest_asyncio.fixture(loop_scope="session")
async def made(tmp_path: Path) -> AsyncIterator[ShellBox]:
    async with box(tmp_path, make_home(tmp_path)) as made, run_box(made):
        await made.good_day()
        yield made


@pytest_asyncio.fixture(loop_scope="session")
async def site(made: ShellBox) -> AsyncIterator[ServedSite]:
    async with serve_site(made) as site:
        yield site


async def hears(made: ShellBox, token: bytes) -> None:
    assert await made.reception.permissions.accept_message(token, home=HOME, hub=HUB) is None


async def shown(client: ClientSession) -> str:
    async with client.get("/brands", headers=ENGLISH) as answer:
        assert answer.status == 200
        return await answer.text()


def digest(page: str) -> str:
    found = re.search(r'name="ask" value="([0-9a-f]{64})"', page)
    assert found is not None
    return found[1]


async def test_all_that_a_stranger_asks_is_shown_with_its_key_and_a_plain_yes_is_not_offered(
    site: ServedSite, made: ShellBox
) -> None:
    lune = UnknownBrand(name="Maison & Lune")
    await hears(made, lune.asking(signed=lune.asks(hours="09:00-17:00", days=("mon", "wed"), openings=2)))
    async with site.client(site.owner) as client:
        page = await shown(client)
        for text in (
            "Maison &amp; Lune",
            HUB,
            "between 09:00 and 17:00",
            "Mon, Wed",
            PublicKey.from_text(lune.x()).fingerprint,
        ):
            assert text in page, text
        assert 'value="permit"' not in page.split('id="brand-lune"')[1].split("</article>")[0]
        async with client.post("/brands/lune", data={"do": "permit"}, headers=JSON) as answer:
            assert answer.status == 409, "whoever made the form himself is told the same"
        permission = made.store.brands.permission("lune")
        assert permission is not None
        assert permission.standing is PermissionStatus.PENDING


@pytest.mark.parametrize("entrances", [("front", "garage"), ("front",)])
async def test_to_begin_with_the_garage_is_told_only_where_there_is_one(
    tmp_path: Path, entrances: tuple[str, ...]
) -> None:
    whole = make_home(tmp_path)
    house = whole.model_copy(update={"entrances": {name: whole.entrances[name] for name in entrances}})
    async with box(tmp_path, house) as made, serve_site(made) as site:
        await hears(made, UnknownBrand().asking())
        async with site.client(site.owner) as client:
            page = await shown(client)
    assert 'action="/brands/lune/terms"' in page
    assert ("Begin with the garage" in page) is ("garage" in entrances)


async def test_the_owner_lets_it_in_as_he_saw_it_with_narrower_terms_and_can_end_it(
    site: ServedSite, made: ShellBox
) -> None:
    lune = UnknownBrand()
    await hears(made, lune.asking())
    async with site.client(site.owner) as client:
        seen = digest(await shown(client))
        await hears(made, lune.asking(signed=lune.asks(openings=9), connection="con-2"))
        async with client.post("/brands/lune/terms", data=[*TERMS, ("ask", seen)], headers=JSON) as answer:
            assert answer.status == 409, "it asks for something else by now"
        form = [*TERMS, ("ask", digest(await shown(client))), ("until", "2026-12-24")]
        async with client.post("/brands/lune/terms", data=form) as answer:
            assert answer.url.path == "/brands"
        permission = made.store.brands.permission("lune")
        assert permission is not None
        assert permission.standing is PermissionStatus.GRANTED
        assert permission.terms.hours == "08:00-20:00"
        assert not permission.terms.hub_signed
        assert str(permission.terms.expires) == "2026-12-24 23:00:00+00:00", "the end of that day in the house"
        page = await shown(client)
        assert 'value="2026-12-24"' in page
        assert "until Thu 24 Dec" in page, "the last day, not the first one after it"
        async with client.post("/brands/lune", data={"do": "revoke"}) as answer:
            assert answer.status == 200
        assert made.store.brands.permission("lune") != permission
        await hears(made, lune.asking(connection=None, ends="con-2", ended=lune.ends("con-2")))
        assert "The brand ended this itself" in await shown(client)


@pytest.mark.parametrize("until", ["2999-12-31", "0027-01-31", "9999-12-31", "2062-01-31", "soon"])
async def test_a_last_day_that_cannot_be_meant_is_refused_in_words_and_nothing_is_decided(
    site: ServedSite, made: ShellBox, until: str
) -> None:
    lune = UnknownBrand()
    await hears(made, lune.asking())
    before = made.store.brands.permission("lune")
    async with site.client(site.owner) as client:
        form = [*TERMS, ("ask", digest(await shown(client))), ("until", until)]
        async with client.post("/brands/lune/terms", data=form, headers=JSON | ENGLISH) as answer:
            assert answer.status == 409
            assert "leave the field empty" in (await answer.json())["why"]
    assert made.store.brands.permission("lune") == before


async def test_whoever_lets_a_brand_in_or_do_more_gives_the_password_and_the_form_is_kept(
    site: ServedSite, made: ShellBox
) -> None:
    lune = UnknownBrand()
    await hears(made, lune.asking())
    async with site.client(site.owner) as client:
        ask = ("ask", digest(await shown(client)))
        form = [field for field in TERMS if field[0] != "password_again"]
        async with client.post("/brands/lune/terms", data=[*form, ask]) as answer:
            assert answer.status == 401
            page = await answer.text()
            assert 'action="/brands/lune/terms"' in page
            assert page.count('name="day"') == 5, "all that was ticked"
        wrong = [*form, ask, ("password_again", "not the password")]
        async with client.post("/brands/lune/terms", data=wrong, headers=JSON) as answer:
            assert answer.status == 401
        permission = made.store.brands.permission("lune")
        assert permission is not None
        assert permission.standing is PermissionStatus.PENDING
        async with client.post("/brands/lune/terms", data=[*TERMS, ask]) as answer:
            assert answer.url.path == "/brands"
        for more, status in ((("each", "1"), 200), (("hub_signed", "1"), 401), (("openings", "2"), 401)):
            changed = [field for field in form if field[0] != more[0]]
            async with client.post("/brands/lune/terms", data=[*changed, more]) as answer:
                assert answer.status == status, more
            async with client.post("/brands/lune/terms", data=TERMS) as answer:
                assert answer.status == 200
        async with client.post("/brands/lune", data={"do": "revoke"}) as answer:
            assert answer.status == 200, "to take away is quick"
        for path in ("/brands/lune", "/entrance/garage"):
            async with client.post(path, data={"do": "permit", "brand": "lune"}, headers=JSON) as answer:
                assert answer.status == 401, path


async def test_a_new_key_is_not_accepted_without_the_password(site: ServedSite, made: ShellBox) -> None:
    lune = UnknownBrand()
    await hears(made, lune.asking())
    lune.grows()
    async with site.client(site.owner) as client:
        async with client.post("/brands/lune/terms", data=[*TERMS, ("ask", digest(await shown(client)))]) as answer:
            assert answer.status == 200
        await hears(made, lune.asking(lune.shown(), lune.vouches(2), connection=None))
        assert [key.kid for key in made.store.brands.waiting_keys()] == ["lune-2"]
        async with client.post("/brands/lune/keys/lune-2", data={"do": "approve"}, headers=JSON) as answer:
            assert answer.status == 401
        assert [key.kid for key in made.store.brands.waiting_keys()] == ["lune-2"]
        async with client.post("/brands/lune/keys/lune-2", data={"do": "refuse"}) as answer:
            assert answer.status == 200, "to refuse is quick"


async def test_a_new_key_is_the_owner_s_to_accept(site: ServedSite, made: ShellBox) -> None:
    lune = UnknownBrand()
    await hears(made, lune.asking())
    lune.grows()
    lune.grows()
    async with site.client(site.owner) as client:
        async with client.post("/brands/lune/terms", data=[*TERMS, ("ask", digest(await shown(client)))]) as answer:
            assert answer.status == 200
        await hears(made, lune.asking(lune.shown(), lune.vouches(2), lune.vouches(3), connection=None))
        page = await shown(client)
        assert PublicKey.from_text(lune.x(2)).fingerprint in page
        for kid, do in (("lune-2", "approve"), ("lune-3", "refuse")):
            said = {"do": do, "password_again": ANNA_PASSWORD}
            async with client.post(f"/brands/lune/keys/{kid}", data=said) as answer:
                assert answer.url.path == "/brands"
            async with client.post(
                f"/brands/lune/keys/{kid}", data={"do": do, "password_again": ANNA_PASSWORD}, headers=JSON
            ) as answer:
                assert answer.status == 409, "it waits no more"
        async with client.post("/brands/lune/keys/lune-2", data={"do": "else"}) as answer:
            assert answer.status == 400
    assert {"lune-1", "lune-2"} == {key.kid for key in made.store.brands.known["lune"].keys}


async def test_whom_the_owner_refused_he_may_forget_and_then_it_asks_as_anybody(
    site: ServedSite, made: ShellBox
) -> None:
    lune, other = UnknownBrand(), UnknownBrand()
    token = lune.asking()
    await hears(made, token)
    async with site.client(site.owner) as client:
        async with client.post("/brands/lune/forget", headers=JSON) as answer:
            assert answer.status == 409, "first it is answered"
        async with client.post("/brands/lune", data={"do": "refuse_brand"}) as answer:
            assert answer.status == 200
        assert await made.reception.permissions.accept_message(other.asking(), home=HOME, hub=HUB) == REASON_UNSIGNED
        async with client.post("/brands/lune/forget") as answer:
            assert answer.url.path == "/brands"
            assert "Maison Lune" not in await answer.text()
        await hears(made, token)
        assert open_requests(made.store, made.clock.now()) == (), "what was asked once is not asked again"
        await hears(made, other.asking())
        assert PublicKey.from_text(other.x()).fingerprint in await shown(client)


async def test_a_key_that_the_brand_took_back_is_told_as_that(site: ServedSite, made: ShellBox) -> None:
    lune = UnknownBrand()
    await hears(made, lune.asking())
    async with site.client(site.owner) as client:
        async with client.post("/brands/lune/terms", data=[*TERMS, ("ask", digest(await shown(client)))]) as answer:
            assert answer.status == 200
        await hears(made, lune.asking(connection=None, withdrawn=(lune.x(),)))
        for page in ("/settings/keys", "/settings/sign-ins"):
            async with client.get(page, headers=ENGLISH) as answer:
                text = await answer.text()
                assert answer.status == 200
                assert "lune-1" in text
                assert "took back its key" in text or "taken back by the brand" in text, page


async def test_what_only_the_hub_vouches_for_is_said_and_never_given_without_a_tick(
    site: ServedSite, made: ShellBox
) -> None:
    plain = UnknownBrand(keys=[])
    asked = AskedTerms(carriers=("Colissimo",), hub_signed=True)
    await hears(made, plain.asking(signed=None, asked=asked))
    async with site.client(site.owner) as client:
        page = await shown(client)
        assert "signs nothing itself" in page
        assert "could then invent a delivery" in page
        form = [*TERMS, ("ask", digest(page))]
        for more, given in (([], False), ([("hub_signed", "1")], True)):
            async with client.post("/brands/lune/terms", data=[*form, *more]) as answer:
                assert answer.status == 200
            permission = made.store.brands.permission("lune")
            assert permission is not None
            assert permission.terms.hub_signed is given


async def test_the_household_sees_who_asks_and_only_the_owner_answers(site: ServedSite, made: ShellBox) -> None:
    await hears(made, UnknownBrand().asking())
    assert await made.reception.permissions.forget("shop", "anna") is not None, (
        "nobody forgets whom the house file names"
    )
    guests = [await site.guest(Role.HOUSEHOLD, "Bruno"), await site.guest(Role.INSTALLER, "Ines")]
    for guest, sees in zip(guests, (200, 403), strict=True):
        async with site.client(guest) as client:
            async with client.get("/brands") as answer:
                assert answer.status == sees
            for path, do in (
                ("", "permit"),
                ("", "refuse_brand"),
                ("/terms", ""),
                ("/keys/lune-1", "approve"),
                ("/forget", ""),
            ):
                async with client.post(f"/brands/lune{path}", data={"do": do}) as answer:
                    assert answer.status == 403, path
    assert len(open_requests(made.store, made.clock.now())) == 1


async def test_what_is_over_is_shown_no_more(site: ServedSite, made: ShellBox) -> None:
    await hears(made, replace(UnknownBrand(), now=made.clock.now().utc).asking())
    async with site.client(site.owner) as client:
        assert "Maison Lune" in await shown(client)
        made.time.mono += 8 * 24 * 3600
        async with client.get("/brands", headers=ENGLISH) as answer:
            assert "Maison Lune" not in await answer.text()


async def test_without_any_brand_the_page_says_how_one_gets_there_and_what_one_can_do(tmp_path: Path) -> None:
    alone = make_home(tmp_path).model_copy(update={"brands": {}})
    async with box(tmp_path, alone) as made, run_box(made), serve_site(made) as site:
        async with site.client(site.owner) as client:
            owners = await shown(client)
        async with site.client(await site.guest(Role.HOUSEHOLD)) as client:
            others = await shown(client)
    assert "No brand has asked yet." in owners
    assert '<a href="/settings/hub">Join a hub</a>' in owners
    assert '<a href="/parcels">My parcel</a>' in owners
    assert "No brand has asked yet." in others
    assert "/settings/hub" not in others


@pytest.mark.slow
@pytest.mark.parametrize(("locale", "scheme"), [("fr-FR", "light"), ("en-GB", "dark")])
async def test_a_stranger_is_let_in_by_hand_in_a_browser(
    site: ServedSite, made: ShellBox, locale: str, scheme: str
) -> None:
    lune = UnknownBrand()
    await hears(made, lune.asking())
    async with visitor() as somebody:
        page = await somebody.page(locale=locale, color_scheme=scheme, reduced_motion="reduce")
        await site.sign_in(page.context)
        await page.goto(f"{site.address}/brands")
        card = page.locator("article.brand", has_text="Maison Lune")
        await expect(card).to_contain_text(PublicKey.from_text(lune.x()).fingerprint)
        assert await accessibility_problems(page) == []
        await card.locator('input[name=day][value="sun"]').uncheck()
        await card.locator("form.terms button").click()
        await page.locator("input[name=password_again]").fill("not the password")
        await page.locator("form.fields button:not([type=button])").click()
        await expect(page.get_by_role("alert")).to_be_visible()
        assert await accessibility_problems(page) == []
        await page.locator("input[name=password_again]").fill(ANNA_PASSWORD)
        await page.locator("form.fields button:not([type=button])").click()
        somebody.complaints.clear()  # 401 and 422, as asked for
        await expect(card).to_have_class(re.compile("granted"))
        assert await accessibility_problems(page) == []
    permission = made.store.brands.permission("lune")
    assert permission is not None
    assert permission.standing is PermissionStatus.GRANTED
    assert permission.terms.entrances == {"garage"}
    assert "sun" not in permission.terms.days
