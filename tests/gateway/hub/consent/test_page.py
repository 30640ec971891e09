from pathlib import Path
from urllib.parse import urlsplit

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from playwright.async_api import expect

from gateway.hub.consent.page import MAX_CODES_PER_MINUTE, MAX_VIEWS_PER_MINUTE
from gateway.hub.consent.page_texts import ENDINGS, JOIN
from gateway.protocol.box_hub import PermissionDecision
from gateway.protocol.enrolment import ClaimCode
from gateway.protocol.support_code import format_support_code, new_support_code
from gateway.system.i18n import Language, Text
from tests.browser import IN_SHARED_BROWSER, accessibility_problems, visitor
from tests.connecting import ASKED_TERMS, GRANTED_DECISION, HubRetailer
from tests.hubs import hub_file, run_hub

pytestmark = IN_SHARED_BROWSER

EVIL = '<b>Lune</b> & "Sœur"'


@pytest.mark.slow
@pytest.mark.parametrize(("language", "other"), [("fr", "English"), ("en", "Français")])
async def test_a_customer_is_asked_says_which_home_and_waits_for_its_answer(
    tmp_path: Path, language: Language, other: str
) -> None:
    async with run_hub(hub_file(tmp_path)) as hub, visitor() as browser:
        shop = HubRetailer(hub, await hub.retailer(EVIL))
        await shop.brand(name=EVIL)
        code = await shop.home()
        made = await shop.ask(return_url="https://lune.example/back", asked={**ASKED_TERMS, "hub_signed": True})
        page = await browser.page(locale={"fr": "fr-FR", "en": "en-GB"}[language], color_scheme="dark")
        await page.goto(made["consent_url"])
        await expect(page.get_by_role("heading", level=1)).to_contain_text(EVIL)
        await expect(
            page.get_by_text(
                Text("also deliveries that the brand has not signed itself: this service alone speaks for them").to(
                    language
                )
            )
        ).to_be_visible()
        assert await accessibility_problems(page) == []
        field = page.get_by_label(Text("Support code").to(language))
        await field.fill("ABCD")
        browser.complaints.clear()
        await page.get_by_role("button", name=Text("Ask my home").to(language)).click()
        await expect(page.get_by_role("alert")).to_have_text(
            Text("There is a slip in this code. Compare it with the one on your box.").to(language)
        )
        assert await accessibility_problems(page) == []
        browser.complaints.clear()  # that a form was not taken (422) stands in the console
        await field.fill(format_support_code(code).lower())
        await page.get_by_role("button", name=Text("Ask my home").to(language)).click()
        await expect(page.get_by_role("status")).to_have_text(Text("Answer on your box or phone").to(language))
        assert await accessibility_problems(page) == []
        await shop.decides(GRANTED_DECISION)
        # It looks by itself
        await expect(page.get_by_role("status")).to_have_text(Text("Your home has said yes").to(language))
        back = page.get_by_role("link", name=EVIL)
        await expect(back).to_have_attribute("href", f"https://lune.example/back?connection={made['id']}")
        assert await accessibility_problems(page) == []
        await page.get_by_role("link", name=other).click()
        await expect(page.get_by_role("status")).to_have_text(
            Text("Your home has said yes").to("en" if language == "fr" else "fr")
        )
        assert await page.locator("script").count() == 0


async def test_the_page_tells_no_other_site_anything_and_runs_nothing(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        shop = HubRetailer(hub, await hub.retailer())
        await shop.brand(name="<script>alert(1)</script>")
        made = await shop.ask()
        async with hub.http.get(made["consent_url"], headers={"Accept-Language": "fr"}) as answer:
            text, headers = await answer.text(), answer.headers
        assert "<script" not in text
        assert "&lt;script&gt;" in text
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'sha256-")
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert headers["Cache-Control"] == "no-store"
        assert "Set-Cookie" not in headers


@pytest.mark.slow
async def test_no_page_of_the_hub_stands_in_another_site_s_frame(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub, visitor() as browser:
        shop = HubRetailer(hub, await hub.retailer())
        await shop.brand(name="Lune")
        asked = (await shop.ask())["consent_url"]
        others = ("/", "/join", "/connect/nothing", "/problems/not_found", "/console", "/shared", "/courier/nothing")
        ours = (asked, *(f"{hub.url}{path}" for path in others))
        frames = "".join(f'<iframe src="{one}"></iframe>' for one in ours)

        async def evil(_request: web.Request) -> web.Response:
            return web.Response(text=f"<!doctype html><title>A prize</title>{frames}", content_type="text/html")

        app = web.Application()
        app.add_routes([web.get("/", evil)])
        async with TestServer(app) as elsewhere:
            page = await browser.page()
            await page.goto(str(elsewhere.make_url("/")), wait_until="networkidle")
            assert len(page.frames) == 1 + len(ours)
            assert {frame.url for frame in page.frames[1:]} == {"chrome-error://chromewebdata/"}
        browser.complaints.clear()  # what the browser refused, in its own words


async def test_each_end_of_a_question_is_told_in_its_own_words(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        shop = HubRetailer(hub, await hub.retailer())
        await shop.brand()

        async def shown(url: str) -> str:
            async with hub.http.get(url) as answer:
                assert "Refresh" not in answer.headers, "nothing changes here by itself any more"
                return await answer.text()

        code = await shop.home()
        for version, standing in enumerate(("refused", "granted", "revoked"), start=1):
            made = await shop.ask()
            await shop.says(made["consent_url"], code)
            said = {**GRANTED_DECISION.model_dump(), "standing": standing, "version": version}
            await shop.decides(PermissionDecision.model_validate(said))
            assert ENDINGS[standing].to("en") in await shown(made["consent_url"])
            assert 'name="code"' not in await shown(made["consent_url"])
        ended = await shop.ask()
        await shop.call("POST", f"/v1/connections/{ended['id']}/end")
        assert "has withdrawn its question" in await shown(ended["consent_url"])


async def test_an_address_that_leads_nowhere_says_so_and_guessing_is_slowed(tmp_path: Path) -> None:
    async with run_hub(hub_file(tmp_path)) as hub:
        shop = HubRetailer(hub, await hub.retailer())
        await shop.brand()
        made = await shop.ask()
        secret = urlsplit(made["consent_url"]).path.rpartition("/")[2]
        answers: list[int] = []
        while 429 not in answers and len(answers) <= 2 * MAX_VIEWS_PER_MINUTE:  # a minute may end meanwhile
            async with hub.http.get(f"/connect/{secret[::-1]}") as answer:
                answers.append(answer.status)
        assert answers[MAX_VIEWS_PER_MINUTE:][-1] == 429
        assert set(answers[:-1]) == {404}
        said: list[int] = []
        while 429 not in said and len(said) <= 2 * MAX_CODES_PER_MINUTE:
            said.append((await shop.says(made["consent_url"], new_support_code()))[0])
        assert said[-1] == 429


@pytest.mark.slow
async def test_a_phone_that_reads_a_claim_s_code_is_told_where_it_belongs_and_gives_it_to_nobody(
    tmp_path: Path,
) -> None:
    asked: list[str] = []
    async with run_hub(hub_file(tmp_path)) as hub, visitor() as browser:
        code = ClaimCode(url=hub.url, claim=f"claim-{'a' * 26}", secret="b" * 26, authority="c" * 64)
        page = await browser.page(locale="en-GB")
        page.on("request", lambda request: asked.append(request.url))
        await page.goto(code.text)
        await expect(page.get_by_role("heading", level=1)).to_have_text(JOIN.to("en"))
        assert await accessibility_problems(page) == []
        french = page.get_by_role("heading", name=JOIN.to("fr"))
        await expect(french).to_be_visible()
        await expect(page.locator("section")).to_have_attribute("lang", "fr")
        assert await page.locator("a").count() == 0, "nothing on it leads away from the code in its address"
        assert page.url == code.text, "it is there to be copied"
        async with hub.http.get("/join?lang=fr") as answer:
            text = await answer.text()
            assert text.index(JOIN.to("fr")) < text.index(JOIN.to("en"))
            assert "<script" not in text
    assert not [url for url in asked if code.secret in url.partition("#")[0]]
