"""What a browser has to hold: no script that slipped in runs, nobody frames us, nothing stays after signing out."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer
from playwright.async_api import expect

from gateway.web.server.authorization import Authorizer
from tests.browser import IN_SHARED_BROWSER, visitor
from tests.shell.box import ShellBox, box, run_box
from tests.shell.house import make_home
from tests.shell.site import serve_site

pytestmark = [pytest.mark.slow, *IN_SHARED_BROWSER]

# What would run if the templates ever failed: the second wall is the browser's.
SLIPPED = """<p id="hole"><script>window.hit = 1</script><img src="x" onerror="window.hit = 2">
<svg onload="window.hit = 3"></svg><a id="away" href="javascript:window.hit=4">x</a>
<iframe srcdoc="<script>parent.hit = 5</script>"></iframe><style>body { visibility: hidden }</style></p></main>"""


@pytest_asyncio.fixture(loop_scope="session")
async def made(tmp_path: Path) -> AsyncIterator[ShellBox]:
    async with box(tmp_path, make_home(tmp_path)) as made, run_box(made):
        await made.good_day()
        yield made


async def test_a_script_that_slipped_into_a_page_does_not_run(made: ShellBox, monkeypatch: pytest.MonkeyPatch) -> None:
    paint = Authorizer.render_page

    def holed(self: Authorizer, *asked: object, **facts: object) -> web.Response:
        page = paint(self, *asked, **facts)  # type: ignore[arg-type]  # as it came
        page.text = str(page.text).replace("</main>", SLIPPED)
        return page

    monkeypatch.setattr(Authorizer, "render_page", holed)
    async with serve_site(made) as site, visitor() as somebody:
        page = await somebody.page()
        await site.sign_in(page.context)
        await page.goto(site.address)
        await expect(page.locator("#link")).to_have_text("Connected to the box")
        await page.locator("#away").click()
        late = "<img src=y onerror='window.hit = 6'>"
        await page.evaluate("late => document.querySelector('main').insertAdjacentHTML('beforeend', late)", late)
        await page.wait_for_function("document.querySelectorAll('main img').length > 0")
        assert await page.evaluate("window.hit") is None
        assert await page.evaluate("getComputedStyle(document.body).visibility") == "visible"
        assert any("Content Security Policy" in one for one in somebody.complaints)
        await somebody.leave()  # each of them is what was asked for


async def test_no_other_page_frames_us_or_speaks_in_the_owner_s_name(made: ShellBox) -> None:
    """The other page is on this very machine: the same site to a browser, so `SameSite` alone would let it."""

    async def evil(_request: web.Request) -> web.Response:
        return web.Response(text="<title>evil</title><body>", content_type="text/html")

    app = web.Application()
    app.add_routes([web.get("/", evil)])
    async with serve_site(made) as site, TestServer(app, host="127.0.0.1") as elsewhere, visitor() as somebody:
        page = await somebody.page()
        await site.sign_in(page.context)
        await page.goto(str(elsewhere.make_url("/")))
        did = await page.evaluate(
            """async (at) => {
                const tried = {};
                const form = new URLSearchParams({do: "stop"});
                const asked = {method: "POST", body: form, mode: "no-cors", credentials: "include"};
                await fetch(`${at}/entrance/front`, asked).catch(() => {});
                tried.read = await fetch(at, {credentials: "include"}).then(() => true, () => false);
                tried.socket = await new Promise((done) => {
                    const socket = new WebSocket(`${at.replace("http", "ws")}/feed`);
                    socket.onopen = () => done(true);
                    socket.onerror = () => done(false);
                });
                tried.picture = await new Promise((done) => {
                    const picture = new Image();
                    picture.onload = () => done(true);
                    picture.onerror = () => done(false);
                    picture.src = `${at}/live/cam/pictures`;
                });
                tried.script = await new Promise((done) => {
                    const script = document.createElement("script");
                    script.onload = () => done(true);
                    script.onerror = () => done(false);
                    script.src = `${at}/static/page.js`;
                    document.body.append(script);
                });
                const frame = document.createElement("iframe");
                const shown = new Promise((done) => { frame.onload = done; });
                frame.src = at;
                document.body.append(frame);
                await shown;
                return tried;
            }""",
            site.address,
        )
        assert did == {"read": False, "socket": False, "picture": False, "script": False}
        assert not made.front.is_stopped()
        framed = page.frames[1]
        assert await framed.locator(".door").count() == 0
        await somebody.leave()  # of each that was refused


async def test_nothing_stays_on_the_screen_after_signing_out(made: ShellBox) -> None:
    async with serve_site(made) as site, visitor() as somebody:
        page = await somebody.page()
        await site.sign_in(page.context)
        await page.goto(site.address)
        await expect(page.locator("#link")).to_have_text("Connected to the box")
        other = await page.context.new_page()
        await other.goto(f"{site.address}/settings")
        await other.get_by_role("button", name="Sign out").click()
        await expect(other).to_have_url(re.compile("/enter"))
        await expect(page.locator("#link")).to_have_text(re.compile("No connection to the box"))
        await other.go_back()
        await expect(other).to_have_url(re.compile(r"/enter\?back=/settings"))
        await page.reload()
        await expect(page).to_have_url(re.compile(r"/enter\?back=/"))
        await somebody.leave()  # the connection that is not opened any more
