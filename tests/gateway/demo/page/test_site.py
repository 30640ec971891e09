"""Who may ask what of the demo's page, and what it shows of the disk."""

from pathlib import Path

import pytest
from aiohttp import ClientSession, CookieJar, WSServerHandshakeError

from gateway.demo.page.runner import SHOW_TITLE
from gateway.demo.page.site import LANGUAGE_COOKIE, lan_address
from gateway.web.server.security_headers import CONTENT_SECURITY_POLICY
from tests.gateway.demo.page.runner import serve_page

FOREIGN = [{"Host": "evil.example"}, {"Origin": "http://evil.example"}]


async def test_the_page_has_no_script_or_style_of_its_own_and_every_answer_says_so(tmp_path: Path) -> None:
    async with serve_page(tmp_path) as page, ClientSession() as session:
        for path, status in (("", 200), ("static/demo.js", 200), ("static/live.js", 200), ("nowhere", 404)):
            async with session.get(f"{page.address}{path}") as answer:
                assert (answer.status, answer.headers["Content-Security-Policy"]) == (status, CONTENT_SECURITY_POLICY)
        text = await (await session.get(page.address)).text()
        assert "<style" not in text
        assert " style=" not in text
        assert text.count("<script") == text.count('<script type="module" src="/static/')


@pytest.mark.parametrize("headers", FOREIGN, ids=["a foreign name", "a foreign page"])
@pytest.mark.parametrize("path", ["play", "stop", "yes", "language"])
async def test_nobody_elses_page_plays_here(tmp_path: Path, path: str, headers: dict[str, str]) -> None:
    async with serve_page(tmp_path) as page, ClientSession() as session:
        async with session.post(f"{page.address}{path}", data={"title": SHOW_TITLE}, headers=headers) as answer:
            assert answer.status == 403
        assert page.theatre.current_box is None


async def test_what_is_no_scene_is_not_played(tmp_path: Path) -> None:
    async with serve_page(tmp_path) as page, ClientSession() as session:
        for title in ("nonsense", "", "../show"):
            async with session.post(f"{page.address}play", data={"title": title}) as answer:
                assert answer.status == 409
        async with session.post(f"{page.address}play") as answer:
            assert answer.status == 409


@pytest.mark.parametrize(
    "path",
    ["film/x/../../home.yaml", "film/1/manifest.json", "film/..%2f..%2fkeys/x", "phone/1-1.jpg", "live/doorbell",
     "live/nobody", "static/..%2fsite.py", "static/words.py", "static/nobody.js"],
)  # fmt: skip
async def test_nothing_has_an_address_that_the_page_does_not_show(tmp_path: Path, path: str) -> None:
    async with (
        serve_page(tmp_path) as page,
        ClientSession() as session,
        session.get(f"{page.address}{path}") as answer,
    ):
        assert answer.status == 404


async def test_the_language_is_the_browsers_until_another_is_chosen(tmp_path: Path) -> None:
    async with serve_page(tmp_path) as page, ClientSession(headers={"Accept-Language": "fr-FR"}) as session:
        assert '<html lang="fr">' in await (await session.get(page.address)).text()
        async with session.post(f"{page.address}language", data={LANGUAGE_COOKIE: "en"}) as answer:
            assert answer.ok
        cookie = {"Cookie": f"{LANGUAGE_COOKIE}=en"}
        assert '<html lang="en">' in await (await session.get(page.address, headers=cookie)).text()
        async with session.post(f"{page.address}language", data={LANGUAGE_COOKIE: "xx"}) as answer:
            assert answer.status == 400


@pytest.mark.slow
async def test_the_feed_tells_what_is_shown_and_then_that_it_is_alive(tmp_path: Path) -> None:
    async with serve_page(tmp_path) as page, ClientSession() as session:
        assert page.theatre.request_scenario("too-early")  # something is played already: nothing else begins
        async with session.ws_connect(f"{page.address}feed") as feed:
            first, second = [await feed.receive_json(timeout=30) for _ in range(2)]
        shown = [entry["now"] for entry in (*first["tape"], *second["tape"])]
        assert {now["title"] for now in shown if "title" in now} == {"too-early"}
        assert second["now"] >= first["now"]
        with pytest.raises(WSServerHandshakeError, match="403"):
            await session.ws_connect(f"{page.address}feed", headers={"Origin": "http://evil.example"})


async def test_in_a_network_only_who_has_the_terminals_address_sees_and_presses_anything(tmp_path: Path) -> None:
    async with serve_page(tmp_path, lan=True) as page:
        base, _, key = page.address.partition("open/")
        assert len(key) > 20
        jar = CookieJar(unsafe=True)
        async with ClientSession() as stranger, ClientSession(cookie_jar=jar) as guest:
            for path in ("", "feed", "live/doorbell", "film/x/y", "phone/1-1.jpg"):
                assert (await stranger.get(f"{base}{path}")).status == 403
            for path in ("play", "stop", "yes", "language"):
                assert (await stranger.post(f"{base}{path}", data={"title": "too-early"})).status == 403
            for wrong in ("x", key[:-1], f"{key}x", "%C3%A9"):
                assert (await stranger.get(f"{base}open/{wrong}")).status == 404
            assert page.theatre.current_box is None
            assert "QR" in await (await stranger.get(base, headers={"Accept-Language": "en"})).text()
            answer = await guest.get(page.address)
            assert (answer.status, str(answer.url)) == (200, base), "the secret does not stay in the address bar"
            assert (await guest.post(f"{base}play", data={"title": "nonsense"})).status == 409, "he is heard"


def test_there_is_always_an_address() -> None:
    assert lan_address().count(".") == 3
