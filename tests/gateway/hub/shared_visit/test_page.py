"""The page of a shared visit as the hub serves it: the same for everybody, with nothing of its own making believed."""

import re
import secrets
from collections.abc import AsyncIterator, Callable
from importlib.resources import files
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Route, expect

from gateway.config.home import HubSection
from gateway.hub.shared_visit.page import BOX_FILES
from gateway.hub.shared_visit.page_texts import TEXTS
from gateway.protocol.box_hub import SealedQuery
from gateway.storage.models import SharedVisit
from gateway.web.server.shares import new_guest
from tests.browser import IN_SHARED_BROWSER, accessibility_problems, visitor
from tests.gateway.domain.delivery.shop import NOON
from tests.gateway.web.remote.away import remote_household
from tests.gateway.web.remote.test_shared_visits import share
from tests.gateway.web.tour import _film_incident
from tests.hubs import RunningHub, hub_file, run_hub

pytestmark = IN_SHARED_BROWSER

GATEWAY = files("gateway")
SCRIPTS = {
    name: GATEWAY.joinpath("web", "static", name).read_text("utf-8") for name in BOX_FILES if name.endswith("js")
}
SCRIPTS["shared_visit.js"] = GATEWAY.joinpath("hub", "shared_visit", "shared_visit.js").read_text("utf-8")
FILM_TEXTS = ("away.film.", "away.picture", "visit.film")  # the household's page shows more by the same script


@pytest_asyncio.fixture(loop_scope="session")
async def hub(tmp_path: Path) -> AsyncIterator[RunningHub]:
    async with run_hub(hub_file(tmp_path)) as hub:
        yield hub


def link(hub: RunningHub) -> str:
    """A link that a box has made, and of which the hub was told nothing."""
    share = SharedVisit(id="share-1", secret=b"", visit="visit-1", by="p-anna", made=NOON, until=NOON)
    section = HubSection(url=hub.url, home="home-1", host="127.0.0.1", password_file=Path("x"))
    return new_guest(share, section)[1]


async def test_the_page_and_its_files_are_all_that_is_served_and_bring_no_cookie(hub: RunningHub) -> None:
    for path in ("/shared", "/shared?lang=fr", *(f"/shared/{name}" for name in (*BOX_FILES, "shared_visit.js"))):
        async with hub.http.get(f"{hub.url}{path}") as answer:
            assert answer.status == 200, path
            policy = answer.headers["Content-Security-Policy"]
            assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
            assert "unsafe" not in policy
            assert "Set-Cookie" not in answer.headers
            assert answer.headers["Referrer-Policy"] == "no-referrer"
    for path in ("/shared/", "/shared/perron.js", "/shared/..%2f..%2fpyproject.toml", "/shared/page.py"):
        async with hub.http.get(f"{hub.url}{path}") as answer:
            assert answer.status == 404, path


@pytest.mark.parametrize(("header", "language"), [("fr-FR,fr;q=0.9", "fr"), ("en", "en"), ("xx", "en")])
async def test_the_page_speaks_the_reader_s_language(hub: RunningHub, header: str, language: str) -> None:
    async with hub.http.get(f"{hub.url}/shared", headers={"Accept-Language": header}) as answer:
        text = await answer.text()
    assert f'<html lang="{language}">' in text
    assert re.findall(r'(?:href|src)="/', text) == [], "a proxy may serve the hub below a path"


def test_each_text_that_the_scripts_ask_for_exists() -> None:
    of_page = set(re.findall(r'say\("([a-z._]+)"', SCRIPTS["shared_visit.js"]))
    of_films = {key for key in re.findall(r'say\("([a-z._]+)"', SCRIPTS["away_films.js"]) if key.startswith(FILM_TEXTS)}
    assert {"shared.until", "visit.film"} <= of_page
    assert {"away.film.part", "away.picture"} <= of_films
    assert of_page | of_films <= TEXTS.keys()


def test_each_no_of_the_box_and_each_silence_has_words() -> None:
    queries = GATEWAY.joinpath("web", "remote", "queries.py").read_text("utf-8")
    refused = set(re.findall(r'(?:QueryRefused\(|"refused": )"([a-z_]+)"', queries)) - {"private"}
    assert {f"away.no.{code}" for code in refused} <= TEXTS.keys()
    silences = set(re.findall(r'NotHeard\([^)]*?"([a-z_]+)"', SCRIPTS["away_line.js"])) - {"refused"}
    assert {"unbelieved", "clock"} <= silences
    assert {f"away.heard.{why}" for why in silences} <= TEXTS.keys()


@pytest.mark.parametrize("spoil", [
    lambda _: "", lambda text: text[:-1], lambda text: text.replace("1.", "2.", 1), lambda text: f"{text}.more",
    lambda text: text.rsplit(".", 1)[0], lambda _: "<img src=x onerror=alert(1)>.....",
])  # fmt: skip
async def test_a_link_that_is_not_whole_is_told_and_asks_nobody(hub: RunningHub, spoil: Callable[[str], str]) -> None:
    address, _, fragment = link(hub).partition("#")
    async with visitor() as somebody:
        page = await somebody.page()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        await page.goto(f"{address}#{spoil(fragment)}")
        await expect(page.get_by_role("status")).to_contain_text("This link is not whole.")
        assert [one for one in asked if "/v1/" in one] == []
        assert await accessibility_problems(page) == []


async def test_a_link_of_which_the_hub_was_told_nothing_says_so_and_is_tried_again(hub: RunningHub) -> None:
    async with visitor() as somebody:
        page = await somebody.page(locale="fr-FR")
        await page.goto(link(hub))
        await expect(page.get_by_role("status")).to_contain_text("Le hub ne connaît pas (encore, ou plus) ce lien")
        assert page.url == f"{hub.url}/shared"
        async with page.expect_response("**/v1/household/questions"):
            await page.get_by_role("button", name="Réessayer").click()
        await expect(page.get_by_role("status")).to_contain_text("Le hub ne connaît pas")
        await somebody.leave(forgiven="401")


async def test_a_hub_that_answers_in_the_house_s_place_is_not_believed(hub: RunningHub) -> None:
    async def invents(route: Route) -> None:
        await route.fulfill(json={"sealed": f"{secrets.token_urlsafe(40)}..a.b.c"})

    async with visitor() as somebody:
        page = await somebody.page()
        await page.context.route("**/v1/household/questions", invents)
        await page.goto(link(hub))
        await expect(page.get_by_role("status")).to_contain_text("does not come from the house")
        await expect(page.locator("#films")).to_be_empty()


async def test_another_link_that_is_pasted_over_this_one_is_opened(hub: RunningHub) -> None:
    async with visitor() as somebody:
        page = await somebody.page()
        await page.goto(f"{hub.url}/shared")
        await expect(page.get_by_role("status")).to_contain_text("This link is not whole.")
        fragment = link(hub).partition("#")[2]
        await page.evaluate("fragment => { location.hash = fragment; }", fragment)
        await expect(page.get_by_role("status")).to_contain_text("The hub does not know this link")
        assert page.url == f"{hub.url}/shared"
        await somebody.leave(forgiven="401")


@pytest.mark.slow
async def test_a_hole_in_the_film_is_told_and_a_device_whose_clock_is_wrong_sees_the_visit_too(
    hub: RunningHub, tmp_path: Path
) -> None:
    """The clocks are months apart: the box is asked once more, by its own clock."""
    (tmp_path / "box").mkdir()
    async with remote_household(tmp_path / "box") as here, visitor() as somebody:
        await _film_incident(here.made, "a dispute")
        fragment = (await share(here)).partition("#")[2]

        async def carries(route: Route) -> None:
            sealed = str((route.request.post_data_json or {})["sealed"])
            browser = f"brw-{fragment.split('.')[2]}"
            query = SealedQuery(via="hub-1", id="q-1", browser=browser, sealed=sealed)
            await route.fulfill(json={"sealed": await here.household.answer_query(query)})

        page = await somebody.page()
        await page.context.route("**/v1/household/questions", carries)
        await page.goto(f"{hub.url}/shared#{fragment}")
        await expect(page.locator("#what")).to_contain_text("Incident")
        await expect(page.locator("#films section").first).to_contain_text(
            re.compile(r"hole in the film: \d\d:\d\d:01 - \d\d:\d\d:02")
        )
        await expect(page.locator("#films img")).to_be_visible()
        assert await accessibility_problems(page) == []
